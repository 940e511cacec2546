"""The engine against all pairs by brute force, on real text."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from oracle import AllPairs, all_pairs

import mithril

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECALL = 0.99


def whitespace(text: str) -> Sequence[str]:
    return text.lower().split()


def chars(text: str) -> Sequence[str]:
    return text.lower()


@pytest.fixture(scope="module")
def documents(library_files: list[str]) -> list[str]:
    """The smaller files of the standard library, and 6,000 pieces of all of them.

    A piece ends before a top-level definition; many a file is one piece and a line or two.
    """
    pieces = [piece for text in library_files for piece in text.split("\n\n\n") if len(piece) > 400]
    files = [text for text in library_files if 400 < len(text) < 20_000]
    texts = files + random.Random(1).sample(pieces, 6_000)
    assert len(texts) >= 5_000
    return texts


@pytest.fixture(scope="module")
def truth_by_words(documents: list[str]) -> AllPairs:
    return all_pairs(documents, whitespace, ngram=5)


def check(texts: Sequence[str], truth: AllPairs, **options: Any) -> None:
    """Recall over all true pairs, and not one removal without a true match with the row kept."""
    result = mithril.deduplicate(texts, **options)
    true_pairs = truth.jaccard >= options["threshold"]
    assert true_pairs.sum() > 100, "the corpus shows nothing"
    both_kept = result.keep[truth.one[true_pairs]] & result.keep[truth.two[true_pairs]]
    recall = 1 - both_kept.mean()
    print(f"{len(texts)} texts, {true_pairs.sum()} true pairs, recall {recall:.4f}")
    assert recall >= RECALL

    similarity = truth.similarity()
    removed = result.duplicates.to_pylist()
    assert [row["row"] for row in removed] == [
        row for row, keep in enumerate(result.keep) if not keep
    ]
    for row in removed:
        assert result.keep[row["kept_row"]]
        assert row["exact_copy"] == (texts[row["row"]] == texts[row["kept_row"]])
        exact = similarity[min(row["row"], row["kept_row"]), max(row["row"], row["kept_row"])]
        assert row["jaccard"] == pytest.approx(exact, abs=1e-12)
        assert exact >= options["threshold"]


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_real_text_by_words(
    documents: list[str], truth_by_words: AllPairs, threshold: float
) -> None:
    check(documents, truth_by_words, shingle="whitespace", ngram=5, threshold=threshold)


def test_real_text_by_chars(documents: list[str]) -> None:
    texts = [text[:250] for text in documents[:5_000]]
    check(texts, all_pairs(texts, chars, 5), shingle="chars", ngram=5, threshold=0.8)


def test_real_text_keeping_the_longest(documents: list[str]) -> None:
    texts = documents[-3_000:] + [text + " and more" for text in documents[-300:]]
    options = {"shingle": "whitespace", "ngram": 3, "threshold": 0.7, "keep": "longest"}
    check(texts, all_pairs(texts, whitespace, 3), **options)


def test_texts_of_one_to_four_words(library_files: list[str]) -> None:
    draw = random.Random(2)
    words = " ".join(library_files[:200]).split()[:60_000]
    texts = []
    while words:
        length = draw.randint(1, 4)
        texts.append(" ".join(words[:length]))
        words = words[length:]
    result = mithril.deduplicate(texts, shingle="whitespace", ngram=5)
    # Such a text is one shingle, so that only the same words are alike: the first of each stays.
    first: dict[tuple[str, ...], int] = {}
    expected = [first.setdefault(tuple(whitespace(text)), row) for row, text in enumerate(texts)]
    assert result.keep.tolist() == [row == kept for row, kept in enumerate(expected)]
    assert [row["kept_row"] for row in result.duplicates.to_pylist()] == [
        kept for row, kept in enumerate(expected) if row != kept
    ]


def variants(alphabet: Sequence[str], draw: random.Random) -> list[str]:
    """Texts of 40 to 80 characters, and for each some with a few characters changed."""
    texts = []
    for _ in range(400):
        text = draw.choices(alphabet, k=draw.randint(40, 80))
        texts.append("".join(text))
        for changes in (1, 2, 5):
            other = list(text)
            for _ in range(changes):
                other[draw.randrange(len(other))] = draw.choice(alphabet)
            texts.append("".join(other))
    draw.shuffle(texts)
    return texts


@pytest.mark.parametrize(
    ("name", "alphabet"),
    [
        ("Chinese", [chr(code) for code in range(0x4E00, 0x9FA5)]),
        ("Japanese", [chr(code) for code in (*range(0x3041, 0x3097), *range(0x4E00, 0x5000))]),
        ("Thai", [chr(code) for code in range(0x0E01, 0x0E2F)]),
        ("emoji", [chr(code) for code in range(0x1F300, 0x1F5FB)]),
        ("lone surrogates", [*map(chr, range(0xD800, 0xD900)), *map(chr, range(97, 123))]),
    ],
)
def test_other_scripts(name: str, alphabet: list[str]) -> None:
    texts = variants(alphabet, random.Random(name))

    def replaced(text: str) -> str:
        # A lone surrogate counts as U+FFFD in shingles.
        return "".join("\ufffd" if 0xD800 <= ord(one) < 0xE000 else one for one in text.lower())

    shingle = "chars" if name == "lone surrogates" else "auto"
    check(texts, all_pairs(texts, replaced, 3), shingle=shingle, ngram=3, threshold=0.6)


def test_hundred_thousand_identical_rows() -> None:
    result = mithril.deduplicate(["the same text in every row"] * 100_000)
    assert result.keep.sum() == 1
    assert result.report.exact_duplicates == 99_999


def test_a_chain_of_matches_removes_only_direct_ones() -> None:
    words = [f"w{number}" for number in range(40)]
    texts = [" ".join(words[at : at + 20]) for at in range(0, 20, 2)]
    result = mithril.deduplicate(texts, shingle="whitespace", ngram=1, threshold=0.8)
    # 18 words of 22 in common with the neighbour, 16 of 24 with the next but one: 0.82 and 0.67.
    assert result.keep.tolist() == [True, False] * 5


def test_null_and_empty_texts_are_kept() -> None:
    result = mithril.deduplicate(["", None, "", None, "a", "a"])
    assert result.keep.tolist() == [True, True, True, True, True, False]
    assert (result.report.null_texts, result.report.empty_texts) == (2, 2)


def test_hash_seed_of_python_changes_nothing(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import mithril\n"
        "texts = [f'text number {i // 3} with some words that repeat' for i in range(300)]\n"
        "print(mithril.deduplicate(texts, threads=THREADS).duplicates.to_pylist())\n"
    )
    source = script.read_text()
    outputs = set()
    for seed, threads in (("0", "1"), ("1", "2"), ("2", "None")):
        code = source.replace("THREADS", threads)
        environment = {"PYTHONHASHSEED": seed}
        outputs.add(subprocess.check_output([sys.executable, "-c", code], env=environment))
    assert len(outputs) == 1
