"""From official archives to the tree that the catalogue reads.

`prepare` (the steps), `sources` (where from), `archives` and `tar_stream` (unpack), `sbd` and
`context` (labels that must be made); `add`, `look`, `class_file` and `colour_masks` (a folder of
one's own); `verify`, `manifest` and `suspect` (decode everything, notice changes and what cannot
be right).
"""
