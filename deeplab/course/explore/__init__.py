"""Things to play with: each a pure draw(values) -> Figure and a one-line widget."""
