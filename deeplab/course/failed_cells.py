"""What an exercise means after its cell has failed: nothing, and not what it meant before.

A cell with a syntax error defines nothing, and the function of the run before would still be
there to be judged. So the shell is watched: when a cell fails before it has defined an attempt
(`def my_…` or `my_… =`), the name stands for that failure.
"""

import re
import sys
from typing import Any

ATTEMPT = re.compile(r"^(?:def\s+(my_\w+)|(my_\w+)\s*=(?!=))", re.M)


class FailedCell:
    """Stands for an attempt whose cell did not run; `reason` is a sentence for the learner."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Watch:
    """Replace, in a namespace, the attempts of a cell that failed before it defined them."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.before: dict[str, Any] = {}

    def begins(self, info: Any) -> None:
        """Remember what the names mean that the cell is about to define."""
        names = ["".join(pair) for pair in ATTEMPT.findall(info.raw_cell or "")]
        self.before = {name: self.namespace.get(name) for name in names}

    def ends(self, result: Any) -> None:
        """After a failure, let a name that the cell has not defined stand for the failure."""
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            line = getattr(error, "lineno", None)
            where = f", line {line}" if line else ""
            failed = FailedCell(f"Its cell did not run ({type(error).__name__}{where}), so that "
                                "there is nothing to judge. Mend the cell and run it again.")
            for name, meant in self.before.items():
                if self.namespace.get(name) is meant:
                    self.namespace[name] = failed
        self.before = {}


def watch_cells() -> None:
    """Watch the cells of the notebook that this is called in; elsewhere do nothing."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or getattr(shell, "deeplab_watch", None):
        return
    shell.deeplab_watch = watch = Watch(shell.user_ns)
    shell.events.register("pre_run_cell", watch.begins)
    shell.events.register("post_run_cell", watch.ends)
