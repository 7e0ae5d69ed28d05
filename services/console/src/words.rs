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

/// Returns a text as a sentence or a head of a table begins: `minutes free` is `Minutes free`.
pub(crate) fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Returns a signed number with a real minus sign, and a plus sign above zero: `+6`, `0`, `−7`.
pub(crate) fn signed(number: i64) -> String {
    match number {
        ..0 => format!("\u{2212}{}", number.unsigned_abs()),
        0 => "0".to_owned(),
        1.. => format!("+{number}"),
    }
}

/// Returns what people call a record without a reference of its own: the end of its id, `5F2A9C`. Short ids stay as they are.
pub(crate) fn reference(id: &str) -> String {
    let is_long = id.len() == 36 && id.bytes().filter(|byte| *byte == b'-').count() == 4;
    match id.get(id.len().saturating_sub(6)..) {
        Some(end) if is_long => end.to_uppercase(),
        Some(_) | None => id.to_owned(),
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
    fn nobody_reads_a_whole_id() {
        assert_eq!(reference("01a203b7-719c-73df-a18f-fb2d959092ee"), "9092EE");
        assert_eq!([reference("t-21"), reference("")], ["t-21", ""]);
    }

    #[test]
    fn signs_are_real() {
        assert_eq!([signed(6), signed(0), signed(-7)], ["+6", "0", "\u{2212}7"]);
    }
}
