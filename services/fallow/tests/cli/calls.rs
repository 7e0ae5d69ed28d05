//! Every call of the API has a command that makes it. A new call without one fails here, and so does a command that no
//! longer makes its call.

use std::collections::BTreeSet;

use fallow_api::FILE_DESCRIPTOR_SET;
use fallow_api::v1::{
    Alert, Block, Campaign, DeclarePressureRequest, DeclarePressureResponse, GetOfferRequest,
    GetOfferResponse, GetProposalRequest, GetProposalResponse, GetTransferRequest, GetTransferResponse,
    GetTrendRequest, GetTrendResponse, ListAlertsRequest, ListAlertsResponse, ListCampaignsRequest,
    ListCampaignsResponse, ListOffersRequest, ListOffersResponse, PressureDeclaration, Reserve,
    SetReserveRequest, SetReserveResponse, get_trend_response,
};
use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::demand::{knows_needs, knows_the_region};
use crate::records::{level_2, moving, suggestion};
use crate::world::{NOW, World, at};

/// Each call, and a line that makes it. `OFFER`, `NEED`, `PROPOSAL`, `TRANSFER`, `ALERT` and `ACTION` stand for ids, `ADDRESS`
/// for that of the services, `@` for a folder with the files that are named.
const COMMANDS: &[(&str, &str)] = &[
    ("CapacityService/PublishOffer", "free 2 level2 --until 20:00"),
    ("CapacityService/ReplaceOffers", "capacity apply -f @sheet.csv --replace"),
    ("CapacityService/AdjustOffer", "take 1 OFFER"),
    ("CapacityService/ConfirmOffers", "still-true"),
    ("CapacityService/SuspendOffers", "capacity suspend level2 --until 22:00 --reason norovirus"),
    ("CapacityService/ResumeOffers", "capacity resume level2"),
    ("CapacityService/WithdrawOffer", "capacity withdraw OFFER --reason staffing"),
    ("CapacityService/SetReserve", "capacity reserve set level2 1"),
    ("CapacityService/DeclarePressure", "capacity opel 3"),
    ("CapacityService/AskToConfirm", "capacity ask ZA5"),
    ("CapacityService/GetOffer", "capacity show OFFER"),
    ("CapacityService/ListOffers", "mine"),
    ("CapacityService/WatchOffers", "mine --watch"),
    ("DemandService/RaiseNeed", "need 1 level3 --by 16:00"),
    ("DemandService/AmendNeed", "demand amend NEED --needed-by +2h"),
    ("DemandService/ParkNeed", "demand park NEED --review +2h"),
    ("DemandService/ResumeNeed", "demand resume NEED"),
    ("DemandService/WithdrawNeed", "demand withdraw NEED --reason treated_elsewhere"),
    ("DemandService/ResolveNeedOutside", "demand resolve-outside NEED"),
    ("DemandService/AmendCohort", "cohort amend hips --max-travel 90m"),
    ("DemandService/WithdrawCohort", "cohort withdraw hips --reason treated_elsewhere"),
    ("DemandService/AskToValidate", "demand ask NEED"),
    ("DemandService/ValidateNeed", "validate NEED --consented --fit"),
    ("DemandService/GetNeed", "demand show NEED"),
    ("DemandService/ListNeeds", "demand list"),
    ("DemandService/WatchNeeds", "demand list --watch"),
    ("MatchingService/ListProposals", "inbox"),
    ("MatchingService/GetProposal", "why PROPOSAL"),
    ("MatchingService/WatchProposals", "inbox --watch"),
    ("MatchingService/AnswerProposal", "accept PROPOSAL"),
    ("MatchingService/RetractAnswer", "proposal retract PROPOSAL"),
    ("MatchingService/ApproveProposal", "proposal approve PROPOSAL"),
    ("MatchingService/ExtendHold", "proposal extend PROPOSAL"),
    ("MatchingService/BypassProposal", "bypass PROPOSAL --reason snow"),
    ("MatchingService/ListCampaigns", "campaign list"),
    ("MatchingService/AnswerCampaign", "campaign accept saturday"),
    ("MatchingService/ExplainNeed", "why-not NEED"),
    ("MatchingService/Simulate", "simulate -f @scenario.toml"),
    ("MatchingService/ListTransfers", "transfer list"),
    ("MatchingService/GetTransfer", "transfer show TRANSFER"),
    ("MatchingService/WatchTransfers", "returns --watch"),
    ("MatchingService/AdvanceTransfer", "transfer advance TRANSFER --to in_transit"),
    ("MatchingService/AbortTransfer", "transfer abort TRANSFER --reason not_fit"),
    ("MatchingService/ExtendTransfer", "transfer extend TRANSFER --until +4h"),
    ("MonitorService/GetSituation", "situation"),
    ("MonitorService/WatchSituation", "situation --watch"),
    ("MonitorService/ListAlerts", "alert list"),
    ("MonitorService/TakeAlert", "alert take ALERT"),
    ("MonitorService/CloseAlert", "alert close ALERT --note done"),
    ("MonitorService/WatchAlerts", "alert watch"),
    ("MonitorService/GetTrend", "trend needs_open"),
    ("MonitorService/GetReport", "report unmet"),
    ("MonitorService/ListTimeline", "timeline"),
    ("MonitorService/WatchTimeline", "timeline --watch"),
    ("MonitorService/RecordDecision", "decision record open --why norovirus"),
    ("MonitorService/SetMode", "mode incident on nv-acute --reason norovirus"),
    ("MonitorService/GetSitrep", "sitrep"),
    ("MonitorService/SignOffSitrep", "sitrep --at 08:00 --sign-off gold"),
    ("MonitorService/ApplyRegion", "region apply -f @region.toml"),
    ("MonitorService/GetRegion", "region show"),
    ("MonitorService/ProposeAction", "action region -f @region.toml --reason joins"),
    ("MonitorService/ConfirmAction", "action confirm ACTION"),
    ("MonitorService/RefuseAction", "action refuse ACTION --reason no"),
    ("MonitorService/ReviewAction", "action review ACTION --note right"),
    ("MonitorService/GetAction", "action show ACTION"),
    ("MonitorService/ListActions", "action list"),
    ("MonitorService/WatchActions", "action list --watch"),
    ("MonitorService/ListAudit", "audit mine"),
    ("IdentityService/GetProvider", "auth login --endpoint ADDRESS"),
];

/// Calls that no command makes, or none that this test can type, and why.
const WITHOUT: &[(&str, &str)] = &[
    (
        "CapacityService/StreamOffers",
        "a feed's: a system publishes by it, a person's sheet says its errors row by row",
    ),
    (
        "DemandService/RaiseNeeds",
        "a feed's: fallow import demand raises row by row and names the cell of an error",
    ),
    (
        "MatchingService/GetCampaign",
        "fallow campaign show has it from the list in which it looked the name up",
    ),
    ("IdentityService/ExchangeToken", "fallow auth login makes it at the end of a sign-in: see sign_in.rs"),
    ("IdentityService/EndSession", "fallow auth logout makes it where somebody is signed in: see sign_in.rs"),
    ("IdentityService/LogOut", "the identity provider's own, by its back channel"),
];

const ALERT: &str = "0198c5e5-0000-7000-8000-000000000001";
const ACTION: &str = "0198c6f6-0000-7000-8000-000000000001";

/// Every call of the contract, `Service/Call`.
fn contract() -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let ours = set.file.iter().filter(|file| file.package() == "fallow.v1");
    let services = ours.flat_map(|file| &file.service);
    services
        .flat_map(|service| {
            service.method.iter().map(|method| format!("{}/{}", service.name(), method.name()))
        })
        .collect()
}

/// Services that know one record of each kind, and refuse every change.
async fn world() -> World {
    let world = World::new().await;
    knows_needs(&world);
    knows_the_region(&world);
    world.script.on("CapacityService/ListOffers", |_: ListOffersRequest| {
        Ok(ListOffersResponse { offers: vec![level_2()], ..ListOffersResponse::default() })
    });
    world.script.on("CapacityService/GetOffer", |_: GetOfferRequest| {
        Ok(GetOfferResponse { offer: Some(level_2()), revision: 41 })
    });
    world.script.on("MatchingService/GetProposal", |_: GetProposalRequest| {
        Ok(GetProposalResponse { proposal: Some(suggestion()), revision: 43 })
    });
    world.script.on("MatchingService/GetTransfer", |_: GetTransferRequest| {
        Ok(GetTransferResponse { transfer: Some(moving()), revision: 44 })
    });
    world.script.on("MatchingService/ListCampaigns", |_: ListCampaignsRequest| {
        let block = Block { site: "ZA101".into(), campaign: "Saturday lists".into() };
        let campaign = Campaign { block: Some(block), waiting: vec![suggestion().id], ..Campaign::default() };
        Ok(ListCampaignsResponse { campaigns: vec![campaign], ..ListCampaignsResponse::default() })
    });
    world.script.on("MonitorService/ListAlerts", |_: ListAlertsRequest| {
        let alert = Alert { id: ALERT.into(), ..Alert::default() };
        Ok(ListAlertsResponse { alerts: vec![alert], ..ListAlertsResponse::default() })
    });
    for (name, text) in [
        ("sheet.csv", "resource,figures.staffed,window.until,cadence\nbed/cc_adult/2,3,20:00,4h\n"),
        ("scenario.toml", "[[change]]\nclose_site = \"ZA401\"\n"),
        ("region.toml", "id = \"north-vale\"\n"),
    ] {
        std::fs::write(world.folder().join(name), text).unwrap();
    }
    world
}

/// Puts what a line of [`COMMANDS`] stands for into it.
fn typed(world: &World, address: &str, line: &str) -> String {
    let folder = format!("{}/", world.folder().display());
    let named = [
        ("OFFER", level_2().id),
        ("NEED", "LC-118".to_owned()),
        ("PROPOSAL", suggestion().id),
        ("TRANSFER", moving().id),
        ("ALERT", ALERT.to_owned()),
        ("ACTION", ACTION.to_owned()),
        ("ADDRESS", address.to_owned()),
        ("@", folder),
    ];
    named.iter().fold(line.to_owned(), |line, (name, id)| line.replace(name, id))
}

#[test]
fn every_call_of_the_api_has_a_command_or_a_reason() {
    let listed: Vec<&str> = COMMANDS.iter().chain(WITHOUT).map(|(call, _)| *call).collect();
    let known: BTreeSet<String> = listed.iter().map(|call| (*call).to_owned()).collect();
    assert_eq!(known.len(), listed.len(), "a call is listed twice");
    assert_eq!(contract(), known);
    assert!(WITHOUT.iter().all(|(_, why)| !why.is_empty()));
}

#[tokio::test]
async fn each_command_makes_its_call() {
    let world = world().await;
    // The same services at another address, for what acts without a credential.
    let address = world.script.serve().await;
    let mut silent = Vec::new();
    for (call, line) in COMMANDS {
        let typed = typed(&world, &address, line);
        world.script.take_paths();
        let told = world.run(&typed).await;
        let made = world.script.take_paths();
        if !made.iter().any(|path| path == call) {
            silent.push(format!("{line}: exit {}, {}; it made {made:?}", told.exit, told.err.trim()));
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

/// A script reads each line as one id: words among them are taken for ids, whichever command they come from.
#[tokio::test]
async fn each_command_prints_ids_alone_where_ids_are_asked_for() {
    let world = world().await;
    world.script.on("CapacityService/SetReserve", |ask: SetReserveRequest| {
        let reserve = Reserve { trust: "ZA4".into(), resource: ask.resource, units: ask.units, revision: 9 };
        Ok(SetReserveResponse { reserve: Some(reserve), revision: 9 })
    });
    world.script.on("CapacityService/DeclarePressure", |ask: DeclarePressureRequest| {
        let pressure =
            PressureDeclaration { trust: "ZA4".into(), opel: ask.opel, ..PressureDeclaration::default() };
        Ok(DeclarePressureResponse { pressure: Some(pressure), revision: 9 })
    });
    world.script.on("MonitorService/GetTrend", |_: GetTrendRequest| {
        let point = get_trend_response::Point { at: at(NOW), value: 4.0, special_cause: true };
        Ok(GetTrendResponse { points: vec![point], sentence: "It rises.".into(), ..Default::default() })
    });
    let scripted = [
        "CapacityService/SetReserve",
        "CapacityService/DeclarePressure",
        "MonitorService/GetTrend",
        "CapacityService/ListOffers",
        "CapacityService/GetOffer",
        "DemandService/ListNeeds",
        "DemandService/GetNeed",
        "MatchingService/GetProposal",
        "MatchingService/GetTransfer",
        "MatchingService/ListCampaigns",
        "MonitorService/ListAlerts",
        "MonitorService/GetRegion",
    ];
    let asked_once = COMMANDS.iter().filter(|(call, _)| !call.contains("/Watch") && !scripted.contains(call));
    asked_once.for_each(|(call, _)| {
        world.script.says_nothing(call);
    });
    let address = world.script.serve().await;
    let called = COMMANDS.iter().filter(|(call, _)| !call.contains("/Watch")).map(|(_, line)| *line);
    let others = ["errors", "errors too_far", "cheat", "version", "ping", "doctor", "board", "auth whoami"];
    let mut printed = 0;
    for line in
        called.chain(others).chain(["context list", "context show", "import capacity @sheet.csv --dry-run"])
    {
        let told = world.run(&format!("{} -q --yes", typed(&world, &address, line))).await;
        assert_ne!(told.exit, 2, "{line}: {}", told.err);
        // The id of a campaign is its name, and a record of a service that says nothing has none.
        let is_id = |id: &str| !id.contains(' ') || id == "Saturday lists";
        assert!(told.out.lines().all(is_id), "{line}: {}", told.out);
        printed += usize::from(!told.out.is_empty());
    }
    assert!(printed > 20, "{printed}");
    let said = async |line| world.run(line).await.out;
    assert_eq!(said("capacity reserve set level2 1 -q").await, "ZA4\n");
    assert_eq!(said("capacity ask za5 -q").await, "");
    assert_eq!(said("auth whoami -q").await, "bed-manager.ZA4\n");
    assert_eq!(said("region show -q").await, "north-vale\n");
    assert_eq!(said("demand explain LC-118 -q").await.lines().count(), 1);
}
