"""Rewards of users and packages: as README shows them, and each mistake in them one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packages import install
from pages import blocks

from dtbench.harness.core.errors import UserError
from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards import Rewards, RewardSettings, check_reward_names

README = (Path(__file__).parents[3] / "training" / "rewards" / "README.md").read_text(encoding="utf-8")
ROW = TrainingRow("q1", Path("clip.wav"), "what is first ?", ("tone", "beeps"), "tone", "i hear a tone")
SETTINGS = RewardSettings(embedding="ngrams", consistency="words", guards=("empty",))
SHORT, LONG = "a tone is first", " ".join(["tone"] * 80)


def said(chain: str, answer: str) -> str:
    return f"<reasoning> {chain} </reasoning>\n{answer}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where modules of a user are found."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("brief", "mine"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def values(name: str, *completions: str) -> list[float]:
    with Rewards(SETTINGS) as rewards:
        return rewards.score_batch([name], [ROW] * len(completions), completions).values[name]


def test_the_reward_of_the_readme_pays_right_answers_after_few_words(folder: Path) -> None:
    (folder / "brief.py").write_text(blocks(README, "python")[0])
    found = values("brief:short_chain", said(SHORT, "tone"), said(LONG, "tone"), said(SHORT, "beeps"))
    assert found == [1.0, 0.5, 0.0]


def test_a_package_gives_its_reward_a_name(folder: Path) -> None:
    text = blocks(README, "python")[0]
    install(folder, "mine", {"short-chain": "mine:short_chain"}, text, "dtbench.rewards")
    assert values("short-chain", said(SHORT, "tone")) == [1.0]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return [1 / 0 for row in rows]", r"failed with ZeroDivisionError: division by zero \(mine.py, line 2\)"),
        ("return [1.0]", "returned 1 values for 2 completions"),
        ("return [float('nan'), 1]", "returned nan: a finite number is expected"),
        ("return ['good', 1]", "returned 'good': a finite number is expected"),
        ("return None", "failed with TypeError"),
    ],
)
def test_what_is_wrong_in_a_reward_is_one_line(folder: Path, body: str, complaint: str) -> None:
    (folder / "mine.py").write_text(f"def own(rows, completions):\n    {body}\n")
    with pytest.raises(UserError, match=complaint):
        values("mine:own", said(SHORT, "tone"), said(SHORT, "tone"))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("acuracy", "unknown reward 'acuracy'. Did you mean accuracy"),
        ("nowhere:own", "no module named 'nowhere' to load a reward from"),
        ("mine:other", "the module mine has no other"),
        ("mine:NUMBER", "mine:NUMBER is int, and a function is expected"),
    ],
)
def test_a_reward_that_there_is_not_is_refused_before_anything_starts(folder: Path, name: str, complaint: str) -> None:
    (folder / "mine.py").write_text("NUMBER = 1\n")
    with pytest.raises(UserError, match=complaint):
        check_reward_names([name], SETTINGS)
