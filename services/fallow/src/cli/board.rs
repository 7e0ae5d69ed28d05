//! `fallow board`: the region, your inbox and what moves, on one screen that redraws when something changes.

use std::time::Duration;

use clap::Args;
use fallow_api::v1::{
    ProposalFilter, TransferFilter, WatchProposalsRequest, WatchSituationRequest, WatchTransfersRequest,
    transfer,
};
use tokio::time::{interval, sleep};

use super::failure::{Exit, Failure};
use super::options::Format;
use super::output::Layout;
use super::session::Session;
use super::watch::{Feed, Happening, unless_away};
use super::{proposal, situation, transfer as transfers};

/// The board is drawn again this often even when nothing changes: holds run out and figures age.
const AGES_MOVE: Duration = Duration::from_secs(10);
/// Changes that come closer together than this are drawn once.
const DRAW_TOGETHER: Duration = Duration::from_millis(300);

/// Shows the board.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow board\n  fallow board | mail -s \"the region now\" duty@example.nhs.uk\n\nOn a \
                        terminal it stays and redraws; elsewhere it prints once. Ctrl-C ends it."
)]
pub(crate) struct Board {}

/// Runs `fallow board`.
pub(crate) async fn run(session: &mut Session<'_>, _: Board) -> Result<Exit, Failure> {
    draw(session).await?;
    if !session.terminal.interactive {
        return Ok(Exit::Ok);
    }
    let (mut region, mut inbox, mut moving) = (session.monitor()?, session.matching()?, session.matching()?);
    let mut region = Feed::new(String::new(), async move |cursor| {
        let ask = WatchSituationRequest { cursor, collaborative: String::new() };
        region.watch_situation(ask).await.map(tonic::Response::into_inner)
    });
    let mut inbox = Feed::new(String::new(), async move |cursor| {
        let ask = WatchProposalsRequest { cursor, filter: Some(waiting()) };
        inbox.watch_proposals(ask).await.map(tonic::Response::into_inner)
    });
    let mut moving = Feed::new(String::new(), async move |cursor| {
        let ask = WatchTransfersRequest { cursor, filter: Some(on_the_way()) };
        moving.watch_transfers(ask).await.map(tonic::Response::into_inner)
    });
    let mut tick = interval(AGES_MOVE);
    loop {
        let notice = tokio::select! {
            _ = tick.tick() => None,
            happening = region.next() => said(happening?),
            happening = inbox.next() => said(happening?),
            happening = moving.next() => said(happening?),
        };
        match notice {
            Some(notice) => session.terminal.say(&notice)?,
            None => {
                sleep(DRAW_TOGETHER).await;
                // While the services are away the last picture stays, with the words that it is not live below it.
                unless_away(draw(session).await, session)?;
            }
        }
    }
}

fn said<E>(happening: Happening<E>) -> Option<String> {
    match happening {
        Happening::Event(_) => None,
        Happening::Notice(notice) => Some(notice),
    }
}

fn waiting() -> ProposalFilter {
    ProposalFilter { waiting_for_me: true, ..ProposalFilter::default() }
}

fn on_the_way() -> TransferFilter {
    let states = [transfer::State::Ready, transfer::State::InTransit, transfer::State::Repatriating];
    TransferFilter { states: states.map(i32::from).into(), ..TransferFilter::default() }
}

/// Reads everything first and draws at once, so that the screen never stands half empty.
async fn draw(session: &mut Session<'_>) -> Result<(), Failure> {
    let situation = situation::get(session, "").await?;
    let inbox = proposal::suggestions(session, &waiting()).await?;
    let moving = transfers::all(session, &on_the_way()).await?;
    let view = session.view();
    let layout = Layout { format: Format::Table, columns: Vec::new() };
    let terminal = &mut session.terminal;
    if terminal.interactive {
        terminal.clear()?;
    }
    situation::show(terminal, &situation, Format::Table, &view)?;
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
