"""Notebook 6, attention: points, parts and cases. Its misconceptions stand in n06_mistakes."""

import torch

from autograder.specs import n06_mistakes, n06_mistakes_heads, n06_mistakes_scores
from autograder.specs.spec import Case, Exercise, Part


def numbers(*shape, seed, dtype=torch.float32, scale=1.0):
    """Normal random numbers, the same at every build."""
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).to(dtype)


def ids(rows):
    return torch.tensor(rows, dtype=torch.long)


def mask(rows):
    """A boolean tensor from nested lists of 0 and 1."""
    return torch.tensor(rows).bool()


def symbols(size, batch, steps, seed):
    return torch.randint(size, (batch, steps), generator=torch.Generator().manual_seed(seed))


# --- seq2seq -----------------------------------------------------------------------------------------------------------------------


def pair(sizes, batch, source_steps, target_steps, seed):
    """Inputs of the probes: sizes of the model, a source that holds the last symbol of its vocabulary, and a target likewise."""
    src, tgt = symbols(sizes[0], batch, source_steps, seed), symbols(sizes[1], batch, target_steps, seed + 1)
    src[0, 0], tgt[0, 0] = sizes[0] - 1, sizes[1] - 1
    return {"sizes": list(sizes), "src": src, "tgt": tgt}


def learning(sizes, src, tgt, watched):
    """A case in which source and target have no symbol in common."""
    src, tgt = ids(src), ids(tgt)
    inputs = {"sizes": list(sizes), "src": src, "tgt": tgt, "labels": tgt.roll(-1, dims=1), "watched": watched}
    return inputs, {"source_symbols": src.unique().tolist(), "target_symbols": tgt.unique().tolist()}


FIRST = learning((9, 7, 12), [[2, 3, 2, 3], [3, 3, 2, 2], [3, 2, 2, 3]], [[5, 6, 5], [6, 6, 5], [6, 5, 5]], 0)
OTHER = learning((8, 11, 14), [[1, 3, 4], [4, 3, 1]], [[6, 7, 9, 6], [9, 7, 6, 6]], 2)
EQUAL = learning((10, 10, 10), [[1, 2, 3, 1, 2], [3, 2, 1, 1, 2]], [[6, 7, 8], [8, 7, 6]], 4)


seq2seq = Exercise(
    "seq2seq",
    points=2,
    parts=[
        Part(
            "encode, decode and forward return the right shapes, for two vocabularies",
            probe="seq2seq_shapes",
            public=[Case("9 source symbols, 7 target symbols, H = 6", pair((9, 7, 6), 3, 5, 4, seed=0))],
            hidden=[
                Case("more target symbols than source symbols", pair((6, 13, 8), 4, 3, 7, seed=1)),
                Case("one sample, one step", pair((5, 4, 3), 1, 1, 1, seed=2)),
            ],
        ),
        Part(
            "the decoder starts from the encoder's state, and each sample keeps to itself",
            probe="seq2seq_state",
            public=[Case("three samples", pair((9, 7, 6), 3, 5, 4, seed=3), {"tgt_steps": 4})],
            hidden=[Case("another model", pair((12, 15, 10), 4, 7, 3, seed=4), {"tgt_steps": 3})],
        ),
        Part(
            "a target can be decoded in pieces, with the state that decode returns",
            probe="seq2seq_pieces",
            public=[Case("four steps", pair((9, 7, 6), 2, 5, 4, seed=5))],
            hidden=[Case("six steps", pair((12, 15, 10), 3, 4, 6, seed=6))],
        ),
        Part(
            "two embeddings, raw logits, and it learns",
            probe="seq2seq_learning",
            public=[Case("one batch, 6 steps of Adam", *FIRST)],
            hidden=[Case("other vocabularies", *OTHER), Case("vocabularies of the same size", *EQUAL)],
        ),
    ],
    misconceptions=n06_mistakes.SEQ2SEQ,
)

# --- additive_attention ------------------------------------------------------------------------------------------------------------


def look_back(batch, steps, size, seed, dtype=torch.float32, **more):
    return {
        "hidden": numbers(batch, size, seed=seed, dtype=dtype),
        "encoder_outputs": numbers(batch, steps, size, seed=seed + 100, dtype=dtype),
        "seed": float(seed % 7),
        **more,
    }


additive_attention = Exercise(
    "additive_attention",
    points=2,
    parts=[
        Part(
            "weights and context",
            probe="additive",
            public=[
                Case("two samples, four places", look_back(2, 4, 3, seed=1)),
                Case("float64", look_back(3, 5, 4, seed=2, dtype=torch.float64)),
            ],
            hidden=[
                Case("five samples", look_back(5, 3, 6, seed=3)),
                Case("as many samples as places", look_back(4, 4, 5, seed=4)),
                Case("one place", look_back(2, 1, 4, seed=5)),
                Case("one sample", look_back(1, 4, 3, seed=13)),
                Case("float64, not contiguous", look_back(2, 6, 4, seed=6, dtype=torch.float64, contiguous=False)),
            ],
        ),
        Part(
            "a mask hides places",
            probe="additive",
            public=[
                Case("three, two and four real places", look_back(3, 4, 3, seed=7, mask=mask([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]])))
            ],
            hidden=[
                Case("gaps", look_back(2, 5, 4, seed=8, mask=mask([[0, 1, 0, 1, 1], [1, 0, 0, 0, 0]]))),
                Case("as many samples as places", look_back(3, 3, 4, seed=9, mask=mask([[1, 1, 0], [1, 0, 0], [0, 1, 1]]))),
            ],
        ),
        Part(
            "a row with nothing to attend to",
            probe="additive",
            public=[Case("the second row is empty", look_back(2, 3, 4, seed=10, mask=mask([[1, 1, 0], [0, 0, 0]])))],
            hidden=[
                Case("the first row is empty", look_back(3, 4, 3, seed=11, mask=mask([[0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]]))),
                Case("all rows are empty", look_back(2, 2, 3, seed=12, dtype=torch.float64, mask=mask([[0, 0], [0, 0]]))),
            ],
        ),
    ],
    misconceptions=n06_mistakes_scores.ADDITIVE_ATTENTION,
)

# --- scaled_dot_product_attention --------------------------------------------------------------------------------------------------


def far_below(queries, keys, d_k, d_v, seed, **more):
    """All scores near -800: the exponential of such a score is 0, and -100 is above them."""
    inputs = lookup((2,), queries, keys, d_k, d_v, seed, dtype=torch.float64)
    return inputs | {"query": inputs["query"] * 0.05 + 40 / d_k**0.25, "key": inputs["key"] * 0.05 - 20 / d_k**0.25, **more}


def lookup(leading, queries, keys, d_k, d_v, seed, dtype=torch.float32, **more):
    return {
        "query": numbers(*leading, queries, d_k, seed=seed, dtype=dtype, scale=1.3),
        "key": numbers(*leading, keys, d_k, seed=seed + 100, dtype=dtype, scale=1.3),
        "value": numbers(*leading, keys, d_v, seed=seed + 200, dtype=dtype),
        **more,
    }


CAUSAL_4 = mask([[[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]])

scaled_dot_product_attention = Exercise(
    "scaled_dot_product_attention",
    points=3,
    parts=[
        Part(
            "scores, weights and output",
            probe="dot_product",
            public=[
                Case("two samples, 3 queries, 5 keys", lookup((2,), 3, 5, 4, 6, seed=1)),
                Case("no leading dimension", lookup((), 2, 3, 8, 5, seed=2)),
            ],
            hidden=[
                Case("heads", lookup((2, 3), 4, 6, 5, 3, seed=3)),
                Case("as many queries as keys", lookup((3,), 4, 4, 6, 2, seed=4)),
                Case("float64", lookup((2,), 5, 3, 16, 2, seed=5, dtype=torch.float64)),
                Case("not contiguous", lookup((2, 2), 3, 4, 6, 6, seed=6, contiguous=False)),
                Case("three leading dimensions, one query", lookup((2, 1, 3), 1, 4, 3, 7, seed=7)),
                Case("all scores far below zero", far_below(3, 4, 4, 2, seed=16)),
            ],
        ),
        Part(
            "a mask hides keys",
            probe="dot_product",
            public=[
                Case("padding, (B, 1, T_k)", lookup((2,), 3, 4, 4, 5, seed=8, mask=mask([[[1, 1, 1, 0]], [[1, 1, 0, 0]]]))),
                Case("causal, (1, T, T)", lookup((2,), 4, 4, 6, 3, seed=9, mask=CAUSAL_4)),
            ],
            hidden=[
                Case("one mask for all, (T_q, T_k)", lookup((3,), 2, 5, 4, 2, seed=10, mask=mask([[1, 0, 1, 0, 1], [0, 1, 1, 1, 0]]))),
                Case("heads, (B, 1, 1, T_k)", lookup((2, 3), 2, 4, 5, 3, seed=11, mask=mask([[[[1, 1, 0, 0]]], [[[0, 1, 1, 1]]]]))),
                Case(
                    "float64, its own mask for each sample",
                    lookup(
                        (2,),
                        3,
                        3,
                        4,
                        6,
                        seed=12,
                        dtype=torch.float64,
                        mask=mask([[[1, 0, 0], [1, 1, 0], [0, 1, 1]], [[0, 0, 1], [1, 0, 1], [1, 1, 1]]]),
                    ),
                ),
                Case("all scores far below zero", far_below(2, 4, 4, 3, seed=17, mask=mask([[[1, 1, 0, 1]], [[0, 1, 1, 0]]]))),
            ],
        ),
        Part(
            "a query with nothing to attend to",
            probe="dot_product",
            public=[Case("the second query sees nothing", lookup((1,), 2, 3, 4, 3, seed=13, mask=mask([[[1, 0, 1], [0, 0, 0]]])))],
            hidden=[
                Case("one sample sees nothing", lookup((2,), 3, 4, 5, 2, seed=14, mask=mask([[[0, 0, 0, 0]], [[1, 1, 0, 0]]]))),
                Case("nobody sees anything", lookup((2, 2), 2, 3, 4, 3, seed=15, dtype=torch.float64, mask=mask([[0, 0, 0], [0, 0, 0]]))),
            ],
        ),
    ],
    misconceptions=n06_mistakes_scores.SCALED_DOT_PRODUCT_ATTENTION,
)

# --- attention_masks ---------------------------------------------------------------------------------------------------------------


def of_lengths(label, lengths, max_len, **more):
    inputs = {"lengths": ids(lengths), "max_len": max_len, **more}
    return Case(label, inputs, {"shape": [len(lengths), max_len]})


def of_size(label, size, **more):
    return Case(label, {"size": size, **more}, {"shape": [size, size]})


attention_masks = Exercise(
    "attention_masks",
    points=1,
    parts=[
        Part(
            "padding_mask",
            probe="padding",
            public=[of_lengths("lengths 3, 1, 4", [3, 1, 4], 4)],
            hidden=[
                of_lengths("lengths 2, 0, 5, 1", [2, 0, 5, 1], 6),
                of_lengths("one sequence", [2], 3),
                of_lengths("another default dtype", [1, 3], 3, double=True),
            ],
        ),
        Part(
            "causal_mask",
            probe="causal",
            public=[of_size("size 4", 4)],
            hidden=[of_size("size 7", 7), of_size("size 1", 1), of_size("another default dtype", 3, double=True)],
        ),
    ],
    misconceptions=n06_mistakes_scores.ATTENTION_MASKS,
)


# --- self_attention ----------------------------------------------------------------------------------------------------------------


def sequence(batch, steps, size, seed, dtype=torch.float32, **more):
    return {"x": numbers(batch, steps, size, seed=seed, dtype=dtype), "seed": float(seed % 5), **more}


self_attention = Exercise(
    "self_attention",
    points=1,
    parts=[
        Part(
            "output and weights",
            probe="self_attend",
            public=[Case("two sequences of three", sequence(2, 3, 4, seed=1))],
            hidden=[
                Case("longer than wide", sequence(3, 6, 5, seed=2)),
                Case("as long as wide", sequence(4, 4, 4, seed=3)),
                Case("one step", sequence(2, 1, 6, seed=4)),
                Case("float64, not contiguous", sequence(2, 5, 4, seed=5, dtype=torch.float64, contiguous=False)),
            ],
        ),
        Part(
            "masks",
            probe="self_attend",
            public=[Case("causal", sequence(2, 4, 3, seed=6, mask=CAUSAL_4))],
            hidden=[
                Case("padding", sequence(2, 3, 4, seed=7, mask=mask([[[1, 1, 0]], [[1, 0, 0]]]))),
                Case("a place that sees nothing", sequence(1, 3, 5, seed=8, mask=mask([[[1, 0, 1], [0, 0, 0], [0, 1, 1]]]))),
            ],
        ),
    ],
    misconceptions=n06_mistakes_heads.SELF_ATTENTION,
)

# --- multi_head_attention ----------------------------------------------------------------------------------------------------------


def heads(num_heads, batch, queries, keys, dim, seed, dtype=torch.float32, **more):
    return {
        "num_heads": num_heads,
        "query": numbers(batch, queries, dim, seed=seed, dtype=dtype),
        "key": numbers(batch, keys, dim, seed=seed + 100, dtype=dtype),
        "value": numbers(batch, keys, dim, seed=seed + 200, dtype=dtype),
        "seed": float(seed % 5),
        **more,
    }


multi_head_attention = Exercise(
    "multi_head_attention",
    points=3,
    parts=[
        Part(
            "equals nn.MultiheadAttention",
            probe="multi_head",
            share=3,
            public=[
                Case("two heads, cross-attention", heads(2, 2, 3, 5, 6, seed=1)),
                Case("four heads", heads(4, 3, 4, 4, 8, seed=2)),
            ],
            hidden=[
                Case("three heads", heads(3, 2, 4, 2, 12, seed=3)),
                Case("one head", heads(1, 2, 3, 4, 5, seed=4)),
                Case("as many heads as features", heads(4, 2, 3, 3, 4, seed=5)),
                Case("float64, one query", heads(2, 3, 1, 6, 8, seed=6, dtype=torch.float64)),
                Case("not contiguous", heads(2, 4, 5, 3, 10, seed=7, contiguous=False)),
                Case("one sample", heads(2, 1, 3, 4, 6, seed=13)),
            ],
        ),
        Part(
            "masks",
            probe="multi_head",
            share=2,
            public=[
                Case("padding, (B, 1, T_k)", heads(2, 3, 2, 4, 6, seed=8, mask=mask([[[1, 1, 1, 0]], [[1, 1, 0, 0]], [[1, 1, 1, 1]]]))),
                Case("causal, (1, T, T)", heads(4, 2, 4, 4, 8, seed=9, mask=CAUSAL_4)),
            ],
            hidden=[
                Case("as many samples as heads, padding", heads(2, 2, 3, 4, 6, seed=10, mask=mask([[[1, 0, 1, 0]], [[1, 1, 0, 0]]]))),
                Case(
                    "its own mask for each sample, and a query that sees nothing",
                    heads(
                        2,
                        2,
                        3,
                        3,
                        8,
                        seed=11,
                        dtype=torch.float64,
                        mask=mask([[[1, 0, 0], [0, 0, 0], [0, 1, 1]], [[0, 0, 1], [1, 0, 1], [1, 1, 1]]]),
                    ),
                ),
                Case(
                    "as many samples as heads, all different",
                    heads(3, 3, 2, 3, 6, seed=12, mask=mask([[[1, 0, 1], [0, 1, 1]], [[1, 1, 0], [1, 1, 1]], [[0, 0, 1], [1, 0, 0]]])),
                ),
            ],
        ),
        Part(
            "dropout acts on the weights in training, and the weights returned are those before it",
            probe="multi_head_dropout",
            tolerance=1e-4,
            public=[Case("p = 0.5", {"num_heads": 2, "x": numbers(12, 4, 8, seed=13, dtype=torch.float64), "p": 0.5}, {"p": 0.5})],
            hidden=[
                Case(
                    "p = 0.25", {"num_heads": 4, "x": numbers(20, 3, 12, seed=14, dtype=torch.float64), "p": 0.25, "seed": 2.0}, {"p": 0.25}
                )
            ],
        ),
        Part(
            "ValueError where d_model is not divisible by num_heads",
            probe="multi_head_sizes",
            share=0.5,
            public=[Case("6 by 3, 6 by 4", {"right": [6, 3], "wrong": [6, 4]})],
            hidden=[Case("10 by 5, 10 by 3", {"right": [10, 5], "wrong": [10, 3]})],
        ),
    ],
    misconceptions=n06_mistakes_heads.MULTI_HEAD_ATTENTION,
)

# --- lstm_with_attention -----------------------------------------------------------------------------------------------------------


def series(sizes, batch, steps, seed):
    """Sizes are input, hidden, layers, classes, heads."""
    return {"sizes": list(sizes), "x": numbers(batch, steps, sizes[0], seed=seed), "seed": float(seed % 5)}


lstm_with_attention = Exercise(
    "lstm_with_attention",
    points=2,
    parts=[
        Part(
            "logits in evaluation",
            probe="lstm_logits",
            share=3,
            public=[Case("three series of five steps, one layer", series((2, 8, 1, 3, 2), 3, 5, seed=1))],
            hidden=[
                Case("two layers, four heads", series((1, 12, 2, 2, 4), 4, 6, seed=2)),
                Case("as many samples as steps", series((3, 6, 1, 4, 3), 5, 5, seed=3)),
                Case("one sample", series((2, 4, 2, 3, 1), 1, 7, seed=4)),
            ],
        ),
        Part(
            "dropout before fc, and a model made without arguments",
            probe="lstm_dropout",
            public=[Case("20 series", series((2, 8, 1, 3, 2), 20, 5, seed=5) | {"series": numbers(2, 4, 1, seed=6)})],
            hidden=[Case("30 other series", series((1, 12, 2, 4, 3), 30, 4, seed=7) | {"series": numbers(3, 6, 1, seed=8)})],
        ),
    ],
    misconceptions=n06_mistakes_heads.LSTM_WITH_ATTENTION,
)

# --- head_statistics ---------------------------------------------------------------------------------------------------------------


def attention_weights(num_heads, steps, seed, causal=False, dtype=torch.float32):
    scores = numbers(num_heads, steps, steps, seed=seed, scale=2.0, dtype=torch.float64)
    if causal:
        scores = scores.masked_fill(~torch.ones(steps, steps).tril().bool(), -torch.inf)
    return scores.softmax(-1).to(dtype)


NEIGHBOURS, BOTH = ["self", "previous", "next"], ["self", "previous", "next", "entropy"]

head_statistics = Exercise(
    "head_statistics",
    points=2,
    parts=[
        Part(
            "weight on itself, on the place before and after",
            probe="statistics",
            public=[Case("two heads, four places", {"weights": attention_weights(2, 4, seed=1), "names": NEIGHBOURS})],
            hidden=[
                Case("five heads, seven places", {"weights": attention_weights(5, 7, seed=2), "names": NEIGHBOURS}),
                Case("causal", {"weights": attention_weights(3, 3, seed=3, causal=True), "names": NEIGHBOURS}),
                Case("two places", {"weights": attention_weights(4, 2, seed=4), "names": NEIGHBOURS}),
                Case("not contiguous", {"weights": attention_weights(2, 5, seed=5), "names": NEIGHBOURS, "contiguous": False}),
            ],
        ),
        Part(
            "entropy",
            probe="statistics",
            public=[
                Case("two heads, four places", {"weights": attention_weights(2, 4, seed=6), "names": ["entropy"]}),
                Case("causal: weights of exactly zero", {"weights": attention_weights(2, 4, seed=7, causal=True), "names": ["entropy"]}),
            ],
            hidden=[
                Case("all weight on one place", {"weights": torch.eye(5).expand(3, 5, 5).clone(), "names": ["entropy"]}),
                Case("causal, six places", {"weights": attention_weights(3, 6, seed=8, causal=True), "names": ["entropy"]}),
                Case("evenly spread", {"weights": torch.full((2, 3, 3), 1 / 3), "names": ["entropy"]}),
            ],
        ),
        Part(
            "a single place",
            probe="statistics",
            share=0.5,
            public=[Case("two heads, T = 1", {"weights": torch.ones(2, 1, 1), "names": BOTH})],
            hidden=[Case("three heads, T = 1", {"weights": torch.ones(3, 1, 1), "names": BOTH})],
        ),
    ],
    misconceptions=n06_mistakes_heads.HEAD_STATISTICS,
)

# --- plot_attention ----------------------------------------------------------------------------------------------------------------


def picture(queries, keys, seed, **more):
    tokens = {"query_tokens": queries, "key_tokens": keys}
    return {"weights": numbers(len(queries), len(keys), seed=seed).softmax(-1), **tokens, **more}, tokens


FRENCH, ENGLISH = ["le", "chat", "noir"], ["the", "black", "cat", "sleeps"]
SENTENCE = "the dog that the cat saw ran away and the cat sat down".split()

plot_attention = Exercise(
    "plot_attention",
    points=1,
    parts=[
        Part(
            "heat map, labels, colour bar and title",
            probe="attention_plot",
            public=[
                Case("3 queries, 4 keys", *picture(FRENCH, ENGLISH, seed=1)),
                Case("on a new figure", *picture(ENGLISH, ["un", "chien"], seed=2, given=False)),
            ],
            hidden=[
                Case("many words, some of them twice", *picture(SENTENCE, SENTENCE, seed=3)),
                Case("one query, on a new figure", *picture(["<eos>"], ["a", "b", "c", "d", "e"], seed=4, given=False)),
            ],
            share=2,
        ),
        Part(
            "weights that require grad",
            probe="attention_plot",
            public=[Case("2 queries, 3 keys", *picture(["a", "b"], ["c", "d", "e"], seed=6, requires_grad=True))],
            hidden=[Case("3 queries, 2 keys", *picture(["x", "y", "z"], ["u", "v"], seed=7, requires_grad=True, given=False))],
        ),
    ],
    misconceptions=n06_mistakes.PLOT_ATTENTION,
)

EXERCISES = [
    seq2seq,
    plot_attention,
    additive_attention,
    scaled_dot_product_attention,
    attention_masks,
    self_attention,
    multi_head_attention,
    lstm_with_attention,
    head_statistics,
    Exercise("head_observations", points=1, kind="written"),
]
