//! One person at one terminal: a context, a credential, a clock that stands still, and the scripted services.

use std::fmt::Write as _;
use std::io::BufRead;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::{CommandFactory, Parser};
use fallow::cli::{self, Terminal};
use fallow::root::Root;
use fallow_host::clock::Clock;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::script::Script;

/// 14:31 on Tuesday 24 November 2026.
pub(crate) const NOW: &str = "2026-11-24T14:31:00Z";

/// A time of the wire.
pub(crate) fn at(text: &str) -> Option<prost_types::Timestamp> {
    let at: Timestamp = text.parse().unwrap();
    Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 })
}

pub(crate) struct World {
    pub(crate) script: Script,
    address: String,
    folder: TempDir,
}

/// What a command left behind.
pub(crate) struct Told {
    pub(crate) exit: u8,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) calls: Vec<String>,
}

impl World {
    /// Dunmere's bed manager at a terminal, in front of services that answer nothing yet.
    pub(crate) async fn new() -> Self {
        let script = Script::default();
        let address = script.serve().await;
        let folder = tempfile::tempdir().unwrap();
        let claims = r#"{"sub":"bed-manager.ZA4","kind":"person","role":"bed_manager","trust":"ZA4","region":"north-vale","exp":1795550400}"#;
        let token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims));
        std::fs::write(folder.path().join("token"), token).unwrap();
        let config = format!(
            "current = \"test\"\n[contexts.test]\nendpoints = \"{address}\"\ntoken_file = \"{}\"\nsite = \"ZA401\"\n",
            folder.path().join("token").display()
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        Self { script, address, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one line as a shell would: words, with double quotes around those that have spaces.
    pub(crate) async fn run(&self, line: &str) -> Told {
        self.run_at(line, false, None).await
    }

    /// Runs one line at a terminal where a person answers what is asked.
    pub(crate) async fn run_answering(&self, line: &str, answer: &'static str) -> Told {
        self.run_at(line, false, Some(Box::new(answer.as_bytes()))).await
    }

    /// Runs one line on a screen that can be redrawn.
    pub(crate) async fn run_on_a_screen(&self, line: &str) -> Told {
        self.run_at(line, true, None).await
    }

    async fn run_at(&self, line: &str, interactive: bool, input: Option<Box<dyn BufRead + Send>>) -> Told {
        let mut args = words(&format!("fallow {line}"));
        args.extend([
            "--context-file".to_owned(),
            self.folder.path().join("config.toml").display().to_string(),
        ]);
        args.extend(["--state-home".to_owned(), self.folder.path().display().to_string()]);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = match Root::try_parse_from(args) {
            Err(error) => {
                write!(&mut Text(&mut err), "{error}").unwrap();
                2
            }
            Ok(root) => {
                let Some(verb) = root.command.client() else { panic!("not a client command: {line}") };
                let terminal = Terminal {
                    out: &mut out,
                    err: &mut err,
                    interactive,
                    colour: false,
                    ascii: false,
                    input,
                };
                let clock = Clock::manual(NOW.parse().unwrap());
                cli::run(*verb, root.global, Root::command(), clock, terminal).await.code()
            }
        };
        let (out, err) = (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
        self.made_stable(Told { exit, out, err, calls: self.script.take_seen() })
    }

    /// Replaces what differs from run to run: request ids, the references made of them, the address, the folder, gaps.
    fn made_stable(&self, mut told: Told) -> Told {
        let mut known = vec![
            (self.address.clone(), "http://server".to_owned()),
            (self.folder.path().display().to_string(), "FOLDER".to_owned()),
        ];
        for call in &told.calls {
            if let Some((_, rest)) = call.split_once("\"request_id\":\"") {
                let id = rest.split('"').next().unwrap_or_default();
                assert!(uuid::Uuid::parse_str(id).is_ok(), "not a UUID: {id}");
                let tail = id[id.len() - 8..].to_uppercase();
                known.extend([
                    (id.to_owned(), "REQUEST-ID".to_owned()),
                    (format!("CLI-{tail}"), "CLI-TAIL".to_owned()),
                ]);
            }
        }
        let stable = |text: &str| {
            let text = known.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
            text.lines().fold(String::new(), |mut text, line| {
                // How long a watch was away is measured, not scripted.
                let line = match line.split_once("back after ") {
                    Some((_, rest)) => format!(
                        "back after N{}\n",
                        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                    ),
                    None => format!("{line}\n"),
                };
                text.push_str(&line);
                text
            })
        };
        told.out = stable(&told.out);
        told.err = stable(&told.err);
        told.calls = told.calls.iter().map(|call| stable(call).trim_end().to_owned()).collect();
        told
    }

    /// Runs lines one after the other; returns all that they left behind, for a golden file.
    pub(crate) async fn transcript(&self, lines: &[&str]) -> String {
        let mut text = String::new();
        for line in lines {
            let told = self.run(line).await;
            writeln!(text, "$ fallow {line}").unwrap();
            text.push_str(&told.out);
            for line in told.err.lines() {
                writeln!(text, "! {line}").unwrap();
            }
            for call in &told.calls {
                writeln!(text, "> {call}").unwrap();
            }
            writeln!(text, "exit {}\n", told.exit).unwrap();
        }
        text
    }
}

struct Text<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Splits a line as a shell does: what stands in double quotes is one word.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
