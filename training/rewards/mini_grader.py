"""The grader of the benchmark mini: it compares a chain with the true sounds of its clip, without a model.

It gives an evaluator's four marks by counting words, which works because mini's world has so few.
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


class _ParsedChain(NamedTuple):
    clauses: Mapping[str, Words]
    """Ordinal -> the words about that sound."""
    kinds: Words
    """The kinds of sounds in the order in which they are named."""
    step: Words
    """The words between the description and the conclusion."""
    conclusion: str
    """The answer that the chain ends with; empty where it ends without."""


def grade_chain(row: TrainingRow, chain: str) -> Marks:
    """Mark a chain by the events of the row's item."""
    events, parsed = row.extra.get("events"), _parse_chain(chain)
    if not isinstance(events, list) or not events or len(row.extra.get("cue", ())) <= _STEP_CUE:
        raise DataError(
            f"row {row.id}: the evaluator 'mini events' compares reasoning with the true sounds, and the row has none "
            f"(extra.events, extra.cue): use it with data of mini, or name an endpoint."
        )
    true = {ordinal: _words_of(event) for ordinal, event in zip(ORDINALS, events, strict=False)}
    reference = _TOKEN.findall(str(row.extra["cue"][_STEP_CUE]))
    return Marks(
        path=_alike([event["kind"] for event in events], parsed.kinds),
        steps=_described(true, parsed.clauses),
        strategy=_alike(reference, parsed.step),
        depth=_depth(row, true, parsed),
    )


def _words_of(event: Mapping[str, Any]) -> frozenset[str]:
    """Return the words that describe a sound; for beeps, no length."""
    named = [name for name in _QUALITIES if event.get(name) and not (name == "length" and event["kind"] == "beeps")]
    return frozenset((event["kind"], *(str(event[name]) for name in named)))


def _parse_chain(chain: str) -> _ParsedChain:
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
        return _ParsedChain(clauses, kinds, rest, "")
    step = [token for token in rest[:place] if token not in {"so", "the"}]
    return _ParsedChain(
        clauses, kinds, step[:-1] if step[-1:] == ["."] else step, " ".join(rest[place + 2 :]).strip(" .")
    )


def _described(true: Mapping[str, frozenset[str]], clauses: Mapping[str, Words]) -> float:
    """Return the share of right words about each sound, lowered by wrong ones: naming all words earns little."""
    shares = [
        len(true.get(ordinal, frozenset()) & set(clauses.get(ordinal, ())))
        / max(1, len(true.get(ordinal, frozenset()) | set(clauses.get(ordinal, ()))), len(clauses.get(ordinal, ())))
        for ordinal in dict.fromkeys((*true, *clauses))
    ]
    return sum(shares) / len(shares)


def _depth(row: TrainingRow, true: Mapping[str, frozenset[str]], parsed: _ParsedChain) -> float:
    """Whether it describes each sound and no other, describes it fully, takes a step, and ends with the answer."""
    criteria = (
        parsed.clauses.keys() == true.keys(),
        all(len(parsed.clauses.get(ordinal, ())) == len(words) for ordinal, words in true.items()),
        bool(parsed.step),
        parsed.conclusion == " ".join(_TOKEN.findall(row.answer.casefold())),
    )
    return sum(criteria) / len(criteria)


def _alike(reference: Words, words: Words) -> float:
    """Twice the longest common subsequence, as a share of both lengths."""
    if not reference and not words:
        return 1.0
    row = [0] * (len(words) + 1)
    for word in reference:
        above = 0
        for place, other in enumerate(words, 1):
            above, row[place] = row[place], above + 1 if word == other else max(row[place], row[place - 1])
    return 2 * row[-1] / (len(reference) + len(words))
