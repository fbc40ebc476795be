"""The reference projects of notebook 9: `python -m autograder.projects train [A B C]` writes solutions/checkpoints/*.pt, in half precision.

`hidden` draws the hidden images anew from Debian's package dataset-fashion-mnist. `cifar10 FILE` trains option A's reference on the copy of
CIFAR-10 in FILE (arrays x_train, y_train, x_test, y_test; uint8, NCHW), on one thread of the CPU, and prints its test accuracy.
"""

import gzip
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from autograder.build.master import read_master, reference_code
from autograder.grading.cells import new_namespace, run_cell
from autograder.paths import SOLUTIONS
from autograder.specs import n09_hidden
from dlcourse.data import fashion_mnist
from dlcourse.training import predict, set_seed

SLUG = "09_final_project"
CHECKPOINTS = SOLUTIONS / "checkpoints"
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
# epochs and learning rate of each network
RECIPES = {
    "A": {"cnn": (20, 0.01)},
    "B": {"lstm": (20, 0.005), "transformer": (20, 0.005)},
    "C": {"rnn": (8, 0.01), "transformer": (6, 0.003)},
}


def reference(project: str, dataset: str = "fashion_mnist") -> dict:
    """The namespace of the reference notebook with another option chosen."""
    namespace = new_namespace()
    for cell in read_master(SLUG).cells:
        if cell.kind == "code" and "demo" not in cell.tags:
            source = reference_code(cell).replace('PROJECT = "A"', f'PROJECT = "{project}"')
            run_cell(source.replace('DATASET = "fashion_mnist"', f'DATASET = "{dataset}"'), cell.exercise or "setup", namespace)
    return namespace


def train_networks(notebook: dict, recipes: dict[str, tuple[int, float]]):
    """All networks of the option, trained one after the other as the notebook does; and the number of epochs."""
    train_data, val_data, _ = notebook["tensors"]()
    set_seed(0)
    networks = notebook["build_all"]()
    for name, (epochs, rate) in recipes.items():
        start = time.process_time()
        optimizer = torch.optim.AdamW(networks[name].parameters(), lr=rate, weight_decay=0.01)
        history = notebook["train"](networks[name], optimizer, train_data, val_data, epochs)
        losses = " ".join(f"{value:.4f}" for value in history["val_loss"])
        print(f"{name}: {time.process_time() - start:.0f} CPU seconds, validation loss {losses}", flush=True)
    return networks, max(epochs for epochs, _ in recipes.values())


def write_references(projects) -> None:
    """Train and write the checkpoints."""
    torch.set_num_threads(1)
    CHECKPOINTS.mkdir(exist_ok=True)
    for project in projects:
        notebook = reference(project)
        networks, epochs = train_networks(notebook, RECIPES[project])
        for network in networks.values():
            network.half()  # half the size; the networks that load it stay in single precision
        notebook["save_checkpoint"](networks, None, epochs, CHECKPOINTS / f"{project}.pt")
        print(f"{project}.pt: {(CHECKPOINTS / f'{project}.pt').stat().st_size:,} bytes")


def draw_hidden(folder: Path = FASHION_FOLDER) -> None:
    """1,800 images that are not among the 12,000 of the course."""
    arrays = {}
    for split in ("train", "t10k"):
        for kind, offset in (("images-idx3", 16), ("labels-idx1", 8)):
            with gzip.open(folder / f"{split}-{kind}-ubyte.gz") as file:
                arrays[split, kind] = np.frombuffer(file.read(), dtype=np.uint8, offset=offset)
    images = torch.from_numpy(np.concatenate([arrays[split, "images-idx3"] for split in ("train", "t10k")]).reshape(-1, 1, 28, 28).copy())
    labels = torch.from_numpy(np.concatenate([arrays[split, "labels-idx1"] for split in ("train", "t10k")]).copy())
    bundled = fashion_mnist(full=False)
    known = {image.numpy().tobytes() for part in (bundled.train_images, bundled.test_images) for image in part}
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(2026)).tolist()
    chosen = [row for row in order if images[row].numpy().tobytes() not in known][: sum(n09_hidden.IMAGES)]
    np.savez_compressed(n09_hidden.FASHION, images=images[chosen].numpy(), labels=labels[chosen].numpy())
    print(f"{n09_hidden.FASHION.name}: {len(chosen)} images, {n09_hidden.FASHION.stat().st_size:,} bytes")


def measure_cifar10(path: str, epochs: int = 12) -> None:
    """Train option A's reference on CIFAR-10 and print what it reaches on the 10,000 test images."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "cifar10.npz")
        os.environ["DLCOURSE_DATA"] = folder
        notebook = reference("A", "cifar10")
        start = time.process_time()
        networks, _ = train_networks(notebook, {"cnn": (epochs, 0.01)})
        images, labels = notebook["load_data"]()[2]
        accuracy = 100 * (predict(networks["cnn"], images, device="cpu").argmax(dim=1) == labels).float().mean().item()
        print(f"CIFAR-10, seed 0, {epochs} epochs: {accuracy:.1f} % of the test images, {(time.process_time() - start) / 60:.0f} CPU minutes")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["train", *projects]:
            write_references(projects or list(RECIPES))
        case ["hidden"]:
            draw_hidden()
        case ["cifar10", path]:
            measure_cifar10(path)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
