//! What `fallow capacity` and its short forms take.

use clap::{Args, Subcommand};
use fallow_api::v1::{DeclineReason, Resource, Sex, offer};

use crate::cli::codes;
use crate::cli::options::{Change, Expect, count_from_0, count_from_1};
use crate::cli::sheets::Apply;
use crate::cli::shorthand::resource;

/// `fallow capacity …`
#[derive(Debug, Subcommand)]
pub(crate) enum Capacity {
    /// Say what you can spare: "3 free until 20:00"
    Publish(Box<Publish>),
    /// Take away from, or add to, what is free
    Adjust(Adjust),
    /// Say that figures are still true: their age starts again
    Confirm(Confirm),
    /// List offers: your trust's, unless told otherwise
    List(List),
    /// Show one offer
    #[command(
        before_help = "Examples:\n  fallow capacity show 0198c2\n  fallow capacity show level2 -o json"
    )]
    Show {
        /// Id of the offer, the beginning of one, or a resource of which you have one offer
        id: String,
    },
    /// Show what came of one offer: proposals, answers, transfers, alerts, as far as you may hear of them
    #[command(before_help = "Example:\n  fallow capacity history level2")]
    History {
        /// Id of the offer, the beginning of one, or a resource of which you have one offer
        id: String,
    },
    /// Take an offer back
    #[command(before_help = "Example:\n  fallow capacity withdraw 0198c2 --reason staffing")]
    Withdraw(Withdraw),
    /// Take no new holds on a resource until a time; live holds run on
    #[command(
        before_help = "Example:\n  fallow capacity suspend level2 --until 22:00 --reason \"norovirus on the ward\""
    )]
    Suspend(Suspend),
    /// End a suspension before its time
    #[command(before_help = "Example:\n  fallow capacity resume level2")]
    Resume(Resume),
    /// Set what your trust keeps for itself
    #[command(subcommand)]
    Reserve(Reserve),
    /// Declare the OPEL level of your trust, 1 to 4
    #[command(
        before_help = "Examples:\n  fallow capacity opel 3\n  fallow capacity opel 3 --declared-at 07:30\n\nOnly what a \
                       trust declares is an OPEL; our own number of pressure is worked out, see fallow situation."
    )]
    Opel(Opel),
    /// Ask another trust to confirm or correct its figures
    #[command(before_help = "Example:\n  fallow capacity ask ZA5 --resource level2")]
    Ask(Ask),
    /// Make what a site offers what a sheet says
    Apply(Apply),
}

/// Says what can be spared, in full.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow capacity publish --resource level2 --count 2 --until 20:00\n  fallow capacity \
                        publish --resource theatre --specialty 110 --count 240 --from \"thu 13:30\" --until \"thu 17:30\"\n\n\
                        Short form: fallow free 2 level2 --until 20:00"
)]
pub(crate) struct Publish {
    /// What: level2, level3, g&a, mri, theatre, or kind/code such as bed/cc_adult/2
    #[arg(long, value_parser = resource)]
    pub(super) resource: Resource,
    /// How many are free; theatre: minutes
    #[arg(long, value_parser = count_from_0)]
    pub(super) count: i64,
    #[command(flatten)]
    pub(super) terms: Terms,
}

/// `fallow free 2 level2 --until 20:00`
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow free 2 level2 --until 20:00\n  fallow free 1 level3 --until +4h --capability \
                        isolation\n\nExact alias of: fallow capacity publish --count 2 --resource level2 --until 20:00"
)]
pub(crate) struct Free {
    /// How many are free; theatre: minutes
    #[arg(value_parser = count_from_0)]
    pub(super) count: i64,
    /// What: level2, level3, g&a, mri, theatre, or kind/code such as bed/cc_adult/2
    #[arg(value_parser = resource)]
    pub(super) resource: Resource,
    #[command(flatten)]
    pub(super) terms: Terms,
}

/// The terms of an offer.
#[derive(Debug, Args)]
pub(super) struct Terms {
    /// Until when: 20:00, +4h, "tomorrow 08:00", RFC 3339
    #[arg(long)]
    pub(super) until: String,
    /// From when. Sessions and slots need it; of all else the default is now
    #[arg(long)]
    pub(super) from: Option<String>,
    /// ODS site code. Default: the context's
    #[arg(long)]
    pub(super) site: Option<String>,
    /// Treatment Function Code, such as 110; repeat for more. A theatre session needs one
    #[arg(long)]
    pub(super) specialty: Vec<String>,
    /// What the place can do, such as isolation; repeat for more
    #[arg(long)]
    pub(super) capability: Vec<String>,
    /// A role that is still missing, such as ODP; repeat for more. Without any, the place is staffed
    #[arg(long, value_name = "ROLE")]
    pub(super) needs_team: Vec<String>,
    /// Youngest age that can be taken
    #[arg(long)]
    pub(super) age_min: Option<i32>,
    /// Oldest age that can be taken
    #[arg(long)]
    pub(super) age_max: Option<i32>,
    /// The only sex that can be taken: female or male
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<Sex>())]
    pub(super) sex: Option<Sex>,
    /// Highest body-mass index that can be taken
    #[arg(long)]
    pub(super) bmi_max: Option<i32>,
    /// Highest ASA grade that can be taken
    #[arg(long)]
    pub(super) asa_max: Option<i32>,
    /// How often you promise to say whether it is still true
    #[arg(long, default_value = "1h")]
    pub(super) cadence: String,
    /// The campaign it is a part of, such as "Saturday lists": its cases can be answered at once
    #[arg(long, default_value = "")]
    pub(super) campaign: String,
    /// Your own key for this offer: the same key changes the same offer. Default: made of site and resource
    #[arg(long)]
    pub(super) key: Option<String>,
    /// A note without patient details
    #[arg(long, default_value = "")]
    pub(super) note: String,
    /// Say that a change by more than half and more than 10 is meant
    #[arg(long)]
    pub(super) confirm_large_change: bool,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Moves what is free.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  fallow capacity adjust 0198c2 --by -1\n\nShort form: fallow take 1 level2"
)]
pub(crate) struct Adjust {
    /// Id of the offer, the beginning of one, or a resource of which there is one offer
    pub(super) offer: String,
    /// Units to add to what is free; negative takes away
    #[arg(long, allow_negative_numbers = true)]
    pub(super) by: i64,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// `fallow take 1 level2`
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow take 1 level2\n  fallow take 2 0198c2\n\nExact alias of: fallow capacity adjust \
                        level2 --by -1"
)]
pub(crate) struct Take {
    /// Units that are no longer free
    #[arg(value_parser = count_from_1)]
    pub(super) count: i64,
    /// Id of the offer, the beginning of one, or a resource of which there is one offer
    pub(super) offer: String,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Says "still true".
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow still-true\n  fallow still-true level2\n\nfallow still-true is an exact alias of: \
                        fallow capacity confirm --all"
)]
pub(crate) struct Confirm {
    /// Ids, beginnings of ids, or one resource
    pub(super) offers: Vec<String>,
    /// All offers of your trust
    #[arg(long, conflicts_with = "offers")]
    pub(super) all: bool,
    /// All offers of this site
    #[arg(long)]
    pub(super) site: Option<String>,
    #[command(flatten)]
    pub(super) change: Change,
}

/// Lists offers.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow mine\n  fallow mine --stale\n  fallow capacity list --everyone -o csv\n\nShort \
                        form: fallow mine"
)]
pub(crate) struct List {
    /// Only this trust's; repeat for more
    #[arg(long, value_name = "ODS")]
    pub(super) trust: Vec<String>,
    /// Every trust's that you may see
    #[arg(long, conflicts_with = "trust")]
    pub(super) everyone: bool,
    /// Only of this site
    #[arg(long)]
    pub(super) site: Vec<String>,
    /// Only of this resource
    #[arg(long, value_parser = resource)]
    pub(super) resource: Option<Resource>,
    /// Only what is too old to be proposed
    #[arg(long)]
    pub(super) stale: bool,
    /// Only in this state; repeat for more. Default: open and suspended
    #[arg(long, value_parser = codes::of::<offer::State>())]
    pub(super) state: Vec<offer::State>,
    /// Go on showing what changes
    #[arg(short, long)]
    pub(super) watch: bool,
}

/// Takes an offer back.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Id of the offer, or the beginning of one
    pub(super) id: String,
    /// Why: capacity_changed, staffing, case_mix, equipment, infection_control, finance or other
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<DeclineReason>())]
    pub(super) reason: DeclineReason,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Takes no new holds.
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    /// Ids, beginnings of ids, or one resource
    #[arg(required = true)]
    pub(super) offers: Vec<String>,
    /// Until when
    #[arg(long)]
    pub(super) until: String,
    /// Why, in words
    #[arg(long)]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) change: Change,
}

/// Ends a suspension.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Ids, beginnings of ids, or one resource
    #[arg(required = true)]
    pub(super) offers: Vec<String>,
    #[command(flatten)]
    pub(super) change: Change,
}

/// `fallow capacity reserve …`
#[derive(Debug, Subcommand)]
pub(crate) enum Reserve {
    /// Keep this many for your own trust
    #[command(before_help = "Example:\n  fallow capacity reserve set level2 1")]
    Set {
        /// What
        #[arg(value_parser = resource)]
        resource: Resource,
        /// How many
        #[arg(value_parser = count_from_0)]
        units: i64,
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        expect: Expect,
    },
}

/// Declares an OPEL level.
#[derive(Debug, Args)]
pub(crate) struct Opel {
    /// The OPEL level, 1 to 4
    #[arg(value_name = "LEVEL", value_parser = clap::value_parser!(i32).range(1..=4))]
    pub(super) opel: i32,
    /// When it was declared: 07:30, -2h or a date with a time. Default: now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) declared_at: Option<String>,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) expect: Expect,
}

/// Asks another trust.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// ODS code of the trust
    pub(super) trust: String,
    /// About what. Default: everything that is not fresh
    #[arg(long, value_parser = resource)]
    pub(super) resource: Option<Resource>,
    /// Only about what could serve this need: its id, the beginning of one, or its case reference
    #[arg(long)]
    pub(super) need: Option<String>,
    #[command(flatten)]
    pub(super) change: Change,
}

impl From<Free> for Publish {
    fn from(short: Free) -> Self {
        Self { resource: short.resource, count: short.count, terms: short.terms }
    }
}

impl From<Take> for Adjust {
    fn from(short: Take) -> Self {
        Self { offer: short.offer, by: -short.count, change: short.change, expect: short.expect }
    }
}

impl Confirm {
    /// Makes `still-true` without a choice mean all.
    pub(crate) fn or_all(mut self) -> Self {
        self.all = self.all || (self.offers.is_empty() && self.site.is_none());
        self
    }
}
