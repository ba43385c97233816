"""DeepLabV3 in the paper's order; read the modules so.

`atrous` (Eq. (1)), `backbone` (output stride, Multi-Grid), `aspp` (the pyramid), `network`
(the whole, and the network of a row). Then `cascade` (the paper's other network).
"""
