//! Single changes that would serve a need, each found by solving: what is offered does place what it says.
//!
//! For unit needs a change is tried on the best plan itself, unit by unit by the cheapest chain of moves, which gives the best
//! plan of the changed problem. A change is offered where every best plan of the changed problem serves more of this need
//! and more units in all. A change of an offer is tried once for everybody, and serves those for sure without whose gain the
//! changed plan would cost more. A wider limit is tried for its need alone, whose units are taken out and put in again one by
//! one: the first that it did not have before must cost less than leaving it out. For theatre cases the plan stays as it lies
//! and the changed session takes in whom it promises to take (the most urgent first, replacing only less urgent ones).
//!
//! Looked at are the offers that this one change makes eligible for the need, or that others have; of each kind the
//! cheapest that does it is offered.

mod edit;
mod minutes;
mod outranked;
mod units;

use crate::matching::eligible::burden;
use crate::matching::explanation::{Change, Relaxation};
use crate::reason::NotUsed;
use crate::resource::ResourceKind;

use super::Explainer;
use super::counts::Seen;
use super::words::{resource, span};

pub(super) use edit::{Edit, Tried};
pub(super) use outranked::Queue;

/// Offers that are tried for each kind of change, those of least burden first.
const TRIES: usize = 32;

impl Explainer<'_> {
    /// The cheapest change of each kind that places more units in all, this need's among them; kinds in the order of what they
    /// ask of people.
    pub(super) fn relaxations(&self, need: u32, seen: &[Seen]) -> Vec<Relaxation> {
        let its = self.need(need);
        let keeps_away = |code: NotUsed| -> Vec<u32> {
            let only = seen.iter().filter(|one| one.only(code)).map(|one| one.offer);
            let mut only: Vec<(u32, u32)> =
                only.map(|at| (burden(self.problem, its, self.offer(at)).total(), at)).collect();
            only.sort_by_key(|&(points, at)| (points, &self.offer(at).id));
            only.into_iter().map(|(_, at)| at).collect()
        };
        let eligible: Vec<u32> = seen.iter().filter(|one| one.is_eligible()).map(|one| one.offer).collect();
        let far = keeps_away(NotUsed::TooFar);
        let late = keeps_away(NotUsed::TooLate);
        let (stale, unstaffed) = (keeps_away(NotUsed::Stale), keeps_away(NotUsed::TeamMissing));
        let full = keeps_away(NotUsed::BelowReserve);
        if its.resource.kind == ResourceKind::Theatre {
            let short = keeps_away(NotUsed::TooShort);
            return [
                self.confirm_session(need, &stale),
                self.farther_session(need, &far),
                self.later_session(need, &late),
                self.team_for_session(need, &unstaffed),
                self.more_minutes(need, eligible.into_iter().chain(short).chain(full)),
            ]
            .into_iter()
            .flatten()
            .collect();
        }
        [
            self.first_that_places(need, stale.iter().map(|&offer| Edit::Confirm { offer })),
            self.farther(need, &far),
            self.later(need, &late),
            self.first_that_places(need, unstaffed.iter().map(|&offer| Edit::Staff { offer })),
            self.more_units(need, &eligible, &full),
            self.lower_reserve(need, &eligible, &full),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The change in the contract's words and in plain ones.
    fn told(&self, need: u32, change: Change, places: i64) -> Relaxation {
        let its = self.need(need);
        let offer = |id| self.offers.get(id).map(|&at| self.offer(at));
        let place = |id| offer(id).map(|offer| self.place(offer)).unwrap_or_default();
        let trust = |id| offer(id).map(|offer| self.trust_name(offer)).unwrap_or_default();
        let text = match &change {
            Change::TravelLimit { minutes } => format!(
                "travel limit {minutes} minutes instead of {}",
                its.max_travel_minutes.unwrap_or_default()
            ),
            Change::Confirm { offer, .. } => {
                format!("{} says that {} is still true", trust(offer), place(offer))
            }
            Change::MoreUnits { offer, units, .. } if its.resource.kind == ResourceKind::Theatre => {
                format!("{units} more minutes of {}", place(offer))
            }
            Change::MoreUnits { offer, units: 1, .. } => format!("one more unit of {}", place(offer)),
            Change::MoreUnits { offer, units, .. } => format!("{units} more units of {}", place(offer)),
            Change::LowerReserve { trust, by, .. } => {
                let name = self.problem.region.trusts.get(trust);
                let name = name.map_or_else(|| trust.to_string(), |trust| trust.name.to_string());
                format!("{name} keeps {by} fewer of {} for itself", resource(&its.resource))
            }
            Change::LaterBy { needed_by } => {
                let by = its.needed_by.unwrap_or(*needed_by);
                format!("needed {} later", span(needed_by.duration_since(by)))
            }
            Change::FindTeam { offer, .. } => format!("a team for {}", place(offer)),
        };
        Relaxation { change, text, places: u32::try_from(places).unwrap_or(u32::MAX) }
    }
}
