"""The pyramid against torchvision's, against kernels with holes, and its one refusal."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.models.segmentation.deeplabv3 import ASPP as TorchvisionASPP

from deeplab.model.aspp import ASPP
from deeplab.support.errors import UsageError

RATES = (2, 4, 6)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def randomise_norms(module: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(1)
    for key, value in module.state_dict().items():
        if value.ndim == 1:
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))


def test_with_a_1x1_projection_it_equals_torchvisions():
    """The paper's projection; torchvision too concatenates the pooled branch last."""
    theirs = TorchvisionASPP(16, RATES, out_channels=8).eval()
    randomise_norms(theirs)
    prefixes = {"convs.0": "point", "convs.1": "atrous.0", "convs.2": "atrous.1",
                "convs.3": "atrous.2", "project": "project"}
    weights = {}
    for key, value in theirs.state_dict().items():
        key = key.replace("convs.4.1", "image_pooling.0").replace("convs.4.2", "image_pooling.1")
        old = next((old for old in prefixes if key.startswith(old)), None)
        weights[key if old is None else key.replace(old, prefixes[old])] = value
    ours = ASPP(c_in=16, c_out=8, atrous_rates=RATES, project_kernel=1).eval()
    ours.load_state_dict(weights)
    x = random(2, 16, 11, 14)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("branch", range(len(RATES)))
def test_a_branch_equals_a_dense_kernel_with_holes(branch):
    """Eq. (1): rate r is the 3x3 kernel with r - 1 zeros between its taps."""
    rate = RATES[branch]
    conv = ASPP(c_in=2, c_out=3, atrous_rates=RATES).atrous[branch][0]
    holes = torch.zeros(3, 2, 2 * rate + 1, 2 * rate + 1)
    holes[:, :, ::rate, ::rate] = conv.weight.detach()
    x = random(1, 2, 17, 19)
    torch.testing.assert_close(conv(x), F.conv2d(x, holes, padding=rate))


def test_the_image_level_branch_is_the_same_everywhere_and_ignores_places():
    aspp = ASPP(c_in=4, c_out=8, atrous_rates=RATES).eval()
    x = random(1, 4, 6, 5)
    branch = aspp.image_features(x)
    assert branch.shape == (1, 8, 6, 5)
    assert torch.equal(branch, branch[..., :1, :1].expand_as(branch))
    torch.testing.assert_close(aspp.image_features(x.flip(2, 3)), branch)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (7, 7)])
@pytest.mark.parametrize("rates", [(1,), (6, 12, 18), (1, 2, 3, 4)])
def test_the_map_keeps_its_size_with_any_rates(size, rates):
    aspp = ASPP(c_in=4, c_out=8, atrous_rates=rates)
    assert aspp(random(2, 4, *size)).shape == (2, 8, *size)


def test_training_on_one_image_is_refused_in_plain_words():
    aspp = ASPP(c_in=4, c_out=8, atrous_rates=RATES)
    x = random(1, 4, 5, 5)
    with pytest.raises(UsageError, match=r"E-BATCH.*\n.*batch of 1.*\n.*raise the batch size"):
        aspp(x)
    assert aspp.eval()(x).shape == (1, 8, 5, 5)
    aspp.train().image_pooling[1].eval()
    assert aspp(x).shape == (1, 8, 5, 5)
