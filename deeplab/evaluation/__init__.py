"""From logits to a score. Reading order: `metrics`, `upsample`, `inference`."""
