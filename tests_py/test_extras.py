"""What only parts of the package need."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["ray", "spark", "torch"])
def test_what_is_missing_can_be_installed_by_what_the_error_says(name: str) -> None:
    package = {"spark": "pyspark"}.get(name, name)
    script = f"import sys; sys.modules[{package!r}] = None; import mithril.{name}"
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith("install what is missing: pip install ")
    wanted = shlex.split(said)[6:]
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert wanted == groups["project"]["optional-dependencies"][name]
