"""`python app.py`: the page in the browser, up within seconds; papers and index are prepared behind it."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence

from rag_app.assistant import Assistant
from rag_app.errors import RagError
from rag_app.index.generations import current_name
from rag_app.papers.corpus import list_fetched_papers
from rag_app.papers.fetch import fetch_papers
from rag_app.papers.manifest import read_corpus_manifest
from rag_app.server.app import PageServer, choose_page_token, serve
from rag_app.settings import Settings, load_settings

PATIENCE = 60.0  # seconds to answer the offer; without an answer nothing is fetched


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="app.py", description="Open the page: ask the papers in corpus/.")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    parser.add_argument("--no-token", action="store_true", help="let every user of this machine open the page")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
        first_start = not current_name(settings.index_folder)
        token = choose_page_token(settings, options.no_token)
        page = serve(Assistant(settings), settings, block=False, page_token=token)
    except RagError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 1
    if not options.no_browser:
        page.open_in_browser()
    if first_start and sys.stdin is not None and sys.stdin.isatty():
        threading.Thread(target=offer_papers, args=(settings, page), daemon=True, name="offer").start()
    page.wait()
    return 0


def offer_papers(settings: Settings, page: PageServer, answer: Callable[[float], str] | None = None) -> None:
    """Ask in the terminal whether to fetch the manifest's papers; the page goes on meanwhile, and without them."""
    try:
        missing = missing_papers(settings)
        if not missing:
            return
        offer = f"{len(missing)} papers are here as digests only. Fetch them from {settings.arxiv_url} now? [y/N] "
        print(offer, end="", flush=True)
        if (answer or _typed)(PATIENCE).strip().casefold() not in ("y", "yes"):
            print("Not fetched. Whenever you like: python -m rag_app fetch")
            return
        results = fetch_papers(
            missing,
            settings.corpus,
            base_url=settings.arxiv_url,
            on_progress=lambda step: print(f"\r{step.number}/{step.total}  {step.id}  {step.message:40}", end=""),
        )
    except RagError as error:
        print(f"app.py: {error} The page goes on with the digests.", file=sys.stderr)
        return
    for result in results:
        if result.problem:
            print(f"\n{result.id}: {result.problem}", end="")
    there = sum(result.state != "failed" for result in results)
    print(f"\n{there} of {len(missing)} papers are here.")
    if there:
        page.rebuild()


def missing_papers(settings: Settings) -> list[str]:
    """Ids of the manifest whose PDF is not in the folder. Raises CorpusError."""
    corpus = settings.corpus.expanduser().resolve()
    here = {known.id for known, _ in list_fetched_papers(corpus)}
    return [entry.arxiv_id for entry in read_corpus_manifest(corpus) if entry.arxiv_id not in here]


def _typed(patience: float) -> str:
    """A line from the terminal, or nothing when none comes in time. Portable: Windows cannot wait on a terminal."""
    lines: list[str] = []
    reading = threading.Thread(target=lambda: lines.append(sys.stdin.readline()), daemon=True, name="terminal")
    reading.start()
    reading.join(patience)
    return lines[0] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
