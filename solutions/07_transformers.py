# %% [markdown]
# # 7. Transformers
#
# **You will be able to** tell a network the order of its tokens; build encoder and decoder blocks and a
# whole transformer from them; train it and let it write; and say what attention costs.
#
# **You need** notebook 6. **Time:** about 100 minutes.

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
from dlcourse.plotting import COLORS, plot_history, use_style
from dlcourse.training import fit, predict, set_seed

use_style()

# %% [markdown]
# ## 1. Order has to be told
#
# A transformer (Vaswani et al. 2017) keeps attention and drops recurrence. All positions are worked on at
# once. But attention sees a *set*: without help, "dog bites man" and "man bites dog" are the same to it.
#
# So each position gets a vector of its own, and that vector is *added* to the token's. The paper's are
# waves: for position $t$ and pair $i$ of features,
#
# $$PE_{t,\,2i} = \sin\!\left(t / 10000^{2i/d}\right), \qquad PE_{t,\,2i+1} = \cos\!\left(t / 10000^{2i/d}\right).$$

# %% [markdown]
# Think of a clock. The first pair is the fast hand, with a period of $2\pi$ positions. Later pairs are
# slower and slower hands, up to a period near $2\pi \cdot 10000$. All hands together tell the time.
#
# **A common error** is to write $10000^{i/d}$ with $i$ the number of the *column*. Both columns of a pair
# share one frequency: column $2i$ and column $2i+1$ both have the exponent $2i/d$.

# %% [markdown]
# ### Exercise: positional encoding
# **2 points · about 12 minutes.** `PositionalEncoding(d_model, max_len=5000, dropout=0.0)`:
#
# - a **buffer** `pe` of shape `(1, max_len, d_model)`, float32, by the formula above, $t$ from 0. Sine stands
#   in the even columns, cosine in the odd ones. A buffer moves with the model, but is not trained.
# - An odd `d_model` works too: the last column is then a sine without its cosine.
# - `forward(x)`, `x` `(B, T, d_model)`, returns `dropout(x + pe[:, :T])`: the dropout acts on the sum, and `x`
#   itself is not changed.
# - `T = max_len` is allowed; a longer `x` raises `ValueError`.
#
# <details><summary>Hint</summary>Make a table of angles, one row a position and one column a pair. Then fill
# every second column. `register_buffer` is a method of `nn.Module`.</details>

# %% exercise="positional_encoding"
class PositionalEncoding(nn.Module):
    """Adds sine and cosine waves that tell the position. Vaswani et al. 2017, section 3.5."""

    def __init__(self, d_model, max_len=5000, dropout=0.0):
        # BEGIN SOLUTION
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)  # (max_len, 1)
        exponent = torch.arange(0, d_model, 2) / d_model  # 2i/d, one for each pair
        angle = position / 10000**exponent
        pe = torch.zeros(1, max_len, d_model)
        pe[0, :, 0::2] = torch.sin(angle)
        pe[0, :, 1::2] = torch.cos(angle[:, : d_model // 2])  # odd d_model: the last sine has no cosine
        self.register_buffer("pe", pe)
        self.dropout = nn.Dropout(dropout)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        steps = x.shape[1]
        if steps > self.pe.shape[1]:
            raise ValueError(f"{steps} steps are more than max_len {self.pe.shape[1]}")
        return self.dropout(x + self.pe[:, :steps])
        # END SOLUTION

# %% tags=["demo"]
with once_answered("positional_encoding"):
    pe = PositionalEncoding(64, max_len=100).pe[0]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.2))
    image = left.imshow(pe.numpy(), cmap="cividis", aspect="auto", vmin=-1, vmax=1)
    left.set(xlabel="feature", ylabel="position", title="The table")
    figure.colorbar(image, ax=left, label="value")
    for column in (0, 1, 8, 20):
        middle.plot(pe[:40, column].numpy(), label=f"feature {column}")
    middle.set(xlabel="position", ylabel="value", title="Four columns", ylim=(-1.1, 1.9))
    middle.legend(ncols=2, loc="upper center", fontsize="small")
    for place in (20, 50, 80):
        right.plot((pe @ pe[place]).numpy(), label=f"with position {place}")
    right.set(xlabel="position", ylabel="dot product", title="Likeness", ylim=(0, 52))
    right.legend(loc="upper center", fontsize="small")
    for ax in (left, middle, right):
        ax.grid(False)
    plt.show()

# %% [markdown]
# *Figure:* Left: the table as a heat map, positions downwards, features across. The first columns
# flicker, the last hardly change. Middle: four columns as curves; features 0 and 1 are a fast sine and
# cosine, 8 and 20 slower waves. Right: dot products of three rows with all rows; each peaks at its own
# position, and all three have the same shape.

# %% [markdown]
# The right panel shows why these waves are useful: $\sin\alpha\sin\beta + \cos\alpha\cos\beta =
# \cos(\alpha-\beta)$, so the likeness of two positions depends on their *distance* alone.

# %% [markdown]
# ## 2. Rotary positions
#
# Most language models of today do not add positions. They **rotate** queries and keys (Su et al. 2021).
# Each pair of neighbouring features is a point in a plane. At position $t$, pair $i$ of $d/2$ turns by the
# angle $\varphi = t \cdot \text{base}^{-2i/d}$, with base 10000:
#
# $$(a, b) \mapsto (a\cos\varphi - b\sin\varphi,\; a\sin\varphi + b\cos\varphi).$$
#
# If the query is turned by $m$ steps and the key by $n$, their dot product feels only the difference $m-n$.
# Lengths stay as they are.

# %% [markdown]
# **Two layouts.** Some libraries pair feature $i$ with feature $i + d/2$ ("halves"), others neighbours, as
# here and in the paper. Both work. Weights trained with one are garbage with the other.
#
# ### Exercise: rotary positions
# **1 point · about 8 minutes.** `apply_rotary(x, base=10000.0)`, `x` float `(…, T, d)` with `d` even and any
# number of leading axes, returns a tensor of the same shape.
#
# - Pairs are the features $(2i, 2i+1)$, $i = 0, 1, \dots$; position $t$ counts from 0 along the axis before
#   the last.
# - $\varphi = t \cdot \text{base}^{-2i/d}$, and the rotation is the one above. `x` itself is not changed.
#
# <details><summary>Hint</summary>Slices with step 2 give all first and all second members. `torch.stack` on
# a new last axis, then `flatten`, puts pairs together again.</details>

# %% exercise="rotary"
def apply_rotary(x, base=10000.0):
    """Rotate each pair of features by its position's angle. Su et al. 2021, section 3.2."""
    # BEGIN SOLUTION
    steps, d = x.shape[-2:]
    t = torch.arange(steps, device=x.device).unsqueeze(1)
    frequency = base ** (-torch.arange(0, d, 2, device=x.device) / d)
    angle = (t * frequency).to(x.dtype)  # (T, d/2)
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)
    # END SOLUTION

# %% tags=["demo"]
with once_answered("rotary"):
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 32).expand(2, 24, 32)  # one query and one key, copied to 24 positions
    query, key = apply_rotary(query), apply_rotary(key)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    for pair, color, marker in zip((0, 2, 4), COLORS, "os^", strict=False):
        points = query[:8, 2 * pair : 2 * pair + 2]
        left.plot(*points.T.numpy(), marker=marker, color=color, label=f"pair {pair}")
        left.annotate("t=0", points[0].tolist(), fontsize="small")
    left.set(xlabel="feature 2i", ylabel="feature 2i + 1", title="t = 0 to 7", aspect="equal")
    left.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    image = right.imshow((query @ key.T).numpy(), cmap="cividis")
    right.set(xlabel="position of the key", ylabel="position of the query", title="query · key")
    figure.colorbar(image, ax=right, label="score")
    right.grid(False)
    plt.show()

# %% [markdown]
# *Figure:* Left: three pairs of a query's features at positions 0 to 7. Each pair walks along a circle, the
# first fastest. Right: scores of the same query and key at all positions. The picture is made of diagonal
# stripes: the score depends on the distance alone.

# %% [markdown]
# ## 3. The encoder block
#
# A block has two **sub-layers**: self-attention, which mixes positions, and a small **feed-forward network**
# (FFN), which works on each position by itself: $d \to d_{ff} \to d$. Around each stand a *residual
# connection* and a *layer norm*:
#
# $$x \leftarrow \mathrm{LN}(x + \mathrm{Attention}(x)), \qquad x \leftarrow \mathrm{LN}(x + \mathrm{FFN}(x)).$$
#
# - Residual: gradients have a way past each sub-layer.
# - Layer norm: each position's features get mean 0 and variance 1, then a learned scale and shift.

# %% [markdown]
# **Post-norm or pre-norm.** The formula is the paper's *post-norm*: the norm comes after the sum. Most
# later models are *pre-norm*: $x \leftarrow x + \mathrm{Attention}(\mathrm{LN}(x))$. The path of the sums is
# then never normalised, and gradients pass freely. Here are both, twelve blocks deep, on a toy task: give
# back eight symbols in reverse order. The learning rate is high, 0.01. **Warm-up** means that it grows to
# its value over the first steps.

# %% tags=["demo"]
def learn_to_flip(norm_first, warmup, steps=120, lr=1e-2):
    """Loss at each step of a deep stack of PyTorch's encoder blocks."""
    set_seed(0)
    settings = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": norm_first}
    blocks = [nn.TransformerEncoderLayer(32, 4, 64, **settings) for _ in range(12)]
    last_norm = nn.LayerNorm(32) if norm_first else nn.Identity()  # pre-norm needs one at the end
    net = nn.Sequential(*blocks, last_norm, nn.Linear(32, 10))
    symbol, position = nn.Embedding(10, 32), nn.Parameter(torch.randn(8, 32))
    optimizer = torch.optim.Adam([*net.parameters(), *symbol.parameters(), position], lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / warmup))
    losses = []
    for _ in range(steps):
        x = torch.randint(10, (32, 8))
        loss = F.cross_entropy(net(symbol(x) + position).flatten(0, 1), x.flip(1).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses

# %% tags=["demo"]
_, ax = plt.subplots(figsize=(6, 3.2))
for name, norm_first, warmup in (
    ("post-norm", False, 1), ("post-norm, warm-up of 60 steps", False, 60), ("pre-norm", True, 1)
):  # fmt: skip
    ax.plot(learn_to_flip(norm_first, warmup), label=name)
ax.axhline(math.log(10), color="0.5", linewidth=1)  # guessing
ax.set(xlabel="step", ylabel="cross entropy (nats)", title="Twelve blocks", ylim=(0, 3.9))
ax.legend(loc="upper right", fontsize="small")
plt.show()

# %% [markdown]
# *Figure:* Loss by step for three stacks of twelve blocks. Post-norm without warm-up stays at the level of
# guessing (grey). With warm-up it learns within 60 steps, but unsteadily. Pre-norm learns soonest, and
# needs no warm-up.

# %% [markdown]
# So the paper's post-norm needs a warm-up when it is deep; pre-norm forgives. In the shallow models of this
# notebook both work. (A lower rate, 0.005, trained all three.)
#
# **Padding.** `nn.MultiheadAttention` takes a `key_padding_mask` `(B, T)` in which **True means ignore**:
# the opposite of notebook 6, and of `F.scaled_dot_product_attention`. Mixing them up gives no error.

# %% [markdown]
# ### Exercise: the encoder block
# **2 points · about 12 minutes.** `TransformerEncoderBlock(d_model, num_heads, d_ff, dropout=0.1)`, post-norm
# as in the formula:
#
# - `self_attn`, an `nn.MultiheadAttention` with `batch_first=True`; `norm1` and `norm2`, two different
#   `nn.LayerNorm(d_model)`, after attention and after the FFN;
# - `ffn`, a module that holds exactly two `nn.Linear` with bias, `d_model` to `d_ff` and back, with exact GELU
#   (`nn.GELU()`) between;
# - `forward(x, key_padding_mask=None)`, `x` `(B, T, d_model)`, mask boolean `(B, T)`, True = ignore; returns
#   `(x, weights)`, the attention weights averaged over the heads, `(B, T, T)`.
# - Dropout: usual places are the attention's own, each sub-layer's output, the middle of the FFN. It is
#   checked in eval mode only, where it does nothing.
#
# <details><summary>Hint</summary>`nn.MultiheadAttention` is called with query, key and value, and returns
# a pair. Its weights are averaged unless you ask otherwise.</details>

# %% exercise="encoder_block"
class TransformerEncoderBlock(nn.Module):
    """Self-attention and a feed-forward network, post-norm. Vaswani et al. 2017, section 3.1."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1):
        # BEGIN SOLUTION
        super().__init__()
        self.self_attn = nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.GELU(), nn.Linear(d_ff, d_model))
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)
        # END SOLUTION

    def forward(self, x, key_padding_mask=None):
        # BEGIN SOLUTION
        attended, weights = self.self_attn(x, x, x, key_padding_mask=key_padding_mask)
        x = self.norm1(x + self.dropout(attended))
        x = self.norm2(x + self.dropout(self.ffn(x)))
        return x, weights
        # END SOLUTION

# %% [markdown]
# ## 4. A classifier with a CLS token
#
# A block gives one vector for each position; a class needs one for the whole sequence. BERT's answer: put a
# learned vector, the **CLS token**, in front. It has no meaning of its own. It attends to everything,
# collects what matters, and the classifier reads its final state alone.
#
# | step | shape |
# |---|---|
# | series | `(B, T, input_size)` |
# | projected | `(B, T, d_model)` |
# | CLS in front, positions | `(B, T + 1, d_model)` |
# | after the blocks | `(B, T + 1, d_model)` |
# | place 0 alone | `(B, d_model)` |
# | logits | `(B, num_classes)` |

# %% [markdown]
# ### Exercise: the classifier
# **2 points · about 12 minutes.** `TransformerClassifier(input_size=1, d_model=64, num_heads=4, num_layers=2,
# d_ff=256, num_classes=2, max_len=100, dropout=0.1)`; `forward(x)`, `x` float `(B, T, input_size)`, returns
# raw logits `(B, num_classes)`.
#
# - `cls_token`, an `nn.Parameter` `(1, 1, d_model)`, the same for all samples, stands at place 0; the data
#   follow.
# - Positions by any scheme you like (your `PositionalEncoding`, a learned table, rotary, …): the same steps in
#   another order must give other logits. Whether the CLS has a position too is free.
# - `num_layers` encoder blocks with `num_heads` heads, one after the other, each over all `T + 1` places, your
#   own or PyTorch's `nn.TransformerEncoderLayer`, pre- or post-norm, in any nn container. Logits come from the
#   final state at place 0 alone.
# - `max_len` counts the steps of `x`, *without* the CLS: `T = max_len` works, more raises `ValueError`.
#
# <details><summary>Hint</summary>One CLS for each sample: `expand`. How many places does a series of
# `max_len` steps need once the CLS is in front?</details>

# %% exercise="transformer_classifier"
class TransformerClassifier(nn.Module):
    """Encoder blocks over a learned token and a series; the token's final state is classified."""

    def __init__(self, input_size=1, d_model=64, num_heads=4, num_layers=2, d_ff=256, num_classes=2,
                 max_len=100, dropout=0.1):  # fmt: skip
        # BEGIN SOLUTION
        super().__init__()
        self.project = nn.Linear(input_size, d_model)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, d_model))
        self.positions = PositionalEncoding(d_model, max_len + 1, dropout)  # one more, for the CLS
        sizes = (d_model, num_heads, d_ff, dropout)
        self.blocks = nn.ModuleList(TransformerEncoderBlock(*sizes) for _ in range(num_layers))
        self.fc = nn.Linear(d_model, num_classes)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        cls = self.cls_token.expand(len(x), -1, -1)
        x = self.positions(torch.cat([cls, self.project(x)], dim=1))
        for block in self.blocks:
            x, _ = block(x)
        return self.fc(x[:, 0])
        # END SOLUTION

# %% [markdown]
# A task that *needs* order: noise, with one spike up and one spike down. Class 1 if the upward spike comes
# first. Mean, variance and every other statistic that ignores order is the same for both classes.

# %% tags=["demo"]
def two_spikes(n, seed, steps=20):
    """Series (n, steps, 1) with two spikes, and which comes first (1: the upward one)."""
    source = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(n, steps, generator=source)
    up, down = torch.rand(n, steps, generator=source).argsort(dim=1)[:, :2].T
    x[torch.arange(n), up] += 2
    x[torch.arange(n), down] -= 2
    return x.unsqueeze(-1), (up < down).long()


with once_answered("transformer_classifier"):
    set_seed(0)
    classifier = TransformerClassifier(d_model=32, num_layers=2, d_ff=64, max_len=20)
    held_out = two_spikes(500, seed=1)
    history = fit(classifier, two_spikes(2000, seed=0), held_out, epochs=6, lr=3e-3, progress=False)
    backwards = predict(classifier, held_out[0].flip(1)).argmax(1)
    print(f"held out: {history.val_accuracy[-1]:.1f} % right")
    print(f"read backwards: {100 * (backwards == 1 - held_out[1]).float().mean():.1f} % say the other class")

# %% [markdown]
# Read backwards, the same values get the other class: the network has used the order, and could do so only
# because positions were told.
#
# ## 5. Real sentences
#
# Now words in place of numbers, and sentences of different lengths: padding comes in. The sentences are
# the film reviews of notebook 5. A CLS token goes first, words seen fewer than three times become `<unk>`.

# %% tags=["demo"]
reviews, PLACES = movie_reviews(), 28
sentences = [re.findall(r"[a-z0-9']+", text.lower()) for text in reviews.texts]
train, test = reviews.train_indices, reviews.test_indices
count = Counter(word for i in train.tolist() for word in sentences[i])
VOCABULARY = ["<pad>", "<cls>", "<unk>", *(word for word, times in count.items() if times >= 3)]
index = {word: i for i, word in enumerate(VOCABULARY)}


def encode_words(words, places=PLACES):
    """Ids (places,): the CLS, the words, padding."""
    ids = [1] + [index.get(word, 2) for word in words[: places - 1]]
    return torch.tensor(ids + [0] * (places - len(ids)))


word_ids = torch.stack([encode_words(words) for words in sentences])
print(f"{len(train)} training sentences, {len(VOCABULARY)} words")
print(f"more positive than negative: {100 * reviews.labels[test].float().mean():.1f} % of the test sentences")

# %% tags=["demo"]
class SentenceClassifier(nn.Module):
    """Your encoder block on word vectors; the CLS is word 1, so that it learns as a word does."""

    def __init__(self, dim=32, dropout=0.2):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), dim, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.2)  # small, so that one word does not decide at first
        self.positions = PositionalEncoding(dim, 100, dropout)
        self.block = TransformerEncoderBlock(dim, num_heads=4, d_ff=64, dropout=dropout)
        self.fc = nn.Linear(dim, 2)

    def forward(self, ids):
        x, self.weights = self.block(self.positions(self.embedding(ids)), ids == 0)  # True: ignore
        return self.fc(x[:, 0])


with once_answered("encoder_block"):
    set_seed(0)
    critic = SentenceClassifier()
    data = (word_ids[train], reviews.labels[train]), (word_ids[test], reviews.labels[test])
    history = fit(critic, *data, epochs=3, lr=6e-3)
    print(f"held out: {history.val_accuracy[-1]:.1f} % right")
    fig = plot_history(history, "Review sentences")

# %% [markdown]
# *Figure:* Loss and accuracy by epoch. On training sentences both keep getting better. On held-out ones the
# accuracy settles at about 77 % after two epochs, and the loss begins to rise: overfitting.

# %% [markdown]
# Good? A count of words, without any order, does about as well here. With 8,000 sentences a transformer
# cannot learn much grammar: it shines when pre-trained on far more text.
#
# Two things to check in every model with padding: more padding must change nothing, and the words must
# matter. Try your own sentences.

# %% tags=["demo"]
def ask(sentence, places=PLACES):
    """The probability that a sentence is positive."""
    ids = encode_words(re.findall(r"[a-z0-9']+", sentence.lower()), places).unsqueeze(0)
    return predict(critic, ids).softmax(dim=1)[0, 1].item()


with once_answered("encoder_block"):
    for sentence in (
        "a warm, funny and beautiful film",
        "a dull film with a terrible script",
        "the acting is good, but the story is a mess",
        "not good at all",
    ):  # fmt: skip
        print(f"{ask(sentence):.3f} with {PLACES} places, {ask(sentence, 60):.3f} with 60:  {sentence}")

# %% [markdown]
# More padding changes nothing: the mask works.
#
# ## 6. A time series with attention
#
# The same block forecasts the course's series: two sines of periods 23 and 57 in noise. The last of 60
# steps attends to all of them, and its state gives the next value.

# %% tags=["demo"]
class SeriesForecaster(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.project = nn.Linear(1, dim)
        self.positions = PositionalEncoding(dim, 60)
        self.block = TransformerEncoderBlock(dim, num_heads=4, d_ff=64, dropout=0.0)
        self.fc = nn.Linear(dim, 1)

    def forward(self, x):
        x, self.weights = self.block(self.positions(self.project(x)))
        return self.fc(x[:, -1])


windows = two_sines().unfold(0, 61, 1)  # (windows, 61): 60 steps and the next value
past, target = windows[:, :60, None], windows[:, 60:]
seen, later = slice(0, 1440), slice(1500, None)  # the windows in between hold values of both parts
with once_answered("encoder_block"):
    set_seed(0)
    forecaster = SeriesForecaster()
    optimizer = torch.optim.Adam(forecaster.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    settings = {"epochs": 10, "scheduler": schedule, "criterion": nn.MSELoss(), "progress": False}
    history = fit(forecaster, (past[seen], target[seen]), (past[later], target[later]), **settings)
    persistence = F.mse_loss(past[later, -1], target[later])
    print(f"mean squared error: {history.val_loss[-1]:.4f}; 'as it is now': {persistence:.4f}")

# %% tags=["demo"]
with once_answered("encoder_block"):
    forecast = predict(forecaster, past[later])
    with torch.no_grad():
        forecaster(past[later])
    weight = forecaster.weights[:, -1].mean(dim=0).flip(0)  # of the last step, by lag
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), width_ratios=(3, 2))
    left.plot(target[later][:120].numpy(), label="series", color=COLORS[0])
    left.plot(forecast[:120].numpy(), label="forecast, one step ahead", color=COLORS[1])
    left.set(xlabel="step", ylabel="value", title="Held-out end of the series", ylim=(-2.6, 3.6))
    left.legend(ncols=2, loc="upper center", fontsize="small")
    right.bar(range(60), weight.numpy(), color=COLORS[2])
    right.set(xlabel="steps before the last", ylabel="mean attention weight", title="Where it looks")
    plt.show()

# %% [markdown]
# *Figure:* Left: 120 steps of the held-out series with one-step forecasts, which lie nearly on it. Right:
# the last step's mean weight on each step, by distance. Two bumps stand out, 5 to 8 steps back and about 30
# steps back.

# %% [markdown]
# The error is less than a third of persistence's; noise alone accounts for 0.01. The network was told
# nothing of the periods. It does not simply look one period back: a few places at known distances
# determine two sines of known periods. Another seed favours other distances.
#
# ## 7. The decoder, and the whole transformer
#
# The decoder writes a sequence. Its block has *three* sub-layers:
#
# 1. **causal self-attention**: a position may look at itself and at earlier ones, never at later ones;
# 2. **cross-attention**: queries from the decoder, keys and values from the encoder's output, the **memory**;
# 3. the feed-forward network.
#
# Why causal? In training the whole target is there at once (teacher forcing), so all positions learn in
# parallel. Without the mask, each could read off the answer one place to its right. It would learn
# nothing else, and fail when it has to write by itself.

# %% tags=["demo"]
torch.manual_seed(0)
layer, x = nn.MultiheadAttention(8, num_heads=2, batch_first=True).eval(), torch.randn(1, 5, 8)
changed = x.clone()
changed[0, 3] += 1.0  # another token at position 3
later = torch.ones(5, 5, dtype=torch.bool).triu(1)  # True: may not look
with torch.no_grad():
    for name, attn_mask in (("causal mask", later), ("no mask", None)):
        before = layer(x, x, x, attn_mask=attn_mask)[0]
        after = layer(changed, changed, changed, attn_mask=attn_mask)[0]
        moved = (after - before).abs().amax(dim=-1)[0] > 1e-6
        print(f"{name:12} positions whose output changes:", moved.nonzero().flatten().tolist())

# %% [markdown]
# This is *the* test for causality, for every model that writes: change a later token, and see that nothing
# earlier moves. The checks below do the same.

# %% tags=["demo"]
BOXES = [
    (0, 0, "source ids  (B, S)"), (0, 1, "embedding · √d + positions  (B, S, d)"),
    (0, 2.2, "N × encoder block:\nself-attention, FFN"), (0, 3.6, "memory  (B, S, d)"),
    (1, 0, "target ids, shifted  (B, T)"), (1, 1, "embedding · √d + positions  (B, T, d)"),
    (1, 2.2, "N × decoder block:\ncausal self-attention,\ncross-attention, FFN"), (1, 3.6, "linear  (B, T, d)"),
    (1, 4.6, "logits  (B, T, target vocabulary)"),
]  # fmt: skip
figure, ax = plt.subplots(figsize=(8.5, 4.6))
for column, height, text in BOXES:
    color = COLORS[0] if column == 0 else COLORS[1]
    style = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": color}
    ax.text(column, height, text, ha="center", va="center", bbox=style, fontsize=9)
arrow = {"arrowstyle": "->", "color": "0.3"}
for column, tops in ((0, (0.25, 1.25, 2.65)), (1, (0.25, 1.25, 2.75, 3.85))):
    for top in tops:
        ax.annotate("", (column, top + 0.48), (column, top), arrowprops=arrow)
ax.annotate("", (0.72, 2.2), (0.22, 3.6), arrowprops=arrow)
ax.text(0.5, 3.15, "keys and values\nsource padding hidden", ha="left", fontsize=8)
ax.set(xlim=(-0.5, 1.5), ylim=(-0.4, 5.0))
ax.axis("off")
plt.show()

# %% [markdown]
# *Figure:* The encoder-decoder with its shapes, bottom to top. Left, the encoder: source ids, embeddings
# times √d plus positions, N encoder blocks, memory. Right, the decoder: shifted target ids, embeddings,
# N decoder blocks, a linear layer, logits. An arrow leads from the memory to the decoder's cross-attention.

# %% [markdown]
# ### Exercise: the decoder block
# **3 points · about 14 minutes.** `TransformerDecoderBlock(d_model, num_heads, d_ff, dropout=0.1)`, post-norm:
#
# - `self_attn` and `cross_attn`, each an `nn.MultiheadAttention` with `batch_first=True`; `ffn` as in the
#   encoder block; `norm1`, `norm2`, `norm3`, in the order self-attention, cross-attention, FFN;
# - `forward(x, memory, memory_key_padding_mask=None)`, `x` `(B, T, d_model)`, `memory` `(B, S, d_model)`, mask
#   boolean `(B, S)`, **True = ignore**; returns the new states alone, `(B, T, d_model)`, and leaves `x` and
#   `memory` as they are;
# - the block makes its own causal mask, for any `T`, on the device of `x`; cross-attention sees all of the
#   memory that is not padding.
#
# <details><summary>Hint</summary>The causal mask goes in as `attn_mask`, True = may not look; the diagonal
# stays open. The padding mask goes in as `key_padding_mask`. Which of the two attentions gets which?</details>

# %% exercise="decoder_block"
class TransformerDecoderBlock(nn.Module):
    """Causal self-attention, cross-attention and a feed-forward network, post-norm. Vaswani et al. 2017."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1):
        # BEGIN SOLUTION
        super().__init__()
        self.self_attn = nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.GELU(), nn.Linear(d_ff, d_model))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        # END SOLUTION

    def forward(self, x, memory, memory_key_padding_mask=None):
        # BEGIN SOLUTION
        steps, hidden = x.shape[1], memory_key_padding_mask
        later = torch.ones(steps, steps, dtype=torch.bool, device=x.device).triu(1)
        attended, _ = self.self_attn(x, x, x, attn_mask=later, need_weights=False)
        x = self.norm1(x + self.dropout(attended))
        attended, _ = self.cross_attn(x, memory, memory, key_padding_mask=hidden, need_weights=False)
        x = self.norm2(x + self.dropout(attended))
        return self.norm3(x + self.dropout(self.ffn(x)))
        # END SOLUTION

# %% [markdown]
# ### Exercise: the whole transformer
# **3 points · about 15 minutes.** `Transformer(src_vocab_size, tgt_vocab_size, d_model=64, num_heads=4,
# num_layers=2, d_ff=128, max_len=64, dropout=0.0, pad_idx=0)`:
#
# - `encode(src)`, `src` long `(B, S)`, returns the memory `(B, S, d_model)`;
# - `decode(tgt, memory, src)`, `tgt` long `(B, T)`, returns raw logits `(B, T, tgt_vocab_size)`; `src` is there
#   for its padding alone, what it says comes from `memory`;
# - `forward(src, tgt)` does both and returns the logits. `tgt` is fed as it is: the caller shifts it.
# - Two `nn.Embedding`s of width `d_model`, one for each vocabulary. What comes out is **multiplied by
#   $\sqrt{d_{model}}$**, then gets its positions (any scheme) in encoder *and* decoder; then `num_layers`
#   encoder blocks and `num_layers` decoder blocks, one after the other; a linear layer at the end.
# - Let both embeddings *start small*: `nn.init.normal_(embedding.weight, std=d_model**-0.5)`. No check here
#   sees it, but without it the model will hardly learn to reverse strings below.
# - Source padding (`src == pad_idx`) is hidden from the encoder's self-attention *and* from cross-attention:
#   more padding changes nothing. The decoder is causal.
# - Free: pre- or post-norm, activation, kind of positions, PyTorch's layers or yours, and whether padding in
#   `tgt` is hidden. Every source row has at least one symbol; `S` and `T` go up to `max_len`.
#
# <details><summary>Hint</summary>`src == pad_idx` already has the sense that `key_padding_mask` wants. An
# `nn.TransformerEncoder` may shorten its output in eval mode: `enable_nested_tensor=False` stops
# that.</details>

# %% exercise="transformer"
class Transformer(nn.Module):
    """Encoder and decoder. Vaswani et al. 2017."""

    def __init__(self, src_vocab_size, tgt_vocab_size, d_model=64, num_heads=4, num_layers=2, d_ff=128,
                 max_len=64, dropout=0.0, pad_idx=0):  # fmt: skip
        # BEGIN SOLUTION
        super().__init__()
        self.pad_idx, self.scale = pad_idx, math.sqrt(d_model)
        self.src_embedding = nn.Embedding(src_vocab_size, d_model)
        self.tgt_embedding = nn.Embedding(tgt_vocab_size, d_model)
        for embedding in (self.src_embedding, self.tgt_embedding):
            nn.init.normal_(embedding.weight, std=1 / self.scale)  # 1 once it is scaled
        self.positions = PositionalEncoding(d_model, max_len, dropout)
        sizes = (d_model, num_heads, d_ff, dropout)
        self.encoder = nn.ModuleList(TransformerEncoderBlock(*sizes) for _ in range(num_layers))
        self.decoder = nn.ModuleList(TransformerDecoderBlock(*sizes) for _ in range(num_layers))
        self.fc = nn.Linear(d_model, tgt_vocab_size)
        # END SOLUTION

    def encode(self, src):
        # BEGIN SOLUTION
        x = self.positions(self.src_embedding(src) * self.scale)
        for block in self.encoder:
            x, _ = block(x, src == self.pad_idx)
        return x
        # END SOLUTION

    def decode(self, tgt, memory, src):
        # BEGIN SOLUTION
        x = self.positions(self.tgt_embedding(tgt) * self.scale)
        for block in self.decoder:
            x = block(x, memory, src == self.pad_idx)
        return self.fc(x)
        # END SOLUTION

    def forward(self, src, tgt):
        # BEGIN SOLUTION
        return self.decode(tgt, self.encode(src), src)
        # END SOLUTION

# %% [markdown]
# Why $\sqrt{d_{model}}$? The paper shares the embedding matrix with the last linear layer, whose weights
# start small, at a standard deviation of $1/\sqrt{d_{model}}$. Scaled up, tokens are about as large as the
# positions, whose values reach 1. *A common error* is to scale up PyTorch's embeddings as they are: these start
# at 1, become 8 for $d_{model} = 64$, and drown the positions. Tokens are then learned, their order hardly.
#
# ### Writing: greedy decoding
#
# A trained decoder gives the next symbol's logits. **Greedy decoding** takes the best one, appends it, and
# asks again, until the end symbol **EOS**. It starts from **BOS**. *Beam search* keeps several candidates;
# *sampling* draws at random, as in section 8.

# %% [markdown]
# ### Exercise: greedy decoding
# **2 points · about 12 minutes.** `greedy_decode(model, src, bos, eos, max_len)`, `src` long `(B, S)`, returns a
# long tensor `(B, n)`, $n \le$ `max_len`.
#
# - `model` has `encode`, `decode` and `forward`, as your `Transformer` has. Start each row with `bos`; at each
#   step append the symbol with the highest logit at the *last* position.
# - A row ends with its first `eos`, which is kept. After it the row holds only 0, whatever the model says. A 0
#   before it ends nothing.
# - Stop as soon as *every* row has its `eos`, or after `max_len` steps. The result has as many columns as
#   steps were taken; `bos` is not in it.
# - The model runs in eval mode and without gradients. Afterwards it is in the mode (`model.training`) in which
#   you found it, and `src` is unchanged.
#
# <details><summary>Hint</summary>Keep a boolean tensor `(B,)` of the rows that are finished. Remember the mode
# before you change it.</details>

# %% exercise="greedy_decode"
def greedy_decode(model, src, bos, eos, max_len):
    """The most probable symbol at each step: long (B, steps taken), EOS kept, 0 after it."""
    # BEGIN SOLUTION
    was_training = model.training
    model.eval()
    written = torch.full((len(src), 1), bos, dtype=torch.long, device=src.device)
    finished = torch.zeros(len(src), dtype=torch.bool, device=src.device)
    with torch.no_grad():
        memory = model.encode(src)
        for _ in range(max_len):
            logits = model.decode(written, memory, src)
            symbol = logits[:, -1].argmax(dim=-1).masked_fill(finished, 0)
            written = torch.cat([written, symbol.unsqueeze(1)], dim=1)
            finished = finished | (symbol == eos)
            if finished.all():
                break
    model.train(was_training)
    return written[:, 1:]
    # END SOLUTION

# %% [markdown]
# ### Training: strings backwards
#
# The task: read `5 9 4`, write `4 9 5` and EOS. It is easy to say, and needs every part: positions, padding, the
# mask, the shift, the end. One pair of a batch, with the longest string of 5 symbols:
#
# | | |
# |---|---|
# | source | `5 9 4 0 0` |
# | target, what the loss compares with | `4 9 5 2 0 0` |
# | decoder's input, shifted | `1 4 9 5 2 0` |
#
# At each position the decoder has seen only symbols *before* the one it is to predict.

# %% [markdown]
# ### Exercise: training on reversal
# **2 points · about 15 minutes.** `train_reversal(seed=0)` makes its own random strings, trains a `Transformer`
# on them, and returns it.
#
# - Padding 0, BOS 1, EOS 2, symbols 3 to 12: both vocabularies have 13 entries. Strings have **3 to 8** symbols.
# - The source has neither BOS nor EOS, and is padded with 0 *on the right*. The target is the string
#   reversed, then EOS.
# - Graded by greedy decoding (batches of mixed lengths, sources 8 wide): at least 95 % of hidden strings
#   exactly right, EOS included.
# - At most 60 seconds of CPU time. The reference needs about 6: one layer is enough, 500 steps of Adam on 64
#   fresh strings each, a rate that rises to 5e-3 and falls again (`OneCycleLR`).
#
# <details><summary>Hint</summary>Train until greedy decoding is right, not until the loss looks low: print
# both. If the loss is tiny and decoding fails, look at the shift and the causal mask first. If the loss falls
# only to about 1, look at how the embeddings start.</details>

# %% exercise="train_reversal"
def train_reversal(seed=0):
    """A Transformer that writes strings of 3 to 8 symbols backwards."""
    # BEGIN SOLUTION
    def batch(size, longest=8):
        """Source (size, 8) and target (size, 9)."""
        lengths = torch.randint(3, longest + 1, (size, 1), generator=source)
        place = torch.arange(8)
        src = torch.randint(3, 13, (size, 8), generator=source).masked_fill(place >= lengths, 0)
        mirrored = (lengths - 1 - place) % 8  # place j holds symbol length-1-j; padding stays on the right
        tgt = F.pad(src.gather(1, mirrored), (0, 1))
        return src, tgt.scatter(1, lengths, 2)  # EOS right after the string

    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed)
    model = Transformer(13, 13, d_model=64, num_heads=2, num_layers=1, d_ff=128, max_len=16)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    steps = 500
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps, pct_start=0.15)
    for _ in range(steps):
        src, tgt = batch(64)
        shifted = F.pad(tgt[:, :-1], (1, 0), value=1)  # BOS first, the last column dropped
        loss = F.cross_entropy(model(src, shifted).flatten(0, 1), tgt.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()
    # END SOLUTION

# %% [markdown]
# Your model on strings of its own, and its attention. `cross_weights` listens at every attention whose keys
# are not its queries, and asks for the weights.

# %% tags=["demo"]
def cross_weights(model, src, tgt):
    """The cross-attention of each decoder layer, (B, T, S) each, averaged over heads."""
    found, hooks = [], []

    def ask_for_weights(module, inputs, settings):
        return inputs, settings | {"need_weights": True, "average_attn_weights": True}

    def keep(module, inputs, settings, output):
        query, key = [*inputs, *(settings[name] for name in ("query", "key") if name in settings)][:2]
        if query is not key:
            found.append(output[1].detach())

    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            hooks.append(module.register_forward_pre_hook(ask_for_weights, with_kwargs=True))
            hooks.append(module.register_forward_hook(keep, with_kwargs=True))
    model.eval()(src, tgt)
    for hook in hooks:
        hook.remove()
    return found

# %% tags=["demo"]
with once_answered("train_reversal"), once_answered("greedy_decode"):
    start = time.process_time()
    reverser = train_reversal()
    print(f"{time.process_time() - start:.0f} seconds of CPU time")
    src = torch.tensor([[5, 9, 4, 0, 0, 0, 0, 0], [3, 12, 7, 7, 10, 6, 0, 0], [8, 3, 11, 5, 9, 4, 12, 6]])
    written = greedy_decode(reverser, src, bos=1, eos=2, max_len=9)
    print("read", *src.tolist(), "wrote", *written.tolist(), sep="\n")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=(6, 8))
    for ax, row, length in zip(axes, (1, 2), (6, 8), strict=True):
        symbols, answer = src[row : row + 1, :length], written[row : row + 1, : length + 1]
        weights = cross_weights(reverser, symbols, F.pad(answer[:, :-1], (1, 0), value=1))
        if not weights:
            print("This model does not use nn.MultiheadAttention: draw its weights your own way.")
            break
        image = ax.imshow(weights[-1][0].numpy(), cmap="cividis", vmin=0, vmax=1)
        ax.set_xticks(range(length), labels=symbols[0].tolist())
        ax.set_yticks(range(length + 1), labels=[*answer[0, :-1].tolist(), "EOS"])
        ax.set(xlabel="symbol read (key)", ylabel="symbol to be written (query)", title=f"{length} symbols")
        figure.colorbar(image, ax=ax, label="attention weight")
        ax.grid(False)
    plt.show()

# %% [markdown]
# *Figure:* Cross-attention of the last decoder layer for a string of six symbols and one of eight, mean of
# the heads; keys across, queries down. The bright cells run along the anti-diagonal, from the last symbol read to the
# first; for EOS the model looks at the first symbols.

# %% [markdown]
# ## 8. Three families
#
# | family | a position sees | trained to | used for | examples |
# |---|---|---|---|---|
# | encoder-only | all positions | guess hidden tokens | classifying, tagging, search | BERT, ViT |
# | decoder-only | itself and earlier ones | guess the next token | writing, dialogue, code | GPT, Llama |
# | encoder-decoder | source: all; target: earlier ones, and the source | write target from source | translation, summaries, speech | T5, Whisper |
#
# A decoder-only block has no memory and no cross-attention: it is an *encoder* block with a causal mask.
# The name says what it does, not which block it is made of.

# %% [markdown]
# **One that writes.** Two pre-norm blocks, letters as tokens, and *your* rotary positions. It learns the
# next letter of the review sentences, at all 32 positions at once.

# %% tags=["demo"]
class CausalBlock(nn.Module):
    def __init__(self, dim=64, heads=4):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.ffn = nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(apply_rotary(q), apply_rotary(k), v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.ffn(self.norm2(x))


LETTERS = "\n abcdefghijklmnopqrstuvwxyz.,'"
text = "\n".join(reviews.texts[i].lower() for i in train.tolist())
stream = torch.tensor([LETTERS.index(letter) for letter in text if letter in LETTERS])
layers = [nn.Embedding(len(LETTERS), 64), CausalBlock(), CausalBlock(), nn.LayerNorm(64)]
writer = nn.Sequential(*layers, nn.Linear(64, len(LETTERS)))
print(f"{len(stream):,} letters, {sum(p.numel() for p in writer.parameters()):,} parameters")

# %% tags=["demo"]
def write(start, length=160, temperature=0.6):
    """Draw letter after letter; a low temperature prefers the likely ones."""
    ids = torch.tensor([[LETTERS.index(letter) for letter in start]])
    with torch.no_grad():
        for _ in range(length):
            logits = writer(ids[:, -32:])[:, -1]
            ids = torch.cat([ids, torch.multinomial((logits / temperature).softmax(-1), 1)], dim=1)
    return "".join(LETTERS[i] for i in ids[0]).strip().replace("\n", " / ")


with once_answered("rotary"):
    set_seed(0)
    optimizer, STEPS, losses = torch.optim.AdamW(writer.parameters(), lr=1e-2), 400, []
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=STEPS, pct_start=0.1)
    for step in range(STEPS):
        window = stream[torch.randint(len(stream) - 33, (48, 1)) + torch.arange(33)]
        loss = F.cross_entropy(writer(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step in (0, 40, STEPS - 1):
            print(f"step {step + 1:3}, loss {sum(losses[-40:]) / len(losses[-40:]):.2f}:", write("\nthe "))

# %% tags=["demo"]
with once_answered("rotary"):
    pairs = torch.zeros(len(LETTERS), len(LETTERS)).index_put_((stream[:-1], stream[1:]), torch.tensor(1.0), True)
    share = pairs / pairs.sum(dim=1, keepdim=True)
    bigram = -(torch.special.xlogy(pairs, share)).sum() / pairs.sum()
    _, ax = plt.subplots(figsize=(6, 3))
    ax.plot(losses, color=COLORS[0], label="transformer")
    ax.axhline(bigram.item(), color=COLORS[1], linestyle="--", label="letter before, counted")
    ax.set(xlabel="step", ylabel="cross entropy (nats per letter)", title="Next letter")
    ax.legend()
    plt.show()

# %% [markdown]
# *Figure:* Loss of the next letter by step; dashed, the best that can be done from one letter alone
# (counted pairs). The transformer passes below that line after about 40 steps, and goes on to fall to about 1.8.

# %% [markdown]
# It writes words and word-like sounds, hardly sense: 10 seconds of training, 32 letters of memory. Large
# language models are the same machine, with about a million times the parameters, and more than that of
# text.

# %% [markdown]
# ## 9. What attention costs
#
# Every position looks at every other: $n^2$ scores a head. The cost **grows with the square of the
# length**, in time and, where the weights are stored for the backward pass, in memory. An LSTM's grows in
# proportion to $n$. Measured, for one sequence of width 64:

# %% tags=["demo"]
def cost(layer, steps, dim=64):
    """Milliseconds of CPU time forward and backward, and megabytes that are kept for the backward pass."""
    x, storages = torch.randn(1, steps, dim, requires_grad=True), {}

    def note(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        layer(x).sum().backward()
    start = time.process_time()
    layer(x).sum().backward()
    return 1000 * (time.process_time() - start), sum(storages.values()) / 1e6


set_seed(0)
attention, lstm = nn.MultiheadAttention(64, 4, batch_first=True), nn.LSTM(64, 64, batch_first=True)
LAYERS = {
    "attention, weights returned": lambda x: attention(x, x, x)[0],
    "attention, fused": lambda x: attention(x, x, x, need_weights=False)[0],
    "LSTM": lambda x: lstm(x)[0],
}
LENGTHS = [64, 128, 256, 512, 1024, 2048]
costs = {name: [cost(layer, n) for n in LENGTHS] for name, layer in LAYERS.items()}

# %% tags=["demo"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for k, (ax, quantity) in enumerate(zip(axes, ("CPU time (ms)", "kept for backward (MB)"), strict=True)):
    for (name, measured), color, marker in zip(costs.items(), COLORS, "os^", strict=False):
        ax.loglog(LENGTHS, [pair[k] for pair in measured], marker=marker, color=color, label=name)
    ax.set(xlabel="length n (steps)", ylabel=quantity)
    ax.set_xticks(LENGTHS, labels=LENGTHS)
    ax.minorticks_off()
axes[0].legend(fontsize="small")
plt.show()
times, memories = zip(*costs["attention, weights returned"], strict=True)
print(f"1024 to 2048 steps: {times[-1] / times[-2]:.1f} times the time, {memories[-1] / memories[-2]:.1f} the memory")

# %% [markdown]
# *Figure:* CPU time and stored memory against length, both axes logarithmic. For long sequences the time of
# both attentions grows about fourfold when the length doubles, that of the LSTM about twofold. Memory grows
# fourfold where the weights are returned, twofold for fused attention and for the LSTM.

# %% [markdown]
# The **fused** kernel (as in FlashAttention, Dao et al. 2022) works block by block and never stores the
# $n \times n$ weights: memory falls to proportional, time stays quadratic. *A common error* is to say that it
# makes attention linear.
#
# Writing has a cost of its own: each new symbol attends to all before. A **key-value cache** keeps the keys
# and values of earlier positions, so each step costs $n$ and not $n^2$. The cache itself grows with $n$.

# %% [markdown]
# ### Why transformers won, and where they lose
#
# **Won.** All positions train at once, while an RNN must go step by step. Any two positions are one
# step apart, so gradients do not fade with distance. One architecture serves text, images, sound and
# proteins, and gets better in a predictable way with data, size and computation.
#
# **Lose.** They assume little about the data, so with *few* data convolutions and recurrence, which assume
# more, often do better: notebook 8 measures it. Long sequences are dear. Streams on a small device suit a
# recurrent state of fixed size. And they extrapolate badly to lengths beyond training.

# %% tags=["demo"]
with once_answered("train_reversal"), once_answered("greedy_decode"):
    for length in (8, 9, 10, 12):
        strings = torch.randint(3, 13, (200, length), generator=torch.Generator().manual_seed(length))
        try:
            written = greedy_decode(reverser, strings, bos=1, eos=2, max_len=length + 1)
        except (ValueError, IndexError, RuntimeError):
            print(f"{length} symbols are more than this model takes")
            break
        right = F.pad(strings.flip(1), (0, 1), value=2)
        exact = (F.pad(written, (0, length + 1 - written.shape[1])) == right).all(dim=1)
        print(f"{length:2} symbols: {100 * exact.float().mean():5.1f} % reversed")

# %% [markdown]
# Trained on 3 to 8 symbols, it fails from 9 or 10 on. It has learned *positions*, not the idea of
# reversing.

# %% [markdown]
# ### Quiz: transformers
# **2 points · about 8 minutes.** Ten questions, one letter each. Write `quiz_answers` as a list of ten capital
# letters in the order of the questions.
#
# 1. What sets the transformer apart from the sequence models before it? **A** deeper recurrent layers ·
#    **B** convolutions over time · **C** self-attention in place of recurrence · **D** larger embeddings
# 2. What are several heads for? **A** attending in several representation subspaces side by side · **B** fitting
#    the weights into less memory · **C** fewer training steps · **D** longer sequences
# 3. What is positional encoding for? **A** normalising embeddings · **B** extracting features of words ·
#    **C** regularising · **D** telling in which order the tokens stand
# 4. How does the cost of self-attention grow with the length $n$? **A** $O(n)$ · **B** $O(n^2)$ ·
#    **C** $O(n \log n)$ · **D** $O(1)$
# 5. What does layer normalisation do there? **A** orders the sequence · **B** saves memory · **C** keeps training
#    stable · **D** selects features

# %% [markdown]
# 6. What is the feed-forward network in a block? **A** a recurrent layer · **B** a convolution over tokens ·
#    **C** a second attention · **D** dense layers applied to each position by itself
# 7. What is masked attention for in a decoder? **A** keeping a position from seeing later ones · **B** dropping
#    padding from memory · **C** faster training · **D** choosing features
# 8. The main advantage over an RNN in training? **A** fewer parameters · **B** all positions at once, in
#    parallel · **C** no need for data · **D** less memory on long sequences
# 9. What are residual connections for? **A** extracting features · **B** halving memory · **C** normalising ·
#    **D** letting gradients flow past each sub-layer
# 10. Which is *not* a part of a transformer block? **A** a convolution layer · **B** multi-head attention ·
#     **C** a feed-forward network · **D** layer normalisation

# %% exercise="transformer_quiz"
quiz_answers = [None] * 10  # for example ["A", "B", ...]
# BEGIN SOLUTION
quiz_answers = ["C", "A", "D", "B", "C", "D", "A", "B", "D", "A"]
# END SOLUTION

# %% [markdown]
# ## Summary
# 1. Attention sees a set: positions are added to tokens, or queries and keys are rotated by them.
# 2. An encoder block is self-attention and a feed-forward network, each with residual and norm. Pre-norm
#    trains more easily when deep.
# 3. A decoder block is causal, and reads the memory by cross-attention. The target goes in shifted by one.
# 4. Test causality (change what comes later) and padding (add more): nothing may move.
# 5. Time grows with the square of the length; fused kernels save memory, not the square.

# %% [markdown]
# ## Three questions to think about
# - A decoder without any positional encoding can still learn something of the order. How?
# - Why must greedy decoding be tested, and not the loss alone, to find a missing causal mask?
# - Which of your problems has so few data that you would rather not use a transformer?

# %% [markdown]
# ## Where to read on
# - Vaswani et al. 2017, *Attention Is All You Need*
# - Devlin et al. 2019, *BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding*
# - Radford et al. 2019, *Language Models are Unsupervised Multitask Learners* (GPT-2)
# - Xiong et al. 2020, *On Layer Normalization in the Transformer Architecture*
# - Su et al. 2021, *RoFormer: Enhanced Transformer with Rotary Position Embedding*
# - Dao et al. 2022, *FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness*
