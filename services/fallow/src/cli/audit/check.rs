//! `fallow audit check`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use fallow_api::v1::AuditEntry;
use fallow_archive::proof::{PROOF_BYTES, Proof, Proved};
use fallow_archive::{Chain, KeyError, PublicKey};
use fallow_ledger::Revision;
use serde_json::{Map, Value, json};

use super::{Exit, OperateError};

/// The longest line of a trail that was kept, in bytes.
const ENTRY_BYTES: usize = 1024 * 1024;

/// Checks proofs.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Files that `fallow audit prove` wrote
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A public key of the operator; may be given more than once. It comes from elsewhere than the proofs
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// What the trust kept of its own: each must be among the proofs. Lines of `fallow audit mine -o jsonl`, or of the
    /// revision and `request_id` of each answer
    #[arg(long, value_name = "FILE")]
    kept: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// What was proved of each revision of each history, and where.
type Seen = BTreeMap<Revision, Vec<Known>>;

struct Known {
    history: Arc<str>,
    leaf: Chain,
    place: String,
    call: Option<String>,
    subject: Option<String>,
    request_id: Option<String>,
}

/// What was found wrong, in lines for people; and the region, of which all proofs must be.
#[derive(Default)]
struct Found {
    seen: Seen,
    proofs: u64,
    wrong: Vec<String>,
    region: Option<Arc<str>>,
}

/// Prints what is proved, and what is not. Exit 0 when everything is.
pub(super) fn check(args: &CheckArgs) -> Result<Exit, OperateError> {
    let key = |path: &PathBuf| -> Result<PublicKey, OperateError> {
        let failed = |source: KeyError| OperateError::Key { path: path.clone(), source };
        PublicKey::read(path).map_err(failed)
    };
    let keys: Vec<PublicKey> = args.keys.iter().map(key).collect::<Result<_, _>>()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut found = Found::default();
    for path in &args.files {
        lines(path, PROOF_BYTES, &mut |place, line| match line.and_then(|line| {
            Proof::read(line).and_then(|proof| proof.check(&keys)).map_err(|error| error.to_string())
        }) {
            Ok(proved) => {
                let text = if args.json { format!("{}\n", as_json(&proved)) } else { as_text(&proved) };
                found.take(place, &proved);
                out.write_all(text.as_bytes())
            }
            Err(error) => {
                found.wrong.push(format!("{place}: {error}"));
                Ok(())
            }
        })?;
    }
    if let Some(kept) = &args.kept {
        lines(kept, ENTRY_BYTES, &mut |place, line| {
            let entry = line.and_then(|line| {
                serde_json::from_str::<AuditEntry>(line)
                    .map_err(|error| format!("is no entry of a trail: {error}"))
            });
            let wrong = match entry {
                Ok(entry) => found.lacks(&entry).map(|lacks| format!("{place}: {lacks}")),
                Err(error) => Some(format!("{place}: {error}")),
            };
            found.wrong.extend(wrong);
            Ok(())
        })?;
    }
    for wrong in &found.wrong {
        writeln!(out, "WRONG {}", plain(wrong))?;
    }
    out.flush()?;
    drop(out);
    let Found { seen, proofs, wrong, region } = found;
    if !wrong.is_empty() {
        writeln!(std::io::stderr(), "{proofs} changes are proved; {} things are wrong", wrong.len())?;
        return Ok(Exit::Failed);
    }
    let (Some(region), Some((first, _)), Some((last, _))) =
        (region, seen.first_key_value(), seen.last_key_value())
    else {
        return Err(OperateError::Usage("there is no proof in what was given".to_owned()));
    };
    let ids: Vec<String> = keys.iter().map(PublicKey::id).collect();
    writeln!(
        std::io::stderr(),
        "{proofs} changes of {}, revisions {first} to {last}, are in the archive as the key {} signed it",
        plain(&region),
        ids.join(" or ")
    )?;
    Ok(Exit::Ok)
}

impl Found {
    fn take(&mut self, place: &str, proved: &Proved) {
        self.proofs += 1;
        let region = self.region.get_or_insert_with(|| proved.region.clone());
        if *region != proved.region {
            self.wrong
                .push(format!("{place}: is of region {}, and what is before of {region}", proved.region));
        }
        let known = self.seen.entry(proved.revision).or_default();
        let other = known.iter().find(|other| other.history == proved.history && other.leaf != proved.leaf);
        if let Some(other) = other {
            self.wrong.push(format!(
                "{place}: another change than {} has the same revision {}: two archives were signed",
                other.place, proved.revision
            ));
        }
        let said = |name| proved.cause(name).map(str::to_owned);
        known.push(Known {
            history: proved.history.clone(),
            leaf: proved.leaf,
            place: place.to_owned(),
            call: said("verb"),
            subject: said("by.subject"),
            request_id: said("request_id"),
        });
    }

    /// Says what is missing of an entry that was kept. What others did is not asked for: of some of it, a trust is told
    /// that it happened, and is given no proof.
    fn lacks(&self, entry: &AuditEntry) -> Option<String> {
        if entry.subject.is_empty() && entry.request_id.is_empty() {
            return None;
        }
        let is = |kept: &str, proved: &Option<String>| kept.is_empty() || proved.as_deref() == Some(kept);
        let revision = Revision(u64::try_from(entry.revision).unwrap_or_default());
        let proved = self.seen.get(&revision).map(Vec::as_slice).unwrap_or_default();
        let has = proved.iter().any(|known| {
            is(&entry.call, &known.call)
                && is(&entry.subject, &known.subject)
                && is(&entry.request_id, &known.request_id)
        });
        let what = [entry.call.as_str(), entry.request_id.as_str()].join(" ");
        match (has, proved) {
            (true, _) => None,
            (false, []) => Some(format!("of revision {revision}, {}, there is no proof", what.trim())),
            (false, [first, ..]) => Some(format!(
                "revision {revision} was {}, and {} proves something else",
                what.trim(),
                first.place
            )),
        }
    }
}

/// Tells each line that is not empty, with its place, or that it is too long or no text.
fn lines(
    path: &Path,
    bytes_max: usize,
    tell: &mut dyn FnMut(&str, Result<&str, String>) -> std::io::Result<()>,
) -> Result<(), OperateError> {
    let failed = |source| OperateError::File { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    for number in 1_u64.. {
        let mut bytes = Vec::new();
        let most = (bytes_max as u64).saturating_add(1);
        if reader.by_ref().take(most).read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
            break;
        }
        let place = format!("{}, line {number}", path.display());
        if bytes.len() > bytes_max {
            tell(&place, Err(format!("is longer than {bytes_max} bytes; what comes after it was not read")))?;
            break;
        }
        match std::str::from_utf8(&bytes).map(str::trim) {
            Ok("") => {}
            Ok(line) => tell(&place, Ok(line))?,
            Err(_) => tell(&place, Err("is not UTF-8".to_owned()))?,
        }
    }
    Ok(())
}

fn as_text(proved: &Proved) -> String {
    let said = |name: &str| proved.cause(name).map(plain);
    let by = said("by.subject").unwrap_or_else(|| "somebody".to_owned());
    let role = said("by.role").unwrap_or_else(|| "unknown".to_owned());
    let trust = said("by.trust").map(|trust| format!(" for {trust}")).unwrap_or_default();
    let at = said("at").unwrap_or_else(|| "at an unknown time".to_owned());
    let call = said("verb").unwrap_or_else(|| "unknown".to_owned());
    let request = said("request_id").map(|id| format!("  request {id}")).unwrap_or_default();
    // Writing to a string does not fail.
    let mut text = format!("{:>8}  {at}  {by} ({role}){trust}  {call}{request}\n", proved.revision);
    if let Some(reason) = said("denied.reason") {
        let _ = writeln!(text, "          denied: {reason}");
    }
    for record in &proved.records {
        let removed = if record.removed { "  removed" } else { "" };
        let _ = writeln!(text, "          {}{removed}", plain(&record.record));
        if let Some(body) = &record.body {
            let _ = writeln!(text, "            {}", plain(body));
        }
    }
    if proved.hidden > 0 {
        let _ = writeln!(text, "          and {} that are not this trust's to see", proved.hidden);
    }
    text
}

fn as_json(proved: &Proved) -> Value {
    let text = |value: &String| Value::String(value.clone());
    let cause: Map<String, Value> =
        proved.cause.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let records = proved.records.iter().map(|record| {
        let body = record.body.as_ref().map(|body| serde_json::from_str(body).unwrap_or_else(|_| text(body)));
        json!({ "record": record.record, "removed": record.removed, "body": body })
    });
    json!({
        "revision": proved.revision,
        "history": proved.history,
        "archived_at": proved.archived_at,
        "cause": cause,
        "records": records.collect::<Vec<Value>>(),
        "hidden": proved.hidden,
    })
}

/// Returns text as a terminal can be given it: whoever signed it may have put anything into it.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { shown.extend(letter.escape_default()) } else { shown.push(letter) }
    }
    shown
}
