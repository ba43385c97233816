"""Drawn twins: `scenes` (pictures), `twins` (files), `mark` (of each), `backbone` (pretraining)."""
