"""Scorers that need a server: a language model as the judge, or an embedding model. Their marks are a second pass.

`dtbench judge RUN` asks; until then an answer waits. An empty answer is asked about by nobody: it has no mark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from dtbench.harness.core.errors import UserError, short_repr
from dtbench.harness.core.schema import WAITING, Mark, Sample, unscorable
from dtbench.harness.score.scorers.answer_part import NO_GOLD, gold_answers

JUDGE_FIELDS = ("question", "answer", "response", "options", "letter", "code")
"""What stands for its value in the words of a judge, as {question}."""
NO_CHOICE = "it has fewer than two options, and an answer is to be nearest to one of several"
EMPTY = Mark(None, why="the answer is empty")
Unreadable = Literal["unjudged", "wrong"]


class Scale(NamedTuple):
    """The scores that a judge may give."""

    least: float
    most: float

    def mark(self, score: float) -> float:
        """Return a score as a mark: its share of the highest one."""
        return score / self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRule:
    """What a judge is asked about an answer, and how its reply is read."""

    prompt: str = ""
    """The words of the benchmark's authors; empty: dtbench's own."""
    system: str = ""
    right: Sequence[str] = ("CORRECT",)
    wrong: Sequence[str] = ("INCORRECT",)
    scale: Scale | None = None
    """Where the judge gives a score: the lowest and the highest."""
    verdict: str = ""
    """A regular expression whose one group is all of the verdict, as the authors' script takes it from a reply."""
    scores: Sequence[str] = ()
    """The names of several scores, each before a colon in the reply."""
    total: str = ""
    """The name of the score that counts; where the reply lacks it, their mean does."""
    absent: float | None = None
    """What a score counts that the reply lacks; None: the reply cannot be read."""
    unreadable: Unreadable = "unjudged"
    """What an answer is whose reply cannot be read, however often it is asked for."""
    model: str = ""
    """The authors' judge."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """How the authors' judge samples."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> JudgeRule:
        """Return the rule with these options; a UserError where a value is not allowed."""
        given = dict(options)
        for name in ("right", "wrong", "scores"):
            if isinstance(given.get(name), str):
                given[name] = (given[name],)
            elif name in given:
                given[name] = tuple(given[name])
        if given.get("scale") is not None:
            given["scale"] = _scale(given["scale"])
        rule = cls(**given)
        rule._check()
        return rule

    def _check(self) -> None:
        if self.prompt and (missing := [name for name in ("response",) if f"{{{name}}}" not in self.prompt]):
            raise _refusal("prompt", self.prompt, f"a text with {{{missing[0]}}}, where the answer goes, is expected")
        if self.unreadable not in {"unjudged", "wrong"}:
            raise _refusal("unreadable", self.unreadable, "unjudged or wrong is expected")
        if self.verdict:
            try:
                groups = re.compile(self.verdict).groups
            except re.error as error:
                raise _refusal("verdict", self.verdict, f"no regular expression ({error})") from None
            if groups != 1:
                raise _refusal("verdict", self.verdict, "a regular expression with one group is expected")
        if self.scale is None and (self.scores or self.total):
            raise _refusal("scores", list(self.scores), "name their scale as well, such as scale = [1, 5]")
        if self.scale is None and not (self.right and self.wrong):
            raise _refusal("right", list(self.right), "a word for right answers and one for wrong ones are expected")

    def as_json(self) -> dict[str, Any]:
        """Return what is not as always, for run.json."""
        default = JudgeRule()
        named = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in named.items()
            if value != getattr(default, name) and name not in {"prompt", "system", "model", "sampling"}
        }


def _scale(given: Any) -> Scale:
    try:
        least, most = map(float, given)
    except (TypeError, ValueError):
        least, most = math.nan, math.nan
    if not 0 <= least < most < math.inf:
        raise _refusal("scale", given, "the lowest and the highest score are expected, such as [1, 5]")
    return Scale(least, most)


def _refusal(option: str, value: object, expected: str) -> UserError:
    return UserError(f"scorer 'judge': {option} is {short_repr(value)}: {expected}.")


def judge(  # noqa: PLR0913 - the options of a rule
    sample: Sample,
    text: str,
    *,
    prompt: str = "",
    system: str = "",
    right: str | Sequence[str] = "CORRECT",
    wrong: str | Sequence[str] = "INCORRECT",
    scale: Sequence[float] | None = None,
    verdict: str = "",
    scores: Sequence[str] = (),
    total: str = "",
    absent: float | None = None,
    unreadable: str = "unjudged",
    model: str = "",
    sampling: Mapping[str, Any] | None = None,
) -> Mark:
    """Wait for a judge, which `dtbench judge RUN` asks whether the answer is right, or how good it is."""
    JudgeRule.of(
        {
            "prompt": prompt,
            "system": system,
            "right": right,
            "wrong": wrong,
            "scale": scale,
            "verdict": verdict,
            "scores": scores,
            "total": total,
            "absent": absent,
            "unreadable": unreadable,
            "model": model,
            "sampling": sampling or {},
        }
    )
    return _waiting(sample, text)


def embedding(sample: Sample, text: str, *, model: str = "") -> Mark:
    """Wait for an embedding model, which `dtbench judge RUN` asks for the option that the answer is nearest to."""
    if len(sample.choices) < 2:
        return unscorable(NO_CHOICE)
    return _waiting(sample, text)


def _waiting(sample: Sample, text: str) -> Mark:
    if not gold_answers(sample):
        return unscorable(NO_GOLD)
    return WAITING if text.strip() else EMPTY
