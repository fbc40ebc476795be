"""The loop against figures worked out another way; seeds, modes and devices put back."""

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.training import History, fit, pick_device, predict, profile, set_seed


def task(n=70, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 5, generator=generator)
    return X, (X[:, 0] + X[:, 1] > 0).long()


def network(dropout=0.2):
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 2))


def weights(model):
    return torch.cat([value.flatten().float() for value in model.state_dict().values()])


def test_set_seed_seeds_all_three():
    draws = []
    for _ in range(2):
        set_seed(5)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1]


def test_profile_follows_the_device_unless_told(monkeypatch):
    monkeypatch.delenv("DLCOURSE_PROFILE", raising=False)
    assert profile() == ("cpu" if pick_device().type == "cpu" else "gpu")
    monkeypatch.setenv("DLCOURSE_PROFILE", "gpu")
    assert profile() == "gpu"
    monkeypatch.setenv("DLCOURSE_PROFILE", "tpu")
    with pytest.raises(ValueError, match="tpu"):
        profile()


def test_fit_learns_and_reports_every_epoch(capfd):
    model = network()
    history = fit(model, task(), task(40, 1), epochs=25, lr=0.02)
    assert isinstance(history, History)
    assert all(len(values) == 25 for values in vars(history).values())
    assert history.train_loss[-1] < 0.5 * history.train_loss[0]
    assert history.val_accuracy[-1] > 80
    assert not model.training
    assert tuple(capfd.readouterr()) == ("", "")  # not a terminal: no bar


def test_losses_are_means_over_samples_with_a_smaller_last_batch():
    X, y = task(70)
    frozen = network(0.0)
    frozen[1] = nn.Identity()
    history = fit(frozen, (X, y), (X, y), epochs=1, batch_size=32, lr=0.0)
    with torch.no_grad():
        loss = nn.functional.cross_entropy(frozen(X), y).item()
        accuracy = 100 * (frozen(X).argmax(1) == y).double().mean().item()
    for values, right in zip(vars(history).values(), (loss, accuracy, loss, accuracy), strict=False):
        assert values[0] == pytest.approx(right, rel=1e-5)


def test_one_batch_an_epoch_is_plain_gradient_descent():
    X, y = task()
    ours, theirs = network(0.0), network(0.0)
    fit(
        ours,
        (X, y),
        epochs=3,
        batch_size=70,
        optimizer=torch.optim.SGD(ours.parameters(), lr=0.1),
        device="cpu",
    )
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(theirs(X), y).backward()
        optimizer.step()
    assert torch.allclose(weights(ours), weights(theirs), atol=1e-5)


def test_same_seed_same_weights_and_the_callers_randomness_is_untouched():
    results = []
    for seed, before in ((0, 1), (0, 2), (1, 1)):
        model = network()
        torch.manual_seed(before)
        state = torch.get_rng_state()
        fit(model, task(), epochs=3, seed=seed)
        assert torch.equal(state, torch.get_rng_state())
        results.append(weights(model))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_validation_changes_nothing_about_the_training():
    alone, watched = network(), network()
    fit(alone, task(), epochs=3)
    fit(watched, task(), task(40, 1), epochs=3)
    assert torch.equal(weights(alone), weights(watched))


def test_keep_best_ends_with_the_best_epoch():
    X, y = task()
    short, long = network(), network()
    noise = (X, 1 - y)  # the better it learns, the worse the validation loss: the first epoch is the best
    history = fit(long, (X, y), noise, epochs=6, lr=0.05, keep_best=True)
    assert min(history.val_loss) == history.val_loss[0]
    fit(short, (X, y), noise, epochs=1, lr=0.05)
    assert torch.equal(weights(short), weights(long))
    with pytest.raises(ValueError, match="validation"):
        fit(long, (X, y), epochs=1, keep_best=True)


def test_keep_best_survives_losses_that_are_nan():
    history = fit(
        nn.Linear(5, 2),
        task(),
        (torch.full((4, 5), math.nan), torch.zeros(4, dtype=torch.long)),
        epochs=2,
        keep_best=True,
    )
    assert all(map(math.isnan, history.val_loss))


def test_clipping_and_schedulers():
    model = network()
    start = weights(model).clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.1)
    model[1].track_running_stats = False
    fit(model, task(), epochs=1, batch_size=70, max_norm=1e-3, scheduler=scheduler)  # its optimizer is used
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters
    moved = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert (moved - torch.cat([p.detach().flatten() for p in network().parameters()])).norm() <= 1.01e-3
    assert not torch.equal(weights(model), start)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=1e9, factor=0.5)
    fit(model, task(), task(), epochs=3, optimizer=optimizer, scheduler=plateau)
    assert optimizer.param_groups[0]["lr"] < 0.1


def test_regression_has_no_accuracy():
    X, _ = task()
    history = fit(nn.Linear(5, 1), (X, X[:, :1]), (X, X[:, :1]), epochs=20, lr=0.05, criterion=nn.MSELoss())
    assert history.train_loss[-1] < history.train_loss[0]
    assert all(map(math.isnan, history.train_accuracy + history.val_accuracy))


class Summed(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.fc = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, ids, lengths):
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        return self.fc((self.embedding(ids) * mask[:, :, None]).sum(dim=1))


def test_models_of_several_inputs():
    ids, lengths = torch.randint(0, 9, (30, 6)), torch.randint(1, 7, (30,))
    model = Summed()
    history = fit(model, ((ids, lengths), lengths % 2), ((ids, lengths), lengths % 2), epochs=2)
    assert len(history.val_loss) == 2
    assert predict(model, (ids, lengths), batch_size=7).shape == (30, 2)


def test_uint8_images_are_scaled_batch_by_batch():
    images = torch.randint(0, 256, (20, 1, 6, 6), dtype=torch.uint8)
    y = torch.arange(20) % 2
    results = []
    for X in (images, images.float() / 255):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
        fit(model, (X, y), epochs=2)
        results.append((weights(model), predict(model, X)))
    assert torch.allclose(results[0][0], results[1][0])
    assert torch.allclose(results[0][1], results[1][1])


def test_predict_leaves_the_model_as_it_was():
    X, _ = task()
    model = network().train()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    running = model[1].running_mean.clone()
    logits = predict(model, X, batch_size=32)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(running, model[1].running_mean)
    assert not logits.requires_grad
    assert logits.device.type == "cpu"
    assert torch.allclose(logits, model.eval()(X), atol=1e-6)
    model.train()
    with pytest.raises(RuntimeError):
        predict(model, X[:, :2])
    assert model.training


def test_wrong_lengths_are_an_error():
    X, y = task()
    with pytest.raises(ValueError, match="length"):
        fit(network(), (X, y[:-1]), epochs=1)


def test_the_bar_goes_to_standard_output(monkeypatch, capsys):
    import sys

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fit(network(), task(), epochs=2)
    shown = capsys.readouterr()
    assert "2/2" in shown.out
    assert shown.err == ""
    fit(network(), task(), epochs=2, progress=False)
    assert tuple(capsys.readouterr()) == ("", "")
