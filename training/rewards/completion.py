"""A completion taken apart: its chain, its answer, and whether it has the form that is asked for."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import NamedTuple

from dtbench.harness.core.scorer import Scorer
from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.extraction import Extraction
from dtbench.harness.extract.tidy import own_turn
from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards.settings import Template


class ParsedCompletion(NamedTuple):
    """What a completion says."""

    extraction: Extraction
    formatted: bool
    """Whether it has the template's form to the letter."""
    right: bool
    """By the task's own score."""

    @property
    def chain(self) -> str:
        """The chain of thought."""
        return self.extraction.thinking


class CompletionParts(NamedTuple):
    """Chain and answer of a completion in the template's form."""

    chain: str
    answer: str


def parts(text: str, template: Template) -> CompletionParts | None:
    """Chain and answer; None where the form is another."""
    found = _form(template).fullmatch(own_turn(text).strip())
    return None if found is None else CompletionParts(found["chain"].strip(), found["answer"].strip())


def read(row: TrainingRow, completion: str, template: Template, scorer: Scorer) -> ParsedCompletion:
    """The chain and the answer, read without guessing, and the task's verdict."""
    formed = parts(completion, template)
    if formed is None:
        extraction = extract(completion, row.choices)
    else:
        extraction = dataclasses.replace(extract(formed.answer, row.choices), thinking=formed.chain)
    score = scorer.score(row.sample(), extraction)
    return ParsedCompletion(extraction, formed is not None, score.official.correct)


@functools.lru_cache(maxsize=16)
def _form(template: Template) -> re.Pattern[str]:
    """One chain that is not empty, then an answer on one line; no tag of the template within either."""
    tags = [tag.strip() for tag in dataclasses.astuple(template)[:4]]
    no_tag = f"(?!{'|'.join(re.escape(tag) for tag in tags if tag)})"
    # Two runs of spaces side by side would be tried in every way of parting them: a second and more for a long one.
    opening, closing, before, after = (rf"{re.escape(tag)}\s*" if tag else "" for tag in tags)
    chain = rf"(?P<chain>{no_tag}\S(?:{no_tag}.)*)"
    answer = rf"(?P<answer>(?=\S)(?:{no_tag}[^\n]){{1,{template.longest_answer}}}(?<=\S)\s*)"
    return re.compile(f"{opening}{chain}{closing}{before}{answer}{after}", re.DOTALL)
