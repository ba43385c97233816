"""A notebook as one HTML file to read: no code, no scripts, nothing from the network."""

import html
import re
from pathlib import Path

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none';
               base-uri 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; background: white; color: #222;
       font: 16px/1.5 system-ui, sans-serif; }}
h1, h2 {{ line-height: 1.2; }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid #ddd; }}
img {{ max-width: 100%; height: auto; }}
.wide, .strip, .output_png {{ overflow-x: auto; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
.strip {{ display: flex; gap: .6rem; scroll-snap-type: x proximity; padding-bottom: .6rem; }}
.strip figure {{ flex: 0 0 10rem; margin: 0; scroll-snap-align: start; font-size: 13px; }}
.strip img {{ width: 10rem; max-width: none; display: block; margin-bottom: 2px;
             image-rendering: pixelated; border: 1px solid #ddd; }}
@media screen and (min-width: 53rem) {{  /* six rows beside each other */
  .strip figure {{ flex: 1 1 7rem; max-width: 10rem; }}
  .strip img {{ width: 100%; box-sizing: border-box; }}
}}
.strip-title {{ margin: 1rem 0 .3rem; }}
table {{ display: block; overflow-x: auto; }}
.wide table {{ display: table; min-width: 50rem; }}
th[scope=row] {{ text-align: left; font-weight: normal; white-space: nowrap; }}
.wide td, .wide th {{ vertical-align: top; }}
@media screen and (max-width: 36rem) {{  /* words of 10 pixels in figures, which scroll sideways */
  .output_png img {{ max-width: none; width: 36rem; }}
  .strip figure {{ flex-basis: 7.2rem; }}
  .strip img {{ width: 7.2rem; }}
  h1 {{ font-size: 1.6rem; }}
}}
table {{ border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25rem .7rem; border-bottom: 1px solid #ddd; vertical-align: bottom; }}
code {{ background: #f3f3f3; padding: 0 .2rem; }}
@media screen and (prefers-color-scheme: dark) {{  /* figures stay as they are, on white */
  :root {{ color-scheme: dark; }}
  body {{ background: #131416; color: #ddd; }}
  a {{ color: #8ab8f0; }}
  h2, th, td, .strip img {{ border-color: #444; }}
  code {{ background: #2a2c30; }}
}}
@media print {{
  body {{ margin: 0; max-width: none; font-size: 11pt; }}
  .strip {{ flex-wrap: wrap; overflow: visible; }}
  .strip figure {{ flex-basis: 6.3rem; font-size: 10px; }}
  .strip img {{ width: 6.3rem; }}
  .wide, table, .output_png {{ overflow: visible; }}
  .wide table {{ min-width: 0; }}
  table {{ font-size: 12px; }}
  th, td {{ padding: .15rem .35rem; }}
  img, figure, tr {{ break-inside: avoid; }}
  h1, h2, h3, .strip-title {{ break-after: avoid; }}
}}
a.anchor-link {{ display: none; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
# of what a policy forbids, the refresh of a <meta> and the whole page of a <base> are no part
LEADS_AWAY = re.compile(r"<(?=/?(?:script|meta|base|iframe|frame|object|embed|link|form)\b)",
                        re.IGNORECASE)


def html_page(notebook: Path) -> str:
    """The executed `notebook` as a page: text, tables and figures with their alternative texts.

    nbconvert's "basic" template keeps alternative texts, which its default one drops, and
    gives the body alone, so that no script or style sheet is fetched. Texts of strangers are
    escaped where a notebook shows them; should one be forgotten, the page's policy lets no
    browser run or fetch anything, and tags that the policy does not rule become text.
    """
    import nbformat
    from nbconvert import HTMLExporter
    content = nbformat.read(notebook, as_version=4)
    exporter = HTMLExporter(template_name="basic", exclude_input=True,
                            exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(content)
    title = content.cells[0].source.partition("\n")[0].lstrip("# ")
    body = LEADS_AWAY.sub("&lt;", body)
    return PAGE.format(title=html.escape(title), body=body)
