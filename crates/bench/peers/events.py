"""Plays events on a dumped network to warm LEMON, one by one, and prints one JSON object: times and the outcome after them.

LEMON's network simplex (pylmcf) gets the parts that share no store; an event touches one part, whose graph keeps its basis.
The time of an event is what the call of `solve` takes; handing the new supplies or capacities over is not in it.
"""

import argparse
import json
from time import process_time_ns

import numpy as np

import flow
from problem import Integers, read_network
from unit_needs import lemon_flows, lemon_graph

NEED_IN, NEED_OUT, UNIT_IN, UNIT_OUT = range(4)


class Warm:
    """A part with its graph; what changes is changed in its arrays and handed over."""

    def __init__(self, network, part, present):
        self.part = part
        self.node = {int(demand): at for at, demand in enumerate(part.demands)}
        self.units = network.units[part.demands]
        count = len(part.demands)
        # Events bring and take units: an arc lets through what the need asks for, whatever the store has now, and a
        # store what it has, whatever is asked for now.
        part.capacity[:part.arcs] = self.units[part.tail[:part.arcs]]
        part.supply[:count] = np.where(present[part.demands], self.units, 0)
        part.supply[-1] = -part.supply[:count].sum()
        self.out = {int(tail): at for at, tail in enumerate(part.tail[part.arcs:len(part.tail) - count], start=part.arcs)}
        for node, arc in self.out.items():
            store = part.stores[node - count]
            if network.allowance[store] < 0 or network.parent[store] >= 0:
                part.capacity[arc] = min(int(network.room[store]), 1 << 30)
        self.graph, self.order = lemon_graph(part)
        self.graph.solve()

    def solve(self):
        start = process_time_ns()
        self.graph.solve()
        return process_time_ns() - start

    def need(self, demand, is_in):
        at = self.node[demand]
        self.part.supply[at] = self.units[at] if is_in else 0
        self.part.supply[-1] = -self.part.supply[:len(self.units)].sum()
        self.graph.set_node_supply(self.part.supply)
        return self.solve()

    def unit(self, node, change):
        self.part.capacity[self.out[node]] += change
        self.graph.set_edge_capacities(self.part.capacity[self.order])
        return self.solve()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", help="a file of `fallow-bench events --dump-network`")
    parser.add_argument("events", help="a file of `fallow-bench events --dump-events`")
    parser.add_argument("--seconds", type=float, default=60, help="stops after so long in solves (default %(default)s)")
    args = parser.parse_args()

    network, file = read_network(args.network), Integers(args.events)
    (count,) = file.take(1)
    present = file.take(network.demands).astype(bool)
    kinds, places = file.take(count).tolist(), file.take(count).tolist()
    parts = [Warm(network, part, present) for part in flow.split(network)]
    of_demand = {demand: part for part in parts for demand in part.node}
    of_store = {}
    for part in parts:
        for node, store in enumerate(part.part.stores, start=len(part.part.demands)):
            of_store[int(store)] = (part, node)

    times = []
    for kind, place in zip(kinds, places):
        if kind in (NEED_IN, NEED_OUT):
            part = of_demand.get(place)
            times.append(part.need(place, kind == NEED_IN) if part else 0)
        else:
            part, node = of_store.get(place, (None, 0))
            times.append(part.unit(node, 1 if kind == UNIT_IN else -1) if part else 0)
        if sum(times[-1:]) and sum(times) > args.seconds * 1e9:
            break
    found = flow.outcome(network, [lemon_flows(part.part, part.graph, part.order) for part in parts])
    cold = sum(part.graph.cold_start_count() for part in parts)
    print(json.dumps({"peer": "lemon", "events": len(times), "cold_starts": cold, "cpu_ns": times} | found))


if __name__ == "__main__":
    main()
