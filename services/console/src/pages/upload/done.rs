//! What is known to be done of a sheet, also by earlier tries of the same confirmation.

use std::collections::BTreeSet;

use super::pace::rows_in_words;

/// Marks a site in a form; everything else is the number of a row.
const SITE: char = '@';

/// Rows that are done; or sites, where each is replaced as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Done {
    rows: BTreeSet<usize>,
    sites: BTreeSet<String>,
}

impl Done {
    /// Reads what a form carries; what cannot be read says nothing.
    pub(super) fn read(field: &str) -> Self {
        let mut done = Self::default();
        for part in field.split(',') {
            match (part.strip_prefix(SITE), part.parse()) {
                (Some(site), _) => done.add_site(site),
                (None, Ok(row)) => done.add_row(row),
                (None, Err(_)) => {}
            }
        }
        done
    }

    /// Returns it as a form carries it.
    pub(super) fn field(&self) -> String {
        let rows = self.rows.iter().map(ToString::to_string);
        rows.chain(self.sites.iter().map(|site| format!("{SITE}{site}"))).collect::<Vec<_>>().join(",")
    }

    pub(super) fn add_row(&mut self, row: usize) {
        self.rows.insert(row);
    }

    pub(super) fn add_site(&mut self, site: &str) {
        self.sites.insert(site.to_owned());
    }

    /// Adds what an earlier try did.
    pub(super) fn add(&mut self, earlier: &Self) {
        self.rows.extend(&earlier.rows);
        self.sites.extend(earlier.sites.iter().cloned());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.sites.is_empty()
    }

    /// Says it as people read it, such as `rows 2 to 21`; empty when nothing is done.
    pub(super) fn in_words(&self) -> String {
        let rows: Vec<usize> = self.rows.iter().copied().collect();
        let sites: Vec<&str> = self.sites.iter().map(String::as_str).collect();
        match (rows.is_empty(), sites.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("sites {}", sites.join(", ")),
            (false, true) => format!("rows {}", rows_in_words(&rows)),
            (false, false) => format!("rows {}, sites {}", rows_in_words(&rows), sites.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_comes_back_from_a_form_and_grows() {
        let mut done = Done::default();
        assert!(done.is_empty() && done.in_words().is_empty() && done.field().is_empty());
        [10, 2, 3].into_iter().for_each(|row| done.add_row(row));
        assert_eq!((done.field().as_str(), done.in_words().as_str()), ("2,3,10", "rows 2 to 3, 10"));
        assert_eq!(Done::read(&done.field()), done);
        let mut later = Done::read("4");
        later.add(&done);
        assert_eq!(later.in_words(), "rows 2 to 4, 10");
        let sites = Done::read("@ZA402,@ZA401");
        assert_eq!(Done::read(&sites.field()).in_words(), "sites ZA401, ZA402");
        assert!(Done::read("").is_empty() && Done::read("x,-1,").is_empty());
    }
}
