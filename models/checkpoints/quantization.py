"""How the weights of a checkpoint are quantised, in a few words: what config.json says of it, in the forms in use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_BITS = ("bits", "num_bits", "w_bit", "nbits", "weight_bits")
_OF_NAMES = {"fp8": 8, "fbgemm_fp8": 8, "finegrained_fp8": 8, "int8": 8, "mxfp4": 4, "nvfp4": 4, "fp4": 4, "int4": 4}


def quantization(folder: Path) -> str | None:
    """Return the method and the bits of a weight, such as `gptq 4-bit`; None for weights as they were trained."""
    found = next(_configs(folder), None)
    if found is None:
        return None
    method = str(found.get("quant_method") or found.get("quant_algo") or "unknown").lower()
    bits = _bits(found, str(found.get("quant_algo") or method).lower())
    return method if bits is None else f"{method} {bits}-bit"


def _configs(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield what says so: config.json, that of a part of the model, or the file of NVIDIA's tool beside it."""
    config = _read(folder / "config.json")
    parts = [config, *(value for value in config.values() if isinstance(value, dict))]
    parts += [value for part in parts[1:] for value in part.values() if isinstance(value, dict)]
    for part in parts:
        for name in ("quantization_config", "compression_config"):
            if isinstance(part.get(name), dict) and part[name]:
                yield part[name]
    of_tools = {"modelopt": "hf_quant_config.json", "gptq": "quantize_config.json", "awq": "quant_config.json"}
    for method, name in of_tools.items():
        about = _read(folder / name)
        said = about.get("quantization", about)
        if isinstance(said, dict) and said:
            yield {"quant_method": method, **said}


def _bits(config: Mapping[str, Any], named: str) -> int | None:
    """Return the bits of a weight, wherever its method writes them."""
    for name in _BITS:
        if isinstance(config.get(name), int):
            return int(config[name])
    for name, bits in (("load_in_4bit", 4), ("load_in_8bit", 8), ("_load_in_4bit", 4), ("_load_in_8bit", 8)):
        if config.get(name) is True:
            return bits
    groups = config.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict) and isinstance(weights.get("num_bits"), int):
            return int(weights["num_bits"])
    return _OF_NAMES.get(named)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}
