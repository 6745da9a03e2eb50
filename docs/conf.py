# SPDX-License-Identifier: MIT
"""Sphinx's settings; docs/build.py lays the sources out and calls it."""

from __future__ import annotations

import kmodlab

project = "kmodlab"
author = "the kmodlab authors"
release = version = kmodlab.__version__
html_title = "kmodlab"
html_short_title = "kmodlab"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click", "docs.sitekit.extension"]
root_doc = "index"
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]  # JSON with an ellipsis is none
default_role = "py:obj"  # single backticks in docstrings name what is in the code

# Notebooks come executed, from real machines; nothing is run here.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline", "attrs_block"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "inherited-members": "BaseException, Exception, tuple, object"}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_last_updated_fmt = None
pygments_style = "default"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00507d", "color-brand-content": "#0060a0"},
    "dark_css_variables": {"color-brand-primary": "#8fd0f5", "color-brand-content": "#8fd0f5"},
}
