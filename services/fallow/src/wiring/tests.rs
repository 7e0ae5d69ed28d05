use std::collections::BTreeSet;
use std::time::Duration;

use fallow_api::v1::GetRegionRequest;
use fallow_api::v1::monitor_service_client::MonitorServiceClient;
use fallow_host::identity::built_in;
use fallow_ledger::MemoryLedger;
use tonic::Request;

use super::*;

mod desk;
mod encrypted;
mod gold;
mod identity;

const NORTH_VALE: &str = include_str!("../../../../regions/north-vale.toml");

fn process(settings: &[(&str, &str)]) -> Process {
    let any_port =
        ["capacity", "demand", "matching", "monitor", "console"].map(|name| format!("listen.{name}"));
    let mut all: Vec<(&str, &str)> = any_port.iter().map(|path| (path.as_str(), "0")).collect();
    all.push(("dev.enabled", "true"));
    all.extend(settings);
    let config = Config::load(None, []).unwrap().with(&all).unwrap();
    Process::new(config, Clock::system()).unwrap()
}

fn every() -> BTreeSet<Service> {
    Service::ALL.into()
}

fn as_user<T>(process: &Process, name: &str, message: T) -> Request<T> {
    let user = built_in::user(name, &process.config.region.id).unwrap();
    let token = process.identity.signer.as_ref().unwrap().issue(&user, Duration::from_secs(60)).unwrap();
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[tokio::test]
async fn services_serve_once_the_region_file_is_applied() {
    for ports in [Ports::One, Ports::Each] {
        let mut process = process(&[]);
        process.region_file = Some(NORTH_VALE.to_owned());
        let services = process.services(&every(), ports, Arc::new(MemoryLedger::new())).await.unwrap();
        services.ready().await.unwrap();
        let distinct: BTreeSet<_> = services.addresses.values().collect();
        assert_eq!(distinct.len(), if ports == Ports::One { 1 } else { 4 });
        let url = services.url(Service::Monitor).unwrap();
        let mut monitor = MonitorServiceClient::connect(url).await.unwrap();
        let asked = as_user(&process, "bed-manager.ZA1", GetRegionRequest {});
        let answer = monitor.get_region(asked).await.unwrap().into_inner();
        assert!(answer.toml == NORTH_VALE && answer.revision > 0);
        let region = answer.region.unwrap();
        assert!(region.sites.iter().any(|site| site.phone.starts_with("0555")), "{region:?}");
        drop(monitor);
        process.tasks.finish(Duration::from_secs(10)).await.unwrap();
    }
}

#[tokio::test]
async fn a_region_file_that_could_not_be_applied_any_more_keeps_no_process_from_starting() {
    let ledger = Arc::new(MemoryLedger::new());
    let start = async |process: &Process| {
        let services = process.services(&every(), Ports::One, ledger.clone()).await?;
        services.ready().await
    };
    let mut older = process(&[]);
    older.region_file =
        Some(format!("{NORTH_VALE}\n[[policy.approval]]\nkinds = [\"BED\"]\nrole = \"gold\"\n"));
    // Whoever asks before the first start is told, and so is the start over an empty ledger.
    let told = older.check_new_region_file().unwrap_err().to_string();
    assert!(told.contains("policy: approval") && told.contains("incident"), "{told}");
    assert!(matches!(start(&older).await, Err(StartError::Region(_))));
    older.tasks.finish(Duration::from_secs(10)).await.unwrap();

    let mut first = process(&[]);
    first.region_file = Some(NORTH_VALE.to_owned());
    first.check_new_region_file().unwrap();
    start(&first).await.unwrap();
    first.tasks.finish(Duration::from_secs(10)).await.unwrap();
    let mut again = process(&[]);
    again.region_file = older.region_file.clone();
    start(&again).await.expect("a region is in force");
    again.tasks.finish(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn whether_changes_are_taken_is_asked_by_a_name_of_its_own() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use fallow_host::serve::WRITES_OK;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;

    let process = process(&[]);
    let services = process.services(&every(), Ports::One, Arc::new(MemoryLedger::new())).await.unwrap();
    let are_taken = Arc::new(AtomicBool::new(true));
    let told = are_taken.clone();
    services.tell_writes(move || told.load(Ordering::Acquire));
    let url = services.url(Service::Monitor).unwrap();
    let channel = tonic::transport::Endpoint::from_shared(url).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    for expected in [true, false, true] {
        are_taken.store(expected, Ordering::Release);
        let expected = if expected { ServingStatus::Serving } else { ServingStatus::NotServing };
        let until_told = async {
            loop {
                let ask = HealthCheckRequest { service: WRITES_OK.to_owned() };
                let said = health.check(ask).await.map(|answer| answer.into_inner().status());
                // Not known before it was looked at first.
                if said.is_ok_and(|said| said == expected) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), until_told).await.unwrap();
    }
    drop(health);
    process.tasks.finish(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn the_first_of_two_processes_applies_its_file_and_the_other_finds_it() {
    let ledger = Arc::new(MemoryLedger::new());
    let (mut first, second) = (process(&[]), process(&[]));
    let monitor = BTreeSet::from([Service::Monitor]);
    let waiting = second.services(&monitor, Ports::Each, ledger.clone()).await.unwrap();
    let mut waits = std::pin::pin!(waiting.ready());
    assert!(
        tokio::time::timeout(Duration::from_millis(200), &mut waits).await.is_err(),
        "there is no region"
    );
    first.region_file = Some(NORTH_VALE.to_owned());
    first.services(&monitor, Ports::Each, ledger).await.unwrap().ready().await.unwrap();
    waits.await.unwrap();
    assert_eq!(waiting.live.region().unwrap().region.name.as_str(), "North Vale");
    for process in [first, second] {
        process.tasks.finish(Duration::from_secs(10)).await.unwrap();
    }
}

#[tokio::test]
async fn a_region_file_that_is_wrong_or_of_another_region_ends_the_start() {
    for (toml, why) in
        [("", "missing field"), ("[region]\nid = \"other\"\nname = \"Other\"", "region.id is north-vale")]
    {
        let mut process = process(&[]);
        process.region_file = Some(toml.to_owned());
        let started = process.services(&every(), Ports::One, Arc::new(MemoryLedger::new())).await;
        let refusal = started.err().unwrap().to_string();
        assert!(refusal.starts_with("region.file: ") && refusal.contains(why), "{refusal}");
    }
}

#[tokio::test]
async fn a_process_whose_store_is_away_waits_and_can_be_stopped() {
    let process = process(&[("store.kind", "redis"), ("store.url", "redis://127.0.0.1:1")]);
    let ledger = open_ledger(&process.config).unwrap();
    let services = process.services(&every(), Ports::One, ledger).await.unwrap();
    let mut ready = std::pin::pin!(services.ready());
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut ready).await.is_err());
    process.tasks.stop();
    assert!(matches!(ready.await, Err(StartError::Stopped)));
    process.tasks.finish(Duration::from_secs(10)).await.unwrap();
}
