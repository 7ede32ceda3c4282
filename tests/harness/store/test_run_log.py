"""The log of a run: what is in it, what is not, and that it never stands in a run's way."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from run_records import SETTINGS

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.run_log import PLAIN_LINES, RunLog

LOG = logging.getLogger("dtbench.harness.made_up")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (?:INFO|WARNING|ERROR) [\w.]+: .*")


def text_of(folder: Path) -> str:
    return (folder / "run.log").read_text()


def test_each_start_is_appended_a_line_each_with_time_and_level(tmp_path: Path) -> None:
    for number in range(2):
        with RunFolder.start(tmp_path, SETTINGS, command=["dtbench", "run", f"{number} of two"]) as folder:
            LOG.info("two\nlines")
            LOG.debug("not kept")
            folder.finish("done")
    lines = text_of(tmp_path).splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    said = [line.split(": ", 1)[1] for line in lines]
    assert said[1:4] == ["two", "lines", "ended: done"]
    assert "run '0 of two'" in said[0]
    assert "run '1 of two'" in said[4]
    assert len(said) == 8


def test_a_start_that_fails_leaves_its_traceback(tmp_path: Path) -> None:
    def fail() -> None:
        raise MachineryError("the engine is gone") from OSError("no space")

    with pytest.raises(MachineryError), RunFolder.start(tmp_path, SETTINGS):
        fail()
    text = text_of(tmp_path)
    assert "MachineryError: the engine is gone" in text
    assert "OSError: no space" in text
    assert ", in fail" in text
    assert text.splitlines()[-1].endswith("ended: failed")


def test_no_secret_is_in_it_wherever_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTBENCH_API_KEY", "from-the-environment")
    secrets = ("from-the-environment", "sk-abcdefghijklmnop", "swordfish-9")
    command = ["dtbench", "run", "-M", f"api_key={secrets[2]}"]

    def fail() -> None:
        LOG.warning("asked with %s and %s", *secrets[:2])
        raise ValueError(secrets[1])

    with pytest.raises(ValueError, match="sk-"), RunFolder.start(tmp_path, SETTINGS, command=command):
        fail()
    text = text_of(tmp_path)
    assert not [secret for secret in secrets if secret in text]
    assert "asked with *** and ***" in text
    assert "ValueError: ***" in text


def test_a_storm_of_one_kind_of_line_is_thinned_and_others_are_kept(tmp_path: Path) -> None:
    with RunLog(tmp_path / "run.log"):
        for number in range(5000):
            LOG.warning("attempt %d failed", number)
        LOG.warning("something else")
    text = text_of(tmp_path)
    assert text.count("failed") < PLAIN_LINES + 10
    assert "attempt 4095 failed [line 4096 of its kind; most are left out]" in text
    assert "something else" in text


def test_where_it_cannot_be_written_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    for path in (tmp_path / "full", tmp_path / "no" / "such" / "folder", tmp_path):
        with RunLog(path):
            LOG.error("nobody keeps this")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_program_of_ones_own_sees_no_more_on_stderr_than_without_a_log(tmp_path: Path) -> None:
    code = """
import logging, sys
from pathlib import Path
from dtbench.harness.store.run_folder import RunFolder
if sys.argv[2] == "own":
    logging.basicConfig(format="%(levelname)s %(message)s")
log = logging.getLogger("dtbench.harness.made_up")
for name in ("one", "two"):
    with RunFolder.start(Path(sys.argv[1]) / name, {"tasks": {}}) as first, \\
        RunFolder.start(Path(sys.argv[1]) / f"{name}-beside", {"tasks": {}}):
        log.info("for the log")
        log.warning("for both")
assert logging.getLogger("dtbench").handlers == [] and logging.getLogger("dtbench").propagate
assert logging.getLogger("dtbench").level == logging.NOTSET
"""
    for handlers, shown in (("none", ""), ("own", "WARNING for both\nWARNING for both\n")):
        command = [sys.executable, "-c", code, str(tmp_path / handlers), handlers]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, shown)
        for name in ("one", "two-beside"):
            assert "for the log" in text_of(tmp_path / handlers / name)


def test_a_folder_with_nothing_but_a_log_may_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text("of a run whose run.json was lost\n")
    with RunFolder.start(tmp_path, SETTINGS) as folder:
        folder.finish("done")
    assert text_of(tmp_path).startswith("of a run whose run.json was lost\n")


def test_a_terminal_that_shows_the_log_is_not_steered_by_what_a_message_holds(tmp_path: Path) -> None:
    with RunFolder.start(tmp_path, SETTINGS):
        LOG.warning("upstream said: \x1b[2J%s", "\x9b31m\x07")
    (line,) = [line for line in text_of(tmp_path).splitlines() if "upstream said" in line]
    assert line.endswith(r" upstream said: \x1b[2J\x9b31m\x07")
