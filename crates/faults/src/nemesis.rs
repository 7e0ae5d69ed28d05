//! Who does the faults of a plan, each at its time, and takes each back.

use std::time::Duration;

use anyhow::{Result, bail};
use fallow_ledger::conformance::twin::Dice;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::fleet::Fleet;
use crate::history::History;
use crate::plan::{Fault, Plan};
use crate::proxy::Weather;
use crate::resp;

/// How long a promoted replica may take to say that it is a primary.
const PROMOTED_WITHIN: Duration = Duration::from_secs(5);

/// Does the faults of a plan. Returns when all of them are taken back.
///
/// # Errors
/// A fault could not be staged.
pub(crate) async fn rage(plan: &Plan, fleet: &Fleet, history: &History) -> Result<()> {
    // One thing at a time is done to the servers; what is done to services overlaps freely.
    let servers = Mutex::new(());
    let start = Instant::now();
    let all = plan.faults.iter().enumerate().map(|(number, (at, fault))| {
        let servers = &servers;
        let mut dice = Dice::new(plan.seed.wrapping_mul(31).wrapping_add(number as u64));
        async move {
            tokio::time::sleep_until(start + *at).await;
            stage(*fault, fleet, history, servers, &mut dice).await
        }
    });
    futures::future::try_join_all(all).await.map(drop)
}

async fn stage(
    fault: Fault,
    fleet: &Fleet,
    history: &History,
    servers: &Mutex<()>,
    dice: &mut Dice,
) -> Result<()> {
    let service = |place: usize| &fleet.services[place];
    match fault {
        Fault::KillService(place, down) => {
            service(place).process.kill();
            tokio::time::sleep(down).await;
            service(place).process.run()
        }
        Fault::PauseService(place, time) => {
            service(place).process.pause();
            tokio::time::sleep(time).await;
            service(place).process.resume();
            Ok(())
        }
        Fault::KillRedis(down) => {
            let _turn = servers.lock().await;
            let server = fleet.primary();
            server.process.kill();
            tokio::time::sleep(down).await;
            server.process.run()?;
            server.ready().await
        }
        Fault::PauseRedis(time) => {
            let _turn = servers.lock().await;
            let server = fleet.primary();
            server.process.pause();
            tokio::time::sleep(time).await;
            server.process.resume();
            Ok(())
        }
        Fault::PowerCut(down) => {
            let _turn = servers.lock().await;
            let server = fleet.primary();
            let lost = server.cut_power(dice).await?;
            history.remark(format!("the power cut took {lost} bytes that nobody was told of"));
            tokio::time::sleep(down).await;
            server.process.run()?;
            server.ready().await
        }
        Fault::Partition(place, time) => weather(fleet, place, Weather::BlackHole, time).await,
        Fault::HalfOpen(place, time) => weather(fleet, place, Weather::HalfOpen, time).await,
        Fault::Latency(place, by, time) => weather(fleet, place, Weather::Slow(by), time).await,
        Fault::Reset(place) => {
            service(place).proxy.cut();
            Ok(())
        }
        Fault::DropAnswers(place, commits) => {
            service(place).proxy.drop_answers(commits);
            Ok(())
        }
        Fault::StepClock(place, by, time) => {
            service(place).clock.step(by)?;
            tokio::time::sleep(time).await;
            service(place).clock.step(0)
        }
        Fault::StepRedisClock(by, time) => {
            let server = fleet.primary();
            server.clock.step(by)?;
            tokio::time::sleep(time).await;
            server.clock.step(0)
        }
        Fault::DiskFull(time) => {
            let _turn = servers.lock().await;
            let server = fleet.primary();
            server.fill_disk();
            tokio::time::sleep(time).await;
            server.free_disk();
            server.process.run()?;
            server.ready().await
        }
        Fault::Flush => {
            let _turn = servers.lock().await;
            history.ending();
            resp::ask(fleet.primary().port(), &["FLUSHALL"]).await?;
            history.seal();
            Ok(())
        }
        Fault::PromoteRight => {
            let _turn = servers.lock().await;
            // A replica that is a step behind would lose what only the other has: the one that is ahead takes over.
            fleet.servers[0].process.kill();
            let ahead = furthest(fleet).await?;
            promote(fleet, ahead).await
        }
        Fault::PromoteWrong => {
            let _turn = servers.lock().await;
            fleet.links[1].set(Weather::BlackHole);
            let cut_off = offset(fleet, 2).await?;
            // The cut-off replica must lack something that was acknowledged.
            let behind = async {
                let told = history.highest_ok();
                while history.highest_ok() < told + 5 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            let waited = tokio::time::timeout(PROMOTED_WITHIN, behind).await;
            history.ending();
            fleet.servers[0].process.kill();
            history.seal();
            if waited.is_err() {
                bail!("nothing was acknowledged while a replica was cut off at {cut_off}");
            }
            promote(fleet, 2).await
        }
    }
}

async fn weather(fleet: &Fleet, place: usize, weather: Weather, time: Duration) -> Result<()> {
    let proxy = &fleet.services[place].proxy;
    proxy.set(weather);
    tokio::time::sleep(time).await;
    proxy.set(Weather::Clear);
    Ok(())
}

/// Returns the replica that has most of its primary's log.
async fn furthest(fleet: &Fleet) -> Result<usize> {
    let (one, two) = (offset(fleet, 1).await?, offset(fleet, 2).await?);
    Ok(if one >= two { 1 } else { 2 })
}

/// Returns how much of its primary's log a replica has, in bytes.
async fn offset(fleet: &Fleet, server: usize) -> Result<u64> {
    let info = resp::ask(fleet.servers[server].port(), &["INFO", "replication"]).await?;
    let offset = info.lines().find_map(|line| line.strip_prefix("slave_repl_offset:"));
    Ok(offset.and_then(|offset| offset.trim().parse().ok()).unwrap_or(0))
}

async fn promote(fleet: &Fleet, server: usize) -> Result<()> {
    let port = fleet.servers[server].port();
    resp::ask(port, &["REPLICAOF", "NO", "ONE"]).await?;
    // The other replica follows the new primary: a write that must be on one replica finds it there.
    let other = 3 - server;
    resp::ask(fleet.servers[other].port(), &["REPLICAOF", "127.0.0.1", &port.to_string()]).await?;
    fleet.lead_to(server);
    Ok(())
}
