//! So many at once, each beginning anew as soon as it is answered, until enough are done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use fallow_bench::stopwatch::{Stopwatch, percentile};
use tokio::task::JoinSet;

use super::Figure;

/// Makes `calls` calls, `at_once` at a time, and measures them. `call` is given which of those in flight it is and a
/// number of its own, and says whether it went well. `server` is the process that serves them.
pub(crate) async fn closed<F>(
    what: &str,
    at_once: usize,
    calls: u64,
    server: u32,
    call: impl Fn(usize, u64) -> F + Clone + Send + 'static,
) -> Result<Figure>
where
    F: Future<Output = bool> + Send,
{
    let begun = Arc::new(AtomicU64::new(0));
    let (before, watch) = (cpu_us(server), Stopwatch::start());
    let mut lanes = JoinSet::new();
    for lane in 0..at_once {
        let (begun, call) = (begun.clone(), call.clone());
        lanes.spawn(async move {
            let (mut times, mut failed) = (Vec::new(), 0u64);
            loop {
                let number = begun.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return (times, failed);
                }
                let one = Stopwatch::start();
                failed += u64::from(!call(lane, number).await);
                times.push(one.spent().wall_ns);
            }
        });
    }
    let mut times = Vec::new();
    let mut failed = 0;
    while let Some(lane) = lanes.join_next().await {
        let (more, wrong) = lane?;
        times.extend(more);
        failed += wrong;
    }
    let (spent, after) = (watch.spent(), cpu_us(server));
    ensure!(failed == 0, "{what}: {failed} of {calls} calls failed");
    times.sort_unstable();
    Ok(Figure {
        what: what.to_owned(),
        at_once,
        per_second: calls as f64 / (spent.wall_ns as f64 / 1e9),
        p50_us: percentile(&times, 50.0) as f64 / 1e3,
        p99_us: percentile(&times, 99.0) as f64 / 1e3,
        server_us: (after - before) / calls as f64,
        client_us: spent.cpu_ns as f64 / 1e3 / calls as f64,
    })
}

/// Returns the processor time of a process so far, in microseconds; the system counts it in hundredths of a second.
pub(crate) fn cpu_us(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name, which may hold anything, come 11 other fields and then user and system time.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10_000.0
}
