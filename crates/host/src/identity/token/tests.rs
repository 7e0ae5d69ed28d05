use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, json};

use super::*;
use crate::identity::built_in;
use crate::identity::sessions::{Ended, EndedBy};

struct World {
    clock: Clock,
    signer: Signer,
    verifier: Verifier,
}

fn world() -> World {
    let clock = Clock::manual("2026-11-24T08:00:00Z".parse::<Timestamp>().unwrap());
    let signer = Signer::new(SigningKey::generate().unwrap(), "fallow", "fallow", clock.clone());
    let verifier = Verifier::new(signer.key_set(), ("fallow", "fallow"), region(), 30, clock.clone());
    World { clock, signer, verifier }
}

fn region() -> RegionId {
    RegionId::parse("north-vale").unwrap()
}

impl World {
    /// The claims of a good token, to be spoilt.
    fn claims(&self) -> Map<String, Value> {
        let now = self.clock.now().as_second();
        let Value::Object(claims) = json!({
            "iss": "fallow", "aud": "fallow", "sub": "bed-manager.ZA1", "iat": now, "exp": now + 300,
            "kind": "person", "role": "bed_manager", "trust": "ZA1", "region": "north-vale",
            "aal": 2,
        }) else {
            unreachable!()
        };
        claims
    }

    fn reason_of(&self, token: &str) -> &'static str {
        self.verifier.verify(token).unwrap_err().reason()
    }

    /// The reason with one claim set, or taken away when null.
    fn reason_with(&self, name: &str, value: Value) -> &'static str {
        let mut claims = self.claims();
        if value.is_null() {
            claims.remove(name)
        } else {
            claims.insert(name.to_owned(), value)
        };
        self.reason_of(&self.signer.sign(&claims).unwrap())
    }

    /// A token with this header, signed with our key all the same.
    fn with_header(&self, header: Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&Value::Object(self.claims())));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.signer.key.encoding, Algorithm::EdDSA)
                .unwrap();
        format!("{message}.{signature}")
    }
}

#[test]
fn a_token_says_who_calls() {
    let world = world();
    for name in built_in::names(&["ZA1".parse().unwrap()]) {
        let user = built_in::user(&name, &region()).unwrap();
        let token = world.signer.issue(&user, Duration::from_secs(300)).unwrap();
        assert_eq!(world.verifier.verify(&token).unwrap(), user);
    }
    assert!(world.verifier.verify(&world.signer.sign(&world.claims()).unwrap()).is_ok());
}

#[test]
fn a_token_lives_as_long_as_it_says_and_thirty_seconds() {
    let world = world();
    let token = world.signer.sign(&world.claims()).unwrap();
    world.clock.advance(SignedDuration::from_secs(329));
    assert!(world.verifier.verify(&token).is_ok());
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(world.reason_of(&token), reasons::TOKEN_EXPIRED);
    let now = world.clock.now().as_second();
    for name in ["iat", "nbf"] {
        assert_eq!(world.reason_with(name, json!(now + 31)), reasons::TOKEN_NOT_YET, "{name}");
    }
    let mut claims = world.claims();
    claims.insert("nbf".into(), json!(now + 30));
    assert!(world.verifier.verify(&world.signer.sign(&claims).unwrap()).is_ok());
}

#[test]
fn every_claim_is_needed_and_checked() {
    let world = world();
    for (name, value, reason) in [
        ("iss", Value::Null, reasons::TOKEN_ISSUER),
        ("iss", json!("elsewhere"), reasons::TOKEN_ISSUER),
        ("aud", Value::Null, reasons::TOKEN_AUDIENCE),
        ("aud", json!("elsewhere"), reasons::TOKEN_AUDIENCE),
        ("aud", json!(["fallow", "elsewhere"]), reasons::TOKEN_AUDIENCE),
        ("sub", Value::Null, reasons::TOKEN_CLAIMS),
        ("sub", json!(""), reasons::TOKEN_CLAIMS),
        ("sub", json!("x".repeat(65)), reasons::TOKEN_CLAIMS),
        ("iat", Value::Null, reasons::TOKEN_CLAIMS),
        ("exp", Value::Null, reasons::TOKEN_CLAIMS),
        ("exp", json!("soon"), reasons::TOKEN_MALFORMED),
        ("exp", json!(i64::MIN), reasons::TOKEN_EXPIRED),
        ("iat", json!(i64::MAX), reasons::TOKEN_NOT_YET),
        ("region", Value::Null, reasons::TOKEN_CLAIMS),
        ("region", json!("south-vale"), reasons::TOKEN_REGION),
        ("kind", Value::Null, reasons::TOKEN_CLAIMS),
        ("kind", json!("robot"), reasons::TOKEN_MALFORMED),
        ("role", Value::Null, reasons::NO_ROLE),
        ("role", json!(""), reasons::NO_ROLE),
        ("role", json!("king"), reasons::TOKEN_CLAIMS),
        ("role", json!("gold"), reasons::TOKEN_CLAIMS),
        ("trust", Value::Null, reasons::TOKEN_CLAIMS),
        ("trust", json!("za1"), reasons::TOKEN_CLAIMS),
        ("aal", Value::Null, reasons::TOKEN_CLAIMS),
        ("aal", json!(4), reasons::TOKEN_MALFORMED),
        ("sid", json!("x".repeat(65)), reasons::TOKEN_CLAIMS),
    ] {
        assert_eq!(world.reason_with(name, value.clone()), reason, "{name}: {value}");
    }
}

#[test]
fn one_algorithm_and_known_keys_alone() {
    let world = world();
    let kid = world.signer.key.id();
    for (header, reason) in [
        (json!({"alg": "none", "kid": kid}), reasons::TOKEN_ALG),
        (json!({"alg": "HS256", "kid": kid}), reasons::TOKEN_ALG),
        (json!({"alg": "RS256", "kid": kid}), reasons::TOKEN_ALG),
        (json!({"alg": "eddsa", "kid": kid}), reasons::TOKEN_ALG),
        (json!({"kid": kid}), reasons::TOKEN_ALG),
        (json!({"alg": "EdDSA"}), reasons::TOKEN_KEY),
        (json!({"alg": "EdDSA", "kid": "../../etc/passwd"}), reasons::TOKEN_KEY),
        (json!({"alg": "EdDSA", "kid": "https://keys.example"}), reasons::TOKEN_KEY),
        (json!({"alg": "EdDSA", "kid": kid, "jku": "https://keys.example"}), reasons::TOKEN_KEY),
        (json!({"alg": "EdDSA", "kid": kid, "crit": ["b64"]}), reasons::TOKEN_KEY),
        (json!(["EdDSA"]), reasons::TOKEN_MALFORMED),
    ] {
        assert_eq!(world.reason_of(&world.with_header(header.clone())), reason, "{header}");
    }
    // Another key under our key's name.
    let forger = Signer::new(SigningKey::generate().unwrap(), "fallow", "fallow", world.clock.clone());
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    let forged = jsonwebtoken::encode(&header, &world.claims(), &forger.key.encoding).unwrap();
    assert_eq!(world.reason_of(&forged), reasons::TOKEN_KEY);
    // A good token with one claim changed after it was signed.
    let token = world.signer.sign(&world.claims()).unwrap();
    let (head, rest) = token.split_once('.').unwrap();
    let signature = rest.split_once('.').unwrap().1;
    let body = URL_SAFE_NO_PAD.encode(Value::Object(world.claims()).to_string().replace("ZA1", "ZA2"));
    assert_eq!(world.reason_of(&format!("{head}.{body}.{signature}")), reasons::TOKEN_KEY);
}

#[test]
fn what_is_known_of_one_token_says_nothing_of_another() {
    let world = world();
    let token = world.signer.sign(&world.claims()).unwrap();
    assert!(world.verifier.verify(&token).is_ok());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other = world.signer.sign(&json!({ "sub": "somebody else" })).unwrap();
    let (_, others) = other.rsplit_once('.').unwrap();
    assert_ne!(signature, others);
    for _ in 0..2 {
        assert_eq!(world.reason_of(&format!("{message}.{others}")), reasons::TOKEN_KEY);
        assert!(world.verifier.verify(&token).is_ok());
    }
}

#[test]
fn what_is_no_token_is_malformed() {
    let world = world();
    let token = world.signer.sign(&world.claims()).unwrap();
    let (head, _) = token.split_once('.').unwrap();
    let twice = URL_SAFE_NO_PAD.encode(r#"{"iss":"fallow","sub":"a","sub":"b"}"#);
    let message = format!("{head}.{twice}");
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &world.signer.key.encoding, Algorithm::EdDSA).unwrap();
    for bad in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        &format!("{token}.x"),
        &"x".repeat(20 * 1024),
        &format!("{message}.{signature}"),
        &format!("{head}.e30.?"),
    ] {
        assert_eq!(world.reason_of(bad), reasons::TOKEN_MALFORMED, "{}", &bad[..bad.len().min(40)]);
    }
}

#[test]
fn exactly_one_credential() {
    let world = world();
    let good = format!("Bearer {}", world.signer.sign(&world.claims()).unwrap());
    let reason = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        world.verifier.caller_of(&headers).map_or_else(|failure| failure.reason(), |_| "OK")
    };
    assert_eq!(reason(&[&good]), "OK");
    assert_eq!(reason(&[&good.replace("Bearer", "bearer")]), "OK");
    assert_eq!(reason(&[]), reasons::NO_CREDENTIALS);
    assert_eq!(reason(&[&good, &good]), reasons::AMBIGUOUS_CREDENTIALS);
    assert_eq!(reason(&["Basic YTpi"]), reasons::TOKEN_MALFORMED);
    assert_eq!(reason(&["Bearer"]), reasons::TOKEN_MALFORMED);
}

#[test]
fn a_caller_acts_for_its_own_trust_alone() {
    let manager = built_in::user("bed-manager.ZA1", &region()).unwrap();
    let (own, other) = ("ZA1".parse().unwrap(), "ZA2".parse().unwrap());
    assert_eq!(manager.acting_for(None), Ok(own));
    assert_eq!(manager.acting_for(Some(own)), Ok(own));
    assert_eq!(manager.acting_for(Some(other)).unwrap_err().reason(), reasons::TRUST_MISMATCH);
    let gold = built_in::user("duty-lead", &region()).unwrap();
    assert_eq!(gold.acting_for(Some(own)).unwrap_err().reason(), reasons::ROLE_FORBIDS);
}

#[test]
fn a_session_that_was_ended_is_ended_for_all_its_credentials() {
    let world = world();
    let (clock, session) = (world.clock.clone(), Label::parse("s-1").unwrap());
    let mut user = built_in::user("bed-manager.ZA1", &region()).unwrap();
    user.session = Some(session.clone());
    user.signed_in_at = Some(clock.now());
    let token = world.signer.issue(&user, Duration::from_secs(300)).unwrap();
    assert_eq!(world.verifier.verify(&token), Ok(user.clone()));
    let at = clock.now();
    let refusing = |name: Label| {
        let ended = move |asked: &Label| (*asked == name).then_some(Ended { at, by: EndedBy::Provider });
        world.verifier.clone().refusing(Arc::new(ended))
    };
    let reason =
        |verifier: &Verifier, token: &str| verifier.verify(token).map_err(|refused| refused.reason());
    assert_eq!(reason(&refusing(session), &token), Err(reasons::SESSION_ENDED));
    assert!(reason(&refusing(Label::parse("s-2").unwrap()), &token).is_ok());

    // A person with all of theirs: what is signed in afterwards is another session.
    let person = refusing(sessions::person_name(&user.actor.subject));
    assert_eq!(reason(&person, &token), Err(reasons::SESSION_ENDED));
    clock.advance(SignedDuration::from_secs(1));
    // A credential that is made anew says when its person signed in, not when it was made.
    assert_eq!(
        reason(&person, &world.signer.issue(&user, Duration::from_secs(300)).unwrap()),
        Err(reasons::SESSION_ENDED)
    );
    user.session = Some(Label::parse("s-3").unwrap());
    user.signed_in_at = Some(clock.now());
    assert!(reason(&person, &world.signer.issue(&user, Duration::from_secs(300)).unwrap()).is_ok());
}
