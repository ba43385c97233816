"""Results into table and page: `results` (read), `report` (write), `html`.

`colour` and `baseline` say what colour alone would score.
"""
