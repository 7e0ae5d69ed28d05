//! `fallow dev --sign-in provider`: people sign in at a provider, as in production, but need prove nothing.

use std::fmt::Write as _;
use std::path::Path;

use fallow_domain::region::Region;
use fallow_issuer::{Client, Issuer, Person};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::DevError;

/// The console's client id.
const CONSOLE: &str = "fallow-console";
/// The command line's client id.
const CLI: &str = "fallow-cli";
/// The organisation whose people act above the trusts.
const REGION: &str = "REGION";
/// The national code that the demonstration's roles have.
const CODE: &str = "S8000:G8000:R8008";
/// Who works at a trust: name, activity, role in Fallow.
const OF_A_TRUST: [(&str, &str, &str); 2] =
    [("Bed manager", "B0401", "bed_manager"), ("Site lead", "B0572", "site_lead")];
/// Who works above them.
const ABOVE: [(&str, &str, &str); 2] = [("Duty lead", "B0101", "gold"), ("Auditor", "B0102", "auditor")];

/// A provider that is ready to be served, and the settings by which everything else finds it.
pub(super) struct Prepared {
    pub(super) issuer: Issuer,
    pub(super) listener: TcpListener,
    pub(super) settings: Vec<(&'static str, String)>,
}

/// Prepares the provider: everybody of the region, the tables of their roles, and the console's secret, below `folder`.
pub(super) async fn prepare(region: &Region, console: u16, folder: &Path) -> Result<Prepared, DevError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(DevError::Issuer)?;
    let roles = folder.join("roles");
    std::fs::create_dir_all(&roles).map_err(DevError::Files)?;
    let mut people = Vec::new();
    for (code, trust) in &region.trusts {
        staff(&mut people, code.as_str(), trust.name.as_str(), &OF_A_TRUST);
        write_table(&roles, code.as_str(), "trust", &OF_A_TRUST)?;
    }
    staff(&mut people, REGION, region.name.as_str(), &ABOVE);
    write_table(&roles, REGION, "region", &ABOVE)?;
    let (address, secret) = (format!("http://127.0.0.1:{console}"), Uuid::new_v4().simple().to_string());
    let secret_file = folder.join("console-secret");
    std::fs::write(&secret_file, &secret).map_err(DevError::Files)?;
    let clients = vec![
        Client {
            id: CONSOLE.to_owned(),
            secret: Some(secret),
            redirects: vec![format!("{address}/sign-in/back")],
            logout_address: Some(format!("{address}/sign-out/provider")),
        },
        Client { id: CLI.to_owned(), ..Client::default() },
    ];
    let issuer = Issuer::new(&listener, people, clients)?;
    let settings = vec![
        ("provider.issuer", issuer.address().to_owned()),
        ("provider.algorithm", "EdDSA".to_owned()),
        ("provider.console_client", CONSOLE.to_owned()),
        ("provider.console_secret_file", secret_file.display().to_string()),
        ("provider.console_address", address),
        ("provider.cli_client", CLI.to_owned()),
        ("provider.role_folder", roles.display().to_string()),
    ];
    Ok(Prepared { issuer, listener, settings })
}

fn staff(people: &mut Vec<Person>, organisation: &str, place: &str, jobs: &[(&str, &str, &str)]) {
    for (name, activity, _) in jobs {
        let uid = format!("9000000{:05}", people.len() + 1);
        let name = format!("{name}, {place}");
        people.push(Person::with_role(&uid, &name, organisation, (CODE, &[activity])));
    }
}

fn write_table(
    folder: &Path,
    organisation: &str,
    kind: &str,
    jobs: &[(&str, &str, &str)],
) -> Result<(), DevError> {
    let mut text = format!("organisation = \"{organisation}\"\nkind = \"{kind}\"\n");
    for (_, activity, gives) in jobs {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\n[[role]]\ncode = \"{CODE}\"\nactivities = [\"{activity}\"]\ngives = \"{gives}\""
        );
    }
    std::fs::write(folder.join(format!("{organisation}.toml")), text).map_err(DevError::Files)
}
