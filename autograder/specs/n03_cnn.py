"""Notebook 3, convolutional networks: cases of its exercises. The known mistakes are in `n03_mistakes` and `n03_mistakes_models`."""

import torch

from autograder.specs import n03_mistakes, n03_mistakes_models
from autograder.specs.spec import Case, Exercise, Part
from dlcourse.checks.probes.n03_cnn import training_digits


def numbers(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- conv_output_size --------------------------------------------------------------------------------------------------------------


def called(label, *calls):
    """Each call: a tuple of positional arguments, perhaps with a dict of named ones at its end."""
    split = [(list(call[:-1]), call[-1]) if isinstance(call[-1], dict) else (list(call), {}) for call in calls]
    return Case(label, {"calls": [list(call) for call in split]})


conv_output_size = Exercise(
    "conv_output_size",
    points=1,
    parts=[
        Part(
            "sizes",
            probe="output_sizes",
            public=[
                called("a kernel alone: (28, 3), (28, 5), (5, 5)", (28, 3), (28, 5), (5, 5)),
                called("stride 2 and 3", (7, 3, 2), (8, 3, 2), (10, 2, 3), (9, 2, {"stride": 3})),
                called("padding 1 and 2", (28, 3, 1, 1), (28, 5, {"padding": 2}), (7, 3, 2, 1)),
                called("dilation 2", (28, 3, 1, 0, 2), (5, 3, {"dilation": 2}), (9, 2, 2, 1, 2)),
            ],
            hidden=[
                called("other kernels", (32, 3), (17, 4), (1, 1), (6, 6), (100, 11)),
                called("other strides", (224, 11, {"stride": 4}), (13, 3, 2), (14, 3, 2), (11, 1, 4), (6, 2, 5)),
                called("other padding", (224, 11, 4, 2), (3, 5, {"padding": 1}), (8, 3, 1, 2), (1, 3, 1, 1)),
                called("dilation 2 to 4", (9, 3, {"dilation": 4}), (20, 4, 2, 3, 3), (16, 3, 3, 1, 2), (12, 1, 1, 0, 4), (7, 2, 1, 0, 3)),
            ],
            share=2,
        ),
        Part(
            "a kernel that does not fit",
            probe="output_sizes",
            public=[
                called("too large: (4, 5)", (4, 5)),
                called("too large when dilated: size 4, kernel 3, dilation 2", (4, 3, {"dilation": 2})),
                called("fits thanks to padding: size 4, kernel 5, padding 1", (4, 5, {"padding": 1})),
            ],
            hidden=[
                called("other sizes, too large", (2, 3), (1, 7, {"padding": 2}), (3, 6, 2, 1)),
                called("other sizes, dilated", (8, 3, {"dilation": 4}), (5, 4, 1, 0, 2), (6, 3, 1, 1, 4)),
                called("other sizes that just fit", (1, 7, {"padding": 3}), (9, 3, 2, 0, 4), (3, 5, 1, 1)),
            ],
        ),
    ],
    misconceptions=n03_mistakes.CONV_OUTPUT_SIZE,
)

# --- conv2d ------------------------------------------------------------------------------------------------------------------------


def convolved(label, x, weight, seed, bias=False, contiguous=True, **options):
    """A case of conv2d: shapes of x and weight, and what else it is called with."""
    inputs = {"x": numbers(*x, seed=seed), "weight": numbers(*weight, seed=seed + 1), "options": options, "contiguous": contiguous}
    return Case(label, inputs | ({"bias": 3 * numbers(weight[0], seed=seed + 2)} if bias else {}))


def mismatched(label, x, weight, seed):
    return Case(label, {"x": numbers(*x, seed=seed), "weight": numbers(*weight, seed=seed)}, {"shapes": [list(x), list(weight)]})


conv2d = Exercise(
    "conv2d",
    points=3,
    parts=[
        Part(
            "channels, kernels, bias",
            probe="convolve",
            public=[
                convolved("one channel, one 3x3 kernel", (1, 1, 5, 5), (1, 1, 3, 3), seed=10),
                convolved("3 channels, four 2x3 kernels, bias", (2, 3, 5, 6), (4, 3, 2, 3), seed=13, bias=True),
            ],
            hidden=[
                convolved("2 channels, 3x1 kernels", (2, 2, 6, 4), (3, 2, 3, 1), seed=16),
                convolved("4 channels, bias", (1, 4, 5, 7), (2, 4, 3, 2), seed=19, bias=True),
                convolved("a kernel as large as the image", (3, 2, 4, 3), (2, 2, 4, 3), seed=22, bias=True),
                convolved("not contiguous", (2, 3, 6, 5), (2, 3, 2, 2), seed=25, contiguous=False),
            ],
        ),
        Part(
            "stride and padding",
            probe="convolve",
            public=[
                convolved("stride 2", (2, 2, 7, 8), (3, 2, 3, 3), seed=30, stride=2),
                convolved("padding 1", (1, 2, 5, 4), (2, 2, 3, 3), seed=33, bias=True, padding=1),
                convolved("stride 2, padding 2", (1, 2, 6, 5), (2, 2, 3, 2), seed=36, stride=2, padding=2),
            ],
            hidden=[
                convolved("stride 3", (1, 3, 8, 9), (2, 3, 2, 3), seed=39, bias=True, stride=3),
                convolved("padding 2", (2, 1, 4, 5), (3, 1, 3, 5), seed=42, padding=2),
                convolved(
                    "stride 2, padding 1, last pixels left over", (2, 2, 8, 7), (2, 2, 3, 4), seed=45, bias=True, stride=2, padding=1
                ),
            ],
        ),
        Part(
            "channels that do not fit",
            probe="convolve_channels",
            public=[mismatched("3 channels, kernels of 2", (2, 3, 8, 7), (4, 2, 3, 3), seed=48)],
            hidden=[
                mismatched("1 channel, kernels of 4", (3, 1, 6, 5), (2, 4, 3, 1), seed=49),
                mismatched("4 channels, kernels of 1", (2, 4, 5, 6), (3, 1, 2, 2), seed=50),
            ],
            share=0.5,
        ),
    ],
    misconceptions=n03_mistakes.CONV2D,
)

# --- pooling -----------------------------------------------------------------------------------------------------------------------


def pooled(name, label, shape, seed, kernel_size, stride=None, shift=0.0, contiguous=True):
    options = {"kernel_size": kernel_size} | ({} if stride is None else {"stride": stride})
    return Case(label, {"name": name, "x": numbers(*shape, seed=seed) + shift, "options": options, "contiguous": contiguous})


def pooling_part(title, name, seed):
    return Part(
        title,
        probe="pooled",
        public=[
            pooled(name, "2x2 on (2, 3, 6, 4)", (2, 3, 6, 4), seed, 2),
            pooled(name, "3x3 windows, stride 2: they overlap", (1, 2, 7, 9), seed + 1, 3, 2),
            pooled(name, "3x3 windows on (1, 1, 6, 9)", (1, 1, 6, 9), seed + 11, 3),
            pooled(name, "negative values", (1, 2, 4, 4), seed + 2, 2, shift=-5.0),
            pooled(name, "2x2 on 5 x 7 pixels: one row and one column are left over", (2, 1, 5, 7), seed + 3, 2),
        ],
        hidden=[
            pooled(name, "3x3", (2, 2, 9, 6), seed + 4, 3),
            pooled(name, "stride 1", (1, 3, 5, 4), seed + 5, 2, 1),
            pooled(name, "stride 3, windows of 2", (2, 2, 8, 9), seed + 6, 2, 3),
            pooled(name, "more negative values", (2, 1, 6, 6), seed + 7, 3, shift=-9.0),
            pooled(name, "pixels left over", (1, 2, 8, 10), seed + 8, 3),
            pooled(name, "overlapping, pixels left over", (2, 2, 8, 6), seed + 9, 3, 2, contiguous=False),
            pooled(name, "windows of one pixel", (2, 2, 3, 3), seed + 10, 1),
        ],
    )


pooling = Exercise(
    "pooling",
    points=2,
    parts=[pooling_part("maximum", "max_pool2d", 60), pooling_part("average", "avg_pool2d", 80)],
    misconceptions=n03_mistakes.POOLING,
)

# --- cnn_model ---------------------------------------------------------------------------------------------------------------------


def cnn_layers(in_channels=1, num_classes=10, image_size=28):
    """The layers of a CNN, as the probe words them."""
    sizes = [in_channels, 32, 64, 128]
    side = [image_size // 2**level for level in range(4)]
    words = [f"convolution 3x3, {sizes[level]} to {sizes[level + 1]} channels, maps of {side[level]}x{side[level]}" for level in range(3)]
    return [*words, f"dense, {128 * side[3] ** 2} to 256", f"dense, 256 to {num_classes}"]


def layered(label, batch, seed, **options):
    return Case(label, {"options": options, "batch": batch, "seed": seed}, {"layers": cnn_layers(**options), "seed": seed})


def shaped(label, batch, **options):
    return Case(label, {"options": options, "batch": batch})


cnn_model = Exercise(
    "cnn_model",
    points=3,
    parts=[
        Part(
            "shapes and parameters",
            probe="cnn_shapes",
            public=[
                shaped("CNN(), four digits", 4),
                shaped("3 channels", 2, in_channels=3),
                shaped("32 pixels", 2, image_size=32),
                shaped("6 classes", 2, num_classes=6),
            ],
            hidden=[
                shaped("one digit", 1),
                shaped("3 channels, 32 pixels, 5 classes", 2, in_channels=3, num_classes=5, image_size=32),
                shaped("1 channel, 32 pixels, 7 classes", 3, num_classes=7, image_size=32),
            ],
        ),
        Part(
            "layers, batch norm, ReLU, pooling, raw logits",
            probe="cnn_layers",
            public=[layered("CNN(), two images", 2, 0.3)],
            hidden=[
                layered("other weights", 2, 1.7),
                layered("3 channels, 32 pixels, 4 classes", 2, 2.6, in_channels=3, num_classes=4, image_size=32),
            ],
        ),
        Part(
            "dropout",
            probe="cnn_dropout",
            public=[Case("CNN(), eight images", {"batch": 8, "seed": 0.2})],
            hidden=[Case("nine other images", {"batch": 9, "seed": 1.1})],
            share=0.5,
        ),
    ],
    misconceptions=n03_mistakes_models.CNN_MODEL,
)

# --- lenet5 ------------------------------------------------------------------------------------------------------------------------


def lenet_layers(num_classes=10):
    return [
        "convolution 5x5, 1 to 6 channels, maps of 28x28",
        "convolution 5x5, 6 to 16 channels, maps of 10x10",
        "dense, 400 to 120",
        "dense, 120 to 84",
        f"dense, 84 to {num_classes}",
    ]


def lenet(label, batch, seed, **options):
    return Case(label, {"options": options, "batch": batch, "seed": seed}, {"layers": lenet_layers(**options)})


lenet5 = Exercise(
    "lenet5",
    points=1,
    parts=[
        Part(
            "shapes and parameters",
            probe="lenet_shapes",
            public=[shaped("LeNet5(), three images", 3), shaped("six classes", 3, num_classes=6)],
            hidden=[shaped("one image", 1), shaped("seven classes", 2, num_classes=7)],
        ),
        Part(
            "layers, ReLU, max pooling, raw logits",
            probe="lenet_layers",
            public=[lenet("LeNet5(), three images", 3, 0.4)],
            hidden=[lenet("other weights", 2, 1.9), lenet("six classes", 3, 3.3, num_classes=6)],
        ),
    ],
    misconceptions=n03_mistakes_models.LENET5,
)

# --- residual_block ----------------------------------------------------------------------------------------------------------------


def block(label, shape, out_channels, seed, **stride):
    return Case(label, {"x": numbers(*shape, seed=int(seed)), "out_channels": out_channels, "seed": seed, **stride})


residual_block = Exercise(
    "residual_block",
    points=2,
    parts=[
        Part(
            "the same shape",
            probe="residual_outputs",
            public=[block("4 to 4 channels", (2, 4, 3, 4), 4, 1.0)],
            hidden=[
                block("3 to 3 channels", (3, 3, 4, 5), 3, 2.0),
                block("5 to 5 channels, stride 1 given", (2, 5, 4, 3), 5, 3.0, stride=1),
            ],
            tolerance=1e-4,
        ),
        Part(
            "another shape",
            probe="residual_outputs",
            public=[
                block("3 to 5 channels, stride 2", (2, 3, 5, 4), 5, 4.0, stride=2),
                block("3 to 4 channels, stride 1", (2, 3, 3, 4), 4, 5.0),
                block("4 to 4 channels, stride 2", (2, 4, 4, 5), 4, 6.0, stride=2),
            ],
            hidden=[
                block("2 to 4 channels, stride 2", (2, 2, 5, 6), 4, 7.0, stride=2),
                block("5 to 3 channels, stride 1", (2, 5, 4, 3), 3, 8.0),
                block("3 to 3 channels, stride 3", (2, 3, 7, 7), 3, 9.0, stride=3),
            ],
            tolerance=1e-4,
        ),
    ],
    misconceptions=n03_mistakes_models.RESIDUAL_BLOCK,
)

# --- feature_maps ------------------------------------------------------------------------------------------------------------------

NESTED = ["stem.0", "stem.1", "stem", "body.0", "body.act", "last"]


def mapped(label, kind, shape, names, seed, training=True):
    return Case(label, {"kind": kind, "image": numbers(*shape, seed=int(10 * seed)), "names": names, "training": training, "seed": seed})


def troubled(label, names, unknown, seed, training=True):
    inputs = {"image": numbers(2, 7, 7, seed=int(10 * seed)), "names": names, "unknown": unknown, "training": training, "seed": seed}
    return Case(label, inputs, {"name": unknown})


feature_maps = Exercise(
    "feature_maps",
    points=2,
    parts=[
        Part(
            "maps, and the model as it was",
            probe="hooked_maps",
            public=[
                mapped("convolutions, in-place ReLU and pooling; image (1, 9, 9)", "plain", (1, 9, 9), ["0", "1", "2", "3"], 0.1),
                mapped("nested layers, batch norm frozen in eval mode; image (1, 2, 8, 8)", "nested", (1, 2, 8, 8), NESTED, 0.2),
            ],
            hidden=[
                mapped("another order of names", "plain", (1, 1, 8, 10), ["3", "0"], 0.3),
                mapped("a model in eval mode, one layer training", "nested", (2, 6, 7), NESTED, 0.4, training=False),
                mapped("one nested layer", "nested", (2, 9, 6), ["body.0"], 0.5),
            ],
        ),
        Part(
            "unknown layers, and errors on the way",
            probe="hooked_maps_trouble",
            public=[troubled("the layer conv9", ["stem.0", "body.0"], "conv9", 0.6)],
            hidden=[
                troubled("the layer body.7", ["stem", "last"], "body.7", 0.7),
                troubled("the layer head, model in eval mode", ["body.act"], "head", 0.8, training=False),
            ],
        ),
    ],
    misconceptions=n03_mistakes_models.FEATURE_MAPS,
)

# --- random_shift ------------------------------------------------------------------------------------------------------------------


def shifted(label, count, channels, height, width, max_shift, seed, **options):
    inputs = {"count": count, "channels": channels, "height": height, "width": width, "max_shift": max_shift, "seed": seed}
    return Case(label, {**inputs, **options}, inputs)


random_shift = Exercise(
    "random_shift",
    points=1,
    parts=[
        Part(
            "how the images move",
            probe="shifted_images",
            public=[
                shifted("600 images of 5 x 6 pixels, 2 channels, max_shift 2", 600, 2, 5, 6, 2, 1.0),
                shifted("max_shift 0", 20, 1, 4, 4, 0, 2.0),
            ],
            hidden=[
                shifted("max_shift 1", 400, 1, 4, 5, 1, 3.0),
                shifted("max_shift 3", 1200, 1, 6, 5, 3, 4.0),
                shifted("without a generator", 600, 3, 5, 5, 2, 5.0, with_generator=False),
                shifted("max_shift 0, 3 channels", 10, 3, 3, 4, 0, 6.0),
            ],
        ),
        Part(
            "the generator alone decides",
            probe="shift_chance",
            public=[Case("50 images, max_shift 2", {"count": 50, "max_shift": 2, "seed": 10.0})],
            hidden=[Case("40 images, max_shift 3", {"count": 40, "max_shift": 3, "seed": 11.0})],
        ),
    ],
    misconceptions=n03_mistakes.RANDOM_SHIFT,
)

# --- per_class_accuracy ------------------------------------------------------------------------------------------------------------


def classified(label, predictions, targets, num_classes):
    return Case(label, {"predictions": torch.tensor(predictions), "targets": torch.tensor(targets), "num_classes": num_classes})


def many(label, count, num_classes, seed):
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, num_classes - 1, (count,), generator=generator)  # the last class never occurs
    guesses = torch.randint(0, num_classes, (count,), generator=generator)
    wrong = torch.rand(count, generator=generator) < 0.4
    return Case(label, {"predictions": torch.where(wrong, guesses, targets), "targets": targets, "num_classes": num_classes})


per_class_accuracy = Exercise(
    "per_class_accuracy",
    points=1,
    parts=[
        Part(
            "percent of each class",
            probe="by_class",
            public=[
                classified("three classes, seven samples", [0, 1, 1, 2, 0, 2, 1], [0, 1, 2, 2, 0, 1, 1], 3),
                classified("a class without samples", [0, 3, 1, 3, 2], [0, 0, 1, 3, 3], 5),
            ],
            hidden=[
                classified("another class without samples", [2, 2, 1, 0, 2, 3], [2, 0, 1, 1, 2, 0], 4),
                many("200 samples, six classes", 200, 6, seed=5),
                classified("nothing right", [1, 0, 1], [0, 1, 0], 2),
            ],
        )
    ],
    misconceptions=n03_mistakes.PER_CLASS_ACCURACY,
)

# --- train_cnn ---------------------------------------------------------------------------------------------------------------------


def trained(label, order, count, shuffled=False, **bar):
    """`order` decides which digits are trained on and which are held out; the labels of these stay with the judge."""
    labels = training_digits(order, count, shuffled)[3].to(torch.uint8)
    return Case(label, {"order": order, "count": count, "shuffled": shuffled}, {"labels": labels, **bar})


# The reference over 20 seeds, each with digits of its own: 4,000 digits gave 97.1 to 98.8 % (8 CPU seconds each), 1,000 digits 94.2 to
# 96.6 % (2 seconds), 300 with shuffled labels 6.3 to 14.3 %. All 20 passed each case.
train_cnn = Exercise(
    "train_cnn",
    points=2,
    parts=[
        Part(
            "learns digits",
            probe="digits_learned",
            public=[trained("1,000 digits, 1,000 others", 1, 1000, at_least=85)],
            hidden=[trained("4,000 digits, 1,000 others", 2, 4000, at_least=96)],
        ),
        Part(
            "learns from what it is given alone",
            probe="digits_learned",
            public=[trained("300 digits with shuffled labels", 3, 300, shuffled=True, below=40)],
            hidden=[trained("300 other digits with shuffled labels", 4, 300, shuffled=True, below=40)],
        ),
    ],
    misconceptions=n03_mistakes_models.TRAIN_CNN,
    seconds=60,
)

EXERCISES = [
    conv_output_size,
    conv2d,
    pooling,
    cnn_model,
    per_class_accuracy,
    feature_maps,
    Exercise("feature_map_questions", points=1, kind="written"),
    random_shift,
    train_cnn,
    lenet5,
    residual_block,
]
