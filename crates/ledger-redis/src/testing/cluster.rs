//! A Cluster of three primaries.

use std::collections::HashSet;

use super::{Program, RedisServer, STARTS, Setup, free_port, until};

/// How many slots a Cluster has.
const SLOTS: u16 = 16_384;

/// A Cluster of three primaries without replicas; each has a third of the slots.
pub struct RedisCluster {
    /// Its servers, by the slots they had at the start.
    pub servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts the servers and waits until they agree on who has which slot.
    ///
    /// # Panics
    /// When the program is not installed or the servers do not come up or do not find each other.
    pub async fn start(program: Program) -> RedisCluster {
        let mut servers = Vec::new();
        for _ in 0..3 {
            // The port of the bus may be taken by another before it is bound: the server then ends, and is started
            // anew on others.
            let mut started = None;
            for _ in 0..STARTS {
                let bus = free_port().to_string();
                let setup = Setup::of(program)
                    .with(&["--cluster-enabled", "yes", "--cluster-port", &bus, "--appendonly", "no"])
                    // A slow machine is not a dead one.
                    .with(&["--cluster-node-timeout", "15000"]);
                if let Ok(server) = RedisServer::try_start(setup).await {
                    started = Some((server, bus));
                    break;
                }
            }
            servers.push(started.expect("a server of the Cluster came up"));
        }
        let third = SLOTS / 3;
        let firsts = [0, third, 2 * third, SLOTS];
        for (range, (n, (server, _))) in firsts.windows(2).zip(servers.iter().enumerate()) {
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]).await;
            let (first, last) = (range[0].to_string(), (range[1] - 1).to_string());
            server.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
        }
        for (server, bus) in &servers[1..] {
            let port = server.port().to_string();
            servers[0].0.command(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]).await;
        }
        let cluster = RedisCluster { servers: servers.into_iter().map(|(server, _)| server).collect() };
        cluster.agrees().await;
        cluster
    }

    /// Returns the URL of the Cluster.
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Gives the slot of a key and which of the servers has it.
    ///
    /// # Panics
    /// When the servers cannot be reached.
    pub async fn slot_of(&self, key: &str) -> (u16, usize) {
        let slot = self.servers[0].command(&["CLUSTER", "KEYSLOT", key]).await;
        let slot: u16 = redis::from_redis_value(slot).expect("a slot");
        (slot, self.owner(0, slot).await)
    }

    /// Moves a slot with all its keys to another server, as an operator does.
    ///
    /// # Panics
    /// When a server refuses.
    pub async fn move_slot(&self, slot: u16, to: usize) {
        let from = self.owner(0, slot).await;
        let (source, target) = (&self.servers[from], &self.servers[to]);
        let number = slot.to_string();
        let (source_id, target_id) = (id(source).await, id(target).await);
        target.command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &source_id]).await;
        source.command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &target_id]).await;
        let port = target.port().to_string();
        loop {
            let keys = source.command(&["CLUSTER", "GETKEYSINSLOT", &number, "10"]).await;
            let keys: Vec<String> = redis::from_redis_value(keys).expect("keys");
            if keys.is_empty() {
                break;
            }
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "10000", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            source.command(&migrate).await;
        }
        for server in [target, source] {
            server.command(&["CLUSTER", "SETSLOT", &number, "NODE", &target_id]).await;
        }
        for asked in 0..self.servers.len() {
            until("all know the slot's new place", async || self.owner(asked, slot).await == to).await;
        }
    }

    /// Waits until all servers know all, and all slots are served.
    async fn agrees(&self) {
        for (asked, server) in self.servers.iter().enumerate() {
            until("the Cluster agrees", async || {
                let info: String =
                    redis::from_redis_value(server.command(&["CLUSTER", "INFO"]).await).expect("text");
                let whole = info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384");
                whole && self.owners(asked).await.len() == self.servers.len()
            })
            .await;
        }
    }

    /// Which ports have slots, as one of the servers sees it.
    async fn owners(&self, asked: usize) -> HashSet<u16> {
        self.ranges(asked).await.into_iter().map(|(_, _, port)| port).collect()
    }

    async fn owner(&self, asked: usize, slot: u16) -> usize {
        let ranges = self.ranges(asked).await;
        let (_, _, port) = ranges
            .into_iter()
            .find(|(first, last, _)| (first..=last).contains(&&slot))
            .expect("a served slot");
        self.servers.iter().position(|server| server.port() == port).expect("one of the servers")
    }

    async fn ranges(&self, asked: usize) -> Vec<(u16, u16, u16)> {
        let slots = self.servers[asked].command(&["CLUSTER", "SLOTS"]).await;
        type Node = (String, u16, redis::Value, redis::Value);
        let ranges: Vec<(u16, u16, Node)> = redis::from_redis_value(slots).expect("ranges of slots");
        ranges.into_iter().map(|(first, last, (_, port, _, _))| (first, last, port)).collect()
    }
}

async fn id(server: &RedisServer) -> String {
    redis::from_redis_value(server.command(&["CLUSTER", "MYID"]).await).expect("an id")
}
