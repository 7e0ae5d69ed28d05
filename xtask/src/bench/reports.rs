//! What `fallow-bench` and the peers' scripts print, as far as the tables need it.

use serde::Deserialize;

/// Time spent.
#[derive(Deserialize, Clone, Copy)]
pub(crate) struct Spent {
    /// Nanoseconds of processor time.
    pub(crate) cpu_ns: u64,
    /// Nanoseconds by the clock.
    pub(crate) wall_ns: u64,
}

/// What a solution of unit needs achieves.
#[derive(Deserialize, PartialEq, Eq, Debug)]
pub(crate) struct Served {
    /// Units served.
    pub(crate) served: i64,
    /// Points, with fairness.
    pub(crate) burden: i64,
    /// Units served of each class.
    pub(crate) by_class: Vec<i64>,
}

/// What `fallow-bench solve` prints.
#[derive(Deserialize)]
pub(crate) struct Solved {
    pub(crate) unit_pairs: i64,
    pub(crate) units: Served,
    pub(crate) greedy_by_priority: i64,
    pub(crate) first_come: i64,
    pub(crate) times: Times,
    pub(crate) memory: Memories,
}

/// Times of its parts.
#[derive(Deserialize)]
pub(crate) struct Times {
    pub(crate) build: Spent,
    pub(crate) build_units: Spent,
    pub(crate) unit_solve: Spent,
    pub(crate) whole_solve: Spent,
    pub(crate) certify_units: Spent,
}

/// Memory after each part.
#[derive(Deserialize)]
pub(crate) struct Memories {
    pub(crate) loaded: Memory,
    pub(crate) solved: Memory,
}

/// Memory of the process.
#[derive(Deserialize)]
pub(crate) struct Memory {
    pub(crate) now_kib: i64,
    pub(crate) peak_kib: i64,
}

/// What unit_needs.py prints for one peer.
#[derive(Deserialize)]
pub(crate) struct PeerFlow {
    pub(crate) peer: String,
    pub(crate) cpu_ns: Vec<u64>,
    #[serde(flatten)]
    pub(crate) units: Served,
}

/// What `fallow-bench events` prints.
#[derive(Deserialize)]
pub(crate) struct Played {
    pub(crate) events: i64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) mean_ns: u64,
    pub(crate) units: Served,
}

/// What events.py prints.
#[derive(Deserialize)]
pub(crate) struct PeerEvents {
    pub(crate) events: usize,
    pub(crate) cold_starts: i64,
    pub(crate) cpu_ns: Vec<u64>,
    pub(crate) served: i64,
    pub(crate) burden: i64,
}

/// What `fallow-bench theatre` prints.
#[derive(Deserialize)]
pub(crate) struct Searched {
    pub(crate) cases: i64,
    pub(crate) sessions: i64,
    pub(crate) unavoidable: i64,
    pub(crate) bound: i64,
    pub(crate) runs: Vec<SearchRun>,
}

/// One search.
#[derive(Deserialize)]
pub(crate) struct SearchRun {
    pub(crate) seconds: f64,
    pub(crate) surrogate: i64,
}

/// What theatre.py prints.
#[derive(Deserialize)]
pub(crate) struct PeerTheatre {
    pub(crate) surrogate: i64,
    pub(crate) bound: i64,
    pub(crate) cpu_s: f64,
}

/// What `fallow-bench explain` prints.
#[derive(Deserialize)]
pub(crate) struct Explained {
    pub(crate) unserved: i64,
    pub(crate) explained: i64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}
