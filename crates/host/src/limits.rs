//! How much one caller may ask: a rate for each class of calls, and how many may be open at once.
//!
//! A caller is its trust, or itself when it is above trusts. Keys come from signed credentials alone, so there are as
//! many as there are trusts and users, and nobody can make the tables grow. Who signs in has no credential yet: all of
//! them are one caller.
//!
//! When the process as a whole has too much in work, it sheds what can wait longest: watches, reads, publishing, needs,
//! every other change, and answers last.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fallow_api::reasons;
use fallow_api::status::Failure;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::config;
use crate::identity::Caller;
use crate::rights::{Call, Class, class_name};

/// When to try again after too many calls at once: they end in about as long as a call takes.
const RETRY_AFTER_CROWD: Duration = Duration::from_millis(500);

/// The limits of this process. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    publish: DefaultKeyedRateLimiter<String>,
    need: DefaultKeyedRateLimiter<String>,
    answer: DefaultKeyedRateLimiter<String>,
    steer: DefaultKeyedRateLimiter<String>,
    read: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
    open: Mutex<Open>,
    calls: u32,
    watches: u32,
    load: u32,
}

/// What is open.
#[derive(Default)]
struct Open {
    lanes: HashMap<(Lane, String), u32>,
    /// Calls of all callers, without watches: those wait more than they work.
    in_work: u32,
}

/// What is counted while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Lane {
    Calls,
    /// Accepting and declining: never crowded out by anything else.
    Answers,
    Watches,
    /// Signing in and out, without a credential.
    SignIns,
}

/// The caller of all calls without a credential.
const NOBODY: &str = "signing in";

/// Returns the per cent of the load from which on a class is shed: the order in which calls can wait.
const fn shed_from(class: Class) -> u32 {
    match class {
        Class::Watch => 50,
        Class::Read => 60,
        Class::Publish => 70,
        Class::Need => 80,
        Class::Steer => 90,
        Class::Answer => 100,
    }
}

/// Leave for one call; given back when dropped.
pub struct Permit {
    limits: Limits,
    slot: (Lane, String),
}

impl Limits {
    /// Makes the limits of a process.
    #[must_use]
    pub fn new(settings: &config::Limits) -> Self {
        let rate = |per_second, burst| {
            let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
            DefaultKeyedRateLimiter::dashmap(quota)
        };
        Self(Arc::new(Inner {
            publish: rate(settings.publish_per_second, settings.publish_burst),
            need: rate(settings.need_per_second, settings.need_burst),
            answer: rate(settings.answer_per_second, settings.answer_burst),
            steer: rate(settings.steer_per_second, settings.steer_burst),
            read: rate(settings.read_per_second, settings.read_burst),
            clock: DefaultClock::default(),
            open: Mutex::default(),
            calls: settings.calls,
            watches: settings.watches,
            load: settings.load,
        }))
    }

    /// Admits a call, for as long as the permit lives.
    ///
    /// # Errors
    /// The caller's rate is used up, or too many of its calls or watches are open; says when to try again.
    pub fn admit(&self, caller: &Caller, call: &Call) -> Result<Permit, Failure> {
        let key = match caller.actor.trust {
            Some(trust) => format!("trust {trust}"),
            None => caller.actor.subject.to_string(),
        };
        // What is open is counted first: a call that is refused for it uses up no rate.
        let permit = self.open(&key, call.class, Lane::of(call.class))?;
        self.check_rate(&key, call.class)?;
        Ok(permit)
    }

    /// Admits a call of somebody without a credential, who is about to sign in or out.
    ///
    /// # Errors
    /// As many as a trust may have in work are in work already, or the process has too much to do.
    pub fn admit_nobody(&self, call: &Call) -> Result<Permit, Failure> {
        self.open(NOBODY, call.class, Lane::SignIns)
    }

    fn check_rate(&self, key: &String, class: Class) -> Result<(), Failure> {
        let limiter = match class {
            Class::Publish => &self.0.publish,
            Class::Need => &self.0.need,
            Class::Answer => &self.0.answer,
            Class::Steer => &self.0.steer,
            Class::Read | Class::Watch => &self.0.read,
        };
        limiter.check_key(key).map_err(|until| {
            let quota = until.quota();
            Failure::Limited {
                reason: reasons::RATE_LIMITED,
                subject: format!("{key}, {}", class_name(class)),
                text: format!(
                    "{} calls a second with a burst of {} are the limit",
                    Duration::from_secs(1).as_nanos() / quota.replenish_interval().as_nanos().max(1),
                    quota.burst_size()
                ),
                retry_after: Some(until.wait_time_from(self.0.clock.now())),
            }
        })
    }

    fn open(&self, key: &str, class: Class, lane: Lane) -> Result<Permit, Failure> {
        let (limit, reason, what) = match lane {
            Lane::Watches => (self.0.watches, reasons::WATCH_LIMIT, "watches"),
            Lane::Answers => (self.0.calls, reasons::CONCURRENCY, "answers"),
            Lane::Calls => (self.0.calls, reasons::CONCURRENCY, "calls"),
            Lane::SignIns => (self.0.calls, reasons::CONCURRENCY, "sign-ins"),
        };
        let crowded = |reason, subject, text| Failure::Limited {
            reason,
            subject,
            text,
            retry_after: Some(RETRY_AFTER_CROWD),
        };
        let slot = (lane, key.to_owned());
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        // At least one call of each class is let in, however small the load is set.
        let bound = (u64::from(self.0.load) * u64::from(shed_from(class)) / 100).max(1);
        if u64::from(open.in_work) >= bound {
            let class = class_name(class);
            let text = format!("{} calls are in work, and {class} waits from {bound} on", open.in_work);
            return Err(crowded(reasons::CONCURRENCY, format!("this service, {class}"), text));
        }
        let count = open.lanes.entry(slot.clone()).or_default();
        if *count >= limit {
            let text = format!("{limit} {what} may be open at once");
            return Err(crowded(reason, format!("{key}, {what}"), text));
        }
        *count += 1;
        if lane != Lane::Watches {
            open.in_work += 1;
        }
        Ok(Permit { limits: self.clone(), slot })
    }
}

impl Lane {
    const fn of(class: Class) -> Self {
        match class {
            Class::Watch => Self::Watches,
            Class::Answer => Self::Answers,
            Class::Publish | Class::Need | Class::Steer | Class::Read => Self::Calls,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.limits.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.lanes.get_mut(&self.slot) {
            *count -= 1;
            if *count == 0 {
                open.lanes.remove(&self.slot);
            }
            if self.slot.0 != Lane::Watches {
                open.in_work -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fallow_domain::ids::RegionId;

    use super::*;
    use crate::identity::built_in;

    fn limits() -> Limits {
        let settings = [("limits.calls", "3"), ("limits.watches", "2"), ("limits.publish_burst", "5")];
        Limits::new(&config::Config::load(None, []).unwrap().with(&settings).unwrap().limits)
    }

    fn user(name: &str) -> Caller {
        built_in::user(name, &RegionId::parse("north-vale").unwrap()).unwrap()
    }

    fn call(name: &str) -> &'static Call {
        crate::rights::CALLS.iter().find(|call| call.name() == name).unwrap()
    }

    fn reason(result: Result<Permit, Failure>) -> &'static str {
        result.map_or_else(|failure| failure.reason(), |_| "OK")
    }

    #[test]
    fn one_trust_that_publishes_too_fast_slows_nobody_else() {
        let limits = limits();
        let (one, same, other) =
            (user("trust-system.ZA1"), user("bed-manager.ZA1"), user("trust-system.ZA2"));
        for _ in 0..5 {
            assert_eq!(reason(limits.admit(&one, call("PublishOffer"))), "OK");
        }
        let Err(Failure::Limited { reason: why, subject, retry_after, .. }) =
            limits.admit(&one, call("PublishOffer"))
        else {
            panic!("the burst is used up")
        };
        assert_eq!((why, subject.as_str()), (reasons::RATE_LIMITED, "trust ZA1, publish"));
        assert!(retry_after.is_some_and(|wait| wait > Duration::ZERO && wait <= Duration::from_millis(50)));
        assert_eq!(reason(limits.admit(&same, call("PublishOffer"))), reasons::RATE_LIMITED);
        assert_eq!(reason(limits.admit(&other, call("PublishOffer"))), "OK");
        // And its people still answer and read.
        assert_eq!(reason(limits.admit(&same, call("AnswerProposal"))), "OK");
        assert_eq!(reason(limits.admit(&same, call("ListOffers"))), "OK");
    }

    /// As many trusts as it takes, so that no trust's own limit is reached.
    #[test]
    fn what_can_wait_longest_is_shed_first_and_answers_last() {
        let settings = [("limits.load", "10"), ("limits.calls", "1")];
        let limits = Limits::new(&config::Config::load(None, []).unwrap().with(&settings).unwrap().limits);
        let order =
            ["WatchOffers", "ListOffers", "PublishOffer", "RaiseNeed", "AskToConfirm", "AnswerProposal"];
        let shed = |limits: &Limits| {
            let somebody = user("bed-manager.ZB0");
            let refused = |name: &&&str| reason(limits.admit(&somebody, call(name))) == reasons::CONCURRENCY;
            order.iter().filter(refused).count()
        };
        let mut held = Vec::new();
        let mut counts = Vec::new();
        for number in 0..10 {
            counts.push(shed(&limits));
            let answering = user(&format!("bed-manager.ZA{number}"));
            held.push(limits.admit(&answering, call("AnswerProposal")).unwrap());
        }
        counts.push(shed(&limits));
        // At 5 of 10 calls in work watches are shed, at 6 reads, and so on; at 10 even answers.
        assert_eq!(counts, [0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
        let refused = limits.admit(&user("bed-manager.ZB1"), call("ListOffers")).err().unwrap();
        let Failure::Limited { subject, retry_after, .. } = refused else { panic!("{refused:?}") };
        assert_eq!((subject.as_str(), retry_after), ("this service, read", Some(RETRY_AFTER_CROWD)));
        drop(held);
        assert_eq!(shed(&limits), 0);
        // Watches that are open are no load.
        let one = limits.admit(&user("bed-manager.ZA1"), call("WatchOffers")).unwrap();
        assert_eq!(limits.0.open.lock().unwrap().in_work, 0);
        drop(one);
    }

    #[test]
    fn those_who_sign_in_are_one_caller() {
        let limits = limits();
        let sign_in = call("ExchangeToken");
        let held: Vec<_> = (0..3).map(|_| limits.admit_nobody(sign_in).unwrap()).collect();
        assert_eq!(reason(limits.admit_nobody(sign_in)), reasons::CONCURRENCY);
        assert_eq!(reason(limits.admit(&user("bed-manager.ZA1"), call("ListOffers"))), "OK");
        drop(held);
        assert_eq!(reason(limits.admit_nobody(sign_in)), "OK");
    }

    #[test]
    fn what_is_open_is_counted_until_it_ends() {
        let limits = limits();
        let caller = user("bed-manager.ZA1");
        let mut held: Vec<_> = (0..3).map(|_| limits.admit(&caller, call("ListOffers")).unwrap()).collect();
        assert_eq!(reason(limits.admit(&caller, call("RaiseNeed"))), reasons::CONCURRENCY);
        assert_eq!(reason(limits.admit(&caller, call("AnswerProposal"))), "OK");
        let _watches = [0; 2].map(|_| limits.admit(&caller, call("WatchOffers")).unwrap());
        assert_eq!(reason(limits.admit(&caller, call("WatchNeeds"))), reasons::WATCH_LIMIT);
        held.pop();
        assert_eq!(reason(limits.admit(&caller, call("RaiseNeed"))), "OK");
        assert_eq!(reason(limits.admit(&user("duty-lead"), call("ListOffers"))), "OK");
    }
}
