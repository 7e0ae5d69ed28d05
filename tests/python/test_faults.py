"""Processes come and go; what was answered stays, and the story goes on."""
import time

import grpc
import pytest

import acts
from acts import bed, test_slot
from client import refusal
from fallow.v1 import matching_pb2 as matching
from fallow.v1 import types_pb2 as types
from region import SERVICES, STOPS_WITHIN, Region


def test_a_killed_engine_takes_nothing_with_it(region):
    home, supporting, scan = region.bed_manager("ZA4"), region.bed_manager("ZA1"), test_slot("CT")
    offer = acts.publish(supporting, "ZA101", scan, 2, "killed")
    need = acts.raise_need(home, "ZA401", scan, "KILLED-1")
    watch = acts.proposals_of(home, need)
    proposal = watch.record("the proposal", "proposal", acts.is_held)
    half = acts.accept(supporting, proposal).proposal
    watch.record("half an answer", "proposal", lambda seen: seen.supporting.state == acts.ACCEPTED)

    region.processes["matching"].kill()
    with pytest.raises(grpc.RpcError) as gone:
        acts.accept(home, proposal)
    assert gone.value.code() == grpc.StatusCode.UNAVAILABLE
    # The others go on: what is said meanwhile waits in the log.
    other = acts.raise_need(home, "ZA401", scan, "KILLED-2")
    region.start("matching")
    region.wait_until_serving("matching")

    # It keeps the log from its own start on: a cursor from before is refused, and a new watch begins with what there is.
    _, error = acts.proposals_of(home, need, watch.cursor).end()
    assert (error.code(), refusal(error).reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_GONE")
    again = acts.proposals_of(home, need)
    assert again.record("the half-answered proposal", "proposal", lambda seen: True) == half
    agreed = acts.accept(home, proposal)
    assert agreed.transfer.state == types.Transfer.STATE_PLANNED
    again.record("the second yes", "proposal", lambda seen: seen.state == types.Proposal.STATE_CONFIRMED)

    # The engine that came back proposes what was raised while there was none, and repeats nothing.
    late = acts.proposals_of(home, other).record("the late proposal", "proposal", acts.is_held)
    assert (late.offer, late.home_trust) == (offer.id, "ZA4")
    every = [state for state in types.Proposal.State.values() if state != types.Proposal.STATE_UNSPECIFIED]
    wanted = matching.ProposalFilter(needs=[need.id, other.id], states=every)
    listed = home.matching.ListProposals(matching.ListProposalsRequest(filter=wanted)).proposals
    assert sorted(found.id for found in listed) == sorted([proposal.id, late.id])


def test_processes_that_are_asked_to_stop_end_well_and_lose_nothing(tmp_path):
    """Has a region of its own, which it stops and starts again."""
    with Region(tmp_path) as region:
        try:
            stop_and_start_again(region)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{region.logs()}") from error


def stop_and_start_again(region):
    caller, resource = region.bed_manager("ZA3"), bed("STEP_DOWN")
    offer = acts.publish(caller, "ZA301", resource, 2, "stopped")
    watch = acts.offers_of(caller, resource).caught_up()

    asked = time.monotonic()
    for service in SERVICES:
        region.processes[service].ask_to_stop()
    messages, error = watch.end(STOPS_WITHIN)
    assert [message.WhichOneof("item") for message in messages][-1:] == ["moved"], f"{messages} {error!r}"
    for service in SERVICES:
        process = region.processes[service]
        left = max(0.0, asked + STOPS_WITHIN - time.monotonic())
        assert process.has_ended(within=left), f"{service} has not ended within {STOPS_WITHIN} s"
        assert process.handle.returncode == 0, f"{service} ended with {process.handle.returncode}"
        assert "\x1b" not in process.log.read_text(), f"the log of {service} is a file and has escapes of colours"

    region.start("capacity")
    region.wait_until_serving("capacity")
    assert acts.offers_of(caller, resource).record("the offer", "offer", lambda seen: True) == offer
