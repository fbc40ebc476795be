"""From what the probes of notebook 9 saw to plain facts. The facts have the same names in all three options."""

import torch

EXACT = 3e-4  # what a mean of millions of float32 numbers may be off by; statistics of other data are off by more
TWINS = 5  # images or sentences that stand in the data twice


def fact(option, holds, otherwise):
    """True, or what is wrong: False in option A; elsewhere a sentence of the option's own, so that its mistakes can be told apart."""
    return True if holds else False if option == "A" else otherwise


# --- project_data ------------------------------------------------------------------------------------------------------------------


def judge_parts(observation):
    """Whether the three parts are what they should be."""
    option, shapes = observation["option"], observation["shapes"]
    if len(shapes) != 3:
        raise ValueError(f"{len(shapes)} parts, not three")
    if option == "B":
        return stretch_facts(observation)
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
    own = all(bool((rows >= 0).all()) for rows in (train, val))
    own = "there are fewer than 100 validation samples" if own and len(val) < 100 else own
    labelled = all(bool(right) for right in observation["labelled"])
    return parts_facts(right, shared <= TWINS, missing <= TWINS and bool((test >= 0).all()), leaked <= TWINS, own, labelled)


def stretch_facts(observation):
    """Of three parts of a series: whether they follow each other and are the whole of it."""
    starts, lengths = observation["starts"], [length for *_, length in observation["shapes"]]
    right = all(kind == "torch.float32" and ndim == 1 and length > 60 for kind, ndim, length in observation["shapes"])
    train, val, test = (set(range(start, start + length)) if start >= 0 else set() for start, length in zip(starts, lengths, strict=True))
    known = min(starts) >= 0
    whole = not known or len(train | val | test) == observation["length"]
    own = fact("B", starts == sorted(starts), "the parts are not in order of time")
    if not known:
        own = "the steps of two_sines() were shuffled" if observation["shuffled"] else "the parts are no stretches of two_sines()"
    return parts_facts(
        right,
        fact("B", not train & val, "training and validation part share steps"),
        fact("B", whole, "steps of the series are left out"),
        fact("B", not test & (train | val), "the test part shares steps with another"),
        own,
        True,
    )


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
        apart = fact("C", observation["twice"] == observation["reserved"] == 0, "two words share an id, or a word has that of padding or <unk>")
        return statistics_facts(observation["size"] > 100, alone, apart)
    mean, deviation, scales = observation["mean"], observation["deviation"], observation["scales"]
    alone = bool((mean.abs() < EXACT).all()) and bool(((deviation - 1).abs() < EXACT * 2).all())
    same = all(torch.allclose(scale, scales[0], atol=2e-3) for scale in scales) and bool((scales[0][0] > 0).all())
    near = bool((mean.abs() < 0.05).all()) and bool(((deviation - 1).abs() < 0.05).all())
    if observation["option"] == "B":  # its raw values are nearly standardised
        near = fact("B", near and abs(float(scales[0][0]) - 1) > 1e-4, "the values are not divided by the deviation")
        same = same or min(float(scale[0]) for scale in scales) == 0  # no stretches: that is said elsewhere
    return statistics_facts(near, alone, fact(observation["option"], same, "another scale in each part"))


def statistics_facts(near, alone, same):
    return {
        "the training part has mean 0 and deviation 1, or there is a vocabulary of over 100 words": near,
        "mean and deviation, or the vocabulary, come from the training part alone": bool(alone),
        "they are the same for all three parts, or no two words share an id": same,
    }


def judge_step(observation):
    """Whether `augment`, `make_windows` or `encode` does what it should."""
    return {"A": augment_facts, "B": window_facts, "C": encode_facts}[observation["option"]](observation)


def step_facts(form, same, untouched, right):
    return {
        "shape and type are those asked for": form,
        "the same input, and generator, give the same": same,
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
    form = X.shape[1:] == (window, 1) and y.shape[1:] == (1,) and X.dtype == y.dtype == torch.float32
    form = fact("B", form, "not (N, window, 1) and (N, 1), float32")
    same = fact("B", torch.equal(X, seen["again"]), "the same series gives other windows")
    return step_facts(form, same, torch.equal(series, seen["input afterwards"]), windows_right(X, y, series, window))


def windows_right(X, y, series, window):
    """True, or what is wrong with the windows and the values after them."""
    count, pieces = len(series) - window, series.unfold(0, window + 1, 1)
    if X.ndim != 3 or y.ndim != 2 or X.shape[1:] != (window, 1) or y.shape[1] != 1:
        return f"X has the shape {tuple(X.shape)} and y {tuple(y.shape)}, but ({count}, {window}, 1) and ({count}, 1) are asked for"
    if len(X) == len(y) == count - 1 and torch.equal(y, pieces[: len(y), -1:]):
        return "the last window is missing"
    if len(X) == len(y) and len(X) in (count, count + 1) and torch.equal(y, X[:, -1]):
        return "the value to forecast is the last one of its own window"
    if len(X) == len(y) <= count and torch.equal(y, series[window + 1 :][: len(y), None]):
        return "the value to forecast is not the next one, but a later one"
    if len(X) != count or len(y) != count:
        return f"{len(X)} windows and {len(y)} values, but {count} of each are to be found"
    right = torch.equal(X[..., 0], pieces[:, :-1]) and torch.equal(y, pieces[:, -1:])
    return fact("B", right, "not every window with the value that follows it, in order")


def encode_facts(seen):
    ids = seen["ids"]
    form = ids.ndim == 2 and len(ids) == 5 and ids.dtype == torch.int64
    right = ids_right(ids, seen) if form else f"ids of shape {tuple(ids.shape)} and type {ids.dtype}, but (5, T) and torch.int64 are asked for"
    same = fact("C", torch.equal(ids, seen["again"]), "the same texts get other ids")
    return step_facts(fact("C", form, "not (N, T), long"), same, True, right)


def ids_right(ids, seen):
    """True, or what is wrong with the ids of five texts."""
    if not bool(((ids >= 0) & (ids < max(seen["size"], 2))).all()):
        return "ids lie outside of the vocabulary"
    if not bool((seen["alone"][seen["unknown"]] == 1).any()):
        return "a word that is not in the vocabulary does not become 1"
    if any(bool(((row != 0).int().diff() > 0).any()) for row in ids):
        return "a 0, which is padding, stands before the end of a text"
    for row, alone in zip(ids, seen["alone"], strict=True):  # alone, a text may be padded less, or to the same width
        own = alone[0]
        shorter = min(len(own), len(row))
        if row[shorter:].any() or own[shorter:].any():
            return "what fills up after a text is not 0"
        if not torch.equal(row[:shorter], own[:shorter]):
            return "the ids of a text depend on the other texts"
    return fact("C", len({tuple(row) for row in ids.tolist()}) >= 4 and ids[seen["long"]].any(), "different texts have the same ids")


# --- project_model -----------------------------------------------------------------------------------------------------------------


def judge_scores(observation):
    """Whether every network gives one row of raw scores (or one forecast) for each sample."""
    option, size = observation["option"], observation["size"]
    wide = {"A": 10, "B": 1, "C": 2}[option]
    form = raw = steady = alone = True  # each becomes False, or a sentence, at the first network of which it does not hold
    for seen in observation["networks"].values():
        outputs = seen["outputs"]
        fits = tuple(outputs.shape) == (size, wide) and outputs.dtype == torch.float32
        form = so_far(form, fact(option, fits, f"outputs of shape {tuple(outputs.shape)}, not {(size, wide)}"))
        raw = so_far(raw, fact(option, bool(torch.isfinite(outputs).all()), "outputs are not finite"))
        raw = so_far(raw, option == "B" or not (is_one(outputs.exp().sum(dim=1)) or is_one(outputs.sum(dim=1))))
        again = torch.equal(outputs, seen["again"]) or not bool(torch.isfinite(outputs).all())
        steady = steady and again
        if again:  # else nothing can be told from a comparison
            alone = so_far(alone, fact(option, like(seen["alone"], outputs[-1:]), "other samples in the batch change a result"))
            alone = so_far(alone, fact(option, "padded" not in seen or like(seen["padded"], outputs), "more padding changes a result"))
    return {
        "one row of the right length for each sample": form,
        "finite, raw scores: no softmax": raw,
        "in eval mode nothing is random": steady,
        "neither other samples nor padding change a result in eval mode": alone,
    }


def so_far(known, new):
    """What was wrong at an earlier network; else what is to be said of this one."""
    return new if known is True else known


def like(outputs, others):
    """Equal within what the order of sums may change; what is not finite is another fact's business."""
    return outputs.shape == others.shape and torch.allclose(outputs.nan_to_num(), others.nan_to_num(), atol=1e-4)


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
    bounded = any(observation["bounded"].values())
    return {
        "every call makes a new network": observation["made anew"],
        "scores and forecasts are free: they come below 0, and in option B below -1": not bounded,
        "every trainable parameter gets a gradient": not any(observation["without gradient"].values()),
        "40 steps on a dozen samples bring the loss down by half": bounded or (finite and all(min(v[-5:]) < 0.5 * v[0] for v in losses.values())),
    }
