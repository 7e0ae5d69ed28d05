use super::*;
use crate::ids::{AlertId, Note};
use crate::monitor::alarm;
use crate::monitor::conditions::Condition;
use crate::test_world::{gold, monday};

fn alert() -> Alert {
    let condition = Condition {
        rule: Rule::FeedSilent,
        cause: "ZA2".into(),
        level: 2,
        text: "Brackwater is silent.".into(),
        trusts: vec!["ZA2".parse().unwrap()],
        resource: None,
        subjects: Vec::new(),
        parents: Vec::new(),
    };
    alarm::raised(AlertId::parse("a-1").unwrap(), &condition, &alarm::Folded::default(), monday())
}

#[test]
fn an_alert_is_told_as_it_lives() {
    assert_eq!(alerted(&alert()), "Brackwater is silent.");
    let taken = Alert { state: AlertState::Taken, taken_by: Some(gold()), ..alert() };
    assert_eq!(alerted(&taken), "Taken by gold command: Brackwater is silent.");
    let over = alarm::cleared(alert(), &Note::default(), monday());
    assert_eq!(alerted(&over), "Reporting again. It was: Brackwater is silent.");
    let unknown = alarm::cleared(alert(), &Note::parse("No live offers of it are left.").unwrap(), monday());
    assert_eq!(alerted(&unknown), "No live offers of it are left. It was: Brackwater is silent.");
    let other = Alert { rule: Rule::TransferOverdue, ..over.clone() };
    assert_eq!(alerted(&other), "Over: Brackwater is silent.");
    let closed = Alert { closed_by: Some(gold()), note: Note::parse("rang them").unwrap(), ..over };
    assert_eq!(alerted(&closed), "Closed: Brackwater is silent. rang them.");
}

#[test]
fn what_is_whose_is_written_as_people_write_it() {
    assert_eq!([whose("Dunmere"), whose("Calverleigh Hospitals")], ["Dunmere's", "Calverleigh Hospitals'"]);
}

#[test]
fn an_incident_says_what_it_changes() {
    let said = |text: &str| of_incidents(&toml::from_str(text).unwrap());
    assert_eq!(said(""), "");
    assert_eq!(said("[incident]\nopel_limit = 4"), "", "as in routine");
    assert_eq!(
        said("[incident]\nopel_limit = 5\nhold = { P1A = \"5m\", P4 = \"1wd\" }\napproval = []"),
        " While it lasts: trusts are asked whatever OPEL they have declared; the time to answer is P1A 5 min, P1B 20 min, P2 60 \
         min, P3 4 working hours, P4 1 working day.",
    );
    let rule = "[[approval]]\nrole = \"icb\"\n";
    assert_eq!(
        said(&format!("{rule}[incident]\nopel_limit = 3\napproval = []")),
        " While it lasts: trusts at OPEL 3 or more are not asked; nobody above the trusts approves."
    );
    let agreed =
        "[[incident.standing_agreement]]\nid = \"a\"\ntrust = \"ZA1\"\nuntil = \"2027-01-01T00:00:00Z\"";
    assert_eq!(said(agreed), " While it lasts: other standing agreements hold.");
}

#[test]
fn a_sentence_ends_once() {
    assert_eq!(
        (sentence(" Open it"), sentence("Open it."), sentence("Open?")),
        ("Open it.".to_owned(), "Open it.".to_owned(), "Open?".to_owned())
    );
}

#[test]
fn resources_and_codes_are_plain_words() {
    assert_eq!(resource(&"BED/GA_ADULT".parse().unwrap()), "General and acute, adult");
    assert!(resource(&"BED/CC_ADULT/3".parse().unwrap()).ends_with(", level 3"));
    assert_eq!(resource(&"STAFF/ANAESTHETIC_NURSE".parse().unwrap()), "anaesthetic nurse");
    assert_eq!(code("NO_ANSWER"), "no answer");
}
