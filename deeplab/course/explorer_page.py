"""An explorer as one HTML document that plays alone: no kernel, no network, no library.

`explorer.html` is what all of them share; the page of one stands beside its module.
"""

import base64
import html
import json
from importlib.resources import files
from typing import Any

import numpy as np
from PIL import Image

from deeplab.figures import plots

DATA = '<script id="data" type="application/json">{}</script>'
PLACE = "<!-- explorer -->\n"


def explorer_page(lesson: str, name: str, image: np.ndarray, **content: Any) -> str:
    """The page `name` of a lesson's folder for an image uint8 (H, W, 3).

    `content`, with `title` and `alt` in it, is what the page's script reads as `data`.
    """
    course = files("deeplab.course")
    png = base64.b64encode(plots.encoded(Image.fromarray(image), optimize=True)).decode()
    height, width = image.shape[:2]
    # whatever a class is called, it cannot end the <script> that the JSON stands in
    data = json.dumps({"image": f"data:image/png;base64,{png}", "height": height, "width": width,
                       **content}).replace("<", "\\u003c")
    page = course.joinpath("explorer.html").read_text("utf-8")
    own = course.joinpath(lesson, name).read_text("utf-8")
    return page.replace(PLACE, own).replace(DATA, DATA.replace("{}", data))


def show_frame(page: str, *, title: str, height: int) -> None:
    """Display a page in a sandboxed frame, `height` screen pixels high, and a line below it.

    The frame is not trusted, and so not shown, when a saved notebook is opened again; the line is.
    """
    from IPython.display import Markdown, display
    frame = (f'<iframe sandbox="allow-scripts" title="{title}" srcdoc="{html.escape(page)}" '
             f'style="width: 100%; height: {height}px; border: 0"></iframe>')
    display({"text/html": frame, "text/plain": f"the {title}"}, raw=True)
    display(Markdown(f"*The {title} can be moved until the notebook is closed; run the cell again "
                     "when nothing stands above this line.*"))
