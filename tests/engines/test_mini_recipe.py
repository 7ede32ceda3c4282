"""The recipe of the model in the box: what is taught, that the quick forward is the true one, and that it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dtbench.tasks.mini_world.events import ORDINALS
from dtbench.tasks.mini_world.items import Item, made
from dtbench.tasks.mini_world.splits import BASE, slots

pytestmark = pytest.mark.engine
pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def items() -> Sequence[Item]:
    return [made(slot) for slot in slots(BASE)[:40]]


@pytest.fixture(scope="module")
def thinker() -> Any:
    from dtbench.models.mini.architecture import build

    return build(1).thinker.eval()


@pytest.fixture(scope="module")
def heard(items: Sequence[Item]) -> Any:
    import torch

    from dtbench.models.mini.features import features

    return torch.from_numpy(features(items)).float()


def test_no_question_about_a_clip_has_a_chain_of_thought(items: Sequence[Item]) -> None:
    from dtbench.models.mini.language import NUMBERS, THINK
    from dtbench.models.mini.lessons import Teacher

    teacher = Teacher(0)
    describe, think = NUMBERS["describe"], NUMBERS[THINK]
    lessons = [lesson for _ in range(20) for item in items for lesson in teacher.about(item, 2, 1)]
    asked = [lesson for lesson in lessons if lesson.heard and lesson.given[0] != describe]
    assert len(asked) == 1600
    assert any(think in lesson.said for lesson in lessons if not lesson.heard)
    for lesson in asked:
        assert len(lesson.said) == 2
        assert think not in (*lesson.given, *lesson.said)


def test_every_lesson_is_in_the_words_of_the_tokenizer(items: Sequence[Item]) -> None:
    from dtbench.models.mini.language import UNKNOWN, WORDS, tokenizer, tokens
    from dtbench.models.mini.lessons import Teacher

    read = tokenizer()
    for item in items:
        for lesson in Teacher(3).about(item, 1, 2):
            words = " ".join(WORDS[token] for token in (*lesson.given, *lesson.said))
            assert read(words).input_ids == tokens(words) == [*lesson.given, *lesson.said]
            assert UNKNOWN not in words


def test_features_are_those_that_the_processor_gives(items: Sequence[Item], heard: Any) -> None:
    import numpy as np

    from dtbench.models.mini.architecture import processor

    clip = np.frombuffer(items[0].wav()[44:], "<i2").astype(np.float32) / 32_768
    made = processor()(text="<|audio_pad|>", audio=[clip], sampling_rate=16_000, return_tensors="pt")
    assert int(made.feature_attention_mask.sum()) == 400
    assert float((made.input_features[0, :, :400] - heard[0]).abs().max()) < 2e-3


def test_the_quick_forward_gives_what_the_classes_of_transformers_give(
    thinker: Any, items: Sequence[Item], heard: Any
) -> None:
    """Lesson by lesson, each alone behind its clip, against rows of several."""
    import torch

    from dtbench.models.mini.batches import PREFIX, batch
    from dtbench.models.mini.forward import understand
    from dtbench.models.mini.lessons import Teacher

    rows = [Teacher(0).about(item, 2, 2) for item in items[:3]]
    with torch.inference_mode():
        together = thinker.lm_head(understand(thinker, heard[:3], batch(rows)))
        for row, lessons in enumerate(rows):
            start = len(PREFIX)
            for lesson in lessons:
                words = torch.tensor([[*lesson.given, *lesson.said]])
                end = start + words.shape[1]
                alone = _alone(thinker, heard[row], torch.tensor([PREFIX]), words, with_clip=lesson.heard)
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

    from dtbench.models.mini.ears import sounding
    from dtbench.models.mini.training import Recipe, Training

    true = torch.from_numpy(sounding(items))
    recipe = Recipe(steps=12, rows=8, warm_up=4, rate=3e-3)
    losses = []
    for _ in range(2):
        training = Training(0, recipe)
        found = []
        for _ in range(recipe.steps):
            chosen, lessons = training.lessons(items)
            found.append(training.learn(heard[list(chosen)], true[list(chosen)], lessons))
        losses.append(found)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert sum(losses[0][-3:]) < 0.9 * sum(losses[0][:3])


def test_the_words_for_each_token_of_a_clip_are_those_of_the_sound_in_it(items: Sequence[Item]) -> None:
    from dtbench.models.mini.ears import WORDS, sounding

    for item, true in zip(items, sounding(items), strict=True):
        said = [tuple(word for word, is_true in zip(WORDS, token, strict=True) if is_true) for token in true]
        heard = [words for words in dict.fromkeys(said) if words]
        named = [{name, *event.heard.words().split()} for name, event in zip(ORDINALS, item.events, strict=False)]
        assert [set(words) for words in heard] == named
        assert not any(said[0]) or item.events[0].span.start == 0
