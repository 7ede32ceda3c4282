"""The same 5,000 made-up questions through dtbench and its peers, in turn; printed, never asserted.

Words only, as peers have no common way with clips, and a model that answers all at once with the same 1.2 kB chain:
what is left is the harness. Each is run as cheaply as it lets itself be, lm-eval also as its users start it.
DTBENCH_BENCH_LMMS=1 takes in lmms-eval, 1.8 GB; the others are 1.7 GB together, all in .venv-peers/.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from measured import CommandError, Cost, measured
from peer_environments import PEERS, PeerError, peer_commands

QUESTIONS = 5000
ROUNDS = 3
LONG = 30.0
"""A run of so many seconds is not repeated."""
SCRIPTS = Path(__file__).parent / "peers"
DTBENCH = Path(sys.executable).with_name("dtbench")
LETTERS = "ABCD"
# No comma: lmms-eval would end it there.
CHAIN = "The sound begins softly; a second one answers it; only then does the bird call. " * 15 + "\nANSWER: B\n"


@dataclass(slots=True)
class Contender:
    """A harness as it is run here."""

    title: str
    command: list[str | Path]
    """{out} stands for the folder of its logs."""
    logged: Callable[[Path], int] = lambda out: 0
    """How many answers it left there."""
    cost: Cost | None = None
    runs: int = 0
    answers: int = 0
    failure: str = field(default="", init=False)

    def run(self, folder: Path, env: Mapping[str, str]) -> None:
        """Once more, unless it failed or takes long."""
        if self.failure or (self.cost and self.cost.wall > LONG):
            return
        out = folder / f"{self.title} {self.runs}".replace(" ", "-")
        command = [str(part).replace("{out}", str(out)) for part in self.command]
        try:
            cost = measured(command, folder, env, folder / "said.txt")
            self.answers = self.logged(out)
        except (CommandError, OSError) as error:
            self.failure = str(error)
            return
        shutil.rmtree(out, ignore_errors=True)
        self.cost = cost.least(self.cost) if self.cost else cost
        self.runs += 1


def test_the_same_questions_through_dtbench_and_its_peers(tmp_path: Path) -> None:
    write_questions(tmp_path)
    contenders = [_dtbench(), *_peers()]
    _in_turn(contenders, tmp_path)
    _print(f"{QUESTIONS} questions, whole process, every answer logged", contenders)


def test_the_help_of_dtbench_and_its_peers(tmp_path: Path) -> None:
    commands = {"lm_eval": "lm_eval", "inspect_ai": "inspect", "evalscope": "evalscope", **_if_lmms("lmms-eval")}
    contenders = [Contender("dtbench --help", [DTBENCH, "--help"])]
    for name, command in commands.items():
        if bin_folder := _installed(name):
            contenders.append(Contender(f"{command} --help", [bin_folder / command, "--help"]))
    _in_turn(contenders, tmp_path)
    _print("--help, whole process", contenders)


def _in_turn(contenders: list[Contender], folder: Path) -> None:
    env = _environment(folder)
    for _ in range(ROUNDS):
        for contender in contenders:
            contender.run(folder, env)


def _environment(folder: Path) -> dict[str, str]:
    """Caches and settings of its own, no hub, and byte code kept between runs."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    home = folder / "home"
    home.mkdir()
    return {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "HF_HUB_OFFLINE": "1"}


def _dtbench() -> Contender:
    options = "run --model scripted -M script=script.jsonl --tasks mmar --data-dir mmar --out {out}".split()
    return Contender("dtbench", [DTBENCH, *options], _lines("mmar.jsonl"))


def _peers() -> list[Contender]:
    forms = [
        ("lm_eval", "", ["cli"], _lines("**/samples_*.jsonl")),
        ("lm_eval", ", no task index", ["own"], _lines("**/samples_*.jsonl")),
        ("evalscope", "", [], _lines("**/reviews/**/*.jsonl")),
        ("inspect_ai", "", [], _zipped_samples),
    ]
    if _if_lmms(""):
        forms.append(("lmms_eval", "", [], _lines("**/*_samples_*.jsonl")))
    contenders = []
    for name, form, arguments, logged in forms:
        if bin_folder := _installed(name):
            command: list[str | Path] = [bin_folder / "python", SCRIPTS / name / "ask.py", "{out}", *arguments]
            contenders.append(Contender(f"{PEERS[name].replace('==', ' ')}{form}", command, logged))
    return contenders


def _if_lmms(command: str) -> dict[str, str]:
    return {"lmms_eval": command} if os.environ.get("DTBENCH_BENCH_LMMS") else {}


def _installed(name: str) -> Path | None:
    try:
        return peer_commands(name)
    except PeerError as error:
        print(f"\nleft out: {error}")
        return None


def _lines(pattern: str) -> Callable[[Path], int]:
    def count(out: Path) -> int:
        return sum(path.read_bytes().count(b"\n") for path in out.glob(pattern))

    return count


def _zipped_samples(out: Path) -> int:
    with zipfile.ZipFile(next(out.glob("*.eval"))) as log:
        return sum(name.startswith("samples/") for name in log.namelist())


def _print(title: str, contenders: list[Contender]) -> None:
    ours = contenders[0].cost
    counted = any(contender.answers for contender in contenders)
    print(f"\n{title}, best of {ROUNDS}, {os.cpu_count()} cores; x: times dtbench")
    answers = f"{'logged':>8}" if counted else ""
    print(f"{'':<32}{'wall s':>8}{'x':>7}{'CPU s':>8}{'x':>7}{'peak MB':>9}{'x':>7}{'runs':>6}{answers}")
    for contender in contenders:
        if contender.cost is None or contender.failure:
            print(f"{contender.title:<32}failed: {contender.failure}")
            continue
        figures = [f"{each:>{width}.2f}" for each, width in zip(contender.cost, (8, 8, 9), strict=True)]
        ratios = [f"{each / one:>7.1f}" for each, one in zip(contender.cost, ours or contender.cost, strict=True)]
        columns = "".join(figure + ratio for figure, ratio in zip(figures, ratios, strict=True))
        answers = f"{contender.answers:>8}" if counted else ""
        print(f"{contender.title:<32}{columns}{contender.runs:>6}{answers}")


def write_questions(folder: Path) -> None:
    """The questions in the form that each harness reads, and the one answer."""
    asked = [_question(number) for number in range(QUESTIONS)]
    (folder / "answer.txt").write_text(CHAIN, encoding="utf-8")
    _write_lines(folder / "script.jsonl", [{"text": CHAIN}])
    _write_lines(folder / "questions.jsonl", asked)
    _write_lines(folder / "lettered" / "default_val.jsonl", [_lettered(item) for item in asked])
    _write_lines(folder / "mmar" / "MMAR-meta.jsonl", [_as_mmar(item) for item in asked])


Item = dict[str, object]


def _question(number: int) -> Item:
    question = f"Scene {number}: a street, some people and a bell are heard. " + "Which of them came first? " * 8
    choices = [f"the thing with number {number + place}" for place in range(len(LETTERS))]
    options = "\n".join(f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=True))
    gold = number % len(LETTERS)
    return {
        "id": f"made-up-{number}",
        "question": question,
        "choices": choices,
        "letter": LETTERS[gold],
        "answer": choices[gold],
        "prompt": f"{question}\n{options}\nThink, then end with ANSWER: and the letter.",
    }


def _lettered(item: Item) -> Item:
    choices = item["choices"]
    assert isinstance(choices, list)
    options = dict(zip(LETTERS, choices, strict=True))
    return {"id": item["id"], "question": item["question"], **options, "answer": item["letter"]}


def _as_mmar(item: Item) -> Item:
    groups = {"modality": "sound", "category": "Signal Layer", "sub-category": "Made up", "language": "en"}
    same = {name: item[name] for name in ("id", "question", "choices", "answer")}
    return {**same, "audio_path": f"./audio/{item['id']}.wav", **groups}


def _write_lines(path: Path, items: list[Item]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
