//! Reports: tables made from what was counted and from what is live.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::sentence;
use super::tally::{DeclineSide, Outcome, Tally};
use crate::ids::TrustCode;
use crate::matching::explanation::Unlocking;
use crate::need::Need;
use crate::reason::NotUsed;
use crate::records::Records;
use crate::region::Region;
use crate::resource::{ResourceKey, ResourceKind};
use crate::situation::{self, Situation};
use crate::transfer::{Transfer, TransferState};

/// A report as a table: numbers, and words where numbers do not say it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Headings, the first of the row's name.
    pub columns: Vec<String>,
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// Sentences about the whole.
    pub notes: Vec<String>,
}

/// One row of a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Such as a trust, a decile or a reason.
    pub name: String,
    /// One number for each further column.
    pub values: Vec<f64>,
    /// In words.
    pub note: String,
}

/// Whose report it is: what they see, and of which trust it is.
pub struct Sight<'a> {
    /// Says whether the needs of a trust of a kind are seen.
    pub need: &'a dyn Fn(TrustCode, ResourceKind) -> bool,
    /// Says whether a trust is seen.
    pub trust: &'a dyn Fn(TrustCode) -> bool,
    /// Says whether what joins a home trust and a supporting one is seen: to know both is not enough.
    pub pair: &'a dyn Fn(TrustCode, TrustCode) -> bool,
    /// Only what this trust has a part in.
    pub only: Option<TrustCode>,
}

impl Sight<'_> {
    fn sees_need(&self, trust: TrustCode, kind: ResourceKind) -> bool {
        self.only.is_none_or(|only| only == trust) && (self.need)(trust, kind)
    }

    fn sees_pair(&self, from: TrustCode, to: TrustCode) -> bool {
        self.only.is_none_or(|only| only == from || only == to) && (self.pair)(to, from)
    }
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of people's work stay far below what a double holds exactly"
)]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// Returns a share in per cent, rounded to one decimal; 0 of nothing.
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (number(part) * 1_000.0 / number(whole)).round() / 10.0 }
}

/// Who waits and who is placed, by deprivation: what was raised, agreed and went unmet, the mean wait, and who waits now.
/// What was agreed in a period may have been raised before it: its share is of what came to an end.
#[must_use]
pub fn equity(tally: &Tally, live: &Records, sight: &Sight<'_>) -> Table {
    let mut rows: BTreeMap<u8, [u64; 6]> = (0..=10).map(|decile| (decile, [0; 6])).collect();
    for row in tally.needs.iter().filter(|row| sight.sees_need(row.trust, row.kind)) {
        let counts = [row.raised, row.agreed, row.in_time, row.minutes, row.unmet, 0];
        let sums = rows.entry(row.decile).or_default();
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let waiting = live.needs.values().filter(|need| need.state.takes_part());
    for need in waiting.filter(|need| sight.sees_need(need.trust, need.resource.kind)) {
        rows.entry(need.imd_decile.unwrap_or(0)).or_default()[5] += 1;
    }
    let unknown = rows.remove(&0).unwrap_or_default();
    let row = |name: String, counts: [u64; 6]| {
        let [raised, agreed, in_time, minutes, unmet, waiting] = counts;
        let mean = if agreed == 0 { 0.0 } else { (number(minutes) / number(agreed)).round() };
        Row {
            name,
            values: vec![
                number(raised),
                number(agreed),
                percent(agreed, agreed + unmet),
                number(in_time),
                mean,
                number(unmet),
                number(waiting),
            ],
            note: String::new(),
        }
    };
    let deciles = rows.into_iter().map(|(decile, counts)| {
        let name = match decile {
            1 => "1, most deprived".to_owned(),
            10 => "10, least deprived".to_owned(),
            other => other.to_string(),
        };
        row(name, counts)
    });
    let rows: Vec<Row> = deciles.chain([row("not known".to_owned(), unknown)]).collect();
    let seen = || tally.needs.iter().filter(|row| sight.sees_need(row.trust, row.kind));
    let known: u64 = seen().filter(|row| row.decile > 0).map(|row| row.raised).sum();
    let all: u64 = seen().map(|row| row.raised).sum();
    Table {
        columns: columns(&[
            "deprivation decile",
            "raised",
            "agreed",
            "agreed of agreed and unmet %",
            "in time",
            "mean minutes to agreed",
            "unmet",
            "waiting now",
        ]),
        rows,
        notes: vec![format!("Deprivation is known of {}% of the needs raised.", percent(known, all))],
    }
}

/// A kind of resource as units of it are counted: "beds", "theatre cases".
const fn counted(kind: Option<ResourceKind>) -> &'static str {
    match kind {
        Some(kind) => kind.moved().1,
        None => "of kinds that were not kept",
    }
}

/// Says how many units of each kind there are, for unlike kinds are not added up: "4 beds, 1 theatre case". What was counted
/// before kinds were comes last.
fn amounts(sums: &BTreeMap<Option<ResourceKind>, u64>) -> String {
    let kinds = sums.iter().filter(|(kind, _)| kind.is_some()).chain(sums.get_key_value(&None));
    let word = |kind: Option<ResourceKind>, sum| match kind {
        Some(kind) if sum == 1 => kind.moved().0,
        kind => counted(kind),
    };
    let told = kinds.filter(|(_, sum)| **sum > 0).map(|(kind, sum)| format!("{sum} {}", word(*kind, *sum)));
    told.collect::<Vec<_>>().join(", ")
}

/// Who gave how many units of one kind to whom.
type Flows = BTreeMap<(TrustCode, TrustCode), u64>;

/// Giving and taking by kind and trust: lent, received, net, the share of all that was lent of the kind beside the share of
/// all that is staffed of it, and who lent to whom. Unlike kinds are not added up. Of beds there is always a row for each
/// trust, of other kinds where any were lent.
#[must_use]
pub fn fairness(tally: &Tally, situation: &Situation, region: &Region, sight: &Sight<'_>) -> Table {
    let seen: BTreeSet<TrustCode> =
        region.trusts.keys().copied().filter(|trust| (sight.trust)(*trust)).collect();
    let mut flows: BTreeMap<Option<ResourceKind>, Flows> =
        [(Some(ResourceKind::Bed), Flows::new())].into_iter().collect();
    for row in
        tally.pairs.iter().filter(|row| row.outcome == Outcome::Agreed && sight.sees_pair(row.from, row.to))
    {
        *flows.entry(row.kind).or_default().entry((row.from, row.to)).or_default() += row.units;
    }
    let mut heads = columns(&[
        "supporting trust",
        "lent",
        "received",
        "net",
        "share of lending %",
        "share of what is staffed %",
    ]);
    heads.extend(seen.iter().map(|to| format!("to {to}")));
    // What was counted before kinds were comes last.
    let kinds = flows.iter().filter(|(kind, _)| kind.is_some()).chain(flows.get_key_value(&None));
    let rows = kinds.clone().flat_map(|(kind, flows)| lending(*kind, flows, &seen, situation, sight));
    let rows = rows
        .map(|(trust, kind, values)| Row {
            name: format!("{trust}, {}", counted(kind)),
            values,
            note: region.trusts.get(&trust).map(|found| found.name.to_string()).unwrap_or_default(),
        })
        .collect();
    let sums = amounts(&flows.iter().map(|(kind, flows)| (*kind, flows.values().sum())).collect());
    let agreed = if sums.is_empty() { "Nothing was agreed".to_owned() } else { format!("Agreed: {sums}") };
    let mut notes =
        vec![format!("{agreed} between trusts. Net is lent less received, of one kind at a time.")];
    for kind in kinds.filter_map(|(kind, _)| *kind) {
        let hides = |trust: &&TrustCode| !(sight.need)(**trust, kind);
        let unshared: Vec<String> = seen.iter().filter(hides).map(ToString::to_string).collect();
        if !unshared.is_empty() {
            let (what, by) = (counted(Some(kind)), unshared.join(", "));
            notes.push(format!(
                "Of {what}, what is staffed is not shared with you by {by}: it does not count."
            ));
        }
    }
    Table { columns: heads, rows, notes }
}

/// The row of one trust and kind: lent, received, net, two shares, and to each trust.
type Lending = (TrustCode, Option<ResourceKind>, Vec<f64>);

/// Returns what each trust gave and took of one kind.
fn lending(
    kind: Option<ResourceKind>,
    flows: &Flows,
    seen: &BTreeSet<TrustCode>,
    situation: &Situation,
    sight: &Sight<'_>,
) -> Vec<Lending> {
    let mut staffed: BTreeMap<TrustCode, u64> = BTreeMap::new();
    for ((trust, resource), cell) in &situation.cells {
        let is_of = kind == Some(resource.kind) && seen.contains(trust);
        if is_of && (sight.need)(*trust, resource.kind) {
            *staffed.entry(*trust).or_default() += cell.staffed;
        }
    }
    let (all_lent, all_staffed): (u64, u64) = (flows.values().sum(), staffed.values().sum());
    let sum = |is_theirs: &dyn Fn(&(TrustCode, TrustCode)) -> bool| -> u64 {
        flows.iter().filter(|(pair, _)| is_theirs(pair)).map(|(_, units)| units).sum()
    };
    let row = |trust: &TrustCode| {
        let (lent, received) = (sum(&|(from, _)| from == trust), sum(&|(_, to)| to == trust));
        let mut values = vec![
            number(lent),
            number(received),
            number(lent) - number(received),
            percent(lent, all_lent),
            percent(staffed.get(trust).copied().unwrap_or(0), all_staffed),
        ];
        values.extend(seen.iter().map(|to| number(flows.get(&(*trust, *to)).copied().unwrap_or(0))));
        (*trust, kind, values)
    };
    seen.iter().map(row).collect()
}

/// Why proposals were declined, by code, and how proposals ended.
#[must_use]
pub fn declines(tally: &Tally, sight: &Sight<'_>) -> Table {
    let mut codes: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for row in tally.declines.iter().filter(|row| sight.sees_pair(row.from, row.to)) {
        let place = match row.side {
            DeclineSide::Supporting => 0,
            DeclineSide::Home => 1,
            DeclineSide::Nobody => 2,
        };
        codes.entry(if row.code.is_empty() { "REFUSED" } else { &row.code }).or_default()[place] += row.count;
    }
    let all: u64 = codes.values().flatten().sum();
    let mut rows: Vec<(u64, Row)> = codes
        .into_iter()
        .map(|(code, counts)| {
            let sum = counts.iter().sum();
            let values = [number(sum), percent(sum, all)].into_iter().chain(counts.map(number));
            (sum, Row { name: code.to_owned(), values: values.collect(), note: sentence::code(code) })
        })
        .collect();
    rows.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.name.cmp(&other.name)));
    Table {
        columns: columns(&["reason", "all", "%", "supporting trust", "home trust", "nobody answered"]),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        notes: vec![ends(tally, sight)],
    }
}

/// Counts what became of proposals and transfers, by outcome.
fn outcomes_of(tally: &Tally, sight: &Sight<'_>) -> BTreeMap<Outcome, u64> {
    let mut sums: BTreeMap<Outcome, u64> = Outcome::ALL.iter().map(|outcome| (*outcome, 0)).collect();
    for row in tally.pairs.iter().filter(|row| sight.sees_pair(row.from, row.to)) {
        *sums.entry(row.outcome).or_default() += row.count;
    }
    sums
}

/// Says where proposals ended.
fn ends(tally: &Tally, sight: &Sight<'_>) -> String {
    let sums = outcomes_of(tally, sight);
    let of = |outcome: Outcome| sums.get(&outcome).copied().unwrap_or(0);
    let ways = [
        ("agreed", of(Outcome::Agreed)),
        ("declined", of(Outcome::Declined)),
        ("lapsed", of(Outcome::Lapsed)),
        ("replaced", of(Outcome::Superseded)),
        ("withdrawn", of(Outcome::Withdrawn)),
        ("bypassed", of(Outcome::Bypassed)),
    ];
    let all: u64 = ways.iter().map(|(_, count)| count).sum();
    match all {
        0 => return "No proposal ended in this time.".to_owned(),
        1 => {
            let way = ways.iter().find(|(_, count)| *count > 0).map_or("", |(way, _)| *way);
            return format!("One proposal ended: {way}.");
        }
        _ => {}
    }
    let told: Vec<String> = ways
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(way, count)| format!("{way} {}%", percent(*count, all)))
        .collect();
    format!("Of {all} proposals that ended: {}.", told.join(", "))
}

/// What became of transfers, the harm among it: late declines, aborted transfers, returns that are overdue.
#[must_use]
pub fn outcomes(tally: &Tally, live: &Records, at: Timestamp, sight: &Sight<'_>) -> Table {
    let sums = outcomes_of(tally, sight);
    let agreed = sums.get(&Outcome::Agreed).copied().unwrap_or(0);
    let mut units: BTreeMap<Option<ResourceKind>, u64> = BTreeMap::new();
    let pairs = tally.pairs.iter().filter(|row| sight.sees_pair(row.from, row.to));
    for row in pairs.filter(|row| row.outcome == Outcome::Agreed) {
        *units.entry(row.kind).or_default() += row.units;
    }
    let agreed_units = amounts(&units);
    let words = |outcome: Outcome| match outcome {
        Outcome::Proposed => "Proposals made",
        Outcome::Agreed => "Transfers agreed",
        Outcome::Declined => "Proposals declined",
        Outcome::DeclinedLate => "Harm: declined late",
        Outcome::Lapsed => "Proposals lapsed",
        Outcome::Superseded => "Proposals replaced",
        Outcome::Withdrawn => "Proposals withdrawn",
        Outcome::Bypassed => "Proposals bypassed",
        Outcome::Arrived => "Transfers arrived",
        Outcome::Completed => "Transfers completed",
        Outcome::Repatriated => "Returned home",
        Outcome::Aborted => "Harm: transfers aborted",
    };
    let row = |name: &str, count: u64, note: &str| Row {
        name: name.to_owned(),
        values: vec![number(count), percent(count, agreed)],
        note: note.to_owned(),
    };
    let mut rows: Vec<Row> = Outcome::ALL
        .iter()
        .map(|outcome| {
            let note = match outcome {
                Outcome::DeclinedLate => {
                    "After the other side said yes, or with less than a third of the hold left."
                }
                Outcome::Agreed => agreed_units.as_str(),
                Outcome::Proposed
                | Outcome::Declined
                | Outcome::Lapsed
                | Outcome::Superseded
                | Outcome::Withdrawn
                | Outcome::Bypassed
                | Outcome::Arrived
                | Outcome::Completed
                | Outcome::Repatriated
                | Outcome::Aborted => "",
            };
            row(words(*outcome), sums.get(outcome).copied().unwrap_or_default(), note)
        })
        .collect();
    let (mut overdue, mut returns) = (Overdue::default(), Overdue::default());
    let seen = live.transfers.values().filter(|one| sight.sees_pair(one.supporting_trust, one.home_trust));
    for transfer in seen.filter(|transfer| !transfer.is_over()) {
        if transfer.state.is_before_arrival() && transfer.due_at < at {
            overdue.add(transfer);
        }
        let due = transfer.return_plan.as_ref().and_then(|plan| plan.due_at);
        let is_due =
            transfer.state == TransferState::RepatriationDue || transfer.state == TransferState::Completed;
        if is_due && due.is_some_and(|due| due < at) {
            returns.add(transfer);
        }
    }
    let late = overdue.note("Past their due time and not arrived");
    rows.push(row("Harm: transfers overdue now", overdue.count, &late));
    let late = returns.note("Past the time of their return plan");
    rows.push(row("Harm: returns overdue now", returns.count, &late));
    Table {
        columns: columns(&["outcome", "count", "% of transfers agreed"]),
        rows,
        notes: vec![ends(tally, sight)],
    }
}

/// Transfers that are late, and their units by kind.
#[derive(Default)]
struct Overdue {
    count: u64,
    units: BTreeMap<Option<ResourceKind>, u64>,
}

impl Overdue {
    fn add(&mut self, transfer: &Transfer) {
        self.count += 1;
        *self.units.entry(Some(transfer.resource.kind)).or_default() += u64::from(transfer.units.get());
    }

    fn note(&self, what: &str) -> String {
        if self.count == 0 { format!("{what}.") } else { format!("{what}: {}.", amounts(&self.units)) }
    }
}

/// How far a need is from its needed-by.
const BUCKETS: [&str; 5] = ["not due", "due within 1 h", "0-1 h over", "1-4 h over", "over 4 h over"];

fn bucket(need: &Need, at: Timestamp) -> usize {
    let Some(needed_by) = need.needed_by else { return 0 };
    let over = at.duration_since(needed_by);
    if over <= SignedDuration::from_hours(-1) {
        0
    } else if over <= SignedDuration::ZERO {
        1
    } else if over <= SignedDuration::from_hours(1) {
        2
    } else if over <= SignedDuration::from_hours(4) {
        3
    } else {
        4
    }
}

/// What keeps the needs of one resource from being served.
pub type Blockers = BTreeMap<ResourceKey, BTreeMap<Option<NotUsed>, u64>>;

/// Needs with units that are not agreed, live or gone unmet within the last day, by resource and by age against their
/// needed-by, with what blocks most of those that live, and the single changes that would place most.
#[must_use]
pub fn unmet(
    live: &Records,
    at: Timestamp,
    blockers: &Blockers,
    unlocking: Option<&Unlocking>,
    sight: &Sight<'_>,
) -> Table {
    let mut rows: BTreeMap<ResourceKey, [u64; 5]> = BTreeMap::new();
    let is_missing = |need: &Need| !need.units.less(need.units_committed).is_zero();
    let waits = |need: &&Need| need.state.takes_part() && is_missing(need) || situation::is_overdue(need, at);
    let seen =
        live.needs.values().filter(waits).filter(|need| sight.sees_need(need.trust, need.resource.kind));
    for need in seen {
        rows.entry(need.resource.key()).or_default()[bucket(need, at)] += 1;
    }
    let over: u64 = rows.values().map(|counts| counts[2..].iter().sum::<u64>()).sum();
    let rows = rows.into_iter().map(|(key, counts)| Row {
        name: key.to_string(),
        values: counts.iter().map(|count| number(*count)).collect(),
        note: blockers.get(&key).map(blocked_by).unwrap_or_default(),
    });
    let mut notes = vec![format!("{over} needs are past their needed-by.")];
    if let Some(unlocking) = unlocking {
        let told = unlocking.levers.iter().map(|lever| format!("{}: +{} placed", lever.text, lever.places));
        let told: Vec<String> = told.collect();
        notes.push(match told.is_empty() {
            true => "No single change would place any of them.".to_owned(),
            false => format!("Cheapest levers now: {}.", told.join(" | ")),
        });
    }
    let mut heads = columns(&["resource"]);
    heads.extend(columns(&BUCKETS));
    Table { columns: heads, rows: rows.collect(), notes }
}

/// Names the two commonest blockers: "too far 44%, age or sex 21%".
fn blocked_by(blockers: &BTreeMap<Option<NotUsed>, u64>) -> String {
    let all: u64 = blockers.values().sum();
    let mut sorted: Vec<_> = blockers.iter().collect();
    sorted.sort_by_key(|(_, units)| std::cmp::Reverse(**units));
    let named = |reason: &Option<NotUsed>| match reason {
        Some(reason) => sentence::code(reason.as_str()),
        None => "no capacity".to_owned(),
    };
    let told = sorted
        .iter()
        .take(2)
        .map(|(reason, units)| format!("{} {}%", named(reason), percent(**units, all).round()));
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
