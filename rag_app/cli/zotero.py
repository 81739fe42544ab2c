"""`zotero`: say which papers of Zotero belong to the library; from then on every build follows them."""

from __future__ import annotations

from argparse import Namespace

from rag_app.cli.session import open_assistant
from rag_app.errors import CorpusError
from rag_app.outputs.json import build_json
from rag_app.outputs.terminal import ProgressLine, build_text, print_json
from rag_app.papers.zotero_settings import LOCAL, ZoteroSource, read_zotero_settings, write_zotero_settings


def run(options: Namespace) -> int:
    """Keep the choice in zotero.toml, and build. Returns 1 when something could not be taken in."""
    assistant = open_assistant()
    corpus = assistant.settings.corpus.expanduser().resolve()
    if not corpus.is_dir():
        raise CorpusError(f"{corpus}: no such folder. Create it, or set RAG_CORPUS to the right one.")
    write_zotero_settings(
        corpus,
        ZoteroSource(options.url or LOCAL, options.collection, options.tag, options.storage, options.library),
    )
    read_zotero_settings(corpus)  # says what cannot be
    progress = ProgressLine()
    try:
        report = assistant.build(on_progress=progress.build)
    finally:
        progress.close()
    if options.json:
        print_json(build_json(report))
    else:
        print(build_text(report))
    return int(bool(report.failed_papers or report.problems))
