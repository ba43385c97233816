"""From a network to a trained one.

Reading order: `recipe` (optimiser, learning rate), `loss`, `loop`, `checkpoint`, `signals`,
`pretrain` (the demo's miniature ImageNet).
"""
