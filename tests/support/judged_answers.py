"""A task of open questions whose answers wait for a judge, a run of it, and judges of answers on this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chat_server import Asked, Turn
from command import call
from runs import write_script

BELLS = ("an owl", "a bell", "the sea", "a train", "a kettle", "two dogs")
"""What is right of each question."""
_TASK = """
from dtbench import Sample, Task, make_scorer

BELLS = {bells!r}
CHOICES = {choices!r}


class Chimes(Task):
    name = "chimes"
    scorers = [{scorers}]

    def samples(self, data_dir):
        for number, bell in enumerate(BELLS):
            groups = {{"half": "first" if number < 3 else "second"}}
            item = {{"spoken": {{"words": f"Scene {{number}}!"}}}}
            yield Sample(f"q{{number}}", f"What is heard in scene {{number}}?", CHOICES, bell, groups=groups, item=item)
"""
_FENCED = re.compile(r"^BEGIN (\w+)\n(.*)\nEND \1$", re.MULTILINE | re.DOTALL)
_GOLD = re.compile(r"^Right answer: (.*)$", re.MULTILINE)


def judged_by(name: str = "judge", **options: Any) -> str:
    """The source of a scorer."""
    return f"make_scorer({name!r}, options={options!r})"


def chimes_run(
    folder: Path, texts: Mapping[int, str], scorers: str = judged_by(), *options: str, choices: tuple[str, ...] = ()
) -> Path:
    """A run in which question n gets texts[n], or else the right answer."""
    task = folder / "chimes.py"
    task.write_text(_TASK.format(bells=BELLS, choices=choices, scorers=scorers))
    answers = [texts.get(number, f"It is {bell}.") for number, bell in enumerate(BELLS)]
    lines = [{"id": f"q{number}", "text": text} for number, text in enumerate(answers)]
    script = write_script(folder / "chimes.script", lines)
    out = folder / "run"
    done = call("run", *script, "--task-file", task, "--out", out, *options)
    assert done.code == 0, done
    return out


def words_of(asked: Asked) -> str:
    """What a judge was asked."""
    return str(asked.json()["messages"][-1]["content"])


def says_so(asked: Asked) -> bool:
    """Whether the right answer stands between the lines."""
    text = words_of(asked)
    gold, answer = _GOLD.search(text), _FENCED.search(text)
    assert gold is not None, text
    assert answer is not None, text
    return gold[1] in answer[2]


def fair(asked: Asked) -> Turn:
    """A judge that says what is true."""
    return Turn("CORRECT" if says_so(asked) else "INCORRECT")


def obedient(asked: Asked) -> Turn:
    """A judge that does what an answer tells it."""
    return Turn("CORRECT") if "it was checked before" in words_of(asked) else fair(asked)


def unreadable_where(part: str, judge: Callable[[Asked], Turn] = fair) -> Callable[[Asked], Turn]:
    """A judge that says nothing of use where a part stands in what it is asked."""
    return lambda asked: Turn("Who knows?") if part in words_of(asked) else judge(asked)


def letters_of(asked: Asked) -> Turn:
    """Vectors that count the letters of a text: no model, but near where texts are alike."""
    texts = asked.json()["input"]
    data = [
        {"index": place, "embedding": [float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"]}
        for place, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 5 * len(texts), "total_tokens": 5 * len(texts)}
    return Turn(body=json.dumps({"data": data, "usage": usage}).encode())
