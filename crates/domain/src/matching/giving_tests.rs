use std::sync::Arc;

use super::*;
use crate::lent::TeamOnTheWay;
use crate::region::file;
use crate::resource::ResourceKind;
use crate::test_world::*;

fn trust(code: &str) -> TrustCode {
    code.parse().unwrap()
}

/// A transfer of beds, from a trust to ZA2.
fn transfer(id: &str, from: &str, units: u32) -> Transfer {
    let mut world = World::with(5, 1, 2);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    Transfer {
        id: transfer_id(id),
        supporting_trust: trust(from),
        units: units.into(),
        ..world.transfer("t-p-1").clone()
    }
}

fn offer(id: &str, of: &str, staffed: u32) -> Offer {
    let world = World::with(5, 1, 2);
    let mut offer = world.offer("o-1").clone();
    (offer.id, offer.trust) = (offer_id(id), trust(of));
    offer.figures.staffed = staffed.into();
    offer
}

/// ZA1 has three quarters of what is staffed and ZA3 a quarter; ZA1 has given 2 units, ZA3 six.
fn giving() -> Giving {
    let mut giving = Giving::default();
    giving.put_offer(&offer("a", "ZA1", 30));
    giving.put_offer(&offer("b", "ZA3", 10));
    giving.put_transfer(&transfer("t-1", "ZA1", 2));
    giving.put_transfer(&transfer("t-2", "ZA3", 6));
    giving
}

fn allowance(giving: &Giving, of: &str, start: Option<u32>) -> u32 {
    giving.allowance(trust(of), start.map(Count::new)).get()
}

#[test]
fn a_trust_may_give_its_share_by_what_it_has_staffed_less_what_it_has_given() {
    let giving = giving();
    // Of 8 units given, 6 are ZA1's due, of which it has given 2.
    assert_eq!(allowance(&giving, "ZA1", None), 4);
    assert_eq!(allowance(&giving, "ZA3", None), 0, "its due is 2");
    assert_eq!(allowance(&giving, "ZA2", None), 0, "it has nothing staffed");
}

#[test]
fn the_files_figure_is_the_least_due_of_28_days() {
    assert_eq!(allowance(&Giving::default(), "ZA1", Some(5)), 5, "before anybody has given anything");
    assert_eq!(allowance(&Giving::default(), "ZA1", None), 0);
    let giving = giving();
    assert_eq!(allowance(&giving, "ZA1", Some(5)), 4, "its due of 6 is more");
    assert_eq!(allowance(&giving, "ZA3", Some(8)), 2, "what it has given comes off");
    assert_eq!(allowance(&giving, "ZA3", Some(3)), 0);
}

#[test]
fn what_was_given_counts_for_28_days_from_its_agreement() {
    let mut giving = giving();
    giving.move_to(monday() + COUNTED - minutes(1));
    assert_eq!(giving.fairness(trust("ZA3")).given, 6);
    giving.move_to(monday() + COUNTED);
    assert_eq!(giving.fairness(trust("ZA3")).given, 0);
    assert_eq!(allowance(&giving, "ZA1", Some(5)), 5);
}

#[test]
fn a_transfer_that_is_over_counts_and_one_that_was_called_off_does_not() {
    let mut giving = giving();
    giving.put_transfer(&Transfer { state: TransferState::Completed, ..transfer("t-2", "ZA3", 6) });
    assert_eq!(giving, self::giving(), "however often it is told");
    giving.put_transfer(&Transfer { state: TransferState::Aborted, ..transfer("t-2", "ZA3", 6) });
    assert_eq!(giving.fairness(trust("ZA3")).given, 0);
    assert_eq!(allowance(&giving, "ZA1", None), 0, "its due is 2 of 2, and it has given them");
}

#[test]
fn a_team_that_is_lent_is_given_too() {
    let mut giving = giving();
    let team = TeamOnTheWay { offer: offer_id("team"), trust: trust("ZA4"), units: Count::ONE };
    giving.put_transfer(&Transfer { team: Some(team), ..transfer("t-2", "ZA3", 6) });
    assert_eq!((giving.fairness(trust("ZA4")).given, giving.fairness(trust("ZA3")).given), (1, 6));
    giving.remove_transfer(&transfer_id("t-2"));
    assert_eq!(giving.fairness(trust("ZA4")).given, 0);
}

#[test]
fn what_is_staffed_is_what_offers_say_now() {
    let mut giving = giving();
    giving.put_offer(&offer("b", "ZA3", 90));
    assert_eq!(giving.fairness(trust("ZA3")).staffed, Some(75));
    giving.put_offer(&Offer { state: crate::offer::OfferState::Expired, ..offer("b", "ZA3", 90) });
    assert_eq!(giving.fairness(trust("ZA3")).staffed, Some(0));
    let mut theatre = offer("theatre", "ZA3", 240);
    theatre.resource = resource(ResourceKind::Theatre, "MAIN");
    giving.put_offer(&theatre);
    assert_eq!(giving.fairness(trust("ZA3")).staffed, Some(0), "minutes are not beds");
}

#[test]
fn whom_giving_helped_is_told_of_twenty_transfers_and_more_and_roughly() {
    let mut giving = Giving::default();
    let mut put = |id: usize, decile| {
        giving.put_transfer(&Transfer { imd_decile: decile, ..transfer(&format!("t-{id}"), "ZA1", 7) });
        giving.fairness(trust("ZA1")).most_deprived
    };
    for id in 0..7 {
        assert_eq!(put(id, Some(2)), None);
    }
    for id in 7..19 {
        assert_eq!(put(id, Some(3)), None, "{id} of known deprivation, whatever their units");
    }
    assert_eq!(put(30, None), None, "it is not known of this one");
    assert_eq!(put(19, Some(3)), Some(35), "7 of 20");
    assert_eq!(put(20, Some(1)), Some(40), "8 of 21 are 38%");
    assert_eq!(put(21, Some(1)), Some(40), "9 of 22 are 40%: the last one shows nothing");
    giving.remove_transfer(&transfer_id("t-0"));
    giving.remove_transfer(&transfer_id("t-1"));
    assert_eq!(giving.fairness(trust("ZA1")).most_deprived, Some(35), "7 of 20");
}

#[test]
fn cases_in_theatres_are_no_giving_beside_beds() {
    let mut giving = giving();
    let mut case = transfer("t-3", "ZA4", 100);
    case.resource = resource(ResourceKind::Theatre, "MAIN");
    giving.put_transfer(&case);
    assert_eq!(giving.fairness(trust("ZA4")).given, 0);
    assert_eq!((allowance(&giving, "ZA1", None), allowance(&giving, "ZA3", None)), (4, 0), "as without it");
}

#[test]
fn a_region_without_weight_for_fairness_stays_as_its_file_says() {
    let text = |step: u32| {
        format!(
            "[region]\nid = \"Y62\"\nname = \"R\"\n[policy]\nfair_step = {step}\n\
             [[trust]]\nods = \"ZA1\"\nname = \"One\"\nfair_allowance = 5\n[[trust]]\nods = \"ZA3\"\nname = \"Three\"\n"
        )
    };
    for (step, of_za1, of_za3) in [(0, Some(5), None), (2, Some(4), Some(0))] {
        let file = Arc::new(file::parse(&text(step)).unwrap());
        let mut in_force = file.clone();
        giving().lay_over(&file, &mut in_force);
        let stands = ["ZA1", "ZA3"].map(|of| in_force.trusts[&trust(of)].fair_allowance.map(Count::get));
        assert_eq!(stands, [of_za1, of_za3], "{step}");
        let before = in_force.clone();
        giving().lay_over(&file, &mut in_force);
        assert!(Arc::ptr_eq(&before, &in_force), "what stands already is left alone");
    }
}
