# %% [markdown]
# # 6. Attention
#
# **You will be able to** explain why one summary vector is too little; write additive, scaled dot-product,
# self- and multi-head attention; use masks safely; and measure what a head does before you tell a story
# about it.
#
# **You need** notebooks 4 and 5. **Time:** about 90 minutes.

# %%
import itertools
import math
import random
import re
from collections import Counter

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from scipy.optimize import linprog
from torch import nn

from dlcourse import check, once_answered
from dlcourse.data import mnist1d, movie_reviews
from dlcourse.plotting import COLORS, use_style
from dlcourse.training import fit, set_seed

use_style()

# %% [markdown]
# ## 1. One summary is too little
#
# A **sequence-to-sequence** model (Sutskever et al. 2014) turns one sequence into another, as a translator
# does.
#
# - The *encoder* reads the source. Its last state is all that it hands over.
# - The *decoder* starts from that state and writes the target, one symbol at a time.
#
# That state has a fixed size, whether the source has three words or thirty. This is the **bottleneck**.

# %% [markdown]
# Let us watch it at work on a tiny part of translation: `the black cat and a red house` becomes `le chat
# noir et une maison rouge`. Adjective and noun change places, and both article and adjective depend on the
# noun's gender.

# %% tags=["demo"]
NOUNS = {
    "cat": ("chat", 0), "dog": ("chien", 0), "book": ("livre", 0), "boat": ("bateau", 0), "bag": ("sac", 0),
    "house": ("maison", 1), "car": ("voiture", 1), "table": ("table", 1), "door": ("porte", 1),
    "apple": ("pomme", 1),
}  # fmt: skip
ADJECTIVES = {"black": ("noir", "noire"), "white": ("blanc", "blanche"), "grey": ("gris", "grise")}
ADJECTIVES |= {"green": ("vert", "verte"), "red": ("rouge", "rouge")}
ARTICLES = {"the": ("le", "la"), "a": ("un", "une")}


def sentence_pair(phrases, rng):
    """A random English sentence of so many phrases, and its French translation, as two lists of words."""
    english, french = [], []
    for _ in range(phrases):
        noun, adjective, article = (rng.choice(list(words)) for words in (NOUNS, ADJECTIVES, ARTICLES))
        word, gender = NOUNS[noun]
        english += ["and", article, adjective, noun]
        french += ["et", ARTICLES[article][gender], word, ADJECTIVES[adjective][gender]]
    return english[1:], [*french[1:], "<eos>"]  # no conjunction before the first phrase


print(*(" ".join(words) for words in sentence_pair(2, random.Random(1))), sep="\n")

# %% [markdown]
# In training, the decoder is given the *right* previous word at every step. This is **teacher forcing**. So
# its input is the target shifted by one: `<bos>` first, the last word dropped.

# %% tags=["demo"]
ENGLISH = ["and", *ARTICLES, *ADJECTIVES, *NOUNS]
AGREEING = [word for pair in (*ARTICLES.values(), *ADJECTIVES.values()) for word in pair]
FRENCH = ["<bos>", "<eos>", "et", *dict.fromkeys(AGREEING), *(word for word, _ in NOUNS.values())]


def translation_batch(phrases, size, rng):
    """Source (size, T), shifted target and target (size, T'), as indices; all sentences are equally long."""
    pairs = [sentence_pair(phrases, rng) for _ in range(size)]
    source = torch.tensor([[ENGLISH.index(word) for word in english] for english, _ in pairs])
    target = torch.tensor([[FRENCH.index(word) for word in french] for _, french in pairs])
    begin = torch.zeros(size, 1, dtype=torch.long)  # <bos> is word 0
    return source, torch.cat([begin, target[:, :-1]], dim=1), target


source, shifted, target = translation_batch(2, 1, random.Random(1))
print("source ", source.tolist()[0], "\nshifted", shifted.tolist()[0], "\ntarget ", target.tolist()[0])
print(len(ENGLISH), "English words,", len(FRENCH), "French words")

# %% [markdown]
# The barest seq2seq model is one LSTM that reads the source and goes on to write the target. We train it on
# one to six phrases, and count the words it gets right at each length.

# %% tags=["demo"]
class OneLSTM(nn.Module):
    """Reads the source, then writes the target: all it knows of the source is its state in between."""

    def __init__(self, hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(len(ENGLISH) + len(FRENCH), 32)
        self.lstm = nn.LSTM(32, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, len(FRENCH))

    def forward(self, source, shifted):
        words = torch.cat([source, shifted + len(ENGLISH)], dim=1)
        states, _ = self.lstm(self.embedding(words))
        return self.fc(states[:, source.shape[1] :])

# %% tags=["demo"]
def train_translator(model, steps, lr=1e-2):
    rng = random.Random(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for _ in range(steps):
        source, shifted, target = translation_batch(rng.randint(1, 6), 64, rng)
        loss = F.cross_entropy(model(source, shifted).flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


@torch.no_grad()
def accuracy_by_length(model, lengths=range(1, 9)):
    """Words predicted rightly, in percent, for sentences of each length that the model has not seen."""
    accuracies = []
    for phrases in lengths:
        source, shifted, target = translation_batch(phrases, 200, random.Random(99))
        accuracies.append(100 * (model(source, shifted).argmax(-1) == target).float().mean().item())
    return accuracies

# %% tags=["demo"]
def plot_accuracy_by_length(curves):
    _, ax = plt.subplots(figsize=(6, 3.2))
    for (name, accuracy), color, marker in zip(curves.items(), COLORS, "osD^", strict=False):
        ax.plot(range(1, 9), accuracy, marker=marker, color=color, label=name)
    ax.axvspan(6.5, 8.2, color="0.92")  # longer than anything in training
    ax.set(xlabel="length of the sentence (phrases)", ylabel="words right (%)", title="Translation")
    ax.set_ylim(20, 103)
    ax.legend(loc="lower left", ncols=2, fontsize="small")
    plt.show()


curves = {}
for hidden_size in (32, 64):
    set_seed(0)
    model = OneLSTM(hidden_size)
    train_translator(model, steps=500)
    curves[f"one LSTM, {hidden_size} units"] = accuracy_by_length(model)
plot_accuracy_by_length(curves)

# %% [markdown]
# *Figure:* Words translated rightly, against the length of the sentence in phrases. Both curves fall with
# length; the network with 64 units stands above the one with 32. Grey: lengths beyond those in training.

# %% [markdown]
# One phrase fits into the state. Six do not: the network knows the *grammar*, which keeps it well above
# zero, but guesses the nouns. A wider state or longer training moves the fall to the right: six times as
# many steps brought 64 units to 99 % for four phrases, and to 93 % for six. The fall itself stays.

# %% [markdown]
# ### Exercise: a sequence-to-sequence model
# **2 points · about 12 minutes.** Write `Seq2Seq(input_vocab_size, output_vocab_size, hidden_size)` with an
# encoder and a decoder of their own.
#
# - Two separate embeddings, one for each vocabulary (embedding size: your choice); two LSTMs of
#   `hidden_size` units, one layer, one direction; a linear layer to the output vocabulary. No dropout.
# - `encode(src)`, `src` long `(B, T_src)`, returns the encoder's last `(h, c)`, each `(1, B, H)`.
# - `decode(tgt, h, c)`, `tgt` long `(B, T_tgt)`, starts the decoder *from that state* and returns `(logits,
#   h, c)`: logits `(B, T_tgt, output_vocab_size)` and the decoder's new state. So a target may be decoded
#   in pieces.
# - `forward(src, tgt)` encodes, decodes and returns the logits alone. Teacher forcing: `tgt` is already
#   shifted, feed it as it is.
# - Raw logits, no softmax. `T_src` and `T_tgt` may differ.
#
# <details><summary>Hint</summary>Mind batch_first. An LSTM takes its first state as a second argument, a
# pair, and returns its last state in the same form.</details>

# %% exercise="seq2seq"
class Seq2Seq(nn.Module):
    """An LSTM encoder and an LSTM decoder that starts from its last state. Sutskever et al. 2014."""

    def __init__(self, input_vocab_size, output_vocab_size, hidden_size):
        # BEGIN SOLUTION
        super().__init__()
        self.source_embedding = nn.Embedding(input_vocab_size, hidden_size)
        self.target_embedding = nn.Embedding(output_vocab_size, hidden_size)
        self.encoder = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.decoder = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, output_vocab_size)
        # END SOLUTION

    def encode(self, src):
        # BEGIN SOLUTION
        _, (h, c) = self.encoder(self.source_embedding(src))
        return h, c
        # END SOLUTION

    def decode(self, tgt, h, c):
        # BEGIN SOLUTION
        states, (h, c) = self.decoder(self.target_embedding(tgt), (h, c))
        return self.fc(states), h, c
        # END SOLUTION

    def forward(self, src, tgt):
        # BEGIN SOLUTION
        h, c = self.encode(src)
        return self.decode(tgt, h, c)[0]
        # END SOLUTION

# %% [markdown]
# Your model on the same task, writing by itself: its own word is its next input.

# %% tags=["demo"]
with once_answered("seq2seq"):
    set_seed(0)
    translator = Seq2Seq(len(ENGLISH), len(FRENCH), 64)
    train_translator(translator, steps=500)
    curves["your Seq2Seq, 64 units"] = accuracy_by_length(translator)
    for phrases in (1, 4):
        source, _, target = translation_batch(phrases, 1, random.Random(7))
        h, c = translator.encode(source)
        word, written = torch.zeros(1, 1, dtype=torch.long), []
        while len(written) < target.shape[1]:
            logits, h, c = translator.decode(word, h, c)  # the state carries all that was written so far
            word = logits.argmax(-1)
            written.append(FRENCH[word.item()])
        print("source :", *(ENGLISH[i] for i in source[0]))
        print("right  :", *(FRENCH[i] for i in target[0]))
        print("written:", *written, "\n")

# %% [markdown]
# ## 2. Attention: look again instead of remembering
#
# Bahdanau et al. (2015) let the decoder *look at all encoder states again* before each word, and learn
# where to look.
#
# **A spotlight.** The source is a dark stage. For each word the decoder turns a lamp: bright where it
# matters, dim elsewhere. The brightness values are the **weights**: none is negative, and they sum to 1.
# The decoder receives the encoder states' mean, weighted by brightness: the **context vector**.
#
# Why not pick the one best state? Picking has no gradient; a soft spotlight can be learned.

# %% [markdown]
# **A menu.** You want something warm and a little spicy: your **query**. Each line of the menu describes a
# dish: the **keys**. You compare your wish with every line, which gives a **score** for each; a softmax
# turns scores into weights. The kitchen serves the **values**, and you get a blend: mostly of what fits
# best.
#
# A dictionary look-up is the hard version: one key matches, one value comes back.

# %% tags=["demo"]
dishes = ["chilli", "ramen", "salad", "ice cream"]
descriptions = torch.tensor([[0.9, 0.9], [1.0, 0.4], [0.1, 0.1], [-1.0, -0.2]])  # keys: (warm, spicy)
prices = torch.tensor([12.0, 14.0, 9.0, 5.0])  # values, in euros
wish = torch.tensor([1.0, 0.4])  # the query

figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), sharey=True)
for ax, width in zip(axes, (10.0, 1.0, 0.1), strict=True):
    weights = torch.softmax(descriptions @ wish / width, dim=0)
    ax.bar(dishes, weights.tolist(), color=COLORS[0])
    ax.set_title(f"scores / {width:g}: {weights @ prices:.2f} euros")
    ax.tick_params(axis="x", rotation=30)
axes[0].set_ylabel("weight")
axes[1].set_xlabel("dish (key)")
plt.show()

# %% [markdown]
# *Figure:* The weights of four dishes for one wish, with the scores divided by 10, by 1 and by 0.1. On the
# left the spotlight is wide: about a quarter each. On the right one dish takes nearly three quarters, and
# the price nears its own.

# %% [markdown]
# The winner is chilli, though ramen matches the wish *exactly*. A dot product rewards long keys as well as
# fitting ones.

# %% [markdown]
# ### Exercise: a heat map of attention
# **1 point · about 6 minutes.** `plot_attention(weights, query_tokens, key_tokens, ax=None)` draws
# `weights` `(T_q, T_k)`, a tensor that may require grad, and returns the `Axes`.
#
# - A heat map (any of matplotlib's or seaborn's): keys along x, queries along y. Every token labels a tick
#   at the middle of its column or row. The first query may be at the top or at the bottom.
# - A colour bar, and a title that is not empty.
# - If `ax` is given, draw there; else make a new figure. Do not call `plt.show()`.
#
# <details><summary>Hint</summary>Labels without tick positions land in the wrong places: set both. A tensor
# that requires grad has to be detached first.</details>

# %% exercise="plot_attention"
def plot_attention(weights, query_tokens, key_tokens, ax=None):
    """Draw attention weights (T_q, T_k) as a heat map with the tokens as tick labels; return the Axes."""
    # BEGIN SOLUTION
    if ax is None:
        _, ax = plt.subplots()
    image = ax.imshow(weights.detach().cpu().numpy(), cmap="viridis", vmin=0, aspect="auto")
    ax.set_xticks(range(len(key_tokens)), labels=key_tokens, rotation=60)
    ax.set_yticks(range(len(query_tokens)), labels=query_tokens)
    ax.figure.colorbar(image, ax=ax, label="attention weight")
    ax.set(xlabel="key", ylabel="query", title="Attention")
    ax.grid(False)
    return ax
    # END SOLUTION

# %% [markdown]
# ### Additive attention
#
# Bahdanau's score is a small network that compares the decoder's state $s$ with each encoder state $h_j$:
#
# $$e_j = v^\top \tanh(W\,[s; h_j]), \qquad \alpha = \mathrm{softmax}(e), \qquad c = \sum_j \alpha_j h_j .$$
#
# $[s; h_j]$ is one vector after the other. *Additive*, because $W[s; h_j] = W_1 s + W_2 h_j$.

# %% [markdown]
# Sentences in a batch differ in length, so some states belong to padding. A boolean **mask** says which
# places may be attended to: in this notebook `True` means *may attend*. Forbidden places get a score of
# $-\infty$ **before** the softmax, so the rest still sums to 1.
#
# If a row has nothing to attend to, the softmax is 0/0, and one NaN soon spreads into every weight. Our
# rule for such a row: all weights zero, output zero. All that you write must also work in float64.

# %% [markdown]
# ### Exercise: additive attention
# **2 points · about 10 minutes.** `AdditiveAttention(hidden_size)`, with `H = hidden_size`:
#
# - two layers, `attn`, an `nn.Linear(2H, H)`, and `v`, an `nn.Linear(H, 1)`, both with bias;
# - `forward(hidden, encoder_outputs, mask=None)`: `hidden` `(B, H)`, `encoder_outputs` `(B, T, H)`, `mask`
#   boolean `(B, T)`, `True` = may attend; returns `(context (B, H), weights (B, T))`;
# - energy `v(tanh(attn([hidden, encoder_outputs])))`, `hidden` *first*; softmax over the `T` places;
# - a row of the mask that is all `False` gives zero weights and a zero context, no NaN.
#
# <details><summary>Hint</summary>`hidden` needs a time axis of length T before the two can be joined. After
# the softmax, forbidden places may be set to zero once more; that mends the empty row too.</details>

# %% exercise="additive_attention"
class AdditiveAttention(nn.Module):
    """Attention scored by a small network. Bahdanau et al. 2015."""

    def __init__(self, hidden_size):
        # BEGIN SOLUTION
        super().__init__()
        self.attn = nn.Linear(2 * hidden_size, hidden_size)
        self.v = nn.Linear(hidden_size, 1)
        # END SOLUTION

    def forward(self, hidden, encoder_outputs, mask=None):
        # BEGIN SOLUTION
        repeated = hidden.unsqueeze(1).expand_as(encoder_outputs)  # (B, T, H)
        joined = torch.cat([repeated, encoder_outputs], dim=-1)
        energy = self.v(torch.tanh(self.attn(joined))).squeeze(-1)  # (B, T)
        if mask is None:
            mask = torch.ones_like(energy, dtype=torch.bool)
        energy = energy.masked_fill(~mask, torch.finfo(energy.dtype).min)
        weights = torch.softmax(energy, dim=-1)
        weights = weights.masked_fill(~mask, 0.0)  # a row with nothing to attend to
        context = (weights.unsqueeze(1) @ encoder_outputs).squeeze(1)
        return context, weights
        # END SOLUTION

# %% [markdown]
# Now the translator with your attention: before each word, the decoder asks your module for a context. The
# encoder runs in both directions, 32 units each way.

# %% tags=["demo"]
class AttentiveTranslator(nn.Module):
    def __init__(self, attention, hidden_size=64):
        super().__init__()
        self.source_embedding = nn.Embedding(len(ENGLISH), 32)
        self.target_embedding = nn.Embedding(len(FRENCH), 32)
        self.encoder = nn.GRU(32, hidden_size // 2, batch_first=True, bidirectional=True)
        self.attention = attention
        self.cell = nn.GRUCell(32 + hidden_size, hidden_size)
        self.fc = nn.Linear(2 * hidden_size, len(FRENCH))

    def forward(self, source, shifted):
        states, last = self.encoder(self.source_embedding(source))
        state = torch.cat([last[0], last[1]], dim=1)
        logits, weights = [], []
        for word in self.target_embedding(shifted).unbind(1):
            context, weight = self.attention(state, states)  # where to look before this word
            state = self.cell(torch.cat([word, context], dim=1), state)
            logits.append(self.fc(torch.cat([state, context], dim=1)))
            weights.append(weight)
        self.alignment = torch.stack(weights, dim=1)  # (B, T_tgt, T_src)
        return torch.stack(logits, dim=1)

# %% tags=["demo"]
with once_answered("additive_attention"):
    set_seed(0)
    attentive = AttentiveTranslator(AdditiveAttention(64))
    train_translator(attentive, steps=300)
    curves["attention, 64 units"] = accuracy_by_length(attentive)
    plot_accuracy_by_length(curves)

# %% [markdown]
# *Figure:* The same plot with the model that attends. Up to six phrases its curve stays near 100 %, where
# the models without attention have lost a fifth of the words or more. Beyond the lengths of training it
# bends, but stays above them.

# %% [markdown]
# What it looked at can be drawn: the **alignment**.

# %% tags=["demo"]
with once_answered("additive_attention"):
    source, shifted, target = translation_batch(3, 1, random.Random(5))
    attentive(source, shifted)
    with once_answered("plot_attention"):
        written, read = [FRENCH[i] for i in target[0]], [ENGLISH[i] for i in source[0]]
        plot_attention(attentive.alignment[0], written, read)
        plt.show()

# %% [markdown]
# *Figure:* Alignment of French words (rows) with English words (columns). The weight runs along the
# diagonal, but in each phrase noun and adjective cross: the noun, written second, looks at the third
# English word, the adjective at the second.

# %% [markdown]
# Nobody told the network which word belongs to which.
#
# ## 3. Queries, keys and values
#
# Additive attention runs a network for every pair of places. **Scaled dot-product attention** (Vaswani et
# al. 2017) needs only matrix products:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V .$$

# %% [markdown]
# | tensor | shape | role |
# |---|---|---|
# | query $Q$ | $(\dots,T_q,d_k)$ | what each place looks for |
# | key $K$ | $(\dots,T_k,d_k)$ | what each place offers for comparison |
# | value $V$ | $(\dots,T_k,d_v)$ | what is handed over |
# | scores, weights | $(\dots,T_q,T_k)$ | a row for each query |
# | output | $(\dots,T_q,d_v)$ | a mixture of values for each query |

# %% [markdown]
# **Why $\sqrt{d_k}$?** A score is a sum of $d_k$ products. If the entries of $q$ and $k$ are independent
# with mean 0 and variance 1, each product has variance 1, so the score has variance $d_k$ and standard
# deviation $\sqrt{d_k}$. Large scores make a softmax that puts everything on one place, where its gradient
# is nearly zero.

# %% tags=["demo"]
set_seed(0)
sizes = [4, 16, 64, 256, 1024]
spread, gradients = [], {"without scaling": [], r"divided by $\sqrt{d_k}$": []}
for d_k in sizes:
    query, keys = torch.randn(500, 1, d_k), torch.randn(500, 10, d_k)
    scores = (query * keys).sum(-1)  # 500 queries with 10 keys each
    spread.append(scores.var().item())
    for name, factor in zip(gradients, (1.0, d_k**-0.5), strict=True):
        weights = torch.softmax(scores * factor, dim=-1)
        gradients[name].append((weights * (1 - weights)).mean().item())  # d weight / d score

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
left.loglog(sizes, spread, "o", color=COLORS[0], label="measured")
left.loglog(sizes, sizes, "--", color=COLORS[1], label="variance = $d_k$")
left.set(xlabel="$d_k$", ylabel="variance of the scores", title="Scores spread")
for (name, values), marker, color in zip(gradients.items(), "so", COLORS, strict=False):
    right.semilogx(sizes, values, marker=marker, color=color, label=name)
right.set(xlabel="$d_k$", ylabel="mean slope of the softmax", title="Gradients vanish", ylim=0)
left.legend()
right.legend()
plt.show()

# %% [markdown]
# *Figure:* Left: the measured variance of dot products lies on the line variance = $d_k$. Right: the mean
# slope of a softmax over ten scores. Without scaling it falls towards zero as $d_k$ grows; divided by
# $\sqrt{d_k}$ it stays level.

# %% [markdown]
# Mind what the scale is *not*: not $d_k$ itself, which makes all weights nearly equal; not the width of the
# values; and with several heads not the width of the model.

# %% [markdown]
# ### Masks
#
# A **padding mask** hides the places after each sentence's end. A **causal mask** hides the future from
# each place, so that a model that writes the next word cannot read it. The place itself stays visible. Both
# together: `&`.

# %% tags=["demo"]
padding = torch.tensor([[1, 1, 1, 0]] * 4)  # written out for 4 places, 3 of them real
causal = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]])
figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True)
masks = {"padding (3 real places)": padding, "causal": causal, "both": padding & causal}
for ax, (name, mask) in zip(axes, masks.items(), strict=True):
    ax.pcolormesh(mask.flip(0).numpy(), cmap="cividis", edgecolors="white", linewidth=2)
    for row, column in itertools.product(range(4), range(4)):
        text, color = ("see", "black") if mask[row, column] else ("-", "white")
        ax.text(column + 0.5, 3.5 - row, text, ha="center", va="center", color=color)
    ax.set(title=name, xlabel="key", xticks=[0.5, 1.5, 2.5, 3.5], xticklabels="0123", aspect="equal")
axes[0].set(ylabel="query", yticks=[0.5, 1.5, 2.5, 3.5], yticklabels="3210")
plt.show()

# %% [markdown]
# *Figure:* Three masks for four queries (rows) and four keys (columns); "see" marks where attention is
# allowed. Padding hides the last column. Causal allows the diagonal and all that is left of it.

# %% [markdown]
# PyTorch has **two opposite senses** for a boolean mask, and mixing them up raises no error:

# %% tags=["demo"]
torch.manual_seed(0)
x = torch.randn(1, 3, 4)
keep = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0]]).bool()  # the last row sees nothing
module = nn.MultiheadAttention(4, num_heads=1, batch_first=True)
output = F.scaled_dot_product_attention(x, x, x, attn_mask=keep)
print("F.scaled_dot_product_attention, True keeps; its output:\n", output[0])
output, weights = module(x, x, x, attn_mask=~keep)
print("nn.MultiheadAttention, True blocks; its weights:\n", weights.detach()[0])

# %% [markdown]
# The function keeps where the mask is `True`; the module blocks there, hence the `~`. The empty last row
# gives zeros in the one and NaN in the other. Yours will give zeros.

# %% [markdown]
# ### Exercise: scaled dot-product attention
# **3 points · about 12 minutes.** `scaled_dot_product_attention(query, key, value, mask=None)` returns
# `(output, weights)`.
#
# - Shapes as in the table, with any leading dimensions; $T_q \ne T_k$ and $d_v \ne d_k$ must work, in
#   float32 and float64, and for scores of any size.
# - Scale by $\sqrt{d_k}$, softmax over the *keys*.
# - `mask` is boolean, `True` = may attend, and broadcasts to the scores.
# - A query with nothing to attend to gets zero weights and a zero output; gradients stay finite. No NaN,
#   ever.
# - Do not call `F.scaled_dot_product_attention`.
#
# <details><summary>Hint</summary>A softmax over a row of $-\infty$ is NaN. The lowest *finite* number of
# the dtype does the same work without that.</details>

# %% exercise="scaled_dot_product_attention"
def scaled_dot_product_attention(query, key, value, mask=None):
    """Mix values (..., T_k, d_v) by how well queries (..., T_q, d_k) fit keys (..., T_k, d_k).

    Vaswani et al. 2017. mask: boolean, broadcast to (..., T_q, T_k), True = may attend.
    Returns the output (..., T_q, d_v) and the weights (..., T_q, T_k).
    """
    # BEGIN SOLUTION
    d_k = query.shape[-1]
    scores = query @ key.transpose(-2, -1) / math.sqrt(d_k)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)  # a row with nothing to attend to
    return weights @ value, weights
    # END SOLUTION

# %% [markdown]
# ### Exercise: masks
# **1 point · about 5 minutes.** Both boolean, `True` = may attend:
#
# - `padding_mask(lengths, max_len)`, `lengths` long `(B,)`: `(B, 1, max_len)`, `True` for the first
#   `lengths[b]` places, on the device of `lengths`;
# - `causal_mask(size)`: `(1, size, size)`; query `i` sees keys `0` to `i`, itself included.
#
# <details><summary>Hint</summary>Compare a row of place numbers with a column of lengths. For the second,
# compare place numbers with each other, or look at `torch.tril`.</details>

# %% exercise="attention_masks"
def padding_mask(lengths, max_len):
    """Boolean (B, 1, max_len): True where a place lies inside its sequence."""
    # BEGIN SOLUTION
    places = torch.arange(max_len, device=lengths.device)
    return (places < lengths.unsqueeze(1)).unsqueeze(1)
    # END SOLUTION


def causal_mask(size):
    """Boolean (1, size, size): True where the key is not later than the query."""
    # BEGIN SOLUTION
    return torch.tril(torch.ones(1, size, size, dtype=torch.bool))
    # END SOLUTION

# %% [markdown]
# ## 4. Self-attention
#
# In **self-attention** a sequence looks at itself: queries, keys and values are three projections of the
# same $x$. Every place gathers from every other in *one* step, where an RNN needs as many steps as they are
# apart.
#
# To see it on real language, we train a layer to guess hidden words: in sentences from movie reviews one
# word in six is replaced by `<mask>`, and has to be told from the words around it.

# %% tags=["demo"]
PLACES = 16
reviews = movie_reviews()
sentences = [re.findall(r"[a-z0-9']+", text.lower())[:PLACES] for text in reviews.texts]
common = Counter(word for sentence in sentences for word in sentence).most_common(797)
VOCABULARY = ["<pad>", "<unk>", "<mask>", *(word for word, _ in common)]
index = {word: i for i, word in enumerate(VOCABULARY)}


def encode_words(words):
    return torch.tensor([index.get(word, 1) for word in words] + [0] * (PLACES - len(words)))


ids = torch.stack([encode_words(sentence) for sentence in sentences])
train_ids, test_ids = ids[reviews.train_indices], ids[reviews.test_indices]
print(tuple(ids.shape), "word", VOCABULARY[3], "is the most frequent of", len(VOCABULARY))

# %% [markdown]
# The layer is PyTorch's, with eight heads: attentions side by side, explained in section 5. Each word's
# vector gets a learned vector for its position added.

# %% tags=["demo"]
class WordGuesser(nn.Module):
    def __init__(self, dim=64, heads=8):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), dim)
        self.position = nn.Parameter(torch.randn(PLACES, dim))
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, len(VOCABULARY))
        with torch.no_grad():  # start small, so that the first scores are near zero
            self.embedding.weight.mul_(0.1)
            self.position.mul_(0.3)

    def forward(self, ids):
        """States (B, T, D) before the last layer, and weights (B, heads, T, T)."""
        x = self.embedding(ids) + self.position[: ids.shape[1]]
        mixed, weights = self.attention(x, x, x, key_padding_mask=ids == 0, average_attn_weights=False)
        return self.norm(x + mixed), weights

# %% tags=["demo"]
set_seed(0)
guesser = WordGuesser()
optimizer = torch.optim.Adam(guesser.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=800)
for _ in range(800):
    batch = train_ids[torch.randint(len(train_ids), (128,))]
    hidden = (torch.rand(batch.shape) < 1 / 6) & (batch > 2)  # never hide padding or unknown words
    states, _ = guesser(batch.masked_fill(hidden, 2))
    loss = F.cross_entropy(guesser.fc(states[hidden]), batch[hidden])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()

guesser.eval()
with torch.no_grad():
    hidden = (torch.rand(test_ids.shape) < 1 / 6) & (test_ids > 2)
    states, _ = guesser(test_ids.masked_fill(hidden, 2))
    right = guesser.fc(states[hidden]).argmax(-1) == test_ids[hidden]
share = (test_ids[hidden] == 3).float().mean()
print(f"hidden words guessed: {right.float().mean():.1%}; always '{VOCABULARY[3]}': {share:.1%}")

# %% [markdown]
# The layer has learned which words go together. Your `plot_attention` draws where it looks, the mean of the
# eight heads, for two sentences:

# %% tags=["demo"]
def look(sentence):
    """Words and attention weights (heads, T, T) of one sentence."""
    words = sentence.split()
    with torch.no_grad():
        _, weights = guesser(encode_words(words)[None, : len(words)])
    return words, weights[0]


SENTENCES = ["this is one of the best films of the year", "the acting is good but the story does not work"]
with once_answered("plot_attention"):
    for sentence in SENTENCES:
        words, weights = look(sentence)
        plot_attention(weights.mean(dim=0), words, words).set_title(sentence)
        plt.show()

# %% [markdown]
# *Figure:* Mean attention over eight heads for two review sentences, queries in rows and keys in columns.
# Most of the weight lies next to the diagonal: words look at their neighbours.

# %% [markdown]
# **Self-attention knows no order.** Without position vectors it treats its input as a *set*: permute the
# places, and the outputs are permuted in the same way, otherwise unchanged. This is **permutation
# equivariance**.

# %% tags=["demo"]
torch.manual_seed(0)
layer = nn.MultiheadAttention(8, num_heads=1, batch_first=True).eval()
x, order = torch.randn(1, 5, 8), torch.tensor([3, 0, 4, 1, 2])
with torch.no_grad():
    output, weights = layer(x, x, x)
    moved, moved_weights = layer(x[:, order], x[:, order], x[:, order])
print("largest difference:", (moved - output[:, order]).abs().max().item())

figure, axes = plt.subplots(1, 2, figsize=(7, 3))
for ax, picture, labels in zip(axes, (weights[0], moved_weights[0]), (range(5), order.tolist()), strict=True):
    ax.pcolormesh(picture.flip(0).numpy(), cmap="viridis", vmin=0, vmax=0.5)
    ax.grid(False)
    ax.set(xlabel="place of the key", ylabel="place of the query", aspect="equal")
    middles = [0.5, 1.5, 2.5, 3.5, 4.5]
    ax.set(xticks=middles, yticks=middles[::-1], xticklabels=labels, yticklabels=labels)
plt.show()

# %% [markdown]
# *Figure:* Weights of five places before (left) and after (right) a permutation. Rows and columns have
# moved as their labels say; the weight between any two places is the same.

# %% [markdown]
# So "dog bites man" and "man bites dog" differ only if positions are fed in.
#
# ### Exercise: self-attention
# **1 point · about 6 minutes.** `SelfAttention(embed_dim)`, with `D = embed_dim`:
#
# - three separate layers `query`, `key`, `value`, each `nn.Linear(D, D)` with bias;
# - `forward(x, mask=None)`, `x` `(B, T, D)`, mask broadcast to `(B, T, T)`, returns `(output (B, T, D),
#   weights (B, T, T))`;
# - scale by $\sqrt{D}$; the rest as in `scaled_dot_product_attention`, which you may call.
#
# <details><summary>Hint</summary>Project first, then attend. All three projections are used.</details>

# %% exercise="self_attention"
class SelfAttention(nn.Module):
    """One head of attention in which a sequence attends to itself."""

    def __init__(self, embed_dim):
        # BEGIN SOLUTION
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        # END SOLUTION

    def forward(self, x, mask=None):
        # BEGIN SOLUTION
        query, key, value = self.query(x), self.key(x), self.value(x)
        return scaled_dot_product_attention(query, key, value, mask)
        # END SOLUTION

# %% [markdown]
# ## 5. Many heads
#
# One attention yields one mixture for each place. But a word may need its neighbour *and* its verb.
# **Multi-head attention** runs $h$ attentions side by side, each on $d_k = d_{model}/h$ features of its
# own. Joined again, they go through one last projection:
#
# $$\mathrm{head}_i = \mathrm{Attention}(QW^Q_i, KW^K_i, VW^V_i), \qquad
# \mathrm{output} = [\mathrm{head}_1; \dots; \mathrm{head}_h]\,W^O .$$

# %% [markdown]
# The eight heads of our word guesser, one by one:

# %% tags=["demo"]
words, weights = look(SENTENCES[0])
figure, axes = plt.subplots(2, 4, figsize=(9, 4.8), sharex=True, sharey=True)
for head, ax in enumerate(axes.flat):
    picture = ax.imshow(weights[head].numpy(), cmap="viridis", vmin=0, vmax=1)
    ax.grid(False)
    ax.set(title=f"head {head}", xticks=range(0, 10, 3), yticks=range(0, 10, 3))
figure.colorbar(picture, ax=axes, label="attention weight")
figure.supxlabel("key (place in the sentence)")
figure.supylabel("query (place)")
plt.show()
print(*(f"{place}: {word}" for place, word in enumerate(words)), sep="   ")

# %% [markdown]
# *Figure:* Attention of eight heads for the first sentence, by place. Some heads form a sharp stripe just
# below the diagonal (the word before), others just above it (the word after). The rest are spread out.

# %% [markdown]
# **Shapes.** In code, the $h$ small projections are one large one:
#
# | step | shape |
# |---|---|
# | project | `(B, T, d_model)` |
# | cut the features into heads | `(B, T, h, d_k)` |
# | swap heads and time, attend | `(B, h, T, d_k)` |
# | swap back, join, project | `(B, T, d_model)` |
#
# The swap must be a `transpose`. A `view` straight to `(B, h, T, d_k)` has the right shape and the wrong
# content: it mixes places and heads.

# %% tags=["demo"]
x = torch.arange(12).view(1, 3, 4)  # 3 places with 4 features each: place 0 holds 0 1 2 3
print("transposed, head 0:\n", x.view(1, 3, 2, 2).transpose(1, 2)[0, 0])
print("viewed, head 0:\n", x.view(1, 2, 3, 2)[0, 0])

# %% [markdown]
# The first holds the first two features of each of the three places. The second is torn from places 0 and 1
# alone.
#
# **Fused projections.** Many libraries keep one matrix for query, key and value. It is the same
# computation:

# %% tags=["demo"]
torch.manual_seed(0)
separate = [nn.Linear(64, 64) for _ in range(3)]
fused = nn.Linear(64, 3 * 64)
with torch.no_grad():
    fused.weight.copy_(torch.cat([layer.weight for layer in separate]))
    fused.bias.copy_(torch.cat([layer.bias for layer in separate]))
x = torch.randn(2, 10, 64)
for name, layer, part in zip(("query", "key", "value"), separate, fused(x).chunk(3, dim=-1), strict=True):
    print(f"{name:5}  largest difference {(layer(x) - part).abs().max().item():.1e}")

# %% [markdown]
# **Cross-attention.** Queries may come from one sequence, keys and values from another: that is how a
# transformer's decoder reads its encoder.

# %% tags=["demo"]
decoder_states, encoder_states = torch.randn(2, 3, 64), torch.randn(2, 5, 64)
layer = nn.MultiheadAttention(64, num_heads=8, batch_first=True)
output, weights = layer(decoder_states, encoder_states, encoder_states, average_attn_weights=False)
print("output", tuple(output.shape), " weights", tuple(weights.shape))  # 3 queries, 5 keys, 8 heads

# %% [markdown]
# ### Exercise: multi-head attention
# **3 points · about 15 minutes.** `MultiHeadAttention(d_model, num_heads, dropout=0.0)`:
#
# - `W_q`, `W_k`, `W_v`, `W_o`, each `nn.Linear(d_model, d_model)` with bias; head `i` has the features
#   `i*d_k` to `(i+1)*d_k - 1`; `ValueError` if `d_model` is not divisible by `num_heads`;
# - `forward(query, key, value, mask=None)` for batch-first tensors, $T_q \ne T_k$ allowed; returns the
#   output `(B, T_q, d_model)` and the weights of *every* head `(B, h, T_q, T_k)`;
# - `mask` is boolean, `True` = may attend, `(B, 1, T_k)`, `(B, T_q, T_k)` or `(1, T_q, T_k)`, and holds for
#   all heads; a fully masked row has zero weights, as above;
# - dropout acts on the weights, after the softmax, in training only; you return the weights *before*
#   dropout.
#
# With the same weights it equals `nn.MultiheadAttention`.
#
# <details><summary>Hint</summary>The scores have four axes, the mask three: where must the new axis go?
# `unflatten` and `flatten` cut and join features.</details>

# %% exercise="multi_head_attention"
class MultiHeadAttention(nn.Module):
    """Several attentions side by side. Vaswani et al. 2017, section 3.2.2."""

    def __init__(self, d_model, num_heads, dropout=0.0):
        # BEGIN SOLUTION
        super().__init__()
        if d_model % num_heads != 0:
            raise ValueError(f"d_model {d_model} is not divisible by num_heads {num_heads}")
        self.num_heads, self.d_k = num_heads, d_model // num_heads
        self.W_q, self.W_k = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.W_v, self.W_o = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        # END SOLUTION

    def forward(self, query, key, value, mask=None):
        # BEGIN SOLUTION
        split = (self.num_heads, self.d_k)
        q = self.W_q(query).unflatten(-1, split).transpose(1, 2)  # (B, h, T_q, d_k)
        k = self.W_k(key).unflatten(-1, split).transpose(1, 2)
        v = self.W_v(value).unflatten(-1, split).transpose(1, 2)
        mask = None if mask is None else mask.unsqueeze(1)  # one mask for all heads
        _, weights = scaled_dot_product_attention(q, k, v, mask)
        context = self.dropout(weights) @ v
        return self.W_o(context.transpose(1, 2).flatten(2)), weights
        # END SOLUTION

# %% [markdown]
# ## 6. An LSTM that attends
#
# The LSTM gives order to the states; self-attention lets each look at all others; a mean over time takes
# the burden off the last state. Two parts keep it trainable: a **residual connection** (the attention's
# output is *added* to its input, so gradients have a way around) and **LayerNorm** after the sum.

# %% [markdown]
# ### Exercise: LSTM with attention
# **2 points · about 10 minutes.**
# `LSTMWithAttention(input_size=1, hidden_size=64, num_layers=2, num_classes=2, num_heads=4, dropout=0.3)`;
# `forward(x)` takes `(B, T, input_size)` to raw logits `(B, num_classes)`:
#
# 1. `lstm`, an `nn.LSTM` (dropout between its layers is free);
# 2. `attention`, an `nn.MultiheadAttention` (or your own `MultiHeadAttention`), in which the LSTM's states
#    attend to themselves; dropout in it is free;
# 3. states + attended states, then `layer_norm`, an `nn.LayerNorm`;
# 4. the mean over time, dropout, and `fc`, an `nn.Linear`.
#
# Whether batch or time comes first inside is your choice, as long as samples are never mixed.
#
# <details><summary>Hint</summary>nn.MultiheadAttention expects time first unless told otherwise. Given the
# batch first, it raises no error: each sample then attends to *the other samples*.</details>

# %% exercise="lstm_with_attention"
class LSTMWithAttention(nn.Module):
    """LSTM, self-attention with a residual connection and LayerNorm, mean over time, classifier."""

    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, num_heads=4, dropout=0.3):
        # BEGIN SOLUTION
        super().__init__()
        between = dropout if num_layers > 1 else 0.0
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True, dropout=between)
        self.attention = nn.MultiheadAttention(hidden_size, num_heads, batch_first=True)
        self.layer_norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden_size, num_classes)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        states, _ = self.lstm(x)  # (B, T, H)
        attended, _ = self.attention(states, states, states)
        states = self.layer_norm(states + attended)
        pooled = states.mean(dim=1)
        return self.fc(self.dropout(pooled))
        # END SOLUTION

# %% [markdown]
# Does it pay? We compare it with an LSTM that reads its last state alone, on MNIST-1D: ten shapes, each
# somewhere in a noisy series of 40 readings.

# %% tags=["demo"]
class LastState(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(1, 32, batch_first=True), nn.Linear(32, 10)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.fc(states[:, -1])


with once_answered("lstm_with_attention"):
    X_train, y_train, X_test, y_test = mnist1d()
    set_seed(0)
    attending = LSTMWithAttention(1, 32, num_layers=1, num_classes=10, dropout=0.1)
    models = {"LSTM + attention": attending, "LSTM, last state": LastState()}
    _, ax = plt.subplots(figsize=(6, 3.2))
    for (name, model), color, marker in zip(models.items(), COLORS, "os", strict=False):
        data = (X_train.unsqueeze(-1), y_train), (X_test.unsqueeze(-1), y_test)
        history = fit(model, *data, epochs=10, lr=5e-3, progress=False)
        ax.plot(range(1, 11), history.val_accuracy, marker=marker, color=color, label=name)
    ax.set(xlabel="epoch", ylabel="held-out accuracy (%)", title="MNIST-1D", ylim=0)
    ax.legend()
    plt.show()

# %% [markdown]
# *Figure:* Held-out accuracy by epoch. The LSTM with attention climbs to nearly 90 %. The LSTM that reads
# its last state alone stays near 10 %, which is chance.

# %% [markdown]
# It learns in the end: 25 epochs at a smaller rate brought it to 52 %. It must carry the shape through all
# the steps that follow; attention spares it that.
#
# ## 7. What do heads specialise in?
#
# BERT, a well-known transformer, has heads that look one place back, heads that follow syntax, and heads
# that pile everything on a full stop (Clark et al. 2019). Such claims come from measuring many sentences,
# not from one picture.

# %% [markdown]
# **Entropy** measures how spread out a row of weights is: $-\sum_j w_j \ln w_j$, in nats. It is 0 when one
# place has all the weight and $\ln T$ when all $T$ places share it equally.
#
# ### Exercise: statistics of heads
# **2 points · about 8 minutes.** `head_statistics(weights)` takes `(h, T, T)`, queries in the rows, and
# returns a dict of four tensors `(h,)`; `weights` itself stays as it is.
#
# - `"self"`: the mean weight of a place on itself;
# - `"previous"` and `"next"`: the mean weight on the place before and after, over the rows that *have* one;
#   0 when `T` is 1;
# - `"entropy"`: the mean entropy of the rows in nats, with $0 \cdot \ln 0 = 0$.
#
# <details><summary>Hint</summary>`torch.diagonal` has an offset, and two axes to choose. Zero weights do
# occur: `torch.special.entr` and `torch.xlogy` know what to do with them.</details>

# %% exercise="head_statistics"
def head_statistics(weights):
    """Mean weight on the place itself, before and after, and mean row entropy, of weights (h, T, T)."""
    # BEGIN SOLUTION
    def mean_of_diagonal(offset):
        diagonal = weights.diagonal(offset, dim1=1, dim2=2)  # row t, column t + offset
        return diagonal.sum(-1) / max(diagonal.shape[-1], 1)

    return {
        "self": mean_of_diagonal(0),
        "previous": mean_of_diagonal(-1),
        "next": mean_of_diagonal(1),
        "entropy": torch.special.entr(weights).sum(-1).mean(-1),
    }
    # END SOLUTION

# %% [markdown]
# Now measure, over all held-out sentences of 16 words or more.

# %% tags=["demo"]
with once_answered("head_statistics"), torch.no_grad():
    full = test_ids[(test_ids > 0).all(dim=1)]
    _, weights = guesser(full)
    statistics = [head_statistics(sentence) for sentence in weights]
    means = {name: torch.stack([s[name] for s in statistics]).mean(dim=0) for name in statistics[0]}

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), width_ratios=(2, 1))
    for k, name in enumerate(("previous", "self", "next")):
        places = [head + 0.27 * (k - 1) for head in range(8)]
        left.bar(places, means[name].tolist(), width=0.25, color=COLORS[k], label=name)
    left.axhline(1 / PLACES, color="0.4", linestyle="--", label="evenly spread")
    left.set(xlabel="head", ylabel="mean weight", title=f"{len(full)} sentences", xticks=range(8))
    left.set_ylim(0, 1.1)
    right.bar(range(8), means["entropy"].tolist(), color=COLORS[3])
    right.axhline(math.log(PLACES), color="0.4", linestyle="--")
    right.set(xlabel="head", ylabel="mean entropy (nats)", title="Spread", xticks=range(8))
    left.legend(ncols=4, loc="upper center", fontsize="small")
    plt.show()

# %% [markdown]
# *Figure:* Left: for each head, the mean weight on the previous word, on the word itself and on the next
# word; dashed: what even spreading would give. Two heads put more than 0.8 on one neighbour. Right: their
# entropies, lowest for those two, highest for heads without a tall bar; dashed: the maximum.

# %% [markdown]
# So *position* is what most heads specialise in here: neighbours help most in guessing a word. For the
# others, the numbers say only what they are *not*. Which words do they look at?

# %% tags=["demo"]
with torch.no_grad():
    _, weights = guesser(test_ids)
from_words = (test_ids > 0).float()[:, None, :, None]  # padding does not count as a query
received = (weights * from_words).sum(dim=2)  # (sentences, heads, T): weight that each place gets from all
count = torch.bincount(test_ids.flatten(), minlength=len(VOCABULARY))
for head in range(8):
    total = torch.zeros(len(VOCABULARY)).index_add_(0, test_ids.flatten(), received[:, head].flatten())
    mean = torch.where(count >= 20, total / count, 0.0)  # 1 is what an average word gets
    print(f"head {head}:", *(f"{VOCABULARY[i]} {mean[i]:.1f}" for i in mean.topk(6).indices))

# %% [markdown]
# Each number is the mean weight that a word receives; 1 is the average of all words. The sharp neighbour
# heads care little which word it is. Others have favourites with 2 and more: one prefers linking words such
# as `despite` and `though`, another `their` and `your`. A preference, no more.

# %% [markdown]
# ### Why heat maps are not explanations
#
# A bright cell *looks* like a reason. Test it: hide a word, and compare the weight of each other word with
# its *effect*: how much does the log-probability of the right answer fall if that word becomes `<unk>`?

# %% tags=["demo"]
place = 7
chosen = test_ids[(test_ids > 0).all(dim=1) & (test_ids[:, place] > 2)]
answer = chosen[:, place].clone()
chosen[:, place] = 2  # <mask>


@torch.no_grad()
def log_probability(ids):
    """Log-probability of the hidden word, and the mean weight of the heads from its place to all places."""
    states, weights = guesser(ids)
    log_probabilities = guesser.fc(states[:, place]).log_softmax(dim=-1)
    return log_probabilities.gather(1, answer.unsqueeze(1)).squeeze(1), weights[:, :, place].mean(dim=1)


base, weight = log_probability(chosen)
effect = torch.zeros_like(weight)
for j in range(PLACES):
    without = chosen.clone()
    without[:, j] = 1  # <unk>
    effect[:, j] = base - log_probability(without)[0]
usable = chosen > 2  # a word that is already <unk> or <mask> cannot be taken away
same = weight.masked_fill(~usable, -9).argmax(1) == effect.masked_fill(~usable, -99).argmax(1)
print(f"{len(chosen)} sentences; in {same.float().mean():.0%} the word with most weight matters most")

# %% [markdown]
# Second test: are these the *only* weights that give this output? A head averages 16 value vectors of 8
# features. That is 9 equations (8 features, and the sum of 1) for 16 weights: there may be many solutions.
# For the row of weights that is most spread out, we look for the one with the *least* weight on its
# brightest place.

# %% tags=["demo"]
with torch.no_grad():
    rows = guesser(chosen)[1][:, :, place]  # (sentences, heads, T)
    sentence, head = divmod(torch.special.entr(rows).sum(-1).argmax().item(), 8)  # the most spread out
    row, x = rows[sentence, head], guesser.embedding(chosen[sentence]) + guesser.position
    projection = guesser.attention.in_proj_weight[128 + 8 * head : 136 + 8 * head]  # the head's part of W_v
    values = x @ projection.T  # (16, 8)
    equations = torch.cat([values, torch.ones(PLACES, 1)], dim=1).T.double().numpy()  # what must not change
    target = equations @ row.double().numpy()
    brightest = F.one_hot(row.argmax(), PLACES).numpy()  # its weight is to become as small as can be
    other = linprog(brightest, A_eq=equations, b_eq=target, bounds=(0, 1)).x

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3))
left.scatter(weight[usable], effect[usable], s=4, alpha=0.4, color=COLORS[0], rasterized=True)
left.set(xlabel="attention weight of a word", ylabel="loss of log-probability (nats)")
left.set_title("Taking a word away")
bars = {f"head {head}": row.tolist(), "other weights, same output": other}
for shift, (label, heights) in zip((-0.2, 0.2), bars.items(), strict=True):
    right.bar([j + shift for j in range(PLACES)], heights, width=0.4, label=label)
right.set(xlabel="place of the key", ylabel="weight", title="Two rows of weights, one output")
right.legend()
plt.show()
print("outputs differ by", abs(row.double().numpy() @ equations[:8].T - other @ equations[:8].T).max())

# %% [markdown]
# *Figure:* Left: each dot is a word; its weight against what its removal costs. The cloud rises but is
# wide: taking away words with much weight often costs nothing, or even helps. Right: two different rows of
# weights, one output.

# %% [markdown]
# So treat a heat map as a *hypothesis*. Weights are also blind to the values (a large weight on a tiny
# value does nothing), to the residual path, and, in deeper layers, to what a "place" has already mixed in.
# What explains is an intervention: remove, replace, measure.

# %% [markdown]
# ### Question: what do these heads look at?
# **1 point · about 10 minutes.** Draw the eight heads for three sentences of your own (`look("...")` gives
# words and weights; keep to frequent words). Name a head for **position**, **syntax** (function words) and
# **meaning** (content words that belong together), or say that there is none. Support each claim with a
# number, and say what measurement would prove you wrong. Five to eight sentences.

# %% [markdown] exercise="head_observations"
# *Position.* Heads 2 and 3 look at neighbours: over 1,321 held-out sentences head 2 puts 0.89 of its weight
# on the next word and head 3 puts 0.83 on the word before (even spreading would give 0.06), with entropies
# of 0.3 and 0.6 of a maximum of 2.8 nats. No word attracts either with more than 1.6 times the average
# weight. I would give this up if shuffled sentences, with the position vectors left in place, changed those
# stripes.
# *Syntax.* Head 6 favours linking words: `despite`, `though` and `while` receive 1.8 to 2.5 times an
# average word's weight. But such words often open a sentence, so it may be "the first places" rather than
# linking words. Test: compare its weight on `though` at the start with `though` further on.
# *Meaning.* Head 7 is the most spread out (2.3 nats), and its favourites are content words: `cast`,
# `movies`, `life`, `romantic`. At 1.4 times the average this is weak. I claim no head for meaning. To prove
# me wrong, replace a content word by a random one of the same kind, and show that the guesses for other
# content words suffer more through head 7 than through the others.
# All numbers are from one trained network; another seed gives other numbers to the heads.

# %% [markdown] rubric="head_observations"
# - 0.4 points: a verdict for each of position, syntax and meaning ("none" is a verdict), with the head's
#   number.
# - 0.3 points: each claim rests on a number from `head_statistics`, on word counts over many sentences, or
#   on an intervention, not on one picture alone.
# - 0.3 points: a measurement that could refute the claim, and a sign that weights are not taken for
#   reasons.

# %% [markdown]
# ## Summary
# 1. A fixed-size summary is a bottleneck; attention lets the decoder look at all states again.
# 2. Attention is a soft look-up: scores from queries and keys, a softmax over the keys, a weighted mean of
#    the values.
# 3. Divide by $\sqrt{d_k}$; set forbidden scores to the lowest number *before* the softmax; give empty rows
#    zeros.
# 4. Heads are attentions in subspaces: cut features, swap axes, attend, swap back, project.
# 5. A heat map is a hypothesis. Measure over many sentences, intervene, and only then explain.

# %% [markdown]
# ## Three questions to think about
# - If all keys are equal, what are the weights and the output? What if all *values* are equal?
# - Eight heads of 8 features cost as much as one head of 64. What can eight do that one cannot, and the
#   other way round?
# - Why can the output of attention never be longer than the longest value? When is that a weakness?

# %% [markdown]
# ## Where to read on
# - Sutskever et al. 2014, *Sequence to Sequence Learning with Neural Networks*
# - Bahdanau et al. 2015, *Neural Machine Translation by Jointly Learning to Align and Translate*
# - Vaswani et al. 2017, *Attention Is All You Need*
# - Clark et al. 2019, *What Does BERT Look At?*
# - Jain, Wallace 2019, *Attention is not Explanation*; Wiegreffe, Pinter 2019, *Attention is not not
#   Explanation*
