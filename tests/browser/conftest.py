"""What the browser tests share: one Chromium for all of them, and reports made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import DESK, Browser, browsing
from browsers import installed, why_not
from command import call
from reported import two_runs


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium."""
    if installed() is None:
        pytest.skip(why_not())
    with browsing(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """The Chromium in a window of usual size, in the light, with nothing in its memory."""
    chromium.size(*DESK)
    chromium.dark(wanted=False)
    return chromium


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs over 300 questions, the second one better."""
    return two_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def one(runs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the first run."""
    return written(tmp_path_factory.mktemp("one") / "report.html", runs[0])


@pytest.fixture(scope="session")
def two(runs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of both."""
    return written(tmp_path_factory.mktemp("two") / "report.html", *runs)


def written(page: Path, *arguments: str | Path) -> Path:
    """What `dtbench report` writes."""
    done = call("report", *arguments, "--out", page)
    assert done.code == 0, done
    return page
