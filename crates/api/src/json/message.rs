//! How a message is written and read, field by field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::codec::Codec;

/// A message with its table of fields. Implemented by made code only.
pub trait Message: Default {
    /// The names that are written, in the order of the proto; at most 64.
    const FIELDS: &'static [&'static str];

    /// Returns the place of a field in [`Self::FIELDS`], by either of its names.
    fn index(name: &str) -> Option<u32>;

    /// Writes every field that is not at its default.
    ///
    /// # Errors
    /// When a value has no JSON.
    fn write<M: SerializeMap>(&self, out: &mut M) -> Result<(), M::Error>;

    /// Reads the value of one field.
    ///
    /// # Errors
    /// When the value is not one of that field.
    fn read<'de, M: MapAccess<'de>>(&mut self, index: u32, from: &mut M) -> Result<(), M::Error>;
}

/// Implements serde's traits for a message by its table.
macro_rules! with_serde {
    ($message:ty) => {
        impl serde::Serialize for $message {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                crate::json::Nested::<Self>::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $message {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::json::Nested::<Self>::deserialize(deserializer)
            }
        }
    };
}
pub(crate) use with_serde;

/// The rule for a message inside a message.
pub(crate) struct Nested<M>(PhantomData<M>);

impl<M: Message> Nested<M> {
    pub(crate) fn serialize<S: Serializer>(message: &M, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        message.write(&mut map)?;
        map.end()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<M, D::Error> {
        deserializer.deserialize_map(MessageVisitor(PhantomData))
    }
}

impl<M: Message> Codec for Nested<M> {
    type Value = M;

    fn write<S: Serializer>(value: &M, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(value, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<M, D::Error> {
        Self::deserialize(deserializer)
    }

    fn is_default(_: &M) -> bool {
        // A message that is there is written, even when it is empty: absent is another thing.
        false
    }
}

struct MessageVisitor<M>(PhantomData<M>);

impl<'de, M: Message> Visitor<'de> for MessageVisitor<M> {
    type Value = M;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
        let mut message = M::default();
        let mut seen = 0_u64;
        while let Some(Name(name)) = map.next_key()? {
            let Some(index) = M::index(&name) else {
                return Err(A::Error::unknown_field(&name, M::FIELDS));
            };
            let bit = 1_u64 << index;
            if seen & bit != 0 {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            seen |= bit;
            message.read(index, &mut map)?;
        }
        Ok(message)
    }
}

/// The name of a field, borrowed from the text where it holds no escape.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a field")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// Reads a value by a rule; `null` is `None`.
struct Nullable<C>(PhantomData<C>);

impl<'de, C: Codec> DeserializeSeed<'de> for Nullable<C> {
    type Value = Option<C::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, C: Codec> Visitor<'de> for Nullable<C> {
    type Value = Option<C::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        C::read(deserializer).map(Some)
    }
}

/// Reads a list by the rule of its items. A `null` inside a list is an error, as in proto JSON.
struct List<C>(PhantomData<C>);

impl<C: Codec> Codec for List<C> {
    type Value = Vec<C::Value>;

    fn write<S: Serializer>(values: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(values.len()))?;
        for value in values {
            list.serialize_element(&Written::<C>(value))?;
        }
        list.end()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(Self(PhantomData))
    }

    fn is_default(values: &Self::Value) -> bool {
        values.is_empty()
    }
}

impl<'de, C: Codec> Visitor<'de> for List<C> {
    type Value = Vec<C::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Present::<C>(PhantomData))? {
            values.push(value);
        }
        Ok(values)
    }
}

/// Reads a value that must be there.
struct Present<C>(PhantomData<C>);

impl<'de, C: Codec> DeserializeSeed<'de> for Present<C> {
    type Value = C::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<C::Value, D::Error> {
        C::read(deserializer)
    }
}

/// Reads a map from text to values of a rule.
struct Map<C>(PhantomData<C>);

impl<C: Codec> Codec for Map<C> {
    type Value = BTreeMap<String, C::Value>;

    fn write<S: Serializer>(values: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(values.len()))?;
        for (key, value) in values {
            map.serialize_entry(key, &Written::<C>(value))?;
        }
        map.end()
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(Self(PhantomData))
    }

    fn is_default(values: &Self::Value) -> bool {
        values.is_empty()
    }
}

impl<'de, C: Codec> Visitor<'de> for Map<C> {
    type Value = BTreeMap<String, C::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Present::<C>(PhantomData))?;
            if values.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
            }
            values.insert(key, value);
        }
        Ok(values)
    }
}

/// A value that serde writes by a rule.
struct Written<'a, C: Codec>(&'a C::Value);

impl<C: Codec> Serialize for Written<'_, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        C::write(self.0, serializer)
    }
}

/// Writes a field unless it is at its default.
pub(crate) fn put<C: Codec, M: SerializeMap>(
    out: &mut M,
    name: &'static str,
    value: &C::Value,
) -> Result<(), M::Error> {
    if C::is_default(value) { Ok(()) } else { put_some::<C, M>(out, name, value) }
}

/// Writes a field that knows absence, when it is there.
pub(crate) fn put_optional<C: Codec, M: SerializeMap>(
    out: &mut M,
    name: &'static str,
    value: &Option<C::Value>,
) -> Result<(), M::Error> {
    value.as_ref().map_or(Ok(()), |value| put_some::<C, M>(out, name, value))
}

/// Writes a field whatever its value.
pub(crate) fn put_some<C: Codec, M: SerializeMap>(
    out: &mut M,
    name: &'static str,
    value: &C::Value,
) -> Result<(), M::Error> {
    out.serialize_entry(name, &Written::<C>(value))
}

/// Writes a list unless it is empty.
pub(crate) fn put_list<C: Codec, M: SerializeMap>(
    out: &mut M,
    name: &'static str,
    values: &Vec<C::Value>,
) -> Result<(), M::Error> {
    put::<List<C>, M>(out, name, values)
}

/// Writes a map unless it is empty.
pub(crate) fn put_map<C: Codec, M: SerializeMap>(
    out: &mut M,
    name: &'static str,
    values: &BTreeMap<String, C::Value>,
) -> Result<(), M::Error> {
    put::<Map<C>, M>(out, name, values)
}

/// Reads a field; `None` when it is `null`.
pub(crate) fn take<'de, C: Codec, M: MapAccess<'de>>(from: &mut M) -> Result<Option<C::Value>, M::Error> {
    from.next_value_seed(Nullable::<C>(PhantomData))
}

/// Reads a list; empty when it is `null`.
pub(crate) fn take_list<'de, C: Codec, M: MapAccess<'de>>(from: &mut M) -> Result<Vec<C::Value>, M::Error> {
    Ok(take::<List<C>, M>(from)?.unwrap_or_default())
}

/// Reads a map; empty when it is `null`.
pub(crate) fn take_map<'de, C: Codec, M: MapAccess<'de>>(
    from: &mut M,
) -> Result<BTreeMap<String, C::Value>, M::Error> {
    Ok(take::<Map<C>, M>(from)?.unwrap_or_default())
}

/// Sets a choice; two members of one choice are an error.
pub(crate) fn choose<T, E: serde::de::Error>(
    choice: &'static str,
    holder: &mut Option<T>,
    value: Option<T>,
) -> Result<(), E> {
    if value.is_some() && holder.is_some() {
        return Err(E::custom(format_args!("more than one `{choice}`")));
    }
    if value.is_some() {
        *holder = value;
    }
    Ok(())
}

/// The error of a place beyond the table of fields. Made code asks only for places that [`Message::index`] gave.
pub(crate) fn no_such_field<E: serde::de::Error>(index: u32) -> E {
    E::custom(format_args!("no field has the number {index}"))
}
