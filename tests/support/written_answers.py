"""Answers written from templates, for tests that ask for the same reading whatever the form."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pytest

from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.evidence import set_weak_aside

MOST_SHOWN = 8
LETTERS = "ABCDEFGHIJ"


class Written(NamedTuple):
    """An output, the options it stands for, and what a careful reader says."""

    output: str
    choices: Sequence[str]
    expect: str | None


class Question(NamedTuple):
    """Options, and the places of those to write about."""

    choices: Sequence[str]
    places: Sequence[int]


LABELLED = (
    *("(@L) @T", "@L. @T", "@L) @T", "@L: @T", "@L - @T", "[@L] @T", "(@L): @T", "(@L). @T"),
    *("**@L. @T**", "**(@L) @T**", "**@L**. @T", "**@L)** @T", "*(@L) @T*", "`(@L) @T`", '"(@L) @T"'),
    *("The answer is (@L) @T.", "The answer is @L. @T", "The answer is: @L. @T", "The answer is **(@L) @T**."),
    *("The answer is: **@L) @T**", 'The answer is (@L) "@T".', "The answer is @L: @T.", "the answer is @T (@L)"),
    *("The answer is @T (@L).", "The correct answer is **@L. @T**.", "The correct answer is (@L) @T."),
    *("The correct answer is option (@L): @T.", "The correct option is **@L: @T**", "The correct choice is @L) @T."),
    *("So, the answer is (@L), @t.", "So the answer is @L, @t.", "Therefore, the correct option is (@L) @T."),
    *("Answer: (@L) @T", "Answer: @L. @T", "Answer: @L) @T", "Answer: @L - @T", "Answer: @L: @T", "Answer:\n@L. @T"),
    *("**Answer:** (@L) @T", "**Answer: @L. @T**", "**Answer**: @L) @T", "### Answer\n(@L) @T"),
    *("Final answer: @L) @T", "Final answer: (@L) @T", "**Final answer:** @L. @T", "Correct answer: @L. @T"),
    *("Option @L: @T", "Option (@L) @T", "Option @L. @T", "Option @L, @t.", "Choice @L: @T", "Option @L (@T)"),
    *("I choose (@L) @T.", "I would go with option @L: @T.", "My answer is (@L) @T.", "It is (@L) @T."),
    *("\\boxed{@L. @T}", "\\boxed{(@L) @T}", "\\boxed{\\text{(@L) @T}}", "The answer is $\\boxed{\\text{@L. @T}}$."),
    *("<answer>(@L) @T</answer>", "<answer>@L. @T</answer>", "<answer>\n@L: @T\n</answer>"),
    *('{"answer": "(@L) @T"}', '{"answer": "@L. @T"}', '```json\n{"answer": "@L: @T"}\n```'),
)
"""A letter and the text beside it; @L: the letter, @T: the option, @t: the option in small letters."""
SMALL_LABELS = (
    *("(@l) @T", "@l) @T", "@l. @T", "(@l) @t", "@l) @t", "**(@l) @T**", "**@l) @t**"),
    *("Answer: (@l) @T", "answer: @l) @t", "The answer is (@l) @T.", "The correct option is (@l) @t.", "Option @l) @t"),
    *("\\boxed{(@l) @T}", "<answer>(@l) @t</answer>"),
)
"""The same with small letters, where a bracket or a dot makes a label of them."""
LETTER_ALONE = (
    *("Answer: @L", "Answer: (@L)", "Answer: **@L**", "**Answer:** @L", "**Answer: @L**", "Final answer: @L", "(@L)"),
    *("The answer is @L.", "The answer is (@L).", "The answer is **@L**.", "The correct answer is @L.", "**@L**"),
    *("The correct option is (@L).", "So the answer is option @L.", "Therefore, the answer is (@L).", "Option @L"),
    *("The right choice is @L.", "I choose (@L).", "My answer is @L.", "\\boxed{@L}", "<answer>@L</answer>", "@L"),
    *("The answer is $\\boxed{@L}$.", '{"answer": "@L"}'),
)
TEXT_ALONE = ("The answer is @T.", "Answer: @T", "**Answer:** @T", "The correct answer is **@T**.", "\\boxed{@T}")
STATEMENTS = (
    *(
        "The answer is (@L).",
        "The answer is @L.",
        "The answer is (@L) @T.",
        "The answer is @L. @T.",
        "The answer is @T.",
    ),
    *("The correct answer is **@L**.", "The correct answer is **(@L) @T**.", "The correct option is **@L: @T**."),
    *("Answer: @L", "Answer: (@L) @T", "**Answer:** @T", "**Answer: @L. @T**", "Final answer: @L) @T"),
    *(
        "Therefore, the answer is (@L).",
        "So the correct choice is option @L.",
        "I choose (@L) @T.",
        "My answer is (@L).",
    ),
)
"""Sentences that name the answer outright and can stand within a text."""
SENTENCES = (
    *(
        "The second tone is louder.",
        "The window is larger.",
        "The melody rises by a fifth.",
        "The clip lasts a minute.",
    ),
    *("Speech can be heard over soft music.", "This follows from the rhythm of the drums."),
)
CLAUSES = (
    *(", because the second tone is louder.", " - the second tone is louder.", ", as the melody rises by a fifth."),
    *(", since speech can be heard over soft music.", ", which follows from the rhythm of the drums."),
)
PARAGRAPHS = (
    "\n\nThe second tone is louder.",
    "\n\nExplanation: The melody rises by a fifth.",
    "\n\n**Explanation:** Speech can be heard over soft music.",
    "\n\nReasoning:\n- The second tone is louder.\n- The melody rises by a fifth.",
)
CLOSED = ("}", ">", "`", "$.", '"')


def fill(form: str, place: int, text: str) -> str:
    """Write a form for the option at a place."""
    letter = LETTERS[place]
    said = form.replace("@T", text).replace("@t", text[:1].lower() + text[1:])
    return said.replace("@L", letter).replace("@l", letter.lower())


def with_sentence(said: str, sentence: str) -> str:
    """Let a sentence follow, on a line of its own where the form is closed by a mark."""
    if said.endswith((".", "!", "?")):
        return f"{said} {sentence}"
    return f"{said}\n{sentence}" if said.endswith((*CLOSED, "*")) or said.startswith("#") else f"{said}. {sentence}"


def with_clause(said: str, clause: str) -> str | None:
    """Let a clause follow; None where the form is closed by a mark."""
    return None if said.endswith(CLOSED) or said.startswith("#") else f"{said.rstrip('.')}{clause}"


def continued(said: str, seed: str) -> list[str]:
    """Return a text alone, followed by a sentence or a paragraph, and by a clause; each drawn by the seed."""
    draw = random.Random(seed + said)
    clause = with_clause(said, draw.choice(CLAUSES))
    longer = draw.choice([with_sentence(said, draw.choice(SENTENCES)), said + draw.choice(PARAGRAPHS)])
    return [said, longer, *([] if clause is None else [clause])]


def all_continued(form: str, questions: Iterable[Question]) -> list[Written]:
    """Write a form for every place of the questions, alone and continued."""
    return [
        Written(output, question.choices, question.choices[place])
        for question in questions
        for place in question.places
        for output in continued(fill(form, place, question.choices[place]), form)
    ]


def some_continued(form: str, questions: Iterable[Question]) -> list[Written]:
    """Write a form for every place of the questions, alone or continued, as drawn by the form."""
    return a_third(all_continued(form, questions))


def a_third(cases: Sequence[Written]) -> list[Written]:
    """Draw a third of the cases, always the same ones."""
    return random.Random(cases[0].output).sample(cases, len(cases) // 3)


def check(cases: Sequence[Written], min_evidence: str = "inferred") -> None:
    """Assert that each case is read as expected, weaker evidence set aside, and show those that are not."""
    assert cases
    wrong = []
    for case in cases:
        read = set_weak_aside(extract(case.output, case.choices), min_evidence)
        if read.choice != case.expect:
            wrong.append(f"{case.output!r} of {case.choices}: {read.choice!r} ({read.how}), expected {case.expect!r}")
    if wrong:
        shown = [f"{len(wrong)} of {len(cases)} are read otherwise:", *wrong[:MOST_SHOWN]]
        pytest.fail("\n".join(shown), pytrace=False)
