"""Notebook 5, LSTM and GRU: points, parts and cases. Its misconceptions stand in n05_mistakes and n05_mistakes_training."""

import torch

from autograder.specs import n05_mistakes, n05_mistakes_training
from autograder.specs.spec import Case, Exercise, Part
from dlcourse.data import two_sines


def numbers(*shape, seed, dtype=torch.float32, scale=1.0):
    """Normal random numbers, the same at every build."""
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).to(dtype)


def ids(rows):
    return torch.tensor(rows, dtype=torch.long)


# --- lstm_cell and gru_cell --------------------------------------------------------------------------------------------------------


def step(batch, width, hidden, seed, steps=(), dtype=torch.float32, cell_state=True):
    """Input (of several steps, if any are given) and state of a cell."""
    inputs = {
        "x": numbers(*steps, batch, width, seed=seed, dtype=dtype),
        "h": numbers(batch, hidden, seed=seed + 100, dtype=dtype, scale=0.7),
    }
    if cell_state:
        inputs["C"] = numbers(batch, hidden, seed=seed + 200, dtype=dtype)
    return inputs | {"seed": float(seed % 5)}


def cell_parts(step_probe, steps_probe, **more):
    return [
        Part(
            "one step",
            probe=step_probe,
            share=2,
            public=[Case("three samples, two features, four units", step(3, 2, 4, seed=1, **more))],
            hidden=[
                Case("as many features as units", step(4, 3, 3, seed=2, **more)),
                Case("one sample", step(1, 5, 3, seed=3, **more)),
                Case("two samples, float64", step(2, 1, 6, seed=4, dtype=torch.float64, **more)),
            ],
        ),
        Part(
            "several steps",
            probe=steps_probe,
            public=[Case("four steps", step(3, 2, 4, seed=5, steps=(4,), **more))],
            hidden=[
                Case("nine steps", step(2, 3, 5, seed=6, steps=(9,), **more)),
                Case("six steps, float64", step(3, 4, 2, seed=7, steps=(6,), dtype=torch.float64, **more)),
            ],
        ),
    ]


lstm_cell = Exercise("lstm_cell", points=3, parts=cell_parts("lstm_step", "lstm_steps"), misconceptions=n05_mistakes.LSTM_CELL)
gru_cell = Exercise(
    "gru_cell",
    points=2,
    parts=cell_parts("gru_step", "gru_steps", cell_state=False),
    misconceptions=n05_mistakes.GRU_CELL,
)

# --- parameter_count ---------------------------------------------------------------------------------------------------------------

parameter_count = Exercise(
    "parameter_count",
    points=1,
    parts=[
        Part(
            "the counts of PyTorch's layers",
            probe="parameter_counts",
            share=3,
            public=[
                Case(
                    "one layer",
                    {"layers": [["rnn", 3, 4, 1, False], ["lstm", 3, 4, 1, False], ["gru", 3, 4, 1, False]]},
                ),
                Case(
                    "two layers",
                    {"layers": [["rnn", 3, 5, 2, False], ["lstm", 3, 5, 2, False], ["gru", 3, 5, 2, False]]},
                ),
                Case("bidirectional", {"layers": [["lstm", 2, 6, 1, True], ["gru", 2, 6, 2, True]]}),
            ],
            hidden=[
                Case(
                    "one layer",
                    {"layers": [["rnn", 7, 2, 1, False], ["lstm", 1, 64, 1, False], ["gru", 10, 3, 1, False]]},
                ),
                Case("deep", {"layers": [["rnn", 1, 8, 5, False], ["lstm", 4, 6, 3, False], ["gru", 9, 2, 4, False]]}),
                Case(
                    "bidirectional",
                    {"layers": [["rnn", 5, 3, 1, True], ["lstm", 5, 3, 3, True], ["gru", 1, 7, 2, True]]},
                ),
            ],
        ),
        Part(
            "default arguments, and arguments by place",
            probe="parameter_defaults",
            public=[Case("lstm", {"kind": "lstm", "input_size": 2, "hidden_size": 3})],
            hidden=[Case("gru", {"kind": "gru", "input_size": 5, "hidden_size": 4})],
        ),
        Part(
            "ValueError for another kind",
            probe="parameter_kinds",
            public=[Case("transformer", {"kinds": ["lstm", "transformer"]})],
            hidden=[Case("cnn, empty", {"kinds": ["gru", "cnn", ""]})],
        ),
    ],
    misconceptions=n05_mistakes.PARAMETER_COUNT,
)

# --- lstm_classifier and gru_classifier --------------------------------------------------------------------------------------------


def sequences(name, sizes, batch, steps, seed):
    """Sizes are input, hidden, layers, classes."""
    return {
        "name": name,
        "sizes": list(sizes),
        "x": numbers(batch, steps, sizes[0], seed=seed),
        "seed": float(seed % 5),
    }


def classifier_parts(name):
    return [
        Part(
            "logits in evaluation",
            probe="classifier_logits",
            share=2,
            public=[Case("three sequences of five steps, two layers", sequences(name, (2, 6, 2, 3), 3, 5, seed=1))],
            hidden=[
                Case("one layer", sequences(name, (1, 8, 1, 2), 4, 6, seed=2)),
                Case("as many samples as steps, three layers", sequences(name, (3, 5, 3, 4), 4, 4, seed=3)),
                Case("one sample", sequences(name, (2, 4, 2, 5), 1, 7, seed=4)),
            ],
        ),
        Part(
            "dropout, warnings, and the size of a model made without arguments",
            probe="classifier_dropout",
            public=[Case("30 sequences", {"name": name, "x": numbers(30, 4, 2, seed=5), "rate": 0.7}, {"p": 0.7})],
            hidden=[Case("40 other sequences", {"name": name, "x": numbers(40, 5, 1, seed=6), "rate": 0.75}, {"p": 0.75})],
        ),
    ]


lstm_classifier = Exercise("lstm_classifier", points=1, parts=classifier_parts("LSTM"), misconceptions=n05_mistakes.LSTM_CLASSIFIER)
gru_classifier = Exercise("gru_classifier", points=1, parts=classifier_parts("GRU"), misconceptions=n05_mistakes.GRU_CLASSIFIER)

# --- sliding_windows ---------------------------------------------------------------------------------------------------------------

sliding_windows = Exercise(
    "sliding_windows",
    points=1,
    parts=[
        Part(
            "windows and targets",
            probe="windows",
            share=2,
            public=[
                Case("seven values, window 3, horizon 2", {"series": torch.arange(7.0), "window": 3, "horizon": 2}),
                Case("horizon not given", {"series": torch.arange(6.0) ** 2, "window": 4}),
            ],
            hidden=[
                Case("window 5, horizon 3", {"series": numbers(20, seed=1), "window": 5, "horizon": 3}),
                Case("window 1, horizon 1", {"series": numbers(5, seed=2), "window": 1, "horizon": 1}),
                Case("just one window", {"series": numbers(6, seed=3), "window": 4, "horizon": 2}),
                Case("horizon longer than the window", {"series": numbers(12, seed=4), "window": 2, "horizon": 5}),
                Case("float64", {"series": numbers(9, seed=5, dtype=torch.float64), "window": 3}),
            ],
        ),
        Part(
            "ValueError where nothing fits",
            probe="window_errors",
            public=[Case("five values", {"series": torch.arange(5.0), "sizes": [[4, 2], [0, 1], [2, 0], [3, 2]]})],
            hidden=[
                Case(
                    "eight values",
                    {"series": torch.arange(8.0), "sizes": [[8, 1], [-1, 2], [3, -1], [9, 1], [4, 5], [7, 1], [0, 3], [4, 0]]},
                )
            ],
        ),
    ],
    misconceptions=n05_mistakes.SLIDING_WINDOWS,
)

# --- forecaster --------------------------------------------------------------------------------------------------------------------

WINDOW, LEARNED = 30, 1600


def forecast_case(label, kind, learned, continued, stride, seed):
    """Learn from one series, forecast the continuation of another that differs in its noise alone; the targets are secret.

    With a stride above the window no target stands inside another window.
    """
    pieces = continued[LEARNED - WINDOW :].unfold(0, WINDOW + 1, stride)
    future, targets = pieces[:, :WINDOW].unsqueeze(-1).contiguous(), pieces[:, WINDOW:].contiguous()
    inputs = {"kind": kind, "series": learned[:LEARNED].clone(), "window": WINDOW, "future": future, "seed": seed}
    return Case(label, inputs, {"last": future[:, -1].clone(), "targets": targets})


def shapes_case(label, batch, steps, hidden_size, horizon, seed):
    return Case(label, {"x": numbers(batch, steps, 1, seed=seed), "hidden_size": hidden_size, "horizon": horizon})


def seed_case(label, kind, count, steps, seed):
    values = two_sines(count + steps, seed=seed)
    return Case(label, {"kind": kind, "X": values.unfold(0, steps, 1)[:count].unsqueeze(-1).contiguous(),
                        "y": values[steps:].unsqueeze(-1).contiguous(), "seed": seed})  # fmt: skip


# Measured with the reference answer: 24 seeds of weights, batches and noise for each kind, forecasts of 175 values after the series.
# Error over that of persistence: lstm at most 0.43 (mean 0.33), gru 0.42 (0.36), rnn 0.38 (0.31); 72 of 72 below 0.70, in under 2 CPU
# seconds each.
forecaster = Exercise(
    "forecaster",
    points=2,
    seconds=20,
    parts=[
        Part(
            "kinds, shapes, and the whole window",
            probe="forecaster_shapes",
            public=[shapes_case("windows of 6, horizon 3", 4, 6, 8, 3, seed=1)],
            hidden=[
                shapes_case("windows of 9, horizon 1", 5, 9, 5, 1, seed=2),
                shapes_case("one window", 1, 4, 7, 2, seed=3),
            ],
        ),
        Part(
            "the seed decides the batches",
            probe="forecaster_seed",
            share=0.5,
            public=[seed_case("LSTM, 90 windows of 5", "lstm", 90, 5, seed=3)],
            hidden=[seed_case("RNN, 100 windows of 4", "rnn", 100, 4, seed=8)],
        ),
        Part(
            "30 % better than persistence",
            probe="forecast",
            share=2,
            public=[forecast_case("the last 400 values of the course's series, LSTM", "lstm", two_sines(), two_sines(), 4, seed=0)],
            hidden=[
                forecast_case("values after the series, LSTM", "lstm", two_sines(), two_sines(7000, seed=71), 31, seed=1),
                forecast_case("other noise, GRU", "gru", two_sines(seed=72), two_sines(7000, seed=73), 31, seed=2),
            ],
        ),
    ],
    misconceptions=n05_mistakes_training.FORECASTER,
)

# --- vocabulary --------------------------------------------------------------------------------------------------------------------

FILMS = ["A good film, a GOOD cast!", "The film isn't bad.", "Bad cast; the plot? Bad.", "2 zebras"]
REVIEWS = [
    "Yes, yes: it's the zenith of the year -- the best of the best.",
    "No plot, no wit. No 2nd act!",
    "an apple, a bee, a cat",
    "",
    "It's the worst; it's WIT-less",
]
KNOWN = {"<pad>": 0, "<unk>": 1, "the": 2, "film": 3, "a": 4, "good": 5, "isn't": 6, "bad": 7}

vocabulary = Exercise(
    "vocabulary",
    points=2,
    parts=[
        Part(
            "build_vocab",
            probe="vocabulary",
            public=[
                Case("four sentences", {"texts": FILMS, "options": {}}),
                Case("min_freq=2", {"texts": FILMS, "options": {"min_freq": 2}}),
                Case("max_size=5", {"texts": FILMS, "options": {"max_size": 5}}),
            ],
            hidden=[
                Case("other sentences", {"texts": REVIEWS, "options": {}}),
                Case("min_freq=3", {"texts": REVIEWS, "options": {"min_freq": 3}}),
                Case("max_size=7", {"texts": REVIEWS, "options": {"max_size": 7}}),
                Case("min_freq=2 and max_size=4", {"texts": REVIEWS, "options": {"min_freq": 2, "max_size": 4}}),
                Case("max_size=2", {"texts": REVIEWS, "options": {"max_size": 2}}),
                Case("max_size larger than needed", {"texts": FILMS, "options": {"max_size": 500}}),
                Case("no texts", {"texts": [], "options": {}}),
            ],
        ),
        Part(
            "encode",
            probe="encoded",
            public=[
                Case("max_len 6", {"texts": ["A good, GOOD film", "the zebra isn't bad"], "vocab": KNOWN, "max_len": 6}),
                Case(
                    "a long text, and one without words",
                    {"texts": ["the film the film a film", "?!"], "vocab": KNOWN, "max_len": 4},
                ),
            ],
            hidden=[
                Case("max_len 5", {"texts": REVIEWS, "vocab": KNOWN, "max_len": 5}),
                Case("max_len 1", {"texts": ["good film", "...", "zebra"], "vocab": KNOWN, "max_len": 1}),
                Case("just as long", {"texts": ["bad bad film", "it's the film"], "vocab": KNOWN, "max_len": 3}),
                Case("longer than all", {"texts": ["", "Isn't a film; a FILM?"], "vocab": KNOWN, "max_len": 9}),
            ],
        ),
    ],
    misconceptions=n05_mistakes_training.VOCABULARY,
)

# --- sentiment_lstm ----------------------------------------------------------------------------------------------------------------


def sentences(sizes, lengths, seed, pad_idx=0, columns=None):
    """Random word indices; sizes are vocabulary, embedding, hidden, output, layers."""
    columns = columns or max(lengths)
    words = torch.randint(1, sizes[0], (len(lengths), columns), generator=torch.Generator().manual_seed(seed))
    words[words == pad_idx] = (pad_idx + 1) % sizes[0]
    places = torch.arange(columns)
    rows = torch.where(places < ids(lengths).unsqueeze(1), words, pad_idx)
    return {"sizes": list(sizes), "ids": rows, "lengths": ids(lengths), "pad_idx": pad_idx, "seed": float(seed % 5)}


def batch_to_learn(lengths, seed, pad_idx=0):
    case = sentences((12, 0, 0, 1, 1), lengths, seed, pad_idx)
    labels = (torch.arange(len(lengths)) % 2).float()
    return {"words": 12, "ids": case["ids"], "lengths": case["lengths"], "labels": labels, "pad_idx": pad_idx}


sentiment_lstm = Exercise(
    "sentiment_lstm",
    points=2,
    parts=[
        Part(
            "logits from the last real word",
            probe="sentiment_logits",
            share=2,
            public=[
                Case("lengths 2, 5, 3", sentences((10, 4, 5, 1, 1), [2, 5, 3], seed=1)),
                Case("two layers, two outputs", sentences((8, 3, 4, 2, 2), [4, 1, 4, 2], seed=2)),
            ],
            hidden=[
                Case("one sentence", sentences((9, 5, 4, 1, 1), [4], seed=3)),
                Case("as many sentences as words, three layers", sentences((12, 4, 4, 3, 3), [1, 4, 2, 3], seed=4)),
                Case("padding beyond the longest", sentences((11, 3, 6, 1, 2), [3, 1, 2], seed=5, columns=6)),
                Case("pad_idx 3", sentences((9, 4, 5, 2, 1), [2, 4, 1], seed=6, pad_idx=3)),
            ],
        ),
        Part(
            "padding in training",
            probe="sentiment_training",
            public=[Case("four sentences", batch_to_learn([3, 1, 5, 2], seed=7))],
            hidden=[
                Case("six sentences", batch_to_learn([2, 6, 1, 4, 3, 5], seed=8)),
                Case("pad_idx 2", batch_to_learn([3, 1, 2, 4], seed=9, pad_idx=2)),
            ],
        ),
    ],
    misconceptions=n05_mistakes_training.SENTIMENT_LSTM,
)

# --- length_study ------------------------------------------------------------------------------------------------------------------

ALL = ["rnn", "lstm", "gru"]


def study_case(label, options, repeat=True):
    """`options` are the arguments of length_study; `repeat` calls it twice."""
    lengths, kinds = options.get("lengths", [50, 100, 200]), options.get("kinds", ["rnn", "lstm", "gru"])
    inputs = {"options": options, "lengths": lengths, "repeat": repeat}
    return Case(label, inputs, {"lengths": lengths, "kinds": kinds})


length_study = Exercise(
    "length_study",
    points=1,
    seconds=30,
    parts=[
        Part(
            "the study",
            probe="study",
            public=[study_case("lengths 5 and 8", {"lengths": [5, 8]})],
            hidden=[
                study_case("two kinds, another seed", {"lengths": [6, 9], "kinds": ["gru", "rnn"], "seed": 3}),
                study_case("called without arguments", {}, repeat=False),
            ],
        ),
    ],
    misconceptions=n05_mistakes_training.LENGTH_STUDY,
)

EXERCISES = [
    *(lstm_cell, gru_cell, parameter_count, lstm_classifier, gru_classifier, sliding_windows),
    *(forecaster, vocabulary, sentiment_lstm, length_study),
    Exercise("lstm_gru_analysis", points=2, kind="written"),
]
