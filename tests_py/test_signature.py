"""Signatures as objects."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mithril
from mithril import MinHasher, MinHashSignature

SCHEMES: list[Any] = [
    "similarity",
    "datasketch",
    "datasketch-affine64",
    "datasketch-legacy",
]
HASHER = MinHasher(num_permutations=64)
TOKENS = st.sets(st.integers(0, 2**64 - 1), max_size=50)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signature_has_the_values_of_the_arrays(scheme: Any) -> None:
    hasher = MinHasher(32, 7, scheme=scheme)
    one = hasher.signature([1, 2, 3])
    assert np.array_equal(one.values, hasher.hash_tokens([1, 2, 3]))
    assert (one.num_permutations, one.seed, one.scheme) == (32, 7, hasher.scheme)
    assert len(one) == 32
    text = hasher.signature("some text of words", shingle="words", ngram=2, lowercase=False)
    values = hasher.hash_text("some text of words", shingle="words", ngram=2, lowercase=False)
    assert np.array_equal(text.values, values)
    assert MinHashSignature(values, seed=7, scheme=scheme) == text
    assert MinHashSignature(values.tolist(), seed=7, scheme=scheme) == text


def test_the_values_are_one_memory_and_do_not_change() -> None:
    one = HASHER.signature([1, 2, 3])
    assert np.shares_memory(one.values, one.values)
    assert np.shares_memory(np.asarray(one), one.values)
    assert np.asarray(one, "float64").dtype == np.float64
    assert not np.shares_memory(one.__array__(copy=True), one.values)
    with pytest.raises(ValueError, match="copy"):
        one.__array__("float64", copy=False)
    with pytest.raises(ValueError, match="WRITEABLE"):
        one.values.setflags(write=True)
    own = HASHER.hash_tokens([1, 2, 3])
    copy = MinHashSignature(own)
    own[:] = 0
    assert copy == one
    with pytest.raises(AttributeError):
        one.seed = 3  # type: ignore[misc]


@settings(deadline=None)
@given(TOKENS, TOKENS)
def test_the_merge_is_the_signature_of_the_union(one: set[int], two: set[int]) -> None:
    for scheme in ("similarity", "datasketch-affine64"):
        hasher = MinHasher(16, scheme=scheme)
        merged = hasher.signature(sorted(one)).merge(hasher.signature(sorted(two)))
        assert merged == hasher.signature(sorted(one | two))
        assert hash(merged) == hash(hasher.signature(sorted(one | two)))


def test_the_similarity_is_the_share_of_equal_values() -> None:
    one, two = HASHER.signature(range(100)), HASHER.signature(range(50, 150))
    assert one.similarity(two) == float((one.values == two.values).mean())
    assert one.similarity(two) == MinHasher.similarity(one.values, two.values)
    assert one.similarity(one) == 1.0
    empty = HASHER.signature([])
    assert empty.is_empty
    assert not one.is_empty
    assert empty.similarity(empty) == 0.0


def test_bands_are_those_of_the_column() -> None:
    hasher = MinHasher()
    texts = ["the quick brown fox jumps over the lazy dog", "another text of a few words", ""]
    bands, rows = hasher.banding()
    column = hasher.band_column(texts)
    signatures = hasher.hash_column(texts)
    for at in (0, 1):
        # The bands of a column may leave values over; those of a signature take all that fit.
        if hasher.num_permutations // bands == rows:
            assert np.array_equal(MinHashSignature(signatures[at]).bands(bands), column[at])
    assert MinHashSignature(signatures[2]).bands(16).tolist() == []
    one = hasher.signature(texts[0])
    assert one.bands(1).shape == (1,)
    assert one.bands(1000).shape == (128,)
    assert one.bands(3).dtype == np.uint64
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="num_bands"):
            one.bands(wrong)


def test_signatures_of_different_hashers_are_kept_apart() -> None:
    one = HASHER.signature([1, 2, 3])
    others = {
        "num_permutations": MinHasher(32).signature([1, 2, 3]),
        "seed": MinHasher(64, 43).signature([1, 2, 3]),
        "scheme": MinHasher(64, scheme="datasketch").signature([1, 2, 3]),
    }
    for name, other in others.items():
        assert one != other
        for verb in (one.similarity, one.merge):
            with pytest.raises(mithril.InvalidArgumentException, match=f"hashers: {name} is"):
                verb(other)
    assert one != MinHashSignature(one.values, seed=43)
    assert one != 1
    with pytest.raises(TypeError, match="MinHashSignature is needed, not ndarray"):
        one.similarity(one.values)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_signatures_survive_pickling(scheme: Any) -> None:
    one = MinHasher(16, 3, scheme=scheme).signature([1, 2, 3])
    copy = pickle.loads(pickle.dumps(one))
    assert copy == one
    assert (copy.seed, copy.scheme) == (one.seed, one.scheme)
    assert not copy.values.flags.writeable


def test_they_show_themselves() -> None:
    one = MinHashSignature([1, 2, 3, 4, 5], seed=7)
    assert repr(one) == (
        "<MinHashSignature [1, 2, 3, ...] num_permutations=5, seed=7, scheme='similarity'>"
    )
    html = one._repr_html_()
    assert "similarity" in html
    assert "0000000000000002" in html
    assert "[1]" in repr(MinHashSignature([1]))


@pytest.mark.parametrize(
    ("values", "options", "text"),
    [
        ([], {}, "num_permutations"),
        ([0] * 4097, {}, "num_permutations"),
        ([1, -1], {}, "between 0 and"),
        (np.zeros((2, 2), "uint64"), {}, "one signature"),
        (np.zeros(2), {}, "unsigned integers"),
        ([1], {"seed": -1}, "seed"),
        ([1], {"seed": 2**32, "scheme": "datasketch"}, "seed"),
        ([1], {"scheme": "other"}, "scheme"),
    ],
)
def test_wrong_values_are_refused(values: Any, options: Any, text: str) -> None:
    with pytest.raises(mithril.InvalidArgumentException, match=text):
        MinHashSignature(values, **options)


@pytest.mark.parametrize("wrong", [[[1, 2], [3]], np.zeros((2, 2), "uint64")])
def test_a_signature_is_of_one_set(wrong: Any) -> None:
    with pytest.raises(ValueError, match="one set"):
        HASHER.signature(wrong)
    for other in (7, None, ["text"], b"a text of bytes"):
        with pytest.raises((TypeError, ValueError)):
            HASHER.signature(other)
