"""Probes of notebook 3, convolutional networks.

Models start from random weights, so probes set them to fixed values first, batch norm's running statistics among them. What stands
between the layers is judged from what goes into each layer and comes out of it, so any order and any spelling of the rest will do.
"""

import itertools
import math
import re

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from dlcourse.checks.observe import gradient, raised, unanswered, watch
from dlcourse.checks.probe import probe
from dlcourse.checks.watch import CONVOLUTIONS, POOLINGS

SHAPE = re.compile(r"[(\[]\s*\d+(?:\s*,\s*\d+)*\s*,?\s*[)\]]")


def spread(shape, seed: float) -> torch.Tensor:
    """Float64 numbers in [-1, 1] without a visible pattern, the same on every machine."""
    count = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
    return torch.sin(1.7 * count + 0.013 * count**2 + seed).reshape(tuple(shape))


def close(one, other, tolerance: float = 1e-4) -> bool:
    """Whether two tensors agree in shape and, within a tolerance, in values."""
    if not isinstance(one, torch.Tensor) or one.shape != other.shape:
        return False
    one, other = one.double(), other.double()
    return bool(((one - other).abs() <= tolerance * other.abs().clamp(min=1.0)).all())


# --- conv_output_size --------------------------------------------------------------------------------------------------------------


@probe
def output_sizes(answer, calls):
    """The size, or the name of the exception, for each call: positional arguments, then arguments by name."""
    sizes, whole = [], True
    for positional, named in calls:
        found = []

        def call(positional=positional, named=named, found=found):
            found.append(answer.conv_output_size(*positional, **named))

        name = raised(call)
        sizes.append(found[0] if found else name)
        whole = whole and (not found or (isinstance(found[0], int) and not isinstance(found[0], bool)))
    return {"sizes": sizes, "each size is an int": whole}


# --- conv2d ------------------------------------------------------------------------------------------------------------------------

FORBIDDEN = (
    *CONVOLUTIONS,
    "im2col",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose3d",
    "convolution_backward",
    "conv_depthwise2d",
)


def mixed(output: torch.Tensor) -> torch.Tensor:
    """A scalar to which every entry of an output contributes differently."""
    return (output * spread(output.shape, 2.0).to(output.dtype)).sum()


def scattered(tensor: torch.Tensor) -> torch.Tensor:
    """The same values, not contiguous in memory."""
    return tensor.transpose(0, -1).contiguous().transpose(0, -1)


@probe
def convolve(answer, x, weight, bias=None, options=None, contiguous=True):
    """Output, gradients, and the forbidden calls that ran."""
    x = (x if contiguous else scattered(x)).requires_grad_()
    weight = weight.requires_grad_()
    inputs = [x, weight] if bias is None else [x, weight, bias.requires_grad_()]
    with watch(*FORBIDDEN) as calls:
        output = answer.conv2d(*inputs, **(options or {}))
    names = " and ".join(["x", "weight", "bias"][: len(inputs)])
    seen = {"output": output, "forbidden calls": [{"im2col": "F.unfold"}.get(name, name) for name in calls.banned]}
    if isinstance(output, torch.Tensor):
        seen[f"gradients of {names}"] = gradient(mixed(output), *inputs)
    return seen


def judge_channels(observation, shapes):
    """Which exception came, and whether its message holds both shapes."""
    name, message = observation["raised"]
    found = [[int(number) for number in re.findall(r"\d+", match.group())] for match in SHAPE.finditer(message)]
    return {"raises": name, "the message holds both shapes": all(shape in found for shape in shapes)}


@probe(judge=judge_channels)
def convolve_channels(answer, x, weight):
    """The exception for an input and a weight that differ in channels."""
    message = [""]

    def call():
        try:
            answer.conv2d(x, weight)
        except Exception as error:
            message[0] = str(error)
            raise

    return {"raised": [raised(call), message[0]]}


# --- pooling -----------------------------------------------------------------------------------------------------------------------

FORBIDDEN_POOLINGS = (
    *POOLINGS, "adaptive_avg_pool1d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool3d", "mkldnn_max_pool2d",
    "mkldnn_adaptive_avg_pool2d", "fractional_max_pool2d", "fractional_max_pool2d_with_indices", "max_pool3d_with_indices",
    "max_pool1d_with_indices", "lp_pool1d", "quantized_max_pool2d",
)  # fmt: skip


@probe
def pooled(answer, name, x, options, contiguous=True):
    """Output of one of the two functions, and the forbidden calls that ran."""
    with watch(*FORBIDDEN_POOLINGS) as calls:
        output = getattr(answer, name)(x if contiguous else scattered(x), **options)
    return {"output": output, "forbidden calls": calls.banned}


# --- what runs in a model ----------------------------------------------------------------------------------------------------------


class _Ear(TorchFunctionMode):
    """Notes every convolution and every linear layer that runs, with what goes in and what comes out."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        if getattr(function, "__name__", "") in ("conv2d", "linear"):
            x, weight = [*args, *(kwargs or {}).values()][:2]
            entry = {"weight": list(weight.shape), "input": x, "output": output}
            self.heard.append(
                {name: value.detach().clone() if name != "weight" else value for name, value in entry.items()}
            )
        return output


def run_and_listen(model, x):
    """The output of a model, and its layers in the order in which they ran."""
    with torch.no_grad(), _Ear() as ear:
        output = model(x)
    return output, ear.heard


def in_words(entry) -> str:
    """A layer as text; a convolution that sees a whole map and leaves one number is a dense layer."""
    weight, size = entry["weight"], list(entry["output"].shape[2:])
    if len(weight) == 2:
        return f"dense, {weight[1]} to {weight[0]}"
    if size == [1, 1] and list(entry["input"].shape[2:]) == weight[2:]:
        return f"dense, {math.prod(weight[1:])} to {weight[0]}"
    kernel, size = "x".join(map(str, weight[2:])), "x".join(map(str, size))
    return f"convolution {kernel}, {weight[1]} to {weight[0]} channels, maps of {size}"


def steps_between(before, after, steps: dict) -> str:
    """Which of `steps` (name -> function) lead from one layer's output to the next one's input, in any order; most steps first."""
    for count in range(len(steps), -1, -1):
        for names in itertools.combinations(steps, count):
            for order in itertools.permutations(names):
                got = before
                for name in order:
                    got = steps[name](got)
                if arrives(got, after):
                    return ", ".join(names) or "nothing"
    return "something else"


def arrives(got, after) -> bool:
    """Whether the next layer gets just this, perhaps flattened in another order."""
    if after.ndim == 2 and got.ndim == 4:
        got = got.flatten(1)
        return close(after, got) or (after.shape == got.shape and close(after.sort(1).values, got.sort(1).values))
    return close(
        after.reshape(got.shape) if after.numel() == got.numel() and after.ndim == got.ndim + 2 else after, got
    )


def ending(logits, last) -> str:
    """What the last layer's output has become."""
    z = last.flatten(1)
    ends = {
        "raw logits": z, "softmax of them": z.softmax(1), "log-softmax of them": z.log_softmax(1), "sigmoid of them": z.sigmoid(),
        "ReLU of them": z.relu(),
    }  # fmt: skip
    return next((name for name, right in ends.items() if close(logits, right)), "something else")


POOLS = {"max pooling": lambda x: F.max_pool2d(x, 2), "average pooling": lambda x: F.avg_pool2d(x, 2)}


def between_in_words(before, after, steps: dict) -> str:
    """As `steps_between`, with max pooling, or else average pooling, as one of the steps."""
    words = steps_between(before, after, {**steps, "max pooling": POOLS["max pooling"]})
    if words == "something else":
        words = steps_between(before, after, {**steps, "average pooling": POOLS["average pooling"]})
    return words


# --- cnn_model ---------------------------------------------------------------------------------------------------------------------

CNN_NAMES = ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "fc1", "fc2")


def norm_values(features: int, seed: float) -> list[torch.Tensor]:
    """Weight, bias, running mean and running variance of a batch norm, far from what they start as."""
    offsets = [0.4, 0.0, 0.0, 1.0]
    scales = [1.0, 0.5, 0.3, 0.7]
    return [
        (offset + scale * spread((features,), seed + n)).float()
        for n, (offset, scale) in enumerate(zip(offsets, scales))
    ]


@torch.no_grad()
def settle_norm(norm, seed: float) -> None:
    """Fixed values for one batch norm."""
    for name, value in zip(("weight", "bias", "running_mean", "running_var"), norm_values(norm.num_features, seed)):
        if getattr(norm, name, None) is not None:
            getattr(norm, name).copy_(value)
    norm.eps = 1e-5


@torch.no_grad()
def settle_layer(layer, seed: float, gain: float = 1.5) -> None:
    """Fixed weights, and biases where there are any."""
    layer.weight.copy_(gain * spread(layer.weight.shape, seed) / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        layer.bias.copy_(0.3 * spread(layer.bias.shape, seed + 0.5))


def images_of(options: dict, batch: int, seed: float) -> torch.Tensor:
    size = options.get("image_size", 28)
    return spread((batch, options.get("in_channels", 1), size, size), seed).float()


@probe
def cnn_shapes(answer, options, batch):
    """Number of parameters and shape of the logits, or that the batch does not fit."""
    model = answer.CNN(**options).eval()
    try:
        with torch.no_grad():
            shape = list(model(images_of(options, batch, 0.0)).shape)
    except (RuntimeError, ValueError, IndexError) as error:
        if unanswered(error):
            raise
        return {"shape of the logits": "none: the images do not fit the layers"}
    return {"shape of the logits": shape, "number of parameters": sum(entry.numel() for entry in model.parameters())}


def zero_padded(entry) -> bool:
    """Whether a 3x3 convolution's input, where it was padded before, was padded with zeros."""
    x, height, width = entry["input"].clone(), *entry["output"].shape[2:]
    if list(x.shape[2:]) != [height + 2, width + 2]:
        return True
    x[:, :, 1:-1, 1:-1] = 0
    return not x.any()


def judge_cnn(observation, layers, seed):
    """The layers that ran, and what stands between them."""
    heard = observation["heard"]
    facts = {
        "attributes that are missing": observation["missing"],
        "layers that ran": [in_words(entry) for entry in heard],
    }
    if facts["layers that ran"] != layers:
        return facts
    facts["around images and maps stand"] = "zeros" if all(map(zero_padded, heard[:3])) else "other numbers than zeros"
    for number, (entry, following) in enumerate(zip(heard[:3], heard[1:]), start=1):
        weight, bias, mean, var = norm_values(entry["weight"][0], seed + 10 * number)
        norm = lambda x, values=(mean, var, weight, bias): F.batch_norm(x, *values, eps=1e-5)  # noqa: E731
        steps = {"batch norm": norm, "ReLU": F.relu}
        facts[f"after conv{number}"] = between_in_words(entry["output"], following["input"], steps)
    facts["after fc1, in evaluation mode"] = steps_between(heard[3]["output"], heard[4]["input"], {"ReLU": F.relu})
    facts["the output is"] = ending(observation["logits"], heard[4]["output"])
    return facts


@probe(judge=judge_cnn)
def cnn_layers(answer, options, batch, seed):
    """What goes into each layer and comes out of it, in evaluation mode, with fixed weights and running statistics."""
    model, x = answer.CNN(**options).eval(), images_of(options, batch, seed)
    with torch.no_grad():
        model(x)  # lazy layers have weights only after this
    for number in (1, 2, 3):
        if isinstance(getattr(model, f"conv{number}", None), nn.Conv2d):
            settle_layer(getattr(model, f"conv{number}"), seed + number)
        if isinstance(getattr(model, f"bn{number}", None), nn.BatchNorm2d):
            settle_norm(getattr(model, f"bn{number}"), seed + 10 * number)
    logits, heard = run_and_listen(model, x)
    return {"logits": logits, "heard": heard, "missing": [name for name in CNN_NAMES if not hasattr(model, name)]}


def judge_cnn_dropout(observation):
    """What random zeros stand between fc1 and fc2 in training, and whether evaluation is without chance."""
    dense = observation["dense layers"]
    facts = {
        "two calls in evaluation mode agree": observation["steady"],
        "linear layers that ran": [in_words(entry) for entry in dense],
        "chance before fc1, in training mode": observation["chance in the blocks"],
    }
    if len(dense) != 2:
        return facts
    right, got = dense[0]["output"].relu(), dense[1]["input"]
    words = "something else"
    if close(got, right):
        words = "ReLU without dropout"
    elif got.shape == right.shape:
        alive = right > 0
        kept = alive & (got != 0)
        share = 1 - float(kept.sum() / alive.sum())
        if close(got[kept], right[kept] / max(1 - round(share, 1), 0.1)):
            words = "ReLU and dropout" if 0.4 < share < 0.6 else "ReLU and dropout with another p"
        elif close(got[kept], right[kept]):
            words = "zeros without rescaling"
    facts["between fc1 and fc2 stand, in training mode"] = words
    facts["dropout on the logits"] = not close(observation["logits"], dense[1]["output"])
    return facts


@probe(judge=judge_cnn_dropout)
def cnn_dropout(answer, batch, seed):
    """The same in training mode, and two calls in evaluation mode."""
    model, x = answer.CNN(), images_of({}, batch, seed)
    logits, heard = run_and_listen(model.train(), x)
    inputs = [next((entry["input"] for entry in run if len(entry["weight"]) == 2), None) for run in (heard, run_and_listen(model, x)[1])]
    model.eval()
    with torch.no_grad():
        steady = torch.equal(model(x), model(x))
    return {
        "logits": logits, "dense layers": [entry for entry in heard if len(entry["weight"]) == 2], "steady": steady,
        "chance in the blocks": inputs[0] is not None and not close(inputs[1], inputs[0]),
    }  # fmt: skip


# --- lenet5 ------------------------------------------------------------------------------------------------------------------------


@probe
def lenet_shapes(answer, options, batch):
    """Number of parameters and shape of the logits, or that the batch does not fit."""
    model = answer.LeNet5(**options).eval()
    try:
        with torch.no_grad():
            shape = list(model(images_of({"image_size": 32}, batch, 0.0)).shape)
    except (RuntimeError, ValueError, IndexError) as error:
        if unanswered(error):
            raise
        return {"shape of the logits": "none: the images do not fit the layers"}
    return {"shape of the logits": shape, "number of parameters": sum(entry.numel() for entry in model.parameters())}


def judge_lenet(observation, layers):
    """The layers that ran, and what stands between them."""
    heard = observation["heard"]
    facts = {"layers that ran": [in_words(entry) for entry in heard]}
    if facts["layers that ran"] != layers:
        return facts
    for number, (entry, following) in enumerate(zip(heard[:4], heard[1:]), start=1):
        before, after = entry["output"], following["input"]
        words = (
            between_in_words(before, after, {"ReLU": F.relu})
            if number < 3
            else steps_between(before, after, {"ReLU": F.relu})
        )
        for name, function in (("tanh", torch.tanh), ("sigmoid", torch.sigmoid)):
            if words == "something else":
                words = (
                    between_in_words(before, after, {name: function})
                    if number < 3
                    else steps_between(before, after, {name: function})
                )
        facts[f"after layer {number}"] = words
    facts["the output is"] = ending(observation["logits"], heard[4]["output"])
    facts["the output in training mode is the same"] = close(observation["in training"], observation["logits"])
    return facts


@probe(judge=judge_lenet)
def lenet_layers(answer, options, batch, seed):
    """What goes into each layer and comes out of it."""
    model, x = answer.LeNet5(**options).eval(), images_of({"image_size": 32}, batch, seed)
    with torch.no_grad():
        model(x)
        for number, parameter in enumerate(model.parameters()):
            scale = 1.5 / math.sqrt(parameter[0].numel()) if parameter.ndim > 1 else 0.3
            parameter.copy_(scale * spread(parameter.shape, seed + number))
    logits, heard = run_and_listen(model, x)
    with torch.no_grad():
        return {"logits": logits, "heard": heard, "in training": model.train()(x)}


# --- residual_block ----------------------------------------------------------------------------------------------------------------


def settle_block(block, seed: float) -> None:
    """Fixed values for all layers, those of the shortcut in their order."""
    for number, name in enumerate(("conv1", "conv2")):
        settle_layer(getattr(block, name), seed + number)
    for number, name in enumerate(("bn1", "bn2")):
        settle_norm(getattr(block, name), seed + 10 * number + 3)
    shortcut = block.shortcut.modules() if isinstance(block.shortcut, nn.Module) else []
    for number, layer in enumerate(layer for layer in shortcut if hasattr(layer, "weight")):
        if isinstance(layer, nn.BatchNorm2d):
            settle_norm(layer, seed + 30 + number)
        elif layer.weight is not None:
            settle_layer(layer, seed + 20 + number)


@probe
def residual_outputs(answer, x, out_channels, stride=None, seed=0.0):
    """Number of parameters, biases, and the outputs in evaluation and in training mode, with the gradient of the input."""
    sizes = (x.shape[1], out_channels)
    block = answer.ResidualBlock(*sizes) if stride is None else answer.ResidualBlock(*sizes, stride=stride)
    settle_block(block, seed)
    layers = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    seen = {
        "number of parameters": sum(entry.numel() for entry in block.parameters()),
        "convolutions with a bias": sum(layer.bias is not None for layer in layers),
        "the shortcut is a module": isinstance(block.shortcut, nn.Module),
    }
    try:
        with torch.no_grad():
            seen["output in evaluation mode"] = block.eval()(x)
        settle_block(block, seed)
        x = x.requires_grad_()
        output = block.train()(x)
        seen |= {"output in training mode": output, "gradient of x": gradient(mixed(output), x)}
    except RuntimeError as error:
        if unanswered(error):
            raise
        seen["output in evaluation mode"] = "none: the shapes do not fit"
    return seen


# --- feature_maps ------------------------------------------------------------------------------------------------------------------


class _Flawed(nn.Module):
    """A layer that fails."""

    def forward(self, x):
        raise RuntimeError("this layer fails on purpose")


def small_model(kind: str, seed: float) -> nn.Module:
    """A model with names of several depths, in-place ReLUs, dropout and batch norm, in mixed modes."""
    if kind == "plain":
        model = nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)
        )
    else:
        stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5))
        body = nn.ModuleDict({"0": nn.Conv2d(4, 3, 3), "act": nn.Hardtanh(-0.2, 0.2, inplace=True)})
        model = nn.Sequential()
        model.add_module("stem", stem)
        model.add_module("body", nn.Sequential())
        for name, layer in body.items():
            model.body.add_module(name, layer)
        model.add_module("last", _Flawed() if kind == "failing" else nn.Dropout(0.5))
    for number, layer in enumerate(model.modules()):
        if isinstance(layer, nn.Conv2d):
            settle_layer(layer, seed + number)
        elif isinstance(layer, nn.BatchNorm2d):
            settle_norm(layer, seed + number)
    return model


def state_of(model) -> dict:
    """Modes by name, and the number of hooks."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    modules = dict(model.named_modules())
    return {
        "modes": {name or "model": "train" if layer.training else "eval" for name, layer in modules.items()},
        "hooks": sum(len(getattr(layer, kind)) for layer in modules.values() for kind in kinds),
    }


def mixed_modes(model, kind: str, training: bool) -> None:
    model.train(training)
    if kind != "plain":
        model.stem[1].train(not training)  # such as a batch norm that is frozen while the rest trains


@probe
def hooked_maps(answer, kind, image, names, training=True, seed=0.0):
    """The maps, and the model's modes, hooks and running statistics afterwards; one hook was there before."""
    model = small_model(kind, seed)
    mixed_modes(model, kind, training)
    model[0].register_forward_hook(lambda *_: None)
    buffers = [buffer.clone() for buffer in model.buffers()]
    found = answer.feature_maps(model, image, names)
    state = state_of(model)
    return {
        "maps": found,
        "maps that require grad": sorted(
            str(name) for name, value in found.items() if getattr(value, "requires_grad", False)
        ),
        "modes afterwards": state["modes"],
        "hooks afterwards (one was there before)": state["hooks"],
        "running statistics stay": all(torch.equal(one, other) for one, other in zip(buffers, model.buffers())),
    }


def judge_trouble(observation, name):
    """What an unknown name gives, and how the model is left by that and by an error on the way."""
    facts = {
        "an unknown layer raises": observation["raised"],
        "the message names the layer": name in observation["message"],
    }
    return facts | {key: value for key, value in observation.items() if key not in ("raised", "message")}


@probe(judge=judge_trouble)
def hooked_maps_trouble(answer, image, names, unknown, training=True, seed=0.0):
    """A model with a layer that fails, and a model that is asked for a layer that it does not have."""
    seen = {}
    for label, kind, wanted in (("an unknown layer", "nested", [*names, unknown]), ("an error", "failing", names)):
        model, message = small_model(kind, seed), [""]
        mixed_modes(model, kind, training)

        def call(model=model, wanted=wanted, message=message):
            try:
                answer.feature_maps(model, image, wanted)
            except Exception as error:
                message[0] = str(error)
                raise

        name = raised(call)
        if label == "an unknown layer":
            seen |= {"raised": name, "message": message[0]}
        else:
            seen["the error of a layer comes through"] = name != "nothing"
        state = state_of(model)
        seen |= {f"hooks after {label}": state["hooks"], f"modes after {label}": state["modes"]}
    return seen


# --- random_shift ------------------------------------------------------------------------------------------------------------------


def marked_images(count, channels, height, width, seed) -> torch.Tensor:
    """Images without a zero in them, all different."""
    values = spread((count, channels, height, width), seed)
    return (values.sign() * (0.1 + values.abs())).float()


def moved(images, dy: int, dx: int) -> torch.Tensor:
    """All images by one shift, zeros moved in."""
    height, width = images.shape[2:]
    padded = F.pad(images, (width, width, height, height))
    return padded[:, :, height - dy : 2 * height - dy, width - dx : 2 * width - dx]


def find_shifts(images, results):
    """For each image the (dy, dx) that explains the result, and how many results are explained in other ways."""
    height, width = images.shape[2:]
    shifts = torch.full((len(images), 2), 99)
    odd = {"wrapped round": torch.zeros(len(images), dtype=torch.bool)}
    odd["mirrored"] = odd["wrapped round"].clone()
    for flip in ((), (2,), (3,), (2, 3)):
        source = images.flip(flip)
        for dy, dx in itertools.product(range(1 - height, height), range(1 - width, width)):
            first = results[
                :, 0, max(dy, 0), max(dx, 0)
            ]  # what came from this place in the source, if this is the shift
            likely = (first == source[:, 0, max(-dy, 0), max(-dx, 0)]).nonzero().flatten()
            if len(likely) == 0:
                continue
            right = likely[(moved(source[likely], dy, dx) == results[likely]).flatten(1).all(1)]
            if flip:
                odd["mirrored"][right] = True
                continue
            shifts[right] = torch.tensor([dy, dx])
            wrapped = (source[likely].roll((dy, dx), (2, 3)) == results[likely]).flatten(1).all(1)
            odd["wrapped round"][likely[wrapped]] = True
    unexplained = shifts[:, 0] == 99
    return shifts, {name: int((seen & unexplained).sum()) for name, seen in odd.items()}


def range_in_words(values, max_shift: int) -> str:
    """Which whole numbers occur."""
    seen = set(values.tolist())
    if max(map(abs, seen)) > max_shift:
        return "some beyond max_shift"
    if len(seen) == 1:
        return "0 alone" if max_shift == 0 or seen == {0} else "one number alone"
    missing = sorted(set(range(-max_shift, max_shift + 1)) - seen)
    return f"all but {', '.join(map(str, missing))}" if missing else "all from -max_shift to max_shift"


def judge_shifts(observation, count, channels, height, width, max_shift, seed):
    """How the images were moved, as facts that hold for any way of drawing the shifts."""
    images, results = marked_images(count, channels, height, width, seed), observation["results"]
    facts = {"shape": list(results.shape), "the input stays as it is": observation["input untouched"]}
    if results.shape != images.shape:
        return facts
    shifts, odd = find_shifts(images, results)
    found = shifts[shifts[:, 0] != 99]
    facts["images that are shifted, with zeros moved in"] = "all" if len(found) == count else "not all"
    facts |= {f"images that are {name}": "some" if number > count // 50 else "none" for name, number in odd.items()}
    if len(found) < count // 2 or "some" in facts.values():
        return facts
    facts["shifts down that occur"] = range_in_words(found[:, 0], max_shift)
    facts["shifts to the right that occur"] = range_in_words(found[:, 1], max_shift)
    if max_shift and int(found.abs().max()) <= max_shift:
        sides = 2 * max_shift + 1
        counts = torch.bincount(
            (found[:, 0] + max_shift) * sides + found[:, 1] + max_shift, minlength=sides**2
        ).double()
        expected = len(found) / sides**2
        chi_squared = float(((counts - expected) ** 2 / expected).sum())
        freedom = sides**2 - 1
        facts["dy and dx are drawn apart"] = int((counts > 0).sum()) > sides**2 / 2
        facts["all pairs of shifts are about as frequent"] = chi_squared < freedom + 7 * math.sqrt(2 * freedom)
    return facts


@probe(judge=judge_shifts)
def shifted_images(answer, count, channels, height, width, max_shift, seed, with_generator=True):
    """Many small images and what became of them."""
    images = marked_images(count, channels, height, width, seed)
    given = images.clone()
    options = {"generator": torch.Generator().manual_seed(int(seed) + 1)} if with_generator else {}
    results = answer.random_shift(images, max_shift, **options)
    return {"results": results, "input untouched": torch.equal(images, given)}


def judge_chance(observation):
    """Whether the generator alone decides."""
    first, again, other, following = (observation[name] for name in ("first", "again", "other", "following"))
    return {
        "the same generator state gives the same shifts, whatever the global seed": torch.equal(first, again),
        "another generator gives other shifts": not torch.equal(first, other),
        "the next call with this generator gives other shifts": not torch.equal(first, following),
        "the global random state is left alone": observation["global state untouched"],
        "without a generator, torch's global state decides": torch.equal(observation["global"], observation["global again"])
        and not torch.equal(observation["global"], observation["global other"]),
    }


@probe(judge=judge_chance)
def shift_chance(answer, count, max_shift, seed):
    """The same images with generators of the same and of another seed."""
    images, generator = marked_images(count, 1, 9, 9, seed), torch.Generator().manual_seed(int(seed))
    torch.manual_seed(int(seed) + 77)  # a state that no answer sets by chance
    state = torch.get_rng_state()
    first = answer.random_shift(images, max_shift, generator=generator)
    untouched = torch.equal(state, torch.get_rng_state())
    following = answer.random_shift(images, max_shift, generator=generator)
    torch.manual_seed(int(seed) + 5)
    again = answer.random_shift(images, max_shift, torch.Generator().manual_seed(int(seed)))
    other = answer.random_shift(images, max_shift, torch.Generator().manual_seed(int(seed) + 1))
    seen = {"first": first, "following": following, "again": again, "other": other, "global state untouched": untouched}
    for name, state in (("global", 78), ("global again", 78), ("global other", 79)):
        torch.manual_seed(int(seed) + state)
        seen[name] = answer.random_shift(images, max_shift)
    return seen


# --- per_class_accuracy ------------------------------------------------------------------------------------------------------------


@probe
def by_class(answer, predictions, targets, num_classes):
    """The accuracies."""
    return {"accuracy by class": answer.per_class_accuracy(predictions, targets, num_classes)}


# --- train_cnn ---------------------------------------------------------------------------------------------------------------------


def judge_training(observation, labels, at_least=None, below=None):
    """Coarse facts about the predictions; `labels` never enter the sandbox."""
    facts = {"a model is returned": observation["model"], "returned in evaluation mode": observation["eval"]}
    predictions = observation["predictions"]
    if not isinstance(predictions, torch.Tensor):
        return facts | {"predictions": predictions}
    right = 100 * float((predictions.long() == labels.long()).double().mean())
    if at_least is not None:
        facts[f"at least {at_least} % of other digits right"] = right >= at_least
    if below is not None:
        facts[f"below {below} % right, as nothing could be learned"] = right < below
    return facts


def training_digits(order, count, shuffled):
    """All bundled digits in an order of their own: the first `count` to train on, the last 1,000 to test."""
    from dlcourse.data import mnist, to_float

    digits = mnist(full=False)
    images = torch.cat([digits.train_images, digits.test_images])
    labels = torch.cat([digits.train_labels, digits.test_labels])
    mix = torch.randperm(len(images), generator=torch.Generator().manual_seed(order))
    chosen, held_out = mix[:count], mix[-1000:]
    targets = labels[chosen]
    if shuffled:
        targets = targets[torch.randperm(count, generator=torch.Generator().manual_seed(order + 1))]
    return to_float(images[chosen]), targets, to_float(images[held_out]), labels[held_out]


@probe(judge=judge_training)
def digits_learned(answer, order, count, shuffled):
    """What the trained model makes of digits that it was not given: in evaluation mode, however it comes back."""
    images, labels, others, _ = training_digits(order, count, shuffled)
    model = answer.train_cnn(images, labels, seed=order)
    seen = {"model": isinstance(model, nn.Module)}
    if not seen["model"]:
        return {**seen, "eval": False, "predictions": "none: train_cnn returns the model alone"}
    seen["eval"] = not any(layer.training for layer in model.modules())
    with torch.no_grad():
        seen["predictions"] = torch.cat([model.eval()(part).argmax(1) for part in others.split(250)])
    return seen
