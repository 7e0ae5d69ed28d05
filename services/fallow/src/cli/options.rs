//! The options that every client command takes, and those that every change takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::failure::Failure;
use super::settings::Endpoints;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    Table,
    /// More columns.
    Wide,
    /// Fallow JSON, indented.
    Json,
    /// Fallow JSON, one record a line.
    Jsonl,
    /// Comma-separated, with a head.
    Csv,
    /// A Markdown table.
    Md,
    /// A page for the printer; of the situation report. Elsewhere as Markdown.
    Html,
    /// A workbook; of the situation report. Elsewhere refused: `fallow export xlsx` writes records.
    Xlsx,
    /// Ids only, one a line.
    Id,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options of every client command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// How to write results: table, wide, json, jsonl, csv, md, html, xlsx or id
    #[arg(short = 'o', long = "output", global = true, value_enum, hide_possible_values = true, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Print only the ids of what is answered, as -o id does; nothing where it has none
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print only these columns, in this order
    #[arg(long, global = true, value_delimiter = ',', value_name = "A,B")]
    pub(crate) columns: Vec<String>,
    /// When to use colour: auto, always or never
    #[arg(long, visible_alias = "colour", global = true, value_enum, hide_possible_values = true, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
    /// Print nothing but ASCII in tables and on the board, for old consoles
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
    /// Answer yes to what a terminal asks before something that cannot be taken back
    #[arg(short = 'y', long, global = true)]
    pub(crate) yes: bool,
    /// Ask nothing: what would be asked is refused, unless --yes
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Act in this context instead of the current one
    #[arg(long, global = true, env = "FALLOW_CONTEXT", value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Talk to this address, or capacity=URL,demand=URL,matching=URL,monitor=URL
    #[arg(long, global = true, env = "FALLOW_ENDPOINT", value_name = "URL")]
    pub(crate) endpoint: Option<Endpoints>,
    /// Take the credential from this file
    #[arg(long, global = true, env = "FALLOW_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Act as this built-in user of a running demonstration
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Give up on an answer after this long
    #[arg(long, global = true, default_value = "10s", value_parser = seconds, value_name = "TIME")]
    pub(crate) deadline: Duration,
    /// Read contexts from this file
    #[arg(long, global = true, env = "FALLOW_CONTEXT_FILE", value_name = "FILE", hide = true)]
    pub(crate) context_file: Option<PathBuf>,
    /// Where the user's configuration is
    #[arg(long, global = true, env = CONFIG_HOME, value_name = "FOLDER", hide = true)]
    pub(crate) config_home: Option<PathBuf>,
    /// Where the user's state is
    #[arg(long, global = true, env = STATE_HOME, value_name = "FOLDER", hide = true)]
    pub(crate) state_home: Option<PathBuf>,
}

const CONFIG_HOME: &str = if cfg!(windows) { "APPDATA" } else { "XDG_CONFIG_HOME" };
const STATE_HOME: &str = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_STATE_HOME" };

impl Global {
    /// Returns how results are written.
    pub(crate) fn format(&self) -> Format {
        if self.quiet { Format::Id } else { self.format }
    }

    /// Refuses columns where there are none: JSON is whole records, whoever reads it, and of ids there is one a line.
    ///
    /// # Errors
    /// `--columns` beside such a format.
    pub(crate) fn check_columns(&self) -> Result<(), Failure> {
        let (written, wholly) = match self.format() {
            _ if self.columns.is_empty() => return Ok(()),
            Format::Table | Format::Wide | Format::Csv | Format::Md | Format::Html | Format::Xlsx => {
                return Ok(());
            }
            Format::Json => ("-o json", "whole records"),
            Format::Jsonl => ("-o jsonl", "whole records"),
            Format::Id if self.quiet => ("-q", "ids alone"),
            Format::Id => ("-o id", "ids alone"),
        };
        Err(Failure::usage(format!(
            "--columns chooses among the columns of a table, and {written} writes {wholly}"
        ))
        .next("the same command without --columns, or with -o csv"))
    }

    /// Refuses columns of a watch that writes events.
    ///
    /// # Errors
    /// `--columns` was given.
    pub(crate) fn check_columns_of_events(&self) -> Result<(), Failure> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let text = "--columns chooses among the columns of a table, and a watch that fills no screen writes whole events as JSON";
        Err(Failure::usage(text).next("the same command without --columns, or without --watch"))
    }

    /// Says whether what people read is put into ASCII: where that is asked for, and on a screen of the consoles of Windows
    /// that came before its terminal.
    pub(crate) fn ascii(&self, on_a_screen: bool) -> bool {
        self.ascii || (on_a_screen && cfg!(windows) && std::env::var_os("WT_SESSION").is_none())
    }

    /// Returns the user's state folder, where `fallow dev` leaves its context and credentials.
    #[must_use]
    pub fn state_folder(&self) -> PathBuf {
        let home = || std::env::home_dir().unwrap_or_default();
        self.state_home.clone().unwrap_or_else(|| home().join(".local").join("state"))
    }

    /// Returns the configuration file.
    pub(crate) fn config_file(&self) -> PathBuf {
        let home = || std::env::home_dir().unwrap_or_default().join(".config");
        self.context_file.clone().unwrap_or_else(|| {
            self.config_home.clone().unwrap_or_else(home).join("fallow").join("config.toml")
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let length = super::time::duration(text).map_err(|error| error.to_string())?;
    length.try_into().map_err(|_| format!("\"{text}\" is too long"))
}

/// Reads a count that may be nothing.
pub(crate) fn count_from_0(text: &str) -> Result<i64, String> {
    count(text, 0)
}

/// Reads a count of at least one.
pub(crate) fn count_from_1(text: &str) -> Result<i64, String> {
    count(text, 1)
}

fn count(text: &str, least: i64) -> Result<i64, String> {
    /// Most units of anything that the services take.
    const MOST: i64 = 10_000;
    let read = text.parse().ok().filter(|count| (least..=MOST).contains(count));
    read.ok_or_else(|| format!("must be a whole number, {least} to 10,000"))
}

/// Options of every change.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Safety")]
pub(crate) struct Change {
    /// Check everything and show what would be; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The id under which this change is remembered for 72 hours, so that it can be sent again without harm
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
}

impl Change {
    /// Returns the id of the change: the given one, else a new one.
    pub(crate) fn request_id(&self) -> String {
        self.request_id.unwrap_or_else(Uuid::now_v7).to_string()
    }
}

/// The option of a change to one record.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Safety")]
pub(crate) struct Expect {
    /// Change nothing when the record is no longer at this revision
    #[arg(long, value_name = "N")]
    pub(crate) if_revision: Option<i64>,
}

/// A change to one record, which a person names.
#[derive(Debug, Clone, Args)]
pub(crate) struct OfOne {
    /// Its id, or the beginning of one
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) change: Change,
    #[command(flatten)]
    pub(crate) expect: Expect,
}
