"""Prompts, templates of judges, policies of gates and settings with odd bytes in them: one line, never a traceback."""

from __future__ import annotations

import contextlib
import json
import os
import random
from pathlib import Path

import pytest
from campaign import CAMPAIGN
from chat_server import chatting
from command import call
from judges import mmar_with_criteria
from made_up_run import write_run
from odd_values import damaged_bytes

from dtbench.harness.core.errors import UserError
from dtbench.harness.run.config_file import Place, expand_variables, refuse_secrets

WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
SEED = int(os.environ.get("DTBENCH_SEED", "22"))
POLICY = b'max-drop = 2\nalpha = 0.05\n\n[task.mmar]\nmax-drop = 3\nweight = 2\n\n[group."category=x"]\nmax-drop = 5\n'
SETTINGS = {
    "config.toml": b'model = "random"\ntasks = ["mini"]\nlimit = 3\nconcurrency = 4\n\n[options]\nseed = 3\n',
    "config.json": b'{"model": "random", "tasks": ["mini"], "limit": 3, "options": {"seed": [1, {"a": null}]}}',
    "config.yaml": b"model: random\ntasks: [mini]\nlimit: 3\noptions:\n  seed: 3\nseed: ${NOPE:-3}\n",
}
WHOLE_FILES = {
    "prompt.txt": b"Listen. {question}\n{options}\nSay {which}: {{x}} \xc3\xa9\n",
    "system.txt": b"You listen well.\n",
    "judge.txt": b"Question: {question}\nRight: {answer}\nSaid: {response}\nSay yes or no.\n",
    "gate.toml": POLICY,
    **SETTINGS,
}
RUN = ("run", "--model", "random", "--tasks", "mmar", "--data-dir", "{data}", "--limit", "2", "--dry-run")
COMMANDS = {
    "prompt.txt": (*RUN, "--prompt", "{file}"),
    "system.txt": (*RUN, "--system", "{file}"),
    "judge.txt": ("judge", "{run}", "--model", "tiny", "--base-url", "{url}", "--judge-prompt", "{file}", "--estimate"),
    "gate.toml": ("gate", "--baseline", "{run}", "--candidate", "{other}", "--policy", "{file}"),
    **dict.fromkeys(SETTINGS, ("run", "--config", "{file}", "--dry-run")),
}
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
ODD = {
    "nothing": b"",
    "no text": b"\xff\xfe\x00\x01",
    "zeros": bytes(5000),
    "open braces": b"{" * 5000,
    "deep lists": b"[" * 100_000,
    "deep settings": b'{"model": ' * 50_000,
    "deep yaml": b"- " * 3000 + b"x",
    "names of formats": b"{question.__class__} {0} {} {question!r:>99999999999} {options[0]}",
    "a variable of no name": b'model = "${}"\ntasks = ["${A b}"]\n',
    "an alias of itself": b"model: &a [*a]\ntasks: *a\n",
    "aliases of aliases": LAUGHS.encode(),
    "numbers beyond all": b"max-drop = 1e999\nalpha = nan\nlimit = 9999999999999999999999\n[task.mmar]\nweight = inf\n",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_odd_file_of_a_user_is_one_line_or_read(name: str, tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} {name}")
    mmar_with_criteria(tmp_path / "mmar", 4)
    runs = {name: tmp_path / name for name in ("run", "other")}
    for run in runs.values():
        write_run(run, {"mmar": tmp_path / "mmar"}, lambda one, _: f"<think>Hm.</think>{one.answer}")
    file, whole = tmp_path / name, WHOLE_FILES[name]
    contents = [*ODD.values(), *(damaged_bytes(whole, chance) for _ in range(150 if WHOLE else 12))]
    with chatting() as chat:
        for content in contents:
            file.write_bytes(content)
            words = [word.format(file=file, **runs, data=tmp_path, url=chat.url) for word in COMMANDS[name]]
            done = call(*words)
            assert done.code in {0, 2, 3, 4}, (content[:80], done)
            assert "Traceback" not in done.err, content[:80]
            assert "should not have happened" not in done.err, (content[:80], done.err)
            if done.code == 2:
                assert done.refusal(), content[:80]
                assert len(done.err) < 5000, content[:80]
    CAMPAIGN.note(f"odd {name}", len(contents))


@pytest.mark.parametrize("unit", ["a", "{", "$", "${", "${a", "${a}", "a ${HOME} ", "${a b}"])
def test_a_setting_of_megabytes_is_read_in_one_pass(unit: str) -> None:
    """A search from each of its signs would take hours."""
    text, place = unit * (1_000_000 // len(unit)), Place(Path("x.toml"), "model")
    refuse_secrets(place, "model", text)
    said = ""
    with contextlib.suppress(UserError):
        said = expand_variables(text, place)
    assert len(said) in {0, len(text), text.count("${HOME}") * (len(os.environ["HOME"]) + 3)}


def test_a_file_of_very_many_names_is_read_and_names_the_one_that_is_there_twice(tmp_path: Path) -> None:
    file = tmp_path / "many.json"
    names = [f'"n{number}": 1' for number in range(100_000)]
    file.write_text("{" + ", ".join([*names, '"n99999": 2']) + "}")
    line = call("run", "--config", file, "--dry-run").refusal()
    assert line == f"error: {file}: n99999 is there twice: leave one out."
    assert json.loads(file.read_text())["n99999"] == 2
