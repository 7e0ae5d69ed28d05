//! One trace runs from the call that raised a need to the proposal for it.

use fallow_domain::need::Priority;
use fallow_host::telemetry::{continue_trace, in_memory, trace_id};

use crate::examples::need;
use crate::world::World;

#[tokio::test]
async fn a_proposal_goes_on_in_the_trace_of_what_caused_it() {
    let spans = in_memory();
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    let cause = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    world.raise(need("ZA4", "n", Priority::P2, world.now()), Some(cause)).await;
    world.until_held(&["n -> a"]).await;
    let seen = world.live.picture().get(&fallow_ledger::record::proposal_key(&world.the_proposal("n").id));
    let stored = world.live.picture().cause_of(seen.unwrap().revision).unwrap();
    assert_eq!(stored.verb, "propose");
    let text = stored.traceparent.unwrap();
    assert!(text.contains("0af7651916cd43dd8448eb211c80319c"), "{text}");
    // Whoever answers goes on from there.
    let answer = tracing::info_span!("answer");
    continue_trace(&answer, &text);
    assert_eq!(answer.in_scope(trace_id).as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    let spans = spans.get_finished_spans().unwrap();
    assert!(spans.iter().any(|span| span.name == "propose"
        && span.span_context.trace_id().to_string() == "0af7651916cd43dd8448eb211c80319c"));
}
