"""Transcripts: cues become spans of time, their words stay as they are."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.assistant import Assistant
from rag_app.citations.marks import label_at
from rag_app.papers.corpus import list_papers
from rag_app.papers.read import read_paper
from rag_app.papers.reading_store import load_reading, save_reading
from rag_app.papers.talks import clock, find_recording, find_second, find_slides, seconds_of
from tests.support.doubles import WordEmbedder, settings_for

SENTENCES = [f"The otter of river {number} weighs {number}.5 stones." for number in range(40)]
STEP = 6.0  # seconds of a cue


def stamp(seconds: float, mark: str) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60:02}:{int(minutes) % 60:02}:{int(rest):02}{mark}000"


def write_talk(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    times = [(number * STEP, number * STEP + STEP) for number in range(len(SENTENCES))]
    path = folder / f"talk.{kind}"
    if kind == "srt":
        cues = [
            f"{n}\n{stamp(a, ',')} --> {stamp(b, ',')}\n<i>{s}</i>"
            for n, ((a, b), s) in enumerate(zip(times, SENTENCES, strict=True), 1)
        ]
        path.write_text("\r\n\r\n".join(cues).replace("\n", "\r\n"), encoding="utf-8-sig")
    elif kind == "vtt":
        cues = [
            f"{stamp(a, '.')} --> {stamp(b, '.')} align:start\n<v Ada>{s}"
            for (a, b), s in zip(times, SENTENCES, strict=True)
        ]
        path.write_text("WEBVTT\n\nNOTE made by hand\n\n" + "\n\n".join(cues), encoding="utf-8")
    else:
        segments = [
            {"id": n, "start": a, "end": b, "text": f" {s}", "tokens": [1]}
            for n, ((a, b), s) in enumerate(zip(times, SENTENCES, strict=True))
        ]
        path.write_text(
            json.dumps({"text": " ".join(SENTENCES), "segments": segments, "language": "en"}), encoding="utf-8"
        )
    return path


@pytest.mark.parametrize("kind", ["srt", "vtt", "json"])
def test_a_page_is_a_span_of_time(tmp_path: Path, kind: str) -> None:
    write_talk(tmp_path, kind)
    (paper,) = list_papers(tmp_path).papers
    assert paper.kind == "talk"
    reading = read_paper(paper.path, paper.kind)
    assert " ".join(page.text for page in reading.pages) == " ".join(SENTENCES)
    for page in reading.pages:
        first = next(number for number, sentence in enumerate(SENTENCES) if page.text.startswith(sentence))
        assert seconds_of(page.label) == int(first * STEP)
        assert page.text.endswith(".")


def test_a_json_file_of_another_kind_is_no_talk(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "x", "segment": 1}', encoding="utf-8")
    assert list_papers(tmp_path).papers == ()


def test_rolling_captions_are_said_once(tmp_path: Path) -> None:
    path = tmp_path / "talk.vtt"
    path.write_text(
        "WEBVTT\n\n00:00.000 --> 00:02.000\nwe weigh<00:01.000><c> otters</c>\n\n"
        "00:02.000 --> 00:04.000\nwe weigh otters\nin winter\n\n00:04.000 --> 00:06.000\nin winter\nand in spring\n",
        encoding="utf-8",
    )
    assert read_paper(path, "talk").pages[0].text == "we weigh otters in winter and in spring"


@pytest.mark.parametrize("text", ["WEBVTT\n\nno cue here", "1\n00:00:01,000 -> 00:00:02,000\nwrong arrow", " "])
def test_a_transcript_without_cues_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "talk.vtt"
    path.write_text(text, encoding="utf-8")
    assert "talk.vtt: no cue" in read_paper(path, "talk").problem


def test_a_cut_json_is_told(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text('{"text": "x", "segments": [{"start": 1', encoding="utf-8")
    assert "not a Whisper transcript" in read_paper(path, "talk").problem


@given(st.integers(0, 10**6))
def test_times_go_there_and_back(seconds: int) -> None:
    assert seconds_of(clock(seconds)) == seconds


def test_the_recording_beside_it_is_found(tmp_path: Path) -> None:
    talk = tmp_path / "talk.en.vtt"
    assert find_recording(talk) is None
    (tmp_path / "talk.mp4").touch()
    assert find_recording(talk) == tmp_path / "talk.mp4"


def test_an_answer_names_the_time(tmp_path: Path) -> None:
    write_talk(tmp_path / "corpus", "vtt")
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder())
    assistant.build()
    answer = assistant.ask("How many stones does the otter of river 31 weigh?")
    citation = next(one for one in answer.citations if "31.5 stones" in one.quote)
    assert citation.verified and seconds_of(citation.label) == 31 * STEP


def cue_file(folder: Path, words: str, seconds_a_word: float = 0.4, words_a_cue: int = 7) -> Path:
    """A transcript whose cues end wherever seven words are said."""
    said = words.split()
    blocks = [
        f"{stamp(at * seconds_a_word, '.')} --> {stamp((at + words_a_cue) * seconds_a_word, '.')}\n"
        + " ".join(said[at : at + words_a_cue])
        for at in range(0, len(said), words_a_cue)
    ]
    path = folder / "talk.vtt"
    path.write_text("WEBVTT\n\n" + "\n\n".join(blocks), encoding="utf-8")
    return path


def test_a_span_ends_with_a_sentence_also_within_a_cue(tmp_path: Path) -> None:
    reading = read_paper(cue_file(tmp_path, " ".join(SENTENCES)), "talk")
    assert " ".join(page.text for page in reading.pages) == " ".join(SENTENCES)
    assert len(reading.pages) > 2 and all(page.text.endswith("stones.") for page in reading.pages)
    begins = [seconds_of(page.label) for page in reading.pages]
    assert all(45 <= after - before <= 90 for before, after in pairwise(begins))


def test_a_speech_without_stops_is_parted_between_cues(tmp_path: Path) -> None:
    reading = read_paper(cue_file(tmp_path, "otters swim " * 400), "talk")
    assert [seconds_of(page.label) for page in reading.pages[:2]] == [0, 92]  # the first cue after 90 seconds


def test_a_place_is_labelled_with_the_time_of_its_cue(tmp_path: Path) -> None:
    (page, *_) = read_paper(write_talk(tmp_path, "srt"), "talk").pages
    at = page.text.index(SENTENCES[3])
    assert [label_at(page, offset) for offset in (0, at - 1, at, len(page.text))] == ["0:00", "0:12", "0:18", "0:42"]


def test_an_index_keeps_the_times(tmp_path: Path) -> None:
    reading = read_paper(write_talk(tmp_path, "srt"), "talk")
    save_reading(tmp_path / "part", reading)
    kept = load_reading(tmp_path / "part")
    assert kept.pages[0].cues == reading.pages[0].cues and len(kept.pages[0].cues) > 5


@pytest.mark.parametrize(("paper", "label", "second"), [
    ("talk.vtt", "1:02:03", 3723), ("talk.json", "12:34", 754), ("talk.srt", "iii", None), ("ours.pdf", "12:34", None),
])  # fmt: skip
def test_only_a_talk_has_seconds(paper: str, label: str, second: int | None) -> None:
    assert find_second(paper, label) == second


def test_slides_and_recordings_behind_links_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("talk.mp4", "talk.pdf"):
        (tmp_path / "out" / name).write_bytes(b"mine")
        (tmp_path / name).symlink_to(tmp_path / "out" / name)
    talk = tmp_path / "talk.vtt"
    assert find_recording(talk) is None and find_slides(talk) is None
    (tmp_path / "talk.pdf").unlink()
    (tmp_path / "talk.pdf").write_bytes(b"%PDF")
    assert find_slides(talk) == tmp_path / "talk.pdf"
