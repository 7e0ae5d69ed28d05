//! etcd, doing the same compare-and-set: its own wire, of which only the fields that are used are written down here.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::Figure;
use super::load::closed;
use super::script::BODY;

/// `etcdserverpb.PutRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct Put {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `etcdserverpb.RequestOp`, of which only a put is used.
#[derive(Clone, PartialEq, prost::Message)]
struct Operation {
    #[prost(message, optional, tag = "2")]
    put: Option<Put>,
}

/// `etcdserverpb.Compare`: that a key was last changed at a revision.
#[derive(Clone, PartialEq, prost::Message)]
struct Compare {
    /// EQUAL is 0.
    #[prost(int32, tag = "1")]
    result: i32,
    /// MOD is 2.
    #[prost(int32, tag = "2")]
    target: i32,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    #[prost(int64, optional, tag = "6")]
    mod_revision: Option<i64>,
}

/// `etcdserverpb.TxnRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct Transaction {
    #[prost(message, repeated, tag = "1")]
    compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    success: Vec<Operation>,
}

/// `etcdserverpb.ResponseHeader`.
#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(int64, tag = "3")]
    revision: i64,
}

/// `etcdserverpb.TxnResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct Done {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(bool, tag = "2")]
    succeeded: bool,
}

/// An etcd of its own, with fsync on as it comes. Killed on drop.
pub(crate) struct Etcd {
    process: Child,
    channel: Channel,
    _folder: TempDir,
}

impl Etcd {
    /// Starts one and waits until it answers.
    pub(crate) async fn start() -> Result<Etcd> {
        let folder = tempfile::tempdir()?;
        let ports = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
        let [client, peer] = ports.map(|port| port.local_addr().map(|address| format!("http://{address}")));
        let (client, peer) = (client?, peer?);
        let process = Command::new("etcd")
            .arg("--data-dir")
            .arg(folder.path())
            .args(["--name", "bench", "--log-level", "error", "--initial-cluster", &format!("bench={peer}")])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("it cannot be run; install it with: apt-get install etcd-server")?;
        let channel = Endpoint::from_shared(client)?.connect_lazy();
        let etcd = Etcd { process, channel, _folder: folder };
        for _ in 0..600 {
            if put_if(etcd.channel.clone(), b"ready".to_vec(), 0).await.is_ok() {
                return Ok(etcd);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("it did not answer within a minute")
    }

    /// Measures puts that happen only if the record is still at the revision known.
    pub(crate) async fn compare_and_set(&self, at_once: usize, commits: u64) -> Result<Figure> {
        let known: Arc<Mutex<Vec<i64>>> = Arc::new(Mutex::new(vec![0; at_once]));
        let channel = self.channel.clone();
        let call = move |lane: usize, _| {
            let (channel, known) = (channel.clone(), known.clone());
            async move {
                let expected = known.lock().unwrap_or_else(PoisonError::into_inner)[lane];
                let put = put_if(channel, format!("{at_once}/{lane}").into_bytes(), expected).await;
                let Ok(Some(revision)) = put else { return false };
                known.lock().unwrap_or_else(PoisonError::into_inner)[lane] = revision;
                true
            }
        };
        closed("etcd, compare-and-set", at_once, commits, self.process.id(), call).await
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a key if it was last changed at a revision; 0: if it is not there. Gives the new revision, or none.
async fn put_if(channel: Channel, key: Vec<u8>, expected: i64) -> Result<Option<i64>> {
    let compare = Compare { result: 0, target: 2, key: key.clone(), mod_revision: Some(expected) };
    let put = Operation { put: Some(Put { key, value: BODY.as_bytes().to_vec() }) };
    let transaction = Transaction { compare: vec![compare], success: vec![put] };
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    let path = PathAndQuery::from_static("/etcdserverpb.KV/Txn");
    let codec = ProstCodec::<Transaction, Done>::default();
    let done = grpc.unary(tonic::Request::new(transaction), path, codec).await?.into_inner();
    let revision = done.header.map_or(0, |header| header.revision);
    Ok(done.succeeded.then_some(revision))
}
