"""One form for everything that can go wrong, and the exit code that goes with it.

Every error that a user can cause reads the same way::

    E-LABEL value not allowed in a label image
      file: VOCdevkit/VOC2012/SegmentationClassAug/2008_000123.png
      found: 38 (12 pixels)   expected: 0..20 and 255
      do: re-export the label as an index image

The class says who has to act and carries the exit code of the command line.
"""

import difflib
from collections.abc import Iterable
from typing import TypeVar

from deeplab.support.plain import printable

NEW_LINE = "\n"  # that which is found may have several lines
E = TypeVar("E", bound="DeeplabError")


class DeeplabError(Exception):
    """An error with a clear text; `exit_code` is what the command line returns for it.

    Takes exactly one string, because a DataLoader worker rebuilds an exception from a
    single argument and would turn any richer signature into a bare RuntimeError.
    """

    exit_code = 1

    @classmethod
    def of(cls: type[E], code: str, what: str, *, file: object = None, found: object = None,
           expected: object = None, do: str | None = None) -> E:
        """The error with the standard text: code and summary, file, found/expected, action."""
        lines = [f"{code} {printable(what)}"]
        if file is not None:
            lines.append(f"  file: {printable(file)}")
        pair = [f"{name}: {printable(value, keep=NEW_LINE)}" for name, value in (
            ("found", found), ("expected", expected)) if value is not None]
        if pair:
            joined = "   ".join(pair)
            lines.append("  " + (joined if len(joined) <= 100 else "\n  ".join(pair)))
        if do is not None:
            lines.append(f"  do: {do}")
        return cls("\n".join(lines))

    @property
    def code(self) -> str:
        """The short code the text begins with, such as `E-LABEL`."""
        return str(self).split(" ", 1)[0]

    @property
    def line(self) -> str:
        """The error in one line, for a list of several: without what is to be done."""
        lines = [line.strip() for line in str(self).partition("\n  do: ")[0].splitlines()]
        return "; ".join(filter(None, lines))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the text alone, which says what to do, and no frames."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(DeeplabError, ValueError):
    """A wrong name, parameter or configuration."""

    exit_code = 2


class DataError(DeeplabError, ValueError):
    """A dataset, image or label that is missing, damaged or not what it should be."""

    exit_code = 3


class CheckpointError(DeeplabError):
    """A weight file or checkpoint that does not fit or cannot be trusted."""

    exit_code = 4


class ResourceError(DeeplabError):
    """Not enough disk or memory."""

    exit_code = 5


class DivergedError(DeeplabError):
    """The loss or a weight is no longer finite."""

    exit_code = 6


class LockedError(DeeplabError):
    """Another process is writing this run."""

    exit_code = 7


class Stopped(DeeplabError):
    """The run was asked to stop; it has saved its state and the same command resumes it."""

    exit_code = 75


class KernelDied(DeeplabError):
    """The notebook's kernel ended without a word (killed, out of memory, crashed)."""

    exit_code = 138


def unknown(code: str, kind: str, name: object, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, with the nearest ones that do."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    return UsageError.of(code, f"there is no {kind} {name!r}", found=repr(name),
                         expected=", ".join(near if near and len(known) > 6 else known),
                         do=f"did you mean {near[0]!r}?" if near
                         else f"choose a {kind} that exists")
