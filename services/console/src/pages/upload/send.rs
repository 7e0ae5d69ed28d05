//! The rows of a sheet to the services: first to see what they would change, then to change it.

use std::collections::{BTreeMap, BTreeSet};

use fallow_api::json;
use fallow_api::v1::{
    Need, Offer, OfferFilter, PublishOfferRequest, RaiseNeedRequest, ReplaceOffersRequest,
    ReplaceOffersResponse,
};
use fallow_tabular::difference::{self, Becomes, Difference};
use fallow_tabular::sheet::{self, Fault, Item, Sheet};
use fallow_tabular::{Format, Local, Mapping};
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::{Of, Preview, local};
use crate::app::Visit;
use crate::form::Fields;
use crate::problem::{Kind, Problem};
use crate::words::resource;

/// Rows at most of one upload; a site's whole state has no more.
pub(super) const ROWS_MAX: usize = 1_000;
/// Calls for one upload at once: it shall not keep the services from anybody else.
const AT_ONCE: usize = 4;

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
}

/// Reads the rows of a file.
pub(super) fn read(bytes: &[u8], format: Format, of: Of, local: &Local) -> Result<Rows, Problem> {
    let mapping = Mapping::default();
    let wrong = |error: fallow_tabular::BadFile| Problem::invalid("file", &error.to_string());
    let (rows, count) = match of {
        Of::Offers => {
            let mut sheet = sheet::offers(bytes, format, &mapping, local).map_err(wrong)?;
            for Item { message: offer, .. } in &mut sheet.items {
                if offer.source_key.is_empty() {
                    offer.source_key = difference::source_key(offer);
                }
            }
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
    let sequence = visit.now.at.as_millisecond();
    match rows {
        Rows::Offers(sheet) => {
            let before = before(visit).await?;
            let mut sent = publish(visit, &sheet, &before, None).await?;
            let whole = replaces && sheet.faults.is_empty() && sent.faults.is_empty();
            if whole {
                sent = replace(visit, &sheet, &before, sequence, true).await?;
            }
            let refused: BTreeSet<usize> = sent.faults.iter().map(|fault| fault.row).collect();
            let good = sheet.items.iter().filter(|item| !refused.contains(&item.row));
            let records = written(good.map(|item| &item.message));
            let faults = sheet.faults.iter().cloned().chain(sent.faults).collect();
            let mut preview = Preview::new(&sent.differences, faults, records, sequence);
            preview.replaces = whole;
            preview.keeps = replaces && !whole;
            Ok(preview)
        }
        Rows::Needs(sheet) => {
            let sent = raise(visit, &sheet, None).await?;
            let refused: BTreeSet<usize> = sent.faults.iter().map(|fault| fault.row).collect();
            let good = sheet.items.iter().filter(|item| !refused.contains(&item.row));
            let records = written(good.map(|item| &item.message));
            let faults = sheet.faults.iter().cloned().chain(sent.faults).collect();
            Ok(Preview::new(&sent.differences, faults, records, sequence))
        }
    }
}

/// Makes the change that was shown. The same confirmation twice is done once.
pub(super) async fn send(visit: &Visit, rows: &Rows, fields: &Fields) -> Result<Sent, Problem> {
    let form = fields.request_id();
    match rows {
        Rows::Offers(sheet) => {
            let before = before(visit).await?;
            match fields.text("replaces") == "yes" {
                true => {
                    let sequence = fields.number("sequence")?.unwrap_or_default();
                    replace(visit, sheet, &before, sequence, false).await
                }
                false => publish(visit, sheet, &before, Some(&form)).await,
            }
        }
        Rows::Needs(sheet) => raise(visit, sheet, Some(&form)).await,
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

/// Publishes each row; `form` is the confirmation's id, none when the rows are only checked.
async fn publish(
    visit: &Visit,
    sheet: &Sheet<Offer>,
    before: &BTreeMap<String, Offer>,
    form: Option<&str>,
) -> Result<Sent, Problem> {
    let local = local(visit);
    let asks: Vec<(usize, PublishOfferRequest)> = (0..)
        .zip(&sheet.items)
        .map(|(index, item)| {
            let request = PublishOfferRequest {
                request_id: row_id(form, index),
                validate_only: form.is_none(),
                offer: Some(item.message.clone()),
                ..PublishOfferRequest::default()
            };
            (item.row, request)
        })
        .collect();
    let capacity = visit.calls.capacity();
    let calls = stream::iter(asks).map(move |(row, ask)| {
        let mut capacity = capacity.clone();
        async move {
            let answer = capacity.publish_offer(ask).await;
            of_row(row, answer.map(|answer| answer.into_inner().offer.unwrap_or_default()))
        }
    });
    let answers: Vec<_> = calls.buffered(AT_ONCE).try_collect().await?;
    let mut sent = Sent::default();
    for (row, answer) in answers {
        match answer {
            Ok(after) => {
                let told = difference::offer(before.get(&after.source_key), &after, &local);
                sent.differences.push(Difference { what: name(&after), ..told });
            }
            Err(problem) => refuse(sheet, row, "offer.", &problem, &mut sent.faults),
        }
    }
    Ok(sent)
}

/// Raises each row; `form` as in [`publish`].
async fn raise(visit: &Visit, sheet: &Sheet<Need>, form: Option<&str>) -> Result<Sent, Problem> {
    let local = local(visit);
    let asks: Vec<(usize, RaiseNeedRequest)> = (0..)
        .zip(&sheet.items)
        .map(|(index, item)| {
            let request = RaiseNeedRequest {
                request_id: row_id(form, index),
                validate_only: form.is_none(),
                need: Some(item.message.clone()),
            };
            (item.row, request)
        })
        .collect();
    let demand = visit.calls.demand();
    let calls = stream::iter(asks).map(move |(row, ask)| {
        let mut demand = demand.clone();
        async move { of_row(row, demand.raise_need(ask).await.map(tonic::Response::into_inner)) }
    });
    let answers: Vec<_> = calls.buffered(AT_ONCE).try_collect().await?;
    let mut sent = Sent::default();
    for (row, answer) in answers {
        match answer {
            Ok(answer) => {
                let need = answer.need.unwrap_or_default();
                sent.differences.push(difference::need(&need, answer.already_live, &local));
            }
            Err(problem) => refuse(sheet, row, "need.", &problem, &mut sent.faults),
        }
    }
    Ok(sent)
}

/// Tells an answer that concerns one row from one that ends the upload.
fn of_row<R>(row: usize, answer: Result<R, tonic::Status>) -> Result<(usize, Result<R, Problem>), Problem> {
    match answer.map_err(Problem::from) {
        Ok(answer) => Ok((row, Ok(answer))),
        Err(problem) => match problem.kind {
            Kind::Invalid | Kind::Refused | Kind::ChangedMeanwhile | Kind::NotFound => {
                Ok((row, Err(problem)))
            }
            Kind::Forbidden
            | Kind::SignedOut
            | Kind::Limited
            | Kind::Away
            | Kind::OutcomeUnknown
            | Kind::Broken => Err(problem),
        },
    }
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
) -> Result<Sent, Problem> {
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
        let answer = visit.calls.capacity().replace_offers(request).await?.into_inner();
        tell(&answer, before, &local(visit), &mut sent.differences);
    }
    Ok(sent)
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
