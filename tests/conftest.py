"""What holds for all tests: Ctrl-C reaches what they start, and CI skips none that needs more than this environment."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engines import ONE_THREAD
from hypothesis import HealthCheck, settings
from required import failed_if_skipped

if TYPE_CHECKING:
    from scheduling import EnginesFirst

# What takes how long says nothing of the code on a machine with other things to do.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """What a job in a shell's background starts would ignore Ctrl-C; and of torch's threads one is enough."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(ONE_THREAD | os.environ)
    os.environ.setdefault("DTBENCH_EVALUATIONS", "off")  # each test evaluates for itself
    # A process that may not keep byte code compiles the whole package: a quarter of what a command takes.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> EnginesFirst | None:
    """With --dist loadfile, engines come first and one that is shared is started by one worker alone."""
    if config.getoption("dist") != "loadfile":
        return None
    from scheduling import EnginesFirst

    return EnginesFirst(config, log)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a file that -m leaves out as a whole: some load torch, which takes seconds in each worker."""
    asked = config.getoption("markexpr").split(" and ")
    left_out = [name for name in ("engine", "browser", "neighbour") if f"not {name}" in asked]
    if not left_out or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text()
    return any(f"\npytestmark = pytest.mark.{name}\n" in text for name in left_out) or None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thirteen thousand tests are no garbage: looking through them again and again takes seconds in each worker."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow proofs to `make whole`."""
    if os.environ.get("DTBENCH_WHOLE") == "1":
        return
    slow = [item for item in items if item.get_closest_marker("whole")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture(autouse=True)
def no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test gave as a secret is masked in no other one."""
    if known := sys.modules.get("dtbench.harness.store.known_secrets"):
        monkeypatch.setattr(known, "_KNOWN", known._Known())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where engines, browsers and neighbours are required, a test of theirs that skips has failed."""
    report = yield
    if any(item.get_closest_marker(name) for name in ("engine", "browser", "neighbour")):
        failed_if_skipped(report)
    return report
