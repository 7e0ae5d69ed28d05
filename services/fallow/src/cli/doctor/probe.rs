//! The probe: an offer of nothing is published, seen by another service, and taken back.

use fallow_api::v1::{
    DeclineReason, Figures, Offer, PublishOfferRequest, Resource, ResourceKind, Window, WithdrawOfferRequest,
};
use jiff::SignedDuration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::situation;
use crate::cli::time::to_wire;

/// The key of the probe's offer: a probe that was cut short is followed by one that changes the same offer.
const KEY: &str = "fallow-doctor-probe";
/// How long the offer would live if it were never taken back.
const LIVES: SignedDuration = SignedDuration::from_mins(5);
/// How often the region is asked whether it has seen the offer.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_millis(50);

/// Runs the probe. Nothing can be proposed of an offer with no unit, so nobody is troubled by it.
///
/// # Errors
/// When a step is refused, or the region does not see the offer before the deadline. The offer is taken back even then.
pub(super) async fn run(session: &Session<'_>) -> Result<String, Failure> {
    let begun = Instant::now();
    let (client, id) = (session.capacity()?, Uuid::now_v7().to_string());
    let request =
        PublishOfferRequest { request_id: id, offer: Some(nothing(session)?), ..Default::default() };
    let answer = session.call(request, async |ask| client.clone().publish_offer(ask).await).await?;
    let published = begun.elapsed();
    let seen = seen(session, answer.revision).await;
    let visible = begun.elapsed();
    let withdraw = WithdrawOfferRequest {
        request_id: Uuid::now_v7().to_string(),
        offer: answer.offer.unwrap_or_default().id,
        reason: DeclineReason::Other.into(),
        ..WithdrawOfferRequest::default()
    };
    session.call(withdraw, async |ask| client.clone().withdraw_offer(ask).await).await?;
    seen?;
    let (published, visible) = (published.as_millis(), visible.as_millis());
    Ok(format!("published {published} ms -> visible {visible} ms -> withdrawn"))
}

/// Waits until the monitor, which only follows the log, has come as far as the offer.
async fn seen(session: &Session<'_>, revision: i64) -> Result<(), Failure> {
    let begun = Instant::now();
    while situation::get(session, "").await?.revision < revision {
        if begun.elapsed() > session.global.deadline {
            let what = format!("the region does not show revision {revision}, which is written");
            return Err(Failure::new(Exit::TimedOut, "NOT_VISIBLE", what).next("fallow ping"));
        }
        sleep(ASK_AGAIN).await;
    }
    Ok(())
}

fn nothing(session: &Session<'_>) -> Result<Offer, Failure> {
    let until = session.now() + LIVES;
    let kind = ResourceKind::Bed.into();
    Ok(Offer {
        source_key: KEY.to_owned(),
        site: session.site(None)?,
        resource: Some(Resource { kind, code: "GA_ADULT".to_owned(), ..Resource::default() }),
        figures: Some(Figures::default()),
        window: Some(Window { from: None, until: Some(to_wire(until)) }),
        cadence: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
        note: "a probe of fallow doctor".to_owned(),
        ..Offer::default()
    })
}
