"""`fetch`: papers from arXiv into the folder."""

from __future__ import annotations

from argparse import Namespace

from rag_app.errors import FetchError
from rag_app.outputs.json import fetched_json
from rag_app.outputs.terminal import ProgressLine, harmless, print_json
from rag_app.papers.fetch import Fetched, FetchProgress, fetch
from rag_app.papers.manifest import MANIFEST, read_manifest
from rag_app.settings import Settings, load_settings


def run_fetch(options: Namespace) -> int:
    """Download the named papers, or all of the manifest. Returns 1 when one could not be had."""
    settings = load_settings()
    progress = ProgressLine()
    try:
        results = fetch(
            options.ids or _all_of_manifest(settings),
            settings.corpus,
            base_url=settings.arxiv_url,
            on_progress=lambda step: progress.show(_progress_line(step), step.id),
        )
    finally:
        progress.close()
    if options.json:
        print_json(fetched_json(results))
    else:
        print("\n".join(_result(result) for result in results))
    return int(any(result.state == "failed" for result in results))


def _all_of_manifest(settings: Settings) -> list[str]:
    ids = [entry.arxiv_id for entry in read_manifest(settings.corpus.expanduser().resolve())]
    if not ids:
        raise FetchError(f"{settings.corpus / MANIFEST} names no papers. Say which: python -m rag_app fetch 2406.15319")
    return ids


def _progress_line(step: FetchProgress) -> str:
    size = ""
    if step.received:
        size = f", {step.received / 2**20:.1f} MB" + (f" of {step.size / 2**20:.1f}" if step.size else "")
    return f"{step.number}/{step.total}  {step.id}  {step.message}{size}"


def _result(result: Fetched) -> str:
    if result.state == "failed":
        return harmless(f"{result.id:16} failed: {result.problem}")
    size = f", {result.size / 2**20:.1f} MB" if result.size else ""
    name = result.path.name if result.path else ""
    return harmless(f"{result.id:16} {result.state}: {name}{size}")
