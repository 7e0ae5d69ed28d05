//! The region files that come with Fallow are read whole.

use fallow_domain::region::{Mode, SiteKind, file};

fn read(name: &str) -> fallow_domain::region::Region {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../regions").join(name);
    let text = std::fs::read_to_string(&path).expect("the file comes with the repository");
    file::parse(&text).unwrap_or_else(|error| panic!("{}:\n{error}", path.display()))
}

#[test]
fn north_vale_has_six_trusts() {
    let region = read("north-vale.toml");
    assert_eq!((region.trusts.len(), region.sites.len(), region.collaboratives.len()), (6, 8, 3));
}

#[test]
fn cheshire_and_merseyside_has_its_collaboratives_and_its_merger() {
    let region = read("cheshire-merseyside.toml");
    let members: Vec<_> = region.collaboratives.iter().map(|c| c.members.len()).collect();
    assert_eq!((region.trusts.len(), members), (18, vec![18, 13, 4]));
    let merged = &region.trusts[&"RVY".parse().unwrap()];
    assert_eq!(merged.successor, Some("RBN".parse().unwrap()));
    for kind in [SiteKind::SurgicalHub, SiteKind::CommunityDiagnosticCentre] {
        assert!(region.sites.values().any(|s| s.kind == kind), "{kind}");
    }
}

#[test]
fn south_west_mental_health_has_its_lead_and_nine_members() {
    let region = read("south-west-mental-health.toml");
    let [collaborative] = region.collaboratives.iter().collect::<Vec<_>>()[..] else {
        panic!("one collaborative")
    };
    assert_eq!(collaborative.lead, Some("RWV".parse().unwrap()));
    assert_eq!((collaborative.members.len(), collaborative.mode), (9, Mode::Routine));
}
