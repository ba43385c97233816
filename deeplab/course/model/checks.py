"""Checks of lesson 6: parts assembled, a convolution's cost, torchvision's names, a profiler."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP as TorchvisionASPP

from deeplab.course.exercise import exercise, judged
from deeplab.course.model.profiled import Odd, calls, counted, wrong_counts
from deeplab.evaluation.upsample import upsampled
from deeplab.model.aspp import ASPP
from deeplab.model.atrous import field_of_view
from deeplab.model.network import DeepLabV3
from deeplab.table.row import BASE_RATES

TORCHVISION = {"convs.0.": "point.", "convs.1.": "atrous.0.", "convs.2.": "atrous.1.",
               "convs.3.": "atrous.2.", "convs.4.1.": "image_pooling.0.",
               "convs.4.2.": "image_pooling.1.", "project.": "project."}  # their prefix: ours


@exercise("6.1", "Three calls and one bilinear step: that is DeepLabV3.")
def check_full_size_logits(attempt: Callable[[DeepLabV3, Tensor], Tensor]) -> str | None:
    """Compare `attempt(model, image)` with the upsampled logits of a small network."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        model = DeepLabV3(num_classes=5, depth=50, output_stride=16, atrous_rates=(1, 2, 3),
                          width=1 / 8).eval()
        image = torch.randn(2, 3, 49, 65)
        logits, called = model(image), []
        model.forward = lambda given: called.append(given) or logits
        got, logits = attempt(model, image.clone()), logits.main
        aux = model.aux_classifier(model.backbone(image).conv4)
    wanted, size = upsampled(logits, 49, 65), (49, 65)
    if called:
        return "That calls the network, `model(image)`. Call its parts one after the other."
    if not isinstance(got, Tensor):
        return f"Expected a tensor of logits (2, 5, 49, 65); got {type(got).__name__}."
    if got.shape == logits.shape:
        return (f"{tuple(got.shape)} is one score per cell. Upsample to the image's height and "
                "width, bilinearly.")
    if got.shape == (2, *size):
        return "That is a prediction, one class per pixel; give the scores of all 5 classes."
    if got.shape != wanted.shape:
        return f"Expected logits {tuple(wanted.shape)}; got {tuple(got.shape)}."
    return judged(got, wanted, (
        (upsampled(aux, *size), "Those are the auxiliary head's logits, from conv4. It helps "
                                "in training; the answer comes from conv5 through ASPP."),
        (F.interpolate(logits, size, mode="bilinear", align_corners=True),
         "align_corners=True pins the corner cells to the corner pixels; every published "
         "row was trained with False."),
        (F.interpolate(logits, size), "Nearest neighbour repeats each cell; interpolate with "
                                      "mode='bilinear'."),
        (upsampled(logits.softmax(1), *size), "Softmax came first. Upsample the logits "
                                              "themselves.")),
        "Right shape, wrong values. Order: backbone, aspp, classifier, upsampled.", near=1e-5)


@exercise("6.2", "The rate is free; the size of the output map is what you pay for.")
def check_conv_macs(attempt: Callable[[nn.Conv2d, int, int], int]) -> Iterator[str | None]:
    """Compare `attempt(conv, height, width)` with a convolution that is really run."""
    for kernel, stride, rate in ((1, 1, 1), (3, 1, 1), (3, 1, 6), (3, 2, 1)):
        height, width = 13, 20
        with torch.random.fork_rng(devices=[]):
            conv = nn.Conv2d(8, 12, kernel, stride=stride, padding=rate * (kernel // 2),
                             dilation=rate, bias=False)
        rows, columns = conv(torch.zeros(1, 8, height, width)).shape[-2:]
        got, wanted = attempt(conv, height, width), rows * columns * conv.weight.numel()
        case = f"{kernel}x{kernel}, 8 -> 12 channels, stride {stride}, rate {rate}: "
        if got is None:
            yield f"{case}expected a number of multiply-adds; got None."
        cells = rows * columns
        yield judged(got, wanted, (
            (height * width * conv.weight.numel(), f"the map that comes out has {rows} x {columns} "
             f"cells, not {height} x {width}; each of them is computed, no others."),
            (cells * 8 * 12 * field_of_view(kernel, rate) ** 2,
             "the holes of an atrous kernel are not computed: nine taps at any rate."),
            ((height // stride) * (width // stride) * conv.weight.numel(), "you rounded the size "
             "of the map down; a row or column left over has its cells too: round up."),
            (wanted * rate ** 2, "the rate moves the taps apart and adds none: nine at any rate."),
            (cells * 8 * 12 * kernel, "the kernel has two axes."),
            (cells * 12 * kernel ** 2, "each output reads all 8 channels of the input."),
            (cells * 8 * kernel ** 2, "there are 12 output channels to compute."),
            (conv.weight.numel(), "these are the weights; each is used at every output cell."),
            (2 * wanted, "those are flops; a multiply-add counts once here.")),
            f"got {got:,}, expected {wanted:,}: {cells} cells come out, and each uses all "
            f"{conv.weight.numel()} weights once.", case=case, near=0)


@exercise("6.3", "With its weights renamed, torchvision's pyramid and ours give one map.")
def check_our_name(attempt: Callable[[str], str]) -> str | None:
    """Compare `attempt(key)` for all keys of torchvision's ASPP; then compare the outputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs, x = TorchvisionASPP(6, BASE_RATES, out_channels=8).eval(), torch.randn(1, 6, 9, 11)
        ours = ASPP(c_in=6, c_out=8, atrous_rates=BASE_RATES, project_kernel=1).eval()
    renamed: dict[str, Tensor] = {}
    for key, value in theirs.state_dict().items():
        prefix = next(prefix for prefix in TORCHVISION if key.startswith(prefix))
        got, wanted = attempt(key), TORCHVISION[prefix] + key.removeprefix(prefix)
        if not isinstance(got, str):
            return f"{key}: expected a name; got {got!r}."
        if got != wanted:
            return f"{key} became {got}. " + _name_hint(got, wanted, ours)
        renamed[got] = value
    ours.load_state_dict(renamed)
    with torch.inference_mode():
        same = torch.allclose(ours(x), theirs(x), atol=1e-5)
    return None if same else "The names are right, and still the maps differ."


def _name_hint(got: str, wanted: str, ours: ASPP) -> str:
    """Why a name is not the one that was wanted."""
    if got not in ours.state_dict():
        return "Our ASPP has no weight of that name; print its state_dict()."
    if got.startswith("atrous.") and wanted.startswith("atrous."):
        return ("That loads, for the shapes agree, but at another rate. Theirs counts the 1x1 "
                "branch as convs.0; ours counts the rates from atrous.0.")
    if wanted.startswith("image_pooling."):
        return ("Their image branch begins with the pooling, which has no weights: its "
                "convolution is number 1 and its BatchNorm number 2.")
    return f"That place is for another weight; expected {wanted}."


@exercise("6.4", "It counts any network of convolutions, and leaves it as it was.")
def check_profile(attempt: Callable[[nn.Module, Tensor], dict[str, int]]) -> Iterator[str | None]:
    """Compare `attempt(model, image)` with the calls that an odd network makes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, image = Odd().train(), torch.randn(3, 3, 15, 20)
    model.body[1].eval()  # frozen, as one that is fine-tuned may be
    modes = [layer.training for layer in model.modules()]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = calls(model, image)
    wanted = counted(found)
    got = attempt(model, image.clone())
    if not isinstance(got, dict):
        yield f"Expected a dictionary, name: multiply-adds; got {type(got).__name__}."
    foreign = [key for key in got if key not in dict(model.named_modules())]
    if foreign and len(foreign) == len(got):
        key = foreign[0] if isinstance(foreign[0], str) else type(foreign[0]).__name__
        yield f"{key} is no layer's name. The keys are those that named_modules() gives."
    for name in wanted:
        if name not in got:
            yield (f"{name} is missing: {type(model.get_submodule(name)).__name__}"
                   + (", the network's own name for it; named_modules() gives it." if "." in name
                      else ". Convolutions and linear layers both multiply."))
    if "unused" in got:
        yield "`unused` is never called and costs nothing; leave out what does not run."
    for name in got:
        if name not in wanted:
            yield f"{name} is neither a Conv2d nor a Linear layer."
    if any(layer._forward_hooks for layer in model.modules()):
        yield ("The numbers are in, but the network still carries your hooks: each later pass "
               "would count on. Keep what register_forward_hook gives, and remove() it.")
    if any(not torch.equal(before[key], value) for key, value in model.state_dict().items()):
        yield "The pass has changed the running statistics of BatchNorm. Measure in eval mode."
    if not model.training:
        yield "The network was in training mode and now is not. Put it back."
    if [layer.training for layer in model.modules()] != modes:
        yield ("One BatchNorm was frozen, in eval mode within a network that trains, and is so no "
               "more: `train()` reaches every layer. Note the mode of each, and put it back.")
    wrong = next((name for name in wanted if got[name] != wanted[name]), None)
    yield judged(list(got.values()), list(wanted.values()), (
        (list(counts.values()), sentence) for counts, sentence in wrong_counts(found, len(image))),
        f"{wrong}: {got[wrong]:,} are not what one image needs there. How many numbers come out, "
        "and how many products does each of them sum?" if wrong else
        f"Expected the order of the calls, {list(wanted)}; got {list(got)}.", near=0)
    with torch.random.fork_rng(devices=[]):
        stages = DeepLabV3(num_classes=5, depth=50, output_stride=16, atrous_rates=(1, 2, 3),
                           width=1 / 16).eval()
    again = attempt(stages, torch.zeros(1, 3, 65, 65))
    yield judged(sum(again.values()), sum(counted(calls(stages, torch.zeros(1, 3, 65, 65)))
                                          .values()), (), "The odd network is counted rightly, "
                 "but not a DeepLabV3. Does anything in your code know its layers by name?")
