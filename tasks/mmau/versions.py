"""Tell which content of MMAU-test-mini a file is, by its items, so that a part of a file is known too."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample

CURRENT = "v05.15.25"
OLD = "2024-old"
EITHER = f"{CURRENT}-or-{OLD}"
COMMITS = {CURRENT: "f0a4a97", OLD: "1f675a9"}
BOTH, BROKEN = "both", "broken"
_KNOWN_FILE = Path(__file__).with_name("versions.json")
_TOLERATED_SHARE = 0.01
"""Of golds that are not among their options; the broken files have 15 %, the good ones none."""


def item_key(id_: str, question: str, choices: Sequence[str], answer: str) -> str:
    """Hash the words of an item: layouts differ in spaces and signs, which the rule does not see."""
    row = [id_, _words(question), [_words(choice) for choice in choices], _words(answer)]
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()[:10]


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def detect_version(data: Dataset) -> tuple[str, list[str]]:
    """Return the version's name, and notes; a name only where every item is known from that version."""
    votes = Counter(_origin(sample) for sample in data.samples)
    total = len(data.samples)
    for version in (CURRENT, OLD):
        if votes[version] and votes[version] + votes[BOTH] == total:
            notes = [] if total == 1000 else [f"{total} of the 1,000 items of {version}"]
            if version == OLD:
                before = f"the content before 2025-05-15 (commit {COMMITS[OLD]})"
                notes.append(f"{before}: scores are not comparable with {CURRENT}")
            return version, notes
    if votes[BOTH] == total:
        return EITHER, [f"these {total} items are the same in {CURRENT} and {OLD}"]
    near = ", ".join(f"{votes[version] + votes[BOTH]} of {version}" for version in (CURRENT, OLD))
    return (
        f"unrecognised-{data.sha256[:8]}",
        [f"no published content of MMAU-test-mini: of {total} items, {near} are equal"],
    )


def version_of_records(items: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the version's name where every record is of it; the broken files have a name of their own."""
    origins = {_origin_of_record(item) for item in items}
    if BROKEN in origins:
        return "broken-2025-05-15"
    known = [version for version in (CURRENT, OLD) if version in origins and origins <= {version, BOTH}]
    return known[0] if known else EITHER if origins == {BOTH} else None


def _origin_of_record(item: Mapping[str, Any]) -> str:
    choices = item.get("choices")
    texts = [item.get(name) for name in ("id", "question", "answer")]
    if not isinstance(choices, list) or not all(isinstance(text, str) for text in [*texts, *choices]):
        return ""
    id_, question, answer = (str(text) for text in texts)
    return _known().get(item_key(id_, question, choices, answer), "")


def refuse_broken(data: Dataset, path: Path) -> None:
    """Refuse MMAU of 2025-05-15/16: its golds equal no option, so scores on it mean nothing."""
    samples, lost = data.samples, data.unanswerable
    of_broken_file = bool(lost) and any(_origin(sample) == BROKEN for sample in samples if sample.id in lost)
    if not of_broken_file and len(lost) <= _TOLERATED_SHARE * len(samples):
        return
    if all(sample.answer == "" for sample in samples):
        raise DataError(f"{path}: every answer is empty, as in the test set: score it with the task mmau-test.")
    what = "this is" if of_broken_file else "it has the fault of"
    raise DataError(
        f"{path}: refused: {len(lost)} of {len(samples)} answers are not among their options (first: {lost[0]!r}); "
        f"{what} the broken MMAU-test-mini of 2025-05-15/16 (commits 6674fa1, f2017e3, 2dcf44d). "
        f"Run `dtbench data pull mmau-mini`, or take mmau-test-mini.json of commit {COMMITS[CURRENT]} "
        f"from https://github.com/Sakshi113/MMAU."
    )


def _origin(sample: Sample) -> str:
    key = item_key(sample.id, sample.question, sample.choices, sample.answer or "")
    return _known().get(key, "")


@functools.cache
def _known() -> Mapping[str, str]:
    lists: dict[str, Iterable[str]] = json.loads(_KNOWN_FILE.read_text(encoding="utf-8"))
    return {key: version for version in (BOTH, CURRENT, OLD, BROKEN) for key in lists[version]}
