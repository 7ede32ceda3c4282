"""The questions of mini-hop and mini-lure: steps to the answer, pairs that are held out, a cue that misleads."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from perfect_ears import heard

from dtbench.harness.core.dataset import Dataset
from dtbench.tasks.data.sources import PUBLISHED_CONTENT
from dtbench.tasks.mini import VERSION
from dtbench.tasks.mini_world.criteria import COUNT, criteria_met
from dtbench.tasks.mini_world.events import VOCABULARY, SoundFacts
from dtbench.tasks.mini_world.hops import HELD_OUT, REASONED, TWO_STEPS, hop_question
from dtbench.tasks.mini_world.items import Item, make_item
from dtbench.tasks.mini_world.resolve import solve_described
from dtbench.tasks.mini_world.scales import SeededRandom
from dtbench.tasks.mini_world.splits import SPLITS, slots
from dtbench.tasks.registry import get_task
from dtbench.training.mini.examples import Teacher
from dtbench.training.mini.language import WORDS

NAMES = ("hop-test", "hop-train-1", "hop-train-2", "lure-test", "lure-train")
CLIP = (
    SoundFacts("beeps", "loud", pitch="low", beeps=3),
    SoundFacts("tone", "soft", "long", "mid"),
    SoundFacts("beeps", "soft", pitch="high", beeps=5),
    SoundFacts("noise", "loud", "short"),
)


@pytest.fixture(scope="module")
def worlds() -> Mapping[str, Sequence[Item]]:
    return {name: [make_item(slot) for slot in slots(name)] for name in NAMES}


def test_splits_have_the_sizes_that_they_tell(worlds: Mapping[str, Sequence[Item]]) -> None:
    assert {name: len(items) for name, items in worlds.items()} == {name: SPLITS[name].size for name in NAMES}
    assert [len(worlds[name]) for name in NAMES] == [3024, 2304, 2592, 3120, 2400]


@pytest.mark.parametrize(
    ("steps", "quality", "text", "answer", "step"),
    [
        (("after",), "level", "how loud is the sound right after the tone ?", "soft", "after is third . third is soft"),
        (("only",), "length", "how long is the only noise ?", "short", "only is fourth . fourth is short"),
        (("end",), "beeps", "how many beeps does the last beeps have ?", "5", "last is third . third has 5"),
        (
            ("end", "before"),
            "pitch",
            "what is the pitch of the sound right before the last beeps ?",
            "mid",
            "first beeps , second tone , third beeps , fourth noise . last is third . before is second . second is mid",
        ),
    ],
)
def test_a_question_leads_step_by_step_to_its_answer(
    steps: tuple[str, ...], quality: str, text: str, answer: str, step: str
) -> None:
    drawn = (hop_question(SeededRandom(f"{seed}"), steps=steps, quality=quality) for seed in range(200))
    question = next(one for one in drawn if one.text == text)
    solution = question.solve(CLIP)
    assert solution is not None
    assert (solution.answer, question.depth, question.pair) == (answer, 1 + len(steps), (steps[-1], quality))
    assert solution.step.endswith(step)


def test_what_cannot_be_asked_has_no_answer() -> None:
    for seed in range(100):
        question = hop_question(SeededRandom(f"{seed}"), steps=("only",), quality="level")
        if "only beeps" in question.text or "only chirp" in question.text:
            assert question.solve(CLIP) is None, question.text


def test_training_asks_no_pair_that_is_held_out_and_the_test_asks_all(worlds: Mapping[str, Sequence[Item]]) -> None:
    pairs = {name: {item.pair for item in items} - {None} for name, items in worlds.items()}
    assert pairs["hop-test"] == set(TWO_STEPS)
    assert len(HELD_OUT) == 4
    assert pairs["hop-train-1"] == pairs["hop-train-2"] == set(TWO_STEPS) - HELD_OUT
    assert set(REASONED) < set(TWO_STEPS) - HELD_OUT
    assert [sorted({item.depth for item in worlds[name]}) for name in NAMES] == [
        [1, 2, 3],
        [1, 2],
        [2, 3],
        [1, 2],
        [1, 2],
    ]


def test_every_held_out_pair_holds_out_another_step_and_another_quality() -> None:
    assert len({step for step, _ in HELD_OUT}) == len({quality for _, quality in HELD_OUT}) == 4


def test_places_are_even_but_in_the_training_split_of_the_lure(worlds: Mapping[str, Sequence[Item]]) -> None:
    for name, items in worlds.items():
        for options in (2, 3, 4):
            places = Counter(item.choices.index(item.solution.answer) for item in items if len(item.choices) == options)
            shares = [places[place] / places.total() for place in range(options)]
            expected = (
                [0.75, *[0.25 / (options - 1)] * (options - 1)] if name == "lure-train" else [1 / options] * options
            )
            assert shares == pytest.approx(expected, abs=0.015), name


def test_a_clip_of_a_test_is_in_no_split_for_training(worlds: Mapping[str, Sequence[Item]]) -> None:
    residues = {name: {item.events[0].span.start % 4 for item in items} for name, items in worlds.items()}
    assert residues == {"hop-test": {0}, "hop-train-1": {1}, "hop-train-2": {2}, "lure-test": {0}, "lure-train": {1}}
    clips = Counter(item.events for items in worlds.values() for item in items)
    assert set(clips.values()) == {1}


def test_chains_lead_to_the_answer_in_words_that_the_model_knows(worlds: Mapping[str, Sequence[Item]]) -> None:
    for items in worlds.values():
        for item in items:
            record = item.as_published()
            assert item.chain.endswith(f"so the answer is {item.solution.answer}")
            assert set(f"{item.question} {item.chain} {' '.join(item.choices)}".split()) <= set(VOCABULARY)
            assert criteria_met(record, item.chain) == (True,) * COUNT


def test_the_question_of_an_item_is_solved_for_its_own_sounds_and_for_others(
    worlds: Mapping[str, Sequence[Item]],
) -> None:
    changed = 0
    for item in worlds["hop-test"][:200]:
        record = item.as_published()
        assert solve_described(record, item.sounds) == item.solution
        other = solve_described(record, worlds["hop-test"][7].sounds)
        changed += other is not None and other.answer != item.solution.answer
    assert changed > 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hop-test", "42738146db8a827b86a60673541079185b91d11fe161f44efca061ef1cd2e6c5"),
        ("lure-train", "6e7435584ef2a9fec2a69273737e5d63b091b094478c71a210d73a9fa0f7181d"),
    ],
)
def test_questions_and_clips_are_the_same_to_the_bit(
    worlds: Mapping[str, Sequence[Item]], name: str, expected: str
) -> None:
    digest = hashlib.sha256()
    for item in worlds[name][::60]:
        digest.update(repr(item.as_published()).encode() + item.wav())
    assert digest.hexdigest() == expected


@functools.cache
def loaded(name: str) -> Dataset:
    return get_task(name).load(None)


@pytest.mark.parametrize("name", ["mini-hop", "mini-hop-train-1", "mini-hop-train-2", "mini-lure", "mini-lure-train"])
def test_a_task_has_the_content_that_is_published_for_it(name: str) -> None:
    data = loaded(name)
    assert (len(data.samples), data.sha256) == (get_task(name).size, PUBLISHED_CONTENT[name, VERSION])


def test_a_listener_who_measures_hears_every_sound_as_it_is(worlds: Mapping[str, Sequence[Item]]) -> None:
    for item in worlds["hop-test"][::40]:
        assert tuple(heard(item.wav())) == item.sounds


def test_tasks_report_depths_pairs_and_the_cue() -> None:
    hop = [sample.groups for sample in loaded("mini-hop").samples]
    assert Counter(one["depth"] for one in hop) == {"1": 432, "2": 1728, "3": 864}
    assert Counter(one["pair"] for one in hop)["held-out"] == 648
    lure = loaded("mini-lure-train").samples
    assert Counter(one.groups["cue"] for one in lure) == {"agrees": 1800, "against": 600}
    assert all((one.choices[0] == one.answer) is (one.groups["cue"] == "agrees") for one in lure)


def test_examples_reason_about_six_pairs_and_never_ask_one_that_is_held_out() -> None:
    teacher, clips = Teacher(3), [make_item(slot) for slot in slots("base")[:300]]
    held_out = {"what is the pitch of the sound right after", "how long is the only", "how loud is the last"}
    reasons: set[str] = set()
    says_nothing = 0
    for teacher.mixed in (False, True):
        for example in (one for item in clips for one in teacher.about(item, 1, 2)):
            prompt, answer = (" ".join(WORDS[token] for token in part) for part in (example.prompt, example.answer))
            assert not any(words in prompt for words in held_out)
            if "so the answer is" in answer:
                reasons.update(step for step in ("after is", "before is", "only is", "last is") if step in answer)
            if answer.startswith("<think> yes </think>") and "describe the audio" in prompt:
                says_nothing += 1
                assert example.has_clip
    assert reasons == {"after is", "before is", "only is", "last is"}
    assert 0 < says_nothing < 20
