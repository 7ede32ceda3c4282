"""What works on this machine: GPU, audio formats, a port, folders, data sets, keys. Nothing leaves the machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, one_line
from dtbench.harness.core.installed import clone_folder, install_command
from dtbench.harness.doctor.finding import Finding
from dtbench.harness.doctor.packages import find_extras, find_packages, installed_version

WORKS, DATA, KEYS = "Works here", "Data sets", "Keys"
FORMATS = ("WAV", "FLAC", "MP3", "OGG")
KEY_NAMES = {
    "DTBENCH_API_KEY": "endpoints",
    "OPENAI_API_KEY": "endpoints of OpenAI and of no known host, where DTBENCH_API_KEY is not set",
    "HF_TOKEN": "gated checkpoints and data sets of the hub",
    "WANDB_API_KEY": "run --log wandb",
}
RUNS = Path("results") / "runs"
SPACE = 5 << 30
"""Bytes that a benchmark's clips and a run need, roughly."""
_WAIT = 10.0
"""Seconds for a program that tells of GPUs."""


def examine() -> Sequence[Finding]:
    """Look at everything that a command may need; nothing is changed and nothing leaves the machine."""
    return [*find_packages(), *find_extras(), *_machine(), *_data_sets(), *_keys()]


def _machine() -> Iterator[Finding]:
    yield _gpu()
    yield from _vllm_command()
    yield from _audio()
    yield _training()
    yield _port()
    yield _folder(RUNS)


def _gpu() -> Finding:
    from dtbench.models.vllm.process import has_gpu

    use = "run checkpoints fast, and train"
    if not has_gpu():
        why = "hidden by CUDA_VISIBLE_DEVICES" if os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"} else "none found"
        return Finding(WORKS, "GPU", "missing", why, use)
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding(WORKS, "GPU", "ok", "a driver is loaded", use)
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_WAIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(WORKS, "GPU", "broken", f"nvidia-smi failed: {one_line(str(error))}", use, "check the driver")
    if done.returncode:
        said = one_line((done.stdout or done.stderr).strip())[:200]
        return Finding(WORKS, "GPU", "broken", f"nvidia-smi failed: {said}", use, "check the driver")
    return Finding(WORKS, "GPU", "ok", "; ".join(done.stdout.split("\n")).strip("; "), use)


def _vllm_command() -> Iterator[Finding]:
    from dtbench.models.vllm.process import vllm_command

    command = vllm_command()
    if command is not None:
        yield Finding(WORKS, "vllm serve", "ok", command, "run --model CHECKPOINT")
    elif installed_version("vllm") is not None:
        yield Finding(
            *(WORKS, "vllm serve", "broken", "vLLM is installed without its command"),
            *("run --model CHECKPOINT", "pip install --force-reinstall vllm"),
        )


def _audio() -> Iterator[Finding]:
    use = "read the clips of benchmarks"
    try:
        import soundfile
    except Exception as error:  # a missing package, or one whose library does not load
        said = one_line(f"{type(error).__name__}: {error}")[:200]
        yield Finding(WORKS, "audio", "broken", f"soundfile cannot be imported ({said})", use, "pip install soundfile")
        return
    known = soundfile.available_formats()
    lacking = [name for name in FORMATS if name not in known]
    if lacking:
        detail = f"libsndfile lacks {', '.join(lacking)}"
        yield Finding(WORKS, "audio", "broken", detail, use, "pip install -U soundfile")
    else:
        detail = f"{', '.join(FORMATS)}, libsndfile {soundfile.__libsndfile_version__}"
        yield Finding(WORKS, "audio", "ok", detail, use)
    av = installed_version("av")
    if av is None:
        yield Finding(WORKS, "audio in AAC", "missing", "needs av", "read m4a and mp4", install_command("aac"))
    else:
        yield Finding(WORKS, "audio in AAC", "ok", f"av {av}", "read m4a and mp4")


def _training() -> Finding:
    from dtbench.training.engines.launch import ENGINE_VARIABLE, find_environment

    use = "run `dtbench train`, in a separate environment"
    try:
        environment = find_environment(None, "swift")
    except DtbenchError:
        how = "pip install 'ms-swift>=4.6' in another environment, and name it with --engine or"
        fix = "make train-env" if clone_folder() == Path.cwd() else f"{how} {ENGINE_VARIABLE}"
        return Finding(WORKS, "ms-swift", "missing", "not found", use, fix)
    folders = environment.glob("lib/python*/site-packages/ms_swift-*.dist-info")
    versions = [one.name.removesuffix(".dist-info").rpartition("-")[2] for one in folders]
    return Finding(WORKS, "ms-swift", "ok", " ".join([*versions[:1], f"in {environment}"]), use)


def _port() -> Finding:
    use = "start vLLM on this machine"
    try:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            one.listen()
            return Finding(WORKS, "ports", "ok", f"127.0.0.1 has free ones, such as {one.getsockname()[1]}", use)
    except OSError as error:
        fix = "allow programs to listen on 127.0.0.1"
        return Finding(WORKS, "ports", "broken", f"none of 127.0.0.1 can be used ({error.strerror})", use, fix)


def _folder(folder: Path) -> Finding:
    use = "store runs where --out does not say otherwise"
    parent = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    try:
        with tempfile.TemporaryFile(dir=parent):
            free = shutil.disk_usage(parent).free
    except OSError as error:
        detail = f"cannot be written in {parent} ({error.strerror})"
        return Finding(
            WORKS, str(folder), "broken", detail, use, "change to a folder you can write to, or use --out FOLDER"
        )
    space = f"{free / 1e9:,.0f} GB free"
    if free < SPACE:
        return Finding(WORKS, str(folder), "broken", f"can be written, only {space}", use, "make room on this disk")
    return Finding(WORKS, str(folder), "ok", f"can be written, {space}", use)


def _data_sets() -> Iterator[Finding]:
    from dtbench.tasks.data.layouts import data_root, task_folder
    from dtbench.tasks.registry import TASKS, get_task

    yield Finding(DATA, "data folder", "ok" if data_root(None).is_dir() else "missing", str(data_root(None)))
    for name in TASKS:
        task, folder = get_task(name), task_folder(name, None)
        size = f"{task.size:,} questions" if task.size else ""
        fix = f"dtbench data pull {name}"
        try:
            task.samples(None)
        except DtbenchError as error:
            there = folder.is_dir() and any(folder.iterdir())
            detail = one_line(str(error)) if there else "not here"
            yield Finding(DATA, name, "broken" if there else "missing", detail, size, fix)
        else:
            yield Finding(DATA, name, "ok", str(folder) if folder.is_dir() else "made as it is asked for", size)


def _keys() -> Iterator[Finding]:
    from dtbench.models.endpoint.hosts import key_variables

    hosts = {name: f"endpoints of {title}" for name, title in key_variables().items()}
    for name, use in {**hosts, **KEY_NAMES}.items():
        given = bool(os.environ.get(name, "").strip())
        yield Finding(KEYS, name, "ok" if given else "missing", "set" if given else "not set", use)
