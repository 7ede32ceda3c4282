from __future__ import annotations

import json

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.models.checkpoints.families import built_in_families
from dtbench.models.vllm.clip_limit import LIMIT, raised_limit


def raised(text: str | None, clips: int, *, is_users: bool = False) -> object:
    flags = {} if text is None else {LIMIT: text}
    found = raised_limit(flags, clips, is_users=is_users).get(LIMIT)
    return None if found is None else json.loads(found)


def test_a_familys_limit_is_raised_to_the_clips_of_the_questions() -> None:
    family = built_in_families()["qwen3-omni"].flags("folder")[LIMIT]
    assert raised(str(family), 3) == {"audio": 3, "image": 0, "video": 0}
    assert raised(str(family), 1) is None
    assert raised(None, 2) == {"audio": 2}
    assert raised(None, 1) is None


def test_a_users_limit_stands_where_it_is_enough() -> None:
    assert raised('{"audio": 4}', 3, is_users=True) is None
    assert raised('{"audio": {"count": 4, "length": 9}}', 4, is_users=True) is None
    assert raised('{"image": 0}', 2, is_users=True) == {"image": 0, "audio": 2}
    with pytest.raises(UserError) as refused:
        raised('{"audio": 1}', 3, is_users=True)
    assert str(refused.value) == (
        '-M limit_mm_per_prompt={"audio": 1}: prompts of this run have up to 3 clips: give at least '
        "-M limit_mm_per_prompt='{\"audio\": 3}', or leave it out."
    )


def test_a_limit_with_lengths_keeps_them() -> None:
    assert raised('{"audio": {"count": 1, "length": 9}}', 2) == {"audio": {"count": 2, "length": 9}}


def test_a_limit_that_is_no_json_is_left_to_vllm() -> None:
    assert raised("audio=1", 3, is_users=True) is None
