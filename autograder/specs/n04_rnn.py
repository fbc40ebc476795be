"""Notebook 4, recurrent networks: points, parts and cases. Its misconceptions stand in n04_mistakes and n04_mistakes_gradients."""

import torch

from autograder.specs import n04_mistakes, n04_mistakes_gradients
from autograder.specs.spec import Case, Exercise, Part


def numbers(*shape, seed, dtype=torch.float32, scale=1.0):
    """Normal random numbers, the same at every build."""
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).to(dtype)


def ids(entries):
    return torch.tensor(entries, dtype=torch.long)


# --- rnn_step ----------------------------------------------------------------------------------------------------------------------


def one_step(batch, features, hidden, seed, dtype=torch.float32):
    shapes = {
        "x_t": (batch, features),
        "h_prev": (batch, hidden),
        "W_xh": (features, hidden),
        "W_hh": (hidden, hidden),
        "b_h": (hidden,),
    }
    return {name: numbers(*shape, seed=seed + 100 * k, dtype=dtype, scale=0.6) for k, (name, shape) in enumerate(shapes.items())}


rnn_step = Exercise(
    "rnn_step",
    points=1,
    parts=[
        Part(
            "the new state",
            probe="rnn_new_state",
            public=[
                Case("2 samples, D = 3, H = 4", one_step(2, 3, 4, seed=1)),
                Case("D = H = 3", one_step(4, 3, 3, seed=2)),
            ],
            hidden=[
                Case("5 samples, D = 2, H = 6", one_step(5, 2, 6, seed=3)),
                Case("D = H = 4, float64", one_step(3, 4, 4, seed=4, dtype=torch.float64)),
                Case("as many samples as features and units", one_step(3, 3, 3, seed=5)),
                Case("one sample, one feature", one_step(1, 1, 5, seed=6)),
            ],
        )
    ],
    misconceptions=n04_mistakes.RNN_STEP,
)

# --- rnn_forward -------------------------------------------------------------------------------------------------------------------


def sequence(sizes, batch, steps, seed, dtype=torch.float32, state=False):
    """Inputs for sizes (features, hidden, ...); with a first state if asked for."""
    found = {
        "sizes": list(sizes),
        "x": numbers(batch, steps, sizes[0], seed=seed, dtype=dtype),
        "seed": float(seed % 7),
    }
    return found | ({"hidden": numbers(batch, sizes[1], seed=seed + 100, dtype=dtype, scale=0.5)} if state else {})


def calls(sizes, batch, other_batch, steps, seed):
    other = numbers(other_batch, steps, sizes[0], seed=seed + 50)
    return {
        "sizes": list(sizes),
        "x": numbers(batch, steps, sizes[0], seed=seed),
        "other": other,
        "seed": float(seed % 7),
    }


def device(*sizes, batch, steps):
    return {"sizes": list(sizes), "x": numbers(batch, steps, sizes[0], seed=steps)}


rnn_forward = Exercise(
    "rnn_forward",
    points=2,
    parts=[
        Part(
            "outputs and last state, from a state of zeros",
            probe="rnn_from_scratch",
            share=1.5,
            public=[
                Case("2 sequences of 3 steps", sequence((3, 4, 2), 2, 3, seed=1)),
                Case("as many sequences as steps", sequence((2, 3, 4), 3, 3, seed=2)),
                Case("float64", sequence((1, 3, 2), 2, 2, seed=13, dtype=torch.float64)),
            ],
            hidden=[
                Case("4 sequences of 6 steps", sequence((2, 5, 3), 4, 6, seed=3)),
                Case("as many steps as sequences, all sizes alike", sequence((4, 4, 4), 4, 4, seed=4)),
                Case("one sequence of one step", sequence((3, 2, 1), 1, 1, seed=5)),
                Case("float64", sequence((1, 6, 2), 3, 5, seed=6, dtype=torch.float64)),
            ],
        ),
        Part(
            "a state that is given is where it starts",
            probe="rnn_from_scratch",
            public=[Case("3 sequences of 2 steps", sequence((2, 4, 3), 3, 2, seed=7, state=True))],
            hidden=[
                Case(
                    "2 sequences of 5 steps, float64",
                    sequence((3, 3, 2), 2, 5, seed=8, dtype=torch.float64, state=True),
                ),
                Case("4 sequences of 4 steps", sequence((1, 5, 1), 4, 4, seed=9, state=True)),
            ],
        ),
        Part(
            "nothing is kept from call to call",
            probe="rnn_from_scratch_twice",
            public=[Case("two batches of 2", calls((2, 3, 2), 2, 2, 3, seed=10))],
            hidden=[
                Case("batches of 3 and 5", calls((3, 4, 2), 3, 5, 4, seed=11)),
                Case("two batches of 4", calls((1, 5, 3), 4, 4, 2, seed=12)),
            ],
        ),
        Part(
            "it follows the device of its input",
            probe="rnn_from_scratch_device",
            share=0.5,
            public=[Case("3 sequences of 2 steps", device(2, 3, 4, batch=3, steps=2))],
            hidden=[Case("2 sequences of 5 steps", device(4, 5, 1, batch=2, steps=5))],
        ),
    ],
    misconceptions=n04_mistakes.RNN_FORWARD,
)

# --- sequence_data -----------------------------------------------------------------------------------------------------------------


def data(label, n, steps, features, seed, other_seed):
    arguments = {"n_samples": n, "seq_length": steps, "n_features": features}
    return Case(label, {"arguments": arguments, "seed": seed, "other_seed": other_seed}, {"shape": [n, steps, features]})


sequence_data = Exercise(
    "sequence_data",
    points=1,
    parts=[
        Part(
            "shapes, labels, distribution and generator",
            probe="rnn_sum_data",
            share=4,
            public=[
                data("200 samples, 10 steps, 6 features", 200, 10, 6, 0, 1),
                data("60 samples, 5 steps, 1 feature", 60, 5, 1, 3, 4),
            ],
            hidden=[
                data("1,100 samples, 20 steps, 1 feature", 1100, 20, 1, 7, 70),
                data("90 samples, 4 steps, 3 features", 90, 4, 3, 11, 0),
                data("400 samples, 6 steps, 5 features", 400, 6, 5, 42, 43),
            ],
        ),
        Part(
            "one feature and seed 0 unless told otherwise",
            probe="rnn_sum_defaults",
            public=[Case("5 samples of 7 steps", {"n_samples": 5, "seq_length": 7})],
            hidden=[Case("8 samples of 3 steps", {"n_samples": 8, "seq_length": 3})],
        ),
    ],
    misconceptions=n04_mistakes.SEQUENCE_DATA,
)

# --- rnn_classifier ----------------------------------------------------------------------------------------------------------------


def options(batch, steps, **arguments):
    return {"arguments": arguments, "x": numbers(batch, steps, arguments.get("input_size", 1), seed=steps)}


rnn_classifier = Exercise(
    "rnn_classifier",
    points=2,
    parts=[
        Part(
            "logits from the last step of the top layer",
            probe="rnn_logits",
            share=3,
            public=[
                Case("two layers, 3 sequences of 4 steps", sequence((2, 4, 2, 3), 3, 4, seed=1)),
                Case("one layer", sequence((1, 5, 1, 2), 2, 3, seed=2)),
            ],
            hidden=[
                Case("three layers, 5 sequences of 6 steps", sequence((3, 4, 3, 4), 5, 6, seed=3)),
                Case("as many sequences as steps", sequence((1, 6, 2, 2), 4, 4, seed=4)),
                Case("one sequence of one step", sequence((2, 3, 2, 5), 1, 1, seed=5)),
            ],
        ),
        Part(
            "the number of parameters",
            probe="rnn_size",
            public=[
                Case("default arguments", options(2, 5)),
                Case("hidden_size=10, num_layers=3", options(2, 3, hidden_size=10, num_layers=3)),
            ],
            hidden=[
                Case("default arguments, one longer sequence", options(1, 9)),
                Case(
                    "three features, seven classes, one layer",
                    options(4, 2, input_size=3, hidden_size=8, num_layers=1, num_classes=7, dropout=0.5),
                ),
            ],
        ),
        Part(
            "dropout between the layers, there only, and no warning",
            probe="rnn_dropout",
            public=[
                Case("two layers", sequence((2, 4, 2, 3), 3, 4, seed=6)),
                Case("one layer", sequence((1, 3, 1, 2), 2, 5, seed=7)),
            ],
            hidden=[
                Case("three layers", sequence((1, 5, 3, 2), 4, 3, seed=8)),
                Case("two layers, one feature", sequence((1, 4, 2, 2), 3, 5, seed=10)),
                Case("one layer, three features", sequence((3, 4, 1, 4), 3, 2, seed=9)),
            ],
        ),
    ],
    misconceptions=n04_mistakes.RNN_CLASSIFIER,
)

# --- gradient_flow -----------------------------------------------------------------------------------------------------------------


def flow(kind, batch, steps, features, seed, classes=3, hidden=4, dtype=torch.float32, **more):
    x, generator = numbers(batch, steps, features, seed=seed, dtype=dtype), torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (batch,), generator=generator)
    return {"kind": kind, "hidden": hidden, "classes": classes, "x": x, "y": y, "seed": float(seed % 5), **more}


gradient_flow = Exercise(
    "gradient_flow",
    points=2,
    parts=[
        Part(
            "the norms",
            probe="rnn_gradients",
            share=2,
            public=[
                Case("an RNN, 3 samples of 5 steps", flow("RNN", 3, 5, 2, seed=1)),
                Case("a GRU and its mean state, float64", flow("GRU", 2, 4, 3, seed=2, mean=True, dtype=torch.float64)),
            ],
            hidden=[
                Case("as many samples as steps and features", flow("RNN", 4, 4, 4, seed=3, mean=True)),
                Case("an LSTM, one feature", flow("LSTM", 5, 6, 1, seed=4)),
                Case("float64, two classes", flow("GRU", 6, 3, 2, seed=5, classes=2, dtype=torch.float64)),
                Case("one sample, one step", flow("RNN", 1, 1, 3, seed=6)),
            ],
        ),
        Part(
            "the model is left as it was",
            probe="rnn_gradients",
            public=[
                Case("in evaluation mode, one weight frozen", flow("RNN", 2, 3, 2, seed=7, training=False, frozen=1)),
                Case("with gradients from before", flow("RNN", 3, 4, 1, seed=8, preset=True)),
            ],
            hidden=[
                Case(
                    "a GRU in evaluation mode, with gradients from before",
                    flow("GRU", 3, 2, 2, seed=9, training=False, preset=True),
                ),
                Case(
                    "an RNN in training mode, with gradients from before",
                    flow("RNN", 2, 5, 3, seed=10, mean=True, preset=True),
                ),
                Case("two weights frozen", flow("GRU", 4, 3, 1, seed=11, frozen=2)),
            ],
        ),
    ],
    misconceptions=n04_mistakes_gradients.GRADIENT_FLOW,
)

# --- clip_gradients ----------------------------------------------------------------------------------------------------------------


def grads(*shapes, seed, scale=1.0):
    """A gradient for each shape; None stands for none."""
    return [shape if shape is None else numbers(*shape, seed=seed + k, scale=scale) for k, shape in enumerate(shapes)]


def clip(label, gradients, max_norm, **more):
    return Case(label, {"grads": gradients, "max_norm": max_norm, **more})


clip_gradients = Exercise(
    "clip_gradients",
    points=1,
    parts=[
        Part(
            "long gradients are shortened together",
            probe="rnn_clip",
            share=2,
            public=[
                clip("(3, 4) and (2,), max_norm 1", [torch.tensor([3.0, 4.0]), torch.tensor([[0.6, -0.8]])], 1.0),
                clip("three tensors, max_norm 2.5", grads((3, 2), (4,), (2, 2, 2), seed=1, scale=2), 2.5),
            ],
            hidden=[
                clip("four tensors, max_norm 0.5", grads((2, 5), (5,), (1,), (3, 3), seed=10), 0.5),
                clip("large gradients, max_norm 3", grads((4, 4), (4,), seed=20, scale=50), 3.0),
                clip("each is short, together they are long", grads((3,), (2, 2), (3,), (2,), seed=30, scale=0.5), 0.9),
            ],
        ),
        Part(
            "short gradients stay as they are",
            probe="rnn_clip",
            public=[clip("max_norm 10", grads((3, 2), (4,), seed=40), 10.0)],
            hidden=[
                clip("all zero", [torch.zeros(2, 3), torch.zeros(3)], 1.0),
                clip("max_norm 7.5", grads((2, 2), (2,), (1, 3), seed=50), 7.5),
            ],
        ),
        Part(
            "parameters without gradients, and generators",
            probe="rnn_clip",
            public=[
                clip(
                    "one without a gradient, as a generator",
                    grads((3, 2), None, (2,), seed=60, scale=2),
                    1.0,
                    generator=True,
                ),
                clip("no gradient at all", [None, None], 1.0),
            ],
            hidden=[
                clip(
                    "the first without a gradient, as a generator",
                    grads(None, (4,), (2, 3), None, seed=70, scale=3),
                    2.0,
                    generator=True,
                ),
                clip("no parameters, as a generator", [], 1.0, generator=True),
                clip("one parameter without a gradient", [None], 5.0),
            ],
        ),
    ],
    misconceptions=n04_mistakes_gradients.CLIP_GRADIENTS,
)

# --- masked_last_step --------------------------------------------------------------------------------------------------------------


def ends(lengths, steps, hidden, seed, dtype=torch.float32):
    return {"outputs": numbers(len(lengths), steps, hidden, seed=seed, dtype=dtype), "lengths": ids(lengths)}


def wrong_lengths(steps, hidden, good, *bad, seed):
    return {
        "outputs": numbers(len(good), steps, hidden, seed=seed),
        "good": ids(good),
        "bad": [ids(entry) for entry in bad],
    }


masked_last_step = Exercise(
    "masked_last_step",
    points=1,
    parts=[
        Part(
            "each sequence's own last state",
            probe="rnn_last_valid",
            share=2,
            public=[
                Case("lengths 3, 1, 4, 2", ends([3, 1, 4, 2], 4, 3, seed=1)),
                Case("lengths 2, 5", ends([2, 5], 5, 2, seed=2)),
            ],
            hidden=[
                Case("lengths 6, 2, 3, none of them T", ends([6, 2, 3], 7, 4, seed=3)),
                Case("one sequence of one step", ends([1], 1, 3, seed=4)),
                Case("float64", ends([2, 2, 1, 3, 3], 3, 5, seed=5, dtype=torch.float64)),
            ],
        ),
        Part(
            "ValueError for lengths outside 1 to T",
            probe="rnn_bad_lengths",
            public=[Case("T = 4", wrong_lengths(4, 2, [1, 4], [0, 3], [5, 2], [-1, 1], seed=6))],
            hidden=[
                Case("T = 3", wrong_lengths(3, 4, [3, 1, 2], [1, 2, 0], [3, 3, 4], [2, -2, 3], [9, 1, 1], seed=7)),
                Case("T = 2, four sequences", wrong_lengths(2, 3, [2, 1, 2, 1], [2, 3, 1, 1], [0, 1, 1, 1], seed=8)),
            ],
        ),
    ],
    misconceptions=n04_mistakes_gradients.MASKED_LAST_STEP,
)

# --- bidirectional_rnn -------------------------------------------------------------------------------------------------------------


def with_pass_before(sizes, batch, steps, seed, other_batch, other_steps):
    return sequence(sizes, batch, steps, seed) | {"before": numbers(other_batch, other_steps, sizes[0], seed=seed + 50)}


bidirectional_rnn = Exercise(
    "bidirectional_rnn",
    points=3,
    parts=[
        Part(
            "weights over time, and logits from the weighted sum",
            probe="rnn_pooling",
            share=3,
            public=[
                Case("3 sequences of 5 steps", sequence((2, 4, 2, 3), 3, 5, seed=1)),
                Case("one sequence", sequence((1, 3, 1, 2), 1, 4, seed=2)),
            ],
            hidden=[
                Case("one layer, 5 sequences of 3 steps", sequence((3, 5, 1, 4), 5, 3, seed=3)),
                Case("as many sequences as steps", sequence((1, 4, 2, 2), 4, 4, seed=4)),
                Case("two sequences of one step", sequence((2, 3, 2, 2), 2, 1, seed=5)),
                Case("one sequence of one step", sequence((1, 4, 1, 3), 1, 1, seed=6)),
                Case("after a pass with another batch", with_pass_before((2, 4, 1, 2), 3, 6, 7, 3, 6)),
            ],
        ),
        Part(
            "both directions, and samples apart",
            probe="rnn_directions",
            share=2,
            public=[Case("3 sequences of 5 steps", sequence((2, 4, 2, 3), 3, 5, seed=8))],
            hidden=[
                Case("one layer, 4 sequences of 3 steps", sequence((1, 5, 1, 2), 4, 3, seed=9)),
                Case("three layers", sequence((3, 3, 3, 4), 2, 4, seed=10)),
            ],
        ),
        Part(
            "the weight of a step follows from its state",
            probe="rnn_score",
            public=[Case("the second of 5 steps", {**sequence((2, 4, 2, 3), 3, 5, seed=11), "step": 1})],
            hidden=[Case("the third of 6 steps", {**sequence((1, 5, 1, 2), 4, 6, seed=12), "step": 2})],
        ),
        Part(
            "other arguments, and the same in training as in evaluation",
            probe="rnn_bidirectional_shapes",
            share=0.5,
            public=[
                Case("default arguments", options(2, 5)),
                Case("four classes, one layer", options(3, 4, input_size=2, hidden_size=6, num_layers=1, num_classes=4)),
            ],
            hidden=[
                Case("default arguments, one longer sequence", options(1, 7)),
                Case(
                    "seven classes, three layers",
                    options(2, 3, input_size=4, hidden_size=5, num_layers=3, num_classes=7),
                ),
            ],
        ),
    ],
    misconceptions=n04_mistakes_gradients.BIDIRECTIONAL_RNN,
)

EXERCISES = [
    rnn_step,
    rnn_forward,
    sequence_data,
    rnn_classifier,
    gradient_flow,
    clip_gradients,
    masked_last_step,
    bidirectional_rnn,
    Exercise("rnn_comparison", points=1, kind="written"),
]
