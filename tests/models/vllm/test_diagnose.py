"""What vLLM's log says of a start that failed, in one line: lines as vLLM 0.32 writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.store.run_log import RunLog
from dtbench.models.vllm.diagnose import last_log_line, likely_cause, log_last_words

NOISE = """\
(APIServer pid=31605) WARNING 11-21 07:07:15 [system_utils.py:255] Found ulimit of 20000: `OSError: [Errno 24] Too many`
(APIServer pid=31605) WARNING 11-21 07:12:02 [audio.py:478] torchcodec unavailable (ImportError('torchcodec'))
(EngineCore pid=7) INFO 11-21 07:07:20 [core.py:107] Initializing a V1 LLM engine (v0.32.0)
"""
END = """\
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}
"""
USERS = {
    "usage: vllm serve [model_tag] [options]\nvllm: error: unrecognized arguments: --max-modle-len 1": (
        "vLLM has no option --max-modle-len 1"
    ),
    "vllm serve: error: argument --max-model-len: invalid human_readable_int value: 'x'": (
        "vLLM rejects a value: --max-model-len: invalid"
    ),
    "  Value error, Model architectures ['HumBird'] are not supported for now. Supported: ['A']": "HumBird",
    "ValueError: Qwen2AudioForConditionalGeneration does not support LoRA yet.": "leave -M adapter_mode=serve out",
    "OSError: me/my-lora does not appear to have a file named config.json.": "--model BASE -M adapter=ID",
    "ValueError: The repository /x contains custom code which must be executed to load": "-M trust_remote_code=true",
    "(Worker pid=3) ERROR 11-21 07:07:42 [x.py:953] safetensors._safetensors_rust.SafetensorError: Error while "
    "deserializing header: incomplete metadata, file not fully covered": "the weights cannot be read",
    "huggingface_hub.errors.GatedRepoError: 403 Client Error.": "hf auth login",
    "OSError: no/such is not a local folder and is not a valid model identifier listed on the hub": "check the name",
}
MACHINES = {
    "ModuleNotFoundError: No module named 'mistral_common'": "No module named 'mistral_common'",
    "(EngineCore pid=5) ERROR 11-21 07:07:42 [core.py:9] torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB": (
        "-M gpu_memory_utilization"
    ),
    "ValueError: Free memory on device cuda:0 (3.2/139.8 GiB) on startup is less than desired": "other processes on it",
    "ValueError: To serve at least one request with the model's max seq len (32768), 4 GiB KV cache is needed": (
        "lower -M max_model_len"
    ),
    "RuntimeError: [enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory": (
        "-M kv_cache_memory_bytes"
    ),
    "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files on disk": "`hf download`",
    "OSError: [Errno 98] error while attempting to bind: address already in use": "run the same command again",
}


def cause_of(tmp_path: Path, line: str) -> tuple[str, type[Exception]]:
    log = tmp_path / "vllm.log"
    log.write_text(f"{NOISE}{line}\n{END}")
    cause = likely_cause(log)
    assert "\n" not in cause.text
    assert "pid=" not in cause.text
    return cause.text, cause.error


@pytest.mark.parametrize("line", USERS)
def test_what_a_user_can_mend_says_how(tmp_path: Path, line: str) -> None:
    text, error = cause_of(tmp_path, line)
    assert USERS[line] in text
    assert error is UserError


@pytest.mark.parametrize("line", MACHINES)
def test_what_the_machine_lacks_says_what_helps(tmp_path: Path, line: str) -> None:
    text, error = cause_of(tmp_path, line)
    assert MACHINES[line] in text
    assert error is MachineryError


def test_without_a_sign_the_last_error_is_told(tmp_path: Path) -> None:
    assert cause_of(tmp_path, "AssertionError: 7 is not 8") == (
        "its last log line is: RuntimeError: Engine core initialization failed. See root cause above. "
        "Failed core proc(s): {'EngineCore': 1}.",
        MachineryError,
    )


def test_a_log_that_is_empty_says_so(tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    log.write_bytes(b"")
    assert last_log_line(log) == "nothing yet"


def test_the_last_words_are_plain_and_short(tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    log.write_text(f"(EngineCore pid=7) INFO 11-21 07:07:20 [core.py:107] \x1b[32mLoading\x1b[0m weights {'x' * 500}\n")
    said = last_log_line(log)
    assert said.startswith("Loading weights xxx")
    assert len(said) <= 300


def test_the_last_words_of_an_engine_are_logged_a_line_each_without_what_came_before(tmp_path: Path) -> None:
    engine_log, run_log = tmp_path / "engine.log", tmp_path / "run.log"
    engine_log.write_text("of an earlier start\n" + NOISE + "\n".join(f"line {n}" for n in range(100)) + "\n" + END)
    with RunLog(run_log):
        log_last_words(engine_log, len("of an earlier start\n"))
    first, *lines = run_log.read_text().splitlines()[:-1]
    assert "ERROR models.vllm.diagnose: the last lines of " in first
    assert [line.rpartition(": ")[2] for line in lines[:-1]] == [f"line {n}" for n in range(61, 100)]
    assert "RuntimeError: Engine core initialization failed." in lines[-1]
