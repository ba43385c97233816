"""From a network to a trained one.

Reading order: `recipe` (loss, optimiser, learning rate), `loop`, `checkpoint`, `signals`,
`pretrain` (the demo's miniature ImageNet).
"""
