"""From what the probes of notebook 9 saw to plain facts. The facts have the same names in all three options."""

import torch

EXACT = 3e-4  # what a mean of millions of float32 numbers may be off by; statistics of other data are off by more
TWINS = 5  # images or sentences that stand in the data twice


def fact(option, holds, otherwise):
    """True, or what is wrong: in option A, to which the recorded mistakes belong, False; elsewhere a sentence of the option's own."""
    return True if holds else False if option == "A" else otherwise

# --- project_data ------------------------------------------------------------------------------------------------------------------


def judge_parts(observation):
    """Whether the three parts are what they should be."""
    option, shapes = observation["option"], observation["shapes"]
    if len(shapes) != 3:
        raise ValueError(f"{len(shapes)} parts, not three")
    if option == "B":
        right = all(kind == "torch.float32" and ndim == 1 and length > 60 for kind, ndim, length in shapes)
        whole, apart = observation["total"] == observation["length"], observation["total"] <= observation["length"]
        own = apart and all(fit < 1e-3 for fit in observation["fits"])
        return parts_facts(
            right,
            fact("B", apart, "the parts overlap"),
            fact("B", whole, f"the parts have {observation['total']} steps together, the series has {observation['length']}"),
            fact("B", apart, "the parts overlap"),
            fact("B", own, "the parts are not successive stretches of two_sines()"),
            True,
        )
    if option == "A":
        right = all(
            kind == "torch.float32" and label == "torch.int64" and count == labels and (ndim, label_ndim) == (4, 1)
            for kind, label, count, labels, ndim, label_ndim in shapes
        )
        wanted = set(range(observation["border"], observation["count"]))
        train, val, test = observation["rows"]
    else:
        right = all(label == "torch.int64" and ndim == 1 and count == labels for label, ndim, count, labels in shapes)
        wanted = set(observation["test"].tolist())
        train, val, test = observation["rows"]
    shared = len(set(train.tolist()) & set(val.tolist()) - {-1})
    leaked = len(wanted & {*train.tolist(), *val.tolist()})
    missing = len(wanted - set(test.tolist()))
    own = all((rows >= 0).all() for rows in (train, val)) and len(val) >= 100
    labelled = all(bool(right) for right in observation["labelled"])
    return parts_facts(right, shared <= TWINS, missing <= TWINS and bool((test >= 0).all()), leaked <= TWINS, own, labelled)


def parts_facts(right, apart, test, kept, own, labelled):
    return {
        "shapes and types are those asked for": bool(right),
        "training and validation part have nothing in common": apart,
        "the test part is the course's, whole and unchanged": test,
        "no test sample is trained or validated on": kept,
        "training and validation samples (100 at least) are as they were": own,
        "every sample has its own label": bool(labelled),
    }


def judge_statistics(observation):
    """Whether what is learned from data was learned from the training part alone, and used for all three."""
    if observation["option"] == "C":
        alone = observation["foreign"] == 0
        return statistics_facts(observation["size"] > 100, alone, fact("C", observation["twice"] == 0, "two words share an id"))
    mean, deviation, scales = observation["mean"], observation["deviation"], observation["scales"]
    alone = bool((mean.abs() < EXACT).all()) and bool(((deviation - 1).abs() < EXACT * 2).all())
    same = all(torch.allclose(scale, scales[0], atol=2e-3) for scale in scales) and bool((scales[0][0] > 0).all())
    near = bool((mean.abs() < 0.05).all()) and bool(((deviation - 1).abs() < 0.05).all())
    return statistics_facts(near, alone, fact(observation["option"], same, "another scale in each part, or not the course's series"))


def statistics_facts(near, alone, same):
    return {
        "the training part has mean 0 and deviation 1, or there is a vocabulary of over 100 words": bool(near),
        "mean and deviation, or the vocabulary, come from the training part alone": bool(alone),
        "they are the same for all three parts, or no two words share an id": same,
    }


def judge_step(observation):
    """Whether `augment`, `make_windows` or `encode` does what it should."""
    return {"A": augment_facts, "B": window_facts, "C": encode_facts}[observation["option"]](observation)


def step_facts(form, same, untouched, right):
    return {
        "shape and type are those asked for": bool(form),
        "the same input, and generator, give the same": bool(same),
        "the input is not changed": bool(untouched),
        "the values are right": right,
    }


def augment_facts(seen):
    result, kept = seen["result"], seen["input"]
    form = result.shape == kept.shape and result.dtype == kept.dtype
    differs = form and not torch.equal(result, kept) and not torch.equal(result, seen["other"])
    finite = bool(torch.isfinite(result).all())
    right = (differs and finite) if form else "the shape or the type has changed"
    return step_facts(form, torch.equal(result, seen["again"]), torch.equal(kept, seen["input afterwards"]), right)


def window_facts(seen):
    X, y, series, window = seen["X"], seen["y"], seen["input"], seen["window"]
    count = len(series) - window
    form = X.shape == (count, window, 1) and y.shape == (count, 1) and X.dtype == y.dtype == torch.float32
    pieces = series.unfold(0, window + 1, 1)
    right = form and torch.equal(X[..., 0], pieces[:, :-1]) and torch.equal(y, pieces[:, -1:])
    right = fact("B", right, "not every window with the value that follows it, in order")
    return step_facts(form, torch.equal(X, seen["again"]), torch.equal(series, seen["input afterwards"]), right)


def encode_facts(seen):
    ids, size = seen["ids"], seen["size"]
    form = ids.ndim == 2 and len(ids) == 5 and ids.dtype == torch.int64
    right = form and bool(((ids >= 0) & (ids < size)).all()) and 0 < int((ids[seen["long"]] != 0).sum())
    for row, alone in zip(ids, seen["alone"]):  # alone, a text may be padded less, or to the same width
        own = alone[0]
        shorter = min(len(own), len(row))
        right = right and torch.equal(row[:shorter], own[:shorter]) and not row[shorter:].any() and not own[shorter:].any()
        real = row != 0
        right = right and bool((real.int().diff() <= 0).all())  # padding is on the right
    right = right and len({tuple(row) for row in ids.tolist()}) >= 4
    right = fact("C", right, "ids must lie in the vocabulary, be the same for a text in every batch, and be padded on the right with 0")
    return step_facts(form, torch.equal(ids, seen["again"]), True, right)


# --- project_model -----------------------------------------------------------------------------------------------------------------


def judge_scores(observation):
    """Whether every network gives one row of raw scores (or one forecast) for each sample."""
    option, size = observation["option"], observation["size"]
    wide = {"A": 10, "B": 1, "C": 2}[option]
    form = finite = alone = raw = steady = True
    for seen in observation["networks"].values():
        outputs = seen["outputs"]
        form = form and tuple(outputs.shape) == (size, wide) and outputs.dtype == torch.float32
        finite = finite and bool(torch.isfinite(outputs).all())
        alone = alone and tuple(seen["alone"].shape) == (1, wide) and torch.allclose(seen["alone"], outputs[-1:], atol=1e-4)
        raw = raw and (option == "B" or not (is_one(outputs.exp().sum(dim=1)) or is_one(outputs.sum(dim=1))))
        steady = steady and torch.equal(outputs, seen["again"])
        if "padded" in seen:
            alone = alone and torch.allclose(seen["padded"], outputs, atol=1e-4)
    return {
        "one row of the right length for each sample": bool(form),
        "finite, raw scores: no softmax": bool(finite and raw),
        "in eval mode nothing is random": bool(steady),
        "neither other samples nor padding change a result in eval mode": bool(alone),
    }


def is_one(sums):
    return torch.allclose(sums, torch.ones_like(sums), atol=1e-4)


def judge_model(observation):
    """Whether the layers that the option asks for are there."""
    option, layers = observation["option"], observation["layers"]
    if option == "A":
        seen = layers["build_model"]
        return layer_facts(seen["convolutions"] >= 3, seen["batch norms"] >= 1, seen["random in training"])
    recurrent, transformer = layers["build_lstm" if option == "B" else "build_rnn"], layers["build_transformer"]
    kind = "lstm" if option == "B" else "recurrent"
    attends = bool({"softmax", "scaled_dot_product_attention", "native_multi_head_attention", "multi_head_attention_forward",
                    "scaled_dot_product_flash_attention_for_cpu", "transformer_encoder_layer_fwd"} & set(transformer["ran"]))  # fmt: skip
    embedded = option == "B" or (recurrent["embeddings"] and transformer["embeddings"])
    wanted = "build_lstm has no nn.LSTM" if option == "B" else "build_rnn has no nn.RNN, nn.LSTM or nn.GRU"
    third = fact(option, embedded, "there is no nn.Embedding") if not embedded else fact(option, transformer["order"], "the steps' order changes nothing")
    return layer_facts(
        fact(option, recurrent[kind] >= 1, wanted),
        fact(option, attends and not transformer["recurrent"], "build_transformer has no attention, or a recurrent layer"),
        third,
        fact(option, recurrent["last"] and transformer["last"], "the last step changes nothing"),
    )


def layer_facts(first, second, third, last=True):
    return {
        "three convolutions, or the recurrent layer": first,
        "batch norm, or attention without recurrence": second,
        "dropout, or embeddings for texts and a transformer that knows the order of the steps": third,
        "the last step counts": last,
    }


def judge_learning(observation):
    """Whether every parameter gets a gradient, and the networks can learn a batch."""
    losses = observation["losses"]
    finite = all(abs(value) < 1e6 for values in losses.values() for value in values)
    return {
        "every trainable parameter gets a gradient": not any(observation["without gradient"].values()),
        "40 steps on a dozen samples bring the loss down by half": finite and all(min(v[-5:]) < 0.5 * v[0] for v in losses.values()),
    }
