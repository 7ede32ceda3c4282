"""Ways to fool `dtbench gate` or a resume by accident: each is refused in one line, or what differs is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import Done, call
from made_up_run import write_run
from runs import audible_data, forget_questions, write_script
from small_data import mmar_items, write_json

from dtbench.harness.store.jsonl import encode_line

COUNT = 60
LISTENER = '''
class Listener:
    """Says what the tone of a clip is called, as far as it can tell: always the first option."""

    rate, limit_seconds, listens = 16000, None, True

    async def generate(self, prompt):
        from dtbench import Response
        return Response(prompt.choices[0])

    def describe(self):
        return {"name": "listener"}

    async def aclose(self):
        pass
'''
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    audible_data(Path("data"), COUNT)
    Path("made_up_listener.py").write_text(LISTENER)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def ask(out: str, *options: str, model: str = "made_up_listener:Listener", data: str = "data") -> Done:
    return call("run", "--model", model, "--tasks", "mmar", "--data-dir", data, "--out", out, *options)


def scripted(out: str, *options: str) -> Done:
    model = write_script(Path("script.jsonl"), [{"text": "(A)"}])
    return call("run", *model, "--tasks", "mmar", "--data-dir", "data", "--out", out, *options)


def gated(*options: str, baseline: str = "a", candidate: str = "b") -> Done:
    return call("gate", "--baseline", baseline, "--candidate", candidate, "--max-drop", "50", *options)


def both(*options: str) -> None:
    """A baseline and a candidate, equal in all."""
    for out in ("a", "b"):
        done = scripted(out, *options)
        assert done.code == 0, done


def change_info(out: str, change: Change) -> None:
    path = Path(out) / "run.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def change_records(out: str, change: Change) -> None:
    """Edit every record and make its checksum anew, as a program would."""
    path = Path(out) / "mmar.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        del record["crc"]
        change(record)
    path.write_bytes(b"".join(map(encode_line, records)))


def other_audio() -> None:
    """Other clips under the names of those that were there."""
    clips = sorted(Path("data/audio").iterdir(), key=lambda clip: int(clip.stem.split()[-1]))
    contents = [clip.read_bytes() for clip in clips]
    for clip, content in zip(clips, [*contents[1:], contents[0]], strict=True):
        clip.write_bytes(content)


def test_two_equal_runs_pass_and_nothing_is_said_of_them() -> None:
    both()
    done = gated("--json")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert [one["also_differs"] for one in told["results"]] == [[]]
    assert [(one["run"], one["differ"], one["why_not"]) for one in told["reread"]] == [("a", 0, ""), ("b", 0, "")]
    assert len(gated().out.splitlines()) == 2


def test_other_questions_under_the_same_ids() -> None:
    items = mmar_items(COUNT)
    write_json(Path("other/MMAR-meta.jsonl"), [{**item, "question": f"{item['question']} Now?"} for item in items])
    says = lambda sample, repeat: sample.choices[0]  # noqa: E731
    write_run(Path("a"), {"mmar": Path("data")}, says)
    write_run(Path("b"), {"mmar": Path("other")}, says)
    assert "mmar: the runs differ in more than the model: data: " in gated().refusal(3)


def test_another_prompt() -> None:
    assert scripted("a").code == 0
    Path("words.txt").write_text("{question} Choose:\n{options}")
    assert scripted("b", "--prompt", "words.txt").code == 0
    assert "the runs differ in more than the model: prompt: " in gated().refusal(3)


def test_a_part_of_the_questions() -> None:
    assert scripted("a").code == 0
    assert scripted("b", "--limit", "20").code == 0
    assert "the runs have different questions (40 only in the baseline" in gated().refusal(3)


def test_an_edited_line() -> None:
    both()
    path = Path("b/mmar.jsonl")
    path.write_text(path.read_text().replace('"correct":false', '"correct":true', 5))
    assert "this is not what dtbench wrote, the checksum does not match" in gated().refusal()


def test_verdicts_that_are_edited_with_their_checksums() -> None:
    both()
    edited = 0

    def all_right(record: dict[str, Any]) -> None:
        nonlocal edited
        edited += not record["score"]["official"]["correct"]
        record["score"]["official"]["correct"] = record["score"]["correct"] = True

    change_records("b", all_right)
    assert edited > 10
    line = gated().refusal(3)
    assert f"stored verdicts differ from those of the current code ({edited} of b on mmar)" in line
    assert "`dtbench score b --write` updates them" in line
    assert call("score", "b", "--write").code == 0
    assert gated().code == 0


def test_verdicts_whose_questions_are_not_at_hand_stand_and_are_named() -> None:
    both()
    Path("data").rename("elsewhere")
    forget_questions("a", "b")
    done = gated()
    assert done.code == 0, done
    said = "b, mmar: its stored verdicts stand unchecked (its questions (v2-github) were not found, and the run folder"
    assert f"not read {said} holds no copy of them" in " ".join(done.out.split())
    assert [one["differ"] for one in json.loads(gated("--json").out)["reread"]] == [None, None]


def test_other_audio_under_the_same_names() -> None:
    assert ask("a").code == 0
    other_audio()
    assert ask("b").code == 0
    line = gated().refusal(3)
    assert "mmar: the runs differ in more than the model: clips: " in line
    assert f"and {COUNT - 1} more) vs " in line
    assert line.endswith("--allow clips.")
    assert gated("--allow", "clips").code == 0
    assert "UNFAIR    clips differs: " in " ".join(call("compare", "a", "b").out.split("\n"))


def test_a_stopped_run_that_goes_on_with_other_audio() -> None:
    assert ask("a", "--limit", "20").code == 0
    other_audio()
    line = ask("a").refusal()
    assert "a: the clips of 20 of the mmar questions it answered have changed: there is other audio" in line
    assert "(first: 'made-up-0_" in line
    assert ask("a", "--limit", "20").code == 0  # nothing is asked, so nothing is mixed
    assert ask("other").code == 0


def test_a_run_made_before_clips_were_hashed_goes_on_and_is_said_to_be_unknown() -> None:
    assert ask("a", "--limit", "20").code == 0
    change_records("a", lambda record: record["audio"].pop("clip_hash"))
    other_audio()
    assert ask("a").code == 0
    assert ask("b").code == 0
    done = gated("--allow", "clips")
    assert done.code == 0, done
    assert "differs   clips: not known (made before clips were hashed) vs hashed" in " ".join(done.out.split("\n"))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("echo-gold", "echo-gold is an oracle: it knows right answers"),
        ("majority", "majority is an oracle: it knows right answers"),
        ("first", "first is a baseline: it never listens"),
        ("random", "random is a baseline: it never listens"),
    ],
)
def test_an_oracle_or_a_baseline_as_the_candidate(model: str, why: str) -> None:
    assert scripted("a").code == 0
    assert ask("b", model=model).code == 0
    assert why in gated().refusal()
    assert why in gated("--allow", "model", "--undecided", "pass").refusal()
    assert gated(baseline="b", candidate="a").code in {0, 1, 4}  # a baseline may be what has to be beaten


def test_a_prompt_hash_that_is_edited_in_run_json_alone() -> None:
    both()

    def edit(info: dict[str, Any]) -> None:
        info["tasks"]["mmar"]["prompt_hash"] = "0123456789ab"

    change_info("a", edit)
    change_info("b", edit)
    for line in (gated().refusal(3), call("compare", "a", "b").refusal(3)):
        assert "a: run.json has another prompt for mmar (hash 0123456789ab) than the answer to 'made-up-" in line


def test_records_of_another_prompt_are_not_gone_on_with() -> None:
    assert scripted("a", "--limit", "20").code == 0
    change_records("a", lambda record: record.update(prompt_hash="0123456789ab"))
    assert "was given to (0123456789ab): it was changed since" in scripted("a").refusal()


def test_another_dtbench_made_the_other_run() -> None:
    both()
    change_info("a", lambda info: info["starts"][0].update(dtbench="0.0.1", git=None))
    change_info("a", lambda info: info["starts"][0]["packages"].update(vllm="0.1.2"))
    done = gated("--json")
    assert done.code == 0, done
    (one,) = json.loads(done.out)["results"]
    also = {each["name"]: each["before"] for each in one["also_differs"]}
    assert (also["dtbench"], also["vllm"]) == ("0.0.1", "0.1.2")
    assert "differs   vllm: 0.1.2 vs " in gated().out
    assert "differs   dtbench: 0.0.1 vs " in call("compare", "a", "b").out


def test_another_dtbench_goes_on_with_a_run() -> None:
    assert scripted("a", "--limit", "20").code == 0
    change_info("a", lambda info: info["starts"][0].update(dtbench="0.0.1", git=None))
    done = scripted("a")
    assert done.code == 0, done
    assert "this run was made by several versions: dtbench 0.0.1, then " in done.err
    summary = json.loads(Path("a/summary.json").read_text())
    assert any(note.startswith("this run was made by several versions") for note in summary["notes"])


def test_another_backend_precision_or_engine() -> None:
    both()

    def of_vllm(info: dict[str, Any]) -> None:
        info["model"].update(name="vllm", flags={"dtype": "half", "enable_prefix_caching": True})
        info["endpoint"]["version"] = "0.11.0"

    change_info("b", of_vllm)
    (one,) = json.loads(gated("--json").out)["results"]
    also = {each["name"]: (each["before"], each["after"]) for each in one["also_differs"]}
    assert also == {"backend": ("scripted", "vllm"), "engine": ("none", "0.11.0"), "dtype": ("none", "half")}


def test_another_quantisation() -> None:
    both()
    change_info("b", lambda info: info["model"].update(flags={"quantization": "fp8"}))
    assert "the runs differ in more than the model: quantization: none vs fp8" in gated().refusal(3)
