"""What the figures contain: labels, marks that do not rest on colour alone, opaque backgrounds."""

import matplotlib

matplotlib.use("Agg")

import warnings

import matplotlib.pyplot as plt
import pytest
import torch

from dlcourse.plotting import COLORS, plot_confusion_matrix, plot_history, show_images, use_style
from dlcourse.training import History


@pytest.fixture(autouse=True)
def fresh():
    with plt.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("error")
        use_style()
        yield
    plt.close("all")


def test_style_is_opaque_and_differs_by_more_than_colour():
    fig, ax = plt.subplots()
    lines = [ax.plot([0, 1], [k, k])[0] for k in range(len(COLORS))]
    assert [line.get_color() for line in lines] == COLORS
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == len(COLORS)
    assert fig.get_facecolor() == (1, 1, 1, 1)


def test_the_same_plot_gives_the_same_file(tmp_path):
    for name in ("a.svg", "b.svg"):
        fig, ax = plt.subplots()
        ax.plot([0, 1], [1, 0], label="line")
        ax.legend()
        fig.savefig(tmp_path / name, metadata={"Date": None})
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 8, 8), (5, 3, 8, 8)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_show_images(shape, dtype):
    images = (torch.rand(shape) * (255 if dtype == torch.uint8 else 1.1)).to(dtype)
    fig = show_images(images, titles=range(5), ok=torch.tensor([True, False, True, True, False]), columns=3)
    fig.canvas.draw()
    assert len(fig.axes) == 6
    assert [ax.get_title() for ax in fig.axes[:5]] == ["✓ 0", "✗ 1", "✓ 2", "✓ 3", "✗ 4"]
    assert len({fig.axes[k].title.get_color() for k in (0, 1)}) == 2
    assert not fig.axes[5].images


def test_show_images_without_titles_and_without_images():
    fig = show_images(torch.zeros(2, 1, 4, 4))
    assert [ax.get_title() for ax in fig.axes] == ["", ""]
    with pytest.raises(ValueError, match="no images"):
        show_images(torch.zeros(0, 1, 4, 4))


def test_plot_history():
    fig = plot_history(History([2.0, 1.0], [40.0, 60.0], [2.1, 1.4], [35.0, 50.0], [0.1, 0.1]), title="digits")
    fig.canvas.draw()
    loss, accuracy = fig.axes
    assert (loss.get_xlabel(), loss.get_ylabel(), accuracy.get_ylabel()) == (
        "epoch",
        "mean loss",
        "accuracy (%)",
    )
    assert list(accuracy.lines[1].get_ydata()) == [35.0, 50.0]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training", "validation"]
    assert loss.lines[0].get_linestyle() != loss.lines[1].get_linestyle()
    alone = plot_history(History([2.0], [float("nan")]))
    assert len(alone.axes) == 1
    assert len(alone.axes[0].lines) == 1


def test_plot_confusion_matrix():
    cm = torch.tensor([[8, 2, 0], [0, 5, 0], [0, 0, 0]])
    ax = plot_confusion_matrix(cm, ["cat", "dog", "ship"])
    ax.figure.canvas.draw()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    at = {text.get_position(): text.get_text() for text in ax.texts}
    assert at[1.5, 0.5] == "2"  # row 0, column 1
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["cat", "dog", "ship"]
    assert ax.yaxis_inverted()
    given = plt.subplots()[1]
    assert plot_confusion_matrix(cm, ax=given) is given
    with pytest.raises(ValueError, match="2 classes"):
        plot_confusion_matrix(cm, ["a", "b"])
