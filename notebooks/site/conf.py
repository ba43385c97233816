"""Sphinx' settings of the course's site; `build.py` beside this file copies the pages and runs it.

Notebooks are shown as they are committed and never executed. Everything lies in the site: no
address is asked for when a page is read, and formulas are MathML, which browsers draw themselves.
"""

import os
import sys
from pathlib import Path

SITE = Path(os.environ["DEEPLAB_SITE"])  # notebooks/site, which build.py names
sys.path.insert(0, str(SITE))

project = "DeepLabV3, taught and reproduced"
html_title = "DeepLabV3"
language = "en"
extensions = ["myst_nb", "sphinx_design", "sphinx_copybutton", "notebook_pages", "formulas"]
exclude_patterns = ["results/example/table.md", "results/example/paper/page.md"]  # included

nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # whose Markdown has tables
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_block", "deflist"]
myst_heading_anchors = 3
add_module_names = False
toc_object_entries = False

html_theme = "furo"
html_math_renderer = "mathml"
html_static_path = [str(SITE / "static")]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_search_summary = False  # asks for pages, which a browser refuses from a disk
html_show_sphinx = False
html_show_copyright = False
html_last_updated_fmt = None
templates_path = []
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_exclude = ".linenos, .gp, .go"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5394", "color-brand-content": "#0b5394",
                            "color-foreground-muted": "#5a5c63"},
    "dark_css_variables": {"color-brand-primary": "#8ab8f0", "color-brand-content": "#8ab8f0",
                           "color-foreground-muted": "#a9abb2"},
}
deeplab_repository = os.environ.get("DEEPLAB_REPOSITORY", "")  # OWNER/NAME, where one is published
