"""The weight files that come with the package: they are what is known here, to the byte."""

from pathlib import Path

from deeplab.support.errors import CheckpointError
from deeplab.support.files import sha256
from deeplab.weights.files import WeightFile
from deeplab.weights.safety import check_regular

SHA256 = {  # whoever makes one of them again writes here what `sha256sum` says of it
    "miniature_resnet50.safetensors":
        "e7e3e106a9c8f66f7dc6b02511e3f6ea15239a522efddcdaf93135bf9abc5d93",
    "miniature_resnet101.safetensors":
        "8a114981739d30d7d2c6e61251f190dfcb125f2caa06b08bfded5f08b8ec6f7a",
    "voc_r50_d16-340steps-seed0.safetensors":
        "25b42f8242e61a0baa039c27f77fe344cb3607dfcaadcfc3a3910735b00ed85c"}


def read_shipped(path: Path) -> WeightFile:
    """The shipped file at `path`; raises `CheckpointError` (E-CKPT) for one that was changed."""
    check_regular(path)
    found = sha256(path)
    if found != SHA256[path.name]:
        raise CheckpointError.of(
            "E-CKPT", "a file of this package is not as it was shipped", file=path,
            found=f"SHA-256 {found[:12]}", expected=SHA256[path.name][:12],
            do="put it back with: git checkout -- FILE, or install the package again")
    return WeightFile.read(path)
