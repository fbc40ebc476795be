"""What goes wrong in notebook 9: edits of the reference answer with option A. Those with B and C stand in n09_mistakes_options."""

from autograder.specs.spec import known

ONE_LOOK = "return tuple((to_float(images, mean, std), labels) for images, labels in split_images())"
STANDARD = "mean, std = statistics()\n        " + ONE_LOOK

DATA = [
    *known(
        "statistics-of-all-data",
        "Take mean and deviation, or the vocabulary, from the training part alone: the test part must stay unseen.",
        ("pixels = to_float(split_images()[0][0])", "pixels = to_float(torch.cat([images for images, _ in split_images()]))"),
        ("pixels = to_float(split_images()[0][0])", "pixels = to_float(split_images()[1][0])"),
    ),
    *known(
        "statistics-of-each-part",
        "Standardise all three parts by the training part's mean and deviation: no part, and no image, by its own.",
        (
            STANDARD,
            "pixels = [(to_float(images), labels) for images, labels in split_images()]\n"
            "        return tuple(((x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True), y) for x, y in pixels)",
        ),
        (
            STANDARD,
            "pixels = [(to_float(images), labels) for images, labels in split_images()]\n"
            "        return tuple(((x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True), y) for x, y in pixels)",
        ),
    ),
    *known(
        "not-standardised",
        "Subtract the training part's mean from the values, and divide by its deviation.",
        (ONE_LOOK, "return tuple((to_float(images), labels) for images, labels in split_images())"),
        (ONE_LOOK, "return tuple((to_float(images, mean), labels) for images, labels in split_images())"),
    ),
    *known(
        "parts-overlap",
        "Validation samples stand in the training part as well: draw the two so that they share nothing.",
        ("val, train = order[: len(order) // 10], order[len(order) // 10 :]", "val, train = order[: len(order) // 10], order"),
        (
            "val, train = order[: len(order) // 10], order[len(order) // 10 :]",
            "val, train = torch.randperm(len(order))[: len(order) // 10], order[len(order) // 10 :]",
        ),
    ),
    *known(
        "test-for-validation",
        "Validate on a piece of the training part: what you choose by the test part, you can no longer test.",
        (
            "return [*parts, (source.test_images, source.test_labels)]",
            "return [parts[0], (source.test_images, source.test_labels), (source.test_images, source.test_labels)]",
        ),
    ),
    *known(
        "test-part-cut",
        "Keep the course's test part whole, and as it is.",
        ("return [*parts, (source.test_images, source.test_labels)]", "return [*parts, (source.test_images[:1000], source.test_labels[:1000])]"),
    ),
    *known(
        "augmented-in-load",
        "Leave the samples as they are in load_data; augment each training batch anew, and never what you validate or test on.",
        (
            ONE_LOOK,
            "first, *others = [(to_float(images, mean, std), labels) for images, labels in split_images()]\n"
            "        return (augment(first[0], torch.Generator().manual_seed(0)), first[1]), *others",
        ),
    ),
    *known(
        "random-without-generator",
        "Draw everything from the generator that augment is given; otherwise a run cannot be repeated.",
        ("torch.rand(len(images), generator=generator)", "torch.rand(len(images))"),
        ("torch.randint(0, 5, (2,), generator=generator)", "torch.randint(0, 5, (2,))"),
    ),
    *known(
        "augments-in-place",
        "Do not write into the images that augment is given: they would change a little more in every epoch.",
        ("images = torch.where(mirrored[:, None, None, None], images.flip(3), images)", "images[mirrored] = images[mirrored].flip(3)"),
    ),
    *known(
        "no-augmentation",
        "augment has to change the images, and differently for every draw.",
        [
            ("return padded[:, :, top : top + images.shape[2], left : left + images.shape[3]]", "return images"),
            ("images = torch.where(mirrored[:, None, None, None], images.flip(3), images)\n", "\n"),
        ],
        [
            ("return padded[:, :, top : top + images.shape[2], left : left + images.shape[3]]", "return images"),
            ("images = torch.where(mirrored[:, None, None, None], images.flip(3), images)\n", "images = images.flip(3)\n"),
        ],
    ),
]

LAST = "nn.Dropout(0.2), nn.Linear(last, 10),"

MODEL = [
    *known(
        "squashed-output",
        "End with the linear layer: after a sigmoid, a tanh or a ReLU the outputs cannot reach all the values that they should.",
        (LAST, "nn.Dropout(0.2), nn.Linear(last, 10), nn.Sigmoid(),"),
    ),
    *known(
        "softmax-in-the-model",
        "End with raw scores: the loss takes the softmax itself.",
        (LAST, "nn.Dropout(0.2), nn.Linear(last, 10), nn.Softmax(dim=1),"),
        (LAST, "nn.Dropout(0.2), nn.Linear(last, 10), nn.LogSoftmax(dim=1),"),
    ),
    *known(
        "cannot-learn",
        "The network cannot learn a dozen samples by heart: look at its first weights, and at what stands between its layers and the loss.",
        [
            (".to(memory_format=torch.channels_last)", ".apply(zeroed)"),
            ("def convolution(", "def zeroed(layer):\n    for parameter in layer.parameters(recurse=False):\n        nn.init.zeros_(parameter)\n\n\ndef convolution("),
        ],
    ),
    *known(
        "too-few-convolutions",
        "Use three convolutions at least.",
        (
            "convolution(second, third), convolution(third, third), nn.MaxPool2d(2),\n            convolution(third, last), nn.AdaptiveMaxPool2d(1), nn.Flatten(),",
            "nn.Flatten(), nn.Linear(second * 7 * 7, last), nn.ReLU(),",
        ),
    ),
    *known(
        "no-batch-norm",
        "Put batch norm after the convolutions.",
        (", nn.BatchNorm2d(outputs), nn.ReLU()", ", nn.ReLU()"),
        ("nn.BatchNorm2d(outputs)", "nn.GroupNorm(1, outputs)"),
    ),
    *known(
        "no-dropout",
        "Put dropout before the last layer.",
        (LAST, "nn.Linear(last, 10),"),
        (LAST, "nn.Dropout(0.0), nn.Linear(last, 10),"),
    ),
    *known(
        "samples-mixed",
        "In eval mode the result for a sample may not depend on the others in its batch: use running statistics.",
        ("nn.BatchNorm2d(outputs)", "nn.BatchNorm2d(outputs, track_running_stats=False)"),
    ),
    *known(
        "random-in-eval-mode",
        "In eval mode the same batch must give the same: switch dropout off, and keep no state from the batch before.",
        [(LAST, "Always(), nn.Linear(last, 10),"), ("def convolution(", "class Always(nn.Module):\n    forward = staticmethod(F.dropout)\n\n\ndef convolution(")],
    ),
    *known(
        "not-made-anew",
        "Make a new network in every call: one that is kept goes on with the weights of the run before.",
        ("    def build_model():", "    @functools.cache\n    def build_model():"),
    ),
    *known(
        "layers-in-a-list",
        "Keep layers in nn.Sequential or nn.ModuleList: PyTorch does not see those in a plain list, and neither eval() nor the optimizer reaches them.",
        [
            ("return nn.Sequential(*layers)", "return Listed(layers)"),
            (
                "def convolution(",
                "class Listed(nn.Module):\n    def __init__(self, layers):\n        super().__init__()\n        self.layers = layers\n\n"
                "    def forward(self, x):\n        return self.layers[2](self.layers[1](self.layers[0](x)))\n\n\ndef convolution(",
            ),
        ],
    ),
    *known(
        "wrong-number-of-scores",
        "Give one score for each of the ten classes.",
        (LAST, "nn.Dropout(0.2), nn.Linear(last, 1),"),
        (LAST, "nn.Dropout(0.2), nn.Linear(last, 2),"),
    ),
    *known(
        "layer-without-effect",
        "A layer is made but has no part in the result, so it never learns: use it, or take it out.",
        (
            "    layers = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()\n    return nn.Sequential(*layers)",
            "    layers = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()\n"
            "    block = nn.Sequential(*layers)\n    block[2].spare = nn.Linear(outputs, outputs)\n    return block",
        ),
    ),
]

ZERO = "            optimizer.zero_grad()\n"
LOAD = 'checkpoint = torch.load(path, map_location="cpu", weights_only=True)'

TRAINING = [
    *known(
        "old-gradients-kept",
        "Drop the old gradients before each backward pass, or they add up.",
        (ZERO, ""),
        [("    for _ in range(epochs):\n", "    for _ in range(epochs):\n        optimizer.zero_grad()\n"), (ZERO, "")],
    ),
    *known(
        "learns-in-eval-mode",
        "Go back to train mode before you learn: otherwise dropout and batch norm stand still.",
        ("        model.train()\n", "        model.eval()\n"),
    ),
    *known(
        "validates-in-train-mode",
        "Validate in eval mode: dropout has to be off, and batch norm has to use its running statistics.",
        (
            'outputs = training.predict(model, val_data[0], device="cpu")',
            "model.train()\n        with torch.no_grad():\n            outputs = model(val_data[0])",
        ),
    ),
    *known(
        "mean-of-batch-means",
        "Let val_loss be the plain loss over all validation samples, cross entropy or (option B) the mean squared error: no smoothing, no sum, and no "
        "mean of the batches' means, as the last batch is smaller.",
        (
            'history["val_loss"].append(loss_of(outputs, val_data[1]).item())',
            'means = [loss_of(o, y).item() for o, y in zip(outputs.split(33), val_data[1].split(33), strict=True)]\n'
            '        history["val_loss"].append(sum(means) / len(means))',
        ),
        (
            'history["val_loss"].append(loss_of(outputs, val_data[1]).item())',
            'history["val_loss"].append(loss_of(outputs, val_data[1]).item() * len(val_data[1]))',
        ),
        ("loss_of(outputs, val_data[1]).item()", "loss_of(outputs, val_data[1], label_smoothing=0.1).item()"),
    ),
    *known(
        "validation-augmented",
        "Augment training batches alone: validate on samples as they are.",
        (
            "training.predict(model, val_data[0]",
            "training.predict(model, augment(val_data[0], generator)",
        ),
    ),
    *known(
        "trained-on-validation-data",
        "Never take a step on validation samples.",
        ("batches(*train_data, batch_size", "batches(*map(torch.cat, zip(train_data, val_data)), batch_size"),
    ),
    *known(
        "seed-ignored",
        "Seed what is random from `seed`: the order of the batches, augmentation, dropout.",
        ("    torch.manual_seed(seed)  # dropout\n", ""),
        (
            "    generator = torch.Generator().manual_seed(seed)\n    rates",
            "    generator = torch.Generator()\n    generator.seed()\n    rates",
        ),
    ),
    *known(
        "history-by-batch",
        "Keep one number an epoch in each list, the mean over the epoch's samples.",
        ("            total += loss.item() * len(y)\n", '            history["train_loss"].append(loss.item())\n'),
    ),
    *known(
        "trains-without-augmentation",
        "In option A, send every training batch through augment, anew in each epoch.",
        ("x = augment(x, generator) if", "x = x if"),
    ),
    *known(
        "copy-trained",
        "Train the network that is handed in, with the optimizer that is handed in: after your train it is as untrained as before.",
        (
            "    torch.manual_seed(seed)  # dropout\n",
            "    import copy\n\n    model = copy.deepcopy(model)\n    torch.manual_seed(seed)\n    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)\n",
        ),
    ),
    *known(
        "no-step",
        "The weights stay as they are: take the optimizer's step after the backward pass.",
        ("            optimizer.step()\n", ""),
    ),
    *known(
        "loads-what-does-not-fit",
        "Load strictly, and look at the keys: a checkpoint of another network must not pass for this one's.",
        ('model.load_state_dict(checkpoint["model"])', 'model.load_state_dict(checkpoint["model"], strict=False)'),
    ),
    *known(
        "buffers-not-saved",
        "Save the network's state_dict: its parameters alone leave out batch norm's running statistics.",
        [
            ('"model": model.state_dict()', '"model": dict(model.named_parameters())'),
            ('model.load_state_dict(checkpoint["model"])', 'model.load_state_dict(checkpoint["model"], strict=False)'),
        ],
    ),
    *known(
        "optimizer-not-restored",
        "Save and restore the optimizer's state too: Adam's moments and the learning rate belong to the run.",
        ('            optimizer.load_state_dict(checkpoint["optimizer"])\n', "            pass\n"),
    ),
    *known(
        "epoch-not-returned",
        "Return the epoch that was saved.",
        ('return checkpoint["epoch"]', "return 0"),
        ('return checkpoint["epoch"]', 'return checkpoint["epoch"] + 1'),
        ('return checkpoint["epoch"]', "return None"),
    ),
    *known(
        "needs-an-optimizer",
        "Let the optimizer be None, in saving and in loading: for predictions there is none.",
        ("state = optimizer.state_dict() if optimizer is not None else None", "state = optimizer.state_dict()"),
        ("        if optimizer is not None:\n", "        if True:\n"),
    ),
    *known(
        "unsafe-load",
        "Load with weights_only=True: otherwise a file can run any code on your machine.",
        (LOAD, 'checkpoint = torch.load(path, map_location="cpu", weights_only=False)'),
    ),
    *known(
        "errors-of-torch",
        "Turn whatever goes wrong in reading the file into a ValueError that names it and says what to do.",
        ("raise ValueError(f\"{path} is no checkpoint of this network: train, and save it anew ({problem})\") from problem", "raise"),
        ("raise ValueError(f\"{path} is no checkpoint of this network: train, and save it anew ({problem})\") from problem", "return 0"),
        ("f\"{path} is no checkpoint of this network: train, and save it anew ({problem})\"", '"this is no checkpoint"'),
    ),
]

LOADED = "    load_checkpoint(networks, None, CHECKPOINT)\n"

PERFORMANCE = [
    *known(
        "unsafe-load",
        "Load with weights_only=True: otherwise a file can run any code on the machine that grades.",
        (LOADED, '    networks.load_state_dict(torch.load(CHECKPOINT, weights_only=False)["model"])\n'),
    ),
    *known(
        "no-better-than-guessing",
        "On new data the networks do little better than a guess: load the checkpoint into them, and prepare raw inputs as in training.",
        (LOADED, ""),
        ("images = to_float(inputs, *statistics())", "images = inputs.float()"),
    ),
    *known(
        "scores-for-labels",
        "Return labels, the place of the highest score in each row, and not the scores.",
        ('images, device="cpu").argmax(dim=1)', 'images, device="cpu")'),
    ),
]
