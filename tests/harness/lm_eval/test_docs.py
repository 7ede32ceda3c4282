"""Our benchmarks as lm-eval's documents: what of a response counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_data import mmar_items, write_json

from dtbench.harness.core.errors import UserError
from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, EVIDENCE_LEVELS, is_enough

pytest.importorskip("lm_eval", reason="lm-eval is an extra: pip install 'dtbench[lm-eval]'")
TEXTS = ("The answer is (A).", "A", "I hear {}.", "It must be {}.", "I would choose {}.")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_json(tmp_path / "MMAR-meta.jsonl", mmar_items(3))
    return tmp_path


@pytest.mark.parametrize("threshold", [None, *EVIDENCE_LEVELS])
def test_a_response_counts_under_the_threshold_of_the_metadata(data: Path, threshold: str | None) -> None:
    from dtbench.harness.lm_eval import docs

    options = {} if threshold is None else {"min_evidence": threshold}
    (doc, *_) = docs.dataset(benchmark="mmar", data_dir=str(data), **options)["test"]
    choices = doc.question.prompt.choices
    for text in TEXTS:
        said = text.format(choices[0])
        level = extract(said, choices).level
        counts = level is not None and is_enough(level, threshold or DEFAULT_MIN_EVIDENCE)
        found = docs.results(doc, [said])
        assert (found["strict"], found["unanswered"]) == ((1.0, 0.0) if counts else (0.0, 1.0)), (said, level)


def test_an_unknown_level_is_refused(data: Path) -> None:
    from dtbench.harness.lm_eval import docs

    with pytest.raises(UserError, match=r"--metadata min_evidence=choose: unknown\. Did you mean chosen"):
        docs.dataset(benchmark="mmar", data_dir=str(data), min_evidence="choose")


@pytest.mark.parametrize("tags", [["<n>", "</n>"], "<n>,</n>"])
def test_a_response_is_read_by_the_tags_of_the_metadata(data: Path, tags: object) -> None:
    from dtbench.harness.lm_eval import docs

    (doc, *_) = docs.dataset(benchmark="mmar", data_dir=str(data), chain=tags)["test"]
    right, wrong = doc.question.prompt.choices[:2]
    text = f"<n>The answer is {wrong}.</n>The answer is {right}."
    assert docs.results(doc, [text])["strict"] == 1.0
    assert docs.results(doc, [f"<n>The answer may be {right}"])["unanswered"] == 1.0


def test_tags_that_are_no_pair_are_refused(data: Path) -> None:
    from dtbench.harness.lm_eval import docs

    with pytest.raises(UserError, match=r"--metadata chain=<n>: a pair of different tags is expected, as a list of"):
        docs.dataset(benchmark="mmar", data_dir=str(data), chain="<n>")
