"""Notebook 1, fundamentals: cases and misconceptions."""

import math

import torch
import torch.nn.functional as F

from autograder.specs import n01_mistakes_functions, n01_mistakes_layers, n01_mistakes_optimizers, n01_mistakes_training
from autograder.specs.spec import Case, Exercise, Part, quiz

DOUBLE = torch.float64


def numbers(*shape, seed, dtype=torch.float32, scale=1.0):
    """Normal random numbers, the same at every build."""
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)).to(dtype)


def classes(count, batch, seed):
    """Random class indices (batch,)."""
    return torch.randint(count, (batch,), generator=torch.Generator().manual_seed(seed))


def bits(*shape, seed):
    """Zeros and ones as floats."""
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.5).float()


# --- activations -------------------------------------------------------------------------------------------------------------------

NEAR = torch.tensor([-3.0, -1.5, -0.5, 0.25, 1.0, 2.5])
FAR = torch.tensor([-1000.0, 1000.0])
FARTHER = torch.tensor([[-1000.0, -500.0, -100.0], [100.0, 500.0, 1000.0]])
TORCHS = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "leaky_relu": F.leaky_relu,
    "elu": F.elu, "gelu": F.gelu, "softplus": F.softplus, "silu": F.silu,
}  # fmt: skip


def activation_parts(name, public_options=None, hidden_options=None):
    """Two parts for an activation: near zero, and far from it."""

    def near(label, x, options=None, **more):
        return Case(label, {"name": name, "x": x, **({"options": options} if options else {}), **more})

    def far(label, x):
        return Case(label, {"name": name, "x": x}, {"right": TORCHS[name](x)})

    public = [near("numbers near zero", NEAR)]
    hidden = [
        near("float64, three dimensions", numbers(2, 3, 4, seed=1, dtype=DOUBLE, scale=2.0)),
        near("not contiguous in memory", numbers(3, 4, seed=2, scale=2.0), contiguous=False),
        near("a single number without dimensions", torch.tensor(-0.75)),
        near("no numbers at all", torch.zeros(0, 3)),
    ]
    if public_options:
        public.append(near(f"with {public_options}", NEAR, public_options))
        hidden.append(near(f"with {hidden_options}", numbers(5, 2, seed=3), hidden_options))
    return [
        Part(f"{name}: values and gradients near zero", probe="activation", public=public, hidden=hidden, tolerance=1e-5),
        Part(
            f"{name}: right and finite far from zero",
            probe="activation_extremes",
            public=[far("-1000 and 1000", FAR)],
            hidden=[far("from -1000 to 1000", FARTHER), far("from -1000 to 1000, float64", FARTHER.double())],
            share=0.5,
        ),
    ]


activations = Exercise(
    "activations",
    points=2,
    parts=[
        part
        for name in TORCHS
        for part in activation_parts(
            name,
            *{"leaky_relu": ({"negative_slope": 0.2}, {"negative_slope": 0.05}), "elu": ({"alpha": 2.0}, {"alpha": 0.5})}.get(name, ()),
        )
    ],
    misconceptions=n01_mistakes_functions.ACTIVATIONS,
)  # fmt: skip

activation_questions = Exercise("activation_questions", points=2, kind="written")


# --- losses ------------------------------------------------------------------------------------------------------------------------


def of_loss(name, label, prediction, target, **more):
    return Case(label, {"name": name, "prediction": prediction, "target": target, **more})


def far_loss(name, label, prediction, target):
    torchs = {"bce_with_logits": F.binary_cross_entropy_with_logits, "cross_entropy": F.cross_entropy}[name]
    right, near = (
        float(torchs(logits.double(), target.double() if target.is_floating_point() else target))
        for logits in (prediction, prediction.clamp(-2, 2))
    )
    return Case(label, {"name": name, "prediction": prediction, "target": target}, {"right": right, "near": near})


def of_shapes(name, label, *pairs):
    inputs = {
        "name": name,
        "predictions": [torch.full(one, 0.5) for one, _ in pairs],
        "targets": [torch.ones(other) for _, other in pairs],
    }
    return Case(label, inputs, {"shapes": [[list(one), list(other)] for one, other in pairs]})


def mean_loss_part(name, binary=False):
    """Values and gradients of a loss that is a mean over all elements."""

    def target(*shape, seed, dtype=torch.float32):
        return bits(*shape, seed=seed).to(dtype) if binary else numbers(*shape, seed=seed, dtype=dtype)

    return Part(
        f"{name}: value and gradient",
        probe="loss_value",
        public=[
            of_loss(name, "four numbers", numbers(4, seed=10), target(4, seed=11)),
            of_loss(name, "shape (3, 2)", numbers(3, 2, seed=12), target(3, 2, seed=13)),
        ],
        hidden=[
            of_loss(name, "shape (2, 3, 5)", numbers(2, 3, 5, seed=14), target(2, 3, 5, seed=15)),
            of_loss(name, "float64, (6, 1)", numbers(6, 1, seed=16, dtype=DOUBLE), target(6, 1, seed=17, dtype=DOUBLE)),
            of_loss(name, "not contiguous", numbers(4, 5, seed=18, scale=3.0), target(4, 5, seed=19), contiguous=False),
        ],
    )


def shape_part(name):
    return Part(
        f"{name}: ValueError for shapes that differ",
        probe="loss_shapes",
        public=[of_shapes(name, "shapes that broadcast", ((4, 1), (4,)), ((4, 1), (4, 3)))],
        hidden=[of_shapes(name, "shapes that broadcast, and shapes that do not", ((3,), (3, 1)), ((2, 3), (3,)), ((2, 3), (3, 2)))],
        share=0.5,
    )


STACK = torch.tensor([[1e4, 0.0, -1e4], [-1e4, 1e4, 1e4 - 1], [0.0, -1e4, 1e4]])

losses = Exercise(
    "losses",
    points=3,
    parts=[
        mean_loss_part("mse_loss"),
        mean_loss_part("mae_loss"),
        mean_loss_part("bce_with_logits", binary=True),
        Part(
            "bce_with_logits: right and finite at ±10,000",
            probe="loss_extremes",
            public=[
                far_loss("bce_with_logits", "right and wrong guesses", torch.tensor([1e4, -1e4, -1e4]), torch.tensor([0.0, 0.0, 1.0])),
            ],
            hidden=[
                far_loss("bce_with_logits", "all wrong", torch.tensor([[1e4], [-1e4]]), torch.tensor([[0.0], [1.0]])),
                far_loss("bce_with_logits", "all right", torch.tensor([1e4, -1e4, 500.0]), torch.tensor([1.0, 0.0, 1.0])),
                far_loss("bce_with_logits", "one wrong, moderately", torch.tensor([-200.0, 3.0]), torch.tensor([1.0, 1.0])),
            ],
        ),
        Part(
            "cross_entropy: value and gradient",
            probe="loss_value",
            public=[
                of_loss("cross_entropy", "three samples, three classes", numbers(3, 3, seed=20, scale=2.0), torch.tensor([2, 0, 0])),
                of_loss("cross_entropy", "two samples, four classes", numbers(2, 4, seed=21, scale=2.0), torch.tensor([1, 3])),
            ],
            hidden=[
                of_loss("cross_entropy", "five samples, five classes", numbers(5, 5, seed=22, scale=2.0), torch.tensor([4, 1, 1, 0, 2])),
                of_loss("cross_entropy", "one sample", numbers(1, 3, seed=23), torch.tensor([1])),
                of_loss("cross_entropy", "float64", numbers(6, 3, seed=24, dtype=DOUBLE, scale=3.0), classes(3, 6, seed=25)),
                of_loss("cross_entropy", "not contiguous", numbers(4, 7, seed=26), classes(7, 4, seed=27), contiguous=False),
            ],
        ),
        Part(
            "cross_entropy: right and finite at ±10,000",
            probe="loss_extremes",
            public=[far_loss("cross_entropy", "guesses that are right and wrong", STACK, torch.tensor([1, 0, 2]))],
            hidden=[
                far_loss("cross_entropy", "all wrong", STACK, torch.tensor([2, 0, 1])),
                far_loss("cross_entropy", "one wrong, moderately", torch.tensor([[0.0, 250.0], [1.0, 2.0]]), torch.tensor([0, 1])),
            ],
        ),
        *(shape_part(name) for name in ("mse_loss", "mae_loss", "bce_with_logits")),
    ],
    misconceptions=n01_mistakes_functions.LOSSES,
)  # fmt: skip


# --- loss_quiz ---------------------------------------------------------------------------------------------------------------------

loss_quiz = quiz(
    "loss_quiz",
    points=1,
    variable="loss_choice",
    questions={
        "binary": (
            "BCEWithLogitsLoss",
            "There is one raw score, and the target is yes or no. Which loss applies the sigmoid by itself?",
            "One logit for a yes or no: binary cross entropy, with the sigmoid inside the loss, where it cannot overflow.",
        ),
        "multiclass": (
            "CrossEntropyLoss",
            "Exactly one of ten is right, and the model gives raw scores, not log-probabilities.",
            "One of several classes: cross entropy, which applies log-softmax to the raw scores itself.",
        ),
        "multilabel": (
            "BCEWithLogitsLoss",
            "Several topics may be right at once, so their probabilities need not sum to 1.",
            "Each topic is a yes or no of its own: binary cross entropy on every output.",
        ),
        "regression": (
            "MSELoss",
            "The target is a number, and there are no outliers that would have to be treated gently.",
            "A number without outliers: the mean squared error, whose best guess is the mean.",
        ),
    },
)


# --- sgd_momentum ------------------------------------------------------------------------------------------------------------------


def momentum_case(label, shapes, rates, seed, start=False, **more):
    params = [numbers(*shape, seed=seed + i) for i, shape in enumerate(shapes)]
    grads = [[numbers(*shape, seed=seed + 100 * step + i + 10) for i, shape in enumerate(shapes)] for step in range(len(rates))]
    velocities = [numbers(*shape, seed=seed + i + 50) if start else torch.zeros(shape) for i, shape in enumerate(shapes)]
    return Case(label, {"params": params, "grads": grads, "velocities": velocities, "rates": rates, **more})


sgd_momentum = Exercise(
    "sgd_momentum",
    points=1,
    parts=[
        Part(
            "parameters and velocities over several steps",
            probe="momentum_steps",
            public=[momentum_case("three steps, the rate changes", [(3,), (2, 2)], [0.1, 0.1, 0.05], seed=200)],
            hidden=[
                momentum_case("velocities that are not zero at first", [(4,), (1, 3)], [0.3, 0.02, 0.2, 0.1], seed=300, start=True),
                momentum_case("momentum 0.5", [(2, 3)], [0.1, 0.2], seed=400, options={"momentum": 0.5}),
                momentum_case("a tensor of one number, and one of none", [(1,), (0, 2)], [0.1, 0.1], seed=500),
            ],
        ),
        Part(
            "parameters that require grad",
            probe="momentum_steps",
            public=[momentum_case("two steps", [(3,), (2, 2)], [0.1, 0.2], seed=600, leaves=True)],
            hidden=[momentum_case("three steps", [(2, 3, 2)], [0.2, 0.1, 0.3], seed=700, leaves=True)],
        ),
    ],
    misconceptions=n01_mistakes_optimizers.SGD_MOMENTUM,
)  # fmt: skip


# --- adam --------------------------------------------------------------------------------------------------------------------------

OPTIONS = {"lr": 0.5, "betas": [0.8, 0.95], "eps": 20.0}


def valley(label, start, steps=50, scale=1.0, **options):
    scaled = {} if scale == 1 else {"scale": scale}
    return Case(label, {"start": torch.tensor(start, dtype=DOUBLE), "steps": steps, "options": options, **scaled})


def network(label, sizes, seed, steps=50, dtype=DOUBLE, **options):
    x, y = numbers(6, sizes[0], seed=seed, dtype=dtype), numbers(6, sizes[2], seed=seed + 1, dtype=dtype)
    return Case(label, {"sizes": list(sizes), "x": x, "y": y, "steps": steps, "options": options})


def gaps(label, shapes, present, seed, **options):
    """`present[step]` says which parameters have a gradient in that step, and which one of zeros (None)."""
    params = [numbers(*shape, seed=seed + i) for i, shape in enumerate(shapes)]
    grads = [
        [
            numbers(*shape, seed=seed + 10 * step + i + 5).abs() if there else torch.zeros(shape) if there is None else None
            for i, (shape, there) in enumerate(zip(shapes, row, strict=True))
        ]
        for step, row in enumerate(present)
    ]
    return Case(label, {"params": params, "grads": grads, "options": options})


adam = Exercise(
    "adam",
    points=2,
    parts=[
        Part(
            "equals torch.optim.Adam on Rosenbrock's function",
            probe="adam_valley",
            public=[
                valley("50 steps from (-1.5, 2)", [-1.5, 2.0], lr=0.1),
                valley("betas (0.8, 0.95), eps 20", [0.5, 1.5], steps=20, **OPTIONS),
            ],
            hidden=[
                valley("50 steps from (1.4, -0.7)", [1.4, -0.7], lr=0.3, betas=[0.7, 0.98], eps=5.0),
                valley("defaults", [-0.3, 0.4]),
                valley("defaults, tiny gradients", [-0.3, 0.4], steps=20, scale=1e-9),
            ],
            tolerance=1e-4,
        ),
        Part(
            "equals torch.optim.Adam on a small network; the parameters may come from a generator",
            probe="adam_network",
            public=[network("50 steps", (2, 3, 1), seed=30, lr=0.02)],
            hidden=[
                network("another network", (3, 4, 2), seed=32, lr=0.05, betas=[0.6, 0.9], eps=0.001),
                network("30 steps", (2, 2, 2), seed=34, steps=30, lr=0.01),
            ],
            tolerance=1e-4,
        ),
        Part(
            "skips a parameter without a gradient, and does not count that step for it",
            probe="adam_gaps",
            public=[gaps("five steps, each gradient missing in two", [(2,), (3,)], [[1, 1], [1, 0], [0, 1], [1, 0], [0, 1]], 40, lr=0.1)],
            hidden=[
                gaps("each has gaps", [(2, 2), (1,), (3,)], [[0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 0], [1, 1, 1]], 60, betas=[0.5, 0.9]),
                gaps("one never has a gradient", [(2,), (2,)], [[1, 0], [1, 0], [1, 0]], 80, lr=0.2),
                gaps("zeros are a gradient, too", [(2,), (2,)], [[1, 1], [None, 1], [1, 0], [1, None]], 100, lr=0.1),
            ],
            share=0.5,
        ),
        Part(
            "zero_grad drops all gradients",
            probe="adam_zero_grad",
            public=[Case("two parameters", {"params": [numbers(2, seed=1), numbers(3, seed=2)], "grads": [numbers(2, seed=3), None]})],
            hidden=[
                Case(
                    "three parameters",
                    {
                        "params": [numbers(2, 2, seed=4), numbers(1, seed=5), numbers(2, seed=6)],
                        "grads": [numbers(2, 2, seed=7), numbers(1, seed=8), None],
                    },
                )
            ],
            share=0.5,
        ),
    ],
    misconceptions=n01_mistakes_optimizers.ADAM,
)  # fmt: skip


# --- initialization ----------------------------------------------------------------------------------------------------------------


def weights(name, label, shape, **more):
    field = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * field, shape[0] * field
    std = math.sqrt(2 / (fan_in + fan_out)) if name == "xavier_uniform_" else math.sqrt(2 / fan_in)
    return Case(label, {"name": name, "shape": list(shape), **more}, {"std": std})


def init_part(name):
    return Part(
        name,
        probe="initialized",
        public=[
            weights(name, "Linear (200, 80)", (200, 80), leaf=True),
            weights(name, "convolution (32, 20, 5, 5)", (32, 20, 5, 5)),
        ],
        hidden=[
            weights(name, "Linear (60, 300)", (60, 300)),
            weights(name, "Linear (300, 60), float64", (300, 60), leaf=True, double=True),
            weights(name, "convolution (20, 64, 3, 4)", (20, 64, 3, 4), leaf=True),
        ],
        tolerance=0.01,
    )


initialization = Exercise(
    "initialization",
    points=1,
    parts=[init_part("xavier_uniform_"), init_part("kaiming_normal_")],
    misconceptions=n01_mistakes_optimizers.INITIALIZATION,
)  # fmt: skip


# --- regularization ----------------------------------------------------------------------------------------------------------------


def penalty_part(name):
    def case(model, lam):
        return Case(f"{model}, λ = {lam}", {"name": name, "model": model, "lam": lam})

    return Part(
        name,
        probe="penalty",
        public=[case("linear", 0.5), case("two layers", 0.1)],
        hidden=[case("two layers", 0.02), case("convolution and batch norm", 0.3)],
    )


regularization = Exercise(
    "regularization",
    points=1,
    parts=[penalty_part("l1_penalty"), penalty_part("l2_penalty")],
    misconceptions=n01_mistakes_layers.REGULARIZATION,
)  # fmt: skip


# --- dropout -----------------------------------------------------------------------------------------------------------------------


def masks(label, p, shape, **more):
    return Case(label, {"p": p, "shape": list(shape), **more}, {"p": 0.5 if p is None else p})


dropout = Exercise(
    "dropout",
    points=1,
    parts=[
        Part(
            "training: a random mask, and what is kept is divided by 1 - p",
            probe="dropout_training",
            public=[masks("p = 0.3, shape (60, 100)", 0.3, (60, 100))],
            hidden=[
                masks("default p", None, (70, 90)),
                masks("p = 0.2, shape (40, 10, 20)", 0.2, (40, 10, 20)),
                masks("p = 0.75, shape (80, 80), float64", 0.75, (80, 80), double=True),
            ],
            share=2,
        ),
        Part(
            "evaluation: x comes out as it went in",
            probe="dropout_evaluation",
            public=[Case("p = 0.5", {"p": 0.5, "x": numbers(3, 4, seed=90)})],
            hidden=[
                Case("p = 0.8, three dimensions", {"p": 0.8, "x": numbers(2, 3, 4, seed=91)}),
                Case("p = 1, float64", {"p": 1.0, "x": numbers(5, seed=92, dtype=DOUBLE)}),
            ],
        ),
        Part(
            "p = 0 drops nothing, p = 1 everything",
            probe="dropout_edges",
            public=[Case(f"p = {p}", {"p": p, "x": numbers(3, 4, seed=93)}) for p in (0.0, 1.0)],
            hidden=[Case(f"p = {p}, other numbers", {"p": p, "x": numbers(2, 5, seed=94, dtype=DOUBLE)}) for p in (0, 1)],
        ),
        Part(
            "p outside [0, 1] raises ValueError",
            probe="dropout_range",
            public=[Case("-0.1 and 1.5", {"allowed": [0.0, 0.5, 1.0], "forbidden": [-0.1, 1.5]})],
            hidden=[Case("-1 and 1.01", {"allowed": [0, 0.9, 1], "forbidden": [-1, 1.01]})],
        ),
    ],
    misconceptions=n01_mistakes_layers.DROPOUT,
)  # fmt: skip


# --- batch_norm --------------------------------------------------------------------------------------------------------------------


def batch(rows, features, seed, dtype=torch.float32, spread=2.0):
    """Numbers whose columns differ in mean and size."""
    scale = torch.linspace(0.5, spread, features, dtype=dtype)
    return numbers(rows, features, seed=seed, dtype=dtype) * scale + 2 * torch.arange(features, dtype=dtype) - 1


batch_norm = Exercise(
    "batch_norm",
    points=2,
    parts=[
        Part(
            "two parameters, two buffers, and their first values",
            probe="norm_state",
            public=[Case("three features", {"features": 3})],
            hidden=[Case("five features", {"features": 5})],
            share=0.5,
        ),
        Part(
            "training: normalises by the batch",
            probe="norm_training",
            public=[
                Case("four samples, four features", {"x": batch(4, 4, seed=110)}),
                Case("eps = 0.5", {"x": batch(6, 3, seed=111), "options": {"eps": 0.5}}),
            ],
            hidden=[
                Case("two samples", {"x": batch(2, 3, seed=112), "options": {"eps": 0.2}}),
                Case("float64", {"x": batch(7, 2, seed=113, dtype=DOUBLE), "double": True}),
                Case("not contiguous", {"x": batch(5, 6, seed=114), "contiguous": False}),
                Case("three samples, three features", {"x": batch(3, 3, seed=115), "options": {"eps": 0.1}}),
            ],
        ),
        Part(
            "training: the running values",
            probe="norm_running",
            public=[Case("three batches", {"batches": [batch(4, 3, seed=s) for s in (120, 121, 122)]})],
            hidden=[
                Case("momentum 0.3", {"batches": [batch(3, 2, 123), batch(5, 2, 124), batch(2, 2, 125)], "options": {"momentum": 0.3}}),
                Case("one feature", {"batches": [batch(4, 1, seed=s) for s in (126, 127)]}),
            ],
        ),
        Part(
            "evaluation: normalises by the running values, and leaves them alone",
            probe="norm_evaluation",
            public=[Case("three samples", {"x": batch(3, 3, 130), "mean": numbers(3, seed=131), "var": torch.tensor([0.5, 2.0, 1.0])})],
            hidden=[
                Case("one sample", {"x": batch(1, 4, seed=133), "mean": numbers(4, seed=134), "var": numbers(4, seed=135).abs() + 0.1}),
                Case("eps = 0.5", {"x": batch(5, 2, 136), "mean": torch.ones(2), "var": torch.tensor([0.0, 2.0]), "options": {"eps": 0.5}}),
            ],
        ),
    ],
    misconceptions=n01_mistakes_layers.BATCH_NORM,
)  # fmt: skip


# --- layer_norm --------------------------------------------------------------------------------------------------------------------


def rows(label, *shape, seed, dtype=torch.float32, **more):
    x = 2 * numbers(*shape, seed=seed, dtype=dtype) + torch.arange(shape[0], dtype=dtype).reshape(-1, *[1] * (len(shape) - 1))
    return Case(
        label,
        {
            "x": x,
            "weight": 1 + 0.5 * numbers(shape[-1], seed=seed + 1, dtype=dtype),
            "bias": numbers(shape[-1], seed=seed + 2, dtype=dtype),
            **more,
        },
    )


layer_norm = Exercise(
    "layer_norm",
    points=1,
    parts=[
        Part(
            "two dimensions",
            probe="layer_normed",
            public=[
                rows("three rows of three", 3, 3, seed=140, options={"eps": 0.5}),
                rows("two rows of four", 2, 4, seed=143),
            ],
            hidden=[
                rows("four rows of four, float64", 4, 4, seed=146, dtype=DOUBLE, options={"eps": 0.1}),
                rows("not contiguous", 5, 3, seed=149, contiguous=False),
                rows("one row", 1, 6, seed=152),
            ],
        ),
        Part(
            "any leading dimensions, and rows without variance",
            probe="layer_normed",
            public=[rows("shape (2, 3, 4)", 2, 3, 4, seed=155)],
            hidden=[
                rows("shape (3, 3, 3)", 3, 3, 3, seed=158, options={"eps": 0.2}),
                rows("shape (2, 2, 3, 5)", 2, 2, 3, 5, seed=161),
                rows("shape (6,)", 6, seed=164),
            ],
        ),
        Part(
            "rows without variance give the bias",
            probe="layer_normed_rows",
            public=[
                Case("equal numbers", {"x": torch.full((2, 3), 2.0), "weight": torch.arange(3.0), "bias": torch.tensor([0.5, -1.0, 0.0])}),
            ],
            hidden=[
                Case("one feature", {"x": torch.tensor([[3.0], [-1.0]]), "weight": torch.tensor([2.0]), "bias": torch.tensor([0.25])}),
                Case("rows of zeros", {"x": torch.zeros(2, 2, 4), "weight": torch.ones(4), "bias": torch.arange(4.0)}),
            ],
            share=0.5,
        ),
    ],
    misconceptions=n01_mistakes_layers.LAYER_NORM,
)  # fmt: skip


# --- lr_schedule -------------------------------------------------------------------------------------------------------------------


def schedule(label, epochs, **options):
    return Case(label, {"epochs": epochs, "options": options})


lr_schedule = Exercise(
    "lr_schedule",
    points=1,
    parts=[
        Part(
            "the cosine, without warm-up",
            probe="rates",
            public=[schedule("ten epochs, 1.0 to 0.2", [0, 1, 3, 5, 8, 10], max_epochs=10, lr_max=1.0, lr_min=0.2)],
            hidden=[
                schedule("seven epochs, from 2.0", [0, 1, 2, 4, 6, 7], max_epochs=7, lr_max=2.0),
                schedule("one epoch", [0, 1], max_epochs=1, lr_max=3.0, lr_min=1.0),
            ],
            tolerance=1e-6,
        ),
        Part(
            "with warm-up",
            probe="rates",
            public=[
                schedule("4 of 12 epochs for warm-up", [0, 1, 3, 4, 6, 8, 11, 12], max_epochs=12, lr_max=2.0, lr_min=0.5, warmup_epochs=4),
            ],
            hidden=[
                schedule("nine epochs, two of warm-up", [0, 1, 2, 3, 5, 8, 9], max_epochs=9, lr_max=4.0, lr_min=1.0, warmup_epochs=2),
                schedule("six epochs, five of warm-up", [0, 2, 4, 5, 6], max_epochs=6, lr_max=1.5, warmup_epochs=5),
                schedule("one epoch of warm-up", [0, 1, 2, 5], max_epochs=5, lr_max=1.0, warmup_epochs=1),
            ],
            tolerance=1e-6,
        ),
        Part(
            "after the last epoch",
            probe="rates",
            public=[schedule("ten epochs", [11, 15, 20], max_epochs=10, lr_max=1.0, lr_min=0.2)],
            hidden=[
                schedule("with warm-up", [9, 13, 100], max_epochs=8, lr_max=4.0, lr_min=1.0, warmup_epochs=3),
                schedule("lr_min is 0", [6, 7, 12], max_epochs=5, lr_max=4.0),
            ],
            share=0.5,
            tolerance=1e-6,
        ),
    ],
    misconceptions=n01_mistakes_training.LR_SCHEDULE,
)  # fmt: skip


# --- data_split --------------------------------------------------------------------------------------------------------------------


def split_case(label, n, seed=None, **options):
    inputs = {"n": n, **({"options": options} if options else {}), **({} if seed is None else {"seed": seed})}
    return Case(label, inputs, {"n": n})


def fraction_case(label, n, allowed, forbidden):
    return Case(label, {"n": n, "allowed": allowed, "forbidden": forbidden})


def table(label, train, *others):
    return Case(label, {"train": train, "others": list(others)}, {"train": train, "others": list(others)})


def around(rows, *means, seed, dtype=torch.float32):
    """Rows of normal numbers around the means of the columns."""
    return numbers(rows, len(means), seed=seed, dtype=dtype) * torch.linspace(0.5, 3, len(means), dtype=dtype) + torch.tensor(
        means, dtype=dtype
    )


TENTHS = torch.full((30,), 0.1)

data_split = Exercise(
    "data_split",
    points=1,
    parts=[
        Part(
            "split_indices: three shuffled parts that cover everything",
            probe="split",
            public=[split_case("100 samples", 100), split_case("17 samples", 17, seed=3)],
            hidden=[
                split_case("61 samples, fractions 0.5, 0.25, 0.25", 61, seed=5, fractions=[0.5, 0.25, 0.25]),
                split_case("29 samples, fractions 0.8, 0.1, 0.1", 29, fractions=[0.8, 0.1, 0.1]),
                split_case("200 samples, another seed", 200, seed=0),
                split_case("9 samples", 9, seed=1, fractions=[0.6, 0.2, 0.2]),
            ],
        ),
        Part(
            "split_indices: fractions that do not sum to 1",
            probe="split_fractions",
            public=[fraction_case("sums of 1, 0.9 and 1.2", 20, [[0.7, 0.2, 0.1]], [[0.5, 0.3, 0.1], [0.6, 0.3, 0.3]])],
            hidden=[
                fraction_case("sums near 1", 40, [[1 / 3, 1 / 3, 1 / 3], [0.6, 0.2, 0.2 + 5e-7]], [[0.6, 0.2, 0.2001], [0.6, 0.3, 0.3]]),
                fraction_case("sums below 1", 40, [[0.1, 0.2, 0.7]], [[0.6, 0.2, 0.19], [0.2, 0.2, 0.2]]),
            ],
            share=0.5,
        ),
        Part(
            "standardize: by the statistics of train",
            probe="standardized",
            public=[
                table("three parts", around(8, 1.0, -2.0, seed=170), around(4, 3.0, 0.0, seed=171), around(3, 0.0, 5.0, seed=172)),
                table("train alone", around(5, 0.0, 4.0, seed=173)),
            ],
            hidden=[
                table("two parts, float64", around(10, 5.0, 1.0, seed=175, dtype=DOUBLE), around(5, 4.0, 3.0, seed=176, dtype=DOUBLE)),
                table("train alone", around(6, 2.0, -1.0, seed=177)),
                table("one dimension", numbers(9, seed=178) + 4, numbers(5, seed=179) - 1),
                table("four parts", *(around(5 + i, 2.0 * i, 1.0 - i, 0.5, seed=180 + i) for i in range(4))),
            ],
        ),
        Part(
            "standardize: a column that is constant in train is only centred",
            probe="standardized",
            public=[
                table("a column of twos", torch.tensor([[2.0, 1.0], [2.0, 3.0], [2.0, 8.0]]), torch.tensor([[2.5, 0.0], [2.0, 4.0]])),
                table("30 copies of 0.1", TENTHS.unsqueeze(1), torch.tensor([[0.3], [0.1]])),
                table("tiny numbers that are not constant", 1e-9 * around(6, 1.0, 3.0, seed=193), 1e-9 * around(3, 0.0, 2.0, seed=194)),
            ],
            hidden=[
                table("30 copies of 0.1 in one dimension", TENTHS, torch.tensor([0.1, 0.6, -0.4])),
                table("30 copies of 0.1, shape (30, 1)", TENTHS.unsqueeze(1), torch.tensor([[0.2], [0.1], [1.0]])),
                table("a column of zeros", torch.tensor([[0.0, 1.0], [0.0, 5.0], [0.0, 3.0]]), torch.tensor([[1.5, 2.0], [-1.0, 0.0]])),
                table("tiny numbers, float64", 1e-11 * around(5, 2.0, seed=195, dtype=DOUBLE), 1e-11 * around(4, 1.0, seed=196, dtype=DOUBLE)),
                table("0.7 in float64", torch.full((30, 1), 0.7, dtype=DOUBLE), around(4, 1.0, seed=191, dtype=DOUBLE)),
            ],
        ),
    ],
    misconceptions=n01_mistakes_training.DATA_SPLIT,
)  # fmt: skip


# --- training_loop -----------------------------------------------------------------------------------------------------------------


def loop_inputs(n, shape, count, batch_size, seed, fields, dtype=torch.float32, **more):
    x = numbers(n, *shape, seed=seed, dtype=dtype, scale=1.5)
    return {
        "x": x,
        "y": classes(count, n, seed=seed + 1),
        "batch_size": batch_size,
        "classes": count,
        "fields": fields,
        **more,
    }


NUMBERS, UPDATES, MODE = (
    ["loss", "accuracy"],
    ["weights afterwards", "number of forward passes"],
    ["mode in the forward passes", "the loss still holds a graph"],
)
RESULTS, QUIET = (
    ["predictions", "targets"],
    [
        "mode in the forward passes",
        "a graph is built in the forward passes",
        "weights and buffers are left as they were",
    ],
)


def loop_part(name, probe, fields, share=1.0, **more):
    """Four classes in batches of four, so that a wrong dimension gives a number, then other sizes."""
    return Part(
        name,
        probe=probe,
        public=[
            Case("8 samples of 4 classes, batches of 4", loop_inputs(8, (3,), 4, 4, 210, fields, **more)),
            Case(
                "10 samples of 3 classes, batches of 4, smoothed labels",
                loop_inputs(10, (1, 2, 2), 3, 4, 212, fields, smoothing=0.1, **more),
            ),
        ],
        hidden=[
            Case("9 samples of 3 classes, batches of 3", loop_inputs(9, (4,), 3, 3, 214, fields, **more)),
            Case("7 samples of 5 classes, batches of 3", loop_inputs(7, (2, 3), 5, 3, 216, fields, **more)),
            Case(
                "11 samples of 2 classes, batches of 8, with batch norm",
                loop_inputs(11, (5,), 2, 8, 218, fields, batch_norm=True, **more),
            ),
            Case(
                "6 samples in one batch, another criterion",
                loop_inputs(6, (3,), 3, 10, 220, fields, smoothing=0.2, **more),
            ),
        ],
        share=share,
    )


training_loop = Exercise(
    "training_loop",
    points=3,
    parts=[
        loop_part("train_epoch: loss and accuracy (measured with a learning rate of 0)", "trained", NUMBERS, lr=0.0),
        loop_part("train_epoch: one step for each batch, from its own gradient", "trained", UPDATES, lr=0.3, epochs=2),
        loop_part("train_epoch: mode, and a loss without a graph", "trained", MODE, lr=0.1, share=0.5),
        loop_part("evaluate: loss and accuracy", "evaluated", NUMBERS),
        loop_part("evaluate: predictions and targets", "evaluated", RESULTS, share=0.5),
        loop_part("evaluate: mode, no graph, nothing changed", "evaluated", QUIET),
    ],
    misconceptions=n01_mistakes_training.TRAINING_LOOP,
)  # fmt: skip


# --- early_stopping ----------------------------------------------------------------------------------------------------------------

NAN = float("nan")
SAYS = ["returned", "counter", "best_loss", "best_loss and counter at first"]
WEIGHTS = ["number of calls", "weights are written", "weights at the end are those of call"]


def epochs(label, losses, fields=SAYS, **options):
    return Case(label, {"losses": losses, "options": options, "fields": fields})


early_stopping = Exercise(
    "early_stopping",
    points=1,
    parts=[
        Part(
            "when to stop",
            probe="stopping",
            public=[
                epochs("patience 2", [1.0, 0.8, 0.9, 0.7, 0.75, 0.7, 0.6], patience=2),
                epochs("patience 3, falling all the time", [5.0, 4.0, 3.0, 2.0, 1.0], patience=3),
            ],
            hidden=[
                epochs("patience 3", [2.0, 2.5, 2.25, 1.5, 1.75, 1.5, 1.5, 0.5], patience=3),
                epochs("patience 1", [0.5, 0.25, 0.25], patience=1),
                epochs("default patience", [1.0, *[1.5] * 9]),
            ],
        ),
        Part(
            "min_delta",
            probe="stopping",
            public=[
                epochs("min_delta 0.25", [2.0, 2.125, 1.875, 1.75, 1.625, 1.625, 1.5, 1.25], patience=3, min_delta=0.25),
                epochs("no min_delta", [1.0, 1 - 2**-14, 1.0, 1 - 2**-13, 1 - 2**-8, 1.0, 1.0], patience=2),
            ],
            hidden=[
                epochs("no min_delta", [0.5, 0.5 - 2**-15, 0.5 - 2**-14, 0.5 - 2**-13, 0.5, 0.5], patience=2),
                epochs("min_delta 0.5", [4.0, 3.5, 4.25, 3.25, 3.0, 2.75, 1.0], patience=4, min_delta=0.5),
                epochs("min_delta 0.125", [1.0, 0.875, 0.75, 0.8125, 0.625, 0.25], patience=2, min_delta=0.125),
            ],
        ),
        Part(
            "NaN is no improvement",
            probe="stopping",
            public=[
                epochs("NaN after a while", [1.0, NAN, 0.5, NAN, NAN, 0.25], patience=2),
                epochs("NaN in the first call", [NAN, 2.0, NAN, 1.0, NAN, NAN], patience=2),
                epochs("nothing but NaN", [NAN, NAN, NAN, NAN], [*SAYS, *WEIGHTS[::2]], patience=3),
            ],
            hidden=[
                epochs("NaN at first", [NAN, NAN, 1.0, NAN, 2.0, NAN, 0.5], patience=3),
                epochs("nothing but NaN", [NAN, NAN, NAN], [*SAYS, *WEIGHTS[::2]], patience=2),
            ],
        ),
        Part(
            "the best weights come back",
            probe="stopping",
            public=[
                epochs("patience 2, best in call 3", [3.0, 2.0, 1.0, 1.5, 1.25, 1.75, 0.5], WEIGHTS, patience=2),
                epochs("not stopped: the weights stay", [3.0, 3.5, 2.0, 2.5], WEIGHTS, patience=3),
                epochs("restore_best_weights=False", [3.0, 2.0, 2.5, 3.0, 1.0], WEIGHTS, patience=2, restore_best_weights=False),
            ],
            hidden=[
                epochs("patience 3, best in call 2", [1.0, 0.5, 0.75, 0.5, 0.625, 0.75, 0.125], WEIGHTS, patience=3),
                epochs("not stopped: the weights stay", [3.0, 2.0, 2.5], WEIGHTS, patience=2),
                epochs("restore_best_weights=False", [2.0, 1.0, 1.5, 1.75, 0.5], WEIGHTS, patience=2, restore_best_weights=False),
            ],
        ),
    ],
    misconceptions=n01_mistakes_training.EARLY_STOPPING,
)  # fmt: skip


EXERCISES = [
    activations, activation_questions, losses, loss_quiz, sgd_momentum, adam, initialization, regularization, dropout, batch_norm,
    layer_norm, lr_schedule, data_split, training_loop, early_stopping,
]  # fmt: skip
