"""The examples of the pages in docs/."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(
    ("name", "least"), [("shingles.md", 20), ("index.md", 6), ("deduplicate.md", 12)]
)
def test_examples_are_right(name: str, least: int) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    # A fence would be taken for output.
    text = re.sub(r"^```.*$", "", page, flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    assert len(examples.examples) > least
    assert doctest.DocTestRunner().run(examples).failed == 0
