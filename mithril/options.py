"""Keyword arguments on their way to the engine."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any, TypedDict

from mithril.exceptions import of_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mithril.dedup import Shingle, UnicodeForm


class AlikeOptions(TypedDict, total=False):
    """What says which texts are alike, in `mithril.deduplicate` and wherever else they are."""

    threshold: float
    """The least Jaccard similarity of duplicates; 0.8."""
    recall: float
    """The least probability that a pair at the threshold is found; 0.99."""
    permutations: int
    """The number of values in a signature; 128."""
    seed: int
    """The seed of the sketch; 42."""
    shingle: Shingle
    """What a shingle is made of; ``"auto"``."""
    ngram: int
    """The number of these in a shingle; 5."""
    lowercase: bool
    """Whether texts are lower-cased first; True."""
    unicode_form: UnicodeForm | None
    """The normalization form that texts are brought to first; None."""
    casefold: bool
    """Whether texts are case-folded first; False."""
    strip_accents: bool
    """Whether texts lose their nonspacing marks first; False."""
    strip_punctuation: bool
    """Whether punctuation is removed first; False."""
    collapse_digits: bool
    """Whether every run of digits becomes one ``0`` first; False."""


def encode(**options: Any) -> str:  # noqa: ANN401 - the engine checks each
    """Write options as the JSON object that the engine takes.

    Args:
        options: The arguments by name; numbers of numpy are taken for Python's.

    Returns:
        The JSON.

    Raises:
        InvalidArgumentException: A number is not finite, or a text (a name of a file, say) is not
            valid Unicode.
    """
    for name, value in options.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not _is_unicode(text):
                raise of_kind("invalid_argument", f"{name}: {text!r} is not valid Unicode")
        if isinstance(value, float) and not math.isfinite(value):
            raise of_kind("invalid_argument", f"{name} must be a number, not {value}")
    return json.dumps(options, default=_of_numpy)


def paths_of(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[str | os.PathLike[str]]:
    """Return one path, or several, as a list."""
    return [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _of_numpy(value: object) -> object:
    item = getattr(value, "item", None)
    if item is None:
        message = f"{value!r} is not an option's value"
        raise TypeError(message)
    return item()
