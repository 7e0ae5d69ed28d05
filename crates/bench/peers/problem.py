"""The files that `fallow-bench` writes: rows of 64-bit little-endian integers (see crates/bench/src/dump.rs)."""

from dataclasses import dataclass

import numpy as np


class Integers:
    """Takes arrays from a file, one after the other."""

    def __init__(self, path):
        self.all = np.fromfile(path, dtype="<i8")
        self.at = 0

    def take(self, count):
        part = self.all[self.at:self.at + count]
        if len(part) != count:
            raise ValueError("the file ends too soon")
        self.at += count
        return part


@dataclass
class Network:
    """Stores (some inside others), and demands with the stores that may serve them."""

    parent: np.ndarray
    room: np.ndarray
    allowance: np.ndarray
    step: np.ndarray
    units: np.ndarray
    classes: np.ndarray
    arc_demand: np.ndarray
    arc_store: np.ndarray
    arc_cost: np.ndarray

    @property
    def stores(self):
        return len(self.parent)

    @property
    def demands(self):
        return len(self.units)


def read_network(path):
    file = Integers(path)
    stores, demands, arcs = file.take(3)
    parent, room, allowance, step = (file.take(stores) for _ in range(4))
    units, classes = file.take(demands), file.take(demands)
    starts = file.take(demands + 1)
    arc_store, arc_cost = file.take(arcs), file.take(arcs)
    arc_demand = np.repeat(np.arange(demands), np.diff(starts))
    return Network(parent, room, allowance, step, units, classes, arc_demand, arc_store, arc_cost)


@dataclass
class Theatre:
    """Sessions with room in minutes, and cases with the sessions that may hold them."""

    room: np.ndarray
    size: np.ndarray
    classes: np.ndarray
    band: np.ndarray
    penalty: np.ndarray
    place_case: np.ndarray
    place_session: np.ndarray
    place_burden: np.ndarray


def read_theatre(path):
    file = Integers(path)
    sessions, cases, places = file.take(3)
    room = file.take(sessions)
    size, classes, band, penalty = (file.take(cases) for _ in range(4))
    starts = file.take(cases + 1)
    session, burden = file.take(places), file.take(places)
    case = np.repeat(np.arange(cases), np.diff(starts))
    return Theatre(room, size, classes, band, penalty, case, session, burden)
