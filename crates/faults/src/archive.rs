//! The archive of a round: the program itself finds it sound, and it has every change that anybody was told of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fallow_archive::PublicKey;
use fallow_archive::verify::{Against, Told, verify};
use fallow_ledger::Change;
use tokio::process::Command;

use crate::check::Breach;
use crate::fleet::Fleet;
use crate::history::{End, Op};
use crate::plan::ARCHIVE;
use crate::tail::Entry;

/// How long the archive may take to close its segment when it is told to end, on a slow machine.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// How many findings are shown.
const SHOWN: usize = 3;

/// Where a round's archive lies, and how it is read.
#[derive(Debug)]
pub(crate) struct Archive {
    binary: PathBuf,
    folder: PathBuf,
    keys: PathBuf,
    /// The settings of its process, with which the commands of an operator find the store too.
    pub(crate) environment: Vec<(String, String)>,
}

impl Archive {
    /// Makes the keys of an archive in a round's folder, by the program under test.
    ///
    /// # Errors
    /// It makes none.
    pub(crate) async fn new(folder: &Path, binary: &Path) -> Result<Self> {
        let keys = folder.join("archive-keys");
        std::fs::create_dir_all(&keys)?;
        let made = Command::new(binary).args(["archive", "keygen"]).arg(&keys).output().await?;
        ensure!(made.status.success(), "no keys for the archive: {}", String::from_utf8_lossy(&made.stderr));
        let folder = folder.join("archive");
        Ok(Self { binary: binary.to_owned(), folder, keys, environment: Vec::new() })
    }

    /// Returns the settings that make a process the archive, beyond those of every process.
    pub(crate) fn settings(&self) -> [(String, String); 2] {
        let shown = |path: &Path| path.display().to_string();
        [
            ("FALLOW__ARCHIVE__FOLDER".to_owned(), shown(&self.folder)),
            ("FALLOW__ARCHIVE__KEY_FILE".to_owned(), shown(&self.keys.join("archive-key.pem"))),
        ]
    }

    fn public_key(&self) -> PathBuf {
        self.keys.join("archive-key.pub.pem")
    }

    /// Runs a command of the program under test that reads the archive; returns what is wrong.
    async fn sound(&self, words: &[&str]) -> Result<Option<Breach>> {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--key").arg(self.public_key()).envs(self.environment.iter().cloned());
        let done = command.output().await.context("the archive cannot be verified")?;
        let said = String::from_utf8_lossy(&done.stdout);
        let is_sound = done.status.success() && said.lines().any(|line| line == "sound");
        let found = said.lines().filter(|line| line.starts_with("FOUND") || line.starts_with("BROKEN"));
        let found: Vec<&str> = found.take(SHOWN).collect();
        let text = || {
            let errors = String::from_utf8_lossy(&done.stderr);
            format!("{words:?}: {}; {} {}", done.status, found.join("; "), errors.trim())
        };
        Ok((!is_sound).then(|| Breach::new("archive_sound", text())))
    }
}

/// Ends the archive's process, and checks what it leaves. Where the store has lost nothing, the store and its log are
/// held against it, and it must have all that was acknowledged.
///
/// # Errors
/// It cannot be checked.
pub(crate) async fn check(fleet: &Fleet, ops: &[Op], log: &[Entry], has_lost: bool) -> Result<Vec<Breach>> {
    let mut breaches = Vec::new();
    let process = &fleet.services[ARCHIVE].process;
    if !process.stop(ENDS_WITHIN).await {
        let text = format!("the archive does not end well when it is told to:\n{}", process.tail(5));
        breaches.push(Breach::new("archive_sound", text));
        process.kill();
    }
    let archive = &fleet.archive;
    let folder = archive.folder.display().to_string();
    let words = match has_lost {
        true => vec!["audit", "verify", &folder],
        false => vec!["ledger", "verify", "--archive", &folder],
    };
    breaches.extend(archive.sound(&words).await?);
    if has_lost {
        return Ok(breaches);
    }
    let (folder, key) = (archive.folder.clone(), archive.public_key());
    let held = tokio::task::spawn_blocking(move || held(&folder, &key)).await??;
    breaches.extend(lacks(&held, ops, log));
    Ok(breaches)
}

/// Returns the changes that the archive holds. Where it begins anew, what comes later counts.
fn held(folder: &Path, key: &Path) -> Result<BTreeMap<u64, Change>> {
    let key = PublicKey::read(key).map_err(|error| anyhow::anyhow!("the archive's key: {error}"))?;
    let mut held = BTreeMap::new();
    let against = Against { keys: vec![key], witnesses: Vec::new() };
    verify(folder, &against, &mut |told| match told {
        Told::Change { change, .. } => drop(held.insert(change.revision.0, change.clone())),
        Told::Segment { .. } | Told::Snapshot(_) => {}
    })?;
    Ok(held)
}

/// `archive_holds_all`: what was acknowledged is archived, and what is archived is what the log has.
fn lacks(held: &BTreeMap<u64, Change>, ops: &[Op], log: &[Entry]) -> Vec<Breach> {
    let breach = |text| Breach::new("archive_holds_all", text);
    let mut breaches = Vec::new();
    for (revision, archived) in held {
        let logged = log.iter().find(|entry| entry.change.revision.0 == *revision);
        if logged.is_some_and(|logged| logged.change != *archived) {
            breaches.push(breach(format!("revision {revision} is another in the archive than in the log")));
        }
    }
    for attempt in ops.iter().flat_map(|op| &op.attempts) {
        let End::Ok(said) = &attempt.end else { continue };
        if said.revision > 0 && !held.contains_key(&said.revision) {
            let last = held.last_key_value().map_or(0, |(last, _)| *last);
            breaches.push(breach(format!(
                "revision {} was acknowledged and is not archived; the archive ends at {last}",
                said.revision
            )));
        }
    }
    breaches.truncate(3);
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asks::Ask;
    use crate::history::{Attempt, Said};
    use fallow_ledger::Revision;

    fn change(revision: u64, cause: &'static str) -> Change {
        Change { revision: Revision(revision), writes: BTreeMap::new(), cause: cause.into() }
    }

    #[test]
    fn an_archive_that_lacks_or_alters_a_change_is_told() {
        let entry = |revision| Entry { change: change(revision, "a"), cause: None, seen: Duration::ZERO };
        let log = [entry(1), entry(2)];
        let said = Said { revision: 2, ..Said::default() };
        let attempt =
            Attempt { invoked: Duration::ZERO, ended: Duration::ZERO, end: End::Ok(Box::new(said)) };
        let op = Op {
            client: 0,
            trust: "ZA1",
            request_id: "1".into(),
            ask: Ask::WithdrawOffer { offer: "o".into() },
            forbidden: None,
            attempts: vec![attempt],
        };
        let whole = BTreeMap::from([(1, change(1, "a")), (2, change(2, "a"))]);
        assert_eq!(lacks(&whole, std::slice::from_ref(&op), &log), []);
        let short = BTreeMap::from([(1, change(1, "a"))]);
        assert_eq!(lacks(&short, std::slice::from_ref(&op), &log).len(), 1);
        let altered = BTreeMap::from([(1, change(1, "b")), (2, change(2, "a"))]);
        assert_eq!(lacks(&altered, &[op], &log).len(), 1);
    }
}
