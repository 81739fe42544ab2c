"""`doctor --window`: how much text the configured model really uses, measured on the user's own papers."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rag_app.errors import CorpusError, ModelError, SettingsError
from rag_app.index.generations import open_current
from rag_app.lab.window.probe import DEPTHS, Probe, format_table, lengths_for, propose_length, run_probes
from rag_app.lab.window.report_page import render_probe_page
from rag_app.models.llm.client import open_language_model
from rag_app.outputs.terminal import ProgressLine, print_json, print_note, sanitise_text
from rag_app.settings import Settings, load_settings

MOST_PAPERS = 40  # whose text is mixed


def run(options: Namespace) -> int:
    """Ask the model, print a table and what to set. Returns 1 when nothing was found even in the shortest text."""
    settings = load_settings()
    model = open_language_model(settings)
    if model is None:
        raise ModelError(
            "doctor --window measures a language model, and none is set. Set RAG_LLM, see docs/guide/models.md."
        )
    if options.html and not Path(options.html).absolute().parent.is_dir():
        raise SettingsError(f"{options.html}: no file can be written there. Correct the path after --html.")
    texts = read_paper_texts(settings)
    lengths = lengths_for(model.window, options.longest)
    tokens = sum(lengths) * len(DEPTHS)
    cost = f", {tokens * settings.llm_price_in / 1e6:.4g} by RAG_LLM_PRICE_IN" if settings.llm_price_in else ""
    print_note(f"asking {model.name} {len(lengths) * len(DEPTHS)} times, about {tokens:,} tokens together{cost}")
    progress = ProgressLine()
    found: list[Probe] = []
    try:
        for probe in run_probes(model, texts, lengths):
            found.append(probe)
            progress.show(f"{probe.tokens} tokens, depth {probe.depth:.0%}: {'found' if probe.found else 'not found'}")
    except ModelError as error:
        if not found:
            raise
        print_note(f"ended early: {error}")  # what was measured before is worth showing
    finally:
        progress.close()
    budget = propose_length(found)
    if options.html:
        _write(Path(options.html), render_probe_page(model.name, model.window, found, budget, advice(found, budget)))
    if options.json:
        print_json({"model": model.name, "window": model.window, "budget": budget, "probes": [*map(asdict, found)]})
    else:
        print(
            f"{sanitise_text(model.name)}, window {model.window:,} tokens: was the planted fact found?\n\n"
            f"{format_table(found)}\n"
        )
        print(advice(found, budget))
    return int(not budget)


def advice(found: Sequence[Probe], budget: int) -> str:
    """What to set, and why."""
    if not found:
        return "The server refused even the shortest text: check RAG_LLM_WINDOW."
    if not budget:
        shortest = min(probe.tokens for probe in found)
        return f"Not even in {shortest} tokens were four of five facts found. Answers will be poor: use another model."
    return f"Set RAG_LLM_BUDGET={budget}: up to there at least four of five facts of every length were found."


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:  # what was measured is printed all the same
        print_note(f"not written: {path} ({error.strerror}). Correct the path after --html.")


def read_paper_texts(settings: Settings) -> list[str]:
    """The text of papers of the index, one string each. Raises IndexMissing, CorpusError."""
    generation = open_current(settings.index_folder)
    readable = [entry.paper for entry in generation.manifest.papers if entry.passages][:MOST_PAPERS]
    if not readable:
        raise CorpusError("The index contains no readable paper. See: python -m rag_app papers")
    return ["\n".join(page.text for page in generation.get_reading(paper).pages) for paper in readable]
