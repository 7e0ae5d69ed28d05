//! `fallow man` and `fallow cheat`: the manual's pages, and the lines that people look up most.

use std::path::{Path, PathBuf};

use clap::Args;

use super::codes::nearest;
use super::failure::{Exit, Failure};
use super::options::Format;
use super::session::Session;

/// A page of the manual.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The command, such as: capacity publish. Default: fallow itself
    command: Vec<String>,
    /// Write every page into this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    to: Option<PathBuf>,
}

/// Runs `fallow man`: prints one page as roff, or writes them all.
pub(crate) fn man(session: &mut Session<'_>, args: &Man, mut root: clap::Command) -> Result<Exit, Failure> {
    root.build();
    if let Some(folder) = &args.to {
        let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
        write_all(root, folder).map_err(failed)?;
        session.terminal.say(&format!("written: {}", folder.display()))?;
        return Ok(Exit::Ok);
    }
    let mut command = root;
    for word in &args.command {
        let found = command.find_subcommand(word).cloned();
        command = found.ok_or_else(|| {
            let names = command.get_subcommands().map(|one| one.get_name().to_owned()).collect::<Vec<_>>();
            let guess = nearest(word, names.iter().map(String::as_str));
            let guess = guess.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
            Failure::new(Exit::NotFound, "NO_SUCH_COMMAND", format!("there is no command \"{word}\".{guess}"))
                .next("fallow --help")
        })?;
    }
    session.terminal.file(page(command)?.1.as_bytes())?;
    Ok(Exit::Ok)
}

/// Writes the page of a command and those of the commands below it.
fn write_all(command: clap::Command, folder: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        write_all(below.clone(), folder)?;
    }
    let (name, text) = page(command)?;
    std::fs::write(folder.join(name), text)
}

/// Returns a page and the name of its file. The examples, with which help begins, stand behind the description.
fn page(command: clap::Command) -> std::io::Result<(String, String)> {
    let examples = command.get_before_help().map(ToString::to_string).unwrap_or_default();
    let (page, mut bytes) = (clap_mangen::Man::new(command), Vec::new());
    page.render(&mut bytes)?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if !examples.is_empty() {
        let described = text.find("\n.SH DESCRIPTION\n").map_or(0, |at| at + 1);
        let after = text[described..].find("\n.SH ").map_or(text.len(), |at| described + at + 1);
        let mut section = String::from(".SH EXAMPLES\n.nf\n");
        for line in examples.lines().filter(|line| !matches!(*line, "Examples:" | "Example:")) {
            // A line that begins with a point or a quote would be a request.
            let line = line.trim_start_matches("  ").replace('\\', "\\e").replace('-', "\\-");
            section += &format!("\\&{line}\n");
        }
        section += ".fi\n";
        text.insert_str(after, &section);
    }
    Ok((page.get_filename(), text))
}

/// What people look up, by topic: what for, and what to type.
pub(crate) const TOPICS: &[(&str, &[(&str, &str)])] = &[
    (
        "capacity",
        &[
            ("say what you can spare", "fallow free 2 level2 --until 20:00"),
            ("one is taken", "fallow take 1 level2"),
            ("everything is as you said", "fallow still-true"),
            ("what you offer, and how old it is", "fallow mine"),
            ("no new holds on a resource", "fallow capacity suspend level2 --until 22:00 --reason norovirus"),
            ("keep some for yourselves", "fallow capacity reserve set level2 1"),
            ("declare OPEL 3", "fallow capacity opel 3"),
            ("take an offer back", "fallow capacity withdraw 0198c2 --reason staffing"),
        ],
    ),
    (
        "needs",
        &[
            ("raise a need", "fallow need 1 level3 --by 16:00 --ref LC-118 --need isolation"),
            ("why nothing fits, and what would", "fallow why-not LC-118"),
            ("ask a trust to confirm", "fallow capacity ask ZA5 --resource level3"),
            ("widen the travel limit", "fallow demand amend LC-118 --max-travel 60m"),
            ("it still stands", "fallow validate LC-118 --consented --fit"),
            (
                "change needs that were raised together",
                "fallow cohort amend \"hips of November\" --max-travel 90m",
            ),
            ("it was solved elsewhere", "fallow demand withdraw LC-118 --reason treated-elsewhere"),
        ],
    ),
    (
        "answers",
        &[
            ("what waits for you", "fallow inbox"),
            ("why it was proposed", "fallow why 0198c3"),
            ("yes", "fallow accept 0198c3"),
            (
                "no, and say the cause is mended",
                "fallow decline 0198c3 --reason capacity-changed --set-free 0",
            ),
            ("who is to come back, and when", "fallow returns"),
            ("the move is under way", "fallow transfer advance 0198d4 --to in-transit"),
        ],
    ),
    (
        "sheets",
        &[
            ("an empty workbook to fill in", "fallow import template theatre --out template.xlsx"),
            ("what a sheet would change", "fallow import capacity sheet.xlsx --dry-run"),
            ("read another system's sheet", "fallow import capacity lists.xlsx --map theatreman.toml"),
            ("mend what was refused", "fallow import capacity sheet.xlsx --errors-to bad.xlsx"),
            ("the sheet is all you offer", "fallow capacity apply -f site.csv --replace --dry-run"),
            ("raise a waiting list", "fallow import demand waiting-list.csv"),
            ("raise another system's requests", "fallow import fhir requests.json --dry-run"),
            ("take a copy", "fallow export xlsx needs --out needs.xlsx"),
            ("what is free, for emergency planners", "fallow export have --everyone --out have.xml"),
            ("what is free, for booking systems", "fallow export fhir --everyone --out capacity.json"),
        ],
    ),
    (
        "scripts",
        &[
            ("wait until it is agreed", "fallow demand wait LC-118 --for agreed --timeout 30m"),
            ("changes as they come, one JSON line each", "fallow watch --kinds proposal,alert"),
            ("some columns, for another program", "fallow mine -o csv --columns id,resource,free"),
            ("ids alone", "fallow inbox -q"),
            ("check and change nothing", "fallow free 2 level2 --until 20:00 --dry-run"),
            ("what a reason means", "fallow errors HOLD_EXPIRED"),
        ],
    ),
    (
        "gold",
        &[
            ("the region on one screen", "fallow board"),
            ("every trust by every resource", "fallow situation"),
            ("what waits for your approval", "fallow inbox"),
            ("approve it", "fallow proposal approve 0198c3"),
            (
                "something else instead, in an incident",
                "fallow bypass 0198c3 --reason \"the road is closed\"",
            ),
            ("try a change on a copy", "fallow simulate -f scenario.toml"),
            ("what happened", "fallow timeline -w"),
            ("what somebody should act on", "fallow alert list"),
            ("write a decision down", "fallow decision record \"open the day unit\" --why \"norovirus\""),
            ("who waits, and what would help", "fallow report unmet"),
            (
                "the situation report of 08:00, signed",
                "fallow sitrep --at 08:00 --sign-off \"duty director\"",
            ),
        ],
    ),
];

/// Runs `fallow cheat [TOPIC]`.
pub(crate) fn cheat(session: &mut Session<'_>, topic: Option<&str>) -> Result<Exit, Failure> {
    let chosen: Vec<_> = match topic {
        None => TOPICS.iter().collect(),
        Some(typed) => {
            let found = TOPICS.iter().find(|(name, _)| name.eq_ignore_ascii_case(typed));
            vec![found.ok_or_else(|| {
                let names = TOPICS.iter().map(|(name, _)| *name);
                let said = super::codes::unknown(typed, names).replacen("code", "topic", 1);
                Failure::new(Exit::NotFound, "NO_SUCH_TOPIC", said).next("fallow cheat")
            })?]
        }
    };
    for (name, lines) in chosen {
        session.terminal.data(&format!("{name}\n"))?;
        if session.global.format() == Format::Id {
            continue;
        }
        for (what, line) in *lines {
            session.terminal.data(&format!("  {what:<42}  {line}\n"))?;
        }
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// Splits a line as a shell does: what stands in quotes is one word.
    fn typed(line: &'static str) -> Vec<&'static str> {
        let parts = line.split('"').enumerate();
        let words = |(at, part): (usize, &'static str)| -> Vec<&'static str> {
            if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() }
        };
        parts.flat_map(words).collect()
    }

    #[test]
    fn every_line_of_the_cheat_sheet_can_be_typed() {
        for (topic, lines) in TOPICS {
            for (_, line) in *lines {
                let parsed = crate::root::Root::try_parse_from(typed(line));
                assert!(parsed.is_ok(), "{topic}: {line}: {}", parsed.unwrap_err());
            }
        }
    }
}
