"""One style for all figures: colours that colour-blind readers can tell apart, and line styles."""

import contextlib
import math

COLORS = [
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#F0E442",
]  # Okabe and Ito 2008
LINE_STYLES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 3))]
RIGHT, WRONG = "#00664A", "#B34700"  # darker green and vermilion, for text


def use_style() -> None:
    """Set the course's style for every later figure; in a notebook figures become SVG, sharp at any size.

    Backgrounds are opaque white, so that dark labels stay readable where the page around them is dark.
    """
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "axes.prop_cycle": mpl.cycler(color=COLORS, linestyle=LINE_STYLES),
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "savefig.transparent": False,
            "axes.facecolor": "white",
            "figure.figsize": (7, 4),
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#dddddd",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "lines.linewidth": 2,
            "legend.frameon": False,
            "image.cmap": "cividis",
            "svg.hashsalt": "dlcourse",  # the same figure gives the same file
        }
    )
    with contextlib.suppress(ImportError):
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        if get_ipython() is not None:
            set_matplotlib_formats("svg", metadata={"Date": None})


def show_images(images, titles=None, ok=None, columns=8):
    """Draw images `(N,H,W)`, `(N,1,H,W)` or `(N,3,H,W)`, uint8 or float, in a grid. Returns the Figure.

    Grey values span the range of all images together; colours are clipped to [0, 1], or 0 to 255. titles: one
    an image. ok: one bool an image, a tick or a cross before the title and its colour. In a notebook write
    `fig = show_images(...)`: as a cell's last value it would be drawn twice. No images raise ValueError.
    """
    import matplotlib.pyplot as plt

    if len(images) == 0:
        raise ValueError("there are no images to show")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(1.1 * columns, 1.35 * rows), squeeze=False)
    span = {"vmin": images.min().item(), "vmax": images.max().item(), "cmap": "gray"}
    for ax in axes.flat:
        ax.set_axis_off()
    for k, (ax, image) in enumerate(zip(axes.flat, images.detach().cpu(), strict=False)):
        if image.ndim == 3 and len(image) == 3:
            top = 1.0 if image.is_floating_point() else 255
            ax.imshow(image.clamp(0, top).permute(1, 2, 0).numpy())
        else:
            ax.imshow(image.reshape(image.shape[-2:]).numpy(), **span)
        mark, color = ("", "black") if ok is None else ("✓ ", RIGHT) if ok[k] else ("✗ ", WRONG)
        ax.set_title(mark + (str(titles[k]) if titles is not None else ""), color=color, fontsize=9)
    return fig


def plot_history(history, title=None):
    """Draw a `History`, loss and accuracy (if any) by epoch. Returns the Figure; see `show_images`."""
    import matplotlib.pyplot as plt

    panels = {"loss": "mean loss", "accuracy": "accuracy (%)"}
    if all(map(math.isnan, history.train_accuracy)):  # not a classification
        del panels["accuracy"]
    fig, axes = plt.subplots(1, len(panels), figsize=(4.5 * len(panels), 3.4), squeeze=False)
    for ax, (name, label) in zip(axes.flat, panels.items(), strict=True):
        for part, words in (("train", "training"), ("val", "validation")):
            values = getattr(history, f"{part}_{name}")
            if values:
                ax.plot(range(1, len(values) + 1), values, label=words, marker="." if len(values) < 30 else None)
        ax.set(xlabel="epoch", ylabel=label)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
    if title:
        fig.suptitle(title)
    return fig


def plot_confusion_matrix(cm, classes=None, ax=None):
    """Draw counts `(K,K)`, a row for each true class, a column for each predicted one; returns the Axes.

    The colour is the share of the true class. Raises ValueError where names and counts do not fit.
    """
    import matplotlib.pyplot as plt
    import torch

    cm = torch.as_tensor(cm).cpu()
    names = [str(name) for name in (range(len(cm)) if classes is None else classes)]
    if cm.shape != (len(names), len(names)):
        raise ValueError(f"a matrix of shape {tuple(cm.shape)} does not fit {len(names)} classes")
    ax = ax or plt.subplots(figsize=(1.8 + 0.55 * len(names), 1.2 + 0.5 * len(names)))[1]
    share = cm / cm.sum(dim=1, keepdim=True).clamp(min=1)
    mesh = ax.pcolormesh(share.numpy(), cmap="Blues", vmin=0, vmax=1)
    for row in range(len(cm)):
        for column in range(len(cm)):
            color = "white" if share[row, column] > 0.5 else "black"
            words = {"ha": "center", "va": "center", "fontsize": 8, "color": color}
            ax.text(column + 0.5, row + 0.5, f"{cm[row, column].item():g}", **words)
    centres = [k + 0.5 for k in range(len(names))]
    ax.set(xlabel="predicted class", ylabel="true class", yticks=centres, yticklabels=names)
    slanted = {"rotation": 45, "ha": "right"} if max(map(len, names)) > 3 else {}
    ax.set_xticks(centres, names, **slanted)
    ax.invert_yaxis()
    ax.grid(False)
    ax.figure.colorbar(mesh, ax=ax, label="share of the true class")
    return ax
