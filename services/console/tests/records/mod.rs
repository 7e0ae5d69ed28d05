//! What the records say beyond the figures: who asks, who was reminded, how far from home, and the way back; shown
//! where a bed manager looks, and answered by a form.

use fallow_api::v1::explanation::{Alternative, Flip, NotUsed, Term};
use fallow_api::v1::{AskedToConfirm, FromHome, Proposal, ReturnPlan, Transfer, Validation, transfer};
use prost_types::Timestamp;

use super::upload::{encoded, hidden};
use super::{Visitor, header};
use crate::stage::Stage;

/// Goal C1: a first page with its twelve proposals.
const HTML_BYTES_MAX: usize = 60_000;
/// More transfers than one page holds.
const TRANSFERS: usize = 120;
/// What a screen holds.
const PROPOSALS: usize = 12;

/// Returns the time so many minutes from now, by the world's clock.
fn minutes(stage: &Stage, minutes: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: stage.world.now().as_second() + 60 * minutes, nanos: 0 })
}

/// Writes a time as pages do; a winter's day in London is on UTC.
fn clock(at: Option<Timestamp>) -> String {
    let minutes = at.expect("a time").seconds / 60;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// Sends a form of a page: the fields that it has for everybody, and those that are given.
pub(crate) async fn press(visitor: &Visitor, page: &str, action: &str, fields: &[(&str, &str)]) -> String {
    let mut body = format!("csrf={}", encoded(&hidden(page, "csrf")));
    for (name, value) in fields {
        body.push_str(&format!("&{name}={}", encoded(value)));
    }
    visitor.ask("POST", action, "", &body).await
}

#[tokio::test]
async fn a_slot_or_a_session_is_not_published_without_its_start() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let page = visitor.get("/capacity/offer", "").await;
    assert!(page.contains("When a session or slot starts."), "{page}");
    let publish = async |resource: &str, from: &str| {
        let once = format!("{resource} {from}");
        let fields = [
            ("resource", resource),
            ("count", "2"),
            ("from", from),
            ("until", "2030-11-25T12:00"),
            ("once", &once),
        ];
        press(&visitor, &page, "/capacity/offer", &fields).await
    };
    for resource in ["DIAGNOSTIC/MRI", "THEATRE/MAIN"] {
        let refused = publish(resource, "").await;
        assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
        assert!(refused.contains("<a href=\"#from\">From: must be a date and a time"), "{refused}");
        let done = publish(resource, "2030-11-25T08:00").await;
        assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    }
    let done = publish("BED/STEP_DOWN", "").await;
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    stage.tasks.stop();
}

#[tokio::test]
async fn an_offer_says_who_asks_whether_it_is_still_true() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    assert!(!visitor.get("/capacity", "").await.contains("Still true?</span>"));
    let asked = |trust: &str, role: &str, ago: i64| AskedToConfirm {
        trust: trust.to_owned(),
        role: role.to_owned(),
        at: minutes(&stage, -ago),
        need: String::new(),
    };
    let asked = [asked("", "gold", 20), asked("ZA2", "bed_manager", 5)];
    stage.world.change(|records| {
        let offer = records.offers.iter_mut().find(|offer| offer.id == "o-4").expect("an offer");
        offer.asked = asked.to_vec();
    });
    let page = visitor.get("/capacity", "").await;
    let said = format!("Brackwater Hospitals asks, today {}, and 1 before", clock(asked[1].at));
    assert!(page.contains(&said), "{page}");
    stage.tasks.stop();
}

#[tokio::test]
async fn theatres_are_shown_week_by_week_beside_the_board_and_in_the_reports() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let page = visitor.get("/capacity", "").await;
    assert!(page.contains(">Theatres, next six weeks</h2>"), "{page}");
    for (week, signs) in [("Week of 23 Nov", "..h=="), ("Week of 30 Nov", "##.#")] {
        let row = format!("<th scope=\"row\">{week}</th><td data-l=\"Session by session\">{signs}</td>");
        assert!(page.contains(&row), "{page}");
    }
    assert!(page.contains("1080 minutes were found for others and 690 were lost"), "{page}");
    let report = visitor.get("/reports?kind=theatres", "").await;
    assert!(report.contains("Dunmere General Hospital, week of 23 Nov"), "{report}");
    stage.tasks.stop();
}

#[tokio::test]
async fn a_proposal_says_how_far_from_home_it_is_and_who_was_reminded() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let reminders = [minutes(&stage, -3), minutes(&stage, 4)];
    stage.world.change(|records| {
        let proposal = &mut records.proposals[1];
        proposal.reminders = reminders.into_iter().flatten().collect();
        proposal.from_home = Some(FromHome { kilometres: 36, out_of_area: true });
    });
    let page = visitor.get("/proposals", "").await;
    assert!(page.contains("36 km from home, out of area"), "{page}");
    assert!(page.contains(&format!("Reminded {}", clock(reminders[0]))), "{page}");
    assert_eq!(page.matches("Reminded").count(), 1, "nobody else was: {page}");
    stage.tasks.stop();
}

/// Makes an explanation as long as those of a busy region's winter day are.
fn busy(mut proposal: Proposal) -> Proposal {
    let why = proposal.explanation.get_or_insert_default();
    let other = why.alternatives.first().cloned().expect("a runner-up");
    let not_used = why.not_used.first().cloned().expect("a reason");
    let nothing_free = "Aldermoor University Hospitals: 0 free, keeps 2";
    why.alternatives = (9..12)
        .map(|more| Alternative { reason: format!("{more} points more"), burden: 58 + more, ..other.clone() })
        .collect();
    why.not_used =
        (1..6).map(|count| NotUsed { count, example: nothing_free.to_owned(), ..not_used.clone() }).collect();
    let then = "Eastholme Hospitals would be asked, 67 points a unit";
    why.flips = ["either trust declines this", "Dunmere General Hospital declares OPEL 4"]
        .map(|change| Flip { change: change.to_owned(), then: then.to_owned() })
        .to_vec();
    proposal
}

#[tokio::test]
async fn an_inbox_of_one_screen_is_small() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let asked = stage.world.change(|records| {
        let like = busy(records.proposals[1].clone());
        records.proposals = (0..PROPOSALS)
            .map(|at| Proposal { id: format!("01a20468-9163-7278-81e2-be588ebbd{at:03}"), ..like.clone() })
            .collect();
        like.explanation.expect("an explanation").terms.len()
    });
    let page = visitor.get("/proposals", "").await;
    assert_eq!(page.matches("<article").count(), PROPOSALS);
    assert!(asked > 2 && page.matches("Why this match").count() == PROPOSALS, "each is explained");
    assert!(page.len() <= HTML_BYTES_MAX, "{} bytes", page.len());
    stage.tasks.stop();
}

/// Makes an explanation that says as much as one may: every term, runners-up, reasons and flips in long words.
fn richest(mut proposal: Proposal) -> Proposal {
    let why = proposal.explanation.get_or_insert_default();
    let (term, other, not_used) = (
        why.terms.first().cloned().expect("a term"),
        why.alternatives.first().cloned().expect("a runner-up"),
        why.not_used.first().cloned().expect("a reason"),
    );
    let long = "a reason in many words, such as a long road over the hills and a ward that is far from everything else";
    why.terms = (0..8).map(|_| Term { detail: long.to_owned(), ..term.clone() }).collect();
    why.alternatives = (0..5).map(|_| Alternative { reason: long.to_owned(), ..other.clone() }).collect();
    why.not_used = (0..12).map(|_| NotUsed { example: long.to_owned(), ..not_used.clone() }).collect();
    why.flips = (0..6).map(|_| Flip { change: long.to_owned(), then: long.to_owned() }).collect();
    proposal
}

#[tokio::test]
async fn an_inbox_is_small_whatever_proposals_say_and_none_is_out_of_reach() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let id = |at: usize| format!("01a20468-9163-7278-81e2-be588ebbd{at:03}");
    for all in [PROPOSALS, PROPOSALS + 1, 60] {
        stage.world.change(|records| {
            let like = richest(records.proposals[1].clone());
            records.proposals = (0..all).map(|at| Proposal { id: id(at), ..like.clone() }).collect();
        });
        let (mut path, mut seen) = ("/proposals".to_owned(), Vec::new());
        loop {
            let page = visitor.get(&path, "").await;
            assert!(page.len() <= HTML_BYTES_MAX, "{path}: {} bytes", page.len());
            assert!(page.contains(&format!("Proposals waiting for you ({all})")), "{page}");
            let shown = (0..all).filter(|at| page.contains(&format!("id=\"proposal-{}\"", id(*at))));
            seen.extend(shown);
            let more = page.split("<a href=\"/proposals?from=").nth(1);
            let Some(from) = more.and_then(|more| more.split('"').next()) else { break };
            path = format!("/proposals?from={from}");
        }
        assert_eq!(seen, (0..all).collect::<Vec<_>>(), "each once, in order");
        let first = visitor.get("/proposals", "").await;
        let shown = first.matches("<article").count();
        assert!(shown >= PROPOSALS, "a screen holds twelve: {shown} in {} bytes", first.len());
        assert!(first.contains("<details class=\"fold fold-why\" open"), "the first is explained: {first}");
        // An explanation for which there was no room is one click away, and then open.
        let last = id(PROPOSALS - 1);
        assert!(first.contains(&format!("href=\"/proposals?why={last}#proposal-{last}\"")), "{first}");
        let asked = visitor.get(&format!("/proposals?why={last}"), "").await;
        let card = asked.split(&format!("id=\"proposal-{last}\"")).nth(1).expect("its card");
        let card = card.split("</article>").next().expect("its end");
        assert!(card.contains("<details class=\"fold fold-why\" open"), "{card}");
        assert!(asked.len() <= HTML_BYTES_MAX, "{} bytes", asked.len());
    }
    stage.tasks.stop();
}

#[tokio::test]
async fn transfers_are_small_however_many_there_are_and_none_is_out_of_reach() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let id = |at: usize| format!("01a20468-9163-7278-81e2-be588ebbd{at:03}");
    stage.world.change(|records| {
        let like = records.transfers[0].clone();
        records.transfers = (0..TRANSFERS).map(|at| Transfer { id: id(at), ..like.clone() }).collect();
    });
    for view in ["list", "columns"] {
        let (mut path, mut seen) = (format!("/transfers?view={view}&days=1"), Vec::new());
        let mut pages = 0;
        loop {
            let page = visitor.get(&format!("{path}&open={}&abort=1", id(7)), "").await;
            assert!(page.len() <= HTML_BYTES_MAX, "{path}: {} bytes", page.len());
            assert!(
                page.contains(&format!("<strong>{TRANSFERS}</strong> Planned")),
                "all are counted: {page}"
            );
            assert!(page.contains("<details id=\"abort\" open"), "{page}");
            seen.extend((0..TRANSFERS).filter(|at| page.contains(&format!("id=\"transfer-{}\"", id(*at)))));
            pages += 1;
            let more = page.split(&format!("view={view}&#38;days=1&amp;from=")).nth(1);
            let Some(from) = more.and_then(|more| more.split('"').next()) else { break };
            path = format!("/transfers?view={view}&days=1&from={from}");
        }
        assert_eq!(seen, (0..TRANSFERS).collect::<Vec<_>>(), "each once, in order, in {view}");
        assert!(pages > 1, "there is more than one page in {view}");
    }
    stage.tasks.stop();
}

#[tokio::test]
async fn a_no_needs_a_reason_that_the_page_offers() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let page = visitor.get("/proposals", "").await;
    assert!(page.contains(r#"name="reason" value="STAFFING""#), "{page}");
    let decline = [("decline", "p-2 100")];
    let refused = press(&visitor, &page, "/proposals/answer", &decline).await;
    assert!(refused.contains("choose why you decline"), "{refused}");
    let because = [decline.as_slice(), &[("reason", "STAFFING")]].concat();
    let done = press(&visitor, &page, "/proposals/answer", &because).await;
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    stage.tasks.stop();
}

#[tokio::test]
async fn who_is_to_come_back_stands_on_a_list_of_their_own() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let page = visitor.get("/transfers?open=t-21", "").await;
    let booked = [
        ("transfer", "t-21"),
        ("revision", "100"),
        ("open", "1"),
        ("set", "transport"),
        ("kind", "ambulance"),
        ("provider", "ZA5"),
        ("booked", "yes"),
    ];
    let kept = press(&visitor, &page, "/transfers/advance", &booked).await;
    assert_eq!(header(&kept, "location"), Some("/transfers?open=t-21#transfer-t-21"), "{kept}");
    let page = visitor.get("/transfers?open=t-21", "").await;
    assert!(page.contains("transport: ambulance, Eastholme Hospitals, booked"), "{page}");

    assert!(visitor.get("/transfers?view=returning", "").await.contains("Nobody is waiting to go home."));
    let revision = hidden(&page, "revision");
    let back = |due| {
        let note = ("return-note", "by the day team");
        [("transfer", "t-21"), ("revision", revision.as_str()), ("set", "return"), ("return-due", due), note]
    };
    let unread = press(&visitor, &page, "/transfers/advance", &back("soon")).await;
    assert!(unread.contains("must be a date and a time"), "{unread}");
    press(&visitor, &page, "/transfers/advance", &back("2026-11-23T09:00")).await;
    let away = minutes(&stage, -3 * 24 * 60);
    stage.world.change(|records| {
        let transfer = &mut records.transfers[0];
        let plan = Some(ReturnPlan {
            due_at: Some(Timestamp { seconds: 1_795_424_400, nanos: 0 }),
            note: "by the day team".to_owned(),
        });
        assert_eq!(transfer.return_plan, plan, "09:00 in London on 23 November");
        transfer.set_state(transfer::State::Arrived);
        transfer.from_home = Some(FromHome { kilometres: 51, out_of_area: true });
        transfer.away_since = away;
    });
    let list = visitor.get("/transfers?view=returning", "").await;
    assert!(list.contains("51 km from home, out of area &middot; out of area for 3 d"), "{list}");
    assert!(list.contains("back home yesterday 09:00, late: by the day team"), "{list}");
    stage.tasks.stop();
}

#[tokio::test]
async fn the_needs_of_a_cohort_are_changed_together() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let away = minutes(&stage, -5 * 24 * 60);
    stage.world.change(|records| {
        for id in ["n-1", "n-5"] {
            let need = records.needs.iter_mut().find(|need| need.id == id).expect("a need");
            need.cohort = "Winter & ward".to_owned();
            need.from_home = Some(FromHome { kilometres: 80, out_of_area: false });
            need.away_since = away;
        }
    });
    let page = visitor.get("/needs", "").await;
    assert!(page.contains("80 km from home · away for 5 d"), "{page}");
    assert!(page.contains("cohort=Winter%20%26%20ward#cohort"), "{page}");
    let page = visitor.get("/needs?cohort=Winter%20%26%20ward", "").await;
    assert!(page.contains("Change all 2 needs") && !page.contains("LC-120"), "{page}");

    let cohort = ("cohort", "Winter & ward");
    let nothing = press(&visitor, &page, "/needs/cohort/amend", &[cohort]).await;
    assert!(nothing.contains("say what is to change"), "{nothing}");
    let farther =
        press(&visitor, &page, "/needs/cohort/amend", &[cohort, ("max_travel_minutes", "90")]).await;
    assert_eq!(header(&farther, "location"), Some("/needs?cohort=Winter%20%26%20ward"), "{farther}");
    let far = stage.world.records().needs.iter().filter(|need| need.max_travel_minutes == 90).count();
    assert_eq!(far, 2);
    let reason = ("reason", "DECLINE_REASON_TREATED_ELSEWHERE");
    press(&visitor, &page, "/needs/cohort/withdraw", &[cohort, reason]).await;
    assert!(visitor.get("/needs", "").await.contains("2 needs are withdrawn."));
    stage.tasks.stop();
}

#[tokio::test]
async fn a_need_is_asked_about_and_said_to_stand() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let asked_at = minutes(&stage, -30);
    stage.world.change(|records| {
        records.needs[3].validation =
            Some(Validation { asked_at, asked_by_role: "gold".to_owned(), ..Validation::default() });
    });
    let page = visitor.get("/needs", "").await;
    assert_eq!(page.matches("Still needed?").count(), 1, "{page}");
    let page = visitor.get("/needs?why=n-4", "").await;
    assert!(page.contains(&format!("Gold command asks, today {}", clock(asked_at))), "{page}");
    let says = [("need", "n-4"), ("revision", "100"), ("fit", "yes")];
    press(&visitor, &page, "/needs/stands", &says).await;
    let page = visitor.get("/needs?why=n-4", "").await;
    assert!(page.contains("not willing to be treated elsewhere, fit for it."), "{page}");
    assert!(!page.contains("Still needed?"), "{page}");

    let page = visitor.get("/needs?of=all&why=n-6", "").await;
    press(&visitor, &page, "/needs/ask-stands", &[("need", "n-6")]).await;
    let asked = stage.world.records().needs[5].validation.clone().unwrap_or_default();
    assert_eq!((asked.asked_by_trust.as_str(), asked.asked_at.is_some()), ("ZA4", true));
    stage.tasks.stop();
}
