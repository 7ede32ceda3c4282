"""The grader of the benchmark mini: no model, but a comparison of a chain with the true sounds of its clip.

It gives the four marks that an evaluator gives, each from counting words: mini's world has only so many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.tasks.mini_world.events import KINDS, ORDINALS
from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards.evaluator_prompts import Marks

_TOKEN = re.compile(r"\w+|[.,]")
_QUALITIES = ("loudness", "length", "pitch", "direction", "beeps")
_STEP_CUE = 3
"""Which of an item's cues is its step to the answer."""
Words = Sequence[str]


class _Read(NamedTuple):
    """A chain of mini's world taken apart."""

    clauses: Mapping[str, Words]
    """Ordinal -> what is said of that sound."""
    kinds: Words
    """The kinds of sounds in the order in which they are named."""
    step: Words
    """What stands between the description and the conclusion."""
    concluded: str
    """The answer that the chain ends with; empty where it ends without."""


def marks(row: TrainingRow, chain: str) -> Marks:
    """The four marks of a chain, from the events of the row's item."""
    events, said = _events(row), _read(chain)
    true = {ordinal: _words_of(event) for ordinal, event in zip(ORDINALS, events, strict=False)}
    reference = _TOKEN.findall(str(row.extra["cue"][_STEP_CUE]))
    return Marks(
        path=_alike([event["kind"] for event in events], said.kinds),
        steps=_described(true, said.clauses),
        strategy=_alike(reference, said.step),
        depth=_depth(row, true, said),
    )


def _events(row: TrainingRow) -> Sequence[Mapping[str, Any]]:
    events = row.extra.get("events")
    if not isinstance(events, list) or not events or len(row.extra.get("cue", ())) <= _STEP_CUE:
        raise DataError(
            f"row {row.id}: the evaluator 'mini events' holds chains against true sounds, and the row has none "
            f"(extra.events, extra.cue): use it with data of mini, or name an endpoint."
        )
    return events


def _words_of(event: Mapping[str, Any]) -> frozenset[str]:
    """What is to be said of a sound; of beeps, no length."""
    named = [name for name in _QUALITIES if event.get(name) and not (name == "length" and event["kind"] == "beeps")]
    return frozenset((event["kind"], *(str(event[name]) for name in named)))


def _read(chain: str) -> _Read:
    tokens = _TOKEN.findall(chain.casefold())
    end = tokens.index(".") if "." in tokens else len(tokens)
    described, rest = tokens[:end], tokens[end + 1 :]
    clauses: dict[str, list[str]] = {}
    clause: list[str] = []
    for token in described:
        if token in ORDINALS:
            clause = clauses.setdefault(token, [])
        elif token != ",":
            clause.append(token)
    kinds = [token for token in described if token in KINDS]
    place = next((at for at in range(len(rest) - 1) if rest[at : at + 2] == ["answer", "is"]), None)
    if place is None:
        return _Read(clauses, kinds, rest, "")
    step = [token for token in rest[:place] if token not in {"so", "the"}]
    return _Read(clauses, kinds, step[:-1] if step[-1:] == ["."] else step, " ".join(rest[place + 2 :]).strip(" ."))


def _described(true: Mapping[str, frozenset[str]], said: Mapping[str, Words]) -> float:
    """What is said rightly of the right sound, less what is said besides: naming all words earns little."""
    shares = [
        len(true.get(ordinal, frozenset()) & set(said.get(ordinal, ())))
        / max(1, len(true.get(ordinal, frozenset()) | set(said.get(ordinal, ()))), len(said.get(ordinal, ())))
        for ordinal in dict.fromkeys((*true, *said))
    ]
    return sum(shares) / len(shares)


def _depth(row: TrainingRow, true: Mapping[str, frozenset[str]], said: _Read) -> float:
    """Whether it speaks of each sound and of no other, says enough of each, takes a step, and ends with the answer."""
    done = (
        said.clauses.keys() == true.keys(),
        all(len(said.clauses.get(ordinal, ())) == len(words) for ordinal, words in true.items()),
        bool(said.step),
        said.concluded == " ".join(_TOKEN.findall(row.answer.casefold())),
    )
    return sum(done) / len(done)


def _alike(reference: Words, said: Words) -> float:
    """Twice the longest common sequence, as a share of both lengths."""
    if not reference and not said:
        return 1.0
    row = [0] * (len(said) + 1)
    for word in reference:
        above = 0
        for place, other in enumerate(said, 1):
            above, row[place] = row[place], above + 1 if word == other else max(row[place], row[place - 1])
    return 2 * row[-1] / (len(reference) + len(said))
