"""The engine through its public doors: check(), in odd conditions; the wire; comparisons; watching."""

import os
import random
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse import check, once_answered
from dlcourse.checks import wire
from dlcourse.checks.compare import agree, difference
from dlcourse.checks.observe import plain
from dlcourse.checks.probe import Probe, observe_case
from dlcourse.checks.watch import ACTIVATIONS, watch

SIGMOID = "def sigmoid(x):\n    return 1 / (1 + torch.exp(-x))\n"


def masks(
    body_padding, body_causal="    return torch.ones(size, size, dtype=torch.bool).tril().unsqueeze(0)\n", extra=""
):
    """A namespace with an answer to `attention_masks`."""
    space = {"torch": torch, "np": np, "__name__": "__main__"}
    code = f"{extra}\ndef padding_mask(lengths, max_len):\n{body_padding}\ndef causal_mask(size):\n{body_causal}"
    exec(compile(code, "<cell attention_masks>", "exec"), space)
    return space


RIGHT = "    return (torch.arange(max_len, device=lengths.device) < lengths[:, None])[:, None]\n"


def test_right_wrong_blank_and_missing():
    assert check("attention_masks", masks(RIGHT)).verdict.status == "passed"
    wrong = check("attention_masks", masks(RIGHT.replace("<", ">=")))
    assert (
        wrong.points < 1
        and wrong.verdict.hint
        and wrong.verdict.says in wrong.text
        and wrong.verdict.says in wrong._repr_html_()
    )
    blank = check("attention_masks", masks("    raise NotImplementedError", "    raise NotImplementedError\n"))
    assert repr(blank) == "0.0" and "not answered yet" in blank.text and "not answered yet" in blank._repr_html_()
    missing = check("attention_masks", {})
    assert repr(missing) == "0.0" and "padding_mask" in missing.text
    assert "there is no exercise" in check("no_such_thing").text and repr(check("../etc")) == "0.0"


@pytest.mark.parametrize(
    "extra",
    [
        "print('hello')",
        "import sys; print('careful', file=sys.stderr)",
        "import warnings; warnings.warn('deprecated')",
        "from tqdm.auto import tqdm; list(tqdm(range(3)))",
        "torch.manual_seed(7); np.random.seed(7)",
        "lengths.sub_(1)",
        "torch.set_default_dtype(torch.float64)",
        "torch.set_grad_enabled(False)",
        "import os; os.chdir('/')",
        "import matplotlib.pyplot as plt; plt.figure()",
    ],
)
def test_odd_answers_are_right_and_leave_no_trace(extra, capfd):
    """An answer that prints, warns, bends the state or changes its input is judged by its result, and the notebook's state is as before."""
    body = f"    result = (torch.arange(max_len, device=lengths.device) < lengths[:, None])[:, None]\n    {extra}\n    return result\n"
    torch.manual_seed(3)
    state = (
        torch.get_rng_state(),
        np.random.get_state()[1].copy(),
        random.getstate(),
        os.getcwd(),
        torch.get_default_dtype(),
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = check("attention_masks", masks(body))
    assert result.verdict.status == "passed"
    assert capfd.readouterr() == ("", "") and not caught
    assert torch.equal(torch.get_rng_state(), state[0]) and (np.random.get_state()[1] == state[1]).all()
    assert (random.getstate(), os.getcwd(), torch.get_default_dtype()) == state[2:] and torch.is_grad_enabled()
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        assert not pyplot.get_fignums()


def test_state_of_the_notebook_does_not_reach_the_answer():
    """Another default dtype, disabled gradients or inference mode around check() change nothing."""
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), torch.inference_mode():
            assert check("attention_masks", masks(RIGHT)).verdict.status == "passed"
    finally:
        torch.set_default_dtype(torch.float32)


def test_numpy_results_count_as_tensors():
    body = "    return (np.arange(max_len) < lengths.numpy()[:, None])[:, None]\n"
    assert check("attention_masks", masks(body)).verdict.status == "passed"


@pytest.mark.parametrize(
    "body",
    [
        "    exit()",
        "    raise SystemExit",
        "    raise BaseException('odd')",
        "    return 1 / 0",
        "    return undefined",
    ],
)
def test_check_never_raises(body):
    result = check("attention_masks", masks(body))
    assert result.points == 0.5 and result.verdict.status == "partial"
    assert "line" in result.text or "exit" in body


def test_an_error_shows_the_students_own_lines():
    text = check("attention_masks", masks("    helper = None\n    return helper.shape")).text
    assert "AttributeError" in text and "in padding_mask" in text and "site-packages" not in text


def test_endless_loops_end():
    outcome = observe_case(
        Probe("p", lambda answer: answer.f()),
        {"f": lambda: exec("while True:\n    try:\n        x = 1\n    except Exception:\n        pass")},
        {},
        0.3,
    )
    assert outcome == {"timeout": 0.3}


def test_once_answered(capsys):
    with once_answered("adam"):
        raise NotImplementedError
    assert 'once "adam" is answered' in capsys.readouterr().out
    with pytest.raises(ValueError), once_answered("adam"):
        raise ValueError


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -2.5, "text", [], {}, [1, [2, {"a": None}]], torch.arange(6).reshape(2, 3), torch.tensor(2.0), torch.empty(0, 3), torch.tensor([True]),
     torch.randn(3).bfloat16(), {"x": torch.randn(2, 2, dtype=torch.float64).T}],
)  # fmt: skip
def test_wire_round_trip(value):
    back = wire.decode(wire.encode(value))
    assert difference(plain(back), plain(value), 0) is None and wire.encode(back) == wire.encode(value)


def test_wire_refuses_what_is_not_its_format():
    good = wire.encode({"x": torch.ones(4)})
    header = lambda text: len(text).to_bytes(8, "little") + text.encode()  # noqa: E731
    bad = [
        b"", b"\0" * 7, (2**40).to_bytes(8, "little"), good[:-1], header("{"), header("[" * 1000 + "]" * 1000), header('{"": [1]}'),
        header('{"": ["float32", [1000000000, 1000000000], 0, 4]}'), header('{"": ["float32", [-1], 0, 4]}') + b"1234", header('{"": ["object", [1], 0, 8]}'),
        header('{"": ["float32", [2], 4, 8]}') + b"12345678", header('{"": 3}'),
    ]  # fmt: skip
    for data in bad:
        with pytest.raises(wire.WireError):
            wire.decode(data)
    generator = random.Random(0)
    for _ in range(2000):  # any damage is refused or read as plain data, never anything else
        data = bytearray(good)
        for _ in range(generator.randint(1, 6)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        try:
            wire.decode(bytes(data))
        except wire.WireError:
            pass
    for value in (object(), {1: 2}, {"": 1}, torch.ones(2, dtype=torch.complex64)):
        with pytest.raises(wire.WireError):
            wire.encode(value)


def test_difference_in_words():
    one = torch.ones(2, 3)
    assert difference(one, one.clone()) is None
    assert "shape (2, 3), got (3, 2)" in difference(one.T, one)
    assert "torch.float64" in difference(one.double(), one)
    assert "at [1, 2]" in difference(one + torch.tensor([[0, 0, 0], [0, 0, 0.5]]), one)
    assert "NaN" in difference(one * float("nan"), one)
    nan = torch.tensor([1.0, float("nan")])
    assert difference(nan, nan.clone()) is None and difference(torch.ones(2), nan)
    assert difference(torch.tensor([float("inf")]), torch.tensor([float("inf")])) is None
    assert difference(torch.tensor([3.0e38]), torch.tensor([float("inf")]))
    assert difference(True, 1) and difference(1.0 + 1e-7, 1.0) is None and difference(2, 1)
    assert difference(torch.tensor(1.5), 1.5) is None


def test_agree_is_a_difference_without_words():
    """NaN agrees with NaN, an infinity with itself, large numbers relative to their size; dtype and shape count."""
    values = [0.0, 1.0, 1.0 + 1e-6, 1.0 + 1e-4, 1e8, 1e8 + 1, float("inf"), -float("inf"), float("nan")]
    tensors = [torch.tensor([value, 2.0]) for value in values] + [torch.ones(2, dtype=torch.long), torch.ones(1, 2), torch.ones(2).double()]
    for one in [*tensors, *values, tensors[:2], tensors[:3], "text", None]:
        for other in [*tensors, *values, tensors[:2], tensors[:3], "text", None]:
            assert agree(one, other) == (difference(one, other) is None), (one, other)
    assert agree(tensors[4], tensors[5]) and not agree(tensors[0], tensors[6]) and agree(tensors[8], tensors[8].clone())


@pytest.mark.parametrize("function", [torch.sigmoid, nn.Sigmoid(), lambda x: x.sigmoid(), lambda x: x.clone().sigmoid_(), torch.special.expit, nn.SiLU(),
                                      nn.functional.gelu, lambda x: x.softmax(0), nn.functional.logsigmoid, nn.ReLU6()])  # fmt: skip
def test_watch_sees_aliases(function):
    with watch(*ACTIVATIONS) as calls:
        function(torch.randn(3, requires_grad=True))
    assert calls.banned


def test_watch_lets_elementary_operations_pass():
    with watch(*ACTIVATIONS) as calls:
        x = torch.randn(3)
        (
            torch.where(x > 0, x, torch.expm1(x))
            + torch.logsumexp(x, 0)
            + torch.erf(x)
            + torch.logaddexp(x, x).clamp(min=0).maximum(x)
        )
    assert calls.banned == []
    with watch(modules=("torch.optim", "torch.nn.init")) as calls:
        nn.init.xavier_uniform_(torch.empty(2, 2))
    assert calls.banned == ["torch.nn.init"]
