//! Many at once: units are never promised twice, and a yes counts once.

use fallow_api::{reasons, v1};
use fallow_domain::proposal::ProposalState;
use fallow_domain::transfer::TransferState;
use futures::future::join_all;

use crate::wire;
use crate::world::{World, counted, stories};

stories!(
    thirty_two_needs_for_one_bed,
    thirty_two_yeses_of_both_sides_make_one_transfer,
    thirty_two_adjustments_count_once_each_or_not_at_all,
    the_same_case_raised_by_thirty_two_is_one_need,
);

async fn thirty_two_needs_for_one_bed(world: &mut World) {
    let near = world.user("bed-manager.ZA1");
    let homes = [("ZA201", "ZA2"), ("ZA301", "ZA3"), ("ZA401", "ZA4"), ("ZA501", "ZA5")];
    let raised = (0..32).map(|index| {
        let (site, trust) = homes[index % homes.len()];
        let home = world.user(&format!("bed-manager.{trust}"));
        async move { home.raise(wire::need(site, &format!("case {index}"), 1)).await }
    });
    // The bed comes up while they are raised.
    let (needs, offer) = tokio::join!(join_all(raised), near.publish_beds("ZA101", 1));
    world.engine_has_looked().await;
    let proposals = world.records().await.proposals;
    let held = proposals.values().filter(|p| p.offer.as_str() == offer.id && p.state == ProposalState::Held);
    let held: Vec<_> = held.collect();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(needs.iter().any(|need| need.id == held[0].need.as_str()));
    let figures = near.offer(&offer.id).await.figures.unwrap();
    assert_eq!((figures.held, figures.free, figures.short), (1, 0, 0));
}

async fn thirty_two_yeses_of_both_sides_make_one_transfer(world: &mut World) {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let offer = near.publish_beds("ZA101", 1).await;
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    let proposed = home.proposal_of(&raised).await;
    let yeses = (0..32).map(|index| {
        let side = if index % 2 == 0 { &home } else { &near };
        side.answer(v1::AnswerProposalRequest {
            proposal: proposed.id.clone(),
            verdict: v1::Verdict::Accept.into(),
            ..Default::default()
        })
    });
    let came = counted(join_all(yeses).await.into_iter().map(|answer| match answer {
        Ok(answer) if answer.transfer.is_some() => "the second yes",
        Ok(_) => "the first yes",
        Err(refused) if refused.reason == reasons::ALREADY_ACCEPTED => "said before",
        // Lost every race it tried; it may be sent again.
        Err(refused) if refused.reason == reasons::CHANGED_MEANWHILE => "said before",
        Err(other) => panic!("{other:?}"),
    }));
    assert_eq!(came, [("the first yes", 1), ("the second yes", 1), ("said before", 30)].into());
    let records = world.records().await;
    let states: Vec<_> = records.transfers.values().map(|transfer| transfer.state).collect();
    assert_eq!(states, [TransferState::Planned]);
    let figures = near.offer(&offer.id).await.figures.unwrap();
    assert_eq!((figures.held, figures.committed), (0, 1));
}

async fn thirty_two_adjustments_count_once_each_or_not_at_all(world: &mut World) {
    let near = world.user("bed-manager.ZA1");
    let offer = near.publish_beds("ZA101", 40).await;
    let adjusted = (0..32).map(|index| {
        let (near, offer) = (&near, &offer);
        let by = if index % 2 == 0 { 1 } else { -1 };
        async move { near.try_adjust(offer, by).await.map(|_| by) }
    });
    let moved = join_all(adjusted).await.into_iter().map(|answer| match answer {
        Ok(by) => by,
        // Lost every race it tried: nothing was done, and it is said so.
        Err(refused) if refused.reason == reasons::CHANGED_MEANWHILE => 0,
        Err(other) => panic!("{other:?}"),
    });
    let moved: Vec<i64> = moved.collect();
    assert!(moved.iter().any(|by| *by != 0));
    let figures = near.offer(&offer.id).await.figures.unwrap();
    assert_eq!(figures.free, 40 + moved.iter().sum::<i64>());
}

async fn the_same_case_raised_by_thirty_two_is_one_need(world: &mut World) {
    let home = world.user("bed-manager.ZA4");
    let raised = join_all((0..32).map(|_| home.raise(wire::need("ZA401", "case 1", 1)))).await;
    let ids = counted(raised.into_iter().map(|need| need.id));
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(world.records().await.needs.len(), 1);
}
