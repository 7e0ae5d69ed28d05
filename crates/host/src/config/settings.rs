//! Every setting as a type, and the ranges within which it makes sense.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fallow_domain::ids::RegionId;
use serde::{Deserialize, Serialize, Serializer};

use super::{Problem, Provider, Tls};

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }
    };
}

section!(
    /// Every setting. Units, ranges and reasons stand in `config/fallow.toml`.
    Settings {
        /// The region served.
        region: Region,
        /// Where live state lies.
        store: Store,
        /// Where this process listens.
        listen: Listen,
        /// Where other services are found.
        endpoints: Endpoints,
        /// How calls are served.
        server: Server,
        /// How connections are encrypted.
        tls: Tls,
        /// Who is believed.
        identity: Identity,
        /// The identity provider by which people sign in.
        provider: Provider,
        /// How much one caller may ask.
        limits: Limits,
        /// What is told about the process.
        telemetry: Telemetry,
        /// How the engine runs.
        engine: Engine,
        /// The archive.
        archive: Archive,
        /// The demonstration.
        dev: Dev,
    }
);

section!(
    /// The region served.
    Region {
        /// The region's id.
        id: RegionId,
        /// The region file applied to an empty ledger; empty for none.
        file: String,
    }
);

/// How the address of a store begins.
const STORE_SCHEMES: [&str; 6] = [
    "redis://",
    "rediss://",
    "redis+sentinel://",
    "rediss+sentinel://",
    "redis+cluster://",
    "rediss+cluster://",
];

/// Where live state lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// In this process, gone when it ends.
    Embedded,
    /// In a Redis server.
    Redis,
}

section!(
    /// Where live state lies.
    Store {
        /// The kind of store.
        kind: StoreKind,
        /// The Redis server.
        url: Masked,
        /// The file with the Redis password; empty for none.
        password_file: String,
        /// The file with the authorities of the servers' certificates; empty for those of the machine.
        ca_file: String,
        /// The file with the certificate of this process; empty for none.
        certificate_file: String,
        /// The file with its key; empty for none.
        key_file: String,
        /// The user at the Sentinels; empty for none.
        sentinel_user: String,
        /// The file with the password at the Sentinels; empty for none.
        sentinel_password_file: String,
        /// Whether to write where acknowledged writes can be lost.
        allow_unsafe_durability: bool,
        /// Who has looked at the server's settings, and when; empty where the server is asked.
        durability_attested: String,
        /// Replicas that must hold a write, 0 to 5.
        replicas: u32,
        /// Longest wait for the store in milliseconds, 50 to 20,000.
        command_timeout_ms: u32,
        /// How long silent writers are waited for after a change of the server, in milliseconds, 500 to 60,000.
        settle_ms: u32,
    }
);

section!(
    /// Where this process listens.
    Listen {
        /// The address.
        bind: IpAddr,
        /// The console's port.
        console: u16,
        /// The capacity service's port; every service's in `fallow dev`.
        capacity: u16,
        /// The demand service's port.
        demand: u16,
        /// The matching service's port.
        matching: u16,
        /// The monitor service's port.
        monitor: u16,
        /// The archive's port, for health.
        archive: u16,
    }
);

section!(
    /// Where other services are found.
    Endpoints {
        /// The capacity service.
        capacity: String,
        /// The demand service.
        demand: String,
        /// The matching service.
        matching: String,
        /// The monitor service.
        monitor: String,
    }
);

section!(
    /// How calls are served.
    Server {
        /// Deadline of a unary call that names none, in milliseconds.
        default_deadline_ms: u32,
        /// Longest deadline granted, in milliseconds.
        longest_deadline_ms: u32,
        /// Streams open on one connection.
        streams_per_connection: u32,
        /// Longest request headers, in bytes.
        header_bytes: u32,
        /// Seconds between pings.
        keepalive_seconds: u32,
        /// Seconds to wait for a ping's answer.
        keepalive_timeout_seconds: u32,
        /// Minutes after which a connection is asked to close.
        connection_minutes: u32,
        /// Seconds that running calls get at the end.
        drain_seconds: u32,
    }
);

section!(
    /// Who is believed.
    Identity {
        /// The issuer that tokens must name.
        issuer: String,
        /// The audience that tokens must name.
        audience: String,
        /// The file with the issuer's public keys; empty for none.
        issuer_keys_file: String,
        /// The file with the private key that signs; empty for none.
        signing_key_file: String,
        /// Life of an issued token in seconds, 30 to 300.
        token_seconds: u32,
        /// Forgiven difference of clocks in seconds, 0 to 30.
        leeway_seconds: u32,
        /// How long a session of the console lives without its person doing anything, in seconds, 5 to 900.
        idle_seconds: u32,
        /// Whether the built-in users may sign in.
        built_in_users: bool,
    }
);

section!(
    /// How much one caller may ask, in calls per second with a burst of calls.
    Limits {
        /// Publishing.
        publish_per_second: u32,
        /// Burst of publishing.
        publish_burst: u32,
        /// Raising and changing needs.
        need_per_second: u32,
        /// Burst of needs.
        need_burst: u32,
        /// Answers and transfers.
        answer_per_second: u32,
        /// Burst of answers.
        answer_burst: u32,
        /// Every other change.
        steer_per_second: u32,
        /// Burst of other changes.
        steer_burst: u32,
        /// Reads.
        read_per_second: u32,
        /// Burst of reads.
        read_burst: u32,
        /// Calls in work at once.
        calls: u32,
        /// Open watches.
        watches: u32,
        /// Calls of all callers in work at once.
        load: u32,
    }
);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For collectors: one JSON object a line.
    Json,
}

section!(
    /// What is told about the process.
    Telemetry {
        /// The collector's gRPC address; empty for none.
        otlp_endpoint: String,
        /// Part of new traces that is kept, 0 to 1.
        sample_ratio: f64,
        /// How log lines look.
        log_format: LogFormat,
        /// What is logged.
        log_filter: String,
    }
);

section!(
    /// How the engine runs.
    Engine {
        /// Life of the lease in real seconds, 2 to 300.
        lease_seconds: u32,
        /// Time between looks at deadlines in milliseconds, 10 to 60,000.
        tick_ms: u32,
        /// How often a decision is made anew after a lost race, 1 to 100.
        commit_attempts: u32,
    }
);

section!(
    /// The archive.
    Archive {
        /// Its folder; empty for none.
        folder: String,
        /// Size at which a segment is closed, in megabytes, 1 to 1,024.
        segment_megabytes: u32,
        /// Age at which a segment is closed, in minutes, 1 to 10,080.
        segment_minutes: u32,
        /// Hours for which an archived change stays in the store's log, 1 to 8,760.
        keep_hours: u32,
        /// Changes that stay whatever their age, 1,000 to 10,000,000.
        keep_changes: u32,
        /// The file with the private key that signs; empty for none.
        key_file: String,
        /// Whether to archive without a key.
        allow_unsigned: bool,
        /// Whether an OK waits until the archive has it on its disk.
        strict: bool,
        /// Minutes between full audits, 1 to 1,440.
        audit_minutes: u32,
    }
);

section!(
    /// The demonstration.
    Dev {
        /// Whether this is a development process.
        enabled: bool,
        /// How fast its clock runs, 1 to 3,600 times the real one.
        speed: u32,
        /// Seed of the simulated region.
        seed: u64,
        /// The simulated scenario.
        scenario: String,
    }
);

/// An address that may carry a password. Printing it, in any way, masks what stands before the `@`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Masked(String);

impl Masked {
    /// Returns the address with its secret, for the one who connects.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once("://").map(|(scheme, rest)| (scheme, rest.rsplit_once('@'))) {
            Some((scheme, Some((_, host)))) => write!(f, "{scheme}://***@{host}"),
            Some((_, None)) => f.write_str(&self.0),
            // Not an address at all: a password may stand anywhere in it.
            None if self.0.is_empty() => Ok(()),
            None => f.write_str("***"),
        }
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Settings {
    /// Finds every value out of its range, and every contradiction between two.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let Self {
            region,
            store,
            listen: _,
            endpoints,
            server,
            tls,
            identity,
            provider,
            limits,
            telemetry,
            engine,
            archive,
            dev,
        } = self;
        let mut check = Check { problems: Vec::new() };
        // A region id becomes part of keys, so it is held to the stricter rule of live services.
        if let Err(error) = RegionId::parse(region.id.as_str()) {
            check.problem("region.id", error.to_string());
        }
        check.range("store.replicas", store.replicas, 0..=5);
        check.range("store.command_timeout_ms", store.command_timeout_ms, 50..=20_000);
        check.range("store.settle_ms", store.settle_ms, 500..=60_000);
        if store.allow_unsafe_durability && !store.durability_attested.is_empty() {
            check.problem("store.durability_attested", "contradicts store.allow_unsafe_durability");
        }
        check.scheme("store.url", store.url.reveal(), &STORE_SCHEMES);
        if store.certificate_file.is_empty() != store.key_file.is_empty() {
            check.problem("store.certificate_file", "must be set together with store.key_file");
        }
        for (path, url) in [
            ("endpoints.capacity", &endpoints.capacity),
            ("endpoints.demand", &endpoints.demand),
            ("endpoints.matching", &endpoints.matching),
            ("endpoints.monitor", &endpoints.monitor),
        ] {
            check.scheme(path, url, &["http://", "https://"]);
        }
        check.range("server.default_deadline_ms", server.default_deadline_ms, 100..=30_000);
        check.range("server.longest_deadline_ms", server.longest_deadline_ms, 1_000..=120_000);
        if server.default_deadline_ms > server.longest_deadline_ms {
            check.problem("server.default_deadline_ms", "must not exceed server.longest_deadline_ms");
        }
        check.range("server.streams_per_connection", server.streams_per_connection, 1..=10_000);
        check.range("server.header_bytes", server.header_bytes, 1_024..=65_536);
        check.range("server.keepalive_seconds", server.keepalive_seconds, 1..=3_600);
        check.range("server.keepalive_timeout_seconds", server.keepalive_timeout_seconds, 1..=600);
        check.range("server.connection_minutes", server.connection_minutes, 1..=1_440);
        check.range("server.drain_seconds", server.drain_seconds, 1..=120);
        check.problems.extend(tls.problems());
        check.filled("identity.issuer", &identity.issuer);
        check.filled("identity.audience", &identity.audience);
        check.range("identity.token_seconds", identity.token_seconds, 30..=300);
        check.range("identity.idle_seconds", identity.idle_seconds, 5..=900);
        check.range("identity.leeway_seconds", identity.leeway_seconds, 0..=30);
        if identity.built_in_users && !dev.enabled {
            check.problem(
                "identity.built_in_users",
                "only with dev.enabled: built-in users are for development",
            );
        }
        provider.problems(&mut check, dev.enabled);
        for (path, value) in [
            ("limits.publish_per_second", limits.publish_per_second),
            ("limits.publish_burst", limits.publish_burst),
            ("limits.need_per_second", limits.need_per_second),
            ("limits.need_burst", limits.need_burst),
            ("limits.answer_per_second", limits.answer_per_second),
            ("limits.answer_burst", limits.answer_burst),
            ("limits.steer_per_second", limits.steer_per_second),
            ("limits.steer_burst", limits.steer_burst),
            ("limits.read_per_second", limits.read_per_second),
            ("limits.read_burst", limits.read_burst),
            ("limits.calls", limits.calls),
            ("limits.watches", limits.watches),
            ("limits.load", limits.load),
        ] {
            check.range(path, value, 1..=100_000);
        }
        if !telemetry.otlp_endpoint.is_empty() {
            check.scheme("telemetry.otlp_endpoint", &telemetry.otlp_endpoint, &["http://", "https://"]);
        }
        if !(0.0..=1.0).contains(&telemetry.sample_ratio) {
            check.problem("telemetry.sample_ratio", format!("must be 0 to 1, is {}", telemetry.sample_ratio));
        }
        check.range("engine.lease_seconds", engine.lease_seconds, 2..=300);
        check.range("engine.tick_ms", engine.tick_ms, 10..=60_000);
        check.range("engine.commit_attempts", engine.commit_attempts, 1..=100);
        check.range("archive.segment_megabytes", archive.segment_megabytes, 1..=1_024);
        check.range("archive.segment_minutes", archive.segment_minutes, 1..=10_080);
        check.range("archive.keep_hours", archive.keep_hours, 1..=8_760);
        check.range("archive.keep_changes", archive.keep_changes, 1_000..=10_000_000);
        check.range("archive.audit_minutes", archive.audit_minutes, 1..=1_440);
        check.range("dev.speed", dev.speed, 1..=3_600);
        check.filled("dev.scenario", &dev.scenario);
        check.problems
    }
}

impl Region {
    /// Returns the path of the region file, if one is set.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        set_path(&self.file)
    }
}

impl Store {
    /// Returns the longest wait for the store.
    #[must_use]
    pub fn command_timeout(&self) -> Duration {
        Duration::from_millis(self.command_timeout_ms.into())
    }

    /// Returns how long silent writers are waited for after a change of the server.
    #[must_use]
    pub fn settle(&self) -> Duration {
        Duration::from_millis(self.settle_ms.into())
    }

    /// Returns the path of the password file, if one is set.
    #[must_use]
    pub fn password_file(&self) -> Option<&Path> {
        set_path(&self.password_file)
    }

    /// Returns the path of the authorities' certificates, if one is set.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        set_path(&self.ca_file)
    }

    /// Returns the paths of this process's certificate and its key, if they are set.
    #[must_use]
    pub fn certificate_files(&self) -> Option<(&Path, &Path)> {
        set_path(&self.certificate_file).zip(set_path(&self.key_file))
    }

    /// Returns the path of the file with the password at the Sentinels, if one is set.
    #[must_use]
    pub fn sentinel_password_file(&self) -> Option<&Path> {
        set_path(&self.sentinel_password_file)
    }
}

impl Server {
    /// Returns how long running calls get at the end.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.into())
    }
}

impl Identity {
    /// Returns the path of the issuer's public keys, if one is set.
    #[must_use]
    pub fn issuer_keys_file(&self) -> Option<PathBuf> {
        set_path(&self.issuer_keys_file).map(Path::to_owned)
    }

    /// Returns the path of the signing key, if one is set.
    #[must_use]
    pub fn signing_key_file(&self) -> Option<PathBuf> {
        set_path(&self.signing_key_file).map(Path::to_owned)
    }
}

impl Archive {
    /// Returns the folder of the archive, if one is set.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        set_path(&self.folder)
    }

    /// Returns the path of the key that signs, if one is set.
    #[must_use]
    pub fn key_file(&self) -> Option<&Path> {
        set_path(&self.key_file)
    }
}

pub(super) fn set_path(text: &str) -> Option<&Path> {
    (!text.is_empty()).then(|| Path::new(text))
}

pub(super) struct Check {
    problems: Vec<Problem>,
}

impl Check {
    pub(super) fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn range(&mut self, path: &str, value: u32, range: RangeInclusive<u32>) {
        if !range.contains(&value) {
            self.problem(path, format!("must be {} to {}, is {value}", range.start(), range.end()));
        }
    }

    pub(super) fn filled(&mut self, path: &str, text: &str) {
        if text.is_empty() {
            self.problem(path, "must not be empty");
        }
    }

    /// Checks how an address begins. The message does not repeat it: it may hold a password.
    pub(super) fn scheme(&mut self, path: &str, text: &str, schemes: &[&str]) {
        if !schemes.iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme)) {
            self.problem(path, format!("must begin with {}", schemes.join(" or ")));
        }
    }
}
