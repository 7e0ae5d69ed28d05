//! Calls whose answers are written already: messages that many callers get are made and written once, which a service made
//! from the contract has no way to say. Such a call is answered here, beside its service.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Body as HttpBody, Frame};
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec as _, Streaming};
use tonic::metadata::{GRPC_CONTENT_TYPE, MetadataMap};
use tonic::server::NamedService;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tower::Service;

/// Pieces of an answer, each of whole messages with the five bytes that stand before a message on the wire.
pub type Written = BoxStream<'static, Result<Bytes, Status>>;

/// Answers a call.
type Answer<M> = dyn Fn(Request<M>) -> Result<Written, Status> + Send + Sync;

/// A service, one of whose calls, of one message, is answered by messages that are written already.
pub struct Beside<S, M> {
    service: S,
    path: &'static str,
    answer: Arc<Answer<M>>,
}

impl<S: Clone, M> Clone for Beside<S, M> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), path: self.path, answer: self.answer.clone() }
    }
}

impl<S, M> Beside<S, M> {
    /// Answers the call of a path, such as `/fallow.v1.CapacityService/WatchOffers`, and leaves every other to the service.
    pub fn new(
        service: S,
        path: &'static str,
        answer: impl Fn(Request<M>) -> Result<Written, Status> + Send + Sync + 'static,
    ) -> Self {
        Self { service, path, answer: Arc::new(answer) }
    }
}

impl<S: NamedService, M> NamedService for Beside<S, M> {
    const NAME: &'static str = S::NAME;
}

impl<S, M> Service<http::Request<Body>> for Beside<S, M>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
    M: Message + Default + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != self.path {
            return Box::pin(self.service.call(request));
        }
        let answer = self.answer.clone();
        Box::pin(async move {
            let answered = match read(request).await {
                Ok(request) => answer(request),
                Err(status) => Err(status),
            };
            Ok(match answered {
                Ok(written) => {
                    let mut response = http::Response::new(Body::new(Messages(Some(written))));
                    response.headers_mut().insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
                    response
                }
                Err(status) => status.into_http(),
            })
        })
    }
}

/// Reads the one message of a call.
async fn read<M: Message + Default + 'static>(request: http::Request<Body>) -> Result<Request<M>, Status> {
    let (head, body) = request.into_parts();
    let decoder = ProstCodec::<M, M>::default().decoder();
    let message = Streaming::new_request(decoder, body, None, None).message().await?;
    let message = message.ok_or_else(|| Status::internal("missing request message"))?;
    Ok(Request::from_parts(MetadataMap::from_headers(head.headers), head.extensions, message))
}

/// Reads an answer's messages back: for whoever is no client of the wire.
pub fn messages<M: Message + Default + 'static>(written: Written) -> Streaming<M> {
    let decoder = ProstCodec::<M, M>::default().decoder();
    Streaming::new_response(decoder, Messages(Some(written)), StatusCode::OK, None, None)
}

/// An answer of written messages. Its end says how the call ended.
struct Messages(Option<Written>);

impl HttpBody for Messages {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Some(written) = &mut this.0 else { return Poll::Ready(None) };
        let end = match ready!(written.as_mut().poll_next(cx)) {
            Some(Ok(messages)) => return Poll::Ready(Some(Ok(Frame::data(messages)))),
            Some(Err(status)) => status,
            None => Status::new(Code::Ok, ""),
        };
        this.0 = None;
        let mut trailers = HeaderMap::new();
        if end.add_header(&mut trailers).is_err() {
            // Details that no header takes: how it ended is said without them.
            trailers.insert("grpc-status", HeaderValue::from(i32::from(end.code())));
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use fallow_api::v1::Bookmark;
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn messages_come_one_by_one_however_many_were_written_together_and_the_end_says_how_it_ended() {
        let empty = [0_u8; 5];
        let pieces = [Bytes::copy_from_slice(&empty), Bytes::from([empty, empty].concat())];
        let end = Err(Status::resource_exhausted("too slow"));
        let written = stream::iter(pieces.map(Ok).into_iter().chain([end]));
        let mut answer = messages::<Bookmark>(Box::pin(written));
        for _ in 0..3 {
            assert_eq!(answer.message().await.unwrap(), Some(Bookmark {}));
        }
        let ended = answer.message().await.unwrap_err();
        assert_eq!((ended.code(), ended.message()), (Code::ResourceExhausted, "too slow"));
        let mut whole = messages::<Bookmark>(Box::pin(stream::empty()));
        assert_eq!(whole.message().await.unwrap(), None);
    }
}
