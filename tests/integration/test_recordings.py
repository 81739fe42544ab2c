"""A talk with its recording and slides beside it: links to the second, the recording in parts, to nobody else."""

from __future__ import annotations

import json
import math
import wave
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from openai import OpenAI

from rag_app.outputs.save import save_answers
from tests.support.pdfs import make_paper
from tests.support.served_library import ServedLibrary, serve_library

SAID = [f"Otter number {number} weighs {number} stones and swims in river {number}." for number in range(30)]
QUESTION = "Which otter swims in river 17?"
SECONDS = 6  # of a cue


def write_recorded_talk(corpus: Path) -> Path:
    """Three minutes of speech as Whisper writes them, a recording of the same length, slides."""
    corpus.mkdir(parents=True, exist_ok=True)
    segments = [
        {"start": number * SECONDS, "end": (number + 1) * SECONDS, "text": f" {said}"}
        for number, said in enumerate(SAID)
    ]
    (corpus / "otters.json").write_text(json.dumps({"segments": segments, "text": " ".join(SAID)}), encoding="utf-8")
    with wave.open(str(corpus / "otters.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(bytes(128 + int(90 * math.sin(at / 3)) for at in range(800)) * 10 * SECONDS * len(SAID))
    make_paper(
        corpus / "otters.pdf", title="Slides: Otters", sections=[("1 Rivers", ["Thirty otters, thirty rivers."])]
    )
    return corpus


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLibrary]:
    folder = tmp_path_factory.mktemp("talks")
    with serve_library(folder, corpus=write_recorded_talk(folder / "corpus"), api_rate=0) as served:
        (folder / "secret.mp4").write_bytes(b"mine")
        (folder / "corpus" / "other.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:09.000\nWe say little.", "utf-8")
        (folder / "corpus" / "other.mp4").symlink_to(folder / "secret.mp4")
        served.assistant.build()
        yield served


def test_an_answer_links_to_the_second_in_the_recording(talks: ServedLibrary) -> None:
    said = httpx.post(f"{talks.url}/api/v1/ask", json={"question": QUESTION}, headers=talks.headers, timeout=60).json()
    cited = next(one for one in said["citations"] if "river 17" in one["quote"])
    assert (cited["label"], cited["second"]) == ("1:42", 102)
    assert cited["recording"] == f"{talks.url}/reading/recording?paper=otters.json#t=102"
    model = OpenAI(base_url=f"{talks.url}/v1", api_key=talks.token)
    made = model.chat.completions.create(model="rag-app", messages=[{"role": "user", "content": QUESTION}])
    assert any(one.url_citation.title.endswith(", 1:42") for one in made.choices[0].message.annotations or ())


def test_an_export_links_to_the_file_at_that_second(talks: ServedLibrary, tmp_path: Path) -> None:
    (file,) = save_answers(talks.assistant, talks.assistant.ask(QUESTION), tmp_path / "answer.md")
    assert "([1:42](otters.wav#t=102))" in file.read_text(encoding="utf-8")


def test_the_recording_comes_in_parts(talks: ServedLibrary) -> None:
    whole = (talks.settings.corpus / "otters.wav").read_bytes()
    url = f"{talks.url}/reading/recording?paper=otters.json"
    part = httpx.get(url, headers={"Range": "bytes=1000-1999"})
    assert part.status_code == 206 and part.content == whole[1000:2000]
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(whole)}" and part.headers["accept-ranges"] == "bytes"
    assert part.headers["content-type"].startswith("audio/")
    last = httpx.get(url, headers={"Range": f"bytes={len(whole) - 10}-"})
    assert last.status_code == 206 and last.content == whole[-10:]
    assert httpx.get(url, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert httpx.get(url).content == whole


@pytest.mark.parametrize("paper", ["other.vtt", "otters.pdf", "nosuch.vtt", "../secret.mp4", "otters.wav", ""])
def test_nothing_but_a_recording_beside_its_talk_is_served(talks: ServedLibrary, paper: str) -> None:
    assert httpx.get(f"{talks.url}/reading/recording", params={"paper": paper}).status_code == 404


def test_who_may_not_read_the_page_hears_nothing(tmp_path: Path) -> None:
    corpus = write_recorded_talk(tmp_path / "corpus")
    with serve_library(tmp_path, corpus=corpus, password="correct horse battery") as served:
        for headers in ({}, {"Range": "bytes=0-9"}, {"Authorization": "Bearer wrong"}):
            said = httpx.get(f"{served.url}/reading/recording?paper=otters.json", headers=headers)
            assert said.status_code in (302, 303, 401) and b"RIFF" not in said.content
        other = {"Sec-Fetch-Site": "cross-site"}
        assert httpx.get(f"{served.url}/reading/recording?paper=otters.json", headers=other).status_code == 403


def test_the_page_knows_recording_and_slides(talks: ServedLibrary) -> None:
    with httpx.Client(base_url=talks.url) as client:
        opened = client.get("/reading/at", params={"paper": "otters.json", "page": 3, "words": SAID[17]}).json()
        assert (opened["label"], opened["second"]) == ("1:42", 102)
        layout = client.get(f"/reading/paper/{opened['paper']}/layout").json()
        assert urlsplit(layout["recording"]).path == "recording"
        assert client.get(f"/reading/paper/{layout['slides']}/1").json()["file"] == "otters.pdf"
        plain = client.get("/reading/at", params={"paper": "other.vtt"}).json()["paper"]
        layout = client.get(f"/reading/paper/{plain}/layout").json()
        assert (layout["recording"], layout["slides"]) == ("", "")
