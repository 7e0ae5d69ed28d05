"""What trusts do in these stories, with the usual values filled in."""
from google.protobuf.duration_pb2 import Duration

from client import Watch, hours_ahead, new_id
from fallow.v1 import capacity_pb2 as capacity
from fallow.v1 import demand_pb2 as demand
from fallow.v1 import matching_pb2 as matching
from fallow.v1 import types_pb2 as types

ACCEPTED, PENDING = types.Answer.STATE_ACCEPTED, types.Answer.STATE_PENDING


def bed(code, level=0):
    """Returns a kind of bed."""
    return types.Resource(kind=types.RESOURCE_KIND_BED, code=code, level=level)


def test_slot(code):
    """Returns a diagnostic test."""
    return types.Resource(kind=types.RESOURCE_KIND_DIAGNOSTIC, code=code)


test_slot.__test__ = False  # A test of patients, not of code.


def offer(site, resource, free, key):
    """Returns an offer that is good for a day. A bed is free already, a slot for a test begins in an hour."""
    window = types.Window(until=hours_ahead(24))
    if resource.kind == types.RESOURCE_KIND_DIAGNOSTIC:
        getattr(window, "from").CopyFrom(hours_ahead(1))
    return types.Offer(
        source_key=key, site=site, resource=resource, figures=types.Figures(staffed=free), window=window,
        cadence=Duration(seconds=3600),
    )


def publish(caller, site, resource, free, key):
    """Publishes an offer and returns it as written."""
    request = capacity.PublishOfferRequest(request_id=new_id(), offer=offer(site, resource, free, key))
    return caller.capacity.PublishOffer(request).offer


def raise_need(caller, site, resource, case_ref):
    """Raises a need for one unit within 72 hours and returns it as written."""
    need = types.Need(case_ref=case_ref, site=site, resource=resource, units=1, priority=types.PRIORITY_P1B)
    return caller.demand.RaiseNeed(demand.RaiseNeedRequest(request_id=new_id(), need=need)).need


def withdraw_need(caller, need):
    """Takes a need back and returns it as written."""
    request = demand.WithdrawNeedRequest(
        request_id=new_id(), need=need.id, reason=types.DECLINE_REASON_TREATED_ELSEWHERE,
    )
    return caller.demand.WithdrawNeed(request).need


def proposals_of(caller, need, cursor=""):
    """Watches every proposal of a need, whatever has become of it."""
    states = [state for state in types.Proposal.State.values() if state != types.Proposal.STATE_UNSPECIFIED]
    wanted = matching.ProposalFilter(needs=[need.id], states=states)
    return Watch(caller.matching.WatchProposals, matching.WatchProposalsRequest(filter=wanted, cursor=cursor))


def is_held(proposal):
    """Says whether a proposal waits for answers."""
    return proposal.state == types.Proposal.STATE_HELD


def accept(caller, proposal):
    """Says yes to all of a proposal and returns the answer."""
    return _answer(caller, proposal, verdict=matching.VERDICT_ACCEPT)


def decline(caller, proposal, reason):
    """Says no to a proposal and returns the answer."""
    return _answer(caller, proposal, verdict=matching.VERDICT_DECLINE, reason=reason)


def _answer(caller, proposal, **said):
    request = matching.AnswerProposalRequest(request_id=new_id(), proposal=proposal.id, **said)
    return caller.matching.AnswerProposal(request)


def advance(caller, transfer, to, **more):
    """Takes a transfer to its next step and returns it as written."""
    request = matching.AdvanceTransferRequest(request_id=new_id(), transfer=transfer.id, to=to, **more)
    return caller.matching.AdvanceTransfer(request).transfer


def offers_of(caller, resource):
    """Watches the offers of a resource."""
    wanted = capacity.OfferFilter(kinds=[resource.kind], codes=[resource.code])
    return Watch(caller.capacity.WatchOffers, capacity.WatchOffersRequest(filter=wanted))


def needs_of(caller, need):
    """Watches a need by its case reference, also when it has ended."""
    states = [state for state in types.Need.State.values() if state != types.Need.STATE_UNSPECIFIED]
    wanted = demand.NeedFilter(case_refs=[need.case_ref], states=states)
    return Watch(caller.demand.WatchNeeds, demand.WatchNeedsRequest(filter=wanted))


def wait_for_matching(caller, revision):
    """Waits until the matching process has heard of a revision: each process follows the log by itself."""
    watch = Watch(caller.matching.WatchProposals, matching.WatchProposalsRequest())
    watch.until(f"revision {revision} in matching", lambda message: message.revision >= revision)
    watch.cancel()
