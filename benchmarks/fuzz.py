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
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.fuzz_pdfs import SEED, UNREAD, mutated, pdfs
from benchmarks.tried import Section, Tried
from rag_app import settings as settings_module
from rag_app.assistant import Assistant
from rag_app.cli.ask import run_batch
from rag_app.errors import RagError
from rag_app.index.generations import open_current
from rag_app.outputs.evidence_file import ClaimedQuote, read_evidence
from rag_app.outputs.save import save_answers
from rag_app.outputs.verify import verify_quotes
from rag_app.papers.manifest import read_corpus_manifest
from rag_app.retrieval.hybrid import Retriever
from rag_app.server.security.accounts import Accounts
from tests.support.doubles import WordEmbedder, settings_for, write_corpus

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
ODD = (
    None,
    True,
    -1,
    0,
    1.5,
    10**400,
    "",
    "x",
    "../../x",
    "\ud800",
    "x" * 100_000,
    [],
    {},
    [[]],
    {"": None},
    ["x"],
    [1, 2],
)
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


def odd_json(content: bytes, chance: random.Random) -> bytes:
    """JSON with one to three of its values replaced, doubled or removed; it stays JSON."""
    value = json.loads(content)
    for _ in range(chance.choice([1, 1, 2, 3])):
        places: list[tuple[Any, Any]] = []
        todo = [value]
        while todo:
            one = todo.pop()
            keys = list(one) if isinstance(one, dict) else list(range(len(one))) if isinstance(one, list) else []
            places += [(one, key) for key in keys]
            todo += [one[key] for key in keys]
        if not places:
            break
        inside, key = chance.choice(places)
        kind = chance.randrange(4)
        if kind == 0:
            del inside[key]
        elif kind == 1:
            inside["odd" if isinstance(inside, dict) else slice(0, 0)] = [inside[key]]
        else:
            inside[key] = chance.choice(ODD)
    return json.dumps(value).encode()


def _each(what: str, cases: int, content: bytes, read: Callable[[bytes], object], seed: int = SEED) -> Tried:
    """Mutants of a file that is read as it is: each is read, or refused in words."""
    chance, faults, refused, is_json = random.Random(seed), [], 0, content.startswith(b"{")
    try:
        read(content)
    except RagError as error:
        faults.append(f"{UNREAD}: {error}")
    for number in range(cases):
        given = odd_json(content, chance) if is_json and number % 2 else mutated(content, chance)
        try:
            read(given)
        except RagError as error:
            refused += 1
            if not str(error).strip():
                faults.append(f"case {number}: an empty message")
        except Exception as error:
            faults.append(f"case {number}, seed {seed}: {type(error).__name__}: {error}")
    if refused == cases >= 100:
        faults.append("not one mutant was read: this says little")
    return Tried(what, cases, f"{cases - refused} read, {refused} refused in words", tuple(faults))


def _into(path: Path, read: Callable[[], object]) -> Callable[[bytes], object]:
    """Reads content from a file of its own, which is there with it while it is read."""

    def written(content: bytes) -> object:
        path.write_bytes(content)
        path.chmod(0o600)
        return read()

    return written


def files(cases: int) -> list[Tried]:
    """Mutated small files of each kind."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        write_corpus(folder / "corpus", 2)
        settings = settings_for(folder)
        assistant = Assistant(settings, embedder=WordEmbedder())
        assistant.build()
        rows = [_evidence(cases, assistant), *_of_index(cases, settings.index_folder)]
        toml, own, users = folder / "corpus" / "papers.toml", folder / "rag_app.toml", folder / "users.json"
        Accounts(users).add("ada", "a long password")
        rows += [
            _each("mutated papers.toml", cases, TOML, _into(toml, lambda: read_corpus_manifest(toml.parent))),
            _each("mutated users file", cases, users.read_bytes(), _into(users, lambda: Accounts(users).names())),
        ]
        with contextlib.chdir(folder):
            rows.append(_each("mutated rag_app.toml", cases, SETTINGS, _into(own, settings_module.load_settings)))
        return rows


def _of_index(cases: int, folder: Path) -> list[Tried]:
    """The two small files that say what an index is."""
    rows, manifest = [], open_current(folder).folder / "manifest.json"
    for what, path in (("mutated manifest of an index", manifest), ("mutated pointer", folder / "current")):
        kept = path.read_bytes()
        rows.append(_each(what, cases, kept, _into(path, lambda: _answered(folder))))
        path.write_bytes(kept)
    return rows


def _answered(folder: Path) -> int:
    with contextlib.closing(open_current(folder)) as opened:
        retriever = Retriever(opened, WordEmbedder().embed_question)
        return len(retriever.find_passages("Which points does the otter reach?", 3))


def _evidence(cases: int, assistant: Assistant) -> Tried:
    """An exported answer: what of its mutants can be read is looked for in the papers."""
    corpus, claims = assistant.settings.corpus, list[ClaimedQuote]()
    file = corpus.parent / "evidence.json"
    save_answers(assistant, assistant.ask("Which points does the otter reach?"), file)
    content = file.read_bytes()
    unread = [one.message for one in verify_quotes(read_evidence(content, "e.json"), corpus) if not one.holds]

    def read(given: bytes) -> None:
        claims.extend(read_evidence(given, "e.json"))

    tried = _each("mutated evidence file", cases, content, read)
    checked = verify_quotes(claims, corpus)  # of all mutants at once: the papers are read in processes of their own
    holds = sum(one.holds for one in checked)
    happened = f"{tried.happened}; of their {len(checked):,} quotes {holds:,} stand there, {len(checked) - holds:,} not"
    return replace(tried, happened=happened, faults=(*tried.faults, *(f"{UNREAD}: {one}" for one in unread)))


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
                if "Traceback" in answer.answer or "bug in the program" in answer.answer:
                    faults.append(f"question {number}: {answer.answer[:100]}")
            except Exception as error:
                faults.append(f"question {number}: {type(error).__name__}: {error}")
        batch = folder / "batch.jsonl"
        lines = (odd_json(QUESTION, chance) if n % 2 else mutated(QUESTION, chance) for n in range(cases))
        batch.write_bytes(b"".join(line + b"\n" for line in lines) + QUESTION)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            run_batch(
                str(batch), lambda asked: {"status": "good"}, lambda asked, why: {"status": "error", "error": why}
            )
        told = [json.loads(line) for line in said.getvalue().splitlines()]
        faults += [str(one["error"]) for one in told if "bug in the program" in one.get("error", "")]
        if told[-1]["status"] != "good":
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
        faults += [f"{paper.paper!r}: {paper.problem}" for paper in report.failed_papers]
        if len(report.papers) + len(report.problems) < made:
            faults.append(f"{made} files, but {len(report.papers)} papers and {len(report.problems)} problems")
    happened = "each is a paper or a named problem; links that lead out are refused"
    return Tried("file names: scripts, dashes, newlines, unpaired surrogates, links", made + 4, happened, tuple(faults))


def section(short: bool) -> Section:
    """Bad input, for the report."""
    rows = [
        pdfs(24) if short else pdfs(2000, real=16),
        *files(12 if short else 500),
        questions(len(WEIRD) if short else 600),
        names(),
    ]
    about = (
        f"By chance, from seed {SEED}, each beginning with what is read as it is. An answer or a message of ours is "
        "good; a traceback or a dead process is not."
    )
    return Section("Bad input", about, rows)
