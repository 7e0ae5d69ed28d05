"""Solves a dumped network with the peers and prints one JSON object a line: outcome and processor time of each solve.

The time is what the call of `solve` takes. Not in it: reading, splitting into parts, building the peer's graph from arrays.
LEMON's network simplex (pylmcf) gets the parts that share no store, one by one; OR-tools gets the pooled network whole,
and with --split the parts as well.
"""

import argparse
import json
import sys
from time import process_time_ns

import numpy as np
from ortools.graph.python import min_cost_flow
from pylmcf import Graph

import flow
from problem import read_network


def lemon_graph(part):
    """Returns LEMON's graph of a part and where each of its arcs stands in the part: LEMON wants them sorted."""
    order = np.lexsort((part.head, part.tail))
    graph = Graph(len(part.supply), part.tail[order], part.head[order])
    graph.set_node_supply(part.supply)
    graph.set_edge_capacities(part.capacity[order])
    graph.set_edge_costs(part.cost[order])
    return graph, order


def lemon_flows(part, graph, order):
    amounts = np.empty(len(order), dtype=np.int64)
    amounts[order] = graph.result()
    return part, amounts


def lemon(parts):
    graphs = [lemon_graph(part) for part in parts]
    start = process_time_ns()
    for graph, _ in graphs:
        graph.solve()
    spent = process_time_ns() - start
    return spent, [lemon_flows(part, *graph) for part, graph in zip(parts, graphs)]


def or_tools(parts):
    solvers = []
    for part in parts:
        solver = min_cost_flow.SimpleMinCostFlow()
        solver.add_arcs_with_capacity_and_unit_cost(part.tail, part.head, part.capacity, part.cost)
        solver.set_nodes_supplies(np.arange(len(part.supply)), part.supply)
        solvers.append(solver)
    start = process_time_ns()
    states = [solver.solve() for solver in solvers]
    spent = process_time_ns() - start
    if any(state != min_cost_flow.SimpleMinCostFlow.OPTIMAL for state in states):
        raise RuntimeError(f"OR-tools ended with {sorted({str(state) for state in states})}")
    return spent, [(part, solver.flows(np.arange(len(part.tail)))) for part, solver in zip(parts, solvers)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", help="a file of `fallow-bench solve --dump-network`")
    parser.add_argument("--repeat", type=int, default=5, help="solves of each peer, of which the times are printed (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="starts no further solve of a peer after so long (default %(default)s)")
    parser.add_argument("--peers", nargs="+", choices=("lemon", "ortools", "ortools-split"), default=("lemon", "ortools"))
    args = parser.parse_args()

    network = read_network(args.network)
    parts, whole = flow.split(network), [flow.build(network)]
    runs = {"lemon": (lemon, parts), "ortools": (or_tools, whole), "ortools-split": (or_tools, parts)}
    for peer in args.peers:
        solve, given = runs[peer]
        times = []
        while len(times) < args.repeat and sum(times) < args.seconds * 1e9:
            spent, flows = solve(given)
            times.append(spent)
        found = flow.outcome(network, flows)
        print(json.dumps({"peer": peer, "parts": len(given), "arcs": sum(len(part.tail) for part in given), "cpu_ns": times} | found))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
