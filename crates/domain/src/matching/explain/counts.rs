//! How many offers do not serve a need, by the first reason that objects.

use crate::matching::eligible::{self, Ways};
use crate::matching::explanation::NotUsedCount;
use crate::matching::rank::Rank;
use crate::need::Need;
use crate::offer::Offer;
use crate::reason::NotUsed;

use super::Explainer;
use super::offers::View;
use super::words::span;

/// An offer as one need sees it: the first objections, of which no single change could lift more.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) offer: u32,
    first: Option<NotUsed>,
    second: Option<NotUsed>,
    /// Whether there are more than two.
    more: bool,
}

impl Seen {
    /// Says whether nothing objects.
    pub(super) fn is_eligible(self) -> bool {
        self.first.is_none()
    }

    /// Says whether lifting this objection alone would make the offer eligible. The figures of a stale offer do not count
    /// above the reserve, and a session with nothing free is too short as well: one change lifts both.
    pub(super) fn only(self, code: NotUsed) -> bool {
        let implied = match code {
            NotUsed::Stale | NotUsed::TooShort => Some(NotUsed::BelowReserve),
            NotUsed::SameTrust
            | NotUsed::NoAgreement
            | NotUsed::WrongResource
            | NotUsed::SpecialtyMismatch
            | NotUsed::CapabilityMissing
            | NotUsed::Isolation
            | NotUsed::CareLevel
            | NotUsed::SecurityLevel
            | NotUsed::AgeOrSex
            | NotUsed::BmiOrAsaLimit
            | NotUsed::TooFar
            | NotUsed::TooLate
            | NotUsed::TooEarly
            | NotUsed::TeamMissing
            | NotUsed::RingFenced
            | NotUsed::Suspended
            | NotUsed::TrustUnderPressure
            | NotUsed::BelowReserve
            | NotUsed::DeclinedBefore
            | NotUsed::HeldForAnother
            | NotUsed::LostToHigherPriority
            | NotUsed::CheaperElsewhere => None,
        };
        !self.more && self.first == Some(code) && (self.second.is_none() || self.second == implied)
    }
}

impl Explainer<'_> {
    /// Looks at the offers of a view that are not ruled out.
    pub(super) fn seen(&self, need: u32, view: &View) -> Vec<Seen> {
        let (problem, setting, its) = (self.problem, &self.model.setting, self.need(need));
        let mut ways = Ways::default();
        let look = |&offer: &u32| {
            let mut codes =
                eligible::iter_other_objections(problem, setting, its, self.offer(offer), &mut ways);
            let (first, second) = (codes.next(), codes.next());
            Seen { offer, first, second, more: second.is_some() && codes.next().is_some() }
        };
        view.rest.iter().map(look).collect()
    }

    /// Why an offer that would do is not used for a need: who has it instead.
    pub(super) fn why_lost(&self, need: u32, offer: u32) -> NotUsed {
        let mine = self.rank(need);
        let mut at = self.pools.get(&offer).copied();
        // A session is in no pool. Of what something is left of nobody has taken anything away.
        let is_lost = at.is_none() && self.cases_in(need, offer) == 0;
        let of_session = self.takers.get(&offer).filter(|_| is_lost);
        let mut takers: Vec<u32> = of_session.cloned().unwrap_or_default();
        while let Some(store) = at {
            // What the trust keeps for itself may leave units of the pool untaken.
            let this = &self.model.network.stores[store as usize];
            if self.residual.taken(store) >= this.room {
                takers.extend(self.residual.takers(store).iter().map(|&d| self.model.demands[d as usize]));
            }
            at = this.parent;
        }
        takers.retain(|&taker| taker != need);
        let ranks: Vec<Option<Rank>> = takers.iter().map(|&taker| self.rank(taker)).collect();
        if ranks.is_empty() || ranks.contains(&mine) {
            NotUsed::CheaperElsewhere
        } else if ranks.iter().all(|&rank| rank < mine) {
            NotUsed::LostToHigherPriority
        } else {
            NotUsed::HeldForAnother
        }
    }

    /// Counts offers by the reason why each does not serve the need, with an example each, in the order of the table; the
    /// example of those too far away is the nearest. `leave_out` is an offer that is not counted.
    pub(super) fn counts(
        &self,
        need: u32,
        view: &View,
        seen: &[Seen],
        leave_out: Option<u32>,
    ) -> Vec<NotUsedCount> {
        let its = self.need(need);
        // Reason, how many, the example, how far it is.
        let mut counts: Vec<(NotUsed, u32, u32, u32)> =
            view.ruled_out.iter().map(|&(reason, count, first)| (reason, count, first, 0)).collect();
        for one in seen.iter().filter(|one| Some(one.offer) != leave_out) {
            let reason = one.first.unwrap_or_else(|| self.why_lost(need, one.offer));
            let far = if reason == NotUsed::TooFar { self.travel(its, one.offer) } else { 0 };
            match counts.iter_mut().find(|count| count.0 == reason) {
                Some((_, count, example, known)) => {
                    *count += 1;
                    if far < *known {
                        (*example, *known) = (one.offer, far);
                    }
                }
                None => counts.push((reason, 1, one.offer, far)),
            }
        }
        counts.sort_unstable_by_key(|count| count.0);
        let row = |(reason, count, example, _): (NotUsed, u32, u32, u32)| NotUsedCount {
            reason,
            count,
            example: self.example(its, self.offer(example), reason),
        };
        counts.into_iter().map(row).collect()
    }

    /// Minutes from the need to the offer; the longest there are where no way is known.
    pub(super) fn travel(&self, need: &Need, offer: u32) -> u32 {
        self.problem.region.travel_minutes(need.site, self.offer(offer).site).unwrap_or(u32::MAX)
    }

    pub(super) fn trust_name(&self, offer: &Offer) -> String {
        let trust = self.problem.region.trusts.get(&offer.trust);
        trust.map_or_else(|| offer.trust.to_string(), |trust| trust.name.to_string())
    }

    /// One offer with its figure, in plain words.
    fn example(&self, need: &Need, offer: &Offer, reason: NotUsed) -> String {
        let name = self.trust_name(offer);
        let start = self.problem.start_of(need);
        let figure = match reason {
            NotUsed::TooFar => self.problem.region.travel_minutes(need.site, offer.site).map(|minutes| {
                format!("{minutes} minutes, limit {}", need.max_travel_minutes.unwrap_or_default())
            }),
            NotUsed::Stale => {
                Some(format!("last reported {} ago", span(self.problem.at.duration_since(offer.reported_at))))
            }
            NotUsed::TooLate => offer
                .window
                .from
                .zip(need.needed_by)
                .map(|(from, by)| format!("starts {} after it is needed", span(from.duration_since(by)))),
            NotUsed::TooEarly => Some(if offer.resource.kind.is_open_while_it_lasts() {
                format!("ends {} before it is needed", span(start.duration_since(offer.window.until)))
            } else {
                let from = offer.window.from.unwrap_or(offer.window.until);
                format!("starts {} before it is needed", span(start.duration_since(from)))
            }),
            NotUsed::TooShort => {
                Some(format!("{} minutes free, {} needed", offer.figures.free(), need.minutes_per_case))
            }
            NotUsed::CareLevel => offer.resource.level.map(|level| format!("level {}", level.get())),
            NotUsed::BelowReserve => {
                let reserve = self.problem.reserve(offer.trust, &offer.resource.key());
                Some(format!("{} free, keeps {reserve}", offer.figures.free()))
            }
            NotUsed::TrustUnderPressure => {
                let trust = self.problem.region.trusts.get(&offer.trust);
                trust.and_then(|trust| trust.opel).map(|opel| format!("declared OPEL {opel}"))
            }
            NotUsed::CheaperElsewhere | NotUsed::LostToHigherPriority | NotUsed::HeldForAnother => {
                let points = eligible::burden(self.problem, need, offer).total();
                Some(format!("{points} points"))
            }
            NotUsed::SameTrust
            | NotUsed::NoAgreement
            | NotUsed::WrongResource
            | NotUsed::SpecialtyMismatch
            | NotUsed::CapabilityMissing
            | NotUsed::Isolation
            | NotUsed::SecurityLevel
            | NotUsed::AgeOrSex
            | NotUsed::BmiOrAsaLimit
            | NotUsed::TeamMissing
            | NotUsed::RingFenced
            | NotUsed::Suspended
            | NotUsed::DeclinedBefore => None,
        };
        match figure {
            Some(figure) => format!("{name}: {figure}"),
            None => name,
        }
    }
}
