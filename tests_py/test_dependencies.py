"""The Rust dependencies keep to deny.toml, in licence and source."""

import functools
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = frozenset(tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"])


@functools.cache
def dependencies() -> list[dict[str, Any]]:
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--all-features"]
    run = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    packages: list[dict[str, Any]] = json.loads(run.stdout)["packages"]
    return [package for package in packages if package["source"] is not None]


def is_satisfied(expression: str, allowed: frozenset[str]) -> bool:
    """Whether the SPDX expression can be met; a slash is the old way to write OR."""
    words = re.findall(r"[()]|[\w.+-]+(?: WITH [\w.-]+)?", expression.replace("/", " OR "))

    def any_of() -> bool:
        met = all_of()
        while words and words[0] == "OR":
            words.pop(0)
            met = all_of() or met
        return met

    def all_of() -> bool:
        met = one()
        while words and words[0] == "AND":
            words.pop(0)
            met = one() and met
        return met

    def one() -> bool:
        word = words.pop(0)
        if word != "(":
            return word in allowed
        met = any_of()
        assert words.pop(0) == ")", expression
        return met

    met = any_of()
    assert not words, expression
    return met


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("MIT", True),
        ("GPL-3.0", False),
        ("GPL-3.0 OR MIT", True),
        ("GPL-3.0/MIT", True),
        ("MIT AND GPL-3.0", False),
        ("GPL-3.0 OR MIT AND ISC", True),
        ("(GPL-3.0 OR MIT) AND ISC", True),
        ("(GPL-3.0 OR MIT) AND GPL-3.0", False),
        ("Apache-2.0 WITH LLVM-exception", False),
    ],
)
def test_licence_expressions(expression: str, met: bool) -> None:
    assert is_satisfied(expression, frozenset({"MIT", "ISC", "Apache-2.0"})) is met


def test_every_licence_is_allowed() -> None:
    refused = [
        (package["name"], package["license"])
        for package in dependencies()
        if not is_satisfied(package["license"] or "none", ALLOWED)
    ]
    assert refused == []


def test_every_allowed_licence_is_needed() -> None:
    licences = {package["license"] for package in dependencies()}
    idle = [
        licence
        for licence in ALLOWED
        if all(is_satisfied(expression, ALLOWED - {licence}) for expression in licences)
    ]
    assert idle == []


def test_every_source_is_the_registry() -> None:
    sources = {package["source"] for package in dependencies()}
    assert len(sources) == 1
    # The lock file's name for crates.io, whatever mirror serves it.
    assert sources.pop().endswith("/crates.io-index")
