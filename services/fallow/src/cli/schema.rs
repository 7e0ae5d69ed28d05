//! `fallow schema`: the shape of what `-o json` prints and what files hold, as JSON Schema.
//!
//! It is made from the descriptors that the services reflect, by the rules of [`fallow_api::json`]: keys in snake_case,
//! enum values by their short names, whole numbers as numbers, fields at their default left out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use fallow_api::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use serde_json::{Map, Value, json};

use super::codes::nearest;
use super::failure::{Exit, Failure};
use super::session::Session;

/// The package of the contract, as names in descriptors begin.
const PACKAGE: &str = ".fallow.v1.";
/// What the schemas are written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Runs `fallow schema [MESSAGE]`: one message with all that it holds, or the names of all.
pub(crate) fn run(session: &mut Session<'_>, message: Option<&str>) -> Result<Exit, Failure> {
    let contract = Contract::read()?;
    let Some(typed) = message else {
        for name in contract.messages.keys() {
            session.terminal.data(&format!("{name}\n"))?;
        }
        return Ok(Exit::Ok);
    };
    let found = contract.messages.keys().find(|name| name.eq_ignore_ascii_case(typed.trim()));
    let Some(name) = found else {
        let near = nearest(typed, contract.messages.keys().map(String::as_str));
        let guess = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
        let what = format!("there is no message \"{typed}\".{guess}");
        return Err(
            Failure::new(Exit::NotFound, "NO_SUCH_MESSAGE", what).next("fallow schema, which lists them all")
        );
    };
    session.terminal.json(&contract.schema(name)?, true)?;
    Ok(Exit::Ok)
}

/// Every message and enum of the contract, by name: `Offer`, `Offer.State`.
struct Contract {
    messages: BTreeMap<String, DescriptorProto>,
    enums: BTreeMap<String, EnumDescriptorProto>,
}

impl Contract {
    fn read() -> Result<Self, Failure> {
        let set =
            FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).map_err(|error| wrong(&error.to_string()))?;
        let mut contract = Self { messages: BTreeMap::new(), enums: BTreeMap::new() };
        for file in set.file.into_iter().filter(|file| format!(".{}.", file.package()) == PACKAGE) {
            for message in file.message_type {
                contract.add("", message);
            }
            for one in file.enum_type {
                contract.enums.insert(one.name().to_owned(), one);
            }
        }
        Ok(contract)
    }

    fn add(&mut self, scope: &str, mut message: DescriptorProto) {
        let name = format!("{scope}{}", message.name());
        let inner = format!("{name}.");
        for nested in std::mem::take(&mut message.nested_type) {
            self.add(&inner, nested);
        }
        for one in std::mem::take(&mut message.enum_type) {
            self.enums.insert(format!("{inner}{}", one.name()), one);
        }
        self.messages.insert(name, message);
    }

    /// Returns the schema of a message; what it holds stands below `$defs`, each once.
    fn schema(&self, name: &str) -> Result<Value, Failure> {
        let mut defs: BTreeMap<String, Value> = BTreeMap::new();
        let mut wanted = vec![name.to_owned()];
        while let Some(next) = wanted.pop() {
            if let Entry::Vacant(place) = defs.entry(next) {
                let shape = self.shape(place.key(), &mut wanted)?;
                place.insert(shape);
            }
        }
        let mut schema = Map::new();
        schema.insert("$schema".to_owned(), DIALECT.into());
        schema.insert("$id".to_owned(), format!("urn:fallow:v1:{name}").into());
        schema.insert("$ref".to_owned(), reference(name).into());
        schema.insert("$defs".to_owned(), defs.into_iter().collect::<Map<_, _>>().into());
        Ok(schema.into())
    }

    /// Returns the shape of one message or enum; names the messages and enums in it as `wanted`.
    fn shape(&self, name: &str, wanted: &mut Vec<String>) -> Result<Value, Failure> {
        if let Some(one) = self.enums.get(name) {
            let prefix = prefix_of(one.name());
            let names = one.value.iter().map(|value| value.name());
            let names: Vec<&str> = names.map(|name| name.strip_prefix(&prefix).unwrap_or(name)).collect();
            return Ok(json!({ "type": "string", "enum": names }));
        }
        let message = self.messages.get(name).ok_or_else(|| wrong(name))?;
        let mut properties = Map::new();
        for field in &message.field {
            let is_list = field.label() == Label::Repeated;
            let entry = self
                .messages
                .get(&local(field.type_name()))
                .filter(|held| held.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry));
            let shape = match entry.and_then(|entry| entry.field.last()) {
                Some(value) => {
                    json!({ "type": "object", "additionalProperties": self.value(value, wanted)? })
                }
                None if is_list => json!({ "type": "array", "items": self.value(field, wanted)? }),
                None => self.value(field, wanted)?,
            };
            properties.insert(field.name().to_owned(), shape);
        }
        Ok(json!({ "type": "object", "properties": properties, "additionalProperties": false }))
    }

    /// Returns the shape of one value of a field.
    fn value(&self, field: &FieldDescriptorProto, wanted: &mut Vec<String>) -> Result<Value, Failure> {
        Ok(match field.r#type() {
            Type::String => json!({ "type": "string" }),
            Type::Bool => json!({ "type": "boolean" }),
            Type::Int32 => json!({ "type": "integer", "format": "int32" }),
            Type::Int64 => json!({ "type": "integer", "format": "int64" }),
            Type::Double => json!({ "type": "number" }),
            Type::Message | Type::Enum => match field.type_name() {
                ".google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
                ".google.protobuf.Duration" => {
                    json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$" })
                }
                ".google.protobuf.FieldMask" => json!({ "type": "string" }),
                other => {
                    let name = local(other);
                    let shape = json!({ "$ref": reference(&name) });
                    wanted.push(name);
                    shape
                }
            },
            // No message of the contract has them: the code of its JSON could not be made.
            Type::Float
            | Type::Uint32
            | Type::Uint64
            | Type::Sint32
            | Type::Sint64
            | Type::Fixed32
            | Type::Fixed64
            | Type::Sfixed32
            | Type::Sfixed64
            | Type::Bytes
            | Type::Group => return Err(wrong(field.name())),
        })
    }
}

/// What a proto puts before each value of an enum: `NEED_STATE_` would be that of `NeedState`.
fn prefix_of(name: &str) -> String {
    let mut prefix = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.push(letter.to_ascii_uppercase());
    }
    prefix.push('_');
    prefix
}

fn local(type_name: &str) -> String {
    type_name.strip_prefix(PACKAGE).unwrap_or(type_name).to_owned()
}

fn reference(name: &str) -> String {
    format!("#/$defs/{name}")
}

/// The descriptors are of this build: what cannot be read in them is a mistake of it.
fn wrong(what: &str) -> Failure {
    Failure::new(Exit::Failed, "INTERNAL", format!("the contract cannot be read: {what}"))
}
