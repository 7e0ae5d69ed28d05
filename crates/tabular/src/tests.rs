//! The crate as its callers see it.

mod hostile;
mod round_trip;

use fallow_api::v1::{LevelScheme, ResourceKind};
use jiff::tz::TimeZone;

use crate::sheet::{self, Sheet};
use crate::template::{self, Lists, Template};
use crate::{Format, Local, Mapping, Table, rows, write};

/// London at 14:31 on Tuesday 24 November 2026.
fn london() -> Local {
    Local { now: "2026-11-24T14:31:00Z".parse().unwrap(), zone: TimeZone::get("Europe/London").unwrap() }
}

fn read(text: &str) -> Vec<(usize, Result<String, String>)> {
    let rows = rows(text.as_bytes(), Format::Csv, Table::Needs, &london()).unwrap();
    let told = |row: crate::Row<'_>| {
        (row.line, row.json.map(|json| json.into_owned()).map_err(|bad| bad.to_string()))
    };
    rows.into_iter().map(told).collect()
}

fn offers(text: &str, mapping: &str) -> Sheet<fallow_api::v1::Offer> {
    sheet::offers(text.as_bytes(), Format::Csv, &Mapping::parse(mapping).unwrap(), &london()).unwrap()
}

fn said<M>(sheet: &Sheet<M>) -> Vec<String> {
    sheet.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn dotted_columns_become_objects_and_empty_cells_nothing() {
    let rows = read(
        "id,resource.kind,resource.specialties,units,patient.isolation,note\nN1, BED ,300; 340,2,yes,\n",
    );
    let expected = r#"{"id":"N1","patient":{"isolation":true},"resource":{"kind":"BED","specialties":["300","340"]},"units":2}"#;
    assert_eq!(rows, [(2, Ok(expected.to_owned()))]);
}

#[test]
fn a_bad_cell_is_named_with_its_line_and_the_rest_goes_on() {
    let rows = read("id,units,patient.isolation\nN1,two,\nN2,1,maybe\n\n\"N\n3\",1,\nN4,1,true,extra\n");
    assert_eq!(rows[0], (2, Err("units: \"two\" must be a number".to_owned())));
    assert_eq!(rows[1], (3, Err("patient.isolation: \"maybe\" must be true or false".to_owned())));
    assert_eq!(rows[2], (5, Ok(r#"{"id":"N\n3","units":1}"#.to_owned())));
    assert_eq!(rows[3], (7, Err("has 4 cells, the head has 3".to_owned())));
}

#[test]
fn an_unknown_or_repeated_column_is_named() {
    let head =
        |text: &str| rows(text.as_bytes(), Format::Csv, Table::Offers, &london()).unwrap_err().to_string();
    assert!(head("id,figures.stafed\n").starts_with("line 1: figures.stafed: is not a column"));
    assert_eq!(head("id,ID\n"), "line 1: id: stands twice");
    assert!(rows(b"id,window.from\n", Format::Csv, Table::Offers, &london()).unwrap().is_empty());
    assert!(rows(b"", Format::Csv, Table::Offers, &london()).unwrap().is_empty());
}

#[test]
fn what_is_wrong_is_said_by_the_cell() {
    let sheet = offers(
        "site,resource,figures.staffed,window.until\nZA401,bed/cc_adult/2,2,20:00\n\nZA401,sofa,2,20:00\n\
         \"ZA\n401\",bed/cc_adult/2,2,ASAP\nZA401,bed/cc_adult/2,many,20:00\n",
        "",
    );
    assert_eq!(sheet.items.iter().map(|item| item.row).collect::<Vec<_>>(), [2]);
    assert_eq!(
        said(&sheet),
        [
            "row 4, B4: \"sofa\" is not a resource. Try bed/cc_adult/2, diagnostic/mri or theatre/main",
            "row 5, D5: \"ASAP\" is not a time. Try 18:00, +4h, tomorrow 08:00, thu 13:30 or 2026-11-24T18:00:00Z",
            "row 6, C6: \"many\" must be a number",
        ]
    );
    // What a service finds later is said by the cell too, whatever name it has for the field.
    for (field, place) in [
        ("window.until", "row 2, D2"),
        ("resource.code", "row 2, B2"),
        ("figures", "row 2, C2"),
        ("cadence", "row 2"),
    ] {
        assert_eq!(sheet.fault(2, field, "is wrong").place(), place, "{field}");
    }
}

#[test]
fn a_resource_is_written_in_one_column() {
    let sheet = offers("resource,figures.staffed\nBed / Cc_Adult / 2,2\nstaff/theatre-nurse,1\n", "");
    let resource = sheet.items[0].message.resource.clone().unwrap();
    assert_eq!((resource.kind(), resource.code.as_str(), resource.level), (ResourceKind::Bed, "CC_ADULT", 2));
    assert_eq!(resource.level_scheme(), LevelScheme::Unspecified);
    assert_eq!(sheet.items[1].message.resource.as_ref().unwrap().code, "THEATRE_NURSE");
}

#[test]
fn what_the_services_write_is_left_out() {
    let sheet =
        offers("id,state,figures.staffed,figures.held,source_seq,source\n0198,SUSPENDED,14,2,7,FEED\n", "");
    let offer = &sheet.items[0].message;
    assert_eq!((offer.id.as_str(), offer.state, offer.source_seq), ("", 0, 0));
    assert_eq!(offer.figures.map(|figures| (figures.staffed, figures.held)), Some((14, 0)));
    assert_eq!(offer.source(), fallow_api::v1::Source::Sheet);
}

#[test]
fn json_lines_that_fallow_wrote_are_read_without_what_it_added() {
    let read = |text: &str| {
        let sheet =
            sheet::offers(text.as_bytes(), Format::JsonLines, &Mapping::default(), &london()).unwrap();
        (sheet.faults, sheet.items)
    };
    let offer = fallow_api::v1::Offer {
        site: "ZA401".into(),
        phone: "01632 960001".into(),
        asked: vec![fallow_api::v1::AskedToConfirm::default()],
        ..Default::default()
    };
    let (faults, items) = read(&fallow_api::json::to_string(&offer).unwrap());
    assert_eq!(faults, []);
    assert_eq!((items[0].message.phone.as_str(), items[0].message.asked.len()), ("", 0));
    let need = fallow_api::v1::Need {
        from_home: Some(fallow_api::v1::FromHome::default()),
        validation: Some(fallow_api::v1::Validation::default()),
        cohort: "away".into(),
        ..Default::default()
    };
    let text = fallow_api::json::to_string(&need).unwrap();
    let needs = sheet::needs(text.as_bytes(), Format::JsonLines, &Mapping::default(), &london()).unwrap();
    assert_eq!(needs.faults, []);
    let read = &needs.items[0].message;
    assert_eq!((read.from_home.is_none(), read.validation.is_none()), (true, true));
    assert_eq!(read.cohort, "away");
}

#[test]
fn a_cohort_and_a_time_away_have_columns() {
    let rows = read("cohort,away_since\nelderly,2026-11-20\n");
    let expected = r#"{"away_since":"2026-11-20T00:00:00Z","cohort":"elderly"}"#;
    assert_eq!(rows, [(2, Ok(expected.to_owned()))]);
}

#[test]
fn two_rows_of_one_key_are_not_both_sent() {
    let mut sheet = offers("source_key,figures.staffed\nA,1\nB,2\nA,3\n", "");
    sheet.refuse_twice();
    assert_eq!(sheet.items.iter().map(|item| item.row).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(said(&sheet), ["row 4, A4: is the same offer as row 2; give each its own source_key"]);
}

/// The map of a theatre system that has never heard of us.
const THEATREMAN: &str = r#"
head_row = 3
ignore_other_columns = true
[columns]
"Hospital" = "site"
"Free mins" = "figures.staffed"
"Spec" = "resource.specialties"
[dates]
"window.from" = ["Date", "Start"]
"window.until" = ["Date", "Finish"]
[constants]
"resource" = "theatre/main"
"cadence" = "24h"
[values.site]
"Dunmere General" = "ZA401"
"#;

#[test]
fn another_systems_sheet_is_read_by_a_map() {
    let sheet = offers(
        "Theatre utilisation,,,,,,\nprinted 24/11/2026,,,,,,\nHospital,Theatre,Date,Start,Finish,Free mins,spec\n\
         dunmere general,T4,26/11/2026,13:30,17:30,240,110\nDunmere General,T2,29/03/2026,01:30,05:30,210,502\n\
         Dunmere General,T2,soon,13:30,17:30,210,502\n",
        THEATREMAN,
    );
    let offer = &sheet.items[0].message;
    assert_eq!((offer.site.as_str(), offer.figures.unwrap().staffed), ("ZA401", 240));
    assert_eq!(offer.window.unwrap().from.unwrap().to_string(), "2026-11-26T13:30:00Z");
    assert_eq!(offer.resource.as_ref().unwrap().specialties, ["110"]);
    assert_eq!(offer.cadence.unwrap().seconds, 86_400);
    let faults = said(&sheet);
    assert!(faults[0].starts_with("row 5, D5: 01:30 on 29 March 2026 does not exist"), "{faults:?}");
    assert_eq!(faults[1], "row 6, D6: \"soon\" is not a date. Try 26/11/2026");
}

#[test]
fn a_map_that_fits_not_says_where() {
    let read = |mapping: &str| {
        let mapping = Mapping::parse(mapping).unwrap();
        sheet::offers(b"site,Free\nZA401,1\n", Format::Csv, &mapping, &london()).unwrap_err().to_string()
    };
    assert_eq!(
        read("ignore_other_columns = true\n[columns]\n\"Frei\" = \"figures.staffed\"\n"),
        "line 1: Frei: is named by the map, but the sheet has no such column"
    );
    assert!(read("[columns]\n\"Free\" = \"figures.stafed\"\n").starts_with("line 1: free: is not a column"));
    assert!(
        read("[columns]\n\"Free\" = \"figures.staffed\"\n[dates]\n\"note\" = [\"a\", \"b\"]\n")
            .contains("does not hold times")
    );
    assert!(Mapping::parse("colums = 1").unwrap_err().contains("unknown field"));
}

#[test]
fn a_filled_in_template_is_read_again() {
    for template in [Template::Offers, Template::Needs, Template::Theatre] {
        let lists = Lists { sites: vec!["ZA401".into()], resources: vec!["staff/odp".into()] };
        let bytes = template::workbook(template, &lists).unwrap();
        assert!(rows(&bytes, Format::Xlsx, template.table(), &london()).unwrap().is_empty());
    }
}

#[test]
fn refused_rows_are_given_back_with_what_is_wrong() {
    let text = "site,figures.staffed,note\nZA401,2,fine\nZA401,many,=cmd()\n";
    let sheet = offers(text, "");
    let bytes =
        write::refused(text.as_bytes(), Format::Csv, Table::Offers, &Mapping::default(), &sheet.faults)
            .unwrap();
    // What is given back can be mended and read again, but for the column that says what is wrong.
    let mapping = Mapping { ignore_other_columns: true, ..Mapping::default() };
    let again = sheet::offers(&bytes, Format::Xlsx, &mapping, &london()).unwrap();
    assert_eq!(said(&again), ["row 2, B2: \"many\" must be a number"]);
}

#[test]
fn formulas_go_out_as_text() {
    let offer = fallow_api::v1::Offer { note: "=cmd|' /C calc'!A0".into(), ..Default::default() };
    let text = String::from_utf8(write::csv(&[offer], Table::Offers, &london()).unwrap()).unwrap();
    assert!(text.lines().nth(1).unwrap().ends_with(",'=cmd|' /C calc'!A0"), "{text}");
}
