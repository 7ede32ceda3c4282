"""A prompt of a user's own, or of a model's authors: words with marks for the question and its options."""

from __future__ import annotations

import re

from dtbench.harness.core.schema import Prompt, Sample
from dtbench.harness.core.task import lay_out_options

PROMPT_MARKS = re.compile(r"\{(?P<what>question|options)(?::(?P<layout>plain|dotted|angled|inline|list))?\}")
"""Where the question and its options go in a prompt of a user's or of authors'."""


def fill_template(template: str, sample: Sample) -> Prompt:
    """Fill {question} and {options} into a prompt of the user's own; a line of marks for nothing falls away."""

    def fill(mark: re.Match[str]) -> str:
        return sample.question if mark["what"] == "question" else lay_out_options(sample.choices, mark["layout"])

    lines = [(line, PROMPT_MARKS.sub(fill, line)) for line in template.split("\n")]
    text = "\n".join(filled for line, filled in lines if filled.strip() or not line.strip())
    return Prompt(text, clips=sample.clips)
