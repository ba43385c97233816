"""Weights: `files` (read, write), `keys` (naming schemes), `published`, `export`, `fused`."""
