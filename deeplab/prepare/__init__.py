"""From official archives to the tree that the catalogue reads, and `verify`."""
