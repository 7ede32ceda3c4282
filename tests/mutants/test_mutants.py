"""The tool itself, on a package of two functions: one that its test holds, one whose test looks at nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from mutate import CORE, ROOT, draw, main
from nearest import rings
from places import Place, differs, no_change, places

SOURCE = """from __future__ import annotations


def larger(one: int, other: int) -> bool:
    return one > other


def noted(notes: list[str]) -> None:
    notes.append("done")
"""
TESTS = """from small.sizes import larger, noted


def test_larger() -> None:
    assert [larger(3, 1), larger(1, 1), larger(1, 3)] == [True, False, False]


def test_noted() -> None:
    noted([])
"""
READ_BACK = """    notes: list[str] = []
    noted(notes)
    assert notes == ["done"]"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with a package, tests of it, and one more test that always fails."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what these tests have no need of takes a second each
    root = tmp_path / "tree"
    for file, text in (
        ("small/sizes.py", SOURCE),
        ("tests/small/test_sizes.py", TESTS),
        ("tests/small/test_odd.py", "def test_odd() -> None:\n    assert False\n"),
        ("tests/engines/test_engine.py", "def test_engine() -> None:\n    assert False\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\nmarkers = ["engine", "browser", "neighbour"]\n'),
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    (root / ".src").mkdir()
    (root / ".src" / "small").symlink_to("../small")
    return root


def found(root: Path) -> dict[str, dict[str, str]]:
    lines = (root / ".mutants" / "3.jsonl").read_text().splitlines()
    return {f"{one['operator']}: {one['before'].strip()}": one for one in map(json.loads, lines)}


def test_a_change_that_a_test_holds_is_caught_and_one_that_none_reads_back_lives(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["small", "--root", str(small), "--count", "9", "--seed", "3", "--limit", "60"]
    assert main(words) == 0
    verdicts = {change: one["verdict"] for change, one in found(small).items()}
    lives = 'removed call: notes.append("done")'
    assert verdicts.pop(lives) == "survived"
    assert {change for change, verdict in verdicts.items() if verdict == "survived"} == {"none: "}
    assert set(verdicts) == {"none: ", "comparison: >", "return None: one > other"}
    assert found(small)["comparison: >"]["by"] == "tests/small/test_sizes.py::test_larger"
    printed = capsys.readouterr().out
    assert "caught 2 of 3 that break something: 67% (goal 95%)" in printed
    assert "controls that change nothing: 1, of which caught: 0" in printed
    assert "fail without any change and were not asked:\n  tests/small/test_odd.py::test_odd" in printed
    assert (small / "small" / "sizes.py").read_text() == SOURCE

    (small / "tests/small/test_sizes.py").write_text(TESTS.replace("    noted([])", READ_BACK))
    assert main(words) == 0  # goes on where it was: nothing is left to try
    assert found(small)[lives]["verdict"] == "survived"
    assert main([*words, "--again"]) == 0
    assert found(small)[lives]["verdict"] == "killed"
    assert "caught 3 of 3 that break something: 100%" in capsys.readouterr().out


def test_every_change_of_a_file_of_ours_is_one_of_its_text_alone() -> None:
    chance = random.Random(0)
    for file in ("harness/stats/paired_tests.py", "harness/store/locks.py", "models/endpoint/server.py"):
        text = (ROOT / file).read_bytes()
        for place in chance.sample(places(ROOT, file), 20):
            assert text[place.start : place.end].decode() == place.before
            assert place.after != place.before
            compile(place.changed(text), file, "exec")


def test_a_change_that_compiles_to_the_same_code_is_not_drawn(small: Path) -> None:
    assert not differs(small, no_change(small, "small/sizes.py"))
    assert all(differs(small, place) for place in places(small, "small/sizes.py"))


def test_a_seed_draws_the_same_changes_and_another_seed_others(small: Path) -> None:
    def keys(drawn: Sequence[Place]) -> list[str]:
        return [place.key for place in drawn if place.operator != "none"]

    drawn = [keys(draw(small, ["small"], 2, seed)) for seed in range(9)]
    assert drawn == [keys(draw(small, ["small"], 2, seed)) for seed in range(9)]
    assert len({key for two in drawn for key in two}) == 3


def test_the_nearest_tests_are_those_of_the_name_then_those_of_the_folder() -> None:
    named, folder, *others = rings(ROOT, "harness/store/redact.py", every=True)
    assert named[0] == "tests/harness/store/test_redact.py"
    assert "tests/harness/store/test_run_folder.py" in folder
    asked = [test for ring in (named, folder, *others) for test in ring]
    assert len(asked) == len(set(asked))
    assert "tests/harness/cli/test_watch.py" in asked
    assert not [test for test in asked if test.startswith(("tests/engines/", "tests/browser/", "tests/neighbours/"))]


def test_every_folder_of_the_core_is_there() -> None:
    assert [folder for folder in CORE if not list((ROOT / folder).rglob("*.py"))] == []
