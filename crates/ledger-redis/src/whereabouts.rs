//! Where the primary is that holds a region, and the way there.
//!
//! All of a region lies in one slot, so it has one primary at a time, and a plain connection to that is all it takes:
//! the only thing to find out is its address, anew whenever the one at hand has failed. The library's own clients for
//! Sentinel and Cluster keep to a dead primary, and hide which connection wrote, which `WAIT` must know.

mod url;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fallow_ledger::Trouble;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, FromRedisValue, IntoConnectionInfo,
    RedisError, RedisResult, TlsCertificates, Value,
};

use crate::access::Access;
use crate::errors::{is_misuse, not_sent};
use url::{Host, Topology};

/// How long a server may take to accept a connection, and a Sentinel or a server of a Cluster to say where to go: when
/// it takes longer, the next is asked.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How a server is signed in to.
#[derive(Clone)]
struct Way {
    user: Option<String>,
    password: Option<String>,
    database: i64,
    tls: bool,
    certificates: TlsCertificates,
}

/// Where a region's primary is looked for.
pub(crate) struct Whereabouts {
    topology: Topology,
    slot: u16,
    to_servers: Way,
    to_sentinels: Way,
    /// Who is asked first: another at each time, so that one that knows only the past does not hold us up for ever.
    turn: AtomicUsize,
    /// Servers of the Cluster, as one of them last told it.
    learnt: Mutex<Vec<Known>>,
}

/// A server of the Cluster.
struct Known {
    host: Host,
    is_primary: bool,
}

/// Why one who was asked is of no help.
enum Silence {
    /// Another may know, or the same one later.
    Passing(String),
    /// It answered, and its answer shows that the settings are wrong.
    Wrong(String),
}

impl Whereabouts {
    /// Takes a URL and the secrets that belong to it apart. `slot` is the region's.
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`] naming the part that is wrong.
    pub(crate) fn new(url: &str, access: &Access, slot: u16) -> Result<Whereabouts, Trouble> {
        let misconfigured = |detail| Trouble::Misconfigured { detail };
        let parsed = url::parse(url).map_err(|why| misconfigured(format!("the URL of the store: {why}")))?;
        let way = Way {
            user: parsed.user,
            password: access.password.clone().or(parsed.password),
            database: parsed.database,
            tls: parsed.tls,
            certificates: certificates(access),
        };
        let to_sentinels = Way {
            user: access.sentinel_user.clone(),
            password: access.sentinel_password.clone(),
            database: 0,
            ..way.clone()
        };
        if way.tls {
            // Whoever is first chooses for the process, and all choose the same.
            let _ = rustls::crypto::ring::default_provider().install_default();
            check_certificates(access).map_err(misconfigured)?;
        }
        // What the library thinks of the certificates is found out now and not at the first call.
        way.client(&Host { name: "localhost".to_owned(), port: 1 })
            .map_err(|error| misconfigured(format!("the certificates for the store: {error}")))?;
        Ok(Whereabouts {
            topology: parsed.topology,
            slot,
            to_servers: way,
            to_sentinels,
            turn: AtomicUsize::new(0),
            learnt: Mutex::default(),
        })
    }

    /// Connects to the region's primary, wherever it is now.
    ///
    /// `response_timeout` is how long a call over the connection may take; none for calls that wait on purpose.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] when it is not known or not reached; [`Trouble::Misconfigured`] when the URL cannot be
    /// meant.
    pub(crate) async fn connect(
        &self,
        response_timeout: Option<Duration>,
    ) -> Result<MultiplexedConnection, Trouble> {
        match &self.topology {
            Topology::Standalone(host) => {
                let connected = self.to_servers.connect(host, response_timeout).await;
                connected.map_err(|error| match is_misuse(&error) {
                    true => Trouble::Misconfigured { detail: format!("{host}: {error}") },
                    false => not_sent(&format!("connect to {host}"), &error),
                })
            }
            Topology::Sentinel { sentinels, .. } => {
                self.ask_around(sentinels.clone(), response_timeout).await
            }
            Topology::Cluster { seeds } => {
                let learnt = self.known(|_| true).into_iter().filter(|host| !seeds.contains(host));
                let known = seeds.iter().cloned().chain(learnt).collect();
                self.ask_around(known, response_timeout).await
            }
        }
    }

    /// Connects to every primary that can hold a region.
    ///
    /// # Errors
    /// As [`Whereabouts::connect`]; also when one of several cannot be reached.
    pub(crate) async fn primaries(&self) -> Result<Vec<(String, MultiplexedConnection)>, Trouble> {
        let Topology::Cluster { .. } = &self.topology else {
            return Ok(vec![("the primary".to_owned(), self.connect(Some(CONNECT_TIMEOUT)).await?)]);
        };
        // Once connected to one of them, all are known.
        self.connect(Some(CONNECT_TIMEOUT)).await?;
        let mut primaries = Vec::new();
        for host in self.known(|known| known.is_primary) {
            let connected = self.primary(&host, Some(CONNECT_TIMEOUT)).await;
            let unreached = |why| Trouble::Unavailable { detail: format!("connect to {host}: {why}") };
            primaries.push((host.to_string(), connected.map_err(unreached)?));
        }
        Ok(primaries)
    }

    /// Asks one after the other where the primary is, until one of their answers leads to a primary.
    async fn ask_around(
        &self,
        whom: Vec<Host>,
        response_timeout: Option<Duration>,
    ) -> Result<MultiplexedConnection, Trouble> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % whom.len().max(1);
        let (mut tried, mut passing, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        for asked in whom.iter().cycle().skip(turn).take(whom.len()) {
            let primary = match self.ask(asked).await {
                Ok(primary) => primary,
                Err(Silence::Passing(why)) => {
                    passing.push(format!("{asked}: {why}"));
                    continue;
                }
                Err(Silence::Wrong(why)) => {
                    wrong.push(format!("{asked}: {why}"));
                    continue;
                }
            };
            if tried.contains(&primary) {
                continue;
            }
            match self.primary(&primary, response_timeout).await {
                Ok(connection) => return Ok(connection),
                Err(why) => passing.push(format!("{primary}, which {asked} names: {why}")),
            }
            tried.push(primary);
        }
        // One who is away may know better than those who are wrong.
        if passing.is_empty() && !wrong.is_empty() {
            return Err(Trouble::Misconfigured { detail: wrong.join("; ") });
        }
        passing.extend(wrong);
        Err(Trouble::Unavailable { detail: format!("find the primary: {}", passing.join("; ")) })
    }

    /// Asks a Sentinel or a server of the Cluster where the primary is.
    async fn ask(&self, asked: &Host) -> Result<Host, Silence> {
        match &self.topology {
            Topology::Standalone(host) => Ok(host.clone()),
            Topology::Sentinel { service, .. } => self.ask_sentinel(asked, service).await,
            Topology::Cluster { .. } => self.ask_cluster(asked).await,
        }
    }

    async fn ask_sentinel(&self, asked: &Host, service: &str) -> Result<Host, Silence> {
        let mut connection =
            self.to_sentinels.connect(asked, Some(CONNECT_TIMEOUT)).await.map_err(silence)?;
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        let answer: RedisResult<Option<(String, u16)>> = ask.query_async(&mut connection).await;
        if let Some((name, port)) = answer.map_err(silence)? {
            return Ok(Host { name, port });
        }
        // A list of all that it knows, each a list of names and values.
        let mut list = redis::cmd("SENTINEL");
        let known: RedisResult<Vec<std::collections::HashMap<String, String>>> =
            list.arg("MASTERS").query_async(&mut connection).await;
        let known = known.unwrap_or_default();
        let names: Vec<&str> = known.iter().filter_map(|of| of.get("name").map(String::as_str)).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(Silence::Wrong(format!("this Sentinel knows no service {service}; it knows {names}")))
    }

    async fn ask_cluster(&self, asked: &Host) -> Result<Host, Silence> {
        let mut connection = self.to_servers.connect(asked, Some(CONNECT_TIMEOUT)).await.map_err(silence)?;
        let slots: Value =
            redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await.map_err(silence)?;
        let ranges = ranges(slots, asked).map_err(|error| Silence::Passing(error.to_string()))?;
        self.learn(&ranges);
        let range = ranges.into_iter().find(|range| (range.first..=range.last).contains(&self.slot));
        let primary = range.and_then(|range| range.servers.into_iter().next());
        primary.ok_or_else(|| Silence::Passing(format!("it knows no server for slot {}", self.slot)))
    }

    /// Connects to a server and makes sure that it is a primary: who named it may only know the past.
    async fn primary(
        &self,
        host: &Host,
        response_timeout: Option<Duration>,
    ) -> Result<MultiplexedConnection, String> {
        let connect = async {
            let mut connection = self.to_servers.connect(host, response_timeout).await?;
            let info: String = redis::cmd("INFO").arg("replication").query_async(&mut connection).await?;
            Ok((connection, info))
        };
        // The connection may be one without a timeout of its own.
        let connected = tokio::time::timeout(2 * CONNECT_TIMEOUT, connect).await;
        let connected: RedisResult<_> = connected.map_err(|_| "no answer".to_owned())?;
        let (connection, info) = connected.map_err(|error| error.to_string())?;
        match info.lines().any(|line| line == "role:master") {
            true => Ok(connection),
            false => Err("it is a replica".to_owned()),
        }
    }

    fn learn(&self, ranges: &[Range]) {
        let mut found: Vec<Known> = Vec::new();
        for range in ranges {
            for (place, host) in range.servers.iter().enumerate() {
                if !found.iter().any(|known| known.host == *host) {
                    found.push(Known { host: host.clone(), is_primary: place == 0 });
                }
            }
        }
        *self.learnt() = found;
    }

    /// Lists the servers of the Cluster that were learnt of and are wanted.
    fn known(&self, wanted: impl Fn(&Known) -> bool) -> Vec<Host> {
        self.learnt().iter().filter(|known| wanted(known)).map(|known| known.host.clone()).collect()
    }

    fn learnt(&self) -> std::sync::MutexGuard<'_, Vec<Known>> {
        self.learnt.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Way {
    fn client(&self, host: &Host) -> RedisResult<Client> {
        let (name, port) = (host.name.clone(), host.port);
        let address = match self.tls {
            true => ConnectionAddr::TcpTls { host: name, port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(name, port),
        };
        let info = address.into_connection_info()?;
        // Older servers do not know the call by which the library gives its name, and users may not be allowed it.
        let mut settings = info.redis_settings().clone().set_db(self.database).set_skip_set_lib_name();
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        let info = info.set_redis_settings(settings);
        match self.tls {
            true => Client::build_with_tls(info, self.certificates.clone()),
            false => Client::open(info),
        }
    }

    async fn connect(
        &self,
        host: &Host,
        response_timeout: Option<Duration>,
    ) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(response_timeout);
        self.client(host)?.get_multiplexed_async_connection_with_config(&config).await
    }
}

fn silence(error: RedisError) -> Silence {
    match is_misuse(&error) {
        true => Silence::Wrong(error.to_string()),
        false => Silence::Passing(error.to_string()),
    }
}

fn certificates(access: &Access) -> TlsCertificates {
    let client_tls = access.certificate.clone();
    let client_tls = client_tls.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    TlsCertificates { client_tls, root_cert: access.authorities.clone() }
}

/// Checks what the library takes without a word: a file without a certificate trusts nobody, and proves nothing.
fn check_certificates(access: &Access) -> Result<(), String> {
    let has = |pem: &[u8]| pem.windows(27).any(|text| text == b"-----BEGIN CERTIFICATE-----");
    if access.authorities.as_deref().is_some_and(|pem| !has(pem)) {
        return Err("the file of authorities for the store has no certificate in PEM".to_owned());
    }
    if access.certificate.as_ref().is_some_and(|(certificate, _)| !has(certificate)) {
        return Err("the certificate for the store is not in PEM".to_owned());
    }
    Ok(())
}

/// Slots that lie on one primary.
struct Range {
    first: u16,
    last: u16,
    /// The primary, then its replicas.
    servers: Vec<Host>,
}

/// Reads what `CLUSTER SLOTS` says. A server that does not know its own name is called as we call it.
fn ranges(answer: Value, asked: &Host) -> RedisResult<Vec<Range>> {
    let ranges: Vec<Vec<Value>> = FromRedisValue::from_redis_value(answer)?;
    let range = |parts: Vec<Value>| {
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or(Value::Nil);
        let (first, last) = (u16::from_redis_value(next())?, u16::from_redis_value(next())?);
        let servers = parts.map(|server| {
            let server: Vec<Value> = FromRedisValue::from_redis_value(server)?;
            let mut server = server.into_iter();
            let mut next = || server.next().unwrap_or(Value::Nil);
            let name: Option<String> = FromRedisValue::from_redis_value(next())?;
            let name =
                name.filter(|name| !name.is_empty() && name != "?").unwrap_or_else(|| asked.name.clone());
            Ok(Host { name, port: u16::from_redis_value(next())? })
        });
        Ok(Range { first, last, servers: servers.collect::<RedisResult<_>>()? })
    };
    ranges.into_iter().map(range).collect()
}
