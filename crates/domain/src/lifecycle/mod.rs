//! Which state follows which, who may bring it about: one table per record, as data.
//!
//! An edge says that from a state, on a command of one of some parties, the record may come to one of some states; which
//! of them it is, and whether the figures allow it at all, the decision says ([`crate::decide`]). What no edge names is
//! refused: `WRONG_SIDE` where another party could have done it, `ILLEGAL_TRANSITION` where nobody could.

pub mod need;
pub mod offer;
pub mod proposal;
pub mod transfer;

use std::fmt::Display;

use crate::actor::{Actor, Role};
use crate::ids::TrustCode;
use crate::refusal::{Refusal, reason};
use crate::resource::coded;

coded!(
    /// The side from which an actor touches a record.
    Party {
        /// The trust that has the need.
        Home = "home",
        /// The trust whose offer it is.
        Supporting = "supporting",
        /// The trust whose team comes to an unstaffed session, where it is neither of these two.
        Team = "team",
        /// Who approves above the two trusts.
        Authority = "authority",
        /// Gold command.
        Gold = "gold",
        /// The engine, which also does what time brings about.
        Engine = "engine",
        /// Anybody else.
        Other = "other",
    }
);

impl Party {
    /// Returns the side from which an actor touches a record between a home and a supporting trust. An offer alone has
    /// only a supporting trust, a need alone only a home trust.
    #[must_use]
    pub fn of(actor: &Actor, home: Option<TrustCode>, supporting: Option<TrustCode>) -> Self {
        Self::of_three(actor, home, supporting, None)
    }

    /// Returns the side from which an actor touches a record between a home and a supporting trust and the trust of a
    /// team, where that is a third one.
    #[must_use]
    pub fn of_three(
        actor: &Actor,
        home: Option<TrustCode>,
        supporting: Option<TrustCode>,
        team: Option<TrustCode>,
    ) -> Self {
        match actor.role {
            Role::Engine => Self::Engine,
            Role::Gold => Self::Gold,
            Role::Icb | Role::LeadProvider => Self::Authority,
            Role::TrustSystem | Role::BedManager | Role::SiteLead => {
                if actor.trust.is_none() {
                    Self::Other
                } else if actor.trust == supporting {
                    Self::Supporting
                } else if actor.trust == home {
                    Self::Home
                } else if actor.trust == team {
                    Self::Team
                } else {
                    Self::Other
                }
            }
            Role::Coordinator | Role::Console | Role::Auditor | Role::PlatformAdmin => Self::Other,
        }
    }
}

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub struct Edge<S: 'static, C> {
    /// The states it starts from.
    pub from: &'static [S],
    /// What is asked for.
    pub command: C,
    /// Who may ask.
    pub by: &'static [Party],
    /// The states it may lead to. Empty = the state stays.
    pub to: &'static [S],
}

/// A record's whole table.
#[derive(Debug, Clone, Copy)]
pub struct Table<S: 'static, C: 'static> {
    /// What the record is called in messages.
    pub record: &'static str,
    /// The states a record may be born in.
    pub births: &'static [S],
    /// Its rows; at most one for a state, a command and a party.
    pub edges: &'static [Edge<S, C>],
}

impl<S: Copy + Eq + Display, C: Copy + Eq + Display> Table<S, C> {
    /// Returns the row for a state, a command and a party.
    ///
    /// # Errors
    /// `WRONG_SIDE` when another party may do this in this state, else `ILLEGAL_TRANSITION`.
    pub fn edge(&self, from: S, command: C, party: Party) -> Result<&'static Edge<S, C>, Refusal> {
        let mut somebody = false;
        for edge in self.edges.iter().filter(|e| e.command == command && e.from.contains(&from)) {
            if edge.by.contains(&party) {
                return Ok(edge);
            }
            somebody = true;
        }
        let record = self.record;
        Err(if somebody {
            Refusal::new(
                reason::WRONG_SIDE,
                format!("{command} is not for the {party} side of this {record}"),
            )
        } else {
            Refusal::new(
                reason::ILLEGAL_TRANSITION,
                format!("a {record} that is {from} does not take {command}"),
            )
        }
        .with("from", from)
        .with("command", command))
    }

    /// Says whether some command of somebody leads from one state to another, or leaves it where it is.
    #[must_use]
    pub fn is_legal(&self, from: S, to: S) -> bool {
        from == to || self.edges.iter().any(|e| e.from.contains(&from) && e.to.contains(&to))
    }
}

/// Walks every (state, command, party) of a table and compares it with an independent statement: one line per command,
/// `command | parties | outcome per state`, where an outcome is the states it may lead to joined by `+`, `=` for the
/// same state, or `x` for never. Parties that a line does not name must be refused: as the wrong side where the line
/// allows the command in that state, as an illegal transition where it does not.
#[cfg(test)]
pub(crate) fn check_table<S, C>(table: &Table<S, C>, states: &[S], commands: &[C], statement: &str)
where
    S: Copy + Eq + Display,
    C: Copy + Eq + Display,
{
    let mut lines = statement.lines().map(str::trim).filter(|l| !l.is_empty());
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let names: Vec<String> = states.iter().map(ToString::to_string).collect();
    assert_eq!(head, names, "the statement's head names every state in order");
    let mut stated: Vec<(String, Vec<Party>, Vec<String>)> = Vec::new();
    for line in lines {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let parties = parts[1].split_whitespace().map(|p| p.parse().unwrap()).collect();
        let cells: Vec<String> = parts[2].split_whitespace().map(str::to_owned).collect();
        assert_eq!(cells.len(), states.len(), "{line}");
        stated.push((parts[0].to_owned(), parties, cells));
    }
    for (command, _, _) in &stated {
        assert!(commands.iter().any(|c| c.to_string() == *command), "no such command: {command}");
    }
    for command in commands {
        for (column, from) in states.iter().enumerate() {
            let lines = || stated.iter().filter(|(c, _, _)| *c == command.to_string());
            let possible = lines().any(|(_, _, cells)| cells[column] != "x");
            for party in Party::ALL {
                let cell = lines()
                    .find(|(_, parties, cells)| parties.contains(party) && cells[column] != "x")
                    .map(|(_, _, cells)| cells[column].as_str());
                let found = match table.edge(*from, *command, *party) {
                    Ok(edge) if edge.to.is_empty() => "=".to_owned(),
                    Ok(edge) => edge.to.iter().map(ToString::to_string).collect::<Vec<_>>().join("+"),
                    Err(refusal) => refusal.reason.to_owned(),
                };
                let expected =
                    cell.unwrap_or(if possible { reason::WRONG_SIDE } else { reason::ILLEGAL_TRANSITION });
                assert_eq!(found, expected, "{from} {command} by {party}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(role: Role, trust: Option<&str>) -> Actor {
        Actor {
            subject: crate::ids::Label::parse("someone").unwrap(),
            kind: crate::actor::ActorKind::Person,
            role,
            trust: trust.map(|t| t.parse().unwrap()),
        }
    }

    #[test]
    fn the_side_follows_from_trust_and_role() {
        let (home, supporting) = (Some("AAA".parse().unwrap()), Some("BBB".parse().unwrap()));
        for (role, trust, expected) in [
            (Role::BedManager, Some("AAA"), Party::Home),
            (Role::TrustSystem, Some("BBB"), Party::Supporting),
            (Role::SiteLead, Some("CCC"), Party::Other),
            (Role::BedManager, None, Party::Other),
            (Role::Icb, None, Party::Authority),
            (Role::LeadProvider, Some("BBB"), Party::Authority),
            (Role::Gold, None, Party::Gold),
            (Role::Engine, None, Party::Engine),
            (Role::Auditor, Some("AAA"), Party::Other),
            (Role::Coordinator, Some("AAA"), Party::Other),
            (Role::PlatformAdmin, None, Party::Other),
        ] {
            assert_eq!(Party::of(&actor(role, trust), home, supporting), expected, "{role} {trust:?}");
        }
        assert_eq!(Party::of(&actor(Role::BedManager, None), None, supporting), Party::Other);
        let team = Some("CCC".parse().unwrap());
        for (role, trust, expected) in [
            (Role::BedManager, Some("CCC"), Party::Team),
            (Role::Coordinator, Some("CCC"), Party::Other),
            (Role::SiteLead, Some("AAA"), Party::Home),
            (Role::SiteLead, Some("DDD"), Party::Other),
            (Role::SiteLead, None, Party::Other),
        ] {
            let found = Party::of_three(&actor(role, trust), home, supporting, team);
            assert_eq!(found, expected, "{role} {trust:?}");
        }
    }
}
