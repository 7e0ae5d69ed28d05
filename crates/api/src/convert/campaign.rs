//! Campaigns and their blocks.

use fallow_domain::campaign::{Block, Campaign, Capacity, Cases};
use fallow_domain::ids::TrustCode;
use fallow_domain::resource::ResourceKind;

use super::Check;
use super::codes::Coded;
use super::request::number_to_wire;
use super::time::to_wire as time_to_wire;
use crate::v1;

/// Parses the name of a block: the code of a site, and the campaign's name there.
pub fn block(check: &mut Check<'_>, wire: Option<&v1::Block>) -> Option<Block> {
    let wire = check.required("block", wire)?;
    let site = check.ods("block.site", &wire.site);
    let campaign = check.required_text("block.campaign", &wire.campaign);
    if campaign.is_empty() {
        return None;
    }
    Some(Block { site: site?, campaign })
}

/// Writes the name of a block for the wire.
#[must_use]
pub fn block_to_wire(block: &Block) -> v1::Block {
    v1::Block { site: block.site.to_string(), campaign: block.campaign.to_string() }
}

/// Writes a campaign for the wire.
#[must_use]
pub fn to_wire(campaign: &Campaign) -> v1::Campaign {
    v1::Campaign {
        block: Some(block_to_wire(&campaign.block)),
        trust: campaign.trust.to_string(),
        capacity: campaign.capacity.iter().map(|(kind, sum)| capacity(*kind, sum)).collect(),
        cases: campaign.cases.iter().map(|(trust, sum)| cases(*trust, sum)).collect(),
        waiting: campaign.waiting.iter().map(ToString::to_string).collect(),
        lapses_at: campaign.lapses_at.map(time_to_wire),
    }
}

fn capacity(kind: ResourceKind, sum: &Capacity) -> v1::campaign::Capacity {
    v1::campaign::Capacity {
        kind: kind.to_wire(),
        offers: number_to_wire(sum.offers),
        usable: number_to_wire(sum.usable),
        held: number_to_wire(sum.held),
        committed: number_to_wire(sum.committed),
        free: number_to_wire(sum.free),
    }
}

fn cases(trust: TrustCode, sum: &Cases) -> v1::campaign::Cases {
    v1::campaign::Cases {
        trust: trust.to_string(),
        proposed: number_to_wire(sum.proposed),
        without_supporting: number_to_wire(sum.without_supporting),
        without_home: number_to_wire(sum.without_home),
        agreed: number_to_wire(sum.agreed),
    }
}
