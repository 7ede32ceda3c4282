"""MMAU-test: 9,000 questions as in MMAU-test-mini, whose answers the authors keep: for submissions only."""

from __future__ import annotations

from pathlib import Path

from dtbench.harness.core.dataset import Dataset
from dtbench.tasks.data.clips import ClipFolder
from dtbench.tasks.data.layouts import find_metadata
from dtbench.tasks.data.sources import MMAU_TEST_BLOB, git_blob_hash
from dtbench.tasks.mmau.files import read_mmau
from dtbench.tasks.mmau_mini import MmauMini

METADATA = ("mmau-test.json", "test-0*.parquet", "data/test-0*.parquet")
ARCHIVES = ("test-audios.tar.gz", "test-audios.zip")


class MmauTest(MmauMini):
    """The fields, tables and rule of MMAU-test-mini; there is no answer to score against."""

    name = "mmau-test"
    title = "MMAU-test: the 9,000 questions with withheld answers"
    licence = "mit"
    size = 9000
    answers_public = False

    def load(self, data_dir: Path | None) -> Dataset:
        """Load the samples, without answers; the version is that of the file as a whole."""
        metadata = find_metadata(self.name, data_dir, METADATA, folders=("mmau", "MMAU", "MMAU-test"))
        data = read_mmau(metadata, ARCHIVES, withheld=True)
        notes = ["answers are withheld by the authors: predictions can be exported, not scored"]
        if {sample.item.get("split") for sample in data.samples} == {"test-mini"}:
            notes.append("these are questions of test-mini without their answers, as commit 3d87e5b had them")
        version = f"unrecognised-{data.sha256[:8]}"
        if metadata.file.suffix == ".json":
            notes += ClipFolder(metadata.root, ARCHIVES).missing("test-audios")
            if git_blob_hash(metadata.file) == MMAU_TEST_BLOB:
                version = "v05.15.25"
        return Dataset(data.samples, version, data.source, (*metadata.notes(), *notes))
