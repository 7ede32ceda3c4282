"""Parquet whose audio is broken: what can be read is asked about, and each other clip fails with its reason."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
import pytest
from campaign import CAMPAIGN
from chat_server import Chat, chatting
from command import call
from odd_values import damaged_bytes
from pyarrow import parquet
from runs import records
from small_data import mmau_hub_parquet, published_clips

WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
SEED = int(os.environ.get("DTBENCH_SEED", "22"))


@pytest.fixture(scope="module")
def chat() -> Iterator[Chat]:
    with chatting() as endpoint:
        yield endpoint


def ask(chat: Chat, folder: Path, out: Path) -> tuple[int, str]:
    """The code of a run over the clips of this folder, and what it said."""
    model = ("--model", chat.url, "-M", "model=tiny", "--max-failed", "1")
    done = call("run", *model, "--tasks", "mmau-mini", "--data-dir", folder, "--out", out)
    assert "Traceback" not in done.err, done.err
    assert "should not have happened" not in done.err, done.err
    return done.code, done.err


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda clip: None, "the column 'context' has no audio bytes"),
        (lambda clip: b"", "the clip is empty (0 bytes)"),
        (lambda clip: clip[:30], "does not decode: Error in WAV file. No 'data' chunk marker"),
        (lambda clip: b"<html>log in</html>", "Format not recognised (it begins with b'<htm')"),
        (lambda clip: bytes(len(clip)), "does not decode: Format not recognised"),
    ],
    ids=["none", "empty", "cut in its header", "a page", "zeros"],
)
def test_a_broken_clip_in_parquet_fails_its_question_alone_and_says_why(
    broken: Callable[[bytes], bytes | None], why: str, tmp_path: Path, chat: Chat
) -> None:
    mmau_hub_parquet(tmp_path / "mmau-mini")
    file = tmp_path / "mmau-mini" / "test_mini.parquet"
    table = parquet.read_table(file)
    clips: list[bytes | None] = list(published_clips(len(table)))
    clips[2] = broken(published_clips(3)[2])
    cells = pyarrow.array([{"bytes": clip, "path": None} for clip in clips], table.schema.field("context").type)
    parquet.write_table(table.set_column(table.schema.get_field_index("context"), "context", cells), file)
    assert ask(chat, tmp_path / "mmau-mini", tmp_path / "run")[0] == 0
    answered = {one["id"]: one.get("error") for one in records(tmp_path / "run", "mmau-mini")}
    assert len(answered) == len(clips)
    ((id_, error),) = ((id_, error) for id_, error in answered.items() if error is not None)
    assert id_ == table["other_attributes"][2].as_py().partition('"id": "')[2].partition('"')[0]
    assert why in error["message"]
    assert "\n" not in error["message"]


def test_damaged_parquet_is_one_line_or_a_failure_of_each_question_that_it_hits(tmp_path: Path, chat: Chat) -> None:
    chance = random.Random(f"{SEED} parquet")
    mmau_hub_parquet(tmp_path / "whole")
    whole = (tmp_path / "whole" / "test_mini.parquet").read_bytes()
    tries, codes = 240 if WHOLE else 24, set()
    for number in range(tries):
        folder, out = tmp_path / f"{number}" / "mmau-mini", tmp_path / f"{number}" / "run"
        folder.mkdir(parents=True)
        damaged = damaged_bytes(whole, chance) if number % 2 else scratched(whole, chance)
        (folder / "test_mini.parquet").write_bytes(damaged)
        code, said = ask(chat, folder, out)
        codes.add(code)
        assert code in {0, 2, 3}, said
        if code == 2:
            assert len(said.splitlines()) == 1, said
        shutil.rmtree(folder.parent)
    CAMPAIGN.note("parquet with damaged bytes", tries)
    assert 2 in codes


def scratched(content: bytes, chance: random.Random) -> bytes:
    """The bytes with a stretch of them changed: its length and its footer are as they were."""
    start = chance.randrange(4, len(content) - 2000)
    length = chance.choice((1, 16, 500))
    return content[:start] + chance.randbytes(length) + content[start + length :]
