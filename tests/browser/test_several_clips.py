"""Questions with several clips in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from command import call
from sounds import encoded, sine

pytestmark = pytest.mark.browser


TASK = """
from pathlib import Path
from dtbench import Sample, Task

HERE = Path(__file__).parent

class Pairs(Task):
    name = "pairs"

    def samples(self, data_dir):
        clips = [HERE / "0.wav", HERE / "1.wav"]
        yield Sample("two", "Is {audio 2} higher than {audio 1}?", ("yes", "no"), "no", clips=clips)
        yield Sample("spoken", "", ("yes", "no"), "yes", clips[0])
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(2):
        (folder / f"{number}.wav").write_bytes(encoded(sine(300 + 300 * number, 0.5, 16000), 16000).data)
    (folder / "task.py").write_text(TASK)
    assert call("run", "--model", "first", "--task-file", folder / "task.py", "--out", folder / "run").code == 0
    assert call("report", folder / "run", "--clips", "link", "--out", folder / "page.html").code == 0
    return folder / "page.html"


def test_each_clip_has_a_player_with_its_number(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples&search=higher")
    assert browser.run("[...document.querySelectorAll('#detail audio')].map(one => one.getAttribute('src'))") == [
        "0.wav",
        "1.wav",
    ]
    assert browser.run("[...document.querySelectorAll('#detail .kind')].map(one => one.innerText)")[:2] == [
        "Clip 1",
        "Clip 2",
    ]
    assert browser.problems == []


def test_the_prompt_has_each_clip_where_it_was_sent(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples&search=higher")
    browser.run("document.querySelector('#detail .prompt').open = true")
    assert "Is audio clip 2 higher than audio clip 1?" in browser.text("#detail .prompt")


def test_a_spoken_question_says_that_it_is_in_its_clip(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples&q=spoken")
    browser.run("[...document.querySelectorAll('.row')].at(-1).click()")
    assert "The question is in its clip alone." in browser.text("#detail")
