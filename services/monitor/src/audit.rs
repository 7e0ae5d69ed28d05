//! The audit trail: who did what, and who was denied what, read from the log itself, newest first.
//!
//! A trust reads its own: what its people and systems did or were denied, and what others did to its records. Whoever
//! acted for another trust is a role there and not a person, and a record is named only where its reader may know it.

use std::collections::BTreeMap;
use std::time::Duration;

use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{Check, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::actor::Role;
use fallow_domain::ids::TrustCode;
use fallow_domain::monitor::kept::Kept;
use fallow_ledger::cause::Cause;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::{Change, Cursor, Key, Ledger, Revision, Trouble};
use fallow_live::RETRY_AFTER;
use fallow_live::call::Call;
use fallow_live::mutate::trouble_failure;
use fallow_live::visibility::Viewer;
use jiff::Timestamp;

use crate::chronicle::{may_see_action, may_see_alert};

/// Changes that one call looks at.
const LOOKED_AT_MAX: u64 = 1_000;
/// Changes that are read at once.
const BLOCK: u64 = 100;
/// How long a page waits for a picture that is behind its token.
const CATCH_UP: Duration = Duration::from_secs(2);
/// Records that one entry names.
const NAMED_MAX: usize = 100;

/// How much of the trail somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// What concerns a trust, with the names of its own people.
    Own(TrustCode),
    /// All of it.
    Whole,
    /// All of it, without persons, requests and records.
    Metadata,
    /// How often, and nothing else.
    Totals,
}

impl Sight {
    fn of(call: &Call) -> Result<Self, Failure> {
        match call.actor.role {
            Role::TrustSystem | Role::SiteLead => call.own_trust().map(Self::Own),
            Role::Auditor => Ok(Self::Whole),
            Role::PlatformAdmin => Ok(Self::Metadata),
            Role::Gold => Ok(Self::Totals),
            Role::BedManager
            | Role::Coordinator
            | Role::Icb
            | Role::LeadProvider
            | Role::Engine
            | Role::Console => Err(Failure::Forbidden {
                reason: reasons::ROLE_FORBIDS,
                text: format!("the role {} reads no audit trail", call.actor.role),
            }),
        }
    }
}

/// What is asked for.
struct Filter {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    denied: bool,
    /// Whose trail; `None` = everybody's.
    trust: Option<TrustCode>,
}

/// Lists a page of the audit trail.
///
/// # Errors
/// Violations of the request; `TRUST_MISMATCH`; [`Failure::NotReady`]; the store's troubles.
pub(crate) async fn list(
    call: &Call,
    request: &v1::ListAuditRequest,
) -> Result<v1::ListAuditResponse, Failure> {
    let sight = Sight::of(call)?;
    let filter = parse(sight, request)?;
    let query = format!(
        "ListAudit {:?} {:?} {:?} {:?} {} {:?}",
        call.actor.role, call.actor.trust, request.from, request.until, filter.denied, filter.trust
    );
    let page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let place = Revision(u64::try_from(page.skip).unwrap_or(u64::MAX));
    if let Some(of) = &page.of {
        call.live.stands_at(of).await?;
    }
    let now = reaching(call.live.picture(), place).await?;
    let mut reader = Reader { viewer: call.viewer(), sight, filter: &filter, found: Found::default() };
    // A page goes on below the revision that its token names; the first one begins at the newest.
    let mut below = if place == Revision::ABSENT { now.revision().next() } else { place };
    let last = Revision(below.0.saturating_sub(LOOKED_AT_MAX));
    let mut is_over = false;
    while !is_over && below > last && below > Revision(1) {
        let block = block_below(call.live.ledger(), &now, below).await.map_err(trouble_failure)?;
        // What is no longer in the store's log is in the archive, but only what is oldest goes there.
        is_over = block.is_empty();
        if is_over && !is_kept(call.live.ledger(), &now).await.map_err(trouble_failure)? {
            return Err(not_ready());
        }
        let mut is_all_before = true;
        for change in block.iter().rev() {
            if reader.found.entries.len() >= page.size {
                break;
            }
            is_all_before &= reader.take(change);
            below = change.revision;
        }
        if reader.found.entries.len() >= page.size {
            break;
        }
        // Clocks differ by less than a block of changes takes.
        is_over |= is_all_before;
    }
    let is_last = is_over || below <= Revision(1);
    let next_page_token = if is_last {
        String::new()
    } else {
        // What is below is of this history; how far the picture is by now, a copy that is behind need not be.
        let of = now.at(Revision(below.0.saturating_sub(1)));
        call.live.pages().token(usize::try_from(below.0).unwrap_or(usize::MAX), Some(&of), &query)
    };
    let Found { entries, totals } = reader.found;
    let totals = totals.into_iter().map(|((trust, role, call, denied), times)| v1::AuditTotal {
        trust,
        role,
        call,
        denied,
        times: number_to_wire(times),
    });
    Ok(v1::ListAuditResponse {
        entries,
        next_page_token,
        revision: number_to_wire(now.revision().0),
        totals: totals.collect(),
    })
}

fn parse(sight: Sight, request: &v1::ListAuditRequest) -> Result<Filter, Failure> {
    let mut check = Check::new("");
    let named = match request.trust.as_str() {
        "" => None,
        code => check.ods::<TrustCode>("trust", code),
    };
    let filter = Filter {
        from: check.time("from", request.from.as_ref()),
        until: check.time("until", request.until.as_ref()),
        denied: request.denied,
        trust: named,
    };
    let filter = check.finish(Some(filter))?;
    match sight {
        Sight::Own(own) if filter.trust.is_some_and(|named| named != own) => Err(Failure::Forbidden {
            reason: reasons::TRUST_MISMATCH,
            text: format!("the audit trail of another trust than {own} is not yours to read"),
        }),
        Sight::Own(own) => Ok(Filter { trust: Some(own), ..filter }),
        Sight::Whole | Sight::Metadata | Sight::Totals => Ok(filter),
    }
}

fn not_ready() -> Failure {
    Failure::NotReady { retry_after: RETRY_AFTER }
}

/// Returns where a picture is, once it knows what comes below a place: a token may have been given by a copy whose picture
/// was ahead of this one's.
async fn reaching(picture: &Picture, place: Revision) -> Result<Cursor, Failure> {
    if !picture.reached(Revision(place.0.saturating_sub(1)), CATCH_UP).await {
        return Err(not_ready());
    }
    picture.still().cursor().cloned().ok_or_else(not_ready)
}

/// Says whether the log still has the change at which the picture is. Where it has not, the picture is of another log than
/// the ledger's, or ahead of it, and what the ledger does not have says nothing of where the log begins.
async fn is_kept(ledger: &dyn Ledger, now: &Cursor) -> Result<bool, Trouble> {
    let before = now.at(Revision(now.revision().0.saturating_sub(1)));
    match ledger.changes(&before, 1, Duration::ZERO).await {
        Ok(page) => Ok(!page.changes.is_empty()),
        Err(Trouble::CursorGone) => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

/// Reads the newest changes below a revision, oldest first; none when they are no longer kept.
async fn block_below(ledger: &dyn Ledger, now: &Cursor, below: Revision) -> Result<Vec<Change>, Trouble> {
    let last = Revision(below.0.saturating_sub(1));
    let mut wanted = BLOCK.min(last.0);
    while wanted > 0 {
        let mut cursor = now.at(Revision(last.0 - wanted));
        let mut block = Vec::new();
        while cursor.revision() < last {
            let left = usize::try_from(last.0 - cursor.revision().0).unwrap_or(usize::MAX);
            let page = match ledger.changes(&cursor, left, Duration::ZERO).await {
                // Where the log begins is not known: look for it nearer by.
                Err(Trouble::CursorGone) => break,
                other => other?,
            };
            if page.changes.is_empty() {
                break;
            }
            cursor = page.cursor;
            block.extend(page.changes);
        }
        if cursor.revision() == last {
            return Ok(block);
        }
        wanted /= 2;
    }
    Ok(Vec::new())
}

/// Returns when something was done or denied: what was denied is dated in the log when it was written.
fn when(cause: &Cause) -> Timestamp {
    cause.denied.as_ref().and_then(|denied| denied.at).unwrap_or(cause.at)
}

/// What was found, by trust, role, call and reason where it was denied.
type Totals = BTreeMap<(String, String, String, String), u64>;

#[derive(Default)]
struct Found {
    entries: Vec<v1::AuditEntry>,
    totals: Totals,
}

struct Reader<'a> {
    viewer: Viewer<'a>,
    sight: Sight,
    filter: &'a Filter,
    found: Found,
}

impl Reader<'_> {
    /// Takes a change, when it is one of those asked for. Says whether it was before them.
    fn take(&mut self, change: &Change) -> bool {
        let Some(cause) = Cause::decode(&change.cause) else { return false };
        let at = when(&cause);
        if self.filter.from.is_some_and(|from| at < from) {
            // What was denied is written later, and says nothing of what is before it in the log.
            return self.filter.from.is_some_and(|from| cause.at < from);
        }
        let is_after = self.filter.until.is_some_and(|until| at > until);
        if is_after || (self.filter.denied && cause.denied.is_none()) {
            return false;
        }
        let known = self.known(change);
        let is_concerned = |trust: TrustCode| {
            cause.by.trust == Some(trust) || known.iter().any(|(_, trusts)| trusts.contains(&trust))
        };
        if !self.filter.trust.is_none_or(is_concerned) {
            return false;
        }
        let entry = self.entry(change.revision, &cause, &known);
        let total = (entry.trust.clone(), entry.role.clone(), entry.call.clone(), entry.denied.clone());
        *self.found.totals.entry(total).or_default() += u64::try_from(entry.times).unwrap_or_default();
        match self.sight {
            Sight::Own(_) | Sight::Whole | Sight::Metadata => self.found.entries.push(entry),
            Sight::Totals => {}
        }
        false
    }

    /// Returns the records of a change that the reader may know, and whose they are. What is deleted says no more whose it
    /// was: only who reads everything knows it. Whose a record is, is found out only where a trust is asked for: it costs
    /// the reading of the record.
    fn known<'c>(&self, change: &'c Change) -> Vec<(&'c Key, Vec<TrustCode>)> {
        let is_asked_whose = self.filter.trust.is_some();
        let known = change.writes.iter().filter_map(|(key, body)| {
            let body = body.as_ref().filter(|_| is_asked_whose);
            let record = body.and_then(|body| Record::decode(key.kind, body).ok());
            let may_know = match self.sight {
                Sight::Own(own) => record.as_ref().is_some_and(|record| self.is_of(own, record)),
                Sight::Whole | Sight::Metadata | Sight::Totals => true,
            };
            may_know.then(|| (key, record.map(|record| record.trusts()).unwrap_or_default()))
        });
        known.collect()
    }

    fn is_of(&self, own: TrustCode, record: &Record) -> bool {
        record.trusts().contains(&own)
            && match record {
                Record::Monitor(kept) => match &**kept {
                    Kept::Alert(alert) => may_see_alert(&self.viewer, alert),
                    Kept::Action(action) => may_see_action(&self.viewer, action),
                    Kept::Decision(_) | Kept::SignOff(_) | Kept::Rollup(_) | Kept::Position(_) => false,
                },
                Record::Offer(_)
                | Record::Need(_)
                | Record::Proposal(_)
                | Record::Transfer(_)
                | Record::Trust(_)
                | Record::Feed(_)
                | Record::Region(_)
                | Record::Lease(_)
                | Record::Claim(_)
                | Record::Decline(_)
                | Record::Session(_) => true,
            }
    }

    fn entry(&self, revision: Revision, cause: &Cause, known: &[(&Key, Vec<TrustCode>)]) -> v1::AuditEntry {
        let (names_people, names_records) = match self.sight {
            Sight::Own(own) => (cause.by.trust == Some(own), true),
            Sight::Whole => (true, true),
            Sight::Metadata | Sight::Totals => (false, false),
        };
        let known = if names_records { known } else { &[] };
        let (denied, times) =
            cause.denied.as_ref().map_or((String::new(), 1), |denied| (denied.reason.clone(), denied.times));
        v1::AuditEntry {
            revision: number_to_wire(revision.0),
            at: Some(time::to_wire(when(cause))),
            call: cause.verb.clone(),
            subject: if names_people { cause.by.subject.to_string() } else { String::new() },
            role: cause.by.role.to_string(),
            trust: cause.by.trust.map(|trust| trust.to_string()).unwrap_or_default(),
            request_id: cause.request_id.clone().filter(|_| names_people).unwrap_or_default(),
            denied,
            times: number_to_wire(times),
            records: known.iter().take(NAMED_MAX).map(|(key, _)| key.to_string()).collect(),
            records_count: i64::try_from(known.len()).unwrap_or(i64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fallow_ledger::follow::follow;
    use fallow_ledger::{Commit, MemoryLedger};

    use super::*;

    async fn ledger(changes: usize) -> (MemoryLedger, Cursor) {
        let ledger = MemoryLedger::new();
        for _ in 0..changes {
            ledger.commit(Commit::new(Timestamp::UNIX_EPOCH)).await.unwrap();
        }
        let (_, now) = ledger.snapshot().await.unwrap();
        (ledger, now)
    }

    #[tokio::test]
    async fn what_the_archive_has_is_told_from_what_the_ledger_does_not_know() {
        let (ledger, now) = ledger(10).await;
        ledger.forget_changes(Revision(8));
        assert_eq!(block_below(&ledger, &now, Revision(11)).await.unwrap().len(), 2);
        assert_eq!(block_below(&ledger, &now, Revision(9)).await.unwrap(), []);
        assert!(is_kept(&ledger, &now).await.unwrap(), "only what is oldest is gone");
        let another = Cursor::new("another".into(), now.revision());
        assert!(!is_kept(&ledger, &another).await.unwrap());
        assert!(!is_kept(&ledger, &now.at(Revision(11))).await.unwrap(), "ahead of the ledger by one");
        assert!(!is_kept(&ledger, &now.at(Revision(50))).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_behind_its_token_is_waited_for() {
        let (ledger, _) = ledger(10).await;
        let (ledger, picture) = (Arc::new(ledger), Arc::new(Picture::default()));
        let asking = async {
            assert_eq!(reaching(&picture, Revision(11)).await.unwrap().revision(), Revision(10));
            let behind = reaching(&picture, Revision(12)).await;
            assert!(matches!(behind, Err(Failure::NotReady { .. })), "{behind:?}");
        };
        tokio::select! {
            () = follow(ledger, picture.clone()) => panic!("the follower ended"),
            () = asking => {}
        }
    }
}
