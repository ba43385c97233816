"""The base vocabulary: colours by hand, overlays, and what `show` sends to the notebook."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from deeplab.data.catalog import DATASETS
from deeplab.figures import plots

VOC = DATASETS["voc"]


def test_classes_are_listed_by_area_without_void():
    label = np.array([[2, 2, 2, 255], [7, 7, 0, 255]])
    assert plots.classes_by_area([label, np.array([[0, 0, 0]])], VOC) == [0, 2, 7]


def test_the_legend_names_the_first_classes_and_counts_the_rest():
    fig = plots.figure(2)
    plots.class_legend(fig, [np.array([[15, 15, 15, 0, 0, 1, 255]])], VOC, limit=2)
    texts = [text.get_text() for text in fig.legends[0].get_texts()]
    assert texts == ["15 person", "0 background", "void", "and 1 more"]
    person = fig.legends[0].get_patches()[0].get_facecolor()
    assert np.allclose(person[:3], np.array(VOC.palette[15]) / 255)


def test_classes_are_numbered_where_they_are_widest_and_void_and_small_pieces_are_not():
    label = np.full((40, 60), 255, np.uint8)
    label[:20], label[5:15, 10:20], label[30:40, 50:], label[0, 0] = 0, 6, 14, 9
    fig, axes = plots.subplots(2)
    plots.label_picture(axes, label, VOC)
    places = {text.get_text(): text.get_position() for text in axes.texts}
    assert set(places) == {"6", "14"}  # nothing for void, for background and for one pixel
    column, row = places["6"]
    assert 12 <= column <= 17 and 7 <= row <= 12


def test_a_figure_is_stored_opaque_and_at_its_shown_size():
    image = Image.open(io.BytesIO(plots.png(plots.figure(2.5))))
    assert image.size == (900, 250)
    assert image.mode == "RGB"
    assert image.getpixel((5, 5)) == (255, 255, 255)


def test_the_house_style_is_in_force_only_while_a_figure_is_drawn():
    @plots.house_style
    def draw():
        fig = plots.figure(2)
        fig.subplots().set_title("title")
        return fig

    for _ in range(2):  # a decorator made of a context must serve more than once
        axes = draw().axes[0]
        assert axes.title.get_fontsize() >= 11
        assert axes.xaxis.get_ticklabels()[0].get_fontsize() >= 11
    plain = plots.figure(2).subplots()
    assert plain.spines["top"].get_visible()


@pytest.fixture
def shown(monkeypatch):
    """What was displayed: (object, keyword arguments) of every call."""
    calls = []
    monkeypatch.setattr("IPython.display.display", lambda item, **kw: calls.append((item, kw)))
    return calls


def test_show_sends_a_picture_with_alt_text_and_the_words_below(shown):
    plots.show(plots.figure(1), alt="A blank figure.")
    (picture, how), (words, _) = shown
    assert how == {"metadata": {"image/png": {"alt": "A blank figure."}}, "raw": True}
    assert base64.b64decode(picture["image/png"]).startswith(b"\x89PNG")
    assert picture["text/plain"] == "A blank figure."
    assert words.data == "*A blank figure.*"


def test_show_can_give_a_caption_and_write_the_picture(shown, tmp_path):
    plots.show(plots.figure(1), alt="alt", caption="Look here.", file=tmp_path / "a" / "b.png")
    (picture, _), (words, _) = shown
    assert words.data == "*Look here.*"
    assert base64.b64decode(picture["image/png"]) == (tmp_path / "a" / "b.png").read_bytes()


def test_a_row_of_maps_has_a_title_and_the_same_look_each():
    fig = plots.row_of({"a": np.eye(3), "b": np.zeros((3, 3))}, height=2, cmap="gray", clim=(0, 1))
    assert [ax.get_title("center") for ax in fig.axes] == ["a", "b"]
    assert [ax.images[0].get_clim() for ax in fig.axes] == [(0, 1)] * 2


def test_a_note_stands_beside_its_place_and_a_finished_chart_has_its_legend():
    fig, axes = plots.subplots(2)
    axes.plot([1, 2], label="one")
    plots.note(axes, "here", (0, 1), 5, -3)
    plots.finish(axes, xlabel="x", grid="")
    assert (axes.texts[0].xy, axes.texts[0].xyann) == ((0, 1), (5, -3))
    assert axes.get_xlabel() == "x"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one"]


def test_the_few_colours_of_a_large_picture_keep_those_of_its_legend(shown):
    """A photograph with all shades beside small patches of every class."""
    rng = np.random.default_rng(0)
    shades = np.linspace(0, 255, 160)[:, None, None] * np.array([1.0, 0.8, 0.5])
    photo = (0.8 * shades + rng.uniform(0, 50, (160, 160, 3))).clip(0, 255).astype(np.uint8)
    label = np.zeros((160, 160), np.uint8)
    for index in range(21):
        label[7 * index:7 * index + 3, 40:44] = index
    fig = plots.side_by_side({"image": photo, "label": label}, VOC)
    full = np.asarray(plots.drawn(fig)).astype(int)
    plots.show(fig, alt="A photograph and patches of all classes.")
    sent = base64.b64decode(shown[0][0]["image/png"])
    few = Image.open(io.BytesIO(sent))
    assert few.mode == "P"
    few = np.asarray(few.convert("RGB")).astype(int)
    for colour in VOC.palette:
        where = (full == colour).all(2)
        assert where.any() and abs(few[where] - colour).max() <= 20
