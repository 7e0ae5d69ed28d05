//! Who is refused for now, and how they are told when to come again.

use super::*;

#[tokio::test]
async fn who_is_refused_for_now_is_told_when_to_come_again() {
    let world = world().await;
    let got = world.call(PUBLISH, &publish("away")).await;
    assert_eq!(got.outcome(), (Code::Unavailable, "STORE_AWAY"));
    assert_eq!(got.headers["grpc-retry-pushback-ms"], "1500");
    // What may not be tried again says nothing of it, and neither does what went well.
    for mood in ["raw", "ok"] {
        let got = world.call(PUBLISH, &publish(mood)).await;
        assert!(!got.headers.contains_key("grpc-retry-pushback-ms"), "{got:?}");
    }
}
