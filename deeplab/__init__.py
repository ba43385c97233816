"""DeepLabV3, taught and reproduced. The method is 17 files; read them in this order.

model/atrous          a kernel whose taps stand `rate` cells apart: Eq. (1)
model/backbone        a ResNet that trades stride for rate; output stride, Multi-Grid
model/aspp            the pyramid: five branches at several rates, and their projection
model/network         backbone, pyramid, classifier and auxiliary head; the network of a row
data/labelset         classes, colours, and what the values in a label file mean
data/images           decode an image or a label, or refuse it
data/catalog          the datasets, and one way to read them all
data/resample         an image or a label at another size
data/distortion       brightness, contrast and colours of a training image
data/augment          the recipe's augmentation: size, crop, flip, distortion, padding
data/sampling         which images a step sees, as a function of seed and epoch
training/recipe       loss, optimiser and the poly schedule
training/loss         cross-entropy of upsampled logits in little memory
training/loop         steps, evaluations on a schedule, checkpoints
evaluation/metrics    confusion matrix, IoU of each class, mIoU
evaluation/upsample   from feature resolution to the image's own, and to a prediction
evaluation/inference  whole image or sliding window, several scales, mirrored

Beside them stand what the 17 lean on when needed (`data/layout`, `support/pack`,
`training/checkpoint`, …), and the other rooms: each `__init__` says what its room is for.
Importing this package imports nothing heavy; torch is loaded by the modules that need it.
"""

__version__ = "1.0.0"
