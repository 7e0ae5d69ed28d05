//! Who somebody is beyond their id: the role that they chose, out of what CIS2 says of them.

use fallow_api::reasons;
use fallow_api::status::Failure;
use serde_json::{Map, Value};

use crate::identity::compact::refuse;

/// Most roles that a person may have.
const ROLES_MAX: usize = 500;
/// Most activities that a role may name.
const ACTIVITIES_MAX: usize = 500;
/// Most characters of a code.
const CODE_MAX: usize = 64;

/// The role that a person chose at sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenRole {
    /// ODS code of the organisation that it is held at: the one they act for, and no other.
    pub organisation: String,
    /// The national code, such as `S8001:G8005:R8000`.
    pub code: String,
    /// Codes of the activities that it brings, such as `B0572`.
    pub activities: Vec<String>,
}

/// Returns the role that was chosen, and never another one.
///
/// # Errors
/// `USERINFO_MALFORMED`, `NO_ROLE` when the person has none, `ROLE_NOT_SELECTED` when none of theirs was chosen.
pub(super) fn chosen_role(userinfo: &Map<String, Value>, selected: &str) -> Result<ChosenRole, Failure> {
    let roles = match userinfo.get("nhsid_nrbac_roles") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(roles)) if roles.len() <= ROLES_MAX => roles,
        Some(_) => return malformed("nhsid_nrbac_roles is no list of roles"),
    };
    if roles.is_empty() {
        return forbidden(reasons::NO_ROLE, "you have no role at the identity provider");
    }
    let mut chosen = None;
    // All are read, so that what is malformed is found whichever was chosen.
    for role in roles {
        let (id, role) = read(role)?;
        if id == selected && chosen.replace(role).is_some() {
            return malformed("two roles have the same person_roleid");
        }
    }
    match chosen {
        Some(role) if !selected.is_empty() => Ok(role),
        Some(_) | None => forbidden(
            reasons::ROLE_NOT_SELECTED,
            "you have chosen none of your roles: sign in again and choose one",
        ),
    }
}

fn read(role: &Value) -> Result<(&str, ChosenRole), Failure> {
    let text = |name: &str| role.get(name).and_then(Value::as_str).filter(|text| is_code(text));
    let (Some(id), Some(organisation), Some(code)) =
        (text("person_roleid"), text("org_code"), text("role_code"))
    else {
        return malformed("a role lacks its person_roleid, org_code or role_code");
    };
    let activities = match role.get("activity_codes") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(codes)) if codes.len() <= ACTIVITIES_MAX => {
            let codes: Option<Vec<String>> = codes
                .iter()
                .map(|code| code.as_str().filter(|code| is_code(code)).map(str::to_owned))
                .collect();
            match codes {
                Some(codes) => codes,
                None => return malformed("activity_codes holds what is no code"),
            }
        }
        Some(_) => return malformed("activity_codes is no list of codes"),
    };
    Ok((id, ChosenRole { organisation: organisation.to_owned(), code: code.to_owned(), activities }))
}

fn is_code(text: &str) -> bool {
    (1..=CODE_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn malformed<T>(what: &str) -> Result<T, Failure> {
    refuse(reasons::USERINFO_MALFORMED, what)
}

fn forbidden<T>(reason: &'static str, text: &str) -> Result<T, Failure> {
    Err(Failure::Forbidden { reason, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(id: &str, org: &str) -> Value {
        json!({
            "person_orgid": "o1", "person_roleid": id, "org_code": org, "role_name": "Clinical Practitioner",
            "role_code": "S8000:G8000:R8000", "activity_codes": ["B0572", "B0401"],
        })
    }

    fn reason(roles: Value, selected: &str) -> &'static str {
        let Value::Object(userinfo) = json!({ "sub": "p", "nhsid_nrbac_roles": roles }) else {
            unreachable!()
        };
        chosen_role(&userinfo, selected).map_or_else(|refused| refused.reason(), |_| "OK")
    }

    #[test]
    fn the_role_that_was_chosen_is_taken() {
        let Value::Object(userinfo) = json!({ "nhsid_nrbac_roles": [role("r1", "ZA1"), role("r2", "ZA2")] })
        else {
            unreachable!()
        };
        let chosen = chosen_role(&userinfo, "r2").unwrap();
        assert_eq!((chosen.organisation.as_str(), chosen.activities.len()), ("ZA2", 2));
        assert_eq!(chosen.code, "S8000:G8000:R8000");
    }

    #[test]
    fn nothing_is_taken_that_was_not_chosen() {
        assert_eq!(reason(json!([]), "r1"), reasons::NO_ROLE);
        assert_eq!(reason(Value::Null, "r1"), reasons::NO_ROLE);
        // A single role is no choice either.
        assert_eq!(reason(json!([role("r1", "ZA1")]), ""), reasons::ROLE_NOT_SELECTED);
        assert_eq!(reason(json!([role("r1", "ZA1")]), "r2"), reasons::ROLE_NOT_SELECTED);
    }

    #[test]
    fn what_cannot_be_read_is_refused_whichever_role_was_chosen() {
        let spoilt = |name: &str, value: Value| {
            let mut role = role("r2", "ZA2");
            if value.is_null() {
                role.as_object_mut().unwrap().remove(name);
            } else {
                role[name] = value;
            }
            role
        };
        for other in [
            spoilt("org_code", Value::Null),
            spoilt("org_code", json!("")),
            spoilt("person_roleid", json!(7)),
            spoilt("role_code", json!("R\u{0}")),
            spoilt("activity_codes", json!("B0572")),
            spoilt("activity_codes", json!([1])),
            spoilt("person_roleid", json!("r1")),
            json!("r2"),
        ] {
            assert_eq!(
                reason(json!([role("r1", "ZA1"), other]), "r1"),
                reasons::USERINFO_MALFORMED,
                "{other}"
            );
        }
        assert_eq!(reason(json!({ "r1": 1 }), "r1"), reasons::USERINFO_MALFORMED);
        assert_eq!(reason(json!(vec![role("r", "ZA1"); 501]), "r"), reasons::USERINFO_MALFORMED);
    }
}
