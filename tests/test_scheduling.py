"""Which files of tests go to a worker together."""

from __future__ import annotations

import pytest
from scheduling import ENGINES, LONG, ROOT, SHARED, group, urgency

FILES = [str(path.relative_to(ROOT)) for path in (ROOT / ENGINES).glob("test_*.py")]


@pytest.mark.parametrize(("fixture", "at_least"), [("vllm_server: Server", 3), ("first_demo: Demo", 2)])
def test_the_files_that_share_an_engine_are_one_piece_of_work(fixture: str, at_least: int) -> None:
    sharing = [file for file in FILES if fixture in (ROOT / file).read_text()]
    assert len(sharing) >= at_least
    assert len({group(file) for file in sharing}) == 1


def test_every_other_file_is_a_piece_of_work_of_its_own() -> None:
    alone = [file for file in FILES if not any(fixture in (ROOT / file).read_text() for fixture in SHARED)]
    assert [group(file) for file in alone] == alone
    assert group("tests/test_scheduling.py") == "tests/test_scheduling.py"


def test_what_takes_long_comes_before_all_that_is_short_however_many_tests_that_are() -> None:
    assert all((ROOT / file).is_file() for file in LONG)
    short, engine = ("tests/test_words.py", 3000), ("tests/engines/test_train_dev.py", 1)
    assert min(urgency(file, 1) for file in LONG) > urgency(*short) < urgency(*engine)
