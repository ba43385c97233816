"""The mixer silences branches exactly, leaves the network as it was, and always draws something."""

import numpy as np
import pytest
import torch

from deeplab.course.aspp import mixer
from deeplab.course.quick import demo_experiment
from deeplab.course.real_picture import RealNetwork, RealPicture
from deeplab.figures.plots import png
from deeplab.miniature.twins import miniature
from deeplab.model.aspp import ASPP
from deeplab.support.errors import UsageError


@pytest.fixture
def aspp():
    torch.manual_seed(0)
    return ASPP(c_in=6, c_out=8, atrous_rates=(1, 2, 3)).eval()


@pytest.fixture(scope="module")
def untrained():
    """A demo run on its twin, and a network that knows nothing yet."""
    miniature("voc")
    experiment = demo_experiment("voc_r50_d16")
    return experiment, experiment.model.eval()


def test_branches_are_named_in_the_order_of_concatenation(aspp):
    assert mixer.branch_names(aspp) == ["1x1", "rate 1", "rate 2", "rate 3", "image-level"]


@pytest.mark.parametrize("off", range(5))
def test_a_branch_switched_off_reaches_the_projection_as_zeros(aspp, off):
    """The oracle: the projection applied to the branches, one of them replaced by zeros."""
    x = torch.randn(2, 6, 9, 11)
    with torch.inference_mode():
        branches = [aspp.point(x), *(branch(x) for branch in aspp.atrous), aspp.image_features(x)]
        branches[off] = torch.zeros_like(branches[off])
        with mixer.mixed(aspp, mixer.one_off(5)[1 + off]):
            got = aspp(x)
    torch.testing.assert_close(got, aspp.project(torch.cat(branches, 1)))


def test_the_network_is_itself_again_afterwards(aspp):
    x = torch.randn(2, 6, 9, 11)
    before = aspp(x)
    with mixer.mixed(aspp, (False,) * 5):
        assert not torch.equal(aspp(x), before)
    assert torch.equal(aspp(x), before)


def test_a_switch_too_few_is_refused(aspp):
    with pytest.raises(UsageError, match="E-INPUT the mixer needs one switch per branch"):
        with mixer.mixed(aspp, (True,) * 4):
            pass


def test_draw_is_pure_and_shows_the_setting(untrained):
    experiment, model = untrained
    pictures = [png(mixer.draw(experiment, model, number=3, on=on)) for on in (
        (True,) * 5, (True,) * 5, (False,) * 5)]
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


def test_the_score_is_of_this_image(untrained):
    experiment, model = untrained
    prediction, miou = mixer.mixed_prediction(experiment, model, 3, (True,) * 5)
    label = experiment.eval_set[3][1]
    counted = label != 255
    classes = set(np.unique(label[counted])) | set(np.unique(prediction[counted]))
    ious = [np.mean(((prediction == k) & (label == k))[counted].sum()
                    / ((prediction == k) | (label == k))[counted].sum()) for k in classes]
    assert miou == pytest.approx(100 * np.mean(ious))


def test_without_widgets_the_strip_is_shown(untrained, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(mixer, "find_spec", lambda name: None)
    monkeypatch.setattr(mixer, "show", lambda fig, *, alt: shown.append(alt))
    mixer.explore(*untrained, number=3, interactive=True)
    assert "Image 3" in shown[0] and "without each of: 1x1" in shown[0]
    assert "pip install ipywidgets" in capsys.readouterr().out


def test_the_buttons_redraw(untrained, monkeypatch):
    """Ask as the buttons do, and look at what is drawn and said."""
    pytest.importorskip("ipywidgets")
    asked = []
    monkeypatch.setattr(mixer, "show_switches", lambda *given: asked.append(given))
    monkeypatch.setattr(mixer, "show", lambda fig, *, alt: None)
    mixer.explore(*untrained, number=3, interactive=True)
    ((how, rows, chooser, draw),) = asked
    assert "Tab" in how and chooser.value == 3 and len(rows["branches"]) == 5
    whole, words = draw({"branches": tuple(rows["branches"])}, 3)
    part, _ = draw({"branches": ("1x1",)}, 3)
    assert words.endswith("on: 1x1, rate 1, rate 2, rate 3, image-level")
    assert png(whole) != png(part)
    assert [axes.get_title("center").partition("\n")[0] for axes in part.axes] == [
        "image 3", "label", "prediction", "errors"]
    assert draw({"branches": ()}, 3)[1].endswith(f"on: nothing. {mixer.ALL_OFF}")


def test_the_still_strip_stands_beside_the_switches(untrained, monkeypatch):
    pytest.importorskip("ipywidgets")
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda one, **_: shown.append(one))
    mixer.explore(*untrained, number=3, interactive=True)
    assert "Image 3" in shown[0]["text/plain"] and "image/png" in shown[0]


def test_a_photograph_is_compared_with_what_all_branches_make_of_it(untrained):
    experiment, model = untrained
    image = experiment.eval_set[3][0]
    network = RealNetwork(model, experiment.config, "demo")
    fig = mixer.photo_strip(RealPicture(image, network.predict(image), network))
    titles = [ax.get_title("center") for ax in fig.axes if ax.get_title("center")]
    assert titles[:3] == ["photograph\n", "and its classes\n", "all five branches\n"]
    assert [title.partition("\n")[0] for title in titles[3:]] == [
        "without 1x1", "without rate 1", "without rate 2", "without rate 3", "without image-level"]
    assert all(title.endswith(" % the same") for title in titles[3:])
