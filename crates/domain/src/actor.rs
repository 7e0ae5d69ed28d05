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
    /// Returns how people call, within a sentence, who approves in this role.
    #[must_use]
    pub const fn as_approver(self) -> &'static str {
        match self {
            Self::Icb => "the integrated care board",
            Self::LeadProvider => "the lead provider",
            Self::Gold => "gold",
            Self::TrustSystem
            | Self::BedManager
            | Self::SiteLead
            | Self::Coordinator
            | Self::Engine
            | Self::Console
            | Self::Auditor
            | Self::PlatformAdmin => "the authority",
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
