"""Weights and networks for use elsewhere: under other names, or without this package.

An exported network takes a normalised image of one size and gives logits of that size. It is
loaded again and compared before its file gets its name.
"""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from deeplab.model.network import DeepLabV3, ModelRow
from deeplab.model.weights import convert, to_mmsegmentation, to_sssegmentation
from deeplab.support.errors import CheckpointError, UsageError, unknown
from deeplab.support.files import atomic_write
from deeplab.weights.files import WeightFile, save_weights

SCHEMES = {"ours": None, "sssegmentation": to_sssegmentation, "mmsegmentation": to_mmsegmentation}
WRAPPER = {"sssegmentation": "model", "mmsegmentation": "state_dict"}  # each one's outer key
TOLERANCE = 1e-3  # of logits; other runtimes sum in another order


def convert_file(source: Path, target: Path, row: ModelRow, *, profile: str | None = None,
                 scheme: str = "ours") -> int:
    """Write the weights in `source`, of any scheme, to `target`; returns the tensors written.

    Raises `UsageError` (E-SCHEME), and `CheckpointError` if they are not whole or not the row's.
    """
    if scheme not in SCHEMES:
        raise unknown("E-SCHEME", "naming scheme", scheme, SCHEMES)
    file = WeightFile.read(source)
    file.check_row(row)
    profile = profile or file.profile or "full"
    weights = convert(file.tensors, row, profile)
    rename = SCHEMES[scheme]
    if rename is None:
        save_weights(target, weights, row_id=row.row_id, profile=profile,
                     dataset=row.dataset)
    else:
        content = {WRAPPER[scheme]: rename(weights)}
        atomic_write(target, lambda file: torch.save(content, file))
    return len(weights)


class Deployed(nn.Module):
    """A network whose logits have the size of its image: (N, 3, H, W) gives (N, K, H, W)."""

    def __init__(self, model: DeepLabV3):
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """Logits before softmax, upsampled in one bilinear step."""
        return nn.functional.interpolate(self.model(image).main, image.shape[-2:],
                                         mode="bilinear", align_corners=False)


def export_model(model: DeepLabV3, target: Path, *, height: int, width: int) -> float:
    """Write `model` for images of one size to a .pt2 or .onnx file; returns how far it differs.

    That is the largest difference of logits on a random image. Raises `UsageError` (E-FORMAT)
    for another ending or where ONNX is not installed, `CheckpointError` (E-EXPORT) if the
    exported network does not agree; then there is no file.
    """
    writers = {".pt2": _torch_export, ".onnx": _onnx}
    if target.suffix not in writers:
        raise UsageError.of("E-FORMAT", "no such export format", found=target.name,
                            expected="a file that ends in .pt2 (torch.export) or .onnx")
    deployed = Deployed(model.cpu()).eval()
    image = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = deployed(image)
    content, run = writers[target.suffix](deployed, image)
    difference = (run(image) - expected).abs().max().item()
    if not difference <= TOLERANCE * max(1, expected.abs().max().item()):
        raise CheckpointError.of("E-EXPORT", "the exported network gives other logits",
                                 file=target, found=f"a difference of {difference:.2e}",
                                 expected=f"at most {TOLERANCE:g} of the largest logit",
                                 do="nothing was written; try the other format")
    atomic_write(target, content)
    return difference


Written = tuple[bytes, Callable[[Tensor], Tensor]]


def _torch_export(deployed: Deployed, image: Tensor) -> Written:
    """The file's content and a function that runs it."""
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(deployed, (image,)), buffer)
    content = buffer.getvalue()
    again = torch.export.load(io.BytesIO(content)).module()
    return content, lambda image: again(image).detach()


def _onnx(deployed: Deployed, image: Tensor) -> Written:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  torch.onnx needs it
    except ImportError as error:
        raise UsageError.of("E-FORMAT", "ONNX is not installed", found=error,
                            expected="onnx, onnxscript and onnxruntime",
                            do="pip install 'deeplab[export]', or export to .pt2") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(deployed, (image,), path, dynamo=True, external_data=False,
                          input_names=["image"], output_names=["logits"], verbose=False)
        content = path.read_bytes()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])
