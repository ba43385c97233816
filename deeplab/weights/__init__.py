"""Files of weights, on their way in and out.

`files` (read, write), `labels` (what they say of inputs and outputs), `safety` (refuse),
`published` (fetch), `extract` (out of training checkpoints), `export`, `fused`.
"""
