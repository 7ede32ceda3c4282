"""What an engine needs to be told of the machine it starts on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

CACHE_SHARE = 0.1
MOST_CACHE = 4 << 30
"""Bytes of a CPU's memory for the cache, at most; vLLM would take 92 % of all there is."""
_ALWAYS = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_HOST_IP": "127.0.0.1",  # else it asks the routing table for a way to the internet
}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
_ON_CPU = {"TORCH_COMPILE_DISABLE": "1"}  # log-probabilities would compile a kernel: seconds, and a compiler
_NOT_FOR_IT = ("VLLM_API_KEY", "DTBENCH_API_KEY", "OPENAI_API_KEY")


def has_gpu() -> bool:
    """Whether a GPU is there for an engine; nothing heavy is loaded to tell."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in {"", "-1"}:
        return False
    places = ("/proc/driver/nvidia/version", "/dev/kfd")
    return any(Path(place).exists() for place in places) or shutil.which("nvidia-smi") is not None


def machine_flags() -> Mapping[str, str | bool]:
    """Flags of `vllm serve` that suit the machine; on a GPU its own defaults do."""
    if has_gpu():
        return {}
    cache = int(min(MOST_CACHE, CACHE_SHARE * _memory()))
    return {
        "enforce_eager": True,  # compiling takes longer than most runs on a CPU
        "kv_cache_memory_bytes": str(cache),
        "max_model_len": "auto",
        "max_num_seqs": "16",
    }


def environment(*, local: bool) -> Mapping[str, str]:
    """The environment of an engine; for a checkpoint that is here, without a way to the hub, and never with a key."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT}
    return kept | _ALWAYS | (_OFFLINE if local else {}) | ({} if has_gpu() else _ON_CPU)


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 8 << 30
