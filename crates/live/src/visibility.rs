//! Who may see what: one function for each kind of record, used by every way of reading.
//!
//! What a caller may not see does not exist for it: reads answer NOT_FOUND, lists and watches leave it out. A
//! [`Visible`] can only be made here, and only a `Visible` is turned into an answer, so no path can forget to ask.

use std::collections::BTreeSet;

use fallow_domain::actor::{Actor, Role};
use fallow_domain::ids::{Label, TrustCode};
use fallow_domain::need::{Need, Patient, Validated, Validation};
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::reason::NotUsed;
use fallow_domain::region::Region;
use fallow_domain::resource::ResourceKind;
use fallow_domain::transfer::Transfer;
use fallow_ledger::record::Record;

/// A record that its viewer may see, with what it may not see of it left out.
#[derive(Debug, Clone)]
pub struct Visible<T>(T);

impl<T> Visible<T> {
    /// Returns the record.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Looks at the record.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// Somebody who reads, and the region whose collaboratives say what that is.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// Who reads.
    pub actor: &'a Actor,
    /// The region in force.
    pub region: &'a Region,
}

/// What joins a viewer's trust to another's need: a live proposal or transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Joined {
    /// Nothing.
    No,
    /// It lends a team to a session that serves the need: it sees what is needed, and not the patient, for he goes to
    /// another trust.
    Lends,
    /// It serves the need.
    Serves,
}

impl Joined {
    /// Returns how a record joins a trust to the need that it is about.
    #[must_use]
    pub fn by(record: &Record, trust: TrustCode) -> Self {
        let (supporting, third) = match record {
            Record::Proposal(proposal) => (proposal.supporting_trust, proposal.third_trust()),
            Record::Transfer(transfer) => (transfer.supporting_trust, transfer.third_trust()),
            Record::Offer(_)
            | Record::Need(_)
            | Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_)
            | Record::Decline(_) => return Self::No,
        };
        if supporting == trust {
            Self::Serves
        } else if third == Some(trust) {
            Self::Lends
        } else {
            Self::No
        }
    }
}

/// How far somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every record of the region.
    Region,
    /// What concerns a trust and the trusts it shares a collaborative with.
    Trust(TrustCode),
    /// Nothing.
    Nothing,
}

impl Reach {
    /// Returns how far somebody sees.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        match actor.role {
            Role::Engine | Role::Gold | Role::Auditor | Role::Icb => Reach::Region,
            Role::TrustSystem
            | Role::BedManager
            | Role::SiteLead
            | Role::Coordinator
            | Role::LeadProvider => actor.trust.map_or(Reach::Nothing, Reach::Trust),
            // The console's own connection learns revisions, never records: each page is read with its user's rights.
            // Whoever runs the platform needs no patient flow to do so.
            Role::Console | Role::PlatformAdmin => Reach::Nothing,
        }
    }

    /// Says whether a trust is known to who sees so far, or its figures for a kind of resource where one is named: see
    /// [`Viewer::knows_trust`] and [`Viewer::knows_kind`].
    #[must_use]
    pub fn knows(self, region: &Region, trust: TrustCode, kind: Option<ResourceKind>) -> bool {
        match self {
            Reach::Region => true,
            Reach::Trust(own) => {
                let joins = |shares: &BTreeSet<ResourceKind>| kind.is_none_or(|kind| shares.contains(&kind));
                own == trust || region.joining(own, trust).any(|joint| joins(&joint.shares))
            }
            Reach::Nothing => false,
        }
    }

    /// Shows an offer to its own trust, to trusts it is shared with, and to roles above trusts. Whoever sees as far sees the
    /// same of every offer: nothing else of a viewer is asked.
    #[must_use]
    pub fn offer(self, region: &Region, offer: &Offer) -> Option<Visible<Offer>> {
        let seen = match self {
            Reach::Region => true,
            Reach::Nothing => false,
            Reach::Trust(own) => {
                own == offer.trust
                    || region.joining(own, offer.trust).any(|collaborative| {
                        collaborative.shares.contains(&offer.resource.kind)
                            && (offer.shared_with.is_empty() || offer.shared_with.contains(&collaborative.id))
                    })
            }
        };
        seen.then(|| {
            let mut offer = offer.clone();
            if let Reach::Trust(own) = self
                && own != offer.trust
            {
                // Who else has asked, and for which need, is between those two.
                offer.recent.asked.retain(|asked| asked.by.trust == Some(own));
            }
            Visible(offer)
        })
    }
}

impl Viewer<'_> {
    /// Returns how far the viewer sees.
    #[must_use]
    pub fn reach(&self) -> Reach {
        Reach::of(self.actor)
    }

    /// Says whether the viewer sees every record of the region.
    #[must_use]
    pub fn sees_region(&self) -> bool {
        self.reach() == Reach::Region
    }

    /// Says whether the viewer sees any record at all.
    #[must_use]
    pub fn sees_anything(&self) -> bool {
        self.reach() != Reach::Nothing
    }

    /// Says whether a trust shares any collaborative with the viewer, or is its own.
    #[must_use]
    pub fn knows_trust(&self, trust: TrustCode) -> bool {
        self.reach().knows(self.region, trust, None)
    }

    /// Says whether the viewer sees the figures of a trust for a kind of resource: its own, those of trusts of a
    /// collaborative that shares the kind, and all of them from above trusts.
    #[must_use]
    pub fn knows_kind(&self, trust: TrustCode, kind: ResourceKind) -> bool {
        self.reach().knows(self.region, trust, Some(kind))
    }

    /// Shows an offer as far as the viewer sees.
    #[must_use]
    pub fn offer(&self, offer: &Offer) -> Option<Visible<Offer>> {
        self.reach().offer(self.region, offer)
    }

    /// Shows a need to its own trust whole; to trusts of a collaborative that shares the kind, and to roles above
    /// trusts, without the patient unless a proposal joins the two.
    #[must_use]
    pub fn need(&self, need: &Need, joined: Joined) -> Option<Visible<Need>> {
        let (seen, whole, only_lends) = match self.reach() {
            Reach::Region => (true, self.actor.role == Role::Engine, false),
            Reach::Nothing => (false, false, false),
            Reach::Trust(own) if own == need.trust => (true, true, false),
            Reach::Trust(own) => {
                let shared =
                    self.region.joining(own, need.trust).any(|c| c.shares.contains(&need.resource.kind));
                (shared || joined != Joined::No, joined == Joined::Serves, !shared && joined == Joined::Lends)
            }
        };
        seen.then(|| {
            let mut need = need.clone();
            if !whole {
                need.patient = Patient::default();
            }
            if !whole {
                need.validation = self.validation(need.validation);
            }
            if only_lends {
                // Who sends a team asks what for, and not whom the home trust knows under which reference.
                (need.case_ref, need.imd_decile, need.risk) = (None, None, None);
                (need.home_area, need.cohort) = (Label::default(), Label::default());
                (need.from_home, need.away_since) = (None, None);
                need.validation = Validation::default();
            }
            Visible(need)
        })
    }

    /// Shows of a need's validation what is no word about the patient: whether he has consented and is fit is for those who
    /// see him. Roles above trusts see who asked and when it was said to stand, others their own question.
    fn validation(&self, whole: Validation) -> Validation {
        let Validation { asked, said } = whole;
        if self.sees_region() {
            let said = said.map(|said| Validated { consented: false, fit: false, ..said });
            return Validation { asked, said };
        }
        let own = asked.filter(|asked| asked.by.trust.is_some() && asked.by.trust == self.actor.trust);
        Validation { asked: own, said: None }
    }

    /// Says whether how urgent a need is may be told by its score, which counts risk and deprivation: to whom the need is
    /// shown by its collaborative, and not to who only lends a team.
    #[must_use]
    pub fn knows_score(&self, need: &Need) -> bool {
        self.knows_kind(need.trust, need.resource.kind)
    }

    /// Shows a proposal to the trusts it joins, to who leads a collaborative that joins them, and to roles above
    /// trusts. Of the explanation, a trust is told only of trusts that it shares a collaborative with: the other side
    /// may be in collaboratives that are none of its business.
    #[must_use]
    pub fn proposal(&self, proposal: &Proposal) -> Option<Visible<Proposal>> {
        if !self.between(proposal.home_trust, proposal.supporting_trust)
            && !self.is_third(proposal.third_trust())
        {
            return None;
        }
        let mut proposal = proposal.clone();
        if matches!(self.reach(), Reach::Trust(_)) {
            self.leave_out_strangers(&mut proposal);
        }
        Some(Visible(proposal))
    }

    fn leave_out_strangers(&self, proposal: &mut Proposal) {
        let is_home = self.actor.trust == Some(proposal.home_trust);
        let explanation = &mut proposal.explanation;
        let before = explanation.alternatives.len();
        explanation.alternatives.retain(|other| self.knows_trust(other.trust));
        if explanation.alternatives.len() < before {
            explanation.flips.clear();
        }
        for row in &mut explanation.not_used {
            // Offers that fail for want of an agreement are the only ones the home trust need not know.
            if !is_home || row.reason == NotUsed::NoAgreement {
                row.example.clear();
            }
        }
    }

    /// Shows a transfer to the trusts it joins, to the trust that carries, to who leads a collaborative that joins them, and
    /// to roles above trusts.
    #[must_use]
    pub fn transfer(&self, transfer: &Transfer) -> Option<Visible<Transfer>> {
        let is_seen = self.between(transfer.home_trust, transfer.supporting_trust)
            || self.is_third(transfer.third_trust())
            || self.carries(transfer);
        is_seen.then(|| Visible(transfer.clone()))
    }

    /// Says whether the viewer is of the trust, such as an ambulance trust, that the transport names by its code.
    fn carries(&self, transfer: &Transfer) -> bool {
        match self.reach() {
            Reach::Trust(own) => transfer
                .transport
                .as_ref()
                .is_some_and(|transport| transport.provider.as_str() == own.as_str()),
            Reach::Region | Reach::Nothing => false,
        }
    }

    /// Says whether the viewer is of the trust that lends a team.
    fn is_third(&self, lender: Option<TrustCode>) -> bool {
        match self.reach() {
            Reach::Trust(own) => lender == Some(own),
            Reach::Region | Reach::Nothing => false,
        }
    }

    /// Says whether the viewer would see a proposal that joins two trusts, each of which may be the other.
    #[must_use]
    pub fn between(&self, home: TrustCode, supporting: TrustCode) -> bool {
        match self.reach() {
            Reach::Region => true,
            Reach::Trust(own) => own == home || own == supporting || self.leads(own, home, supporting),
            Reach::Nothing => false,
        }
    }

    /// Says whether the viewer is a lead provider whose trust leads a collaborative that joins the two.
    fn leads(&self, own: TrustCode, home: TrustCode, supporting: TrustCode) -> bool {
        self.actor.role == Role::LeadProvider
            && self.region.joining(home, supporting).any(|c| c.lead == Some(own))
    }
}
