//! The scenario file: the changes of the contract as TOML tables, with resources as people write them.

use std::path::Path;

use fallow_api::json;
use fallow_api::v1::{SimulateRequest, SimulatedChange};
use serde_json::{Map, Value, json};

use crate::cli::failure::Failure;
use crate::cli::given::{Most, text};

/// A scenario with every change there is.
pub(super) const EXAMPLE: &str = include_str!("example.toml");
/// Of a scenario: a hundred changes, some of them whole policies.
const MOST: Most = Most { what: "a scenario", bytes: 1024 * 1024 };

/// Reads the changes of a scenario file.
///
/// # Errors
/// When the file, or a policy file that it names, cannot be read; names the change and field that is wrong.
pub(super) fn read(file: &Path) -> Result<Vec<SimulatedChange>, Failure> {
    let text = text(file, MOST)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let failed = |what: String| {
        Failure::usage(format!("{}: {what}", file.display())).next("fallow simulate --example")
    };
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| failed(error.to_string().trim_end().to_owned()))?;
    let mut changes = Value::Null;
    for (key, value) in table {
        match key.as_str() {
            "change" => changes = of_toml(value),
            other => {
                return Err(failed(format!("\"{other}\" is not known: a scenario has [[change]] tables")));
            }
        }
    }
    let Value::Array(mut changes) = changes else {
        return Err(failed("has no [[change]] table".to_owned()));
    };
    for (number, change) in changes.iter_mut().enumerate() {
        let Value::Object(fields) = change else {
            return Err(failed(format!("changes[{number}] must be a table: [[change]]")));
        };
        if fields.len() != 1 {
            let named: Vec<&str> = fields.keys().map(String::as_str).collect();
            let what = format!(
                "changes[{number}] must say one thing that changes, and says {}: {}",
                named.len(),
                named.join(", ")
            );
            return Err(failed(what));
        }
        prepare(fields, folder)?;
    }
    let request = json!({ "changes": changes }).to_string();
    let request: SimulateRequest =
        json::from_str(&request).map_err(|error| failed(format!("{} {}", error.path, error.message)))?;
    Ok(request.changes)
}

/// Puts what people write into what the contract says: resources as `bed/cc_adult/2`, policies as files.
fn prepare(fields: &mut Map<String, Value>, folder: &Path) -> Result<(), Failure> {
    if let Some(Value::String(name)) = fields.remove("policy_file") {
        fields.insert("policy_toml".to_owned(), text(&folder.join(name), MOST)?.into());
    }
    for inner in fields.values_mut().filter_map(Value::as_object_mut) {
        if let Some(Value::String(text)) = inner.get("resource") {
            let upper = text.to_uppercase();
            let mut parts = upper.splitn(3, '/');
            let (kind, code, level) = (parts.next(), parts.next(), parts.next());
            let mut resource = json!({ "kind": kind.unwrap_or_default(), "code": code.unwrap_or_default() });
            if let Some(level) = level {
                resource["level"] = level.parse::<i32>().map_or_else(|_| level.into(), Value::from);
            }
            inner.insert("resource".to_owned(), resource);
        }
        if let Some(Value::String(mode)) = inner.get("mode") {
            let mode = mode.to_uppercase();
            inner.insert("mode".to_owned(), mode.into());
        }
    }
    Ok(())
}

fn of_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(of_toml).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, of_toml(value))).collect(),
    }
}
