"""Probes of notebook 8 for `compare_models`: models whose predictions are written down beforehand, epoch by epoch.

Such a model notices an epoch by the change from evaluation to training, so neither the optimizer nor the batch size matters. Where it
stands in its script is a frozen parameter: restored weights bring back the predictions of their epoch, aliased ones do not.
"""

import torch
from torch import nn
from torch.nn import functional as F

from dlcourse.checks.observe import plain
from dlcourse.checks.probe import probe

COLUMNS = ("parameters", "test_accuracy", "best_val_accuracy", "epochs", "seconds")
# A logit so high that the cross entropy is 0 or 50 to the last bit: loss and accuracy choose the same epoch.
SURE = 50.0


class Shared(dict):
    """Notes that a copy of the model goes on writing into."""

    def __deepcopy__(self, memo):
        return self


class Scripted(nn.Module):
    """Predicts `script[epoch]`, `(epochs, samples)`; a sample's number stands in the first column of its features."""

    def __init__(self, script, classes, width, seen):
        super().__init__()
        self.script, self.classes, self.seen = script, classes, seen
        self.layer = nn.Linear(3, classes)
        self.same_layer = self.layer  # shared: counted once
        self.frozen = nn.Parameter(torch.zeros(width), requires_grad=False)
        # the epoch, and whether there was an evaluation since the last training step
        self.place = nn.Parameter(torch.tensor([0.0, 1.0]), requires_grad=False)

    def forward(self, x):
        numbers = x[:, 0].long()
        if self.training:
            self.seen.update(dict.fromkeys(numbers.tolist(), True))
            if self.place[1] == 1:
                self.place += torch.tensor([1.0, -1.0])
        else:
            self.place[1] = 1.0
        row = min(max(int(self.place[0]) - 1, 0), len(self.script) - 1)
        return SURE * F.one_hot(self.script[row][numbers], self.classes) + 0.0 * self.layer(x)


def features(count: int) -> torch.Tensor:
    """`(count, 3)`: the sample's number, and two values that look like data."""
    numbers = torch.arange(count, dtype=torch.float32)
    return torch.stack([numbers, torch.sin(numbers), torch.cos(1.3 * numbers)], dim=1)


def table(result) -> dict:
    """A data frame as plain data."""
    if type(result).__name__ != "DataFrame":
        return {"returns": f"an object of type {type(result).__name__}"}
    rows = [
        {str(column): plain(value) for column, value in zip(result.columns, row)}
        for row in result.itertuples(index=False, name=None)
    ]
    return {
        "returns": "a DataFrame",
        "index name": plain(result.index.name),
        "index": [str(name) for name in result.index],
        "rows": rows,
    }


def judge_compared(observation, epochs_allowed):
    """Accuracies and counts as they stand in the table; epochs and seconds, which leave some freedom, as facts."""
    if "rows" not in observation:
        return observation
    rows = dict(zip(observation["index"], observation["rows"]))
    missing = [column for column in COLUMNS if not all(column in row for row in rows.values())]
    facts = {
        "returns": observation["returns"],
        "index name": observation["index name"],
        "missing columns": missing,
        "models, highest test accuracy first": observation["index"],
        "validation or test samples seen in training mode": observation["strangers"],
        "training samples left out": observation["left out"],
    }
    for column, words in (
        ("test_accuracy", "test accuracy"),
        ("best_val_accuracy", "best validation accuracy"),
        ("parameters", "parameters"),
    ):
        facts[words] = {name: rows[name].get(column, "missing") for name in sorted(rows)}
    facts["epochs"] = all(
        rows[name].get("epochs") in allowed for name, allowed in epochs_allowed.items() if name in rows
    )
    facts["seconds are positive"] = all(
        isinstance(row.get("seconds"), (int, float)) and 0 < row["seconds"] < 1e4 for row in rows.values()
    )
    return facts


@probe(judge=judge_compared)
def compared(answer, scripts, widths, labels, sizes, classes, epochs):
    """The table for models that follow a script, and which samples they saw in training mode."""
    X, seen = features(len(labels)), {name: Shared() for name in scripts}
    train, val, test = ((x, y) for x, y in zip(X.split(sizes), labels.split(sizes)))
    models = {name: lambda name=name: Scripted(scripts[name], classes, widths[name], seen[name]) for name in scripts}
    result = answer.compare_models(models, train, val, test, epochs)
    return {
        **table(result),
        "strangers": any(number >= sizes[0] for numbers in seen.values() for number in numbers),
        "left out": any(not numbers for numbers in seen.values()),
    }


# --- learning and seeds --------------------------------------------------------------------------------------------------------------


class Watched(nn.Module):
    """A small network that notes the gradients of its logits and of its first weights, and its weights when test samples come."""

    def __init__(self, log, labels, first_test):
        super().__init__()
        self.log, self.labels, self.first_test = log, labels, first_test
        self.hidden, self.out = nn.Linear(2, 6), nn.Linear(6, int(labels.max()) + 1)
        log["start"].append(torch.nn.utils.parameters_to_vector(self.parameters()).detach().clone())

    def logits(self, x):
        return self.out(torch.tanh(self.hidden(x[:, 1:])))

    def forward(self, x):
        numbers, logits = x[:, 0].long(), self.logits(x)
        if self.training and torch.is_grad_enabled():
            self.log["order"].append(numbers)
            self._watch(logits, numbers)
        if bool((numbers >= self.first_test).any()):
            self.log["tested"].append(torch.nn.utils.parameters_to_vector(self.parameters()).detach().clone())
        return logits

    def _watch(self, logits, numbers):
        probabilities = logits.detach().softmax(dim=1)
        wanted = probabilities - F.one_hot(self.labels[numbers], logits.shape[1])
        again = logits.detach().requires_grad_()
        (twice,) = torch.autograd.grad(F.cross_entropy(again.softmax(dim=1), self.labels[numbers]), again)

        def compare(gradient):
            for name, other in (("alike", wanted), ("twice", twice)):
                self.log[name].append(F.cosine_similarity(gradient.flatten(), other.flatten(), dim=0).item())

        logits.register_hook(compare)
        weight = self.out.weight
        if not hasattr(weight, "watched"):
            weight.watched = True
            weight.register_hook(lambda gradient: self.log["fresh"].append(gradient.detach().clone()))
            weight.register_post_accumulate_grad_hook(lambda weight: self.log["summed"].append(weight.grad.clone()))


def new_log() -> Shared:
    return Shared((name, []) for name in ("start", "order", "tested", "alike", "twice", "fresh", "summed"))


def blobs(labels) -> torch.Tensor:
    """`(N, 3)`: the sample's number, and a place near its class's corner."""
    numbers = torch.arange(len(labels), dtype=torch.float32)
    angle = 2.1 * labels
    near = torch.stack(
        [torch.cos(angle) + 0.3 * torch.sin(5 * numbers), torch.sin(angle) + 0.3 * torch.cos(7 * numbers)], dim=1
    )
    return torch.cat([numbers.unsqueeze(1), near], dim=1)


def judge_learned(observation):
    """Whether the models learn by the cross entropy of their logits, from fresh gradients."""
    if not observation["tested"]:
        return {"every model is tested on the test samples": False}
    alike = observation["cosine of the logits' gradient with that of the cross entropy"]
    return {
        "every model is tested on the test samples": True,
        "a training step was taken": bool(alike),
        "the loss is the cross entropy of the logits": bool(alike) and min(alike) > 0.999,
        "the softmax is applied twice": bool(alike)
        and min(observation["cosine with that of the cross entropy of a softmax"]) > 0.999,
        "gradients left over from earlier steps": observation["left over"] > 1e-5,
        "the first model's weights changed by training": observation["changes"][0] > 1e-6,
        "the second model's weights changed by training": observation["changes"][1] > 1e-6,
        "training loss lower than at the start": max(observation["changes of the loss"]) < 0,
    }


@probe(judge=judge_learned)
def learned(answer, labels, sizes, epochs):
    """How two real models' losses, gradients and weights moved."""
    X, logs = blobs(labels), [new_log(), new_log()]
    parts = list(zip(X.split(sizes), labels.split(sizes)))
    models = {f"net {i}": lambda log=log: Watched(log, labels, sizes[0] + sizes[1]) for i, log in enumerate(logs)}
    answer.compare_models(models, *parts, epochs)
    if not all(log["tested"] for log in logs):
        return {"tested": False}
    model = Watched(new_log(), labels, len(labels)).eval()

    def loss(weights):
        torch.nn.utils.vector_to_parameters(weights, model.parameters())
        return F.cross_entropy(model.logits(parts[0][0]), parts[0][1]).item()

    pairs = [pair for log in logs for pair in zip(log["summed"], log["fresh"])]
    return {
        "tested": True,
        "cosine of the logits' gradient with that of the cross entropy": [x for log in logs for x in log["alike"]],
        "cosine with that of the cross entropy of a softmax": [x for log in logs for x in log["twice"]],
        "left over": max(((one - other).abs().max().item() for one, other in pairs), default=0.0),
        "changes": [(log["tested"][-1] - log["start"][0]).abs().max().item() for log in logs],
        "changes of the loss": [loss(log["tested"][-1]) - loss(log["start"][0]) for log in logs],
    }


@probe
def seeded(answer, labels, sizes, epochs, seeds):
    """Two names for one constructor, in two calls with the same seed and one with another."""
    X = blobs(labels)
    parts = list(zip(X.split(sizes), labels.split(sizes)))
    starts, orders = [], []
    for seed in (seeds[0], seeds[0], seeds[1]):
        logs = {name: new_log() for name in ("one", "two")}
        models = {name: lambda log=log: Watched(log, labels, sizes[0] + sizes[1]) for name, log in logs.items()}
        torch.rand(len(starts) + 1)  # whoever relies on the random state of the caller gets a new one each time
        answer.compare_models(models, *parts, epochs, seed=seed)
        starts.append([logs[name]["start"][0] for name in logs])
        orders.append([torch.cat(logs[name]["order"]) for name in logs])
    return {
        "both models of a call start alike": bool((starts[0][0] == starts[0][1]).all()),
        "both see the samples in the same order": torch.equal(*orders[0]),
        "the same seed gives the same start": bool((starts[0][0] == starts[1][0]).all()),
        "the same seed gives the same order": torch.equal(orders[0][0], orders[1][0]),
        "another seed gives another start": bool((starts[0][0] != starts[2][0]).any()),
    }
