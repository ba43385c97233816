"""Pictures over the table, drawn from a few made-up results whose numbers are known."""

import numpy as np
import pytest

from deeplab.figures import order, published, table
from deeplab.figures.plots import png
from deeplab.table.rows import load_rows

pytestmark = pytest.mark.filterwarnings("error")


def entry(row_id, miou, *, seed=0, class_iou=None, gmacs=1.0):
    row = load_rows()[row_id]
    return {"row_id": row_id, "seed": seed, "miou": miou, "dataset": row.dataset,
            "backbone": row.backbone, "output_stride": row.output_stride, "gmacs": gmacs,
            "published_miou": row.published_miou, "class_iou": class_iou or {}}


VOC = [entry("voc_r50_d8", 52.0, gmacs=4), entry("voc_r50_d16", 50.0, gmacs=1),
       entry("voc_r101_d8", 51.0, gmacs=5), entry("voc_r101_d16", 51.5, gmacs=2)]


def test_seeds_of_a_row_are_averaged_in_the_order_of_the_table():
    entries = [entry("voc_r50_d8", 50.0), entry("voc_r50_d8", 53.0, seed=1), VOC[1]]
    assert table.row_means(entries) == {"voc_r50_d8": 51.5, "voc_r50_d16": 50.0}


def test_pairs_in_order_are_counted_and_lone_rows_are_not():
    scores = table.row_means([*VOC, entry("context_r50_d8", 1.0)])
    assert order.order_counts(scores, "output stride") == (1, 2)
    assert order.order_counts(scores, "depth") == (1, 2)
    assert order.order_words(VOC) == (
        "D8 above D16 in 1 of 2 pairs (published: 2); R101 above R50 in 1 of 2 pairs "
        "(published: 2). Spearman's rank correlation with the published order: voc +0.2 (4 rows).")
    assert order.order_words(VOC[:1]).endswith("0 of 0 pairs (published: 0).")


def test_ranks_are_compared_within_each_dataset():
    two = [entry("context_r50_d8", 1.0), entry("context_r101_d8", 0.5), entry("ade20k_r50_d8", 9.0)]
    assert order.rank_correlations([*VOC, *two]) == {
        "voc": (pytest.approx(0.2), 4), "context": (pytest.approx(-1), 2)}  # 1 - 6 * 8 / (4 * 15)


def test_the_published_order_breaks_once_in_depth_and_never_in_stride():
    published = {row_id: row.published_miou for row_id, row in load_rows().items()}
    assert order.order_counts(published, "output stride") == (6, 6)
    assert order.order_counts(published, "depth") == (7, 8)


def test_the_order_plot_has_published_above_ours_each_with_its_own_scale():
    fig = order.order_plot([*VOC, entry("context_r50_d8", 40.0)], "demo")
    published, alone, ours, _ = fig.axes
    assert [list(line.get_ydata()) for line in published.lines] == [[76.86, 77.72], [78.55, 79.52]]
    assert [list(line.get_ydata()) for line in ours.lines] == [[50.0, 52.0], [51.5, 51.0]]
    assert [label.get_text() for label in ours.get_xticklabels()] == ["D16", "D8"]
    assert [label.get_text() for label in alone.get_xticklabels()] == ["D8"]
    assert "demo" in ours.get_ylabel() and "published" in published.get_ylabel()
    assert {text.get_text() for text in ours.texts} == {"50.0", "52.0", "51.5", "51.0"}
    assert published.get_ylim()[0] > ours.get_ylim()[1]


def test_the_heat_map_sorts_classes_and_marks_what_is_missing():
    rows = [entry("voc_r50_d8", 1, class_iou={"cat": 20.0, "dog": 90.0, "cow": None, "bus": None}),
            entry("voc_r50_d16", 1, class_iou={"cat": 40.0, "dog": 10.0, "cow": None, "bus": 9.0})]
    axes = table.class_heat_map(rows).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dog", "cat", "bus"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["R50 D8", "R50 D16"]
    assert [text.get_text() for text in axes.texts] == ["90", "10", "20", "40", "9", "–"]
    assert axes.collections[0].get_array().tolist() == [[90, 10], [20, 40], [None, 9]]


def test_training_curves_share_their_scales_and_leave_no_empty_axes():
    log = [{"step": 0}, {"step": 5, "loss": 2.0}, {"step": 5, "miou": 30.0}]
    worse = [{"step": 5, "loss": 4.0}, {"step": 5, "miou": 10.0}]
    fig = table.training_curves({"voc_r50_d8": log, "voc_r50_d16": worse})
    losses, scores = fig.axes[:2], fig.axes[4:]
    assert [axes.lines[0].get_ydata().tolist() for axes in losses] == [[2.0], [4.0]]
    assert [axes.lines[0].get_ydata().tolist() for axes in scores] == [[30.0], [10.0]]
    assert losses[0].get_ylim() == losses[1].get_ylim() == (0, 4.4)
    assert scores[0].get_ylim() == scores[1].get_ylim()
    assert not any(axes.axison for axes in fig.axes[2:4])


def test_the_cost_plot_orders_rows_by_cost_and_fills_output_stride_8():
    fig = table.cost_plot(VOC)
    line, *points = fig.axes[0].lines
    assert line.get_xydata().tolist() == [[1, 50], [2, 51.5], [4, 52], [5, 51]]
    assert [point.get_markerfacecolor() == "white" for point in points] == [
        True, True, False, False]
    assert [point.get_marker() for point in points] == ["o", "s", "o", "s"]


def test_names_at_the_ends_of_equal_lines_do_not_lie_on_each_other():
    rows = [entry("context_r50_d8", 40.0), entry("context59_r50_d8", 40.0),
            entry("voc_r50_d8", 60.0)]
    fig = table.cost_plot(rows)
    png(fig)  # lays the text out
    boxes = [text.get_window_extent() for text in fig.axes[0].texts]
    assert not boxes[0].overlaps(boxes[1])


def test_the_dumbbell_shows_both_values_the_difference_and_the_band():
    full = [entry("voc_r50_d8", 78.0), entry("ade20k_r50_d16", 40.0)]
    voc, ade = published.dumbbell(full).axes
    line, before, ours = voc.lines
    assert (before.get_xdata()[0], ours.get_xdata()[0]) == (77.72, 78.0)
    assert list(line.get_xdata()) == [77.72, 78.0]
    assert [text.get_text() for text in voc.texts + ade.texts] == ["+0.28", "-1.41"]
    assert voc.patches[0].get_width() == pytest.approx(1.0)
    assert ade.patches[0].get_width() == pytest.approx(1.6)
    assert np.ptp(voc.get_xlim()) == pytest.approx(np.ptp(ade.get_xlim()))


def test_the_scatter_puts_equal_scores_on_the_diagonal():
    full = [entry(row_id, row.published_miou) for row_id, row in load_rows().items()]
    fig = published.scatter(full)
    assert len(fig.axes) == 5
    for axes in fig.axes:
        diagonal, points = axes.lines
        assert list(points.get_xdata()) == list(points.get_ydata())
        assert (diagonal.get_xdata() == diagonal.get_ydata()).all()
    assert fig.axes[1].get_title() == "ade20k\n± 0.8"


def test_only_the_full_recipe_is_drawn_against_the_published_table():
    assert published.why_not_compared("full") == ""
    assert "not the published recipe" in published.why_not_compared("demo")
