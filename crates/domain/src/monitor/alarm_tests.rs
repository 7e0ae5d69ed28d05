use super::*;
use crate::monitor::kept::{Point, Span};
use crate::situation::Headline;
use crate::test_world::{gold, minutes, monday};

fn pressure(level: i64) -> Condition {
    Condition {
        rule: Rule::TrustPressure,
        cause: "ZA2 BED/GA_ADULT".into(),
        level,
        text: format!("Brackwater: pressure {level} of 4"),
        trusts: vec!["ZA2".parse().unwrap()],
        resource: None,
        subjects: Vec::new(),
        parents: vec![(Rule::FeedSilent, "ZA2".into()), (Rule::RegionNet, "BED/GA_ADULT".into())],
    }
}

fn silent() -> Condition {
    let (rule, cause, text) = (Rule::FeedSilent, "ZA2".into(), "Brackwater is silent.".into());
    Condition { rule, cause, text, level: 2, parents: Vec::new(), ..pressure(2) }
}

/// A ward that looks every minute, as the monitor does.
struct Ward {
    alerts: Vec<Alert>,
    policy: AlertPolicy,
    since: Since,
    at: Timestamp,
}

impl Ward {
    fn new() -> Self {
        Self { alerts: Vec::new(), policy: AlertPolicy::default(), since: Since::default(), at: monday() }
    }

    /// Looks at the same conditions once a minute, for so many minutes.
    fn see(&mut self, conditions: &[Condition], looks: i64) {
        for _ in 0..looks {
            let alerts: Vec<&Alert> = self.alerts.iter().collect();
            for act in decide(conditions, &alerts, &self.policy, &mut self.since, self.at) {
                match act {
                    Act::Raise(condition, with) => {
                        let id = AlertId::parse(&format!("a-{}", self.alerts.len() + 1)).unwrap();
                        self.alerts.push(raised(id, &condition, &with, self.at));
                    }
                    Act::Tell(id, now, with) => self.change(&id, |alert, _| told(alert, &now, &with)),
                    Act::Clear(id, note) => self.change(&id, |alert, at| cleared(alert, &note, at)),
                }
            }
            self.at += minutes(1);
        }
    }

    fn change(&mut self, id: &AlertId, change: impl Fn(Alert, Timestamp) -> Alert) {
        let at = self.at;
        let alert = self.alerts.iter_mut().find(|alert| alert.id == *id).unwrap();
        *alert = change(alert.clone(), at);
    }

    fn open(&self) -> usize {
        self.alerts.iter().filter(|alert| alert.state != AlertState::Closed).count()
    }
}

#[test]
fn a_level_must_hold_for_its_minutes_before_it_alarms() {
    let mut ward = Ward::new();
    ward.see(&[pressure(4)], 15);
    assert_eq!(ward.alerts.len(), 0, "fourteen minutes have passed");
    ward.see(&[pressure(4)], 1);
    assert_eq!(ward.alerts.len(), 1);
    // An interruption begins the minutes anew.
    let mut ward = Ward::new();
    ward.see(&[pressure(4)], 10);
    ward.see(&[pressure(3)], 1);
    ward.see(&[pressure(4)], 15);
    assert_eq!(ward.alerts.len(), 0);
}

#[test]
fn an_alert_clears_only_below_its_lower_line() {
    let mut ward = Ward::new();
    ward.see(&[pressure(4)], 16);
    // Between the lines it neither clears nor is raised again.
    for _ in 0..10 {
        ward.see(&[pressure(3)], 1);
        ward.see(&[pressure(4)], 30);
    }
    assert_eq!((ward.alerts.len(), ward.open()), (1, 1));
    ward.see(&[pressure(2)], 1);
    assert_eq!((ward.alerts.len(), ward.open()), (1, 0));
    assert!(ward.alerts[0].closed_by.is_none() && ward.alerts[0].cleared_at.is_some());
    // What is not told of at all any more is over too.
    let mut ward = Ward::new();
    ward.see(&[silent()], 1);
    ward.see(&[], 1);
    assert_eq!((ward.alerts.len(), ward.open()), (1, 0));
}

#[test]
fn what_somebody_closed_stays_quiet_until_it_was_over() {
    let mut ward = Ward::new();
    ward.see(&[silent()], 1);
    let id = ward.alerts[0].id.clone();
    ward.change(&id, |mut alert, at| {
        (alert.state, alert.closed_at, alert.closed_by) = (AlertState::Closed, Some(at), Some(gold()));
        alert
    });
    ward.see(&[silent()], 60);
    assert_eq!(ward.alerts.len(), 1);
    ward.see(&[], 1);
    ward.see(&[silent()], 1);
    assert_eq!(ward.alerts.len(), 2);
}

#[test]
fn what_another_alert_explains_is_folded_into_it() {
    let mut ward = Ward::new();
    ward.see(&[pressure(4), silent()], 60);
    assert_eq!(ward.alerts.len(), 1, "{:?}", ward.alerts);
    assert_eq!(ward.alerts[0].rule, Rule::FeedSilent);
    assert_eq!(ward.alerts[0].children.len(), 1);
    // The child of an alert that came before it is told in it, once.
    let mut ward = Ward::new();
    ward.see(&[silent()], 5);
    ward.see(&[silent(), pressure(4)], 60);
    assert_eq!((ward.alerts.len(), ward.alerts[0].children.len()), (1, 1));
    // Once the feed is back, the pressure is a matter of its own.
    ward.see(&[pressure(4)], 16);
    assert_eq!(ward.alerts.len(), 2);
}

#[test]
fn nothing_is_folded_into_what_nobody_is_told_of_and_its_minutes_go_on() {
    let mut ward = Ward::new();
    ward.policy.per_day = 1;
    let short = Condition { rule: Rule::OfferShort, parents: Vec::new(), ..pressure(4) };
    ward.see(&[short.clone(), silent(), pressure(4)], 16);
    let rules: Vec<(Rule, bool)> = ward.alerts.iter().map(|alert| (alert.rule, alert.digest)).collect();
    let digest = [(Rule::OfferShort, false), (Rule::FeedSilent, true), (Rule::TrustPressure, true)];
    assert_eq!(rules, digest);
    // What was folded has waited all the while.
    let mut ward = Ward::new();
    ward.see(&[silent(), pressure(4)], 30);
    ward.see(&[pressure(4)], 1);
    assert_eq!(ward.alerts.last().unwrap().rule, Rule::TrustPressure);
}

#[test]
fn every_resource_of_a_trust_is_folded_once() {
    let mut ward = Ward::new();
    ward.see(&[silent(), pressure(4)], 2);
    let other = Condition { cause: "ZA2 BED/CC_ADULT".into(), ..pressure(4) };
    ward.see(&[silent(), pressure(4), other], 2);
    let causes: Vec<&str> = ward.alerts[0].children.iter().map(|child| child.cause.as_str()).collect();
    assert_eq!(causes, ["ZA2 BED/GA_ADULT", "ZA2 BED/CC_ADULT"]);
}

#[test]
fn an_alert_that_grows_is_told_anew_to_whom_it_then_concerns() {
    let mut ward = Ward::new();
    let short = |trusts: &[&str]| Condition {
        rule: Rule::OfferShort,
        text: format!("short to {}", trusts.len()),
        trusts: trusts.iter().map(|trust| trust.parse().unwrap()).collect(),
        parents: Vec::new(),
        ..pressure(4)
    };
    ward.see(&[short(&["ZA1", "ZA2"])], 1);
    ward.see(&[short(&["ZA1", "ZA2", "ZA3"])], 1);
    assert_eq!((ward.alerts[0].trusts.len(), ward.alerts[0].text.as_str()), (3, "short to 3"));
    let id = ward.alerts[0].id.clone();
    ward.change(&id, |mut alert, at| {
        (alert.state, alert.closed_at, alert.closed_by) = (AlertState::Closed, Some(at), Some(gold()));
        alert
    });
    ward.see(&[short(&["ZA1", "ZA2"])], 1);
    assert_eq!(ward.open(), 0, "nobody new");
    ward.see(&[short(&["ZA1", "ZA2", "ZA4"])], 1);
    assert_eq!((ward.open(), ward.alerts.len()), (1, 1));
    assert_eq!(ward.alerts[0].trusts.len(), 4);
}

#[test]
fn silence_that_ends_without_a_report_is_not_told_as_one() {
    let mut ward = Ward::new();
    ward.see(&[silent()], 1);
    ward.see(&[], 1);
    assert_eq!(ward.alerts[0].note.as_str(), "No live offers of it are left.");
    ward.see(&[silent()], 1);
    ward.see(&[Condition { level: 0, ..silent() }], 1);
    assert!(ward.alerts[1].note.is_empty() && ward.open() == 0, "{:?}", ward.alerts[1]);
}

#[test]
fn beyond_the_budget_of_a_day_alerts_go_to_the_digest() {
    let mut ward = Ward::new();
    ward.policy.per_day = 3;
    let short = |n: i64| Condition {
        rule: Rule::OfferShort,
        cause: format!("ZA{n} BED/GA_ADULT"),
        level: 5,
        parents: Vec::new(),
        ..pressure(4)
    };
    let many: Vec<Condition> = (0..5).map(short).collect();
    ward.see(&many, 1);
    let digest: Vec<bool> = ward.alerts.iter().map(|alert| alert.digest).collect();
    assert_eq!(digest, [false, false, false, true, true]);
    // A patient is never put there for want of budget, and comes before what is not one.
    let overdue = Condition { rule: Rule::TransferOverdue, cause: "t-1".into(), ..short(1) };
    ward.see(&[many.clone(), vec![short(8), overdue]].concat(), 1);
    let last: Vec<(Rule, bool)> = ward.alerts[5..].iter().map(|alert| (alert.rule, alert.digest)).collect();
    assert_eq!(last, [(Rule::TransferOverdue, false), (Rule::OfferShort, true)]);
    // A day later there is room again.
    ward.at += minutes(24 * 60);
    ward.see(&[many, vec![short(9)]].concat(), 1);
    assert!(!ward.alerts.last().unwrap().digest);
}

#[test]
fn a_rule_that_nobody_acts_on_goes_to_the_digest() {
    let mut ward = Ward::new();
    let flicker = |ward: &mut Ward, takes: bool| {
        ward.see(&[silent()], 1);
        let id = ward.alerts.last().unwrap().id.clone();
        if takes {
            ward.change(&id, |alert, at| Alert { taken_at: Some(at), taken_by: Some(gold()), ..alert });
        }
        ward.see(&[], 1);
    };
    (0..5).for_each(|n| flicker(&mut ward, n == 0));
    assert_eq!(
        records(&ward.alerts, ward.at)[&Rule::FeedSilent],
        Record { fired: 5, acted_on: 1, ignored: 4 }
    );
    flicker(&mut ward, false);
    assert!(!ward.alerts[5].digest, "a fifth was acted on, which is the line");
    flicker(&mut ward, false);
    assert!(ward.alerts[6].digest, "one of six is below it");
    // What is in the digest is not held against the rule: nobody was asked.
    assert_eq!(records(&ward.alerts, ward.at)[&Rule::FeedSilent].ignored, 5);
    // An alert that is open is not ignored yet.
    assert_eq!(records(&[], ward.at)[&Rule::FeedSilent].percent(), None);
    // What was long ago does not count.
    ward.at += minutes(8 * 24 * 60);
    ward.see(&[silent()], 1);
    assert!(!ward.alerts[7].digest);
}

#[test]
fn a_rule_that_is_off_raises_nothing_and_clears_what_stands() {
    let mut ward = Ward::new();
    ward.see(&[silent()], 1);
    ward.policy.feed_silent.on = false;
    ward.see(&[silent()], 30);
    assert_eq!((ward.alerts.len(), ward.open()), (1, 0));
}

#[test]
fn a_back_test_counts_what_other_thresholds_would_have_raised() {
    let hour = |n: i64, net: i64, pressure: u8| Rollup {
        span: Span::Hour,
        at: monday() + minutes(60 * n),
        headline: Some(Headline::default()),
        points: vec![Point {
            trust: "ZA2".parse().unwrap(),
            resource: "BED/GA_ADULT".parse().unwrap(),
            net,
            pressure,
            staffed: 20,
        }],
        silent: Vec::new(),
        tally: None,
        late: None,
    };
    // Pressure 4 for three hours, then over, twice; the region is as short as its one trust.
    let day = [(-3, 4), (-3, 4), (-3, 4), (3, 1), (-3, 4), (-3, 4), (3, 1)];
    let moments: Vec<Rollup> =
        day.iter().zip(0..).map(|((net, pressure), n)| hour(n, *net, *pressure)).collect();
    let mut policy = AlertPolicy::default();
    let fired = back_test(&moments, &policy);
    // What the region's shortage explains is not raised beside it.
    assert_eq!((fired[&Rule::RegionNet], fired[&Rule::TrustPressure]), (2, 0));
    policy.region_net.on = false;
    assert_eq!(back_test(&moments, &policy)[&Rule::TrustPressure], 2);
    policy.trust_pressure.minutes = 120;
    assert_eq!(back_test(&moments, &policy)[&Rule::TrustPressure], 1);
}

#[test]
fn what_takes_two_people_is_in_no_digest_and_a_late_review_is_told_again() {
    let broken = |cause: &str, level| {
        let parents = (level > 1).then(|| (Rule::GlassBroken, "a-1".to_owned())).into_iter().collect();
        Condition { rule: Rule::GlassBroken, cause: cause.into(), parents, ..pressure(level) }
    };
    let mut ward = Ward::new();
    ward.policy.per_day = 1;
    // The budget is spent, and of this rule's last alerts nobody has acted on any.
    ward.see(&[silent()], 1);
    for cause in ["b-1", "b-2", "b-3", "b-4", "b-5", "b-6"] {
        ward.see(&[silent(), broken(cause, 1)], 1);
    }
    ward.see(&[silent(), broken("a-1", 1)], 1);
    assert!(ward.alerts.iter().all(|alert| !alert.digest), "{:#?}", ward.alerts);
    assert_eq!(ward.alerts.len(), 8);
    // While the first stands open the late review is told in it; once somebody closed that, by itself.
    let late = [silent(), broken("a-1", 1), broken("a-1 late", 2)];
    ward.see(&late, 1);
    assert_eq!((ward.alerts.len(), ward.alerts[7].children.len()), (8, 1));
    ward.alerts[7].state = AlertState::Closed;
    ward.alerts[7].closed_by = Some(gold());
    ward.see(&late, 1);
    assert_eq!((ward.alerts.len(), ward.alerts[8].cause.as_str()), (9, "a-1 late"));
}
