"""Keep an executed notebook as an example: `python notebooks/site/keep.py FROM TO`.

Times, counts of the run, folders of the machine and links to other runs are left out: what stays
is what a reader sees. `make example` keeps the notebooks of one row and of the reports so; the
pictures of one that is larger than `LARGEST` are made smaller.
"""

import base64
import io
import json
import re
import sys
from pathlib import Path

PATH = re.compile(r'= "/[^"]*"')  # a folder of this machine among papermill's parameters
PAGE = re.compile(r'<a href="[^"]*/row\.html">([^<]*)</a>')  # of a run, which is not kept
OTHERS = re.compile(r'<p class="strip-title">Another image.*?</p>\s*<div class="strip".*?</div>\s*',
                    re.S)  # strips of the report's gallery after the first of a dataset
INLINE = re.compile(r'data:image/png;base64,([^"]+)')
LARGEST = 400_000  # characters of a notebook
COLOURS, QUALITY = 32, 75  # of a figure, of which a heat map is told no less; of a photograph


def kept(notebook):
    """The notebook (parsed JSON) with the metadata that a page needs and no other."""
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        tags = cell["metadata"].get("tags")
        cell = {**cell, "id": f"cell-{number:02}", "metadata": {"tags": tags} if tags else {}}
        if tags and "injected-parameters" in tags:
            cell["source"] = PATH.sub("= None", "".join(cell["source"]))
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            if "text/html" in data:
                data["text/html"] = PAGE.sub(r"\1", "".join(data["text/html"]))
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}}


def lighter(notebook):
    """A kept notebook with a strip for each dataset, photographs as JPEG, and few colours."""
    for cell in notebook["cells"]:
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            if "image/png" in data:
                data["image/png"] = smaller("".join(data["image/png"]), COLOURS)[1]
            if "text/html" in data:
                data["text/html"] = INLINE.sub(
                    lambda found: "data:image/{};base64,{}".format(*smaller(found[1])),
                    OTHERS.sub("", data["text/html"]))
    return notebook


def smaller(content, colours=None):
    """(kind, base64) of a PNG in base64: in so many colours, or exact; photographs as JPEG."""
    from PIL import Image  # which builds of the site alone do without
    image, file = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"), io.BytesIO()
    there = image.getcolors(256)
    if colours or there:
        method = Image.Quantize.MAXCOVERAGE  # keeps rare colours, such as those of a legend
        image = image.quantize(min(colours or 256, len(there or range(256))), method,
                               kmeans=2 if colours else 0, dither=Image.Dither.NONE)
        image.save(file, "PNG", optimize=True)
        return "png", base64.b64encode(file.getvalue()).decode()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return "jpeg", base64.b64encode(file.getvalue()).decode()


def text_of(notebook):
    """The file of a kept notebook, lighter where it would be large."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return text if len(text) <= LARGEST else json.dumps(
        lighter(notebook), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    content = text_of(kept(json.loads(source.read_text(encoding="utf-8"))))
    target.write_text(content, encoding="utf-8")
