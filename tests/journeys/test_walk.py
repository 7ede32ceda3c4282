"""How pages are walked: a step that breaks is named with its line, and files are those that the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from journeys import ROOT, unmarked, walk

PAGE = """# A page

Two lines, as `notes.txt`:

```text
first `$HOME`
it's the second
```

```sh
wc -l < notes.txt
cat notes.txt
export WHERE=here
```

```toml
not = "written"
```

```sh
echo "it is $WHERE"
false || echo "a refusal that is expected: $?"
ls \\
    nowhere
echo "never reached"
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_a_broken_step_is_named_with_its_line(page: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as raised:
        walk(page, tmp_path)
    line = next(number for number, text in enumerate(PAGE.splitlines(), start=1) if text.startswith("ls "))
    assert f"page.md, line {line}: ls \\: exit 2" in str(raised.value)
    assert "never reached" not in str(raised.value)


def test_files_and_variables_are_as_the_page_has_them(page: Path, tmp_path: Path) -> None:
    page.write_text(PAGE.replace("ls \\\n    nowhere\n", ""))
    walked = walk(page, tmp_path)
    assert walked.out.splitlines() == [
        "2", "first `$HOME`", "it's the second", "it is here", "a refusal that is expected: 1", "never reached"
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"page.md", "notes.txt", ".page.sh"}


def test_commands_that_are_not_executed_say_what_they_need(page: Path) -> None:
    page.write_text("On a large machine (needs a GPU):\n\n    vllm serve X\n\nElsewhere:\n\n    rm -r /\n")
    assert unmarked(page) == ["rm -r /"]


def test_each_page_of_the_journeys_is_walked() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "journeys").glob("*.md")}
    assert pages == {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")} - {"walk"}
