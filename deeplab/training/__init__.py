"""From a network to a trained one.

Reading order: `settings`, `recipe` (optimiser, learning rate), `loss`, `loop`, `session` (what the
loop trains and saves); `checkpoint`, `runlog`, `signals`, `failures` and `ranks` (several
processes) when they are needed.
"""
