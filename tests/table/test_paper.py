"""The rows of the paper's tables: every value typed again, and who shares a training with whom."""

import dataclasses

import pytest

from deeplab.support.errors import UsageError
from deeplab.table.paper import load_paper_rows
from deeplab.table.row import Row, Variant
from deeplab.table.rows import get_row, known_rows, load_rows, match_rows, which_table
from deeplab.table.verdict import verdict

BLOCKS = (4, 5, 6, 7)
MULTI_GRID = {"111": (68.39, 73.21, 75.34, 75.76), "121": (70.23, 75.67, 76.09, 76.40),
              "123": (73.14, 75.78, 75.96, 76.11), "124": (73.45, 75.74, 75.85, 76.02),
              "222": (71.45, 74.30, 74.70, 74.62)}
VALUES = {  # Tables 1 to 6 and 8 to 10, cell by cell
    **{f"t1_os{8 * 2 ** power}": miou for power, miou in enumerate(
        (75.18, 73.88, 70.06, 59.99, 42.34, 20.29))},
    **{f"t2_r50_block{block}": miou for block, miou in zip(
        BLOCKS, (64.81, 72.14, 74.29, 73.88), strict=True)},
    **{f"t2_r101_block{block}": miou for block, miou in zip(BLOCKS, MULTI_GRID["111"],
                                                            strict=True)},
    **{f"t3_mg{grid}_block{block}": miou for grid, values in MULTI_GRID.items()
       for block, miou in zip(BLOCKS, values, strict=True)},
    "t4_at16": 76.40, "t4_at8": 78.05, "t4_scales": 78.93, "t4_flips": 79.35,
    "t5_mg111": 75.36, "t5_mg121": 75.93, "t5_mg124": 76.58, "t5_mg124_rate24": 76.46,
    "t5_mg124_image": 77.21, "t6_at16": 77.21, "t6_at8": 78.51, "t6_scales": 79.45,
    "t6_flips": 79.77, "t8_crop513": 77.21, "t8_label": 75.95, "t8_norm": 76.01,
    "t8_crop321": 67.22, "t9_batch4": 64.43, "t9_batch8": 75.76, "t9_batch12": 76.49,
    "t9_batch16": 77.21, "t10_at16": 77.23, "t10_at8": 77.82, "t10_scales": 79.06,
    "t10_flips": 79.30}
AGAIN = dict.fromkeys(("again_os8", "again_os16", "again_os32", "again_block4", "again_aspp"))
EVALUATION = ("eval_output_stride", "scales", "flip")


def test_every_cell_has_a_row_with_the_reported_value():
    assert {row_id: row.published_miou for row_id, row in load_paper_rows().items()} == {
        f"paper_{name}": miou for name, miou in (VALUES | AGAIN).items()}
    assert not any(row.checked for row in load_paper_rows().values())


def test_a_row_says_what_its_name_says():
    for row_id, row in load_paper_rows().items():
        name = row_id.removeprefix("paper_").removeprefix("t")
        assert name.split("_")[0] == row.table
        if row.published_miou is not None:
            assert row.source.endswith(f"Table {row.table}")
        assert row.backbone == ("resnet50" if "r50" in name or "os" in name else "resnet101")
        if "os" in name:
            assert row.output_stride == int(name.partition("os")[2])
        if "block" in name:
            assert row.variant.blocks == int(name[-1]) and row.copies == int(name[-1]) - 4
        if "mg" in name:
            assert row.variant.multi_grid == tuple(map(int, name.partition("mg")[2][:3]))
        if "batch" in name:
            assert row.batch_size == int(name.partition("batch")[2])
        assert (row.variant.blocks is None) == bool(row.variant.aspp_rates)


def test_the_recipe_is_the_papers():
    for row in load_paper_rows().values():
        assert (row.base_lr, row.inference, row.eval_split) == (0.007, "whole", "val")
        side, steps, split = (769, 90_000, "train") if row.dataset == "cityscapes" else (
            513, 30_000, "trainaug")
        assert row.iterations == row.total_steps(10_582, row.batch_size) == steps
        assert row.train_split == split
        assert row.crop_height == row.crop_width == (321 if "321" in row.row_id else side)
        assert row.batch_size == 16 or row.table == "9"


def training_facts(row):
    """Everything of a row that its training depends on."""
    facts = dataclasses.asdict(row)
    variant = facts.pop("variant")
    for name in ("row_id", "table", "what", "source", "published_miou", "trained_as"):
        facts.pop(name)
    return facts | {name: value for name, value in variant.items() if name not in EVALUATION}


def test_rows_that_differ_in_the_evaluation_alone_share_the_first_ones_training():
    first = {}
    for row in load_paper_rows().values():
        key = str(training_facts(row))
        assert row.trained_as == first.get(key, ""), row.row_id
        first.setdefault(key, row.row_id)
    assert len(first) == 46 and len(load_paper_rows()) == 64
    trained = [load_paper_rows()[name].variant for name in first.values()]
    assert not any(one.flip or one.scales != (1.0,) or one.eval_output_stride for one in trained)


def test_the_pyramids_rates_double_when_it_is_evaluated_at_8():
    row = get_row("paper_t5_mg124_rate24")
    assert row.atrous_rates == (6, 12, 18, 24)
    assert dataclasses.replace(row, output_stride=8).atrous_rates == (12, 24, 36, 48)
    assert get_row("paper_t1_os8").atrous_rates == ()


def test_a_row_of_the_published_table_varies_nothing():
    assert all(row.variant == Variant() for row in load_rows().values())
    assert "variant" not in [field.name for field in dataclasses.fields(Row)]


@pytest.mark.parametrize("patterns, found", [
    (["paper_t6_*"], ["at16", "at8", "scales", "flips"]), (["paper_t6_at8"], ["at8"])])
def test_patterns_find_them_table_by_table(patterns, found):
    assert match_rows(patterns) == [f"paper_t6_{name}" for name in found]


def test_the_published_table_stays_the_default_and_comes_first():
    assert match_rows([]) == match_rows(["*"]) == list(load_rows())
    assert match_rows(["paper_t4_at8", "voc_r50_d8"]) == ["voc_r50_d8", "paper_t4_at8"]
    assert [*known_rows()][-64:] == list(load_paper_rows())
    assert which_table("paper_t4_at8") == "the paper's own tables"
    assert which_table("voc_r50_d8") == "the published table"
    with pytest.raises(UsageError, match="there is no row 'paper_t5_mg142'(.|\n)*paper_t5_mg12"):
        get_row("paper_t5_mg142")


def test_a_result_is_set_beside_the_papers_value_without_a_verdict():
    row = get_row("paper_t6_at8")
    facts = {"row_id": row.row_id, "profile": "demo", "miou": 40.0, "num_images": 60, "seed": 0,
             "class_iou": {"cat": 40.0}, "complete": True, "published_miou": row.published_miou,
             "table": row.table, "what": row.what, "checked": row.checked}
    assert ("Table 6 of the paper reports 78.51 % for evaluated at 8 (a value not checked against "
            "the paper itself); compare differences within that table") in verdict(facts)
    own = verdict(facts | {"published_miou": None, "what": "ResNet-101, block 4"})
    assert "ResNet-101, block 4: the paper has no such cell" in own
    full = verdict(facts | {"profile": "full", "miou": 78.0})
    assert "difference -0.51" in full and "reproduced" not in full
