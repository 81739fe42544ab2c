"""What researchers compare papers by, and how an answer to it looks: "hardware" is told by "V100", "8 GPUs". Pure.

The field's ordinary vocabulary, in general: a facet is asked for by some words, is spoken of in others (which a search
for the asked words alone would miss), and its answers have a recognisable look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MODELS = (
    r"(?:\w*BERT\w*|\w*T5\w*|\w*GPT\w*|\w*LLaMA\w*|\w*Llama\w*|BART\w*|PaLM\w*|OPT|Codex|BLOOM\w*|Mistral\w*"
    r"|Mixtral\w*|"
    r"Qwen\w*|Gemma\w*|Gemini\w*|Claude\w*|ELMo|ELECTRA|XLNet|Vicuna\w*|Alpaca\w*|Falcon\w*|MiniLM\w*|Transformers?|"
    r"LSTM|ResNet\w*|ViT\w*|DPR|BM25|Contriever|ColBERT\w*|davinci\S*|text-\S+|\w+-\d+(?:\.\d+)?[bB]|GNN|CNN|RNN)"
)
_AMOUNT = r"\d[\d.,]*\s?(?:[kKMBT]\b|%|thousand\b|million\b|billion\b|trillion\b)|\d{2,}"


@dataclass(frozen=True)
class Facet:
    """One respect of the field: words that ask for it, words that speak of it, and the look of an answer."""

    name: str
    asks: re.Pattern[str]
    also: str
    looks: re.Pattern[str]
    alone: bool = False  # such a look is an answer whatever else the sentence says: "V100", not a mere number


def _facet(name: str, asks: str, also: str, looks: str, alone: bool = False) -> Facet:
    return Facet(name, re.compile(rf"\b(?:{asks})\b", re.IGNORECASE), also, re.compile(looks), alone)


FACETS = (
    _facet(
        "hardware",
        r"hardware|gpus?|tpus?|devices?|machines?|comput(?:e|ing)|accelerators?",
        "GPU GPUs TPU memory server NVIDIA",
        r"\b(?:GPUs?|TPUs?|CPUs?|NVIDIA|Tesla|Xeon|RTX|[AVHPTL]\d{1,3}0G?|\d+\s?GB|VRAM)\b",
        alone=True,
    ),
    _facet(
        "sample",
        r"sample(?: sizes?)?|participants?|subjects?|patients?|cohorts?|enrol\w+|dropp?ed out|drop-?outs?"
        r"|how many (?:people|persons|women|men|adults|children|students|animals|households)",
        "participants sample randomised enrolled completed excluded dropped",
        r"\b[nN]\s?=\s?\d+|\b\d[\d,]*\s+(?:[\w-]+\s){0,2}(?:participants|patients|women|men|adults|children|students"
        r"|people|persons|subjects|animals|households|mice|rats|were (?:randomi[sz]ed|excluded))\b|\bdropped out\b",
    ),
    _facet(
        "measure",
        r"dos(?:e|es|age|ing)|temperatures?|concentrations?|pressures?|levels?",
        "dose mg temperature degrees",
        r"\d\s?(?:mg|[µμ]g|mcg|kg|IU|ml|mL|[mnµμ]?mol/L|mmHg|°C|m?K|(?:micro|milli)?kelvin|degrees)\b",
    ),
    _facet(
        "certainty",
        r"confidence intervals?|CIs?|p[- ]?values?|significan\w+|effect sizes?|standard (?:errors?|deviations?)",
        "CI interval p significant",
        r"\bCI\b|\b[pP]\s?[=<>]\s?\.?\d|\(-?[\d.]+ to -?[\d.]+\)|\bd\s?=\s?\d|(?i:\bsignificant\w*)",
    ),
    _facet(
        "duration",
        r"how (?:long|often|frequently)|time|duration|hours|days|refresh\w*|rebuil\w*|speed|latency|faster|cost",
        "hours days steps every seconds faster",
        r"\b\d[\d.,]*\s?(?:k|K)?\s?(?:×|x\b|hours?|days?|weeks?|minutes?|seconds?|ms\b|s\b|steps?|epochs?"
        r"|iterations?|updates?)"
        r"|\bevery\b[^.]{0,30}\b(?:steps?|epochs?)\b|\bper (?:second|query|step)\b",
    ),
    _facet(
        "optimizer",
        r"optimi[sz]ers?|learning rate|schedule|warm-?up|hyper-?parameters?",
        "Adam AdamW learning rate warmup decay",
        r"\b(?:Adam\w*|SGD|Adafactor|LAMB|Shampoo|warm-?up|learning rate|weight decay)\b",
        alone=True,
    ),
    _facet(
        "model",
        r"(?:language |base |backbone |underlying |pre-?trained )?models?|lms?|llms?|generators?|encoders?|decoders?|"
        r"retrievers?|readers?|judges?|judging|backbones?|architectures?|rerankers?|teachers?|students?"
        r"|networks?|embedd\w+",
        "model pretrained initialize based",
        rf"\b{_MODELS}\b",
    ),
    _facet(
        "data",
        r"data|datasets?|corpus|corpora|benchmarks?|sources?|trained on|text comes|collections?|wikipedia|knowledge",
        "dataset corpus Wikipedia tokens examples collected",
        r"\b(?:Wikipedia|CommonCrawl|Common Crawl|C4|Pile|BooksCorpus|MARCO|[A-Z]\w*(?:QA|Questions|NLI|GLUE"
        r"|Eval|Bench)|"
        r"NQ|web|Reddit|tokens|dumps?|snapshot|corpus|dataset)\b",
    ),
    _facet(
        "size",
        r"sizes?|how (?:large|big|many)|number of|count|parameters?|amounts?|how much|lengths?|scale|coverage",
        "size total number contains parameters",
        _AMOUNT + r"|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|base|large)\b",
    ),
    _facet(
        "score",
        r"scores?|accurac\w+|performance|results?|solve rates?|rates?|recall|precision|metrics?|scored"
        r"|measured?|evaluat\w+|"
        r"quality|win rates?|human performance|agreement",
        "accuracy score exact match F1 metric evaluate",
        r"\d+\.\d+|\d+\s?%|\b(?:accuracy|accurate|F1|EM|exact match|BLEU|ROUGE\S*|nDCG\S*|MRR\S*|AUROC|AUPRC"
        r"|recall|Recall\S*|"
        r"perplexity|Kendall\S*|scor\w+|correlation)\b",
    ),
    _facet(
        "people",
        r"whom?|who|annotat\w+|humans?|label\w+|raters?|judges?|judging|people|workers?|experts?",
        "annotators labelers contractors crowdworkers experts human",
        r"(?i:\b(?:annotators?|labell?ers?|contractors?|crowd-?workers?|crowdsourc\w+|workers|Turk\w*|Upwork|ScaleAI|"
        r"experts?|red team|humans?|raters?|authors)\b)",
    ),
    _facet(
        "finding",
        r"findings?|finds?|found|conclu\w+|observ\w+|discover\w*|learn(?:s|ed)?",
        "we find show results",
        r"(?i:\b(?:we|results?|experiments?|analys[ie]s|evidence|study|findings?)\b[^.]{0,60}\b(?:find|found|show(?:s|ed|n)?"
        r"|demonstrat\w+|observ\w+|reveal\w*|suggest\w*|conclud\w+|indicat\w+|confirm\w*|discover\w*)\b)",
    ),
    _facet(
        "position",
        r"position(?:s|al)?(?: encod\w+| embedd\w+| information)?|order",
        "position positional embeddings encoding",
        r"(?i:\b(?:position\w*|rotary|RoPE|ALiBi|sinusoidal|relative|absolute|beginning|middle|end)\b)",
    ),
    _facet(
        "pieces",
        r"chunk\w*|passages?|documents?|pieces|split\w*|blocks?|granularity|context|texts?",
        "passages chunks split words tokens documents",
        r"\b\d[\d,.{}]*-?\s?(?:[kKMB]\b)?\s?(?:million |billion )?(?:words?|tokens?|wordpieces?|passages?"
        r"|documents?|chunks?|"
        r"blocks?|sentences?|BERT)\b|(?i:\btop-\S+)",
    ),
    _facet(
        "pooling",
        r"pool\w*|vectors?|represent\w*|embedd\w+|scoring|similarit\w+|score[sd]?",
        "representation hidden token vector similarity product",
        r"(?i:\[CLS\]|\b(?:averag\w+|mean pooling|pooling|dot product|inner product|cosine|MaxSim|hidden states?|"
        r"per token|late interaction)\b)",
    ),
    _facet(
        "negatives",
        r"negatives?|positives?|distract\w+|pairs",
        "negative positive passages hard in-batch",
        r"(?i:\b(?:negatives?|positives?|in-batch|hard|cropp\w+|random(?:ly)?|MoCo|queue|BM25)\b)",
    ),
    _facet(
        "frozen",
        r"updat\w+|frozen|freez\w+|fine-?tun\w+|tuned|trained|trainable|which parts|change[sd]?|happens to",
        "update frozen fixed fine-tune parameters",
        r"(?i:\b(?:fixed|frozen|freez\w+|updat\w+|fine-?tun\w+|only|jointly|parameters|asynchronous\w*|re-?index\w*|"
        r"re-?comput\w*|re-?embed\w*)\b)",
    ),
    _facet(
        "prompt",
        r"prompt\w*|instructions?|demonstrations?|exemplars?|shots?|templates?",
        "prompt exemplars demonstrations few-shot instruction",
        r"(?i:\b(?:prompts?|exemplars?|demonstrations?|few-shot|zero-shot|\w+-shot|templates?|instructions?)\b)",
    ),
    _facet(
        "decision",
        r"decide\w*|when to|trigger\w*|threshold\w*|judges?|whether|actions?|happens when",
        "threshold confidence trigger decide probability",
        r"(?i:\b(?:threshold|confidence|probabilit\w+|trigger\w*|predict\w*|discard\w*|if|when|below|lower than)\b)",
    ),
)


def facets_of(text: str) -> tuple[Facet, ...]:
    """The facets that a text asks for, in the order of the list."""
    return tuple(facet for facet in FACETS if facet.asks.search(text))


def related_words(text: str) -> str:
    """Further words to search with: how papers speak of what the text asks for."""
    return " ".join(facet.also for facet in facets_of(text))


def facet_likeness(facets: tuple[Facet, ...], text: str) -> float:
    """How many of the facets a sentence looks like an answer to, 0 to 1."""
    return sum(bool(facet.looks.search(text)) for facet in facets) / len(facets) if facets else 0.0


def is_facet_answer(facets: tuple[Facet, ...], text: str) -> bool:
    """Whether a sentence answers one of the facets by its look alone."""
    return any(facet.alone and facet.looks.search(text) for facet in facets)
