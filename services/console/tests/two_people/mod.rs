//! What takes two people on its page, and the files that a page offers.

use fallow_api::v1::{Action, AnswerProposalRequest, action};

use super::Visitor;
use super::records::press;
use crate::stage::Stage;

/// What nobody is to write.
const REFUSED: &str = "as 943 476 5919 said";

fn action(id: &str, state: action::State) -> Action {
    let asked = AnswerProposalRequest { proposal: "p-1".to_owned(), ..AnswerProposalRequest::default() };
    Action {
        id: id.to_owned(),
        text: format!("Break glass: {id}"),
        call: Some(action::Call::AnswerProposal(asked)),
        proposed_by: "icb".to_owned(),
        for_trust: "ZA4".to_owned(),
        trusts: vec!["ZA4".to_owned()],
        breaks_glass: true,
        state: state.into(),
        ..Action::default()
    }
}

#[tokio::test]
async fn what_somebody_said_is_kept_when_it_is_refused() {
    let stage = Stage::on("127.0.0.1:0").await;
    let waits = action("x-1", action::State::Proposed);
    let done = Action { confirmed_by: "coordinator".to_owned(), ..action("x-2", action::State::Confirmed) };
    stage.world.change(|records| records.actions = vec![waits, done]);
    let lead = Visitor::signed_in_as(&stage, "site-lead.ZA4").await;
    let page = lead.get("/actions", "").await;
    assert!(page.contains("Refuse it<span") && !page.contains("take it back"), "{page}");
    assert!(!page.contains(" open>"), "{page}");
    for (address, id, field, control, fold, name) in [
        ("/actions/refuse", "x-1", "reason", "why-x-1", "no-x-1", "Why it is refused"),
        ("/actions/review", "x-2", "note", "found-x-2", "look-x-2", "What the review found"),
    ] {
        let again = press(&lead, &page, address, &[("asked", id), (field, REFUSED)]).await;
        assert!(again.starts_with("HTTP/1.1 422"), "{again}");
        let summary = format!("<a href=\"#{control}\">{name}: looks like an NHS number</a>");
        for part in [
            summary.as_str(),
            &format!("id=\"{fold}\" open>"),
            &format!(
                "id=\"{control}\" name=\"{field}\" type=\"text\" maxlength=\"140\" required value=\"{REFUSED}\""
            ),
            &format!("id=\"{control}-error\""),
            &format!("{control}-error\"><button"),
        ] {
            assert!(again.contains(part), "{part}: {again}");
        }
        assert_eq!(again.matches(REFUSED).count(), 1, "in its own row: {again}");
    }
    // Of what is gone from the page there is no control to lead to.
    let fields = [("asked", "x-9"), ("reason", REFUSED)];
    let gone = press(&lead, &page, "/actions/refuse", &fields).await;
    assert!(gone.contains("looks like an NHS number") && !gone.contains("#why-"), "{gone}");
    // Whose role asked may take it back.
    let icb = Visitor::signed_in_as(&stage, "icb").await;
    let page = icb.get("/actions", "").await;
    assert!(page.contains("Refuse it, or take it back<span"), "{page}");
    stage.tasks.stop();
}

#[tokio::test]
async fn files_are_read_by_a_spreadsheet_as_they_were_written() {
    let stage = Stage::on("127.0.0.1:0").await;
    let gold = Visitor::signed_in_as(&stage, "duty-lead").await;
    stage.world.change(|records| {
        if let Some(entry) = records.kept.timeline.first_mut() {
            entry.text = "=cmd() 2 \u{d7} CT".to_owned();
        }
    });
    for (path, name, part) in [
        ("/timeline/timeline.csv", "timeline.csv", "'=cmd() 2 \u{d7} CT"),
        ("/reports/report.csv?kind=rules&thresholds=x", "rules.csv", ","),
    ] {
        let answer = gold.get(path, "").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains("text/csv; charset=utf-8"), "{head}");
        assert!(head.contains(&format!("attachment; filename=\"{name}\"")), "{head}");
        assert!(body.contains('\u{feff}') && body.contains(part) && body.lines().count() > 1, "{body}");
    }
    // A back-test's file is that of its own thresholds.
    let page = gold.get("/reports?kind=rules&thresholds=feed_silent+%3D+1%261", "").await;
    let file =
        "/reports/report.csv?kind=rules&#38;days=28&#38;trust=&#38;thresholds=feed_silent%20%3D%201%261";
    assert!(page.contains(file), "{page}");
    stage.tasks.stop();
}
