"""The examples of README.md and of the pages in docs/: what is shown there is what happens.

A page runs from its top to its end, in an empty folder, with the names of the examples before. A
fence of ``python`` or ``pycon`` is an example of doctest if it has prompts, and runs as it is
otherwise, ``await`` included. A fence of ``console`` has commands after ``$`` and what they print.
One of ``sh`` has commands that take long or need what tests have not, and is only read.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import importlib.util
import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mithril

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Moto

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *(path for path in sorted(DOCS.rglob("*.md")))]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
RUN = {"python", "pycon", "console"}
# What is only read, and what Sphinx makes of other fences.
READ = {"sh", "text", "rust", "toml", "{eval-rst}", "{include}", "{toctree}"}
# Packages that the tests do not install: where one is not there, examples that import it are only
# read.
OPTIONAL = {"datasets", "datasketch", "obstore", "pyspark", "ray", "rensa", "torch", "torchdata"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Fence(NamedTuple):
    """A block of a page between two fences."""

    language: str
    text: str
    line: int
    """Where its text begins, from zero."""


def fences_of(page: str) -> list[Fence]:
    found = []
    for match in re.finditer(
        r"^( *)(```+|:::+)(\S*)[^\n]*\n(.*?)^\1\2 *$", page, re.MULTILINE | re.DOTALL
    ):
        text = re.sub(f"^{match[1]}", "", match[4], flags=re.MULTILINE)
        found.append(Fence(match[3], text, page[: match.start(4)].count("\n")))
    return found


def missing(fence: Fence) -> set[str]:
    """The optional packages that an example imports and that are not installed."""
    imported = set(re.findall(r"^(?:>>> )? *(?:import|from) (\w+)", fence.text, re.MULTILINE))
    for module, name in (("torch", "torch"), ("ray", "ray"), ("spark", "pyspark")):
        if f"mithril.{module}" in fence.text:
            imported.add(name)
    return {name for name in imported & OPTIONAL if importlib.util.find_spec(name) is None}


def run_doctest(fence: Fence, names: dict[str, Any], page: str) -> None:
    test = doctest.DocTestParser().get_doctest(fence.text, names, page, page, fence.line)
    assert test.examples
    output: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(
        test, out=output.append, clear_globs=False
    )
    assert result.failed == 0, "".join(output)
    names.update(test.globs)


def run_python(fence: Fence, names: dict[str, Any], page: str) -> None:
    # So that errors are found in the line of the page.
    source = "\n" * fence.line + fence.text
    code = compile(source, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, names))  # noqa: S307 - our own page
    else:
        exec(code, names)  # noqa: S102 - our own page


def run_console(fence: Fence, page: str) -> None:
    commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", fence.text, re.MULTILINE)
    assert commands
    for command, expected in commands:
        words = command.split()
        assert words[0] == "mithril", f"{page}: {command} is no command of ours: use a fence of sh"
        line = f"exec {sys.executable} -m {command}"
        run = subprocess.run(
            ["/bin/bash", "-c", line], check=False, text=True, capture_output=True, timeout=120
        )
        assert run.returncode == 0, f"{page}: {command}: {run.stderr}"
        checker = doctest.OutputChecker()
        if not checker.check_output(expected, run.stdout, FLAGS):
            example = doctest.Example(command, expected)
            message = checker.output_difference(example, run.stdout, FLAGS)
            pytest.fail(f"{page}: {command}: {message}")


@pytest.fixture
def names(tmp_path: Path) -> dict[str, Any]:
    """What README.md speaks of and does not make: columns, files, bytes and a stream."""
    texts = ["one text of several words", "another", "One text of several words!"] * 6
    table = pa.table({"id": range(len(texts)), "text": texts})
    (tmp_path / "data").mkdir()
    pq.write_table(table, tmp_path / "data" / "rows.parquet")
    return {
        "column": table["text"],
        "table": table,
        "stream": [{"text": text} for text in texts],
        "data": b"some bytes " * 1000,
        "weights": np.ones((16, 16), "float32"),
        "tokens": np.arange(10, dtype="uint64"),
        "offsets": [0, 4, 10],
    }


@pytest.fixture
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty bucket ``corpus`` that all URLs of S3 lead to."""
    moto: Moto = request.getfixturevalue("moto")
    moto.request("POST", "/moto-api/reset")
    moto.make_bucket("corpus")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    yield
    fsspec.get_filesystem_class("mithril+s3").clear_instance_cache()


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_right(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    fences = fences_of(page)
    assert {fence.language for fence in fences} <= RUN | READ
    examples = [fence for fence in fences if fence.language in RUN]
    known: dict[str, Any] = {}
    if name == "README.md":
        known = request.getfixturevalue("names")
    if any("s3://" in example.text or "mithril+s3" in example.text for example in examples):
        request.getfixturevalue("bucket")
    monkeypatch.chdir(tmp_path)
    for example in examples:
        if missing(example):
            # It is Python at least.
            ast.parse(re.sub(r"^(>>> |\.\.\. )", "", example.text, flags=re.MULTILINE))
        elif example.language == "console":
            run_console(example, name)
        elif ">>> " in example.text:
            run_doctest(example, known, name)
        else:
            run_python(example, known, name)


def test_pages_have_examples() -> None:
    fences = [fence for page in PAGES for fence in fences_of(page.read_text(encoding="utf-8"))]
    run = [fence for fence in fences if fence.language in RUN]
    assert len(run) > 60
    assert sum(not missing(fence) for fence in run) > 50


def test_readme_links_to_what_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    inner = [link for link in links if "://" not in link]
    assert len(inner) > 10
    assert [link for link in inner if not (ROOT / link).exists()] == []


def test_the_reference_has_every_public_name() -> None:
    reference = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("api/*.md"))
    documented = set(
        re.findall(
            r"^ *\.\. auto(?:function|class|exception|data):: (?:mithril\.)?(\w+)$",
            reference,
            re.MULTILINE,
        )
    )
    assert set(mithril.__all__) - {"__version__"} <= documented


def test_pages_that_ask_for_packages_name_known_ones() -> None:
    """A package that is installed here and nowhere else would make an example that nobody runs."""
    groups = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [name for name in OPTIONAL if not re.search(rf'"{name}(\[\w+\])?==', groups)] == []


def test_the_curve_is_that_of_the_bands() -> None:
    script = DOCS / "guides" / "s_curve.py"
    drawn: str = runpy.run_path(str(script))["picture"]()
    assert drawn == script.with_name("s-curve.svg").read_text(encoding="utf-8")
