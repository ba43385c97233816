"""Evaluation on a GPU counts what the CPU counts."""

from conftest import DEVICE

from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment


def test_the_gpu_counts_the_pixels_that_the_cpu_counts(experiment, tmp_path, twins, measured):
    here = experiment("cityscapes_r50_d16", precision="float32")
    cpu = Experiment(RunConfig.of(row_id="cityscapes_r50_d16", profile="demo", data_root=twins,
                                  results_root=tmp_path / "cpu"))
    there, wanted = here.evaluate(here.model.to(DEVICE).eval()), cpu.evaluate(cpu.model.eval())
    other = int((there.confusion - wanted.confusion).abs().sum()) // 2
    measured(f"{other} of {wanted.confusion.sum():,} pixels in another cell of the matrix")
    assert there.confusion.sum() == wanted.confusion.sum()
    assert other <= wanted.confusion.sum() / 100_000  # two classes equal up to a rounding
