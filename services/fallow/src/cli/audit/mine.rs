//! `fallow audit mine`: who did what, and who was denied what, as far as its reader may know.

use std::collections::BTreeMap;

use clap::Args;
use fallow_api::v1::{AuditEntry, AuditTotal, ListAuditRequest};

use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Cell, Column, Record, Tone, View, column, wide};
use crate::cli::session::Session;
use crate::cli::time::{self, to_wire};

/// Most entries that one command shows.
const SHOWN_MAX: u32 = 100_000;
/// Most entries of one page.
const PAGE_SIZE: u32 = 1_000;
/// Most pages that one command reads, of 1,000 changes each.
const PAGES_MAX: usize = 1_000;

/// Lists the audit trail.
#[derive(Debug, Args)]
pub struct Mine {
    /// From when: 08:00, yesterday 18:00, -4h or a date with a time. Default: as far back as the log is kept
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Until when. Default: now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Only what was denied
    #[arg(long)]
    denied: bool,
    /// Only what was done for this trust or to its records; for an auditor, a platform administrator or gold
    #[arg(long, value_name = "ODS")]
    trust: Option<String>,
    /// At most so many entries, the newest
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(SHOWN_MAX)))]
    limit: u32,
    /// How often each call was made or denied, instead of each entry
    #[arg(long)]
    totals: bool,
}

/// Runs `fallow audit mine`.
pub(crate) async fn run(session: &mut Session<'_>, args: Mine) -> Result<Exit, Failure> {
    let past = |text: &Option<String>| {
        text.as_deref().map(|text| time::past(text, session.now(), &session.zone)).transpose()
    };
    let limit = if args.totals { SHOWN_MAX } else { args.limit };
    let mut ask = ListAuditRequest {
        from: past(&args.from)?.map(to_wire),
        until: past(&args.until)?.map(to_wire),
        denied: args.denied,
        trust: args.trust.map(|trust| trust.to_uppercase()).unwrap_or_default(),
        ..ListAuditRequest::default()
    };
    let client = session.monitor()?;
    let (mut entries, mut totals) = (Vec::new(), BTreeMap::new());
    for _ in 0..PAGES_MAX {
        let left = limit.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        ask.page_size = i32::try_from(left.min(PAGE_SIZE)).unwrap_or_default();
        let page = session.call(ask.clone(), async |ask| client.clone().list_audit(ask).await).await?;
        entries.extend(page.entries);
        for total in page.totals {
            let AuditTotal { trust, role, call, denied, times } = total;
            *totals.entry((trust, role, call, denied)).or_default() += times;
        }
        ask.page_token = page.next_page_token;
        if ask.page_token.is_empty() || entries.len() >= limit as usize {
            break;
        }
    }
    if let Some(claims) = session.claims() {
        let whose = whose(&claims.role, claims.trust.as_deref(), &ask.trust);
        session.terminal.say(&whose)?;
    }
    let is_cut = !ask.page_token.is_empty();
    // Who may read no entry reads how often.
    let exit = if args.totals || (entries.is_empty() && !totals.is_empty()) {
        let total = |((trust, role, call, denied), times)| AuditTotal { trust, role, call, denied, times };
        let totals: Vec<AuditTotal> = totals.into_iter().map(total).collect();
        session.show_list(&totals, NOTHING)
    } else {
        session.show_list(&entries, NOTHING)
    }?;
    if is_cut {
        session.terminal.say("there is more: --until goes further back, --limit shows more at once")?;
    }
    Ok(exit)
}

/// Says whose trail somebody reads, and how much of it.
fn whose(role: &str, own: Option<&str>, asked: &str) -> String {
    let region = match asked {
        "" => "the whole region's audit trail".to_owned(),
        trust => format!("the audit trail of {trust}"),
    };
    match (role, own) {
        ("platform_admin", _) => format!(
            "{region}, without persons and records: a platform administrator belongs to no trust and reads neither. An \
             auditor reads both; a trust reads its own by `fallow audit mine` as its site lead or system."
        ),
        ("gold", _) => format!("{region}, in totals: gold reads no entries. An auditor reads them."),
        (_, Some(own)) => format!(
            "the audit trail of {own}: what its people and systems did or were denied, and what others did to its records"
        ),
        (_, None) => region,
    }
}

/// What is said where the trail is empty.
const NOTHING: &str = "nothing in the audit trail; what is older than the store's log is in the archive";

/// Says whether something was done, or why not.
fn outcome(denied: &str) -> Cell {
    if denied.is_empty() { "done".into() } else { Cell::toned(format!("denied {denied}"), Tone::Warn) }
}

impl Record for AuditEntry {
    const COLUMNS: &'static [Column] = &[
        column("at"),
        column("who"),
        column("role"),
        column("trust"),
        column("call"),
        column("outcome"),
        column("times"),
        column("records"),
        wide("names"),
        wide("request"),
        wide("revision"),
    ];

    fn id(&self) -> &str {
        &self.request_id
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        vec![
            view.time(self.at).into(),
            self.subject.as_str().into(),
            self.role.as_str().into(),
            self.trust.as_str().into(),
            self.call.as_str().into(),
            outcome(&self.denied),
            self.times.to_string().into(),
            records_told(self).into(),
            self.records.join(" ").into(),
            self.request_id.as_str().into(),
            self.revision.to_string().into(),
        ]
    }
}

/// How many records the reader is told of; nothing where something was done and they may know of none, for that it wrote
/// none is not so.
fn records_told(entry: &AuditEntry) -> String {
    let is_hidden = entry.denied.is_empty() && entry.records_count == 0;
    if is_hidden { String::new() } else { entry.records_count.to_string() }
}

impl Record for AuditTotal {
    const COLUMNS: &'static [Column] =
        &[column("trust"), column("role"), column("call"), column("outcome"), column("times")];

    fn id(&self) -> &str {
        &self.call
    }

    fn row(&self, _: &View) -> Vec<Cell> {
        vec![
            self.trust.as_str().into(),
            self.role.as_str().into(),
            self.call.as_str().into(),
            outcome(&self.denied),
            self.times.to_string().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_told_whose_trail_they_read() {
        assert!(whose("site_lead", Some("ZA4"), "").starts_with("the audit trail of ZA4: what its people"));
        assert_eq!(whose("auditor", None, ""), "the whole region's audit trail");
        assert_eq!(whose("auditor", None, "ZA1"), "the audit trail of ZA1");
        let admin = whose("platform_admin", None, "");
        assert!(admin.contains("belongs to no trust") && admin.contains("as its site lead"), "{admin}");
        assert!(whose("gold", None, "").contains("in totals"));
    }

    #[test]
    fn records_that_are_not_told_are_no_nought() {
        let done = AuditEntry::default();
        let denied = AuditEntry { denied: "ROLE_FORBIDS".into(), ..AuditEntry::default() };
        let known = AuditEntry { records_count: 2, ..AuditEntry::default() };
        assert_eq!([done, denied, known].map(|one| records_told(&one)), ["", "0", "2"]);
    }
}
