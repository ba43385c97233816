"""The `deeplab` command: `main`, `rows`, `data`, `weights`, `results`; `options`; `doctor`."""
