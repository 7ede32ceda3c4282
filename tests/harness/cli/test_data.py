"""`dtbench data` as a user runs it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import small_data
from called_birds import TASK, calls, write_birds
from command import COMMAND, call
from terminal import shown


def dtbench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dtbench.harness.cli.main", "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_whole_data_set_is_well_and_says_what_it_is(tmp_path: Path) -> None:
    small_data.mmar_v2_archive(tmp_path)
    done = dtbench("verify", "mmar", "--data-dir", tmp_path, "--subset")
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == "What to type next:"
    assert f"  dtbench run --model MODEL --tasks mmar --data-dir {tmp_path}" in done.stderr.splitlines()[1]
    assert len(done.stderr.splitlines()) == 2
    assert "mmar: v2-github, 6 of 1000 items, sha256 " in done.stdout
    assert "clips: 6 decode" in done.stdout
    assert done.stdout.endswith("problems found: none\n")


def test_fewer_items_than_published_are_wrong_unless_allowed(tmp_path: Path) -> None:
    small_data.mmar_v2_folder(tmp_path)
    done = dtbench("verify", "mmar", "--data-dir", tmp_path)
    assert done.returncode == 2
    assert "problem: 6 items, but 1000 were published (--subset accepts fewer)" in done.stdout


def test_everything_that_is_wrong_is_listed(tmp_path: Path) -> None:
    small_data.mmar_v2_folder(tmp_path)
    items = small_data.mmar_items()
    items[0]["answer"] = "none of these"
    items[1]["modality"] = "noise"
    small_data.write_json(tmp_path / "MMAR-meta.jsonl", items)
    clips = [tmp_path / "audio" / f"clip of {number}.wav" for number in range(6)]
    clips[2].unlink()
    clips[3].write_bytes(b"<html>")
    clips[0].write_bytes(clips[0].read_bytes()[:-500])
    done = dtbench("verify", "mmar", "--data-dir", tmp_path, "--subset", "--json")
    assert (done.returncode, done.stderr) == (2, "")
    report = json.loads(done.stdout)
    assert report["ok"] is False
    assert report["clips"]["decoded"] == 3
    assert report["clips"]["missing"] == [str(clips[2])]
    problems = "\n".join(report["problems"])
    assert len(report["problems"]) == 5
    assert "1 answers are not among their options (first: 'made-up-0_00-00-00_00-00-10')" in problems
    assert "1 items have the modality 'noise', which the official script does not know" in problems
    assert f"1 of 6 clips are missing (first: {clips[2]})" in problems
    assert f"{clips[3]}: the clip does not decode" in problems
    assert f"{clips[0]}: the clip is cut short" in problems
    assert all(line in dtbench("verify", "mmar", "--data-dir", tmp_path).stdout for line in report["problems"])


def test_clips_can_be_left_out(tmp_path: Path) -> None:
    small_data.write_json(tmp_path / "mmau-test.json", small_data.mmau_items(split="test"))
    done = dtbench("verify", "mmau-test", "--data-dir", tmp_path, "--subset", "--no-audio", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["clips"] is None
    assert report["items"] == 6
    assert "withheld" in report["notes"][0]


@pytest.mark.parametrize("verb", ["pull", "verify"])
def test_an_unknown_task_answers_with_the_nearest(verb: str) -> None:
    done = dtbench(verb, "mmau")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "unknown task 'mmau'. Did you mean" in line


def test_a_broken_data_set_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "mmsu.jsonl").write_text('{"id": 1}\n')
    done = dtbench("verify", "mmsu", "--data-dir", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {tmp_path}/mmsu.jsonl: line 1: ")


OWN_TASK = """
from pathlib import Path
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task

class Own(Task):
    name = "own"

    def samples(self, data_dir):
        return [Sample("1", "What?", ("a", "b"), "a", Path("gone.wav"))]
"""


def test_a_task_of_the_users_own_is_verified_but_has_nowhere_to_be_pulled_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_task.py").write_text(OWN_TASK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert dtbench("verify", "own_task:Own", "--no-audio").returncode == 0
    assert "problem: 1 of 1 clips are missing (first: gone.wav)" in dtbench("verify", "own_task:Own").stdout
    done = dtbench("pull", "own_task:Own")
    assert done.returncode == 2
    assert "dtbench knows no download for it. Known: mmar, mmau-mini, mmau-test, mmsu, mini, " in done.stderr


@pytest.mark.parametrize("columns", [20, 200])
def test_on_a_terminal_clips_that_are_made_are_counted_in_one_line(tmp_path: Path, columns: int) -> None:
    done = shown([*COMMAND, "data", "pull", "mini", "--data-dir", str(tmp_path)], columns, stdout_apart=True)
    assert done.code == 0
    states = [line for line in done.states if re.match(r"mini .*\d+/\d+", line)]
    assert len(states) > 1, "at least once before the last"
    whole = r"mini( [#.]+)? \d+/(\d+)( clips)?( [\d.]+/s)?(,? ?(\d+ min )?\d+ s left)?"
    assert [line for line in states if len(line) >= columns or not re.fullmatch(whole, line)] == []
    last = re.match(r"mini .*?(\d+)/(\d+)", [line for line in done.left if line.startswith("mini ")][-1])
    assert last
    assert last[1] == last[2]
    assert "/s" not in done.out


def test_on_a_terminal_clips_that_are_checked_are_counted_and_json_shows_nothing(tmp_path: Path) -> None:
    small_data.mmar_v2_archive(tmp_path)
    command = [*COMMAND, "data", "verify", "mmar", "--data-dir", str(tmp_path), "--subset"]
    done = shown(command, stdout_apart=True)
    assert done.code == 0
    assert re.match(r"mmar 6/6 clips( [\d.]+/s)?$", [line for line in done.states if line.startswith("mmar ")][-1])
    assert shown([*command, "--json"], stdout_apart=True).screen == ""


@pytest.mark.parametrize(
    "names", [("mini-hop-train-1", "mini"), ("mini-hop-train-1,mini",), ("mini-hop-train-1", "mini,mini")]
)
def test_several_benchmarks_are_verified_in_one_call(names: tuple[str, ...], tmp_path: Path) -> None:
    verified = call("data", "verify", *names, "--data-dir", tmp_path, "--json", "--no-audio")
    assert verified.code == 0
    assert [one["items"] for one in json.loads(verified.out)] == [2304, 600]


@pytest.mark.whole
def test_several_benchmarks_are_pulled_in_one_call(tmp_path: Path) -> None:
    """3,000 clips; what names and commas mean is read as for verify, and one benchmark is pulled in other tests."""
    pulled = call("data", "pull", "mini-hop-train-1", "mini,mini", "--data-dir", tmp_path, "--json")
    assert pulled.code == 0, pulled
    assert [one["task"] for one in json.loads(pulled.out)] == ["mini-hop-train-1", "mini"]


def test_an_unknown_benchmark_among_several_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    refusal = call("data", "pull", "mini", "mmsuu", "--data-dir", tmp_path).refusal()
    assert "unknown task 'mmsuu'. Did you mean mmsu" in refusal
    assert list(tmp_path.iterdir()) == []
    assert call("data", "pull").refusal() == "error: name a benchmark, such as mmar."


def test_a_benchmark_in_a_file_is_verified_and_its_own_faults_are_one_line(tmp_path: Path) -> None:
    write_birds(tmp_path / "birds", calls(3))
    where = ("--task-file", TASK, "--data-dir", tmp_path / "birds")
    done = call("data", "verify", *where)
    assert (done.code, "clips: 3 decode" in done.out) == (0, True), done
    assert done.next == [["dtbench", "run", "--model", "MODEL", *map(str, [*where[2:], *where[:2]])]]
    (tmp_path / "birds" / "1.clip").unlink()
    assert "1 of 3 clips are missing" in call("data", "verify", *where).out
    (tmp_path / "birds" / "birds.json").write_text("[{}]")
    refusal = call("data", "verify", *where).refusal(3)
    assert "birds: reading its questions failed with KeyError: 'id' (own_task.py, line " in refusal


def test_what_is_verified_has_to_be_named() -> None:
    assert "name a benchmark, such as mmar, or your own with --task-file" in call("data", "verify").refusal()


def test_a_version_that_is_a_number_is_not_read_as_a_part_of_the_count(tmp_path: Path) -> None:
    done = call("data", "verify", "mini", "--no-audio", "--data-dir", tmp_path)
    assert done.out.startswith("mini: version 1, 600 of 600 items, ")
