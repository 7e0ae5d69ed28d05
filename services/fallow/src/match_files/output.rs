//! A plan into lines, and its figures.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use fallow_domain::matching::explain::Explainer;
use fallow_domain::matching::explanation::{Relaxation, Unserved};
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::rank::rank;
use fallow_domain::matching::solve::{Plan, Prepared};
use fallow_domain::need::Priority;
use fallow_domain::resource::ResourceKind;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

/// A line of the plan.
#[derive(Serialize)]
struct Line<'a> {
    need: &'a str,
    offer: &'a str,
    units: u32,
    minutes: u64,
    burden: i64,
}

/// A line about a need that goes unserved.
#[derive(Serialize)]
struct UnservedLine<'a> {
    need: &'a str,
    unserved: u32,
    counts: BTreeMap<&'static str, u32>,
    relaxations: &'a [Relaxation],
}

/// Needs explained between two lines of progress.
const EXPLAINED_AT_ONCE: usize = 2_000;

/// Explains every need that goes unserved, in order of id.
pub(super) fn explained(explainer: &Explainer<'_>, plan: &Plan, progress: &dyn Fn(&str)) -> Vec<Unserved> {
    let needs: Vec<_> = plan.unserved.keys().collect();
    let mut explained = Vec::with_capacity(needs.len());
    for some in needs.chunks(EXPLAINED_AT_ONCE) {
        progress(&format!("explained {} of {} needs that go unserved", explained.len(), needs.len()));
        explained.par_extend(some.par_iter().filter_map(|need| explainer.unserved(need)));
    }
    explained
}

/// Writes the plan and what was explained.
pub(super) fn write(path: &Path, plan: &Plan, explained: &[Unserved]) -> std::io::Result<()> {
    if path.as_os_str() == "-" {
        return write_to(std::io::stdout().lock(), plan, explained);
    }
    write_to(std::fs::File::create(path)?, plan, explained)
}

fn write_to(out: impl Write, plan: &Plan, explained: &[Unserved]) -> std::io::Result<()> {
    let mut out = BufWriter::new(out);
    for line in &plan.allocations {
        let (need, offer) = (line.need.as_str(), line.offer.as_str());
        let line = Line { need, offer, units: line.units, minutes: line.minutes, burden: line.burden };
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    for unserved in explained {
        let line = UnservedLine {
            need: unserved.need.as_str(),
            unserved: unserved.units,
            counts: unserved.counts.iter().map(|count| (count.reason.as_str(), count.count)).collect(),
            relaxations: &unserved.relaxations,
        };
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// How long each part took.
pub(super) struct Times {
    pub(super) load: Duration,
    pub(super) build: Duration,
    pub(super) solve: Duration,
}

/// Units wanted and served.
#[derive(Default, Serialize)]
struct Served {
    wanted: u64,
    served: u64,
}

/// Pairs of a case and a session that are read for a bound of the theatre plan: a second or so where there are few, and no
/// fewer than so many times each where there are many.
const BOUND_PAIRS: usize = 6_000_000;
const BOUND_ROUNDS: std::ops::RangeInclusive<usize> = 60..=600;

/// Returns the figures of a plan as one JSON object.
pub(super) fn stats(
    problem: &Problem,
    prepared: &Prepared,
    plan: &Plan,
    times: Times,
    rejected: usize,
    certified: bool,
) -> Value {
    let mut got: BTreeMap<&str, u64> = BTreeMap::new();
    for line in &plan.allocations {
        *got.entry(line.need.as_str()).or_default() += u64::from(line.units);
    }
    let (mut units, mut cases) = (Served::default(), Served::default());
    let mut bands: BTreeMap<Priority, Served> = BTreeMap::new();
    let mut theatre_bands: BTreeMap<Priority, Served> = BTreeMap::new();
    let mut classes = BTreeMap::new();
    for need in problem.needs.iter().filter(|need| need.state.takes_part() && !need.units_wanted().is_zero())
    {
        let wanted = u64::from(need.units_wanted().get());
        let served = got.get(need.id.as_str()).copied().unwrap_or(0);
        let is_theatre = need.resource.kind == ResourceKind::Theatre;
        let (all, by_band) =
            if is_theatre { (&mut cases, &mut theatre_bands) } else { (&mut units, &mut bands) };
        let class: &mut Served =
            classes.entry((is_theatre, rank(need, &problem.region.policy, problem.at))).or_default();
        for sum in [all, by_band.entry(need.priority).or_default(), class] {
            sum.wanted += wanted;
            sum.served += served;
        }
    }
    let in_theatre = |line: &&_| -> bool {
        let line: &fallow_domain::matching::solve::Allocation = line;
        line.minutes > 0
    };
    let theatre_burden: i64 = plan.allocations.iter().filter(in_theatre).map(|line| line.burden).sum();
    let burden: i64 = plan.allocations.iter().map(|line| line.burden).sum::<i64>() - theatre_burden;
    let by_class: Vec<Value> = classes
        .iter()
        .filter(|((is_theatre, _), _)| !is_theatre)
        .map(|((_, rank), sum)| json!([rank.band, rank.score.0, sum.wanted, sum.served]))
        .collect();
    let (unit_pairs, theatre_pairs) = prepared.pairs();
    let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    let mut stats = json!({
        "offers": problem.offers.len(),
        "needs": problem.needs.len(),
        "rejected": rejected,
        "units": { "wanted": units.wanted, "served": units.served, "burden": burden, "pairs": unit_pairs, "bands": bands,
                   "classes": by_class },
        "ms": { "load": ms(times.load), "build": ms(times.build), "solve": ms(times.solve) },
        "certified": certified,
    });
    if cases.wanted > 0 {
        stats["theatre"] = json!({
            "wanted": cases.wanted, "served": cases.served, "burden": theatre_burden, "pairs": theatre_pairs,
            "bands": theatre_bands, "steps": plan.steps, "gap": gap(problem, prepared, plan),
        });
    }
    stats
}

/// How far the theatre plan can be from the best, where a bound is known.
fn gap(problem: &Problem, prepared: &Prepared, plan: &Plan) -> Value {
    let rounds = (BOUND_PAIRS / prepared.pairs().1.max(1)).clamp(*BOUND_ROUNDS.start(), *BOUND_ROUNDS.end());
    match prepared.theatre_gap(problem, plan, u32::try_from(rounds).unwrap_or(u32::MAX)) {
        Some(gap) if gap.bound > gap.unavoidable => {
            let percent = |below: i64| {
                let share = 1e4 * (gap.reached - gap.bound) as f64 / below as f64;
                share.round() / 1e2
            };
            json!({
                "surrogate": gap.reached, "bound": gap.bound, "percent": percent(gap.bound),
                "percent_without_hopeless_cases": percent(gap.bound - gap.unavoidable),
            })
        }
        Some(_) | None => json!("bound unknown"),
    }
}
