"""What the pages of --help end with: examples of each command, and what its exit codes mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Example(NamedTuple):
    """A command that a reader can copy."""

    purpose: str
    command: str


EXAMPLES: Mapping[str, Sequence[Example]] = {
    "": (
        Example("a first score, without downloads", "dtbench demo"),
        Example("download the data of a benchmark", "dtbench data pull mmar"),
        Example("run a checkpoint on it", "dtbench run --model Qwen/Qwen2.5-Omni-7B --tasks mmar --out runs/qwen"),
        Example("write a page with every answer", "dtbench report runs/qwen"),
    ),
    "demo": (
        Example("with whatever is installed", "dtbench demo"),
        Example("with transformers, into a folder of your choice", "dtbench demo --backend local --out runs/demo"),
    ),
    "doctor": (
        Example("what is here, what is missing, and how to install it", "dtbench doctor"),
        Example("for a script or a bug report", "dtbench doctor --json"),
    ),
    "tasks": (
        Example("all benchmarks", "dtbench tasks"),
        Example("one of them, for a script", "dtbench tasks mmsu --json"),
        Example("your own task", "dtbench tasks --task-file my.toml"),
    ),
    "new": (
        Example("a task file, questions with clips, and a test", "dtbench new task bird-calls"),
        Example("into a folder of your choice", "dtbench new task bird-calls --to benchmarks"),
    ),
    "new task": (
        Example("a task file, questions with clips, and a test", "dtbench new task bird-calls"),
        Example("the files that were written, for a script", "dtbench new task bird-calls --json"),
    ),
    "models": (
        Example("all families", "dtbench models"),
        Example("what is known about one: limits, sampling, pitfalls", "dtbench models qwen2.5-omni"),
    ),
    "data": (
        Example("download a benchmark", "dtbench data pull mmar"),
        Example("check that it is complete", "dtbench data verify mmar"),
    ),
    "data pull": (
        Example("into the default data folder", "dtbench data pull mmar mmsu"),
        Example("somewhere else", "dtbench data pull mmsu --data-dir /data/audio"),
        Example("for a task file, or a data set that contains one", "dtbench data pull my.toml hf:ORG/NAME"),
    ),
    "data verify": (
        Example("everything, clips included", "dtbench data verify mmar"),
        Example("a part of a benchmark, without its clips", "dtbench data verify mmsu --subset --no-audio"),
    ),
    "data convert": (
        Example("a published data set to training rows", "dtbench data convert avqa ./AVQA --out rows.jsonl"),
        Example("the same, with counts for a script", "dtbench data convert iemocap ./IEMOCAP --out r.jsonl --json"),
    ),
    "data load": (
        Example("a benchmark for datasets.load_from_disk", "dtbench data load mini --to mini-dataset"),
        Example("training rows, in and out", "dtbench data load mini-train-1 --to rows-dataset"),
    ),
    "run": (
        Example("a checkpoint, with vLLM", "dtbench run --model Qwen/Qwen2.5-Omni-7B --tasks mmar,mmsu"),
        Example("an endpoint, reasoning first", "dtbench run --base-url localhost:8000 --tasks mmar --answer think"),
        Example("a config file: what it would do", "dtbench run --config eval.toml --dry-run"),
        Example("the third of four parts", "dtbench run --model ./ckpt --tasks mmsu --shard 3/4 --out run"),
    ),
    "sweep": (
        Example("all checkpoints of a training", "dtbench sweep out/checkpoint-* --tasks mmar,mmsu --out runs/sweep"),
        Example("ten questions each, as JSON", "dtbench sweep ckpt-a ckpt-b --tasks mmar --limit 10 --json"),
    ),
    "merge": (
        Example("write the summary, or see which shards are missing", "dtbench merge runs/qwen"),
        Example("the same for a script", "dtbench merge runs/qwen --json"),
    ),
    "score": (
        Example("a prediction file", "dtbench score --task mmar --predictions predictions.jsonl"),
        Example("a stored run, with stricter evidence", "dtbench score runs/qwen --min-evidence stated"),
        Example("accuracy by acoustic properties", "dtbench score runs/qwen --acoustics"),
    ),
    "compare": (
        Example("two runs", "dtbench compare runs/base runs/tuned"),
        Example("several against the first, one benchmark", "dtbench compare runs/a runs/b runs/c --task mmar"),
    ),
    "gate": (
        Example("in CI", "dtbench gate --baseline runs/main --candidate runs/pr --junit gate.xml"),
        Example(
            "up to 3 points worse, and pass if inconclusive",
            "dtbench gate --baseline a --candidate b --max-drop 3 --undecided pass",
        ),
    ),
    "report": (
        Example("one run", "dtbench report runs/qwen"),
        Example("two side by side", "dtbench report runs/base runs/tuned --out compare.html"),
        Example("many, with your own names", "dtbench report runs/a runs/b --label 7B --label 30B"),
        Example("accuracy by acoustic properties", "dtbench report runs/qwen --acoustics"),
    ),
    "table": (
        Example("runs and the published scores, for a paper", "dtbench table runs/base runs/tuned --published --latex"),
        Example(
            "by category, with intervals",
            "dtbench table runs/a runs/b --by category --interval brackets --out table.md",
        ),
    ),
    "plot": (
        Example("runs side by side, by category", "dtbench plot runs/base runs/tuned --by category --out groups.svg"),
        Example("nightly runs and their verdicts", "dtbench plot runs/nights --kind history --baseline runs/base"),
    ),
    "board": (
        Example("one benchmark, with your own runs", "dtbench board --task mmar --runs runs"),
        Example("published numbers as Markdown", "dtbench board --published --md"),
    ),
    "judge": (
        Example(
            "what it would cost",
            "dtbench judge runs/qwen --base-url localhost:8000 --estimate --price 2.50/10",
        ),
        Example("score the reasoning", "dtbench judge runs/qwen --base-url localhost:8000"),
        Example("are open answers right?", "dtbench judge runs/qwen --base-url localhost:8000 --scorer same-answer"),
    ),
    "faithful": (
        Example("with the run's own model", "dtbench faithful runs/qwen"),
        Example("with an endpoint, 100 questions", "dtbench faithful runs/qwen --base-url localhost:8000 --limit 100"),
        Example("only two changes", "dtbench faithful runs/qwen --only 'control,empty'"),
    ),
    "export": (
        Example("for the Audio Reasoning Challenge", "dtbench export runs/qwen --format arc"),
        Example("check a file before you upload it", "dtbench export --format arc --check arc.jsonl"),
        Example("every answer as a data set, with a data set card", "dtbench export runs/qwen --format parquet"),
        Example("scores for a model's page", "dtbench export runs/qwen --format hub-eval --push ORG/NAME"),
    ),
    "view": (
        Example("all runs below runs/", "dtbench view runs"),
        Example("on a server, through `ssh -L 8642:localhost:8642 HOST`", "dtbench view runs --port 8642"),
    ),
    "subset": (
        Example("100 questions, selected by stored runs", "dtbench subset runs/* --size 100 --out ids.txt"),
        Example("ask only these", "dtbench run --model Qwen/Qwen2.5-Omni-7B --tasks mmar --ids ids.txt"),
    ),
    "watch": (
        Example("until the run ends", "dtbench watch runs/qwen"),
        Example("the current state, for a script", "dtbench watch runs/qwen --once --json"),
    ),
    "cot": (
        Example(
            "two endpoints: one for captions, one for the rest",
            "dtbench cot d.jsonl --captioner-base-url a:8000 --base-url b:8000 --out cot",
        ),
        Example("a trial with ten rows", "dtbench cot drafts.jsonl --base-url localhost:8000 --limit 10 --out trial"),
    ),
    "mine": (
        Example("eight answers per question", "dtbench mine rows.jsonl --model ./ckpt --out mined"),
        Example("only hard questions", "dtbench mine rows.jsonl --model ./ckpt --samples 8 --band 1-3 --out hard"),
    ),
    "train": (
        Example("the built-in miniature", "dtbench train mini --out runs/train"),
        Example("what would be run, without running it", "dtbench train recipe.toml --out runs/train --dry-run"),
    ),
    "probe": (
        Example("what training changed", "dtbench probe weights mini runs/train/stage-1"),
        Example("two stages in a row", "dtbench probe weights mini runs/train/stage-1 runs/train/stage-2"),
        Example("gates or experts?", "dtbench probe states mini runs/train/stage-1 --tasks mini"),
    ),
    "probe states": (
        Example("gates or experts?", "dtbench probe states mini runs/train/stage-1 --tasks mini"),
        Example(
            "with the prompt of the training; the same command resumes",
            "dtbench probe states base tuned --tasks mmar --prompt prompt.txt --out probe",
        ),
        Example(
            "routers and experts alone, without generating answers",
            "dtbench probe states base tuned --tasks mmar --parts router,experts",
        ),
    ),
    "probe weights": (
        Example("a stage of a training", "dtbench probe weights mini runs/train/stage-1"),
        Example(
            "checkpoints from elsewhere; the same command resumes",
            "dtbench probe weights base tuned --learning-rate 1e-6 --steps 500 --out probe",
        ),
        Example("does the second stage undo the first?", "dtbench probe weights base stage-1 stage-2 --json"),
        Example("beside a random reward", "dtbench probe weights base stage-1 --control random-reward"),
    ),
    "probe lens": (
        Example("the bundled model", "dtbench probe lens mini"),
        Example("a training: its base and stage 1", "dtbench probe lens mini runs/train/stage-1 --out probe"),
        Example("on reasoning that no checkpoint wrote", "dtbench probe lens base tuned --tasks mmar --text reference"),
    ),
    "lm-eval": (
        Example(
            "a dtbench benchmark on a checkpoint",
            "dtbench lm-eval --model dtbench --model_args pretrained=D --tasks dtbench_mmar",
        ),
        Example("what lm-eval can do", "dtbench lm-eval ls tasks"),
    ),
    "extract": (
        Example("a file", "dtbench extract outputs.jsonl --out answers.jsonl"),
        Example("other reasoning tags", "dtbench extract outputs.jsonl --chain '<reason>,</reason>'"),
    ),
}
"""By the words of the command."""

_DONE, _INPUT, _FAILED = "done", "wrong input: an option, a file or a data set", "failure of network, disk or engine"
_INTERRUPTED = "interrupted"
_COMMON = {0: _DONE, 2: _INPUT, 3: _FAILED, 130: _INTERRUPTED}
_RESUMED = {**_COMMON, 130: "interrupted, or a limit of cost, tokens or quota was reached; the same command resumes"}
_EXIT_CODES: Mapping[str, Mapping[int, str]] = {
    "": {
        **_COMMON,
        1: "regression (gate)",
        4: "inconclusive: too few questions (gate), or answers are waiting for a judge",
    },
    "gate": {
        **_COMMON,
        0: "passed",
        1: "regressed",
        3: "not comparable: questions, settings or stored verdicts differ, or answers are missing; or disk failure",
        4: "inconclusive: too few questions to tell, or answers are waiting for a judge",
    },
    **{name: {**_COMMON, 4: "answers are waiting for a judge: `dtbench judge`"} for name in ("compare", "table")},
    **{
        name: {**_RESUMED, 3: "failure of network, disk or engine, or more failed questions than --max-failed"}
        for name in ("run", "faithful")
    },
    "sweep": {**_RESUMED, 2: "wrong input for at least one run", 3: "failure of at least one run"},
    "merge": {**_COMMON, 0: "summary written", 4: "no summary: answers are missing, or shards are running"},
    "doctor": {**_COMMON, 0: "nothing is broken", 3: "something that is installed does not work"},
    "data verify": {**_COMMON, 0: "the data is complete", 2: "wrong input, or the data has problems"},
    "export": {**_COMMON, 2: "wrong input, or the file is not a valid submission"},
    "view": {**_COMMON, 130: "ended by Ctrl-C"},
    "watch": {
        **_COMMON,
        0: "the run is done, or --once",
        3: "the run failed or was killed",
        130: "the run was interrupted",
    },
    **dict.fromkeys(("demo", "data pull", "judge", "cot", "mine", "train"), _RESUMED),
}


def exit_codes(command: str) -> Mapping[int, str]:
    """Return the exit codes of a command and what they mean, in order."""
    return dict(sorted(_EXIT_CODES.get(command, _COMMON).items()))
