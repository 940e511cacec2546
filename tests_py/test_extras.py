"""What only parts of the package need."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["ray", "spark", "torch"])
def test_what_is_missing_can_be_installed_by_what_the_error_says(name: str) -> None:
    package = {"spark": "pyspark"}.get(name, name)
    script = f"import sys; sys.modules[{package!r}] = None; import mithril.{name}"
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.endswith(f'install what is missing: pip install "mithril[{name}]"\n')
