//! What the page of approvals shows, worked out from the records.

use std::collections::BTreeMap;

use askama::Template;
use fallow_api::v1::{Need, Proposal, Region};

use super::super::actions::{between, is_incident_between, what};
use super::super::proposals::{Why, asked};
use crate::app::Visit;
use crate::directory::{Desk, Directory};
use crate::form::Fields;
use crate::words::codes::{self, Tag};
use crate::words::time::from_wire;

/// The id of the reason in the form that was sent.
pub(super) const REASON: &str = "reason";

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "approvals/board.html")]
pub(super) struct Board {
    csrf: String,
    /// Those that the viewer may decide, the first to lapse first.
    ours: Vec<Row>,
    /// Those that somebody else must decide.
    others: Vec<Row>,
}

/// One proposal that waits for an approval.
struct Row {
    id: String,
    /// The end of the id, of which the names of the row's controls are made.
    key: String,
    revision: i64,
    what: String,
    trusts: String,
    /// Who must approve.
    role: String,
    left: Option<String>,
    until: String,
    needed_by: Option<String>,
    /// Who pays, where the need says so.
    funding: String,
    /// What each trust has said, and whom to ring there.
    sides: Vec<(String, Tag, Option<Desk>)>,
    why: Option<Why>,
    /// Whether it is for another role, and gold may decide because there is an incident.
    is_for_gold: bool,
    /// The reason that was sent and not taken, where that was of this proposal.
    sent: Option<String>,
    /// The id of the reason's control.
    control: String,
}

impl Board {
    pub(super) fn new(
        visit: &Visit,
        directory: &Directory,
        region: &Region,
        proposals: &[Proposal],
        needs: &BTreeMap<String, Need>,
        fields: &Fields,
    ) -> Self {
        let role = visit.viewer().role.as_str();
        let mut board = Self { csrf: visit.signed.csrf.clone(), ours: Vec::new(), others: Vec::new() };
        for proposal in proposals {
            let named = proposal.authority.as_ref().map_or("", |authority| authority.role.as_str());
            let is_for_gold = role == "gold" && named != role && is_incident_between(region, proposal);
            let mut row = Row::new(visit, directory, proposal, needs.get(&proposal.need), named, is_for_gold);
            if fields.text("proposal") == proposal.id && fields.has("reason") {
                (row.sent, row.control) = (Some(fields.text("reason").to_owned()), REASON.to_owned());
            }
            if named == role || is_for_gold { board.ours.push(row) } else { board.others.push(row) }
        }
        board
    }
}

impl Row {
    fn new(
        visit: &Visit,
        directory: &Directory,
        proposal: &Proposal,
        need: Option<&Need>,
        role: &str,
        is_for_gold: bool,
    ) -> Self {
        let now = &visit.now;
        let until = from_wire(proposal.held_until.as_ref());
        let paid = need.map(|need| [need.funding_route.as_str(), need.cost_centre.as_str()]);
        let paid: Vec<&str> = paid.into_iter().flatten().filter(|one| !one.is_empty()).collect();
        let said = |(trust, answer): (&str, fallow_api::v1::Answer)| {
            let phone = match &proposal.team {
                _ if trust == proposal.home_trust => &proposal.home_phone,
                _ if trust == proposal.supporting_trust => &proposal.supporting_phone,
                Some(team) => &team.phone,
                None => "",
            };
            let desk = Desk::new(directory.trust(trust), phone);
            (directory.trust(trust).to_owned(), codes::answer_state(answer.state()), desk)
        };
        let key = proposal.id.get(proposal.id.len().saturating_sub(12)..).unwrap_or_default();
        Self {
            id: proposal.id.clone(),
            key: key.to_owned(),
            revision: proposal.revision,
            what: what(proposal, need),
            trusts: between(proposal, directory),
            role: codes::role(role),
            left: until.and_then(|until| now.left(until)),
            until: until.map(|until| now.clock(until)).unwrap_or_default(),
            needed_by: need.and_then(|need| from_wire(need.needed_by.as_ref())).map(|by| now.clock(by)),
            funding: paid.join(", "),
            sides: asked(proposal).map(said).collect(),
            why: Why::new(proposal, now, directory),
            is_for_gold,
            sent: None,
            control: format!("r{key}"),
        }
    }
}
