"""From a network to a trained one.

Reading order: `recipe` (optimiser, learning rate), `loss`, `loop`; `checkpoint`, `runlog`,
`signals`, `failures` and `ranks` (several processes) when they are needed.
"""
