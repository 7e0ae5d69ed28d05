//! Laws that keep the documents true to the tree.

use super::tree::{Breach, File, Tree};

/// The map of the code.
const MAP: &str = "ARCHITECTURE.md";

/// Every setting, with its default.
const SETTINGS: &str = "config/fallow.toml";

/// Endings that make a name without a slash the name of a file.
const FILE_ENDINGS: [&str; 11] =
    [".rs", ".lua", ".proto", ".toml", ".md", ".yml", ".yaml", ".binpb", ".json", ".css", ".js"];

/// Finds files, folders and crates that the map names and the tree does not have.
pub(crate) fn named_things_exist(tree: &Tree) -> Vec<Breach> {
    let Some(map) = tree.file(MAP) else {
        return vec![Breach::of(MAP, "is missing")];
    };
    let mut breaches = Vec::new();
    for (line, span) in code_spans(map) {
        let crate_name =
            span.starts_with("fallow-") && span.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        if crate_name && tree.package(span).is_none() {
            breaches.push(Breach::at(map, line, format!("there is no crate `{span}`")));
        } else if is_path(span) && !exists(tree, span) {
            breaches.push(Breach::at(map, line, format!("there is no `{span}`")));
        }
    }
    breaches
}

/// Finds packages that the map leaves out.
pub(crate) fn every_crate_is_named(tree: &Tree) -> Vec<Breach> {
    let spans: Vec<&str> =
        tree.file(MAP).map(|map| code_spans(map).map(|(_, span)| span).collect()).unwrap_or_default();
    let named = |folder: &str| spans.iter().any(|span| span.trim_end_matches('/') == folder);
    let left_out = tree.packages.iter().filter(|package| !named(&package.folder));
    left_out.map(|package| Breach::of(MAP, format!("does not name `{}`", package.folder))).collect()
}

/// Finds links of one document to another, or to a file, that lead nowhere.
pub(crate) fn links_lead_somewhere(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in tree.files.iter().filter(|file| file.ending() == "md") {
        for (index, line) in file.text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let path = target.split('#').next().unwrap_or_default();
                let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
                if !elsewhere && !beside(&file.path, path).is_some_and(|to| exists(tree, &to)) {
                    breaches.push(Breach::at(file, index + 1, format!("`{path}` leads nowhere")));
                }
            }
        }
    }
    breaches
}

/// Finds settings that a document or a deployment names as `FALLOW__SECTION__KEY` and that the program does not have.
pub(crate) fn settings_exist(tree: &Tree) -> Vec<Breach> {
    let settings = tree.file(SETTINGS).and_then(|file| file.text.parse::<toml::Table>().ok());
    let has = |section: &str, key: &str| {
        let section = settings.as_ref().and_then(|settings| settings.get(&section.to_lowercase()));
        section.and_then(|section| section.get(key.to_lowercase())).is_some()
    };
    let mut breaches = Vec::new();
    for file in tree.files.iter().filter(|file| matches!(file.ending(), "md" | "yml" | "yaml")) {
        for (index, line) in file.text.lines().enumerate() {
            let names = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for name in names.filter(|name| *name != "FALLOW__SECTION__KEY") {
                let setting = name.strip_prefix("FALLOW__").and_then(|rest| rest.split_once("__"));
                if setting.is_some_and(|(section, key)| !has(section, key)) {
                    breaches.push(Breach::at(file, index + 1, format!("{SETTINGS} has no `{name}`")));
                }
            }
        }
    }
    breaches
}

/// Returns the code spans of a document with their lines, from 1; a line of a fenced block is one span each word.
fn code_spans(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    file.text.lines().enumerate().flat_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        let spans: Vec<&str> = match (fence, fenced) {
            (true, _) => Vec::new(),
            (false, true) => line.split_whitespace().take(1).collect(),
            (false, false) => line.split('`').skip(1).step_by(2).collect(),
        };
        spans.into_iter().map(move |span| (index + 1, span))
    })
}

/// Says whether a code span names a file or a folder of the repository.
fn is_path(span: &str) -> bool {
    let letters = span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./*".contains(c));
    let absolute = span.starts_with('/');
    letters && !absolute && (span.contains('/') || FILE_ENDINGS.iter().any(|ending| span.ends_with(ending)))
}

/// Says whether the tree has `path`; one star stands for any part of one name.
fn exists(tree: &Tree, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    match path.split_once('*') {
        None => tree.paths.contains(path),
        Some((before, after)) => tree.paths.iter().any(|known| {
            let middle = known.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            middle.is_some_and(|name| !name.contains('/'))
        }),
    }
}

/// Returns the path from the root of what a document calls `path`, or nothing when it leaves the repository.
fn beside(document: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted::{files, packages};
    use super::*;

    fn map(text: &str) -> Tree {
        let mut tree = packages(&[("fallow-domain", "crates/domain", &[])]);
        let texts = files(&[(MAP, text), ("crates/domain/src/lib.rs", ""), ("docs/a.md", "")]);
        tree.files = texts.files;
        tree.paths = texts.paths;
        tree.paths.extend(["crates", "crates/domain", "crates/domain/src", "docs"].map(str::to_owned));
        tree
    }

    fn check(text: &str, breaches: &[&str]) {
        let found = named_things_exist(&map(text));
        let shown: Vec<_> = found.iter().map(|breach| format!("{} {}", breach.place, breach.what)).collect();
        assert_eq!(shown, breaches);
    }

    #[test]
    fn a_missing_file_or_crate_is_found() {
        check(
            "`crates/domain/src/lib.rs` `crates/domain/`\n`crates/domain/src/gone.rs` and `fallow-gone`",
            &[
                "ARCHITECTURE.md:2 there is no `crates/domain/src/gone.rs`",
                "ARCHITECTURE.md:2 there is no crate `fallow-gone`",
            ],
        );
    }

    #[test]
    fn a_missing_file_in_a_drawn_tree_is_found() {
        check(
            "```\ncrates/domain/   pure\ncrates/gone/    crates/not-a-claim\n```",
            &["ARCHITECTURE.md:3 there is no `crates/gone/`"],
        );
    }

    #[test]
    fn stars_stand_for_part_of_a_name() {
        check("`crates/domain/src/*.rs` `docs/*.txt`", &["ARCHITECTURE.md:1 there is no `docs/*.txt`"]);
    }

    #[test]
    fn what_is_no_path_is_let_alone() {
        check("`fallow dev` `FALLOW__A__B` `fallow.v1` `Ledger` `/etc/hosts`", &[]);
    }

    #[test]
    fn a_missing_map_is_found() {
        assert_eq!(named_things_exist(&files(&[])), [Breach::of(MAP, "is missing")]);
    }

    #[test]
    fn a_crate_that_the_map_leaves_out_is_found() {
        assert_eq!(every_crate_is_named(&map("`crates/domain/`")), []);
        assert_eq!(every_crate_is_named(&map("domain")), [Breach::of(MAP, "does not name `crates/domain`")]);
    }

    #[test]
    fn a_dead_link_is_found() {
        let text = "[a](../ARCHITECTURE.md#x) [b](https://example.org) [c](gone.md) [d](../../out.md)";
        let mut tree = map("");
        tree.files.push(File { path: "docs/b.md".into(), text: text.into() });
        let found = links_lead_somewhere(&tree);
        let what: Vec<_> = found.iter().map(|breach| breach.what.as_str()).collect();
        assert_eq!(what, ["`gone.md` leads nowhere", "`../../out.md` leads nowhere"]);
    }

    #[test]
    fn an_unknown_setting_is_found() {
        let found = settings_exist(&files(&[
            (SETTINGS, "[store]\nurl = \"\"\n"),
            ("docker-compose.yml", "FALLOW__STORE__URL: a\nFALLOW__STORE__UR: b\n# FALLOW__SECTION__KEY"),
        ]));
        assert_eq!(
            found,
            [Breach::of("docker-compose.yml:2", "config/fallow.toml has no `FALLOW__STORE__UR`")]
        );
    }
}
