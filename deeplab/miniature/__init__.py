"""Drawn twins: `scenes` (pictures), `twins` and `stamp` (files), `mark`, `backbone` (pretraining)."""
