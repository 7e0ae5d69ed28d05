//! `fallow proposal`, and its short forms `inbox`, `accept`, `decline` and `why`: what the engine suggests.

use clap::{Args, Subcommand};
use fallow_api::client::Client;
use fallow_api::render;
use fallow_api::v1::{
    AnswerProposalRequest, ApproveProposalRequest, BypassProposalRequest, DeclineReason, ExtendHoldRequest,
    GetProposalRequest, ListProposalsRequest, Proposal, ProposalFilter, RetractAnswerRequest, Verdict,
    WatchProposalsRequest, proposal,
};

use super::codes;
use super::demand;
use super::failure::{Exit, Failure};
use super::options::{OfOne, count_from_0, count_from_1};
use super::page::pages;
use super::pick::pick;
use super::rows::Suggestion;
use super::session::Session;
use super::watch::follow;

/// The command that shows what there is, for errors.
const LIST: &str = "fallow inbox";

/// `fallow proposal …`
#[derive(Debug, Subcommand)]
pub(crate) enum Proposals {
    /// List proposals, the first to lapse first
    List(List),
    /// Say yes for your side, to all units or some
    Accept(Accept),
    /// Say no for your side, with a reason; the next alternative is proposed by itself
    Decline(Decline),
    /// Say why this, and why not something else
    Explain(Why),
    /// Say yes as the authority that the policy names: an integrated care board, a lead provider, or gold
    Approve(Approve),
    /// Say no as the authority that the policy names, with a reason that every trust of it sees
    Refuse(Refuse),
    /// Give your side more time to answer, once
    Extend(Extend),
    /// End a proposal that nobody has answered, and say why; gold only, in an incident
    Bypass(Bypass),
    /// Take your own answer back within 10 seconds, while the other side has not answered
    Retract(Retract),
}

/// Lists proposals.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow inbox\n  fallow proposal list --state declined\n\nfallow inbox is an exact alias \
                        of: fallow proposal list --waiting-for-me"
)]
pub(crate) struct List {
    /// Only those that wait for your own answer
    #[arg(long)]
    waiting_for_me: bool,
    /// Only with this trust on either side; repeat for more
    #[arg(long, value_name = "ODS")]
    trust: Vec<String>,
    /// Only in this state; repeat for more. Default: held
    #[arg(long, value_parser = codes::of::<proposal::State>())]
    state: Vec<proposal::State>,
    /// Go on showing what changes
    #[arg(short, long)]
    watch: bool,
}

/// `fallow inbox`
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow inbox\n  fallow inbox --watch\n\nExact alias of: fallow proposal list \
                        --waiting-for-me"
)]
pub(crate) struct Inbox {
    /// Go on showing what changes
    #[arg(short, long)]
    watch: bool,
}

impl From<Inbox> for List {
    fn from(short: Inbox) -> Self {
        Self { waiting_for_me: true, trust: Vec::new(), state: Vec::new(), watch: short.watch }
    }
}

/// Says yes.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow accept 0198c2\n  fallow accept 0198c2 --units 1\n  fallow accept 0198c2 \
                        --provisional\n\nfallow accept is an exact alias of: fallow proposal accept"
)]
pub(crate) struct Accept {
    #[command(flatten)]
    one: OfOne,
    /// Only this many units
    #[arg(long, value_parser = count_from_1)]
    units: Option<i64>,
    /// Probably yes: extends the hold, once. Not the home trust
    #[arg(long, conflicts_with = "units")]
    provisional: bool,
    /// Words for the other side, without patient details
    #[arg(long, default_value = "")]
    note: String,
}

/// Says no.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow decline 0198c2 --reason staffing\n  fallow decline 0198c2 --reason \
                        capacity_changed --set-free 0\n\nfallow decline is an exact alias of: fallow proposal decline"
)]
pub(crate) struct Decline {
    #[command(flatten)]
    one: OfOne,
    /// Why. Supporting, or lending a team: capacity_changed, staffing, case_mix, equipment, infection_control, finance, other. Home:
    /// patient_declined, not_fit, treated_elsewhere, too_far_for_patient, no_transport, other
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<DeclineReason>())]
    reason: DeclineReason,
    /// Set what is free to this at the same time. Not the home trust
    #[arg(long, value_parser = count_from_0)]
    set_free: Option<i64>,
    /// Words for the other side, without patient details
    #[arg(long, default_value = "")]
    note: String,
}

/// Asks why.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  fallow why 0198c2\n\nfallow why is an exact alias of: fallow proposal explain"
)]
pub(crate) struct Why {
    /// Id of the proposal, or the beginning of one
    id: String,
}

/// Approves.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow inbox\n  fallow proposal approve 0198c2\n\nWhat waits for your approval is in \
                        fallow inbox. Gold may approve for anybody while there is an incident."
)]
pub(crate) struct Approve {
    #[command(flatten)]
    one: OfOne,
}

/// Refuses.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  fallow proposal refuse 0198c2 --reason \"keep it within the system tonight\""
)]
pub(crate) struct Refuse {
    #[command(flatten)]
    one: OfOne,
    /// Why, without patient details
    #[arg(long)]
    reason: String,
}

/// Extends a hold.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow proposal extend 0198c2\n  fallow proposal extend 0198c2 --by 15\n\nEach side may \
                        once; a provisional yes counts."
)]
pub(crate) struct Extend {
    #[command(flatten)]
    one: OfOne,
    /// Minutes more, at most as long as the hold. Default: as long as the hold
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(i64).range(1..=43_200))]
    by: Option<i64>,
}

/// Ends a proposal for gold.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow bypass 0198c2 --reason \"the road is closed\"\n  fallow bypass 0198c2 --reason \"the \
                        road is closed\" --offer 0198b7\n\nEvery trust of the proposal sees the reason. fallow bypass is an \
                        exact alias of: fallow proposal bypass"
)]
pub(crate) struct Bypass {
    #[command(flatten)]
    one: OfOne,
    /// Why, without patient details
    #[arg(long)]
    reason: String,
    /// Id of the offer to propose instead. Default: the engine's next
    #[arg(long, value_name = "ID")]
    offer: Option<String>,
}

/// Takes an answer back.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  fallow proposal retract 0198c2")]
pub(crate) struct Retract {
    #[command(flatten)]
    one: OfOne,
}

/// Runs `fallow proposal …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Proposals) -> Result<Exit, Failure> {
    match command {
        Proposals::List(args) => list(session, args).await,
        Proposals::Accept(args) => accept(session, args).await,
        Proposals::Decline(args) => decline(session, args).await,
        Proposals::Explain(args) => explain(session, args).await,
        Proposals::Approve(args) => rule(session, &args.one, None, "approved").await,
        Proposals::Refuse(args) => {
            rule(session, &args.one, Some(args.reason), "refused; every trust of it sees why").await
        }
        Proposals::Extend(args) => extend(session, args).await,
        Proposals::Bypass(args) => bypass(session, args).await,
        Proposals::Retract(args) => retract(session, args).await,
    }
}

/// Runs `fallow proposal list`.
pub(crate) async fn list(session: &mut Session<'_>, args: List) -> Result<Exit, Failure> {
    let filter = ProposalFilter {
        trusts: args.trust.iter().map(|trust| trust.to_uppercase()).collect(),
        states: args.state.iter().map(|state| i32::from(*state)).collect(),
        waiting_for_me: args.waiting_for_me,
        ..ProposalFilter::default()
    };
    if !args.watch {
        return draw(session, &filter).await;
    }
    let watched = filter.clone();
    let open = move |client: Client, cursor| {
        let request = WatchProposalsRequest { cursor, filter: Some(watched.clone()) };
        async move { client.matching().watch_proposals(request).await.map(tonic::Response::into_inner) }
    };
    follow(session, open, async |session| draw(session, &filter).await).await
}

async fn draw(session: &mut Session<'_>, filter: &ProposalFilter) -> Result<Exit, Failure> {
    let nothing = if filter.waiting_for_me { "nothing waits for your answer" } else { "no proposals" };
    let suggestions = suggestions(session, filter).await?;
    session.show_list(&suggestions, nothing)
}

/// Reads proposals with the needs they are for.
pub(crate) async fn suggestions(
    session: &Session<'_>,
    filter: &ProposalFilter,
) -> Result<Vec<Suggestion>, Failure> {
    let proposals = all(session, filter).await?;
    let ids = proposals.iter().map(|proposal| proposal.need.clone()).collect();
    // A need that cannot be read leaves its columns empty; the proposal stands.
    let needs = demand::named(session, ids).await.unwrap_or_default();
    let with_need = |proposal: Proposal| {
        let need = needs.iter().find(|need| need.id == proposal.need).cloned();
        Suggestion { proposal, need }
    };
    Ok(proposals.into_iter().map(with_need).collect())
}

/// Reads every proposal that was ever made of an offer, as far as the services still know it.
pub(crate) async fn all_of_offer(session: &Session<'_>, offer: &str) -> Result<Vec<Proposal>, Failure> {
    let states = ended_states().into_iter().chain([proposal::State::Held.into()]).collect();
    let filter = ProposalFilter { offers: vec![offer.to_owned()], states, ..ProposalFilter::default() };
    all(session, &filter).await
}

async fn all(session: &Session<'_>, filter: &ProposalFilter) -> Result<Vec<Proposal>, Failure> {
    let client = session.matching()?;
    pages(async |page_size, page_token| {
        let request = ListProposalsRequest { page_size, page_token, filter: Some(filter.clone()) };
        let answer = session.call(request, async |ask| client.clone().list_proposals(ask).await).await?;
        Ok((answer.proposals, answer.next_page_token))
    })
    .await
}

/// Runs `fallow proposal accept`.
pub(crate) async fn accept(session: &mut Session<'_>, args: Accept) -> Result<Exit, Failure> {
    let verdict = if args.provisional { Verdict::Provisional } else { Verdict::Accept };
    let request = AnswerProposalRequest {
        verdict: verdict.into(),
        units: args.units.unwrap_or_default(),
        note: args.note,
        ..request(session, &args.one).await?
    };
    let done = if args.provisional { "provisionally accepted; the hold is longer" } else { "accepted" };
    answer(session, request, done).await
}

/// Runs `fallow proposal decline`.
pub(crate) async fn decline(session: &mut Session<'_>, args: Decline) -> Result<Exit, Failure> {
    let request = AnswerProposalRequest {
        verdict: Verdict::Decline.into(),
        reason: args.reason.into(),
        set_free: args.set_free,
        note: args.note,
        ..request(session, &args.one).await?
    };
    answer(session, request, "declined; the next alternative is looked for").await
}

async fn request(session: &Session<'_>, one: &OfOne) -> Result<AnswerProposalRequest, Failure> {
    Ok(AnswerProposalRequest {
        request_id: one.change.request_id(),
        validate_only: one.change.dry_run,
        expected_revision: one.expect.if_revision,
        proposal: find(session, &one.id).await?.id,
        ..AnswerProposalRequest::default()
    })
}

async fn answer(
    session: &mut Session<'_>,
    request: AnswerProposalRequest,
    done: &str,
) -> Result<Exit, Failure> {
    let id = request.request_id.clone();
    let client = session.matching()?;
    let answer = session.send(&id, request, async |ask| client.clone().answer_proposal(ask).await).await?;
    let exit = show(session, answer.proposal, done, answer.revision).await?;
    if let Some(transfer) = answer.transfer {
        session.terminal.say(&format!("agreed by all: transfer {}", transfer.id))?;
        session.terminal.say(&format!("next: fallow transfer show {}", transfer.id))?;
    }
    Ok(exit)
}

async fn show(
    session: &mut Session<'_>,
    proposal: Option<Proposal>,
    done: &str,
    revision: i64,
) -> Result<Exit, Failure> {
    let Some(proposal) = proposal else { return session.say_changed(done, revision) };
    let need = demand::get(session, &proposal.need).await.ok();
    session.show_changed(Some(&Suggestion { proposal, need }), done, revision)
}

async fn retract(session: &mut Session<'_>, args: Retract) -> Result<Exit, Failure> {
    let (proposal, id) = (find(session, &args.one.id).await?, args.one.change.request_id());
    let request = RetractAnswerRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        proposal: proposal.id,
    };
    let client = session.matching()?;
    let answer = session.send(&id, request, async |ask| client.clone().retract_answer(ask).await).await?;
    show(session, answer.proposal, "your answer is taken back", answer.revision).await
}

/// Approves, or refuses where there is a reason to.
async fn rule(
    session: &mut Session<'_>,
    one: &OfOne,
    refusal: Option<String>,
    done: &str,
) -> Result<Exit, Failure> {
    let (proposal, id) = (find(session, &one.id).await?, one.change.request_id());
    let request = ApproveProposalRequest {
        request_id: id.clone(),
        validate_only: one.change.dry_run,
        expected_revision: one.expect.if_revision,
        proposal: proposal.id,
        refuse: refusal.is_some(),
        reason: refusal.unwrap_or_default(),
    };
    let client = session.matching()?;
    let answer = session.send(&id, request, async |ask| client.clone().approve_proposal(ask).await).await?;
    let exit = show(session, answer.proposal, done, answer.revision).await?;
    if let Some(transfer) = answer.transfer {
        session.terminal.say(&format!("agreed by all: transfer {}", transfer.id))?;
    }
    Ok(exit)
}

async fn extend(session: &mut Session<'_>, args: Extend) -> Result<Exit, Failure> {
    let (proposal, id) = (find(session, &args.one.id).await?, args.one.change.request_id());
    let request = ExtendHoldRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        proposal: proposal.id,
        by: args.by.map(|minutes| prost_types::Duration { seconds: minutes * 60, nanos: 0 }),
    };
    let client = session.matching()?;
    let answer = session.send(&id, request, async |ask| client.clone().extend_hold(ask).await).await?;
    show(session, answer.proposal, "the hold is longer", answer.revision).await
}

/// Names a proposal so that nobody takes it for another: its id, whose it is, and for what where the need can be read.
async fn in_words(session: &Session<'_>, proposal: &Proposal) -> String {
    let need = demand::get(session, &proposal.need).await.ok();
    let what = need.map(|need| render::need_in_words(&need, &session.zone)).unwrap_or_default();
    let what = if what.is_empty() { String::new() } else { format!(" ({what})") };
    format!(
        "Proposal {}, {} from {} for {}{what},",
        proposal.id, proposal.units, proposal.supporting_trust, proposal.home_trust
    )
}

/// Runs `fallow proposal bypass`.
pub(crate) async fn bypass(session: &mut Session<'_>, args: Bypass) -> Result<Exit, Failure> {
    let (proposal, id) = (find(session, &args.one.id).await?, args.one.change.request_id());
    if session.would_ask(args.one.change.dry_run) {
        let what = in_words(session, &proposal).await;
        session.confirm(false, &format!("{what} ends for every trust of it.")).await?;
    }
    let request = BypassProposalRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        proposal: proposal.id,
        reason: args.reason,
        offer: args.offer.unwrap_or_default(),
    };
    let client = session.matching()?;
    let answer = session.send(&id, request, async |ask| client.clone().bypass_proposal(ask).await).await?;
    let exit =
        show(session, answer.proposal, "bypassed; every trust of it sees why", answer.revision).await?;
    if let Some(instead) = answer.instead {
        session.terminal.say(&format!("proposed instead: {}", instead.id))?;
    }
    Ok(exit)
}

/// Runs `fallow proposal explain`.
pub(crate) async fn explain(session: &mut Session<'_>, args: Why) -> Result<Exit, Failure> {
    let proposal = find(session, &args.id).await?;
    let need = demand::get(session, &proposal.need).await.ok();
    let names = session.names().await?;
    let what = need.map(|need| render::need_in_words(&need, &session.zone)).unwrap_or_default();
    let from = names.trust(&proposal.supporting_trust);
    let state = codes::word::<proposal::State>(proposal.state);
    let mut text =
        format!("{what}    {} proposed from {from}, {state}\n", proposal.units).trim_start().to_owned();
    match render::proposal(&proposal, &names, &session.zone) {
        lines if lines.is_empty() => text.push_str("  the engine gave no explanation\n"),
        lines => text.push_str(&render::plain(&lines)),
    }
    session.show_message(&proposal, &proposal.id, &text)
}

/// Finds the proposal that a person means: by id, or the beginning of one; live ones first.
pub(crate) async fn find(session: &Session<'_>, typed: &str) -> Result<Proposal, Failure> {
    let client = session.matching()?;
    let exact = GetProposalRequest { proposal: typed.to_owned() };
    match session.call(exact, async |ask| client.clone().get_proposal(ask).await).await {
        Ok(answer) => {
            return answer
                .proposal
                .ok_or_else(|| Failure::new(Exit::NotFound, "NOT_FOUND", "no such proposal"));
        }
        Err(failure) if failure.exit == Exit::NotFound || failure.exit == Exit::Usage => {}
        Err(failure) => return Err(failure),
    }
    let names = |proposal: &Proposal| vec![proposal.id.clone()];
    let live = all(session, &ProposalFilter::default()).await?;
    match pick(typed, "proposal", LIST, &live, names) {
        Err(failure) if failure.exit == Exit::NotFound => {}
        found => return found.cloned(),
    }
    let ended = all(session, &ProposalFilter { states: ended_states(), ..ProposalFilter::default() }).await?;
    pick(typed, "proposal", LIST, &ended, names).cloned()
}

fn ended_states() -> Vec<i32> {
    use proposal::State::{Bypassed, Confirmed, Declined, Lapsed, Superseded, Withdrawn};
    [Confirmed, Declined, Lapsed, Superseded, Withdrawn, Bypassed].map(i32::from).into()
}
