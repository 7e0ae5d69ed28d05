//! A way to a server that can be turned to another, as an address is after a failover.

use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) struct Way {
    port: u16,
    target: Arc<Mutex<String>>,
    turns: watch::Sender<u64>,
    _connections: JoinSet<()>,
}

fn address(url: &str) -> String {
    url.trim_start_matches("redis://").trim_end_matches('/').to_owned()
}

impl Way {
    pub(crate) async fn to(url: &str) -> Way {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let target = Arc::new(Mutex::new(address(url)));
        let (turns, turned) = watch::channel(0);
        let mut tasks = JoinSet::new();
        let to = target.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let (to, mut turned) = (to.lock().expect("a target").clone(), turned.clone());
                turned.mark_unchanged();
                connections.spawn(async move {
                    // A server that is gone is a closed connection.
                    let Ok(mut server) = TcpStream::connect(&to).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = turned.changed() => {}
                    }
                });
            }
        });
        Way { port, target, turns, _connections: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Cuts all connections; new ones lead to this server.
    pub(crate) fn turn_to(&self, url: &str) {
        *self.target.lock().expect("a target") = address(url);
        self.turns.send_modify(|turn| *turn += 1);
    }
}
