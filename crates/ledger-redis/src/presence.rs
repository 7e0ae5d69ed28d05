//! What this process has seen of the ledger, and how it speaks of it to the store.
//!
//! It outlives every connection: what was seen once is held against whatever server is found later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fallow_ledger::{Revision, Trouble, planted};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::drawn::{Begun, Drawn};
use crate::roll::RollCaller;
use crate::seal::{self, Found, Known, Ruling, Seal, Standing, Witness};
use crate::store::{Failed, Store};
use crate::{decode, errors};

const LOOK: &str = "fallow_look_v2";
const SEAL: &str = "fallow_seal_v2";

/// How often a word is spoken again that others overtook. Each time one of them has got through.
pub(crate) const ATTEMPTS: u32 = 64;

/// How often a commit looks whether a ledger that is closed has opened.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The longest that a ledger that is closed is not looked at again, whatever reads stir: it opens by others' doing.
const LOOK_AT_CLOSED: Duration = Duration::from_millis(500);

/// Lines that were read and never seen open that are remembered: one comes with each server that takes another's place.
const STRANGE_MAX: usize = 64;

/// What the process knows.
#[derive(Default)]
struct Memory {
    /// The furthest place that is known, on the epoch that was last seen open.
    known: Option<Known>,
    /// The furthest revision on the same epoch that was read, known to be kept or not.
    shown: u64,
    /// The last place that was read of any ledger with a commit, open or closed, by its history.
    seen: Option<Known>,
    /// Whether the ledger was open when it was last looked at, and whether this process is written down as one that
    /// writes.
    open: bool,
    registered: bool,
    /// Since when the ledger has been waiting for others, and for which server.
    waiting: Option<(String, Instant)>,
    /// What was last logged of how it stands.
    told: Option<Standing>,
    /// Why it was closed when it was last looked at.
    closed: Option<String>,
    /// The history in which the known epoch was last seen.
    history: Option<Arc<str>>,
    /// What was read of lines, by history, while they were not the known one. Who is asked for it later finds it on the known
    /// line or among those that have ended, unless it was lost.
    strange: BTreeMap<(Arc<str>, String), Strange>,
    /// What was drawn from snapshots, and whether some of it was lost since.
    drawn: Drawn,
}

/// What was read of a line that this process never saw open.
#[derive(Default)]
struct Strange {
    /// The furthest revision.
    furthest: u64,
    /// The turn of [`Drawn`] in which it was read last.
    turn: u64,
}

impl Memory {
    /// Notes how far a ledger has been read.
    fn see(&mut self, history: &str, head: u64) {
        match &mut self.seen {
            Some(seen) if seen.line == history => seen.revision = seen.revision.max(head),
            Some(_) | None if head > 0 => {
                self.seen = Some(Known { line: history.to_owned(), revision: head })
            }
            Some(_) | None => {}
        }
    }

    /// Keeps the number of lines small: what was read of the one that was not read for longest counts as lost.
    fn bound_strange(&mut self) {
        while self.strange.len() > STRANGE_MAX {
            let Some(oldest) = self.strange.iter().min_by_key(|(_, read)| read.turn) else { return };
            let line = oldest.0.clone();
            if let Some(read) = self.strange.remove(&line) {
                self.drawn.lose(read.turn);
            }
        }
    }
}

/// The process as a witness.
pub(crate) struct Presence {
    id: String,
    memory: Mutex<Memory>,
    /// One word at a time: an older look must not be learnt from after a newer one.
    speaking: tokio::sync::Mutex<()>,
    /// Told when something was seen that asks for a look.
    pub(crate) stirred: Notify,
}

impl Presence {
    /// Makes the presence of a process of this name, such as `matching@host`. Its id is its own for as long as it lives.
    pub(crate) fn new(name: &str) -> Presence {
        Presence {
            id: if name.is_empty() { fresh() } else { format!("{name}-{}", fresh()) },
            memory: Mutex::default(),
            speaking: tokio::sync::Mutex::default(),
            stirred: Notify::new(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is whole in itself.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the epoch and the furthest revision that are known, for a commit; an empty epoch fits none.
    pub(crate) fn place(&self) -> (String, u64) {
        let memory = self.memory();
        memory.known.as_ref().map_or_else(Default::default, |known| (known.line.clone(), known.revision))
    }

    /// Notes what the store acknowledged in an epoch. Returns whether that is still the epoch in which this process sees
    /// the ledger: if not, what was acknowledged may be gone already.
    pub(crate) fn acknowledged(&self, epoch: &str, revision: Revision) -> bool {
        let mut memory = self.memory();
        match &mut memory.known {
            Some(known) if known.line == epoch => known.revision = known.revision.max(revision.0),
            Some(_) | None => return false,
        }
        memory.shown = memory.shown.max(revision.0);
        true
    }

    /// Notes what was read: the history and the epoch of the ledger, its last revision, and the last of it that is known to
    /// be kept.
    pub(crate) fn read(&self, history: &Arc<str>, epoch: Option<&str>, head: Revision, kept: Revision) {
        let mut memory = self.memory();
        memory.see(history, head.0);
        match &mut memory.known {
            Some(known) if epoch == Some(&*known.line) => {
                if !planted::on("reads-not-remembered") {
                    known.revision = known.revision.max(kept.0);
                }
                memory.shown = memory.shown.max(head.0);
                if memory.history.as_ref() != Some(history) {
                    memory.history = Some(history.clone());
                }
            }
            Some(_) | None => {
                memory.open = false;
                let line = (history.clone(), epoch.unwrap_or_default().to_owned());
                let turn = memory.drawn.turn();
                let strange = memory.strange.entry(line).or_default();
                *strange = Strange { furthest: head.0.max(strange.furthest), turn };
                memory.bound_strange();
                self.stirred.notify_one();
            }
        }
    }

    /// Says whether what this process was shown in a history is what the ledger has in an epoch: a revision of it then names
    /// what this process takes it for. It is not when the history is another by now, and may not be when the process has read
    /// of a line that it never saw open, some of which may be gone again: until that line was seen to go on, or what was
    /// shown has been drawn afresh.
    pub(crate) fn vouches(&self, epoch: &str, history: &Arc<str>) -> bool {
        let memory = self.memory();
        memory.known.as_ref().is_some_and(|known| known.line == epoch)
            && memory.history.as_ref() == Some(history)
            && !memory.strange.keys().any(|(strange, _)| strange == history)
            && memory.drawn.is_whole(history)
    }

    /// Begins a snapshot: what is read from now on is in it, or is on its line.
    pub(crate) fn begin_drawing(&self) -> Begun {
        self.memory().drawn.begin()
    }

    /// Notes that a snapshot was taken: everything that is shown on from it has the history by this very name.
    pub(crate) fn drawn(&self, history: &Arc<str>, begun: Begun) {
        self.memory().drawn.end(history, begun);
    }

    /// Says whether what is shown under this very name of a history has something that was lost: it is to be drawn afresh, for
    /// nothing that follows tells what is wrong with it.
    pub(crate) fn is_spoilt(&self, history: &Arc<str>) -> bool {
        let memory = self.memory();
        memory.history.as_ref() == Some(history) && memory.drawn.is_spoilt(history)
    }

    /// Notes that the store is not what it was, or may not be.
    pub(crate) fn doubt(&self) {
        self.memory().open = false;
        self.stirred.notify_one();
    }

    /// Takes an epoch for the one of this process, which alone knows it.
    pub(crate) fn begin(&self, epoch: String, head: u64) {
        *self.memory() =
            Memory { known: Some(Known { line: epoch, revision: head }), shown: head, ..Memory::default() };
    }

    /// Whether the ledger was open when it was last looked at.
    pub(crate) fn is_open(&self) -> bool {
        self.memory().open
    }

    /// Returns the id by which this process speaks.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Says why the ledger took no writes when it was last looked at; nothing when it did.
    pub(crate) fn closed(&self) -> Option<String> {
        self.memory().closed.clone()
    }

    /// Whether the ledger was open when it was last looked at, and knows this process as one that writes.
    pub(crate) fn may_write(&self) -> bool {
        let memory = self.memory();
        memory.open && memory.registered
    }

    /// Returns what this process knows now. What is found later must have it.
    fn witness(&self, writes: bool) -> Witness {
        let memory = self.memory();
        Witness {
            id: self.id.clone(),
            knows: memory.known.clone(),
            seen: memory.seen.clone(),
            shown: memory.shown,
            writes: writes || memory.registered,
            waited: false,
            is_behind: false,
        }
    }

    /// Says whether this process has waited long enough for those who are silent about a server.
    pub(crate) fn has_waited(&self, found: &Found, settle: Duration) -> bool {
        let is_over =
            |(replid, since): &(String, Instant)| *replid == found.replid && since.elapsed() >= settle;
        self.memory().waiting.as_ref().is_some_and(is_over)
    }

    /// Takes in how the ledger stands, once the store has it so. Returns whether nothing was learnt on the line before
    /// meanwhile: what was, the ledger has not been asked for, and it must be spoken of first.
    fn learn(&self, found: &Found, kept: Revision, witness: &Witness, ruling: &Ruling) -> bool {
        let seal = ruling.seal.as_ref().unwrap_or(&found.seal);
        let mut memory = self.memory();
        let leaves_its_line = witness.knows.as_ref().is_some_and(|known| known.line != seal.epoch);
        let knew = (&witness.knows, witness.shown);
        if ruling.standing == Standing::Open && leaves_its_line && knew != (&memory.known, memory.shown) {
            return false;
        }
        if let Some(history) = &found.history {
            memory.see(history, found.head);
        }
        let is_news =
            |told: &Standing| std::mem::discriminant(told) != std::mem::discriminant(&ruling.standing);
        if memory.told.as_ref().is_none_or(is_news) {
            tell(&ruling.standing);
            memory.told = Some(ruling.standing.clone());
        }
        match &ruling.standing {
            Standing::Open => {
                // What was known before is on the line that goes on, or was given up.
                let before = memory.known.take().filter(|known| !seal.given_up.contains(&known.line));
                let before = before.map_or(0, |known| known.revision);
                let same = witness.knows.as_ref().is_some_and(|known| known.line == seal.epoch);
                memory.shown = if same { memory.shown.max(found.head) } else { found.head };
                memory.known = Some(Known { line: seal.epoch.clone(), revision: before.max(kept.0) });
                memory.open = true;
                memory.registered = witness.writes;
                memory.waiting = None;
                memory.closed = None;
                // A new history has a name that the next read tells.
                memory.history = found.history.as_deref().filter(|_| !ruling.renews_history).map(Arc::from);
                for ((history, line), read) in std::mem::take(&mut memory.strange) {
                    let has_it = |ended: &seal::Ended| ended.line == line && read.furthest <= ended.end;
                    // What another history had is not looked for in this one.
                    let is_lost = line != seal.epoch
                        && !seal.ended.iter().any(has_it)
                        && memory.history.as_ref() == Some(&history);
                    if is_lost {
                        tracing::warn!(
                            line,
                            revision = read.furthest,
                            "what was read of the ledger was lost before it was kept: what shows it is drawn afresh"
                        );
                        memory.drawn.lose(read.turn);
                    }
                }
            }
            Standing::Waiting(why) => {
                memory.open = false;
                memory.closed = Some(why.clone());
                let is_new = memory.waiting.as_ref().is_none_or(|(replid, _)| *replid != found.replid);
                if is_new {
                    memory.waiting = Some((found.replid.clone(), Instant::now()));
                }
            }
            Standing::Closed(why) => {
                memory.open = false;
                memory.closed = Some(why.clone());
            }
        }
        true
    }
}

/// Returns an id that was never used.
pub(crate) fn fresh() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// How the ledger was found, with what goes beside the seal.
pub(crate) struct Look {
    pub(crate) found: Found,
    /// The seal as the store keeps it.
    text: String,
    /// The highest revision that is known to be kept: the last where no replicas are asked for.
    pub(crate) kept: Revision,
}

impl Store {
    /// Looks at how the ledger stands.
    pub(crate) async fn look(&self) -> Result<Look, Trouble> {
        let mut call = redis::cmd("FCALL");
        call.arg(LOOK).arg(1).arg(&self.keys.meta);
        type Answer = (String, String, Vec<u8>, String, Vec<u8>);
        let (replid, history, head, text, kept): Answer = self.call_again(&call).await.map_err(of_look)?;
        let seal = Seal::of_text(&text)?;
        let (head, kept) = (decode::revision(&head)?, decode::revision(&kept)?);
        let kept = if self.options.replicas > 0 { kept } else { head };
        let history = Some(history).filter(|history| !history.is_empty());
        Ok(Look { found: Found { replid, history, head: head.0, seal }, text, kept })
    }

    /// Changes the seal, if the ledger is still as it was found. Returns whether it was.
    pub(crate) async fn set_seal(
        &self,
        look: &Look,
        seal: &Seal,
        renews_history: bool,
    ) -> Result<bool, Trouble> {
        let found = &look.found;
        let is_moving = found.seal.standing(&found.replid) == Standing::Open;
        // Where a history or an epoch ends must be where it ends.
        let may_have_moved = is_moving && !renews_history && seal.epoch == found.seal.epoch;
        let head = if may_have_moved { String::new() } else { found.head.to_string() };
        let text = seal.to_text()?;
        let epoch = if seal.lost.is_some() { "" } else { &*seal.epoch };
        let history = if renews_history { fresh() } else { String::new() };
        let mut call = redis::cmd("FCALL");
        call.arg(SEAL).arg(1).arg(&self.keys.meta);
        call.arg(&found.replid).arg(&look.text).arg(head).arg(text).arg(epoch).arg(history);
        let done: u8 = self.call(&call).await.map_err(of_look)?;
        Ok(done == 1)
    }

    /// Says what this process knows, and learns how the ledger stands. One that only looks on says nothing.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], [`Trouble::Corrupt`].
    pub(crate) async fn attest(&self, writes: bool) -> Result<(Standing, Look), Trouble> {
        if self.options.looks_on {
            let look = self.look().await?;
            return Ok((look.found.seal.standing(&look.found.replid), look));
        }
        self.speak(|| self.presence.witness(writes), seal::attest).await
    }

    /// Says what this process knows for the last time: nobody waits for it any more.
    pub(crate) async fn leave(&self) -> Result<(), Trouble> {
        if self.options.looks_on {
            return Ok(());
        }
        let witness = || Witness { writes: false, ..self.presence.witness(false) };
        self.speak(witness, seal::leave).await.map(drop)
    }

    async fn speak(
        &self,
        witness: impl Fn() -> Witness,
        rule: impl Fn(&Found, &Witness, &str) -> Ruling,
    ) -> Result<(Standing, Look), Trouble> {
        let _alone = self.presence.speaking.lock().await;
        for _ in 0..ATTEMPTS {
            // First what is known, then the look: the store goes on meanwhile.
            let mut witness = witness();
            let look = self.look().await?;
            let is_new = !look.found.seal.is_of(&look.found.replid);
            if is_new || witness.knows.as_ref().is_some_and(|known| known.line != look.found.seal.epoch) {
                self.fit_to_move_to(&witness).await?;
            }
            if is_new {
                self.shed_torn_end().await?;
            }
            witness.waited = self.presence.has_waited(&look.found, self.options.settle);
            let ruling = rule(&look.found, &witness, &fresh());
            let done = match &ruling.seal {
                Some(seal) => self.set_seal(&look, seal, ruling.renews_history).await?,
                None => true,
            };
            if done && self.presence.learn(&look.found, look.kept, &witness, &ruling) {
                return Ok((ruling.standing, look));
            }
        }
        Err(errors::overtaken())
    }

    /// Makes sure that a server that this process has not known as the ledger's can acknowledge anything. An old primary that
    /// has come back before anyone made it a replica has none itself: an epoch that was begun there would be missed by
    /// whoever took part in it, although nothing was ever acknowledged in it.
    async fn fit_to_move_to(&self, witness: &Witness) -> Result<(), Trouble> {
        if witness.knows.is_none() {
            // It was checked when the ledger was opened, and may be a first server whose replicas are still to come.
            return Ok(());
        }
        let (found, wanted) = (self.check_server().await?.replicas, self.options.replicas);
        match found < wanted {
            true => {
                let detail =
                    format!("the store has {found} of the {wanted} replicas that must hold each write");
                Err(Trouble::Unavailable { detail })
            }
            false => Ok(()),
        }
    }

    /// Gives the history and the last revision, making a history if there is none.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], also when there is none and this process only looks on; [`Trouble::Corrupt`].
    pub(crate) async fn open(&self) -> Result<(Arc<str>, Revision), Trouble> {
        loop {
            let Look { found, .. } = self.look().await?;
            match found.history {
                Some(history) => return Ok((history.into(), Revision(found.head))),
                None if self.options.looks_on => {
                    return Err(Trouble::Unavailable { detail: "the region has no ledger yet".to_owned() });
                }
                None => self.attest(false).await?,
            };
        }
    }

    /// Waits until this process may write: it is written down as a writer, and the ledger is open.
    ///
    /// # Errors
    /// [`Trouble::Sealed`] when it does not open within the response timeout; [`Trouble::Unavailable`];
    /// [`Trouble::Misconfigured`] when this process only looks on.
    pub(crate) async fn writable(&self) -> Result<(), Trouble> {
        if self.options.looks_on {
            return Err(Trouble::Misconfigured { detail: "this process only looks on".to_owned() });
        }
        let since = Instant::now();
        while !self.presence.may_write() {
            match self.attest(true).await?.0 {
                Standing::Open => {}
                Standing::Waiting(_) if since.elapsed() < self.options.response_timeout => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Standing::Waiting(detail) | Standing::Closed(detail) => {
                    return Err(Trouble::Sealed { detail });
                }
            }
        }
        Ok(())
    }

    /// Looks after the ledger beside the calls: speaks for this process whenever something may have changed, so that a
    /// process that only reads is a witness too.
    pub(crate) async fn look_after(self: Arc<Self>) {
        let mut checked = Instant::now();
        let mut roll = RollCaller::new();
        loop {
            // Whether the time is up or something stirred makes no difference.
            let _ = tokio::time::timeout(self.options.look_every, self.presence.stirred.notified()).await;
            match self.attest(false).await {
                Ok((Standing::Open, look)) => {
                    self.tell_kept(&look).await;
                    // What fails is tried again at the next look.
                    let _ = roll.tend(&self, &look).await;
                }
                // Each read finds it closed, and would have it looked at again.
                Ok((Standing::Waiting(_) | Standing::Closed(_), _)) => {
                    tokio::time::sleep(LOOK_AT_CLOSED.min(self.options.look_every)).await;
                }
                // The store is away, as every call of this process finds out: it is told of there.
                Err(_trouble) => tokio::time::sleep(LOOK_AGAIN).await,
            }
            if checked.elapsed() >= self.options.check_every && !planted::on("settings-asked-once") {
                checked = Instant::now();
                // What it finds, it keeps and tells of itself.
                let _ = self.check_server().await;
            }
        }
    }

    /// Tells the store what this process knows to be on the replicas, when it does not know it yet: those who only read
    /// learn it there.
    async fn tell_kept(&self, look: &Look) {
        if self.options.replicas > 0 && self.presence.place().1 > look.kept.0 {
            // It is told again later if it fails.
            let _: Result<String, Failed> = self.call(&self.touch_call()).await;
        }
    }
}

fn of_look(failed: Failed) -> Trouble {
    failed.into_trouble(|error| errors::of_read("look at the ledger", error))
}

/// Logs a change of how the ledger stands.
fn tell(standing: &Standing) {
    match standing {
        Standing::Open => tracing::info!("the ledger takes writes"),
        Standing::Waiting(why) => tracing::warn!(%why, "the ledger is closed to writes for now"),
        Standing::Closed(why) => tracing::error!(%why, "the ledger is sealed: it has lost something"),
    }
}

#[cfg(test)]
mod tests;
