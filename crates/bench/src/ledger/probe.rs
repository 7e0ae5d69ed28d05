//! What the disk itself takes: printed beside every figure that waits for it.

use std::fs::File;
use std::io::Write;

use anyhow::Result;
use fallow_bench::stopwatch::{Stopwatch, percentile};

/// How many writes are timed.
const WRITES: usize = 500;
/// How large each is: about what one commit adds to the log.
const BYTES: usize = 1_500;

/// Returns median and 99th percentile of one write and an fdatasync, in microseconds.
pub(crate) fn fdatasync() -> Result<[f64; 2]> {
    let folder = tempfile::tempdir()?;
    let mut file = File::create(folder.path().join("probe"))?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let one = Stopwatch::start();
        file.write_all(&[b'x'; BYTES])?;
        file.sync_data()?;
        times.push(one.spent().wall_ns);
    }
    times.sort_unstable();
    Ok([50.0, 99.0].map(|percent| percentile(&times, percent) as f64 / 1e3))
}
