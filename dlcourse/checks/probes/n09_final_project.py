"""Probes of notebook 9, the final project. Each asks the same questions of all three options, so that one key serves them.

What an option has of its own is in `n09_final_project_options`; the judges are in `n09_final_project_judges`.
"""

import pickle
import tempfile
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from dlcourse.checks.observe import Unanswered, unanswered
from dlcourse.checks.probe import probe
from dlcourse.checks.probes.n09_final_project_judges import (
    judge_learning,
    judge_model,
    judge_parts,
    judge_scores,
    judge_statistics,
    judge_step,
)
from dlcourse.checks.probes.n09_final_project_options import (
    BRIGHT,
    FILLED,
    batch_for,
    data_of,
    hidden_inputs,
    layers_of,
    networks_of,
    small_problem,
    step_of,
)  # fmt: skip


def option(answer) -> str:
    """The chosen option; a project that is none of the three is no answer."""
    chosen = answer.PROJECT
    if chosen not in FILLED:
        raise ValueError(f'PROJECT is "A", "B" or "C", not {chosen!r}')
    return chosen


# --- project_data ------------------------------------------------------------------------------------------------------------------


@probe(judge=judge_parts)
def project_parts(answer, seed):
    """Where each sample of each part stands in the course's own data."""
    return data_of(answer, option(answer))["parts"]


@probe(judge=judge_statistics)
def project_statistics(answer, seed):
    """Mean and deviation of the training part, how each part was scaled; or what the vocabulary holds."""
    return data_of(answer, option(answer))["statistics"]


@probe(judge=judge_step)
def project_step(answer, seed):
    """One batch through `augment`, `make_windows` or `encode`."""
    return step_of(answer, option(answer), seed)


# --- project_model -----------------------------------------------------------------------------------------------------------------


@probe(judge=judge_scores)
def project_scores(answer, seed, size):
    """Outputs of each network for a batch, in eval mode, and for the batch's last sample alone."""
    chosen, seen = option(answer), {}
    for name, network in networks_of(answer, chosen):
        network.eval()
        x, _ = batch_for(answer, chosen, seed, size)
        with torch.no_grad():
            seen[name] = {"outputs": network(x), "again": network(x), "alone": network(x[-1:])}
            if chosen == "C":
                seen[name]["padded"] = network(torch.cat([x, torch.zeros(size, 3, dtype=torch.long)], dim=1))
    return {"option": chosen, "size": size, "networks": seen}


@probe(judge=judge_model)
def project_layers(answer, seed):
    """Which layers the networks hold, and what shows in the way that they behave."""
    chosen = option(answer)
    return {"option": chosen, "layers": {name: layers_of(answer, chosen, name, network, seed) for name, network in networks_of(answer, chosen)}}


@probe(judge=judge_learning)
def project_learning(answer, seed):
    """Gradients, and the loss on one small batch over some steps of Adam."""
    chosen, losses, without, bounded, made_anew = option(answer), {}, {}, {}, True
    for name, network in networks_of(answer, chosen):
        x, y = batch_for(answer, chosen, seed, 12)
        y = y - 3 if chosen == "B" else y  # what no forecaster starts with, and none that ends with a sigmoid or a tanh can learn
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3 if chosen == "A" else 1e-2)
        losses[name] = []
        for _ in range(40):
            network.train()
            outputs = network(x)
            loss = nn.functional.mse_loss(outputs, y) if chosen == "B" else nn.functional.cross_entropy(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            if not losses[name]:
                without[name] = sum(p.requires_grad and p.grad is None for p in network.parameters())
            optimizer.step()
            losses[name].append(loss.item())
        bounded[name] = bool((outputs >= (-1 if chosen == "B" else 0)).all())
        made_anew = made_anew and not {*network.parameters()} & {*getattr(answer, name)().parameters()}
    return {"losses": losses, "without gradient": without, "bounded": bounded, "made anew": made_anew}


# --- project_training --------------------------------------------------------------------------------------------------------------


def loss_in_eval(chosen, model, data):
    model.eval()
    with torch.no_grad():
        outputs = model(data[0])
        return (nn.functional.mse_loss if chosen == "B" else nn.functional.cross_entropy)(outputs, data[1]).item()


def numbers_of(history, name):
    values = history[name] if isinstance(history, dict) else getattr(history, name)
    return [float(value) for value in values]


def judge_training(observation):
    """Facts of a run of `train`, and of the same run again."""
    runs, epochs = observation["runs"], observation["epochs"]
    first = runs[0]
    counted = all(len(first[name]) == epochs for name in ("train_loss", "val_loss"))
    values = first["train_loss"] + first["val_loss"]
    finite = bool(values) and all(abs(value) < 1e6 for value in values)
    near = [abs(first["val_loss in eval mode"] - value) <= 1e-3 * max(1.0, abs(value)) for value in first["val_loss"]]
    same = len(first["weights"]) == len(runs[1]["weights"]) and torch.allclose(first["weights"], runs[1]["weights"], atol=1e-5)
    return {
        "one number an epoch in train_loss and in val_loss": counted and finite,
        "the model learns, in place": finite and first["after"] < 0.7 * first["before"],
        "val_loss is the mean over all validation samples of the plain loss": counted and any(near),
        "validation runs in eval mode": first["validated in train mode"] == 0,
        "the model is in train mode when it learns": first["learned in eval mode"] == 0 and first["backward passes"] > 0,
        "old gradients are dropped before each backward pass": first["old gradients"] == 0 and first["backward passes"] > 0,
        "validation samples are seen as they are, and are not learned from": first["changed"] == 0 and first["learned"] == 0,
        "the same seed gives the same weights": same,
        "option A augments training batches": observation["option"] != "A" or first["augmented"] > 0,
    }


@contextmanager
def training_watched(model, known, validation):
    """Count what a run does: backward passes, old gradients found in them, samples that are not what they should be."""
    seen = {"backward passes": 0, "old gradients": 0, "learned in eval mode": 0, "validated in train mode": 0, "changed": 0, "learned": 0, "augmented": 0}
    parameter = next(model.parameters())

    def before_backward(gradient):
        seen["backward passes"] += 1
        seen["old gradients"] += parameter.grad is not None and bool((parameter.grad != 0).any())
        seen["learned in eval mode"] += not model.training

    def rows_in(x, rows):
        flat = x.detach().flatten(1).double()
        return (torch.cdist(flat, rows.flatten(1).double()) < 1e-4).any(dim=1) if flat.shape[1] == rows[0].numel() else torch.zeros(len(x), dtype=torch.bool)

    def before_forward(module, inputs):
        if module.training:
            theirs = bool(rows_in(inputs[0], validation).any()) or (inputs[0].ndim == 4 and bool((inputs[0] > BRIGHT - 3).any()))
            seen["validated in train mode" if not torch.is_grad_enabled() else "learned"] += theirs
            seen["augmented"] += bool((~rows_in(inputs[0], known)).any())
        else:
            seen["changed"] += int((~rows_in(inputs[0], known)).any())

    handles = [parameter.register_hook(before_backward), model.register_forward_pre_hook(before_forward)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@probe(judge=judge_training)
def project_training_run(answer, seed, samples, epochs):
    """A small problem of the option's own kind, twice."""
    chosen, runs = option(answer), []
    for _ in range(2):
        model, train_data, val_data = small_problem(chosen, seed, samples)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        known = torch.cat([train_data[0], val_data[0]])
        before = loss_in_eval(chosen, model, train_data)
        torch.manual_seed(100 + len(runs))  # what train does may not hang on the seed that it happens to find
        with training_watched(model, known, val_data[0]) as seen:
            history = answer.train(model, optimizer, train_data, val_data, epochs, seed=3)
        if history is None or history is ...:
            raise Unanswered if seen["backward passes"] == 0 else TypeError("train returned nothing: return the history")
        runs.append({
            **seen, "train_loss": numbers_of(history, "train_loss"), "val_loss": numbers_of(history, "val_loss"),
            "before": before, "after": loss_in_eval(chosen, model, train_data),
            "val_loss in eval mode": loss_in_eval(chosen, model, val_data),
            "weights": torch.cat([p.detach().flatten() for p in model.parameters()]),
        })  # fmt: skip
    return {"option": chosen, "epochs": epochs, "runs": runs}


def network_for_files(width, seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 2))


def steps_of(model, optimizer, seed, steps):
    model.train()
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randn(16, 4, generator=generator)
        loss = (model(x) - x[:, :2]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def tensors_of(model):
    return torch.cat([value.double().flatten() for value in model.state_dict().values()])


def judge_round_trip(observation):
    """Facts of a checkpoint that was written and read again."""
    return {
        "weights and buffers come back as they were": torch.equal(observation["loaded"], observation["saved"]),
        "training goes on as if it had not stopped": torch.allclose(observation["resumed"], observation["went on"], atol=1e-6),
        "the epoch comes back": observation["epoch"],
        "it works without an optimizer": observation["without optimizer"],
        "saving changes nothing": torch.equal(observation["saved"], observation["after saving"]),
    }


@probe(judge=judge_round_trip)
def project_round_trip(answer, width, epoch, seed):
    """Train, save, load into a fresh network and a fresh optimizer, go on with both."""
    option(answer)
    model, fresh, bare = (network_for_files(width, seed + number) for number in range(3))
    optimizer, fresh_optimizer = (torch.optim.AdamW(m.parameters(), lr=lr) for m, lr in ((model, 0.01), (fresh, 0.5)))
    steps_of(model, optimizer, seed, 5)
    with tempfile.TemporaryDirectory() as folder:
        path, second = f"{folder}/my checkpoint.pt", f"{folder}/second.pt"
        saved = tensors_of(model)
        answer.save_checkpoint(model, optimizer, epoch, path)
        after = tensors_of(model)
        steps_of(model, optimizer, seed + 1, 3)  # what was written may not change with the network
        returned = answer.load_checkpoint(fresh, fresh_optimizer, path)
        loaded = tensors_of(fresh)
        steps_of(fresh, fresh_optimizer, seed + 1, 3)
        try:
            answer.save_checkpoint(fresh, None, epoch, second)
            answer.load_checkpoint(bare, None, second)
            without = torch.equal(tensors_of(bare), tensors_of(fresh))
        except Exception as error:  # the message would name a file that is called otherwise in each run
            if unanswered(error):
                raise
            without = False
    return {
        "saved": saved, "after saving": after, "loaded": loaded, "went on": tensors_of(model), "resumed": tensors_of(fresh),
        "epoch": returned, "without optimizer": without,
    }  # fmt: skip


RAN = []  # what code in a file did, if it was run


def ran(text):
    """What a harmful file would call."""
    RAN.append(text)
    return {}


class Harmful:
    """Unpickling it calls a function of the file's choice."""

    def __reduce__(self):
        return ran, ("code in a file",)


def judge_refusal(observation):
    """Facts of files that are no checkpoints."""
    facts = {}
    for name, (kind, message, file_name) in observation["files"].items():
        facts[name] = "ValueError that names the file" if kind == "ValueError" and file_name in message else kind
    return {**facts, "code inside a file is not run": observation["ran"] == 0}


@probe(judge=judge_refusal)
def project_refusal(answer, width, seed):
    """Files that are damaged, foreign, or dangerous."""
    option(answer)
    RAN.clear()
    model = network_for_files(width, seed)
    optimizer = torch.optim.Adam(model.parameters())
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        whole, other = Path(folder) / "whole.pt", Path(folder) / "other network.pt"
        answer.save_checkpoint(model, optimizer, 3, str(whole))
        answer.save_checkpoint(nn.Linear(width, 3), None, 1, str(other))
        files = {"a damaged file": Path(folder) / "damaged.pt", "a file that is no checkpoint": Path(folder) / "foreign.pt"}
        files |= {"another network's checkpoint": other, "a file with code inside": Path(folder) / "harmful.pt"}
        files["a damaged file"].write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        torch.save({"weights": torch.zeros(3)}, files["a file that is no checkpoint"])
        with open(files["a file with code inside"], "wb") as file:
            torch.save({"model": Harmful(), "optimizer": Harmful(), "epoch": 1}, file, pickle_module=pickle)
        for name, path in files.items():
            outcomes[name] = refusal(answer.load_checkpoint, network_for_files(width, seed), path)
    return {"files": outcomes, "ran": len(RAN)}


def refusal(load, model, path):
    """How an exception is called, what it says, and the name that it should mention."""
    try:
        load(model, None, str(path))
    except Exception as error:
        if unanswered(error):
            raise
        return ["ValueError" if isinstance(error, ValueError) else type(error).__name__, str(error), path.name]
    return ["nothing was raised", "", path.name]


# --- project_performance -----------------------------------------------------------------------------------------------------------


def judge_performance(observation, step, labels=None, forecasts=None, naive=None, sentiments=None):
    """Whether the step is reached: shares of right labels, or squared errors against persistence. Nothing more precise is said."""
    chosen, given = observation["option"], observation["answers"]
    if chosen == "B":
        gains = []
        for name in ("lstm", "transformer"):
            values = given[name].double().reshape(-1)
            if len(values) != len(forecasts):
                raise ValueError(f"{name}: {len(values)} forecasts for {len(forecasts)} windows")
            gains.append(1 - ((values - forecasts.double()).square().mean() / (naive.double() - forecasts.double()).square().mean()).item())
        both, one = min(gains), max(gains)
        reached = [one >= 0.15, one >= 0.3, both >= 0.1, both >= 0.2, both >= 0.3][step - 1]
        worst = "no: one network does no better than persistence" if both <= 0.02 else "no"
    else:
        right = labels if chosen == "A" else sentiments
        chosen_labels = given["labels"]
        if chosen_labels.ndim == 2 and chosen_labels.shape[1] > 1:
            raise ValueError("scores came back: return the labels")
        if tuple(chosen_labels.shape) not in ((len(right),), (len(right), 1)):
            raise ValueError(f"labels of shape {tuple(chosen_labels.shape)} for {len(right)} inputs")
        accuracy = (chosen_labels.reshape(-1).double() == right.double()).double().mean().item()
        reached = accuracy >= THRESHOLDS[chosen][step - 1]
        worst = "no: little better than guessing" if accuracy < GUESSING[chosen] else "no"
    return {"this step is reached": "yes" if reached else worst, "files are loaded with weights_only=True": observation["unsafe loads"] == 0}


GUESSING = {"A": 0.5, "C": 0.54}
THRESHOLDS = {"A": (0.66, 0.715, 0.77, 0.825, 0.88), "C": (0.58, 0.61, 0.64, 0.67, 0.70)}


@probe(judge=judge_performance)
def project_measured(answer, **inputs):
    """What `predict` says about inputs whose answers are not here; and whether it read a file in the unsafe way."""
    chosen, unsafe, load = option(answer), [], torch.load

    def watched(*arguments, **named):
        unsafe.extend([1] if named.get("weights_only") is False else [])
        return load(*arguments, **named)

    torch.load = watched
    try:
        answers = answer.predict(hidden_inputs(chosen, **inputs))
    finally:
        torch.load = load
    if chosen == "B":
        if not isinstance(answers, dict) or not {"lstm", "transformer"} <= answers.keys():
            raise TypeError('in option B predict returns a dict: {"lstm": forecasts, "transformer": forecasts}')
        answers = {name: torch.as_tensor(answers[name]).detach().float() for name in ("lstm", "transformer")}
    else:
        answers = {"labels": torch.as_tensor(answers).detach()}
    return {"option": chosen, "answers": answers, "unsafe loads": len(unsafe)}
