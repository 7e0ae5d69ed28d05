//! `fallow action`: what needs two people. One asks, another in another role confirms, and it is done then; or somebody
//! refuses it. What broke glass is reviewed afterwards by a third.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fallow_api::client::Client;
use fallow_api::v1::action::{Call, State};
use fallow_api::v1::{
    Action, AnswerProposalRequest, ApplyRegionRequest, BypassProposalRequest, ConfirmActionRequest,
    DeclineReason, GetActionRequest, ListActionsRequest, OverrideReason, ProposeActionRequest,
    RefuseActionRequest, ReviewActionRequest, Verdict, WatchActionsRequest,
};

use super::codes;
use super::failure::{Exit, Failure};
use super::options::{Change, OfOne, count_from_1};
use super::output::{Cell, Column, Record, Tone, View, column, wide};
use super::page::pages;
use super::pick::pick;
use super::session::Session;
use super::watch::follow;
use super::{proposal, region};

/// How one finds what there is.
const LIST: &str = "fallow action list";

/// `fallow action …`
#[derive(Debug, Subcommand)]
pub(crate) enum Actions {
    /// List what waits for a second person or a review, and what two people did in the last two weeks
    #[command(
        before_help = "Examples:\n  fallow action list\n  fallow action list --waiting --watch\n\nWatched elsewhere than on a \
                       screen, it prints the actions that change. That nobody confirmed one in time is no change: see its \
                       expires_at."
    )]
    List(List),
    /// Break glass: ask to answer a proposal for a trust that cannot
    #[command(
        before_help = "Examples:\n  fallow action answer 0198c2 --for ZA2 --accept --code systems-down --reason \"their network \
                        is down\"\n  fallow action answer 0198c2 --for ZA2 --decline staffing --code nobody-reachable --reason \"said \
                        by telephone\"\n\nNothing is done until a second person, in another role, confirms it within 30 minutes."
    )]
    Answer(Answer),
    /// Break glass: ask to bypass a proposal without an incident
    #[command(
        before_help = "Example:\n  fallow action bypass 0198c2 --code risk-to-life --reason \"the nearer unit has a bed now\""
    )]
    Bypass(Bypass),
    /// Ask to put a region file in force
    #[command(before_help = "Example:\n  fallow action region -f region.toml --reason \"Ewe Cross joins\"")]
    Region(File),
    /// Confirm what another person asked for, and have it done
    #[command(before_help = "Example:\n  fallow action confirm 0198c2")]
    Confirm(Confirm),
    /// Refuse what another person asked for, or take back your own; everybody concerned reads why
    #[command(before_help = "Example:\n  fallow action refuse 0198c2 --reason \"their network is up again\"")]
    Refuse(Words),
    /// Write down what you found when you looked again at what broke glass; by neither of the two who did it
    #[command(before_help = "Example:\n  fallow action review 0198c2 --note \"rang the ward: it was right\"")]
    Review(Review),
    /// Show one action
    #[command(before_help = "Example:\n  fallow action show 0198c2")]
    Show(Show),
}

/// Lists actions.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only what waits for a second person
    #[arg(long)]
    waiting: bool,
    /// Go on showing what changes
    #[arg(short, long)]
    watch: bool,
}

/// Why glass is broken.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Why: systems_down, cyber_incident, nobody_reachable, risk_to_life
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<OverrideReason>())]
    code: OverrideReason,
    /// Why, in words that everybody concerned sees; no patient details
    #[arg(long)]
    reason: String,
}

/// Asks to answer for a trust.
#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// Id of the proposal, or the beginning of one
    id: String,
    /// For which trust
    #[arg(long = "for", value_name = "TRUST")]
    for_trust: String,
    /// Say yes
    #[arg(long, conflicts_with = "decline", required_unless_present = "decline")]
    accept: bool,
    /// Say yes to so many units. Default: all
    #[arg(long, requires = "accept", value_parser = count_from_1)]
    units: Option<i64>,
    /// Say no, with a reason of that side
    #[arg(long, value_name = "REASON", value_parser = codes::of::<DeclineReason>())]
    decline: Option<DeclineReason>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    change: Change,
}

/// Asks to bypass a proposal.
#[derive(Debug, Args)]
pub(crate) struct Bypass {
    /// Id of the proposal, or the beginning of one
    id: String,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    change: Change,
}

/// Asks to put a region file in force.
#[derive(Debug, Args)]
pub(crate) struct File {
    /// The file
    #[arg(short, long)]
    file: PathBuf,
    /// Why; everybody sees it
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    change: Change,
}

/// Confirms an action.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    #[command(flatten)]
    one: OfOne,
}

/// Refuses an action.
#[derive(Debug, Args)]
pub(crate) struct Words {
    #[command(flatten)]
    one: OfOne,
    /// Why, in words that everybody concerned sees; no patient details
    #[arg(long)]
    reason: String,
}

/// Reviews an action.
#[derive(Debug, Args)]
pub(crate) struct Review {
    #[command(flatten)]
    one: OfOne,
    /// What you found, in words that everybody concerned sees; no patient details
    #[arg(long)]
    note: String,
}

/// Shows an action.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Id of the action, or the beginning of one
    id: String,
}

/// Runs `fallow action …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Actions) -> Result<Exit, Failure> {
    match command {
        Actions::List(List { waiting, watch: false }) => draw(session, waiting).await,
        Actions::List(List { waiting, watch: true }) => {
            let open = move |client: Client, cursor| {
                let request = WatchActionsRequest { cursor, waiting };
                async move { client.monitor().watch_actions(request).await.map(tonic::Response::into_inner) }
            };
            follow(session, open, async |session| draw(session, waiting).await).await
        }
        Actions::Answer(args) => {
            let verdict = if args.accept { Verdict::Accept } else { Verdict::Decline };
            let answer = AnswerProposalRequest {
                proposal: proposal::find(session, &args.id).await?.id,
                verdict: verdict.into(),
                units: args.units.unwrap_or_default(),
                reason: args.decline.map(i32::from).unwrap_or_default(),
                ..AnswerProposalRequest::default()
            };
            let for_trust = args.for_trust.to_uppercase();
            propose(session, &args.change, glass(Call::AnswerProposal(answer), for_trust, args.why)).await
        }
        Actions::Bypass(args) => {
            let bypass = BypassProposalRequest {
                proposal: proposal::find(session, &args.id).await?.id,
                reason: args.why.reason.clone(),
                ..BypassProposalRequest::default()
            };
            propose(session, &args.change, glass(Call::BypassProposal(bypass), String::new(), args.why)).await
        }
        Actions::Region(args) => {
            let toml = region::read(&args.file)?;
            let call = Call::ApplyRegion(ApplyRegionRequest { toml, ..ApplyRegionRequest::default() });
            let action = Action { call: Some(call), reason: args.reason, ..Action::default() };
            propose(session, &args.change, action).await
        }
        Actions::Confirm(args) => confirm(session, args).await,
        Actions::Refuse(args) => refuse(session, args).await,
        Actions::Review(args) => review(session, args).await,
        Actions::Show(args) => {
            let ask = GetActionRequest { action: find(session, &args.id).await? };
            let client = session.monitor()?;
            let found = session.call(ask, async |ask| client.clone().get_action(ask).await).await?.action;
            session.show_one(&found.unwrap_or_default())
        }
    }
}

fn glass(call: Call, for_trust: String, why: Why) -> Action {
    Action { call: Some(call), for_trust, code: why.code.into(), reason: why.reason, ..Action::default() }
}

async fn draw(session: &mut Session<'_>, waiting: bool) -> Result<Exit, Failure> {
    let actions = all(session, waiting).await?;
    let nothing = if waiting { "nothing waits for a second person" } else { "no actions" };
    session.show_list(&actions, nothing)
}

/// Returns all actions that are listed, newest first: pages have the most urgent first, and each is sorted by itself.
async fn all(session: &Session<'_>, waiting: bool) -> Result<Vec<Action>, Failure> {
    let client = session.monitor()?;
    let mut actions = pages(async |page_size, page_token| {
        let request = ListActionsRequest { waiting, page_size, page_token };
        let answer = session.call(request, async |ask| client.clone().list_actions(ask).await).await?;
        Ok((answer.actions, answer.next_page_token))
    })
    .await?;
    let proposed = |action: &Action| action.proposed_at.map(|at| (at.seconds, at.nanos));
    actions.sort_by(|a, b| (proposed(b), &b.id).cmp(&(proposed(a), &a.id)));
    Ok(actions)
}

/// Returns the id of the action that is meant. A whole id is asked for as it is: what is listed no more can be read still.
async fn find(session: &Session<'_>, id: &str) -> Result<String, Failure> {
    const WHOLE: usize = 36;
    if id.len() == WHOLE {
        return Ok(id.to_owned());
    }
    let known = all(session, false).await?;
    Ok(pick(id, "action", LIST, &known, |action| vec![action.id.clone()])?.id.clone())
}

async fn propose(session: &mut Session<'_>, change: &Change, action: Action) -> Result<Exit, Failure> {
    let id = change.request_id();
    let request =
        ProposeActionRequest { request_id: id.clone(), validate_only: change.dry_run, action: Some(action) };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().propose_action(ask).await).await?;
    let action = answer.action.unwrap_or_default();
    let exit = session.show_changed(
        Some(&action),
        "asked for; nothing is done until it is confirmed",
        answer.revision,
    )?;
    if answer.revision != 0 {
        session.terminal.say(&format!("next, by a second person: fallow action confirm {}", action.id))?;
    }
    Ok(exit)
}

async fn confirm(session: &mut Session<'_>, args: Confirm) -> Result<Exit, Failure> {
    let action = find(session, &args.one.id).await?;
    let id = args.one.change.request_id();
    let request = ConfirmActionRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        action,
    };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().confirm_action(ask).await).await?;
    session.show_changed(answer.action.as_ref(), "confirmed and done", answer.revision)
}

async fn refuse(session: &mut Session<'_>, args: Words) -> Result<Exit, Failure> {
    let action = find(session, &args.one.id).await?;
    let id = args.one.change.request_id();
    let request = RefuseActionRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        action,
        reason: args.reason,
    };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().refuse_action(ask).await).await?;
    session.show_changed(answer.action.as_ref(), "refused; nothing was done", answer.revision)
}

async fn review(session: &mut Session<'_>, args: Review) -> Result<Exit, Failure> {
    let action = find(session, &args.one.id).await?;
    let id = args.one.change.request_id();
    let request = ReviewActionRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        action,
        note: args.note,
    };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().review_action(ask).await).await?;
    session.show_changed(answer.action.as_ref(), "reviewed", answer.revision)
}

impl Record for Action {
    const COLUMNS: &'static [Column] = &[
        column("id"),
        column("at"),
        column("state"),
        column("text"),
        wide("trusts"),
        wide("code"),
        wide("by"),
        wide("confirmed-by"),
        wide("until"),
        wide("review"),
        wide("refused-by"),
        wide("reviewed-by"),
        wide("revision"),
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let tone = match self.state() {
            State::Proposed => Tone::Warn,
            State::Confirmed if self.breaks_glass && self.reviewed_by.is_empty() => Tone::Warn,
            State::Unspecified | State::Confirmed | State::Expired | State::Refused => Tone::Plain,
        };
        let code = if self.code == 0 { String::new() } else { codes::word::<OverrideReason>(self.code) };
        vec![
            self.id.as_str().into(),
            view.time(self.proposed_at).into(),
            codes::word::<State>(self.state).into(),
            Cell::toned(self.text.as_str(), tone),
            self.trusts.join(" ").into(),
            code.into(),
            self.proposed_by.as_str().into(),
            self.confirmed_by.as_str().into(),
            view.time(self.expires_at).into(),
            view.time(self.review_by).into(),
            self.refused_by.as_str().into(),
            self.reviewed_by.as_str().into(),
            self.revision.to_string().into(),
        ]
    }
}
