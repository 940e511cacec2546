"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import mithril

# Those that need what is not installed for these tests have tests of their own.
SKIPPED = {"mithril.__main__", "mithril._native", "mithril.ray", "mithril.spark", "mithril.torch"}
MODULES = ["mithril"] + [
    module.name
    for module in pkgutil.walk_packages(mithril.__path__, "mithril.")
    if module.name not in SKIPPED
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
