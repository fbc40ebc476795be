"""Notebook 6, attention: mistakes in additive attention, scaled dot-product attention and masks."""

from autograder.specs.n06_mistakes import (
    AFTER,
    EMPTY,
    GRAPH,
    IGNORED,
    INVERTED,
    ORDER,
    OVER_KEYS,
    SQUEEZED,
    TOO_HIGH,
    ZEROED,
)
from autograder.specs.spec import known

# --- additive_attention -----------------------------------------------------------------------------------------------------------

ENERGY = "self.v(torch.tanh(self.attn(joined)))"
HIDE_ENERGY = "energy = energy.masked_fill(~mask, torch.finfo(energy.dtype).min)"
CLEAR = "weights = weights.masked_fill(~mask, 0.0)"
FULL_MASK = ("mask = torch.ones_like(energy, dtype=torch.bool)", "mask = torch.zeros_like(energy, dtype=torch.bool)")
CONTEXT = "context = (weights.unsqueeze(1) @ encoder_outputs).squeeze(1)"
ENERGY_WEIGHTS = "torch.softmax(energy, dim=-1)"

ADDITIVE_ATTENTION = [
    *known(
        "softmax-over-batch",
        OVER_KEYS,
        (ENERGY_WEIGHTS, "torch.softmax(energy, dim=0)"),
        (ENERGY_WEIGHTS, "torch.softmax(energy.flatten(), dim=0).view_as(energy)"),
    ),
    *known(
        "squeezed-away",
        SQUEEZED,
        (CONTEXT, CONTEXT.replace("squeeze(1)", "squeeze()").replace("unsqueeze()", "unsqueeze(1)")),
        (".squeeze(-1)  # (B, T)", ".squeeze()"),
    ),
    *known(
        "mask-score-too-high",
        TOO_HIGH,
        *(("torch.finfo(energy.dtype).min", score) for score in ("-1.0", "-10.0", "1e9")),
    ),
    *known(
        "axis-left-over",
        "The context is (B, H) and the weights are (B, T): an axis of length one is left over.",
        ("return context, weights", "return context, weights.unsqueeze(1)"),
        ("return context, weights", "return context, weights.unsqueeze(-1)"),
        ("return context, weights", "return context.unsqueeze(1), weights"),
    ),
    *known(
        "dropout-added",
        "No dropout here: the weights of each row sum to 1, in training too.",
        (CLEAR, f"{CLEAR}\n        weights = F.dropout(weights, 0.2, self.training)"),
    ),
    *known(
        "concatenation-order",
        "The decoder's hidden state comes first, then the encoder's output.",
        ("torch.cat([repeated, encoder_outputs], dim=-1)", "torch.cat([encoder_outputs, repeated], dim=-1)"),
    ),
    *known(
        "no-tanh",
        "Put a tanh between attn and v: without it the two layers are one linear layer, and another function gives other weights.",
        *((ENERGY, f"self.v({function}(self.attn(joined)))") for function in ("", "torch.relu", "torch.sigmoid", "F.gelu")),
        (ENERGY, "torch.tanh(self.v(self.attn(joined)))"),
        (ENERGY, "torch.tanh(self.v(torch.tanh(self.attn(joined))))"),
    ),
    *known(
        "empty-row",
        EMPTY,
        (CLEAR, "pass"),
        [("torch.finfo(energy.dtype).min", 'float("-inf")'), (CLEAR, "pass")],
    ),
    *known(
        "mask-inverted",
        INVERTED,
        [(HIDE_ENERGY, HIDE_ENERGY.replace("~", "")), FULL_MASK, (CLEAR, CLEAR.replace("~", ""))],
        [(HIDE_ENERGY, 'energy = energy.masked_fill(mask, float("-inf"))'), FULL_MASK, (CLEAR, "pass")],
        [(HIDE_ENERGY, 'energy = energy.masked_fill(mask, float("-inf"))'), FULL_MASK, (CLEAR, "weights = weights.nan_to_num(0.0)")],
        [(HIDE_ENERGY, "energy = energy.masked_fill(mask, -1e9)"), FULL_MASK, (CLEAR, "pass")],
        [
            (HIDE_ENERGY, "energy = energy.masked_fill(mask, -1e9)"),
            FULL_MASK,
            (CLEAR, "weights = weights * mask if mask.any() else weights"),
        ],
    ),
    *known("mask-after-softmax", AFTER, (HIDE_ENERGY, "pass")),
    *known("mask-ignored", IGNORED, [(HIDE_ENERGY, "pass"), (CLEAR, "pass")]),
    *known(
        "mask-zeroes-scores",
        ZEROED,
        [("torch.finfo(energy.dtype).min", "0.0"), (CLEAR, "pass")],
        ("torch.finfo(energy.dtype).min", "0.0"),
    ),
    *known(
        "no-softmax",
        "The energies become weights through a softmax over the places: each row sums to 1.",
        (ENERGY_WEIGHTS, "energy"),
        (ENERGY_WEIGHTS, "torch.sigmoid(energy)"),
        (ENERGY_WEIGHTS, "torch.log_softmax(energy, dim=-1)"),
    ),
    *known(
        "scaled",
        "Additive attention has no scale: the square root belongs to the dot product.",
        (ENERGY_WEIGHTS, "torch.softmax(energy / encoder_outputs.shape[-1] ** 0.5, dim=-1)"),
    ),
    *known(
        "context-of-hidden",
        "The context is the weighted sum of the encoder's outputs, not of the decoder's state.",
        (CONTEXT, CONTEXT.replace("encoder_outputs", "repeated")),
    ),
    *known(
        "context-averaged",
        "The weights already sum to 1: add the weighted outputs up, do not average them.",
        (CONTEXT, "context = (weights.unsqueeze(-1) * encoder_outputs).mean(dim=1)"),
    ),
    *known("graph-cut", GRAPH, (ENERGY, f"{ENERGY}.detach()"), (CONTEXT, CONTEXT.replace("encoder_outputs)", "encoder_outputs.detach())"))),
    *known("order-of-results", "Return the context first, then the weights.", ("return context, weights", "return weights, context")),
]


# --- scaled_dot_product_attention -------------------------------------------------------------------------------------------------

SCALE = "/ math.sqrt(d_k)"
HIDE = "scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)"
SOFTMAX = "torch.softmax(scores, dim=-1)"
RESULT = "return weights @ value, weights"
MINUS_INFINITY = ("torch.finfo(scores.dtype).min", 'float("-inf")')
HIDE_WRONG = (HIDE, 'scores = scores.masked_fill(mask, float("-inf"))')

SCALED_DOT_PRODUCT_ATTENTION = [
    *known(
        "no-scale",
        "Divide the scores by the square root of d_k, the width of queries and keys, before the softmax.",
        (f" {SCALE}", ""),
        [(f" {SCALE}", ""), (RESULT, "weights = weights / math.sqrt(d_k)\n    return weights @ value, weights")],
        [(f" {SCALE}", ""), (RESULT, "return weights @ value / math.sqrt(d_k), weights")],
    ),
    *known("scale-d_k", "Divide by the square root of d_k, not by d_k itself.", (SCALE, "/ d_k")),
    *known(
        "scale-d_v",
        "The scale is the square root of the width of queries and keys, not of the values.",
        (SCALE, "/ math.sqrt(value.shape[-1])"),
    ),
    *known(
        "scale-length",
        "The scale is the square root of the width d_k (the last axis), not of the number of queries or keys.",
        (SCALE, "/ math.sqrt(key.shape[-2])"),
        (SCALE, "/ math.sqrt(query.shape[-2])"),
    ),
    *known("scale-inverted", "Divide by the square root of d_k: here the scores are multiplied by it.", (SCALE, "* math.sqrt(d_k)")),
    *known(
        "softmax-over-queries",
        OVER_KEYS,
        *((SOFTMAX, SOFTMAX.replace("-1", axis)) for axis in ("-2", "1", "0")),
        (SOFTMAX, "scores.flatten(-2).softmax(-1).view_as(scores)"),
    ),
    *known(
        "mask-inverted",
        INVERTED,
        [(HIDE, HIDE.replace("~", "")), (CLEAR, CLEAR.replace("~", ""))],
        [HIDE_WRONG, (CLEAR, "pass")],
        [HIDE_WRONG, (CLEAR, "weights = weights.nan_to_num(0.0)")],
        [(HIDE, "scores = scores.masked_fill(mask, -1e9)"), (CLEAR, "pass")],
        (HIDE, "scores = scores.masked_fill(mask, -1e9)"),
        HIDE_WRONG,
    ),
    *known(
        "mask-after-softmax",
        AFTER,
        (HIDE, "pass"),
        [(HIDE, "pass"), (RESULT, f"return {SOFTMAX} @ value, weights")],
        [(HIDE, "pass"), (CLEAR, 'weights = weights.masked_fill(~mask, float("-inf"))')],
        [(HIDE, "pass"), (CLEAR, "weights = weights.masked_fill(~mask, -1e9)")],
    ),
    *known("mask-ignored", IGNORED, [(HIDE, "pass"), (CLEAR, "pass")]),
    *known(
        "mask-zeroes-scores",
        ZEROED,
        [(HIDE, "scores = scores.masked_fill(~mask, 0.0)"), (CLEAR, "pass")],
        (HIDE, "scores = scores.masked_fill(~mask, 0.0)"),
    ),
    *known(
        "mask-added",
        "Adding the boolean mask only shifts the scores by one: hidden places need the lowest score there is.",
        [(HIDE, "scores = scores + mask"), (CLEAR, "pass")],
    ),
    *known(
        "empty-row",
        EMPTY,
        (CLEAR, "pass"),
        [MINUS_INFINITY, (CLEAR, "pass")],
        [MINUS_INFINITY, (CLEAR, "pass"), (RESULT, "return (weights @ value).nan_to_num(0.0), weights")],
        [MINUS_INFINITY, (CLEAR, "pass"), (RESULT, "return weights @ value, weights.nan_to_num(0.0)")],
    ),
    *known(
        "nan-gradient",
        "The output is right, but the gradient at an empty row is NaN: replace hidden scores, rather than adding minus infinity.",
        [
            (HIDE, 'scores = scores + torch.zeros_like(scores).masked_fill(~mask, float("-inf"))'),
            (CLEAR, "weights = weights.nan_to_num(0.0)"),
        ],
    ),
    *known(
        "forbidden-call",
        "The attention is yours to write: F.scaled_dot_product_attention may not run.",
        (RESULT, "return F.scaled_dot_product_attention(query, key, value, attn_mask=mask), weights"),
    ),
    *known(
        "transpose-axes",
        "Swap the last two axes of the keys, whatever stands before them.",
        *(("key.transpose(-2, -1)", swapped) for swapped in ("key.transpose(1, 2)", "key.transpose(0, 1)", "key.T")),
    ),
    *known(
        "view-for-transpose",
        "A view keeps the order of the numbers in memory: the keys have to be transposed.",
        ("key.transpose(-2, -1)", "key.reshape(*key.shape[:-2], d_k, -1)"),
    ),
    *known("order-of-results", ORDER, (RESULT, "return weights, weights @ value")),
    *known("scores-returned", "Return the weights, after the softmax, not the scores.", (RESULT, "return weights @ value, scores")),
    *known(
        "no-softmax",
        "The scores become weights through a softmax over the keys.",
        *((SOFTMAX, other) for other in ("scores", "torch.sigmoid(scores)", "torch.log_softmax(scores, dim=-1)")),
    ),
    *known(
        "mask-score-too-high",
        TOO_HIGH,
        *(("torch.finfo(scores.dtype).min", score) for score in ("-10.0", "-100.0", "torch.finfo(scores.dtype).max")),
    ),
    *known(
        "exponential-alone",
        "The exponential of a score can be zero or infinite, and the weights NaN: torch.softmax takes the largest score off first.",
        (SOFTMAX, "scores.exp() / scores.exp().sum(-1, keepdim=True)"),
    ),
    *known(
        "scale-another-power",
        "Divide by the square root of d_k: not rounded, and no other power.",
        *((SCALE, f"/ {scale}") for scale in ("int(math.sqrt(d_k))", "d_k**0.25", "d_k**2")),
    ),
    *known(
        "hard-attention",
        "Weights are soft: a softmax over the keys, not the single best one, which has no gradient.",
        (SOFTMAX, "F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)"),
    ),
    *known("graph-cut", GRAPH, (SOFTMAX, f"{SOFTMAX}.detach()"), ("weights @ value", "weights @ value.detach()")),
]


# --- attention_masks --------------------------------------------------------------------------------------------------------------

INSIDE = "(places < lengths.unsqueeze(1)).unsqueeze(1)"
TRIL = "torch.tril(torch.ones(1, size, size, dtype=torch.bool))"

ATTENTION_MASKS = [
    *known(
        "padding-inverted",
        "True marks the places that may be attended to: those inside the sequence.",
        ("places < lengths", "places >= lengths"),
    ),
    *known(
        "padding-off-by-one",
        "The places count from 0: a sequence of length 3 has the places 0, 1 and 2.",
        ("places < lengths", "places <= lengths"),
        ("lengths.unsqueeze(1)", "(lengths - 1).unsqueeze(1)"),
    ),
    *known(
        "padding-left",
        "The padding stands at the end of each sequence: its first places are the real ones.",
        ("places < lengths", "max_len - 1 - places < lengths"),
    ),
    *known(
        "padding-shape",
        "The mask has three axes, (B, 1, max_len): the middle one broadcasts over the queries.",
        (INSIDE, "(places < lengths.unsqueeze(1))"),
        (INSIDE, "(places < lengths.unsqueeze(1)).unsqueeze(0)"),
        (INSIDE, f"{INSIDE}.unsqueeze(1)"),
        (INSIDE, f"{INSIDE}.mT"),
        (INSIDE, f"{INSIDE}.expand(-1, max_len, -1)"),
    ),
    *known("not-boolean", "Masks are boolean tensors.", (INSIDE, f"{INSIDE}.float()"), (TRIL, f"{TRIL}.float()")),
    *known("strictly-lower", "The diagonal is allowed: each place may attend to itself.", (TRIL, f"{TRIL[:-1]}, diagonal=-1)")),
    *known(
        "upper",
        "This lets each place see the future and hides the past: the lower triangle is the one to keep.",
        (TRIL, TRIL.replace("tril", "triu")),
    ),
    *known(
        "inverted",
        "True means may attend here; this marks the places to hide.",
        (TRIL, f"{TRIL[:-1]}, diagonal=1)".replace("tril", "triu")),
    ),
    *known(
        "sees-one-ahead",
        "Each place sees one place of the future: the diagonal is the last that is allowed.",
        (TRIL, f"{TRIL[:-1]}, diagonal=1)"),
    ),
    *known(
        "causal-shape",
        "The causal mask has three axes, (1, size, size).",
        (TRIL, f"{TRIL}[0]"),
        (TRIL, f"{TRIL}[None]"),
        (TRIL, f"{TRIL}[0].unsqueeze(-1)"),
    ),
    *known(
        "padding-device",
        "The mask belongs on the device of lengths: make the places there too, with device=lengths.device.",
        ("torch.arange(max_len, device=lengths.device)", "torch.arange(max_len)"),
    ),
]
