//! Tables as documents keep them, and the figures in them.

/// A table in Markdown.
pub(crate) struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table without rows.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells stay empty.
    pub(crate) fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.heads.len(), String::new());
        self.rows.push(cells);
    }

    /// Returns the table as text, one line a row.
    pub(crate) fn text(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&self.heads);
        text += &format!("|{}\n", "---|".repeat(self.heads.len()));
        text.extend(self.rows.iter().map(|row| line(row)));
        text
    }
}

/// Returns the middle one of some values; of an even number the lower middle one, 0 of none.
pub(crate) fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// Returns the least value that at least `percent` of the values do not exceed, and their mean; zeros of none.
pub(crate) fn percentile_and_mean(values: &[u64], percent: usize) -> (u64, u64) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    let count = u64::try_from(sorted.len().max(1)).unwrap_or(1);
    (sorted.get(at).copied().unwrap_or(0), sorted.iter().sum::<u64>() / count)
}

/// Returns how many times `peer` ours is, with the goal it must not exceed and whether it does not.
pub(crate) fn ratio(ours: f64, peer: f64, goal: f64) -> String {
    if peer <= 0.0 {
        return "unknown".to_owned();
    }
    let ratio = ours / peer;
    format!("{ratio:.3} {}", verdict(ratio, goal))
}

/// Says whether a value is within its goal.
pub(crate) fn verdict(value: f64, goal: f64) -> String {
    if value <= goal { format!("(met, ≤ {goal})") } else { format!("**(not met, ≤ {goal})**") }
}

/// Returns how far `reached` lies above a bound, in percent of the bound.
pub(crate) fn gap_percent(reached: i64, bound: i64) -> f64 {
    100.0 * (reached - bound) as f64 / bound.max(1) as f64
}

/// Returns nanoseconds as milliseconds, with three digits that tell something.
pub(crate) fn ms(ns: u64) -> String {
    digits(ns as f64 / 1e6)
}

/// Returns a number with three digits that tell something, as far as it is not whole.
pub(crate) fn digits(value: f64) -> String {
    let whole = value.abs();
    let places = match whole {
        _ if whole >= 100.0 => 0,
        _ if whole >= 10.0 => 1,
        _ if whole >= 1.0 => 2,
        _ => 3,
    };
    thousands(&format!("{value:.places$}"))
}

/// Puts a comma before each three digits of a whole number.
fn thousands(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

/// Returns a whole number as people read it.
pub(crate) fn count(number: i64) -> String {
    thousands(&number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_cell_for_each_head() {
        let mut table = Table::new(&["a", "b"]);
        table.row(vec!["1".to_owned()]);
        assert_eq!(table.text(), "| a | b |\n|---|---|\n| 1 |  |\n");
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!((median(&[5, 1, 9]), median(&[4, 1, 3, 2]), median(&[])), (5, 2, 0));
    }

    #[test]
    fn a_percentile_covers_its_share() {
        let values: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(percentile_and_mean(&values, 99), (198, 100));
        assert_eq!(percentile_and_mean(&[], 99), (0, 0));
    }

    #[test]
    fn a_ratio_says_whether_its_goal_is_met() {
        assert_eq!(ratio(6.0, 10.0, 0.6), "0.600 (met, ≤ 0.6)");
        assert_eq!(ratio(7.0, 10.0, 0.6), "0.700 **(not met, ≤ 0.6)**");
        assert_eq!(ratio(7.0, 0.0, 0.6), "unknown");
    }

    #[test]
    fn figures_have_three_digits_that_tell_something() {
        let shown = [1_234, 12_345_678, 123_456_789, 1_234_567_890_123].map(ms);
        assert_eq!(shown, ["0.001", "12.3", "123", "1,234,568"]);
        assert_eq!((digits(1.234), count(999), count(1_000)), ("1.23".into(), "999".into(), "1,000".into()));
    }

    #[test]
    fn a_gap_is_percent_of_the_bound() {
        assert!((gap_percent(103, 100) - 3.0).abs() < 1e-9);
    }
}
