//! `fallow doctor`: what is wrong between a person and the services, each with the command that helps.

mod bundle;
mod certificate;
mod probe;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fallow_api::v1::situation::TrustSituation;
use fallow_api::v1::{Freshness, Situation};
use fallow_host::serve::WRITES_OK;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use tonic_health::pb::health_check_response::ServingStatus;

use super::failure::{Exit, Failure};
use super::options::Format;
use super::ping::{full_name, health};
use super::session::Session;
use super::settings::Service;
use super::situation;
use super::time::{age, ago, from_wire, show};
use super::version;

/// Clocks that differ by more than this make figures older, or younger, than they are.
const SKEW_WARNED: SignedDuration = SignedDuration::from_secs(2);
/// Clocks that differ by more than this have figures refused as ahead of time.
const SKEW_FAILED: SignedDuration = SignedDuration::from_secs(60);
/// A credential that ends sooner than this will end during the next piece of work.
const CREDENTIAL_WARNED: SignedDuration = SignedDuration::from_mins(10);

/// Looks for what is wrong.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow doctor\n  fallow doctor --probe -o json\n  fallow doctor --bundle out.zip     to send to whoever helps\n\nExit 0 when nothing failed, else the code of \
                   the first failure: 5 not signed in or not allowed, 6 a service is away, 1 anything else. Warnings do not \
                   change it."
)]
pub(crate) struct Doctor {
    /// Publish an offer of nothing, wait until the region sees it, and take it back
    #[arg(long)]
    probe: bool,
    /// Write what was found to this ZIP file too, without secrets and without anything that a person typed
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Failed,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    check: String,
    level: Level,
    detail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    next: String,
    /// What is said to others in place of the detail, where that names a person or repeats what somebody wrote.
    #[serde(skip)]
    shared: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

impl Check {
    /// Returns what others may read of it.
    fn shared(&self) -> &str {
        self.shared.as_deref().unwrap_or(&self.detail)
    }
}

/// Everything that was looked at, in order.
#[derive(Debug, Default, Serialize)]
struct Findings {
    version: &'static str,
    checks: Vec<Check>,
    warnings: usize,
    failures: usize,
}

impl Findings {
    fn ok(&mut self, check: impl Into<String>, detail: impl Into<String>) {
        self.add(check, Level::Ok, Exit::Ok, detail, "");
    }

    fn warn(&mut self, check: impl Into<String>, detail: impl Into<String>, next: &str) {
        self.warnings += 1;
        self.add(check, Level::Warning, Exit::Ok, detail, next);
    }

    fn fail(&mut self, check: impl Into<String>, exit: Exit, detail: impl Into<String>, next: &str) {
        self.failures += 1;
        self.add(check, Level::Failed, exit, detail, next);
    }

    fn failure(&mut self, check: impl Into<String>, failure: &Failure) {
        let next = failure.next.first().cloned().unwrap_or_default();
        self.fail(check, failure.exit, format!("{}: {}", failure.reason, failure.what), &next);
        self.shared(&failure.reason);
    }

    /// Says what others may read of the check that was added last.
    fn shared(&mut self, detail: &str) {
        if let Some(last) = self.checks.last_mut() {
            last.shared = Some(detail.to_owned());
        }
    }

    fn add(
        &mut self,
        check: impl Into<String>,
        level: Level,
        exit: Exit,
        detail: impl Into<String>,
        next: &str,
    ) {
        let (check, detail) = (check.into(), detail.into());
        self.checks.push(Check { check, level, detail, next: next.to_owned(), shared: None, exit });
    }
}

/// Runs `fallow doctor`.
pub(crate) async fn run(session: &mut Session<'_>, args: &Doctor) -> Result<Exit, Failure> {
    let mut findings = Findings { version: env!("CARGO_PKG_VERSION"), ..Findings::default() };
    let mut situation = None;
    match session.open().await {
        Err(failure) => findings.failure("context", &failure),
        Ok(()) => {
            let name = match session.context_name() {
                "" => "an address alone".to_owned(),
                name => name.to_owned(),
            };
            findings.ok("context", format!("{name}, {}", session.context()?.endpoints.text()));
            findings.shared("read");
            endpoints(session, &mut findings).await?;
            services(session, &mut findings).await?;
            credential(session, &mut findings);
            situation = region(session, &mut findings).await;
            if situation.is_some() {
                match version::compared(session).await? {
                    Some((told, true)) => findings.ok("versions", told),
                    Some((told, false)) => findings.warn("versions", told, "fallow version --all"),
                    // Services of a release that does not say: whether they serve is said above.
                    None => {}
                }
            }
            if args.probe && findings.failures == 0 {
                match probe::run(session).await {
                    Ok(told) => findings.ok("probe", told),
                    Err(failure) => findings.failure("probe", &failure),
                }
            }
        }
    }
    tell(session, &findings)?;
    if let Some(path) = &args.bundle {
        bundle::write(session, path, &findings, situation.as_ref())?;
        session.terminal.say(&format!("written: {}", path.display()))?;
    }
    let first = findings.checks.iter().find(|check| check.level == Level::Failed);
    Ok(first.map_or(Exit::Ok, |check| check.exit))
}

fn tell(session: &mut Session<'_>, findings: &Findings) -> Result<(), Failure> {
    let format = session.global.format();
    if matches!(format, Format::Json | Format::Jsonl) {
        return session.terminal.json(findings, format == Format::Json);
    }
    // Checks are no records: the exit code tells.
    if format == Format::Id {
        return Ok(());
    }
    for check in &findings.checks {
        let sign = match check.level {
            Level::Ok => "ok",
            Level::Warning => "!!",
            Level::Failed => "XX",
        };
        let line = format!("{sign}  {:<10}  {}", check.check, check.detail);
        session.terminal.data(&match check.next.as_str() {
            "" => format!("{line}\n"),
            next => format!("{line}\n                next: {next}\n"),
        })?;
    }
    let many = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    session.terminal.data(&format!(
        "{}, {}\n",
        many(findings.warnings, "warning"),
        many(findings.failures, "failure")
    ))
}

/// Looks at each address: whether the way there is encrypted, and how long its certificate holds yet.
async fn endpoints(session: &Session<'_>, findings: &mut Findings) -> Result<(), Failure> {
    let (context, now, limit) = (session.context()?, session.now(), session.global.deadline);
    let addresses: BTreeSet<&str> =
        Service::ALL.into_iter().map(|service| context.endpoints.of(service)).collect();
    for address in addresses {
        let place = bundle::place(address);
        if !address.starts_with("https:") {
            let told = format!("{place}  not encrypted");
            if stays_here(address) {
                findings.ok("endpoint", told);
            } else {
                let next = "ask who runs it for an https address: on the way, anybody reads the credential";
                findings.warn("endpoint", told, next);
            }
            continue;
        }
        let begun = Instant::now();
        match certificate::shown(context, address, now, limit).await {
            Ok(shown) => {
                let took = begun.elapsed().as_millis();
                let told = format!("{place}  {}, {}, {took} ms", shown.version, shown.life.left(now));
                if shown.life.ends_soon(now) {
                    findings.warn("endpoint", told, "ask who runs it for a new certificate");
                } else {
                    findings.ok("endpoint", told);
                }
            }
            Err(said) => {
                let next = "fallow context show, which names the address and the authority";
                findings.fail("endpoint", Exit::Unavailable, format!("{place}  {said}"), next);
                findings.shared(&format!("{place}  no connection that can be trusted"));
            }
        }
    }
    if let Some(file) = &context.certificate_file {
        let renew = "renew it: a system's certificate lives three days at most";
        match certificate::of_file(file) {
            Ok(life) if life.is_over(now) => {
                findings.fail("own cert", Exit::NotAllowed, life.left(now), renew)
            }
            Ok(life) if life.ends_soon(now) => findings.warn("own cert", life.left(now), renew),
            Ok(life) => findings.ok("own cert", life.left(now)),
            Err(said) => {
                findings.fail("own cert", Exit::NotAllowed, said, "fallow context show");
                findings.shared("cannot be read");
            }
        }
    }
    Ok(())
}

/// Says whether what is sent to an address never leaves this machine.
fn stays_here(address: &str) -> bool {
    let Ok(uri) = address.parse::<tonic::transport::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Asks each service for its health, and whether changes are taken.
async fn services(session: &Session<'_>, findings: &mut Findings) -> Result<(), Failure> {
    let context = session.context()?;
    let ask = async |address: &str, name: String| match timeout(
        session.global.deadline,
        health(context, address, name),
    )
    .await
    {
        Ok(said) => said,
        Err(_) => Err(format!("no answer within {} s", session.global.deadline.as_secs())),
    };
    for service in Service::ALL {
        let address = context.endpoints.of(service);
        let begun = Instant::now();
        let said = ask(address, full_name(service)).await;
        let took = begun.elapsed().as_millis();
        match said {
            Ok(ServingStatus::Serving) => {
                findings.ok(service.name(), format!("SERVING, {took} ms"));
            }
            Ok(other) => {
                let next = "ask who runs it; the log of the process says why";
                let told = format!("{} at {address}", other.as_str_name());
                findings.fail(service.name(), Exit::Unavailable, told, next);
                findings.shared(other.as_str_name());
            }
            Err(said) => {
                let next = "fallow context show, which names the addresses";
                findings.fail(service.name(), Exit::Unavailable, format!("{said} at {address}"), next);
                findings.shared("no answer");
            }
        }
    }
    match ask(context.endpoints.of(Service::Capacity), WRITES_OK.to_owned()).await {
        Ok(ServingStatus::Serving) => findings.ok("store", "changes are taken"),
        Ok(_) => findings.fail(
            "store",
            Exit::Unavailable,
            "the ledger is closed: nothing can be changed",
            "fallow errors STORE_SEALED",
        ),
        // A service that does not serve is said above; one that has no such name is of another version.
        Err(_) => findings.warn("store", "whether changes are taken is not told", "fallow version --all"),
    }
    Ok(())
}

/// Reads the credential; whether it is accepted is said by the first call.
fn credential(session: &Session<'_>, findings: &mut Findings) {
    let Some(claims) = session.claims() else {
        if session.context().is_ok_and(|context| context.certificate_file.is_some()) {
            return findings.ok("auth", "by its own certificate");
        }
        findings.fail(
            "auth",
            Exit::NotAllowed,
            "no credential that can be read",
            "fallow context show, which names the file; --token-file names another",
        );
        return;
    };
    let now = session.now();
    let who = match &claims.trust {
        Some(trust) => format!("{}, {} of {trust}, region {}", claims.sub, claims.role, claims.region),
        None => format!("{}, {}, region {}", claims.sub, claims.role, claims.region),
    };
    let shown = format!("{}, region {}", claims.role, claims.region);
    match Timestamp::from_second(claims.exp).ok().filter(|_| claims.exp > 0) {
        Some(until) if until <= now => {
            let ended = show(until, now, &session.zone);
            findings.fail("auth", Exit::NotAllowed, format!("{who}: ended {ended}"), "fallow auth login");
        }
        Some(until) if until.duration_since(now) < CREDENTIAL_WARNED => {
            let left = age(until.duration_since(now));
            findings.warn("auth", format!("{who}: ends in {left}"), "fallow auth login");
        }
        Some(until) => findings.ok("auth", format!("{who}, until {}", show(until, now, &session.zone))),
        None => findings.ok("auth", who),
    }
    findings.shared(&shown);
}

/// Reads the region: whether the credential is accepted, what the clocks say, what the store is, which feeds are late.
async fn region(session: &Session<'_>, findings: &mut Findings) -> Option<Situation> {
    let (asked, begun) = (session.now(), Instant::now());
    let situation = match situation::get(session, "").await {
        Ok(situation) => situation,
        Err(failure) => {
            findings.failure("region", &failure);
            return None;
        }
    };
    let took = begun.elapsed();
    findings.ok("region", format!("{}, revision {}", situation.name, situation.revision));
    clock(session, &situation, asked, took, findings);
    if !situation.store_caveat.is_empty() {
        findings.warn("store", situation.store_caveat.clone(), "fallow errors STORE_MISCONFIGURED");
    }
    for trust in &situation.trusts {
        feed(trust, session.now(), findings);
    }
    if !findings.checks.iter().any(|check| check.check.starts_with("feed")) {
        findings.ok("feeds", format!("{} trusts, none silent", situation.trusts.len()));
    }
    Some(situation)
}

fn clock(
    session: &Session<'_>,
    situation: &Situation,
    asked: Timestamp,
    took: Duration,
    findings: &mut Findings,
) {
    if session.context().is_ok_and(|context| context.clock_speed.is_some()) {
        return findings.ok("clock", "a demonstration's own");
    }
    let Some(theirs) = from_wire(situation.at) else { return };
    // What lies between the question and the answer is no difference.
    let early = theirs.duration_since(asked);
    let took = SignedDuration::try_from(took).unwrap_or(SignedDuration::MAX);
    let skew = if early.is_negative() { early } else { (early - took.min(early)).max(SignedDuration::ZERO) };
    let told = format!("skew {:.1} s", skew.as_secs_f64());
    if skew.abs() > SKEW_FAILED {
        let next = "set this computer's clock: figures are refused when they seem to come from the future";
        findings.fail("clock", Exit::Failed, told, next);
    } else if skew.abs() > SKEW_WARNED {
        findings.warn("clock", told, "set this computer's clock");
    } else {
        findings.ok("clock", told);
    }
}

/// Says of a trust that its figures are stale; one that offers nothing cannot be late.
fn feed(trust: &TrustSituation, now: Timestamp, findings: &mut Findings) {
    let silent = trust.freshness() == Freshness::Stale;
    if trust.offers_stale == 0 && !silent {
        return;
    }
    let since = from_wire(trust.last_reported_at);
    let since = since.map(|at| format!(", last heard {}", ago(now.duration_since(at)))).unwrap_or_default();
    let told = format!("{} of {} offers are stale{since}", trust.offers_stale, trust.offers);
    let next = format!("fallow feed show {}", trust.trust);
    findings.warn(format!("feed {}", trust.trust), told, &next);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_needs_no_encryption() {
        for (address, stays) in [
            ("http://127.0.0.1:7431", true),
            ("http://[::1]:7431", true),
            ("http://LocalHost:7431", true),
            ("http://192.0.2.7:7431", false),
            ("http://localhost.nv.example:7431", false),
            ("http://fallow.nv.example", false),
        ] {
            assert_eq!(stays_here(address), stays, "{address}");
        }
    }
}
