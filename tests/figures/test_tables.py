"""Tables and captions in notebooks show every text as it is, whoever wrote it."""

import IPython.display
import numpy as np
import pytest

from deeplab.data.labelset import parse_label_set
from deeplab.figures import plots
from deeplab.figures.run import class_bars
from deeplab.figures.table import class_heat_map
from deeplab.figures.tables import markdown_table, show_table

HOSTILE = ["<script>alert(1)</script>", "a|b", "$\\frac{$", "![x](http://x)", "a\nb", "*x*"]
ENTRY = {"title": "Leaves", "resize": [64, 32], "ignored": [255],
         "layout": {"folders": ["leaf"], "images": "{split}/{id}.jpg",
                    "labels": "l/{split}/{id}.png"},
         "classes": [{"raw": index, "name": name, "color": [index, 0, 0]}
                     for index, name in enumerate(text for text in HOSTILE if text.isprintable())]}


def test_a_cell_breaks_out_of_no_table():
    lines = markdown_table(("class", "x"), [(text, 1) for text in HOSTILE]).splitlines()
    assert len(lines) == 2 + len(HOSTILE) and "<" not in "".join(lines)
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)
    assert lines[1] == "| :--- | ---: |" and markdown_table(("a", "b"), [("voc_r50_d8", 77.5)]) == (
        "| a | b |\n| :--- | ---: |\n| voc_r50_d8 | 77.5 |")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_displayed_holds_no_markup_of_a_stranger(monkeypatch, text):
    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda one, **more: shown.append(one))
    show_table(("a", "b"), [(text, 1)])
    plots.show(plots.words_only("x"), alt=text)
    table, caption = shown[0].data, shown[2].data
    for markdown in (table, caption):
        assert "<script" not in markdown and "![x]" not in markdown and "*x*|" not in markdown
    assert "\n" not in caption


def test_class_names_are_drawn_and_not_typeset():
    label_set = parse_label_set("leaf", ENTRY, "leaf.json")
    scores = dict.fromkeys(label_set.classes, 50.0)
    label = np.arange(label_set.num_classes, dtype=np.uint8)[None].repeat(9, 0)
    plots.png(class_bars(scores, label_set))
    plots.png(class_heat_map([{"row_id": "leaf_r50_d8", "class_iou": scores}]))
    plots.png(plots.side_by_side({"label": label}, label_set))
