"""Notebook 6, attention: mistakes in self-attention, several heads, the LSTM that attends, and the statistics of heads."""

from autograder.specs.n06_mistakes import (
    AFTER,
    EMPTY,
    GRAPH,
    IGNORED,
    INVERTED,
    LOGITS,
    ORDER,
    OVER_KEYS,
    OWN_PROJECTIONS,
)
from autograder.specs.n06_mistakes_scores import RESULT
from autograder.specs.spec import Edit, known

# --- self_attention ---------------------------------------------------------------------------------------------------------------

PROJECT = "query, key, value = self.query(x), self.key(x), self.value(x)"
ATTEND = "return scaled_dot_product_attention(query, key, value, mask)"
HIDE_SELF = "scores = scores if mask is None else scores.masked_fill({}, {})"


def projected(query: str, key: str, value: str) -> Edit:
    """Other projections than those asked for."""
    return PROJECT, f"query, key, value = {query}, {key}, {value}"


def scaled_by(factor: str) -> Edit:
    """Scores that are larger by a factor."""
    return ATTEND, ATTEND.replace("(query,", f"(query * ({factor}),")


def written_out(before: str = "pass", weights: str = "torch.softmax(scores, dim=-1)") -> Edit:
    """The attention without the function of the exercise before."""
    lines = ["scores = query @ key.transpose(-2, -1) / math.sqrt(x.shape[-1])", before, f"weights = {weights}", RESULT]
    return ATTEND, "\n        ".join(lines)


NO_BIASES = [
    (f"self.{name} = nn.Linear(embed_dim, embed_dim)", f"self.{name} = nn.Linear(embed_dim, embed_dim, bias=False)")
    for name in ("query", "key", "value")
]

SELF_ATTENTION = [
    *known(
        "projections-shared",
        OWN_PROJECTIONS,
        *(
            projected(f"self.{q}(x)", f"self.{k}(x)", f"self.{v}(x)")
            for q, k, v in (
                ("query", "query", "query"),
                ("value", "value", "value"),
                ("query", "query", "value"),
                ("key", "key", "value"),
                ("query", "key", "key"),
                ("query", "value", "value"),
            )
        ),
    ),
    *known(
        "projections-swapped",
        "The projections have changed places: rows of the weights belong to queries, columns to keys, and values are mixed.",
        projected("self.key(x)", "self.query(x)", "self.value(x)"),
        projected("self.query(x)", "self.value(x)", "self.key(x)"),
    ),
    *known("value-not-projected", "The values are projected too, before they are mixed.", projected("self.query(x)", "self.key(x)", "x")),
    *known(
        "query-or-key-not-projected",
        "Queries and keys are projections of x, both of them.",
        projected("x", "self.key(x)", "self.value(x)"),
        projected("self.query(x)", "x", "self.value(x)"),
        projected("x", "x", "self.value(x)"),
    ),
    *known(
        "scale-by-length",
        "Scale by the square root of D, the width, not by the number of steps T.",
        scaled_by("math.sqrt(x.shape[-1] / x.shape[1])"),
        scaled_by("math.sqrt(x.shape[-1]) / x.shape[1]"),
    ),
    *known("no-scale", "Divide the scores by the square root of D, the width of queries and keys.", scaled_by("math.sqrt(x.shape[-1])")),
    *known("scale-d", "Divide by the square root of D once: not by D, and not twice by its root.", scaled_by("x.shape[-1] ** -0.5")),
    *known("scale-inverted", "Divide by the square root of D: here the scores are multiplied by it.", scaled_by("x.shape[-1]")),
    *known(
        "softmax-over-queries",
        OVER_KEYS,
        written_out(weights="torch.softmax(scores, dim=1)"),
        written_out(weights="torch.softmax(scores, dim=0)"),
        written_out(HIDE_SELF.format("~mask", "-1e9"), "torch.softmax(scores, dim=1)"),
    ),
    *known(
        "mask-inverted",
        INVERTED,
        (ATTEND, ATTEND.replace("value, mask", "value, None if mask is None else ~mask")),
        written_out(HIDE_SELF.format("mask", 'float("-inf")')),
        written_out(HIDE_SELF.format("mask", 'float("-inf")'), "torch.softmax(scores, dim=-1).nan_to_num(0.0)"),
        written_out(HIDE_SELF.format("mask", "-1e9")),
        written_out(HIDE_SELF.format("mask", "-1e9"), "torch.softmax(scores, dim=-1) * (1 if mask is None else mask)"),
        written_out(
            HIDE_SELF.format("mask", "-1e9"), "torch.softmax(scores, dim=-1) * (1 if mask is None else mask.any(-1, keepdim=True))"
        ),
    ),
    *known("mask-ignored", IGNORED, (ATTEND, ATTEND.replace(", mask", ""))),
    *known("mask-after-softmax", AFTER, written_out(weights="torch.softmax(scores, dim=-1) * (1 if mask is None else mask)")),
    *known(
        "empty-row",
        EMPTY,
        written_out(HIDE_SELF.format("~mask", 'float("-inf")')),
        written_out(HIDE_SELF.format("~mask", "-1e9")),
    ),
    *known("order-of-results", ORDER, (ATTEND, f"{ATTEND}[::-1]")),
    *known(
        "residual-added",
        "No residual connection here: the output is the mixture of the values alone.",
        (ATTEND, ATTEND.replace("return", "output, weights =") + "\n        return output + x, weights"),
    ),
    *known("no-bias", "The three linear layers have a bias each.", NO_BIASES),
]


# --- multi_head_attention ---------------------------------------------------------------------------------------------------------

NAMES = (("q", "query"), ("k", "key"), ("v", "value"))
SPLIT = {name: f"self.W_{name}({source}).unflatten(-1, split).transpose(1, 2)" for name, source in NAMES}
CORE = "_, weights = scaled_dot_product_attention(q, k, v, mask)"
DROP = "context = self.dropout(weights) @ v"
JOIN = "return self.W_o(context.transpose(1, 2).flatten(2)), weights"
ADD_AXIS = "mask = None if mask is None else mask.unsqueeze(1)"
QK, VO = (f"self.{a}, self.{b} = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)" for a, b in (("W_q", "W_k"), ("W_v", "W_o")))
NO_BIAS = "nn.Linear(d_model, d_model, bias=False)"
DIVISIBLE = "if d_model % num_heads != 0:"


def split_by(how: str) -> list[Edit]:
    """All three projections cut into heads in another way."""
    return [(SPLIT[name], f"self.W_{name}({source}){how.format(source)}") for name, source in NAMES]


def heads_scaled_by(factor: str) -> Edit:
    """Scores that are larger by a factor."""
    return CORE, CORE.replace("(q,", f"(q * ({factor}),")


def core(hidden: str, value: str = "-1e9", softmax: str = ".softmax(-1)") -> Edit:
    """The attention written out; `hidden` says which scores get `value`."""
    scores = "(q @ k.transpose(-2, -1) / math.sqrt(self.d_k))"
    return CORE, f"mask = torch.tensor(True) if mask is None else mask\n        weights = {scores}.masked_fill({hidden}, {value}){softmax}"


VIEWED = split_by(".view({0}.shape[0], self.num_heads, -1, self.d_k)")
RESHAPED = (JOIN, "return self.W_o(context.reshape(query.shape)), weights")
INTERLEAVED = split_by(".unflatten(-1, split[::-1]).permute(0, 3, 1, 2)")
ALL_VISIBLE = "mask if mask.ndim else ~mask"  # with the senses of a mask confused, "no mask" still hides nothing

MULTI_HEAD_ATTENTION = [
    *known(
        "view-for-transpose",
        "Cut the features first, (B, T, h, d_k), then transpose: a view straight to (B, h, T, d_k) mixes places and heads.",
        VIEWED,
        [*VIEWED, RESHAPED],
    ),
    *known(
        "no-transpose",
        "Swap heads and time before attending: as it is, the heads of one place attend to each other.",
        [*split_by(".unflatten(-1, split)"), (JOIN, "return self.W_o(context.flatten(2)), weights")],
    ),
    *known(
        "heads-mixed-with-time",
        "Swap heads and time back before the features are joined, or features of different places end up in one vector.",
        RESHAPED,
        (JOIN, "return self.W_o(context.transpose(2, 3).reshape(query.shape)), weights"),
    ),
    *known(
        "interleaved-heads",
        "Each head has neighbouring features, head 0 the first d_k of them: cut into (h, d_k), not into (d_k, h).",
        INTERLEAVED,
        [*INTERLEAVED, (JOIN, "return self.W_o(context.permute(0, 2, 3, 1).flatten(2)), weights")],
    ),
    *known(
        "scale-d_model", "Scale by the square root of d_k, the width of a head, not of d_model.", heads_scaled_by("self.num_heads**-0.5")
    ),
    *known("no-scale", "Divide the scores by the square root of d_k, the width of a head.", heads_scaled_by("self.d_k**0.5")),
    *known("scale-d_k", "Divide by the square root of d_k once: not by d_k, and not twice by its root.", heads_scaled_by("self.d_k**-0.5")),
    *known(
        "scale-num-heads",
        "Scale by the square root of d_k, the width of a head, not of the number of heads.",
        heads_scaled_by("(self.d_k / self.num_heads) ** 0.5"),
    ),
    *known("no-output-projection", "The joined heads go through one last projection, W_o.", (JOIN, JOIN.replace("self.W_o", ""))),
    *known(
        "weights-averaged",
        "Return the weights of every head, (B, h, T_q, T_k), not their mean or their sum.",
        (JOIN, f"{JOIN}.mean(dim=1)"),
        (JOIN, f"{JOIN}.sum(dim=1)"),
    ),
    *known(
        "weights-after-dropout",
        "Return the weights as they are before dropout.",
        (DROP, "weights = self.dropout(weights)\n        context = weights @ v"),
    ),
    *known(
        "dropout-on-scores",
        "Dropout acts on the weights, after the softmax: a score of zero is not a weight of zero.",
        [
            (CORE, f"{CORE}\n        weights = self.dropout(weights.log()).softmax(-1).nan_to_num(0.0)"),
            (DROP, "context = weights @ v"),
        ],
    ),
    *known(
        "dropout-on-output",
        "The one dropout acts on the weights, after the softmax: neither the values nor the output are dropped.",
        (DROP, "context = weights @ self.dropout(v)"),
        [(DROP, "context = weights @ v"), (JOIN, "return self.dropout(self.W_o(context.transpose(1, 2).flatten(2))), weights")],
        (DROP, "context = self.dropout(weights @ v)"),
        (JOIN, "return self.dropout(self.W_o(context.transpose(1, 2).flatten(2))), weights"),
    ),
    *known(
        "dropout-rate",
        "Each weight is dropped once, with the probability that the argument says: by default 0.",
        ("dropout=0.0", "dropout=0.1"),
        ("nn.Dropout(dropout)", "nn.Dropout(0.1)"),
        ("nn.Dropout(dropout)", "nn.Dropout(1 - dropout)"),
        (DROP, "context = self.dropout(self.dropout(weights)) @ v"),
    ),
    *known(
        "dropout-not-rescaled",
        "What dropout keeps is divided by 1 - p in training, as nn.Dropout does.",
        (DROP, "context = (weights * (torch.rand_like(weights) >= self.dropout.p) if self.training else weights) @ v"),
    ),
    *known(
        "projections-swapped",
        "The projections have changed places: W_q is for the query, W_k for the key, W_v for the value.",
        [("self.W_q(query)", "self.W_k(query)"), ("self.W_k(key)", "self.W_q(key)")],
        [("self.W_k(key)", "self.W_v(key)"), ("self.W_v(value)", "self.W_k(value)")],
    ),
    *known(
        "weights-axes",
        "The weights are (B, h, T_q, T_k), in this order.",
        (JOIN, f"{JOIN}.transpose(0, 1)"),
        (JOIN, f"{JOIN}.mT"),
    ),
    *known("no-dropout", "The dropout is not used: in training it acts on the weights.", (DROP, "context = weights @ v")),
    *known(
        "dropout-always",
        "Dropout is for training only: in evaluation nothing is dropped.",
        (DROP, "context = F.dropout(weights, self.dropout.p) @ v"),
    ),
    *known(
        "mask-inverted",
        INVERTED,
        (ADD_AXIS, ADD_AXIS.replace("else mask", "else ~mask")),
        core(ALL_VISIBLE, 'float("-inf")'),
        core(ALL_VISIBLE, 'float("-inf")', ".softmax(-1).nan_to_num(0.0)"),
        core(ALL_VISIBLE),
        core(ALL_VISIBLE, softmax=".softmax(-1) * mask"),
        core(ALL_VISIBLE, softmax=".softmax(-1) * (mask.any(-1, keepdim=True) if mask.ndim else 1)"),
    ),
    *known("mask-ignored", IGNORED, (CORE, CORE.replace(", mask", ""))),
    *known(
        "mask-axis",
        "The scores have an axis for the heads after the batch's: the mask needs it too, or it lines up with the wrong axes.",
        (ADD_AXIS, "pass"),
        (ADD_AXIS, ADD_AXIS.replace("unsqueeze(1)", "unsqueeze(0)")),
    ),
    *known("empty-row", EMPTY, core("~mask", 'float("-inf")'), core("~mask")),
    *known("mask-after-softmax", AFTER, core("torch.tensor(False)", softmax=".softmax(-1) * mask")),
    *known("softmax-over-queries", OVER_KEYS, core("~mask", softmax=".softmax(-2)"), core("~mask", softmax=".softmax(1)")),
    *known(
        "key-or-value-ignored",
        "Keys and values are projections of `key` and `value`, which may come from another sequence.",
        [(SPLIT[name], SPLIT[name].replace(f"({source})", "(query)")) for name, source in NAMES[1:]],
        (SPLIT["v"], SPLIT["v"].replace("(value)", "(key)")),
    ),
    *known("value-not-projected", "The values are projected too, by W_v.", (SPLIT["v"], SPLIT["v"].replace("self.W_v(value)", "value"))),
    *known(
        "projections-shared",
        OWN_PROJECTIONS,
        [(SPLIT[name], SPLIT[name].replace(f"W_{name}", "W_q")) for name, _ in NAMES[1:]],
        (SPLIT["k"], SPLIT["k"].replace("W_k", "W_q")),
    ),
    *known(
        "no-bias",
        "All four linear layers have a bias.",
        [(QK, QK.replace("nn.Linear(d_model, d_model)", NO_BIAS)), (VO, VO.replace("nn.Linear(d_model, d_model)", NO_BIAS, 1))],
        [(line, line.replace("nn.Linear(d_model, d_model)", NO_BIAS)) for line in (QK, VO)],
        (VO, VO[: -len("nn.Linear(d_model, d_model)")] + NO_BIAS),
    ),
    *known("order-of-results", ORDER, (JOIN, "return weights, self.W_o(context.transpose(1, 2).flatten(2))")),
    *known("residual-added", "No residual connection here: return the projection alone.", (JOIN, JOIN.replace("return", "return query +"))),
    *known(
        "no-divisibility-check",
        "Raise ValueError when d_model is not divisible by num_heads; an assertion is another exception, and can be switched off.",
        (DIVISIBLE, "if False:"),
        ("raise ValueError(", "raise AssertionError("),
        ("raise ValueError(", "raise TypeError("),
    ),
]


# --- lstm_with_attention ----------------------------------------------------------------------------------------------------------

LSTM = "self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True, dropout=between)"
HEADS = "self.attention = nn.MultiheadAttention(hidden_size, num_heads, batch_first=True)"
SELF = "attended, _ = self.attention(states, states, states)"
NORM = "states = self.layer_norm(states + attended)"
MEAN = "pooled = states.mean(dim=1)"
CLASSIFY = "return self.fc(self.dropout(pooled))"
LSTM_TIME_FIRST, HEADS_TIME_FIRST = ((line, line.replace(", batch_first=True", "")) for line in (LSTM, HEADS))

LSTM_WITH_ATTENTION = [
    *known(
        "no-residual",
        "Add the attention's output to the LSTM's states before the norm: the residual connection is missing.",
        (NORM, "states = self.layer_norm(attended)"),
    ),
    *known("attention-ignored", "The attention's output is not used.", (NORM, "states = self.layer_norm(states)")),
    *known(
        "last-step",
        "Take the mean of the states over time, so that every step counts, not one step alone.",
        (MEAN, "pooled = states[:, -1]"),
        (MEAN, "pooled = states[:, 0]"),
        (MEAN, "pooled = self.lstm(x)[0][:, -1]"),
    ),
    *known("sum-over-time", "Take the mean over time: a sum grows with the length.", (MEAN, "pooled = states.sum(dim=1)")),
    *known("max-over-time", "Take the mean over time, not the maximum.", (MEAN, "pooled = states.max(dim=1).values")),
    *known("mean-over-samples", "Take the mean over time, not over the samples of the batch.", (MEAN, "pooled = states.mean(dim=0)")),
    *known(
        "norm-missing", "Apply LayerNorm to the sum of states and attended states: it is missing.", (NORM, "states = states + attended")
    ),
    *known(
        "norm-in-the-wrong-place",
        "LayerNorm comes right after the sum of the LSTM's states and the attended states, at every step.",
        (NORM, "states = states + self.layer_norm(attended)"),
        (NORM, "states = self.layer_norm(states) + attended"),
        [(NORM, "states = states + attended"), (MEAN, "pooled = self.layer_norm(states.mean(dim=1))")],
        [(SELF, f"states = self.layer_norm(states)\n        {SELF}"), (NORM, "states = states + attended")],
        [(SELF, SELF.replace("states, states, states", "*[self.layer_norm(states)] * 3")), (NORM, "states = states + attended")],
    ),
    *known(
        "samples-mixed",
        "nn.MultiheadAttention and nn.LSTM expect time first unless batch_first=True: without it, the samples of a batch are mixed.",
        HEADS_TIME_FIRST,
        LSTM_TIME_FIRST,
        [LSTM_TIME_FIRST, HEADS_TIME_FIRST],
    ),
    *known(
        "softmaxed",
        LOGITS,
        (CLASSIFY, f"{CLASSIFY}.softmax(dim=-1)"),
        (CLASSIFY, f"{CLASSIFY}.log_softmax(dim=-1)"),
        (CLASSIFY, f"{CLASSIFY}.sigmoid()"),
    ),
    *known(
        "no-dropout",
        "Apply dropout to the mean over time, before fc.",
        (CLASSIFY, "return self.fc(pooled)"),
        (CLASSIFY, "return self.dropout(self.fc(pooled))"),
        [(MEAN, "pooled = self.dropout(states).mean(dim=1)"), (CLASSIFY, "return self.fc(pooled)")],
    ),
    *known(
        "dropout-always",
        "Dropout is for training only: use the module, or pass training=self.training.",
        (CLASSIFY, "return self.fc(F.dropout(pooled, self.dropout.p))"),
    ),
    *known(
        "dropout-rate",
        "The share that is dropped before fc is the argument dropout, once.",
        ("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout(0.3)"),
        ("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout(0.1)"),
        (CLASSIFY, "return self.fc(self.dropout(self.dropout(pooled)))"),
    ),
    *known(
        "defaults-changed",
        "Keep the defaults of the arguments: input 1, hidden 64, two layers, two classes, four heads, dropout 0.3.",
        *(
            (f"{name}={default}", f"{name}={other}")
            for name, default, other in (
                ("hidden_size", 64, 32),
                ("num_layers", 2, 1),
                ("num_classes", 2, 10),
                ("num_heads", 4, 8),
                ("dropout", 0.3, 0.5),
                ("dropout", 0.3, 0.1),
                ("dropout", 0.3, 0.0),
            )
        ),
    ),
    *known(
        "classes-fixed",
        "The number of classes is an argument.",
        ("self.fc = nn.Linear(hidden_size, num_classes)", "self.fc = nn.Linear(hidden_size, 2)"),
    ),
    *known(
        "layers-fixed",
        "The number of layers is an argument.",
        (LSTM, LSTM.replace("num_layers", "1")),
        (LSTM, LSTM.replace("num_layers", "2")),
    ),
    *known(
        "relu-before-fc",
        "Nothing but the dropout stands between the mean and fc.",
        (CLASSIFY, "return self.fc(self.dropout(pooled.relu()))"),
    ),
    *known("one-head", "The attention has num_heads heads.", (HEADS, HEADS.replace("num_heads", "1"))),
    *known("graph-cut", GRAPH, (SELF, "attended = self.attention(states, states, states)[0].detach()")),
]


# --- head_statistics --------------------------------------------------------------------------------------------------------------

ENTROPY = "torch.special.entr(weights).sum(-1).mean(-1)"
DIAGONAL = "diagonal.sum(-1) / max(diagonal.shape[-1], 1)"
PREVIOUS, NEXT = '"previous": mean_of_diagonal(-1)', '"next": mean_of_diagonal(1)'

HEAD_STATISTICS = [
    *known(
        "log2",
        "The entropy is asked for in nats: use the natural logarithm.",
        *((ENTROPY, f"{ENTROPY} / math.log({base})") for base in (2, 10)),
    ),
    *known(
        "entropy-nan",
        "0 · log 0 counts as 0: as written it is NaN.",
        (ENTROPY, "-(weights * weights.log()).sum(-1).mean(-1)"),
        (ENTROPY, "-(weights * weights.log2()).sum(-1).mean(-1)"),
    ),
    *known("entropy-sign", "An entropy is never negative: the sign is missing.", (ENTROPY, f"-{ENTROPY}")),
    *known(
        "entropy-summed", "Take the mean of the rows' entropies, not their sum.", (ENTROPY, "torch.special.entr(weights).sum((-1, -2))")
    ),
    *known(
        "entropy-of-entries",
        "Sum over the keys within each row, then take the mean over the rows.",
        (ENTROPY, "torch.special.entr(weights).mean((-1, -2))"),
    ),
    *known(
        "entropy-of-the-mean",
        "Take each row's entropy first, then the mean: the entropy of the mean row is something else.",
        (ENTROPY, "torch.special.entr(weights.mean(1)).sum(-1)"),
    ),
    *known(
        "entropy-of-columns",
        "A distribution is a row: the entropy is over the keys, not over the queries.",
        (ENTROPY, "torch.special.entr(weights / weights.sum(1, keepdim=True)).sum(1).mean(-1)"),
    ),
    *known(
        "entropy-normalised",
        "The entropy is asked for in nats, not as a share of its maximum.",
        (ENTROPY, f"{ENTROPY} / math.log(max(weights.shape[-1], 2))"),
    ),
    *known(
        "rows-for-columns",
        "Queries stand in the rows: for the query of row t, the place before it is column t - 1.",
        ("weights.diagonal(offset,", "weights.diagonal(-offset,"),
    ),
    *known(
        "all-rows-counted",
        "The first place has none before it and the last none after it: divide by the number of rows that have one.",
        ("max(diagonal.shape[-1], 1)", "weights.shape[-1]"),
    ),
    *known("neighbours-summed", "Take the mean over the rows, not the sum.", (DIAGONAL, "diagonal.sum(-1)")),
    *known(
        "wraps-around",
        "The last place is not the neighbour of the first: do not wrap around.",
        [
            (PREVIOUS, '"previous": weights.roll(1, -1).diagonal(dim1=1, dim2=2).mean(-1)'),
            (NEXT, '"next": weights.roll(-1, -1).diagonal(dim1=1, dim2=2).mean(-1)'),
        ],
    ),
    *known(
        "one-place",
        "With a single place there is no neighbour: the mean over no rows is NaN, and 0 is asked for.",
        (DIAGONAL, "diagonal.mean(-1)"),
    ),
    *known(
        "one-place-shape",
        "With a single place, too, each entry is a tensor of shape (h,): a zero for each head.",
        (DIAGONAL, "diagonal.mean(-1) if diagonal.shape[-1] else torch.tensor(0.0)"),
        (DIAGONAL, "diagonal.mean(-1) if diagonal.shape[-1] else 0.0"),
    ),
    *known(
        "weights-changed",
        "Leave the tensor that is given as it is: work on a copy.",
        ("    return {\n", "    weights[weights == 0] = 1e-12\n    return {\n"),
    ),
    *known(
        "heads-averaged",
        "One number for each head is asked for: do not average over the heads.",
        [(DIAGONAL, f"({DIAGONAL}).mean()"), (ENTROPY, "torch.special.entr(weights).sum(-1).mean()")],
    ),
    *known(
        "not-tensors",
        "The four entries are tensors of shape (h,).",
        [(DIAGONAL, f"({DIAGONAL}).tolist()"), (ENTROPY, f"{ENTROPY}.tolist()")],
    ),
]
