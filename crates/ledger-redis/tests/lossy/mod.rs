//! A way to the server that can lose answers, or keep them back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What is called whose next answer is to be lost.
type Armed = Arc<Mutex<Option<&'static str>>>;

/// What is done with the answers of a connection over which something was called.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    Pass,
    /// Kept back where this was called since.
    Kept(&'static str),
    /// Those that were kept back are lost, with their connections.
    Lost,
}

/// Forwards connections; once told to, it swallows the next answer to a call and cuts the connection.
pub(crate) struct Lossy {
    port: u16,
    swallow: Armed,
    answers: watch::Sender<Answers>,
    _connections: JoinSet<()>,
}

impl Lossy {
    pub(crate) async fn before(server: &str) -> Lossy {
        let server = server.trim_start_matches("redis://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let swallow = Armed::default();
        let mut tasks = JoinSet::new();
        let armed = swallow.clone();
        let (answers, watched) = watch::channel(Answers::Pass);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.expect("the server");
                connections.spawn(forward(client, server, armed.clone(), watched.clone()));
            }
        });
        Lossy { port, swallow, answers, _connections: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Loses the answer to the next request that has this in it. What the process asks beside is answered.
    pub(crate) fn swallow_next_answer_to(&self, call: &'static str) {
        *self.swallow.lock().expect("nobody panicked") = Some(call);
    }

    /// Keeps back the answers of each connection over which this is called from now on.
    pub(crate) fn keep_back_answers_to(&self, call: &'static str) {
        self.answers.send_replace(Answers::Kept(call));
    }

    /// Lets go of the answers that were kept back.
    pub(crate) fn let_go(&self) {
        self.answers.send_replace(Answers::Pass);
    }

    /// Loses the answers that were kept back, and cuts their connections.
    pub(crate) fn lose(&self) {
        self.answers.send_replace(Answers::Lost);
    }
}

async fn forward(client: TcpStream, server: TcpStream, armed: Armed, mut answers: watch::Receiver<Answers>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let is_doomed = AtomicBool::new(false);
    let is_kept = AtomicBool::new(false);
    let told = answers.clone();
    let requests = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
            let has = |call: &str| bytes[..read].windows(call.len()).any(|part| part == call.as_bytes());
            if matches!(*told.borrow(), Answers::Kept(call) if has(call)) {
                is_kept.store(true, Ordering::SeqCst);
            }
            {
                let mut armed = armed.lock().expect("nobody panicked");
                if armed.is_some_and(has) {
                    *armed = None;
                    is_doomed.store(true, Ordering::SeqCst);
                }
            }
            if to_server.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    };
    let answers = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
            if is_kept.load(Ordering::SeqCst) {
                let now = answers.wait_for(|now| !matches!(now, Answers::Kept(_))).await;
                if now.is_ok_and(|now| *now == Answers::Lost) {
                    return;
                }
                is_kept.store(false, Ordering::SeqCst);
            }
            if is_doomed.load(Ordering::SeqCst) || to_client.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}
