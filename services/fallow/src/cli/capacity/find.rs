//! Finds the offers that a person means.

use fallow_api::render;
use fallow_api::v1::{GetOfferRequest, Offer, OfferFilter, OfferSelection, offer};

use super::{LIST, all};
use crate::cli::failure::{Exit, Failure};
use crate::cli::pick::pick;
use crate::cli::session::Session;
use crate::cli::shorthand::resource;

/// Finds the offer that a person means: by id, by the beginning of one, or by a resource of which the own trust, at the
/// context's site where it has one, has one live offer.
pub(super) async fn find(session: &Session<'_>, typed: &str, ended_too: bool) -> Result<Offer, Failure> {
    if let Ok(meant) = resource(typed) {
        let filter = OfferFilter {
            trusts: session.own_trust().into_iter().collect(),
            sites: session.site(None).into_iter().collect(),
            kinds: vec![meant.kind],
            codes: vec![meant.code.clone()],
            ..OfferFilter::default()
        };
        let mut offers = all(session, &filter).await?;
        offers.retain(|offer| offer.resource.as_ref().is_some_and(|resource| resource.level == meant.level));
        return match offers.len() {
            1 => Ok(offers.remove(0)),
            0 => Err(Failure::new(
                Exit::NotFound,
                "NOT_FOUND",
                format!("you have no live offer of {}", render::resource(&meant)),
            )
            .next(format!("fallow free 1 {typed} --until 20:00"))),
            _ => Err(several(&offers, typed)),
        };
    }
    let client = session.capacity()?;
    let exact = GetOfferRequest { offer: typed.to_owned() };
    match session.call(exact, async |ask| client.clone().get_offer(ask).await).await {
        Ok(answer) => answer.offer.ok_or_else(|| Failure::new(Exit::NotFound, "NOT_FOUND", "no such offer")),
        Err(failure) if failure.exit == Exit::NotFound || failure.exit == Exit::Usage => {
            let states = if ended_too { every_state() } else { Vec::new() };
            let offers = all(session, &OfferFilter { states, ..OfferFilter::default() }).await?;
            pick(typed, "offer", LIST, &offers, |offer| vec![offer.id.clone(), offer.source_key.clone()])
                .cloned()
        }
        Err(failure) => Err(failure),
    }
}

fn every_state() -> Vec<i32> {
    use offer::State::{Closed, Expired, Open, Suspended, Withdrawn};
    [Open, Suspended, Closed, Withdrawn, Expired].map(i32::from).into()
}

fn several(offers: &[Offer], typed: &str) -> Failure {
    let failure = Failure::usage(format!("you have {} offers of {typed}: say which", offers.len()));
    offers
        .iter()
        .fold(failure, |failure, offer| failure.because(format!("{}  {}", offer.id, offer.site)))
        .next(LIST)
}

/// Turns what a person names into a selection: one resource, or ids.
pub(super) async fn select(
    session: &Session<'_>,
    named: &[String],
    site: Option<String>,
) -> Result<OfferSelection, Failure> {
    let site = site.map(|site| site.to_uppercase()).unwrap_or_default();
    if let [one] = named
        && let Ok(resource) = resource(one)
    {
        return Ok(OfferSelection { resource: Some(resource), site, ..OfferSelection::default() });
    }
    if named.is_empty() && site.is_empty() {
        return Err(Failure::usage("which offers?").next("name ids or a resource, or say --all"));
    }
    let mut ids = Vec::with_capacity(named.len());
    for typed in named {
        ids.push(find(session, typed, false).await?.id);
    }
    Ok(OfferSelection { ids, site, ..OfferSelection::default() })
}
