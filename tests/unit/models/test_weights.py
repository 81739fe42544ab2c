"""Which model is meant, what stands in front of its texts, and what it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag_app.errors import ModelError
from rag_app.models.weights import SentenceModel, find_model


def folder_with(path: Path, **files: object) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, content in {"config": {}, **files}.items():
        (path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_default_is_packaged_under_both_names() -> None:
    short, long = find_model("all-MiniLM-L6-v2"), find_model("sentence-transformers/all-MiniLM-L6-v2")
    assert short.folder == long.folder
    assert (short.folder / "model.safetensors").is_file()
    assert (short.question_prompt, short.passage_prompt) == ("", "")
    assert short.identity() == long.identity()


@pytest.mark.parametrize(
    ("name", "question", "passage"),
    [
        ("multilingual-e5-small", "query: ", "passage: "),
        ("e5-base-v2", "query: ", "passage: "),
        ("bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("bge-m3", "", ""),
        ("nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("snowflake-arctic-embed-m-v2.0", "query: ", ""),
        ("modernbert-embed-base", "search_query: ", "search_document: "),
        ("embeddinggemma-300m", "task: search result | query: ", "title: none | text: "),
        ("UAE-Large-V1", "Represent this sentence for searching relevant passages: ", ""),
        ("gte-small", "", ""),
    ],
)
def test_known_families_get_their_prompts(tmp_path: Path, name: str, question: str, passage: str) -> None:
    model = find_model(str(folder_with(tmp_path / name)))
    assert (model.question_prompt, model.passage_prompt) == (question, passage)


def test_instructed_families_say_the_task_in_front_of_questions_only(tmp_path: Path) -> None:
    for name in ("Qwen3-Embedding-0.6B", "multilingual-e5-large-instruct", "gte-Qwen2-1.5B-instruct"):
        model = find_model(str(folder_with(tmp_path / name)))
        assert model.question_prompt.startswith("Instruct: ")
        assert "\nQuery:" in model.question_prompt
        assert model.passage_prompt == ""


def test_prompts_in_the_models_own_files_come_first(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "ask> ", "document": "text> "}}
    model = find_model(str(folder_with(tmp_path / "e5-own", config_sentence_transformers=prompts)))
    assert (model.question_prompt, model.passage_prompt) == ("ask> ", "text> ")


@pytest.mark.parametrize(
    "names", [("retrieval.query", "retrieval.passage"), ("s2p_query", "corpus"), ("Retrieval-query", "passage")]
)
def test_prompts_of_search_are_known_by_the_names_that_models_use(tmp_path: Path, names: tuple[str, str]) -> None:
    prompts = {"prompts": {"classification": "no> ", names[0]: "ask> ", names[1]: "text> "}}
    model = find_model(str(folder_with(tmp_path / "own", config_sentence_transformers=prompts)))
    assert (model.question_prompt, model.passage_prompt) == ("ask> ", "text> ")


def test_the_default_prompt_stands_where_no_other_does(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "ask> ", "usual": "any> "}, "default_prompt_name": "usual"}
    model = find_model(str(folder_with(tmp_path / "own", config_sentence_transformers=prompts)))
    assert (model.question_prompt, model.passage_prompt) == ("ask> ", "any> ")


def test_a_model_copied_under_another_name_keeps_its_family(tmp_path: Path) -> None:
    model = find_model(str(folder_with(tmp_path / "mine", config={"_name_or_path": "intfloat/e5-small-v2"})))
    assert model.passage_prompt == "passage: "


def test_identity_follows_content_prompts_and_name_but_not_the_place(tmp_path: Path) -> None:
    first = SentenceModel("a/model", folder_with(tmp_path / "one", weights=[1, 2]))
    assert first.identity() == SentenceModel("b/model", folder_with(tmp_path / "two", weights=[1, 2])).identity()
    changed = [
        SentenceModel("a/other", first.folder),
        SentenceModel("a/model", first.folder, question_prompt="query: "),
        SentenceModel("a/model", first.folder, passage_prompt="query: "),
        SentenceModel("a/model", folder_with(tmp_path / "three", weights=[1, 3])),
    ]
    assert len({model.identity() for model in [first, *changed]}) == 5


def test_stamp_changes_when_a_file_does(tmp_path: Path) -> None:
    model = SentenceModel("m", folder_with(tmp_path / "m", weights=[1]))
    before = model.stamp()
    assert model.stamp() == before
    folder_with(model.folder, weights=[1, 2, 3])
    assert model.stamp() != before


def test_other_formats_and_notes_are_no_part_of_a_model(tmp_path: Path) -> None:
    model = SentenceModel("m", folder_with(tmp_path / "m"))
    before = model.identity()
    (model.folder / "onnx").mkdir()
    (model.folder / "onnx" / "model.onnx").write_bytes(b"x")
    (model.folder / "README.md").write_text("x", encoding="utf-8")
    assert model.identity() == before


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model here"):
        find_model(str(tmp_path))


def test_what_cannot_be_a_name_is_refused_without_asking_the_network() -> None:
    with pytest.raises(ModelError, match="RAG_EMBEDDER"):
        find_model("no/such/folder/anywhere")


def test_a_model_that_cannot_be_fetched_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub  # noqa: PLC0415

    def refuse(name: str, local_files_only: bool = False, **_: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ModelError, match=r"somebody/model: .*no route to host.*Check the name and the network"):
        find_model("somebody/model")


def test_a_fetched_model_is_found_on_this_machine_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub  # noqa: PLC0415

    asked: list[tuple[str, bool]] = []

    def serve(name: str, local_files_only: bool = False, **_: object) -> str:
        asked.append((name, local_files_only))
        return str(folder_with(tmp_path / "snapshot"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", serve)
    assert find_model("some-model").folder == tmp_path / "snapshot"
    assert asked == [("sentence-transformers/some-model", True)]
