"""Probe of notebook 8 for `amp_train_step`: a model that notes whether autocast is on, and a scaler that notes its calls.

Weights, inputs and targets are small multiples of powers of two, so bfloat16 is exact and every machine gives the same numbers.
"""

import torch
from torch import nn

from dlcourse.checks.probe import probe


class Noting(nn.Module):
    """A linear layer that notes the state of autocast in the forward and in the backward pass."""

    def __init__(self, weight, bias, notes):
        super().__init__()
        self.linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)
        self.linear.weight.register_hook(lambda gradient: notes["backward"].append(torch.is_autocast_enabled("cpu")))
        self.notes = notes

    def forward(self, x):
        on = torch.is_autocast_enabled("cpu")
        self.notes["forward"].append(str(torch.get_autocast_dtype("cpu")).removeprefix("torch.") if on else "off")
        return self.linear(x)


class Scaler(torch.amp.GradScaler):
    """PyTorch's own, which notes what is called."""

    def __init__(self, scale, notes):
        super().__init__("cpu", init_scale=scale, growth_interval=1000)
        self.notes = notes

    def step(self, optimizer, *args, **kwargs):
        self.notes["scaler"].append("step")
        return super().step(optimizer, *args, **kwargs)

    def update(self, new_scale=None):
        self.notes["scaler"].append("update")
        return super().update(new_scale)


@probe
def amp_steps(answer, weight, bias, inputs, targets, rate, steps=1, max_norm=None, scale=None, stale=None):
    """Losses and weights after some steps; the state of autocast; what the scaler was asked for.

    scale: the scaler's first factor, None for no scaler. stale: old gradients are there, filled with this number.
    """
    notes = {"forward": [], "backward": [], "scaler": []}
    model = Noting(weight, bias, notes)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    scaler = None if scale is None else Scaler(scale, notes)
    if stale is not None:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, stale)
    more = {} if max_norm is None else {"max_norm": max_norm}
    if scaler is not None:
        more["scaler"] = scaler
    losses = [answer.amp_train_step(model, inputs, targets, nn.MSELoss(), optimizer, **more) for _ in range(steps)]
    seen = {
        "loss returned": [
            loss if isinstance(loss, float) else f"an object of type {type(loss).__name__}" for loss in losses
        ],
        "weight afterwards": model.linear.weight.detach(),
        "bias afterwards": model.linear.bias.detach(),
        "autocast in the forward pass": notes["forward"],
        "autocast in the backward pass": notes["backward"],
    }
    if scaler is not None:
        seen |= {
            "steps and updates of the scaler": notes["scaler"],
            "factor of the scaler afterwards": scaler.get_scale(),
        }
    return seen
