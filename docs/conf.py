"""Sphinx configuration."""

import os
import re
import shutil
import socket
import sys
import tempfile
import warnings
from pathlib import Path

# Set before TensorFlow is imported, so that pages contain no log messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib
from sklearn.datasets import get_data_home

import skdigits
from skdigits._export.html_page import export_html
from skdigits.presets import REFERENCES

# %%
# Data and network access of the examples
# ---------------------------------------


def _block_network() -> None:
    """Allow connections to this machine only."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo
    local = ("localhost", "127.0.0.1", "::1", socket.gethostname(), None, "")

    def getaddrinfo_locally(host, *args, **kwargs):
        if host not in local:
            raise socket.gaierror(
                f"Got host {host}, expected this machine: docs are built offline."
            )
        return getaddrinfo(host, *args, **kwargs)

    def connect_locally(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in local:
            raise OSError(f"Got {address[0]}, expected this machine: docs are built offline.")
        return connect(self, address)

    socket.getaddrinfo = getaddrinfo_locally
    socket.socket.connect = connect_locally  # type: ignore[method-assign]


def _small_data() -> None:
    """Set a data folder with Fashion-MNIST, if it is installed, and without MNIST.

    Examples use the full MNIST if they find it, which is too slow for a build.
    """
    folder = Path(tempfile.mkdtemp(prefix="skdigits-docs-"))
    home = Path(get_data_home())
    for path in [*home.glob("openml/**/*.gz"), *home.glob("skdigits/*.npz")]:
        copy = folder / path.relative_to(home)
        # 40996 is the id of Fashion-MNIST at OpenML.
        if re.search("40996|fashion-mnist", str(path.relative_to(home)), re.IGNORECASE):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    os.environ["SCIKIT_LEARN_DATA"] = str(folder)


# For gallery_order.
sys.path.insert(0, str(Path(__file__).parent))
_block_network()
_small_data()
matplotlib.use("agg")
warnings.filterwarnings("ignore", message="A network error occurred while downloading")

# %%
# Generated pages
# ---------------

GENERATED = Path(__file__).parent / "generated"


def _rst_of(markdown: str) -> str:
    """Convert the subset of Markdown that the changelog uses to reStructuredText."""
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", markdown)
    text = re.sub(r"\[([^\]]+)\]\((\S+?)\)", r"`\1 <\2>`__", text)
    lines = []
    for line in text.splitlines():
        marks, _, title = line.partition(" ")
        if marks in ("##", "###"):
            title = title.strip("[]")
            lines += [title, {"##": "-", "###": "^"}[marks] * len(title)]
        elif marks != "#":
            lines.append(line)
    return "\n".join(lines)


def _generate() -> None:
    """Write the changelog, the sources of the published networks and the page for drawing."""
    (GENERATED / "pages").mkdir(parents=True, exist_ok=True)
    export_html(skdigits.load_pretrained(), GENERATED / "pages" / "draw.html")
    changelog = (Path(__file__).parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    (GENERATED / "changelog.inc").write_text(_rst_of(changelog), encoding="utf-8")
    sources = [f"``{name}``\n   {each.source}\n" for name, each in REFERENCES.items()]
    (GENERATED / "references.inc").write_text("\n".join(sources), encoding="utf-8")


_generate()

# %%
# The project
# -----------

project = "skdigits"
author = "The skdigits developers"
copyright = "2026, the skdigits developers"
release = version = skdigits.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
doctest_test_doctest_blocks = "default"
# Code on the pages writes files.
doctest_global_setup = "import os, tempfile; os.chdir(tempfile.mkdtemp())"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    # Long benchmarks and helper scripts.
    "ignore_pattern": r"(^|/)(?!plot_)[^/]+\.py$",
    "within_subsection_order": "gallery_order.Order",
    "doc_module": ("skdigits",),
    "backreferences_dir": "generated/backreferences",
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "image_scrapers": ("matplotlib",),
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skdigits {release}"
# Prompts are not copied, nor is output.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
html_static_path = ["_static"]
html_extra_path = ["generated/pages"]
html_css_files = ["skdigits.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": f"skdigits {release}"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 5,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}
