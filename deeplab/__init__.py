"""DeepLabV3, taught and reproduced.

Reading order: `errors` and `files` (the two habits every module keeps), then `model`,
`data`, `evaluation`, `training`, `table`, and `course` for the figures of the lessons.
Importing this package imports nothing heavy; torch is loaded by the modules that need it.
"""

__version__ = "1.0.0"
