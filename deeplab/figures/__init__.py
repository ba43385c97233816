"""What `row.ipynb` draws (`run`, `tables`; `watch`: while it trains) and `report.ipynb` (`table`,
`order`, `published`, `gallery`, `spent`).

`gains` is for `paper.ipynb`.
`plots` is the vocabulary of all figures, the lessons' too; `numbers` writes classes into labels.
"""
