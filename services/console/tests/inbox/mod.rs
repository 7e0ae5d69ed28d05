//! The order of the inbox: what lapses first, or what was proposed last; kept by its updates, its links and its forms.

use fallow_api::v1::Proposal;

use super::records::press;
use super::{Visitor, header};
use crate::stage::Stage;

/// More proposals than one page explains.
const MANY: usize = 60;

/// Returns the ids of the proposals of a page, in their order.
fn shown(page: &str) -> Vec<&str> {
    page.split("id=\"proposal-").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn the_newest_can_stand_on_top_and_still_does_after_an_answer() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    stage.world.change(|records| {
        let minutes = |proposal: &Proposal, minutes: i64| {
            let held = proposal.held_until.expect("a time").seconds;
            Some(prost_types::Timestamp { seconds: held + 60 * minutes, nanos: 0 })
        };
        let like = records.proposals[1].clone();
        let one = |id: &str, lapses: i64, proposed: i64| Proposal {
            id: id.to_owned(),
            held_until: minutes(&like, lapses),
            proposed_at: minutes(&like, proposed - 100),
            ..like.clone()
        };
        records.proposals = vec![one("p-a", 0, 2), one("p-b", 1, 1), one("p-c", 2, 3), one("p-d", 3, 1)];
    });
    let first_to_lapse = visitor.get("/proposals", "").await;
    assert_eq!(shown(&first_to_lapse), ["p-a", "p-b", "p-c", "p-d"]);
    assert!(!first_to_lapse.contains("name=\"order\""), "nothing is kept of what is so anyway");
    assert!(!first_to_lapse.contains(" · proposed "), "{first_to_lapse}");
    // Of what was proposed in one round, what lapses first stands first.
    let newest = visitor.get("/proposals?order=newest", "").await;
    assert_eq!(shown(&newest), ["p-c", "p-a", "p-b", "p-d"]);
    assert_eq!(newest.matches(" · proposed ").count(), 4, "each says when: {newest}");
    assert!(newest.contains("data-fragment=\"/f/proposals?order=newest\""), "updates keep it: {newest}");
    let fragment = visitor.get("/f/proposals?order=newest", "").await;
    assert_eq!(shown(&fragment), ["p-c", "p-a", "p-b", "p-d"]);
    let forms = newest.split("<form").skip(1).filter(|form| form.contains("/proposals/"));
    let kept = forms.map(|form| form.contains("name=\"order\" value=\"newest\"")).collect::<Vec<_>>();
    assert!(kept.len() > 4 && kept.iter().all(|kept| *kept), "every form keeps it: {kept:?}");

    // Whatever is sent comes back to the order in which it was seen, and what is refused is shown in it.
    let order = ("order", "newest");
    let accept = [order, ("accept", "p-a 100")];
    let done = press(&visitor, &newest, "/proposals/answer", &accept).await;
    assert_eq!(header(&done, "location"), Some("/proposals?order=newest"), "{done}");
    let refused = press(&visitor, &newest, "/proposals/answer", &[order, ("decline", "p-b 100")]).await;
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
    assert!(refused.contains("data-fragment=\"/f/proposals?order=newest\""), "{refused}");
    assert_eq!(shown(&refused).first(), Some(&"p-c"), "{refused}");
    let done = press(&visitor, &newest, "/proposals/answer", &[("accept", "p-d 100")]).await;
    assert_eq!(header(&done, "location"), Some("/proposals"), "{done}");
    stage.tasks.stop();
}

#[tokio::test]
async fn the_way_on_through_a_long_inbox_keeps_its_order() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let id = |at: usize| format!("01a20468-9163-7278-81e2-be588ebbd{at:03}");
    stage.world.change(|records| {
        let like = records.proposals[1].clone();
        let proposed = like.held_until.expect("a time").seconds - 3_600;
        let one = |at: usize| Proposal {
            id: id(at),
            // The last of them is the newest.
            proposed_at: Some(prost_types::Timestamp {
                seconds: proposed,
                nanos: i32::try_from(at).expect("a number"),
            }),
            ..like.clone()
        };
        records.proposals = (0..MANY).map(one).collect();
    });
    let (mut path, mut seen) = ("/proposals?order=newest".to_owned(), Vec::new());
    loop {
        let page = visitor.get(&path, "").await;
        seen.extend(shown(&page).into_iter().map(str::to_owned));
        let more = page.split("<a href=\"/proposals?order=newest&amp;from=").nth(1);
        let Some(from) = more.and_then(|more| more.split('"').next()) else { break };
        assert!(page.contains(" from before</a>"), "{page}");
        path = format!("/proposals?order=newest&from={from}");
    }
    assert_eq!(seen, (0..MANY).rev().map(id).collect::<Vec<_>>(), "each once, the newest first");
    assert!(path.contains("from="), "there was more than one page");
    stage.tasks.stop();
}
