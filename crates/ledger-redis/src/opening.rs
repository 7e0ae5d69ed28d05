//! What an operator and the archive do about a ledger that is closed: see how it stands, speak for it, accept a loss.

use fallow_ledger::{Revision, Trouble};

use crate::presence::{Look, fresh};
use crate::seal::{self, Acceptance, Found, Known, Seal, Standing, Witness};
use crate::settings::{Durability, ServerReport};
use crate::store::Store;
use crate::{RedisLedger, errors};

/// The name by which the archive speaks, its own for ever.
const ARCHIVE: &str = "the archive";

/// How a ledger stands, for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The ledger as it was found: replication id of the server, history, last revision, seal.
    pub found: Found,
    /// Whether it takes writes, and if not, why.
    pub standing: Standing,
    /// The highest revision that is known to be kept: the last where no replicas are asked for.
    pub kept: Revision,
    /// What the server is and how it is set.
    pub server: ServerReport,
    /// Why the server's settings forbid writing, where they do.
    pub refused: Option<Trouble>,
    /// What the deployment says of the server's durability.
    pub durability: Durability,
    /// How many replicas must hold a write.
    pub replicas: u32,
}

impl RedisLedger {
    /// Tells how the ledger stands, without speaking for it or making one where there is none.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], [`Trouble::Corrupt`].
    pub async fn status(&self) -> Result<Status, Trouble> {
        let store = &*self.store;
        let (server, verdict) = store.ask_server().await?;
        let Look { found, kept, .. } = store.look().await?;
        Ok(Status {
            standing: found.seal.standing(&found.replid),
            found,
            kept,
            server,
            refused: verdict.err(),
            durability: store.options.durability.clone(),
            replicas: store.options.replicas,
        })
    }

    /// Says whether the ledger takes writes, as far as this process knows: it was open when it was last looked at, and the
    /// server's settings allowed it. It is looked at every [`Options::look_every`](crate::Options::look_every).
    #[must_use]
    pub fn writes_ok(&self) -> bool {
        self.store.presence.is_open() && self.store.settings_allow().is_ok()
    }

    /// Speaks for the archive, which is no process and knows a place of an epoch, or at least of a history. Gives how the
    /// ledger stands then, its epoch, and the highest revision that is known to be kept.
    ///
    /// A ledger that lacks the place is closed for good. One that waits may open by it, see [`seal::attest`].
    pub(crate) async fn speak_for_archive(
        &self,
        knows: Option<Known>,
    ) -> Result<(Standing, String, Revision), Trouble> {
        let store = &*self.store;
        let witness = Witness {
            id: ARCHIVE.to_owned(),
            knows,
            is_behind: !store.options.strict_archive,
            ..Witness::default()
        };
        store
            .change_seal(|look| {
                let waited = store.presence.has_waited(&look.found, store.options.settle);
                let ruling = seal::attest(&look.found, &Witness { waited, ..witness.clone() }, &fresh());
                let seal = ruling.seal.as_ref().unwrap_or(&look.found.seal);
                let answer = (ruling.standing, seal.epoch.clone(), look.kept);
                (ruling.seal, ruling.renews_history, answer)
            })
            .await
    }

    /// Begins to open a ledger that may have lost something, on a person's word. From now on this process alone can write,
    /// so that it ends what must not go on, until [`RedisLedger::loss_accepted`].
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`] when the ledger is open: there is no loss to accept. [`Trouble::Unavailable`],
    /// [`Trouble::Corrupt`].
    pub async fn accept_loss(&self, word: &Acceptance) -> Result<(), Trouble> {
        self.store.check_server().await?;
        let begun = self
            .store
            .change_seal(|look| match look.found.seal.standing(&look.found.replid) {
                Standing::Open => (None, false, None),
                Standing::Waiting(_) | Standing::Closed(_) => {
                    let seal = seal::accepting(&look.found, word.clone(), &fresh());
                    let epoch = seal.epoch.clone();
                    (Some(seal), true, Some((epoch, look.found.head)))
                }
            })
            .await?;
        let Some((epoch, head)) = begun else {
            let detail = "the ledger is open: there is no loss to accept".to_owned();
            return Err(Trouble::Misconfigured { detail });
        };
        self.store.presence.begin(epoch, head);
        Ok(())
    }

    /// Opens the ledger for all after [`RedisLedger::accept_loss`].
    ///
    /// # Errors
    /// [`Trouble::Sealed`] when the ledger changed meanwhile: begin again. [`Trouble::Unavailable`], [`Trouble::Corrupt`].
    pub async fn loss_accepted(&self) -> Result<(), Trouble> {
        let (epoch, _) = self.store.presence.place();
        let done = self
            .store
            .change_seal(|look| {
                let ours = look.found.seal.accepting.is_some() && look.found.seal.epoch == epoch;
                (ours.then(|| seal::accepted(&look.found.seal)), false, ours)
            })
            .await?;
        match done {
            true => Ok(()),
            false => Err(Trouble::Sealed { detail: "the ledger changed meanwhile: begin again".to_owned() }),
        }
    }
}

impl Store {
    /// Changes the seal by a decision on what is found, taken again when others were faster.
    async fn change_seal<T>(&self, decide: impl Fn(&Look) -> (Option<Seal>, bool, T)) -> Result<T, Trouble> {
        for _ in 0..crate::presence::ATTEMPTS {
            let look = self.look().await?;
            if !look.found.seal.is_of(&look.found.replid) {
                self.shed_torn_end().await?;
            }
            let (seal, renews_history, answer) = decide(&look);
            let done = match seal {
                Some(seal) => self.set_seal(&look, &seal, renews_history).await?,
                None => true,
            };
            if done {
                return Ok(answer);
            }
        }
        Err(errors::overtaken())
    }
}
