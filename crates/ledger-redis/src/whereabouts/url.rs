//! The URL of a store, taken apart. What is wrong is said by naming the part and never by repeating it: a password that
//! was not escaped may have ended up anywhere.

use std::fmt;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

/// A server's name and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]", self.name)?,
            false => f.write_str(&self.name)?,
        }
        write!(f, ":{}", self.port)
    }
}

/// Which servers there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server, or what a managed store shows as one.
    Standalone(Host),
    /// Sentinels that know the primary of a service.
    Sentinel { sentinels: Vec<Host>, service: String },
    /// Some servers of a Cluster, which know the others.
    Cluster { seeds: Vec<Host> },
}

/// A URL of a store, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreUrl {
    pub(crate) topology: Topology,
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: i64,
}

/// Which kind of store a scheme names.
#[derive(Clone, Copy)]
enum Kind {
    Standalone,
    Sentinel,
    Cluster,
}

/// Takes a URL apart.
///
/// # Errors
/// Says which part is wrong and what it must be.
pub(crate) fn parse(url: &str) -> Result<StoreUrl, String> {
    let (scheme, rest) = url.split_once("://").ok_or("it must begin with a scheme such as redis://")?;
    let (kind, tls) = match scheme {
        "redis" => (Kind::Standalone, false),
        "rediss" => (Kind::Standalone, true),
        "redis+sentinel" => (Kind::Sentinel, false),
        "rediss+sentinel" => (Kind::Sentinel, true),
        "redis+cluster" => (Kind::Cluster, false),
        "rediss+cluster" => (Kind::Cluster, true),
        _ => {
            return Err("its scheme must be redis, redis+sentinel or redis+cluster, or with TLS rediss, \
                        rediss+sentinel or rediss+cluster"
                .to_owned());
        }
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (Some(credentials), hosts),
        None => (None, authority),
    };
    let (user, password) = match credentials.map(|both| both.split_once(':').unwrap_or((both, ""))) {
        Some((user, password)) => (plain(user, "user")?, plain(password, "password")?),
        None => (None, None),
    };
    let default_port = if matches!(kind, Kind::Sentinel) { SENTINEL_PORT } else { REDIS_PORT };
    let hosts = hosts.split(',').enumerate().map(|(n, text)| host(text, n + 1, default_port));
    let mut hosts = hosts.collect::<Result<Vec<Host>, String>>()?;
    let mut database = database(query)?;
    let topology = match kind {
        Kind::Standalone => {
            if !path.is_empty() {
                database = Some(number(path)?);
            }
            match (hosts.pop(), hosts.is_empty()) {
                (Some(host), true) => Topology::Standalone(host),
                _ => {
                    return Err(
                        "a single server has one host; for several: redis+sentinel or redis+cluster".into()
                    );
                }
            }
        }
        Kind::Sentinel => {
            let service = plain(path, "service")?.filter(|service| !service.contains('/'));
            let service =
                service.ok_or("the name that the Sentinels give the service must follow the hosts: /NAME")?;
            Topology::Sentinel { sentinels: hosts, service }
        }
        Kind::Cluster if !path.is_empty() || database.is_some_and(|number| number != 0) => {
            return Err("a Cluster has no databases: nothing may follow the hosts".to_owned());
        }
        Kind::Cluster => Topology::Cluster { seeds: hosts },
    };
    Ok(StoreUrl { topology, tls, user, password, database: database.unwrap_or(0) })
}

fn host(text: &str, number: usize, default_port: u16) -> Result<Host, String> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(format!("the bracket of host {number} is not closed"))?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if name.is_empty() {
        return Err(format!("host {number} is empty"));
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => Some(default_port),
        None => None,
        Some(port) => port.parse().ok().filter(|port| *port > 0),
    };
    let port = port.ok_or(format!("the port of host {number} must be 1 to 65535"))?;
    Ok(Host { name: name.to_owned(), port })
}

fn database(query: &str) -> Result<Option<i64>, String> {
    match query.split_once('=') {
        None if query.is_empty() => Ok(None),
        Some(("db", database)) => number(database).map(Some),
        Some(_) | None => Err("after the ? there may only be db=NUMBER".to_owned()),
    }
}

fn number(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| (0..=i64::from(u16::MAX)).contains(number));
    number.ok_or("the database must be a number, 0 to 65535".to_owned())
}

/// Undoes the escapes of a part; none when it is empty.
fn plain(text: &str, part: &str) -> Result<Option<String>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits =
                    [rest.next(), rest.next()].map(|digit| digit.and_then(|d| char::from(d).to_digit(16)));
                let [Some(high), Some(low)] = digits else {
                    return Err(format!("in the {part}, % must be followed by two hexadecimal digits"));
                };
                u8::try_from(high * 16 + low).unwrap_or(b'%')
            }
            plain => plain,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("the {part} is not UTF-8"))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str, port: u16) -> Host {
        Host { name: name.to_owned(), port }
    }

    fn check(url: &str, topology: Topology, tls: bool, user: (&str, &str), database: i64) {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let expected = StoreUrl { topology, tls, user: some(user.0), password: some(user.1), database };
        assert_eq!(parse(url), Ok(expected), "{url}");
    }

    #[test]
    fn each_form_is_taken_apart() {
        let one = |name, port| Topology::Standalone(at(name, port));
        check("redis://localhost", one("localhost", 6379), false, ("", ""), 0);
        check("redis://:p%40ss@10.0.0.1:7000/3", one("10.0.0.1", 7000), false, ("", "p@ss"), 3);
        check("rediss://svc:a%3Ab%2F@[::1]:7000/", one("::1", 7000), true, ("svc", "a:b/"), 0);
        let sentinels = vec![at("a", 26_379), at("b", 7), at("c", 26_379)];
        let sentinel = || Topology::Sentinel { sentinels: sentinels.clone(), service: "north vale".into() };
        check("redis+sentinel://a,b:7,c/north%20vale", sentinel(), false, ("", ""), 0);
        check("rediss+sentinel://svc@a,b:7,c/north%20vale?db=2", sentinel(), true, ("svc", ""), 2);
        let cluster = |tls| (Topology::Cluster { seeds: vec![at("a", 6379), at("b", 7001)] }, tls);
        let (seeds, plain) = cluster(false);
        check("redis+cluster://a,b:7001", seeds, plain, ("", ""), 0);
        let (seeds, tls) = cluster(true);
        check("rediss+cluster://u:p@a,b:7001/", seeds, tls, ("u", "p"), 0);
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (url, named) in [
            ("", "scheme"),
            ("http://secret@host", "scheme"),
            ("redis://u:secret@", "host 1 is empty"),
            ("redis://u:secret@:x/", "host 1 is empty"),
            ("redis://u:p@ss/secret@host", "database"),
            ("redis://u:p%4secret@host", "password"),
            ("redis://host:secret", "port of host 1"),
            ("redis://host:0", "port of host 1"),
            ("redis://[::1", "bracket of host 1"),
            ("redis://a,b", "one host"),
            ("redis://host/secret", "database"),
            ("redis://host?secret=1", "db=NUMBER"),
            ("redis+sentinel://a,,b/name", "host 2 is empty"),
            ("redis+sentinel://a,b", "/NAME"),
            ("redis+sentinel://a/", "/NAME"),
            ("redis+cluster://a/1", "no databases"),
            ("redis+cluster://a?db=1", "no databases"),
        ] {
            let refused = parse(url).expect_err(url);
            assert!(refused.contains(named) && !refused.contains("secret"), "{url}: {refused}");
        }
    }
}
