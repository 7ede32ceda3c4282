"""The prompts of the three models. The words are ours: those of the paper are not published."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.task import letter_options
from dtbench.training.data.rows import TrainingRow

_MARK = re.compile(r"\{(caption|question|options|answer)\}")
CAPTION = """\
Describe this recording for somebody who cannot hear it. Say what sounds there are and in which order; who speaks, \
how, and what is said; which instruments play, and how; how loud, how fast and how far away things are; and in what \
kind of place it may be. Say only what can be heard. Plain sentences, no headings."""
WRITER = """\
You write questions for listeners from a written account of a recording. The account is all you know, and nobody who \
is asked will see it."""
QUESTION = """\
Account of the recording:
{caption}

Write one question that takes several steps of thought about what is heard, not the reading of one word. Give four \
options of the same kind and about the same length, of which one is right and the others could be believed. The \
question must not give the answer away, and must not speak of an account or a description.
Reply with one JSON object and nothing else:
{"question": "...", "choices": ["...", "...", "...", "..."], "answer": "one of the choices, word for word"}"""
REASONER = """\
You write down how an attentive listener gets from a recording to an answer. You have an account of what is heard and \
the right answer. The listener has neither: write as if you heard it, and never mention an account, a description, or \
that you know the answer."""
CHAIN = """\
What is heard:
{caption}

Question: {question}
{options}
The right answer, which the listener does not know yet: {answer}

Write the listener's reasoning in 60 to 180 words of plain sentences. Plan what to listen for; name what is heard that \
matters; draw one conclusion after the other, and rule out the options that do not fit. What the account does not hold \
was not heard. End with this sentence, word for word: So the answer is {answer}."""
PROMPTS = {"caption": CAPTION, "question": f"{WRITER}\n---\n{QUESTION}", "chain": f"{REASONER}\n---\n{CHAIN}"}


def caption_prompt(row: TrainingRow, seed: int) -> Prompt:
    """The clip, and nothing that is known of it."""
    return Prompt(CAPTION, row.audio, id=row.id, seed=seed)


def question_prompt(row: TrainingRow, caption: str, seed: int) -> Prompt:
    """The caption, for a question."""
    return Prompt(_fill(QUESTION, caption=caption), row.audio, system=WRITER, id=row.id, seed=seed)


def chain_prompt(row: TrainingRow, caption: str, seed: int) -> Prompt:
    """Caption, question and answer, for a chain."""
    options = letter_options(row.choices)
    text = _fill(CHAIN, caption=caption, question=row.question, options=options, answer=row.answer)
    return Prompt(text, row.audio, system=REASONER, id=row.id, seed=seed)


def words_hash(names: Sequence[str]) -> str:
    """Twelve digits that differ where the words of these steps do."""
    return hashlib.sha256("\0".join(PROMPTS[name] for name in names).encode()).hexdigest()[:12]


def _fill(template: str, **fill: str) -> str:
    """Fill in the marks, and leave marks in the filling as they are."""
    return _MARK.sub(lambda mark: fill[mark[1]], template)
