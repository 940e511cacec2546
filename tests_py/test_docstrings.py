"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    "mithril",
    "mithril.dedup",
    "mithril.files",
    "mithril.minhash",
    "mithril.report",
    "mithril.table",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
