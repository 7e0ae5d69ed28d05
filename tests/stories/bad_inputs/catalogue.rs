//! docs/bad-inputs.md: every row of the catalogue stands there once, and every test that it names is there.

use std::path::Path;

/// Numbers that were never given to a row.
const NEVER_GIVEN: [u32; 2] = [92, 93];

#[test]
fn every_row_is_held_by_a_test_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(root.join("docs/bad-inputs.md")).unwrap();
    let (mut numbers, mut wrong, mut explained) = (Vec::new(), Vec::new(), 0);
    for line in document.lines().filter(|line| line.starts_with("| B")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [row, _, _, held] = cells[..] else { panic!("{line}") };
        numbers.push(row[1..].parse::<u32>().unwrap());
        if let Some(why) = held.strip_prefix("not tested: ") {
            explained += 1;
            if why.split(' ').count() < 8 {
                wrong.push(format!("{row} says too little"));
            }
            continue;
        }
        let parts: Vec<&str> = held.split('`').collect();
        let ["", file, ": ", test, ""] = parts[..] else { panic!("{line}") };
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        if !source.contains(&format!("fn {test}(")) {
            wrong.push(format!("{row}: {file} has no test {test}"));
        }
    }
    let expected: Vec<u32> = (1..=115).filter(|number| !NEVER_GIVEN.contains(number)).collect();
    assert_eq!(numbers, expected, "every row once, in order");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(explained < 10, "{explained} rows without a test");
}
