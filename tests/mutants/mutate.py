"""`make mutants`: draw changes that break the code, try each in a copy of the tree, print what share the tests catch.

A file per seed in .mutants/ keeps what was found; a second start goes on where the first stopped. A survivor that
changes nothing anyone can see is judged by a reader: its verdict in that file becomes "equivalent", and it no longer
counts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from places import Place, differs, no_change, places
from trial import Trial

ROOT = Path(__file__).resolve().parents[2]
CORE = [f"harness/{room}" for room in ("extract", "score", "store", "stats", "compare", "core", "run")]
CORE += ["models/endpoint", "tasks"]
ONE_CONTROL_IN = 30
GOAL = 0.95
CAUGHT = ("killed", "timeout")
KINDS = ("caught", "lived", "suspected", "equivalent", "too slow")
Found = dict[str, str | float | bool]


def main(words: Sequence[str] | None = None) -> int:
    """Draw, try, print; exit 1 where a change that changes nothing was caught."""
    given = _arguments(words)
    root = given.root.resolve()
    file = given.found or root / ".mutants" / f"{given.seed}.jsonl"
    file.parent.mkdir(exist_ok=True)
    found = _earlier(file, again=given.again)
    drawn = draw(root, given.paths, given.count, given.seed)
    with tempfile.TemporaryDirectory(prefix="mutants-") as workspace:
        trial = Trial(root, Path(workspace), limit=given.limit, every=given.every)
        for number, place in enumerate(drawn, 1):
            if place.key not in found:
                outcome = trial.of(place)
                found[place.key] = {**place._asdict(), **outcome._asdict()}
                with file.open("a", encoding="utf-8") as kept:
                    kept.write(json.dumps({"key": place.key, **found[place.key]}) + "\n")
            print(f"{number:3}/{len(drawn)} {_line(found[place.key])}", flush=True)
        if trial.odd:
            print("fail without any change and were not asked:", *sorted(trial.odd), sep="\n  ")
    of_this_draw = [found[place.key] for place in drawn]
    print(table(of_this_draw))
    return any(one["operator"] == "none" and one["verdict"] in CAUGHT for one in of_this_draw)


def draw(root: Path, paths: Iterable[str], count: int, seed: int) -> list[Place]:
    """So many changes, the same with the same seed and code; one change in thirty changes nothing, and is a control.

    The operator is drawn first, a common one more often than a rare one but not by as much as it is more common.
    """
    files = sorted(
        path.relative_to(root).as_posix()
        for folder in paths
        for path in (root / folder).rglob("*.py")
        if path.name != "__init__.py"
    )
    chance = random.Random(seed)
    of_operator: dict[str, list[Place]] = defaultdict(list)
    for place in (place for file in files for place in places(root, file)):
        of_operator[place.operator].append(place)
    drawn: list[Place] = []
    while len(drawn) < count and any(of_operator.values()):
        operators = sorted(operator for operator, left in of_operator.items() if left)
        weights = [math.sqrt(len(of_operator[operator])) for operator in operators]
        left = of_operator[chance.choices(operators, weights)[0]]
        place = left.pop(chance.randrange(len(left)))
        if differs(root, place):
            drawn.append(place)
    controls = [no_change(root, chance.choice(files)) for _ in range(math.ceil(count / ONE_CONTROL_IN))]
    return [*controls, *drawn]


def table(found: Sequence[Found]) -> str:
    """Per room what lived, and the share that was caught."""
    changes = [one for one in found if one["operator"] != "none"]
    rooms = sorted({str(one["file"]).rpartition("/")[0] for one in changes})
    lines = [f"{'':<24}{'tried':>7}{''.join(f'  {kind}' for kind in KINDS)}"]
    for room in [*rooms, ""]:
        of_room = [one for one in changes if not room or str(one["file"]).rpartition("/")[0] == room]
        kinds = Counter(map(_kind, of_room))
        counts = (f"{kinds[kind]:>{len(kind) + 2}}" for kind in KINDS)
        lines.append(f"{room or 'all':<24}{len(of_room):>7}{''.join(counts)}")
    kinds = Counter(map(_kind, changes))
    caught, lived, suspected = kinds["caught"], kinds["lived"], kinds["suspected"]
    controls = [one["verdict"] for one in found if one["operator"] == "none"]
    share = caught / (caught + lived) if caught + lived else math.nan
    lines += [_line(one) for one in changes if _kind(one) in ("lived", "suspected")]
    wrong = sum(verdict in CAUGHT for verdict in controls)
    lines.append(f"controls that change nothing: {len(controls)}, of which caught: {wrong}")
    lines.append(f"caught {caught} of {caught + lived} that break something: {share:.0%} (goal {GOAL:.0%})")
    if kinds["too slow"]:
        lines.append(f"not told: {kinds['too slow']}, whose tests take longer than --limit without a change as well")
    if suspected:
        lines.append(f"not counted: {suspected} that may change nothing (a log line, the edge of a large limit)")
    return "\n".join(lines)


def _kind(one: Found) -> str:
    if one["verdict"] == "survived":
        return "suspected" if one["suspected"] else "lived"
    return "caught" if one["verdict"] in CAUGHT else str(one["verdict"])


def _line(one: Found) -> str:
    before, after = (" ".join(str(one[side]).split())[:60] for side in ("before", "after"))
    return f"{one['verdict']:<10} {one['file']}:{one['line']}  {one['operator']}: {before} -> {after}  {one['by']}"


def _earlier(file: Path, *, again: bool) -> dict[str, Found]:
    """What an earlier start found, by change; with `again` without what lived, which is tried once more."""
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found = {line["key"]: line for line in lines}
    return {key: one for key, one in found.items() if not (again and one["verdict"] in ("survived", "too slow"))}


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("paths", nargs="*", default=CORE, help="folders whose code is changed")
    parser.add_argument("--count", type=int, default=60, help="how many changes")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("DTBENCH_SEED", "0")), help="of the draw")
    parser.add_argument("--limit", type=float, default=120, help="seconds that a few files of tests may take")
    parser.add_argument(
        "--every", action="store_true", help="ask all quick tests about what lives, not the related ones"
    )
    parser.add_argument("--again", action="store_true", help="try once more what survived in an earlier start")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree that is copied")
    parser.add_argument("--found", type=Path, help="the file that keeps what was found")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
