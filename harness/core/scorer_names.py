"""The scorers by name: built-in ones, those of installed packages, and functions by their path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dtbench.harness.core.errors import TaskError, UserError, did_you_mean
from dtbench.harness.core.lookup import NameTable, list_names, look_up
from dtbench.harness.core.marks import ScoringFunction, TaskScorer

SCORERS = {
    "text": "dtbench.harness.score.scorers.options:option_text",
    "letter": "dtbench.harness.score.scorers.options:option_letter_given",
    "exact": "dtbench.harness.score.scorers.words:exact",
    "contains": "dtbench.harness.score.scorers.words:contains",
    "number": "dtbench.harness.score.scorers.numbers:number",
    "list": "dtbench.harness.score.scorers.sequences:listed",
    "regex": "dtbench.harness.score.scorers.filters:regex",
    "wer": "dtbench.harness.score.scorers.sequences:word_errors",
    "cer": "dtbench.harness.score.scorers.sequences:sign_errors",
    "instruction": "dtbench.harness.score.scorers.published:instruction",
    "closed-answer": "dtbench.harness.score.scorers.published:closed_answer",
    "muchomusic": "dtbench.harness.score.scorers.published:muchomusic_mark",
    "trea": "dtbench.harness.score.scorers.published:trea_mark",
    "star-bench": "dtbench.harness.score.scorers.published:star_bench_mark",
    "voicebench": "dtbench.harness.score.scorers.published:voicebench_mark",
    "judge": "dtbench.harness.score.scorers.judging:judge",
    "embedding": "dtbench.harness.score.scorers.judging:embedding",
}
"""Paths, as of everything in a table: the functions stand above this room."""
ENTRY_POINTS = "dtbench.scorers"
"""The entry point group of packages that bring scorers."""
_NAMES = NameTable("scorer", SCORERS, ENTRY_POINTS, TaskError)


def find_scorer(name: str) -> ScoringFunction:
    """Return the scoring function of this name; a UserError that names those that there are."""
    value, target = look_up(_NAMES, name)
    if not callable(value):
        raise UserError(f"scorer {name!r}: {target} is {type(value).__name__}, and a function is expected.")
    return value


def scorer_names() -> list[str]:
    """List every name of a scorer, built-in ones first."""
    return list_names(_NAMES)


def make_scorer(
    rule: str | ScoringFunction,
    *,
    name: str = "",
    when: Mapping[str, Any] = MappingProxyType({}),
    options: Mapping[str, Any] = MappingProxyType({}),
) -> TaskScorer:
    """Make a scorer of a function or its name: built in, of an installed package, or `module:function`."""
    found = find_scorer(rule) if isinstance(rule, str) else rule
    if not callable(found):
        raise UserError(f"scorer {rule!r} is {type(found).__name__}, and a function of (sample, text) is expected.")
    known = rule if isinstance(rule, str) else getattr(rule, "__name__", type(rule).__name__)
    _refuse_options(found, known, options)
    return TaskScorer(name or known.rpartition(":")[2], found, dict(options), dict(when), known)


def as_scorers(given: object) -> list[TaskScorer]:
    """Return one scorer or several, given by name, as functions or ready-made; each name stands once."""
    several: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    if not several:
        raise UserError("scorer is an empty list: name one, such as 'exact', or leave scorer out.")
    made = [one if isinstance(one, TaskScorer) else make_scorer(one) for one in several]
    names = [one.name for one in made]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(
            f"two scorers are named {twice!r}: give one another name, as in make_scorer(..., name='other')."
        )
    return made


def _refuse_options(function: ScoringFunction, name: str, options: Mapping[str, Any]) -> None:
    """Raise a UserError for an option that the function does not take, or one that it needs and does not get."""
    import inspect

    try:
        taken = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # one that does not tell
        return
    if any(one.kind is one.VAR_KEYWORD for one in taken):
        return
    known = {one.name: one for one in taken[2:] if one.kind in {one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD}}
    for option in options:
        if option not in known:
            hint = did_you_mean(option, known) if known else "It takes no options."
            raise UserError(f"scorer {name!r}: it has no option {option!r}. {hint}")
    needed = [one.name for one in known.values() if one.default is one.empty and one.name not in options]
    if needed:
        raise UserError(f"scorer {name!r}: it needs the option {needed[0]!r}.")
