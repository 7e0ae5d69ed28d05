//! The rows of a sheet to the services: first to see what they would change, then to change it.

use std::collections::{BTreeMap, BTreeSet};

use fallow_api::json;
use fallow_api::v1::{
    Need, Offer, OfferFilter, PublishOfferRequest, RaiseNeedRequest, ReplaceOffersRequest,
    ReplaceOffersResponse,
};
use fallow_tabular::difference::{self, Becomes, Difference, Raised};
use fallow_tabular::sheet::{self, Fault, Item, Sheet};
use fallow_tabular::{Format, Local, Mapping};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use uuid::Builder;

use super::done::Done;
use super::pace::{self, Became};
use super::{Of, Preview, local};
use crate::app::Visit;
use crate::form::Fields;
use crate::problem::Problem;
use crate::words::resource;

/// Rows at most of one upload; a site's whole state has no more.
pub(super) const ROWS_MAX: usize = 1_000;
/// Sheets that are read at once: a workbook unpacks to far more than its file, and each reader holds one whole.
static READERS: Semaphore = Semaphore::const_new(2);

/// What a sheet holds.
pub(super) enum Rows {
    Offers(Sheet<Offer>),
    Needs(Sheet<Need>),
}

/// What was done of a sheet.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) differences: Vec<Difference>,
    pub(super) faults: Vec<Fault>,
    pub(super) done: Done,
    /// What ended it before the last row.
    pub(super) stopped: Option<Problem>,
}

/// What a confirmation carries from the preview.
#[derive(Default)]
pub(super) struct Carried {
    /// The rows that can be read, as JSON lines.
    pub(super) records: String,
    /// For each of them its row in the sheet, and after an `@` the revision of the offer that the preview saw.
    pub(super) rows: String,
    /// The number of the state, so that the same confirmation twice is one.
    pub(super) sequence: i64,
    /// Whether what the sheet leaves out is withdrawn.
    pub(super) replaces: bool,
    /// What earlier tries of the same confirmation did. It is no part of its id.
    pub(super) done: Done,
}

impl Carried {
    /// Reads what a confirmation sent.
    pub(super) fn of(fields: &Fields) -> Result<Self, Problem> {
        Ok(Self {
            records: fields.text("records").to_owned(),
            rows: fields.text("rows").to_owned(),
            sequence: fields.number("sequence")?.unwrap_or_default(),
            replaces: fields.text("replaces") == "yes",
            done: Done::read(fields.text(super::DONE)),
        })
    }

    /// Returns the id of the confirmation. The session is no part of it: who signs in again and confirms the same again
    /// repeats it.
    fn id(&self, visit: &Visit) -> String {
        let field = |name: &str, value: String| (name.to_owned(), value);
        Fields::from(vec![
            field("subject", visit.viewer().subject.clone()),
            field("records", self.records.clone()),
            field("rows", self.rows.clone()),
            field("sequence", self.sequence.to_string()),
            field("replaces", self.replaces.to_string()),
        ])
        .request_id()
    }

    /// Gives the rows of a confirmation the numbers that they have in the sheet, and returns the revisions by them.
    fn number<M>(&self, sheet: &mut Sheet<M>) -> BTreeMap<usize, i64> {
        let mut revisions = BTreeMap::new();
        for (item, row) in sheet.items.iter_mut().zip(self.rows.split(',')) {
            let (row, revision) = row.split_once('@').unwrap_or((row, ""));
            item.row = row.parse().unwrap_or(item.row);
            if let Ok(revision) = revision.parse() {
                revisions.insert(item.row, revision);
            }
        }
        revisions
    }
}

/// Reads the rows of a file away from the threads that answer everybody.
pub(super) async fn read(bytes: Vec<u8>, format: Format, of: Of, local: Local) -> Result<Rows, Problem> {
    let unread = || Problem::invalid("file", "could not be read; save it again as XLSX, or as CSV");
    let _turn = READERS.acquire().await.map_err(|_| unread())?;
    let reading = tokio::task::spawn_blocking(move || read_here(&bytes, format, of, &local));
    reading.await.map_err(|error| {
        tracing::error!(%error, "a sheet could not be read");
        unread()
    })?
}

fn read_here(bytes: &[u8], format: Format, of: Of, local: &Local) -> Result<Rows, Problem> {
    let mapping = Mapping::default();
    let wrong = |error: fallow_tabular::BadFile| Problem::invalid("file", &error.to_string());
    let (rows, count) = match of {
        Of::Offers => {
            let mut sheet = sheet::offers(bytes, format, &mapping, local).map_err(wrong)?;
            for Item { message: offer, .. } in &mut sheet.items {
                if offer.source_key.is_empty() {
                    offer.source_key = difference::source_key(offer);
                }
                // What is confirmed later was true now.
                if offer.reported_at.is_none() {
                    let seconds = local.now.as_second();
                    offer.reported_at = Some(prost_types::Timestamp { seconds, nanos: 0 });
                }
            }
            sheet.refuse_twice();
            let count = sheet.items.len() + sheet.faults.len();
            (Rows::Offers(sheet), count)
        }
        Of::Needs => {
            let sheet = sheet::needs(bytes, format, &mapping, local).map_err(wrong)?;
            let count = sheet.items.len() + sheet.faults.len();
            (Rows::Needs(sheet), count)
        }
    };
    match count {
        0 => Err(Problem::invalid("file", "has no row below its head")),
        1..=ROWS_MAX => Ok(rows),
        more => Err(Problem::invalid("file", &format!("has {more} rows; at most {ROWS_MAX} go at once"))),
    }
}

/// Asks the services what a sheet would change; nothing is changed.
pub(super) async fn preview(visit: &Visit, rows: Rows, replaces: bool) -> Result<Preview, Problem> {
    let sequence = visit.sent_at.as_millisecond();
    match rows {
        Rows::Offers(sheet) => {
            let before = before(visit).await?;
            let mut sent = whole(publish(visit, &sheet, &before, None).await)?;
            let is_whole = replaces && sheet.faults.is_empty() && sent.faults.is_empty();
            if is_whole {
                sent = whole(replace(visit, &sheet, &before, sequence, true).await)?;
            }
            let revision = |offer: &Offer| before.get(&offer.source_key).map(|before| before.revision);
            let carried = Carried { sequence, replaces: is_whole, ..carried(&sheet, &sent.faults, revision) };
            let mut preview = Preview::new(&sent.differences, left_out(&sheet, sent.faults), carried);
            preview.keeps = replaces && !is_whole;
            Ok(preview)
        }
        Rows::Needs(sheet) => {
            let sent = whole(raise(visit, &sheet, None).await)?;
            let carried = Carried { sequence, ..carried(&sheet, &sent.faults, |_| None) };
            Ok(Preview::new(&sent.differences, left_out(&sheet, sent.faults), carried))
        }
    }
}

/// A preview is of every row or none.
fn whole(sent: Sent) -> Result<Sent, Problem> {
    match sent.stopped {
        Some(problem) => Err(problem),
        None => Ok(sent),
    }
}

fn left_out<M>(sheet: &Sheet<M>, refused: Vec<Fault>) -> Vec<Fault> {
    sheet.faults.iter().cloned().chain(refused).collect()
}

fn carried<M: json::Message + serde::Serialize>(
    sheet: &Sheet<M>,
    refused: &[Fault],
    revision: impl Fn(&M) -> Option<i64>,
) -> Carried {
    let refused: BTreeSet<usize> = refused.iter().map(|fault| fault.row).collect();
    let good: Vec<&Item<M>> = sheet.items.iter().filter(|item| !refused.contains(&item.row)).collect();
    let row = |item: &&Item<M>| match revision(&item.message) {
        Some(revision) => format!("{}@{revision}", item.row),
        None => item.row.to_string(),
    };
    let rows = good.iter().map(row).collect::<Vec<_>>().join(",");
    Carried { records: written(good.iter().map(|item| &item.message)), rows, ..Carried::default() }
}

/// Makes the change that was shown. The same confirmation twice is done once.
pub(super) async fn send(visit: &Visit, rows: Rows, carried: &Carried) -> Result<Sent, Problem> {
    let form = carried.id(visit);
    match rows {
        Rows::Offers(mut sheet) => {
            let seen = carried.number(&mut sheet);
            let before = before(visit).await?;
            Ok(match carried.replaces {
                true => replace(visit, &sheet, &before, carried.sequence, false).await,
                false => publish(visit, &sheet, &before, Some((&form, &seen))).await,
            })
        }
        Rows::Needs(mut sheet) => {
            carried.number(&mut sheet);
            Ok(raise(visit, &sheet, Some(&form)).await)
        }
    }
}

fn written<'m, M: json::Message + serde::Serialize + 'm>(messages: impl Iterator<Item = &'m M>) -> String {
    // Every one of them was read from JSON a moment ago.
    messages.filter_map(|message| json::to_string(message).ok()).collect::<Vec<_>>().join("\n")
}

/// Our live offers by our own keys.
async fn before(visit: &Visit) -> Result<BTreeMap<String, Offer>, Problem> {
    let own = OfferFilter { trusts: vec![visit.own_trust()?.to_owned()], ..OfferFilter::default() };
    let offers = visit.calls.offers(own).await?;
    Ok(offers.into_iter().map(|offer| (offer.source_key.clone(), offer)).collect())
}

/// Publishes each row; `form` is the confirmation's id and the revisions that its preview saw, none when the rows are
/// only checked.
async fn publish(
    visit: &Visit,
    sheet: &Sheet<Offer>,
    before: &BTreeMap<String, Offer>,
    form: Option<(&str, &BTreeMap<usize, i64>)>,
) -> Sent {
    let local = local(visit);
    let asks = (0..).zip(&sheet.items).map(|(index, item)| {
        let request = PublishOfferRequest {
            request_id: row_id(form.map(|(id, _)| id), index),
            validate_only: form.is_none(),
            expected_revision: form.and_then(|(_, seen)| seen.get(&item.row).copied()),
            offer: Some(item.message.clone()),
            ..PublishOfferRequest::default()
        };
        (item.row, request)
    });
    let call = |with: Visit, ask: PublishOfferRequest| async move {
        with.calls.capacity().publish_offer(ask).await.map(tonic::Response::into_inner)
    };
    let answers = pace::each(asks.collect(), || visit.renewed(), call).await;
    sent(sheet, "offer.", answers, |answer| {
        let after = answer.offer.unwrap_or_default();
        let told = difference::offer(before.get(&after.source_key), &after, &local);
        Difference { what: name(&after), ..told }
    })
}

/// Raises each row; `form` is the confirmation's id, none when the rows are only checked.
async fn raise(visit: &Visit, sheet: &Sheet<Need>, form: Option<&str>) -> Sent {
    let local = local(visit);
    let asks = (0..).zip(&sheet.items).map(|(index, item)| {
        let request = RaiseNeedRequest {
            request_id: row_id(form, index),
            validate_only: form.is_none(),
            need: Some(item.message.clone()),
        };
        (item.row, request)
    });
    let call = |with: Visit, ask: RaiseNeedRequest| async move {
        with.calls.demand().raise_need(ask).await.map(tonic::Response::into_inner)
    };
    let answers = pace::each(asks.collect(), || visit.renewed(), call).await;
    sent(sheet, "need.", answers, |answer| {
        let raised = Raised::of(&answer);
        let need = answer.need.unwrap_or_default();
        // Raised before was it by this same confirmation, which is told again as a whole.
        let is_told_again = raised == Raised::Before && !difference::is_over(&need);
        difference::need(&need, if is_told_again { Raised::Now } else { raised }, &local)
    })
}

/// Gathers what became of the rows.
fn sent<M, R>(
    sheet: &Sheet<M>,
    prefix: &str,
    answers: Vec<(usize, Became<R>)>,
    told: impl Fn(R) -> Difference,
) -> Sent {
    let mut sent = Sent::default();
    for (row, became) in answers {
        match became {
            Became::Done(answer) => {
                sent.differences.push(told(answer));
                sent.done.add_row(row);
            }
            Became::Refused(problem) => refuse(sheet, row, prefix, &problem, &mut sent.faults),
            Became::Stopped(problem) => {
                sent.stopped.get_or_insert(problem);
            }
            Became::Untried => {}
        }
    }
    sent
}

/// Notes what a service found wrong with a row, by the cell.
fn refuse<M>(sheet: &Sheet<M>, row: usize, prefix: &str, problem: &Problem, faults: &mut Vec<Fault>) {
    if problem.violations.is_empty() {
        faults.push(sheet.fault(row, "", problem.text.clone()));
    }
    for wrong in &problem.violations {
        let field = wrong.field.strip_prefix(prefix).unwrap_or(&wrong.field);
        faults.push(sheet.fault(row, field, format!("{field} {}", wrong.text)));
    }
}

/// Replaces the whole state of each site that the sheet names.
async fn replace(
    visit: &Visit,
    sheet: &Sheet<Offer>,
    before: &BTreeMap<String, Offer>,
    sequence: i64,
    validate_only: bool,
) -> Sent {
    let mut sent = Sent::default();
    let sites: BTreeSet<&str> = sheet.items.iter().map(|item| item.message.site.as_str()).collect();
    for site in sites {
        let items = sheet.items.iter().map(|item| &item.message).filter(|offer| offer.site == site);
        let items: Vec<Offer> = items.cloned().collect();
        let kinds: BTreeSet<i32> =
            items.iter().filter_map(|offer| offer.resource.as_ref().map(|resource| resource.kind)).collect();
        let request = ReplaceOffersRequest {
            validate_only,
            site: site.to_owned(),
            kinds: kinds.into_iter().collect(),
            feed: format!("sheet-{site}"),
            source_seq: sequence,
            items,
            confirm_large_change: false,
        };
        let replaced = async { Ok(visit.renewed().await?.calls.capacity().replace_offers(request).await?) };
        match replaced.await {
            Ok(answer) => {
                tell(answer.get_ref(), before, &local(visit), &mut sent.differences);
                sent.done.add_site(site);
            }
            Err(problem) => {
                sent.stopped = Some(problem);
                break;
            }
        }
    }
    sent
}

/// Says what a whole state changed.
fn tell(
    answer: &ReplaceOffersResponse,
    before: &BTreeMap<String, Offer>,
    local: &Local,
    differences: &mut Vec<Difference>,
) {
    let named = |told: Difference, offer: &Offer| Difference { what: name(offer), ..told };
    let written = answer.changed.iter().chain(&answer.added);
    differences.extend(
        written.map(|after| named(difference::offer(before.get(&after.source_key), after, local), after)),
    );
    differences.extend(answer.withdrawn.iter().map(|offer| named(difference::withdrawn(offer), offer)));
    differences.extend(answer.suspended.iter().map(|offer| named(difference::suspended(offer), offer)));
    let same = Difference { becomes: Becomes::Same, what: String::new(), detail: String::new() };
    differences.extend(std::iter::repeat_n(same, usize::try_from(answer.unchanged).unwrap_or_default()));
}

fn name(offer: &Offer) -> String {
    let what = offer.resource.as_ref().map(resource::with_specialties).unwrap_or_default();
    format!("{what}, {}", offer.site)
}

/// Returns the id of one row's request: made of the confirmation, so that sending it twice does it once.
fn row_id(form: Option<&str>, index: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(form.unwrap_or_default());
    hash.update(index.to_be_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}
