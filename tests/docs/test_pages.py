"""Pages of docs/: what they show is what the commands print, and what they name is in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from journeys import Walked, not_printed, walk
from messages import is_written, templates
from site_pages import DOCS, ROOT

from dtbench.harness.extract.answer import LEVELS
from dtbench.harness.stats.intervals import wilson
from dtbench.harness.stats.power import minimum_detectable

WALKED = ("quick-start", "running", "scores", "certainty", "boards", "training")
"""Pages that are executed here; the others have tests of their own."""
NEEDS = re.compile(r"\((all but [\w ]+ )?needs? |\((not )?run by tests")


@pytest.fixture(scope="module", params=WALKED)
def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Walked]:
    page = DOCS / f"{request.param}.md"
    return page, walk(page, tmp_path_factory.mktemp(request.param))


def test_a_page_works_as_it_stands_and_shows_what_is_printed(walked: tuple[Path, Walked]) -> None:
    page, done = walked
    assert not_printed(page, done.out + done.err) == []


def test_a_line_that_is_not_printed_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\necho one\n```\n\n```text\none\nother\n```\n")
    assert not_printed(page, "one\n") == ["other"]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_each_command_is_executed_or_says_what_it_needs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if re.search(r"^```sh$", text, re.MULTILINE):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name in WALKED or any(f'"{page.stem}' in test.read_text() for test in walkers()), (
            "no test executes this page"
        )
    fenced = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    parts = ["", *re.split(r"\n\n+", fenced), ""]
    indented = [
        place for place, part in enumerate(parts) if re.match(r"    (dtbench|pip|make|vllm|srun|export|[A-Z_]+=)", part)
    ]
    around = [(parts[place], parts[place - 1] + parts[place + 1]) for place in indented]
    assert [commands.strip() for commands, words in around if not NEEDS.search(words)] == []


def walkers() -> list[Path]:
    """The modules that execute pages of docs/."""
    folders = (ROOT / "tests", ROOT / "tests" / "docs", ROOT / "tests" / "journeys")
    return [test for folder in folders for test in folder.glob("test_*.py") if test != Path(__file__)]


def test_the_variables_of_the_page_are_those_of_the_code() -> None:
    sources = [path for room in ("harness", "models", "tasks", "training") for path in (ROOT / room).rglob("*")]
    texts = [path.read_text(encoding="utf-8") for path in sources if path.suffix in {".py", ".sbatch", ".yaml"}]
    hosts = (ROOT / "models" / "endpoint" / "hosts.toml").read_text(encoding="utf-8")
    own = {name for text in texts for name in re.findall(r"(?<!_)\bDTBENCH_[A-Z_]+\b", text)}
    keys = set(re.findall(r'"([A-Z_]+_API_KEY)"', hosts))
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z_]{3,})`", page.partition("## Variables of other tools")[0]))
    assert named == own | keys | {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY"}


def test_each_message_of_the_troubleshooting_is_one_of_the_code() -> None:
    shown = re.findall(
        r"^\| `([^`]*…[^`]*)` \|", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    written = set(templates())
    assert len(shown) > 40
    assert [message for message in shown if not is_written(message, written)] == []


def test_the_tables_of_certainty_are_what_the_statistics_say() -> None:
    text = (DOCS / "certainty.md").read_text(encoding="utf-8")
    rows = [
        (int(n.replace(",", "")), points)
        for n, points in re.findall(r"^\| ([\d,]+) \| ([\d.]+) points \|$", text, re.MULTILINE)
    ]
    widths = [(n, wilson(0.65, n)) for n in (100, 200, 500, 1000, 5000)]
    found = [(n, minimum_detectable(n, 0.16)) for n in (100, 500, 1000, 5000)]
    assert rows == [
        *((n, f"{50 * (interval.high - interval.low):.1f}") for n, interval in widths),
        *((n, f"{100 * (least or 0):.1f}") for n, least in found),
    ]


def test_the_levels_of_evidence_are_all_explained() -> None:
    text = (DOCS / "scores.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| [^|]+ \| `[^`]+` \|$", text, re.MULTILINE) == list(LEVELS)


def test_the_words_of_the_glossary_are_in_order_and_stand_once() -> None:
    words = re.findall(r"^\*\*(.+)\*\*$", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert words == sorted(set(words))
