"""moto's server, in which a write with a condition is one step.

    python moto_in_one_step.py PORT

moto looks whether `If-Match` and `If-None-Match` hold and then writes, and another of its threads
may write in between: of two increments one is lost now and then. S3 promises that it is not.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

import moto.server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

if TYPE_CHECKING:
    from collections.abc import Iterable

CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")
ONE_AT_A_TIME = threading.Lock()


class InOneStep(DomainDispatcherApplication):  # type: ignore[misc, unused-ignore]
    """moto's application, which lets one writer with a condition in at a time."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        """Answer a request."""
        is_write = environ["REQUEST_METHOD"] in {"PUT", "POST"}
        has_condition = is_write and any(condition in environ for condition in CONDITIONS)
        # What it writes is written when this returns.
        with ONE_AT_A_TIME if has_condition else contextlib.nullcontext():
            answered: Iterable[bytes] = super().__call__(environ, start_response)
            return answered


if __name__ == "__main__":
    moto.server.DomainDispatcherApplication = InOneStep  # type: ignore[attr-defined, unused-ignore]
    moto.server.main(["-H", "127.0.0.1", "-p", sys.argv[1]])
