//! What an archive says, in plain lines: when, who, what, and which records, for people who ask what happened.

use std::fmt::Write as _;

use fallow_domain::actor::Actor;
use fallow_domain::ids::TrustCode;
use fallow_domain::monitor::kept::Kept;
use fallow_ledger::cause::{Cause, Denied};
use fallow_ledger::record::Record;
use fallow_ledger::{Change, Key, Revision};
use jiff::Timestamp;
use serde::Serialize;

/// One change, told.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Its number.
    pub revision: Revision,
    /// When it was made, by the clock of whoever made it.
    pub at: Option<Timestamp>,
    /// Who made it.
    pub by: String,
    /// The role that they acted in.
    pub role: String,
    /// The trust that they acted for.
    pub trust: Option<TrustCode>,
    /// The call or the engine's step.
    pub verb: String,
    /// The id of the request, where it was one.
    pub request_id: Option<String>,
    /// Why and how often, where it was denied: then it wrote nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<Denied>,
    /// Each record that it wrote.
    pub records: Vec<Told>,
    /// The trusts whose records it wrote, in order.
    pub concerns: Vec<TrustCode>,
}

/// One record of a change, told.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// Its name.
    pub record: String,
    /// What became of it, in words.
    pub what: String,
    /// Its body as it was written; `None` when it was deleted.
    pub body: Option<serde_json::Value>,
}

impl Line {
    /// Tells a change. `before` gives the bodies from before it.
    #[must_use]
    pub fn of(change: &Change, before: impl Fn(&Key) -> Option<Record>) -> Self {
        let cause = Cause::decode(&change.cause);
        let mut concerns = Vec::new();
        let mut records = Vec::new();
        for (key, body) in &change.writes {
            let was = before(key);
            let is = body.as_ref().map(|body| Record::decode(key.kind, body));
            let readable = is.as_ref().and_then(|is| is.as_ref().ok());
            concerns.extend([was.as_ref(), readable].into_iter().flatten().flat_map(Record::trusts));
            let what = match (&was, &is) {
                (_, Some(Err(_))) => "written, and cannot be read".to_owned(),
                (None, Some(Ok(is))) => format!("new, {}", words(is)),
                (Some(was), Some(Ok(is))) => {
                    let (was, is) = (words(was), words(is));
                    if was == is { format!("changed, {is}") } else { format!("{was} -> {is}") }
                }
                (Some(was), None) => format!("removed, was {}", words(was)),
                (None, None) => "removed".to_owned(),
            };
            let body = body.as_ref().and_then(|body| serde_json::from_slice(body).ok());
            records.push(Told { record: key.to_string(), what, body });
        }
        concerns.extend(cause.as_ref().and_then(|cause| cause.by.trust));
        concerns.sort_unstable();
        concerns.dedup();
        let text = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        Self {
            revision: change.revision,
            at: cause.as_ref().map(|cause| cause.at),
            by: text(cause.as_ref().map(|cause| cause.by.subject.to_string())),
            role: text(cause.as_ref().map(|cause| cause.by.role.to_string())),
            trust: cause.as_ref().and_then(|cause| cause.by.trust),
            verb: text(cause.as_ref().map(|cause| cause.verb.clone())),
            request_id: cause.as_ref().and_then(|cause| cause.request_id.clone()),
            denied: cause.and_then(|cause| cause.denied),
            records,
            concerns,
        }
    }

    /// Says whether it wrote a record of a trust, or was made for it.
    #[must_use]
    pub fn concerns(&self, trust: TrustCode) -> bool {
        self.concerns.contains(&trust)
    }

    /// Writes it as lines for people: one for the change, one indented for each record.
    #[must_use]
    pub fn text(&self) -> String {
        let at = self.at.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string());
        let trust = self.trust.map(|trust| format!(" for {trust}")).unwrap_or_default();
        let mut text =
            format!("{:>8}  {at}  {} ({}){trust}  {}\n", self.revision, self.by, self.role, self.verb);
        if let Some(Denied { reason, times, at }) = &self.denied {
            // It is written later than it is denied.
            let at = at.filter(|at| Some(*at) != self.at).map(|at| format!(" at {at}")).unwrap_or_default();
            // Writing to a string does not fail.
            let _ = writeln!(text, "          denied{at}: {reason}{}", often(*times));
        }
        for told in &self.records {
            // Writing to a string does not fail.
            let _ = writeln!(text, "          {}  {}", told.record, told.what);
        }
        text
    }
}

/// Says how often something was, where that is more than once.
fn often(times: u64) -> String {
    if times == 1 { String::new() } else { format!(", {times} times") }
}

/// Says how a record stands, in a few words: its state and figures, and nothing that anybody typed.
fn words(record: &Record) -> String {
    match record {
        Record::Offer(offer) => format!(
            "{} of {} at {}, {}: {} free of {}, {} held, {} committed",
            offer.resource.key(),
            offer.trust,
            offer.site,
            offer.state,
            offer.figures.free(),
            offer.figures.staffed,
            offer.figures.held,
            offer.figures.committed
        ),
        Record::Need(need) => format!(
            "{} x {} for {} at {}, {}, {}: {} proposed, {} committed, {} arrived",
            need.units,
            need.resource.key(),
            need.trust,
            need.site,
            need.priority,
            need.state,
            need.units_proposed,
            need.units_committed,
            need.units_arrived
        ),
        Record::Proposal(proposal) => format!(
            "{} from {} to {}, {}: {} of offer {} for need {}",
            proposal.units,
            proposal.supporting_trust,
            proposal.home_trust,
            proposal.state,
            proposal.minutes_or_units_held,
            proposal.offer,
            proposal.need
        ),
        Record::Transfer(transfer) => format!(
            "{} from {} to {}, {}",
            transfer.units, transfer.from_site, transfer.to_site, transfer.state
        ),
        Record::Trust(trust) => {
            let opel = trust.declared.as_ref().map(|declared| format!("OPEL {} declared, ", declared.opel));
            format!("{}{} reserves", opel.unwrap_or_default(), trust.reserves.len())
        }
        Record::Feed(feed) => format!("report {}", feed.last_seq),
        Record::Region(region) => format!("file {}, {} modes switched", region.version, region.modes.len()),
        Record::Lease(lease) => format!("held by {}, the {}. holder", lease.holder, lease.epoch),
        Record::Claim(claim) => format!("of {}", claim.holder),
        Record::Decline(decline) => format!("{} at {}", decline.code, decline.at),
        Record::Session(session) => format!("ended by the {} at {}", session.by, session.at),
        Record::Monitor(kept) => kept_in_words(kept),
    }
}

fn kept_in_words(kept: &Kept) -> String {
    match kept {
        Kept::Decision(decision) => format!(
            "{}: {} Why: {} Consulted: {}",
            decision.by.role,
            decision.decision,
            decision.rationale,
            decision.consulted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
        Kept::Alert(alert) => format!("{} {}: {}", alert.rule, alert.state, alert.text),
        Kept::Action(action) => {
            let by = |actor: &Actor| actor.role.as_str().to_owned();
            let people = [Some(by(&action.proposed_by)), action.confirmed.as_ref().map(|one| by(&one.by))];
            let people: Vec<String> = people.into_iter().flatten().collect();
            let code = action.code.map(|code| format!("{code}: ")).unwrap_or_default();
            let said = [("refused", &action.refused), ("reviewed", &action.reviewed)].map(|(what, said)| {
                let said = said.as_ref();
                said.map(|said| format!(" {what} by {}: {}", by(&said.by), said.note)).unwrap_or_default()
            });
            format!(
                "for two people, by {}. Why: {code}{}{}",
                people.join(" and "),
                action.reason,
                said.concat()
            )
        }
        Kept::SignOff(sign_off) => {
            format!("as of {}, by {} {}", sign_off.as_of, sign_off.by.role, sign_off.signatory)
        }
        Kept::Rollup(rollup) => format!("{} to {}", rollup.span, rollup.at),
        Kept::Position(position) => format!("the region as of {}", position.at),
    }
}
