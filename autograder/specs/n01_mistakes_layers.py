"""Notebook 1, fundamentals: mistakes known by name, as edits of the reference answers; here penalties, dropout and normalisation."""

from autograder.specs.spec import known

# --- regularization --------------------------------------------------------------------------------------------------------------------

L1, L2 = "sum(p.abs().sum() for p in model.parameters())", "sum((p**2).sum() for p in model.parameters())"
GRAPH = "The penalty has to pull at the weights: .data, .item() or detach() cut the graph, and no gradient arrives."

REGULARIZATION = [
    *known(
        "root-taken",
        "L2 is the sum of squares, without a square root.",
        (L2, "torch.sqrt(sum((p**2).sum() for p in model.parameters()))"),
        (L2, "sum(p.norm() for p in model.parameters())"),
    ),
    *known(
        "graph-cut",
        GRAPH,
        (L1, "sum(p.data.abs().sum() for p in model.parameters())"),
        (L1, "sum(p.abs().sum().item() for p in model.parameters())"),
        (L2, "sum((p.data**2).sum() for p in model.parameters())"),
        (L2, "sum((p**2).sum().item() for p in model.parameters())"),
    ),
    *known(
        "biases-left-out",
        "All parameters count, biases too.",
        (L1, "sum(p.abs().sum() for p in model.parameters() if p.ndim > 1)"),
        (L2, "sum((p**2).sum() for p in model.parameters() if p.ndim > 1)"),
        (L1, 'sum(p.abs().sum() for name, p in model.named_parameters() if "weight" in name)'),
        (L2, 'sum((p**2).sum() for name, p in model.named_parameters() if "weight" in name)'),
    ),
    *known(
        "mean-for-sum",
        "Sum over the weights, do not average.",
        (L1, "sum(p.abs().mean() for p in model.parameters())"),
        (L2, "sum((p**2).mean() for p in model.parameters())"),
        (L1, "torch.cat([p.flatten() for p in model.parameters()]).abs().mean()"),
        (L2, "(torch.cat([p.flatten() for p in model.parameters()]) ** 2).mean()"),
    ),
    *known(
        "no-absolute-value",
        "L1 sums absolute values: plain weights cancel each other.",
        (L1, "sum(p.sum() for p in model.parameters())"),
    ),
    *known(
        "half-of-the-square",
        "There is no factor of one half here.",
        ("lam * " + L2, "0.5 * lam * " + L2),
    ),
    *known("factor-forgotten", "Multiply the sum by lam.", ("lam * " + L1, L1), ("lam * " + L2, L2)),
    *known(
        "penalties-swapped",
        "L1 sums absolute values, L2 squares.",
        (L1, L2.replace("p**2", "p ** 2")),
        (L2, L1.replace("p.abs()", "abs(p)")),
    ),
    *known(
        "squared-sum",
        "Square each weight first, then sum.",
        (L2, "sum(p.sum() ** 2 for p in model.parameters())"),
        (L2, "sum(p.sum() for p in model.parameters()) ** 2"),
    ),
    *known(
        "absolute-of-sum",
        "Take the absolute value of each weight first, then sum.",
        (L1, "sum(p.sum().abs() for p in model.parameters())"),
    ),
    *known(
        "last-parameter-only",
        "Add up over all parameters: only the last one is left.",
        (L1, "[p.abs().sum() for p in model.parameters()][-1]"),
        (L2, "[(p**2).sum() for p in model.parameters()][-1]"),
    ),
]


# --- dropout ---------------------------------------------------------------------------------------------------------------------------

KEEP, RESCALED = "keep = torch.rand_like(x) >= self.p", "return torch.where(keep, x / (1 - self.p), 0.0)"
SHARED = "Each sample needs a mask of its own: draw random numbers in the shape of the whole input."

DROPOUT = [
    *known(
        "nothing-dropped-at-one",
        "p = 1 drops everything: the result is zeros, not x.",
        ("torch.zeros_like(x)  #", "x  #"),
    ),
    *known(
        "no-rescale",
        "What is kept has to be divided by 1 - p, or the expected value shrinks.",
        (RESCALED, "return torch.where(keep, x, 0.0)"),
    ),
    *known(
        "p-kept",
        "p is the probability of being dropped, not of being kept.",
        (KEEP, "keep = torch.rand_like(x) < self.p"),
        [(KEEP, "keep = torch.rand_like(x) < self.p"), (RESCALED, "return torch.where(keep, x / self.p, 0.0)")],
    ),
    *known(
        "rescaled-by-p",
        "Divide by the probability of being kept, 1 - p.",
        (RESCALED, "return torch.where(keep, x / self.p, 0.0)"),
        (RESCALED, "return torch.where(keep, x * self.p, 0.0)"),
        (RESCALED, "return torch.where(keep, x * (1 - self.p), 0.0)"),
    ),
    *known(
        "active-in-evaluation",
        "In evaluation nothing is dropped: look at self.training.",
        ("if not self.training:", "if False:"),
    ),
    *known(
        "scaled-in-evaluation",
        "With the inverted form there is nothing left to do in evaluation: return x as it is.",
        ("            return x\n", "            return x * (1 - self.p)\n"),
    ),
    *known(
        "modes-swapped",
        "Evaluation leaves x alone, training does not: drop while self.training is True, and only then.",
        ("if not self.training:", "if self.training:"),
    ),
    *known(
        "one-mask-for-all",
        SHARED,
        (KEEP, "keep = torch.rand(x.shape[1:]) >= self.p"),
        (KEEP, "keep = (torch.rand_like(x[:1]) >= self.p).expand_as(x)"),
        (KEEP, "keep = torch.rand(x.shape[-1]) >= self.p"),
    ),
    *known(
        "whole-samples-dropped",
        "Each element is dropped by itself, not whole samples.",
        (KEEP, "keep = torch.rand([len(x)] + [1] * (x.ndim - 1)) >= self.p"),
    ),
    *known(
        "whole-channels-dropped",
        "Each element is dropped by itself: draw random numbers in the shape of the whole input.",
        (KEEP, "keep = torch.rand(list(x.shape[:2]) + [1] * (x.ndim - 2)) >= self.p"),
    ),
    *known(
        "fixed-number",
        "Chance decides on each element by itself: how many are dropped differs from sample to sample.",
        (KEEP, "keep = torch.rand_like(x).argsort(dim=-1) >= int(self.p * x.shape[-1])"),
    ),
    *known("other-default", "p is 0.5 by default.", ("p=0.5", "p=0.1"), ("p=0.5", "p=0.2")),
    *known(
        "mask-never-changes",
        "Every call needs a new mask: draw it in forward, and do not fix a seed.",
        (KEEP, "torch.manual_seed(0)\n        " + KEEP),
        (KEEP, "self.noise = getattr(self, 'noise', torch.rand_like(x))\n        keep = self.noise >= self.p"),
    ),
    *known(
        "nan-at-one",
        "With p = 1 everything is dropped, and 0 / 0 is NaN: that case needs a line of its own.",
        [
            ("        if self.p == 1:\n            return torch.zeros_like(x)  # there is nothing to rescale\n", ""),
            (RESCALED, "return x * keep / (1 - self.p)"),
        ],
        [
            ("        if self.p == 1:\n            return torch.zeros_like(x)  # there is nothing to rescale\n", ""),
            (RESCALED, "return x * (keep / (1 - self.p))"),
        ],
        [
            ("        if self.p == 1:\n            return torch.zeros_like(x)  # there is nothing to rescale\n", ""),
            (RESCALED, "return x * keep * (1 / (1 - self.p))"),
        ],
    ),
    *known(
        "range-unchecked",
        "Check p when the layer is made, and raise ValueError outside [0, 1].",
        ("if not 0 <= p <= 1:", "if False:"),
        ("if not 0 <= p <= 1:", "if p < 0:"),
        ("if not 0 <= p <= 1:", "if p > 1:"),
    ),
    *known(
        "ends-refused",
        "0 and 1 are probabilities too: only what is outside [0, 1] is refused.",
        ("if not 0 <= p <= 1:", "if not 0 < p < 1:"),
        ("if not 0 <= p <= 1:", "if not 0 <= p < 1:"),
        ("if not 0 <= p <= 1:", "if not 0 < p <= 1:"),
    ),
    *known(
        "wrong-exception",
        "A value that is not allowed raises ValueError; an assert raises AssertionError.",
        ("if not 0 <= p <= 1:", "assert 0 <= p <= 1\n        if False:"),
    ),
    *known(
        "in-place",
        "Leave x as it is: other layers may need it.",
        (RESCALED, "x[~keep] = 0\n        return x / (1 - self.p)"),
    ),
    *known(
        "ready-made",
        "Draw the mask yourself: a dropout of torch ran.",
        ("        if self.p == 1:", "        return F.dropout(x, self.p)\n        if self.p == 1:"),
    ),
]


# --- batch_norm ------------------------------------------------------------------------------------------------------------------------

MOMENTUM = "PyTorch's momentum is the weight of the new value: the old one keeps 1 - momentum."
RUNNING_MEAN = "self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)"
RUNNING_VAR = "self.running_var.mul_(1 - self.momentum).add_(self.momentum * unbiased_var)"
ROOTED = "normalised = (x - mean) / torch.sqrt(var + self.eps)"
BIASED = "var = x.var(dim=0, correction=0)"
REGISTER_MEAN, REGISTER_VAR = (
    'self.register_buffer("running_mean", torch.zeros(num_features))',
    'self.register_buffer("running_var", torch.ones(num_features))',
)
NO_GRAPH = "The running values must not carry a graph: it would grow with every batch, and hold memory. Update them without recording."

BATCH_NORM = [
    *known(
        "biased-running-variance",
        "The running variance keeps the unbiased variance: divide by B - 1.",
        ("unbiased_var = x.var(dim=0, correction=1)", "unbiased_var = var"),
    ),
    *known(
        "unbiased-normalisation",
        "The batch is normalised by its biased variance: divide by B, not by B - 1.",
        (BIASED, "var = x.var(dim=0, correction=1)"),
    ),
    *known(
        "momentum-reversed",
        MOMENTUM,
        [
            (RUNNING_MEAN, "self.running_mean.mul_(self.momentum).add_((1 - self.momentum) * mean)"),
            (RUNNING_VAR, "self.running_var.mul_(self.momentum).add_((1 - self.momentum) * unbiased_var)"),
        ],
        [
            (RUNNING_MEAN, "self.running_mean.mul_(self.momentum).add_((1 - self.momentum) * mean)"),
            (RUNNING_VAR, "self.running_var.mul_(self.momentum).add_((1 - self.momentum) * var)"),
        ],
    ),
    *known(
        "batch-statistics-in-evaluation",
        "In evaluation the running values take the place of the batch's: look at self.training.",
        ("mean, var = self.running_mean, self.running_var", "mean, var = x.mean(dim=0), x.var(dim=0, correction=0)"),
        ("if self.training:", "if True:"),
        ("mean, var = self.running_mean, self.running_var", "mean, var = x.mean(dim=0), x.var(dim=0, correction=1)"),
    ),
    *known(
        "running-values-in-training",
        "While training, the batch is normalised by its own mean and variance.",
        ("        normalised =", "        mean, var = self.running_mean, self.running_var\n        normalised ="),
    ),
    *known(
        "buffers-as-parameters",
        "Running values are not trained: register them as buffers, not as parameters.",
        [
            (REGISTER_MEAN, "self.running_mean = nn.Parameter(torch.zeros(num_features))"),
            (REGISTER_VAR, "self.running_var = nn.Parameter(torch.ones(num_features))"),
        ],
        [
            (REGISTER_MEAN, "self.running_mean = nn.Parameter(torch.zeros(num_features), requires_grad=False)"),
            (REGISTER_VAR, "self.running_var = nn.Parameter(torch.ones(num_features), requires_grad=False)"),
        ],
    ),
    *known(
        "plain-attributes",
        "A plain tensor is not saved, and does not move to the GPU with the module: register the running values as buffers.",
        [(REGISTER_MEAN, "self.running_mean = torch.zeros(num_features)"), (REGISTER_VAR, "self.running_var = torch.ones(num_features)")],
    ),
    *known(
        "not-saved",
        "persistent=False leaves a buffer out of state_dict(): a loaded model would have forgotten its running values.",
        [(REGISTER_MEAN, REGISTER_MEAN[:-1] + ", persistent=False)"), (REGISTER_VAR, REGISTER_VAR[:-1] + ", persistent=False)")],
    ),
    *known(
        "parameters-not-registered",
        "weight and bias are trained: wrap them in nn.Parameter.",
        [
            ("nn.Parameter(torch.ones(num_features))", "torch.ones(num_features, requires_grad=True)"),
            ("nn.Parameter(torch.zeros(num_features))", "torch.zeros(num_features, requires_grad=True)"),
        ],
        [
            ("nn.Parameter(torch.ones(num_features))", "torch.ones(num_features)"),
            ("nn.Parameter(torch.zeros(num_features))", "torch.zeros(num_features)"),
        ],
    ),
    *known(
        "first-values",
        "At first weight is 1, bias 0, the running mean 0 and the running variance 1.",
        (REGISTER_VAR, 'self.register_buffer("running_var", torch.zeros(num_features))'),
        (REGISTER_MEAN, 'self.register_buffer("running_mean", torch.ones(num_features))'),
        ("nn.Parameter(torch.zeros(num_features))", "nn.Parameter(torch.ones(num_features))"),
        ("nn.Parameter(torch.zeros(num_features))", "nn.Parameter(torch.randn(num_features))"),
        ("nn.Parameter(torch.ones(num_features))", "nn.Parameter(torch.randn(num_features))"),
        ("nn.Parameter(torch.ones(num_features))", "nn.Parameter(torch.zeros(num_features))"),
    ),
    *known(
        "over-features",
        "Batch norm averages over the samples, dimension 0, one mean for each feature.",
        [("mean = x.mean(dim=0)", "mean = x.mean(dim=1, keepdim=True)"), (BIASED, "var = x.var(dim=1, correction=0, keepdim=True)")],
        [
            ("mean = x.mean(dim=0)", "mean = x.mean(dim=1, keepdim=True)"),
            (BIASED, "var = x.var(dim=1, correction=0, keepdim=True)"),
            ("unbiased_var = x.var(dim=0, correction=1)", "unbiased_var = x.var(dim=1, correction=1, keepdim=True)"),
        ],
        [
            ("mean = x.mean(dim=0)", "mean = x.mean(dim=1)"),
            (BIASED, "var = x.var(dim=1, correction=0)"),
            ("unbiased_var = x.var(dim=0, correction=1)", "unbiased_var = x.var(dim=1, correction=1)"),
        ],
        [
            ("mean = x.mean(dim=0)", "mean = x.mean(dim=1, keepdim=True)"),
            (BIASED, "var = x.var(dim=1, correction=0, keepdim=True)"),
            (RUNNING_MEAN, "self.running_mean.mul_(1 - self.momentum).add_(self.momentum * x.mean(dim=0))"),
        ],
    ),
    *known(
        "over-everything",
        "Each feature has a mean and a variance of its own: average over dimension 0 alone.",
        [
            ("mean = x.mean(dim=0)", "mean = x.mean()"),
            (BIASED, "var = x.var(correction=0)"),
            ("unbiased_var = x.var(dim=0, correction=1)", "unbiased_var = x.var(correction=1)"),
        ],
    ),
    *known(
        "eps-outside-root",
        "eps is added under the square root.",
        (ROOTED, "normalised = (x - mean) / (torch.sqrt(var) + self.eps)"),
    ),
    *known(
        "no-root",
        "Divide by the standard deviation, the root of the variance.",
        (ROOTED, "normalised = (x - mean) / (var + self.eps)"),
    ),
    *known(
        "eps-forgotten",
        "eps belongs under the root, or a constant feature gives NaN.",
        (ROOTED, "normalised = (x - mean) / torch.sqrt(var)"),
    ),
    *known(
        "running-values-never-updated",
        "While training, update the running values in every call.",
        [(RUNNING_MEAN, "pass"), (RUNNING_VAR, "pass")],
        [
            (RUNNING_MEAN, "(1 - self.momentum) * self.running_mean + self.momentum * mean"),
            (RUNNING_VAR, "(1 - self.momentum) * self.running_var + self.momentum * unbiased_var"),
        ],
    ),
    *known(
        "running-values-replaced",
        "The running values are averages over batches: keep most of the old value.",
        [(RUNNING_MEAN, "self.running_mean.copy_(mean)"), (RUNNING_VAR, "self.running_var.copy_(unbiased_var)")],
        [
            (RUNNING_MEAN, "self.running_mean.add_(self.momentum * mean)"),
            (RUNNING_VAR, "self.running_var.add_(self.momentum * unbiased_var)"),
        ],
    ),
    *known(
        "graph-in-running-values",
        NO_GRAPH,
        [
            (RUNNING_MEAN, "pass"),
            (RUNNING_VAR, "pass"),
            (
                "        else:\n            mean, var",
                "            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean\n"
                "            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * x.var(dim=0)\n"
                "        else:\n            mean, var",
            ),
        ],
    ),
    *known(
        "statistics-detached",
        "The batch's mean and variance depend on x, and the gradient has to flow through them.",
        [("mean = x.mean(dim=0)", "mean = x.detach().mean(dim=0)"), (BIASED, "var = x.detach().var(dim=0, correction=0)")],
        (BIASED, "var = x.detach().var(dim=0, correction=0)"),
        ("mean = x.mean(dim=0)", "mean = x.detach().mean(dim=0)"),
    ),
    *known(
        "affine-forgotten",
        "At the end comes the learned weight, then the learned bias.",
        ("return self.weight * normalised + self.bias", "return normalised"),
        ("return self.weight * normalised + self.bias", "return self.weight * normalised"),
        ("return self.weight * normalised + self.bias", "return self.weight * (normalised + self.bias)"),
    ),
    *known(
        "updated-in-evaluation",
        "In evaluation the running values stay as they are.",
        (
            "mean, var = self.running_mean, self.running_var",
            "mean, var = self.running_mean.clone(), self.running_var.clone()\n            "
            "self.running_mean.mul_(1 - self.momentum).add_(self.momentum * x.mean(dim=0))\n            "
            "self.running_var.mul_(1 - self.momentum).add_(self.momentum * x.var(dim=0, correction=0))",
        ),
    ),
    *known(
        "ready-made",
        "Write the formula yourself: a batch norm of torch ran.",
        (
            "        if self.training:\n",
            "        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, "
            "self.training, self.momentum, self.eps)\n        if self.training:\n",
        ),
    ),
]


# --- layer_norm ------------------------------------------------------------------------------------------------------------------------

LN_MEAN, LN_VAR, LN_ROOT = (
    "x.mean(dim=-1, keepdim=True)",
    "x.var(dim=-1, keepdim=True, correction=0)",
    "normalised = (x - mean) / torch.sqrt(var + eps)",
)
OVER_BATCH = "Layer norm averages over the last dimension, each sample (and place) by itself."

LAYER_NORM = [
    *known(
        "over-batch",
        OVER_BATCH,
        [(LN_MEAN, "x.mean(dim=0, keepdim=True)"), (LN_VAR, "x.var(dim=0, keepdim=True, correction=0)")],
        [(LN_MEAN, "x.mean(dim=0)"), (LN_VAR, "x.var(dim=0, correction=1)")],
        [(LN_MEAN, "x.mean(dim=1, keepdim=True)"), (LN_VAR, "x.var(dim=1, keepdim=True, correction=0)")],
        [
            (LN_MEAN, "x.mean(dim=list(range(x.ndim - 1)), keepdim=True)"),
            (LN_VAR, "x.var(dim=list(range(x.ndim - 1)), keepdim=True, correction=0)"),
        ],
    ),
    *known(
        "over-all-dimensions",
        "Only the last dimension is averaged over; samples and places stay apart.",
        [(LN_MEAN, "x.mean()"), (LN_VAR, "x.var(correction=0)")],
        [
            (LN_MEAN, "x.mean(dim=list(range(1, x.ndim)) or 0, keepdim=True)"),
            (LN_VAR, "x.var(dim=list(range(1, x.ndim)) or 0, keepdim=True, correction=0)"),
        ],
    ),
    *known(
        "unbiased-variance",
        "Layer norm uses the biased variance: divide by D, not by D - 1.",
        (LN_VAR, "x.var(dim=-1, keepdim=True)"),
    ),
    *known(
        "eps-outside-root",
        "eps is added under the square root.",
        (LN_ROOT, "normalised = (x - mean) / (torch.sqrt(var) + eps)"),
    ),
    *known(
        "unbiased-and-eps-outside",
        "Two things: the biased variance (divide by D), and eps under the square root.",
        [(LN_VAR, "x.var(dim=-1, keepdim=True)"), (LN_ROOT, "normalised = (x - mean) / (torch.sqrt(var) + eps)")],
    ),
    *known(
        "no-root",
        "Divide by the standard deviation, the root of the variance.",
        (LN_ROOT, "normalised = (x - mean) / (var + eps)"),
    ),
    *known(
        "eps-forgotten",
        "eps belongs under the root, or a row without variance gives NaN.",
        (LN_ROOT, "normalised = (x - mean) / torch.sqrt(var)"),
    ),
    *known(
        "eps-fixed",
        "Use the argument eps: here it is always 1e-5.",
        (LN_ROOT, "normalised = (x - mean) / torch.sqrt(var + 1e-5)"),
    ),
    *known("not-centred", "Subtract the mean before you divide.", (LN_ROOT, "normalised = x / torch.sqrt(var + eps)")),
    *known(
        "affine-forgotten",
        "At the end comes the learned weight, then the learned bias.",
        ("return weight * normalised + bias", "return normalised"),
        ("return weight * normalised + bias", "return weight * normalised"),
        ("return weight * normalised + bias", "return weight * (normalised + bias)"),
        ("return weight * normalised + bias", "return bias * normalised + weight"),
        ("return weight * normalised + bias", "return normalised + bias"),
    ),
    *known(
        "statistics-detached",
        "The mean and variance depend on x, and the gradient has to flow through them.",
        [(LN_MEAN, "x.detach().mean(dim=-1, keepdim=True)"), (LN_VAR, "x.detach().var(dim=-1, keepdim=True, correction=0)")],
        (LN_VAR, "x.detach().var(dim=-1, keepdim=True, correction=0)"),
    ),
    *known(
        "ready-made",
        "Write the formula yourself: a layer norm of torch ran.",
        ("return weight * normalised + bias", "return F.layer_norm(x, x.shape[-1:], weight, bias, eps)"),
    ),
]
