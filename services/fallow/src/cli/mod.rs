//! The command line: a client of the public API like any other.
//!
//! One file for each noun holds what it takes and what it does; `session` is the way to the services, `output` the way
//! to the reader, `failure` what is said when something fails.

mod action;
mod alert;
pub(crate) mod archive;
mod ascii;
pub(crate) mod audit;
mod board;
mod campaign;
mod capacity;
mod codes;
mod cohort;
mod context;
mod demand;
mod doctor;
mod exchange;
mod failure;
mod feed;
pub(crate) mod given;
pub(crate) mod ledger;
mod login;
mod manual;
mod options;
mod output;
mod page;
mod pick;
mod ping;
mod proposal;
mod region;
mod report;
mod rows;
mod schema;
mod session;
mod settings;
mod sheets;
mod shorthand;
mod simulate;
mod sitrep;
mod situation;
mod time;
mod timeline;
mod transfer;
mod version;
mod watch;

use clap::Subcommand;
use clap_complete::Shell;
use fallow_host::clock::Clock;

pub use failure::Exit;
pub use options::{Colour, Global};
pub use output::Terminal;
pub use settings::{Context, DevFiles, EachEndpoint, Endpoints};

pub(crate) use time::{duration, zone};

use ascii::Ascii;
use failure::Failure;
use session::Session;

/// What a client can ask for. The short verbs are exact aliases of long forms, as their help says.
#[derive(Debug, Subcommand)]
#[expect(private_interfaces, reason = "what a verb takes is made by the parser and used here alone")]
pub enum Verb {
    /// Say what you can spare: fallow free 2 level2 --until 20:00
    #[command(display_order = 1)]
    Free(capacity::Free),
    /// Say that something is no longer free: fallow take 1 level2
    #[command(display_order = 2)]
    Take(capacity::Take),
    /// Raise a need: fallow need 1 level3 --by 16:00
    #[command(display_order = 3)]
    Need(demand::ShortNeed),
    /// Say that your figures are still true
    #[command(display_order = 4)]
    StillTrue(capacity::Confirm),
    /// Show the proposals that wait for your answer
    #[command(display_order = 5)]
    Inbox(proposal::Inbox),
    /// Accept a proposal for your side
    #[command(display_order = 6)]
    Accept(proposal::Accept),
    /// Decline a proposal for your side, with a reason
    #[command(display_order = 7)]
    Decline(proposal::Decline),
    /// Say why a proposal was made
    #[command(display_order = 8)]
    Why(proposal::Why),
    /// Say why a need is not served, and what would help
    #[command(display_order = 9)]
    WhyNot(demand::WhyNot),
    /// List your trust's offers
    #[command(display_order = 10)]
    Mine(capacity::List),
    /// Show the region, your inbox and what moves; stays on a terminal
    #[command(display_order = 11)]
    Board(board::Board),
    /// Show the region: every trust by every resource
    #[command(display_order = 12)]
    Situation(situation::Show),
    /// Print what changes, one JSON line each
    #[command(display_order = 13)]
    Watch(watch::Watch),
    /// What your trust can spare
    #[command(subcommand, display_order = 14)]
    Capacity(capacity::Capacity),
    /// What your trust needs
    #[command(subcommand, display_order = 15)]
    Demand(demand::Demand),
    /// Needs of your trust that carry one name, changed together
    #[command(subcommand, display_order = 15)]
    Cohort(cohort::Cohorts),
    /// Say that a case on your waiting list still stands
    #[command(display_order = 15)]
    Validate(demand::Validate),
    /// What the engine suggests
    #[command(subcommand, display_order = 16)]
    Proposal(proposal::Proposals),
    /// Sessions or slots that a trust gives as one block, and one answer to their cases
    #[command(subcommand, display_order = 17)]
    Campaign(campaign::Campaigns),
    /// What follows when both trusts said yes
    #[command(subcommand, display_order = 18)]
    Transfer(transfer::Transfers),
    /// List who is to come back, is due, or is on the way home
    #[command(display_order = 18)]
    Returns(transfer::Returns),
    /// The region file
    #[command(subcommand, display_order = 19)]
    Region(region::Region),
    /// Switch a collaborative between routine and incident; gold only
    #[command(display_order = 20)]
    Mode(region::SetMode),
    /// End a proposal that nobody has answered, and say why; gold only, in an incident
    #[command(display_order = 20)]
    Bypass(proposal::Bypass),
    /// Try changes on a copy: fallow simulate -f scenario.toml
    #[command(display_order = 20)]
    Simulate(simulate::Simulate),
    /// Read a sheet of offers or needs, or FHIR requests, or make an empty sheet to fill in
    #[command(subcommand, display_order = 20)]
    Import(sheets::Import),
    /// Write offers or needs as CSV or XLSX, capacity as EDXL-HAVE or FHIR
    #[command(subcommand, display_order = 20)]
    Export(sheets::Export),
    /// What somebody should act on
    #[command(subcommand, display_order = 20)]
    Alert(alert::Alerts),
    /// Show what happened, in plain words
    #[command(display_order = 20)]
    Timeline(timeline::Timeline),
    /// Decisions of gold
    #[command(subcommand, display_order = 20)]
    Decision(timeline::Decisions),
    /// Show a report: fallow report unmet
    #[command(display_order = 20)]
    Report(report::Report),
    /// Show one measure over time, with what is usual of it
    #[command(display_order = 20)]
    Trend(report::Trend),
    /// Show the situation report, or sign it off: fallow sitrep --at 08:00
    #[command(display_order = 20)]
    Sitrep(sitrep::Report),
    /// What needs two people: breaking glass, a new region file
    #[command(subcommand, display_order = 20)]
    Action(action::Actions),
    /// `fallow audit mine`: parsed beside the commands that read archives
    #[command(skip)]
    AuditMine(audit::mine::Mine),
    /// Where and as whom commands act
    #[command(subcommand, display_order = 21)]
    Context(context::Contexts),
    /// Your credential
    #[command(subcommand, display_order = 22)]
    Auth(context::Auth),
    /// Ask each service whether it serves
    #[command(display_order = 23)]
    Ping,
    /// Look for what is wrong between you and the services, and say what to do
    #[command(display_order = 23)]
    Doctor(doctor::Doctor),
    /// How fresh each trust's figures are
    #[command(subcommand, display_order = 19)]
    Feed(feed::Feeds),
    /// Say what a reason means and what to do about it
    #[command(display_order = 24, before_help = "Examples:\n  fallow errors HOLD_EXPIRED\n  fallow errors")]
    Errors {
        /// The reason, such as HOLD_EXPIRED. Default: all of them
        reason: Option<String>,
    },
    /// Print the completion script of a shell
    #[command(
        display_order = 25,
        before_help = "Example:\n  fallow completion bash > /etc/bash_completion.d/fallow"
    )]
    Completion {
        /// bash, zsh, fish, powershell or elvish
        shell: Shell,
    },
    /// Print what people look up most, by topic
    #[command(display_order = 24, before_help = "Examples:\n  fallow cheat\n  fallow cheat sheets")]
    Cheat {
        /// capacity, needs, answers, sheets, scripts or gold. Default: all of them
        topic: Option<String>,
    },
    /// Print a page of the manual, for man
    #[command(
        display_order = 25,
        before_help = "Examples:\n  fallow man capacity publish | man -l -\n  fallow man --to /usr/local/share/man/man1"
    )]
    Man(manual::Man),
    /// Print the shape of what -o json writes and files hold, as JSON Schema
    #[command(
        display_order = 25,
        before_help = "Examples:\n  fallow schema offer > offer.schema.json\n  fallow schema"
    )]
    Schema {
        /// The message, such as Offer or Situation.Cell. Default: the names of all
        message: Option<String>,
    },
    /// Print the version, of the services too with --all
    #[command(display_order = 26)]
    Version(version::Version),
}

/// Runs one client command to its end; says on the side why it failed, and returns what the shell sees.
///
/// `root` is the whole command, for the completion script. Ends early by Ctrl-C, with [`Exit::Interrupted`].
pub async fn run(
    verb: Verb,
    global: Global,
    root: clap::Command,
    clock: Clock,
    terminal: Terminal<'_>,
) -> Exit {
    // What programs read stays as it is; what is said on the side is for people wherever it goes.
    let is_for_people = matches!(global.format(), options::Format::Table | options::Format::Wide);
    let ascii = is_for_people && global.ascii(terminal.interactive);
    let mut err = Ascii::new(terminal.err, global.ascii(true));
    let Terminal { out, interactive, colour, input, .. } = terminal;
    let terminal = Terminal { out, err: &mut err, interactive, colour, ascii, input };
    let is_sitrep = matches!(verb, Verb::Sitrep(_));
    let mut session = Session::new(global, clock, terminal);
    if session.global.format() == options::Format::Xlsx && !is_sitrep {
        let failure = Failure::usage("-o xlsx is the situation report's")
            .next("fallow export xlsx offers --out offers.xlsx, which writes records as a workbook");
        return session.fail(&failure);
    }
    if let Err(failure) = session.global.check_columns() {
        return session.fail(&failure);
    }
    let ended = tokio::select! {
        biased;
        ended = act(verb, &mut session, root) => ended,
        _ = tokio::signal::ctrl_c() => return Exit::Interrupted,
    };
    match ended {
        Ok(exit) => exit,
        Err(failure) => session.fail(&failure),
    }
}

async fn act(verb: Verb, session: &mut Session<'_>, mut root: clap::Command) -> Result<Exit, Failure> {
    match verb {
        Verb::Context(command) => return context::run(session, command),
        Verb::Simulate(args) if args.is_apart() => return simulate::run_apart(session, args),
        Verb::Errors { reason } => return ping::errors(session, reason.as_deref()),
        Verb::Schema { message } => return schema::run(session, message.as_deref()),
        Verb::Version(args) if !args.all => return version::run(session, &args).await,
        Verb::Doctor(args) => return doctor::run(session, &args).await,
        Verb::Cheat { topic } => return manual::cheat(session, topic.as_deref()),
        Verb::Man(args) => return manual::man(session, &args, root),
        Verb::Import(sheets::Import::Template(args)) => return sheets::template(session, &args).await,
        Verb::Completion { shell } => {
            clap_complete::generate(shell, &mut root, "fallow", &mut session.terminal.out);
            return Ok(Exit::Ok);
        }
        Verb::Free(_)
        | Verb::Take(_)
        | Verb::Need(_)
        | Verb::StillTrue(_)
        | Verb::Inbox(_)
        | Verb::Accept(_)
        | Verb::Decline(_)
        | Verb::Why(_)
        | Verb::WhyNot(_)
        | Verb::Mine(_)
        | Verb::Board(_)
        | Verb::Situation(_)
        | Verb::Watch(_)
        | Verb::Capacity(_)
        | Verb::Demand(_)
        | Verb::Cohort(_)
        | Verb::Validate(_)
        | Verb::Returns(_)
        | Verb::Bypass(_)
        | Verb::Proposal(_)
        | Verb::Campaign(_)
        | Verb::Transfer(_)
        | Verb::Region(_)
        | Verb::Mode(_)
        | Verb::Simulate(_)
        | Verb::Import(_)
        | Verb::Export(_)
        | Verb::Feed(_)
        | Verb::Auth(context::Auth::Whoami)
        | Verb::Alert(_)
        | Verb::Report(_)
        | Verb::Trend(_)
        | Verb::Timeline(_)
        | Verb::Decision(_)
        | Verb::Sitrep(_)
        | Verb::Action(_)
        | Verb::AuditMine(_)
        | Verb::Version(_)
        | Verb::Ping => session.open().await?,
        Verb::Auth(context::Auth::Login(_) | context::Auth::Logout) => session.open_without_sign_in()?,
    }
    match verb {
        Verb::Free(args) => capacity::publish(session, args.into()).await,
        Verb::Take(args) => capacity::adjust(session, args.into()).await,
        Verb::Need(args) => demand::raise(session, args.into()).await,
        Verb::StillTrue(args) => capacity::confirm(session, args.or_all()).await,
        Verb::Inbox(args) => proposal::list(session, args.into()).await,
        Verb::Accept(args) => proposal::accept(session, args).await,
        Verb::Decline(args) => proposal::decline(session, args).await,
        Verb::Why(args) => proposal::explain(session, args).await,
        Verb::WhyNot(args) => demand::explain(session, args).await,
        Verb::Mine(args) => capacity::list(session, args).await,
        Verb::Board(args) => board::run(session, args).await,
        Verb::Situation(args) => situation::run(session, args).await,
        Verb::Watch(args) => watch::run(session, args).await,
        Verb::Capacity(command) => capacity::run(session, command).await,
        Verb::Demand(command) => demand::run(session, command).await,
        Verb::Cohort(command) => cohort::run(session, command).await,
        Verb::Validate(args) => demand::validate(session, args).await,
        Verb::Returns(args) => transfer::list(session, args.into()).await,
        Verb::Bypass(args) => proposal::bypass(session, args).await,
        Verb::Proposal(command) => proposal::run(session, command).await,
        Verb::Campaign(command) => campaign::run(session, command).await,
        Verb::Transfer(command) => transfer::run(session, command).await,
        Verb::Region(command) => region::run(session, command).await,
        Verb::Mode(args) => region::set_mode(session, args).await,
        Verb::Simulate(args) => simulate::run(session, args).await,
        Verb::Import(command) => sheets::import(session, command).await,
        Verb::Feed(command) => feed::run(session, command).await,
        Verb::Export(command) => sheets::export(session, command).await,
        Verb::Alert(command) => alert::run(session, command).await,
        Verb::Timeline(args) => timeline::run(session, args).await,
        Verb::Decision(command) => timeline::decide(session, command).await,
        Verb::Report(args) => report::run(session, args).await,
        Verb::Trend(args) => report::trend(session, args).await,
        Verb::Sitrep(args) => sitrep::run(session, args).await,
        Verb::Action(command) => action::run(session, command).await,
        Verb::AuditMine(args) => audit::mine::run(session, args).await,
        Verb::Auth(context::Auth::Whoami) => context::whoami(session),
        Verb::Auth(context::Auth::Login(how)) => login::login(session, &how).await,
        Verb::Auth(context::Auth::Logout) => login::logout(session).await,
        Verb::Ping => ping::run(session).await,
        Verb::Version(args) => version::run(session, &args).await,
        // Done above, without a service.
        Verb::Context(_)
        | Verb::Errors { .. }
        | Verb::Completion { .. }
        | Verb::Cheat { .. }
        | Verb::Doctor(_)
        | Verb::Man(_)
        | Verb::Schema { .. } => Ok(Exit::Ok),
    }
}
