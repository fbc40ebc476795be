# %% [markdown]
# # 9. Final project: build your own pipeline
#
# **You will be able to** take a task from raw data to a measured result: split without leaks, build and
# train networks, save and load them safely, compare with a baseline, and report what you found.
#
# **You need** notebooks 1 to 8. **Time:** about a week. This notebook is 60 % of the course.

# %%
import functools
import math
import pickle
import re
import time
from collections import Counter

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from dlcourse import check, once_answered, training
from dlcourse.data import batches, cifar10, fashion_mnist, movie_reviews, to_float, two_sines
from dlcourse.plotting import COLORS, show_images, use_style
from dlcourse.submission import checklist
from dlcourse.training import fit, set_seed

use_style()

# %% [markdown]
# ## 1. Choose one of three options
#
# | | **A: images** | **B: a series** | **C: texts** |
# |---|---|---|---|
# | task | ten classes of pictures | forecast the next value | is a review sentence positive? |
# | data | CIFAR-10; offline, Fashion-MNIST | two noisy sines | 10,605 rated sentences |
# | networks | a CNN | an LSTM and a transformer | a recurrent network and a transformer |
# | simple rival | softmax regression | persistence: tomorrow is as today | bag of words |
# | full credit | 80 % on CIFAR-10, 88 % on Fashion-MNIST | both networks 30 % below persistence in MSE | 70 % |
#
# You fill in one option alone. All three are worth the same points and teach the same craft. A wants most
# computing, B least.

# %% [markdown]
# Choose here. Whenever you change this cell, run the notebook again from the top. `CHECKPOINT` is the file
# that you hand in beside the notebook.

# %%
PROJECT = "A"  # "A" images, "B" a series, "C" texts
DATASET = "fashion_mnist"  # option A; "cifar10", to go on with, needs a network and, better, a GPU
CHECKPOINT = "checkpoint.pt"  # what you hand in beside this notebook
WINDOW = 30  # how many steps a forecast of option B looks at

# %% [markdown]
# **Deliverables**: this notebook, run from top to bottom, and `checkpoint.pt`, at most 50 MB.
#
# | part | points | how it is marked |
# |---|---|---|
# | data, model, training | 6 + 8 + 8 | checks, as before |
# | performance | 8 | the grader loads your checkpoint and measures it on data that nobody has |
# | analysis | 20 | by hand, six criteria |
# | code quality | 10 | half by ruff and docstrings, half by hand |
#
# What you claim about your result earns nothing; what is measured does. The grader measures option A on
# Fashion-MNIST: what you hand in must be trained on that. CIFAR-10 is there for those who want to go on.

# %% [markdown]
# ## 2. Three scaffolds that run
#
# Before you build, get something small to run from end to end: data, network, training, a number. Then
# every later step has a result to compare with. Here is such a scaffold for each option, with what it does
# *not* reach.
#
# **A.** Softmax regression: no convolution, no augmentation, and it looks at the test part straight away,
# because nothing is chosen by it.

# %% tags=["demo"]
clothes = fashion_mnist(full=False)
set_seed(0)
softmax_regression = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
few = slice(0, 4000)
fit(softmax_regression, (clothes.train_images[few], clothes.train_labels[few]), epochs=5)
logits = training.predict(softmax_regression, clothes.test_images)
scaffold_a = 100 * (logits.argmax(dim=1) == clothes.test_labels).float().mean().item()
print(f"{clothes}\nA: softmax regression is right on {scaffold_a:.1f} %; full credit is at 88 %")

# %% [markdown]
# **B.** A plain recurrent network with eight units, three epochs. The measure is the mean squared error, against
# **persistence**: the forecast that the next value equals the last one.

# %% tags=["demo"]
series = two_sines()
windows, following = series.unfold(0, 31, 1)[:, :30].unsqueeze(2), series.unfold(0, 31, 1)[:, 30:]
past, future = slice(0, 1400), slice(1700, None)


class SmallRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.RNN(1, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


set_seed(0)
small_rnn = SmallRNN()
fit(small_rnn, (windows[past], following[past]), epochs=3, lr=0.01, criterion=nn.MSELoss())
error = F.mse_loss(training.predict(small_rnn, windows[future]), following[future])
naive = F.mse_loss(windows[future, -1], following[future])
print(f"B: MSE {error:.4f}, persistence {naive:.4f}; the goal is {0.7 * naive:.4f}, with an LSTM and a transformer")

# %% [markdown]
# **C.** A bag of words: the mean of the words' vectors, then one linear layer. It knows nothing of order,
# and sees a fifth of the sentences.

# %% tags=["demo"]
reviews = movie_reviews()
train_rows, test_rows = reviews.train_indices[::5], reviews.test_indices
word_lists = [text.lower().split() for text in reviews.texts]
numbers = Counter(word for row in train_rows.tolist() for word in word_lists[row])
numbers = {word: number for number, (word, _) in enumerate(numbers.most_common(2000), start=1)}
ids = [torch.tensor([numbers.get(word, 0) for word in words[:40]] or [0]) for words in word_lists]
ids = nn.utils.rnn.pad_sequence(ids, batch_first=True)

set_seed(0)
bag_of_words = nn.Sequential(nn.EmbeddingBag(2001, 16, padding_idx=0), nn.Linear(16, 2))
fit(bag_of_words, (ids[train_rows], reviews.labels[train_rows]), epochs=10, lr=0.01)
hits = training.predict(bag_of_words, ids[test_rows]).argmax(dim=1) == reviews.labels[test_rows]
print(f"C: a bag of words is right on {100 * hits.float().mean():.1f} %; full credit is at 70 %")

# %% [markdown]
# None of the three earns full credit, and none has what the exercises ask for: separate validation data,
# the layers of the option, a checkpoint, an analysis. But each is a **baseline** that your network must
# beat. A network that does not beat it is no success, whatever its number.

# %% [markdown]
# ## 3. Data without leaks
#
# A **leak** is any way by which test data help to train or choose. Three are common:
#
# - *Shared samples.* The same picture, or overlapping windows, stand in two parts.
# - *Shared statistics.* Mean, deviation or vocabulary are computed before splitting. The effect is often
#   small, and always wrong: at the time of training the test data do not exist yet.
# - *Choosing by the test part.* You keep the epoch, the rate or the model that tests best. So validation
#   data come out of the *training* part.
#
# For a series, parts follow each other in time. A random split of windows would put the neighbours of each
# test window, which share 29 of 30 values with it, into the training part.

# %% [markdown]
# ### Exercise: data
# **6 points · about 60 minutes.** Fill in the branch of your option.
#
# **A.** `load_data()` returns `(train, val, test)`, each a pair `(images, labels)`: images float32
# `(N,C,H,W)`, labels long. The data set is `fashion_mnist(full=False)`, also where there is a GPU: you are
# measured on images that it leaves out. (`cifar10()` if that is your `DATASET`.) `test` is its own test part,
# whole; `val` at least 100 images of its training part, and `train` others. All three are standardised per
# channel by the mean and the deviation of `train`'s pixels. `augment(images, generator)` returns a changed
# copy of a batch, of the same shape. What is random comes from `generator` alone.
#
# **B.** `load_series()` returns three 1-D float32 parts of `two_sines()`, train, val and test, in order of
# time and together the whole of it, each longer than 60 steps. They are standardised by the mean and the
# deviation of the first. `make_windows(series, window)` returns all windows `(N,window,1)` in order, and the
# value that follows each, `(N,1)`.
#
# **C.** `load_texts()` returns `(train, val, test, vocab)`: three pairs (list of texts, labels), where
# `test` is `movie_reviews()`'s own test part, `val` is at least 100 of the others, and `train` more of them.
# `vocab` is a dict from word to id, with over 100 words of `train` alone beside special ones such as `<unk>`.
# `encode(texts, vocab)` returns ids, long `(N,T)`: 0 is padding, on the right; 1 is any word that is not in
# `vocab`. Words of `vocab` have ids from 2 on. An empty text is allowed, long texts may be cut.
#
# <details><summary>Hint</summary>Draw an order with torch.randperm and a seeded generator, then cut it.
# `to_float(images, mean, std)` standardises. Write one small function for what predict will need
# again.</details>

# %% exercise="project_data"
# Helpers of your own, if you want any:
# BEGIN SOLUTION
def split_images():
    """uint8 images and labels of three parts; a tenth of the training images, drawn once, is for validation."""
    source = cifar10() if DATASET == "cifar10" else fashion_mnist(full=False)
    order = torch.randperm(len(source.train_labels), generator=torch.Generator().manual_seed(0))
    val, train = order[: len(order) // 10], order[len(order) // 10 :]
    parts = [(source.train_images[rows], source.train_labels[rows]) for rows in (train, val)]
    return [*parts, (source.test_images, source.test_labels)]


@functools.cache
def statistics():
    """Mean and standard deviation of what is trained on, and of nothing else: `predict` needs them again."""
    if PROJECT == "A":
        pixels = to_float(split_images()[0][0])
        return pixels.mean(dim=(0, 2, 3)), pixels.std(dim=(0, 2, 3))
    train = two_sines()[:1400]
    return train.mean(), train.std()


def words(text):
    """The words of a text in small letters."""
    return re.findall(r"[a-z0-9']+", text.lower())


# END SOLUTION

if PROJECT == "A":

    def load_data():
        """Three pairs (images float32 (N,C,H,W), labels long (N,)), by the training part's mean and deviation."""
        # BEGIN SOLUTION
        mean, std = statistics()
        return tuple((to_float(images, mean, std), labels) for images, labels in split_images())
        # END SOLUTION

    def augment(images, generator):
        """A changed copy of a batch, same shape; all that is random comes from `generator`."""
        # BEGIN SOLUTION
        mirrored = torch.rand(len(images), generator=generator) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        top, left = torch.randint(0, 5, (2,), generator=generator).tolist()
        padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
        return padded[:, :, top : top + images.shape[2], left : left + images.shape[3]]
        # END SOLUTION

elif PROJECT == "B":

    def load_series():
        """Three 1-D parts of the series in order of time, by the training part's mean and deviation."""
        # BEGIN SOLUTION
        mean, std = statistics()
        return ((two_sines() - mean) / std).split([1400, 300, 300])
        # END SOLUTION

    def make_windows(series, window):
        """Every window of a series and the value after it: (N,window,1) and (N,1)."""
        # BEGIN SOLUTION
        pieces = series.unfold(0, window + 1, 1)
        return pieces[:, :-1].unsqueeze(2), pieces[:, -1:]
        # END SOLUTION

else:

    @functools.cache
    def load_texts():
        """Three pairs (list of texts, labels long (N,)), and the vocabulary: a dict from word to id."""
        # BEGIN SOLUTION
        reviews = movie_reviews()
        order = torch.randperm(len(reviews.train_indices), generator=torch.Generator().manual_seed(0))
        rows = reviews.train_indices[order].split([len(order) * 9 // 10, len(order) - len(order) * 9 // 10])
        parts = [([reviews.texts[row] for row in part], reviews.labels[part]) for part in (*rows, reviews.test_indices)]
        counts = Counter(word for text in parts[0][0] for word in words(text))
        frequent = [word for word, count in counts.most_common(4998) if count > 1]
        return *parts, {"<pad>": 0, "<unk>": 1} | {word: number for number, word in enumerate(frequent, start=2)}
        # END SOLUTION

    def encode(texts, vocab):
        """Ids long (N,T), 0 after the end of a text; a word that is not in the vocabulary is `<unk>`, 1."""
        # BEGIN SOLUTION
        rows = [[vocab.get(word, 1) for word in words(text)[:50]] or [1] for text in texts]
        return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        # END SOLUTION

# %% [markdown]
# Look at what you made before you train on it. Many a bug is plain in the first picture, and invisible in
# a loss.

# %% tags=["demo"]
with once_answered("project_data"):
    if PROJECT == "A":
        (images, labels), *_ = load_data()
        changed = augment(images[:8], torch.Generator().manual_seed(0))
        both = torch.cat([images[:8], changed])
        pictures = (both - both.min()) / (both.max() - both.min())
        fig = show_images(pictures, titles=["as it is"] * 8 + ["augmented"] * 8)
        plt.show()
    elif PROJECT == "B":
        parts = load_series()
        print("steps:", [len(part) for part in parts], "windows:", tuple(make_windows(parts[0], WINDOW)[0].shape))
    else:
        *parts, vocab = load_texts()
        print("texts:", [len(texts) for texts, _ in parts], "words:", len(vocab))
        print(parts[0][0][0], encode(parts[0][0][:1], vocab).tolist())

# %% [markdown]
# *Figure:* (option A) Eight training images, and below them the same ones as `augment` returns them: some
# mirrored, all shifted by a pixel or two. They still show the same class. If yours do not, augment less.

# %% [markdown]
# ## 4. A network
#
# Start from a design that is known to work, then change one thing at a time.
#
# - **A.** Blocks of convolution, batch norm and ReLU. Halve the size and double the channels every block or
#   two. Pool at the end over all places, then dropout and one linear layer.
# - **B.** The LSTM's state after the last step holds what it needs. A transformer wants positions, and an
#   embedding of each value, for which a linear layer will do.
# - **C.** Average the states of the *real* steps rather than take the last: a strong word may stand
#   anywhere. Dropout on the embeddings helps most, as there are few sentences.

# %% [markdown]
# ### Exercise: model
# **8 points · about 90 minutes.** Functions without arguments; each call returns a new, untrained network.
#
# **A.** `build_model()`: images to logits `(B,10)`, with at least three `nn.Conv2d`, batch norm and dropout.
#
# **B.** `build_lstm()` and `build_transformer()`: windows `(B,T,1)` to forecasts `(B,1)`.
#
# **C.** `build_rnn()` (RNN, LSTM or GRU) and `build_transformer()`: ids `(B,T)` to logits `(B,2)`, each
# with an `nn.Embedding`. More padding changes nothing.
#
# For all: raw scores and forecasts, with no softmax, sigmoid or tanh at the end; every parameter takes part;
# in eval mode nothing is random, and a sample's result depends neither on its neighbours nor on the batch
# before. The transformers attend, hold no recurrent layer, and tell the order of the steps.
#
# <details><summary>Hint</summary>Put classes and helpers of your own at the top of the cell. Your
# classes of notebooks 3, 5 and 7 are a good start.</details>

# %% exercise="project_model"
# Classes and helpers of your own, if you want any:
# BEGIN SOLUTION
def convolution(inputs, outputs):
    """Convolution, batch norm, ReLU. The batch norm would undo a bias, so there is none."""
    layers = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    return nn.Sequential(*layers)


class Recurrent(nn.Module):
    """An LSTM over a series, read at its last step, or over ids, averaged over the real ones."""

    def __init__(self, outputs, vocab_size=0, width=32):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width, padding_idx=0) if vocab_size else nn.Linear(1, width)
        self.dropout = nn.Dropout(0.5 if vocab_size else 0.0)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, outputs)

    def forward(self, x):
        states, _ = self.lstm(self.dropout(self.embedding(x)))
        return self.head(self.dropout(states[:, -1] if x.ndim == 3 else real_mean(states, x)))


class Encoder(nn.Module):
    """A transformer encoder with learned positions, read as the recurrent network is."""

    def __init__(self, outputs, vocab_size=0, width=32, max_len=64):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, width, padding_idx=0) if vocab_size else nn.Linear(1, width)
        self.positions = nn.Parameter(0.1 * torch.randn(max_len, width))
        dropout = 0.5 if vocab_size else 0.0
        block = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, 1 if vocab_size else 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, outputs)

    def forward(self, x):
        padding = (x == 0) if x.ndim == 2 else None
        states = self.blocks(self.embedding(x) + self.positions[: x.shape[1]], src_key_padding_mask=padding)
        return self.head(states[:, -1] if x.ndim == 3 else real_mean(states, x))


def real_mean(states, ids):
    """The mean (N,D) of states (N,T,D) over the steps that are no padding."""
    real = (ids != 0).unsqueeze(2)
    return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


# END SOLUTION

if PROJECT == "A":

    def build_model():
        """A new network: images (B,C,H,W) to logits (B,10); at least 3 convolutions, batch norm, dropout."""
        # BEGIN SOLUTION
        channels, widths = (3, (32, 64, 128, 192)) if DATASET == "cifar10" else (1, (16, 32, 64, 96))
        first, second, third, last = widths
        return nn.Sequential(
            convolution(channels, first), nn.MaxPool2d(2),
            convolution(first, second), nn.MaxPool2d(2),
            convolution(second, third), convolution(third, third), nn.MaxPool2d(2),
            convolution(third, last), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
            nn.Dropout(0.2), nn.Linear(last, 10),
        ).to(memory_format=torch.channels_last)  # fmt: skip
        # END SOLUTION

elif PROJECT == "B":

    def build_lstm():
        """A new LSTM network: windows (B,T,1) to forecasts (B,1)."""
        # BEGIN SOLUTION
        return Recurrent(outputs=1)
        # END SOLUTION

    def build_transformer():
        """A new transformer: windows (B,T,1) to forecasts (B,1)."""
        # BEGIN SOLUTION
        return Encoder(outputs=1)
        # END SOLUTION

else:

    def build_rnn():
        """A new recurrent network with an embedding: ids (B,T) to logits (B,2)."""
        # BEGIN SOLUTION
        return Recurrent(outputs=2, vocab_size=len(load_texts()[3]))
        # END SOLUTION

    def build_transformer():
        """A new transformer with an embedding: ids (B,T) to logits (B,2)."""
        # BEGIN SOLUTION
        return Encoder(outputs=2, vocab_size=len(load_texts()[3]))
        # END SOLUTION

# %% [markdown]
# Two helpers hide which option you chose from the cells below. `build_all` puts your networks into one
# module, so that one checkpoint holds them all; `tensors` gives the three parts in the form that training
# takes.

# %%
def build_all():
    """Every network of your option in one module, so that one checkpoint holds them all."""
    if PROJECT == "A":
        return nn.ModuleDict({"cnn": build_model()})
    recurrent = {"lstm": build_lstm()} if PROJECT == "B" else {"rnn": build_rnn()}
    return nn.ModuleDict({**recurrent, "transformer": build_transformer()})


def tensors():
    """The three parts of your option as pairs (X, y) that `train` takes."""
    if PROJECT == "A":
        return load_data()
    if PROJECT == "B":
        return tuple(make_windows(part, WINDOW) for part in load_series())
    *parts, vocab = load_texts()
    return tuple((encode(texts, vocab), labels) for texts, labels in parts)

# %% tags=["demo"]
with once_answered("project_model"):
    for name, network in build_all().items():
        print(f"{name}: {sum(parameter.numel() for parameter in network.parameters()):,} parameters")

# %% [markdown]
# ## 5. Checkpoints that are safe to load
#
# `torch.save` writes Python objects with **pickle**. A pickle is not data, it is a small *program*: reading
# it may call any function that its author chose. See for yourself. The class below is harmless; another
# might delete your files.

# %% tags=["demo"]
class Surprise:
    def __reduce__(self):  # tells pickle what to call when the file is read
        return print, ("this line was printed by the file, not by your code",)


harmful = pickle.dumps(Surprise())
result = pickle.loads(harmful)

# %% [markdown]
# So `torch.load(path, weights_only=True)` reads tensors, numbers, strings, lists and dicts, and refuses all
# else. It is the default since PyTorch 2.6; write it out anyway, because your code may meet an older
# version. Save `state_dict()`s, never whole networks: a pickled network needs your class at the same place,
# and `weights_only=False` to load.
#
# A checkpoint for *going on* holds more than weights: buffers (batch norm's running statistics, in the
# `state_dict` already), the optimizer's state, and the epoch. For predictions the first is enough, and the
# file is a third of the size with Adam. A file that was written on a GPU is read elsewhere with
# `map_location="cpu"`; the grader has no GPU.

# %% [markdown]
# ### Exercise: training and checkpoints
# **8 points · about 90 minutes.**
#
# `train(model, optimizer, train_data, val_data, epochs, seed=0)`: data are pairs `(X, y)` of tensors. It
# trains in place for exactly `epochs` epochs, and returns a dict with lists `train_loss` and `val_loss`, one
# number an epoch. The same `seed` gives the same weights. `val_loss` is the plain loss (cross entropy; MSE
# in option B), the mean over all validation samples, in eval mode, without augmentation or label smoothing.
# Option A augments training batches. Schedules, clipping, smoothing and keeping the best epoch are up to you.
#
# `save_checkpoint(model, optimizer, epoch, path)` and `load_checkpoint(model, optimizer, path) -> epoch`:
# everything comes back exactly, and training goes on as if it had not stopped. `optimizer` may be `None`.
# A damaged or foreign file, one of another network, or one with code inside gives a `ValueError` that names
# the file and says what to do, and runs no code. (A file that is not there may give what you like.)
#
# <details><summary>Hint</summary>Everything that can go wrong while a file is read goes wrong inside one
# `try`. `dlcourse.training.predict` runs a model in eval mode, batch by batch.</details>

# %% exercise="project_training"
def train(model, optimizer, train_data, val_data, epochs, seed=0):
    """Train in place; a dict with lists `train_loss` and `val_loss`, one number an epoch."""
    # BEGIN SOLUTION
    torch.manual_seed(seed)  # dropout
    generator = torch.Generator().manual_seed(seed)
    rates = [group["lr"] for group in optimizer.param_groups]
    steps = epochs * math.ceil(len(train_data[1]) / 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps, cycle_momentum=False)
    history = {"train_loss": [], "val_loss": []}
    for _ in range(epochs):
        model.train()
        total = 0.0
        for x, y in batches(*train_data, batch_size=128, generator=generator):
            x = augment(x, generator) if PROJECT == "A" else x
            loss = loss_of(model(x), y, label_smoothing=0.1 if PROJECT == "A" else 0.0)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(y)
        history["train_loss"].append(total / len(train_data[1]))
        outputs = training.predict(model, val_data[0], device="cpu")
        history["val_loss"].append(loss_of(outputs, val_data[1]).item())
    return history
    # END SOLUTION


# A helper of your own, if you want one:
# BEGIN SOLUTION
def loss_of(outputs, targets, label_smoothing=0.0):
    """Mean squared error for a series, else cross entropy."""
    if PROJECT == "B":
        return F.mse_loss(outputs, targets)
    return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)


# END SOLUTION


def save_checkpoint(model, optimizer, epoch, path):
    """Write weights, buffers, the optimizer's state (None: without one) and the epoch to a file."""
    # BEGIN SOLUTION
    state = optimizer.state_dict() if optimizer is not None else None
    torch.save({"model": model.state_dict(), "optimizer": state, "epoch": epoch}, path)
    # END SOLUTION


def load_checkpoint(model, optimizer, path):
    """Put a checkpoint back into model and optimizer (None: none); its epoch. ValueError for any other file."""
    # BEGIN SOLUTION
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(checkpoint["model"])
        if optimizer is not None:
            optimizer.load_state_dict(checkpoint["optimizer"])
        return checkpoint["epoch"]
    except FileNotFoundError:
        raise
    except Exception as problem:
        raise ValueError(f"{path} is no checkpoint of this network: train, and save it anew ({problem})") from problem
    # END SOLUTION

# %% [markdown]
# ## 6. The training run
#
# This cell trains every network of your option and writes the checkpoint. It is yours: change epochs, rates
# and optimizer as you like. The grader does not run it; it takes the file.

# %% tags=["demo"]
SETTINGS = {"cnn": (12, 0.01), "lstm": (20, 0.005), "rnn": (8, 0.01)}  # epochs, learning rate
SETTINGS["transformer"] = (20, 0.005) if PROJECT == "B" else (6, 0.003)
histories = {}
with once_answered("project_training"):
    set_seed(0)
    networks = build_all()
    train_data, val_data, test_data = tensors()
    for name, network in networks.items():
        epochs, rate = SETTINGS[name]
        start = time.perf_counter()
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
        histories[name] = train(network, optimizer, train_data, val_data, epochs)
        lowest = min(histories[name]["val_loss"])
        print(f"{name}: lowest validation loss {lowest:.3f}, {time.perf_counter() - start:.0f} s, seed 0")
    save_checkpoint(networks, None, max(SETTINGS[name][0] for name in networks), CHECKPOINT)

# %% tags=["demo"]
def plot_curves(histories):
    fig, ax = plt.subplots(figsize=(6, 3.2))
    for color, (name, history) in zip(COLORS, histories.items(), strict=False):
        steps = range(1, len(history["train_loss"]) + 1)
        ax.plot(steps, history["train_loss"], "--", color=color, label=f"{name}, training")
        ax.plot(steps, history["val_loss"], "o-", color=color, label=f"{name}, validation")
    ax.set(xlabel="epoch", ylabel="loss", title=f"Option {PROJECT}")
    ax.legend()
    plt.show()


if histories:
    plot_curves(histories)
else:
    print("The curves come here.")

# %% [markdown]
# *Figure:* Loss against epoch, dashed for training and with dots for validation. With the reference of
# option A the training loss falls steadily; the validation loss jumps up in the first epochs, while the
# schedule's rate climbs, and falls to 0.34. The training curve lies *above* the other in the end: it is
# measured on augmented images with smoothed labels, so the two are not on one scale.

# %% [markdown]
# ## 7. Measured, not claimed
#
# The grader puts `checkpoint.pt` beside your notebook, runs your definitions, and calls `predict` on raw
# inputs: images of Fashion-MNIST that the course does not bundle, a continuation of the series under other
# noise, sentences of the test part. The right answers are elsewhere. Each of five steps is worth a fifth of the points.
#
# | step | A, Fashion-MNIST | B | C |
# |---|---|---|---|
# | 1 | 66 % | one network 15 % below persistence | 58 % |
# | 2 | 71.5 % | one network 30 % below | 61 % |
# | 3 | 77 % | both 10 % below | 64 % |
# | 4 | 82.5 % | both 20 % below | 67 % |
# | 5 | 88 % | both 30 % below | 70 % |
#
# (CIFAR-10, where an instructor measures on it: 60, 65, 70, 75, 80 %.) The last step uses 1,000 images, or
# 800 sentences, so that luck decides little: a network that is right on 90 % of all such images stays below
# 88 % in one case of 45.

# %% [markdown]
# ### Exercise: performance
# **8 points · about 30 minutes, and the time that training takes.** `predict(inputs)` loads `CHECKPOINT` into
# new networks, prepares the raw inputs just as in training, and returns
#
# - **A**: labels, long `(N,)`, for uint8 images `(N,C,H,W)`;
# - **B**: `{"lstm": (N,1), "transformer": (N,1)}`, forecasts on the scale of the raw windows `(N,30,1)`;
# - **C**: labels, long `(N,)`, for a list of N strings, by your better network, or by both together.
#
# <details><summary>Hint</summary>Training saw standardised values. What predict needs besides weights (mean,
# deviation, vocabulary) comes from the training part again.</details>

# %% exercise="project_performance"
def predict(inputs):
    """Answers for raw inputs, by the networks in CHECKPOINT. A: labels (N,). B: a dict of forecasts (N,1). C: labels (N,)."""
    # BEGIN SOLUTION
    networks = build_all()
    load_checkpoint(networks, None, CHECKPOINT)
    if PROJECT == "A":
        images = to_float(inputs, *statistics())
        return training.predict(networks["cnn"], images, device="cpu").argmax(dim=1)
    if PROJECT == "B":
        mean, std = statistics()
        windows = (inputs - mean) / std
        return {name: mean + std * training.predict(network, windows, device="cpu") for name, network in networks.items()}
    ids = encode(inputs, load_texts()[3])
    votes = [training.predict(network, ids, device="cpu").softmax(dim=1) for network in networks.values()]
    return sum(votes).argmax(dim=1)
    # END SOLUTION

# %% [markdown]
# Where you stand on your own test part (for option B in standardised units). Look once, at the end: each
# look after which you change something makes this number a little less honest.

# %% tags=["demo"]
if histories:
    X, y = test_data
    for name, network in networks.items():
        outputs = training.predict(network, X, device="cpu")
        if PROJECT == "B":
            error, naive = F.mse_loss(outputs, y), F.mse_loss(X[:, -1], y)
            print(f"{name}: MSE {error:.4f}, {100 * (1 - error / naive):.0f} % below persistence")
        else:
            print(f"{name}: {100 * (outputs.argmax(dim=1) == y).float().mean():.1f} % of {len(y):,} test samples")

# %% [markdown]
# **What the references reach.** On one CPU thread, seed 0:
#
# | option | training | test part | CPU |
# |---|---|---|---|
# | A, CIFAR-10 | 12 epochs on 45,000 images, rate 0.01 | 85.3 % | 16 minutes |
# | A, Fashion-MNIST, bundled | 12 epochs on 9,000 images, rate 0.01 | 90.0 % | 40 seconds |
# | B | 20 epochs each, rate 0.005 | 61 % (LSTM) and 72 % (transformer) below persistence | 10 seconds |
# | C | 8 and 6 epochs, rates 0.01 and 0.003 | 75.7 %, both together | 30 seconds |
#
# The CIFAR-10 figure is from a copy decoded from JPEG, a hair off the original; settings were chosen before
# its test part was looked at. Instructors repeat it with `python -m autograder.projects cifar10 FILE`.

# %% [markdown]
# ## 8. The analysis
#
# An analysis answers: *what did I find out, and how sure am I?* Here is a short one, of a task that is none
# of the options, the ten classes of MNIST-1D (series of 40 points; 3,200 for training, 800 for validation,
# 1,000 for testing).
#
# > **Architecture and justification.** Three strided 1-D convolutions with 25 channels (kernels 5, 3, 3) and one
# > linear layer, 5,210 parameters. The patterns may stand anywhere in a series, so weights should be shared
# > over places.
# >
# > **Training curves.** Adam, rate 0.003, 30 epochs. At the end the training loss is 0.26 and the validation
# > loss 0.57, with its lowest value, 0.52, in epoch 29: the network overfits, mildly.
# >
# > **Comparison with a baseline.** Same data, seeds 0, 1, 2. Softmax regression: 32 %. An MLP of the same size
# > (5,110 parameters): 56.9 % (56.3 to 57.4). The CNN: 82.0 % (80.5 to 83.3). One run's 95 % interval on 1,000
# > series is 2.4 points either way, the gap is 25. So convolution makes the difference, not size.
# >
# > **What worked.** Dropout of 0.3 before the last layer, and nothing else changed: 84.3 % (83.6 to 85.5). The
# > losses now end at 0.43 and 0.45. The ranges of three seeds hardly part: a likely gain, not a proven one.
# >
# > **Challenges.** The MLP's validation loss is lowest in epoch 17 (1.09), and rises afterwards. I suspected
# > the rate. But its training loss falls smoothly, to 0.65, so it is overfitting; a rate that is too high would
# > shake both.
# >
# > **Improvements.** With dropout the best epoch is the last, so the run was cut short. I would train twice as
# > long, and count it as a success if the mean of three seeds passes 85.5 %.

# %% [markdown]
# What makes it good: every claim has a number, and every number a spread or a comparison; causes are tested
# by changing *one* thing; what failed is told; the next step follows from a finding. It does not retell
# the code.

# %% [markdown]
# ### Question: your analysis
# **20 points · about 3 hours.** 400 to 900 words on your project, in six parts with these headings:
#
# 1. **Architecture and justification**: what you built, and why this and not something else (4 points).
# 2. **Training curves**: what they show, with the figure's numbers (3).
# 3. **Comparison with a baseline**: on the same data, with the uncertainty (4).
# 4. **What worked**: which change helped how much (3).
# 5. **Challenges**: what went wrong, how you found the cause (3).
# 6. **Improvements**: what you would do next, and what result would show that it was worth it (3).

# %% [markdown] exercise="project_analysis"
# **1. Architecture and justification.** Five convolutions of 3x3 (16, 32, 64, 64 and 96 channels), each with
# batch norm and ReLU, three poolings in between; then the maximum over all places, dropout of 0.2, one linear
# layer. 116,858 parameters. Clothes are centred, but their parts (sleeves, heels) are not, so shared weights
# pay. The global pooling replaces a flattened layer: flattening 96 x 3 x 3 values would cost 8,640 weights in
# the last layer instead of 960. The bias before batch norm is left out, as its mean would remove it.
#
# **2. Training curves.** AdamW, a one-cycle schedule with a peak of 0.01, 12 epochs, label smoothing of 0.1,
# flips and shifts. The validation loss goes 0.64, 0.70, 0.79, then down to 0.34 in the last two epochs. The
# training loss ends at 0.73; it is higher because of the smoothed labels and the augmentation. On plain
# images the network is right on 92.0 % of training, 90.1 % of validation images: it hardly overfits. It stops
# because the schedule ends.
#
# **3. Comparison with a baseline.** Softmax regression on the same 9,000 images, at the epoch that validates
# best: 83.6 % of 2,000 test images. The CNN: 90.0 %, 95 % Wilson interval 88.6 to 91.2 %. The baseline lies
# far outside. One seed each, so this interval knows of the test images' chance, not of the start's.
#
# **4. What worked.** Changes tried alone, same seed. Without batch norm: 87.1 %, 2.9 points less, outside the
# interval. Without augmentation: 90.1 %, no difference, though the network then knows 99.6 % of its training
# images. So batch norm helps; augmentation only keeps the training figure honest here. I kept it for longer
# runs.
#
# **5. Challenges.** The validation loss *rose* in epochs 2 and 3, while the training loss fell. First
# suspicion: batch norm's running statistics lag behind. Test: the run without batch norm. It jumps as well
# (0.70 to 0.82 in epoch 3), so that was not it. Both jumps come while the schedule's rate climbs to its peak,
# and vanish as it falls. So the number of the last epoch is the one to trust here, and early stopping would
# have stopped too soon.
#
# **6. Improvements.** Shirts are the weakest class, 73 % right; 20 of 200 are taken for T-shirts, 17 for
# coats, 13 for pullovers. The bundled set has 900 training shirts; with all 60,000 images there are 6,000. I
# expect shirts above 78 %, and would count it as a success if a paired bootstrap on the same test images
# leaves zero out.

# %% [markdown] rubric="project_analysis"
# Full marks as said; half where only a part of it is there; none where it is missing or merely asserted.
# - 4 points, **architecture and justification**: layers, sizes and parameter count are clear enough to rebuild
#   it, and each main choice has a reason from the task or from a trial. Half: a description without reasons.
# - 3 points, **training curves**: read with numbers, for training and validation; says whether it over- or
#   underfits and why it stops where it does. Half: described, not interpreted.
# - 4 points, **comparison with a baseline**: a sensible baseline on the same test part, and an interval,
#   several seeds, or a test for the difference. Half: a baseline without any uncertainty.
# - 3 points, **what worked**: at least one change measured alone, with and without. Half: changes that are
#   only claimed to help.
# - 3 points, **challenges**: a real difficulty, its symptom, the test that found its cause. Half: the
#   difficulty alone.
# - 3 points, **improvements**: follow from the findings, with an expected effect and a way to check it. Half: a
#   list of general ideas.

# %% [markdown]
# ## 9. Code that others can read
#
# Half of these points are counted by a machine, from your answer cells: `ruff` (unused names, import order,
# likely bugs, commented-out code) gives 3, each finding costs 0.5; docstrings give 2, by the share of functions
# and classes that have one. The checklist below shows what it finds, if you install `ruff`. The other half is
# read by a person: names that say what is meant, functions with one purpose, no repetition, comments that say
# why.

# %% [markdown]
# ### Question: a guide to your code
# **10 points · about 20 minutes.** In 40 to 150 words: where does a reader begin, which function is the heart
# of it, and what would you write differently now? The points are for the code; this text helps to read it.

# %% [markdown] exercise="project_quality"
# Begin with `tensors` and `build_all`: they show what goes in and what comes out. The heart is `train`, one
# loop for all three options; what differs between them is one line each (augmentation, loss). Whatever is
# learned from the data stands in `statistics` and in the vocabulary, so that `predict` cannot prepare inputs
# in another way than training did. Today I would pass the settings of an option as one small dataclass
# instead of asking for `PROJECT` in four places.

# %% [markdown] rubric="project_quality"
# 5 points are counted (`dlcourse.quality`: ruff 3, docstrings 2); add up to 5 by hand.
# - 2 points: names and structure. One purpose a function, names of the field, nothing repeated that a
#   function could hold.
# - 1 point: comments and docstrings say why, what shapes, what fails; none retells the line below.
# - 1 point: no dead code, no leftovers of trials, no magic numbers without a name or a reason.
# - 1 point: the guide is right, and its self-criticism is to the point.

# %% [markdown]
# ## 10. Hand in
#
# Save the notebook, then run the checklist. It reads the saved file and the checkpoint, says what is
# missing, and changes nothing. It knows no points; `check` does.

# %% tags=["demo"]
print(checklist("09_final_project.ipynb"))

# %% [markdown]
# In a terminal, the same list is `python -m dlcourse submission 09_final_project.ipynb`; and
# `python -m dlcourse submit 09_final_project.ipynb` packs notebook and checkpoint into `09_final_project.zip`,
# which you hand in. In Colab, put `!` in front, and download notebook and checkpoint before the session ends.
#
# | before you hand in | |
# |---|---|
# | restart and run all | do all checks still pass? |
# | checkpoint | is it the one of your best run? |
# | figures | axes, units, a sentence on what they show? |
# | numbers in the text | are they those of this run? |

# %% [markdown]
# ## Summary
# 1. Get a small pipeline to run first, and keep its number as the baseline.
# 2. Split before you look; learn statistics and vocabularies from the training part alone.
# 3. A checkpoint is a `state_dict` and a few numbers, loaded with `weights_only=True`.
# 4. `predict` must prepare inputs just as training did.
# 5. A result is a number with its uncertainty, next to a simpler rival's.

# %% [markdown]
# ## Three questions to think about
# - Your network is 1 % better on the validation part after 30 trials of settings. How much of that do you
#   expect on the test part, and why?
# - Which of your decisions would change if you had ten times the data? If you had a tenth?
# - Who could be harmed by a wrong answer of your model, and how would you notice?

# %% [markdown]
# ## Where to read on
# - He et al. 2016, *Deep Residual Learning for Image Recognition*
# - Smith, Topin 2019, *Super-Convergence* (the one-cycle schedule)
# - Kim 2014, *Convolutional Neural Networks for Sentence Classification*
# - Kapoor, Narayanan 2023, *Leakage and the Reproducibility Crisis in Machine-Learning-Based Science*
# - Sculley et al. 2018, *Winner's Curse? On Pace, Progress, and Empirical Rigor*
