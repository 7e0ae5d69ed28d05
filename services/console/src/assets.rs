//! The style sheets, the scripts and the icon: in the binary, under names made from their content, so that browsers keep
//! them for good. What only some pages need is a file of its own, so that a first visit stays small.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use rust_embed::RustEmbed;

/// Characters of the hash in a name: 64 bits are plenty for a handful of files.
const HASH_CHARS: usize = 16;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Files;

/// One asset.
struct Asset {
    /// The last part of its address.
    name: String,
    kind: &'static str,
    bytes: Vec<u8>,
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::load("console.css", "text/css; charset=utf-8"));
static REGION: LazyLock<Asset> = LazyLock::new(|| Asset::load("region.css", "text/css; charset=utf-8"));
static REPORTS: LazyLock<Asset> = LazyLock::new(|| Asset::load("reports.css", "text/css; charset=utf-8"));
static WALL: LazyLock<Asset> = LazyLock::new(|| Asset::load("wall.css", "text/css; charset=utf-8"));
static KEYS: LazyLock<Asset> = LazyLock::new(|| Asset::load("keys.js", "text/javascript; charset=utf-8"));
static COPY: LazyLock<Asset> = LazyLock::new(|| Asset::load("copy.js", "text/javascript; charset=utf-8"));
static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::load("icon.svg", "image/svg+xml"));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::load("console.js", "text/javascript; charset=utf-8"));

impl Asset {
    fn load(file: &str, kind: &'static str) -> Self {
        // The files are embedded at build time; a missing one would serve an empty file, which a test refuses.
        let (bytes, hash) = Files::get(file)
            .map(|found| (found.data.into_owned(), found.metadata.sha256_hash()))
            .unwrap_or_default();
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).take(HASH_CHARS / 2).collect();
        let name = match file.rsplit_once('.') {
            Some((stem, ending)) => format!("{stem}-{hash}.{ending}"),
            None => format!("{file}-{hash}"),
        };
        Self { name, kind, bytes }
    }
}

/// Returns the address of the style sheet.
pub(crate) fn style() -> String {
    format!("/assets/{}", STYLE.name)
}

/// Returns the address of what the pages about the region and the transfers need beside it.
pub(crate) fn region_style() -> String {
    format!("/assets/{}", REGION.name)
}

/// Returns the address of what charts, reports and what-ifs need beside both.
pub(crate) fn reports_style() -> String {
    format!("/assets/{}", REPORTS.name)
}

/// Returns the address of what the wall needs beside both.
pub(crate) fn wall_style() -> String {
    format!("/assets/{}", WALL.name)
}

/// Returns the address of the script for those who have chosen single keys.
pub(crate) fn keys_script() -> String {
    format!("/assets/{}", KEYS.name)
}

/// Returns the address of the script that copies what a link leads to.
pub(crate) fn copy_script() -> String {
    format!("/assets/{}", COPY.name)
}

/// Returns the address of the icon.
pub(crate) fn icon() -> String {
    format!("/assets/{}", ICON.name)
}

/// Returns the address of the script.
pub(crate) fn script() -> String {
    format!("/assets/{}", SCRIPT.name)
}

/// Returns a name of this build's screens: pages of another build reload themselves.
pub(crate) fn build() -> &'static str {
    SCRIPT.name.as_str()
}

/// Serves an asset.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let all = [&*STYLE, &*REGION, &*REPORTS, &*WALL, &*SCRIPT, &*KEYS, &*COPY, &*ICON];
    let found = all.into_iter().find(|asset| asset.name == name);
    let Some(asset) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.bytes.as_slice()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_there_small_and_named_by_their_content() {
        assert!(!SCRIPT.bytes.is_empty() && SCRIPT.bytes.len() < 10_240, "{}", SCRIPT.bytes.len());
        assert!(!STYLE.bytes.is_empty() && STYLE.bytes.len() < 16_384, "{}", STYLE.bytes.len());
        for more in [&*REGION, &*REPORTS, &*WALL, &*KEYS, &*COPY] {
            assert!(!more.bytes.is_empty() && more.bytes.len() < 8_192, "{} {}", more.name, more.bytes.len());
        }
        assert!(style().starts_with("/assets/console-") && style().ends_with(".css"));
        assert_ne!(SCRIPT.name.len(), "console-.js".len());
    }
}
