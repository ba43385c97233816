"""Results into table and page: `results` (read), `report` (write), `html`.

`compare` sets two results beside each other; `colour` and `baseline` say what colour alone would
score.
"""
