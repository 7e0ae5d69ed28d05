//! Theatres by the trust's own rhythm, and fairness as it stands: what was found, lost and given, told over the wire.

use fallow_api::v1::{self, Priority, ReportKind};
use jiff::SignedDuration;
use tonic::Code;

use crate::people::User;
use crate::wire;
use crate::world::{World, soon, stories};

use super::{agree, case, managers, session, window};

stories!(
    six_weeks_of_theatres_say_which_minutes_were_found_and_which_were_lost,
    what_was_given_and_whom_it_helped_is_said_with_the_next_proposal,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How often a story asks whether the engine has looked.
const A_LOOK: std::time::Duration = std::time::Duration::from_millis(200);

async fn strip(user: &User, trust: &str) -> Result<v1::GetReportResponse, tonic::Status> {
    let kind = ReportKind::Theatres.into();
    let ask = v1::GetReportRequest { kind, trust: trust.to_owned(), ..Default::default() };
    Ok(user.monitor().get_report(ask).await?.into_inner())
}

/// The sums over the rows of the weeks to come, and the row of what has begun: sessions, ours, offered, held, used, closed,
/// minutes free, found and lost.
fn sums(report: &v1::GetReportResponse) -> [Vec<f64>; 2] {
    let (mut ahead, mut begun) = (vec![0.0; 9], vec![0.0; 9]);
    for row in &report.rows {
        let sums = if row.name.ends_with(", begun") { &mut begun } else { &mut ahead };
        sums.iter_mut().zip(&row.values).for_each(|(sum, value)| *sum += value);
    }
    [ahead, begun]
}

/// Aldermoor releases five weeks before the day; Dunmere has a case of ninety minutes.
async fn six_weeks_of_theatres_say_which_minutes_were_found_and_which_were_lost(world: &mut World) {
    let [theatre, home] = managers(world, ["ZA1", "ZA4"]);
    let gold = world.user("duty-lead");
    let day = v1::Offer { window: Some(window(world, None, DAY)), ..wire::offer("ZA101", 1, world.now()) };
    let bed = theatre.publish(day).await;
    let used = theatre.publish(session("ZA101", DAY, world)).await;
    let named = |key: &str| v1::Offer { source_key: key.into(), ..session("ZA101", DAY, world) };
    let unused = theatre.publish(v1::Offer {
        resource: Some(v1::Resource { specialties: vec!["130".into()], ..used.resource.clone().unwrap() }),
        ..named("eyes")
    });
    unused.await;
    let far = v1::Offer { source_key: "far".into(), ..session("ZA101", DAY * 37, world) };
    theatre.publish(far).await;
    let [ahead, begun] = sums(&strip(&theatre, "").await.unwrap());
    let ours = if ahead[0] > 2.0 { 1.0 } else { 0.0 };
    assert_eq!(ahead, [2.0 + ours, ours, 2.0, 0.0, 0.0, 0.0, 480.0, 0.0, 0.0]);
    assert_eq!(begun, [0.0; 9]);

    let raised = home.raise(case("ZA401", "hip 1", Priority::P2)).await;
    let proposed = home.proposal_of(&raised).await;
    assert_eq!((&proposed.offer, proposed.minutes), (&used.id, 105));
    let [ahead, _] = sums(&strip(&theatre, "ZA1").await.unwrap());
    assert_eq!(ahead, [2.0 + ours, ours, 1.0, 1.0, 0.0, 0.0, 375.0, 0.0, 0.0]);
    agree(&home, &theatre, &proposed).await;
    let [ahead, _] = sums(&strip(&theatre, "ZA1").await.unwrap());
    assert_eq!(ahead, [2.0 + ours, ours, 1.0, 0.0, 1.0, 0.0, 375.0, 105.0, 0.0]);

    world.pass(DAY + SignedDuration::from_hours(6));
    world.engine_has_looked().await;
    let told = strip(&gold, "").await.unwrap();
    let [_, begun] = sums(&told);
    assert_eq!(begun, [2.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 105.0, 135.0 + 240.0], "{told:?}");
    assert_eq!(
        told.notes[0],
        "Of sessions that have begun, 105 minutes were found for others and 375 were lost: nobody can be placed \
         in a session once it has begun."
    );
    let rhythm = told.rows.iter().find(|row| row.name == "ZA1, begun").unwrap();
    assert_eq!(rhythm.note, "Sessions are released 5 weeks before their day");

    // What ended with them has left the live records; the sessions of the day are still there to be counted.
    let has_left = async {
        while theatre.capacity().get_offer(v1::GetOfferRequest { offer: bed.id.clone() }).await.is_ok() {
            world.pass(SignedDuration::from_hours(2));
            tokio::time::sleep(A_LOOK).await;
        }
    };
    soon("a bed of the day to leave the live records", has_left).await;
    assert_eq!(sums(&strip(&theatre, "").await.unwrap())[1], begun);

    // How a trust uses its theatres is its own.
    assert_eq!(strip(&home, "").await.unwrap().rows, []);
    assert_eq!(strip(&home, "ZA1").await.unwrap_err().code(), Code::PermissionDenied);
}

/// Twenty people of the most deprived fifth are helped by Aldermoor: from twenty on it is said.
async fn what_was_given_and_whom_it_helped_is_said_with_the_next_proposal(world: &mut World) {
    let [giver, home] = managers(world, ["ZA1", "ZA4"]);
    giver.publish_beds("ZA101", 22).await;
    for given in 0..20 {
        let case = format!("helped-{given}");
        let raised = home.raise(v1::Need { imd_decile: 2, ..wire::need("ZA401", &case, 1) }).await;
        let proposed = home.proposal_of(&raised).await;
        let fair = proposed.explanation.clone().unwrap().fairness.unwrap();
        assert_eq!((fair.given, fair.staffed_share, fair.most_deprived_share), (given, Some(100), None));
        agree(&home, &giver, &proposed).await;
    }
    let next = home.raise(wire::need("ZA401", "next", 1)).await;
    let fair = home.proposal_of(&next).await.explanation.unwrap().fairness.unwrap();
    assert_eq!((fair.given, fair.taken, fair.share), (20, 0, 100));
    assert_eq!((fair.staffed_share, fair.most_deprived_share), (Some(100), Some(100)));
}
