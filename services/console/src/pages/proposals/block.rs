//! The part of the inbox that is answered as a block: the cases of one campaign at one site, one answer for all of them
//! and an answer for each.

use fallow_api::v1;

use super::view::Card;
use crate::directory::Directory;
use crate::words;
use crate::words::resource::Choice;

/// Most cases that one answer takes; the next answer takes the rest.
const CASES_AT_ONCE: usize = 200;

/// The cases of one campaign that wait for us.
pub(super) struct Block {
    pub(super) site: String,
    pub(super) campaign: String,
    /// `Saturday lists at Aldermoor Royal Infirmary`.
    pub(super) title: String,
    /// How long the first of the holds lasts.
    pub(super) left: Option<String>,
    pub(super) cards: Vec<Card>,
    /// Those of them for which the page has room, as they are written.
    pub(super) shown: Vec<String>,
}

impl Block {
    /// Puts a card into the block that it is of; a new one stands where its first case does. The first to lapse comes first.
    pub(super) fn add(blocks: &mut Vec<Self>, block: &v1::Block, card: Card, directory: &Directory) {
        let known = blocks.iter_mut().find(|one| one.site == block.site && one.campaign == block.campaign);
        match known {
            Some(known) => known.cards.push(card),
            None => blocks.push(Self {
                site: block.site.clone(),
                campaign: block.campaign.clone(),
                title: format!("{} at {}", block.campaign, directory.site(&block.site)),
                left: card.left.clone(),
                cards: vec![card],
                shown: Vec::new(),
            }),
        }
    }

    /// Returns what the one answer is to: `all 3 cases`.
    pub(super) fn all(&self) -> String {
        match self.cards.len() {
            1 => "this case".to_owned(),
            many if many > CASES_AT_ONCE => format!("the first {CASES_AT_ONCE} of {many} cases"),
            many => format!("all {}", words::count(i64::try_from(many).unwrap_or(i64::MAX), "case", "cases")),
        }
    }

    /// Returns the ids of the cases that the one answer is to, with a space between.
    pub(super) fn ids(&self) -> String {
        let ids: Vec<&str> = self.cards.iter().take(CASES_AT_ONCE).map(|card| card.id.as_str()).collect();
        ids.join(" ")
    }

    pub(super) fn is_supporting(&self) -> bool {
        self.cards.first().is_some_and(|card| card.is_supporting)
    }

    /// Says whether a provisional yes is open for each of them.
    pub(super) fn can_be_provisional(&self) -> bool {
        self.cards.iter().all(|card| card.can_be_provisional)
    }

    pub(super) fn reasons(&self) -> &[Choice] {
        self.cards.first().map(|card| card.reasons.as_slice()).unwrap_or_default()
    }
}
