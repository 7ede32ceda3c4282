"""A checkpoint that would run code of its own: as a module of its repository, and as a pickle among its weights."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from command import Done, call

from dtbench.harness.core.errors import UserError
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.models.checkpoints.families import built_in_families
from dtbench.models.checkpoints.trust import names_code

EMPTY_WEIGHTS = (2).to_bytes(8, "little") + b"{}"


class Writes:
    """What a pickle is that makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """What is there once code of the checkpoint has run."""
    return tmp_path / "ran"


@pytest.fixture
def own(tmp_path: Path, ran: Path) -> Path:
    """A checkpoint that only code of its repository can load."""
    folder = tmp_path / "own"
    folder.mkdir()
    auto_map = {"AutoConfig": "own_code.OwnConfig", "AutoModelForCausalLM": "own_code.OwnModel"}
    config = {"model_type": "own", "architectures": ["OwnModel"], "auto_map": auto_map}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own_code.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).mkdir()\n")
    (folder / "model.safetensors").write_bytes(EMPTY_WEIGHTS)
    return folder


@pytest.fixture
def pickled(tmp_path: Path, ran: Path) -> Path:
    """A checkpoint whose weights are a pickle that does something else."""
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["Qwen2AudioForConditionalGeneration"]}')
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Writes(ran)))
    return folder


def run(checkpoint: Path, backend: str, *options: str) -> Done:
    out = checkpoint.parent / f"out-{backend}"
    where = ("--backend", backend, "--tasks", "mini", "--limit", "1", "--out", out)
    return call("run", "--model", checkpoint, *where, *options)


def refusal(done: Done) -> str:
    assert (done.code, done.err.count("Traceback")) == (2, 0)
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    return line


def test_code_of_a_checkpoint_runs_by_the_flag_alone(own: Path, ran: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed: `make demo`")
    assert refusal(run(own, "local")) == (
        f"error: --model {own}: it needs code of its repository (auto_map), and that code would run on this machine "
        "with your rights. Read it, and add -M trust_remote_code=true where you trust it; -M revision=COMMIT holds it "
        "to what you have read."
    )
    assert not ran.exists()
    assert run(own, "local", "-M", "trust_remote_code=true").code == 3  # its code has none of the classes
    assert ran.exists()


def test_a_family_that_needs_code_asks_for_the_flag_and_never_sets_it(own: Path, ran: Path) -> None:
    pytest.importorskip("vllm", reason="vLLM is not installed: `make vllm`")
    assert "-M trust_remote_code=true" in refusal(run(own, "vllm", "-M", "family=ultravox"))
    assert not ran.exists()
    needing = {name for name, family in built_in_families().items() if family.needs_code}
    assert {"ultravox", "midashenglm", "phi-4-multimodal"} <= needing
    assert [name for name, one in built_in_families().items() if "trust_remote_code" in one.flags("x")] == []


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["own.Tokenizer", null]}}', True),
        ("processor_config.json", '{"auto_map": {"AutoProcessor": "own.Processor"}}', True),
        ("custom_generate/generate.py", "", True),
        ("config.json", '{"auto_map": {}}', False),
        ("config.json", '{"note": "auto_map"', False),
        ("model.safetensors.index.json", '{"weight_map": {"auto_map": "x"}}', False),
    ],
)
def test_code_is_found_wherever_transformers_looks_for_it(
    tmp_path: Path, file: str, content: str, *, expected: bool
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    assert names_code(tmp_path) is expected


@pytest.mark.parametrize("backend", ["local", "vllm"])
def test_a_pickle_is_no_weights_unless_the_user_says_so(pickled: Path, ran: Path, backend: str) -> None:
    assert refusal(run(pickled, backend)) == (
        f"error: {pickled}: its weights are pickles (pytorch_model.bin), and a pickle can run any code on this machine "
        "with your rights when it is read. Save them as safetensors, or add -M weights=pickle where you trust them."
    )
    assert not ran.exists()
    allowed = resolve_checkpoint(str(pickled), None, {"weights": "pickle"})
    assert allowed is not None
    assert (allowed.pickles, allowed.describe()["weights"]) == (True, "pickle")


def test_a_pickle_beside_safetensors_is_never_read(pickled: Path) -> None:
    (pickled / "model.safetensors").write_bytes(EMPTY_WEIGHTS)
    beside = resolve_checkpoint(str(pickled))
    assert beside is not None
    assert "weights" not in beside.describe()


def test_an_adapter_that_is_a_pickle_is_refused(pickled: Path, ran: Path) -> None:
    (pickled / "pytorch_model.bin").unlink()
    (pickled / "model.safetensors").write_bytes(EMPTY_WEIGHTS)
    adapter = pickled.parent / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (adapter / "adapter_model.bin").write_bytes(pickle.dumps(Writes(ran)))
    with pytest.raises(UserError, match=r"its weights are pickles \(adapter_model.bin\).*-M weights=pickle"):
        resolve_checkpoint(str(pickled), None, {"adapter": str(adapter)})
    assert resolve_checkpoint(str(pickled), None, {"adapter": str(adapter), "weights": "pickle"}) is not None
    assert not ran.exists()


def test_another_kind_of_weights_is_one_line(pickled: Path) -> None:
    with pytest.raises(UserError, match=r"-M weights=bin: unknown\. Known: safetensors, pickle"):
        resolve_checkpoint(str(pickled), None, {"weights": "bin"})
