//! Signing in at a real provider, through the real wire.

use std::path::Path;

use fallow_api::reasons;
use fallow_api::v1::capacity_service_client::CapacityServiceClient;
use fallow_api::v1::identity_service_client::IdentityServiceClient;
use fallow_api::v1::{
    EndSessionRequest, ExchangeTokenRequest, ExchangeTokenResponse, GetProviderRequest, LogOutRequest,
};
use fallow_api::v1::{GetSituationRequest, PublishOfferRequest, WatchSituationRequest};
use fallow_host::identity::provider::{Client as AtProvider, Secret, Tokens};
use fallow_issuer::{Client, Issuer, Person};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::*;

const MANAGER: &str = "900000000001";
const STRANGER: &str = "900000000009";
const ROLE: (&str, &[&str]) = ("S8000:G8000:R8008", &["B0401"]);

/// A region whose people sign in at a provider.
struct Region {
    process: Process,
    issuer: Issuer,
    services: Services,
    identity: IdentityServiceClient<Channel>,
    monitor: MonitorServiceClient<Channel>,
    _roles: tempfile::TempDir,
}

fn tables(folder: &Path) {
    let row = |code: &str, gives: &str| format!("[[role]]\ncode = \"{code}\"\ngives = \"{gives}\"\n");
    let trust = format!("organisation = \"ZA1\"\nkind = \"trust\"\n{}", row("R8008", "bed_manager"));
    std::fs::write(folder.join("ZA1.toml"), trust).unwrap();
    let gone = format!("organisation = \"ZZ9\"\nkind = \"trust\"\n{}", row("R8008", "bed_manager"));
    std::fs::write(folder.join("ZZ9.toml"), gone).unwrap();
}

impl Region {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let people = vec![
            Person::with_role(MANAGER, "Bed manager", "ZA1", ROLE),
            Person::with_role(STRANGER, "Somebody else", "ZA2", ROLE),
        ];
        let client = |id: &str| Client { id: id.to_owned(), ..Client::default() };
        let issuer =
            Issuer::new(&listener, people, vec![client("console"), client("cli"), client("another")])
                .unwrap();
        let roles = tempfile::tempdir().unwrap();
        tables(roles.path());
        let folder = roles.path().display().to_string();
        let mut process = process(&[
            ("provider.issuer", issuer.address()),
            ("provider.algorithm", "EdDSA"),
            ("provider.cli_client", "cli"),
            ("provider.role_folder", &folder),
        ]);
        process.region_file = Some(NORTH_VALE.to_owned());
        let serving = issuer.clone().serve(listener, process.tasks.stopping());
        process.tasks.spawn("issuer", async move { serving.await.unwrap() });
        let services = process.services(&every(), Ports::Each, Arc::new(MemoryLedger::new())).await.unwrap();
        services.ready().await.unwrap();
        let url = services.url(Service::Monitor).unwrap();
        let identity = IdentityServiceClient::connect(url.clone()).await.unwrap();
        let monitor = MonitorServiceClient::connect(url).await.unwrap();
        Self { process, issuer, services, identity, monitor, _roles: roles }
    }

    async fn exchange(&self, id_token: &str, access_token: &str) -> Result<ExchangeTokenResponse, Status> {
        self.exchange_with(id_token, access_token, "").await
    }

    async fn exchange_with(
        &self,
        id_token: &str,
        access: &str,
        nonce: &str,
    ) -> Result<ExchangeTokenResponse, Status> {
        let (id_token, access_token, nonce) = (id_token.to_owned(), access.to_owned(), nonce.to_owned());
        let asked = ExchangeTokenRequest { id_token, access_token, nonce, ..ExchangeTokenRequest::default() };
        self.identity.clone().exchange_token(asked).await.map(tonic::Response::into_inner)
    }

    /// Exchanges a sign-in anew, with the last credential of it.
    async fn renew(&self, id_token: &str, access: &str, last: &str) -> Result<ExchangeTokenResponse, Status> {
        let (id_token, access_token, credential) = (id_token.to_owned(), access.to_owned(), last.to_owned());
        let asked = ExchangeTokenRequest { id_token, access_token, credential, nonce: String::new() };
        self.identity.clone().exchange_token(asked).await.map(tonic::Response::into_inner)
    }

    /// The reason for which a token of these claims is refused, with an access token that is good.
    async fn reason_of(&self, claims: &Value) -> (Code, String) {
        let (_, access) = self.issuer.sign_in(MANAGER, "cli", 2).unwrap();
        reason(self.exchange(&self.issuer.sign("JWT", claims).unwrap(), &access).await.unwrap_err())
    }

    fn claims(&self, name: &str, value: Value) -> Value {
        let mut claims = self.issuer.claims(MANAGER, "cli");
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        claims
    }

    async fn look(&self, token: &str) -> Result<(), Status> {
        let request = bearer(token, GetSituationRequest::default());
        self.monitor.clone().get_situation(request).await.map(drop)
    }

    async fn until_refused(&self, token: &str) -> Status {
        let refused = async {
            loop {
                if let Err(status) = self.look(token).await {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), refused).await.unwrap()
    }

    async fn end(self) {
        drop((self.identity, self.monitor));
        self.process.tasks.finish(Duration::from_secs(10)).await.unwrap();
    }
}

fn bearer<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn reason(status: Status) -> (Code, String) {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

fn refused(reason: &str) -> (Code, String) {
    (Code::Unauthenticated, reason.to_owned())
}

#[tokio::test]
async fn a_sign_in_becomes_a_credential_until_either_side_ends_it() {
    let region = Region::start().await;
    let provider = region.identity.clone().get_provider(GetProviderRequest {}).await.unwrap().into_inner();
    assert_eq!((provider.issuer.as_str(), provider.cli_client.as_str()), (region.issuer.address(), "cli"));

    // The person ends it: every service refuses what came of it, and what would come of it anew.
    let (id_token, access) = region.issuer.sign_in(MANAGER, "cli", 3).unwrap();
    let got = region.exchange(&id_token, &access).await.unwrap();
    assert_eq!((got.trust.as_str(), got.role.as_str(), got.assurance), ("ZA1", "bed_manager", 3));
    assert!(region.look(&got.token).await.is_ok());
    region.identity.clone().end_session(bearer(&got.token, EndSessionRequest {})).await.unwrap();
    assert_eq!(reason(region.until_refused(&got.token).await), refused(reasons::SESSION_ENDED));
    let capacity = region.services.url(Service::Capacity).unwrap();
    let mut capacity = CapacityServiceClient::connect(capacity).await.unwrap();
    let publish = bearer(&got.token, PublishOfferRequest::default());
    assert_eq!(reason(capacity.publish_offer(publish).await.unwrap_err()), refused(reasons::SESSION_ENDED));
    let again = region.exchange(&id_token, &access).await.unwrap_err();
    assert_eq!(reason(again), refused(reasons::SESSION_ENDED));

    // The provider ends one session, and then everything of the person.
    let (one, other) = (
        region.issuer.sign_in(MANAGER, "cli", 2).unwrap(),
        region.issuer.sign_in(MANAGER, "cli", 2).unwrap(),
    );
    let (first, second) =
        (region.exchange(&one.0, &one.1).await.unwrap(), region.exchange(&other.0, &other.1).await.unwrap());
    let mut logout = region.issuer.claims(MANAGER, "cli");
    logout["events"] = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    logout["sid"] = sid_of(&one.0);
    logout["jti"] = json!("j-1");
    let log_out = async |claims: &Value| {
        let logout_token = region.issuer.sign("logout+jwt", claims).unwrap();
        region.identity.clone().log_out(LogOutRequest { logout_token }).await.map(drop)
    };
    log_out(&logout).await.unwrap();
    assert_eq!(reason(region.until_refused(&first.token).await), refused(reasons::SESSION_ENDED));
    assert!(region.look(&second.token).await.is_ok());
    logout.as_object_mut().unwrap().remove("sid");
    log_out(&logout).await.unwrap();
    log_out(&logout).await.unwrap();
    assert_eq!(reason(region.until_refused(&second.token).await), refused(reasons::SESSION_ENDED));
    // An ID token is no logout token.
    let (id_token, _) = region.issuer.sign_in(MANAGER, "cli", 2).unwrap();
    let misused =
        region.identity.clone().log_out(LogOutRequest { logout_token: id_token }).await.unwrap_err();
    assert_eq!(reason(misused), refused(reasons::TOKEN_CLAIMS));
    drop(capacity);
    region.end().await;
}

fn sid_of(id_token: &str) -> Value {
    claim_of(id_token, "sid")
}

fn claim_of(id_token: &str, name: &str) -> Value {
    use base64::Engine as _;
    let body = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&body).unwrap()[name].clone()
}

#[tokio::test]
async fn every_bad_token_is_refused_for_its_reason() {
    let region = Region::start().await;
    let now = region.issuer.claims(MANAGER, "cli")["iat"].as_i64().unwrap();
    for (name, value, why) in [
        ("exp", json!(now - 31), reasons::TOKEN_EXPIRED),
        ("nbf", json!(now + 90), reasons::TOKEN_NOT_YET),
        ("iat", json!(now + 90), reasons::TOKEN_NOT_YET),
        ("iss", json!("https://elsewhere.example"), reasons::TOKEN_ISSUER),
        ("aud", json!("another"), reasons::TOKEN_AUDIENCE),
        ("aud", Value::Null, reasons::TOKEN_AUDIENCE),
        ("aud", json!(["cli", "another"]), reasons::TOKEN_AUDIENCE),
        ("sub", Value::Null, reasons::TOKEN_CLAIMS),
        ("exp", Value::Null, reasons::TOKEN_CLAIMS),
        ("iat", Value::Null, reasons::TOKEN_CLAIMS),
        ("auth_time", Value::Null, reasons::TOKEN_CLAIMS),
        ("acr", json!("AAL1_USERPASS"), reasons::AAL_TOO_LOW),
        ("acr", Value::Null, reasons::AAL_TOO_LOW),
        ("auth_time", json!(now - 12 * 3_600), reasons::SESSION_ENDED),
        ("sub", json!(STRANGER), reasons::USERINFO_MALFORMED),
        ("at_hash", json!("another"), reasons::TOKEN_BINDING),
    ] {
        assert_eq!(
            region.reason_of(&region.claims(name, value.clone())).await,
            refused(why),
            "{name}: {value}"
        );
    }
    for selected in [json!(""), json!("r9"), Value::Null] {
        let found = region.reason_of(&region.claims("selected_roleid", selected.clone())).await;
        assert_eq!(found, (Code::PermissionDenied, reasons::ROLE_NOT_SELECTED.to_owned()), "{selected}");
    }
    let (id_token, access) = region.issuer.sign_in(MANAGER, "cli", 2).unwrap();
    for (bad, why) in [
        ("a.b.c.d".to_owned(), reasons::TOKEN_MALFORMED),
        ("x".repeat(20 * 1024), reasons::TOKEN_MALFORMED),
        (id_token.replacen(char::is_alphanumeric, "e", 1).replacen("e", "A", 1), reasons::TOKEN_MALFORMED),
    ] {
        assert_eq!(reason(region.exchange(&bad, &access).await.unwrap_err()), refused(why), "{}", &bad[..8]);
    }
    let stranger = region.exchange(&id_token, "another").await.unwrap_err();
    assert_eq!(reason(stranger), refused(reasons::TOKEN_BINDING));
    let replayed = region.exchange_with(&id_token, &access, "n-1").await.unwrap_err();
    assert_eq!(reason(replayed), refused(reasons::TOKEN_BINDING));
    let empty = region.exchange(&id_token, "").await.unwrap_err();
    assert_eq!(empty.code(), Code::InvalidArgument);
    assert!(region.exchange(&id_token, &access).await.is_ok());
    region.end().await;
}

#[tokio::test]
async fn nobody_has_a_role_that_their_organisation_does_not_give() {
    let region = Region::start().await;
    let sign_in = async |uid: &str, roles: Vec<Value>| {
        region.issuer.set_roles(uid, roles);
        let (id_token, access) = region.issuer.sign_in(uid, "cli", 2).unwrap();
        region.exchange(&id_token, &access).await.map_err(reason).map(|got| got.trust)
    };
    let role = |organisation: Value| json!({ "person_roleid": format!("{MANAGER}-1"), "org_code": organisation, "role_code": ROLE.0 });
    let forbidden = |reason: &str| Err((Code::PermissionDenied, reason.to_owned()));
    assert_eq!(sign_in(MANAGER, vec![role(json!("ZA1"))]).await, Ok("ZA1".to_owned()));
    assert_eq!(sign_in(MANAGER, Vec::new()).await, forbidden(reasons::NO_ROLE));
    // ZA2 keeps no table, and a trust with a table must be in the region.
    assert_eq!(sign_in(MANAGER, vec![role(json!("ZA2"))]).await, forbidden(reasons::NO_ROLE));
    assert_eq!(sign_in(MANAGER, vec![role(json!("ZZ9"))]).await, forbidden(reasons::TRUST_NOT_ACTIVE));
    assert_eq!(sign_in(MANAGER, vec![role(Value::Null)]).await, Err(refused(reasons::USERINFO_MALFORMED)));
    region.end().await;
}

#[tokio::test]
async fn a_sign_in_after_an_end_goes_on_and_a_watch_ends_with_its_session() {
    let region = Region::start().await;
    let claims = region.issuer.claims(MANAGER, "cli");
    let signed_in_at = claims["auth_time"].as_i64().unwrap();
    let (_, access) = region.issuer.sign_in(MANAGER, "cli", 2).unwrap();
    // The provider's session stays the same, and the person signs in anew so many seconds later.
    let later = |seconds: i64| {
        let claims = region.claims("auth_time", json!(signed_in_at + seconds));
        region.issuer.sign("JWT", &claims).unwrap()
    };
    let first = region.exchange(&later(0), &access).await.unwrap();
    let watch = bearer(&first.token, WatchSituationRequest::default());
    let mut watch = region.monitor.clone().watch_situation(watch).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    region.identity.clone().end_session(bearer(&first.token, EndSessionRequest {})).await.unwrap();
    let ended = async {
        loop {
            if let Err(status) = watch.message().await {
                return status;
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    assert_eq!(reason(ended), refused(reasons::SESSION_ENDED));
    let again = region.exchange(&later(0), &access).await.unwrap_err();
    assert_eq!(reason(again), refused(reasons::SESSION_ENDED));
    let second = region.exchange(&later(2), &access).await.unwrap();
    assert!(region.look(&second.token).await.is_ok());

    // A logout token of the person is of everybody who had signed in when it was made, however often it is sent.
    let mut logout = region.claims("sid", Value::Null);
    logout["events"] = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    logout["jti"] = json!("j-1");
    logout["iat"] = json!(signed_in_at + 2);
    let log_out = async |claims: &Value| {
        let logout_token = region.issuer.sign("logout+jwt", claims).unwrap();
        region.identity.clone().log_out(LogOutRequest { logout_token }).await.map(drop)
    };
    log_out(&logout).await.unwrap();
    assert_eq!(reason(region.until_refused(&second.token).await), refused(reasons::SESSION_ENDED));
    let third = region.exchange(&later(3), &access).await.unwrap();
    log_out(&logout).await.unwrap();
    assert!(region.look(&third.token).await.is_ok() && region.exchange(&later(3), &access).await.is_ok());
    // Once it is told of the session, no sign-in of its name is believed again.
    logout["sid"] = claims["sid"].clone();
    log_out(&logout).await.unwrap();
    assert_eq!(reason(region.until_refused(&third.token).await), refused(reasons::SESSION_ENDED));
    let never = region.exchange(&later(9), &access).await.unwrap_err();
    assert_eq!(reason(never), refused(reasons::SESSION_ENDED));
    drop(watch);
    region.end().await;
}

/// A provider that renews access tokens alone: the ID token is of the sign-in, has ended, and knows another access token.
#[tokio::test]
async fn a_sign_in_is_renewed_without_a_new_id_token_by_who_holds_its_credential() {
    let region = Region::start().await;
    region.issuer.set_renews_id_tokens(false);
    let at = AtProvider { id: "cli".to_owned(), secret: None, scopes: "openid".to_owned() };
    let provider = region.process.provider().unwrap().unwrap();
    let (id_token, access) = region.issuer.sign_in(MANAGER, "cli", 3).unwrap();
    let refresh_token = region.issuer.refresh_token(&id_token).map(|token| Secret::new(&token));
    let first = region.exchange(&id_token, &access).await.unwrap();
    let old = Tokens {
        id_token: Secret::new(&id_token),
        access_token: Secret::new(&access),
        refresh_token,
        lasts: Duration::from_secs(1),
    };
    let now = provider.tokens_anew(&at, &old).await.unwrap();
    assert_eq!(now.id_token.reveal(), id_token, "the provider gave no other");
    let access = now.access_token.reveal();
    assert_ne!(access, old.access_token.reveal());
    // Without the credential the two do not belong together.
    assert_eq!(
        reason(region.exchange(&id_token, access).await.unwrap_err()),
        refused(reasons::TOKEN_BINDING)
    );
    let again = region.renew(&id_token, access, &first.token).await.unwrap();
    assert_eq!((again.trust.as_str(), again.role.as_str(), again.assurance), ("ZA1", "bed_manager", 3));
    assert!(region.look(&again.token).await.is_ok());

    // An ID token that has ended is renewed, too, by the credential of that very sign-in and by none else.
    let mut claims = region.issuer.claims(MANAGER, "cli");
    let now = claims["iat"].as_i64().unwrap();
    (claims["sid"], claims["auth_time"]) = (sid_of(&id_token), claim_of(&id_token, "auth_time"));
    claims["exp"] = json!(now - 31);
    let ended = region.issuer.sign("JWT", &claims).unwrap();
    let expired = refused(reasons::TOKEN_EXPIRED);
    assert_eq!(reason(region.exchange(&ended, access).await.unwrap_err()), expired);
    assert!(region.renew(&ended, access, &first.token).await.is_ok());
    let (other, others_access) = region.issuer.sign_in(MANAGER, "cli", 3).unwrap();
    let other = region.exchange(&other, &others_access).await.unwrap();
    let forged = format!("{}x", first.token);
    for last in [other.token.as_str(), "", "a.b.c", &forged] {
        assert_eq!(reason(region.renew(&ended, access, last).await.unwrap_err()), expired, "{last}");
    }
    claims["auth_time"] = json!(now - 600);
    let earlier = region.issuer.sign("JWT", &claims).unwrap();
    assert_eq!(reason(region.renew(&earlier, access, &first.token).await.unwrap_err()), expired);
    // The provider still decides whether the session goes on: its access token is asked about, and is of the same person.
    let stranger = region.issuer.sign_in(STRANGER, "cli", 3).unwrap().1;
    let mixed = region.renew(&ended, &stranger, &first.token).await.unwrap_err();
    assert_eq!(reason(mixed), refused(reasons::USERINFO_MALFORMED));
    // Nor does the credential open what was ended here.
    region.identity.clone().end_session(bearer(&again.token, EndSessionRequest {})).await.unwrap();
    assert_eq!(reason(region.until_refused(&again.token).await), refused(reasons::SESSION_ENDED));
    let late = region.renew(&ended, access, &first.token).await.unwrap_err();
    assert_eq!(reason(late), refused(reasons::SESSION_ENDED));
    region.end().await;
}
