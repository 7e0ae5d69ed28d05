//! `fallow board`: the region, your inbox and what happens. On a terminal it fills the screen and takes keys; elsewhere
//! it prints once.

mod draw;
mod live;
mod picture;
mod state;

use clap::Args;
use fallow_api::v1::{ProposalFilter, TransferFilter, transfer};

use super::failure::{Exit, Failure};
use super::options::Format;
use super::output::{Layout, Record as _};
use super::session::Session;
use super::{proposal, situation, transfer as transfers};

/// Shows the board.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow board\n  fallow board | mail -s \"the region now\" duty@example.nhs.uk\n\nOn a \
                        terminal it fills the screen: tab goes from pane to pane, enter explains, a accepts, d declines,\n\
                        / filters, : takes any command, ? lists the keys, q ends it. Elsewhere it prints once."
)]
pub(crate) struct Board {}

/// Runs `fallow board`.
pub(crate) async fn run(session: &mut Session<'_>, _: Board) -> Result<Exit, Failure> {
    if session.terminal.interactive {
        return live::run(session).await;
    }
    print(session).await?;
    Ok(Exit::Ok)
}

fn waiting() -> ProposalFilter {
    ProposalFilter { waiting_for_me: true, ..ProposalFilter::default() }
}

fn on_the_way() -> TransferFilter {
    let states = [transfer::State::Ready, transfer::State::InTransit, transfer::State::Repatriating];
    TransferFilter { states: states.map(i32::from).into(), ..TransferFilter::default() }
}

/// Reads everything first and writes at once.
async fn print(session: &mut Session<'_>) -> Result<(), Failure> {
    let situation = situation::get(session, "").await?;
    let inbox = proposal::suggestions(session, &waiting()).await?;
    let moving = transfers::all(session, &on_the_way()).await?;
    let view = session.view();
    let layout = Layout { format: Format::Table, columns: Vec::new() };
    let is_quiet = session.global.format() == Format::Id;
    let terminal = &mut session.terminal;
    if is_quiet {
        let ids = inbox.iter().map(|one| one.id()).chain(moving.iter().map(|one| one.id()));
        let ids: String = ids.map(|id| format!("{id}\n")).collect();
        return terminal.data(&ids);
    }
    situation::show(terminal, &situation, &layout, &view)?;
    terminal.data(&format!("\nInbox ({})\n", inbox.len()))?;
    match inbox.is_empty() {
        true => terminal.data("  nothing waits for your answer\n")?,
        false => terminal.list(&inbox, &layout, &view)?,
    }
    terminal.data(&format!("\nMoving ({})\n", moving.len()))?;
    match moving.is_empty() {
        true => terminal.data("  nothing is on the way\n")?,
        false => terminal.list(&moving, &layout, &view)?,
    }
    terminal.out.flush()?;
    Ok(())
}
