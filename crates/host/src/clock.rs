//! The one place that knows what time it is.
//!
//! Everything else takes the time as an argument or asks a [`Clock`]. There are three: the system's, a scaled one for
//! the demonstration, whose hours pass in seconds or stand still as its audience likes, and one for tests that stands
//! still until it is advanced.
//!
//! Each also counts [steadily](Clock::steady), whatever it is set to: for what has to be measured and not dated.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

/// Longest stretch slept at once on the system's clock: it may be set while we sleep, so it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A clock. Cheap to clone; clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System { started: Instant },
    Scaled { started: Instant, pace: Arc<watch::Sender<Pace>> },
    Manual { start: Timestamp, shown: Arc<watch::Sender<Timestamp>> },
}

/// How a scaled clock runs: it showed `epoch` at `since`, and `speed` times the real time has passed from then on.
#[derive(Debug, Clone, Copy)]
struct Pace {
    epoch: Timestamp,
    since: Instant,
    /// 0 = it stands still.
    speed: u32,
}

impl Pace {
    fn now(&self) -> Timestamp {
        let passed = self.since.elapsed().saturating_mul(self.speed);
        add(self.epoch, SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX))
    }
}

impl Clock {
    /// Returns the system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System { started: Instant::now() })
    }

    /// Returns a clock that shows `epoch` now and runs at `speed` times the real time from here on, 1 to 3,600;
    /// 0 counts as 1.
    #[must_use]
    pub fn scaled(epoch: Timestamp, speed: u32) -> Self {
        let since = Instant::now();
        let pace = Pace { epoch, since, speed: speed.max(1) };
        Self(Kind::Scaled { started: since, pace: Arc::new(watch::Sender::new(pace)) })
    }

    /// Returns how many times the real time a scaled clock runs at, 0 while it stands still; `None` for the others, which
    /// nobody paces.
    #[must_use]
    pub fn speed(&self) -> Option<u32> {
        match &self.0 {
            Kind::Scaled { pace, .. } => Some(pace.borrow().speed),
            Kind::System { .. } | Kind::Manual { .. } => None,
        }
    }

    /// Lets a scaled clock, and all its clones, run at another speed from now on; 0 stops it. The time that it shows does
    /// not jump, and who sleeps by it sleeps on at the new speed. Nothing happens to the other clocks.
    pub fn set_speed(&self, speed: u32) {
        if let Kind::Scaled { pace, .. } = &self.0 {
            pace.send_modify(|pace| *pace = Pace { epoch: pace.now(), since: Instant::now(), speed });
        }
    }

    /// Returns a clock for tests that shows `start` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Kind::Manual { start, shown: Arc::new(watch::Sender::new(start)) })
    }

    /// Returns the time that the clock shows.
    #[must_use]
    // The one place that may ask the system.
    #[expect(clippy::disallowed_methods)]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System { .. } => Timestamp::now(),
            Kind::Scaled { pace, .. } => pace.borrow().now(),
            Kind::Manual { shown, .. } => *shown.borrow(),
        }
    }

    /// Sleeps until the clock shows `deadline` or later. Returns at once when it already does.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        match &self.0 {
            Kind::System { .. } => {
                while let Some(left) = self.left(deadline) {
                    tokio::time::sleep(left.min(LOOK_AGAIN)).await;
                }
            }
            Kind::Scaled { pace, .. } => {
                let mut paces = pace.subscribe();
                loop {
                    let pace = *paces.borrow_and_update();
                    let Some(left) = left(pace.now(), deadline) else { return };
                    let waited = async {
                        match left.checked_div(pace.speed) {
                            // Rounded up, so that one sleep is enough and the loop never spins.
                            Some(real) => tokio::time::sleep(real + Duration::from_millis(1)).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        () = waited => {}
                        // An error means that the sender is gone; it is not, this clock holds it.
                        _ = paces.changed() => {}
                    }
                }
            }
            Kind::Manual { shown, .. } => {
                let mut shown = shown.subscribe();
                // An error means that the sender is gone; it is not, this clock holds it.
                let _ = shown.wait_for(|now| *now >= deadline).await;
            }
        }
    }

    /// Sleeps for a duration of the clock's own time: at sixtyfold speed, a minute takes a second.
    pub async fn sleep(&self, duration: SignedDuration) {
        self.sleep_until(add(self.now(), duration)).await;
    }

    /// Returns how long the clock has run. It never goes back and never jumps, also when the system's clock is set, and is
    /// compared with nothing but itself. Real seconds, also of a scaled clock; a clock for tests runs when it is advanced.
    #[must_use]
    pub fn steady(&self) -> Duration {
        match &self.0 {
            Kind::System { started } | Kind::Scaled { started, .. } => started.elapsed(),
            Kind::Manual { start, shown } => {
                Duration::try_from(shown.borrow().duration_since(*start)).unwrap_or(Duration::ZERO)
            }
        }
    }

    /// Sleeps until the clock has run for so long. Returns at once when it already has.
    pub async fn sleep_until_steady(&self, deadline: Duration) {
        match &self.0 {
            Kind::System { started } | Kind::Scaled { started, .. } => match started.checked_add(deadline) {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            },
            Kind::Manual { start, .. } => {
                self.sleep_until(add(
                    *start,
                    SignedDuration::try_from(deadline).unwrap_or(SignedDuration::MAX),
                ))
                .await;
            }
        }
    }

    /// Moves a clock for tests forward and wakes those whose time has come. The other clocks move by themselves, and
    /// so does time never go back: on them, and for a negative duration, nothing happens.
    pub fn advance(&self, by: SignedDuration) {
        if let Kind::Manual { shown, .. } = &self.0
            && by.is_positive()
        {
            shown.send_modify(|now| *now = add(*now, by));
        }
    }

    /// Returns the clock's own time left until `deadline`, if any.
    fn left(&self, deadline: Timestamp) -> Option<Duration> {
        left(self.now(), deadline)
    }
}

/// Returns the time from one moment to a later one, if it is later.
fn left(now: Timestamp, deadline: Timestamp) -> Option<Duration> {
    Duration::try_from(deadline.duration_since(now)).ok().filter(|left| !left.is_zero())
}

/// Adds, stopping at the ends of time.
fn add(time: Timestamp, duration: SignedDuration) -> Timestamp {
    let end = if duration.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    time.checked_add(duration).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_manual_clock_stands_still_and_wakes_sleepers_in_their_time() {
        let clock = Clock::manual(time("2026-11-24T08:00:00Z"));
        assert_eq!(clock.now(), clock.now());
        let sleeper = clock.clone();
        let mut sleep = std::pin::pin!(sleeper.sleep(SignedDuration::from_mins(10)));
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.advance(SignedDuration::from_mins(9));
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.advance(SignedDuration::from_mins(1));
        assert!(futures::poll!(&mut sleep).is_ready());
        assert_eq!(clock.now(), time("2026-11-24T08:10:00Z"));
        clock.advance(SignedDuration::from_mins(-5));
        assert_eq!(clock.now(), time("2026-11-24T08:10:00Z"));
        clock.sleep_until(time("2026-11-24T08:00:00Z")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_at_its_speed() {
        let clock = Clock::scaled(time("2026-11-24T08:00:00Z"), 60);
        let started = Instant::now();
        clock.sleep(SignedDuration::from_hours(1)).await;
        let took = started.elapsed();
        assert!((Duration::from_secs(60)..Duration::from_secs(61)).contains(&took), "{took:?}");
        assert!(clock.now() >= time("2026-11-24T09:00:00Z"));
        clock.advance(SignedDuration::from_hours(1));
        assert!(clock.now() < time("2026-11-24T09:02:00Z"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_stands_still_and_goes_on_at_another_speed_without_a_jump() {
        let clock = Clock::scaled(time("2026-11-24T08:00:00Z"), 60);
        let clone = clock.clone();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!((clock.now(), clock.speed()), (time("2026-11-24T08:10:00Z"), Some(60)));
        clone.set_speed(0);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!((clock.now(), clock.speed()), (time("2026-11-24T08:10:00Z"), Some(0)));
        let sleeper = clock.clone();
        let mut sleep = std::pin::pin!(sleeper.sleep_until(time("2026-11-24T08:20:00Z")));
        assert!(futures::poll!(&mut sleep).is_pending(), "no time passes");
        clone.set_speed(10);
        assert_eq!(clock.now(), time("2026-11-24T08:10:00Z"), "it goes on where it stood");
        let started = Instant::now();
        sleep.await;
        let took = started.elapsed();
        assert!((Duration::from_secs(60)..Duration::from_secs(61)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_by_a_slow_clock_wakes_sooner_when_it_is_hurried() {
        let clock = Clock::scaled(time("2026-11-24T08:00:00Z"), 1);
        let (sleeper, started) = (clock.clone(), Instant::now());
        let mut sleep = std::pin::pin!(sleeper.sleep(SignedDuration::from_hours(1)));
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.set_speed(3_600);
        sleep.await;
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        let system = Clock::system();
        system.set_speed(0);
        assert_eq!(system.speed(), None);
    }

    #[tokio::test]
    async fn the_system_clock_moves_on() {
        let clock = Clock::system();
        let before = clock.now();
        clock.sleep(SignedDuration::from_millis(5)).await;
        assert!(clock.now().duration_since(before) >= SignedDuration::from_millis(5));
        clock.sleep_until(Timestamp::MIN).await;
    }

    #[tokio::test]
    async fn a_manual_clock_counts_what_it_is_advanced() {
        let clock = Clock::manual(time("2026-11-24T08:00:00Z"));
        assert_eq!(clock.steady(), Duration::ZERO);
        let sleeper = clock.clone();
        let mut sleep = std::pin::pin!(sleeper.sleep_until_steady(Duration::from_secs(5)));
        clock.advance(SignedDuration::from_secs(4));
        assert!(futures::poll!(&mut sleep).is_pending());
        clock.advance(SignedDuration::from_secs(1));
        assert!(futures::poll!(&mut sleep).is_ready());
        assert_eq!(clock.steady(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_counts_real_seconds() {
        for clock in [Clock::scaled(time("2026-11-24T08:00:00Z"), 60), Clock::system()] {
            let before = clock.steady();
            clock.sleep_until_steady(before + Duration::from_secs(5)).await;
            let passed = clock.steady() - before;
            assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&passed), "{passed:?}");
        }
    }

    #[test]
    fn the_ends_of_time_hold() {
        let clock = Clock::manual(Timestamp::MAX);
        clock.advance(SignedDuration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
