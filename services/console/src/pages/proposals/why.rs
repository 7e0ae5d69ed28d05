//! Why a proposal was made, in the words that the command line and the API use too.

use fallow_api::v1::{Explanation, explanation};

use crate::directory::Directory;
use crate::words::codes;
use crate::words::time::{Now, from_wire};
use crate::words::{self, resource};

/// An explanation as a list of named lines, each with its sentences.
pub(super) struct Why {
    /// One line that says most: place in the queue and burden.
    pub(super) headline: String,
    /// Name and text.
    pub(super) lines: Vec<(&'static str, Vec<String>)>,
    /// When and on what the engine decided.
    pub(super) checked: String,
}

impl Why {
    pub(super) fn new(explanation: &Explanation, supporting: &str, now: &Now, directory: &Directory) -> Self {
        let burden: i64 = explanation.terms.iter().map(|term| term.points).sum();
        let rank = explanation.rank.unwrap_or_default();
        let mut headline = String::new();
        if rank.of > 0 {
            headline = format!(
                "rank {} of {}, ",
                rank.position,
                words::count(rank.of, "need for this", "needs for this")
            );
        }
        headline.push_str(&format!("burden {burden} (lower is better)"));
        let mut lines = Vec::new();
        let mut line = |name: &'static str, texts: Vec<String>| {
            if !texts.is_empty() {
                lines.push((name, texts));
            }
        };
        line("Place in the queue", place(&rank, now).into_iter().collect());
        line("Burden", explanation.terms.iter().map(term).collect());
        line("After this", after(explanation, supporting).into_iter().collect());
        line("Fairness, 28 days", fairness(explanation, supporting).into_iter().collect());
        let runner_up = |one: &explanation::Alternative| {
            let reason = if one.reason.is_empty() { String::new() } else { format!(": {}", one.reason) };
            format!("{}, burden {}{reason}", directory.trust(&one.trust), one.burden)
        };
        line("Runners-up", explanation.alternatives.iter().map(runner_up).collect());
        line("Not used", explanation.not_used.iter().map(not_used).collect());
        let flip = |one: &explanation::Flip| format!("If {}: {}", one.change, one.then);
        line("Would change it", explanation.flips.iter().map(flip).collect());
        line("Not known", explanation.unknown.clone());
        let at = from_wire(explanation.checked_at.as_ref()).map(|at| now.clock(at));
        let checked = format!(
            "Checked {} on revision {}, policy {}.",
            at.unwrap_or_default(),
            explanation.revision,
            if explanation.policy.is_empty() { "not named" } else { &explanation.policy }
        );
        Self { headline, lines, checked }
    }
}

fn place(rank: &explanation::Rank, now: &Now) -> Option<String> {
    if rank.of == 0 {
        return None;
    }
    let (band, limit) = codes::priority(rank.priority());
    let breach = from_wire(rank.breach_at.as_ref()).map(|at| format!(", limit reached {}", now.clock(at)));
    let waited = words::count(rank.waited_days, "day", "days");
    Some(format!("{band} ({limit}), waited {waited}{}", breach.unwrap_or_default()))
}

/// Writes one term: `Travel 22: 22 minutes`.
fn term(term: &explanation::Term) -> String {
    let name = match term.name.as_str() {
        "declared_opel" => "Declared OPEL".to_owned(),
        other => resource::in_words(&other.to_uppercase().replace(' ', "_")),
    };
    if term.detail.is_empty() {
        format!("{name} {}", words::signed(term.points))
    } else {
        format!("{name} {} ({})", words::signed(term.points), term.detail)
    }
}

fn after(explanation: &Explanation, supporting: &str) -> Option<String> {
    let after = explanation.after.as_ref()?;
    let pressure = match after.pressure {
        0 => String::new(),
        level => format!("; pressure {level} of 4"),
    };
    Some(format!("{supporting} has {} free, its reserve is {}{pressure}", after.free, after.reserve))
}

fn fairness(explanation: &Explanation, supporting: &str) -> Option<String> {
    let fairness = explanation.fairness.as_ref()?;
    Some(format!(
        "{supporting} has given {}, taken {}; its share of all giving is {} %",
        fairness.given, fairness.taken, fairness.share
    ))
}

/// Writes how many offers one reason ruled out: `3 too far, such as Calverleigh, 52 min`.
pub(crate) fn not_used(counted: &explanation::NotUsed) -> String {
    let why = codes::objection(counted.reason());
    if counted.example.is_empty() {
        format!("{} {why}", counted.count)
    } else {
        format!("{} {why}, such as {}", counted.count, counted.example)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_api::v1::{Objection, Priority};
    use jiff::tz::TimeZone;

    #[test]
    fn an_explanation_says_rank_burden_and_what_else() {
        let explanation = Explanation {
            rank: Some(explanation::Rank {
                priority: Priority::P1a.into(),
                position: 2,
                of: 29,
                waited_days: 0,
                ..explanation::Rank::default()
            }),
            terms: vec![
                explanation::Term { name: "travel".to_owned(), points: 22, detail: "22 minutes".to_owned() },
                explanation::Term { name: "declared_opel".to_owned(), points: 4, detail: String::new() },
            ],
            after: Some(explanation::After { free: 1, reserve: 1, pressure: 2 }),
            not_used: vec![explanation::NotUsed {
                reason: Objection::Stale.into(),
                count: 1,
                example: "Eastholme".to_owned(),
            }],
            checked_at: Some(words::time::to_wire("2026-11-24T13:59:52Z".parse().unwrap())),
            revision: 88_213,
            ..Explanation::default()
        };
        let now = Now {
            at: "2026-11-24T14:00:00Z".parse().unwrap(),
            zone: TimeZone::get("Europe/London").unwrap(),
        };
        let why = Why::new(&explanation, "Aldermoor", &now, &Directory::default());
        insta::assert_snapshot!(format!(
            "{}\n{}\n{}",
            why.headline,
            why.lines.iter().map(|(name, texts)| format!("{name}: {}", texts.join(" | "))).collect::<Vec<_>>().join("\n"),
            why.checked
        ), @"
        rank 2 of 29 needs for this, burden 26 (lower is better)
        Place in the queue: P1A (within 24 hours), waited 0 days
        Burden: Travel +22 (22 minutes) | Declared OPEL +4
        After this: Aldermoor has 1 free, its reserve is 1; pressure 2 of 4
        Not used: 1 stale: nobody has confirmed them, such as Eastholme
        Checked today 13:59 on revision 88213, policy not named.
        ");
    }
}
