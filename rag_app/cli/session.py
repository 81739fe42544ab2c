"""What commands that need papers share: the assistant, an index that is ready, and the papers that were named."""

from __future__ import annotations

from argparse import Namespace

from rag_app.assistant import Assistant
from rag_app.index import generations
from rag_app.index.inventory import refuse_other_folder
from rag_app.index.paper_choice import choose_papers, explain_duplicates
from rag_app.outputs.terminal import ProgressLine, print_note
from rag_app.papers.read import READING_VERSION
from rag_app.papers.starter import prepare_corpus
from rag_app.settings import load_settings


def open_assistant(**overrides: object) -> Assistant:
    """The assistant that the settings describe; nothing is loaded yet. Raises SettingsError."""
    settings = load_settings(**overrides)
    prepare_corpus(settings)
    return Assistant(settings)


def ready_assistant() -> Assistant:
    """An assistant with an index to ask: built first where there is none or another version made it.

    A note says where the folder has changed since.

    Raises IndexOfOtherFolder where the index holds the papers of another folder.
    """
    assistant = open_assistant()
    if not generations.current_name(assistant.settings.index_folder):
        _build_first(assistant, "there is no index of this folder yet; building it first")
    elif assistant.is_stale():
        manifest = generations.open_current(assistant.settings.index_folder).manifest
        refuse_other_folder(manifest, assistant.settings.corpus)
        if manifest.reading != READING_VERSION:  # what it kept of the papers may have another form
            _build_first(assistant, "the index was made by another version of this program; building it again first")
        else:
            print_note(
                "the folder has changed since the index was built. Bring it up to date with: python -m rag_app build"
            )
    return assistant


def _build_first(assistant: Assistant, reason: str) -> None:
    print_note(reason)
    progress = ProgressLine()
    try:
        report = assistant.build(on_progress=progress.build)
    finally:
        progress.close()
    if report.failed_papers:
        print_note(
            f"not searchable: {', '.join(paper.paper for paper in report.failed_papers)}. See: python -m rag_app papers"
        )


def chosen_papers(options: Namespace, assistant: Assistant) -> tuple[str, ...]:
    """The papers that --papers names, by file name, file name without suffix, or arXiv id. Raises QuestionError.

    A note says where a name is that of a duplicate.
    """
    if not options.papers:
        return ()
    rows = assistant.papers()
    papers = choose_papers(options.papers, rows, "--papers")
    for sentence in explain_duplicates(options.papers, rows):
        print_note(sentence)
    return papers
