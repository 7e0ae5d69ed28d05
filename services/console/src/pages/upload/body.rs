//! The form with a file, as a browser sends it.

use axum::body::Body;
use fallow_tabular::Format;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use multer::{Constraints, Multipart, SizeLimit};

use super::Of;
use crate::app::Visit;
use crate::form::{is_same_origin, matches};
use crate::problem::Problem;

/// Bytes of a file at most. A thousand offers with every column filled take a fifth of that.
pub(super) const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of every other field at most.
const FIELD_BYTES_MAX: u64 = 200;
/// Bytes of a file's name at most that are looked at: its ending says what it is.
const NAME_BYTES_MAX: usize = 255;

/// A file that a signed-in person sent.
pub(super) struct Upload {
    pub(super) of: Of,
    /// Whether what the sheet leaves out is to be withdrawn.
    pub(super) replaces: bool,
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

impl Upload {
    /// Reads the form; refuses one that is not of this session and site.
    pub(super) async fn read(visit: &Visit, headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(kind).map_err(|_| Problem::forged())?;
        let file = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
        let limits = SizeLimit::new()
            .whole_stream(file + 16 * 1024)
            .per_field(FIELD_BYTES_MAX)
            .for_field("file", file);
        let allowed =
            Constraints::new().allowed_fields(vec!["csrf", "of", "replace", "file"]).size_limit(limits);
        let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, allowed);
        let (mut csrf, mut of, mut replaces, mut given) = (String::new(), Of::default(), false, None);
        while let Some(field) = form.next_field().await.map_err(|error| said(&error))? {
            let (name, file) =
                (field.name().unwrap_or_default().to_owned(), field.file_name().map(str::to_owned));
            let bytes = field.bytes().await.map_err(|error| said(&error))?;
            let text = || String::from_utf8_lossy(&bytes).trim().to_owned();
            match name.as_str() {
                "csrf" => csrf = text(),
                "of" => of = Of::read(&text()),
                "replace" => replaces = text() == "yes",
                _ => given = Some((file.unwrap_or_default(), bytes.to_vec())),
            }
        }
        if !is_same_origin(headers) || !matches(&csrf, &visit.signed.csrf) {
            return Err(Problem::forged());
        }
        let (name, bytes) = given
            .filter(|(_, bytes)| !bytes.is_empty())
            .ok_or_else(|| Problem::invalid("file", "choose a file that is not empty"))?;
        let name: String =
            name.chars().rev().take(NAME_BYTES_MAX).collect::<Vec<_>>().into_iter().rev().collect();
        let format = Format::of_name(&name).filter(|format| *format != Format::JsonLines);
        let format = format
            .ok_or_else(|| Problem::invalid("file", "must be an XLSX or a CSV file; save it as one"))?;
        Ok(Self { of, replaces, format, bytes })
    }
}

/// Says what is wrong with a form that cannot be read.
fn said(error: &multer::Error) -> Problem {
    let is_too_large =
        matches!(error, multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. });
    match is_too_large {
        true => {
            let text = format!(
                "is larger than {} kB; split it, or remove what is not the table",
                FILE_BYTES_MAX / 1024
            );
            Problem::invalid("file", &text)
        }
        false => Problem::invalid("file", "did not arrive whole; send it again"),
    }
}
