"""Exercise checks, one module per lesson: `from deeplab.course.checks import atrous`."""
