"""What the lessons call: a folder each; shared `exercise`, `failed_cells`, `quick`,
`real_picture`, `refresh`.
"""
