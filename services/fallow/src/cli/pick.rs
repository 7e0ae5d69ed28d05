//! Finds the one record that a person means: a whole id, the beginning of one, or a need's case reference.

use super::failure::{Exit, Failure};

/// Most candidates that an ambiguous beginning shows.
const CANDIDATES_SHOWN: usize = 8;

/// Returns the record that `typed` names. `names` gives each record's id first, then what else it goes by.
///
/// # Errors
/// NOT_FOUND when nothing begins so, USAGE with the candidates when several do.
pub(crate) fn pick<'a, R>(
    typed: &str,
    noun: &str,
    list: &str,
    records: &'a [R],
    names: impl Fn(&R) -> Vec<String>,
) -> Result<&'a R, Failure> {
    if typed.is_empty() {
        return Err(Failure::usage(format!("which {noun}? The id is empty")).next(list));
    }
    let exact = |name: &String| name.eq_ignore_ascii_case(typed);
    let begins =
        |name: &String| name.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed));
    let mut found: Vec<&R> = records.iter().filter(|record| names(record).iter().any(exact)).collect();
    if found.is_empty() {
        found = records.iter().filter(|record| names(record).iter().any(begins)).collect();
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Failure::new(Exit::NotFound, "NOT_FOUND", format!("no {noun} begins with \"{typed}\""))
            .next(list)),
        many => {
            let mut failure = Failure::usage(format!("\"{typed}\" could be any of {} {noun}s", many.len()));
            for record in many.iter().take(CANDIDATES_SHOWN) {
                failure = failure.because(names(record).join("  "));
            }
            if many.len() > CANDIDATES_SHOWN {
                failure = failure.because(format!("and {} more", many.len() - CANDIDATES_SHOWN));
            }
            Err(failure.next("give more of the id"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: [(&str, &str); 4] =
        [("0198a-1", "LC-118"), ("0198a-2", "LC-120"), ("0198b-1", "LC-120"), ("0198", "X")];

    fn find(typed: &str) -> Result<&'static str, Failure> {
        pick(typed, "need", "fallow demand list", &RECORDS, |record| vec![record.0.into(), record.1.into()])
            .map(|record| record.0)
    }

    #[test]
    fn a_whole_id_or_a_unique_beginning_will_do() {
        for (typed, id) in [
            ("0198a-1", "0198a-1"),
            ("0198b", "0198b-1"),
            ("0198", "0198"),
            ("lc-118", "0198a-1"),
            ("LC-11", "0198a-1"),
        ] {
            assert_eq!(find(typed), Ok(id), "{typed}");
        }
    }

    #[test]
    fn an_ambiguous_or_unknown_one_says_what_there_is() {
        let several = find("lc-120").unwrap_err();
        assert_eq!(
            several.text(),
            "error: USAGE: \"lc-120\" could be any of 2 needs\n  why:  0198a-2  LC-120\n  why:  0198b-1  LC-120\n  next: \
             give more of the id\n"
        );
        assert_eq!(find("0198a").unwrap_err().exit, Exit::Usage);
        let none = find("zz").unwrap_err();
        assert_eq!((none.exit, none.what.as_str()), (Exit::NotFound, "no need begins with \"zz\""));
        assert_eq!(find("").unwrap_err().what, "which need? The id is empty");
        assert_eq!(find("é").unwrap_err().exit, Exit::NotFound);
    }
}
