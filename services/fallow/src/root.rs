//! The whole command: what a person types after `fallow`.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use fallow_host::clock::Clock;

use crate::cli::audit::AuditCommand;
use crate::cli::{self, Colour, Exit, Global, Terminal};

/// Finds the bed, theatre or scanner that lies fallow one trust away.
#[derive(Debug, Parser)]
#[command(name = "fallow", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    before_help = "Examples:\n  fallow free 2 level2 --until 20:00     say what you can spare\n  fallow need 1 level3 --by \
                         16:00        raise a need\n  fallow inbox                           what waits for your answer\n  \
                         fallow accept 0198c2                   say yes\n  fallow why-not LC-120                  why nothing \
                         fits, and what would\n  fallow dev                             a demonstration, nothing else needed"
)]
pub struct Root {
    /// The options of every client command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Servers and batch commands first; everything else is a client command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Finds the best plan for the offers and needs of files, once.
    #[command(display_order = 31)]
    Match(Box<crate::match_files::MatchArgs>),
    /// Replays a log through the engine: same input, same decisions.
    #[command(display_order = 31)]
    Replay(Box<crate::replay::ReplayArgs>),
    /// Shows the whole system in one process, with a simulated winter's day.
    #[command(display_order = 30)]
    Dev(crate::dev::DevArgs),
    /// Runs roles of Fallow in this process until it is told to stop.
    #[command(display_order = 32)]
    Serve(crate::serve::ServeArgs),
    /// Asks a process of this machine whether it serves.
    #[command(display_order = 32)]
    Healthcheck(crate::healthcheck::HealthcheckArgs),
    /// Makes a throw-away authority, and certificates for this machine and for systems. For development only.
    #[command(display_order = 34)]
    DevCa(crate::dev_ca::DevCaArgs),
    /// Makes keys, and tokens that are signed with them.
    #[command(subcommand, display_order = 34)]
    Token(crate::token::TokenCommand),
    /// Looks after the store that the ledger lies in.
    #[command(subcommand, display_order = 33)]
    Ledger(cli::ledger::LedgerCommand),
    /// Reads the audit trail, and archives: whether one is as it was written, and what it says.
    #[command(subcommand, display_order = 33)]
    Audit(AuditCommand),
    /// Makes what an archive needs.
    #[command(subcommand, display_order = 33)]
    Archive(cli::archive::ArchiveCommand),
    /// A client command.
    #[command(flatten)]
    Client(Box<cli::Verb>),
}

impl Command {
    /// Returns the client command that it is; `None` for servers and batch commands. Of the audit, the trail is a client's.
    #[must_use]
    pub fn client(self) -> Option<Box<cli::Verb>> {
        match self {
            Self::Client(verb) => Some(verb),
            Self::Audit(AuditCommand::Mine(args)) => Some(Box::new(cli::Verb::AuditMine(args))),
            Self::Audit(AuditCommand::Archive(_))
            | Self::Match(_)
            | Self::Replay(_)
            | Self::Dev(_)
            | Self::Serve(_)
            | Self::Healthcheck(_)
            | Self::DevCa(_)
            | Self::Token(_)
            | Self::Ledger(_)
            | Self::Archive(_) => None,
        }
    }
}

/// Runs the command of this process.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Root::try_parse_from(args) {
        Ok(root) => match root.command {
            Command::Match(args) => crate::match_files::run(*args),
            Command::Replay(args) => crate::replay::run(&args),
            Command::Dev(args) => crate::dev::run(&args, &root.global.state_folder()),
            Command::Serve(args) => crate::serve::run(&args),
            Command::Healthcheck(args) => crate::healthcheck::run(&args),
            Command::DevCa(args) => crate::dev_ca::run(&args),
            Command::Token(command) => crate::token::run(&command),
            Command::Ledger(command) => cli::ledger::run(&command),
            Command::Audit(AuditCommand::Mine(args)) => client(cli::Verb::AuditMine(args), root.global),
            Command::Audit(AuditCommand::Archive(command)) => cli::audit::run(&command),
            Command::Archive(command) => cli::archive::run(&command),
            Command::Client(verb) => client(*verb, root.global),
        },
        Err(error) => {
            // Help and version are no errors: clap knows which is which, and where each is written.
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Ok.code() })
        }
    }
}

/// Runs a client command on this process's terminal.
fn client(verb: cli::Verb, mut global: Global) -> ExitCode {
    let choice = match global.color {
        Colour::Auto => anstream::AutoStream::choice(&std::io::stdout()),
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
    };
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let interactive = out.is_terminal();
    // Who sees the question and can type the answer is asked, wherever the data goes. Who can type and would not see it, for
    // what is said goes to a file, has to say --yes: that is a person, not a script.
    let can_type = std::io::stdin().is_terminal();
    let is_asked = can_type && err.is_terminal();
    global.no_input |= can_type && !is_asked;
    let input: Option<Box<dyn BufRead + Send>> =
        if is_asked { Some(Box::new(BufReader::new(std::io::stdin()))) } else { None };
    let terminal = Terminal {
        colour: choice != anstream::ColorChoice::Never,
        interactive,
        ascii: false,
        input,
        out: &mut out,
        err: &mut err,
    };
    let exit = block_on(cli::run(verb, global, Root::command(), Clock::system(), terminal));
    match std::io::stdout().flush() {
        Ok(()) => ExitCode::from(exit.code()),
        Err(_) => ExitCode::from(Exit::Failed.code()),
    }
}

/// One thread is enough for one person's command.
fn block_on(command: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: RUNTIME: {error}");
            Exit::Failed
        }
    }
}
