"""The published table and our runs of it.

Reading order: `rows`, `config`, `experiment` (one run as its notebook sees it), `run_row`,
`batch`, `results`, `fingerprint`, `report`.
"""
