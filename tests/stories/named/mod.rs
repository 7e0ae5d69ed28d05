//! What the founding documents of provider collaboratives name, each run over the wire: one story for every row of the
//! glossary's table of what they name, called after it.

mod asking;
mod capacity;
mod governance;
mod kinds;
mod lists;
mod mental_health;
mod theatres;
mod transport;

use fallow_api::v1::{self, transfer::State};
use jiff::SignedDuration;

use crate::people::User;
use crate::wire;
use crate::world::World;

/// The region file of the demonstration, with more tables.
fn north_vale(tables: &str) -> String {
    include_str!("../../../regions/north-vale.toml").replacen("[[trust]]", &format!("{tables}\n[[trust]]"), 1)
}

/// Returns the bed managers of some trusts.
fn managers<const N: usize>(world: &World, trusts: [&str; N]) -> [User; N] {
    trusts.map(|trust| world.user(&format!("bed-manager.{trust}")))
}

/// An offer that counts for a month, of a resource at a site.
fn lasting(site: &str, resource: v1::Resource, units: i64, world: &World) -> v1::Offer {
    let month = SignedDuration::from_hours(30 * 24);
    v1::Offer {
        source_key: format!("{site} {}", resource.code),
        resource: Some(resource),
        window: Some(window(world, None, month)),
        cadence: Some(fallow_api::convert::time::span_to_wire(month)),
        ..wire::offer(site, units, world.now())
    }
}

/// A window from some time ahead, or since ever, until some time ahead.
fn window(world: &World, from: Option<SignedDuration>, until: SignedDuration) -> v1::Window {
    let ahead = |time: SignedDuration| Some(fallow_api::convert::time::to_wire(world.now() + time));
    v1::Window { from: from.and_then(ahead), until: ahead(until) }
}

/// A theatre session of four hours that starts some time ahead.
fn session(site: &str, starts_in: SignedDuration, world: &World) -> v1::Offer {
    v1::Offer {
        source_key: format!("{site} theatre 2"),
        window: Some(window(world, Some(starts_in), starts_in + SignedDuration::from_hours(4))),
        ..lasting(site, theatre(), 240, world)
    }
}

/// A theatre for trauma and orthopaedics.
fn theatre() -> v1::Resource {
    v1::Resource { specialties: vec!["110".into()], ..wire::resource(v1::ResourceKind::Theatre, "MAIN") }
}

/// A need of a resource.
fn need_of(site: &str, case: &str, resource: v1::Resource, priority: v1::Priority) -> v1::Need {
    v1::Need { resource: Some(resource), priority: priority.into(), ..wire::need(site, case, 1) }
}

/// A case of ninety minutes.
fn case(site: &str, name: &str, priority: v1::Priority) -> v1::Need {
    v1::Need { minutes_per_case: 90, ..need_of(site, name, theatre(), priority) }
}

/// Both trusts say yes, and a transfer is there.
async fn agree(home: &User, supporting: &User, proposed: &v1::Proposal) -> v1::Transfer {
    assert_eq!(home.accept(proposed).await.transfer, None);
    supporting.accept(proposed).await.transfer.expect("the last yes makes the transfer")
}

/// Everything is made ready, and what moves goes from one trust to another.
async fn travel(from: &User, to: &User, planned: &v1::Transfer) -> v1::Transfer {
    let items: Vec<&str> = planned.checklist.iter().map(|item| item.name.as_str()).collect();
    from.advance(planned, State::Ready, &items).await.unwrap();
    from.advance(planned, State::InTransit, &[]).await.unwrap();
    to.advance(planned, State::Arrived, &[]).await.unwrap()
}

/// Asserts that the engine has looked at a need and that nothing is proposed for it, and returns why, with counts.
async fn refused(world: &World, home: &User, need: &v1::Need) -> Vec<(v1::Objection, i64)> {
    world.engine_has_looked().await;
    let why = home.explain(need).await;
    assert_eq!(why.proposals, []);
    why.unserved.unwrap().counts.iter().map(|count| (count.reason(), count.count)).collect()
}
