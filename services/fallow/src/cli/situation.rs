//! `fallow situation`: the region as gold sees it, trust by resource.

use std::collections::BTreeMap;

use clap::Args;
use fallow_api::client::Client;
use fallow_api::render;
use fallow_api::v1::{
    Freshness, GetSituationRequest, Mode, Resource, Situation, WatchSituationRequest, situation,
};

use super::failure::{Exit, Failure};
use super::options::Format;
use super::output::{Cell, Layout, Terminal, Tone, View};
use super::session::Session;
use super::watch::follow;

/// Shows the region.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow situation\n  fallow situation --watch\n  fallow situation -o csv > situation.csv\n\n\
                        A cell is what is spare above reserve less the trust's own needs, with the pressure P1 to P4;\n\
                        // is stale, . is not provided."
)]
pub(crate) struct Show {
    /// Only the trusts of this collaborative
    #[arg(long, value_name = "ID")]
    collaborative: Option<String>,
    /// Go on showing what changes
    #[arg(short, long)]
    watch: bool,
}

/// Runs `fallow situation`.
pub(crate) async fn run(session: &mut Session<'_>, args: Show) -> Result<Exit, Failure> {
    let collaborative = args.collaborative.unwrap_or_default();
    if !args.watch {
        return draw(session, &collaborative).await;
    }
    let watched = collaborative.clone();
    let open = move |client: Client, cursor| {
        let request = WatchSituationRequest { cursor, collaborative: watched.clone() };
        async move { client.monitor().watch_situation(request).await.map(tonic::Response::into_inner) }
    };
    follow(session, open, async |session| draw(session, &collaborative).await).await
}

async fn draw(session: &mut Session<'_>, collaborative: &str) -> Result<Exit, Failure> {
    let situation = get(session, collaborative).await?;
    let view = session.view();
    let layout = session.layout();
    show(&mut session.terminal, &situation, &layout, &view)?;
    Ok(Exit::Ok)
}

/// Reads the situation.
pub(crate) async fn get(session: &Session<'_>, collaborative: &str) -> Result<Situation, Failure> {
    let client = session.monitor()?;
    let ask = GetSituationRequest { collaborative: collaborative.to_owned() };
    let answer = session.call(ask, async |ask| client.clone().get_situation(ask).await).await?;
    answer.situation.ok_or_else(|| Failure::new(Exit::Failed, "INTERNAL", "the answer is empty"))
}

/// Writes the situation in any format. For people: the headline, the table of trust by resource, who is in an incident.
pub(crate) fn show(
    terminal: &mut Terminal<'_>,
    situation: &Situation,
    layout: &Layout,
    view: &View,
) -> Result<(), Failure> {
    match layout.format {
        Format::Json => terminal.json(situation, true),
        Format::Jsonl => terminal.json(situation, false),
        Format::Id => {
            situation.trusts.iter().try_for_each(|trust| terminal.data(&format!("{}\n", trust.trust)))
        }
        Format::Csv => cells(terminal, situation, layout, view),
        Format::Md | Format::Html | Format::Xlsx => heat(terminal, situation, layout),
        Format::Table | Format::Wide => {
            for line in headline(situation, view) {
                terminal.data(&format!("{line}\n"))?;
            }
            terminal.data("\n")?;
            heat(terminal, situation, layout)
        }
    }
}

/// Returns the lines on top of the region.
pub(crate) fn headline(situation: &Situation, view: &View) -> Vec<String> {
    let head = situation.headline.unwrap_or_default();
    let at = super::time::from_wire(situation.at)
        .map(|at| at.to_zoned(view.zone.clone()).strftime("%a %-d %b %H:%M:%S").to_string())
        .unwrap_or_default();
    let mut lines = vec![format!(
        "{}  {at}  {} of {} trusts live  revision {}",
        situation.name, head.trusts_live, head.trusts_all, situation.revision
    )];
    // Of nothing there is no share.
    let placed = match head.needs_raised_24h {
        0 => "none raised in 24 h".to_owned(),
        raised => format!("{}% placed in 24 h", head.needs_placed_24h * 100 / raised),
    };
    let minutes = head
        .median_minutes_to_agreed
        .map(|minutes| format!(" | {minutes} min to agreed"))
        .unwrap_or_default();
    lines.push(format!(
        "{} open | {} past needed-by | {placed}{minutes} | {} proposed | {} moving | {} overdue",
        head.needs_open,
        head.needs_overdue,
        head.proposals_held,
        head.transfers_moving,
        head.transfers_overdue
    ));
    for mode in situation.modes.iter().filter(|mode| mode.mode() == Mode::Incident) {
        let since = view.time(mode.since);
        lines.push(format!("INCIDENT MODE: {} since {since}. {}", mode.name, mode.reason));
    }
    if !situation.store_caveat.is_empty() {
        lines.push(situation.store_caveat.clone());
    }
    lines
}

/// Trust by resource.
fn heat(terminal: &mut Terminal<'_>, situation: &Situation, layout: &Layout) -> Result<(), Failure> {
    let (head, rows) = heat_cells(situation);
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    terminal.table_of(&head, rows, layout)
}

/// Returns the names of the columns and the rows of trust by resource: one for each trust, then the region's.
pub(crate) fn heat_cells(situation: &Situation) -> (Vec<String>, Vec<Vec<Cell>>) {
    let mut columns: BTreeMap<(i32, &str, i32), String> = BTreeMap::new();
    let mut cells: BTreeMap<(&str, (i32, &str, i32)), &situation::Cell> = BTreeMap::new();
    for cell in &situation.cells {
        let Some(resource) = &cell.resource else { continue };
        let key = key(resource);
        columns.entry(key).or_insert_with(|| render::resource(resource));
        cells.insert((&cell.trust, key), cell);
    }
    let mut head: Vec<String> = ["trust", "", "opel"].map(str::to_owned).into();
    head.extend(columns.values().cloned());
    let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(situation.trusts.len() + 1);
    for trust in &situation.trusts {
        let opel = if trust.opel == 0 { "-".to_owned() } else { trust.opel.to_string() };
        let mut row: Vec<Cell> = vec![trust.name.as_str().into(), trust.trust.as_str().into(), opel.into()];
        row.extend(columns.keys().map(|key| {
            cells.get(&(trust.trust.as_str(), *key)).map_or_else(|| ".".into(), |cell| spare(cell))
        }));
        rows.push(row);
    }
    if !rows.is_empty() && !columns.is_empty() {
        let mut net: Vec<Cell> = vec!["Region net".into(), "".into(), "".into()];
        net.extend(columns.keys().map(|key| {
            let of = cells.iter().filter(|((_, resource), _)| resource == key);
            Cell::from(signed(of.map(|(_, cell)| cell.net).sum()))
        }));
        rows.push(net);
    }
    (head, rows)
}

fn key(resource: &Resource) -> (i32, &str, i32) {
    (resource.kind, &resource.code, resource.level)
}

/// One cell: "+6 P1", "-3 P4 //" when stale.
fn spare(cell: &situation::Cell) -> Cell {
    let stale = if cell.freshness() == Freshness::Stale { " //" } else { "" };
    let tone = match cell.pressure {
        4 => Tone::Bad,
        3 => Tone::Warn,
        _ => Tone::Plain,
    };
    Cell::toned(format!("{} P{}{stale}", signed(cell.net), cell.pressure), tone)
}

fn signed(net: i64) -> String {
    if net == 0 { "0".to_owned() } else { format!("{net:+}") }
}

/// One row for each trust and resource, for spreadsheets.
fn cells(
    terminal: &mut Terminal<'_>,
    situation: &Situation,
    layout: &Layout,
    view: &View,
) -> Result<(), Failure> {
    let head = [
        "trust",
        "resource",
        "staffed",
        "free",
        "held",
        "agreed",
        "reserve",
        "own_needs",
        "net",
        "pressure",
        "freshness",
        "oldest",
        "offers",
        "stale",
    ];
    let view = View { now: view.now, zone: view.zone.clone(), exact: true };
    let rows = situation.cells.iter().map(|cell| {
        let number = |value: i64| Cell::from(value.to_string());
        vec![
            cell.trust.as_str().into(),
            cell.resource.as_ref().map(render::resource_key).unwrap_or_default().into(),
            number(cell.staffed),
            number(cell.free),
            number(cell.held),
            number(cell.committed),
            number(cell.reserve),
            number(cell.own_needs),
            number(cell.net),
            number(cell.pressure.into()),
            super::codes::word::<Freshness>(cell.freshness).into(),
            view.time(cell.oldest_reported_at).into(),
            number(cell.offers),
            number(cell.offers_stale),
        ]
    });
    terminal.table_of(&head, rows.collect(), layout)
}
