"""A talk on the page: its recording plays from the second at which the cited words are said."""

from urllib.parse import urlencode

import pytest

from tests.integration.test_recordings import SAID, write_recorded_talk
from tests.support.browser_page import PATIENCE, expect
from tests.support.served_library import serve_library


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talks")
    with serve_library(folder, corpus=write_recorded_talk(folder / "corpus")) as served:
        yield served


def test_the_recording_plays_from_the_cited_second(talks, chromium_browser):
    tab = chromium_browser.new_page()
    tab.goto(f"{talks.url}/?{urlencode({'paper': 'otters.json', 'page': 3, 'words': SAID[17]})}")
    player = tab.locator("#reading-recording")
    expect(player).to_be_visible()
    tab.wait_for_function("Math.abs(document.getElementById('reading-recording').currentTime - 102) < 0.01")
    player.evaluate("(player) => { player.muted = true; return player.play(); }")
    tab.wait_for_function("document.getElementById('reading-recording').currentTime > 102.2", timeout=PATIENCE)
    expect(tab.locator("#reading-pages mark", has_text="Otter")).to_have_text(SAID[17])
    tab.locator("#reading-more summary").click()
    tab.locator("#reading-slides").click()
    expect(tab.locator("#reading-title")).to_have_text("Slides: Otters")
    expect(player).to_be_hidden()
    tab.close()
