# %% [markdown]
# # 5. LSTM and GRU: networks with gates
#
# **You will be able to** write an LSTM cell and a GRU cell by hand, count their parameters, read gates over
# time, forecast a series better than its last value does, and tell whether a review sentence is kind or
# not.
#
# **You need** notebook 4. **Time:** about 90 minutes.

# %%
import math
import re
import time
from collections import Counter

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from dlcourse import check, once_answered
from dlcourse.data import movie_reviews, two_sines
from dlcourse.plotting import COLORS, use_style
from dlcourse.training import fit, predict, set_seed

use_style()

# %% [markdown]
# ## 1. Why gates?
#
# A plain RNN computes its whole state anew at every step: $h_t = \tanh(W_x x_t + W_h h_{t-1} + b)$. What it
# knew is squeezed through a matrix and a tanh each time. After 50 steps little of it is left.
#
# The **LSTM** (long short-term memory, Hochreiter and Schmidhuber 1997) adds a second state, the **cell
# state** $C_t$. It works like a notepad: what stands there stays, unless **gates** decide to cross out, to
# write or to read out.

# %% [markdown]
# A **gate** is a vector of numbers between 0 and 1, made by a sigmoid, that multiplies another vector
# element by element. 0 blocks, 1 lets through. With $[x_t; h_{t-1}]$ for one vector after the other and
# $\odot$ for the element-wise product:
#
# $$\begin{aligned}
# f_t &= \sigma(W_f[x_t; h_{t-1}] + b_f) && \text{forget gate: what to keep of } C_{t-1}\\
# i_t &= \sigma(W_i[x_t; h_{t-1}] + b_i) && \text{input gate: what to write}\\
# \tilde C_t &= \tanh(W_C[x_t; h_{t-1}] + b_C) && \text{candidate: what could be written}\\
# o_t &= \sigma(W_o[x_t; h_{t-1}] + b_o) && \text{output gate: what to show}\\
# C_t &= f_t \odot C_{t-1} + i_t \odot \tilde C_t && \text{new cell state}\\
# h_t &= o_t \odot \tanh(C_t) && \text{new hidden state, also the output}
# \end{aligned}$$

# %% tags=["demo"]
def box(ax, x, y, text, color="white"):
    ax.text(x, y, text, ha="center", va="center", fontsize=12, zorder=3,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": color, "edgecolor": "black"})  # fmt: skip


def arrow(ax, *points):
    """A line through the points that ends in an arrow head."""
    if len(points) > 2:
        ax.plot(*zip(*points[:-1], strict=True), color="black", linestyle="-", linewidth=1.3, zorder=1)
    style = {"arrowstyle": "-|>", "linewidth": 1.3, "color": "black", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", points[-1], points[-2], arrowprops=style, zorder=1)


def empty_axes(title, width=9, height=3.6):
    _, ax = plt.subplots(figsize=(width, height))
    ax.set(xlim=(0, 10), ylim=(0, 5), title=title)
    ax.axis("off")
    return ax

# %% tags=["demo"]
ax = empty_axes("One step of an LSTM")
arrow(ax, (0.6, 4.3), (9.4, 4.3))  # the cell state runs straight through
ax.plot((0.9, 6.9), (0.5, 0.5), color="black", linestyle="-", linewidth=1.3, zorder=1)
gates = [(2.2, "forget $f_t$", 2.2), (3.7, "input $i_t$", 4.4), (5.1, r"candidate $\tilde C_t$", 4.4)]
for x, name, _ in [*gates, (6.9, "output $o_t$", 7.6)]:
    box(ax, x, 1.6, name, "#ffe9a8" if "candidate" not in name else "#cfe5f5")
    arrow(ax, (x, 0.5), (x, 1.25))
arrow(ax, (2.2, 1.95), (2.2, 4.05))
arrow(ax, (3.7, 1.95), (3.7, 2.9), (4.15, 2.9))
arrow(ax, (5.1, 1.95), (5.1, 2.9), (4.65, 2.9))
arrow(ax, (4.4, 3.1), (4.4, 4.05))
arrow(ax, (6.9, 1.95), (6.9, 2.6), (7.75, 2.6))
arrow(ax, (8.0, 4.3), (8.0, 3.7))
arrow(ax, (8.0, 3.2), (8.0, 2.85))
arrow(ax, (8.25, 2.6), (9.4, 2.6))
for x, y, symbol in [(2.2, 4.3, "×"), (4.4, 4.3, "+"), (4.4, 2.9, "×"), (8.0, 2.6, "×"), (8.0, 3.45, "tanh")]:
    box(ax, x, y, symbol, "#d9f0e3")
ends = [(0.3, 4.3, "$C_{t-1}$"), (9.7, 4.3, "$C_t$"), (9.7, 2.6, "$h_t$"), (0.3, 0.5, "$[x_t; h_{t-1}]$")]
for x, y, text in ends:
    ax.text(x, y, text, ha="center", va="center", fontsize=13)
plt.show()

# %% [markdown]
# *Figure:* One step of an LSTM. The cell state runs along the top: it is multiplied by the forget gate, then
# input gate times candidate is added. Three gates (yellow) and the candidate (blue) are computed from $[x_t;
# h_{t-1}]$. The new cell state goes through a tanh, is multiplied by the output gate, and leaves as $h_t$.

# %% [markdown]
# The line along the top is the point: no matrix, no tanh. Along it the derivative of $C_t$ by $C_{t-1}$ is
# just $f_t$. After $T$ steps the gradient has been multiplied by $f_1 \odot \dots \odot f_T$.
#
# **A common error:** "an LSTM has no vanishing gradients". It has, wherever the forget gates are below 1.
# With a bias of 0 they start near $\sigma(0) = 0.5$:

# %% tags=["demo"]
steps = torch.arange(201)
_, ax = plt.subplots(figsize=(6.5, 3.2))
for bias in (0, 1, 3, 5):
    gate = 1 / (1 + math.exp(-bias))
    ax.semilogy(steps, gate**steps, label=f"bias {bias}: gate {gate:.3f}")
ax.set(xlabel="time steps", ylabel="share that is left", ylim=(1e-8, 2))
ax.set_title("What a constant forget gate keeps")
ax.legend(fontsize="small")
plt.show()

# %% [markdown]
# *Figure:* What is left of a cell state, and of its gradient, for four biases of the forget gate; logarithmic
# scale. With bias 0 a millionth is left after 20 steps. With bias 5 a quarter is left after 200.

# %% [markdown]
# So one line of code matters more than many a new architecture: **start the forget gate's bias high**, at 1
# or more (Jozefowicz et al. 2015), or near $\ln T$ for memories of about $T$ steps (Tallec and Ollivier
# 2018). PyTorch's biases start near 0.

# %% [markdown]
# ### Exercise: an LSTM cell
# **3 points · about 15 minutes.** `LSTMCell(input_size, hidden_size)` computes *one* step for a batch.
#
# - Four layers `W_f`, `W_i`, `W_C`, `W_o`, each an `nn.Linear(input_size + hidden_size, hidden_size)` with
#   bias, for the four formulas above.
# - Each is applied to $[x_t; h_{t-1}]$: **the input first, then the hidden state**, joined along the last
#   axis.
# - `forward(x, state)`: `x` is `(B, input_size)`, `state` a pair `(h, C)`, both `(B, hidden_size)`. It is
#   always given.
# - Returns `(h, (h, C))`, a pair: the output, and the new state. The output *is* the new `h`.
# - It must work in float64 too, and let gradients through to `x`, `h` and `C`.
#
# <details><summary>Hint</summary>Join once, use it four times. Which three of the four go through a sigmoid?
# And which cell state does the output gate look at?</details>

# %% exercise="lstm_cell"
class LSTMCell(nn.Module):
    """One step of an LSTM with forget gate. Hochreiter and Schmidhuber 1997, Gers et al. 2000."""

    def __init__(self, input_size, hidden_size):
        # BEGIN SOLUTION
        super().__init__()
        self.W_f = nn.Linear(input_size + hidden_size, hidden_size)
        self.W_i = nn.Linear(input_size + hidden_size, hidden_size)
        self.W_C = nn.Linear(input_size + hidden_size, hidden_size)
        self.W_o = nn.Linear(input_size + hidden_size, hidden_size)
        # END SOLUTION

    def forward(self, x, state):
        # BEGIN SOLUTION
        h, C = state
        joined = torch.cat([x, h], dim=-1)
        f = torch.sigmoid(self.W_f(joined))
        i = torch.sigmoid(self.W_i(joined))
        candidate = torch.tanh(self.W_C(joined))
        o = torch.sigmoid(self.W_o(joined))
        C = f * C + i * candidate
        h = o * torch.tanh(C)
        return h, (h, C)
        # END SOLUTION

# %% [markdown]
# **Against PyTorch.** `nn.LSTMCell` stores the same numbers differently:
#
# - one matrix for $x$, `weight_ih` `(4H, D)`, and one for $h$, `weight_hh` `(4H, H)`;
# - the four blocks below each other in the order **i, f, g, o**, where g is the candidate;
# - *two* biases, which are simply added. One would do; two are kept for cuDNN's sake.

# %% tags=["demo"]
with once_answered("lstm_cell"), torch.no_grad():
    set_seed(0)
    theirs, mine = nn.LSTMCell(3, 5), LSTMCell(3, 5)
    stored = (theirs.weight_ih, theirs.weight_hh, theirs.bias_ih, theirs.bias_hh)
    blocks = [parameter.chunk(4) for parameter in stored]
    for layer, w_x, w_h, b_x, b_h in zip((mine.W_i, mine.W_f, mine.W_C, mine.W_o), *blocks, strict=True):
        layer.weight.copy_(torch.cat([w_x, w_h], dim=1))
        layer.bias.copy_(b_x + b_h)  # the sum of the two
    state = other = (torch.zeros(2, 5), torch.zeros(2, 5))
    for x in torch.randn(20, 2, 3):  # 20 steps of two sequences
        _, state = mine(x, state)
        other = theirs(x, other)
    print("largest difference of h:", (state[0] - other[0]).abs().max().item())
    print("largest difference of C:", (state[1] - other[1]).abs().max().item())

# %% [markdown]
# ## 2. The GRU: two gates, one state
#
# The **GRU** (gated recurrent unit, Cho et al. 2014) has no cell state. Its **update gate** $z$ does the work
# of two: what is not kept is overwritten. Its **reset gate** $r$ says how much of the old state the candidate
# may see.
#
# $$\begin{aligned}
# r_t &= \sigma(W_r[x_t; h_{t-1}] + b_r) \\
# z_t &= \sigma(W_z[x_t; h_{t-1}] + b_z) \\
# \tilde h_t &= \tanh(W_h[x_t; r_t \odot h_{t-1}] + b_h) \\
# h_t &= (1 - z_t) \odot h_{t-1} + z_t \odot \tilde h_t
# \end{aligned}$$

# %% tags=["demo"]
ax = empty_axes("One step of a GRU")
arrow(ax, (0.6, 4.3), (9.4, 4.3))  # the old state, mixed with a new one
arrow(ax, (1.0, 4.3), (1.0, 0.5), (4.6, 0.5), (4.6, 1.25))
ax.plot((0.4, 1.0), (0.5, 0.5), color="black", linestyle="-", linewidth=1.3, zorder=1)
for x, name in [(2.2, "reset $r_t$"), (4.6, "update $z_t$")]:
    box(ax, x, 1.6, name, "#ffe9a8")
box(ax, 7.0, 1.6, r"candidate $\tilde h_t$", "#cfe5f5")
arrow(ax, (2.2, 0.5), (2.2, 1.25))
arrow(ax, (2.2, 1.95), (2.2, 2.6))
arrow(ax, (1.0, 2.9), (1.9, 2.9))
arrow(ax, (2.5, 2.9), (5.7, 2.9), (5.7, 1.6), (6.3, 1.6))
arrow(ax, (4.6, 0.5), (7.0, 0.5), (7.0, 1.25))
arrow(ax, (3.85, 1.95), (3.85, 4.05))
arrow(ax, (5.2, 1.95), (5.2, 3.45), (6.65, 3.45))
arrow(ax, (7.0, 1.95), (7.0, 3.15))
arrow(ax, (7.0, 3.75), (7.0, 4.05))
for x, y, symbol in [(2.2, 2.9, "×"), (3.85, 4.3, r"× $(1-z_t)$"), (7.0, 3.45, "×"), (7.0, 4.3, "+")]:
    box(ax, x, y, symbol, "#d9f0e3")
for x, y, text in [(0.3, 4.3, "$h_{t-1}$"), (9.7, 4.3, "$h_t$"), (0.2, 0.5, "$x_t$")]:
    ax.text(x, y, text, ha="center", va="center", fontsize=13)
plt.show()

# %% [markdown]
# *Figure:* One step of a GRU. The state runs along the top: it is multiplied by one minus the update gate,
# then update gate times candidate is added. Both gates (yellow) read the input and the old state. The
# candidate (blue) reads the input and the old state *times the reset gate*.

# %% [markdown]
# **Two conventions, easily mixed up.** Ours is that of Chung et al. (2014). PyTorch's `nn.GRU` differs in two
# places:
#
# | | here | `nn.GRU` |
# |---|---|---|
# | $z$ near 1 means | take the *new* state | keep the *old* one |
# | the reset gate multiplies | $h_{t-1}$, before the matrix | $W_{hn}h_{t-1} + b_{hn}$, after it |
#
# So PyTorch has $h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}$ with $n_t = \tanh(W_{in}x_t + b_{in} + r_t
# \odot (W_{hn}h_{t-1} + b_{hn}))$. The first is a matter of naming. The second gives another network, which
# can compute all its matrix products at once.

# %% [markdown]
# ### Exercise: a GRU cell
# **2 points · about 10 minutes.** `GRUCell(input_size, hidden_size)` computes one step by *our* four
# formulas.
#
# - Three layers `W_r`, `W_z`, `W_h`, each an `nn.Linear(input_size + hidden_size, hidden_size)` with bias.
# - The input comes first: `W_r` and `W_z` are applied to $[x_t; h_{t-1}]$, `W_h` to $[x_t; r_t \odot
#   h_{t-1}]$.
# - `forward(x, h)`, with `x` `(B, input_size)` and `h` `(B, hidden_size)`, returns the new `h` alone.
# - It must work in float64 too, and let gradients through to `x` and `h`.
#
# <details><summary>Hint</summary>You need to join twice. Test yourself: with $z = 0$ the state must stay as
# it is.</details>

# %% exercise="gru_cell"
class GRUCell(nn.Module):
    """One step of a GRU, in the convention of Chung et al. 2014."""

    def __init__(self, input_size, hidden_size):
        # BEGIN SOLUTION
        super().__init__()
        self.W_r = nn.Linear(input_size + hidden_size, hidden_size)
        self.W_z = nn.Linear(input_size + hidden_size, hidden_size)
        self.W_h = nn.Linear(input_size + hidden_size, hidden_size)
        # END SOLUTION

    def forward(self, x, h):
        # BEGIN SOLUTION
        joined = torch.cat([x, h], dim=-1)
        r = torch.sigmoid(self.W_r(joined))
        z = torch.sigmoid(self.W_z(joined))
        candidate = torch.tanh(self.W_h(torch.cat([x, r * h], dim=-1)))
        return (1 - z) * h + z * candidate
        # END SOLUTION

# %% [markdown]
# Copying PyTorch's weights is not enough here: $z$'s must change their sign, since $1 - \sigma(a) =
# \sigma(-a)$. And both cells agree only where the reset gate is 1.

# %% tags=["demo"]
def copied(theirs):
    """A GRUCell with the weights of an nn.GRUCell, and the sign of z turned round."""
    mine = GRUCell(theirs.input_size, theirs.hidden_size)
    stored = (theirs.weight_ih, theirs.weight_hh, theirs.bias_ih, theirs.bias_hh)
    blocks = [parameter.chunk(3) for parameter in stored]
    for name, w_x, w_h, b_x, b_h in zip(("W_r", "W_z", "W_h"), *blocks, strict=True):
        sign = -1 if name == "W_z" else 1
        getattr(mine, name).weight.copy_(sign * torch.cat([w_x, w_h], dim=1))
        getattr(mine, name).bias.copy_(sign * (b_x + b_h))
    return mine


with once_answered("gru_cell"), torch.no_grad():
    set_seed(0)
    theirs, x, h = nn.GRUCell(3, 5), torch.randn(2, 3), torch.randn(2, 5)
    print("as it is:          ", (copied(theirs)(x, h) - theirs(x, h)).abs().max().item())
    theirs.bias_ih[:5] = 50.0  # the block of r comes first: sigmoid(50) is 1
    print("reset gate held at 1:", (copied(theirs)(x, h) - theirs(x, h)).abs().max().item())

# %% [markdown]
# ### What gates cost
#
# A plain RNN has one block: a weight matrix for the input, one for the state. A GRU has 3, an LSTM 4. In
# PyTorch's layers each block has **two** biases.
#
# In a stack, layer 1 reads the input, every further layer the states of the layer below. A **bidirectional**
# layer has a second set of weights that reads the sequence backwards, and hands *both* states to the layer
# above.

# %% [markdown]
# ### Exercise: counting parameters
# **1 point · about 8 minutes.** `rnn_parameter_count(kind, input_size, hidden_size, num_layers=1,
# bidirectional=False)` returns, as an `int`, how many parameters PyTorch's `nn.RNN`, `nn.GRU` or `nn.LSTM`
# has.
#
# - `kind` is `"rnn"`, `"lstm"` or `"gru"`; anything else, such as `"transformer"`, raises `ValueError`.
# - Biases count: two vectors for each block, as in PyTorch (`bias=True`).
#
# <details><summary>Hint</summary>Start with one block of one layer in one direction. How wide is the input of
# the second layer in a bidirectional stack?</details>

# %% exercise="parameter_count"
def rnn_parameter_count(kind, input_size, hidden_size, num_layers=1, bidirectional=False):
    """The number of parameters of nn.RNN, nn.LSTM or nn.GRU."""
    # BEGIN SOLUTION
    blocks = {"rnn": 1, "gru": 3, "lstm": 4}
    if kind not in blocks:
        raise ValueError(f"kind must be one of {', '.join(blocks)}, not {kind!r}")
    directions = 2 if bidirectional else 1
    total = 0
    for layer in range(num_layers):
        width = input_size if layer == 0 else hidden_size * directions
        block = width * hidden_size + hidden_size * hidden_size + 2 * hidden_size
        total += directions * blocks[kind] * block
    return total
    # END SOLUTION

# %% tags=["demo"]
with once_answered("parameter_count"):
    print("kind  yours  PyTorch's (input 1, 64 units, two layers)")
    for kind, layer in (("rnn", nn.RNN), ("gru", nn.GRU), ("lstm", nn.LSTM)):
        theirs = sum(parameter.numel() for parameter in layer(1, 64, 2).parameters())
        print(f"{kind:5}{rnn_parameter_count(kind, 1, 64, 2):6}{theirs:8}")

# %% [markdown]
# ## 3. Classifiers, and a test of memory
#
# A classifier reads the whole sequence; a linear layer turns the last state into logits. You wrote the plain
# one in notebook 4. Now the gated ones.
#
# `nn.LSTM(..., dropout=p)` drops states that one layer hands to the next. With a single layer there is
# nothing in between, and PyTorch warns.

# %% [markdown]
# ### Exercise: an LSTM classifier
# **1 point · about 8 minutes.** `LSTM(input_size=1, hidden_size=64, num_layers=2, num_classes=2,
# dropout=0.3)`; `forward(x)` takes `(B, T, input_size)` to raw logits `(B, num_classes)`:
#
# 1. `lstm`, an `nn.LSTM` with `batch_first=True`, and `dropout` between its layers. No warning when there is
#    only one layer;
# 2. the output of the **last step**;
# 3. `layer_norm`, an `nn.LayerNorm(hidden_size)`;
# 4. dropout with the same rate, in training alone;
# 5. `fc`, an `nn.Linear`.
#
# With the default arguments it has 50,690 parameters.
#
# <details><summary>Hint</summary>`nn.LSTM` returns all outputs and a pair of states. The two axes of the
# outputs before the last are batch and time: which one do you index?</details>

# %% exercise="lstm_classifier"
class LSTM(nn.Module):
    """LSTM, last step, LayerNorm, dropout, linear layer."""

    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, dropout=0.3):
        # BEGIN SOLUTION
        super().__init__()
        between = dropout if num_layers > 1 else 0.0
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True, dropout=between)
        self.layer_norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden_size, num_classes)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        outputs, _ = self.lstm(x)  # (B, T, H)
        last = self.layer_norm(outputs[:, -1])
        return self.fc(self.dropout(last))
        # END SOLUTION

# %% [markdown]
# ### Exercise: a GRU classifier
# **1 point · about 5 minutes.** `GRU`, with the same arguments and defaults, is leaner. `forward(x)` takes
# `(B, T, input_size)` to raw logits `(B, num_classes)`:
#
# 1. `gru`, an `nn.GRU` with `batch_first=True`, and `dropout` between its layers. No warning when there is
#    only one layer;
# 2. the output of the **last step**;
# 3. `fc`, an `nn.Linear`. No LayerNorm and no other dropout.
#
# With the default arguments it has 37,954 parameters.
#
# <details><summary>Hint</summary>A GRU's state is one tensor, not a pair.</details>

# %% exercise="gru_classifier"
class GRU(nn.Module):
    """GRU, last step, linear layer."""

    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, dropout=0.3):
        # BEGIN SOLUTION
        super().__init__()
        between = dropout if num_layers > 1 else 0.0
        self.gru = nn.GRU(input_size, hidden_size, num_layers, batch_first=True, dropout=between)
        self.fc = nn.Linear(hidden_size, num_classes)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        outputs, _ = self.gru(x)  # (B, T, H)
        return self.fc(outputs[:, -1])
        # END SOLUTION

# %% [markdown]
# ### Fifty, a hundred, two hundred steps
#
# **Delayed recall**, as in notebook 4: at the first step, one of eight symbols is shown, with a mark. Then
# nothing but noise. At the end the network must name the symbol.

# %% tags=["demo"]
SYMBOLS = 8


def recall_data(n, length, generator):
    """X (n, length, 10): symbol (8), noise, mark; y (n,): the symbol that was shown at the first step."""
    y = torch.randint(SYMBOLS, (n,), generator=generator)
    X = torch.zeros(n, length, SYMBOLS + 2)
    X[:, 0, :SYMBOLS] = F.one_hot(y, SYMBOLS).float()
    X[:, :, SYMBOLS] = torch.randn(n, length, generator=generator)
    X[:, 0, SYMBOLS + 1] = 1.0  # the mark
    return X, y

# %% [markdown]
# All three kinds share a small wrapper, which you may use again further down.

# %%
class Reader(nn.Module):
    """A recurrent layer of some kind, and a linear layer that reads its last state."""

    def __init__(self, kind, input_size, hidden_size, num_classes):
        super().__init__()
        layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
        self.recurrent = layer(input_size, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        _, state = self.recurrent(x)
        h = state[0] if isinstance(state, tuple) else state  # an LSTM returns the pair (h, C)
        return self.fc(h[-1])

# %% [markdown]
# The gates that *keep* start open, with a bias of $\ln T + 2$: block 1 (f) of PyTorch's LSTM, block 1 (z) of
# its GRU. The LSTM writes *in addition* to what it keeps, and 200 steps of noise would pile up in its cell.
# So its input gate (block 0) starts nearly closed.

# %% tags=["demo"]
@torch.no_grad()
def open_the_gates(model, kind, length):
    bias, H = model.recurrent.bias_ih_l0, model.recurrent.hidden_size
    if kind != "rnn":
        bias[H : 2 * H] = math.log(length) + 2  # forget gate f, or update gate z
    if kind == "lstm":
        bias[:H] = -5.0  # input gate i

# %% tags=["demo"]
def train_recall(kind, length, steps=120, seed=0, prepared=True):
    """A trained model, its accuracy on 500 new sequences in percent, and the seconds that training took."""
    set_seed(seed)
    model, generator = Reader(kind, SYMBOLS + 2, 24, SYMBOLS), torch.Generator().manual_seed(seed)
    if prepared:
        open_the_gates(model, kind, length)
    optimizer, start = torch.optim.Adam(model.parameters(), lr=0.02), time.perf_counter()
    for _ in range(steps):
        X, y = recall_data(32, length, generator)  # new sequences at every step
        loss = F.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    seconds = time.perf_counter() - start
    X, y = recall_data(500, length, torch.Generator().manual_seed(99))
    return model, 100 * (predict(model, X).argmax(dim=1) == y).float().mean().item(), seconds

# %% tags=["demo"]
LENGTHS = (50, 100, 200)
RACE = {"RNN": ("rnn", True), "LSTM": ("lstm", True), "GRU": ("gru", True)}
RACE["LSTM, usual biases"] = ("lstm", False)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4))
for (name, (kind, prepared)), marker in zip(RACE.items(), "osD^", strict=True):
    runs = [train_recall(kind, length, prepared=prepared) for length in LENGTHS]
    left.plot(LENGTHS, [accuracy for _, accuracy, _ in runs], marker=marker, label=name)
    if prepared:
        right.plot(LENGTHS, [seconds for _, _, seconds in runs], marker=marker, label=name)
    parameters = sum(parameter.numel() for parameter in runs[0][0].parameters())
    print(f"{name:19}{parameters:6,} parameters", *(f"{accuracy:5.0f} %" for _, accuracy, _ in runs))
left.axhline(100 / SYMBOLS, color="0.4", linestyle=":", label="guessing")
left.set(ylabel="accuracy on new sequences (%)", title="Delayed recall", ylim=(0, 105))
right.set(ylabel="training time (seconds)", title="120 steps of 32 sequences", ylim=0)
for ax in (left, right):
    ax.set(xlabel="length (steps)", xticks=LENGTHS)
left.legend(fontsize="small")
plt.show()

# %% [markdown]
# *Figure:* Left: accuracy on new sequences of 50, 100 and 200 steps. LSTM and GRU with open gates are at 100
# % throughout. The plain RNN stays below 30 %, the LSTM with the usual biases at 12.5 %, which is guessing.
# Right: seconds of training. They grow with the length; here the GRU is slowest.

# %% [markdown]
# - The plain RNN has nothing to open.
# - Gates alone do not help: the fourth row is the *same* LSTM with PyTorch's own biases.
# - Fewer parameters need not mean less time. On many CPUs PyTorch has a fused kernel for the LSTM and none
#   for the GRU. Measure before you choose.

# %% [markdown]
# ### Gates at work
#
# PyTorch's LSTM does not show its gates. From its weights we can compute them again; mind the order i, f, g,
# o.

# %% tags=["demo"]
@torch.no_grad()
def lstm_gates(lstm, x):
    """Gates and states over time, each (T, H), of a one-layer nn.LSTM for one sequence x (T, D)."""
    h = C = torch.zeros(lstm.hidden_size)
    rows = []
    for x_t in x:
        sums = lstm.weight_ih_l0 @ x_t + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ h + lstm.bias_hh_l0
        i, f, g, o = sums.chunk(4)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        C = f * C + i * g
        h = o * C.tanh()
        rows.append((i, f, o, C, h))
    return dict(zip(("input", "forget", "output", "C", "h"), map(torch.stack, zip(*rows)), strict=True))


rememberer, accuracy, _ = train_recall("lstm", 50)
X, y = recall_data(1, 50, torch.Generator().manual_seed(5))
gates = lstm_gates(rememberer.recurrent, X[0])
_, (h_n, _) = rememberer.recurrent(X)
print("same last state as nn.LSTM:", torch.allclose(gates["h"][-1], h_n[0, 0], atol=1e-5))

# %% tags=["demo"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3), width_ratios=(1, 1, 1.3))
for ax, name in zip(axes, ("input", "forget"), strict=False):
    ax.plot(gates[name].mean(dim=1), color=COLORS[0], label="mean of 24 units")
    ax.fill_between(range(50), gates[name].amin(dim=1), gates[name].amax(dim=1), color=COLORS[0], alpha=0.2)
    ax.set(xlabel="time step", ylabel="gate", title=f"{name} gate", ylim=(-0.05, 1.05))
picture = axes[2].imshow(gates["C"].T.numpy(), cmap="PuOr", vmin=-1.5, vmax=1.5, aspect="auto")
axes[2].set(xlabel="time step", ylabel="unit", title="cell state")
axes[2].grid(False)
figure.colorbar(picture, ax=axes[2], label="value")
plt.show()

# %% [markdown]
# *Figure:* One sequence of 50 steps in the trained LSTM; mean (line) and range (shade) of 24 units. The input
# gate is up at the first step, nearly closed at the second, and opens a little later on. The forget gate
# stays near 1. Right: the cell state, a row for each unit; rows keep the colour that they start with, and
# deepen it.

# %% [markdown]
# The symbol is written when it is shown, and kept: no row changes its colour. Later the network *reinforces*
# what it holds, so that noise cannot drown it.

# %% [markdown]
# ## 4. Forecasting
#
# Our series is the sum of two sines, with periods of 23 and 57 steps, and Gaussian noise of standard
# deviation 0.1. We learn from its first 1,600 values and forecast the rest.
#
# **Never judge a forecast without a baseline.** The simplest is **persistence**: the next value will be as
# the last. We measure with the mean squared error (MSE).

# %% tags=["demo"]
WINDOW = 30
series = two_sines()  # 2,000 values
past, future = series[:1600], series[1600 - WINDOW :]  # the first forecast needs a window, too
persistence_mse = (future[WINDOW:] - future[WINDOW - 1 : -1]).square().mean().item()
print(f"persistence: MSE {persistence_mse:.4f}; of that, noise alone {2 * 0.1**2:.4f}")

_, ax = plt.subplots(figsize=(8, 2.8))
ax.plot(range(1500, 1601), series[1500:1601], label="to learn from")
ax.plot(range(1600, 1700), series[1600:1700], label="to forecast")
ax.set(xlabel="time step", ylabel="value", title="The course's series (a part)")
ax.legend(fontsize="small")
plt.show()

# %% [markdown]
# *Figure:* The series from step 1,500 to 1,700: a fast wave on a slow one, jagged with noise. At 1,600 the
# line changes from what is learned from to what is to be forecast.

# %% [markdown]
# No forecast can foresee the noise: its variance, 0.01, is the floor. Persistence suffers from *two* noises,
# the last value's and the next one's, and from the wave's own movement.
#
# A network wants pairs: a **window** of past values, and the values that follow. With `window=3` and
# `horizon=2`, the series `a b c d e f` gives `a b c → d e` and `b c d → e f`.

# %% [markdown]
# ### Exercise: sliding windows
# **1 point · about 8 minutes.** `make_windows(series, window, horizon=1)` takes a 1-D float tensor and returns
# `X` `(N, window, 1)` and `y` `(N, horizon)`.
#
# - Row $k$ of `X` holds `series[k], ..., series[k + window - 1]`; row $k$ of `y` holds the `horizon` values
#   right after those.
# - Every window once, in order: $N$ = `len(series) - window - horizon + 1`.
# - `ValueError` if no window fits ($N < 1$), or if `window` or `horizon` is below 1.
# - The dtype is that of the series.
#
# <details><summary>Hint</summary>`Tensor.unfold` makes overlapping pieces without a loop. How long must a
# piece be to hold a window *and* its target?</details>

# %% exercise="sliding_windows"
def make_windows(series, window, horizon=1):
    """Windows (N, window, 1) of a series, and the values (N, horizon) that follow each."""
    # BEGIN SOLUTION
    count = len(series) - window - horizon + 1
    if window < 1 or horizon < 1 or count < 1:
        raise ValueError(f"no window of {window} with horizon {horizon} fits into {len(series)} values")
    pieces = series.unfold(0, window + horizon, 1)  # (N, window + horizon)
    return pieces[:, :window].unsqueeze(-1), pieces[:, window:]
    # END SOLUTION

# %% [markdown]
# **Do not split windows at random.** Neighbours share all values but one, so both parts would hold nearly the
# same windows. Split the *series* in time, then cut each part.

# %% [markdown]
# ### Exercise: a forecaster
# **2 points · about 15 minutes.** Two things:
#
# `Forecaster(kind="lstm", hidden_size=32, horizon=1)`: an `nn.Module`. `kind` is `"rnn"`, `"lstm"` or `"gru"`
# and chooses the recurrent layer of `hidden_size` units. `forward(x)` takes windows `(B, window, 1)`, of any
# window length, to forecasts `(B, horizon)`. It must read the *whole* window, not its last value alone.
#
# `train_forecaster(model, X, y, seed=0)` trains the given `model` in place on `X` `(N, window, 1)` and `y`
# `(N, horizon)`, and returns a list with one loss (a `float`) for each epoch. The loss must fall.
#
# - The check trains your model on the first part of the course's series, with a window of 30 and the kinds
#   `"lstm"` and `"gru"`, and lets it forecast values that it has not seen. Its MSE must be **at least 30 %
#   below that of persistence**.
# - It may take 20 CPU seconds for a call of `train_forecaster`. A dozen epochs in mini-batches of 64 at a
#   learning rate of about 0.01 do it in one or two.
# - `seed` alone decides the order of the batches: the same model, data and seed give the same losses.
#
# <details><summary>Hint</summary>The mean squared error compares tensors of *one* shape: `(B, horizon)`
# against `(B,)` would be broadcast silently. If it learns slowly: Adam, and a rate that falls towards the
# end.</details>

# %% exercise="forecaster"
class Forecaster(nn.Module):
    """A recurrent layer that reads a window, and a linear layer that forecasts from its last state."""

    def __init__(self, kind="lstm", hidden_size=32, horizon=1):
        # BEGIN SOLUTION
        super().__init__()
        layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
        self.recurrent = layer(1, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, horizon)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        outputs, _ = self.recurrent(x)
        return self.fc(outputs[:, -1])
        # END SOLUTION


def train_forecaster(model, X, y, seed=0):
    """Train a model in place on X (N, window, 1) and y (N, horizon); returns the loss of each epoch."""
    # BEGIN SOLUTION
    epochs, losses = 12, []
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(X), generator=generator).split(64):
            loss = F.mse_loss(model(X[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(rows)
        scheduler.step()
        losses.append(total / len(X))
    return losses
    # END SOLUTION

# %% [markdown]
# For comparison, a forecaster without recurrence: it has a learned vector for each place in the window, and
# the last place looks at all places by attention (notebook 6).

# %% tags=["demo"]
class AttentionForecaster(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.embed = nn.Linear(1, dim)
        self.position = nn.Parameter(0.5 * torch.randn(WINDOW, dim))
        self.attention = nn.MultiheadAttention(dim, num_heads=4, batch_first=True)
        self.fc = nn.Linear(dim, 1)

    def forward(self, x):
        places = self.embed(x) + self.position  # (B, T, dim)
        last = places[:, -1:]
        found, self.weights = self.attention(last, places, places)
        return self.fc(last + found).squeeze(1)


with once_answered("forecaster"), once_answered("sliding_windows"):
    X, y = make_windows(past, WINDOW)
    X_future, y_future = make_windows(future, WINDOW)
    made = {}
    for name in ("rnn", "lstm", "gru", "attention"):
        set_seed(0)
        model = AttentionForecaster() if name == "attention" else Forecaster(name)
        train_forecaster(model, X, y)
        made[name] = predict(model, X_future)
    forecasts = made  # only now: what comes next needs all of them
    errors = {name: F.mse_loss(forecast, y_future).item() for name, forecast in forecasts.items()}
    errors = {"persistence": persistence_mse, **errors}

# %% tags=["demo"]
with once_answered("forecaster"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), width_ratios=(1.6, 1))
    left.plot(range(1600, 1680), y_future[:80], color="0.6", linestyle="-", label="the series")
    left.plot(range(1600, 1680), forecasts["lstm"][:80], color=COLORS[1], linestyle="--", label="LSTM")
    left.set(xlabel="time step", ylabel="value", title="One step ahead")
    left.legend(fontsize="small")
    right.barh(list(errors), list(errors.values()), color=COLORS[0])
    right.axvline(0.7 * persistence_mse, color="0.3", linestyle="--", label="30 % better than persistence")
    right.axvline(0.01, color="0.3", linestyle=":", label="the noise: no better is possible")
    right.set(xlabel="MSE on the part not seen", title="Errors")
    right.set_ylim(6.3, -0.6)  # persistence on top, room for the legend below
    right.legend(fontsize="x-small", loc="lower right")
    plt.show()
    for name, error in errors.items():
        print(f"{name:12} MSE {error:.4f}, {1 - error / persistence_mse:.0%} better than persistence")

# %% [markdown]
# *Figure:* Left: the first 80 values that were not seen, and the LSTM's forecasts, which follow the waves and
# not the noise. Right: persistence is at 0.062; all four networks are near 0.02, left of the dashed line (30
# % better) and right of the dotted one (the noise).

# %% [markdown]
# All four win clearly. Their order is not worth a story: with other seeds it changes. A window of 30 steps is
# *short*, and the plain RNN keeps up.

# %% [markdown]
# ## 5. Sentiment of real sentences
#
# Our 10,605 sentences come from film reviews. People rated each from -4 to 4; the label is 1 where the mean
# rating is above 0. A fixed fifth of them is for testing.

# %% tags=["demo"]
reviews = movie_reviews()
train_texts = [reviews.texts[i] for i in reviews.train_indices]
test_texts = [reviews.texts[i] for i in reviews.test_indices]
train_labels, test_labels = reviews.labels[reviews.train_indices], reviews.labels[reviews.test_indices]
positive = test_labels.float().mean()
print(len(train_texts), "to learn from,", len(test_texts), "to test on;", f"{positive:.1%} positive")
for text, label in zip(train_texts[:4], train_labels[:4], strict=True):
    print(label.item(), text.strip()[:100])

words_per_sentence = [len(re.findall(r"[a-z0-9']+", text.lower())) for text in train_texts]
_, ax = plt.subplots(figsize=(6, 2.6))
ax.hist(words_per_sentence, bins=range(0, 61, 2), color=COLORS[0])
ax.axvline(30, color="0.3", linestyle="--", label="we cut here")
ax.set(xlabel="length (words)", ylabel="sentences", title="Lengths of the training sentences")
ax.legend()
plt.show()

# %% [markdown]
# *Figure:* Histogram of the training sentences' lengths: from one word to more than 50, most between 5 and
# 35. The dashed line at 30 words shows where we cut.

# %% [markdown]
# From text to tensors: split each text into **words**; give each frequent word of the *training* texts a
# number, the **vocabulary**; make all rows equally long by **padding**, and remember the true lengths. Two
# numbers are reserved: `<pad>` fills rows up, `<unk>` stands for every word that is not in the vocabulary.

# %% [markdown]
# ### Exercise: a vocabulary
# **2 points · about 15 minutes.** Words are `re.findall(r"[a-z0-9']+", text.lower())`, in both functions.
#
# `build_vocab(texts, min_freq=1, max_size=None)` returns a dict from word to index:
#
# - `"<pad>"` is 0, `"<unk>"` is 1; then come the words, numbered from 2 without gaps, **most frequent
#   first**, and among equally frequent ones in alphabetical order (Python's `sorted` order);
# - only words that occur at least `min_freq` times in all texts together;
# - `max_size`, if given (2 or more), is the largest allowed size of the dict, **the two specials included**.
#
# `encode(texts, vocab, max_len)` returns `(ids, lengths)`, both long, `(B, max_len)` and `(B,)`:
#
# - words that are not in `vocab` become 1; each row is cut to its first `max_len` words, and padded with 0
#   **on the right**;
# - `lengths` counts the words *after* the cut;
# - a text without any word becomes a single `<unk>`, with length 1.
#
# <details><summary>Hint</summary>`Counter` counts. For the order, sort by a pair: what must its first entry
# be, so that frequent words come first?</details>

# %% exercise="vocabulary"
def build_vocab(texts, min_freq=1, max_size=None):
    """Indices of words: <pad>, <unk>, then by falling frequency, ties in alphabetical order."""
    # BEGIN SOLUTION
    counts = Counter(word for text in texts for word in re.findall(r"[a-z0-9']+", text.lower()))
    kept = [word for word in counts if counts[word] >= min_freq]
    kept.sort(key=lambda word: (-counts[word], word))
    words = ["<pad>", "<unk>", *kept][:max_size]
    return {word: index for index, word in enumerate(words)}
    # END SOLUTION


def encode(texts, vocab, max_len):
    """Word indices (B, max_len), padded on the right with 0, and lengths (B,)."""
    # BEGIN SOLUTION
    ids = torch.zeros(len(texts), max_len, dtype=torch.long)
    lengths = torch.zeros(len(texts), dtype=torch.long)
    for row, text in enumerate(texts):
        words = re.findall(r"[a-z0-9']+", text.lower())
        indices = [vocab.get(word, 1) for word in words] or [1]
        indices = indices[:max_len]
        ids[row, : len(indices)] = torch.tensor(indices)
        lengths[row] = len(indices)
    return ids, lengths
    # END SOLUTION

# %% tags=["demo"]
with once_answered("vocabulary"):
    vocab = build_vocab(train_texts, min_freq=2)  # from the training texts alone
    train_ids, train_lengths = encode(train_texts, vocab, max_len=30)
    test_ids, test_lengths = encode(test_texts, vocab, max_len=30)
    print(len(vocab), "words, the first:", *list(vocab)[:10])
    unknown = (test_ids == 1).sum() / test_lengths.sum()
    print(tuple(train_ids.shape), f"unknown words in the test part: {unknown:.1%}")
    print(encode(["A flawed but GLORIOUS film!"], vocab, max_len=8))

# %% [markdown]
# An **embedding** is a table with a learned vector for each word; `nn.Embedding(V, D)` looks rows up. With
# `padding_idx=0`, row 0 starts as zeros and never gets a gradient.
#
# Zeros are not nothing, though. An LSTM that reads zero vectors after the last word goes on changing its
# state: biases and old state still act. So its state at the *last column* depends on the padding. Two cures:
#
# - **Packing**: `nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)`
#   tells the LSTM the lengths. It skips padding, and `h_n` holds the states after the last real words.
# - **Gathering**: let it read everything, then pick each row's output at `lengths - 1`.

# %% tags=["demo"]
set_seed(0)
lstm, sentence = nn.LSTM(4, 3, batch_first=True), torch.randn(1, 5, 4)
with torch.no_grad():
    for extra in (0, 2, 20):
        padded = F.pad(sentence, (0, 0, 0, extra))  # zero vectors after the last word
        packed = nn.utils.rnn.pack_padded_sequence(padded, torch.tensor([5]), batch_first=True)
        print(f"{extra:2} zeros: last column", lstm(padded)[0][0, -1].numpy().round(3),
              " packed", lstm(packed)[1][0][0, 0].numpy().round(3))  # fmt: skip

# %% [markdown]
# ### Exercise: an LSTM for sentences
# **2 points · about 12 minutes.** `SentimentLSTM(vocab_size, embedding_dim=64, hidden_dim=64, output_dim=1,
# num_layers=1, dropout=0.0, pad_idx=0)`:
#
# - `embedding`, an `nn.Embedding` whose row `pad_idx` is zero, and stays zero in training;
# - `lstm`, an `nn.LSTM` of `num_layers` layers, one direction; `fc`, an `nn.Linear` to `output_dim`;
# - `forward(ids, lengths)`: ids long `(B, T)`, padded on the right; lengths long `(B,)`, each from 1 to T,
#   **in any order**. Returns raw logits `(B, output_dim)`, *not squeezed*, in the order of the rows;
# - the logits come from the state of the **last layer** after the **last real word**. More columns of padding
#   change nothing;
# - where `dropout` acts is your choice; with 0, or in evaluation, nowhere.
#
# <details><summary>Hint</summary>`h_n` has one entry for each layer: the first axis is not the
# batch.</details>

# %% exercise="sentiment_lstm"
class SentimentLSTM(nn.Module):
    """Embedding, LSTM over the real words, linear layer on the last state of the last layer."""

    def __init__(
        self, vocab_size, embedding_dim=64, hidden_dim=64, output_dim=1, num_layers=1, dropout=0.0, pad_idx=0
    ):
        # BEGIN SOLUTION
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_idx)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, num_layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden_dim, output_dim)
        # END SOLUTION

    def forward(self, ids, lengths):
        # BEGIN SOLUTION
        x = self.dropout(self.embedding(ids))
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)  # h (layers, B, H)
        return self.fc(self.dropout(h[-1]))
        # END SOLUTION

# %% [markdown]
# One trick for training: embeddings start as standard normal numbers, so thousands of rare words would be
# noise of that size. We shrink them tenfold: a word counts for little until the data say otherwise.

# %% tags=["demo"]
def train_sentiment(seed, epochs=2):
    """A trained SentimentLSTM, and its accuracy on the test part in percent."""
    set_seed(seed)
    model = SentimentLSTM(len(vocab), embedding_dim=32, hidden_dim=32, dropout=0.3)
    with torch.no_grad():
        model.embedding.weight.mul_(0.1)
    train = (train_ids, train_lengths), train_labels.float().unsqueeze(1)  # targets (N, 1), like the logits
    fit(model, train, epochs=epochs, lr=5e-3, criterion=nn.BCEWithLogitsLoss(), seed=seed, max_norm=1.0)
    logits = predict(model, (test_ids, test_lengths)).squeeze(1)
    return model, 100 * ((logits > 0).long() == test_labels).float().mean().item()


with once_answered("sentiment_lstm"):
    critic, accuracy = train_sentiment(seed=0)
    print(f"right on {accuracy:.1f} % of {len(test_texts)} test sentences")

# %% [markdown]
# About three in four (six seeds gave 76.2 to 76.8 %); the commoner class alone gives 51 %. Longer training
# does not help: the network then learns the training sentences by heart.
#
# Try your own sentences. The score is the probability of praise, in percent.

# %% tags=["demo"]
def rate(sentence):
    """The probability, in percent, that a sentence is positive."""
    return 100 * torch.sigmoid(predict(critic, encode([sentence], vocab, max_len=30))).item()


MY_SENTENCES = [
    "a wonderful film with great performances",
    "a dull and tedious mess",
    "the film is not good",
    "I could have stared at the wall instead",
]
with once_answered("sentiment_lstm"):
    for sentence in MY_SENTENCES:
        print(f"{rate(sentence):3.0f} %  {sentence}")

# %% [markdown]
# Where it fails is as telling as where it works: negation, irony. Which of *your* sentences fool it?
#
# What happens inside? We read off the verdict after each word, and the forget gates.

# %% tags=["demo"]
with once_answered("sentiment_lstm"), torch.no_grad():
    sentence = "it starts as a dull story but ends as a beautiful and moving film"
    ids, lengths = encode([sentence], vocab, max_len=30)
    words = sentence.split()
    gates = lstm_gates(critic.lstm, critic.embedding(ids[0, : lengths[0]]))
    verdicts = torch.sigmoid(critic.fc(gates["h"])).squeeze(1)
    restless = gates["forget"].std(dim=0).argsort(descending=True)[:12]  # the units that change most
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 5.4), sharex=True)
    top.plot(range(len(words)), 100 * verdicts, marker="o", color=COLORS[0])
    top.axhline(50, color="0.4", linestyle=":")
    top.set(ylabel="positive (%)", title="The verdict after each word", ylim=(0, 100))
    picture = bottom.imshow(gates["forget"][:, restless].T.numpy(), vmin=0, vmax=1, aspect="auto")
    bottom.set(xlabel="word", ylabel="unit", title="Forget gate of twelve units", yticks=[])
    bottom.set_xticks(range(len(words)), words, rotation=60)
    bottom.grid(False)
    figure.colorbar(picture, ax=[top, bottom], label="forget gate")
    plt.show()

# %% [markdown]
# *Figure:* A sentence, word by word. Top: the probability of praise if it ended there. It falls with `starts`
# and `dull`, and climbs from `beautiful` on, to just under 40 %. Bottom: the forget gate of the twelve units
# that change most. At `dull` most of them cross out what they hold; at `beautiful` and `moving` they keep it.

# %% [markdown]
# So gates *do* follow the words. That a unit "means" something would take more than one sentence to show.

# %% [markdown]
# ## 6. When to use which
#
# First your own measurement: does length hurt in a task in which every step counts?
#
# ### Exercise: a study of length
# **1 point · about 15 minutes.** `length_study(lengths=(50, 100, 200), kinds=("rnn", "lstm", "gru"), seed=0)`
# trains a network for every length and kind, and measures it.
#
# - **Data**: `X` `(n, length, 1)` of standard normal numbers; `y` is 1 where a sequence's sum is positive,
#   and 0 elsewhere. For each length draw sequences of just that length, anew: not cut from those of another
#   length, nor padded. The kinds may share them.
# - **Models**: any small recurrent network of the kind; `Reader` above will do.
# - **Returns** a list of dicts, one for every pair of length and kind, in any order, with the keys `kind` and
#   `length` (as given), `accuracy` (in percent, on held-out sequences that were never trained on),
#   `parameters` (of the whole network, an `int`), `seconds` (of its training).
# - The same seed gives the same accuracies, whatever ran before; another seed draws other data.
# - The default call takes at most 30 CPU seconds. About 800 sequences, 12 hidden units and 50 updates a
#   network are plenty: no accuracy is demanded. The check itself uses short lengths.
#
# <details><summary>Hint</summary>Weights and batches are random too: seed both. `fit` and `predict` save you
# the loop.</details>

# %% exercise="length_study"
def length_study(lengths=(50, 100, 200), kinds=("rnn", "lstm", "gru"), seed=0):
    """Held-out accuracy, parameters and training time of recurrent networks on the sign of a sum."""
    # BEGIN SOLUTION
    results = []
    for length in lengths:
        generator = torch.Generator().manual_seed(1000 * seed + length)
        X = torch.randn(1300, length, 1, generator=generator)
        y = (X.sum(dim=(1, 2)) > 0).long()
        train, test = (X[:800], y[:800]), (X[800:], y[800:])
        for kind in kinds:
            set_seed(seed)
            model = Reader(kind, 1, 12, 2)
            start = time.perf_counter()
            fit(model, train, epochs=4, lr=0.02, seed=seed, max_norm=1.0, progress=False)
            seconds = time.perf_counter() - start
            accuracy = 100 * (predict(model, test[0]).argmax(dim=1) == test[1]).float().mean().item()
            parameters = sum(parameter.numel() for parameter in model.parameters())
            results.append({"kind": kind, "length": length, "accuracy": accuracy,
                            "parameters": parameters, "seconds": seconds})  # fmt: skip
    return results
    # END SOLUTION

# %% tags=["demo"]
with once_answered("length_study"):
    results = length_study()
    _, ax = plt.subplots(figsize=(6, 3.2))
    for kind, marker in zip(("rnn", "lstm", "gru"), "osD", strict=True):
        rows = sorted((row for row in results if row["kind"] == kind), key=lambda row: row["length"])
        lengths = [row["length"] for row in rows]
        ax.plot(lengths, [row["accuracy"] for row in rows], marker=marker, label=kind)
        print(f"{kind:5}", *(f"{row['accuracy']:5.1f} % in {row['seconds']:.1f} s " for row in rows),
              f"{rows[0]['parameters']} parameters")  # fmt: skip
    ax.axhline(50, color="0.4", linestyle=":", label="guessing")
    ax.set(xlabel="length (steps)", ylabel="held-out accuracy (%)", title="Sign of the sum", ylim=(40, 100))
    ax.set_xticks(lengths)
    ax.legend(fontsize="small")
    plt.show()

# %% [markdown]
# *Figure:* Held-out accuracy on the sign of the sum, against the length: highest at 50 steps, and nearer to
# guessing at 100 and 200, with ups and downs from one seed.

# %% [markdown]
# A rule of thumb, to be overruled by your own measurements:
#
# | situation | start with | why |
# |---|---|---|
# | sequences of a few steps, tiny budget | plain RNN | fewest parameters; nothing to forget |
# | memory over dozens to hundreds of steps, little data | GRU | 3/4 of the LSTM's parameters, often as good |
# | exact long memory, counting, many steps | LSTM | its cell state can add up without bound |
# | stream on a small device, one value at a time | GRU or LSTM | constant memory and time for each step |
# | much data, long contexts, a GPU | attention | all steps at once; notebooks 6 and 7 |
#
# "GRUs are faster" and "LSTMs are better" are both too simple. Greff et al. (2017) compared eight LSTM
# variants in thousands of runs: none beat the standard one clearly; forget gate and output activation
# mattered most. Weiss et al. (2018) showed that LSTMs can count and GRUs cannot: a GRU's state is a mean and
# stays between -1 and 1.

# %% [markdown]
# **Bidirectional?** Only if the whole sequence is there before you answer: yes for review sentences, no for a
# stream that is answered while it runs.
#
# ### Question: what the gates buy
# **2 points · about 15 minutes.** Answer in three to five sentences each, and support what you say with
# figures from *this* notebook.
#
# 1. Why do LSTM and GRU learn from longer sequences than a plain RNN? Name the path that the gradient takes
#    and what it is multiplied by. When does it vanish all the same?
# 2. How do LSTM and GRU differ: gates, states, parameters, time and results in your runs?
# 3. Which would you take for (a) 50,000 sensor readings a second on a microcontroller, (b) sentences of 20
#    words with 8,000 labels, (c) a plain signal of ten steps? Give a reason for each, and say what you would
#    measure to change your mind.

# %% [markdown] exercise="lstm_gru_analysis"
# **1.** In a plain RNN the gradient passes a matrix and the derivative of tanh at every step; the product of
# fifty such factors is near zero or explodes. In an LSTM it can run along the cell state, where each step
# multiplies it by the forget gate alone; in a GRU (as written here) by $1 - z$ along the state. Gates near 1
# keep it: with open gates both reached 100 % on delayed recall at 200 steps, where the plain RNN had 26 %. It
# vanishes all the same if gates are half open: with PyTorch's usual biases the forget gate starts near 0.5,
# and the same LSTM guessed (12 %) even at 50 steps. Clipping does not cure that: it only tames gradients that
# are too large.
#
# **2.** The LSTM has three gates and a candidate, and two states, $h$ and $C$. The GRU has two gates and a
# candidate, and one state; keeping and writing are tied together by $1 - z$ and $z$. With one input and 64
# units in two layers that is 50,432 parameters against 37,824, exactly 3/4. In my runs the GRU needed *more*
# time nonetheless, since PyTorch has a fused LSTM kernel for this CPU. Both solved recall; the errors in
# forecasting were all near 0.02. On the sign of the sum first one, then the other was ahead, with one seed:
# too little to call.
#
# **3.** (a) A small GRU, or a plain RNN if the signal is short-lived: constant memory for each step, fewest
# multiplications; I would measure time per step on the device. (b) An LSTM or GRU of about 32 units with
# small embeddings, as here (about 76 %); more data or pretrained embeddings would matter more than the kind,
# so I would compare both over five seeds. (c) A plain RNN, or no recurrence at all: in forecasting from 30
# steps it kept up with the gated ones. I would change my mind if the accuracy fell as the signal got longer.

# %% [markdown] rubric="lstm_gru_analysis"
# - 0.7 points: question 1. The additive path through $C$ (or $h$ in the GRU) and the product of gates (0.4);
#   that it vanishes with gates below 1, or what the bias does (0.3).
# - 0.7 points: question 2. Gates and states right (0.3); the ratio 4 to 3 or counted parameters (0.2);
#   measured time and results, with a word on their uncertainty (0.2).
# - 0.6 points: question 3. A fitting choice with a reason (0.1 each), and a measurement that could overturn
#   it (0.1 each).

# %% [markdown]
# ## Summary
# 1. A gate is a sigmoid that multiplies. It decides what to keep, what to write and what to show.
# 2. The LSTM's cell state is changed by multiplying and adding alone: along it the gradient is multiplied by
#    the forget gate.
# 3. Gates must be *open* to carry memory: start the forget gate's bias high.
# 4. A GRU has two gates, one state and 3/4 of the parameters; conventions differ between books and PyTorch.
# 5. Compare with a baseline (persistence, guessing), on data that were not trained on, over several seeds.

# %% [markdown]
# ## Three questions to think about
# - What does an LSTM compute if all its forget gates are 1 and all its input gates 0? And a GRU with $z = 0$?
# - Why can an LSTM's cell state exceed 1, and its hidden state not?
# - A forecaster that repeats the last value has a plot that looks almost perfect. How would you unmask it?

# %% [markdown]
# ## Where to read on
# - Hochreiter, Schmidhuber 1997, *Long Short-Term Memory*; Gers et al. 2000, *Learning to Forget*
# - Cho et al. 2014, *Learning Phrase Representations using RNN Encoder-Decoder*
# - Chung et al. 2014, *Empirical Evaluation of Gated Recurrent Neural Networks on Sequence Modeling*
# - Jozefowicz et al. 2015, *An Empirical Exploration of Recurrent Network Architectures*
# - Greff et al. 2017, *LSTM: A Search Space Odyssey*; Tallec, Ollivier 2018, *Can Recurrent Neural Networks
#   Warp Time?*
# - Weiss et al. 2018, *On the Practical Computational Power of Finite Precision RNNs for Language
#   Recognition*
