//! What happened: the one place where a change of records becomes something that a person would want to know.

mod proposals;
mod questions;

use jiff::Timestamp;

use super::kept::{Alert, AlertState, Decision, Kept, SignOff};
use super::rules::Rule;
use crate::action::Action;
use crate::actor::{Actor, Role};
use crate::ids::{CollaborativeId, NeedId, Note, ProposalId, TransferId, TrustCode};
use crate::lifecycle::Party;
use crate::lifecycle::proposal::AnswerState;
use crate::need::{Need, NeedState};
use crate::offer::Offer;
use crate::proposal::{Proposal, ProposalState};
use crate::region::Mode;
use crate::resource::{ResourceKey, coded};
use crate::standing::{RegionState, TrustState};
use crate::transfer::{AbortCode, Transfer, TransferState};

coded!(
    /// What sort of thing happened.
    Sort {
        /// A decision of gold.
        Decision = "decision",
        /// An alert.
        Alert = "alert",
        /// A feed fell silent or came back.
        Feed = "feed",
        /// A proposal or transfer.
        Transfer = "transfer",
        /// A mode or the region file changed.
        Region = "region",
        /// A trust declared an OPEL level.
        Pressure = "pressure",
        /// A need was raised or ended.
        Need = "need",
    }
);

/// One change of the ledger, as far as the monitor looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: &'a Actor,
    /// What it wrote.
    pub items: &'a [Item<'a>],
}

/// A record before and after a change; `None` where there was or is none, and before also where it is not known.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// An offer.
    Offer(Option<&'a Offer>, Option<&'a Offer>),
    /// A need.
    Need(Option<&'a Need>, Option<&'a Need>),
    /// A proposal.
    Proposal(Option<&'a Proposal>, Option<&'a Proposal>),
    /// A transfer.
    Transfer(Option<&'a Transfer>, Option<&'a Transfer>),
    /// What a trust said of itself.
    Trust(Option<&'a TrustState>, Option<&'a TrustState>),
    /// The region file and the modes.
    Region(Option<&'a RegionState>, Option<&'a RegionState>),
    /// A record of the monitor.
    Monitor(Option<&'a Kept>, Option<&'a Kept>),
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// The role that did it.
    pub by: Role,
    /// What.
    pub what: What,
}

/// A need, as far as it is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfNeed {
    /// Its id.
    pub id: NeedId,
    /// Its home trust.
    pub trust: TrustCode,
    /// What is needed.
    pub resource: ResourceKey,
    /// Of how many.
    pub units: u32,
    /// Deprivation, 1 (most deprived) to 10; `None` = not known.
    pub imd_decile: Option<u8>,
}

/// A proposal or transfer, as far as it is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The proposal.
    pub proposal: ProposalId,
    /// The transfer, once there is one.
    pub transfer: Option<TransferId>,
    /// The need.
    pub need: NeedId,
    /// Who needs.
    pub home: TrustCode,
    /// Who gives.
    pub supporting: TrustCode,
    /// Who lends a team.
    pub third: Option<TrustCode>,
    /// What; `None` where the change does not say.
    pub resource: Option<ResourceKey>,
    /// How many.
    pub units: u32,
}

/// What a trust is asked about what it has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Whether the figures of its offers are still true.
    StillTrue,
    /// Whether its needs still stand.
    StillStands,
}

/// Why a decline came late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// The other side had said yes.
    ReliedOn,
    /// It had not, and less than a third of the hold was left.
    LittleTimeLeft,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A need was raised.
    NeedRaised {
        /// The need.
        need: OfNeed,
        /// By when.
        needed_by: Option<Timestamp>,
    },
    /// All units of a need are agreed.
    NeedAgreed {
        /// The need.
        need: OfNeed,
        /// Whole minutes from raising to agreement.
        minutes: Option<u64>,
        /// Whether it was not past its needed-by.
        in_time: bool,
    },
    /// A need ended.
    NeedEnded {
        /// The need.
        need: OfNeed,
        /// How.
        state: NeedState,
    },
    /// A home trust put its need aside for a while.
    NeedParked {
        /// The need.
        need: OfNeed,
        /// When it is to be looked at again.
        review_at: Option<Timestamp>,
        /// Why; empty = not said.
        because: Note,
    },
    /// A need that was put aside is looked for again.
    NeedResumed {
        /// The need.
        need: OfNeed,
    },
    /// A home trust said that its need still stands.
    NeedStands {
        /// The need.
        need: OfNeed,
        /// Whether the patient is willing to be treated elsewhere.
        consented: bool,
        /// Whether the patient is fit for it.
        fit: bool,
    },
    /// Somebody asked a trust about what it has said.
    Asked {
        /// The trust that is asked.
        of: TrustCode,
        /// The trust that asks; `None` = who asks stands above trusts.
        by: Option<TrustCode>,
        /// What is asked.
        question: Question,
        /// About which resource.
        resource: ResourceKey,
        /// About how many offers or needs.
        about: u32,
    },
    /// Units were held for a proposal.
    Proposed(Pair),
    /// A trust, or an authority, answered.
    Answered {
        /// Of which proposal.
        pair: Pair,
        /// For which side; `None` for an authority.
        side: Option<Party>,
        /// What the answer now is; PENDING when one was taken back.
        answer: AnswerState,
        /// Whether a standing agreement answered.
        by_agreement: bool,
    },
    /// A trust gave a proposal more time.
    Extended {
        /// Which proposal.
        pair: Pair,
        /// For which side.
        side: Party,
        /// Until when it is held now.
        until: Timestamp,
    },
    /// A proposal ended without agreement.
    ProposalEnded {
        /// Which.
        pair: Pair,
        /// How.
        state: ProposalState,
        /// Who declined; the authority where it refused.
        side: Option<Party>,
        /// Why: a decline code, `REFUSED`, `NO_ANSWER`, or empty.
        code: &'static str,
        /// In words.
        because: Note,
        /// Why a decline came late, where it did.
        late: Option<Late>,
    },
    /// Both said yes: a transfer was made.
    Agreed(Pair),
    /// A transfer went on.
    Moved {
        /// Which.
        pair: Pair,
        /// To what.
        state: TransferState,
        /// Whether its return was put to an earlier time than the one that was planned.
        is_earlier: bool,
    },
    /// A transfer was aborted.
    Aborted {
        /// Which.
        pair: Pair,
        /// Why.
        code: Option<AbortCode>,
    },
    /// A trust declared an OPEL level.
    Declared {
        /// Which trust.
        trust: TrustCode,
        /// The level.
        opel: u8,
        /// The level that it had declared before.
        before: Option<u8>,
    },
    /// Gold switched a collaborative's mode.
    ModeSwitched {
        /// Which collaborative.
        collaborative: CollaborativeId,
        /// To what.
        mode: Mode,
        /// Why.
        reason: Note,
    },
    /// A region file was applied.
    RegionApplied {
        /// Which, counted from 1.
        version: u64,
    },
    /// Gold decided.
    Decided(Box<Decision>),
    /// An alert was raised, taken or closed.
    Alerted(Box<Alert>),
    /// An action that needs two people was proposed or confirmed.
    Acted(Box<Action>),
    /// A situation report was signed off.
    SignedOff {
        /// As of when it is.
        as_of: Timestamp,
        /// How the signatory is called; empty = by the role.
        signatory: String,
    },
}

impl What {
    /// Returns what sort of thing it is.
    #[must_use]
    pub fn sort(&self) -> Sort {
        match self {
            Self::NeedRaised { .. }
            | Self::NeedAgreed { .. }
            | Self::NeedEnded { .. }
            | Self::NeedParked { .. }
            | Self::NeedResumed { .. }
            | Self::NeedStands { .. }
            | Self::Asked { question: Question::StillStands, .. } => Sort::Need,
            Self::Asked { question: Question::StillTrue, .. } => Sort::Feed,
            Self::Proposed(_)
            | Self::Answered { .. }
            | Self::Extended { .. }
            | Self::ProposalEnded { .. }
            | Self::Agreed(_)
            | Self::Moved { .. }
            | Self::Aborted { .. } => Sort::Transfer,
            Self::Declared { .. } => Sort::Pressure,
            Self::ModeSwitched { .. } | Self::RegionApplied { .. } => Sort::Region,
            Self::Decided(_) | Self::Acted(_) | Self::SignedOff { .. } => Sort::Decision,
            Self::Alerted(alert) if alert.rule == Rule::FeedSilent => Sort::Feed,
            Self::Alerted(_) => Sort::Alert,
        }
    }

    /// Returns the need that it is about, where it is about one of itself.
    #[must_use]
    pub const fn need(&self) -> Option<&OfNeed> {
        match self {
            Self::NeedRaised { need, .. }
            | Self::NeedAgreed { need, .. }
            | Self::NeedEnded { need, .. }
            | Self::NeedParked { need, .. }
            | Self::NeedResumed { need }
            | Self::NeedStands { need, .. } => Some(need),
            Self::Asked { .. }
            | Self::Proposed(_)
            | Self::Answered { .. }
            | Self::Extended { .. }
            | Self::ProposalEnded { .. }
            | Self::Agreed(_)
            | Self::Moved { .. }
            | Self::Aborted { .. }
            | Self::Declared { .. }
            | Self::ModeSwitched { .. }
            | Self::RegionApplied { .. }
            | Self::Decided(_)
            | Self::Alerted(_)
            | Self::Acted(_)
            | Self::SignedOff { .. } => None,
        }
    }

    /// Fills in what a pair is about where its change did not say so, as one that writes an answer alone does not.
    pub fn fill(&mut self, resource_of: impl FnOnce(&NeedId) -> Option<ResourceKey>) {
        match self {
            Self::Proposed(pair)
            | Self::Answered { pair, .. }
            | Self::Extended { pair, .. }
            | Self::ProposalEnded { pair, .. }
            | Self::Agreed(pair)
            | Self::Moved { pair, .. }
            | Self::Aborted { pair, .. } => {
                if pair.resource.is_none() {
                    pair.resource = resource_of(&pair.need);
                }
            }
            Self::NeedRaised { .. }
            | Self::NeedAgreed { .. }
            | Self::NeedEnded { .. }
            | Self::NeedParked { .. }
            | Self::NeedResumed { .. }
            | Self::NeedStands { .. }
            | Self::Asked { .. }
            | Self::Declared { .. }
            | Self::ModeSwitched { .. }
            | Self::RegionApplied { .. }
            | Self::Decided(_)
            | Self::Alerted(_)
            | Self::Acted(_)
            | Self::SignedOff { .. } => {}
        }
    }

    /// Returns the pair of trusts that it joins, where it joins one.
    #[must_use]
    pub const fn pair(&self) -> Option<&Pair> {
        match self {
            Self::Proposed(pair)
            | Self::Answered { pair, .. }
            | Self::Extended { pair, .. }
            | Self::ProposalEnded { pair, .. }
            | Self::Agreed(pair)
            | Self::Moved { pair, .. }
            | Self::Aborted { pair, .. } => Some(pair),
            Self::NeedRaised { .. }
            | Self::NeedAgreed { .. }
            | Self::NeedEnded { .. }
            | Self::NeedParked { .. }
            | Self::NeedResumed { .. }
            | Self::NeedStands { .. }
            | Self::Asked { .. }
            | Self::Declared { .. }
            | Self::ModeSwitched { .. }
            | Self::RegionApplied { .. }
            | Self::Decided(_)
            | Self::Alerted(_)
            | Self::Acted(_)
            | Self::SignedOff { .. } => None,
        }
    }
}

/// Returns everything that a change means to people, in the order in which it is told.
#[must_use]
pub fn of(step: &Step<'_>) -> Vec<Happened> {
    let mut found = questions::asked(step);
    for item in step.items {
        match item {
            Item::Offer(_, _) => {}
            Item::Need(before, after) => need(step, *before, *after, &mut found),
            Item::Proposal(before, Some(after)) => proposals::told(step, *before, after, &mut found),
            Item::Transfer(before, Some(after)) => transfer(step, *before, after, &mut found),
            Item::Trust(before, Some(after)) => trust(step, *before, after, &mut found),
            Item::Region(before, Some(after)) => region(step, *before, after, &mut found),
            Item::Monitor(before, Some(after)) => monitor(*before, after, &mut found),
            // What has left the live records has ended long before.
            Item::Proposal(_, None)
            | Item::Transfer(_, None)
            | Item::Trust(_, None)
            | Item::Region(_, None)
            | Item::Monitor(_, None) => {}
        }
    }
    found.into_iter().map(|what| Happened { at: step.at, by: step.by.role, what }).collect()
}

fn of_need(need: &Need) -> OfNeed {
    OfNeed {
        id: need.id.clone(),
        trust: need.trust,
        resource: need.resource.key(),
        units: need.units.get(),
        imd_decile: need.imd_decile,
    }
}

fn need(step: &Step<'_>, before: Option<&Need>, after: Option<&Need>, found: &mut Vec<What>) {
    let Some(after) = after else { return };
    let is_new = before.is_none() && after.raised_at == Some(step.at);
    if is_new {
        found.push(What::NeedRaised { need: of_need(after), needed_by: after.needed_by });
    }
    if let Some(before) = before {
        found.extend(questions::answered(before, after));
    }
    let Some(was) = before.map(|before| before.state).or(is_new.then_some(NeedState::Open)) else { return };
    if was == after.state {
        return;
    }
    if was == NeedState::OnHold && after.state.takes_part() {
        found.push(What::NeedResumed { need: of_need(after) });
    }
    match after.state {
        NeedState::Agreed => {
            let minutes = after.raised_at.map(|raised| step.at.duration_since(raised).as_mins());
            found.push(What::NeedAgreed {
                need: of_need(after),
                minutes: minutes.map(|minutes| u64::try_from(minutes).unwrap_or(0)),
                in_time: after.needed_by.is_none_or(|needed_by| step.at <= needed_by),
            });
        }
        NeedState::Met
        | NeedState::Withdrawn
        | NeedState::Expired
        | NeedState::Unmet
        | NeedState::ResolvedOutside => {
            found.push(What::NeedEnded { need: of_need(after), state: after.state });
        }
        NeedState::OnHold => found.push(What::NeedParked {
            need: of_need(after),
            review_at: after.review_at,
            // A reason becomes the need's note; one that stood there before is none.
            because: before
                .filter(|before| before.note != after.note)
                .map(|_| after.note.clone())
                .unwrap_or_default(),
        }),
        NeedState::Open | NeedState::Proposed | NeedState::PartAgreed => {}
    }
}

fn transfer(step: &Step<'_>, before: Option<&Transfer>, after: &Transfer, found: &mut Vec<What>) {
    let pair = Pair {
        proposal: after.proposal.clone(),
        transfer: Some(after.id.clone()),
        need: after.need.clone(),
        home: after.home_trust,
        supporting: after.supporting_trust,
        third: after.third_trust(),
        resource: Some(after.resource.key()),
        units: after.units.get(),
    };
    match before {
        None if after.agreed_at == step.at => found.push(What::Agreed(pair)),
        None => {}
        Some(before) if before.state == after.state && !is_put_off(before, after) => {}
        Some(_) if after.state == TransferState::Aborted => {
            found.push(What::Aborted { pair, code: after.aborted });
        }
        Some(before) => {
            let is_earlier = returns_at(before).zip(returns_at(after)).is_some_and(|(was, is)| is < was);
            found.push(What::Moved { pair, state: after.state, is_earlier });
        }
    }
}

/// Says whether a stay that had been extended before was given another end.
fn is_put_off(before: &Transfer, after: &Transfer) -> bool {
    after.state == TransferState::Extended && returns_at(before) != returns_at(after)
}

/// Returns when it is to go back, as far as that is planned.
fn returns_at(transfer: &Transfer) -> Option<Timestamp> {
    transfer.return_plan.as_ref().and_then(|plan| plan.due_at)
}

fn trust(step: &Step<'_>, before: Option<&TrustState>, after: &TrustState, found: &mut Vec<What>) {
    let was = before.and_then(|before| before.declared.as_ref());
    let is_new = |at: Timestamp| before.is_some() || at == step.at;
    if let Some(declared) = after.declared.as_ref().filter(|d| was != Some(d) && is_new(d.at)) {
        found.push(What::Declared {
            trust: after.ods,
            opel: declared.opel,
            before: was.map(|declared| declared.opel),
        });
    }
}

fn region(step: &Step<'_>, before: Option<&RegionState>, after: &RegionState, found: &mut Vec<What>) {
    if before.map_or(after.applied_at == step.at, |before| before.version != after.version) {
        found.push(What::RegionApplied { version: after.version });
        return;
    }
    for (id, change) in &after.modes {
        let is_new = before.is_some() || change.at == step.at;
        if is_new && before.and_then(|before| before.modes.get(id)) != Some(change) {
            found.push(What::ModeSwitched {
                collaborative: id.clone(),
                mode: change.mode,
                reason: change.reason.clone(),
            });
        }
    }
}

fn monitor(before: Option<&Kept>, after: &Kept, found: &mut Vec<What>) {
    match (before, after) {
        (None, Kept::Decision(decision)) => found.push(What::Decided(Box::new(decision.clone()))),
        (before, Kept::Alert(alert)) => {
            let was = before.and_then(|before| match before {
                Kept::Alert(alert) => Some(alert.state),
                Kept::Decision(_)
                | Kept::Action(_)
                | Kept::SignOff(_)
                | Kept::Rollup(_)
                | Kept::Position(_) => None,
            });
            let is_news = was != Some(alert.state);
            // What only the digest tells is no event of its own.
            if is_news && !(alert.digest && alert.state == AlertState::Raised) {
                found.push(What::Alerted(Box::new(alert.clone())));
            }
        }
        (before, Kept::Action(action)) => {
            let was = before.and_then(|before| match before {
                Kept::Action(action) => Some(action),
                Kept::Decision(_)
                | Kept::Alert(_)
                | Kept::SignOff(_)
                | Kept::Rollup(_)
                | Kept::Position(_) => None,
            });
            if was != Some(action) {
                found.push(What::Acted(action.clone()));
            }
        }
        (None, Kept::SignOff(SignOff { as_of, signatory, .. })) => {
            found.push(What::SignedOff { as_of: *as_of, signatory: signatory.to_string() });
        }
        (Some(_), Kept::Decision(_) | Kept::SignOff(_)) | (_, Kept::Rollup(_) | Kept::Position(_)) => {}
    }
}

#[cfg(test)]
#[path = "happened_tests.rs"]
mod tests;
