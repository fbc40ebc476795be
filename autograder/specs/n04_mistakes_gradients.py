"""Notebook 4, recurrent networks: mistakes in gradients, clipping, lengths and the bidirectional network."""

from autograder.specs.n04_mistakes import BATCH_FIRST, GRAPH, LOGITS, PLAIN_RNN
from autograder.specs.spec import known

# --- gradient_flow -----------------------------------------------------------------------------------------------------------------

COPY = "x = x.detach().clone().requires_grad_()"
LOSS = "loss = F.cross_entropy(model(x), y)"
GRAD = "(grad,) = torch.autograd.grad(loss, x)"
NORM = "return grad.norm(dim=(0, 2))"

GRADIENT_FLOW = [
    *known(
        "per-parameter",
        "Asked for is the gradient of the input at every step, (T,), not the gradients of the model's parameters.",
        (
            NORM,
            "return torch.stack([g.norm() for g in torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))])",
        ),
        [(GRAD, "loss.backward()"), (NORM, "return torch.stack([p.grad.norm() for p in model.parameters()])")],
        [(GRAD, "loss.backward()"), (NORM, "return [p.grad.norm().item() for p in model.parameters()]")],
    ),
    *known(
        "grads-accumulated",
        "backward() adds to the .grad of every parameter of the model: leave them as they were.",
        (GRAD, "loss.backward()\n    grad = x.grad"),
    ),
    *known(
        "grads-deleted",
        "zero_grad() deletes the gradients that the model had before: leave them as they were.",
        (GRAD, "loss.backward()\n    grad = x.grad\n    model.zero_grad()"),
        (GRAD, "model.zero_grad()\n    loss.backward()\n    grad = x.grad"),
        (GRAD, "model.zero_grad()\n    (grad,) = torch.autograd.grad(loss, x)"),
    ),
    *known(
        "x-changed",
        "Work on a copy of x: its .grad keeps growing from call to call.",
        [(COPY, "x.requires_grad_()"), (GRAD, "loss.backward()\n    grad = x.grad")],
    ),
    *known(
        "wrong-axis",
        "Time is axis 1: take the norm over the batch and the features, axes 0 and 2, so that one number for each step is left.",
        (NORM, "return grad.norm(dim=(1, 2))"),
        (NORM, "return grad.norm(dim=(0, 1))"),
        (NORM, "return grad.norm(dim=1)"),
        (NORM, "return grad.norm(dim=2)"),
        (NORM, "return grad.norm()"),
    ),
    *known(
        "mean-of-norms",
        "One norm over batch and features together, not the mean or the sum of the samples' norms.",
        (NORM, "return grad.norm(dim=2).mean(dim=0)"),
        (NORM, "return grad.norm(dim=2).sum(dim=0)"),
        (NORM, "return grad.mean(dim=0).norm(dim=1)"),
        (NORM, "return grad.sum(dim=0).norm(dim=1)"),
    ),
    *known(
        "not-l2",
        "The L2 norm is the square root of the sum of squares.",
        (NORM, "return grad.abs().sum(dim=(0, 2))"),
        (NORM, "return grad.abs().mean(dim=(0, 2))"),
        (NORM, "return grad.square().sum(dim=(0, 2))"),
        (NORM, "return grad.square().mean(dim=(0, 2)).sqrt()"),
        (NORM, "return grad.abs().amax(dim=(0, 2))"),
    ),
    *known(
        "loss-summed",
        "The loss is the mean over the batch, not the sum.",
        (LOSS, 'loss = F.cross_entropy(model(x), y, reduction="sum")'),
    ),
    *known(
        "other-loss",
        "The loss is the cross entropy of the logits and the classes.",
        (LOSS, "loss = model(x).sum()"),
        (LOSS, "loss = model(x).mean()"),
        (LOSS, "loss = F.cross_entropy(model(x).softmax(dim=-1), y)"),
    ),
    *known(
        "mode-changed",
        "Put the model back into the mode, training or evaluation, that it was in.",
        (LOSS, f"model.eval()\n    {LOSS}"),
        (LOSS, f"model.train()\n    {LOSS}"),
    ),
    *known(
        "left-frozen",
        "Parameters whose requires_grad is switched off do not learn any more: leave the flags as they were.",
        (LOSS, f"model.requires_grad_(False)\n    {LOSS}"),
        [(LOSS, f"model.requires_grad_(False)\n    {LOSS}"), (GRAD, f"{GRAD}\n    model.requires_grad_(True)")],
    ),
    *known("reversed", "Entry t belongs to step t, the first step first.", (NORM, f"{NORM}.flip(0)")),
]


# --- clip_gradients ----------------------------------------------------------------------------------------------------------------

GRADS = "grads = [parameter.grad for parameter in parameters if parameter.grad is not None]"
EMPTY = "    if not grads:\n        return 0.0\n"
GLOBAL = "norm = torch.stack([grad.norm() for grad in grads]).norm()"
CLIP = "    if norm > max_norm:\n        for grad in grads:\n            grad.mul_(max_norm / norm)\n"
SCALE = "grad.mul_(max_norm / norm)"
RETURN = "return norm.item()"
PER_TENSOR = "    for grad in grads:\n        if grad.norm() > max_norm:\n            grad.mul_(max_norm / grad.norm())\n"

CLIP_GRADIENTS = [
    *known(
        "per-tensor",
        "One norm over all gradients together decides, and one factor scales them all: clipping each by itself changes the direction.",
        (CLIP, PER_TENSOR),
        (SCALE, "grad.mul_(max_norm / grad.norm())"),
        (SCALE, "grad.mul_((max_norm / grad.norm()).clamp(max=1))"),
        [(CLIP, PER_TENSOR), (RETURN, "return max(grad.norm().item() for grad in grads)")],
    ),
    *known(
        "scaled-up",
        "Gradients that are short enough stay as they are: scale only when the norm is above max_norm.",
        ("if norm > max_norm:", "if norm > 0:"),
        ("if norm > max_norm:", "if True:"),
        [("if norm > max_norm:", "if True:"), (SCALE, "grad.mul_(max_norm / (norm + 1e-6))")],
    ),
    *known(
        "value-clipping",
        "Scale all gradients by one factor: cutting off single values changes the direction.",
        (SCALE, "grad.clamp_(-max_norm, max_norm)"),
        (CLIP, "    for grad in grads:\n        grad.clamp_(-max_norm, max_norm)\n"),
    ),
    *known(
        "norm-after",
        "Return the norm as it was before clipping.",
        (RETURN, "return min(norm.item(), max_norm)"),
        (RETURN, "return torch.stack([grad.norm() for grad in grads]).norm().item()"),
    ),
    *known(
        "generator-exhausted",
        "A generator can be walked through once only: make a list of it first.",
        (
            "for grad in grads:",
            "for grad in [parameter.grad for parameter in parameters if parameter.grad is not None]:",
        ),
    ),
    *known(
        "nothing-clipped",
        "The gradients do not change: scale them in place. (A generator is empty after one walk: a second loop finds nothing.)",
        (SCALE, "grad = grad * max_norm / norm"),
        (CLIP, ""),
    ),
    *known(
        "not-the-global-l2-norm",
        "The global norm is the square root of the sum of all squares.",
        (GLOBAL, "norm = torch.stack([grad.norm() for grad in grads]).sum()"),
        (GLOBAL, "norm = torch.stack([grad.square().sum() for grad in grads]).sum()"),
        (GLOBAL, "norm = torch.stack([grad.abs().sum() for grad in grads]).sum()"),
        (GLOBAL, "norm = torch.stack([grad.norm() for grad in grads]).max()"),
        (GLOBAL, "norm = torch.stack([grad.norm() for grad in grads]).mean()"),
    ),
    *known(
        "scaled-to-one",
        "Scale to max_norm, not to 1.",
        (SCALE, "grad.div_(norm)"),
        (SCALE, "grad.mul_(1 / norm)"),
    ),
    *known(
        "none-not-skipped",
        "Parameters without a gradient, .grad is None, are skipped.",
        (GRADS, GRADS.replace(" if parameter.grad is not None", "")),
    ),
    *known(
        "uses-torch-nn-utils",
        "Write it yourself: torch.nn.utils is not to be used.",
        (GRADS, "return float(nn.utils.clip_grad_norm_(parameters, max_norm))\n    grads = []"),
    ),
    *known(
        "no-gradients",
        "Without any gradient, return 0.0.",
        (EMPTY, ""),
        ("return 0.0", "return None"),
    ),
]


# --- masked_last_step --------------------------------------------------------------------------------------------------------------

CHECK = "if ((lengths < 1) | (lengths > outputs.shape[1])).any():"
PICK = "return outputs[rows, lengths - 1]"
RANGE = "A length below 1 or above T is an error: raise ValueError, and do not let it pick some other step."

MASKED_LAST_STEP = [
    *known(
        "last-index",
        "A shorter sequence ends before the last index: `[:, -1]` reads its padding.",
        (PICK, "return outputs[:, -1]"),
    ),
    *known(
        "off-by-one",
        "A sequence of length n ends at index n - 1.",
        (PICK, "return outputs[rows, lengths.clamp(max=outputs.shape[1] - 1)]"),
        (PICK, "return outputs[rows, lengths]"),
        (PICK, "return outputs[rows, (lengths - 2).clamp(min=0)]"),
        (PICK, "return outputs[rows, lengths - 2]"),
    ),
    *known(
        "no-check",
        RANGE,
        (CHECK, "if False:"),
        [(CHECK, "if False:"), (PICK, "return outputs[rows, (lengths - 1).clamp(0, outputs.shape[1] - 1)]")],
        (CHECK, "if (lengths > outputs.shape[1]).any():"),
        (CHECK, "if (lengths < 1).any():"),
        (CHECK, "if (lengths < 0).any():"),
        (CHECK, "if ((lengths < 0) | (lengths > outputs.shape[1])).any():"),
        (CHECK, "if ((lengths < 1) | (lengths > outputs.shape[1])).all():"),
    ),
    *known(
        "other-exception",
        "The exception asked for is ValueError.",
        ("raise ValueError(", "raise AssertionError("),
        ("raise ValueError(", "raise IndexError("),
        ("raise ValueError(", "raise RuntimeError("),
    ),
    *known(
        "too-strict",
        "Lengths of 1 and of T are allowed.",
        (CHECK, "if ((lengths < 1) | (lengths >= outputs.shape[1])).any():"),
        (CHECK, "if ((lengths <= 1) | (lengths > outputs.shape[1])).any():"),
    ),
    *known(
        "all-pairs",
        "One step for each row: index the rows too, or every row is paired with every length.",
        (PICK, "return outputs[:, lengths - 1]"),
    ),
    *known("first-step", "Pick the last valid step, not the first.", (PICK, "return outputs[:, 0]")),
    *known(
        "pooled",
        "Pick one state for each sequence, not a mean or a sum over its steps.",
        (PICK, "return torch.stack([row[:n].mean(dim=0) for row, n in zip(outputs, lengths)])"),
        (PICK, "return torch.stack([row[:n].sum(dim=0) for row, n in zip(outputs, lengths)])"),
    ),
    *known(
        "lengths-changed",
        "The caller's lengths are changed: `lengths - 1` makes a new tensor, `lengths -= 1` does not.",
        (PICK, f"lengths -= 1\n    {PICK.replace('lengths - 1', 'lengths')}"),
    ),
    *known("kept-axis", "The result is (B, H), without an axis for time.", (PICK, f"{PICK}.unsqueeze(1)")),
    *known("graph-cut", GRAPH, (PICK, f"{PICK}.detach()")),
]


# --- bidirectional_rnn -------------------------------------------------------------------------------------------------------------

BI_RNN = "self.rnn = nn.RNN(input_size, hidden_size, num_layers, batch_first=True, bidirectional=True)"
SCORER = "self.attention = nn.Linear(2 * hidden_size, 1)"
BI_FC = "self.fc = nn.Linear(2 * hidden_size, num_classes)"
SCORES = "scores = self.attention(states).squeeze(-1)"
WEIGHTS = "self.attention_weights = torch.softmax(scores, dim=1)"
POOL = "pooled = (self.attention_weights.unsqueeze(-1) * states).sum(dim=1)"
BI_LOGITS = "return self.fc(pooled)"
NARROW = [(SCORER, SCORER.replace("2 * ", "")), (BI_FC, BI_FC.replace("2 * ", ""))]

BIDIRECTIONAL_RNN = [
    *known(
        "score-of-the-input",
        "The score is that of the state h_t, not of the input x_t.",
        [(SCORER, "self.attention = nn.Linear(input_size, 1)"), (SCORES, "scores = self.attention(x).squeeze(-1)")],
    ),
    *known(
        "softmax-over-batch",
        "The softmax runs over time: the weights of each sequence sum to 1.",
        (WEIGHTS, WEIGHTS.replace("dim=1", "dim=0")),
    ),
    *known(
        "softmax-over-one",
        "The softmax runs over time: over the last axis of (B, T, 1), which has one entry, every weight is 1.",
        [
            (SCORES, "scores = self.attention(states)"),
            (WEIGHTS, "self.attention_weights = torch.softmax(scores, dim=-1).squeeze(-1)"),
        ],
    ),
    *known("graph-cut", GRAPH, (SCORES, f"states = states.detach()\n        {SCORES}")),
    *known(
        "score-not-learned",
        "The score must be learned: weights of `attention` have to get a gradient.",
        (WEIGHTS, WEIGHTS + ".detach()"),
        (SCORES, "scores = states.sum(dim=-1)"),
        (SCORES, "scores = states.norm(dim=-1)"),
    ),
    *known(
        "last-step-only",
        "Classify the weighted sum over all steps, not the last step's state.",
        (POOL, "pooled = states[:, -1]"),
        [
            ("states, _ = self.rnn(x)", "states, h_n = self.rnn(x)"),
            (POOL, "pooled = torch.cat([h_n[-2], h_n[-1]], dim=1)"),
        ],
        (POOL, "pooled = states[:, 0]"),
    ),
    *known(
        "pooled-without-weights",
        "The states are weighted by attention before they are summed: a plain mean, sum or maximum ignores the weights.",
        (POOL, "pooled = states.mean(dim=1)"),
        (POOL, "pooled = states.sum(dim=1)"),
        (POOL, "pooled = states.max(dim=1).values"),
        (POOL, "pooled = (self.attention_weights.unsqueeze(-1) * states).mean(dim=1)"),
    ),
    *known(
        "one-direction",
        "Both directions of rnn go into the scores and into the sum: 2 * hidden_size features at every step.",
        [(BI_RNN, BI_RNN.replace(", bidirectional=True", "")), *NARROW],
        [*NARROW, (SCORES, f"states = states[..., : self.rnn.hidden_size]\n        {SCORES}")],
        [*NARROW, (SCORES, f"states = states[..., self.rnn.hidden_size :]\n        {SCORES}")],
        [(BI_FC, BI_FC.replace("2 * ", "")), (POOL, f"{POOL}[:, : self.rnn.hidden_size]")],
    ),
    *known(
        "directions-added",
        "The two directions stand side by side, 2 * hidden_size features: do not add or average them.",
        [*NARROW, (SCORES, f"states = states.unflatten(-1, (2, -1)).sum(dim=-2)\n        {SCORES}")],
        [*NARROW, (SCORES, f"states = states.unflatten(-1, (2, -1)).mean(dim=-2)\n        {SCORES}")],
    ),
    *known("samples-mixed", BATCH_FIRST, (BI_RNN, BI_RNN.replace(", batch_first=True", ""))),
    *known(
        "squeezed-too-much",
        "squeeze() without a dimension also drops a batch of one, or a single step: name the axis.",
        (SCORES, "scores = self.attention(states).squeeze()"),
        [
            (SCORES, "scores = self.attention(states)"),
            (WEIGHTS, "self.attention_weights = torch.softmax(scores, dim=1).squeeze()"),
            (POOL, "pooled = (torch.softmax(scores, dim=1) * states).sum(dim=1)"),
        ],
    ),
    *known(
        "shape-of-the-weights",
        "attention_weights has shape (B, T), batch first and without a third axis.",
        (BI_LOGITS, f"self.attention_weights = self.attention_weights.unsqueeze(-1)\n        {BI_LOGITS}"),
        (BI_LOGITS, f"self.attention_weights = self.attention_weights.T\n        {BI_LOGITS}"),
    ),
    *known(
        "weights-not-kept",
        "After every forward pass the attribute attention_weights holds the weights of that pass.",
        [
            (WEIGHTS, "weights = torch.softmax(scores, dim=1)"),
            (POOL, "pooled = (weights.unsqueeze(-1) * states).sum(dim=1)"),
        ],
        [
            (
                WEIGHTS,
                'weights = torch.softmax(scores, dim=1)\n        self.attention_weights = getattr(self, "attention_weights", weights)',
            ),
            (POOL, "pooled = (weights.unsqueeze(-1) * states).sum(dim=1)"),
        ],
    ),
    *known(
        "weights-in-evaluation-only",
        "After every forward pass, in training too, attention_weights holds the weights of that pass.",
        [
            (WEIGHTS, "weights = torch.softmax(scores, dim=1)\n        if not self.training:\n            self.attention_weights = weights"),
            (POOL, "pooled = (weights.unsqueeze(-1) * states).sum(dim=1)"),
        ],
    ),
    *known(
        "scores-for-weights",
        "attention_weights holds the weights after the softmax, not the scores.",
        [
            (POOL, "pooled = (torch.softmax(scores, dim=1).unsqueeze(-1) * states).sum(dim=1)"),
            (WEIGHTS, "self.attention_weights = scores"),
        ],
    ),
    *known(
        "no-softmax",
        "The scores become weights through a softmax over time.",
        (WEIGHTS, "self.attention_weights = scores"),
        (WEIGHTS, "self.attention_weights = torch.sigmoid(scores)"),
        (WEIGHTS, "self.attention_weights = torch.tanh(scores)"),
    ),
    *known(
        "something-added",
        "fc gets the weighted sum of the states, and nothing else.",
        (POOL, f"{POOL} + states[:, -1]"),
        (POOL, f"{POOL}.tanh()"),
    ),
    *known(
        "dropout",
        "There is no dropout in this network: in training it computes the same as in evaluation.",
        (BI_RNN, BI_RNN.replace("batch_first=True", "batch_first=True, dropout=0.3")),
        (BI_LOGITS, "return self.fc(F.dropout(pooled, 0.3, self.training))"),
    ),
    *known(
        "softmaxed",
        LOGITS,
        (BI_LOGITS, f"{BI_LOGITS}.softmax(dim=-1)"),
        (BI_LOGITS, f"{BI_LOGITS}.log_softmax(dim=-1)"),
    ),
    *known("gated-layer", PLAIN_RNN, *((BI_RNN, BI_RNN.replace("nn.RNN", f"nn.{kind}")) for kind in ("GRU", "LSTM"))),
    *known(
        "layers-fixed",
        "The number of layers is an argument.",
        (BI_RNN, BI_RNN.replace("num_layers", "1")),
        (BI_RNN, BI_RNN.replace("num_layers", "2")),
    ),
    *known("classes-fixed", "The number of classes is an argument.", (BI_FC, BI_FC.replace("num_classes", "2"))),
]
