"""The papers as points on a plane, near each other where their texts are near in meaning, and in groups. Pure.

A paper is the mean of its passages' vectors; the plane is spanned by the first two principal components of these
(Jolliffe, Principal Component Analysis, 2002, chapter 2). The topics of the manifest are the groups; papers without
one are grouped by k-means (Lloyd, Least squares quantization in PCM, 1982) and named by what their titles share.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from rag_app.records import LibraryMap, MapPoint
from rag_app.text.terms import content_words

MOST_GROUPS = 6  # that colours and a legend can still tell apart
ROUNDS = 50
NAMED_BY = 2  # words
OTHER = "other"


def make_map(
    papers: Sequence[str], titles: Sequence[str], names: Sequence[str], topics: Sequence[str], means: np.ndarray
) -> LibraryMap:
    """The map of these papers; `names` is what each is called, or empty, and `means` what paper_vectors gave."""
    shown = [number for number in range(len(papers)) if means[number].any()]
    places = project_to_plane(means[shown])
    group = name_groups(means[shown], [titles[number] for number in shown], [topics[number] for number in shown])
    points = tuple(
        MapPoint(
            papers[number], titles[number], names[number], group[row], float(places[row, 0]), float(places[row, 1])
        )
        for row, number in enumerate(shown)
    )
    pair = nearest_pair(means, [number for number in shown if names[number]])
    return LibraryMap(points, (papers[pair[0]], papers[pair[1]]) if pair else ())


def paper_vectors(vectors: np.ndarray, rows: Sequence[slice]) -> np.ndarray:
    """float32 (papers, dimension): the mean of each paper's passages, of unit length; `vectors` (passages, dimension).

    A paper without passages gets zeros.
    """
    means = np.zeros((len(rows), vectors.shape[1]), dtype=np.float32)
    for number, of_paper in enumerate(rows):
        if of_paper.stop > of_paper.start:
            means[number] = np.asarray(vectors[of_paper]).mean(axis=0)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    np.divide(means, lengths, out=means, where=lengths > 0)
    return means


def project_to_plane(means: np.ndarray) -> np.ndarray:
    """float64 (papers, 2), each coordinate from -1 to 1: the first two principal components of `means`."""
    if len(means) < 2:
        return np.zeros((len(means), 2))
    centred = means.astype(np.float64) - means.mean(axis=0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(means), 2))
    found = min(2, len(sizes))
    places[:, :found] = left[:, :found] * sizes[:found]
    # A component's sign is arbitrary: the same papers must not be mirrored by another machine's library.
    strongest = np.abs(right[:found]).argmax(axis=1)
    places[:, :found] *= np.sign(right[np.arange(found), strongest])
    reach = np.abs(places).max(axis=0)
    np.divide(places, reach, out=places, where=reach > 0)
    return places


def name_groups(means: np.ndarray, titles: Sequence[str], topics: Sequence[str]) -> list[str]:
    """A group's name for each paper: its topic, or for the papers that have none, what near papers' titles share."""
    named = [topic.strip() for topic in topics]
    without = [number for number, topic in enumerate(named) if not topic]
    if len(without) < 4:  # too few to be groups
        return [topic or OTHER for topic in named]
    cluster = _clusters(means[without], min(MOST_GROUPS, max(2, round(math.sqrt(len(without) / 2)))))
    for label, name in _names(cluster, [titles[number] for number in without]).items():
        for place, number in enumerate(without):
            if cluster[place] == label:
                named[number] = name
    return named


def _clusters(points: np.ndarray, count: int) -> np.ndarray:
    """int64 (n,): the cluster of each point. Begins with points far apart, so that it is the same every time."""
    chosen = [int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmax())]
    while len(chosen) < count:
        distance = ((points[:, None] - points[chosen]) ** 2).sum(axis=2).min(axis=1)
        chosen.append(int(distance.argmax()))
    centres = points[chosen].astype(np.float64)
    label = np.zeros(len(points), dtype=np.int64)
    for _ in range(ROUNDS):
        nearest = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        for number in range(count):
            if (nearest == number).any():
                centres[number] = points[nearest == number].mean(axis=0)
        if np.array_equal(nearest, label):
            break
        label = nearest
    return label


def _names(cluster: np.ndarray, titles: Sequence[str]) -> dict[int, str]:
    """Each cluster's commonest title words that the other clusters have seldom; a paper alone is no group."""
    words = [_words(title) for title in titles]
    everywhere = Counter(root for title in words for root in title)
    found: dict[int, str] = {}
    for label in sorted(set(cluster.tolist())):
        inside = [title for place, title in enumerate(words) if cluster[place] == label]
        here = Counter(root for title in inside for root in title)
        best = sorted(here, key=lambda root: (-here[root] * here[root] / everywhere[root], root))[:NAMED_BY]
        whole = [Counter(title[root] for title in inside if root in title).most_common(1)[0][0] for root in best]
        name = ", ".join(whole) if len(inside) > 1 and whole else OTHER
        found[label] = name if name == OTHER or name not in found.values() else f"{name} {label + 1}"
    return found


def _words(title: str) -> dict[str, str]:
    """The title's content words by their roots, each as it is written there, in small letters."""
    return {root: word.casefold() for word in re.findall(r"[^\W\d_]{3,}", title) for root in content_words(word)[:1]}


def nearest_pair(means: np.ndarray, among: Sequence[int]) -> tuple[int, int] | None:
    """The two papers among these that are nearest in meaning; None where there are not two with passages."""
    there = [number for number in among if means[number].any()]
    if len(there) < 2:
        return None
    cosine = means[there] @ means[there].T
    np.fill_diagonal(cosine, -np.inf)
    first, second = divmod(int(cosine.argmax()), len(there))
    return there[first], there[second]
