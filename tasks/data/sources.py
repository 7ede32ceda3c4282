"""The files of the data sets, each pinned, each pin with its reason."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple


class HubFile(NamedTuple):
    """A file of a data set on the Hugging Face hub."""

    repo: str
    revision: str
    path: str
    sha256: str | None = None

    @property
    def page(self) -> str:
        """Return its URL."""
        return f"https://huggingface.co/datasets/{self.repo}/resolve/{self.revision}/{self.path}"


class WebFile(NamedTuple):
    """A file behind a URL that names a commit."""

    page: str
    path: str
    sha256: str | None = None
    git_blob: str | None = None
    """Git's hash of the content, where only that is known."""


MMAU_TEST_BLOB = "344d99bb206f8be8e69b4507988556fb52b36b02"
"""mmau-test.json as Sakshi113/MMAU has it since 2025-05; the 1,000 items of test-mini were in its place before."""

# The only revision with the audio since 2025; its metadata is v1.
_MMAR_HUB = ("BoJack/MMAR", "3bd051123480e80d273ae9e8e9f1653f49010ac7")
# v2 is not on the hub. The head of 2026-02-26; the file is unchanged since it appeared on 2026-02-16.
_MMAR_GITHUB = "https://raw.githubusercontent.com/ddlBoJack/MMAR/3bce090a967db576c8ad433b290a8da582d6d2a0"
# The revision whose 1,000 items are those of MMAU-v05.15.25, with the audio of that version inside.
_MMAU_MINI_HUB = ("gamma-lab-umd/MMAU-test-mini", "ccd9696c0111ea7060827598f310558df0b71b0a")
# The audio of the 9,000; their questions are on GitHub, at the last commit that touched a file of the data.
_MMAU_TEST_HUB = ("gamma-lab-umd/MMAU-test", "8e835a9f64ed6c703b3c9ddb6d423d9ab697061e")
_MMAU_GITHUB = "https://raw.githubusercontent.com/Sakshi113/MMAU/f0a4a97d2b562f8c96aaa3dde4c292a8f783b304"
# Three shards with the audio inside; the hub's folder of clips differs from them in some recordings.
_MMSU_HUB = ("ddwang2000/MMSU", "548e2283105825bf908a7db5c09c00dbcf42bd4c")

SOURCES: dict[str, tuple[HubFile | WebFile, ...]] = {
    "mmar": (
        WebFile(
            f"{_MMAR_GITHUB}/MMAR-meta.jsonl",
            "MMAR-meta.jsonl",
            sha256="1c9a343e7bebf1037482b935c54eacd43cc63df7b2c668724b5560caf1f84fad",
        ),
        HubFile(
            *_MMAR_HUB,
            "MMAR-meta.json",
            sha256="7240ecca11b252c782ef44d4d19f711dd9b8424656a2bc3f92c548e318d25cee",
        ),
        HubFile(
            *_MMAR_HUB,
            "mmar-audio.tar.gz",
            sha256="a84cea951de2e4ef9fbf23a003a7f6a4e319df7d62bf3a36c4f09efc56612c12",
        ),
    ),
    "mmau-mini": (HubFile(*_MMAU_MINI_HUB, "test_mini.parquet"),),
    "mmau-test": (
        WebFile(f"{_MMAU_GITHUB}/mmau-test.json", "mmau-test.json", git_blob=MMAU_TEST_BLOB),
        HubFile(*_MMAU_TEST_HUB, "test-audios.tar.gz"),
    ),
    "mmsu": tuple(HubFile(*_MMSU_HUB, f"data/train-{number:05}-of-00003.parquet") for number in range(3)),
}

PUBLISHED_CONTENT = {
    ("mmar", "v1-hf"): "44fb17823e42a38d618f872f225d28bcb1590bc22690520fd576aec4e0fd7bbf",
    ("mmar", "v2-github"): "aebdb1972dac192e32424e0d4fe994406bb8b952dfa01a467cb6ab5310107a82",
    ("mini", "1"): "ab7973991f084ffe1ae2aed9c0f7216745997b87cc6a1202e08cfc856b73b37a",
    ("mini-train-1", "1"): "ef79961d9186c312ed627bad0880e8b182d9e074f3e761955c16e03586082a73",
    ("mini-train-2", "1"): "a4661e2d60398c44a51e13710c6d6ded4e4c2d1f3cdbc5ab49409b929a7b269f",
    ("mini-hop", "1"): "3e94c41a929aa75054995bcf8d8a744d23c033dd05b61fd59abe7d83df8ff3c2",
    ("mini-hop-train-1", "1"): "01853ba5d0b4f9dd828f745581a91c129127b292b453d40dec7402b4f6ea00f0",
    ("mini-hop-train-2", "1"): "aaaaf4b7fcf812f4e9ca505cfef53c416c16ef7f0d528509263f85f5aae09655",
    ("mini-lure", "1"): "b007a209bbd25bddd6c0b8270448c0c67d786ee20124524389170d567df49e6e",
    ("mini-lure-train", "1"): "aaa9a37f225a98a9e5db90f04f0e46b685847f20e078a5ff80733c2ffc399a0b",
}
"""The content hash (Dataset.sha256) of the whole published set, where we had the file to compute it."""

PUBLISHED_FAULTS = {("mmar", "v1-hf"): 6}
"""How many answers of a published set are not among their options."""


def git_blob_hash(path: Path) -> str:
    """Return git's hash of the content of a file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
