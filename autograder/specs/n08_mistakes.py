"""Notebook 8, comparison: mistakes known by name, as edits of the reference answers; those of `compare_models` in n08_mistakes_models."""

from autograder.specs.spec import known

# --- count_parameters --------------------------------------------------------------------------------------------------------------

ALL = "for parameter in model.parameters()"
TRAINABLE = "if parameter.requires_grad or not trainable_only"
NUMBER = "parameter.numel()"
DEFAULT = "def count_parameters(model, trainable_only=True):"

COUNT_PARAMETERS = [
    *known(
        "frozen-counted",
        "Frozen parameters (requires_grad=False) are counted although only trainable ones are asked for.",
        (TRAINABLE, ""),
        (DEFAULT, "def count_parameters(model, trainable_only=False):"),
    ),
    *known(
        "trainable-only-always",
        "With trainable_only=False the frozen parameters count as well.",
        (TRAINABLE, "if parameter.requires_grad"),
    ),
    *known(
        "the-wrong-way-round",
        "trainable_only is used the wrong way round.",
        (TRAINABLE, "if parameter.requires_grad or trainable_only"),
    ),
    *known(
        "frozen-only",
        "trainable_only=False asks for all parameters, not for the frozen ones alone.",
        (TRAINABLE, "if parameter.requires_grad == trainable_only"),
    ),
    *known("not-an-int", "Return an int, not a tensor or a float.", (NUMBER, "float(parameter.numel())"), (NUMBER, "torch.tensor(parameter.numel())")),
    *known(
        "shared-twice",
        "A parameter that is used in two places is one parameter: it is counted twice.",
        (ALL, "for module in model.modules() for parameter in module.parameters(recurse=False)"),
        (ALL, "for _, parameter in model.named_parameters(remove_duplicate=False)"),
    ),
    *known(
        "buffers-counted",
        "Buffers, such as batch norm's running statistics, are no parameters.",
        [(ALL, "for parameter in [*model.parameters(), *model.buffers()]")],
        [(ALL, "for parameter in model.state_dict(keep_vars=True).values()")],
    ),
    *known("tensors-counted", "Count the numbers in each tensor, not the tensors.", (NUMBER, "1")),
    *known(
        "biases-left-out",
        "Biases and other vectors are parameters too.",
        (TRAINABLE, TRAINABLE + " and parameter.ndim > 1"),
        (ALL, "for name, parameter in model.named_parameters() if name.endswith('weight')"),
    ),
    *known(
        "only-direct-layers",
        "Layers inside other layers have parameters too: let PyTorch walk through all modules.",
        (ALL, "for layer in model.children() for parameter in layer.parameters(recurse=False)"),
    ),
    *known(
        "first-dimension",
        "len() is the first dimension alone: count all numbers of a tensor.",
        (NUMBER, "(len(parameter) if parameter.ndim else 1)"),
    ),
]

# --- comparison_plots --------------------------------------------------------------------------------------------------------------

XLABEL = 'ax.set(xlabel="epoch", ylabel=label, title=title)'
PLOT = "ax.plot(range(1, len(history[key]) + 1), history[key], label=name)"
POINT = 'ax.scatter(row["parameters"], row["test_accuracy"], label=name)'
LAST = 'ax.set(xlabel="parameters", ylabel="test accuracy (%)", title="Size and accuracy")'
LEGEND = "        ax.legend()\n"
MAKE = "fig, axes = plt.subplots(2, 2, figsize=(10, 7))"
RETURN = "return fig"
KEYS = '("val_acc", "validation accuracy (%)", "Validation accuracy")'

COMPARISON_PLOTS = [
    *known(
        "no-axis-labels",
        "An axis without a label says nothing: name both axes of every panel, with units.",
        [(XLABEL, "ax.set(title=title)"), (LAST, 'ax.set(title="Size and accuracy")')],
        (XLABEL, "ax.set(ylabel=label, title=title)"),
        (XLABEL, 'ax.set(xlabel="epoch", title=title)'),
        (LAST, 'ax.set(title="Size and accuracy")'),
    ),
    *known("no-titles", "Every panel needs a title.", [(XLABEL, 'ax.set(xlabel="epoch", ylabel=label)'), (LAST, 'ax.set(xlabel="parameters", ylabel="test accuracy (%)")')]),
    *known(
        "no-legend",
        "Every panel needs a legend that says which model is which.",
        (LEGEND, "        pass\n"),
        [(LEGEND, "        pass\n"), (RETURN, "axes[0, 0].legend()\n    return fig")],
        [(LEGEND, "        pass\n"), (RETURN, "fig.legend(list(histories))\n    return fig")],
    ),
    *known(
        "points-swapped",
        "In the last panel the parameters stand along x and the test accuracy along y: they have changed places.",
        (POINT, 'ax.scatter(row["test_accuracy"], row["parameters"], label=name)'),
    ),
    *known(
        "validation-accuracy-for-test",
        "The last panel shows the test accuracy, not the validation accuracy.",
        (POINT, 'ax.scatter(row["parameters"], row["best_val_accuracy"], label=name)'),
    ),
    *known(
        "names-and-rows-mixed-up",
        "`results` is sorted by accuracy, the histories are not: look each model up by its name, not by its place.",
        ("row = results.loc[name]", "row = results.iloc[list(histories).index(name)]"),
    ),
    *known("training-loss-twice", "One panel is for the validation loss: it shows the training loss once more.", ('("val_loss",', '("train_loss",')),
    *known("loss-for-accuracy", "One panel is for the validation accuracy.", (KEYS, '("val_loss", "validation accuracy (%)", "Validation accuracy")')),
    *known("axes-returned", "Return the Figure, not its axes, and not None.", (RETURN, "return axes"), (RETURN, "plt.show()")),
    *known("one-row", "The four panels stand in two rows and two columns.", (MAKE, MAKE.replace("2, 2", "1, 4") + "\n    axes = axes.reshape(2, 2)"), (MAKE, MAKE.replace("2, 2", "4, 1") + "\n    axes = axes.reshape(2, 2)")),
    *known(
        "cut-short",
        "The histories may differ in length: draw each of them to its end.",
        (PLOT, "length = min(len(other[key]) for other in histories.values())\n            ax.plot(range(1, length + 1), history[key][:length], label=name)"),
        (PLOT, "ax.plot(range(1, len(history[key])), history[key][:-1], label=name)"),
    ),
    *known("one-model", "Every model belongs into every panel.", (PLOT, PLOT + "\n            break")),
]  # fmt: skip

# --- attention_cost ----------------------------------------------------------------------------------------------------------------

RNN = "return 4 * length * dim**2  # two products with d×d matrices a step, 2d² operations each"
ATTENTION = "return 4 * length**2 * dim  # QKᵀ and weights·V, 2n²d operations each"
CROSSOVER = "return dim + 1"

ATTENTION_COST = [
    *known(
        "linear-attention",
        "Every position looks at every other: attention costs grow with the square of the length, not with the length.",
        (ATTENTION, "return 4 * length * dim"),
        (ATTENTION, "return 4 * length * dim**2"),
    ),
    *known("one-matrix", "A recurrent step has two products: input to state, and state to state.", (RNN, "return 2 * length * dim**2")),
    *known("one-product", "Attention multiplies twice: QKᵀ, and the weights with V.", (ATTENTION, "return 2 * length**2 * dim")),
    *known(
        "multiplications-only",
        "A multiplication and an addition are two operations: a product of a vector with a d×d matrix takes 2d².",
        [(RNN, "return 2 * length * dim**2"), (ATTENTION, "return 2 * length**2 * dim")],
    ),
    *known(
        "projections-counted",
        "Count QKᵀ and weights·V alone: the projections are left out here.",
        (ATTENTION, "return 4 * length**2 * dim + 8 * length * dim**2"),
        (ATTENTION, "return 4 * length**2 * dim + 6 * length * dim**2"),
    ),
    *known("softmax-counted", "Count the two matrix products alone, not the softmax.", (ATTENTION, "return 4 * length**2 * dim + 3 * length**2"), (ATTENTION, "return 4 * length**2 * dim + 5 * length**2")),
    *known("length-and-width-swapped", "Length and width have changed places.", [(RNN, "return 4 * dim * length**2"), (ATTENTION, "return 4 * dim**2 * length")]),
    *known("quadratic-recurrence", "A recurrent layer reads every step once: its cost grows with the length alone.", (RNN, "return 4 * length**2 * dim**2")),
    *known("equal-counts-as-more", "At this length both cost the same: asked is the smallest length at which attention costs more.", (CROSSOVER, "return dim")),
    *known("not-whole", "Lengths and operations are whole numbers: return an int.", (CROSSOVER, "return float(dim + 1)"), (CROSSOVER, "return dim / 1 + 1"), [(RNN, "return 4.0 * length * dim**2"), (ATTENTION, "return 4.0 * length**2 * dim")]),
]  # fmt: skip

# --- accuracy_interval -------------------------------------------------------------------------------------------------------------

Z = "z = NormalDist().inv_cdf((1 + confidence) / 2)"
CENTRE = "centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)"
HALF = "half = z / (1 + z**2 / total) * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))"
ENDS = "return centre - half, centre + half"
DRAW = "rows = torch.randint(len(difference), (n_resamples, len(difference)), generator=source)"
MEANS = "means = difference[rows].mean(dim=1)"
PERCENTILES = "low, high = torch.quantile(means, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()"
RESULT = "return difference.mean().item(), low, high"
DIFFERENCE = "difference = torch.as_tensor(correct_a).double() - torch.as_tensor(correct_b).double()"
SOURCE = "source = torch.Generator().manual_seed(seed)"
UNPAIRED = (
    "a, b = torch.as_tensor(correct_a).double(), torch.as_tensor(correct_b).double()\n"
    "    other = torch.randint(len(difference), (n_resamples, len(difference)), generator=source)\n"
    "    means = a[rows].mean(dim=1) - b[other].mean(dim=1)"
)

ACCURACY_INTERVAL = [
    *known(
        "normal-approximation",
        "This is the normal approximation p ± z·√(p(1-p)/n): at 0 and at all correct its width is 0. Use Wilson's formula.",
        [(CENTRE, "centre = p"), (HALF, "half = z * math.sqrt(p * (1 - p) / total)")],
        [(CENTRE, "centre = p"), (HALF, "half = z * math.sqrt(p * (1 - p) / total)"), (ENDS, "return max(centre - half, 0.0), min(centre + half, 1.0)")],
    ),
    *known("centre-not-moved", "Wilson's interval is not centred at p: its centre is drawn towards one half.", (CENTRE, "centre = p")),
    *known("denominator-missing", "Both the centre and the half width are divided by 1 + z²/n.", [(CENTRE, "centre = p + z**2 / (2 * total)"), (HALF, "half = z * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))")]),
    *known("one-sided", "The interval has two ends: half of what is left of the confidence lies beyond each of them.", (Z, "z = NormalDist().inv_cdf(confidence)")),
    *known("confidence-ignored", "The argument confidence is not used.", (Z, "z = 1.96"), (Z, "z = NormalDist().inv_cdf(0.975)")),
    *known(
        "percent",
        "Return fractions between 0 and 1, not percent.",
        (ENDS, "return 100 * (centre - half), 100 * (centre + half)"),
        (RESULT, "return 100 * difference.mean().item(), 100 * low, 100 * high"),
    ),
    *known("agresti-coull", "This is the interval of Agresti and Coull, which has Wilson's centre but is wider.", (HALF, "half = z * math.sqrt(centre * (1 - centre) / (total + z**2))")),
    *known(
        "unpaired-resampling",
        "Both models answered the same samples: draw rows once, and take both models' answers from them. Here each model is resampled by itself.",
        (MEANS, UNPAIRED),
    ),
    *known("difference-reversed", "The difference is mean(a) - mean(b): it has the wrong sign.", (DIFFERENCE, "difference = torch.as_tensor(correct_b).double() - torch.as_tensor(correct_a).double()")),
    *known("five-percent-each-side", "95 % lie between the 2.5th and the 97.5th percentile.", (PERCENTILES, PERCENTILES.replace("[0.025, 0.975]", "[0.05, 0.95]"))),
    *known("reflected", "This is the reflected (basic) bootstrap: the ends asked for are the percentiles themselves.", (RESULT, "mean = difference.mean().item()\n    return mean, 2 * mean - high, 2 * mean - low")),
    *known("not-seeded", "The resampling does not follow the seed.", (SOURCE, "source = None"), (SOURCE, "source = torch.Generator().manual_seed(0)")),
    *known("ends-swapped", "The low end comes first.", (ENDS, "return centre + half, centre - half"), (RESULT, "return difference.mean().item(), high, low")),
    *known("centre-and-half-width", "Return both ends of the interval, not its centre and half its width.", (ENDS, "return centre, half")),
    *known(
        "percent-for-fractions",
        "NumPy's percentile counts to 100, a quantile to 1: here both ends lie within the lowest percent.",
        (PERCENTILES, PERCENTILES.replace("[0.025, 0.975]", "[0.00025, 0.00975]")),
    ),
    *known("resamples-ignored", "The argument n_resamples is not used.", (DRAW, DRAW.replace("(n_resamples,", "(1000,"))),
    *known(
        "same-rows-each-time",
        "Every resample draws the same rows: make the generator once, before the first of them.",
        (DRAW, "rows = torch.stack([torch.randint(len(difference), (len(difference),), generator=source.manual_seed(seed)) for _ in range(n_resamples)])"),
    ),
    *known(
        "normal-ends",
        "The ends are percentiles of the resampled differences, not the mean and a multiple of their standard deviation.",
        (PERCENTILES, "low, high = (means.mean() - 1.96 * means.std(correction=0)).item(), (means.mean() + 1.96 * means.std(correction=0)).item()"),
    ),
    *known(
        "only-where-they-differ",
        "All samples count, those too that both models get right, or both wrong.",
        (SOURCE, SOURCE + "\n    difference = difference[difference != 0] if difference.any() else difference"),
        [(SOURCE, SOURCE + "\n    whole = difference.mean()\n    difference = difference[difference != 0] if difference.any() else difference"), (RESULT, "return whole.item(), low, high")],
    ),
    *known("mean-of-resamples", "The difference is that of the two accuracies as they are, not the mean of the resampled ones.", (RESULT, "return means.mean().item(), low, high")),
    *known(
        "counts-for-fractions",
        "Return fractions: differences of accuracies, not of numbers of samples.",
        [(MEANS, "means = difference[rows].sum(dim=1)"), (RESULT, "return difference.sum().item(), low, high")],
    ),
    *known("centred-at-zero", "The interval lies around the difference: do not take the difference away from it.", (RESULT, "mean = difference.mean().item()\n    return mean, low - mean, high - mean")),
    *known("mean-over-resamples", "One mean for each resample: average over its samples, not over the resamples.", (MEANS, "means = difference[rows].mean(dim=0)")),
    *known(
        "without-replacement",
        "A bootstrap draws with replacement: a permutation has the same mean each time.",
        (DRAW, "rows = torch.stack([torch.randperm(len(difference), generator=source) for _ in range(n_resamples)])"),
    ),
    *known("half-a-sample", "Each resample is as large as the data.", (DRAW, DRAW.replace("(n_resamples, len(difference))", "(n_resamples, len(difference) // 2)"))),
    *known("extremes", "The ends are percentiles, not the smallest and the largest difference.", (PERCENTILES, "low, high = means.min().item(), means.max().item()")),
    *known("standard-error-for-percentiles", "The ends are percentiles of the resampled differences: here they are one standard deviation away.", (PERCENTILES, "low, high = (means.mean() - means.std(correction=0)).item(), (means.mean() + means.std(correction=0)).item()")),
]  # fmt: skip

# --- mixed_precision ---------------------------------------------------------------------------------------------------------------

CAST = "with torch.autocast(inputs.device.type, dtype=dtype):"
DTYPE = "dtype = torch.float16 if wants_half else torch.bfloat16  # float16 needs a scaler"
LOSS = "        loss = criterion(model(inputs), targets)\n"
CLEAR = "    optimizer.zero_grad()\n"
BACK = "    scaler.scale(loss).backward()\n"
UNSCALE = "        scaler.unscale_(optimizer)  # the bound is meant for the true gradients\n"
CLIP = "        nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_norm)\n"
STEP = "    scaler.step(optimizer)\n"
UPDATE = "    scaler.update()\n"
ITEM = "return loss.item()"

MIXED_PRECISION = [
    *known("clip-before-unscale", "The gradients are clipped while they are still multiplied by the scaler's factor: unscale them first.", (UNSCALE, ""), [(UNSCALE, ""), (CLIP, CLIP + "        scaler.unscale_(optimizer)\n")]),
    *known("backward-under-autocast", "The backward pass stands under autocast: leave the context before backward().", [(BACK, ""), (LOSS, LOSS + "        scaler.scale(loss).backward()\n")]),
    *known("no-zero-grad", "Gradients of earlier steps are still there: clear them before the backward pass.", (CLEAR, "")),
    *known("zero-grad-after-backward", "The gradients are cleared after they were computed: clear them before the backward pass.", [(CLEAR, ""), (BACK, BACK + CLEAR)]),
    *known("no-autocast", "The forward pass is not under autocast, or under that of another device type: on the CPU an autocast for CUDA does nothing.", (CAST, "if True:"), (CAST, "with torch.autocast(inputs.device.type, dtype=dtype, enabled=False):"), (CAST, 'with torch.autocast("cuda"):')),
    *known("float16-on-the-cpu", "On the CPU autocast is to use bfloat16.", (DTYPE, "dtype = torch.float16")),
    *known("scaled-loss-returned", "Return the true loss: this one is still multiplied by the scaler's factor.", (ITEM, "return scaler.scale(loss).item()")),
    *known("loss-as-a-tensor", "Return a Python float: a tensor keeps the graph alive.", (ITEM, "return loss"), (ITEM, "return loss.detach()")),
    *known("not-clipped", "The step is taken with gradients that were not clipped to max_norm: clip between the backward pass and the step.", (CLIP, "        pass\n"), [(CLIP, "        pass\n"), (UPDATE, UPDATE + "    if max_norm is not None:\n" + CLIP)]),
    *known("clip-by-value", "max_norm bounds the norm of all gradients together, not each number.", (CLIP, "        nn.utils.clip_grad_value_(model.parameters(), max_norm)\n")),
    *known("scaler-ignored", "The scaler is not used: scale the loss, and let the scaler take the step.", ("if scaler is None:  # a scaler that does nothing saves the branches", "if True:")),
    *known("optimizer-steps-itself", "Let the scaler take the step: it leaves it out when gradients have overflowed.", (STEP, "    optimizer.step()\n")),
    *known("gradients-still-scaled", "The step is taken with gradients that are still multiplied by the scaler's factor.", [(UNSCALE, ""), (STEP, "    optimizer.step()\n")]),
    *known("no-update", "Call scaler.update() after every step: only then does the factor adapt.", (UPDATE, "")),
    *known("update-before-step", "scaler.step() comes before scaler.update(): the update forgets what was unscaled.", [(UPDATE, ""), (STEP, UPDATE + STEP)]),
    *known("bound-of-its-own", "Clip to max_norm, and only where it is given.", (CLIP, CLIP.replace("max_norm=max_norm", "max_norm=1.0")), [("    if max_norm is not None:\n", "    if True:\n"), (CLIP, CLIP.replace("max_norm=max_norm", "max_norm=max_norm or 1.0"))]),
    *known("not-scaled", "Scale the loss before the backward pass: the scaler divides the gradients by its factor all the same.", (BACK, "    scaler.scale(loss)\n    loss.backward()\n"), (BACK, "    loss.backward()\n")),
]  # fmt: skip
