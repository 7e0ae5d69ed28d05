//! The theatres of each trust by its own rhythm: six weeks to come, session by session, and the minutes that were found
//! and lost.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::report::{Row, Table, number};
use crate::ids::{OfferId, TrustCode};
use crate::matching::giving::COUNTED;
use crate::offer::{Offer, OfferState};
use crate::records::Records;
use crate::region::Region;
use crate::resource::ResourceKind;
use crate::transfer::TransferState;

/// How many weeks the strip has, this one among them.
pub const WEEKS: i64 = 6;

/// What has become of a session that a trust said it does not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The trust's own still, for its release week has not come; or it used all of it itself.
    Ours,
    /// Released, and nothing of it is held or agreed.
    Offered,
    /// Something of it is held for a proposal.
    Held,
    /// Something of it is agreed for another trust's cases.
    Used,
    /// Taken back or paused.
    Closed,
}

impl Fate {
    const ALL: [Self; 5] = [Self::Ours, Self::Offered, Self::Held, Self::Used, Self::Closed];

    const fn letter(self) -> char {
        match self {
            Self::Ours => '#',
            Self::Offered => '.',
            Self::Held => 'h',
            Self::Used => '=',
            Self::Closed => '-',
        }
    }
}

/// One session.
struct Session {
    start: Timestamp,
    fate: Fate,
    /// Minutes that others may still have.
    free: u64,
    /// Minutes agreed for other trusts' cases.
    found: u64,
    /// Minutes that were on offer and unused when it began: a session is no bed, in which somebody can be placed while it
    /// lasts ([`ResourceKind::is_open_while_it_lasts`]).
    lost: u64,
}

impl Session {
    /// Reads a session as it is at a time, with the minutes of it that were agreed; `None` of an offer that is none.
    fn of(offer: &Offer, found: u64, at: Timestamp) -> Option<Self> {
        let start = offer.window.from.filter(|_| offer.resource.kind == ResourceKind::Theatre)?;
        let has_begun = start <= at;
        let is_released = offer.release_at.is_none_or(|release| release <= start.min(at));
        let fate = match offer.state {
            OfferState::Open | OfferState::Expired | OfferState::Suspended | OfferState::Closed
                if found > 0 =>
            {
                Fate::Used
            }
            OfferState::Suspended | OfferState::Withdrawn => Fate::Closed,
            OfferState::Closed => Fate::Ours,
            OfferState::Open | OfferState::Expired if !is_released => Fate::Ours,
            OfferState::Open if !offer.figures.held.is_zero() => Fate::Held,
            OfferState::Open | OfferState::Expired => Fate::Offered,
        };
        let is_on_offer = is_released
            && match offer.state {
                OfferState::Open | OfferState::Expired => true,
                OfferState::Suspended | OfferState::Closed | OfferState::Withdrawn => false,
            };
        let left = if is_on_offer { u64::from(offer.figures.free().get()) } else { 0 };
        let (free, lost) = if has_begun { (0, left) } else { (left, 0) };
        Some(Self { start, fate, free, found, lost })
    }
}

/// Returns the strip: of each trust that is seen and has sessions, one row for each of the six weeks from this one on, with
/// the sessions that are still to begin, and one for those that began from `from` until now.
///
/// It looks back no further than [`COUNTED`], for so long sessions are kept. Weeks begin on Mondays in the region's time.
#[must_use]
pub fn theatres(
    records: &Records,
    region: &Region,
    zone: &TimeZone,
    (from, at): (Timestamp, Timestamp),
    sees: &dyn Fn(TrustCode) -> bool,
) -> Table {
    let found = found(records);
    let mut by_trust: BTreeMap<TrustCode, Vec<Session>> = BTreeMap::new();
    for offer in records.offers.values().filter(|offer| sees(offer.trust)) {
        let minutes = found.get(&offer.id).copied().unwrap_or(0);
        by_trust.entry(offer.trust).or_default().extend(Session::of(offer, minutes, at));
    }
    let weeks = weeks(&at.to_zoned(zone.clone()));
    let earliest = at.saturating_sub(COUNTED).unwrap_or(Timestamp::MIN).max(from);
    let mut rows = Vec::new();
    let (mut all_found, mut all_lost) = (0, 0);
    for (trust, mut sessions) in by_trust.into_iter().filter(|(_, sessions)| !sessions.is_empty()) {
        sessions.sort_by_key(|session| session.start);
        for (monday, next) in weeks.iter().zip(weeks.iter().skip(1)) {
            let begins = |session: &&Session| {
                session.start > at && session.start >= monday.timestamp() && session.start < next.timestamp()
            };
            let of_week: Vec<&Session> = sessions.iter().filter(begins).collect();
            let strip = of_week.iter().map(|session| session.fate.letter()).collect();
            rows.push(row(format!("{trust}, week of {}", monday.strftime("%-d %b")), &of_week, strip));
        }
        let has_begun = |session: &&Session| session.start > earliest && session.start <= at;
        let begun: Vec<&Session> = sessions.iter().filter(has_begun).collect();
        all_found += begun.iter().map(|session| session.found).sum::<u64>();
        all_lost += begun.iter().map(|session| session.lost).sum::<u64>();
        let weeks = region.trusts.get(&trust).and_then(|trust| trust.release_weeks);
        let rhythm = weeks.map_or_else(
            || "No release week: a session is offered as soon as it is published".to_owned(),
            |weeks| format!("Sessions are released {weeks} weeks before their day"),
        );
        rows.push(row(format!("{trust}, begun"), &begun, rhythm));
    }
    Table {
        columns: [
            "trust and week",
            "sessions",
            "ours",
            "offered",
            "held",
            "used",
            "closed",
            "minutes free",
            "minutes found",
            "minutes lost at the start",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
        notes: vec![
            format!(
                "Of sessions that have begun, {all_found} minutes were found for others and {all_lost} were lost: \
                 nobody can be placed in a session once it has begun."
            ),
            "Each sign is a session: # ours, . offered, h held, = used, - closed.".to_owned(),
        ],
    }
}

/// Minutes of each session that were agreed for other trusts' cases and not called off.
fn found(records: &Records) -> BTreeMap<&OfferId, u64> {
    let mut found: BTreeMap<&OfferId, u64> = BTreeMap::new();
    let theatre = records.transfers.values().filter(|one| one.resource.kind == ResourceKind::Theatre);
    for transfer in theatre.filter(|one| one.state != TransferState::Aborted) {
        *found.entry(&transfer.offer).or_default() += u64::from(transfer.minutes_or_units_committed.get());
    }
    found
}

/// Returns the Mondays of the weeks of the strip, and the one after them.
fn weeks(now: &Zoned) -> Vec<Zoned> {
    let back = i64::from(now.weekday().to_monday_zero_offset());
    let monday = now.start_of_day().and_then(|day| day.checked_sub(back.days()));
    let monday = monday.unwrap_or_else(|_| now.clone());
    (0..=WEEKS).filter_map(|week| monday.checked_add(week.weeks()).ok()).collect()
}

fn row(name: String, sessions: &[&Session], note: String) -> Row {
    let counts = Fate::ALL.map(|fate| sessions.iter().filter(|one| one.fate == fate).count());
    let minutes = |of: fn(&Session) -> u64| sessions.iter().map(|one| of(one)).sum::<u64>();
    let minutes = [minutes(|one| one.free), minutes(|one| one.found), minutes(|one| one.lost)];
    let counts = std::iter::once(sessions.len()).chain(counts).map(|n| u64::try_from(n).unwrap_or(u64::MAX));
    Row { name, values: counts.chain(minutes).map(number).collect(), note }
}

#[cfg(test)]
#[path = "theatres_tests.rs"]
mod tests;
