"""The `deeplab` command: `main`, its groups `data` and `weights`, shared `options`, `doctor`."""
