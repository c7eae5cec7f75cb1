"""How the documentation is built; ``make docs`` does it."""

from __future__ import annotations

import sys
from pathlib import Path

from napari_spaceediting import __version__

sys.path.insert(0, str(Path(__file__).parent))

project = "napari-spaceediting"
author = "The napari-spaceediting developers"
project_copyright = author
release = version = __version__
repository = "https://github.com/napari-spaceediting/napari-spaceediting"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxarg.ext",
    "tables",
]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = "SpaceEditing"
html_theme_options = {
    "github_url": repository,
    "icon_links": [
        {
            "name": "Forum",
            "url": "https://forum.image.sc/tag/napari",
            "icon": "fa-solid fa-comments",
        }
    ],
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False

# The notebook is executed by a test; the site shows what came of it.
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
