//! The rule of each type of value: how it is written, and what is read as one.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use prost_types::{Duration, FieldMask, Timestamp};
use serde::de::{Error, Unexpected, Visitor};
use serde::ser::Error as _;
use serde::{Deserializer, Serializer};

/// The rule of one type of value.
pub(crate) trait Codec {
    /// The type in the message.
    type Value;

    /// Writes a value.
    fn write<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads a value that is not `null`.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error>;

    /// Tells whether a value is the proto default, which is not written.
    fn is_default(value: &Self::Value) -> bool;
}

/// An enum of the protos with the names that Fallow JSON uses. Implemented by made code only.
pub trait Enumeration {
    /// What the proto puts before each name, such as `PRIORITY_`.
    const PREFIX: &'static str;
    /// Short names with their numbers, in the order of the proto.
    const NAMES: &'static [(&'static str, i32)];

    /// Returns the short name of a number, if it has one.
    #[must_use]
    fn short_name(number: i32) -> Option<&'static str> {
        Self::NAMES.iter().find(|(_, known)| *known == number).map(|(name, _)| *name)
    }

    /// Returns the number of a name with or without its prefix.
    #[must_use]
    fn number(name: &str) -> Option<i32> {
        let short = name.strip_prefix(Self::PREFIX).unwrap_or(name);
        Self::NAMES.iter().find(|(known, _)| *known == short).map(|(_, number)| *number)
    }
}

/// Text.
pub(crate) struct Text;

impl Codec for Text {
    type Value = String;

    fn write<S: Serializer>(value: &String, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }

    fn is_default(value: &String) -> bool {
        value.is_empty()
    }
}

/// True or false.
pub(crate) struct Bool;

impl Codec for Bool {
    type Value = bool;

    fn write<S: Serializer>(value: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*value)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }

    fn is_default(value: &bool) -> bool {
        !value
    }
}

/// A whole number, written as one; read from a number without a fraction, or from text.
pub(crate) struct Int<T>(PhantomData<T>);

impl<T> Codec for Int<T>
where
    T: Copy + Default + PartialEq + FromStr + TryFrom<i64> + Into<i64>,
{
    type Value = T;

    fn write<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64((*value).into())
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let wide = deserializer.deserialize_any(IntVisitor)?;
        T::try_from(wide)
            .map_err(|_| D::Error::invalid_value(Unexpected::Signed(wide), &"a smaller whole number"))
    }

    fn is_default(value: &T) -> bool {
        *value == T::default()
    }
}

struct IntVisitor;

impl Visitor<'_> for IntVisitor {
    type Value = i64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        Ok(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
        i64::try_from(value)
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &"a smaller whole number"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<i64, E> {
        whole(value).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<i64, E> {
        value.parse().map_err(|_| E::invalid_value(Unexpected::Str(value), &self))
    }
}

/// A finite number, written without a fraction where it has none; read from a number or from text.
pub(crate) struct Double;

impl Codec for Double {
    type Value = f64;

    fn write<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        match whole(*value) {
            Some(whole) => serializer.serialize_i64(whole),
            None if value.is_finite() => serializer.serialize_f64(*value),
            None => Err(S::Error::custom(format_args!("{value} is not a finite number"))),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_any(DoubleVisitor)
    }

    fn is_default(value: &f64) -> bool {
        *value == 0.0
    }
}

struct DoubleVisitor;

impl Visitor<'_> for DoubleVisitor {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a finite number")
    }

    #[expect(clippy::cast_precision_loss, reason = "a double holds what a double can")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "a double holds what a double can")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        if value.is_finite() { Ok(value) } else { Err(E::invalid_value(Unexpected::Float(value), &self)) }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<f64, E> {
        let number: f64 = value.parse().map_err(|_| E::invalid_value(Unexpected::Str(value), &self))?;
        if number.is_finite() { Ok(number) } else { Err(E::invalid_value(Unexpected::Str(value), &self)) }
    }
}

/// Returns a double as a whole number when it is one that a double holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "only after the range was checked")]
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

/// A value of an enum, written by its short name; a number without a name is written and read as the number.
pub(crate) struct Enum<E>(PhantomData<E>);

impl<E: Enumeration> Codec for Enum<E> {
    type Value = i32;

    fn write<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        match E::short_name(*value) {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_i32(*value),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        deserializer.deserialize_any(EnumVisitor::<E>(PhantomData))
    }

    fn is_default(value: &i32) -> bool {
        *value == 0
    }
}

struct EnumVisitor<E>(PhantomData<E>);

impl<E: Enumeration> Visitor<'_> for EnumVisitor<E> {
    type Value = i32;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("one of")?;
        for (name, _) in E::NAMES.iter().filter(|(_, number)| *number != 0) {
            write!(formatter, " {name}")?;
        }
        Ok(())
    }

    fn visit_i64<R: Error>(self, value: i64) -> Result<i32, R> {
        i32::try_from(value).map_err(|_| R::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_u64<R: Error>(self, value: u64) -> Result<i32, R> {
        i32::try_from(value).map_err(|_| R::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_str<R: Error>(self, value: &str) -> Result<i32, R> {
        E::number(value).ok_or_else(|| R::invalid_value(Unexpected::Str(value), &self))
    }
}

/// A time, RFC 3339; written in UTC with as many decimals as it needs.
pub(crate) struct Time;

impl Codec for Time {
    type Value = Timestamp;

    fn write<S: Serializer>(value: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        let time = (0..1_000_000_000)
            .contains(&value.nanos)
            .then(|| jiff::Timestamp::new(value.seconds, value.nanos).ok())
            .flatten();
        match time {
            Some(time) if (FIRST_SECOND..=LAST_SECOND).contains(&value.seconds) => {
                serializer.collect_str(&time)
            }
            Some(_) | None => Err(S::Error::custom(format_args!(
                "{} seconds and {} nanoseconds is no time of the years 1 to 9999",
                value.seconds, value.nanos
            ))),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_str(TimeVisitor)
    }

    fn is_default(_: &Timestamp) -> bool {
        false
    }
}

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the range of google.protobuf.Timestamp.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Timestamp;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a time such as 2026-11-24T08:00:00Z")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Timestamp, E> {
        let time: jiff::Timestamp =
            value.parse().map_err(|_| E::invalid_value(Unexpected::Str(value), &self))?;
        let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
        // Proto counts the fraction forwards, also before 1970.
        if nanos < 0 {
            seconds -= 1;
            nanos += 1_000_000_000;
        }
        if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
            return Err(E::invalid_value(Unexpected::Str(value), &self));
        }
        Ok(Timestamp { seconds, nanos })
    }
}

/// A length of time in seconds, such as `3600s` or `0.5s`.
pub(crate) struct Span;

/// 10,000 years, the range of google.protobuf.Duration.
const LONGEST_SECONDS: i64 = 315_576_000_000;

impl Codec for Span {
    type Value = Duration;

    fn write<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        let Duration { seconds, nanos } = *value;
        let mixed = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
        if mixed || seconds.abs() > LONGEST_SECONDS || nanos.abs() >= 1_000_000_000 {
            return Err(S::Error::custom(format_args!("{seconds} s and {nanos} ns is no length of time")));
        }
        let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
        if nanos == 0 {
            return serializer.collect_str(&format_args!("{seconds}s"));
        }
        let decimals = format!("{:09}", nanos.unsigned_abs());
        let decimals = decimals.trim_end_matches('0');
        serializer.collect_str(&format_args!("{sign}{}.{decimals}s", seconds.unsigned_abs()))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(SpanVisitor)
    }

    fn is_default(_: &Duration) -> bool {
        false
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Duration;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a length of time in seconds such as 3600s")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Duration, E> {
        span(value).ok_or_else(|| E::invalid_value(Unexpected::Str(value), &self))
    }
}

fn span(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |number| (-1, number));
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 9 {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanos: i32 = format!("{decimals:0<9}").parse().ok()?;
    (seconds <= LONGEST_SECONDS).then(|| Duration { seconds: i64::from(sign) * seconds, nanos: sign * nanos })
}

/// The paths of a field mask, written as one text with commas.
pub(crate) struct Mask;

impl Codec for Mask {
    type Value = FieldMask;

    fn write<S: Serializer>(value: &FieldMask, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.paths.join(","))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FieldMask, D::Error> {
        let text = Text::read(deserializer)?;
        let paths = text.split(',').filter(|path| !path.is_empty()).map(snake_case).collect();
        Ok(FieldMask { paths })
    }

    fn is_default(_: &FieldMask) -> bool {
        false
    }
}

/// Turns the lowerCamelCase of full proto JSON into the names of the protos.
fn snake_case(path: &str) -> String {
    let mut name = String::with_capacity(path.len() + 4);
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
