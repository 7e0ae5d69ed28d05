use jiff::SignedDuration;

use super::*;
use crate::offer::{Suspension, Window};
use crate::region::file;
use crate::test_world::*;

/// Monday 23 November 2026, 08:00.
fn now() -> Timestamp {
    monday()
}

fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

fn region() -> Region {
    file::parse(
        "[region]\nid = \"Y62\"\nname = \"R\"\n[[trust]]\nods = \"ZA1\"\nname = \"One\"\nrelease_weeks = 5\n\
         [[trust]]\nods = \"ZA2\"\nname = \"Two\"\n",
    )
    .unwrap()
}

/// A session of 240 minutes of ZA1 that starts so long from now and was released so long before its start.
fn session(id: &str, starts: SignedDuration, released_before: SignedDuration) -> Offer {
    let from = now() + starts;
    let mut offer = World::with(240, 0, 1).offer("o-1").clone();
    offer.id = offer_id(&id.replace(' ', "-"));
    offer.resource = resource(ResourceKind::Theatre, "MAIN");
    offer.window = Window { from: Some(from), until: from + minutes(240) };
    offer.release_at = Some(from - released_before);
    offer
}

/// Agrees 90 minutes of a session for ZA2.
fn agreed(records: &mut Records, id: &str, session: &str, state: TransferState) {
    let mut world = World::with(5, 1, 2);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    let transfer = crate::transfer::Transfer {
        id: transfer_id(id),
        offer: offer_id(session),
        resource: resource(ResourceKind::Theatre, "MAIN"),
        minutes_or_units_committed: 90.into(),
        state,
        ..world.transfer("t-p-1").clone()
    };
    records.put_transfer(transfer);
}

fn strip(records: &Records) -> Table {
    theatres(records, &region(), &TimeZone::UTC, (now() - COUNTED, now()), &|_| true)
}

fn of(sessions: impl IntoIterator<Item = Offer>) -> Records {
    let mut records = Records::default();
    sessions.into_iter().for_each(|session| records.put_offer(session));
    records
}

fn values<'a>(table: &'a Table, name: &str) -> (&'a [f64], &'a str) {
    let row = table.rows.iter().find(|row| row.name == name).unwrap();
    (&row.values, &row.note)
}

#[test]
fn six_weeks_from_monday_are_shown_session_by_session() {
    let mut records = of([
        session("far", days(44), days(35)),
        session("tomorrow", days(1), days(35)),
        session("thursday", days(3), days(35)),
        session("sunday", days(6), days(35)),
        session("next monday", days(7), days(35)),
        session("last week of the strip", days(40), days(35)),
    ]);
    agreed(&mut records, "t", "thursday", TransferState::Planned);
    let mut held = session("sunday", days(6), days(35));
    held.figures.held = 90.into();
    records.put_offer(held);
    let table = strip(&records);
    let names: Vec<&str> = table.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ZA1, week of 23 Nov",
            "ZA1, week of 30 Nov",
            "ZA1, week of 7 Dec",
            "ZA1, week of 14 Dec",
            "ZA1, week of 21 Dec",
            "ZA1, week of 28 Dec",
            "ZA1, begun"
        ]
    );
    let [free, agreed, lost] = [240.0 + 150.0 + 240.0, 90.0, 0.0];
    assert_eq!(
        values(&table, "ZA1, week of 23 Nov"),
        (&[3.0, 0.0, 1.0, 1.0, 1.0, 0.0, free, agreed, lost][..], ".=h")
    );
    assert_eq!(values(&table, "ZA1, week of 30 Nov").1, ".");
    // Five weeks before its day have not come: it is the trust's own still.
    assert_eq!(
        values(&table, "ZA1, week of 28 Dec"),
        (&[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0][..], "#")
    );
    assert_eq!(values(&table, "ZA1, begun").1, "Sessions are released 5 weeks before their day");
}

#[test]
fn minutes_are_found_for_others_and_lost_to_everybody_once_a_session_has_begun() {
    let ended =
        |id: &str, state: OfferState, release: i64| Offer { state, ..session(id, -days(2), days(release)) };
    let mut used = ended("used", OfferState::Expired, 35);
    used.figures.occupied = 90.into();
    let mut records = of([
        used,
        ended("unused", OfferState::Expired, 35),
        ended("never released", OfferState::Expired, -1),
        ended("taken back", OfferState::Withdrawn, 35),
        Offer { state: OfferState::Open, ..session("under way", -minutes(60), days(35)) },
    ]);
    agreed(&mut records, "t", "used", TransferState::Completed);
    agreed(&mut records, "called-off", "unused", TransferState::Aborted);
    let table = strip(&records);
    // Lost: 150 of the one that was used, and 240 each of the unused one and the one under way.
    let expected = [5.0, 1.0, 2.0, 0.0, 1.0, 1.0, 0.0, 90.0, 630.0];
    assert_eq!(values(&table, "ZA1, begun").0, expected);
    assert!(table.notes[0].contains("90 minutes were found for others and 630 were lost"), "{table:?}");
}

#[test]
fn a_paused_session_loses_nothing_and_one_of_before_the_period_is_not_counted() {
    let mut paused = Offer { state: OfferState::Suspended, ..session("paused", -minutes(60), days(35)) };
    paused.suspension = Some(Suspension { until: None, reason: note("no staff"), left_out: false });
    let before = Offer { state: OfferState::Expired, ..session("before", -days(29), days(35)) };
    let table = strip(&of([paused, before]));
    assert_eq!(values(&table, "ZA1, begun").0, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_trust_that_is_not_seen_and_beds_are_not_shown() {
    let records = of([session("one", days(1), days(35))]);
    let sees = |trust: TrustCode| trust.as_str() != "ZA1";
    let table = theatres(&records, &region(), &TimeZone::UTC, (now() - COUNTED, now()), &sees);
    assert!(table.rows.is_empty(), "{table:?}");
    assert!(strip(&World::with(5, 1, 2).records).rows.is_empty());
}

#[test]
fn weeks_begin_on_mondays_in_the_regions_time() {
    // Monday 00:30 where the region is, Sunday by the clock of the world.
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let at: Timestamp = "2026-06-14T23:30:00Z".parse().unwrap();
    let first = weeks(&at.to_zoned(zone)).into_iter().next().unwrap();
    assert_eq!(first.strftime("%-d %b %H:%M").to_string(), "15 Jun 00:00");
}
