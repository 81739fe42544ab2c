"""The command line: what can be typed, and what happens when something goes wrong.

A command is imported only when it is asked for, so that `--help` answers at once. It takes the options and returns
an exit code. Exit codes: 0 good, 1 something failed, 2 usage, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from rag_app.errors import RagError
from rag_app.text.escaping import escape_controls

COMMANDS = {  # the module and the function of each
    "build": ("rag_app.cli.papers", "run_build"),
    "fetch": ("rag_app.cli.papers", "run_fetch"),
    "add": ("rag_app.cli.papers", "run_add"),
    "remove": ("rag_app.cli.papers", "run_add"),
    "ask": ("rag_app.cli.ask", "run_ask"),
    "chat": ("rag_app.cli.ask", "run_chat"),
    "search": ("rag_app.cli.ask", "run_search"),
    "compare": ("rag_app.cli.compare", "run"),
    "history": ("rag_app.cli.history", "run"),
    "verify": ("rag_app.cli.verify", "run"),
    "eval": ("rag_app.cli.evaluate", "run_eval"),
    "papers": ("rag_app.cli.papers", "run_papers"),
    "align": ("rag_app.cli.align", "run"),
    "reader": ("rag_app.cli.model", "run"),
    "doctor": ("rag_app.cli.doctor", "run"),
    "redteam": ("rag_app.cli.redteam", "run"),
    "serve": ("rag_app.cli.serve", "run_serve"),
    "mcp": ("rag_app.cli.mcp", "run"),
    "notes": ("rag_app.cli.notes", "run"),
    "zotero": ("rag_app.cli.zotero", "run"),
    "user": ("rag_app.cli.serve", "run_user"),
    "token": ("rag_app.cli.serve", "run_token"),
}
FAILED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141


def _run(options: argparse.Namespace) -> int:
    module, function = COMMANDS[options.command]
    code: int = getattr(importlib.import_module(module), function)(options)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. `arguments` without the program's name; from the process when None. Returns the exit code."""
    _use_utf8()
    try:
        given = sys.argv[1:] if arguments is None else arguments
        options = make_parser().parse_args(given or ["serve"])  # the program's name alone opens the page
    except SystemExit as end:  # argparse has said what is wrong, or has printed the help
        return int(end.code or 0)
    try:
        code = _run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _print_message("stopped")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as with `| head`. Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # the outermost edge: nobody above us could say it better
        if options.traceback:
            traceback.print_exc()
        _fail(_error_message(error), options.json)
        return FAILED


def _error_message(error: Exception) -> str:
    if isinstance(error, RagError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}. Correct that, then try again."
    return f"{type(error).__name__}: {error}. This is a bug in the program; --traceback shows where."


def _fail(message: str, as_json: bool) -> None:
    _print_message(message)
    if as_json:
        print(json.dumps({"status": "error", "error": message}, ensure_ascii=False), flush=True)


def _print_message(message: str) -> None:
    print(f"rag-app: {escape_controls(message)}", file=sys.stderr, flush=True)


def _use_utf8() -> None:
    """UTF-8 whatever the system's code page says; unpaired surrogates become escapes, which JSON reads back."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")


# -- what can be typed ------------------------------------------------------------------------------------------


def _add_exchange_commands(commands: Any) -> None:
    notes = _command(commands, "notes", "write a Markdown note for each paper, for Obsidian")
    notes.add_argument("folder", metavar="FOLDER", help="in your vault; text below the marker of a note is kept")
    notes.add_argument(
        "--page", default="", metavar="URL", help="the page's address, for links; default: from the settings"
    )
    notes.add_argument("--user", default="", metavar="NAME", help="whose conversations, if users log in")
    zotero = _command(commands, "zotero", "import papers from Zotero, now and at every build")
    zotero.add_argument(
        "--collection", default="", metavar="NAME", help="only this collection, by name or key; default: all"
    )
    zotero.add_argument("--tag", default="", metavar="TAG", help="only items with this tag")
    zotero.add_argument("--url", default="", metavar="URL", help="where Zotero listens (http://127.0.0.1:23119)")
    zotero.add_argument(
        "--storage",
        default="",
        metavar="FOLDER",
        help="of linked files; with --library: of all while it is closed",
    )
    zotero.add_argument("--library", default="", metavar="FILE", help="with --storage: an exported library file")
    mcp = _command(commands, "mcp", "serve the library to an agent over standard input and output (MCP)")
    mcp.add_argument(
        "--page", default="", metavar="URL", help="the page's address, for links; default: from the settings"
    )


class _ShowVersion(argparse.Action):
    """Looks the version up only when it is asked for: that takes as long as the rest of the command line."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        metadata = importlib.import_module("importlib.metadata")
        try:
            print(f"rag-app {metadata.version('rag-app')}")
        except metadata.PackageNotFoundError:
            print("rag-app, from a folder that is not installed")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands. Knows nothing of the parts behind them."""
    parser = argparse.ArgumentParser(
        prog="rag-app",
        description="Ask your papers a question. Every claim in the answer opens the exact words on the exact page.",
        epilog="Settings: RAG_* variables, rag_app.toml (docs/reference/settings.md). Start with doctor, build, ask.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="print the program's version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = _command(commands, "build", "bring the index up to date with the folder of papers")
    anew = build.add_mutually_exclusive_group()
    anew.add_argument("--fresh", action="store_true", help="discard finished work and start again")
    anew.add_argument("--rollback", action="store_true", help="return to the previous index")
    fetch = _command(commands, "fetch", "download papers from arXiv into the folder")
    fetch.add_argument("ids", nargs="*", metavar="ID", help="arXiv ids or links; default: all in papers.toml")
    _add_library_commands(commands)
    ask = _command(commands, "ask", "answer a question, each claim with its page")
    _add_question(ask)
    takes = (
        "write the answer to FILE as .md, .bib, .csv or .tex (tables), .json (evidence for verify) or .zip (all); "
        "repeatable"
    )
    ask.add_argument("--export", action="append", default=[], metavar="FILE", help=takes)
    ask.add_argument("--whole-papers", action="store_true", help="send whole papers to the model, where they fit")
    ask.add_argument("--dry-run", action="store_true", help="with --whole-papers: only show what would be sent")
    chat = _command(commands, "chat", "ask one question after another; follow-ups are understood")
    _add_papers(chat)
    search = _command(commands, "search", "find the passages for a question")
    _add_question(search)
    search.add_argument("--top", type=_positive, default=10, metavar="K", help="how many passages (10)")
    _add_compare_command(_command(commands, "compare", "compare papers in a table, each cell quoted from its page"))
    _add_history_commands(_command(commands, "history", "read and export the page's conversations"))
    verify = _command(commands, "verify", "check every quote of an evidence file, or of any text, in the papers")
    verify.add_argument("file", metavar="FILE", help="from ask … --export FILE.json, or any text (.md, .txt, -)")
    verify.add_argument("--papers", metavar="FOLDER", help="folder of the papers, instead of RAG_CORPUS")
    _add_eval_commands(_command(commands, "eval", "score the answers to questions with known answers"))
    papers = _command(commands, "papers", "list the papers, and say which cannot be read and why")
    styles = "print them as references instead: bibtex, or a style such as apa, ieee, acl (extra styles)"
    papers.add_argument("--cite", default="", metavar="STYLE", help=styles)
    _add_align_command(_command(commands, "align", "fit the embedder to your own judged questions"))
    _add_reader_options(_command(commands, "reader", "show, try or keep the model that answers"))
    doctor = _command(commands, "doctor", "check the installation and say what is wrong")
    doctor.add_argument("--window", action="store_true", help="measure how much text the language model really uses")
    doctor.add_argument(
        "--longest", type=_tokens, default=0, metavar="N", help="with --window: at most N tokens of text"
    )
    doctor.add_argument("--html", metavar="FILE", help="with --window: also write it as a page with a plot")
    _add_redteam_command(_command(commands, "redteam", "attack the configured reader with hostile papers"))
    _add_serve_command(_command(commands, "serve", "open the page in the browser"))
    _add_exchange_commands(commands)
    user = _command(commands, "user", "add, remove and list the users who may log in to the page")
    user.add_argument("what", choices=("add", "remove", "list"))
    user.add_argument(
        "name", nargs="?", default="", metavar="NAME", help="the user; asks for a password, or reads one from a pipe"
    )
    token = _command(commands, "token", "add, remove and list the tokens of programs that may ask (REST, OpenAI, MCP)")
    token.add_argument("what", choices=("add", "remove", "list"))
    token.add_argument("name", nargs="?", default="", metavar="NAME", help="the program; its token is shown once")
    token.add_argument("--user", default="", metavar="USER", help="whose conversations it sees, if users log in")
    return parser


def _command(commands: Any, name: str, help: str) -> argparse.ArgumentParser:
    description = f"{help[0].upper()}{help[1:]}."
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=description)
    command.add_argument("--json", action="store_true", help="print JSON, and only JSON, on standard output")
    command.add_argument("--traceback", action="store_true", help="show where in the program an error came from")
    return command


def _add_library_commands(commands: Any) -> None:
    add = _command(commands, "add", "put papers into the folder, and build")
    add.add_argument(
        "things",
        nargs="+",
        metavar="FILE|ID",
        help="files of papers, PDF or others; arXiv ids or links",
    )
    remove = _command(commands, "remove", "take papers out of the folder; their files are kept in .removed")
    remove.add_argument("names", nargs="*", metavar="NAME", help="as listed by papers; default: list what was removed")
    remove.add_argument("--restore", action="store_true", help="put removed files back")
    for command in (add, remove):
        command.add_argument("--no-build", action="store_true", help="leave the index as it is")


def _add_reader_options(command: argparse.ArgumentParser) -> None:
    which = "auto, none, openai, anthropic, gemini, openrouter, ollama, local, or own: the server at --base-url"
    command.add_argument("--name", metavar="NAME", help=which)
    command.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible server: http://127.0.0.1:11434/v1")
    command.add_argument("--model", metavar="NAME", help="the model's name on that server")
    command.add_argument(
        "--key", action="store_true", help="ask for the server's key, or read a line of standard input"
    )
    command.add_argument("--try", action="store_true", dest="attempt", help="make one short call and report the result")
    kept = command.add_mutually_exclusive_group()
    kept.add_argument(
        "--keep", action="store_true", help="if it works, keep it for the next start in a file only you can read"
    )
    kept.add_argument("--forget", action="store_true", help="delete the kept choice")


def _add_question(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("question", nargs="?", metavar="QUESTION", help="in quotes")
    what.add_argument("--batch", metavar="FILE", help='one {"id", "question"} per line; - for standard input')
    _add_papers(command)
    years = "only papers of these years: 2020-2023, 2020- or 2020"
    command.add_argument("--years", type=_years, metavar="FROM-TO", help=years)
    command.add_argument("--section", default="", metavar="TEXT", help="only sections whose heading contains this text")


def _add_papers(command: argparse.ArgumentParser) -> None:
    which = "only these, by file name or arXiv id, separated by commas"
    command.add_argument("--papers", action="append", default=[], metavar="NAMES", help=which)


def _add_compare_command(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("question", metavar="QUESTION", nargs="?", default="", help="in quotes")
    grows = "a table saved with --json; --aspects adds columns, --papers adds rows; only these are searched"
    what.add_argument("--onto", metavar="FILE", help=grows)
    which = "the rows, by file name or arXiv id, separated by commas; default: the papers that the question names"
    command.add_argument("--papers", action="append", default=[], metavar="NAMES", help=which)
    columns = "the columns, separated by semicolons; default: what the question asks for"
    command.add_argument("--aspects", default="", metavar="TEXTS", help=columns)
    form = command.add_mutually_exclusive_group()
    for name, means in (("csv", "CSV"), ("markdown", "Markdown"), ("latex", "LaTeX")):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=f"the table as {means}")


def _add_align_command(command: argparse.ArgumentParser) -> None:
    what = 'lines of {"question", "positives", "negatives", "paper"}, or {"question", "facts"} about the papers'
    command.add_argument("file", metavar="FILE", help=what)
    command.add_argument("--out", required=True, metavar="FOLDER", help="a new folder; name it in RAG_EMBEDDER")
    command.add_argument(
        "--reranker", metavar="FOLDER", help="also train a cross-encoder, into this new folder; name it in RAG_RERANKER"
    )
    command.add_argument("--keep", action="store_true", help="keep the result even if it did not help")
    command.add_argument("--epochs", type=_positive, default=2, metavar="N", help="passes over all questions (2)")
    command.add_argument("--steps", type=_positive, default=0, metavar="N", help="stop after N steps")
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="random seed of the held-out part and of training (0)"
    )


def _add_history_commands(command: argparse.ArgumentParser) -> None:
    which = "which conversation, by its number in the list; default: list them, newest first"
    command.add_argument("which", nargs="?", default="", metavar="NUMBER", help=which)
    command.add_argument("--find", default="", metavar="TEXT", help="only conversations that contain this text")
    command.add_argument("--user", default="", metavar="NAME", help="whose conversations, if users log in")
    takes = (
        "write all its answers to FILE as .md, .bib, .csv or .tex (tables), .json (evidence for verify) or .zip (all)"
    )
    command.add_argument("--export", action="append", default=[], metavar="FILE", help=takes)


def _add_eval_commands(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", nargs="?", metavar="FILE", help="one JSON line per question, with its gold facts")
    thumbs = "instead of FILE: the questions that users rated on the page"
    command.add_argument("--from-feedback", action="store_true", help=thumbs)
    command.add_argument("--keep", metavar="FILE", help="with --from-feedback: also write these questions there")
    which = "only these, separated by commas: spotlight, comparison, clustering, chain, unanswerable"
    command.add_argument("--kinds", default="", metavar="KINDS", help=which)
    most = "at most this many questions of each kind, or pairs for --check-judge"
    command.add_argument("--limit", type=_positive, default=0, metavar="N", help=most)
    command.add_argument("--html", metavar="FILE", help="also write the report as a page with plots")
    gate = "an accepted report (--json); exit code 1 if the new one is worse beyond noise"
    command.add_argument("--baseline", metavar="FILE", help=gate)
    command.add_argument("--judge", action="store_true", help="let the language model judge the answers too")
    pairs = "instead: measure how far the language model, as a judge, agrees with people on LLMBar's pairs"
    command.add_argument("--check-judge", metavar="PATH", help=pairs)


def _add_redteam_command(command: argparse.ArgumentParser) -> None:
    rounds = "extra rounds that vary the most successful attacks (0)"
    command.add_argument("--rounds", type=_positive, default=0, metavar="N", help=rounds)
    command.add_argument(
        "--only", default="", metavar="CATEGORIES", help="only these, separated by commas: command, hidden, …"
    )
    command.add_argument("--limit", type=_positive, default=0, metavar="N", help="at most this many of each category")
    archive = "keep the attacks and their results in this file (JSON), and continue from it"
    command.add_argument("--archive", metavar="FILE", help=archive)


def _add_serve_command(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=_port, metavar="N", help="instead of RAG_PORT (7860); 0: any free one")
    command.add_argument("--host", metavar="ADDRESS", help="instead of RAG_HOST (127.0.0.1)")
    command.add_argument("--root-path", metavar="PATH", help="where a proxy serves the page, for instance /papers")
    command.add_argument("--no-browser", action="store_true", help="do not open the browser")
    command.add_argument(
        "--no-token",
        action="store_true",
        help="let every program and user on this machine open the page (RAG_PAGE_TOKEN=off)",
    )


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def _tokens(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 100 <= int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of tokens from 100 on")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _years(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{4})(-(\d{4})?)?", text.strip(), re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of years; write 2020-2023, 2020- or 2020")
    first = int(match[1])
    last = int(match[3]) if match[3] else 9999 if match[2] else first
    if last < first:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins; write {last}-{first}")
    return first, last
