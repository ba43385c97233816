"""In which points a run departs from the published recipe. Every result lists its numbers."""

from collections.abc import Callable
from dataclasses import dataclass

from deeplab.runs.experiment import Experiment
from deeplab.runs.parameters import BACKBONE_WEIGHTS
from deeplab.table.row import PaperRow


@dataclass(frozen=True)
class Deviation:
    """One departure; `applies` says whether an experiment makes it."""

    number: int
    text: str
    applies: Callable[[Experiment], bool]


DEVIATIONS = (
    Deviation(1, "Miniature twin: generated pictures in the dataset's layout, not the dataset. "
                 "The score says nothing about the published one.",
              lambda run: run.config.profile.name == "demo"),
    Deviation(2, "Smaller geometry: crop, resize target and atrous rates are divided alike.",
              lambda run: run.config.profile.shrink > 1),
    Deviation(3, "Fewer channels in every convolution; depth, output stride and heads are kept.",
              lambda run: run.config.profile.width < 1),
    Deviation(4, "Shorter schedule, smaller batch and a learning rate of its own.",
              lambda run: run.config.profile.base_lr is not None),
    Deviation(5, "The backbone starts from weights learnt on drawn portraits, not on ImageNet.",
              lambda run: run.backbone_weights == "miniature"),
    Deviation(6, "The backbone starts from random weights, not from ImageNet ones.",
              lambda run: run.backbone_weights == "none"),
    Deviation(7, "The backbone starts from torchvision's ImageNet weights (7x7 stem), not from the "
                 "v1c ones; mmsegmentation's control puts the difference within noise.",
              lambda run: run.backbone_weights == "torchvision" and not is_paper(run)),
    Deviation(8, "Mixed precision, float16 with a scaled loss; upstream trained in float32. Its "
                 "own float16 variant of one row is 0.35 above the float32 one.",
              lambda run: run.settings.precision == "float16"),
    Deviation(9, "The loss is the mean over the valid pixels of the whole batch; upstream's is the "
                 "mean of one mean for each of its GPUs.", lambda run: run.config.world == 1),
    Deviation(10, "Order and augmentation are drawn from (seed, epoch, index). Upstream set no "
                  "seed and, before PyTorch 1.9, repeated draws across workers.", lambda run: True),
    Deviation(11, "The backbone starts from a weight file that was given, not from the v1c ones.",
              lambda run: run.backbone_weights not in BACKBONE_WEIGHTS),
    Deviation(12, "Images are first fitted to the size of the published table, crops are drawn "
                  "and colours disturbed as there; the paper only scales and mirrors.",
              lambda run: is_paper(run)),
    Deviation(13, "The learning rate ends at 1 % and BatchNorm's averages forget a tenth at each "
                  "step; in the paper at 0 and 0.03 %. Its weight decay is not known: 0.0005.",
              lambda run: is_paper(run)),
    Deviation(14, "The backbone starts from torchvision's ImageNet weights, not from the paper's.",
              lambda run: run.backbone_weights == "torchvision" and is_paper(run)),
    Deviation(15, "Frozen is the BatchNorm of the pretrained backbone; that of the new layers is "
                  "trained. Which of them the paper froze is not clear.",
              lambda run: not run.config.row.variant.train_norm),
    Deviation(16, "Mixed precision in bfloat16, without scaling the loss; upstream trained in "
                  "float32.", lambda run: run.settings.precision == "bfloat16"),
    Deviation(17, "Another batch (--batch-size), and a learning rate in proportion to it; "
                  "BatchNorm sees so many more or fewer images.",
              lambda run: run.config.batch_size != run.config.usual_batch_size),
    Deviation(18, "Activations of the backbone are computed twice (--checkpoint-activations). The "
                  "gradients are the same up to rounding.",
              lambda run: run.config.checkpoint_activations),
    Deviation(19, "Shorter schedule, a tenth of VOC's and Cityscapes' images and less of the "
                  "others'; batches of 8, with a learning rate in proportion; crops of at most "
                  "512 pixels.",
              lambda run: run.config.profile.name == "medium"),
)


def is_paper(run: Experiment) -> bool:
    """Whether the run is of a cell of the paper's own tables."""
    return isinstance(run.config.row, PaperRow)


def deviations(experiment: Experiment) -> list[Deviation]:
    """Those that this run makes, by number."""
    return [item for item in DEVIATIONS if item.applies(experiment)]
