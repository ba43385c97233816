"""How pixels that belong to no class are marked, in labels and in colour."""

IGNORE_INDEX = 255  # train id of a pixel that is neither trained nor scored
VOID_COLOUR = (224, 224, 192)  # RGB in an index image's palette: the VOC devkit's border
VOID_GREY = (192, 192, 192)  # RGB in every figure; far from all palettes
