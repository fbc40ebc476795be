"""Probes of notebook 7, transformers.

Blocks, whose attribute names the exercises fix, get fixed weights and are compared in eval mode. The models that are built from them
are free inside: they are judged by what changes their outputs, and what does not.
"""

import inspect
import itertools
import math
import weakref

import torch
from torch import nn
from torch.nn import functional as F

from dlcourse.checks.observe import gradient, raised
from dlcourse.checks.probe import probe
from dlcourse.checks.probes.n06_attention import mixed, set_attention, set_linear, shape_of, spread

CHANGED = 1e-5  # outputs that differ by more have changed
SAME = 1e-4  # outputs that differ by less are the same but for rounding


@torch.no_grad()
def jitter(model, scale: float = 0.1):
    """Move every parameter a little, the same on every machine, so that none stays at a zero it started from."""
    for number, parameter in enumerate(model.parameters()):
        parameter.add_(scale * spread(parameter.shape, float(number)).to(parameter.dtype))
    return model


def distance(one, other) -> float:
    """The largest difference of two tensors; infinite where their shapes differ or a NaN is among them."""
    if one.shape != other.shape:
        return math.inf
    largest = (one.double() - other.double()).abs().max().item() if one.numel() else 0.0
    return math.inf if math.isnan(largest) else largest


def changed(one, other) -> bool:
    return distance(one, other) > CHANGED


def same(one, other) -> bool:
    return distance(one, other) < SAME


def finite(tensor) -> bool:
    return bool(tensor.isfinite().all())


@torch.no_grad()
def enlarged(model, factor: float = 10.0):
    """The model itself with weights so large that raw logits cannot all lie between 0 and 1, nor add up to 1, by chance."""
    for parameter in model.parameters():
        parameter.mul_(factor)
    return model


def defaults(function, *names) -> list:
    """The default values of these arguments; None for one that is not found."""
    found = inspect.signature(function).parameters
    values = [found[name].default if name in found else None for name in names]
    return [None if value is inspect.Parameter.empty else value for value in values]


def softmaxed(logits) -> dict:
    """Whether the logits of an enlarged model look like the output of a softmax, a sigmoid or a ReLU, in four facts."""
    logits = logits.double()
    return {
        "each row of logits sums to 1": bool((logits.sum(-1) - 1).abs().max() < 1e-4),
        "the exponentials of each row sum to 1": bool(logits.logsumexp(-1).abs().max() < 1e-4),
        "every logit lies between 0 and 1": bool(((logits >= 0) & (logits <= 1)).all()),
        "some logits are exactly 0": bool((logits == 0).any()),
    }


# --- positional_encoding -----------------------------------------------------------------------------------------------------------


@probe
def positions_table(answer, d_model, max_len, start, stop):
    """Some rows of the table, and what is registered as a buffer and as parameters."""
    module = answer.PositionalEncoding(d_model, max_len)
    buffers = dict(module.named_buffers())
    return {
        "shape of pe": shape_of(module.pe),
        "pe is a buffer": "pe" in buffers,
        "parameters": [name for name, _ in module.named_parameters()],
        f"rows {start} to {stop - 1} of pe": module.pe.detach().flatten(0, -2)[start:stop],
    }


@probe
def positions_added(answer, max_len, x):
    """The output in evaluation, the gradient of the input, and whether the input was left alone."""
    module = answer.PositionalEncoding(x.shape[-1], max_len, dropout=0.5).eval()
    before, x = x.clone(), x.requires_grad_()
    given = x * 1.0
    output = module(given)
    return {
        "output": output,
        "gradient of x": gradient(mixed(output), x),
        "x is as before": bool(torch.equal(given, before)),
    }


@probe
def positions_limit(answer, d_model, max_len):
    """Which exception each length raises, from short to too long; and the defaults."""
    module = answer.PositionalEncoding(d_model, max_len)
    lengths = {
        f"{steps} steps with max_len {max_len} raise": raised(module, torch.zeros(2, steps, d_model))
        for steps in (1, max_len - 1, max_len, max_len + 1)
    }
    return {**lengths, "defaults of max_len and dropout": defaults(answer.PositionalEncoding, "max_len", "dropout")}


def judge_positions_dropout(observation, p):
    """With dropout p the sum is dropped as a whole: 0, or itself over 1 - p."""
    trained, evaluated = observation["output in training"].double(), observation["output in evaluation"].double()
    share = float((trained == 0).double().mean())
    kept = trained != 0
    factors = (trained / evaluated)[kept]
    return {
        "no sum is 0 in evaluation": bool((evaluated != 0).all()),
        "some sums are 0 in training": share > 0.05,
        f"about {p:.0%} of the sums are 0 in training": abs(share - p) < 0.1,
        "what is kept is the sum divided by 1 - p": bool(
            torch.allclose(trained[kept], (evaluated / (1 - p))[kept], atol=1e-4)
        ),
        "what is kept is the sum times one number": bool(factors.numel() and factors.max() - factors.min() < 1e-3),
        "whole steps or whole features are dropped": any(
            (trained == 0).all(dim=axis).double().mean() > 0.1 for axis in (1, 2)
        ),
    }


@probe(judge=judge_positions_dropout)
def positions_dropout(answer, x, p):
    """The output in training and in evaluation."""
    module = answer.PositionalEncoding(x.shape[-1], x.shape[1], p)
    return {"output in training": module.train()(x.clone()), "output in evaluation": module.eval()(x.clone())}


# --- rotary ------------------------------------------------------------------------------------------------------------------------


@probe
def rotated(answer, x, base=None):
    """The rotated tensor, its gradient, and whether x was left alone."""
    before, x = x.clone(), x.requires_grad_()
    given = x * 1.0
    output = answer.apply_rotary(given) if base is None else answer.apply_rotary(given, base)
    return {
        "output": output,
        "gradient of x": gradient(mixed(output), x),
        "x is as before": bool(torch.equal(given, before)),
    }


# --- encoder_block and decoder_block -----------------------------------------------------------------------------------------------


def linears(ffn) -> list:
    return [module for module in ffn.modules() if isinstance(module, nn.Linear)]


def fixed_block(block, seed: float):
    """A block with fixed weights, in eval mode."""
    for number, name in enumerate(("self_attn", "cross_attn")):
        if name == "self_attn" or hasattr(block, name):
            set_attention(getattr(block, name), seed + 10 * number)
    for number, layer in enumerate(linears(block.ffn)):
        set_linear(layer, seed + 20 + number, gain=2.0)
    for number, name in enumerate(("norm1", "norm2", "norm3")):
        if name != "norm3" or hasattr(block, name):
            norm = getattr(block, name)
            with torch.no_grad():
                norm.weight.copy_(1 + 0.4 * spread(norm.weight.shape, seed + 30 + number))
                norm.bias.copy_(0.4 * spread(norm.bias.shape, seed + 40 + number))
    return block.eval()


def ffn_shapes(block) -> list:
    return [[layer.in_features, layer.out_features] for layer in linears(block.ffn)]


@probe
def encoder_output(answer, sizes, x, key_padding_mask=None, seed=0.0):
    """Output, weights and gradient with fixed weights; sizes are d_model, num_heads, d_ff."""
    block = fixed_block(answer.TransformerEncoderBlock(*sizes, dropout=0.4).to(x.dtype), seed)
    x = x.requires_grad_()
    output, weights = block(x) if key_padding_mask is None else block(x, key_padding_mask)
    return {
        "weights": weights, "output": output, "gradient of x": gradient(mixed(output), x),
        "linear layers in ffn (in, out)": ffn_shapes(block),
    }  # fmt: skip


@probe
def decoder_output(answer, sizes, x, memory, memory_key_padding_mask=None, seed=0.0):
    """Output and gradients with fixed weights; sizes are d_model, num_heads, d_ff."""
    block = fixed_block(answer.TransformerDecoderBlock(*sizes, dropout=0.4).to(x.dtype), seed)
    x, memory = x.requires_grad_(), memory.requires_grad_()
    output = block(x, memory) if memory_key_padding_mask is None else block(x, memory, memory_key_padding_mask)
    return {
        "output": output, "gradients of x and memory": gradient(mixed(output), x, memory),
        "linear layers in ffn (in, out)": ffn_shapes(block),
    }  # fmt: skip


def judge_causal_block(observation, place):
    """What moves when x, or the memory, changes at one place."""
    output = observation["output"]
    return {
        "another x at one place leaves all earlier outputs alone": same(
            output[:, :place], observation["another x"][:, :place]
        ),
        "it changes the output at that place": changed(output[:, place], observation["another x"][:, place]),
        "it changes the outputs after that place": changed(
            output[:, place + 1 :], observation["another x"][:, place + 1 :]
        ),
        "another memory changes the first output": changed(output[:, 0], observation["another memory"][:, 0]),
        "another memory changes the last output": changed(output[:, -1], observation["another memory"][:, -1]),
        "hidden memory changes nothing": same(output, observation["another hidden memory"]),
        "a sample alone gives the same as in the batch": same(output[:1], observation["first sample alone"]),
        "every output is finite": finite(output),
        "evaluation gives the same twice": bool(torch.allclose(output, observation["again"], atol=SAME, equal_nan=True)),
        "x and memory are as before": observation["x and memory are as before"],
    }


@probe(judge=judge_causal_block)
def decoder_causality(answer, sizes, x, memory, memory_key_padding_mask, place, seed=0.0):
    """Outputs with one thing changed at a time; the last place of the memory is hidden."""
    block = fixed_block(answer.TransformerDecoderBlock(*sizes, dropout=0.4), seed)
    other_x, other_memory, other_hidden = x.clone(), memory.clone(), memory.clone()
    other_x[:, place] += spread(x[:, place].shape, seed).float()
    other_memory[:, -2] += spread(memory[:, -2].shape, seed).float()
    other_hidden[:, -1] += spread(memory[:, -1].shape, seed).float()
    given_x, given_memory = x.clone(), memory.clone()
    with torch.no_grad():
        output = block(given_x, given_memory, memory_key_padding_mask)
        return {
            "output": output,
            "x and memory are as before": bool(torch.equal(given_x, x) and torch.equal(given_memory, memory)),
            "again": block(x.clone(), memory.clone(), memory_key_padding_mask),
            "another x": block(other_x, memory.clone(), memory_key_padding_mask),
            "another memory": block(x.clone(), other_memory, memory_key_padding_mask),
            "another hidden memory": block(x.clone(), other_hidden, memory_key_padding_mask),
            "first sample alone": block(x[:1], memory[:1], memory_key_padding_mask[:1]),
        }


# --- transformer_classifier --------------------------------------------------------------------------------------------------------


def tensors_in(value):
    """All tensors in nested tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from tensors_in(entry)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def states_seen(model, call, size):
    """What `call()` returns, and every (batch, places, features) tensor that a module took or gave meanwhile, in order; axes sorted so."""
    seen, hooks = [], []

    def look(*values):
        for tensor in tensors_in(values):
            if tensor.ndim == 3 and sorted(tensor.shape) == sorted(size) and tensor.is_floating_point():
                seen.append((tensor, [list(tensor.shape).index(length) for length in size]))

    for module in model.modules():
        hooks.append(
            module.register_forward_pre_hook(lambda module, inputs, settings: look(inputs, settings), with_kwargs=True)
        )
        hooks.append(module.register_forward_hook(lambda module, inputs, output: look(output)))
    try:
        return call(), seen
    finally:
        for hook in hooks:
            hook.remove()


def places_with_gradient(output, tensor, axes) -> list:
    """The places of a state tensor on which a scalar depends."""
    grad = torch.autograd.grad(output, tensor, allow_unused=True, retain_graph=True)[0]
    if grad is None:
        return []
    return (grad.permute(axes).abs().amax(dim=(0, 2)) > 1e-9).nonzero().flatten().tolist()


def places_of(cls_token, states) -> list:
    """The places of the last sample's states that depend on the CLS token."""
    if not states.requires_grad:
        return []
    grads = [
        torch.autograd.grad(mixed(states[-1:, place]), cls_token, allow_unused=True, retain_graph=True)[0]
        for place in range(states.shape[1])
    ]
    return [place for place, grad in enumerate(grads) if grad is not None and bool(grad.abs().max() > 1e-9)]


def judge_classifier(observation, classes):
    """What the logits depend on."""
    logits = observation["logits"]
    found = observation["places read"], observation["places of the CLS"]
    return {
        "shape of the logits": list(logits.shape),
        "cls_token": observation["cls_token"],
        "places at which cls_token stands": found[1],
        "places of the last states that the logits read": found[0],
        "other data change the logits": changed(logits, observation["other data"]),
        "another order of the steps changes the logits": changed(logits, observation["permuted"]),
        "shape of the logits of one sample": shape_of(observation["last sample alone"]),
        "a sample alone gives the same as in the batch": same(logits[-1:], observation["last sample alone"]),
        "evaluation gives the same twice": same(logits, observation["again"]),
        **softmaxed(observation["logits with large weights"]),
    }


@probe(judge=judge_classifier)
def classifier_states(answer, settings, x, order):
    """Logits, and what they and the states depend on."""
    model = jitter(answer.TransformerClassifier(**settings)).eval()
    cls_token, dim = model.cls_token, settings["d_model"]
    size = (len(x), x.shape[1] + 1, dim)
    logits, seen = states_seen(model, lambda: model(x), size)
    of_all = logits
    if not seen:  # it may work on one sample after the other
        size = (1, *size[1:])
        of_all, seen = states_seen(model, lambda: model(x[-1:]), size)
    kind = (
        "a trained parameter" if isinstance(cls_token, nn.Parameter) and cls_token.requires_grad else "not a parameter"
    )
    read = stands = "no states of T + 1 places were seen"
    if seen:
        read = places_with_gradient(mixed(of_all), *seen[-1])
        stands = "not found"
        if kind == "a trained parameter":
            found = (places_of(cls_token, tensor.permute(axes)) for tensor, axes in seen)
            stands = next((places for places in found if places), [])  # the first may be a table of positions
    with torch.no_grad():
        return {
            "logits": logits, "cls_token": f"{kind} {list(cls_token.shape)}", "places read": read, "places of the CLS": stands,
            "permuted": model(x[:, order]), "other data": model(x + spread(x.shape, 3.0).float()), "last sample alone": model(x[-1:]), "again": model(x),
            "logits with large weights": enlarged(model)(x),  # the last, because it changes the model
        }  # fmt: skip


@probe
def classifier_lengths(answer, settings, input_size, max_len):
    """Which exception each length raises."""
    model = answer.TransformerClassifier(**settings, input_size=input_size, max_len=max_len).eval()
    return {
        f"{steps} steps with max_len {max_len} raise": raised(model, torch.zeros(2, steps, input_size))
        for steps in (1, max_len, max_len + 1)
    }


def block_parameters(d_model: int, d_ff: int, attentions: int) -> int:
    """Weights and biases of a standard block: attentions, feed-forward network, a norm for each sub-layer."""
    attention = 4 * (d_model**2 + d_model)
    return attentions * (attention + 2 * d_model) + 2 * d_model * d_ff + d_ff + 3 * d_model


def parameters(model, call) -> list:
    """How many parameters are registered, and on how many of them the output of `call()` depends."""
    model.zero_grad()
    mixed(call()).backward()
    sizes = [(parameter.numel(), parameter.grad is not None) for parameter in model.parameters()]
    return [sum(size for size, _ in sizes), sum(size for size, used in sizes if used)]


def heads_of(model) -> list:
    """The numbers of heads of torch's attentions, where a model has them."""
    return sorted({module.num_heads for module in model.modules() if isinstance(module, nn.MultiheadAttention)})


def attentions_in_use(model) -> int:
    """How many of torch's attentions got a gradient in the last backward pass."""
    return sum(
        module.out_proj.weight.grad is not None for module in model.modules() if isinstance(module, nn.MultiheadAttention)
    )


def judge_layers(observation, d_model, num_heads, d_ff, attentions):
    """Whether one layer, and each further one, brings the parameters of its blocks into use, within a tenth."""
    (all_of_one, one), (all_of_three, three) = (observation[f"parameters with {count}"] for count in ("one layer", "three layers"))
    wanted = sum(block_parameters(d_model, d_ff, count) for count in attentions)
    share = (three - one) / (2 * wanted)
    added = "those of its blocks" if 0.9 < share < 1.1 else "none" if share < 0.01 else "more" if share > 1 else "fewer"
    shown = {key: value for key, value in observation.items() if not key.startswith(("parameters", "heads", "attentions"))}
    attentions_of_one, attentions_of_three = observation["attentions in use"]
    return {
        "parameters in use that a further layer adds": added,
        "a further layer has parameters, in use or not": all_of_three - all_of_one > 1.8 * wanted,
        "one layer has the parameters of its blocks": one > 0.9 * wanted,
        "three layers have three times the attentions of one": attentions_of_three == 3 * attentions_of_one,
        "every nn.MultiheadAttention has num_heads heads": observation["heads"] in ([], [num_heads]),
        **shown,
    }


@probe(judge=judge_layers)
def classifier_layers(answer, settings):
    """The parameters in use with one layer and with three, and the shape of the logits of a model made without arguments."""
    model = answer.TransformerClassifier().eval()
    with torch.no_grad():
        default = shape_of(model(torch.zeros(2, 100, 1)))
    one, three = (answer.TransformerClassifier(**settings, num_layers=layers).eval() for layers in (1, 3))
    x = spread((2, 3, 1), 1.0).float()
    return {
        "parameters with one layer": parameters(one, lambda: one(x)),
        "parameters with three layers": parameters(three, lambda: three(x)),
        "heads": heads_of(three),
        "attentions in use": [attentions_in_use(one), attentions_in_use(three)],
        "logits of a model made without arguments, 100 steps": default,
        "defaults of d_model, num_heads, num_layers, d_ff, dropout": defaults(
            answer.TransformerClassifier, "d_model", "num_heads", "num_layers", "d_ff", "dropout"
        ),
    }  # fmt: skip


# --- transformer -------------------------------------------------------------------------------------------------------------------


def make_transformer(answer, settings):
    return jitter(answer.Transformer(**settings), 0.05).eval()


def judge_transformer_shapes(observation):
    logits = observation["logits"]
    return {
        "shape of the memory": observation["shape of the memory"],
        "shape of the logits": shape_of(logits),
        "shape of the logits of a model made without further arguments": observation["default"],
        "forward equals encode, then decode": isinstance(observation["forward"], torch.Tensor)
        and same(logits, observation["forward"]),
        "evaluation gives the same twice": same(logits, observation["again"]),
        **softmaxed(observation["logits with large weights"]),
    }


@probe(judge=judge_transformer_shapes)
def transformer_shapes(answer, settings, src, tgt):
    """Memory and logits; the vocabularies differ in size."""
    model = make_transformer(answer, settings)
    with torch.no_grad():
        memory = model.encode(src)
        default = answer.Transformer(6, 9).eval()
        return {
            "shape of the memory": shape_of(memory), "logits": model.decode(tgt, memory, src),
            "forward": model(src, tgt), "again": model.decode(tgt, memory, src),
            "default": shape_of(default(torch.ones(2, 64, dtype=torch.long), torch.ones(2, 64, dtype=torch.long))),
            "logits with large weights": enlarged(model)(src, tgt),  # the last, because it changes the model
        }  # fmt: skip


def judge_padding(observation, lengths):
    """What more padding, and what stands beside a sample in its batch, change: nothing."""
    logits = observation["logits"]
    memories = [
        same(memory[:length], other[:length])
        for memory, other, length in zip(
            observation["memory"], observation["memory with more padding"], lengths, strict=True
        )
    ]
    return {
        "every logit is finite": finite(logits),
        "more padding in src changes the logits": not same(logits, observation["logits with more padding"]),
        "more padding in src changes the memory of real symbols": not all(memories),
        "what the memory holds at padding changes the logits": not same(
            logits, observation["logits with other memory at padding"]
        ),
        "a shorter sample alone, without padding, gives other logits": not same(
            logits[:1], observation["logits of the first sample without padding"]
        ),
    }


@probe(judge=judge_padding)
def transformer_padding(answer, settings, src, tgt, lengths):
    """Logits and memories with more padding and without any; the first sample is the shortest."""
    model = make_transformer(answer, settings)
    pad = settings.get("pad_idx", 0)
    longer = F.pad(src, (0, 3), value=pad)
    with torch.no_grad():
        memory, longer_memory = model.encode(src), model.encode(longer)
        other = memory + 3.0 * (src == pad).unsqueeze(-1)
        short = src[:1, : lengths[0]]
        return {
            "logits": model.decode(tgt, memory, src), "memory": memory, "memory with more padding": longer_memory,
            "logits with more padding": model.decode(tgt, longer_memory, longer),
            "logits with other memory at padding": model.decode(tgt, other, src),
            "logits of the first sample without padding": model(short, tgt[:1]),
        }  # fmt: skip


def judge_transformer_causal(observation):
    logits, place = observation["logits"], observation["place"]
    later, prefix = observation["another symbol"], observation["prefix alone"]
    return {
        "every logit is finite": finite(logits),
        "another target symbol leaves all earlier logits alone": same(logits[:, :place], later[:, :place]),
        "it changes the logits at its own place": changed(logits[:, place], later[:, place]),
        "it changes the logits after it": changed(logits[:, place + 1 :], later[:, place + 1 :]),
        "the first symbols alone have the same logits": same(logits[:, : prefix.shape[1]], prefix),
    }


@probe(judge=judge_transformer_causal)
def transformer_causal(answer, settings, src, tgt, place):
    """Logits with another target symbol at one place, and of the target's beginning alone."""
    model = make_transformer(answer, settings)
    other = tgt.clone()
    other[:, place] = torch.where(other[:, place] == 3, 4, 3)
    with torch.no_grad():
        return {
            "logits": model(src, tgt),
            "another symbol": model(src, other),
            "prefix alone": model(src, tgt[:, :place]),
            "place": place,
        }


def judge_transformer_reading(observation):
    logits = observation["logits"]
    return {
        "every logit is finite": finite(logits),
        "another source changes the logits": changed(logits, observation["another source"]),
        "another order of the source changes the logits": changed(logits, observation["source permuted"]),
        "another order of the earlier target changes the last logits": changed(
            logits[:, -1], observation["target permuted"][:, -1]
        ),
        "the memory's first place sees the last source symbol": observation["first place sees the last symbol"],
        "decode reads the memory that it is given": changed(logits, observation["another memory"]),
        "decode uses src for its padding alone": same(logits, observation["another src beside the same memory"]),
        "a sample alone gives the same as in the batch": same(logits[:1], observation["first sample alone"]),
    }


@probe(judge=judge_transformer_reading)
def transformer_reading(answer, settings, src, tgt):
    """Logits with one thing changed at a time; no padding."""
    model = make_transformer(answer, settings)
    other = torch.where(src == 3, 4, 3)
    turned, ending = tgt.clone(), src.clone()
    turned[:, 0], turned[:, 1] = tgt[:, 1], tgt[:, 0]
    ending[:, -1] = other[:, -1]
    with torch.no_grad():
        memory = model.encode(src)
        sees = changed(memory[:, 0], model.encode(ending)[:, 0])
        return {
            "logits": model.decode(tgt, memory, src), "another source": model(other, tgt), "source permuted": model(src.flip(1), tgt),
            "target permuted": model(src, turned), "another memory": model.decode(tgt, memory + spread(memory.shape, 1.0).float(), src),
            "another src beside the same memory": model.decode(tgt, memory, other), "first sample alone": model(src[:1], tgt[:1]),
            "first place sees the last symbol": sees,
        }  # fmt: skip


def embedding_gain(model, call, table):
    """By how much an embedding's rows are multiplied before the first layer with weights takes them; NaN where that cannot be seen."""
    seen, entered, hooks = {}, [], []

    def embedded(module, inputs, output):
        rows = table.weight[inputs[0]]
        seen.setdefault("by the embedding itself", float((output * rows).sum() / (rows * rows).sum()))
        seen.setdefault("embedded", output)
        return output.clone()  # which may be multiplied in place

    def enters(module, inputs, settings):
        if "embedded" in seen:
            entered.extend(tensor for tensor in tensors_in((inputs, settings)) if tensor.ndim == 3 and tensor.requires_grad)

    for module in model.modules():
        if module is table:
            hooks.append(module.register_forward_hook(embedded))
        elif isinstance(module, (nn.MultiheadAttention, nn.Linear)) or "norm" in type(module).__name__.lower():
            hooks.append(module.register_forward_pre_hook(enters, with_kwargs=True))
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    if "embedded" not in seen or not seen["embedded"].requires_grad:
        return math.nan
    grads = (torch.autograd.grad(x.sum(), seen["embedded"], allow_unused=True, retain_graph=True)[0] for x in entered)
    grad = next((grad for grad in grads if grad is not None), None)
    return math.nan if grad is None else grad.mean().item() * seen["by the embedding itself"]


def judge_gains(observation, d_model):
    """The factors in words: the root of d_model is right; so is what a model hides, which gets the benefit of the doubt."""
    root = math.sqrt(d_model)
    words = {"the root of d_model": root, "none": 1.0, "d_model": d_model, "one over the root of d_model": 1 / root}

    def factor(gain):
        if math.isnan(gain):
            return "the root of d_model"
        return next((word for word, value in words.items() if abs(gain - value) < 1e-3 * value), "another one")

    return {
        "an nn.Embedding for each vocabulary": observation["embeddings"],
        "factor of the source embeddings": factor(observation["gains"][0]),
        "factor of the target embeddings": factor(observation["gains"][1]),
    }


@probe(judge=judge_gains)
def transformer_scale(answer, settings, src, tgt):
    """The factors between embeddings and the first layers of encoder and decoder."""
    model = answer.Transformer(**settings).eval()
    dim, sizes = settings["d_model"], (settings["src_vocab_size"], settings["tgt_vocab_size"])
    tables = [
        [module for module in model.modules() if isinstance(module, nn.Embedding) and module.num_embeddings == size]
        for size in sizes
    ]
    found = [bool(table) for table in tables]
    if not all(found):
        return {"embeddings": found, "gains": [math.nan, math.nan]}
    memory = torch.zeros(len(src), src.shape[1], dim)
    calls = (lambda: model.encode(src)), (lambda: model.decode(tgt, memory, src))
    gains = [
        embedding_gain(model, call, table[0])
        for call, table in zip(calls, tables, strict=True)
    ]
    return {"embeddings": found, "gains": gains}


@probe(judge=judge_layers)
def transformer_layers(answer, settings):
    """The parameters in use with one layer and with three."""
    one, three = (answer.Transformer(**settings, num_layers=layers).eval() for layers in (1, 3))
    ids = torch.tensor([[1, 2, 3], [3, 1, 2]])
    return {
        "parameters with one layer": parameters(one, lambda: one(ids, ids)),
        "parameters with three layers": parameters(three, lambda: three(ids, ids)),
        "heads": heads_of(three),
        "attentions in use": [attentions_in_use(one), attentions_in_use(three)],
        "defaults of d_model, num_heads, num_layers, d_ff, dropout, pad_idx": defaults(
            answer.Transformer, "d_model", "num_heads", "num_layers", "d_ff", "dropout", "pad_idx"
        ),
    }


# --- greedy_decode -----------------------------------------------------------------------------------------------------------------


class Scripted(nn.Module):
    """A stand-in for a transformer that wants to write a fixed script for each row; row `r` is known by its first source symbol, 3 + r.

    Told a prefix that is not the script's beginning it answers with symbol 4, as long as the row has not ended.
    """

    def __init__(self, script, vocab_size, bos, eos):
        super().__init__()
        self.script, self.vocab_size, self.bos, self.eos = script, vocab_size, bos, eos
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.inner = nn.Dropout(0.5)
        self.modes, self.grads = set(), set()

    def _note(self):
        self.modes.add(self.training or self.inner.training)
        self.grads.add(torch.is_grad_enabled())

    def encode(self, src):
        self._note()
        rows = F.one_hot(src[:, :1] - 3, len(self.script)).float()
        return self.gain * rows.expand(-1, src.shape[1], -1)

    def decode(self, tgt, memory, src):
        self._note()
        rows, known = src[:, 0] - 3, memory[:, 0].argmax(-1)
        symbols = torch.full(tgt.shape, 4)
        for place, (row, line) in enumerate(zip(rows.tolist(), tgt.tolist(), strict=True)):
            script = self.script[row].tolist()
            end = script.index(self.eos) if self.eos in script else len(script)
            for step in range(len(line)):
                begins = line[0] == self.bos and line[1 : min(step, end) + 1] == script[: min(step, end)]
                if begins and row == known[place] and step < len(script):
                    symbols[place, step] = script[step]
        logits = spread((*tgt.shape, self.vocab_size), 1.0).float() + 2.5 * F.one_hot(symbols, self.vocab_size)
        return self.gain * logits

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src)


@probe
def greedily(answer, script, src, vocab_size, bos, eos, max_len):
    """What is written by the stand-in, started in training mode and in evaluation mode."""
    seen = {}
    for training in (True, False):
        model = Scripted(script, vocab_size, bos, eos).train(training)
        name = "training" if training else "evaluation"
        given = src.clone()
        written = answer.greedy_decode(model, given, bos, eos, max_len)
        seen[f"symbols, found in {name} mode"] = written
        seen[f"src is as before, found in {name} mode"] = bool(torch.equal(given, src))
        seen[f"the model ran in training mode, found in {name} mode"] = True in model.modes
        seen[f"gradients were on, found in {name} mode"] = True in model.grads
        seen[f"training mode afterwards, found in {name} mode"] = bool(model.training)
        seen[f"gradients are on afterwards, found in {name} mode"] = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
    return seen


# --- train_reversal ----------------------------------------------------------------------------------------------------------------

_TRAINED: dict = {}  # the last trained model: the public and the hidden case of one grading share it


def trained_model(train, seed, src):
    """The model that `train(seed)` returns. Trained anew, unless the last one is of the same function and only the strings are others."""
    last = _TRAINED.get("function")
    if last is None or last() is not train or _TRAINED["seed"] != seed or torch.equal(_TRAINED["src"], src):
        _TRAINED.clear()
        torch.set_num_threads(1)  # tensors this small: on a busy machine, threads wait for each other ten times as long (put back afterwards)
        model = train(seed)
        try:
            _TRAINED.update(function=weakref.ref(train), seed=seed, src=src, model=model)
        except TypeError:  # not a plain function: nothing to remember it by
            return model
    return _TRAINED["model"]


def first_end(row, eos=2) -> int:
    return row.index(eos) if eos in row else len(row)


def judge_reversal(observation, target):
    """The share of strings that are reversed exactly, as one fact; where it is too low, facts about how they are wrong."""
    written = observation["written"]
    if not isinstance(written, torch.Tensor) or written.shape != target.shape:
        return {"the model writes symbols": False}
    lines = written.tolist()
    lines = [line[: first_end(line) + 1] for line in lines]
    wanted = [line[: first_end(line) + 1] for line in target.tolist()]
    exact = [line == want for line, want in zip(lines, wanted, strict=True)]
    good = sum(exact) >= 0.95 * len(exact)

    def share(values):
        values = list(values)
        return sum(values) / max(len(values), 1)

    longest = max(len(want) for want in wanted)
    short = share(ok for ok, want in zip(exact, wanted, strict=True) if len(want) < longest)
    long = share(ok for ok, want in zip(exact, wanted, strict=True) if len(want) == longest)
    threes = share(ok for ok, want in zip(exact, wanted, strict=True) if len(want) == 4)
    others = share(ok for ok, want in zip(exact, wanted, strict=True) if len(want) > 4)
    without_12 = share(ok for ok, want in zip(exact, wanted, strict=True) if 12 not in want)
    elsewhere = [
        share(line[: len(want)] == want for line, want in zip(observation[start].tolist(), wanted, strict=False))
        for start in ("from 0", "from EOS", "with EOS in the source")
    ]
    begun = share(line[: len(want) - 1] == want[:-1] for line, want in zip(written.tolist(), wanted, strict=True))
    repeated = share(one == other for line in written.tolist() for one, other in itertools.pairwise(line))
    later = changed(observation["logits before"], observation["logits before, another symbol at the end"])
    forwards = share(line[: len(want) - 1] == want[-2::-1] for line, want in zip(written.tolist(), wanted, strict=True))
    return {
        "at least 95 % of the strings are reversed exactly, with EOS": good,
        "strings of fewer than 8 symbols are reversed": good or short >= 0.9,
        "strings of 8 symbols are reversed": "most" if good or long >= 0.9 else "some" if long > 0.3 else "hardly any",
        "the string itself is reversed, whatever follows it": good or begun >= 0.9,
        "the string is written forwards": not good and forwards >= 0.9,
        "the first symbol written is BOS": not good and share(line[0] == 1 for line in written.tolist()) > 0.5,
        "symbol 12 is written": good or any(12 in line for line in lines),
        "symbol 3 is written": good or any(3 in line for line in lines),
        "strings without symbol 12 are reversed": good or without_12 >= 0.9,
        "only strings of 3 symbols are not reversed": not good and threes < 0.9 <= others,
        "only strings of 8 symbols are reversed": not good and short < 0.2 and long > 0.8,
        "0 or EOS stands in for BOS": not good and max(elsewhere[:2]) > 0.5,
        "sources that end in EOS are reversed": not good and elsewhere[2] > 0.5 > short,
        "the embeddings start much larger than the positions": not good and observation["size of the embeddings"] > 3,
        "hardly any row gets an EOS": not good and share(2 in line for line in written.tolist()) < 0.1,
        "each symbol mostly repeats the one before": not good and repeated > 0.8,
        "a later target symbol changes earlier logits": not good and later,
    }


def scaled_size(table) -> float:
    """The standard deviation of an embedding's vectors, times the root of their length."""
    return table.std().item() * math.sqrt(table.shape[1])


@torch.no_grad()
def written_from(model, src, start):
    """What the model writes greedily after a first symbol."""
    written, memory = torch.full((len(src), 1), start), model.encode(src)
    for _ in range(src.shape[1] + 1):
        symbols = model.decode(written, memory, src)[:, -1].argmax(-1)
        written = torch.cat([written, symbols.unsqueeze(1)], dim=1)
    return written[:, 1:]


@probe(judge=judge_reversal)
def reversal(answer, seed, src, tgt):
    """What the trained model writes for some strings, and its logits for a target with another last symbol."""
    model = trained_model(answer.train_reversal, seed, src).eval()
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding) and len(module.weight) == 13]
    with torch.no_grad():
        few, ahead = src[:8], tgt[:8]
        place = (few != 0).sum(dim=1, keepdim=True).clamp(max=few.shape[1] - 1)
        ended = few.scatter(1, place, few.gather(1, place).masked_fill(few.gather(1, place) == 0, 2))
        other = ahead.clone()
        other[:, -1] = 7 - other[:, -1]
        return {
            "written": written_from(model, src, 1), "from 0": written_from(model, few, 0), "from EOS": written_from(model, few, 2),
            "with EOS in the source": written_from(model, ended, 1), "size of the embeddings": max((scaled_size(table) for table in tables), default=0.0),
            "logits before": model(few, ahead)[:, :-1], "logits before, another symbol at the end": model(few, other)[:, :-1],
        }  # fmt: skip
