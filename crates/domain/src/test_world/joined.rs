//! A session without its team and teams that could come to it.

use super::{World, engine, minutes, new_need, offer_id, report, resource};
use crate::decide::proposal::{self, Reply, SuggestedTeam, SupportingReply};
use crate::ids::Label;
use crate::offer::Team;
use crate::quantity::Count;
use crate::resource::ResourceKind;

impl World {
    /// ZA2 has 3 cases of 60 minutes; ZA1 an unstaffed session of 240 minutes in two hours; each of `lenders` two
    /// teams, `team-ZA3` and so on, of which it keeps none.
    pub(crate) fn with_session(lenders: &[&str]) -> Self {
        let mut world = Self::new();
        let mut session = report("ZA1", "theatre 1", 240, 0, world.at);
        session.resource = resource(ResourceKind::Theatre, "MAIN");
        session.team = Team { staffed: false, needs: vec![Label::parse("ODP").unwrap()] };
        session.window.from = Some(world.at + minutes(120));
        session.window.until = world.at + minutes(360);
        world.publish("session", session);
        let mut need = new_need("ZA2", "n-1", 3, world.at);
        need.resource = resource(ResourceKind::Theatre, "MAIN");
        need.minutes_per_case = Count::new(60);
        world.raise(need);
        for lender in lenders {
            world.publish_team(lender, 2);
        }
        world
    }

    pub(crate) fn publish_team(&mut self, trust: &str, staffed: u32) {
        let mut team = report(trust, "odps", staffed, 0, self.at);
        team.resource = resource(ResourceKind::Staff, "ODP");
        self.publish(&format!("team-{trust}"), team);
    }

    pub(crate) fn join(
        &mut self,
        id: &str,
        cases: u32,
        lender: &str,
        reserve: u32,
    ) -> Result<(), &'static str> {
        let offer = offer_id(&format!("team-{lender}"));
        let suggestion = self.suggestion(id, "n-1", "session", cases);
        let team = SuggestedTeam {
            offer: &offer,
            travel_minutes: 25,
            others: 1,
            room: self.room(offer.as_str(), reserve),
            in_force: self.policy.in_force(false),
        };
        let room = self.room("session", 0);
        self.take(proposal::propose_joined(
            &self.records,
            suggestion,
            team,
            room,
            &self.terms(),
            &engine(),
            self.at,
        ))
    }

    pub(crate) fn lend(&mut self, id: &str, reply: SupportingReply) -> Result<(), &'static str> {
        let lender = self.proposal(id).team.as_ref().unwrap().trust;
        self.answer_as(id, Reply::Team(reply), lender.as_str())
    }

    pub(crate) fn is_whole(&self, id: &str) -> bool {
        let [staffed, _, _, held, committed, free, short] = self.account(id);
        (held, committed, short) == (0, 0, 0) && staffed == free
    }

    /// p-1 joins 2 cases, the session and a team of ZA3; ZA4 has two teams more.
    pub(crate) fn joined() -> Self {
        let mut world = Self::with_session(&["ZA3", "ZA4"]);
        world.join("p-1", 2, "ZA3", 0).unwrap();
        world
    }
}
