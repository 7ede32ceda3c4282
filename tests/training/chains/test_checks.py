"""What models write for training data: taken, or turned away with the reason."""

from __future__ import annotations

import json

import pytest
from chains import GOOD, ROW

from dtbench.training.chains.checks import Rejected, parse_caption, parse_chain, parse_question
from dtbench.training.data.rows import TrainingRow

CHAIN = f"{GOOD} So the answer is a person arrives."
DRAFT = TrainingRow("d1", ROW.audio, "", (), "", source="drafts")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GOOD, ""),
        ("A quiz show: the host asks a question, a buzzer sounds, and somebody answers slowly.", ""),
        ("<think>The answer is A.</think>Boots come near over gravel, slowly, and a dog growls twice.", ""),
        ("Boots.", "1 words, 8 to 500 are expected"),
        ("", "0 words, 8 to 500 are expected"),
        (
            "Boots come near over gravel and a dog growls, so the correct answer is a person.",
            "an answer in the caption",
        ),
        ("Boots come near over gravel and a dog growls. Option B fits this recording.", "an answer in the caption"),
        ("Boots come near over gravel and a dog growls, as in the given options.", "an answer in the caption"),
        ("boots " * 600, "600 words"),
    ],
)
def test_a_caption_that_knows_of_answers_is_turned_away(text: str, why: str) -> None:
    caption = parse_caption(text)
    assert caption.why.startswith(why) if isinstance(caption, Rejected) else why == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (CHAIN, ""),
        (GOOD.partition(" That fits")[0], "it draws no conclusion"),
        (f"The notes of the flute rise, and a description is called out. {CHAIN}", ""),
        (f"{GOOD.replace('so a person arrives', 'so nobody knows')} So the answer is a car leaves.", "it contradicts"),
        ("Boots come near. So the answer is a person arrives.", "10 words, 25 to 400 are expected"),
        (f"{GOOD} {'It goes on. ' * 200}So the answer is a person arrives.", "6"),
        (f"According to the account, a dog growls. {CHAIN}", "it speaks of what it was given"),
        (f"The notes say that a dog growls. {CHAIN}", "it speaks of what it was given"),
        (f"I was told that it is a person. {CHAIN}", "it speaks of what it was given"),
        (f"The given answer fits. {CHAIN}", "it speaks of what it was given"),
        (
            "What happens in the recording? A person arrives, or a car leaves, or a storm begins, or a bird sings. "
            "A person arrives in the recording. So the answer is a person arrives.",
            "it says nothing but the question",
        ),
        (f"{'The boots come nearer over it. ' * 14}So the answer is a person arrives.", "it goes round in a circle"),
    ],
)
def test_a_chain_has_to_end_where_the_answer_is_and_to_reason_as_a_listener(text: str, why: str) -> None:
    chain = parse_chain(text, ROW)
    assert chain.why.startswith(why) if isinstance(chain, Rejected) else (why, chain) == ("", text)


ASKED = {"question": "Who comes home?", "choices": ["a guest", "an owner", "a thief", "a dog"], "answer": "an owner"}


def test_a_question_is_taken_and_its_options_are_put_in_an_order_of_the_rows_own() -> None:
    places = set()
    for number in range(40):
        row = parse_question(f"```json\n{json.dumps(ASKED)}\n```", TrainingRow(f"d{number}", ROW.audio, "", (), ""))
        assert isinstance(row, TrainingRow)
        assert (row.question, row.answer, set(row.choices)) == ("Who comes home?", "an owner", set(ASKED["choices"]))
        places.add(row.choices.index("an owner"))
    assert places == {0, 1, 2, 3}
    assert parse_question(json.dumps(ASKED), DRAFT) == parse_question(json.dumps(ASKED), DRAFT)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"answer": "the owner"}, "its answer is none of its choices"),
        ({"choices": ["an owner"]}, "its choices are not three to six"),
        ({"choices": ["an owner", "An owner", "a thief"]}, "its choices are not three to six"),
        ({"choices": ["an owner", 3, "a thief"]}, "its choices are not three to six"),
        ({"choices": "an owner"}, "its question or its choices are missing"),
        ({"question": ""}, "its question or its choices are missing"),
        (
            {"question": "The account states that a door opens: who comes home?"},
            "the question speaks of what it was written from",
        ),
        ({"question": "An owner comes home: who is it?"}, "the question holds its answer"),
    ],
)
def test_a_question_that_cannot_be_used_is_turned_away(change: dict[str, object], why: str) -> None:
    rejected = parse_question(json.dumps({**ASKED, **change}), DRAFT)
    assert isinstance(rejected, Rejected)
    assert rejected.why.startswith(why)


def test_no_json_is_no_question() -> None:
    assert parse_question("Who comes home? The owner.", DRAFT) == Rejected("no JSON object with a question")
