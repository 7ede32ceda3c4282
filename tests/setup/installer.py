"""Installs packages into a virtual environment: with uv where it can be had, else with pip."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

# pip's settings (files and PIP_* alike) under the names by which uv reads them; uv itself looks at none of pip's.
# extra-index-url is not among them: of equal versions uv takes an extra index's file, even one made for any machine
# without the library inside, where pip takes the one made for this machine.
UV_NAMES = {
    "find-links": ("UV_FIND_LINKS", ","),
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "cert": ("SSL_CERT_FILE", " "),
}


class InstallError(Exception):
    """The installer failed; its last words are the message."""


class Installer:
    """A virtual environment and the tools that fill it."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "bin" / "python"
        self._uv = shutil.which("uv")
        if not self.python.exists():
            self._create(folder)
        if self._uv is None:
            self._uv = self._uv_from_registry()

    def install(self, *arguments: str, uv_options: Sequence[str] = ()) -> None:
        """Install what the arguments of `pip install` name; with options that only uv knows, uv alone is asked.

        What uv does not find pip is asked for: it reads more settings, extra indexes among them.
        """
        attempts = []
        if self._uv is not None:
            attempts.append([self._uv, "pip", "install", "-q", "--python", str(self.python), *arguments, *uv_options])
        if not uv_options:
            attempts.append([str(self.python), "-m", "pip", "install", "-q", *arguments])
        environment = dict(os.environ) | uv_settings(pip_settings(str(self.python)), os.environ)
        failure = "uv is needed for this, and cannot be had"
        for command in attempts:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            failure = f"`{' '.join(command)}`:\n{done.stderr.strip()}"
        raise InstallError(failure)

    @property
    def uv(self) -> str | None:
        """The path of uv; None where it cannot be had."""
        return self._uv

    def has_package(self, name: str) -> bool:
        """Whether a distribution of this name is installed."""
        return self.runs(f"import importlib.metadata as m; m.version({name!r})")

    def runs(self, statement: str) -> bool:
        """Whether a statement runs without an error in the environment."""
        command = [str(self.python), "-c", statement]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _create(self, folder: Path) -> None:
        if self._uv is None:
            venv.create(folder, with_pip=True, symlinks=True)
        else:
            subprocess.run([self._uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(folder)], check=True)

    def _uv_from_registry(self) -> str | None:
        # Not for speed alone: only uv finds the CPU builds of torch where none is at hand.
        uv = self.python.with_name("uv")
        if not uv.exists():
            command = [str(self.python), "-m", "pip", "install", "--quiet", "uv"]
            subprocess.run(command, capture_output=True, check=False)  # going on with pip alone is no error
        return str(uv) if uv.exists() else None


def pip_settings(python: str) -> dict[str, str]:
    """What pip is configured with on this machine, by the name of its option."""
    command = [python, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    found = {}
    for section in ("global.", "install.", ":env:."):  # each stands above the ones before it, as in pip
        for line in listed:
            name, _, value = line.partition("=")
            if name.startswith(section):
                found[name.removeprefix(section)] = str(ast.literal_eval(value))
    return found


def uv_settings(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """pip's settings for uv; what the environment already tells uv stays."""
    return {
        uv_name: separator.join(pip[name].split())
        for name, (uv_name, separator) in UV_NAMES.items()
        if name in pip and uv_name not in environment
    }
