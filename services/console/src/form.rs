//! Posted forms: of this session, from this site, and with a request id that a second click repeats.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::app::{App, Visit, session_name, to_sign_in};
use crate::parked::Form;
use crate::problem::Problem;

/// Fields of a form at most. Ours have fewer than 40.
const FIELDS_MAX: usize = 200;
/// Bytes that are read at most of a form of nobody whom we know.
const STRANGERS_BYTES_MAX: usize = 64 * 1024;

/// A form that a signed-in person sent.
pub(crate) struct Posted {
    /// Who sent it, and what their request needs.
    pub(crate) visit: Visit,
    /// What they filled in.
    pub(crate) fields: Fields,
}

/// The fields of a form, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Returns what was filled in, without space around it; empty when the field is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// Says whether a box was ticked or a button pressed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// Returns every value of a field that may be there several times.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(field, _)| field == name);
        values.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
    }

    /// Returns a whole number, `None` when nothing was filled in.
    ///
    /// # Errors
    /// Names the field when it is not a whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Problem> {
        match self.text(name).replace(',', "").as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Problem::invalid(name, "must be a whole number")),
        }
    }

    /// Returns the revision of the record that the form was made from.
    pub(crate) fn revision(&self) -> Option<i64> {
        self.number("revision").ok().flatten()
    }

    /// Returns the record that a button or a form is about, and the revision from which it was made: the value of a field
    /// is both with a space between, so that one button says all. `None` where the field is not there.
    pub(crate) fn about(&self, name: &str) -> Option<(String, Option<i64>)> {
        let (id, revision) = match self.text(name) {
            "" => return None,
            text => text.split_once(' ').unwrap_or((text, "")),
        };
        Some((id.to_owned(), revision.parse().ok()))
    }

    /// Returns the id under which the services know this request. It is made from the session and all that was sent, so
    /// the same form sent twice, by a double click or because no answer came, is done once.
    pub(crate) fn request_id(&self) -> String {
        self.request_id_with(&[])
    }

    /// Returns the id of a request that may be made again later with the same words: within a minute the same form is the
    /// same request, after that a new one. `at` is of the machine's own clock ([`Visit::sent_at`]).
    pub(crate) fn request_id_at(&self, at: Timestamp) -> String {
        self.request_id_with(&at.as_second().div_euclid(60).to_be_bytes())
    }

    /// Returns the id of another request of the same form, by what it is for.
    pub(crate) fn request_id_for(&self, what: &str) -> String {
        self.request_id_with(what.as_bytes())
    }

    fn request_id_with(&self, more: &[u8]) -> String {
        let mut hash = Sha256::new();
        for (field, value) in &self.0 {
            for part in [field, value] {
                hash.update(part.len().to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        hash.update(more);
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

impl From<Vec<(String, String)>> for Fields {
    fn from(fields: Vec<(String, String)>) -> Self {
        Self(fields)
    }
}

impl FromRequest<App> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let headers = request.headers().clone();
        let (parts, body) = request.into_parts();
        let (path, session) = (parts.uri.path().to_owned(), session_name(&parts, app).map(str::to_owned));
        let visit = match Visit::of_person(&parts, app).await {
            // Of somebody who was never here nothing is kept, so no more is read than a browser must send to be answered.
            Err(way) if !session.as_deref().is_some_and(|session| app.sessions.is_known(session)) => {
                let _ = to_bytes(body, STRANGERS_BYTES_MAX).await;
                return Err(*way);
            }
            visit => visit,
        };
        let fields = Fields::read(Request::from_parts(parts, body)).await?;
        let visit = match visit {
            Ok(visit) => visit,
            Err(way) => return Err(fields.parked(app, &headers, session.as_deref(), path).unwrap_or(*way)),
        };
        if !is_same_origin(&headers) || !matches(fields.text("csrf"), &visit.signed.csrf) {
            return Err(visit.refuse(&Problem::forged()));
        }
        let mut visit = visit;
        visit.form = Some(Arc::new(Form {
            viewer: visit.viewer().clone(),
            path: path.clone(),
            fields: fields.without_secret(),
        }));
        let mut fields = fields;
        // The address is part of what was asked, and so of the request's id.
        fields.0.push(("path".to_owned(), path));
        Ok(Self { visit, fields })
    }
}

impl Fields {
    /// Keeps a form whose session is over until its person has signed in again, and returns the way there; `None` when it
    /// is no form of a session of ours.
    fn parked(self, app: &App, headers: &HeaderMap, session: Option<&str>, path: String) -> Option<Response> {
        let viewer = app.sessions.was_of(session?, self.text("csrf")).filter(|_| is_same_origin(headers))?;
        let name = app.parked.keep(Form { viewer, path, fields: self.without_secret() })?;
        Some(to_sign_in(&format!("/resume/{name}")))
    }

    /// Returns what was filled in, without the secret of the session.
    fn without_secret(&self) -> Vec<(String, String)> {
        self.0.iter().filter(|(name, _)| name != "csrf").cloned().collect()
    }

    /// Reads the body of a form.
    pub(crate) async fn read(request: Request) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(whole, &()).await.map_err(IntoResponse::into_response)?;
        // Counted before they are taken apart: a pair of nothing takes two bytes of a form, and fifty of ours.
        if bytes.iter().filter(|byte| **byte == b'&').count() >= FIELDS_MAX {
            return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response());
        }
        let request = Request::from_parts(parts, Body::from(bytes));
        let form = axum::extract::Form::<Vec<(String, String)>>::from_request(request, &()).await;
        let fields = form.map_err(IntoResponse::into_response)?.0;
        Ok(Self(fields))
    }
}

/// Says whether a form came from a page of ours. Browsers say so; programs need not. The origin `null` says nothing: our
/// pages ask browsers to send no referrer, and a form then has no origin either.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), _, _) => matches!(site, "same-origin" | "none"),
        (None, None | Some("null"), _) => true,
        (None, Some(origin), host) => {
            origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")) == host
        }
    }
}

/// Compares without stopping at the first difference, so that the time taken tells nothing.
pub(crate) fn matches(given: &str, expected: &str) -> bool {
    let differences = given.bytes().zip(expected.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == expected.len() && differences == 0 && !expected.is_empty()
}

/// Makes an id for a form that may be sent again with the same words and mean something new.
pub(crate) fn once() -> String {
    Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[tokio::test]
    async fn a_form_of_too_many_fields_is_refused_before_it_is_taken_apart() {
        let read = async |body: String| {
            let request = http::Request::post("/needs/new")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(body))
                .unwrap();
            Fields::read(request).await.map(|fields| fields.0.len()).map_err(|refused| refused.status())
        };
        assert_eq!(read(vec!["a=b"; FIELDS_MAX].join("&")).await, Ok(FIELDS_MAX));
        assert_eq!(read(vec!["a=b"; FIELDS_MAX + 1].join("&")).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        // Taken apart, these are no field at all.
        assert_eq!(read("&".repeat(FIELDS_MAX)).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn the_same_form_has_the_same_id_and_another_has_another() {
        let form = fields(&[("csrf", "s"), ("free", "1")]);
        assert_eq!(form.request_id(), form.clone().request_id());
        assert!(Uuid::parse_str(&form.request_id()).is_ok());
        for other in [
            fields(&[("csrf", "s"), ("free", "2")]),
            fields(&[("csrf", "t"), ("free", "1")]),
            fields(&[("csrf", "sf"), ("ree", "1")]),
            fields(&[("csrf", "s")]),
        ] {
            assert_ne!(form.request_id(), other.request_id());
        }
    }

    #[test]
    fn numbers_are_whole_and_named_when_they_are_not() {
        let form = fields(&[("free", " 1,200 "), ("empty", ""), ("bad", "ASAP")]);
        assert_eq!(form.number("free"), Ok(Some(1200)));
        assert_eq!(form.number("empty"), Ok(None));
        assert_eq!(form.number("absent"), Ok(None));
        assert_eq!(form.number("bad").unwrap_err().violations[0].field, "bad");
    }

    #[test]
    fn one_field_says_which_record_and_at_which_revision() {
        let form = fields(&[("accept", "p-1 88213"), ("undo", "p-2"), ("none", "")]);
        assert_eq!(form.about("accept"), Some(("p-1".to_owned(), Some(88_213))));
        assert_eq!(form.about("undo"), Some(("p-2".to_owned(), None)));
        assert_eq!((form.about("none"), form.about("absent")), (None, None));
    }

    #[test]
    fn another_origin_is_refused_and_none_is_not() {
        let check = |given: &[(&'static str, &str)], expected| {
            let mut headers = HeaderMap::new();
            headers.insert("host", "fallow.example:7430".parse().unwrap());
            for (name, value) in given {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_same_origin(&headers), expected, "{given:?}");
        };
        check(&[], true);
        check(&[("origin", "null")], true);
        check(&[("origin", "https://fallow.example:7430")], true);
        check(&[("origin", "http://fallow.example:7430")], true);
        check(&[("origin", "https://evil.example")], false);
        check(&[("origin", "null"), ("sec-fetch-site", "same-origin")], true);
        check(&[("origin", "null"), ("sec-fetch-site", "cross-site")], false);
        check(&[("sec-fetch-site", "same-site")], false);
    }

    #[test]
    fn secrets_match_only_themselves() {
        assert!(matches("abc", "abc"));
        for (given, expected) in [("abd", "abc"), ("ab", "abc"), ("", "abc"), ("", "")] {
            assert!(!matches(given, expected), "{given} {expected}");
        }
    }

    #[test]
    fn a_question_is_the_same_for_a_minute_and_a_new_one_after() {
        let (asked, at) = (fields(&[("trust", "ZA2")]), Timestamp::UNIX_EPOCH);
        let after = |seconds| asked.request_id_at(at + SignedDuration::from_secs(seconds));
        assert_eq!(after(0), after(59));
        assert_ne!(after(0), after(60));
        assert_ne!(after(0), asked.request_id());
    }
}
