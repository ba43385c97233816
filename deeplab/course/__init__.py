"""What the lessons call: a folder for each, and shared `exercise`, `quick` and `refresh`."""
