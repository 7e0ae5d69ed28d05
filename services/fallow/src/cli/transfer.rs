//! `fallow transfer`: what follows when both trusts said yes.

use clap::{Args, Subcommand};
use fallow_api::client::Client;
use fallow_api::render;
use fallow_api::v1::{
    AbortTransferRequest, AdvanceTransferRequest, DeclineReason, ExtendTransferRequest, GetTransferRequest,
    ListTransfersRequest, ReturnPlan, Transfer, TransferFilter, Transport, WatchTransfersRequest, transfer,
};

use super::codes;
use super::failure::{Exit, Failure};
use super::options::{Format, OfOne};
use super::page::pages;
use super::pick::pick;
use super::session::Session;
use super::time::{self, to_wire};
use super::timeline::history;
use super::watch::follow;

/// The command that shows what there is, for errors.
const LIST: &str = "fallow transfer list";

/// `fallow transfer …`
#[derive(Debug, Subcommand)]
pub(crate) enum Transfers {
    /// List transfers, the first due first
    List(List),
    /// Show one transfer with its checklist and its steps
    #[command(before_help = "Example:\n  fallow transfer show 0198d4")]
    Show {
        /// Id of the transfer, or the beginning of one
        id: String,
    },
    /// Show what happened to one transfer, from its proposal on
    #[command(before_help = "Example:\n  fallow transfer history 0198d4")]
    History {
        /// Id of the transfer, or the beginning of one
        id: String,
    },
    /// Take a transfer to its next step, or mark its checklist and transport
    Advance(Advance),
    /// Let lent staff or a lent item, or somebody who is to come back, stay until another time
    Extend(Extend),
    /// Stop a transfer before arrival; the units are given back
    Abort(Abort),
}

/// Lists transfers.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow transfer list\n  fallow transfer list --state in_transit --watch"
)]
pub(crate) struct List {
    /// Only with this trust on either side; repeat for more
    #[arg(long, value_name = "ODS")]
    trust: Vec<String>,
    /// Only in this state; repeat for more. Default: the live ones
    #[arg(long, value_parser = codes::of::<transfer::State>())]
    state: Vec<transfer::State>,
    /// Only patients who are to come back, are due, or are on the way: the repatriation list
    #[arg(long)]
    returning: bool,
    /// Go on showing what changes
    #[arg(short, long)]
    watch: bool,
}

/// `fallow returns`
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow returns\n  fallow returns --watch\n\nExact alias of: fallow transfer list \
                        --returning. When somebody is to come back: fallow transfer advance ID --return-by TIME"
)]
pub(crate) struct Returns {
    /// Go on showing what changes
    #[arg(short, long)]
    watch: bool,
}

impl From<Returns> for List {
    fn from(short: Returns) -> Self {
        Self { trust: Vec::new(), state: Vec::new(), returning: true, watch: short.watch }
    }
}

/// Takes a transfer on.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow transfer advance 0198c2 --to in_transit\n  fallow transfer advance 0198c2 --done \
                        \"clinical handover\"\n  fallow transfer advance 0198c2 --transport ambulance --booked\n\nOnly the \
                        trust where the patient, the staff or the item arrives says arrived."
)]
pub(crate) struct Advance {
    #[command(flatten)]
    one: OfOne,
    /// The next state
    #[arg(long, value_parser = codes::of::<transfer::State>())]
    to: Option<transfer::State>,
    /// A checklist item that is done now; repeat for more
    #[arg(long, value_name = "ITEM")]
    done: Vec<String>,
    /// How it travels, such as ambulance
    #[arg(long, value_name = "KIND")]
    transport: Option<String>,
    /// Who carries
    #[arg(long, requires = "transport")]
    provider: Option<String>,
    /// The transport is booked
    #[arg(long, requires = "transport")]
    booked: bool,
    /// When the next step is due
    #[arg(long)]
    due: Option<String>,
    /// When the patient, the staff or the item is to go back
    #[arg(long, value_name = "TIME")]
    return_by: Option<String>,
    /// What was agreed about the way back, without patient details
    #[arg(long, value_name = "WORDS")]
    return_note: Option<String>,
}

/// Changes until when a stay lasts.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow transfer extend 0198c2 --until 20:00\n  fallow transfer extend 0198c2 --until +4h"
)]
pub(crate) struct Extend {
    #[command(flatten)]
    one: OfOne,
    /// Until when; later or earlier than it was
    #[arg(long, value_name = "TIME")]
    until: String,
}

/// Stops a transfer.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  fallow transfer abort 0198c2 --reason not_fit")]
pub(crate) struct Abort {
    #[command(flatten)]
    one: OfOne,
    /// Why: a reason of the side that stops it, as for fallow decline
    #[arg(long, value_parser = codes::of::<DeclineReason>())]
    reason: DeclineReason,
}

/// Runs `fallow transfer …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Transfers) -> Result<Exit, Failure> {
    match command {
        Transfers::List(args) => list(session, args).await,
        Transfers::Show { id } => show(session, &id).await,
        Transfers::History { id } => {
            let found = find(session, &id).await?;
            history(session, vec![found.id, found.proposal]).await
        }
        Transfers::Advance(args) => advance(session, args).await,
        Transfers::Extend(args) => extend(session, args).await,
        Transfers::Abort(args) => abort(session, args).await,
    }
}

/// Runs `fallow transfer list`.
pub(crate) async fn list(session: &mut Session<'_>, args: List) -> Result<Exit, Failure> {
    let filter = TransferFilter {
        trusts: args.trust.iter().map(|trust| trust.to_uppercase()).collect(),
        states: args.state.iter().map(|state| i32::from(*state)).collect(),
        returning: args.returning,
        ..TransferFilter::default()
    };
    if !args.watch {
        return draw(session, &filter).await;
    }
    let watched = filter.clone();
    let open = move |client: Client, cursor| {
        let request = WatchTransfersRequest { cursor, filter: Some(watched.clone()) };
        async move { client.matching().watch_transfers(request).await.map(tonic::Response::into_inner) }
    };
    follow(session, open, async |session| draw(session, &filter).await).await
}

async fn draw(session: &mut Session<'_>, filter: &TransferFilter) -> Result<Exit, Failure> {
    let transfers = all(session, filter).await?;
    let nothing = if filter.returning { "nobody is to come back" } else { "no transfers" };
    session.show_list(&transfers, nothing)
}

/// Reads transfers.
pub(crate) async fn all(session: &Session<'_>, filter: &TransferFilter) -> Result<Vec<Transfer>, Failure> {
    let client = session.matching()?;
    pages(async |page_size, page_token| {
        let request = ListTransfersRequest { page_size, page_token, filter: Some(filter.clone()) };
        let answer = session.call(request, async |ask| client.clone().list_transfers(ask).await).await?;
        Ok((answer.transfers, answer.next_page_token))
    })
    .await
}

async fn show(session: &mut Session<'_>, typed: &str) -> Result<Exit, Failure> {
    let transfer = find(session, typed).await?;
    session.show_one(&transfer)?;
    if matches!(session.global.format(), Format::Table | Format::Wide) {
        let text = details(&transfer, session);
        session.terminal.data(&text)?;
    }
    Ok(Exit::Ok)
}

/// The checklist and the steps, for people.
fn details(transfer: &Transfer, session: &Session<'_>) -> String {
    let view = session.view();
    let mut text = String::new();
    if !transfer.checklist.is_empty() {
        text.push_str("\nChecklist\n");
    }
    for item in &transfer.checklist {
        let done = match item.done_at {
            Some(_) => format!("done {} {}", view.time(item.done_at), item.done_by).trim_end().to_owned(),
            None => "not done".to_owned(),
        };
        text.push_str(&format!("  {:<24}  {done}\n", item.name));
    }
    if let Some(plan) = &transfer.return_plan {
        let due = if plan.due_at.is_some() { view.time(plan.due_at) } else { "day to be agreed".to_owned() };
        text.push_str(format!("\nGoes back\n  {due}  {}", plan.note).trim_end());
        text.push('\n');
    }
    if !transfer.steps.is_empty() {
        text.push_str("\nSteps\n");
    }
    for step in &transfer.steps {
        let state = codes::word::<transfer::State>(step.state);
        let who = format!("{} {}", step.trust, step.role);
        text.push_str(format!("  {:<16}  {state:<16}  {}", view.time(step.at), who.trim()).trim_end());
        text.push('\n');
    }
    text
}

async fn advance(session: &mut Session<'_>, args: Advance) -> Result<Exit, Failure> {
    let is_return = args.return_by.is_some() || args.return_note.is_some();
    let says_nothing = args.to.is_none() && args.done.is_empty() && args.transport.is_none();
    if says_nothing && args.due.is_none() && !is_return {
        return Err(Failure::usage("advance to what?")
            .next("say --to STATE, --done ITEM, --transport KIND, --due TIME or --return-by TIME"));
    }
    let at = |text: &Option<String>| {
        text.as_deref().map(|text| time::parse(text, session.now(), &session.zone)).transpose()
    };
    let (due, return_by) = (at(&args.due)?, at(&args.return_by)?);
    let (transfer, id) = (find(session, &args.one.id).await?, args.one.change.request_id());
    let transport = args.transport.map(|kind| Transport {
        kind,
        provider: args.provider.unwrap_or_default(),
        booked: args.booked,
    });
    // What is not said of the way back stays as it was.
    let before = transfer.return_plan.clone().unwrap_or_default();
    let return_plan = is_return.then(|| ReturnPlan {
        due_at: return_by.map(to_wire).or(before.due_at),
        note: args.return_note.unwrap_or(before.note),
    });
    let request = AdvanceTransferRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        transfer: transfer.id,
        to: args.to.map(i32::from).unwrap_or_default(),
        done: args.done,
        transport,
        due_at: due.map(to_wire),
        return_plan,
    };
    let client = session.matching()?;
    let answer = session.send(&id, request, async |ask| client.clone().advance_transfer(ask).await).await?;
    let done = args.to.map_or_else(|| "marked".to_owned(), |to| codes::word::<transfer::State>(to.into()));
    session.show_changed(answer.transfer.as_ref(), &done, answer.revision)
}

async fn extend(session: &mut Session<'_>, args: Extend) -> Result<Exit, Failure> {
    let until = time::parse(&args.until, session.now(), &session.zone)?;
    let (transfer, id) = (find(session, &args.one.id).await?, args.one.change.request_id());
    let request = ExtendTransferRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        transfer: transfer.id,
        due_at: Some(to_wire(until)),
    };
    let client = session.matching()?;
    let answer = session.send(&id, request, async |ask| client.clone().extend_transfer(ask).await).await?;
    let done = format!("stays until {}", time::show(until, session.now(), &session.zone));
    session.show_changed(answer.transfer.as_ref(), &done, answer.revision)
}

async fn abort(session: &mut Session<'_>, args: Abort) -> Result<Exit, Failure> {
    let (transfer, id) = (find(session, &args.one.id).await?, args.one.change.request_id());
    let what = format!("{} stops, and its units are given back.", in_words(&transfer));
    session.confirm(args.one.change.dry_run, &what).await?;
    let request = AbortTransferRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        transfer: transfer.id,
        reason: args.reason.into(),
    };
    let client = session.matching()?;
    let answer = session.send(&id, request, async |ask| client.clone().abort_transfer(ask).await).await?;
    session.show_changed(answer.transfer.as_ref(), "aborted; the units are given back", answer.revision)
}

/// Names a transfer so that nobody takes it for another: its id, what it moves, from where and to where.
fn in_words(transfer: &Transfer) -> String {
    let resource = transfer.resource.as_ref().map(render::resource).unwrap_or_default();
    let place = |site: &str, trust: &str| match site {
        "" => trust.to_owned(),
        site => format!("{site} ({trust})"),
    };
    let from = place(&transfer.from_site, &transfer.home_trust);
    let to = place(&transfer.to_site, &transfer.supporting_trust);
    format!("Transfer {}, {} x {resource} from {from} to {to},", transfer.id, transfer.units)
}

/// Finds the transfer that a person means: by id, or the beginning of one; live ones first.
async fn find(session: &Session<'_>, typed: &str) -> Result<Transfer, Failure> {
    let client = session.matching()?;
    let exact = GetTransferRequest { transfer: typed.to_owned() };
    match session.call(exact, async |ask| client.clone().get_transfer(ask).await).await {
        Ok(answer) => {
            return answer
                .transfer
                .ok_or_else(|| Failure::new(Exit::NotFound, "NOT_FOUND", "no such transfer"));
        }
        Err(failure) if failure.exit == Exit::NotFound || failure.exit == Exit::Usage => {}
        Err(failure) => return Err(failure),
    }
    let names = |transfer: &Transfer| vec![transfer.id.clone()];
    let live = all(session, &TransferFilter::default()).await?;
    match pick(typed, "transfer", LIST, &live, names) {
        Err(failure) if failure.exit == Exit::NotFound => {}
        found => return found.cloned(),
    }
    let ended = all(session, &TransferFilter { states: ended_states(), ..TransferFilter::default() }).await?;
    pick(typed, "transfer", LIST, &ended, names).cloned()
}

fn ended_states() -> Vec<i32> {
    use transfer::State::{Aborted, Completed, Repatriated, Returned};
    [Completed, Repatriated, Aborted, Returned].map(i32::from).into()
}
