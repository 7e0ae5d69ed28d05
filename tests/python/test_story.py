"""A trust publishes, another raises, the engine proposes, both answer, the transfer runs to its end, gold sees it."""
import grpc

import acts
from acts import bed, test_slot
from client import Watch, refusal_of
from fallow.v1 import matching_pb2 as matching
from fallow.v1 import monitor_pb2 as monitor
from fallow.v1 import types_pb2 as types

CRITICAL_CARE = bed("CC_ADULT", level=2)


def test_the_region_file_is_in_force(region):
    answer = region.bed_manager("ZA1").monitor.GetRegion(monitor.GetRegionRequest())
    assert answer.region.id == "north-vale"
    assert [trust.ods for trust in answer.region.trusts] == ["ZA1", "ZA2", "ZA3", "ZA4", "ZA5", "ZA6"]
    assert answer.revision > 0
    assert answer.toml.startswith("# North Vale")


def test_from_a_free_bed_to_a_completed_transfer(region):
    home, supporting, gold = region.bed_manager("ZA4"), region.bed_manager("ZA1"), region.caller("gold")
    situation = Watch(gold.monitor.WatchSituation, monitor.WatchSituationRequest())
    beds = acts.offers_of(supporting, CRITICAL_CARE).caught_up()

    offer = acts.publish(supporting, "ZA101", CRITICAL_CARE, 3, "story-level-2")
    assert (offer.trust, offer.figures.free, offer.state) == ("ZA1", 3, types.Offer.STATE_OPEN)
    need = acts.raise_need(home, "ZA401", CRITICAL_CARE, "STORY-1")
    assert (need.trust, need.state) == ("ZA4", types.Need.STATE_OPEN)
    needs = acts.needs_of(home, need)

    # The proposal comes by itself, with its hold and its reasons, and both sides see it.
    inbox = acts.proposals_of(supporting, need)
    proposal = inbox.record("the proposal", "proposal", acts.is_held)
    assert (proposal.offer, proposal.home_trust, proposal.supporting_trust) == (offer.id, "ZA4", "ZA1")
    assert (proposal.units, proposal.home.state, proposal.supporting.state) == (1, acts.PENDING, acts.PENDING)
    assert proposal.held_until.ToSeconds() > proposal.proposed_at.ToSeconds()
    explanation = proposal.explanation
    assert explanation.rank.priority == types.PRIORITY_P1B
    assert {"travel"} <= {term.name for term in explanation.terms}, explanation
    seen_by_home = home.matching.GetProposal(matching.GetProposalRequest(proposal=proposal.id)).proposal
    assert seen_by_home.explanation == explanation
    beds.record("the hold on the offer", "offer", lambda seen: (seen.figures.free, seen.figures.held) == (2, 1))

    # One yes is half of it; the second commits the bed and creates the transfer.
    half = acts.accept(supporting, proposal)
    assert (half.proposal.state, half.proposal.supporting.state) == (types.Proposal.STATE_HELD, acts.ACCEPTED)
    assert not half.HasField("transfer")
    agreed = acts.accept(home, proposal)
    assert agreed.proposal.state == types.Proposal.STATE_CONFIRMED
    transfer = agreed.transfer
    assert (transfer.state, transfer.units) == (types.Transfer.STATE_PLANNED, 1)
    assert (transfer.from_site, transfer.to_site) == ("ZA401", "ZA101")
    beds.record("the committed bed", "offer", lambda seen: (seen.figures.held, seen.figures.committed) == (0, 1))
    needs.record("the agreed need", "need", lambda seen: seen.state == types.Need.STATE_AGREED)

    # Each step is for the trust that can see it done.
    refused = refusal_of(lambda: acts.advance(home, transfer, types.Transfer.STATE_READY))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CHECKLIST_OPEN")
    assert refused.numbers["open"] == str(len(transfer.checklist))
    ready = acts.advance(
        home, transfer, types.Transfer.STATE_READY, done=[item.name for item in transfer.checklist],
        transport=types.Transport(kind="ambulance", provider="North Vale Ambulance", booked=True),
    )
    assert all(item.HasField("done_at") for item in ready.checklist) and ready.transport.booked
    acts.advance(home, transfer, types.Transfer.STATE_IN_TRANSIT)
    refused = refusal_of(lambda: acts.advance(home, transfer, types.Transfer.STATE_ARRIVED))
    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "WRONG_SIDE")
    acts.advance(supporting, transfer, types.Transfer.STATE_ARRIVED)
    beds.record("the occupied bed", "offer", lambda seen: (seen.figures.committed, seen.figures.occupied) == (0, 1))
    needs.record("the met need", "need", lambda seen: seen.state == types.Need.STATE_MET)
    completed = acts.advance(supporting, transfer, types.Transfer.STATE_COMPLETED)
    assert [step.state for step in completed.steps][-4:] == [
        types.Transfer.STATE_READY, types.Transfer.STATE_IN_TRANSIT, types.Transfer.STATE_ARRIVED,
        types.Transfer.STATE_COMPLETED,
    ]

    # Gold command sees the bed in use, without having been told by anybody.
    def shows_the_bed(seen):
        cells = [cell for cell in seen.cells if (cell.trust, cell.resource) == ("ZA1", CRITICAL_CARE)]
        return [(cell.staffed, cell.free, cell.held, cell.committed) for cell in cells] == [(3, 2, 0, 0)]

    last = situation.record("the bed in the situation", "situation", shows_the_bed)
    assert last.region == "north-vale" and last.headline.trusts_all == 6
    read = gold.monitor.GetSituation(monitor.GetSituationRequest()).situation
    assert shows_the_bed(read) and read.headline.transfers_moving == 0
    for watch in (situation, beds, needs, inbox):
        watch.cancel()


def test_after_a_no_the_next_alternative_is_proposed(region):
    home, near, far = region.bed_manager("ZA4"), region.bed_manager("ZA1"), region.bed_manager("ZA3")
    scan = test_slot("MRI")
    offers = {
        "ZA1": acts.publish(near, "ZA101", scan, 2, "decline-near"),
        "ZA3": acts.publish(far, "ZA302", scan, 2, "decline-far"),
    }
    need = acts.raise_need(home, "ZA401", scan, "DECLINE-1")
    watch = acts.proposals_of(home, need)

    first = watch.record("the first proposal", "proposal", acts.is_held)
    assert (first.supporting_trust, first.offer) == ("ZA1", offers["ZA1"].id), "the nearer trust is asked first"
    said = acts.decline(near, first, types.DECLINE_REASON_STAFFING).proposal
    assert (said.state, said.supporting.reason) == (types.Proposal.STATE_DECLINED, types.DECLINE_REASON_STAFFING)

    second = watch.record("the next alternative", "proposal", lambda seen: acts.is_held(seen) and seen.id != first.id)
    assert (second.supporting_trust, second.offer) == ("ZA3", offers["ZA3"].id)
    assert acts.withdraw_need(home, need).state == types.Need.STATE_WITHDRAWN
    watch.record("the end of the proposal", "proposal",
                 lambda seen: seen.id == second.id and seen.state == types.Proposal.STATE_WITHDRAWN)
    watch.cancel()


def test_a_need_that_nothing_fits_is_explained(region):
    home, scan = region.bed_manager("ZA4"), test_slot("DEXA_SCAN")
    need = acts.raise_need(home, "ZA401", scan, "UNSERVED-1")
    own = acts.publish(home, "ZA401", scan, 1, "unserved-own")
    acts.wait_for_matching(home, own.revision)
    answer = home.matching.ExplainNeed(matching.ExplainNeedRequest(need=need.id))
    assert (answer.unserved.unserved, len(answer.proposals)) == (1, 0)
    counts = [(count.reason, count.count) for count in answer.unserved.counts]
    assert counts == [(types.OBJECTION_SAME_TRUST, 1)]
    acts.withdraw_need(home, need)
