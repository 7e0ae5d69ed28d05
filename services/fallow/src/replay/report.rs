//! What a replay found, in words and as data.

use std::fmt::Write;

use fallow_domain::region::{Region, file};
use fallow_ledger::record::Record;
use fallow_ledger::{Change, RecordKind, Versioned};
use fallow_matching::replay::{Divergence, Story, Tally, Verdict};
use serde_json::json;

/// Most divergences that are printed: what follows from the first is of little interest.
const SHOWN: usize = 50;

/// What a replay found.
pub(super) enum Report {
    /// The same engine and policy.
    Same {
        /// What was looked at.
        tally: Tally,
        /// Where log and replay part.
        found: Vec<Divergence>,
    },
    /// Another policy.
    Other {
        /// What became of each need.
        stories: Vec<Story>,
        /// Proposals superseded by the log and by the other policy.
        superseded: [usize; 2],
    },
}

impl Report {
    pub(super) fn has_diverged(&self) -> bool {
        match self {
            Self::Same { found, .. } => !found.is_empty(),
            Self::Other { .. } => false,
        }
    }

    /// Says whether nothing was held against anything: there is no change in the time that was asked about.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Same { tally, .. } => tally.commits == 0,
            Self::Other { .. } => false,
        }
    }

    pub(super) fn json(&self) -> String {
        let value = match self {
            Self::Same { tally, found } => json!({ "tally": tally, "divergences": found }),
            Self::Other { stories, superseded } => json!({
                "needs": stories,
                "superseded": { "log": superseded[0], "other": superseded[1] },
            }),
        };
        format!("{value:#}\n")
    }

    pub(super) fn text(&self, every: bool) -> String {
        match self {
            Self::Same { tally, found } => same(*tally, found),
            Self::Other { stories, superseded } => other(stories, *superseded, every),
        }
    }
}

fn same(tally: Tally, found: &[Divergence]) -> String {
    let mut text = format!(
        "{} commits, {} rounds of the engine: {} proposal steps and {} others made again\n",
        tally.commits, tally.rounds, tally.placements, tally.chores
    );
    if tally.not_compared > 0 {
        let _ = writeln!(
            text,
            "{} steps not compared: the log does not say what they rest on",
            tally.not_compared
        );
    }
    for one in found.iter().take(SHOWN) {
        let _ = writeln!(
            text,
            "revision {} of {}, decided at {}: {}",
            one.revision, one.at, one.decided_at, one.text
        );
    }
    if found.len() > SHOWN {
        let _ = writeln!(text, "and {} more", found.len() - SHOWN);
    }
    let _ = match found.len() {
        0 if tally.commits == 0 => writeln!(text, "nothing was compared"),
        0 => writeln!(text, "the same decisions"),
        1 => writeln!(text, "1 divergence"),
        more => writeln!(text, "{more} divergences"),
    };
    text
}

/// One of the two verdicts of a story.
type Side = fn(&Story) -> &Option<Verdict>;

fn other(stories: &[Story], superseded: [usize; 2], every: bool) -> String {
    let placed = |side: Side| stories.iter().filter(|one| side(one).is_some()).count();
    let wait = |side: Side| {
        let mut waits: Vec<i64> = stories
            .iter()
            .filter_map(|one| side(one).as_ref().map(|v| v.at.duration_since(one.raised_at).as_secs()))
            .collect();
        waits.sort_unstable();
        waits
            .get(waits.len().saturating_sub(1) / 2)
            .map_or("-".to_owned(), |seconds| format!("{} min", seconds / 60))
    };
    let (log, new): (Side, Side) = (|story| &story.logged, |story| &story.other);
    let mut text =
        String::from("SIMULATION: each decision tried under the other policy, on what there was then\n");
    let mut row = |name: &str, log: String, new: String| {
        let _ = writeln!(text, "{name:<28}{log:>10}{new:>14}");
    };
    row("", "log".to_owned(), "other policy".to_owned());
    row("needs", stories.len().to_string(), stories.len().to_string());
    row("proposed something", placed(log).to_string(), placed(new).to_string());
    row("waited, median", wait(log), wait(new));
    row("proposals superseded", superseded[0].to_string(), superseded[1].to_string());
    let differs = |one: &&Story| {
        let offers = |verdict: &Option<Verdict>| verdict.as_ref().map(|verdict| verdict.offers.clone());
        offers(&one.logged) != offers(&one.other)
    };
    let _ = writeln!(text, "{} needs fare otherwise", stories.iter().filter(differs).count());
    if every {
        for one in stories.iter().filter(differs) {
            let _ = writeln!(
                text,
                "  {} {}: {} -> {}",
                one.priority,
                one.need,
                told(one, &one.logged),
                told(one, &one.other)
            );
        }
    }
    text
}

fn told(story: &Story, verdict: &Option<Verdict>) -> String {
    let Some(verdict) = verdict else { return "nothing".to_owned() };
    let offers: Vec<String> = verdict.offers.iter().map(ToString::to_string).collect();
    let minutes = verdict.at.duration_since(story.raised_at).as_mins();
    format!("{} after {minutes} min", offers.join(" and "))
}

/// Returns the region that was last in force in a log, without what trusts said since.
pub(super) fn last_region(records: &[Versioned], changes: &[Change]) -> Option<Region> {
    let written = changes.iter().rev().flat_map(|change| &change.writes);
    let later = written.filter(|(key, _)| key.kind == RecordKind::Region).find_map(|(_, body)| body.as_ref());
    let first =
        || records.iter().find(|record| record.key.kind == RecordKind::Region).map(|record| &record.body);
    let body = later.or_else(first)?;
    match Record::decode(RecordKind::Region, body).ok()? {
        Record::Region(state) => file::parse(&state.toml).ok(),
        Record::Offer(_)
        | Record::Need(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    }
}
