"""Options that users of other harnesses type: they work where they mean the same, and say what to use where not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import call

from dtbench.harness.cli.habits import HINTS, NEEDLESS, RENAMED, SETTINGS, translate

RUN = (
    "--model",
    "--base-url",
    "--tasks",
    "--out",
    "--limit",
    "--num-fewshot",
    "--samples",
    "--concurrency",
    "--prompt",
    "--backend",
    "-M",
)


def translated(*words: str, known: Sequence[str] = RUN) -> list[str]:
    """The words as dtbench has them, with every option of another harness translated."""
    arguments, notes = list(words), []
    while unknown := next((word.partition("=")[0] for word in arguments if is_unknown(word, known)), None):
        translation = translate(arguments, unknown, known)
        assert translation is not None, unknown
        arguments = translation.arguments
        notes.append(translation.note)
    return arguments


def is_unknown(word: str, known: Sequence[str]) -> bool:
    return word.startswith("-") and word.partition("=")[0] not in known


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--output_path D", "--out D"),
        ("--output-path=D", "--out=D"),
        ("--output_dir D", "--out D"),
        ("--work-dir D", "--out D"),
        ("-o D", "--out D"),
        ("-t mini -L 5", "--tasks mini --limit 5"),
        ("--task mini", "--tasks mini"),
        ("--max-connections 4", "--concurrency 4"),
        ("--eval_batch_size 4", "--concurrency 4"),
        ("--epochs 3", "--samples 3"),
        ("--model_base_url localhost:1", "--base-url localhost:1"),
        ("--temperature 0.7 --top_p 0.9", "-M temperature=0.7 -M top_p=0.9"),
        ("--max-new-tokens=9", "-M max_tokens=9"),
        ("--tensor-parallel-size 2", "-M tensor_parallel_size=2"),
        ("--gen_kwargs temperature=0.7,max_gen_toks=9", "-M temperature=0.7 -M max_tokens=9"),
        ("--gen_kwargs do_sample=False", "-M temperature=0"),
        ('--generation-config {"top_k":5}', "-M top_k=5"),
        ("--model m --model_args dtype=float16,max_model_len=9", "--model m -M dtype=float16 -M max_model_len=9"),
        ("--model_args pretrained=org/m", "--model org/m"),
        ("--model hf --model_args pretrained=org/m,dtype=auto", "--model org/m --backend local -M dtype=auto"),
        ("--model vllm --model_args pretrained=org/m", "--model org/m --backend vllm"),
        (
            "--model local-chat-completions --model_args model=m,base_url=http://a/v1/chat/completions",
            "--model http://a/v1 -M model=m",
        ),
        ("--num_fewshot 2 --log_samples", "--num-fewshot 2"),
        ("--fewshot 3", "--num-fewshot 3"),
        ("--apply_chat_template --limit 2", "--limit 2"),
        ("--apply_chat_template default --limit 2", "--limit 2"),
        ("--use_cache D --limit 2", "--limit 2"),
    ],
)
def test_what_means_the_same_is_translated(typed: str, meant: str) -> None:
    assert translated(*typed.split()) == meant.split()


def test_a_comma_within_brackets_or_quotes_separates_no_settings() -> None:
    (_, first, _, second) = translated("--model_args", 'limits={"a":1,"b":2},names="x,y"')
    assert (first, second) == ('limits={"a":1,"b":2}', 'names="x,y"')


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--batch_size", "8"), "--batch_size: dtbench has no such option; use -M batch_size=N with --backend local"),
        (("--device", "cuda:0"), "use -M device=cuda:0 with --backend local"),
        (("--num-fewshot", "5"), "--num-fewshot 5: mini has no examples: leave it out, or give the task some"),
        (("--system_instruction", "Listen."), "put it into your own prompt template: --prompt FILE"),
        (("--api-key", "x"), "set the environment variable DTBENCH_API_KEY or OPENAI_API_KEY"),
        (("--gen_kwargs", "warm"), "--gen_kwargs warm: 'warm' is not key=value; give each setting as -M key=value."),
        (("--limit", "0.1"), "--limit 0.1: a number of questions is expected, not a share: use --limit 60 for mini."),
        (("--nothing_like_it", "1"), "--nothing_like_it: dtbench run has no such option. See `dtbench run --help`."),
        (("--limits", "1"), "--limits: dtbench run has no such option. Did you mean --limit"),
    ],
)
def test_what_means_something_else_is_refused_with_what_to_use(options: Sequence[str], line: str) -> None:
    assert line in call("run", "--model", "first", "--tasks", "mini", *options).refusal()


def test_a_command_line_of_lm_eval_works_and_says_each_name_once(tmp_path: Path) -> None:
    habits = ("--num_fewshot", "0", "--log_samples", "--apply_chat_template", "--gen_kwargs", "seed=3")
    done = call("run", "--model", "random", *habits, "--task", "mini", "--output_path", tmp_path, "--limit", "3")
    assert done.code == 0, done
    asked: dict[str, Any] = json.loads((tmp_path / "run.json").read_text())["request"]
    assert (asked["model_options"], asked["limit"], asked["tasks"]) == ({"seed": "3"}, 3, ["mini"])
    notes = [line for line in done.err.splitlines() if line.startswith("note: --")]
    assert notes == [
        "note: --num_fewshot is --num-fewshot in dtbench",
        "note: --log_samples is not needed: every answer is stored, always",
        "note: --apply_chat_template is not needed: the model's chat template is applied, always",
        "note: --gen_kwargs is -M seed=3 in dtbench",
        "note: --output_path is --out in dtbench",
    ]


def test_an_underscore_is_a_dash_in_every_option(tmp_path: Path) -> None:
    done = call("run", "--model", "first", "--tasks", "mini", "--limit", "2", "--max_failed", "0.5", "--out", tmp_path)
    assert done.code == 0
    assert "note: --max_failed is --max-failed in dtbench" in done.err


@pytest.mark.parametrize(
    ("former", "command"),
    [
        (("--prompt", "gone.txt"), ("judge", "run", "--base-url", "localhost:1")),
        (("--audio", "none"), ("report", "gone")),
        (("--tasks", "mmar"), ("score",)),
        (("--task", "mini"), ("run", "--model", "first", "--ids", "gone")),
        (("--captioner", "localhost:1"), ("cot", "gone", "--out", "out")),
    ],
)
def test_a_former_name_of_an_option_works_without_a_word(former: Sequence[str], command: Sequence[str]) -> None:
    assert "has no such option" not in call(*command, *former).refusal()


def test_no_habit_is_told_in_two_ways() -> None:
    tables = (RENAMED, SETTINGS, NEEDLESS, HINTS)
    names = [name for table in tables for name in table]
    assert len(names) == len(set(names))
    assert [name for name in names if "_" in name] == []


def test_tasks_may_be_separated_by_blanks_and_a_gate_takes_its_runs_without_flags(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call("run", "--model", "first", "--tasks", "mini", "mini-train-1", "--limit", "2", "--out", out)
    assert done.code == 0
    assert "note: write --tasks mini,mini-train-1, with commas" in done.err
    words = ("gate", str(out), str(out), "--task", "mini")
    flags = ("gate", "--baseline", str(out), "--candidate", str(out), "--task", "mini")
    assert call(*words) == call(*flags)
    assert "takes no further argument" in call("run", "--model", "first", "extra", "--tasks", "mini").refusal()


@pytest.mark.parametrize(("engine", "backend"), [("hf", "local"), ("vllm", "vllm")])
def test_the_name_of_an_engine_is_no_model_and_says_where_it_goes(engine: str, backend: str) -> None:
    assert call("run", "--model", engine, "--tasks", "mini").refusal() == (
        f"error: --model {engine}: this names an engine; name the checkpoint itself, and the engine by --backend, "
        f"as in --model org/name --backend {backend}."
    )
