//! The body of an answer: its end is mended and recorded, and a panic on the way costs this stream alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fallow_api::reasons::code_name;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Span;

use super::denied::Noting;
use super::mend;
use crate::identity::{Caller, Verifier};
use crate::limits::Permit;
use crate::rights::Call;
use crate::telemetry;

/// The call that an answer belongs to. When it is dropped, the call is over.
pub(super) struct Served {
    pub(super) call: Option<&'static Call>,
    pub(super) method: &'static str,
    pub(super) id: String,
    pub(super) started: Instant,
    pub(super) span: Span,
    pub(super) permit: Option<Permit>,
    /// Whose session it lasts no longer than; `None` for what is over at once, and for whoever has no session.
    pub(super) session: Option<Session>,
    /// Who looks whether it is a denial; `None` while nobody knows who calls.
    pub(super) noting: Option<Noting>,
}

/// The session of whoever gets an answer that lasts.
pub(super) struct Session {
    pub(super) verifier: Verifier,
    pub(super) caller: Caller,
}

/// The body of an answer.
pub(super) struct Answer {
    /// `None` once it has ended.
    body: Option<Body>,
    /// The code, once it is known.
    code: Option<Code>,
    served: Served,
}

impl Answer {
    /// Wraps the answer to a call.
    pub(super) fn wrap(response: Response<Body>, served: Served) -> Response<Body> {
        // An answer that is all head says its code there.
        let code = Status::from_header_map(response.headers()).map(|status| status.code());
        if let Some(noting) = &served.noting {
            let _entered = served.span.enter();
            noting.look(response.headers(), &served.id);
        }
        response.map(|body| Body::new(Self { body: Some(body), code, served }))
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let span = this.served.span.clone();
        let _entered = span.enter();
        // A watch says something at least every five seconds, so that it ends as soon after its session.
        let session = this.served.session.as_ref();
        if let Some(Err(ended)) = session.map(|session| session.verifier.check_session(&session.caller)) {
            this.body = None;
            this.code = Some(Code::Unauthenticated);
            let status = ended.status(Some(&this.served.id));
            return Poll::Ready(Some(Ok(Frame::trailers(mend::trailers_of(&status)))));
        }
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx)));
        let frame = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(frame)) => frame,
            Err(_) => {
                tracing::error!("a handler panicked while it streamed");
                this.body = None;
                this.code = Some(Code::Internal);
                let status = mend::bug().status(Some(&this.served.id));
                return Poll::Ready(Some(Ok(Frame::trailers(mend::trailers_of(&status)))));
            }
        };
        let Some(Ok(frame)) = frame else {
            this.body = None;
            return Poll::Ready(frame);
        };
        Poll::Ready(Some(Ok(match frame.into_trailers() {
            // Most end well, and of those there is nothing to mend and nothing to note.
            Ok(trailers) if mend::is_well(&trailers) => {
                this.code = Some(Code::Ok);
                Frame::trailers(trailers)
            }
            Ok(mut trailers) => {
                mend::trailers(&mut trailers, this.served.call, &this.served.id);
                mend::push_back(&mut trailers);
                if let Some(noting) = &this.served.noting {
                    noting.look(&trailers, &this.served.id);
                }
                this.code = Status::from_header_map(&trailers).map(|status| status.code());
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // An answer that is dropped before its end was cancelled by its caller.
        let code = self.code.unwrap_or(Code::Cancelled);
        let Served { call: _, method, id: _, started, span, permit, session: _, noting: _ } =
            &mut self.served;
        span.record("rpc.response.status_code", code_name(code));
        if code == Code::Internal {
            // By the conventions a caller's mistake is no error of the server.
            span.record("otel.status_code", "ERROR");
        }
        telemetry::record_call(method, code_name(code), started.elapsed().as_secs_f64());
        drop(permit.take());
    }
}
