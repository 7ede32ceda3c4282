"""Find out from its log why an engine did not start."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError, MachineryError, UserError, one_line
from dtbench.models.checkpoints.trust import CODE_RISK

_TAIL = 1 << 18
_MAX_LINE = 300
_LAST_WORDS = 40
_LOGGER = logging.getLogger(__name__)


class Cause(NamedTuple):
    """What went wrong, and what to do about it."""

    text: str
    error: type[DtbenchError]


class _Sign(NamedTuple):
    pattern: str
    text: str
    error: type[DtbenchError] = MachineryError


_SIGNS = (
    _Sign(
        r"error: unrecognized arguments: (?P<what>.+)",
        "vLLM has no option {what}: `vllm serve --help=all` lists them; write them with underscores after -M.",
        UserError,
    ),
    _Sign(
        r"error: argument (?P<what>.+)",
        "vLLM rejects a value: {what}. `vllm serve --help=all` lists what is allowed.",
        UserError,
    ),
    _Sign(
        r"(?P<what>\w+ does not support LoRA.*)",
        "vLLM applies no adapter here ({what}): leave -M adapter_mode=serve out, and it is merged.",
        UserError,
    ),
    _Sign(
        r"(?P<what>\S+ does not appear to have a file named config\.json)",
        "this is not a checkpoint ({what}). Name an adapter on the hub beside its base: --model BASE -M adapter=ID.",
        UserError,
    ),
    _Sign(
        r"(?P<what>Model architectures? .+?(?:not supported|failed to be inspected).*)",
        "vLLM does not serve this architecture ({what}): use --backend local, or a newer vLLM.",
        UserError,
    ),
    _Sign(
        r"(?P<what>(?:contains|requires|execute) .*custom code|trust_remote_code=True)",
        f"the checkpoint needs code of its repository, and {CODE_RISK}: add -M trust_remote_code=true if you trust it.",
        UserError,
    ),
    _Sign(
        r"(?:ModuleNotFoundError|ImportError): (?P<what>.+)",
        "a package is missing or broken ({what}): install it in the environment of vLLM.",
    ),
    _Sign(
        r"(?P<what>The model's max seq len .+|.*max_model_len.* is larger than .+|No available memory for the cache.*)",
        "the cache is too small for the longest input ({what}): lower -M max_model_len, or give more with "
        "-M gpu_memory_utilization or -M kv_cache_memory_bytes.",
    ),
    _Sign(
        r"(?P<what>CUDA out of memory.*|torch\.OutOfMemoryError.*|Free memory on device .+ is less than .+)",
        "the GPU has too little free memory ({what}): lower -M gpu_memory_utilization or -M max_model_len, spread it "
        "with -M tensor_parallel_size, or stop other processes on it.",
    ),
    _Sign(
        r"(?P<what>Cannot allocate memory|MemoryError.*|DefaultCPUAllocator: can't allocate memory.*)",
        "this machine has too little memory ({what}): lower -M kv_cache_memory_bytes or -M max_model_len.",
    ),
    _Sign(
        r"(?P<what>GatedRepoError.*|is gated.*|401 Client Error.*|RepositoryNotFoundError.*|"
        r"is not a local folder and is not a valid model identifier.*|Repo id must .+)",
        "the hub refuses this checkpoint ({what}): check the name, and log in with `hf auth login` if it is gated.",
        UserError,
    ),
    _Sign(
        r"(?P<what>LocalEntryNotFoundError.*|We couldn't connect to .+|OfflineModeIsEnabled.*|"
        r"Name or service not known.*)",
        "the hub cannot be reached and the checkpoint is not on this machine ({what}): download it with `hf download`.",
    ),
    _Sign(
        r"(?P<what>HeaderTooLarge|SafetensorError.*|Error no file named .+|Cannot find any model weights.*|"
        r"InvalidHeaderDeserialization)",
        "the weights cannot be read ({what}): the checkpoint is incomplete or damaged; copy it again.",
        UserError,
    ),
    _Sign(
        r"(?P<what>There is no module or parameter named .+|"
        r"(?:The size of tensor|shape mismatch|size mismatch|Following weights were not initialized).*)",
        "the weights do not fit the configuration ({what}): do config.json and the weights belong to the same model?",
        UserError,
    ),
    _Sign(r"(?P<what>address already in use)", "another process took its port: run the same command again."),
    _Sign(
        r"(?P<what>head_size .+ not supported.*|Head size .+ is not supported.*)",
        "this attention head size does not run on this machine ({what}): use --backend local.",
    ),
)


def likely_cause(log: Path) -> Cause:
    """Return the cause of the first known sign in the log; quote its last error where there is none."""
    text = read_tail(log)
    for sign in _SIGNS:
        if match := re.search(sign.pattern, text, re.IGNORECASE):
            return Cause(sign.text.format(what=_short(match["what"])), sign.error)
    return Cause(f"its last log line is: {last_log_line(log)}.", MachineryError)


def last_log_line(log: Path) -> str:
    """Return the last line of a log that is not empty; the last error where there is one."""
    lines = [line for line in (_without_stamps(line) for line in read_tail(log).splitlines()) if line]
    errors = [line for line in lines if re.match(r"[\w.]*(?:Error|Exception)\b", line)]
    return _short((errors or lines or ["nothing yet"])[-1])


def log_last_words(log: Path, since: int = 0) -> None:
    """Log the last lines of an engine that ended, of what came after the first `since` bytes of its own log."""
    lines = read_tail(log, since).splitlines()[-_LAST_WORDS:]
    _LOGGER.error("the last lines of %s:\n%s", log, "\n".join(map(_without_stamps, lines)))


def _without_stamps(line: str) -> str:
    """Strip colours, process names, levels and times from a line."""
    line = re.sub(r"\x1b\[[0-9;]*m", "", line)
    line = re.sub(r"^\([^)]*\)\s*", "", line.strip())
    return re.sub(r"^(?:INFO|WARNING|ERROR|DEBUG) [\d-]+ [\d:]+ (?:\[[^\]]*\] ?)?", "", line).strip()


def _short(text: str) -> str:
    line = one_line(_without_stamps(text)).rstrip(".")
    return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 3]}..."


def read_tail(log: Path, since: int = 0) -> str:
    """Read the last 256 KiB of a log, of what came after its first `since` bytes."""
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(since, size - _TAIL))
        return file.read().decode("utf-8", "replace")
