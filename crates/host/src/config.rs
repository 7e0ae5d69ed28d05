//! Settings: the defaults of `config/fallow.toml`, then a file, then the environment, key by key.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Num, Value};
use figment::{Figment, Metadata, Profile, Provider as Source};
use thiserror::Error;

mod provider;
mod settings;
mod tls;

pub use provider::Provider;
pub use settings::{
    Archive, Dev, Endpoints, Engine, Identity, Limits, Listen, LogFormat, Masked, Region, Server, Settings,
    Store, StoreKind, Telemetry,
};
pub use tls::Tls;

/// The defaults: every setting with its unit, range and reason.
pub const DEFAULTS: &str = include_str!("../../../config/fallow.toml");

/// What every variable of the environment that is a setting begins with.
pub const ENVIRONMENT_PREFIX: &str = "FALLOW__";

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// Each problem; at least one.
    pub problems: Vec<Problem>,
    /// Whether one of them is that the file is not there.
    pub file_is_missing: bool,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting's path, such as `engine.tick_ms`; empty for a file as a whole.
    pub path: String,
    /// What is wrong and what would be right. Never the value of a setting that may hold a secret.
    pub message: String,
}

impl Problem {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// The settings in effect, and where each came from.
#[derive(Clone)]
pub struct Config {
    settings: Settings,
    figment: Figment,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what was read: that still has its secrets in plain text.
        self.settings.fmt(f)
    }
}

impl std::ops::Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Config {
    /// Reads the defaults, then `file`, then the variables of `environment` that begin with `FALLOW__`.
    ///
    /// Callers pass `std::env::vars()`; tests pass their own.
    ///
    /// # Errors
    /// Names every problem at once: unknown keys, values of the wrong type or out of range, and contradictions.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers {
            figment: Figment::from(Toml::string(DEFAULTS)),
            problems: Vec::new(),
            file_is_missing: false,
        };
        let known = layers.figment.extract::<Dict>().map_err(|error| whole(&error.to_string()))?;
        if let Some(path) = file {
            layers.add_file(path, &known);
        }
        layers.add_environment(environment, &known);
        layers.finish()
    }

    /// Returns the settings with some of them set by the program itself, such as by a flag of `fallow dev`.
    ///
    /// # Errors
    /// As [`Config::load`]; the keys are paths such as `dev.speed`.
    pub fn with(mut self, settings: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let known = defaults()?;
        let figment = std::mem::take(&mut self.figment);
        let mut layers = Layers { figment, problems: Vec::new(), file_is_missing: false };
        for (path, text) in settings {
            layers.set(&known, path, text, &format!("the command line ({path})"));
        }
        layers.finish()
    }

    /// Returns the settings in effect as TOML, each with where it came from, secrets masked.
    #[must_use]
    pub fn effective(&self) -> String {
        let mut text = String::new();
        let Ok(Value::Dict(_, sections)) = Value::serialize(&self.settings) else { return text };
        for (section, value) in &sections {
            let Some(keys) = value.as_dict() else { continue };
            let blank = if text.is_empty() { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{blank}[{section}]");
            for (key, value) in keys {
                let source =
                    self.figment.find_metadata(&format!("{section}.{key}")).map_or("default", source_name);
                let _ = writeln!(text, "{:<44} # {source}", format!("{key} = {}", literal(value)));
            }
        }
        text
    }
}

/// The layers read so far.
struct Layers {
    figment: Figment,
    problems: Vec<Problem>,
    file_is_missing: bool,
}

impl Layers {
    fn add_file(&mut self, path: &Path, known: &Dict) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.file_is_missing = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
                self.problems.push(Problem::new("", format!("cannot read {}: {error}", path.display())));
                return;
            }
        };
        let layer = Figment::from(Toml::string(&text));
        match layer.extract::<Dict>() {
            Err(error) => {
                self.problems.push(Problem::new("", format!("{} is not TOML: {error}", path.display())));
            }
            Ok(given) => {
                let source = path.display().to_string();
                self.check_keys(&given, known, "", &source);
                self.figment =
                    std::mem::take(&mut self.figment).merge(NamedToml { text, path: path.to_owned() });
            }
        }
    }

    /// Finds keys of a file that are no settings and values of the wrong kind.
    fn check_keys(&mut self, given: &Dict, known: &Dict, above: &str, source: &str) {
        for (key, value) in given {
            let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            match (known.get(key), value) {
                (None, _) => self.unknown(&path, known.keys(), source),
                (Some(Value::Dict(_, known)), Value::Dict(_, given)) => {
                    self.check_keys(given, known, &path, source);
                }
                (Some(default), value) if kind(default) != kind(value) && !is_whole_ratio(default, value) => {
                    let message = format!("must be {}, is {} (in {source})", kind(default), kind(value));
                    self.problems.push(Problem::new(path, message));
                }
                (Some(_), _) => {}
            }
        }
    }

    fn add_environment(&mut self, environment: impl IntoIterator<Item = (String, String)>, known: &Dict) {
        let mut variables: Vec<_> =
            environment.into_iter().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
        variables.sort();
        for (name, text) in variables {
            let path = name[ENVIRONMENT_PREFIX.len()..].to_lowercase().replace("__", ".");
            self.set(known, &path, &text, &format!("the environment ({name})"));
        }
    }

    /// Sets one key from a text, read as the kind of value that the key's default is.
    fn set(&mut self, known: &Dict, path: &str, text: &str, source: &str) {
        let mut siblings = known;
        let mut default = None;
        for part in path.split('.') {
            match siblings.get(part) {
                Some(Value::Dict(_, inner)) => siblings = inner,
                found => default = found,
            }
        }
        let Some(default) = default.filter(|_| path.matches('.').count() == 1) else {
            self.unknown(path, siblings.keys(), source);
            return;
        };
        match parse_as(default, text) {
            Some(value) => {
                let provider = Named { inner: Serialized::default(path, value), source: source.to_owned() };
                self.figment = std::mem::take(&mut self.figment).merge(provider);
            }
            None => {
                let message = format!("must be {} (in {source})", kind(default));
                self.problems.push(Problem::new(path, message));
            }
        }
    }

    fn unknown<'k>(&mut self, path: &str, siblings: impl Iterator<Item = &'k String>, source: &str) {
        let known: BTreeSet<&str> = siblings.map(String::as_str).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        self.problems
            .push(Problem::new(path, format!("is no setting (in {source}); known here are {known}")));
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        if self.problems.is_empty() {
            match self.figment.extract::<Settings>() {
                Ok(settings) => {
                    self.problems = settings.problems();
                    if self.problems.is_empty() {
                        return Ok(Config { settings, figment: self.figment });
                    }
                }
                Err(errors) => {
                    self.problems = errors
                        .into_iter()
                        .map(|e| Problem::new(e.path.join("."), e.kind.to_string()))
                        .collect();
                }
            }
        }
        Err(ConfigError { problems: self.problems, file_is_missing: self.file_is_missing })
    }
}

/// A provider whose values say where they came from.
struct Named<P> {
    inner: P,
    source: String,
}

impl<P: Source> Source for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<figment::value::Map<Profile, Dict>, figment::Error> {
        self.inner.data()
    }
}

/// A TOML file that was read already, so that its problems could be named.
struct NamedToml {
    text: String,
    path: PathBuf,
}

impl Source for NamedToml {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.path.display().to_string())
    }

    fn data(&self) -> Result<figment::value::Map<Profile, Dict>, figment::Error> {
        Toml::string(&self.text).data()
    }
}

fn defaults() -> Result<Dict, ConfigError> {
    Figment::from(Toml::string(DEFAULTS)).extract::<Dict>().map_err(|error| whole(&error.to_string()))
}

fn whole(message: &str) -> ConfigError {
    ConfigError { problems: vec![Problem::new("", message)], file_is_missing: false }
}

fn source_name(metadata: &Metadata) -> &str {
    // The defaults are the one layer that figment names itself.
    if metadata.name.starts_with("TOML") { "default" } else { &metadata.name }
}

/// Names what kind of value something is, for people.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(_, Num::F32(_) | Num::F64(_)) => "a number",
        Value::Num(..) => "a whole number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a section",
        Value::Array(..) => "a list",
    }
}

/// Says whether a whole number stands where a ratio may: `sample_ratio = 1`.
fn is_whole_ratio(default: &Value, given: &Value) -> bool {
    kind(default) == "a number" && kind(given) == "a whole number"
}

/// Reads a text as the kind of value that `default` is.
fn parse_as(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::String(..) | Value::Char(..) => Some(Value::from(text)),
        Value::Bool(..) => text.parse::<bool>().ok().map(Value::from),
        Value::Num(_, Num::F32(_) | Num::F64(_)) => text.parse::<f64>().ok().map(Value::from),
        Value::Num(..) => text.parse::<i64>().ok().map(Value::from),
        Value::Array(..) => {
            Some(Value::from(text.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>()))
        }
        Value::Empty(..) | Value::Dict(..) => None,
    }
}

/// Writes a text as TOML, whose short strings are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes a value as TOML.
fn literal(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Char(_, letter) => quoted(&letter.to_string()),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => {
            number.to_f64().map_or_else(|| number.to_u128_lossy().unwrap_or(0).to_string(), |n| n.to_string())
        }
        Value::Empty(..) => String::from("\"\""),
        Value::Array(_, items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Dict(_, keys) => {
            let keys: Vec<_> =
                keys.iter().map(|(key, value)| format!("{key} = {}", literal(value))).collect();
            format!("{{ {} }}", keys.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::load(Some(path.path()), environment)
    }

    fn problems(file: &str, environment: &[(&str, &str)]) -> String {
        load(file, environment).unwrap_err().to_string()
    }

    #[test]
    fn the_environment_beats_the_file_and_the_file_beats_the_defaults() {
        let config = load(
            "[engine]\ntick_ms = 500\nlease_seconds = 20\n",
            &[("FALLOW__ENGINE__TICK_MS", "750"), ("FALLOW__REGION__ID", "001"), ("FALLOW_TOKEN_FILE", "x")],
        )
        .unwrap();
        assert_eq!(config.engine.tick_ms, 750);
        assert_eq!(config.engine.lease_seconds, 20);
        assert_eq!(config.engine.commit_attempts, 8);
        // A text stays a text though it looks like a number.
        assert_eq!(config.region.id.as_str(), "001");
    }

    #[test]
    fn every_unknown_key_is_named_with_its_place() {
        let text = problems("[engine]\ntik_ms = 1\n[motor]\nx = 1\n", &[("FALLOW__STORE__URI", "redis://x")]);
        assert!(text.contains("engine.tik_ms: is no setting"), "{text}");
        assert!(text.contains("known here are commit_attempts, lease_seconds, tick_ms"), "{text}");
        assert!(text.contains("motor: is no setting"), "{text}");
        assert!(
            text.contains("store.uri: is no setting (in the environment (FALLOW__STORE__URI))"),
            "{text}"
        );
        for name in ["FALLOW__STORE", "FALLOW__", "FALLOW__STORE__URL__X", "FALLOW__NOTHING"] {
            assert!(problems("", &[(name, "x")]).contains("is no setting"), "{name}");
        }
    }

    #[test]
    fn values_of_the_wrong_kind_or_range_are_named_with_what_would_be_right() {
        let text = problems("[engine]\ntick_ms = \"soon\"\n", &[("FALLOW__LIMITS__WATCHES", "many")]);
        assert!(text.contains("engine.tick_ms: must be a whole number, is a text"), "{text}");
        assert!(text.contains("limits.watches: must be a whole number (in the environment"), "{text}");
        let text = problems("[engine]\ntick_ms = 5\n[telemetry]\nsample_ratio = 2\n", &[]);
        assert!(text.contains("engine.tick_ms: must be 10 to 60000, is 5"), "{text}");
        assert!(text.contains("telemetry.sample_ratio: must be 0 to 1, is 2"), "{text}");
        assert!(problems("[listen]\ncapacity = 70000\n", &[]).contains("listen.capacity"));
        assert!(problems("[engine]\ntick_ms = -1\n", &[]).contains("engine.tick_ms"));
        assert!(problems("[store]\nkind = \"disk\"\n", &[]).contains("store.kind"));
    }

    #[test]
    fn a_file_that_is_missing_or_not_toml_is_said_to_be() {
        let missing = Config::load(Some(Path::new("/nowhere/fallow.toml")), []).unwrap_err();
        assert!(missing.file_is_missing);
        let missing = missing.to_string();
        assert!(missing.contains("cannot read /nowhere/fallow.toml"), "{missing}");
        assert!(!Config::load(Some(Path::new("/")), []).unwrap_err().file_is_missing);
        assert!(problems("[engine\n", &[]).contains("is not TOML"));
    }

    #[test]
    fn built_in_users_need_a_development_process() {
        let text = problems("", &[("FALLOW__IDENTITY__BUILT_IN_USERS", "true")]);
        assert!(text.contains("identity.built_in_users: only with dev.enabled"), "{text}");
        let both = [("FALLOW__IDENTITY__BUILT_IN_USERS", "true"), ("FALLOW__DEV__ENABLED", "true")];
        assert!(load("", &both).unwrap().identity.built_in_users);
    }

    #[test]
    fn what_is_in_effect_is_printed_with_its_source_and_without_secrets() {
        let config = load(
            "[engine]\ntick_ms = 500\n",
            &[("FALLOW__STORE__URL", "rediss://svc:hunter2@store:6379/0"), ("FALLOW__STORE__KIND", "redis")],
        )
        .unwrap();
        let text = config.effective();
        assert!(text.contains("url = \"rediss://***@store:6379/0\""), "{text}");
        assert!(text.contains("# the environment (FALLOW__STORE__URL)"), "{text}");
        assert!(text.contains("lease_seconds = 5") && text.contains("# default"), "{text}");
        assert!(!text.contains("hunter2") && !format!("{config:?}").contains("hunter2"), "{text}");
        // What is printed can be read again.
        let again = load(&text, &[]).unwrap();
        assert_eq!(again.engine, config.engine);
    }

    #[test]
    fn the_program_itself_can_set_a_key() {
        let config =
            Config::load(None, []).unwrap().with(&[("dev.enabled", "true"), ("dev.speed", "10")]).unwrap();
        assert_eq!(config.dev.speed, 10);
        assert!(config.effective().contains("# the command line (dev.speed)"));
        assert!(config.with(&[("dev.sped", "1")]).unwrap_err().to_string().contains("dev.sped"));
    }

    #[test]
    fn every_default_has_a_comment_above_it() {
        let lines: Vec<&str> = DEFAULTS.lines().collect();
        for pair in lines.windows(2) {
            if pair[1].contains(" = ") && !pair[1].starts_with('#') {
                let same_list = pair[0].contains(" = ") && pair[0].ends_with("7430");
                assert!(pair[0].starts_with('#') || same_list, "no reason above: {}", pair[1]);
            }
        }
    }
}
