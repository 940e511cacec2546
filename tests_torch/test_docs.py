"""The examples of docs/ that need PyTorch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "guides" / "data-loader.md"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_examples_of_loaders_run() -> None:
    fences = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    examples = [fence for fence in fences if ">>> " not in fence and "import datasets" not in fence]
    assert sum("torch" in example for example in examples) == 2
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)  # noqa: S102 - our own page
