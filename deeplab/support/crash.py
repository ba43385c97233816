"""Where a test may kill the process: named places at which a power cut would hurt most."""

import os
import signal


def crash_point(name: str) -> None:
    """Kill this process here if the test variable DEEPLAB_CRASH names this point.

    `DEEPLAB_CRASH=name:3` kills at the third visit. Used by the resume tests only; a
    named point is exact where a timed kill is only likely.
    """
    wanted = os.environ.get("DEEPLAB_CRASH", "")
    if not wanted or wanted.partition(":")[0] != name:
        return
    visits = int(os.environ.get("DEEPLAB_CRASH_VISITS", "0")) + 1
    os.environ["DEEPLAB_CRASH_VISITS"] = str(visits)
    if visits >= int(wanted.partition(":")[2] or 1):
        os.kill(os.getpid(), signal.SIGKILL)
