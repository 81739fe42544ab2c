"""The map: near in meaning is near on the plane, the same every time, and groups have names that say something."""

import numpy as np
import pytest

from rag_app.index.map import OTHER, make_map, name_groups, nearest_pair, paper_vectors, project_to_plane

SIZES = (4, 3, 5, 2, 6, 3)


@pytest.fixture
def library():
    """Six papers in two far regions: the first three about one thing, the others about another."""
    random = np.random.default_rng(7)
    centres = np.zeros((6, 16), dtype=np.float32)
    centres[:3, 0], centres[3:, 1] = 1.0, 1.0
    rows, vectors, first = [], [], 0
    for number, size in enumerate(SIZES):
        rows.append(slice(first, first + size))
        vectors.append(centres[number] + random.normal(0, 0.05, (size, 16)))
        first += size
    return np.concatenate(vectors).astype(np.float32), rows


def test_a_paper_is_the_mean_of_its_passages(library):
    vectors, rows = library
    means = paper_vectors(vectors, [*rows, slice(23, 23)])
    wanted = vectors[rows[1]].mean(axis=0)
    assert means[1] == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)
    assert not means[-1].any()  # one without passages


def test_what_is_near_in_meaning_is_near_on_the_plane(library):
    places = project_to_plane(paper_vectors(*library))
    within = max(np.linalg.norm(places[a] - places[b]) for half in ((0, 1, 2), (3, 4, 5)) for a in half for b in half)
    across = min(np.linalg.norm(places[a] - places[b]) for a in (0, 1, 2) for b in (3, 4, 5))
    assert abs(places).max() == pytest.approx(1.0)
    assert across > 0.7 and across > within / 2


def test_the_plane_is_the_two_directions_of_most_variance(library):
    """Against the covariance's own eigenvectors, up to scale and sign."""
    means = paper_vectors(*library)
    centred = means - means.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :2]
    for own, other in zip(project_to_plane(means).T, (centred @ axes).T, strict=True):
        assert abs(np.corrcoef(own, other)[0, 1]) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_papers_have_places_too(library, count):
    assert project_to_plane(paper_vectors(library[0], library[1][:count])).shape == (count, 2)


def test_groups_are_the_topics_and_where_there_are_none_what_titles_share(library):
    means = paper_vectors(*library)
    titles = ["Dense Retrieval", "Retrieval of Pages", "Retrieval for Readers", "Birds of Norway", "Sea Birds", "Birds"]
    named = name_groups(means, titles, [""] * 6)
    assert named[0] == named[1] == named[2] != named[3] == named[4] == named[5]
    assert named[0].startswith("retrieval") and named[3].startswith("birds")
    assert name_groups(means, titles, ["", "x", "x", "y", "y", ""]) == [OTHER, "x", "x", "y", "y", OTHER]


def test_the_nearest_pair_is_found_and_papers_without_passages_are_left_out(library):
    means = np.concatenate([paper_vectors(*library), np.zeros((1, 16), dtype=np.float32)])
    means[4] = means[1]
    assert nearest_pair(means, range(7)) == (1, 4)
    assert nearest_pair(means, [6, 1]) is None
    drawn = make_map(list("abcdefg"), ["T"] * 7, list("ABCDEFG"), [""] * 7, means)
    assert [point.paper for point in drawn.points] == list("abcdef") and drawn.alike == ("b", "e")
    assert drawn == make_map(list("abcdefg"), ["T"] * 7, list("ABCDEFG"), [""] * 7, means)
