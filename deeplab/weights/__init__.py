"""Weights: `files` (read, write), `safety` (refuse), `published` (fetch), `export`, `fused`."""
