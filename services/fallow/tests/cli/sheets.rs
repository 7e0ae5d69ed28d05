//! `import`, `export` and `capacity apply`: sheets in and out, and what is said of them by the cell.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fallow_api::v1::{
    Figures, GetRegionRequest, GetRegionResponse, GetSituationRequest, GetSituationResponse,
    ListNeedsRequest, ListNeedsResponse, ListOffersRequest, ListOffersResponse, Need, Offer,
    PublishOfferRequest, PublishOfferResponse, RaiseNeedRequest, RaiseNeedResponse, Region,
    ReplaceOffersRequest, ReplaceOffersResponse, Resource, ResourceKind, Site, Situation, need,
};
use fallow_tabular::{Format, Local, Mapping, Table, rows, sheet};
use insta::assert_snapshot;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::records::{lc_118, level_2, stale_ct};
use crate::world::{NOW, World, at};

const SHEET: &str = "resource,figures.staffed,window.until,cadence\n\
                     bed/cc_adult/2,3,20:00,4h\n\
                     diagnostic/mri,5,tomorrow 08:00,4h\n\
                     bed/cc_adult/3,1,ASAP,4h\n";

async fn world(sheet: &str) -> World {
    let world = World::new().await;
    std::fs::write(world.folder().join("sheet.csv"), sheet).unwrap();
    world.script.on("CapacityService/ListOffers", |_: ListOffersRequest| {
        Ok(ListOffersResponse { offers: vec![level_2(), stale_ct()], ..ListOffersResponse::default() })
    });
    world.script.on("CapacityService/PublishOffer", |ask: PublishOfferRequest| {
        let offer = ask.offer.unwrap();
        let figures = offer.figures.unwrap();
        if offer.resource.as_ref().unwrap().kind() == ResourceKind::Staff {
            let wrong = vec![FieldViolation::new("offer.resource.code", "must be a code of this region")];
            let details = ErrorDetails::with_bad_request(wrong);
            return Err(Status::with_error_details(Code::InvalidArgument, "one field is wrong", details));
        }
        let offer = Offer {
            figures: Some(Figures { free: figures.staffed, ..figures }),
            trust: "ZA4".into(),
            ..offer
        };
        Ok(PublishOfferResponse { offer: Some(offer), revision: if ask.validate_only { 0 } else { 51 } })
    });
    world.script.on("CapacityService/ReplaceOffers", |ask: ReplaceOffersRequest| {
        let after = |offer: &Offer| Offer {
            figures: offer.figures.map(|figures| Figures { free: figures.staffed, ..figures }),
            ..offer.clone()
        };
        let (changed, added) = ask.items.split_first().unwrap();
        Ok(ReplaceOffersResponse {
            changed: vec![after(changed)],
            added: added.iter().map(after).collect(),
            withdrawn: vec![stale_ct()],
            revision: if ask.validate_only { 0 } else { 52 },
            ..ReplaceOffersResponse::default()
        })
    });
    world
}

fn path(world: &World, name: &str) -> String {
    world.folder().join(name).display().to_string()
}

/// Runs a line in which `@` stands for the world's folder.
async fn told(world: &World, line: &str) -> String {
    let told = world.run(&line.replace('@', &format!("{}/", world.folder().display()))).await;
    let calls: Vec<&str> = told.calls.iter().map(|call| call.split(' ').next().unwrap()).collect();
    format!("$ fallow {line}\n{}{}> {}\nexit {}\n", told.out, told.err, calls.join(" "), told.exit)
}

#[tokio::test]
async fn an_import_says_the_difference_and_the_cells_and_writes_the_good_rows() {
    let world = world(SHEET).await;
    let mut text = told(&world, "import capacity @sheet.csv --dry-run").await;
    let other = told(&world, "import capacity @sheet.csv --errors-to @bad.csv").await;
    assert!(other.contains("must end in .xlsx") && other.ends_with("exit 2\n"), "{other}");
    text += &told(&world, "import capacity @sheet.csv --errors-to @bad.xlsx").await;
    text += &told(&world, "import capacity @sheet.csv -o json --dry-run").await;
    assert_snapshot!(text);
    let local = Local { now: NOW.parse().unwrap(), zone: jiff::tz::TimeZone::get("Europe/London").unwrap() };
    let bytes = std::fs::read(world.folder().join("bad.xlsx")).unwrap();
    let mapping = Mapping { ignore_other_columns: true, ..Mapping::default() };
    let bad = sheet::offers(&bytes, Format::Xlsx, &mapping, &local).unwrap();
    assert_eq!(bad.faults.len(), 1, "the refused row comes back, and only it");
    assert!(
        bad.items.is_empty() && bad.faults[0].to_string().starts_with("row 2, C2: \"ASAP\" is not a time")
    );
}

#[tokio::test]
async fn what_a_service_refuses_is_said_by_the_cell_too() {
    let world = world("resource,figures.staffed,window.until,cadence\nstaff/odd,1,20:00,4h\nbed/ga_adult,2,20:00,4h\nbed/ga_adult,3,20:00,4h\n").await;
    assert_snapshot!(told(&world, "import capacity @sheet.csv").await);
}

/// Whether a code is known is the region's to say: what a service answers with nothing was not taken for certain.
#[tokio::test]
async fn a_row_that_is_answered_with_nothing_is_not_called_added() {
    let world = world(
        "resource,figures.staffed,window.until,cadence\nbed/ga_adult,2,20:00,4h\nbed/sofa,1,20:00,4h\n",
    )
    .await;
    world.script.on("CapacityService/PublishOffer", |ask: PublishOfferRequest| {
        let is_known = ask.offer.as_ref().unwrap().resource.as_ref().unwrap().code == "GA_ADULT";
        Ok(PublishOfferResponse { offer: ask.offer.filter(|_| is_known), ..PublishOfferResponse::default() })
    });
    let offers = told(&world, "import capacity @sheet.csv").await;
    assert!(offers.contains("1 added, 1 rejected") && offers.ends_with("exit 8\n"), "{offers}");
    assert!(offers.contains("! row 3") && offers.contains("does not say what became of it"), "{offers}");

    let needs = "case_ref,resource,priority,needed_by\nLC-1,bed/sofa,P1A,18:00\n";
    std::fs::write(world.folder().join("needs.csv"), needs).unwrap();
    world.script.on("DemandService/RaiseNeed", |_: RaiseNeedRequest| Ok(RaiseNeedResponse::default()));
    let needs = told(&world, "import demand @needs.csv").await;
    assert!(needs.contains("1 rejected") && !needs.contains("added"), "{needs}");
    assert!(needs.ends_with("exit 8\n"), "{needs}");
}

#[tokio::test]
async fn a_whole_state_withdraws_what_it_leaves_out_unless_a_row_is_rejected() {
    let good = world(&SHEET.replace("ASAP", "22:00")).await;
    let mut text = told(&good, "capacity apply -f @sheet.csv --replace --dry-run").await;
    text += &told(&good, "capacity apply -f @sheet.csv --replace").await;
    text += &told(&world(SHEET).await, "capacity apply -f @sheet.csv --replace").await;
    assert_snapshot!(text);
    // A person sees what becomes of each before the question, and the question says what ends.
    let file = path(&good, "sheet.csv");
    let asked = good.run_answering(&format!("capacity apply -f {file} --replace"), "n\n").await;
    let (shown, question) = asked.err.split_once("1 offer that").unwrap();
    assert!(
        shown.contains("  - ZA401 diagnostic/ct           not in the sheet: withdrawn;"),
        "{}",
        asked.err
    );
    assert!(
        question.starts_with(
            " the sheet leaves out is withdrawn. Holds that nobody has answered end at once. Go on? [y/N] "
        ),
        "{question}"
    );
    assert_eq!(asked.calls.iter().filter(|call| call.contains("ReplaceOffers")).count(), 1, "only tried");
}

#[tokio::test]
async fn needs_are_raised_and_live_ones_stay() {
    let world = World::new().await;
    std::fs::write(
        world.folder().join("needs.csv"),
        "case_ref,resource,priority,needed_by\nLC-118,bed/cc_adult/3,P1A,16:00\nLC-121,bed/cc_adult/2,P1A,18:00\n",
    )
    .unwrap();
    world.script.on("DemandService/RaiseNeed", |ask: RaiseNeedRequest| {
        let need = ask.need.unwrap();
        let already_live = need.case_ref == lc_118().case_ref;
        Ok(RaiseNeedResponse { need: Some(need), revision: 53, already_live, ..Default::default() })
    });
    assert_snapshot!(told(&world, "import demand @needs.csv").await);
    let cannot_know = "a dry run cannot know whether this file raised them before";
    let known = told(&world, "import demand @needs.csv --dry-run").await;
    assert!(!known.contains(cannot_know), "{known}");
    std::fs::write(
        world.folder().join("needs.csv"),
        "resource,priority,needed_by\nbed/cc_adult/3,P1A,16:00\n",
    )
    .unwrap();
    let unknown = told(&world, "import demand @needs.csv --dry-run").await;
    assert!(unknown.contains(cannot_know) && unknown.ends_with("exit 0\n"), "{unknown}");
}

#[tokio::test]
async fn needs_that_come_too_soon_wait_and_the_same_file_again_raises_nothing_twice() {
    let world = World::new().await;
    // Without case references, by which the service would know them.
    let rows: String = (1..=6).map(|hour| format!("bed/cc_adult/2,P1A,18:0{hour}\n")).collect();
    let path = world.folder().join("needs.csv");
    std::fs::write(&path, format!("resource,priority,needed_by\n{rows}")).unwrap();
    let ids = Arc::new(Mutex::new(Vec::new()));
    let (seen, calls) = (ids.clone(), Arc::new(AtomicUsize::new(0)));
    world.script.on("DemandService/RaiseNeed", move |ask: RaiseNeedRequest| {
        match calls.fetch_add(1, Ordering::Relaxed) {
            // The third row comes too soon, twice; the fifth is forbidden.
            2 | 3 => {
                let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(1)));
                return Err(Status::with_error_details(Code::ResourceExhausted, "too soon", details));
            }
            6 => return Err(Status::permission_denied("not yours")),
            _ => {}
        }
        seen.lock().unwrap().push(ask.request_id.clone());
        Ok(RaiseNeedResponse { need: ask.need, revision: 53, already_live: false, ..Default::default() })
    });
    let ended = told(&world, "import demand @needs.csv").await;
    assert!(ended.contains("row 4: the services take only so many at once; it waits"), "{ended}");
    assert!(ended.contains("4 added") && ended.contains("what is raised is not raised twice"), "{ended}");
    let again = told(&world, "import demand @needs.csv").await;
    assert!(again.contains("6 added") && again.ends_with("exit 0\n"), "{again}");
    let ids = ids.lock().unwrap().clone();
    assert_eq!(ids[..4], ids[4..8], "the same rows are the same requests");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 6);
}

#[tokio::test]
async fn what_was_raised_from_a_sheet_before_is_not_called_added() {
    let world = World::new().await;
    let path = world.folder().join("needs.csv");
    let rows = "bed/cc_adult/2,P1A,18:00\nbed/cc_adult/3,P1A,19:00\nct/slots,P1A,20:00\n";
    std::fs::write(
        &path,
        format!("resource,priority,needed_by\n{rows}").replace("ct/slots", "diagnostic/mri"),
    )
    .unwrap();
    world.script.on("DemandService/RaiseNeed", |ask: RaiseNeedRequest| {
        let mut need = ask.need.unwrap();
        let level = need.resource.as_ref().unwrap().level;
        let raised_before = level > 0;
        need.set_state(if level == 2 { need::State::Met } else { need::State::Open });
        Ok(RaiseNeedResponse { need: Some(need), revision: 53, raised_before, ..Default::default() })
    });
    let told = told(&world, "import demand @needs.csv").await;
    assert!(told.contains("1 added, 2 unchanged"), "{told}");
    assert!(
        told.contains("raised from this sheet before, and over since: nothing is asked for now"),
        "{told}"
    );
    assert!(told.contains("raised from this sheet before, and still live"), "{told}");
}

#[tokio::test]
async fn what_is_exported_can_be_read_again() {
    let world = world(SHEET).await;
    world.script.on("DemandService/ListNeeds", |_: ListNeedsRequest| {
        Ok(ListNeedsResponse { needs: vec![lc_118()], ..ListNeedsResponse::default() })
    });
    let local = Local { now: NOW.parse().unwrap(), zone: jiff::tz::TimeZone::get("Europe/London").unwrap() };
    for (line, name, table, count) in [
        ("export xlsx offers", "offers.xlsx", Table::Offers, 2),
        ("export csv offers", "offers.csv", Table::Offers, 2),
        ("export xlsx needs", "needs.xlsx", Table::Needs, 1),
    ] {
        let line = format!("{line} --out {}", path(&world, name));
        assert_eq!(world.run(&line).await.exit, 0, "{line}");
        let bytes = std::fs::read(world.folder().join(name)).unwrap();
        let read = rows(&bytes, Format::of_name(name).unwrap(), table, &local).unwrap();
        assert!(read.iter().all(|row| row.json.is_ok()) && read.len() == count, "{line}: {read:?}");
    }
    // A file keeps its letters, whatever the screen beside it can show.
    world.script.on("DemandService/ListNeeds", |_: ListNeedsRequest| {
        let need = Need { note: "Ren\u{e9}\u{2019}s note".into(), ..lc_118() };
        Ok(ListNeedsResponse { needs: vec![need], ..ListNeedsResponse::default() })
    });
    let needs = world.run("export csv needs --ascii").await;
    assert!(needs.exit == 0 && needs.out.contains("Ren\u{e9}\u{2019}s note"), "{}", needs.out);
    let csv = world.run("export csv offers").await;
    assert!(csv.out.starts_with("id,source_key,trust,site,resource.kind,"), "{}", csv.out);
    let refused = world.run_on_a_screen("export xlsx offers").await;
    assert_eq!((refused.exit, refused.out.as_str()), (2, ""), "{}", refused.err);
}

#[tokio::test]
async fn a_template_has_the_regions_lists_and_is_made_without_a_service_too() {
    let world = World::new().await;
    let line = format!("import template theatre --out {}", path(&world, "away.xlsx"));
    let alone = world.run(&line).await;
    assert_eq!(alone.exit, 0, "{}", alone.err);
    assert!(alone.err.contains("the lists have the national codes, and no sites"), "{}", alone.err);
    world.script.on("MonitorService/GetRegion", |_: GetRegionRequest| {
        let site =
            |code: &str, trust: &str| Site { code: code.into(), trust: trust.into(), ..Site::default() };
        let odp = Resource { kind: ResourceKind::Staff.into(), code: "ODP".into(), ..Resource::default() };
        let region = Region {
            sites: vec![site("ZA401", "ZA4"), site("ZA101", "ZA1")],
            resources: vec![odp],
            ..Region::default()
        };
        Ok(GetRegionResponse { region: Some(region), ..GetRegionResponse::default() })
    });
    let line = format!("import template offers --out {}", path(&world, "asked.xlsx"));
    assert_eq!(world.run(&line).await.err, "written: FOLDER/asked.xlsx\n");
    let mapping = Mapping { sheet: "Lists".into(), ..Mapping::default() };
    let local = Local { now: NOW.parse().unwrap(), zone: jiff::tz::TimeZone::get("Europe/London").unwrap() };
    let bytes = std::fs::read(world.folder().join("asked.xlsx")).unwrap();
    // The first row of the lists is taken for a head, which names what is in it.
    let said = sheet::offers(&bytes, Format::Xlsx, &mapping, &local).unwrap_err().to_string();
    assert!(said.contains("za401"), "{said}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_what_would_help() {
    let world = world(SHEET).await;
    std::fs::write(world.folder().join("old.xls"), "x").unwrap();
    std::fs::write(world.folder().join("fake.xlsx"), "x").unwrap();
    std::fs::write(world.folder().join("odd.csv"), "site,beds\nZA401,2\n").unwrap();
    std::fs::write(
        world.folder().join("map.toml"),
        "[columns]\nbeds = \"figures.staffed\"\n[constants]\nresource = \"bed/ga_adult\"\n",
    )
    .unwrap();
    for (line, exit, said) in [
        ("import capacity @none.csv", 3, "cannot be read"),
        ("import capacity @old.xls", 2, "save it as XLSX or CSV"),
        ("import capacity @fake.xlsx", 2, "not a workbook that can be read"),
        ("import capacity @odd.csv", 2, "line 1: beds: is not a column"),
        ("import capacity @odd.csv --map @odd.csv", 2, "odd.csv: TOML parse error"),
    ] {
        let text = told(&world, line).await;
        assert!(text.contains(said) && text.ends_with(&format!("exit {exit}\n")), "{text}");
    }
    let mapped = told(&world, "import capacity @odd.csv --map @map.toml --dry-run").await;
    assert!(mapped.ends_with("exit 0\n"), "{mapped}");
}

#[tokio::test]
async fn capacity_is_exported_as_other_systems_read_it() {
    let world = world(SHEET).await;
    world.script.on("MonitorService/GetRegion", |_: GetRegionRequest| {
        let site =
            Site { code: "ZA401".into(), trust: "ZA4".into(), name: "Dunmere".into(), ..Site::default() };
        let region = Region { name: "North Vale".into(), sites: vec![site], ..Region::default() };
        Ok(GetRegionResponse { region: Some(region), ..GetRegionResponse::default() })
    });
    world.script.on("MonitorService/GetSituation", |_: GetSituationRequest| {
        let situation = Situation { at: at("2026-11-24T14:32:00Z"), ..Situation::default() };
        Ok(GetSituationResponse { situation: Some(situation), revision: 1 })
    });
    // The services are a minute ahead of this computer: it is their time that figures are old by.
    let mut text = world.run("export have").await.out;
    assert!(text.contains("<edxl-ct:toDateTime>2026-11-24T14:32:00+00:00<"), "{text}");
    text += &world.run("export fhir --at 14:00").await.out;
    assert_snapshot!(text);
    let asked = world.run("export have --everyone --at 14:00").await;
    assert_eq!(
        asked.calls[0],
        r#"CapacityService/ListOffers {"page_size":1000,"filter":{},"as_of":"2026-11-24T14:00:00Z"}"#
    );
    let line = format!("export fhir --out {}", path(&world, "capacity.json"));
    assert_eq!(world.run(&line).await.err, "written: FOLDER/capacity.json\n");
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.folder().join("capacity.json")).unwrap()).unwrap();
    assert_eq!(written["resourceType"], "Bundle");

    world.script.on("CapacityService/ListOffers", |_: ListOffersRequest| Ok(ListOffersResponse::default()));
    let nothing = world.run("export have").await;
    assert_eq!((nothing.exit, nothing.out.as_str()), (9, ""));
    assert!(nothing.err.starts_with("error: NOTHING_TO_REPORT: there is no live offer"), "{}", nothing.err);
    assert_eq!(world.run("export fhir --at later").await.exit, 2);
    let ahead = world.run("export csv --at \"tomorrow 08:00\"").await;
    assert_eq!(ahead.exit, 2);
    assert!(ahead.err.starts_with("error: USAGE: --at is still to come") && ahead.calls.is_empty());
}

#[tokio::test]
async fn requests_of_fhir_are_raised_and_what_is_wrong_is_said_by_the_entry() {
    let world = World::new().await;
    world.script.on("DemandService/RaiseNeed", |ask: RaiseNeedRequest| {
        let need = Need { trust: "ZA4".into(), state: need::State::Open.into(), ..ask.need.unwrap() };
        let revision = if ask.validate_only { 0 } else { 61 };
        Ok(RaiseNeedResponse { need: Some(need), revision, ..RaiseNeedResponse::default() })
    });
    let request = |status: &str, code: &str, case: &str| {
        serde_json::json!({ "resource": {
            "resourceType": "ServiceRequest",
            "identifier": [{ "system": "urn:trust:cases", "value": case }],
            "status": status,
            "intent": "order",
            "code": { "coding": [{ "system": "urn:fallow:v1:resource", "code": code }] },
            "subject": { "reference": "Patient/p1" },
            "occurrencePeriod": { "end": "2026-11-24T20:00:00Z" },
        }})
    };
    let entry = [
        request("active", "bed/cc_adult/3", "LC-201"),
        request("revoked", "bed/cc_adult/3", "LC-202"),
        request("active", "bed/sofa", "LC-203"),
    ];
    let bundle = serde_json::json!({ "resourceType": "Bundle", "type": "collection", "entry": entry });
    std::fs::write(world.folder().join("requests.json"), bundle.to_string()).unwrap();
    std::fs::write(world.folder().join("odd.json"), "{}").unwrap();
    let mut text = told(&world, "import fhir @requests.json --dry-run").await;
    text += &told(&world, "import fhir @requests.json").await;
    text += &told(&world, "import fhir @odd.json").await;
    text += &told(&world, "import fhir @none.json").await;
    assert_snapshot!(text.replace(&world.folder().display().to_string(), "FOLDER"));
}
