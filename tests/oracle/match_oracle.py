#!/usr/bin/env python3
"""Checks a plan of `fallow match` against an independent solver.

    match_oracle.py --region region.toml --offers offers.jsonl --needs needs.jsonl --at 2026-11-24T08:00:00Z --plan plan.jsonl

Eligibility, rank and burden are written here anew from the description of the matching rules, not from Fallow's code; the best
plan for unit needs comes from OR-tools' min-cost flow. Checked:
- the file: lines sorted by the bytes of need and offer, each pair once;
- every allocation: eligible, within units, minutes and reserves, its burden to the point;
- unit needs: as many units of every class as the solver serves, at the same total burden;
- theatre cases: no unserved case fits a session, or could replace one case of a later class in it;
- with `--explain` lines in the plan: the units unserved and the counts by the first code that objects.
Prints one line of figures as JSON; exit 1 and the differences on stderr when something differs.

Needs Python 3.11 and `ortools` (pip install ortools).
"""
import argparse
import json
import math
import sys
import tomllib
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from fractions import Fraction

CODES = ["SAME_TRUST", "NO_AGREEMENT", "WRONG_RESOURCE", "SPECIALTY_MISMATCH", "CAPABILITY_MISSING", "ISOLATION", "CARE_LEVEL",
         "SECURITY_LEVEL", "AGE_OR_SEX", "BMI_OR_ASA_LIMIT", "TOO_FAR", "TOO_LATE", "TOO_EARLY", "TOO_SHORT", "TEAM_MISSING",
         "RING_FENCED", "STALE", "SUSPENDED", "TRUST_UNDER_PRESSURE", "BELOW_RESERVE"]
OF_THE_PLAN = {"HELD_FOR_ANOTHER", "LOST_TO_HIGHER_PRIORITY", "CHEAPER_ELSEWHERE"}
SECURITY = [{"MH_206", "MH_207", "MH_208"}, {"MH_303", "MH_304"}, {"MH_306", "MH_307"}]
WHOLE_WINDOW = {"BED", "VIRTUAL_WARD", "STAFF", "EQUIPMENT"}
EMERGENCIES = {"P1A", "P1B"}
BANDS = ["P1A", "P1B", "P2", "P3", "P4"]
LIMIT_HOURS = {"P1A": 24, "P1B": 72, "P2": 672, "P3": 2184, "P4": 3024}
EVER = datetime.max.replace(tzinfo=timezone.utc)
NEVER = datetime.min.replace(tzinfo=timezone.utc)
DAY = timedelta(days=1)


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def number(value, default=0):
    return default if value is None else int(value)


class Region:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = tomllib.load(file)
        policy = data.get("policy", {})
        self.turnover = policy.get("turnover_minutes", 15)
        self.opel_limit = policy.get("opel_limit", 4)
        self.incident_opel_limit = policy.get("incident", {}).get("opel_limit", self.opel_limit)
        self.fair_step = policy.get("fair_step", 0)
        self.opel_points = policy.get("opel_points", [0, 4, 15, 40])
        self.delay_points = policy.get("delay_points_per_day", 2)
        self.level_points = policy.get("level_points", 10)
        self.risk_weight = policy.get("risk_weight", 0)
        self.equity_weight = policy.get("equity_weight", 0)
        self.ring_fence = set(policy.get("ring_fence", []))
        self.limit_hours = LIMIT_HOURS | policy.get("limit_hours", {})
        self.trusts = {t["ods"]: t for t in data.get("trust", [])}
        self.sites = {s["code"]: s for s in data.get("site", [])}
        self.groups = data.get("collaborative", [])
        self.journeys = {(t["from"], t["to"]): t["minutes"] for t in data.get("travel", [])}
        self.known_travel, self.known_joining = {}, {}

    def travel(self, a, b):
        if (a, b) not in self.known_travel:
            given = self.journeys.get((a, b), self.journeys.get((b, a)))
            self.known_travel[a, b] = self.by_distance(self.sites[a], self.sites[b]) if given is None else given
        return self.known_travel[a, b]

    @staticmethod
    def by_distance(a, b):
        la, lb = math.radians(a["lat"]), math.radians(b["lat"])
        h = math.sin((la - lb) / 2) ** 2 + math.cos(la) * math.cos(lb) * math.sin(math.radians(a["lon"] - b["lon"]) / 2) ** 2
        km = 1.3 * 2 * 6371 * math.asin(math.sqrt(h))
        return math.floor(5 + min(km, 15) * 60 / 32 + max(km - 15, 0) * 60 / 72 + .5)

    def joining(self, a, b):
        """The collaboratives that have both trusts."""
        if (a, b) not in self.known_joining:
            self.known_joining[a, b] = [g for g in self.groups if a in g["members"] and b in g["members"]]
        return self.known_joining[a, b]


class Offer:
    def __init__(self, row, at, region):
        self.id, self.trust, self.site = row["id"], row["trust"], row["site"]
        resource, figures, team, limits = row["resource"], row.get("figures", {}), row.get("team"), row.get("limits", {})
        self.kind, self.code, self.level = resource["kind"], resource["code"], number(resource.get("level"))
        self.specialties = frozenset(resource.get("specialties", []))
        used = sum(number(figures.get(k)) for k in ("occupied", "blocked", "held", "committed"))
        self.free = max(0, number(figures.get("staffed")) - used)
        window = row["window"]
        self.start = moment(window["from"]) if window.get("from") else NEVER
        self.until = moment(window["until"])
        self.capabilities = frozenset(row.get("capabilities", []))
        self.age_min, self.age_max, self.sex = limits.get("age_min"), limits.get("age_max"), limits.get("sex")
        self.bmi_max, self.asa_max = limits.get("bmi_max"), limits.get("asa_max")
        self.staffed = True if team is None else team.get("staffed", False)
        self.shared_with = frozenset(row.get("shared_with", []))
        weeks = region.trusts[self.trust].get("release_weeks")
        rhythm = self.kind == "THEATRE" and weeks is not None and self.start != NEVER
        released = moment(row["release_at"]) if row.get("release_at") else self.start - 7 * weeks * DAY if rhythm else NEVER
        self.open = row.get("state", "OPEN") == "OPEN" and released <= at
        self.counts = row.get("state", "OPEN") == "OPEN"
        cadence = Fraction(row["cadence"].rstrip("s"))
        age = at - moment(row["reported_at"])
        self.stale = age > timedelta(seconds=float(2 * cadence))
        self.key = (self.trust, "/".join([self.kind, self.code] + ([str(self.level)] if self.level else [])))


class Need:
    def __init__(self, row, at, region):
        self.id, self.trust, self.site = row["id"], row["trust"], row["site"]
        resource, patient = row["resource"], row.get("patient", {})
        self.kind, self.code, self.level = resource["kind"], resource["code"], number(resource.get("level"))
        self.specialties = frozenset(resource.get("specialties", []))
        self.units = number(row.get("units"), 1) - number(row.get("units_proposed")) - number(row.get("units_committed"))
        self.minutes = number(row.get("minutes_per_case"))
        self.priority = row["priority"]
        self.start = max(at, moment(row["earliest"])) if row.get("earliest") else at
        self.needed_by = moment(row["needed_by"]) if row.get("needed_by") else EVER
        self.requires = set(row.get("requires", [])) | ({"isolation"} if patient.get("isolation") else set())
        self.age, self.sex, self.bmi, self.asa = (patient.get(k) for k in ("age", "sex", "bmi", "asa"))
        self.limit = number(row.get("max_travel_minutes")) or math.inf
        self.brings_team = row.get("brings_team", False)
        self.live = row.get("state", "OPEN") in ("OPEN", "PROPOSED", "PART_AGREED") and self.units > 0
        waited = max(timedelta(0), at - moment(row["listed_at"])) if row.get("listed_at") else timedelta(0)
        score = 100 * waited // timedelta(hours=region.limit_hours[self.priority])
        risk = min(100, max(0, (row.get("risk") or {}).get("value", 0)))
        score += math.floor(region.risk_weight * risk / 100)
        decile = number(row.get("imd_decile"))
        score += min(10, region.equity_weight * (10 - decile) // 9) if decile else 0
        self.rank = (BANDS.index(self.priority), -score)


class Rules:
    """Who may be matched with what, at what burden."""

    def __init__(self, region, offers):
        self.region = region
        self.spare = Counter()
        for o in offers:
            if o.counts and not o.stale:
                self.spare[o.key] += o.free
        for key in self.spare:
            self.spare[key] -= region.trusts[key[0]].get("reserve", {}).get(key[1], 0)

    def objects(self, code, n, o):
        match code:
            case "SAME_TRUST":
                return n.trust == o.trust
            case "NO_AGREEMENT":
                return not any(o.kind in g["shares"] and (not o.shared_with or g["id"] in o.shared_with)
                               for g in self.region.joining(n.trust, o.trust))
            case "WRONG_RESOURCE":
                return (n.kind, n.code) != (o.kind, o.code) and not self.other_security(n, o)
            case "SPECIALTY_MISMATCH":
                return bool(n.specialties or n.kind == "THEATRE") and not n.specialties & o.specialties
            case "CAPABILITY_MISSING":
                return bool(n.requires - o.capabilities - {"isolation"})
            case "ISOLATION":
                return "isolation" in n.requires - o.capabilities
            case "CARE_LEVEL":
                return o.level < n.level
            case "SECURITY_LEVEL":
                return self.other_security(n, o)
            case "AGE_OR_SEX":
                young = None not in (n.age, o.age_min) and n.age < o.age_min
                old = None not in (n.age, o.age_max) and n.age > o.age_max
                return young or old or (None not in (n.sex, o.sex) and n.sex != o.sex)
            case "BMI_OR_ASA_LIMIT":
                return (None not in (n.bmi, o.bmi_max) and n.bmi > o.bmi_max) or (None not in (n.asa, o.asa_max) and n.asa > o.asa_max)
            case "TOO_FAR":
                return self.region.travel(n.site, o.site) > n.limit
            case "TOO_LATE":
                return o.start > n.needed_by
            case "TOO_EARLY":
                return o.until <= n.start if o.kind in WHOLE_WINDOW else o.start < n.start
            case "TOO_SHORT":
                return n.kind == "THEATRE" and n.minutes > o.free
            case "TEAM_MISSING":
                return not o.staffed and not n.brings_team
            case "RING_FENCED":
                return n.priority in EMERGENCIES and self.region.sites[o.site].get("kind") in self.region.ring_fence
            case "STALE":
                return o.stale
            case "SUSPENDED":
                return not o.open
            case "TRUST_UNDER_PRESSURE":
                incident = any(g.get("mode") == "INCIDENT" for g in self.region.joining(n.trust, o.trust))
                limit = self.region.incident_opel_limit if incident else self.region.opel_limit
                return self.region.trusts[o.trust].get("opel", 0) >= limit
            case "BELOW_RESERVE":
                return o.free == 0 or (o.kind != "THEATRE" and self.spare[o.key] <= 0)

    @staticmethod
    def other_security(n, o):
        return n.kind == o.kind == "BED" and n.code != o.code and any({n.code, o.code} <= group for group in SECURITY)

    def first(self, n, o):
        return next((code for code in CODES if self.objects(code, n, o)), None)

    def eligible(self, n, o):
        # Cheap questions first; the answer is the same in any order.
        order = ("TOO_FAR", "CARE_LEVEL", "TOO_LATE", "TOO_EARLY", "SPECIALTY_MISMATCH", "CAPABILITY_MISSING", "ISOLATION", "AGE_OR_SEX")
        return not any(self.objects(code, n, o) for code in order) and self.first(n, o) is None

    def burden(self, n, o):
        days = max(0, (o.start - n.start) // DAY) if o.start != NEVER else 0
        opel = self.region.trusts[o.trust].get("opel") or 1
        return (self.region.travel(n.site, o.site) + self.region.delay_points * days + self.region.opel_points[opel - 1]
                + self.region.level_points * max(0, o.level - n.level))


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def pairs(rules, needs, offers):
    """{need: [(offer, burden)]} of the needs that take part."""
    shelves = defaultdict(lambda: defaultdict(list))
    for o in offers:
        if o.open and not o.stale and o.free:
            shelves[o.kind, o.code][o.trust, o.site].append(o)
    found = {}
    for n in needs:
        if n.live:
            found[n] = []
            for (trust, site), shelf in shelves[n.kind, n.code].items():
                if trust != n.trust and rules.region.travel(n.site, site) <= n.limit:
                    found[n] += [(o, rules.burden(n, o)) for o in shelf if rules.eligible(n, o)]
    return found


def fairness(region, trust, given, units):
    """Points of a trust's next units after those given."""
    allowance = region.trusts[trust].get("fair_allowance")
    if allowance is None:
        return 0
    return sum(region.fair_step * max(0, k - allowance) for k in range(given + 1, given + units + 1))


def best(rules, found):
    """(units served by rank, total burden) of the best plan for the unit needs, by min-cost flow."""
    import numpy
    from ortools.graph.python import min_cost_flow
    region = rules.region
    needs = [n for n in found if n.kind != "THEATRE" and found[n]]
    if not needs:
        return Counter(), 0
    offers = list({o.id: o for n in needs for o, _ in found[n]}.values())
    ranks = sorted({n.rank for n in needs}, reverse=True)
    level = {rank: i + 1 for i, rank in enumerate(ranks)}
    tails, heads, rooms, costs = [], [], [], []

    def arc(tail, head, room, cost):
        tails.append(tail), heads.append(head), rooms.append(room), costs.append(cost)

    sink, nodes = 0, 1 + len(needs) + len(offers)
    place = {o.id: 1 + len(needs) + i for i, o in enumerate(offers)}
    total = sum(n.units for n in needs)
    dearest = max(cost for n in needs for _, cost in found[n])
    groups, trusts, steepest = {}, {}, 0
    offered = Counter()
    for o in offers:
        offered[o.trust] += o.free
    for o in offers:
        if o.key not in groups:
            groups[o.key], nodes = nodes, nodes + 1
            if o.trust not in trusts:
                trusts[o.trust], nodes = nodes, nodes + 1
                allowance = region.trusts[o.trust].get("fair_allowance")
                if allowance is None or not region.fair_step:
                    arc(trusts[o.trust], sink, total, 0)
                else:
                    arc(trusts[o.trust], sink, allowance, 0)
                    for k in range(1, min(total, offered[o.trust]) - allowance + 1):
                        arc(trusts[o.trust], sink, 1, region.fair_step * k)
                        steepest = max(steepest, region.fair_step * k)
            arc(groups[o.key], trusts[o.trust], rules.spare[o.key], 0)
        arc(place[o.id], groups[o.key], o.free, 0)
    big = 1 + total * (dearest + steepest)
    for i, n in enumerate(needs, 1):
        arc(i, sink, n.units, level[n.rank] * big)
        for o, cost in found[n]:
            arc(i, place[o.id], n.units, cost)
    flow = min_cost_flow.SimpleMinCostFlow()
    array = lambda values: numpy.array(values, dtype=numpy.int64)
    flow.add_arcs_with_capacity_and_unit_cost(array(tails).astype(numpy.int32), array(heads).astype(numpy.int32), array(rooms), array(costs))
    flow.set_nodes_supplies(numpy.arange(1, len(needs) + 1, dtype=numpy.int32), array([n.units for n in needs]))
    flow.set_node_supply(sink, -total)
    status = flow.solve()
    if status != flow.OPTIMAL:
        raise SystemExit(f"the oracle's solver says {status}")
    served, burden = Counter(), flow.optimal_cost()
    used = flow.flows(numpy.arange(len(tails), dtype=numpy.int32))
    for tail, head, cost, units in zip(tails, heads, costs, used):
        if head == sink and 1 <= tail <= len(needs):
            n = needs[tail - 1]
            served[n.rank] += n.units - int(units)
            burden -= cost * int(units)
    return +served, burden


def check(args):
    wrong = []
    at = moment(args.at)
    region = Region(args.region)
    offers = [Offer(row, at, region) for row in read(args.offers)]
    needs = [Need(row, at, region) for row in read(args.needs)]
    rules = Rules(region, offers)
    rows = read(args.plan)
    lines = [row for row in rows if "offer" in row]
    explained = [row for row in rows if "offer" not in row]
    order = [(row["need"].encode(), row["offer"].encode()) for row in lines]
    if order != sorted(set(order)):
        wrong.append("lines are not sorted by need and offer, each pair once")

    by_need, by_offer = {n.id: n for n in needs}, {o.id: o for o in offers}
    served, taken, given, spent = Counter(), Counter(), Counter(), Counter()
    unit_burden = 0
    for row in lines:
        n, o = by_need[row["need"]], by_offer[row["offer"]]
        reason = rules.first(n, o)
        if reason or not n.live:
            wrong.append(f"{row}: not eligible, {reason}")
        points = rules.burden(n, o) * row["units"]
        if n.kind == "THEATRE":
            minutes = n.minutes * row["units"]
            taken[o.id] += (n.minutes + region.turnover) * row["units"]
        else:
            minutes = 0
            points += fairness(region, o.trust, given[o.trust], row["units"])
            given[o.trust] += row["units"]
            taken[o.id] += row["units"]
            spent[o.key] += row["units"]
            unit_burden += points
        if (row["units"] < 1) or (row["minutes"], row["burden"]) != (minutes, points):
            wrong.append(f"{row}: expected {minutes} minutes, {points} points")
        served[n.id] += row["units"]
    for n in needs:
        if served[n.id] > max(0, n.units):
            wrong.append(f"need {n.id} gets {served[n.id]} of {n.units} units")
    for o in offers:
        if taken[o.id] > o.free + (region.turnover if o.kind == "THEATRE" else 0):
            wrong.append(f"offer {o.id} gives {taken[o.id]} of {o.free}")
    wrong += [f"{key} gives {units}, {rules.spare[key]} are above its reserve" for key, units in spent.items() if units > rules.spare[key]]

    found = pairs(rules, needs, offers)
    by_rank = Counter()
    for n in found:
        if n.kind != "THEATRE":
            by_rank[n.rank] += served[n.id]
    expected, burden = best(rules, found)
    if +by_rank != expected:
        wrong.append(f"served by class differs: {sorted((+by_rank - expected).items())} too many, {sorted((expected - +by_rank).items())} too few")
    elif unit_burden != burden:
        wrong.append(f"burden {unit_burden}, the best is {burden}")

    members = defaultdict(list)
    for row in lines:
        if by_need[row["need"]].kind == "THEATRE":
            members[row["offer"]].append(by_need[row["need"]])
    for n in found:
        if n.kind == "THEATRE" and served[n.id] < n.units:
            size = n.minutes + region.turnover
            for o, _ in found[n]:
                left = o.free + region.turnover - taken[o.id]
                if left >= size or any(m.rank > n.rank and left + m.minutes + region.turnover >= size for m in members[o.id]):
                    wrong.append(f"case {n.id} fits session {o.id} or outranks a case in it")

    if explained:
        wrong += check_explained(rules, found, served, offers, explained)
    bands = Counter()
    for n in found:
        bands[("theatre " if n.kind == "THEATRE" else "") + n.priority] += served[n.id]
    figures = {"served_units": sum(expected.values()), "burden": burden, "served": dict(sorted(bands.items())),
               "pairs": sum(map(len, found.values())), "wrong": len(wrong)}
    return figures, wrong


def check_explained(rules, found, served, offers, explained):
    wrong = []
    said = {row["need"]: row for row in explained}
    unserved = {n.id: n for n in found if served[n.id] < n.units}
    if set(said) != set(unserved):
        wrong.append(f"explained {len(said)} needs, {len(unserved)} are unserved")
    shelves = defaultdict(list)
    for o in offers:
        shelves[o.kind, o.code].append(o)
    for id, n in unserved.items():
        codes = {n.code} | set().union(*(group for group in SECURITY if n.code in group))
        counts = Counter(rules.first(n, o) for code in codes for o in shelves[n.kind, code])
        row = said.get(id, {"counts": {}, "unserved": 0})
        eligible = sum(count for code, count in row["counts"].items() if code in OF_THE_PLAN)
        told = {code: count for code, count in row["counts"].items() if code not in OF_THE_PLAN}
        if told != {code: count for code, count in counts.items() if code} or eligible != counts[None]:
            wrong.append(f"need {id}: counts {row['counts']}, expected {dict(counts)}")
        if row["unserved"] != n.units - served[id]:
            wrong.append(f"need {id}: {row['unserved']} unserved, expected {n.units - served[id]}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("region", "offers", "needs", "at", "plan"):
        parser.add_argument("--" + name, required=True)
    figures, wrong = check(parser.parse_args())
    print(json.dumps(figures))
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
