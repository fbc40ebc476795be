"""Notebook 1, fundamentals: mistakes known by name, as edits of the reference answers; here schedule, data, loop and stopping."""

from autograder.specs.spec import known

# --- lr_schedule -----------------------------------------------------------------------------------------------------------------------

PROGRESS = "progress = (epoch - warmup_epochs) / (max_epochs - warmup_epochs)"
HEIGHT = "height = 0.5 * (1 + math.cos(math.pi * progress))"
WARM = "return lr_max * (epoch + 1) / warmup_epochs"
WARM_TWICE = "The cosine starts where the warm-up ends: both its start and its length leave the warm-up epochs out."
RADIANS = "math.cos takes radians: half a turn is pi, not 180."
HALF_WAVE = "From 1 down to 0 in half a wave: that is (1 + cos(pi * progress)) / 2."

LR_SCHEDULE = [
    *known(
        "degrees",
        RADIANS,
        (HEIGHT, "height = 0.5 * (1 + math.cos(180 * progress))"),
        (HEIGHT, "height = 0.5 * (1 + math.cos(math.radians(math.pi * progress)))"),
        (HEIGHT, "height = 0.5 * (1 + math.cos(progress))"),
    ),
    *known(
        "warm-up-counted-twice",
        WARM_TWICE,
        (PROGRESS, "progress = epoch / max_epochs"),
        (PROGRESS, "progress = (epoch - warmup_epochs) / max_epochs"),
        (PROGRESS, "progress = epoch / (max_epochs - warmup_epochs)"),
        (PROGRESS, "progress = min(1.0, epoch / (max_epochs - warmup_epochs))"),
    ),
    *known(
        "sine",
        HALF_WAVE,
        (HEIGHT, "height = 0.5 * (1 + math.sin(math.pi * progress))"),
        (HEIGHT, "height = math.sin(math.pi * progress)"),
        (HEIGHT, "height = 1 - math.sin(math.pi * progress / 2)"),
        (HEIGHT, "height = 0.5 * (1 - math.sin(math.pi * progress))"),
        (HEIGHT, "height = math.sin(math.pi * progress / 2)"),
    ),
    *known(
        "wrong-part-of-wave",
        HALF_WAVE,
        (HEIGHT, "height = math.cos(math.pi * progress / 2)"),
        (HEIGHT, "height = 0.5 * (1 + math.cos(2 * math.pi * progress))"),
        (HEIGHT, "height = math.cos(math.pi * progress)"),
        (HEIGHT, "height = 1 + math.cos(math.pi * progress)"),
    ),
    *known(
        "rising",
        "The rate falls from lr_max to lr_min: the sign of the cosine is the other way round.",
        (HEIGHT, "height = 0.5 * (1 - math.cos(math.pi * progress))"),
    ),
    *known("straight-line", "The rate falls along a cosine, not along a straight line.", (HEIGHT, "height = 1 - progress")),
    *known(
        "warm-up-from-zero",
        "The first epoch of the warm-up already has lr_max / W: epochs are counted from 0, so add 1.",
        (WARM, "return lr_max * epoch / warmup_epochs"),
    ),
    *known(
        "warm-up-offset",
        "The warm-up rises by lr_max / W an epoch, and reaches lr_max in its last one.",
        (WARM, "return lr_max * (epoch + 1) / (warmup_epochs + 1)"),
        (WARM, "return lr_min + (lr_max - lr_min) * (epoch + 1) / warmup_epochs"),
        (WARM, "return lr_min + (lr_max - lr_min) * epoch / warmup_epochs"),
    ),
    *known(
        "warm-up-one-too-long",
        "At epoch W the warm-up is over, and the cosine begins with lr_max.",
        ("if epoch < warmup_epochs:", "if warmup_epochs and epoch <= warmup_epochs:"),
    ),
    *known(
        "warm-up-ignored",
        "Before epoch W the rate rises in a straight line.",
        ("if epoch < warmup_epochs:", "if False:"),
    ),
    *known(
        "rises-again",
        "After max_epochs the rate stays at lr_min: the cosine would climb again.",
        ("if epoch >= max_epochs:", "if False:"),
    ),
    *known(
        "off-by-one",
        "lr_min is reached at epoch == max_epochs, not one epoch earlier.",
        [
            (PROGRESS, "progress = (epoch - warmup_epochs) / max(1, max_epochs - warmup_epochs - 1)"),
            ("if epoch >= max_epochs:", "if epoch >= max_epochs - 1:"),
        ],
        (PROGRESS, "progress = (epoch - warmup_epochs + 1) / (max_epochs - warmup_epochs)"),
        (PROGRESS, "progress = (epoch - warmup_epochs) / max(1, max_epochs - warmup_epochs - 1)"),
    ),
    *known(
        "lr-min-left-out",
        "The cosine ends at lr_min: it spans lr_max - lr_min, on top of lr_min.",
        ("return lr_min + (lr_max - lr_min) * height", "return lr_max * height"),
        ("return lr_min + (lr_max - lr_min) * height", "return lr_min + lr_max * height"),
        ("return lr_min + (lr_max - lr_min) * height", "return (lr_max - lr_min) * height"),
        ("return lr_min + (lr_max - lr_min) * height", "return max(lr_min, lr_max * height)"),
    ),
]


# --- data_split ------------------------------------------------------------------------------------------------------------------------

SHUFFLE = "order = torch.randperm(n, generator=generator)"
GENERATOR = "generator = torch.Generator().manual_seed(seed)\n    " + SHUFFLE
SIZES = "n_train, n_val = int(fractions[0] * n), int(fractions[1] * n)"
PARTS = "return order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val :]"
SUMS = "if abs(sum(fractions) - 1) > 1e-6:"
RESULT = "return tuple((part - mean) / std for part in (train, *others))"
CONSTANT = "constant = train.amax(dim=0) == train.amin(dim=0)"
FILLED = "std = torch.where(constant, 1.0, std)"
FROM_TRAIN = "Mean and standard deviation come from train alone: whatever is learned from the other parts leaks."
GLOBAL = "A global seed changes the random numbers of everybody else: use a generator of your own."
ZERO_DIVISION = "A constant column has no spread to divide by: leave it centred."
ROUNDED = "The standard deviation of a constant column is not exactly 0 in floating point: compare the column's maximum with its minimum."

DATA_SPLIT = [
    *known(
        "global-seed",
        GLOBAL,
        (GENERATOR, "torch.manual_seed(seed)\n    order = torch.randperm(n)"),
        (GENERATOR, "np.random.seed(seed)\n    order = torch.from_numpy(np.random.permutation(n))"),
        (GENERATOR, "import random\n    random.seed(seed)\n    order = torch.tensor(random.sample(range(n), n))"),
    ),
    *known(
        "other-default-seed",
        "The seed is 42 by default.",
        ("seed=42", "seed=0"),
        ("seed=42", "seed=1"),
    ),
    *known(
        "seed-ignored",
        "The seed has to decide the order: the same one every time it is given.",
        (SHUFFLE, "order = torch.randperm(n)"),
        (GENERATOR, "order = torch.from_numpy(np.random.permutation(n))"),
        (GENERATOR, "order = torch.from_numpy(np.random.default_rng().permutation(n))"),
    ),
    *known(
        "seed-fixed",
        "Use the argument seed: here every seed gives the same order.",
        ("manual_seed(seed)", "manual_seed(42)"),
    ),
    *known(
        "not-shuffled",
        "Shuffle first: data are often sorted by class.",
        (SHUFFLE, "order = torch.arange(n)"),
    ),
    *known(
        "shuffled-within-parts",
        "Shuffle all indices before cutting, not each part afterwards.",
        (
            PARTS,
            "parts = torch.arange(n).split([n_train, n_val, n - n_train - n_val])\n    "
            "return tuple(part[torch.randperm(len(part), generator=generator)] for part in parts)",
        ),
    ),
    *known(
        "sorted-parts",
        "Keep the shuffled order within the parts: do not sort them.",
        (
            PARTS,
            "return tuple(part.sort().values for part in (order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val :]))",
        ),
    ),
    *known(
        "sizes-rounded",
        "The first two parts have int(fraction * n) entries: cut the decimals off, do not round.",
        (SIZES, "n_train, n_val = round(fractions[0] * n), round(fractions[1] * n)"),
        (SIZES, "n_train, n_val = math.ceil(fractions[0] * n), math.ceil(fractions[1] * n)"),
        (SIZES, "n_train, n_val = math.ceil(fractions[0] * n), int(fractions[1] * n)"),
    ),
    *known(
        "cumulative-ends",
        "The second part has int(fraction * n) entries of its own, counted from where the first one ends.",
        (SIZES, "n_train = int(fractions[0] * n)\n    n_val = int((fractions[0] + fractions[1]) * n) - n_train"),
    ),
    *known(
        "samples-lost",
        "The third part takes all that is left, or samples are lost.",
        (
            PARTS,
            "end = n_train + n_val + int(fractions[2] * n)\n"
            "    return order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val : end]",
        ),
        (PARTS, "return order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val : -1]"),
    ),
    *known(
        "parts-overlap",
        "The parts must not share a sample: each starts where the one before ends.",
        (PARTS, "return order[:n_train], order[n_train : n_train + n_val], order[n_train:]"),
        (PARTS, "return order[:n_train], order[:n_val], order[n_train + n_val :]"),
        (PARTS, "return order[:n_train], order[n_train - 1 : n_train - 1 + n_val], order[n_train + n_val :]"),
    ),
    *known(
        "with-replacement",
        "Each index occurs once: draw a permutation, not random numbers.",
        (SHUFFLE, "order = torch.randint(n, (n,), generator=generator)"),
    ),
    *known(
        "fractions-unchecked",
        "Fractions whose sum is not 1 raise ValueError.",
        (SUMS, "if False:"),
        (SUMS, "if sum(fractions) > 1 + 1e-6:"),
        (SUMS, "if sum(fractions) < 1 - 1e-6:"),
        (SUMS, "if sum(fractions) - 1 > 1e-6:"),
    ),
    *known(
        "sum-compared-exactly",
        "0.7 + 0.2 + 0.1 is not exactly 1 in floating point: allow a difference of 1e-6.",
        (SUMS, "if sum(fractions) != 1:"),
    ),
    *known(
        "wrong-exception",
        "Arguments that do not fit raise ValueError; an assert raises AssertionError.",
        (SUMS, "assert abs(sum(fractions) - 1) <= 1e-6\n    if False:"),
    ),
    *known(
        "statistics-from-all-data",
        FROM_TRAIN,
        [
            ("mean = train.mean(dim=0)", "mean = torch.cat([train, *others]).mean(dim=0)"),
            ("std = train.std(dim=0)", "std = torch.cat([train, *others]).std(dim=0)"),
        ],
        ("mean = train.mean(dim=0)", "mean = torch.cat([train, *others]).mean(dim=0)"),
        ("std = train.std(dim=0)", "std = torch.cat([train, *others]).std(dim=0)"),
    ),
    *known(
        "each-part-by-itself",
        "Every part is transformed in the same way, by train's statistics: or the same number would mean different things.",
        (RESULT, "return tuple((part - part.mean(dim=0)) / part.std(dim=0) for part in (train, *others))"),
        (
            RESULT,
            "return tuple((part - part.mean(0)) / torch.where(part.amax(0) == part.amin(0), 1.0, part.std(0)) for part in (train, *others))",
        ),
        (RESULT, "return tuple((part - part.mean(dim=0)) / (part.std(dim=0) + 1e-8) for part in (train, *others))"),
    ),
    *known(
        "arguments-changed",
        "Make new tensors: the arguments belong to the caller, who may need them as they were.",
        (RESULT, "for part in (train, *others):\n        part.sub_(mean).div_(std)\n    return (train, *others)"),
        (RESULT, "for part in (train, *others):\n        part -= mean\n    return tuple(part / std for part in (train, *others))"),
    ),
    *known("division-by-zero", ZERO_DIVISION, (FILLED, "pass"), (FILLED, "std = std + (constant & (std > 0))")),
    *known(
        "std-compared-with-zero",
        ROUNDED,
        (CONSTANT, "constant = std == 0"),
        (CONSTANT, "constant = std < 1e-12"),
    ),
    *known(
        "small-taken-for-constant",
        "A small standard deviation may be a matter of units, such as metres for atoms: constant is a column whose maximum equals its minimum.",
        (CONSTANT, "constant = std < 1e-6"),
        (CONSTANT, "constant = std < 1e-7"),
        (CONSTANT, "constant = std < 1e-8"),
        (CONSTANT, "constant = torch.isclose(std, torch.zeros_like(std))"),
    ),
    *known(
        "eps-added",
        "A small number in the denominator blows a constant column up: the numerator is not exactly 0. Divide by 1 there.",
        (FILLED, "std = std + 1e-8"),
        (FILLED, "std = std + 1e-12"),
        (FILLED, "std = std.clamp(min=1e-8)"),
        (FILLED, "std = std.clamp(min=1e-12)"),
        (FILLED, "std = std + 1e-6"),
        (FILLED, "std = std + 1e-5"),
    ),
    *known(
        "constant-column-zeroed",
        "In the other parts a constant column of train is centred too, not set to zero.",
        (RESULT, "return tuple(torch.where(constant, 0.0, (part - mean) / std) for part in (train, *others))"),
    ),
    *known(
        "constant-column-not-centred",
        "A constant column is centred all the same: only the division is left out.",
        (RESULT, "return tuple(torch.where(constant, part, (part - mean) / std) for part in (train, *others))"),
    ),
    *known(
        "not-per-column",
        "Each column has its own mean and standard deviation: reduce over dimension 0.",
        [("mean = train.mean(dim=0)", "mean = train.mean()"), ("std = train.std(dim=0)", "std = train.std()")],
        (
            RESULT,
            "return tuple((part - part.mean(1, keepdim=True)) / part.std(1, keepdim=True) for part in (train, *others))",
        ),
    ),
    *known(
        "variance-for-std",
        "Divide by the standard deviation, not by the variance.",
        ("std = train.std(dim=0)", "std = train.var(dim=0)"),
    ),
    *known(
        "not-centred",
        "Subtract the mean before you divide.",
        (RESULT, "return tuple(part / std for part in (train, *others))"),
    ),
    *known(
        "not-scaled",
        "Divide by the standard deviation, too.",
        (RESULT, "return tuple(part - mean for part in (train, *others))"),
    ),
    *known(
        "min-max",
        "Standardising is not min-max scaling: subtract the mean, divide by the standard deviation.",
        (RESULT, "return tuple((part - train.amin(0)) / (train.amax(0) - train.amin(0)) for part in (train, *others))"),
    ),
    *known(
        "train-left-out",
        "The result holds train as well, as its first entry.",
        (RESULT, "return tuple((part - mean) / std for part in others)"),
        (RESULT, "return (train - mean) / std, tuple((part - mean) / std for part in others)"),
        (
            RESULT,
            "results = tuple((part - mean) / std for part in (train, *others))\n    return results if others else results[0]",
        ),
    ),
    *known(
        "one-tensor-returned",
        "Return a tuple with a tensor for each argument, not all rows in one tensor.",
        (RESULT, "return torch.cat([(part - mean) / std for part in (train, *others)])"),
    ),
    *known(
        "others-untouched",
        "The other parts are standardised as well.",
        (RESULT, "return ((train - mean) / std, *others)"),
    ),
]


# --- training_loop ---------------------------------------------------------------------------------------------------------------------

TOTAL, COUNT_TRAIN = "total_loss += loss.item() * len(targets)", "return total_loss / count, 100 * correct / count"
TOTAL_EVAL, END_EVAL = (
    "total_loss += criterion(logits, targets).item() * len(targets)",
    "return total_loss / len(all_targets), accuracy, predictions, all_targets",
)
CORRECT = "correct += (logits.argmax(dim=1) == targets).sum().item()"
BATCH_MEANS = "The last batch may be smaller: weigh each batch's loss by its number of samples, and divide by the number of all samples."
NOT_MOVING = "The weights stay as they were: old gradients are dropped first, then comes backward, then the step, in this order."
PERCENT = "The accuracy is in percent, from 0 to 100."
ARGMAX = "Each row holds the logits of one sample: take the argmax over dimension 1."

TRAINING_LOOP = [
    *known(
        "no-zero-grad",
        "Gradients add up from batch to batch: drop the old ones before each backward pass.",
        ("        optimizer.zero_grad()\n", ""),
        [("        optimizer.zero_grad()\n", ""), ("    model.train()\n", "    model.train()\n    optimizer.zero_grad()\n")],
    ),
    *known(
        "weights-do-not-move",
        NOT_MOVING,
        (
            "        optimizer.zero_grad()\n        loss.backward()\n",
            "        loss.backward()\n        optimizer.zero_grad()\n",
        ),
        ("        optimizer.step()\n", ""),
        ("        loss.backward()\n        optimizer.step()\n", "        optimizer.step()\n        loss.backward()\n"),
    ),
    *known(
        "one-step-an-epoch",
        "Make a step for every batch.",
        [("        optimizer.step()\n", ""), ("    " + COUNT_TRAIN, "    optimizer.step()\n    " + COUNT_TRAIN)],
    ),
    *known(
        "mean-of-batch-means",
        BATCH_MEANS,
        [(TOTAL, "total_loss += loss.item()"), (COUNT_TRAIN, "return total_loss / len(loader), 100 * correct / count")],
        [
            (TOTAL_EVAL, "total_loss += criterion(logits, targets).item()"),
            (END_EVAL, "return total_loss / len(loader), accuracy, predictions, all_targets"),
        ],
        [
            (CORRECT, "correct += (logits.argmax(dim=1) == targets).double().mean().item()"),
            (TOTAL, "total_loss += loss.item()"),
            ("count += len(targets)", "count += 1"),
        ],
        [
            (TOTAL_EVAL, "total_loss += criterion(logits, targets).item()"),
            (
                END_EVAL,
                "accuracies = [(a == b).double().mean().item() for a, b in "
                "zip(predictions.split(loader.batch_size), all_targets.split(loader.batch_size), strict=True)]\n"
                "    return total_loss / len(loader), 100 * sum(accuracies) / len(loader), predictions, all_targets",
            ),
        ],
    ),
    *known(
        "batch-means-over-samples",
        "The criterion gives a mean: multiply it by the number of samples of its batch before you add it up.",
        (TOTAL, "total_loss += loss.item()"),
        (TOTAL_EVAL, "total_loss += criterion(logits, targets).item()"),
    ),
    *known(
        "sum-of-losses",
        "Divide the summed loss by the number of samples.",
        (COUNT_TRAIN, "return total_loss, 100 * correct / count"),
        (END_EVAL, "return total_loss, accuracy, predictions, all_targets"),
        [(TOTAL, "total_loss += loss.item()"), (COUNT_TRAIN, "return total_loss, 100 * correct / count")],
        [
            (TOTAL_EVAL, "total_loss += criterion(logits, targets).item()"),
            (END_EVAL, "return total_loss, accuracy, predictions, all_targets"),
        ],
        (COUNT_TRAIN, "return total_loss / len(loader), 100 * correct / count"),
        (END_EVAL, "return total_loss / len(loader), accuracy, predictions, all_targets"),
    ),
    *known(
        "last-batch-only",
        "Add up over all batches: this is the loss of the last one.",
        [(TOTAL, "total_loss = loss.item() * len(targets)"), (COUNT_TRAIN, "return loss.item(), 100 * correct / count")],
        [
            (TOTAL_EVAL, "total_loss = criterion(logits, targets).item()"),
            (END_EVAL, "return total_loss, accuracy, predictions, all_targets"),
        ],
        (COUNT_TRAIN, "return loss.item(), 100 * (logits.argmax(dim=1) == targets).double().mean().item()"),
    ),
    *known(
        "fraction-for-percent",
        PERCENT,
        (COUNT_TRAIN, "return total_loss / count, correct / count"),
        ("accuracy = 100 * (predictions", "accuracy = 1 * (predictions"),
    ),
    *known(
        "accuracy-is-a-count",
        "The accuracy is the share of right predictions, in percent, not their number.",
        (COUNT_TRAIN, "return total_loss / count, correct"),
        (
            "accuracy = 100 * (predictions == all_targets).double().mean().item()",
            "accuracy = (predictions == all_targets).sum().item()",
        ),
    ),
    *known(
        "train-mode-missing",
        "Set training mode: dropout and batch norm act differently there, and the model may come in evaluation mode.",
        ("    model.train()\n", ""),
    ),
    *known(
        "eval-mode-missing",
        "Set evaluation mode: or dropout stays active, and batch norm mixes the samples and changes its running values.",
        ("    model.eval()\n", ""),
        ("    model.eval()\n", "    model.train()\n"),
    ),
    *known(
        "no-grad-missing",
        "Evaluation needs no graph: it costs memory and time. Use torch.no_grad().",
        ("with torch.no_grad():", "with torch.enable_grad():"),
        [("with torch.no_grad():", "with torch.enable_grad():"), ("    model.eval()\n", "")],
    ),
    *known(
        "argmax-over-batch",
        ARGMAX,
        (CORRECT, "correct += (logits.argmax(dim=0) == targets).sum().item()"),
        (CORRECT, "correct += (targets == logits.argmax(dim=0)).sum().item()"),
        ("predictions.append(logits.argmax(dim=1).cpu())", "predictions.append(logits.argmax(dim=0).cpu())"),
    ),
    *known(
        "loss-tensor-kept",
        "Add up numbers, not tensors: loss.item(). Each tensor keeps the graph of its batch in memory.",
        (TOTAL, "total_loss += loss * len(targets)"),
    ),
    *known(
        "logits-returned",
        "The predictions are class indices, the argmax of the logits.",
        [
            ("predictions.append(logits.argmax(dim=1).cpu())", "predictions.append(logits.cpu())"),
            ("accuracy = 100 * (predictions", "accuracy = 100 * (predictions.argmax(1)"),
        ],
        ("predictions.append(logits.argmax(dim=1).cpu())", "predictions.append(logits.max(dim=1).values.cpu())"),
    ),
    *known(
        "two-dimensional-predictions",
        "Predictions and targets are one-dimensional: join the batches end to end.",
        [
            ("logits.argmax(dim=1).cpu()", "logits.argmax(dim=1, keepdim=True).cpu()"),
            ("accuracy = 100 * (predictions", "accuracy = 100 * (predictions.squeeze(1)"),
        ],
        (
            END_EVAL,
            "size = loader.batch_size\n"
            "    return total_loss / len(all_targets), accuracy, list(predictions.split(size)), list(all_targets.split(size))",
        ),
    ),
    *known(
        "last-batch-returned",
        "Collect the predictions and targets of all batches.",
        (END_EVAL, "return total_loss / len(all_targets), accuracy, logits.argmax(dim=1), targets"),
    ),
    *known(
        "results-swapped",
        "The order is: loss, accuracy, predictions, targets.",
        (END_EVAL, "return total_loss / len(all_targets), accuracy, all_targets, predictions"),
        (END_EVAL, "return accuracy, total_loss / len(all_targets), predictions, all_targets"),
        (COUNT_TRAIN, "return 100 * correct / count, total_loss / count"),
    ),
    *known(
        "softmax-before-loss",
        "The criterion wants logits: a softmax before it is one too many.",
        ("loss = criterion(logits, targets)", "loss = criterion(logits.softmax(dim=1), targets)"),
        ("criterion(logits, targets).item()", "criterion(logits.softmax(dim=1), targets).item()"),
    ),
    *known(
        "criterion-ignored",
        "Use the criterion that is handed over: it need not be plain cross entropy.",
        ("loss = criterion(logits, targets)", "loss = F.cross_entropy(logits, targets)"),
        ("criterion(logits, targets).item()", "F.cross_entropy(logits, targets).item()"),
    ),
    *known(
        "trains-in-evaluate",
        "Evaluation must not change the model.",
        (
            TOTAL_EVAL,
            TOTAL_EVAL + "\n            for parameter in model.parameters():\n                parameter.mul_(0.99)",
        ),
    ),
]


# --- early_stopping --------------------------------------------------------------------------------------------------------------------

BETTER = "if val_loss < self.best_loss - self.min_delta:"
COPY = "self.best_weights = copy.deepcopy(model.state_dict())"
STOP = "stop = self.counter >= self.patience"
ALIAS = "The last weights come back, not the best: state_dict() holds the model's own tensors, so keep a deep copy, made on an improvement, and load it into the model itself."
NOT_A_NUMBER = "Every comparison with NaN is False: ask whether the loss is better, and let everything else count as no improvement."

EARLY_STOPPING = [
    *known(
        "weights-aliased",
        ALIAS,
        (COPY, "self.best_weights = model.state_dict()"),
        [(COPY, "pass"), ("        stop =", "        self.best_weights = copy.deepcopy(model.state_dict())\n        stop =")],
    ),
    *known(
        "counter-not-reset",
        "An improvement starts the count anew: patience counts calls in a row.",
        ("            self.counter = 0\n        else", "        else"),
        ("            self.counter = 0\n        else", "            self.counter = max(0, self.counter - 1)\n        else"),
    ),
    *known(
        "all-calls-counted",
        "patience counts calls without an improvement, not all calls.",
        (STOP, "self.calls = getattr(self, 'calls', 0) + 1\n        stop = self.calls >= self.patience"),
    ),
    *known(
        "no-first-improvement",
        "The first number is an improvement: at first best_loss is None or infinity, so that any number is lower.",
        ("math.inf", "0.0"),
        ("math.inf", "math.nan"),
    ),
    *known(
        "nan-stops",
        "NaN is one more call without an improvement: it raises the counter, and does not stop by itself.",
        ("        stop =", "        if math.isnan(val_loss):\n            return True\n        stop ="),
    ),
    *known(
        "relative-min-delta",
        "min_delta is a difference of losses, not a share of the best one.",
        (BETTER, "if val_loss < self.best_loss * (1 - self.min_delta):"),
    ),
    *known(
        "min-delta-in-best",
        "best_loss takes the new loss as it is: min_delta is for the comparison alone.",
        ("self.best_loss = val_loss", "self.best_loss = val_loss - self.min_delta"),
    ),
    *known("other-default", "min_delta is 0 by default.", ("min_delta=0.0", "min_delta=1e-4"), ("min_delta=0.0", "min_delta=0.01")),
    *known(
        "one-call-too-late",
        "Stop once the counter has reached patience: patience calls in a row, not one more.",
        (STOP, "stop = self.counter > self.patience"),
    ),
    *known(
        "one-call-too-early",
        "Stop once the counter has reached patience, not before.",
        (STOP, "stop = self.counter >= self.patience - 1"),
    ),
    *known(
        "counter-starts-at-one",
        "The first call without an improvement makes the counter 1; an improvement sets it to 0.",
        ("            self.counter = 0\n        else", "            self.counter = 1\n        else"),
    ),
    *known(
        "higher-is-better",
        "A loss is better when it is lower.",
        [(BETTER, "if val_loss > self.best_loss + self.min_delta:"), ("math.inf", "-math.inf")],
        (BETTER, "if self.best_loss == math.inf or val_loss > self.best_loss + self.min_delta:"),
        [(BETTER, "if val_loss > self.best_loss - self.min_delta:"), ("math.inf", "-math.inf")],
        (BETTER, "if self.best_loss == math.inf or val_loss > self.best_loss - self.min_delta:"),
        (BETTER, "if val_loss > self.best_loss + self.min_delta:"),
        (BETTER, "if abs(self.best_loss - val_loss) > self.min_delta:"),
    ),
    *known(
        "nan-taken-for-better",
        NOT_A_NUMBER,
        (BETTER, "if not val_loss >= self.best_loss - self.min_delta:"),
    ),
    *known(
        "nan-taken-first",
        "NaN is no improvement, not even in the first call: otherwise nothing can ever be better.",
        (BETTER, "if self.best_loss == math.inf or val_loss < self.best_loss - self.min_delta:"),
    ),
    *known(
        "min-delta-ignored",
        "An improvement has to be larger than min_delta.",
        (BETTER, "if val_loss < self.best_loss:"),
    ),
    *known(
        "min-delta-sign",
        "min_delta makes it harder to improve: the loss must lie below best_loss - min_delta.",
        (BETTER, "if val_loss < self.best_loss + self.min_delta:"),
    ),
    *known(
        "equal-counts-as-better",
        "By *more* than min_delta: an equal loss, or one that is better by just min_delta, is no improvement.",
        (BETTER, "if val_loss <= self.best_loss - self.min_delta:"),
    ),
    *known(
        "compared-with-last",
        "Compare with the best loss so far, not with the one before.",
        ("            self.counter += 1", "            self.counter += 1\n            self.best_loss = val_loss"),
        (BETTER, "last, self.last = getattr(self, 'last', math.inf), val_loss\n        if val_loss < last - self.min_delta:"),
    ),
    *known(
        "best-drifts",
        "best_loss moves only on a real improvement, by more than min_delta: or many small steps never count.",
        (
            "            self.counter += 1",
            "            self.counter += 1\n            self.best_loss = min(self.best_loss, val_loss)",
        ),
    ),
    *known(
        "never-restored",
        "When it stops, the model gets its best weights back.",
        ("model.load_state_dict(self.best_weights)", "pass"),
    ),
    *known(
        "always-restored",
        "restore_best_weights=False asks to leave the weights as they are.",
        ("if stop and self.restore_best_weights and", "if stop and"),
    ),
    *known(
        "restored-before-stopping",
        "The weights come back when training stops, not in every bad epoch.",
        ("if stop and self.restore_best_weights and", "if self.counter and self.restore_best_weights and"),
    ),
    *known(
        "first-weights-kept",
        "Every improvement has new best weights: remember them each time.",
        (COPY, "self.best_weights = self.best_weights or copy.deepcopy(model.state_dict())"),
    ),
    *known(
        "nothing-to-restore",
        "If no loss was ever an improvement, there are no best weights to load.",
        (" and self.best_weights is not None", ""),
    ),
    *known(
        "returns-nothing",
        "Return True to stop and False to go on, in every call.",
        ("return stop", "return True if stop else None"),
    ),
    *known("returns-go-on", "True means stop, not go on.", ("return stop", "return not stop")),
]
