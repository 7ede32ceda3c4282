"""The reports that are looked at: built when they are asked for, again when their runs have written, sent in parts."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from dtbench.harness.core.schema import clip_name
from dtbench.harness.report.build import BuiltPage, ReportOptions, build_page, open_runs
from dtbench.harness.report.clips import QuestionClip
from dtbench.harness.report.encode_clips import ClipToCopy, ReportClip, copy_clip, lost_clip
from dtbench.harness.report.task_page import TaskPage
from dtbench.harness.view.index import State, state_of
from dtbench.harness.view.types import PageChange

_PART = re.compile(rb'<script type="(?:text/plain|application/json)" id="([^"]+)">(.*?)</script>', re.DOTALL)
_PAGES, _VERSIONS, _CLIPS = 4, 8, 64
_REST = 4.0
"""A report is built again at the earliest after so many times what building it took: so much of a core it may take."""
_DIGITS = 16
Names = tuple[str, ...]
"""The runs of a report, as the list of runs names them."""


class ClipAddress(NamedTuple):
    """A clip as a page asks for it: a question's, with what changes when the clip does."""

    task: str
    id: str
    hash: str


class _Shown:
    """A report that was built, and what its last versions consisted of."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.html = b""
        self.version = ""
        self.state: tuple[State, ...] = ()
        self.parts: dict[str, bytes] = {}
        self.hashes: OrderedDict[str, dict[str, bytes]] = OrderedDict()
        self.clips: dict[ClipAddress, QuestionClip] = {}
        self.ready = 0.0
        """When it may be built again."""


class ReportPages:
    """Builds reports of runs below a folder; any thread may ask."""

    def __init__(self, folder: Path, data_dir: Path | None, task_file: Path | None) -> None:
        self._folder, self._data_dir, self._task_file = folder, data_dir, task_file
        self._shown: OrderedDict[Names, _Shown] = OrderedDict()
        self._copies: OrderedDict[ClipAddress, tuple[bytes, str]] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, names: Names) -> bytes:
        """Return the page of these runs as they are now; a UserError where they have nothing in common."""
        return self._current(names, at_once=True).html

    def change(self, names: Names, since: str) -> PageChange:
        """Return the parts of the page that are others than in a version; all where that is not known any more."""
        shown = self._current(names)
        before = shown.hashes.get(since, {})
        now = shown.hashes[shown.version]
        changed = {name: shown.parts[name].decode() for name in now if before.get(name) != now[name]}
        return PageChange(version=shown.version, parts=changed)

    def is_due(self, names: Names, version: str) -> bool:
        """Whether there is something newer than a version to be sent."""
        shown = self._shown.get(names)
        if shown is None or shown.version != version:
            return True
        return time.monotonic() >= shown.ready and shown.state != self._state(names)

    def clip(self, names: Names, address: ClipAddress) -> tuple[bytes, str] | str | None:
        """Return a clip with its type, or why there is none; None where no question of these runs has it."""
        shown = self._current(names)
        audio = shown.clips.get(address)
        if audio is None:
            return None
        with self._lock:
            if (copy := self._copies.get(address)) is not None:
                return copy
        made = copy_clip(ClipToCopy(audio.audio, audio.stereo))
        if not isinstance(made, str):
            with self._lock:
                self._copies[address] = made
                while len(self._copies) > _CLIPS:
                    self._copies.popitem(last=False)
        return made

    def _state(self, names: Names) -> tuple[State, ...]:
        return tuple(state_of(self._folder / name) for name in names)

    def _current(self, names: Names, *, at_once: bool = False) -> _Shown:
        with self._lock:
            shown = self._shown.setdefault(names, _Shown())
            self._shown.move_to_end(names)
            while len(self._shown) > _PAGES:
                self._shown.popitem(last=False)
        with shown.lock:
            state = self._state(names)
            if not shown.version or (state != shown.state and (at_once or time.monotonic() >= shown.ready)):
                begun = time.monotonic()
                self._build(names, shown)
                shown.state = state
                shown.ready = time.monotonic() + _REST * (time.monotonic() - begun)
        return shown

    def _build(self, names: Names, shown: _Shown) -> None:
        options = ReportOptions(
            runs=[self._folder / name for name in names],
            data_dir=self._data_dir,
            task_file=self._task_file,
            audio="link",
        )
        clips: dict[ClipAddress, QuestionClip] = {}
        built = build_page(options, open_runs(options), lambda tasks: _served_clips(names, tasks, clips))
        shown.parts = {name.decode(): text for name, text in _PART.findall(built.html)}
        hashes = {name: hashlib.sha256(text).digest() for name, text in shown.parts.items()}
        shown.version = hashlib.sha256(b"".join(hashes.values())).hexdigest()[:_DIGITS]
        shown.hashes[shown.version] = hashes
        while len(shown.hashes) > _VERSIONS:
            shown.hashes.popitem(last=False)
        shown.clips = clips
        shown.html = _served(built, names, shown.version)


def _served_clips(
    names: Names, tasks: Sequence[TaskPage], clips: dict[ClipAddress, QuestionClip]
) -> Mapping[str, ReportClip]:
    """Return an address for each clip, never a path, and note which clip it means."""
    found: dict[str, ReportClip] = {}
    for place, task in enumerate(tasks):
        for one in task.wanted:
            lost = lost_clip(one.audio)
            if lost is None:
                address = ClipAddress(task.first["name"], one.id, _identity(one))
                clips[address] = one
                query = urlencode([*(("run", name) for name in names), *address._asdict().items()])
                lost = ReportClip(link=f"clip?{query}")
            found[f"{place}/{one.key}"] = lost
    return found


def _identity(one: QuestionClip) -> str:
    """Return digits that are others where the clip is: of its name, and of a file's size and time."""
    about = clip_name(one.audio)
    if isinstance(one.audio, Path):
        state = one.audio.stat()
        about += f"|{state.st_size}|{state.st_mtime_ns}"
    return hashlib.sha256(about.encode(errors="replace")).hexdigest()[:_DIGITS]


def _served(built: BuiltPage, names: Names, version: str) -> bytes:
    """Let the page ask this server, and nobody else, and tell it what it is."""
    about = json.dumps({"runs": list(names), "version": version}).replace("<", "\\u003c")
    mark = b'<script type="application/json" id="first">'
    page = built.html.replace(b"default-src 'none'", b"default-src 'none'; connect-src 'self'", 1)
    return page.replace(mark, f'<script type="application/json" id="served">{about}</script>\n'.encode() + mark, 1)
