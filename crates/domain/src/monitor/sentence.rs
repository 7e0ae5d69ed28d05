//! What happened, in plain words: the one place where the timeline's sentences are made.

use jiff::Timestamp;

use super::happened::{Happened, Late, OfNeed, Pair, Question, What};
use super::kept::{Alert, AlertState};
use super::rules::Rule;
use crate::action::{Action, ActionState, Errand};
use crate::actor::{Actor, Role};
use crate::codes;
use crate::ids::TrustCode;
use crate::lifecycle::Party;
use crate::lifecycle::proposal::AnswerState;
use crate::need::NeedState;
use crate::policy::{HoldTime, Policy};
use crate::proposal::ProposalState;
use crate::region::{Mode, Region};
use crate::resource::{ResourceKey, ResourceKind};
use crate::transfer::TransferState;

/// What words need: the names of the region, and how a time is written.
pub struct Words<'a> {
    /// The region.
    pub region: &'a Region,
    /// Writes a time for people, such as "14:32".
    pub time: &'a dyn Fn(Timestamp) -> String,
}

/// Says what a resource is: "adult critical care, level 3".
#[must_use]
pub fn resource(key: &ResourceKey) -> String {
    let code = key.code.as_str();
    let name = codes::name_of(key.kind, code);
    let name = name.map_or_else(
        || match key.kind {
            // Wards have the names of conditions: of "frailty" alone nobody is short.
            ResourceKind::VirtualWard => format!("virtual ward for {}", self::code(code)),
            ResourceKind::Bed
            | ResourceKind::Theatre
            | ResourceKind::Diagnostic
            | ResourceKind::Staff
            | ResourceKind::Equipment => self::code(code),
        },
        str::to_owned,
    );
    match key.level {
        Some(level) => format!("{name}, level {}", level.get()),
        None => name,
    }
}

/// Says how much of a resource is spare or missing: "short by 18", "120 minutes to spare", "none to spare".
#[must_use]
pub fn spare(key: &ResourceKey, net: i64) -> String {
    let unit = if key.kind.is_minutes() { " minutes" } else { "" };
    match net {
        ..0 => format!("short by {}{unit}", net.unsigned_abs()),
        0 => "none to spare".to_owned(),
        1.. => format!("{net}{unit} to spare"),
    }
}

/// Says how long something took: "7 min", "5 h 44 min", "3 d".
fn lasting(minutes: u64) -> String {
    match (minutes / (24 * 60), minutes / 60, minutes % 60) {
        (2.., _, _) => format!("{} d", minutes / (24 * 60)),
        (_, 1.., 0) => format!("{} h", minutes / 60),
        (_, 1.., rest) => format!("{} h {rest} min", minutes / 60),
        (_, _, _) => format!("{minutes} min"),
    }
}

/// Says what a code means, in lower case and without underscores; what people write in capitals stays so.
#[must_use]
pub fn code(code: &str) -> String {
    codes::words(code)
}

impl Words<'_> {
    /// Returns the name of a trust; its code where the region does not know it.
    #[must_use]
    pub fn trust(&self, code: TrustCode) -> String {
        self.region.trusts.get(&code).map_or_else(|| code.to_string(), |trust| trust.name.to_string())
    }

    /// Says what happened, in one sentence or a few.
    #[must_use]
    pub fn say(&self, happened: &Happened) -> String {
        match &happened.what {
            What::NeedRaised { need, needed_by } => {
                let by = needed_by.map(|at| format!(", needed by {}", (self.time)(at))).unwrap_or_default();
                format!("{} raised a need: {}{by}.", self.trust(need.trust), of_need(need))
            }
            What::NeedAgreed { need, minutes, in_time } => {
                let after =
                    minutes.map(|n| format!(", {} after it was raised", lasting(n))).unwrap_or_default();
                let late = if *in_time { "" } else { ", past its needed-by" };
                format!(
                    "All of {} need is agreed: {}{after}{late}.",
                    whose(&self.trust(need.trust)),
                    of_need(need)
                )
            }
            What::NeedEnded { need, state } => {
                format!("{} need {}: {}.", whose(&self.trust(need.trust)), need_end(*state), of_need(need))
            }
            What::NeedParked { need, review_at, because } => {
                let until = review_at.map(|at| format!(", until {}", (self.time)(at))).unwrap_or_default();
                let why = match because.as_str() {
                    "" => String::new(),
                    why => format!(" Reason: {}", sentence(why)),
                };
                format!("{} parked a need: {}{until}.{why}", self.trust(need.trust), of_need(need))
            }
            What::NeedResumed { need } => {
                format!("{} need is looked for again: {}.", whose(&self.trust(need.trust)), of_need(need))
            }
            What::NeedStands { need, consented, fit } => {
                let said = match (consented, fit) {
                    (true, true) => "willing to be treated elsewhere, and fit",
                    (true, false) => "willing to be treated elsewhere, not fit yet",
                    (false, true) => "fit, not yet willing to be treated elsewhere",
                    (false, false) => "neither willing to be treated elsewhere yet nor fit",
                };
                format!("{} need still stands: {}; {said}.", whose(&self.trust(need.trust)), of_need(need))
            }
            What::Asked { of, by, question, resource: key, about } => {
                let who = by.map_or_else(|| capital(happened.by.in_words()), |by| self.trust(by));
                let what = self::resource(key);
                let what = match (question, about) {
                    (Question::StillTrue, 1) => format!("an offer of {what} is still true"),
                    (Question::StillTrue, _) => format!("{about} offers of {what} are still true"),
                    (Question::StillStands, 1) => format!("a need of {what} still stands"),
                    (Question::StillStands, _) => format!("{about} needs of {what} still stand"),
                };
                format!("{who} asked {} whether {what}.", self.trust(*of))
            }
            What::Proposed(pair) => {
                let third = pair.third.map(|third| format!(", with a team of {}", self.trust(third)));
                format!("Proposed: {}{}.", self.pair(pair), third.unwrap_or_default())
            }
            What::Answered { pair, side, answer, by_agreement } => {
                self.answered(pair, (*side, happened.by), *answer, *by_agreement)
            }
            What::Extended { pair, side, until } => {
                let (who, until) = (self.side(pair, *side), (self.time)(*until));
                format!("{who} took more time, until {until}: {}.", self.pair(pair))
            }
            What::ProposalEnded { pair, state, side, code: why, because, late } => {
                let who = side.map(|side| self.side(pair, side));
                let how = match (state, who) {
                    (ProposalState::Declined, Some(_)) if *side == Some(Party::Authority) => {
                        format!("{} did not approve", capital(&happened.by.as_approver()))
                    }
                    (ProposalState::Declined, Some(who)) => format!("{who} declined ({})", code(why)),
                    (ProposalState::Declined, None) => "Declined".to_owned(),
                    (ProposalState::Lapsed, _) => "Lapsed".to_owned(),
                    (ProposalState::Superseded, _) => "Replaced by a better proposal".to_owned(),
                    (ProposalState::Withdrawn, _) => "Withdrawn".to_owned(),
                    (ProposalState::Bypassed, _) => "Gold chose another way than the proposal".to_owned(),
                    (ProposalState::Held | ProposalState::Confirmed, _) => "Ended".to_owned(),
                };
                // Some are sentences and some are not; each ends once.
                let because = because.as_str().trim_end_matches('.');
                let because = if because.is_empty() { String::new() } else { format!(" Reason: {because}.") };
                let late = match late {
                    Some(Late::ReliedOn) => " Late: the other side relied on it.",
                    Some(Late::LittleTimeLeft) => " Late: less than a third of the time to answer was left.",
                    None => "",
                };
                format!("{how}: {}.{because}{late}", self.pair(pair))
            }
            What::Agreed(pair) => format!("Agreed: {}.", self.pair(pair)),
            What::Moved { pair, state: TransferState::Extended, is_earlier: true } => {
                format!("Stay shortened: {}.", self.pair(pair))
            }
            What::Moved { pair, state, .. } => format!("{}: {}.", moved(*state), self.pair(pair)),
            What::Aborted { pair, code: why } => {
                let why = why.map(|why| format!(" ({})", code(why.as_str()))).unwrap_or_default();
                format!("Transfer aborted{why}: {}.", self.pair(pair))
            }
            What::Declared { trust, opel, before } => {
                let before = before.map(|before| format!(", was {before}")).unwrap_or_default();
                format!("{} declared OPEL {opel}{before}.", self.trust(*trust))
            }
            What::ModeSwitched { collaborative, mode, reason } => {
                let mut all = self.region.collaboratives.iter();
                let named = all.find(|one| one.id == *collaborative);
                let name = named.map_or_else(|| collaborative.to_string(), |one| one.name.to_string());
                match mode {
                    Mode::Incident => {
                        let changed = of_incidents(&self.region.policy);
                        format!("Gold declared an incident in {name}. Reason: {reason}.{changed}")
                    }
                    Mode::Routine => format!("Gold ended the incident in {name}. Reason: {reason}."),
                }
            }
            What::RegionApplied { version } => format!("Region file {version} came into force."),
            What::Decided(decision) => format!("Gold decided: {}", sentence(decision.decision.as_str())),
            What::Alerted(alert) => alerted(alert),
            What::Acted(action) => self.acted(action, happened.at),
            What::SignedOff { as_of, signatory } => {
                let who = if signatory.is_empty() { "gold" } else { signatory };
                format!("The situation report as of {} was signed off by {who}.", (self.time)(*as_of))
            }
        }
    }

    /// Says what two people want or have done, as a banner and the timeline do.
    #[must_use]
    pub fn acted(&self, action: &Action, at: Timestamp) -> String {
        let role = |by: &Actor| by.role.in_words();
        let (to_do, done) = match &action.errand {
            Errand::Answer { for_trust, .. } => {
                let trust = self.trust(*for_trust);
                (format!("answer a proposal for {trust}"), format!("a proposal was answered for {trust}"))
            }
            Errand::Bypass { .. } => ("bypass a proposal".to_owned(), "a proposal was bypassed".to_owned()),
            Errand::Region { .. } => {
                ("put a region file in force".to_owned(), "a region file was put in force".to_owned())
            }
        };
        let kind = if action.errand.breaks_glass() { "Break glass" } else { "Two people" };
        let code = action.code.map(|why| format!("{}; ", code(why.as_str()))).unwrap_or_default();
        let why = format!("Reason: {code}{}", sentence(action.reason.as_str()));
        let first = role(&action.proposed_by);
        match (&action.confirmed, action.state(at)) {
            (Some(confirmed), _) => {
                let review = match (&action.reviewed, confirmed.review_by) {
                    (Some(said), _) => {
                        let who = role(&said.by);
                        Some(format!(" Reviewed by {who}: {}", sentence(said.note.as_str())))
                    }
                    (None, by) => by.map(|by| format!(" To be reviewed by {}.", (self.time)(by))),
                };
                let second = role(&confirmed.by);
                format!("{kind}: {done}, by {first} and {second}. {why}{}", review.unwrap_or_default())
            }
            (None, ActionState::Refused) => {
                let said = action.refused.as_ref();
                let words = said.map(|said| sentence(said.note.as_str())).unwrap_or_default();
                match said.filter(|said| said.by.subject != action.proposed_by.subject) {
                    Some(said) => {
                        let who = capital(role(&said.by));
                        format!("{kind}: {first} asked to {to_do}. {why} {who} refused it: {words}")
                    }
                    None => format!("{kind}: {first} asked to {to_do}. {why} Taken back: {words}"),
                }
            }
            (None, ActionState::Expired) => {
                format!("{kind}: {first} asked to {to_do}; nobody confirmed it in time. {why}")
            }
            (None, ActionState::Proposed | ActionState::Confirmed) => {
                let until = (self.time)(action.expires_at);
                format!("{kind}: {first} asks to {to_do}; it waits for a second person until {until}. {why}")
            }
        }
    }

    /// "2 × adult critical care, level 3, from Aldermoor to Dunmere"
    fn pair(&self, pair: &Pair) -> String {
        let (from, to) = (self.trust(pair.supporting), self.trust(pair.home));
        match &pair.resource {
            Some(key) => format!("{} × {}, from {from} to {to}", pair.units, resource(key)),
            None => format!("{} from {from} to {to}", pair.units),
        }
    }

    fn side(&self, pair: &Pair, side: Party) -> String {
        match side {
            Party::Supporting => self.trust(pair.supporting),
            Party::Home => self.trust(pair.home),
            Party::Team => {
                pair.third.map_or_else(|| "The team's trust".to_owned(), |third| self.trust(third))
            }
            Party::Authority => "The authority".to_owned(),
            Party::Gold => "Gold".to_owned(),
            Party::Engine => "The engine".to_owned(),
            Party::Other => "Somebody else".to_owned(),
        }
    }

    fn answered(
        &self,
        pair: &Pair,
        (side, by): (Option<Party>, Role),
        answer: AnswerState,
        by_agreement: bool,
    ) -> String {
        let who = side.map_or_else(|| capital(&by.as_approver()), |side| self.side(pair, side));
        let did = match (answer, side) {
            (AnswerState::Accepted, None) => "approved",
            (AnswerState::Accepted, Some(_)) if by_agreement => "accepted by standing agreement",
            (AnswerState::Accepted, Some(_)) => "accepted",
            (AnswerState::Provisional, _) => "accepted provisionally",
            (AnswerState::Pending, _) => "took its answer back",
            (AnswerState::Declined, _) => "declined",
        };
        format!("{who} {did}: {}.", self.pair(pair))
    }
}

/// Says what an incident changes between the trusts of its collaborative; nothing where it changes nothing.
fn of_incidents(policy: &Policy) -> String {
    let incident = &policy.incident;
    let mut changed = Vec::new();
    match incident.opel_limit.filter(|limit| *limit != policy.opel_limit) {
        Some(limit @ ..=4) => changed.push(format!("trusts at OPEL {limit} or more are not asked")),
        Some(_) => changed.push("trusts are asked whatever OPEL they have declared".to_owned()),
        None => {}
    }
    if let Some(hold) = incident.hold.filter(|hold| *hold != policy.hold) {
        let bands = [("P1A", hold.p1a), ("P1B", hold.p1b), ("P2", hold.p2), ("P3", hold.p3), ("P4", hold.p4)];
        let bands: Vec<String> =
            bands.iter().map(|(band, time)| format!("{band} {}", length(*time))).collect();
        changed.push(format!("the time to answer is {}", bands.join(", ")));
    }
    match incident.approval.as_ref().filter(|rules| **rules != policy.approval) {
        Some(rules) if rules.is_empty() => changed.push("nobody above the trusts approves".to_owned()),
        Some(_) => changed.push("others approve".to_owned()),
        None => {}
    }
    if incident.standing_agreement.as_ref().is_some_and(|agreed| *agreed != policy.standing_agreement) {
        changed.push("other standing agreements hold".to_owned());
    }
    if changed.is_empty() { String::new() } else { format!(" While it lasts: {}.", changed.join("; ")) }
}

/// "5 min", "2 working hours"
fn length(time: HoldTime) -> String {
    let counted = |number: u32, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    match time {
        HoldTime::Minutes(minutes) => format!("{minutes} min"),
        HoldTime::WorkingHours(hours) => counted(hours, "working hour"),
        HoldTime::WorkingDays(days) => counted(days, "working day"),
    }
}

/// Begins a text as a sentence begins.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// "Dunmere's", "Calverleigh Hospitals'"
fn whose(name: &str) -> String {
    if name.ends_with('s') { format!("{name}'") } else { format!("{name}'s") }
}

fn of_need(need: &OfNeed) -> String {
    format!("{} × {}", need.units, resource(&need.resource))
}

const fn need_end(state: NeedState) -> &'static str {
    match state {
        NeedState::Met => "is met",
        NeedState::Withdrawn => "was withdrawn",
        NeedState::Expired => "has expired",
        NeedState::Unmet => "went unmet",
        NeedState::ResolvedOutside => "was resolved outside Fallow",
        NeedState::Open
        | NeedState::Proposed
        | NeedState::PartAgreed
        | NeedState::Agreed
        | NeedState::OnHold => "goes on",
    }
}

const fn moved(state: TransferState) -> &'static str {
    match state {
        TransferState::Planned => "Planned",
        TransferState::Ready => "Ready to move",
        TransferState::InTransit => "On the way",
        TransferState::Arrived => "Arrived",
        TransferState::Completed => "Completed",
        TransferState::RepatriationDue => "Return is due",
        TransferState::Repatriating => "On the way back",
        TransferState::Repatriated => "Returned home",
        TransferState::Deployed => "Deployed",
        TransferState::Extended => "Stay extended",
        TransferState::Returned => "Returned",
        TransferState::Aborted => "Aborted",
    }
}

fn alerted(alert: &Alert) -> String {
    let text = alert.text.as_str();
    match (alert.rule, alert.state) {
        (_, AlertState::Raised) => text.to_owned(),
        (_, AlertState::Taken) => {
            let by = alert.taken_by.as_ref().map(|by| format!(" by {}", by.role.in_words()));
            format!("Taken{}: {text}", by.unwrap_or_default())
        }
        (_, AlertState::Closed) if alert.closed_by.is_some() => {
            let note = if alert.note.is_empty() {
                String::new()
            } else {
                format!(" {}", sentence(alert.note.as_str()))
            };
            format!("Closed: {text}{note}")
        }
        // Nothing came: the note says what became of it instead.
        (_, AlertState::Closed) if !alert.note.is_empty() => {
            format!("{} It was: {text}", sentence(alert.note.as_str()))
        }
        (Rule::FeedSilent, AlertState::Closed) => format!("Reporting again. It was: {text}"),
        (
            Rule::TrustPressure
            | Rule::RegionNet
            | Rule::NeedUnserved
            | Rule::TransferOverdue
            | Rule::OfferShort
            | Rule::RecordUnreadable
            | Rule::ActionWaits
            | Rule::GlassBroken
            | Rule::StoreCaveat,
            AlertState::Closed,
        ) => format!("Over: {text}"),
    }
}

/// Ends a text as a sentence ends.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
#[path = "sentence_tests.rs"]
mod tests;
