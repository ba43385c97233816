"""Colour alone, on the twin of a run: nothing is drawn where a run's record says."""

import pytest

from deeplab.report import baseline
from deeplab.runs.config import RunConfig
from deeplab.support.files import write_json


@pytest.mark.parametrize("is_there", [True, False])
def test_a_twin_is_never_drawn_where_a_record_says(tmp_path, monkeypatch, is_there):
    config = RunConfig.of(row_id="context59_r50_d8", results_root=str(tmp_path / "results"),
                          data_root=str(tmp_path / "elsewhere"))
    write_json(config.folder / "run.json", {"parameters": config.parameters})
    asked = []

    def whole(folder):
        asked.append(folder)
        return is_there
    monkeypatch.setattr(baseline, "is_whole", whole)
    monkeypatch.setattr(baseline, "colour_miou", lambda experiment: experiment.config.data_root)
    (_, root, row_id, miou), = baseline.colour_shares([
        {"folder": config.folder, "dataset": "context59", "row_id": config.row_id, "miou": 1.0}])
    assert asked == [tmp_path / "elsewhere/context"] and (row_id, miou) == (config.row_id, 1.0)
    assert root == (tmp_path / "elsewhere" if is_there else None)
