"""Files of weights, on their way in and out.

`files` (read, write), `labels` (what they say of inputs and outputs), `safety` (refuse),
`published` (fetch), `shipped` (what comes with the package), `extract` (out of training
checkpoints), `export`, `fused`.
"""
