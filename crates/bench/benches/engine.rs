//! The inside of the engine, over invented scenarios: `cargo bench -p fallow-bench`, with a filter to choose.

use divan::Bencher;
use fallow_bench::input;
use fallow_bench::invent::{Size, invent};
use fallow_domain::matching::explain::Explainer;
use fallow_domain::matching::network::certify;
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::solve::Prepared;
use fallow_domain::matching::theatre::Mode;

const SIZES: [&str; 3] = ["collab", "ics", "region"];

fn main() {
    divan::main();
}

/// Makes up a scenario of this size and reads it as a command would.
fn problem(size: &str, fair_step: u32) -> Problem {
    let at = "2026-11-24T08:00:00Z".parse().expect("a time");
    let folder = tempfile::tempdir().expect("a folder");
    let size = Size::of_name(size).expect("a size");
    invent(size, 1, at, fair_step).write(folder.path()).expect("files");
    input::read(folder.path(), at).expect("a problem")
}

#[divan::bench(args = SIZES)]
fn build(bencher: Bencher, size: &str) {
    let problem = problem(size, 0);
    bencher.bench(|| Prepared::new(&problem));
}

#[divan::bench(args = SIZES)]
fn solve_units(bencher: Bencher, size: &str) {
    let prepared = Prepared::new(&problem(size, 0));
    bencher.bench(|| prepared.network().solve());
}

#[divan::bench(args = SIZES)]
fn solve_units_fairly(bencher: Bencher, size: &str) {
    let prepared = Prepared::new(&problem(size, 3));
    bencher.bench(|| prepared.network().solve());
}

#[divan::bench(args = SIZES)]
fn certify_units(bencher: Bencher, size: &str) {
    let prepared = Prepared::new(&problem(size, 0));
    let solution = prepared.network().solve();
    bencher.bench(|| certify(prepared.network(), &solution));
}

/// A thousand steps of search from the greedy plan.
#[divan::bench(args = SIZES)]
fn theatre(bencher: Bencher, size: &str) {
    let prepared = Prepared::new(&problem(size, 0));
    bencher.bench(|| prepared.theatre().solve(Mode::Strict, None, 1_000, 1, &mut || false));
}

/// One unserved need.
#[divan::bench(args = SIZES)]
fn explain(bencher: Bencher, size: &str) {
    let problem = problem(size, 0);
    let prepared = Prepared::new(&problem);
    let plan = prepared.solve(&problem, None, 0, 0, &mut || false);
    let need = plan.unserved.keys().next().expect("somebody goes unserved").clone();
    let explainer = Explainer::new(&problem, &prepared, &plan);
    bencher.bench(|| explainer.unserved(&need));
}
