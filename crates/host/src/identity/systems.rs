//! Systems: who a certificate is for, by the one name in it that counts.
//!
//! Identity is the single URI of a certificate's alternative names, in SPIFFE's form:
//! `spiffe://fallow.<region>.nhs.example/trust/<ODS>/system/<name>/<env>`. The common name is nobody's identity, and a
//! certificate with two URIs is two systems' and therefore none's. Whether an authority vouches for it was settled by
//! the handshake (`tls`).

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, RegionId, TrustCode};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Caller;

/// Longest name of a system or an environment, in characters.
const NAME_CHARS_MAX: usize = 40;
/// Longest domain, in characters.
const DOMAIN_CHARS_MAX: usize = 255;

/// A system of a trust, as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct System {
    /// Its trust.
    pub trust: TrustCode,
    /// Its name at the trust, such as `bed-state`.
    pub name: Label,
}

/// Why a certificate that an authority vouches for names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unnamed {
    /// It has no URI.
    Missing,
    /// It has more than one URI.
    Ambiguous,
    /// The URI does not have the form.
    Malformed,
    /// It is of another region or another environment.
    Elsewhere,
}

impl System {
    /// Returns the system that a certificate names.
    ///
    /// # Errors
    /// It names none, more than one, or one of another region or environment.
    pub fn of(certificate: &[u8], region: &RegionId, environment: &str) -> Result<Self, Unnamed> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Unnamed::Malformed)?;
        let names = parsed.subject_alternative_name().map_err(|_| Unnamed::Malformed)?;
        let mut uris =
            names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
                GeneralName::URI(uri) => Some(*uri),
                // Only a URI is an identity, whatever else stands beside it.
                GeneralName::OtherName(..)
                | GeneralName::RFC822Name(_)
                | GeneralName::DNSName(_)
                | GeneralName::X400Address(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EDIPartyName(_)
                | GeneralName::IPAddress(_)
                | GeneralName::RegisteredID(_)
                | GeneralName::Invalid(..) => None,
            });
        match (uris.next(), uris.next()) {
            (None, _) => Err(Unnamed::Missing),
            (Some(_), Some(_)) => Err(Unnamed::Ambiguous),
            (Some(uri), None) => Self::parse(uri, region, environment),
        }
    }

    fn parse(uri: &str, region: &RegionId, environment: &str) -> Result<Self, Unnamed> {
        let rest = uri.strip_prefix("spiffe://").ok_or(Unnamed::Malformed)?;
        let (domain, path) = rest.split_once('/').ok_or(Unnamed::Malformed)?;
        let segments: Vec<&str> = path.split('/').collect();
        let ["trust", trust, "system", name, env] = segments[..] else { return Err(Unnamed::Malformed) };
        if !is_plain(domain, DOMAIN_CHARS_MAX)
            || !is_plain(name, NAME_CHARS_MAX)
            || !is_plain(env, NAME_CHARS_MAX)
        {
            return Err(Unnamed::Malformed);
        }
        let trust = trust.parse().map_err(|_| Unnamed::Malformed)?;
        let name = Label::parse(name).map_err(|_| Unnamed::Malformed)?;
        if domain != domain_of(region) || env != environment {
            return Err(Unnamed::Elsewhere);
        }
        Ok(Self { trust, name })
    }

    /// Returns what it calls as: its trust's system.
    #[must_use]
    pub fn caller(&self, region: &RegionId) -> Caller {
        let (subject, trust) = (self.name.clone(), Some(self.trust));
        let actor = Actor { subject, kind: ActorKind::System, role: Role::TrustSystem, trust };
        Caller::system(actor, region.clone())
    }
}

/// Returns the domain of the certificates of a region's systems.
#[must_use]
pub fn domain_of(region: &RegionId) -> String {
    format!("fallow.{}.nhs.example", region.as_str().to_ascii_lowercase())
}

/// Says whether a part of the name is written plainly: small letters, digits, dots and hyphens, and no way up.
fn is_plain(part: &str, chars_max: usize) -> bool {
    (1..=chars_max).contains(&part.len())
        && part
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte))
        && part != "."
        && !part.contains("..")
}

impl From<Unnamed> for Failure {
    fn from(unnamed: Unnamed) -> Self {
        let (reason, text) = match unnamed {
            Unnamed::Missing => (
                reasons::CERT_IDENTITY_MISSING,
                "the certificate names no system: it needs one URI; its common name does not count",
            ),
            Unnamed::Ambiguous => (
                reasons::CERT_IDENTITY_AMBIGUOUS,
                "the certificate has more than one URI: which system it is for cannot be known",
            ),
            Unnamed::Malformed => (
                reasons::CERT_IDENTITY_MALFORMED,
                "the certificate's URI must be spiffe://fallow.REGION.nhs.example/trust/ODS/system/NAME/ENVIRONMENT",
            ),
            Unnamed::Elsewhere => {
                (reasons::CERT_WRONG_DOMAIN, "the certificate is for another region or another environment")
            }
        };
        Self::Unauthenticated { reason, text: text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<System, Unnamed> {
        System::parse(uri, &RegionId::parse("north-vale").unwrap(), "live")
    }

    #[test]
    fn one_form_names_a_system() {
        let system = parse("spiffe://fallow.north-vale.nhs.example/trust/ZA1/system/bed-state/live").unwrap();
        assert_eq!((system.trust.as_str(), system.name.as_str()), ("ZA1", "bed-state"));
        let caller = system.caller(&RegionId::parse("north-vale").unwrap());
        assert_eq!((caller.actor.role, caller.actor.kind), (Role::TrustSystem, ActorKind::System));
    }

    #[test]
    fn every_other_form_is_refused() {
        let base = "spiffe://fallow.north-vale.nhs.example/trust/ZA1/system";
        for bad in [
            "",
            "spiffe://",
            "SPIFFE://fallow.north-vale.nhs.example/trust/ZA1/system/a/live",
            "https://fallow.north-vale.nhs.example/trust/ZA1/system/a/live",
            "spiffe://FALLOW.north-vale.nhs.example/trust/ZA1/system/a/live",
            "spiffe://fallow.north-vale.nhs.example/trust/za1/system/a/live",
            "spiffe://fallow.north-vale.nhs.example/trust/ZA1/../ZA2/system/a/live",
            "spiffe://u@fallow.north-vale.nhs.example/trust/ZA1/system/a/live",
            "spiffe://fallow.north-vale.nhs.example:443/trust/ZA1/system/a/live",
            &format!("{base}/../live"),
            &format!("{base}/%2e%2e/live"),
            &format!("{base}/a/live?x=1"),
            &format!("{base}/a/live#x"),
            &format!("{base}//live"),
            &format!("{base}/a/live/"),
            &format!("{base}/a/"),
            &format!("{base}/a b/live"),
            &format!("{base}/{}/live", "a".repeat(41)),
            &format!("{base}/a"),
        ] {
            assert_eq!(parse(bad), Err(Unnamed::Malformed), "{bad}");
        }
        for elsewhere in [
            "spiffe://fallow.south-vale.nhs.example/trust/ZA1/system/a/live",
            "spiffe://fallow.north-vale.nhs.example.org/trust/ZA1/system/a/live",
            &format!("{base}/a/test"),
        ] {
            assert_eq!(parse(elsewhere), Err(Unnamed::Elsewhere), "{elsewhere}");
        }
    }
}
