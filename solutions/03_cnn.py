# %% [markdown]
# # 3. Convolutional networks
#
# **You will be able to** write convolution and pooling yourself; compute sizes, parameters and receptive
# fields; build, train and judge a CNN; look inside it; write LeNet-5 and a residual block; and say what
# augmentation and skips do.
#
# **You need** notebooks 1 and 2. **Time:** about 90 minutes.

# %%
import itertools
import math
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from dlcourse import check, once_answered
from dlcourse.data import batches, cifar10, fashion_mnist, mnist, to_float
from dlcourse.plotting import COLORS, plot_history, show_images, use_style
from dlcourse.training import fit, pick_device, predict, profile, set_seed

use_style()

# %% tags=["demo"]
digits, clothes = mnist(), fashion_mnist()
print(digits, clothes, sep="\n")

# %% [markdown]
# ## 1. Why not an MLP?
#
# **Too many parameters.** A dense layer has a weight for every pair of pixel and unit:
#
# | image | dense layer of 1,000 units | 64 filters of 3x3 |
# |---|---|---|
# | digit, 1x28x28 | 785,000 | 640 |
# | photograph, 3x224x224 | 150,529,000 | 1,792 |
#
# A filter is small and serves at every place: **weight sharing**. The image may be of any size.

# %% [markdown]
# **No idea of neighbourhood.** To an MLP an image is a list of numbers. So a fixed shuffle of all pixels
# should cost it nothing, but harm a CNN. We try both on 2,000 digits.

# %% tags=["demo"]
def small_mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


def small_cnn():
    blocks = []
    for channels_in, channels_out in ((1, 16), (16, 32)):
        blocks += [nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


order = torch.randperm(784, generator=torch.Generator().manual_seed(0))
accuracies, X_test = {}, digits.test_images[:1000]
for name, make in (("MLP", small_mlp), ("CNN", small_cnn)):
    for pixels in ("in place", "shuffled"):
        places = torch.arange(784) if pixels == "in place" else order
        train, test = (x.flatten(1)[:, places].view_as(x) for x in (digits.train_images[:2000], X_test))
        set_seed(0)
        network = make()
        labels = digits.train_labels[:2000]
        fit(network, (train, labels), epochs=5, batch_size=32, lr=3e-3, progress=False)
        hits = predict(network, test).argmax(dim=1) == digits.test_labels[:1000]
        accuracies[name, pixels] = 100 * hits.float().mean().item()
        print(f"{name}, pixels {pixels}: {sum(p.numel() for p in network.parameters()):,} parameters")

# %% tags=["demo"]
fig, ax = plt.subplots(figsize=(5.5, 3))
for place, pixels in enumerate(("in place", "shuffled")):
    heights = [accuracies[name, pixels] for name in ("MLP", "CNN")]
    xs = [0.4 * place, 1 + 0.4 * place]
    bars = ax.bar(xs, heights, 0.38, color=COLORS[place], label=f"pixels {pixels}")
    ax.bar_label(bars, fmt="%.1f")
ax.set_xticks([0.2, 1.2], ["MLP", "CNN"])
ax.set(ylabel="test accuracy (%)", ylim=(70, 108))
ax.legend(loc="upper left", ncols=2)
plt.show()

# %% [markdown]
# *Figure:* Test accuracy of a small MLP and a small CNN, with the pixels in place and with all pixels
# shuffled in one way. The MLP stays near 88 %. The CNN reaches 92 % on real images, and falls below the MLP
# on shuffled ones.

# %% [markdown]
# The CNN's advantage is a *belief* that is built in: neighbours belong together, and a pattern means the
# same wherever it is. For images this is true. For the columns of a table it is not.

# %% [markdown]
# ## 2. Convolution by hand
#
# A filter, or **kernel**, slides over the image. At each place, multiply its weights with what lies under
# them, and sum up over all input channels:
#
# $$y_{o,i,j} = b_o + \sum_{c}\sum_{u}\sum_{v} w_{o,c,u,v}\; x_{c,\;i s + u - p,\;j s + v - p}$$
#
# with stride $s$ and padding $p$. Each output channel $o$ has its own kernel.

# %% [markdown]
# A common error: mathematics *flips* the kernel in a convolution. Deep learning does not; strictly, it is a
# **cross-correlation**. Weights are learned, so nothing is lost.

# %% tags=["demo"]
image = torch.tensor([[1.0, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 0], [1, 0, 1, 2]])
kernel = torch.tensor([[1.0, 0], [0, -1]])
patch = image[1:3, 1:3]
print("patch at row 1, column 1:\n", patch)
print("times the kernel, summed:", (patch * kernel).sum().item())
print("all places:\n", F.conv2d(image[None, None], kernel[None, None])[0, 0])

# %% [markdown]
# Before networks learned their filters, people wrote them. Four classics, on a boot:

# %% tags=["demo"]
kernels = {
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "blur": [[1 / 9] * 3] * 3,
}
boot = to_float(clothes.test_images[clothes.test_labels == 9][:1])
fig, axes = plt.subplots(1, 5, figsize=(10, 2.4))
axes[0].imshow(boot[0, 0], cmap="gray")
axes[0].set_title("image")
for ax, (name, values) in zip(axes[1:], kernels.items(), strict=True):
    response = F.conv2d(boot, torch.tensor(values).float()[None, None], padding=1)[0, 0]
    limit = response.abs().max().item()
    lowest, cmap = (0, "gray") if name == "blur" else (-limit, "PuOr")
    ax.imshow(response, cmap=cmap, vmin=lowest, vmax=limit)
    ax.set_title(name)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# *Figure:* A boot, and what four 3x3 kernels make of it. Purple is positive, orange negative. Edge kernels
# answer where brightness changes, with opposite signs on opposite sides; the outline kernel answers to any
# change; the blur averages.

# %% [markdown]
# ### Padding, stride, dilation
#
# - **Padding** adds rows and columns of zeros on every side. `padding=1` keeps the size for a 3x3 kernel.
# - **Stride** is the step from place to place. A stride of 2 halves the size.
# - **Dilation** spreads the kernel's taps: a kernel of 3 with dilation 2 spans 5 pixels.

# %% tags=["demo"]
settings = {"plain": (1, 0, 1), "padding 1": (1, 1, 1), "stride 2": (2, 0, 1), "dilation 2": (1, 0, 2)}
fig, axes = plt.subplots(1, 4, figsize=(10, 2.9))
for ax, (name, (stride, padding, dilation)) in zip(axes, settings.items(), strict=True):
    for x, y in itertools.product(range(-padding, 7 + padding), repeat=2):
        fill, edge = ("0.93", "-") if 0 <= x < 7 and 0 <= y < 7 else ("white", ":")
        ax.add_patch(plt.Rectangle((x, y), 1, 1, fc=fill, ec="0.6", ls=edge))
    for step, marker in ((0, "o"), (1, "x")):  # the first two places in the top row
        ys, xs = torch.meshgrid(*[dilation * torch.arange(3) - padding + 0.5] * 2, indexing="ij")
        ax.scatter(xs.flatten() + step * stride, ys.flatten(), marker=marker, color=COLORS[step], s=50)
    image, kernel = torch.zeros(1, 1, 7, 7), torch.zeros(1, 1, 3, 3)
    size = F.conv2d(image, kernel, None, stride, padding, dilation).shape[-1]
    ax.set(title=f"{name}: 7 to {size}", xlim=(-1.1, 8.1), ylim=(8.1, -1.1), aspect="equal")
    ax.set_axis_off()
plt.show()

# %% [markdown]
# *Figure:* Which pixels of a 7x7 image a 3x3 kernel reads at its first place (blue circles) and its second
# (orange crosses). The outputs are 5, 7, 3 and 3 wide.

# %% [markdown]
# ### Exercise: the size of the output
# **1 point · about 5 minutes.** `conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1)` is
# the number of places along one axis, an `int`:
#
# $$\left\lfloor \frac{\text{size} + 2\,\text{padding} - \text{dilation}\,(\text{kernel\_size} - 1) - 1}{\text{stride}} \right\rfloor + 1 .$$
#
# Where the spread-out kernel is larger than the padded image,
# `dilation*(kernel_size-1)+1 > size+2*padding`, raise `ValueError`. All arguments are whole numbers.
#
# <details><summary>Hint</summary>Python's // rounds down.</details>

# %% exercise="conv_output_size"
def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """How many places a kernel has along one axis."""
    # BEGIN SOLUTION
    span = dilation * (kernel_size - 1) + 1
    room = size + 2 * padding - span
    if room < 0:
        raise ValueError(f"a kernel that spans {span} does not fit into {size + 2 * padding} pixels")
    return room // stride + 1
    # END SOLUTION

# %% [markdown]
# ### Exercise: convolution
# **3 points · about 20 minutes.** Write `conv2d(x, weight, bias=None, stride=1, padding=0)`.
#
# - `x` is `(B, C, H, W)`, `weight` `(O, C, kh, kw)` (kernels need not be square), `bias` `(O,)` or `None`.
#   The result is `(B, O, H', W')`, as of `F.conv2d`: no flip.
# - `stride` and `padding` are whole numbers, for both axes. Padding is zeros on all four sides, before
#   convolving. Places where the kernel sticks out are left out. The kernel always fits.
# - Gradients must reach `x`, `weight` and `bias`.
# - Where `x` and `weight` differ in channels, raise `ValueError` with both shapes in full in its message,
#   for instance `(2, 3, 8, 8) and (4, 1, 3, 3)`.
# - No convolution of torch may run, nor `F.unfold` or `nn.Unfold`. `Tensor.unfold`, `F.pad`, `einsum`,
#   loops and slices are fine.
#
# <details><summary>Hint</summary>x.unfold(2, kh, stride) gives all windows of rows, the kernel's rows as a
# new last axis. The same for columns; then one einsum sums over channels and kernel. Or add up shifted
# slices, one for each of the kh times kw taps.</details>

# %% exercise="conv2d"
def conv2d(x, weight, bias=None, stride=1, padding=0):
    """Cross-correlation of x (B,C,H,W) with weight (O,C,kh,kw): (B,O,H',W')."""
    # BEGIN SOLUTION
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"x {tuple(x.shape)} and weight {tuple(weight.shape)} differ in channels")
    kh, kw = weight.shape[2:]
    padded = F.pad(x, (padding, padding, padding, padding))
    windows = padded.unfold(2, kh, stride).unfold(3, kw, stride)  # (B, C, H', W', kh, kw)
    out = torch.einsum("bchwuv,ocuv->bohw", windows, weight)
    if bias is not None:
        out = out + bias.reshape(1, -1, 1, 1)
    return out
    # END SOLUTION

# %% tags=["demo"]
with once_answered("conv2d"):
    x, weight = torch.randn(16, 8, 28, 28), torch.randn(16, 8, 3, 3)
    mine, right = (function(x, weight, stride=2, padding=1) for function in (conv2d, F.conv2d))
    print(f"{tuple(mine.shape)}; the largest difference from torch's: {(mine - right).abs().max():.0e}")

# %% [markdown]
# ### Translation: what moves along, and what does not
#
# Shift the image, and a feature map (stride 1) shifts with it: convolution is **equivariant** to
# translation. It is not *invariant*: the map does change. We shall measure in section 6 what that means.

# %% [markdown]
# ## 3. Pooling and the receptive field
#
# Pooling summarises each window of a map by one number, channel by channel, without parameters. Smaller
# maps make the next layers cheaper, and let them see more.

# %% tags=["demo"]
board = torch.tensor([[1.0, 3, 2, 0], [5, 2, 1, 1], [0, 1, 8, 6], [2, 1, 4, 2]])
pooled = {"4x4 map": board}
pooled["maximum, 2x2"] = F.max_pool2d(board[None, None], 2)[0, 0]
pooled["average, 2x2"] = F.avg_pool2d(board[None, None], 2)[0, 0]
fig, axes = plt.subplots(1, 3, figsize=(8, 2.8), width_ratios=(2, 1, 1))
tints = torch.tensor([[0.0, 0.3], [0.6, 0.9]])  # one for each window
for ax, (name, values) in zip(axes, pooled.items(), strict=True):
    side = len(values)
    ax.imshow(tints.repeat_interleave(side // 2, 0).repeat_interleave(side // 2, 1), cmap="Blues", vmax=2.5)
    for row, column in itertools.product(range(side), repeat=2):
        ax.text(column, row, f"{values[row, column].item():g}", ha="center", va="center")
    ax.set_title(name)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# *Figure:* A 4x4 map in four windows of 2x2. Maximum pooling keeps 5, 2, 2 and 8; average pooling gives
# 2.75, 1, 1 and 5.

# %% [markdown]
# ### Exercise: pooling
# **2 points · about 12 minutes.** Write `max_pool2d(x, kernel_size, stride=None)` and
# `avg_pool2d(x, kernel_size, stride=None)` for `x` `(B, C, H, W)`.
#
# - `kernel_size` and `stride` are whole numbers, for both axes. Without a stride, windows lie side by side:
#   the stride is the kernel size.
# - With a smaller stride windows overlap. Windows that stick out on the right or at the bottom are left
#   out.
# - Values may be negative, all of them. No padding.
# - No pooling of torch may run. `unfold` in any form is fine here.
#
# <details><summary>Hint</summary>Windows as in conv2d; then a maximum or a mean over the two last axes
# (amax takes both at once).</details>

# %% exercise="pooling"
def max_pool2d(x, kernel_size, stride=None):
    """Maximum over windows of x (B,C,H,W)."""
    # BEGIN SOLUTION
    step = kernel_size if stride is None else stride
    windows = x.unfold(2, kernel_size, step).unfold(3, kernel_size, step)
    return windows.amax(dim=(-2, -1))
    # END SOLUTION


def avg_pool2d(x, kernel_size, stride=None):
    """Mean over windows of x (B,C,H,W)."""
    # BEGIN SOLUTION
    every = kernel_size if stride is None else stride
    patches = x.unfold(2, kernel_size, every).unfold(3, kernel_size, every)
    return patches.mean(dim=(-2, -1))
    # END SOLUTION

# %% [markdown]
# ### The receptive field
#
# How much of the image can one number in a deep map see? Each layer adds $k-1$ pixels, times the product of
# all *earlier* strides:
#
# $$r_l = r_{l-1} + (k_l - 1) \prod_{m<l} s_m, \qquad r_0 = 1 .$$
#
# The gradient shows it: which pixels can change one number in the middle of a map?

# %% tags=["demo"]
set_seed(0)
body, reach, jump = nn.Sequential(), 1, 1
fig, axes = plt.subplots(1, 3, figsize=(9, 3.1))
sizes = [(1, 32), (32, 64), (64, 128)]
for ax, (channels_in, channels_out) in zip(axes, sizes, strict=True):
    body.extend([nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.ReLU()])
    reach += (3 - 1) * jump
    x = torch.rand(32, 1, 32, 32, requires_grad=True)
    maps = body(x)
    middle = maps.shape[-1] // 2
    maps[:, :, middle, middle].sum().backward()
    shares = x.grad.abs().mean(dim=(0, 1))
    rows = (shares > 0).any(dim=1).sum().item()
    ax.imshow(shares / shares.max(), vmin=0, vmax=1)
    ax.set_title(f"conv {len(body) // 3 + 1}: {reach}, seen {rows}")
    ax.set(xlabel="x (pixels)", ylabel="y (pixels)")
    ax.grid(False)
    body.append(nn.MaxPool2d(2))
    reach, jump = reach + (2 - 1) * jump, jump * 2
plt.show()

# %% [markdown]
# *Figure:* Mean absolute gradient, with respect to the pixels, of one number in the middle of three
# convolutions' maps (3x3 each, 2x2 max pooling between them). The lit squares are 3, 8 and 18 pixels wide,
# as the formula says (first number in the titles), and the largest is brightest in the middle.

# %% [markdown]
# So depth and stride let a network see far. Two layers of 3x3 see 5 pixels with $18\,C^2$ weights; one of
# 5x5 needs $25\,C^2$. The *effective* field is smaller than the theoretical one (Luo et al. 2016): few
# paths lead from the rim to the middle.

# %% [markdown]
# ## 4. A CNN for digits and clothes
#
# The classic block: **convolution - batch norm - ReLU - pooling**. Maps shrink while channels grow. At the
# end, dense layers turn the last maps into logits.
#
# Batch norm on maps averages over samples *and places*, one mean and variance a channel. It takes away any
# constant, so a bias before it is superfluous. Our CNN keeps it, as many do; the residual block below does
# not.

# %% [markdown]
# | after | shape for a digit | parameters |
# |---|---|---|
# | image | (B, 1, 28, 28) | |
# | block 1 | (B, 32, 14, 14) | 320 + 64 |
# | block 2 | (B, 64, 7, 7) | 18,496 + 128 |
# | block 3 | (B, 128, 3, 3) | 73,856 + 256 |
# | flatten | (B, 1152) | |
# | fc1, ReLU, dropout | (B, 256) | 295,168 |
# | fc2 | (B, 10) | 2,570 |
#
# Three quarters of the parameters sit in fc1, most of the *computing* in conv2 and conv3.

# %% [markdown]
# ### Exercise: a CNN
# **3 points · about 15 minutes.** Write `CNN(in_channels=1, num_classes=10, image_size=28)`, an `nn.Module`
# with the attributes `conv1` to `conv3` (`nn.Conv2d`), `bn1` to `bn3` (`nn.BatchNorm2d`), `fc1` and `fc2`
# (`nn.Linear`).
#
# - Three blocks of 32, 64 and 128 channels: a 3x3 convolution with stride 1, zero padding 1 and a bias;
#   batch norm; ReLU; 2x2 max pooling. What follows the convolution may stand in any order. No dropout in
#   the blocks.
# - Then flatten, `fc1` to 256 units, ReLU, dropout of 0.5 (in training only), `fc2` to `num_classes`.
#   Return raw logits.
# - `image_size` is 28 or 32 (images are square), `in_channels` 1 or 3. By default there are 390,858
#   parameters.
#
# <details><summary>Hint</summary>Three poolings leave image_size // 8 pixels a side. One nn.MaxPool2d(2)
# can serve all blocks; batch norms cannot be shared.</details>

# %% exercise="cnn_model"
class CNN(nn.Module):
    """Three blocks of convolution, batch norm, ReLU and pooling, then two dense layers."""

    def __init__(self, in_channels=1, num_classes=10, image_size=28):
        # BEGIN SOLUTION
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(in_channels, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128)
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.5)
        self.fc1 = nn.Linear(128 * (image_size // 8) ** 2, 256)
        self.fc2 = nn.Linear(256, num_classes)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = self.pool(F.relu(self.bn2(self.conv2(x))))
        x = self.pool(F.relu(self.bn3(self.conv3(x))))
        x = self.dropout(F.relu(self.fc1(x.flatten(1))))
        return self.fc2(x)
        # END SOLUTION

# %% [markdown]
# Train it on digits, 500 of them held out for validation. The test digits wait.
#
# `channels_last` stores a pixel's channels side by side in memory. Results stay the same; a training step
# is about a quarter faster here.

# %% tags=["demo"]
def train_on(data, epochs, held_out=500):
    """A CNN trained with Adam, its learning rate going up and down once; and its history."""
    set_seed(0)
    network = CNN().to(memory_format=torch.channels_last)
    train = data.train_images[held_out:], data.train_labels[held_out:]
    validation = data.train_images[:held_out], data.train_labels[:held_out]
    optimizer = torch.optim.Adam(network.parameters())
    steps = epochs * math.ceil(len(train[1]) / 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    optimizer.register_step_post_hook(lambda *_: schedule.step())  # after each batch, not each epoch
    return network, fit(network, train, validation, epochs=epochs, optimizer=optimizer)


with once_answered("cnn_model"):
    digit_cnn, history = train_on(digits, epochs=3 if profile() == "cpu" else 10)
    print(f"{sum(history.seconds):.0f} s, validation accuracy {history.val_accuracy[-1]:.1f} %")
    fig = plot_history(history, title="Digits")
    plt.show()

# %% [markdown]
# *Figure:* Loss and accuracy on digits by epoch. Validation is *better* than training: dropout is off for
# it, and training figures are means over an epoch in which the network was still learning.

# %% [markdown]
# Clothes are harder: shirt and T-shirt, pullover and coat look alike. The same network and recipe, more
# images:

# %% tags=["demo"]
with once_answered("cnn_model"):
    clothes_cnn, history = train_on(clothes, epochs=4 if profile() == "cpu" else 15)
    print(f"{sum(history.seconds):.0f} s, validation accuracy {history.val_accuracy[-1]:.1f} %")
    fig = plot_history(history, title="Clothes")
    plt.show()

# %% [markdown]
# *Figure:* Loss and accuracy on clothes by epoch. Training and validation improve together.

# %% [markdown]
# ### Exercise: accuracy by class
# **1 point · about 5 minutes.** `per_class_accuracy(predictions, targets, num_classes)` gets two long
# tensors `(N,)` of class indices and returns a float32 tensor `(num_classes,)`: for each class, the
# percentage of *its* samples that were predicted rightly; NaN for a class that does not occur among the
# targets.
#
# <details><summary>Hint</summary>0 / 0 of float tensors is NaN already. torch.bincount has an argument
# minlength.</details>

# %% exercise="per_class_accuracy"
def per_class_accuracy(predictions, targets, num_classes):
    """Accuracy of each class in percent, (K,); NaN where a class has no samples."""
    # BEGIN SOLUTION
    totals = torch.bincount(targets, minlength=num_classes)
    hits = torch.bincount(targets[predictions == targets], minlength=num_classes)
    return 100 * hits.float() / totals.float()
    # END SOLUTION

# %% [markdown]
# Now the test images, once:

# %% tags=["demo"]
with once_answered("cnn_model"), once_answered("per_class_accuracy"):
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.6))
    for ax, network, data in zip(axes, (digit_cnn, clothes_cnn), (digits, clothes), strict=True):
        predictions = predict(network, data.test_images).argmax(dim=1)
        overall = 100 * (predictions == data.test_labels).float().mean().item()
        by_class = per_class_accuracy(predictions, data.test_labels, 10)
        ax.barh(data.classes, by_class.tolist(), color=COLORS[0])
        ax.axvline(overall, color=COLORS[1], ls="--")
        ax.set(xlabel="test accuracy (%)", ylabel="class", xlim=(max(0, by_class.min().item() - 5), 100))
        ax.set_title(f"all classes: {overall:.1f} %")
        ax.invert_yaxis()
    plt.show()

# %% [markdown]
# *Figure:* Test accuracy by class for digits (left) and clothes (right); dashed: all classes. Digits lie
# between 96 and 100 %. Of clothes, trousers, bags and shoes are above 95 %, coats near 80 %, shirts below
# 70 %.

# %% tags=["demo"]
with once_answered("cnn_model"):
    logits = predict(clothes_cnn, clothes.test_images)
    right = logits.argmax(dim=1) == clothes.test_labels
    shown = torch.cat([right.nonzero()[:5, 0], (~right).nonzero()[:4, 0]])  # more errors than is fair
    names = [clothes.classes[k] for k in logits[shown].argmax(dim=1)]
    titles = [
        name if right[k] else f"{name}, not {clothes.classes[clothes.test_labels[k]]}"
        for name, k in zip(names, shown, strict=True)
    ]
    fig = show_images(clothes.test_images[shown], titles, ok=right[shown], columns=3)
    fig.set_size_inches(8, 5.5)
    plt.show()

# %% [markdown]
# *Figure:* Nine test images: five predicted rightly (tick, green), four wrongly (cross, red, with the true
# class).

# %% [markdown]
# Digits reach about 98 %, clothes 89 %. With 1,000 test digits, 98 % is known to ± 0.9 points.
#
# Measured once with all the images: **99.46 %** on MNIST (127 s on one core), **92.78 %** on Fashion-MNIST
# (203 s):
#
# ```python
# for everything, epochs in ((mnist(full=True), 3), (fashion_mnist(full=True), 5)):
#     network, _ = train_on(everything, epochs)
#     hits = predict(network, everything.test_images).argmax(dim=1) == everything.test_labels
#     print(100 * hits.float().mean().item())
# ```

# %% [markdown]
# ## 5. What the network sees
#
# The first layer's kernels work on pixels, so they can be looked at.

# %% tags=["demo"]
with once_answered("cnn_model"):
    learned = digit_cnn.conv1.weight.detach().cpu()[:, 0]
    limit = learned.abs().max().item()
    fig, axes = plt.subplots(4, 8, figsize=(8, 4.2))
    for ax, filter_weights in zip(axes.flat, learned, strict=True):
        picture = ax.imshow(filter_weights, cmap="PuOr", vmin=-limit, vmax=limit)
        ax.set_axis_off()
    fig.colorbar(picture, ax=axes, label="weight", shrink=0.8)
    plt.show()

# %% [markdown]
# *Figure:* The 32 learned 3x3 kernels of conv1, purple positive, orange negative. Several have a dark and a
# light side: edge detectors. Others look like noise: training was short, and random kernels already tell
# edges apart.

# %% [markdown]
# Deeper kernels have 32 or 64 channels and cannot be drawn. What *can* be drawn is what a layer answers to
# a given image, its **feature maps**. A **forward hook** is a function that a module calls after each
# forward pass, with its inputs and its output:

# %% tags=["demo"]
layer = nn.Conv2d(1, 4, 3)
def tell(module, inputs, output):
    print("the hook sees", tuple(output.shape))


handle = layer.register_forward_hook(tell)
layer(boot)
handle.remove()
layer(boot)  # silent again

# %% [markdown]
# ### Exercise: feature maps
# **2 points · about 15 minutes.** `feature_maps(model, image, layer_names)` returns a dict that maps each
# of `layer_names` (names as in `model.named_modules()`) to that layer's output for one image.
#
# - `image` is `(C, H, W)` or `(1, C, H, W)`, float. One forward pass, in eval mode. Each named layer runs
#   once in it.
# - Use forward hooks. All *yours* are removed afterwards, also after an error in the forward pass; hooks of
#   others stay. Errors of the forward pass are not swallowed.
# - Afterwards *every* submodule is in the mode it was in before: a user may have frozen one layer. This
#   holds after an error, too.
# - The maps are on the CPU, do not require grad, have shape `(1, C', H', W')`, and are **copies**: a later
#   in-place ReLU may not change them.
# - A name that the model does not have raises `KeyError`, with the name in its message. The model is then
#   left as it was.
#
# <details><summary>Hint</summary>try and finally. Note each module's training flag before eval(). detach()
# and cpu() may share memory with the original.</details>

# %% exercise="feature_maps"
def feature_maps(model, image, layer_names):
    """Outputs of the named layers for one image, as copies on the CPU: name -> (1,C',H',W')."""
    # BEGIN SOLUTION
    modules = dict(model.named_modules())
    for name in layer_names:
        if name not in modules:
            raise KeyError(f"the model has no layer named {name}")
    maps, handles = {}, []

    def keep(name):
        return lambda module, inputs, output: maps.update({name: output.detach().cpu().clone()})

    modes = [(part, part.training) for part in model.modules()]
    batch = image if image.ndim == 4 else image.unsqueeze(0)
    try:
        for name in layer_names:
            handles.append(modules[name].register_forward_hook(keep(name)))
        model.eval()
        with torch.no_grad():
            model(batch)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
    return maps
    # END SOLUTION

# %% tags=["demo"]
with once_answered("cnn_model"), once_answered("feature_maps"):
    names = ["conv1", "conv2", "conv3"]
    maps = feature_maps(clothes_cnn, boot[0], names)
    fig, axes = plt.subplots(3, 8, figsize=(10, 4))
    for row, name in zip(axes, names, strict=True):
        strongest = maps[name][0].amax(dim=(1, 2)).argsort(descending=True)[:8]
        for ax, channel in zip(row, strongest.tolist(), strict=True):
            ax.imshow(maps[name][0, channel].relu(), vmin=0)
            ax.set_title(f"{name}: {channel}", fontsize=9)
            ax.set_axis_off()
    plt.show()

# %% [markdown]
# *Figure:* For the boot, the positive part of the eight strongest maps of each convolution. conv1 (28x28):
# the boot is easily recognised, as outlines and areas. conv2 (14x14): parts light up, such as the sole.
# conv3 (7x7): a few bright spots that no longer look like a boot.

# %% [markdown]
# ### Exercise: what do the maps show?
# **1 point · about 8 minutes.** Draw maps of two or three other images. In five to eight sentences: What do
# early maps show, and how does a map follow from its filter? What do late maps show, and how do their size
# and number differ? Why may a map be dark everywhere for one image, and what can you *not* conclude from
# looking at maps?

# %% [markdown] exercise="feature_map_questions"
# The maps of conv1 have the size of the image and still look like it: each is the response of one 3x3
# kernel, bright where the patch under the kernel resembles it. A kernel with a light and a dark side gives
# edges of one direction; an average-like kernel gives a blurred copy. The maps of conv3 have 7 x 7 places
# but there are 128 of them. One place sees 18 x 18 pixels, so a map can answer to a combination of parts,
# such as a heel with a sole, and says *that* and roughly *where* it is there, not what it looks like. So
# position is traded for meaning: fewer places, more channels. A map that is dark for the boot may answer to
# sleeves, which this image does not have; or its channel may be dead for all images, which one image cannot
# tell. Names such as "heel detector" are guesses from a few images: to support them, one would have to
# measure the map over many images, or remove it and see what the network then gets wrong.

# %% [markdown] rubric="feature_map_questions"
# **Marking, 1 point.**
#
# - Early maps (0.25): local and close to the pixels (edges, outlines, areas), as the response of one kernel
#   at every place.
# - Late maps (0.25): smaller, more of them, larger receptive field, combinations of parts or whole shapes;
#   place gets coarse.
# - A dark map (0.25): its pattern does not occur in this image (or the channel is dead).
# - Limits (0.25): a few images do not prove what a map stands for; names the need to measure over many
#   images, or to intervene.

# %% [markdown]
# ## 6. Augmentation
#
# A digit that is turned or moved a little is the same digit. Showing the network such copies, new ones in
# each epoch, is data for nothing, as long as **the label stays true**.

# %% tags=["demo"]
def warp(images, matrix):
    """Images (B,C,H,W) seen through a 3x3 matrix that maps output places to input places, both in [-1, 1]."""
    B, _, H, W = images.shape
    ys, xs = torch.meshgrid(torch.linspace(-1, 1, H), torch.linspace(-1, 1, W), indexing="ij")
    places = torch.stack([xs, ys, torch.ones_like(xs)], dim=-1) @ torch.tensor(matrix).T
    grid = places[..., :2] / places[..., 2:]  # in perspective, far things are divided by more
    return F.grid_sample(images, grid.expand(B, H, W, 2), align_corners=True)


cos, sin = math.cos(math.radians(20)), math.sin(math.radians(20))
views = {
    "original": [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
    "turned by 20°": [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]],
    "moved": [[1.0, 0, 0.25], [0, 1, -0.2], [0, 0, 1]],
    "perspective": [[1.1, 0, 0], [0, 1.1, 0], [0.3, 0, 1]],
    "mirrored": [[-1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
    "upside down": [[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]],
}

# %% tags=["demo"]
samples = [to_float(digits.test_images[digits.test_labels == k][:1]) for k in (2, 6)] + [boot]
rows = [warp(sample, matrix) for sample in samples for matrix in views.values()]
fig = show_images(torch.cat(rows), [*views] * 3, columns=6)
plt.show()

# %% [markdown]
# *Figure:* A 2, a 6 and a boot in six views. Turned, moved and in perspective, all stay what they are. The
# mirrored 2 is no digit any more, the 6 upside down is a 9. The mirrored boot is a boot.

# %% [markdown]
# Whether a flip is allowed depends on the *task*: clothes and cats may be mirrored, digits, letters and
# X-rays may not. Augment training data only.

# %% [markdown]
# ### Exercise: random shifts
# **1 point · about 10 minutes.** `random_shift(images, max_shift, generator=None)` moves each image of
# `images` `(B, C, H, W)` by whole pixels.
#
# - Each image gets a `(dy, dx)` of its own, the two drawn apart, each uniform on the whole numbers from
#   `-max_shift` to `max_shift`, *both ends included*. All channels of an image move together.
# - Zeros move in; what leaves the image is lost. Nothing wraps round, nothing is mirrored.
# - `max_shift=0` returns the images unchanged; `max_shift` is smaller than H and W. The input is not
#   changed.
# - All chance comes from `generator` (a `torch.Generator`) if one is given, and torch's global random state
#   stays untouched then. With `None`, torch's global one is used.
#
# <details><summary>Hint</summary>randint excludes its upper end. Pad with zeros, then cut a window of H x W
# out of each image. A loop over the batch is fine.</details>

# %% exercise="random_shift"
def random_shift(images, max_shift, generator=None):
    """Each image (C,H,W) moved by a random whole (dy, dx) of its own, zeros moved in."""
    # BEGIN SOLUTION
    B, C, H, W = images.shape
    padded = F.pad(images, (max_shift, max_shift, max_shift, max_shift))
    offsets = torch.randint(0, 2 * max_shift + 1, (B, 2), generator=generator)
    shifted = [image[:, dy : dy + H, dx : dx + W] for image, (dy, dx) in zip(padded, offsets.tolist())]
    return torch.stack(shifted)
    # END SOLUTION

# %% [markdown]
# How far does the CNN for digits put up with shifts it has never seen, and what does training with them
# change?

# %% tags=["demo"]
class Shifting(nn.Module):
    """Shifts its images in training, and leaves them alone in evaluation."""

    def forward(self, images):
        return random_shift(images, 4) if self.training else images


with once_answered("cnn_model"), once_answered("random_shift"):
    set_seed(0)
    shift_cnn = nn.Sequential(Shifting(), CNN().to(memory_format=torch.channels_last))
    fit(shift_cnn, (digits.train_images[500:], digits.train_labels[500:]), epochs=3)

# %% tags=["demo"]
with once_answered("cnn_model"), once_answered("random_shift"):
    fig, ax = plt.subplots(figsize=(6, 3.3))
    distances = range(0, 9, 2)
    for name, network in (("trained as they are", digit_cnn), ("trained with shifts up to 4", shift_cnn)):
        curve = []
        for distance in distances:
            moved = F.pad(digits.test_images[:500], (distance, -distance, 0, 0))  # zeros move in on the left
            hits = predict(network, moved).argmax(dim=1) == digits.test_labels[:500]
            curve.append(100 * hits.float().mean().item())
        ax.plot(distances, curve, marker="o", label=name)
    ax.set(xlabel="shift to the right (pixels)", ylabel="test accuracy (%)", ylim=(0, 103))
    ax.legend()
    plt.show()

# %% [markdown]
# *Figure:* Test accuracy of two CNNs on digits that were moved to the right. The one trained on digits as
# they are falls to about 80 % at 4 pixels and 50 % at 6. The one trained with shifts is at 95 % at 4
# pixels, and falls beyond.

# %% [markdown]
# "CNNs are invariant to translation" is a common error. Pooling forgives a pixel or two; the dense layer
# behind it knows places by heart. The rest has to be trained.

# %% [markdown]
# ### Exercise: train a CNN
# **2 points · about 15 minutes.** Write `train_cnn(train_images, train_labels, seed=0)`. It trains a new
# network, and returns it alone.
#
# - `train_images` is float32 `(N, 1, 28, 28)` with values in [0, 1], `train_labels` long `(N,)`, from 0 to
#   9; train on these alone. The check also hands over 300 digits with *shuffled* labels, and nobody can
#   learn from those (accuracy below 40 % on other digits).
# - The model takes other digits in the same form and returns logits `(B, 10)`: if you normalise, do it
#   inside the model. Return it on the CPU and in eval mode.
# - With 4,000 digits it must reach at least 96 % on hidden digits, within 60 seconds of CPU time. The check
#   here is quicker: 1,000 digits, at least 85 %.
# - `seed` fixes weights and order. Architecture, optimizer, `fit`, augmentation: your choice.
#
# <details><summary>Hint</summary>Let the learning rate fall. Four epochs of your CNN in batches of 32 will do,
# with Adam at 2e-3 and CosineAnnealingLR(optimizer, T_max=4), which fit takes as scheduler. At a constant
# rate, four epochs may stop at 95 %. One epoch, or batches of 512, are too few steps.</details>

# %% exercise="train_cnn"
def train_cnn(train_images, train_labels, seed=0):
    """A CNN trained on digits (N,1,28,28), in eval mode."""
    # BEGIN SOLUTION
    torch.manual_seed(seed)
    model = CNN().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    epochs, generator = 3, torch.Generator().manual_seed(seed)
    steps = epochs * math.ceil(len(train_labels) / 32)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    for _ in range(epochs):
        for images, labels in batches(train_images, train_labels, batch_size=32, generator=generator):
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    return model.eval()
    # END SOLUTION

# %% [markdown]
# ## 7. Three famous networks
#
# ### LeNet-5 (1998)
#
# LeCun's network read cheques. The original had tanh-like activations and trainable average pooling. We
# write the modern form.
#
# | layer | what | map |
# |---|---|---|
# | input | | 1 x 32 x 32 |
# | C1, S2 | 6 kernels of 5x5, ReLU; max pooling 2x2 | 6 x 14 x 14 |
# | C3, S4 | 16 kernels of 5x5, ReLU; max pooling 2x2 | 16 x 5 x 5 |
# | C5 | 120 units, ReLU | 120 |
# | F6 | 84 units, ReLU | 84 |
# | output | `num_classes` logits | 10 |

# %% [markdown]
# ### Exercise: LeNet-5
# **1 point · about 8 minutes.** Write `LeNet5(num_classes=10)`, an `nn.Module` that takes `(B, 1, 32, 32)`
# and returns raw logits `(B, num_classes)`, after the table.
#
# - Convolutions without padding, stride 1; all layers with biases: 61,706 parameters. In the original most
#   maps of C3 see only some maps of S2; here it sees all.
# - C5 is a dense layer on the flattened 16 x 5 x 5, or a 5x5 convolution, which is the same. No dropout, no
#   batch norm. Names of attributes are yours to choose.
#
# <details><summary>Hint</summary>Follow the size: 32, 28, 14, 10, 5.</details>

# %% exercise="lenet5"
class LeNet5(nn.Module):
    """LeCun et al. 1998, with ReLU and max pooling."""

    def __init__(self, num_classes=10):
        # BEGIN SOLUTION
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Linear(16 * 5 * 5, 120)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        s2 = F.max_pool2d(F.relu(self.c1(x)), 2)
        s4 = F.max_pool2d(F.relu(self.c3(s2)), 2)
        c5 = F.relu(self.c5(s4.flatten(1)))
        f6 = F.relu(self.f6(c5))
        return self.output(f6)
        # END SOLUTION

# %% [markdown]
# ### AlexNet (2012)
#
# The same plan, a thousand times larger, on GPUs, with ReLU, dropout and augmentation: it won ImageNet 2012
# by ten percentage points. On the `meta` device layers have shapes but no memory, so we walk through it at
# no cost. (This is torchvision's one-tower form; the original ran on two GPUs.)

# %% tags=["demo"]
def conv(channels_in, channels_out, kernel_size, **options):
    return [nn.Conv2d(channels_in, channels_out, kernel_size, **options), nn.ReLU()]


with torch.device("meta"):
    alexnet = nn.Sequential(
        *conv(3, 64, 11, stride=4, padding=2), nn.MaxPool2d(3, 2),
        *conv(64, 192, 5, padding=2), nn.MaxPool2d(3, 2),
        *conv(192, 384, 3, padding=1), *conv(384, 256, 3, padding=1), *conv(256, 256, 3, padding=1),
        nn.MaxPool2d(3, 2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000),
    )  # fmt: skip
    x = torch.empty(1, 3, 224, 224)
total = sum(p.numel() for p in alexnet.parameters())
for layer in alexnet:
    x = layer(x)
    count = sum(p.numel() for p in layer.parameters())
    if count or isinstance(layer, nn.MaxPool2d):
        print(f"{type(layer).__name__:10}{str(tuple(x.shape[1:])):16}{count:12,}{100 * count / total:7.1f} %")
print(f"{total:,} parameters")

# %% [markdown]
# 96 % of the parameters are in three dense layers. Later networks average over all places instead of
# flattening, and save most of these.

# %% [markdown]
# ### ResNet (2015), and why skips help
#
# Deeper should be no worse: additional layers could learn to do nothing. But He et al. saw plain networks
# of 56 layers do *worse* than those of 20, on training data too. So it was not overfitting: they were hard
# to optimise.
#
# Their remedy: let a block learn only the *change* $F$: $y = \mathrm{relu}(x + F(x))$. Doing nothing is now
# easy, $F = 0$. And the gradient has a way past the layers:
# $\partial (x + F)/\partial x = 1 + \partial F/\partial x$.

# %% [markdown]
# ```
#  x ──┬── conv1 3x3 (stride) ── bn1 ── ReLU ── conv2 3x3 ── bn2 ──(+)── ReLU ── y
#      └──────────── identity, or conv 1x1 (stride) ── BN ──────────┘
# ```
#
# *Figure:* A residual block: two convolutions with batch norm, and a shortcut around them. The two are
# added, and a ReLU follows.

# %% [markdown]
# ### Exercise: a residual block
# **2 points · about 12 minutes.** Write `ResidualBlock(in_channels, out_channels, stride=1)`, an
# `nn.Module` with the attributes `conv1`, `bn1`, `conv2`, `bn2`, `shortcut`.
#
# - Main path: `conv1` 3x3 with padding 1 and the given stride, `bn1`, ReLU, `conv2` 3x3 with padding 1 and
#   stride 1, `bn2`. Add the shortcut of the input. Then ReLU.
# - `shortcut`: where the shape changes (stride not 1, or other channels), an `nn.Sequential` of a 1x1
#   convolution with the stride, and batch norm. Else the identity: `nn.Identity()` or an empty
#   `nn.Sequential()`.
# - No convolution has a bias. Defaults elsewhere.
#
# <details><summary>Hint</summary>Both paths must arrive at the addition with the same shape. The last batch
# norm stands before it, the last ReLU after it.</details>

# %% exercise="residual_block"
class ResidualBlock(nn.Module):
    """The basic block of He et al. 2015."""

    def __init__(self, in_channels, out_channels, stride=1):
        # BEGIN SOLUTION
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))
        # END SOLUTION

# %% [markdown]
# Twenty of your blocks make 40 layers. We measure each block's gradient before any training: with skips,
# and with skips that return zeros; with and without batch norm.

# %% tags=["demo"]
class Nothing(nn.Module):
    """A shortcut that leads nowhere."""

    def forward(self, x):
        return torch.zeros_like(x)


def tower(skips, norm, blocks=20, channels=16):
    """A deep network of residual blocks, or of the same blocks without skips or norms."""
    set_seed(0)
    stack = [ResidualBlock(channels, channels) for _ in range(blocks)]
    for block in stack:
        block.shortcut = block.shortcut if skips else Nothing()
        if not norm:
            block.bn1, block.bn2 = nn.Identity(), nn.Identity()
    stem = [nn.Conv2d(1, channels, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*stem, *stack, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))

# %% tags=["demo"]
with once_answered("residual_block"):
    X, y = to_float(digits.train_images[:64]), digits.train_labels[:64]
    fig, ax = plt.subplots(figsize=(7, 3.8))
    for skips, norm in itertools.product((True, False), repeat=2):
        network = tower(skips, norm)
        F.cross_entropy(network(X), y).backward()
        blocks = [layer for layer in network if isinstance(layer, ResidualBlock)]
        norms = [block.conv1.weight.grad.norm().item() for block in blocks]
        label = f"{'skips' if skips else 'no skips'}, {'batch norm' if norm else 'no norm'}"
        ax.semilogy(range(1, 21), norms, label=label)
        print(f"{label:22} first block {norms[0]:.1e}, last block {norms[-1]:.1e}")
    ax.set(xlabel="block (1: next to the image)", ylabel="gradient norm of conv1", xticks=(1, 5, 10, 15, 20))
    ax.legend(loc="center right", bbox_to_anchor=(1, 0.4))
    plt.show()

# %% [markdown]
# *Figure:* Gradient norm of conv1's weights in each of 20 blocks, before training, on a logarithmic scale.
# With skips both curves are nearly level, between 0.01 and 4. Without skips, with batch norm, the norm
# grows from below 1 in the last block to above 100 in the first. Without either it stays below 1e-17.

# %% [markdown]
# "Skips cure vanishing gradients" is half of it. Without a norm, a plain network loses the signal on its
# way *forward*, and the gradients vanish everywhere. With batch norm they *explode* towards the image.
# Skips keep both level. In training:

# %% tags=["demo"]
with once_answered("residual_block"):
    fig, ax = plt.subplots(figsize=(6, 3.3))
    for skips in (True, False):
        network = tower(skips, norm=True)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        losses, generator = [], torch.Generator().manual_seed(0)
        X, y = digits.train_images[:2560], digits.train_labels[:2560]
        for images, labels in batches(X, y, batch_size=32, generator=generator):
            loss = F.cross_entropy(network(to_float(images)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        smooth = torch.tensor(losses).unfold(0, 10, 1).mean(dim=1)
        ax.plot(range(10, len(losses) + 1), smooth, label="with skips" if skips else "without skips")
    ax.set(xlabel="training step", ylabel="loss (mean of 10 steps)", ylim=(0, None))
    ax.legend()
    plt.show()

# %% [markdown]
# *Figure:* Training loss of the two networks with batch norm. In 80 steps it falls to about 0.7 with skips.
# Without them it hardly leaves its start at 2.3, the loss of a guess among ten classes.

# %% [markdown]
# ## 8. Colour images of 32 x 32
#
# CIFAR-10's photographs are `(3, 32, 32)`. A common error is the order of axes: image files and matplotlib
# have `(H, W, C)`, PyTorch wants `(C, H, W)`. Use `permute(2, 0, 1)`; a `reshape` gives the right shape and
# a scrambled image.

# %% tags=["demo"]
with once_answered("cnn_model"):
    colour_cnn = CNN(in_channels=3, image_size=32)
    parts = [(name, sum(p.numel() for p in part.parameters())) for name, part in colour_cnn.named_children()]
    print(*(f"{name} {count:,}" for name, count in parts if count), sep=", ")
    total = sum(count for _, count in parts)
    print(tuple(colour_cnn(torch.rand(4, 3, 32, 32)).shape), f"{total:,} parameters")
    if profile() == "gpu":  # CIFAR-10 is a download of 170 MB
        photos = cifar10()
        fit(colour_cnn, (photos.train_images, photos.train_labels), epochs=12, batch_size=256)
        hits = predict(colour_cnn, photos.test_images).argmax(dim=1) == photos.test_labels
        print(f"CIFAR-10: test accuracy {100 * hits.float().mean().item():.1f} %")

# %% [markdown]
# Only conv1 (896 in place of 320) and fc1 (4 x 4 places in place of 3 x 3) have grown. Notebook 9 trains on
# CIFAR-10.

# %% [markdown]
# ## 9. Saving for inference, and speed
#
# Save the weights, what it takes to build the model, and the classes' names. Load with `weights_only=True`,
# call `eval()`, predict in `torch.inference_mode()`.

# %% tags=["demo"]
with once_answered("cnn_model"), tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "clothes.pt"
    settings = {"in_channels": 1, "num_classes": 10, "image_size": 28}
    torch.save({"settings": settings, "classes": clothes.classes, "weights": clothes_cnn.state_dict()}, path)
    saved = torch.load(path, weights_only=True, map_location="cpu")
    served = CNN(**saved["settings"])
    served.load_state_dict(saved["weights"])
    served.eval()  # or batch norm uses the statistics of whatever comes in
    with torch.inference_mode():
        probabilities = served(boot).softmax(dim=1)[0]
    best = probabilities.argmax().item()
    print(f"{path.stat().st_size / 1e6:.1f} MB; {saved['classes'][best]}: {100 * probabilities[best]:.1f} %")

# %% tags=["demo"]
def images_per_second(network, size, seconds=0.3):
    """Measured throughput on this CPU; the first pass is not counted, as it allocates memory."""
    images, done = torch.rand(size, 1, 28, 28), 0
    with torch.inference_mode():
        network(images)
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            network(images)
            done += size
        return done / (time.perf_counter() - start)


with once_answered("cnn_model"):
    sizes = (1, 4, 16, 64, 256)
    fig, ax = plt.subplots(figsize=(6, 3.3))
    for label, layout in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
        network = CNN().eval().to(memory_format=layout)
        speeds = [images_per_second(network, size) for size in sizes]
        ax.plot(range(len(sizes)), speeds, marker="o", label=label)
    ax.set_xticks(range(len(sizes)), sizes)
    ax.set(xlabel="batch size (images)", ylabel="images per second", ylim=(0, None))
    ax.legend()
    plt.show()

# %% [markdown]
# *Figure:* Images per second against batch size, for two layouts in memory. Larger batches are faster up to
# a point; here channels_last is faster throughout.

# %% [markdown]
# When you measure: warm up, repeat, state the batch size, and on a GPU call `torch.cuda.synchronize()`
# before you read the clock.

# %% [markdown]
# ## Summary
#
# 1. A convolution is one small kernel at every place: few parameters, and shifts of the image shift the
#    map.
# 2. Size: $\lfloor (n + 2p - d(k-1) - 1)/s \rfloor + 1$. The receptive field grows with depth and stride.
# 3. Block: convolution, batch norm, ReLU, pooling; maps shrink, channels grow.
# 4. Judge class by class, look at maps through hooks, and augment in ways that keep the label.
# 5. Skips keep gradients level, so that depth can be trained.
#
# **To think about**
#
# 1. A 1x1 convolution sees one pixel. What can it do that ReLU and pooling cannot?
# 2. Replace flatten and fc1 by the mean over all places. How many parameters are left, and which errors
#    would you expect on digits?
# 3. Batch norm in eval mode is a fixed scale and shift. Can it be merged into the convolution before it,
#    and what would that save?
#
# **Further reading**
#
# - LeCun, Bottou, Bengio & Haffner, *Gradient-based learning applied to document recognition* (1998)
# - Krizhevsky, Sutskever & Hinton, *ImageNet classification with deep convolutional neural networks* (2012)
# - Zeiler & Fergus, *Visualizing and understanding convolutional networks* (2014)
# - He, Zhang, Ren & Sun, *Deep residual learning for image recognition* (2015)
# - Luo, Li, Urtasun & Zemel, *Understanding the effective receptive field in deep convolutional neural
#   networks* (2016)
# - Dumoulin & Visin, *A guide to convolution arithmetic for deep learning* (2016)
