//! What `fallow audit check` prints, for people and as data.

use fallow_archive::proof::{Proved, ProvedRecord};
use serde_json::{Map, Value, json};

/// Returns a change that was proved as lines for people.
pub(super) fn as_text(proved: &Proved) -> String {
    let said = |name: &str| proved.cause(name).map(plain);
    let by = said("by.subject").unwrap_or_else(|| "somebody".to_owned());
    let role = said("by.role").unwrap_or_else(|| "role not shown".to_owned());
    let trust = said("by.trust").map(|trust| format!(" for {trust}")).unwrap_or_default();
    let at = said("at").unwrap_or_else(|| "at a time that is not shown".to_owned());
    let call = said("verb").unwrap_or_else(|| "a call that is not shown".to_owned());
    let request = said("request_id").map(|id| format!("  request {id}")).unwrap_or_default();
    let mut text = format!("{:>8}  {at}  {by} ({role}){trust}  {call}{request}\n", proved.revision);
    let mut line = |words: String| text.extend(["          ", &words, "\n"]);
    if let Some(reason) = said("denied.reason") {
        line(format!("denied: {reason}"));
    }
    for record in &proved.records {
        line(format!("{}{}", plain(&record.record), became(record)));
        if let Some(body) = &record.body {
            line(format!("  {}", plain(body)));
        }
    }
    if proved.hidden > 0 {
        line(format!("records that are not shown: {}", proved.hidden));
    }
    if proved.covered > 0 {
        line(format!("parts of who, what and why that are not shown: {}", proved.covered));
    }
    line(format!(
        "archived by {}, history {}, signed by key {}",
        proved.archived_at,
        plain(&proved.history),
        proved.key
    ));
    text
}

fn became(record: &ProvedRecord) -> &'static str {
    match (record.removed, record.covered) {
        (Some(true), _) => "  removed",
        (Some(false), _) => "",
        (None, _) => "  what became of it is not shown",
    }
}

/// Returns a change that was proved as data.
pub(super) fn as_json(proved: &Proved) -> Value {
    let text = |value: &String| Value::String(value.clone());
    let cause: Map<String, Value> =
        proved.cause.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let records = proved.records.iter().map(|record| {
        let body = record.body.as_ref().map(|body| serde_json::from_str(body).unwrap_or_else(|_| text(body)));
        json!({
            "record": record.record,
            "removed": record.removed,
            "body": body,
            "covered": record.covered,
        })
    });
    json!({
        "revision": proved.revision,
        "history": proved.history,
        "archived_at": proved.archived_at,
        "key": proved.key,
        "segment": proved.batch.segment,
        "cause": cause,
        "covered": proved.covered,
        "records": records.collect::<Vec<Value>>(),
        "hidden": proved.hidden,
    })
}

/// Returns text as a terminal can be given it: whoever signed it may have put anything into it. What turns the direction
/// of writing, or leaves no trace on a screen, would show another text than was signed.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_format(letter) {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Says whether a character only formats others (the category Cf of Unicode), parts lines or is a tag.
const fn is_format(letter: char) -> bool {
    matches!(letter,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}'
        | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_signed_steers_a_terminal() {
        assert_eq!(plain("bay\u{1b}[2J\u{202e}12\u{200b} é"), "bay\\u{1b}[2J\\u{202e}12\\u{200b} é");
    }
}
