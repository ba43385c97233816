"""Keep an executed notebook as an example: `python notebooks/site/keep.py FROM TO`.

Times, counts of the run, folders of the machine and links to other runs are left out: what stays
is what a reader sees. `make example` keeps the notebooks of one row and of the reports so.
"""

import json
import re
import sys
from pathlib import Path

PATH = re.compile(r'= "/[^"]*"')  # a folder of this machine among papermill's parameters
PAGE = re.compile(r'<a href="[^"]*/row\.html">([^<]*)</a>')  # of a run, which is not kept


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


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    notebook = kept(json.loads(source.read_text(encoding="utf-8")))
    target.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
