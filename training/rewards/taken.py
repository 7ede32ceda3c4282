"""A completion taken apart: its chain, its answer, and whether it has the form that is asked for."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import NamedTuple

from dtbench.harness.extract import extract
from dtbench.harness.reading.tidy import own_turn
from dtbench.harness.schema import Extraction
from dtbench.harness.task import Task
from dtbench.training.rewards.settings import Template
from dtbench.training.rows import Row


class Taken(NamedTuple):
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


class Parts(NamedTuple):
    """Chain and answer of a completion in the template's form."""

    chain: str
    answer: str


def parts(text: str, template: Template) -> Parts | None:
    """Chain and answer; None where the form is another."""
    found = _form(template).fullmatch(own_turn(text))
    return None if found is None else Parts(found["chain"].strip(), found["answer"].strip())


def read(row: Row, completion: str, template: Template, task: Task) -> Taken:
    """The chain and the answer, read without guessing, and the task's verdict."""
    formed = parts(completion, template)
    if formed is None:
        extraction = extract(completion, row.choices)
    else:
        extraction = dataclasses.replace(extract(formed.answer, row.choices), thinking=formed.chain)
    score = task.score(row.sample(), extraction)
    return Taken(extraction, formed is not None, score.official.correct)


@functools.lru_cache(maxsize=16)
def _form(template: Template) -> re.Pattern[str]:
    """One chain that is not empty, then an answer on one line; no tag of the template within either."""
    tags = [tag for tag in dataclasses.astuple(template)[:4] if tag.strip()]
    no_tag = f"(?!{'|'.join(re.escape(tag.strip()) for tag in tags)})"
    opening, closing, before, after = (re.escape(tag.strip()) for tag in dataclasses.astuple(template)[:4])
    chain = rf"(?P<chain>\s*(?:{no_tag}\S)(?:{no_tag}.)*)"
    answer = rf"(?P<answer>(?:{no_tag}[^\n]){{1,{template.longest_answer}}})"
    return re.compile(rf"\s*{opening}{chain}{closing}\s*{before}\s*(?=\S){answer}\s*{after}\s*", re.DOTALL)
