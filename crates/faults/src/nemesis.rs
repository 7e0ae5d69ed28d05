//! Who does the faults of a plan, each at its time, and takes each back.

use std::time::Duration;

use anyhow::{Context, Result};
use fallow_ledger::conformance::twin::Dice;
use fallow_ledger_redis::keys::Keys;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::fleet::{Fleet, REGION};
use crate::history::History;
use crate::plan::{Fault, Plan};
use crate::proxy::Weather;
use crate::resp;

/// How long something is waited for that is acknowledged while a replica is cut off. After an earlier fault the ledger may
/// first have to wait for silent writers, on a slow machine.
const MISSED_WITHIN: Duration = Duration::from_secs(30);
/// How long a replica may take to follow a primary that has just started again.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(60);

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
            server.ready().await?;
            if server.is_replica_by_birth() {
                // It was promoted since, which the arguments that it is started with do not say.
                resp::ask(server.port(), &["REPLICAOF", "NO", "ONE"]).await?;
            }
            Ok(())
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
            server.fill_disk()?;
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
            // While both take over a restarted primary's data from its beginning there is no right one.
            for server in [1, 2] {
                following(fleet, server).await?;
            }
            fleet.servers[0].process.kill();
            let ahead = furthest(fleet).await?;
            promote(fleet, ahead).await
        }
        Fault::PromoteWrong => {
            let _turn = servers.lock().await;
            // While it takes over a restarted primary's data from its beginning it cannot say what it has.
            following(fleet, 2).await?;
            fleet.links[1].set(Weather::BlackHole);
            // The cut-off replica must lack something that was acknowledged. What was told while it was cut off may have
            // been written before, so it is asked what it has.
            let behind = async {
                while history.highest_ok() < revision(fleet, 2).await? + 5 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok::<_, anyhow::Error>(())
            };
            let waited = tokio::time::timeout(MISSED_WITHIN, behind).await;
            history.ending();
            fleet.servers[0].process.kill();
            history.seal();
            waited.context("nothing was acknowledged that a replica which is cut off lacks")??;
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

/// Waits until a replica has its primary's data and follows it.
async fn following(fleet: &Fleet, server: usize) -> Result<()> {
    let up = async {
        loop {
            let info = resp::ask(fleet.servers[server].port(), &["INFO", "replication"]).await;
            if info.is_ok_and(|info| info.lines().any(|line| line.trim() == "master_link_status:up")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(FOLLOWS_WITHIN, up).await.context("a replica does not follow its primary")
}

/// Returns the replica that is furthest in the log. What was acknowledged is on one of them, and so on this one.
async fn furthest(fleet: &Fleet) -> Result<usize> {
    let (one, two) = (revision(fleet, 1).await?, revision(fleet, 2).await?);
    Ok(if one >= two { 1 } else { 2 })
}

/// Returns the last revision that a server has.
async fn revision(fleet: &Fleet, server: usize) -> Result<u64> {
    let meta = Keys::of(REGION).meta;
    Ok(resp::ask(fleet.servers[server].port(), &["HGET", &meta, "revision"]).await?.parse().unwrap_or(0))
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
