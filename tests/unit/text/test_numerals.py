"""Numbers in other scripts and in words count by their value."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rag_app.text.numerals import find_numerals
from rag_app.text.terms import find_claimed_numbers, number_values


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("by 二万 times", 20_000),
        ("减少了二万五千倍", 25_000),
        ("by 一百二十 times", 120),
        ("in 二〇二四 there", 2024),
        ("by 貳萬 times", 20_000),
        ("by 十 times", 10),
        ("十二个", 12),
        ("by Ⅿ times", 1000),
        ("by ⅩⅠⅤ times", 14),
        ("by ፳ times", 20),
        ("by 𐄔 times", 50),
        ("by a dozen times", 12),
        ("by half a million times", 500_000),
        ("a quarter of a million", 250_000),
        ("a thousand times", 1000),
        ("tenfold", 10),
        ("quadrupled", 4),
    ],
)
def test_a_number_counts_whatever_it_is_written_in(written: str, value: int) -> None:
    assert [found for _, found in find_numerals(written)] == [Decimal(value)]
    assert Decimal(value) in {one for number in find_claimed_numbers(written) for one in number.values}
    assert Decimal(value) in number_values(written)


@pytest.mark.parametrize(
    "text", ["十分好", "一个方法", "第十二章", "千万不要", "20 万倍", "16² and ½ of ①", "a fold", "type IV"]
)
def test_other_words_and_our_digits_are_no_such_numbers(text: str) -> None:
    assert list(find_numerals(text)) == []


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("five hundred billion", 500 * 10**9),
        ("a hundred million", 100 * 10**6),
        ("four thousand billion", 4 * 10**12),
        ("two million five hundred thousand", 2_500_000),
        ("one hundred and twenty thousand", 120_000),
        ("two hundred and five", 205),
        ("nineteen hundred", 1_900),
        ("six dozen", 72),
    ],
)
def test_a_word_of_scale_multiplies_all_that_is_smaller_before_it(written: str, value: int) -> None:
    (number,) = find_claimed_numbers(f"it has {written} fish")
    assert number.values == {Decimal(value)}
