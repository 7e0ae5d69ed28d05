//! The right to act: one engine for a region, by a record that every commit of the engine expects as it last wrote it.
//!
//! Safety is in that version alone. An engine that was paused while another took the lease finds a conflict on it with
//! whatever it commits next, and steps down. Time only says who may try: a standby counts, by its own steady clock and
//! nobody else's, how long it has seen no renewal.

use std::time::Duration;

use fallow_api::status::Failure;
use fallow_domain::ids::Label;
use fallow_domain::standing::EngineLease;
use fallow_ledger::cause::Cause;
use fallow_ledger::record::{Record, lease_key};
use fallow_ledger::transact::{Order, Step, View, transact};
use fallow_ledger::{Revision, planted};
use fallow_live::Live;
use fallow_live::mutate::Mutation;
use jiff::{SignedDuration, Timestamp};

use super::by_engine;

/// How long a process that is told to stop tries to give its lease up. Without that, another takes over when it runs out.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(2);
/// The verb of every change of the lease.
const VERB: &str = "lease";

/// Who asks for the lease, for how long, and when.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) live: &'a Live,
    pub(super) holder: &'a Label,
    pub(super) life: Duration,
    /// What the clock shows.
    pub(super) at: Timestamp,
    /// How long it has run.
    pub(super) steady: Duration,
}

/// The lease as this engine holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    epoch: u64,
    /// The revision at which this engine wrote it last.
    revision: Revision,
    renew_at: Duration,
}

impl Asking<'_> {
    /// Takes the lease where it is nobody's, this engine's own, or still as it was at a revision at which it has stood for
    /// its life; `None` where it is another's.
    ///
    /// # Errors
    /// The store's troubles.
    pub(super) async fn take(&self, stood_at: Option<Revision>) -> Result<Option<Lease>, Failure> {
        self.write(|view| match held(view) {
            None => Some(1),
            // Nobody else has had it since.
            Some(last) if last.holder == *self.holder => Some(last.epoch),
            Some(last) if last.is_free() || stood_at == Some(view.revision(&lease_key())) => {
                Some(last.epoch + 1)
            }
            Some(_) => None,
        })
        .await
    }

    /// Renews the lease; `None` when it is no longer this engine's.
    ///
    /// # Errors
    /// The store's troubles.
    pub(super) async fn renew(&self, lease: &Lease) -> Result<Option<Lease>, Failure> {
        let renewed = self.write(|view| lease.is_in(view).then_some(lease.epoch)).await?;
        Ok(renewed.map(|renewed| Lease {
            revision: if planted::on("lease-stale") { lease.revision } else { renewed.revision },
            ..renewed
        }))
    }

    async fn write(
        &self,
        epoch: impl Fn(&View) -> Option<u64> + Send + Sync,
    ) -> Result<Option<Lease>, Failure> {
        let life = SignedDuration::try_from(self.life).unwrap_or(SignedDuration::MAX);
        let until = self.at.saturating_add(life).unwrap_or(Timestamp::MAX);
        let mutation = by_engine(VERB, self.at, None);
        let done = self.live.mutate(&mutation, vec![lease_key()], |view| {
            let Some(epoch) = epoch(view) else { return Ok(Step::Answer(0)) };
            let lease = EngineLease { holder: self.holder.clone(), epoch, until };
            let writes = vec![(lease_key(), Some(Record::Lease(lease)))];
            Ok(Step::Write { writes, answer: epoch })
        });
        let done = done.await?;
        // Counted from before it was asked for, so that it is renewed early rather than late.
        let renew_at = self.steady + self.life / 3;
        let lease = Lease { epoch: done.answer, revision: done.revision, renew_at };
        Ok((done.answer > 0).then_some(lease))
    }

    /// Gives the lease up where it is this engine's, so that the next takes over at once.
    pub(super) async fn give_up(&self) {
        if planted::on("lease-left") {
            return;
        }
        let Mutation { actor: by, at, .. } = by_engine(VERB, self.at, None);
        let cause = Cause {
            by,
            verb: VERB.to_owned(),
            at,
            request_id: None,
            traceparent: None,
            decided_at: None,
            denied: None,
        };
        let order = Order { request: None, cause, validate_only: false };
        // Not by way of the picture: its follower has been told to stop too.
        let given_up = transact(self.live.ledger(), self.live.picture(), order, vec![lease_key()], |view| {
            Ok::<_, std::convert::Infallible>(match held(view) {
                Some(last) if last.holder == *self.holder => {
                    let free = EngineLease { holder: Label::default(), epoch: last.epoch, until: self.at };
                    Step::Write { writes: vec![(lease_key(), Some(Record::Lease(free)))], answer: () }
                }
                Some(_) | None => Step::Answer(()),
            })
        });
        match tokio::time::timeout(GIVE_UP_WITHIN, given_up).await {
            Ok(Ok(_)) => tracing::info!("this engine has given its lease up"),
            Ok(Err(error)) => tracing::warn!(%error, "the engine's lease is left to run out"),
            Err(_) => tracing::warn!("the engine's lease is left to run out: the store did not answer"),
        }
    }
}

impl Lease {
    /// When it is to be renewed, by the clock's steady count: well before a standby would take it.
    pub(super) fn renew_at(&self) -> Duration {
        self.renew_at
    }

    /// Says whether what a commit read, and expects, is the lease as this engine wrote it last.
    pub(super) fn is_in(&self, view: &View) -> bool {
        view.revision(&lease_key()) == self.revision
    }

    /// Returns the revision from which on there is news for one who has seen another: a renewal alone is none.
    pub(super) fn past(&self, seen: Revision) -> Revision {
        if self.revision == seen.next() { self.revision } else { seen }
    }

    /// Counts the holders; a greater one came later.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// What a standby has seen of another's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vigil {
    life: Duration,
    /// The last renewal that it has seen, and how long its clock had run then.
    last: Option<(Revision, Duration)>,
}

/// What a standby may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chance {
    /// Try to take the lease: nobody's, or this engine's own, or, where a revision is named, as it was then.
    Now(Option<Revision>),
    /// Look again when its clock has run for so long, or when the lease changes.
    At(Duration),
}

impl Vigil {
    /// Begins to watch: what was before does not count.
    pub(super) fn new(life: Duration) -> Self {
        Self { life, last: None }
    }

    /// Looks at the lease as the picture shows it when the standby's clock has run for `steady`.
    pub(super) fn look(
        &mut self,
        shown: Option<(Revision, &EngineLease)>,
        holder: &Label,
        steady: Duration,
    ) -> Chance {
        let of_another = shown.filter(|(_, lease)| !lease.is_free() && lease.holder != *holder);
        let Some((revision, _)) = of_another else { return Chance::Now(None) };
        if planted::on("lease-taken-at-once") {
            return Chance::Now(Some(revision));
        }
        let since = match self.last {
            Some((seen, since)) if seen == revision => since,
            Some(_) | None => steady,
        };
        self.last = Some((revision, since));
        let runs_out = since.saturating_add(self.life);
        if steady >= runs_out { Chance::Now(Some(revision)) } else { Chance::At(runs_out) }
    }
}

fn held(view: &View) -> Option<&EngineLease> {
    match view.get(&lease_key()) {
        Some(Record::Lease(lease)) => Some(lease),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(5);

    fn lease(holder: &str) -> EngineLease {
        EngineLease { holder: Label::parse(holder).unwrap(), epoch: 3, until: Timestamp::UNIX_EPOCH }
    }

    /// Looks at a lease as it is at some steps: revision, holder, and seconds that the clock has run.
    fn look(vigil: &mut Vigil, revision: u64, holder: &str, seconds: u64) -> Chance {
        let own = Label::parse("own").unwrap();
        vigil.look(Some((Revision(revision), &lease(holder))), &own, Duration::from_secs(seconds))
    }

    #[test]
    fn a_standby_counts_from_the_renewal_that_it_saw_last() {
        let mut vigil = Vigil::new(LIFE);
        let at = |seconds| Chance::At(Duration::from_secs(seconds));
        // It was there before; how long, nobody knows.
        assert_eq!(look(&mut vigil, 7, "other", 100), at(105));
        assert_eq!(look(&mut vigil, 7, "other", 104), at(105));
        assert_eq!(look(&mut vigil, 9, "other", 104), at(109));
        assert_eq!(look(&mut vigil, 9, "third", 108), at(109));
        assert_eq!(look(&mut vigil, 9, "other", 109), Chance::Now(Some(Revision(9))));
        assert_eq!(look(&mut vigil, 12, "other", 200), at(205), "renewed, however late");
    }

    #[test]
    fn what_is_nobodys_or_its_own_needs_no_wait() {
        let mut vigil = Vigil::new(LIFE);
        let own = Label::parse("own").unwrap();
        assert_eq!(vigil.look(None, &own, Duration::ZERO), Chance::Now(None));
        assert_eq!(look(&mut vigil, 7, "", 0), Chance::Now(None));
        assert_eq!(look(&mut vigil, 7, "own", 0), Chance::Now(None));
    }
}
