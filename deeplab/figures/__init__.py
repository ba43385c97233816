"""What `row.ipynb` draws (`run`, `tables`) and `report.ipynb` (`table`, `order`, `published`).

`plots` is the vocabulary of all figures, the lessons' too.
"""
