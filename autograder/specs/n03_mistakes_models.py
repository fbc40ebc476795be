"""Notebook 3, convolutional networks: mistakes known by name in models, in looking into them and in training them."""

from autograder.specs.spec import known

LOGITS = "Return raw logits: cross entropy applies the softmax itself."

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
    *known(
        "dropout-in-the-blocks",
        "Dropout stands between fc1 and fc2 alone, not in the blocks or before fc1.",
        (HIDDEN, "x = self.dropout(F.relu(self.fc1(self.dropout(x.flatten(1)))))"),
        (BLOCKS[1], BLOCKS[1] + "\n        x = F.dropout2d(x, 0.25, self.training)"),
    ),
    *known("padding-not-zeros", "Pad with zeros, the default of nn.Conv2d.", (CONVS[0], CONVS[0].replace("padding=1", 'padding=1, padding_mode="reflect"'))),
    *known("other-dropout", "The dropout rate is 0.5.", (DROPOUT, "self.dropout = nn.Dropout(0.2)"), (DROPOUT, "self.dropout = nn.Dropout(0.25)")),
    *known("dropout-on-logits", "Dropout stands before fc2, not after it.", [(HIDDEN, "x = F.relu(self.fc1(x.flatten(1)))"), (CNN_END, "return self.dropout(self.fc2(x))")]),
    *known("batch-flattened", "Flatten each sample by itself, from axis 1 on.", (HIDDEN, "x = self.dropout(F.relu(self.fc1(x.flatten())))")),
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
    *known("error-swallowed", "Do not catch errors of the forward pass: finally alone, without except.", (FINALLY, "    except RuntimeError:\n        pass\n" + FINALLY)),
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

# --- train_cnn ---------------------------------------------------------------------------------------------------------------------

SEEDED, EPOCHS, MODEL_END = "    torch.manual_seed(seed)\n", "epochs, generator = 3,", "return model.eval()"
OWN = "    train_images, train_labels = to_float(mnist(full=False).train_images[:3000]), mnist(full=False).train_labels[:3000]\n"

TRAIN_CNN = [
    *known("training-mode", "Return the model in eval mode, or dropout and batch norm spoil its answers.", (MODEL_END, "return model.train()")),
    *known("own-data", "Train on the images and labels that are handed over, and on nothing else.", (SEEDED, SEEDED + OWN)),
    *known(
        "too-few-steps",
        "The network has not learned enough: let the learning rate fall towards the end, or take more steps, with more epochs or smaller batches.",
        [(EPOCHS, "epochs, generator = 1,"), ("batch_size=32", "batch_size=512")],
        ("for _ in range(epochs):", "for _ in range(0):"),
    ),
    *known("returns-more", "Return the model alone.", [(EPOCHS, "epochs, generator = 1,"), (MODEL_END, "return model.eval(), []")]),
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
    *known("dropout-added", "No dropout is asked for here.", (F6, "f6 = F.dropout(F.relu(self.f6(c5)), 0.5, self.training)")),
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
