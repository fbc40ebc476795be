"""What the grader measures project 9 on. Nothing of this is among the data that students have, but for the sentences' texts.

`fashion.npz` holds 1,800 of the 58,000 images of Fashion-MNIST that the course does not bundle; `python -m autograder.projects hidden`
draws them anew from Debian's package dataset-fashion-mnist.
"""

import functools
from pathlib import Path

import numpy as np
import torch

from dlcourse.data import fashion_mnist, movie_reviews, two_sines

FASHION = Path(__file__).parent / "n09_hidden_fashion.npz"
WINDOW = 30
# Steps 1 to 4, then step 5, which decides most: 1,000 images. A network that is right on 90 % of all images misses 88 % of these once in
# 45 times, one at 89.5 % once in 16. 800 sentences: one at 74 % misses 70 % once in 150 times.
IMAGES, SENTENCES, WINDOWS = (200,) * 4 + (1000,), (150,) * 4 + (800,), (80,) * 4 + (250,)
PUBLIC_IMAGES, PUBLIC_SENTENCES, PUBLIC_WINDOWS = (400,) * 4 + (2000,), (60,) * 4 + (300,), (40,) * 4 + (60,)
SENTENCES_BEFORE = sum(PUBLIC_SENTENCES)


@functools.cache
def _fashion():
    with np.load(FASHION) as arrays:
        return torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"]).long()


@functools.cache
def _sentences():
    """Texts and labels of the reviews' test part, in an order of their own."""
    reviews = movie_reviews()
    order = torch.randperm(len(reviews.test_indices), generator=torch.Generator().manual_seed(9))
    rows = reviews.test_indices[order]
    return [reviews.texts[row] for row in rows], reviews.labels[rows]


def _stretch(counts, step):
    """First and last place of what belongs to a step, counted from 1."""
    start = sum(counts[: step - 1])
    return start, start + counts[step - 1]


def _continuation(count, seed):
    """Windows of the series after its 2,000 known steps, under other noise; none overlaps the next, so none shows another's answer."""
    pieces = two_sines(2000 + (WINDOW + 1) * count, seed=seed)[2000:].unfold(0, WINDOW + 1, WINDOW + 1)
    windows = pieces[:, :-1].unsqueeze(2).contiguous()
    return {"series": windows}, {"forecasts": pieces[:, -1].clone(), "naive": pieces[:, -2].clone()}


def _texts(counts, step, before=0):
    start, end = _stretch(counts, step)
    texts, labels = _sentences()
    return {"texts": texts[before + start : before + end]}, {"sentiments": labels[before + start : before + end]}


def hidden(step):
    """Inputs and secret of a hidden case."""
    start, end = _stretch(IMAGES, step)
    series, forecasts = _continuation(WINDOWS[step - 1], seed=500 + step)
    texts, sentiments = _texts(SENTENCES, step, before=SENTENCES_BEFORE)
    images, labels = _fashion()
    return {"images": images[start:end], **series, **texts}, {"step": step, "labels": labels[start:end], **forecasts, **sentiments}


def public(step):
    """The same from what students have: the bundled test images, named by their places, and other noise."""
    start, end = (0, 2000) if step == 5 else _stretch(PUBLIC_IMAGES, step)
    series, forecasts = _continuation(PUBLIC_WINDOWS[step - 1], seed=step)
    texts, sentiments = _texts(PUBLIC_SENTENCES, step)
    labels = fashion_mnist(full=False).test_labels[start:end].to(torch.uint8)
    return {"bundled": [start, end], **series, **texts}, {"step": step, "labels": labels, **forecasts, **sentiments}
