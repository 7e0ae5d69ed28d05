//! One trace runs from the call that changed something, through the log, to the proposal it caused, and from there by
//! links to the answers.

use fallow_api::client::fresh_request_id;
use fallow_api::v1;
use fallow_host::telemetry::{TRACEPARENT, in_memory};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SpanData};
use tonic::Request;
use uuid::Uuid;

use crate::wire;
use crate::world::{World, soon, stories};

stories!(a_need_is_followed_from_its_call_to_the_answers, an_offer_that_comes_last_is_the_cause);

const PUBLISH: &str = "fallow.v1.CapacityService/PublishOffer";
const RAISE: &str = "fallow.v1.DemandService/RaiseNeed";
const ANSWER: &str = "fallow.v1.MatchingService/AnswerProposal";
const PROPOSE: &str = "propose";

/// A trace that a client has begun, as its own telemetry would.
pub(crate) struct Trace {
    pub(crate) id: String,
}

impl Trace {
    pub(crate) fn begin() -> Self {
        Self { id: Uuid::new_v4().simple().to_string() }
    }

    /// Puts a message into the trace.
    pub(crate) fn carry<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        let text = format!("00-{}-{}-01", self.id, "b7ad6b7169203331");
        request.metadata_mut().insert(TRACEPARENT, text.parse().unwrap());
        request
    }

    fn holds(&self, span: &SpanData) -> bool {
        span.span_context.trace_id().to_string() == self.id
    }

    fn is_linked_from(&self, span: &SpanData) -> bool {
        span.links.iter().any(|link| link.span_context.trace_id().to_string() == self.id)
    }
}

/// Waits until spans that fit are finished: a call's span ends after its answer has left.
async fn finished(
    spans: &InMemorySpanExporter,
    count: usize,
    name: &str,
    fits: impl Fn(&SpanData) -> bool,
) -> Vec<SpanData> {
    let finished = async {
        loop {
            let all = spans.get_finished_spans().unwrap();
            let found: Vec<_> = all.into_iter().filter(|span| span.name == name && fits(span)).collect();
            if found.len() >= count {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = soon(name, finished).await;
    assert_eq!(found.len(), count, "{name}: {found:?}");
    found
}

async fn publish(world: &World, trace: &Trace) {
    let request = v1::PublishOfferRequest {
        request_id: fresh_request_id(),
        offer: Some(wire::offer("ZA101", 1, world.now())),
        ..Default::default()
    };
    world.user("trust-system.ZA1").capacity().publish_offer(trace.carry(request)).await.unwrap();
}

async fn raise(world: &World, trace: &Trace) -> v1::Need {
    let request = v1::RaiseNeedRequest {
        request_id: fresh_request_id(),
        need: Some(wire::need("ZA401", "case 1", 1)),
        ..Default::default()
    };
    let raised = world.user("bed-manager.ZA4").demand().raise_need(trace.carry(request)).await;
    raised.unwrap().into_inner().need.unwrap()
}

async fn a_need_is_followed_from_its_call_to_the_answers(world: &mut World) {
    let spans = in_memory();
    let (published, raised) = (Trace::begin(), Trace::begin());
    publish(world, &published).await;
    let need = raise(world, &raised).await;
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let proposal = home.proposal_of(&need).await;
    near.accept(&proposal).await;
    home.accept(&proposal).await;

    let [call] = finished(&spans, 1, RAISE, |span| raised.holds(span)).await.try_into().unwrap();
    let [proposed] = finished(&spans, 1, PROPOSE, |span| raised.holds(span)).await.try_into().unwrap();
    assert_eq!(proposed.parent_span_id, call.span_context.span_id(), "the need is its cause");
    assert!(published.is_linked_from(&proposed), "the offer has its part in it: {:?}", proposed.links);
    // Each answer is a call of its own, linked to what it found: the proposal, then the answer before it.
    let [first] = finished(&spans, 1, ANSWER, |span| is_linked(span, &proposed)).await.try_into().unwrap();
    let [second] = finished(&spans, 1, ANSWER, |span| is_linked(span, &first)).await.try_into().unwrap();
    for (answer, trust) in [(&first, "ZA1"), (&second, "ZA4")] {
        is_a_served_call(answer);
        assert_eq!(attribute(answer, "fallow.trust"), trust);
    }
    is_a_served_call(&call);
    assert_eq!(attribute(&call, "fallow.trust"), "ZA4");
    assert_eq!(attribute(&call, "fallow.role"), "bed_manager");
}

async fn an_offer_that_comes_last_is_the_cause(world: &mut World) {
    let spans = in_memory();
    let (published, raised) = (Trace::begin(), Trace::begin());
    let need = raise(world, &raised).await;
    world.engine_has_looked().await;
    publish(world, &published).await;
    world.user("bed-manager.ZA4").proposal_of(&need).await;
    let [call] = finished(&spans, 1, PUBLISH, |span| published.holds(span)).await.try_into().unwrap();
    let [proposed] = finished(&spans, 1, PROPOSE, |span| published.holds(span)).await.try_into().unwrap();
    assert_eq!(proposed.parent_span_id, call.span_context.span_id());
    assert!(raised.is_linked_from(&proposed), "{:?}", proposed.links);
    is_a_served_call(&call);
}

/// Says whether a span names another as what it is about.
fn is_linked(span: &SpanData, to: &SpanData) -> bool {
    span.links.iter().any(|link| link.span_context.span_id() == to.span_context.span_id())
}

/// The names are those of OpenTelemetry's semantic conventions for RPC.
fn is_a_served_call(span: &SpanData) {
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!(attribute(span, "rpc.system.name"), "grpc");
    assert_eq!(attribute(span, "rpc.method"), span.name);
    assert_eq!(attribute(span, "rpc.response.status_code"), "OK");
    assert!(!attribute(span, "fallow.request_id").is_empty());
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map_or_else(String::new, |attribute| attribute.value.to_string())
}
