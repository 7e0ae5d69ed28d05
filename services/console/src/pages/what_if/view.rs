//! What a what-if shows: the forms' choices, and what the engine answered.

use fallow_api::render::what_if::{Compared, compared, placement};
use fallow_api::v1::SimulateResponse;
use jiff::SignedDuration;

use crate::directory::Directory;
use crate::words::resource::{Choice, ChoiceGroup};
use crate::words::time::{Now, from_wire};

/// Placements and trusts shown at most; how many there are is said.
const LINES_MAX: usize = 40;

/// What the forms offer.
pub(super) struct Choices {
    pub(super) trusts: Vec<Choice>,
    pub(super) sites: Vec<Choice>,
    pub(super) resources: Vec<ChoiceGroup>,
    pub(super) collaboratives: Vec<Choice>,
    /// This evening.
    pub(super) until: String,
}

impl Choices {
    pub(super) fn new(directory: &Directory, now: &Now) -> Self {
        Self {
            trusts: directory.trust_choices(),
            sites: directory.site_choices(),
            resources: directory.choices(),
            collaboratives: directory.collaborative_choices(),
            until: now.control(now.next_hour_of_day(20, SignedDuration::from_hours(1))),
        }
    }
}

/// What would differ.
pub(super) struct Result {
    pub(super) revision: i64,
    /// `now 14:32:08, revision 88213`.
    pub(super) base: String,
    pub(super) rows: Vec<Row>,
    /// `Changed placements (11)`.
    pub(super) changed_title: String,
    pub(super) changed: Vec<String>,
    pub(super) worse_title: String,
    pub(super) worse: Vec<String>,
    pub(super) remarks: Vec<String>,
}

/// One measure.
pub(super) struct Row {
    pub(super) compared: Compared,
    /// `better` or `worse`, in words, for colour says nothing alone.
    pub(super) verdict: &'static str,
    /// Whether it is a part of the line above.
    pub(super) is_part: bool,
}

impl Result {
    pub(super) fn new(answer: &SimulateResponse, directory: &Directory, now: &Now) -> Self {
        let names = directory.names();
        let at = from_wire(answer.at.as_ref()).unwrap_or(now.at);
        let changed = answer.changed.iter().take(LINES_MAX).map(|one| placement(one, names));
        let (changed, worse): (Vec<String>, Vec<String>) =
            (changed.collect(), answer.worse_off.iter().take(LINES_MAX).cloned().collect());
        let title = |what: &str, all: i64, shown: usize| match usize::try_from(all) {
            Ok(all) if all > shown => format!("{what} ({all}, the first {shown})"),
            Ok(_) | Err(_) => format!("{what} ({shown})"),
        };
        Self {
            revision: answer.revision,
            base: format!("{}, revision {}", now.clock(at), answer.revision),
            rows: compared(answer, names).into_iter().map(Row::new).collect(),
            changed_title: title("Changed placements", answer.changed_total, changed.len()),
            changed,
            worse_title: title("Who is worse off", answer.worse_off_total, worse.len()),
            worse,
            remarks: answer.remarks.clone(),
        }
    }
}

impl Row {
    fn new(compared: Compared) -> Self {
        let verdict = match compared.is_better {
            Some(true) => "better",
            Some(false) => "worse",
            None => "",
        };
        let is_part = compared.measure.starts_with(' ');
        let change = compared.change.replace('-', "\u{2212}");
        Self { verdict, is_part, compared: Compared { change, ..compared } }
    }
}

impl Directory {
    /// Returns every trust as a choice, by code.
    pub(super) fn trust_choices(&self) -> Vec<Choice> {
        self.trusts().map(|(ods, name)| Choice { key: ods.to_owned(), name: name.to_owned() }).collect()
    }

    /// Returns every site as a choice, with its trust.
    pub(super) fn site_choices(&self) -> Vec<Choice> {
        let sites = self.trusts().flat_map(|(ods, _)| self.sites_of(ods));
        sites.map(|site| Choice { key: site.code.clone(), name: site.name.clone() }).collect()
    }

    /// Returns every collaborative as a choice.
    pub(super) fn collaborative_choices(&self) -> Vec<Choice> {
        self.collaboratives().map(|(id, name)| Choice { key: id.to_owned(), name: name.to_owned() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_and_worse_are_said_and_signs_are_real() {
        let compared = |change: &str, is_better| Compared {
            measure: "Placed".to_owned(),
            now: "9".to_owned(),
            what_if: "5".to_owned(),
            change: change.to_owned(),
            is_better,
        };
        let row = Row::new(compared("-4", Some(false)));
        assert_eq!((row.compared.change.as_str(), row.verdict), ("\u{2212}4", "worse"));
        assert_eq!(Row::new(compared("", None)).verdict, "");
    }
}
