"""Questions in other languages: told apart, searched by what they share with the papers, answered in their own."""

import threading
from types import SimpleNamespace

import pytest

from rag_app.assistant import Assistant
from rag_app.index.bm25 import extract_terms
from rag_app.records import Draft, Progress
from rag_app.retrieval.hybrid import Retriever
from rag_app.retrieval.understanding import understand_question
from rag_app.text.language import english_words, find_untranslated, language_of, separate_scripts
from tests.support.doubles import WordEmbedder, settings_for, write_paper


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Which datasets is Self-RAG evaluated on?", "en"),
        ("DPR top-20 NQ", "en"),
        ("What does α = 0.5 mean for λ and μ?", "en"),
        ("Self-RAG使用哪些反思令牌?", "zh"),
        ("Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks 的作者是谁?", "zh"),
        ("検索はどのように行われますか?", "ja"),
        ("검색 정확도는 얼마입니까?", "ko"),
        ("Какова точность поиска?", "ru"),
        ("Wie groß ist der Index von Atlas und was wird gespeichert?", "de"),
        ("Quelle est la taille de l'index et comment est-il mis à jour?", "fr"),
        ("¿Cuál es la precisión de los modelos?", "es"),
        ("", "en"),
    ],
)
def test_the_language_is_told_by_script_and_common_words(text, language):
    assert language_of(text) == language


def test_names_and_numbers_come_apart_from_characters():
    assert separate_scripts("HyDE在TREC DL19上的nDCG@10是多少") == "HyDE 在 TREC DL19 上的 nDCG@10 是多少"
    assert separate_scripts("What is HyDE?") == "What is HyDE?"


def test_known_terms_become_english_and_the_longest_wins():
    assert english_words("检索增强生成在NQ上的准确率?") == "retrieval-augmented generation NQ accuracy"
    assert english_words("RAG和FiD、DPR的准确率") == "RAG and FiD, DPR accuracy"
    assert english_words("图书馆里有谁啊") == ""
    assert english_words("如何？怎么样？为什么？") == ""  # nothing is searched for "how"
    assert english_words("OtterNet雇了多少标注员?") == "OtterNet hired how many annotators labelers"


def test_what_the_glossary_does_not_know_is_named_without_words_that_only_ask():
    assert find_untranslated("咖啡对模型的准确率有什么影响？") == ["咖啡"]
    assert find_untranslated("检索增强生成在NQ上的准确率是多少？") == []
    assert find_untranslated("谁赢得了2022年世界杯？") == ["年世界杯"]


def test_chinese_is_indexed_by_pairs_and_latin_words_in_it_as_ever():
    assert extract_terms("检索增强RAG模型") == ["检索", "索增", "增强", "rag", "模型"]
    assert extract_terms("图") == ["图"]
    assert extract_terms("naïve retrieval") == extract_terms("naïve") + extract_terms("retrieval")


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("languages")
    write_paper(folder / "corpus", "otter.md", "otter", secret="The retriever of OtterNet reaches an accuracy of 78.4.")
    write_paper(
        folder / "corpus", "heron.md", "heron", secret="HeronNet was trained for 24 hours with a batch size of 8."
    )
    assistant = Assistant(settings_for(folder), embedder=WordEmbedder())
    assistant.build()
    return assistant


def test_without_a_model_it_is_searched_by_what_is_known_and_said(assistant):
    events = list(assistant.stream("OtterNet的检索器的准确率是多少?"))
    answer = events[-1]
    assert Progress("planning", "searching for: OtterNet retriever accuracy how many") in events
    assert (answer.citations + answer.nearest)[0].paper == "otter.md"
    assert answer.question == "OtterNet的检索器的准确率是多少?"
    assert "问题是中文，论文不是" in answer.notes[0] and "连接语言模型后" in answer.notes[0]
    assert "未能翻译" not in answer.notes[0]
    assert assistant.search("HeronNet训练了几个小时?")[0].passage.paper == "heron.md"


def test_what_cannot_be_translated_is_said_in_chinese_and_stays_in_the_search(assistant):
    events = list(assistant.stream("咖啡的准确率是多少?"))
    assert "未能翻译：“咖啡”" in events[-1].notes[-1]
    assert Progress("planning", "searching for: accuracy how many 咖啡") in events


def test_a_question_in_the_papers_language_gets_no_note(assistant):
    assert assistant.ask("What accuracy does the retriever of OtterNet reach?").notes == ()


def test_chinese_papers_are_asked_in_chinese(tmp_path):
    (tmp_path / "corpus").mkdir()
    text = (
        "# 长文本检索\n\n我们提出一种新的检索方法。检索单元的数量减少到七十万。\n\n## 结果\n\n实验表明召回率提高了。\n"
    )
    (tmp_path / "corpus" / "a.md").write_text(text, encoding="utf-8")
    write_paper(tmp_path / "corpus", "otter.md", "otter")
    assistant = Assistant(settings_for(tmp_path), embedder=WordEmbedder())
    assistant.build()
    assert assistant.search("检索单元减少到多少?")[0].passage.paper == "a.md"
    assert not any("中文" in note for note in assistant.ask("检索单元减少到多少?").notes)


class Model:
    """A model that translates, and says in which language it was asked for the answer."""

    def __init__(self, reply):
        self.reply = reply

    def ask_briefly(self, system, user, stop):
        return self.reply


def in_english(assistant, question, reply):
    with assistant._index.use_current() as generation:
        return understand_question(question, (), Retriever(generation, None), Model(reply), threading.Event())


def test_a_model_translates_and_must_keep_names_and_numbers(assistant):
    question = "OtterNet在24小时后的准确率?"
    good = in_english(assistant, question, "OtterNet accuracy after 24 hours")
    assert good.search == "OtterNet accuracy after 24 hours" and "searched for" in good.note
    for bad in ("BeaverNet accuracy after 24 hours", "", "OtterNet 24 " + "word " * 200):
        assert in_english(assistant, question, bad).search == "OtterNet 24 hours accuracy"


def test_the_model_reads_the_question_as_it_was_asked(assistant):
    asked = []

    def read(question, evidence, stop):
        asked.append(question)
        yield "好。"
        return Draft("好。")

    reader = SimpleNamespace(name="model", budget=500, read=read)
    with_model = Assistant(assistant.settings, embedder=WordEmbedder(), reader=reader)
    assert with_model.ask("OtterNet的准确率是多少?").status == "answered"
    assert asked == ["OtterNet的准确率是多少?"]
