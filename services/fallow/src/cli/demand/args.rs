//! What `fallow demand` and its short forms take.

use clap::{Args, Subcommand, ValueEnum};
use fallow_api::v1::{DeclineReason, Pathway, Priority, Resource, Scope, Sex, TransferReason, need};

use crate::cli::codes;
use crate::cli::options::{Change, Expect, count_from_1};
use crate::cli::shorthand::resource;

/// `fallow demand …`
#[derive(Debug, Subcommand)]
pub(crate) enum Demand {
    /// Raise a need; a live one with the same reference and resource is returned instead
    Raise(Raise),
    /// Change a need
    #[command(
        before_help = "Examples:\n  fallow demand amend LC-120 --max-travel 60m\n  fallow demand amend LC-120 --needed-by +2h"
    )]
    Amend(Amend),
    /// Take a need back
    #[command(before_help = "Example:\n  fallow demand withdraw LC-120 --reason treated_elsewhere")]
    Withdraw(EndNeed),
    /// Record that a need was solved without Fallow
    #[command(
        before_help = "Example:\n  fallow demand resolve-outside LC-120 --note \"their own unit had a bed\""
    )]
    ResolveOutside(Resolve),
    /// Put a need aside until somebody looks again; nothing is proposed for it meanwhile
    #[command(
        before_help = "Example:\n  fallow demand park LC-120 --review \"tomorrow 08:00\" --reason \"awaits a scan\""
    )]
    Park(Park),
    /// Take up a need that was parked
    #[command(before_help = "Example:\n  fallow demand resume LC-120")]
    Resume(Resume),
    /// Ask other trusts whether needs of theirs still stand
    #[command(before_help = "Example:\n  fallow demand ask LC-118 LC-120")]
    Ask(Ask),
    /// Say that a need of yours still stands, and whether the patient has consented and is fit
    Validate(Validate),
    /// Say why a need is not served, and what would help
    Explain(WhyNot),
    /// Wait until a need is proposed, agreed or met
    #[command(
        before_help = "Example:\n  fallow demand wait LC-118 --for agreed --timeout 30m && echo agreed"
    )]
    Wait(Wait),
    /// List needs: your trust's, unless told otherwise; the most urgent first
    List(List),
    /// Show one need
    #[command(before_help = "Examples:\n  fallow demand show LC-120\n  fallow demand show LC-120 -o json")]
    Show {
        /// Id of the need, the beginning of one, or its case reference
        id: String,
    },
    /// Show what happened to one need, as far as you may hear of it
    #[command(before_help = "Example:\n  fallow demand history LC-120")]
    History {
        /// Id of the need, the beginning of one, or its case reference
        id: String,
    },
}

/// Raises a need, in full.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow demand raise --resource level3 --count 1 --needed-by 16:00 --need isolation --ref \
                        LC-118\n\nShort form: fallow need 1 level3 --by 16:00"
)]
pub(crate) struct Raise {
    /// What: level2, level3, g&a, mri, theatre, or kind/code such as bed/cc_adult/2
    #[arg(long, value_parser = resource)]
    pub(super) resource: Resource,
    /// How many patients, beds, slots or items
    #[arg(long, default_value_t = 1, value_parser = count_from_1)]
    pub(super) count: i64,
    #[command(flatten)]
    pub(super) terms: Terms,
}

/// `fallow need 1 level3 --by 16:00`
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow need 1 level3 --by 16:00\n  fallow need 2 g&a --by 20:00 --sex female --ref \
                        LC-120\n\nExact alias of: fallow demand raise --count 1 --resource level3 --needed-by 16:00"
)]
pub(crate) struct ShortNeed {
    /// How many patients, beds, slots or items
    #[arg(value_parser = count_from_1)]
    count: i64,
    /// What: level2, level3, g&a, mri, theatre, or kind/code such as bed/cc_adult/2
    #[arg(value_parser = resource)]
    resource: Resource,
    #[command(flatten)]
    terms: Terms,
}

impl From<ShortNeed> for Raise {
    fn from(short: ShortNeed) -> Self {
        Self { resource: short.resource, count: short.count, terms: short.terms }
    }
}

/// The terms of a need.
#[derive(Debug, Args)]
pub(super) struct Terms {
    /// By when: 16:00, +4h, "tomorrow 08:00", RFC 3339
    #[arg(long, visible_alias = "by")]
    pub(super) needed_by: Option<String>,
    /// P1A, P1B, P2, P3 or P4. Default: the band that covers --needed-by
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<Priority>())]
    pub(super) priority: Option<Priority>,
    /// Your own reference of the case, never a patient's number. Default: one is made
    #[arg(long = "ref", value_name = "REF")]
    pub(super) case_ref: Option<String>,
    /// What the place must be able to do, such as isolation; repeat for more
    #[arg(long)]
    pub(super) need: Vec<String>,
    /// ODS site code. Default: the context's
    #[arg(long)]
    pub(super) site: Option<String>,
    /// Treatment Function Code, such as 110; repeat for more. A theatre need names one
    #[arg(long)]
    pub(super) specialty: Vec<String>,
    /// Theatre: minutes of one case
    #[arg(long, value_name = "TIME")]
    pub(super) minutes_per_case: Option<String>,
    /// Farthest acceptable travel, such as 45m. Default: any
    #[arg(long, value_name = "TIME")]
    pub(super) max_travel: Option<String>,
    /// Not before
    #[arg(long)]
    pub(super) earliest: Option<String>,
    /// Since when it waits, such as 2026-09-01. Default: now
    #[arg(long)]
    pub(super) listed: Option<String>,
    /// The patient's age in years
    #[arg(long)]
    pub(super) age: Option<i32>,
    /// The patient's sex: female or male
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<Sex>())]
    pub(super) sex: Option<Sex>,
    /// The patient's body-mass index
    #[arg(long)]
    pub(super) bmi: Option<i32>,
    /// The patient's ASA grade
    #[arg(long)]
    pub(super) asa: Option<i32>,
    /// Index of multiple deprivation, 1 (most deprived) to 10
    #[arg(long)]
    pub(super) imd_decile: Option<i32>,
    /// Why: clinical, capacity or repatriation
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<TransferReason>())]
    pub(super) reason: Option<TransferReason>,
    /// How much of the care moves
    #[arg(long, value_parser = codes::of::<Scope>())]
    pub(super) scope: Option<Scope>,
    /// Which waiting clock runs: rtt, dm01 or cancer
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<Pathway>())]
    pub(super) pathway: Option<Pathway>,
    /// Theatre: your own team comes along
    #[arg(long)]
    pub(super) brings_team: bool,
    /// The need comes from a fragile service
    #[arg(long)]
    pub(super) fragile_service: bool,
    /// Name of the cohort that it is raised with: fallow cohort changes all of one together
    #[arg(long, default_value = "", value_name = "NAME")]
    pub(super) cohort: String,
    /// A note without patient details
    #[arg(long, default_value = "")]
    pub(super) note: String,
    #[command(flatten)]
    pub(super) change: Change,
}

/// Changes a need.
#[derive(Debug, Args)]
pub(crate) struct Amend {
    /// Id of the need, the beginning of one, or its case reference
    pub(super) id: String,
    #[command(flatten)]
    pub(super) terms: NewTerms,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// What is to be otherwise of a need, or of each need of a cohort.
#[derive(Debug, Args)]
pub(crate) struct NewTerms {
    /// How many
    #[arg(long, value_parser = count_from_1)]
    pub(super) count: Option<i64>,
    /// By when
    #[arg(long, visible_alias = "by")]
    pub(super) needed_by: Option<String>,
    /// P1A, P1B, P2, P3 or P4
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<Priority>())]
    pub(super) priority: Option<Priority>,
    /// Not before
    #[arg(long)]
    pub(super) earliest: Option<String>,
    /// Farthest acceptable travel, such as 60m
    #[arg(long, value_name = "TIME")]
    pub(super) max_travel: Option<String>,
    /// What the place must be able to do, in place of what was said before; repeat for more
    #[arg(long)]
    pub(super) need: Vec<String>,
    /// A note without patient details
    #[arg(long)]
    pub(super) note: Option<String>,
}

/// Asks other trusts.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Ids of needs, the beginnings of them, or case references; 100 at most
    #[arg(required = true)]
    pub(super) ids: Vec<String>,
    #[command(flatten)]
    pub(super) change: Change,
}

/// Says that a need still stands.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  fallow validate LC-118 --consented --fit\n\nA case that is no longer wanted: fallow demand \
                        withdraw. fallow validate is an exact alias of: fallow demand validate"
)]
pub(crate) struct Validate {
    /// Id of the need, the beginning of one, or its case reference
    pub(super) id: String,
    /// The patient has consented to be treated elsewhere
    #[arg(long)]
    pub(super) consented: bool,
    /// The patient is fit for it now
    #[arg(long)]
    pub(super) fit: bool,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Takes a need back.
#[derive(Debug, Args)]
pub(crate) struct EndNeed {
    /// Id of the need, the beginning of one, or its case reference
    pub(super) id: String,
    /// Why: patient_declined, not_fit, treated_elsewhere, too_far_for_patient, no_transport or other
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<DeclineReason>())]
    pub(super) reason: DeclineReason,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Records a solution without Fallow.
#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// Id of the need, the beginning of one, or its case reference
    pub(super) id: String,
    /// How, in words, without patient details
    #[arg(long, default_value = "")]
    pub(super) note: String,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Puts a need aside.
#[derive(Debug, Args)]
pub(crate) struct Park {
    /// Id of the need, the beginning of one, or its case reference
    pub(super) id: String,
    /// When somebody looks again: tomorrow 08:00, +4h or a date with a time
    #[arg(long, value_name = "TIME")]
    pub(super) review: String,
    /// Why, in words, without patient details
    #[arg(long, default_value = "")]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Takes a need up again.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Id of the need, the beginning of one, or its case reference
    pub(super) id: String,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Asks why a need is not served.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow why-not LC-120\n  fallow why-not LC-120 --trust ZA5\n\nExit code 9 when nothing \
                        is proposed. fallow why-not is an exact alias of: fallow demand explain"
)]
pub(crate) struct WhyNot {
    /// Id of the need, the beginning of one, or its case reference
    pub(super) id: String,
    /// Only this trust's offers
    #[arg(long, value_name = "ODS")]
    pub(super) trust: Option<String>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Milestone {
    /// A proposal is out.
    Proposed,
    /// All units are agreed.
    Agreed,
    /// All units have arrived.
    Met,
}

/// Waits for a need.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Id of the need, the beginning of one, or its case reference
    pub(super) id: String,
    /// What to wait for
    #[arg(long = "for", value_enum)]
    pub(super) milestone: Milestone,
    /// How long to wait, such as 30m; then exit code 7
    #[arg(long, default_value = "30m")]
    pub(super) timeout: String,
}

/// Lists needs.
#[derive(Debug, Args)]
#[command(before_help = "Examples:\n  fallow demand list\n  fallow demand list --everyone --priority p1a")]
pub(crate) struct List {
    /// Only this trust's; repeat for more
    #[arg(long, value_name = "ODS")]
    pub(super) trust: Vec<String>,
    /// Every trust's that you may see: the shared list
    #[arg(long, conflicts_with = "trust")]
    pub(super) everyone: bool,
    /// Only of this resource
    #[arg(long, value_parser = resource)]
    pub(super) resource: Option<Resource>,
    /// Only of this band; repeat for more
    #[arg(long, value_parser = codes::of::<Priority>())]
    pub(super) priority: Vec<Priority>,
    /// Only in this state; repeat for more. Default: the live ones
    #[arg(long, value_parser = codes::of::<need::State>())]
    pub(super) state: Vec<need::State>,
    /// Go on showing what changes
    #[arg(short, long)]
    pub(super) watch: bool,
}
