"""Settings of the rewards: a recipe's table [rewards], checked before anything is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.typed_settings import at_least, between, check_settings, read_table
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.models.endpoint.settings import EndpointSettings

Guard = Literal["empty", "huge", "loop", "nothing new", "word salad", "copy", "instruction"]
GUARDS: tuple[Guard, ...] = get_args(Guard)
"""Why a chain is rejected, in the order in which it is looked for."""
JUDGE = "judge"
"""The evaluator that the recipe's table [judge] describes."""
EVENTS = "mini events"
"""The grader of the benchmark mini, which needs no model."""
WORD_COUNT = "word count"
"""The grader that counts a chain's words and looks at nothing else: one that is easily hacked, for experiments."""
NO_MODEL = frozenset({"", EVENTS, WORD_COUNT})
"""Evaluators that are no language model; empty: there is none at all."""
NGRAMS = "ngrams"
"""Cosine of word n-grams, which needs no model."""
LONGEST_REPLY = 4096
"""Tokens of the evaluator: room for a model that thinks before it marks."""


@dataclass(frozen=True, slots=True)
class Template:
    """The form of a completion: a chain between tags, then the answer."""

    opening: str = "<reasoning>"
    closing: str = "</reasoning>"
    answer_opening: str = ""
    """The text before the answer; empty for none."""
    answer_closing: str = ""
    longest_answer: Annotated[int, at_least(1)] = 300
    """Characters of the answer; a longer one is a second chain."""

    @property
    def chain(self) -> ChainTags:
        """The tags around the chain, without the blanks around them."""
        return ChainTags(self.opening.strip(), self.closing.strip())

    def __post_init__(self) -> None:
        """Refuse a template that no completion can fit."""
        check_settings(self, "template:")
        if not self.opening.strip() or not self.closing.strip() or self.opening == self.closing:
            raise UserError(
                f"template: opening {self.opening!r} and closing {self.closing!r} must be two different tags."
            )
        if bool(self.answer_opening.strip()) != bool(self.answer_closing.strip()):
            raise UserError("template: set both answer_opening and answer_closing, or neither.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSettings:
    """How each reward is computed; a stage of the recipe says which of them count, and their weights."""

    template: Template = Template()
    task: str = ""
    """The task whose scorer decides the accuracy; empty: the answer has to be the text of the right option."""
    consistency: Literal["words", "evaluator"] = "evaluator"
    """Who says whether a chain supports its answer: the evaluator, or `words`: the chain's own last words are read."""
    evaluator: str = ""
    """What compares chains: the URL of an endpoint, `judge` for the model of the recipe's [judge], or a grader.

    Graders are no models: `mini events` and `word count`.
    """
    evaluator_model: str | None = None
    """The name of the model there; not needed where the endpoint serves only one."""
    grader_noise: Annotated[float, between(0, 1)] = 0.0
    """The probability with which a verdict of the evaluator is replaced by one drawn at random."""
    evaluator_seed: int = 42
    evaluator_options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of that endpoint by the names of -M: `temperature`, `max_tokens`, `extra` for fields of one's own."""
    embedding: str = "BAAI/bge-m3"
    """A model of sentence-transformers (hub name, folder, `package:NAME/FOLDER`), the URL of one, or `ngrams`."""
    embedding_model: str | None = None
    """The name of the embedding model at its endpoint."""
    embedding_weight: Annotated[float, between(0, 1)] = 0.5
    """Weight of the embedding in the hybrid reward; the rest is the evaluator's."""
    cache: Path | None = None
    """The folder that keeps every verdict; None in a recipe: `verdicts` in the folder of the training."""
    concurrency: Annotated[int, at_least(1)] = 32
    """The most requests in flight."""
    attempts: Annotated[int, at_least(1)] = 3
    """The most requests for one verdict, after failures and after replies that cannot be read alike."""
    timeout: Annotated[float, at_least(0)] = 120.0
    """Seconds for a request."""
    retry_budget: Annotated[float, at_least(0)] = 60.0
    """Seconds that the waits between the attempts of one request may sum up to."""
    max_failed: Annotated[float, between(0, 1)] = 0.02
    """The share of chains that may stay without a verdict; above it the stage stops."""
    price_per_million_prompt_tokens: Annotated[float, at_least(0)] = 0.0
    """Of the evaluator; with 0 no cost is reported."""
    price_per_million_completion_tokens: Annotated[float, at_least(0)] = 0.0
    guards: tuple[Guard, ...] = GUARDS
    """Which guards are active; `copy` and `word salad` are for free text: leave them out where words are few."""
    min_words: Annotated[int, at_least(1)] = 5
    """The shortest chain; a shorter one counts as none."""
    max_chars: Annotated[int, at_least(1)] = 9_999
    """The longest chain; the challenge takes fewer than 10,000 characters."""

    def __post_init__(self) -> None:
        """Refuse values out of range, and options of the evaluator that there are not."""
        check_settings(self, "rewards:")
        if self.evaluator not in NO_MODEL | {JUDGE} and "://" not in self.evaluator:
            raise UserError(
                f"rewards: evaluator = {self.evaluator!r}: a URL, {JUDGE!r}, {EVENTS!r} or {WORD_COUNT!r} is expected."
            )
        if self.grader_noise and not self.evaluator:
            raise UserError(
                f"rewards: grader_noise = {self.grader_noise:g}: no evaluator is named whose verdicts it could replace."
            )
        self.connection()

    def plain(self) -> dict[str, Any]:
        """Return the settings as values of JSON; reward_settings() reads them back."""
        return {**dataclasses.asdict(self), "cache": None if self.cache is None else str(self.cache)}

    def connection(self) -> EndpointSettings:
        """Return the settings of the evaluator's endpoint."""
        defaults = {
            "temperature": 0.0,
            "max_tokens": LONGEST_REPLY,
            "timeout": self.timeout,
            "reconnect_timeout": self.retry_budget,
        }
        table = {**defaults, **self.evaluator_options}
        settings = read_table(EndpointSettings, table, "rewards: evaluator_options", besides=("model", "seed", "n"))
        return dataclasses.replace(settings, model=self.evaluator_model)


def reward_settings(table: Mapping[str, Any]) -> RewardSettings:
    """Read the settings of a recipe's table, or of what plain() returned."""
    return read_table(RewardSettings, table, "rewards")
