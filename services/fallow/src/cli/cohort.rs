//! `fallow cohort`: needs of your trust that carry one name, changed together or not at all.

use clap::{Args, Subcommand};
use fallow_api::client::Client;
use fallow_api::v1::{
    AmendCohortRequest, DeclineReason, Need, NeedFilter, WatchNeedsRequest, WithdrawCohortRequest,
};

use super::codes;
use super::demand::{self, NewTerms};
use super::failure::{Exit, Failure};
use super::options::Change;
use super::session::Session;
use super::watch::follow;

/// `fallow cohort …`
#[derive(Debug, Subcommand)]
pub(crate) enum Cohorts {
    /// List the live needs of a cohort
    #[command(
        before_help = "Examples:\n  fallow cohort list \"hips of November\"\n  fallow cohort list \"hips of November\" --watch"
    )]
    List {
        /// Name of the cohort
        name: String,
        /// Go on showing what changes
        #[arg(short, long)]
        watch: bool,
    },
    /// Change every live need of a cohort
    #[command(before_help = "Example:\n  fallow cohort amend \"hips of November\" --max-travel 90m")]
    Amend(Amend),
    /// Take every live need of a cohort back
    #[command(
        before_help = "Example:\n  fallow cohort withdraw \"hips of November\" --reason treated_elsewhere"
    )]
    Withdraw(Withdraw),
}

/// Changes a cohort.
#[derive(Debug, Args)]
pub(crate) struct Amend {
    /// Name of the cohort
    name: String,
    #[command(flatten)]
    terms: NewTerms,
    #[command(flatten)]
    change: Change,
}

/// Takes a cohort back.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Name of the cohort
    name: String,
    /// Why: patient_declined, not_fit, treated_elsewhere, too_far_for_patient, no_transport or other
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<DeclineReason>())]
    reason: DeclineReason,
    #[command(flatten)]
    change: Change,
}

/// Runs `fallow cohort …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Cohorts) -> Result<Exit, Failure> {
    match command {
        Cohorts::List { name, watch } => list(session, name, watch).await,
        Cohorts::Amend(args) => amend(session, args).await,
        Cohorts::Withdraw(args) => withdraw(session, args).await,
    }
}

async fn list(session: &mut Session<'_>, name: String, watch: bool) -> Result<Exit, Failure> {
    let filter = NeedFilter { cohorts: vec![name], ..NeedFilter::default() };
    if !watch {
        return draw(session, &filter).await;
    }
    let watched = filter.clone();
    let open = move |client: Client, cursor| {
        let request = WatchNeedsRequest { cursor, filter: Some(watched.clone()) };
        async move { client.demand().watch_needs(request).await.map(tonic::Response::into_inner) }
    };
    follow(session, open, async |session| draw(session, &filter).await).await
}

async fn draw(session: &mut Session<'_>, filter: &NeedFilter) -> Result<Exit, Failure> {
    let needs = demand::all(session, filter).await?;
    session.show_list(&needs, "no live need carries that name")
}

async fn amend(session: &mut Session<'_>, args: Amend) -> Result<Exit, Failure> {
    let (need, update_mask) = demand::changed(session, args.terms, "fallow cohort amend --help")?;
    let id = args.change.request_id();
    let request = AmendCohortRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        cohort: args.name,
        need: Some(need),
        update_mask: Some(update_mask),
    };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().amend_cohort(ask).await).await?;
    show(session, &answer.needs, "amended", answer.revision)
}

async fn withdraw(session: &mut Session<'_>, args: Withdraw) -> Result<Exit, Failure> {
    let what = format!("Every live need of \"{}\" is taken back.", args.name);
    session.confirm(args.change.dry_run, &what).await?;
    let id = args.change.request_id();
    let request = WithdrawCohortRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        cohort: args.name,
        reason: args.reason.into(),
    };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().withdraw_cohort(ask).await).await?;
    show(session, &answer.needs, "withdrawn", answer.revision)
}

fn show(session: &mut Session<'_>, needs: &[Need], done: &str, revision: i64) -> Result<Exit, Failure> {
    session.show_list(needs, "no needs")?;
    let units = if needs.len() == 1 { "need" } else { "needs" };
    session.say_changed(&format!("{} {units} {done}", needs.len()), revision)
}
