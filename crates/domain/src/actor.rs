//! Who acts: a person or a system, in a role, for a trust.

use serde::{Deserialize, Serialize};

use crate::ids::{Label, TrustCode};
use crate::resource::coded;

coded!(
    /// The roles that rights are given to.
    Role {
        /// A trust's operations system.
        TrustSystem = "trust_system",
        /// A bed manager.
        BedManager = "bed_manager",
        /// A site or operations lead.
        SiteLead = "site_lead",
        /// A collaborative's coordinator.
        Coordinator = "coordinator",
        /// An integrated care board.
        Icb = "icb",
        /// A lead provider.
        LeadProvider = "lead_provider",
        /// The matching engine.
        Engine = "engine",
        /// The console's own connection, which watches revisions only.
        Console = "console",
        /// Gold command.
        Gold = "gold",
        /// An auditor.
        Auditor = "auditor",
        /// A platform administrator.
        PlatformAdmin = "platform_admin",
    }
);

impl Role {
    /// Returns how people call the role, within a sentence: "bed manager", "gold command". Nothing else names roles.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::TrustSystem => "trust system",
            Self::BedManager => "bed manager",
            Self::SiteLead => "site lead",
            Self::Coordinator => "coordinator",
            Self::Icb => "integrated care board",
            Self::LeadProvider => "lead provider",
            Self::Engine => "engine",
            Self::Console => "console",
            Self::Gold => "gold command",
            Self::Auditor => "auditor",
            Self::PlatformAdmin => "platform admin",
        }
    }

    /// Returns how people call, within a sentence, who approves in this role: "the lead provider".
    #[must_use]
    pub fn as_approver(self) -> String {
        match self {
            Self::Icb | Self::LeadProvider => format!("the {}", self.in_words()),
            Self::Gold => self.in_words().to_owned(),
            Self::TrustSystem
            | Self::BedManager
            | Self::SiteLead
            | Self::Coordinator
            | Self::Engine
            | Self::Console
            | Self::Auditor
            | Self::PlatformAdmin => "the authority".to_owned(),
        }
    }
}

coded!(
    /// Whether a person or a system acts.
    ActorKind {
        /// A person.
        Person = "person",
        /// A system.
        System = "system",
    }
);

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The subject of the credential: a stable name of the person or system, never a patient.
    pub subject: Label,
    /// Whether it is a person or a system.
    pub kind: ActorKind,
    /// The role.
    pub role: Role,
    /// The trust it acts for; `None` for roles above trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustCode>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_as_people_name_them() {
        for role in Role::ALL {
            let words = role.in_words();
            assert!(!words.is_empty() && !words.contains('_') && words == words.to_lowercase(), "{role}");
        }
        let names: std::collections::BTreeSet<&str> = Role::ALL.iter().map(|role| role.in_words()).collect();
        assert_eq!(names.len(), Role::ALL.len(), "no two roles have one name");
        let approvers = [Role::Icb, Role::LeadProvider, Role::Gold, Role::Engine].map(Role::as_approver);
        assert_eq!(
            approvers,
            ["the integrated care board", "the lead provider", "gold command", "the authority"]
        );
    }
}
