"""Options that several commands share; those of a run follow from `deeplab.runs.parameters`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from deeplab.runs.parameters import PARAMETERS, option_name
from deeplab.support.folders import absolute, data_folder, results_folder
from deeplab.support.plain import printable


def say(text: object, *, err: bool = False) -> None:
    """Print a text that may hold names of strangers: no command for a terminal is among them."""
    click.echo(printable(text, keep="\n\t"), err=err)


class AbsolutePath(click.Path):
    """A path, made absolute from the folder that one stands in."""

    def convert(self, value: Any, *where: Any) -> Path:
        """The absolute path; fails as `click.Path` does."""
        return absolute(super().convert(value, *where))


def option(name: str, **changes: Any) -> Callable:
    """The option of the run parameter `name`; `changes` are those of `click.option`."""
    item = PARAMETERS[name]
    rules, kind = item.metadata, item.type.partition(" | ")[0]
    none = f"  [default: {rules['none']}]" if rules["none"] else ""
    settings = {"help": rules["text"] + none, "default": item.default,
                "show_default": item.default is not None}
    if kind == "bool":
        settings |= {"is_flag": True, "show_default": False}
    else:
        settings |= {"metavar": rules["metavar"],
                     "type": AbsolutePath() if kind == "Path" else {"int": int}.get(kind, str)}
    return click.option(option_name(name), name, **settings | changes)


def run_options(*without: str) -> Callable:
    """All options of a run but those of the parameters `without`, on one command."""
    def add(command: Callable) -> Callable:
        for name in reversed(PARAMETERS):
            if name not in ("row_id", *without):
                command = option(name)(command)
        return command
    return add


PROFILE, DATA_ROOT, RESULTS = option("profile"), option("data_root"), option("results_root")
# for commands that read a folder, where those of a run leave it to the run
DATA_FOLDER = option("data_root", default=data_folder)
RESULTS_FOLDER = option("results_root", default=results_folder)
DEVICE = option("device")
WEIGHTS_PROFILE = click.option("--profile", metavar="NAME",
                               help="size of the network  [default: what the file says, or full]")
AGAIN = click.option("--again", is_flag=True,
                     help="set aside what no longer fits code or data, and make it anew")
