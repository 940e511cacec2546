"""The examples of the pages in docs/."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_examples_of_shingles_are_right() -> None:
    page = (DOCS / "shingles.md").read_text(encoding="utf-8")
    # A fence would be taken for output.
    text = re.sub(r"^```.*$", "", page, flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, "shingles.md", None, 0)
    assert len(examples.examples) > 20
    assert doctest.DocTestRunner().run(examples).failed == 0
