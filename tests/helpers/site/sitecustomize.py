"""Imported by every Python process that a test starts: shrink the demo; see small_table.py."""

import os
import sys
from dataclasses import replace
from pathlib import Path

ROW = sys.orig_argv[sys.orig_argv.index("run") + 1] if "run" in sys.orig_argv[:-1] else None

IS_DEEPLAB = any(Path(word).name == "deeplab" for word in sys.orig_argv)

if IS_DEEPLAB and ROW:
    if "TEST_STARTS" in os.environ:
        with open(os.environ["TEST_STARTS"], "a") as file:
            file.write(f"{ROW}\n")
    row, _, point = os.environ.get("TEST_CRASH", "").partition("=")
    if row == ROW:
        os.environ["DEEPLAB_CRASH"] = point
rank, _, point = os.environ.get("TEST_RANK", "").partition("=")
if "deeplab.runs.rank" in sys.orig_argv and os.environ.get("RANK") == rank:
    os.environ["DEEPLAB_CRASH"] = point
IS_RANK = "deeplab.runs.rank" in sys.orig_argv and "RANK" in os.environ
if (IS_DEEPLAB and ROW or IS_RANK) and "TEST_QUICK" in os.environ:
    sys.path.append(str(Path(__file__).parents[1]))
    from small_table import quick_rows, slow_down

    quick_rows()
    if IS_RANK:
        slow_down()
elif any(word.startswith(("deeplab", "ipykernel")) for word in sys.orig_argv):
    from deeplab.profiles import PROFILES

    PROFILES["demo"] = replace(PROFILES["demo"], steps=8, batch_size=4, evaluations=2, shrink=15,
                               paper_steps=None)
    if "ipykernel_launcher" in sys.orig_argv and "TEST_PAUSE" in os.environ:
        sys.path.append(str(Path(__file__).parents[1]))
        from small_table import slow_down

        slow_down()
