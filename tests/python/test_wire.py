"""What any client of gRPC expects of a server: reflection, health, pages, streams and errors that say what is wrong."""
import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import acts
from acts import bed
from client import Caller, new_id, refusal_of
from fallow.v1 import capacity_pb2 as capacity
from fallow.v1 import demand_pb2, matching_pb2, monitor_pb2
from fallow.v1 import types_pb2 as types
from region import SERVICES, full_name

PROTOS = {"capacity": capacity, "demand": demand_pb2, "matching": matching_pb2, "monitor": monitor_pb2}
MATERNITY, NEONATAL = bed("MATERNITY"), bed("NEONATAL", level=1)


@pytest.mark.parametrize("service", SERVICES)
def test_reflection_tells_what_a_process_serves(region, service):
    database = ProtoReflectionDescriptorDatabase(region.channels[service])
    names = set(database.get_services())
    own = {full_name(service), "grpc.health.v1.Health"} | ({"fallow.v1.IdentityService"} & names)
    assert own <= names
    assert {name for name in names if name.startswith("fallow.")} <= own, "no service that this process does not serve"
    told = DescriptorPool(database).FindServiceByName(full_name(service))
    ours = PROTOS[service].DESCRIPTOR.services_by_name[full_name(service).rsplit(".", 1)[1]]
    shape = lambda found: [(m.name, m.input_type.full_name, m.output_type.full_name) for m in found.methods]
    assert shape(told) == shape(ours)


def test_offers_come_in_pages(region):
    caller = region.bed_manager("ZA2")
    published = [acts.publish(caller, "ZA201", MATERNITY, 1, f"page-{number}").id for number in range(7)]
    request = capacity.ListOffersRequest(page_size=3, filter=capacity.OfferFilter(codes=["MATERNITY"]))
    pages, revisions = [], set()
    while True:
        answer = caller.capacity.ListOffers(request)
        pages.append([offer.id for offer in answer.offers])
        revisions.add(answer.revision > 0)
        request.page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sum(pages, []) == sorted(published), "each once, ordered by id"
    assert revisions == {True}

    first = capacity.ListOffersRequest(page_size=3, filter=capacity.OfferFilter(codes=["MATERNITY"]))
    token = caller.capacity.ListOffers(first).next_page_token
    of_another_list = capacity.ListOffersRequest(page_size=3, page_token=token)
    for request, field, reason in [
        (of_another_list, "page_token", "BAD_PAGE_TOKEN"),
        (capacity.ListOffersRequest(page_token="forged"), "page_token", "BAD_PAGE_TOKEN"),
        (capacity.ListOffersRequest(page_size=1001), "page_size", "OUT_OF_RANGE"),
        (capacity.ListOffersRequest(page_size=-1), "page_size", "OUT_OF_RANGE"),
    ]:
        refused = refusal_of(lambda: caller.capacity.ListOffers(request))
        assert refused.code == grpc.StatusCode.INVALID_ARGUMENT
        assert refused.violations == {field: reason}


def test_every_wrong_field_is_named_at_once(region):
    offer = acts.offer("nowhere", types.Resource(kind=99, code="MATERNITY"), -1, "")
    offer.ClearField("window")
    offer.figures.held = 2
    offer.cadence.seconds = 1
    request = capacity.PublishOfferRequest(request_id="not a UUID", offer=offer)
    refused = refusal_of(lambda: region.bed_manager("ZA2").capacity.PublishOffer(request))
    assert (refused.code, refused.domain) == (grpc.StatusCode.INVALID_ARGUMENT, "fallow")
    assert refused.violations == {
        "request_id": "BAD_REQUEST_ID",
        "offer.site": "BAD_CODE",
        "offer.resource.kind": "UNKNOWN_VALUE",
        "offer.figures.staffed": "OUT_OF_RANGE",
        "offer.figures.held": "SERVER_FIELD",
        "offer.window": "REQUIRED",
        "offer.cadence": "OUT_OF_RANGE",
    }
    assert refused.reason == "INVALID"


def test_who_may_not_is_told_why(region):
    def publish(caller, trust="", request_id=None):
        offer = acts.offer("ZA201", MATERNITY, 1, "rights")
        offer.trust = trust
        return caller.capacity.PublishOffer(capacity.PublishOfferRequest(request_id=request_id or new_id(), offer=offer))

    own, nobody, gold = region.bed_manager("ZA2"), Caller(region.channels, None), region.caller("gold")
    forged = Caller(region.channels, "no.such.token")
    denied, unknown = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED
    for call, code, reason in [
        (lambda: publish(nobody), unknown, "NO_CREDENTIALS"),
        (lambda: publish(forged), unknown, "TOKEN_MALFORMED"),
        (lambda: publish(gold), denied, "ROLE_FORBIDS"),
        (lambda: publish(own, trust="ZA3"), denied, "TRUST_MISMATCH"),
        (lambda: own.capacity.GetOffer(capacity.GetOfferRequest(offer="none")), grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
    ]:
        refused = refusal_of(call)
        assert (refused.code, refused.reason, refused.domain) == (code, reason, "fallow")


def test_a_call_can_be_repeated(region):
    caller = region.bed_manager("ZA2")
    request = capacity.PublishOfferRequest(request_id=new_id(), offer=acts.offer("ZA201", MATERNITY, 4, "repeated"))
    first = caller.capacity.PublishOffer(request)
    assert caller.capacity.PublishOffer(request) == first, "the same answer, revision and all"
    request.offer.figures.staffed = 5
    refused = refusal_of(lambda: caller.capacity.PublishOffer(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    stale = capacity.AdjustOfferRequest(
        request_id=new_id(), offer=first.offer.id, by=1, expected_revision=first.revision - 1,
    )
    refused = refusal_of(lambda: caller.capacity.AdjustOffer(stale))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "CHANGED_MEANWHILE")


def test_a_message_that_is_too_large_is_refused(region):
    offer = acts.offer("ZA201", MATERNITY, 1, "large")
    offer.note = "x" * 200_000
    request = capacity.PublishOfferRequest(request_id=new_id(), offer=offer)
    refused = refusal_of(lambda: region.bed_manager("ZA2").capacity.PublishOffer(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")


def test_a_stream_acknowledges_each_item_and_outlives_a_bad_one(region):
    caller = region.caller("trust_system", "ZA2")

    def item(number, free):
        offer = acts.offer("ZA201", NEONATAL, free, f"stream-{number}")
        return capacity.StreamOffersRequest(feed="test-feed", source_seq=number, offer=offer)

    acknowledged = list(caller.capacity.StreamOffers(iter([item(1, 2), item(2, -2), item(3, 1)]), timeout=30))
    assert [answer.source_seq for answer in acknowledged] == [1, 2, 3]
    assert [answer.WhichOneof("result") for answer in acknowledged] == ["revision", "error", "revision"]
    error = acknowledged[1].error
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert [(wrong.field, wrong.reason) for wrong in error.violations] == [("offer.figures.staffed", "OUT_OF_RANGE")]
    # Items that wait together are written in one commit, and then have its revision in common.
    assert 0 < acknowledged[0].revision <= acknowledged[2].revision
