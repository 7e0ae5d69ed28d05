//! A trust that has less than it said: what is promised stays promised, and what nobody has answered gives way.

use fallow_api::v1::{self, need, proposal, transfer};
use jiff::SignedDuration;

use crate::wire;
use crate::world::{World, stories};

stories!(holds_give_way_newest_first_and_promises_never);

/// Four beds: one promised, one half-answered, two merely proposed. Then beds go, one after another.
async fn holds_give_way_newest_first_and_promises_never(world: &mut World) {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let offer = near.publish_beds("ZA101", 4).await;
    let mut proposed = Vec::new();
    for case in ["promised", "half-answered", "older", "newer"] {
        let raised = home.raise(wire::need("ZA401", case, 1)).await;
        proposed.push((home.proposal_of(&raised).await, raised));
        world.pass(SignedDuration::from_mins(1));
    }
    let [promised, half, older, newer] = proposed.try_into().unwrap();
    near.accept(&promised.0).await;
    let planned = home.accept(&promised.0).await.transfer.unwrap();
    near.accept(&half.0).await;
    let figures = async || {
        let figures = near.offer(&offer.id).await.figures.unwrap();
        [figures.held, figures.committed, figures.free, figures.short]
    };
    assert_eq!(figures().await, [3, 1, 0, 0], "held, committed, free, short");

    // The half-answered one ends as the supporting trust's no, which its report is.
    let lost = [
        (&newer, [2, 1, 0, 0], proposal::State::Superseded),
        (&older, [1, 1, 0, 0], proposal::State::Superseded),
        (&half, [0, 1, 0, 0], proposal::State::Declined),
    ];
    for ((proposal, need), expected, end) in lost {
        let reported = near.adjust(&offer, -1).await;
        let now = reported.figures.unwrap();
        assert_eq!([now.held, now.committed, now.free, now.short], expected, "{}", need.case_ref);
        let ended = home.proposal_in(&proposal.id, end).await;
        assert!(!ended.ended_because.is_empty(), "both trusts are told why");
        home.need_in(need, need::State::Open).await;
    }
    near.adjust(&offer, -1).await;
    assert_eq!(figures().await, [0, 1, 0, 1], "held, committed, free, short");
    let request = v1::GetTransferRequest { transfer: planned.id.clone() };
    let stands = home.matching().get_transfer(request).await.unwrap().into_inner().transfer.unwrap();
    assert_eq!(stands.state(), transfer::State::Planned);

    // Nothing is proposed while the offer is short; a bed that comes back goes to whoever has waited longest.
    world.engine_has_looked().await;
    assert_eq!(figures().await, [0, 1, 0, 1]);
    near.adjust(&offer, 2).await;
    assert_eq!(home.proposal_of(&half.1).await.offer, offer.id);
}
