//! Empty workbooks to fill in: a head, lists to choose from, and a guide that says what each column means.

use fallow_api::json::Enumeration;
use fallow_api::v1::{Pathway, Priority, Scope, Sex, TransferReason};
use fallow_domain::codes;
use fallow_domain::resource::ResourceKind;
use rust_xlsxwriter::{
    DataValidation, DataValidationErrorStyle, DataValidationRule, ExcelDateTime, Format as Style, Formula,
    Workbook, XlsxError,
};

use crate::columns::{Holds, Table};
use crate::sheet::letters;
use crate::write::{WriteError, head};

/// Rows below the head in which lists and dates are checked.
const ROWS: u32 = 2_000;

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Beds, slots, shifts, places: what a trust can spare.
    Offers,
    /// What a trust needs.
    Needs,
    /// Theatre sessions that a trust can spare.
    Theatre,
}

/// A column of a template.
struct Asked {
    name: &'static str,
    required: bool,
    words: &'static str,
    example: &'static str,
}

const fn must(name: &'static str, words: &'static str, example: &'static str) -> Asked {
    Asked { name, required: true, words, example }
}

const fn may(name: &'static str, words: &'static str, example: &'static str) -> Asked {
    Asked { name, required: false, words, example }
}

const OFFERS: &[Asked] = &[
    must("site", "ODS code of the site", "ZA401"),
    must("resource", "What: choose from the list", "bed/cc_adult/2"),
    must("figures.staffed", "How many are staffed, used or not", "14"),
    may("figures.occupied", "How many of them are in use; 0 when left empty", "12"),
    may("figures.blocked", "How many of them cannot be used", "0"),
    may("window.from", "From when; at once when left empty", "2026-11-26 08:00"),
    must("window.until", "Until when", "2026-11-26 20:00"),
    must("cadence", "How often you promise to say again", "4h"),
    may("resource.specialties", "Treatment function codes, with ; between", "110; 502"),
    may("capabilities", "What the place can do, with ; between", "isolation; bariatric"),
    may("limits.age_min", "Youngest age", "18"),
    may("limits.age_max", "Oldest age", "80"),
    may("limits.sex", "Only this sex", "FEMALE"),
    may("limits.bmi_max", "Highest BMI", "40"),
    may("limits.asa_max", "Highest ASA grade", "3"),
    may("team.needs", "Roles that are still missing, with ; between", "ANAESTHETIST"),
    may("campaign", "Name of a block that is answered at once", "Saturday lists"),
    may("source_key", "Your own key: the same key again changes the same offer", "level2-main"),
    may("note", "For people, never with patient details", "side rooms only"),
];

const THEATRE: &[Asked] = &[
    must("site", "ODS code of the site", "ZA401"),
    must("resource", "Which sort of theatre: choose from the list", "theatre/main"),
    must("resource.specialties", "Treatment function codes, with ; between", "110"),
    must("figures.staffed", "Free minutes of the session", "240"),
    must("window.from", "Start of the session", "2026-11-26 13:30"),
    must("window.until", "End of the session", "2026-11-26 17:30"),
    must("cadence", "How often you promise to say again", "24h"),
    may("release_at", "Propose it only from then on (6-4-2)", "2026-11-12"),
    may("team.needs", "Roles that are still missing, with ; between", "ANAESTHETIST"),
    may("capabilities", "What the theatre can do, with ; between", "laminar_flow"),
    may("limits.asa_max", "Highest ASA grade", "3"),
    may("limits.bmi_max", "Highest BMI", "40"),
    may("campaign", "Name of a block that is answered at once", "Saturday lists"),
    may("source_key", "Your own key: the same key again changes the same session", "T4-2026-11-26-PM"),
    may("note", "For people, never with patient details", "no image intensifier"),
];

const NEEDS: &[Asked] = &[
    must("case_ref", "Your reference, never a patient's number", "LC-118"),
    must("site", "ODS code of the site where the patient or list is", "ZA401"),
    must("resource", "What: choose from the list", "bed/cc_adult/3"),
    must("priority", "How urgent", "P1A"),
    may("units", "How many; 1 when left empty", "1"),
    may("minutes_per_case", "Theatre only: minutes of one case", "90"),
    may("needed_by", "By when; open-ended when left empty", "2026-11-26 16:00"),
    may("earliest", "Not before", "2026-11-26 08:00"),
    may("listed_at", "Since when it waits; now when left empty", "2026-09-01"),
    may("resource.specialties", "Treatment function codes, with ; between", "110"),
    may("requires", "What the place must be able to do, with ; between", "isolation"),
    may("patient.age", "Age in whole years", "67"),
    may("patient.sex", "Sex", "FEMALE"),
    may("patient.bmi", "BMI", "31"),
    may("patient.asa", "ASA grade", "2"),
    may("patient.isolation", "Requires isolation: yes or no", "no"),
    may("max_travel_minutes", "Farthest acceptable travel, minutes", "60"),
    may("imd_decile", "Deprivation decile, 1 (most deprived) to 10", "3"),
    may("reason", "Why a transfer is wanted", "CAPACITY"),
    may("scope", "How much of the care moves", "EPISODE_ONLY"),
    may("pathway", "Which waiting clock runs", "RTT"),
    may("brings_team", "Theatre only: you bring the team, yes or no", "no"),
    may("note", "For people, never with patient details", "family near Dunmere"),
];

impl Template {
    /// Returns the table that a filled-in template holds.
    #[must_use]
    pub const fn table(self) -> Table {
        match self {
            Self::Offers | Self::Theatre => Table::Offers,
            Self::Needs => Table::Needs,
        }
    }

    const fn columns(self) -> &'static [Asked] {
        match self {
            Self::Offers => OFFERS,
            Self::Needs => NEEDS,
            Self::Theatre => THEATRE,
        }
    }

    /// Returns the resources that its list offers: the national codes, and those of a region that are given.
    fn resources(self, regional: &[String]) -> Vec<String> {
        let kinds = ResourceKind::ALL.iter().copied();
        let national = kinds.flat_map(|kind| {
            let codes = codes::codes_of(kind).into_iter();
            codes.flat_map(move |code| {
                let levels = if codes::has_levels(kind, code) { vec!["/1", "/2", "/3"] } else { vec![""] };
                levels.into_iter().map(move |level| format!("{kind}/{code}{level}").to_lowercase())
            })
        });
        let is_theatre = |key: &String| key.starts_with("theatre/");
        let all = national.chain(regional.iter().cloned());
        all.filter(|key| self != Self::Theatre || is_theatre(key)).collect()
    }
}

/// What a region adds to the lists of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// Sites of the trust, by their codes; none = any code is taken.
    pub sites: Vec<String>,
    /// The region's own resources, such as `staff/odp`.
    pub resources: Vec<String>,
}

/// Makes an empty workbook to fill in.
///
/// # Errors
/// When a list breaks a limit of the format.
pub fn workbook(template: Template, lists: &Lists) -> Result<Vec<u8>, WriteError> {
    let mut workbook = Workbook::new();
    let columns = template.columns();
    let choices: Vec<(usize, Vec<String>)> = (0..)
        .zip(columns)
        .map(|(index, asked)| (index, choices(template, asked.name, lists)))
        .filter(|(_, choices)| !choices.is_empty())
        .collect();
    let sheet = workbook.add_worksheet().set_name(template.table().sheet_name())?;
    head(sheet, columns.iter().map(|asked| asked.name))?;
    let moment = Style::new().set_num_format("yyyy-mm-dd hh:mm");
    for (index, asked) in (0_u16..).zip(columns) {
        let (hint, column) = (input(asked)?, usize::from(index));
        let holds = template.table().column(asked.name).map(|column| column.holds);
        let rule = match (choices.iter().position(|(at, _)| *at == column), holds) {
            (Some(list), _) => {
                let (name, count) = (letters(list), choices[list].1.len());
                hint.allow_list_formula(Formula::new(format!("=Lists!${name}$1:${name}${count}")))
            }
            (None, Some(Holds::Time | Holds::TimeOrDate)) => {
                sheet.set_column_format(index, &moment)?;
                // A person may also type 18:00 or +4h: the spreadsheet asks, and does not forbid.
                hint.allow_date(DataValidationRule::GreaterThan(ExcelDateTime::from_ymd(2000, 1, 1)?))
                    .set_error_style(DataValidationErrorStyle::Warning)
                    .set_error_message("Use a date and a time, such as 26/11/2026 18:00, or 18:00, or +4h.")?
            }
            (None, Some(Holds::Number)) => hint
                .allow_whole_number(DataValidationRule::Between(0, 10_000))
                .set_error_message("Use a whole number, 0 to 10,000.")?,
            (None, Some(Holds::YesOrNo)) => hint.allow_list_strings(&["yes", "no"])?,
            (None, Some(Holds::Text | Holds::Length | Holds::List | Holds::Resource) | None) => {
                hint.allow_any_value()
            }
        };
        sheet.add_data_validation(1, index, ROWS, index, &rule)?;
    }
    guide(&mut workbook, columns)?;
    let hidden = workbook.add_worksheet().set_name("Lists")?;
    for (column, (_, choices)) in (0_u16..).zip(&choices) {
        for (row, choice) in (0_u32..).zip(choices) {
            hidden.write_string(row, column, choice)?;
        }
    }
    hidden.set_hidden(true);
    Ok(workbook.save_to_buffer()?)
}

/// What a spreadsheet shows beside a cell that is chosen.
fn input(asked: &Asked) -> Result<DataValidation, XlsxError> {
    let needed = if asked.required { "Required. " } else { "" };
    DataValidation::new()
        .set_input_title(asked.name.chars().take(32).collect::<String>())?
        .set_input_message(format!("{needed}{}. For example {}.", asked.words, asked.example))
}

fn guide(workbook: &mut Workbook, columns: &[Asked]) -> Result<(), XlsxError> {
    let sheet = workbook.add_worksheet().set_name("Guide")?;
    head(sheet, ["column", "required", "what it means", "example"].into_iter())?;
    sheet.set_column_width(2, 60.0)?;
    for (row, asked) in (1_u32..).zip(columns) {
        let required = if asked.required { "yes" } else { "no" };
        for (column, text) in (0_u16..).zip([asked.name, required, asked.words, asked.example]) {
            sheet.write_string(row, column, text)?;
        }
    }
    let below = u32::try_from(columns.len()).unwrap_or_default() + 2;
    for (row, line) in (below..).zip([
        "Times are by the clock in London: 2026-11-26 18:00, 26/11/2026 18:00, 18:00 for today, tomorrow 08:00, +4h.",
        "In the hour that comes twice when the clocks go back, write the offset: 2026-10-25T01:30:00+01:00.",
        "A row with an error is left out and named with its cell; the other rows count.",
    ]) {
        sheet.write_string(row, 0, line)?;
    }
    Ok(())
}

/// Returns what can be chosen in a column; nothing where anything goes.
fn choices(template: Template, column: &str, lists: &Lists) -> Vec<String> {
    match column {
        "resource" => template.resources(&lists.resources),
        "site" => lists.sites.clone(),
        "priority" => names::<Priority>(),
        "limits.sex" | "patient.sex" => names::<Sex>(),
        "reason" => names::<TransferReason>(),
        "scope" => names::<Scope>(),
        "pathway" => names::<Pathway>(),
        _ => Vec::new(),
    }
}

fn names<E: Enumeration>() -> Vec<String> {
    E::NAMES.iter().filter(|(_, number)| *number != 0).map(|(name, _)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_a_template_is_one_of_the_table_and_its_example_can_be_read() {
        let local = crate::Local {
            now: "2026-11-01T08:00:00Z".parse().unwrap(),
            zone: jiff::tz::TimeZone::get("Europe/London").unwrap(),
        };
        for template in [Template::Offers, Template::Needs, Template::Theatre] {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record(template.columns().iter().map(|asked| asked.name)).unwrap();
            csv.write_record(template.columns().iter().map(|asked| asked.example)).unwrap();
            let bytes = csv.into_inner().unwrap();
            let mapping = crate::Mapping::default();
            let faults = match template.table() {
                Table::Offers => {
                    crate::sheet::offers(&bytes, crate::Format::Csv, &mapping, &local).unwrap().faults
                }
                Table::Needs => {
                    crate::sheet::needs(&bytes, crate::Format::Csv, &mapping, &local).unwrap().faults
                }
            };
            assert!(faults.is_empty(), "{template:?}: {faults:?}");
        }
    }
}
