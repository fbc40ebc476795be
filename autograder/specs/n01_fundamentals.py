"""Notebook 1, fundamentals: cases and misconceptions."""

import math

import torch
import torch.nn.functional as F

from autograder.specs.spec import Case, Exercise, Misconception, Part, quiz

DOUBLE = torch.float64


def numbers(*shape, seed, dtype=torch.float32, scale=1.0):
    """Normal random numbers, the same at every build."""
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)).to(dtype)


def classes(count, batch, seed):
    """Random class indices (batch,)."""
    return torch.randint(count, (batch,), generator=torch.Generator().manual_seed(seed))


def bits(*shape, seed):
    """Zeros and ones as floats."""
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.5).float()


# --- activations -------------------------------------------------------------------------------------------------------------------

NEAR = torch.tensor([-3.0, -1.5, -0.5, 0.25, 1.0, 2.5])
FAR = torch.tensor([-1000.0, 1000.0])
FARTHER = torch.tensor([[-1000.0, -500.0, -100.0], [100.0, 500.0, 1000.0]])
TORCHS = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "leaky_relu": F.leaky_relu,
    "elu": F.elu, "gelu": F.gelu, "softplus": F.softplus, "silu": F.silu,
}  # fmt: skip


def activation_parts(name, public_options=None, hidden_options=None):
    """Two parts for an activation: near zero, and far from it."""

    def near(label, x, options=None, **more):
        return Case(label, {"name": name, "x": x, **({"options": options} if options else {}), **more})

    def far(label, x):
        return Case(label, {"name": name, "x": x}, {"right": TORCHS[name](x)})

    public = [near("numbers near zero", NEAR)]
    hidden = [
        near("float64, three dimensions", numbers(2, 3, 4, seed=1, dtype=DOUBLE, scale=2.0)),
        near("not contiguous in memory", numbers(3, 4, seed=2, scale=2.0), contiguous=False),
        near("a single number without dimensions", torch.tensor(-0.75)),
        near("no numbers at all", torch.zeros(0, 3)),
    ]
    if public_options:
        public.append(near(f"with {public_options}", NEAR, public_options))
        hidden.append(near(f"with {hidden_options}", numbers(5, 2, seed=3), hidden_options))
    return [
        Part(f"{name}: values and gradients near zero", probe="activation", public=public, hidden=hidden),
        Part(
            f"{name}: right and finite far from zero",
            probe="activation_extremes",
            public=[far("-1000 and 1000", FAR)],
            hidden=[far("from -1000 to 1000", FARTHER), far("from -1000 to 1000, float64", FARTHER.double())],
            share=0.5,
        ),
    ]


OVERFLOW = "exp of a large number is infinite, and infinity over infinity is NaN: use a form whose exponential may overflow harmlessly."
SOFTPLUS = "log(1 + exp(x)) overflows for large x, though the result is just x: take max(x, 0) out of the logarithm."
TANH_GELU = "This is an approximation of GELU: the exact form uses erf, the error function of the normal distribution."
READY_MADE = "Build it from elementary operations: a ready-made activation of torch ran."
MASKED_OUT = "Infinity times zero is NaN: choose between the two branches (with where or clamp) instead of multiplying by a mask."
SIGMOID, TANH = "1 / (1 + torch.exp(-x))  #", "2 / (1 + torch.exp(-2 * x)) - 1"
ELU, GELU, SILU = "torch.where(x > 0, x, alpha * torch.expm1(x))", "0.5 * x * (1 + torch.erf(x / math.sqrt(2)))", "x / (1 + torch.exp(-x))"
LEAKY, RELU = "torch.where(x > 0, x, negative_slope * x)", "torch.clamp(x, min=0)\n"
STABLE = "torch.clamp(x, min=0) + torch.log1p(torch.exp(-x.abs()))"


def variants(id, says, *edits):
    """Misconceptions that share an id and a sentence: each edit is (old, new) or (old, new, (old, new), ...)."""
    return [Misconception(id, old=old, new=new, says=says, also=tuple(also)) for old, new, *also in edits]


activations = Exercise(
    "activations",
    points=2,
    parts=[
        part
        for name in TORCHS
        for part in activation_parts(
            name,
            *{"leaky_relu": ({"negative_slope": 0.2}, {"negative_slope": 0.05}), "elu": ({"alpha": 2.0}, {"alpha": 0.5})}.get(name, ()),
        )
    ],
    misconceptions=[
        *variants(
            "sigmoid-overflow", OVERFLOW,
            (SIGMOID, "torch.exp(x) / (1 + torch.exp(x))  #"),
            (SILU, "x * torch.exp(x) / (1 + torch.exp(x))"),
        ),
        *variants(
            "tanh-overflow", OVERFLOW,
            (TANH, "(torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))"),
            (TANH, "(torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1)"),
        ),
        *variants("softplus-overflow", SOFTPLUS, (STABLE, "torch.log(1 + torch.exp(x))")),
        *variants(
            "gelu-approximated", TANH_GELU,
            (GELU, "0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))"),
            (GELU, "x * sigmoid(1.702 * x)"),
        ),
        *variants(
            "gelu-without-root-two", "GELU weighs x by the normal distribution function: inside erf, x is divided by the square root of 2.",
            (GELU, "0.5 * x * (1 + torch.erf(x))"),
        ),
        *variants(
            "gelu-factor", "The normal distribution function runs from 0 to 1: that is half of (1 + erf).",
            (GELU, "x * (1 + torch.erf(x / math.sqrt(2)))"),
            (GELU, "0.5 * (1 + torch.erf(x / math.sqrt(2)))"),
        ),
        *variants(
            "leaky-slope-sign", "For negative x the result is negative too: the slope times x, without another minus sign.",
            (LEAKY, "torch.where(x > 0, x, -negative_slope * x)"),
            (LEAKY, "torch.clamp(x, min=0) - negative_slope * torch.clamp(x, max=0)"),
        ),
        *variants(
            "leaky-branches-swapped", "The small slope belongs to negative x; positive x passes unchanged.",
            (LEAKY, "torch.where(x > 0, negative_slope * x, x)"),
        ),
        *variants(
            "leaky-slope-ignored", "Use the argument negative_slope: here the slope is always 0.01.",
            (LEAKY, "torch.where(x > 0, x, 0.01 * x)"),
        ),
        *variants("elu-without-alpha", "Negative x are scaled by alpha: alpha * (exp(x) - 1).", (ELU, "torch.where(x > 0, x, torch.expm1(x))")),
        *variants(
            "elu-without-minus-one", "ELU is continuous at 0: from the exponential, 1 is taken away before alpha multiplies it.",
            (ELU, "torch.where(x > 0, x, alpha * torch.exp(x))"),
            (ELU, "torch.where(x > 0, x, alpha * torch.exp(x) - 1)"),
        ),
        *variants(
            "infinity-times-mask", MASKED_OUT,
            (ELU, "(x > 0) * x + (x <= 0) * alpha * (torch.exp(x) - 1)"),
        ),
        *variants(
            "sign-of-exponent", "The sigmoid rises: for large x the exponential must vanish, so its exponent is -x.",
            (SIGMOID, "1 / (1 + torch.exp(x))  #"),
            (SILU, "x / (1 + torch.exp(x))"),
        ),
        *variants(
            "tanh-of-half", "tanh(x) = 2 * sigmoid(2x) - 1: the exponent is -2x.",
            (TANH, "2 / (1 + torch.exp(-x)) - 1"),
            (TANH, "1 / (1 + torch.exp(-2 * x))"),
        ),
        *variants(
            "relu-side", "ReLU keeps positive numbers and sets negative ones to 0.",
            (RELU, "torch.clamp(x, max=0)\n"),
            (RELU, "x.abs()\n"),
        ),
        *variants("relu-in-place", "Leave x as it is: make a new tensor instead of changing the one you were given.", (RELU, "x.clamp_(min=0)\n")),
        *variants(
            "silu-is-x-times-sigmoid", "SiLU is x times its sigmoid.",
            (SILU, "1 / (1 + torch.exp(-x))"),
            (SILU, "x * x / (1 + torch.exp(-x))"),
        ),
        *variants(
            "ready-made", READY_MADE,
            (SIGMOID, "torch.sigmoid(x)  #"), (TANH, "torch.tanh(x)"), (RELU, "F.relu(x)\n"),
            (LEAKY, "F.leaky_relu(x, negative_slope)"), (ELU, "F.elu(x, alpha)"), (GELU, "F.gelu(x)"),
            (STABLE, "F.softplus(x)"), (SILU, "F.silu(x)"), (SILU, "x * torch.sigmoid(x)"),
        ),
    ],
)  # fmt: skip

activation_questions = Exercise("activation_questions", points=2, kind="written")


# --- losses ------------------------------------------------------------------------------------------------------------------------


def of_loss(name, label, prediction, target, **more):
    return Case(label, {"name": name, "prediction": prediction, "target": target, **more})


def far_loss(name, label, prediction, target):
    torchs = {"bce_with_logits": F.binary_cross_entropy_with_logits, "cross_entropy": F.cross_entropy}[name]
    right = float(torchs(prediction.double(), target.double() if target.is_floating_point() else target))
    return Case(label, {"name": name, "prediction": prediction, "target": target}, {"right": right})


def of_shapes(name, label, *pairs):
    inputs = {"name": name, "predictions": [torch.full(one, 0.5) for one, _ in pairs], "targets": [torch.ones(other) for _, other in pairs]}
    return Case(label, inputs, {"shapes": [[list(one), list(other)] for one, other in pairs]})


def mean_loss_part(name, binary=False):
    """Values and gradients of a loss that is a mean over all elements."""

    def target(*shape, seed, dtype=torch.float32):
        return bits(*shape, seed=seed).to(dtype) if binary else numbers(*shape, seed=seed, dtype=dtype)

    return Part(
        f"{name}: value and gradient",
        probe="loss_value",
        public=[
            of_loss(name, "four numbers", numbers(4, seed=10), target(4, seed=11)),
            of_loss(name, "shape (3, 2)", numbers(3, 2, seed=12), target(3, 2, seed=13)),
        ],
        hidden=[
            of_loss(name, "shape (2, 3, 5)", numbers(2, 3, 5, seed=14), target(2, 3, 5, seed=15)),
            of_loss(name, "float64, (6, 1)", numbers(6, 1, seed=16, dtype=DOUBLE), target(6, 1, seed=17, dtype=DOUBLE)),
            of_loss(name, "not contiguous", numbers(4, 5, seed=18, scale=3.0), target(4, 5, seed=19), contiguous=False),
        ],
    )


def shape_part(name):
    return Part(
        f"{name}: ValueError for shapes that differ",
        probe="loss_shapes",
        public=[of_shapes(name, "shapes that broadcast", ((4, 1), (4,)), ((4, 1), (4, 3)))],
        hidden=[of_shapes(name, "shapes that broadcast, and shapes that do not", ((3,), (3, 1)), ((2, 3), (3,)), ((2, 3), (3, 2)))],
        share=0.5,
    )


STACK = torch.tensor([[1e4, 0.0, -1e4], [-1e4, 1e4, 1e4 - 1], [0.0, -1e4, 1e4]])
SUM = "The loss is the mean, not the sum: or the step size would depend on the number of elements."
SAMPLES = "Divide by the number of all elements, not by the number of samples."
NO_LOGARITHM = "The logarithm of a probability that is rounded to 0 is infinite: work with the logits themselves (logsumexp, or a safe softplus)."
CLAMPED = "A clamped (or shifted) probability hides the overflow, but makes the loss wrong: use a formula that needs no probability."
TWICE = "Softmax is applied twice: the logits go into logsumexp as they are."
DIM = "Each row holds the logits of one sample: normalise over dimension 1, the classes."
CUT = "The loss has to stay a tensor with its graph: item(), float() or detach() cut it."
SHAPES = "Compare the two shapes first, and raise ValueError if they differ: broadcasting would mix every prediction with every target."
MSE, MAE, BCE, CE = "((pred - target) ** 2).mean()", "(pred - target).abs().mean()", "losses = softplus_of_logits - logits * target", "losses = torch.logsumexp(logits, dim=1) - score_of_target"
BCE_MEAN = "losses = softplus_of_logits - logits * target\n    return losses.mean()"
CE_MEAN = "losses = torch.logsumexp(logits, dim=1) - score_of_target\n    return losses.mean()"
CHECK = "if pred.shape != target.shape:"
PROBABILITY = "p = 1 / (1 + torch.exp(-logits))\n    "
SHARES = "p = torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))\n    "
PICKED = "[torch.arange(len(target)), target]"

losses = Exercise(
    "losses",
    points=3,
    parts=[
        mean_loss_part("mse_loss"),
        mean_loss_part("mae_loss"),
        mean_loss_part("bce_with_logits", binary=True),
        Part(
            "bce_with_logits: right and finite at ±10,000",
            probe="loss_extremes",
            public=[far_loss("bce_with_logits", "guesses that are right and wrong", torch.tensor([1e4, -1e4, -1e4]), torch.tensor([0.0, 0.0, 1.0]))],
            hidden=[
                far_loss("bce_with_logits", "all wrong", torch.tensor([[1e4], [-1e4]]), torch.tensor([[0.0], [1.0]])),
                far_loss("bce_with_logits", "all right", torch.tensor([1e4, -1e4, 500.0]), torch.tensor([1.0, 0.0, 1.0])),
                far_loss("bce_with_logits", "one wrong, moderately", torch.tensor([-200.0, 3.0]), torch.tensor([1.0, 1.0])),
            ],
        ),
        Part(
            "cross_entropy: value and gradient",
            probe="loss_value",
            public=[
                of_loss("cross_entropy", "three samples, three classes", numbers(3, 3, seed=20, scale=2.0), torch.tensor([2, 0, 0])),
                of_loss("cross_entropy", "two samples, four classes", numbers(2, 4, seed=21, scale=2.0), torch.tensor([1, 3])),
            ],
            hidden=[
                of_loss("cross_entropy", "five samples, five classes", numbers(5, 5, seed=22, scale=2.0), torch.tensor([4, 1, 1, 0, 2])),
                of_loss("cross_entropy", "one sample", numbers(1, 3, seed=23), torch.tensor([1])),
                of_loss("cross_entropy", "float64", numbers(6, 3, seed=24, dtype=DOUBLE, scale=3.0), classes(3, 6, seed=25)),
                of_loss("cross_entropy", "not contiguous", numbers(4, 7, seed=26), classes(7, 4, seed=27), contiguous=False),
            ],
        ),
        Part(
            "cross_entropy: right and finite at ±10,000",
            probe="loss_extremes",
            public=[far_loss("cross_entropy", "guesses that are right and wrong", STACK, torch.tensor([1, 0, 2]))],
            hidden=[
                far_loss("cross_entropy", "all wrong", STACK, torch.tensor([2, 0, 1])),
                far_loss("cross_entropy", "one wrong, moderately", torch.tensor([[0.0, 250.0], [1.0, 2.0]]), torch.tensor([0, 1])),
            ],
        ),
        *(shape_part(name) for name in ("mse_loss", "mae_loss", "bce_with_logits")),
    ],
    misconceptions=[
        *variants(
            "clamped-probability", CLAMPED,
            (BCE, PROBABILITY + "p = p.clamp(1e-7, 1 - 1e-7)\n    losses = -(target * torch.log(p) + (1 - target) * torch.log(1 - p))"),
            (BCE, PROBABILITY + "losses = -(target * torch.log(p + 1e-8) + (1 - target) * torch.log(1 - p + 1e-8))"),
            (CE, SHARES + f"losses = -torch.log(p{PICKED} + 1e-9)"),
        ),
        *variants(
            "sum-for-mean", SUM,
            (MSE, "((pred - target) ** 2).sum()"), (MAE, "(pred - target).abs().sum()"),
            (BCE_MEAN, BCE + "\n    return losses.sum()"), (CE_MEAN, CE + "\n    return losses.sum()"),
        ),
        *variants(
            "mean-over-samples", SAMPLES,
            (MSE, "((pred - target) ** 2).sum() / len(pred)"), (MAE, "(pred - target).abs().sum() / len(pred)"),
            (BCE_MEAN, BCE + "\n    return losses.sum() / len(logits)"),
        ),
        *variants(
            "mean-over-classes", "Cross entropy is the mean over samples: divide by their number, not by that of all logits.",
            (CE_MEAN, CE + "\n    return losses.sum() / logits.numel()"),
        ),
        *variants(
            "half-of-the-square", "This loss has no factor of one half.",
            (MSE, "((pred - target) ** 2).mean() / 2"),
        ),
        *variants("root-of-mse", "The mean squared error has no square root.", (MSE, "((pred - target) ** 2).mean().sqrt()")),
        *variants(
            "signed-difference", "Errors of both signs count: square them, or take their absolute value, before the mean.",
            (MSE, "(pred - target).mean() ** 2"), (MSE, "(pred - target).mean()"),
            (MAE, "(pred - target).mean().abs()"), (MAE, "(pred - target).mean()"),
        ),
        *variants("squared-for-absolute", "The mean absolute error takes absolute values, not squares.", (MAE, "((pred - target) ** 2).mean()")),
        *variants("absolute-for-squared", "The mean squared error takes squares, not absolute values.", (MSE, "(pred - target).abs().mean()")),
        *variants(
            "silent-broadcast", SHAPES,
            (CHECK, "if False:"), (CHECK, "if len(pred) != len(target):"), (CHECK, "if pred.numel() != target.numel():"),
            (CHECK, "if pred.ndim != target.ndim:"),
        ),
        *variants(
            "wrong-exception", "Shapes that do not fit raise ValueError: assert raises AssertionError, which Python can switch off.",
            ("raise ValueError(", "raise AssertionError("), ("raise ValueError(", "raise RuntimeError("), ("raise ValueError(", "raise TypeError("),
            (CHECK, "assert pred.shape == target.shape\n    if False:"),
        ),
        *variants(
            "message-without-shapes", "Say in the message which two shapes were given: it saves the reader a search.",
            ('f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ in shape"', '"the shapes differ"'),
        ),
        *variants(
            "log-of-probability", NO_LOGARITHM,
            (BCE, PROBABILITY + "losses = -(target * torch.log(p) + (1 - target) * torch.log(1 - p))"),
            ("torch.log1p(torch.exp(-logits.abs()))", "torch.log1p(torch.exp(logits)) - torch.clamp(logits, min=0)"),
            (CE, "shares = torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True)\n    "
                 f"losses = -torch.log(shares{PICKED})"),
            (CE, SHARES + f"losses = -torch.log(p{PICKED})"),
        ),
        *variants(
            "softmax-twice", TWICE,
            (CE, SHARES + f"losses = torch.logsumexp(p, dim=1) - p{PICKED}"),
            ("score_of_target = logits.gather", "logits = torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))\n    score_of_target = logits.gather"),
        ),
        *variants(
            "sigmoid-twice", "The logits go into the loss as they are: a sigmoid before it is one too many.",
            ("softplus_of_logits = torch", "logits = 1 / (1 + torch.exp(-logits))\n    softplus_of_logits = torch"),
        ),
        *variants(
            "wrong-dim", DIM,
            (CE, "losses = torch.logsumexp(logits, dim=0) - score_of_target"),
            (CE, "losses = torch.logsumexp(logits, dim=(0, 1)) - score_of_target"),
            (CE, f"losses = (torch.logsumexp(logits, dim=0, keepdim=True) - logits){PICKED}"),
        ),
        *variants(
            "no-logarithm", "Cross entropy is minus the *logarithm* of the probability of the right class.",
            (CE, SHARES + f"losses = -p{PICKED}"), (CE, SHARES + f"losses = 1 - p{PICKED}"),
        ),
        *variants(
            "all-pairs-of-rows", "Pick one logit for each row, its own target's: indexing with a slice and a vector picks every pair.",
            ("logits.gather(1, target.unsqueeze(1)).squeeze(1)", "logits[:, target]"),
        ),
        *variants(
            "sign-of-loss", "A loss falls when the guess gets better: the sign is the other way round.",
            (CE_MEAN, CE + "\n    return -losses.mean()"), (BCE_MEAN, BCE + "\n    return -losses.mean()"),
        ),
        *variants(
            "one-term-forgotten", "Binary cross entropy has two terms: one for targets that are 1, one for those that are 0.",
            (BCE, "losses = target * (softplus_of_logits - logits)"), (BCE, "losses = softplus_of_logits"),
            (BCE, "losses = (1 - target) * softplus_of_logits"),
        ),
        *variants(
            "targets-swapped", "The two terms have changed places: a target of 1 asks for a high logit.",
            (BCE, "losses = softplus_of_logits - logits * (1 - target)"),
        ),
        *variants(
            "graph-cut", CUT,
            (MSE, MSE + ".item()"), (MAE, MAE + ".item()"),
            (BCE_MEAN, BCE_MEAN + ".item()"), (CE_MEAN, CE_MEAN + ".item()"),
            (MSE, MSE + ".detach()"), (MAE, MAE + ".detach()"),
            (BCE_MEAN, BCE_MEAN + ".detach()"), (CE_MEAN, CE_MEAN + ".detach()"),
        ),
        *variants(
            "ready-made", "Write the formula yourself: a loss or a softmax of torch ran.",
            (MSE, "F.mse_loss(pred, target)"), (MAE, "F.l1_loss(pred, target)"),
            (BCE_MEAN, "return F.binary_cross_entropy_with_logits(logits, target)"), (CE_MEAN, "return F.cross_entropy(logits, target)"),
            (CE, f"losses = -torch.log_softmax(logits, dim=1){PICKED}"),
            (BCE, "losses = -target * F.logsigmoid(logits) - (1 - target) * F.logsigmoid(-logits)"),
        ),
    ],
)  # fmt: skip


# --- loss_quiz ---------------------------------------------------------------------------------------------------------------------

loss_quiz = quiz(
    "loss_quiz",
    points=1,
    variable="loss_choice",
    questions={
        "binary": (
            "BCEWithLogitsLoss",
            "There is one raw score, and the target is yes or no. Which loss applies the sigmoid by itself?",
            "One logit for a yes or no: binary cross entropy, with the sigmoid inside the loss, where it cannot overflow.",
        ),
        "multiclass": (
            "CrossEntropyLoss",
            "Exactly one of ten is right, and the model gives raw scores, not log-probabilities.",
            "One of several classes: cross entropy, which applies log-softmax to the raw scores itself.",
        ),
        "multilabel": (
            "BCEWithLogitsLoss",
            "Several topics may be right at once, so their probabilities need not sum to 1.",
            "Each topic is a yes or no of its own: binary cross entropy on every output.",
        ),
        "regression": (
            "MSELoss",
            "The target is a number, and there are no outliers that would have to be treated gently.",
            "A number without outliers: the mean squared error, whose best guess is the mean.",
        ),
    },
)


# --- sgd_momentum ------------------------------------------------------------------------------------------------------------------


def momentum_case(label, shapes, rates, seed, start=False, **more):
    params = [numbers(*shape, seed=seed + i) for i, shape in enumerate(shapes)]
    grads = [[numbers(*shape, seed=seed + 100 * step + i + 10) for i, shape in enumerate(shapes)] for step in range(len(rates))]
    velocities = [numbers(*shape, seed=seed + i + 50) if start else torch.zeros(shape) for i, shape in enumerate(shapes)]
    return Case(label, {"params": params, "grads": grads, "velocities": velocities, "rates": rates, **more})


V_STEP, P_STEP = "v.mul_(momentum).add_(g)", "p.sub_(lr * v)"
RATE_IN_V = "Keep the learning rate out of the velocity: PyTorch multiplies by it when the parameter moves, so a new rate acts at once."
REBOUND = "A plain assignment makes a new tensor and leaves the one in the list as it was: change it in place."

sgd_momentum = Exercise(
    "sgd_momentum",
    points=1,
    parts=[
        Part(
            "parameters and velocities over several steps",
            probe="momentum_steps",
            public=[momentum_case("three steps, the rate changes", [(3,), (2, 2)], [0.1, 0.1, 0.05], seed=200)],
            hidden=[
                momentum_case("velocities that are not zero at first", [(4,), (1, 3)], [0.3, 0.02, 0.2, 0.1], seed=300, start=True),
                momentum_case("momentum 0.5", [(2, 3)], [0.1, 0.2], seed=400, options={"momentum": 0.5}),
                momentum_case("a tensor of one number, and one of none", [(1,), (0, 2)], [0.1, 0.1], seed=500),
            ],
        ),
        Part(
            "parameters that require grad",
            probe="momentum_steps",
            public=[momentum_case("two steps", [(3,), (2, 2)], [0.1, 0.2], seed=600, leaves=True)],
            hidden=[momentum_case("three steps", [(2, 3, 2)], [0.2, 0.1, 0.3], seed=700, leaves=True)],
        ),
    ],
    misconceptions=[
        *variants(
            "rate-in-velocity", RATE_IN_V,
            (V_STEP, "v.mul_(momentum).add_(lr * g)", (P_STEP, "p.sub_(v)")),
            (V_STEP, "v.mul_(momentum).sub_(lr * g)", (P_STEP, "p.add_(v)")),
            (V_STEP, "v.mul_(momentum).add_(lr * g)"),
        ),
        *variants(
            "velocity-not-kept", "The velocity has to be there in the next call: write the new value into the tensor that was handed over.",
            (V_STEP, "v = momentum * v + g"),
        ),
        *variants("not-in-place", REBOUND, (P_STEP, "p = p - lr * v"), (V_STEP, "v = momentum * v + g", (P_STEP, "p = p - lr * v"))),
        *variants(
            "graph-in-the-way", "A leaf that requires grad may not be changed in place while a graph is recorded: switch recording off for the update.",
            ("with torch.no_grad():", "with torch.enable_grad():"),
        ),
        *variants("uphill", "The parameters go against the gradient: subtract.", (P_STEP, "p.add_(lr * v)")),
        *variants(
            "averaged-gradient", "PyTorch's form adds the whole gradient to the velocity: there is no factor of 1 - momentum.",
            (V_STEP, "v.mul_(momentum).add_((1 - momentum) * g)"),
        ),
        *variants("gradient-damped", "Momentum multiplies the old velocity alone, not the gradient.", (V_STEP, "v.add_(g).mul_(momentum)")),
        *variants(
            "old-velocity", "First update the velocity, then move by the new one.",
            (V_STEP + "\n            " + P_STEP, P_STEP + "\n            " + V_STEP),
        ),
        *variants("nesterov", "This is Nesterov's variant: the plain form moves by the velocity itself.", (P_STEP, "p.sub_(lr * (g + momentum * v))")),
        *variants("no-momentum", "The parameter moves by the velocity, not by the gradient alone.", (P_STEP, "p.sub_(lr * g)")),
        *variants(
            "returns-something", "The function works in place, so it returns None.",
            (P_STEP, P_STEP + "\n    return params"), (P_STEP, P_STEP + "\n    return params, velocities"), (P_STEP, P_STEP + "\n    return velocities"),
        ),
    ],
)  # fmt: skip


# --- adam --------------------------------------------------------------------------------------------------------------------------

OPTIONS = {"lr": 0.05, "betas": [0.8, 0.95], "eps": 0.01}


def valley(label, start, steps=50, **options):
    return Case(label, {"start": torch.tensor(start, dtype=DOUBLE), "steps": steps, "options": options})


def network(label, sizes, seed, steps=50, dtype=torch.float32, **options):
    x, y = numbers(6, sizes[0], seed=seed, dtype=dtype), numbers(6, sizes[2], seed=seed + 1, dtype=dtype)
    return Case(label, {"sizes": list(sizes), "x": x, "y": y, "steps": steps, "options": options})


def gaps(label, shapes, present, seed, **options):
    """`present[step]` says which parameters have a gradient in that step."""
    params = [numbers(*shape, seed=seed + i) for i, shape in enumerate(shapes)]
    grads = [
        [numbers(*shape, seed=seed + 10 * step + i + 5).abs() if there else None for i, (shape, there) in enumerate(zip(shapes, row, strict=True))]
        for step, row in enumerate(present)
    ]
    return Case(label, {"params": params, "grads": grads, "options": options})


UPDATE = "p.sub_(self.lr * m_hat / (torch.sqrt(v_hat) + self.eps))"
CORRECTION = "Both moments start at zero and are too small at first: divide each by 1 - beta**t."
COUNT = "The step count t is 1 in the first step: raise it before you use it, and once for each step."
OWN_COUNT = "A parameter without a gradient has not made a step: count steps for each parameter by itself."
NO_GRADIENT = "A parameter whose grad is None has to be skipped."
EXHAUSTED = "A generator can be read only once: keep the parameters in a list."
M_LINE, V_LINE = "m = beta1 * self.m[i] + (1 - beta1) * g", "v = beta2 * self.v[i] + (1 - beta2) * g**2"
SKIP = "if p.grad is None:\n                continue\n"
COUNTING = "self.steps[i] += 1"

adam = Exercise(
    "adam",
    points=2,
    parts=[
        Part(
            "equals torch.optim.Adam on Rosenbrock's function",
            probe="adam_valley",
            public=[
                valley("50 steps from (-1.5, 2)", [-1.5, 2.0], lr=0.1),
                valley("betas (0.8, 0.95), eps 0.01", [0.5, 1.5], steps=20, **OPTIONS),
            ],
            hidden=[
                valley("50 steps from (1.4, -0.7)", [1.4, -0.7], lr=0.03, betas=[0.7, 0.98], eps=0.1),
                valley("defaults", [-0.3, 0.4]),
            ],
        ),
        Part(
            "equals torch.optim.Adam on a small network; the parameters may come from a generator",
            probe="adam_network",
            public=[network("50 steps", (2, 3, 1), seed=30, lr=0.02)],
            hidden=[
                network("another network", (3, 4, 2), seed=32, lr=0.05, betas=[0.6, 0.9], eps=0.001),
                network("float64", (2, 2, 2), seed=34, steps=30, dtype=DOUBLE, lr=0.01),
            ],
        ),
        Part(
            "skips a parameter without a gradient, and does not count that step for it",
            probe="adam_gaps",
            public=[gaps("each parameter lacks a gradient in two of five steps", [(2,), (3,)], [[1, 1], [1, 0], [0, 1], [1, 0], [0, 1]], 40, lr=0.1)],
            hidden=[
                gaps("each has gaps", [(2, 2), (1,), (3,)], [[0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 0], [1, 1, 1]], 60, lr=0.05, betas=[0.5, 0.9]),
                gaps("one never has a gradient", [(2,), (2,)], [[1, 0], [1, 0], [1, 0]], 80, lr=0.2),
            ],
            share=0.5,
        ),
        Part(
            "zero_grad drops all gradients",
            probe="adam_zero_grad",
            public=[Case("two parameters", {"params": [numbers(2, seed=1), numbers(3, seed=2)], "grads": [numbers(2, seed=3), None]})],
            hidden=[
                Case(
                    "three parameters",
                    {
                        "params": [numbers(2, 2, seed=4), numbers(1, seed=5), numbers(2, seed=6)],
                        "grads": [numbers(2, 2, seed=7), numbers(1, seed=8), None],
                    },
                )
            ],
            share=0.5,
        ),
    ],
    misconceptions=[
        *variants(
            "no-bias-correction", CORRECTION,
            ("m_hat = m / (1 - beta1**t)", "m_hat = m", ("v_hat = v / (1 - beta2**t)", "v_hat = v")),
            ("m_hat = m / (1 - beta1**t)", "m_hat = m"),
            ("v_hat = v / (1 - beta2**t)", "v_hat = v"),
        ),
        *variants(
            "correction-compounds", "Correct a copy of the moments: the corrected values do not go back into the running means.",
            ("m_hat = m / (1 - beta1**t)", "self.m[i] = m_hat = m / (1 - beta1**t)", ("v_hat = v / (1 - beta2**t)", "self.v[i] = v_hat = v / (1 - beta2**t)")),
        ),
        *variants(
            "moments-swapped", "The first moment (of g, with beta1) is the numerator, the second (of g squared, with beta2) the denominator.",
            ("beta1, beta2 = self.betas", "beta2, beta1 = self.betas"),
            (UPDATE, "p.sub_(self.lr * v_hat / (torch.sqrt(m_hat) + self.eps))"),
            (M_LINE, "m = beta1 * self.m[i] + (1 - beta1) * g**2", (V_LINE, "v = beta2 * self.v[i] + (1 - beta2) * g")),
        ),
        *variants(
            "gradient-not-squared", "The second moment averages the squared gradient.",
            (V_LINE, "v = beta2 * self.v[i] + (1 - beta2) * g"), (V_LINE, "v = beta2 * self.v[i] + (1 - beta2) * g.abs()"),
        ),
        *variants(
            "step-count", COUNT,
            ("t, g = self.steps[i], p.grad", "t, g = self.steps[i] - 1, p.grad"),
            ("t, g = self.steps[i], p.grad", "t, g = self.steps[i] + 1, p.grad"),
            ("t, g = self.steps[i], p.grad", "t, g = 1, p.grad"),
            ("t, g = self.steps[i], p.grad", "t, g = sum(self.steps), p.grad"),
        ),
        *variants(
            "shared-step-count", OWN_COUNT,
            (SKIP + "            " + COUNTING, COUNTING + "\n            " + SKIP.rstrip()),
            (COUNTING, "self.steps = [max(self.steps) + 1 if i == 0 else max(self.steps)] * len(self.steps)"),
        ),
        *variants(
            "eps-inside-root", "eps is added after the square root, not under it.",
            (UPDATE, "p.sub_(self.lr * m_hat / torch.sqrt(v_hat + self.eps))"),
            (UPDATE, "p.sub_(self.lr * m_hat / torch.sqrt(v_hat + self.eps**2))"),
        ),
        *variants("no-eps", "eps belongs to the denominator, after the root.", (UPDATE, "p.sub_(self.lr * m_hat / torch.sqrt(v_hat))")),
        *variants(
            "eps-before-correction", "eps is added to the corrected root, not before the correction.",
            (UPDATE, "p.sub_(self.lr * m_hat / (torch.sqrt(v) + self.eps) * math.sqrt(1 - beta2**t))"),
        ),
        *variants("root-missing", "The step is divided by the square root of the second moment.", (UPDATE, "p.sub_(self.lr * m_hat / (v_hat + self.eps))")),
        *variants(
            "weights-of-average", "A running mean weighs the old value by beta and the new one by 1 - beta.",
            (M_LINE, "m = beta1 * self.m[i] + g"), (V_LINE, "v = beta2 * self.v[i] + g**2"),
            (M_LINE, "m = (1 - beta1) * self.m[i] + beta1 * g", (V_LINE, "v = (1 - beta2) * self.v[i] + beta2 * g**2")),
            (M_LINE, "m = beta1 * self.m[i] + g", (V_LINE, "v = beta2 * self.v[i] + g**2")),
        ),
        *variants("uphill", "The parameters go against the gradient: subtract.", (UPDATE, UPDATE.replace("sub_", "add_"))),
        *variants(
            "generator-exhausted", EXHAUSTED,
            ("self.params = list(params)", "self.params = params", ("len(self.params)", "99"),
             ("self.m = [torch.zeros_like(p) for p in self.params]", "self.m = [0.0] * 99"), ("self.v = [torch.zeros_like(p) for p in self.params]", "self.v = [0.0] * 99")),
            ("self.params = list(params)", "self.params = params", ("len(self.params)", "99")),
        ),
        *variants(
            "gradient-none", NO_GRADIENT,
            (SKIP, "pass\n"),
            ("t, g = self.steps[i], p.grad", "t, g = self.steps[i], torch.zeros_like(p) if p.grad is None else p.grad", (SKIP, "pass\n")),
        ),
        *variants("stops-at-none", "A parameter without a gradient is skipped; the ones after it still get their step.", (SKIP, SKIP.replace("continue", "break"))),
        *variants(
            "zero-grad-none", "zero_grad has to cope with a parameter that has no gradient yet.",
            ("            p.grad = None", "            p.grad.zero_()"),
        ),
        *variants("zero-grad-nothing", "zero_grad has to drop the gradient of every parameter.", ("            p.grad = None", "            pass")),
        *variants(
            "not-in-place", "Change the parameter itself in place: a plain assignment makes a new tensor, which the model never sees.",
            (UPDATE, "p = p - self.lr * m_hat / (torch.sqrt(v_hat) + self.eps)"),
        ),
        *variants(
            "graph-in-the-way", "A leaf that requires grad may not be changed in place while a graph is recorded: switch recording off for the update.",
            ("with torch.no_grad():", "with torch.enable_grad():"),
        ),
        *variants(
            "ready-made", "Write the update yourself: torch.optim ran.",
            ("self.params = list(params)", "self.params = list(params)\n        self.inner = torch.optim.Adam(self.params, lr, betas, eps)",
             ("        beta1, beta2 = self.betas", "        return self.inner.step()\n        beta1, beta2 = self.betas")),
        ),
    ],
)  # fmt: skip


# --- initialization ----------------------------------------------------------------------------------------------------------------


def weights(name, label, shape, **more):
    field = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * field, shape[0] * field
    std = math.sqrt(2 / (fan_in + fan_out)) if name == "xavier_uniform_" else math.sqrt(2 / fan_in)
    return Case(label, {"name": name, "shape": list(shape), **more}, {"std": std})


def init_part(name):
    return Part(
        name,
        probe="initialized",
        public=[
            weights(name, "Linear (200, 80)", (200, 80), leaf=True),
            weights(name, "convolution (32, 20, 5, 5)", (32, 20, 5, 5)),
        ],
        hidden=[
            weights(name, "Linear (60, 300)", (60, 300)),
            weights(name, "Linear (300, 60), float64", (300, 60), leaf=True, double=True),
            weights(name, "convolution (20, 64, 3, 4)", (20, 64, 3, 4), leaf=True),
        ],
        tolerance=0.01,
    )


BOUND, STD, FAN = "bound = math.sqrt(6 / (fan_in + fan_out))", "std = math.sqrt(2 / fan)", "fan = weight[0].numel()"
UNIFORM, NORMAL = "return weight.uniform_(-bound, bound)", "return weight.normal_(0, std)"
FIELD = "Each output of a convolution adds up in * kh * kw products: the fans count the kernel's size too."
ROOT = "The formula gives the standard deviation (or the bound): take the square root."

initialization = Exercise(
    "initialization",
    points=1,
    parts=[init_part("xavier_uniform_"), init_part("kaiming_normal_")],
    misconceptions=[
        *variants(
            "fan-out-for-fan-in", "Weights are (out, in, ...): fan_in comes from dimension 1, fan_out from dimension 0.",
            (FAN, "fan = weight[:, 0].numel()"),
            (FAN, "fan = weight.shape[0]"),
            (FAN, "fan = weight.shape[0] * math.prod(weight.shape[1:2])"),
        ),
        *variants(
            "no-receptive-field", FIELD,
            ("receptive_field = math.prod(weight.shape[2:])", "receptive_field = 1"),
            ("fan_out = weight.shape[0] * receptive_field", "fan_out = weight.shape[0]"),
            (FAN, "fan = weight.shape[1]"),
            (FAN, "fan = weight.shape[1] * weight.shape[-1] ** (weight.ndim > 2)"),
        ),
        *variants(
            "variance-for-std", ROOT,
            (BOUND, "bound = 6 / (fan_in + fan_out)"),
            (BOUND, "bound = 2 / (fan_in + fan_out)"),
            (STD, "std = 2 / fan"),
        ),
        *variants(
            "std-for-bound", "A uniform distribution between -b and b has a standard deviation of b / sqrt(3): the bound is sqrt(6 / (fan_in + fan_out)).",
            (BOUND, "bound = math.sqrt(2 / (fan_in + fan_out))"),
        ),
        *variants(
            "one-fan", "Xavier's compromise uses both fans, fan_in + fan_out.",
            (BOUND, "bound = math.sqrt(6 / fan_in)"), (BOUND, "bound = math.sqrt(6 / fan_out)"),
            (BOUND, "bound = math.sqrt(3 / fan_in)"), (BOUND, "bound = math.sqrt(1 / fan_in)"),
        ),
        *variants(
            "no-gain", "ReLU loses half of the signal: the gain of sqrt(2) makes up for it.",
            (STD, "std = math.sqrt(1 / fan)"),
        ),
        *variants("gain-twice", "A gain of sqrt(2) means a standard deviation of sqrt(2 / fan_in).", (STD, "std = 2 / math.sqrt(fan)")),
        *variants(
            "both-fans", "Kaiming's scheme uses fan_in alone.",
            (STD, "std = math.sqrt(2 / (fan + weight[:, 0].numel()))"), (STD, "std = math.sqrt(4 / (fan + weight[:, 0].numel()))"),
        ),
        *variants(
            "wrong-distribution", "Xavier is uniform here, Kaiming normal, as the names say.",
            (UNIFORM, "return weight.normal_(0, math.sqrt(2 / (fan_in + fan_out)))"),
            (NORMAL, "return weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std)"),
        ),
        *variants("one-sided", "The distribution lies around 0: from -bound to bound.", (UNIFORM, "return weight.uniform_(0, bound)")),
        *variants(
            "not-in-place", "Fill the tensor that was handed over: a name with an underscore at the end promises that.",
            (UNIFORM, "return torch.empty_like(weight).uniform_(-bound, bound)"), (NORMAL, "return torch.randn_like(weight) * std"),
        ),
        *variants("returns-nothing", "Return the weight, too.", (UNIFORM, UNIFORM[7:]), (NORMAL, NORMAL[7:])),
        *variants(
            "graph-in-the-way", "A leaf that requires grad may not be changed in place while a graph is recorded: switch recording off.",
            ("with torch.no_grad():\n        " + UNIFORM, "with torch.enable_grad():\n        " + UNIFORM),
            ("with torch.no_grad():\n        " + NORMAL, "with torch.enable_grad():\n        " + NORMAL),
        ),
        *variants(
            "ready-made", "Draw the numbers yourself: a function of torch.nn.init ran.",
            (UNIFORM, "return nn.init.xavier_uniform_(weight)"),
            (NORMAL, 'return nn.init.kaiming_normal_(weight, nonlinearity="relu")'),
        ),
    ],
)  # fmt: skip


# --- regularization ----------------------------------------------------------------------------------------------------------------


def penalty_part(name):
    def case(model, lam):
        return Case(f"{model}, λ = {lam}", {"name": name, "model": model, "lam": lam})

    return Part(
        name,
        probe="penalty",
        public=[case("linear", 0.5), case("two layers", 0.1)],
        hidden=[case("two layers", 0.02), case("convolution and batch norm", 0.3)],
    )


L1, L2 = "sum(p.abs().sum() for p in model.parameters())", "sum((p**2).sum() for p in model.parameters())"
GRAPH = "The penalty has to pull at the weights: .data, .item() or detach() cut the graph, and no gradient arrives."

regularization = Exercise(
    "regularization",
    points=1,
    parts=[penalty_part("l1_penalty"), penalty_part("l2_penalty")],
    misconceptions=[
        *variants(
            "root-taken", "L2 is the sum of squares, without a square root.",
            (L2, "torch.sqrt(sum((p**2).sum() for p in model.parameters()))"), (L2, "sum(p.norm() for p in model.parameters())"),
        ),
        *variants(
            "graph-cut", GRAPH,
            (L1, "sum(p.data.abs().sum() for p in model.parameters())"), (L1, "sum(p.abs().sum().item() for p in model.parameters())"),
            (L2, "sum((p.data**2).sum() for p in model.parameters())"), (L2, "sum((p**2).sum().item() for p in model.parameters())"),
        ),
        *variants(
            "biases-left-out", "All parameters count, biases too.",
            (L1, "sum(p.abs().sum() for p in model.parameters() if p.ndim > 1)"), (L2, "sum((p**2).sum() for p in model.parameters() if p.ndim > 1)"),
            (L1, 'sum(p.abs().sum() for name, p in model.named_parameters() if "weight" in name)'),
            (L2, 'sum((p**2).sum() for name, p in model.named_parameters() if "weight" in name)'),
        ),
        *variants(
            "mean-for-sum", "Sum over the weights, do not average.",
            (L1, "sum(p.abs().mean() for p in model.parameters())"), (L2, "sum((p**2).mean() for p in model.parameters())"),
            (L1, "torch.cat([p.flatten() for p in model.parameters()]).abs().mean()"),
            (L2, "(torch.cat([p.flatten() for p in model.parameters()]) ** 2).mean()"),
        ),
        *variants("no-absolute-value", "L1 sums absolute values: plain weights cancel each other.", (L1, "sum(p.sum() for p in model.parameters())")),
        *variants(
            "half-of-the-square", "There is no factor of one half here.",
            ("lam * " + L2, "0.5 * lam * " + L2),
        ),
        *variants("factor-forgotten", "Multiply the sum by lam.", ("lam * " + L1, L1), ("lam * " + L2, L2)),
        *variants("penalties-swapped", "L1 sums absolute values, L2 squares.", (L1, L2.replace("p**2", "p ** 2")), (L2, L1.replace("p.abs()", "abs(p)"))),
        *variants(
            "squared-sum", "Square each weight first, then sum.",
            (L2, "sum(p.sum() ** 2 for p in model.parameters())"), (L2, "sum(p.sum() for p in model.parameters()) ** 2"),
        ),
        *variants("absolute-of-sum", "Take the absolute value of each weight first, then sum.", (L1, "sum(p.sum().abs() for p in model.parameters())")),
        *variants(
            "last-parameter-only", "Add up over all parameters: only the last one is left.",
            (L1, "[p.abs().sum() for p in model.parameters()][-1]"), (L2, "[(p**2).sum() for p in model.parameters()][-1]"),
        ),
    ],
)  # fmt: skip


# --- dropout -----------------------------------------------------------------------------------------------------------------------


def masks(label, p, shape, **more):
    return Case(label, {"p": p, "shape": list(shape), **more}, {"p": p})


KEEP, RESCALED = "keep = torch.rand_like(x) >= self.p", "return torch.where(keep, x / (1 - self.p), 0.0)"
SHARED = "Each sample needs a mask of its own: draw random numbers in the shape of the whole input."

dropout = Exercise(
    "dropout",
    points=1,
    parts=[
        Part(
            "training: a random mask, and what is kept is divided by 1 - p",
            probe="dropout_training",
            public=[masks("p = 0.3, shape (60, 100)", 0.3, (60, 100))],
            hidden=[
                masks("p = 0.2, shape (40, 10, 20)", 0.2, (40, 10, 20)),
                masks("p = 0.75, shape (80, 80), float64", 0.75, (80, 80), double=True),
            ],
            share=2,
        ),
        Part(
            "evaluation: x comes out as it went in",
            probe="dropout_evaluation",
            public=[Case("p = 0.5", {"p": 0.5, "x": numbers(3, 4, seed=90)})],
            hidden=[
                Case("p = 0.8, three dimensions", {"p": 0.8, "x": numbers(2, 3, 4, seed=91)}),
                Case("p = 1, float64", {"p": 1.0, "x": numbers(5, seed=92, dtype=DOUBLE)}),
            ],
        ),
        Part(
            "p = 0 drops nothing, p = 1 everything",
            probe="dropout_edges",
            public=[Case(f"p = {p}", {"p": p, "x": numbers(3, 4, seed=93)}) for p in (0.0, 1.0)],
            hidden=[Case(f"p = {p}, other numbers", {"p": p, "x": numbers(2, 5, seed=94, dtype=DOUBLE)}) for p in (0, 1)],
        ),
        Part(
            "p outside [0, 1] raises ValueError",
            probe="dropout_range",
            public=[Case("-0.1 and 1.5", {"allowed": [0.0, 0.5, 1.0], "forbidden": [-0.1, 1.5]})],
            hidden=[Case("-1 and 1.01", {"allowed": [0, 0.9, 1], "forbidden": [-1, 1.01]})],
        ),
    ],
    misconceptions=[
        *variants(
            "no-rescale", "What is kept has to be divided by 1 - p, or the expected value shrinks.",
            (RESCALED, "return torch.where(keep, x, 0.0)"),
        ),
        *variants(
            "p-kept", "p is the probability of being dropped, not of being kept.",
            (KEEP, "keep = torch.rand_like(x) < self.p"),
            (KEEP, "keep = torch.rand_like(x) < self.p", (RESCALED, "return torch.where(keep, x / self.p, 0.0)")),
        ),
        *variants(
            "rescaled-by-p", "Divide by the probability of being kept, 1 - p.",
            (RESCALED, "return torch.where(keep, x / self.p, 0.0)"), (RESCALED, "return torch.where(keep, x * self.p, 0.0)"),
            (RESCALED, "return torch.where(keep, x * (1 - self.p), 0.0)"),
        ),
        *variants(
            "active-in-evaluation", "In evaluation nothing is dropped: look at self.training.",
            ("if not self.training:", "if False:"),
        ),
        *variants(
            "scaled-in-evaluation", "With the inverted form there is nothing left to do in evaluation: return x as it is.",
            ("            return x\n", "            return x * (1 - self.p)\n"),
        ),
        *variants(
            "modes-swapped", "It is the other way round: drop while self.training is True.",
            ("if not self.training:", "if self.training:"),
        ),
        *variants(
            "one-mask-for-all", SHARED,
            (KEEP, "keep = torch.rand(x.shape[1:]) >= self.p"),
            (KEEP, "keep = (torch.rand_like(x[:1]) >= self.p).expand_as(x)"),
            (KEEP, "keep = torch.rand(x.shape[-1]) >= self.p"),
        ),
        *variants(
            "whole-samples-dropped", "Each element is dropped by itself, not whole samples.",
            (KEEP, "keep = torch.rand([len(x)] + [1] * (x.ndim - 1)) >= self.p"),
        ),
        *variants(
            "mask-never-changes", "Every call needs a new mask: draw it in forward, and do not fix a seed.",
            (KEEP, "torch.manual_seed(0)\n        " + KEEP),
            (KEEP, "self.noise = getattr(self, 'noise', torch.rand_like(x))\n        keep = self.noise >= self.p"),
        ),
        *variants(
            "nan-at-one", "With p = 1 everything is dropped, and 0 / 0 is NaN: that case needs a line of its own.",
            ("        if self.p == 1:\n            return torch.zeros_like(x)  # there is nothing to rescale\n", "", (RESCALED, "return x * keep / (1 - self.p)")),
            ("        if self.p == 1:\n            return torch.zeros_like(x)  # there is nothing to rescale\n", "", (RESCALED, "return x * (keep / (1 - self.p))")),
            ("        if self.p == 1:\n            return torch.zeros_like(x)  # there is nothing to rescale\n", "", (RESCALED, "return x * keep * (1 / (1 - self.p))")),
        ),
        *variants(
            "range-unchecked", "Check p when the layer is made, and raise ValueError outside [0, 1].",
            ("if not 0 <= p <= 1:", "if False:"), ("if not 0 <= p <= 1:", "if p < 0:"), ("if not 0 <= p <= 1:", "if p > 1:"),
        ),
        *variants(
            "ends-refused", "0 and 1 are probabilities too: only what is outside [0, 1] is refused.",
            ("if not 0 <= p <= 1:", "if not 0 < p < 1:"), ("if not 0 <= p <= 1:", "if not 0 <= p < 1:"), ("if not 0 <= p <= 1:", "if not 0 < p <= 1:"),
        ),
        *variants(
            "wrong-exception", "A value that is not allowed raises ValueError; an assert raises AssertionError.",
            ("if not 0 <= p <= 1:", "assert 0 <= p <= 1\n        if False:"),
        ),
        *variants("in-place", "Leave x as it is: other layers may need it.", (RESCALED, "x[~keep] = 0\n        return x / (1 - self.p)")),
        *variants(
            "ready-made", "Draw the mask yourself: a dropout of torch ran.",
            ("        if self.p == 1:", "        return F.dropout(x, self.p)\n        if self.p == 1:"),
        ),
    ],
)  # fmt: skip


# --- batch_norm --------------------------------------------------------------------------------------------------------------------


def batch(rows, features, seed, dtype=torch.float32, spread=2.0):
    """Numbers whose columns differ in mean and size."""
    scale = torch.linspace(0.5, spread, features, dtype=dtype)
    return numbers(rows, features, seed=seed, dtype=dtype) * scale + 2 * torch.arange(features, dtype=dtype) - 1


MOMENTUM = "PyTorch's momentum is the weight of the new value: the old one keeps 1 - momentum."
RUNNING_MEAN = "self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)"
RUNNING_VAR = "self.running_var.mul_(1 - self.momentum).add_(self.momentum * unbiased_var)"
ROOTED = "normalised = (x - mean) / torch.sqrt(var + self.eps)"
BIASED = "var = x.var(dim=0, correction=0)"
REGISTER_MEAN, REGISTER_VAR = 'self.register_buffer("running_mean", torch.zeros(num_features))', 'self.register_buffer("running_var", torch.ones(num_features))'
NO_GRAPH = "The running values must not carry a graph: it would grow with every batch, and hold memory. Update them without recording."

batch_norm = Exercise(
    "batch_norm",
    points=2,
    parts=[
        Part(
            "two parameters, two buffers, and their first values",
            probe="norm_state",
            public=[Case("three features", {"features": 3})],
            hidden=[Case("five features", {"features": 5})],
            share=0.5,
        ),
        Part(
            "training: normalises by the batch",
            probe="norm_training",
            public=[
                Case("four samples, four features", {"x": batch(4, 4, seed=110)}),
                Case("eps = 0.5", {"x": batch(6, 3, seed=111), "options": {"eps": 0.5}}),
            ],
            hidden=[
                Case("two samples", {"x": batch(2, 3, seed=112), "options": {"eps": 0.2}}),
                Case("float64", {"x": batch(7, 2, seed=113, dtype=DOUBLE), "double": True}),
                Case("not contiguous", {"x": batch(5, 6, seed=114), "contiguous": False}),
                Case("three samples, three features", {"x": batch(3, 3, seed=115), "options": {"eps": 0.1}}),
            ],
        ),
        Part(
            "training: the running values",
            probe="norm_running",
            public=[Case("three batches", {"batches": [batch(4, 3, seed=s) for s in (120, 121, 122)]})],
            hidden=[
                Case("momentum 0.3", {"batches": [batch(rows, 2, seed=s) for rows, s in ((3, 123), (5, 124), (2, 125))], "options": {"momentum": 0.3}}),
                Case("one feature", {"batches": [batch(4, 1, seed=s) for s in (126, 127)]}),
            ],
        ),
        Part(
            "evaluation: normalises by the running values, and leaves them alone",
            probe="norm_evaluation",
            public=[Case("three samples", {"x": batch(3, 3, seed=130), "mean": numbers(3, seed=131), "var": numbers(3, seed=132).abs() + 0.5})],
            hidden=[
                Case("one sample", {"x": batch(1, 4, seed=133), "mean": numbers(4, seed=134), "var": numbers(4, seed=135).abs() + 0.1}),
                Case("eps = 0.5", {"x": batch(5, 2, seed=136), "mean": numbers(2, seed=137), "var": torch.tensor([0.0, 2.0]), "options": {"eps": 0.5}}),
            ],
        ),
    ],
    misconceptions=[
        *variants(
            "biased-running-variance", "The running variance keeps the unbiased variance: divide by B - 1.",
            ("unbiased_var = x.var(dim=0, correction=1)", "unbiased_var = var"),
        ),
        *variants(
            "unbiased-normalisation", "The batch is normalised by its biased variance: divide by B, not by B - 1.",
            (BIASED, "var = x.var(dim=0, correction=1)"),
        ),
        *variants(
            "momentum-reversed", MOMENTUM,
            (RUNNING_MEAN, "self.running_mean.mul_(self.momentum).add_((1 - self.momentum) * mean)",
             (RUNNING_VAR, "self.running_var.mul_(self.momentum).add_((1 - self.momentum) * unbiased_var)")),
            (RUNNING_MEAN, "self.running_mean.mul_(self.momentum).add_((1 - self.momentum) * mean)",
             (RUNNING_VAR, "self.running_var.mul_(self.momentum).add_((1 - self.momentum) * var)")),
        ),
        *variants(
            "batch-statistics-in-evaluation", "In evaluation the running values take the place of the batch's: look at self.training.",
            ("mean, var = self.running_mean, self.running_var", "mean, var = x.mean(dim=0), x.var(dim=0, correction=0)"),
            ("if self.training:", "if True:"),
            ("mean, var = self.running_mean, self.running_var", "mean, var = x.mean(dim=0), x.var(dim=0, correction=1)"),
        ),
        *variants(
            "running-values-in-training", "While training, the batch is normalised by its own mean and variance.",
            ("        normalised =", "        mean, var = self.running_mean, self.running_var\n        normalised ="),
        ),
        *variants(
            "buffers-as-parameters", "Running values are not trained: register them as buffers, not as parameters.",
            (REGISTER_MEAN, "self.running_mean = nn.Parameter(torch.zeros(num_features))", (REGISTER_VAR, "self.running_var = nn.Parameter(torch.ones(num_features))")),
            (REGISTER_MEAN, "self.running_mean = nn.Parameter(torch.zeros(num_features), requires_grad=False)",
             (REGISTER_VAR, "self.running_var = nn.Parameter(torch.ones(num_features), requires_grad=False)")),
        ),
        *variants(
            "plain-attributes", "A plain tensor is not saved, and does not move to the GPU with the module: register the running values as buffers.",
            (REGISTER_MEAN, "self.running_mean = torch.zeros(num_features)", (REGISTER_VAR, "self.running_var = torch.ones(num_features)")),
        ),
        *variants(
            "parameters-not-registered", "weight and bias are trained: wrap them in nn.Parameter.",
            ("nn.Parameter(torch.ones(num_features))", "torch.ones(num_features, requires_grad=True)", ("nn.Parameter(torch.zeros(num_features))", "torch.zeros(num_features, requires_grad=True)")),
            ("nn.Parameter(torch.ones(num_features))", "torch.ones(num_features)", ("nn.Parameter(torch.zeros(num_features))", "torch.zeros(num_features)")),
        ),
        *variants(
            "first-values", "At first weight is 1, bias 0, the running mean 0 and the running variance 1.",
            (REGISTER_VAR, 'self.register_buffer("running_var", torch.zeros(num_features))'),
            ("nn.Parameter(torch.ones(num_features))", "nn.Parameter(torch.randn(num_features))"),
            ("nn.Parameter(torch.ones(num_features))", "nn.Parameter(torch.zeros(num_features))"),
        ),
        *variants(
            "over-features", "Batch norm averages over the samples, dimension 0, one mean for each feature.",
            ("mean = x.mean(dim=0)", "mean = x.mean(dim=1, keepdim=True)", (BIASED, "var = x.var(dim=1, correction=0, keepdim=True)")),
            ("mean = x.mean(dim=0)", "mean = x.mean(dim=1, keepdim=True)", (BIASED, "var = x.var(dim=1, correction=0, keepdim=True)"),
             ("unbiased_var = x.var(dim=0, correction=1)", "unbiased_var = x.var(dim=1, correction=1, keepdim=True)")),
            ("mean = x.mean(dim=0)", "mean = x.mean(dim=1)", (BIASED, "var = x.var(dim=1, correction=0)"),
             ("unbiased_var = x.var(dim=0, correction=1)", "unbiased_var = x.var(dim=1, correction=1)")),
            ("mean = x.mean(dim=0)", "mean = x.mean(dim=1, keepdim=True)", (BIASED, "var = x.var(dim=1, correction=0, keepdim=True)"),
             (RUNNING_MEAN, "self.running_mean.mul_(1 - self.momentum).add_(self.momentum * x.mean(dim=0))")),
        ),
        *variants(
            "over-everything", "Each feature has a mean and a variance of its own: average over dimension 0 alone.",
            ("mean = x.mean(dim=0)", "mean = x.mean()", (BIASED, "var = x.var(correction=0)"),
             ("unbiased_var = x.var(dim=0, correction=1)", "unbiased_var = x.var(correction=1)")),
        ),
        *variants(
            "eps-outside-root", "eps is added under the square root.",
            (ROOTED, "normalised = (x - mean) / (torch.sqrt(var) + self.eps)"),
        ),
        *variants("no-root", "Divide by the standard deviation, the root of the variance.", (ROOTED, "normalised = (x - mean) / (var + self.eps)")),
        *variants("eps-forgotten", "eps belongs under the root, or a constant feature gives NaN.", (ROOTED, "normalised = (x - mean) / torch.sqrt(var)")),
        *variants(
            "running-values-never-updated", "While training, update the running values in every call.",
            (RUNNING_MEAN, "pass", (RUNNING_VAR, "pass")),
            (RUNNING_MEAN, "(1 - self.momentum) * self.running_mean + self.momentum * mean", (RUNNING_VAR, "(1 - self.momentum) * self.running_var + self.momentum * unbiased_var")),
        ),
        *variants(
            "running-values-replaced", "The running values are averages over batches: keep most of the old value.",
            (RUNNING_MEAN, "self.running_mean.copy_(mean)", (RUNNING_VAR, "self.running_var.copy_(unbiased_var)")),
            (RUNNING_MEAN, "self.running_mean.add_(self.momentum * mean)", (RUNNING_VAR, "self.running_var.add_(self.momentum * unbiased_var)")),
        ),
        *variants(
            "graph-in-running-values", NO_GRAPH,
            (RUNNING_MEAN, "pass", (RUNNING_VAR, "pass"), ("        else:\n            mean, var",
             "            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean\n"
             "            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * x.var(dim=0)\n        else:\n            mean, var")),
        ),
        *variants(
            "statistics-detached", "The batch's mean and variance depend on x, and the gradient has to flow through them.",
            ("mean = x.mean(dim=0)", "mean = x.detach().mean(dim=0)", (BIASED, "var = x.detach().var(dim=0, correction=0)")),
        ),
        *variants(
            "affine-forgotten", "At the end comes the learned weight, then the learned bias.",
            ("return self.weight * normalised + self.bias", "return normalised"), ("return self.weight * normalised + self.bias", "return self.weight * normalised"),
            ("return self.weight * normalised + self.bias", "return self.weight * (normalised + self.bias)"),
        ),
        *variants(
            "updated-in-evaluation", "In evaluation the running values stay as they are.",
            ("mean, var = self.running_mean, self.running_var", "mean, var = self.running_mean.clone(), self.running_var.clone()\n            "
             "self.running_mean.mul_(1 - self.momentum).add_(self.momentum * x.mean(dim=0))\n            "
             "self.running_var.mul_(1 - self.momentum).add_(self.momentum * x.var(dim=0, correction=0))"),
        ),
        *variants(
            "ready-made", "Write the formula yourself: a batch norm of torch ran.",
            ("        if self.training:\n", "        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, "
             "self.training, self.momentum, self.eps)\n        if self.training:\n"),
        ),
    ],
)  # fmt: skip


# --- layer_norm --------------------------------------------------------------------------------------------------------------------


def rows(label, *shape, seed, dtype=torch.float32, **more):
    x = 2 * numbers(*shape, seed=seed, dtype=dtype) + torch.arange(shape[0], dtype=dtype).reshape(-1, *[1] * (len(shape) - 1))
    return Case(label, {"x": x, "weight": 1 + 0.5 * numbers(shape[-1], seed=seed + 1, dtype=dtype), "bias": numbers(shape[-1], seed=seed + 2, dtype=dtype), **more})


LN_MEAN, LN_VAR, LN_ROOT = "x.mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True, correction=0)", "normalised = (x - mean) / torch.sqrt(var + eps)"
OVER_BATCH = "Layer norm averages over the last dimension, each sample (and place) by itself."

layer_norm = Exercise(
    "layer_norm",
    points=1,
    parts=[
        Part(
            "two dimensions",
            probe="layer_normed",
            public=[
                rows("three rows of three", 3, 3, seed=140, options={"eps": 0.5}),
                rows("two rows of four", 2, 4, seed=143),
            ],
            hidden=[
                rows("four rows of four, float64", 4, 4, seed=146, dtype=DOUBLE, options={"eps": 0.1}),
                rows("not contiguous", 5, 3, seed=149, contiguous=False),
                rows("one row", 1, 6, seed=152),
            ],
        ),
        Part(
            "any leading dimensions, and rows without variance",
            probe="layer_normed",
            public=[rows("shape (2, 3, 4)", 2, 3, 4, seed=155)],
            hidden=[
                rows("shape (3, 3, 3)", 3, 3, 3, seed=158, options={"eps": 0.2}),
                rows("shape (2, 2, 3, 5)", 2, 2, 3, 5, seed=161),
                rows("shape (6,)", 6, seed=164),
            ],
        ),
        Part(
            "rows without variance give the bias",
            probe="layer_normed_rows",
            public=[Case("a row of equal numbers", {"x": torch.tensor([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]]), "weight": torch.tensor([1.0, 2.0, 3.0]), "bias": torch.tensor([0.5, -1.0, 0.0])})],
            hidden=[
                Case("one feature", {"x": torch.tensor([[3.0], [-1.0]]), "weight": torch.tensor([2.0]), "bias": torch.tensor([0.25])}),
                Case("rows of zeros", {"x": torch.zeros(2, 2, 4), "weight": torch.ones(4), "bias": torch.arange(4.0)}),
            ],
            share=0.5,
        ),
    ],
    misconceptions=[
        *variants(
            "over-batch", OVER_BATCH,
            (LN_MEAN, "x.mean(dim=0, keepdim=True)", (LN_VAR, "x.var(dim=0, keepdim=True, correction=0)")),
            (LN_MEAN, "x.mean(dim=0)", (LN_VAR, "x.var(dim=0, correction=1)")),
            (LN_MEAN, "x.mean(dim=1, keepdim=True)", (LN_VAR, "x.var(dim=1, keepdim=True, correction=0)")),
            (LN_MEAN, "x.mean(dim=list(range(x.ndim - 1)), keepdim=True)", (LN_VAR, "x.var(dim=list(range(x.ndim - 1)), keepdim=True, correction=0)")),
        ),
        *variants(
            "over-all-dimensions", "Only the last dimension is averaged over; samples and places stay apart.",
            (LN_MEAN, "x.mean()", (LN_VAR, "x.var(correction=0)")),
            (LN_MEAN, "x.mean(dim=list(range(1, x.ndim)) or 0, keepdim=True)", (LN_VAR, "x.var(dim=list(range(1, x.ndim)) or 0, keepdim=True, correction=0)")),
        ),
        *variants("unbiased-variance", "Layer norm uses the biased variance: divide by D, not by D - 1.", (LN_VAR, "x.var(dim=-1, keepdim=True)")),
        *variants(
            "eps-outside-root", "eps is added under the square root.",
            (LN_ROOT, "normalised = (x - mean) / (torch.sqrt(var) + eps)"),
        ),
        *variants(
            "unbiased-and-eps-outside", "Two things: the biased variance (divide by D), and eps under the square root.",
            (LN_VAR, "x.var(dim=-1, keepdim=True)", (LN_ROOT, "normalised = (x - mean) / (torch.sqrt(var) + eps)")),
        ),
        *variants("no-root", "Divide by the standard deviation, the root of the variance.", (LN_ROOT, "normalised = (x - mean) / (var + eps)")),
        *variants("eps-forgotten", "eps belongs under the root, or a row without variance gives NaN.", (LN_ROOT, "normalised = (x - mean) / torch.sqrt(var)")),
        *variants("eps-fixed", "Use the argument eps: here it is always 1e-5.", (LN_ROOT, "normalised = (x - mean) / torch.sqrt(var + 1e-5)")),
        *variants("not-centred", "Subtract the mean before you divide.", (LN_ROOT, "normalised = x / torch.sqrt(var + eps)")),
        *variants(
            "affine-forgotten", "At the end comes the learned weight, then the learned bias.",
            ("return weight * normalised + bias", "return normalised"), ("return weight * normalised + bias", "return weight * normalised"),
            ("return weight * normalised + bias", "return weight * (normalised + bias)"), ("return weight * normalised + bias", "return bias * normalised + weight"),
        ),
        *variants(
            "statistics-detached", "The mean and variance depend on x, and the gradient has to flow through them.",
            (LN_MEAN, "x.detach().mean(dim=-1, keepdim=True)", (LN_VAR, "x.detach().var(dim=-1, keepdim=True, correction=0)")),
        ),
        *variants(
            "ready-made", "Write the formula yourself: a layer norm of torch ran.",
            ("return weight * normalised + bias", "return F.layer_norm(x, x.shape[-1:], weight, bias, eps)"),
        ),
    ],
)  # fmt: skip


# --- lr_schedule -------------------------------------------------------------------------------------------------------------------


def schedule(label, epochs, **options):
    return Case(label, {"epochs": epochs, "options": options})


PROGRESS = "progress = (epoch - warmup_epochs) / (max_epochs - warmup_epochs)"
HEIGHT = "height = 0.5 * (1 + math.cos(math.pi * progress))"
WARM = "return lr_max * (epoch + 1) / warmup_epochs"
WARM_TWICE = "The cosine starts where the warm-up ends: both its start and its length leave the warm-up epochs out."
RADIANS = "math.cos takes radians: half a turn is pi, not 180."
HALF_WAVE = "From 1 down to 0 in half a wave: that is (1 + cos(pi * progress)) / 2."

lr_schedule = Exercise(
    "lr_schedule",
    points=1,
    parts=[
        Part(
            "the cosine, without warm-up",
            probe="rates",
            public=[schedule("ten epochs, 1.0 to 0.2", [0, 1, 3, 5, 8, 10], max_epochs=10, lr_max=1.0, lr_min=0.2)],
            hidden=[
                schedule("seven epochs, from 2.0", [0, 1, 2, 4, 6, 7], max_epochs=7, lr_max=2.0),
                schedule("one epoch", [0, 1], max_epochs=1, lr_max=3.0, lr_min=1.0),
            ],
            tolerance=1e-6,
        ),
        Part(
            "with warm-up",
            probe="rates",
            public=[schedule("twelve epochs, four of warm-up", [0, 1, 3, 4, 6, 8, 11, 12], max_epochs=12, lr_max=2.0, lr_min=0.5, warmup_epochs=4)],
            hidden=[
                schedule("nine epochs, two of warm-up", [0, 1, 2, 3, 5, 8, 9], max_epochs=9, lr_max=4.0, lr_min=1.0, warmup_epochs=2),
                schedule("six epochs, five of warm-up", [0, 2, 4, 5, 6], max_epochs=6, lr_max=1.5, warmup_epochs=5),
                schedule("one epoch of warm-up", [0, 1, 2, 5], max_epochs=5, lr_max=1.0, warmup_epochs=1),
            ],
            tolerance=1e-6,
        ),
        Part(
            "after the last epoch",
            probe="rates",
            public=[schedule("ten epochs", [11, 15, 20], max_epochs=10, lr_max=1.0, lr_min=0.2)],
            hidden=[
                schedule("with warm-up", [9, 13, 100], max_epochs=8, lr_max=4.0, lr_min=1.0, warmup_epochs=3),
                schedule("lr_min is 0", [6, 7, 12], max_epochs=5, lr_max=4.0),
            ],
            share=0.5,
            tolerance=1e-6,
        ),
    ],
    misconceptions=[
        *variants(
            "degrees", RADIANS,
            (HEIGHT, "height = 0.5 * (1 + math.cos(180 * progress))"),
            (HEIGHT, "height = 0.5 * (1 + math.cos(math.radians(math.pi * progress)))"),
            (HEIGHT, "height = 0.5 * (1 + math.cos(progress))"),
        ),
        *variants(
            "warm-up-counted-twice", WARM_TWICE,
            (PROGRESS, "progress = epoch / max_epochs"),
            (PROGRESS, "progress = (epoch - warmup_epochs) / max_epochs"),
            (PROGRESS, "progress = epoch / (max_epochs - warmup_epochs)"),
            (PROGRESS, "progress = min(1.0, epoch / (max_epochs - warmup_epochs))"),
        ),
        *variants(
            "sine", HALF_WAVE,
            (HEIGHT, "height = 0.5 * (1 + math.sin(math.pi * progress))"),
            (HEIGHT, "height = math.sin(math.pi * progress)"),
            (HEIGHT, "height = 1 - math.sin(math.pi * progress / 2)"),
            (HEIGHT, "height = 0.5 * (1 - math.sin(math.pi * progress))"),
            (HEIGHT, "height = math.sin(math.pi * progress / 2)"),
        ),
        *variants(
            "wrong-part-of-wave", HALF_WAVE,
            (HEIGHT, "height = math.cos(math.pi * progress / 2)"),
            (HEIGHT, "height = 0.5 * (1 + math.cos(2 * math.pi * progress))"),
            (HEIGHT, "height = math.cos(math.pi * progress)"),
            (HEIGHT, "height = 1 + math.cos(math.pi * progress)"),
        ),
        *variants("rising", "The rate falls from lr_max to lr_min: the sign of the cosine is the other way round.", (HEIGHT, "height = 0.5 * (1 - math.cos(math.pi * progress))")),
        *variants("straight-line", "The rate falls along a cosine, not along a straight line.", (HEIGHT, "height = 1 - progress")),
        *variants(
            "warm-up-from-zero", "The first epoch of the warm-up already has lr_max / W: epochs are counted from 0, so add 1.",
            (WARM, "return lr_max * epoch / warmup_epochs"),
        ),
        *variants(
            "warm-up-offset", "The warm-up rises by lr_max / W an epoch, and reaches lr_max in its last one.",
            (WARM, "return lr_max * (epoch + 1) / (warmup_epochs + 1)"), (WARM, "return lr_min + (lr_max - lr_min) * (epoch + 1) / warmup_epochs"),
            (WARM, "return lr_min + (lr_max - lr_min) * epoch / warmup_epochs"),
        ),
        *variants(
            "warm-up-one-too-long", "At epoch W the warm-up is over, and the cosine begins with lr_max.",
            ("if epoch < warmup_epochs:", "if warmup_epochs and epoch <= warmup_epochs:"),
        ),
        *variants("warm-up-ignored", "Before epoch W the rate rises in a straight line.", ("if epoch < warmup_epochs:", "if False:")),
        *variants(
            "rises-again", "After max_epochs the rate stays at lr_min: the cosine would climb again.",
            ("if epoch >= max_epochs:", "if False:"),
        ),
        *variants(
            "off-by-one", "lr_min is reached at epoch == max_epochs, not one epoch earlier.",
            (PROGRESS, "progress = (epoch - warmup_epochs) / max(1, max_epochs - warmup_epochs - 1)", ("if epoch >= max_epochs:", "if epoch >= max_epochs - 1:")),
            (PROGRESS, "progress = (epoch - warmup_epochs + 1) / (max_epochs - warmup_epochs)"),
            (PROGRESS, "progress = (epoch - warmup_epochs) / max(1, max_epochs - warmup_epochs - 1)"),
        ),
        *variants(
            "lr-min-left-out", "The cosine ends at lr_min: it spans lr_max - lr_min, on top of lr_min.",
            ("return lr_min + (lr_max - lr_min) * height", "return lr_max * height"),
            ("return lr_min + (lr_max - lr_min) * height", "return lr_min + lr_max * height"),
            ("return lr_min + (lr_max - lr_min) * height", "return (lr_max - lr_min) * height"),
            ("return lr_min + (lr_max - lr_min) * height", "return max(lr_min, lr_max * height)"),
        ),
    ],
)  # fmt: skip


# --- data_split --------------------------------------------------------------------------------------------------------------------


def split_case(label, n, seed=None, **options):
    inputs = {"n": n, **({"options": options} if options else {}), **({} if seed is None else {"seed": seed})}
    return Case(label, inputs, {"n": n})


def fraction_case(label, n, allowed, forbidden):
    return Case(label, {"n": n, "allowed": allowed, "forbidden": forbidden})


def table(label, train, *others):
    return Case(label, {"train": train, "others": list(others)}, {"train": train, "others": list(others)})


def around(rows, *means, seed, dtype=torch.float32):
    """Rows of normal numbers around the means of the columns."""
    return numbers(rows, len(means), seed=seed, dtype=dtype) * torch.linspace(0.5, 3, len(means), dtype=dtype) + torch.tensor(means, dtype=dtype)


TENTHS = torch.full((30,), 0.1)
SHUFFLE = "order = torch.randperm(n, generator=generator)"
GENERATOR = "generator = torch.Generator().manual_seed(seed)\n    " + SHUFFLE
SIZES = "n_train, n_val = int(fractions[0] * n), int(fractions[1] * n)"
PARTS = "return order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val :]"
SUMS = "if abs(sum(fractions) - 1) > 1e-6:"
RESULT = "return tuple((part - mean) / std for part in (train, *others))"
CONSTANT = "constant = train.amax(dim=0) == train.amin(dim=0)"
FILLED = "std = torch.where(constant, 1.0, std)"
FROM_TRAIN = "Mean and standard deviation come from train alone: whatever is learned from the other parts leaks."
GLOBAL = "A global seed changes the random numbers of everybody else: use a generator of your own."
ZERO_DIVISION = "A constant column has no spread to divide by: leave it centred."
ROUNDED = "The standard deviation of a constant column is not exactly 0 in floating point: compare the column's maximum with its minimum."

data_split = Exercise(
    "data_split",
    points=1,
    parts=[
        Part(
            "split_indices: three shuffled parts that cover everything",
            probe="split",
            public=[split_case("100 samples", 100), split_case("13 samples", 13, seed=3)],
            hidden=[
                split_case("61 samples, fractions 0.5, 0.25, 0.25", 61, seed=5, fractions=[0.5, 0.25, 0.25]),
                split_case("29 samples, fractions 0.8, 0.1, 0.1", 29, fractions=[0.8, 0.1, 0.1]),
                split_case("200 samples, another seed", 200, seed=0),
                split_case("9 samples", 9, seed=1, fractions=[0.6, 0.2, 0.2]),
            ],
        ),
        Part(
            "split_indices: fractions that do not sum to 1",
            probe="split_fractions",
            public=[fraction_case("sums of 1, 0.9 and 1.2", 20, [[0.7, 0.2, 0.1]], [[0.5, 0.3, 0.1], [0.6, 0.3, 0.3]])],
            hidden=[
                fraction_case("sums near 1", 40, [[1 / 3, 1 / 3, 1 / 3], [0.6, 0.2, 0.2 + 5e-7]], [[0.6, 0.2, 0.2 + 1e-4], [0.6, 0.3, 0.3]]),
                fraction_case("sums below 1", 40, [[0.1, 0.2, 0.7]], [[0.6, 0.2, 0.19], [0.2, 0.2, 0.2]]),
            ],
            share=0.5,
        ),
        Part(
            "standardize: by the statistics of train",
            probe="standardized",
            public=[
                table("three parts", around(8, 1.0, -2.0, seed=170), around(4, 3.0, 0.0, seed=171), around(3, 0.0, 5.0, seed=172)),
                table("train alone", around(5, 0.0, 4.0, seed=173)),
            ],
            hidden=[
                table("two parts, float64", around(10, 5.0, 1.0, -3.0, seed=175, dtype=DOUBLE), around(5, 4.0, 3.0, 0.0, seed=176, dtype=DOUBLE)),
                table("train alone", around(6, 2.0, -1.0, seed=177)),
                table("one dimension", numbers(9, seed=178) + 4, numbers(5, seed=179) - 1),
                table("four parts", *(around(5 + i, 2.0 * i, 1.0 - i, 0.5, seed=180 + i) for i in range(4))),
            ],
        ),
        Part(
            "standardize: a column that is constant in train is only centred",
            probe="standardized",
            public=[
                table("a column of twos", torch.tensor([[2.0, 1.0], [2.0, 3.0], [2.0, 8.0]]), torch.tensor([[2.5, 0.0], [2.0, 4.0]])),
                table("30 copies of 0.1", TENTHS.unsqueeze(1), torch.tensor([[0.3], [0.1]])),
            ],
            hidden=[
                table("30 copies of 0.1 in one dimension", TENTHS, torch.tensor([0.1, 0.6, -0.4])),
                table("30 copies of 0.1, shape (30, 1)", TENTHS.unsqueeze(1), torch.tensor([[0.2], [0.1], [1.0]])),
                table("a column of zeros", torch.tensor([[0.0, 1.0], [0.0, 5.0], [0.0, 3.0]]), torch.tensor([[1.5, 2.0], [-1.0, 0.0]])),
                table("float64", torch.cat([torch.full((30, 1), 0.7, dtype=DOUBLE), around(30, 1.0, seed=190, dtype=DOUBLE)], dim=1), around(4, 1.0, 1.0, seed=191, dtype=DOUBLE)),
            ],
        ),
    ],
    misconceptions=[
        *variants(
            "global-seed", GLOBAL,
            (GENERATOR, "torch.manual_seed(seed)\n    order = torch.randperm(n)"),
            (GENERATOR, "np.random.seed(seed)\n    order = torch.from_numpy(np.random.permutation(n))"),
            (GENERATOR, "import random\n    random.seed(seed)\n    order = torch.tensor(random.sample(range(n), n))"),
        ),
        *variants(
            "seed-ignored", "The seed has to decide the order: the same one every time it is given.",
            (SHUFFLE, "order = torch.randperm(n)"),
            (GENERATOR, "order = torch.from_numpy(np.random.permutation(n))"),
            (GENERATOR, "order = torch.from_numpy(np.random.default_rng().permutation(n))"),
        ),
        *variants("seed-fixed", "Use the argument seed: here every seed gives the same order.", ("manual_seed(seed)", "manual_seed(42)")),
        *variants(
            "not-shuffled", "Shuffle first: data are often sorted by class.",
            (SHUFFLE, "order = torch.arange(n)"),
        ),
        *variants(
            "shuffled-within-parts", "Shuffle all indices before cutting, not each part afterwards.",
            (PARTS, "parts = torch.arange(n).split([n_train, n_val, n - n_train - n_val])\n    "
             "return tuple(part[torch.randperm(len(part), generator=generator)] for part in parts)"),
        ),
        *variants(
            "sorted-parts", "Keep the shuffled order within the parts: do not sort them.",
            (PARTS, "return tuple(part.sort().values for part in (order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val :]))"),
        ),
        *variants(
            "sizes-rounded", "The first two parts have int(fraction * n) entries: cut the decimals off, do not round.",
            (SIZES, "n_train, n_val = round(fractions[0] * n), round(fractions[1] * n)"),
            (SIZES, "n_train, n_val = math.ceil(fractions[0] * n), math.ceil(fractions[1] * n)"),
        ),
        *variants(
            "cumulative-ends", "The second part has int(fraction * n) entries of its own, counted from where the first one ends.",
            (SIZES, "n_train = int(fractions[0] * n)\n    n_val = int((fractions[0] + fractions[1]) * n) - n_train"),
        ),
        *variants(
            "samples-lost", "The third part takes all that is left, or samples are lost.",
            (PARTS, "n_test = int(fractions[2] * n)\n    return order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val : n_train + n_val + n_test]"),
        ),
        *variants(
            "parts-overlap", "The parts must not share a sample: each starts where the one before ends.",
            (PARTS, "return order[:n_train], order[n_train : n_train + n_val], order[n_train:]"),
            (PARTS, "return order[:n_train], order[:n_val], order[n_train + n_val :]"),
            (PARTS, "return order[:n_train], order[n_train - 1 : n_train - 1 + n_val], order[n_train + n_val :]"),
        ),
        *variants(
            "with-replacement", "Each index occurs once: draw a permutation, not random numbers.",
            (SHUFFLE, "order = torch.randint(n, (n,), generator=generator)"),
        ),
        *variants(
            "fractions-unchecked", "Fractions whose sum is not 1 raise ValueError.",
            (SUMS, "if False:"), (SUMS, "if sum(fractions) > 1 + 1e-6:"), (SUMS, "if sum(fractions) < 1 - 1e-6:"), (SUMS, "if sum(fractions) - 1 > 1e-6:"),
        ),
        *variants(
            "sum-compared-exactly", "0.7 + 0.2 + 0.1 is not exactly 1 in floating point: allow a difference of 1e-6.",
            (SUMS, "if sum(fractions) != 1:"),
        ),
        *variants(
            "wrong-exception", "Arguments that do not fit raise ValueError; an assert raises AssertionError.",
            (SUMS, "assert abs(sum(fractions) - 1) <= 1e-6\n    if False:"),
        ),
        *variants(
            "statistics-from-all-data", FROM_TRAIN,
            ("mean = train.mean(dim=0)", "mean = torch.cat([train, *others]).mean(dim=0)", ("std = train.std(dim=0)", "std = torch.cat([train, *others]).std(dim=0)")),
        ),
        *variants(
            "each-part-by-itself", "Every part is transformed in the same way, by train's statistics: or the same number would mean different things.",
            (RESULT, "return tuple((part - part.mean(dim=0)) / part.std(dim=0) for part in (train, *others))"),
            (RESULT, "return tuple((part - part.mean(dim=0)) / torch.where(part.amax(dim=0) == part.amin(dim=0), 1.0, part.std(dim=0)) for part in (train, *others))"),
            (RESULT, "return tuple((part - part.mean(dim=0)) / (part.std(dim=0) + 1e-8) for part in (train, *others))"),
        ),
        *variants("division-by-zero", ZERO_DIVISION, (FILLED, "pass"), (FILLED, "std = std + (constant & (std > 0))")),
        *variants(
            "std-compared-with-zero", ROUNDED,
            (CONSTANT, "constant = std == 0"), (CONSTANT, "constant = std < 1e-12"),
        ),
        *variants(
            "eps-added", "A small number in the denominator blows a constant column up: the numerator is not exactly 0. Divide by 1 there.",
            (FILLED, "std = std + 1e-8"), (FILLED, "std = std + 1e-12"), (FILLED, "std = std.clamp(min=1e-8)"), (FILLED, "std = std.clamp(min=1e-12)"),
            (FILLED, "std = std + 1e-6"), (FILLED, "std = std + 1e-5"),
        ),
        *variants(
            "constant-column-zeroed", "In the other parts a constant column of train is centred too, not set to zero.",
            (RESULT, "return tuple(torch.where(constant, 0.0, (part - mean) / std) for part in (train, *others))"),
        ),
        *variants(
            "constant-column-not-centred", "A constant column is centred all the same: only the division is left out.",
            (RESULT, "return tuple(torch.where(constant, part, (part - mean) / std) for part in (train, *others))"),
        ),
        *variants(
            "not-per-column", "Each column has its own mean and standard deviation: reduce over dimension 0.",
            ("mean = train.mean(dim=0)", "mean = train.mean()", ("std = train.std(dim=0)", "std = train.std()")),
            (RESULT, "return tuple((part - part.mean(1, keepdim=True)) / part.std(1, keepdim=True) for part in (train, *others))"),
        ),
        *variants(
            "variance-for-std", "Divide by the standard deviation, not by the variance.",
            ("std = train.std(dim=0)", "std = train.var(dim=0)"),
        ),
        *variants("not-centred", "Subtract the mean before you divide.", (RESULT, "return tuple(part / std for part in (train, *others))")),
        *variants("not-scaled", "Divide by the standard deviation, too.", (RESULT, "return tuple(part - mean for part in (train, *others))")),
        *variants("min-max", "Standardising is not min-max scaling: subtract the mean, divide by the standard deviation.", (RESULT, "return tuple((part - train.amin(0)) / (train.amax(0) - train.amin(0)) for part in (train, *others))")),
        *variants(
            "train-left-out", "The result holds train as well, as its first entry.",
            (RESULT, "return tuple((part - mean) / std for part in others)"),
            (RESULT, "return (train - mean) / std, tuple((part - mean) / std for part in others)"),
            (RESULT, "results = tuple((part - mean) / std for part in (train, *others))\n    return results if others else results[0]"),
        ),
        *variants("others-untouched", "The other parts are standardised as well.", (RESULT, "return ((train - mean) / std, *others)")),
    ],
)  # fmt: skip


# --- training_loop -----------------------------------------------------------------------------------------------------------------


def loop_inputs(n, shape, count, batch_size, seed, fields, dtype=torch.float32, **more):
    x = numbers(n, *shape, seed=seed, dtype=dtype, scale=1.5)
    return {"x": x, "y": classes(count, n, seed=seed + 1), "batch_size": batch_size, "classes": count, "fields": fields, **more}


NUMBERS, UPDATES, MODE = ["loss", "accuracy"], ["weights afterwards", "number of forward passes"], ["mode in the forward passes", "the loss still holds a graph"]
RESULTS, QUIET = ["predictions", "targets"], ["mode in the forward passes", "a graph is built in the forward passes", "weights and buffers are left as they were"]


def loop_part(name, probe, fields, share=1.0, **more):
    """Four classes in batches of four, so that a wrong dimension gives a number, then other sizes."""
    return Part(
        name,
        probe=probe,
        public=[
            Case("8 samples of 4 classes, batches of 4", loop_inputs(8, (3,), 4, 4, 210, fields, **more)),
            Case("10 samples of 3 classes, batches of 4", loop_inputs(10, (1, 2, 2), 3, 4, 212, fields, **more)),
        ],
        hidden=[
            Case("9 samples of 3 classes, batches of 3", loop_inputs(9, (4,), 3, 3, 214, fields, **more)),
            Case("7 samples of 5 classes, batches of 3", loop_inputs(7, (2, 3), 5, 3, 216, fields, **more)),
            Case("11 samples of 2 classes, batches of 8, with batch norm", loop_inputs(11, (5,), 2, 8, 218, fields, batch_norm=True, **more)),
            Case("6 samples in one batch, another criterion", loop_inputs(6, (3,), 3, 10, 220, fields, smoothing=0.2, **more)),
        ],
        share=share,
    )


TOTAL, COUNT_TRAIN = "total_loss += loss.item() * len(targets)", "return total_loss / count, 100 * correct / count"
TOTAL_EVAL, END_EVAL = "total_loss += criterion(logits, targets).item() * len(targets)", "return total_loss / len(all_targets), accuracy, predictions, all_targets"
CORRECT = "correct += (logits.argmax(dim=1) == targets).sum().item()"
BATCH_MEANS = "The last batch may be smaller: weigh each batch's loss by its number of samples, and divide by the number of all samples."
NOT_MOVING = "The weights stay as they were: old gradients are dropped first, then comes backward, then the step, in this order."
PERCENT = "The accuracy is in percent, from 0 to 100."
ARGMAX = "Each row holds the logits of one sample: take the argmax over dimension 1."

training_loop = Exercise(
    "training_loop",
    points=3,
    parts=[
        loop_part("train_epoch: loss and accuracy (measured with a learning rate of 0)", "trained", NUMBERS, lr=0.0),
        loop_part("train_epoch: one step for each batch, from its own gradient", "trained", UPDATES, lr=0.3, epochs=2),
        loop_part("train_epoch: mode, and a loss without a graph", "trained", MODE, lr=0.1, share=0.5),
        loop_part("evaluate: loss and accuracy", "evaluated", NUMBERS),
        loop_part("evaluate: predictions and targets", "evaluated", RESULTS, share=0.5),
        loop_part("evaluate: mode, no graph, nothing changed", "evaluated", QUIET),
    ],
    misconceptions=[
        *variants(
            "no-zero-grad", "Gradients add up from batch to batch: drop the old ones before each backward pass.",
            ("        optimizer.zero_grad()\n", ""),
            ("        optimizer.zero_grad()\n", "", ("    model.train()\n", "    model.train()\n    optimizer.zero_grad()\n")),
        ),
        *variants(
            "weights-do-not-move", NOT_MOVING,
            ("        optimizer.zero_grad()\n        loss.backward()\n", "        loss.backward()\n        optimizer.zero_grad()\n"),
            ("        optimizer.step()\n", ""),
            ("        loss.backward()\n        optimizer.step()\n", "        optimizer.step()\n        loss.backward()\n"),
        ),
        *variants("one-step-an-epoch", "Make a step for every batch.", ("        optimizer.step()\n", "", ("    " + COUNT_TRAIN, "    optimizer.step()\n    " + COUNT_TRAIN))),
        *variants(
            "mean-of-batch-means", BATCH_MEANS,
            (TOTAL, "total_loss += loss.item()", (COUNT_TRAIN, "return total_loss / len(loader), 100 * correct / count")),
            (TOTAL_EVAL, "total_loss += criterion(logits, targets).item()", (END_EVAL, "return total_loss / len(loader), accuracy, predictions, all_targets")),
            (CORRECT, "correct += (logits.argmax(dim=1) == targets).double().mean().item()", (TOTAL, "total_loss += loss.item()"),
             ("count += len(targets)", "count += 1")),
            (TOTAL_EVAL, "total_loss += criterion(logits, targets).item()", (END_EVAL, "accuracies = [(a == b).double().mean().item() for a, b in "
             "zip(predictions.split(loader.batch_size), all_targets.split(loader.batch_size), strict=True)]\n"
             "    return total_loss / len(loader), 100 * sum(accuracies) / len(loader), predictions, all_targets")),
        ),
        *variants(
            "batch-means-over-samples", "The criterion gives a mean: multiply it by the number of samples of its batch before you add it up.",
            (TOTAL, "total_loss += loss.item()"), (TOTAL_EVAL, "total_loss += criterion(logits, targets).item()"),
        ),
        *variants(
            "sum-of-losses", "Divide the summed loss by the number of samples.",
            (COUNT_TRAIN, "return total_loss, 100 * correct / count"), (END_EVAL, "return total_loss, accuracy, predictions, all_targets"),
            (TOTAL, "total_loss += loss.item()", (COUNT_TRAIN, "return total_loss, 100 * correct / count")),
            (TOTAL_EVAL, "total_loss += criterion(logits, targets).item()", (END_EVAL, "return total_loss, accuracy, predictions, all_targets")),
            (COUNT_TRAIN, "return total_loss / len(loader), 100 * correct / count"), (END_EVAL, "return total_loss / len(loader), accuracy, predictions, all_targets"),
        ),
        *variants(
            "last-batch-only", "Add up over all batches: this is the loss of the last one.",
            (TOTAL, "total_loss = loss.item() * len(targets)", (COUNT_TRAIN, "return loss.item(), 100 * correct / count")),
            (TOTAL_EVAL, "total_loss = criterion(logits, targets).item()", (END_EVAL, "return total_loss, accuracy, predictions, all_targets")),
            (COUNT_TRAIN, "return loss.item(), 100 * (logits.argmax(dim=1) == targets).double().mean().item()"),
        ),
        *variants(
            "fraction-for-percent", PERCENT,
            (COUNT_TRAIN, "return total_loss / count, correct / count"), ("accuracy = 100 * (predictions", "accuracy = 1 * (predictions"),
        ),
        *variants(
            "accuracy-is-a-count", "The accuracy is the share of right predictions, in percent, not their number.",
            (COUNT_TRAIN, "return total_loss / count, correct"), ("accuracy = 100 * (predictions == all_targets).double().mean().item()", "accuracy = (predictions == all_targets).sum().item()"),
        ),
        *variants(
            "train-mode-missing", "Set training mode: dropout and batch norm act differently there, and the model may come in evaluation mode.",
            ("    model.train()\n", ""),
        ),
        *variants(
            "eval-mode-missing", "Set evaluation mode: or dropout stays active, and batch norm mixes the samples and changes its running values.",
            ("    model.eval()\n", ""), ("    model.eval()\n", "    model.train()\n"),
        ),
        *variants(
            "no-grad-missing", "Evaluation needs no graph: it costs memory and time. Use torch.no_grad().",
            ("with torch.no_grad():", "with torch.enable_grad():"),
            ("with torch.no_grad():", "with torch.enable_grad():", ("    model.eval()\n", "")),
        ),
        *variants(
            "argmax-over-batch", ARGMAX,
            (CORRECT, "correct += (logits.argmax(dim=0) == targets).sum().item()"),
            ("predictions.append(logits.argmax(dim=1).cpu())", "predictions.append(logits.argmax(dim=0).cpu())"),
        ),
        *variants(
            "loss-tensor-kept", "Add up numbers, not tensors: loss.item(). Each tensor keeps the graph of its batch in memory.",
            (TOTAL, "total_loss += loss * len(targets)"),
        ),
        *variants(
            "logits-returned", "The predictions are class indices, the argmax of the logits.",
            ("predictions.append(logits.argmax(dim=1).cpu())", "predictions.append(logits.cpu())", ("accuracy = 100 * (predictions", "accuracy = 100 * (predictions.argmax(1)")),
            ("predictions.append(logits.argmax(dim=1).cpu())", "predictions.append(logits.max(dim=1).values.cpu())"),
        ),
        *variants(
            "two-dimensional-predictions", "Predictions and targets are one-dimensional: join the batches end to end.",
            ("logits.argmax(dim=1).cpu()", "logits.argmax(dim=1, keepdim=True).cpu()", ("accuracy = 100 * (predictions", "accuracy = 100 * (predictions.squeeze(1)")),
            (END_EVAL, "return total_loss / len(all_targets), accuracy, list(predictions.split(loader.batch_size)), list(all_targets.split(loader.batch_size))"),
        ),
        *variants(
            "last-batch-returned", "Collect the predictions and targets of all batches.",
            (END_EVAL, "return total_loss / len(all_targets), accuracy, logits.argmax(dim=1), targets"),
        ),
        *variants(
            "results-swapped", "The order is: loss, accuracy, predictions, targets.",
            (END_EVAL, "return total_loss / len(all_targets), accuracy, all_targets, predictions"),
            (END_EVAL, "return accuracy, total_loss / len(all_targets), predictions, all_targets"),
            (COUNT_TRAIN, "return 100 * correct / count, total_loss / count"),
        ),
        *variants(
            "softmax-before-loss", "The criterion wants logits: a softmax before it is one too many.",
            ("loss = criterion(logits, targets)", "loss = criterion(logits.softmax(dim=1), targets)"), ("criterion(logits, targets).item()", "criterion(logits.softmax(dim=1), targets).item()"),
        ),
        *variants(
            "trains-in-evaluate", "Evaluation must not change the model.",
            (TOTAL_EVAL, TOTAL_EVAL + "\n            for parameter in model.parameters():\n                parameter.mul_(0.99)"),
        ),
    ],
)  # fmt: skip


# --- early_stopping ----------------------------------------------------------------------------------------------------------------

NAN = float("nan")
SAYS = ["returned", "counter", "best_loss", "best_loss and counter at first"]
WEIGHTS = ["number of calls", "weights are written", "weights at the end are those of call"]


def epochs(label, losses, fields=SAYS, **options):
    return Case(label, {"losses": losses, "options": options, "fields": fields})


BETTER = "if val_loss < self.best_loss - self.min_delta:"
COPY = "self.best_weights = copy.deepcopy(model.state_dict())"
STOP = "stop = self.counter >= self.patience"
ALIAS = "The last weights come back, not the best: state_dict() holds the model's own tensors, so keep a deep copy, made on an improvement."
NOT_A_NUMBER = "Every comparison with NaN is False: ask whether the loss is better, and let everything else count as no improvement."

early_stopping = Exercise(
    "early_stopping",
    points=1,
    parts=[
        Part(
            "when to stop",
            probe="stopping",
            public=[
                epochs("patience 2", [1.0, 0.8, 0.9, 0.7, 0.75, 0.7, 0.6], patience=2),
                epochs("patience 3, falling all the time", [5.0, 4.0, 3.0, 2.0, 1.0], patience=3),
            ],
            hidden=[
                epochs("patience 3", [2.0, 2.5, 2.25, 1.5, 1.75, 1.5, 1.5, 0.5], patience=3),
                epochs("patience 1", [0.5, 0.25, 0.25], patience=1),
                epochs("default patience", [1.0, *[1.5] * 9]),
            ],
        ),
        Part(
            "min_delta",
            probe="stopping",
            public=[epochs("min_delta 0.25", [2.0, 2.125, 1.875, 1.75, 1.625, 1.625, 1.5, 1.25], patience=3, min_delta=0.25)],
            hidden=[
                epochs("min_delta 0.5", [4.0, 3.5, 4.25, 3.25, 3.0, 2.75, 1.0], patience=4, min_delta=0.5),
                epochs("min_delta 0.125", [1.0, 0.875, 0.75, 0.8125, 0.625, 0.25], patience=2, min_delta=0.125),
            ],
        ),
        Part(
            "NaN is no improvement",
            probe="stopping",
            public=[
                epochs("NaN after a while", [1.0, NAN, 0.5, NAN, NAN, 0.25], patience=2),
                epochs("NaN in the first call", [NAN, 2.0, NAN, 1.0, NAN, NAN], patience=2),
                epochs("nothing but NaN", [NAN, NAN, NAN, NAN], [*SAYS, *WEIGHTS[::2]], patience=3),
            ],
            hidden=[
                epochs("NaN at first", [NAN, NAN, 1.0, NAN, 2.0, NAN, 0.5], patience=3),
                epochs("nothing but NaN", [NAN, NAN, NAN], [*SAYS, *WEIGHTS[::2]], patience=2),
            ],
        ),
        Part(
            "the best weights come back",
            probe="stopping",
            public=[
                epochs("patience 2, best in call 3", [3.0, 2.0, 1.0, 1.5, 1.25, 1.75, 0.5], WEIGHTS, patience=2),
                epochs("not stopped: the weights stay", [3.0, 3.5, 2.0, 2.5], WEIGHTS, patience=3),
                epochs("restore_best_weights=False", [3.0, 2.0, 2.5, 3.0, 1.0], WEIGHTS, patience=2, restore_best_weights=False),
            ],
            hidden=[
                epochs("patience 3, best in call 2", [1.0, 0.5, 0.75, 0.5, 0.625, 0.75, 0.125], WEIGHTS, patience=3),
                epochs("not stopped: the weights stay", [3.0, 2.0, 2.5], WEIGHTS, patience=2),
                epochs("restore_best_weights=False", [2.0, 1.0, 1.5, 1.75, 0.5], WEIGHTS, patience=2, restore_best_weights=False),
            ],
        ),
    ],
    misconceptions=[
        *variants(
            "weights-aliased", ALIAS,
            (COPY, "self.best_weights = model.state_dict()"),
            (COPY, "pass", ("        stop =", "        self.best_weights = copy.deepcopy(model.state_dict())\n        stop =")),
        ),
        *variants(
            "counter-not-reset", "An improvement starts the count anew: patience counts calls in a row.",
            ("            self.counter = 0\n        else", "        else"),
        ),
        *variants(
            "one-call-too-late", "Stop once the counter has reached patience: patience calls in a row, not one more.",
            (STOP, "stop = self.counter > self.patience"),
        ),
        *variants(
            "one-call-too-early", "Stop once the counter has reached patience, not before.",
            (STOP, "stop = self.counter >= self.patience - 1"),
        ),
        *variants(
            "counter-starts-at-one", "The first call without an improvement makes the counter 1; an improvement sets it to 0.",
            ("            self.counter = 0\n        else", "            self.counter = 1\n        else"),
        ),
        *variants(
            "higher-is-better", "A loss is better when it is lower.",
            (BETTER, "if val_loss > self.best_loss + self.min_delta:", ("math.inf", "-math.inf")),
            (BETTER, "if self.best_loss == math.inf or val_loss > self.best_loss + self.min_delta:"),
            (BETTER, "if val_loss > self.best_loss - self.min_delta:", ("math.inf", "-math.inf")),
            (BETTER, "if self.best_loss == math.inf or val_loss > self.best_loss - self.min_delta:"),
            (BETTER, "if val_loss > self.best_loss + self.min_delta:"),
        ),
        *variants(
            "nan-taken-for-better", NOT_A_NUMBER,
            (BETTER, "if not val_loss >= self.best_loss - self.min_delta:"),
        ),
        *variants(
            "nan-taken-first", "NaN is no improvement, not even in the first call: otherwise nothing can ever be better.",
            (BETTER, "if self.best_loss == math.inf or val_loss < self.best_loss - self.min_delta:"),
        ),
        *variants("min-delta-ignored", "An improvement has to be larger than min_delta.", (BETTER, "if val_loss < self.best_loss:")),
        *variants(
            "min-delta-sign", "min_delta makes it harder to improve: the loss must lie below best_loss - min_delta.",
            (BETTER, "if val_loss < self.best_loss + self.min_delta:"),
        ),
        *variants(
            "equal-counts-as-better", "By *more* than min_delta: an equal loss, or one that is better by just min_delta, is no improvement.",
            (BETTER, "if val_loss <= self.best_loss - self.min_delta:"),
        ),
        *variants(
            "compared-with-last", "Compare with the best loss so far, not with the one before.",
            ("            self.counter += 1", "            self.counter += 1\n            self.best_loss = val_loss"),
        ),
        *variants(
            "best-drifts", "best_loss moves only on a real improvement, by more than min_delta: or many small steps never count.",
            ("            self.counter += 1", "            self.counter += 1\n            self.best_loss = min(self.best_loss, val_loss)"),
        ),
        *variants("never-restored", "When it stops, the model gets its best weights back.", ("model.load_state_dict(self.best_weights)", "pass")),
        *variants(
            "always-restored", "restore_best_weights=False asks to leave the weights as they are.",
            ("if stop and self.restore_best_weights and", "if stop and"),
        ),
        *variants(
            "restored-before-stopping", "The weights come back when training stops, not in every bad epoch.",
            ("if stop and self.restore_best_weights and", "if self.counter and self.restore_best_weights and"),
        ),
        *variants(
            "first-weights-kept", "Every improvement has new best weights: remember them each time.",
            (COPY, "self.best_weights = self.best_weights or copy.deepcopy(model.state_dict())"),
        ),
        *variants(
            "nothing-to-restore", "If no loss was ever an improvement, there are no best weights to load.",
            (" and self.best_weights is not None", ""),
        ),
        *variants(
            "returns-nothing", "Return True to stop and False to go on, in every call.",
            ("return stop", "return True if stop else None"),
        ),
        *variants("returns-go-on", "True means stop, not go on.", ("return stop", "return not stop")),
    ],
)  # fmt: skip


EXERCISES = [
    activations, activation_questions, losses, loss_quiz, sgd_momentum, adam, initialization, regularization, dropout, batch_norm,
    layer_norm, lr_schedule, data_split, training_loop, early_stopping,
]  # fmt: skip
