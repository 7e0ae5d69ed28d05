//! Laws on what a source file may say.

use super::lexer;
use super::tree::{Breach, File, Tree};

/// The most lines that a file of hand-written code may have. 400 is already a reason to look for a seam.
const MOST_LINES: usize = 600;

/// Endings of files that are code and so must stay small.
const CODE_ENDINGS: [&str; 6] = ["rs", "js", "mjs", "css", "html", "py"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["common", "util", "utils", "helper", "helpers", "types", "misc", "shared"];

/// Words of work that was left for later.
const UNFINISHED_WORDS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Code of work that was left for later.
const UNFINISHED_CODE: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// What marks a test as skipped, by the ending of its file.
const SKIPS: [(&str, &[&str]); 4] = [
    ("rs", &["#[ignore"]),
    ("js", &[".skip(", ".todo(", "skip: true"]),
    ("mjs", &[".skip(", ".todo(", "skip: true"]),
    ("py", &["mark.skip", "pytest.skip(", "unittest.skip", "skipTest(", "importorskip("]),
];

/// What the domain may not touch: devices, the clock, chance, threads of its own.
const IMPURE: [&str; 10] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "rand::",
];

/// Finds code of the domain that does IO, asks the time or rolls dice.
pub(crate) fn pure_domain(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in rust(tree).filter(|file| file.path.starts_with("crates/domain/src/") && !file.is_test()) {
        let tests = first_line_of_tests(file).unwrap_or(usize::MAX);
        for (line, code) in numbered(&lexer::parts(&file.text).code).filter(|(line, _)| *line < tests) {
            for word in IMPURE.iter().filter(|word| has_word(code, word)) {
                breaches.push(Breach::at(file, line, format!("`{word}`: the domain gets it as an argument")));
            }
        }
    }
    breaches
}

/// Finds names of Redis keys outside the one page that lists them all.
pub(crate) fn keys_in_one_place(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let ours = tree.files.iter().filter(|file| file.path.starts_with("crates/ledger-redis/src/"));
    for file in ours.filter(|file| !file.path.ends_with("/keys.rs")) {
        if file.ending() == "rs" {
            let strings = lexer::parts(&file.text).strings;
            for (line, text) in strings.into_iter().filter(|(_, text)| is_key_name(text)) {
                breaches.push(Breach::at(file, line, format!("\"{text}\" is a key name")));
            }
        } else if file.ending() == "lua" {
            let lines = file.text.lines().enumerate().filter(|(_, line)| calls_with_literal_key(line));
            breaches
                .extend(lines.map(|(index, _)| Breach::at(file, index + 1, "a key must come through KEYS")));
        }
    }
    breaches
}

/// Finds hand-written files that are too long. Generated code, test files and a closing test module do not count.
pub(crate) fn small_files(tree: &Tree) -> Vec<Breach> {
    let code = tree.files.iter().filter(|file| CODE_ENDINGS.contains(&file.ending()));
    let long = code.filter(|file| !file.is_generated() && !file.is_test()).filter_map(|file| {
        let lines = first_line_of_tests(file).map_or_else(|| file.text.lines().count(), |line| line - 1);
        (lines > MOST_LINES)
            .then(|| Breach::of(&file.path, format!("{lines} lines, {MOST_LINES} are the most")))
    });
    long.collect()
}

/// Finds modules and packages whose name could hold anything.
pub(crate) fn subject_names(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in &tree.packages {
        let mut parts = package.name.split('-');
        if let Some(name) = parts.find(|part| EMPTY_NAMES.contains(part)) {
            breaches.push(Breach::of(&package.name, format!("`{name}` names no subject")));
        }
    }
    for file in rust(tree).filter(|file| !file.is_generated()) {
        for (line, code) in numbered(&lexer::parts(&file.text).code) {
            let declared = words(code).skip_while(|word| *word != "mod").nth(1);
            if let Some(name) = declared.filter(|name| EMPTY_NAMES.contains(name)) {
                breaches.push(Breach::at(file, line, format!("`mod {name}` names no subject")));
            }
        }
    }
    breaches
}

/// Finds marks of work that was left for later.
pub(crate) fn nothing_unfinished(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in tree.files.iter().filter(|file| file.ending() != "md" && !file.is_generated()) {
        if file.ending() != "rs" {
            for (index, line) in file.text.lines().enumerate() {
                let found = UNFINISHED_WORDS.iter().filter(|word| has_word(line, word));
                breaches.extend(found.map(|word| Breach::at(file, index + 1, format!("`{word}`"))));
            }
            continue;
        }
        let parts = lexer::parts(&file.text);
        for (line, text) in &parts.comments {
            let found = UNFINISHED_WORDS.iter().filter(|word| has_word(text, word));
            breaches.extend(found.map(|word| Breach::at(file, *line, format!("`{word}`"))));
        }
        for (line, code) in numbered(&parts.code) {
            let found = UNFINISHED_CODE.iter().filter(|word| has_word(code, word));
            breaches.extend(found.map(|word| Breach::at(file, line, format!("`{word}`"))));
        }
    }
    breaches
}

/// Finds tests that are kept from running.
pub(crate) fn nothing_skipped(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in &tree.files {
        let marks =
            SKIPS.iter().find(|(ending, _)| *ending == file.ending()).map_or(&[][..], |(_, marks)| marks);
        let lines = match file.ending() {
            "rs" => lexer::parts(&file.text).code,
            _ => file.text.lines().map(str::to_owned).collect(),
        };
        for (line, text) in numbered(&lines) {
            let found = marks.iter().filter(|mark| text.contains(**mark));
            breaches.extend(found.map(|mark| Breach::at(file, line, format!("`{mark}` skips a test"))));
        }
    }
    breaches
}

/// Returns the Rust sources.
fn rust(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.ending() == "rs")
}

/// Returns lines with their numbers, from 1.
fn numbered(lines: &[String]) -> impl Iterator<Item = (usize, &str)> {
    lines.iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
}

/// Returns the line at which the closing test module of a Rust source begins, from 1.
fn first_line_of_tests(file: &File) -> Option<usize> {
    let lines: Vec<&str> = file.text.lines().collect();
    let opens =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{');
    lines.windows(2).position(opens).map(|index| index + 1)
}

/// Returns the words of a line of code.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}

/// Says whether `text` has `word` with no letter, digit or underscore on either side.
fn has_word(text: &str, word: &str) -> bool {
    let part_of_name = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(part_of_name);
        let after = text[at + word.len()..].chars().next().is_some_and(part_of_name);
        !before && (!after || word.ends_with(':'))
    })
}

/// Says whether a literal is the name of a key, or the beginning of one: a hash tag in braces, then a colon,
/// or our own prefix.
fn is_key_name(text: &str) -> bool {
    let tag_then_name = text.match_indices("}:").any(|(at, _)| {
        text[at + 2..].chars().next().is_none_or(|next| next.is_ascii_alphabetic() || next == '{')
    });
    text.starts_with("fallow:") || text.contains("{{{") || tag_then_name
}

/// Says whether a line of Lua calls the server with a key written out, not taken from its arguments. What is asked of the
/// server itself has no key.
fn calls_with_literal_key(line: &str) -> bool {
    ["redis.call(", "redis.pcall("].iter().any(|call| {
        let mut arguments = line.split(call).nth(1).unwrap_or_default().split(',').map(str::trim);
        let command = arguments.next().unwrap_or_default().trim_matches(['\'', '"']);
        let is_literal = arguments.next().is_some_and(|second| second.starts_with(['\'', '"']));
        is_literal && !command.eq_ignore_ascii_case("INFO")
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted::{files, packages};
    use super::*;

    fn check(law: fn(&Tree) -> Vec<Breach>, path: &str, text: &str, breaches: &[&str]) {
        let found = law(&files(&[(path, text)]));
        let places: Vec<_> = found.iter().map(|breach| format!("{} {}", breach.place, breach.what)).collect();
        assert_eq!(places, breaches);
    }

    #[test]
    fn a_domain_that_asks_the_time_is_found() {
        check(
            pure_domain,
            "crates/domain/src/offer.rs",
            "// Instant\nlet now = Timestamp::now();\nlet s = \"std::fs\";\n#[cfg(test)]\nmod tests {\nuse std::fs;\n}",
            &["crates/domain/src/offer.rs:2 `Timestamp::now`: the domain gets it as an argument"],
        );
        check(pure_domain, "crates/host/src/clock.rs", "Timestamp::now()", &[]);
        check(pure_domain, "crates/domain/src/time.rs", "fn at(instant: Instants, operand::new())", &[]);
    }

    #[test]
    fn a_domain_that_rolls_dice_is_found() {
        check(
            pure_domain,
            "crates/domain/src/solve.rs",
            "let die = rand::random();",
            &["crates/domain/src/solve.rs:1 `rand::`: the domain gets it as an argument"],
        );
    }

    #[test]
    fn key_names_outside_their_page_are_found() {
        let text = r#"
            let one = format!("{{{region}}}:log");
            let two = format!("fallow:{region}");
            let three = format!("{region}:{kind}");
            let fine = format!("could not read {key}: {source}");
        "#;
        let path = "crates/ledger-redis/src/lib.rs";
        let found = keys_in_one_place(&files(&[(path, text)]));
        let places: Vec<_> = found.iter().map(|breach| breach.place.as_str()).collect();
        assert_eq!(places, [format!("{path}:2"), format!("{path}:3"), format!("{path}:4")]);
        check(keys_in_one_place, "crates/ledger-redis/src/keys.rs", text, &[]);
        check(keys_in_one_place, "services/monitor/src/lib.rs", text, &[]);
    }

    #[test]
    fn a_literal_key_in_the_script_is_found() {
        check(
            keys_in_one_place,
            "crates/ledger-redis/src/commit.lua",
            "redis.call('INCR', KEYS[1])\nredis.call('INCR', 'revision')\nredis.call('TIME')\n\
             redis.call('INFO', 'replication')",
            &["crates/ledger-redis/src/commit.lua:2 a key must come through KEYS"],
        );
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let long = "line\n".repeat(MOST_LINES + 1);
        check(
            small_files,
            "services/console/app.js",
            &long,
            &["services/console/app.js 601 lines, 600 are the most"],
        );
        check(small_files, "crates/api/src/wire.rs", &format!("// @generated\n{long}"), &[]);
        check(small_files, "tests/stories/day.rs", &long, &[]);
        check(
            small_files,
            "crates/api/src/a.rs",
            &format!("code\n#[cfg(test)]\nmod tests {{\n{long}}}"),
            &[],
        );
        check(small_files, "crates/api/src/a.rs", &"line\n".repeat(MOST_LINES), &[]);
    }

    #[test]
    fn names_without_a_subject_are_found() {
        let path = "crates/host/src/lib.rs";
        check(
            subject_names,
            path,
            "pub(crate) mod utils;\nmod typesetting;\n// mod common\nlet types = 1;",
            &["crates/host/src/lib.rs:1 `mod utils` names no subject"],
        );
        let found = subject_names(&packages(&[("fallow-common", "crates/common", &[])]));
        assert_eq!(found, [Breach::of("fallow-common", "`common` names no subject")]);
    }

    #[test]
    fn unfinished_work_is_found() {
        check(
            nothing_unfinished,
            "crates/host/src/lib.rs",
            "// TODO: more\nlet s = \"TODO\";\ntodo!()\nlet todos = 1;",
            &["crates/host/src/lib.rs:1 `TODO`", "crates/host/src/lib.rs:3 `todo!`"],
        );
        check(nothing_unfinished, "deploy/a.yml", "a: 1 # FIXME", &["deploy/a.yml:1 `FIXME`"]);
    }

    #[test]
    fn skipped_tests_are_found() {
        check(
            nothing_skipped,
            "crates/host/src/lib.rs",
            "// #[ignore]\n#[ignore = \"slow\"]",
            &["crates/host/src/lib.rs:2 `#[ignore` skips a test"],
        );
        check(
            nothing_skipped,
            "tests/browser/a.mjs",
            "test.skip('x')",
            &["tests/browser/a.mjs:1 `.skip(` skips a test"],
        );
        check(
            nothing_skipped,
            "tests/python/test_a.py",
            "@pytest.mark.skip",
            &["tests/python/test_a.py:1 `mark.skip` skips a test"],
        );
    }
}
