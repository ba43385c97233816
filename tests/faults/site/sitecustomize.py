"""Imported by every Python process that a test starts: shrink the demo profile."""

import sys
from dataclasses import replace

if not sys.argv or "pip" not in sys.argv[0]:
    from deeplab.profiles import PROFILES

    PROFILES["demo"] = replace(PROFILES["demo"], steps=8, batch_size=4, evaluations=2, shrink=15)
