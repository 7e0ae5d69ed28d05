//! Our theatres of the next six weeks, session by session, and what became of those that have begun.

use askama::Template;
use fallow_api::v1::{GetReportRequest, ReportKind};

use crate::app::Visit;
use crate::words::first_upper;

/// What the monitor counts of our theatres.
#[derive(Template)]
#[template(path = "capacity/strip.html")]
pub(super) struct Strip {
    columns: Vec<String>,
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// A week, or what has begun.
struct Row {
    name: String,
    numbers: Vec<String>,
    /// A sign for each session, or what the trust's own rhythm is.
    in_words: String,
}

/// Reads the strip of the trust that we act for; `None` where it has no sessions, or cannot be had just now: the board
/// matters more.
pub(super) async fn read(visit: &Visit) -> Option<Strip> {
    let trust = visit.own_trust().ok()?.to_owned();
    let ask = GetReportRequest { kind: ReportKind::Theatres.into(), trust, ..GetReportRequest::default() };
    let report = visit.calls.monitor().get_report(ask).await.ok()?.into_inner();
    let rows: Vec<Row> = report
        .rows
        .into_iter()
        .map(|row| Row {
            name: match row.name.split_once(", ") {
                Some((_, "begun")) => "Begun, last 28 days".to_owned(),
                Some((_, week)) => week.replacen("week", "Week", 1),
                None => row.name,
            },
            numbers: row.values.iter().map(|value| format!("{value:.0}")).collect(),
            in_words: row.note,
        })
        .collect();
    let columns = report.columns.iter().skip(1).map(|column| first_upper(column)).collect();
    (!rows.is_empty()).then_some(Strip { columns, rows, notes: report.notes })
}
