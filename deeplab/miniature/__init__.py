"""Drawn twins of the datasets: `scenes` (pictures), `twins` (files), `backbone` (pretraining)."""
