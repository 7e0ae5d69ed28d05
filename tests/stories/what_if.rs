//! What-ifs: tried on a copy, the same at the same revision, and no window into what is not one's own.

use fallow_api::problem::Problem;
use fallow_api::v1::simulated_change::{Change, Units};
use fallow_api::v1::worse_off::Kind;
use fallow_api::{reasons, v1};
use tonic::Code;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, stories};

stories!(a_trial_changes_nothing_and_repeats_itself, a_trial_shows_each_only_what_is_theirs);

async fn try_out(
    user: &User,
    changes: Vec<Change>,
    base_revision: Option<i64>,
) -> Result<v1::SimulateResponse, Problem> {
    let changes = changes.into_iter().map(|change| v1::SimulatedChange { change: Some(change) }).collect();
    call!(user.matching(), simulate, v1::SimulateRequest { base_revision, changes })
}

fn more_beds(trust: &str, by: i64) -> Change {
    let resource = wire::need("ZA401", "any", 1).resource;
    Change::Units(Units { trust: trust.to_owned(), resource, by, until: None })
}

async fn a_trial_changes_nothing_and_repeats_itself(world: &mut World) {
    let (near, home, gold) =
        (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA4"), world.user("duty-lead"));
    let offer = near.publish_beds("ZA101", 1).await;
    let served = home.raise(wire::need("ZA401", "case 1", 1)).await;
    let standing = home.proposal_of(&served).await;
    let waiting = home.raise(wire::need("ZA401", "case 2", 1)).await;
    world.engine_has_looked().await;

    let tried = try_out(&home, vec![more_beds("ZA3", 2)], None).await.unwrap();
    let (before, after) = (tried.before.clone().unwrap(), tried.after.clone().unwrap());
    // What stands is placed and stays; the equipment of the engine's test piece is seen too.
    assert_eq!(after.placed - before.placed, 1, "{tried:#?}");
    assert_eq!((before.unserved, after.unserved), (1, 0));
    let moved = &tried.changed[0];
    assert_eq!((tried.changed.len(), tried.changed_total), (1, 1));
    assert_eq!((moved.need.as_str(), moved.name.as_str()), (waiting.id.as_str(), "case 2"));
    assert_eq!(
        (moved.before.as_str(), moved.after.as_str(), moved.after_trust.as_str()),
        ("", "simulated-1", "ZA3")
    );
    assert_eq!(tried.worse_off, ["Calverleigh Hospitals gives 1 unit more"]);
    assert_eq!((tried.worse[0].kind(), tried.worse[0].amount), (Kind::GivesMore, 1));
    assert_eq!(home.proposal_of(&served).await, standing, "it is only a trial");

    // Later, from the same revision, the same comes out, whoever asks who may see as much.
    near.adjust(&offer, 1).await;
    home.proposal_of(&waiting).await;
    let again = try_out(&home, vec![more_beds("ZA3", 2)], Some(tried.revision)).await.unwrap();
    assert_eq!(again, tried);
    assert_eq!(try_out(&gold, vec![more_beds("ZA3", 2)], Some(tried.revision)).await.unwrap(), tried);
    let now = try_out(&home, vec![more_beds("ZA3", 2)], None).await.unwrap();
    assert_eq!(now.changed, []);
    assert!(now.revision > tried.revision);

    let gone = try_out(&home, vec![], Some(now.revision + 1_000)).await.unwrap_err();
    assert_eq!((gone.code, gone.reason.as_str()), (Code::OutOfRange, reasons::REVISION_GONE));
    let wrong = vec![more_beds("ZA3", 1), Change::CloseSite("ZA499".to_owned())];
    let wrong = try_out(&home, wrong, None).await.unwrap_err();
    assert_eq!(wrong.code, Code::InvalidArgument);
    assert!(format!("{wrong:?}").contains("changes[1].close_site"), "{wrong:?}");
    let refused = try_out(&world.user("trust-system.ZA4"), vec![], None).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, reasons::ROLE_FORBIDS));
}

async fn a_trial_shows_each_only_what_is_theirs(world: &mut World) {
    let (home, stranger, other, gold) = (
        world.user("bed-manager.ZA4"),
        world.user("bed-manager.ZA2"),
        world.user("bed-manager.ZA5"),
        world.user("duty-lead"),
    );
    // Brackwater shares no virtual wards with Dunmere; it does share beds, but is no part of what others agree.
    let ward = v1::Need {
        resource: Some(wire::resource(v1::ResourceKind::VirtualWard, "FRAILTY")),
        ..wire::need("ZA401", "ward", 1)
    };
    home.raise(ward).await;
    home.raise(wire::need("ZA401", "bed", 1)).await;
    world.engine_has_looked().await;
    let beds = vec![more_beds("ZA5", 1)];
    let sums =
        |answer: &v1::SimulateResponse| (answer.before.clone().unwrap().unserved, answer.changed.len());
    assert_eq!(sums(&try_out(&gold, beds.clone(), None).await.unwrap()), (2, 1));
    assert_eq!(sums(&try_out(&home, beds.clone(), None).await.unwrap()), (2, 1));
    assert_eq!(sums(&try_out(&other, beds.clone(), None).await.unwrap()), (2, 1), "it would be asked");
    let seen = try_out(&stranger, beds, None).await.unwrap();
    assert_eq!(sums(&seen), (1, 0), "{seen:#?}");
}
