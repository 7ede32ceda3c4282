"""How runs are called side by side: by their models, and by their folders where two models have one name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_labels import model_label, repetition, run_labels, short_ends
from dtbench.harness.store.types import RunInfo


def a_run(path: str, model: dict[str, Any] | None = None, spec: str | None = None) -> StoredRun:
    info = {"model": {"model": "qwen"} if model is None else model, "endpoint": {"spec": spec} if spec else {}}
    return StoredRun(Path(path), cast("RunInfo", info))


@pytest.mark.parametrize(
    ("runs", "given", "labels"),
    [
        ([("/r/a", "qwen"), ("/r/b", "gemma")], (), ["qwen", "gemma"]),
        ([("/r/a", "qwen"), ("/r/b", "qwen")], (), ["qwen (a)", "qwen (b)"]),
        ([("/r/a", "qwen"), ("/r/b", "gemma"), ("/r/c", "qwen")], (), ["qwen (a)", "gemma", "qwen (c)"]),
        ([("/r/a/run", "qwen"), ("/r/b/run", "qwen")], (), ["qwen (a/run)", "qwen (b/run)"]),
        ([("/r/a", "qwen"), ("/r/a", "qwen")], (), ["qwen (/r/a, 1)", "qwen (/r/a, 2)"]),
        ([("/r/a", "qwen"), ("/r/b", "qwen")], ("before",), ["before", "qwen"]),
        ([("/r/a", "qwen"), ("/r/b", "qwen")], ("before", "after"), ["before", "after"]),
        ([("/r/a", "gemma"), ("/r/b", "qwen")], ("qwen",), ["qwen", "qwen (b)"]),
        ([], (), []),
    ],
)
def test_a_label_is_the_given_one_or_the_model_with_its_folder_where_that_is_not_enough(
    runs: Sequence[tuple[str, str]], given: Sequence[str], labels: Sequence[str]
) -> None:
    assert run_labels([a_run(path, {"model": name}) for path, name in runs], given) == labels


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (("a", "b", "c"), "--label c: there is no run for it; 2 runs are named."),
        (("a", "a"), "--label a: given to two runs; each label is one run's."),
        (("a", " "), "--label ' ': a text is expected."),
    ],
)
def test_labels_that_do_not_fit_are_refused(given: Sequence[str], complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        run_labels([a_run("/r/a"), a_run("/r/b")], given)
    assert str(raised.value) == complaint


@pytest.mark.parametrize(
    ("model", "spec", "label"),
    [
        ({"model": "org/qwen", "name": "local"}, "x", "org/qwen"),
        ({"model": "/data/checkpoints/step-80", "name": "local"}, "x", "step-80"),
        ({"model": "./step-80/"}, None, "step-80"),
        ({"model": "~/step-80"}, None, "step-80"),
        ({"model": "/"}, None, "/"),
        ({"name": "random"}, "x", "random"),
        ({}, "http://here/v1", "http://here/v1"),
        ({}, None, "run-7"),
        ({"model": "a\x1b[2J\nb"}, None, "a\\x1b[2J b"),
    ],
)
def test_a_model_is_called_by_its_own_name_in_one_line(model: dict[str, Any], spec: str | None, label: str) -> None:
    assert model_label(a_run("/r/run-7", model, spec)) == label


def test_a_folder_s_name_steers_no_terminal() -> None:
    assert short_ends([Path("/r/\x1b[2Ja"), Path("/r/b")]) == ["\\x1b[2Ja", "b"]
    assert short_ends([Path("/r/\x07"), Path("/r/\x07")]) == ["/r/\\x07, 1", "/r/\\x07, 2"]


def test_a_run_that_is_named_twice_is_found_by_whatever_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("a")
    for again in (Path("a"), Path("link"), Path("b/../a"), tmp_path / "a"):
        assert repetition([Path("b"), Path("a"), again]) == "a is named twice; name each run once."
    assert repetition([Path("a"), Path("b")]) is None
