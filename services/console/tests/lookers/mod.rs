//! Who may look and not act: no page shows a button that would be refused, and each says who may press it. And needs that are
//! put aside.

use fallow_api::v1::need;
use fallow_domain::actor::Role;
use fallow_host::rights::{Call, Grant};

use super::Visitor;
use super::records::press;
use crate::stage::Stage;

/// The pages that people of a trust see, with what is opened on them.
const PAGES: &[&str] = &[
    "/proposals",
    "/capacity",
    "/capacity/offer/o-2",
    "/needs",
    "/needs?of=all",
    "/needs?why=n-1",
    "/needs?of=all&why=n-2",
    "/transfers",
    "/transfers?view=columns",
    "/transfers?open=t-1",
    "/situation",
    "/situation/one?trust=ZA1&resource=BED/CC_ADULT/3",
    "/alerts",
    "/approvals",
    "/actions",
    "/timeline",
    "/sitrep",
];

/// The call that the form of an address makes, written down once more: the pages go by a list of their own.
fn call_of(form: &str) -> Option<&'static str> {
    Some(match form {
        "/capacity/offer" | "/upload" => "CapacityService/PublishOffer",
        "/capacity/free" => "CapacityService/AdjustOffer",
        "/capacity/still-true" => "CapacityService/ConfirmOffers",
        "/capacity/suspend" => "CapacityService/SuspendOffers",
        "/capacity/resume" => "CapacityService/ResumeOffers",
        "/capacity/withdraw" => "CapacityService/WithdrawOffer",
        "/capacity/reserve" => "CapacityService/SetReserve",
        "/capacity/opel" => "CapacityService/DeclarePressure",
        "/needs/new" => "DemandService/RaiseNeed",
        "/needs/widen" | "/needs/later" => "DemandService/AmendNeed",
        "/needs/ask" | "/situation/ask" => "CapacityService/AskToConfirm",
        "/needs/park" => "DemandService/ParkNeed",
        "/needs/resume" => "DemandService/ResumeNeed",
        "/needs/withdraw" => "DemandService/WithdrawNeed",
        "/needs/resolve" | "/transfers/resolve" => "DemandService/ResolveNeedOutside",
        "/needs/stands" => "DemandService/ValidateNeed",
        "/needs/ask-stands" => "DemandService/AskToValidate",
        "/proposals/answer" => "MatchingService/AnswerProposal",
        "/proposals/answer-block" => "MatchingService/AnswerCampaign",
        "/proposals/undo" => "MatchingService/RetractAnswer",
        "/proposals/extend" => "MatchingService/ExtendHold",
        "/transfers/advance" => "MatchingService/AdvanceTransfer",
        "/transfers/extend" => "MatchingService/ExtendTransfer",
        "/transfers/abort" => "MatchingService/AbortTransfer",
        "/situation/mode" => "MonitorService/SetMode",
        "/approvals/approve" | "/approvals/refuse" => "MatchingService/ApproveProposal",
        "/alerts/take" => "MonitorService/TakeAlert",
        "/alerts/close" => "MonitorService/CloseAlert",
        "/timeline/decision" => "MonitorService/RecordDecision",
        "/sitrep/sign" => "MonitorService/SignOffSitrep",
        "/actions/confirm" => "MonitorService/ConfirmAction",
        "/actions/refuse" => "MonitorService/RefuseAction",
        "/actions/review" => "MonitorService/ReviewAction",
        "/actions/region" => "MonitorService/ProposeAction",
        _ => return None,
    })
}

/// The addresses to which the forms and links of a page lead that change something or exist to change it.
fn forms(page: &str) -> Vec<String> {
    let addresses = |before: &str| -> Vec<String> {
        let parts = page.split(before).skip(1);
        parts.filter_map(|part| part.split(['"', '?', '#']).next()).map(str::to_owned).collect()
    };
    let posts = [addresses("method=\"post\" action=\""), addresses("formaction=\"")].concat();
    let leads = ["/capacity/offer", "/needs/new", "/upload"].into_iter();
    let leads = leads.filter(|address| page.contains(&format!("href=\"{address}\"")));
    posts.into_iter().filter(|form| form != "/sign-out").chain(leads.map(str::to_owned)).collect()
}

fn may(role: Role, form: &str) -> bool {
    let name = call_of(form).unwrap_or_else(|| panic!("{form} is a form that this test does not know"));
    let call = Call::find(&format!("/fallow.v1.{name}")).expect("a call of the contract");
    call.grant(role) != Grant::Never
}

#[tokio::test]
async fn no_page_shows_a_button_that_the_rights_refuse() {
    let stage = Stage::on("127.0.0.1:0").await;
    for (user, role, least) in [
        ("bed-manager.ZA4", Role::BedManager, 20),
        ("site-lead.ZA4", Role::SiteLead, 20),
        ("coordinator.ZA4", Role::Coordinator, 1),
        ("lead-provider.ZA4", Role::LeadProvider, 1),
        ("icb", Role::Icb, 1),
        ("duty-lead", Role::Gold, 3),
        ("platform-admin", Role::PlatformAdmin, 1),
    ] {
        let visitor = Visitor::signed_in_as(&stage, user).await;
        let mut found = Vec::new();
        for path in PAGES {
            let page = visitor.get(path, "").await;
            let shown = forms(&page);
            let refused: Vec<&String> = shown.iter().filter(|form| !may(role, form)).collect();
            assert!(refused.is_empty(), "{user} at {path}: {refused:?}");
            found.extend(shown);
        }
        assert!(found.len() >= least, "{user} finds something to do: {found:?}");
    }
    stage.tasks.stop();
}

#[tokio::test]
async fn who_may_only_look_is_told_who_acts() {
    let stage = Stage::on("127.0.0.1:0").await;
    for user in ["coordinator.ZA4", "lead-provider.ZA4"] {
        let visitor = Visitor::signed_in_as(&stage, user).await;
        let inbox = visitor.get("/proposals", "").await;
        assert!(inbox.contains("Proposals waiting for Dunmere General Hospital ("), "{inbox}");
        let who = "Bed managers and site leads of Dunmere General Hospital";
        assert!(inbox.contains(&format!("{who} answer them; your role may look.")), "{inbox}");
        assert!(inbox.contains("id=\"proposal-"), "they see what waits: {inbox}");
        let board = visitor.get("/capacity", "").await;
        assert!(board.contains(&format!("{who} change these; your role may look.")), "{board}");
        for form in ["/capacity/offer", "/needs/new", "/upload"] {
            let refused = visitor.get(form, "").await;
            assert!(refused.starts_with("HTTP/1.1 403"), "{form}: {refused}");
            assert!(refused.contains("Bed managers and site leads may do this"), "{form}: {refused}");
        }
    }
    // Whoever may read nothing of the region is not sent there, and is not told that a service is away.
    let admin = Visitor::signed_in_as(&stage, "platform-admin").await;
    let home = admin.get("/", "").await;
    assert!(home.contains("location: /actions"), "{home}");
    let page = admin.get("/actions", "").await;
    assert!(page.starts_with("HTTP/1.1 200") && !page.contains("href=\"/situation\""), "{page}");
    assert!(!page.contains("The counts above may be missing"), "{page}");
    stage.tasks.stop();
}

#[tokio::test]
async fn a_need_is_put_aside_and_looked_for_again() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let state = || {
        let records = stage.world.records();
        records.needs.iter().find(|one| one.id == "n-4").expect("a need").state()
    };
    let page = visitor.get("/needs?why=n-4", "").await;
    assert!(page.contains("action=\"/needs/park\"") && !page.contains("action=\"/needs/resume\""), "{page}");
    let wrong = press(&visitor, &page, "/needs/park", &[("need", "n-4"), ("review_at", "soon")]).await;
    assert!(wrong.starts_with("HTTP/1.1 422"), "{wrong}");
    assert!(wrong.contains("<a href=\"#park-until\">Look at it again: must be a date and a time"), "{wrong}");
    let fields = [("need", "n-4"), ("review_at", "2026-11-25T08:00"), ("reason", "waits for a scan")];
    let done = press(&visitor, &page, "/needs/park", &fields).await;
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    assert_eq!(state(), need::State::OnHold);
    let parked = visitor.get("/needs?why=n-4", "").await;
    assert!(parked.contains("Parked until tomorrow 08:00"), "{parked}");
    assert!(parked.contains("It is parked: nothing is looked for."), "{parked}");
    let done = press(&visitor, &parked, "/needs/resume", &[("need", "n-4")]).await;
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    assert_eq!(state(), need::State::Open);
    // Whose need it is parks it, and nobody else.
    let other = Visitor::signed_in_as(&stage, "bed-manager.ZA1").await;
    let page = other.get("/needs?of=all&why=n-4", "").await;
    assert!(!page.contains("/needs/park"), "{page}");
    stage.tasks.stop();
}
