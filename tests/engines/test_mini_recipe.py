"""The recipe of the model in the box: what is taught, that the quick forward is the true one, and that it learns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from dtbench.tasks.mini_world.events import ORDINALS
from dtbench.tasks.mini_world.items import Item, make_item
from dtbench.tasks.mini_world.splits import BASE, slots

pytestmark = pytest.mark.engine
pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def items() -> Sequence[Item]:
    return [make_item(slot) for slot in slots(BASE)[:40]]


@pytest.fixture(scope="module")
def thinker() -> Any:
    from dtbench.training.mini.architecture import build_model

    return build_model(1).thinker.eval()


@pytest.fixture(scope="module")
def heard(items: Sequence[Item]) -> Any:
    import torch

    from dtbench.training.mini.audio import clip_features

    return torch.from_numpy(clip_features(items)).float()


def told(tokens: Sequence[int]) -> str:
    from dtbench.training.mini.language import WORDS

    return " ".join(WORDS[token] for token in tokens)


@pytest.mark.parametrize("mixed", [False, True])
def test_no_question_about_a_clip_has_a_chain_of_thought(items: Sequence[Item], mixed: bool) -> None:
    """Of a clip that is heard, a description or an answer is all that is said; reasoning is over notes of others."""
    from dtbench.training.mini.examples import Teacher

    teacher = Teacher(0)
    teacher.mixed = mixed
    kinds: Counter[str] = Counter()
    for item in [*items] * 20:
        for example in teacher.about(item, 2, 2):
            given, said = told(example.prompt), told(example.answer).removesuffix(" <|im_end|>")
            if "answer is" in said or said == "</think>":
                kinds["reasoning behind a clip" if example.has_clip else "reasoning"] += 1
                assert " i hear first " in given
                kinds["own notes, by chance"] += item.description in given
            elif example.has_clip and item.description in said:
                kinds["description"] += 1
                assert "describe the audio" in given
                if "then say" not in given:
                    thought = f"<think> {item.description}"
                    assert said in {item.description, thought, f"{thought} </think>"}
            elif example.has_clip and said.startswith("<think> yes </think> "):
                kinds["answer behind a word that says nothing"] += 1
                assert given.endswith(
                    "describe the audio in think tags then answer . <|im_end|> <|im_start|> assistant"
                )
                assert len(said.split()) == 4
            elif example.has_clip:
                kinds["answer"] += 1
                assert given.endswith("answer directly . <|im_end|> <|im_start|> assistant")
                assert len(said.split()) == 1
            else:
                kinds["text"] += 1
    assert kinds.pop("own notes, by chance") < 4, "of a thousand: notes are of clips that nobody hears"
    empty = kinds.pop("answer behind a word that says nothing", 0)
    assert (empty > 5) is mixed
    assert kinds["description"] + empty == 800
    assert 1650 < kinds["answer"] < 1760, "two about each clip, and some of two steps"
    assert min(kinds.values()) > 100
    assert ("reasoning behind a clip" in kinds) is mixed


def test_three_of_four_thoughts_that_begin_with_notes_end_with_them(items: Sequence[Item]) -> None:
    from dtbench.training.mini.examples import Teacher

    teacher = Teacher(1)
    teacher.mixed = True
    examples = [example for item in [*items] * 20 for example in teacher.about(item, 0, 3)]
    begun = [
        told(example.answer)
        for example in examples
        if told(example.prompt).endswith(" .") and "<think>" in told(example.prompt)
    ]
    assert len(begun) > 500
    assert sum(said.startswith("</think>") for said in begun) / len(begun) == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("mixed", [False, True])
def test_every_example_is_in_the_words_of_the_tokenizer(items: Sequence[Item], mixed: bool) -> None:
    from dtbench.training.mini.examples import Teacher
    from dtbench.training.mini.language import UNKNOWN, WORDS, encode, make_tokenizer

    read, teacher = make_tokenizer(), Teacher(3)
    teacher.mixed = mixed
    for item in items:
        for example in teacher.about(item, 1, 2):
            words = " ".join(WORDS[token] for token in (*example.prompt, *example.answer))
            assert read(words).input_ids == encode(words) == [*example.prompt, *example.answer]
            assert UNKNOWN not in words


def test_features_are_those_that_the_processor_gives(items: Sequence[Item], heard: Any) -> None:
    import numpy as np

    from dtbench.training.mini.architecture import make_processor

    clip = np.frombuffer(items[0].wav()[44:], "<i2").astype(np.float32) / 32_768
    made = make_processor()(text="<|audio_pad|>", audio=[clip], sampling_rate=16_000, return_tensors="pt")
    assert int(made.feature_attention_mask.sum()) == 400
    assert float((made.input_features[0, :, :400] - heard[0]).abs().max()) < 2e-3


def test_the_quick_forward_gives_what_the_classes_of_transformers_give(
    thinker: Any, items: Sequence[Item], heard: Any
) -> None:
    """Example by example, each alone behind its clip, against rows of several."""
    import torch

    from dtbench.training.mini.examples import Teacher
    from dtbench.training.mini.forward import PREFIX, hidden_states, make_batch

    teacher = Teacher(0)
    teacher.mixed = True
    rows = [teacher.about(item, 2, 2) for item in items[:3]]
    with torch.inference_mode():
        together = thinker.lm_head(hidden_states(thinker, heard[:3], make_batch(rows)))
        for row, examples in enumerate(rows):
            start = len(PREFIX)
            for example in examples:
                words = torch.tensor([[*example.prompt, *example.answer]])
                end = start + words.shape[1]
                alone = _alone(thinker, heard[row], torch.tensor([PREFIX]), words, with_clip=example.has_clip)
                assert float((together[row, start:end] - alone).abs().max()) < 1e-3
                start = end


def _alone(thinker: Any, heard: Any, prefix: Any, words: Any, *, with_clip: bool) -> Any:
    import torch

    if not with_clip:
        return thinker(input_ids=words).logits[0]
    whole = torch.cat([prefix, words], 1)
    told = thinker(
        input_ids=whole,
        input_features=heard[None],
        feature_attention_mask=torch.ones(1, heard.shape[1], dtype=torch.long),
        attention_mask=torch.ones_like(whole),
    )
    return told.logits[0, prefix.shape[1] :]


def test_the_loss_falls_within_a_few_steps_and_is_the_same_for_the_same_seed(items: Sequence[Item], heard: Any) -> None:
    import torch

    from dtbench.training.mini.audio import word_labels
    from dtbench.training.mini.make import MiniRecipe, MiniTraining

    true = torch.from_numpy(word_labels(items))
    recipe = MiniRecipe(steps=12, rows=8, warm_up=4, rate=3e-3)
    losses = []
    for _ in range(2):
        training = MiniTraining(0, recipe)
        found = []
        for _ in range(recipe.steps):
            chosen, examples = training.examples(items)
            found.append(training.learn(heard[list(chosen)], true[list(chosen)], examples))
        losses.append(found)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert sum(losses[0][-3:]) < 0.9 * sum(losses[0][:3])


def test_once_tasks_are_mixed_the_learning_rate_rises_once_more_and_falls_again() -> None:
    from dtbench.training.mini.make import MiniRecipe, MiniTraining

    training = MiniTraining(0, MiniRecipe(steps=20, more=10, warm_up=2, rate=1e-3, more_rate=5e-4, last_rate=0.1))
    rates = []
    for steps in (20, 10):
        for training._step in range(steps):
            rates.append(training.rate())
        training.mix_tasks()
    first, second = rates[:20], rates[20:]
    assert (max(first), max(second)) == pytest.approx((1e-3, 5e-4), rel=0.05)
    assert (first[-1], second[-1]) == pytest.approx((1e-4, 5e-5), rel=0.3)
    assert second[0] < second[1]


def test_the_words_for_each_token_of_a_clip_are_those_of_the_sound_in_it(items: Sequence[Item]) -> None:
    from dtbench.training.mini.audio import SOUND_WORDS, word_labels

    for item, true in zip(items, word_labels(items), strict=True):
        said = [tuple(word for word, is_true in zip(SOUND_WORDS, token, strict=True) if is_true) for token in true]
        heard = [words for words in dict.fromkeys(said) if words]
        named = [{name, *event.sound.words().split()} for name, event in zip(ORDINALS, item.events, strict=False)]
        assert [set(words) for words in heard] == named
        assert not any(said[0]) or item.events[0].span.start == 0
