"""A chain is edited so that the rule of its own question leads to another option, and nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dtbench.harness.core.schema import Sample
from dtbench.tasks.mini import Mini
from dtbench.tasks.mini_world.chain_edits import edit_chain, read_conclusion, read_sounds
from dtbench.tasks.mini_world.events import SoundFacts, describe_sounds

SAMPLES: Sequence[Sample] = list(Mini().samples(None))[:300]


def differing(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one.split(), other.split(), strict=True))


def test_every_description_of_the_benchmark_is_read_back_to_its_sounds() -> None:
    for sample in SAMPLES:
        description = sample.item["description"]
        sounds = read_sounds(description)
        assert sounds is not None
        assert describe_sounds(sounds) == description
        assert [sound.kind for sound in sounds] == [event["kind"] for event in sample.item["events"]]


@pytest.mark.parametrize(
    "words",
    [
        "i hear first loud tone .",
        "i hear second loud short low tone .",
        "i hear first loud short low tone",
        "i hear first loud short low tone bell .",
        "i hear nothing .",
        "",
    ],
)
def test_a_description_in_other_words_is_none(words: str) -> None:
    assert read_sounds(words) is None


def test_nearly_every_reference_chain_has_both_edits_and_each_leads_to_another_option() -> None:
    edited = 0
    for sample in SAMPLES:
        edits = {edit.kind: edit for edit in edit_chain(sample.item, sample.item["thinking"])}
        edited += len(edits) == 2
        for edit in edits.values():
            assert edit.option in sample.choices
            assert edit.option != sample.answer
            assert edit.text != edit.unchanged
            assert sample.item["thinking"].startswith(edit.unchanged)
    assert edited > 0.95 * len(SAMPLES)


def test_the_edited_description_is_another_clip_whose_reference_chain_ends_with_the_target() -> None:
    only = next(sample for sample in SAMPLES if sample.question == "which way does the second sound go ?")
    description, step = edit_chain(only.item, only.item["thinking"])
    assert {only.answer, description.option} == {"up", "down"}
    assert differing(description.text, description.unchanged) == 1
    assert description.text.replace("chirp up", "chirp down") == description.unchanged.replace("chirp up", "chirp down")
    assert (step.option, differing(step.text, step.unchanged)) == (description.option, 1)
    assert step.text.startswith(only.item["description"])
    assert step.text.endswith(f"second is {step.option}")


def test_where_no_single_change_will_do_two_sounds_exchange_a_quality() -> None:
    only = next(sample for sample in SAMPLES if sample.question == "which sound is the only loud one ?")
    description = edit_chain(only.item, only.item["thinking"])[0]
    before, after = (read_sounds(words) for words in (description.unchanged, description.text))
    assert before is not None
    assert after is not None
    assert sorted(sound.level for sound in before) == sorted(sound.level for sound in after)
    assert differing(description.text, description.unchanged) == 2


def test_edits_are_the_same_at_every_call_and_differ_between_questions() -> None:
    assert [edit_chain(one.item, one.item["thinking"]) for one in SAMPLES[:20]] == [
        edit_chain(one.item, one.item["thinking"]) for one in SAMPLES[:20]
    ]


def test_a_chain_that_contradicts_itself_is_not_edited() -> None:
    sample = SAMPLES[0]
    other = next(choice for choice in sample.choices if choice != sample.answer)
    chain = sample.item["thinking"].replace(f"answer is {sample.answer}", f"answer is {other}")
    assert edit_chain(sample.item, chain) == ()
    assert edit_chain(sample.item, sample.item["description"]) == ()
    assert edit_chain(sample.item, "i guess . so the answer is 2") == ()


def test_a_chain_that_leaves_its_first_words_out_is_edited_alike_in_its_own_form() -> None:
    for sample in SAMPLES[:20]:
        whole = sample.item["thinking"]
        edits = [(edit.kind, f"i hear {edit.text}", edit.option) for edit in edit_chain(sample.item, whole[7:])]
        assert edits == [(edit.kind, edit.text, edit.option) for edit in edit_chain(sample.item, whole)]


def test_a_chain_without_its_step_has_an_edited_description_alone() -> None:
    sample = SAMPLES[0]
    chain = f"{sample.item['description']} so the answer is {sample.answer}"
    assert [edit.kind for edit in edit_chain(sample.item, chain)] == ["description"]


def test_what_a_chain_concludes_is_what_it_says_last() -> None:
    assert read_conclusion("the answer is 2 . no , so the answer is 3") == "3"
    assert read_conclusion("i hear first loud short noise .") == ""


def test_a_sound_is_read_with_the_qualities_of_its_kind() -> None:
    assert read_sounds("i hear first 3 soft low beeps , second loud long chirp up .") == (
        SoundFacts("beeps", "soft", pitch="low", beeps=3),
        SoundFacts("chirp", "loud", "long", way="up"),
    )
