//! What the board shows, read at once.

use fallow_api::v1::{ListTimelineRequest, TimelineEntry, TimelineKind};

use super::{on_the_way, waiting};
use crate::cli::codes::word;
use crate::cli::failure::Failure;
use crate::cli::output::{Cell, Record, View};
use crate::cli::session::Session;
use crate::cli::{proposal, situation, transfer as transfers};

/// Newest entries of the timeline that are read.
const ENTRIES: i32 = 100;

/// Everything on the board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Picture {
    /// The lines on top.
    pub(super) head: Vec<String>,
    /// Trust by resource.
    pub(super) heat: Pane,
    /// What waits for an answer.
    pub(super) inbox: Pane,
    /// What happened last, or what is on the way where no timeline is kept.
    pub(super) latest: Pane,
}

/// One pane: a table whose rows stand for records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pane {
    pub(super) title: &'static str,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Said when there are no rows.
    pub(super) nothing: &'static str,
}

/// A row, and the command that says more of it; empty when nothing more is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) more: String,
    pub(super) cells: Vec<Cell>,
}

/// Reads the picture.
///
/// # Errors
/// When the region, the inbox or the transfers cannot be read. A timeline that is not there is done without.
pub(super) async fn read(session: &Session<'_>) -> Result<Picture, Failure> {
    let view = session.view();
    let situation = situation::get(session, "").await?;
    let inbox = proposal::suggestions(session, &waiting()).await?;
    let latest = match timeline(session).await {
        Ok(entries) => happened(entries, &view),
        Err(_) => moving(session, &view).await?,
    };
    let (head, rows) = situation::heat_cells(&situation);
    let trusts = situation.trusts.iter().map(|trust| trust.trust.clone()).chain([String::new()]);
    let row = |(id, cells): (String, Vec<Cell>)| {
        let more = if id.is_empty() { String::new() } else { format!("feed show {id}") };
        Row { id, more, cells }
    };
    let heat = Pane {
        title: "Spare less needed",
        head,
        rows: trusts.zip(rows).map(row).collect(),
        nothing: "no trust is known here",
    };
    let inbox = listed("Inbox", &inbox, &view, "nothing waits for your answer", |id| format!("why {id}"));
    Ok(Picture { head: situation::headline(&situation, &view), heat, inbox, latest })
}

async fn timeline(session: &Session<'_>) -> Result<Vec<TimelineEntry>, Failure> {
    let client = session.monitor()?;
    let ask = ListTimelineRequest { page_size: ENTRIES, ..ListTimelineRequest::default() };
    Ok(session.call(ask, async |ask| client.clone().list_timeline(ask).await).await?.entries)
}

fn happened(mut entries: Vec<TimelineEntry>, view: &View) -> Pane {
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at.map(|at| (at.seconds, at.nanos))));
    let row = |entry: TimelineEntry| Row {
        cells: vec![
            view.time(entry.at).into(),
            word::<TimelineKind>(entry.kind).to_uppercase().into(),
            entry.text.into(),
        ],
        id: entry.id,
        more: String::new(),
    };
    Pane {
        title: "Timeline",
        head: ["when", "what", ""].map(str::to_owned).into(),
        rows: entries.into_iter().map(row).collect(),
        nothing: "nothing has happened yet",
    }
}

async fn moving(session: &Session<'_>, view: &View) -> Result<Pane, Failure> {
    let moving = transfers::all(session, &on_the_way()).await?;
    Ok(listed("Moving", &moving, view, "nothing is on the way", |id| format!("transfer show {id}")))
}

fn listed<R: Record>(
    title: &'static str,
    records: &[R],
    view: &View,
    nothing: &'static str,
    more: impl Fn(&str) -> String,
) -> Pane {
    // The id is for commands, which the board types itself.
    let shown: Vec<usize> = (1..R::COLUMNS.len()).filter(|at| !R::COLUMNS[*at].wide).collect();
    let row = |record: &R| {
        let cells = record.row(view);
        Row {
            id: record.id().to_owned(),
            more: more(record.id()),
            cells: shown.iter().map(|at| cells[*at].clone()).collect(),
        }
    };
    Pane {
        title,
        head: shown.iter().map(|at| R::COLUMNS[*at].name.to_owned()).collect(),
        rows: records.iter().map(row).collect(),
        nothing,
    }
}
