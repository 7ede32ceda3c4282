"""Which content a data set is, told from the items: held to the real metadata where it is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import small_data

from dtbench.harness.core.errors import DataError
from dtbench.tasks import registry as task_registry
from dtbench.tasks.data.sources import PUBLISHED_CONTENT
from dtbench.tasks.data.verify import verify_dataset
from dtbench.tasks.mmau import versions as mmau_versions

REAL = Path(__file__).parents[3].parent / "shared" / "data"
OLD, NEW, BROKEN = "1f675a9", "f0a4a97", "6674fa1-broken"


def real(name: str) -> Path:
    if not (REAL / name).is_file():
        pytest.skip(f"the real metadata is not here: ../shared/data/{name}")
    return REAL / name


def real_mmau(version: str) -> Path:
    return real(f"mmau/mmau-test-mini.{version}.json")


def mmau_of(folder: Path, items: list[dict[str, Any]]) -> Path:
    small_data.write_json(folder / "mmau-test-mini.json", items)
    return folder


def test_mmar_v1_and_v2_are_told_apart_and_complete() -> None:
    task = task_registry.get_task("mmar")
    v1, v2 = task.load(real("mmar/MMAR-meta.json")), task.load(real("mmar/MMAR-meta.jsonl"))
    assert (v1.version, v2.version) == ("v1-hf", "v2-github")
    assert {v1.version: v1.sha256, v2.version: v2.sha256} == {
        name: sha256 for (task_name, name), sha256 in PUBLISHED_CONTENT.items() if task_name == "mmar"
    }
    assert any("6 answers are not among their options" in note for note in v1.notes)
    assert not any("not among" in note for note in v2.notes)
    for data in (v1, v2):
        counted = Counter(sample.groups["modality"] for sample in data.samples)
        assert counted == {
            "speech": 294,
            "mix-sound-speech": 218,
            "music": 206,
            "sound": 165,
            "mix-music-speech": 82,
            "mix-sound-music-speech": 24,
            "mix-sound-music": 11,
        }
        assert Counter(sample.groups["category"] for sample in data.samples) == {
            "Semantic Layer": 412,
            "Perception Layer": 404,
            "Cultural Layer": 141,
            "Signal Layer": 43,
        }
        assert Counter(sample.groups["language"] for sample in data.samples)["none"] == 320


@pytest.mark.parametrize(("version", "name"), [(NEW, "v05.15.25"), (OLD, "2024-old")])
def test_mmau_versions_are_known_whole_and_in_part(version: str, name: str, tmp_path: Path) -> None:
    task = task_registry.get_task("mmau-mini")
    file = real_mmau(version)
    whole = task.load(file)
    assert (whole.version, len(whole.samples)) == (name, 1000)
    assert Counter(s.groups["task"] for s in whole.samples) == {"sound": 333, "music": 334, "speech": 333}
    assert len({s.groups["sub-category"] for s in whole.samples}) == 27
    items = json.loads(file.read_text("utf-8"))
    part = task.load(mmau_of(tmp_path, items[:80]))
    assert part.version == name
    assert f"80 of the 1,000 items of {name}" in part.notes


def test_real_data_verifies_without_its_audio(tmp_path: Path) -> None:
    for name, file in (("mmar", "mmar/MMAR-meta.json"), ("mmar", "mmar/MMAR-meta.jsonl")):
        assert verify_dataset(task_registry.get_task(name), real(file), audio=False).problems == ()
    for version in (OLD, NEW):
        assert verify_dataset(task_registry.get_task("mmau-mini"), real_mmau(version), audio=False).problems == ()


def test_a_changed_question_is_found_in_a_whole_set(tmp_path: Path) -> None:
    items = [json.loads(line) for line in real("mmar/MMAR-meta.jsonl").read_text("utf-8").splitlines()]
    items[500]["question"] += " "
    small_data.write_json(tmp_path / "MMAR-meta.jsonl", items)
    (problem,) = verify_dataset(task_registry.get_task("mmar"), tmp_path, audio=False).problems
    assert "the content differs from the published v2-github" in problem

    mmau = json.loads(real_mmau(NEW).read_text("utf-8"))
    mmau[500]["question"] += " Really?"
    version = task_registry.get_task("mmau-mini").load(mmau_of(tmp_path, mmau)).version
    assert version.startswith("unrecognised-")


def test_items_that_both_versions_share_are_not_given_to_one(tmp_path: Path) -> None:
    old = {item["id"]: item for item in json.loads(real_mmau(OLD).read_text("utf-8"))}
    new = json.loads(real_mmau(NEW).read_text("utf-8"))
    same = [item for item in new if old.get(item["id"]) == item]
    assert task_registry.get_task("mmau-mini").load(mmau_of(tmp_path, same[:50])).version == "v05.15.25-or-2024-old"


def test_a_mix_of_versions_is_not_given_a_name(tmp_path: Path) -> None:
    old, new = (json.loads(real_mmau(version).read_text("utf-8")) for version in (OLD, NEW))
    known = {item["id"] for item in new[:500]}
    mixed = new[:500] + [item for item in old if item["id"] not in known][:300]
    data = task_registry.get_task("mmau-mini").load(mmau_of(tmp_path, mixed))
    assert data.version.startswith("unrecognised-")
    assert "of 800 items" in data.notes[0]


def test_the_broken_mmau_is_refused_whole_and_in_part(tmp_path: Path) -> None:
    items = json.loads(real_mmau(BROKEN).read_text("utf-8"))
    lost = [item for item in items if item["answer"] not in item["choices"]]
    one_of_many = [item for item in items if item not in lost][:400] + lost[:1]
    for part, count in ((items, 147), (lost[:1], 1), (one_of_many, 1)):
        with pytest.raises(DataError, match=rf"refused: {count} of {len(part)} answers .* commit f0a4a97") as caught:
            task_registry.get_task("mmau-mini").load(mmau_of(tmp_path, part))
        assert "this is the broken MMAU-test-mini" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_made_up_data_with_the_same_fault_is_refused(tmp_path: Path) -> None:
    items = small_data.mmau_items(100)
    items[7]["answer"] = "none of these"
    data = task_registry.get_task("mmau-mini").load(mmau_of(tmp_path, items))
    assert "1 answers are not among their options" in data.notes
    items[8]["answer"] = "none of these"
    with pytest.raises(
        DataError, match=r"refused: 2 of 100 .*it has the fault of the broken MMAU.*data pull mmau-mini"
    ):
        task_registry.get_task("mmau-mini").load(mmau_of(tmp_path, items))


def test_mmar_with_answers_that_are_no_option_loads_with_a_note(tmp_path: Path) -> None:
    items = small_data.mmar_items(version=1)
    items[0]["answer"] = "none of these"
    small_data.write_json(tmp_path / "MMAR-meta.json", items)
    (note, _) = sorted(task_registry.get_task("mmar").load(tmp_path).notes)
    assert note.startswith("1 answers are not among their options, as published in v1")
    assert verify_dataset(task_registry.get_task("mmar"), tmp_path, audio=False, subset=True).problems == ()


def test_the_test_set_given_as_test_mini_is_told_so(tmp_path: Path) -> None:
    items = [item | {"answer": ""} for item in small_data.mmau_items()]
    with pytest.raises(DataError, match=r"every answer is empty.*mmau-test"):
        task_registry.get_task("mmau-mini").load(mmau_of(tmp_path, items))


def test_made_up_data_has_its_hash_for_a_version(tmp_path: Path) -> None:
    data = task_registry.get_task("mmau-mini").load(mmau_of(tmp_path, small_data.mmau_items()))
    assert data.version == f"unrecognised-{data.sha256[:8]}"


def test_both_copies_of_mmsu_are_named_with_their_difference(tmp_path: Path) -> None:
    builders: dict[str, Callable[[Path], None]] = {
        "parquet-548e228": small_data.mmsu_parquet,
        "jsonl-folder": small_data.mmsu_jsonl_folder,
    }
    for version, build in builders.items():
        build(tmp_path / version)
        data = task_registry.get_task("mmsu").load(tmp_path / version)
        assert data.version == version
        assert "differs in part" in data.notes[0]


def test_the_hashes_in_the_package_are_those_of_the_real_items() -> None:
    files = {version: json.loads(real_mmau(version).read_text("utf-8")) for version in (OLD, NEW, BROKEN)}
    keys = {
        version: {mmau_versions.item_key(i["id"], i["question"], i["choices"], i["answer"]) for i in items}
        for version, items in files.items()
    }
    packed = json.loads(Path(str(mmau_versions.__file__)).with_name("versions.json").read_text("utf-8"))
    assert set(packed["both"]) == keys[OLD] & keys[NEW]
    assert set(packed["v05.15.25"]) == keys[NEW] - keys[OLD]
    assert set(packed["2024-old"]) == keys[OLD] - keys[NEW]
    assert set(packed["broken"]) <= keys[BROKEN] - keys[OLD] - keys[NEW]
    assert len(packed["v05.15.25"]) == len(packed["2024-old"]) == 363


@pytest.mark.parametrize(("version", "name"), [(NEW, "v05.15.25"), (OLD, "2024-old"), (BROKEN, "broken-2025-05-15")])
def test_prediction_records_tell_the_version_that_they_were_made_from(version: str, name: str) -> None:
    items = json.loads(real_mmau(version).read_text(encoding="utf-8"))
    assert task_registry.get_task("mmau-mini").version_of(items) == name


def test_records_that_are_of_no_published_content_tell_no_version() -> None:
    mmau = task_registry.get_task("mmau-mini")
    assert mmau.version_of(small_data.mmau_items()) is None
    assert mmau.version_of([{"id": "1"}]) is None
    assert mmau.version_of([]) is None


def test_mmar_records_tell_v2_by_their_rubrics() -> None:
    mmar = task_registry.get_task("mmar")
    assert mmar.version_of(small_data.mmar_items(version=2)) == "v2-github"
    assert mmar.version_of(small_data.mmar_items(version=1)) is None


def key_of(item: dict[str, Any]) -> str:
    return mmau_versions.item_key(item["id"], item["question"], item["choices"], item["answer"])


def test_a_whole_old_version_says_that_it_is_old_and_a_whole_current_one_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, both = (
        [item | {"id": f"{name}-{number}"} for number, item in enumerate(small_data.mmau_items(500))]
        for name in ("old", "new", "both")
    )
    known = {"2024-old": old, "v05.15.25": new, "both": both, "broken": []}
    small_data.write_json(tmp_path / "known.json", [])
    (tmp_path / "known.json").write_text(json.dumps({name: [*map(key_of, items)] for name, items in known.items()}))
    monkeypatch.setattr(mmau_versions, "_KNOWN_FILE", tmp_path / "known.json")
    mmau_versions._known.cache_clear()
    try:
        found = {
            name: task_registry.get_task("mmau-mini").load(mmau_of(tmp_path / name, items))
            for name, items in (("old", both + old), ("new", both + new), ("half", both), ("mixed", old + new))
        }
    finally:
        monkeypatch.undo()
        mmau_versions._known.cache_clear()
    told = {name: [note for note in data.notes if not note.startswith("no audio")] for name, data in found.items()}
    old_note = "the content before 2025-05-15 (commit 1f675a9): scores are not comparable with v05.15.25"
    assert (found["old"].version, told["old"]) == ("2024-old", [old_note])
    assert (found["new"].version, told["new"]) == ("v05.15.25", [])
    assert (found["half"].version, told["half"]) == (
        "v05.15.25-or-2024-old",
        ["these 500 items are the same in v05.15.25 and 2024-old"],
    )
    assert told["mixed"] == [
        "no published content of MMAU-test-mini: of 1000 items, 500 of v05.15.25, 500 of 2024-old are equal"
    ]


@pytest.mark.parametrize(("version", "old"), [(NEW, False), (OLD, True)])
def test_the_real_old_version_says_that_it_is_old(version: str, *, old: bool) -> None:
    notes = task_registry.get_task("mmau-mini").load(real_mmau(version)).notes
    assert any("scores are not comparable with v05.15.25" in note for note in notes) is old
