//! `fallow alert`: what somebody should act on.

use clap::{Args, Subcommand};
use fallow_api::client::Client;
use fallow_api::render;
use fallow_api::v1::{
    Alert, CloseAlertRequest, ListAlertsRequest, TakeAlertRequest, WatchAlertsRequest, alert,
};
use jiff::SignedDuration;

use super::codes;
use super::failure::{Exit, Failure};
use super::options::OfOne;
use super::output::{Cell, Column, Record, Tone, View, column, wide};
use super::page::pages;
use super::pick::pick;
use super::session::Session;
use super::time::{age, from_wire};
use super::watch::follow;

/// The command that shows what there is, for errors.
const LIST: &str = "fallow alert list";

/// `fallow alert …`
#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// List alerts, the newest first
    List(List),
    /// Make an alert yours
    Take(Take),
    /// Close an alert and say what was done
    Close(Close),
    /// Go on showing alerts as they change
    Watch(Watch),
}

/// Lists alerts.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow alert list\n  fallow alert list --state closed\n  fallow alert list --digest"
)]
pub(crate) struct List {
    /// Only those that concern this trust; repeat for more
    #[arg(long, value_name = "ODS")]
    trust: Vec<String>,
    /// Only in this state; repeat for more. Default: raised and taken
    #[arg(long, value_parser = codes::of::<alert::State>())]
    state: Vec<alert::State>,
    /// Also those of the digest
    #[arg(long)]
    digest: bool,
    /// Go on showing what changes
    #[arg(short, long)]
    watch: bool,
}

/// Watches alerts.
#[derive(Debug, Args)]
#[command(before_help = "Examples:\n  fallow alert watch\n  fallow alert watch --trust ZA2")]
pub(crate) struct Watch {
    /// Only those that concern this trust; repeat for more
    #[arg(long, value_name = "ODS")]
    trust: Vec<String>,
}

/// Takes an alert.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  fallow alert take 0198c2")]
pub(crate) struct Take {
    #[command(flatten)]
    one: OfOne,
}

/// Closes an alert.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  fallow alert close 0198c2 --note \"rang the site, the feed is back\"")]
pub(crate) struct Close {
    #[command(flatten)]
    one: OfOne,
    /// What was done; no patient details
    #[arg(long, default_value = "")]
    note: String,
}

/// Runs `fallow alert …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Alerts) -> Result<Exit, Failure> {
    match command {
        Alerts::List(args) => list(session, args).await,
        Alerts::Take(args) => take(session, args).await,
        Alerts::Close(args) => close(session, args).await,
        Alerts::Watch(Watch { trust }) => {
            list(session, List { trust, state: Vec::new(), digest: false, watch: true }).await
        }
    }
}

async fn list(session: &mut Session<'_>, args: List) -> Result<Exit, Failure> {
    let trusts: Vec<String> = args.trust.iter().map(|trust| trust.to_uppercase()).collect();
    let asked = Asked {
        trusts: trusts.clone(),
        states: args.state.iter().map(|state| i32::from(*state)).collect(),
        digest: args.digest,
    };
    if !args.watch {
        return draw(session, &asked).await;
    }
    let open = move |client: Client, cursor| {
        let request = WatchAlertsRequest { cursor, trusts: trusts.clone() };
        async move { client.monitor().watch_alerts(request).await.map(tonic::Response::into_inner) }
    };
    follow(session, open, async |session| draw(session, &asked).await).await
}

/// Which alerts are wanted.
#[derive(Debug, Clone, Default)]
struct Asked {
    trusts: Vec<String>,
    states: Vec<i32>,
    digest: bool,
}

async fn draw(session: &mut Session<'_>, asked: &Asked) -> Result<Exit, Failure> {
    let alerts = all(session, asked).await?;
    session.show_list(&alerts, "no alerts")
}

async fn all(session: &Session<'_>, asked: &Asked) -> Result<Vec<Alert>, Failure> {
    let client = session.monitor()?;
    let mut alerts = pages(async |page_size, page_token| {
        let (trusts, states) = (asked.trusts.clone(), asked.states.clone());
        let request = ListAlertsRequest { page_size, page_token, trusts, states, ids: Vec::new() };
        let answer = session.call(request, async |ask| client.clone().list_alerts(ask).await).await?;
        Ok((answer.alerts, answer.next_page_token))
    })
    .await?;
    alerts.retain(|alert| asked.digest || !alert.digest);
    Ok(alerts)
}

/// Finds the alert that a person means: by id, or the beginning of one.
async fn find(session: &Session<'_>, typed: &str) -> Result<Alert, Failure> {
    let live = all(session, &Asked { digest: true, ..Asked::default() }).await?;
    pick(typed, "alert", LIST, &live, |alert: &Alert| vec![alert.id.clone()]).cloned()
}

async fn take(session: &mut Session<'_>, args: Take) -> Result<Exit, Failure> {
    let (alert, id) = (find(session, &args.one.id).await?, args.one.change.request_id());
    let request = TakeAlertRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        alert: alert.id,
    };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().take_alert(ask).await).await?;
    session.show_changed(answer.alert.as_ref(), "taken: it is yours", answer.revision)
}

async fn close(session: &mut Session<'_>, args: Close) -> Result<Exit, Failure> {
    let (alert, id) = (find(session, &args.one.id).await?, args.one.change.request_id());
    let request = CloseAlertRequest {
        request_id: id.clone(),
        validate_only: args.one.change.dry_run,
        expected_revision: args.one.expect.if_revision,
        alert: alert.id,
        note: args.note,
    };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().close_alert(ask).await).await?;
    session.show_changed(answer.alert.as_ref(), "closed", answer.revision)
}

impl Record for Alert {
    const COLUMNS: &'static [Column] = &[
        column("id"),
        column("raised"),
        column("state"),
        column("owner"),
        column("text"),
        column("also"),
        wide("rule"),
        wide("trusts"),
        wide("resource"),
        wide("digest"),
        wide("note"),
        wide("revision"),
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let raised = match from_wire(self.raised_at) {
            Some(at) if !view.exact => age(view.now.duration_since(at)),
            Some(_) | None => view.time(self.raised_at),
        };
        vec![
            self.id.as_str().into(),
            raised.into(),
            codes::word::<alert::State>(self.state).into(),
            owner(self, view),
            self.text.as_str().into(),
            match self.children.len() {
                0 => "".into(),
                more => format!("+{more}").into(),
            },
            self.rule.as_str().into(),
            self.trusts.join(" ").into(),
            self.resource.as_ref().map(render::resource).unwrap_or_default().into(),
            if self.digest { "yes" } else { "" }.into(),
            self.note.as_str().into(),
            self.revision.to_string().into(),
        ]
    }
}

/// Who owns an alert, or for how long nobody has: the longer, the louder.
fn owner(alert: &Alert, view: &View) -> Cell {
    if alert.state() != alert::State::Raised {
        return alert.owner.as_str().into();
    }
    let alone = from_wire(alert.raised_at).map_or(SignedDuration::ZERO, |at| view.now.duration_since(at));
    let tone = if alone >= SignedDuration::from_mins(15) { Tone::Bad } else { Tone::Warn };
    Cell::toned(format!("unowned {} min", alone.as_mins().max(0)), tone)
}
