//! What many requests share: request ids, expected revisions, pages, selections.

use fallow_domain::ids::OfferId;
use fallow_domain::region::Region;
use fallow_domain::resource::ResourceKey;
use uuid::Uuid;

use super::{Check, resource};
use crate::reasons::{BAD_REQUEST_ID, NOT_APPLICABLE, REQUIRED};
use crate::v1;
use crate::violation::Violations;

/// Greatest revision or sequence number: what a double holds exactly, since JSON readers keep numbers in doubles.
pub const NUMBER_MAX: i64 = 1 << 53;
/// Page size when none is asked for.
pub const PAGE_DEFAULT: usize = 100;
/// Greatest page size.
pub const PAGE_MAX: i64 = 1_000;
/// Most offers named in one selection.
pub const SELECTION_MAX: usize = 1_000;

/// What every change carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutation {
    /// Names the change through all retries.
    pub request_id: Uuid,
    /// Check only.
    pub validate_only: bool,
    /// The revision the caller last saw.
    pub expected_revision: Option<u64>,
}

/// A request that changes something.
pub trait Mutating {
    /// Returns the three fields as they came.
    fn fields(&self) -> (&str, bool, Option<i64>);
}

macro_rules! mutating {
    ($($request:ident),+; plain: $($plain:ident),+) => {
        $(impl Mutating for v1::$request {
            fn fields(&self) -> (&str, bool, Option<i64>) {
                (&self.request_id, self.validate_only, self.expected_revision)
            }
        })+
        $(impl Mutating for v1::$plain {
            fn fields(&self) -> (&str, bool, Option<i64>) {
                (&self.request_id, self.validate_only, None)
            }
        })+
    };
}

mutating! {
    PublishOfferRequest, AdjustOfferRequest, WithdrawOfferRequest, SetReserveRequest, DeclarePressureRequest,
    AmendNeedRequest, ParkNeedRequest, ResumeNeedRequest, WithdrawNeedRequest, ResolveNeedOutsideRequest, ValidateNeedRequest,
    AnswerProposalRequest, RetractAnswerRequest, ApproveProposalRequest, ExtendHoldRequest, BypassProposalRequest,
    AdvanceTransferRequest, AbortTransferRequest, ExtendTransferRequest, TakeAlertRequest, CloseAlertRequest,
    SetModeRequest, SignOffSitrepRequest, ApplyRegionRequest, ConfirmActionRequest,
    RefuseActionRequest, ReviewActionRequest;
    plain: AnswerCampaignRequest, ConfirmOffersRequest, SuspendOffersRequest, ResumeOffersRequest, AskToConfirmRequest, RaiseNeedRequest,
    AmendCohortRequest, WithdrawCohortRequest, AskToValidateRequest,
    RecordDecisionRequest, ProposeActionRequest
}

/// Parses what every change carries.
pub fn mutation(check: &mut Check<'_>, request: &impl Mutating) -> Option<Mutation> {
    let (request_id, validate_only, expected) = request.fields();
    let request_id = match Uuid::parse_str(request_id) {
        Ok(id) if !id.is_nil() => Some(id),
        Ok(_) | Err(_) => {
            check.wrong(
                "request_id",
                BAD_REQUEST_ID,
                "must be a UUID, made anew for each change and kept for its retries",
            );
            None
        }
    };
    let expected_revision = match expected {
        // The outer `None` is a violation.
        Some(revision) => check.number("expected_revision", revision, 1, NUMBER_MAX).map(Some),
        None => Some(None),
    };
    Some(Mutation { request_id: request_id?, validate_only, expected_revision: expected_revision? })
}

/// Parses the number of a stream item or whole state, which must be given.
pub fn source_seq(check: &mut Check<'_>, number: i64) -> Option<u64> {
    check.number("source_seq", number, 1, NUMBER_MAX)
}

/// Parses a page size; 0 is the default.
///
/// # Errors
/// The one violation.
pub fn page_size(size: i32) -> Result<usize, Violations> {
    if size == 0 {
        return Ok(PAGE_DEFAULT);
    }
    let mut check = Check::new("");
    let size = check.number("page_size", size.into(), 1, PAGE_MAX);
    check.finish(size)
}

/// Which of the caller's live offers are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Ids(Vec<OfferId>),
    /// Those that fit; `None` fits all.
    Where {
        /// The site.
        site: Option<fallow_domain::ids::SiteCode>,
        /// Kind, code and level.
        resource: Option<ResourceKey>,
    },
}

/// Parses a selection of the caller's offers.
pub fn selection(
    check: &mut Check<'_>,
    wire: Option<&v1::OfferSelection>,
    trust: fallow_domain::ids::TrustCode,
    region: &Region,
) -> Option<Selection> {
    let wire = check.required("selection", wire)?;
    let is_narrowed = !wire.site.is_empty() || wire.resource.is_some();
    if wire.ids.is_empty() {
        if !is_narrowed && !wire.all {
            check.wrong("selection", REQUIRED, "must name offers, a site or a resource, or say all");
            return None;
        }
        let site = if wire.site.is_empty() {
            Some(None)
        } else {
            check.site("selection.site", &wire.site, Some(trust), region).map(Some)
        };
        let resource = match &wire.resource {
            Some(resource) => resource::parse(check, Some(resource), region, false).map(|r| Some(r.key())),
            None => Some(None),
        };
        return Some(Selection::Where { site: site?, resource: resource? });
    }
    if is_narrowed || wire.all {
        check.wrong(
            "selection.ids",
            NOT_APPLICABLE,
            "must be left out when a site, a resource or all is given",
        );
        return None;
    }
    if !check.at_most("selection.ids", wire.ids.len(), SELECTION_MAX) {
        return None;
    }
    let mut ids: Vec<OfferId> = Vec::with_capacity(wire.ids.len());
    for (index, id) in wire.ids.iter().enumerate() {
        ids.extend(check.id(&format!("selection.ids[{index}]"), id, OfferId::parse));
    }
    ids.sort_unstable();
    ids.dedup();
    check.is_clean().then_some(Selection::Ids(ids))
}

/// Writes a number of ours for the wire; ours stay far below where the two types part.
#[must_use]
pub fn number_to_wire(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adjust(request_id: &str, expected_revision: Option<i64>) -> Result<Mutation, Violations> {
        let request =
            v1::AdjustOfferRequest { request_id: request_id.into(), expected_revision, ..Default::default() };
        let mut check = Check::new("");
        let mutation = mutation(&mut check, &request);
        check.finish(mutation)
    }

    #[test]
    fn a_change_carries_a_uuid() {
        let id = "018f2f6e-7a4b-7c3d-8e9f-0a1b2c3d4e5f";
        assert_eq!(adjust(id, Some(7)).unwrap().expected_revision, Some(7));
        for bad in ["", "7", "00000000-0000-0000-0000-000000000000", "{r}:seal"] {
            assert_eq!(adjust(bad, None).unwrap_err().reason(), BAD_REQUEST_ID, "{bad}");
        }
        for bad in [0, -1, NUMBER_MAX + 1, i64::MIN] {
            let wrong = adjust(id, Some(bad)).unwrap_err();
            assert_eq!(wrong.iter().next().unwrap().field, "expected_revision", "{bad}");
        }
        assert_eq!(adjust("", Some(0)).unwrap_err().len(), 2, "all at once");
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!((page_size(0), page_size(1), page_size(1_000)), (Ok(100), Ok(1), Ok(1_000)));
        for bad in [-1, 1_001, 10_001, i32::MIN] {
            assert!(page_size(bad).is_err(), "{bad}");
        }
    }
}
