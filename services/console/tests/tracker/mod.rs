//! What the page of transfers says beyond their steps: who agreed, and what to do where a case was solved without one.

use fallow_api::v1::{Transfer, need, transfer};

use super::records::press;
use super::{Visitor, header};
use crate::stage::Stage;

/// Returns the opened transfer of a page.
fn panel(page: &str) -> &str {
    let panel = page.split("<section class=\"panel\" id=\"open\"").nth(1).expect("an opened transfer");
    panel.split("</section>").next().expect("its end")
}

#[tokio::test]
async fn an_opened_transfer_says_who_agreed_and_when() {
    let stage = Stage::on("127.0.0.1:0").await;
    for user in ["bed-manager.ZA4", "bed-manager.ZA1", "duty-lead"] {
        let visitor = Visitor::signed_in_as(&stage, user).await;
        let page = visitor.get("/transfers?open=t-21", "").await;
        let headline = panel(&page).split("<h3>Checklist").next().expect("what stands above the checklist");
        let (_, said) =
            headline.split_once("<p>Agreed today ").unwrap_or_else(|| panic!("{user}: {headline}"));
        let said = said.split("</p>").next().expect("its end");
        assert!(said.contains("by Aldermoor University Hospitals (site lead, 1"), "{user}: {said}");
        assert!(said.contains(" and Dunmere General Hospital (bed manager, 1"), "{user}: {said}");
        let row = page.split("id=\"transfer-t-21\"").nth(1).expect("its row");
        assert!(row.contains(" &middot; agreed today "), "{row}");
    }
    stage.tasks.stop();
}

#[tokio::test]
async fn a_case_that_was_solved_without_its_transfer_ends_both_or_neither() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let page = visitor.get("/transfers?open=t-21", "").await;
    let shown = panel(&page);
    assert!(shown.contains("action=\"/transfers/resolve\""), "{shown}");
    assert!(shown.contains("ends the need DX-77: the whole of it, 18 \u{d7} MRI"), "{shown}");
    assert!(shown.contains("href=\"/needs?why=n-5#why\""), "{shown}");
    let states = || {
        stage.world.change(|records| {
            let need = records.needs.iter().find(|one| one.id == "n-5").expect("the need");
            let transfer = records.transfers.iter().find(|one| one.id == "t-21").expect("the transfer");
            (need.state(), transfer.state())
        })
    };
    let untouched = (need::State::PartAgreed, transfer::State::Planned);
    let send = async |note: &str, revision: &str| {
        let reason = ("reason", "DECLINE_REASON_TREATED_ELSEWHERE");
        let fields = [("transfer", "t-21"), ("revision", revision), ("need", "n-5"), reason, ("note", note)];
        press(&visitor, &page, "/transfers/resolve", &fields).await
    };

    // What cannot end is not called off either, and the page that says so has the form open again.
    let wrong = send("NHS number as told", "100").await;
    assert!(wrong.starts_with("HTTP/1.1 422"), "{wrong}");
    assert!(wrong.contains("<a href=\"#resolve-note\">"), "{wrong}");
    assert!(panel(&wrong).contains("<details id=\"resolve\" open>"), "{wrong}");
    stage.world.change(|records| {
        let other = Transfer { id: "t-22".to_owned(), ..records.transfers[0].clone() };
        records.transfers.push(other);
    });
    let bound = send("", "100").await;
    assert!(bound.contains("There is another transfer under way for the same need"), "{bound}");
    assert_eq!(states(), untouched);
    stage.world.change(|records| records.transfers[1].set_state(transfer::State::Arrived));
    let late = send("", "99").await;
    assert!(late.starts_with("HTTP/1.1 409"), "somebody changed it: {late}");
    assert_eq!(states(), untouched);

    let done = send("their own scanner is back", "100").await;
    assert_eq!(header(&done, "location"), Some("/transfers"), "{done}");
    assert_eq!(states(), (need::State::ResolvedOutside, transfer::State::Aborted));
    let page = visitor.get("/transfers?open=t-21", "").await;
    assert!(
        page.contains("Recorded: resolved outside Fallow. The transfer and its need have ended."),
        "{page}"
    );
    let row = page.split("id=\"transfer-t-21\"").nth(1).expect("its row");
    assert!(row.contains("Aborted") && row.contains("&middot; Treated elsewhere"), "{row}");
    assert!(!page.contains("/transfers/resolve"), "there is nothing left to end: {page}");
    stage.tasks.stop();
}

#[tokio::test]
async fn the_supporting_trust_is_told_whose_word_ends_a_need() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in_as(&stage, "bed-manager.ZA1").await;
    let page = visitor.get("/transfers?open=t-21", "").await;
    let shown = panel(&page);
    assert!(!shown.contains("/transfers/resolve") && !shown.contains("/needs?why="), "{shown}");
    assert!(shown.contains("they alone can record that it was resolved outside Fallow"), "{shown}");
    assert!(shown.contains("/transfers/abort"), "it can be called off by both: {shown}");
    let gold = Visitor::signed_in_as(&stage, "duty-lead").await;
    let page = gold.get("/transfers?open=t-21", "").await;
    assert!(!panel(&page).contains("id=\"resolve\""), "gold ends nobody's need: {page}");
    stage.tasks.stop();
}

#[tokio::test]
async fn who_aborts_what_their_trust_needs_is_led_to_the_need() {
    let stage = Stage::on("127.0.0.1:0").await;
    for (user, is_led) in [("bed-manager.ZA1", false), ("bed-manager.ZA4", true)] {
        stage.world.change(|records| records.transfers[0].set_state(transfer::State::Planned));
        let revision = stage.world.change(|records| records.transfers[0].revision).to_string();
        let visitor = Visitor::signed_in_as(&stage, user).await;
        let page = visitor.get("/transfers?open=t-21", "").await;
        let fields =
            [("transfer", "t-21"), ("revision", revision.as_str()), ("reason", "DECLINE_REASON_NOT_FIT")];
        let done = press(&visitor, &page, "/transfers/abort", &fields).await;
        assert!(done.starts_with("HTTP/1.1 303"), "{done}");
        let page = visitor.get("/transfers", "").await;
        assert!(page.contains("The transfer is aborted. Its units are given back."), "{page}");
        assert_eq!(
            page.contains("<a href=\"/needs?why=n-5#why\">See its need.</a>"),
            is_led,
            "{user}: {page}"
        );
    }
    stage.tasks.stop();
}
