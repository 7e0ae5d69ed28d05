//! The one layer between the network and the handlers: it puts right what tonic answers wrongly, finds out who calls,
//! whether they may, and keeps every limit that can be kept before a handler runs.
//!
//! What it promises is the table of api.md: each bad request has one code and one reason, every failure carries its
//! details, a panic costs one call and not the process, and INTERNAL always means a mistake of ours.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_api::{FILE_DESCRIPTOR_SET, reasons};
use fallow_domain::actor::{Actor, ActorKind};
use fallow_domain::ids::TrustCode;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Layer, Service, ServiceExt as _};
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::config::Server;
use crate::identity::systems::Unnamed;
use crate::identity::tls::Peer;
use crate::identity::{Caller, Verifier};
use crate::limits::{Limits, Permit};
use crate::rights::{self, Call, Shape};
use crate::{telemetry, texts};

mod answer;
mod denied;
mod frames;
mod headers;
mod mend;

use answer::{Answer, Served, Session};
pub use denied::Denied;
use denied::{Note, Noting};
pub(crate) use frames::malformed;

/// The header by which a caller names a call in its logs; we return it, or one of ours.
pub const REQUEST_ID: &str = "x-request-id";

/// The header by which a service tells whom it knows what it is: its release, a space, and the versions of the API that it
/// serves, parted by commas, such as `0.1.0 v1`. Who does not say who they are is told nothing of it.
pub const VERSION: &str = "x-fallow-version";
/// The value of [`VERSION`] of this release.
const THIS_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " v1");

/// What is left of a deadline for our answer to arrive in time, instead of the caller's own giving up.
const ANSWER_TRAVEL: Duration = Duration::from_millis(20);

/// The id of a call, for logs and the details of failures. In the extensions of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The layer. Cheap to clone.
#[derive(Clone)]
pub struct Wire(Arc<Rules>);

#[derive(Clone)]
struct Rules {
    verifier: Verifier,
    limits: Limits,
    /// Whether a trust is one of the region in force.
    is_active: Arc<IsActive>,
    /// Is told of each denial.
    note: Arc<Note>,
    /// By which a date in a text is near or far.
    clock: Clock,
    default_deadline: Duration,
    longest_deadline: Duration,
    shapes: std::collections::BTreeMap<String, Shape>,
}

impl Wire {
    /// Makes the layer of a process; `clock` is that of its services.
    #[must_use]
    pub fn new(verifier: Verifier, limits: Limits, settings: &Server, clock: Clock) -> Self {
        Self(Arc::new(Rules {
            verifier,
            limits,
            is_active: Arc::new(|_| true),
            note: Arc::new(|_| ()),
            clock,
            default_deadline: Duration::from_millis(settings.default_deadline_ms.into()),
            longest_deadline: Duration::from_millis(settings.longest_deadline_ms.into()),
            shapes: rights::shapes(FILE_DESCRIPTOR_SET),
        }))
    }
}

/// Says whether a trust is an active member.
type IsActive = dyn Fn(TrustCode) -> bool + Send + Sync;

impl Wire {
    /// Refuses systems whose trust is not active, whatever their certificates say.
    #[must_use]
    pub fn among(self, is_active: impl Fn(TrustCode) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Rules { is_active: Arc::new(is_active), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Tells `note` of each call of a known caller that was denied. It is called while the caller waits, and must not.
    #[must_use]
    pub fn noting(self, note: impl Fn(Denied) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Rules { note: Arc::new(note), ..Arc::unwrap_or_clone(self.0) }))
    }
}

impl<S> Layer<S> for Wire {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { rules: self.0.clone(), inner }
    }
}

/// Services behind the layer.
#[derive(Clone)]
pub struct Guarded<S> {
    rules: Arc<Rules>,
    inner: S,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Each call readies its own clone of the services.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(refusal) = headers::not_grpc(&request) {
            return Box::pin(std::future::ready(Ok(refusal)));
        }
        let (rules, inner) = (self.rules.clone(), self.inner.clone());
        let known = Call::find(request.uri().path());
        let id = headers::request_id(request.headers(), rules.clock.now());
        // An unknown path is chosen by the caller, so it names neither a span nor a metric.
        let method = known.map_or("_OTHER", |call| call.path.trim_start_matches('/'));
        let span = tracing::info_span!(
            "call",
            otel.name = method,
            otel.kind = "server",
            otel.status_code = tracing::field::Empty,
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.response.status_code = tracing::field::Empty,
            fallow.request_id = %id,
            fallow.trust = tracing::field::Empty,
            fallow.role = tracing::field::Empty,
        );
        telemetry::continue_from_headers(&span, request.headers());
        let served = serve(rules, inner, request, known, RequestId(id.clone())).instrument(span.clone());
        Box::pin(async move {
            let started = Instant::now();
            let (response, leave) = served.await;
            let Leave { permit, session, noting } = leave;
            let is_known = noting.is_some();
            let served =
                Served { call: known, method, id: id.clone(), started, span, permit, session, noting };
            let mut response = Answer::wrap(response, served);
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            if is_known {
                response.headers_mut().insert(VERSION, HeaderValue::from_static(THIS_VERSION));
            }
            Ok(response)
        })
    }
}

/// What a call that may be served holds as long as its answer lasts.
#[derive(Default)]
struct Leave {
    permit: Option<Permit>,
    session: Option<Session>,
    noting: Option<Noting>,
}

/// Serves a call and mends the head of its answer, beside which its leave lives.
async fn serve<S>(
    rules: Arc<Rules>,
    inner: S,
    mut request: Request<Body>,
    known: Option<&'static Call>,
    id: RequestId,
) -> (Response<Body>, Leave)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
    S::Future: Send,
{
    // The caller's clock began no later than this; finding out who calls is part of its time.
    let arrived = Instant::now();
    request.extensions_mut().insert(id.clone());
    let mut leave = Leave::default();
    let outcome = match known {
        Some(call) => match caught(|| rules.admit(call, &mut request, &mut leave)) {
            Ok(deadline) => rules.serve_known(inner, request, call, (arrived, deadline)).await.map(
                |(response, permit)| {
                    leave.permit = leave.permit.take().or(permit);
                    response
                },
            ),
            Err(failure) => Err(failure),
        },
        None if headers::is_infrastructure(request.uri().path()) => handle(inner, request).await,
        None => Err(Failure::Unimplemented),
    };
    let mut response = match outcome {
        Ok(mut response) => {
            mend::head(&mut response, known, &id.0);
            response
        }
        Err(failure) => failure.status(Some(&id.0)).into_http(),
    };
    mend::push_back(response.headers_mut());
    (response, leave)
}

impl Rules {
    /// Decides whether a call may be served: its headers, its caller, their right, their limits. Returns its deadline, and
    /// fills its leave; of whom it refuses, too, the leave says who they are, where that is known.
    fn admit(
        &self,
        call: &'static Call,
        request: &mut Request<Body>,
        leave: &mut Leave,
    ) -> Result<Duration, Failure> {
        headers::check_metadata(request.headers())?;
        let texts = texts::check_headers(request.headers(), self.clock.now());
        let deadline = headers::take_deadline(request.headers_mut(), call.changes);
        if call.open {
            texts?;
            return Ok(self.bounded(deadline?));
        }
        let mut by = None;
        let caller = self.caller_of(request, &mut by);
        // Who sends what could identify a patient is noted, and so they are known before they are refused.
        leave.noting = by.map(|by| Noting { note: self.note.clone(), clock: self.clock.clone(), by, call });
        texts?;
        let deadline = self.bounded(deadline?);
        let caller = caller?;
        let span = tracing::Span::current();
        span.record("fallow.role", caller.actor.role.as_str());
        if let Some(trust) = &caller.actor.trust {
            span.record("fallow.trust", trust.as_str());
        }
        let grant = caller.authorise(call)?;
        leave.permit = Some(self.limits.admit(&caller, call)?);
        let lasts = self.shapes.get(call.path).is_some_and(|shape| shape.server_streams);
        leave.session = (lasts && caller.session.is_some())
            .then(|| Session { verifier: self.verifier.clone(), caller: caller.clone() });
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(grant);
        Ok(deadline)
    }

    /// Returns how long a call has, by what its caller gave it.
    fn bounded(&self, deadline: Option<Duration>) -> Duration {
        deadline.unwrap_or(self.default_deadline).min(self.longest_deadline)
    }

    /// Finds out who calls: by the token, else by the certificate of the connection. On a system's connection a token is
    /// worth something only when it is of that system, or of a person of its trust. `by` is set as soon as that is known,
    /// also of whom is refused all the same.
    fn caller_of(&self, request: &Request<Body>, by: &mut Option<Actor>) -> Result<Caller, Failure> {
        let has_token = request.headers().contains_key(http::header::AUTHORIZATION);
        let system = match request.extensions().get::<Peer>() {
            // A process of Fallow's own is no system of a trust: its certificate encrypts, and its token speaks.
            Some(Peer::Certified(Err(Unnamed::Missing))) if has_token => None,
            Some(Peer::Certified(named)) => Some(named.clone()?),
            Some(Peer::Unknown) | None => None,
        };
        let by_token = |by: &mut Option<Actor>| {
            let caller = self.verifier.caller_of(request.headers())?;
            *by = Some(caller.actor.clone());
            Ok::<_, Failure>(caller)
        };
        let Some(system) = system else { return by_token(by) };
        if has_token {
            let caller = by_token(by)?;
            // A machine of a trust speaks for its trust: not for another system, nor for people elsewhere or above trusts.
            let is_another = caller.actor.kind == ActorKind::System && caller.actor.subject != system.name;
            if caller.actor.trust != Some(system.trust) || is_another {
                return Err(Failure::Unauthenticated {
                    reason: reasons::TOKEN_BINDING,
                    text: "the token is of another trust or system than the connection's certificate"
                        .to_owned(),
                });
            }
            return Ok(caller);
        }
        let caller = system.caller(self.verifier.region());
        *by = Some(caller.actor.clone());
        if !(self.is_active)(system.trust) {
            return Err(Failure::Forbidden {
                reason: reasons::TRUST_NOT_ACTIVE,
                text: format!("{} is no active trust of this region", system.trust),
            });
        }
        Ok(caller)
    }

    /// Serves a call of the contract within its deadline, which binds calls of one message and one answer; a stream
    /// lasts as long as both sides want it. Who has no credential is counted, with everybody like them, from when the
    /// message is whole: to open calls and send nothing keeps nobody else out.
    async fn serve_known<S>(
        &self,
        inner: S,
        request: Request<Body>,
        call: &'static Call,
        (arrived, deadline): (Instant, Duration),
    ) -> Result<(Response<Body>, Option<Permit>), Failure>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        let shape = self.shapes.get(call.path).copied();
        let Some(shape) = shape else { return Err(Failure::Unimplemented) };
        let (head, body) = request.into_parts();
        let limit = call.message_bytes_max;
        if shape.client_streams {
            let body = Body::new(frames::Guard::new(body, limit));
            return Ok((handle(inner, Request::from_parts(head, body)).await?, None));
        }
        let in_time = async {
            let message = frames::read_one(body, limit).await?;
            caught(|| texts::check(call.path, &message[frames::PREFIX_BYTES..], self.clock.now()))?;
            let permit = call.open.then(|| self.limits.admit_nobody(call)).transpose()?;
            let body = Body::new(http_body_util::Full::new(message));
            Ok((handle(inner, Request::from_parts(head, body)).await?, permit))
        };
        // The answer leaves a little before the deadline; of a very short one, a fifth is kept for that.
        let wait = deadline.saturating_sub(ANSWER_TRAVEL.min(deadline / 5));
        match tokio::time::timeout_at(arrived + wait, in_time).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::DeadlinePassed { mutation: call.changes }),
        }
    }
}

/// Judges a call; a panic over what it sent is a mistake of ours that costs this call alone.
fn caught<T>(judge: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    std::panic::catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| {
        tracing::error!("a look at a request panicked");
        Err(mend::bug())
    })
}

/// Calls the handler; a panic in it is a mistake of ours that costs this call alone.
async fn handle<S>(inner: S, request: Request<Body>) -> Result<Response<Body>, Failure>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
    S::Future: Send,
{
    match AssertUnwindSafe(inner.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::error!("a handler panicked");
            Err(mend::bug())
        }
    }
}

#[cfg(test)]
mod tests;
