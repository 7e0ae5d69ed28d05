use std::sync::{Arc, Mutex};

use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::*;
use crate::reasons;
use crate::status::Failure;
use crate::v1::capacity_service_server::{CapacityService, CapacityServiceServer};
use crate::v1::{AdjustOfferRequest, AdjustOfferResponse};

/// What reached the server: credential, deadline header and request id of each attempt.
type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

/// Answers with each failure in turn, then with success.
struct Flaky {
    seen: Seen,
    failures: Vec<Failure>,
    slow: bool,
}

#[tonic::async_trait]
impl CapacityService for Flaky {
    async fn adjust_offer(
        &self,
        request: Request<AdjustOfferRequest>,
    ) -> Result<Response<AdjustOfferResponse>, Status> {
        let header = |name: &str| {
            request.metadata().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let attempt = {
            let mut seen = self.seen.lock().unwrap();
            seen.push((
                header("authorization"),
                header("grpc-timeout"),
                request.get_ref().request_id.clone(),
            ));
            seen.len()
        };
        if self.slow {
            std::future::pending::<()>().await;
        }
        match self.failures.get(attempt - 1) {
            Some(failure) => Err(failure.status(Some(&request.get_ref().request_id))),
            None => Ok(Response::new(AdjustOfferResponse { revision: 7, ..Default::default() })),
        }
    }
}

/// Calls once against a server that fails so; returns the outcome and what the server saw.
async fn adjust(failures: Vec<Failure>, slow: bool) -> (Result<i64, Problem>, Vec<(String, String, String)>) {
    let seen = Seen::default();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", incoming.local_addr().unwrap());
    let service = CapacityServiceServer::new(Flaky { seen: seen.clone(), failures, slow });
    let server = Server::builder().add_service(service).serve_with_incoming(incoming);

    let deadline = if slow { Duration::from_millis(200) } else { DEADLINE };
    let settings = Settings { deadline, ..Settings::at(&address) }.with_token("signed");
    let client = Client::new(&settings).unwrap();
    let request = AdjustOfferRequest { request_id: fresh_request_id(), ..Default::default() };
    let capacity = client.capacity();
    let call = client.call(request, |request| {
        let mut capacity = capacity.clone();
        async move { capacity.adjust_offer(request).await }
    });
    let outcome = tokio::select! {
        ended = server => panic!("the server ended: {ended:?}"),
        outcome = call => outcome,
    };
    let seen = seen.lock().unwrap().clone();
    (outcome.map(|answer| answer.revision), seen)
}

const AWAY: Failure = Failure::StoreAway { retry_after: Duration::ZERO };

#[tokio::test]
async fn every_attempt_carries_the_credential_the_deadline_and_the_same_request_id() {
    let unknown = Failure::OutcomeUnknown { retry_after: Duration::ZERO };
    let (outcome, seen) = adjust(vec![AWAY, unknown], false).await;
    assert_eq!(outcome, Ok(7));
    assert_eq!(seen.len(), 3);
    for (authorization, timeout, request_id) in &seen {
        assert_eq!(authorization, "Bearer signed");
        assert!(!timeout.is_empty());
        assert!(!request_id.is_empty() && *request_id == seen[0].2);
    }
}

#[tokio::test]
async fn attempts_are_bounded() {
    let (outcome, seen) = adjust(vec![AWAY; 9], false).await;
    assert_eq!(outcome.unwrap_err().reason, reasons::STORE_AWAY);
    assert_eq!(seen.len(), 4);
}

#[tokio::test]
async fn what_retrying_cannot_mend_is_not_retried() {
    for failure in
        [Failure::StoreSealed, Failure::RequestIdReused, Failure::ChangedMeanwhile { current: Some(3) }]
    {
        let (outcome, seen) = adjust(vec![failure.clone()], false).await;
        assert_eq!(outcome.unwrap_err().reason, failure.reason());
        assert_eq!(seen.len(), 1, "{failure:?}");
    }
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let (outcome, seen) = adjust(Vec::new(), true).await;
    assert_eq!(outcome.unwrap_err().code, Code::DeadlineExceeded);
    assert_eq!(seen.len(), 1, "the outcome is not known, so the caller decides");
}

#[tokio::test]
async fn what_is_no_address_or_token_is_said_at_once() {
    assert!(matches!(Client::new(&Settings::at("not an address")), Err(SettingsError::Address { .. })));
    let settings = Settings::at("http://127.0.0.1:1").with_token("line\nbreak");
    assert!(matches!(Client::new(&settings), Err(SettingsError::Token)));
}

#[test]
fn waits_grow_with_jitter_and_heed_the_server() {
    for _ in 0..100 {
        for (attempt, least, most) in [(1, 100, 200), (2, 200, 400), (3, 400, 800)] {
            let wait = wait(attempt, None).as_millis();
            assert!((least..=most).contains(&wait), "{attempt}: {wait}");
        }
    }
    assert_eq!(wait(1, Some(Duration::from_secs(2))), Duration::from_secs(2));
    assert_eq!(wait(1, Some(Duration::from_secs(60))), BACKOFF_MAX);
}
