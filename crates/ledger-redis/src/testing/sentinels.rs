//! A primary with its replica, and three Sentinels that watch them.

use super::{Program, RedisServer, Setup, until};

/// What the Sentinels call the pair.
const SERVICE: &str = "fallow";

/// A primary with one replica, and three Sentinels of which two must agree before the replica is promoted.
pub struct SentinelTrio {
    /// The pair, the one that was the primary at the start first.
    pub servers: Vec<RedisServer>,
    /// The Sentinels.
    pub sentinels: Vec<RedisServer>,
}

impl SentinelTrio {
    /// Starts them, and waits until every Sentinel knows the others and the replica.
    ///
    /// `servers` says how the pair is started; `down_after_ms` is how long the primary may be silent before it is taken
    /// for dead.
    ///
    /// # Panics
    /// When a program is not installed, or they do not come up or find each other.
    pub async fn start(program: Program, servers: Setup, down_after_ms: u32) -> SentinelTrio {
        let primary = RedisServer::start_as(servers).await;
        let replica = primary.start_replica(&[]).await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let file = format!(
                "sentinel monitor {SERVICE} 127.0.0.1 {} 2\n\
                 sentinel down-after-milliseconds {SERVICE} {down_after_ms}\n\
                 sentinel failover-timeout {SERVICE} 10000\n",
                primary.port()
            );
            sentinels.push(RedisServer::start_as(Setup::of(program).sentinel(file)).await);
        }
        let trio = SentinelTrio { servers: vec![primary, replica], sentinels };
        for sentinel in &trio.sentinels {
            until("a Sentinel knows the others and the replica", async || {
                let info = sentinel.info("sentinel").await;
                info.contains("status=ok") && info.contains("slaves=1,sentinels=3")
            })
            .await;
        }
        trio
    }

    /// Returns the URL of the service.
    pub fn url(&self) -> String {
        self.url_of(SERVICE)
    }

    /// Returns the URL of a service of this name at these Sentinels.
    pub fn url_of(&self, service: &str) -> String {
        let hosts: Vec<_> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect();
        format!("redis+sentinel://{}/{service}", hosts.join(","))
    }

    /// Gives the server that the last of the Sentinels takes for the primary.
    ///
    /// # Panics
    /// When it is away or names none of the pair.
    pub async fn primary(&mut self) -> &mut RedisServer {
        let port = self.primary_port().await;
        self.servers.iter_mut().find(|server| server.port() == port).expect("one of the pair")
    }

    /// Gives the port of the server that the last of the Sentinels takes for the primary.
    ///
    /// # Panics
    /// When it is away.
    pub async fn primary_port(&self) -> u16 {
        let asked = self.sentinels.last().expect("three");
        let answer = asked.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await;
        let (_, port): (String, u16) = redis::from_redis_value(answer).expect("an address");
        port
    }
}
