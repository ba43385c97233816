"""Datasets: what they are, where they lie, how a training sample is made of them.

Reading order: `layout`, `labelset`, `images`, `pack`, `catalog` (what lies on disk),
`resample`, `distortion`, `augment` and `sampling` (what a training step sees).
"""
