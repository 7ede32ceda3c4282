"""What a recipe says of its rewards, checked before anything is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtbench.harness.core.arguments import known_settings
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.models.endpoint.settings import EndpointSettings

GUARDS = ("empty", "huge", "loop", "nothing new", "word salad", "copy", "instruction")
"""What rules a chain out, in the order in which it is looked for."""
EVENTS = "mini events"
"""The grader of the benchmark mini, which needs no model."""
NGRAMS = "ngrams"
"""Cosine of word n-grams, which needs no model."""
LONGEST_REPLY = 4096
"""Tokens of the evaluator: room for a model that thinks before it marks."""
WORDS, EVALUATOR = "words", "evaluator"


@dataclass(frozen=True, slots=True)
class Template:
    """The form that a completion has to have: a chain between tags, then the answer."""

    opening: str = "<reasoning>"
    closing: str = "</reasoning>"
    answer_opening: str = ""
    """What stands before the answer; empty: nothing."""
    answer_closing: str = ""
    longest_answer: int = 300
    """Characters of the answer; more is a second chain."""

    def __post_init__(self) -> None:
        """Refuse what no completion could be held against."""
        if not self.opening.strip() or not self.closing.strip() or self.opening == self.closing:
            raise UserError(
                f"template: opening {self.opening!r} and closing {self.closing!r} have to be two different tags."
            )
        if bool(self.answer_opening.strip()) != bool(self.answer_closing.strip()):
            raise UserError("template: answer_opening and answer_closing are given together, or neither is.")
        if self.longest_answer < 1:
            raise UserError(f"template: longest_answer = {self.longest_answer}: a number from 1 up is expected.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """How completions are rewarded; which rewards count how much is the recipe's."""

    template: Template = Template()
    task: str = ""
    """The task whose score is the accuracy; empty: the option's text."""
    consistency: str = EVALUATOR
    """Who says whether a chain supports its answer: `evaluator`, or `words`, by which it is read like any answer."""
    evaluator: str = ""
    """The endpoint that compares chains, its URL, or `mini events`."""
    evaluator_model: str | None = None
    """Its name there; not needed where only one is served."""
    evaluator_seed: int = 42
    evaluator_options: Mapping[str, Any] = field(default_factory=dict)
    """How it is asked, as -M says it of a model: `temperature`, `max_tokens`, `extra` for fields of one's own."""
    embedding: str = "BAAI/bge-m3"
    """A model of sentence-transformers (hub name, folder, `package:NAME/FOLDER`), the URL of one, or `ngrams`."""
    embedding_model: str | None = None
    """Its name at the endpoint."""
    embedding_weight: float = 0.5
    """How much of the hybrid reward is the embedding's."""
    cache: Path | None = None
    """The folder that keeps every verdict."""
    concurrency: int = 32
    """Most requests in flight."""
    attempts: int = 3
    """How often a verdict that cannot be read is asked for, and how often a request that failed is sent."""
    timeout: float = 120.0
    """Seconds for a request."""
    retry_budget: float = 60.0
    """Seconds that the waits between the attempts of one request may take in all."""
    max_failed: float = 0.02
    """The share of chains that may stay without a verdict; above it the stage stops."""
    price_per_million_prompt_tokens: float = 0.0
    """What they cost; 0: no cost is told."""
    price_per_million_completion_tokens: float = 0.0
    guards: tuple[str, ...] = GUARDS
    """Which guards hold; `copy` and `word salad` are for free words: leave them out where words are few."""
    min_words: int = 5
    """Of a chain; fewer are none."""
    max_chars: int = 9_999
    """Of a chain; the challenge takes fewer than 10,000."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if unknown := [name for name in self.guards if name not in GUARDS]:
            raise UserError(f"rewards: guards: unknown guard {unknown[0]!r}. {did_you_mean(unknown[0], GUARDS)}")
        if self.consistency not in {WORDS, EVALUATOR}:
            raise UserError(f"rewards: consistency = {self.consistency!r}: {WORDS!r} or {EVALUATOR!r} is expected.")
        if self.evaluator and self.evaluator != EVENTS and "://" not in self.evaluator:
            raise UserError(f"rewards: evaluator = {self.evaluator!r}: a URL or {EVENTS!r} is expected.")
        self.connection()
        self._refuse_outside("max_failed", self.max_failed, 0.0, 1.0)
        self._refuse_outside("embedding_weight", self.embedding_weight, 0.0, 1.0)
        for name in ("concurrency", "attempts", "min_words", "max_chars"):
            self._refuse_outside(name, getattr(self, name), 1, float("inf"))
        for name in (
            "timeout",
            "retry_budget",
            "price_per_million_prompt_tokens",
            "price_per_million_completion_tokens",
        ):
            self._refuse_outside(name, getattr(self, name), 0.0, float("inf"))

    @staticmethod
    def _refuse_outside(name: str, value: float, least: float, most: float) -> None:
        if not least <= value <= most:
            allowed = f"at least {least:g}" if most == float("inf") else f"{least:g} to {most:g}"
            raise UserError(f"rewards: {name} = {value:g}: {allowed} is expected.")

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; reward_settings() reads it back."""
        return {**dataclasses.asdict(self), "cache": None if self.cache is None else str(self.cache)}

    def connection(self) -> EndpointSettings:
        """How the evaluator is asked; a UserError for an option that there is not."""
        known = {one.name for one in dataclasses.fields(EndpointSettings)} - {"model", "seed", "n"}
        for name in self.evaluator_options:
            if name not in known:
                raise UserError(f"rewards: evaluator_options: unknown option {name!r}. {known_settings(name, known)}")
        usual = {
            "temperature": 0.0,
            "max_tokens": LONGEST_REPLY,
            "timeout": self.timeout,
            "reconnect_timeout": self.retry_budget,
        }
        return EndpointSettings(**{**usual, **self.evaluator_options, "model": self.evaluator_model})


def reward_settings(table: Mapping[str, Any]) -> RewardSettings:
    """The settings of a recipe's table, or of what plain() wrote; a UserError for a name or kind that is not known."""
    given = _checked(RewardSettings, table, "rewards")
    if "template" in given:
        given["template"] = Template(**_checked(Template, given["template"], "template"))
    if given.get("cache") is not None:
        given["cache"] = Path(given["cache"])
    if "guards" in given:
        given["guards"] = tuple(given["guards"])
    return RewardSettings(**given)


_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "float": (int, float),
    "Path | None": (str, Path, type(None)),
    "tuple[str, ...]": (list, tuple),
    "Template": (Mapping,),
    "Mapping[str, Any]": (Mapping,),
}


_NAMED = {"tuple[str, ...]": "a list of texts", "Template": "a table", "Mapping[str, Any]": "a table"}


def _checked(kind: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The table, once every name and kind in it is known."""
    fields = {one.name: str(one.type) for one in dataclasses.fields(kind)}
    for name, value in table.items():
        if name not in fields:
            raise UserError(f"{where}: unknown setting {name!r}. {known_settings(name, fields)}")
        allowed = _KINDS[fields[name]]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            wanted = _NAMED.get(fields[name], fields[name])
            raise UserError(f"{where}: {name} = {value!r}: {wanted} expected.")
    return dict(table)
