//! The end of a process as its callers see it.

use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::*;

/// How long anything may take that takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_is_in_work_ends_well_while_the_process_drains() {
    let world = world().await;
    world.running.ready().await;
    let endpoint = Endpoint::from_shared(format!("http://{}", world.address)).unwrap();
    let mut health = HealthClient::new(endpoint.connect().await.unwrap());
    let mut told = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let mut next = async || {
        let message = tokio::time::timeout(PATIENCE, told.message()).await.expect("health says how it is");
        message.unwrap().map(|told| told.status())
    };
    assert_eq!(next().await, Some(ServingStatus::Serving));

    // A call on a connection of its own, which is in work when the word to stop comes.
    let waiting = publish("waits");
    let waits = world.call(PUBLISH, &waiting);
    let stops = async {
        ARRIVED.notified().await;
        world.tasks.stop();
        // Health says so on the connections that there are.
        assert_eq!(next().await, Some(ServingStatus::NotServing));
        GO_ON.notify_one();
    };
    let (answered, ()) = tokio::join!(waits, stops);
    assert_eq!(answered.outcome(), (Code::Ok, ""), "{answered:?}");
    drop((told, health));
    // Then the port is closed, and the process can end.
    world.tasks.finish(PATIENCE).await.unwrap();
    assert!(tokio::net::TcpStream::connect(world.address).await.is_err());
}
