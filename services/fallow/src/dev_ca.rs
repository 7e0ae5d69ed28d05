//! `fallow dev-ca`: a throw-away authority with certificates for this machine, for development, tests and demonstrations.
//!
//! Its key lies beside the certificates and nobody guards it: no process outside development serves by it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fallow_domain::ids::{NameError, TrustCode};
use fallow_host::clock::Clock;
use fallow_host::config::{Config, ConfigError};
use fallow_host::identity::systems::domain_of;
use fallow_host::identity::tls::DEV_AUTHORITY;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
    date_time_ymd,
};
use thiserror::Error;

use crate::cli::Exit;
use crate::serve::chain;

/// Life of everything that it signs, in days. Real certificates of systems live a day.
const LIFE_DAYS: i32 = 2;

/// Makes a throw-away authority, and certificates for this machine and for systems. For development only.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow dev-ca certificates --system ZA1/bed-state\n  fallow dev-ca certificates --system \
                   ZA1/bed-state --system ZA2/theatres --revoke ZA2/theatres"
)]
pub struct DevCaArgs {
    /// The folder for the files, made where it is not there; what is in it is never overwritten
    pub(crate) folder: PathBuf,
    /// A system that gets a certificate: ODS code of its trust and its name; may be given several times
    #[arg(long = "system", value_name = "ODS/NAME", value_parser = system)]
    pub(crate) systems: Vec<(TrustCode, String)>,
    /// A system among them whose certificate is revoked at once; may be given several times
    #[arg(long = "revoke", value_name = "ODS/NAME", value_parser = system)]
    pub(crate) revoked: Vec<(TrustCode, String)>,
    /// A file of settings (TOML), which name the region and the environment
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Why there are no certificates.
#[derive(Debug, Error)]
pub(crate) enum DevCaError {
    #[error("settings")]
    Config(#[from] ConfigError),
    #[error("the certificates cannot be made")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot write {}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("--revoke names {0}, which is no --system")]
    NoSystem(String),
    #[error("the date cannot be worked out")]
    Date(#[from] jiff::Error),
}

/// Runs the command.
#[must_use]
pub fn run(args: &DevCaArgs) -> ExitCode {
    match make(args, today()) {
        Ok(said) => {
            // There is nobody left to tell that the outputs are gone.
            let _ = writeln!(std::io::stderr(), "{BANNER}");
            let _ = write!(std::io::stdout(), "{said}");
            ExitCode::from(Exit::Ok.code())
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: DEV_CA: {}", chain(&error));
            let is_missing = matches!(&error, DevCaError::Config(error) if error.file_is_missing);
            ExitCode::from(if is_missing { Exit::NotFound } else { Exit::Usage }.code())
        }
    }
}

const BANNER: &str = "\
==============================================================================
  THROW-AWAY AUTHORITY. Its key lies beside its certificates and nobody guards
  it. For development, tests and demonstrations only: no process of Fallow
  serves by it unless dev.enabled is set. Everything ends in two days.
==============================================================================";

/// Returns the day from which certificates are counted.
pub(crate) fn today() -> Date {
    Clock::system().now().to_zoned(TimeZone::UTC).date()
}

/// Makes the files, and says what each is for.
pub(crate) fn make(args: &DevCaArgs, today: Date) -> Result<String, DevCaError> {
    let config = Config::load(args.config.as_deref(), std::env::vars())?;
    let life = (today.checked_sub(1.days())?, today.checked_add(LIFE_DAYS.days())?);
    std::fs::create_dir_all(&args.folder)
        .map_err(|source| DevCaError::Unwritable { path: args.folder.clone(), source })?;

    let mut params = within(life);
    params.distinguished_name.push(DnType::CommonName, DEV_AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?.pem();
    let key_pem = key.serialize_pem();
    let issuer = Issuer::new(params, key);
    let mut said = String::new();
    let mut put = |name: &str, text: &str, mode: u32, what: &str| {
        let path = args.folder.join(name);
        said.push_str(&format!("{}  {what}\n", path.display()));
        create(&path, text, mode).map_err(|source| DevCaError::Unwritable { path, source })
    };
    put("ca.pem", &authority, 0o444, "tls.client_ca_file, and the authority of clients")?;
    put("ca-key.pem", &key_pem, 0o400, "the authority's key: throw it away with the rest")?;

    let mut server = within(life);
    server.subject_alt_names =
        vec![SanType::DnsName("localhost".try_into()?), SanType::IpAddress([127, 0, 0, 1].into())];
    server.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    put("server.pem", &server.signed_by(&key, &issuer)?.pem(), 0o444, "tls.certificate_file")?;
    put("server-key.pem", &key.serialize_pem(), 0o400, "tls.key_file")?;

    let mut revoked = Vec::new();
    for (number, (trust, name)) in (1_u64..).zip(&args.systems) {
        let mut system = within(life);
        system.serial_number = Some(SerialNumber::from(number));
        let domain = domain_of(&config.region.id);
        let uri = format!("spiffe://{domain}/trust/{trust}/system/{name}/{}", config.tls.environment);
        system.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
        system.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (key, file) = (KeyPair::generate()?, format!("{trust}-{name}"));
        put(&format!("{file}.pem"), &system.signed_by(&key, &issuer)?.pem(), 0o444, &uri)?;
        put(&format!("{file}-key.pem"), &key.serialize_pem(), 0o400, "its key")?;
        if args.revoked.contains(&(*trust, name.clone())) {
            revoked.push(RevokedCertParams {
                serial_number: SerialNumber::from(number),
                revocation_time: at(life.0),
                reason_code: None,
                invalidity_date: None,
            });
        }
    }
    if let Some((trust, name)) = args.revoked.iter().find(|system| !args.systems.contains(system)) {
        return Err(DevCaError::NoSystem(format!("{trust}/{name}")));
    }
    let list = CertificateRevocationListParams {
        this_update: at(life.0),
        next_update: at(life.1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    put("crl.pem", &list.signed_by(&issuer)?.pem()?, 0o444, "tls.crl_file")?;
    Ok(said)
}

fn within((from, until): (Date, Date)) -> CertificateParams {
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = (at(from), at(until));
    params
}

/// Returns the beginning of a day as certificates say it.
fn at(date: Date) -> time::OffsetDateTime {
    let small = |number: i8| u8::try_from(number).unwrap_or(1);
    date_time_ymd(date.year().into(), small(date.month()), small(date.day()))
}

fn system(text: &str) -> Result<(TrustCode, String), String> {
    let (trust, name) = text.split_once('/').ok_or("must be a trust and a name, such as ZA1/bed-state")?;
    let trust = trust.parse().map_err(|error: NameError| error.to_string())?;
    let is_plain = (1..=40).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_plain {
        return Err("the name must be 1 to 40 small letters, digits and hyphens".to_owned());
    }
    Ok((trust, name.to_owned()))
}

fn create(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use fallow_host::identity::systems::System;
    use fallow_host::identity::tls::{Tls, TlsError};
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn what_is_made_is_served_by_in_development_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let args = |revoked: &[&str]| DevCaArgs {
            folder: folder.path().join("certificates"),
            systems: vec![system("ZA1/bed-state").unwrap()],
            revoked: revoked.iter().map(|text| system(text).unwrap()).collect(),
            config: None,
        };
        let today = today();
        let said = make(&args(&["ZA1/bed-state"]), today).unwrap();
        assert!(said.contains("crl.pem") && BANNER.contains("THROW-AWAY"), "{said}");
        assert!(
            matches!(make(&args(&[]), today), Err(DevCaError::Unwritable { .. })),
            "nothing is overwritten"
        );

        let at = |name: &str| folder.path().join("certificates").join(name).display().to_string();
        let files = ["server.pem", "server-key.pem", "ca.pem", "crl.pem"].map(at);
        let keys = ["tls.certificate_file", "tls.key_file", "tls.client_ca_file", "tls.crl_file"];
        let settings: Vec<(&str, &str)> = keys.into_iter().zip(files.iter().map(String::as_str)).collect();
        let config = Config::load(None, []).unwrap().with(&settings).unwrap();
        assert!(matches!(Tls::open(&config), Err(TlsError::DevAuthority)));
        let config = config.with(&[("dev.enabled", "true")]).unwrap();
        assert!(Tls::open(&config).unwrap().is_some());
        let certificate = CertificateDer::from_pem_file(at("ZA1-bed-state.pem")).unwrap();
        let named = System::of(&certificate, &config.region.id, &config.tls.environment).unwrap();
        assert_eq!((named.trust.as_str(), named.name.as_str()), ("ZA1", "bed-state"));
    }

    #[test]
    fn a_system_is_named_plainly() {
        for bad in ["ZA1", "za1/a", "ZA1/", "ZA1/a b", "ZA1/../x", "ZA1/A"] {
            assert!(system(bad).is_err(), "{bad}");
        }
    }
}
