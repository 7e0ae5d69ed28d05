//! `fallow timeline`: what happened, in plain words; and `fallow decision`, what gold decided.

use clap::{Args, Subcommand};
use fallow_api::client::Client;
use fallow_api::v1::{
    Decision, ListTimelineRequest, RecordDecisionRequest, TimelineEntry, TimelineKind, WatchTimelineRequest,
};

use super::codes;
use super::failure::{Exit, Failure};
use super::options::Change;
use super::output::{Cell, Column, Record, Tone, View, column, wide};
use super::page::pages;
use super::session::Session;
use super::time::{self, to_wire};
use super::watch::follow;

/// Most entries that one command shows.
const SHOWN_MAX: u16 = 1_000;

/// Shows what happened.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow timeline\n  fallow timeline --kind decision,alert --from 08:00\n  fallow timeline -w\n  \
                        fallow timeline --from \"yesterday 18:00\" -o csv > incident.csv"
)]
pub(crate) struct Timeline {
    /// Only this sort: decision, alert, feed, transfer, region, pressure, need; repeat or separate by commas
    #[arg(long, value_delimiter = ',', hide_possible_values = true, value_parser = codes::of::<TimelineKind>())]
    kind: Vec<TimelineKind>,
    /// From when: 08:00, yesterday 18:00, -4h or a date with a time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// At most so many, the newest
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=i64::from(SHOWN_MAX)))]
    limit: u16,
    /// Go on showing what happens
    #[arg(short, long)]
    watch: bool,
}

/// Runs `fallow timeline`.
pub(crate) async fn run(session: &mut Session<'_>, args: Timeline) -> Result<Exit, Failure> {
    let past = |text: &Option<String>| {
        text.as_deref().map(|text| time::past(text, session.now(), &session.zone)).transpose()
    };
    let kinds: Vec<i32> = args.kind.iter().map(|kind| i32::from(*kind)).collect();
    let ask = ListTimelineRequest {
        page_size: args.limit.into(),
        page_token: String::new(),
        kinds: kinds.clone(),
        from: past(&args.from)?.map(to_wire),
        until: past(&args.until)?.map(to_wire),
        subjects: Vec::new(),
    };
    if !args.watch {
        return draw(session, &ask).await;
    }
    let open = move |client: Client, cursor| {
        let request = WatchTimelineRequest { cursor, kinds: kinds.clone() };
        async move { client.monitor().watch_timeline(request).await.map(tonic::Response::into_inner) }
    };
    follow(session, open, async |session| draw(session, &ask).await).await
}

async fn draw(session: &mut Session<'_>, ask: &ListTimelineRequest) -> Result<Exit, Failure> {
    let client = session.monitor()?;
    let answer = session.call(ask.clone(), async |ask| client.clone().list_timeline(ask).await).await?;
    session.show_list(&answer.entries, "nothing happened")
}

/// Shows what the timeline tells of any of some records, in its order.
pub(crate) async fn history(session: &mut Session<'_>, of: Vec<String>) -> Result<Exit, Failure> {
    let client = session.monitor()?;
    let mut entries: Vec<TimelineEntry> = pages(async |page_size, page_token| {
        let request = ListTimelineRequest { page_size, page_token, ..ListTimelineRequest::default() };
        let answer = session.call(request, async |ask| client.clone().list_timeline(ask).await).await?;
        Ok((answer.entries, answer.next_page_token))
    })
    .await?;
    entries.retain(|entry| entry.subjects.iter().any(|subject| of.contains(subject)));
    session.show_list(&entries, "the timeline tells nothing of it, as far as it is kept and yours to know")
}

impl Record for TimelineEntry {
    const COLUMNS: &'static [Column] = &[
        column("at"),
        column("kind"),
        column("text"),
        wide("trusts"),
        wide("role"),
        wide("rationale"),
        wide("consulted"),
        wide("review"),
        wide("subjects"),
        wide("id"),
        wide("revision"),
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let decision = self.decision.clone().unwrap_or_default();
        let tone = match self.kind() {
            TimelineKind::Alert | TimelineKind::Feed => Tone::Warn,
            TimelineKind::Unspecified
            | TimelineKind::Decision
            | TimelineKind::Transfer
            | TimelineKind::Region
            | TimelineKind::Pressure
            | TimelineKind::Need => Tone::Plain,
        };
        vec![
            view.time(self.at).into(),
            codes::word::<TimelineKind>(self.kind).into(),
            Cell::toned(self.text.as_str(), tone),
            self.trusts.join(" ").into(),
            self.role.as_str().into(),
            decision.rationale.as_str().into(),
            decision.consulted.join(", ").into(),
            view.time(decision.review_at).into(),
            self.subjects.join(" ").into(),
            self.id.as_str().into(),
            self.revision.to_string().into(),
        ]
    }
}

/// `fallow decision …`
#[derive(Debug, Subcommand)]
pub(crate) enum Decisions {
    /// Record a decision of gold; gold only
    Record(RecordDecision),
}

/// Records a decision.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  fallow decision record \"Open the day unit to outliers until 20:00\" --why \"norovirus closed two \
                        wards\" \\\n    --consulted \"site lead\" --consulted \"ICB on call\" --review +4h\n\nEverybody reads what was \
                        decided; gold reads why."
)]
pub(crate) struct RecordDecision {
    /// What was decided, at most 500 characters; no patient details
    decision: String,
    /// Why, at most 2,000 characters
    #[arg(long, value_name = "RATIONALE")]
    why: String,
    /// A role or organisation that was consulted; repeat for more
    #[arg(long, value_name = "WHO")]
    consulted: Vec<String>,
    /// When it is looked at again
    #[arg(long, value_name = "TIME")]
    review: Option<String>,
    #[command(flatten)]
    change: Change,
}

/// Runs `fallow decision …`.
pub(crate) async fn decide(session: &mut Session<'_>, command: Decisions) -> Result<Exit, Failure> {
    let Decisions::Record(args) = command;
    let review = args.review.as_deref().map(|text| time::parse(text, session.now(), &session.zone));
    let id = args.change.request_id();
    let request = RecordDecisionRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        decision: Some(Decision {
            decision: args.decision,
            rationale: args.why,
            consulted: args.consulted,
            review_at: review.transpose()?.map(to_wire),
            ..Decision::default()
        }),
    };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().record_decision(ask).await).await?;
    let decision = answer.decision.unwrap_or_default();
    session.show_message(&decision, &decision.id, &format!("{}\n", decision.decision))?;
    session.say_changed("recorded", answer.revision)
}
