//! How Fallow says things to people: times, resources and states, in plain British English.
//!
//! Nothing here reads a clock or a record; everything is a function from values to text.

pub(crate) mod codes;
pub(crate) mod resource;
pub(crate) mod time;

/// Returns a count with its noun: `count(1, "proposal", "proposals")` is `1 proposal`.
pub(crate) fn count(number: i64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Returns a signed number with a real minus sign, and a plus sign above zero: `+6`, `0`, `−7`.
pub(crate) fn signed(number: i64) -> String {
    match number {
        ..0 => format!("\u{2212}{}", number.unsigned_abs()),
        0 => "0".to_owned(),
        1.. => format!("+{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_nouns() {
        assert_eq!(count(1, "proposal", "proposals"), "1 proposal");
        assert_eq!(count(0, "proposal", "proposals"), "0 proposals");
        assert_eq!(count(12, "bed", "beds"), "12 beds");
    }

    #[test]
    fn signs_are_real() {
        assert_eq!([signed(6), signed(0), signed(-7)], ["+6", "0", "\u{2212}7"]);
    }
}
