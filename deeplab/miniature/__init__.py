"""Drawn twins: `scenes` (pictures), `twins`, `stamp` (files), `mark`, `backbone` (training)."""
