"""`dtbench run --backend local`: a checkpoint in the process itself, with transformers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
from called_birds import TASK, call, write_birds
from command import Done, process
from engines import apart
from runs import assert_each_once, records, status
from sounds import encoded
from vllm_process import Server

from dtbench.harness.store.run_folder import StoredRun

pytestmark = pytest.mark.engine

SECONDS = (1.0, 0.6, 2.0, 3.3, 1.0, 0.45, 5.0, 1.7, 1.2, 0.9)
GREEDY = ("temperature=0", "max_tokens=12", "dtype=float32")
DRAWN = ("temperature=1", "top_p=0.9", "top_k=40", "min_p=0.01", "repetition_penalty=1.3", *GREEDY[1:])
RUNS: Mapping[str, Sequence[str]] = {
    "one by one": (*GREEDY, "batch_size=1"),
    "together": (*GREEDY, "batch_size=8"),
    "as saved": ("max_tokens=12",),
    "half as wide": ("temperature=0", "max_tokens=12", "dtype=bfloat16"),
    "drawn": (*DRAWN, "batch_size=1"),
    "drawn together": (*DRAWN, "batch_size=8"),
    "drawn otherwise": DRAWN,
}
"""Names of runs, and their -M options."""
SEEDS = {"drawn": "5", "drawn together": "5", "drawn otherwise": "6"}
Found = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoints: Mapping[str, Path]) -> Path:
    """Granite Speech: clips that are not as long as each other have features of other shapes."""
    return tiny_checkpoints["granite-speech"]


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("birds")
    forms = [encoded(call(number, seconds), 16000) for number, seconds in enumerate(SECONDS)]
    forms[4] = encoded(call(4, rate=48000), 48000, "FLAC")
    forms[8] = encoded(numpy.stack([call(8, 1.2, rate=44100)] * 2, axis=1), 44100)
    write_birds(folder, [form.data for form in forms])
    return folder


def command(checkpoint: Path, birds: Path, out: Path, *options: str) -> Sequence[str]:
    told = [word for option in options for word in ("-M", option)]
    where = ["--task-file", str(TASK), "--data-dir", str(birds), "--out", str(out)]
    return ["run", "--model", str(checkpoint), "--backend", "local", *where, *told]


def called(commands: Sequence[Sequence[str]]) -> Sequence[Done]:
    """Commands one after the other, in one process that is not this one."""
    return [Done(*one) for one in json.loads(apart("calls", given=json.dumps(commands)))]


@pytest.fixture(scope="module")
def runs(checkpoint: Path, birds: Path) -> Mapping[str, Found]:
    """The records of several runs that ended well, by id and repeat."""
    commands = [
        [
            *command(checkpoint, birds, birds / name, *options),
            *(("--samples", "2", "--seed", SEEDS[name]) if name in SEEDS else ()),
        ]
        for name, options in RUNS.items()
    ]
    for done in called(commands):
        assert done.code == 0, done.err
    return {name: of_run(birds / name) for name in RUNS}


def of_run(out: Path) -> Found:
    return {f"{record['id']}/{record['sample']}": record for record in records(out, "birds")}


def texts(found: Found) -> Mapping[str, str]:
    return {id_: record["response"]["text"] for id_, record in found.items()}


def test_every_question_is_answered_and_scored(checkpoint: Path, birds: Path, tmp_path: Path) -> None:
    done = process(*command(checkpoint, birds, tmp_path, *GREEDY))
    assert done.code == 0, done.err
    assert "Loading weights" not in done.err
    assert status(tmp_path) == "done"
    assert_each_once(tmp_path, [f"call-{number}" for number in range(len(SECONDS))], task="birds")
    found = records(tmp_path, "birds")
    assert all("score" in record for record in found)
    assert len({record["response"]["text"] for record in found}) > len(SECONDS) // 2  # it listens
    info = StoredRun.open(tmp_path).info
    model = info["model"]
    assert (model["name"], model["family"], model["dtype"]) == ("local", "granite-speech", "float32")
    assert "transformers" in info["endpoint"]["version"]


def test_an_answer_does_not_depend_on_its_batch(runs: Mapping[str, Found]) -> None:
    assert texts(runs["together"]) == texts(runs["one by one"])
    usages = [
        {id_: record["response"]["usage"] for id_, record in runs[name].items()} for name in ("together", "one by one")
    ]
    assert usages[0] == usages[1]


def test_a_checkpoint_runs_as_it_was_saved_unless_told_otherwise(runs: Mapping[str, Found]) -> None:
    assert texts(runs["as saved"]) == texts(runs["together"])
    assert texts(runs["half as wide"]) != texts(runs["together"])


def test_a_drawn_answer_depends_on_its_seed_alone(runs: Mapping[str, Found]) -> None:
    drawn = texts(runs["drawn"])
    assert len(drawn) == 2 * len(SECONDS) == len(set(drawn.values()))
    assert texts(runs["drawn together"]) == drawn
    other = texts(runs["drawn otherwise"])
    assert not [id_ for id_ in drawn if other[id_] == drawn[id_]]


def test_an_answer_ends_where_the_checkpoint_says_and_is_cut_elsewhere(
    runs: Mapping[str, Found], checkpoint: Path, birds: Path, tmp_path: Path
) -> None:
    plain = runs["together"]
    assert {record["response"]["finish_reason"] for record in plain.values()} == {"length"}
    assert {record["response"]["usage"]["completion_tokens"] for record in plain.values()} == {12}
    mark = next(letter for text in texts(plain).values() for letter in text[2:] if "!" <= letter <= "~")
    ending = copied(checkpoint, tmp_path / "ending")
    told = json.loads((ending / "generation_config.json").read_text())
    token = json.loads((ending / "tokenizer.json").read_text())["model"]["vocab"][mark]
    (ending / "generation_config.json").write_text(json.dumps({**told, "eos_token_id": [told["eos_token_id"], token]}))
    done = process(*command(ending, birds, tmp_path / "out", *GREEDY))
    assert done.code == 0, done.err
    for id_, record in of_run(tmp_path / "out").items():
        whole, reply = plain[id_]["response"]["text"], record["response"]
        assert reply["text"] == whole.partition(mark)[0].rstrip("\ufffd")
        assert reply["finish_reason"] == ("stop" if mark in whole else "length")
    assert [one for one in texts(plain).values() if mark in one]


def test_it_says_what_a_vllm_server_says(
    vllm_server: Server, tiny_qwen2_audio: Path, birds: Path, tmp_path: Path
) -> None:
    options = ("temperature=0", "max_tokens=12", "repetition_penalty=1.3")
    here, there = tmp_path / "here", tmp_path / "there"
    local = command(tiny_qwen2_audio, birds, here, *options, "dtype=float32")
    served = command(tiny_qwen2_audio, birds, there, *options)
    asked = [word for word in served if word not in {"--backend", "local"}]
    asked[asked.index(str(tiny_qwen2_audio))] = vllm_server.url
    for done in called([local, asked]):
        assert done.code == 0, done.err
    assert len(set(texts(of_run(here)).values())) > 1
    assert texts(of_run(here)) == texts(of_run(there))


def test_it_ends_an_answer_where_a_vllm_server_does(
    vllm_server: Server, tiny_qwen2_audio: Path, birds: Path, tmp_path: Path
) -> None:
    plain, here, there = tmp_path / "plain", tmp_path / "here", tmp_path / "there"
    (done,) = called([command(tiny_qwen2_audio, birds, plain, *GREEDY)])
    assert done.code == 0, done.err
    said = [text for _, text in sorted(texts(of_run(plain)).items()) if text]  # in whatever order they came
    vocabulary = json.loads((tiny_qwen2_audio / "tokenizer.json").read_text())["model"]["vocab"]
    marks = [letter for text in said for letter in text[1:] if "!" <= letter <= "~"]
    ends = {"stop": [marks[0], "no such text"], "stop_token_ids": [vocabulary[marks[-1]]]}
    options = [f"{name}={json.dumps(value)}" for name, value in ends.items()]
    local = command(tiny_qwen2_audio, birds, here, *GREEDY, *options)
    asked = command(tiny_qwen2_audio, birds, there, *GREEDY[:2], *options)
    asked = [word for word in asked if word not in {"--backend", "local"}]
    asked[asked.index(str(tiny_qwen2_audio))] = vllm_server.url
    for done in called([local, asked]):
        assert done.code == 0, done.err
    assert ended(of_run(here)) == ended(of_run(there))
    assert texts(of_run(here)) != texts(of_run(plain))
    assert {reason for _, reason, _ in ended(of_run(here)).values()} == {"stop", "length"}


def ended(found: Found) -> Mapping[str, tuple[str, str, int]]:
    """Text, reason and tokens of each; of half a character before a stop token, vLLM at times writes a sign."""
    replies = {id_: record["response"] for id_, record in found.items()}
    return {
        id_: (reply["text"].rstrip("\ufffd"), reply["finish_reason"], reply["usage"]["completion_tokens"])
        for id_, reply in replies.items()
    }


def test_a_batch_that_does_not_fit_into_memory_is_halved_and_grows_again(tiny_qwen2_audio: Path) -> None:
    told = json.loads(apart("short_of_memory", tiny_qwen2_audio))
    assert "transformers: out of memory with a batch of 12; continuing with 6" in told["said"]
    assert told["together"] == told["alone"]
    assert told["said"][-1] == "transformers: trying batches of 12 again"
    assert told["later"]
    assert all(answers == told["alone"] for answers in told["later"])


def copied(checkpoint: Path, folder: Path) -> Path:
    return shutil.copytree(checkpoint, folder)


def without_a_weight(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["language_model.model.layers.1.mlp.down_proj.weight"]
    save_file(weights, path, metadata={"format": "pt"})


def without_a_processor(folder: Path) -> None:
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).unlink(missing_ok=True)


def without_a_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def of_an_unknown_class(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["NoSuchForConditionalGeneration"]
    (folder / "config.json").write_text(json.dumps(config))


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def of_another_size(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["intermediate_size"] *= 2
    (folder / "config.json").write_text(json.dumps(config))


def whole(folder: Path) -> None:
    pass


Spoil = Callable[[Path], None]
BROKEN: Mapping[Spoil, tuple[Sequence[str], int, str]] = {
    without_a_weight: (
        (),
        2,
        "1 of its weights are missing (first: model.language_model.layers.1.mlp.down_proj.weight)",
    ),
    without_a_processor: ((), 2, "transformers finds no audio processor in it"),
    without_a_template: ((), 2, "it has no chat template: chat_template.jinja is expected"),
    of_an_unknown_class: ((), 2, "has no class NoSuchForConditionalGeneration."),
    cut_short: ((), 2, "bytes: copy the checkpoint again, and wait for the end."),
    of_another_size: ((), 3, "cannot be loaded with transformers: RuntimeError"),
    whole: (("rate=24000",), 2, "expects 16000 Hz: use -M rate=16000."),
}
"""What is done to a checkpoint, the options it is run with, and the exit code and a part of the line that tell it."""


def test_what_cannot_be_loaded_is_one_line(checkpoint: Path, birds: Path, tmp_path: Path) -> None:
    commands = []
    for spoil, (options, _, _) in BROKEN.items():
        folder = copied(checkpoint, tmp_path / spoil.__name__)
        spoil(folder)
        commands.append(command(folder, birds, tmp_path / "out" / spoil.__name__, *options))
    for done, (spoil, (_, code, complaint)) in zip(called(commands), BROKEN.items(), strict=True):
        assert done.code == code, (spoil.__name__, done)
        *_, line = done.err.splitlines()
        assert line.startswith("error: "), (spoil.__name__, done.err)
        assert complaint in line, spoil.__name__
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("dtype=float23", "-M dtype=float23: unknown. Did you mean float32"),
        ("batch_size=0", "-M batch_size=0: at least 1 is expected."),
        ("min_p=1", "-M min_p=1: 0 or more and below 1 is expected."),
        ("repetition_penalty=0", "-M repetition_penalty=0: above 0 is expected"),
        ("top_p=0", "-M top_p=0: above 0 and at most 1 is expected."),
        ("tokens=5", "-M tokens=5: a checkpoint with --backend local has no option 'tokens'."),
    ],
)
def test_an_option_that_cannot_be_is_one_line(
    checkpoint: Path, birds: Path, tmp_path: Path, option: str, complaint: str
) -> None:
    assert complaint in process(*command(checkpoint, birds, tmp_path / "out", option)).refusal()
