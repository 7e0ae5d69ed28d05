//! What is wrong with a value is said before anything is asked of a service.

use insta::assert_snapshot;

use crate::world::World;

#[tokio::test]
async fn each_bad_input_says_what_would_be_right() {
    let world = World::new().await;
    let lines = [
        "fre 2 level2",
        "capacity lst",
        "free 2 leval2 --until 20:00",
        "free two level2 --until 20:00",
        "free -- -1 level2 --until 20:00",
        "free 2 level2",
        "free 2 level2 --until ASAP",
        "free 2 level2 --until 08:00",
        "free 2 level2 --until \"2027-03-28 01:30\"",
        "free 2 level2 --until \"2027-10-31 01:30\"",
        "free 2 level2 --until 20:00 --cadence often",
        "free 2 level2 --until 20:00 --sex other",
        "free 2 level2 --until 20:00 --request-id 17",
        "free 2 bed/cc_adult --until 20:00",
        "need 0 level3 --by 16:00",
        "need 1 level3 --by 16:00 --priority P5",
        "need 1 level3 --by 16:00 --max-travel far",
        "take 0 level2",
        "accept",
        "decline x --reason becauze",
        "inbox --endpoint localhost",
        "inbox --deadline soon",
        "inbox -o xml",
        "demand wait LC-1 --for ever",
        "errors --as",
    ];
    let text = world.transcript(&lines).await;
    assert!(!text.contains("\n> "), "nothing is asked of a service");
    assert_eq!(text.matches("exit 2\n").count(), lines.len(), "each is a matter of usage");
    assert_snapshot!(text);
}
