//! Messages as they come: five bytes of prefix, then as many as the prefix says. A message that is too large is
//! refused by its prefix, before anything is kept for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use fallow_api::reasons;
use fallow_api::status::Failure;
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt as _;
use tonic::Status;
use tonic::body::Body;

use super::headers::refusal;

/// Bytes before each message: one of flags, four of length.
pub(super) const PREFIX_BYTES: usize = 5;

/// Reads the one message of a call, prefix included.
pub(super) async fn read_one(mut body: Body, limit: usize) -> Result<Bytes, Failure> {
    let mut kept = BytesMut::new();
    let mut place = Place::default();
    let mut messages = 0_u32;
    while let Some(frame) = body.frame().await {
        // A broken connection ends here too; then nobody hears the answer.
        let Some(data) = frame.map_err(|_| malformed())?.into_data().ok() else { continue };
        messages += place.advance(&data, limit)?;
        if messages > 1 {
            return Err(refusal(reasons::CARDINALITY, "this call takes exactly one message"));
        }
        kept.extend_from_slice(&data);
    }
    match (messages, place.is_between()) {
        (1, true) => Ok(kept.freeze()),
        (0, true) => Err(refusal(reasons::MISSING_MESSAGE, "this call takes exactly one message; none came")),
        _ => Err(malformed()),
    }
}

/// A stream of messages, each held to the limit. What breaks a rule ends the stream with the status that says so.
pub(super) struct Guard {
    body: Body,
    place: Place,
    limit: usize,
}

impl Guard {
    pub(super) fn new(body: Body, limit: usize) -> Self {
        Self { body, place: Place::default(), limit }
    }
}

impl HttpBody for Guard {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            Some(frame) => frame?,
            None if this.place.is_between() => return Poll::Ready(None),
            None => {
                this.place = Place::default();
                return Poll::Ready(Some(Err(malformed().into())));
            }
        };
        if let Some(data) = frame.data_ref() {
            this.place.advance(data, this.limit)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

/// Where in a sequence of messages we are.
#[derive(Debug, Default)]
struct Place {
    prefix: [u8; PREFIX_BYTES],
    /// Bytes of the prefix seen, 0 to 5.
    seen: usize,
    /// Bytes of the message still to come, once its prefix was seen.
    left: usize,
}

impl Place {
    /// Goes on over `data` and returns how many messages began in it: a second one is known by its first byte.
    fn advance(&mut self, mut data: &[u8], limit: usize) -> Result<u32, Failure> {
        let mut began = 0;
        while let Some((&first, rest)) = data.split_first() {
            if self.seen < PREFIX_BYTES {
                began += u32::from(self.seen == 0);
                self.prefix[self.seen] = first;
                self.seen += 1;
                data = rest;
                if self.seen == PREFIX_BYTES {
                    self.left = self.check_prefix(limit)?;
                }
            } else {
                let taken = self.left.min(data.len());
                self.left -= taken;
                data = &data[taken..];
            }
            if self.seen == PREFIX_BYTES && self.left == 0 {
                self.seen = 0;
            }
        }
        Ok(began)
    }

    /// Returns the length of the message that a whole prefix announces.
    fn check_prefix(&self, limit: usize) -> Result<usize, Failure> {
        let [flag, length @ ..] = self.prefix;
        if flag != 0 {
            return Err(refusal(
                reasons::BAD_FRAME,
                "a message's first byte must be 0: messages are not compressed",
            ));
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > limit {
            return Err(Failure::Limited {
                reason: reasons::MESSAGE_TOO_LARGE,
                subject: "message".to_owned(),
                text: format!("a message of this call has at most {limit} bytes, this one {length}"),
                retry_after: None,
            });
        }
        Ok(length)
    }

    fn is_between(&self) -> bool {
        self.seen == 0
    }
}

/// The answer to what cannot be read. It says nothing of what was sent.
pub(crate) fn malformed() -> Failure {
    refusal(reasons::MALFORMED_MESSAGE, "the message cannot be read as this call's request")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &[u8]) -> Result<u32, &'static str> {
        // However the bytes are cut, the outcome is the same.
        let whole = Place::default().advance(bytes, 10).map_err(|failure| failure.reason());
        let mut place = Place::default();
        let single: Result<u32, &'static str> = bytes
            .iter()
            .try_fold(0, |sum, byte| Ok(sum + place.advance(&[*byte], 10).map_err(|f| f.reason())?));
        assert_eq!(whole, single);
        whole
    }

    #[test]
    fn prefixes_are_checked_wherever_the_bytes_are_cut() {
        assert_eq!(reason(&[]), Ok(0));
        assert_eq!(reason(&[0, 0, 0, 0, 0]), Ok(1));
        assert_eq!(reason(&[0, 0, 0, 0, 2, 7, 7]), Ok(1));
        assert_eq!(reason(&[0, 0, 0, 0, 2, 7, 7, 0]), Ok(2));
        assert_eq!(reason(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Ok(2));
        assert_eq!(reason(&[1, 0, 0, 0, 0]), Err(reasons::BAD_FRAME));
        assert_eq!(reason(&[7, 0, 0, 0, 0]), Err(reasons::BAD_FRAME));
        assert_eq!(reason(&[0, 0, 0, 0, 11]), Err(reasons::MESSAGE_TOO_LARGE));
        assert_eq!(reason(&[0, 255, 255, 255, 255]), Err(reasons::MESSAGE_TOO_LARGE));
    }
}
