//! Teams that are lent: the third side of a proposal that joins an unstaffed theatre session with somebody's staff.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::ids::{Label, OfferId, TrustCode};
use crate::lifecycle::Party;
use crate::lifecycle::proposal::AnswerState;
use crate::offer::Offer;
use crate::proposal::{Answer, HomeDecline, Proposal, Side, SupportingDecline};
use crate::quantity::Count;
use crate::region::Region;
use crate::transfer::Transfer;

/// Units of an offer of staff that go to a session: a unit is a whole team.
pub const TEAM_UNITS: Count = Count::ONE;

/// The team that a proposal takes for its session, and what its trust says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LentTeam {
    /// The offer of staff of which units are held beside the session's minutes.
    pub offer: OfferId,
    /// The trust that would lend it.
    pub trust: TrustCode,
    /// Units of that offer: [`TEAM_UNITS`].
    pub units: Count,
    /// The roles that the session lacks, every one of which the team has; sorted.
    pub roles: Vec<Label>,
    /// Minutes that the team travels to the session.
    pub travel_minutes: u32,
    /// How many other offers of staff could have come, none of them nearer.
    pub others: u32,
    /// What the trust answers; `None` where it is the home or the supporting trust, which answers once for all that it
    /// gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side<SupportingDecline>>,
    /// The offer's generation when it was proposed.
    pub generation: u32,
}

/// The team that a transfer takes to its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamOnTheWay {
    /// The offer of staff of which units are committed.
    pub offer: OfferId,
    /// The trust that lends it.
    pub trust: TrustCode,
    /// Units of that offer.
    pub units: Count,
}

impl LentTeam {
    /// Says whether its trust is still to say yes for itself.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.side.as_ref().is_some_and(|side| !side.is_yes())
    }
}

/// Says whether a unit of staff has every role that a session lacks, for as long as the session lasts. A team is
/// published under one role and names the others among its capabilities.
#[must_use]
pub fn covers(team: &Offer, session: &Offer) -> bool {
    let role = team.resource.code.as_str();
    let has = |lacking: &Label| lacking.as_str() == role || team.capabilities.contains(lacking);
    let Some(begins) = session.window.from else { return false };
    team.window.from.is_none_or(|from| from <= begins)
        && team.window.until >= session.window.until
        && session.team.needs.iter().all(has)
}

impl Proposal {
    /// Returns what it holds of an offer's account: units of the session, the beds or whatever it uses, or of the team's
    /// offer; `None` when it takes nothing of the offer.
    #[must_use]
    pub fn held_of(&self, offer: &OfferId) -> Option<Count> {
        if self.offer == *offer {
            return Some(self.minutes_or_units_held);
        }
        self.team.as_ref().filter(|team| team.offer == *offer).map(|team| team.units)
    }

    /// Returns every offer that it takes something of.
    pub fn offers(&self) -> impl Iterator<Item = &OfferId> {
        std::iter::once(&self.offer).chain(self.team.as_ref().map(|team| &team.offer))
    }

    /// Returns the trusts that it asks, each once: home, supporting and, where it is a third one, the team's.
    pub fn trusts(&self) -> impl Iterator<Item = TrustCode> {
        [self.home_trust, self.supporting_trust].into_iter().chain(self.third_trust())
    }

    /// Returns the trust of the team where that is neither the home nor the supporting one.
    #[must_use]
    pub fn third_trust(&self) -> Option<TrustCode> {
        self.team.as_ref().filter(|team| team.side.is_some()).map(|team| team.trust)
    }

    /// Says whether a collaborative is in incident mode that joins the supporting trust with the home trust, or with a third
    /// one whose team comes to its session.
    #[must_use]
    pub fn is_in_incident(&self, region: &Region) -> bool {
        let with = |trust| region.is_incident_between(trust, self.supporting_trust);
        with(self.home_trust) || self.third_trust().is_some_and(with)
    }

    /// Returns the side that speaks for an offer of the proposal: where the team's trust has no side of its own it is
    /// the home or the supporting trust, with that side.
    #[must_use]
    pub fn side_of(&self, offer: &OfferId) -> Party {
        match &self.team {
            Some(team) if team.offer == *offer => {
                if team.side.is_some() {
                    Party::Team
                } else if team.trust == self.home_trust {
                    Party::Home
                } else {
                    Party::Supporting
                }
            }
            Some(_) | None => Party::Supporting,
        }
    }

    /// Lets the trust of an offer say no because its own report says that the capacity is gone.
    pub(crate) fn decline_for(&mut self, offer: &OfferId, actor: &Actor, at: Timestamp) -> Party {
        let party = self.side_of(offer);
        match (party, self.team.as_mut().and_then(|team| team.side.as_mut())) {
            (Party::Home, _) => say_no(&mut self.home, HomeDecline::Other, actor, at),
            (Party::Team, Some(side)) => say_no(side, SupportingDecline::CapacityChanged, actor, at),
            (
                Party::Team
                | Party::Supporting
                | Party::Authority
                | Party::Gold
                | Party::Engine
                | Party::Other,
                _,
            ) => say_no(&mut self.supporting, SupportingDecline::CapacityChanged, actor, at),
        }
        party
    }

    /// Returns what each trust that is asked has answered.
    pub fn answers(&self) -> impl Iterator<Item = AnswerState> {
        let team = self.team.as_ref().and_then(|team| team.side.as_ref());
        [self.home.answer.state(), self.supporting.answer.state()]
            .into_iter()
            .chain(team.map(|side| side.answer.state()))
    }
}

fn say_no<Code>(side: &mut Side<Code>, code: Code, actor: &Actor, at: Timestamp) {
    side.answer = Answer::Declined(code);
    side.at = Some(at);
    side.by = Some(actor.clone());
    side.with = None;
}

impl Transfer {
    /// Returns what it has committed of an offer's account until it arrives; `None` when it takes nothing of the offer.
    #[must_use]
    pub fn committed_of(&self, offer: &OfferId) -> Option<Count> {
        if self.offer == *offer {
            return Some(self.minutes_or_units_committed);
        }
        self.team.as_ref().filter(|team| team.offer == *offer).map(|team| team.units)
    }

    /// Returns every offer that it takes something of.
    pub fn offers(&self) -> impl Iterator<Item = &OfferId> {
        std::iter::once(&self.offer).chain(self.team.as_ref().map(|team| &team.offer))
    }

    /// Returns the trusts that it joins, each once.
    pub fn trusts(&self) -> impl Iterator<Item = TrustCode> {
        [self.home_trust, self.supporting_trust].into_iter().chain(self.third_trust())
    }

    /// Returns the trust of the team where that is neither the home nor the supporting one.
    #[must_use]
    pub fn third_trust(&self) -> Option<TrustCode> {
        let team = self.team.as_ref().map(|team| team.trust);
        team.filter(|trust| *trust != self.home_trust && *trust != self.supporting_trust)
    }
}
