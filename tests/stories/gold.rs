//! What gold looks at: alerts with owners, what is usual, reports, and the situation report that somebody signs.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::{from_wire, to_wire};
use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1::{self, Measure, ReportKind, alert};
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_domain::monitor::kept::Kept;
use fallow_ledger::cause::{Cause, Denied};
use fallow_ledger::picture::RECENT_CHANGES;
use fallow_ledger::record::Record;
use fallow_ledger::{Commit, RecordKind};
use jiff::{SignedDuration, Timestamp};
use tonic::Code;

use crate::people::User;
use crate::wire;
use crate::world::{World, soon, stories};

stories!(
    an_alert_is_raised_once_owned_and_over,
    what_was_counted_is_reported,
    what_is_usual_is_known_after_some_hours,
    the_situation_report_is_of_its_time_and_signed,
    the_report_of_an_hour_is_had_when_the_log_no_longer_reaches_it,
    the_report_of_an_hour_is_had_however_much_changes_as_it_ends,
    how_often_a_number_was_late_outlives_the_process_that_saw_it
);

/// How often a story asks whether the monitor has looked: a little longer than the monitor waits between two looks.
const A_LOOK: std::time::Duration = std::time::Duration::from_millis(250);

async fn alerts(user: &User, states: &[alert::State]) -> v1::ListAlertsResponse {
    let states = states.iter().map(|state| i32::from(*state)).collect();
    let ask = v1::ListAlertsRequest { states, page_size: 1_000, ..Default::default() };
    user.monitor().list_alerts(ask).await.unwrap().into_inner()
}

/// Lets minutes pass one by one until a rule has an open alert.
async fn until_alert(world: &World, user: &User, rule: &str) -> v1::Alert {
    let raised = async {
        loop {
            let open = alerts(user, &[]).await.alerts;
            if let Some(found) = open.into_iter().find(|alert| alert.rule == rule) {
                break found;
            }
            world.pass(SignedDuration::from_mins(1));
            tokio::time::sleep(A_LOOK).await;
        }
    };
    soon("an alert", raised).await
}

async fn report(user: &User, kind: ReportKind) -> v1::GetReportResponse {
    let ask = v1::GetReportRequest { kind: kind.into(), ..Default::default() };
    user.monitor().get_report(ask).await.unwrap().into_inner()
}

fn row<'a>(report: &'a v1::GetReportResponse, name: &str) -> &'a v1::get_report_response::Row {
    report.rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}: {report:?}"))
}

async fn an_alert_is_raised_once_owned_and_over(world: &mut World) {
    // Two processes look, and of one cause there is one alert.
    world.add_process().await;
    let (gold, home) = (world.user("duty-lead"), world.user("bed-manager.ZA4"));
    // Soon enough to alarm, and far enough off that no look comes too late.
    let needed_by = world.now() + SignedDuration::from_mins(58);
    let need = v1::Need { needed_by: Some(to_wire(needed_by)), ..wire::need("ZA401", "case 1", 1) };
    let raised = home.raise(need).await;
    let alert = until_alert(world, &gold, "need_unserved").await;
    assert_eq!((alert.state(), alert.trusts.as_slice()), (alert::State::Raised, &["ZA4".to_owned()][..]));
    assert!(alert.subjects.contains(&raised.id), "{alert:?}");
    assert!(alert.text.starts_with("Dunmere General Hospital: a need for"), "{alert:?}");
    let all = alerts(&gold, &[]).await;
    assert_eq!(all.alerts.iter().filter(|one| one.rule == "need_unserved").count(), 1, "{all:?}");
    assert!(all.raised_24h >= 1 && all.per_day == 20, "{all:?}");

    // The trust sees it and takes it; another trust does not.
    let request = v1::TakeAlertRequest {
        request_id: fresh_request_id(),
        alert: alert.id.clone(),
        ..Default::default()
    };
    let other = world.user("bed-manager.ZA1");
    let refused = Problem::from(&other.monitor().take_alert(request.clone()).await.unwrap_err());
    assert!(matches!(refused.code, Code::NotFound | Code::PermissionDenied), "{refused:?}");
    let taken = home.monitor().take_alert(request.clone()).await.unwrap().into_inner();
    let owned = taken.alert.clone().unwrap();
    assert_eq!((owned.state(), owned.owner.as_str()), (alert::State::Taken, "bed_manager ZA4"));
    let again = home.monitor().take_alert(request).await.unwrap().into_inner();
    assert_eq!(again, taken, "the same request answers as before");

    // Closed by somebody, it stays quiet while it is still so.
    let close = v1::CloseAlertRequest {
        request_id: fresh_request_id(),
        alert: alert.id.clone(),
        note: "rang the region".into(),
        ..Default::default()
    };
    let closed = gold.monitor().close_alert(close).await.unwrap().into_inner().alert.unwrap();
    assert_eq!(
        (closed.state(), closed.note.as_str(), closed.cleared),
        (alert::State::Closed, "rang the region", false)
    );
    let take = v1::TakeAlertRequest {
        request_id: fresh_request_id(),
        alert: alert.id.clone(),
        ..Default::default()
    };
    let refused = Problem::from(&gold.monitor().take_alert(take).await.unwrap_err());
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::FailedPrecondition, reasons::ILLEGAL_TRANSITION)
    );

    // Once the need is gone its cause is over.
    let withdraw = v1::WithdrawNeedRequest {
        request_id: fresh_request_id(),
        need: raised.id.clone(),
        reason: v1::DeclineReason::TreatedElsewhere.into(),
        ..Default::default()
    };
    home.demand().withdraw_need(withdraw).await.unwrap();
    let over = async {
        loop {
            let closed = alerts(&gold, &[alert::State::Closed]).await.alerts;
            if closed.iter().any(|one| one.id == alert.id && one.cleared) {
                break closed;
            }
            world.pass(SignedDuration::from_mins(1));
            tokio::time::sleep(A_LOOK).await;
        }
    };
    let closed = soon("the end of the cause", over).await;
    assert_eq!(
        closed.iter().filter(|one| one.rule == "need_unserved").count(),
        1,
        "never raised again: {closed:?}"
    );

    // The rule's record counts it as acted on.
    let rules = report(&gold, ReportKind::Alerts).await;
    assert_eq!(row(&rules, "need_unserved").values[..3], [1.0, 1.0, 100.0], "{rules:?}");
    let ask = v1::ListTimelineRequest { kinds: vec![v1::TimelineKind::Alert.into()], ..Default::default() };
    let told = gold.monitor().list_timeline(ask).await.unwrap().into_inner().entries;
    let texts: Vec<String> = told.into_iter().map(|entry| entry.text).collect();
    assert!(texts.iter().any(|text| text.starts_with("Taken by bed manager: ")), "{texts:?}");
    assert!(texts.iter().any(|text| text.ends_with(" rang the region.")), "{texts:?}");
}

async fn what_was_counted_is_reported(world: &mut World) {
    let (home, near, gold) =
        (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"), world.user("duty-lead"));
    near.publish_beds("ZA101", 1).await;
    world.user("bed-manager.ZA3").publish_beds("ZA301", 1).await;
    let need = v1::Need { imd_decile: 1, ..wire::need("ZA401", "case 1", 1) };
    let raised = home.raise(need).await;
    let first = home.proposal_of(&raised).await;
    near.decline(&first, v1::DeclineReason::Staffing).await;
    let second = soon("the next proposal", async {
        loop {
            let next = home.proposal_of(&raised).await;
            if next.id != first.id {
                break next;
            }
        }
    })
    .await;
    world.user("bed-manager.ZA3").accept(&second).await;
    world.pass(SignedDuration::from_mins(12));
    home.accept(&second).await;

    let declines = report(&gold, ReportKind::Declines).await;
    assert_eq!(row(&declines, "STAFFING").values[..2], [1.0, 100.0], "{declines:?}");
    assert_eq!(declines.notes, ["Of 2 proposals that ended: agreed 50%, declined 50%."]);
    let fairness = report(&gold, ReportKind::Fairness).await;
    assert_eq!(row(&fairness, "ZA3, beds").values[..4], [1.0, 0.0, 1.0, 100.0], "{fairness:?}");
    let to = fairness.columns.iter().position(|column| column == "to ZA4").unwrap();
    assert_eq!(row(&fairness, "ZA3, beds").values[to - 1], 1.0);
    let equity = report(&gold, ReportKind::Equity).await;
    let most = row(&equity, "1, most deprived");
    assert_eq!((most.values[0], most.values[1], most.values[4]), (1.0, 1.0, 12.0), "{equity:?}");
    let outcomes = report(&gold, ReportKind::Outcomes).await;
    let agreed = row(&outcomes, "Transfers agreed");
    assert_eq!((&agreed.values[..], agreed.note.as_str()), (&[1.0, 100.0][..], "1 bed"), "{outcomes:?}");

    // A need that nothing serves is told with what blocks it.
    let kind = v1::ResourceKind::Equipment;
    let item =
        v1::Need { resource: Some(wire::resource(kind, "HAEMOFILTER")), ..wire::need("ZA401", "case 2", 1) };
    home.raise(item).await;
    let unmet = report(&gold, ReportKind::Unmet).await;
    let waiting = row(&unmet, "EQUIPMENT/HAEMOFILTER");
    assert_eq!((waiting.values.iter().sum::<f64>(), waiting.note.as_str()), (1.0, "no capacity 100%"));
    assert!(!unmet.notes.is_empty());

    // A trust is told of no flow that it may not know of; a wrong question is answered with all that is wrong.
    let ask = v1::GetReportRequest { kind: ReportKind::Alerts.into(), ..Default::default() };
    let refused = near.monitor().get_report(ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let wrong =
        v1::GetReportRequest { kind: 0, trust: "XX9".into(), alerts_toml: "x".into(), ..Default::default() };
    let refused = Problem::from(&gold.monitor().get_report(wrong).await.unwrap_err());
    let fields: Vec<&str> = refused.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(fields, ["kind", "trust", "alerts_toml"], "{refused:?}");

    // The day is taken down when it has ended, with the numbers of its end and with what was counted in it.
    world.pass(SignedDuration::from_hours(17));
    until_kept(world, "rollup/day").await;
    let (records, _) = world.keeper().await.snapshot().await.unwrap();
    let day = records.iter().find(|record| record.key.id.starts_with("rollup/day")).unwrap();
    let Ok(Record::Monitor(kept)) = Record::decode(day.key.kind, &day.body) else { panic!("{:?}", day.key) };
    let Kept::Rollup(day) = &*kept else { panic!("{:?}", day.key) };
    assert!(day.headline.is_some_and(|headline| headline.needs_open > 0), "{day:?}");
    let counted = day.tally.as_ref().unwrap();
    let told: Vec<(&str, u64)> = counted.declines.iter().map(|row| (row.code.as_str(), row.count)).collect();
    assert_eq!(told, [("STAFFING", 1)]);
    let later = report(&gold, ReportKind::Declines).await;
    assert_eq!(later.rows, declines.rows);
}

/// Lets minutes pass until the ledger holds something of the monitor.
async fn until_kept(world: &World, prefix: &str) {
    let ledger = world.keeper().await;
    let kept = async {
        loop {
            let (records, _) = ledger.snapshot().await.unwrap();
            let mut keys = records.iter().filter(|record| record.key.kind == RecordKind::Monitor);
            if keys.any(|record| record.key.id.starts_with(prefix)) {
                break;
            }
            world.pass(SignedDuration::from_mins(1));
            tokio::time::sleep(A_LOOK).await;
        }
    };
    soon("what the monitor keeps", kept).await;
}

async fn what_is_usual_is_known_after_some_hours(world: &mut World) {
    let (gold, home) = (world.user("duty-lead"), world.user("bed-manager.ZA4"));
    let (step, begun) = (SignedDuration::from_mins(60), world.now());
    for hour in 0..9_i64 {
        // One need the first hour, none the second, and so on: the hours differ by one.
        if hour % 2 == 0 {
            home.raise(wire::need("ZA401", &format!("case {hour}"), 1)).await;
        }
        world.pass(step);
        let end: Timestamp = begun + SignedDuration::from_hours(hour + 1);
        until_kept(world, &format!("rollup/hour/{end}")).await;
    }
    let ask = v1::GetTrendRequest { measure: Measure::NeedsOpen.into(), ..Default::default() };
    let trend = gold.monitor().get_trend(ask).await.unwrap().into_inner();
    assert!(trend.points.len() >= 9, "{trend:?}");
    let values: Vec<f64> = trend.points.iter().take(9).map(|point| point.value).collect();
    assert_eq!(values, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0]);
    assert!(trend.lower < trend.mean && trend.mean < trend.upper, "{trend:?}");
    assert!(!trend.sentence.is_empty());
    let situation =
        gold.monitor().get_situation(v1::GetSituationRequest::default()).await.unwrap().into_inner();
    let usual =
        situation.situation.unwrap().headline.unwrap().usual_needs_open.expect("nine hours are known");
    assert!(usual.lower >= 0.0 && usual.upper > usual.lower, "{usual:?}");

    // A trust sees trends of what it sees, and not of the region.
    let all = v1::GetTrendRequest { measure: Measure::Net.into(), trust: "ZA4".into(), ..Default::default() };
    let resource = Some(wire::resource(v1::ResourceKind::Bed, "GA_ADULT"));
    let net = v1::GetTrendRequest { resource, ..all.clone() };
    assert!(home.monitor().get_trend(net).await.is_ok());
    let refused = Problem::from(&home.monitor().get_trend(all).await.unwrap_err());
    assert_eq!(refused.violations[0].field, "resource", "{refused:?}");
    let refused = home.monitor().get_trend(ask_of(Measure::NeedsOpen)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let wrong = v1::GetTrendRequest {
        trust: "ZA4".into(),
        from: Some(to_wire(world.now())),
        ..ask_of(Measure::NeedsOpen)
    };
    let refused = Problem::from(&gold.monitor().get_trend(wrong).await.unwrap_err());
    let fields: Vec<&str> = refused.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(fields, ["trust", "from"], "{refused:?}");
}

fn ask_of(measure: Measure) -> v1::GetTrendRequest {
    v1::GetTrendRequest { measure: measure.into(), ..Default::default() }
}

async fn the_situation_report_is_of_its_time_and_signed(world: &mut World) {
    let (gold, home) = (world.user("duty-lead"), world.user("bed-manager.ZA4"));
    home.raise(wire::need("ZA401", "case 1", 1)).await;
    let at_eight = world.now();
    world.pass(SignedDuration::from_mins(4));
    home.raise(wire::need("ZA401", "case 2", 1)).await;
    let get = async |user: &User, as_of: Timestamp| {
        let ask = v1::GetSitrepRequest { as_of: Some(to_wire(as_of)) };
        user.monitor().get_sitrep(ask).await.map(|answer| answer.into_inner().sitrep.unwrap())
    };
    let open = |sitrep: &v1::Sitrep| sitrep.situation.as_ref().unwrap().headline.unwrap().needs_open;
    let then = get(&gold, at_eight).await.unwrap();
    let now = get(&gold, world.now()).await.unwrap();
    assert_eq!((open(&then), open(&now)), (1, 2), "the report is of its time");
    assert_eq!(then.signed_off_at, None);

    let sign = v1::SignOffSitrepRequest {
        request_id: fresh_request_id(),
        as_of: Some(to_wire(at_eight)),
        signatory: "duty director".into(),
        ..Default::default()
    };
    let checked =
        v1::SignOffSitrepRequest { validate_only: true, request_id: fresh_request_id(), ..sign.clone() };
    assert_eq!(gold.monitor().sign_off_sitrep(checked).await.unwrap().into_inner().revision, 0);
    assert_eq!(get(&gold, at_eight).await.unwrap().signed_off_at, None, "that was a check");
    let signed = gold.monitor().sign_off_sitrep(sign.clone()).await.unwrap().into_inner();
    let report = signed.sitrep.unwrap();
    assert_eq!((report.signed_off_by.as_str(), report.signatory.as_str()), ("gold", "duty director"));
    assert_eq!((open(&report), report.signed_off_at), (1, Some(to_wire(world.now()))));
    // Another signature changes nothing: the first counts.
    let second = v1::SignOffSitrepRequest {
        request_id: fresh_request_id(),
        signatory: "somebody else".into(),
        ..sign.clone()
    };
    let second = gold.monitor().sign_off_sitrep(second).await.unwrap().into_inner().sitrep.unwrap();
    assert_eq!(second.signatory, "duty director");
    let read = get(&gold, at_eight).await.unwrap();
    assert_eq!((read.signatory.as_str(), open(&read)), ("duty director", 1));
    assert_eq!(home.monitor().sign_off_sitrep(sign).await.unwrap_err().code(), Code::PermissionDenied);

    // Of a time before everything, and of one to come, there is none.
    let gone = Problem::from(&get(&gold, at_eight - SignedDuration::from_hours(100)).await.unwrap_err());
    assert_eq!((gone.code, gone.reason.as_str()), (Code::OutOfRange, reasons::REVISION_GONE));
    let ahead = Problem::from(&get(&gold, world.now() + SignedDuration::from_hours(1)).await.unwrap_err());
    assert_eq!(ahead.violations[0].field, "as_of");
}

async fn sitrep(user: &User, as_of: Timestamp) -> Result<v1::Sitrep, Problem> {
    let ask = v1::GetSitrepRequest { as_of: Some(to_wire(as_of)) };
    let answer = user.monitor().get_sitrep(ask).await;
    let mut sitrep = answer.map_err(|status| Problem::from(&status))?.into_inner().sitrep.unwrap();
    // Of what was changed since, a report from the log knows only that it was.
    sitrep.alerts.iter_mut().for_each(|alert| alert.revision = 0);
    Ok(sitrep)
}

async fn the_report_of_an_hour_is_had_when_the_log_no_longer_reaches_it(world: &mut World) {
    let home = world.user("bed-manager.ZA4");
    world.user("bed-manager.ZA1").publish_beds("ZA101", 2).await;
    home.declare_opel(3).await;
    let patient = Some(v1::Patient { age: Some(71), ..Default::default() });
    let in_time = Some(to_wire(world.now() + SignedDuration::from_mins(30)));
    let item = Some(wire::resource(v1::ResourceKind::Equipment, "HAEMOFILTER"));
    // Nothing serves it, and it goes unmet.
    let unserved =
        v1::Need { needed_by: in_time, patient, resource: item, ..wire::need("ZA401", "case 1", 1) };
    home.raise(unserved).await;
    home.raise(wire::need("ZA401", "case 2", 1)).await;
    let nine = world.now() + SignedDuration::from_hours(1);
    world.pass(SignedDuration::from_hours(1));
    world.engine_has_looked().await;
    until_kept(world, &format!("position/{nine}")).await;
    // What comes later is none of its business.
    let home = world.user("bed-manager.ZA4");
    home.raise(wire::need("ZA401", "case 3", 1)).await;
    home.declare_opel(4).await;
    world.pass(SignedDuration::from_mins(40));

    // A process that starts now has a log of nothing before.
    world.add_process().await;
    for name in ["duty-lead", "bed-manager.ZA4", "bed-manager.ZA1", "bed-manager.ZA6", "icb"] {
        let by_log = sitrep(&world.user(name), nine).await.unwrap();
        let as_kept = sitrep(&world.user_at(1, name), nine).await.unwrap();
        assert_eq!(as_kept, by_log, "{name}");
    }
    let later = world.user_at(1, "duty-lead");
    let report = sitrep(&later, nine).await.unwrap();
    let opel = |report: &v1::Sitrep| {
        let trusts = report.situation.clone().unwrap().trusts;
        trusts.into_iter().find(|trust| trust.trust == "ZA4").unwrap().opel
    };
    assert_eq!((opel(&report), opel(&sitrep(&later, world.now()).await.unwrap())), (3, 4));
    let unmet: Vec<_> = report.unmet.iter().map(|need| (need.case_ref.as_str(), need.patient)).collect();
    assert_eq!(unmet, [("case 1", None)]);

    // Between the hours there is none, and the nearest that can be had is named.
    let gone = sitrep(&later, nine + SignedDuration::from_mins(20)).await.unwrap_err();
    assert_eq!((gone.code, gone.reason.as_str()), (Code::OutOfRange, reasons::REVISION_GONE));
    assert!(
        gone.text.contains("as of Tue 24 Nov 09:20 ")
            && gone.text.contains("the nearest is Tue 24 Nov 09:00"),
        "{gone:?}"
    );

    // It is signed as it was, and then it is read as it was signed.
    let sign = v1::SignOffSitrepRequest {
        request_id: fresh_request_id(),
        as_of: Some(to_wire(nine)),
        signatory: "duty director".into(),
        ..Default::default()
    };
    later.monitor().sign_off_sitrep(sign).await.unwrap();
    let signed = sitrep(&later, nine).await.unwrap();
    assert_eq!(
        (signed.signatory.as_str(), signed.unmet, signed.situation),
        ("duty director", report.unmet, report.situation)
    );

    // It is kept for a day and some hours, and not for ever.
    let kept = async || {
        let (records, _) = world.keeper().await.snapshot().await.unwrap();
        let names = records.into_iter().filter(|record| record.key.kind == RecordKind::Monitor);
        names.filter(|record| record.key.id.starts_with("position/")).count()
    };
    world.pass(SignedDuration::from_hours(25));
    until_kept(world, &format!("position/{}", nine + SignedDuration::from_hours(25))).await;
    assert!(sitrep(&world.user_at(1, "bed-manager.ZA4"), nine).await.is_ok(), "yesterday's");
    world.pass(SignedDuration::from_hours(40));
    until_kept(world, &format!("position/{}", nine + SignedDuration::from_hours(65))).await;
    let bounded = async {
        while kept().await > 31 {
            world.pass(SignedDuration::from_mins(1));
            tokio::time::sleep(A_LOOK).await;
        }
    };
    soon("that old hours are given up", bounded).await;
    let gone = sitrep(&world.user_at(1, "bed-manager.ZA4"), nine).await.unwrap_err();
    assert_eq!(gone.reason, reasons::REVISION_GONE);
}

async fn the_report_of_an_hour_is_had_however_much_changes_as_it_ends(world: &mut World) {
    let (gold, home) = (world.user("duty-lead"), world.user("bed-manager.ZA4"));
    home.raise(wire::need("ZA401", "case 1", 1)).await;
    let nine = world.now() + SignedDuration::from_hours(1);
    world.pass(SignedDuration::from_hours(1));
    // The monitor looks as the hour ends; it may also look a little later.
    tokio::time::sleep(4 * A_LOOK).await;
    // More than a process keeps, before it is known that everything of the hour is there.
    let ledger = world.keeper().await;
    let denied = Denied { reason: "ROLE_FORBIDS".into(), times: 1, at: None };
    let by = Actor {
        subject: Label::parse("somebody").unwrap(),
        kind: ActorKind::Person,
        role: Role::Gold,
        trust: None,
    };
    let cause = Cause {
        by,
        verb: "PublishOffer".into(),
        at: nine + SignedDuration::from_secs(5),
        request_id: None,
        traceparent: None,
        decided_at: None,
        denied: Some(denied),
    };
    for _ in 0..=RECENT_CHANGES {
        ledger.commit(Commit::new(nine).because(cause.encode())).await.unwrap();
    }
    until_kept(world, &format!("position/{nine}")).await;
    let report = sitrep(&gold, nine).await.unwrap();
    let situation = report.situation.unwrap();
    let looked_at = from_wire(&situation.at.unwrap()).unwrap();
    assert!(looked_at >= nine && looked_at <= nine + SignedDuration::from_mins(1), "{looked_at}");
    assert_eq!((report.as_of, situation.headline.unwrap().needs_open), (Some(to_wire(nine)), 1));
}

/// How often Aldermoor's step-down beds were late, as gold reads it from one of the processes.
async fn late(world: &World, process: usize) -> i64 {
    let gold = world.user_at(process, "duty-lead");
    let ask = v1::GetSituationRequest::default();
    let answer = gold.monitor().get_situation(ask).await.unwrap().into_inner();
    let situation = answer.situation.unwrap();
    assert!(situation.late_counted_from.is_some(), "it is said since when it is counted");
    let is_bed = |of: &v1::Resource| of.code == wire::bed().code;
    let is_it =
        |cell: &&v1::situation::Cell| cell.trust == "ZA1" && cell.resource.as_ref().is_some_and(is_bed);
    situation.cells.iter().find(is_it).unwrap_or_else(|| panic!("no cell: {situation:?}")).late_7d
}

async fn how_often_a_number_was_late_outlives_the_process_that_saw_it(world: &mut World) {
    let offer = world.user("bed-manager.ZA1").publish_beds("ZA101", 2).await;
    let two = wire::CADENCE * 2;
    world.pass(two);
    assert_eq!(late(world, 0).await, 0, "ageing is not late");
    world.pass(SignedDuration::from_mins(20));
    assert_eq!(late(world, 0).await, 1);
    world.user("bed-manager.ZA1").confirm(&offer).await;
    assert_eq!(late(world, 0).await, 1, "it was late, though it is not now");
    let hour = world.now() + SignedDuration::from_mins(40);
    until_kept(world, &format!("rollup/hour/{hour}")).await;
    assert_eq!(late(world, 0).await, 1, "the hour that was taken down and the log tell of the same time");

    // A process that starts now reads the hour that is kept.
    world.add_process().await;
    assert_eq!(late(world, 1).await, 1);
    world.pass(two + SignedDuration::from_mins(20));
    assert_eq!((late(world, 0).await, late(world, 1).await), (2, 2));
    world.user("bed-manager.ZA1").confirm(&offer).await;
    assert_eq!((late(world, 0).await, late(world, 1).await), (2, 2));
}
