"""`--backend local`: clips of other lengths share a batch of the decoder, and no answer depends on its batch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from engines import apart
from tiny_checkpoints.catalogue import TINY, TRIED

pytestmark = pytest.mark.engine

SECONDS = (1.0, 0.6, 2.0, 3.3, 1.0, 0.45, 5.0, 1.7)
LONG = [4 + 26 * number / 31 for number in range(32)]
LONG_TRIED = ("qwen3-omni", "granite-speech")
"""Whose features are as long as the clip."""
SPOILT = ("other_positions", "other_masks", "other_inputs", "other_weights")
ON_DISK = {
    **dict.fromkeys(("audio_tower", "visual", "lm_head"), "cpu"),
    **{f"model.{name}": "cpu" for name in ("embed_tokens", "layers.0", "norm", "rotary_emb")},
    "model.layers.1": "disk",
}
"""A layer of Qwen2.5-Omni that is read when it computes, as on GPUs that do not take the whole of it."""
APART = "transformers: clips of other lengths are answered apart: "
Done = Mapping[str, Any]


def done(jobs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Done]:
    """Jobs of shared_batches, done in one process."""
    return dict(zip(jobs, json.loads(apart("shared_batches", given=json.dumps(list(jobs.values())))), strict=True))


@pytest.fixture(scope="module")
def batches(tiny_checkpoints: Mapping[str, Path]) -> Mapping[str, Done]:
    """Each architecture, its questions together and one by one."""
    jobs: dict[str, dict[str, Any]] = {}
    for name in TRIED:
        options = {"trust_remote_code": "true"} if TINY[name].remote else {}
        job = {"checkpoint": str(tiny_checkpoints[name]), "seconds": SECONDS, "options": options}
        jobs[name], jobs[f"{name} alone"] = job, {**job, "options": {**options, "batch_size": "1"}}
    for name in LONG_TRIED:
        job = {"checkpoint": str(tiny_checkpoints[name]), "seconds": LONG}
        jobs[f"{name} long"], jobs[f"{name} long alone"] = job, {**job, "options": {"batch_size": "1"}}
    return done(jobs)


@pytest.mark.parametrize("name", TRIED)
def test_clips_of_other_lengths_share_a_batch_and_no_answer_depends_on_it(
    batches: Mapping[str, Done], name: str
) -> None:
    assert batches[name]["answers"] == batches[f"{name} alone"]["answers"]
    assert batches[f"{name} alone"]["read"] == [1] * len(SECONDS)
    said = [line for line in batches[name]["said"] if line.startswith("transformers:")]
    if TINY[name].remote:  # its own code gives its decoder no positions
        assert sum(batches[name]["read"]) == 1 + len(SECONDS)
        assert said == [f"{APART}its decoder is not given embeddings and positions"]
    else:
        # Where features are of one shape, they are a batch as they are; else one is compared with its answer alone.
        assert batches[name]["read"] in ([len(SECONDS)], [1, len(SECONDS)])
        assert said == []


@pytest.mark.parametrize("name", LONG_TRIED)
def test_thirty_two_clips_of_4_to_30_s_are_four_generations(batches: Mapping[str, Done], name: str) -> None:
    assert batches[f"{name} long"]["read"] == [1, 8, 8, 8, 8]
    assert batches[f"{name} long"]["answers"] == batches[f"{name} long alone"]["answers"]
    assert len({answer["text"] for answer in batches[f"{name} long"]["answers"]}) > len(LONG) // 4  # it listens


@pytest.fixture(scope="module")
def runs(tiny_checkpoints: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Done]:
    """Checkpoints and options of many kinds, each asked about the same clips."""
    granite, omni = tiny_checkpoints["granite-speech"], tiny_checkpoints["qwen2.5-omni"]
    folder = tmp_path_factory.mktemp("checkpoints")
    jobs: dict[str, dict[str, Any]] = {spoil: {"checkpoint": str(granite), "spoil": spoil} for spoil in SPOILT}
    jobs |= {f"{spoil} alone": {**jobs[spoil], "options": {"batch_size": "1"}} for spoil in SPOILT}
    for name, source in (("granite", granite), ("omni", omni)):
        jobs[name] = {"checkpoint": str(source)}
        for place in ("tokenizer_config.json", "chat_template.jinja"):
            moved = with_template_of_the_tokenizer(source, folder / f"{name}-{place}", place)
            jobs[f"{name} {place}"] = {"checkpoint": str(moved)}
    jobs["waiting"] = {"checkpoint": str(granite), "waits": True, "seconds": SECONDS * 2}
    maps = {"one device": '{"": "cpu"}', "found": "auto", "on disk": json.dumps(ON_DISK)}
    jobs |= {name: {"checkpoint": str(omni), "options": {"device_map": text}} for name, text in maps.items()}
    jobs["eager"] = {"checkpoint": str(omni), "options": {"attn_implementation": "eager"}}
    jobs["flash"] = {"checkpoint": str(granite), "options": {"attn_implementation": "flash_attention_2"}}
    jobs["four bits"] = {"checkpoint": str(granite), "options": {"load_in_4bit": "true"}}
    jobs["revised"] = {"checkpoint": str(granite), "options": {"revision": "main"}}
    ruled = shutil.copytree(granite, folder / "ruled")
    said = json.loads((ruled / "generation_config.json").read_text())
    rules = {"no_repeat_ngram_size": 1, "suppress_tokens": list(range(200)), "max_length": 9}
    (ruled / "generation_config.json").write_text(json.dumps({**said, **rules}))
    jobs["ruled"] = {"checkpoint": str(ruled)}
    switched = shutil.copytree(granite, folder / "switched")
    template = (switched / "chat_template.jinja").read_text()
    (switched / "chat_template.jinja").write_text("{% if thinking %}Think! {% endif %}" + template)
    given = {"chat_template": str(switched / "chat_template.jinja"), "chat_template_kwargs": '{"thinking": true}'}
    jobs["given"] = {"checkpoint": str(granite), "options": given}
    jobs["switched off"] = {"checkpoint": str(switched)}
    jobs["switched on"] = {"checkpoint": str(switched), "options": {"chat_template_kwargs": '{"thinking": true}'}}
    jobs["no switch"] = {"checkpoint": str(granite), "options": {"chat_template_kwargs": '{"thinking": true}'}}
    return done({name: {"seconds": SECONDS, **job} for name, job in jobs.items()})


def with_template_of_the_tokenizer(source: Path, folder: Path, place: str) -> Path:
    """A copy whose template is in a file that only its tokenizer reads."""
    shutil.copytree(source, folder)
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    if place == "tokenizer_config.json":
        config = json.loads((folder / place).read_text())
        (folder / place).write_text(json.dumps({**config, "chat_template": template}))
    else:
        (folder / place).write_text(template)
    return folder


def texts(one: Done) -> Sequence[str]:
    assert "error" not in one, one
    return [answer["text"] for answer in one["answers"]]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_decoder_that_would_be_given_other_things_in_a_batch_gets_clips_of_each_shape_apart(
    runs: Mapping[str, Done], spoil: str
) -> None:
    alone, *read = runs[spoil]["read"]
    if spoil == "other_weights":  # seen by its scores
        assert read.pop(0) == len(SECONDS)
    assert alone == 1
    assert max(read) < len(SECONDS)
    assert sum(read) == len(SECONDS)
    (line,) = runs[spoil]["said"]
    assert line.startswith(APART)
    if spoil != "other_masks":  # which sees the padding in a batch of one shape, too
        assert texts(runs[spoil]) == texts(runs[f"{spoil} alone"])


def test_prompts_of_the_next_batch_are_read_while_one_is_answered(runs: Mapping[str, Done]) -> None:
    assert runs["waiting"]["said"] == []
    assert texts(runs["waiting"])[: len(SECONDS)] == texts(runs["granite"])


@pytest.mark.parametrize("place", ["tokenizer_config.json", "chat_template.jinja"])
@pytest.mark.parametrize("name", ["granite", "omni"])
def test_a_chat_template_that_only_the_tokenizer_has_is_used(runs: Mapping[str, Done], name: str, place: str) -> None:
    assert runs[f"{name} {place}"]["answers"] == runs[name]["answers"]


@pytest.mark.parametrize("name", ["one device", "found", "on disk", "eager"])
def test_answers_do_not_depend_on_where_and_how_they_are_computed(runs: Mapping[str, Done], name: str) -> None:
    assert texts(runs[name]) == texts(runs["omni"])
    assert runs[name]["read"] == [len(SECONDS)]
    (setting,) = runs[name]["about"]["machine"].keys() - runs["omni"]["about"]["machine"].keys()
    assert setting == ("attn_implementation" if name == "eager" else "device_map")
    assert {**runs[name]["about"], "machine": None} == {**runs["omni"]["about"], "machine": None}


def test_what_this_machine_cannot_do_is_one_line(runs: Mapping[str, Done]) -> None:
    assert runs["flash"]["kind"] == runs["four bits"]["kind"] == runs["revised"]["kind"] == "UserError"
    assert runs["flash"]["error"].startswith("-M attn_implementation=flash_attention_2: not for this model here (")
    assert runs["four bits"]["error"].startswith("-M load_in_4bit=true: bitsandbytes is not installed here: ")
    assert runs["revised"]["error"].startswith("-M revision=main: ")


def test_rules_of_generation_config_that_vllm_ignores_are_ignored_and_said(runs: Mapping[str, Done]) -> None:
    assert runs["ruled"]["answers"] == runs["granite"]["answers"]
    (line,) = runs["ruled"]["said"]
    assert "max_length=9, no_repeat_ngram_size=1, suppress_tokens=[0, 1," in line


def test_a_chat_template_is_given_its_switches_and_no_other(runs: Mapping[str, Done]) -> None:
    assert texts(runs["switched off"]) == texts(runs["granite"])
    assert texts(runs["switched on"]) != texts(runs["granite"])
    assert runs["switched on"]["about"]["chat_template_kwargs"] == {"thinking": True}
    assert "chat_template_kwargs" not in runs["granite"]["about"]
    assert texts(runs["given"]) == texts(runs["switched on"])
    assert len(runs["given"]["about"]["chat_template"]) == 12
    read = [one["answers"][0]["usage"]["prompt_tokens"] for one in (runs["switched on"], runs["granite"])]
    assert read[0] == read[1] + len("Think! ")
    assert runs["no switch"]["kind"] == "UserError"
    assert "reads no 'thinking'" in runs["no switch"]["error"]


def test_a_revision_of_a_checkpoint_on_the_hub_is_the_one_that_answers(
    tiny_checkpoints: Mapping[str, Path], tmp_path: Path
) -> None:
    sources = {"main": tiny_checkpoints["granite-speech"], "v1": tiny_checkpoints["qwen2-audio"]}
    place = tmp_path / "models--me--tiny"
    for number, (name, source) in enumerate(sources.items()):
        commit = str(number) * 40
        shutil.copytree(source, place / "snapshots" / commit)
        (place / "refs").mkdir(exist_ok=True)
        (place / "refs" / name).write_text(commit)
    jobs: list[dict[str, Any]] = [{"checkpoint": str(source)} for source in sources.values()]
    jobs += [{"checkpoint": "me/tiny", "options": {"revision": name}} for name in sources]
    given = json.dumps([{"seconds": SECONDS, **job} for job in jobs])
    environment = {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    *folders, newest, first = json.loads(apart("shared_batches", given=given, **environment))
    assert [texts(newest), texts(first)] == [texts(one) for one in folders]
    assert (newest["about"]["revision"], first["about"]["revision"]) == ("main", "v1")
