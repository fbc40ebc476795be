"""Notebook 2, artificial neural networks: mistakes known by name, as edits of the reference answers; here those in PyTorch."""

from autograder.specs.spec import known

# --- xor_network (each is trained at build time: keep them few) --------------------------------------------------------------------------

HIDDEN = "hidden = torch.sigmoid(self.to_hidden(x))"
OUT = "output = torch.sigmoid(self.to_output(hidden))"
ZERO = "optimizer.zero_grad()"
LOSS = "loss = F.binary_cross_entropy(output, targets)"
SEED = "torch.manual_seed(seed)"
EPOCHS = "range(500)"
FEW = (EPOCHS, "range(3)")  # enough where something else is wrong already

XOR_NETWORK = [
    *known(
        "does-not-learn",
        "These networks have not learned XOR: train longer or faster, and give the targets the shape (4, 1) of the output.",
        FEW,
        [("lr=1.0", "lr=0.001"), (EPOCHS, "range(300)")],
        [("targets = torch.tensor([[0.0], [1.0], [1.0], [0.0]])", "targets = torch.tensor([0.0, 1.0, 1.0, 0.0])"), (LOSS, "loss = ((output - targets) ** 2).mean()"), (EPOCHS, "range(300)")],
    ),
    *known(
        "hidden-before-its-sigmoid",
        "forward returns the hidden values as they are after their sigmoid.",
        [(HIDDEN, "hidden = self.to_hidden(x)"), (OUT, "output = torch.sigmoid(self.to_output(torch.sigmoid(hidden)))")],
    ),
    *known(
        "no-hidden-non-linearity",
        "Without a non-linearity after the hidden layer both layers are one linear map, and that cannot do XOR.",
        (HIDDEN, "hidden = self.to_hidden(x)"),
    ),
    *known(
        "no-zero-grad",
        "Forget the old gradients before each backward pass: without zero_grad they pile up.",
        (ZERO, "pass"),
        [("losses = []", "losses = []\n    " + ZERO), ("        " + ZERO, "        pass")],
    ),
    *known(
        "softmax-over-one-unit",
        "Softmax over a single output is always 1: one probability takes a sigmoid.",
        [(OUT, "output = torch.softmax(self.to_output(hidden), dim=1)"), FEW],
    ),
    *known(
        "raw-output",
        "The output goes through a sigmoid as well.",
        [(OUT, "output = self.to_output(hidden)"), (LOSS, "loss = F.binary_cross_entropy_with_logits(output, targets)")],
        [(OUT, "output = self.to_output(hidden)"), (LOSS, "loss = F.mse_loss(output, targets)"), FEW],
    ),
    *known(
        "hidden-activation",
        "The hidden units are sigmoid units.",
        (HIDDEN, "hidden = torch.tanh(self.to_hidden(x))"),
        [(HIDDEN, "hidden = torch.relu(self.to_hidden(x))"), FEW],
    ),
    *known(
        "hidden-size",
        "The network is 2-4-1: four hidden units, and a bias in both layers.",
        [("nn.Linear(2, 4)", "nn.Linear(2, 2)"), ("nn.Linear(4, 1)", "nn.Linear(2, 1)"), FEW],
        [("nn.Linear(2, 4)", "nn.Linear(2, 8)"), ("nn.Linear(4, 1)", "nn.Linear(8, 1)"), FEW],
        [("nn.Linear(2, 4)", "nn.Linear(2, 4, bias=False)"), FEW],
    ),
    *known(
        "output-alone",
        "forward returns two things: the output and the hidden values.",
        [("return output, hidden", "return output"), ("output, _ = model(inputs)", "output = model(inputs)"), FEW],
    ),
    *known(
        "pair-swapped",
        "forward returns the output first, then the hidden values.",
        [("return output, hidden", "return hidden, output"), ("output, _ = model(inputs)", "_, output = model(inputs)"), FEW],
    ),
    *known("seed-ignored", "Seed torch with the seed that is handed over.", (SEED, "torch.manual_seed(42)")),
    *known(
        "seed-too-late",
        "Seed torch before the model is made: its first weights are drawn then.",
        [(SEED, "pass"), ("losses = []", "torch.manual_seed(seed)\n    losses = []")],
        (SEED, "pass"),
    ),
    *known(
        "losses-not-a-list",
        "losses is the list of all epochs' losses, as floats.",
        ("return model, losses", "return model, losses[-1]"),
        ("losses.append(loss.item())", "losses = [loss.item()]"),
        ("losses.append(loss.item())", "losses.append(loss)"),
    ),
]  # fmt: skip


# --- ann_model ---------------------------------------------------------------------------------------------------------------------------

FLAT = "flat = x.flatten(start_dim=1)"
LOGITS = "logits = self.net(flat)"
BLOCK = "modules += [linear, activation(), nn.Dropout(dropout)]"
LAST = "modules.append(nn.Linear(features, num_classes))"
KAIMING = 'nn.init.kaiming_normal_(module.weight, nonlinearity="relu")'
BIASES = "nn.init.zeros_(module.bias)"
RAW = "Return raw logits: cross entropy applies the softmax itself."
BATCH_LOST = "Flatten each sample, and keep the batch: dimensions from 1 on become one."

ANN_MODEL = [
    *known(
        "softmax-at-the-end",
        RAW,
        (LOGITS, "logits = torch.softmax(self.net(flat), dim=1)"),
        (LOGITS, "logits = torch.log_softmax(self.net(flat), dim=1)"),
        (LOGITS, "logits = torch.sigmoid(self.net(flat))"),
    ),
    *known(
        "dropout-after-the-last-layer",
        "Nothing follows the last linear layer: dropout there sets logits to 0.",
        (LAST, "modules += [nn.Linear(features, num_classes), nn.Dropout(dropout)]"),
    ),
    *known(
        "activation-after-the-last-layer",
        "Nothing follows the last linear layer: an activation there bends the logits.",
        (LAST, "modules += [nn.Linear(features, num_classes), activation()]"),
        (LAST, "modules += [nn.Linear(features, num_classes), activation(), nn.Dropout(dropout)]"),
    ),
    *known(
        "plain-list",
        "Layers in a plain list are not registered: the optimizer finds no parameters. Use nn.Sequential or nn.ModuleList.",
        [("self.net = nn.Sequential(*modules)", "self.net = modules"), (LOGITS, "for module in self.net:\n            flat = module(flat)\n        logits = flat")],
    ),
    *known(
        "batch-lost-in-flatten",
        BATCH_LOST,
        (FLAT, "flat = x.flatten()"),
        (FLAT, "flat = x.reshape(1, -1)"),
    ),
    *known("not-flattened", "Images come as (B, 1, 28, 28): flatten each sample first.", (FLAT, "flat = x")),
    *known(
        "only-28-by-28",
        "The number of inputs is input_size, not always 784: flatten from dimension 1 on.",
        (FLAT, "flat = x.reshape(-1, 784)"),
    ),
    *known(
        "input-size-fixed",
        "The first layer takes input_size inputs, not always 784.",
        ("features = input_size", "features = 784"),
    ),
    *known("classes-fixed", "The last layer has num_classes outputs, not always 10.", (LAST, LAST.replace("num_classes", "10"))),
    *known(
        "norm-added",
        "Between the linear layers stand the activation and dropout alone: no normalisation.",
        (BLOCK, "modules += [linear, nn.BatchNorm1d(size), activation(), nn.Dropout(dropout)]"),
    ),
    *known(
        "no-activation",
        "Between two linear layers an activation is missing: they would be one linear map.",
        (BLOCK, "modules += [linear, nn.Dropout(dropout)]"),
    ),
    *known(
        "activation-ignored",
        "Use the activation that is handed over.",
        (BLOCK, BLOCK.replace("activation()", "nn.ReLU()")),
    ),
    *known("no-dropout", "Dropout follows every activation.", (BLOCK, "modules += [linear, activation()]")),
    *known(
        "dropout-before-activation",
        "Dropout comes after the activation: before it, a dropped unit would still send activation(0).",
        (BLOCK, "modules += [linear, nn.Dropout(dropout), activation()]"),
    ),
    *known(
        "dropout-ignored",
        "Use the dropout rate that is handed over: it is the share that is set to 0.",
        (BLOCK, BLOCK.replace("nn.Dropout(dropout)", "nn.Dropout(0.35)")),
        (BLOCK, BLOCK.replace("nn.Dropout(dropout)", "nn.Dropout()")),
        (BLOCK, BLOCK.replace("nn.Dropout(dropout)", "nn.Dropout(1 - dropout)")),
        ("dropout=0.2, activation", "dropout=0.5, activation"),
    ),
    *known(
        "dropout-on-pixels",
        "The pixels go into the first layer as they are: dropout follows the hidden layers alone.",
        (FLAT, "flat = F.dropout(x.flatten(start_dim=1), 0.2, self.training)"),
    ),
    *known(
        "dropout-in-evaluation",
        "In evaluation mode dropout is off: F.dropout needs training=self.training.",
        (FLAT, "flat = F.dropout(x.flatten(start_dim=1), 0.2)"),
        (LOGITS, "for module in self.net:\n            flat = F.dropout(flat, module.p) if isinstance(module, nn.Dropout) else module(flat)\n"
                 "        logits = flat"),
    ),
    *known(
        "default-weights",
        "The weights are those that nn.Linear draws by itself: draw them anew, Kaiming normal.",
        (KAIMING, "pass"),
    ),
    *known(
        "xavier",
        "Kaiming weights have the standard deviation √(2 / fan_in); Xavier's is √(2 / (fan_in + fan_out)).",
        (KAIMING, "nn.init.xavier_normal_(module.weight)"),
        (KAIMING, "nn.init.xavier_uniform_(module.weight)"),
    ),
    *known(
        "kaiming-otherwise",
        "Kaiming normal by fan_in with gain √2: not uniform, not fan_out, not gain 1.",
        (KAIMING, 'nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")'),
        (KAIMING, 'nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")'),
        (KAIMING, 'nn.init.kaiming_normal_(module.weight, nonlinearity="linear")'),
    ),
    *known(
        "unscaled-weights",
        "The scale of the weights depends on the number of inputs: √(2 / fan_in).",
        (KAIMING, "nn.init.normal_(module.weight)"),
        (KAIMING, "nn.init.normal_(module.weight, std=0.01)"),
        (KAIMING, "nn.init.normal_(module.weight, std=0.02)"),
        (KAIMING, "nn.init.normal_(module.weight, std=2 / module.weight.shape[1])"),
    ),
    *known(
        "last-layer-left-out",
        "The last layer is drawn by the same rule as the others.",
        ("for module in modules:", "for module in modules[:-1]:"),
    ),
    *known("biases-not-zero", "The biases start at 0.", (BIASES, "pass")),
    *known(
        "sizes-not-chained",
        "Each layer takes what the layer before it gives: carry its size on.",
        ("            features = size", "            features = input_size"),
    ),
]  # fmt: skip


# --- modified_ann ------------------------------------------------------------------------------------------------------------------------

SIZES = "sizes = (784, 256, 128, 64)"
NORMED = "blocks += [nn.Linear(fan_in, fan_out), nn.BatchNorm1d(fan_out), nn.GELU()]"
HEAD = "self.head = nn.Linear(sizes[-1], 10)"
COUNT = "parameters = sum(p.numel() for p in ANN(hidden_sizes=hidden_sizes, activation=activation).parameters())"
ACCURACY = "val_accuracy = try_ann(hidden_sizes, activation, dropout, epochs=3)"
QUICK = (ACCURACY, "val_accuracy = 88.0")
MADE_UP = "These parameters are not those of an ANN with such hidden_sizes: count them on the model, weights and biases."

MODIFIED_ANN = [
    *known(
        "same-architecture",
        "This is ANN() again: change the sizes of the layers or the kinds of modules.",
        [(SIZES, "sizes = (784, 512, 256)"), (NORMED, "blocks += [nn.Linear(fan_in, fan_out), nn.ReLU(), nn.Dropout(0.2)]"), QUICK],
        [(SIZES, "sizes = (784, 512, 256)"), (NORMED, "blocks += [nn.Linear(fan_in, fan_out), nn.ReLU(), nn.Dropout(0.5)]"), QUICK],
        [(SIZES, "sizes = (784, 512, 256)"), (NORMED, "blocks += [nn.Linear(fan_in, fan_out), nn.ReLU()]"), QUICK],
    ),
    *known(
        "softmax-at-the-end",
        RAW,
        [("return self.head(self.body(x))", "return self.head(self.body(x)).softmax(dim=1)"), QUICK],
        [("return self.head(self.body(x))", "return self.head(self.body(x)).log_softmax(dim=1)"), QUICK],
    ),
    *known(
        "frozen-parameters",
        "Some parameters never get a gradient, so they never learn: look for requires_grad, detach and no_grad.",
        [(HEAD, HEAD + ".requires_grad_(False)"), QUICK],
        [("return self.head(self.body(x))", "return self.head(self.body(x).detach())"), QUICK],
        [(HEAD, HEAD + "\n        self.body.requires_grad_(False)"), QUICK],
    ),
    *known(
        "made-up-counts",
        MADE_UP,
        [(COUNT, "parameters = 100_000"), QUICK],
        [(COUNT, COUNT.replace("p.numel()", "1")), QUICK],
        [(COUNT, COUNT.replace("ANN(hidden_sizes=hidden_sizes, activation=activation)", "ModifiedANN()")), QUICK],
        [(COUNT, COUNT.replace("parameters())", "parameters() if p.ndim > 1)")), QUICK],
    ),
    *known(
        "fractions",
        "val_accuracy is in percent: 94.5, not 0.945.",
        (ACCURACY, "val_accuracy = 0.88"),
    ),
    *known(
        "too-few-experiments",
        "At least three experiments are asked for.",
        [("experiments.append(entry)", "experiments = [entry]"), QUICK],
        [("experiments.append(entry)", "experiments = [*experiments[-1:], entry]"), QUICK],
    ),
    *known(
        "configurations-alike",
        "Two entries have the same sizes, activation and dropout: each experiment changes something.",
        [('("two layers", (128, 64), nn.ReLU, 0.2)', '("one more time", (32,), nn.ReLU, 0.0)'), QUICK],
        [('entry = {"name": name, "hidden_sizes": hidden_sizes, "activation": activation, "dropout": dropout}', 'entry = {"name": name, "hidden_sizes": (64,), "activation": nn.ReLU, "dropout": 0.2}'), (COUNT, "parameters = 50_890"), QUICK],
    ),
    *known(
        "key-missing",
        "Each dict has the six keys: name, hidden_sizes, activation, dropout, parameters, val_accuracy.",
        [('"parameters": parameters, ', ""), QUICK],
        [('"name": name, ', ""), QUICK],
    ),
]  # fmt: skip
