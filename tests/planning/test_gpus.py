"""Which cards the installed build of PyTorch has code for, and which need another one."""

import pytest
import torch

from deeplab.planning.gpus import GPUS, get_gpu, known_gpu
from deeplab.planning.plan import plan
from deeplab.planning.plan_text import plan_text
from deeplab.support.cuda import serves
from deeplab.support.errors import UsageError


@pytest.mark.skipif(not (torch.version.cuda or "").startswith("13."), reason="no CUDA 13")
def test_the_cards_that_need_the_older_build_are_those_that_this_build_does_not_serve():
    built = torch._C._cuda_getArchFlags().split()
    unserved = {name for name, gpu in GPUS.items() if not serves(built, gpu.capability)}
    assert unserved == {name for name, gpu in GPUS.items() if gpu.needs_cu126}
    assert unserved == {"V100-16", "V100-32", "P100", "GTX1080TI"}


def test_the_older_build_serves_every_card():
    built = [f"sm_{number}" for number in (50, 60, 70, 75, 80, 86, 90)]  # pytorch issue 172352
    assert all(serves(built, gpu.capability) for gpu in GPUS.values())


def test_a_plan_for_an_older_card_names_the_build_that_serves_it():
    assert "V100-32: PyTorch's build for CUDA 12.6 (make TORCH=cu126)" in " ".join(
        plan_text([plan(["voc_r50_d16"], gpu="V100-32")]).split())
    assert "TORCH" not in plan_text([plan(["voc_r50_d16"], gpu="T4")])


def test_an_unknown_card_is_refused_with_those_that_are_known():
    with pytest.raises(UsageError, match="(?s)E-GPU .*'T5'.*RTX2080TI"):
        get_gpu("T5")


@pytest.mark.parametrize("name, memory, known", [
    ("NVIDIA A100-SXM4-40GB", 39.4, "A100-40"), ("NVIDIA A100 80GB PCIe", 79.2, "A100-80"),
    ("Tesla V100-SXM2-32GB", 31.7, "V100-32"), ("NVIDIA H100 80GB HBM3", 79.1, "H100"),
    ("NVIDIA GeForce RTX 2080 Ti", 10.8, "RTX2080TI"), ("NVIDIA GeForce RTX 3090", 23.7, "RTX3090"),
    ("Tesla T4", 14.6, "T4"), ("NVIDIA L40S", 44.4, None), ("NVIDIA T400", 2.0, None),
    ("NVIDIA GeForce GTX 1080", 7.9, None)])
def test_a_gpu_is_known_by_the_name_that_cuda_gives_it(name, memory, known):
    assert getattr(known_gpu(name, memory), "name", None) == known


@pytest.mark.parametrize("said, name", [
    ("Tesla V100-SXM2-16GB", "V100-16"), ("NVIDIA H100 80GB HBM3", "H100"), ("Tesla T4", "T4"),
    ("NVIDIA GeForce GTX 1080 Ti", "GTX1080TI"), ("NVIDIA GeForce RTX 2080 Ti", "RTX2080TI"),
    ("NVIDIA L4", "L4"), ("Tesla P100-PCIE-16GB", "P100")])
def test_a_gpu_whose_memory_nobody_told_is_known_by_its_name_alone(said, name):
    assert known_gpu(said) is GPUS[name]


@pytest.mark.parametrize("said", ["NVIDIA L40S", "Tesla V100", "NVIDIA GeForce RTX 3080", "", None])
def test_no_other_is_taken_for_it(said):
    assert known_gpu(said) is None
