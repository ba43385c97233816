"""Planned against spent: the plan's multiply-adds and hours, the results' minutes."""

from results_folders import result_facts, write_run

from deeplab.figures.spent import HEADINGS, spent_lines
from deeplab.planning.plan import plan
from deeplab.runs.config import RunConfig


def run(root, row_id, *, profile="demo", seed=0, **facts):
    config = RunConfig.of(row_id=row_id, profile=profile, seed=seed, results_root=root)
    found = result_facts(config, **facts)
    return found | {"folder": write_run(config, {}, facts=found)}


def test_shares_of_work_and_time_add_up(tmp_path):
    runs = [run(tmp_path, "voc_r50_d8", gmacs=2.0, steps=300, minutes=3.0),
            run(tmp_path, "voc_r50_d8", seed=1, gmacs=2.0, steps=300, minutes=3.0),
            run(tmp_path, "voc_r50_d16", gmacs=1.0, steps=300, minutes=2.0, peak_memory_mb=None)]
    first, second = spent_lines(runs)
    assert len(first) == len(HEADINGS)
    # 3 passes x 2 GMACs x 300 steps x 8 images, of two seeds
    assert first == ("voc_r50_d8", "28.8", "80.0", "—", "6.0", "75.0", "1")
    assert second == ("voc_r50_d16", "7.2", "20.0", "—", "2.0", "25.0", "—")


def test_on_a_known_gpu_the_planned_time_is_the_plans(tmp_path):
    runs = [run(tmp_path, "voc_r50_d8", profile="full", seed=seed, gpu="Tesla V100-SXM2-32GB")
            for seed in (0, 1)]
    planned, = plan(["voc_r50_d8"], gpu="V100-32")
    assert spent_lines(runs)[0][3] == f"{2 * 60 * planned.hours:.1f}"
