//! Rights: one row for each call, one column for each role. What no row grants is refused.
//!
//! docs/permissions.md is made from this table by `cargo xtask codegen`, for those who govern information at a trust.
//! Which records a caller then sees or touches is decided by the handlers from the [`Grant`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::actor::Role;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::identity::{Assurance, Caller};

mod table;

pub use table::CALLS;

/// How far a role may go with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Not at all.
    Never,
    /// For its own trust: its own records, or its own side of a proposal or transfer.
    Own,
    /// For what the collaboratives of its trust, or its own collaborative, share.
    Shared,
    /// For the whole region.
    Any,
}

/// What a call is to the limits: one noisy class does not use up another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Publishing capacity.
    Publish,
    /// Raising and changing needs.
    Need,
    /// Answering proposals and moving transfers.
    Answer,
    /// Every other change.
    Steer,
    /// Reading.
    Read,
    /// Watching.
    Watch,
}

/// One call of the contract: who may make it, what it is to the limits, how large its messages may be.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The path of its requests: `/fallow.v1.CapacityService/PublishOffer`.
    pub path: &'static str,
    /// What it is to the limits.
    pub class: Class,
    /// Whether it can change something, so that a passed deadline leaves its outcome unknown.
    pub changes: bool,
    /// Whether it is made without a credential: signing in itself.
    pub open: bool,
    /// The largest message that it takes, in bytes.
    pub message_bytes_max: usize,
    /// How sure one must be of the person who makes it; `None` = as every sign-in is.
    pub assurance: Option<Assurance>,
    /// How far each role may go, in the order of [`Role::ALL`].
    grants: [Grant; 11],
}

impl Call {
    /// Returns the call of a request's path.
    #[must_use]
    pub fn find(path: &str) -> Option<&'static Self> {
        static BY_PATH: LazyLock<BTreeMap<&str, &Call>> =
            LazyLock::new(|| CALLS.iter().map(|call| (call.path, call)).collect());
        BY_PATH.get(path).copied()
    }

    /// Returns how far a role may go with this call.
    #[must_use]
    pub fn grant(&self, role: Role) -> Grant {
        let column = Role::ALL.iter().position(|each| *each == role);
        column.and_then(|column| self.grants.get(column)).copied().unwrap_or(Grant::Never)
    }

    /// Returns the name of the service: `fallow.v1.CapacityService`.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.parts().0
    }

    /// Returns the name of the call within its service: `PublishOffer`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (&'static str, &'static str) {
        self.path.trim_start_matches('/').split_once('/').unwrap_or_default()
    }
}

impl Caller {
    /// Returns how far the caller may go with a call.
    ///
    /// # Errors
    /// Not at all, or only after a stronger sign-in. Who may not in any case is not sent to sign in again for it.
    pub fn authorise(&self, call: &Call) -> Result<Grant, Failure> {
        match (call.grant(self.actor.role), call.assurance) {
            (Grant::Never, _) => Err(Failure::Forbidden {
                reason: reasons::ROLE_FORBIDS,
                text: format!("the role {} may not call {}", self.actor.role, call.name()),
            }),
            (grant @ (Grant::Own | Grant::Shared | Grant::Any), None) => Ok(grant),
            (grant @ (Grant::Own | Grant::Shared | Grant::Any), Some(least)) => {
                self.assured(least).map(|()| grant)
            }
        }
    }
}

/// Whether the two sides of a call are streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The request is a stream.
    pub client_streams: bool,
    /// The answer is a stream.
    pub server_streams: bool,
}

/// Returns the shape of every call of a descriptor set, by path. An unreadable set has none.
#[must_use]
pub fn shapes(descriptor_set: &[u8]) -> BTreeMap<String, Shape> {
    let set = FileDescriptorSet::decode(descriptor_set).unwrap_or_default();
    let mut shapes = BTreeMap::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                let (client_streams, server_streams) = (method.client_streaming(), method.server_streaming());
                shapes.insert(path, Shape { client_streams, server_streams });
            }
        }
    }
    shapes
}

/// Returns docs/permissions.md.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(concat!(
        "# Who may do what\n\n",
        "Made from `crates/host/src/rights/table.rs` by `cargo xtask codegen`; change it there.\n\n",
        "One row for each call, one column for each role. What no row grants is refused with ",
        "`PERMISSION_DENIED` / `ROLE_FORBIDS`. The acting trust comes from the credential, never from the message.\n\n",
        "- own: for the caller's own trust: its own records, or its own side of a proposal or transfer\n",
        "- shared: for what the caller's collaboratives share; anything else is `NOT_FOUND`\n",
        "- any: for the whole region\n",
        "- (blank): never\n",
        "- open: without a credential, because it is how one signs in\n\n",
        "Assurance is how sure the identity provider must be of the person, where that is more than the two factors ",
        "(level 2) of every sign-in: at level 3 one of them cannot be copied, such as a smartcard. A weaker sign-in is ",
        "refused with `PERMISSION_DENIED` / `AAL_TOO_LOW`, and so is a system.\n",
    ));
    let mut service = "";
    for call in CALLS {
        if call.service() != service {
            service = call.service();
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "\n## {}\n\n| call | class | assurance |",
                service.trim_start_matches("fallow.v1.")
            );
            for role in Role::ALL {
                let _ = write!(out, " {} |", role.as_str().replace('_', " "));
            }
            let _ = write!(out, "\n|---|---|---|{}\n", "---|".repeat(Role::ALL.len()));
        }
        let assurance = call.assurance.map(|least| least.level().to_string()).unwrap_or_default();
        let _ = write!(out, "| {} | {} | {assurance} |", call.name(), class_name(call.class));
        for role in Role::ALL {
            let grant = match (call.open, call.grant(*role)) {
                (true, _) => "open",
                (false, Grant::Never) => "",
                (false, Grant::Own) => "own",
                (false, Grant::Shared) => "shared",
                (false, Grant::Any) => "any",
            };
            let _ = write!(out, " {grant} |");
        }
        out.push('\n');
    }
    out
}

/// Names a class of calls, as limits and documents show it.
#[must_use]
pub const fn class_name(class: Class) -> &'static str {
    match class {
        Class::Publish => "publish",
        Class::Need => "need",
        Class::Answer => "answer",
        Class::Steer => "steer",
        Class::Read => "read",
        Class::Watch => "watch",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fallow_api::FILE_DESCRIPTOR_SET;
    use fallow_domain::actor::ActorKind;

    use super::*;

    #[test]
    fn every_call_of_the_contract_has_exactly_one_row() {
        let contract: BTreeSet<String> =
            shapes(FILE_DESCRIPTOR_SET).into_keys().filter(|path| path.starts_with("/fallow.v1.")).collect();
        let rows: BTreeSet<String> = CALLS.iter().map(|call| call.path.to_owned()).collect();
        assert!(contract.len() > 50);
        assert_eq!(contract, rows);
        assert_eq!(rows.len(), CALLS.len(), "a call has two rows");
    }

    #[test]
    fn rows_agree_with_the_contract() {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let shapes = shapes(FILE_DESCRIPTOR_SET);
        let carries_request_id: BTreeSet<&str> = set
            .file
            .iter()
            .flat_map(|file| &file.message_type)
            .filter(|message| message.field.iter().any(|field| field.name() == "request_id"))
            .map(prost_types::DescriptorProto::name)
            .collect();
        for call in CALLS {
            assert_eq!(call.class == Class::Watch, call.name().starts_with("Watch"), "{}", call.path);
            let reads = matches!(call.class, Class::Read | Class::Watch);
            assert!(!(reads && call.changes), "{} reads and changes", call.path);
            if carries_request_id.contains(format!("{}Request", call.name()).as_str()) {
                assert!(call.changes, "{} carries a request id", call.path);
            }
            if call.class == Class::Watch {
                assert!(shapes[call.path].server_streams, "{}", call.path);
            }
        }
    }

    #[test]
    fn what_must_never_be_is_never() {
        let never = |role: Role, names: &[&str]| {
            for name in names {
                let call = CALLS.iter().find(|call| call.name() == *name).unwrap();
                assert_eq!(call.grant(role), Grant::Never, "{role} {name}");
            }
        };
        let publishing = ["PublishOffer", "ReplaceOffers", "AdjustOffer", "WithdrawOffer", "RaiseNeed"];
        for role in
            [Role::Gold, Role::Engine, Role::Console, Role::Auditor, Role::PlatformAdmin, Role::Coordinator]
        {
            never(role, &publishing);
            never(role, &["AnswerProposal", "RetractAnswer", "AdvanceTransfer"]);
        }
        for role in [Role::BedManager, Role::SiteLead, Role::TrustSystem] {
            never(role, &["BypassProposal", "ApplyRegion", "SetMode"]);
            for name in publishing {
                let call = CALLS.iter().find(|call| call.name() == name).unwrap();
                assert_eq!(call.grant(role), Grant::Own, "{role} {name}");
            }
        }
        // The console's own connection watches and does nothing else.
        for call in CALLS {
            assert!(call.grant(Role::Console) == Grant::Never || call.class == Class::Watch, "{}", call.path);
        }
    }

    #[test]
    fn a_caller_without_the_right_is_told_by_reason() {
        let region = fallow_domain::ids::RegionId::parse("north-vale").unwrap();
        let gold = crate::identity::built_in::user("duty-lead", &region).unwrap();
        let call = |path| Call::find(path).unwrap();
        let refused = gold.authorise(call("/fallow.v1.MatchingService/AnswerProposal")).unwrap_err();
        assert_eq!(refused.reason(), reasons::ROLE_FORBIDS);
        assert_eq!(gold.authorise(call("/fallow.v1.MatchingService/BypassProposal")), Ok(Grant::Any));
        assert!(Call::find("/fallow.v1.MatchingService/Nothing").is_none());
    }

    #[test]
    fn what_overrides_others_or_changes_the_rules_needs_a_stronger_sign_in() {
        let strong: Vec<&str> =
            CALLS.iter().filter(|call| call.assurance == Some(Assurance::Three)).map(Call::name).collect();
        assert_eq!(
            strong,
            [
                "BypassProposal",
                "ApplyRegion",
                "ProposeAction",
                "ConfirmAction",
                "RefuseAction",
                "ReviewAction"
            ]
        );
        let region = fallow_domain::ids::RegionId::parse("north-vale").unwrap();
        for call in CALLS.iter().filter(|call| call.assurance.is_some()) {
            for role in Role::ALL {
                let trust = Some("ZA1".parse().unwrap());
                let actor = |kind| fallow_domain::actor::Actor {
                    subject: fallow_domain::ids::Label::parse("somebody").unwrap(),
                    kind,
                    role: *role,
                    trust,
                };
                let person = |assurance| Caller {
                    assurance,
                    ..Caller::unasked(actor(ActorKind::Person), region.clone())
                };
                let too_weak = match call.grant(*role) {
                    Grant::Never => reasons::ROLE_FORBIDS,
                    Grant::Own | Grant::Shared | Grant::Any => reasons::AAL_TOO_LOW,
                };
                for weak in [None, Some(Assurance::One), Some(Assurance::Two)] {
                    let refused = person(weak).authorise(call).unwrap_err();
                    assert_eq!(refused.reason(), too_weak, "{} {role} {weak:?}", call.path);
                }
                let system = Caller::system(actor(ActorKind::System), region.clone());
                assert_eq!(system.authorise(call).unwrap_err().reason(), too_weak, "{} {role}", call.path);
                let sure = person(Some(Assurance::Three)).authorise(call);
                assert_eq!(sure.is_ok(), call.grant(*role) != Grant::Never, "{} {role}", call.path);
            }
        }
    }

    #[test]
    fn the_document_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/permissions.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == markdown(), "docs/permissions.md is out of date: run `cargo xtask codegen`");
    }
}
