"""The four sizes at which a row can be run. A profile never changes what the row *is*.

`full` is the published recipe, and `medium` a tenth of its schedule for one small card: network,
ImageNet weights and rates as published, crops of at most 512 pixels. `demo` and `small` shrink
the geometry by one factor: crop, resize target and atrous rates are divided together, so that
the pyramid of a row sees the same share of its crop as the real one does, and the network keeps
its depth, its output stride and its heads at a fraction of the width. (The head of a row of the
paper's own tables keeps its channels: `deeplab.runs.network`.)
"""

from dataclasses import dataclass

from deeplab.support.errors import unknown

CROP_MULTIPLE = 8  # a crop must fill whole cells at output stride 8


@dataclass(frozen=True)
class Profile:
    """How large a row is run; see PROFILES for the four there are."""

    name: str
    purpose: str
    width: float  # fraction of the channels of every convolution
    shrink: int  # crop, resize target and atrous rates are divided by this
    steps: int | None  # optimiser steps in all; None: the row's epochs
    batch_size: int | None  # None: the row's
    base_lr: float | None  # None: the row's; slim networks learn at a higher one
    evaluations: int  # evaluation passes over a run, the last one included
    pretrained: bool  # the backbone starts from ImageNet weights, as the recipe does
    largest_crop: int | None = None  # pixels; longer sides of a crop are cut to it
    paper_steps: int | None = None  # instead of `steps`, for the many rows of the paper's tables

    def crop(self, pixels: int) -> int:
        """Length in pixels of a crop side of this profile, rounded up to whole cells if smaller."""
        if self.shrink == 1:
            return min(pixels, self.largest_crop or pixels)
        return -(-pixels // (self.shrink * CROP_MULTIPLE)) * CROP_MULTIPLE

    def rate(self, rate: int) -> int:
        """An atrous rate of this profile in feature cells, at least 1."""
        return max(1, round(rate / self.shrink))


PROFILES = {profile.name: profile for profile in (
    Profile("demo", "the whole table in minutes on two CPU cores, on miniature datasets",
            width=1 / 8, shrink=6, steps=340, batch_size=8, base_lr=0.05, evaluations=3,
            pretrained=False, paper_steps=240),
    Profile("small", "real data on a laptop or one small GPU",
            width=1 / 8, shrink=3, steps=500, batch_size=8, base_lr=0.05, evaluations=4,
            pretrained=False),
    Profile("medium", "a real result on one small GPU: a tenth of VOC's and Cityscapes' schedule",
            width=1, shrink=1, steps=8000, batch_size=8, base_lr=None, evaluations=2,
            pretrained=True, largest_crop=512),
    Profile("full", "the published recipe, to the letter",
            width=1, shrink=1, steps=None, batch_size=None, base_lr=None, evaluations=0,
            pretrained=True),
)}


def get_profile(name: str) -> Profile:
    """The profile called `name`; raises `UsageError` (E-PROFILE) with the nearest names."""
    if name not in PROFILES:
        raise unknown("E-PROFILE", "profile", name, PROFILES)
    return PROFILES[name]
