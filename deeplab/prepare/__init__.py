"""From official archives to the tree that the catalogue reads.

`prepare` (the steps), `sources` (where from), `archives` (unpack), `sbd` and `context` (labels
that must be made), `verify` (decode everything, notice changes).
"""
