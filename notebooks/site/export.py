"""Store what the site's explorers show: `python notebooks/site/export.py`, with the course's own
environment. For whoever changes a network, a price or a picture of them; `tests/site` compares
what is stored with the package.

The mixer's pictures and the overlay come from the network that the package carries, the table
from the plan of every row. Rates and taps are computed in the browser; here are some to compare.
"""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from deeplab.course.aspp import mixer
from deeplab.course.atrous import explorer as rates
from deeplab.course.atrous.figures import drawn_picture
from deeplab.course.explorer_page import DATA
from deeplab.course.quick import demo_experiment, trained_demo_model
from deeplab.course.start import overlay
from deeplab.course.whole_table import explorer as table
from deeplab.data.catalog import SegmentationDataset
from deeplab.data.labelset import LabelSet
from deeplab.figures import plots
from deeplab.figures.run import RIGHT, WRONG, error_map
from deeplab.support.files import atomic_write
from deeplab.support.void import IGNORE_INDEX, VOID_GREY
from deeplab.table.rows import load_rows

FOLDER = Path(__file__).parent / "explorers"
ROW, STEPS = "voc_r50_d16", 340  # the network in deeplab/course/trained
OVERLAY_IMAGE, MIXER_IMAGES, OPENING_IMAGES = 17, (33, 14, 5, 21), (38, 15, 48, 44)
KERNELS = [(1, 192, 256, 16), (6, 192, 256, 16), (18, 192, 256, 16), (18, 0, 0, 8),
           (36, 383, 511, 8), (12, 100, 40, 16)]  # rate, row, column, output stride
VIEWS = [table.View(), table.View(("hours",)), table.View(("GMACs",), ("voc", "context")),
         table.View(("parameters",), ("cityscapes",), ("resnet50",)),
         table.View(("GMACs",), table.DATASETS, ("resnet101",), (8,))]


def overlay_content(experiment, model) -> dict:
    """What `overlay.html` reads: an image, its label and a prediction as runs, the classes."""
    image, label = experiment.eval_set[OVERLAY_IMAGE]
    page = overlay.page(image, label, experiment.predict(model, OVERLAY_IMAGE),
                        experiment.config.label_set,
                        alt="A drawn harbour, its label, a network's prediction or its errors.")
    start, end = DATA.split("{}")
    return json.loads(page.partition(start)[2].partition(end)[0])


def rates_content() -> dict:
    """The size of the picture, the highest rate, and sentences to compare the browser's with."""
    picture = drawn_picture()
    height, width = picture.shape[:2]
    return {"height": height, "width": width, "maxRate": rates.MAX_RATE,
            "examples": [{"kernel": kernel, "sentence": rates.Kernel(*kernel).sentence(picture)}
                         for kernel in KERNELS]}


def mixer_image(experiment, model, number: int) -> tuple[dict, Image.Image]:
    """What the mixer says about an image, and its sprite: a cell for each mix of the branches.

    The sprite's cells are, eight in a line, the 32 predictions by the number whose bits are the
    switches, their 32 error maps, and last the label.
    """
    label_set, label = experiment.config.label_set, experiment.eval_set[number][1]
    count = len(mixer.branch_names(model.aspp))
    cells, errors, scores = [], [], []
    for mix in range(2 ** count):
        on = [bool(mix >> index & 1) for index in range(count)]
        prediction, miou = mixer.mixed_prediction(experiment, model, number, on)
        cells.append(coloured(prediction, label_set))
        errors.append(error_map(label, prediction))
        scores.append(round(miou, 1))
    cells += [*errors, coloured(label, label_set)] + [np.zeros_like(cells[0])] * 7
    lines = [np.concatenate(cells[at:at + 8], 1) for at in range(0, len(cells), 8)]
    sprite = Image.fromarray(np.concatenate(lines)).quantize(64, dither=Image.Dither.NONE)
    return {"number": number, "miou": scores}, sprite


def coloured(label: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """A label or prediction (H, W) in the colours of its classes (H, W, 3)."""
    colours = np.full((256, 3), VOID_GREY, np.uint8)
    colours[:label_set.num_classes] = label_set.palette
    colours[IGNORE_INDEX] = VOID_GREY
    return colours[label]


def table_content() -> dict:
    """Rows with scores and costs, and sentences to compare the browser's with."""
    rows = [{"id": row.row_id, "dataset": row.dataset, "backbone": row.backbone,
             "stride": row.output_stride, "miou": row.published_miou, **table.costs()[row.row_id]}
            for row in load_rows().values()]
    return {"rows": rows, "axes": table.AXES, "pairs": table.BETTER,
            "examples": [{"axes": view.axes, "datasets": view.datasets,
                          "backbones": view.backbones, "strides": view.output_strides,
                          "sentence": view.sentence()} for view in VIEWS]}


def opening(dataset: SegmentationDataset) -> Figure:
    """The picture that the README and the site open with: drawn pictures above their labels."""
    pairs = [dataset[number] for number in OPENING_IMAGES]
    pictures = {"drawn pictures": pairs[0][0], " ": pairs[1][0], "  ": pairs[2][0],
                "   ": pairs[3][0], "their labels": pairs[0][1]}
    pictures |= {"    " + " " * number: label for number, (_, label) in enumerate(pairs[1:])}
    return plots.side_by_side(pictures, dataset.label_set, height=4.6, rows=2)


def main() -> None:
    """Write everything below `explorers/`, and the picture of the front page."""
    experiment, model = demo_experiment(ROW), trained_demo_model(ROW, steps=STEPS)
    atomic_write(FOLDER.with_name("pages") / "opening.png",
                 plots.encoded(plots.drawn(opening(experiment.eval_set)), optimize=True))
    store("overlay", overlay_content(experiment, model))
    store("rates", rates_content())
    store("table", table_content())
    save(Image.fromarray(drawn_picture()), "rates.png")
    said = []
    for number in MIXER_IMAGES:
        words, sprite = mixer_image(experiment, model, number)
        image = experiment.eval_set[number][0]
        said.append(words | {"height": image.shape[0], "width": image.shape[1]})
        save(sprite, f"mixer-{number}.png")
        save(Image.fromarray(image), f"mixer-{number}-image.png")
    label_set = experiment.config.label_set
    used = plots.classes_by_area([experiment.eval_set[number][1] for number in MIXER_IMAGES],
                                 label_set)
    store("mixer", {"branches": mixer.branch_names(model.aspp), "images": said, "steps": STEPS,
                    "right": RIGHT, "wrong": WRONG,
                    "classes": [{"name": label_set.classes[value],
                                 "color": label_set.palette[value]} for value in used]
                    + [{"name": "void", "color": VOID_GREY}]})


def store(name: str, content: dict) -> None:
    """Write a JSON file of the explorers."""
    atomic_write(FOLDER / f"{name}.json", json.dumps(content) + "\n")


def save(image: Image.Image, name: str) -> None:
    """Write a picture of the explorers."""
    atomic_write(FOLDER / name, plots.encoded(image, optimize=True))


if __name__ == "__main__":
    main()
