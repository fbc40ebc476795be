"""Probes of notebook 1, fundamentals.

Where numbers may rightly differ (random masks, random weights, shuffles, the correction of a standard deviation) the probe sends what it
saw, and the judge beside it turns that into facts.
"""

import math
import random
import re
import warnings

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dlcourse.checks.compare import TOLERANCE
from dlcourse.checks.observe import gradient, raised, unanswered, watch
from dlcourse.checks.probe import probe
from dlcourse.checks.watch import ACTIVATIONS, BATCH_NORMS, DROPOUTS, LAYER_NORMS, LOSSES, SOFTMAXES


def scattered(tensor: torch.Tensor) -> torch.Tensor:
    """The same values, not contiguous in memory."""
    return tensor.transpose(0, -1).contiguous().transpose(0, -1)


def agree(observed, expected: torch.Tensor, tolerance: float | None = None) -> bool:
    """Whether a tensor has the shape, the dtype and, within a tolerance (the usual one if not given), the values of another one."""
    if not isinstance(observed, torch.Tensor) or (observed.shape, observed.dtype) != (expected.shape, expected.dtype):
        return False
    bound = (tolerance or TOLERANCE[expected.dtype]) * expected.abs().clamp(min=1.0)
    return bool(((observed - expected).abs() <= bound).all())


def as_vector(value):
    """A scalar tensor as a vector of one number, so that its dtype is compared too."""
    return value.reshape(1) if isinstance(value, torch.Tensor) and value.numel() == 1 else value


# --- activations -------------------------------------------------------------------------------------------------------------------


@probe
def activation(answer, name, x, options=None, contiguous=True):
    """Output and gradient of one activation, what it leaves of its input, and whether one of torch's own ran."""
    function, options = getattr(answer, name), options or {}
    if not contiguous:
        x = scattered(x)
    given = x.clone()
    with torch.no_grad():
        function(given, **options)
    leaf = x.requires_grad_()
    with watch(*ACTIVATIONS) as calls:
        output = function(leaf * 1, **options)
    return {
        "output": output,
        "gradient": gradient(output.sum(), leaf),
        "x is left as it was": torch.equal(given, x),
        "ready-made activations that ran": calls.banned,
        "one of torch's own activations ran": bool(calls.banned),
    }


def judge_extremes(observation, right):
    """Whether values far from zero are right, and if not, in which way."""
    output = observation["output"]
    if agree(output, right, 1e-5):
        return {"values far from zero": "right"}
    if isinstance(output, torch.Tensor) and output.shape == right.shape and not output.isfinite().all():
        return {"values far from zero": "NaN" if output.isnan().any() else "infinite"}
    return {"values far from zero": output}


@probe(judge=judge_extremes)
def activation_extremes(answer, name, x):
    """Values of one activation far from zero; gradients are not asked for there."""
    return {"output": getattr(answer, name)(x)}


# --- losses ------------------------------------------------------------------------------------------------------------------------


@probe
def loss_value(answer, name, prediction, target, contiguous=True):
    """A loss, its gradient, and whether a loss or a softmax of torch ran."""
    prediction = (prediction if contiguous else scattered(prediction)).requires_grad_()
    with watch(*LOSSES, "poisson_nll_loss", "gaussian_nll_loss", *SOFTMAXES) as calls:
        loss = getattr(answer, name)(prediction, target)
    return {
        "loss": as_vector(loss),
        "gradient": gradient(loss, prediction),
        "ready-made losses that ran": calls.banned,
        "a loss or softmax of torch ran": bool(calls.banned),
    }


def close(number, right) -> bool:
    return abs(number - right) <= 1e-5 * max(1.0, abs(right))


def judge_far_loss(observation, right, near):
    """Whether the loss of extreme logits is right, and if not, in which way; and that of the same logits, cut to between -2 and 2."""
    loss, moderate = as_number(observation["loss"]), as_number(observation["near"])
    moderate = moderate if isinstance(moderate, (int, float)) else "not one number"
    facts = {"value near zero": "right" if moderate != "not one number" and close(moderate, near) else moderate}
    if not isinstance(loss, (int, float)):
        return {"loss": "not one number", "value": "not one number", **facts}
    if not math.isfinite(loss):
        return {"loss": "NaN or infinite", "value": "NaN or infinite", **facts}
    if close(loss, right):
        return {"loss": "right", "value": "right", **facts}
    return {"loss": "finite, but too small" if loss < right else "finite, but too large", "value": loss, **facts}


@probe(judge=judge_far_loss)
def loss_extremes(answer, name, prediction, target):
    """A loss of logits far from zero, and of the same ones cut to between -2 and 2."""
    function = getattr(answer, name)
    return {"loss": function(prediction, target), "near": function(prediction.clamp(-2, 2), target)}


SHAPE = re.compile(r"[(\[]\s*(\d+(?:\s*,\s*\d+)*)?\s*,?\s*[)\]]")


def judge_shape_errors(observation, shapes):
    """Which exception came for each pair of shapes, and whether its message holds both."""
    facts = {}
    for (name, message), pair in zip(observation["raised"], shapes, strict=True):
        found = [[int(number) for number in re.findall(r"\d+", match.group())] for match in SHAPE.finditer(message)]
        label = " and ".join(str(tuple(shape)) for shape in pair)
        facts[f"{label} raise"] = name
        facts[f"the message for {label} holds both shapes"] = all(shape in found for shape in pair)
    return facts


@probe(judge=judge_shape_errors)
def loss_shapes(answer, name, predictions, targets):
    """The exceptions for predictions and targets of different shapes."""
    function, found = getattr(answer, name), []
    for prediction, target in zip(predictions, targets, strict=True):
        message = [""]

        def call(prediction=prediction, target=target, message=message):
            try:
                function(prediction, target)
            except Exception as error:
                message[0] = str(error)
                raise

        found.append([raised(call), message[0]])
    return {"raised": found}


# --- optimizers --------------------------------------------------------------------------------------------------------------------


@probe
def momentum_steps(answer, params, grads, velocities, rates, options=None, leaves=False):
    """Parameters and velocities after some steps, seen through the tensors that were handed over."""
    params = [param.requires_grad_(leaves) for param in params]
    handed_over, held, returned, kept = list(params), list(velocities), None, True
    for step, rate in enumerate(rates):
        given = [grad.clone() for grad in grads[step]]
        returned = answer.sgd_momentum_step(params, list(given), velocities, rate, **(options or {}))
        kept = kept and all(torch.equal(one, other) for one, other in zip(given, grads[step], strict=True))
    return {
        "parameters": handed_over,
        "velocities": held,
        "the gradients are left as they were": kept,
        "the parameters are leaves that require grad": all(
            param.is_leaf and param.requires_grad for param in handed_over
        )
        == leaves,
        "returned value": returned,
    }


def rosenbrock(p):
    """A flat bent valley with its minimum at (1, 1)."""
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


@probe
def adam_valley(answer, start, steps, options, scale=1.0):
    """The places that Adam visits on Rosenbrock's function, or on a multiple of it."""
    p, places, banned = nn.Parameter(start), [], []

    def watched(call, *args, **kwargs):
        with watch("fused_adam", modules=("torch.optim",)) as calls:  # not the gradient: to watch it takes as long as all the rest
            result = call(*args, **kwargs)
        banned.extend(calls.banned)
        return result

    optimizer = watched(answer.Adam, [p], **options)
    for _ in range(steps):
        (scale * rosenbrock(p)).backward()
        watched(optimizer.step)
        p.grad = None
        places.append(p.detach().clone())
    return {"places": torch.stack(places), "torch.optim ran": bool(banned)}


@probe
def adam_network(answer, sizes, x, y, steps, options):
    """The weights of a small network after some steps of Adam, which gets its parameters as a list, and from a generator."""
    seen = {}
    for source, collect in {"a list": list, "a generator": iter}.items():
        model = nn.Sequential(nn.Linear(sizes[0], sizes[1]), nn.Tanh(), nn.Linear(sizes[1], sizes[2])).to(x.dtype)
        fill(model)
        optimizer = answer.Adam(collect(model.parameters()), **options)
        for _ in range(steps):
            ((model(x) - y) ** 2).mean().backward()
            optimizer.step()
            for parameter in model.parameters():
                parameter.grad = None
        seen[f"weights, parameters from {source}"] = [parameter.detach().clone() for parameter in model.parameters()]
    return seen


@torch.no_grad()
def fill(model, gain=0.8):
    """Fixed weights without a visible pattern, the same on every machine."""
    for number, parameter in enumerate(model.parameters()):
        count = torch.arange(1, parameter.numel() + 1, dtype=torch.float64)
        parameter.copy_((gain * torch.sin(1.7 * count + 0.013 * count**2 + number)).reshape(parameter.shape))


@probe
def adam_gaps(answer, params, grads, options):
    """Parameters after steps in which some gradients are None."""
    params, survived, kept = [nn.Parameter(param) for param in params], True, True
    optimizer = answer.Adam(params, **options)
    try:
        for row in grads:
            for param, grad in zip(params, row, strict=True):
                param.grad = None if grad is None else grad.clone()
            optimizer.step()
            for param, grad in zip(params, row, strict=True):
                kept = kept and (grad is None or (param.grad is not None and torch.equal(param.grad, grad)))
    except (AttributeError, TypeError) as error:
        if unanswered(error):
            raise
        survived = False
    return {
        "parameters": [param.detach().clone() for param in params],
        "step() goes on where a gradient is None": survived,
        "step() leaves the gradients as they were": kept,
    }


def judge_zero_grad(observation):
    """A gradient is gone when it is None or all zeros."""
    gone = [grad is None or (isinstance(grad, torch.Tensor) and not grad.any()) for grad in observation["gradients"]]
    return {"zero_grad() goes on where a gradient is None": observation["survived"], "gradients that are gone": gone}


@probe(judge=judge_zero_grad)
def adam_zero_grad(answer, params, grads):
    """What zero_grad leaves of the gradients; the last parameter has none."""
    params, survived = [nn.Parameter(param) for param in params], True
    optimizer = answer.Adam(params)
    for param, grad in zip(params, grads, strict=True):
        param.grad = grad
    try:
        optimizer.zero_grad()
    except (AttributeError, TypeError) as error:
        if unanswered(error):
            raise
        survived = False
    return {"gradients": [param.grad for param in params], "survived": survived}


# --- initialization ----------------------------------------------------------------------------------------------------------------


def judge_weights(observation, std):
    """The distribution of the weights as facts; random numbers may be drawn in any way."""
    weight = observation["weight"].double()
    deviation = weight - weight.mean()
    ratio = float(deviation.square().mean().sqrt()) / std
    kurtosis = float((deviation**4).mean() / deviation.square().mean().clamp(min=1e-30) ** 2)
    shape = "uniform" if 1.6 < kurtosis < 2.0 else "normal" if 2.6 < kurtosis < 3.6 else "neither uniform nor normal"
    return {
        "the weight is filled in place": observation["changed"],
        "returns the weight": observation["returned"],
        "the weight requires grad and is a leaf, as before": observation["leaf"],
        "mean": "about 0" if abs(float(weight.mean())) < 0.05 * std else "not 0",
        "standard deviation, in units of the right one": 1.0 if abs(ratio - 1) < 0.04 else round(ratio, 3),
        "distribution": shape if observation["changed"] else "unchanged",
        "a second call draws other numbers": observation["anew"],
        "torch.nn.init ran": observation["banned"],
    }


@probe(judge=judge_weights)
def initialized(answer, name, shape, leaf=False, double=False):
    """A weight after its initialisation."""
    weight = torch.full(tuple(shape), 7.0, dtype=torch.float64 if double else torch.float32, requires_grad=leaf)
    with watch(modules=("torch.nn.init",)) as calls:
        result = getattr(answer, name)(weight)
    same = isinstance(result, torch.Tensor) and result.shape == weight.shape and result.data_ptr() == weight.data_ptr()
    first, is_leaf = weight.detach().clone(), weight.is_leaf and weight.requires_grad == leaf
    getattr(answer, name)(weight)
    changed = bool((first != 7.0).any())
    return {
        "weight": first, "changed": changed, "returned": same, "leaf": is_leaf, "banned": bool(calls.banned),
        "anew": not changed or not torch.equal(first, weight.detach()),
    }  # fmt: skip


# --- regularization ----------------------------------------------------------------------------------------------------------------

MODELS = {
    "linear": lambda: nn.Linear(3, 2),
    "two layers": lambda: nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)),
    "convolution and batch norm": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)
    ),
}


@probe
def penalty(answer, name, model, lam):
    """A penalty and its gradient for every parameter."""
    network = MODELS[model]()
    fill(network)
    value = getattr(answer, name)(network, lam)
    return {"penalty": float(value), "gradients": gradient(value, *network.parameters())}


# --- dropout -----------------------------------------------------------------------------------------------------------------------


def judge_dropout(observation, p):
    """What the mask looks like, as facts."""
    x, first, second, grad = (observation[name] for name in ("x", "first", "second", "gradient"))
    if not isinstance(first, torch.Tensor) or first.shape != x.shape or first.dtype != x.dtype:
        return {"output": "not a tensor of the shape and dtype of x"}
    factor, kept = first / x, first != 0
    share = 1 - float(kept.double().mean())
    typical = float(factor[kept].median()) if kept.any() else 0.0
    rows = kept.flatten(1)
    near = {"about p": p, "about 1 - p": 1 - p, "none": 0.0, "all": 1.0}
    return {
        "output": "a tensor of the shape and dtype of x",
        "share of x that is dropped": next(
            (name for name, value in near.items() if abs(share - value) < 0.03), round(share, 1)
        ),
        "what is kept is multiplied by": round(typical, 4),
        "all that is kept is multiplied by the same": bool(
            ((factor[kept] - typical).abs() <= 1e-5 * abs(typical)).all()
        ),
        "each sample has a mask of its own": not bool((rows == rows[0]).all()),
        "each feature of a sample is drawn by itself": all(
            bool((kept != kept.narrow(axis, 0, 1)).any()) for axis in range(1, kept.ndim)
        ),
        "how many are dropped differs from sample to sample": rows.sum(1).unique().numel() > 1,
        "a second call draws another mask": not torch.equal(kept, second != 0),
        "the gradient is what x was multiplied by": agree(grad, factor),
        "x is left as it was": observation["untouched"],
        "a dropout of torch ran": observation["banned"],
    }


@probe(judge=judge_dropout)
def dropout_training(answer, p, shape, double=False):
    """Two calls in training mode on numbers between 0.5 and 2.5; without a p, by default."""
    count = torch.arange(math.prod(shape), dtype=torch.float64)
    x = (
        (1.5 + torch.sin(1.7 * count + 0.013 * count**2))
        .reshape(tuple(shape))
        .to(torch.float64 if double else torch.float32)
    )
    layer, given = (answer.Dropout() if p is None else answer.Dropout(p)).train(), x.clone()
    leaf = x.clone().requires_grad_()
    with watch(*DROPOUTS, "dropout1d", "dropout2d", "dropout3d") as calls:
        first = layer(leaf * 1)
        second = layer(given)
    return {
        "x": x, "first": first, "second": second, "gradient": gradient(first.sum(), leaf),
        "untouched": torch.equal(given, x), "banned": bool(calls.banned),
    }  # fmt: skip


@probe
def dropout_evaluation(answer, p, x):
    """Evaluation, before and after training."""
    layer = answer.Dropout(p)
    before = layer.eval()(x.clone())
    layer.train()(x.clone())
    leaf = x.clone().requires_grad_()
    after = layer.eval()(leaf * 1)
    return {
        "output in evaluation": before,
        "output in evaluation, after training": after,
        "gradient": gradient(after.sum(), leaf),
    }


@probe
def dropout_edges(answer, p, x):
    """Training with p = 0 or p = 1."""
    return {f"output with p = {p}": answer.Dropout(p).train()(x)}


@probe
def dropout_range(answer, allowed, forbidden):
    """Which exception `Dropout(p)` raises."""
    return {f"Dropout({p}) raises": raised(answer.Dropout, p) for p in [*allowed, *forbidden]}


# --- batch_norm and layer_norm -----------------------------------------------------------------------------------------------------

STATE = ("weight", "bias", "running_mean", "running_var")


def make_norm(answer, features, options, double=False):
    """The answer's layer with fixed weight and bias."""
    layer = answer.BatchNorm1d(features, **(options or {}))
    layer = layer.double() if double else layer
    count = torch.arange(features, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(1.5 + torch.sin(count))
        layer.bias.copy_(torch.cos(2 * count))
    return layer


@probe
def norm_state(answer, features):
    """What is a parameter, what a buffer, and the values at first."""
    layer = answer.BatchNorm1d(features)
    parameters, buffers, seen = dict(layer.named_parameters()), dict(layer.named_buffers()), {}
    for name in STATE:
        kind = "parameter" if name in parameters else "buffer" if name in buffers else "neither parameter nor buffer"
        if kind == "buffer" and name not in layer.state_dict():
            kind = "buffer that state_dict() leaves out"
        seen[f"{name} is a"] = kind
        seen[f"{name} at first"] = getattr(layer, name, "missing")
    return seen


@probe
def norm_training(answer, x, options=None, double=False, contiguous=True):
    """Output and gradients in training mode."""
    layer = make_norm(answer, x.shape[1], options, double).train()
    x = (x if contiguous else scattered(x)).requires_grad_()
    with watch(*BATCH_NORMS, "native_batch_norm_legit_functional", "batch_norm_with_update") as calls:
        output = layer(x)
    grads = gradient((output**2).sum() + (output**3).sum() / 10, x, layer.weight, layer.bias)
    return {"output": output, "gradients of x, weight and bias": grads, "a batch norm of torch ran": bool(calls.banned)}


@probe
def norm_running(answer, batches, options=None):
    """The running values after each of several batches."""
    layer, means, variances = make_norm(answer, batches[0].shape[1], options).train(), [], []
    for x in batches:
        layer(x.requires_grad_())
        means.append(layer.running_mean.detach().clone())
        variances.append(layer.running_var.detach().clone())
    held = layer.running_mean.grad_fn is not None or layer.running_var.grad_fn is not None
    return {
        "running mean after each batch": means,
        "running variance after each batch": variances,
        "running values hold a graph": held,
    }


@probe
def norm_evaluation(answer, x, mean, var, options=None):
    """Evaluation with given running values, and what it leaves of them."""
    layer = make_norm(answer, x.shape[1], options)
    with torch.no_grad():
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(var)
    output = layer.eval()(x)
    return {
        "output": output,
        "running mean afterwards": layer.running_mean,
        "running variance afterwards": layer.running_var,
    }


@probe
def layer_normed(answer, x, weight, bias, options=None, contiguous=True):
    """Output and gradients of `layer_norm`."""
    x = (x if contiguous else scattered(x)).requires_grad_()
    weight, bias = weight.requires_grad_(), bias.requires_grad_()
    with watch(*LAYER_NORMS) as calls:
        output = answer.layer_norm(x, weight, bias, **(options or {}))
    grads = gradient((output**2).sum() + (output**3).sum() / 10, x, weight, bias)
    return {"output": output, "gradients of x, weight and bias": grads, "a layer norm of torch ran": bool(calls.banned)}


@probe
def layer_normed_rows(answer, x, weight, bias):
    """Output alone, for rows without any variance."""
    return {"output": answer.layer_norm(x, weight, bias)}


# --- lr_schedule -------------------------------------------------------------------------------------------------------------------


@probe
def rates(answer, epochs, options):
    """The learning rate of each of some epochs."""
    return {f"epoch {epoch}": answer.cosine_lr(epoch, **options) for epoch in epochs}


# --- data_split --------------------------------------------------------------------------------------------------------------------


def next_numbers() -> list[float]:
    """The next random number of each global generator."""
    return [float(torch.rand(1, dtype=torch.float64)), float(np.random.random()), random.random()]


def judge_split(observation, n):
    """Properties of a split; any way of shuffling will do."""
    parts = observation["split"]
    if (
        not isinstance(parts, list)
        or len(parts) != 3
        or not all(isinstance(part, torch.Tensor) and part.ndim == 1 for part in parts)
    ):
        return {"returns": "not three tensors of one dimension"}
    order = torch.cat(parts).tolist()
    facts = {
        "returns": "three tensors of one dimension",
        "dtypes": [str(part.dtype) for part in parts],
        "sizes": [len(part) for part in parts],
        "an index is missing": bool(set(range(n)) - set(order)),
        "an index is not in range(n)": bool(set(order) - set(range(n))),
        "an index is in two parts": sum(len(set(part.tolist())) for part in parts) > len(set(order)),
        "no part holds an index twice": all(len(set(part.tolist())) == len(part) for part in parts),
    }
    if n >= 20:
        again, other = observation["again"], observation["other seed"]
        facts["shuffled across the parts"] = sorted(parts[0].tolist()) != list(range(len(parts[0])))
        facts["shuffled within each part"] = all(
            part.tolist() != sorted(part.tolist()) for part in parts if len(part) > 4
        )
        facts["the same seed gives the same split"] = isinstance(again, list) and torch.cat(again).tolist() == order
        facts["another seed gives another split"] = isinstance(other, list) and torch.cat(other).tolist() != order
    facts["the global generators go on as if nothing had happened"] = observation["after"] == observation["before"]
    return facts


@probe(judge=judge_split)
def split(answer, n, options=None, seed=None):
    """A split, the same again, one with another seed, and the next numbers of the global generators."""
    options = {name: tuple(value) for name, value in (options or {}).items()}
    seeded = options if seed is None else {**options, "seed": seed}
    state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    before = next_numbers()
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])
    random.setstate(state[2])
    first = answer.split_indices(n, **seeded)
    after = next_numbers()
    again = answer.split_indices(n, **{"seed": 42, **seeded})
    other = answer.split_indices(n, **options, seed=977)
    return {"split": first, "again": again, "other seed": other, "before": before, "after": after}


@probe
def split_fractions(answer, n, allowed, forbidden):
    """Which exception `split_indices` raises for some fractions."""
    return {
        f"fractions {fractions} raise": raised(answer.split_indices, n, tuple(fractions))
        for fractions in [*allowed, *forbidden]
    }


def scalings(part, train, data):
    """Ways to standardise the columns that vary: a name, and what comes out, for both corrections."""
    for correction in (1, 0):

        def std(source, correction=correction, **kwargs):
            return source.std(correction=correction, **kwargs)

        yield "train's mean and standard deviation", (part - train.mean(0)) / std(train, dim=0)
        yield "mean and standard deviation of all data together", (part - data.mean(0)) / std(data, dim=0)
        yield "each part's own mean and standard deviation", (part - part.mean(0)) / std(part, dim=0)
        yield (
            "train's mean, and its variance for the standard deviation",
            (part - train.mean(0)) / std(train, dim=0) ** 2,
        )
        yield "one mean and one standard deviation for all columns", (part - train.mean()) / std(train)
        yield "train's standard deviation, without a mean", part / std(train, dim=0)
        yield (
            "each row's mean and standard deviation",
            (part - part.mean(1, keepdim=True)) / std(part, dim=1, keepdim=True),
        )
        for small in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12):
            for spread in (std(train, dim=0) + small, std(train, dim=0).clamp(min=small), (std(train, dim=0) ** 2 + small).sqrt()):
                yield "train's mean, and its standard deviation with a little added", (part - train.mean(0)) / spread
            yield "each part's own mean and standard deviation", (part - part.mean(0)) / (std(part, dim=0) + small)
        yield "the mean of all data, and train's standard deviation", (part - data.mean(0)) / std(train, dim=0)
        yield "train's mean, and the standard deviation of all data", (part - train.mean(0)) / std(data, dim=0)
    yield "train's mean alone", part - train.mean(0)
    yield "train's minimum and maximum", (part - train.amin(0)) / (train.amax(0) - train.amin(0))
    yield "nothing: they are unchanged", part


def constant_columns(seen, part, train):
    """In words, what became of the columns of a part that are constant in train."""
    centred = part - train[:1]
    if agree(seen, centred):
        return "only centred"
    if not seen.isfinite().all():
        return "NaN or infinite"
    if not seen.any():
        return "all zeros, though the values differ from train's"
    if agree(seen, part):
        return "not centred"
    if agree(seen, part + (seen - part)[:1]):
        return "only centred, but not by train's mean"
    place = centred.abs().argmax()
    if centred.any() and agree(seen, centred * (seen.flatten()[place] / centred.flatten()[place])):
        return "divided by something that is not 1"
    return "something else"


def judge_standardized(observation, train, others):
    """Which statistics each part was standardised by; correction 0 and 1 are both right."""
    found = observation["parts"]
    parts = [train, *others]
    if isinstance(found, torch.Tensor):
        return {"returns": "one tensor, no tuple"}
    if not isinstance(found, list) or not all(isinstance(part, torch.Tensor) for part in found):
        return {"returns": "not a tuple of tensors"}
    if len(found) != len(parts):
        return {"returns": f"{len(found)} for {len(parts)} arguments"}
    facts = {"returns": "one tensor for each argument", "the arguments stay as they are": observation["untouched"]}
    table = [part if part.ndim == 2 else part.unsqueeze(1) for part in parts]
    constant = table[0].amax(0) == table[0].amin(0)
    names = ["train", *(f"the {word} part" for word in ("second", "third", "fourth"))]
    for name, seen, given, part in zip(names, found, parts, table, strict=False):
        if seen.shape != given.shape or seen.dtype != given.dtype:
            facts[f"{name}: shape and dtype"] = f"{seen.dtype} {tuple(seen.shape)}"
        if seen.numel() != given.numel():
            continue
        seen = seen.reshape(part.shape).to(part.dtype)
        if constant.any():
            what = constant_columns(seen[:, constant], part[:, constant], table[0][:, constant])
            facts[f"{name}: columns that are constant in train"] = what
        if not constant.all():
            ways = scalings(part[:, ~constant], table[0][:, ~constant], torch.cat(table)[:, ~constant])
            with warnings.catch_warnings(action="ignore"):  # a single row or column has no standard deviation
                way = next((way for way, right in ways if agree(seen[:, ~constant], right)), "something else")
            facts[f"{name}: columns that vary are standardised by"] = way
    return facts


@probe(judge=judge_standardized)
def standardized(answer, train, others):
    """The tensors that `standardize` returns, and whether it leaves its arguments alone."""
    given = [part.clone() for part in (train, *others)]
    parts = answer.standardize(train, *others)
    untouched = all(torch.equal(one, other) for one, other in zip(given, (train, *others), strict=True))
    return {"parts": parts, "untouched": untouched}


# --- training_loop -----------------------------------------------------------------------------------------------------------------


class Recorder(nn.Module):
    """A small network that notes, at every forward pass, its mode and whether a graph is built."""

    def __init__(self, features, classes, batch_norm):
        super().__init__()
        self.flatten, self.linear = nn.Flatten(), nn.Linear(features, classes)
        self.norm = nn.BatchNorm1d(features) if batch_norm else nn.Identity()
        fill(self.linear)
        self.modes, self.graphs = [], []

    def forward(self, x):
        """Logits `(B, classes)`."""
        self.modes.append("train" if self.training else "eval")
        self.graphs.append(torch.is_grad_enabled())
        return self.linear(self.norm(self.flatten(x)))


def make_loader(x, y, batch_size, classes, batch_norm):
    """A network and a loader for it."""
    return Recorder(x[0].numel(), classes, batch_norm).to(x.dtype), DataLoader(
        TensorDataset(x, y), batch_size=batch_size
    )


def make_criterion(smoothing):
    return nn.CrossEntropyLoss(label_smoothing=smoothing)


def unique(values) -> list:
    return sorted(set(values))


@probe
def trained(answer, x, y, batch_size, classes, lr, fields, epochs=1, batch_norm=False, smoothing=0.0):
    """What `train_epoch` returns and does; the model comes in evaluation mode."""
    model, loader = make_loader(x, y, batch_size, classes, batch_norm)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.5)
    for _ in range(epochs):
        model.eval()
        loss, accuracy = answer.train_epoch(model, loader, make_criterion(smoothing), optimizer, torch.device("cpu"))
    seen = {
        "loss": as_number(loss),
        "accuracy": as_number(accuracy),
        "the loss still holds a graph": isinstance(loss, torch.Tensor) and loss.requires_grad,
        "weights afterwards": [parameter.detach().clone() for parameter in model.parameters()],
        "mode in the forward passes": unique(model.modes),
        "number of forward passes": len(model.modes),
    }
    return {name: seen[name] for name in fields}


def as_number(value):
    """A number, also from a tensor or an array that holds one."""
    single = (isinstance(value, torch.Tensor) and value.numel() == 1) or (
        isinstance(value, np.ndarray) and value.size == 1
    )
    return value.item() if single else value


@probe
def evaluated(answer, x, y, batch_size, classes, fields, batch_norm=False, smoothing=0.0):
    """What `evaluate` returns and does; the model comes in training mode."""
    model, loader = make_loader(x, y, batch_size, classes, batch_norm)
    model.train()
    before = [value.clone() for value in model.state_dict().values()]
    loss, accuracy, predictions, targets = answer.evaluate(
        model, loader, make_criterion(smoothing), torch.device("cpu")
    )
    seen = {
        "loss": as_number(loss),
        "accuracy": as_number(accuracy),
        "predictions": predictions,
        "targets": targets,
        "mode in the forward passes": unique(model.modes),
        "a graph is built in the forward passes": unique(model.graphs),
        "weights and buffers are left as they were": all(
            torch.equal(one, other) for one, other in zip(before, model.state_dict().values(), strict=True)
        ),
    }
    return {name: seen[name] for name in fields}


# --- early_stopping ----------------------------------------------------------------------------------------------------------------


@probe
def stopping(answer, losses, options, fields):
    """What the stopper says after each loss; the model's weight is the number of the call, from 1 on."""
    stopper, model = answer.EarlyStopping(**options), nn.Linear(1, 1)
    seen = {"returned": [], "counter": [], "best_loss": [], "weights are written": []}
    at_first = [known(stopper.best_loss), stopper.counter]
    for number, loss in enumerate(losses, start=1):
        with torch.no_grad():
            model.weight.fill_(number)
            model.bias.fill_(10 * number)
        versions = [(parameter._version, parameter.item()) for parameter in model.parameters()]
        with watch("copy") as calls:
            stop = stopper(loss, model)
        written = versions != [(parameter._version, parameter.item()) for parameter in model.parameters()]
        seen["weights are written"].append(written or bool(stop and calls.banned))  # by way of .data leaves no version
        seen["returned"].append(stop)
        seen["counter"].append(stopper.counter)
        seen["best_loss"].append(known(stopper.best_loss))
        if stop:
            break
    seen["best_loss and counter at first"] = at_first
    seen["number of calls"] = len(seen["returned"])
    seen["weights at the end are those of call"] = [float(model.weight), float(model.bias) / 10]
    return {name: seen[name] for name in fields}


def known(best_loss):
    """The best loss; None and infinity both mean that there is none yet."""
    return "none yet" if best_loss is None or best_loss == math.inf else best_loss
