"""Notebook 8, comparison: points, parts and cases. Its misconceptions stand in n08_mistakes and n08_mistakes_models."""

import torch

from autograder.specs import n08_mistakes, n08_mistakes_models
from autograder.specs.spec import Case, Exercise, Part, quiz
from dlcourse.checks.probes.n08_comparison import bootstrap_ends

# --- count_parameters --------------------------------------------------------------------------------------------------------------


def model(kind, size):
    return Case(f"{kind}, size {size}", {"kind": kind, "size": size})


count_parameters = Exercise(
    "count_parameters",
    points=1,
    parts=[
        Part(
            "frozen parameters",
            probe="parameter_counts",
            public=[model("convolutional", 4), model("partly frozen", 4)],
            hidden=[
                model("partly frozen", 7),
                model("all frozen", 5),
                model("recurrent", 6),
                model("convolutional", 9),
            ],
        ),
        Part(
            "shared parameters, and those of a module's own",
            probe="parameter_counts",
            public=[model("tied", 3), model("own parameters", 4)],
            hidden=[model("tied", 5), model("own parameters", 6)],
        ),
    ],
    misconceptions=n08_mistakes.COUNT_PARAMETERS,
)

# --- compare_models ----------------------------------------------------------------------------------------------------------------

CLASSES = 4


def scripted(label, accuracies, sizes, widths, seed):
    """Models with given accuracies: name -> a list for each part (train, val, test), the percentage right in each epoch.

    Which samples are right is drawn anew for each percentage: epochs of equal accuracy have equal losses too, so both choose the same epoch.
    One more row, right on all validation samples, waits for those who train an epoch too many.
    """
    source = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (sum(sizes),), generator=source)
    epochs = len(next(iter(accuracies.values()))[0])
    scripts, allowed = {}, {}
    for name, parts in accuracies.items():
        columns = []
        for size, percents, after in zip(sizes, parts, (100, 100, 0)):
            percents = [*percents, after]
            orders = {percent: torch.randperm(size, generator=source) for percent in percents}
            ranks = {percent: order.argsort() for percent, order in orders.items()}
            columns.append(torch.stack([ranks[percent] < round(size * percent / 100) for percent in percents]))
        right = torch.cat(columns, dim=1)
        scripts[name] = torch.where(right, labels, (labels + 1) % CLASSES)
        allowed[name] = [epochs, parts[1].index(max(parts[1])) + 1]
    inputs = {
        "scripts": scripts,
        "widths": widths,
        "labels": labels,
        "sizes": sizes,
        "classes": CLASSES,
        "epochs": epochs,
    }
    return Case(label, inputs, {"epochs_allowed": allowed})


RISING = [25, 50, 75, 87.5, 100]
PUBLIC = {
    # train, validation, test, epoch by epoch
    "early": [RISING, [75, 50, 50, 25, 75], [50, 100, 62.5, 87.5, 75]],
    "late": [RISING, [62.5, 12.5, 25, 37.5, 100], [87.5, 75, 50, 37.5, 25]],
    "middle": [RISING, [25, 50, 87.5, 87.5, 62.5], [100, 25, 62.5, 75, 87.5]],
}
HIDDEN = {
    "rnn": [[30, 60, 90], [60, 61, 60], [80, 40, 85]],
    "cnn": [[90, 60, 30], [71, 71, 20], [50, 90, 60]],
    "mlp": [[50, 50, 50], [82, 79, 82], [20, 30, 10]],
    "gru": [[50, 70, 90], [10, 20, 44], [90, 91, 70]],
}


def counted(*counts):
    """Labels with so many samples of each class, in turn."""
    return torch.arange(sum(counts)) % 3


compare_models = Exercise(
    "compare_models",
    points=3,
    parts=[
        Part(
            "the table, by the best validation epoch",
            probe="compared",
            share=4,
            public=[
                scripted(
                    "three models, five epochs", PUBLIC, [12, 8, 8], {"early": 3, "late": 100, "middle": 40}, seed=1
                )
            ],
            hidden=[
                scripted(
                    "four models, three epochs, larger sets",
                    HIDDEN,
                    [70, 100, 70],
                    {"rnn": 5, "cnn": 0, "mlp": 77, "gru": 9},
                    seed=2,
                ),
                scripted("one model, one epoch", {"only": [[50], [40], [70]]}, [8, 10, 10], {"only": 6}, seed=3),
                scripted(
                    "the last epoch is the best, and the first",
                    {
                        "z": [[10, 20, 30, 40], [40, 20, 30, 80], [90, 80, 70, 60]],
                        "a": [[10, 20, 30, 40], [80, 60, 40, 20], [70, 90, 80, 100]],
                    },
                    [30, 45, 50],
                    {"z": 1, "a": 2},
                    seed=4,
                ),
            ],
        ),
        Part(
            "real models learn",
            probe="learned",
            public=[
                Case("sixty training samples", {"labels": counted(60, 15, 15), "sizes": [60, 15, 15], "epochs": 4})
            ],
            hidden=[
                Case("more samples", {"labels": counted(200, 30, 30), "sizes": [200, 30, 30], "epochs": 3}),
                Case("few samples, more epochs", {"labels": counted(18, 9, 9), "sizes": [18, 9, 9], "epochs": 9}),
            ],
        ),
        Part(
            "the same seed for each model",
            probe="seeded",
            public=[
                Case("seeds 0 and 1", {"labels": counted(30, 9, 9), "sizes": [30, 9, 9], "epochs": 2, "seeds": [0, 1]})
            ],
            hidden=[
                Case(
                    "seeds 7 and 3",
                    {"labels": counted(90, 12, 12), "sizes": [90, 12, 12], "epochs": 2, "seeds": [7, 3]},
                )
            ],
        ),
    ],
    misconceptions=n08_mistakes_models.COMPARE_MODELS,
)

# --- comparison_plots --------------------------------------------------------------------------------------------------------------

RESULT_COLUMNS = ["parameters", "test_accuracy", "best_val_accuracy", "epochs", "seconds"]


def plots(label, histories, results):
    """`results`: name -> (parameters, test accuracy, best validation accuracy, epochs, seconds), highest test accuracy first."""
    rows = {"index": list(results), "columns": RESULT_COLUMNS, "rows": [list(row) for row in results.values()]}
    points = {name: [float(row[0]), row[1]] for name, row in results.items()}
    validation = {name: row[2] for name, row in results.items()}
    histories = {name: dict(zip(("train_loss", "val_loss", "val_acc"), lists)) for name, lists in histories.items()}
    return Case(
        label,
        {"histories": histories, "results": rows},
        {"histories": histories, "results": points, "validation": validation},
    )


comparison_plots = Exercise(
    "comparison_plots",
    points=1,
    parts=[
        Part(
            "four panels",
            probe="sheet_of_plots",
            public=[
                plots(
                    "two models",
                    {
                        "MLP": ([2.1, 1.2, 0.8], [2.2, 1.4, 1.1], [31.0, 52.0, 61.5]),
                        "CNN": ([1.9, 0.9, 0.4], [1.8, 0.8, 0.5], [42.0, 73.0, 85.0]),
                    },
                    {"CNN": (5210, 84.25, 85.0, 3, 1.2), "MLP": (6018, 60.5, 61.5, 3, 0.4)},
                )
            ],
            hidden=[
                plots(
                    "three models, histories of different lengths",
                    {
                        "gru": ([1.0, 0.7], [1.1, 0.9], [50.0, 66.0]),
                        "lstm": ([1.3, 0.9, 0.6, 0.5], [1.2, 1.0, 0.95, 0.99], [40.0, 55.0, 64.0, 62.0]),
                        "rnn": ([1.5, 1.4, 1.35], [1.45, 1.41, 1.4], [30.0, 33.0, 35.5]),
                    },
                    {
                        "lstm": (4674, 65.0, 64.0, 4, 3.0),
                        "gru": (3522, 63.5, 66.0, 2, 2.0),
                        "rnn": (1218, 34.0, 35.5, 3, 1.0),
                    },
                ),
                plots(
                    "one model, one epoch", {"net": ([0.5], [0.625], [81.0])}, {"net": (1_200_300, 79.75, 81.0, 1, 9.0)}
                ),
            ],
        )
    ],
    misconceptions=n08_mistakes.COMPARISON_PLOTS,
)

# --- attention_cost ----------------------------------------------------------------------------------------------------------------


def costs(kind, *sizes):
    return Case(
        f"{kind}, {', '.join(f'{n}×{d}' for n, d in sizes)}", {"kind": kind, "sizes": [list(pair) for pair in sizes]}
    )


attention_cost = Exercise(
    "attention_cost",
    points=1,
    parts=[
        Part(
            "a recurrent layer",
            "layer_costs",
            [costs("rnn", (10, 4), (4, 10))],
            [costs("rnn", (1, 1), (300, 64), (64, 300), (4096, 512))],
        ),
        Part(
            "self-attention",
            "layer_costs",
            [costs("attention", (10, 4), (4, 10))],
            [costs("attention", (1, 1), (300, 64), (64, 300), (4096, 512))],
        ),
        Part(
            "where the two cross",
            "crossovers",
            [Case("dim 4 and 64", {"dims": [4, 64]})],
            [Case("other dims", {"dims": [1, 2, 7, 128, 511, 1024]})],
        ),
    ],
    misconceptions=n08_mistakes.ATTENTION_COST,
)

# --- accuracy_interval -------------------------------------------------------------------------------------------------------------


def interval(correct, total, confidence=None):
    more = {} if confidence is None else {"confidence": confidence}
    label = f"{correct} of {total} right" + (f", confidence {confidence}" if more else "")
    return Case(label, {"correct": correct, "total": total, **more})


def pairs(both, only_a, only_b, neither, seed, dtype=torch.long):
    """0/1 for two models on the same samples, in random order."""
    a = torch.tensor([1] * both + [1] * only_a + [0] * only_b + [0] * neither)
    b = torch.tensor([1] * both + [0] * only_a + [1] * only_b + [0] * neither)
    order = torch.randperm(len(a), generator=torch.Generator().manual_seed(seed))
    return a[order].to(dtype), b[order].to(dtype)


def difference_of(label, *counts, seed, dtype=torch.long):
    a, b = pairs(*counts, seed=seed, dtype=dtype)
    return Case(label, {"correct_a": a, "correct_b": b, "seed": seed}, bootstrap_ends(a, b))


def lopsided():
    """Only one model is ever right alone: the percentiles do not lie evenly around the difference. Many resamples give them exactly."""
    case = difference_of("100 samples, 4 of them told apart", 80, 4, 0, 16, seed=6)
    return Case(case.label, case.inputs, {**case.secret, "margin": 0.005})


def repeated(label, *counts, seed):
    a, b = pairs(*counts, seed=seed)
    return Case(label, {"correct_a": a, "correct_b": b})


accuracy_interval = Exercise(
    "accuracy_interval",
    points=2,
    parts=[
        Part(
            "Wilson's interval",
            probe="wilson",
            share=2,
            tolerance=1e-4,
            public=[interval(45, 50), interval(0, 20), interval(7, 10, 0.9)],
            hidden=[
                interval(0, 7),
                interval(12, 12),
                interval(1, 3),
                interval(870, 1000),
                interval(33, 40, 0.99),
                interval(20, 60, 0.8),
            ],
        ),
        Part(
            "the paired bootstrap",
            probe="bootstrap",
            public=[difference_of("300 samples, 60 of them told apart", 200, 40, 20, 40, seed=1)],
            hidden=[
                difference_of("300 samples, most of them told apart", 20, 90, 160, 30, seed=2),
                lopsided(),
                difference_of("250 samples as booleans", 150, 20, 25, 55, seed=3, dtype=torch.bool),
            ],
        ),
        Part(
            "pairs that leave nothing to chance",
            probe="bootstrap_certain",
            public=[Case("ten samples", {"correct": torch.tensor([1, 0, 1, 1, 0, 1, 1, 0, 0, 1]), "seed": 0})],
            hidden=[Case("other samples", {"correct": torch.tensor([0, 0, 1, 0, 1, 1, 0]), "seed": 8})],
        ),
        Part(
            "seed and number of resamples",
            probe="bootstrap_repeats",
            public=[repeated("200 samples", 70, 50, 40, 40, seed=4)],
            hidden=[repeated("190 samples", 40, 60, 50, 40, seed=5)],
        ),
    ],
    misconceptions=n08_mistakes.ACCURACY_INTERVAL,
)

# --- mixed_precision ---------------------------------------------------------------------------------------------------------------

FIRST = {
    "weight": torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]]),
    "bias": torch.tensor([0.5, -0.25]),
    "inputs": torch.tensor([[1.0, 2.0, -1.0], [0.0, -1.0, 3.0], [2.0, 1.0, 0.5], [-1.0, 0.0, 1.0]]),
    "targets": torch.tensor([[1.0, 0.0], [2.0, -2.0], [0.0, 1.0], [-1.0, 0.5]]),
    "rate": 0.25,
}
SECOND = {
    "weight": torch.tensor([[1.0, 0.5], [-0.25, 2.0]]),
    "bias": torch.tensor([0.0, 1.0]),
    "inputs": torch.tensor([[2.0, -1.0], [1.0, 1.0]]),
    "targets": torch.tensor([[0.5, -1.0], [3.0, 0.0]]),
    "rate": 0.125,
}
# with a factor of 2**100 the gradients overflow, the loss does not
HUGE = {**SECOND, "targets": torch.full((2, 2), -3e10)}

mixed_precision = Exercise(
    "mixed_precision",
    points=2,
    parts=[
        Part(
            "a step under autocast",
            probe="amp_steps",
            share=2,
            public=[
                Case("one step", FIRST),
                Case("gradients of an earlier step are still there", {**SECOND, "stale": 8.0}),
            ],
            hidden=[
                Case("another model", SECOND),
                Case("two steps, old gradients", {**FIRST, "rate": 0.0625, "steps": 2, "stale": -4.0}),
            ],
        ),
        Part(
            "clipped gradients",
            probe="amp_steps",
            public=[Case("max_norm 0.5", {**FIRST, "max_norm": 0.5})],
            hidden=[
                Case("max_norm 2", {**SECOND, "max_norm": 2.0}),
                Case("a bound that is not reached", {**SECOND, "max_norm": 1e4}),
            ],
        ),
        Part(
            "a scaler",
            probe="amp_steps",
            public=[Case("factor 1024, max_norm 0.5", {**FIRST, "scale": 1024.0, "max_norm": 0.5})],
            hidden=[
                Case("factor 64, no max_norm", {**SECOND, "scale": 64.0}),
                Case("factor 256, max_norm 2", {**SECOND, "scale": 256.0, "max_norm": 2.0, "stale": 3.0}),
                Case(
                    "gradients that overflow: the scaler leaves the step out",
                    {**HUGE, "scale": 2.0**100, "max_norm": 1.0},
                ),
            ],
        ),
    ],
    misconceptions=n08_mistakes.MIXED_PRECISION,
)

# --- architecture_quiz -------------------------------------------------------------------------------------------------------------

SCENARIOS = {
    "credit_scoring": ("ANN", "Would anything change if the columns stood in another order?", "Unordered columns have no neighbours and no time: dense layers assume nothing about them."),
    "xray_findings": ("CNN", "Which layer reuses a few weights at every place of a picture?", "Shared filters find a pattern wherever it is, with few parameters."),
    "short_signals": ("RNN", "Five steps: is there anything to forget?", "Over five steps the gradient of a plain recurrent layer does not vanish, so gates buy little."),
    "machine_wear": ("LSTM", "Which recurrent layer has a second state beside the hidden one?", "The cell state is changed by gates alone, and can carry something over many steps."),
    "keyword_spotting": ("GRU", "Count the blocks of weights of the two gated layers in notebook 5.", "A GRU has three blocks of weights where an LSTM has four."),
    "translation": ("Transformer", "Which of them does not wait for the step before?", "Attention works on all positions of a sentence at once, and uses much data well."),
    "house_prices": ("ANN", "Do the three numbers have an order or a neighbourhood?", "Three unordered numbers a house: a small dense network (and try gradient-boosted trees beside it)."),
    "defect_photos": ("CNN", "A scratch is a scratch in any corner of the picture.", "A convolution gives the same answer wherever the scratch is; pooling then forgets the place."),
    "code_completion": ("Transformer", "How many steps lie between two tokens that are far apart?", "Attention reaches any earlier token in one step, at a cost that grows with the square of the length."),
    "faster_than_lstm": ("GRU", "Two gates, one state: which layer of notebook 5 was that?", "The GRU merges the cell state with the hidden state and has an update and a reset gate."),
}  # fmt: skip

EXERCISES = [
    count_parameters,
    compare_models,
    comparison_plots,
    accuracy_interval,
    attention_cost,
    mixed_precision,
    quiz("architecture_quiz", 2, "architecture_choice", SCENARIOS),
    Exercise("comparison_analysis", points=2, kind="written"),
]
