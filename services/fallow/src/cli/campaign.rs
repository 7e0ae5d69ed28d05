//! `fallow campaign`: the sessions or slots that a trust gives as one block, and one answer to its cases.

mod watch;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use fallow_api::render;
use fallow_api::v1::{AnswerCampaignRequest, Block, Campaign, DeclineReason, ListCampaignsRequest, Verdict};

use self::watch::Changes;
use super::codes;
use super::failure::{Exit, Failure};
use super::options::{Change, count_from_1};
use super::output::{Cell, Column, Record, View, column, wide};
use super::page::pages;
use super::pick::pick;
use super::session::Session;
use super::time::{from_wire, left};
use super::watch::follow_all;

/// The command that shows what there is, for errors.
const LIST: &str = "fallow campaign list";
/// Most cases that one answer takes.
const CASES_AT_ONCE: usize = 200;

/// `fallow campaign …`
#[derive(Debug, Subcommand)]
pub(crate) enum Campaigns {
    /// List campaigns, with what is used of them and what waits for you
    #[command(
        before_help = "Examples:\n  fallow campaign list\n  fallow campaign list --watch\n\nWatched elsewhere than on a screen, it \
                       prints the offers and the proposals of campaigns that change."
    )]
    List {
        /// Go on showing what changes
        #[arg(short, long)]
        watch: bool,
    },
    /// Show one campaign: its sessions, whose cases, who has yet to answer
    #[command(before_help = "Example:\n  fallow campaign show \"Saturday lists\"")]
    Show(Named),
    /// Say yes for your side to every case that waits for you; one case alone: fallow accept
    Accept(Accept),
    /// Say no for your side to every case that waits for you, with a reason; one case alone: fallow decline
    Decline(Decline),
}

/// Names a campaign.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Name of the campaign, or the beginning of it
    name: String,
    /// ODS site code, where several sites have a campaign of that name
    #[arg(long)]
    site: Option<String>,
}

/// Says yes.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow campaign accept \"Saturday lists\"\n  fallow campaign accept \"Saturday lists\" \
                        --cases 6"
)]
pub(crate) struct Accept {
    #[command(flatten)]
    named: Named,
    /// Probably yes: extends the holds, once. Supporting trust only
    #[arg(long)]
    provisional: bool,
    #[command(flatten)]
    answer: Answer,
}

/// Says no.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  fallow campaign decline \"Saturday lists\" --reason staffing")]
pub(crate) struct Decline {
    #[command(flatten)]
    named: Named,
    /// Why. Supporting: capacity_changed, staffing, case_mix, equipment, infection_control, finance, other. Home:
    /// patient_declined, not_fit, treated_elsewhere, too_far_for_patient, no_transport, other
    #[arg(long, hide_possible_values = true, value_parser = codes::of::<DeclineReason>())]
    reason: DeclineReason,
    #[command(flatten)]
    answer: Answer,
}

/// What every answer takes.
#[derive(Debug, Args)]
struct Answer {
    /// Answer only if just this many cases wait for you, as you were shown
    #[arg(long, value_name = "N", value_parser = count_from_1)]
    cases: Option<i64>,
    /// Words for the other sides, without patient details
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    change: Change,
}

/// Runs `fallow campaign …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Campaigns) -> Result<Exit, Failure> {
    match command {
        Campaigns::List { watch: false } => draw(session).await,
        Campaigns::List { watch: true } => {
            Box::pin(follow_all(session, Changes::new(), async |session| draw(session).await)).await
        }
        Campaigns::Show(named) => show(session, &named).await,
        Campaigns::Accept(args) => {
            let (verdict, done) = match args.provisional {
                true => (Verdict::Provisional, "provisionally accepted; the holds are longer"),
                false => (Verdict::Accept, "accepted"),
            };
            answer(session, &args.named, (verdict, DeclineReason::Unspecified), args.answer, done).await
        }
        Campaigns::Decline(args) => {
            let done = "declined; the next alternatives are looked for";
            answer(session, &args.named, (Verdict::Decline, args.reason), args.answer, done).await
        }
    }
}

async fn draw(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let found = all(session).await?;
    session.show_list(&found, "no campaigns")
}

async fn show(session: &mut Session<'_>, named: &Named) -> Result<Exit, Failure> {
    let found = find(session, named).await?;
    let names = session.names().await?;
    let (block, lines) = (block_of(&found), render::campaign::campaign(&found, &names, &session.zone));
    let head = format!("{} at {}, given by {}\n", block.campaign, block.site, names.trust(&found.trust));
    session.show_message(&found, found.id(), &(head + &render::plain(&lines)))
}

async fn answer(
    session: &mut Session<'_>,
    named: &Named,
    (verdict, reason): (Verdict, DeclineReason),
    answer: Answer,
    done: &str,
) -> Result<Exit, Failure> {
    let found = find(session, named).await?;
    let waiting = found.waiting.len();
    if waiting == 0 {
        session.terminal.say("nothing of this campaign waits for your answer")?;
        return Ok(Exit::Ok);
    }
    if answer.cases.is_some_and(|seen| usize::try_from(seen) != Ok(waiting)) {
        let what = format!("this campaign has changed: {waiting} cases wait for you now");
        return Err(Failure::new(Exit::Conflict, "CHANGED_MEANWHILE", what)
            .next(format!("fallow campaign show \"{}\"", block_of(&found).campaign)));
    }
    let request = AnswerCampaignRequest {
        request_id: answer.change.request_id(),
        validate_only: answer.change.dry_run,
        block: found.block.clone(),
        proposals: found.waiting.iter().take(CASES_AT_ONCE).cloned().collect(),
        verdict: verdict.into(),
        reason: reason.into(),
        note: answer.note,
    };
    let (id, client) = (request.request_id.clone(), session.matching()?);
    let said = session.send(&id, request, async |ask| client.clone().answer_campaign(ask).await).await?;
    let cases = if said.answered == 1 { "case" } else { "cases" };
    let exit = session.say_changed(&format!("{} {cases} {done}", said.answered), said.revision)?;
    for transfer in &said.transfers {
        session.terminal.say(&format!("agreed by all: transfer {transfer}"))?;
    }
    if waiting > CASES_AT_ONCE {
        let left = waiting - CASES_AT_ONCE;
        session.terminal.say(&format!("{left} more wait for your answer: say it again"))?;
    }
    Ok(exit)
}

async fn all(session: &Session<'_>) -> Result<Vec<Campaign>, Failure> {
    let client = session.matching()?;
    pages(async |page_size, page_token| {
        let request = ListCampaignsRequest { page_size, page_token };
        let answer = session.call(request, async |ask| client.clone().list_campaigns(ask).await).await?;
        Ok((answer.campaigns, answer.next_page_token))
    })
    .await
}

/// Finds the campaign that a person means, by its name or its site.
async fn find(session: &Session<'_>, named: &Named) -> Result<Campaign, Failure> {
    let mut found = all(session).await?;
    if let Some(site) = &named.site {
        found.retain(|campaign| block_of(campaign).site.eq_ignore_ascii_case(site));
    }
    let names = |campaign: &Campaign| {
        let block = block_of(campaign);
        vec![block.campaign, block.site]
    };
    let sites: BTreeSet<String> = found.iter().map(|campaign| block_of(campaign).site).collect();
    pick(&named.name, "campaign", LIST, &found, names).cloned().map_err(|failure| {
        let is_ambiguous = failure.exit == Exit::Usage && sites.len() > 1;
        if is_ambiguous { failure.next("or name the site: --site CODE") } else { failure }
    })
}

fn block_of(campaign: &Campaign) -> Block {
    campaign.block.clone().unwrap_or_default()
}

impl Record for Campaign {
    const COLUMNS: &'static [Column] = &[
        column("campaign"),
        column("site"),
        column("trust"),
        column("gives"),
        column("proposed"),
        column("agreed"),
        column("for-you"),
        column("lapses"),
        wide("home-trusts"),
    ];

    fn id(&self) -> &str {
        self.block.as_ref().map_or("", |block| block.campaign.as_str())
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let block = block_of(self);
        let gives: Vec<String> = self.capacity.iter().map(render::campaign::capacity).collect();
        let lapses = match from_wire(self.lapses_at) {
            Some(at) if !view.exact => left(at, view.now),
            Some(_) | None => view.time(self.lapses_at),
        };
        let sum =
            |count: fn(&fallow_api::v1::campaign::Cases) -> i64| self.cases.iter().map(count).sum::<i64>();
        let homes: Vec<&str> = self.cases.iter().map(|cases| cases.trust.as_str()).collect();
        vec![
            block.campaign.into(),
            block.site.into(),
            self.trust.as_str().into(),
            gives.join("; ").into(),
            sum(|cases| cases.proposed).to_string().into(),
            sum(|cases| cases.agreed).to_string().into(),
            self.waiting.len().to_string().into(),
            lapses.into(),
            homes.join(" ").into(),
        ]
    }
}
