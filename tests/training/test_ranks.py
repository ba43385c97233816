"""Two ranks hold one network: equal gradients, equal weights, also where one of them overflows."""

import os
import socket

import pytest
import torch
from toy_training import (CLASSES, CROP, exit_code, forked, newest_state, toy_model, toy_train)

from deeplab.planning.cost import meta_model
from deeplab.runs.config import RunConfig
from deeplab.support.folders import PROJECT
from deeplab.training import loop
from deeplab.training.ranks import Ranks
from deeplab.training.recipe import segmentation_loss

OVERFLOW = 7  # the step at which the gradients of the second rank are infinite


def join(rank, port):
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank),
                      MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    return Ranks.join(device="cpu", timeout=20)


def in_two(function, folder):
    """Call `function(folder, rank, port)` in two forked ranks; what each saved as `rank-N.pt`."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    children = [forked(function, folder, rank, port) for rank in (0, 1)]
    assert [exit_code(child) for child in children] == [0, 0]
    return [torch.load(folder / f"rank-{rank}.pt") for rank in (0, 1)]


def gradients(model, image, label):
    segmentation_loss(model(image), label).total.backward()
    return [weight.grad.clone() for weight in model.parameters()]


def shared_gradients(folder, rank, port):
    """The gradients that a rank has in DDP, and those of its own share alone."""
    ranks = join(rank, port)
    draw = torch.Generator().manual_seed(rank)
    image = torch.randn(2, 3, CROP, CROP, generator=draw)
    label = torch.randint(CLASSES, (2, CROP, CROP), generator=draw)
    torch.manual_seed(0)  # of dropout
    shared = gradients(ranks.wrapped(toy_model(), "cpu"), image, label)
    torch.manual_seed(0)
    own = gradients(toy_model(), image, label)
    torch.save([shared, own], folder / f"rank-{rank}.pt")
    ranks.leave()
    assert not torch.distributed.is_initialized()


def test_the_gradients_of_all_ranks_are_the_mean_of_theirs_to_the_bit(tmp_path):
    (first, ours), (second, theirs) = in_two(shared_gradients, tmp_path)
    for one, two, a, b in zip(first, second, ours, theirs, strict=True):
        assert torch.equal(one, two) and torch.equal(one, a / 2 + b / 2)


def overflowing(folder, rank, port):
    """A rank of a training in mixed precision; the second one's gradients overflow once."""
    ranks, real, seen = join(rank, port), loop.train_step, []

    def train_step(network, optimizer, scaler, *arguments, **options):
        seen.append(scaler.get_scale())
        if rank == 1 and len(seen) == OVERFLOW:
            handle = next(network.parameters()).register_hook(lambda grad: grad * torch.inf)
            losses = real(network, optimizer, scaler, *arguments, **options)
            handle.remove()
            return losses
        return real(network, optimizer, scaler, *arguments, **options)

    loop.train_step = train_step
    model = toy_model()
    toy_train(folder, model=model, ranks=ranks, identity={"processes": 2}, stop_step=9,
              precision="float16")
    torch.save([seen, dict(model.named_parameters())], folder / f"rank-{rank}.pt")


def test_an_overflow_in_one_rank_is_a_step_that_all_of_them_skip(tmp_path):
    (ours, first), (theirs, second) = in_two(overflowing, tmp_path)
    before, after = ours[OVERFLOW - 2:OVERFLOW], ours[OVERFLOW:]
    assert ours == theirs and len(set(before)) == 1 and set(after) == {before[0] / 2}
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(weight.isfinite().all() for weight in first.values())
    assert newest_state(tmp_path)["scaler"]["scale"] == ours[-1]


@pytest.mark.parametrize("row_id", ["voc_r50_d8", "voc_r101_d8"])
def test_the_exchanges_of_synchronised_batchnorm_are_as_many_as_the_readme_says(row_id):
    model = meta_model(RunConfig.of(row_id=row_id, profile="full"))
    layers = sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in model.modules())
    text = (PROJECT / "results/README.md").read_text(encoding="utf-8")
    assert str(2 * layers) in text.partition("synchronised BatchNorm")[2][:200]
