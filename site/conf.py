"""Sphinx's settings for the book; `autograder/build/book.py` prepares the pages and calls it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for the API of dlcourse

project = "From ANNs to transformers with PyTorch"
author = "the course"
html_title = project
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]

# Notebooks are executed before, and no widget is on a page: nothing is loaded from the network.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

mathjax_path = "mathjax/tex-svg.js"
# hidden MathML is what a screen reader reads; the menu would load more scripts
mathjax3_config = {"options": {"enableMenu": False, "ignoreHtmlClass": ".*", "processHtmlClass": "math"}}
myst_update_mathjax = False

default_role = "code"  # docstrings are written with single backquotes
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_static_path = ["static", "../build/site/source/_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_sidebars = {"index": [], "search": [], "genindex": []}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "ANNs to transformers"},
    "show_toc_level": 2,
    "show_nav_level": 2,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_center": [],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

SECTIONS = ("Args:", "Raises:", "Returns:", "Yields:")


def hanging_lines_to_items(app, what, name, obj, options, lines):
    """In docstrings, a paragraph of lines that hang (`lr: the rate,` and its continuation indented) becomes a list."""
    paragraph, found = [], []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
            continue
        hangs = any(part.startswith(" ") for part in paragraph) and not paragraph[0].startswith((" ", *SECTIONS))
        if hangs:
            paragraph = ["  " + part.strip() if part.startswith(" ") else "- " + part for part in paragraph]
        found += [*paragraph, line]
        paragraph = []
    lines[:] = found[:-1]


def setup(app):
    """Before napoleon, which reads the sections."""
    app.connect("autodoc-process-docstring", hanging_lines_to_items, priority=100)
