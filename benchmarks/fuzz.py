"""Bad input by chance: mutated PDFs, manifests, settings, user and question files, and file names of every kind.

A case is good when it ends in an answer or in a message of ours; a traceback, a hang or a dead process is a fault. The
cases come from a seed, so that each can be made again.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.tried import Section, Tried
from rag_app import settings as settings_module
from rag_app.accounts import Accounts
from rag_app.assistant import Assistant
from rag_app.build import build
from rag_app.command_batch import run_batch
from rag_app.corpus_manifest import read_manifest
from rag_app.errors import RagError
from rag_app.evidence_file import read_evidence
from rag_app.index import open_current
from tests.doubles import WordEmbedder, settings_for, write_corpus
from tests.pdfs import Table, make_paper

SEED = 11
TOML = b"""[[paper]]
arxiv_id = "2406.15319"
title = "LongRAG: Enhancing Retrieval"
year = 2024
month = 6
topic = "Retrieval"
short_names = ["LongRAG"]
"""
SETTINGS = b"""llm = "none"
port = 7860
llm_window = 8192
host = "127.0.0.1"
whole_papers = true
"""
QUESTION = b'{"id": "1", "question": "Which trial series reached 7.3 points?"}\n'
WEIRD = (
    "", " ", "\x00", "\x1b[2J\x07", "\u202egnp.exe\u202c", "?" * 50, "-" * 50, "\ud800", "a\u0300" * 200, "%s%n{0}${x}",
    "' OR 1=1 --", '{"$gt": ""}', "AND OR NOT ((", "title:* ~ ^5 \\", "../../etc/passwd", "<script>alert(1)</script>",
    "[1] [2] [99]", "١٢٣ مرحبا بالعالم", "שלום עולם", "こんにちは", "🦦" * 300,
    "x" * 1_000_000, "word " * 3_000, "\n" * 500,
    "none of them is \u2028\u2029 a line", "Compare otter, heron and lynx in trial; series; points",
    "NaN", "null", "1e999",
)  # fmt: skip
NAMES = (
    "-rf.md", "--help.md", "a b.md", " lead.md", "trail .md", "new\nline.md", "tab\t.md",
    "q\"uo'te.md", "back\\slash.md",
    "semi;colon|pipe&.md", "$(touch x).md", "%2e%2e.md", "..md", "...md", "CON.md", "a.MD", "A.md", "ünï.md",
    "u\u0308ni\u0308.md",
    "中文論文.md", "عربي.md", "עברית.md", "हिन्दी.md", "ไทย.md", "🦦📄.md", "\u202egnp.md",
    "\u200b.md", "x" * 252 + ".md",
    "é" * 126 + ".md", "<b>.md", "a,b.md", "[1].md", "#.md", "~.md", "*.md", "\x01.md", "\udcff\udcfe.md",
)  # fmt: skip


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The bytes with a few changes: flipped, cut, doubled, swapped, filled, or with a number blown up."""
    found = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        if not found:
            break
        at, length = chance.randrange(len(found)), chance.choice([1, 2, 4, 16, 64, 500])
        kind = chance.randrange(7)
        if kind == 0:
            found[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = found[at : at + length]
        elif kind == 3:
            other = chance.randrange(len(found))
            found[at : at + length], found[other : other + length] = (
                found[other : other + length],
                found[at : at + length],
            )
        elif kind == 4:
            found[at : at + length] = bytes([chance.randrange(256)]) * length
        elif kind == 5:
            found[at:at] = chance.choice(
                [b"99999999999", b"-1", b"\x00", b"<<", b"[[[[", b'"', b"R", b"endobj", b"\xff\xfe"]
            )
        elif chance.random() < 0.3:
            del found[at:]
    return bytes(found)


def pdfs(cases: int, seed: int = SEED) -> Tried:
    """Mutated PDFs, built as any folder is: each is read or listed with its problem, the good ones answer."""
    chance, faults = random.Random(seed), []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        write_corpus(folder / "corpus", 2)
        table = Table([["system", "score"], ["ours", "41.5"]], "Table 1: Scores.")
        text = ["We describe it with care. " * 12, table, "The reader has 220 million parameters."]
        whole = make_paper(
            folder / "whole.pdf", sections=[("1 Method", text)], columns=2, references=["A. B. 2020. C."]
        )
        content, unreadable = whole.read_bytes(), 0
        for start in range(0, cases, 100):
            for number in range(start, min(start + 100, cases)):
                (folder / "corpus" / f"m{number}.pdf").write_bytes(mutated(content, chance))
            report = build(settings_for(folder), WordEmbedder())
            for paper in report.failed:
                unreadable += 1
                if not paper.problem or "Traceback" in paper.problem or "fault of the program" in paper.problem:
                    faults.append(f"{paper.paper}: {paper.problem!r}")
            listed = {paper.paper for paper in report.papers}
            gone = [
                f"m{n}.pdf is not listed" for n in range(start, min(start + 100, cases)) if f"m{n}.pdf" not in listed
            ]
            doubled = {name for name, *_ in open_current(folder / "index").manifest.doubles}
            faults += [one for one in gone if one.partition(" ")[0] not in doubled]
            for path in (folder / "corpus").glob("m*.pdf"):
                path.unlink()
        build(settings_for(folder), WordEmbedder())
        if not Assistant(settings_for(folder), embedder=WordEmbedder()).search("otter trial series"):
            faults.append("the good papers do not answer any more")
    happened = f"{cases - unreadable} read as far as they go, {unreadable} listed with their problem; the others answer"
    return Tried("mutated PDFs (bits, cuts, swaps, numbers)", cases, happened, tuple(faults))


def _each(what: str, cases: int, content: bytes, read: Callable[[bytes], object], seed: int = SEED) -> Tried:
    chance, faults, refused = random.Random(seed), [], 0
    for number in range(cases):
        given = mutated(content, chance)
        try:
            read(given)
        except RagError as error:
            refused += 1
            if not str(error).strip():
                faults.append(f"case {number}: an empty message")
        except Exception as error:
            faults.append(f"case {number}, seed {seed}: {type(error).__name__}: {error}")
    return Tried(what, cases, f"{cases - refused} read, {refused} refused in words", tuple(faults))


def files(cases: int) -> list[Tried]:
    """Mutated small files of each kind."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        write_corpus(folder / "corpus", 2)
        settings = settings_for(folder)
        build(settings, WordEmbedder())
        generation = open_current(settings.index_folder)
        manifest, pointer = generation.folder / "manifest.json", settings.index_folder / "current"
        kept = manifest.read_bytes(), pointer.read_bytes()

        def into(path: Path, read: Callable[[], object]) -> Callable[[bytes], object]:
            def written(content: bytes) -> object:
                path.write_bytes(content)
                path.chmod(0o600)
                return read()

            return written

        toml, own, users = folder / "corpus" / "papers.toml", folder / "rag_app.toml", folder / "users.json"
        Accounts(users).add("ada", "a long password")
        rows = [
            _each("mutated papers.toml", cases, TOML, into(toml, lambda: read_manifest(toml.parent))),
            _each(
                "mutated manifest of an index",
                cases,
                kept[0],
                into(manifest, lambda: open_current(settings.index_folder)),
            ),
        ]
        manifest.write_bytes(kept[0])
        rows.append(
            _each("mutated pointer", cases, kept[1], into(pointer, lambda: open_current(settings.index_folder)))
        )
        pointer.write_bytes(kept[1])
        rows.append(
            _each("mutated users file", cases, users.read_bytes(), into(users, lambda: Accounts(users).names()))
        )
        value = json.dumps({"format": 1, "papers": {}, "answers": []}).encode()
        rows.append(_each("mutated evidence file", cases, value, lambda content: read_evidence(content, "e.json")))
        with contextlib.chdir(folder):
            rows.append(_each("mutated rag_app.toml", cases, SETTINGS, into(own, settings_module.load_settings)))
        return rows


def questions(cases: int) -> Tried:
    """Odd questions, and batches with bad lines, asked of a real index."""
    chance, faults, answered = random.Random(SEED), [], 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        write_corpus(folder / "corpus", 3)
        assistant = Assistant(settings_for(folder), embedder=WordEmbedder())
        assistant.build()
        for number in range(cases):
            question = WEIRD[number] if number < len(WEIRD) else "".join(chance.sample(WEIRD[:-8], 3))[:9000]
            try:
                answer = assistant.ask(question)
                answered += answer.status != "error"
                if "Traceback" in answer.answer or "fault of the program" in answer.answer:
                    faults.append(f"question {number}: {answer.answer[:100]}")
            except Exception as error:
                faults.append(f"question {number}: {type(error).__name__}: {error}")
        batch = folder / "batch.jsonl"
        batch.write_bytes(b"".join(mutated(QUESTION, chance) + b"\n" for _ in range(cases)) + QUESTION)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            run_batch(
                str(batch), lambda asked: {"status": "good"}, lambda asked, why: {"status": "error", "error": why}
            )
        lines = [json.loads(line) for line in said.getvalue().splitlines()]
        faults += [str(line["error"]) for line in lines if "fault of the program" in line.get("error", "")]
        if lines[-1]["status"] != "good":
            faults.append("the good line after bad ones was not answered")
    happened = (
        f"{answered} answered or not in the papers, {cases - answered} refused in words; a bad line costs only itself"
    )
    return Tried("odd questions, and batches with bad lines", 2 * cases, happened, tuple(faults))


def names() -> Tried:
    """File names of every kind, and links that lead out, in one folder."""
    faults, made = [], 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        write_corpus(folder / "corpus", 1)
        (folder / "secret.md").write_text("# Secret\n\nThe password is swordfish.\n", encoding="utf-8")
        for number, name in enumerate(NAMES):
            with contextlib.suppress(OSError, ValueError):  # what this file system does not take cannot come
                (folder / "corpus" / name).write_text(
                    f"# Paper {number}\n\nThe yak{number} weighs {number}77 stones.\n"
                )
                made += 1
        for name, target in (("out.md", "../secret.md"), ("up", ".."), ("gone.md", "nowhere"), ("self.md", "self.md")):
            os.symlink(target, folder / "corpus" / name)
        assistant = Assistant(settings_for(folder), embedder=WordEmbedder())
        report = assistant.build()
        answers = [assistant.ask(f"How many stones does the yak{number} weigh?") for number in range(0, len(NAMES), 9)]
        said = json.dumps([paper.paper for paper in report.papers]) + "".join(map(str, answers))
        if "swordfish" in said or "Secret" in said:
            faults.append("a link led out of the folder")
        faults += [f"{paper.paper!r}: {paper.problem}" for paper in report.failed]
        if len(report.papers) + len(report.problems) < made:
            faults.append(f"{made} files, but {len(report.papers)} papers and {len(report.problems)} problems")
    happened = "each is a paper or a named problem; links that lead out are refused"
    return Tried("file names: scripts, dashes, newlines, half characters, links", made + 4, happened, tuple(faults))


def section(short: bool) -> Section:
    """Bad input, for the report: about 2,000 cases in the long version."""
    few = 12 if short else 160
    rows = [pdfs(24 if short else 700), *files(few), questions(len(WEIRD) if short else 120), names()]
    about = (
        f"By chance, from seed {SEED}. An answer or a message of ours is good; a traceback or a dead process is not."
    )
    return Section("Bad input", about, rows)
