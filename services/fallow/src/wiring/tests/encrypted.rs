//! Services behind certificates, from the files of `fallow dev-ca` to a system that calls by its own.

use fallow_api::client::{Client, Settings};
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::dev_ca::{self, DevCaArgs};

#[tokio::test]
async fn a_system_calls_by_its_certificate_alone() {
    let folder = tempfile::tempdir().unwrap();
    let system = |trust: &str| (trust.parse().unwrap(), "bed-state".to_owned());
    let args = DevCaArgs {
        folder: folder.path().to_owned(),
        systems: ["ZA1", "ZA2", "ZZ9"].map(system).into(),
        revoked: vec![system("ZA2")],
        config: None,
    };
    dev_ca::make(&args, dev_ca::today()).unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let files = ["server.pem", "server-key.pem", "ca.pem", "crl.pem"].map(file);
    let keys = ["tls.certificate_file", "tls.key_file", "tls.client_ca_file", "tls.crl_file"];
    let settings: Vec<(&str, &str)> = keys.into_iter().zip(files.iter().map(String::as_str)).collect();
    let mut process = process(&settings);
    process.region_file = Some(NORTH_VALE.to_owned());
    let services = process.services(&every(), Ports::One, Arc::new(MemoryLedger::new())).await.unwrap();
    services.ready().await.unwrap();
    let url = services.url(Service::Capacity).unwrap();
    assert!(url.starts_with("https://"), "{url}");

    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let list = async |trust: &str| {
        let mut settings = Settings::at(&url);
        settings.authority_pem = Some(text("ca.pem"));
        let pair = (text(&format!("{trust}-bed-state.pem")), text(&format!("{trust}-bed-state-key.pem")));
        settings.certificate_pem = Some(pair);
        let mut capacity = Client::new(&settings).unwrap().capacity();
        capacity.list_offers(v1::ListOffersRequest::default()).await.map_err(|status| Problem::from(&status))
    };
    assert_eq!(list("ZA1").await.unwrap().into_inner().offers, []);
    let refused = list("ZZ9").await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, reasons::TRUST_NOT_ACTIVE));
    assert!(list("ZA2").await.is_err(), "its certificate is revoked");

    // What a system's engineer sees of the way there, by its certificate alone.
    let context = format!(
        "current = \"test\"\n[contexts.test]\nendpoints = \"{url}\"\nauthority_file = \"{}\"\ncertificate_file = \
         \"{}\"\nkey_file = \"{}\"\n",
        file("ca.pem"),
        file("ZA1-bed-state.pem"),
        file("ZA1-bed-state-key.pem")
    );
    std::fs::write(folder.path().join("config.toml"), context).unwrap();
    let healthy = doctor(&file("config.toml")).await;
    let told = |check: &str| {
        let found = healthy["checks"].as_array().unwrap().iter().find(|one| one["check"] == check);
        found.and_then(|one| one["detail"].as_str()).unwrap_or_default().to_owned()
    };
    let endpoint = told("endpoint");
    assert!(endpoint.contains("TLS 1.3, ") && endpoint.contains(" h left, "), "{healthy:#}");
    assert!(told("own cert").ends_with(" h left"), "{healthy:#}");
    assert_eq!(
        (told("auth").as_str(), &healthy["failures"]),
        ("by its own certificate", &0.into()),
        "{healthy:#}"
    );
    // An authority that did not sign the certificate is no way there, and says so.
    let other = tempfile::tempdir().unwrap();
    let none =
        DevCaArgs { folder: other.path().to_owned(), systems: Vec::new(), revoked: Vec::new(), config: None };
    dev_ca::make(&none, dev_ca::today()).unwrap();
    let context = format!(
        "current = \"test\"\n[contexts.test]\nendpoints = \"{url}\"\nauthority_file = \"{}\"\n",
        other.path().join("ca.pem").display()
    );
    std::fs::write(folder.path().join("other.toml"), context).unwrap();
    let strange = doctor(&file("other.toml")).await.to_string();
    assert!(strange.contains("is not signed by the authority that the context names"), "{strange}");

    // As `fallow healthcheck` and the console do.
    let endpoint = tonic::transport::Endpoint::from_shared(url).unwrap();
    let channel =
        endpoint.tls_config(client_tls(&process.config).unwrap().unwrap()).unwrap().connect().await.unwrap();
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    process.tasks.finish(Duration::from_secs(10)).await.unwrap();
}

/// Runs `fallow doctor -o json` with the contexts of a file.
async fn doctor(contexts: &str) -> serde_json::Value {
    use clap::{CommandFactory as _, Parser as _};

    use crate::root::{Command, Root};
    let words =
        ["fallow", "doctor", "-o", "json", "--context-file", contexts, "--state-home", "/nonexistent"];
    let root = Root::try_parse_from(words).unwrap();
    let Command::Client(verb) = root.command else { panic!("not a client command") };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = crate::cli::Terminal {
        out: &mut out,
        err: &mut err,
        interactive: false,
        colour: false,
        ascii: false,
        input: None,
    };
    crate::cli::run(*verb, root.global, Root::command(), Clock::system(), terminal).await;
    serde_json::from_slice(&out).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&err)))
}

#[tokio::test]
async fn a_console_goes_on_when_all_certificates_are_replaced() {
    let (folder, next) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let make = |folder: &std::path::Path| {
        let args =
            DevCaArgs { folder: folder.to_owned(), systems: Vec::new(), revoked: Vec::new(), config: None };
        dev_ca::make(&args, dev_ca::today()).unwrap();
    };
    make(folder.path());
    make(next.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let names = ["server.pem", "server-key.pem", "ca.pem", "crl.pem"];
    let files = names.map(file);
    let keys = ["tls.certificate_file", "tls.key_file", "tls.client_ca_file", "tls.crl_file"];
    let mut settings: Vec<(&str, &str)> = keys.into_iter().zip(files.iter().map(String::as_str)).collect();
    settings.extend([("tls.reload_seconds", "1"), ("identity.built_in_users", "true")]);
    let mut process = process(&settings);
    process.region_file = Some(NORTH_VALE.to_owned());
    let services = process.services(&every(), Ports::One, Arc::new(MemoryLedger::new())).await.unwrap();
    services.ready().await.unwrap();
    let console = process.console(Some(&services)).await.unwrap();
    let cookie = {
        let form = "user=bed-manager.ZA1&next=/";
        let answer = said(console, "POST", "/sign-in", "", form).await;
        let (_, rest) = answer.split_once("fallow_session=").unwrap_or_else(|| panic!("{answer}"));
        format!("fallow_session={}", rest.split(';').next().unwrap())
    };
    let is_served =
        async || said(console, "GET", "/f/capacity", &cookie, "").await.starts_with("HTTP/1.1 200");
    assert!(is_served().await);

    // Another authority altogether: by the old certificate nothing connects any more.
    for name in names {
        std::fs::rename(next.path().join(name), folder.path().join(name)).unwrap();
    }
    process.tls.as_ref().unwrap().reload().unwrap();
    let served = async {
        while !is_served().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), served).await.unwrap();
    process.tasks.finish(Duration::from_secs(10)).await.unwrap();
}

/// Asks the console, and returns all that it answers.
async fn said(console: std::net::SocketAddr, method: &str, path: &str, cookie: &str, form: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {console}\r\nconnection: close\r\ncookie: {cookie}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut stream = tokio::net::TcpStream::connect(console).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
