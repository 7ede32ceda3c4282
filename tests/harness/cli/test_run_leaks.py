"""What reaches an endpoint is the clip, the question, the options and the prompt, and nothing else of an item."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from chat_server import Asked, chatting
from command import call
from runs import records
from small_data import (
    Item,
    mmar_items,
    mmar_v1_archive,
    mmar_v2_folder,
    mmau_items,
    mmau_json_folder,
    mmau_test_json,
    mmsu_items,
    mmsu_jsonl_folder,
)

from dtbench.harness.store.types import Record

TASKS: Mapping[str, tuple[Callable[[Path], None], list[Item]]] = {
    "mmar": (mmar_v2_folder, mmar_items()),
    "mmar v1": (mmar_v1_archive, mmar_items(version=1)),
    "mmau-mini": (mmau_json_folder, mmau_items()),
    "mmau-test": (mmau_test_json, mmau_items(split="test")),
    "mmsu": (mmsu_jsonl_folder, mmsu_items()),
}


@pytest.mark.parametrize("arguments", [(), ("--audio", "shuffle"), ("--permute", "1")], ids=["plain", "clip", "order"])
@pytest.mark.parametrize("name", TASKS)
def test_nothing_of_an_item_but_question_options_and_clip_is_sent(
    tmp_path: Path, name: str, arguments: tuple[str, ...]
) -> None:
    write, items = TASKS[name]
    write(tmp_path / "data")
    task = name.split()[0]
    asked_for = ("--tasks", task, "--data-dir", tmp_path / "data", "--out", tmp_path / "out")
    with chatting() as chat:
        assert call("run", "--model", chat.url, *asked_for, *arguments).code == 0
    assert len(chat.asked) == len(items) == len(list(out_records(tmp_path / "out", task)))
    rests = set()
    for item in items:
        (asked,) = [asked for asked in chat.asked if question_of(item) in words_of(asked)]
        rest = remainder(asked, item)
        assert told_apart(item, rest) == []
        assert no_name_in_head(asked, item)
        rests.add(re.sub(r"(\([A-Z]\)\s*)+", "(options)", rest))
    assert len(rests) == 1, "less the question and its options, all requests are the same"


def out_records(out: Path, task: str) -> Iterator[Record]:
    for folder in (out, *out.glob("*-*")):
        if (folder / "run.json").exists():
            yield from records(folder, task)


def question_of(item: Item) -> str:
    return str(item["question"])


def words_of(asked: Asked) -> str:
    """The text of a request."""
    (words,) = [part["text"] for part in asked.json()["messages"][-1]["content"] if part["type"] == "text"]
    return str(words)


def options_of(item: Item) -> list[str]:
    found = item.get("choices") or [item[f"choice_{letter}"] for letter in "abcd"]
    return [option for option in found if option is not None]


def remainder(asked: Asked, item: Item) -> str:
    """The body less the clip, the seed, and the question and each option once: a right answer beside them stays."""
    body = asked.json()
    assert isinstance(body.pop("seed"), int)
    for message in body["messages"]:
        for part in message["content"]:
            if part["type"] == "input_audio":
                assert part["input_audio"].pop("data")
    text = json.dumps(body, ensure_ascii=False).replace("\\n", "\n")
    for known in (question_of(item), *sorted(options_of(item), key=len, reverse=True)):
        assert known in text
        text = text.replace(known, " ", 1)
    return text


def told_apart(value: object, text: str, name: str = "") -> list[str]:
    """The fields of an item whose value stands in a text."""
    if isinstance(value, dict):
        return [found for key, part in value.items() for found in told_apart(part, text, key)]
    if isinstance(value, list):
        return [found for part in value for found in told_apart(part, text, name)]
    short = value is None or len(str(value)) < 3
    return [] if short or str(value).strip("./") not in text else [f"{name}: {value}"]


def no_name_in_head(asked: Asked, item: Item) -> bool:
    """Whether path and headers name neither the question nor its clip."""
    head = asked.path + str(dict(asked.headers))
    return item["id"] not in head and "clip" not in head and task_words(item).isdisjoint(head.split())


def task_words(item: Item) -> set[str]:
    return {str(item.get(name)) for name in ("modality", "category", "task", "sub-category")}


def test_a_leak_would_be_found() -> None:
    (item, *_) = mmar_items()
    assert told_apart(item, f"the clip is {item['audio_path']}")
    assert told_apart(item, f"modality: {item['modality']}")
    assert told_apart(item, "nothing of it") == []
