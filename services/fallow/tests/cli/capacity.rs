//! `free`, `take`, `still-true`, `mine` and the long forms.

use fallow_api::v1::{
    AdjustOfferRequest, AdjustOfferResponse, AskToConfirmRequest, AskToConfirmResponse, ConfirmOffersRequest,
    ConfirmOffersResponse, DeclarePressureRequest, DeclarePressureResponse, GetOfferRequest,
    GetOfferResponse, ListOffersRequest, ListOffersResponse, Offer, PressureDeclaration, PublishOfferRequest,
    PublishOfferResponse, Reserve, SetReserveRequest, SetReserveResponse, SuspendOffersRequest,
    SuspendOffersResponse, WithdrawOfferRequest, WithdrawOfferResponse,
};
use insta::assert_snapshot;
use tonic::Status;

use crate::demand::knows_needs;
use crate::records::{level_2, stale_ct};
use crate::world::{World, at};

fn lists(world: &World, offers: Vec<Offer>) {
    world.script.on("CapacityService/ListOffers", move |_: ListOffersRequest| {
        Ok(ListOffersResponse { offers: offers.clone(), next_page_token: String::new(), revision: 41 })
    });
    world.script.on("CapacityService/GetOffer", |ask: GetOfferRequest| match ask.offer == level_2().id {
        true => Ok(GetOfferResponse { offer: Some(level_2()), revision: 41 }),
        false => Err(Status::not_found("no such offer")),
    });
}

#[tokio::test]
async fn slots_and_sessions_say_when_they_start() {
    let world = World::new().await;
    for what in ["free 6 mri --until 20:00", "free 240 theatre --specialty 110 --until 20:00"] {
        let told = world.run(what).await;
        assert_eq!((told.exit, told.calls.len()), (2, 0), "{what}: {}", told.err);
        assert!(
            told.err.contains("when does it start?") && told.err.contains("say --from TIME"),
            "{}",
            told.err
        );
    }
}

#[tokio::test]
async fn free_publishes_and_says_so() {
    let world = World::new().await;
    world.script.on("CapacityService/PublishOffer", |ask: PublishOfferRequest| {
        let revision = if ask.validate_only { 0 } else { 41 };
        Ok(PublishOfferResponse { offer: Some(Offer { revision, ..level_2() }), revision })
    });
    assert_snapshot!(world.transcript(&[
        "free 2 level2 --until 20:00",
        "free 2 level2 --until 20:00 --dry-run -q",
        "capacity publish --count 2 --resource bed/cc_adult/2 --until 20:00 --if-revision 40 -o json",
        "free 240 theatre --specialty 110 --from \"thu 13:30\" --until \"thu 17:30\" --site za402 --cadence 7d --needs-team ODP --age-min 16 --sex female --capability laminar --note list -o id",
    ]).await);
}

#[tokio::test]
async fn a_short_form_asks_just_what_its_long_form_asks() {
    let world = World::new().await;
    lists(&world, vec![level_2()]);
    world
        .script
        .on("CapacityService/PublishOffer", |_: PublishOfferRequest| Ok(PublishOfferResponse::default()));
    world
        .script
        .on("CapacityService/AdjustOffer", |_: AdjustOfferRequest| Ok(AdjustOfferResponse::default()));
    world
        .script
        .on("CapacityService/ConfirmOffers", |_: ConfirmOffersRequest| Ok(ConfirmOffersResponse::default()));
    for (short, long) in [
        ("free 2 level2 --until 20:00", "capacity publish --count 2 --resource level2 --until 20:00"),
        ("take 1 level2", "capacity adjust level2 --by -1"),
        ("still-true", "capacity confirm --all"),
        ("mine --stale", "capacity list --stale"),
    ] {
        let (short, long) = (world.run(short).await, world.run(long).await);
        assert_eq!(short.calls, long.calls);
        assert_eq!((short.exit, short.out, short.err), (long.exit, long.out, long.err));
        assert!(!short.calls.is_empty());
    }
}

#[tokio::test]
async fn take_finds_the_offer_by_resource_id_or_beginning() {
    let world = World::new().await;
    lists(&world, vec![level_2()]);
    world.script.on("CapacityService/AdjustOffer", |_: AdjustOfferRequest| {
        let mut offer = stale_ct();
        offer.revision = 45;
        Ok(AdjustOfferResponse { offer: Some(offer), revision: 45 })
    });
    assert_snapshot!(
        world.transcript(&["take 1 level2", "take 1 0198c2a1", "take 3 mri", "take 1 zz"]).await
    );
}

#[tokio::test]
async fn take_asks_back_when_several_offers_fit() {
    let world = World::new().await;
    lists(&world, vec![level_2(), Offer { id: "0198ffff".into(), ..level_2() }]);
    assert_snapshot!(world.transcript(&["take 1 level2", "take 1 0198"]).await);
}

#[tokio::test]
async fn still_true_confirms_all_or_some() {
    let world = World::new().await;
    lists(&world, vec![level_2()]);
    world.script.on("CapacityService/ConfirmOffers", |_: ConfirmOffersRequest| {
        Ok(ConfirmOffersResponse { offers: vec![level_2(), stale_ct()], revision: 46 })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "still-true",
                "still-true level2 -o id",
                "still-true 0198c2a1 --dry-run -o id",
                "still-true --site za401 -o id",
                "capacity confirm",
            ])
            .await
    );
}

#[tokio::test]
async fn mine_lists_in_every_format() {
    let world = World::new().await;
    lists(&world, vec![level_2(), stale_ct()]);
    assert_snapshot!(
        world
            .transcript(&[
                "mine",
                "mine -o wide",
                "mine -o csv",
                "mine -o md --columns resource,free,note",
                "mine -o jsonl --trust za5",
                "mine -q --everyone",
                "mine --columns sites",
                "capacity show 0198c2a1-0000-7000-8000-000000000001 -o json",
            ])
            .await
    );
}

/// Whoever asks for columns and gets others would not notice.
#[tokio::test]
async fn columns_are_refused_where_there_are_none() {
    let world = World::new().await;
    lists(&world, vec![level_2()]);
    for (line, named) in [
        ("mine -o json --columns id", "-o json writes whole records"),
        ("mine --columns id,free -o jsonl", "-o jsonl writes whole records"),
        ("mine -o id --columns free", "-o id writes ids alone"),
        ("mine -q --columns free", "-q writes ids alone"),
        ("mine --watch --columns id", "writes whole events as JSON"),
        ("watch --columns id", "writes whole events as JSON"),
    ] {
        let told = world.run(line).await;
        assert_eq!(told.exit, 2, "{line}: {}", told.out);
        assert!(told.err.starts_with("error: USAGE: --columns "), "{line}: {}", told.err);
        assert!(told.err.contains(named) && told.out.is_empty(), "{line}: {}", told.err);
        assert!(
            !told.calls.iter().any(|call| call.starts_with("CapacityService")),
            "{line}: {:?}",
            told.calls
        );
    }
    for line in [
        "mine --columns id",
        "mine -o wide --columns id",
        "mine -o csv --columns id",
        "mine -o md --columns id",
    ] {
        assert_eq!(world.run(line).await.exit, 0, "{line}");
    }
}

#[tokio::test]
async fn an_empty_list_says_what_to_do() {
    let world = World::new().await;
    lists(&world, Vec::new());
    assert_snapshot!(world.transcript(&["mine --stale", "mine -o json", "mine -o csv"]).await);
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page() {
    let world = World::new().await;
    world.script.on("CapacityService/ListOffers", |ask: ListOffersRequest| {
        let (offer, next) = if ask.page_token.is_empty() { (level_2(), "more") } else { (stale_ct(), "") };
        Ok(ListOffersResponse { offers: vec![offer], next_page_token: next.into(), revision: 41 })
    });
    let told = world.run("mine -q").await;
    assert_eq!(told.out, format!("{}\n{}\n", level_2().id, stale_ct().id));
    assert_eq!(told.calls.len(), 2);
}

#[tokio::test]
async fn the_long_forms_carry_their_reasons() {
    let world = World::new().await;
    lists(&world, vec![level_2()]);
    knows_needs(&world);
    world.script.on("CapacityService/WithdrawOffer", |_: WithdrawOfferRequest| {
        Ok(WithdrawOfferResponse { offer: Some(level_2()), revision: 47 })
    });
    world.script.on("CapacityService/SuspendOffers", |_: SuspendOffersRequest| {
        Ok(SuspendOffersResponse { offers: vec![stale_ct()], revision: 48 })
    });
    world.script.on("CapacityService/SetReserve", |ask: SetReserveRequest| {
        let reserve = Reserve { trust: "ZA4".into(), resource: ask.resource, units: ask.units, revision: 49 };
        Ok(SetReserveResponse { reserve: Some(reserve), revision: 49 })
    });
    world.script.on("CapacityService/AskToConfirm", |_: AskToConfirmRequest| {
        Ok(AskToConfirmResponse { asked: 3, revision: 50 })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "capacity withdraw 0198c2a1 --reason staffing",
                "capacity suspend level2 --until 22:00 --reason \"norovirus on the ward\"",
                "capacity reserve set level2 1",
                "capacity reserve set level2 1 -o json --dry-run",
                "capacity ask za5 --resource level2",
                "capacity ask za5 --need LC-118 -q",
            ])
            .await
    );
}

/// Where everything is fresh nobody is asked, and nothing is written: that is no dry run.
#[tokio::test]
async fn a_trust_that_has_nothing_to_confirm_is_not_asked() {
    let world = World::new().await;
    world
        .script
        .on("CapacityService/AskToConfirm", |_: AskToConfirmRequest| Ok(AskToConfirmResponse::default()));
    let told = world.run("capacity ask za5").await;
    assert_eq!((told.exit, told.out.as_str()), (0, "ZA5 has nothing to confirm: nobody is asked\n"));
    assert_eq!(told.err, "");
}

#[tokio::test]
async fn a_trust_declares_its_opel() {
    let world = World::new().await;
    world.script.on("CapacityService/DeclarePressure", |ask: DeclarePressureRequest| {
        let declared_at = ask.declared_at.or(at("2026-11-24T14:31:00Z"));
        let pressure = PressureDeclaration { trust: "ZA4".into(), opel: ask.opel, declared_at, revision: 51 };
        let revision = if ask.validate_only { 0 } else { 51 };
        Ok(DeclarePressureResponse { pressure: Some(pressure), revision })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "capacity opel 3",
                "capacity opel 4 --declared-at 07:30 --if-revision 51 --dry-run",
                "capacity opel 2 --declared-at -2h -o json",
                "capacity opel 5",
                "capacity opel 3 --declared-at soon",
                "capacity opel 3 --declared-at \"tomorrow 08:00\"",
            ])
            .await
    );
}
