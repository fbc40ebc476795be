"""Data sets as whole tensors: images stay uint8 and are normalised batch by batch, on the device.

A small real set comes with the course, and is the default without a GPU. The full image sets are read, or
downloaded once, through torchvision. Every set says in `source` what it is. Environment variables:
DLCOURSE_DATA, a folder to look in first; DLCOURSE_OFFLINE=1, no network; DLCOURSE_PROFILE, "cpu" or "gpu".
"""

import contextlib
import csv
import functools
import gzip
import hashlib
import io
import math
import os
import socket
import tempfile
import threading
import urllib.request
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

DATA_URL = "https://raw.githubusercontent.com/dlcourse/dlcourse/main/data/"  # the bundled files, published
SHA256 = {  # as `data/rebuild.py` prints them
    "mnist.npz": "83410fee340f6e68fb204e7cadfa04706918a621b064b82320d68e82bf22ccd2",
    "fashion_mnist.npz": "b7623471b57cc59ef6dd4ec8cdd755c758015cbdd0bd71e0476a9f16871d8baa",
    "movie_reviews.csv.gz": "0fd173e4a51c79e8a2a5e8be53f2f59acfb5aed27c658d80ff737594251f4be8",
    "mnist1d.npz": "6320acbb0a4694ccbf6d341fe8fbd5cdfbaab6cdb99d1cf2fe3947bc06070670",
}
PARTS = ("x_train", "y_train", "x_test", "y_test")
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"]
FASHION += ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Images uint8 `(N,C,H,W)` with values 0 to 255, labels long `(N,)`, in a train and a test part."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    classes: list[str]
    source: str

    def __repr__(self):
        train, test, size = len(self.train_images), len(self.test_images), tuple(self.train_images.shape[1:])
        return f"{train:,} train and {test:,} test images {size} ({self.source})"


@dataclass(frozen=True, eq=False, repr=False)
class Reviews:
    """Sentences, mean ratings, float `(N,)` in [-4, 4], and labels, long `(N,)`: 1 for a rating above 0.

    `train_indices` and `test_indices`, long, are a fixed split, 80 to 20; no sentence is in both parts.
    """

    texts: list[str]
    ratings: torch.Tensor
    labels: torch.Tensor
    train_indices: torch.Tensor
    test_indices: torch.Tensor
    source: str


def mnist(full=None) -> ImageSet:
    """Handwritten digits, `(N,1,28,28)`: 4,000 + 1,000 bundled, or all 60,000 + 10,000.

    `full=None` means full data on the GPU profile, the bundled set on the CPU profile. Where the full set
    cannot be had, the bundled one is returned, and `source` says why.
    """
    return _image_set("mnist", "MNIST", list("0123456789"), full)


def fashion_mnist(full=None) -> ImageSet:
    """Clothes, `(N,1,28,28)`: 10,000 + 2,000 bundled, or 60,000 + 10,000. `full` is as in `mnist`."""
    return _image_set("fashion_mnist", "FashionMNIST", FASHION, full)


def cifar10() -> ImageSet:
    """Colour photographs, `(N,3,32,32)`, 50,000 + 10,000: a file `cifar10.npz`, else a download of 170 MB.

    Raises FileNotFoundError where neither can be had: no small set of it is bundled.
    """
    *_, cache = _folders()
    path = next((folder / "cifar10.npz" for folder in _folders() if (folder / "cifar10.npz").is_file()), None)
    if path is None:
        path = cache / "cifar10.npz"
        try:
            arrays = dict(zip(PARTS, _from_torchvision("CIFAR10"), strict=True))
            _store(path, lambda out: np.savez(out, **arrays))
        except Exception as error:  # noqa: BLE001
            raise FileNotFoundError(
                f"CIFAR-10 is not on this machine and cannot be downloaded ({str(error)[:80]}): "
                f"connect to the network once, or put cifar10.npz into {cache}."
            ) from None
    return ImageSet(*_tensors(path, *PARTS), [*CIFAR], f"all 60,000, from {path.name}")


def movie_reviews() -> Reviews:
    """10,605 sentences from film reviews in English, rated by people from -4 (most negative) to 4."""
    with gzip.open(_bundled("movie_reviews.csv.gz"), "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ratings = torch.tensor([float(row["rating"]) for row in rows])
    test = torch.tensor([row["split"] == "test" for row in rows])
    split = (~test).nonzero().flatten(), test.nonzero().flatten()
    texts = [row["text"] for row in rows]
    return Reviews(texts, ratings, (ratings > 0).long(), *split, f"{len(rows):,} bundled sentences")


def mnist1d(shuffled=False) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """MNIST-1D (Greydanus and Kobak 2024): ten classes of short series. `X_train, y_train, X_test, y_test`.

    X float32 `(4000,40)` and `(1000,40)`, of mean 0 and standard deviation 1 over all values; y long. With
    `shuffled`, the steps of all series are in another, fixed order: the same values, but no neighbourhoods.
    """
    X_train, y_train, X_test, y_test, order = _tensors(_bundled("mnist1d.npz"), *PARTS, "order")
    if shuffled:
        X_train, X_test = X_train[:, order], X_test[:, order]
    return X_train, y_train, X_test, y_test


def moons(n=300, noise=0.1, seed=0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two interleaved half circles with Gaussian noise, in random order: X float32 `(n,2)`, y long `(n,)`."""
    source = torch.Generator().manual_seed(seed)
    upper, lower = torch.linspace(0, math.pi, n // 2), torch.linspace(0, math.pi, n - n // 2)
    across, up = torch.cat([upper.cos(), 1 - lower.cos()]), torch.cat([upper.sin(), 0.5 - lower.sin()])
    y = (torch.arange(n) >= n // 2).long()
    shuffle = torch.randperm(n, generator=source)
    return torch.stack([across, up], dim=1)[shuffle] + noise * torch.randn(n, 2, generator=source), y[shuffle]


def two_sines(n=2000, noise=0.1, seed=0) -> torch.Tensor:
    """A series, float32 `(n,)`: two sines of amplitude 1, periods 23 and 57 steps, and Gaussian noise."""
    t = torch.arange(n, dtype=torch.float64)
    clean = torch.sin(2 * math.pi * t / 23) + torch.sin(2 * math.pi * t / 57)
    return clean.float() + noise * torch.randn(n, generator=torch.Generator().manual_seed(seed))


def to_float(images, mean=None, std=None) -> torch.Tensor:
    """uint8 images `(...,C,H,W)` as float32 in [0, 1], on their device; then less `mean`, over `std`.

    `mean`, `std`: a number or one for each channel, on the [0, 1] scale. Raises ValueError for other dtypes.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"to_float expects uint8 images, got {images.dtype}")
    pixels = images.float() / 255
    if mean is not None:
        pixels -= torch.as_tensor(mean, device=images.device).float().reshape(-1, 1, 1)
    if std is not None:
        pixels /= torch.as_tensor(std, device=images.device).float().reshape(-1, 1, 1)
    return pixels


def batches(*tensors, batch_size, generator=None):
    """Iterate over tensors of one length in step: tuples of `batch_size` rows, the last may be smaller.

    In order, or in an order drawn from the (CPU) `generator`. Raises ValueError where the lengths differ.
    """
    lengths = [len(tensor) for tensor in tensors]
    if len(set(lengths)) != 1 or batch_size < 1:
        raise ValueError(f"tensors must have one length, batch_size be positive: {lengths}, {batch_size}")
    if generator is None:
        return zip(*(tensor.split(batch_size) for tensor in tensors), strict=True)
    order = torch.randperm(lengths[0], generator=generator)
    return (tuple(tensor[rows.to(tensor.device)] for tensor in tensors) for rows in order.split(batch_size))


# ---- where files are found; nothing below is part of the interface ----


def _offline():
    return os.environ.get("DLCOURSE_OFFLINE") == "1"


def _folders():
    """Where to look: DLCOURSE_DATA, `data` beside this package, and the cache, where downloads go."""
    given = os.environ.get("DLCOURSE_DATA")
    beside = Path(__file__).resolve().parent.parent / "data"
    return ([Path(given)] if given else []) + [beside, Path(os.path.expanduser("~/.cache/dlcourse"))]


def _bundled(name):
    """The path of one of the course's own files, downloaded into the cache where no folder has it."""
    *folders, cache = _folders()
    for path in (folder / name for folder in folders):
        if path.is_file():
            return path
    path = cache / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
        try:
            _need_network()
            with urllib.request.urlopen(DATA_URL + name, timeout=30) as response:
                content = response.read()
            if hashlib.sha256(content).hexdigest() != SHA256[name]:
                raise OSError("its checksum is not the expected one")
            _store(path, lambda out: out.write(content))
        except OSError as error:
            raise FileNotFoundError(
                f"{name} cannot be downloaded from {DATA_URL} ({error}): connect to the network once, or set "
                "DLCOURSE_DATA to the data folder of a copy of the course."
            ) from None
    return path


def _store(path, write):
    """Write a file so that it is there in full or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        with open(Path(folder) / "part", "wb") as out:
            write(out)
        os.replace(Path(folder) / "part", path)


def _tensors(path, *names):
    """Arrays of an npz file: images stay uint8, series float32; one-dimensional ones (labels) become long."""
    with np.load(path) as arrays:
        tensors = [torch.from_numpy(arrays[name]) for name in names]
    return [tensor if tensor.ndim > 1 else tensor.long() for tensor in tensors]


def _image_set(name, class_name, classes, full):
    from dlcourse.training import profile  # here, because training.py imports this module

    why = "as asked" if full is False else "DLCOURSE_OFFLINE=1" if _offline() else f"{profile()} profile"
    if full or (full is None and why == "gpu profile"):
        try:
            return ImageSet(*_from_torchvision(class_name), [*classes], "all 70,000, by torchvision")
        except Exception as error:  # noqa: BLE001 (whatever keeps the full set away, the bundled one serves)
            why = str(error)[:80]
    parts = _tensors(_bundled(f"{name}.npz"), *PARTS)
    return ImageSet(*parts, [*classes], f"bundled {len(parts[1]) + len(parts[3]):,} of 70,000: {why}")


def _from_torchvision(class_name):
    """Train images and labels, test images and labels: read from disk where they are, else downloaded."""
    cifar = class_name == "CIFAR10"
    last_file = "cifar-10-batches-py/test_batch" if cifar else f"{class_name}/raw/t10k-labels-idx1-ubyte"
    root = next((folder for folder in _folders() if (folder / last_file).is_file()), None)
    if download := root is None:
        _need_network()
        print(f"Downloading {class_name}: this happens once.", flush=True)
    with contextlib.ExitStack() as quietly:
        if download:  # what comes of CIFAR-10 is kept as one npz file instead
            root = quietly.enter_context(tempfile.TemporaryDirectory()) if cifar else _folders()[-1]
        quietly.enter_context(contextlib.redirect_stdout(io.StringIO()))
        quietly.enter_context(contextlib.redirect_stderr(io.StringIO()))
        quietly.enter_context(warnings.catch_warnings(action="ignore"))
        quietly.callback(socket.setdefaulttimeout, socket.getdefaulttimeout())
        socket.setdefaulttimeout(30)
        from torchvision import datasets

        found = []
        for train in (True, False):
            part = getattr(datasets, class_name)(root, train=train, download=download)
            images = torch.as_tensor(part.data)
            images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
            found += [images, torch.as_tensor(part.targets).long()]
    return found


@functools.cache
def _online():
    """Whether a server answers in three seconds: asked in a thread, as a name look-up has no time limit."""
    answers = []

    def ask():
        question = urllib.request.Request("https://github.com", method="HEAD")
        with contextlib.suppress(OSError), urllib.request.urlopen(question, timeout=3):
            answers.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(3)
    return bool(answers)


def _need_network():
    if _offline() or not _online():
        raise OSError("DLCOURSE_OFFLINE=1" if _offline() else "no network")
