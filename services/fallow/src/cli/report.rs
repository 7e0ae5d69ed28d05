//! `fallow report`: tables over a period; and `fallow trend`, one measure over time with what is usual of it.

use clap::{Args, ValueEnum};
use fallow_api::v1::{
    GetReportRequest, GetReportResponse, GetTrendRequest, GetTrendResponse, Measure, ReportKind, Resource,
};

use super::codes;
use super::failure::{Exit, Failure};
use super::given::{self, Most};
use super::options::Format;
use super::output::{Cell, Tone};
use super::session::Session;
use super::time::{self, to_wire};

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Who waits and who is placed, by deprivation
    Equity,
    /// Giving and taking by trust
    Fairness,
    /// Needs by their age against needed-by, what blocks them, and what would help most
    Unmet,
    /// Why proposals were declined
    Declines,
    /// What became of transfers, the harm among it
    Outcomes,
    /// How the rules that raise alerts have done, and would have done
    Alerts,
    /// Theatre sessions of six weeks, and the minutes found and lost of those that have begun
    Theatres,
}

impl Kind {
    const fn wire(self) -> ReportKind {
        match self {
            Self::Equity => ReportKind::Equity,
            Self::Fairness => ReportKind::Fairness,
            Self::Unmet => ReportKind::Unmet,
            Self::Declines => ReportKind::Declines,
            Self::Outcomes => ReportKind::Outcomes,
            Self::Alerts => ReportKind::Alerts,
            Self::Theatres => ReportKind::Theatres,
        }
    }
}

/// Shows a report.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow report unmet\n  fallow report fairness --from -7d -o csv > fairness.csv\n  \
                        fallow report declines --trust ZA3\n  fallow report alerts --thresholds alerts.toml"
)]
pub(crate) struct Report {
    /// Which
    #[arg(value_enum)]
    kind: Kind,
    /// From when: 08:00, yesterday 18:00, -7d or a date with a time. Default: 28 days ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Until when. Default: now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Only what this trust has a part in
    #[arg(long, value_name = "ODS")]
    trust: Option<String>,
    /// Of alerts: thresholds to try instead of those in force, as [policy.alerts] of a region file
    #[arg(long, value_name = "FILE")]
    thresholds: Option<std::path::PathBuf>,
}

/// Of the thresholds of alerts.
const THRESHOLDS: Most = Most { what: "a file of thresholds", bytes: 16 * 1024 };

/// Runs `fallow report`.
pub(crate) async fn run(session: &mut Session<'_>, args: Report) -> Result<Exit, Failure> {
    let past = |text: &Option<String>| {
        text.as_deref().map(|text| time::past(text, session.now(), &session.zone)).transpose()
    };
    let thresholds = args.thresholds.as_deref().map(|file| given::text(file, THRESHOLDS));
    let request = GetReportRequest {
        kind: args.kind.wire().into(),
        from: past(&args.from)?.map(to_wire),
        until: past(&args.until)?.map(to_wire),
        trust: args.trust.map(|trust| trust.to_uppercase()).unwrap_or_default(),
        alerts_toml: thresholds.transpose()?.unwrap_or_default(),
    };
    let client = session.monitor()?;
    let report = session.call(request, async |ask| client.clone().get_report(ask).await).await?;
    show(session, &report)?;
    Ok(Exit::Ok)
}

fn show(session: &mut Session<'_>, report: &GetReportResponse) -> Result<(), Failure> {
    let format = session.global.format();
    match format {
        Format::Json => return session.terminal.json(report, true),
        Format::Jsonl => return session.terminal.json(report, false),
        Format::Id => {
            let names = report.rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>();
            return session.terminal.data(&names);
        }
        Format::Table | Format::Wide | Format::Csv | Format::Md | Format::Html | Format::Xlsx => {}
    }
    let has_notes = report.rows.iter().any(|row| !row.note.is_empty());
    let mut head: Vec<&str> = report.columns.iter().map(String::as_str).collect();
    if has_notes {
        head.push("in words");
    }
    let rows = report.rows.iter().map(|row| {
        let numbers = row.values.iter().map(|value| Cell::from(number(*value)));
        let name = std::iter::once(Cell::from(row.name.as_str()));
        let note = has_notes.then(|| Cell::from(row.note.as_str()));
        name.chain(numbers).chain(note).collect()
    });
    let layout = session.layout();
    session.terminal.table_of(&head, rows.collect(), &layout)?;
    for note in &report.notes {
        session.terminal.say(note)?;
    }
    let counted = session.view().time(report.counted_from);
    session.terminal.say(&format!("counted from {counted}"))
}

/// Writes a number without what it does not have.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// Shows a trend.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow trend needs_open\n  fallow trend net --trust ZA4 --resource bed/cc_adult/2\n  fallow trend \
                        minutes_to_agreed --from -14d --step 1d -o csv"
)]
pub(crate) struct Trend {
    /// Which measure: net, needs_open, needs_overdue, placed_percent, minutes_to_agreed
    #[arg(hide_possible_values = true, value_parser = codes::of::<Measure>())]
    measure: Measure,
    /// Only of this trust; of net
    #[arg(long, value_name = "ODS")]
    trust: Option<String>,
    /// Of this resource; net needs it
    #[arg(long, value_parser = super::shorthand::resource)]
    resource: Option<Resource>,
    /// From when. Default: 7 days ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Until when. Default: now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Distance of the points: 1h, 1d
    #[arg(long, default_value = "1h")]
    step: String,
}

/// Runs `fallow trend`.
pub(crate) async fn trend(session: &mut Session<'_>, args: Trend) -> Result<Exit, Failure> {
    let past = |text: &Option<String>| {
        text.as_deref().map(|text| time::past(text, session.now(), &session.zone)).transpose()
    };
    let step = time::duration(&args.step)?;
    let request = GetTrendRequest {
        measure: args.measure.into(),
        trust: args.trust.as_ref().map(|trust| trust.to_uppercase()).unwrap_or_default(),
        resource: args.resource.clone(),
        from: past(&args.from)?.map(to_wire),
        until: past(&args.until)?.map(to_wire),
        step: Some(prost_types::Duration { seconds: step.as_secs(), nanos: 0 }),
    };
    let client = session.monitor()?;
    let trend = session.call(request, async |ask| client.clone().get_trend(ask).await).await?;
    draw(session, &trend)?;
    Ok(Exit::Ok)
}

fn draw(session: &mut Session<'_>, trend: &GetTrendResponse) -> Result<(), Failure> {
    let format = session.global.format();
    match format {
        Format::Json => return session.terminal.json(trend, true),
        Format::Jsonl => return session.terminal.json(trend, false),
        Format::Table
        | Format::Wide
        | Format::Csv
        | Format::Md
        | Format::Html
        | Format::Xlsx
        | Format::Id => {}
    }
    let mut view = session.view();
    view.exact = format == Format::Csv;
    let rows = trend.points.iter().map(|point| {
        let special = if point.special_cause { Cell::toned("special", Tone::Warn) } else { "".into() };
        vec![view.time(point.at).into(), number(point.value).into(), special]
    });
    let layout = session.layout();
    session.terminal.table_of(&["at", "value", "cause"], rows.collect(), &layout)?;
    session.terminal.say(&format!(
        "mean {:.1}, usual {:.1} to {:.1}. {}",
        trend.mean, trend.lower, trend.upper, trend.sentence
    ))
}
