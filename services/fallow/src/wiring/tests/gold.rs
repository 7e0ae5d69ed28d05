//! The monitor service over a real server: what each caller sees, what a watch tells, what is refused.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::v1::capacity_service_client::CapacityServiceClient;
use fallow_api::v1::watch_situation_response::Item;
use fallow_api::v1::{
    self, ApplyRegionRequest, GetSituationRequest, Mode, PublishOfferRequest, SetModeRequest, Situation,
    WatchSituationRequest,
};
use jiff::Timestamp;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::*;

const NOON: &str = "2026-11-24T12:00:00Z";

/// A process over an empty ledger whose time stands still, with North Vale in force.
struct Stage {
    process: Process,
    monitor: MonitorServiceClient<Channel>,
    capacity: CapacityServiceClient<Channel>,
}

impl Stage {
    async fn set() -> Self {
        let mut process = process(&[]);
        process.clock = Clock::manual(NOON.parse().unwrap());
        process.region_file = Some(NORTH_VALE.to_owned());
        let services = BTreeSet::from([Service::Capacity, Service::Monitor]);
        let services = process.services(&services, Ports::One, Arc::new(MemoryLedger::new())).await.unwrap();
        services.ready().await.unwrap();
        let url = services.url(Service::Monitor).unwrap();
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        let (monitor, capacity) =
            (MonitorServiceClient::new(channel.clone()), CapacityServiceClient::new(channel));
        Self { process, monitor, capacity }
    }

    fn now(&self) -> Timestamp {
        self.process.clock.now()
    }

    async fn publish(&mut self, trust: &str, kind: v1::ResourceKind, code: &str, free: i64) -> v1::Offer {
        let hour = jiff::SignedDuration::from_hours(1);
        let offer = v1::Offer {
            source_key: format!("{trust} {code}"),
            site: format!("{trust}01"),
            resource: Some(v1::Resource { kind: kind.into(), code: code.to_owned(), ..Default::default() }),
            figures: Some(v1::Figures { staffed: free, ..Default::default() }),
            window: Some(v1::Window { from: None, until: Some(to_wire(self.now() + hour * 48)) }),
            cadence: Some(prost_types::Duration { seconds: 4 * 3_600, nanos: 0 }),
            ..Default::default()
        };
        let request =
            PublishOfferRequest { request_id: fresh_request_id(), offer: Some(offer), ..Default::default() };
        let request = as_user(&self.process, &format!("bed-manager.{trust}"), request);
        self.capacity.publish_offer(request).await.unwrap().into_inner().offer.unwrap()
    }

    async fn situation(&mut self, name: &str, collaborative: &str) -> Result<Situation, Status> {
        let request = GetSituationRequest { collaborative: collaborative.to_owned() };
        let answer = self.monitor.get_situation(as_user(&self.process, name, request)).await?;
        Ok(answer.into_inner().situation.unwrap())
    }

    async fn apply(
        &mut self,
        name: &str,
        request: ApplyRegionRequest,
    ) -> Result<v1::ApplyRegionResponse, Status> {
        self.monitor
            .apply_region(as_user(&self.process, name, request))
            .await
            .map(tonic::Response::into_inner)
    }

    async fn set_mode(&mut self, name: &str, request: SetModeRequest) -> Result<v1::SetModeResponse, Status> {
        self.monitor.set_mode(as_user(&self.process, name, request)).await.map(tonic::Response::into_inner)
    }

    async fn finish(self) {
        drop((self.monitor, self.capacity));
        self.process.tasks.finish(Duration::from_secs(10)).await.unwrap();
    }
}

fn file(toml: &str) -> ApplyRegionRequest {
    ApplyRegionRequest { request_id: fresh_request_id(), toml: toml.to_owned(), ..Default::default() }
}

fn incident(reason: &str) -> SetModeRequest {
    SetModeRequest {
        request_id: fresh_request_id(),
        collaborative: "north-vale-acute".to_owned(),
        mode: Mode::Incident.into(),
        reason: reason.to_owned(),
        ..Default::default()
    }
}

fn told(changes: &[v1::RegionChange]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {} -> {}", change.path, change.before, change.after)).collect()
}

#[tokio::test]
async fn each_sees_the_figures_that_are_shared_with_it() {
    let mut stage = Stage::set().await;
    stage.publish("ZA1", v1::ResourceKind::Bed, "STEP_DOWN", 3).await;
    stage.publish("ZA5", v1::ResourceKind::VirtualWard, "FRAILTY", 7).await;
    let free = |situation: &Situation| -> Vec<(String, i64)> {
        let published = situation.cells.iter().filter(|cell| cell.offers > 0);
        published.map(|cell| (cell.trust.clone(), cell.free)).collect()
    };
    let (beds, wards) = (("ZA1".to_owned(), 3), ("ZA5".to_owned(), 7));
    let gold = stage.situation("duty-lead", "").await.unwrap();
    assert_eq!(free(&gold), [beds.clone(), wards.clone()]);
    let head = gold.headline.unwrap();
    assert_eq!((head.trusts_live, head.trusts_all, gold.trusts.len(), gold.modes.len()), (2, 6, 6, 3));
    assert_eq!(gold.trusts[0].name, "Aldermoor University Hospitals");
    // Virtual wards are shared between ZA1, ZA4 and ZA5 alone.
    assert_eq!(free(&stage.situation("bed-manager.ZA4", "").await.unwrap()), [beds.clone(), wards]);
    assert_eq!(free(&stage.situation("bed-manager.ZA2", "").await.unwrap()), std::slice::from_ref(&beds));
    let network = stage.situation("bed-manager.ZA2", "vale-critical-care").await.unwrap();
    assert_eq!((free(&network), network.trusts.len(), network.modes.len()), (vec![beds], 5, 1));
    for (name, collaborative, code) in [
        ("bed-manager.ZA2", "vale-at-home", Code::NotFound),
        ("duty-lead", "nowhere", Code::NotFound),
        ("duty-lead", "{}", Code::NotFound),
        ("platform-admin", "", Code::PermissionDenied),
    ] {
        let refusal = stage.situation(name, collaborative).await.unwrap_err();
        assert_eq!(refusal.code(), code, "{name} {collaborative}: {refusal}");
    }
    stage.finish().await;
}

#[tokio::test]
async fn a_watch_tells_what_changes_and_that_time_passes() {
    let mut stage = Stage::set().await;
    let watch = |stage: &Stage, name: &str, cursor: &str| {
        let request = WatchSituationRequest { cursor: cursor.to_owned(), ..Default::default() };
        let (request, mut monitor) = (as_user(&stage.process, name, request), stage.monitor.clone());
        async move { monitor.watch_situation(request).await }
    };
    let mut gold = watch(&stage, "duty-lead", "").await.unwrap().into_inner();
    let mut console = watch(&stage, "console", "").await.unwrap().into_inner();
    let first = gold.message().await.unwrap().unwrap();
    let heard = console.message().await.unwrap().unwrap();
    assert!(matches!(heard.item, Some(Item::Bookmark(_))), "the console is told of no record: {heard:?}");

    let offer = stage.publish("ZA1", v1::ResourceKind::Bed, "STEP_DOWN", 3).await;
    let second = gold.message().await.unwrap().unwrap();
    let Some(Item::Situation(situation)) = second.item else { panic!("{second:?}") };
    assert!(situation.cells.iter().any(|cell| cell.trust == "ZA1" && cell.free == 3), "{situation:?}");
    assert!(second.revision >= offer.revision && second.revision > first.revision);
    assert!(console.message().await.unwrap().unwrap().revision > heard.revision);

    // Nothing changes but the time: after ten hours of a four-hour cadence the offer is stale.
    stage.process.clock.advance(jiff::SignedDuration::from_hours(10));
    let third = gold.message().await.unwrap().unwrap();
    let Some(Item::Situation(situation)) = third.item else { panic!("{third:?}") };
    assert!(
        situation.cells.iter().any(|cell| cell.trust == "ZA1" && cell.offers_stale == 1),
        "{situation:?}"
    );
    assert_eq!(third.revision, second.revision);

    let again = watch(&stage, "duty-lead", &third.cursor).await.unwrap().into_inner().message().await;
    assert!(matches!(again.unwrap().unwrap().item, Some(Item::Situation(_))));
    let refusal = Problem::from(&watch(&stage, "duty-lead", "no cursor").await.unwrap_err());
    assert_eq!(refusal.violations[0].field, "cursor");
    stage.process.tasks.stop();
    let last = gold.message().await.unwrap().unwrap();
    assert!(matches!(last.item, Some(Item::Moved(_))), "{last:?}");
    stage.finish().await;
}

#[tokio::test]
async fn a_region_file_is_applied_with_its_difference() {
    let mut stage = Stage::set().await;
    let changed = NORTH_VALE.replace("keep_points = 10", "keep_points = 20").replacen("opel = 2\n", "", 1);
    let expected = ["policy.keep_points 10 -> 20", "trust.ZA1.opel 2 -> "];
    let dry = ApplyRegionRequest { validate_only: true, ..file(&changed) };
    let answer = stage.apply("platform-admin", dry).await.unwrap();
    assert_eq!((told(&answer.changes), answer.revision), (expected.map(str::to_owned).to_vec(), 0));
    let request = file(&changed);
    let answer = stage.apply("platform-admin", request.clone()).await.unwrap();
    assert_eq!(told(&answer.changes), expected);
    assert!(answer.revision > 0 && answer.region.as_ref().unwrap().policy == "2");
    assert_eq!(stage.apply("platform-admin", request).await.unwrap(), answer, "a repetition");
    let same = stage.apply("platform-admin", file(&changed)).await.unwrap();
    assert_eq!((same.changes, same.revision), (vec![], answer.revision), "nothing to change");

    let stale = ApplyRegionRequest { expected_revision: Some(1), ..file(NORTH_VALE) };
    let refusal = stage.apply("platform-admin", stale).await.unwrap_err();
    assert_eq!(
        (refusal.code(), Problem::from(&refusal).reason.as_str()),
        (Code::Aborted, "CHANGED_MEANWHILE")
    );
    let refusal = stage.apply("duty-lead", file(NORTH_VALE)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    stage.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_region_file_is_named_at_once() {
    let mut stage = Stage::set().await;
    let offer = stage.publish("ZA1", v1::ResourceKind::Bed, "STEP_DOWN", 3).await;
    let without_site = {
        let site = NORTH_VALE.find("[[site]]\ncode = \"ZA101\"").unwrap();
        let next = site + 1 + NORTH_VALE[site + 1..].find("[[site]]").unwrap();
        let kept = format!("{}{}", &NORTH_VALE[..site], &NORTH_VALE[next..]);
        kept.split("\n[[travel]]").next().unwrap().to_owned()
    };
    for (toml, fields, text) in [
        ("", &["toml"][..], "must be given"),
        ("[region", &["toml"], "TOML parse error"),
        (&NORTH_VALE.replace("keep_points", "keep_pionts"), &["toml"], "unknown field `keep_pionts`"),
        (
            &NORTH_VALE.replace("opel = 2", "opel = 9").replace("trust = \"ZA2\"", "trust = \"ZZ9\""),
            &[
                "trust ZA1: opel",
                "trust ZA3: opel",
                "trust ZA5: opel",
                "site ZA201: trust",
                "area VALE-BRACKWATER: trust",
                "policy: standing_agreement anaesthetists-2026",
            ],
            "must be 1 to 4, is 9",
        ),
        (&NORTH_VALE.replace("id = \"north-vale\"", "id = \"other\""), &["region: id"], "must be north-vale"),
        (
            &NORTH_VALE
                .replace("\"Europe/London\"", "\"Europe/Londn\"")
                .replace("\"icb\"", "\"bed_manager\""),
            &["policy: approval", "region: timezone"],
            "role must be icb, lead_provider or, in an incident, gold, is bed_manager",
        ),
        (&without_site, &["site ZA101"], "cannot be left out while it has live offers (1)"),
    ] {
        let refusal = stage.apply("platform-admin", file(toml)).await.unwrap_err();
        let problem = Problem::from(&refusal);
        let found: Vec<&str> = problem.violations.iter().map(|one| one.field.as_str()).collect();
        assert_eq!((refusal.code(), found.as_slice()), (Code::InvalidArgument, fields), "{refusal:?}");
        assert!(problem.violations[0].text.contains(text), "{problem:?}");
    }
    // The region in force is what it was, and the site may go once nothing live names it.
    let request = v1::WithdrawOfferRequest {
        request_id: fresh_request_id(),
        offer: offer.id,
        reason: v1::DeclineReason::CapacityChanged.into(),
        ..Default::default()
    };
    let request = as_user(&stage.process, "bed-manager.ZA1", request);
    stage.capacity.withdraw_offer(request).await.unwrap();
    let answer = stage.apply("platform-admin", file(&without_site)).await.unwrap();
    assert!(told(&answer.changes).contains(&"site.ZA101.kind HOSPITAL -> ".to_owned()), "{answer:?}");
    stage.finish().await;
}

#[tokio::test]
async fn gold_switches_a_mode_and_everyone_sees_why() {
    let mut stage = Stage::set().await;
    let request = incident("norovirus, Brackwater");
    let answer = stage.set_mode("duty-lead", request.clone()).await.unwrap();
    assert_eq!(stage.set_mode("duty-lead", request).await.unwrap(), answer, "a repetition");
    let seen = stage.situation("bed-manager.ZA5", "").await.unwrap();
    let mode = seen.modes.iter().find(|mode| mode.collaborative == "north-vale-acute").unwrap();
    assert_eq!((mode.mode(), mode.reason.as_str()), (Mode::Incident, "norovirus, Brackwater"));
    assert_eq!(mode.since, Some(to_wire(NOON.parse().unwrap())));
    // Another reason is no other beginning, and a new file is no end of an incident.
    stage.process.clock.advance(jiff::SignedDuration::from_hours(1));
    let reworded = stage.set_mode("duty-lead", incident("norovirus, two sites")).await.unwrap();
    assert_eq!(reworded.mode.unwrap().since, mode.since);
    let changed = NORTH_VALE.replace("keep_points = 10", "keep_points = 20");
    stage.apply("platform-admin", file(&changed)).await.unwrap();
    let seen = stage.situation("duty-lead", "").await.unwrap();
    assert!(seen.modes.iter().any(|mode| mode.reason == "norovirus, two sites"), "{:?}", seen.modes);

    let unknown = SetModeRequest { collaborative: "nowhere".to_owned(), ..incident("why") };
    let empty = SetModeRequest { request_id: "7".to_owned(), mode: 0, ..incident("") };
    let stale = SetModeRequest { expected_revision: Some(1), ..incident("why") };
    let long = incident(&"x".repeat(141));
    for (name, request, code, field) in [
        ("bed-manager.ZA1", incident("why"), Code::PermissionDenied, None),
        ("platform-admin", incident("why"), Code::PermissionDenied, None),
        ("duty-lead", unknown, Code::NotFound, None),
        ("duty-lead", empty, Code::InvalidArgument, Some("mode")),
        ("duty-lead", stale, Code::Aborted, None),
        ("duty-lead", long, Code::InvalidArgument, Some("reason")),
    ] {
        let refusal = stage.set_mode(name, request).await.unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal:?}");
        let problem = Problem::from(&refusal);
        assert!(
            field.is_none_or(|field| problem.violations.iter().any(|one| one.field == field)),
            "{problem:?}"
        );
    }
    stage.finish().await;
}
