//! *Fallow JSON*: the format of files, of `-o json`, of exports and fixtures.
//!
//! It is proto JSON with three differences in what is written: keys are snake_case, enum values go by their short names
//! (`BED`, `P2`), and 64-bit integers are numbers. Fields at their default are left out. What is read is wider: full proto
//! JSON too, that is lowerCamelCase keys, enum values with their prefix or by number, integers as text, `null` for the
//! default. A field that does not exist is an error that names it, and so are NaN and infinity.
//!
//! Every message of [`crate::v1`] implements serde's traits by these rules; which rule goes with which field is made by
//! `cargo xtask codegen`.

mod codec;
mod message;

pub use codec::Enumeration;
pub(crate) use codec::{Bool, Double, Enum, Int, Mask, Span, Text, Time};
pub use message::Message;
pub(crate) use message::{
    Nested, choose, no_such_field, put, put_list, put_map, put_optional, put_some, take, take_list, take_map,
    with_serde,
};
pub use serde::de::MapAccess;
pub use serde::ser::SerializeMap;

/// Says why a text is not the Fallow JSON of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct JsonError {
    /// The field at fault, such as `limits.age_min`; empty when it is not in one.
    pub path: String,
    /// What is wrong, in plain words.
    pub message: String,
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in the line, from 1.
    pub column: usize,
}

/// Reads one message.
///
/// # Errors
/// Names the field at fault and what is wrong with it; nothing is read in part.
pub fn from_str<M: Message + serde::de::DeserializeOwned>(text: &str) -> Result<M, JsonError> {
    serde_json::from_str(text).map_err(|first| {
        // Following the path costs time, so it is done only for the text that failed.
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let path = match serde_path_to_error::deserialize::<_, M>(&mut deserializer) {
            Ok(_) => String::new(),
            Err(error) => match error.path().to_string() {
                none if none == "." => String::new(),
                path => path,
            },
        };
        let whole = first.to_string();
        let place = format!(" at line {} column {}", first.line(), first.column());
        let message = whole.strip_suffix(&place).unwrap_or(&whole).to_owned();
        JsonError { path, message, line: first.line(), column: first.column() }
    })
}

/// Writes one message on one line.
///
/// # Errors
/// When a value has no JSON: a number that is not finite, a time outside the years 1 to 9999.
pub fn to_string<M: Message + serde::Serialize>(message: &M) -> Result<String, JsonError> {
    serde_json::to_string(message).map_err(|error| JsonError {
        path: String::new(),
        message: error.to_string(),
        line: 0,
        column: 0,
    })
}

#[cfg(test)]
mod tests;
