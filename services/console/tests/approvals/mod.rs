//! Who stands above the trusts approves, refuses and declares incidents on a page; lent staff stay longer on another.

use fallow_api::v1::{Authority, Mode, ResourceKind, ReturnPlan, authority, proposal, transfer};

use super::Visitor;
use super::records::press;
use crate::stage::Stage;

/// Lets the first proposals wait for somebody's approval, and returns their ids.
fn let_wait<const N: usize>(stage: &Stage, roles: [&str; N]) -> [String; N] {
    stage.world.change(|records| {
        let mut held = records.proposals.iter_mut().filter(|one| one.state() == proposal::State::Held);
        roles.map(|role| {
            let proposal = held.next().expect("a live proposal");
            let (state, role) = (authority::State::Pending.into(), role.to_owned());
            proposal.authority = Some(Authority { state, role, ..Authority::default() });
            proposal.home_phone = "0555 0199".to_owned();
            proposal.id.clone()
        })
    })
}

fn authority_of(stage: &Stage, id: &str) -> Authority {
    let records = stage.world.records();
    let found = records.proposals.iter().find(|one| one.id == id);
    found.and_then(|one| one.authority.clone()).expect("an authority")
}

#[tokio::test]
async fn a_care_board_approves_or_refuses_what_waits_for_it() {
    let stage = Stage::on("127.0.0.1:0").await;
    let board = Visitor::signed_in_as(&stage, "icb").await;
    let quiet = board.get("/situation", "").await;
    assert!(!quiet.contains("for your approval.</strong>"), "{quiet}");
    let [first, second, others] = let_wait(&stage, ["icb", "icb", "lead_provider"]);
    // It is told of on every page, and in the title.
    let shown = board.get("/situation", "").await;
    assert!(shown.contains("2 proposals wait for your approval."), "{shown}");
    assert!(shown.contains("<title>(2) Situation"), "{shown}");
    let page = board.get("/approvals", "").await;
    for id in [&first, &second] {
        assert!(page.contains(&format!("id=\"approval-{id}\"")), "{page}");
    }
    assert!(!page.contains(&format!("id=\"approval-{others}\"")), "{page}");
    assert!(page.contains("Waiting for somebody else (1)"), "{page}");
    assert!(page.contains("<a href=\"tel:05550199\">0555 0199</a>"), "whom to ring: {page}");

    let done = press(&board, &page, "/approvals/approve", &[("proposal", &first)]).await;
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    assert_eq!(authority_of(&stage, &first).state(), authority::State::Approved);
    let without = press(&board, &page, "/approvals/refuse", &[("proposal", &second), ("reason", "")]).await;
    assert!(without.starts_with("HTTP/1.1 422"), "{without}");
    assert!(without.contains("<a href=\"#reason\">Why it is refused: every trust"), "{without}");
    assert!(without.contains("id=\"reason\" name=\"reason\""), "{without}");
    // What was typed is still there when somebody else was quicker.
    let stale = [("proposal", second.as_str()), ("reason", "keep it in the system"), ("revision", "1")];
    let stale = press(&board, &page, "/approvals/refuse", &stale).await;
    assert_eq!(stale.matches("value=\"keep it in the system\"").count(), 1, "{stale}");
    let fields = [("proposal", second.as_str()), ("reason", "keep it in the system")];
    let done = press(&board, &page, "/approvals/refuse", &fields).await;
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    let refused = authority_of(&stage, &second);
    assert_eq!(
        (refused.state(), refused.reason.as_str()),
        (authority::State::Refused, "keep it in the system")
    );
    let after = board.get("/approvals", "").await;
    assert!(after.contains("Nothing waits for your approval."), "{after}");
    // Who only waits for it sees for whom, and no button.
    let [again] = let_wait(&stage, ["icb"]);
    let trust = Visitor::signed_in(&stage).await;
    let seen = trust.get("/approvals", "").await;
    assert!(seen.contains("Integrated care board</td>") && !seen.contains("/approvals/approve"), "{seen}");
    // Gold decides for others in an incident only.
    let gold = Visitor::signed_in_as(&stage, "duty-lead").await;
    for (mode, may) in [(Mode::Routine, false), (Mode::Incident, true)] {
        stage.world.change(|records| {
            records.region.collaboratives.iter_mut().for_each(|one| one.set_mode(mode));
        });
        let page = gold.get("/approvals", "").await;
        assert_eq!(page.contains(&format!("id=\"approval-{again}\"")), may, "{mode:?}: {page}");
    }
    stage.tasks.stop();
}

#[tokio::test]
async fn gold_declares_an_incident_and_ends_it_on_the_situation() {
    let stage = Stage::on("127.0.0.1:0").await;
    let mode = || stage.world.records().region.collaboratives[0].mode();
    let id = stage.world.records().region.collaboratives[0].id.clone();
    assert!(!Visitor::signed_in(&stage).await.get("/situation", "").await.contains("/situation/mode"));
    let gold = Visitor::signed_in_as(&stage, "duty-lead").await;
    for (wanted, becomes) in [("routine", Mode::Routine), ("incident", Mode::Incident)] {
        let page = gold.get("/situation", "").await;
        // Each collaborative has a form with the one button that applies, which is what the enter key presses.
        let forms: Vec<&str> = page.split("action=\"/situation/mode\"").skip(1).collect();
        assert_eq!(forms.len(), stage.world.records().region.collaboratives.len());
        assert!(
            forms.iter().all(|form| form.split("</form>").next().unwrap().matches("<button").count() == 1)
        );
        let of_one = forms.iter().find(|form| form.contains(&format!("value=\"{id}\""))).expect("its form");
        assert!(of_one.contains(&format!("name=\"mode\" value=\"{wanted}\"")), "{of_one}");
        let fields = [("collaborative", id.as_str()), ("reason", "norovirus"), ("mode", wanted)];
        let done = press(&gold, &page, "/situation/mode", &fields).await;
        assert!(done.starts_with("HTTP/1.1 303"), "{done}");
        assert_eq!(mode(), becomes);
    }
    let page = gold.get("/situation", "").await;
    let fields = [("collaborative", "nowhere"), ("reason", "norovirus"), ("mode", "incident")];
    let refused = press(&gold, &page, "/situation/mode", &fields).await;
    assert!(refused.starts_with("HTTP/1.1 404") && refused.contains("value=\"norovirus\""), "{refused}");
    stage.tasks.stop();
}

#[tokio::test]
async fn lent_staff_stay_longer_and_are_late_when_they_are_not_back() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let now = stage.world.now().as_second();
    let id = stage.world.change(|records| {
        let one = records.transfers.iter_mut().find(|one| one.home_trust == "ZA4").expect("a transfer");
        one.set_state(transfer::State::Deployed);
        one.resource.get_or_insert_default().set_kind(ResourceKind::Staff);
        let due_at = Some(prost_types::Timestamp { seconds: now - 3_600, nanos: 0 });
        one.return_plan = Some(ReturnPlan { due_at, note: String::new() });
        one.id.clone()
    });
    let page = visitor.get(&format!("/transfers?open={id}"), "").await;
    assert!(page.contains(", late"), "{page}");
    let wrong = press(&visitor, &page, "/transfers/extend", &[("transfer", &id), ("until", "soon")]).await;
    assert!(wrong.contains("Until: must be a date and a time"), "{wrong}");
    let fields = [("transfer", id.as_str()), ("until", "2026-11-25T08:00")];
    let done = press(&visitor, &page, "/transfers/extend", &fields).await;
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    let records = stage.world.records();
    let one = records.transfers.iter().find(|one| one.id == id).expect("the transfer");
    assert_eq!(one.state(), transfer::State::Extended);
    let until = one.return_plan.clone().and_then(|plan| plan.due_at).expect("a time");
    assert_eq!(until.seconds, 1_795_593_600, "eight in the morning of a winter's day in London");
    drop(records);
    stage.tasks.stop();
}
