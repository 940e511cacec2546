"""Normalization against Python's own tables."""

from __future__ import annotations

import json
import random
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest

import mithril

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Once a nonspacing mark, and a spacing one by later tables.
RECLASSIFIED = "\U0001171e"
# What the tables of this Python know of; those of the engine are as new or newer.
ASSIGNED = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) not in ("Cn", "Co", "Cs") and character != RECLASSIFIED
]
FORMS = (None, "nfc", "nfkc")


def normalize(text: str, options: dict[str, Any]) -> str:
    """The definition, one step after the other."""
    form = options["unicode_form"]
    if form:
        text = unicodedata.normalize(form.upper(), text)
    if options["casefold"]:
        text = text.casefold()
    elif options["lowercase"]:
        text = text.lower()
    if options["strip_accents"]:
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(one for one in decomposed if unicodedata.category(one) != "Mn")
    if options["strip_punctuation"]:
        text = "".join(one for one in text if not unicodedata.category(one).startswith("P"))
    if options["collapse_digits"]:
        text = re.sub(r"\d+", "0", text)
    if form or options["strip_accents"]:
        last: Any = form or "nfc"
        text = unicodedata.normalize(last.upper(), text)
    return text


def combinations() -> Iterator[dict[str, Any]]:
    """Each option alone, beside each form and case, and all of them."""
    steps = ("strip_accents", "strip_punctuation", "collapse_digits")
    for form in FORMS:
        for lowercase, casefold in ((False, False), (True, False), (False, True), (True, True)):
            for chosen in ((), *((step,) for step in steps), steps):
                yield {
                    "unicode_form": form,
                    "lowercase": lowercase,
                    "casefold": casefold,
                    **{step: step in chosen for step in steps},
                }


COMBINATIONS = list(combinations())


def name_of(options: dict[str, Any]) -> str:
    form = options["unicode_form"]
    return "-".join(
        [form or "no form", *(name for name, value in options.items() if value is True)]
    )


def check(texts: list[str], options: dict[str, Any]) -> None:
    """Rows go together when the definition makes one text of theirs, and are alike to that text."""
    normalized = [normalize(text, options) for text in texts]
    rows = texts + normalized
    # A shingle is a whole text. One that nothing is left of has only exact copies.
    first: dict[tuple[str, str], int] = {}
    keys = [(key, "" if key else row) for key, row in zip(normalized * 2, rows, strict=True)]
    expected = [first.setdefault(key, row) if rows[row] else row for row, key in enumerate(keys)]
    result = mithril.deduplicate(rows, shingle="chars", ngram=1000, **options)
    kept = list(range(len(rows)))
    for row in result.duplicates.to_pylist():
        kept[row["row"]] = row["kept_row"]
    wrong = [rows[row] for row in range(len(rows)) if kept[row] != expected[row]]
    assert wrong[:10] == []


ALONE_OR_ALL = [
    options for options in COMBINATIONS if sum(map(bool, options.values())) in (0, 1, len(options))
]


@pytest.mark.parametrize("options", ALONE_OR_ALL, ids=name_of)
def test_every_character_becomes_what_python_says(options: dict[str, Any]) -> None:
    check([f"x{character}y" for character in ASSIGNED], options)


@pytest.mark.parametrize("options", COMBINATIONS, ids=name_of)
def test_texts_become_what_python_says(options: dict[str, Any]) -> None:
    draw = random.Random(name_of(options))
    marks = [one for one in ASSIGNED if unicodedata.combining(one)]
    folding = [one for one in ASSIGNED if one.casefold() != one]
    composed = [one for one in ASSIGNED if unicodedata.decomposition(one)]
    others = [*"aeiosAEIOS0123456789.,-'«»", "\u0345", "ς", "Σ", "İ", "\u0131", "ß", "ẞ", "٣", "²"]
    pools = [marks, folding, composed, others, ASSIGNED]
    texts = [
        "".join(draw.choice(draw.choice(pools)) for _ in range(draw.randint(1, 12)))
        for _ in range(2_000)
    ]
    check(texts, options)


OFF: dict[str, Any] = {
    "unicode_form": None,
    "casefold": False,
    "strip_accents": False,
    "strip_punctuation": False,
    "collapse_digits": False,
}
# What an option makes alike that is not alike without it.
CASES = [
    ("unicode_form", "nfc", ("Caf\u00e9", "Cafe\u0301")),
    ("unicode_form", "nfkc", ("ﬁne", "fine")),
    ("casefold", True, ("Straße", "STRASSE")),
    ("strip_accents", True, ("Ångström", "angstrom")),
    ("strip_punctuation", True, ("«can't»", "cant")),
    ("collapse_digits", True, ("page 12 of ٣٠٠", "page 7 of 9")),
]


@pytest.mark.parametrize(("name", "value", "texts"), CASES)
def test_nothing_is_normalized_unless_asked_for(
    name: str, value: object, texts: tuple[str, str]
) -> None:
    options: dict[str, Any] = {"shingle": "chars", "ngram": 100}
    on: dict[str, Any] = {name: value}
    assert mithril.deduplicate(texts, **options).keep.tolist() == [True, True]
    assert mithril.deduplicate(texts, **options, **OFF).keep.tolist() == [True, True]
    result = mithril.deduplicate(texts, **options, **on)
    assert result.keep.tolist() == [True, False]
    assert {key: result.report.options[key] for key in OFF} == OFF | on


@pytest.mark.parametrize(("name", "value", "texts"), CASES)
def test_files_are_normalized_alike(
    tmp_path: Path, name: str, value: object, texts: tuple[str, str]
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    options: dict[str, Any] = {name: value}
    report = mithril.dedup_files(source, tmp_path / "out", shingle="chars", ngram=100, **options)
    assert report.removed == 1
    written = json.loads((tmp_path / "out" / "report.json").read_text())["options"]
    assert {key: written[key] for key in OFF} == OFF | options
    # What stays is the text as it came.
    assert mithril.dedup_files(source, tmp_path / "all", shingle="chars", ngram=100).removed == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unicode_form": "nfd"}, "unicode_form: there is no `nfd`"),
        ({"unicode_form": "NFC"}, "unicode_form: there is no `NFC`"),
        ({"casefold": "yes"}, "casefold: invalid type"),
        ({"strip_accents": None}, "strip_accents: invalid type"),
        ({"strip_punctuation": 1}, "strip_punctuation: invalid type"),
        ({"collapse_digits": 0.5}, "collapse_digits: invalid type"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(mithril.InvalidArgumentException, match=message):
        mithril.deduplicate(["text"], **options)
