//! What was proved so far, held against each other, against a trust, and against what the trust kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fallow_api::v1::AuditEntry;
use fallow_archive::proof::{Proved, ProvedBatch};
use fallow_domain::ids::TrustCode;
use fallow_ledger::Revision;
use jiff::Timestamp;
use serde_json::Value;

/// The kinds of records that a proof names. A trail names others too: who may see an alert depends on the region.
const NAMED: [&str; 6] = ["offer", "need", "proposal", "transfer", "trust", "feed"];

/// Something to tell, of a place.
pub(super) struct Said {
    pub(super) place: String,
    pub(super) words: String,
}

/// All that was proved.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) proofs: u64,
    pub(super) wrong: Vec<Said>,
    pub(super) notes: Vec<Said>,
    pub(super) region: Option<Arc<str>>,
    pub(super) keys: BTreeSet<String>,
    changes: BTreeMap<Revision, Vec<Known>>,
    batches: BTreeMap<Arc<str>, BTreeSet<ProvedBatch>>,
}

struct Known {
    place: String,
    proved: Proved,
}

impl Seen {
    fn is_wrong(&mut self, place: &str, words: String) {
        self.wrong.push(Said { place: place.to_owned(), words });
    }

    /// Takes what was proved, and holds it against the rest.
    pub(super) fn take(&mut self, place: &str, mut proved: Proved, trust: Option<TrustCode>) {
        self.proofs += 1;
        self.keys.insert(proved.key.clone());
        let region = self.region.get_or_insert_with(|| proved.region.clone()).clone();
        if region != proved.region {
            self.is_wrong(place, format!("is of region {}, and what is before of {region}", proved.region));
        }
        if let Some(wrong) = trust.and_then(|trust| not_of(trust, &proved)) {
            self.is_wrong(place, wrong);
        }
        self.batches.entry(proved.history.clone()).or_default().insert(proved.batch.clone());
        let known = self.changes.entry(proved.revision).or_default();
        let differs =
            |other: &&Known| other.proved.history == proved.history && other.proved.leaf != proved.leaf;
        let contradicts = known.iter().filter(differs).find(|other| !other.proved.agrees_with(&proved));
        let (wrong, note) = match (contradicts, known.iter().find(differs)) {
            (Some(other), _) => (Some(other.place.clone()), None),
            (None, other) => (None, other.map(|other| other.place.clone())),
        };
        // The bodies were printed, and have digests.
        proved.records.iter_mut().for_each(|record| record.body = None);
        let revision = proved.revision;
        known.push(Known { place: place.to_owned(), proved });
        if let Some(other) = wrong {
            self.is_wrong(
                place,
                format!(
                    "another change than {other} has the same revision {revision}: two archives were signed"
                ),
            );
        }
        if let Some(other) = note {
            let words = format!("was archived twice: what is shown is the same as {other} shows");
            self.notes.push(Said { place: place.to_owned(), words });
        }
    }

    /// Looks for batches of one history that cover a change twice and are not the same.
    pub(super) fn compare_batches(&mut self) {
        for (history, batches) in &self.batches {
            let mut furthest: Option<&ProvedBatch> = None;
            for batch in batches {
                if let Some(before) = furthest.filter(|before| before.last >= batch.first) {
                    let words = format!(
                        "its revisions {} to {} and {} to {} were signed in two archives. That is so where an archive was \
                         lost and made anew; ask the operator. Changes that are not in both proofs cannot be compared",
                        before.first, before.last, batch.first, batch.last
                    );
                    self.notes.push(Said { place: format!("history {history}"), words });
                    break;
                }
                furthest = Some(batch);
            }
        }
    }

    /// Returns the histories with the first and the last revision that was proved of each.
    pub(super) fn histories(&self) -> BTreeMap<Arc<str>, (Revision, Revision)> {
        let mut histories = BTreeMap::new();
        for known in self.changes.values().flatten() {
            let revision = known.proved.revision;
            let (_, last) = histories.entry(known.proved.history.clone()).or_insert((revision, revision));
            *last = revision;
        }
        histories
    }

    /// Says whether an entry that was kept is proved; `Ok(false)` of what is not asked for. Of some of what others did, a
    /// trust is told that it happened, and is given no proof.
    ///
    /// # Errors
    /// What is missing, or differs.
    pub(super) fn proves(&mut self, place: &str, entry: &AuditEntry) -> Result<bool, String> {
        let is_bare = AuditEntry { revision: 0, ..entry.clone() } == AuditEntry::default();
        if entry.subject.is_empty() && entry.request_id.is_empty() && !is_bare {
            return Ok(false);
        }
        let revision = Revision(u64::try_from(entry.revision).unwrap_or_default());
        if revision == Revision(0) {
            return Err("names no revision: `revision` is a number from 1".to_owned());
        }
        let known = self.changes.get(&revision).map(Vec::as_slice).unwrap_or_default();
        let what = [entry.call.as_str(), entry.request_id.as_str()].join(" ");
        let what = if is_bare { "kept" } else { what.trim() };
        let Some(first) = known.first() else {
            return Err(format!("of revision {revision}, {what}, there is no proof"));
        };
        let histories: BTreeSet<&str> = known.iter().map(|known| known.proved.history.as_ref()).collect();
        let as_kept = known.iter().find(|known| is_bare || differs(entry, &known.proved).is_none());
        let Some(as_kept) = as_kept else {
            let why = differs(entry, &first.proved).unwrap_or_default();
            let mut words =
                format!("revision {revision} was {what}, and {} proves something else: {why}", first.place);
            if histories.len() > 1 {
                words += &format!("; nor is it as it was kept in another of {} histories", histories.len());
            }
            return Err(words);
        };
        if histories.len() > 1 {
            let words = format!(
                "{} histories have a revision {revision}; it is proved as it was kept in {}",
                histories.len(),
                as_kept.proved.history
            );
            self.notes.push(Said { place: place.to_owned(), words });
        }
        Ok(true)
    }
}

/// Says how what is proved differs from an entry of the trust's own.
fn differs(entry: &AuditEntry, proved: &Proved) -> Option<String> {
    let texts = [
        ("call", "verb", &entry.call),
        ("subject", "by.subject", &entry.subject),
        ("role", "by.role", &entry.role),
        ("trust", "by.trust", &entry.trust),
        ("request_id", "request_id", &entry.request_id),
        ("denied", "denied.reason", &entry.denied),
    ];
    for (field, name, kept) in texts {
        let shown = proved.cause(name);
        if !kept.is_empty() && shown != Some(kept) {
            return Some(format!("{field} was {kept}, and is {}", shown.unwrap_or("not shown")));
        }
    }
    if entry.denied.is_empty() && proved.cause.iter().any(|(name, _)| name.starts_with("denied.")) {
        return Some("it was done, and is denied".to_owned());
    }
    if let Some(at) = &entry.at {
        let kept = Timestamp::new(at.seconds, at.nanos).ok();
        let shown = proved.cause("denied.at").or_else(|| proved.cause("at"));
        if kept.is_none() || shown.and_then(|at| at.parse().ok()) != kept {
            return Some(format!("at was {}, and is {}", told(kept), shown.unwrap_or("not shown")));
        }
    }
    let is_named = |record: &&String| NAMED.iter().any(|kind| record.split('/').next() == Some(kind));
    let is_missing = |record: &&String| !proved.records.iter().any(|shown| shown.record == **record);
    if let Some(record) = entry.records.iter().filter(is_named).find(is_missing) {
        return Some(format!("{record} was written, and is not shown"));
    }
    // A trust is shown the whole of what its own people did: what is covered may say that it was denied.
    (proved.covered > 0).then(|| format!("{} parts of who, what and why are covered", proved.covered))
}

fn told(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "no time".to_owned(), |at| at.to_string())
}

/// Says why a proof is not of a trust, or hides what it must show.
fn not_of(trust: TrustCode, proved: &Proved) -> Option<String> {
    let is_own = proved.cause("by.trust") == Some(trust.as_str());
    if is_own && proved.covered > 0 {
        return Some(format!(
            "covers {} parts of what was done for {trust}, which is shown it whole",
            proved.covered
        ));
    }
    for record in &proved.records {
        let body = record.body.as_ref().and_then(|body| serde_json::from_str::<Value>(body).ok());
        let owner = body.as_ref().and_then(|body| body["r"]["trust"].as_str().or(body["r"]["ods"].as_str()));
        if let Some(other) = owner.filter(|owner| *owner != trust.as_str()) {
            return Some(format!("shows {}, a record of {other} and not of {trust}", record.record));
        }
    }
    let is_concerned = is_own || !proved.records.is_empty();
    (!is_concerned).then(|| format!("is not of {trust}: it neither was done for it nor shows a record"))
}
