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
        assert issubclass(exception, mithril.MithrilException)
    both = {
        mithril.ObjectNotFoundException: (mithril.StorageException, FileNotFoundError),
        mithril.ObjectExistsException: (mithril.StorageException, FileExistsError),
        mithril.AccessDeniedException: (mithril.StorageException, PermissionError),
        mithril.StoreConnectionException: (mithril.StorageException, ConnectionError),
        mithril.InvalidKeyException: (mithril.StorageException, ValueError),
        mithril.ContentNotFoundException: (mithril.CasException, FileNotFoundError),
        mithril.InvalidAddressException: (mithril.CasException, ValueError),
    }
    for exception, bases in both.items():
        assert issubclass(exception, bases)


def test_every_class_of_the_engine_is_named_by_the_package() -> None:
    classes = {
        value
        for value in vars(_native).values()
        if isinstance(value, type) and issubclass(value, mithril.MithrilException)
    }
    assert len(classes) == 13
    assert all(getattr(mithril, value.__name__) is value for value in classes)


@pytest.mark.parametrize("kind", CLASS_OF_KIND)
def test_exceptions_survive_pickling(kind: str) -> None:
    error = of_kind(kind, "what happened")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.kind) == (type(error), "what happened", kind)
