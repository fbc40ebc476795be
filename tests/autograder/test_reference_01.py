"""The reference answers of notebook 1 agree with PyTorch's own functions, in float64."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autograder.build.answers import namespace_with
from autograder.build.write import load

NS = namespace_with(load("01_fundamentals")[0], {})
X = torch.linspace(-30, 30, 1001, dtype=torch.float64)


@pytest.mark.parametrize(
    "name, torchs",
    [
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("relu", F.relu),
        ("leaky_relu", F.leaky_relu),
        ("elu", F.elu),
        ("gelu", F.gelu),
        ("softplus", lambda x: F.softplus(x, threshold=40)),
        ("silu", F.silu),
    ],
)
def test_activations(name, torchs):
    x = X.clone().requires_grad_()
    torch.testing.assert_close(NS[name](x), torchs(x), rtol=1e-10, atol=1e-10)
    far = torch.tensor([-1000.0, 1000.0])
    torch.testing.assert_close(NS[name](far), torchs(far))
    mine, theirs = (torch.autograd.grad(f(x).sum(), x)[0] for f in (NS[name], torchs))
    keep = X != 0
    torch.testing.assert_close(mine[keep], theirs[keep], rtol=1e-9, atol=1e-9)


def test_losses():
    torch.manual_seed(0)
    p, t = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(NS["mse_loss"](p, t), F.mse_loss(p, t))
    torch.testing.assert_close(NS["mae_loss"](p, t), F.l1_loss(p, t))
    torch.testing.assert_close(
        NS["bce_with_logits"](9 * p, (t > 0).double()), F.binary_cross_entropy_with_logits(9 * p, (t > 0).double())
    )
    y = torch.tensor([0, 2, 1, 1, 0])
    torch.testing.assert_close(NS["cross_entropy"](1e4 * p, y), F.cross_entropy(1e4 * p, y))


@pytest.mark.parametrize("options", [{}, {"lr": 0.1}, {"lr": 0.05, "betas": (0.8, 0.95), "eps": 0.1}])
def test_adam(options):
    paths = []
    for make in (NS["Adam"], torch.optim.Adam):
        p = nn.Parameter(torch.tensor([-1.5, 2.0], dtype=torch.float64))
        optimizer, path = make((q for q in [p]), **options), []
        for _ in range(50):
            optimizer.zero_grad()
            ((1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2).backward()
            optimizer.step()
            path.append(p.detach().clone())
        paths.append(torch.stack(path))
    torch.testing.assert_close(*paths, rtol=1e-9, atol=1e-9)


def test_adam_gaps():
    results = []
    for make in (NS["Adam"], torch.optim.Adam):
        torch.manual_seed(0)
        ps = [nn.Parameter(torch.randn(3, dtype=torch.float64)) for _ in range(2)]
        optimizer = make(ps, lr=0.1)
        for step in range(8):
            ps[0].grad = torch.randn(3, dtype=torch.float64)
            ps[1].grad = torch.randn(3, dtype=torch.float64) if step % 3 == 1 else None
            optimizer.step()
        results.append(torch.cat([p.detach() for p in ps]))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)


def test_momentum():
    torch.manual_seed(0)
    p = torch.randn(4, dtype=torch.float64)
    mine, theirs, v = p.clone().requires_grad_(), nn.Parameter(p.clone()), torch.zeros_like(p)
    optimizer = torch.optim.SGD([theirs], lr=0.1, momentum=0.9)
    for lr in (0.1, 0.3, 0.05):
        optimizer.param_groups[0]["lr"] = lr
        theirs.grad = g = torch.randn(4, dtype=torch.float64)
        optimizer.step()
        assert NS["sgd_momentum_step"]([mine], [g], [v], lr) is None
    torch.testing.assert_close(mine.detach(), theirs.detach())


@pytest.mark.parametrize("momentum, eps", [(0.1, 1e-5), (0.3, 0.5)])
def test_batch_norm(momentum, eps):
    torch.manual_seed(0)
    mine, theirs = NS["BatchNorm1d"](4, eps, momentum).double(), nn.BatchNorm1d(4, eps, momentum).double()
    for _ in range(4):
        x = 3 * torch.randn(5, 4, dtype=torch.float64) + 1
        torch.testing.assert_close(mine(x), theirs(x))
    torch.testing.assert_close(mine.running_mean, theirs.running_mean)
    torch.testing.assert_close(mine.running_var, theirs.running_var)
    torch.testing.assert_close(mine.eval()(x), theirs.eval()(x))


def test_layer_norm():
    torch.manual_seed(0)
    x, w, b = (
        torch.randn(2, 3, 5, dtype=torch.float64),
        torch.randn(5, dtype=torch.float64),
        torch.randn(5, dtype=torch.float64),
    )
    torch.testing.assert_close(NS["layer_norm"](x, w, b, 0.1), F.layer_norm(x, (5,), w, b, 0.1))


@pytest.mark.parametrize("shape", [(300, 200), (64, 32, 5, 3)])
def test_initialisation(shape):
    torch.manual_seed(0)
    for name, torchs in (
        ("xavier_uniform_", nn.init.xavier_uniform_),
        ("kaiming_normal_", lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
    ):
        mine, theirs = NS[name](torch.empty(shape)), torchs(torch.empty(shape))
        assert math.isclose(mine.std(), theirs.std(), rel_tol=0.02)


def test_cosine():
    p = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([p], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10, eta_min=0.2)
    for epoch in range(11):
        assert math.isclose(optimizer.param_groups[0]["lr"], NS["cosine_lr"](epoch, 10, 1.0, 0.2), rel_tol=1e-9)
        assert math.isclose(optimizer.param_groups[0]["lr"], NS["cosine_lr"](epoch + 3, 13, 1.0, 0.2, 3), rel_tol=1e-9)
        optimizer.step()
        schedule.step()
