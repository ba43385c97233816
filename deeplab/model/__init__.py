"""DeepLabV3 in the paper's order; read the modules so.

`atrous` (Eq. (1)), `backbone` (output stride, Multi-Grid), `aspp` (the pyramid), `network` (the
whole, and the network of a row), `weights` (the same weights under other names). Then `cascade`
(the paper's other network). `weightfile` is an earlier name of `deeplab.weights.files`.
"""
