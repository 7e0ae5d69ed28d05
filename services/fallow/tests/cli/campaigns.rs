//! `campaign`: a block of sessions shown, and one answer to its cases.

use std::sync::{Arc, Mutex};

use fallow_api::v1::campaign::{Capacity, Cases};
use fallow_api::v1::{
    AnswerCampaignRequest, AnswerCampaignResponse, Block, Campaign, DeclineReason, ListCampaignsRequest,
    ListCampaignsResponse, ResourceKind, Verdict,
};
use insta::assert_snapshot;

use crate::demand::knows_the_region;
use crate::records::moving;
use crate::world::{World, at};

/// Two sessions of Aldermoor, with cases of two trusts of which three wait for the caller.
fn saturday(site: &str) -> Campaign {
    let cases = |trust: &str, proposed, agreed| Cases {
        trust: trust.into(),
        proposed,
        without_supporting: proposed,
        without_home: proposed - 1,
        agreed,
    };
    Campaign {
        block: Some(Block { site: site.into(), campaign: "Saturday lists".into() }),
        trust: "ZA1".into(),
        capacity: vec![Capacity {
            kind: ResourceKind::Theatre.into(),
            offers: 2,
            usable: 480,
            held: 315,
            committed: 75,
            free: 90,
        }],
        cases: vec![cases("ZA3", 1, 0), cases("ZA4", 2, 1)],
        waiting: (1..=3).map(waiting).collect(),
        lapses_at: at("2026-11-25T17:00:00Z"),
    }
}

fn waiting(number: u32) -> String {
    format!("0198c2c3-0000-7000-8000-{number:012}")
}

fn lists(world: &World, campaigns: Vec<Campaign>) {
    knows_the_region(world);
    world.script.on("MatchingService/ListCampaigns", move |_: ListCampaignsRequest| {
        let campaigns = campaigns.clone();
        Ok(ListCampaignsResponse { campaigns, next_page_token: String::new(), revision: 43 })
    });
}

/// Answers as the service does, and keeps what it was asked.
fn answers(world: &World) -> Arc<Mutex<Vec<AnswerCampaignRequest>>> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    world.script.on("MatchingService/AnswerCampaign", move |ask: AnswerCampaignRequest| {
        let is_yes = ask.verdict() == Verdict::Accept && !ask.validate_only;
        let answer = AnswerCampaignResponse {
            answered: i64::try_from(ask.proposals.len()).unwrap(),
            transfers: if is_yes { vec![moving().id] } else { Vec::new() },
            revision: if ask.validate_only { 0 } else { 44 },
        };
        kept.lock().unwrap().push(ask);
        Ok(answer)
    });
    asked
}

#[tokio::test]
async fn campaigns_are_listed_and_shown() {
    let world = World::new().await;
    lists(&world, vec![saturday("ZA101")]);
    assert_snapshot!(
        world.transcript(&["campaign list", "campaign list -o wide", "campaign show saturday"]).await
    );
    lists(&world, Vec::new());
    assert_snapshot!("no_campaigns", world.transcript(&["campaign list", "campaign show x"]).await);
}

#[tokio::test]
async fn one_answer_takes_every_case_that_waits() {
    let world = World::new().await;
    lists(&world, vec![saturday("ZA101")]);
    let asked = answers(&world);
    assert_snapshot!(
        world
            .transcript(&[
                "campaign accept \"Saturday lists\" --cases 3",
                "campaign accept saturday --provisional -q",
                "campaign accept saturday --dry-run",
                "campaign decline saturday --reason staffing --note \"no scrub team\"",
                "campaign decline saturday --reason stafing",
                "campaign decline saturday",
            ])
            .await
    );
    let asked = asked.lock().unwrap();
    let all: Vec<String> = (1..=3).map(waiting).collect();
    assert!(asked.iter().all(|ask| ask.proposals == all && ask.block == saturday("ZA101").block));
    let said = |ask: &AnswerCampaignRequest| (ask.verdict(), ask.reason(), ask.validate_only);
    let none = DeclineReason::Unspecified;
    assert_eq!(
        asked.iter().map(said).collect::<Vec<_>>(),
        [
            (Verdict::Accept, none, false),
            (Verdict::Provisional, none, false),
            (Verdict::Accept, none, true),
            (Verdict::Decline, DeclineReason::Staffing, false),
        ]
    );
    assert_eq!(asked[3].note, "no scrub team");
}

#[tokio::test]
async fn an_answer_is_to_as_many_cases_as_were_seen() {
    let world = World::new().await;
    lists(&world, vec![saturday("ZA101")]);
    let asked = answers(&world);
    assert_snapshot!(world.transcript(&["campaign accept saturday --cases 2"]).await);
    lists(&world, vec![Campaign { waiting: Vec::new(), ..saturday("ZA101") }]);
    assert_snapshot!("nothing_waits", world.transcript(&["campaign accept saturday"]).await);
    assert!(asked.lock().unwrap().is_empty(), "nothing was answered");
}

#[tokio::test]
async fn a_site_tells_campaigns_of_one_name_apart() {
    let world = World::new().await;
    lists(&world, vec![saturday("ZA101"), saturday("ZA301")]);
    let asked = answers(&world);
    assert_snapshot!(
        world.transcript(&["campaign accept saturday", "campaign accept saturday --site za301 -q"]).await
    );
    let sites: Vec<Option<Block>> = asked.lock().unwrap().iter().map(|ask| ask.block.clone()).collect();
    assert_eq!(sites, [saturday("ZA301").block]);
}

#[tokio::test]
async fn more_cases_than_one_answer_takes_are_said() {
    let world = World::new().await;
    lists(&world, vec![Campaign { waiting: (1..=203).map(waiting).collect(), ..saturday("ZA101") }]);
    let asked = answers(&world);
    let told = world.run("campaign accept saturday").await;
    assert_eq!(asked.lock().unwrap()[0].proposals.len(), 200);
    assert!(told.err.contains("3 more wait for your answer: say it again"), "{}{}", told.out, told.err);
}
