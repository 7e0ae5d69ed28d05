//! What commands on sheets take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `fallow import …`
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Publish the offers of a sheet; offers that it leaves out stay
    #[command(
        before_help = "Examples:\n  fallow import capacity sheet.xlsx --dry-run\n  fallow import capacity lists.xlsx --map \
                       theatreman.toml --errors-to bad.xlsx\n\nA row with an error is left out and named with its cell; exit 8 \
                       when there was one."
    )]
    Capacity(Sheet),
    /// Raise the needs of a sheet; one that is live already stays as it is
    #[command(before_help = "Example:\n  fallow import demand waiting-list.csv --dry-run")]
    Demand(Sheet),
    /// Raise the needs of FHIR R4 requests: a Bundle of ServiceRequests, or one
    #[command(
        before_help = "Example:\n  fallow import fhir requests.json --dry-run\n\nNothing is read of the subject, of reasons or of notes. A request \
                       is told by its place among the entries, from 1; what is not active is passed over. docs/exports.md says \
                       which elements make a need."
    )]
    Fhir(Requests),
    /// Write an empty workbook to fill in, with lists to choose from
    #[command(
        before_help = "Examples:\n  fallow import template theatre > template.xlsx\n  fallow import template needs \
                             --out needs.xlsx"
    )]
    Template(Empty),
}

/// A sheet to read.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sheet {
    /// The file: .xlsx, .csv, or JSON lines
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) how: How,
}

/// Requests of another system.
#[derive(Debug, Clone, Args)]
pub(crate) struct Requests {
    /// The file: JSON
    pub(super) file: PathBuf,
    /// The site of requests that name none. Default: that of the context
    #[arg(long, value_name = "CODE")]
    site: Option<String>,
    /// Check everything and show what would be; change nothing
    #[arg(long, help_heading = "Safety")]
    dry_run: bool,
}

/// Takes the name of a file that becomes a workbook: what is called otherwise, nobody could open.
fn workbook(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_one = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xlsx"));
    if is_one { Ok(path) } else { Err("must end in .xlsx, for it becomes a workbook".to_owned()) }
}

impl Requests {
    /// Returns how their needs are raised: as those of a sheet that needs no map.
    pub(super) fn how(&self) -> How {
        How {
            map: None,
            errors_to: None,
            site: self.site.clone(),
            confirm_large_change: false,
            dry_run: self.dry_run,
        }
    }
}

/// How a sheet is read.
#[derive(Debug, Clone, Args)]
pub(crate) struct How {
    /// What the columns of another system's sheet mean, a TOML file
    #[arg(long, value_name = "FILE")]
    pub(super) map: Option<PathBuf>,
    /// Write the rows that are refused into this workbook, with what is wrong beside each
    #[arg(long, value_name = "FILE.xlsx", value_parser = workbook)]
    pub(super) errors_to: Option<PathBuf>,
    /// The site of rows that name none. Default: that of the context
    #[arg(long, value_name = "CODE")]
    pub(super) site: Option<String>,
    /// Say that changes by more than half and more than 10 are meant
    #[arg(long)]
    pub(super) confirm_large_change: bool,
    /// Check everything and show what would be; change nothing
    #[arg(long, help_heading = "Safety")]
    pub(super) dry_run: bool,
}

/// `fallow capacity apply -f FILE --replace`
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow capacity apply -f dunmere.csv --replace --dry-run\n  fallow capacity apply -f \
                   dunmere.csv --replace\n\nWith --replace an offer of the same site and kind that the sheet leaves out is \
                   withdrawn. While a row is rejected nothing is withdrawn: it might be the one that is wrong."
)]
pub(crate) struct Apply {
    /// The file: .xlsx, .csv, or JSON lines
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The sheet is the whole state: withdraw what it leaves out
    #[arg(long)]
    pub(super) replace: bool,
    #[command(flatten)]
    how: How,
}

impl From<Apply> for Sheet {
    fn from(apply: Apply) -> Self {
        Self { file: apply.file, how: apply.how }
    }
}

/// An empty workbook.
#[derive(Debug, Clone, Args)]
pub(crate) struct Empty {
    /// What it is for
    #[arg(value_enum)]
    pub(super) kind: Kind,
    /// Write it here instead of to the standard output
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Beds, slots, shifts, places that can be spared.
    Offers,
    /// What is needed.
    Needs,
    /// Theatre sessions that can be spared.
    Theatre,
}

/// `fallow export …`
#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Comma-separated, with a head; times by the clock in London
    #[command(
        before_help = "Examples:\n  fallow export csv offers > offers.csv\n  fallow export csv needs --at 08:00 --out \
                       needs.csv"
    )]
    Csv(What),
    /// A workbook
    #[command(before_help = "Example:\n  fallow export xlsx needs --out needs.xlsx")]
    Xlsx(What),
    /// What sites have free, as EDXL-HAVE 2.0 by its working draft (XML), for emergency planners
    #[command(
        before_help = "Examples:\n  fallow export have > have.xml\n  fallow export have --everyone --at 08:00 --out \
                       have.xml\n\nFigures that are too old to be proposed are told as such and never counted. Exit 9 when there is \
                       no live offer, for a report needs a facility."
    )]
    Have(Which),
    /// Sites, what they provide, and slots, as a Bundle of HL7 FHIR R4 (JSON), for booking systems
    #[command(
        before_help = "Examples:\n  fallow export fhir > capacity.json\n  fallow export fhir --everyone --at \"yesterday 20:00\" \
                       --out capacity.json\n\nWhat is held for a proposal is busy-tentative; what is too old to be proposed is \
                       busy-unavailable."
    )]
    Fhir(Which),
}

/// What is written.
#[derive(Debug, Clone, Args)]
pub(crate) struct What {
    /// Which records
    #[arg(value_enum, default_value_t = Records::Offers)]
    pub(super) records: Records,
    #[command(flatten)]
    pub(super) which: Which,
}

/// Whose records, of when, and where they go.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Those of every trust that you may see, instead of your own
    #[arg(long)]
    pub(super) everyone: bool,
    /// As of when: 08:00, yesterday 20:00, -30m or a date with a time. Default: now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) at: Option<String>,
    /// Write it here instead of to the standard output
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// Records that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Records {
    /// Live offers.
    Offers,
    /// Live needs.
    Needs,
}
