//! What the archive alone may do to a region in Redis: `keeper.lua` and its calls.

use async_trait::async_trait;
use fallow_ledger::{
    Archived, Attested, Cursor, Keeper, KeeperError, Reach, Seen, Trouble, Versioned, planted, state,
};
use jiff::Timestamp;
use redis::Cmd;

use crate::presence::fresh;
use crate::seal::{self, Acceptance, Found, Known, Seal, Standing};
use crate::store::Failed;
use crate::{RedisLedger, decode, errors};

pub(crate) const FUNCTIONS: &str = include_str!("keeper.lua");

/// Changes that one call trims: some milliseconds of the server's time.
const TRIMMED_AT_ONCE: usize = 10_000;
/// Records, and about how many bytes of them, that one call puts aside.
const STAGED_AT_ONCE: (usize, usize) = (1_000, 2 * 1024 * 1024);

impl RedisLedger {
    /// Calls a function of `keeper.lua`. All of them can be repeated, so a lost answer is nothing worse than no answer.
    async fn keep(&self, doing: &str, call: &Cmd) -> Result<Vec<String>, Trouble> {
        let failed = |failed: Failed| failed.into_trouble(|error| errors::of_read(doing, error));
        self.store.call_of(FUNCTIONS, call).await.map_err(failed)
    }

    async fn stage(&self, word: &str, records: &[Versioned]) -> Result<(), KeeperError> {
        let mut call = redis::cmd("FCALL");
        call.arg("fallow_keeper_stage_v1").arg(4);
        call.arg(&[
            &self.store.keys.meta,
            &self.store.keys.live,
            &self.store.keys.log,
            &self.store.keys.restoring,
        ])
        .arg(word);
        for record in records {
            let stored = [record.revision.to_string().as_bytes(), b" ", &record.body].concat();
            call.arg(record.key.to_string()).arg(stored);
        }
        done(&self.keep("put records aside", &call).await?)
    }
}

#[async_trait]
impl Keeper for RedisLedger {
    async fn reach(&self) -> Result<Reach, Trouble> {
        self.store.opened().await?;
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HMGET").arg(&self.store.keys.meta).arg("history").arg("revision").arg("archived");
        pipeline.cmd("XRANGE").arg(&self.store.keys.log).arg("-").arg("+").arg("COUNT").arg(1);
        type Meta = (Option<String>, Option<Vec<u8>>, Option<String>);
        type Answer = (Meta, Vec<decode::Entry>);
        let ((history, head, archived), first): Answer =
            self.store.query("read the reach", &pipeline).await?;
        let (history, head) = match (history, head) {
            (Some(history), Some(head)) => (history.into(), decode::revision(&head)?),
            (None, _) | (_, None) => self.store.open().await?,
        };
        let first = first.into_iter().next().map(decode::change).transpose()?;
        Ok(Reach {
            oldest: first.map_or(head.next(), |change| change.revision),
            head: Cursor::new(history, head),
            archived: archived.map(|text| read(&text)).transpose()?,
        })
    }

    async fn attest(&self, archive: Option<&Seen>) -> Result<Attested, Trouble> {
        self.opened().await?;
        let knows = archive.map(|seen| Known {
            line: seen.line.as_ref().unwrap_or(seen.cursor.history()).to_string(),
            revision: seen.cursor.revision().0,
        });
        let (standing, line, kept) = self.speak_for_archive(knows).await?;
        match standing {
            Standing::Open => Ok(Attested::Open { line: line.into(), kept }),
            Standing::Waiting(why) | Standing::Closed(why) => {
                // By this process' own word it is known since when the ledger waits.
                self.store.attest(false).await?;
                Ok(Attested::Closed { why })
            }
        }
    }

    async fn archived(&self, note: &Archived) -> Result<(), KeeperError> {
        self.store.opened().await?;
        let mut call = redis::cmd("FCALL");
        call.arg("fallow_keeper_note_v1").arg(1).arg(&self.store.keys.meta).arg(&words(note));
        let said = self.keep("note what is archived", &call).await?;
        match said.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["done"] => Ok(()),
            ["history", found] => Err(other_history(&note.cursor, found)),
            ["ahead", head] => {
                let head = decode::revision(head.as_bytes())?;
                Err(KeeperError::Ahead { archived: note.cursor.revision(), head })
            }
            _ => Err(unknown()),
        }
    }

    async fn trim(&self, through: &Cursor) -> Result<u64, KeeperError> {
        self.store.opened().await?;
        let mut call = redis::cmd("FCALL");
        call.arg("fallow_keeper_trim_v1").arg(2).arg(&self.store.keys.meta).arg(&self.store.keys.log);
        call.arg(&**through.history()).arg(through.revision().0).arg(TRIMMED_AT_ONCE);
        let mut gone = 0;
        loop {
            let said = self.keep("trim the log", &call).await?;
            match said.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["trimmed", some, rest] => {
                    gone += decode::revision(some.as_bytes())?.0;
                    if rest != "more" {
                        return Ok(gone);
                    }
                }
                ["history", found] => return Err(other_history(through, found)),
                ["unarchived", archived] => {
                    let archived = match archived {
                        "" => None,
                        through => Some(decode::revision(through.as_bytes())?),
                    };
                    return Err(KeeperError::NotArchived { asked: through.revision(), archived });
                }
                _ => return Err(unknown()),
            }
        }
    }

    async fn restore(
        &self,
        records: &[Versioned],
        note: &Archived,
        line: Option<&str>,
    ) -> Result<(), KeeperError> {
        // Not opened before: that would give the region a history of its own.
        self.store.check_server().await?;
        let (history, seal) = match planted::on("history-kept-by-a-rebuild") {
            true => (note.cursor.history().to_string(), Seal::default()),
            false => (fresh(), self.restored(note, line).await?.seal),
        };
        self.fill(records, note, &seal, "", &history).await?;
        self.store.attest(false).await?;
        Ok(())
    }
}

impl RedisLedger {
    /// Fills an empty region as [`Keeper::restore`] does, on the word of a person who accepts that what was acknowledged
    /// after the end of the archive is lost. Until [`RedisLedger::loss_accepted`] this process alone can write, so that it
    /// ends what must not go on.
    ///
    /// # Errors
    /// [`KeeperError::NotEmpty`], [`KeeperError::Trouble`]. After trouble it may be repeated.
    pub async fn rebuild(
        &self,
        records: &[Versioned],
        note: &Archived,
        line: Option<&str>,
        word: &Acceptance,
    ) -> Result<(), KeeperError> {
        self.store.check_server().await?;
        let found = self.restored(note, line).await?;
        if !found.seal.is_of(&found.replid) {
            self.store.shed_torn_end().await?;
        }
        let seal = seal::accepting(&found, word.clone(), &fresh());
        self.fill(records, note, &seal, &seal.epoch, &fresh()).await?;
        self.store.presence.begin(seal.epoch, found.head);
        Ok(())
    }

    /// Returns an empty store as it is to be found once it is restored.
    async fn restored(&self, note: &Archived, line: Option<&str>) -> Result<Found, Trouble> {
        let (history, head) = (note.cursor.history(), note.cursor.revision().0);
        let found = self.store.look().await?.found;
        let seal = found.seal.restored(history, line, head);
        Ok(Found { history: Some(history.to_string()), head, seal, ..found })
    }

    /// Puts records aside and makes the region of them.
    async fn fill(
        &self,
        records: &[Versioned],
        note: &Archived,
        seal: &Seal,
        epoch: &str,
        history: &str,
    ) -> Result<(), KeeperError> {
        let mut word = "first";
        let mut rest = records;
        loop {
            let mut bytes = 0;
            let part = rest.iter().take(STAGED_AT_ONCE.0).take_while(|record| {
                let is_room = bytes < STAGED_AT_ONCE.1;
                bytes += record.body.len();
                is_room
            });
            let (part, left) = rest.split_at(part.count());
            self.stage(word, part).await?;
            (word, rest) = ("more", left);
            if rest.is_empty() {
                break;
            }
        }
        let mut call = redis::cmd("FCALL");
        call.arg("fallow_keeper_restore_v1").arg(4);
        call.arg(&[
            &self.store.keys.meta,
            &self.store.keys.live,
            &self.store.keys.log,
            &self.store.keys.restoring,
        ]);
        call.arg(&words(note)).arg(records.len()).arg(seal.to_text()?).arg(epoch).arg(history);
        done(&self.keep("restore the region", &call).await?)
    }
}

/// A note as `keeper.lua` takes it.
fn words(note: &Archived) -> [String; 4] {
    [
        note.cursor.history().to_string(),
        note.cursor.revision().to_string(),
        state::hex(&note.chain),
        note.at.as_millisecond().to_string(),
    ]
}

/// Reads a note as `keeper.lua` keeps it.
pub(crate) fn read(text: &str) -> Result<Archived, Trouble> {
    let parse = || {
        let [history, revision, chain, at] = text.split(' ').collect::<Vec<_>>()[..] else { return None };
        let digit = |place: usize| u8::from_str_radix(chain.get(place * 2..place * 2 + 2)?, 16).ok();
        let bytes: Vec<u8> = (0..chain.len() / 2).map(digit).collect::<Option<_>>()?;
        Some(Archived {
            cursor: format!("{history}.{revision}").parse().ok()?,
            chain: bytes.try_into().ok()?,
            at: Timestamp::from_millisecond(at.parse().ok()?).ok()?,
        })
    };
    let detail = "a note of what is archived that cannot be read".to_owned();
    parse().ok_or(Trouble::Corrupt { key: None, detail })
}

fn done(said: &[String]) -> Result<(), KeeperError> {
    match said.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["done"] => Ok(()),
        ["taken", head, records] => Err(KeeperError::NotEmpty {
            head: decode::revision(head.as_bytes())?,
            records: decode::revision(records.as_bytes())?.0,
        }),
        ["short", staged] => {
            let detail = format!("{staged} records were put aside: another restores this region too");
            Err(Trouble::Unavailable { detail }.into())
        }
        _ => Err(unknown()),
    }
}

fn other_history(asked: &Cursor, found: &str) -> KeeperError {
    KeeperError::OtherHistory { asked: asked.history().clone(), found: found.into() }
}

fn unknown() -> KeeperError {
    let detail = "a keeper was answered in words that are not known".to_owned();
    Trouble::Corrupt { key: None, detail }.into()
}
