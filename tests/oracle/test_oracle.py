"""Plans of `fallow match` over random winter mornings of the fictional region, against a solver that is not ours."""
import json
import os
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REGION = ROOT / "regions" / "north-vale.toml"
NOW = datetime(2026, 11, 24, 8, tzinfo=timezone.utc)
SITES = ["ZA101", "ZA102", "ZA201", "ZA301", "ZA401", "ZA501", "ZA601"]
RESOURCES = [
    {"kind": "BED", "code": "GA_ADULT"},
    {"kind": "BED", "code": "CC_ADULT", "level": 2},
    {"kind": "BED", "code": "CC_ADULT", "level": 3},
    {"kind": "DIAGNOSTIC", "code": "MRI"},
    {"kind": "THEATRE", "code": "MAIN", "specialties": ["110"]},
]


def binary():
    path = Path(os.environ.get("FALLOW_BIN", ROOT / "target" / "debug" / "fallow"))
    assert path.is_file(), f"{path} is missing; make it with: cargo build --package fallow --bin fallow"
    return path


def at(hours):
    return (NOW + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def morning(seed):
    """Returns the offers and needs of one random morning: some stale, closed, reserved, far or too late."""
    dice = random.Random(seed)
    offers, needs = [], []
    for number in range(60):
        site, resource = dice.choice(SITES), dict(dice.choice(RESOURCES))
        theatre = resource["kind"] == "THEATRE"
        start = dice.randint(4, 30) if theatre else dice.choice([-6, 0, 20])
        offers.append({
            "id": f"o-{number:03}", "trust": site[:3], "site": site, "resource": resource,
            "figures": {"staffed": dice.choice([240, 480]) if theatre else dice.randint(1, 5),
                        "occupied": 0 if theatre else dice.randint(0, 2)},
            "window": {"from": at(start), "until": at(start + 8 if theatre else 72)},
            "capabilities": dice.choice([[], [], ["isolation"]]),
            "reported_at": at(-dice.choice([0, 0, 0, 3])), "cadence": "3600s",
            "state": dice.choice(["OPEN", "OPEN", "OPEN", "SUSPENDED"]),
        })
    for number in range(90):
        site, resource = dice.choice(SITES), dict(dice.choice(RESOURCES))
        theatre = resource["kind"] == "THEATRE"
        needs.append({
            "id": f"n-{number:03}", "trust": site[:3], "site": site, "resource": resource,
            "units": 1 if theatre else dice.randint(1, 3), "minutes_per_case": dice.choice([60, 90, 120]) if theatre else 0,
            "priority": dice.choice(["P1A", "P1B", "P2", "P3", "P4"]), "listed_at": at(-dice.randint(1, 2000)),
            "requires": dice.choice([[], [], [], ["isolation"]]), "max_travel_minutes": dice.choice([0, 0, 30, 60]),
        })
    return offers, needs


def plan_of(folder, seed):
    """Writes a morning into a folder, has it matched, and returns the arguments of the oracle."""
    for name, rows in zip(["offers", "needs"], morning(seed)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--region", REGION, "--offers", folder / "offers.jsonl", "--needs", folder / "needs.jsonl", "--at", at(0)]
    plan = folder / "plan.jsonl"
    matched = subprocess.run([binary(), "match", *arguments, "--out", plan, "--explain"], capture_output=True, text=True)
    assert matched.returncode == 0, matched.stderr
    return [*arguments, "--plan", plan]


def judged(arguments):
    script = Path(__file__).with_name("match_oracle.py")
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("seed", range(8))
def test_plans_are_the_best_there_are(tmp_path, seed):
    verdict = judged(plan_of(tmp_path, seed))
    assert verdict.returncode == 0, verdict.stderr
    assert json.loads(verdict.stdout)["served_units"] > 0, "a morning without any placement proves nothing"


def _drop(lines):
    del lines[0]


def _cheapen(lines):
    lines[0]["burden"] -= 1


def _double(lines):
    lines[0]["units"] += 5


@pytest.mark.parametrize("spoil", [_drop, _cheapen, _double])
def test_a_spoilt_plan_is_found(tmp_path, spoil):
    arguments = plan_of(tmp_path, seed=1)
    plan = arguments[-1]
    lines = [json.loads(line) for line in plan.read_text().splitlines()]
    allocations = [line for line in lines if "offer" in line]
    explained = [line for line in lines if "offer" not in line]
    spoil(allocations)
    plan.write_text("".join(json.dumps(line) + "\n" for line in allocations + explained))
    assert judged(arguments).returncode == 1
