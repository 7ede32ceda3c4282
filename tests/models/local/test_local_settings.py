from __future__ import annotations

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.typed_settings import read_options
from dtbench.models.local.model import BatchSize
from dtbench.models.local.settings import LocalSettings


def settings(**options: str) -> LocalSettings:
    return read_options(LocalSettings, options, "a checkpoint with --backend local")


def test_a_map_of_devices_is_a_word_or_an_object() -> None:
    assert settings().placement() is None
    assert settings(device_map="auto").placement() == "auto"
    assert settings(device_map='{"": "cuda:1", "lm_head": 0}').placement() == {"": "cuda:1", "lm_head": 0}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"device_map": "balance"}, "-M device_map=balance: unknown. Did you mean balanced"),
        ({"device_map": "[1]"}, "Or a JSON object, such as"),
        ({"device_map": "auto", "device": "cuda"}, "-M device_map=auto: it says every device; leave -M device out."),
        ({"load_in_4bit": "true", "load_in_8bit": "true"}, "one of them is allowed"),
        ({"stop": '["</answer>", ""]'}, "-M stop: an empty text is in it"),
        ({"stop": "</answer>"}, "-M stop=</answer>: a JSON list"),
        ({"stop_token_ids": '["a"]'}, "-M stop_token_ids"),
        ({"chat_template": "no-such.jinja"}, "-M chat_template=no-such.jinja: not a file with a chat template ("),
        ({"chat_template_kwargs": "true"}, "-M chat_template_kwargs=true: a JSON object"),
    ],
)
def test_settings_that_cannot_be_are_one_line(options: dict[str, str], complaint: str) -> None:
    with pytest.raises(UserError) as refused:
        settings(**options)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_lists_are_read() -> None:
    read = settings(stop='["a", "b"]', stop_token_ids="[1, 2]", chat_template_kwargs='{"enable_thinking": false}')
    assert (read.stop, read.stop_token_ids) == (["a", "b"], [1, 2])
    assert read.chat_template_kwargs == {"enable_thinking": False}


def test_a_batch_grows_again_after_some_that_fit_and_later_after_each_failure() -> None:
    batch = BatchSize(8)
    assert not batch.grow(8)
    batch.shrink(8)
    assert batch.size == 4
    assert [batch.grow(4) for _ in range(4)] == [False, False, False, True]
    assert batch.size == 8
    batch.shrink(8)
    assert [batch.grow(4) for _ in range(8)].index(True) == 7


def test_however_often_a_batch_did_not_fit_larger_ones_are_tried_again_after_64() -> None:
    batch = BatchSize(8)
    for _ in range(20):
        batch.shrink(8)
    assert [batch.grow(4) for _ in range(64)].index(True) == 63


def test_a_batch_that_was_not_full_tells_nothing_of_the_memory() -> None:
    batch = BatchSize(8)
    batch.shrink(8)
    assert not any(batch.grow(3) for _ in range(50))
    assert batch.size == 4


def test_a_batch_of_one_is_the_smallest_and_of_its_setting_the_largest() -> None:
    batch = BatchSize(5)
    for tried in (5, 2, 1):
        batch.shrink(tried)
    assert batch.size == 1
    for _ in range(500):
        batch.grow(batch.size)
    assert batch.size == 5
