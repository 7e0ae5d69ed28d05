//! B1 to B13 of the catalogue of bad inputs, over real sockets, with certificates of throw-away authorities.

use std::net::SocketAddr;
use std::path::Path;

use fallow_api::problem::Problem;
use fallow_api::v1::capacity_service_server::{CapacityService, CapacityServiceServer};
use fallow_api::v1::{GetOfferRequest, GetOfferResponse, Offer};
use fallow_api::{reasons, v1};
use prost::Message as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{Code, Request, Response, Status};

use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::{Signer, SigningKey, Verifier, built_in, caller};
use crate::limits::Limits;
use crate::serve::Server;
use crate::tasks::Tasks;
use crate::wire::Wire;

/// How long a test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(30);
const GOOD: &str = "spiffe://fallow.north-vale.nhs.example/trust/ZA1/system/bed-state/live";

/// Says who called.
struct Mirror;

#[tonic::async_trait]
impl CapacityService for Mirror {
    async fn get_offer(
        &self,
        request: Request<GetOfferRequest>,
    ) -> Result<Response<GetOfferResponse>, Status> {
        let who = caller(&request)?.actor;
        let trust = who.trust.map(|trust| trust.to_string()).unwrap_or_default();
        let offer = Offer { trust, source_key: who.subject.to_string(), ..Offer::default() };
        Ok(Response::new(GetOfferResponse { offer: Some(offer), ..Default::default() }))
    }
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
type Pair = (String, String);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (day(-1), day(1));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn system(&self, uris: &[&str]) -> Pair {
        self.sign(|params| {
            params.serial_number = Some(SerialNumber::from(7_u64));
            params.distinguished_name.push(DnType::CommonName, "ZA1");
            params.subject_alt_names =
                uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        })
    }

    fn revocations(&self, serials: &[u64]) -> String {
        self.revocations_until(serials, date_time_ymd(2096, 1, 1))
    }

    fn revocations_until(&self, serials: &[u64], next_update: time::OffsetDateTime) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update,
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// Returns the beginning of a day, so many after today.
fn day(after: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp((Clock::system().now().as_second() / 86_400 + after) * 86_400)
        .unwrap()
}

struct World {
    address: SocketAddr,
    authority: Authority,
    folder: tempfile::TempDir,
    tls: Tls,
    signer: Signer,
    tasks: Tasks,
}

async fn world(changes: &[(&str, &str)]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority of a test");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = authority.sign(at_this_machine);
    let files = [
        ("tls.certificate_file", put("server.pem", &certificate)),
        ("tls.key_file", put("server-key.pem", &key)),
        ("tls.client_ca_file", put("ca.pem", &authority.pem)),
        ("tls.crl_file", put("crl.pem", &authority.revocations(&[]))),
    ];
    let settings: Vec<_> =
        files.iter().map(|(key, path)| (*key, path.as_str())).chain(changes.iter().copied()).collect();
    let config = Config::load(None, [])
        .unwrap()
        .with(&[("region.id", "north-vale")])
        .unwrap()
        .with(&settings)
        .unwrap();
    let tls = Tls::open(&config).unwrap().unwrap();
    let signer = Signer::new(SigningKey::generate().unwrap(), "fallow", "fallow", Clock::system());
    let region = config.region.id.clone();
    let verifier = Verifier::new(signer.key_set(), ("fallow", "fallow"), region, 10, Clock::system());
    let tasks = Tasks::new();
    let wire = Wire::new(verifier, Limits::new(&config.limits), &config.server, Clock::system())
        .among(|trust| trust.as_str() != "ZA9");
    let server = Server::new(wire).encrypted(Some(tls.clone())).with(CapacityServiceServer::new(Mirror));
    let running = server.start((config.listen.bind, 0), &config.server, &tasks).await.unwrap();
    World { address: running.address, authority, folder, tls, signer, tasks }
}

fn at_this_machine(params: &mut CertificateParams) {
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
}

const NEW: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

impl World {
    fn config(&self, pair: Option<&Pair>, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match pair {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => config
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    async fn connect(&self, config: ClientConfig) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::IpAddress(self.address.ip().into());
        within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }

    /// Connects and waits for the alert that says why not.
    async fn alert(&self, config: ClientConfig) -> Option<AlertDescription> {
        let refused = match self.connect(config).await {
            Err(refused) => refused,
            // Of TLS 1.3 the client ends its side of the handshake before the server has looked at its certificate.
            Ok(mut stream) => within(stream.read_u8()).await.unwrap_err(),
        };
        match refused.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
            other => panic!("{refused}: {other:?}"),
        }
    }

    async fn client(&self, pair: Option<&Pair>) -> Client {
        let stream = self.connect(self.config(pair, NEW)).await.unwrap();
        let (send, connection) = within(h2::client::handshake(stream)).await.unwrap();
        self.tasks.spawn("client", async {
            // It ends when either side lets go.
            let _ = connection.await;
        });
        Client { send, address: self.address }
    }

    /// Returns how a call is answered over a connection with these URIs in its certificate.
    async fn called_as(&self, uris: &[&str]) -> Result<Offer, (Code, String)> {
        self.client(Some(&self.authority.system(uris))).await.call(None).await
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }
}

#[derive(Clone)]
struct Client {
    send: h2::client::SendRequest<bytes::Bytes>,
    address: SocketAddr,
}

impl Client {
    async fn call(&mut self, token: Option<&str>) -> Result<Offer, (Code, String)> {
        self.try_call(token).await.expect("the connection holds")
    }

    /// Makes a call; `Err` when the connection does not hold.
    async fn try_call(&mut self, token: Option<&str>) -> Result<Result<Offer, (Code, String)>, h2::Error> {
        let mut request = http::Request::builder()
            .method("POST")
            .uri(format!("https://{}/fallow.v1.CapacityService/GetOffer", self.address))
            .header("content-type", "application/grpc");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut ready = within(self.send.clone().ready()).await?;
        let (response, mut body) = ready.send_request(request.body(()).unwrap(), false)?;
        body.send_data(bytes::Bytes::from_static(&[0; 5]), true)?;
        let (head, mut stream) = within(response).await?.into_parts();
        let mut bytes = Vec::new();
        while let Some(data) = within(stream.data()).await {
            bytes.extend_from_slice(&data?);
        }
        let trailers = within(stream.trailers()).await?.unwrap_or_default();
        let status =
            Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&head.headers)).unwrap();
        if status.code() != Code::Ok {
            let problem = Problem::from(&status);
            return Ok(Err((problem.code, problem.reason)));
        }
        Ok(Ok(v1::GetOfferResponse::decode(&bytes[5..]).unwrap().offer.unwrap()))
    }
}

async fn within<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.expect("in time")
}

fn refused(code: Code, reason: &str) -> Result<Offer, (Code, String)> {
    Err((code, reason.to_owned()))
}

#[tokio::test]
async fn certificates_that_nobody_vouches_for_are_refused_by_alert() {
    let world = world(&[]).await;
    let (own, other) = (&world.authority, Authority::new("another authority"));
    let at = |from: i32, to: i32| {
        own.sign(|params| {
            params.subject_alt_names = vec![SanType::URI(GOOD.try_into().unwrap())];
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        })
    };
    for (row, pair, alert) in [
        ("B1", None, AlertDescription::CertificateRequired),
        ("B2", Some(other.system(&[GOOD])), AlertDescription::UnknownCA),
        ("B3", Some(at(2020, 2021)), AlertDescription::CertificateExpired),
        ("B4", Some(at(2090, 2091)), AlertDescription::CertificateExpired),
    ] {
        assert_eq!(world.alert(world.config(pair.as_ref(), NEW)).await, Some(alert), "{row}");
    }
    assert_eq!(world.called_as(&[GOOD]).await.unwrap().trust, "ZA1", "and it serves on");
}

#[tokio::test]
async fn a_certificate_that_lives_for_more_than_three_days_is_not_believed() {
    let world = world(&[]).await;
    let living = |until: i64| {
        world.authority.sign(|params| {
            params.subject_alt_names = vec![SanType::URI(GOOD.try_into().unwrap())];
            params.not_after = day(until);
        })
    };
    assert_eq!(world.client(Some(&living(2))).await.call(None).await.unwrap().trust, "ZA1");
    let mut long = world.client(Some(&living(3))).await;
    assert!(long.try_call(None).await.is_err(), "four days");
}

#[tokio::test]
async fn a_late_revocation_list_is_told_and_what_it_revokes_stays_revoked() {
    let world = world(&[]).await;
    assert_eq!(world.tls.stale_lists(), 0);
    let late = world.authority.revocations_until(&[7], day(-1));
    world.put("crl.pem", &late);
    world.tls.reload().unwrap();
    assert_eq!(world.tls.stale_lists(), 1);
    let revoked = world.config(Some(&world.authority.system(&[GOOD])), NEW);
    assert_eq!(world.alert(revoked).await, Some(AlertDescription::CertificateRevoked));
    let other = world.authority.sign(|params| {
        params.subject_alt_names = vec![SanType::URI(GOOD.try_into().unwrap())];
    });
    assert_eq!(world.client(Some(&other)).await.call(None).await.unwrap().trust, "ZA1");
}

#[tokio::test]
async fn a_file_without_a_list_lets_nobody_in_again() {
    let world = world(&[]).await;
    let list = world.authority.revocations(&[7]);
    world.put("crl.pem", &list);
    world.tls.reload().unwrap();
    let (cut, _) = list.split_at(list.len() / 2);
    for text in ["", "no list", cut] {
        world.put("crl.pem", text);
        assert!(
            matches!(world.tls.reload(), Err(TlsError::NoLists { .. } | TlsError::File { .. })),
            "{text}"
        );
        let revoked = world.config(Some(&world.authority.system(&[GOOD])), NEW);
        assert_eq!(world.alert(revoked).await, Some(AlertDescription::CertificateRevoked), "{text}");
    }
    assert_eq!(end_of_list(b"says no time"), i64::MIN);
}

#[tokio::test]
async fn what_is_revoked_loses_its_connections_and_gets_no_new_one() {
    let world = world(&[]).await;
    let pair = world.authority.system(&[GOOD]);
    let mut client = world.client(Some(&pair)).await;
    let told = client.call(None).await.unwrap();
    assert_eq!((told.trust.as_str(), told.source_key.as_str()), ("ZA1", "bed-state"));
    let kept = world.authority.sign(|params| {
        params.serial_number = Some(SerialNumber::from(8_u64));
        params.subject_alt_names =
            vec![SanType::URI(GOOD.replace("bed-state", "other").as_str().try_into().unwrap())];
    });
    let mut other = world.client(Some(&kept)).await;
    other.call(None).await.unwrap();

    // B5
    world.put("crl.pem", &world.authority.revocations(&[7]));
    world.tls.reload().unwrap();
    assert!(client.try_call(None).await.is_err(), "its connection is closed");
    let alert = world.alert(world.config(Some(&pair), NEW)).await;
    assert_eq!(alert, Some(AlertDescription::CertificateRevoked));
    assert_eq!(other.call(None).await.unwrap().source_key, "other", "the others keep theirs");
}

#[tokio::test]
async fn new_files_are_taken_up_and_broken_ones_are_not() {
    let world = world(&[]).await;
    let shown = async || {
        let stream = world.connect(world.config(Some(&world.authority.system(&[GOOD])), NEW)).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let first = shown().await;
    world.put("server.pem", "no certificate");
    assert!(matches!(world.tls.reload(), Err(TlsError::Unfit(_) | TlsError::File { .. })));
    assert_eq!(shown().await, first, "what was in force stays so");
    let (certificate, key) = world.authority.sign(at_this_machine);
    world.put("server.pem", &certificate);
    world.put("server-key.pem", &key);
    world.tls.reload().unwrap();
    assert_ne!(shown().await, first);

    // Another authority, and the systems of the one before are strangers.
    let other = Authority::new("the next authority");
    let mut client = world.client(Some(&world.authority.system(&[GOOD]))).await;
    client.call(None).await.unwrap();
    world.put("ca.pem", &other.pem);
    world.put("crl.pem", &other.revocations(&[]));
    world.tls.reload().unwrap();
    assert!(client.try_call(None).await.is_err());
    let mut client = world.client(Some(&other.system(&[GOOD]))).await;
    assert_eq!(client.call(None).await.unwrap().trust, "ZA1");
}

#[tokio::test]
async fn one_uri_says_who_calls() {
    use Code::{PermissionDenied, Unauthenticated};
    let world = world(&[]).await;
    let elsewhere = GOOD.replace("north-vale", "south-vale");
    let test = GOOD.replace("/live", "/test");
    let unknown = GOOD.replace("ZA1", "ZA9");
    let up = GOOD.replace("bed-state", "..");
    for (row, uris, code, reason) in [
        ("B6", vec![GOOD, test.as_str()], Unauthenticated, reasons::CERT_IDENTITY_AMBIGUOUS),
        ("B7", vec![], Unauthenticated, reasons::CERT_IDENTITY_MISSING),
        ("B8", vec![up.as_str()], Unauthenticated, reasons::CERT_IDENTITY_MALFORMED),
        ("B9", vec![elsewhere.as_str()], Unauthenticated, reasons::CERT_WRONG_DOMAIN),
        ("B9", vec![test.as_str()], Unauthenticated, reasons::CERT_WRONG_DOMAIN),
        ("B10", vec![unknown.as_str()], PermissionDenied, reasons::TRUST_NOT_ACTIVE),
    ] {
        assert_eq!(world.called_as(&uris).await, refused(code, reason), "{row} {uris:?}");
    }
    assert_eq!(world.called_as(&[GOOD]).await.unwrap().trust, "ZA1");
}

#[tokio::test]
async fn a_systems_token_is_bound_to_its_trusts_connection() {
    let world = world(&[]).await;
    let region = RegionId::parse("north-vale").unwrap();
    let token = |name: &str| {
        world.signer.issue(&built_in::user(name, &region).unwrap(), Duration::from_secs(60)).unwrap()
    };
    let mut client = world.client(Some(&world.authority.system(&[GOOD]))).await;
    // B49
    let stolen = client.call(Some(&token("trust-system.ZA2"))).await;
    assert_eq!(stolen, refused(Code::Unauthenticated, reasons::TOKEN_BINDING));
    for elsewhere in ["bed-manager.ZA2", "duty-lead", "trust-system.ZA1"] {
        let stolen = client.call(Some(&token(elsewhere))).await;
        assert_eq!(stolen, refused(Code::Unauthenticated, reasons::TOKEN_BINDING), "{elsewhere}");
    }
    let mut own = built_in::user("trust-system.ZA1", &region).unwrap();
    own.actor.subject = fallow_domain::ids::Label::parse("bed-state").unwrap();
    let own = world.signer.issue(&own, Duration::from_secs(60)).unwrap();
    assert_eq!(client.call(Some(&own)).await.unwrap().trust, "ZA1");
    assert_eq!(client.call(Some(&token("bed-manager.ZA1"))).await.unwrap().trust, "ZA1");
    // A console, whose certificate names no system of a trust, speaks for people of every trust.
    let mut console = world.client(Some(&world.authority.system(&[]))).await;
    assert_eq!(console.call(Some(&token("bed-manager.ZA2"))).await.unwrap().trust, "ZA2");
}

#[tokio::test]
async fn people_connect_without_a_certificate_where_the_settings_say_so() {
    let world = world(&[("tls.require_client_certificate", "false")]).await;
    let mut client = world.client(None).await;
    assert_eq!(client.call(None).await, refused(Code::Unauthenticated, reasons::NO_CREDENTIALS));
    let user = built_in::user("bed-manager.ZA2", &RegionId::parse("north-vale").unwrap()).unwrap();
    let token = world.signer.issue(&user, Duration::from_secs(60)).unwrap();
    assert_eq!(client.call(Some(&token)).await.unwrap().trust, "ZA2");
}

#[tokio::test]
async fn nothing_but_http_2_over_tls_1_3_is_spoken() {
    let world = world(&[]).await;
    let pair = world.authority.system(&[GOOD]);
    // B11
    let old = world.config(Some(&pair), &[&rustls::version::TLS12]);
    assert_eq!(world.alert(old).await, Some(AlertDescription::ProtocolVersion));
    let mut plain = TcpStream::connect(world.address).await.unwrap();
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    ends(&mut plain).await;
    // B13
    let mut one = world.config(Some(&pair), NEW);
    one.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert_eq!(world.alert(one).await, Some(AlertDescription::NoApplicationProtocol));
    let mut silent = world.config(Some(&pair), NEW);
    silent.alpn_protocols.clear();
    let mut stream = world.connect(silent).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: fallow\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    // However it ends: nothing of HTTP/1.1 is answered.
    let _ = within(stream.read_to_end(&mut said)).await;
    assert!(!said.starts_with(b"HTTP/1.1 2"), "{said:?}");
    assert_eq!(world.called_as(&[GOOD]).await.unwrap().trust, "ZA1");
}

/// B12, and those who wait meanwhile.
#[tokio::test]
async fn a_slow_handshake_ends_and_holds_up_nobody_for_longer() {
    let world = world(&[("tls.handshake_ms", "500"), ("tls.handshakes", "2")]).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(&[22]).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(world.called_as(&[GOOD]).await.unwrap().trust, "ZA1", "after them");
    for mut stream in slow {
        ends(&mut stream).await;
    }
}

/// Waits until the other side has closed a connection.
async fn ends(stream: &mut TcpStream) {
    let mut said = Vec::new();
    // A reset is an end too.
    let _ = within(stream.read_to_end(&mut said)).await;
}

#[test]
fn the_throw_away_authority_is_for_development_only() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(DEV_AUTHORITY);
    let (certificate, key) = authority.sign(at_this_machine);
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let files = [put("server.pem", &certificate), put("key.pem", &key), put("ca.pem", &authority.pem)];
    let settings = [
        ("tls.certificate_file", files[0].as_str()),
        ("tls.key_file", files[1].as_str()),
        ("tls.client_ca_file", files[2].as_str()),
    ];
    let config = Config::load(None, []).unwrap().with(&settings).unwrap();
    assert!(matches!(Tls::open(&config), Err(TlsError::DevAuthority)));
    let config = config.with(&[("dev.enabled", "true")]).unwrap();
    assert!(Tls::open(&config).unwrap().is_some());
    assert!(Tls::open(&Config::load(None, []).unwrap()).unwrap().is_none());
    assert!(Path::new(&files[0]).exists());
}
