"""Notebook 3, convolutional networks: mistakes known by name, as edits of the reference answers."""

from autograder.specs.spec import Misconception

Edit = tuple[str, str]


def known(id: str, says: str, *spellings: Edit | list[Edit]) -> list[Misconception]:
    """One mistake in all its spellings: each is an edit (old, new), or a list of edits that belong together."""
    found = []
    for spelling in spellings:
        (old, new), *also = [spelling] if isinstance(spelling, tuple) else spelling
        found.append(Misconception(id, old=old, new=new, says=says, also=also))
    return found


LOGITS = "Return raw logits: cross entropy applies the softmax itself."

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
    *known("stride-ignored", "The kernel moves by the stride, not always by one pixel.", (WINDOWS, "padded.unfold(2, kh, 1).unfold(3, kw, 1)")),
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
    *known("bias-every-channel", "Add the bias once, not once for each input channel.", (BIAS, "out = out + x.shape[1] * bias.reshape(1, -1, 1, 1)")),
    *known("kernel-axes-swapped", "A kernel's shape is (rows, columns): kh goes with H, kw with W.", ("kh, kw = weight", "kw, kh = weight")),
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
    *known("sum-for-mean", "An average is the sum divided by the number of pixels in the window.", (MEAN, "return patches.sum(dim=(-2, -1))")),
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

# --- cnn_model ---------------------------------------------------------------------------------------------------------------------

BLOCKS = [f"x = self.pool(F.relu(self.bn{n}(self.conv{n}(x))))" for n in (1, 2, 3)]
HIDDEN, FLAT = "x = self.dropout(F.relu(self.fc1(x.flatten(1))))", "self.fc1 = nn.Linear(128 * (image_size // 8) ** 2, 256)"
CNN_END, DROPOUT = "return self.fc2(x)", "self.dropout = nn.Dropout(0.5)"
CHANNELS = [("in_channels", 32), (32, 64), (64, 128)]
CONVS = [f"nn.Conv2d({a}, {b}, 3, padding=1)" for a, b in CHANNELS]
MADE = [f"self.conv{n}, self.bn{n} = {conv}, nn.BatchNorm2d({b})" for n, conv, (_, b) in zip((1, 2, 3), CONVS, CHANNELS)]
UNUSED = [(line, f"x = self.pool(F.relu(self.conv{n}(x)))") for n, line in enumerate(BLOCKS, start=1)]
LINEAR = [(line, f"x = self.pool(self.bn{n}(self.conv{n}(x)))") for n, line in enumerate(BLOCKS, start=1)]

CNN_MODEL = [
    *known("softmaxed", LOGITS, *[(CNN_END, f"return self.fc2(x).{name}") for name in ("softmax(1)", "log_softmax(1)", "sigmoid()")]),
    *known("relu-on-logits", "Logits may be negative: nothing follows fc2.", (CNN_END, "return F.relu(self.fc2(x))")),
    *known(
        "norm-missing",
        "Every block has a batch norm: make it, and call it.",
        *UNUSED,
        UNUSED,
        *[[(made, f"self.conv{n} = {conv}"), edit] for n, made, conv, edit in zip((1, 2, 3), MADE, CONVS, UNUSED)],
        [*[(made, f"self.conv{n} = {conv}") for n, made, conv in zip((1, 2, 3), MADE, CONVS)], *UNUSED],
        UNUSED[1:],
    ),
    *known("activation-missing", "Every block, and fc1, need a ReLU: without it two layers are one.", *LINEAR, LINEAR, LINEAR[1:]),
    *known("activation-missing", "Every block, and fc1, need a ReLU: without it two layers are one.", (HIDDEN, "x = self.dropout(self.fc1(x.flatten(1)))")),
    *known(
        "size-fixed-for-28",
        "The size of the flattened maps follows from image_size: after three poolings image_size // 8 pixels a side.",
        (FLAT, "self.fc1 = nn.Linear(128 * 3 * 3, 256)"),
    ),
    *known("channels-fixed", "The first convolution takes in_channels.", (CONVS[0], "nn.Conv2d(1, 32, 3, padding=1)")),
    *known("classes-fixed", "fc2 has num_classes outputs.", ("nn.Linear(256, num_classes)", "nn.Linear(256, 10)")),
    *known(
        "no-padding",
        "With padding 1 a 3x3 convolution keeps the size of the maps.",
        [*[(conv, conv.replace(", padding=1", "")) for conv in CONVS], (FLAT, "self.fc1 = nn.Linear(128 * (image_size // 16) ** 2, 256)")],
        [(conv, conv.replace(", padding=1", "")) for conv in CONVS],
    ),
    *known(
        "bias-left-out",
        "Here the convolutions keep their biases: 390,858 parameters in all.",
        [(conv, conv.replace("padding=1", "padding=1, bias=False")) for conv in CONVS],
    ),
    *known("average-pooling", "Blocks end with maximum pooling.", ("nn.MaxPool2d(2)", "nn.AvgPool2d(2)")),
    *known(
        "pooling-missing",
        "Each of the three blocks halves its maps by pooling.",
        [(BLOCKS[2], "x = F.relu(self.bn3(self.conv3(x)))"), (FLAT, "self.fc1 = nn.Linear(128 * (image_size // 4) ** 2, 256)")],
        (BLOCKS[2], "x = F.relu(self.bn3(self.conv3(x)))"),
    ),
    *known("dropout-missing", "Dropout of 0.5 stands between fc1 and fc2.", (HIDDEN, "x = F.relu(self.fc1(x.flatten(1)))"), (DROPOUT, "self.dropout = nn.Dropout(0.0)")),
    *known(
        "dropout-always",
        "Dropout acts in training only: use nn.Dropout, or pass training=self.training.",
        (HIDDEN, "x = F.dropout(F.relu(self.fc1(x.flatten(1))), 0.5)"),
    ),
    *known("other-dropout", "The dropout rate is 0.5.", (DROPOUT, "self.dropout = nn.Dropout(0.2)"), (DROPOUT, "self.dropout = nn.Dropout(0.25)")),
    *known("dropout-on-logits", "Dropout stands before fc2, not after it.", [(HIDDEN, "x = F.relu(self.fc1(x.flatten(1)))"), (CNN_END, "return self.dropout(self.fc2(x))")]),
    *known("batch-flattened", "Flatten each sample by itself, from axis 1 on.", (HIDDEN, "x = self.dropout(F.relu(self.fc1(x.flatten())))")),
]  # fmt: skip

# --- lenet5 ------------------------------------------------------------------------------------------------------------------------

C1, C5 = "self.c1 = nn.Conv2d(1, 6, 5)", "self.c5 = nn.Linear(16 * 5 * 5, 120)"
S2, S4 = "s2 = F.max_pool2d(F.relu(self.c1(x)), 2)", "s4 = F.max_pool2d(F.relu(self.c3(s2)), 2)"
DENSE, F6, LENET_END = "c5 = F.relu(self.c5(s4.flatten(1)))", "f6 = F.relu(self.f6(c5))", "return self.output(f6)"
LAYERS = [S2, S4, DENSE, F6]
BARE = [(line, line.replace("F.relu(", "(")) for line in LAYERS]

LENET5 = [
    *known(
        "padding-2",
        "No padding: the images are 32x32 already. Padding of 2 belongs to images of 28x28.",
        (C1, "self.c1 = nn.Conv2d(1, 6, 5, padding=2)"),
        [(C1, "self.c1 = nn.Conv2d(1, 6, 5, padding=2)"), (C5, "self.c5 = nn.Linear(16 * 6 * 6, 120)")],
    ),
    *known("activation-missing", "A ReLU follows every layer but the last.", *BARE, BARE, BARE[:2], BARE[2:]),
    *known(
        "other-activation",
        "This form has ReLU; the original's tanh is not asked for.",
        *[[(line, line.replace("F.relu(", f"torch.{name}(")) for line in LAYERS] for name in ("tanh", "sigmoid")],
    ),
    *known(
        "average-pooling",
        "This form has maximum pooling; the original's averages are not asked for.",
        [(line, line.replace("max_pool2d", "avg_pool2d")) for line in (S2, S4)],
    ),
    *known("softmaxed", LOGITS, *[(LENET_END, f"return self.output(f6).{name}") for name in ("softmax(1)", "log_softmax(1)")]),
    *known("relu-on-logits", "Logits may be negative: nothing follows the output layer.", (LENET_END, "return F.relu(self.output(f6))")),
    *known("classes-fixed", "The output layer has num_classes units.", ("nn.Linear(84, num_classes)", "nn.Linear(84, 10)")),
    *known("batch-flattened", "Flatten each sample by itself, from axis 1 on.", (DENSE, "c5 = F.relu(self.c5(s4.flatten()))")),
]

# --- residual_block ----------------------------------------------------------------------------------------------------------------

FIRST = "self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)"
SECOND = "self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)"
PROJECTION = "nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),"
CHANGES = "if stride != 1 or in_channels != out_channels:"
INNER, OUTER = "out = F.relu(self.bn1(self.conv1(x)))", "out = self.bn2(self.conv2(out))"
ADDED = "return F.relu(out + self.shortcut(x))"
NORMED = "                nn.BatchNorm2d(out_channels),\n"

RESIDUAL_BLOCK = [
    *known(
        "relu-before-addition",
        "Add first, then apply the last ReLU: a ReLU before the addition lets the block only add.",
        (OUTER, "out = F.relu(self.bn2(self.conv2(out)))"),
        [(OUTER, "out = F.relu(self.bn2(self.conv2(out)))"), (ADDED, "return out + self.shortcut(x)")],
    ),
    *known("last-relu-missing", "A ReLU follows the addition.", (ADDED, "return out + self.shortcut(x)")),
    *known("inner-relu-missing", "A ReLU stands between bn1 and conv2.", (INNER, "out = self.bn1(self.conv1(x))")),
    *known("always-projects", "Where the shape stays, the shortcut is the identity, without parameters.", (CHANGES, "if True:")),
    *known(
        "shortcut-stride",
        "The shortcut's convolution needs the same stride, or the two paths differ in size.",
        (PROJECTION, PROJECTION.replace("stride=stride, ", "")),
    ),
    *known("skip-left-out", "Add the shortcut of the input before the last ReLU.", (ADDED, "return F.relu(out)")),
    *known(
        "skip-of-the-wrong-tensor",
        "The shortcut starts at the block's input, not at the output of its first convolution.",
        [(OUTER, "first = out\n        out = self.bn2(self.conv2(out))"), (ADDED, "return F.relu(out + first)")],
    ),
    *known(
        "biases",
        "No biases in the convolutions: the batch norm after them would take them away.",
        (FIRST, FIRST.replace(", bias=False", "")),
        (SECOND, SECOND.replace(", bias=False", "")),
        (PROJECTION, PROJECTION.replace(", bias=False", "")),
        [(line, line.replace(", bias=False", "")) for line in (FIRST, SECOND)],
        [(line, line.replace(", bias=False", "")) for line in (FIRST, SECOND, PROJECTION)],
    ),
    *known("shortcut-norm-missing", "The shortcut's convolution is followed by a batch norm.", (NORMED, "")),
    *known(
        "stride-in-conv2",
        "The stride belongs to conv1.",
        [(FIRST, FIRST.replace("stride=stride, ", "")), (SECOND, SECOND.replace("3, ", "3, stride=stride, "))],
    ),
    *known(
        "projects-for-one-reason",
        "The shape changes with the stride, with the number of channels, or with both.",
        (CHANGES, "if stride != 1:"),
        (CHANGES, "if in_channels != out_channels:"),
        (CHANGES, "if stride != 1 and in_channels != out_channels:"),
    ),
    *known("shortcut-kernel", "The shortcut's convolution is 1x1.", (PROJECTION, PROJECTION.replace("1, stride", "3, padding=1, stride"))),
    *known("one-norm-for-both", "bn1 and bn2 are two batch norms, each after its own convolution.", (OUTER, "out = self.bn1(self.conv2(out))")),
    *known("norm-after-addition", "bn2 stands before the addition.", [(OUTER, "out = self.conv2(out)"), (ADDED, "return F.relu(self.bn2(out + self.shortcut(x)))")]),
    *known("norm-missing", "Each convolution of the main path is followed by its batch norm.", (INNER, "out = F.relu(self.conv1(x))"), (OUTER, "out = self.conv2(out)")),
]  # fmt: skip

# --- feature_maps ------------------------------------------------------------------------------------------------------------------

KEEP, ASKED = "output.detach().cpu().clone()", "if name not in modules:"
UNKNOWN = 'raise KeyError(f"the model has no layer named {name}")'
RESTORE = "        for module, mode in modes:\n            module.training = mode\n"
TRY, FINALLY = "    try:\n", "    finally:\n"
NO_TRY = [(TRY, "    if True:\n"), (FINALLY, "    if True:\n")]
MODES_LEFT = "Put every submodule back into the mode it was in."
HOOKS_LEFT = "Remove your hooks afterwards, or the next forward pass calls them again."

FEATURE_MAPS = [
    *known("hooks-left", HOOKS_LEFT, ("            handle.remove()", "            pass")),
    *known(
        "not-after-an-error",
        "Clean up in a finally clause: hooks and modes have to be put back after an error, too.",
        NO_TRY,
    ),
    *known(
        "unknown-name-leaves-hooks",
        "Look all names up before you register the first hook, or remove hooks in a finally clause.",
        [(ASKED, "if False:"), *NO_TRY],
    ),
    *known(
        "hooks-of-others",
        "Remove the hooks that you registered, through their handles, and leave those of others alone.",
        ("            handle.remove()", "            [module._forward_hooks.clear() for module in model.modules()]"),
    ),
    *known(
        "grads-kept",
        "Detach the maps: they would keep the whole graph alive.",
        [(KEEP, "output.cpu().clone()"), ("with torch.no_grad():", "with torch.enable_grad():")],
    ),
    *known(
        "left-in-eval",
        MODES_LEFT,
        (RESTORE, ""),
    ),
    *known(
        "mode-of-the-whole-model",
        "Note the mode of each submodule: model.train() sets all of them alike, also a layer that was frozen.",
        (RESTORE, "        model.train(modes[0][1])\n"),
        (RESTORE, "        model.train()\n"),
    ),
    *known("not-copied", "Copy the output: an in-place ReLU that follows would change the map.", (KEEP, "output.detach().cpu()"), (KEEP, "output")),
    *known("not-in-eval", "Call eval() first: dropout and batch norm behave differently in training.", ("        model.eval()\n", "")),
    *known(
        "unknown-name-ignored",
        "Raise KeyError for a layer that the model does not have.",
        [(UNKNOWN, "pass"), ("        for name in layer_names:\n            handles", "        for name in modules.keys() & set(layer_names):\n            handles")],
        (UNKNOWN, 'raise ValueError(f"no layer {name}")'),
    ),
    *known("message-without-name", "Say in the message which layer is unknown.", (UNKNOWN, 'raise KeyError("unknown layer")')),
    *known("batch-axis-lost", "Keep the axis of the batch: (1, C', H', W').", (KEEP, "output.detach().cpu().clone()[0]")),
    *known("no-batch-axis", "An image (C, H, W) needs a batch axis in front before it enters the model.", ("image if image.ndim == 4 else image.unsqueeze(0)", "image")),
    *known("axis-always-added", "An image (1, C, H, W) has its batch axis already.", ("image if image.ndim == 4 else image.unsqueeze(0)", "image.unsqueeze(0)")),
]  # fmt: skip

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

# --- train_cnn ---------------------------------------------------------------------------------------------------------------------

SEEDED, EPOCHS, MODEL_END = "    torch.manual_seed(seed)\n", "epochs, generator = 3,", "return model.eval()"
OWN = "    train_images, train_labels = to_float(mnist(full=False).train_images[:3000]), mnist(full=False).train_labels[:3000]\n"

TRAIN_CNN = [
    *known("training-mode", "Return the model in eval mode, or dropout and batch norm spoil its answers.", (MODEL_END, "return model.train()")),
    *known("own-data", "Train on the images and labels that are handed over, and on nothing else.", (SEEDED, SEEDED + OWN)),
    *known(
        "too-few-steps",
        "The network has not learned enough: take more steps, with more epochs or smaller batches.",
        [(EPOCHS, "epochs, generator = 1,"), ("batch_size=32", "batch_size=512")],
        ("for _ in range(epochs):", "for _ in range(0):"),
    ),
    *known("returns-more", "Return the model alone.", [(EPOCHS, "epochs, generator = 1,"), (MODEL_END, "return model.eval(), []")]),
]  # fmt: skip
