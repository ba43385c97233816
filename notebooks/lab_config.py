"""JupyterLab's settings for the course, which `make lab` hands over.

JupyterLab writes the version of its Python into every notebook that it saves. What was only read
shall stay as it is in git, so the notebook keeps the metadata that it has on the disk.
"""

import json
from pathlib import Path


def keep_metadata(model, path, contents_manager, **_):
    """Called before a file is saved: a notebook that exists keeps its own metadata."""
    file = Path(contents_manager.root_dir, path.strip("/"))
    if model["type"] == "notebook" and file.is_file():
        model["content"]["metadata"] = json.loads(file.read_text(encoding="utf-8"))["metadata"]


c.ContentsManager.pre_save_hook = keep_metadata  # noqa: F821 (`c` is given by Jupyter)
