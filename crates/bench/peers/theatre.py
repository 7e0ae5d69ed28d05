"""Packs a dumped theatre with HiGHS or CP-SAT and prints one JSON object: surrogate, bound and time.

The theatre is split into parts that share no session (its specialties); each part gets its share of --seconds by its number of
places. The solvers stop by the clock; on a machine with other work to do the time is stretched, by what a busy loop
just before lost to others, so that they get the seconds of a core to themselves. HiGHS uses one thread, CP-SAT one a
core. Building their models does not count. The surrogate is counted again from the sessions they chose.
"""

import argparse
import json
import os
from dataclasses import dataclass
from time import monotonic, process_time

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from problem import read_theatre


@dataclass
class Part:
    """Cases and sessions of a part, numbered from 0, and their places."""

    room: np.ndarray
    size: np.ndarray
    penalty: np.ndarray
    case: np.ndarray
    session: np.ndarray
    burden: np.ndarray

    @property
    def gain(self):
        """What putting a case into a place saves."""
        return self.penalty[self.case] - self.burden

    def surrogate(self, chosen):
        """Counts the surrogate of the places chosen, after checking that they hold together."""
        cases, sessions = self.case[chosen], self.session[chosen]
        minutes = np.bincount(sessions, weights=self.size[cases], minlength=len(self.room))
        if len(np.unique(cases)) != len(cases) or np.any(minutes > self.room):
            raise RuntimeError("the solver's plan is not possible")
        return int(self.penalty.sum() - self.gain[chosen].sum())


def split(theatre):
    """Returns the parts with places, the largest first, and the penalties of cases that no session can take."""
    cases, sessions = len(theatre.size), len(theatre.room)
    ones = np.ones(len(theatre.place_case), dtype=np.int8)
    graph = coo_array((ones, (theatre.place_case, theatre.place_session + cases)), shape=(cases + sessions,) * 2)
    _, label = connected_components(graph, directed=False)
    parts = []
    of_place = label[theatre.place_case]
    for part in np.unique(of_place):
        place = np.flatnonzero(of_place == part)
        its_cases, case = np.unique(theatre.place_case[place], return_inverse=True)
        its_sessions, session = np.unique(theatre.place_session[place], return_inverse=True)
        parts.append(Part(theatre.room[its_sessions], theatre.size[its_cases], theatre.penalty[its_cases], case, session,
                          theatre.place_burden[place]))
    hopeless = np.ones(cases, dtype=bool)
    hopeless[theatre.place_case] = False
    return sorted(parts, key=lambda part: -len(part.case)), int(theatre.penalty[hopeless].sum())


def stretch(seconds=0.1):
    """Returns how many seconds by the clock a second of processor time takes now."""
    wall, cpu = monotonic(), process_time()
    while process_time() - cpu < seconds:
        pass
    return (monotonic() - wall) / (process_time() - cpu)


def highs(part, seconds):
    """Minimises over binary places: at most one a case, no session over its minutes."""
    import highspy  # Not beside OR-tools in one process: both bring a library of HiGHS, of different versions.

    places, cases, rows = len(part.case), len(part.size), len(part.size) + len(part.room)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = places, rows
    model.col_cost_ = -part.gain.astype(float)
    model.col_lower_, model.col_upper_ = np.zeros(places), np.ones(places)
    model.integrality_ = [highspy.HighsVarType.kInteger] * places
    model.row_lower_ = np.full(rows, -highspy.kHighsInf)
    model.row_upper_ = np.concatenate([np.ones(cases), part.room.astype(float)])
    model.offset_ = float(part.penalty.sum())
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.arange(places + 1) * 2
    model.a_matrix_.index_ = np.column_stack([part.case, part.session + cases]).ravel()
    model.a_matrix_.value_ = np.column_stack([np.ones(places), part.size[part.case].astype(float)]).ravel()
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("time_limit", float(seconds))
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.passModel(model)
    solver.run()
    info = solver.getInfo()
    chosen = np.zeros(0, dtype=np.int64)
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        chosen = np.flatnonzero(np.array(solver.getSolution().col_value) > 0.5)
    bound = info.mip_dual_bound if np.isfinite(info.mip_dual_bound) else 0.0
    return chosen, int(np.ceil(bound - 1e-6))


def cp_sat(part, seconds):
    """The same model in integers."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    places = [model.new_bool_var("") for _ in range(len(part.case))]
    by = lambda labels, count: np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels, minlength=count))[:-1])
    for its in by(part.case, len(part.size)):
        model.add_at_most_one(places[at] for at in its)
    for session, its in enumerate(by(part.session, len(part.room))):
        sizes = part.size[part.case[its]].tolist()
        model.add(cp_model.LinearExpr.weighted_sum([places[at] for at in its], sizes) <= int(part.room[session]))
    model.maximize(cp_model.LinearExpr.weighted_sum(places, part.gain.tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = float(seconds)
    solver.parameters.num_workers = os.cpu_count() or 1
    status = solver.solve(model)
    chosen = np.zeros(0, dtype=np.int64)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        chosen = np.flatnonzero([solver.value(place) for place in places])
    most = solver.best_objective_bound if status != cp_model.UNKNOWN else float(part.gain.sum())
    return chosen, max(0, int(part.penalty.sum()) - int(np.floor(most + 1e-6)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("theatre", help="a file of `fallow-bench theatre --dump`")
    parser.add_argument("--seconds", type=float, default=60, help="for all parts together (default %(default)s)")
    parser.add_argument("--peer", choices=("highs", "cp-sat"), required=True)
    args = parser.parse_args()

    parts, hopeless = split(read_theatre(args.theatre))
    places = sum(len(part.case) for part in parts)
    solve = {"highs": highs, "cp-sat": cp_sat}[args.peer]
    surrogate = bound = hopeless
    wall, cpu = monotonic(), process_time()
    for part in parts:
        chosen, least = solve(part, stretch() * args.seconds * len(part.case) / places)
        surrogate += part.surrogate(chosen)
        bound += least
    print(json.dumps({"peer": args.peer, "parts": len(parts), "seconds": args.seconds, "surrogate": surrogate, "bound": bound,
                      "wall_s": round(monotonic() - wall, 2), "cpu_s": round(process_time() - cpu, 2)}))


if __name__ == "__main__":
    main()
