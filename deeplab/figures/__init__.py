"""What `row.ipynb` and `report.ipynb` draw; `plots` is the vocabulary of all figures."""
