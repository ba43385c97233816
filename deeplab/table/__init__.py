"""The published table: `row` (what a row is), `rows` (which there are), `verdict` (on a run).

`paper` holds the rows of the paper's own tables, whose values stand in `paper.csv`.
"""
