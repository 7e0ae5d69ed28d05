//! Connections as they come in: the handshake in bounded time and number, then a stream that can be closed from here.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;

use super::{Peer, Registered, Tls, failure, lives_too_long};
use crate::tasks::Tasks;
use crate::telemetry;

/// How long accepting rests after the system refused a connection, such as for want of file handles.
const REST: Duration = Duration::from_millis(100);

/// A connection, encrypted or not.
pub struct Connection {
    stream: Io,
    peer: Peer,
    /// Ends when the connection is to be closed.
    closed: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    registered: Option<Registered>,
}

enum Io {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// Returns the connections of a listener: each once its handshake is over, when there is one.
///
/// Handshakes run beside one another, as many as the settings say; while all places are taken, nothing more is accepted
/// and callers wait in the system's own queue.
pub fn incoming(
    listener: TcpListener,
    tls: Option<Tls>,
    tasks: &Tasks,
) -> impl Stream<Item = io::Result<Connection>> + use<> {
    let places = tls.as_ref().map_or(1, |tls| usize::try_from(tls.0.settings.handshakes).unwrap_or(1));
    let (ready, connections) = mpsc::channel(places);
    let (stopping, running) = (tasks.stopping(), tasks.clone());
    tasks.spawn("accept", async move {
        let places = Arc::new(Semaphore::new(places));
        let mut stopping = std::pin::pin!(stopping);
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let accepted = tokio::select! {
                () = &mut stopping => return,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            // Small messages must not wait for one another.
            let _ = stream.set_nodelay(true);
            let (tls, ready) = (tls.clone(), ready.clone());
            let shake = async move {
                let connection = match tls {
                    None => Some(Connection::plain(stream)),
                    Some(tls) => Connection::encrypted(stream, tls).await,
                };
                drop(place);
                if let Some(connection) = connection {
                    // A server that has ended takes nothing more.
                    let _ = ready.send(Ok(connection)).await;
                }
            };
            running.spawn("handshake", shake);
        }
    });
    ReceiverStream::new(connections)
}

impl Connection {
    fn plain(stream: TcpStream) -> Self {
        Self { stream: Io::Plain(stream), peer: Peer::Unknown, closed: None, registered: None }
    }

    async fn encrypted(stream: TcpStream, tls: Tls) -> Option<Self> {
        let acceptor = TlsAcceptor::from(tls.0.current.load().server.clone());
        let time = Duration::from_millis(tls.0.settings.handshake_ms.into());
        let stream = match tokio::time::timeout(time, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                telemetry::record_refused_connection(failure(&error));
                return None;
            }
            Err(_elapsed) => {
                telemetry::record_refused_connection("tls_timeout");
                return None;
            }
        };
        let chain: Vec<_> = stream
            .get_ref()
            .1
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|one| one.clone().into_owned())
            .collect();
        if chain.first().is_some_and(lives_too_long) {
            telemetry::record_refused_connection("tls_long_life");
            return None;
        }
        let peer = tls.peer(&chain);
        let registered = tls.register(chain);
        let closed = Some(Box::pin(registered.closed.clone().cancelled_owned()));
        Some(Self { stream: Io::Encrypted(Box::new(stream)), peer, closed, registered: Some(registered) })
    }

    /// Says whether the connection is to be closed, and wakes the reader when it is to be.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> bool {
        self.closed.as_mut().is_some_and(|closed| closed.as_mut().poll(cx).is_ready())
    }

    fn refused<T>() -> Poll<io::Result<T>> {
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the certificate does not hold any more",
        )))
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.poll_closed(cx) {
            return Self::refused();
        }
        match &mut this.stream {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Encrypted(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.registered.as_ref().is_some_and(|registered| registered.closed.is_cancelled()) {
            return Self::refused();
        }
        match &mut this.stream {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Encrypted(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Encrypted(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Encrypted(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
