//! One waiting list for a collaborative: ranked across trusts by band, wait, risk and deprivation, with its clocks.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1::{self, Objection, Priority, need, proposal};
use jiff::SignedDuration;
use tonic::Code;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, stories};

use super::{managers, refused};

stories!(
    a_shared_patient_tracking_list_is_ranked_across_trusts_with_its_clocks,
    a_cohort_is_raised_amended_and_withdrawn_as_one,
    a_case_on_the_list_is_validated,
    a_risk_score_ranks_within_its_band,
    health_inequalities_weigh_within_a_band,
    a_list_takes_ids_and_a_time,
    a_fragile_service_is_marked_and_a_challenged_trust_is_spared,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn listed(user: &User, filter: v1::NeedFilter) -> v1::ListNeedsResponse {
    let request = v1::ListNeedsRequest { filter: Some(filter), ..Default::default() };
    call!(user.demand(), list_needs, request).unwrap()
}

async fn order(user: &User) -> Vec<String> {
    let all = listed(user, v1::NeedFilter::default()).await;
    all.needs.into_iter().map(|need| need.case_ref).collect()
}

fn waiting(site: &str, name: &str, priority: Priority, days: i64, world: &World) -> v1::Need {
    v1::Need {
        priority: priority.into(),
        listed_at: Some(to_wire(world.now() - DAY * i32::try_from(days).unwrap())),
        ..wire::need(site, name, 1)
    }
}

async fn a_shared_patient_tracking_list_is_ranked_across_trusts_with_its_clocks(world: &mut World) {
    let [brackwater, calverleigh, dunmere] = managers(world, ["ZA2", "ZA3", "ZA4"]);
    let cancer = v1::Need {
        pathway: v1::Pathway::Cancer.into(),
        ..waiting("ZA301", "cancer", Priority::P2, 30, world)
    };
    let hip =
        v1::Need { pathway: v1::Pathway::Rtt.into(), ..waiting("ZA201", "hip", Priority::P4, 400, world) };
    let scan =
        v1::Need { pathway: v1::Pathway::Dm01.into(), ..waiting("ZA401", "scan", Priority::P3, 10, world) };
    brackwater.raise(hip).await;
    calverleigh.raise(cancer).await;
    dunmere.raise(scan).await;
    dunmere.raise(waiting("ZA401", "tonight", Priority::P1a, 0, world)).await;
    // The same list for every member, and for who stands above them.
    for user in [&brackwater, &dunmere, &world.user("icb")] {
        assert_eq!(order(user).await, ["tonight", "cancer", "scan", "hip"]);
    }
    let seen = listed(&dunmere, v1::NeedFilter::default()).await.standings;
    let clocks: Vec<_> =
        seen.iter().map(|one| (one.position, one.waited_days, one.passed_days, one.next_days)).collect();
    assert_eq!(clocks, [(1, 0, 0, 0), (2, 30, 28, 31), (3, 10, 0, 42), (4, 400, 364, 455)]);
    let in_days = |time: &Option<prost_types::Timestamp>| {
        (time.as_ref().unwrap().seconds - world.now().as_second()) / 86_400
    };
    let breaches: Vec<i64> = seen.iter().map(|one| in_days(&one.breach_at)).collect();
    assert_eq!(breaches, [1, -2, 81, -274], "24 hours, 28, 91 and 126 days from listing");
    assert_eq!(in_days(&seen[1].next_at), 1, "the 31 days of cancer are over tomorrow");
    let only = v1::NeedFilter { trusts: vec!["ZA4".into()], ..Default::default() };
    let own = listed(&dunmere, only).await;
    assert_eq!((own.needs.len(), own.standings.iter().map(|one| one.position).max()), (2, Some(2)));
}

async fn a_cohort_is_raised_amended_and_withdrawn_as_one(world: &mut World) {
    let [home, near] = managers(world, ["ZA4", "ZA1"]);
    let member = |name: &str| v1::Need { cohort: "hips in May".into(), ..wire::need("ZA401", name, 1) };
    for name in ["one", "two", "three"] {
        home.raise(member(name)).await;
    }
    let alone = home.raise(wire::need("ZA401", "alone", 1)).await;
    let amend = async |user: &User, cohort: &str, minutes: i64| {
        let request = v1::AmendCohortRequest {
            request_id: fresh_request_id(),
            cohort: cohort.into(),
            need: Some(v1::Need { max_travel_minutes: minutes, ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["max_travel_minutes".into()] }),
            ..Default::default()
        };
        call!(user.demand(), amend_cohort, request)
    };
    let amended = amend(&home, "hips in May", 40).await.unwrap().needs;
    assert_eq!(amended.iter().map(|need| need.max_travel_minutes).collect::<Vec<_>>(), [40; 3]);
    let written: std::collections::BTreeSet<i64> = amended.iter().map(|need| need.revision).collect();
    assert_eq!(written.len(), 1, "one commit");
    assert_eq!(home.need(&alone.id).await.max_travel_minutes, 0);
    assert_eq!(amend(&near, "hips in May", 20).await.unwrap_err().code, Code::NotFound, "another trust's");
    let wrong = amend(&home, "hips in May", -1).await.unwrap_err();
    assert_eq!(
        (wrong.code, wrong.violations[0].field.as_str()),
        (Code::InvalidArgument, "need.max_travel_minutes")
    );

    // One of them is on its way: the cohort is withdrawn whole, or not at all.
    near.publish_beds("ZA101", 1).await;
    let filter = v1::NeedFilter { cohorts: vec!["hips in May".into()], ..Default::default() };
    let served = crate::watching::needs(&home, filter.clone(), |seen| {
        seen.values().find(|need| need.units_proposed > 0).cloned()
    })
    .await;
    let proposed = home.proposal_of(&served).await;
    let planned = super::agree(&home, &near, &proposed).await;
    let id = fresh_request_id();
    let withdraw = async |id: &str| -> Result<v1::WithdrawCohortResponse, Problem> {
        let request = v1::WithdrawCohortRequest {
            request_id: id.into(),
            cohort: "hips in May".into(),
            reason: v1::DeclineReason::TreatedElsewhere.into(),
            ..Default::default()
        };
        call!(home.demand(), withdraw_cohort, request)
    };
    let bound = withdraw(&fresh_request_id()).await.unwrap_err();
    assert_eq!(bound.reason, reasons::UNITS_BOUND);
    // It says which of the three it is.
    assert_eq!(bound.numbers.get("need"), Some(&served.id), "{bound:?}");
    assert!(bound.text.starts_with(&format!("{}: ", served.case_ref)), "{bound:?}");
    assert_eq!(listed(&home, filter.clone()).await.needs.len(), 3);
    home.abort(&planned, v1::DeclineReason::TreatedElsewhere).await.unwrap();
    let withdrawn = withdraw(&id).await.unwrap();
    let states: Vec<_> = withdrawn.needs.iter().map(v1::Need::state).collect();
    assert_eq!(states, [need::State::Withdrawn; 3]);
    assert_eq!(withdraw(&id).await.unwrap().revision, withdrawn.revision, "the same request again");
    assert_eq!(withdraw(&fresh_request_id()).await.unwrap_err().code, Code::NotFound);
    assert_eq!(listed(&home, filter).await.needs, []);
}

async fn a_case_on_the_list_is_validated(world: &mut World) {
    let [home, other] = managers(world, ["ZA4", "ZA1"]);
    let raised = home.raise(wire::need("ZA401", "hip", 1)).await;
    let ask = async |user: &User| {
        let request = v1::AskToValidateRequest {
            request_id: fresh_request_id(),
            needs: vec![raised.id.clone()],
            ..Default::default()
        };
        call!(user.demand(), ask_to_validate, request)
    };
    let say = async |user: &User| {
        let request = v1::ValidateNeedRequest {
            request_id: fresh_request_id(),
            need: raised.id.clone(),
            consented: true,
            fit: false,
            ..Default::default()
        };
        call!(user.demand(), validate_need, request)
    };
    assert_eq!(ask(&home).await.unwrap_err().reason, reasons::WRONG_SIDE);
    assert_eq!(ask(&other).await.unwrap().asked, 1);
    let asked = home.need(&raised.id).await.validation.unwrap();
    assert_eq!((asked.asked_by_trust.as_str(), asked.validated_at), ("ZA1", None));
    assert_eq!(asked.asked_at, Some(to_wire(world.now())));
    assert_eq!(ask(&world.user("duty-lead")).await.unwrap_err().reason, reasons::RATE_LIMITED);
    assert_eq!(say(&other).await.unwrap_err().code, Code::NotFound);
    let said = say(&home).await.unwrap().need.unwrap().validation.unwrap();
    assert_eq!((said.asked_at, said.consented, said.fit), (None, true, false));
    assert_eq!(said.validated_at, Some(to_wire(world.now())));
    // It is a step on the list, and keeps nobody from a bed.
    other.publish_beds("ZA101", 1).await;
    assert_eq!(home.proposal_of(&raised).await.state(), proposal::State::Held);
}

async fn a_risk_score_ranks_within_its_band(world: &mut World) {
    let [home, other] = managers(world, ["ZA4", "ZA2"]);
    let risk = |value: f64| {
        let at = Some(to_wire(world.now()));
        Some(v1::Risk { value, source: "C2Ai".into(), at })
    };
    home.raise(v1::Need { risk: risk(10.0), ..waiting("ZA401", "lower", Priority::P2, 0, world) }).await;
    other.raise(v1::Need { risk: risk(95.0), ..waiting("ZA201", "higher", Priority::P2, 0, world) }).await;
    home.raise(waiting("ZA401", "earlier band", Priority::P1b, 0, world)).await;
    assert_eq!(order(&home).await, ["earlier band", "higher", "lower"]);
    // One bed: the first of the list gets it, then the higher risk.
    let giver = world.user("bed-manager.ZA1");
    giver.publish_beds("ZA101", 2).await;
    let all = v1::ProposalFilter::default();
    let served = crate::watching::proposals(&giver, all, |seen| {
        (seen.len() == 2).then(|| seen.values().map(|one| one.need.clone()).collect::<Vec<_>>())
    })
    .await;
    let left =
        listed(&home, v1::NeedFilter { states: vec![need::State::Open.into()], ..Default::default() }).await;
    assert_eq!(left.needs.iter().map(|need| need.case_ref.as_str()).collect::<Vec<_>>(), ["lower"]);
    assert!(!served.contains(&left.needs[0].id));
    let kept = left.needs[0].risk.as_ref().unwrap();
    assert_eq!((kept.source.as_str(), kept.at), ("C2Ai", Some(to_wire(world.now()))));
}

async fn health_inequalities_weigh_within_a_band(world: &mut World) {
    let home = world.user("bed-manager.ZA4");
    let of = |name: &str, decile, priority| v1::Need {
        imd_decile: decile,
        ..waiting("ZA401", name, priority, 0, world)
    };
    home.raise(of("least deprived", 10, Priority::P3)).await;
    home.raise(of("most deprived", 1, Priority::P3)).await;
    home.raise(of("earlier band", 10, Priority::P2)).await;
    assert_eq!(order(&home).await, ["earlier band", "most deprived", "least deprived"]);
    let scores: Vec<i64> =
        listed(&home, v1::NeedFilter::default()).await.standings.iter().map(|one| one.score).collect();
    assert_eq!(scores, [0, 5, 0], "the policy's weight, for the first tenth only");
}

async fn a_fragile_service_is_marked_and_a_challenged_trust_is_spared(world: &mut World) {
    let [challenged, home, other] = managers(world, ["ZA1", "ZA4", "ZA3"]);
    let offer = challenged.publish_beds("ZA101", 3).await;
    let request =
        v1::DeclarePressureRequest { request_id: fresh_request_id(), opel: 4, ..Default::default() };
    call!(challenged.capacity(), declare_pressure, request).unwrap();
    let fragile = v1::Need { fragile_service: true, ..wire::need("ZA401", "case 1", 1) };
    let raised = home.raise(fragile).await;
    assert!(other.need(&raised.id).await.fragile_service, "everybody sees from where it comes");
    assert_eq!(refused(world, &home, &raised).await, [(Objection::TrustUnderPressure, 1)]);
    // It keeps three for itself: of four, one is lent once the pressure is off.
    let keep = v1::SetReserveRequest {
        request_id: fresh_request_id(),
        resource: Some(wire::bed()),
        units: 3,
        ..Default::default()
    };
    call!(challenged.capacity(), set_reserve, keep).unwrap();
    let request =
        v1::DeclarePressureRequest { request_id: fresh_request_id(), opel: 2, ..Default::default() };
    call!(challenged.capacity(), declare_pressure, request).unwrap();
    assert_eq!(refused(world, &home, &raised).await, [(Objection::BelowReserve, 1)]);
    challenged.try_adjust(&offer, 1).await.unwrap();
    assert_eq!(home.proposal_of(&raised).await.offer, offer.id);
}

async fn a_list_takes_ids_and_a_time(world: &mut World) {
    let [aldermoor, dunmere] = managers(world, ["ZA1", "ZA4"]);
    let offer = aldermoor.publish_beds("ZA101", 4).await;
    let other = aldermoor.publish_beds("ZA102", 1).await;
    // Of another kind, so that nothing is held meanwhile.
    let other_bed = |name: &str| v1::Need {
        resource: Some(wire::resource(v1::ResourceKind::Bed, "GA_ADULT")),
        ..wire::need("ZA401", name, 1)
    };
    let need = dunmere.raise(other_bed("LC-118")).await;
    dunmere.raise(other_bed("LC-119")).await;
    world.pass(SignedDuration::from_mins(1));
    let before = world.now();
    world.pass(SignedDuration::from_mins(1));
    aldermoor.adjust(&offer, -3).await;
    aldermoor.try_withdraw(&other).await.unwrap();

    let offers = async |ids: &[&str], as_of: Option<jiff::Timestamp>| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let filter = Some(v1::OfferFilter { ids, ..Default::default() });
        let request = v1::ListOffersRequest { filter, as_of: as_of.map(to_wire), ..Default::default() };
        call!(aldermoor.capacity(), list_offers, request).map(|listed| listed.offers)
    };
    let free = |offers: &[v1::Offer]| -> Vec<i64> {
        offers.iter().map(|one| one.figures.unwrap_or_default().free).collect()
    };
    // What is named is found in whatever state; the live list has the other one alone.
    let mut named = offers(&[&other.id, &offer.id], None).await.unwrap();
    named.sort_by_key(|one| one.id != offer.id);
    assert_eq!(
        named.iter().map(|one| one.state()).collect::<Vec<_>>(),
        [v1::offer::State::Open, v1::offer::State::Withdrawn]
    );
    assert_eq!(free(&offers(&[], None).await.unwrap()), [1]);
    // Then both were live, with what they had.
    let mut then = free(&offers(&[], Some(before)).await.unwrap());
    then.sort_unstable();
    assert_eq!(then, [1, 4]);
    assert_eq!(free(&offers(&[&offer.id], Some(before)).await.unwrap()), [4]);

    let needs = listed(&dunmere, v1::NeedFilter { ids: vec![need.id.clone()], ..Default::default() }).await;
    assert_eq!(needs.needs.iter().map(|one| one.case_ref.as_str()).collect::<Vec<_>>(), ["LC-118"]);
    let raised_since = v1::ListNeedsRequest { as_of: Some(to_wire(before)), ..Default::default() };
    let watch = v1::WatchNeedsRequest {
        filter: Some(v1::NeedFilter { ids: vec!["not an id".into()], ..Default::default() }),
        ..Default::default()
    };
    dunmere.raise(other_bed("LC-120")).await;
    assert_eq!(call!(dunmere.demand(), list_needs, raised_since).unwrap().needs.len(), 2);

    // Each limit names the field.
    let wrong = |problem: Problem| (problem.reason.clone(), problem.violations[0].field.clone());
    let said = |reason: &str, field: &str| (reason.to_owned(), field.to_owned());
    let refused = offers(&["not an id"], None).await.unwrap_err();
    assert_eq!(wrong(refused), said(reasons::BAD_ID, "filter.ids[0]"));
    let refused = offers(&[offer.id.as_str(); 1_001], None).await.unwrap_err();
    assert_eq!(wrong(refused), said(reasons::TOO_MANY, "filter.ids"));
    let ahead = offers(&[], Some(world.now() + SignedDuration::from_hours(1))).await.unwrap_err();
    assert_eq!(wrong(ahead), said(reasons::WINDOW, "as_of"));
    let refused = Problem::from(&dunmere.demand().watch_needs(watch).await.unwrap_err());
    assert_eq!(wrong(refused), said(reasons::BAD_ID, "filter.ids[0]"));
    let gone = offers(&[], Some(before - SignedDuration::from_hours(1_000))).await.unwrap_err();
    assert_eq!((gone.code, gone.reason.as_str()), (Code::OutOfRange, reasons::REVISION_GONE));
}
