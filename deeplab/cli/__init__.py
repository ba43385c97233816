"""The `deeplab` command: `main`, its groups `data` and `weights`, `rows`,
shared `options`, `doctor`."""
