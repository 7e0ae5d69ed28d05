//! Offers of a sheet: published one by one, or as the whole state of their sites.

use std::collections::{BTreeMap, BTreeSet};

use fallow_api::client::Client;
use fallow_api::problem::Problem;
use fallow_api::v1::{
    Offer, OfferFilter, PublishOfferRequest, PublishOfferResponse, ReplaceOffersRequest,
    ReplaceOffersResponse,
};
use fallow_tabular::difference::{self, Becomes, Difference};
use fallow_tabular::sheet::{self, Item, Sheet};
use fallow_tabular::{Local, Table};
use uuid::Uuid;

use super::args::{self, How};
use super::file;
use super::report::Report;
use crate::cli::capacity::all;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;

/// The feed under which whole states of sheets are counted.
const FEED: &str = "sheet";

/// Offers by the key of the trust that they have.
type Before = BTreeMap<String, Offer>;

/// Runs `fallow import capacity` and `fallow capacity apply`.
pub(super) async fn run(
    session: &mut Session<'_>,
    args: &args::Sheet,
    replace: bool,
) -> Result<Exit, Failure> {
    let given = file::read(session, args)?;
    let read = sheet::offers(&given.bytes, given.format, &given.mapping, &given.local);
    let mut sheet = read.map_err(|error| file::bad(&args.file, &error))?;
    let own = session.own_trust();
    let site = session.site(args.how.site.as_deref()).ok();
    for Item { message: offer, .. } in &mut sheet.items {
        if let (true, Some(site)) = (offer.site.is_empty(), &site) {
            offer.site.clone_from(site);
        }
        if offer.source_key.is_empty() {
            offer.source_key = difference::source_key(offer);
        }
    }
    sheet.refuse_twice();
    let mut report = Report { rejected: sheet.faults.clone(), ..Report::default() };
    let filter = OfferFilter { trusts: own.into_iter().collect(), ..OfferFilter::default() };
    let before: Before =
        all(session, &filter).await?.into_iter().map(|offer| (offer.source_key.clone(), offer)).collect();
    let mut whole = replace && report.rejected.is_empty();
    let mut ended = Ok(());
    if whole {
        let mut tried = Report::default();
        states(session, &sheet, &before, &args.how, true, &mut tried).await?;
        whole = tried.rejected.is_empty();
        if whole && !args.how.dry_run {
            ask(session, &tried).await?;
            ended = states(session, &sheet, &before, &args.how, false, &mut report).await;
        } else if whole {
            report = tried;
        }
    }
    if !whole {
        ended = publish(session, &sheet, &before, &args.how, &mut report).await;
        if replace {
            session
                .terminal
                .say("nothing is withdrawn while rows are rejected: mend them and apply again")?;
        }
    }
    // What was done is told before what ended it.
    let exit = report.show(session, &given, Table::Offers, &args.how)?;
    ended.map(|()| exit)
}

/// Asks before offers are taken back, after showing what would become of each.
async fn ask(session: &mut Session<'_>, tried: &Report) -> Result<(), Failure> {
    let count = |becomes| tried.differences.iter().filter(|one| one.becomes == becomes).count();
    let mut ends = Vec::new();
    match count(Becomes::Withdrawn) {
        0 => {}
        1 => ends.push("1 offer that the sheet leaves out is withdrawn.".to_owned()),
        gone => ends.push(format!("{gone} offers that the sheet leaves out are withdrawn.")),
    }
    match count(Becomes::Suspended) {
        0 => {}
        1 => ends.push("1 that is promised is suspended instead.".to_owned()),
        kept => ends.push(format!("{kept} that are promised are suspended instead.")),
    }
    if ends.is_empty() || !session.would_ask(false) {
        return Ok(());
    }
    for difference in tried.differences.iter().filter(|difference| !difference.what.is_empty()) {
        session.terminal.say(&format!("  {difference}"))?;
    }
    let what = format!("{} Holds that nobody has answered end at once.", ends.join(" "));
    session.confirm(false, &what).await
}

/// Publishes row by row; a row that is refused does not stop the others.
async fn publish(
    session: &mut Session<'_>,
    sheet: &Sheet<Offer>,
    before: &Before,
    how: &How,
    report: &mut Report,
) -> Result<(), Failure> {
    let local = file::local(session);
    for item in &sheet.items {
        let request = PublishOfferRequest {
            // Every import is a report of its own: the same figures again say that they are still true.
            request_id: Uuid::now_v7().to_string(),
            validate_only: how.dry_run,
            expected_revision: None,
            offer: Some(item.message.clone()),
            confirm_large_change: how.confirm_large_change,
        };
        let what = format!("row {}", item.row);
        match session
            .attempt_paced(&what, request, async |client: Client, ask| {
                client.capacity().publish_offer(ask).await
            })
            .await?
        {
            Ok(PublishOfferResponse { offer: Some(after), .. }) => {
                report.differences.push(difference::offer(before.get(&after.source_key), &after, &local));
            }
            Ok(PublishOfferResponse { offer: None, .. }) => report.untold(sheet, item.row),
            Err(problem) => report.refuse(sheet, item.row, "offer", &problem),
        }
    }
    Ok(())
}

/// Replaces the whole state of each site that the sheet names.
async fn states(
    session: &mut Session<'_>,
    sheet: &Sheet<Offer>,
    before: &Before,
    how: &How,
    validate_only: bool,
    report: &mut Report,
) -> Result<(), Failure> {
    let local = file::local(session);
    let sites: BTreeSet<&str> = sheet.items.iter().map(|item| item.message.site.as_str()).collect();
    for site in sites {
        let items: Vec<&Item<Offer>> = sheet.items.iter().filter(|item| item.message.site == site).collect();
        let kinds: BTreeSet<i32> = items
            .iter()
            .filter_map(|item| item.message.resource.as_ref().map(|resource| resource.kind))
            .collect();
        let request = ReplaceOffersRequest {
            validate_only,
            site: site.to_owned(),
            kinds: kinds.into_iter().collect(),
            feed: format!("{FEED}-{site}"),
            // Grows by itself: the next sheet of a site is a later one.
            source_seq: session.now().as_millisecond(),
            items: items.iter().map(|item| item.message.clone()).collect(),
            confirm_large_change: how.confirm_large_change,
        };
        let what = format!("site {site}");
        match session
            .attempt_paced(&what, request, async |client: Client, ask| {
                client.capacity().replace_offers(ask).await
            })
            .await?
        {
            Ok(answer) => tell(&answer, before, &local, &mut report.differences),
            Err(problem) => refuse(sheet, &items, &problem, report),
        }
    }
    Ok(())
}

/// Says what a whole state changed.
fn tell(answer: &ReplaceOffersResponse, before: &Before, local: &Local, differences: &mut Vec<Difference>) {
    let written = answer.changed.iter().chain(&answer.added);
    differences.extend(written.map(|after| difference::offer(before.get(&after.source_key), after, local)));
    differences.extend(answer.withdrawn.iter().map(difference::withdrawn));
    differences.extend(answer.suspended.iter().map(difference::suspended));
    let same =
        Difference { becomes: Becomes::Same, what: String::new(), detail: "reported again".to_owned() };
    let unchanged = usize::try_from(answer.unchanged).unwrap_or_default();
    differences.extend(std::iter::repeat_n(same, unchanged));
}

/// Sorts what a service found wrong with a whole state to the rows it is about.
fn refuse(sheet: &Sheet<Offer>, items: &[&Item<Offer>], problem: &Problem, report: &mut Report) {
    let (about_rows, others): (Vec<_>, Vec<_>) =
        problem.violations.iter().cloned().partition(|wrong| index_of(&wrong.field).is_some());
    for wrong in about_rows {
        let Some(item) = index_of(&wrong.field).and_then(|index| items.get(index)) else { continue };
        let prefix = wrong.field.split_once(']').map(|(prefix, _)| format!("{prefix}]")).unwrap_or_default();
        let one = Problem { violations: vec![wrong], ..problem.clone() };
        report.refuse(sheet, item.row, &prefix, &one);
    }
    if !others.is_empty() || problem.violations.is_empty() {
        let row = items.first().map_or(1, |item| item.row);
        report.refuse(sheet, row, "", &Problem { violations: others, ..problem.clone() });
    }
}

/// Returns the index of `items[36].window.until`.
fn index_of(field: &str) -> Option<usize> {
    field.strip_prefix("items[")?.split_once(']')?.0.parse().ok()
}
