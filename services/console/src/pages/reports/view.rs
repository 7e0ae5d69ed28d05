//! A report as people read it: names for codes, numbers with bars where length says more, and the words under it.

use fallow_api::v1::{DeclineReason, GetReportResponse};

use super::Kind;
use crate::directory::Directory;
use crate::words::time::{Now, from_wire};
use crate::words::{codes, first_upper, resource};

/// Width of the longest bar, in the units of its drawing.
const BAR: f64 = 60.0;
/// How the note of the cheapest levers begins.
const LEVERS: &str = "Cheapest levers now: ";
/// What a screen shows for none, so that what there is stands out.
const NOTHING: &str = "\u{b7}";

/// With more columns than this they stand closer, and whose row it is stays in view.
const COLUMNS_MAX: usize = 12;

/// The report.
pub(super) struct View {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Whether any row says something in words.
    pub(super) has_notes: bool,
    /// The heading of what is said in words.
    pub(super) in_words: &'static str,
    pub(super) notes: Vec<String>,
    /// What would place most, each by itself.
    pub(super) levers: Vec<String>,
    /// `Counted from Tue 24 Nov 08:00.`
    pub(super) counted: Option<String>,
}

/// One row.
pub(super) struct Row {
    pub(super) name: String,
    /// Where the list is that the row counts.
    pub(super) link: Option<String>,
    pub(super) cells: Vec<Cell>,
    pub(super) note: String,
    /// Whether it is harm.
    pub(super) is_harm: bool,
}

/// One number.
pub(super) struct Cell {
    pub(super) text: String,
    /// Length of its bar; `None` where a number is enough.
    pub(super) bar: Option<String>,
}

impl View {
    pub(super) fn new(kind: Kind, report: GetReportResponse, directory: &Directory, now: &Now) -> Self {
        let longest = report.rows.iter().flat_map(|row| row.values.iter().copied()).fold(0.0, f64::max);
        let cell = |value: f64| Cell {
            text: if matches!(kind, Kind::Unmet | Kind::Flow) && value == 0.0 {
                NOTHING.to_owned()
            } else {
                number(value)
            },
            bar: (kind == Kind::Unmet && value > 0.0 && longest > 0.0)
                .then(|| format!("{:.1}", (value / longest * BAR).max(1.0))),
        };
        let rows: Vec<Row> = report
            .rows
            .into_iter()
            .map(|row| {
                let link = (kind == Kind::Unmet)
                    .then(|| format!("/needs?of=all&resource={}", crate::app::encoded(&row.name)));
                let (name, note) = named(kind, row.name, row.note, directory);
                let (is_harm, name) = match name.strip_prefix("Harm: ") {
                    Some(harm) => (true, first_upper(harm)),
                    None => (false, name),
                };
                Row { name, link, note, is_harm, cells: row.values.into_iter().map(cell).collect() }
            })
            .collect();
        let counted = from_wire(report.counted_from.as_ref()).filter(|_| kind.is_over_time());
        Self {
            columns: report.columns.iter().map(|column| first_upper(column)).collect(),
            has_notes: rows.iter().any(|row| !row.note.is_empty()),
            in_words: match kind {
                Kind::Unmet => "Biggest blocker",
                Kind::Rules => "State",
                Kind::Theatres => "Session by session",
                Kind::Flow | Kind::Equity | Kind::Declines | Kind::Outcomes => "In words",
            },
            rows,
            notes: report.notes.iter().filter(|note| !note.starts_with(LEVERS)).cloned().collect(),
            levers: report
                .notes
                .iter()
                .filter_map(|note| note.strip_prefix(LEVERS))
                .flat_map(levers)
                .collect(),
            counted: counted.map(|from| format!("Counted from {}.", now.clock(from))),
        }
    }
}

impl View {
    /// Says whether there are so many columns that they must stand closer.
    pub(super) fn is_wide(&self) -> bool {
        self.columns.len() > COLUMNS_MAX
    }

    /// Leaves out rows in which nothing is counted, such as weeks without a session, and says how many.
    pub(super) fn without_empty_rows(mut self) -> Self {
        let all = self.rows.len();
        self.rows.retain(|row| {
            row.is_harm || row.cells.iter().any(|cell| !["0", NOTHING].contains(&cell.text.as_str()))
        });
        match all - self.rows.len() {
            0 => {}
            1 => self
                .notes
                .push("One row in which nothing is counted is left out; the file has it.".to_owned()),
            left => {
                self.notes.push(format!(
                    "{left} rows in which nothing is counted are left out; the file has them."
                ));
            }
        }
        self
    }

    /// Returns the head and the rows as a file has them, with every number as a number.
    pub(super) fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let mut head = self.columns.clone();
        if self.has_notes {
            head.push(self.in_words.to_owned());
        }
        let row = |row: &Row| {
            let numbers = row
                .cells
                .iter()
                .map(|cell| if cell.text == NOTHING { "0".to_owned() } else { cell.text.clone() });
            let note = self.has_notes.then(|| row.note.clone());
            let name = if row.is_harm { format!("Harm: {}", row.name) } else { row.name.clone() };
            std::iter::once(name).chain(numbers).chain(note).collect()
        };
        (head, self.rows.iter().map(row).collect())
    }
}

/// Takes the levers of a note apart, each as a sentence.
fn levers(note: &str) -> impl Iterator<Item = String> {
    note.trim_end_matches('.').split(" | ").map(|lever| format!("{}.", first_upper(lever)))
}

/// Names a row as people do, and leaves out words that would only say the name again.
fn named(kind: Kind, name: String, note: String, directory: &Directory) -> (String, String) {
    match kind {
        Kind::Unmet => {
            let known = resource::from_key(&name).map(|one| resource::short(&one));
            (known.unwrap_or(name), note)
        }
        Kind::Flow => match name.split_once(", ") {
            Some((code, what)) => (format!("{} {code}, {what}", directory.trust(code)), String::new()),
            None => (name, note),
        },
        Kind::Declines => {
            let known = DeclineReason::from_str_name(&format!("DECLINE_REASON_{name}")).map(codes::decline);
            (known.map_or(note, str::to_owned), String::new())
        }
        Kind::Rules => match note.rsplit_once(": ") {
            Some((words, state)) => (words.to_owned(), first_upper(state)),
            None => (name, note),
        },
        Kind::Theatres => match name.split_once(", ") {
            Some((code, when)) => (format!("{}, {when}", directory.trust(code)), note),
            None => (name, note),
        },
        Kind::Equity | Kind::Outcomes => (name, note),
    }
}

/// Writes a number without what it does not have.
fn number(value: f64) -> String {
    let text = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use fallow_api::v1::get_report_response;
    use jiff::tz::TimeZone;

    use super::*;

    fn view(kind: Kind, rows: &[(&str, &[f64], &str)]) -> View {
        let row = |(name, values, note): &(&str, &[f64], &str)| get_report_response::Row {
            name: (*name).to_owned(),
            values: values.to_vec(),
            note: (*note).to_owned(),
        };
        let rows = rows.iter().map(row).collect();
        let report =
            GetReportResponse { columns: vec!["resource".into()], rows, ..GetReportResponse::default() };
        let now = Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: TimeZone::UTC };
        View::new(kind, report, &Directory::default(), &now)
    }

    #[test]
    fn the_longest_bar_is_the_most_and_nothing_has_none() {
        let found = view(Kind::Unmet, &[("BED/CC_ADULT/2", &[12.0, 0.0, 3.0], "too far 44%")]);
        assert_eq!((found.rows[0].name.as_str(), found.columns[0].as_str()), ("Level 2", "Resource"));
        assert_eq!(found.rows[0].link.as_deref(), Some("/needs?of=all&resource=BED/CC_ADULT/2"));
        let cells: Vec<(&str, Option<&str>)> =
            found.rows[0].cells.iter().map(|cell| (cell.text.as_str(), cell.bar.as_deref())).collect();
        assert_eq!(cells, [("12", Some("60.0")), ("\u{b7}", None), ("3", Some("15.0"))]);
    }

    #[test]
    fn the_cheapest_levers_are_a_list() {
        let notes =
            ["7 needs are past their needed-by.", "Cheapest levers now: a: +3 placed | 1 b: +2 placed."];
        let report =
            GetReportResponse { notes: notes.map(str::to_owned).to_vec(), ..GetReportResponse::default() };
        let now = Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: TimeZone::UTC };
        let found = View::new(Kind::Unmet, report, &Directory::default(), &now);
        assert_eq!(found.notes, notes[..1]);
        assert_eq!(found.levers, ["A: +3 placed.", "1 b: +2 placed."]);
    }

    #[test]
    fn weeks_without_a_session_take_no_room_on_a_screen() {
        let weeks =
            [("ZA4, week of 23 Nov", &[5.0, 0.0][..], "..h=="), ("ZA4, week of 30 Nov", &[0.0, 0.0], "")];
        let found = view(Kind::Theatres, &weeks).without_empty_rows();
        assert_eq!(found.rows.len(), 1);
        assert_eq!(found.notes, ["One row in which nothing is counted is left out; the file has it."]);
        assert_eq!(view(Kind::Theatres, &weeks).table().1.len(), 2);
    }

    #[test]
    fn trusts_between_which_nothing_moved_take_no_room_and_no_flow_is_no_figure() {
        let rows = [("ZA1, beds", &[15.0, 0.0][..], ""), ("ZA4, beds", &[0.0, 0.0], "")];
        let found = view(Kind::Flow, &rows).without_empty_rows();
        let cells: Vec<&str> = found.rows[0].cells.iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!((found.rows.len(), cells), (1, vec!["15", NOTHING]));
        assert_eq!(view(Kind::Flow, &rows).table().1[0][2], "0", "a file has the number");
    }

    #[test]
    fn a_file_says_of_a_row_that_it_is_harm() {
        let (_, rows) =
            view(Kind::Outcomes, &[("Harm: fell", &[1.0], ""), ("Went home", &[2.0], "")]).table();
        assert_eq!(rows, [["Harm: Fell", "1"], ["Went home", "2"]]);
    }

    #[test]
    fn rows_have_names_that_people_use() {
        let one = |kind, name: &str, note: &str| {
            let found = view(kind, &[(name, &[1.5], note)]);
            let row = &found.rows[0];
            (row.name.clone(), row.note.clone(), row.is_harm, row.cells[0].text.clone())
        };
        let told =
            |name: &str, note: &str, is_harm| (name.to_owned(), note.to_owned(), is_harm, "1.5".to_owned());
        assert_eq!(one(Kind::Declines, "STAFFING", "staffing"), told("Staffing", "", false));
        assert_eq!(one(Kind::Declines, "REFUSED", "refused"), told("refused", "", false));
        assert_eq!(one(Kind::Outcomes, "Harm: declined late", "x"), told("Declined late", "x", true));
        let rule = "Pressure 4 or more at a trust for 15 min: digest only";
        assert_eq!(
            one(Kind::Rules, "trust_pressure", rule),
            told("Pressure 4 or more at a trust for 15 min", "Digest only", false)
        );
    }
}
