//! Offers, as far as the pages need them.

use fallow_api::v1::capacity_service_server::CapacityService;
use fallow_api::v1::*;
use futures::StreamExt;
use futures::stream::BoxStream as Boxed;
use tokio_stream::wrappers::WatchStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};
use tonic_types::{ErrorDetails, FieldViolation as Bad, StatusExt};

use super::{World, expect};

fn wire(at: jiff::Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: 0 }
}

#[tonic::async_trait]
impl CapacityService for World {
    async fn list_offers(
        &self,
        request: Request<ListOffersRequest>,
    ) -> Result<Response<ListOffersResponse>, Status> {
        self.caller(&request)?;
        let filter = request.into_inner().filter.unwrap_or_default();
        let records = self.records();
        let live = [offer::State::Open, offer::State::Suspended];
        let offers = records.offers.iter().filter(|one| {
            (filter.trusts.is_empty() || filter.trusts.contains(&one.trust))
                && (filter.ids.is_empty() || filter.ids.contains(&one.id))
                && (live.contains(&one.state()) || !filter.ids.is_empty())
        });
        let offers = offers.cloned().collect();
        Ok(Response::new(ListOffersResponse { offers, revision: records.revision, ..Default::default() }))
    }

    async fn get_offer(
        &self,
        request: Request<GetOfferRequest>,
    ) -> Result<Response<GetOfferResponse>, Status> {
        self.caller(&request)?;
        let id = request.into_inner().offer;
        let found = self.records().offers.iter().find(|one| one.id == id).cloned();
        let offer =
            found.ok_or_else(|| Status::not_found("there is no such offer, or it is not yours to know"))?;
        Ok(Response::new(GetOfferResponse { offer: Some(offer), revision: 0 }))
    }

    async fn ask_to_confirm(
        &self,
        request: Request<AskToConfirmRequest>,
    ) -> Result<Response<AskToConfirmResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        self.change(|records| {
            // One nudge of a trust in a while, as the service has it.
            if records.asked.contains(&asked.trust) {
                return Err(Status::resource_exhausted(
                    "this trust was asked a short while ago; ring its desk",
                ));
            }
            records.asked.push(asked.trust);
            let revision = records.bump(&asked.request_id);
            Ok(Response::new(AskToConfirmResponse { asked: 2, revision }))
        })
    }

    async fn publish_offer(
        &self,
        request: Request<PublishOfferRequest>,
    ) -> Result<Response<PublishOfferResponse>, Status> {
        let trust = self.trust(&request)?;
        let PublishOfferRequest { request_id, offer, validate_only, expected_revision, .. } =
            request.into_inner();
        let mut offer = offer.unwrap_or_default();
        let staffed = offer.figures.unwrap_or_default().staffed;
        let until = offer.window.and_then(|window| window.until).map_or(0, |until| until.seconds);
        let mut wrong = Vec::new();
        if !(1..=10_000).contains(&staffed) {
            wrong.push(Bad::new("offer.figures.staffed", "must be 1 to 10,000"));
        }
        if until <= self.now().as_second() {
            wrong.push(Bad::new("offer.window.until", "must be in the future"));
        }
        if !wrong.is_empty() {
            let details = ErrorDetails::with_bad_request(wrong);
            let text = "the offer is not valid";
            return Err(Status::with_error_details(tonic::Code::InvalidArgument, text, details));
        }
        if validate_only {
            offer.figures = Some(Figures { staffed, free: staffed, ..Figures::default() });
            return Ok(Response::new(PublishOfferResponse { offer: Some(offer), revision: 0 }));
        }
        self.change(|records| {
            if records.too_soon > 0 {
                records.too_soon -= 1;
                let details = ErrorDetails::with_retry_info(Some(std::time::Duration::from_millis(1)));
                let text = "too much at once";
                return Err(Status::with_error_details(tonic::Code::ResourceExhausted, text, details));
            }
            match &mut records.until_away {
                Some(0) if records.is_over => Err(Status::unauthenticated("the session is over")),
                Some(0) => Err(Status::unavailable("the service is away")),
                Some(left) => {
                    *left -= 1;
                    Ok(())
                }
                None => Ok(()),
            }
        })?;
        let now = self.now();
        self.change(|records| {
            let is_same = |one: &Offer| one.trust == trust && one.source_key == offer.source_key;
            let known =
                (!offer.source_key.is_empty()).then(|| records.offers.iter().position(is_same)).flatten();
            if let Some(known) = known {
                expect(expected_revision, records.offers[known].revision)?;
            }
            let revision = records.bump(&request_id);
            offer.trust = trust.clone();
            offer.revision = revision;
            offer.reported_at = Some(wire(now));
            offer.set_source(Source::Person);
            offer.set_state(offer::State::Open);
            match known {
                Some(known) => {
                    // What is held and agreed of it stays, as the service has it.
                    let old = &records.offers[known];
                    let figures = old.figures.unwrap_or_default();
                    let said = offer.figures.unwrap_or_default();
                    let taken = said.occupied + said.blocked + figures.held + figures.committed;
                    let free = staffed - taken;
                    offer.figures = Some(Figures { staffed, free, short: 0, ..figures });
                    offer.id = old.id.clone();
                    records.offers[known] = offer.clone();
                }
                None => {
                    offer.id = format!("o-{revision}");
                    offer.figures = Some(Figures { staffed, free: staffed, ..Figures::default() });
                    records.offers.push(offer.clone());
                }
            }
            Ok(Response::new(PublishOfferResponse { offer: Some(offer.clone()), revision }))
        })
    }

    async fn adjust_offer(
        &self,
        request: Request<AdjustOfferRequest>,
    ) -> Result<Response<AdjustOfferResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        let now = self.now();
        self.change(|records| {
            let at = records.offers.iter().position(|one| one.id == asked.offer);
            let at = at.ok_or_else(|| Status::not_found("there is no such offer"))?;
            expect(asked.expected_revision, records.offers[at].revision)?;
            let mut figures = records.offers[at].figures.unwrap_or_default();
            if figures.free + asked.by < 0 {
                return Err(Status::failed_precondition("fewer than none cannot be free"));
            }
            let revision = records.bump(&asked.request_id);
            figures.free += asked.by;
            figures.staffed = figures.staffed.max(figures.free);
            let offer = &mut records.offers[at];
            offer.figures = Some(figures);
            offer.revision = revision;
            offer.reported_at = Some(wire(now));
            offer.set_source(Source::Adjustment);
            Ok(Response::new(AdjustOfferResponse { offer: Some(offer.clone()), revision }))
        })
    }

    async fn confirm_offers(
        &self,
        request: Request<ConfirmOffersRequest>,
    ) -> Result<Response<ConfirmOffersResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let selection = asked.selection.unwrap_or_default();
        let now = self.now();
        let (offers, revision) = self.change(|records| {
            let revision = records.bump(&asked.request_id);
            let mut confirmed = Vec::new();
            for offer in records.offers.iter_mut().filter(|one| one.trust == trust) {
                if selection.all || selection.ids.contains(&offer.id) {
                    offer.reported_at = Some(wire(now));
                    offer.revision = revision;
                    confirmed.push(offer.clone());
                }
            }
            (confirmed, revision)
        });
        Ok(Response::new(ConfirmOffersResponse { offers, revision }))
    }

    async fn suspend_offers(
        &self,
        request: Request<SuspendOffersRequest>,
    ) -> Result<Response<SuspendOffersResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let selection = asked.selection.unwrap_or_default();
        let (offers, revision) = self.change(|records| {
            let revision = records.bump(&asked.request_id);
            let mut suspended = Vec::new();
            for offer in records.offers.iter_mut().filter(|one| one.trust == trust) {
                let meant = selection.all
                    || selection.ids.contains(&offer.id)
                    || selection
                        .resource
                        .as_ref()
                        .is_some_and(|r| Some(&r.code) == offer.resource.as_ref().map(|o| &o.code));
                if meant {
                    offer.set_state(offer::State::Suspended);
                    let reason = asked.reason.clone();
                    offer.suspension = Some(Suspension { until: asked.until, reason, left_out: false });
                    offer.revision = revision;
                    suspended.push(offer.clone());
                }
            }
            (suspended, revision)
        });
        Ok(Response::new(SuspendOffersResponse { offers, revision }))
    }

    async fn resume_offers(
        &self,
        request: Request<ResumeOffersRequest>,
    ) -> Result<Response<ResumeOffersResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let selection = asked.selection.unwrap_or_default();
        let (offers, revision) = self.change(|records| {
            let revision = records.bump(&asked.request_id);
            let mut resumed = Vec::new();
            for offer in records.offers.iter_mut().filter(|one| one.trust == trust) {
                let is_meant = selection.all || selection.ids.contains(&offer.id);
                if is_meant && offer.state() == offer::State::Suspended {
                    offer.set_state(offer::State::Open);
                    offer.suspension = None;
                    offer.revision = revision;
                    resumed.push(offer.clone());
                }
            }
            (resumed, revision)
        });
        Ok(Response::new(ResumeOffersResponse { offers, revision }))
    }

    async fn set_reserve(
        &self,
        request: Request<SetReserveRequest>,
    ) -> Result<Response<SetReserveResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        if !(0..=10_000).contains(&asked.units) {
            let details = ErrorDetails::with_bad_request(vec![Bad::new("units", "must be 0 to 10,000")]);
            let text = "the reserve is not valid";
            return Err(Status::with_error_details(tonic::Code::InvalidArgument, text, details));
        }
        let revision = self.change(|records| {
            let revision = records.bump(&asked.request_id);
            let key =
                |one: &Option<Resource>| one.as_ref().map(|one| (one.kind, one.code.clone(), one.level));
            let cells = records.situation.cells.iter_mut();
            for cell in cells.filter(|one| one.trust == trust && key(&one.resource) == key(&asked.resource)) {
                cell.reserve = asked.units;
            }
            revision
        });
        Ok(Response::new(SetReserveResponse { revision, ..Default::default() }))
    }

    async fn declare_pressure(
        &self,
        request: Request<DeclarePressureRequest>,
    ) -> Result<Response<DeclarePressureResponse>, Status> {
        let trust = self.trust(&request)?;
        let (asked, now) = (request.into_inner(), wire(self.now()));
        if !(1..=4).contains(&asked.opel) {
            let details = ErrorDetails::with_bad_request(vec![Bad::new("opel", "must be 1 to 4")]);
            let text = "the level is not valid";
            return Err(Status::with_error_details(tonic::Code::InvalidArgument, text, details));
        }
        let revision = self.change(|records| {
            let revision = records.bump(&asked.request_id);
            for own in records.situation.trusts.iter_mut().filter(|one| one.trust == trust) {
                (own.opel, own.opel_declared_at) = (asked.opel, Some(now));
            }
            revision
        });
        Ok(Response::new(DeclarePressureResponse { revision, ..Default::default() }))
    }

    async fn withdraw_offer(
        &self,
        request: Request<WithdrawOfferRequest>,
    ) -> Result<Response<WithdrawOfferResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        self.change(|records| {
            let revision = records.bump(&asked.request_id);
            let offer = records.offers.iter_mut().find(|one| one.id == asked.offer);
            let offer = offer.ok_or_else(|| Status::not_found("there is no such offer"))?;
            offer.set_state(offer::State::Withdrawn);
            Ok(Response::new(WithdrawOfferResponse { offer: Some(offer.clone()), revision }))
        })
    }

    async fn watch_offers(
        &self,
        request: Request<WatchOffersRequest>,
    ) -> Result<Response<BoxStream<WatchOffersResponse>>, Status> {
        self.caller(&request)?;
        let changes: Boxed<'static, _> = WatchStream::new(self.watch())
            .map(|revision| {
                let item = Some(watch_offers_response::Item::Bookmark(Bookmark {}));
                Ok(WatchOffersResponse { item, revision, ..Default::default() })
            })
            .boxed();
        Ok(Response::new(changes))
    }
}
