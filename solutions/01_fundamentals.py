# %% [markdown]
# # 1. Fundamentals: the training pipeline
#
# **You will be able to** choose an activation, a loss and an optimizer, and say why; write them, dropout,
# normalisation and initialisation from plain tensor operations; split data without leaking; and write the
# training loop that later notebooks use.
#
# **You need** Python, a little calculus (the chain rule) and matrix products. **Time:** about 90 minutes.

# %%
import copy
import math
import os

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dlcourse import check, once_answered
from dlcourse.data import mnist, to_float
from dlcourse.plotting import COLORS, plot_confusion_matrix, plot_history, use_style
from dlcourse.training import fit, pick_device, predict, profile, set_seed

use_style()

# %% [markdown]
# ## 1. Where you work
#
# The notebooks run unchanged in Colab, on your own machine and on a build server, with a GPU or without.
# The *profile* follows the device: on a GPU the networks train longer, on more data.
#
# Memory is the first limit. A float32 number takes 4 bytes; a weight under Adam takes 16 (itself, its
# gradient, two moments).

# %% tags=["demo"]
device = pick_device()
print(f"torch {torch.__version__}, device {device}, profile {profile()}, {os.cpu_count()} CPU cores")
if device.type == "cuda":
    free, total = torch.cuda.mem_get_info()
    print(f"memory of the GPU: {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
megabytes = 10_000 * 28 * 28 / 1e6
print(f"10,000 digits as uint8: {megabytes:.0f} MB, as float32: {4 * megabytes:.0f} MB")

# %% [markdown]
# ### Reproducible, within limits
#
# Initial weights, shuffling and dropout are random. `set_seed` fixes the generators of Python, NumPy and
# torch, so you get the same run twice **on the same machine with the same versions**. Do not trust a
# difference that one seed shows: repeat with several.

# %% tags=["demo"]
set_seed(1)
first = torch.rand(3)
print(first, torch.rand(3))  # the generator moves on
set_seed(1)
print(torch.equal(first, torch.rand(3)))

# %% [markdown]
# ## 2. What deep learning is
#
# In classic machine learning a person invents **features**, and an algorithm weighs them. A deep network
# learns its features too, layer upon layer, by gradient descent.
#
# Is a point inside a circle? A linear classifier gets the coordinates, or one clever feature. The network
# has to find something like it.

# %% tags=["demo"]
set_seed(0)
points = 4 * torch.rand(1000, 2) - 2
inside = (points.square().sum(1) < 2).long()
radius = points.square().sum(1, keepdim=True)  # the feature that a person would invent
contestants = {
    "linear, coordinates": (nn.Linear(2, 2), points),
    "linear, squared radius": (nn.Linear(1, 2), radius),
    "network, coordinates": (nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2)), points),
}
for name, (model, features) in contestants.items():
    fit(model, (features[:700], inside[:700]), epochs=60, lr=0.02, progress=False)
    right = (predict(model, features[700:]).argmax(1) == inside[700:]).float().mean()
    print(f"{name:24} {100 * right:.0f} % right on new points")

# %% [markdown]
# **Universal approximation.** One hidden layer with enough units can come as close as you like to any
# continuous function on a bounded region (Cybenko 1989; Leshno et al. 1993: any activation but a
# polynomial). Such weights *exist*: that is all it says. Not how many units it takes, nor that training
# finds the weights, nor that new data are predicted well.

# %% tags=["demo"]
x = torch.linspace(-3, 3, 200).unsqueeze(1)
y = torch.sin(2 * x) + 0.3 * x
_, ax = plt.subplots(figsize=(6, 3))
ax.plot(x, y, color="0.6", linewidth=4, label="the function")
for units, color, style in zip((2, 5, 50), COLORS, ("-", "--", "-."), strict=False):
    set_seed(0)
    net = nn.Sequential(nn.Linear(1, units), nn.ReLU(), nn.Linear(units, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(600):
        loss = F.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ax.plot(x, net(x).detach(), color=color, linestyle=style, label=f"{units} hidden units")
ax.set(xlabel="x (no unit)", ylabel="output (no unit)", title="One hidden layer of ReLUs")
ax.legend(fontsize="small")
plt.show()

# %% [markdown]
# *Figure:* A wavy function and three networks fitted to it, each a chain of straight pieces. Two units
# miss the waves, five catch the one in the middle, fifty follow nearly every bend.

# %% [markdown]
# ### Forward and backward
#
# A layer computes $z=Wx+b$ and $a=\varphi(z)$. The loss $L$ compares the last output with the target. The
# backward pass is the chain rule, from the loss back to each weight:
#
# $$\frac{\partial L}{\partial z}=\frac{\partial L}{\partial a}\,\varphi'(z),\qquad
# \frac{\partial L}{\partial W}=\frac{\partial L}{\partial z}\,x^\top,\qquad
# \frac{\partial L}{\partial x}=W^\top\frac{\partial L}{\partial z}.$$

# %% tags=["demo"]
_, ax = plt.subplots(figsize=(8, 2))
boxes = ["x", "z = Wx + b", "a = φ(z)", "loss L(a, y)"]
gradients = ["∂L/∂x = Wᵀ ∂L/∂z", "∂L/∂z = ∂L/∂a · φ′(z)", "∂L/∂a"]
for place, text in enumerate(boxes):
    ax.text(3 * place, 0, text, ha="center", va="center", bbox={"boxstyle": "round,pad=0.5", "fc": "0.95"})
for place, text in enumerate(gradients):
    for height, start, end, color in ((0.25, 0.8, 2.2, COLORS[0]), (-0.25, 2.2, 0.8, COLORS[1])):
        ends = {"xy": (3 * place + end, height), "xytext": (3 * place + start, height)}
        ax.annotate("", **ends, arrowprops={"arrowstyle": "->", "color": color, "linewidth": 2})
    ax.text(3 * place + 1.5, -0.75, text, ha="center", color=COLORS[1])
ax.text(4.5, 0.75, "forward: compute and remember", ha="center", color=COLORS[0])
ax.text(3, -1.15, "at z: ∂L/∂W = ∂L/∂z xᵀ", ha="center", color=COLORS[1])
ax.set(xlim=(-1, 10), ylim=(-1.3, 1))
ax.axis("off")
plt.show()

# %% [markdown]
# *Figure:* Four boxes: input x, z = Wx + b, a = φ(z), loss. Arrows on top run forward; arrows below run
# back from the loss, each labelled with the gradient that it carries.

# %% [markdown]
# One neuron by hand: $x=2$, $w=0.5$, $b=0$, sigmoid, $L=(a-1)^2$. Forward: $z=1$, $a=0.7311$, $L=0.0723$.
# Backward: $2(a-1)=-0.5379$, times $a(1-a)=0.1966$, times $x=2$: the gradient of $w$ is $-0.2115$.
# Autograd does the same:

# %% tags=["demo"]
w = torch.tensor(0.5, requires_grad=True)
activation = torch.sigmoid(w * 2)
loss = (activation - 1) ** 2
loss.backward()
print(f"a = {activation.item():.4f}, L = {loss.item():.4f}, gradient of w = {w.grad.item():.4f}")

# %% [markdown]
# **The training loop** repeats five steps for each batch: forward, loss, forget the old gradients,
# backward, update. A pass over all training data is an *epoch*. You will write it in section 10, after
# its parts.

# %% [markdown]
# ## 3. Activations
#
# Without a non-linearity, two layers are one: $W_2(W_1x)=(W_2W_1)x$. The activation $\varphi$ makes depth
# worth something. Its derivative decides what comes back: each layer multiplies the gradient by
# $\varphi'(z)$.

# %% tags=["demo"]
functions = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "ReLU": F.relu,
    "leaky ReLU (0.1)": lambda z: F.leaky_relu(z, 0.1),
    "ELU": F.elu, "GELU": F.gelu, "softplus": F.softplus, "SiLU": F.silu,
}  # fmt: skip
z = torch.linspace(-4, 4, 401, requires_grad=True)
_, axes = plt.subplots(2, 4, figsize=(10, 4.6), sharex=True, sharey=True)
for ax, (name, function) in zip(axes.flat, functions.items(), strict=True):
    value = function(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    ax.plot(z.detach(), value.detach(), color=COLORS[0], label="φ(z)")
    ax.plot(z.detach(), slope, color=COLORS[1], linestyle="--", label="φ′(z)")
    ax.set(title=name, ylim=(-1.5, 3))
    ax.axhline(0, color="0.7", linewidth=0.8)
axes[0, 0].legend(fontsize="small")
for ax in axes[1]:
    ax.set_xlabel("z (no unit)")
for ax in axes[:, 0]:
    ax.set_ylabel("value (no unit)")
plt.show()

# %% [markdown]
# *Figure:* Eight activations (solid) and their derivatives (dashed). The derivative of the sigmoid peaks
# at 0.25, that of tanh at 1; both fall to zero on either side. ReLU's is 0, then 1. ELU, GELU, softplus
# and SiLU are smooth; GELU and SiLU dip below zero.

# %% [markdown]
# | activation | good | bad | for |
# |---|---|---|---|
# | sigmoid | between 0 and 1 | gradient at most 1/4 | gates, one probability |
# | tanh | centred on 0 | saturates | recurrent states |
# | ReLU | cheap, gradient 1 | units may die | MLPs, CNNs |
# | leaky ReLU, ELU | no dead units | one more choice | when units die |
# | GELU, SiLU | smooth, strong | dearer | transformers, modern CNNs |
# | softplus | positive, smooth | dearer | variances, rates |

# %% [markdown]
# **Vanishing gradients.** The derivatives of ten sigmoid layers multiply to at most
# $0.25^{10}\approx10^{-6}$: the first layers hardly learn. **Dead units.** A ReLU whose input is negative
# for all data gets no gradient, ever.

# %% [markdown]
# **Overflow.** In float32 `exp(89)` is infinity, and infinity over infinity is NaN. What is right on
# paper may fail on a machine:

# %% tags=["demo"]
for z in (torch.tensor(10.0), torch.tensor(100.0)):
    print(torch.exp(z), torch.exp(z) / (1 + torch.exp(z)))

# %% [markdown]
# ### Exercise: eight activations
# **2 points · about 12 minutes.** Write the eight functions from elementary operations of torch.
#
# - `sigmoid(x)`, `tanh(x)`, `relu(x)`, `leaky_relu(x, negative_slope=0.01)`, `elu(x, alpha=1.0)`,
#   `gelu(x)`, `softplus(x)`, `silu(x)`, for float tensors of any shape; `x` itself stays as it is.
# - Allowed: `exp`, `expm1`, `log`, `log1p`, `logsumexp`, `erf`, `where`, `clamp`, `maximum`, arithmetic
#   and the like, and your own functions. Not allowed: torch's own activations, however reached
#   (`torch.sigmoid`, `x.tanh()`, `F.relu`, `nn.GELU`, `softmax`, ...).
# - `elu` is $x$ for $x>0$, else $\alpha(e^x-1)$; `silu` is $x\,\sigma(x)$; `softplus` is $\log(1+e^x)$.
#   `gelu` is the exact form, $\tfrac12x\,(1+\mathrm{erf}(x/\sqrt2))$.
# - All eight give right, finite values at ±1000. Gradients flow (but are not asked for at ±1000).
#
# <details><summary>Hint</summary>exp(-1000) is a harmless 0, and so is 1/(1 + inf). For softplus, take
# the larger of x and 0 out of the logarithm: the exponential that is left cannot overflow.</details>

# %% exercise="activations"
def sigmoid(x):
    # BEGIN SOLUTION
    return 1 / (1 + torch.exp(-x))  # exp may become infinite here: 1 / inf is 0, as it should be
    # END SOLUTION


def tanh(x):
    # BEGIN SOLUTION
    return 2 / (1 + torch.exp(-2 * x)) - 1
    # END SOLUTION


def relu(x):
    # BEGIN SOLUTION
    return torch.clamp(x, min=0)
    # END SOLUTION


def leaky_relu(x, negative_slope=0.01):
    # BEGIN SOLUTION
    return torch.where(x > 0, x, negative_slope * x)
    # END SOLUTION


def elu(x, alpha=1.0):
    # BEGIN SOLUTION
    return torch.where(x > 0, x, alpha * torch.expm1(x))
    # END SOLUTION


def gelu(x):
    # BEGIN SOLUTION
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
    # END SOLUTION


def softplus(x):
    # BEGIN SOLUTION
    return torch.clamp(x, min=0) + torch.log1p(torch.exp(-x.abs()))
    # END SOLUTION


def silu(x):
    # BEGIN SOLUTION
    return x / (1 + torch.exp(-x))
    # END SOLUTION

# %% [markdown]
# ### Exercise: questions on activations
# **2 points · about 8 minutes.** Two or three sentences for each.
#
# 1. Why does a network need activations between its layers?
# 2. What are vanishing gradients, and which activations suffer from them? Why?
# 3. Why is ReLU the usual first choice, and what is its weakness?
# 4. Sigmoid or softmax at the output: which for which task?

# %% [markdown] exercise="activation_questions"
# 1. A chain of linear layers is a single linear layer, since $W_2(W_1x)=(W_2W_1)x$. Only a non-linear
#    function in between lets depth add anything, such as a curved decision boundary.
# 2. Backpropagation multiplies one derivative for each layer. Where those are well below 1, the product
#    shrinks exponentially with depth, and early layers stop learning. Sigmoid suffers most (its
#    derivative is at most 0.25), tanh where it saturates (at most 1, close to 0 for large inputs).
# 3. It is cheap, its derivative is 1 for every positive input, so it does not shrink gradients there, and
#    it gives sparse activations. A unit whose input is negative for all data gets no gradient and stays
#    dead; leaky ReLU, ELU or GELU avoid that.
# 4. Sigmoid where each output is a yes or no of its own: binary tasks with one output, multilabel tasks.
#    Softmax where exactly one of several classes is right: its outputs compete and sum to 1. In PyTorch
#    the loss usually applies them, and the model returns logits.

# %% [markdown] rubric="activation_questions"
# **Marking, 2 points.** Half a point for each question.
#
# - 1 (0.5): says that linear layers collapse into one linear map.
# - 2 (0.5): a product of small derivatives over depth (0.25); sigmoid and tanh saturate (0.25).
# - 3 (0.5): gradient 1 on the positive side, or cheap (0.25); dead units (0.25).
# - 4 (0.5): independent yes/no or binary: sigmoid (0.25); one of several: softmax (0.25).

# %% [markdown]
# ## 4. Loss functions
#
# A loss turns predictions $p$ and targets $y$ into one number to lower. For regression, with $n$ entries:
#
# $$\mathrm{MSE}=\frac1n\sum_i(p_i-y_i)^2,\qquad\mathrm{MAE}=\frac1n\sum_i|p_i-y_i|.$$
#
# Squares punish large errors more. The best constant guess shows it: MSE wants the mean, MAE the median.

# %% tags=["demo"]
prices = torch.tensor([1.0, 2.0, 3.0, 4.0, 100.0])
for guess in (prices.mean(), prices.median()):
    print(f"guess {guess:5.1f}: MSE {F.mse_loss(guess.expand(5), prices):7.1f}, "
          f"MAE {F.l1_loss(guess.expand(5), prices):5.1f}")  # fmt: skip

# %% [markdown]
# For classes, the model returns raw scores: **logits** $z$. Cross entropy is minus the log of the
# probability that softmax gives to the right class $y$:
#
# $$L=-\log\frac{e^{z_y}}{\sum_k e^{z_k}}=\log\sum_k e^{z_k}-z_y.$$
#
# By hand, $z=(2,1,-1)$ and $y=0$: $\log(e^2+e+e^{-1})-2=2.349-2=0.349$. The right-hand form is the safe
# one: `logsumexp` takes the largest score out of the sum before `exp`. With one logit and $y$ 0 or 1, the
# binary form is $-y\log\sigma(z)-(1-y)\log(1-\sigma(z))$.

# %% tags=["demo"]
scores = torch.tensor([[2.0, 1.0, -1.0]])
print(f"cross entropy {F.cross_entropy(scores, torch.tensor([0])):.3f}")
print(f"binary, z = 2: y = 1 {F.binary_cross_entropy_with_logits(scores[0, 0], torch.tensor(1.0)):.3f}, "
      f"y = 0 {F.binary_cross_entropy_with_logits(scores[0, 0], torch.tensor(0.0)):.3f}")  # fmt: skip
print("log of softmax at z = (0, 200):", torch.softmax(torch.tensor([0.0, 200.0]), 0).log())

# %% [markdown]
# Two common errors:
#
# - **Softmax before `CrossEntropyLoss`.** The loss applies it itself. Applied twice, it slows all learning.
# - **A silent broadcast.** `(B, 1)` minus `(B,)` is `(B, B)`: every prediction against every target.

# %% tags=["demo"]
pred, target = torch.zeros(3, 1), torch.tensor([1.0, 2.0, 3.0])
print((pred - target).shape, "for three predictions")

# %% [markdown]
# | task | output | loss | target | to show probabilities |
# |---|---|---|---|---|
# | number | 1 | `MSELoss`; `L1Loss` with outliers | float `(B, 1)` | |
# | yes or no | 1 logit | `BCEWithLogitsLoss` | float `(B, 1)` | sigmoid |
# | one of K | K logits | `CrossEntropyLoss` | long `(B,)` | softmax |
# | one of K | K log-probabilities | `NLLLoss` | long `(B,)` | exp |
# | any of K | K logits | `BCEWithLogitsLoss` | float `(B, K)` | sigmoid |

# %% [markdown]
# ### Exercise: four losses
# **3 points · about 15 minutes.** Each returns a scalar tensor that gradients flow through.
#
# - `mse_loss(pred, target)` and `mae_loss(pred, target)`: mean over **all** elements, any shape.
# - `bce_with_logits(logits, target)`: mean over all elements, any shape; `target` float, 0 or 1.
# - These three raise `ValueError`, with both shapes in the message, when the shapes differ (as `(4, 1)`
#   and `(4,)` do).
# - `cross_entropy(logits, target)`: logits `(B, K)`, `target` long `(B,)`; mean over the samples.
# - Right and finite for logits of ±10,000: a wrong guess there costs about 10,000.
# - No loss, softmax, log-softmax or log-sigmoid of torch. `torch.logsumexp` is allowed.
#
# <details><summary>Hint</summary>$-\log\sigma(z)$ is softplus of $-z$, and $-\log(1-\sigma(z))$ is
# softplus of $z$; the safe form of section 3 serves here.</details>

# %% exercise="losses"
def require_same_shape(pred, target):
    """Raise ValueError, rather than broadcast silently."""
    # BEGIN SOLUTION
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ in shape")
    # END SOLUTION


def mse_loss(pred, target):
    # BEGIN SOLUTION
    require_same_shape(pred, target)
    return ((pred - target) ** 2).mean()
    # END SOLUTION


def mae_loss(pred, target):
    # BEGIN SOLUTION
    require_same_shape(pred, target)
    return (pred - target).abs().mean()
    # END SOLUTION


def bce_with_logits(logits, target):
    # BEGIN SOLUTION
    require_same_shape(logits, target)
    softplus_of_logits = torch.clamp(logits, min=0) + torch.log1p(torch.exp(-logits.abs()))
    losses = softplus_of_logits - logits * target
    return losses.mean()
    # END SOLUTION


def cross_entropy(logits, target):
    # BEGIN SOLUTION
    score_of_target = logits.gather(1, target.unsqueeze(1)).squeeze(1)  # (B,)
    losses = torch.logsumexp(logits, dim=1) - score_of_target
    return losses.mean()
    # END SOLUTION

# %% [markdown]
# ### Exercise: which loss?
# **1 point · about 3 minutes.** The model gives raw scores. For each task, put one of
# `"BCEWithLogitsLoss"`, `"CrossEntropyLoss"`, `"MSELoss"`, `"L1Loss"`, `"NLLLoss"` into `loss_choice`:
#
# - `"binary"`: spam or not, one output;
# - `"multiclass"`: which of ten digits is it;
# - `"multilabel"`: which of twenty topics does an article touch, any number of them;
# - `"regression"`: tomorrow's temperature, in data without outliers.

# %% exercise="loss_quiz"
loss_choice = {"binary": None, "multiclass": None, "multilabel": None, "regression": None}
# BEGIN SOLUTION
loss_choice = {
    "binary": "BCEWithLogitsLoss",
    "multiclass": "CrossEntropyLoss",
    "multilabel": "BCEWithLogitsLoss",
    "regression": "MSELoss",
}
# END SOLUTION

# %% [markdown]
# ## 5. Optimizers
#
# With gradient $g$ and learning rate $\eta$, for each weight $p$:
#
# | | update | usual $\eta$ | for |
# |---|---|---|---|
# | SGD | $p\leftarrow p-\eta g$ | tune it | convex problems |
# | momentum | $v\leftarrow\mu v+g,\;p\leftarrow p-\eta v$ | 0.01–0.1 | CNNs |
# | RMSprop | $s\leftarrow\rho s+(1-\rho)g^2,\;p\leftarrow p-\eta g/(\sqrt s+\epsilon)$ | 0.001 | RNNs |
# | Adam | both of these, corrected (see below) | 0.001 | a first try |
# | AdamW | Adam, and $p\leftarrow p-\eta\lambda p$ | 0.0003–0.001 | transformers |

# %% [markdown]
# Rosenbrock's function has a flat, bent valley, with the minimum at (1, 1).

# %% tags=["demo"]
def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def path(make_optimizer, steps=300):
    """The places (steps + 1, 2) that an optimizer visits."""
    p = nn.Parameter(torch.tensor([-1.5, 2.0]))
    optimizer, places = make_optimizer([p]), [p.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        rosenbrock(p).backward()
        optimizer.step()
        places.append(p.detach().clone())
    return torch.stack(places)


paths = {
    "SGD, 0.0005": path(lambda p: torch.optim.SGD(p, lr=0.0005)),
    "momentum, 0.0005": path(lambda p: torch.optim.SGD(p, lr=0.0005, momentum=0.9)),
    "RMSprop, 0.02": path(lambda p: torch.optim.RMSprop(p, lr=0.02)),
    "Adam, 0.1": path(lambda p: torch.optim.Adam(p, lr=0.1)),
    "AdamW, 0.1, decay 0.1": path(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1)),
}

# %% tags=["demo"]
a, b = torch.meshgrid(torch.linspace(-2, 2, 200), torch.linspace(-1, 3, 200), indexing="xy")
_, (ax, right) = plt.subplots(1, 2, figsize=(10, 4))
heights = [1, 5, 20, 80, 300, 1000]
ax.contour(a, b, rosenbrock(torch.stack([a, b])), levels=heights, colors="0.75", linewidths=0.8)
for (name, places), color, style in zip(paths.items(), COLORS, ("-", "--", "-.", ":", "-"), strict=False):
    ax.plot(places[:, 0], places[:, 1], color=color, linestyle=style, linewidth=1.2)
    ax.plot(*places[-1], marker="o", color=color)
    right.plot(rosenbrock(places.T), color=color, linestyle=style, label=name)
ax.plot(1, 1, marker="*", markersize=14, color="black")
ax.set(xlim=(-2, 2), ylim=(-1, 3), xlabel="first weight (no unit)", ylabel="second weight (no unit)")
ax.set_title("Paths; star: the minimum")
right.set(yscale="log", xlabel="step", ylabel="value (no unit)", title="Value (numbers: learning rate)")
right.legend(fontsize="small")
plt.show()

# %% [markdown]
# *Figure:* Left, the paths of five optimizers from (-1.5, 2) through a bent valley. Right, the function's
# value by step, logarithmic. SGD creeps: the steep walls forbid a larger step. With momentum it comes
# much further. RMSprop rattles along at one speed; Adam and AdamW come closest.

# %% [markdown]
# ### Exercise: a step with momentum
# **1 point · about 6 minutes.** `sgd_momentum_step(params, grads, velocities, lr, momentum=0.9)`.
#
# - Three lists of tensors, alike in length and shapes. For each triple $p,g,v$, PyTorch's form:
#   $v\leftarrow\mu v+g$, then $p\leftarrow p-\eta v$. The learning rate is not part of $v$.
# - Change params and velocities *in place*: whoever holds these tensors sees the new values, and the next
#   call gets the same ones. The `grads` stay as they are; the `params` may require grad. Return None.
#
# <details><summary>Hint</summary>`p = p - ...` makes a new tensor and calls it p. In-place methods end in
# an underscore.</details>

# %% exercise="sgd_momentum"
def sgd_momentum_step(params, grads, velocities, lr, momentum=0.9):
    """One step of SGD with momentum, in place."""
    # BEGIN SOLUTION
    with torch.no_grad():  # the parameters may be leaves that require grad
        for p, g, v in zip(params, grads, velocities, strict=True):
            v.mul_(momentum).add_(g)
            p.sub_(lr * v)
    # END SOLUTION

# %% [markdown]
# **Adam** (Kingma & Ba 2015) keeps a running mean of $g$ and of $g^2$. Both start at zero, so they are
# too small at first; in step $t=1,2,\dots$ a division puts that right.
#
# $$m\leftarrow\beta_1m+(1-\beta_1)\,g,\qquad v\leftarrow\beta_2v+(1-\beta_2)\,g^2,$$
# $$\hat m=\frac{m}{1-\beta_1^t},\qquad\hat v=\frac{v}{1-\beta_2^t},\qquad
# p\leftarrow p-\eta\,\frac{\hat m}{\sqrt{\hat v}+\epsilon}.$$

# %% [markdown]
# ### Exercise: Adam
# **2 points · about 12 minutes.** `class Adam`, equal to `torch.optim.Adam` step by step.
#
# - `__init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)`: `params` is any iterable of tensors,
#   also a generator such as `model.parameters()`.
# - `step()` updates all parameters in place from their `.grad`, which it leaves as it is. One whose
#   `.grad` is None is skipped, and *its own* step count stays where it is.
# - `zero_grad()` sets all gradients to None, or to zeros.
# - Nothing of `torch.optim` may run.
#
# <details><summary>Hint</summary>A generator can be read once. Count steps for each parameter.</details>

# %% exercise="adam"
class Adam:
    """Adam, Kingma & Ba 2015."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        # BEGIN SOLUTION
        self.params = list(params)
        self.lr, self.betas, self.eps = lr, betas, eps
        self.steps = [0] * len(self.params)
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]
        # END SOLUTION

    def step(self):
        # BEGIN SOLUTION
        beta1, beta2 = self.betas
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            self.steps[i] += 1
            t, g = self.steps[i], p.grad
            self.m[i] = m = beta1 * self.m[i] + (1 - beta1) * g
            self.v[i] = v = beta2 * self.v[i] + (1 - beta2) * g**2
            m_hat = m / (1 - beta1**t)
            v_hat = v / (1 - beta2**t)
            with torch.no_grad():
                p.sub_(self.lr * m_hat / (torch.sqrt(v_hat) + self.eps))
        # END SOLUTION

    def zero_grad(self):
        # BEGIN SOLUTION
        for p in self.params:
            p.grad = None
        # END SOLUTION

# %% [markdown]
# Yours and torch's, side by side on the same valley:

# %% tags=["demo"]
with once_answered("adam"):
    yours, torchs = path(lambda p: Adam(p, lr=0.1)), paths["Adam, 0.1"]
    print(f"largest distance in 300 steps: {(yours - torchs).abs().max():.1e}")

# %% [markdown]
# ## 6. Initialisation
#
# If all weights start equal, all units of a layer get the same gradient and stay copies of each other. If
# they start too large, activations grow from layer to layer; too small, they die away.
#
# A unit adds up $\mathrm{fan}_{in}$ products, so its variance is $\mathrm{fan}_{in}\,\mathrm{Var}(w)$
# times the mean square of its inputs. To keep the scale:
#
# - **Xavier** (Glorot & Bengio 2010), for tanh: uniform between
#   $\pm\sqrt{6/(\mathrm{fan}_{in}+\mathrm{fan}_{out})}$, a compromise of forward and backward.
# - **Kaiming** (He et al. 2015), for ReLU, which loses half the signal: normal,
#   $\mathrm{std}=\sqrt{2/\mathrm{fan}_{in}}$.
# - **Orthogonal** (Saxe et al. 2014), for recurrent matrices: multiplying keeps all lengths, however
#   often.

# %% tags=["demo"]
schemes = {
    "zeros": nn.init.zeros_,
    "normal, std 1": nn.init.normal_,
    "normal, std 0.01": lambda w: nn.init.normal_(w, std=0.01),
    "Xavier uniform": nn.init.xavier_uniform_,
    "Kaiming normal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}
set_seed(0)
_, axes = plt.subplots(2, 3, figsize=(9, 4))
for ax, (name, scheme), color in zip(axes.flat, schemes.items(), COLORS, strict=False):
    w = scheme(torch.empty(256, 256))
    ax.hist(w.flatten().numpy(), bins=61, color=color)
    ax.set_title(f"{name}: std {w.std():.3f}", fontsize="medium")
for ax in axes[1]:
    ax.set_xlabel("weight (no unit)")
for ax in axes[:, 0]:
    ax.set_ylabel("weights (count)")
plt.show()

# %% [markdown]
# *Figure:* Histograms of 256 × 256 weights under six schemes, each on its own scale: a spike at zero, a
# flat box for Xavier uniform, and bells of standard deviation 1, 0.01, 0.088 (Kaiming) and 0.062
# (orthogonal).

# %% tags=["demo"]
set_seed(0)
signal = torch.randn(512, 256)
_, ax = plt.subplots(figsize=(6.5, 3.4))
for (name, scheme), color, marker in zip(schemes.items(), COLORS, "xosD^v", strict=False):
    hidden, sizes = signal, [1.0]
    for _ in range(10):
        hidden = F.relu(hidden @ scheme(torch.empty(256, 256)).T)
        sizes.append(hidden.square().mean().sqrt().item())
    ax.plot(range(11), [size or None for size in sizes], color=color, marker=marker, label=name)
ax.set(yscale="log", xlabel="layer", ylabel="root mean square (no unit)", title="Ten ReLU layers deep")
ax.legend(fontsize="small", ncols=2)
plt.show()

# %% [markdown]
# *Figure:* Size of the activations over ten ReLU layers, logarithmic. Kaiming stays near 1. Normal with
# standard deviation 1 climbs above 10¹⁰, with 0.01 it sinks below 10⁻⁹. Xavier and orthogonal fall by √2
# a layer, zeros at once.

# %% [markdown]
# ### Exercise: initialisation
# **1 point · about 8 minutes.** `xavier_uniform_(weight)` and `kaiming_normal_(weight)` with the formulas
# above.
#
# - `weight` is that of a Linear, `(out, in)`, or of a convolution, `(out, in, kh, kw)`: there fan_in is
#   `in·kh·kw`, and fan_out `out·kh·kw`.
# - Fill `weight` in place with new random numbers in every call, without a graph (it may require grad),
#   and return it. Nothing of `nn.init`.
#
# <details><summary>Hint</summary>A tensor has the methods `uniform_` and `normal_`. The second takes a
# standard deviation, not a variance.</details>

# %% exercise="initialization"
def xavier_uniform_(weight):
    """Glorot & Bengio 2010."""
    # BEGIN SOLUTION
    receptive_field = math.prod(weight.shape[2:])  # 1 for a Linear
    fan_in = weight.shape[1] * receptive_field
    fan_out = weight.shape[0] * receptive_field
    bound = math.sqrt(6 / (fan_in + fan_out))
    with torch.no_grad():
        return weight.uniform_(-bound, bound)
    # END SOLUTION


def kaiming_normal_(weight):
    """He et al. 2015."""
    # BEGIN SOLUTION
    fan = weight[0].numel()  # all that one output adds up
    std = math.sqrt(2 / fan)
    with torch.no_grad():
        return weight.normal_(0, std)
    # END SOLUTION

# %% [markdown]
# ## 7. Regularisation
#
# A network with more weights than examples can learn them by heart. Regularisation makes that harder.
#
# **Penalties** are added to the loss. L1, $\lambda\sum|w|$, pulls every weight with the same force: small
# ones end at zero. L2, $\lambda\sum w^2$, pulls in proportion: all shrink, none vanishes.

# %% tags=["demo"]
set_seed(0)
inputs = torch.randn(60, 20)
true_weights = torch.zeros(20)
true_weights[[2, 7, 11]] = torch.tensor([2.0, -1.5, 1.0])
outputs = inputs @ true_weights + 0.5 * torch.randn(60)
penalties = {
    "none": lambda w: 0.0,
    "L1, λ = 0.3": lambda w: 0.3 * w.abs().sum(),
    "L2, λ = 0.3": lambda w: 0.3 * (w**2).sum(),
}
_, axes = plt.subplots(1, 3, figsize=(9, 2.6), sharey=True)
for ax, (name, penalty), color in zip(axes, penalties.items(), COLORS, strict=False):
    w = torch.zeros(20, requires_grad=True)
    for _ in range(400):
        loss = F.mse_loss(inputs @ w, outputs) + penalty(w)
        (slope,) = torch.autograd.grad(loss, w)
        w = (w - 0.02 * slope).detach().requires_grad_()
    ax.bar(range(20), w.tolist(), color=color)
    ax.set(title=f"{name}: {(w.abs() > 0.02).sum()} above 0.02", xlabel="input (number)")
axes[0].set_ylabel("weight (no unit)")
plt.show()

# %% [markdown]
# *Figure:* Twenty fitted weights, of which three should not be zero. Without a penalty nearly all inputs
# get some weight. L1 leaves the three, a little shrunk. L2 shrinks these too, and keeps the noise.

# %% [markdown]
# **L2 is not weight decay, in Adam.** In plain SGD the two are the same thing. Adam divides the gradient,
# the penalty's share included, by its usual size: weights with large gradients hardly decay. AdamW
# shrinks the weights in a step of its own (Loshchilov & Hutter 2019).
# `torch.optim.Adam(weight_decay=...)` is L2.

# %% tags=["demo"]
_, ax = plt.subplots(figsize=(6.5, 3))
optimizers = {"L2 in Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW}
for (name, make), style in zip(optimizers.items(), ("-", "--"), strict=True):
    set_seed(0)
    w = nn.Parameter(torch.ones(2))
    optimizer, history = make([w], lr=1e-3, weight_decay=0.5), []
    for _ in range(1000):
        w.grad = torch.randn(2) * torch.tensor([0.1, 10.0])  # noise without direction, small and large
        optimizer.step()
        history.append(w.tolist())
    for index, size in enumerate(("small", "large")):
        values = [entry[index] for entry in history]
        ax.plot(values, color=COLORS[index], linestyle=style, label=f"{name}, {size} gradients")
ax.set(xlabel="step", ylabel="weight (no unit)", title="Two weights that only decay should move")
ax.legend(fontsize="small")
plt.show()

# %% [markdown]
# *Figure:* Two weights with gradients that are pure noise, over 1,000 steps. With L2 in Adam the weight
# with small gradients falls to 0.27, the one with large gradients stays at 0.92. With AdamW both fall
# alike, to 0.6.

# %% [markdown]
# ### Exercise: penalties
# **1 point · about 4 minutes.** `l1_penalty(model, lam)` and `l2_penalty(model, lam)`: $\lambda\sum|w|$
# and $\lambda\sum w^2$ over **all** parameters of the model, biases too, as a scalar tensor whose
# gradients reach the parameters. L2 has no square root.

# %% exercise="regularization"
def l1_penalty(model, lam):
    # BEGIN SOLUTION
    return lam * sum(p.abs().sum() for p in model.parameters())
    # END SOLUTION


def l2_penalty(model, lam):
    # BEGIN SOLUTION
    return lam * sum((p**2).sum() for p in model.parameters())
    # END SOLUTION

# %% [markdown]
# **Dropout** (Srivastava et al. 2014) sets each activation to zero with probability $p$ in training, so
# that no unit can rely on another. What is kept is divided by $1-p$: the expected value stays, and in
# evaluation there is nothing to do. This is the *inverted* form, PyTorch's.

# %% tags=["demo"]
set_seed(0)
layer, ones = nn.Dropout(0.4), torch.ones(2, 8)
print("train:", layer.train()(ones))
print("eval: ", layer.eval()(ones))

# %% [markdown]
# ### Exercise: dropout
# **1 point · about 8 minutes.** `class Dropout(nn.Module)` with `__init__(self, p=0.5)`.
#
# - Training: every element is dropped by itself with probability `p`, anew for each sample and each call;
#   the others become `x / (1 - p)`. Evaluation: `x` unchanged.
# - `p=0` drops nothing, `p=1` gives zeros, no NaN. `p` outside [0, 1] raises `ValueError` when the layer
#   is made.
# - Any shape and float dtype; `x` itself stays as it is. No dropout of torch.
#
# <details><summary>Hint</summary>Every `nn.Module` knows `self.training`. What is 0/0?</details>

# %% exercise="dropout"
class Dropout(nn.Module):
    """Inverted dropout, Srivastava et al. 2014."""

    def __init__(self, p=0.5):
        # BEGIN SOLUTION
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p is a probability, between 0 and 1, not {p}")
        self.p = p
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        if not self.training:
            return x
        if self.p == 1:
            return torch.zeros_like(x)  # there is nothing to rescale
        keep = torch.rand_like(x) >= self.p
        return torch.where(keep, x / (1 - self.p), 0.0)
        # END SOLUTION

# %% [markdown]
# ## 8. Normalisation
#
# Normalising subtracts a mean, divides by a standard deviation, then applies a learned `weight` and
# `bias`. The kinds differ in *what the mean is taken over*.

# %% tags=["demo"]
groups = {"batch norm": lambda n, c: c, "layer norm": lambda n, c: n, "instance norm": lambda n, c: 6 * n + c,
          "group norm (2 groups)": lambda n, c: 2 * n + c // 3}  # fmt: skip
_, axes = plt.subplots(1, 4, figsize=(10, 2.7), sharey=True)
for ax, (name, group) in zip(axes, groups.items(), strict=True):
    for n in range(4):
        for c in range(6):
            chosen = group(n, c) == group(1, 2)
            face, hatch = (COLORS[0], "//") if chosen else ("0.93", "")
            ax.add_patch(plt.Rectangle((c - 0.5, n - 0.5), 1, 1, fc=face, ec="white", hatch=hatch))
    ax.set(title=name, xlim=(-0.5, 5.5), ylim=(3.5, -0.5), xlabel="channel (number)", aspect="equal")
    ax.grid(False)
axes[0].set_ylabel("sample (number)")
plt.show()

# %% [markdown]
# *Figure:* Four grids of 4 samples and 6 channels; for images, a cell holds all pixels of a channel.
# Hatched is what shares one mean and variance. Batch norm: a column. Layer norm: a row. Instance norm:
# one cell. Group norm: half a row.

# %% [markdown]
# **Batch norm** (Ioffe & Szegedy 2015) mixes samples in training; in evaluation it uses running averages.
# Two details that many get wrong:
#
# - the batch is normalised by its *biased* variance (divide by $B$); the running variance averages the
#   *unbiased* one (divide by $B-1$);
# - PyTorch's `momentum` $m$ is the weight of the **new** value: $r\leftarrow(1-m)\,r+m\,s$.

# %% [markdown]
# ### Exercise: batch norm
# **2 points · about 12 minutes.** `class BatchNorm1d(nn.Module)` with `__init__(self, num_features,
# eps=1e-5, momentum=0.1)`, equal to `nn.BatchNorm1d` for inputs `(B, F)` with B ≥ 2.
#
# - Parameters `weight` (ones) and `bias` (zeros); **buffers** `running_mean` (zeros) and `running_var`
#   (ones), all `(F,)`. `eps` stands inside the root.
# - Training: normalise by the batch, and update the running values, without a graph. Evaluation:
#   normalise by the running values, and leave them alone.
# - No batch-norm call of torch.
#
# <details><summary>Hint</summary>`register_buffer` makes a tensor part of the state without training it.
# `var` takes `correction=0` or `1`.</details>

# %% exercise="batch_norm"
class BatchNorm1d(nn.Module):
    """Batch normalisation, Ioffe & Szegedy 2015."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        # BEGIN SOLUTION
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        if self.training:
            mean = x.mean(dim=0)
            var = x.var(dim=0, correction=0)
            with torch.no_grad():
                unbiased_var = x.var(dim=0, correction=1)
                self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)
                self.running_var.mul_(1 - self.momentum).add_(self.momentum * unbiased_var)
        else:
            mean, var = self.running_mean, self.running_var
        normalised = (x - mean) / torch.sqrt(var + self.eps)
        return self.weight * normalised + self.bias
        # END SOLUTION

# %% [markdown]
# **Layer norm** (Ba et al. 2016) looks at one sample only: no running averages, the same in training and
# evaluation, any batch size. Transformers use it.

# %% [markdown]
# ### Exercise: layer norm
# **1 point · about 5 minutes.** `layer_norm(x, weight, bias, eps=1e-5)`: normalise over the **last**
# dimension, for `x` `(..., D)` with any leading dimensions; `weight` and `bias` `(D,)`. Biased variance,
# `eps` inside the root. No layer-norm call of torch.

# %% exercise="layer_norm"
def layer_norm(x, weight, bias, eps=1e-5):
    """Layer normalisation over the last dimension, Ba et al. 2016."""
    # BEGIN SOLUTION
    mean = x.mean(dim=-1, keepdim=True)
    var = x.var(dim=-1, keepdim=True, correction=0)
    normalised = (x - mean) / torch.sqrt(var + eps)
    return weight * normalised + bias
    # END SOLUTION

# %% [markdown]
# ## 9. Learning-rate schedules
#
# Large steps early, small ones late. *Warm-up* starts small, because Adam's averages mean little at
# first. Most schedules are stepped once an **epoch**, some (one cycle) once a **batch**: mixed up, the
# rate falls far too early.

# %% tags=["demo"]
schedules = torch.optim.lr_scheduler
makers = {
    "step": lambda o: schedules.StepLR(o, step_size=15, gamma=0.3),
    "exponential": lambda o: schedules.ExponentialLR(o, gamma=0.93),
    "cosine": lambda o: schedules.CosineAnnealingLR(o, T_max=50),
    "warm restarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, T_0=17),
    "one cycle": lambda o: schedules.OneCycleLR(o, max_lr=0.1, total_steps=51),
    "on plateau": lambda o: schedules.ReduceLROnPlateau(o, factor=0.3, patience=4),
}
_, axes = plt.subplots(2, 3, figsize=(9, 3.8), sharex=True, sharey=True)
for ax, (name, make), color in zip(axes.flat, makers.items(), COLORS, strict=False):
    optimizer, rates = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1), []
    schedule = make(optimizer)
    for epoch in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([max(1 - epoch / 15, 0.0)] if name == "on plateau" else []))  # a loss that stalls
    ax.plot(rates, color=color)
    ax.set_title(name, fontsize="medium")
axes[0, 0].set_ylabel("learning rate")
axes[1, 0].set(ylabel="learning rate", xlabel="epoch")
plt.show()

# %% [markdown]
# *Figure:* Six schedules over 50 epochs with a top rate of 0.1: steps by a factor of 0.3; an exponential
# fall; half a cosine; a cosine that jumps back every 17 epochs; one cycle up and down; a rate that is cut
# whenever a made-up loss stalls.

# %% [markdown]
# ### Exercise: cosine with warm-up
# **1 point · about 6 minutes.** `cosine_lr(epoch, max_epochs, lr_max, lr_min=0.0, warmup_epochs=0)`
# returns the rate of an epoch, counted from 0. With $W$ = `warmup_epochs`, less than `max_epochs`:
#
# - epoch < W: `lr_max * (epoch + 1) / W`;
# - from W on: half a cosine, with `lr_max` at epoch W and `lr_min` at epoch `max_epochs`;
# - after `max_epochs`: `lr_min`.
#
# <details><summary>Hint</summary>Which share of the way from W to max_epochs is done? A cosine falls from
# 1 to -1 between 0 and π.</details>

# %% exercise="lr_schedule"
def cosine_lr(epoch, max_epochs, lr_max, lr_min=0.0, warmup_epochs=0):
    """Linear warm-up, then cosine decay. Loshchilov & Hutter 2017."""
    # BEGIN SOLUTION
    if epoch < warmup_epochs:
        return lr_max * (epoch + 1) / warmup_epochs
    if epoch >= max_epochs:
        return lr_min
    progress = (epoch - warmup_epochs) / (max_epochs - warmup_epochs)
    height = 0.5 * (1 + math.cos(math.pi * progress))  # from 1 down to 0
    return lr_min + (lr_max - lr_min) * height
    # END SOLUTION

# %% [markdown]
# ## 10. Data, the loop, and when to stop
#
# Three parts: **train** for the weights, **validation** for choices (architecture, learning rate, when to
# stop), **test** once, at the end. Whatever is fitted (means, chosen features, vocabularies) is fitted on
# train alone. If the test set gets into training, that is **leakage**, and the score is a fantasy.

# %% [markdown]
# Here is pure noise with random labels, so nobody can beat 50 %. Choosing the 20 "best" of 2,000 columns
# on *all* rows seems to:

# %% tags=["demo"]
set_seed(0)
noise, coin = torch.randn(200, 2000), torch.randint(0, 2, (200,))


def accuracy_with_columns(rows):
    """Choose 20 columns by looking at `rows`; fit on the first 100 rows, test on the others."""
    gap = noise[rows][coin[rows] == 1].mean(0) - noise[rows][coin[rows] == 0].mean(0)
    best = gap.abs().topk(20).indices
    score = noise[100:, best] @ gap[best].sign()
    return 100 * ((score > 0).long() == coin[100:]).float().mean()


print(f"columns chosen on all rows:      {accuracy_with_columns(slice(0, 200)):.0f} %")
print(f"columns chosen on training rows: {accuracy_with_columns(slice(0, 100)):.0f} %")

# %% [markdown]
# ### Exercise: split and standardise
# **1 point · about 10 minutes.**
#
# `split_indices(n, fractions=(0.7, 0.15, 0.15), seed=42)` returns three long tensors, shuffled, which
# together hold every number of `range(n)` once. The first two have `int(fraction * n)` entries, the third
# the rest.
#
# - The same seed gives the same split, another seed another one. The *global* random generators (torch,
#   NumPy, Python) stay untouched.
# - Fractions whose sum is not 1 within 1e-6 raise `ValueError`.
#
# `standardize(train, *others)` subtracts column means and divides by column standard deviations
# (correction 0 or 1), all from `train` **alone**, and returns a tuple with a new tensor for each argument;
# the arguments stay as they are. Tensors are `(N, F)` or `(N,)`.
#
# - A column that is constant in `train` (its maximum equals its minimum) is only centred, in every part.
#
# <details><summary>Hint</summary>`torch.Generator` has a seed of its own. The standard deviation of 30
# copies of 0.1 is not exactly 0, because their computed mean is not exactly 0.1.</details>

# %% exercise="data_split"
def split_indices(n, fractions=(0.7, 0.15, 0.15), seed=42):
    """Indices for training, validation and test: three disjoint, shuffled long tensors."""
    # BEGIN SOLUTION
    if abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"the fractions {fractions} do not sum to 1")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n, generator=generator)
    n_train, n_val = int(fractions[0] * n), int(fractions[1] * n)
    return order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val :]
    # END SOLUTION


def standardize(train, *others):
    """Centre and scale every part by the statistics of `train`; return a tuple."""
    # BEGIN SOLUTION
    mean = train.mean(dim=0)
    std = train.std(dim=0)
    constant = train.amax(dim=0) == train.amin(dim=0)
    std = torch.where(constant, 1.0, std)
    return tuple((part - mean) / std for part in (train, *others))
    # END SOLUTION

# %% [markdown]
# A **loader** hands out batches: `TensorDataset` pairs inputs with targets, `DataLoader` cuts and
# shuffles. The last batch may be smaller, so the mean of batch means is *not* the mean over samples.

# %% tags=["demo"]
digits = mnist()
images, labels = to_float(digits.train_images[:3000]), digits.train_labels[:3000]
few = TensorDataset(images[:400], labels[:400])  # little to learn from, so that overfitting shows
train_loader = DataLoader(few, batch_size=64, shuffle=True)
val_loader = DataLoader(TensorDataset(images[2000:], labels[2000:]), batch_size=256)
print(digits.source, [len(inputs) for inputs, _ in train_loader])

# %% [markdown]
# ### Exercise: the training loop
# **3 points · about 15 minutes.** All later notebooks use these two.
#
# - `train_epoch(model, loader, criterion, optimizer, device)` makes one step for each batch `(inputs,
#   targets)`, and returns `(loss, accuracy)`, measured before each step.
# - `evaluate(model, loader, criterion, device)` returns `(loss, accuracy, predictions, targets)`: the
#   last two are 1-D long tensors on the CPU, in the loader's order. It builds no graph.
# - Loss: a number, the mean over *samples*. `criterion` gives the mean of its batch. Accuracy: in
#   percent. Logits are `(B, K)`, targets long `(B,)`.
# - Each sets the mode that it needs (`train` or `eval`), and moves batches to `device`.
#
# <details><summary>Hint</summary>Weigh each batch's loss by its size. `loss.item()` is a number; the
# tensor would keep the graph alive.</details>

# %% exercise="training_loop"
def train_epoch(model, loader, criterion, optimizer, device):
    """One epoch of training; mean loss over samples, accuracy in percent."""
    # BEGIN SOLUTION
    model.train()
    total_loss, correct, count = 0.0, 0, 0
    for inputs, targets in loader:
        inputs, targets = inputs.to(device), targets.to(device)
        logits = model(inputs)
        loss = criterion(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total_loss += loss.item() * len(targets)
        correct += (logits.argmax(dim=1) == targets).sum().item()
        count += len(targets)
    return total_loss / count, 100 * correct / count
    # END SOLUTION


def evaluate(model, loader, criterion, device):
    """Mean loss over samples, accuracy in percent, predictions and targets."""
    # BEGIN SOLUTION
    model.eval()
    total_loss, predictions, all_targets = 0.0, [], []
    with torch.no_grad():
        for inputs, targets in loader:
            inputs, targets = inputs.to(device), targets.to(device)
            logits = model(inputs)
            total_loss += criterion(logits, targets).item() * len(targets)
            predictions.append(logits.argmax(dim=1).cpu())
            all_targets.append(targets.cpu())
    predictions, all_targets = torch.cat(predictions), torch.cat(all_targets)
    accuracy = 100 * (predictions == all_targets).double().mean().item()
    return total_loss / len(all_targets), accuracy, predictions, all_targets
    # END SOLUTION

# %% [markdown]
# ### When to stop
#
# Training loss keeps falling; validation loss turns. **Early stopping** keeps the weights of the best
# epoch, and stops when nothing better has come for a while. A trap: `state_dict()` hands out the very
# tensors that training goes on changing, not copies.

# %% [markdown]
# ### Exercise: early stopping
# **1 point · about 8 minutes.** `class EarlyStopping` with `__init__(self, patience=7, min_delta=0.0,
# restore_best_weights=True)`. The training loop calls it once an epoch: `stopper(val_loss, model)`.
#
# - An *improvement* is lower than `best_loss` by **more** than `min_delta`. The first number is one; NaN
#   never is.
# - On an improvement `best_loss` takes the new value, `counter` becomes 0 and the weights are remembered.
#   Otherwise `counter` grows by 1 and `best_loss` stays.
# - It returns True once `counter` has reached `patience`, else False. With True, and
#   `restore_best_weights`, the model gets its best weights back (if there was no improvement ever, it
#   keeps its own).
# - At first, `best_loss` is None or infinity, and `counter` 0.
#
# <details><summary>Hint</summary>Every comparison with NaN is False. Ask "is it better?", not "is it
# worse?".</details>

# %% exercise="early_stopping"
class EarlyStopping:
    """Stop when the validation loss has not improved for `patience` calls in a row."""

    def __init__(self, patience=7, min_delta=0.0, restore_best_weights=True):
        # BEGIN SOLUTION
        self.patience, self.min_delta = patience, min_delta
        self.restore_best_weights = restore_best_weights
        self.best_loss, self.best_weights = math.inf, None
        self.counter = 0
        # END SOLUTION

    def __call__(self, val_loss, model):
        # BEGIN SOLUTION
        if val_loss < self.best_loss - self.min_delta:
            self.best_loss = val_loss
            self.best_weights = copy.deepcopy(model.state_dict())
            self.counter = 0
        else:
            self.counter += 1
        stop = self.counter >= self.patience
        if stop and self.restore_best_weights and self.best_weights is not None:
            model.load_state_dict(self.best_weights)
        return stop
        # END SOLUTION

# %% [markdown]
# Your loop and your stopping on 400 digits:

# %% tags=["demo"]
set_seed(0)
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
optimizer, criterion = torch.optim.Adam(net.parameters(), lr=3e-3), nn.CrossEntropyLoss()
with once_answered("early_stopping"):
    stopper = EarlyStopping(patience=10)
    with once_answered("training_loop"):
        curves = []
        for _ in range(60):
            train_loss, _ = train_epoch(net, train_loader, criterion, optimizer, device)
            val_loss = evaluate(net, val_loader, criterion, device)[0]
            curves.append((train_loss, val_loss))
            if stopper(val_loss, net):
                break
        _, ax = plt.subplots(figsize=(6, 3))
        for column, name in enumerate(("train", "validation")):
            values = [pair[column] for pair in curves]
            ax.plot(range(1, len(values) + 1), values, label=name)
        best = min(range(len(curves)), key=lambda i: curves[i][1])
        ax.axvline(best + 1, color="0.6", label=f"best epoch: {best + 1}")
        ax.set(xlabel="epoch", ylabel="cross entropy (nats)", title="Stopped when nothing better came")
        ax.legend()
        plt.show()
        print(f"validation accuracy {evaluate(net, val_loader, criterion, device)[1]:.1f} %")

# %% [markdown]
# *Figure:* Training and validation loss by epoch. The training loss falls to nearly 0. The validation
# loss is lowest in the marked epoch and then creeps up; ten epochs later training stops, and the weights
# of the marked epoch come back.

# %% [markdown]
# Later notebooks use `fit` of `dlcourse.training`: the same loop, with a history for plots.

# %% tags=["demo"]
set_seed(0)
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
history = fit(net, (images[:2000], labels[:2000]), (images[2000:], labels[2000:]), epochs=8, progress=False)
plot_history(history)
plt.show()

# %% [markdown]
# *Figure:* Loss and accuracy by epoch. Both losses fall and both accuracies rise; the validation curves
# flatten first.
#
# A **confusion matrix** shows which classes are taken for which: rows are true classes, columns
# predictions.

# %% tags=["demo"]
predictions = predict(net, images[2000:]).argmax(1)
print(f"validation accuracy {100 * (predictions == labels[2000:]).float().mean():.1f} %")
counts, *_ = np.histogram2d(labels[2000:], predictions, bins=range(11))
plot_confusion_matrix(counts.astype(int), digits.classes)
plt.show()

# %% [markdown]
# *Figure:* Confusion matrix of 1,000 validation digits. Nearly all stand on the diagonal. The most common
# errors are pairs that look alike, such as 5 taken for 3 and 9 for 7.

# %% [markdown]
# ## Summary
#
# 1. A network alternates linear maps and activations; the chain rule carries the loss back to every
#    weight.
# 2. Formulas need safe forms: logits go into the loss, `logsumexp` instead of logarithms of softmax.
# 3. Adam is momentum with a step size for each weight, both corrected for their start; decay belongs
#    outside (AdamW).
# 4. Initialisation and normalisation keep signals at one scale; dropout and batch norm change in
#    evaluation.
# 5. Fit everything on the training part, choose on validation, test once, and keep a *copy* of the best
#    weights.
#
# **To think about**
#
# 1. Batch norm with a batch of one: what happens in training? Why is layer norm not troubled?
# 2. Adam's first step is equally long whatever the size of the gradient. Why?
# 3. You stopped early by the validation loss. Why may the validation accuracy be too good to report?
#
# **Further reading**
#
# - Goodfellow, Bengio & Courville, *Deep learning* (2016), chapters 6 to 8
# - Glorot & Bengio, *Understanding the difficulty of training deep feedforward neural networks* (2010)
# - He et al., *Delving deep into rectifiers* (2015); Kingma & Ba, *Adam* (2015)
# - Srivastava et al., *Dropout* (2014); Ioffe & Szegedy, *Batch normalization* (2015); Ba et al., *Layer
#   normalization* (2016)
# - Loshchilov & Hutter, *Decoupled weight decay regularization* (2019)
