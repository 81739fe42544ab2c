"""Keys: from the environment or a file that is its owner's alone, and seen nowhere else."""

import json
import logging
import os
from pathlib import Path

import pytest

from rag_app.assistant import Assistant
from rag_app.cli.main import main
from rag_app.errors import SettingsError
from rag_app.outputs.save import save_answers
from rag_app.server.app import serve
from rag_app.settings import SETTINGS_FILE, load_settings
from tests.support.doubles import WordEmbedder, settings_for, write_corpus
from tests.support.provider import Provider, Reply, error_body
from tests.support.visitor import Visitor

CANARY = "sk-canary-8b1f0c77d2"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes of files are not Windows'")


@pytest.mark.parametrize("line", ['llm_api_key = "k"', 'password = "long enough"'])
def test_a_file_with_a_key_that_others_can_read_is_refused_with_the_remedy(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = Path(SETTINGS_FILE)
    file.write_text(f"{line}\n")
    file.chmod(0o644)
    with pytest.raises(SettingsError, match=f"chmod 600 {SETTINGS_FILE}"):
        load_settings()
    file.chmod(0o600)
    assert load_settings()
    file.write_text('llm = "none"\nllm_api_key = ""\n')
    file.chmod(0o644)
    assert load_settings().llm == "none"


def test_doctor_says_so_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_CORPUS", str(tmp_path))
    Path(SETTINGS_FILE).write_text(f'llm_api_key = "{CANARY}"\nllm = "none"\n')
    Path(SETTINGS_FILE).chmod(0o644)
    assert main(["papers"]) == 1
    told = capsys.readouterr()
    assert "chmod 600" in told.err and CANARY not in told.err + told.out


@pytest.mark.parametrize("status", [200, 401])
def test_a_key_is_in_no_log_error_export_history_or_page(status, tmp_path, caplog, capfd):
    """Also when a hostile server sends it back, in an answer or in an error."""
    caplog.set_level(logging.DEBUG)
    write_corpus(tmp_path / "corpus", 2)
    said = f"The otter reaches 7.0 points, says {CANARY} [1]."
    reply = Reply(pieces=[said]) if status == 200 else Reply(status=status, body=error_body(f"bad key {CANARY}"))
    with Provider(reply) as provider:
        model = {"llm": "m", "llm_base_url": provider.url, "llm_model": "m", "llm_api_key": CANARY, "repair": "off"}
        assistant = Assistant(settings_for(tmp_path, port=0, **model), embedder=WordEmbedder())
        assistant.build()
        page = serve(assistant, assistant.settings, block=False)
        try:
            with Visitor(page.url) as visitor:
                shown = visitor.ask("Which points does the otter reach in trial 0?")
                shown += (
                    json.dumps(visitor.config) + visitor.client.get("/").text + json.dumps(visitor.call("tick", ""))
                )
        finally:
            page.stop()
        sent = provider.requests[0].headers
        assert CANARY in str(sent), "the provider itself gets it"
        answer = assistant.ask("Which points does the otter reach in trial 0?")
    if answer.status == "answered":
        files = save_answers(assistant, answer, tmp_path / "a.md", tmp_path / "a.json")
        shown += "".join(file.read_text() for file in files)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    out, err = capfd.readouterr()
    for where, text in (
        ("page", shown),
        ("files", kept.decode("latin-1")),
        ("log", caplog.text),
        ("terminal", out + err),
    ):
        assert CANARY not in text, where
