"""Files of weights: `files` (read, write), `published` (fetch), `export`, `fused` (fast)."""
