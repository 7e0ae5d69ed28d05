//! The wire: each handler takes the call, parses, calls the verb's file, and converts back.

use std::sync::{Arc, Mutex, PoisonError};

use fallow_api::convert::{self, Check, offer, region, request};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::capacity_service_server::{CapacityService, CapacityServiceServer};
use fallow_api::v1::{self, stream_offers_response};
use fallow_domain::actor::Actor;
use fallow_domain::ids::{Note, OfferId};
use fallow_domain::offer::{Offer, Source};
use fallow_domain::resource::ResourceKind;
use fallow_host::beside::{self, Beside, Written};
use fallow_host::clock::Clock;
use fallow_host::identity::caller;
use fallow_host::tasks::Tasks;
use fallow_host::telemetry::traceparent;
use fallow_host::wire::RequestId;
use fallow_ledger::record::{offer_key, trust_key};
use fallow_ledger::transact::Done;
use fallow_live::Live;
use fallow_live::call::Call;
use fallow_live::denials::Denial;
use fallow_live::mutate::Mutation;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use prost::Message;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::selection::Offers;
use crate::{ask, feeds, publish, read, replace, selection, standing, stream, verbs};

/// Most offers of one whole state.
const ITEMS_MAX: usize = 1_000;

/// The capacity service over a region's ledger.
#[derive(Clone)]
pub struct Capacity {
    live: Live,
    clock: Clock,
    tasks: Tasks,
    audiences: Arc<read::Audiences>,
}

/// The call that is answered by messages written already.
const WATCH: &str = "/fallow.v1.CapacityService/WatchOffers";

impl Capacity {
    /// Makes the service, ready to be added to a server.
    #[must_use]
    pub fn server(
        live: Live,
        clock: Clock,
        tasks: Tasks,
    ) -> Beside<CapacityServiceServer<Self>, v1::WatchOffersRequest> {
        let capacity = Self { live, clock, tasks, audiences: Arc::default() };
        let watching = capacity.clone();
        Beside::new(CapacityServiceServer::new(capacity), WATCH, move |request| watching.watched(request))
    }

    /// Answers a watch.
    fn watched(&self, request: Request<v1::WatchOffersRequest>) -> Result<Written, Status> {
        let call = self.call(&request)?;
        let pieces = read::watch(&call, request.into_inner(), &self.audiences, self.tasks.stopping())?;
        Ok(Box::pin(pieces.map(|piece| piece.map_err(Status::from))))
    }

    fn call<T>(&self, request: &Request<T>) -> Result<Call, Failure> {
        Call::new(&self.live, caller(request)?.actor, self.clock.now(), traceparent())
    }

    /// Publishes items of a stream and returns an answer to each.
    async fn acknowledge(
        &self,
        actor: Actor,
        request_id: Option<String>,
        mut items: Vec<v1::StreamOffersRequest>,
        feed: &Mutex<String>,
    ) -> Vec<v1::StreamOffersResponse> {
        // One that names no feed is of the one before it.
        let mut named = feed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for item in &mut items {
            if item.feed.is_empty() {
                item.feed.clone_from(&named);
            } else {
                named.clone_from(&item.feed);
            }
        }
        *feed.lock().unwrap_or_else(PoisonError::into_inner) = named;

        // The time and the region are those of the items, not of the stream's beginning.
        let trace = traceparent();
        let ends = match Call::new(&self.live, actor.clone(), self.clock.now(), trace.clone()) {
            Ok(call) => stream::items(&call, &items).await,
            Err(failure) => items.iter().map(|_| Err(failure.clone())).collect(),
        };
        let answer = |(item, end): (v1::StreamOffersRequest, Result<u64, Failure>)| {
            let result = match end {
                Ok(revision) => stream_offers_response::Result::Revision(request::number_to_wire(revision)),
                Err(failure) => {
                    let error = failure.item_error();
                    self.live.denials().item(&error, |reason| Denial {
                        by: actor.clone(),
                        call: "StreamOffers",
                        reason,
                        request_id: request_id.clone(),
                        at: self.clock.now(),
                        traceparent: trace.clone(),
                    });
                    stream_offers_response::Result::Error(error)
                }
            };
            v1::StreamOffersResponse { source_seq: item.source_seq, result: Some(result) }
        };
        items.into_iter().zip(ends).map(answer).collect()
    }
}

fn offer_id(check: &mut Check<'_>, text: &str) -> Option<OfferId> {
    check.id("offer", text, OfferId::parse)
}

/// Returns one offer and the revision to answer with.
fn one(call: &Call, mutation: &Mutation, done: &Done<Offer>) -> (Option<v1::Offer>, i64) {
    let revision = call.revision(done, &offer_key(&done.answer.id), mutation.validate_only);
    (Some(offer::seen(&done.answer, revision, &call.region.region)), request::number_to_wire(revision))
}

/// Returns several offers and the revision to answer with.
fn several(call: &Call, mutation: &Mutation, done: &Done<Vec<Offer>>) -> (Vec<v1::Offer>, i64) {
    let first = done.answer.first().map(|first| offer_key(&first.id));
    let revision = first.map_or(0, |key| call.revision(done, &key, mutation.validate_only));
    let offers = done.answer.iter().map(|one| offer::seen(one, revision, &call.region.region)).collect();
    (offers, request::number_to_wire(revision))
}

#[tonic::async_trait]
impl CapacityService for Capacity {
    async fn publish_offer(
        &self,
        request: Request<v1::PublishOfferRequest>,
    ) -> Result<Response<v1::PublishOfferResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, report) = parse_publish(&call, &message)?;
        let done = publish::run(&call, &mutation, &report, message.confirm_large_change).await?;
        let (offer, revision) = one(&call, &mutation, &done);
        Ok(Response::new(v1::PublishOfferResponse { offer, revision }))
    }

    async fn replace_offers(
        &self,
        request: Request<v1::ReplaceOffersRequest>,
    ) -> Result<Response<v1::ReplaceOffersResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let state = parse_state(&call, &message)?;
        let done = replace::run(&call, &state, message.encode_to_vec(), message.validate_only).await?;
        let revision = done.revision.0;
        let seen = |one: &Offer| offer::seen(one, revision, &call.region.region);
        let wire = |offers: Offers| offers.resolve(&call).iter().map(&seen).collect();
        Ok(Response::new(v1::ReplaceOffersResponse {
            added: wire(done.answer.added),
            changed: wire(done.answer.changed),
            withdrawn: wire(done.answer.withdrawn),
            suspended: wire(done.answer.suspended),
            unchanged: i64::try_from(done.answer.unchanged).unwrap_or(i64::MAX),
            revision: request::number_to_wire(done.revision.0),
        }))
    }

    async fn stream_offers(
        &self,
        request: Request<Streaming<v1::StreamOffersRequest>>,
    ) -> Result<Response<BoxStream<v1::StreamOffersResponse>>, Status> {
        let opened = self.call(&request)?;
        opened.own_trust()?;
        let id = request.extensions().get().map(|RequestId(id)| id.clone());
        let (service, actor) = (self.clone(), opened.actor);
        let feed = Arc::new(Mutex::new(String::new()));
        let come = stream::together(request.into_inner());
        let answers = come.then(move |come| {
            let (service, actor, id, feed) = (service.clone(), actor.clone(), id.clone(), feed.clone());
            async move {
                let whole = come.iter().position(Result::is_err).unwrap_or(come.len());
                let mut come = come.into_iter();
                let items: Vec<_> = come.by_ref().take(whole).flatten().collect();
                let answers = service.acknowledge(actor, id, items, &feed).await.into_iter().map(Ok);
                // What cannot be read ends the stream, behind the answers to what could.
                let end = come.next().and_then(Result::err).map(Err);
                futures::stream::iter(answers.chain(end).collect::<Vec<_>>())
            }
        });
        let answers = answers.flatten();
        Ok(Response::new(Box::pin(answers)))
    }

    async fn adjust_offer(
        &self,
        request: Request<v1::AdjustOfferRequest>,
    ) -> Result<Response<v1::AdjustOfferResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = offer_id(&mut check, &message.offer);
        let by = offer::difference(&mut check, message.by);
        let mutation = call.asked("AdjustOffer", &mut check, &message, id.as_ref().map(offer_key));
        let (mutation, id, by) = check.finish(all3(mutation, id, by)).map_err(Failure::from)?;
        let (offer, revision) = one(&call, &mutation, &verbs::adjust(&call, &mutation, &id, by).await?);
        Ok(Response::new(v1::AdjustOfferResponse { offer, revision }))
    }

    async fn confirm_offers(
        &self,
        request: Request<v1::ConfirmOffersRequest>,
    ) -> Result<Response<v1::ConfirmOffersResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let check = Check::new("");
        let (mutation, ids) =
            parse_selection(&call, "ConfirmOffers", check, &message, message.selection.as_ref())?;
        let (offers, revision) = several(&call, &mutation, &verbs::confirm(&call, &mutation, &ids).await?);
        Ok(Response::new(v1::ConfirmOffersResponse { offers, revision }))
    }

    async fn suspend_offers(
        &self,
        request: Request<v1::SuspendOffersRequest>,
    ) -> Result<Response<v1::SuspendOffersResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let until = check.required_time("until", message.until.as_ref());
        if let Some(until) = until {
            suspended_until(&mut check, until, call.at);
        }
        let because: Note = check.required_text("reason", &message.reason);
        let (mutation, ids) =
            parse_selection(&call, "SuspendOffers", check, &message, message.selection.as_ref())?;
        let done = verbs::suspend(&call, &mutation, &ids, until, &because).await?;
        let (offers, revision) = several(&call, &mutation, &done);
        Ok(Response::new(v1::SuspendOffersResponse { offers, revision }))
    }

    async fn resume_offers(
        &self,
        request: Request<v1::ResumeOffersRequest>,
    ) -> Result<Response<v1::ResumeOffersResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let check = Check::new("");
        let (mutation, ids) =
            parse_selection(&call, "ResumeOffers", check, &message, message.selection.as_ref())?;
        let (offers, revision) = several(&call, &mutation, &verbs::resume(&call, &mutation, &ids).await?);
        Ok(Response::new(v1::ResumeOffersResponse { offers, revision }))
    }

    async fn withdraw_offer(
        &self,
        request: Request<v1::WithdrawOfferRequest>,
    ) -> Result<Response<v1::WithdrawOfferResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = offer_id(&mut check, &message.offer);
        let because = check.coded::<fallow_domain::proposal::SupportingDecline>("reason", message.reason);
        let mutation = call.asked("WithdrawOffer", &mut check, &message, id.as_ref().map(offer_key));
        let (mutation, id, because) = check.finish(all3(mutation, id, because)).map_err(Failure::from)?;
        let because = Note::parse(because.as_str()).unwrap_or_default();
        let done = verbs::withdraw(&call, &mutation, &id, &because).await?;
        let (offer, revision) = one(&call, &mutation, &done);
        Ok(Response::new(v1::WithdrawOfferResponse { offer, revision }))
    }

    async fn set_reserve(
        &self,
        request: Request<v1::SetReserveRequest>,
    ) -> Result<Response<v1::SetReserveResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let own = call.own_trust()?;
        let mut check = Check::new("");
        let key =
            convert::resource::parse_reserve_key(&mut check, message.resource.as_ref(), &call.region.region);
        let units = check.count("units", message.units, convert::FIGURE_MAX);
        let mutation = call.asked("SetReserve", &mut check, &message, Some(trust_key(own)));
        let (mutation, key) = check.finish(mutation.zip(key)).map_err(Failure::from)?;
        let done = standing::set_reserve(&call, &mutation, &key, units).await?;
        let revision = call.revision(&done, &trust_key(own), mutation.validate_only);
        Ok(Response::new(v1::SetReserveResponse {
            reserve: Some(region::reserve_to_wire(own, &key, units, revision)),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn declare_pressure(
        &self,
        request: Request<v1::DeclarePressureRequest>,
    ) -> Result<Response<v1::DeclarePressureResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let own = call.own_trust()?;
        let mut check = Check::new("");
        let opel = check.number::<u8>("opel", message.opel.into(), 1, 4);
        let declared_at: Timestamp =
            check.time("declared_at", message.declared_at.as_ref()).unwrap_or(call.at);
        let mutation = call.asked("DeclarePressure", &mut check, &message, Some(trust_key(own)));
        let (mutation, opel) = check.finish(mutation.zip(opel)).map_err(Failure::from)?;
        let done = standing::declare_pressure(&call, &mutation, opel, declared_at).await?;
        let revision = call.revision(&done, &trust_key(own), mutation.validate_only);
        let declared = done.answer.declared.as_ref();
        Ok(Response::new(v1::DeclarePressureResponse {
            pressure: declared.map(|declared| region::declaration_to_wire(own, declared, revision)),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn ask_to_confirm(
        &self,
        request: Request<v1::AskToConfirmRequest>,
    ) -> Result<Response<v1::AskToConfirmResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, question) = ask::parse(&call, &message)?;
        let done = ask::run(&call, &mutation, &question).await?;
        Ok(Response::new(v1::AskToConfirmResponse {
            asked: done.answer,
            revision: request::number_to_wire(done.revision.0),
        }))
    }

    async fn get_offer(
        &self,
        request: Request<v1::GetOfferRequest>,
    ) -> Result<Response<v1::GetOfferResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = offer_id(&mut check, &message.offer);
        let (offer, revision) = read::get(&call, &check.finish(id).map_err(Failure::from)?)?;
        Ok(Response::new(v1::GetOfferResponse {
            offer: Some(offer),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn list_offers(
        &self,
        request: Request<v1::ListOffersRequest>,
    ) -> Result<Response<v1::ListOffersResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(read::list(&call, &request.into_inner()).await?))
    }

    async fn watch_offers(
        &self,
        request: Request<v1::WatchOffersRequest>,
    ) -> Result<Response<BoxStream<v1::WatchOffersResponse>>, Status> {
        // Over the wire its messages go as they are written, beside the service: see `server`.
        Ok(Response::new(Box::pin(beside::messages(self.watched(request)?))))
    }
}

/// Returns all three, or nothing.
fn all3<A, B, C>(a: Option<A>, b: Option<B>, c: Option<C>) -> Option<(A, B, C)> {
    Some((a?, b?, c?))
}

fn parse_publish(
    call: &Call,
    message: &v1::PublishOfferRequest,
) -> Result<(Mutation, fallow_domain::decide::offer::OfferReport), Failure> {
    let source = match call.actor.kind {
        fallow_domain::actor::ActorKind::Person => Source::Person,
        fallow_domain::actor::ActorKind::System => Source::Feed,
    };
    let input = call.input(call.own_trust()?);
    let mut check = Check::new("");
    let wire = check.required("offer", message.offer.as_ref());
    let report = match wire.map(|wire| offer::published(wire, "offer", &input, source)).transpose() {
        Ok(report) => report,
        Err(Failure::Invalid(found)) => {
            check.add(found);
            None
        }
        Err(other) => return Err(other),
    };
    // An expected revision is about the offer that holds the source key now.
    let claim = report.as_ref().and_then(|report| report.source_key.as_ref());
    let claim = claim.map(|key| fallow_ledger::record::source_claim_key(input.trust, key.as_str()));
    let holder = claim.and_then(|claim| call.live.picture().get(&claim));
    let changes = holder.and_then(|seen| publish::holder(&seen.record)).map(|id| offer_key(&id));
    if message.expected_revision.is_some() && changes.is_none() && check.is_clean() {
        return Err(Failure::ChangedMeanwhile { current: None });
    }
    let mutation = call.asked("PublishOffer", &mut check, message, changes);
    Ok(check.finish(mutation.zip(report))?)
}

/// Checks when a suspension ends.
fn suspended_until(check: &mut Check<'_>, until: Timestamp, at: Timestamp) {
    let furthest = SignedDuration::from_hours(24 * convert::SESSION_DAYS_MAX);
    if until <= at {
        check.wrong("until", reasons::WINDOW, "must be in the future");
    } else if until.duration_since(at) > furthest {
        let text = format!("must be at most {} days ahead", convert::SESSION_DAYS_MAX);
        check.wrong("until", reasons::WINDOW, text);
    }
}

/// Parses which offers a call means, together with what `check` has found of the rest of the message.
fn parse_selection<R: request::Mutating + Message>(
    call: &Call,
    verb: &'static str,
    mut check: Check<'_>,
    message: &R,
    wire: Option<&v1::OfferSelection>,
) -> Result<(Mutation, Vec<OfferId>), Failure> {
    let trust = call.own_trust()?;
    let chosen = request::selection(&mut check, wire, trust, &call.region.region);
    let mutation = call.asked(verb, &mut check, message, None);
    let (mutation, chosen) = check.finish(mutation.zip(chosen))?;
    Ok((mutation, selection::resolve(call, trust, &chosen)?))
}

fn parse_state(call: &Call, message: &v1::ReplaceOffersRequest) -> Result<replace::State, Failure> {
    let trust = call.own_trust()?;
    let mut check = Check::new("");
    let site = check.site("site", &message.site, Some(trust), &call.region.region);
    let feed = feeds::named(&mut check, &message.feed);
    let source_seq = request::source_seq(&mut check, message.source_seq);
    let mut kinds = Vec::with_capacity(message.kinds.len());
    if message.kinds.is_empty() {
        check.wrong("kinds", reasons::REQUIRED, "must name at least one kind");
    }
    for (index, kind) in message.kinds.iter().enumerate() {
        let field = format!("kinds[{index}]");
        match check.coded::<ResourceKind>(&field, *kind) {
            Some(kind) if kinds.contains(&kind) => {
                check.wrong(&field, reasons::DUPLICATE, "must not be named twice")
            }
            Some(kind) => kinds.push(kind),
            None => {}
        }
    }
    let mut items = Vec::with_capacity(message.items.len().min(ITEMS_MAX));
    if check.at_most("items", message.items.len(), ITEMS_MAX) {
        let input = call.input(trust);
        let mut keys = std::collections::BTreeSet::new();
        for (index, item) in message.items.iter().enumerate() {
            let prefix = format!("items[{index}]");
            match offer::published(item, &prefix, &input, Source::Feed) {
                Ok(report) => {
                    match &report.source_key {
                        None => {
                            check.wrong(&format!("{prefix}.source_key"), reasons::REQUIRED, "must be given")
                        }
                        Some(key) if !keys.insert(key.clone()) => {
                            check.wrong(
                                &format!("{prefix}.source_key"),
                                reasons::DUPLICATE,
                                "must not be named twice",
                            );
                        }
                        Some(_) => {}
                    }
                    if site.is_some_and(|site| report.site != site) {
                        check.wrong(
                            &format!("{prefix}.site"),
                            reasons::NOT_APPLICABLE,
                            "must be the site of the state",
                        );
                    }
                    if !kinds.is_empty() && !kinds.contains(&report.resource.kind) {
                        check.wrong(
                            &format!("{prefix}.resource.kind"),
                            reasons::NOT_APPLICABLE,
                            "must be one of `kinds`",
                        );
                    }
                    items.push(report);
                }
                Err(Failure::Invalid(found)) => check.add(found),
                Err(other) => return Err(other),
            }
        }
    }
    let (site, source_seq) = check.finish(site.zip(source_seq))?;
    Ok(replace::State {
        site,
        kinds,
        feed,
        source_seq,
        items,
        confirm_large_change: message.confirm_large_change,
    })
}
