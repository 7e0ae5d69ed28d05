//! Reading proposals: one at once, the first to lapse first at one revision, watches.

use fallow_api::convert::{codes, request};
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::actor::{Actor, Role};
use fallow_domain::ids::ProposalId;
use fallow_domain::proposal::{Authority, Proposal, ProposalState};
use fallow_host::clock::Clock;
use fallow_ledger::record::Record;
use fallow_ledger::{RecordKind, Revision};
use fallow_live::Live;
use fallow_live::call::Call;
use fallow_live::visibility::Viewer;
use fallow_live::watch::{Told, Watching};
use futures::Stream;
use futures::future::Either;

use crate::verbs::{proposal_for, proposal_to_wire};
use crate::{incidents, reminders};

/// Reads one proposal, with the revision of the picture.
pub(crate) fn get(call: &Call, id: &ProposalId) -> Result<(v1::Proposal, u64), Failure> {
    let (found, revision) = proposal_for(call, id)?;
    Ok((proposal_to_wire(&call.live, &found, revision.0, call.at), call.live.picture().revision().0))
}

/// Lists a page of proposals, the first to lapse first.
pub(crate) fn list(
    call: &Call,
    request: &v1::ListProposalsRequest,
) -> Result<v1::ListProposalsResponse, Failure> {
    let filter = request.filter.clone().unwrap_or_default();
    let query = format!("ListProposals {:?} {:?} {filter:?}", call.actor.role, call.actor.trust);
    let page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let (records, revision) = {
        let still = call.live.picture().still();
        (still.all(RecordKind::Proposal), still.revision())
    };
    let mut found: Vec<(&Proposal, Revision)> = records
        .iter()
        .filter_map(|(_, seen)| seen.record.proposal().map(|proposal| (proposal, seen.revision)))
        .filter(|(proposal, _)| {
            call.viewer().proposal(proposal).is_some() && fits(&filter, proposal, &call.viewer())
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| (a.held_until, &a.id).cmp(&(b.held_until, &b.id)));
    let (found, next_page_token) = call.live.pages().cut(&page, &query, found);
    let proposals = found
        .into_iter()
        .map(|(found, revision)| proposal_to_wire(&call.live, found, revision.0, call.at))
        .collect();
    Ok(v1::ListProposalsResponse {
        proposals,
        next_page_token,
        revision: request::number_to_wire(revision.0),
    })
}

/// Starts a watch of proposals. Beside what changes it tells a proposal again that waits for its watcher's answer when a
/// reminder of it is due.
pub(crate) fn watch(
    call: Call,
    request: v1::WatchProposalsRequest,
    clock: Clock,
    stopping: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Stream<Item = Result<Told<v1::Proposal>, Failure>> + Send, Failure> {
    let picture = call.live.picture().clone();
    let filter = request.filter.unwrap_or_default();
    let role = call.actor.role;
    let (live, actor): (Live, Actor) = (call.live, call.actor);
    let looking = Looking { live, actor, filter, clock };
    let seeing = {
        let looking = looking.clone();
        move |record: &Record, revision: Revision| looking.see(record, revision)
    };
    let watching = Watching::start(&picture, RecordKind::Proposal, &request.cursor, seeing)?.for_role(role);
    // What waits for gold changes with a mode, too, and for nobody else.
    let told = if looking.filter.waiting_for_me && role == Role::Gold {
        let told = watching.and_of(RecordKind::Region).into_stream(stopping);
        Either::Left(incidents::followed(looking.clone(), request.cursor.clone(), told))
    } else {
        Either::Right(watching.into_stream(stopping))
    };
    Ok(reminders::told_again(looking, request.cursor, told))
}

/// Who watches proposals, and which.
#[derive(Clone)]
pub(crate) struct Looking {
    pub(crate) live: Live,
    pub(crate) actor: Actor,
    filter: v1::ProposalFilter,
    pub(crate) clock: Clock,
}

impl Looking {
    /// Returns what the watcher sees of a record. The region in force is looked at each time, for a watch outlives it.
    pub(crate) fn see(&self, record: &Record, revision: Revision) -> Option<v1::Proposal> {
        let region = self.live.region().ok()?;
        let viewer = Viewer { actor: &self.actor, region: &region.region };
        let found = record.proposal().filter(|found| fits(&self.filter, found, &viewer))?;
        let visible = viewer.proposal(found)?;
        Some(proposal_to_wire(&self.live, visible.get(), revision.0, self.clock.now()))
    }

    /// Says whether a proposal waits for the watcher's own answer.
    pub(crate) fn is_awaited(&self, found: &Proposal) -> bool {
        let region = self.live.region();
        region.is_ok_and(|region| waits_for(found, &Viewer { actor: &self.actor, region: &region.region }))
    }
}

fn fits(filter: &v1::ProposalFilter, found: &Proposal, viewer: &Viewer<'_>) -> bool {
    let any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|text| text == is);
    any(&filter.needs, found.need.as_str())
        && found.offers().any(|offer| any(&filter.offers, offer.as_str()))
        && found.trusts().any(|trust| any(&filter.trusts, trust.as_str()))
        && if filter.states.is_empty() {
            found.state == ProposalState::Held
        } else {
            filter.states.contains(&codes::Coded::to_wire(found.state))
        }
        && (!filter.waiting_for_me || waits_for(found, viewer))
}

/// Says whether a proposal waits for the viewer's own answer. In an incident gold may approve whoever is named.
fn waits_for(found: &Proposal, viewer: &Viewer<'_>) -> bool {
    let actor = viewer.actor;
    let authority = match &found.authority {
        Authority::Pending { role } => {
            *role == actor.role || (actor.role == Role::Gold && found.is_in_incident(viewer.region))
        }
        Authority::NotNeeded | Authority::Approved { .. } | Authority::Refused { .. } => false,
    };
    // A lead provider and a coordinator are of a trust, but do not answer for it.
    let trust = match actor.role {
        Role::TrustSystem | Role::BedManager | Role::SiteLead => actor.trust,
        Role::Coordinator
        | Role::Icb
        | Role::LeadProvider
        | Role::Engine
        | Role::Console
        | Role::Gold
        | Role::Auditor
        | Role::PlatformAdmin => None,
    };
    (found.state == ProposalState::Held && authority) || trust.is_some_and(|trust| found.waits_for(trust))
}
