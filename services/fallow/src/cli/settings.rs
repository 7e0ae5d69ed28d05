//! Contexts: which services, whose credential, which site. Kept in `config.toml`; `fallow dev` leaves one of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::failure::{Exit, Failure};

/// The name under which the running demonstration can be used.
pub(crate) const DEV: &str = "dev";

/// What the configuration file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The context that commands use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// All contexts by name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// Where and as whom commands act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Where the services are.
    pub endpoints: Endpoints,
    /// The file with the credential. The credential itself is never in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The authority that signed the certificates of `https` addresses, a PEM file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_file: Option<PathBuf>,
    /// The certificate by which a system proves itself, a PEM file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// Its key, a PEM file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// ODS site code that `free`, `take` and `need` are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The demonstration's clock runs this many times faster than ours, from its own start: the services are asked for
    /// the time. Absent for anything real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_speed: Option<u32>,
    /// The demonstration's users: which site each one works at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, String>,
}

/// Where the services are: one address for all, or one for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Endpoints {
    /// All services behind one address, such as `http://127.0.0.1:7431`.
    All(String),
    /// Each service at its own.
    Each(EachEndpoint),
}

/// One address for each service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EachEndpoint {
    /// Of CapacityService.
    pub capacity: String,
    /// Of DemandService.
    pub demand: String,
    /// Of MatchingService.
    pub matching: String,
    /// Of MonitorService.
    pub monitor: String,
}

/// The four services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// CapacityService.
    Capacity,
    /// DemandService.
    Demand,
    /// MatchingService.
    Matching,
    /// MonitorService.
    Monitor,
}

impl Service {
    /// All four, in the order of a need's life.
    pub(crate) const ALL: [Self; 4] = [Self::Capacity, Self::Demand, Self::Matching, Self::Monitor];

    /// Returns its name in settings and on screens.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Demand => "demand",
            Self::Matching => "matching",
            Self::Monitor => "monitor",
        }
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Self::All("http://127.0.0.1:7431".to_owned())
    }
}

impl Endpoints {
    /// Returns the address of a service.
    pub(crate) fn of(&self, service: Service) -> &str {
        match self {
            Self::All(address) => address,
            Self::Each(each) => match service {
                Service::Capacity => &each.capacity,
                Service::Demand => &each.demand,
                Service::Matching => &each.matching,
                Service::Monitor => &each.monitor,
            },
        }
    }

    /// Shows the address, or the four.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::All(address) => address.clone(),
            Self::Each(_) => {
                let each = Service::ALL.map(|service| format!("{}={}", service.name(), self.of(service)));
                each.join(",")
            }
        }
    }
}

impl FromStr for Endpoints {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "give http://HOST:PORT, or capacity=URL,demand=URL,matching=URL,monitor=URL";
        if !text.contains('=') {
            return url(text).map(Self::All);
        }
        let mut named = BTreeMap::new();
        for part in text.split(',') {
            let (name, address) = part.trim().split_once('=').ok_or(SHAPE)?;
            named.insert(name.trim(), url(address.trim())?);
        }
        let mut take = |service: Service| {
            named.remove(service.name()).ok_or_else(|| format!("{} is missing: {SHAPE}", service.name()))
        };
        let each = EachEndpoint {
            capacity: take(Service::Capacity)?,
            demand: take(Service::Demand)?,
            matching: take(Service::Matching)?,
            monitor: take(Service::Monitor)?,
        };
        match named.keys().next() {
            Some(name) => Err(format!("there is no service \"{name}\": {SHAPE}")),
            None => Ok(Self::Each(each)),
        }
    }
}

fn url(text: &str) -> Result<String, String> {
    let uri: tonic::transport::Uri = text.parse().map_err(|_| format!("\"{text}\" is not an address"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(_)) => Ok(text.trim_end_matches('/').to_owned()),
        _ => {
            Err(format!("\"{text}\" is not an address: it starts with http:// or https:// and names a host"))
        }
    }
}

/// Where files are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// What `fallow dev` writes.
    pub(crate) dev: DevFiles,
}

/// The files that a running `fallow dev` leaves for the command line: a context and a credential for each built-in user.
#[derive(Debug, Clone)]
pub struct DevFiles {
    folder: PathBuf,
}

impl DevFiles {
    /// Names the files below the user's state folder, such as `~/.local/state`.
    #[must_use]
    pub fn below(state_folder: &Path) -> Self {
        Self { folder: state_folder.join("fallow-dev") }
    }

    /// Returns the file with the context.
    #[must_use]
    pub fn context_file(&self) -> PathBuf {
        self.folder.join("context.toml")
    }

    /// Returns the file with a user's credential.
    #[must_use]
    pub fn token_file(&self, user: &str) -> PathBuf {
        self.folder.join("tokens").join(format!("{user}.token"))
    }

    /// Writes the context `dev` with one credential file for each user: (name, site, token). Commands act as the first
    /// user unless `--as` names another. A site may be empty, for gold.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(
        &self,
        endpoints: Endpoints,
        clock_speed: u32,
        users: &[(&str, &str, &str)],
    ) -> std::io::Result<()> {
        fs::create_dir_all(self.folder.join("tokens"))?;
        keep_private(&self.folder)?;
        for (user, _, token) in users {
            fs::write(self.token_file(user), token)?;
        }
        let context = Context {
            endpoints,
            token_file: users.first().map(|(user, _, _)| self.token_file(user)),
            authority_file: None,
            certificate_file: None,
            key_file: None,
            site: users.first().map(|(_, site, _)| (*site).to_owned()),
            clock_speed: Some(clock_speed),
            users: users.iter().map(|(user, site, _)| ((*user).to_owned(), (*site).to_owned())).collect(),
        };
        let text = toml::to_string(&context).map_err(std::io::Error::other)?;
        fs::write(self.context_file(), text)
    }

    /// Removes the context, so that commands do not look for a demonstration that has ended.
    ///
    /// # Errors
    /// When the file is there and cannot be removed.
    pub fn remove(&self) -> std::io::Result<()> {
        match fs::remove_file(self.context_file()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn read(&self) -> Result<Option<Context>, Failure> {
        read_toml(&self.context_file())
    }
}

/// Keeps everybody else of this machine out of a folder.
#[cfg(unix)]
pub(super) fn keep_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// Keeps everybody else of this machine out of a folder: below the user's own state folder it is so already.
#[cfg(not(unix))]
pub(super) fn keep_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}

impl Config {
    /// Reads the file; an absent one is empty.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        Ok(read_toml(file)?.unwrap_or_default())
    }

    /// Writes the file and the folders it needs.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        let failed =
            |what: String| Failure::new(Exit::Failed, "CONFIG", format!("{}: {what}", file.display()));
        let text = toml::to_string_pretty(self).map_err(|error| failed(error.to_string()))?;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        // Written beside and renamed, so that a crash leaves the old file whole.
        let beside = file.with_extension("toml.new");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, file))
            .map_err(|error| failed(error.to_string()))
    }
}

fn read_toml<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Option<T>, Failure> {
    let failed = |what: String| {
        Failure::new(Exit::Usage, "CONFIG", format!("{} cannot be used", file.display()))
            .because(what)
            .next("mend or remove the file, then: fallow context list")
    };
    match fs::read_to_string(file) {
        Ok(text) => {
            toml::from_str(&text).map(Some).map_err(|error| failed(error.to_string().trim_end().to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Finds the context to act in: the named one, else the current one, else that of a running demonstration.
pub(crate) fn choose(
    config: &Config,
    places: &Places,
    named: Option<&str>,
) -> Result<(String, Context), Failure> {
    let none = || {
        Failure::usage("no context is set: there are no services to talk to")
            .next("fallow dev, which starts a demonstration and sets one")
            .next("fallow context add NAME --endpoint http://HOST:7431 --token-file FILE --site ZA401")
    };
    let name = match named.or(config.current.as_deref()) {
        Some(name) => name,
        None => return places.dev.read()?.map(|context| (DEV.to_owned(), context)).ok_or_else(none),
    };
    if let Some(context) = config.contexts.get(name) {
        return Ok((name.to_owned(), context.clone()));
    }
    if name == DEV {
        return places
            .dev
            .read()?
            .map(|context| (DEV.to_owned(), context))
            .ok_or_else(|| Failure::usage("no demonstration is running").next("fallow dev"));
    }
    let near = super::codes::nearest(name, config.contexts.keys().map(String::as_str));
    let guess = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
    Err(Failure::new(Exit::NotFound, "NO_CONTEXT", format!("there is no context \"{name}\".{guess}"))
        .next("fallow context list"))
}

/// Makes the context act as one of the demonstration's users.
pub(crate) fn act_as(context: &mut Context, places: &Places, user: &str) -> Result<(), Failure> {
    let Some(site) = context.users.get(user) else {
        if context.users.is_empty() {
            return Err(Failure::usage("--as works only with the built-in users of a demonstration")
                .next("fallow --context dev …, or a context with its own --token-file"));
        }
        let known = super::codes::unknown(user, context.users.keys().map(String::as_str));
        return Err(Failure::usage(known.replacen("code", "user", 1)));
    };
    context.site = Some(site.clone());
    context.token_file = Some(places.dev.token_file(user));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path) -> Places {
        Places { config: folder.join("config.toml"), dev: DevFiles::below(folder) }
    }

    #[test]
    fn endpoints_are_one_or_four() {
        let one: Endpoints = "http://127.0.0.1:7431/".parse().unwrap();
        assert_eq!(one.of(Service::Monitor), "http://127.0.0.1:7431");
        let text = "capacity=http://a:1,demand=http://b:2,matching=http://c:3,monitor=http://d:4";
        let four: Endpoints = text.parse().unwrap();
        assert_eq!(four.of(Service::Matching), "http://c:3");
        assert_eq!(four.text(), text);
        for (bad, said) in [
            (
                "localhost",
                "\"localhost\" is not an address: it starts with http:// or https:// and names a host",
            ),
            ("", "\"\" is not an address"),
            (
                "capacity=http://a:1",
                "demand is missing: give http://HOST:PORT, or capacity=URL,demand=URL,matching=URL,monitor=URL",
            ),
        ] {
            assert_eq!(bad.parse::<Endpoints>().unwrap_err(), said);
        }
        let fifth = format!("{text},console=http://e:5").parse::<Endpoints>().unwrap_err();
        assert!(fifth.starts_with("there is no service \"console\""), "{fifth}");
    }

    #[test]
    fn a_context_is_named_current_or_the_demonstration() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        let missing = choose(&Config::default(), &places, None).unwrap_err();
        assert_eq!((missing.exit, missing.next.len()), (Exit::Usage, 2));

        let users = [("dunmere", "ZA401", "token-1"), ("gold", "", "token-2")];
        places.dev.write(Endpoints::default(), 60, &users).unwrap();
        let (name, mut context) = choose(&Config::default(), &places, None).unwrap();
        assert_eq!(
            (name.as_str(), context.site.as_deref(), context.clock_speed),
            ("dev", Some("ZA401"), Some(60))
        );
        act_as(&mut context, &places, "gold").unwrap();
        assert_eq!(fs::read_to_string(context.token_file.as_ref().unwrap()).unwrap(), "token-2");
        let wrong = act_as(&mut context, &places, "golf").unwrap_err();
        assert_eq!(wrong.what, "unknown user \"golf\". Did you mean gold? One of: dunmere, gold");

        let mut config = Config { current: Some("prod".into()), ..Config::default() };
        config.contexts.insert("prod".into(), Context::default());
        config.write(&places.config).unwrap();
        let config = Config::read(&places.config).unwrap();
        assert_eq!(choose(&config, &places, None).unwrap().0, "prod");
        let wrong = choose(&config, &places, Some("prd")).unwrap_err();
        assert_eq!(
            (wrong.exit, wrong.what.as_str()),
            (Exit::NotFound, "there is no context \"prd\". Did you mean prod?")
        );
        places.dev.remove().unwrap();
        places.dev.remove().unwrap();
        assert!(choose(&config, &places, Some("dev")).unwrap_err().what.contains("no demonstration"));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, "[contexts.a]\nendpoints = \"http://a:1\"\ntoken = \"secret\"\n").unwrap();
        let wrong = Config::read(&file).unwrap_err();
        assert_eq!(wrong.exit, Exit::Usage);
        assert!(wrong.why[0].contains("unknown field `token`"), "{:?}", wrong.why);
    }
}
