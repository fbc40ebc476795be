"""Notebook 2, artificial neural networks: cases and misconceptions."""

import torch

from autograder.specs import n02_mistakes, n02_mistakes_networks
from autograder.specs.spec import Case, Exercise, Part
from dlcourse.data import moons

DOUBLE = torch.float64


def numbers(*shape, seed, dtype=torch.float32, scale=1.0):
    """Normal random numbers, the same at every build."""
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)).to(dtype)


def whole(*shape, seed, top=2):
    """Whole numbers below `top`, long."""
    return torch.randint(top, shape, generator=torch.Generator().manual_seed(seed))


def rows(*entries):
    return torch.tensor(entries, dtype=DOUBLE)


# --- perceptron --------------------------------------------------------------------------------------------------------------------
# Inputs and learning rates are sums of few powers of 2, so that no rounding decides which side of 0 a sum falls on.

CORNERS = rows([0, 0], [0, 1], [1, 0], [1, 1])
CUBE = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=DOUBLE)] * 3)


def learned(label, X, y, rate=0.5, epochs=None):
    inputs = {"X": X, "y": torch.as_tensor(y), "options": {} if rate is None else {"learning_rate": rate}}
    return Case(label, inputs if epochs is None else {**inputs, "epochs": epochs})


def answered(label, weights, bias, X):
    return Case(label, {"weights": torch.tensor(weights, dtype=DOUBLE), "bias": bias, "X": X})


perceptron = Exercise(
    "perceptron",
    points=2,
    parts=[
        Part(
            "starts at zero",
            probe="new_perceptron",
            public=[Case("two inputs", {"num_inputs": 2})],
            hidden=[Case("five inputs", {"num_inputs": 5}), Case("one input", {"num_inputs": 1})],
            share=0.25,
        ),
        Part(
            "predict: 1 above 0",
            probe="perceptron_predictions",
            public=[answered("sums of -1, 0, 0.25 and 2", [1.0, -2.0], 0.0, rows([-1, 0], [2, 1], [0.25, 0], [2, 0]))],
            hidden=[
                answered("with a bias", [0.5, 0.25, -1.0], -0.25, rows([0.5, 0, 0], [1, 0.5, 0], [1, 1, 1], [2, 0, 0.5], [0, 4, 0])),
                answered("one row", [1.0, 1.0], 0.125, rows([0, 0.25])),
                answered("a bias alone", [0.0, 0.0], 0.25, rows([3, -3], [0, 0])),
            ],
            share=0.75,
        ),
        Part(
            "fit: learns AND and OR",
            probe="fitted_perceptron",
            public=[learned("AND", CORNERS, [0, 0, 0, 1]), learned("OR, learning rate 0.25", CORNERS, [0, 1, 1, 1], 0.25)],
            hidden=[
                learned("NAND", CORNERS, [1, 1, 1, 0], 0.25),
                learned("majority of three", CUBE, [0, 0, 0, 1, 0, 1, 1, 1], 1.0),
                learned("first input and not third", CUBE, [0, 0, 0, 0, 1, 0, 1, 0]),
                learned("real numbers", rows([0.5, 2.25], [-1.5, 0.75], [2, -1.25], [0.25, -2], [-1, 1.5], [1.5, 1]), [1, 0, 1, 0, 0, 1], 0.125),
                learned("default learning rate", rows([2, 1], [-1, -2], [3, 1]), [1, 0, 1], None),
            ],
        ),
        Part(
            "fit: does not learn XOR",
            probe="fitted_perceptron",
            public=[learned("XOR, 6 epochs", CORNERS, [0, 1, 1, 0], epochs=6)],
            hidden=[
                learned("XOR, 100 epochs by default", CORNERS, [0, 1, 1, 0], 0.25),
                learned("XOR of three", CUBE, [0, 1, 1, 0, 1, 0, 0, 1], epochs=9),
                learned("equality, 5 epochs", CORNERS, [1, 0, 0, 1], epochs=5),
            ],
            share=0.5,
        ),
    ],
    misconceptions=n02_mistakes.PERCEPTRON,
)  # fmt: skip


# --- xor_network -------------------------------------------------------------------------------------------------------------------
# Pass rate of the reference, single runs: 100 of 100 seeds, 0.1 CPU seconds each. Adam (0.1, 500 epochs) from torch's own start: 18 of 20, so
# "4 of 5" is fair. Plain SGD with the squared error (0.5, 3,000 epochs): 17 of 20.

xor_network = Exercise(
    "xor_network",
    points=2,
    parts=[
        Part(
            "XORNet: 2-4-1 with sigmoids",
            probe="xor_layers",
            public=[Case("twelve points", {"x": numbers(12, 2, seed=1)})],
            hidden=[Case("twenty points", {"x": numbers(20, 2, seed=2)})],
        ),
        Part(
            "train_xor: learns for at least 4 of 5 seeds",
            probe="xor_training",
            public=[Case("seeds 0 to 4", {"seeds": [0, 1, 2, 3, 4]})],
            hidden=[Case("five other seeds", {"seeds": [42, 7, 11, 123, 2024]})],
        ),
    ],
    misconceptions=n02_mistakes_networks.XOR_NETWORK,
    seconds=32,
)


# --- mlp_forward, mlp_backward -------------------------------------------------------------------------------------------------------


def network(*sizes, seed, scale=1.0):
    """Layers of float64 weights `(in, out)` and biases `(1, out)`."""
    return [
        {
            "weights": numbers(fan_in, fan_out, seed=seed + 2 * number, dtype=DOUBLE, scale=scale),
            "bias": numbers(1, fan_out, seed=seed + 2 * number + 1, dtype=DOUBLE, scale=scale),
        }
        for number, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:]))
    ]


def passed_forward(label, m, *sizes, seed):
    return Case(label, {"X": numbers(m, sizes[0], seed=seed, dtype=DOUBLE), "layers": network(*sizes, seed=seed + 1)})


def far_forward(label, X, *layers):
    """Sums of ±1000 in the first layer; the right activations come from torch."""
    layers = [{"weights": rows(*weights), "bias": rows(bias)} for weights, bias in layers]
    right = [X]
    for layer in layers:
        right.append(torch.sigmoid(right[-1] @ layer["weights"] + layer["bias"]))
    return Case(label, {"X": X, "layers": layers}, {"right": right})


mlp_forward = Exercise(
    "mlp_forward",
    points=1,
    parts=[
        Part(
            "all activations",
            probe="forward_pass",
            public=[passed_forward("sizes 3-4-2, five samples", 5, 3, 4, 2, seed=10), passed_forward("sizes 2-2-2", 3, 2, 2, 2, seed=50)],
            hidden=[
                passed_forward("sizes 2-5-3-1, seven samples", 7, 2, 5, 3, 1, seed=20),
                passed_forward("one layer, one sample", 1, 4, 2, seed=30),
                passed_forward("square layers", 4, 3, 3, 3, seed=40),
            ],
            tolerance=1e-9,
        ),
        Part(
            "sums of ±1000",
            probe="forward_far",
            public=[far_forward("1000 and -1000", rows([1], [-1]), ([[1000.0, -1000.0]], [0.0, 0.0]), ([[1.0], [2.0]], [-1.0]))],
            hidden=[far_forward("from the bias too", rows([1, 2], [-1, 0]), ([[500.0, -20.0], [300.0, 1.0]], [-100.0, 900.0]), ([[1.0], [-3.0]], [0.5]))],
            share=0.5,
        ),
    ],
    misconceptions=n02_mistakes.MLP_FORWARD,
)  # fmt: skip


def passed_back(label, m, *sizes, seed, flat=False):
    case = passed_forward(label, m, *sizes, seed=seed)
    return Case(label, {**case.inputs, "y": whole(*((m,) if flat else (m, sizes[-1])), seed=seed + 50)})


mlp_backward = Exercise(
    "mlp_backward",
    points=3,
    parts=[
        Part(
            "y of shape (m, out)",
            probe="backward_pass",
            public=[
                passed_back("one layer 3-2, four samples", 4, 3, 2, seed=60),
                passed_back("sizes 3-4-2, five samples", 5, 3, 4, 2, seed=70),
            ],
            hidden=[
                passed_back("sizes 2-5-4-3, six samples", 6, 2, 5, 4, 3, seed=80),
                passed_back("square layers, three samples", 3, 3, 3, 3, seed=90),
                passed_back("one sample", 1, 4, 3, 2, seed=110),
            ],
            tolerance=1e-8,
        ),
        Part(
            "y of shape (m,)",
            probe="backward_pass",
            public=[passed_back("sizes 2-3-1, four samples", 4, 2, 3, 1, seed=120, flat=True)],
            hidden=[
                passed_back("sizes 3-4-3-1, seven samples", 7, 3, 4, 3, 1, seed=130, flat=True),
                passed_back("one layer, six samples", 6, 5, 1, seed=140, flat=True),
            ],
            share=0.5,
            tolerance=1e-8,
        ),
    ],
    misconceptions=n02_mistakes.MLP_BACKWARD,
)


# --- gradient_descent ----------------------------------------------------------------------------------------------------------------
# Pass rate of the reference, single runs, data and weights of as many seeds: batch 40 of 40 (worst loss 0.020), mini-batch 40 of 40 (0.037),
# stochastic 20 of 20 (0.017). Xavier's weights: batch 25 of 30, mini-batch and stochastic 30 of 30, hence several seeds and the best counts.


def epochs_of(label, n, batch_size, seed):
    return Case(label, {"n": n, "batch_size": batch_size, "seed": seed}, {"n": n})


def descended(kind, batch_size, lr, epochs, seeds, data_seed):
    X, y = moons(300, noise=0.1, seed=data_seed)
    settings = {"batch_size": batch_size, "lr": lr, "epochs": epochs}
    return Case(
        f"{kind}: batches of {batch_size}, lr {lr:g}, {epochs} epochs, seeds {', '.join(map(str, seeds))}",
        {"X": X, "y": y, "settings": settings, "seeds": seeds},
        {"X": X, "y": y, "epochs": epochs},
    )


def briefly(label, layer_sizes, batch_size, seed):
    X, y = moons(20, noise=0.1, seed=seed)
    return Case(label, {"X": X, "y": y, "layer_sizes": layer_sizes, "batch_size": batch_size, "seed": seed})


def in_steps(label, batch_size, epochs, seed):
    X, y = moons(4, noise=0.1, seed=seed)
    settings = {"X": X, "y": y, "batch_size": batch_size, "lr": 0.5}
    return Case(label, {**settings, "epochs": epochs, "seed": seed}, settings)


gradient_descent = Exercise(
    "gradient_descent",
    points=2,
    parts=[
        Part(
            "minibatches: every index once, in a new order",
            probe="epochs_of_minibatches",
            public=[epochs_of("10 indices, batches of 4", 10, 4, 0), epochs_of("12 indices, batches of 3", 12, 3, 1)],
            hidden=[
                epochs_of("25 indices, batches of 8", 25, 8, 2),
                epochs_of("9 indices in one batch", 9, 20, 3),
                epochs_of("8 batches of one index", 8, 1, 4),
                epochs_of("30 indices, batches of 15", 30, 15, 5),
            ],
        ),
        Part(
            "train_mlp: shapes, start and seed",
            probe="short_descent",
            public=[briefly("sizes 2-3-1", [2, 3, 1], 8, seed=0)],
            hidden=[briefly("sizes 2-4-3-1", [2, 4, 3, 1], 5, seed=3), briefly("one layer", [2, 1], 20, seed=4)],
        ),
        Part(
            "train_mlp: its steps",
            probe="steps_of_descent",
            public=[in_steps("four samples, batches of 1, four epochs", 1, 4, seed=0), in_steps("one batch of 4, two epochs", 4, 2, seed=1)],
            hidden=[
                in_steps("four samples, batches of 3, three epochs", 3, 3, seed=2),
                in_steps("four other samples, batches of 1, four epochs", 1, 4, seed=3),
                in_steps("one batch, larger than needed, three epochs", 9, 3, seed=4),
            ],
            share=0.5,
        ),
        Part(
            "train_mlp: under 0.2 on the two moons",
            probe="descent",
            public=[
                descended("batch", 300, 3.0, 1500, [0, 1, 2], data_seed=0),
                descended("mini-batch", 32, 2.0, 300, [0, 1], data_seed=0),
                descended("stochastic", 1, 0.5, 60, [0], data_seed=0),
            ],
            hidden=[
                descended("batch", 300, 3.0, 1500, [5, 6, 7], data_seed=1),
                descended("mini-batch", 32, 2.0, 300, [8, 9], data_seed=2),
                descended("stochastic", 1, 0.5, 60, [10], data_seed=3),
            ],
        ),
    ],
    misconceptions=n02_mistakes.GRADIENT_DESCENT,
    seconds=20,
)


# --- ann_model ---------------------------------------------------------------------------------------------------------------------


def shaped(label, *shape, **options):
    return Case(label, {"options": options, "shape": list(shape)})


def layered(label, activation, sizes, x):
    """An ANN of the given sizes, inputs and classes included."""
    options = {"input_size": sizes[0], "hidden_sizes": sizes[1:-1], "num_classes": sizes[-1]}
    secret = {"x": x, "activation": activation, "sizes": [list(pair) for pair in zip(sizes, sizes[1:])]}
    return Case(label, {"options": options, "activation": activation, "x": x}, secret)


def dropped(label, activation, sizes, batch, seed, dropout=None):
    x = numbers(batch, sizes[0], seed=seed)
    options = {"input_size": sizes[0], "hidden_sizes": sizes[1:-1], "num_classes": sizes[-1]}
    options |= {} if dropout is None else {"dropout": dropout}
    secret = {"x": x, "activation": activation, "p": 0.2 if dropout is None else dropout, "layers": len(sizes) - 1}
    return Case(label, {"options": options, "activation": activation, "x": x}, secret)


def drawn(label, activation, *sizes):
    options = {"input_size": sizes[0], "hidden_sizes": list(sizes[1:-1]), "num_classes": sizes[-1]}
    return Case(label, {"options": options, "activation": activation})


ann_model = Exercise(
    "ann_model",
    points=2,
    parts=[
        Part(
            "parameters and shapes",
            probe="ann_shapes",
            public=[shaped("four digits (4, 1, 28, 28)", 4, 1, 28, 28), shaped("three flat digits (3, 784)", 3, 784)],
            hidden=[
                shaped("one digit", 1, 1, 28, 28),
                shaped("twelve inputs (7, 3, 2, 2), hidden 8, 6", 7, 3, 2, 2, input_size=12, hidden_sizes=[8, 6], num_classes=4),
                shaped("no hidden layer", 5, 1, 3, 3, input_size=9, hidden_sizes=[], num_classes=3),
                shaped("three hidden layers", 2, 6, input_size=6, hidden_sizes=[5, 4, 3], num_classes=2),
            ],
        ),
        Part(
            "linear layers, activations, raw logits",
            probe="ann_layers",
            public=[
                layered("ReLU, hidden 6, 5", "ReLU", [12, 6, 5, 4], numbers(7, 3, 2, 2, seed=200)),
                layered("softplus, hidden 5", "Softplus", [4, 5, 3], numbers(6, 1, 2, 2, seed=204)),
            ],
            hidden=[
                layered("tanh, hidden 7", "Tanh", [8, 7, 3], numbers(5, 1, 2, 4, seed=201)),
                layered("GELU, hidden 6, 5, 4", "GELU", [9, 6, 5, 4, 3], numbers(6, 9, seed=202)),
                layered("sigmoid, no hidden layer", "Sigmoid", [4, 3], numbers(5, 1, 2, 2, seed=203)),
            ],
        ),
        Part(
            "dropout",
            probe="ann_dropout",
            public=[
                dropped("sigmoid, dropout 0.4", "Sigmoid", [6, 40, 30, 5], 60, seed=210, dropout=0.4),
                dropped("GELU, default dropout", "GELU", [6, 40, 4], 60, seed=214),
            ],
            hidden=[
                dropped("softplus, dropout 0.3", "Softplus", [5, 50, 6], 60, seed=211, dropout=0.3),
                dropped("sigmoid, default dropout", "Sigmoid", [6, 40, 30, 4], 60, seed=212),
                dropped("ReLU, no dropout", "ReLU", [5, 20, 3], 20, seed=213, dropout=0.0),
            ],
            share=0.5,
        ),
        Part(
            "Kaiming-normal weights, zero biases",
            probe="ann_weights",
            public=[drawn("sizes 200-300-100-60", "ReLU", 200, 300, 100, 60)],
            hidden=[drawn("tanh, sizes 150-200-90", "Tanh", 150, 200, 90)],
            share=0.5,
        ),
    ],
    misconceptions=n02_mistakes_networks.ANN_MODEL,
)  # fmt: skip


# --- modified_ann ------------------------------------------------------------------------------------------------------------------

modified_ann = Exercise(
    "modified_ann",
    points=2,
    parts=[
        Part(
            "ModifiedANN: another network, and it learns",
            probe="modified_model",
            public=[Case("a batch of 16 images", {"batch": 16})],
            hidden=[Case("a batch of 24 images", {"batch": 24})],
        ),
        Part(
            "experiments",
            probe="experiment_list",
            public=[Case("the first three entries", {"entries": 3}, {"at_least": 3})],
            hidden=[Case("all entries", {"entries": 1000}, {"at_least": 3})],
        ),
    ],
    misconceptions=n02_mistakes_networks.MODIFIED_ANN,
)

modified_ann_findings = Exercise("modified_ann_findings", points=1, kind="written")


# --- classification_metrics --------------------------------------------------------------------------------------------------------


def guessed(label, count, batch, seed):
    return Case(
        label,
        {
            "y_true": whole(batch, seed=seed, top=count),
            "y_pred": whole(batch, seed=seed + 1, top=count),
            "num_classes": count,
        },
    )


def pairs(label, count, y_true, y_pred):
    return Case(label, {"y_true": torch.tensor(y_true), "y_pred": torch.tensor(y_pred), "num_classes": count})


def matrix(label, *entries):
    return Case(label, {"cm": torch.tensor(entries)})


classification_metrics = Exercise(
    "classification_metrics",
    points=2,
    parts=[
        Part(
            "confusion_matrix",
            probe="counted",
            public=[
                pairs("three classes", 3, [0, 0, 1, 2, 2, 2, 1], [0, 1, 1, 0, 2, 2, 1]),
                pairs("the last of four classes is never seen", 4, [0, 1, 2, 2], [1, 1, 0, 2]),
            ],
            hidden=[
                guessed("five classes, 60 samples", 5, 60, seed=300),
                pairs("six classes, two of them seen", 6, [1, 4, 4, 1, 1], [4, 4, 1, 1, 1]),
                pairs("one sample", 2, [1], [0]),
            ],
        ),
        Part(
            "precision_recall_f1",
            probe="scored",
            public=[matrix("two classes", [8, 2], [4, 6]), matrix("three classes", [5, 1, 0], [2, 7, 1], [0, 3, 4])],
            hidden=[matrix("four classes", [9, 0, 1, 2], [1, 5, 0, 0], [3, 1, 12, 0], [0, 2, 2, 20]), matrix("large counts", [900, 100], [50, 9950])],
            tolerance=1e-6,
        ),
        Part(
            "0 where a class never occurs or is never predicted",
            probe="scored",
            public=[
                matrix("class 1 never predicted", [3, 0, 1], [2, 0, 2], [0, 0, 4]),
                matrix("class 2 never occurs, nor is it predicted", [3, 1, 0], [2, 4, 0], [0, 0, 0]),
            ],
            hidden=[
                matrix("class 0 never occurs", [0, 0, 0], [2, 4, 1], [1, 0, 5]),
                matrix("no sample at all", [0, 0], [0, 0]),
                matrix("all wrong", [0, 3], [2, 0]),
            ],
            share=0.5,
            tolerance=1e-6,
        ),
    ],
    misconceptions=n02_mistakes.CLASSIFICATION_METRICS,
)  # fmt: skip


EXERCISES = [
    perceptron, xor_network, mlp_forward, mlp_backward, gradient_descent, ann_model, classification_metrics, modified_ann,
    modified_ann_findings,
]  # fmt: skip
