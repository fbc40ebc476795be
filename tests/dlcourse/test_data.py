"""The bundled sets, where files are looked for, and what happens without a network."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse import data

FOLDER = Path(data.__file__).resolve().parent.parent / "data"


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """No test may reach the network or the real cache."""
    monkeypatch.setenv("DLCOURSE_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DLCOURSE_DATA", raising=False)
    monkeypatch.delenv("DLCOURSE_PROFILE", raising=False)


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """The package as installed without the repository around it: no data folder beside it."""
    monkeypatch.setattr(data, "__file__", str(tmp_path / "site" / "dlcourse" / "data.py"))
    return tmp_path / "home" / ".cache" / "dlcourse"


@pytest.mark.parametrize("name", data.SHA256)
def test_checksums_are_those_of_the_files(name):
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == data.SHA256[name]


def test_bundled_files_stay_small():
    assert sum((FOLDER / name).stat().st_size for name in data.SHA256) < 12e6


@pytest.mark.parametrize(("load", "train", "test"), [(data.mnist, 400, 100), (data.fashion_mnist, 1000, 200)])
def test_image_sets(load, train, test):
    images = load()
    assert images.train_images.dtype == torch.uint8
    assert images.train_images.shape == (10 * train, 1, 28, 28)
    assert images.test_images.shape == (10 * test, 1, 28, 28)
    assert images.train_labels.dtype == torch.long
    assert images.train_labels.bincount().tolist() == [train] * 10
    assert images.test_labels.bincount().tolist() == [test] * 10
    assert len(images.classes) == 10
    assert "bundled" in images.source
    assert "DLCOURSE_OFFLINE=1" in images.source
    assert f"{10 * train:,} train" in repr(images)
    first = images.train_labels[:500].bincount(minlength=10)
    assert first.min() > 20  # the order is mixed


def test_no_digit_is_in_both_parts():
    digits = data.mnist()
    train = {image.tobytes() for image in digits.train_images.numpy()}
    assert not any(image.tobytes() in train for image in digits.test_images.numpy())


def test_movie_reviews():
    reviews = data.movie_reviews()
    assert len(reviews.texts) == len(reviews.ratings) == len(reviews.labels) == 10_605
    assert reviews.ratings.dtype == torch.float32
    assert reviews.ratings.abs().max() <= 4
    assert torch.equal(reviews.labels, (reviews.ratings > 0).long())
    assert len(reviews.test_indices) == 2121
    both = torch.cat([reviews.train_indices, reviews.test_indices])
    assert torch.equal(both.sort().values, torch.arange(10_605))
    train = {reviews.texts[k] for k in reviews.train_indices}
    assert not any(reviews.texts[k] in train for k in reviews.test_indices)
    assert 0.45 < reviews.labels[reviews.test_indices].float().mean() < 0.55
    assert not any("&amp;" in text or not text.strip() for text in reviews.texts)


def test_mnist1d_and_its_shuffled_copy():
    X, y, X_test, y_test = data.mnist1d()
    assert (X.shape, X_test.shape, X.dtype, y.dtype) == ((4000, 40), (1000, 40), torch.float32, torch.long)
    assert torch.cat([X, X_test]).std().item() == pytest.approx(1, abs=1e-3)
    assert torch.cat([y, y_test]).bincount().tolist() == [500] * 10
    S, s, S_test, _ = data.mnist1d(shuffled=True)
    assert torch.equal(s, y)
    assert not torch.equal(S, X)
    assert torch.equal(S.sort(dim=1).values, X.sort(dim=1).values)
    assert torch.equal(S_test.sort(dim=1).values, X_test.sort(dim=1).values)


def test_mnist1d_is_what_the_package_generates():
    generate = pytest.importorskip("mnist1d.data")
    state = np.random.get_state()
    args = generate.get_dataset_args()
    args.shuffle_seq = True
    fresh = generate.make_dataset(args)
    np.random.set_state(state)
    X, _, _, y_test = data.mnist1d(shuffled=True)
    assert np.allclose(X.numpy(), fresh["x"], atol=1e-5)
    assert np.array_equal(y_test.numpy(), fresh["y_test"])


def test_moons_has_the_shape_of_scikit_learns():
    X, y = data.moons(301, noise=0.0, seed=3)
    theirs, labels = pytest.importorskip("sklearn.datasets").make_moons(301, shuffle=False)
    for k in (0, 1):
        assert np.allclose(np.sort(X[y == k].numpy(), 0), np.sort(theirs[labels == k], 0), atol=1e-6)
    assert (X.dtype, y.dtype) == (torch.float32, torch.long)
    assert 0 < y[:100].float().mean() < 1


@pytest.mark.parametrize(
    "make", [lambda seed: data.moons(50, seed=seed)[0], lambda seed: data.two_sines(50, seed=seed)]
)
def test_generated_sets_follow_their_seed_alone(make):
    state = torch.get_rng_state()
    assert torch.equal(make(1), make(1))
    assert not torch.equal(make(1), make(2))
    assert torch.equal(state, torch.get_rng_state())


def test_two_sines_periods():
    series = data.two_sines(23 * 57 * 2, noise=0.0)
    assert torch.allclose(series[: 23 * 57], series[23 * 57 :], atol=1e-5)
    spectrum = torch.fft.rfft(series).abs()
    assert set(spectrum.topk(2).indices.tolist()) == {2 * 57, 2 * 23}
    assert data.two_sines().shape == (2000,)
    assert (data.two_sines() - data.two_sines(noise=0.0)).std().item() == pytest.approx(0.1, rel=0.1)


def test_to_float():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1).expand(2, 3, 4, 5)
    assert torch.allclose(data.to_float(images)[0, :, 0, 0], torch.tensor([0.0, 0.2, 1.0]))
    scaled = data.to_float(images, mean=(0.0, 0.2, 0.5), std=(1.0, 1.0, 0.5))
    assert torch.allclose(scaled[1, :, 3, 4], torch.tensor([0.0, 0.0, 1.0]))
    assert torch.allclose(data.to_float(images, mean=1)[0, 0], torch.tensor(-1.0))
    assert images[0, 2, 0, 0] == 255
    with pytest.raises(ValueError, match="uint8"):
        data.to_float(images.float())


def test_batches():
    X, y = torch.arange(10).reshape(10, 1), torch.arange(10)
    in_order = list(data.batches(X, y, batch_size=4))
    assert [len(part) for _, part in in_order] == [4, 4, 2]
    assert torch.equal(torch.cat([part for _, part in in_order]), y)
    generator = torch.Generator().manual_seed(0)
    first, second = (list(data.batches(X, y, batch_size=4, generator=generator)) for _ in range(2))
    assert all(torch.equal(a[:, 0], b) for a, b in first + second)
    orders = [torch.cat([b for _, b in part]) for part in (first, second)]
    assert not torch.equal(*orders)
    assert all(torch.equal(order.sort().values, y) for order in orders)
    for wrong in ({"batch_size": 0}, {"batch_size": -1}):
        with pytest.raises(ValueError, match="batch_size"):
            data.batches(X, **wrong)
    with pytest.raises(ValueError, match="one length"):
        data.batches(X, y[:3], batch_size=2)


def test_data_folder_of_the_environment_comes_first(monkeypatch, tmp_path):
    arrays = {"x_train": np.zeros((2, 1, 28, 28), np.uint8), "y_train": np.zeros(2, np.uint8)}
    arrays |= {"x_test": np.ones((1, 1, 28, 28), np.uint8), "y_test": np.ones(1, np.uint8)}
    np.savez(tmp_path / "mnist.npz", **arrays)
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    assert len(data.mnist().train_images) == 2
    assert len(data.fashion_mnist().train_images) == 10_000  # not there: the repository's


def test_offline_and_nothing_here_is_one_clear_sentence(elsewhere):
    with pytest.raises(FileNotFoundError, match=r"mnist1d.npz cannot be downloaded.*DLCOURSE_OFFLINE=1.*DLCOURSE_DATA"):
        data.mnist1d()


def test_download_is_verified_and_cached(elsewhere, monkeypatch, tmp_path):
    published = tmp_path / "published"
    published.mkdir()
    monkeypatch.setattr(data, "DATA_URL", published.as_uri() + "/")
    monkeypatch.setattr(data, "_online", lambda: True)
    monkeypatch.delenv("DLCOURSE_OFFLINE")
    (published / "mnist1d.npz").write_bytes(b"something else")
    with pytest.raises(FileNotFoundError, match="checksum"):
        data.mnist1d()
    (published / "mnist1d.npz").write_bytes((FOLDER / "mnist1d.npz").read_bytes())
    assert len(data.mnist1d()[0]) == 4000
    (published / "mnist1d.npz").unlink()
    assert len(data.mnist1d()[0]) == 4000
    assert [path.name for path in elsewhere.iterdir()] == ["mnist1d.npz"]
    (elsewhere / "mnist1d.npz").write_bytes(b"cut short")
    with pytest.raises(FileNotFoundError, match="cannot be downloaded"):
        data.mnist1d()


def test_full_set_falls_back_silently(monkeypatch, capfd, recwarn):
    assert "DLCOURSE_OFFLINE=1" in data.mnist(full=True).source
    monkeypatch.delenv("DLCOURSE_OFFLINE")
    monkeypatch.setattr(data, "_online", lambda: False)
    assert "no network" in data.mnist(full=True).source
    monkeypatch.setenv("DLCOURSE_PROFILE", "gpu")
    assert "no network" in data.fashion_mnist().source
    assert "as asked" in data.mnist(full=False).source
    monkeypatch.setenv("DLCOURSE_PROFILE", "cpu")
    assert "cpu profile" in data.mnist().source
    assert tuple(capfd.readouterr()) == ("", "")
    assert not recwarn.list


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + array.astype(np.uint8).tobytes()


def test_full_set_on_disk_needs_no_network(monkeypatch, tmp_path):
    pytest.importorskip("torchvision")
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 5), ("t10k", 3)):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(np.full((count, 28, 28), count)))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count)))
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    full = data.mnist(full=True)
    assert full.source == "all 70,000, by torchvision"
    assert full.train_images.shape == (5, 1, 28, 28)
    assert full.train_images.dtype == torch.uint8
    assert full.test_labels.tolist() == [0, 1, 2]
    assert "bundled" in data.mnist().source
    (raw / "train-images-idx3-ubyte").write_bytes(b"cut")
    assert "bundled" in data.mnist(full=True).source


def test_cifar10_from_its_file_or_a_clear_error(monkeypatch, tmp_path, elsewhere):
    with pytest.raises(FileNotFoundError, match=r"CIFAR-10 is not on this machine.*cifar10\.npz"):
        data.cifar10()
    x, y = np.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).astype(np.uint8), np.array([3, 9], np.uint8)
    np.savez(tmp_path / "cifar10.npz", x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    images = data.cifar10()
    assert torch.equal(images.train_images, torch.from_numpy(x))
    assert images.test_labels.tolist() == [3]
    assert images.classes[images.train_labels[1]] == "truck"


def test_cifar10_from_torchvision_becomes_one_file(monkeypatch, elsewhere, capfd):
    datasets = pytest.importorskip("torchvision.datasets")

    class Fake:
        def __init__(self, root, train, download):
            assert download
            self.data, self.targets = np.full((2, 32, 32, 3), [1, 2, 3], np.uint8), [4, 5]
            print("progress", file=sys.stderr)

    monkeypatch.setattr(datasets, "CIFAR10", Fake)
    monkeypatch.setattr(data, "_online", lambda: True)
    monkeypatch.delenv("DLCOURSE_OFFLINE")
    assert data.cifar10().train_images[0, :, 0, 0].tolist() == [1, 2, 3]
    assert [path.name for path in elsewhere.iterdir()] == ["cifar10.npz"]
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(datasets, "CIFAR10", None)
    assert data.cifar10().train_labels.tolist() == [4, 5]


def test_the_import_is_light():
    heavy = "{'torchvision', 'sklearn', 'matplotlib', 'pandas', 'IPython'}"
    code = f"import sys, dlcourse.data, dlcourse.training, dlcourse.plotting; print({heavy} & set(sys.modules))"
    root = FOLDER.parent
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
