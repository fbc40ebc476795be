"""Devices, seeds and a training loop on whole tensors, for notebooks whose subject is not the loop itself."""

import contextlib
import copy
import os
import random
import sys
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from dlcourse.data import batches, to_float


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and PyTorch on all devices, and ask cuDNN for repeatable algorithms."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def pick_device() -> torch.device:
    """The fastest device here: CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def profile() -> str:
    """How much notebooks train, "cpu" or "gpu": follows the device, unless DLCOURSE_PROFILE says otherwise.

    Raises ValueError where that variable is neither.
    """
    chosen = os.environ.get("DLCOURSE_PROFILE") or ("cpu" if pick_device().type == "cpu" else "gpu")
    if chosen not in ("cpu", "gpu"):
        raise ValueError(f"DLCOURSE_PROFILE must be cpu or gpu, not {chosen!r}")
    return chosen


@dataclass(frozen=True)
class History:
    """One number an epoch: mean losses, accuracies in percent (NaN if y holds no class indices), seconds.

    Training figures are taken while the weights still change. Without validation data its lists stay empty.
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def fit(
    model, train, val=None, *, epochs, batch_size=64, lr=1e-3, optimizer=None, criterion=None, device=None,
    seed=0, max_norm=None, scheduler=None, keep_best=False, progress=True,
) -> History:  # fmt: skip
    """Train a model in place. It comes back in eval mode, on the device it came from.

    train, val: pairs `(X, y)` with a row for each sample; X is a tensor, or a tuple for `model(*X)`.
        uint8 images become floats in [0, 1] batch by batch. y: class indices, long `(N,)`, or what else
        `criterion` compares with.
    lr, optimizer: Adam with this rate, or an optimizer of the model's parameters.
    criterion: a mean over its batch; cross entropy unless given. device: `pick_device()` unless given.
    seed: of the batches' order and of dropout. The same weights and seed give the same result on the same
        machine; the caller's random state is put back.
    max_norm: bound on the gradient's norm. scheduler: stepped after each epoch (a plateau one by the loss).
    keep_best: end with the weights of the epoch with the lowest validation loss.
    progress: show a bar, in a notebook or a terminal.
    Raises ValueError for keep_best without val, and where X and y differ in length.
    """
    if keep_best and val is None:
        raise ValueError("keep_best needs validation data")
    device = torch.device(device or pick_device())
    criterion = criterion or nn.CrossEntropyLoss()
    optimizer = optimizer or getattr(scheduler, "optimizer", None) or torch.optim.Adam(model.parameters(), lr=lr)
    inputs, y = _columns(train[0], device), train[1].to(device)
    if val is not None:
        val_inputs, val_y = _columns(val[0], device), val[1].to(device)
    history, lowest, best = History(), float("inf"), None
    with _on(device, model), _seeded(seed, device), _bar(epochs, progress) as bar:
        order = torch.Generator().manual_seed(seed)
        for _ in bar:
            start, losses, hits = time.perf_counter(), [], []
            model.train()
            for *x, target in batches(*inputs, y, batch_size=batch_size, generator=order):
                logits = model(*map(_readable, x))
                loss = criterion(logits, target)
                optimizer.zero_grad()
                loss.backward()
                if max_norm is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
                optimizer.step()
                losses.append(loss.detach() * len(target))  # on the device: nothing waits for it
                hits.append(_hits(logits.detach(), target))
            history.train_loss.append(torch.stack(losses).sum().item() / len(y))
            history.train_accuracy.append(100 * torch.cat(hits).sum().item() / len(y))
            if val is not None:
                logits = predict(model, val_inputs, device=device).to(device)
                history.val_loss.append(criterion(logits, val_y).item())
                history.val_accuracy.append(100 * _hits(logits, val_y).sum().item() / len(val_y))
                if keep_best and history.val_loss[-1] < lowest:
                    lowest, best = history.val_loss[-1], copy.deepcopy(model.state_dict())
            if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
                scheduler.step((history.val_loss or history.train_loss)[-1])
            elif scheduler is not None:
                scheduler.step()
            history.seconds.append(time.perf_counter() - start)
            bar.set_postfix({name: f"{values[-1]:.3g}" for name, values in vars(history).items() if values})
        if best is not None:
            model.load_state_dict(best)
    model.eval()
    return history


def predict(model, X, batch_size=512, device=None) -> torch.Tensor:
    """The outputs of a model for X (as in `fit`), `(N,...)` on the CPU: in eval mode and without a graph.

    Afterwards the mode of every submodule and the model's device are what they were.
    """
    device = torch.device(device or pick_device())
    modes = [(module, module.training) for module in model.modules()]
    try:
        with _on(device, model.eval()), torch.no_grad():
            parts = batches(*_columns(X), batch_size=batch_size)
            return torch.cat([model(*(_readable(x.to(device)) for x in part)).cpu() for part in parts])
    finally:
        for module, training in modes:
            module.training = training


def _columns(X, device=None):
    return [x.to(device) for x in (X if isinstance(X, (tuple, list)) else (X,))]


def _readable(x):
    return to_float(x) if x.dtype == torch.uint8 else x


def _hits(logits, target):
    """1.0 where the highest logit is the sample's class, else 0.0; NaN where targets are no class indices."""
    if target.is_floating_point() or target.ndim != 1 or logits.ndim != 2:
        return torch.full((1,), float("nan"), device=logits.device)
    return (logits.argmax(dim=1) == target).float()


@contextlib.contextmanager
def _on(device, model):
    home = next((parameter.device for parameter in model.parameters()), device)
    model.to(device)
    try:
        yield
    finally:
        model.to(home)


@contextlib.contextmanager
def _seeded(seed, device):
    gpu = {"cuda": torch.cuda, "mps": torch.mps}.get(device.type)
    before = torch.get_rng_state(), gpu and gpu.get_rng_state(), torch.backends.cudnn.deterministic
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        if gpu:
            gpu.set_rng_state(before[1])
        torch.backends.cudnn.deterministic = before[2]


def _bar(epochs, progress):
    shown = progress and ("ipykernel" in sys.modules or sys.stdout.isatty())
    with warnings.catch_warnings(action="ignore"):  # no advice to install ipywidgets
        from tqdm.auto import tqdm
    return tqdm(range(epochs), unit="epoch", disable=not shown, file=sys.stdout)
