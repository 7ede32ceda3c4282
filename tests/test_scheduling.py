"""Which files of tests go to a worker together."""

from __future__ import annotations

from scheduling import ENGINES, ROOT, group


def test_the_files_that_share_a_server_are_one_piece_of_work_and_every_other_is_one_of_its_own() -> None:
    files = [str(path.relative_to(ROOT)) for path in (ROOT / ENGINES).glob("test_*.py")]
    sharing = [file for file in files if "vllm_server: Server" in (ROOT / file).read_text()]
    assert len(sharing) > 2
    assert len({group(file) for file in sharing}) == 1
    alone = [file for file in files if file not in sharing]
    assert [group(file) for file in alone] == alone
    assert group("tests/test_scheduling.py") == "tests/test_scheduling.py"
