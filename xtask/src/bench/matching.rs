//! `cargo xtask bench matching`: goals M1 to M5.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::instances::{Instance, Maker};
use super::machine;
use super::peers::{Peers, ours};
use super::reports::{Explained, PeerEvents, PeerFlow, PeerTheatre, Played, Searched, Served, Solved};
use super::table::{Table, count, digits, gap_percent, median, ms, percentile_and_mean, ratio, verdict};
use crate::shell;

/// Options of `cargo xtask bench matching`.
#[derive(Args)]
pub(crate) struct Options {
    /// Sizes to measure.
    #[arg(long, value_enum, num_args = 1.., default_values_t = [Size::Collab, Size::Ics, Size::Region, Size::England])]
    size: Vec<Size>,
    /// Seeds of the scenarios.
    #[arg(long, num_args = 1.., default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// What to measure.
    #[arg(long, value_enum, num_args = 1.., default_values_t = [Goal::Units, Goal::Events, Goal::Fairness, Goal::Theatre, Goal::Explain])]
    goal: Vec<Goal>,
    /// Medians of 3, peers of theatre lists for 10 seconds instead of 60, the first seed only.
    #[arg(long)]
    quick: bool,
    /// Seconds of a core that HiGHS and CP-SAT get for theatre lists.
    #[arg(long, value_name = "SECONDS")]
    peer_seconds: Option<f64>,
    /// The script that makes scenarios; else the one that FALLOW_SCENARIO_SCRIPT names, or that lies beside the
    /// repository, or scenarios are invented.
    #[arg(long, value_name = "FILE")]
    scenario_script: Option<PathBuf>,
}

/// A size of scenarios.
#[derive(Clone, Copy, ValueEnum)]
enum Size {
    /// 20 trusts, 300 × 400 units.
    Collab,
    /// 20 trusts, 2,000 × 2,500 units.
    Ics,
    /// 50 trusts, 10,000 × 12,000 units.
    Region,
    /// 200 trusts, 50,000 × 60,000 units.
    England,
}

impl Size {
    fn name(self) -> &'static str {
        match self {
            Self::Collab => "collab",
            Self::Ics => "ics",
            Self::Region => "region",
            Self::England => "england",
        }
    }

    /// What the 99th percentile of events is to stay below, in microseconds, where a goal is set.
    fn event_goal_us(self) -> Option<f64> {
        match self {
            Self::Collab | Self::Ics => None,
            Self::Region => Some(1_000.0),
            Self::England => Some(3_000.0),
        }
    }

    /// Seconds in which the theatre search is to reach its goal, and the goal: percent above the best bound known.
    fn theatre_goal(self) -> (f64, f64) {
        match self {
            Self::Collab | Self::Ics => (1.0, 1.5),
            Self::Region => (10.0, 3.0),
            Self::England => (30.0, 5.0),
        }
    }
}

/// A goal, or several that one run measures.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Goal {
    /// M1: full solves beside LEMON and OR-tools; memory; what greedy plans serve.
    Units,
    /// M2: events one by one beside warm LEMON.
    Events,
    /// M3: the same with fairness, beside LEMON on the same convex model.
    Fairness,
    /// M4: theatre lists beside HiGHS and CP-SAT.
    Theatre,
    /// M5: the explanation of one unserved need.
    Explain,
}

/// What every measure needs.
struct Bench<'a> {
    options: &'a Options,
    binary: PathBuf,
    peers: Peers,
    maker: Maker,
    repeat: &'static str,
}

/// Points of fairness in the scenarios of M3.
const FAIR_STEP: u32 = 3;

/// Builds, installs, measures, prints the tables, and fails when a result is not equal to a peer's.
pub(crate) fn run(options: &Options) -> Result<()> {
    shell::run(shell::cargo().args(["build", "--release", "--locked", "--package", "fallow-bench"]))?;
    let binary = shell::target().join("release/fallow-bench");
    let maker = Maker::find(options.scenario_script.as_deref(), &binary);
    let repeat = if options.quick { "3" } else { "5" };
    let bench = Bench { options, peers: Peers::install()?, maker, binary, repeat };
    println!("\n{}\n{}; {}\n", machine::described(), bench.peers.versions()?, bench.maker.described());
    for goal in [Goal::Units, Goal::Events, Goal::Fairness, Goal::Theatre, Goal::Explain] {
        if options.goal.contains(&goal) {
            match goal {
                Goal::Units => bench.units()?,
                Goal::Events => bench.events()?,
                Goal::Fairness => bench.fairness()?,
                Goal::Theatre => bench.theatre()?,
                Goal::Explain => bench.explain()?,
            }
        }
    }
    Ok(())
}

impl Bench<'_> {
    /// Every instance that is asked for.
    fn instances(&self, fair_step: u32) -> Result<Vec<(Size, Instance)>> {
        let seeds = if self.options.quick { &self.options.seeds[..1] } else { &self.options.seeds[..] };
        let mut instances = Vec::new();
        for size in &self.options.size {
            for seed in seeds {
                instances.push((*size, self.maker.make(size.name(), *seed, fair_step)?));
            }
        }
        Ok(instances)
    }

    /// Where a file for the peers goes.
    fn exchange(&self, name: &str) -> String {
        shell::target().join("bench").join(name).display().to_string()
    }

    fn solve(&self, instance: &Instance, more: &[&str]) -> Result<Solved> {
        let folder = instance.folder.display().to_string();
        let mut arguments = vec!["solve", &folder, "--repeat", self.repeat];
        arguments.extend(more);
        ours(&self.binary, &arguments)
    }

    fn units(&self) -> Result<()> {
        let mut times = Table::new(&[
            "size, seed",
            "pairs",
            "build ms",
            "solve ms",
            "LEMON ms",
            "OR-tools ms",
            "solve ÷ LEMON",
            "solve ÷ OR-tools",
            "build ÷ solve",
            "two threads ÷ LEMON, by the clock",
            "proof ms",
        ]);
        let mut served = Table::new(&[
            "size, seed",
            "served: best",
            "greedy by priority",
            "first come",
            "burden",
            "records MiB",
            "with plan MiB",
            "peak MiB",
        ]);
        let file = self.exchange("network");
        for (_, instance) in self.instances(0)? {
            let solved = self.solve(&instance, &["--dump-network", &file])?;
            let two = self.solve(&instance, &["--threads", "2"])?;
            let peers: Vec<PeerFlow> =
                self.peers.run("unit_needs.py", &[&file, "--repeat", self.repeat, "--seconds", "30"])?;
            let lemon = equal(&peers, "lemon", &solved.units, &instance)?;
            let or_tools = equal(&peers, "ortools", &solved.units, &instance)?;
            let (build, solve) = (solved.times.build_units.cpu_ns, solved.times.unit_solve.cpu_ns);
            times.row(vec![
                named(&instance),
                count(solved.unit_pairs),
                ms(build),
                ms(solve),
                ms(lemon),
                ms(or_tools),
                ratio(solve as f64, lemon as f64, 0.6),
                ratio(solve as f64, or_tools as f64, 0.06),
                ratio(build as f64, solve as f64, 1.0),
                ratio(two.times.unit_solve.wall_ns as f64, lemon as f64, 0.3),
                ms(solved.times.certify_units.cpu_ns),
            ]);
            let mib = |kib: i64| format!("{:.0}", kib as f64 / 1024.0);
            served.row(vec![
                named(&instance),
                count(solved.units.served),
                count(solved.greedy_by_priority),
                count(solved.first_come),
                count(solved.units.burden),
                mib(solved.memory.loaded.now_kib),
                mib(solved.memory.solved.now_kib),
                mib(solved.memory.solved.peak_kib),
            ]);
        }
        println!(
            "M1, full solve of unit needs: processor time of one thread, medians of {}; service by class and burden",
            self.repeat
        );
        println!(
            "equal to both peers', certificate valid. LEMON gets the pools part by part, OR-tools the pools whole; their times"
        );
        println!(
            "are the calls of solve, ours has the splitting in it; of a peer no further solve starts after 30 s.\n\n{}",
            times.text()
        );
        println!("Units served and memory of the process:\n\n{}", served.text());
        Ok(())
    }

    fn events(&self) -> Result<()> {
        let mut table = Table::new(&[
            "size, seed",
            "events",
            "p50 µs",
            "p99 µs",
            "mean µs",
            "LEMON events (cold starts)",
            "LEMON p50 µs",
            "LEMON p99 µs",
            "LEMON mean µs",
            "mean ÷ LEMON",
        ]);
        let (network, events) = (self.exchange("events-network"), self.exchange("events"));
        let seconds = if self.options.quick { "5" } else { "30" };
        for (size, instance) in self.instances(0)? {
            let folder = instance.folder.display().to_string();
            let played = |more: &[&str]| -> Result<Played> {
                ours(&self.binary, &[&["events", &folder, "--events", "10000"], more].concat())
            };
            played(&["--dump-network", &network, "--dump-events", &events])?;
            let lemon: Vec<PeerEvents> =
                self.peers.run("events.py", &[&network, &events, "--seconds", seconds])?;
            let lemon = lemon.first().context("events.py said nothing")?;
            // LEMON may have run out of time before the end: both are compared where it stopped.
            let ours = played(&["--outcome-after", &lemon.events.to_string()])?;
            if (lemon.served, lemon.burden) != (ours.units.served, ours.units.burden) {
                let place = instance.folder.display();
                bail!(
                    "{place}: after {} events LEMON serves {} at {} points, we {} at {}",
                    lemon.events,
                    lemon.served,
                    lemon.burden,
                    ours.units.served,
                    ours.units.burden
                );
            }
            let us = |ns: u64| digits(ns as f64 / 1e3);
            let (p99, mean) = percentile_and_mean(&lemon.cpu_ns, 99);
            let p99_us = ours.p99_ns as f64 / 1e3;
            table.row(vec![
                named(&instance),
                count(ours.events),
                us(ours.p50_ns),
                format!(
                    "{} {}",
                    us(ours.p99_ns),
                    size.event_goal_us().map_or(String::new(), |goal| verdict(p99_us, goal))
                ),
                us(ours.mean_ns),
                format!(
                    "{} ({})",
                    count(i64::try_from(lemon.events).unwrap_or(i64::MAX)),
                    count(lemon.cold_starts)
                ),
                us(median(&lemon.cpu_ns)),
                us(p99),
                us(mean),
                ratio(ours.mean_ns as f64, mean as f64, 0.01),
            ]);
        }
        println!(
            "M2, events one by one (needs and units come and go), processor time; after them the plan is proved and equal to a full"
        );
        println!(
            "solve, and to LEMON's where that stopped. LEMON keeps its basis (pylmcf), the part that an event touches is solved"
        );
        println!(
            "again; its time is the call of solve, without handing over what changed.\n\n{}",
            table.text()
        );
        Ok(())
    }

    fn fairness(&self) -> Result<()> {
        let mut table = Table::new(&[
            "size, seed",
            "build ms",
            "solve ms",
            "LEMON convex ms",
            "solve ÷ LEMON",
            "whole solve ms",
            "burden",
        ]);
        let file = self.exchange("fair-network");
        for (_, instance) in self.instances(FAIR_STEP)? {
            let solved = self.solve(&instance, &["--dump-network", &file])?;
            let peers: Vec<PeerFlow> =
                self.peers.run("unit_needs.py", &[&file, "--repeat", self.repeat, "--peers", "lemon"])?;
            let lemon = equal(&peers, "lemon", &solved.units, &instance)?;
            let solve = solved.times.unit_solve.cpu_ns;
            table.row(vec![
                named(&instance),
                ms(solved.times.build.cpu_ns),
                ms(solve),
                ms(lemon),
                ratio(solve as f64, lemon as f64, 1.0),
                ms(solved.times.whole_solve.cpu_ns),
                count(solved.units.burden),
            ]);
        }
        println!(
            "M3, the same with fair_step {FAIR_STEP}; LEMON has an arc for each unit beyond a trust's allowance:\n\n{}",
            table.text()
        );
        Ok(())
    }

    fn theatre(&self) -> Result<()> {
        let peer_seconds = self.options.peer_seconds.unwrap_or(if self.options.quick { 10.0 } else { 60.0 });
        let peer_seconds = peer_seconds.to_string();
        let mut table = Table::new(&[
            "size, seed",
            "cases × sessions",
            "without search",
            "search s",
            "gap",
            "without hopeless cases",
            "HiGHS gap",
            "CP-SAT gap",
            "ours ÷ better peer",
            "bound from",
            "HiGHS, CP-SAT cpu s",
        ]);
        let file = self.exchange("theatre");
        for (size, instance) in self.instances(0)? {
            let (seconds, goal) = size.theatre_goal();
            let folder = instance.folder.display().to_string();
            let mut times = vec![seconds.to_string()];
            if seconds > 1.0 {
                // A sixtieth of what the peers get, to be compared with them.
                times.insert(0, "1".to_owned());
            }
            let mut arguments = vec!["theatre", &folder, "--dump", &file];
            for time in &times {
                arguments.extend(["--seconds", time]);
            }
            let found: Searched = ours(&self.binary, &arguments)?;
            let one = |peer| -> Result<PeerTheatre> {
                let run =
                    self.peers.run("theatre.py", &[&file, "--seconds", &peer_seconds, "--peer", peer])?;
                run.into_iter().next().context("theatre.py said nothing")
            };
            let (highs, cp_sat) = (one("highs")?, one("cp-sat")?);
            let bounds = [(found.bound, "ours"), (highs.bound, "HiGHS"), (cp_sat.bound, "CP-SAT")];
            let (bound, of) = bounds.into_iter().max_by_key(|(bound, _)| *bound).unwrap_or((0, "nobody"));
            let better = highs.surrogate.min(cp_sat.surrogate);
            let start = found.runs.first().map_or(0, |run| run.surrogate);
            let quick = found.runs.iter().find(|run| run.seconds >= 1.0).map_or(start, |run| run.surrogate);
            let reached = found.runs.last().map_or(start, |run| run.surrogate);
            let gap = gap_percent(reached, bound);
            let percent = |surrogate| format!("{:.2} %", gap_percent(surrogate, bound));
            table.row(vec![
                named(&instance),
                format!("{} × {}", count(found.cases), count(found.sessions)),
                percent(start),
                seconds.to_string(),
                format!("{gap:.2} % {}", verdict(gap, goal)),
                format!("{:.2} %", gap_percent(reached - found.unavoidable, bound - found.unavoidable)),
                percent(highs.surrogate),
                percent(cp_sat.surrogate),
                ratio(quick as f64, better as f64, 0.95),
                of.to_owned(),
                format!("{:.0}, {:.0}", highs.cpu_s, cp_sat.cpu_s),
            ]);
        }
        println!(
            "M4, theatre lists by the weighted surrogate: our search on one core for so many seconds of processor time; the peers"
        );
        println!(
            "{peer_seconds} s of a core (CP-SAT: of each core), both split by specialty. `ours ÷ better peer` is our surrogate after 1 s."
        );
        println!("Gaps are above the best bound that anybody found.\n\n{}", table.text());
        Ok(())
    }

    fn explain(&self) -> Result<()> {
        let mut table = Table::new(&["size, seed", "unserved", "explained", "p50 µs", "p99 µs", "most µs"]);
        for (_, instance) in self.instances(0)? {
            let folder = instance.folder.display().to_string();
            let done: Explained = ours(&self.binary, &["explain", &folder])?;
            table.row(vec![
                named(&instance),
                count(done.unserved),
                count(done.explained),
                digits(done.p50_us),
                format!("{} {}", digits(done.p99_us), verdict(done.p99_us, 10_000.0)),
                digits(done.max_us),
            ]);
        }
        println!(
            "M5, one explanation of an unserved need with its relaxations, processor time:\n\n{}",
            table.text()
        );
        Ok(())
    }
}

fn named(instance: &Instance) -> String {
    format!("{}, {}", instance.size, instance.seed)
}

/// Returns a peer's median time, once its result is seen to be equal to ours.
fn equal(peers: &[PeerFlow], name: &str, ours: &Served, instance: &Instance) -> Result<u64> {
    let peer = peers.iter().find(|peer| peer.peer == name).with_context(|| format!("{name} said nothing"))?;
    if peer.units != *ours {
        let (theirs, place) = (&peer.units, Path::new(&instance.folder).display());
        bail!(
            "{place}: {name} serves {} at {} points, we serve {} at {}; by class {}",
            theirs.served,
            theirs.burden,
            ours.served,
            ours.burden,
            if theirs.by_class == ours.by_class { "the same" } else { "different" }
        );
    }
    Ok(median(&peer.cpu_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(burden: i64, by_class: &[i64]) -> Served {
        Served { served: by_class.iter().sum(), burden, by_class: by_class.to_vec() }
    }

    #[test]
    fn a_peer_with_another_result_is_found() {
        let instance = Instance { size: "ics".to_owned(), seed: 1, folder: PathBuf::new() };
        let peer = |units| [PeerFlow { peer: "lemon".to_owned(), cpu_ns: vec![3, 1, 2], units }];
        let ours = served(7, &[1, 2]);
        let told = |units| equal(&peer(units), "lemon", &ours, &instance);
        assert_eq!(told(served(7, &[1, 2])).expect("equal"), 2);
        assert!(told(served(8, &[1, 2])).is_err());
        assert!(told(served(7, &[2, 1])).is_err());
        assert!(equal(&peer(served(7, &[1, 2])), "ortools", &ours, &instance).is_err());
    }
}
