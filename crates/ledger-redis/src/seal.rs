//! The history seal: whether a store still has everything that anyone knows of, and so may take writes. Pure.
//!
//! A server that restarts or is promoted has another replication id than before, and may be behind what was
//! acknowledged. The ledger is therefore open for one replication id at a time: an *epoch*. Whoever has seen an epoch
//! open knows a place in it, (epoch, revision), and since an epoch is written by one server alone, such a place names one
//! content. When the replication id changes, the ledger is closed until those who were there have said what they know,
//! and the store has all of it. Whoever knows a place that the store does not have closes it for good, whoever opened it
//! meanwhile, until a person accepts the loss.
//!
//! Nothing here asks for the time. That a silent writer is no longer waited for is the caller's word ([`Witness::waited`]);
//! a witness that speaks later still closes the ledger.

mod roll;
#[cfg(test)]
mod tests;

use fallow_ledger::{Trouble, planted};
use serde::{Deserialize, Serialize};

pub use roll::{Roll, call_roll, strike_off};

/// How many ended lines, writers and given-up lines are remembered, the latest of each: restarts of many weeks, and many
/// times the processes of a region.
const REMEMBERED: usize = 256;

/// A place in the log that someone knows to have been written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The line that it is on: an epoch, or a history, which may span several.
    pub line: String,
    /// The revision.
    pub revision: u64,
}

/// A line that is written no further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its name.
    pub line: String,
    /// The last revision on it.
    pub end: u64,
}

/// What someone knew that the store does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Who said so.
    pub by: String,
    /// What they knew.
    pub knew: Known,
    /// The last revision of the store at that time.
    pub head: u64,
}

/// Whose word opened a ledger that had lost something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Who accepted the loss.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by their clock (RFC 3339).
    pub at: String,
    /// What was lost, where a witness had said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// The answers of witnesses about one replication id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// The replication id.
    pub replid: String,
    /// Who has spoken, and what they knew. The store has all of it.
    pub answers: Vec<(String, Known)>,
}

/// The seal as the store keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seal {
    /// The epoch that is open or was last: the server's replication id, a dash, an id of its own. Empty: none yet.
    pub epoch: String,
    /// The last revision before this epoch.
    pub began: u64,
    /// The lines before, oldest first.
    pub ended: Vec<Ended>,
    /// The processes that may write in this epoch and have not left, in the order in which they came.
    pub writers: Vec<String>,
    /// The last call of the roll, while some have not answered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<Roll>,
    /// The answers about a replication id for which the ledger is not open yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asking: Option<Asking>,
    /// Why the ledger is closed for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// Lines whose loss a person has accepted: who knows a place on one knows nothing any more.
    pub given_up: Vec<String>,
    /// Who is accepting a loss just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepting: Option<Acceptance>,
    /// Who last accepted a loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Acceptance>,
}

/// What is found in the store, all at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The server's replication id.
    pub replid: String,
    /// The history, if there is one.
    pub history: Option<String>,
    /// The last revision.
    pub head: u64,
    /// The seal.
    pub seal: Seal,
}

/// Someone who speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// Who: an id of their own for as long as they live.
    pub id: String,
    /// The furthest place that they know; nothing for those who have never seen the ledger open.
    pub knows: Option<Known>,
    /// The furthest place that they have read of any ledger, open or closed: what is closed may yet lose its end, and still be
    /// the same. Nothing for those who have read of none that had a commit.
    pub seen: Option<Known>,
    /// The furthest revision on the same line that they have shown to others. With replicas that is more than they know:
    /// what is shown before the replicas hold it may yet be lost.
    pub shown: u64,
    /// Whether they mean to write.
    pub writes: bool,
    /// Whether they have waited long enough for those who are silent.
    pub waited: bool,
    /// Whether they only follow what others write, and nobody waits for them: then more may have been acknowledged than they
    /// know, and they are witnesses only of a store that ends where they do.
    pub is_behind: bool,
}

/// How the ledger stands for one who has spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes writes.
    Open,
    /// It will open by itself, or by a person.
    Waiting(String),
    /// It stays closed until a person accepts the loss.
    Closed(String),
}

/// What comes of a word: how the ledger stands, and what to write into the store if anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// How it stands.
    pub standing: Standing,
    /// The new seal, if it changes.
    pub seal: Option<Seal>,
    /// Whether the ledger gets another history, so that every cursor given out before is gone.
    pub renews_history: bool,
}

/// Rules on a witness' word. `fresh` is an id that was never used.
pub fn attest(found: &Found, witness: &Witness, fresh: &str) -> Ruling {
    let mut seal = found.seal.clone();
    let mut renews_history = found.history.is_none();
    let given_up = |known: &&Known| !found.seal.given_up.contains(&known.line);
    // Before the first commit of a line there is nothing on it that could be lost.
    let says_something = |known: &&Known| known.revision > 0 || found.has(&known.line);
    let known = witness.knows.as_ref().filter(given_up).filter(says_something);
    if let Some(known) = known {
        match place(found, known) {
            Place::Kept => {}
            // Where the history was renewed since, no cursor of then is good any more.
            Place::Ended(end) => {
                renews_history |= witness.shown > end && !found.seal.has_renewed_since(&known.line);
            }
            Place::Lost => {
                let lost = Lost { by: witness.id.clone(), knew: known.clone(), head: found.head };
                seal.lost.get_or_insert(lost);
            }
        }
    }
    if let Some(seen) =
        witness.seen.as_ref().filter(|_| found.is_empty() && !planted::on("emptied-store-opened"))
    {
        // Who comes first opens an empty store, but for one who has seen what was in it: it was wiped.
        let lost = Lost { by: witness.id.clone(), knew: seen.clone(), head: found.head };
        seal.lost.get_or_insert(lost);
    }
    if seal.lost.is_none() && seal.accepting.is_none() && !seal.is_of(&found.replid) {
        seal.hear(found, witness, known);
        if seal.may_open(witness) {
            // Whoever followed this witness further than the store goes must not go on as if nothing were missing. Nor must
            // anybody whose cursor is of before a store was restored: it may be beyond what was restored, and what is
            // written next would be taken for what that cursor has passed.
            let is_restored = seal.epoch.is_empty() && !planted::on("history-kept-by-a-rebuild");
            renews_history |= is_restored || known.is_some() && witness.shown > found.head;
            seal.open(found, fresh);
        }
    }
    if let Some(history) = found.history.as_ref().filter(|_| renews_history) {
        seal.end(history, found.head);
    }
    let is_acceptor = seal.accepting.is_some() && known.is_some_and(|known| known.line == seal.epoch);
    let standing = match is_acceptor && seal.lost.is_none() && seal.is_of(&found.replid) {
        // Nobody else knows the epoch yet.
        true => Standing::Open,
        false => seal.standing(&found.replid),
    };
    if standing == Standing::Open {
        seal.answer(&witness.id);
        if witness.writes {
            seal.register(&witness.id);
        }
    }
    let seal = (seal != found.seal || renews_history).then_some(seal);
    Ruling { standing, seal, renews_history }
}

/// Rules on the last word of one who leaves and is not to be waited for.
pub fn leave(found: &Found, witness: &Witness, fresh: &str) -> Ruling {
    let mut ruling = match planted::on("leaves-without-a-word") {
        true => Ruling { standing: Standing::Open, seal: None, renews_history: false },
        false => attest(found, witness, fresh),
    };
    let mut seal = ruling.seal.take().unwrap_or_else(|| found.seal.clone());
    seal.writers.retain(|writer| *writer != witness.id);
    seal.answer(&witness.id);
    ruling.seal = (seal != found.seal || ruling.renews_history).then_some(seal);
    ruling
}

/// Begins to open a ledger that may have lost something, on a person's word: from now on only who knows the new epoch can
/// write, and nobody else is told of it before [`accepted`].
pub fn accepting(found: &Found, word: Acceptance, fresh: &str) -> Seal {
    let before = &found.seal;
    let asked = before.asking.iter().flat_map(|asking| asking.answers.iter().map(|(_, known)| &known.line));
    let lines = before.ended.iter().map(|ended| &ended.line);
    let lines = lines.chain([&before.epoch]).chain(&found.history).chain(asked);
    let lines = lines.chain(before.lost.iter().map(|lost| &lost.knew.line)).filter(|line| !line.is_empty());
    let mut given_up = before.given_up.clone();
    for line in lines {
        if !given_up.contains(line) {
            given_up.push(line.clone());
        }
    }
    keep_latest(&mut given_up);
    let lost = before.lost.clone().or_else(|| before.accepting.as_ref().and_then(|word| word.lost.clone()));
    Seal {
        epoch: epoch(&found.replid, fresh),
        began: found.head,
        given_up,
        accepting: Some(Acceptance { lost, ..word }),
        accepted: before.accepted.clone(),
        ..Seal::default()
    }
}

/// Opens the ledger after [`accepting`].
pub fn accepted(seal: &Seal) -> Seal {
    let mut seal = seal.clone();
    seal.accepted = seal.accepting.take().or(seal.accepted);
    seal
}

fn epoch(replid: &str, fresh: &str) -> String {
    format!("{replid}-{fresh}")
}

fn unusable(doing: &str, error: &serde_json::Error) -> Trouble {
    Trouble::Corrupt { key: None, detail: format!("the seal of the ledger cannot be {doing}: {error}") }
}

fn keep_latest<T>(list: &mut Vec<T>) {
    list.drain(..list.len().saturating_sub(REMEMBERED));
}

/// Where a place is that someone knows.
enum Place {
    /// On a line that goes on.
    Kept,
    /// On a line that ended there or later, at this revision.
    Ended(u64),
    /// Not in this store.
    Lost,
}

fn place(found: &Found, known: &Known) -> Place {
    let seal = &found.seal;
    let goes_on =
        found.history.is_some() && (known.line == seal.epoch || Some(&known.line) == found.history.as_ref());
    let ended = seal.ended.iter().rev().find(|ended| ended.line == known.line);
    match ended {
        _ if goes_on && known.revision <= found.head => Place::Kept,
        _ if planted::on("attestation-ignored") => Place::Kept,
        Some(ended) if known.revision <= ended.end || planted::on("fork-not-noticed") => {
            Place::Ended(ended.end)
        }
        Some(_) | None => Place::Lost,
    }
}

impl Found {
    /// Whether there is no ledger in it, nor a word of one.
    fn is_empty(&self) -> bool {
        self.history.is_none() && self.head == 0 && self.seal.epoch.is_empty()
    }

    /// Whether a line is one of this store, ended or not.
    fn has(&self, line: &str) -> bool {
        let is_ended = self.seal.ended.iter().any(|ended| ended.line == line);
        is_ended || self.seal.epoch == line || self.history.as_deref() == Some(line)
    }
}

impl Seal {
    /// Reads a seal as the store keeps it.
    pub(crate) fn of_text(text: &str) -> Result<Seal, Trouble> {
        let read = || if text.is_empty() { Ok(Seal::default()) } else { serde_json::from_str(text) };
        read().map_err(|error| unusable("read", &error))
    }

    /// Returns the seal as the store keeps it.
    pub(crate) fn to_text(&self) -> Result<String, Trouble> {
        serde_json::to_string(self).map_err(|error| unusable("written", &error))
    }

    /// Whether the last epoch is of this server as it is now.
    pub(crate) fn is_of(&self, replid: &str) -> bool {
        self.epoch.strip_prefix(replid).is_some_and(|rest| rest.starts_with('-'))
    }

    /// Returns how the ledger stands on a server.
    pub fn standing(&self, replid: &str) -> Standing {
        if let Some(lost) = &self.lost {
            let Lost { by, knew, head } = lost;
            return Standing::Closed(format!(
                "{by} knows revision {} of {}, and the store, which had {head}, does not have it",
                knew.revision, knew.line
            ));
        }
        if let Some(word) = &self.accepting {
            return Standing::Waiting(format!("{} is accepting a loss: {}", word.by, word.reason));
        }
        if self.is_of(replid) { Standing::Open } else { Standing::Waiting(self.missing()) }
    }

    /// Says who has not spoken since the server changed.
    fn missing(&self) -> String {
        if self.epoch.is_empty() {
            return "no process has opened it yet: the first that comes does".to_owned();
        }
        let silent = self.silent().collect::<Vec<_>>();
        let spoken = self.asking.as_ref().map_or(0, |asking| asking.answers.len());
        let witness = match self.has_witness() {
            true => "a witness has spoken",
            false => "nobody who saw it before has spoken",
        };
        let names = silent.join(", ");
        let silent = silent.len();
        format!(
            "the server restarted or was replaced; {witness} ({spoken} answers), {silent} writers are silent: {names}"
        )
    }

    /// Returns the writers that have not spoken about the server as it is now.
    pub fn silent(&self) -> impl Iterator<Item = &str> {
        let spoke = |id: &str| {
            self.asking.iter().any(|asking| asking.answers.iter().any(|(answered, _)| answered == id))
        };
        self.writers.iter().map(String::as_str).filter(move |id| !spoke(id))
    }

    /// Takes down an answer that the store bears out.
    fn hear(&mut self, found: &Found, witness: &Witness, known: Option<&Known>) {
        let asking = match self.asking.take() {
            Some(asking) if asking.replid == found.replid => asking,
            Some(_) | None => Asking { replid: found.replid.clone(), answers: Vec::new() },
        };
        let asking = self.asking.insert(asking);
        let unseen = || Known { line: self.epoch.clone(), revision: 0 };
        let known = known.cloned().or_else(|| planted::on("witness-saw-nothing").then(unseen));
        let Some(known) = known.filter(|known| !witness.is_behind || known.revision == found.head) else {
            return;
        };
        asking.answers.retain(|(id, _)| *id != witness.id);
        asking.answers.push((witness.id.clone(), known));
        keep_latest(&mut asking.answers);
    }

    /// Whether someone has spoken who was there in the last epoch.
    fn has_witness(&self) -> bool {
        let Some(asking) = &self.asking else { return false };
        // A place on a history, which several epochs may write, says nothing of the last of them.
        asking.answers.iter().any(|(_, known)| known.line == self.epoch)
    }

    /// Whether enough have spoken: all who could have written, or one who was there while the rest stay silent.
    fn may_open(&self, witness: &Witness) -> bool {
        let all = self.silent().next().is_none() || planted::on("silent-writer-not-waited-for");
        all || witness.waited && (self.has_witness() || planted::on("settles-without-witness"))
    }

    /// Returns the seal of an empty ledger that is filled with what was on a line until a revision. Whoever was there knows
    /// nothing that is missing; who was there when it was empty knows nothing at all. The line is that on which the archive
    /// last saw the ledger, where it is known; the archive's history ends where the line does.
    pub(crate) fn restored(&self, history: &str, line: Option<&str>, end: u64) -> Seal {
        let mut seal = Seal { ended: self.ended.clone(), given_up: self.given_up.clone(), ..Seal::default() };
        if !self.epoch.is_empty() {
            seal.end(&self.epoch, 0);
        }
        [Some(history), line].into_iter().flatten().for_each(|line| seal.end(line, end));
        seal
    }

    /// Whether a history has ended since an epoch did, and with it every cursor that was given out in that epoch.
    fn has_renewed_since(&self, line: &str) -> bool {
        let Some(place) = self.ended.iter().rposition(|ended| ended.line == line) else { return false };
        // An epoch has a dash in its name, a history has none.
        self.ended.iter().skip(place + 1).any(|ended| !ended.line.contains('-'))
    }

    /// Begins an epoch for the server as it is now.
    fn open(&mut self, found: &Found, fresh: &str) {
        let asking = self.asking.take();
        self.writers
            .retain(|id| asking.iter().any(|asking| asking.answers.iter().any(|(spoke, _)| spoke == id)));
        self.roll = None;
        self.begin(found, fresh);
    }

    fn begin(&mut self, found: &Found, fresh: &str) {
        let before = std::mem::replace(&mut self.epoch, epoch(&found.replid, fresh));
        if !before.is_empty() {
            self.end(&before, found.head);
        }
        self.began = found.head;
    }

    fn end(&mut self, line: &str, end: u64) {
        self.ended.push(Ended { line: line.to_owned(), end });
        keep_latest(&mut self.ended);
    }

    fn register(&mut self, id: &str) {
        if !self.writers.iter().any(|writer| writer == id) {
            self.writers.push(id.to_owned());
            keep_latest(&mut self.writers);
        }
    }
}
