"""Other harnesses, each in an environment of its own under .venv-peers/, set up once."""

from __future__ import annotations

import subprocess
from pathlib import Path

from installer import Installer, InstallError

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-peers"
PEERS = {
    "lm_eval": "lm-eval==0.4.13",
    "inspect_ai": "inspect_ai==0.3.285",
    "evalscope": "evalscope==1.14.1",
    "lmms_eval": "lmms-eval==0.7.3",
}
BESIDES = {"lm_eval": ["tenacity"], "inspect_ai": ["openai", "pandas", "pyarrow"], "lmms_eval": ["filelock<4"]}
"""What a peer asks for once it is to speak to an endpoint, or to make a frame, and what it takes older than the newest:
lmms-eval imports a module of filelock that version 4 does not have, ends with 0 and has asked nothing."""
NEEDS_TORCH = {"lmms_eval"}
REPAIRS = ROOT / "tests" / "setup" / "repairs.py"
CPU_TORCH = "torch==2.13.0+cpu"
"""Of the releases with a CPU build, the one that tests/setup takes."""


def peer_title(name: str) -> str:
    """A peer's name and version, as tables show it."""
    return PEERS[name].replace("==", " ")


class PeerError(Exception):
    """A peer cannot be had here; the message is one line."""


def peer_commands(name: str) -> Path:
    """The folder of a peer's commands, the peer installed."""
    folder = FOLDER / name
    note, wanted = folder / ".installed", " ".join([PEERS[name], *BESIDES.get(name, [])])
    if not note.is_file() or note.read_text(encoding="utf-8") != wanted:
        try:
            _install(name, folder)
        except (InstallError, subprocess.CalledProcessError, OSError) as error:
            raise PeerError(f"{PEERS[name]} cannot be installed: {str(error).strip().splitlines()[-1]}") from error
        note.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def _install(name: str, folder: Path) -> None:
    print(f"installing {PEERS[name]} into {folder.relative_to(ROOT)}", flush=True)
    installer = Installer(folder)
    if name in NEEDS_TORCH:
        # In one call, so that no other build of torch, with its gigabytes for GPUs, is ever the answer.
        installer.install(CPU_TORCH, PEERS[name], *BESIDES.get(name, []))
        subprocess.run([str(installer.python), str(REPAIRS)], capture_output=True, check=True)
    else:
        installer.install(PEERS[name], *BESIDES.get(name, []))
    # As pip does and uv does not: else the first run of each pays for it.
    compile_all = [str(installer.python), "-m", "compileall", "-qq", "-j", "0", str(folder / "lib")]
    subprocess.run(compile_all, capture_output=True, check=False)  # some packages carry templates that are no Python
