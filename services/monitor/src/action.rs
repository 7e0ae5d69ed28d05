//! Actions that need two people: one proposes, another in another role confirms, and it is done in the same commit.
//!
//! A second person may refuse it instead, and what broke glass is looked at again by a third: [`verdict`].
//!
//! What breaks glass (answering for a trust, bypassing a proposal without an incident) is decided by the same functions
//! as the trust's own answer; only who may, and how it is told, differ.

pub(crate) mod list;
pub(crate) mod verdict;

use fallow_api::convert::answer::{self, Speaks};
use fallow_api::convert::codes::Coded;
use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{Check, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::action::{Action, CONFIRM_WITHIN, Errand, OverrideReason, Said};
use fallow_domain::actor::{Actor, Role};
use fallow_domain::calendar::{WorkingCalendar, hold_until};
use fallow_domain::decide::action as decide;
use fallow_domain::decide::proposal::{self, Reply, SupportingReply, Terms};
use fallow_domain::ids::{ActionId, Label, Note, OfferId, ProposalId, TransferId, TrustCode};
use fallow_domain::monitor::kept::Kept;
use fallow_domain::monitor::sentence::Words;
use fallow_domain::policy::HoldTime;
use fallow_domain::proposal::Proposal;
use fallow_domain::records::Records;
use fallow_domain::refusal::{Refusal, reason};
use fallow_domain::region::file;
use fallow_domain::standing::Claim;
use fallow_ledger::Key;
use fallow_ledger::picture::Seen;
use fallow_ledger::record::{Record, action_key, override_claim_key, proposal_key, region_key};
use fallow_ledger::transact::{Done, Step, View};
use fallow_live::call::{Call, new_id};
use fallow_live::mutate::Mutation;

use crate::apply::{self, Held};
use crate::chronicle::may_see_action;
use crate::diff;
use crate::grpc::change_to_wire;
use crate::kept::action_of;
use crate::timeline::clock;

/// Longest region file of an action, in bytes: it is kept with the action, and the limit of a record holds.
const FILE_BYTES_MAX: usize = 512 * 1024;
/// By when what broke glass is looked at again.
const REVIEW_WITHIN: HoldTime = HoldTime::WorkingDays(2);

/// Parses an action that is proposed. Everything that is wrong with it is named at once.
///
/// # Errors
/// Violations; [`Failure::NotFound`] when the proposal, or the trust it is done for, is not the caller's to know.
pub(crate) fn parse(call: &Call, message: &v1::ProposeActionRequest) -> Result<(Mutation, Action), Failure> {
    let mut check = Check::new("");
    let wire = check.required("action", message.action.as_ref()).cloned().unwrap_or_default();
    let reason: Note = check.text("action.reason", &wire.reason);
    let code = check.optional_coded::<OverrideReason>("action.code", wire.code);
    let mutation = call.asked("ProposeAction", &mut check, message, None);
    let errand = errand(call, &mut check, &wire)?;
    if let Some((errand, _)) = &errand
        && !errand.breaks_glass()
    {
        if code.is_some() {
            check.wrong(
                "action.code",
                reasons::NOT_APPLICABLE,
                "goes with what is done for or around a trust",
            );
        }
        if reason.as_str().trim().is_empty() {
            check.wrong("action.reason", reasons::REQUIRED, "must be given");
        }
    }
    let id = ActionId::parse(&new_id()).ok();
    let (((mutation, (errand, trusts)), id), reason) =
        check.finish(mutation.zip(errand).zip(id).zip(Some(reason)))?;
    let action = Action {
        id,
        errand,
        trusts,
        code,
        reason,
        proposed_by: call.actor.clone(),
        proposed_at: call.at,
        expires_at: call.at.saturating_add(CONFIRM_WITHIN).unwrap_or(call.at),
        previous: None,
        confirmed: None,
        refused: None,
        reviewed: None,
    };
    Ok((mutation, action))
}

/// Parses what is to be done, and finds out whom it concerns.
fn errand(
    call: &Call,
    check: &mut Check<'_>,
    wire: &v1::Action,
) -> Result<Option<(Errand, Vec<TrustCode>)>, Failure> {
    use v1::action::Call as Wire;
    let Some(asked) = &wire.call else {
        check.wrong("action.call", reasons::REQUIRED, "must be an answer, a bypass or a region file");
        return Ok(None);
    };
    if !wire.for_trust.is_empty() && !matches!(asked, Wire::AnswerProposal(_)) {
        check.wrong("action.for_trust", reasons::NOT_APPLICABLE, "goes with an answer");
    }
    Ok(match asked {
        Wire::AnswerProposal(said) => {
            let trust = check.trust("action.for_trust", &wire.for_trust, &call.region.region);
            let id = check.id("action.answer_proposal.proposal", &said.proposal, ProposalId::parse);
            let note: Note = check.text("action.answer_proposal.note", &said.note);
            let Some((id, for_trust)) = id.zip(trust) else { return Ok(None) };
            let found = joins(call, &id)?;
            knows(call, &id, &found)?;
            if !found.trusts().any(|trust| trust == for_trust) {
                check.wrong("action.for_trust", reasons::NOT_APPLICABLE, "has no side of this proposal");
                return Ok(None);
            }
            let mut said_check = Check::new("action.answer_proposal");
            let reply = answer::reply(&mut said_check, said, Speaks::of(&found, for_trust));
            let reply = said_check.finish(reply).map_err(|wrong| check.add(wrong)).ok();
            if reply.is_some_and(changes_figures) {
                let text = "two people answer yes or no, and leave the trust's figures alone";
                check.wrong("action.answer_proposal.verdict", reasons::NOT_APPLICABLE, text);
            }
            let errand = |reply| Errand::Answer { proposal: id, for_trust, reply, note };
            reply.map(|reply| (errand(reply), found.trusts().collect()))
        }
        Wire::BypassProposal(asked) => {
            let id = check.id("action.bypass_proposal.proposal", &asked.proposal, ProposalId::parse);
            let because: Note = check.required_text("action.bypass_proposal.reason", &asked.reason);
            let field = "action.bypass_proposal.offer";
            if !asked.offer.is_empty() && check.id(field, &asked.offer, OfferId::parse).is_some() {
                let text = "the engine proposes the next best offer itself";
                check.wrong(field, reasons::NOT_APPLICABLE, text);
            }
            let Some(id) = id else { return Ok(None) };
            let found = joins(call, &id)?;
            knows(call, &id, &found)?;
            Some((Errand::Bypass { proposal: id, because }, found.trusts().collect()))
        }
        Wire::ApplyRegion(asked) if asked.toml.len() > FILE_BYTES_MAX => {
            let text = format!("must have at most {FILE_BYTES_MAX} bytes");
            check.wrong("action.apply_region.toml", reasons::OUT_OF_RANGE, text);
            None
        }
        Wire::ApplyRegion(asked) => {
            // What is wrong with a file is said to who proposes it, and not to who confirms it.
            apply::checked(&call.live, &asked.toml, call.at)?;
            Some((Errand::Region { toml: asked.toml.clone() }, Vec::new()))
        }
    })
}

/// Says whether an answer does more than say yes or no.
fn changes_figures(reply: Reply) -> bool {
    match reply {
        Reply::Supporting(said) | Reply::Team(said) => match said {
            SupportingReply::Accept { .. } => false,
            SupportingReply::Provisional => true,
            SupportingReply::Decline { set_free, .. } => set_free.is_some(),
        },
        Reply::Home(_) => false,
    }
}

/// Returns a proposal as the picture has it.
fn joins(call: &Call, id: &ProposalId) -> Result<Proposal, Failure> {
    Ok(call.live.find("proposal", &proposal_key(id), Record::proposal)?.0)
}

/// Checks that a proposal is somebody's business: who sees it, and who coordinates a collaborative of one of its trusts.
fn knows(call: &Call, id: &ProposalId, found: &Proposal) -> Result<(), Failure> {
    let viewer = call.viewer();
    let coordinates = viewer.actor.role == Role::Coordinator
        && viewer.sees_anything()
        && found.trusts().all(|trust| viewer.knows_trust(trust));
    if coordinates || viewer.proposal(found).is_some() {
        return Ok(());
    }
    Err(Failure::NotFound { record: "proposal", id: id.to_string() })
}

/// Keeps an action until its second person.
///
/// # Errors
/// What [`decide::propose`] refuses; as [`fallow_live::Live::mutate`].
pub(crate) async fn propose(call: &Call, mutation: &Mutation, action: Action) -> Result<Now, Failure> {
    let done = keep(call, mutation, &action).await?;
    Ok(Now::after(call, mutation, &done, action))
}

/// An action as it is after a change. The ledger remembers its id alone: a file is too long for an answer.
pub(crate) struct Now {
    /// The action.
    pub(crate) action: Action,
    /// The revision to answer with.
    pub(crate) revision: u64,
}

impl Now {
    fn after(call: &Call, mutation: &Mutation, done: &Done<ActionId>, written: Action) -> Self {
        let key = action_key(&done.answer);
        let first = call.live.find("action", &key, action_of).ok().filter(|_| done.replayed);
        let action = first.map_or(written, |(first, _)| first);
        Self { action, revision: call.revision(done, &key, mutation.validate_only) }
    }
}

async fn keep(call: &Call, mutation: &Mutation, action: &Action) -> Result<Done<ActionId>, Failure> {
    let (key, claim) = (action_key(&action.id), override_claim_key(&action.proposed_by.subject));
    if !action.errand.breaks_glass() {
        decide::propose(action, [])?;
        let one = call.live.mutate(mutation, vec![key.clone()], |_| {
            Ok(Step::Write { writes: vec![(key.clone(), Some(kept(action)))], answer: action.id.clone() })
        });
        return one.await;
    }
    let done = call.live.mutate(mutation, vec![key.clone(), claim.clone()], |view| {
        let before = match chain(view, &claim) {
            Ok(before) => before,
            Err(missing) => return Ok(Step::Read(vec![missing])),
        };
        decide::propose(action, before.iter().copied())?;
        let previous = before.first().map(|last| last.id.clone());
        let action = Action { previous, ..action.clone() };
        let holder = Label::parse(&key.id).unwrap_or_default();
        let claims = Record::Claim(Claim { holder });
        let writes = vec![(key.clone(), Some(kept(&action))), (claim.clone(), Some(claims))];
        Ok(Step::Write { writes, answer: action.id })
    });
    done.await
}

/// Returns what the person of a claim has proposed before, the last two, newest first; or which record must be read too.
fn chain<'v>(view: &'v View, claim: &Key) -> Result<Vec<&'v Action>, Key> {
    let mut next = match view.get(claim) {
        Some(Record::Claim(claim)) => {
            claim.holder.as_str().strip_prefix("action/").and_then(|id| ActionId::parse(id).ok())
        }
        Some(_) | None => None,
    };
    let mut found = Vec::new();
    while let Some(id) = next.filter(|_| found.len() < fallow_domain::action::OVERRIDES_MAX) {
        let key = action_key(&id);
        if !view.has_read(&key) {
            return Err(key);
        }
        let action = view.get(&key).and_then(action_of);
        found.extend(action);
        next = action.and_then(|action| action.previous.clone());
    }
    Ok(found)
}

fn kept(action: &Action) -> Record {
    Record::Monitor(Box::new(Kept::Action(Box::new(action.clone()))))
}

/// Parses a confirmation, and finds the action that the caller may know.
///
/// # Errors
/// Violations; [`Failure::NotFound`].
pub(crate) async fn parse_confirm(
    call: &Call,
    message: &v1::ConfirmActionRequest,
) -> Result<(Mutation, Action), Failure> {
    let mut check = Check::new("");
    let id = check.id("action", &message.action, ActionId::parse);
    let mutation = call.asked("ConfirmAction", &mut check, message, id.as_ref().map(action_key));
    let (mutation, id) = check.finish(mutation.zip(id))?;
    let (found, _) = known(call, &id).await?;
    Ok((mutation, found))
}

/// Finds an action that the caller may know, and the record it is in.
///
/// # Errors
/// [`Failure::NotFound`], whether it is not there or not theirs.
async fn known(call: &Call, id: &ActionId) -> Result<(Action, Seen), Failure> {
    call.live.hear_of(&action_key(id)).await?;
    let (found, seen) = call.live.find("action", &action_key(id), action_of)?;
    if !may_know(call, &found) {
        return Err(Failure::NotFound { record: "action", id: id.to_string() });
    }
    Ok((found, seen))
}

/// Reads one action.
///
/// # Errors
/// Violations; [`Failure::NotFound`].
pub(crate) async fn get(call: &Call, message: &v1::GetActionRequest) -> Result<v1::Action, Failure> {
    let mut check = Check::new("");
    let id = check.id("action", &message.action, ActionId::parse);
    let id = check.finish(id)?;
    let (found, seen) = known(call, &id).await?;
    Ok(with_changes(call, to_wire(call, &found, seen.revision.0)))
}

/// Confirms an action and carries it out, in one commit.
///
/// # Errors
/// What [`decide::confirm`] refuses, and what refuses the call that is carried out; as [`fallow_live::Live::mutate`].
pub(crate) async fn confirm(
    call: &Call,
    mutation: &Mutation,
    found: &Action,
    calendar: &WorkingCalendar,
) -> Result<Now, Failure> {
    let key = action_key(&found.id);
    let region = region_key(call.live.region_id());
    let review_by = hold_until(call.at, REVIEW_WITHIN, calendar).ok();
    let transfer = TransferId::parse(&new_id())
        .map_err(|error| Refusal::new(reason::OUT_OF_RANGE, error.to_string()))?;
    let after = match &found.errand {
        Errand::Region { toml } => Some(apply::checked(&call.live, toml, call.at)?),
        Errand::Answer { .. } | Errand::Bypass { .. } => None,
    };
    let roots: Vec<Key> = found.errand.proposal().map(proposal_key).into_iter().collect();
    let beside = vec![key.clone(), region.clone()];
    let mut now = found.clone();
    let done = call.live.decide_beside(mutation, roots, beside, |view, read| {
        let missing = || Failure::NotFound { record: "action", id: found.id.to_string() };
        let waiting = view.get(&key).and_then(action_of).ok_or_else(missing)?;
        let confirmed = decide::confirm(waiting, &call.actor, call.at, review_by)?;
        // Who confirms stands for it as much as who proposed, and so must know as much of it: all its trusts, not one.
        if let Some(id) = confirmed.errand.proposal() {
            let proposal = read.proposals.get(id).ok_or_else(missing)?;
            knows(call, id, proposal).map_err(|_| missing())?;
        }
        let mut writes = vec![(key.clone(), Some(kept(&confirmed)))];
        let changes = match (&confirmed.errand, &after) {
            (Errand::Region { toml }, Some(after)) => {
                check_base(waiting, view, &region)?;
                match apply::hold(&call.live, mutation, view, toml, after)? {
                    Held::Same { .. } => {}
                    Held::Next { state, .. } => writes.push((region.clone(), Some(Record::Region(state)))),
                }
                Records::default()
            }
            (Errand::Region { .. }, None) => return Err(missing()),
            (Errand::Answer { .. } | Errand::Bypass { .. }, _) => {
                carry_out(call, &confirmed, read, &transfer, calendar)?
            }
        };
        now = confirmed;
        Ok((changes, writes, found.id.clone()))
    });
    let done = done.await?;
    Ok(Now::after(call, mutation, &done, now))
}

/// Checks that the file of an action still follows the one over which it was written: it would undo what another has
/// changed since.
fn check_base(action: &Action, view: &View, region: &Key) -> Result<(), Failure> {
    match view.get(region) {
        Some(Record::Region(state)) if state.applied_at > action.proposed_at => {
            Err(Failure::ChangedMeanwhile { current: Some(view.revision(region).0) })
        }
        Some(_) | None => Ok(()),
    }
}

/// Carries out what is done for a trust, or around it.
fn carry_out(
    call: &Call,
    action: &Action,
    read: &Records,
    transfer: &TransferId,
    calendar: &WorkingCalendar,
) -> Result<Records, Refusal> {
    match &action.errand {
        Errand::Answer { proposal: id, for_trust, reply, note } => {
            let region = &call.region.region;
            let found = read.proposals.get(id);
            let is_incident = found
                .is_some_and(|found| region.is_incident_between(found.home_trust, found.supporting_trust));
            let terms = Terms {
                in_force: region.policy.in_force(is_incident),
                calendar,
                turnover_minutes: region.policy.turnover_minutes,
            };
            let people = [&action.proposed_by, &call.actor];
            proposal::answer_for(read, id, *reply, note, transfer, &terms, (*for_trust, people), call.at)
        }
        Errand::Bypass { proposal: id, because } => {
            // Two people stand for the incident that gold alone would need.
            let acting = Actor { role: Role::Gold, trust: None, ..call.actor.clone() };
            proposal::bypass(read, id, because, true, &acting, call.at)
        }
        Errand::Region { .. } => Ok(Records::default()),
    }
}

/// Adds what a region file would change, where its text is told.
pub(crate) fn with_changes(call: &Call, mut told: v1::Action) -> v1::Action {
    if let Some(v1::action::Call::ApplyRegion(asked)) = &told.call {
        // What this version cannot read any more has no difference, and is refused when it is confirmed.
        let after = file::parse(&asked.toml).ok().filter(|_| told.state() == v1::action::State::Proposed);
        let before = file::parse(&call.region.state.toml).ok();
        let changes = after.map(|after| diff::remembered(&diff::between(before.as_ref(), &after)));
        told.changes = changes.unwrap_or_default().into_iter().map(change_to_wire).collect();
    }
    told
}

/// Says whether an action is the caller's to know. Whoever runs the platform knows of files alone.
fn may_know(call: &Call, action: &Action) -> bool {
    let viewer = call.viewer();
    let is_file = !action.errand.breaks_glass();
    may_see_action(&viewer, action)
        || (is_file && matches!(viewer.actor.role, Role::PlatformAdmin | Role::Coordinator))
}

/// Writes an action for the wire as it is at the time of a call. A file is shown to those who may confirm it.
pub(crate) fn to_wire(call: &Call, action: &Action, revision: u64) -> v1::Action {
    use v1::action::Call as Wire;
    let clock = clock(&call.region.region);
    let words = Words { region: &call.region.region, time: &clock };
    let wire = match &action.errand {
        Errand::Answer { proposal, reply, note, .. } => {
            Wire::AnswerProposal(answer::to_wire(proposal.as_str(), *reply, note.as_str()))
        }
        Errand::Bypass { proposal, because } => Wire::BypassProposal(v1::BypassProposalRequest {
            proposal: proposal.to_string(),
            reason: because.to_string(),
            ..v1::BypassProposalRequest::default()
        }),
        Errand::Region { toml } => {
            let takes_part = action.errand.roles().contains(&call.actor.role);
            let toml = if takes_part { toml.clone() } else { String::new() };
            Wire::ApplyRegion(v1::ApplyRegionRequest { toml, ..v1::ApplyRegionRequest::default() })
        }
    };
    let confirmed = action.confirmed.as_ref();
    let (refused, reviewed) = (action.refused.as_ref(), action.reviewed.as_ref());
    let role = |said: Option<&Said>| said.map(|said| said.by.role.to_string()).unwrap_or_default();
    let note = |said: Option<&Said>| said.map(|said| said.note.to_string()).unwrap_or_default();
    v1::Action {
        id: action.id.to_string(),
        call: Some(wire),
        for_trust: action.for_trust().map(|trust| trust.to_string()).unwrap_or_default(),
        reason: action.reason.to_string(),
        proposed_by: action.proposed_by.role.to_string(),
        proposed_at: Some(time::to_wire(action.proposed_at)),
        expires_at: Some(time::to_wire(action.expires_at)),
        state: action.state(call.at).to_wire(),
        revision: number_to_wire(revision),
        code: action.code.map(Coded::to_wire).unwrap_or_default(),
        trusts: action.trusts.iter().map(ToString::to_string).collect(),
        confirmed_by: confirmed.map(|one| one.by.role.to_string()).unwrap_or_default(),
        confirmed_at: confirmed.map(|one| time::to_wire(one.at)),
        review_by: confirmed.and_then(|one| one.review_by).map(time::to_wire),
        text: words.acted(action, call.at),
        breaks_glass: action.errand.breaks_glass(),
        changes: Vec::new(),
        refused_by: role(refused),
        refused_at: refused.map(|said| time::to_wire(said.at)),
        refused_because: note(refused),
        reviewed_by: role(reviewed),
        reviewed_at: reviewed.map(|said| time::to_wire(said.at)),
        review_note: note(reviewed),
    }
}
