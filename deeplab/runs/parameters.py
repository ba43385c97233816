"""The parameters of a run, each of them described once.

The options of `deeplab run` and `deeplab table`, the words of a command, the parameters of
`row.ipynb` and the check of all of them follow from the fields of `Parameters`. Nothing here
needs torch, so that `--help` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from deeplab.support.errors import UsageError, unknown
from deeplab.support.folders import absolute

BACKBONE_WEIGHTS = ("none", "miniature", "torchvision", "v1c")  # by name; all others are files
DEVICES = ("cpu", "cuda", "mps")
PRECISIONS = ("float32", "float16", "bfloat16")
KINDS = {"str": str, "int": int, "bool": bool, "Path": (str, Path)}


def parameter(text: str, *, default: Any = None, none: str | None = None, option: str = "",
              metavar: str = "N", least: int = 0, choices: tuple[str, ...] = (),
              is_file: bool = False) -> Any:
    """A field of `Parameters`: `text` says what it is, `none` what happens without it.

    `option` is its name at the command line where that is another, `metavar` what stands for
    its value there. Integers begin at `least`; a text is one of `choices` if there are any,
    or, with `is_file`, the path of a file.
    """
    return field(default=default, metadata={
        "text": text, "none": none, "option": option, "metavar": metavar, "least": least,
        "choices": choices, "is_file": is_file})


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a run is asked to do, as plain values; `checked` judges each of them."""

    row_id: str = parameter("a row of deeplab/table/rows.csv; `deeplab rows` lists them",
                            default="voc_r50_d8")
    profile: str = parameter(
        "demo: miniature data; small: real data, slim network; medium: short; full: recipe",
        default="demo", metavar="NAME")
    seed: int = parameter("decides order, augmentation and first weights", default=0)
    max_steps: int | None = parameter("stop early; the result is incomplete",
                                      none="the whole schedule", least=1)
    data_root: Path | None = parameter("folder that holds the dataset", metavar="DIR",
                                       none="data/ or $DEEPLAB_DATA")
    results_root: Path | None = parameter("where runs are written", option="results",
                                          none="results/ or $DEEPLAB_RESULTS", metavar="DIR")
    device: str | None = parameter(
        f"where it computes: {', '.join(DEVICES)} (mps: Apple's GPUs, not to train full)",
        none="demo on the CPU, others on CUDA if there is a GPU", metavar="NAME", choices=DEVICES)
    gpus: int | None = parameter("GPUs that share the batch of a row",
                                 none="one, if there is one", least=1)
    processes: int | None = parameter("the same with processes on the CPU, for tests and lessons",
                                      none="one", least=1)
    precision: str | None = parameter(
        f"of the network's maps in training: {', '.join(PRECISIONS)} (from Ampere on)",
        none="medium and full on CUDA float16, others float32", metavar="NAME", choices=PRECISIONS)
    batch: int | None = parameter(
        "images per step; the learning rate changes in proportion", option="batch-size", least=2,
        none="the row's, or the profile's")
    checkpoint_activations: bool = parameter(
        "compute the backbone's maps twice: half the memory, a third more time", default=False)
    workers: int | None = parameter("data loaders of each process",
                                    none="none on a CPU, up to 8 beside a GPU")
    backbone_weights: str | None = parameter(
        f"{', '.join(BACKBONE_WEIGHTS)} or a file", none="demo and small miniature, others v1c",
        metavar="NAME|FILE", choices=BACKBONE_WEIGHTS, is_file=True)
    tensorboard: bool = parameter(
        "write TensorBoard event files beside the log, which say no more than it", default=False)


PARAMETERS = {item.name: item for item in fields(Parameters)}


def option_name(name: str) -> str:
    """The option that gives parameter `name` at the command line, such as `--max-steps`."""
    return "--" + (PARAMETERS[name].metadata["option"] or name.replace("_", "-"))


def command_words(values: dict[str, Any]) -> list[str]:
    """The words of the `deeplab` command that runs a row with these parameters."""
    words = ["run", values["row_id"]]
    for name, value in values.items():
        if name != "row_id" and value is not None and value is not False:
            words += [option_name(name), *([] if value is True else [str(value)])]
    return words


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """The values of all parameters: as given, paths made absolute, or else the defaults.

    Raises `UsageError` (E-PARAMETER) for a name that there is not, a row that is not given and
    a value of a wrong type or range. papermill only warns of an unknown name, and runs.
    """
    for name in given:
        if name not in PARAMETERS:
            raise unknown("E-PARAMETER", "parameter", name, PARAMETERS)
    if "row_id" not in given:
        raise _wrong("row_id", None, "a row of the table")
    values = {name: _checked(name, given.get(name, item.default))
              for name, item in PARAMETERS.items()}
    if values["processes"] is not None and values["gpus"] is not None:
        raise _wrong("processes", values["processes"], "either gpus or processes, not both")
    serving = {"processes": (None, "cpu"), "gpus": (None, "cuda")}
    for name, devices in serving.items():
        if values[name] is not None and values["device"] not in devices:
            raise _wrong("device", values["device"], f"{devices[1]} with {name}")
    return values


def _checked(name: str, value: Any) -> Any:
    """The value of one parameter, a path absolute; raises `UsageError` (E-PARAMETER)."""
    item, rules = PARAMETERS[name], PARAMETERS[name].metadata
    kind, _, rest = item.type.partition(" | ")
    if value is None and rest == "None":
        return None
    is_right, expected = isinstance(value, KINDS[kind]) and value != "", "a folder"
    if kind == "int":
        is_right = is_right and not isinstance(value, bool) and rules["least"] <= value < 2**31
        expected = f"an integer from {rules['least']}"
    elif kind == "bool":
        expected = "True or False"
    elif kind == "str":
        is_right = is_right and (value in rules["choices"] or rules["is_file"]
                                 or not rules["choices"])
        expected = (", ".join(rules["choices"]) or "a name") + " or a file" * rules["is_file"]
    if not is_right:
        raise _wrong(name, value, expected + (f", or {rest}" if rest else ""))
    if kind == "Path":
        return absolute(value)
    return str(absolute(value)) if rules["is_file"] and value not in rules["choices"] else value


def _wrong(name: str, value: Any, expected: str) -> UsageError:
    return UsageError.of("E-PARAMETER", f"parameter {name!r} cannot be used", found=repr(value),
                         expected=expected, do=f"correct {name}")
