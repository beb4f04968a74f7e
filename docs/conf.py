"""Sphinx configuration."""

import skdigits

project = "skdigits"
author = "The skdigits developers"
copyright = "2026, the skdigits developers"
release = version = skdigits.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.doctest", "numpydoc"]
templates_path: list[str] = []
exclude_patterns = ["_build"]
doctest_test_doctest_blocks = "default"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "skdigits"
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2}
