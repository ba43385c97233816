"""With the same weights the network gives the peers' numbers (tests/reference/logits)."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from reference_weights import REFERENCE, digest, fill, filled, inventory, reference_input

from deeplab.model.network import DeepLabV3
from deeplab.model.weights import model_for

SIZES = [(97, 129), (64, 64), (321, 337)]  # at the first two, rates 24 and 36 touch only padding
INDEX = json.loads((REFERENCE / "logits/index.json").read_text())
PEERS = {
    "sssegmentation__deeplabv3_resnet50os8_voc": ("resnet50", 8),
    "sssegmentation__deeplabv3_resnet50os16_voc": ("resnet50", 16),
    "sssegmentation__deeplabv3_resnet101os8_voc": ("resnet101", 8),
    "mmsegmentation__deeplabv3_r50-d8_voc12aug": ("resnet50", 8),
}
TORCHVISION = "torchvision__deeplabv3_resnet50_21"


def reference(name: str) -> dict[str, np.ndarray]:
    with np.load(REFERENCE / f"logits/{name}.npz") as stored:
        return dict(stored)


def run(model: DeepLabV3, size: tuple[int, int]):
    """Stages, logits and auxiliary logits of the reference input of this size."""
    image = reference_input(*size)
    seen = []
    hook = model.backbone.register_forward_hook(lambda module, args, stages: seen.append(stages))
    with torch.inference_mode():
        logits = model(image).main
        hook.remove()
        return seen[0], logits.numpy(), model.aux_classifier(seen[0].conv4).numpy()


def cut(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Of the largest maps every second row and column is stored."""
    return array[:, :, ::2, ::2] if size == SIZES[-1] else array


def check_stages(stages, want: dict[str, np.ndarray], size: tuple[int, int]) -> None:
    """Mean, std, min and max of each stage, and at 64x64 its first four channels."""
    name = f"{size[0]}x{size[1]}"
    got = [[m.mean(), m.std(), m.min(), m.max()] for m in (stage.double() for stage in stages)]
    np.testing.assert_allclose(got, want[f"feature_stats_{name}"], rtol=1e-4, atol=1e-5)
    if name == "64x64":
        for index, stage in enumerate(stages, start=1):
            np.testing.assert_allclose(stage[:, :4], want[f"layer{index}_ch0to3_{name}"],
                                       rtol=0, atol=1e-4)


@pytest.fixture(scope="module", autouse=True)
def free_memory():
    yield
    fill.cache_clear()


@pytest.fixture(scope="module", params=PEERS)
def peer(request):
    """A peer's name and our model with the peer's weights, its digest checked first."""
    backbone, output_stride = PEERS[request.param]
    weights = filled(inventory(*request.param.split("__")))
    assert digest(weights) == INDEX[request.param]["state_dict_sha256"]
    row = SimpleNamespace(row_id="voc", backbone=backbone, output_stride=output_stride,
                          num_classes=21, published_weights="",
                          atrous_rates=tuple(96 // output_stride * n for n in (1, 2, 3)))
    return request.param, model_for(weights, row)


def test_the_weight_recipe_gives_its_check_values():
    assert fill("backbone_net.stem.0.weight", (32, 3, 3, 3)).ravel()[:3] == pytest.approx(
        [-0.045835074, 0.0357500352, 0.18665643])
    assert fill("backbone_net.stem.1.running_var", (32,))[:3] == pytest.approx(
        [0.777242064, 0.876917005, 1.36334479])
    assert fill("decoder.1.bias", (21,))[:3] == pytest.approx(
        [0.192584515, -0.0789497271, 0.0451276042])


@pytest.mark.parametrize("size", SIZES)
def test_the_reference_input_is_the_recorded_one(size):
    sha = hashlib.sha256(reference_input(*size).numpy().tobytes()).hexdigest()
    assert all(entry["inputs"][f"{size[0]}x{size[1]}"] == sha for entry in INDEX.values())


def test_parameters_number_what_the_peer_counts(peer):
    name, model = peer
    assert sum(p.numel() for p in model.parameters()) == INDEX[name]["params"]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_logits_and_stages_equal_the_peers(peer, size):
    """The distances allowed are five times what float32 itself costs the peer, or more."""
    name, model = peer
    stages, logits, aux = run(model, size)
    want = reference(name)
    label = f"{size[0]}x{size[1]}"
    check_stages(stages, want, size)
    np.testing.assert_allclose(cut(logits, size), want[f"logits_{label}"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(cut(aux, size), want[f"aux_{label}"], rtol=0, atol=5e-4)


def test_stages_and_auxiliary_logits_equal_torchvisions():
    """torchvision's main head has one 3x3 convolution more; all the rest must agree."""
    with torch.device("meta"):
        model = DeepLabV3(num_classes=21, depth=50, output_stride=8, atrous_rates=(12, 24, 36),
                          channels=256, aux_channels=256, stem="7x7")
    parts = ("backbone.", "aux_classifier.")
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    model = model.to_empty(device="cpu").eval()
    loaded = model.load_state_dict(
        filled({key: shape for key, shape in shapes.items() if key.startswith(parts)}),
        strict=False)
    assert all(key.startswith(("aspp.", "classifier.")) for key in loaded.missing_keys)
    want = reference(TORCHVISION)
    for size in SIZES:
        with torch.inference_mode():
            stages = model.backbone(reference_input(*size))
            aux = model.aux_classifier(stages.conv4).numpy()
        check_stages(stages, want, size)
        np.testing.assert_allclose(cut(aux, size), want[f"aux_{size[0]}x{size[1]}"],
                                   rtol=0, atol=5e-4)
