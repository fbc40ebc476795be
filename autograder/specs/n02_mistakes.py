"""Notebook 2, artificial neural networks: mistakes known by name, as edits of the reference answers; here those in NumPy."""

from autograder.specs.spec import known

# --- perceptron ------------------------------------------------------------------------------------------------------------------------

WEIGHTS = "self.weights = self.weights + self.learning_rate * error * row"
BIAS = "self.bias = self.bias + self.learning_rate * error"
ERROR = "error = int(target) - int(row @ self.weights + self.bias > 0)"
PREDICT = "return (X @ self.weights + self.bias > 0).astype(int)"
ROWS = "for row, target in zip(X, y):"
APPEND = "            history.append(mistakes)"
BATCH = "Update after every row: the next row is predicted with the new weights, not with those from the start of the epoch."
BIAS_STAYS = "The bias learns too: without it every line goes through the origin."
SIGN = "The error is target minus prediction, and it is added: a 1 taken for 0 raises the sum."
HALF = "The unit answers 1 where the sum is above 0, not above 0.5: that threshold belongs to probabilities."
AT_ZERO = "A sum of exactly 0 gives 0: only above 0 the unit answers 1."

PERCEPTRON = [
    *known(
        "batch-update",
        BATCH,
        [(ROWS, "for row, target, guess in zip(X, y, self.predict(X)):"), (ERROR, "error = int(target) - int(guess)")],
        [
            (ROWS, "for row, target, guess in zip(X, y, self.predict(X)):"),
            (ERROR, "error = int(target) - int(guess)"),
            (WEIGHTS, WEIGHTS + " / len(X)"),
            (BIAS, BIAS + " / len(X)"),
        ],
    ),
    *known(
        "bias-never-updated",
        BIAS_STAYS,
        (BIAS, "pass"),
        [(ERROR, ERROR.replace(" + self.bias", "")), (PREDICT, PREDICT.replace(" + self.bias", "")), (BIAS, "pass")],
        (ERROR, ERROR.replace(" + self.bias", "")),
        (PREDICT, PREDICT.replace(" + self.bias", "")),
    ),
    *known(
        "error-sign",
        SIGN,
        (ERROR, "error = int(row @ self.weights + self.bias > 0) - int(target)"),
        (WEIGHTS, WEIGHTS.replace("+ self.l", "- self.l")),
        (BIAS, BIAS.replace("+ self.l", "- self.l")),
    ),
    *known(
        "threshold-half",
        HALF,
        [(ERROR, ERROR.replace("> 0", "> 0.5")), (PREDICT, PREDICT.replace("> 0", "> 0.5"))],
        (ERROR, ERROR.replace("> 0", "> 0.5")),
        (PREDICT, PREDICT.replace("> 0", "> 0.5")),
    ),
    *known(
        "one-at-zero",
        AT_ZERO,
        [(ERROR, ERROR.replace("> 0", ">= 0")), (PREDICT, PREDICT.replace("> 0", ">= 0"))],
        (ERROR, ERROR.replace("> 0", ">= 0")),
        (PREDICT, PREDICT.replace("> 0", ">= 0")),
    ),
    *known(
        "never-stops",
        "After an epoch without mistakes nothing can change any more: stop there.",
        ("if mistakes == 0:", "if False:"),
    ),
    *known(
        "last-epoch-left-out",
        "The epoch without mistakes is an epoch too: its 0 is the last entry of the list.",
        (APPEND, "            if mistakes:\n                history.append(mistakes)"),
    ),
    *known(
        "mistakes-counted-otherwise",
        "Count how many rows were answered wrongly while the epoch ran, each as 1.",
        ("mistakes += error != 0", "mistakes += error"),
        (APPEND, "            history.append(len(X) - mistakes)"),
        (APPEND, "            mistakes = int((self.predict(X) != y).sum())\n" + APPEND),
        (APPEND, "            history.append(mistakes / len(X))"),
    ),
    *known(
        "learning-rate-ignored",
        "Both updates are scaled by the learning rate.",
        [(WEIGHTS, WEIGHTS.replace("self.learning_rate * ", "")), (BIAS, BIAS.replace("self.learning_rate * ", ""))],
        (WEIGHTS, WEIGHTS.replace("self.learning_rate * ", "")),
        (BIAS, BIAS.replace("self.learning_rate * ", "")),
        ("self.learning_rate = learning_rate", "self.learning_rate = 0.1"),
    ),
    *known(
        "error-of-the-sum",
        "The error is the target minus the answer, which is 0 or 1, not minus the sum: that would be linear regression.",
        (ERROR, "error = target - (row @ self.weights + self.bias)"),
    ),
    *known(
        "nothing-returned",
        "fit returns the list of mistakes.",
        ("        return history", "        self.history = history"),
    ),
    *known(
        "answers-of-minus-one",
        "The answers are 0 and 1, not -1 and 1.",
        (PREDICT, "return np.where(X @ self.weights + self.bias > 0, 1, -1)"),
        [(PREDICT, "return np.where(X @ self.weights + self.bias > 0, 1, -1)"), (ERROR, "error = int(target) - (1 if row @ self.weights + self.bias > 0 else -1)")],
        (PREDICT, "return np.sign(X @ self.weights + self.bias)"),
    ),
    *known(
        "random-start",
        "Weights and bias start at 0 here.",
        ("np.zeros(num_inputs)", "np.random.normal(0, 0.1, num_inputs)"),
        ("np.zeros(num_inputs)", "np.ones(num_inputs)"),
    ),
    *known(
        "rows-shuffled",
        "Go through the rows in the order in which they stand.",
        (ROWS, "for row, target in [(X[i], y[i]) for i in np.random.permutation(len(X))]:"),
        (ROWS, "for row, target in zip(X[::-1], y[::-1]):"),
    ),
]


# --- mlp_forward -----------------------------------------------------------------------------------------------------------------------

SUM = 'z = activations[-1] @ layer["weights"] + layer["bias"]'
SIGMOID = "a = 0.5 * (1 + np.tanh(0.5 * z))  # the sigmoid, without overflow"
KEEP = "activations.append(a)"

MLP_FORWARD = [
    *known("input-left-out", "The list starts with X itself.", ("return activations", "return activations[1:]")),
    *known(
        "last-array-alone",
        "Return all activations, not only the output.",
        ("return activations", "return activations[-1]"),
    ),
    *known("no-bias", "Add the bias to every row.", (SUM, SUM.removesuffix(' + layer["bias"]'))),
    *known(
        "overflow",
        "exp of a large number is infinite, and infinity over infinity is NaN: write the sigmoid with exp(-z), or with tanh.",
        (SIGMOID, "a = np.exp(z) / (1 + np.exp(z))"),
        (SIGMOID, "a = 1 - 1 / (1 + np.exp(z)) * np.exp(z) / np.exp(z)"),
    ),
    *known(
        "last-layer-linear",
        "The sigmoid stands after every layer here, the last one too.",
        (KEEP, "activations.append(z if layer is layers[-1] else a)"),
    ),
    *known("no-sigmoid", "Put the sigmoid after every layer.", (KEEP, "activations.append(z)")),
    *known(
        "other-activation",
        "The activation is the sigmoid, 1 / (1 + exp(-z)).",
        (SIGMOID, "a = np.tanh(z)"),
        (SIGMOID, "a = np.maximum(z, 0)"),
        (SIGMOID, "a = 0.5 * (1 + np.tanh(z))"),
        (SIGMOID, "a = 1 / (1 + np.exp(z.clip(-500, 500)))"),
    ),
    *known(
        "layers-get-X",
        "Every layer gets the output of the layer before it: X goes into the first one alone.",
        (SUM, SUM.replace("activations[-1]", "X")),
    ),
    *known(
        "transposed",
        "The weights are stored as (in, out): no transpose is needed.",
        (SUM, SUM.replace('layer["weights"]', 'layer["weights"].T')),
    ),
]


# --- mlp_backward ----------------------------------------------------------------------------------------------------------------------

OUTPUT = "delta = (activations[-1] - targets) / m"
BACK = 'back = delta @ layer["weights"].T'
THROUGH = "delta = back * a * (1 - a)"
SUM_OF_ROWS = "delta.sum(axis=0, keepdims=True)"
PRODUCT = '"weights": a.T @ delta'
EXTRA = "With cross entropy the output's sigmoid derivative cancels: delta is (a - y) / m, without a factor a(1 - a)."
OF_Z = "The sigmoid's derivative is a(1 - a) in terms of its output a: what you put into it is not the sigmoid's output of that layer."
BY_M = "The loss is a mean over the m samples: divide by m, once."
BIAS_AXIS = "The bias is added to every row, so its gradient is the sum of delta's rows (axis 0), with shape (1, out)."

MLP_BACKWARD = [
    *known(
        "extra-output-derivative",
        EXTRA,
        (OUTPUT, OUTPUT + " * activations[-1] * (1 - activations[-1])"),
        (OUTPUT, OUTPUT + " * 2 * activations[-1] * (1 - activations[-1])"),
    ),
    *known(
        "no-output-derivative",
        "(a - y) / (a(1 - a)) is the gradient of the output a. Delta is that of Z: times a(1 - a), which cancels.",
        (OUTPUT, OUTPUT + " / (activations[-1] * (1 - activations[-1]))"),
    ),
    *known(
        "derivative-of-wrong-place",
        OF_Z,
        (THROUGH, "s = 1 / (1 + np.exp(-a))\n        delta = back * s * (1 - s)"),
        (THROUGH, "z = np.log(np.abs(a / (1 - a)))\n        delta = back * z * (1 - z)"),
        (THROUGH, "delta = back * (1 - a)"),
        (THROUGH, "delta = back * a"),
        (THROUGH, "delta = back * (1 - a**2)"),
    ),
    *known(
        "no-derivative",
        "On the way back delta passes the sigmoid of the layer before: multiply by its derivative, a(1 - a).",
        (THROUGH, "delta = back"),
    ),
    *known("not-divided-by-m", BY_M, (OUTPUT, OUTPUT.replace(" / m", ""))),
    *known(
        "divided-twice",
        BY_M,
        [(PRODUCT, PRODUCT + " / m"), (SUM_OF_ROWS, SUM_OF_ROWS + " / m")],
        (THROUGH, THROUGH + " / m"),
    ),
    *known(
        "mean-over-outputs",
        "The loss is a sum over the outputs: divide by the number of samples alone.",
        (OUTPUT, OUTPUT.replace("/ m", "/ targets.size")),
    ),
    *known(
        "bias-axis",
        BIAS_AXIS,
        (SUM_OF_ROWS, "delta.sum(axis=1, keepdims=True)"),
        (SUM_OF_ROWS, "delta.sum(keepdims=True)"),
        (SUM_OF_ROWS, "delta.sum(axis=1)"),
        (SUM_OF_ROWS, "delta"),
    ),
    *known(
        "bias-mean",
        "Delta holds the 1/m already: sum its rows for the bias, do not average them again.",
        (SUM_OF_ROWS, "delta.mean(axis=0, keepdims=True)"),
    ),
    *known(
        "bias-shape",
        "The bias has shape (1, out), and so has its gradient: keep the dimension when summing.",
        (SUM_OF_ROWS, "delta.sum(axis=0)"),
    ),
    *known(
        "reversed",
        "Return the gradients in the order of the layers: turn the list round.",
        ("gradients[::-1]", "gradients"),
    ),
    *known(
        "targets-broadcast",
        "Outputs (m, 1) minus targets (m,) make (m, m): bring y to the outputs' shape first.",
        ("np.asarray(y).reshape(activations[-1].shape)", "np.asarray(y)"),
    ),
    *known(
        "sign",
        "Delta is output minus target: the other way round is uphill.",
        (OUTPUT, "delta = (targets - activations[-1]) / m"),
    ),
    *known(
        "layers-changed",
        "Only compute gradients here: the layers stay as they are, also while you go back through them.",
        (BACK, 'layer["weights"] -= 0.1 * gradients[-1]["weights"]\n        ' + BACK),
        (BACK, BACK + '\n        layer["weights"] -= 0.1 * gradients[-1]["weights"]'),
        (BACK, BACK + '\n        layer["delta"] = delta'),
    ),
    *known(
        "transposed",
        "A gradient has the shape of its weights, (in, out): the layer's input, transposed, times delta.",
        (PRODUCT, '"weights": delta.T @ a'),
    ),
    *known(
        "wrong-layer-input",
        "The gradient of a layer's weights needs the activations that went into this layer.",
        ("zip(reversed(layers), reversed(activations[:-1]))", "zip(reversed(layers), [X] * len(layers))"),
    ),
]


# --- gradient_descent ------------------------------------------------------------------------------------------------------------------

ORDER = "order = rng.permutation(n)"
STARTS = "range(0, n, batch_size)"
DRAW = "rng.normal(0, scale, (fan_in, fan_out))"
RNG = "rng = np.random.default_rng(seed)"
LOSS = "loss = -(targets * np.log(a) + (1 - targets) * np.log(1 - a)).mean()"
STEP_W = 'layer["weights"] -= lr * gradient["weights"]'
STEP_B = 'layer["bias"] -= lr * gradient["bias"]'
DROPPED = "The last batch takes what is left, however little: no index may be missing."
SAME_ORDER = "Draw a new order from rng in every call: epochs that repeat the same batches learn worse."

GRADIENT_DESCENT = [
    *known(
        "seed-ignored",
        "The weights and the orders are drawn from np.random.default_rng(seed).",
        (RNG, "rng = np.random.default_rng(0)"),
        (RNG, "rng = np.random.default_rng()"),
    ),
    *known(
        "last-batch-dropped",
        DROPPED,
        (STARTS, "range(0, n - batch_size + 1, batch_size)"),
        (STARTS, "range(0, n // batch_size * batch_size, batch_size)"),
    ),
    *known(
        "same-order",
        SAME_ORDER,
        (ORDER, "order = np.arange(n)"),
        (ORDER, "order = np.random.default_rng(0).permutation(n)"),
        ("minibatches(len(X), batch_size, rng)", "minibatches(len(X), batch_size, np.random.default_rng(seed))"),
    ),
    *known(
        "all-samples-each-time",
        "Each update takes the gradient of its own mini-batch, not of all samples.",
        ("mlp_backward(X[rows], y[rows], layers)", "mlp_backward(X, y, layers)"),
    ),
    *known(
        "not-the-plain-step",
        "The step is lr times the gradient of the mean loss over the batch, and nothing else: no momentum, no further factor.",
        [(STEP_W, STEP_W.replace("lr *", "lr / len(rows) *")), (STEP_B, STEP_B.replace("lr *", "lr / len(rows) *"))],
    ),
    *known("global-generator", "Draw the order from the rng that is handed over, not from NumPy's global state.",
              (ORDER, "order = np.random.permutation(n)")),
    *known(
        "with-replacement",
        "Every index comes once an epoch: permute the indices, do not draw them with replacement.",
        (ORDER, "order = rng.integers(n, size=n)"),
        ("yield order[start : start + batch_size]", "yield rng.choice(n, min(batch_size, n - start), replace=False)"),
    ),
    *known(
        "gradient-ascent",
        "Go against the gradient: subtract it.",
        [(STEP_W, STEP_W.replace("-=", "+=")), (STEP_B, STEP_B.replace("-=", "+="))],
    ),
    *known("bias-not-updated", "The biases learn too.", (STEP_B, "pass")),
    *known(
        "loss-for-each-batch",
        "losses has one number for each epoch, not for each batch.",
        ("for layer, gradient in zip(layers, mlp_backward(X[rows], y[rows], layers)):",
         "losses.append(0.1)\n            for layer, gradient in zip(layers, mlp_backward(X[rows], y[rows], layers)):"),
    ),
    *known(
        "loss-not-the-mean",
        "An epoch's loss is the mean binary cross entropy over all samples: not a sum, not of one batch, and y of the outputs' shape.",
        (LOSS, LOSS.replace("mean", "sum")),
        ("targets = y.reshape(a.shape)", "targets = y"),
        (LOSS, "loss = ((targets - a) ** 2).mean()"),
        (LOSS, LOSS.replace(").mean()", ")[rows].mean()")),
    ),
    *known(
        "biases-not-zero",
        "The biases are 0 at first.",
        ("np.zeros((1, fan_out))", "rng.normal(0, 1, (1, fan_out))"),
    ),
    *known(
        "last-loss-alone",
        "losses has one number for each epoch.",
        ("losses.append(float(loss))", "losses = [float(loss)]"),
    ),
    *known(
        "weights-start-alike",
        "If all weights of a layer start alike, its units stay alike for ever: draw them at random.",
        (DRAW, "np.zeros((fan_in, fan_out))"),
        (DRAW, "np.full((fan_in, fan_out), scale)"),
    ),
]  # fmt: skip


# --- classification_metrics ------------------------------------------------------------------------------------------------------------

PAIRS = "pairs = y_true * num_classes + y_pred"
COUNTS = "return counts.reshape(num_classes, num_classes)"
PRECISION = "precision = hits / predicted.clamp(min=1)"
RECALL = "recall = hits / occurring.clamp(min=1)"
F1 = "f1 = 2 * precision * recall / (precision + recall).clamp(min=1e-12)"
ZERO = "Where a class never occurs or is never predicted, its score is 0, not NaN: guard the denominators."
HARMONIC = "F1 is the harmonic mean, 2PR / (P + R): low if either is low."

CLASSIFICATION_METRICS = [
    *known("matrix-transposed", "A row for each true class, a column for each predicted one.",
              (PAIRS, "pairs = y_pred * num_classes + y_true")),
    *known(
        "pairs-counted-once",
        "A pair (true, predicted) that comes several times counts several times: cm[y_true, y_pred] += 1 counts it once.",
        (COUNTS, "return counts.reshape(num_classes, num_classes).clamp(max=1)"),
    ),
    *known(
        "not-counts",
        "The confusion matrix holds counts, as long integers.",
        (COUNTS, "return counts.reshape(num_classes, num_classes).float()"),
        (COUNTS, "return counts.reshape(num_classes, num_classes) / len(y_true)"),
    ),
    *known(
        "only-classes-seen",
        "The matrix has num_classes rows and columns, also where a class does not occur.",
        (COUNTS, "seen = int(max(y_true.max(), y_pred.max())) + 1\n    return counts.reshape(num_classes, num_classes)[:seen, :seen]"),
    ),
    *known(
        "precision-and-recall-swapped",
        "Precision looks down a column (of those called so), recall along a row (of those that are).",
        ("return precision, recall, f1", "return recall, precision, f1"),
        [("predicted = cm.sum(dim=0)", "predicted = cm.sum(dim=1)"), ("occurring = cm.sum(dim=1)", "occurring = cm.sum(dim=0)")],
    ),
    *known(
        "nan",
        ZERO,
        [(PRECISION, "precision = hits / predicted"), (RECALL, "recall = hits / occurring")],
        [(PRECISION, "precision = hits / predicted"), (RECALL, "recall = hits / occurring"), (F1, F1.removesuffix(".clamp(min=1e-12)"))],
        (F1, F1.removesuffix(".clamp(min=1e-12)")),
        (PRECISION, "precision = hits / predicted"),
        (RECALL, "recall = hits / occurring"),
    ),
    *known(
        "f1-not-harmonic",
        HARMONIC,
        (F1, "f1 = (precision + recall) / 2"),
        (F1, F1.replace("2 * ", "")),
        (F1, "f1 = (precision * recall).sqrt()"),
    ),
    *known(
        "one-number-for-all",
        "Return a score for each class, three tensors of length K.",
        ("return precision, recall, f1", "return precision.mean(), recall.mean(), f1.mean()"),
    ),
    *known(
        "all-others",
        "Divide by the column's sum for precision and by the row's for recall, not by all samples.",
        [("predicted = cm.sum(dim=0)", "predicted = cm.sum()"), ("occurring = cm.sum(dim=1)", "occurring = cm.sum()")],
    ),
]  # fmt: skip
