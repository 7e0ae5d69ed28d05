use serde_json::json;

use super::*;

const ISSUER: &str = "https://id.example";
const NOW: i64 = 1_795_000_000;

fn good() -> Claims {
    let Value::Object(claims) = json!({
        "iss": ISSUER, "aud": "console", "sub": "900000000001", "iat": NOW, "exp": NOW + 300, "auth_time": NOW - 5,
        "sid": "s1", "acr": "AAL2_OR_AAL3_ANY", "selected_roleid": "r1", "nonce": "n",
    }) else {
        unreachable!()
    };
    claims
}

fn with(name: &str, value: Value) -> Claims {
    let mut claims = good();
    if value.is_null() {
        claims.remove(name)
    } else {
        claims.insert(name.to_owned(), value)
    };
    claims
}

fn expected(clients: &[String]) -> Expected<'_> {
    Expected { issuer: ISSUER, clients, now: NOW, leeway: 30 }
}

fn clients() -> Vec<String> {
    vec!["console".to_owned(), "cli".to_owned()]
}

#[test]
fn a_sign_in_is_read() {
    let clients = clients();
    let found = expected(&clients).sign_in(&good()).unwrap();
    assert_eq!((found.sub.as_str(), found.subject.as_str()), ("900000000001", "900000000001"));
    assert_eq!((found.issued_at, found.signed_in_at), (NOW, NOW - 5));
    assert_eq!((found.assurance, found.selected_role.as_str()), (Some(Assurance::Two), "r1"));
    assert_eq!(found.session, session_name(ISSUER, "s1"));
    assert!(expected(&clients).sign_in(&with("aud", json!(["cli"]))).is_ok());
    // Without a session's id, the same sign-in has the same name still.
    let twice = [NOW, NOW + 20].map(|iat| {
        let mut claims = with("sid", Value::Null);
        claims.insert("iat".to_owned(), json!(iat));
        expected(&clients).sign_in(&claims).unwrap().session
    });
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn every_claim_is_needed_and_checked() {
    let clients = clients();
    for (name, value, reason) in [
        ("iss", Value::Null, reasons::TOKEN_ISSUER),
        ("iss", json!("https://id.example/"), reasons::TOKEN_ISSUER),
        ("aud", Value::Null, reasons::TOKEN_AUDIENCE),
        ("aud", json!("another"), reasons::TOKEN_AUDIENCE),
        ("aud", json!(["console", "another"]), reasons::TOKEN_AUDIENCE),
        ("aud", json!(["console", "cli"]), reasons::TOKEN_AUDIENCE),
        ("aud", json!([]), reasons::TOKEN_AUDIENCE),
        ("azp", json!("cli"), reasons::TOKEN_AUDIENCE),
        ("sub", Value::Null, reasons::TOKEN_CLAIMS),
        ("sub", json!(""), reasons::TOKEN_CLAIMS),
        ("sub", json!(7), reasons::TOKEN_MALFORMED),
        ("sub", json!("x".repeat(513)), reasons::TOKEN_MALFORMED),
        ("iat", Value::Null, reasons::TOKEN_CLAIMS),
        ("exp", Value::Null, reasons::TOKEN_CLAIMS),
        ("exp", json!("soon"), reasons::TOKEN_MALFORMED),
        ("exp", json!(NOW - 30), reasons::TOKEN_EXPIRED),
        ("exp", json!(NOW - 31), reasons::TOKEN_EXPIRED),
        ("exp", json!(i64::MIN), reasons::TOKEN_EXPIRED),
        ("iat", json!(NOW + 31), reasons::TOKEN_NOT_YET),
        ("nbf", json!(NOW + 31), reasons::TOKEN_NOT_YET),
        ("auth_time", json!(NOW + 31), reasons::TOKEN_NOT_YET),
        ("auth_time", Value::Null, reasons::TOKEN_CLAIMS),
        ("acr", json!(["AAL3_ANY"]), reasons::TOKEN_MALFORMED),
    ] {
        let refused = expected(&clients).sign_in(&with(name, value.clone())).unwrap_err();
        assert_eq!(refused.reason(), reason, "{name}: {value}");
    }
    for (name, value) in [
        ("exp", json!(NOW - 29)),
        ("iat", json!(NOW + 30)),
        ("nbf", json!(NOW + 30)),
        ("azp", json!("console")),
    ] {
        assert!(expected(&clients).sign_in(&with(name, value.clone())).is_ok(), "{name}: {value}");
    }
}

#[test]
fn the_level_goes_before_the_acr() {
    let clients = clients();
    for (name, value, level) in [
        ("authentication_assurance_level", json!("3"), Some(3)),
        ("authentication_assurance_level", json!(1), Some(1)),
        ("authentication_assurance_level", json!("high"), None),
        ("authentication_assurance_level", json!(9), None),
        ("acr", json!("AAL3_ANY"), Some(3)),
        ("acr", Value::Null, None),
    ] {
        let found = expected(&clients).sign_in(&with(name, value.clone())).unwrap();
        assert_eq!(found.assurance.map(Assurance::level), level, "{name}: {value}");
    }
}

#[test]
fn a_logout_token_is_for_nothing_else_and_nothing_else_is_one() {
    let clients = clients();
    let logout = |sid: Value, sub: Value| {
        let mut claims = with("sid", sid);
        claims.remove("nonce");
        claims.remove("exp");
        claims.insert("events".to_owned(), json!({ LOGOUT_EVENT: {} }));
        claims.insert("jti".to_owned(), json!("j1"));
        if sub.is_null() {
            claims.remove("sub")
        } else {
            claims.insert("sub".to_owned(), sub)
        };
        claims
    };
    let of = |claims: &Claims| expected(&clients).logout(claims).map_err(|refused| refused.reason());
    assert_eq!(of(&logout(json!("s1"), json!("p"))).unwrap().name, session_name(ISSUER, "s1"));
    let person = sessions::person_name(&Label::parse("p").unwrap());
    assert_eq!(of(&logout(Value::Null, json!("p"))).unwrap().name, person);
    assert_eq!(of(&logout(Value::Null, Value::Null)), Err(reasons::TOKEN_CLAIMS));
    assert_eq!(of(&good()), Err(reasons::TOKEN_CLAIMS));
    for (name, value, reason) in [
        ("nonce", json!("n"), reasons::TOKEN_CLAIMS),
        ("events", json!({}), reasons::TOKEN_CLAIMS),
        ("events", json!(LOGOUT_EVENT), reasons::TOKEN_CLAIMS),
        ("iss", json!("https://other.example"), reasons::TOKEN_ISSUER),
        ("aud", json!("another"), reasons::TOKEN_AUDIENCE),
        ("iat", json!(NOW + 31), reasons::TOKEN_NOT_YET),
        ("exp", json!(NOW - 31), reasons::TOKEN_EXPIRED),
        // One that does not say when it ends is old after ten minutes.
        ("iat", json!(NOW - LOGOUT_SECONDS - 30), reasons::TOKEN_EXPIRED),
        ("jti", json!(""), reasons::TOKEN_CLAIMS),
    ] {
        let mut claims = logout(json!("s1"), json!("p"));
        claims.insert(name.to_owned(), value);
        assert_eq!(of(&claims), Err(reason), "{name}");
    }
}
