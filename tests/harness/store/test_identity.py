"""In which words a new start is unlike the answers of a folder, where checkpoints and adapters are concerned."""

from __future__ import annotations

from typing import Any

from dtbench.harness.store.identity import identity_differences

BASE: dict[str, Any] = {"name": "vllm", "model": "tiny", "content": "0a1b"}
TUNED = {"name": "tuned", "content": "2c3d", "mode": "merge"}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [str(one) for one in identity_differences(*({"kind": "run", "model": model} for model in (before, now)))]


def test_another_adapter_of_the_same_name_is_another_one() -> None:
    before = {**BASE, "model": "tiny+tuned", "adapter": TUNED}
    assert differences(before, dict(before)) == []
    trained = {**before, "adapter": {**TUNED, "content": "4e5f"}}
    assert differences(before, trained) == ["another adapter (content 2c3d; now 4e5f)"]
    served = {**before, "adapter": {**TUNED, "mode": "serve"}}
    assert differences(before, served) == ["another adapter (mode merge; now serve)"]


def test_a_run_without_an_adapter_does_not_go_on_with_one() -> None:
    audio = {**BASE, "adapter": {"content": "2c3d", "mode": "audio"}}
    assert differences(BASE, audio) == ['another adapter (none; now {"content": "2c3d", "mode": "audio"})']
    assert differences(BASE, {**BASE, "model": "tiny+tuned", "adapter": TUNED}) == [
        "another model (tiny; now tiny+tuned)"
    ]


def test_a_commit_that_was_not_known_before_the_first_start_is_no_difference() -> None:
    hosted = {"name": "vllm", "model": "me/tuned", "content": None}
    assert differences(hosted, {**hosted, "commit": "1a2b"}) == []
    assert differences({**hosted, "commit": "1a2b"}, hosted) == []
    moved = differences({**hosted, "commit": "1a2b"}, {**hosted, "commit": "ff00"})
    assert moved == ["another commit on the hub (1a2b; now ff00)"]


def test_how_weights_are_quantised_follows_from_the_checkpoint() -> None:
    assert differences(BASE, {**BASE, "quantization": "gptq 4-bit"}) == []
