//! Signed tokens as they travel: three parts, one pinned algorithm, a key that we know, and no claim twice.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fallow_api::reasons;
use fallow_api::status::Failure;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::token::TOKEN_BYTES_MAX;

pub(super) const MALFORMED: &str = "the token is no signed token of at most 8 KiB";

/// Headers that bring or point to a key, which is how forgers bring their own, or that change how the rest is read.
const NEVER: [&str; 5] = ["jku", "jwk", "x5u", "x5c", "crit"];

/// A token taken apart, of which nothing is believed yet.
pub(super) struct Compact<'t> {
    message: &'t str,
    body: &'t str,
    signature: &'t str,
    /// The id of the key that signed it, as it says. Only ever compared, never opened as a path or an address.
    pub(super) key_id: String,
    /// What it says it is, such as `JWT` or `logout+jwt`, in lower case.
    pub(super) kind: Option<String>,
}

impl<'t> Compact<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It is no signed token, is signed otherwise than `algorithm` says, or brings its own key.
    pub(super) fn read(token: &'t str, algorithm: Algorithm) -> Result<Self, Failure> {
        if token.len() > TOKEN_BYTES_MAX {
            return refuse(reasons::TOKEN_MALFORMED, MALFORMED);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return refuse(reasons::TOKEN_MALFORMED, MALFORMED);
        };
        let head = object(header)?;
        let text = |name: &str| head.get(name).and_then(Value::as_str);
        let pinned = algorithm_name(algorithm);
        if text("alg") != Some(pinned) {
            return refuse(reasons::TOKEN_ALG, &format!("tokens are signed with {pinned} and nothing else"));
        }
        let key_id = text("kid").unwrap_or_default().to_owned();
        if key_id.is_empty() || NEVER.iter().any(|name| head.contains_key(*name)) {
            return unknown_key();
        }
        let kind = text("typ").map(str::to_lowercase);
        Ok(Self { message: &token[..header.len() + 1 + body.len()], body, signature, key_id, kind })
    }

    /// Returns the claims, once the signature holds.
    ///
    /// # Errors
    /// The key did not sign it, or its claims are no object or name one twice.
    pub(super) fn verified(
        &self,
        key: Option<&DecodingKey>,
        algorithm: Algorithm,
    ) -> Result<Map<String, Value>, Failure> {
        let Some(key) = key else { return unknown_key() };
        match jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, algorithm) {
            Ok(true) => object(self.body),
            Ok(false) => refuse(reasons::TOKEN_KEY, "the token is not signed by the key that it names"),
            Err(_) => refuse(reasons::TOKEN_MALFORMED, MALFORMED),
        }
    }
}

/// The algorithms that an issuer may be pinned to, by their names in tokens: signatures that only the issuer can make.
pub(super) const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("EdDSA", Algorithm::EdDSA),
];

/// Names an algorithm as tokens do; one that no issuer may use has no name, and no token is signed with it.
pub(super) fn algorithm_name(algorithm: Algorithm) -> &'static str {
    ALGORITHMS.iter().find(|(_, named)| *named == algorithm).map_or("", |(name, _)| name)
}

/// Refuses a token.
pub(super) fn refuse<T>(reason: &'static str, text: &str) -> Result<T, Failure> {
    Err(Failure::Unauthenticated { reason, text: text.to_owned() })
}

/// Refuses a token that does not say what it must.
pub(super) fn lacks<T>(what: &str) -> Result<T, Failure> {
    refuse(reasons::TOKEN_CLAIMS, &format!("the token must carry {what}"))
}

fn unknown_key<T>() -> Result<T, Failure> {
    refuse(reasons::TOKEN_KEY, "the token's key is not known")
}

fn object(part: &str) -> Result<Map<String, Value>, Failure> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok();
    match bytes.and_then(|bytes| strict_json(&bytes)) {
        Some(Value::Object(object)) => Ok(object),
        Some(_) | None => refuse(reasons::TOKEN_MALFORMED, MALFORMED),
    }
}

/// Reads JSON in which no object, however deep, names a member twice: two readers could take different ones.
pub(super) fn strict_json(bytes: &[u8]) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut reader).ok()?;
    reader.end().ok().map(|()| value)
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no member stands twice")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_twice_however_deep() {
        assert_eq!(strict_json(br#"{"a":[1,{"b":null}],"c":1.5}"#).unwrap()["a"][0], 1);
        for bad in [r#"{"a":1,"a":1}"#, r#"[{"a":{"b":1,"b":2}}]"#, r#"{"a":1} x"#, "", "{"] {
            assert_eq!(strict_json(bad.as_bytes()), None, "{bad}");
        }
    }
}
