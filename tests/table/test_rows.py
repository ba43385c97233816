"""The 16 rows, against the published table and recipe typed again by hand."""

import dataclasses

import pytest

from deeplab.runs.config import row_facts
from deeplab.support.errors import UsageError
from deeplab.table.row import Row
from deeplab.table.rows import get_row, load_rows, match_rows

# docs/modelzoo/deeplabv3/README.md of SSSegmentation, commit 1344519
PUBLISHED = """
            R50-D8 R50-D16 R101-D8 R101-D16
voc         77.72  76.86   79.52   78.55
ade20k      43.19  41.41   45.16   43.45
cityscapes  79.62  78.19   80.28   78.03
context     46.31  -       48.43   -
context59   51.69  -       53.81   -
"""
# crop, base lr, weight decay, batch, epochs, split, inference: its ssseg/configs
RECIPES = {"voc": ((512, 512), 0.01, 5e-4, 16, 60, "trainaug", "whole"),
           "ade20k": ((512, 512), 0.01, 5e-4, 16, 130, "train", "whole"),
           "cityscapes": ((512, 1024), 0.01, 5e-4, 8, 220, "train", "whole"),
           "context": ((480, 480), 0.004, 1e-4, 16, 260, "train", "slide"),
           "context59": ((480, 480), 0.004, 1e-4, 16, 260, "train", "slide")}
FILE_NAMES = {"context": "pascalcontext", "context59": "pascalcontext59"}


def published():
    """(dataset, depth, output stride, mIoU) of every number in the table."""
    header, *lines = (line.split() for line in PUBLISHED.strip().splitlines())
    for dataset, *cells in lines:
        for column, cell in zip(header, cells, strict=True):
            depth, stride = column.removeprefix("R").split("-D")
            if cell != "-":
                yield dataset, int(depth), int(stride), float(cell)


def test_the_rows_are_those_of_the_published_table():
    names = [f"{dataset}_r{depth}_d{stride}" for dataset, depth, stride, _ in published()]
    assert sorted(load_rows()) == sorted(names) and len(names) == 16


@pytest.mark.parametrize("dataset, depth, stride, miou", [*published()])
def test_every_fact_of_a_row_is_the_published_one(dataset, depth, stride, miou):
    crop, base_lr, weight_decay, batch_size, epochs, split, inference = RECIPES[dataset]
    stem = f"deeplabv3_resnet{depth}os{stride}_{FILE_NAMES.get(dataset, dataset)}"
    assert row_facts(get_row(f"{dataset}_r{depth}_d{stride}")) == {
        "row_id": f"{dataset}_r{depth}_d{stride}", "dataset": dataset,
        "backbone": f"resnet{depth}", "output_stride": stride,
        "crop_height": crop[0], "crop_width": crop[1], "base_lr": base_lr,
        "weight_decay": weight_decay, "batch_size": batch_size, "epochs": epochs,
        "train_split": split, "eval_split": "val", "inference": inference,
        "published_miou": miou, "published_weights": f"{stem}.pth",
        "source": f"ssseg/configs/deeplabv3/{stem}.py"}


def test_facts_have_the_declared_types():
    for row in load_rows().values():
        assert all(type(getattr(row, field.name)) is field.type
                   for field in dataclasses.fields(Row))


def test_a_row_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_row("voc_r50_d8").base_lr = 0.1


@pytest.mark.parametrize("row_id, rates", [("voc_r50_d16", (6, 12, 18)),
                                           ("voc_r50_d8", (12, 24, 36))])
def test_rates_double_at_output_stride_8(row_id, rates):
    assert get_row(row_id).atrous_rates == rates


@pytest.mark.parametrize("dataset, classes", [
    ("voc", 21), ("ade20k", 150), ("cityscapes", 19), ("context", 60), ("context59", 59)])
def test_classes_are_those_of_the_dataset(dataset, classes):
    assert get_row(f"{dataset}_r50_d8").num_classes == classes


@pytest.mark.parametrize("dataset, num_images, steps", [
    ("voc", 10_582, 661), ("ade20k", 20_210, 1_263), ("cityscapes", 2_975, 371),
    ("context", 4_998, 312)])
def test_an_epoch_drops_its_last_incomplete_batch(dataset, num_images, steps):
    assert get_row(f"{dataset}_r50_d8").steps_per_epoch(num_images) == steps


def test_a_mistyped_row_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="E-ROW there is no row 'voc_r5_d8'\n.*voc_r50_d8.*\n"
                                         "  do: did you mean 'voc_r50_d8'"):
        get_row("voc_r5_d8")


@pytest.mark.parametrize("patterns, found", [
    (["voc_r50_*"], ["voc_r50_d8", "voc_r50_d16"]),
    (["context*_r101_d8", "voc_r50_d8"], ["voc_r50_d8", "context_r101_d8", "context59_r101_d8"]),
    (["context_*"], ["context_r50_d8", "context_r101_d8"])])
def test_patterns_choose_rows_in_the_order_of_the_table(patterns, found):
    assert match_rows(patterns) == found


def test_no_pattern_is_all_rows_and_one_that_fits_nothing_is_refused():
    assert match_rows([]) == list(load_rows())
    with pytest.raises(UsageError, match="E-ROW there is no row 'vok_.*'"):
        match_rows(["voc_*", "vok_*"])
