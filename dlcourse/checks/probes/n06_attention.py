"""Probes of notebook 6, attention.

Modules start from random weights, so each probe first sets them to fixed values, by the attribute names that the exercise fixes.
"""

import itertools
import math

import torch
from torch import nn

from dlcourse.checks.observe import gradient, raised, watch
from dlcourse.checks.probe import probe
from dlcourse.checks.watch import ATTENTIONS


def spread(shape, seed: float) -> torch.Tensor:
    """Float64 numbers in [-1, 1] without a visible pattern, the same on every machine."""
    count = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
    return torch.sin(1.7 * count + 0.013 * count**2 + seed).reshape(tuple(shape))


@torch.no_grad()
def set_linear(layer, seed: float, gain: float = 1.5) -> None:
    """Fixed weights, and biases where there are any."""
    layer.weight.copy_(gain * spread(layer.weight.shape, seed) / math.sqrt(layer.weight.shape[-1]))
    if layer.bias is not None:
        layer.bias.copy_(0.5 * spread(layer.bias.shape, seed + 0.5))


@torch.no_grad()
def set_attention(module, seed: float, gain: float = 1.5) -> None:
    """Fixed weights of an `nn.MultiheadAttention`, or of the answer's own with `W_q`, `W_k`, `W_v`, `W_o`: the same for both."""
    if hasattr(module, "W_q"):
        for number, name in enumerate(("W_q", "W_k", "W_v", "W_o")):
            set_linear(getattr(module, name), seed + number, gain)
        return
    dim = module.embed_dim
    weights = [gain * spread((dim, dim), seed + number) / math.sqrt(dim) for number in range(3)]
    module.in_proj_weight.copy_(torch.cat(weights))
    if module.in_proj_bias is not None:
        module.in_proj_bias.copy_(torch.cat([0.5 * spread((dim,), seed + number + 0.5) for number in range(3)]))
    set_linear(module.out_proj, seed + 3, gain)


def mixed(output: torch.Tensor) -> torch.Tensor:
    """A scalar to which every entry of an output contributes differently."""
    return (output * spread(output.shape, 2.0).to(output.dtype)).sum()


def scattered(tensor: torch.Tensor) -> torch.Tensor:
    """The same values, not contiguous in memory."""
    return tensor.transpose(0, -1).contiguous().transpose(0, -1)


# --- seq2seq -----------------------------------------------------------------------------------------------------------------------


def shape_of(value):
    return list(value.shape) if isinstance(value, torch.Tensor) else f"an object of type {type(value).__name__}"


@probe
def seq2seq_shapes(answer, sizes, src, tgt):
    """The shapes of all that the three methods return; the vocabularies differ in size."""
    model = answer.Seq2Seq(*sizes)
    h, c = model.encode(src)
    logits, new_h, new_c = model.decode(tgt, h, c)
    return {
        "h of encode": shape_of(h), "c of encode": shape_of(c),
        "logits of decode": shape_of(logits), "h of decode": shape_of(new_h), "c of decode": shape_of(new_c),
        "what forward returns": shape_of(model(src, tgt)),
    }  # fmt: skip


def judge_state(observation, tgt_steps):
    """What the logits depend on, as facts."""

    def changed(name):
        return bool((observation[name].double() - observation["logits"].double()).abs().max() > 1e-7)

    own = observation["another source for the first sample"].double() - observation["forward"].double()
    facts = {
        "another source changes the logits": bool(own[0].abs().max() > 1e-7),
        "another source of one sample leaves the other samples alone": bool(own[1:].abs().max() < 1e-6),
        "another h given to decode changes the logits": changed("another h"),
        "another c given to decode changes the logits": changed("another c"),
        "forward equals encode, then decode": bool(
            torch.allclose(observation["forward"], observation["logits"], atol=1e-5)
        ),
    }
    later = observation["another last symbol"].double() - observation["logits"].double()
    facts["another last target symbol changes the last logits"] = bool(later[:, -1].abs().max() > 1e-7)
    facts["another last target symbol leaves the earlier logits alone"] = bool(
        later[:, : tgt_steps - 1].abs().max() < 1e-6
    )
    ended = observation["forward, another last symbol"].double() - observation["forward"].double()
    facts["another last target symbol changes the logits of forward"] = bool(ended.abs().max() > 1e-7)
    facts["every symbol of the source counts"] = all(
        bool((logits.double() - observation["forward"].double()).abs().max() > 1e-7)
        for logits in observation["forward, one source symbol changed"]
    )
    return facts


@probe(judge=judge_state)
def seq2seq_state(answer, sizes, src, tgt):
    """Logits with one thing changed at a time."""
    model = answer.Seq2Seq(*sizes).eval()
    other = src.clone()
    other[0] = (other[0] + 1) % sizes[0]
    sources = [src.clone() for _ in range(src.shape[1])]
    for place, changed in enumerate(sources):
        changed[:, place] = (changed[:, place] + 1) % sizes[0]
    ending = tgt.clone()
    ending[:, -1] = (ending[:, -1] + 1) % sizes[1]
    with torch.no_grad():
        h, c = model.encode(src)
        return {
            "logits": model.decode(tgt, h, c)[0],
            "forward": model(src, tgt),
            "another source for the first sample": model(other, tgt),
            "another last symbol": model.decode(ending, h, c)[0],
            "forward, another last symbol": model(src, ending),
            "forward, one source symbol changed": [model(changed, tgt) for changed in sources],
            "another h": model.decode(tgt, h + 0.5, c)[0],
            "another c": model.decode(tgt, h, c + 0.5)[0],
        }


def judge_pieces(observation):
    """Whether decoding in pieces comes to the same, and whether both halves of the state count."""

    def agree(name, other, tolerance=1e-5):
        return bool(torch.allclose(observation[name], observation[other], atol=tolerance))

    return {
        "symbol by symbol gives the same logits": agree("logits", "logits, symbol by symbol"),
        "h after all symbols is the same": agree("h", "h, symbol by symbol"),
        "c after all symbols is the same": agree("c", "c, symbol by symbol"),
        "decoding changes the state": not agree("h", "h of encode", 1e-6),
        "another h changes the logits": not agree("logits", "logits, another h", 1e-7),
        "another c changes the logits": not agree("logits", "logits, another c", 1e-7),
    }


@probe(judge=judge_pieces)
def seq2seq_pieces(answer, sizes, src, tgt):
    """A target decoded at once, and symbol by symbol with the returned state."""
    model = answer.Seq2Seq(*sizes).eval()
    with torch.no_grad():
        h, c = first = model.encode(src)
        logits, whole_h, whole_c = model.decode(tgt, h, c)
        seen = {
            "logits, another h": model.decode(tgt, h + 0.5, c)[0],
            "logits, another c": model.decode(tgt, h, c + 0.5)[0],
        }
        pieces = []
        for symbol in tgt.split(1, dim=1):
            piece, h, c = model.decode(symbol, h, c)
            pieces.append(piece)
    seen |= {"logits": logits, "h": whole_h, "c": whole_c, "h of encode": first[0]}
    return seen | {
        "logits, symbol by symbol": torch.cat(pieces, dim=1),
        "h, symbol by symbol": h,
        "c, symbol by symbol": c,
    }


def _rows_with_gradient(parameter, axis: int) -> list[int]:
    grad = parameter.grad.to_dense() if parameter.grad.is_sparse else parameter.grad
    return (grad.abs().sum(dim=1 - axis) > 0).nonzero().flatten().tolist()


def judge_tables(observation, source_symbols, target_symbols):
    """Whether one table of vectors serves source and target: then its gradient has rows of both, and no others.

    The row of the watched output may be among them, where the last layer has the same weights. Rows that a ReLU left over are any.
    """
    known = {*source_symbols, *target_symbols, observation["watched"]}
    both = [
        rows for rows, length in observation["rows that got a gradient"]
        if len(rows) < length and set(rows) & set(source_symbols) and set(rows) & set(target_symbols) and set(rows) <= known
    ]  # fmt: skip
    extremes = observation["logits with weights 100 times as large"]
    logits = observation["logits"].double()
    losses = observation["losses"]
    return {
        "source and target share an embedding": bool(both),
        "each row of logits sums to 1": bool((logits.sum(-1) - 1).abs().max() < 1e-4),
        "the exponentials of each row sum to 1": bool(logits.logsumexp(-1).abs().max() < 1e-4),
        "every logit lies between 0 and 1": bool(((logits > 0) & (logits < 1)).all()),
        "the loss falls in training": bool(losses[-1] < 0.8 * losses[0]),
        "logits may have any size and sign": bool(extremes.min() < -1.5 and extremes.max() > 1.5),
        "the same input gives the same logits in training": observation[
            "the same input gives the same logits in training"
        ],
        "the gradient of forward's logits reaches the encoder": observation["the gradient reaches the encoder"],
        "another source changes the logits": observation["another source changes the logits"],
        "encoder and decoder share weights": observation["shared weights"],
        "encode returns the last h and c of an LSTM": observation["encode returns the last h and c of its LSTM"],
    }


def _encoder_weights(model, sizes, src, tgt) -> dict:
    """Which weights encode and decode use, as gradients, and whether encode returns what its LSTM ended with (if it is an `nn.LSTM`)."""
    ended = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: ended.append(output[1]))
        for module in model.modules() if isinstance(module, nn.LSTM)
    ]  # fmt: skip
    h, c = model.encode(src)
    for hook in hooks:
        hook.remove()
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def gradients(output):
        if not output.requires_grad:
            return [None] * len(weights)
        return torch.autograd.grad(output, weights, allow_unused=True)

    logits = model.decode(tgt, h.detach(), c.detach())[0]
    read, written = gradients(mixed(h) + mixed(c)), gradients(mixed(logits))
    whole = gradients(mixed(model(src, tgt)))
    reaches = [together is not None for own, together in zip(read, whole, strict=True) if own is not None]
    shared = [
        bool(((one.to_dense() != 0) & (other.to_dense() != 0)).any())
        for one, other in zip(read, written, strict=True) if one is not None and other is not None
    ]  # fmt: skip
    last = not ended or all(
        one.shape == other.shape and torch.allclose(one, other) for one, other in zip((h, c), ended[-1], strict=True)
    )
    return {
        "the gradient reaches the encoder": h.requires_grad and c.requires_grad and bool(reaches) and all(reaches),
        "shared weights": any(shared),
        "encode returns the last h and c of its LSTM": bool(last),
    }


@probe(judge=judge_tables)
def seq2seq_learning(answer, sizes, src, tgt, labels, watched):
    """Which rows of which weights get a gradient from one output, and the losses of six steps on one batch."""
    model = answer.Seq2Seq(*sizes)
    seen = _encoder_weights(model, sizes, src, tgt)
    logits = model(src, tgt)
    seen["the same input gives the same logits in training"] = bool(torch.allclose(model(src, tgt), logits, atol=1e-6))
    other = model(src.roll(1, dims=1), tgt)
    seen["another source changes the logits"] = bool((other - logits).abs().max() > 1e-7)
    logits[..., watched].sum().backward()
    rows = []
    for parameter in model.parameters():
        if parameter.grad is not None and parameter.ndim == 2:
            rows += [[_rows_with_gradient(parameter, axis), parameter.shape[axis]] for axis in (0, 1)]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    losses = []
    for _ in range(6):
        loss = nn.functional.cross_entropy(model(src, tgt).flatten(0, 1), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(100)
        extremes = model(src, tgt)
    seen |= {"logits with weights 100 times as large": extremes, "watched": watched}
    return seen | {"rows that got a gradient": rows, "logits": logits, "losses": losses}


# --- additive_attention ------------------------------------------------------------------------------------------------------------


@probe
def additive(answer, hidden, encoder_outputs, mask=None, seed=0.0, contiguous=True):
    """Context and weights with fixed layers; gradients where every row has something to attend to."""
    module = answer.AdditiveAttention(hidden.shape[-1]).to(hidden.dtype)  # in training: there is no dropout in it
    set_linear(module.attn, seed, gain=2.0)
    set_linear(module.v, seed + 1, gain=4.0)
    if not contiguous:
        encoder_outputs = scattered(encoder_outputs)
    hidden, encoder_outputs = hidden.requires_grad_(), encoder_outputs.requires_grad_()
    context, weights = module(hidden, encoder_outputs) if mask is None else module(hidden, encoder_outputs, mask)
    seen = {"weights": weights, "context": context}
    if mask is None or bool(mask.any(dim=-1).all()):
        seen["gradients of hidden and encoder_outputs"] = gradient(mixed(context), hidden, encoder_outputs)
    return seen


# --- scaled_dot_product_attention and masks ----------------------------------------------------------------------------------------


@probe
def dot_product(answer, query, key, value, mask=None, contiguous=True):
    """Output and weights, gradients, and torch's own attention if it ran."""
    if not contiguous:
        query, key, value = scattered(query), scattered(key), scattered(value)
    query, key, value = query.requires_grad_(), key.requires_grad_(), value.requires_grad_()
    with watch(*ATTENTIONS) as calls:
        if mask is None:
            output, weights = answer.scaled_dot_product_attention(query, key, value)
        else:
            output, weights = answer.scaled_dot_product_attention(query, key, value, mask)
    return {
        "weights": weights, "output": output,
        "gradients of query, key and value": gradient(mixed(output), query, key, value),
        "forbidden calls": calls.banned,
    }  # fmt: skip


def judge_mask(observation, shape):
    """Shape, kind and entries of a mask as facts of their own, so that each can be wrong alone."""
    mask, (rows, columns) = observation["mask"], shape
    if not isinstance(mask, torch.Tensor):
        return {"a tensor": False}
    fits = mask.numel() == rows * columns
    device = {name: observation[name] for name in ("on the device of lengths",) if name in observation}
    return device | {
        "a tensor": True,
        "boolean": mask.dtype == torch.bool,
        "shape": list(mask.shape),
        "may attend": mask.reshape(rows, columns).bool() if fits else f"{mask.numel()} entries",
    }


@probe(judge=judge_mask)
def padding(answer, lengths, max_len, double=False):
    """The mask of some lengths; perhaps under another default dtype."""
    if double:
        torch.set_default_dtype(torch.float64)
    try:  # a tensor without data, on a device of its own; not every right answer can do without the data
        elsewhere = answer.padding_mask(lengths.to("meta"), max_len).device.type == "meta"
    except Exception as error:
        elsewhere = "same device" not in str(error) and "expected device" not in str(error)
    return {"mask": answer.padding_mask(lengths, max_len), "on the device of lengths": elsewhere}


@probe(judge=judge_mask)
def causal(answer, size, double=False):
    """The mask of a size; perhaps under another default dtype."""
    if double:
        torch.set_default_dtype(torch.float64)
    return {"mask": answer.causal_mask(size)}


# --- self_attention ----------------------------------------------------------------------------------------------------------------


@probe
def self_attend(answer, x, mask=None, seed=0.0, contiguous=True):
    """Output, weights and gradients with fixed projections."""
    module = answer.SelfAttention(x.shape[-1]).to(x.dtype)
    for number, layer in enumerate((module.query, module.key, module.value)):
        set_linear(layer, seed + number)
    x = (x if contiguous else scattered(x)).requires_grad_()
    output, weights = module(x) if mask is None else module(x, mask)
    return {"weights": weights, "output": output, "gradient of x": gradient(mixed(output), x)}


# --- multi_head_attention ----------------------------------------------------------------------------------------------------------


@probe
def multi_head(answer, num_heads, query, key, value, mask=None, seed=0.0, contiguous=True):
    """Output, weights of every head and gradients with fixed projections."""
    module = answer.MultiHeadAttention(query.shape[-1], num_heads).to(query.dtype)  # in training: dropout is 0
    set_attention(module, seed)
    if not contiguous:
        query, key, value = scattered(query), scattered(key), scattered(value)
    query, key, value = query.requires_grad_(), key.requires_grad_(), value.requires_grad_()
    output, weights = module(query, key, value) if mask is None else module(query, key, value, mask)
    return {
        "weights": weights, "output": output,
        "gradients of query, key and value": gradient(mixed(output), query, key, value),
    }  # fmt: skip


def judge_dropout(observation, p):
    """The weights that were used are 0 or weight / (1 - p), if and only if they were dropped, and nothing else was.

    Where other weights are used in evaluation already, and always the same ones, what is dropped cannot be told and counts as right.
    """
    weights, dropped = (
        observation["weights in evaluation"].double(),
        observation["weights that were used in training"].double(),
    )
    returned, evaluation = (
        observation["weights returned in training"],
        observation["weights that were used in evaluation"],
    )
    kept = dropped.abs() > 1e-6
    share = float(kept.double().mean())
    same_weights, steady = (
        torch.allclose(evaluation.double(), weights, atol=1e-4),
        observation["evaluation gives the same output again"],
    )
    found = {
        "the weights returned in training are those before dropout": bool(
            torch.allclose(returned, weights.to(returned.dtype), atol=1e-5)
        ),
        "in evaluation nothing is dropped": same_weights or steady,
        "training gives another output than evaluation": not torch.allclose(dropped, evaluation.double(), atol=1e-6),
        "some weights are dropped in training": share < 1,
        "the share that is dropped": "right"
        if abs(1 - share - p) < 0.15
        else "too small"
        if 1 - share < p
        else "too large",
        "what is kept is the weight divided by 1 - p": bool(
            torch.allclose(dropped[kept], (weights / (1 - p))[kept], atol=1e-4)
        ),
    }
    if steady and not same_weights:
        found |= {
            "training gives another output than evaluation": True, "some weights are dropped in training": True,
            "the share that is dropped": "right", "what is kept is the weight divided by 1 - p": True,
        }  # fmt: skip
    return found | {"weights that were used in evaluation": evaluation if steady else "others each time"}


@probe(judge=judge_dropout)
def multi_head_dropout(answer, num_heads, x, p, seed=0.0):
    """Weights in evaluation and in training, and the weights that were really used, read off the output.

    There are as many places as features in a head, so the values form a square matrix: it is undone here, and W_o before it.
    """
    places, dim = x.shape[1:]
    module = answer.MultiHeadAttention(dim, num_heads, p).double()
    set_attention(module, seed)
    with torch.no_grad():
        module.W_v.weight.zero_()
        module.W_v.bias.zero_()
        values = 2 * torch.eye(places, dtype=torch.float64) + spread((places, places), seed)
        module.W_v.weight[:, :places] = values.T.repeat(num_heads, 1)
        module.W_o.weight.add_(2 * torch.eye(dim, dtype=torch.float64))
        value = torch.zeros_like(x)
        value[:, :, :places] = torch.eye(places, dtype=torch.float64)

        def run():
            output, weights = module(x, x, value)
            joined = (output - module.W_o.bias) @ torch.linalg.inv(module.W_o.weight).T  # (B, T, D)
            return weights, joined.unflatten(-1, (num_heads, places)).transpose(1, 2) @ torch.linalg.inv(values)

        module.eval()
        weights, used = run()
        again = bool(torch.allclose(run()[1], used))
        module.train()
        returned, dropped = run()
    return {"weights in evaluation": weights, "weights that were used in evaluation": used, "evaluation gives the same output again": again,
            "weights returned in training": returned, "weights that were used in training": dropped}  # fmt: skip


@probe
def multi_head_sizes(answer, right, wrong):
    """Which exception `MultiHeadAttention(d_model, num_heads)` raises for sizes that divide and sizes that do not."""
    return {
        f"d_model={right[0]}, num_heads={right[1]} raises": raised(answer.MultiHeadAttention, *right),
        f"d_model={wrong[0]}, num_heads={wrong[1]} raises": raised(answer.MultiHeadAttention, *wrong),
    }


# --- lstm_with_attention -----------------------------------------------------------------------------------------------------------


def build_lstm(answer, sizes, seed):
    """The answer's model with fixed weights; sizes are input, hidden, layers, classes, heads."""
    return fixed_lstm(answer.LSTMWithAttention(*sizes, dropout=0.5), seed)


def fixed_lstm(model, seed):
    with torch.no_grad():
        for number, (_, parameter) in enumerate(sorted(model.lstm.named_parameters())):
            parameter.copy_(0.8 * spread(parameter.shape, seed + number))
        model.layer_norm.weight.copy_(1 + 0.3 * spread(model.layer_norm.weight.shape, seed + 0.1))
        model.layer_norm.bias.copy_(0.3 * spread(model.layer_norm.bias.shape, seed + 0.2))
    set_attention(model.attention, seed + 0.3, gain=2.5)
    set_linear(model.fc, seed + 0.4)
    return model


@probe
def lstm_logits(answer, sizes, x, seed=0.0):
    """Logits in evaluation, and the gradient of the input."""
    model = build_lstm(answer, sizes, seed).eval()
    x = x.requires_grad_()
    logits = model(x)
    return {"logits": logits, "gradient of x": gradient(mixed(logits), x)}


def _amount(features, expected: float, bound: float) -> str:
    share = float((features == 0).double().mean())
    if share < 0.01:
        return "none"
    return (
        "too few"
        if share < expected - bound
        else "too many"
        if share > expected + bound
        else "as many as there should be"
    )


def judge_lstm_dropout(observation):
    trained, evaluated = observation["what fc reads in training"], observation["what fc reads in evaluation"]
    return {
        "features before fc that are dropped in training, with dropout=0.5": _amount(trained, 0.5, 0.15),
        "none in evaluation": not bool((evaluated == 0).any()),
        "logits of a model made without arguments": observation["logits of a model made without arguments"],
        "features before fc that are dropped in training, in a model made without arguments": _amount(
            observation["what fc reads without arguments"], 0.3, 0.13
        ),
    }


@probe(judge=judge_lstm_dropout)
def lstm_dropout(answer, sizes, x, series, seed=0.0):
    """What the last layer reads, in training and in evaluation."""
    model = build_lstm(answer, sizes, seed)
    read = []
    model.fc.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0].detach()))
    with torch.no_grad():
        model.train()(x)
        model.eval()(x)
        default = fixed_lstm(answer.LSTMWithAttention(), seed)
        logits = default.eval()(series)
        default.fc.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0].detach()))
        default.train()(series.repeat(4, 1, 1))
    return {"what fc reads in training": read[0], "what fc reads in evaluation": read[1],
            "logits of a model made without arguments": logits, "what fc reads without arguments": read[2]}  # fmt: skip


# --- head_statistics ---------------------------------------------------------------------------------------------------------------


@probe
def statistics(answer, weights, names, contiguous=True):
    """The statistics asked for by name."""
    weights = weights if contiguous else weights.mT.contiguous().mT
    before = weights.clone()
    found = answer.head_statistics(weights)
    return {name: found[name] for name in names} | {"weights are left as they were": torch.equal(before, weights)}


# --- plot_attention ----------------------------------------------------------------------------------------------------------------


def _edges(artist):
    """Values (rows, columns) of a heat map, and the edges of its columns along x and of its rows along y."""
    values = torch.as_tensor(
        artist.get_array().filled(math.nan) if hasattr(artist.get_array(), "filled") else artist.get_array()
    ).double()
    if hasattr(artist, "get_extent"):
        left, right, bottom, top = artist.get_extent()
        first, last = (top, bottom) if artist.origin == "upper" else (bottom, top)
        rows, columns = values.shape[:2]
        return values, torch.linspace(left, right, columns + 1).tolist(), torch.linspace(first, last, rows + 1).tolist()
    corners = artist.get_coordinates()
    values = values.reshape(corners.shape[0] - 1, corners.shape[1] - 1)
    return values, corners[0, :, 0].tolist(), corners[:, 0, 1].tolist()


def _labels(axis, coordinate: int) -> list:
    """The visible tick labels of an axis as [place, text]."""
    low, high = sorted(axis.get_view_interval())
    found = []
    for text in axis.get_majorticklabels() + axis.get_minorticklabels():
        place = float(text.get_position()[coordinate])
        if (
            text.get_text().strip()
            and text.get_visible()
            and low - 1e-6 <= place <= high + 1e-6
            and [place, text.get_text()] not in found
        ):
            found.append([place, text.get_text()])
    return sorted(found)


def _in_order(labels: list, tokens: list) -> list:
    """Labels by place; turned round if that is the order of the tokens."""
    return (
        labels[::-1]
        if [text for _, text in labels][::-1] == tokens and [text for _, text in labels] != tokens
        else labels
    )


def _cell(edges: list, place: float):
    """The number of the cell that has a place near its middle, else None."""
    for number, (one, other) in enumerate(itertools.pairwise(edges)):
        if abs(place - (one + other) / 2) <= 0.3 * abs(other - one):
            return number
    return None


def judge_plot(observation, query_tokens, key_tokens):
    """The weight that the picture shows for each pair of labels, whichever way round it is drawn."""
    along_x, along_y = (
        _in_order(observation["labels along x"], key_tokens),
        _in_order(observation["labels along y"], query_tokens),
    )
    drawn = "no heat map on these axes"
    if observation["heat maps"]:
        values, x_edges, y_edges = observation["heat maps"][0]
        columns, rows = [_cell(x_edges, place) for place, _ in along_x], [_cell(y_edges, place) for place, _ in along_y]
        drawn = "a label is not at the middle of a cell"
        if any(
            not min(edges) - 1e-6 <= place <= max(edges) + 1e-6
            for labels, edges in ((along_x, x_edges), (along_y, y_edges)) for place, _ in labels
        ):  # fmt: skip
            drawn = "a label is outside the heat map"
        if None not in columns and None not in rows and values.ndim == 2:
            drawn = values[rows][:, columns].float()
    return {
        "labels along x": [text for _, text in along_x],
        "labels along y": [text for _, text in along_y],
        "weight drawn for each pair of labels": drawn,
        "a colour bar": observation["colour bar"],
        "a title": bool(observation["title"].strip()),
        "returns the Axes drawn on": observation["returns the Axes"],
        "calls of show()": observation["calls of show"],
    }


@probe(judge=judge_plot)
def attention_plot(answer, weights, query_tokens, key_tokens, given=True, requires_grad=False):
    """What stands on the axes: labels with their places, heat maps with their edges, colour bar, title."""
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    if requires_grad:
        weights = weights.clone().requires_grad_() * 1.0
    shown, show = [], plt.show
    plt.show = lambda *args, **kwargs: shown.append(1)
    try:
        with plt.rc_context({"figure.constrained_layout.use": False}):  # else tight_layout fails after a colour bar
            ax = plt.subplots(1, 2)[1][0] if given else None  # the left one; pyplot's current axes are the right one
            where = {"ax": ax} if given else {}
            result = answer.plot_attention(weights, query_tokens, key_tokens, **where)
    finally:
        plt.show = show
    axes = ax if given else result if isinstance(result, Axes) else plt.gca()
    maps = [
        artist
        for artist in [*axes.images, *axes.collections]
        if hasattr(artist, "get_extent") or hasattr(artist, "get_coordinates")
    ]
    bars = [other for other in axes.figure.axes if hasattr(other, "_colorbar")]
    super_title = axes.figure.get_suptitle() if hasattr(axes.figure, "get_suptitle") else ""
    return {
        "labels along x": _labels(axes.xaxis, 0),
        "labels along y": _labels(axes.yaxis, 1),
        "heat maps": [list(_edges(artist)) for artist in maps],
        "colour bar": bool(bars)
        or any(
            getattr(artist, "colorbar", None) is not None and artist.colorbar.ax.figure is axes.figure
            for artist in maps
        ),
        "title": " ".join([*(axes.get_title(loc) for loc in ("left", "center", "right")), super_title]),
        "returns the Axes": isinstance(result, Axes) and result is axes,
        "calls of show": len(shown),
    }
