"""The same 5,000 made-up questions through dtbench and its peers, in turn; printed, never asserted.

Words only, as peers have no common way with clips, and a model that answers all at once with the same 1.2 kB chain:
what is left is the harness, for which the bar is 0.6 s on a quiet machine. Each is run as cheaply as it lets itself be,
lm-eval also as its users start it. Where other things run as well, compare CPU time, and the ratios within one run.
DTBENCH_BENCH_LMMS=1 takes in lmms-eval, 1.8 GB; the others are 1.7 GB together, all in .venv-peers/.
"""

from __future__ import annotations

from pathlib import Path

from contenders import DTBENCH, Contender, if_lmms, in_turn, installed, lines, print_table, zipped_samples
from peer_environments import peer_title
from peer_questions import as_mmar, lettered, question, write_lines

QUESTIONS = 5000
SCRIPTS = Path(__file__).parent / "peers"
# No comma: lmms-eval would end it there.
CHAIN = "The sound begins softly; a second one answers it; only then does the bird call. " * 15 + "\nANSWER: B\n"


def test_the_same_questions_through_dtbench_and_its_peers(tmp_path: Path) -> None:
    write_questions(tmp_path)
    contenders = [_dtbench(), *_peers()]
    in_turn(contenders, tmp_path)
    print_table(f"{QUESTIONS} questions, whole process, every answer logged", contenders)


def test_the_help_of_dtbench_and_its_peers(tmp_path: Path) -> None:
    commands = {"lm_eval": "lm_eval", "inspect_ai": "inspect", "evalscope": "evalscope", **if_lmms("lmms-eval")}
    contenders = [Contender("dtbench --help", [DTBENCH, "--help"])]
    for name, command in commands.items():
        if bin_folder := installed(name):
            contenders.append(Contender(f"{command} --help", [bin_folder / command, "--help"]))
    in_turn(contenders, tmp_path)
    print_table("--help, whole process", contenders)


def _dtbench() -> Contender:
    options = "run --model scripted -M script=script.jsonl --tasks mmar --data-dir mmar --out {out}".split()
    return Contender("dtbench", [DTBENCH, *options], lines("mmar.jsonl"))


def _peers() -> list[Contender]:
    forms = [
        ("lm_eval", "", ["cli"], lines("**/samples_*.jsonl")),
        ("lm_eval", ", no task index", ["own"], lines("**/samples_*.jsonl")),
        ("evalscope", "", [], lines("**/reviews/**/*.jsonl")),
        ("inspect_ai", "", [], zipped_samples),
    ]
    if if_lmms(""):
        forms.append(("lmms_eval", "", [], lines("**/*_samples_*.jsonl")))
    contenders = []
    for name, form, arguments, logged in forms:
        if bin_folder := installed(name):
            command: list[str | Path] = [bin_folder / "python", SCRIPTS / name / "ask.py", "{out}", *arguments]
            contenders.append(Contender(f"{peer_title(name)}{form}", command, logged))
    return contenders


def write_questions(folder: Path) -> None:
    """The questions in the form that each harness reads, and the one answer."""
    asked = [question(number) for number in range(QUESTIONS)]
    (folder / "answer.txt").write_text(CHAIN, encoding="utf-8")
    write_lines(folder / "script.jsonl", [{"text": CHAIN}])
    write_lines(folder / "questions.jsonl", asked)
    write_lines(folder / "lettered" / "default_val.jsonl", [lettered(item) for item in asked])
    write_lines(folder / "mmar" / "MMAR-meta.jsonl", [as_mmar(item) for item in asked])
