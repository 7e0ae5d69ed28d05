//! docker-compose.yml and the Dockerfile as far as they say what runs: commands, environment, health checks, secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml_ng::Value;

/// What the two files say.
pub(crate) struct Files {
    services: BTreeMap<String, Value>,
    secrets: BTreeMap<String, PathBuf>,
    /// The image's own first words of every command.
    pub(crate) entrypoint: Vec<String>,
    /// Where in the image each folder of the repository lies, as `COPY` puts it there.
    pub(crate) copies: BTreeMap<String, String>,
}

/// One service.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    /// Its name, by which the others reach it.
    pub(crate) name: String,
    /// Whether it runs the image that is built here.
    pub(crate) is_ours: bool,
    /// Its command, without the image's entry point.
    pub(crate) command: Vec<String>,
    /// Its environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// The command that says whether it is healthy.
    pub(crate) health: Vec<String>,
    /// Whether it does something once and ends, and so has no health.
    pub(crate) is_once: bool,
    /// Secrets it may read: the path inside, and the file outside.
    pub(crate) secrets: BTreeMap<String, PathBuf>,
    /// How long it has to end, in seconds.
    pub(crate) grace_seconds: u64,
}

impl Files {
    /// Reads both files of the repository, with `variables` in place of what a person would set.
    pub(crate) fn read(root: &Path, variables: &BTreeMap<&str, String>) -> Self {
        let text = std::fs::read_to_string(root.join("docker-compose.yml")).unwrap();
        let mut file: Value = serde_yaml_ng::from_str(&text).expect("docker-compose.yml is YAML");
        file.apply_merge().expect("merges are of mappings");
        let file = interpolate(file, variables);
        let table = |name: &str| -> BTreeMap<String, Value> {
            file.get(name).map(|value| serde_yaml_ng::from_value(value.clone()).unwrap()).unwrap_or_default()
        };
        let secrets = table("secrets");
        let secret = |value: &Value| PathBuf::from(value["file"].as_str().expect("a secret is a file"));
        let (entrypoint, copies) = dockerfile(&std::fs::read_to_string(root.join("Dockerfile")).unwrap());
        Self {
            services: table("services"),
            secrets: secrets.iter().map(|(name, value)| (name.clone(), secret(value))).collect(),
            entrypoint,
            copies,
        }
    }

    /// Returns the services that start when no profile is named.
    pub(crate) fn without_profile(&self) -> Vec<Declared> {
        let plain = self.services.iter().filter(|(_, service)| service.get("profiles").is_none());
        plain.map(|(name, service)| self.declared(name, service)).collect()
    }

    fn declared(&self, name: &str, service: &Value) -> Declared {
        let environment = service.get("environment").map(|value| {
            let plain: BTreeMap<String, Value> = serde_yaml_ng::from_value(value.clone()).unwrap();
            plain.into_iter().map(|(key, value)| (key, scalar(&value))).collect()
        });
        // What ends by itself is started again only when it failed.
        let is_once = scalar(&service["restart"]).starts_with("on-failure");
        let mut health = words(service.get("healthcheck").and_then(|check| check.get("test")));
        if !is_once {
            assert_eq!(health.first().map(String::as_str), Some("CMD"), "{name} has a health check");
            health.remove(0);
        }
        let grace = service["stop_grace_period"].as_str().expect("a time to end");
        Declared {
            name: name.to_owned(),
            is_ours: service.get("build").is_some(),
            command: words(service.get("command")),
            environment: environment.unwrap_or_default(),
            health,
            is_once,
            secrets: words(service.get("secrets"))
                .into_iter()
                .map(|secret| (format!("/run/secrets/{secret}"), self.secrets[&secret].clone()))
                .collect(),
            grace_seconds: grace.trim_end_matches('s').parse().expect("whole seconds"),
        }
    }
}

fn words(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_sequence).into_iter().flatten().map(scalar).collect()
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
            panic!("{value:?} is no plain value")
        }
    }
}

fn interpolate(value: Value, variables: &BTreeMap<&str, String>) -> Value {
    match value {
        Value::String(text) => Value::String(with_variables(&text, variables)),
        Value::Sequence(items) => items.into_iter().map(|item| interpolate(item, variables)).collect(),
        Value::Mapping(entries) => {
            let entries = entries.into_iter().map(|(key, value)| (key, interpolate(value, variables)));
            Value::Mapping(entries.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Tagged(_) => value,
    }
}

/// Puts variables in, as `${NAME:-default}`.
fn with_variables(text: &str, variables: &BTreeMap<&str, String>) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (inside, after) = rest.split_once('}').expect("a variable ends");
    let (name, default) = inside.split_once(":-").expect("every variable has a default");
    let value = variables.get(name).map_or(default, String::as_str);
    format!("{before}{value}{}", with_variables(after, variables))
}

fn dockerfile(text: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let entrypoint = text.lines().find_map(|line| line.strip_prefix("ENTRYPOINT ")).expect("an entry point");
    let copies = text.lines().filter_map(|line| line.strip_prefix("COPY ")).filter_map(|line| {
        let (from, to) = line.split_once(' ')?;
        (!from.starts_with("--") && from != ".").then(|| (to.trim().to_owned(), from.to_owned()))
    });
    (serde_json::from_str(entrypoint).expect("a list of words"), copies.collect())
}
