"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import mithril

MODULES = ["mithril"] + [
    module.name
    for module in pkgutil.walk_packages(mithril.__path__, "mithril.")
    # The last needs PyTorch, and has tests of its own.
    if module.name not in {"mithril.__main__", "mithril._native", "mithril.torch"}
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


def test_the_examples_of_the_engine_run() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    names = ("Bytes", "Hasher")
    tests = [test for name in names for test in finder.find(getattr(mithril, name), name)]
    assert tests
    for test in tests:
        runner.run(test)
    assert runner.failures == 0
