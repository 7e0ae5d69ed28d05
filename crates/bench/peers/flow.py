"""A network as a min-cost flow problem: what any solver of such problems is given.

Demand nodes supply their units. Each unit goes to a store and on through the stores it lies in to the sink, or stays
unserved on an arc from the demand to the sink. An unserved unit costs the level of its class times G. Levels count the
classes present from the last one (1) up. G is greater than what any exchange of units along a simple path can
change in points, so serving a unit of any class, or of an earlier class, is worth every change of burden, and the least total
cost is the lexicographic plan of least burden: the sets that can be served form a matroid, in which one exchange at a
time leads to the best.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclass
class Flow:
    """Nodes 0..demands are demands, then stores, then the sink. Arcs in four blocks: see `build`."""

    supply: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    capacity: np.ndarray
    cost: np.ndarray
    demands: np.ndarray  # positions in the network
    stores: np.ndarray
    arcs: int  # the first so many arcs go from demands to stores
    classes: np.ndarray  # of the demands
    burden: np.ndarray  # points of each arc, without levels
    large: int  # G


def components(network):
    """Returns how many parts share no store, and the part of each store and of each demand (-1 without arcs)."""
    inside = np.flatnonzero(network.parent >= 0)
    nodes = network.stores + network.demands
    rows = np.concatenate([inside, network.arc_store])
    columns = np.concatenate([network.parent[inside], network.arc_demand + network.stores])
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(nodes, nodes))
    count, label = connected_components(graph, directed=False)
    of_demand = label[network.stores:].copy()
    served = np.zeros(network.demands, dtype=bool)
    served[network.arc_demand] = True
    of_demand[~served] = -1
    return count, label[:network.stores], of_demand


def build(network, stores=None, demands=None, arcs=None):
    """Builds the flow problem of a network or of the part with these stores, demands and arcs (positions)."""
    stores = np.arange(network.stores) if stores is None else stores
    demands = np.arange(network.demands) if demands is None else demands
    arcs = np.arange(len(network.arc_store)) if arcs is None else arcs
    d, s = len(demands), len(stores)
    sink = d + s
    place = np.full(network.stores, -1)
    place[stores] = np.arange(s) + d
    node = np.full(network.demands, -1)
    node[demands] = np.arange(d)
    units, classes = network.units[demands], network.classes[demands]

    # Demands to stores.
    arc_tail, arc_head = node[network.arc_demand[arcs]], place[network.arc_store[arcs]]
    arc_capacity = np.minimum(units[arc_tail], network.room[network.arc_store[arcs]])
    arc_points = network.arc_cost[arcs]

    # Stores to what they lie in, or to the sink; unlimited stores let through what can come.
    total = int(units.sum())
    parent = network.parent[stores]
    room = np.minimum(network.room[stores], total)
    fair = (parent < 0) & (network.allowance[stores] >= 0) & (network.step[stores] > 0)
    plain = np.flatnonzero(~fair)
    store_tail = plain + d
    store_head = np.where(parent[plain] >= 0, place[parent[plain]], sink)
    store_capacity = room[plain]

    # The units of a fair share: one arc for the allowance, then one for each unit, dearer by a step each.
    inner = np.zeros(s, dtype=np.int64)
    held = parent >= 0
    np.add.at(inner, place[parent[held]] - d, room[held])
    unit_tail, unit_capacity, unit_points = [], [], []
    for at in np.flatnonzero(fair):
        reach = int(min(room[at], inner[at] if inner[at] else room[at]))
        allowance = min(int(network.allowance[stores[at]]), reach)
        beyond = np.arange(1, reach - allowance + 1)
        unit_tail.append(np.full(1 + len(beyond), at + d))
        unit_capacity.append(np.concatenate([[allowance], np.ones(len(beyond), dtype=np.int64)]))
        unit_points.append(np.concatenate([[0], beyond * int(network.step[stores[at]])]))
    join = lambda parts: np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)
    unit_tail, unit_capacity, unit_points = join(unit_tail), join(unit_capacity), join(unit_points)

    dearest = int(arc_points.max(initial=0)) + int(unit_points.max(initial=0))
    large = dearest * (2 * min(d, s) + 1) + 1
    present = np.unique(classes)
    level = len(present) - np.searchsorted(present, classes)

    zeros = np.zeros(len(plain), dtype=np.int64)
    burden = np.concatenate([arc_points, zeros, unit_points, np.zeros(d, dtype=np.int64)])
    cost = np.concatenate([arc_points, zeros, unit_points, level * large])
    tail = np.concatenate([arc_tail, store_tail, unit_tail, np.arange(d)])
    head = np.concatenate([arc_head, store_head, np.full(len(unit_tail) + d, sink)])
    capacity = np.concatenate([arc_capacity, store_capacity, unit_capacity, units])
    supply = np.zeros(sink + 1, dtype=np.int64)
    supply[:d], supply[sink] = units, -total
    int64 = lambda array: np.ascontiguousarray(array, dtype=np.int64)
    return Flow(int64(supply), int64(tail), int64(head), int64(capacity), int64(cost), demands, stores, len(arcs), classes, int64(burden),
                large)


def split(network):
    """Builds a flow problem for each part that shares no store with the others, the one with most arcs first."""
    count, of_store, of_demand = components(network)
    of_arc = of_store[network.arc_store]
    group = lambda labels: np.split(np.argsort(labels, kind="stable"),
                                    np.searchsorted(np.sort(labels, kind="stable"), np.arange(count + 1)))[1:-1]
    stores, demands, arcs = group(of_store), group(of_demand), group(of_arc)
    parts = [build(network, *its) for its in zip(stores, demands, arcs) if len(its[1]) and len(its[2])]
    return sorted(parts, key=lambda part: -part.arcs)


def outcome(network, flows):
    """Counts units served by class and points of (part, amount of each arc) pairs."""
    present = np.unique(network.classes)
    by_class = np.zeros(len(present), dtype=np.int64)
    burden = 0
    for part, amounts in flows:
        served = amounts[:part.arcs]
        np.add.at(by_class, np.searchsorted(present, part.classes[part.tail[:part.arcs]]), served)
        burden += int(np.dot(part.burden, amounts))
    return {"served": int(by_class.sum()), "burden": burden, "by_class": by_class.tolist()}
