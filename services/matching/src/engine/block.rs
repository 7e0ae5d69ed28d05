//! What becomes known together: the placements of one block are carried out in one commit, so that nobody is asked for an
//! answer to half of it.

use std::collections::BTreeMap;

use fallow_domain::campaign::Block;

use super::plan::Placement;
use crate::facts::Facts;

/// Most placements of one commit. Each writes a proposal, its need and its offers, and may end others: far below the
/// thousand records that the ledger writes in one commit.
const TOGETHER_MAX: usize = 100;

/// Placements that are committed together though they need not be known together.
const COMMIT: usize = 8;

/// Groups placements: those of one block together, where the first of them stands; every other one alone.
pub(crate) fn together(placements: Vec<Placement>, facts: &Facts) -> Vec<Vec<Placement>> {
    let mut groups: Vec<Vec<Placement>> = Vec::new();
    let mut open: BTreeMap<Block, usize> = BTreeMap::new();
    for placement in placements {
        let Some(block) = block_of(&placement, facts) else {
            groups.push(vec![placement]);
            continue;
        };
        match open.get(&block).and_then(|place| groups.get_mut(*place)) {
            Some(group) if group.len() < TOGETHER_MAX => group.push(placement),
            Some(_) | None => {
                open.insert(block, groups.len());
                groups.push(vec![placement]);
            }
        }
    }
    groups
}

/// Puts groups of placements into commits, in order: a few at a time, so that the most urgent do not wait for many to be
/// written. A block has a commit of its own, unless it is small.
pub(super) fn in_commits(groups: Vec<Vec<Placement>>) -> Vec<Vec<Vec<Placement>>> {
    let mut commits: Vec<Vec<Vec<Placement>>> = Vec::new();
    let mut room = 0;
    for group in groups {
        match commits.last_mut().filter(|_| group.len() <= room) {
            Some(commit) => {
                room -= group.len();
                commit.push(group);
            }
            None => {
                room = COMMIT.saturating_sub(group.len());
                commits.push(vec![group]);
            }
        }
    }
    commits
}

/// Returns the first block that a placement takes anything of.
fn block_of(placement: &Placement, facts: &Facts) -> Option<Block> {
    let offers = placement.suggest.iter().filter_map(|suggest| facts.offers.get(&suggest.offer));
    offers.filter_map(|offer| offer.block()).next()
}
