"""Notebook 1, fundamentals: mistakes known by name, as edits of the reference answers; here optimizers and initialisation."""

from autograder.specs.spec import known

# --- sgd_momentum ----------------------------------------------------------------------------------------------------------------------

V_STEP, P_STEP = "v.mul_(momentum).add_(g)", "p.sub_(lr * v)"
RATE_IN_V = "Keep the learning rate out of the velocity: PyTorch multiplies by it when the parameter moves, so a new rate acts at once."
REBOUND = "A plain assignment makes a new tensor and leaves the one in the list as it was: change it in place."

SGD_MOMENTUM = [
    *known(
        "rate-in-velocity",
        RATE_IN_V,
        [(V_STEP, "v.mul_(momentum).add_(lr * g)"), (P_STEP, "p.sub_(v)")],
        [(V_STEP, "v.mul_(momentum).sub_(lr * g)"), (P_STEP, "p.add_(v)")],
        (V_STEP, "v.mul_(momentum).add_(lr * g)"),
    ),
    *known(
        "velocity-not-kept",
        "The velocity has to be there in the next call: write the new value into the tensor that was handed over.",
        (V_STEP, "v = momentum * v + g"),
    ),
    *known(
        "not-in-place",
        REBOUND,
        (P_STEP, "p = p - lr * v"),
        [(V_STEP, "v = momentum * v + g"), (P_STEP, "p = p - lr * v")],
        ("for p, g, v in zip(params, grads, velocities, strict=True):\n            " + V_STEP + "\n            " + P_STEP,
         "for i, (p, g) in enumerate(zip(params, grads, strict=True)):\n            velocities[i] = momentum * velocities[i] + g\n"
         "            p.sub_(lr * velocities[i])"),
        ("for p, g, v in zip(params, grads, velocities, strict=True):\n            " + V_STEP + "\n            " + P_STEP,
         "for i, g in enumerate(grads):\n            velocities[i] = momentum * velocities[i] + g\n"
         "            params[i] = params[i] - lr * velocities[i]"),
    ),
    *known(
        "gradients-changed",
        "The gradients are only read: add to the velocity, not to them.",
        (V_STEP, "v.copy_(g.add_(momentum * v))"),
    ),
    *known(
        "graph-in-the-way",
        "A leaf that requires grad may not be changed in place while a graph is recorded: switch recording off for the update.",
        ("with torch.no_grad():", "with torch.enable_grad():"),
    ),
    *known("uphill", "The parameters go against the gradient: subtract.", (P_STEP, "p.add_(lr * v)")),
    *known(
        "averaged-gradient",
        "PyTorch's form adds the whole gradient to the velocity: there is no factor of 1 - momentum.",
        (V_STEP, "v.mul_(momentum).add_((1 - momentum) * g)"),
    ),
    *known(
        "gradient-damped",
        "Momentum multiplies the old velocity alone, not the gradient.",
        (V_STEP, "v.add_(g).mul_(momentum)"),
    ),
    *known(
        "old-velocity",
        "First update the velocity, then move by the new one.",
        (V_STEP + "\n            " + P_STEP, P_STEP + "\n            " + V_STEP),
    ),
    *known(
        "nesterov",
        "This is Nesterov's variant: the plain form moves by the velocity itself.",
        (P_STEP, "p.sub_(lr * (g + momentum * v))"),
    ),
    *known("no-momentum", "The parameter moves by the velocity, not by the gradient alone.", (P_STEP, "p.sub_(lr * g)")),
    *known(
        "returns-something",
        "The function works in place, so it returns None.",
        (P_STEP, P_STEP + "\n    return params"),
        (P_STEP, P_STEP + "\n    return params, velocities"),
        (P_STEP, P_STEP + "\n    return velocities"),
    ),
]


# --- adam ------------------------------------------------------------------------------------------------------------------------------

UPDATE = "p.sub_(self.lr * m_hat / (torch.sqrt(v_hat) + self.eps))"
CORRECTION = "Both moments start at zero and are too small at first: divide each by 1 - beta**t."
COUNT = "The step count t is 1 in the first step: raise it before you use it, and once for each step."
OWN_COUNT = "A parameter without a gradient has not made a step: count steps for each parameter by itself."
NO_GRADIENT = "A parameter whose grad is None has to be skipped."
EXHAUSTED = "A generator can be read only once: keep the parameters in a list."
M_LINE, V_LINE = "m = beta1 * self.m[i] + (1 - beta1) * g", "v = beta2 * self.v[i] + (1 - beta2) * g**2"
SKIP = "if p.grad is None:\n                continue\n"
COUNTING = "self.steps[i] += 1"

ADAM = [
    *known(
        "no-bias-correction",
        CORRECTION,
        [("m_hat = m / (1 - beta1**t)", "m_hat = m"), ("v_hat = v / (1 - beta2**t)", "v_hat = v")],
        ("m_hat = m / (1 - beta1**t)", "m_hat = m"),
        ("v_hat = v / (1 - beta2**t)", "v_hat = v"),
    ),
    *known(
        "correction-compounds",
        "Correct a copy of the moments: the corrected values do not go back into the running means.",
        [
            ("m_hat = m / (1 - beta1**t)", "self.m[i] = m_hat = m / (1 - beta1**t)"),
            ("v_hat = v / (1 - beta2**t)", "self.v[i] = v_hat = v / (1 - beta2**t)"),
        ],
    ),
    *known(
        "moments-swapped",
        "The first moment (of g, with beta1) is the numerator, the second (of g squared, with beta2) the denominator.",
        ("beta1, beta2 = self.betas", "beta2, beta1 = self.betas"),
        [(M_LINE, "m = beta2 * self.m[i] + (1 - beta2) * g"), (V_LINE, "v = beta1 * self.v[i] + (1 - beta1) * g**2")],
        (UPDATE, "p.sub_(self.lr * v_hat / (torch.sqrt(m_hat) + self.eps))"),
        [(M_LINE, "m = beta1 * self.m[i] + (1 - beta1) * g**2"), (V_LINE, "v = beta2 * self.v[i] + (1 - beta2) * g")],
    ),
    *known(
        "gradient-not-squared",
        "The second moment averages the squared gradient.",
        (V_LINE, "v = beta2 * self.v[i] + (1 - beta2) * g"),
        (V_LINE, "v = beta2 * self.v[i] + (1 - beta2) * g.abs()"),
    ),
    *known(
        "step-count",
        COUNT,
        ("t, g = self.steps[i], p.grad", "t, g = self.steps[i] - 1, p.grad"),
        ("t, g = self.steps[i], p.grad", "t, g = self.steps[i] + 1, p.grad"),
        ("t, g = self.steps[i], p.grad", "t, g = 1, p.grad"),
        ("t, g = self.steps[i], p.grad", "t, g = sum(self.steps), p.grad"),
    ),
    *known(
        "shared-step-count",
        OWN_COUNT,
        (SKIP + "            " + COUNTING, COUNTING + "\n            " + SKIP.rstrip()),
    ),
    *known(
        "eps-inside-root",
        "eps is added after the square root, not under it.",
        (UPDATE, "p.sub_(self.lr * m_hat / torch.sqrt(v_hat + self.eps))"),
        (UPDATE, "p.sub_(self.lr * m_hat / torch.sqrt(v_hat + self.eps**2))"),
    ),
    *known(
        "no-eps",
        "The argument eps belongs to the denominator, after the root.",
        (UPDATE, "p.sub_(self.lr * m_hat / torch.sqrt(v_hat))"),
    ),
    *known(
        "eps-before-correction",
        "eps is added to the corrected root, not before the correction.",
        (UPDATE, "p.sub_(self.lr * m_hat / (torch.sqrt(v) + self.eps) * math.sqrt(1 - beta2**t))"),
    ),
    *known(
        "root-missing",
        "The step is divided by the square root of the second moment.",
        (UPDATE, "p.sub_(self.lr * m_hat / (v_hat + self.eps))"),
    ),
    *known(
        "weights-of-average",
        "A running mean weighs the old value by beta and the new one by 1 - beta.",
        (M_LINE, "m = beta1 * self.m[i] + g"),
        (V_LINE, "v = beta2 * self.v[i] + g**2"),
        [(M_LINE, "m = (1 - beta1) * self.m[i] + beta1 * g"), (V_LINE, "v = (1 - beta2) * self.v[i] + beta2 * g**2")],
        [(M_LINE, "m = beta1 * self.m[i] + g"), (V_LINE, "v = beta2 * self.v[i] + g**2")],
    ),
    *known(
        "gradients-changed",
        "step() only reads the gradients: zero_grad() drops them.",
        (UPDATE, UPDATE + "\n            p.grad = None"),
        (UPDATE, UPDATE + "\n            p.grad.zero_()"),
        (M_LINE, "m = beta1 * self.m[i] + g.mul_(1 - beta1); g = g / (1 - beta1)"),
    ),
    *known(
        "zeros-skipped",
        "Only None is skipped: after a gradient of zeros the moments still shrink, and the parameter still moves.",
        ("if p.grad is None:", "if p.grad is None or not p.grad.any():"),
    ),
    *known("uphill", "The parameters go against the gradient: subtract.", (UPDATE, UPDATE.replace("sub_", "add_"))),
    *known(
        "generator-exhausted",
        EXHAUSTED,
        [
            ("self.params = list(params)", "self.params = params"),
            ("len(self.params)", "99"),
            ("self.m = [torch.zeros_like(p) for p in self.params]", "self.m = [0.0] * 99"),
            ("self.v = [torch.zeros_like(p) for p in self.params]", "self.v = [0.0] * 99"),
        ],
        [("self.params = list(params)", "self.params = params"), ("len(self.params)", "99")],
    ),
    *known(
        "gradient-none",
        NO_GRADIENT,
        (SKIP, "pass\n"),
        [("t, g = self.steps[i], p.grad", "t, g = self.steps[i], torch.zeros_like(p) if p.grad is None else p.grad"), (SKIP, "pass\n")],
    ),
    *known(
        "stops-at-none",
        "A parameter without a gradient is skipped; the ones after it still get their step.",
        (SKIP, SKIP.replace("continue", "break")),
    ),
    *known(
        "zero-grad-none",
        "zero_grad has to cope with a parameter that has no gradient yet.",
        ("            p.grad = None", "            p.grad.zero_()"),
    ),
    *known(
        "zero-grad-nothing",
        "zero_grad has to drop the gradient of every parameter.",
        ("            p.grad = None", "            pass"),
        ("            p.grad = None", "            p.grad = None\n            break"),
    ),
    *known(
        "not-in-place",
        "Change the parameter itself in place: a plain assignment makes a new tensor, which the model never sees.",
        (UPDATE, "p = p - self.lr * m_hat / (torch.sqrt(v_hat) + self.eps)"),
    ),
    *known(
        "graph-in-the-way",
        "A leaf that requires grad may not be changed in place while a graph is recorded: switch recording off for the update.",
        ("with torch.no_grad():", "with torch.enable_grad():"),
    ),
    *known(
        "ready-made",
        "Write the update yourself: torch.optim ran.",
        [
            (
                "self.params = list(params)",
                "self.params = list(params)\n        self.inner = torch.optim.Adam(self.params, lr, betas, eps)",
            ),
            (
                "        beta1, beta2 = self.betas",
                "        return self.inner.step()\n        beta1, beta2 = self.betas",
            ),
        ],
    ),
]


# --- initialization --------------------------------------------------------------------------------------------------------------------

BOUND, STD, FAN = "bound = math.sqrt(6 / (fan_in + fan_out))", "std = math.sqrt(2 / fan)", "fan = weight[0].numel()"
UNIFORM, NORMAL = "return weight.uniform_(-bound, bound)", "return weight.normal_(0, std)"
FIELD = "Each output of a convolution adds up in * kh * kw products: the fans count the kernel's size too."
ROOT = "The formula gives the standard deviation (or the bound): take the square root."

INITIALIZATION = [
    *known(
        "fan-out-for-fan-in",
        "Weights are (out, in, ...): fan_in comes from dimension 1, fan_out from dimension 0.",
        (FAN, "fan = weight[:, 0].numel()"),
        (FAN, "fan = weight.shape[0]"),
        (FAN, "fan = weight.shape[0] * math.prod(weight.shape[1:2])"),
    ),
    *known(
        "no-receptive-field",
        FIELD,
        ("receptive_field = math.prod(weight.shape[2:])", "receptive_field = 1"),
        ("fan_out = weight.shape[0] * receptive_field", "fan_out = weight.shape[0]"),
        ("fan_in = weight.shape[1] * receptive_field", "fan_in = weight.shape[1]"),
        (FAN, "fan = weight.shape[1]"),
        (FAN, "fan = weight.shape[1] * weight.shape[-1] ** (weight.ndim > 2)"),
    ),
    *known(
        "variance-for-std",
        ROOT,
        (BOUND, "bound = 6 / (fan_in + fan_out)"),
        (BOUND, "bound = 2 / (fan_in + fan_out)"),
        (STD, "std = 2 / fan"),
    ),
    *known(
        "std-for-bound",
        "A uniform distribution between -b and b has a standard deviation of b / sqrt(3): the bound is sqrt(6 / (fan_in + fan_out)).",
        (BOUND, "bound = math.sqrt(2 / (fan_in + fan_out))"),
    ),
    *known(
        "one-fan",
        "Xavier's compromise uses both fans, fan_in + fan_out.",
        (BOUND, "bound = math.sqrt(6 / fan_in)"),
        (BOUND, "bound = math.sqrt(6 / fan_out)"),
        (BOUND, "bound = math.sqrt(3 / fan_in)"),
        (BOUND, "bound = math.sqrt(1 / fan_in)"),
    ),
    *known(
        "no-gain",
        "ReLU loses half of the signal: the gain of sqrt(2) makes up for it.",
        (STD, "std = math.sqrt(1 / fan)"),
    ),
    *known(
        "gain-twice",
        "A gain of sqrt(2) means a standard deviation of sqrt(2 / fan_in).",
        (STD, "std = 2 / math.sqrt(fan)"),
    ),
    *known(
        "both-fans",
        "Kaiming's scheme uses fan_in alone.",
        (STD, "std = math.sqrt(2 / (fan + weight[:, 0].numel()))"),
        (STD, "std = math.sqrt(4 / (fan + weight[:, 0].numel()))"),
    ),
    *known(
        "wrong-distribution",
        "Xavier is uniform here, Kaiming normal, as the names say.",
        (UNIFORM, "return weight.normal_(0, math.sqrt(2 / (fan_in + fan_out)))"),
        (NORMAL, "return weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std)"),
    ),
    *known(
        "half-the-width",
        "Numbers between 0 and 1, less one half, reach from -0.5 to 0.5: multiply them by twice the bound.",
        (UNIFORM, "return weight.copy_((torch.rand_like(weight) - 0.5) * bound)"),
        (UNIFORM, "return weight.uniform_(-bound / 2, bound / 2)"),
    ),
    *known(
        "fixed-spread",
        "The standard deviation depends on the fans, what one output adds up: a fixed one, or one from the number of all weights, "
        "makes the signal grow or die away.",
        (STD, "std = 0.01"),
        (STD, "std = 0.02"),
        (STD, "std = 1.0"),
        (STD, "std = 0.1"),
        (FAN, "fan = weight.numel()"),
    ),
    *known(
        "mean-and-std-swapped",
        "normal_ takes the mean first, then the standard deviation.",
        (NORMAL, "return weight.normal_(std, 0)"),
    ),
    *known(
        "not-random-anew",
        "Every call draws new random numbers: with a fixed seed, or without chance, all layers would start alike.",
        (UNIFORM, "torch.manual_seed(0)\n        " + UNIFORM),
        (NORMAL, "torch.manual_seed(0)\n        " + NORMAL),
        (UNIFORM, "return weight.copy_(torch.linspace(-bound, bound, weight.numel()).reshape(weight.shape))"),
    ),
    *known(
        "one-sided",
        "The distribution lies around 0: from -bound to bound.",
        (UNIFORM, "return weight.uniform_(0, bound)"),
    ),
    *known(
        "not-in-place",
        "Fill the tensor that was handed over: a name with an underscore at the end promises that.",
        (UNIFORM, "return torch.empty_like(weight).uniform_(-bound, bound)"),
        (NORMAL, "return torch.randn_like(weight) * std"),
    ),
    *known("returns-nothing", "Return the weight, too.", (UNIFORM, UNIFORM[7:]), (NORMAL, NORMAL[7:])),
    *known(
        "graph-in-the-way",
        "A leaf that requires grad may not be changed in place while a graph is recorded: switch recording off.",
        ("with torch.no_grad():\n        " + UNIFORM, "with torch.enable_grad():\n        " + UNIFORM),
        ("with torch.no_grad():\n        " + NORMAL, "with torch.enable_grad():\n        " + NORMAL),
    ),
    *known(
        "ready-made",
        "Draw the numbers yourself: a function of torch.nn.init ran.",
        (UNIFORM, "return nn.init.xavier_uniform_(weight)"),
        (NORMAL, 'return nn.init.kaiming_normal_(weight, nonlinearity="relu")'),
    ),
]
