"""Probes of notebook 2, artificial neural networks.

Answers in NumPy get NumPy arrays (cases hold tensors). Where numbers may rightly differ (initial weights, shuffles, trained networks) the
probe sends what it saw, and the judge beside it turns that into facts.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dlcourse.checks.compare import difference
from dlcourse.checks.observe import Unanswered, watch
from dlcourse.checks.probe import probe
from dlcourse.checks.watch import ACTIVATIONS, BATCH_NORMS, DROPOUTS, LAYER_NORMS, SOFTMAXES


def same(one, other, tolerance=1e-5) -> bool:
    """Whether two tensors agree in shape, dtype and, within a tolerance, in values."""
    return (
        isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and difference(one, other, tolerance) is None
    )


def as_double(value):
    """An array or a tensor as float64, whatever its dtype; anything else as it is."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" else value


# --- perceptron --------------------------------------------------------------------------------------------------------------------


def state_of(unit) -> dict:
    """Weights and bias, whatever container they are in."""
    return {
        "weights": np.asarray(unit.weights, dtype=np.float64).reshape(-1),
        "bias": float(np.asarray(unit.bias, dtype=np.float64).reshape(())) if np.size(unit.bias) == 1 else unit.bias,
    }


def integers(values):
    """Predictions or counts as a list of ints; numbers that are not whole stay what they are."""
    numbers = np.asarray(values).reshape(-1).tolist()
    return [int(number) if number == int(number) else number for number in numbers]


@probe
def new_perceptron(answer, num_inputs):
    """A perceptron that has learned nothing yet."""
    return state_of(answer.Perceptron(num_inputs))


@probe
def perceptron_predictions(answer, weights, bias, X):
    """The predictions of a perceptron whose weights were set from outside."""
    unit = answer.Perceptron(len(weights))
    unit.weights = weights.numpy().reshape(np.shape(unit.weights))
    unit.bias = np.full(np.shape(unit.bias), bias) if np.ndim(unit.bias) else bias
    seen = unit.predict(X.numpy())
    return {"number of dimensions": np.ndim(seen), "predictions": integers(seen)}


@probe
def fitted_perceptron(answer, X, y, options, epochs=None):
    """What `fit` returns, and the perceptron after it."""
    unit = answer.Perceptron(X.shape[1], **options)
    mistakes = unit.fit(X.numpy(), y.numpy(), **({} if epochs is None else {"epochs": epochs}))
    return {
        "mistakes in each epoch": "nothing is returned" if mistakes is None else integers(mistakes),
        **state_of(unit),
        "predictions afterwards": integers(unit.predict(X.numpy())),
    }


# --- xor_network -------------------------------------------------------------------------------------------------------------------

CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def affine_in(values: torch.Tensor, inputs: torch.Tensor) -> bool:
    """Whether values `(N,K)` are an affine function of inputs `(N,D)`."""
    table = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1).double()
    wanted = values.double()
    if not wanted.isfinite().all():
        return False
    residual = table @ (torch.linalg.pinv(table) @ wanted) - wanted
    return bool(residual.abs().max() <= 1e-3 * wanted.abs().max().clamp(min=1.0))


def after(values: torch.Tensor, inputs: torch.Tensor) -> str:
    """In words, which function stands after an affine one: found by undoing it."""
    if affine_in(values, inputs):
        return "nothing: they are linear in their inputs"
    if bool((values == 1).all()) or not values.isfinite().all():
        return "something else"
    if bool(((values > 0) & (values < 1)).all()) and affine_in(torch.logit(values.double()), inputs):
        return "sigmoid"
    if bool((values.abs() < 1).all()) and affine_in(torch.atanh(values.double()), inputs):
        return "tanh"
    return "something else"


def judge_xor_layers(observation):
    """The architecture of XORNet, from what it computes for random points."""
    x, output, hidden = observation["x"], observation["output"], observation["hidden"]
    facts = {"number of parameters": observation["parameters"]}
    for name, seen, wanted in (("output", output, (len(x), 1)), ("hidden", hidden, (len(x), 4))):
        shape = tuple(seen.shape) if isinstance(seen, torch.Tensor) else None
        facts[f"shape of {name}"] = list(shape) if shape is not None else "not a tensor"
        if shape != wanted:
            if shape is not None and shape[:-1] == wanted[:-1]:  # of how many units is told by the parameters
                facts[f"shape of {name}"] = f"a row for each point, but not of {wanted[1]}"
            return facts
    facts["all outputs are 1"] = bool((output == 1).all())
    facts["after the hidden layer stands"] = after(hidden, x)
    facts["after the output layer stands"] = (
        "nothing can be said" if facts["all outputs are 1"] else after(output, hidden)
    )
    return facts


@probe(judge=judge_xor_layers)
def xor_layers(answer, x):
    """Output and hidden values of an XORNet with weights that are not small."""
    torch.manual_seed(0)
    model = answer.XORNet()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.linspace(-2, 1.5, parameter.numel()).reshape(parameter.shape))
        pair = model(x)
    output, hidden = pair if isinstance(pair, (tuple, list)) and len(pair) == 2 else (pair, None)
    return {"x": x, "output": output, "hidden": hidden, "parameters": sum(p.numel() for p in model.parameters())}


class OldGradients:
    """Watches the first steps of every optimizer: is the gradient of the step before still part of the new one?"""

    def __init__(self, steps=6):
        self.steps, self.kept = steps, False
        self.hooks, self.sums, self.before = [], {}, {}

    def __enter__(self):
        self.hooks.append(register_optimizer_step_pre_hook(self._look))
        return self

    def __exit__(self, *error):
        for hook in self.hooks:
            hook.remove()

    def _look(self, optimizer, args, kwargs):
        self.steps -= 1
        for parameter in (entry for group in optimizer.param_groups for entry in group["params"]):
            if self.steps < 0 or parameter.grad is None:
                continue
            if parameter not in self.sums:
                self.hooks.append(parameter.register_hook(lambda gradient, p=parameter: self._add(p, gradient)))
            elif self.before[parameter].abs().max() > 1e-6:
                new, piled_up = self.sums[parameter], self.before[parameter] + self.sums[parameter]
                fresh, old = (torch.allclose(parameter.grad, one, rtol=1e-4, atol=1e-8) for one in (new, piled_up))
                self.kept |= old and not fresh
            self.before[parameter] = parameter.grad.clone()
            self.sums[parameter] = torch.zeros_like(parameter)

    def _add(self, parameter, gradient):
        if self.steps > 0:
            self.sums[parameter] = self.sums[parameter] + gradient.detach()


def judge_xor_training(observation):
    """Whether at least four of five trained networks are right at all corners, whether their losses fell, and what the seed decides."""
    right, fell = 0, True
    for run in observation["runs"]:
        output, losses = run["output"], run["losses"]
        shaped = isinstance(output, torch.Tensor) and output.numel() == 4 and bool(output.isfinite().all())
        learned = shaped and output.reshape(-1).round().tolist() == [0, 1, 1, 0]
        right += learned
        good = isinstance(losses, list) and len(losses) > 1 and all(isinstance(loss, (int, float)) for loss in losses)
        fell &= good and (losses[-1] < losses[0] or not learned)
    starts = [run["losses"][0] if isinstance(run["losses"], list) and run["losses"] else None for run in observation["runs"]]
    starts = [start if isinstance(start, (int, float)) else math.nan for start in [*starts, observation["first loss again"]]]
    return {
        "right at all four corners for at least 4 of 5 seeds": right >= 4,
        "losses are lists of floats that fall": fell,
        "the same seed gives the same first loss": not fell or abs(starts[0] - starts[-1]) < 1e-5,
        "other seeds give other first losses": not fell or max(starts) - min(starts) > 1e-5,
        "old gradients are still there at the next step": observation["kept_old"],
    }


@probe(judge=judge_xor_training)
def xor_training(answer, seeds):
    """What train_xor returns for each seed: outputs at the corners, first and last losses."""
    runs, kept_old = [], False
    for seed in seeds:
        with OldGradients() as gradients:
            model, losses = answer.train_xor(seed=seed)
        kept_old |= gradients.kept
        with torch.no_grad():
            output = model(CORNERS)[0]
        if isinstance(losses, (list, tuple)):
            losses = [
                loss.item() if isinstance(loss, torch.Tensor) and not loss.requires_grad else loss for loss in losses
            ]
            losses = losses[:1] + losses[-1:] if len(losses) > 1 else losses
        runs.append({"output": output, "losses": losses})
    torch.manual_seed(999)  # only a seed that is set before the model is made brings the first run back
    again = answer.train_xor(seed=seeds[0])[1]
    first = again[0] if isinstance(again, (list, tuple)) and again else math.nan
    return {"runs": runs, "kept_old": kept_old, "first loss again": float(first)}


# --- mlp_forward, mlp_backward -------------------------------------------------------------------------------------------------------


def in_numpy(layers) -> list[dict]:
    """Layers of tensors as layers of arrays."""
    return [{name: value.numpy().copy() for name, value in layer.items()} for layer in layers]


def unchanged(layers, before) -> bool:
    """Whether arrays are still what they were, and nothing was put beside them."""
    return len(layers) == len(before) and all(
        layer.keys() == old.keys() and all(np.array_equal(layer[name], old[name]) for name in old)
        for layer, old in zip(layers, before)
    )


@probe
def forward_pass(answer, X, layers):
    """The activations that `mlp_forward` returns, and what it leaves of its arguments."""
    arrays, given, x = in_numpy(layers), in_numpy(layers), X.numpy().copy()
    activations = [as_double(a) for a in answer.mlp_forward(x, arrays)]
    return {
        "number of arrays": len(activations),
        "the first array": activations[0] if activations else "none",
        "the last array": activations[-1] if activations else "none",
        "the arrays between": activations[1:-1],
        "X and layers stay as they are": unchanged(arrays, given) and np.array_equal(x, X.numpy()),
    }


def judge_far(observation, right):
    """Whether activations far from zero are right, and if not, in which way."""
    seen = observation["activations"]
    if len(seen) == len(right) and all(same(one, other, 1e-8) for one, other in zip(seen, right)):
        return {"activations": "right"}
    if any(isinstance(one, torch.Tensor) and not one.isfinite().all() for one in seen):
        return {"activations": "NaN or infinite"}
    return {"activations": seen}


@probe(judge=judge_far)
def forward_far(answer, X, layers):
    """The activations where sums are far from zero."""
    return {"activations": [as_double(a) for a in answer.mlp_forward(X.numpy(), in_numpy(layers))]}


@probe
def backward_pass(answer, X, y, layers):
    """The gradients that `mlp_backward` returns, and what it leaves of the layers."""
    arrays, given = in_numpy(layers), in_numpy(layers)
    gradients = answer.mlp_backward(X.numpy(), y.numpy(), arrays)
    seen = {"number of dicts": len(gradients)}
    for number, entry in enumerate(gradients, start=1):
        for name in ("weights", "bias"):
            seen[f"layer {number}: {name}"] = as_double(entry[name])
    return {**seen, "layers stay as they are": unchanged(arrays, given)}


# --- gradient_descent ----------------------------------------------------------------------------------------------------------------


def judge_epochs(observation, n):
    """Facts about the batches of two epochs, drawn with the same seed, with other global state, and with another seed."""
    first, second = observation["epochs"]
    order = [index for batch in first for index in batch]
    flat = [[index for batch in epoch for index in batch] for epoch in (first, second)]
    return {
        "index arrays of integers": observation["integers"],
        "sizes of the batches": [len(batch) for batch in first],
        "every index once in each epoch": all(sorted(indices) == list(range(n)) for indices in flat),
        "the order is shuffled": order != sorted(order) and order != sorted(order, reverse=True),
        "the second epoch has another order": flat[0] != flat[1],
        "rng in the same state gives the same order": observation["again"] == first,
        "rng in another state gives another order": observation["other"] != first,
    }


@probe(judge=judge_epochs)
def epochs_of_minibatches(answer, n, batch_size, seed):
    """The index arrays of two epochs, and of one with the global generator in another state, and with another seed."""
    kinds = set()

    def epoch(rng):
        arrays = [np.asarray(batch) for batch in answer.minibatches(n, batch_size, rng)]
        kinds.update(array.dtype.kind for array in arrays)
        return [array.reshape(-1).tolist() for array in arrays]

    rng = np.random.default_rng(seed)
    np.random.seed(1)
    epochs = [epoch(rng), epoch(rng)]
    np.random.seed(2)
    return {
        "epochs": epochs,
        "again": epoch(np.random.default_rng(seed)),
        "other": epoch(np.random.default_rng(seed + 1)),
        "integers": kinds <= set("iu"),
    }


def losses_of(layers, X, y):
    """Mean binary cross entropy of a network of sigmoid layers; NaN where the layers do not fit."""
    a = X.double()
    for layer in layers:
        z = a @ torch.as_tensor(layer["weights"]).double() + torch.as_tensor(layer["bias"]).double()
        a = torch.sigmoid(z)
    return F.binary_cross_entropy_with_logits(z.reshape(-1), y.double()).item()


def shapes_of(layers) -> list:
    return [[list(np.shape(layer[name])) for name in ("weights", "bias")] for layer in layers]


def judge_descent(observation, X, y, epochs):
    """How good the best of the returned networks is, and whether the losses are theirs."""
    facts = {
        "number of losses": "one for each epoch",
        "losses are finite floats": True,
        "the last loss fits the returned layers": True,
    }
    real = []
    for run in observation["runs"]:
        losses = run["losses"]
        real.append(losses_of(run["layers"], X, y))
        finite = bool(losses) and all(isinstance(loss, float) and math.isfinite(loss) for loss in losses)
        facts["losses are finite floats"] &= finite
        facts["the last loss fits the returned layers"] &= finite and abs(losses[-1] - real[-1]) < 0.1
        if len(losses) != epochs:
            facts["number of losses"] = len(losses)
    best = min(real, key=lambda loss: math.inf if math.isnan(loss) else loss)
    under = "under 0.2" if best < 0.2 else "between 0.2 and 0.3" if best < 0.3 else "over 0.3, or NaN"
    return {**facts, "mean loss of the returned layers, best seed": under}


@probe(judge=judge_descent)
def descent(answer, X, y, settings, seeds):
    """The layers and losses that `train_mlp` returns for two inputs and one output, for each seed."""
    runs = []
    for seed in seeds:
        layers, losses = answer.train_mlp(X.double().numpy(), y.numpy(), (2, 16, 1), seed=seed, **settings)
        runs.append({
            "layers": [{name: as_double(layer[name]) for name in ("weights", "bias")} for layer in layers],
            "losses": [float(loss) if np.size(loss) == 1 else "not a number" for loss in losses],
        })  # fmt: skip
    return {"runs": runs}


def as_tensor(value):
    return torch.as_tensor(value).double()


def stepped(layers, X, y, lr):
    """Layers after one step against the gradient of the mean loss."""
    leaves = [{name: as_tensor(value).clone().requires_grad_() for name, value in layer.items()} for layer in layers]
    z = a = X.double()
    for layer in leaves:
        z = a @ layer["weights"] + layer["bias"]
        a = torch.sigmoid(z)
    F.binary_cross_entropy_with_logits(z.reshape(-1), y.double()).backward()
    return [{name: (value - lr * value.grad).detach() for name, value in layer.items()} for layer in leaves]


def epoch_in_words(before, after, X, y, batch_size, lr) -> tuple[str, str]:
    """What the updates of one epoch are, and in which order the samples came, found by trying all orders."""

    def arrives(order, lr, all_samples=False) -> bool:
        layers = before
        for start in range(0, len(order), batch_size):
            rows = slice(None) if all_samples else list(order[start : start + batch_size])
            layers = stepped(layers, X[rows], y[rows], lr)
        return all(same(as_tensor(new[name]), old[name], 1e-7) for new, old in zip(after, layers) for name in old)

    orders = list(itertools.permutations(range(len(X))))
    if arrives(orders[0], lr, all_samples=True) and batch_size < len(X):
        return "the gradient of all samples, for every batch", ""
    for words, rate in (("minus lr times the gradient of the batch", lr), ("plus lr times the gradient of the batch", -lr)):
        if found := next((order for order in orders if arrives(order, rate)), None):
            return words, str(found)
    return "something else", ""


def judge_steps(observation, X, y, batch_size, lr):
    """What the updates are, and whether epochs differ in their order."""
    states = observation["layers after each epoch"]
    found = [epoch_in_words(*pair, X, y, batch_size, lr) for pair in zip(states, states[1:])]
    facts = {"an update is": next((words for words, _ in found if not words.startswith("minus")), found[0][0])}
    if batch_size == 1 and facts["an update is"].startswith("minus"):
        facts["epochs come in different orders"] = len({order for _, order in found}) > 1
    return facts


@probe(judge=judge_steps)
def steps_of_descent(answer, X, y, batch_size, lr, epochs, seed):
    """The layers at the start (a learning rate of 0) and after one, two, ... epochs, all from the same seed."""
    runs = [(0.0, 1), *((lr, count) for count in range(1, epochs + 1))]
    states = [answer.train_mlp(X.double().numpy(), y.numpy(), (2, 3, 1), batch_size, rate, count, seed)[0] for rate, count in runs]
    return {
        "layers after each epoch": [
            [{name: as_double(layer[name]) for name in ("weights", "bias")} for layer in layers] for layers in states
        ]
    }


@probe
def short_descent(answer, X, y, layer_sizes, batch_size, seed):
    """Shapes, and what the seed decides, in runs of two epochs; weights and losses with a learning rate of 0."""

    def run(seed, lr=0.5, batch_size=batch_size):
        return answer.train_mlp(X.double().numpy(), y.numpy(), tuple(layer_sizes), batch_size, lr, 2, seed)

    def equal(one, other):
        return all(np.array_equal(a[name], b[name]) for a, b in zip(one, other) for name in ("weights", "bias"))

    (layers, losses), (again, _), (other, _) = run(seed), run(seed), run(seed + 1)
    start, still = run(seed, lr=0.0, batch_size=len(X) // 4)  # batches of one size: a mean of their means will do
    right = losses_of([{name: as_double(layer[name]) for name in ("weights", "bias")} for layer in start], X, y)
    biases = [np.asarray(layer["bias"]) for layer in start]
    moved = {
        name: all(not np.array_equal(layer[name], old[name]) for layer, old in zip(layers, start))
        for name in ("weights", "bias")
    }
    return {
        "shapes of weights and bias": shapes_of(layers),
        "number of losses": len(losses),
        "with lr 0 the losses are the mean loss over all samples": all(
            np.size(loss) == 1 and abs(float(loss) - right) < 1e-3 for loss in still
        ),
        "the same seed gives the same layers": equal(layers, again),
        "another seed gives other layers": not equal(layers, other),
        "weights and biases of all layers move": list(moved.values()),
        "biases start at 0": not any(bias.any() for bias in biases),
        "all weights of a layer start alike": any(np.ptp(np.asarray(layer["weights"])) == 0 for layer in start),
    }


# --- ann_model ---------------------------------------------------------------------------------------------------------------------


def run_and_listen(model, x):
    """Logits, and for each linear layer that runs, in this order, its weight, bias, input and output."""
    heard = []

    def listen(layer, inputs, output):
        entry = {"weight": layer.weight, "bias": layer.bias, "input": inputs[0], "output": output}
        heard.append({name: None if value is None else value.detach().clone() for name, value in entry.items()})

    hooks = [module.register_forward_hook(listen) for module in model.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        logits = model(x)
    for hook in hooks:
        hook.remove()
    return logits, heard


@probe
def ann_shapes(answer, options, shape):
    """Number of parameters, and the shape of the logits, or the name of the exception, for a batch of images."""
    model = answer.ANN(**options).eval()
    seen = {"number of parameters": sum(parameter.numel() for parameter in model.parameters())}
    try:
        seen["shape of the logits"] = list(model(torch.rand(*shape)).shape)
    except (RuntimeError, ValueError, IndexError) as error:
        if isinstance(error, NotImplementedError):
            raise
        seen["shape of the logits"] = "none: the batch does not fit"
    return seen


def judge_layers(observation, x, activation, sizes):
    """What stands before, between and after the linear layers in evaluation mode."""
    heard, logits = observation["heard"], observation["logits"]
    facts = {"linear layers that ran, (in, out)": [list(entry["weight"].shape)[::-1] for entry in heard]}
    if facts["linear layers that ran, (in, out)"] != sizes:
        return facts
    function = getattr(nn, activation)().eval()
    facts["the first linear layer gets"] = "the pixels" if same(heard[0]["input"], x.flatten(1)) else "something else"
    between = []
    for entry, following in zip(heard, heard[1:]):
        z, got = entry["output"], following["input"]
        between.append(activation if same(got, function(z)) else "nothing" if same(got, z) else "something else")
    facts["between the linear layers stands (evaluation mode)"] = between
    z = heard[-1]["output"]
    ends = {
        "raw logits": z, "softmax of them": z.softmax(1), "log-softmax of them": z.log_softmax(1), "sigmoid of them": z.sigmoid(),
        "the activation of them": function(z),
    }  # fmt: skip
    facts["the output is"] = next((name for name, right in ends.items() if same(logits, right)), "something else")
    return facts


@probe(judge=judge_layers)
def ann_layers(answer, options, activation, x):
    """Logits and the linear layers' inputs and outputs, in evaluation mode."""
    model = answer.ANN(**options, activation=getattr(nn, activation)).eval()
    logits, heard = run_and_listen(model, x)
    return {"logits": logits, "heard": heard}


def dropped(before: torch.Tensor, function, got: torch.Tensor, p: float) -> str:
    """In words, what random zeros stand between a linear layer and the next."""
    smooth = function(before)
    if same(got, smooth):
        return "no dropout"
    if got.shape != smooth.shape or not got.isfinite().all():
        return "something else"
    zeros = (got == 0) & (smooth != 0)
    kept = ~zeros
    share = zeros.float().mean().item()
    if same(got[kept], smooth[kept] / (1 - p), 1e-4):
        if abs(share - p) < 0.08:
            return "dropout after the activation"
        return "dropout with another share of zeros"
    if same(got[kept], smooth[kept], 1e-4):
        return "zeros without rescaling"
    if share > 0.02 and float((got[kept] / smooth[kept]).std()) < 1e-3:
        return "dropout with another p"
    if (at_zero := got == function(torch.zeros(()))).float().mean().item() > 0.02:
        return (
            "dropout before the activation"
            if same(got[~at_zero], function(before / (1 - p))[~at_zero], 1e-4)
            else "something else"
        )
    return "something else"


def judge_dropout(observation, x, activation, p, layers):
    """Where dropout stands in training mode, and what is left of it in evaluation mode."""
    heard, logits = observation["heard"], observation["logits"]
    if len(heard) != layers:
        return {"linear layers that ran": len(heard)}
    function = getattr(nn, activation)().eval()
    between = [dropped(entry["output"], function, following["input"], p) for entry, following in zip(heard, heard[1:])]
    return {
        "between the linear layers stands (training mode)": between,
        "dropout on the pixels": not same(heard[0]["input"], x.flatten(1)),
        "dropout on the logits": bool(((logits == 0) & (heard[-1]["output"] != 0)).float().mean() > 0.1),
        "two calls in evaluation mode agree": observation["steady"],
    }


@probe(judge=judge_dropout)
def ann_dropout(answer, options, activation, x):
    """The same in training mode, and whether evaluation mode is without chance."""
    model = answer.ANN(**options, activation=getattr(nn, activation)).train()
    logits, heard = run_and_listen(model, x)
    model.eval()
    with torch.no_grad():
        steady = torch.equal(model(x), model(x))
    return {"logits": logits, "heard": heard, "steady": steady}


def kind_of_weights(weight: torch.Tensor) -> str:
    """In words, by which scheme a weight `(out, in)` was drawn: by its standard deviation and its tails."""
    fan_out, fan_in = weight.shape
    std = weight.std().item()
    if std == 0:
        return "all alike"
    shape = "normal" if (weight.abs() > 1.8 * std).float().mean() > 0.03 else "uniform"
    scales = {
        "Kaiming, fan_in, gain √2": math.sqrt(2 / fan_in), "Kaiming, fan_out": math.sqrt(2 / fan_out), "1/√fan_in": 1 / math.sqrt(fan_in),
        "Xavier": math.sqrt(2 / (fan_in + fan_out)), "nn.Linear's default": 1 / math.sqrt(3 * fan_in), "2/fan_in as standard deviation": 2 / fan_in,
        "standard deviation 1": 1.0, "standard deviation 0.01": 0.01, "standard deviation 0.02": 0.02,
    }  # fmt: skip
    name = min(scales, key=lambda name: abs(math.log(std / scales[name])))
    if abs(math.log(std / scales[name])) > 0.05 or abs(weight.mean().item()) > 0.1 * std:
        return "something else"
    return f"{name}, {shape}"


def judge_weights(observation):
    """By which scheme each layer was drawn."""
    facts = {"number of linear layers": len(observation["heard"])}
    for number, entry in enumerate(observation["heard"], start=1):
        facts[f"layer {number}: weights"] = kind_of_weights(entry["weight"])
        facts[f"layer {number}: biases are 0"] = entry["bias"] is not None and not entry["bias"].any()
    return facts


@probe(judge=judge_weights)
def ann_weights(answer, options, activation):
    """The weights of a new ANN, as they are when its layers run."""
    model = answer.ANN(**options, activation=getattr(nn, activation)).eval()
    return {"heard": run_and_listen(model, torch.rand(2, options["input_size"]))[1]}


# --- modified_ann ------------------------------------------------------------------------------------------------------------------

KINDS = (
    *ACTIVATIONS,
    *DROPOUTS,
    *BATCH_NORMS,
    *LAYER_NORMS,
    *SOFTMAXES,
    "convolution",
    "conv2d",
    "max_pool2d",
    "avg_pool2d",
)
DROPOUT_CALLS = {name.strip("_") for name in DROPOUTS} | {"dropout"}


def same_as_ann(model, x) -> bool:
    """Whether a model has the parameters of ANN(), and computes, in evaluation mode, what ANN() would with them."""
    tensors = list(model.parameters())
    shapes = [(512, 784), (512,), (256, 512), (256,), (10, 256), (10,)]
    if [tuple(tensor.shape) for tensor in tensors] != shapes:
        return False
    with torch.no_grad():
        a = x.flatten(1)
        for weight, bias in zip(tensors[::2], tensors[1::2]):
            z = F.linear(a, weight, bias)
            a = F.relu(z)
        seen = model(x)
    return same(seen, z, 1e-4)


@probe
def modified_model(answer, batch):
    """Shape, architecture and parameters of ModifiedANN, and its loss on one batch before and after thirty steps."""
    torch.manual_seed(0)
    model = answer.ModifiedANN().eval()
    x, y = torch.rand(batch, 1, 28, 28), torch.arange(batch) % 10
    criterion = nn.CrossEntropyLoss()
    with watch(*KINDS) as calls:
        logits = model(x)
    softened = logits.ndim == 2 and any(
        bool(((total - right).abs() < 1e-4).all())
        for total, right in ((logits.logsumexp(1), 0.0), (logits.clamp(min=0).sum(1), 1.0))
    )
    seen = {"shape of the logits": list(logits.shape), "the output is": "softmax or log-softmax" if softened else "raw logits"}
    kinds = set(calls.banned) - DROPOUT_CALLS
    seen["the same layers and modules as ANN()"] = same_as_ann(model, x) and kinds <= {"relu", "threshold", "clamp_min"}
    parameters = list(model.parameters())
    if not parameters:
        return {**seen, "parameters": "none: the optimizer would find nothing to train"}
    before = criterion(logits, y).item()
    model.train()
    criterion(model(x), y).backward()
    frozen = [tensor for tensor in parameters if not tensor.requires_grad or tensor.grad is None]
    seen["parameters"] = "some get no gradient" if frozen else "all get a gradient"
    if len(frozen) < len(parameters):
        optimizer = torch.optim.Adam([tensor for tensor in parameters if tensor.requires_grad], lr=1e-3)
        for _ in range(30):
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        seen["the loss on one batch falls in training"] = criterion(model.eval()(x), y).item() < before
    return seen


FIELDS = ("name", "hidden_sizes", "activation", "dropout", "parameters", "val_accuracy")


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def right_counts(hidden_sizes) -> set[int]:
    """How many parameters such an ANN has: without, and with one for each activation (PReLU)."""
    sizes = [784, *hidden_sizes, 10]
    count = sum(fan_in * fan_out + fan_out for fan_in, fan_out in zip(sizes, sizes[1:]))
    return {count, count + len(hidden_sizes)}


def judge_experiments(observation, at_least):
    """Whether the entries have the form asked for, differ, and count their parameters rightly."""
    entries = observation["experiments"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return {"experiments": "not a list of dicts"}
    missing = sorted({field for entry in entries for field in FIELDS if field not in entry})
    facts = {"number of experiments": "enough" if len(entries) >= at_least else len(entries), "missing keys": missing}
    if missing:
        return facts
    shaped = all(
        isinstance(entry["hidden_sizes"], list)
        and all(type(size) is int and size > 0 for size in entry["hidden_sizes"])
        for entry in entries
    )
    facts["hidden_sizes are tuples or lists of ints"] = shaped
    facts["dropout is a number from 0 to below 1"] = all(
        is_number(entry["dropout"]) and 0 <= entry["dropout"] < 1 for entry in entries
    )
    if not shaped:
        return facts
    settings = [str([entry["hidden_sizes"], entry["activation"], entry["dropout"]]) for entry in entries]
    facts["no two configurations are alike"] = len(set(settings)) == len(settings)
    facts["parameters are those of such an ANN"] = all(
        is_number(entry["parameters"]) and entry["parameters"] in right_counts(entry["hidden_sizes"])
        for entry in entries
    )
    accuracies = [entry["val_accuracy"] for entry in entries]
    if not all(is_number(value) and 0 <= value <= 100 for value in accuracies):
        facts["val_accuracy"] = "not numbers from 0 to 100"
    else:
        facts["val_accuracy"] = "fractions, not percent" if max(accuracies, default=0) <= 1 else "in percent"
    return facts


@probe(judge=judge_experiments)
def experiment_list(answer, entries):
    """The list of experiments, at most so many entries of it; activations by name."""
    found = answer.experiments
    if found is ... or found is None or (isinstance(found, (list, tuple)) and len(found) == 0):
        raise Unanswered
    return {"experiments": [named(entry) for entry in found[:entries]]}


def named(entry):
    """An entry whose activation is a name, and whose accuracy is a number."""
    if not isinstance(entry, dict):
        return entry
    kind = entry.get("activation")
    if not isinstance(kind, str):
        kind = getattr(kind, "__name__", type(kind).__name__)
    entry = {**entry, "activation": kind}
    for key in ("val_accuracy", "parameters", "dropout"):
        value = entry.get(key)
        if isinstance(value, (torch.Tensor, np.ndarray)) and np.size(value) == 1:
            entry[key] = value.item()
    return entry


# --- classification_metrics --------------------------------------------------------------------------------------------------------


@probe
def counted(answer, y_true, y_pred, num_classes):
    """The confusion matrix, and whether scikit-learn ran."""
    with watch(modules=("sklearn",)) as calls:
        cm = answer.confusion_matrix(y_true, y_pred, num_classes)
    return {"confusion matrix": cm, "scikit-learn ran": bool(calls.banned)}


@probe
def scored(answer, cm):
    """Precision, recall and F1 of each class."""
    given = cm.clone()
    with watch(modules=("sklearn",)) as calls:
        scores = answer.precision_recall_f1(cm)
    precision, recall, f1 = scores
    return {
        "precision": precision, "recall": recall, "F1": f1, "all three are tensors": all(isinstance(score, torch.Tensor) for score in scores),
        "the matrix stays as it is": torch.equal(cm, given),
        "scikit-learn ran": bool(calls.banned),
    }  # fmt: skip
