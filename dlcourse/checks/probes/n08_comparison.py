"""Probes of notebook 8, comparison: counting, cost laws, intervals, the sheet of plots.

Those of `compare_models` stand in n08_comparison_models, those of `mixed_precision` in n08_comparison_precision.
"""

import math
import warnings

import numpy as np
import torch
from torch import nn

from dlcourse.checks.probe import probe
from dlcourse.checks.probes.n08_comparison_models import compared, learned, seeded  # noqa: F401 (registers them)
from dlcourse.checks.probes.n08_comparison_precision import amp_steps  # noqa: F401


def whole(value) -> bool:
    """Whether a value is an int, NumPy's among them."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


# --- count_parameters --------------------------------------------------------------------------------------------------------------


class Tied(nn.Module):
    """One matrix in two places, as in many language models."""

    def __init__(self, vocabulary, width):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.output = nn.Linear(width, vocabulary)
        self.output.weight = self.embedding.weight


class Own(nn.Module):
    """Parameters of a module's own, beside those of its layers, and a buffer; one layer used twice."""

    def __init__(self, size):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, size))
        self.register_buffer("table", torch.zeros(7, size))
        self.layer = nn.Linear(size, size)
        self.same_layer = self.layer
        self.scalar = nn.Parameter(torch.tensor(1.0))


def small_model(kind: str, size: int) -> nn.Module:
    """A model of one kind, to be counted."""
    if kind == "tied":
        return Tied(3 * size, size)
    if kind == "own parameters":
        return Own(size)
    if kind == "recurrent":
        return nn.Sequential(nn.LSTM(2, size, num_layers=2), nn.Linear(size, 3, bias=False))
    model = nn.Sequential(
        nn.Conv2d(1, size, 3), nn.BatchNorm2d(size), nn.Flatten(), nn.Sequential(nn.Linear(size, 4), nn.ReLU())
    )
    if kind == "partly frozen":
        model[0].weight.requires_grad_(False)
    if kind == "all frozen":
        model.requires_grad_(False)
    return model


@probe
def parameter_counts(answer, kind, size):
    """Both counts, and the count by default."""
    model = small_model(kind, size)
    default = answer.count_parameters(model)
    return {
        "trainable ones (the default)": default,
        "trainable_only=True": answer.count_parameters(model, trainable_only=True),
        "trainable_only=False": answer.count_parameters(model, trainable_only=False),
        "an int": whole(default),
    }


# --- attention_cost ----------------------------------------------------------------------------------------------------------------


@probe
def layer_costs(answer, kind, sizes):
    """Operations for each pair (length, dim)."""
    costs = {f"length {n}, dim {d}": answer.layer_flops(kind, n, d) for n, d in sizes}
    return {**costs, "whole numbers": all(map(whole, costs.values()))}


@probe
def crossovers(answer, dims):
    """The length from which attention costs more, for each dim."""
    lengths = {f"dim {d}": answer.crossover_length(d) for d in dims}
    return {**lengths, "whole numbers": all(map(whole, lengths.values()))}


# --- accuracy_interval -------------------------------------------------------------------------------------------------------------


@probe
def wilson(answer, correct, total, confidence=None):
    """Both ends of the interval."""
    more = {} if confidence is None else {"confidence": confidence}
    low, high = answer.wilson_interval(correct, total, **more)
    return {"low": float(low), "high": float(high)}


WIDTHS = (0.2, 0.4, 0.6, 0.9, 1.1, 1.7)


def judge_bootstrap(observation, low, high, margin):
    """The difference as it is; the ends, which depend on the random numbers, against those of a very long bootstrap."""
    mean, mine = observation["difference"], (observation["low"], observation["high"])
    reflected = 2 * mean - high, 2 * mean - low
    return {
        "difference": mean,
        "the low end is that of the paired bootstrap": abs(mine[0] - low) <= margin,
        "the high end is that of the paired bootstrap": abs(mine[1] - high) <= margin,
        "width, as a multiple of the right one": _band((mine[1] - mine[0]) / (high - low)),
        "where the ends lie": _places(mean, *mine),
        "the ends fit the reflected bootstrap": all(abs(one - other) <= margin for one, other in zip(mine, reflected)),
    }


def _places(mean: float, low: float, high: float) -> str:
    if abs(high - low) < 1e-9:
        return "both at the difference" if abs(low - mean) < 1e-6 else "both at one number"
    return "around the difference" if low <= mean <= high else "not around the difference"


def _band(ratio: float) -> str:
    """Where a ratio lies, coarsely."""
    below = [f"{edge:g} or more" for edge in WIDTHS if ratio >= edge][-1:]
    above = [f"less than {edge:g}" for edge in WIDTHS if ratio < edge][:1]
    return ", ".join(below + above)


@probe(judge=judge_bootstrap)
def bootstrap(answer, correct_a, correct_b, seed):
    """Difference, low and high end, by the default number of resamples."""
    difference, low, high = answer.paired_bootstrap(correct_a, correct_b, seed=seed)
    return {"difference": float(difference), "low": float(low), "high": float(high)}


@probe
def bootstrap_certain(answer, correct, seed):
    """Pairs that leave nothing to chance: the same samples right, all right against none."""
    ones = torch.ones_like(correct)
    return {
        "a model against itself": [float(x) for x in answer.paired_bootstrap(correct, correct.clone(), 50, seed=seed)],
        "all right against all wrong": [float(x) for x in answer.paired_bootstrap(ones, 1 - ones, 50, seed=seed)],
    }


@probe
def bootstrap_repeats(answer, correct_a, correct_b):
    """Seeds, and `n_resamples`: of two resamples the percentiles are others than of sixty."""
    first, again, other, few = (
        [float(x) for x in answer.paired_bootstrap(correct_a, correct_b, n_resamples=count, seed=seed)]
        for seed, count in ((3, 60), (3, 60), (4, 60), (3, 2))
    )
    return {
        "the same seed gives the same interval": first == again,
        "another seed gives another interval": first != other,
        "another number of resamples gives another interval": first != few,
        "the difference is the same each time": first[0] == other[0] == few[0],
    }


# --- comparison_plots --------------------------------------------------------------------------------------------------------------

PANELS = {"training loss": "train_loss", "validation loss": "val_loss", "validation accuracy": "val_acc"}


def _artists(ax) -> list[dict]:
    """Lines and clouds of points with their label: where it is given to the legend alone, the legend's."""
    from matplotlib.collections import PathCollection

    legend = ax.get_legend()
    texts = [text.get_text() for text in legend.get_texts()] if legend else []
    drawn = [(line, line.get_xydata()) for line in ax.lines]
    drawn += [(points, points.get_offsets()) for points in ax.collections if isinstance(points, PathCollection)]
    drawn = [(artist, places) for artist, places in drawn if len(places)]  # seaborn draws empty ones for the legend
    found = []
    for number, (artist, places) in enumerate(drawn):
        label = str(artist.get_label())
        if label.startswith("_") and len(texts) == len(drawn):
            label = texts[number]
        places = torch.tensor(np.ma.filled(np.ma.asarray(places, dtype=float), np.nan)).reshape(-1, 2)
        found.append({"label": label, "places": places[~places.isnan().any(dim=1)]})  # pandas fills up short curves
    return found


def _panel(ax) -> dict:
    legend = ax.get_legend()
    return {
        "labels": [ax.get_xlabel(), ax.get_ylabel()],
        "title": " ".join(ax.get_title(loc) for loc in ("left", "center", "right")),
        "legend": [text.get_text() for text in legend.get_texts()] if legend else [],
        "texts": [text.get_text() for text in ax.texts],
        "artists": _artists(ax),
    }


def _names(label: str, name: str, others: list[str]) -> bool:
    """Whether a label names this model, and not one whose name merely contains this one's."""
    return name in label and not any(name in other and name != other and other in label for other in others)


def _near(one, other) -> bool:
    one, other = torch.as_tensor(one).double(), torch.as_tensor(other).double()
    return one.shape == other.shape and bool(torch.allclose(one, other, rtol=1e-5, atol=1e-6))


def _curves(panel: dict, wanted: dict[str, list[float]], whole: bool = True) -> int:
    """How many models' curves are drawn under their names; with `whole=False` only the first part of them, two epochs or more."""

    def shows(art, name, values):
        heights = art["places"][:, 1]
        if not whole:
            values = values[: len(heights)] if 2 <= len(heights) < len(values) else []
        return _names(art["label"], name, list(wanted)) and len(values) > 0 and _near(heights, values)

    return sum(any(shows(art, name, values) for art in panel["artists"]) for name, values in wanted.items())


def _points(panel: dict, wanted: dict[str, list[float]]) -> tuple[int, bool]:
    """How many models' points are there, under their names where the points have names; and whether all are, under any name.

    Parameters may be in thousands or millions.
    """
    names, most, anyhow = list(wanted), 0, False
    target = torch.tensor([wanted[name] for name in names], dtype=torch.float64)
    clouds = [art["places"] for art in panel["artists"] if len(art["places"])]
    for unit in (1.0, 1e3, 1e6):
        scaled = torch.where(target > 100, target / unit, target)  # accuracies are at most 100
        named = sum(
            any(
                _names(art["label"], name, names) and _near(art["places"], point.reshape(1, 2))
                for art in panel["artists"]
            )
            for name, point in zip(names, scaled)
        )
        together = any(len(places) == len(names) and _all_in(places, scaled) for places in clouds)
        most = max(most, len(names) if together else named)
        anyhow |= bool(clouds) and _all_in(torch.cat(clouds), scaled)
    return most, anyhow


def _all_in(places, points) -> bool:
    return all(any(_near(place, point) for place in places) for point in points)


def _cloud(panels: list[dict], results: dict, validation: dict) -> int | str:
    """How many models have their point in a panel; where not all have, what is drawn instead."""
    swapped = {name: point[::-1] for name, point in results.items()}
    validated = {name: [point[0], validation[name]] for name, point in results.items()}
    found = [_points(panel, results) for panel in panels]
    shown = max((count for count, _ in found), default=0)
    if shown == len(results):
        return shown
    if any(_points(panel, swapped)[1] for panel in panels):
        return "0, x and y the other way round"
    if any(_points(panel, validated)[1] for panel in panels):
        return "0, validation accuracies for test accuracies"
    return f"{shown}, others under another name" if any(anyhow for _, anyhow in found) else shown


def judge_plots(observation, histories, results, validation):
    """Which of the four panels are there, and what each of them lacks."""
    if "panels" not in observation:
        return observation
    panels = observation["panels"]
    facts = {
        "returns": observation["returns"],
        "panels": len(panels),
        "rows and columns": observation["rows and columns"],
    }
    names = list(histories)
    curves = {title: {name: history[key] for name, history in histories.items()} for title, key in PANELS.items()}
    for title, wanted in curves.items():
        shown = max((_curves(panel, wanted) for panel in panels), default=0)
        short = shown < len(names) and any(_curves(panel, wanted, whole=False) for panel in panels)
        facts[f"models in a panel with {title}"] = f"{shown}, others stop too early" if short else shown
    facts["models in a panel with parameters (x) and test accuracy (y)"] = _cloud(panels, results, validation)
    facts["panels without both axis labels"] = sum(
        not all(label.strip() for label in panel["labels"]) for panel in panels
    )
    facts["panels without a title"] = sum(not panel["title"].strip() for panel in panels)
    facts["panels without a legend that names every model"] = sum(
        not all(any(_names(text, name, names) for text in panel["legend"]) for name in names) for panel in panels
    )
    return facts


@probe(judge=judge_plots)
def sheet_of_plots(answer, histories, results):
    """Everything drawn on each of the figure's panels. `results`: rows of numbers with the columns of `compare_models`."""
    import matplotlib.pyplot as plt
    import pandas
    from matplotlib.figure import Figure

    frame = pandas.DataFrame(
        results["rows"], columns=results["columns"], index=pandas.Index(results["index"], name="model")
    )
    show = plt.show
    plt.show = lambda *args, **kwargs: None
    try:
        with warnings.catch_warnings(action="ignore"):
            figure = answer.comparison_plots(histories, frame)
    finally:
        plt.show = show
    if not isinstance(figure, Figure):
        return {"returns": f"an object of type {type(figure).__name__}"}
    axes = [ax for ax in figure.axes if ax.get_visible() and not hasattr(ax, "_colorbar")]
    grids = [ax.get_gridspec() for ax in axes if ax.get_subplotspec() is not None]
    places = [list(grid.get_geometry()) for grid in grids]
    return {
        "returns": "a Figure",
        "panels": [_panel(ax) for ax in axes],
        "rows and columns": places[0] if places and all(place == places[0] for place in places) else places,
    }


def bootstrap_ends(correct_a, correct_b) -> dict:
    """For the spec: the exact ends of the paired bootstrap in the limit of many resamples, and how far chance may move them.

    The sum of n draws from {-1, 0, 1} has a distribution that can be computed: n times a convolution.
    """
    differences = correct_a.long() - correct_b.long()
    n = len(differences)
    step = np.array([(differences == value).double().mean().item() for value in (-1, 0, 1)])
    distribution = np.ones(1)
    for _ in range(n):
        distribution = np.convolve(distribution, step)
    total = distribution.cumsum()
    low, high = ((int(np.searchsorted(total, q)) - n) / n for q in (0.025, 0.975))
    return {"low": low, "high": high, "margin": max(1.3 / n, 0.16 * differences.double().std().item() / math.sqrt(n))}
