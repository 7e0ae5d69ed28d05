//! `action`: what needs two people.

use fallow_api::v1::action::State;
use fallow_api::v1::{
    Action, ConfirmActionRequest, ConfirmActionResponse, GetActionRequest, GetActionResponse,
    GetProposalRequest, GetProposalResponse, ListActionsRequest, ListActionsResponse, ProposeActionRequest,
    ProposeActionResponse, RefuseActionRequest, RefuseActionResponse, ReviewActionRequest,
    ReviewActionResponse, WatchActionsRequest, WatchActionsResponse,
};

use crate::records::suggestion;
use crate::world::{World, at};

fn waiting() -> Action {
    Action {
        id: "0198c7a0-1111-7000-8000-000000000001".into(),
        text: "Break glass: icb asks to answer a proposal for Aldermoor.".into(),
        state: State::Proposed.into(),
        proposed_at: at("2026-11-24T14:20:00Z"),
        breaks_glass: true,
        ..Action::default()
    }
}

fn answers(world: &World) {
    world.script.on("MatchingService/GetProposal", |_: GetProposalRequest| {
        Ok(GetProposalResponse { proposal: Some(suggestion()), revision: 7 })
    });
    world.script.on("MonitorService/ProposeAction", |ask: ProposeActionRequest| {
        let revision = if ask.validate_only { 0 } else { 8 };
        Ok(ProposeActionResponse { action: Some(waiting()), revision })
    });
    world.script.on("MonitorService/ListActions", |_: ListActionsRequest| {
        Ok(ListActionsResponse { actions: vec![waiting()], revision: 8, ..ListActionsResponse::default() })
    });
    world.script.on("MonitorService/ConfirmAction", |ask: ConfirmActionRequest| {
        assert_eq!(ask.action, waiting().id);
        let action = Action { state: State::Confirmed.into(), ..waiting() };
        Ok(ConfirmActionResponse { action: Some(action), revision: 9 })
    });
    world.script.on("MonitorService/RefuseAction", |ask: RefuseActionRequest| {
        assert_eq!(ask.action, waiting().id);
        let action = Action { state: State::Refused.into(), ..waiting() };
        Ok(RefuseActionResponse { action: Some(action), revision: 9 })
    });
    world.script.on("MonitorService/ReviewAction", |ask: ReviewActionRequest| {
        assert_eq!(ask.action, waiting().id);
        let action = Action { state: State::Confirmed.into(), reviewed_by: "gold".into(), ..waiting() };
        Ok(ReviewActionResponse { action: Some(action), revision: 9 })
    });
    world.script.on("MonitorService/GetAction", |ask: GetActionRequest| {
        assert_eq!(ask.action, waiting().id);
        Ok(GetActionResponse { action: Some(waiting()), revision: 8 })
    });
}

#[tokio::test]
async fn one_person_asks_and_another_confirms() {
    let world = World::new().await;
    answers(&world);
    let why = "--code systems-down --reason \"their network is down\"";
    let asked = world.run(&format!("action answer 0198c2 --for za1 --accept --units 1 {why}")).await;
    assert_eq!(asked.exit, 0, "{}", asked.err);
    assert!(asked.err.contains(&format!("fallow action confirm {}", waiting().id)), "{}", asked.err);
    let sent = asked.calls.last().unwrap();
    for part in
        ["\"for_trust\":\"ZA1\"", "\"SYSTEMS_DOWN\"", "\"ACCEPT\"", "\"units\":1", "their network is down"]
    {
        assert!(sent.contains(part), "{part}: {sent}");
    }
    let checked = world.run(&format!("action bypass 0198c2 {why} --dry-run")).await;
    assert!(checked.calls.last().unwrap().contains("bypass_proposal"), "{:?}", checked.calls);
    assert!(!checked.err.contains("fallow action confirm"), "{}", checked.err);
    let listed = world.run("action list --waiting").await;
    assert!(listed.out.contains("asks to answer a proposal for Aldermoor"), "{}", listed.out);
    let done = world.run("action confirm 0198c7").await;
    assert_eq!(done.exit, 0, "{}", done.err);
    assert!(done.err.contains("confirmed and done"), "{}", done.err);
    let shown = world.run("action show 0198c7").await;
    assert!(shown.out.contains("asks to answer a proposal for Aldermoor"), "{} {}", shown.out, shown.err);
    let refused = world.run("action refuse 0198c7 --reason \"their network is up\"").await;
    assert_eq!(refused.exit, 0, "{}", refused.err);
    assert!(
        refused.calls.last().unwrap().contains("\"reason\":\"their network is up\""),
        "{:?}",
        refused.calls
    );
    assert!(refused.err.contains("refused; nothing was done"), "{}", refused.err);
    let reviewed = world.run("action review 0198c7 --note \"it was right\"").await;
    assert_eq!(reviewed.exit, 0, "{}", reviewed.err);
    assert!(reviewed.calls.last().unwrap().contains("\"note\":\"it was right\""), "{:?}", reviewed.calls);
    for line in ["action refuse 0198c7", "action review 0198c7"] {
        let told = world.run(line).await;
        assert_eq!((told.exit, told.calls.len()), (2, 0), "{line}: {}", told.err);
    }
    let nobody = world.run("action confirm 0000").await;
    assert_eq!(nobody.exit, 3, "{}", nobody.err);
}

#[tokio::test]
async fn glass_is_not_broken_without_a_reason_or_an_answer() {
    let world = World::new().await;
    answers(&world);
    for line in [
        "action answer 0198c2 --for ZA1 --accept --reason why",
        "action answer 0198c2 --for ZA1 --accept --code systems-down",
        "action answer 0198c2 --for ZA1 --code systems-down --reason why",
        "action answer 0198c2 --for ZA1 --accept --decline staffing --code systems-down --reason why",
        "action bypass 0198c2 --reason why",
        "action bypass 0198c2 --code because --reason why",
    ] {
        let told = world.run(line).await;
        assert_eq!((told.exit, told.calls.len()), (2, 0), "{line}: {}", told.err);
    }
}

#[tokio::test]
async fn a_region_file_is_asked_for_with_its_reason() {
    let world = World::new().await;
    answers(&world);
    std::fs::write(world.folder().join("region.toml"), "[region]\n").unwrap();
    let file = world.folder().join("region.toml").display().to_string();
    let asked = world.run(&format!("action region -f {file} --reason \"a trust joins\"")).await;
    assert_eq!(asked.exit, 0, "{}", asked.err);
    let sent = asked.calls.last().unwrap();
    assert!(sent.contains("apply_region") && sent.contains("a trust joins"), "{sent}");
}

#[tokio::test]
async fn every_page_of_actions_is_read_and_told_newest_first() {
    let world = World::new().await;
    world.script.on("MonitorService/ListActions", |ask: ListActionsRequest| {
        assert!(ask.waiting && ask.page_size > 0);
        let action = |hour: u32| Action {
            id: format!("0198c7a0-{hour:04}-7000-8000-000000000001"),
            proposed_at: at(&format!("2026-11-24T{hour:02}:20:00Z")),
            ..waiting()
        };
        // The most urgent are on the first page, the oldest among them.
        let (hours, next) = if ask.page_token.is_empty() { ([13, 8], "two") } else { ([12, 11], "") };
        let actions = hours.map(action).into();
        Ok(ListActionsResponse { actions, next_page_token: next.into(), ..ListActionsResponse::default() })
    });
    let told = world.run("action list --waiting --columns at -o csv").await;
    let hours = ["13:20", "12:20", "11:20", "08:20"].map(|hour| format!("2026-11-24 {hour}\n"));
    assert_eq!((told.out, told.calls.len()), (format!("at\n{}", hours.concat()), 2), "{}", told.err);
}

#[tokio::test]
async fn what_waits_for_a_second_person_can_be_watched() {
    use fallow_api::v1::watch_actions_response::Item;
    let world = World::new().await;
    answers(&world);
    let message = |item| Ok(WatchActionsResponse { item: Some(item), cursor: "c1".into(), revision: 8 });
    let stream = || vec![vec![message(Item::Action(waiting())), message(Item::Removed(waiting().id))]];
    world.script.watch::<WatchActionsRequest, _>("MonitorService/WatchActions", stream());
    let told = world.run("action list --waiting -w").await;
    assert_eq!(told.out.lines().count(), 2, "{}", told.err);
    assert!(told.out.starts_with(r#"{"action":{"id":"0198c7a0-"#), "{}", told.out);
    assert_eq!(told.calls[0], r#"MonitorService/WatchActions {"waiting":true}"#);
    world.script.watch::<WatchActionsRequest, _>("MonitorService/WatchActions", stream());
    let told = world.run_on_a_screen("action list --watch").await;
    assert!(told.out.contains("\u{1b}[2J") && told.out.contains("Break glass: icb asks"), "{}", told.out);
}
