//! `fallow audit check`.

mod seen;
mod told;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use fallow_api::v1::AuditEntry;
use fallow_archive::proof::{PROOF_BYTES, Proof};
use fallow_archive::{KeyError, PublicKey};
use fallow_domain::ids::TrustCode;
use serde_json::json;

use seen::{Said, Seen};
use told::{as_json, as_text, plain};

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
    /// The trust that was given the proofs: each must be by its people or show a record, and what its people did be whole
    #[arg(long, value_name = "ODS")]
    trust: Option<TrustCode>,
    /// What the trust kept of its own: each must be among the proofs. Lines of `fallow audit mine -o jsonl`, or of the
    /// revision and `request_id` of each answer
    #[arg(long, value_name = "FILE")]
    kept: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// How many of the entries that were kept are proved.
#[derive(Default)]
struct Kept {
    proved: u64,
    not_asked: u64,
    all: u64,
}

/// Prints what is proved, and what is not. Exit 0 when everything is.
pub(super) fn check(args: &CheckArgs) -> Result<Exit, OperateError> {
    let key = |path: &PathBuf| -> Result<PublicKey, OperateError> {
        let failed = |source: KeyError| OperateError::Key { path: path.clone(), source };
        PublicKey::read(path).map_err(failed)
    };
    let keys: Vec<PublicKey> = args.keys.iter().map(key).collect::<Result<_, _>>()?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut seen = Seen::default();
    for path in &args.files {
        lines(path, PROOF_BYTES, &mut |place, line| match line.and_then(|line| {
            Proof::read(line).and_then(|proof| proof.check(&keys)).map_err(|error| error.to_string())
        }) {
            Ok(proved) => {
                let text = if args.json { format!("{}\n", as_json(&proved)) } else { as_text(&proved) };
                seen.take(place, proved, args.trust);
                out.write_all(text.as_bytes())
            }
            Err(words) => {
                seen.wrong.push(Said { place: place.to_owned(), words });
                Ok(())
            }
        })?;
    }
    seen.compare_batches();
    let kept = args.kept.as_ref().map(|path| hold(path, &mut seen)).transpose()?;
    if seen.proofs == 0 && seen.wrong.is_empty() {
        let place = args.files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        seen.wrong.push(Said { place, words: "there is no proof in what was given".to_owned() });
    }
    let told = [("note", "NOTE ", &seen.notes), ("wrong", "WRONG ", &seen.wrong)];
    for (name, word, said) in
        told.into_iter().flat_map(|(name, word, all)| all.iter().map(move |one| (name, word, one)))
    {
        if args.json {
            writeln!(out, "{}", json!({ name: said.words, "place": said.place }))?;
        } else {
            writeln!(out, "{word}{}: {}", plain(&said.place), plain(&said.words))?;
        }
    }
    out.flush()?;
    drop(out);
    sum_up(&seen, kept.as_ref())?;
    Ok(if seen.wrong.is_empty() { Exit::Ok } else { Exit::Failed })
}

/// Holds the proofs against what was kept.
fn hold(path: &Path, seen: &mut Seen) -> Result<Kept, OperateError> {
    let mut kept = Kept::default();
    lines(path, ENTRY_BYTES, &mut |place, line| {
        kept.all += 1;
        let entry = line.and_then(|line| {
            serde_json::from_str::<AuditEntry>(line)
                .map_err(|error| format!("is no entry of a trail: {error}"))
        });
        match entry.and_then(|entry| seen.proves(place, &entry)) {
            Ok(true) => kept.proved += 1,
            Ok(false) => kept.not_asked += 1,
            Err(words) => seen.wrong.push(Said { place: place.to_owned(), words }),
        }
        Ok(())
    })?;
    if kept.proved == 0 {
        let words = "none of what was kept is proved".to_owned();
        seen.wrong.push(Said { place: path.display().to_string(), words });
    }
    Ok(kept)
}

fn sum_up(seen: &Seen, kept: Option<&Kept>) -> std::io::Result<()> {
    let mut err = std::io::stderr();
    if let Some(Kept { proved, not_asked, all }) = kept {
        writeln!(
            err,
            "{proved} of {all} kept entries are proved, {not_asked} not asked for: others did them"
        )?;
    }
    if !seen.wrong.is_empty() {
        return writeln!(err, "{} changes are proved; {} things are wrong", seen.proofs, seen.wrong.len());
    }
    let ranges = seen.histories().into_iter().map(|(history, (first, last))| {
        format!("revisions {first} to {last} of history {}", plain(&history))
    });
    let region = seen.region.as_deref().map(plain).unwrap_or_default();
    let keys: Vec<&str> = seen.keys.iter().map(String::as_str).collect();
    let ranges = ranges.collect::<Vec<_>>().join(", ");
    writeln!(err, "{} changes of {region} were signed by key {}: {ranges}", seen.proofs, keys.join(" and "))
}

/// Takes a line, or why it is none, with its place.
type Tell<'a> = dyn FnMut(&str, Result<&str, String>) -> std::io::Result<()> + 'a;

/// Tells each line that is not empty, with its place, or that it is too long or no text.
fn lines(path: &Path, bytes_max: usize, tell: &mut Tell<'_>) -> Result<(), OperateError> {
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
