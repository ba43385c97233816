"""Datasets: what they are, where they lie, how a training sample is made of them.

Reading order: `labelset`, `images`, `catalog` (what lies on disk), `resample`, `distortion`,
`augment`, `sampling` (what a training step sees); `root` and `layout` (folder trees) and
`colours` (labels to look at) when they are needed.
"""
