"""Parse a completion: its chain, its answer, and whether it has the form that the template asks for."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import NamedTuple

from dtbench.harness.core.scorer import Scorer
from dtbench.harness.extract.answer import Extraction, extract
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, set_weak_aside
from dtbench.harness.extract.tidy import own_turn
from dtbench.training.data.rows import TrainingRow
from dtbench.training.recipe.reward_settings import Template


class ParsedCompletion(NamedTuple):
    """A completion as the rewards read it."""

    extraction: Extraction
    formatted: bool
    """Whether it has the template's form to the letter."""
    correct: bool
    """By the task's own score."""

    @property
    def chain(self) -> str:
        """The chain of thought."""
        return self.extraction.thinking


class CompletionParts(NamedTuple):
    """The chain and the answer of a completion in the template's form."""

    chain: str
    answer: str


def split_completion(text: str, template: Template) -> CompletionParts | None:
    """Split a completion by its tags; None where it has another form."""
    match = _pattern(template).fullmatch(own_turn(text).strip())
    return None if match is None else CompletionParts(match["chain"].strip(), match["answer"].strip())


def parse_completion(row: TrainingRow, completion: str, template: Template, scorer: Scorer) -> ParsedCompletion:
    """Extract chain and answer without guessing, and score the answer as a run does."""
    parts = split_completion(completion, template)
    if parts is None:
        read = extract(completion, row.choices, template.chain)
    else:
        read = dataclasses.replace(extract(parts.answer, row.choices), thinking=parts.chain)
    extraction = set_weak_aside(read, DEFAULT_MIN_EVIDENCE)
    score = scorer.score(row.sample(), extraction)
    return ParsedCompletion(extraction, parts is not None, score.official.correct)


@functools.lru_cache(maxsize=16)
def _pattern(template: Template) -> re.Pattern[str]:
    """Compile a pattern for one chain, not empty, then an answer on one line; neither has a tag of the template."""
    tags = [tag.strip() for tag in dataclasses.astuple(template)[:4]]
    no_tag = f"(?!{'|'.join(re.escape(tag) for tag in tags if tag)})"
    # Two runs of spaces side by side would be tried in every way of parting them: a second and more for a long one.
    opening, closing, before, after = (rf"{re.escape(tag)}\s*" if tag else "" for tag in tags)
    chain = rf"(?P<chain>{no_tag}\S(?:{no_tag}.)*)"
    answer = rf"(?P<answer>(?=\S)(?:{no_tag}[^\n]){{1,{template.longest_answer}}}(?<=\S)\s*)"
    return re.compile(f"{opening}{chain}{closing}{before}{answer}{after}", re.DOTALL)
