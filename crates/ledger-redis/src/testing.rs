//! Real servers for tests: one, one with replicas, Sentinels over a pair, a Cluster; with TLS, with users; Redis or
//! Valkey. Redis is never faked.

mod bare;
mod certificates;
mod cluster;
mod program;
mod sentinels;
mod server;

pub use bare::Bare;
pub use certificates::Certificates;
pub use cluster::RedisCluster;
pub use program::Program;
pub use sentinels::SentinelTrio;
pub use server::{RedisServer, Setup};

use std::net::TcpListener;
use std::time::Duration;

/// How long a fixture is waited for: far longer than it takes on a machine that does nothing else.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How often a fixture is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How often a start is tried: a port that is found free may be taken before the server binds it.
const STARTS: u32 = 5;

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("the port's number").port()
}

/// Waits until a condition holds, and says after half a minute what has not come to be.
///
/// # Panics
/// When it does not hold in time.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waited = tokio::time::timeout(READY_WITHIN, async {
        while !holds().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    assert!(waited.await.is_ok(), "not within {READY_WITHIN:?}: {what}");
}
