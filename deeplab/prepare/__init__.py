"""From official archives to the tree that the catalogue reads.

`prepare` (the steps), `sources` (where from), `archives` (unpack), `sbd` and `context` (labels
that must be made), `verify` and `suspect` (decode everything, notice changes and what
cannot be right).
"""
