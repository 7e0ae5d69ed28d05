//! The timeline's scrubber: which moment is shown, and links and a form to another one, from the beginning of what is held
//! until now and never beyond. It is made of links and a plain form, so that nothing must be dragged and no script is
//! needed.

use jiff::{SignedDuration, Timestamp};

use crate::words::time::Now;

/// Most marks between the beginning and now.
const MARKS_MAX: i64 = 12;
/// Minutes between two marks: the first of these with which there are few enough.
const STEPS: [i64; 13] = [5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080, 43_200];
/// Steps back and forth from the moment that is shown: minutes, and how they are called.
const JUMPS: [(i64, &str); 4] =
    [(-360, "6 h earlier"), (-60, "1 h earlier"), (60, "1 h later"), (360, "6 h later")];

/// The moment that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Now, and on.
    Now,
    /// A minute that has passed; all of it is shown.
    Past(Timestamp),
}

/// What was asked for, within what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    /// The moment.
    pub(super) moment: Moment,
    /// Whether an earlier moment was asked for than is held: the first one is shown.
    pub(super) was_too_early: bool,
}

/// The scrubber of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scrubber {
    /// `As of today 11:00, 3 h 32 min ago`, or that it goes on.
    pub(super) told: String,
    /// Why it is not the moment that was asked for; empty where it is.
    pub(super) note: String,
    /// Whether a moment of the past is shown.
    pub(super) is_past: bool,
    /// When what is held begins, in words.
    pub(super) begins: String,
    /// Links to moments between, oldest first.
    pub(super) marks: Vec<Mark>,
    /// Value of the control of each jump that stays within, with its words.
    pub(super) jumps: Vec<(String, &'static str)>,
    /// Value of the control.
    pub(super) value: String,
    /// The first moment that can be chosen.
    pub(super) first: String,
    /// The last one.
    pub(super) last: String,
}

/// One mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Value of the control.
    pub(super) value: String,
    /// `06:00`, `Tue 06:00` or `Tue 24 Nov`.
    pub(super) name: String,
    /// Whether it is what is shown, or the last before.
    pub(super) is_shown: bool,
    /// Whether it lies before what is shown.
    pub(super) is_before: bool,
}

impl Chosen {
    /// Reads the value of the control. What is not a time, or lies ahead, is now.
    pub(super) fn of(text: &str, held_from: Option<Timestamp>, now: &Now) -> Self {
        let asked = now.read_control(text).map(minute).filter(|at| *at < minute(now.at));
        let first = held_from.map(minute);
        match (asked, first) {
            (Some(asked), Some(first)) if asked < first => {
                Self { moment: Moment::Past(first), was_too_early: true }
            }
            (Some(asked), _) => Self { moment: Moment::Past(asked), was_too_early: false },
            (None, _) => Self { moment: Moment::Now, was_too_early: false },
        }
    }

    /// Returns until when entries are shown; `None` = until now. A minute is shown to its end.
    pub(super) fn until(self) -> Option<Timestamp> {
        match self.moment {
            Moment::Now => None,
            Moment::Past(at) => at.checked_add(LAST_OF_MINUTE).ok(),
        }
    }

    /// Returns the value of the control; empty for now.
    pub(super) fn value(self, now: &Now) -> String {
        match self.moment {
            Moment::Now => String::new(),
            Moment::Past(at) => now.control(at),
        }
    }
}

/// From the beginning of a minute to the last moment in it.
const LAST_OF_MINUTE: SignedDuration = SignedDuration::from_nanos(60_000_000_000 - 1);

impl Scrubber {
    /// Makes the scrubber of what is held; `None` where nothing is.
    pub(super) fn new(chosen: Chosen, held_from: Option<Timestamp>, now: &Now) -> Option<Self> {
        let (first, last) = (minute(held_from?), minute(now.at));
        let shown = match chosen.moment {
            Moment::Now => last,
            Moment::Past(at) => at,
        };
        let is_past = shown < last;
        let told = if is_past {
            format!("As of {}, {} ago", now.clock(shown), now.age(shown))
        } else {
            "Up to now".to_owned()
        };
        let within = |at: &Timestamp| *at >= first && *at < last;
        let jump = |(minutes, words): (i64, &'static str)| {
            let to = shown.checked_add(SignedDuration::from_mins(minutes)).ok().filter(within)?;
            Some((now.control(to), words))
        };
        Some(Self {
            told,
            note: if chosen.was_too_early {
                "What happened before is no longer held here; it is in the archive.".to_owned()
            } else {
                String::new()
            },
            is_past,
            begins: now.clock(first),
            marks: marks(first, last, shown, now),
            jumps: JUMPS.into_iter().filter_map(jump).collect(),
            value: now.control(shown),
            first: now.control(first),
            last: now.control(last),
        })
    }
}

/// Returns the beginning of the minute that a time is in.
fn minute(at: Timestamp) -> Timestamp {
    let seconds = at.as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(60)).unwrap_or(at)
}

/// Returns round times between the first and the last moment, at most [`MARKS_MAX`].
fn marks(first: Timestamp, last: Timestamp, shown: Timestamp, now: &Now) -> Vec<Mark> {
    let held = last.duration_since(first).as_mins();
    let step = STEPS.into_iter().find(|step| held / step < MARKS_MAX).unwrap_or(43_200);
    // Round by the clock on the wall: counted on it from midnight, also over a day on which it is put forward or back.
    let began = first.to_zoned(now.zone.clone()).datetime();
    let midnight = began.start_of_day();
    let skipped = began.duration_since(midnight).as_mins() / step;
    let times = (skipped..=skipped + MARKS_MAX).filter_map(|n| {
        let at = midnight.checked_add(SignedDuration::from_mins(n.checked_mul(step)?)).ok()?;
        let at = at.to_zoned(now.zone.clone()).ok()?.timestamp();
        (at > first && at < last).then_some(at)
    });
    let mut times: Vec<Timestamp> = times.collect();
    // An hour that the clock leaves out is the one after it.
    times.dedup();
    let reached = times.iter().rposition(|at| *at <= shown).filter(|_| shown < last);
    let shape = match step {
        1_440.. => "%a %-d %b",
        _ if held > 12 * 60 => "%a %H:%M",
        _ => "%H:%M",
    };
    let mark = |(place, at): (usize, Timestamp)| Mark {
        value: now.control(at),
        name: at.to_zoned(now.zone.clone()).strftime(shape).to_string(),
        is_shown: reached == Some(place),
        is_before: at < shown,
    };
    times.into_iter().enumerate().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn now() -> Now {
        Now { at: at("2026-11-24T14:32:08Z"), zone: TimeZone::get("Europe/London").unwrap() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn shown(asked: &str, held_from: &str) -> Scrubber {
        let held_from = Some(at(held_from));
        Scrubber::new(Chosen::of(asked, held_from, &now()), held_from, &now()).unwrap()
    }

    #[test]
    fn no_moment_is_offered_beyond_what_is_held() {
        for held_from in
            ["2026-11-24T14:31:50Z", "2026-11-24T12:00:30Z", "2026-11-20T06:10:00Z", "2026-01-01T00:00:00Z"]
        {
            for asked in
                ["", "2026-11-24T13:00", "2026-11-21T10:00", "2020-01-01T00:00", "2030-01-01T00:00", "ASAP"]
            {
                let found = shown(asked, held_from);
                let offered =
                    found.marks.iter().map(|mark| &mark.value).chain(found.jumps.iter().map(|(to, _)| to));
                for value in offered.chain([&found.value, &found.first, &found.last]) {
                    let (from, until) = (found.first.as_str(), found.last.as_str());
                    assert!(
                        value.as_str() >= from && value.as_str() <= until,
                        "{value} of {asked} from {held_from}"
                    );
                }
                assert!(found.marks.len() <= 12, "{held_from}: {}", found.marks.len());
            }
        }
    }

    #[test]
    fn it_says_which_moment_is_shown_and_why_it_is_another_than_was_asked_for() {
        let past = shown("2026-11-24T11:00", "2026-11-24T06:10:00Z");
        assert_eq!((past.told.as_str(), past.is_past), ("As of today 11:00, 3 h 32 min ago", true));
        assert_eq!(past.begins, "today 06:10");
        let early = shown("2026-11-23T11:00", "2026-11-24T06:10:00Z");
        assert_eq!(early.told, "As of today 06:10, 8 h 22 min ago");
        assert!(early.note.contains("archive"), "{}", early.note);
        let ahead = shown("2026-11-25T11:00", "2026-11-24T06:10:00Z");
        assert_eq!((ahead.told.as_str(), ahead.is_past), ("Up to now", false));
        assert!(ahead.jumps.iter().all(|(_, words)| words.ends_with("earlier")), "{:?}", ahead.jumps);
    }

    #[test]
    fn a_minute_is_shown_to_its_end() {
        let chosen = Chosen::of("2026-11-24T11:00", None, &now());
        assert_eq!(chosen.until(), Some(at("2026-11-24T11:00:59.999999999Z")));
        assert_eq!(Chosen::of("2026-11-24T14:32", None, &now()).until(), None, "that minute is not over");
    }

    #[test]
    fn marks_are_round_times_by_the_clock_on_the_wall() {
        let names = |held_from| -> Vec<String> {
            shown("", held_from).marks.into_iter().map(|mark| mark.name).collect()
        };
        assert_eq!(
            names("2026-11-24T13:40:00Z"),
            ["13:45", "13:50", "13:55", "14:00", "14:05", "14:10", "14:15", "14:20", "14:25", "14:30"]
        );
        assert_eq!(names("2026-11-24T06:10:00Z").first().map(String::as_str), Some("07:00"));
        assert_eq!(names("2026-11-20T06:10:00Z").first().map(String::as_str), Some("Fri 12:00"));
        assert_eq!(names("2026-11-14T06:00:00Z").first().map(String::as_str), Some("Sun 15 Nov"));
        let marks = shown("2026-11-24T11:20", "2026-11-24T06:10:00Z").marks;
        let reached: Vec<&str> =
            marks.iter().filter(|mark| mark.is_shown).map(|mark| mark.name.as_str()).collect();
        assert_eq!(reached, ["11:00"]);
        assert!(shown("", "2026-11-24T06:10:00Z").marks.iter().all(|mark| !mark.is_shown), "now is no mark");
    }

    #[test]
    fn marks_stay_round_when_the_clock_is_put_forward_or_back() {
        let marks = |now: &str, held_from: &str| {
            let now = Now { at: at(now), zone: TimeZone::get("Europe/London").unwrap() };
            let held_from = Some(at(held_from));
            Scrubber::new(Chosen::of("", held_from, &now), held_from, &now).unwrap().marks
        };
        let names = |now, held_from| -> Vec<String> {
            marks(now, held_from).into_iter().map(|mark| mark.name).collect()
        };
        // Back on Sunday 25 October at 02:00, and forward on Sunday 29 March at 01:00.
        assert_eq!(
            names("2026-10-30T12:00:00Z", "2026-10-23T12:00:00Z"),
            [
                "Sat 24 Oct",
                "Sun 25 Oct",
                "Mon 26 Oct",
                "Tue 27 Oct",
                "Wed 28 Oct",
                "Thu 29 Oct",
                "Fri 30 Oct"
            ]
        );
        let days = marks("2026-10-30T12:00:00Z", "2026-10-23T12:00:00Z");
        assert!(days.iter().all(|mark| mark.value.ends_with("T00:00")), "{days:?}");
        assert_eq!(
            names("2026-10-26T00:00:00Z", "2026-10-24T22:30:00Z"),
            [
                "Sun 00:00",
                "Sun 03:00",
                "Sun 06:00",
                "Sun 09:00",
                "Sun 12:00",
                "Sun 15:00",
                "Sun 18:00",
                "Sun 21:00"
            ]
        );
        assert_eq!(
            names("2026-03-29T07:00:00Z", "2026-03-28T23:10:00Z"),
            ["00:00", "02:00", "03:00", "04:00", "05:00", "06:00", "07:00"]
        );
    }
}
