//! What gold looks at over time: alerts, a week of hours, reports, what happened, and the situation report.

use fallow_api::v1::*;
use jiff::{SignedDuration, Timestamp};
use tonic::Status;

use super::Records;

/// What the monitor keeps.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) alerts: Vec<Alert>,
    pub(crate) timeline: Vec<TimelineEntry>,
    /// Who signed a report, by its time in seconds.
    pub(crate) signed: Vec<(i64, String)>,
}

/// How far back the timeline is held: to half past six in the morning.
pub(crate) const HELD_MINUTES: i64 = 8 * 60;

fn wire(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

pub(crate) fn ago(now: Timestamp, minutes: i64) -> Option<prost_types::Timestamp> {
    Some(wire(now.saturating_sub(SignedDuration::from_mins(minutes)).expect("a time")))
}

/// What was kept by a winter Tuesday at half past two.
pub(crate) fn winter_tuesday(now: Timestamp) -> Kept {
    let alert = |id: &str, rule: &str, text: &str, trusts: &[&str], minutes| Alert {
        id: id.to_owned(),
        rule: rule.to_owned(),
        text: text.to_owned(),
        trusts: trusts.iter().map(|trust| (*trust).to_owned()).collect(),
        state: alert::State::Raised.into(),
        raised_at: ago(now, minutes),
        revision: 90,
        ..Alert::default()
    };
    let silent = Alert {
        children: vec!["Brackwater Hospitals: pressure 4 of 4 for CT, \u{2212}6 spare.".to_owned()],
        state: alert::State::Taken.into(),
        owner: "gold".to_owned(),
        taken_at: ago(now, 10),
        rule_text: "A trust has been silent for more than 2 cadences".to_owned(),
        ..alert(
            "a-1",
            "feed_silent",
            "Brackwater Hospitals is silent. 11 offers are stale and not proposed.",
            &["ZA2"],
            14,
        )
    };
    let unserved =
        "Dunmere General Hospital: a need for General and acute, adult waits, and nothing is proposed.";
    let often = Alert {
        digest: true,
        ..alert("a-3", "region_net", "The region is short of CT: -2 in all.", &[], 40)
    };
    let over = Alert {
        state: alert::State::Closed.into(),
        owner: "site_lead ZA4".to_owned(),
        taken_at: ago(now, 170),
        closed_at: ago(now, 90),
        closed_by: "site_lead ZA4".to_owned(),
        cleared: true,
        cleared_at: ago(now, 60),
        rule_text: "Pressure 4 or more at a trust for 15 min".to_owned(),
        resource: Some(Resource {
            kind: ResourceKind::Bed.into(),
            code: "CC_ADULT".to_owned(),
            level: 3,
            ..Resource::default()
        }),
        note: "Rang the ward: two beds from 16:00.".to_owned(),
        ..alert(
            "a-4",
            "trust_pressure",
            "Dunmere General Hospital: pressure 4 of 4 for Level 3, -2 spare.",
            &["ZA4"],
            180,
        )
    };
    let entry = |id: &str, kind: TimelineKind, text: &str, minutes| TimelineEntry {
        id: id.to_owned(),
        at: ago(now, minutes),
        kind: kind.into(),
        text: text.to_owned(),
        ..TimelineEntry::default()
    };
    let decided = TimelineEntry {
        decision: Some(Decision {
            rationale: "Norovirus at Brackwater has closed two wards.".to_owned(),
            consulted: vec!["ICB duty director".to_owned(), "Calverleigh site lead".to_owned()],
            review_at: ago(now, -328),
            ..Decision::default()
        }),
        ..entry(
            "4-0",
            TimelineKind::Decision,
            "Gold decided: Open Calverleigh day unit to medical outliers until 20:00.",
            20,
        )
    };
    let of =
        |subject: &str, entry: TimelineEntry| TimelineEntry { subjects: vec![subject.to_owned()], ..entry };
    let timeline = vec![
        entry(
            "6-0",
            TimelineKind::Transfer,
            "Aldermoor University Hospitals and Dunmere General Hospital agreed: 1 \u{d7} adult critical care, level 3.",
            3,
        ),
        of(
            "a-1",
            entry("5-1", TimelineKind::Alert, "Gold command took it: Brackwater Hospitals is silent.", 10),
        ),
        of(
            "a-1",
            entry(
                "5-0",
                TimelineKind::Feed,
                "Brackwater Hospitals is silent. 11 offers are stale and not proposed.",
                14,
            ),
        ),
        decided,
        entry(
            "3-0",
            TimelineKind::Need,
            "Dunmere General Hospital needs 2 \u{d7} General and acute, adult.",
            41,
        ),
        entry("2-0", TimelineKind::Pressure, "Dunmere General Hospital declared OPEL 3.", 82),
    ];
    let alerts = vec![alert("a-2", "need_unserved", unserved, &["ZA4"], 2), silent, often, over];
    Kept { alerts, timeline, signed: Vec::new() }
}

impl Records {
    pub(crate) fn list_alerts(&self, states: &[i32], ids: &[String]) -> ListAlertsResponse {
        let usual = [alert::State::Raised.into(), alert::State::Taken.into()];
        let states = if states.is_empty() { &usual[..] } else { states };
        let fits = self.kept.alerts.iter().filter(|alert| match ids {
            [] => states.contains(&alert.state),
            ids => ids.contains(&alert.id),
        });
        ListAlertsResponse {
            alerts: fits.cloned().collect(),
            raised_24h: 7,
            per_day: 20,
            ..ListAlertsResponse::default()
        }
    }

    /// Changes an alert, as long as its revision is the one that was seen.
    pub(crate) fn change_alert(
        &mut self,
        (id, expected, request_id): (&str, Option<i64>, &str),
        change: impl FnOnce(&mut Alert),
    ) -> Result<Alert, Status> {
        let revision = self.bump(request_id);
        let found = self.kept.alerts.iter_mut().find(|alert| alert.id == id);
        let alert = found.ok_or_else(|| Status::not_found("no such alert"))?;
        super::expect(expected, alert.revision)?;
        change(alert);
        alert.revision = revision;
        Ok(alert.clone())
    }
}

/// A week of hours: open needs went up and down by a few, and have climbed since this morning.
pub(crate) fn trend(request: &GetTrendRequest, now: Timestamp) -> GetTrendResponse {
    let hours = 7 * 24_i32;
    let point = |hour: i32| {
        let is_late = request.measure() != Measure::Net && hour > hours - 6;
        let swing = [0, 2, -1, 3, -2, 1, -3, 2][usize::try_from(hour % 8).expect("small")];
        get_trend_response::Point {
            at: ago(now, i64::from(hours - hour) * 60),
            value: f64::from(30 + swing + if is_late { 14 } else { 0 }),
            special_cause: is_late,
        }
    };
    let sentence = if request.measure() == Measure::Net {
        "Nothing unusual."
    } else {
        "Above the usual range since 09:32: special cause."
    };
    GetTrendResponse {
        points: (0..=hours).map(point).collect(),
        mean: 30.5,
        upper: 41.2,
        lower: 19.8,
        sentence: sentence.to_owned(),
    }
}

/// A report of each kind.
pub(crate) fn report(kind: ReportKind, now: Timestamp) -> GetReportResponse {
    let columns: &[&str] = match kind {
        ReportKind::Unmet => {
            &["resource", "not due", "due within 1 h", "0-1 h over", "1-4 h over", "over 4 h over"]
        }
        ReportKind::Fairness => &[
            "supporting trust",
            "lent",
            "received",
            "net",
            "share of lending %",
            "share of what is staffed %",
            "to ZA1",
            "to ZA4",
        ],
        ReportKind::Equity => &[
            "deprivation decile",
            "raised",
            "agreed",
            "agreed of agreed and unmet %",
            "in time",
            "mean minutes to agreed",
            "unmet",
            "waiting now",
        ],
        ReportKind::Declines => &["reason", "all", "%", "supporting trust", "home trust", "nobody answered"],
        ReportKind::Outcomes => &["outcome", "count", "% of transfers agreed"],
        ReportKind::Theatres => &[
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
        ],
        ReportKind::Alerts | ReportKind::Unspecified => {
            &["rule", "fired 7 d", "acted on", "acted on %", "would have fired"]
        }
    };
    let rows: &[(&str, &[f64], &str)] = match kind {
        ReportKind::Unmet => &[
            ("BED/GA_ADULT", &[12.0, 4.0, 3.0, 1.0, 0.0], "too far 44%, age or sex 21%"),
            ("BED/CC_ADULT/3", &[2.0, 1.0, 1.0, 0.0, 0.0], "no capacity 100%"),
            ("THEATRE/MAIN", &[21.0, 0.0, 0.0, 0.0, 0.0], "team missing 38%, too short 30%"),
            ("DIAGNOSTIC/MRI", &[9.0, 0.0, 0.0, 0.0, 2.0], "stale 50%"),
        ],
        ReportKind::Fairness => &[
            ("ZA1, beds", &[15.0, 7.0, 8.0, 31.0, 27.0, 0.0, 5.0], "Aldermoor"),
            ("ZA4, beds", &[4.0, 13.0, -9.0, 8.0, 19.0, 1.0, 0.0], "Dunmere"),
            ("ZA1, theatre cases", &[6.0, 0.0, 6.0, 100.0, 44.0, 0.0, 6.0], "Aldermoor"),
            ("ZA4, theatre cases", &[0.0, 6.0, -6.0, 0.0, 12.0, 0.0, 0.0], "Dunmere"),
        ],
        ReportKind::Equity => &[
            ("1, most deprived", &[30.0, 24.0, 80.0, 20.0, 24.0, 3.0, 3.0], ""),
            ("2", &[21.0, 18.0, 85.7, 17.0, 19.0, 1.0, 2.0], ""),
            ("10, least deprived", &[12.0, 11.0, 91.7, 11.0, 18.0, 0.0, 1.0], ""),
        ],
        ReportKind::Declines => &[
            ("STAFFING", &[41.0, 41.0, 40.0, 1.0, 0.0], "staffing"),
            ("CAPACITY_CHANGED", &[33.0, 33.0, 33.0, 0.0, 0.0], "capacity changed"),
            ("NO_ANSWER", &[9.0, 9.0, 0.0, 0.0, 9.0], "no answer"),
        ],
        ReportKind::Outcomes => &[
            ("Proposals made", &[120.0, 166.7], ""),
            ("Transfers agreed", &[72.0, 100.0], "61 beds, 19 theatre cases"),
            (
                "Harm: declined late",
                &[4.0, 5.6],
                "After the other side said yes, or with less than a third of the hold left.",
            ),
        ],
        ReportKind::Theatres => &[
            ("ZA4, week of 23 Nov", &[5.0, 0.0, 2.0, 1.0, 2.0, 0.0, 480.0, 360.0, 0.0], "..h=="),
            ("ZA4, week of 30 Nov", &[4.0, 3.0, 1.0, 0.0, 0.0, 0.0, 240.0, 0.0, 0.0], "##.#"),
            (
                "ZA4, begun",
                &[9.0, 1.0, 3.0, 0.0, 5.0, 0.0, 0.0, 1_080.0, 690.0],
                "Sessions are released 5 weeks before their day",
            ),
        ],
        ReportKind::Alerts | ReportKind::Unspecified => &[
            ("trust_pressure", &[11.0, 9.0, 81.8, 11.0], "Pressure 4 or more at a trust for 15 min: on"),
            (
                "region_net",
                &[23.0, 3.0, 13.0, 21.0],
                "The region is short by 1 or more of a resource for 15 min: digest only",
            ),
        ],
    };
    let notes: &[&str] = match kind {
        ReportKind::Unmet => &[
            "7 needs are past their needed-by.",
            "Cheapest levers now: 15 minutes more travel: +3 placed | Eastholme confirms: +2 placed.",
        ],
        ReportKind::Declines => {
            &["Of 120 proposals that ended: agreed 72%, declined 14%, lapsed 9%, replaced 5%."]
        }
        ReportKind::Fairness => &[
            "Agreed: 20 beds, 6 theatre cases between trusts. Net is lent less received, of one kind at a time.",
        ],
        ReportKind::Equity => &["Deprivation is known of 91% of the needs raised."],
        ReportKind::Outcomes => &[],
        ReportKind::Theatres => &[
            "Of sessions that have begun, 1080 minutes were found for others and 690 were lost.",
            "Each sign is a session: # ours, . offered, h held, = used, - closed.",
        ],
        ReportKind::Alerts | ReportKind::Unspecified => &["Today 7 of 20 alerts."],
    };
    let row = |(name, values, note): &(&str, &[f64], &str)| get_report_response::Row {
        name: (*name).to_owned(),
        values: values.to_vec(),
        note: (*note).to_owned(),
    };
    GetReportResponse {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        rows: rows.iter().map(row).collect(),
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        counted_from: ago(now, 7 * 24 * 60),
        ..GetReportResponse::default()
    }
}

impl Records {
    pub(crate) fn sitrep(&self, as_of: Option<prost_types::Timestamp>, now: Timestamp) -> Sitrep {
        let as_of = as_of.unwrap_or_else(|| wire(now));
        let signed = self.kept.signed.iter().find(|(at, _)| *at == as_of.seconds);
        let overdue = self.needs.iter().take(3).cloned();
        let decisions = self.kept.timeline.iter().filter_map(|entry| {
            let decision = entry.decision.clone()?;
            Some(Decision { at: entry.at, decision: entry.text.clone(), ..decision })
        });
        Sitrep {
            as_of: Some(as_of),
            situation: Some(self.situation.clone()),
            unmet: overdue.collect(),
            decisions: decisions.collect(),
            signed_off_by: signed.map(|_| "gold".to_owned()).unwrap_or_default(),
            signed_off_at: signed.map(|_| wire(now)),
            signatory: signed.map(|(_, who)| who.clone()).unwrap_or_default(),
            silent: vec!["ZA2".to_owned()],
            alerts: self.list_alerts(&[], &[]).alerts.into_iter().filter(|alert| !alert.digest).collect(),
            ..Sitrep::default()
        }
    }
}
