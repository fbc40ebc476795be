"""Notebook 3, convolutional networks: mistakes known by name, as edits of the reference answers; here those in functions on tensors."""

from autograder.specs.spec import known

# --- conv_output_size --------------------------------------------------------------------------------------------------------------

SPAN, ROOM, FITS = "span = dilation * (kernel_size - 1) + 1", "room = size + 2 * padding - span", "if room < 0:"
RESULT = "return room // stride + 1"

CONV_OUTPUT_SIZE = [
    *known("ceil", "Round down: a place where the kernel would stick out does not count.", (RESULT, "return -(-room // stride) + 1")),
    *known("padding-once", "Padding is added on both sides: the size grows by twice the padding.", (ROOM, "room = size + padding - span")),
    *known("fit-without-padding", "Compare the spread-out kernel with the padded size.", (FITS, "if span > size:")),
    *known("padding-ignored", "The padding has to be added to the size.", (ROOM, "room = size - span")),
    *known("dilation-ignored", "A dilated kernel spans more pixels than it has taps.", (SPAN, "span = kernel_size")),
    *known(
        "dilated-span",
        "Between k taps lie k - 1 gaps: a kernel spans dilation * (k - 1) + 1 pixels.",
        (SPAN, "span = dilation * kernel_size"),
        (SPAN, "span = dilation * (kernel_size - 1)"),
        (SPAN, "span = kernel_size + dilation"),
    ),
    *known(
        "one-missing",
        "The first place counts, too: add 1 to the number of steps.",
        (RESULT, "return room // stride"),
        (RESULT, "return (room + 1) // stride"),
    ),
    *known("stride-ignored", "With a stride of s only every s-th place is visited.", (RESULT, "return room + 1")),
    *known("not-an-int", "A number of places is an int: divide with //.", (RESULT, "return room / stride + 1")),
    *known("no-error", "Raise ValueError where the kernel does not fit.", (FITS, "if False:")),
    *known(
        "fit-without-dilation",
        "Compare the spread-out kernel, with its dilation, with the padded size.",
        (FITS, "if kernel_size > size + 2 * padding:"),
    ),
    *known("exact-fit-refused", "A kernel just as large as the padded image fits: there is one place.", (FITS, "if room <= 0:")),
]

# --- conv2d ------------------------------------------------------------------------------------------------------------------------

PADDED, WINDOWS = "padded = F.pad(x, (padding, padding, padding, padding))", "padded.unfold(2, kh, stride).unfold(3, kw, stride)"
SUMMED, BIAS = 'torch.einsum("bchwuv,ocuv->bohw", windows, weight)', "out = out + bias.reshape(1, -1, 1, 1)"
MISFIT = "if x.shape[1] != weight.shape[1]:"
MESSAGE = 'f"x {tuple(x.shape)} and weight {tuple(weight.shape)} differ in channels"'
DONE = "    return out"


def summed(windows="windows", weight="weight", then=""):
    return SUMMED, f'torch.einsum("bchwuv,ocuv->bohw", {windows}, {weight}){then}'


CONV2D = [
    *known(
        "flipped-kernel",
        "Deep learning does not flip the kernel: multiply each weight with the pixel that lies under it.",
        summed(weight="weight.flip(2, 3)"),
        summed(weight="weight.flip(2)"),
        summed(weight="weight.flip(3)"),
    ),
    *known(
        "channels-not-summed",
        "Each output channel sums over all input channels, each with its own slice of the kernel.",
        summed("windows[:, :1]", "weight[:, :1]"),
        summed("windows[:, -1:]", "weight[:, -1:]"),
        summed(then=" / x.shape[1]"),
        summed(weight="weight[:, :1].expand_as(weight)"),
        (SUMMED, 'torch.einsum("bchwuv,ocuv->bochw", windows, weight).flatten(1, 2)'),
        (SUMMED, 'torch.einsum("bchwuv,ocuv->bcohw", windows, weight).flatten(1, 2)'),
    ),
    *known(
        "stride-one-axis",
        "The stride counts for both axes.",
        (WINDOWS, "padded.unfold(2, kh, stride).unfold(3, kw, 1)"),
        (WINDOWS, "padded.unfold(2, kh, 1).unfold(3, kw, stride)"),
    ),
    *known(
        "stride-ignored", "The kernel moves by the stride, not always by one pixel.", (WINDOWS, "padded.unfold(2, kh, 1).unfold(3, kw, 1)")
    ),
    *known(
        "padding-after",
        "Pad the image before convolving: zeros around the result are not the same.",
        [(PADDED, "padded = x"), (SUMMED, f"F.pad({SUMMED}, (padding,) * 4)")],
        [(PADDED, "padded = x"), (DONE, "    return F.pad(out, (padding,) * 4)")],
    ),
    *known("padding-ignored", "Zeros have to be added around the image, as many as padding says.", (PADDED, "padded = x")),
    *known(
        "padding-incomplete",
        "Pad on all four sides.",
        (PADDED, "padded = F.pad(x, (padding, padding))"),
        (PADDED, "padded = F.pad(x, (0, 0, padding, padding))"),
        (PADDED, "padded = F.pad(x, (padding, 0, padding, 0))"),
        (PADDED, "padded = F.pad(x, (0, padding, 0, padding))"),
    ),
    *known("padding-not-zeros", "Pad with zeros.", (PADDED, 'padded = F.pad(x, (padding,) * 4, mode="replicate")')),
    *known(
        "bias-left-out",
        "Add the bias of each output channel.",
        (BIAS, "pass"),
        (BIAS, "out = out + 0 * bias.reshape(1, -1, 1, 1)"),
    ),
    *known(
        "bias-wrong-axis",
        "There is one bias for each output channel: give it the shape (1, O, 1, 1).",
        (BIAS, "out = out + bias"),
        (BIAS, "out = out + bias.sum()"),
        (BIAS, "out = out + bias.reshape(1, 1, -1, 1)"),
        (BIAS, "out = out + bias.mean()"),
    ),
    *known(
        "bias-every-channel",
        "Add the bias once, not once for each input channel.",
        (BIAS, "out = out + x.shape[1] * bias.reshape(1, -1, 1, 1)"),
    ),
    *known(
        "kernel-axes-swapped", "A kernel's shape is (rows, columns): kh goes with H, kw with W.", ("kh, kw = weight", "kw, kh = weight")
    ),
    *known(
        "no-shape-error",
        "Raise ValueError where x and weight differ in channels; broadcasting would hide it.",
        (MISFIT, "if False:"),
        [(MISFIT, "if False:"), summed("windows[:, : weight.shape[1]]", "weight[:, : x.shape[1]]")],
    ),
    *known(
        "message-without-shapes",
        "The message has to hold both shapes.",
        (MESSAGE, '"channels differ"'),
        (MESSAGE, 'f"x {tuple(x.shape)} does not fit"'),
        (MESSAGE, 'f"{x.shape[1]} channels, but the kernel has {weight.shape[1]}"'),
    ),
    *known(
        "graph-cut",
        "Gradients have to reach x, weight and bias: no detach, .data, .item() or NumPy on the way.",
        summed(weight="weight.detach()"),
        summed("windows.detach()"),
        summed("windows.detach()", "weight.detach()"),
        (BIAS, "out = out + bias.detach().reshape(1, -1, 1, 1)"),
        (DONE, "    return out.detach()"),
    ),
    *known(
        "forbidden-call",
        "Write the sum yourself: no convolution of torch may run, nor F.unfold.",
        (DONE, "    return F.conv2d(x, weight, bias, stride, padding)"),
        (DONE, "    F.unfold(padded, (kh, kw), stride=stride)\n    return out"),
    ),
]

# --- pooling -----------------------------------------------------------------------------------------------------------------------

STEP, EVERY = "step = kernel_size if stride is None else stride", "every = kernel_size if stride is None else stride"
MAXIMUM, MEAN = "return windows.amax(dim=(-2, -1))", "return patches.mean(dim=(-2, -1))"
MAX_WINDOWS, MEAN_WINDOWS = "windows = x.unfold", "patches = x.unfold"
FILL = "x = F.pad(x, (0, -(x.shape[3] - kernel_size) % {step}, 0, -(x.shape[2] - kernel_size) % {step}), value={value})\n    "


def filled(step, value, windows):
    """Windows that stick out are completed instead of being left out."""
    return windows, FILL.format(step=step, value=value) + windows


COUNT = "return (patches.sum(dim=(-2, -1)) / seen.unfold(2, kernel_size, every).unfold(3, kernel_size, every).sum(dim=(-2, -1)))"
PAD_ONES = FILL.format(step="every", value=0.0).replace("x = F.pad(x,", "seen = F.pad(torch.ones_like(x),")

POOLING = [
    *known(
        "stride-one",
        "Without a stride the windows lie side by side: the stride is the kernel size.",
        (STEP, "step = 1 if stride is None else stride"),
        (EVERY, "every = 1 if stride is None else stride"),
        [(STEP, "step = 1 if stride is None else stride"), (EVERY, "every = 1 if stride is None else stride")],
    ),
    *known(
        "stride-two",
        "Without a stride the stride is the kernel size, which is not always 2.",
        (STEP, "step = 2 if stride is None else stride"),
        (EVERY, "every = 2 if stride is None else stride"),
        [(STEP, "step = 2 if stride is None else stride"), (EVERY, "every = 2 if stride is None else stride")],
    ),
    *known(
        "stride-ignored",
        "Where a stride is given, the windows start that far apart.",
        (STEP, "step = kernel_size"),
        (EVERY, "every = kernel_size"),
        [(STEP, "step = kernel_size"), (EVERY, "every = kernel_size")],
    ),
    *known(
        "starts-at-zero",
        "A maximum that starts at zero is wrong for negative values: start from the window's own values.",
        (MAXIMUM, "return windows.amax(dim=(-2, -1)).clamp(min=0)"),
        (MAXIMUM, "return windows.abs().amax(dim=(-2, -1))"),
    ),
    *known(
        "incomplete-windows",
        "Windows that stick out on the right or at the bottom are left out.",
        filled("step", "float('-inf')", MAX_WINDOWS),
        filled("step", "0.0", MAX_WINDOWS),
        filled("every", "0.0", MEAN_WINDOWS),
        [(MEAN_WINDOWS, PAD_ONES + FILL.format(step="every", value="0.0") + MEAN_WINDOWS), (MEAN, COUNT)],
        [filled("step", "float('-inf')", MAX_WINDOWS), filled("every", "0.0", MEAN_WINDOWS)],
        [
            filled("step", "float('-inf')", MAX_WINDOWS),
            (MEAN_WINDOWS, PAD_ONES + FILL.format(step="every", value="0.0") + MEAN_WINDOWS),
            (MEAN, COUNT),
        ],
    ),
    *known(
        "last-window-lost",
        "The last complete window counts, too.",
        (MAXIMUM, "return windows.amax(dim=(-2, -1))[:, :, :-1, :-1]"),
        (MEAN, "return patches.mean(dim=(-2, -1))[:, :, :-1, :-1]"),
    ),
    *known(
        "sum-for-mean", "An average is the sum divided by the number of pixels in the window.",
        (MEAN, "return patches.sum(dim=(-2, -1))"), (MEAN, "return patches.sum(dim=(-2, -1)) / kernel_size"),
    ),
    *known(
        "over-channels",
        "Each channel is pooled by itself.",
        (MAXIMUM, "return windows.amax(dim=(-2, -1)).amax(dim=1, keepdim=True).expand(-1, x.shape[1], -1, -1)"),
        (MEAN, "return patches.mean(dim=(-2, -1)).mean(dim=1, keepdim=True).expand(-1, x.shape[1], -1, -1)"),
    ),
    *known(
        "forbidden-call",
        "Write it yourself: no pooling of torch may run.",
        (MAXIMUM, "return F.max_pool2d(x, kernel_size, step)"),
        (MEAN, "return F.avg_pool2d(x, kernel_size, every)"),
        [(MAXIMUM, "return F.max_pool2d(x, kernel_size, step)"), (MEAN, "return F.avg_pool2d(x, kernel_size, every)")],
    ),
]

# --- random_shift ------------------------------------------------------------------------------------------------------------------

PAD = "padded = F.pad(images, (max_shift, max_shift, max_shift, max_shift))"
DRAWN = "torch.randint(0, 2 * max_shift + 1, (B, 2), generator=generator)"
CUT = "[image[:, dy : dy + H, dx : dx + W] for image, (dy, dx) in zip(padded, offsets.tolist())]"
STACKED = "return torch.stack(shifted)"
FLIPPED = "[(image.flip(2) if (dy + dx) % 2 else image)[:, dy : dy + H, dx : dx + W] for image, (dy, dx) in zip(padded, offsets.tolist())]"

RANDOM_SHIFT = [
    *known(
        "one-shift-for-all",
        "Each image gets a shift of its own: draw as many as there are images.",
        (DRAWN, "torch.randint(0, 2 * max_shift + 1, (1, 2), generator=generator).expand(B, 2)"),
    ),
    *known(
        "wraps-round",
        "torch.roll brings back on one side what left on the other: zeros have to move in.",
        (CUT, "[image.roll((dy - max_shift, dx - max_shift), (1, 2)) for image, (dy, dx) in zip(images, offsets.tolist())]"),
        [
            (DRAWN, "torch.randint(0, 2 * max_shift + 1, (1, 2), generator=generator).expand(B, 2)"),
            (CUT, "[image.roll((dy - max_shift, dx - max_shift), (1, 2)) for image, (dy, dx) in zip(images, offsets.tolist())]"),
        ],
    ),
    *known("mirrored", "A mirrored digit is another sign: move the images, do not flip them.", (CUT, FLIPPED), (CUT, FLIPPED.replace("flip(2)", "flip(1)"))),
    *known(
        "upper-end-missing",
        "randint never draws its upper end: add 1, so that max_shift itself occurs.",
        (DRAWN, "torch.randint(0, max(1, 2 * max_shift), (B, 2), generator=generator)"),
        (DRAWN, "torch.randint(min(1, max_shift), 2 * max_shift + 1, (B, 2), generator=generator)"),
    ),
    *known(
        "one-direction",
        "Images move both ways: from -max_shift to max_shift.",
        (DRAWN, "torch.randint(0, max_shift + 1, (B, 2), generator=generator)"),
        (DRAWN, "max_shift + torch.randint(0, max_shift + 1, (B, 2), generator=generator)"),
    ),
    *known("same-for-both-axes", "Draw dy and dx apart.", (DRAWN, "torch.randint(0, 2 * max_shift + 1, (B, 1), generator=generator).expand(B, 2)")),
    *known(
        "one-axis",
        "Images move down and to the right: both dy and dx are drawn.",
        (DRAWN, DRAWN + " * torch.tensor([1, 0]) + torch.tensor([0, max_shift])"),
        (DRAWN, DRAWN + " * torch.tensor([0, 1]) + torch.tensor([max_shift, 0])"),
    ),
    *known("not-uniform", "Every shift is as likely as the others.", (DRAWN, "(torch.randint(0, 2 * max_shift + 1, (2, B, 2), generator=generator).sum(0) // 2)")),
    *known(
        "generator-ignored",
        "Hand the generator on to the function that draws.",
        (DRAWN, "torch.randint(0, 2 * max_shift + 1, (B, 2))"),
    ),
    *known(
        "reseeded",
        "Do not seed anything: the generator's state goes on from call to call.",
        (DRAWN, "torch.randint(0, 2 * max_shift + 1, (B, 2), generator=torch.Generator().manual_seed(0))"),
        (DRAWN, "torch.randint(0, 2 * max_shift + 1, (B, 2), generator=None if torch.manual_seed(0) is None else None)"),
        (DRAWN, "torch.randint(0, 2 * max_shift + 1, (B, 2), generator=generator or torch.Generator().manual_seed(0))"),
        (PAD, PAD + "\n    torch.manual_seed(0)"),
    ),
    *known("edge-repeated", "Zeros move in, not copies of the edge.", (PAD, 'padded = F.pad(images, (max_shift,) * 4, mode="replicate")')),
    *known("input-changed", "Leave the input as it is, and return new images.", (STACKED, "return images.copy_(torch.stack(shifted))")),
    *known("not-cut", "The result has the size of the input.", (STACKED, "return padded")),
]  # fmt: skip

# --- per_class_accuracy ------------------------------------------------------------------------------------------------------------

TOTALS = "totals = torch.bincount(targets, minlength=num_classes)"
HITS = "hits = torch.bincount(targets[predictions == targets], minlength=num_classes)"
SHARE = "return 100 * hits.float() / totals.float()"

PER_CLASS_ACCURACY = [
    *known("all-samples", "Divide by the number of samples of that class, not by all samples.", (SHARE, "return 100 * hits.float() / len(targets)")),
    *known("precision", "Divide by how often the class occurs, not by how often it was predicted: that is precision.", (TOTALS, TOTALS.replace("targets", "predictions"))),
    *known("fractions", "Return percent, not fractions.", (SHARE, "return hits.float() / totals.float()")),
    *known("no-nan", "A class without samples has no accuracy: NaN.", (SHARE, "return 100 * hits.float() / totals.float().clamp(min=1)"), (SHARE, "return torch.where(totals > 0, 100 * hits.float() / totals.float(), 100.0)")),
    *known("class-dropped", "Return a number for every class, NaN for one without samples.", (SHARE, "return (100 * hits.float() / totals.float())[totals > 0]"), [(TOTALS, "totals = torch.bincount(targets)"), (HITS, "hits = torch.bincount(targets[predictions == targets], minlength=len(totals))")]),
    *known("float64", "Return float32.", (SHARE, "return 100 * hits.double() / totals.double()")),
    *known("share-of-the-hits", "Divide by the number of samples of that class, not by the number of hits.", (SHARE, "return 100 * hits.float() / hits.sum()")),
]  # fmt: skip
