"""Notebook 6, attention: the mistakes that its checks know by name, as edits of the reference answers."""

from autograder.specs.spec import Misconception

Edit = tuple[str, str]


def known(id: str, says: str, *spellings: Edit | list[Edit]) -> list[Misconception]:
    """One mistake in all its spellings: each is an edit (old, new), or a list of edits that belong together."""
    found = []
    for spelling in spellings:
        (old, new), *also = [spelling] if isinstance(spelling, tuple) else spelling
        found.append(Misconception(id, old=old, new=new, says=says, also=also))
    return found


# What several exercises share.
EMPTY = "A row with nothing to attend to gets zero weights: a softmax over it gives NaN, or spreads weight over forbidden places."
INVERTED = "Here True means may attend: the places where the mask is False are the ones to hide."
AFTER = "Mask the scores before the softmax: weights set to zero afterwards no longer sum to 1."
IGNORED = "The mask is not used: hidden places still get weight."
ZEROED = "A score of zero still takes its share in the softmax: hidden places need the lowest score there is."
OVER_KEYS = "Softmax over the places that are attended to (the keys), the last axis: the weights of each query sum to 1."
OWN_PROJECTIONS = "Queries, keys and values need three projections of their own."
ORDER = "Return the output first, then the weights."
GRAPH = "The graph is cut between the inputs and the output: no detach, .data or .item() on the way."
LOGITS = "Return raw logits: cross entropy applies the softmax itself."


# --- seq2seq -----------------------------------------------------------------------------------------------------------------------

DECODER = "self.decoder(self.target_embedding(tgt), (h, c))"
STATES = "return self.fc(states), h, c"
FORWARD = "        return self.decode(tgt, h, c)[0]"
ENCODER_LSTM = "self.encoder = nn.LSTM(hidden_size, hidden_size, batch_first=True)"
DECODER_LSTM = "self.decoder = nn.LSTM(hidden_size, hidden_size, batch_first=True)"
LARGER_TABLE = ("nn.Embedding(output_vocab_size, hidden_size)", "nn.Embedding(max(input_vocab_size, output_vocab_size), hidden_size)")

SEQ2SEQ = [
    *known(
        "decoder-ignores-state",
        "Start the decoder from the encoder's last state: pass both h and c to the decoder's LSTM.",
        (DECODER, "self.decoder(self.target_embedding(tgt))"),
        (FORWARD, "        return self.decode(tgt, torch.zeros_like(h), torch.zeros_like(c))[0]"),
        (DECODER, DECODER.replace("(h, c)", "(h, torch.zeros_like(c))")),
        (DECODER, DECODER.replace("(h, c)", "(torch.zeros_like(h), c)")),
        (DECODER, DECODER.replace("(h, c)", "(h, h)")),
    ),
    *known(
        "state-swapped",
        "The LSTM's state is (h, c), in this order.",
        (DECODER, DECODER.replace("(h, c)", "(c, h)")),
        (STATES, "return self.fc(states), c, h"),
    ),
    *known(
        "one-embedding",
        "Source and target are different languages: give each vocabulary an embedding of its own.",
        [LARGER_TABLE, ("self.source_embedding(src)", "self.target_embedding(src)")],
        ("self.source_embedding(src)", "self.target_embedding(src)"),
        ("self.target_embedding(tgt)", "self.source_embedding(tgt)"),
    ),
    *known(
        "softmaxed",
        LOGITS,
        (STATES, "return self.fc(states).softmax(-1), h, c"),
        (STATES, "return self.fc(states).log_softmax(-1), h, c"),
        (STATES, "return self.fc(states).sigmoid(), h, c"),
        (FORWARD, FORWARD + ".softmax(-1)"),
        (FORWARD, FORWARD + ".log_softmax(-1)"),
    ),
    *known(
        "old-state-returned",
        "decode returns the decoder's new state, or the next symbol is decoded as if it were the first.",
        ("states, (h, c) = self.decoder(", "states, _ = self.decoder("),
    ),
    *known(
        "batch-first",
        "The inputs are (B, T): both LSTMs need batch_first=True, or samples and time steps change places.",
        (ENCODER_LSTM, ENCODER_LSTM.replace(", batch_first=True", "")),
        (DECODER_LSTM, DECODER_LSTM.replace(", batch_first=True", "")),
        [(lstm, lstm.replace(", batch_first=True", "")) for lstm in (ENCODER_LSTM, DECODER_LSTM)],
    ),
    *known(
        "shifted-again",
        "The target that forward is given is already shifted: feed all of it, and return all logits.",
        (FORWARD, "        return self.decode(tgt[:, :-1], h, c)[0]"),
    ),
    *known(
        "returns-state-too",
        "forward returns the logits alone.",
        (FORWARD, "        return self.decode(tgt, h, c)"),
    ),
    *known(
        "last-step-only",
        "Every target step has its logits: apply the linear layer to all states, not to the last alone.",
        (STATES, "return self.fc(states[:, -1]), h, c"),
    ),
    *known(
        "no-output-layer",
        "The decoder's states still have to go through a linear layer to the output vocabulary.",
        (STATES, "return states, h, c"),
    ),
]


# --- plot_attention ----------------------------------------------------------------------------------------------------------------

IMAGE = 'image = ax.imshow(weights.detach().cpu().numpy(), cmap="viridis", vmin=0, aspect="auto")'
X_TICKS = "ax.set_xticks(range(len(key_tokens)), labels=key_tokens, rotation=60)"
Y_TICKS = "ax.set_yticks(range(len(query_tokens)), labels=query_tokens)"
X_SWAPPED = (X_TICKS, X_TICKS.replace("key_tokens", "query_tokens"))
Y_SWAPPED = (Y_TICKS, Y_TICKS.replace("query_tokens", "key_tokens"))
BARE_LABELS = [(X_TICKS, "ax.set_xticklabels(key_tokens)"), (Y_TICKS, "ax.set_yticklabels(query_tokens)")]


def drawn(by: str) -> Edit:
    """The heat map drawn by another of matplotlib's methods."""
    return IMAGE, f"image = ax.{by}(weights.detach().cpu().numpy())"


PLOT_ATTENTION = [
    *known(
        "axes-swapped",
        "Keys run along x and queries along y: the axes have changed places.",
        [(IMAGE, IMAGE.replace(".numpy()", ".numpy().T")), X_SWAPPED, Y_SWAPPED],
        (IMAGE, IMAGE.replace(".numpy()", ".numpy().T")),
        [X_SWAPPED, Y_SWAPPED],
    ),
    *known(
        "labels-without-ticks",
        "Labels need ticks: put one tick at the middle of each column and row, then label those.",
        BARE_LABELS,
        *([drawn(by), *BARE_LABELS] for by in ("imshow", "pcolormesh", "matshow")),
    ),
    *known(
        "labels-missing",
        "The ticks are labelled with numbers: label each column and row with its token.",
        [(X_TICKS, "pass"), (Y_TICKS, "pass")],
        [drawn("imshow"), (X_TICKS, "pass"), (Y_TICKS, "pass")],
    ),
    *known(
        "labels-at-the-edges",
        "The ticks stand at the edges of the cells: each label belongs at the middle of its column or row.",
        drawn("pcolormesh"),
    ),
    *known(
        "labels-reversed",
        "The queries' labels run the other way round than the rows of the heat map.",
        (Y_TICKS, Y_TICKS.replace("labels=query_tokens", "labels=query_tokens[::-1]")),
    ),
    *known(
        "detach-forgotten",
        "Weights that require grad cannot be drawn: detach them first.",
        ("weights.detach().cpu().numpy()", "weights.numpy()"),
        ("weights.detach().cpu().numpy()", "weights"),
    ),
    *known(
        "no-colour-bar",
        "A colour bar is missing: without it nobody knows what a colour stands for.",
        ('ax.figure.colorbar(image, ax=ax, label="attention weight")', "pass"),
    ),
    *known("no-title", "The picture needs a title.", (', title="Attention")', ")")),
    *known(
        "ax-ignored",
        "Draw on the Axes that are given; make new ones only if there are none.",
        ("if ax is None:", "if True:"),
        ("if ax is None:\n        _, ax = plt.subplots()", "ax = plt.gca()"),
    ),
    *known("ax-required", "Without `ax` the function makes a new figure of its own.", ("if ax is None:", "if False:")),
    *known(
        "returns-nothing",
        "Return the Axes, not the heat map or the figure.",
        ("return ax", "return None"),
        ("return ax", "return image"),
        ("return ax", "return ax.figure"),
    ),
    *known(
        "shown",
        "Do not call plt.show(): whoever calls the function decides when to show.",
        ("return ax", "plt.show()\n    return ax"),
    ),
]


# --- additive_attention ------------------------------------------------------------------------------------------------------------

ENERGY = "self.v(torch.tanh(self.attn(joined)))"
HIDE_ENERGY = "energy = energy.masked_fill(~mask, torch.finfo(energy.dtype).min)"
CLEAR = "weights = weights.masked_fill(~mask, 0.0)"
FULL_MASK = ("mask = torch.ones_like(energy, dtype=torch.bool)", "mask = torch.zeros_like(energy, dtype=torch.bool)")
CONTEXT = "context = (weights.unsqueeze(1) @ encoder_outputs).squeeze(1)"
ENERGY_WEIGHTS = "torch.softmax(energy, dim=-1)"

ADDITIVE_ATTENTION = [
    *known("softmax-over-batch", OVER_KEYS, (ENERGY_WEIGHTS, "torch.softmax(energy, dim=0)")),
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
        [(HIDE_ENERGY, "energy = energy.masked_fill(mask, -1e9)"), FULL_MASK, (CLEAR, "weights = weights * mask if mask.any() else weights")],
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


# --- scaled_dot_product_attention --------------------------------------------------------------------------------------------------

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
    *known("softmax-over-queries", OVER_KEYS, *((SOFTMAX, SOFTMAX.replace("-1", axis)) for axis in ("-2", "1", "0"))),
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
    *known("no-softmax", "The scores become weights through a softmax over the keys.", (SOFTMAX, "scores")),
    *known(
        "hard-attention",
        "Weights are soft: a softmax over the keys, not the single best one, which has no gradient.",
        (SOFTMAX, "F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)"),
    ),
    *known("graph-cut", GRAPH, (SOFTMAX, f"{SOFTMAX}.detach()"), ("weights @ value", "weights @ value.detach()")),
]


# --- attention_masks ---------------------------------------------------------------------------------------------------------------

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
    *known("causal-shape", "The causal mask has three axes, (1, size, size).", (TRIL, f"{TRIL}[0]"), (TRIL, f"{TRIL}[None]")),
]


# --- self_attention ----------------------------------------------------------------------------------------------------------------

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
        *(projected(f"self.{q}(x)", f"self.{k}(x)", f"self.{v}(x)") for q, k, v in (
            ("query", "query", "query"), ("value", "value", "value"), ("query", "query", "value"),
            ("key", "key", "value"), ("query", "key", "key"), ("query", "value", "value"),
        )),
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
        written_out(HIDE_SELF.format("mask", "-1e9"), "torch.softmax(scores, dim=-1) * (1 if mask is None else mask.any(-1, keepdim=True))"),
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


# --- multi_head_attention ----------------------------------------------------------------------------------------------------------

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
    *known("scale-d_model", "Scale by the square root of d_k, the width of a head, not of d_model.", heads_scaled_by("self.num_heads**-0.5")),
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
            (CORE, "_, weights = scaled_dot_product_attention(q, k, v, mask)\n        weights = self.dropout(weights.log()).softmax(-1).nan_to_num(0.0)"),
            (DROP, "context = weights @ v"),
        ],
    ),
    *known(
        "dropout-on-output",
        "The one dropout acts on the weights, after the softmax: the output is not dropped.",
        [(DROP, "context = weights @ v"), (JOIN, "return self.dropout(self.W_o(context.transpose(1, 2).flatten(2))), weights")],
        (DROP, "context = self.dropout(weights @ v)"),
        (JOIN, "return self.dropout(self.W_o(context.transpose(1, 2).flatten(2))), weights"),
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
    ),
    *known("order-of-results", ORDER, (JOIN, "return weights, self.W_o(context.transpose(1, 2).flatten(2))")),
    *known("residual-added", "No residual connection here: return the projection alone.", (JOIN, JOIN.replace("return", "return query +"))),
    *known(
        "no-divisibility-check",
        "Raise ValueError when d_model is not divisible by num_heads; an assertion is another exception, and can be switched off.",
        (DIVISIBLE, "if False:"),
        ("raise ValueError(", "raise AssertionError("),
    ),
]


# --- lstm_with_attention -----------------------------------------------------------------------------------------------------------

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
    *known("norm-missing", "Apply LayerNorm to the sum of states and attended states: it is missing.", (NORM, "states = states + attended")),
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
    ),
    *known(
        "no-dropout",
        "Apply dropout to the mean over time, before fc.",
        (CLASSIFY, "return self.fc(pooled)"),
        (CLASSIFY, "return self.dropout(self.fc(pooled))"),
    ),
    *known(
        "dropout-always",
        "Dropout is for training only: use the module, or pass training=self.training.",
        (CLASSIFY, "return self.fc(F.dropout(pooled, self.dropout.p))"),
    ),
    *known(
        "classes-fixed",
        "The number of classes is an argument.",
        ("self.fc = nn.Linear(hidden_size, num_classes)", "self.fc = nn.Linear(hidden_size, 2)"),
    ),
    *known("one-head", "The attention has num_heads heads.", (HEADS, HEADS.replace("num_heads", "1"))),
    *known("graph-cut", GRAPH, (SELF, "attended = self.attention(states, states, states)[0].detach()")),
]


# --- head_statistics ---------------------------------------------------------------------------------------------------------------

ENTROPY = "torch.special.entr(weights).sum(-1).mean(-1)"
DIAGONAL = "diagonal.sum(-1) / max(diagonal.shape[-1], 1)"
PREVIOUS, NEXT = '"previous": mean_of_diagonal(-1)', '"next": mean_of_diagonal(1)'

HEAD_STATISTICS = [
    *known("log2", "The entropy is asked for in nats: use the natural logarithm.", *((ENTROPY, f"{ENTROPY} / math.log({base})") for base in (2, 10))),
    *known(
        "entropy-nan",
        "0 · log 0 counts as 0: as written it is NaN.",
        (ENTROPY, "-(weights * weights.log()).sum(-1).mean(-1)"),
        (ENTROPY, "-(weights * weights.log2()).sum(-1).mean(-1)"),
    ),
    *known("entropy-sign", "An entropy is never negative: the sign is missing.", (ENTROPY, f"-{ENTROPY}")),
    *known("entropy-summed", "Take the mean of the rows' entropies, not their sum.", (ENTROPY, "torch.special.entr(weights).sum((-1, -2))")),
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
