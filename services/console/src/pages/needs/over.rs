//! What has come to an end: a need that was not met must not leave the list without a word.

use askama::Template;
use fallow_api::v1::{Need, NeedFilter, need};
use jiff::SignedDuration;

use crate::app::Visit;
use crate::words::codes::{self, Tag};
use crate::words::resource;
use crate::words::time::{Now, from_wire};

/// How far back what is over is shown.
const WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// Rows at most; the rest is counted.
const SHOWN: usize = 25;
/// Those ended states that are shown, the ones that somebody should look at first.
const ENDED: [need::State; 5] = [
    need::State::Unmet,
    need::State::Expired,
    need::State::Met,
    need::State::ResolvedOutside,
    need::State::Withdrawn,
];

/// The needs of the viewer's trust that are over.
#[derive(Template)]
#[template(path = "needs/over.html")]
pub(super) struct Over {
    /// `Unmet 1, Met 3`.
    counts: String,
    rows: Vec<Row>,
    more: usize,
}

struct Row {
    what: String,
    case_ref: String,
    needed_by: String,
    state: Tag,
}

/// Reads what is over of the viewer's trust; nothing where that cannot be read, for it is a courtesy.
pub(super) async fn read(visit: &Visit, trust: &str) -> Option<Over> {
    let filter = NeedFilter {
        trusts: vec![trust.to_owned()],
        states: ENDED.into_iter().map(Into::into).collect(),
        ..NeedFilter::default()
    };
    Over::new(visit.calls.needs(filter).await.ok()?, &visit.now)
}

impl Over {
    fn new(needs: Vec<Need>, now: &Now) -> Option<Self> {
        let mut recent: Vec<Need> = needs.into_iter().filter(|one| is_recent(one, now)).collect();
        let place = |one: &Need| ENDED.iter().position(|state| *state == one.state());
        recent.sort_by_key(|one| {
            (place(one), std::cmp::Reverse(from_wire(one.needed_by.as_ref())), one.id.clone())
        });
        let counts: Vec<String> = ENDED
            .iter()
            .map(|state| (state, recent.iter().filter(|one| one.state() == *state).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| format!("{} {count}", codes::need_state(*state).text))
            .collect();
        let row = |one: &Need| Row {
            what: one.resource.as_ref().map(|what| resource::phrase(what, one.units)).unwrap_or_default(),
            case_ref: one.case_ref.clone(),
            needed_by: from_wire(one.needed_by.as_ref())
                .map_or_else(|| "open-ended".to_owned(), |by| now.clock(by)),
            state: codes::need_state(one.state()),
        };
        (!recent.is_empty()).then(|| Self {
            counts: counts.join(", "),
            rows: recent.iter().take(SHOWN).map(row).collect(),
            more: recent.len().saturating_sub(SHOWN),
        })
    }
}

/// Says whether a need was due, agreed or raised within the time shown. When it ended no record says; it was not before that.
fn is_recent(need: &Need, now: &Now) -> bool {
    let times = [&need.needed_by, &need.agreed_at, &need.raised_at];
    times
        .iter()
        .filter_map(|at| from_wire(at.as_ref()))
        .any(|at| at <= now.at && now.at.duration_since(at) <= WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(id: &str, state: need::State, due_hours_ago: i64) -> Need {
        let at = now().at - SignedDuration::from_hours(due_hours_ago);
        Need {
            id: id.to_owned(),
            case_ref: id.to_uppercase(),
            needed_by: Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 }),
            state: state.into(),
            ..Need::default()
        }
    }

    fn now() -> Now {
        Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC }
    }

    #[test]
    fn what_was_not_met_comes_first_and_what_is_long_over_not_at_all() {
        let needs = vec![
            need("n-1", need::State::Met, 2),
            need("n-2", need::State::Unmet, 3),
            need("n-3", need::State::Unmet, 30),
            need("n-4", need::State::Withdrawn, 1),
        ];
        let over = Over::new(needs, &now()).unwrap();
        assert_eq!(over.counts, "Unmet 1, Met 1, Withdrawn 1");
        let refs: Vec<&str> = over.rows.iter().map(|row| row.case_ref.as_str()).collect();
        assert_eq!(refs, ["N-2", "N-1", "N-4"]);
        assert_eq!(over.rows[0].needed_by, "today 11:32");
    }

    #[test]
    fn of_many_the_first_are_shown_and_the_rest_is_counted() {
        let many = (0..30).map(|number| need(&format!("n-{number}"), need::State::Met, 1)).collect();
        let over = Over::new(many, &now()).unwrap();
        assert_eq!((over.rows.len(), over.more), (SHOWN, 5));
        assert!(Over::new(Vec::new(), &now()).is_none());
    }
}
