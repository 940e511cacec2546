"""The tree of exceptions, in step with the engine."""

from __future__ import annotations

import pickle

import pytest

import mithril
from mithril import _native
from mithril.exceptions import CLASS_OF_KIND, of_kind


def test_every_kind_of_the_engine_has_a_class() -> None:
    assert list(CLASS_OF_KIND) == _native.ERROR_KINDS


def test_exceptions_are_also_those_that_python_people_catch() -> None:
    assert issubclass(mithril.InvalidArgumentException, ValueError)
    assert issubclass(mithril.NotFoundException, FileNotFoundError)
    assert issubclass(mithril.OutputInTheWayException, FileExistsError)
    for exception in CLASS_OF_KIND.values():
        assert issubclass(exception, mithril.DedupException)
        assert issubclass(exception, mithril.MithrilException)


@pytest.mark.parametrize("kind", CLASS_OF_KIND)
def test_exceptions_survive_pickling(kind: str) -> None:
    error = of_kind(kind, "what happened")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), copy.kind) == (type(error), "what happened", kind)
