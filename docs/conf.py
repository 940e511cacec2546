"""How Sphinx makes the site of these pages and the notebooks; ``make docs`` runs it.

Its sources are those of the whole repository, so that links from one page to another are the same
on the site and in the files.
"""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from sphinx.util.nodes import make_refnode

import mithril

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "Mithril"
author = "the authors of Mithril"
release = version = mithril.__version__

root_doc = "docs/index"
include_patterns = ["docs/**.md", "notebooks/*.ipynb", "ARCHITECTURE.md", "CHANGELOG.md"]
# They hold no page, and are large.
exclude_patterns = [".*", "target", "rust", "tests_*", "mithril", "benchmarks", "demo-output"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]

# Markdown. Headings down to the third level can be linked to, and a link to none is a warning,
# which `make docs` takes for an error. Links that leave the site are not followed: the machines
# that build it reach no other.
myst_heading_anchors = 3
# Notebooks are shown with the outputs that were committed; `make test-notebooks` runs them.
nb_execution_mode = "off"

# Docstrings, in Google's style. The wheels of these bring gigabytes, and little is needed of them.
autodoc_mock_imports = ["pyspark", "ray", "torch"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# `bytes` is the type, whatever reports call a count.
suppress_warnings = ["ref.python"]

# Single backticks are names of Python: linked where the site has them, or else arguments.
default_role = "py:obj"

html_theme = "furo"
html_title = f"Mithril {release}"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_additional_pages = {"index": "to-docs.html"}
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# A colon that napoleon is not to see: what stands before the first one in a section of what is
# returned, and in the docstring of an attribute, it takes for a type, which our annotations have.
_HIDDEN_COLON = "\ue000"
_ATTRIBUTES = {"attribute", "property", "data"}
_RETURNED = {"Returns:", "Yields:"}
# What annotations name and other packages document, and what this package does not hand out.
_FOREIGN = re.compile(
    r"(npt?|numpy|os|io|torch|typing|collections|datetime|builtins|pathlib|typing_extensions)\."
    r"|(mithril\.)?_native\.|(Any|Buffer|DTypeLike|Enum|Item|Path|Self|TracebackType)$"
)
_STANDING_ALONE = {"class", "data", "exception", "function", "type"}


def hide_colons(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Hide the colons that are no end of a type."""
    inside = what in _ATTRIBUTES
    for number, line in enumerate(lines):
        if what not in _ATTRIBUTES and line.strip() and not line.startswith(" "):
            inside = line in _RETURNED
        elif inside:
            lines[number] = line.replace(":", _HIDDEN_COLON)


def show_colons(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Show them again."""
    lines[:] = [line.replace(_HIDDEN_COLON, ":") for line in lines]


def drop_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show no arguments of classes that only Mithril makes: their attributes are below."""
    made_here = {mithril.Table, mithril.ByteStream, mithril.IndexMatch}
    if (
        what == "class"
        and obj is not mithril.TensorMeta
        and (is_dataclass(obj) or obj in made_here)
    ):
        return "", ""
    return None


def find_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.Node | None:
    """Link a name of Python that is not written as it is documented.

    Annotations have the module that defines a class, which no page documents, or no module at all.
    An argument in single backticks, and a name of another package, is shown as it is. Whatever else
    is not found is left to Sphinx, which warns.
    """
    if node.get("refdomain") != "py":
        return None
    target: str = node["reftarget"]
    objects = env.domains.python_domain.objects
    name = target.rpartition(".")[2]
    found = [target.removeprefix("mithril.")]
    if f"mithril.{found[0]}" in objects:
        found = [f"mithril.{found[0]}"]
    elif name[0].isupper():
        found = [one for one in objects if one.rpartition(".")[2] == name]
        found = [one for one in found if objects[one].objtype in _STANDING_ALONE]
    if len(found) == 1 and found[0] in objects:
        entry = objects[found[0]]
        return make_refnode(
            app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, found[0]
        )
    is_code = node["reftype"] == "obj" and not target[0].isupper()
    return contnode if is_code or _FOREIGN.match(target) else None


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("autodoc-process-docstring", hide_colons, priority=1)
    app.connect("autodoc-process-docstring", show_colons, priority=999)
    app.connect("autodoc-process-signature", drop_signature)
    app.connect("missing-reference", find_name)
