//! Every form of every page, in front of services to which nobody's sign-in is strong enough.

use axum::body::Body;
use axum::http::Request;
use http::StatusCode;
use http_body_util::{BodyExt as _, Full};
use tokio::net::TcpListener;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::ServiceExt as _;

use crate::app::tests::app_at;
use crate::routes;
use crate::session::{Presence, Token, Viewer};

/// What is sent to no service, is no form, or is too large to be kept.
const OTHERS: [&str; 7] =
    ["/sign-in", "/sign-out", "/sign-out/provider", "/preferences", "/upload", "/wall/display", "/wall/down"];

/// Something for every field that any form must have.
const FILLED_IN: &str = "offer=o-1&key=k-1&need=n-1&proposal=p-1&transfer=t-1&alert=a-1&action=x-1&cohort=c-1&site=ZA401&\
                         campaign=spring&proposals=p-1&resource=BED%2FSTEP_DOWN&what=BED%2FSTEP_DOWN&units=1&count=1&minutes=60&\
                         opel=3&until=2026-11-24T20%3A00&review_at=2026-11-24T20%3A00&needed_by=2026-11-24T20%3A00&needed-by=2026-11-24T20%3A00&\
                         max_travel_minutes=60&priority=PRIORITY_P2&case-ref=LC-1&answer=accept&to=READY&reason=STAFFING&\
                         code=RISK_TO_LIFE&decision=open&rationale=full&signatory=duty&trust=ZA2&note=n&what_was_done=w&\
                         toml=x&of=offers&accept=p-1%201&rows=2&sequence=1&records=%7B%22site%22%3A%22ZA401%22%7D";

fn addresses() -> Vec<&'static str> {
    let routes = include_str!("../routes.rs").split(".route(").skip(1);
    let posted = routes.filter(|route| route.split("get(").any(|part| part.contains("post(")));
    let all = posted.map(|route| route.split('"').nth(1).unwrap());
    // A demonstration's own switches are asked of no service.
    all.filter(|path| !OTHERS.contains(path) && !path.starts_with("/demo/")).collect()
}

/// Services that know of nothing, and do nothing without a stronger sign-in.
async fn strict() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = async |request: Request<Body>| {
        let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let is_read = ["Get", "List", "Watch", "Explain"].iter().any(|verb| call.starts_with(verb));
        if is_read {
            // Nothing at all, as one message without a field.
            let done = http::HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
            let message =
                Full::new(axum::body::Bytes::from_static(&[0; 5])).with_trailers(async { Some(Ok(done)) });
            let answer = http::Response::builder().header("content-type", "application/grpc");
            return answer.body(Body::new(message)).unwrap();
        }
        let details =
            ErrorDetails::with_error_info("AAL_TOO_LOW", "fallow", std::collections::HashMap::new());
        Status::with_error_details(Code::PermissionDenied, "level 3", details).into_http::<Body>()
    };
    let services = axum::Router::new().fallback(answer);
    let routes = tonic::service::Routes::from(services);
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    #[expect(clippy::disallowed_methods, reason = "a test's own server ends with the test")]
    tokio::spawn(tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming));
    address
}

#[tokio::test]
async fn every_form_that_needs_a_stronger_sign_in_leads_there_and_is_kept() {
    let app = app_at(&strict().await);
    let viewer =
        Viewer { subject: "ana".to_owned(), role: "site_lead".to_owned(), trust: Some("ZA4".to_owned()) };
    let id = app.sessions.begin(viewer, Token::Given("token".to_owned()));
    let csrf = app.sessions.find(&id, Presence::Person).unwrap().csrf;
    let all = addresses();
    assert!(all.len() >= 30, "{all:?}");
    let mut astray = Vec::new();
    for path in all {
        // One field means a number on one page and a time on another.
        let by = if path == "/needs/later" { "2026-11-24T20%3A00" } else { "1" };
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", format!("__Host-fallow_session={id}"))
            .body(Body::from(format!("csrf={csrf}&by={by}&{FILLED_IN}")))
            .unwrap();
        let answer = routes::router(app.clone()).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let Some((_, way)) = body.split_once("/sign-in/provider?stronger=yes&#38;next=/resume/") else {
            let said = body.split("<main").nth(1).unwrap_or(&body).split_whitespace().collect::<Vec<_>>();
            astray.push(format!("{path}: {status} {}", said.join(" ").chars().take(400).collect::<String>()));
            continue;
        };
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        let kept = app.parked.find(way.split('"').next().unwrap(), "ana").unwrap();
        assert_eq!(kept.path, path);
        assert!(kept.fields.contains(&("units".to_owned(), "1".to_owned())), "{path}");
    }
    assert!(astray.is_empty(), "{astray:#?}");
}
