"""Numbers of bytes, as people write them."""

from __future__ import annotations

import re

from mithril.exceptions import of_kind

_UNITS = ("k", "m", "g", "t")
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?\s*", re.IGNORECASE)


def bytes_of(size: float | str) -> int:
    """Return a number of bytes.

    Args:
        size: The number, or a text such as ``"4GiB"``, ``"500 MB"`` or ``"2g"``: with an i in units
            of 1024, and else of 1000.

    Returns:
        The bytes.

    Raises:
        InvalidArgumentException: It is none of these; also a ValueError.

    Example:
        >>> bytes_of("4GiB"), bytes_of("1.5 MB"), bytes_of(100)
        (4294967296, 1500000, 100)
    """
    if not isinstance(size, str):
        return int(size)
    match = _SIZE.fullmatch(size)
    if match is None:
        message = f"{size!r} is no number of bytes; write it as 4GiB or 500MB"
        raise of_kind("invalid_argument", message)
    number, unit, binary = match.groups()
    power = _UNITS.index(unit.lower()) + 1 if unit else 0
    return int(float(number) * (1024 if binary else 1000) ** power)


def size_text(count: float) -> str:
    """Write a number of bytes for a person, in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
