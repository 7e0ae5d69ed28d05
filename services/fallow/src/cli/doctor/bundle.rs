//! What a person may send to whoever helps: the findings in a file, without secrets and without anything that a person
//! typed.
//!
//! Each file is made of named fields, never of a message as it came, so that a new field of the contract does not travel
//! by itself.

use std::fs::OpenOptions;
use std::io::{Cursor, Write};
use std::path::Path;

use fallow_api::v1::Situation;
use serde::Serialize;
use serde_json::{Value, json};
use tonic::transport::Uri;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Check, Findings};
use crate::cli::codes;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::settings::Service;
use crate::cli::time::from_wire;

/// Variables of the environment that change what the command line does; of them only the names are told.
const VARIABLES: [&str; 7] = [
    "FALLOW_CONTEXT",
    "FALLOW_ENDPOINT",
    "FALLOW_TOKEN_FILE",
    "FALLOW_CONTEXT_FILE",
    "HTTPS_PROXY",
    "NO_PROXY",
    "NO_COLOR",
];

/// What the files are, for who opens them.
const README: &str = "\
What fallow doctor found, to be sent to whoever helps.

findings.json  each check, how it ended and what to do about it
client.json    the program, where its context points, and which variables of the environment are set
feeds.json     each trust's codes, ages and counts

Not in here: credentials and keys, names of people and accounts, names of contexts and files, and any text that a person
typed, such as notes, reasons and decisions.
";

/// Writes the bundle; a file that is there already is not overwritten.
///
/// # Errors
/// When the file is there already or cannot be written.
pub(super) fn write(
    session: &Session<'_>,
    path: &Path,
    findings: &Findings,
    situation: Option<&Situation>,
) -> Result<(), Failure> {
    let files = [
        ("README.txt", README.to_owned()),
        ("findings.json", text(&found(findings))?),
        ("client.json", text(&client(session))?),
        ("feeds.json", text(&situation.map_or(Value::Null, feeds))?),
    ];
    let unwritten = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("{} cannot be written: {error}", path.display()))
    };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(name, SimpleFileOptions::default()).map_err(|error| unwritten(&error))?;
        zip.write_all(text.as_bytes()).map_err(|error| unwritten(&error))?;
    }
    let bytes = zip.finish().map_err(|error| unwritten(&error))?.into_inner();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| unwritten(&error).next("name a file that is not there yet"))?;
    file.write_all(&bytes).map_err(|error| unwritten(&error))
}

fn text<T: Serialize>(value: &T) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map_err(|error| Failure::new(Exit::Failed, "OUTPUT", error.to_string()))
}

fn found(findings: &Findings) -> Value {
    let check = |check: &Check| json!({ "check": check.check, "level": check.level, "detail": check.shared(), "exit": check.exit.code() });
    json!({
        "warnings": findings.warnings,
        "failures": findings.failures,
        "checks": findings.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

fn client(session: &Session<'_>) -> Value {
    let context = session.context().ok();
    let endpoints: Vec<Value> = context.map_or_else(Vec::new, |context| {
        let each = Service::ALL.into_iter();
        each.map(|service| json!({ "service": service.name(), "at": place(context.endpoints.of(service)) }))
            .collect()
    });
    let set: Vec<&str> = VARIABLES.into_iter().filter(|name| std::env::var_os(name).is_some()).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "api": "v1",
        "system": std::env::consts::OS,
        "processor": std::env::consts::ARCH,
        "at": session.now().to_string(),
        "endpoints": endpoints,
        "has_token_file": context.is_some_and(|context| context.token_file.is_some()),
        "has_authority": context.is_some_and(|context| context.authority_file.is_some()),
        "has_certificate": context.is_some_and(|context| context.certificate_file.is_some()),
        "is_demonstration": context.is_some_and(|context| context.clock_speed.is_some()),
        "role": session.claims().map(|claims| claims.role),
        "environment": set,
    })
}

/// Returns an address without what may stand before its host or after its port.
pub(super) fn place(address: &str) -> String {
    let Ok(uri) = address.parse::<Uri>() else { return "an address that cannot be read".to_owned() };
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default())
}

fn feeds(situation: &Situation) -> Value {
    let trusts = situation.trusts.iter().map(|trust| {
        json!({
            "trust": trust.trust,
            "freshness": codes::word::<fallow_api::v1::Freshness>(trust.freshness),
            "last_reported_at": from_wire(trust.last_reported_at).map(|at| at.to_string()),
            "offers": trust.offers,
            "offers_stale": trust.offers_stale,
        })
    });
    json!({
        "region": situation.region,
        "revision": situation.revision,
        "at": from_wire(situation.at).map(|at| at.to_string()),
        "trusts": trusts.collect::<Vec<_>>(),
    })
}
