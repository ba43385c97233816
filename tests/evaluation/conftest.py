"""The reference weights are made by a helper that lies with the tests of the model."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "model"))
