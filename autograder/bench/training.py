"""The course's training loop against the usual one: a Dataset that transforms image by image, and a DataLoader."""

import time

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from dlcourse.data import mnist
from dlcourse.training import fit, set_seed

EPOCHS, BATCH = 8, 64
TARGETS = {"MLP 512-256": 90.0, "CNN 32-64-128": 96.0}  # percent of the bundled test digits


def mlp() -> nn.Module:
    """The multilayer network of notebook 02."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 10))


def cnn() -> nn.Module:
    """The convolutional network of notebook 03."""
    blocks, channels = [], 1
    for width in (32, 64, 128):
        blocks += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128 * 3 * 3, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))


class PerImage(Dataset):
    """Digits as most tutorials read them: PIL, ToTensor and Normalize for each one, each time."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor):
        self.images = [Image.fromarray(image.squeeze(0).numpy()) for image in images]
        self.labels = labels
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index]), self.labels[index]


def usual_loop(model: nn.Module, digits) -> list[tuple[float, float]]:
    """(seconds, test accuracy in percent) of each epoch."""
    set_seed(0)
    train = DataLoader(PerImage(digits.train_images, digits.train_labels), batch_size=BATCH, shuffle=True)
    test = DataLoader(PerImage(digits.test_images, digits.test_labels), batch_size=BATCH)
    optimizer, epochs = torch.optim.Adam(model.parameters(), lr=1e-3), []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in test)
        epochs.append((time.perf_counter() - start, 100 * right / len(digits.test_labels)))
    return epochs


def our_loop(model: nn.Module, digits) -> list[tuple[float, float]]:
    """The same, by `dlcourse.training.fit`."""
    history = fit(
        model, (digits.train_images, digits.train_labels), (digits.test_images, digits.test_labels), epochs=EPOCHS, batch_size=BATCH,
        seed=0, progress=False,
    )  # fmt: skip
    return list(zip(history.seconds, history.val_accuracy))


def training_figures(report) -> dict:
    """Seconds per epoch and epochs to the same accuracy, for both loops and two models."""
    torch.set_num_threads(1)
    digits, figures = mnist(full=False), {}
    for name, make in {"MLP 512-256": mlp, "CNN 32-64-128": cnn}.items():
        for loop, run in {"per image": usual_loop, "whole tensors": our_loop}.items():
            set_seed(0)
            epochs = run(make(), digits)
            seconds = sum(second for second, _ in epochs) / len(epochs)
            reached = next((number for number, (_, accuracy) in enumerate(epochs, 1) if accuracy >= TARGETS[name]), None)
            figures[f"{name}, {loop}"] = {"seconds_per_epoch": seconds, "epochs_to_target": reached, "best_accuracy": max(accuracy for _, accuracy in epochs)}
            report(f"{name}, {loop}: {seconds:.2f} s an epoch, {TARGETS[name]:g} % after {reached} epochs, best of {EPOCHS}: {figures[f'{name}, {loop}']['best_accuracy']:.1f} %")
        ratio = figures[f"{name}, per image"]["seconds_per_epoch"] / figures[f"{name}, whole tensors"]["seconds_per_epoch"]
        figures[f"{name}, ratio"] = ratio
        report(f"{name}: an epoch of whole tensors is {ratio:.1f} times as fast")
    return figures
