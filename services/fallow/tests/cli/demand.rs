//! `need`, `why-not` and the long forms.

use fallow_api::v1::explanation::NotUsed;
use fallow_api::v1::unserved_explanation::change::{Change, Confirm, TravelLimit};
use fallow_api::v1::unserved_explanation::{self, Relaxation};
use fallow_api::v1::{
    Alert, AmendCohortRequest, AmendCohortResponse, AmendNeedRequest, AmendNeedResponse,
    AskToValidateRequest, AskToValidateResponse, ExplainNeedRequest, ExplainNeedResponse, GetNeedRequest,
    GetNeedResponse, GetOfferRequest, GetOfferResponse, GetRegionRequest, GetRegionResponse,
    GetTransferRequest, GetTransferResponse, ListAlertsRequest, ListAlertsResponse, ListNeedsRequest,
    ListNeedsResponse, ListProposalsRequest, ListProposalsResponse, ListTimelineRequest,
    ListTimelineResponse, Need, Objection, Offer, ParkNeedRequest, ParkNeedResponse, RaiseNeedRequest,
    RaiseNeedResponse, Region, ResolveNeedOutsideRequest, ResolveNeedOutsideResponse, ResumeNeedRequest,
    ResumeNeedResponse, TimelineEntry, Trust, UnservedExplanation, ValidateNeedRequest, ValidateNeedResponse,
    WatchNeedsRequest, WatchNeedsResponse, WithdrawCohortRequest, WithdrawCohortResponse,
    WithdrawNeedRequest, WithdrawNeedResponse, alert, need, watch_needs_response,
};
use insta::assert_snapshot;
use tonic::Status;

use crate::records::{lc_118, lc_120, level_2, moving, suggestion};
use crate::world::{World, at};

/// Needs by whole id only, as the service does it; lists give both.
pub(crate) fn knows_needs(world: &World) {
    world.script.on("DemandService/GetNeed", |ask: GetNeedRequest| {
        let need = [lc_118(), lc_120()].into_iter().find(|need| need.id == ask.need);
        need.map(|need| GetNeedResponse { need: Some(need), revision: 42 })
            .ok_or_else(|| Status::not_found("no such need"))
    });
    world.script.on("DemandService/ListNeeds", |ask: ListNeedsRequest| {
        // The live ones, unless ended ones are asked for: of these there are none.
        let live = ask.filter.unwrap_or_default().states.is_empty();
        let needs = if live { vec![lc_118(), lc_120()] } else { Vec::new() };
        Ok(ListNeedsResponse { needs, revision: 42, ..ListNeedsResponse::default() })
    });
}

/// Names for trusts.
pub(crate) fn knows_the_region(world: &World) {
    let trust = |ods: &str, name: &str| Trust { ods: ods.into(), name: name.into(), ..Trust::default() };
    let trusts = vec![trust("ZA1", "Aldermoor"), trust("ZA3", "Calverleigh")];
    world.script.on("MonitorService/GetRegion", move |_: GetRegionRequest| {
        let region = Region {
            id: "north-vale".into(),
            name: "North Vale".into(),
            trusts: trusts.clone(),
            ..Region::default()
        };
        Ok(GetRegionResponse {
            region: Some(region),
            toml: "[region]\nid = \"north-vale\"".into(),
            revision: 12,
        })
    });
}

#[tokio::test]
async fn a_need_is_parked_and_taken_up_again() {
    let world = World::new().await;
    knows_needs(&world);
    world.script.on("DemandService/ParkNeed", |ask: ParkNeedRequest| {
        assert_eq!((ask.review_at, ask.reason.as_str()), (at("2026-11-25T08:00:00Z"), "awaits a scan"));
        let need = Need { state: need::State::OnHold.into(), review_at: ask.review_at, ..lc_120() };
        Ok(ParkNeedResponse { need: Some(need), revision: if ask.validate_only { 0 } else { 51 } })
    });
    world.script.on("DemandService/ResumeNeed", |ask: ResumeNeedRequest| {
        assert_eq!(ask.expected_revision, Some(51));
        Ok(ResumeNeedResponse { need: Some(lc_120()), revision: 52 })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "demand park LC-120 --review \"tomorrow 08:00\" --reason \"awaits a scan\"",
                "demand park LC-120 --review \"tomorrow 08:00\" --reason \"awaits a scan\" --dry-run -q",
                "demand park LC-120 --review whenever",
                "demand resume LC-120 --if-revision 51 -q",
            ])
            .await
    );
}

#[tokio::test]
async fn history_is_what_the_timeline_tells_of_one_record() {
    let world = World::new().await;
    knows_needs(&world);
    let told = |text: &str, subjects: &[&str]| TimelineEntry {
        at: at("2026-11-24T14:25:00Z"),
        text: text.to_owned(),
        subjects: subjects.iter().map(|id| (*id).to_owned()).collect(),
        ..TimelineEntry::default()
    };
    let (proposed, offer) = (suggestion(), Offer { id: suggestion().offer, ..level_2() });
    let pages = [
        told("Proposed to Aldermoor", &[&lc_118().id, &proposed.id]),
        told("Another need raised", &[&lc_120().id]),
        told("Aldermoor: CT short", &[&offer.id]),
        told("On the way", &["0198c2b2-0000-7000-8000-00000000000f", &moving().proposal, &moving().id]),
    ];
    world.script.on("MonitorService/ListTimeline", move |ask: ListTimelineRequest| {
        let place: usize = ask.page_token.parse().unwrap_or_default();
        let next_page_token = if place + 1 < pages.len() { (place + 1).to_string() } else { String::new() };
        Ok(ListTimelineResponse {
            entries: vec![pages[place].clone()],
            next_page_token,
            revision: 60,
            held_from: None,
        })
    });
    world.script.on("CapacityService/GetOffer", move |_: GetOfferRequest| {
        Ok(GetOfferResponse { offer: Some(offer.clone()), ..GetOfferResponse::default() })
    });
    world.script.on("MatchingService/ListProposals", move |ask: ListProposalsRequest| {
        let asked = ask.filter.unwrap_or_default();
        assert_eq!((asked.offers, asked.states.len()), (vec![proposed.offer.clone()], 7));
        Ok(ListProposalsResponse { proposals: vec![proposed.clone()], ..ListProposalsResponse::default() })
    });
    world.script.on("MatchingService/GetTransfer", |_: GetTransferRequest| {
        Ok(GetTransferResponse { transfer: Some(moving()), ..GetTransferResponse::default() })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "demand history LC-118",
                "capacity history 0198c2a1-0000-7000-8000-000000000009",
                "transfer history 0198c2d4 -o csv --columns text",
            ])
            .await
    );
    world
        .script
        .on("MonitorService/ListTimeline", |_: ListTimelineRequest| Ok(ListTimelineResponse::default()));
    let nothing = world.run("demand history LC-118").await;
    assert_eq!(
        (nothing.exit, nothing.err.as_str()),
        (0, "the timeline tells nothing of it, as far as it is kept and yours to know\n")
    );
}

#[tokio::test]
async fn need_raises_with_the_band_of_its_time() {
    let world = World::new().await;
    world.script.on("DemandService/RaiseNeed", |ask: RaiseNeedRequest| {
        let revision = if ask.validate_only { 0 } else { 42 };
        Ok(RaiseNeedResponse { need: Some(lc_118()), revision, already_live: false, ..Default::default() })
    });
    assert_snapshot!(world.transcript(&[
        "need 1 level3 --by 16:00",
        "need 1 level3 --by 16:00 --need isolation --ref LC-118 --dry-run -q",
        "demand raise --resource mri --count 18 --priority p3 --ref DX-77 --max-travel 45m --listed 2026-09-01 --pathway dm01 -q",
        "need 1 theatre --specialty 110 --minutes-per-case 90m --by \"2026-12-20 08:00\" --age 71 --sex male --bmi 31 --asa 3 --imd-decile 2 --reason capacity --scope episode-only --brings-team --fragile-service --note list -q",
        "need 1 level3",
    ]).await);
}

#[tokio::test]
async fn raising_again_returns_the_live_one() {
    let world = World::new().await;
    world.script.on("DemandService/RaiseNeed", |_: RaiseNeedRequest| {
        Ok(RaiseNeedResponse { need: Some(lc_118()), revision: 42, already_live: true, ..Default::default() })
    });
    assert_snapshot!(world.transcript(&["need 1 level3 --by 16:00 --ref LC-118"]).await);
}

#[tokio::test]
async fn why_not_shows_counts_fixes_and_exits_9() {
    let world = World::new().await;
    knows_needs(&world);
    knows_the_region(&world);
    let count = |reason: Objection, count, example: &str| NotUsed {
        reason: reason.into(),
        count,
        example: example.into(),
    };
    let fix = |change, text: &str, places| Relaxation {
        change: Some(unserved_explanation::Change { change: Some(change) }),
        text: text.into(),
        places,
    };
    let unserved = UnservedExplanation {
        need: lc_120().id,
        unserved: 2,
        offers: 14,
        counts: vec![
            count(Objection::TooFar, 6, "Calverleigh, 52 minutes"),
            count(Objection::AgeOrSex, 4, "no bay of that sex"),
            count(Objection::Stale, 3, "Eastholme, 3 h"),
            count(Objection::HeldForAnother, 1, "until 14:51"),
        ],
        relaxations: vec![
            fix(Change::TravelLimit(TravelLimit { minutes: 60 }), "travel limit 60 minutes instead of 45", 2),
            fix(
                Change::Confirm(Confirm { offer: "o".into(), trust: "ZA5".into() }),
                "Eastholme says still true",
                1,
            ),
        ],
        checked_at: at("2026-11-24T14:30:52Z"),
        revision: 42,
        policy: "nv-2026-11".into(),
        ..UnservedExplanation::default()
    };
    world.script.on("MatchingService/ExplainNeed", move |ask: ExplainNeedRequest| {
        match ask.need == lc_120().id {
            true => Ok(ExplainNeedResponse {
                unserved: Some(unserved.clone()),
                proposals: Vec::new(),
                revision: 42,
            }),
            false => Ok(ExplainNeedResponse { unserved: None, proposals: vec![suggestion()], revision: 42 }),
        }
    });
    assert_snapshot!(
        world
            .transcript(&[
                "why-not LC-120",
                "demand explain lc-120 --trust za5 -o jsonl",
                "why-not LC-118",
                "why-not LC-12",
                "why-not LC-1",
                "why-not XX",
            ])
            .await
    );
}

#[tokio::test]
async fn why_not_says_when_gold_is_told_or_was() {
    let world = World::new().await;
    knows_needs(&world);
    knows_the_region(&world);
    let explained = UnservedExplanation {
        need: lc_120().id,
        unserved: 2,
        gold_told_at: at("2026-11-24T19:00:00Z"),
        ..UnservedExplanation::default()
    };
    world.script.on("MatchingService/ExplainNeed", move |_: ExplainNeedRequest| {
        let unserved = Some(explained.clone());
        Ok(ExplainNeedResponse { unserved, proposals: Vec::new(), revision: 42 })
    });
    // Whatever the monitor says: a rule that nobody acts on alarms nobody, and what was raised is past.
    let alarm = async |answer: Result<ListAlertsResponse, Status>| {
        world.script.on("MonitorService/ListAlerts", move |ask: ListAlertsRequest| {
            assert_eq!(ask.trusts, [lc_120().trust]);
            answer.clone()
        });
        let told = world.run("why-not LC-120").await;
        assert_eq!(told.exit, 9, "{}", told.err);
        let line = told.out.lines().find(|line| line.trim_start().starts_with("Alarm"));
        line.unwrap_or_default().trim_start_matches("  Alarm").trim_start().to_owned()
    };
    let nothing = ListAlertsResponse::default();
    assert_eq!(alarm(Ok(nothing.clone())).await, "Gold is told at 19:00.");
    assert_eq!(alarm(Err(Status::permission_denied("no"))).await, "Gold is told at 19:00.");
    let digest_rules = vec!["need_unserved".to_owned()];
    let digest = alarm(Ok(ListAlertsResponse { digest_rules, ..nothing.clone() })).await;
    assert!(digest.contains("digest at 19:00, which alarms nobody"), "{digest}");
    let alert = Alert {
        rule: "need_unserved".to_owned(),
        subjects: vec![lc_120().id],
        raised_at: at("2026-11-24T14:05:00Z"),
        owner: "bed_manager ZA4".to_owned(),
        state: alert::State::Taken.into(),
        ..Alert::default()
    };
    let taken = alarm(Ok(ListAlertsResponse { alerts: vec![alert], ..nothing })).await;
    assert!(taken.starts_with("Gold was told at 14:05; taken by bed manager, "), "{taken}");
}

#[tokio::test]
async fn a_need_is_amended_withdrawn_or_resolved_by_its_reference() {
    let world = World::new().await;
    knows_needs(&world);
    world.script.on("DemandService/AmendNeed", |_: AmendNeedRequest| {
        Ok(AmendNeedResponse { need: Some(lc_120()), revision: 51 })
    });
    world.script.on("DemandService/WithdrawNeed", |_: WithdrawNeedRequest| {
        Ok(WithdrawNeedResponse { need: Some(lc_120()), revision: 52 })
    });
    world.script.on("DemandService/ResolveNeedOutside", |_: ResolveNeedOutsideRequest| {
        Ok(ResolveNeedOutsideResponse { need: Some(lc_120()), revision: 53 })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "demand list",
                "demand amend LC-120 --max-travel 60m --needed-by +2h --if-revision 40 -q",
                "demand amend LC-120",
                "demand withdraw LC-120 --reason treated-elsewhere -q",
                "demand resolve-outside LC-120 --note \"own ward opened\" -q",
            ])
            .await
    );
}

#[tokio::test]
async fn wait_ends_when_it_came_when_it_cannot_come_and_when_time_is_up() {
    let world = World::new().await;
    knows_needs(&world);
    assert_eq!(world.run("demand wait LC-118 --for proposed -q").await.exit, 0);

    let moved = |state: need::State| {
        let need = Need { state: state.into(), ..lc_118() };
        let item = watch_needs_response::Item::Need(need.clone());
        let event = WatchNeedsResponse { item: Some(item), cursor: "c1".into(), revision: 44 };
        (need, event)
    };
    for (state, exit) in [(need::State::Agreed, 0), (need::State::Unmet, 9)] {
        let (now, event) = moved(state);
        let asked = std::sync::atomic::AtomicUsize::new(0);
        world.script.on("DemandService/GetNeed", move |_: GetNeedRequest| {
            let first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            Ok(GetNeedResponse { need: Some(if first { lc_118() } else { now.clone() }), revision: 44 })
        });
        world.script.watch::<WatchNeedsRequest, _>("DemandService/WatchNeeds", vec![vec![Ok(event)]]);
        let told = world.run("demand wait LC-118 --for agreed -q").await;
        assert_eq!((told.exit, told.out.trim()), (exit, lc_118().id.as_str()), "{}", told.err);
    }

    world.script.on("DemandService/GetNeed", |_: GetNeedRequest| {
        Ok(GetNeedResponse { need: Some(lc_118()), revision: 42 })
    });
    world
        .script
        .watch::<WatchNeedsRequest, WatchNeedsResponse>("DemandService/WatchNeeds", vec![Vec::new(); 20]);
    let told = world.run("demand wait LC-118 --for agreed --timeout 1s").await;
    assert_eq!(told.exit, 7);
    assert!(
        told.err.contains("error: TIMED_OUT: nothing came within 1s\n  next: fallow why-not LC-118\n"),
        "{}",
        told.err
    );
}

#[tokio::test]
async fn a_cohort_is_listed_amended_and_withdrawn_as_one() {
    let world = World::new().await;
    world.script.on("DemandService/ListNeeds", |ask: ListNeedsRequest| {
        let cohorts = ask.filter.unwrap_or_default().cohorts;
        let needs = if cohorts == ["hips of November"] { vec![lc_118(), lc_120()] } else { Vec::new() };
        Ok(ListNeedsResponse { needs, revision: 42, ..ListNeedsResponse::default() })
    });
    world.script.on("DemandService/AmendCohort", |ask: AmendCohortRequest| {
        let revision = if ask.validate_only { 0 } else { 43 };
        Ok(AmendCohortResponse { needs: vec![lc_118(), lc_120()], revision })
    });
    world.script.on("DemandService/WithdrawCohort", |_: WithdrawCohortRequest| {
        Ok(WithdrawCohortResponse { needs: vec![lc_118()], revision: 44 })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "cohort list \"hips of November\"",
                "cohort list knees",
                "cohort amend \"hips of November\" --max-travel 90m --priority p3 --dry-run -q",
                "cohort amend \"hips of November\"",
                "cohort withdraw \"hips of November\" --reason treated_elsewhere -q",
            ])
            .await
    );
}

#[tokio::test]
async fn needs_are_asked_about_and_validated() {
    let world = World::new().await;
    knows_needs(&world);
    world.script.on("DemandService/AskToValidate", |ask: AskToValidateRequest| {
        Ok(AskToValidateResponse { asked: i64::try_from(ask.needs.len()).unwrap(), revision: 43 })
    });
    world.script.on("DemandService/ValidateNeed", |ask: ValidateNeedRequest| {
        let revision = if ask.validate_only { 0 } else { 44 };
        Ok(ValidateNeedResponse { need: Some(lc_118()), revision })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "demand ask LC-118 LC-120",
                "demand ask LC-118 -o json",
                "demand ask",
                "validate LC-118 --consented --fit",
                "demand validate LC-118 --consented --dry-run -q",
                "validate LC-118 --fit -q",
                "validate LC-118 -q",
            ])
            .await
    );
}
