"""What a question over HTTP costs dtbench and its peers, without and with a clip of 10 s, in turn; printed.

The endpoint is a process of its own that answers at once; 64 requests are in flight. Each harness is run with few and
with many questions: the difference is what a question costs, its start left out. dtbench always plays a clip: where the
others send words only, its clip is of 0.01 s. What a peer cannot do stands in the table with its own words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bench_page import note
from chat_server import chatting_elsewhere
from contenders import DTBENCH, Contender, in_turn, installed, lines, print_table, zipped_samples
from peer_environments import peer_title
from peer_questions import Item, as_mmar, lettered, question, with_clip, write_lines
from small_data import tone

FEW, MANY = 100, 600
IN_FLIGHT = 64
SCRIPTS = Path(__file__).parent / "peers"
LOGS: dict[str, Callable[[Path], int]] = {
    "lm_eval": lines("**/samples_*.jsonl"),
    "evalscope": lines("**/reviews/**/*.jsonl"),
    "inspect_ai": zipped_samples,
}


@pytest.mark.parametrize("form", ["words", "clips"])
def test_questions_over_http_through_dtbench_and_its_peers(form: str, tmp_path: Path) -> None:
    with chatting_elsewhere() as url:
        few, many = (_contenders(url, form, _written(tmp_path, form, count), count) for count in (FEW, MANY))
        in_turn([*few, *many], tmp_path)
    print_table(f"{MANY} questions over HTTP, {form}, whole process", many)
    _print_difference(form, few, many)


def _contenders(url: str, form: str, data: Path, count: int) -> list[Contender]:
    options: list[str | Path] = [
        "run",
        "--model",
        url,
        "--concurrency",
        str(IN_FLIGHT),
        "--tasks",
        "mmar",
        "--data-dir",
        data,
    ]
    command: list[str | Path] = [DTBENCH, *options, "--out", "{out}"]
    contenders = [Contender(f"dtbench {count}", command, lines("mmar.jsonl"), "dtbench")]
    for name, logged in LOGS.items():
        if bin_folder := installed(name):
            script = SCRIPTS / name / "ask_http.py"
            command = [bin_folder / "python", script, "{out}", url, form, data, str(IN_FLIGHT)]
            contenders.append(Contender(f"{peer_title(name)} {count}", command, logged, peer_title(name)))
    return contenders


def _print_difference(form: str, few: list[Contender], many: list[Contender]) -> None:
    """CPU time of a question beyond the first, the same with the share of dtbench's."""
    print(f"\nHTTP, {form}: CPU of a further question, {FEW} to {MANY}; x: times dtbench")
    ours = 0.0
    besides = " (dtbench's with a clip of 10 ms)" if form == "words" else ""
    part = f"A further question over HTTP, {form}{besides}: CPU"
    for less, more in zip(few, many, strict=True):
        if less.cost is None or more.cost is None or more.failure:
            note(part, more.who, None, more.failure or less.failure)
            print(f"{more.title:<32}cannot: {more.failure or less.failure}")
            continue
        each = 1000 * (more.cost.cpu - less.cost.cpu) / (MANY - FEW)
        ours = ours or each
        note(part, more.who, each)
        print(f"{more.title:<32}{each:>8.2f} ms{each / ours:>7.1f}")


def _written(folder: Path, form: str, count: int) -> Path:
    """The questions in each harness's form, and a clip for each under a name of its own."""
    data = folder / f"{form}-{count}"
    clip = data / "audio" / "one.wav"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(tone(seconds=10.0 if form == "clips" else 0.01))
    asked = [question(number) for number in range(count)]
    for item in asked:
        (data / "audio" / f"{item['id']}.wav").hardlink_to(clip)
    heard: list[Item] = [with_clip(item, data / "audio") for item in asked]
    write_lines(data / "questions.jsonl", heard)
    write_lines(data / "lettered" / "default_val.jsonl", [lettered(item) for item in asked])
    write_lines(data / "vmcq" / "default.jsonl", [_for_evalscope(item) for item in heard])
    write_lines(data / "MMAR-meta.jsonl", [as_mmar(item) for item in asked])
    return data


def _for_evalscope(item: Item) -> Item:
    return {
        "question": f"<audio 1> {item['question']}",
        "options": item["choices"],
        "audio_1": item["audio"],
        "answer": item["letter"],
    }
