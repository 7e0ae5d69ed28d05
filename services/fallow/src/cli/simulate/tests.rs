//! Scenario files, and what-ifs on files of a folder.

use std::fs;

use fallow_api::convert::simulate::changes;
use fallow_api::v1::simulated_change::Change;
use fallow_api::v1::{Mode, SimulateRequest};
use fallow_domain::region::file;

use super::{files, scenario};

const REGION: &str = include_str!("../../../../../regions/north-vale.toml");

fn read(text: &str) -> Result<Vec<fallow_api::v1::SimulatedChange>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("draft.toml"), "[policy]\nfair_step = 7\n").unwrap();
    let told = scenario::read(&path).map_err(|failure| failure.text());
    told.map_err(|text| text.replace(&folder.path().display().to_string(), "FOLDER"))
}

#[test]
fn the_example_has_every_change_and_every_one_is_right() {
    let read = read(scenario::EXAMPLE).unwrap();
    assert_eq!(changes(&read, &file::parse(REGION).unwrap()).unwrap().len(), 8);
    let kinds: std::collections::HashSet<_> =
        read.iter().filter_map(|one| one.change.as_ref().map(std::mem::discriminant)).collect();
    assert_eq!(kinds.len(), 8);
    assert_eq!(read.len(), 8);
}

#[test]
fn resources_modes_and_policies_are_written_as_people_write_them() {
    let all = read(
        "[[change]]\nunits = { trust = \"ZA1\", resource = \"bed/cc_adult/2\", by = -1 }\n\
         [[change]]\nmode = { collaborative = \"x\", mode = \"incident\" }\n\
         [[change]]\npolicy_file = \"draft.toml\"\n",
    );
    let all = all.unwrap();
    let Some(Change::Units(units)) = &all[0].change else { panic!("{all:?}") };
    let resource = units.resource.as_ref().unwrap();
    assert_eq!((resource.code.as_str(), resource.level, units.by), ("CC_ADULT", 2, -1));
    let Some(Change::Mode(mode)) = &all[1].change else { panic!("{all:?}") };
    assert_eq!(mode.mode(), Mode::Incident);
    assert_eq!(all[2].change, Some(Change::PolicyToml("[policy]\nfair_step = 7\n".to_owned())));
}

#[test]
fn a_wrong_scenario_names_its_change_and_field() {
    for (text, wrong) in [
        ("", "FOLDER/scenario.toml: has no [[change]] table"),
        ("change = 3", "has no [[change]] table"),
        ("change = [3]", "changes[0] must be a table"),
        ("seed = 3", "\"seed\" is not known"),
        ("[[change]]\nclose_sites = \"ZA401\"", "changes[0] unknown field `close_sites`"),
        ("[[change]]\nclose_site = \"ZA401\"\nfeed_returns = \"ZA1\"", "says 2: close_site, feed_returns"),
        ("[[change]]\n", "says 0"),
        ("[[change]]\nopel = { trust = \"ZA1\", opel = \"high\" }", "changes[0].opel.opel"),
        ("[[change]]\ndemand = { resource = \"sofa/x\", factor = 1 }", "changes[0].demand.resource.kind"),
        ("[[change]]\npolicy_file = \"gone.toml\"", "FOLDER/gone.toml cannot be read: "),
        ("[[change\n", "TOML parse error"),
    ] {
        let told = read(text).unwrap_err();
        assert!(told.contains(wrong), "{text}\n{told}");
    }
}

#[test]
fn a_folder_is_a_base() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let at = "2026-11-24T08:00:00Z".parse().unwrap();
    let ask = |text: &str| {
        let request = SimulateRequest { changes: read(text).unwrap(), ..SimulateRequest::default() };
        files::simulate(folder.path(), at, 0, &request).map_err(|failure| failure.text())
    };
    let more = "[[change]]\nunits = { trust = \"ZA1\", resource = \"bed/ga_adult\", by = 3 }";
    put("region.toml", REGION);
    assert!(ask(more).unwrap_err().contains("has no offers.jsonl and no offers.csv"));
    put("offers.jsonl", "");
    put(
        "needs.jsonl",
        "{\"id\":\"N1\",\"trust\":\"ZA4\",\"site\":\"ZA401\",\"resource\":{\"kind\":\"BED\",\"code\":\"GA_ADULT\"},\
         \"units\":1,\"priority\":\"P2\",\"listed_at\":\"2026-11-24T07:00:00Z\",\"reason\":\"CAPACITY\",\
         \"scope\":\"WHOLE_PATHWAY\"}\nnot a need\n",
    );
    let (answer, names, rejected) = ask(more).unwrap();
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert_eq!((answer.before.unwrap().placed, answer.after.unwrap().placed), (0, 1));
    assert_eq!(answer.changed[0].after, "simulated-1");
    assert_eq!(answer.worse_off, ["Aldermoor University Hospitals gives 1 unit more"]);
    assert_eq!(names.trust("ZA1"), "Aldermoor University Hospitals");
    let wrong = ask("[[change]]\nclose_site = \"ZA499\"").unwrap_err();
    assert!(
        wrong.contains("changes[0].close_site must be a site of this region: did you mean ZA4"),
        "{wrong}"
    );
}
