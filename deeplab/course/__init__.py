"""What the lessons call: a folder each; shared `exercise`, `failed_cells`, `quick`,
`real_picture`, `refresh`, and `counting` for cells that would be silent for long.
`explorer_page` is the page of an explorer that needs no kernel, `switches` of one that does.

`claims` are the words of a lesson that come from its outputs, `glossary` holds its terms to a link
at their first use, and `paper_effects` shows what one ingredient of the paper was worth in the
demo.
"""
