"""`papers`, `build`, `add`, `remove` and `fetch`: the papers of the library and their index."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rag_app.assistant import Assistant
from rag_app.cli.session import open_assistant
from rag_app.errors import FetchError, RagError
from rag_app.index import generations
from rag_app.outputs.bibtex import to_bibtex
from rag_app.outputs.citation_styles import format_references
from rag_app.outputs.json import build_json, fetch_results_json, papers_json
from rag_app.outputs.terminal import ProgressLine, build_text, papers_text, print_json
from rag_app.papers.add_remove import (
    AddResult,
    add_file,
    find_replacement_digest,
    remove_paper,
    removed_papers,
    restore_paper,
)
from rag_app.papers.arxiv_ids import parse_arxiv_id
from rag_app.papers.fetch import FetchProgress, FetchResult, fetch_papers
from rag_app.papers.manifest import MANIFEST, read_corpus_manifest
from rag_app.records import Source
from rag_app.settings import Settings, load_settings
from rag_app.text.escaping import escape_controls


def run_papers(options: Namespace) -> int:
    """Print every paper. Before the first build: what lies in the folder."""
    assistant = open_assistant()
    rows = assistant.papers()
    if options.cite:
        return _print_references(list(assistant.sources(row.paper for row in rows).values()), options)
    if options.json:
        print_json(papers_json(rows))
    else:
        print(papers_text(rows))
    return 0


def _print_references(sources: Sequence[Source], options: Namespace) -> int:
    """Print the papers as a list of references."""
    text = to_bibtex(sources) if options.cite == "bibtex" else ""
    lines = [text] if text else format_references(sources, options.cite)
    if options.json:
        print_json({"style": options.cite, "references": lines})
    else:
        print("\n".join(lines))
    return 0


def run_build(options: Namespace) -> int:
    """Build and report. Returns 1 when a paper cannot be searched, and names it."""
    assistant = open_assistant()
    if options.rollback:
        return _roll_back(assistant, options)
    progress = ProgressLine()
    try:
        report = assistant.build(fresh=options.fresh, on_progress=progress.build)
    finally:
        progress.close()
    if options.json:
        print_json(build_json(report))
    else:
        print(build_text(report))
    return int(bool(report.failed_papers))


def _roll_back(assistant: Assistant, options: Namespace) -> int:
    name = generations.rollback(assistant.settings.index_folder)
    if options.json:
        print_json({"status": "rolled back", "generation": name})
    else:
        print(f"{name} answers now")
    return 0


def run_add(options: Namespace) -> int:
    """Do what was typed. Returns 1 when a file or paper could not be taken, moved or read."""
    assistant = open_assistant()
    done = _remove_files(options, assistant) if options.command == "remove" else _add_files(options, assistant)
    changed = any(one["state"] in ("added", "removed", "put back") for one in done)
    report = _build_index(assistant) if changed and not options.no_build else None
    failed = any(one["state"] in ("refused", "failed") for one in done)
    if options.json:
        print_json({"status": "failed" if failed else "done", "papers": done, "build": report and build_json(report)})
    else:
        print("\n".join(escape_controls(_format_result(one)) for one in done) or "nothing has been removed")
        if report:
            print(build_text(report))
    return int(failed or bool(report and report.failed_papers))


def _add_files(options: Namespace, assistant: Assistant) -> list[dict[str, Any]]:
    """Each thing in turn: a file that is there, else an arXiv id."""
    corpus = assistant.settings.corpus
    done: list[dict[str, Any]] = []
    ids: list[str] = []
    for given in options.things:
        if parse_arxiv_id(given) and not Path(given).is_file():
            ids.append(given)
        else:
            done.append(asdict(add_file(corpus, Path(given).expanduser())))
    if ids:
        progress = ProgressLine()
        try:
            results = fetch_papers(
                ids,
                corpus,
                base_url=assistant.settings.arxiv_url,
                on_progress=lambda step: progress.show(
                    f"{step.number}/{step.total}  {step.id}  {step.message}", step.id
                ),
            )
        finally:
            progress.close()
        done += [asdict(_as_add_result(result)) for result in results]
    return done


def _as_add_result(result: FetchResult) -> AddResult:
    paper = result.path.name if result.path else ""
    if result.state == "failed":
        return AddResult(result.id, "refused", problem=result.problem)
    return AddResult(result.id, "added" if result.state == "fetched" else "already there", paper)


def _remove_files(options: Namespace, assistant: Assistant) -> list[dict[str, Any]]:
    """Each name in turn; without any, the list of what was removed and is kept."""
    corpus = assistant.settings.corpus
    if not options.names:
        return [{"name": kept, "state": "kept", "paper": "", "problem": ""} for kept in removed_papers(corpus)]
    done = []
    for name in options.names:
        one = {"name": name, "state": "put back" if options.restore else "removed", "paper": "", "problem": ""}
        try:
            path = restore_paper(corpus, name) if options.restore else remove_paper(corpus, name)
            digest = "" if options.restore else find_replacement_digest(corpus, path)
            one |= {"paper": str(path), "problem": f"answers now come from its digest {digest}" if digest else ""}
        except RagError as error:
            one |= {"state": "failed", "problem": str(error)}
        done.append(one)
    return done


def _build_index(assistant: Assistant) -> Any:
    progress = ProgressLine()
    try:
        return assistant.build(on_progress=progress.build)
    finally:
        progress.close()


def _format_result(one: dict[str, Any]) -> str:
    where = f" → {one['paper']}" if one["paper"] and one["paper"] != one["name"] else ""
    why = f": {one['problem']}" if one["problem"] else ""
    return f"{one['name']}: {one['state']}{where}{why}"


def run_fetch(options: Namespace) -> int:
    """Download the named papers, or all of the manifest. Returns 1 when one could not be had."""
    settings = load_settings()
    progress = ProgressLine()
    try:
        results = fetch_papers(
            options.ids or _all_of_manifest(settings),
            settings.corpus,
            base_url=settings.arxiv_url,
            on_progress=lambda step: progress.show(_format_progress(step), step.id),
        )
    finally:
        progress.close()
    if options.json:
        print_json(fetch_results_json(results))
    else:
        print("\n".join(escape_controls(_format_fetch_result(result)) for result in results))
    return int(any(result.state == "failed" for result in results))


def _all_of_manifest(settings: Settings) -> list[str]:
    ids = [entry.arxiv_id for entry in read_corpus_manifest(settings.corpus.expanduser().resolve())]
    if not ids:
        raise FetchError(f"{settings.corpus / MANIFEST} names no papers. Say which: python -m rag_app fetch 2406.15319")
    return ids


def _format_progress(step: FetchProgress) -> str:
    size = ""
    if step.received:
        size = f", {step.received / 2**20:.1f} MB" + (f" of {step.size / 2**20:.1f}" if step.size else "")
    return f"{step.number}/{step.total}  {step.id}  {step.message}{size}"


def _format_fetch_result(result: FetchResult) -> str:
    if result.state == "failed":
        return escape_controls(f"{result.id:16} failed: {result.problem}")
    size = f", {result.size / 2**20:.1f} MB" if result.size else ""
    name = result.path.name if result.path else ""
    return escape_controls(f"{result.id:16} {result.state}: {name}{size}")
