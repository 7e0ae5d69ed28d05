//! What the page of two people shows, worked out from the records.

use std::collections::BTreeMap;

use askama::Template;
use fallow_api::v1::action::{Call, State};
use fallow_api::v1::{Action, Need, OverrideReason, Proposal, RegionChange};
use sha2::{Digest, Sha256};

use crate::app::{Visit, encoded};
use crate::directory::Directory;
use crate::session::Viewer;
use crate::words;
use crate::words::codes;
use crate::words::resource;
use crate::words::time::{Now, from_wire};

/// Live proposals that the page leads to, the first to lapse first; the rest are found by search.
pub(super) const PROPOSALS_SHOWN: usize = 50;
/// Changes of a file that are shown at once.
const CHANGES_SHOWN: usize = 200;

/// Who answers for a trust; a site lead for their own.
pub(super) const ANSWER_ROLES: [&str; 4] = ["site_lead", "coordinator", "icb", "lead_provider"];
/// Who bypasses a proposal, two of them without an incident.
pub(super) const BYPASS_ROLES: [&str; 4] = ["gold", "coordinator", "icb", "lead_provider"];
/// Who puts a region file in force.
pub(super) const REGION_ROLES: [&str; 2] = ["coordinator", "platform_admin"];

/// Who looks again at what broke glass, beside the site leads of the trusts that it concerns.
const REVIEW_ROLES: [&str; 4] = ["gold", "coordinator", "icb", "lead_provider"];

/// Why somebody acts for a trust, or around it, in the order of the form.
pub(super) const OVERRIDES: [(OverrideReason, &str); 4] = [
    (OverrideReason::SystemsDown, "The trust cannot reach Fallow"),
    (OverrideReason::CyberIncident, "The trust\u{2019}s own systems are under attack"),
    (OverrideReason::NobodyReachable, "Nobody who may answer can be reached"),
    (OverrideReason::RiskToLife, "Waiting would put a life at risk"),
];

/// Says whether there is a proposal that the viewer could act on with somebody else.
pub(super) fn takes_part_in_any(viewer: &Viewer) -> bool {
    let role = viewer.role.as_str();
    ANSWER_ROLES.contains(&role) || BYPASS_ROLES.contains(&role)
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "actions/board.html")]
pub(super) struct Board {
    csrf: String,
    waiting: Vec<Row>,
    /// What broke glass and nobody has looked at again.
    unreviewed: Vec<Row>,
    ended: Vec<Row>,
    proposals: Vec<Choice>,
    /// How many more live proposals there are than are shown.
    more: usize,
    /// Whether the viewer could act on a proposal.
    takes_part: bool,
}

/// One action.
struct Row {
    id: String,
    revision: i64,
    text: String,
    breaks_glass: bool,
    /// Names of the trusts it concerns.
    trusts: String,
    asked: String,
    why: String,
    /// Until when it can be confirmed, and how long that is.
    until: String,
    left: Option<String>,
    /// Address of the proposal that it is about.
    proposal: Option<String>,
    file: Option<FileShown>,
    can_confirm: bool,
    /// Why the viewer cannot.
    cannot: String,
    /// Whether the viewer may say that it is not to be done.
    can_refuse: bool,
    /// Whether the viewer may write down what they found when they looked at it again.
    can_review: bool,
    state: &'static str,
    ended: String,
    /// What the viewer wrote in the row's form, when it was refused, and what is wrong with it.
    said: Option<String>,
    error: Option<String>,
    /// Whether it was the viewer's role that asked, so that it may be theirs to take back.
    is_own: bool,
}

/// What somebody said of an action, which was refused.
pub(super) struct Said {
    pub(super) action: String,
    /// Whether it is a review, and no refusal.
    pub(super) is_review: bool,
    pub(super) text: String,
    /// What is wrong with it, as far as it is the text.
    pub(super) error: Option<String>,
}

/// A region file and what it changes.
pub(super) struct FileShown {
    /// Its SHA-256, in hexadecimal groups of eight.
    pub(super) hash: String,
    pub(super) lines: usize,
    pub(super) changes: Vec<Change>,
    /// How many more changes there are.
    pub(super) more: usize,
}

/// One change of a region file.
pub(super) struct Change {
    pub(super) what: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// A live proposal to act on.
struct Choice {
    address: String,
    what: String,
    trusts: String,
    until: String,
}

impl Board {
    pub(super) fn new(
        visit: &Visit,
        directory: &Directory,
        (waiting, all): (&[Action], &[Action]),
        proposals: &[Proposal],
        needs: &BTreeMap<String, Need>,
    ) -> Self {
        let row = |action: &Action| Row::new(action, &visit.now, visit.viewer(), directory);
        let (unreviewed, ended): (Vec<&Action>, Vec<&Action>) = all
            .iter()
            .filter(|action| action.state() != State::Proposed)
            .partition(|action| awaits_review(action));
        let choice = |proposal: &Proposal| Choice::new(proposal, &visit.now, directory, needs);
        Self {
            csrf: visit.signed.csrf.clone(),
            waiting: waiting.iter().map(row).collect(),
            unreviewed: unreviewed.into_iter().map(row).collect(),
            ended: ended.into_iter().map(row).collect(),
            proposals: proposals.iter().take(PROPOSALS_SHOWN).map(choice).collect(),
            more: proposals.len().saturating_sub(PROPOSALS_SHOWN),
            takes_part: takes_part_in_any(visit.viewer()),
        }
    }
}

impl Board {
    /// Puts what somebody said back into the form of its row; says whether that is still there.
    pub(super) fn say_again(&mut self, said: Said) -> bool {
        let rows = if said.is_review { &mut self.unreviewed } else { &mut self.waiting };
        let has_form = |row: &Row| if said.is_review { row.can_review } else { row.can_refuse };
        let Some(row) = rows.iter_mut().find(|row| row.id == said.action && has_form(row)) else {
            return false;
        };
        (row.said, row.error) = (Some(said.text), said.error);
        true
    }
}

impl Choice {
    fn new(proposal: &Proposal, now: &Now, directory: &Directory, needs: &BTreeMap<String, Need>) -> Self {
        let until = from_wire(proposal.held_until.as_ref());
        Self {
            address: address(&proposal.id),
            what: what(proposal, needs.get(&proposal.need)),
            trusts: between(proposal, directory),
            until: until.map(|until| now.clock(until)).unwrap_or_default(),
        }
    }
}

/// Returns the page of a proposal for those above its trusts.
fn address(proposal: &str) -> String {
    format!("/actions/proposal?id={}", encoded(proposal))
}

/// Says what a proposal is about, as far as its need is the viewer's to know.
pub(in crate::pages) fn what(proposal: &Proposal, need: Option<&Need>) -> String {
    match need.and_then(|need| need.resource.as_ref().map(|resource| (need, resource))) {
        Some((need, resource)) if need.case_ref.is_empty() => resource::phrase(resource, proposal.units),
        Some((need, resource)) => {
            format!("{}, {}", resource::phrase(resource, proposal.units), need.case_ref)
        }
        None => words::count(proposal.units, "unit", "units"),
    }
}

/// `Aldermoor supports Dunmere`.
pub(in crate::pages) fn between(proposal: &Proposal, directory: &Directory) -> String {
    let (supporting, home) =
        (directory.trust(&proposal.supporting_trust), directory.trust(&proposal.home_trust));
    format!("{supporting} supports {home}")
}

impl Row {
    fn new(action: &Action, now: &Now, viewer: &Viewer, directory: &Directory) -> Self {
        let at = |time: Option<&prost_types::Timestamp>| {
            from_wire(time).map(|at| now.clock(at)).unwrap_or_default()
        };
        let trusts: Vec<&str> = action.trusts.iter().map(|trust| directory.trust(trust)).collect();
        let expires = from_wire(action.expires_at.as_ref());
        let code = OVERRIDES.iter().find(|(code, _)| *code == action.code()).map_or("", |(_, words)| words);
        let proposal = match &action.call {
            Some(Call::AnswerProposal(asked)) => Some(&asked.proposal),
            Some(Call::BypassProposal(asked)) => Some(&asked.proposal),
            Some(Call::ApplyRegion(_)) | None => None,
        };
        let cannot = cannot(action, viewer);
        let confirmed = format!(
            "{} confirmed it, {}",
            codes::role(&action.confirmed_by),
            at(action.confirmed_at.as_ref())
        );
        let review = at(action.review_by.as_ref());
        let said = |who: &str, did: &str, when, words: &str| {
            format!("{} {did}, {}: {words}", codes::role(who), at(when))
        };
        let (state, ended) = match action.state() {
            State::Proposed | State::Unspecified => ("Waiting", String::new()),
            State::Confirmed if !action.reviewed_by.is_empty() => {
                let (who, when) = (&action.reviewed_by, action.reviewed_at.as_ref());
                let review = said(who, "reviewed it", when, &action.review_note);
                ("Done", format!("{confirmed}. {review}"))
            }
            State::Confirmed if review.is_empty() => ("Done", confirmed),
            State::Confirmed => ("Done", format!("{confirmed}; to be reviewed by {review}")),
            State::Refused => {
                let (who, when) = (&action.refused_by, action.refused_at.as_ref());
                let did = if was_taken_back(action) { "took it back" } else { "refused it" };
                ("Refused", said(who, did, when, &action.refused_because))
            }
            State::Expired => {
                ("Not done", format!("Nobody confirmed it by {}", at(action.expires_at.as_ref())))
            }
        };
        Self {
            id: action.id.clone(),
            revision: action.revision,
            text: action.text.clone(),
            breaks_glass: action.breaks_glass,
            trusts: if trusts.is_empty() { "everybody".to_owned() } else { trusts.join(" and ") },
            asked: format!("{}, {}", codes::role(&action.proposed_by), at(action.proposed_at.as_ref())),
            why: if code.is_empty() { action.reason.clone() } else { format!("{code}: {}", action.reason) },
            until: expires.map(|until| now.clock(until)).unwrap_or_default(),
            left: expires.and_then(|until| now.left(until)),
            proposal: proposal.filter(|_| takes_part_in_any(viewer)).map(|id| address(id)),
            file: FileShown::of(action, directory),
            can_refuse: takes_part(action, viewer),
            can_review: awaits_review(action) && may_review(action, viewer),
            can_confirm: cannot.is_empty(),
            cannot,
            state,
            ended,
            said: None,
            error: None,
            is_own: viewer.role == action.proposed_by,
        }
    }
}

/// Returns the roles of which two are needed.
const fn roles_of(action: &Action) -> &'static [&'static str] {
    match action.call {
        Some(Call::AnswerProposal(_)) => &ANSWER_ROLES,
        Some(Call::BypassProposal(_)) => &BYPASS_ROLES,
        Some(Call::ApplyRegion(_)) => &REGION_ROLES,
        None => &[],
    }
}

/// Says whether somebody could be one of the two.
fn takes_part(action: &Action, viewer: &Viewer) -> bool {
    let role = viewer.role.as_str();
    let is_of_trust = role != "site_lead" || viewer.trust.as_deref() == Some(action.for_trust.as_str());
    roles_of(action).contains(&role) && is_of_trust
}

/// Says whether who asked for it took it back: another in their role refuses it, and only the service tells the two apart.
fn was_taken_back(action: &Action) -> bool {
    let said = format!(" Taken back: {}", action.refused_because.trim());
    let told = action.text.trim_end_matches('.');
    action.refused_by == action.proposed_by && told.ends_with(said.trim_end_matches('.'))
}

/// Says whether it broke glass and nobody has looked at it again.
fn awaits_review(action: &Action) -> bool {
    action.breaks_glass && action.state() == State::Confirmed && action.reviewed_by.is_empty()
}

/// Says whether somebody may look at it again, as far as the page knows: not whether they are one of the two. The service
/// decides.
fn may_review(action: &Action, viewer: &Viewer) -> bool {
    let is_concerned = || viewer.trust.as_ref().is_some_and(|own| action.trusts.contains(own));
    REVIEW_ROLES.contains(&viewer.role.as_str()) || (viewer.role == "site_lead" && is_concerned())
}

/// Says why somebody cannot be the second person; empty when they can, as far as the page knows. The service decides.
fn cannot(action: &Action, viewer: &Viewer) -> String {
    let roles = roles_of(action);
    let (role, asked) = (viewer.role.as_str(), action.proposed_by.as_str());
    if role == asked {
        return format!("{} asked for it: somebody in another role must confirm it.", codes::role(asked));
    }
    if takes_part(action, viewer) {
        return String::new();
    }
    let others = roles.iter().filter(|other| **other != asked).map(|other| codes::role(other));
    format!("It waits for one of: {}.", others.collect::<Vec<_>>().join(", ").to_lowercase())
}

impl FileShown {
    /// Returns the region file of an action that may be confirmed by the viewer, and what it changes.
    pub(super) fn of(action: &Action, directory: &Directory) -> Option<Self> {
        let Some(Call::ApplyRegion(asked)) = &action.call else { return None };
        if asked.toml.is_empty() {
            return None;
        }
        let hash: Vec<String> = Sha256::digest(&asked.toml)
            .chunks(4)
            .map(|group| group.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        let change = |change: &RegionChange| Change {
            what: place(&change.path, directory),
            before: change.before.clone(),
            after: change.after.clone(),
        };
        Some(Self {
            hash: hash.join(" "),
            lines: asked.toml.lines().count(),
            changes: action.changes.iter().take(CHANGES_SHOWN).map(change).collect(),
            more: action.changes.len().saturating_sub(CHANGES_SHOWN),
        })
    }
}

/// Says where in the region's file a change is: `trust.ZA1.fair_allowance` is `Aldermoor (ZA1): fair allowance`.
fn place(path: &str, directory: &Directory) -> String {
    let mut parts = path.splitn(3, '.');
    let (sort, code, field) = (parts.next(), parts.next(), parts.next());
    let words = |text: &str| text.replace('_', " ").replace('.', ", ");
    match (sort, code, field) {
        (Some("trust"), Some(code), Some(field)) => {
            format!("{} ({code}): {}", directory.trust(code), words(field))
        }
        (Some("site"), Some(code), Some(field)) => {
            format!("{} ({code}): {}", directory.site(code), words(field))
        }
        (Some("collaborative"), Some(code), Some(field)) => {
            format!("{}: {}", directory.collaborative(code), words(field))
        }
        (Some(sort), Some(code), Some(field)) => format!("{} {code}: {}", words(sort), words(field)),
        (_, _, _) => words(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(proposed_by: &str, call: Call) -> Action {
        Action {
            call: Some(call),
            proposed_by: proposed_by.to_owned(),
            for_trust: "ZA1".to_owned(),
            ..Action::default()
        }
    }

    fn viewer(role: &str, trust: Option<&str>) -> Viewer {
        Viewer { subject: "ana".to_owned(), role: role.to_owned(), trust: trust.map(str::to_owned) }
    }

    #[test]
    fn the_second_person_is_in_another_role_and_one_of_those_it_takes() {
        let answer = action("icb", Call::AnswerProposal(Default::default()));
        assert_eq!(cannot(&answer, &viewer("coordinator", Some("ZA4"))), "");
        assert_eq!(cannot(&answer, &viewer("site_lead", Some("ZA1"))), "");
        assert!(cannot(&answer, &viewer("icb", None)).contains("another role"));
        let others = cannot(&answer, &viewer("site_lead", Some("ZA4")));
        assert_eq!(others, "It waits for one of: site lead, coordinator, lead provider.");
        assert_eq!(cannot(&answer, &viewer("gold", None)), others, "gold never answers for a trust");
        let bypass = action("icb", Call::BypassProposal(Default::default()));
        assert_eq!(cannot(&bypass, &viewer("gold", None)), "");
    }

    #[test]
    fn whoever_takes_part_may_refuse_and_whose_business_it_is_reviews() {
        let answer = action("icb", Call::AnswerProposal(Default::default()));
        for (role, trust, refuses) in [
            ("icb", None, true),
            ("coordinator", Some("ZA4"), true),
            ("site_lead", Some("ZA1"), true),
            ("site_lead", Some("ZA4"), false),
            ("gold", None, false),
            ("bed_manager", Some("ZA1"), false),
        ] {
            assert_eq!(takes_part(&answer, &viewer(role, trust)), refuses, "{role} {trust:?}");
        }
        let done = Action {
            trusts: vec!["ZA1".to_owned()],
            breaks_glass: true,
            state: State::Confirmed.into(),
            ..answer
        };
        assert!(awaits_review(&done));
        assert!(!awaits_review(&Action { reviewed_by: "gold".to_owned(), ..done.clone() }));
        assert!(!awaits_review(&Action { breaks_glass: false, ..done.clone() }));
        for (role, trust, reviews) in [
            ("gold", None, true),
            ("site_lead", Some("ZA1"), true),
            ("site_lead", Some("ZA4"), false),
            ("platform_admin", None, false),
            ("auditor", None, false),
        ] {
            assert_eq!(may_review(&done, &viewer(role, trust)), reviews, "{role} {trust:?}");
        }
    }

    #[test]
    fn what_is_taken_back_was_not_refused() {
        let now = Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        let ended = |by: &str, text: &str| {
            let refused = Action {
                refused_by: by.to_owned(),
                refused_because: "asked too soon".to_owned(),
                text: text.to_owned(),
                state: State::Refused.into(),
                ..action("icb", Call::AnswerProposal(Default::default()))
            };
            Row::new(&refused, &now, &viewer("gold", None), &Directory::default()).ended
        };
        let back = ended("icb", "Reason: x. Taken back: asked too soon.");
        assert!(back.starts_with("Integrated care board took it back, "), "{back}");
        let same_role = ended("icb", "Reason: x. Integrated care board refused it: asked too soon.");
        assert!(same_role.starts_with("Integrated care board refused it, "), "{same_role}");
        let other = ended("coordinator", "Reason: x. Coordinator refused it: asked too soon.");
        assert!(other.starts_with("Coordinator refused it, "), "{other}");
    }

    #[test]
    fn a_change_is_said_by_its_place() {
        let nowhere = Directory::default();
        assert_eq!(place("trust.ZA1.fair_allowance", &nowhere), "ZA1 (ZA1): fair allowance");
        assert_eq!(place("policy.turnover_minutes", &nowhere), "policy, turnover minutes");
        assert_eq!(place("travel.ZA401.ZA101", &nowhere), "travel ZA401: ZA101");
    }

    #[test]
    fn a_file_is_known_by_its_hash() {
        let file = |toml: &str| {
            let asked = fallow_api::v1::ApplyRegionRequest { toml: toml.to_owned(), ..Default::default() };
            FileShown::of(&action("coordinator", Call::ApplyRegion(asked)), &Directory::default())
        };
        // FIPS 180-2: the hash of "abc".
        assert!(file("abc").unwrap().hash.starts_with("ba7816bf 8f01cfea"));
        assert!(file("").is_none(), "nobody is shown a file that is not theirs to confirm");
    }
}
