"""Probes of notebook 4, recurrent networks.

Modules start from random weights, so each probe first sets them to fixed values, by the attribute names that the exercise fixes.
"""

import contextlib
import math
import random
import sys
import warnings

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from dlcourse.checks.observe import gradient, raised
from dlcourse.checks.probe import probe


def spread(shape, seed: float) -> torch.Tensor:
    """Float64 numbers in [-1, 1] without a visible pattern, the same on every machine."""
    count = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
    return torch.sin(1.7 * count + 0.013 * count**2 + seed).reshape(tuple(shape))


@torch.no_grad()
def set_parameters(parameters, seed: float, gain: float = 1.5) -> None:
    """Fixed weights, scaled by their number of inputs, and fixed biases."""
    for number, parameter in enumerate(parameters):
        scale = gain / math.sqrt(parameter.shape[-1]) if parameter.ndim > 1 else 0.5
        parameter.copy_(scale * spread(parameter.shape, seed + number))


def by_name(module):
    """The parameters of a module in alphabetical order, whatever the order in which they were made."""
    return [parameter for _, parameter in sorted(module.named_parameters())]


def mixed(output: torch.Tensor) -> torch.Tensor:
    """A scalar to which every entry of an output contributes differently."""
    return (output * spread(output.shape, 2.0).to(output.dtype)).sum()


def shape_of(value):
    return list(value.shape) if isinstance(value, torch.Tensor) else f"an object of type {type(value).__name__}"


# --- rnn_step ----------------------------------------------------------------------------------------------------------------------


@probe
def rnn_new_state(answer, x_t, h_prev, W_xh, W_hh, b_h):
    """The new state, and the gradient with respect to each of the five inputs."""
    inputs = [tensor.requires_grad_() for tensor in (x_t, h_prev, W_xh, W_hh, b_h)]
    state = answer.rnn_step(*inputs)
    return {"new state": state, "gradients of the five inputs": gradient(mixed(state), *inputs)}


# --- rnn_forward -------------------------------------------------------------------------------------------------------------------


def scratch(answer, sizes, seed, dtype=torch.float32):
    """The answer's network with fixed weights. Every other parameter is zero: any of the layers may have a bias, or none."""
    model = answer.RNNFromScratch(*sizes).to(dtype).eval()
    weights = [model.W_xh.weight, model.W_hh.weight, model.W_hy.weight]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    set_parameters(weights, seed)
    return model, weights


@probe
def rnn_from_scratch(answer, sizes, x, hidden=None, seed=0.0):
    """Outputs and last state with fixed weights, and the gradients of inputs and weights."""
    model, weights = scratch(answer, sizes, seed, x.dtype)
    x = x.requires_grad_()
    if hidden is None:
        outputs, last = model(x)
        inputs = [x]
    else:
        hidden = hidden.requires_grad_()
        outputs, last = model(x, hidden)
        inputs = [x, hidden]
    total = mixed(outputs) + mixed(last)
    names = ["gradient of x", "gradient of hidden"][: len(inputs)]
    grads = gradient(total, *inputs, *weights)
    return {
        "outputs": outputs,
        "last state": last,
        **dict(zip(names, grads)),
        "gradients of the weights": grads[len(inputs) :],
    }


@probe
def rnn_from_scratch_twice(answer, sizes, x, other, seed=0.0):
    """Three calls of one model in a row; the first and the last have the same input. Then zeros, given and not."""
    model, weights = scratch(answer, sizes, seed)
    with torch.no_grad():
        seen = {
            "outputs of the first call": model(x)[0],
            "outputs of a second call, with another batch": model(other)[0],
            "outputs of a third call, with the first batch": model(x)[0],
        }
        for parameter in model.parameters():  # biases, if any, and whatever else there is
            if not any(parameter is weight for weight in weights):
                parameter.fill_(0.3)
        (without, _), (zeros, _) = model(x), model(x, x.new_zeros(len(x), sizes[1]))
    return seen | {"no state given is the same as zeros": torch.allclose(without, zeros, atol=1e-5)}


class _Strays(TorchFunctionMode):
    """Notes tensors that are made without naming a device and then meet others: on another device than the CPU that fails."""

    FACTORIES = ("zeros", "ones", "empty", "full", "rand", "randn", "tensor")
    MOVES = ("to", "type_as", "cuda", "cpu", "double", "float")

    def __init__(self):
        super().__init__()
        self.strays, self.met = [], False

    def _stray(self, tensor) -> bool:
        return any(tensor is stray for stray in self.strays)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        name = getattr(function, "__name__", "")
        if name in self.FACTORIES:
            self.strays += [result] if kwargs.get("device") is None else []
            return result
        given = [*args, *kwargs.values(), *(entry for arg in args if isinstance(arg, (list, tuple)) for entry in arg)]
        given = [entry for entry in given if isinstance(entry, torch.Tensor) and entry.ndim > 0]
        if name in self.MOVES:
            self.strays = [stray for stray in self.strays if not any(stray is entry for entry in [*given, result])]
        elif any(map(self._stray, given)):
            if not all(map(self._stray, given)):
                self.met = True
            elif isinstance(result, torch.Tensor) and result.ndim > 0:
                self.strays.append(result)  # made of strays alone
        return result


@probe
def rnn_from_scratch_device(answer, sizes, x):
    """Whether forward makes tensors without x's device, and uses them together with others."""
    model, _ = scratch(answer, sizes, 0.0)
    with torch.no_grad(), _Strays() as strays:
        outputs, last = model(x)
    return {
        "a tensor made without a device meets x or the weights": strays.met,
        "shape of the outputs": shape_of(outputs), "shape of the last state": shape_of(last),
    }  # fmt: skip


# --- sequence_data -----------------------------------------------------------------------------------------------------------------


def _share(labels, score) -> float:
    """The share of samples whose label says whether the score is positive."""
    return ((score > 0) == (labels == 1)).double().mean().item()


def judge_sum_data(observation, shape):
    """Shapes, label rule, distribution and generator as facts, so that each can be wrong alone."""
    X, y = observation["X"], observation["y"]
    if not (isinstance(X, torch.Tensor) and isinstance(y, torch.Tensor)):
        return {"X and y are tensors": False}
    found = {
        "X and y are tensors": True,
        "shape of X": list(X.shape), "dtype of X": str(X.dtype), "shape of y": list(y.shape), "dtype of y": str(y.dtype),
        "the same seed gives the same data, whatever the global seed": observation["again"],
        "another seed gives other data": observation["other"],
        "the global generators are left as they were": observation["untouched"],
    }  # fmt: skip
    if list(X.shape) != shape or y.numel() != shape[0]:
        return found
    X, y = X.double(), y.flatten()
    total = X.sum(dim=(1, 2))
    clear = total.abs() > 1e-3 * math.sqrt(shape[1] * shape[2])  # elsewhere rounding may decide
    found |= {
        "labels": sorted({round(float(label), 3) for label in y.unique()[:9]}),
        "y is 1 where the sum over steps and features is positive": _share(y[clear], total[clear]) == 1,
        "y is 1 where the sum is negative": _share(y[clear], -total[clear]) == 1,
        "y depends on the first step alone": _share(y, X[:, 0].sum(1)) > 0.999,
        "y depends on the last step alone": _share(y, X[:, -1].sum(1)) > 0.999,
        "y depends on one feature alone": shape[2] > 1
        and any(_share(y, X[:, :, place].sum(1)) > 0.999 for place in (0, -1)),
    }
    if X.numel() >= 10_000:
        within = (X.abs() < 1).double().mean().item()
        found |= {
            "the mean is about 0": abs(X.mean().item()) < 0.06,
            "the standard deviation is about 1": abs(X.std().item() - 1) < 0.05,
            "68 % of the numbers lie between -1 and 1, as in a normal distribution": abs(within - 0.6827) < 0.025,
            "all numbers are drawn anew": X.unique().numel() > 0.95 * X.numel(),
            "the numbers are as drawn, not standardised": abs(X.mean().item()) > 1e-6,
        }
    return found


def _global_states():
    return torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()


@probe(judge=judge_sum_data)
def rnn_sum_data(answer, arguments, seed, other_seed):
    """The data of one seed under two global seeds, those of another seed, and whether global generators moved."""

    def make(number):
        return answer.make_sum_sequences(**arguments, seed=number)

    X, y = make(seed)
    if not (isinstance(X, torch.Tensor) and isinstance(y, torch.Tensor)):
        return {"X": X, "y": y}
    for seed_all in (torch.manual_seed, np.random.seed, random.seed):
        seed_all(98765)
    before = _global_states()
    X_again, y_again = make(seed)
    after = _global_states()
    X_other, _ = make(other_seed)
    untouched = torch.equal(before[0], after[0]) and bool((before[1] == after[1]).all()) and before[2] == after[2]
    return {
        "X": X, "y": y, "again": torch.equal(X, X_again) and torch.equal(y, y_again),
        "other": not torch.equal(X, X_other), "untouched": untouched,
    }  # fmt: skip


@probe
def rnn_sum_defaults(answer, n_samples, seq_length):
    """Called with two positional arguments: one feature, seed 0."""
    X, y = answer.make_sum_sequences(n_samples, seq_length)
    with_seed, _ = answer.make_sum_sequences(n_samples, seq_length, 1, 0)
    return {
        "shape of X": shape_of(X),
        "shape of y": shape_of(y),
        "equals n_features=1, seed=0": torch.equal(X, with_seed),
    }


# --- rnn_classifier ----------------------------------------------------------------------------------------------------------------


def simple_rnn(answer, sizes, seed, dropout=0.3):
    """The answer's classifier with fixed weights; sizes are input, hidden, layers, classes."""
    model = answer.SimpleRNN(*sizes, dropout)
    set_parameters(by_name(model.rnn), seed)
    set_parameters(by_name(model.fc), seed + 0.4)
    return model


@probe
def rnn_logits(answer, sizes, x, seed=0.0):
    """Logits in evaluation, and the gradient of the input."""
    model = simple_rnn(answer, sizes, seed).eval()
    x = x.requires_grad_()
    logits = model(x)
    return {
        "logits": logits,
        "gradient of x": gradient(mixed(logits), x),
        "rnn is an nn.RNN": isinstance(model.rnn, nn.RNN),
    }


@probe
def rnn_size(answer, arguments, x):
    """Number of parameters and shape of the logits for some keyword arguments; the others take their defaults."""
    model = answer.SimpleRNN(**arguments).eval()
    return {
        "number of parameters": sum(p.numel() for p in model.parameters()),
        "shape of the logits": shape_of(model(x)),
        "dropout between rnn's layers": model.rnn.dropout if model.rnn.num_layers > 1 else 0.0,
    }


@probe
def rnn_dropout(answer, sizes, x, seed=0.0):
    """With dropout=1 all that is dropped is zero, so training is free of chance too. And warnings that name dropout."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = simple_rnn(answer, sizes, seed, dropout=1.0)
    with torch.no_grad():
        return {
            "logits in training, with dropout=1": model.train()(x),
            "logits in evaluation": model.eval()(x),
            "warnings about dropout": sum("dropout" in str(warning.message) for warning in caught),
        }


# --- gradient_flow -----------------------------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """A recurrent layer whose last state, or mean state, is classified."""

    def __init__(self, kind, features, hidden, classes, mean):
        super().__init__()
        self.layer = getattr(nn, kind)(features, hidden, batch_first=True)
        self.out, self.mean = nn.Linear(hidden, classes), mean

    def forward(self, x):
        states, _ = self.layer(x)
        return self.out(states.mean(dim=1) if self.mean else states[:, -1])


@probe
def rnn_gradients(answer, kind, hidden, classes, x, y, mean=False, training=True, preset=False, frozen=0, seed=0.0):
    """The norms, twice, and what the call left behind in the model."""
    model = Reader(kind, x.shape[-1], hidden, classes, mean).to(x.dtype).train(training)
    set_parameters(by_name(model), seed, gain=2.0)
    for parameter in by_name(model)[:frozen]:
        parameter.requires_grad_(False)
    if preset:  # gradients that someone still needs
        for number, parameter in enumerate(by_name(model)):
            parameter.grad = spread(parameter.shape, number).to(x.dtype) if number % 3 else None
    norms = answer.gradient_norms_by_time(model, x, y)
    seen = {"norms": norms.clone() if isinstance(norms, torch.Tensor) else norms}
    seen["norms when called again"] = answer.gradient_norms_by_time(model, x, y)
    left = [parameter.grad for parameter in by_name(model)]
    return seen | {
        "grad of the parameters afterwards": ["none" if grad is None else grad for grad in left],
        "training mode afterwards": [module.training for module in model.modules()],
        "requires_grad afterwards": [parameter.requires_grad for parameter in by_name(model)],
    }


# --- clip_gradients ----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _calls_into(module: str):
    """A list that gets the names of the functions of a module, or of its submodules, that run in the block.

    `watch` does this too, but loads a second's worth of torch for what else it can do.
    """
    names, before = [], sys.getprofile()

    def note(frame, event, argument):
        place = frame.f_globals.get("__name__") or ""
        if (
            event == "call"
            and (place == module or place.startswith(module + "."))
            and frame.f_code.co_name != "<module>"
        ):
            names.append(place)

    sys.setprofile(note)
    try:
        yield names
    finally:
        sys.setprofile(before)


@probe
def rnn_clip(answer, grads, max_norm, generator=False):
    """What is returned, and the gradients afterwards; None stands for a parameter without a gradient."""
    parameters = [nn.Parameter(torch.ones(2, 2) if grad is None else torch.ones_like(grad)) for grad in grads]
    for parameter, grad in zip(parameters, grads):
        parameter.grad = grad
    with _calls_into("torch.nn.utils") as calls:
        norm = answer.clip_gradients((parameter for parameter in parameters) if generator else parameters, max_norm)
    return {
        "returned": norm,
        "gradients afterwards": ["none" if parameter.grad is None else parameter.grad for parameter in parameters],
        "forbidden calls": ["torch.nn.utils"] if calls else [],
    }


# --- masked_last_step --------------------------------------------------------------------------------------------------------------


@probe
def rnn_last_valid(answer, outputs, lengths):
    """The states that are picked, the gradient of all states, and the lengths afterwards."""
    outputs = outputs.requires_grad_()
    picked = answer.last_valid_step(outputs, lengths)
    return {"picked": picked, "gradient of outputs": gradient(mixed(picked), outputs), "lengths afterwards": lengths}


@probe
def rnn_bad_lengths(answer, outputs, good, bad):
    """Which exception is raised for lengths that fit, and for some that do not."""
    seen = {f"lengths {good.tolist()} raise": raised(answer.last_valid_step, outputs, good)}
    for lengths in bad:
        seen[f"lengths {lengths.tolist()} raise"] = raised(answer.last_valid_step, outputs, lengths)
    return seen


# --- bidirectional_rnn -------------------------------------------------------------------------------------------------------------


class Recorder:
    """A hook on `rnn`: notes its states, batch first, and may put others in their place."""

    def __init__(self):
        self.states, self.instead = None, None

    def __call__(self, module, inputs, output):
        states, last = output
        if self.instead is not None:
            states = self.instead if module.batch_first else self.instead.transpose(0, 1)
        self.states = states if module.batch_first else states.transpose(0, 1)
        return states, last


def bidirectional(answer, sizes, seed):
    """The answer's network with fixed weights, and a recorder on its rnn. The score may be any network, or a bare parameter."""
    model = answer.BidirectionalRNN(*sizes).eval()
    known = [*by_name(model.rnn), *by_name(model.fc)]
    set_parameters(by_name(model.rnn), seed)
    set_parameters(by_name(model.fc), seed + 0.4)
    others = [parameter for parameter in by_name(model) if not any(parameter is one for one in known)]
    set_parameters(others, seed + 0.7, gain=2.0)
    recorder = Recorder()
    model.rnn.register_forward_hook(recorder)
    return model, recorder, others


def _through_fc(model, features):
    """What fc makes of some features, "none" if they do not fit."""
    try:
        return model.fc(features)
    except RuntimeError:
        return "none"


def _weights(model):
    """The attribute, as it is after a forward pass."""
    weights = model.attention_weights
    return weights.detach().clone() if isinstance(weights, torch.Tensor) else weights


POOLED = {
    "the weighted sum of rnn's states": lambda states, weights: (weights * states).sum(dim=1),
    "the weighted mean": lambda states, weights: (weights * states).mean(dim=1),
    "the last step": lambda states, weights: states[:, -1],
    "the first step": lambda states, weights: states[:, 0],
    "the final states of both directions": lambda states, weights: torch.cat(
        [_halves(states)[0][:, -1], _halves(states)[1][:, 0]], dim=1
    ),
    "the mean": lambda states, weights: states.mean(dim=1),
    "the sum": lambda states, weights: states.sum(dim=1),
    "the maximum": lambda states, weights: states.amax(dim=1),
    "the forward half alone": lambda states, weights: (weights * _halves(states)[0]).sum(dim=1),
    "the backward half alone": lambda states, weights: (weights * _halves(states)[1]).sum(dim=1),
    "both halves added": lambda states, weights: (weights * sum(_halves(states))).sum(dim=1),
    "the mean of both halves": lambda states, weights: (weights * sum(_halves(states)) / 2).sum(dim=1),
}  # by name, what fc may have been given; weights (B, T, 1)


def _halves(states):
    return states.chunk(2, dim=-1)


def judge_pooling(observation):
    """Whether logits and weights belong together, as facts."""
    logits, weights, (batch, steps) = (
        observation["logits"],
        observation["attention_weights"],
        observation["batch and steps"],
    )
    facts = {"shape of the logits": list(logits.shape), "shape of attention_weights": shape_of(weights)}
    if isinstance(weights, torch.Tensor) and weights.numel() == batch * steps:
        weights = weights.reshape(batch, steps)
        facts["each sequence's weights sum to 1"] = bool((weights.sum(1) - 1).abs().max() < 1e-4)
        facts["each step's weights sum to 1 over the batch"] = batch > 1 and bool(
            (weights.sum(0) - 1).abs().max() < 1e-4
        )
        facts["no weight is negative"] = bool((weights >= 0).all())
        facts["the steps have different weights"] = steps > 1 and bool((weights.amax(1) - weights.amin(1)).min() > 1e-4)
    facts["logits are fc of"] = [
        name
        for name, other in observation["fc of"].items()
        if isinstance(other, torch.Tensor) and other.shape == logits.shape and torch.allclose(logits, other, atol=1e-4)
    ]
    facts["logits are probabilities"] = bool(
        (logits.exp() if (logits < 0).all() else logits).sum(-1).sub(1).abs().max() < 1e-4
    )
    return facts


@probe(judge=judge_pooling)
def rnn_pooling(answer, sizes, x, seed=0.0, before=None):
    """Logits and weights, and what fc makes of rnn's states pooled in several ways. Perhaps after a pass with another batch."""
    model, recorder, _ = bidirectional(answer, sizes, seed)
    with torch.no_grad():
        if before is not None:
            model(before)
        logits, weights, states = model(x), _weights(model), recorder.states
        batch, steps = states.shape[:2]
        fits = isinstance(weights, torch.Tensor) and weights.numel() == batch * steps
        column = weights.reshape(batch, steps, 1) if fits else torch.full((batch, steps, 1), math.nan)
        made = {name: _through_fc(model, pool(states, column)) for name, pool in POOLED.items()}
    return {"logits": logits, "attention_weights": weights, "batch and steps": [batch, steps], "fc of": made}


def judge_directions(observation):
    """What depends on what: samples on samples, states on steps, logits on steps; and what learns."""

    def moved(name, key, rows=slice(None)):
        return bool(
            (observation[name][key][rows].double() - observation["as it was"][key][rows].double()).abs().max() > 1e-6
        )

    first, last = "first step changed", "last step changed"
    return {
        "rnn": observation["rnn"],
        "the first step reaches the logits": moved(first, "logits"),
        "the last step reaches the logits": moved(last, "logits"),
        "the first step reaches rnn's last state": moved(first, "states", (0, -1)),
        "the last step reaches rnn's first state": moved(last, "states", (0, 0)),
        "the weights depend on the input": moved(first, "weights") or moved(last, "weights"),
        "another sample changes too": any(
            moved(name, key, slice(1, None)) for name in (first, last) for key in ("logits", "states")
        ),
        "the score has weights that learn": any(
            bool(grad.abs().max() > 1e-9) for grad in observation["gradients of the score"]
        ),
        "every weight of rnn learns": all(bool(grad.abs().max() > 1e-9) for grad in observation["gradients of rnn"]),
    }


@probe(judge=judge_directions)
def rnn_directions(answer, sizes, x, seed=0.0):
    """Logits, states and weights with one step of the first sample changed; gradients of the score's and rnn's weights."""
    model, recorder, others = bidirectional(answer, sizes, seed)
    first, last = x.clone(), x.clone()
    first[0, 0] += 1.0
    last[0, -1] += 1.0
    seen = {}
    with torch.no_grad():
        for name, batch in (("as it was", x), ("first step changed", first), ("last step changed", last)):
            logits = model(batch)
            seen[name] = {"logits": logits, "states": recorder.states.clone(), "weights": _weights(model)}
    total, inputs = mixed(model(x)), by_name(model.rnn)
    grads = gradient(total, *others, *inputs, x.requires_grad_())[:-1]
    grads = [torch.zeros(1) if isinstance(grad, str) else grad for grad in grads]
    seen |= {"gradients of the score": grads[: len(others)], "gradients of rnn": grads[len(others) :]}
    kind = model.rnn
    described = [kind.hidden_size, kind.num_layers, "both directions" if kind.bidirectional else "one direction"]
    return seen | {"rnn": ["nn.RNN" if isinstance(kind, nn.RNN) else type(kind).__name__, *described]}


def judge_score(observation):
    """Whether a weight follows its own state: others keep their proportions, other samples keep theirs."""
    before, after, step = (
        observation["weights"].double(),
        observation["weights, one state changed"].double(),
        observation["step"],
    )
    steps = before.shape[1]
    rest = [t for t in range(steps) if t != step]
    proportions = [(weights[0, rest] / weights[0, rest].sum()).log() for weights in (before, after)]
    logits, changed = observation["logits"], observation["logits, one state changed"]
    return {
        "another state, another weight": bool((after[0, step] / before[0, step]).log().abs() > 1e-3),
        "the other steps' weights keep their proportions": bool(torch.allclose(*proportions, atol=1e-3)),
        "the other samples keep their weights": bool(torch.allclose(before[1:], after[1:], atol=1e-5)),
        "the other samples keep their logits": bool(torch.allclose(logits[1:], changed[1:], atol=1e-5)),
        "the logits change": bool((logits[0] - changed[0]).abs().max() > 1e-6),
    }


@probe(judge=judge_score)
def rnn_score(answer, sizes, x, step, seed=0.0):
    """Weights and logits for given states in place of rnn's own, before and after one of them changes."""
    model, recorder, _ = bidirectional(answer, sizes, seed)
    with torch.no_grad():
        model(x)
        states = 0.8 * spread(recorder.states.shape, seed).to(x.dtype)
        recorder.instead = states
        seen = {"step": step, "logits": model(x), "weights": _weights(model)}
        recorder.instead = states.clone()
        recorder.instead[0, step] = 0.8 * spread(states.shape[-1:], seed + 3).to(x.dtype)
        return seen | {"logits, one state changed": model(x), "weights, one state changed": _weights(model)}


@probe
def rnn_bidirectional_shapes(answer, arguments, x):
    """Shapes for keyword arguments; the others take their defaults. And whether training changes what is computed."""
    model = answer.BidirectionalRNN(**arguments).train()
    with torch.no_grad():
        in_training, training_weights = model(x), getattr(model, "attention_weights", None)
        logits = model.eval()(x)
    weights = model.attention_weights
    tensors = isinstance(weights, torch.Tensor) and shape_of(training_weights) == shape_of(weights)
    alike = tensors and torch.allclose(training_weights, weights, atol=1e-5)
    return {
        "shape of the logits": shape_of(logits), "shape of attention_weights": shape_of(weights),
        "rnn's hidden_size and num_layers": [model.rnn.hidden_size, model.rnn.num_layers],
        "the logits in training are those in evaluation": torch.allclose(in_training, logits, atol=1e-5),
        "attention_weights in training are those in evaluation": alike,
    }  # fmt: skip
