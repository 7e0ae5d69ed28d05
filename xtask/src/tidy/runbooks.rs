//! A law that keeps the runbooks true: each is found from the page of operations, and names tests that exist.

use super::tree::{Breach, File, Tree};

/// The folder of the runbooks, and the page that leads to all of them.
const FOLDER: &str = "docs/operations/";
const PAGE: &str = "docs/operations/README.md";

/// What a runbook consists of, in this order.
const PARTS: [&str; 5] =
    ["## What you see", "## What it means", "## What to do", "## It is over when", "## Exercised by"];

/// Finds runbooks without one of their parts, that the page of operations leaves out, or that name no test or one that does
/// not exist.
pub(crate) fn exercised(tree: &Tree) -> Vec<Breach> {
    let page = tree.file(PAGE).map_or("", |page| page.text.as_str());
    let runbooks = tree.files.iter().filter(|file| file.path.starts_with(FOLDER) && file.path != PAGE);
    runbooks.flat_map(|runbook| breaches(tree, page, runbook)).collect()
}

fn breaches(tree: &Tree, page: &str, runbook: &File) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let name = runbook.path.trim_start_matches(FOLDER);
    if !page.contains(&format!("]({name})")) {
        breaches.push(Breach::of(&runbook.path, format!("{PAGE} does not lead here")));
    }
    let headings: Vec<&str> = runbook.text.lines().filter(|line| line.starts_with("## ")).collect();
    if headings != PARTS {
        breaches.push(Breach::of(&runbook.path, format!("its parts are not {}", PARTS.join(", "))));
    }
    let tests = runbook.text.lines().skip_while(|line| *line != PARTS[4]);
    let (mut named, mut lines) = (0, runbook.text.lines().count() - tests.clone().count());
    for line in tests {
        lines += 1;
        let mut spans = line.split('`').skip(1).step_by(2);
        let Some(path) = spans.next() else { continue };
        let source = tree.file(path);
        for test in spans {
            named += 1;
            if !source.is_some_and(|source| has_test(&source.text, test)) {
                breaches.push(Breach::at(runbook, lines, format!("`{path}` has no test `{test}`")));
            }
        }
    }
    if named == 0 {
        breaches.push(Breach::of(&runbook.path, "names no test"));
    }
    breaches
}

/// Says whether a source has a function of this name that a runner runs: marked as a test, or made one by a macro that
/// lists it.
fn has_test(source: &str, name: &str) -> bool {
    let defined = source.find(&format!("fn {name}("));
    let is_marked = |at: usize| {
        let before = source[..at].lines().rev().take(3);
        before.into_iter().any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
    };
    let is_listed = || source.lines().any(|line| line.trim().trim_end_matches(',') == name);
    defined.is_some_and(|at| is_marked(at) || is_listed())
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted::files;
    use super::*;

    const TEST: &str = "#[tokio::test]\nasync fn it_is_found() {}\n\nasync fn no_test() {}\n";

    fn check(page: &str, runbook: &str, breaches: &[&str]) {
        let tree = files(&[(PAGE, page), ("docs/operations/red.md", runbook), ("a/tests/b.rs", TEST)]);
        let found = exercised(&tree);
        let shown: Vec<_> = found.iter().map(|breach| format!("{} {}", breach.place, breach.what)).collect();
        assert_eq!(shown, breaches);
    }

    fn runbook(tests: &str) -> String {
        format!("# Red\n{}\n{tests}\n", PARTS.join("\n"))
    }

    #[test]
    fn a_runbook_that_names_its_tests_is_kept() {
        check("[red](red.md)", &runbook("- `a/tests/b.rs`: `it_is_found`"), &[]);
    }

    #[test]
    fn what_is_left_out_or_does_not_exist_is_found() {
        let red = "docs/operations/red.md";
        let good = runbook("- `a/tests/b.rs`: `it_is_found`");
        check("", &good, &[&format!("{red} {PAGE} does not lead here")]);
        let parts = PARTS.join(", ");
        check(
            "(red) [r](red.md)",
            &good.replace("## What to do\n", ""),
            &[&format!("{red} its parts are not {parts}")],
        );
        check("[r](red.md)", &runbook(""), &[&format!("{red} names no test")]);
        for gone in ["it_is_gone", "no_test"] {
            let named = runbook(&format!("- `a/tests/b.rs`: `{gone}`"));
            check("[r](red.md)", &named, &[&format!("{red}:7 `a/tests/b.rs` has no test `{gone}`")]);
        }
    }
}
