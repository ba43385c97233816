"""Results into table and page: `results` (read), `report` (write), `details` (row by row), `html`.

`page` is what both pages share; `paper` sets the paper's own tables beside results, and `effects`
judges each ingredient. `compare` sets two results beside each other; `colour` and `baseline` say
what colour alone would score.
"""
