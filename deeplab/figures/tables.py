"""What one run is, in words and tables: shown at the top and the end of `row.ipynb`."""

from collections.abc import Iterable, Mapping, Sequence

from deeplab.model.backbone import stage_plan
from deeplab.model.cascade import cascade_plan
from deeplab.model.network import profile_rates
from deeplab.planning.cost import model_cost
from deeplab.profiles import PROFILES
from deeplab.runs.config import RunConfig
from deeplab.runs.deviations import DEVIATIONS
from deeplab.runs.experiment import Experiment
from deeplab.support.plain import markdown_table
from deeplab.table.row import PaperRow, Row


def show_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Display a table; a screen reader can walk through it, unlike a picture."""
    from IPython.display import Markdown, display
    display(Markdown(markdown_table(header, rows)))


def row_facts_table(experiment: Experiment) -> list[tuple[str, str, str]]:
    """(fact, published recipe, this run): the row and everything derived from it."""
    config, row, settings = experiment.config, experiment.config.row, experiment.settings
    images = {row.train_split: len(experiment.train_set), row.eval_split: len(experiment.eval_set),
              **config.label_set.split_sizes}
    full = RunConfig.of(row_id=row.row_id, profile="full")
    steps = full.total_steps(images[row.train_split])
    same = [("dataset, classes", f"{config.label_set.title}, {row.num_classes}"),
            ("backbone, output stride", f"{row.backbone}, {row.output_stride}"),
            ("stride/rate of conv2 to conv5", _plan(stage_plan(min(32, row.output_stride)))),
            *_variant_facts(row),
            ("weight decay", f"{row.weight_decay:g}"), ("inference", row.inference)]
    return [(name, text, text) for name, text in same] + [
        ("training images", f"{images[row.train_split]:,}", f"{len(experiment.train_set):,}"),
        ("evaluation images", f"{images[row.eval_split]:,}", f"{len(experiment.eval_set):,}"),
        ("channel width", "1", f"{config.profile.width:g}"),
        ("crop, height x width (px)", _pair(full.crop), _pair(config.crop)),
        ("feature map of a crop (cells)", _cells(full), _cells(config)),
        ("resize target, long x short (px)", _pair(full.resize), _pair(config.resize)),
        ("atrous rates of ASPP (cells)", _rates(full), _rates(config)),
        ("images per step", full.batch_size, settings.batch_size),
        ("learning rate at step 0", f"{full.base_lr:g}", f"{settings.base_lr:g}"),
        ("steps of the schedule", f"{steps:,}", f"{settings.total_steps:,}"),
        ("steps done here", f"{steps:,}", f"{settings.stop_step:,}"),
        ("seed", "not set", settings.seed)]


def cost_table(config: RunConfig) -> list[tuple[str, str, str, str, str]]:
    """(part, parameters and GMACs of the full row, of this run); GMACs for one training crop."""
    columns = []
    for profile in ("full", config.profile.name):
        cost = model_cost(RunConfig.of(row_id=config.row.row_id, profile=profile))
        gmacs = {part: macs / 1e9 for part, macs in cost.train_macs.items()}
        columns += [({**values, "sum": sum(values.values())}, form)
                    for values, form in ((cost.parameters, ",d"), (gmacs, ",.3f"))]
    return [(part, *(f"{values[part]:{form}}" for values, form in columns))
            for part in columns[0][0]]


def absent_classes(class_iou: Mapping[str, float | None]) -> str:
    """A sentence on the classes that are neither in the labels nor predicted."""
    absent = [name for name, iou in class_iou.items() if iou is None]
    return (f"Absent from truth and prediction, and in no mean: {', '.join(absent)}."
            if absent else "Every class occurs.")


def deviation_list(numbers: Iterable[int]) -> str:
    """The deviations with these numbers, as a Markdown list."""
    texts = {item.number: item.text for item in DEVIATIONS}
    return "\n".join(f"- **{number}** {texts[number]}" for number in numbers)


def _plan(stages: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{stride}/{rate}" for stride, rate in stages)


def _variant_facts(row: Row) -> list[tuple[str, str]]:
    """What a row of the paper's tables varies, as far as it does; nothing of another row."""
    if not isinstance(row, PaperRow):
        return []
    variant = row.variant
    facts = [("Table of the paper", f"{row.table}: {row.what}"),
             ("Multi-Grid", ", ".join(map(str, variant.multi_grid)))]
    if row.copies is None:
        facts += [("image-level branch", "yes" if variant.image_level else "no")]
    elif row.copies:
        facts += [(f"stride/rate of blocks 5 to {variant.blocks}",
                   _plan(cascade_plan(row.output_stride, row.copies)))]
    stride = variant.eval_output_stride or row.output_stride
    scales = ", ".join(f"{scale:g}" for scale in variant.scales)
    return [*facts, ("training shared with", row.trained_as or "none"),
            ("evaluated at", f"output stride {stride}, scales {scales}"
             + ", mirrored too" * variant.flip),
            ("resolution of the loss", "features" if variant.label_downsampled else "full"),
            ("BatchNorm of the backbone", "trained" if variant.train_norm else "frozen")]


def _pair(pair: tuple[int, int]) -> str:
    return f"{pair[0]} x {pair[1]}"


def _cells(config: RunConfig) -> str:
    return _pair(tuple(-(-side // config.row.output_stride) for side in config.crop))


def _rates(config: RunConfig) -> str:
    rates = profile_rates(config.row, PROFILES[config.profile.name])
    return ", ".join(map(str, rates)) or "no pyramid"
