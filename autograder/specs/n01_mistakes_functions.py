"""Notebook 1, fundamentals: mistakes known by name, as edits of the reference answers; here activations and losses."""

from autograder.specs.spec import known

# --- activations -----------------------------------------------------------------------------------------------------------------------

OVERFLOW = "exp of a large number is infinite, and infinity over infinity is NaN: use a form whose exponential may overflow harmlessly."
SOFTPLUS = "log(1 + exp(x)) overflows for large x, though the result is just x: take max(x, 0) out of the logarithm."
TANH_GELU = "This is an approximation of GELU: the exact form uses erf, the error function of the normal distribution."
READY_MADE = "Build it from elementary operations: a ready-made activation of torch ran."
MASKED_OUT = "Infinity times zero is NaN: choose between the two branches (with where or clamp) instead of multiplying by a mask."
SIGMOID, TANH = "1 / (1 + torch.exp(-x))  #", "2 / (1 + torch.exp(-2 * x)) - 1"
ELU, GELU, SILU = (
    "torch.where(x > 0, x, alpha * torch.expm1(x))",
    "0.5 * x * (1 + torch.erf(x / math.sqrt(2)))",
    "x / (1 + torch.exp(-x))",
)
LEAKY, RELU = "torch.where(x > 0, x, negative_slope * x)", "torch.clamp(x, min=0)\n"
STABLE = "torch.clamp(x, min=0) + torch.log1p(torch.exp(-x.abs()))"

ACTIVATIONS = [
    *known(
        "sigmoid-overflow",
        OVERFLOW,
        (SIGMOID, "torch.exp(x) / (1 + torch.exp(x))  #"),
        (SILU, "x * torch.exp(x) / (1 + torch.exp(x))"),
    ),
    *known(
        "tanh-overflow",
        OVERFLOW,
        (TANH, "(torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))"),
        (TANH, "(torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1)"),
    ),
    *known("softplus-overflow", SOFTPLUS, (STABLE, "torch.log(1 + torch.exp(x))")),
    *known(
        "gelu-approximated",
        TANH_GELU,
        (GELU, "0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))"),
        (GELU, "x * sigmoid(1.702 * x)"),
    ),
    *known(
        "gelu-without-root-two",
        "GELU weighs x by the normal distribution function: inside erf, x is divided by the square root of 2.",
        (GELU, "0.5 * x * (1 + torch.erf(x))"),
    ),
    *known(
        "gelu-factor",
        "The normal distribution function runs from 0 to 1: that is half of (1 + erf).",
        (GELU, "x * (1 + torch.erf(x / math.sqrt(2)))"),
        (GELU, "0.5 * (1 + torch.erf(x / math.sqrt(2)))"),
    ),
    *known(
        "leaky-slope-sign",
        "For negative x the result is negative too: the slope times x, without another minus sign.",
        (LEAKY, "torch.where(x > 0, x, -negative_slope * x)"),
        (LEAKY, "torch.clamp(x, min=0) - negative_slope * torch.clamp(x, max=0)"),
    ),
    *known(
        "leaky-branches-swapped",
        "The small slope belongs to negative x; positive x passes unchanged.",
        (LEAKY, "torch.where(x > 0, negative_slope * x, x)"),
    ),
    *known(
        "leaky-slope-ignored",
        "Use the argument negative_slope: here the slope is always 0.01.",
        (LEAKY, "torch.where(x > 0, x, 0.01 * x)"),
    ),
    *known(
        "other-default",
        "Keep the defaults that the task names: negative_slope is 0.01, alpha is 1.",
        ("negative_slope=0.01", "negative_slope=0.1"),
        ("negative_slope=0.01", "negative_slope=0.2"),
        ("alpha=1.0", "alpha=0.1"),
    ),
    *known(
        "elu-without-alpha",
        "Negative x are scaled by alpha: alpha * (exp(x) - 1).",
        (ELU, "torch.where(x > 0, x, torch.expm1(x))"),
    ),
    *known(
        "elu-without-minus-one",
        "ELU is continuous at 0: from the exponential, 1 is taken away before alpha multiplies it.",
        (ELU, "torch.where(x > 0, x, alpha * torch.exp(x))"),
        (ELU, "torch.where(x > 0, x, alpha * torch.exp(x) - 1)"),
    ),
    *known(
        "elu-side",
        "Where x is positive, ELU is x itself; the exponential, of x and not of -x, is for negative x.",
        (ELU, "torch.where(x < 0, x, alpha * torch.expm1(x))"),
        (ELU, "torch.where(x > 0, x, alpha * torch.expm1(-x))"),
        (ELU, "torch.where(x > 0, x, alpha * (1 - torch.exp(x)))"),
    ),
    *known(
        "infinity-times-mask",
        MASKED_OUT,
        (ELU, "(x > 0) * x + (x <= 0) * alpha * (torch.exp(x) - 1)"),
    ),
    *known(
        "sign-of-exponent",
        "The sigmoid rises: for large x the exponential must vanish, so its exponent is -x.",
        (SIGMOID, "1 / (1 + torch.exp(x))  #"),
        (SILU, "x / (1 + torch.exp(x))"),
    ),
    *known(
        "tanh-of-half",
        "tanh(x) = 2 * sigmoid(2x) - 1: the exponent is -2x.",
        (TANH, "2 / (1 + torch.exp(-x)) - 1"),
        (TANH, "1 / (1 + torch.exp(-2 * x))"),
    ),
    *known(
        "relu-side",
        "ReLU keeps positive numbers and sets negative ones to 0.",
        (RELU, "torch.clamp(x, max=0)\n"),
        (RELU, "x.abs()\n"),
    ),
    *known(
        "relu-in-place",
        "Leave x as it is: make a new tensor instead of changing the one you were given.",
        (RELU, "x.clamp_(min=0)\n"),
        ("return " + ELU, "x[x < 0] = alpha * torch.expm1(x[x < 0])\n    return x"),
        ("return " + LEAKY, "x[x < 0] *= negative_slope\n    return x"),
    ),
    *known(
        "silu-is-x-times-sigmoid",
        "SiLU is x times its sigmoid.",
        (SILU, "1 / (1 + torch.exp(-x))"),
        (SILU, "x * x / (1 + torch.exp(-x))"),
    ),
    *known(
        "ready-made",
        READY_MADE,
        (SIGMOID, "torch.sigmoid(x)  #"),
        (TANH, "torch.tanh(x)"),
        (RELU, "F.relu(x)\n"),
        (LEAKY, "F.leaky_relu(x, negative_slope)"),
        (ELU, "F.elu(x, alpha)"),
        (GELU, "F.gelu(x)"),
        (STABLE, "F.softplus(x)"),
        (SILU, "F.silu(x)"),
        (SILU, "x * torch.sigmoid(x)"),
    ),
]


# --- losses ----------------------------------------------------------------------------------------------------------------------------

SUM = "The loss is the mean, not the sum: or the step size would depend on the number of elements."
SAMPLES = "Divide by the number of all elements, not by the number of samples."
NO_LOGARITHM = (
    "The logarithm of a probability that is rounded to 0 is infinite: work with the logits themselves (logsumexp, or a safe softplus)."
)
CLAMPED = "A clamped (or shifted) probability hides the overflow, but makes the loss wrong: use a formula that needs no probability."
TWICE = "Softmax is applied twice: the logits go into logsumexp as they are."
DIM = "Each row holds the logits of one sample: normalise over dimension 1, the classes."
CUT = "The loss has to stay a tensor with its graph: item(), float() or detach() cut it."
SHAPES = "Compare the two shapes first, and raise ValueError if they differ: broadcasting would mix every prediction with every target."
MSE, MAE, BCE, CE = (
    "((pred - target) ** 2).mean()",
    "(pred - target).abs().mean()",
    "losses = softplus_of_logits - logits * target",
    "losses = torch.logsumexp(logits, dim=1) - score_of_target",
)
BCE_MEAN = "losses = softplus_of_logits - logits * target\n    return losses.mean()"
CE_MEAN = "losses = torch.logsumexp(logits, dim=1) - score_of_target\n    return losses.mean()"
CHECK = "if pred.shape != target.shape:"
PROBABILITY = "p = 1 / (1 + torch.exp(-logits))\n    "
SHARES = "p = torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))\n    "
PICKED = "[torch.arange(len(target)), target]"

LOSSES = [
    *known(
        "clamped-probability",
        CLAMPED,
        (
            BCE,
            PROBABILITY + "p = p.clamp(1e-7, 1 - 1e-7)\n    losses = -(target * torch.log(p) + (1 - target) * torch.log(1 - p))",
        ),
        (BCE, PROBABILITY + "losses = -(target * torch.log(p + 1e-8) + (1 - target) * torch.log(1 - p + 1e-8))"),
        (CE, SHARES + f"losses = -torch.log(p{PICKED} + 1e-9)"),
    ),
    *known(
        "sum-for-mean",
        SUM,
        (MSE, "((pred - target) ** 2).sum()"),
        (MAE, "(pred - target).abs().sum()"),
        (BCE_MEAN, BCE + "\n    return losses.sum()"),
        (CE_MEAN, CE + "\n    return losses.sum()"),
    ),
    *known(
        "mean-over-samples",
        SAMPLES,
        (MSE, "((pred - target) ** 2).sum() / len(pred)"),
        (MAE, "(pred - target).abs().sum() / len(pred)"),
        (BCE_MEAN, BCE + "\n    return losses.sum() / len(logits)"),
    ),
    *known(
        "mean-over-classes",
        "Cross entropy is the mean over samples: divide by their number, not by that of all logits.",
        (CE_MEAN, CE + "\n    return losses.sum() / logits.numel()"),
    ),
    *known(
        "half-of-the-square",
        "This loss has no factor of one half.",
        (MSE, "((pred - target) ** 2).mean() / 2"),
    ),
    *known("root-of-mse", "The mean squared error has no square root.", (MSE, "((pred - target) ** 2).mean().sqrt()")),
    *known(
        "signed-difference",
        "Errors of both signs count: square them, or take their absolute value, before the mean.",
        (MSE, "(pred - target).mean() ** 2"),
        (MSE, "(pred - target).mean()"),
        (MAE, "(pred - target).mean().abs()"),
        (MAE, "(pred - target).mean()"),
    ),
    *known(
        "squared-for-absolute",
        "The mean absolute error takes absolute values, not squares.",
        (MAE, "((pred - target) ** 2).mean()"),
    ),
    *known(
        "absolute-for-squared",
        "The mean squared error takes squares, not absolute values.",
        (MSE, "(pred - target).abs().mean()"),
    ),
    *known(
        "silent-broadcast",
        SHAPES,
        (CHECK, "if False:"),
        (CHECK, "if len(pred) != len(target):"),
        (CHECK, "if pred.numel() != target.numel():"),
        (CHECK, "if pred.ndim != target.ndim:"),
        (CHECK, "if pred.shape[-1] != target.shape[-1]:"),
    ),
    *known(
        "wrong-exception",
        "Shapes that do not fit raise ValueError: assert raises AssertionError, which Python can switch off.",
        ("raise ValueError(", "raise AssertionError("),
        ("raise ValueError(", "raise RuntimeError("),
        ("raise ValueError(", "raise TypeError("),
        (CHECK, "assert pred.shape == target.shape\n    if False:"),
    ),
    *known(
        "message-without-shapes",
        "Say in the message which two shapes were given: it saves the reader a search.",
        ('f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ in shape"', '"the shapes differ"'),
    ),
    *known(
        "log-of-probability",
        NO_LOGARITHM,
        (BCE, PROBABILITY + "losses = -(target * torch.log(p) + (1 - target) * torch.log(1 - p))"),
        ("torch.log1p(torch.exp(-logits.abs()))", "torch.log1p(torch.exp(logits)) - torch.clamp(logits, min=0)"),
        (
            CE,
            f"shares = torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True)\n    losses = -torch.log(shares{PICKED})",
        ),
        (CE, SHARES + f"losses = -torch.log(p{PICKED})"),
    ),
    *known(
        "softmax-twice",
        TWICE,
        (CE, SHARES + f"losses = torch.logsumexp(p, dim=1) - p{PICKED}"),
        (
            "score_of_target = logits.gather",
            "logits = torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))\n    score_of_target = logits.gather",
        ),
    ),
    *known(
        "sigmoid-twice",
        "The logits go into the loss as they are: a sigmoid before it is one too many.",
        ("softplus_of_logits = torch", "logits = 1 / (1 + torch.exp(-logits))\n    softplus_of_logits = torch"),
    ),
    *known(
        "wrong-dim",
        DIM,
        (CE, "losses = torch.logsumexp(logits, dim=0) - score_of_target"),
        (CE, "losses = torch.logsumexp(logits, dim=(0, 1)) - score_of_target"),
        (CE, f"losses = (torch.logsumexp(logits, dim=0, keepdim=True) - logits){PICKED}"),
    ),
    *known(
        "no-logarithm",
        "Cross entropy is minus the *logarithm* of the probability of the right class.",
        (CE, SHARES + f"losses = -p{PICKED}"),
        (CE, SHARES + f"losses = 1 - p{PICKED}"),
    ),
    *known(
        "all-pairs-of-rows",
        "Pick one logit for each row, its own target's: indexing with a slice and a vector picks every pair.",
        ("logits.gather(1, target.unsqueeze(1)).squeeze(1)", "logits[:, target]"),
    ),
    *known(
        "sign-of-loss",
        "A loss falls when the guess gets better: the sign is the other way round.",
        (CE_MEAN, CE + "\n    return -losses.mean()"),
        (BCE_MEAN, BCE + "\n    return -losses.mean()"),
    ),
    *known(
        "one-term-forgotten",
        "Binary cross entropy has two terms: one for targets that are 1, one for those that are 0.",
        (BCE, "losses = target * (softplus_of_logits - logits)"),
        (BCE, "losses = softplus_of_logits"),
        (BCE, "losses = (1 - target) * softplus_of_logits"),
    ),
    *known(
        "plus-for-minus",
        "The term of the target is subtracted: where the target is 1, a higher logit makes the loss smaller.",
        (BCE, "losses = softplus_of_logits + logits * target"),
    ),
    *known(
        "mean-logit-for-targets",
        "Cross entropy is logsumexp of the row minus the logit of its target class, not minus the mean of the row.",
        ("torch.logsumexp(logits, dim=1) - score_of_target", "torch.logsumexp(logits, dim=1) - logits.mean(dim=1)"),
    ),
    *known(
        "targets-swapped",
        "The two terms have changed places: a target of 1 asks for a high logit.",
        (BCE, "losses = softplus_of_logits - logits * (1 - target)"),
    ),
    *known(
        "graph-cut",
        CUT,
        (MSE, MSE + ".item()"),
        (MAE, MAE + ".item()"),
        (BCE_MEAN, BCE_MEAN + ".item()"),
        (CE_MEAN, CE_MEAN + ".item()"),
        (MSE, MSE + ".detach()"),
        (MAE, MAE + ".detach()"),
        (BCE_MEAN, BCE_MEAN + ".detach()"),
        (CE_MEAN, CE_MEAN + ".detach()"),
    ),
    *known(
        "ready-made",
        "Write the formula yourself: a loss or a softmax of torch ran.",
        (MSE, "F.mse_loss(pred, target)"),
        (MAE, "F.l1_loss(pred, target)"),
        (BCE_MEAN, "return F.binary_cross_entropy_with_logits(logits, target)"),
        (CE_MEAN, "return F.cross_entropy(logits, target)"),
        (CE, f"losses = -torch.log_softmax(logits, dim=1){PICKED}"),
        (BCE, "losses = -target * F.logsigmoid(logits) - (1 - target) * F.logsigmoid(-logits)"),
    ),
]
