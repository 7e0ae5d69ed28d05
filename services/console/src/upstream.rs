//! The services behind the pages, called with a person's own credential.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fallow_api::convert::request::SELECTION_MAX;
use fallow_api::v1::capacity_service_client::CapacityServiceClient;
use fallow_api::v1::demand_service_client::DemandServiceClient;
use fallow_api::v1::identity_service_client::IdentityServiceClient;
use fallow_api::v1::matching_service_client::MatchingServiceClient;
use fallow_api::v1::monitor_service_client::MonitorServiceClient;
use fallow_api::v1::{
    ListNeedsRequest, ListOffersRequest, ListProposalsRequest, ListTransfersRequest, Need, NeedFilter, Offer,
    OfferFilter, Proposal, ProposalFilter, Transfer, TransferFilter,
};
use futures::future::join_all;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::problem::Problem;

/// How long a page waits for one call. Longer than any healthy answer, shorter than a person's patience.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long a page waits for a call that solves: as long as the service tries, and its turn.
const LONG_DEADLINE: Duration = Duration::from_secs(26);

/// How long to try to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Records asked for at once, the most that the services give.
const PAGE_SIZE: i32 = 1000;

/// Pages read at most: 10,000 records of one trust are more than a screen can mean anything with.
const PAGES_MAX: usize = 10;

/// Where the four services are.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// CapacityService.
    pub capacity: Endpoint,
    /// DemandService.
    pub demand: Endpoint,
    /// MatchingService.
    pub matching: Endpoint,
    /// MonitorService.
    pub monitor: Endpoint,
}

impl Endpoints {
    /// Makes the endpoints of services that share one address, as in `fallow dev`.
    #[must_use]
    pub fn all_at(endpoint: &Endpoint) -> Self {
        let one = || endpoint.clone();
        Self { capacity: one(), demand: one(), matching: one(), monitor: one() }
    }
}

/// The services, by connections that are replaced when the console's certificate is; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Upstream(Arc<Mutex<Channels>>);

/// Open connections to the services; cheap to clone.
#[derive(Debug, Clone)]
struct Channels {
    capacity: Channel,
    demand: Channel,
    matching: Channel,
    monitor: Channel,
}

impl Channels {
    /// Prepares the connections; each is made when it is first used.
    fn new(endpoints: &Endpoints) -> Self {
        let open = |endpoint: &Endpoint| endpoint.clone().connect_timeout(CONNECT_WITHIN).connect_lazy();
        Self {
            capacity: open(&endpoints.capacity),
            demand: open(&endpoints.demand),
            matching: open(&endpoints.matching),
            monitor: open(&endpoints.monitor),
        }
    }
}

impl Upstream {
    /// Prepares the connections; each is made when it is first used.
    pub(crate) fn new(endpoints: &Endpoints) -> Self {
        Self(Arc::new(Mutex::new(Channels::new(endpoints))))
    }

    /// Connects anew for every call that begins from now on. Calls that are under way end as they began.
    pub(crate) fn replace(&self, endpoints: &Endpoints) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Channels::new(endpoints);
    }

    fn channels(&self) -> Channels {
        // Replaced as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the identity service, which takes what it is given for a credential.
    pub(crate) fn identity(&self) -> IdentityServiceClient<Timed> {
        IdentityServiceClient::with_interceptor(self.channels().monitor, in_time as fn(_) -> _)
    }

    /// Returns the services as one person may use them.
    pub(crate) fn as_bearer(&self, token: &str) -> Result<Calls, Problem> {
        let header = format!("Bearer {token}").parse();
        let header = header.map_err(|_| Problem::from(Status::unauthenticated("this is not a token")))?;
        Ok(Calls { channels: self.channels(), credential: Credential { header, deadline: Some(DEADLINE) } })
    }
}

/// Adds the credential, and the deadline where there is one.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    header: MetadataValue<Ascii>,
    deadline: Option<Duration>,
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.header.clone());
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline);
        }
        Ok(request)
    }
}

type Carrier = InterceptedService<Channel, Credential>;

type Timed = InterceptedService<Channel, fn(Request<()>) -> Result<Request<()>, Status>>;

/// Adds the deadline.
fn in_time(mut request: Request<()>) -> Result<Request<()>, Status> {
    request.set_timeout(DEADLINE);
    Ok(request)
}

/// The services with one credential.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    channels: Channels,
    credential: Credential,
}

impl Calls {
    /// Waits as long as the service itself tries, for calls that solve.
    pub(crate) fn patient(&self) -> Self {
        let mut calls = self.clone();
        calls.credential.deadline = Some(LONG_DEADLINE);
        calls
    }

    /// Drops the deadline, as watches need.
    pub(crate) fn without_deadline(mut self) -> Self {
        self.credential.deadline = None;
        self
    }

    pub(crate) fn capacity(&self) -> CapacityServiceClient<Carrier> {
        CapacityServiceClient::with_interceptor(self.channels.capacity.clone(), self.credential.clone())
    }

    pub(crate) fn demand(&self) -> DemandServiceClient<Carrier> {
        DemandServiceClient::with_interceptor(self.channels.demand.clone(), self.credential.clone())
    }

    pub(crate) fn matching(&self) -> MatchingServiceClient<Carrier> {
        MatchingServiceClient::with_interceptor(self.channels.matching.clone(), self.credential.clone())
    }

    pub(crate) fn monitor(&self) -> MonitorServiceClient<Carrier> {
        MonitorServiceClient::with_interceptor(self.channels.monitor.clone(), self.credential.clone())
    }

    pub(crate) fn identity(&self) -> IdentityServiceClient<Carrier> {
        IdentityServiceClient::with_interceptor(self.channels.monitor.clone(), self.credential.clone())
    }

    /// Reads all offers that fit, up to 10,000.
    pub(crate) async fn offers(&self, filter: OfferFilter) -> Result<Vec<Offer>, Problem> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let request = ListOffersRequest {
                page_size: PAGE_SIZE,
                page_token,
                filter: Some(filter.clone()),
                as_of: None,
            };
            let page = self.capacity().list_offers(request).await?.into_inner();
            all.extend(page.offers);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// Reads all needs that fit, most urgent first, up to 10,000.
    pub(crate) async fn needs(&self, filter: NeedFilter) -> Result<Vec<Need>, Problem> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let request = ListNeedsRequest {
                page_size: PAGE_SIZE,
                page_token,
                filter: Some(filter.clone()),
                as_of: None,
            };
            let page = self.demand().list_needs(request).await?.into_inner();
            all.extend(page.needs);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// Reads the needs with these ids, in whatever state; what cannot be read is left out.
    pub(crate) async fn needs_named(&self, ids: BTreeSet<&str>) -> BTreeMap<String, Need> {
        let reads = in_parts(&ids).map(|ids| self.needs(NeedFilter { ids, ..NeedFilter::default() }));
        let found = join_all(reads).await.into_iter().filter_map(Result::ok).flatten();
        found.map(|one| (one.id.clone(), one)).collect()
    }

    /// Reads the offers with these ids, in the same way.
    pub(crate) async fn offers_named(&self, ids: BTreeSet<&str>) -> BTreeMap<String, Offer> {
        let reads = in_parts(&ids).map(|ids| self.offers(OfferFilter { ids, ..OfferFilter::default() }));
        let found = join_all(reads).await.into_iter().filter_map(Result::ok).flatten();
        found.map(|one| (one.id.clone(), one)).collect()
    }

    /// Reads all proposals that fit, first to lapse first, up to 10,000.
    pub(crate) async fn proposals(&self, filter: ProposalFilter) -> Result<Vec<Proposal>, Problem> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let request =
                ListProposalsRequest { page_size: PAGE_SIZE, page_token, filter: Some(filter.clone()) };
            let page = self.matching().list_proposals(request).await?.into_inner();
            all.extend(page.proposals);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// Reads all transfers that fit, first due first, up to 10,000.
    pub(crate) async fn transfers(&self, filter: TransferFilter) -> Result<Vec<Transfer>, Problem> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let request =
                ListTransfersRequest { page_size: PAGE_SIZE, page_token, filter: Some(filter.clone()) };
            let page = self.matching().list_transfers(request).await?.into_inner();
            all.extend(page.transfers);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(all)
    }
}

/// Parts ids into lists that one call takes.
fn in_parts(ids: &BTreeSet<&str>) -> impl Iterator<Item = Vec<String>> {
    let ids: Vec<String> = ids.iter().filter(|id| !id.is_empty()).map(|id| (*id).to_owned()).collect();
    let parts: Vec<Vec<String>> = ids.chunks(SELECTION_MAX).map(<[String]>::to_vec).collect();
    parts.into_iter()
}
