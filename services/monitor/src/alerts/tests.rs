use fallow_domain::actor::ActorKind;
use fallow_domain::ids::Label;
use fallow_domain::monitor::alarm::{Folded, raised};
use fallow_domain::monitor::conditions::Condition;
use fallow_host::rights::{Call as Right, Grant};

use super::*;

#[test]
fn whoever_the_rights_table_lets_act_on_alerts_may_act_on_one_of_their_own() {
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
    let at = "2026-11-23T08:00:00Z".parse().unwrap();
    let alert = raised(AlertId::parse("a-1").unwrap(), &condition, &Folded::default(), at);
    for name in ["TakeAlert", "CloseAlert"] {
        let right = Right::find(&format!("/fallow.v1.MonitorService/{name}")).unwrap();
        for role in Role::ALL {
            let subject = Label::parse("somebody").unwrap();
            let trust = |code: &str| Some(code.parse().unwrap());
            let of = |trust| Actor { subject: subject.clone(), kind: ActorKind::Person, role: *role, trust };
            let grant = right.grant(*role);
            assert_eq!(may_act(&of(trust("ZA2")), &alert), grant != Grant::Never, "{name} {role}");
            let anothers = matches!(grant, Grant::Shared | Grant::Any);
            assert_eq!(may_act(&of(trust("ZA1")), &alert), anothers, "{name} {role} of another trust");
        }
    }
}
