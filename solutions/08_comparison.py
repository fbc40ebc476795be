# %% [markdown]
# # 8. Comparison and analysis
#
# **You will be able to** compare models so that the comparison means something: same data, same seed, chosen on
# validation data, tested once, with intervals. You will measure what a structure in the network buys, what precision
# and length cost, and pick an architecture for a task with reasons.
#
# **You need** notebooks 3, 5 and 7. **Time:** about 75 minutes.

# %%
import contextlib
import copy
import math
import time
from statistics import NormalDist

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from dlcourse import check, once_answered
from dlcourse.data import batches, mnist1d
from dlcourse.plotting import COLORS, use_style
from dlcourse.training import fit, predict, profile, set_seed

use_style()
torch.set_num_threads(1)  # for models this small, a second thread costs more than it brings


def accuracy(model, X, y):
    """Percent of the samples whose highest logit is that of their class; in eval mode, without a graph."""
    return 100 * (predict(model, X).argmax(1) == y).float().mean().item()

# %% [markdown]
# ## 1. What a fair comparison needs
#
# "Model A has 97.3 %, model B has 96.8 %" says little by itself. Five things have to be equal, or told:
#
# 1. **Data.** The same training, validation and test samples for all.
# 2. **Effort.** The same number of epochs, and the same care in choosing learning rates.
# 3. **Size.** Parameters or operations. A bigger model that wins has not shown that its *kind* is better.
# 4. **Choice.** The validation set chooses epoch, learning rate, everything. The test set is used once.
# 5. **Chance.** Another seed, another test set: by how much would the figures move?

# %% [markdown]
# **A common error** is to print the test accuracy after each epoch and report the highest. The test set has then
# chosen the epoch, and the figure is too good. The more epochs and models there are to choose from, the more it
# flatters.
#
# We start with size.

# %% [markdown]
# ### Exercise: count parameters
# **1 point · about 5 minutes.** `count_parameters(model, trainable_only=True)` returns an `int`: how many numbers the
# model's parameters hold.
#
# - With `trainable_only=True` frozen parameters (`requires_grad=False`) are left out.
# - A parameter that is used in two places counts once.
# - Buffers, such as the running mean of batch norm, are no parameters.
#
# <details><summary>Hint</summary>`model.parameters()` yields every parameter once, from all nested modules. `numel`
# is the number of entries of a tensor.</details>

# %% exercise="count_parameters"
def count_parameters(model, trainable_only=True):
    """The number of parameters of a model: of the trainable ones, or of all."""
    # BEGIN SOLUTION
    return sum(
        parameter.numel()
        for parameter in model.parameters()
        if parameter.requires_grad or not trainable_only
    )
    # END SOLUTION

# %% [markdown]
# ## 2. Five sequence models on one task
#
# The task is old and fair (Hochreiter and Schmidhuber 1997 used a relative of it). Each step carries a random value
# and a mark. Two steps of thirty are marked. **Do the two marked values add up to more than 0?** A model must skip 28
# steps, and remember the first value until the second comes. Guessing gives 50 %.

# %% tags=["demo"]
def marked_sums(n, seed, steps=30):
    """X (n, steps, 2), values and marks; y (n,), 1 where the two marked values add up to more than 0."""
    source = torch.Generator().manual_seed(seed)
    values = torch.randn(n, steps, generator=source)
    places = torch.rand(n, steps, generator=source).argsort(dim=1)[:, :2]  # two different steps
    marks = torch.zeros(n, steps).scatter_(1, places, 1.0)
    return torch.stack([values, marks], dim=2), ((values * marks).sum(dim=1) > 0).long()


task = {"train": marked_sums(2000, seed=1), "val": marked_sums(500, seed=2), "test": marked_sums(2000, seed=3)}
X, y = task["train"]
print(f"X {tuple(X.shape)}, y {tuple(y.shape)}, share of class 1: {y.float().mean():.2f}")
marked = X[0][X[0, :, 1] == 1]
print(f"first sample: marked values {marked[0, 0]:.2f} and {marked[1, 0]:.2f}, class {y[0].item()}")

# %% [markdown]
# The recurrent ones read the state after the last step. The LSTM with attention and the transformer average over all
# steps, as in notebooks 6 and 7. All have a width of 32.

# %% tags=["demo"]
class Recurrent(nn.Module):
    """An RNN, LSTM or GRU, with self-attention over its states if asked for; (B, T, 2) to (B, 2)."""

    def __init__(self, layer, width=32, attention=False):
        super().__init__()
        self.layer = layer(2, width, batch_first=True)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True) if attention else None
        self.norm, self.fc = nn.LayerNorm(width) if attention else nn.Identity(), nn.Linear(width, 2)

    def forward(self, x):
        states, _ = self.layer(x)
        if self.attention is None:
            return self.fc(states[:, -1])
        context, _ = self.attention(states, states, states, need_weights=False)
        return self.fc(self.norm(states + context).mean(dim=1))

# %% tags=["demo"]
class Encoder(nn.Module):
    """One transformer block over embedded steps with learned positions, and their mean; (B, T, F) to (B, K)."""

    def __init__(self, features, steps, width, heads, feedforward, classes):
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.positions = nn.Parameter(0.5 * torch.randn(1, steps, width))
        self.block = nn.TransformerEncoderLayer(width, heads, feedforward, 0.0, batch_first=True, norm_first=True)
        self.norm, self.fc = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        return self.fc(self.norm(self.block(self.embed(x) + self.positions)).mean(dim=1))


sequence_models = {
    "RNN": lambda: Recurrent(nn.RNN),
    "LSTM": lambda: Recurrent(nn.LSTM),
    "GRU": lambda: Recurrent(nn.GRU),
    "LSTM + attention": lambda: Recurrent(nn.LSTM, attention=True),
    "transformer": lambda: Encoder(2, 30, width=32, heads=4, feedforward=64, classes=2),
}

# %% [markdown]
# `fit(..., keep_best=True)` from the course's helper restores the weights of the epoch with the lowest validation
# *loss*. The test set is touched once, at the end. Which test samples each model gets right is kept: section 4 needs
# it.

# %% tags=["demo"]
epochs = 10 if profile() == "cpu" else 20
histories, rows, right = {}, {}, {}
for name, build in sequence_models.items():
    set_seed(0)
    model = build()
    history = fit(model, task["train"], task["val"], epochs=epochs, lr=3e-3, batch_size=50, max_norm=1.0, keep_best=True)
    best_epoch = min(range(epochs), key=lambda epoch: history.val_loss[epoch])
    right[name] = (predict(model, task["test"][0]).argmax(1) == task["test"][1]).long()
    size = sum(parameter.numel() for parameter in model.parameters())
    rows[name] = [size, 100 * right[name].float().mean().item(), history.val_accuracy[best_epoch], epochs, sum(history.seconds)]
    lists = {"train_loss": history.train_loss, "val_loss": history.val_loss, "val_acc": history.val_accuracy}
    histories[name] = lists

columns = ["parameters", "test_accuracy", "best_val_accuracy", "epochs", "seconds"]
results = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("model")
results = results.sort_values("test_accuracy", ascending=False)
print(results.round(1).to_string())

# %% [markdown]
# Read the table with care. Guessing gives 50 %. The plain RNN stays close to that: its gradient vanishes over so many
# steps (measured in notebook 4). The other four are far above it. But the sizes differ by up to eight times, and
# there was one seed. So the table compares five *trained networks*, not five kinds of network. What the test set says
# about these five is the subject of section 4. Section 3 compares kinds: at equal size, with three seeds.

# %% tags=["demo"]
for name, lists in histories.items():
    passed = [epoch for epoch, percent in enumerate(lists["val_acc"], start=1) if percent > 75]
    print(f"{name:18} above 75 % on the validation set from {f'epoch {passed[0]}' if passed else 'no epoch'} on")

# %% [markdown]
# ### Exercise: compare models
# **3 points · about 20 minutes.** Make such a table for any models. `compare_models(models, train, val, test, epochs,
# seed=0)` returns a `pandas.DataFrame`.
#
# - `models`: a dict from a name to a function without arguments that builds the model. `train`, `val`, `test`: pairs
#   `(X, y)` of tensors.
# - For each model: set PyTorch's seed (`set_seed(seed)` will do), then build it, with a new optimizer, and train it
#   on `train` for `epochs` epochs by cross entropy. Optimizer and batch size are free. All models see the same data,
#   with the same seed.
# - After each epoch measure it on `val`. At the end put back the weights of the **best validation epoch** (the first,
#   if several are equally good; by accuracy or by loss) and test them on `test`.

# %% [markdown]
# - The index is named `model`. The columns are `parameters` (all, frozen ones too), `test_accuracy` and
#   `best_val_accuracy` (that of the best epoch), both in percent, `epochs` (how many it was trained), and `seconds`
#   (more than 0). Nothing is rounded.
# - The highest test accuracy stands first.
#
# `accuracy(model, X, y)`, defined at the top, is there for you; so is `dlcourse.training.fit`.
#
# <details><summary>Hint</summary>What does `model.state_dict()` hold after one more training step: the old weights,
# or the new ones? And where must the seed be set, so that every model starts from the same random state?</details>

# %% exercise="compare_models"
def compare_models(models, train, val, test, epochs, seed=0):
    """One row for each model: trained alike, tested with the weights of its best validation epoch; best first."""
    # BEGIN SOLUTION
    rows = {}
    for name, build in models.items():
        set_seed(seed)  # every model starts from the same random state
        start = time.perf_counter()
        model, best, weights = build(), -1.0, None
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        shuffling = torch.Generator().manual_seed(seed)
        for _ in range(epochs):
            model.train()
            for x, y in batches(*train, batch_size=50, generator=shuffling):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
            score = accuracy(model, *val)
            if score > best:  # of equally good epochs the first stays
                best, weights = score, copy.deepcopy(model.state_dict())
        model.load_state_dict(weights)
        size = count_parameters(model, trainable_only=False)
        tested = accuracy(model, *test)
        rows[name] = [size, tested, best, epochs, time.perf_counter() - start]
    names = ["parameters", "test_accuracy", "best_val_accuracy", "epochs", "seconds"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("model")
    return table.sort_values("test_accuracy", ascending=False)
    # END SOLUTION

# %% [markdown]
# Yours, on two of the models and for three epochs:

# %% tags=["demo"]
with once_answered("compare_models"):
    two = {name: sequence_models[name] for name in ("LSTM", "GRU")}
    print(compare_models(two, task["train"], task["val"], task["test"], epochs=3).round(1).to_string())

# %% [markdown]
# ### Exercise: comparison plots
# **1 point · about 10 minutes.** `comparison_plots(histories, results)` returns a matplotlib `Figure` with 2×2
# panels:
#
# - three of training loss, validation loss and validation accuracy, each by epoch with one line a model;
# - one with a point for each model: its parameters (x) and its test accuracy (y).
#
# `histories[name]` has the lists `train_loss`, `val_loss` and `val_acc`; they may differ in length. `results` is a
# table as from `compare_models`, in another order than `histories`. Epochs may be counted from 0 or 1, and the
# parameters drawn in thousands. **Every** panel has axis labels, a title and a legend with all models.
#
# <details><summary>Hint</summary>Draw the points in a loop, one `scatter` a model, so that each gets a label and a
# colour of its own.</details>

# %% exercise="comparison_plots"
def comparison_plots(histories, results):
    """Training loss, validation loss, validation accuracy, and size against test accuracy, on one sheet."""
    # BEGIN SOLUTION
    fig, axes = plt.subplots(2, 2, figsize=(10, 7))
    panels = [
        ("train_loss", "cross entropy (nats)", "Training loss"),
        ("val_loss", "cross entropy (nats)", "Validation loss"),
        ("val_acc", "validation accuracy (%)", "Validation accuracy"),
    ]
    for ax, (key, label, title) in zip(axes.flat, panels):
        for name, history in histories.items():
            ax.plot(range(1, len(history[key]) + 1), history[key], label=name)
        ax.set(xlabel="epoch", ylabel=label, title=title)
    ax = axes[1, 1]
    for name in histories:  # in the same order as above, so that each model keeps its colour
        row = results.loc[name]
        ax.scatter(row["parameters"], row["test_accuracy"], label=name)
    ax.set(xlabel="parameters", ylabel="test accuracy (%)", title="Size and accuracy")
    for ax in axes.flat:
        ax.legend()
    return fig
    # END SOLUTION

# %% tags=["demo"]
with once_answered("comparison_plots"):
    fig = comparison_plots(histories, results)

# %% [markdown]
# *Figure:* four panels for the five models. The plain RNN's losses hardly fall. The other curves bend in the order of
# the epochs printed in section 2. In the last panel the RNN lies low on the left, GRU and LSTM high in the middle,
# the two largest high on the right.

# %% [markdown]
# ## 3. What a built-in assumption buys
#
# A convolution assumes that neighbours belong together, and that a pattern means the same anywhere. A recurrent layer
# assumes an order, and the same rule at every step. A dense layer assumes nothing. A transformer with learned
# positions assumes hardly more: it must *learn* which positions are neighbours. Such an assumption is an **inductive
# bias**. Does it pay?
#
# The experiment: MNIST-1D (Greydanus and Kobak 2024), ten classes of short series. And a copy in which the 40 steps
# of all series are in another, fixed order: the same values and the same information, but no neighbourhoods.

# %% tags=["demo"]
series, shuffled = mnist1d(), mnist1d(shuffled=True)
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
for ax, data, title in zip(axes, (series, shuffled), ("MNIST-1D", "steps shuffled")):
    for label in (0, 3, 7):
        first = (data[1] == label).nonzero()[0].item()
        ax.plot(data[0][first], label=f"class {label}")
    ax.set(xlabel="step", title=title)
axes[0].set_ylabel("value (standard deviations)")
axes[0].legend(loc="upper left")
plt.show()

# %% [markdown]
# *Figure:* the same three series twice. On the left they are smooth waves with a shape each. On the right the same
# values in shuffled order look like noise.
#
# Four models of nearly equal size, within 2 %. Each is trained on the first 3,400 training series for the same number
# of epochs, by the same rule: Adam with a learning rate that first rises, then falls to nearly 0 (one cycle), batches
# of 100. The other 600 choose the epoch.

# %% tags=["demo"]
class OneRow(nn.Module):
    """Gives series (B, 40) an axis for features or channels before the network, and reads a GRU's last state."""

    def __init__(self, axis, net, fc=None):
        super().__init__()
        self.axis, self.net, self.fc = axis, net, fc

    def forward(self, x):
        found = self.net(x.unsqueeze(self.axis))
        return found if self.fc is None else self.fc(found[1][0])


def small_cnn(classes=10):
    """Three convolutions of stride 2, 40 steps to 5, and a linear layer."""
    layers = [nn.Conv1d(1, 25, 5, 2, 1), nn.ReLU(), nn.Conv1d(25, 25, 3, 2, 1), nn.ReLU()]
    layers += [nn.Conv1d(25, 25, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(125, classes)]
    return OneRow(1, nn.Sequential(*layers))

# %% tags=["demo"]
def small_mlp(width=51):
    hidden = [nn.Linear(40, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(width, 10))


equal_models = {
    "MLP": small_mlp,
    "CNN": small_cnn,
    "GRU": lambda: OneRow(2, nn.GRU(1, 39, batch_first=True), nn.Linear(39, 10)),
    "transformer": lambda: OneRow(2, Encoder(1, 40, width=24, heads=1, feedforward=30, classes=10)),
}
for name, build in equal_models.items():
    print(f"{name:12} {sum(parameter.numel() for parameter in build().parameters()):,} parameters")

# %% tags=["demo"]
def run(build, data, seed, epochs):
    """Train one model on MNIST-1D or its copy; which of the 1,000 test series it gets right, bool (1000,)."""
    X, y, X_test, y_test = data
    set_seed(seed)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    one_cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=epochs + 1)
    fit(model, (X[:3400], y[:3400]), (X[3400:], y[3400:]), epochs=epochs, batch_size=100, scheduler=one_cycle,
        seed=seed, keep_best=True, progress=False)  # fmt: skip
    return predict(model, X_test).argmax(1) == y_test


copies, seeds, epochs = {"in order": series, "shuffled": shuffled}, (0, 1, 2), 10 if profile() == "cpu" else 30
hits = {
    (name, copy_name): torch.stack([run(build, data, seed, epochs) for seed in seeds])
    for name, build in equal_models.items()
    for copy_name, data in copies.items()
}  # (seeds, test series) each

# %% [markdown]
# Three seeds give three accuracies. Their mean has an interval too: Student's $t$ for three values, $\bar a \pm
# 4.30\, s/\sqrt 3$, where $s$ is their standard deviation. The 4.30 is large because three values say little about
# $s$.

# %% tags=["demo"]
def mean_interval(values):
    """Mean and half width of the 95 % interval for three values (Student's t, two degrees of freedom)."""
    return values.mean().item(), 4.303 * values.std().item() / math.sqrt(3)


scores = {key: 100 * found.double().mean(dim=1) for key, found in hits.items()}
print(f"{'':12} {'in order':>16} {'shuffled':>16} {'lost by shuffling':>20}")
for name in equal_models:
    parts = [scores[name, "in order"], scores[name, "shuffled"]]
    cells = [mean_interval(values) for values in (*parts, parts[0] - parts[1])]
    print(f"{name:12} " + " ".join(f"{mean:9.1f} ± {half:4.1f}" for mean, half in cells))

# %% tags=["demo"]
fig, ax = plt.subplots(figsize=(8, 4))
for number, (copy_name, marker) in enumerate(zip(copies, "os")):
    for place, name in enumerate(equal_models):
        values = scores[name, copy_name]
        x, (mean, half) = place + 0.24 * number - 0.12, mean_interval(values)
        ax.errorbar(x, mean, half, color=COLORS[number], capsize=5, linestyle="none")
        ax.plot([x] * 3, values, marker, color=COLORS[number], label=copy_name if place == 0 else None)
ax.axhline(10, color="black", linewidth=1, linestyle=":", label="guessing")
ax.set(xticks=range(4), xlabel="model, about 5,300 parameters", ylabel="test accuracy (%)", ylim=(0, 105))
ax.set_xticklabels(equal_models)
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# *Figure:* for each of the four models three dots for the series in order and three for the shuffled copy, with 95 %
# intervals. CNN and GRU stand high in order and drop far once shuffled. MLP and transformer stand lower, at about the
# same height in both.

# %% tags=["demo"]
def spread(names, copy_name):
    values = torch.cat([scores[name, copy_name] for name in names])
    return f"{values.min():.0f} to {values.max():.0f} %"


print("in order:  CNN and GRU reach", spread(["CNN", "GRU"], "in order"))
print("           MLP and transformer", spread(["MLP", "transformer"], "in order"))
print("shuffled:  all four reach", spread(list(equal_models), "shuffled"))
for name in ("CNN", "GRU"):
    leads = [mean_interval(scores[name, copy_name] - scores["MLP", copy_name]) for copy_name in copies]
    print(f"{name} - MLP:", ", ".join(f"{mean:+.1f} ± {half:.1f} points {where}" for (mean, half), where in zip(leads, copies)))

# %% [markdown]
# What the table and these lines show:
#
# - **With the right assumption, 5,300 parameters go far.** In order, the worst run of CNN and GRU is well above the
#   best of MLP and transformer.
# - **Without neighbourhoods most of that is gone.** The last column of the table says how much CNN and GRU lose by
#   shuffling: their intervals are far from 0. Shuffled, the GRU is no longer ahead of the MLP, and of the CNN's lead
#   a small part is left. So it was mostly the structure of the data that the two used, not a better optimizer or more
#   capacity.
# - **MLP and transformer do not care.** For both, 0 lies inside the interval in the last column. It has to be so:
#   where their random start knows no order of the steps, a fixed shuffle only renumbers the weights (or positions).
#   What differs is chance.

# %% [markdown]
# What they do **not** show: that transformers are weak. This one has one small block, 3,400 series and a few epochs.
# It has to learn from data what the CNN is given. With far more data that stops being a handicap (Dosovitskiy et al.
# 2021 measured the crossover for images). Nor do equal parameters mean equal cost: one weight of the CNN or GRU is
# used at many steps.

# %% [markdown]
# ## 4. Which difference is real?
#
# A test accuracy is an estimate from $n$ samples. If a model is right with probability $p$, the number of right
# answers varies by chance. The interval that textbooks print first, $\hat p \pm z\sqrt{\hat p(1-\hat p)/n}$, is poor
# near 0 and 1: 20 of 20 right gives a width of zero, as if the model could never fail. Wilson's interval (1927)
# behaves:
#
# $$\frac{\hat p + \frac{z^2}{2n} \;\pm\; z\sqrt{\frac{\hat p(1-\hat p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}$$
#
# $z$ is 1.96 for 95 %: the quantile of the normal distribution at $(1 + \text{confidence})/2$.

# %% [markdown]
# **Two models, one test set.** Overlapping intervals do not mean "no difference". Both models answered the *same*
# samples, and easy samples are easy for both. What counts is where they differ. The **paired bootstrap** (Efron 1979)
# uses that: draw $n$ of the $n$ test samples with replacement, compute the difference of the two accuracies on them,
# repeat many times. The 2.5th and 97.5th percentiles of these differences are the interval. If 0 lies outside it, the
# test set tells the models apart.
#
# **A common error** is to resample each model by itself: the interval is then for two different test sets, and mostly
# too wide.

# %% [markdown]
# ### Exercise: accuracy intervals
# **2 points · about 15 minutes.**
#
# - `wilson_interval(correct, total, confidence=0.95)` returns `(low, high)`, two fractions, by the formula above;
#   `total` is at least 1.
# - `paired_bootstrap(correct_a, correct_b, n_resamples=10_000, seed=0)` returns `(difference, low, high)` as
#   fractions. `correct_a` and `correct_b` are tensors `(n,)` of 0/1 or of booleans, for the same samples. The
#   difference is `mean(a) - mean(b)`, the ends are percentiles, by any rule for those between two values. Equal seeds
#   give equal results.
#
# <details><summary>Hint</summary>`NormalDist().inv_cdf` is the quantile function. For the bootstrap: one number a
# sample says all that is needed of a pair. Draw a matrix of row numbers with `torch.randint` and a generator.
# Booleans cannot be subtracted: convert first.</details>

# %% exercise="accuracy_interval"
def wilson_interval(correct, total, confidence=0.95):
    """Wilson's interval for a fraction, E. B. Wilson 1927: `(low, high)`."""
    # BEGIN SOLUTION
    p = correct / total
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    return centre - half, centre + half
    # END SOLUTION


def paired_bootstrap(correct_a, correct_b, n_resamples=10_000, seed=0):
    """`(difference, low, high)` of two accuracies on the same samples, 95 %: 0/1 `(n,)` each."""
    # BEGIN SOLUTION
    difference = torch.as_tensor(correct_a).double() - torch.as_tensor(correct_b).double()
    source = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(difference), (n_resamples, len(difference)), generator=source)
    means = difference[rows].mean(dim=1)
    low, high = torch.quantile(means, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return difference.mean().item(), low, high
    # END SOLUTION

# %% tags=["demo"]
with once_answered("accuracy_interval"):
    for name in results.index:
        low, high = wilson_interval(int(right[name].sum()), len(right[name]))
        print(f"{name:18} {results.loc[name, 'test_accuracy']:5.1f} %   95 % interval {100 * low:.1f} to {100 * high:.1f}")
    print()
    for better, worse in zip(results.index[:-1], results.index[1:]):
        found = paired_bootstrap(right[better], right[worse], n_resamples=2000)
        difference, low, high = (100 * value for value in found)
        verdict = "told apart" if low > 0 or high < 0 else "not told apart by this test set"
        print(f"{better} - {worse}: {difference:+.1f} points, {low:+.1f} to {high:+.1f}: {verdict}")

# %% tags=["demo"]
with once_answered("accuracy_interval"):
    best, second = (right[name].double() for name in results.index[:2])
    apart = 196 * math.sqrt((best.var() + second.var()) / len(best))  # as if on two test sets; in points
    _, low, high = paired_bootstrap(best, second, n_resamples=2000)
    print(f"first - second: half width {50 * (high - low):.2f} points in pairs, {apart:.2f} if the pairs are ignored")
    for n in (250, 1000, 4000):
        low, high = wilson_interval(9 * n // 10, n)
        print(f"90 % right of {n:5,}: 95 % interval {100 * low:.1f} to {100 * high:.1f}, half width {50 * (high - low):.1f}")

# %% [markdown]
# The differences answer the question of section 2 for neighbours in the table: "told apart" means that another test
# set of this size would most likely give the same order *for these trained models*. It does not cover another seed.
# For that, section 3 trained three times, and a careful study does both.
#
# **How large must a test set be?** The last three lines: four times the samples halve the interval. And comparing
# many pairs finds "real" differences by chance: of twenty pairs of equal models, one 95 % interval is expected to
# miss 0.

# %% [markdown]
# ## 5. What length costs
#
# Count operations, an addition and a multiplication as two. A product of a $d\times d$ matrix with a vector takes
# $2d^2$.
#
# - A **recurrent layer** of width $d$ has two such products a step, from the input and from the state: $4nd^2$ for
#   $n$ steps.
# - **Self-attention** has $QK^\top$ and weights times $V$. Each makes or uses $n^2$ weights of vectors with $d$
#   entries: $2n^2d$ each, together $4n^2d$. (Its projections cost $8nd^2$ more, linear in $n$; they are left out
#   here, as are softmax and activations.)

# %% [markdown]
# ### Exercise: the cost of attention
# **1 point · about 5 minutes.**
#
# - `layer_flops(kind, length, dim)` returns the operations as an `int`, for `kind` `"rnn"` or `"attention"`, exactly
#   as counted above. No other kind is asked for.
# - `crossover_length(dim)` returns the smallest length at which attention costs **more** than the recurrent layer.
#
# <details><summary>Hint</summary>Set the two formulas equal and solve for the length. At that length neither costs
# more.</details>

# %% exercise="attention_cost"
def layer_flops(kind, length, dim):
    """Operations of one layer on one sequence: `kind` is "rnn" or "attention" (without its projections)."""
    # BEGIN SOLUTION
    if kind == "rnn":
        return 4 * length * dim**2  # two products with d×d matrices a step, 2d² operations each
    return 4 * length**2 * dim  # QKᵀ and weights·V, 2n²d operations each
    # END SOLUTION


def crossover_length(dim):
    """The smallest length at which attention takes more operations than a recurrent layer."""
    # BEGIN SOLUTION
    return dim + 1
    # END SOLUTION

# %% tags=["demo"]
with once_answered("attention_cost"):
    lengths, dim = [2**k for k in range(3, 13)], 64
    fig, ax = plt.subplots(figsize=(7, 3.8))
    for kind in ("rnn", "attention"):
        ax.plot(lengths, [layer_flops(kind, n, dim) / 1e6 for n in lengths], marker="o", label=kind)
    ax.axvline(crossover_length(dim), color="black", linewidth=1, linestyle=":", label="crossover")
    ax.set(xscale="log", yscale="log", xlabel="length (steps)", ylabel="operations (millions)", title=f"width {dim}")
    ax.legend()
    plt.show()
    ratio = layer_flops("attention", 4096, dim) / layer_flops("rnn", 4096, dim)
    print(f"attention costs more from {crossover_length(dim)} steps on, at 4,096 steps {ratio:.0f} times as much")

# %% [markdown]
# *Figure:* operations against length, both axes logarithmic. Recurrence has the slope 1, attention the
# slope 2. The lines cross one step before the length that is printed.
#
# Operations are not time. The recurrent layer has to wait for each step; attention is two large products. So we
# measure:

# %% tags=["demo"]
def milliseconds(function, *inputs, repeats=3):
    """The fastest of a few runs, after one to warm up."""
    function(*inputs)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*inputs)
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


rnn = nn.RNN(64, 64, batch_first=True)
with torch.no_grad():
    for n in (32, 128, 512, 2048):
        x = torch.randn(1, n, 64)
        recurrent = milliseconds(rnn, x)
        attention = milliseconds(F.scaled_dot_product_attention, x, x, x)
        print(f"{n:5} steps: recurrent {recurrent:6.2f} ms, attention {attention:6.2f} ms, ratio {attention / recurrent:.2f}")

# %% [markdown]
# The ratio in the last column grows with the length, as the laws say. But at 128 steps, past the crossover, attention
# is still the faster: nothing waits. (On a GPU, not measured here, a long row of small steps leaves most of the units
# idle.)

# %% [markdown]
# ## 6. Mixed precision
#
# A float32 number has 32 bits. **bfloat16** has 16: the same range, but only 2 to 3 decimal digits. **float16** has
# 16 too: a little over 3 digits, and a range that ends at 65,504, with small gradients that underflow to 0. GPUs (and
# some CPUs) multiply 16-bit numbers several times faster.
#
# *Mixed* precision (Micikevicius et al. 2018) keeps the weights in float32 and casts where it is safe.
# `torch.autocast` does that: matrix products in 16 bits, losses and norms in 32. Two rules:
#
# - The **forward pass** stands under autocast, backward and step outside.
# - float16 needs a **scaler**: it multiplies the loss by a large factor, so that small gradients survive; it divides
#   the gradients before the step, and leaves the step out when one overflowed.

# %% tags=["demo"]
one = torch.tensor(1.0)
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    info = torch.finfo(dtype)
    next_one = one + info.eps
    print(f"{str(dtype):15} next number after 1: {next_one.item():.7f}, largest {info.max:.2e}, smallest normal {info.tiny:.1e}")

# %% [markdown]
# ### Exercise: a training step in mixed precision
# **2 points · about 15 minutes.** `amp_train_step(model, inputs, targets, criterion, optimizer, max_norm=None,
# scaler=None)` takes one training step and returns the loss as a Python `float`.
#
# - autocast for the inputs' device type (bfloat16 on the CPU, what you like on a GPU), around the forward pass. The
#   criterion may stand inside or outside; the backward pass stands outside.
# - Gradients of earlier steps are dropped before the backward pass.
# - `max_norm`: if given, the norm of the **true** gradients is clipped to it (`nn.utils.clip_grad_norm_`).
# - `scaler`: if given, a `torch.amp.GradScaler`. Use its `scale`, `unscale_`, `step` and `update`. The loss returned
#   is not scaled.
#
# <details><summary>Hint</summary>What are the gradients multiplied by between backward and unscaling? In which order
# must clipping and unscaling stand?</details>

# %% exercise="mixed_precision"
def amp_train_step(model, inputs, targets, criterion, optimizer, max_norm=None, scaler=None):
    """One step in mixed precision, Micikevicius et al. 2018; returns the loss, not scaled."""
    # BEGIN SOLUTION
    wants_half = inputs.device.type == "cuda" and scaler is not None
    dtype = torch.float16 if wants_half else torch.bfloat16  # float16 needs a scaler
    if scaler is None:  # a scaler that does nothing saves the branches
        scaler = torch.amp.GradScaler(inputs.device.type, enabled=False)
    optimizer.zero_grad()
    with torch.autocast(inputs.device.type, dtype=dtype):
        loss = criterion(model(inputs), targets)
    scaler.scale(loss).backward()
    if max_norm is not None:
        scaler.unscale_(optimizer)  # the bound is meant for the true gradients
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()
    # END SOLUTION

# %% [markdown]
# **A common error: one autocast context around a whole epoch.** autocast casts each weight *once* and keeps the cast
# until the outermost context ends. If the optimizer changes the weights before that, the forward pass goes on using
# the old cast. No error, no warning: the loss just does not move. Open the context anew for every forward pass, and
# nest it in no other.

# %% tags=["demo"]
def losses_of(around_epoch, steps=60):
    """Losses of a linear model, and how far a weight moved: one autocast context around all steps, or one for each."""
    torch.manual_seed(0)
    model, (X, y, *_) = nn.Linear(40, 10), series
    optimizer, losses, start = torch.optim.SGD(model.parameters(), lr=0.5), [], model.weight.detach().clone()
    with torch.autocast("cpu", torch.bfloat16) if around_epoch else contextlib.nullcontext():
        for _ in range(steps):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(model(X[:500]), y[:500])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses, (model.weight - start).abs().max().item()


for words, around_epoch in (("one context for each forward pass", False), ("one context around the epoch", True)):
    losses, moved = losses_of(around_epoch)
    print(f"{words}: loss {losses[0]:.3f}, after {len(losses)} steps {losses[-1]:.3f}; a weight moved by up to {moved:.2f}")

# %% [markdown]
# In the first line the loss falls. In the second both losses are the same. The weights *did* move, but no forward
# pass saw it.
#
# Does half the precision cost accuracy? The CNN of section 3, with your step and without, from three seeds:

# %% tags=["demo"]
def trained_in(mode, seed, epochs=3):
    """Test accuracy in percent of a CNN trained in "float32" or, with your step, in "bfloat16"."""
    X, y, X_test, y_test = series
    set_seed(seed)
    model, source = small_cnn(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for inputs, targets in batches(X, y, batch_size=100, generator=source):
            if mode == "bfloat16":
                amp_train_step(model, inputs, targets, nn.CrossEntropyLoss(), optimizer)
            else:
                optimizer.zero_grad()
                F.cross_entropy(model(inputs), targets).backward()
                optimizer.step()
    return accuracy(model, X_test, y_test)

# %% tags=["demo"]
with once_answered("mixed_precision"):
    found = {}
    for mode in ("bfloat16", "float32"):
        start = time.perf_counter()
        found[mode] = torch.tensor([trained_in(mode, seed) for seed in seeds], dtype=torch.float64)
        mean, half = mean_interval(found[mode])
        print(f"{mode:9} {mean:.1f} ± {half:.1f} % in {time.perf_counter() - start:.1f} s")
    mean, half = mean_interval(found["bfloat16"] - found["float32"])
    print(f"bfloat16 - float32: {mean:+.1f} ± {half:.1f} points")

# %% [markdown]
# Both learn. If 0 lies within the last line's interval, these runs show no loss of accuracy; three seeds say no more
# than that interval does. Time is another matter: compare the seconds. For a model as small as this, on a CPU, the
# casts can cost what they save. Measure before you believe a speed-up.

# %% [markdown]
# ## 7. Transfer learning in one figure
#
# Features learned on one task often serve another. The experiment: train the CNN on the classes 0 to 4 of MNIST-1D,
# then give it a few samples of each of the classes 5 to 9. Three ways:
#
# - **from scratch**: random weights;
# - **frozen**: the pretrained convolutions stay fixed, only a new last layer learns;
# - **fine-tuned**: pretrained weights and a new last layer, all of it learns.

# %% tags=["demo"]
def classes(X, y, first):
    """The samples of five classes from `first` on, numbered from 0."""
    keep = (y >= first) & (y < first + 5)
    return X[keep], y[keep] - first


X, y, X_test, y_test = series
set_seed(0)
pretrained = small_cnn(classes=5)
optimizer = torch.optim.Adam(pretrained.parameters(), lr=0.01)
one_cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=16)
history = fit(pretrained, classes(X, y, 0), epochs=15, batch_size=50, scheduler=one_cycle, progress=False)
print(f"pretraining: {history.train_accuracy[-1]:.1f} % on the classes 0 to 4")

# %% tags=["demo"]
def transfer(way, shots, seed, steps=120):
    """Test accuracy on the classes 5 to 9, after training on a few samples of each."""
    X_new, y_new = classes(X, y, 5)
    source = torch.Generator().manual_seed(seed)
    shuffle = torch.randperm(len(y_new), generator=source)
    few = torch.cat([shuffle[y_new[shuffle] == label][:shots] for label in range(5)])
    set_seed(seed)
    model = small_cnn(classes=5)
    if way != "from scratch":
        model.net[:-1].load_state_dict(pretrained.net[:-1].state_dict())  # all but the last layer
    model.net[:-1].requires_grad_(way != "frozen")
    batch = min(50, 5 * shots)
    fit(model, (X_new[few], y_new[few]), epochs=steps * batch // (5 * shots), batch_size=batch, lr=3e-3, seed=seed, progress=False)
    return accuracy(model, *classes(X_test, y_test, 5))


shots = (5, 20, 100)
ways = ("from scratch", "frozen", "fine-tuned")
gained = {way: torch.tensor([[transfer(way, n, seed) for n in shots] for seed in seeds]) for way in ways}

# %% tags=["demo"]
fig, ax = plt.subplots(figsize=(7, 4))
for way, values in gained.items():
    (line,) = ax.plot(shots, values.mean(dim=0), marker="o", label=way)
    ax.fill_between(shots, values.amin(dim=0), values.amax(dim=0), color=line.get_color(), alpha=0.15)
ax.set(xscale="log", xticks=shots, xlabel="training samples of each new class", ylabel="test accuracy, classes 5 to 9 (%)")
ax.set_xticks([], minor=True)
ax.set_xticklabels(shots)
ax.legend()
plt.show()
for way, values in gained.items():
    print(f"{way:27}" + "".join(f"   {n:3} samples: {mean:4.0f} %   " for n, mean in zip(shots, values.mean(dim=0))))
for one, other in (("frozen", "from scratch"), ("fine-tuned", "from scratch"), ("fine-tuned", "frozen")):
    cells = [mean_interval(column) for column in (gained[one] - gained[other]).T]
    print(f"{f'{one} - {other}':27}" + "".join(f"   {n:3} samples: {m:+4.0f} ± {h:2.0f}" for n, (m, h) in zip(shots, cells)))

# %% [markdown]
# *Figure:* accuracy on the new classes against training samples of each, logarithmic, with bands from the worst to
# the best of three seeds. Both pretrained ways lie above training from scratch throughout. With 5 and 20 samples the
# two are close; with 100 fine-tuning is clearly ahead.
#
# What the last three lines support: fine-tuning beats training from scratch at every number of samples. With 5 and 20
# samples training the last layer alone is as good. With 100 fine-tuning is ahead of it, and the frozen model no longer
# surely ahead of training from scratch.
#
# Rules of thumb, not measured here: fine-tune with a smaller learning rate than in pretraining; keep batch norm of a
# frozen part in eval mode; normalise inputs as in the pretraining. And a pretrained model is no magic: where the
# tasks have little in common nothing is gained, and only the measurement tells.

# %% [markdown]
# ## 8. A guide to selection
#
# | data or task | start with | because | try next |
# |---|---|---|---|
# | table, unordered columns | gradient-boosted trees, or an MLP (ANN) | no neighbours, no order | embeddings for categories |
# | images, classification | CNN with skips, pretrained | locality, shared filters | vision transformer, with much data |
# | short sequences, small budget | RNN or GRU | few parameters | a 1-D CNN |
# | long series, streaming | LSTM or GRU | constant memory a step | dilated CNN, state-space model |
# | language | pretrained transformer | any two tokens one step apart | retrieval, smaller model |
# | detection (what is where) | pretrained CNN with a detection head (Faster R-CNN, YOLO) | boxes at several scales | DETR |
# | segmentation (each pixel) | U-Net | skips bring back the detail | pretrained encoder |
# | generation of images | diffusion | stable training, variety | GAN where one pass must do |
# | generation of text | decoder-only transformer | predicts the next token | smaller model, fine-tuned |

# %% [markdown]
# It says where to *start*. What decides: how much data, how much time an answer may take, whether steps arrive one by
# one, what is pretrained already.

# %% [markdown]
# ### Exercise: which architecture?
# **2 points · about 8 minutes.** Ten scenarios. Give each exactly one of `"ANN"`, `"CNN"`, `"RNN"`, `"LSTM"`,
# `"GRU"`, `"Transformer"`.
#
# | key | scenario |
# |---|---|
# | `credit_scoring` | 20 unordered columns of a table, one label a row |
# | `xray_findings` | findings on X-ray images of one fixed size, few parameters |
# | `short_signals` | sequences of five readings; the simplest recurrent layer will do |
# | `machine_wear` | hourly sensor series in which weeks matter; a recurrent layer with a cell state |
# | `keyword_spotting` | a gated recurrent layer, with the fewest parameters |
# | `translation` | translation with much data and parallel training over all positions |
# | `house_prices` | price from area, age and number of rooms |
# | `defect_photos` | scratches on photographs, wherever they are in the picture |
# | `code_completion` | any earlier token of a long file may matter; quadratic memory is accepted |
# | `faster_than_lstm` | replace an LSTM by its close relative with two gates and without a cell state |

# %% exercise="architecture_quiz"
architecture_choice = {
    "credit_scoring": None, "xray_findings": None, "short_signals": None, "machine_wear": None, "keyword_spotting": None,
    "translation": None, "house_prices": None, "defect_photos": None, "code_completion": None, "faster_than_lstm": None,
}  # fmt: skip
# BEGIN SOLUTION
architecture_choice = {
    "credit_scoring": "ANN",
    "xray_findings": "CNN",
    "short_signals": "RNN",
    "machine_wear": "LSTM",
    "keyword_spotting": "GRU",
    "translation": "Transformer",
    "house_prices": "ANN",
    "defect_photos": "CNN",
    "code_completion": "Transformer",
    "faster_than_lstm": "GRU",
}
# END SOLUTION

# %% [markdown]
# ## 9. Good practice, on one page
#
# **Before training.** A baseline first: guessing, the most frequent class, persistence, a linear model. Look at
# samples. Split before you compute any statistic. Overfit one batch: if the loss does not go to 0, there is a bug.
#
# **While training.** Adam with $10^{-3}$, then search the learning rate on a logarithmic scale; it often matters more
# than the architecture. Draw both losses. Clip gradients for recurrent models. Early stopping by the validation set,
# best weights restored.
#
# **While comparing.** Equal data, effort and seeds; one change at a time; at least three seeds; intervals. Give size
# and time beside accuracy. Report all runs.
#
# **Afterwards.** The test set once. Look at the errors: which classes, which inputs? Keep code, seed, versions and
# figures together.

# %% [markdown]
# ### Question: what to use when
# **2 points · about 15 minutes.** Answer in a few sentences each, with figures from *your* run of this notebook and
# their intervals.
#
# 1. Which of the five sequence models would you use for the task of section 2, if accuracy alone counts, and which if
#    parameters count too? Which differences does the test set support?
# 2. What do the series in order and their shuffled copy show about MLP, CNN, GRU and transformer? What do they not
#    show?
# 3. Give one task for which you would start with each: a dense network, a CNN, a recurrent network, a transformer.
#    Say which measurement would change your mind.

# %% [markdown] exercise="comparison_analysis"
# 1. *(Figures of one run; yours differ a little.)* For accuracy alone the LSTM with attention: 98.0 % on 2,000 test
#    samples, Wilson 97.3 to 98.5. It leads the transformer by 1.7 points, paired interval 0.9 to 2.6. If parameters
#    count, the GRU: 94.8 % with 3,522 parameters, where the two best have 9,000 and more. Its lead over the LSTM, 4.0
#    points (2.8 to 5.2), is supported too. The RNN, at 55 %, is hardly better than guessing. All this is one seed:
#    before deciding between LSTM with attention and transformer I would train three times.
# 2. In order, CNN and GRU reach more than 80 %, MLP and transformer 48 to 59 %, at the same size of about 5,300
#    parameters. Shuffled, all four are between 47 and 58 %. The CNN loses 28 ± 6 points, the GRU 42 ± 6, the MLP 4 ±
#    6, the transformer 1 ± 2. Of the CNN's lead over the MLP, 29 ± 13 points, 5.5 ± 2.0 are left, of the GRU's nothing.
#    So the advantage comes mostly from locality and order in the data. It is not shown that
#    transformers are weak in general (small data, one block, ten epochs), nor that the models cost the same time.
# 3. Dense: credit risk from 20 columns; gradient-boosted trees with a paired interval above 0 would change my mind.
#    CNN: scratches on photographs; a pretrained vision transformer that is better on the same test images. Recurrent:
#    a sensor stream on a small device; a 1-D CNN with equal accuracy and less time a step. Transformer: completing
#    code; if the context is short and the latency too long, a GRU.

# %% [markdown] rubric="comparison_analysis"
# - 0.7 points: question 1. A choice for each case with accuracy and parameters from the table (0.4); differences
#   supported or not, by an interval (0.3).
# - 0.7 points: question 2. Who loses by shuffling and who does not, with figures (0.3); the reason, locality and
#   order (0.2); a limit of the experiment (0.2).
# - 0.6 points: question 3. Four fitting tasks (0.1 each), and measurements that could overturn the choice (0.2).

# %% [markdown]
# ## Summary
# 1. Equal data, effort and seeds; validation chooses; the test set is used once.
# 2. At equal size, an assumption that fits the data decided: CNN and GRU led while the steps were in order, and lost
#    most of it with the neighbourhoods.
# 3. Wilson's interval for one accuracy, the paired bootstrap for two on the same samples, several seeds for the
#    training.
# 4. Recurrence costs $4nd^2$ and waits; attention costs $4n^2d$ and does not. Operations are not time: measure.
# 5. Mixed precision: autocast for each forward pass, unscale before clipping. Transfer: pretrained weights helped,
#    and to train all of them paid with a hundred samples of each class.

# %% [markdown]
# ## Three questions to think about
# - A colleague tuned the learning rate of the new model only. In which direction is the comparison bent?
# - Why does a random convolution, never trained, still beat raw pixels for some images?
# - Your new model is better on the test set, and worse for the smallest class. What do you report?

# %% [markdown]
# ## Where to read on
# - Greydanus and Kobak 2024, *Scaling Down Deep Learning with MNIST-1D*
# - Wilson 1927, *Probable Inference, the Law of Succession, and Statistical Inference*
# - Efron 1979, *Bootstrap Methods: Another Look at the Jackknife*
# - Micikevicius et al. 2018, *Mixed Precision Training*
# - Dosovitskiy et al. 2021, *An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale*
# - Yosinski et al. 2014, *How transferable are features in deep neural networks?*
# - Bouthillier et al. 2021, *Accounting for Variance in Machine Learning Benchmarks*
