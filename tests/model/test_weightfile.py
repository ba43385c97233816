"""A script that imports the module by its earlier name gets the same functions."""

import pytest

from deeplab.weights import files


def test_the_earlier_name_leads_to_the_same_functions():
    from deeplab.model.weightfile import load_weights, save_weights
    assert save_weights is files.save_weights and load_weights is files.load_weights


def test_a_name_that_is_not_there_is_an_import_error():
    with pytest.raises(ImportError, match="nothing"):
        from deeplab.model.weightfile import nothing  # noqa: F401
