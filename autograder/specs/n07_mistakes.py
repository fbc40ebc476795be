"""Notebook 7, transformers: mistakes known by name, as edits of the reference answers."""

from autograder.specs.n06_mistakes import ORDER
from autograder.specs.spec import known

# What several exercises share.
MASK_SENSE = "nn.MultiheadAttention's masks say True for what to ignore, the opposite of notebook 6: this one is the wrong way round."
PRE_NORM = "Post-norm is asked for: first the sum of x and the sub-layer's output, then the norm of that sum."
RESIDUAL = "A residual connection is missing: add the sub-layer's input to its output before the norm."
SHARED_NORM = "Each sub-layer has a norm of its own, with weights of its own, in the order of the names."
NO_NORM = "A layer norm is missing after a sub-layer."
GELU = "The feed-forward network uses the exact GELU: not ReLU, and not the tanh approximation."
NO_ACTIVATION = "Without an activation between them the two linear layers of the feed-forward network are one linear layer."
DROPOUT_ALWAYS = "Dropout is for training only: use the module, or pass training=self.training."
NO_POSITIONS = "Positions are missing: without them attention sees a set, and another order gives the same."
PLAIN_LIST = "Keep the blocks in an nn.ModuleList: layers in a plain list are not registered, and never trained."
FFN = "nn.GELU()"
FFN_EDITS = ((FFN, "nn.ReLU()"), (FFN, 'nn.GELU(approximate="tanh")'), (FFN, "nn.SiLU()"))

# --- positional_encoding -----------------------------------------------------------------------------------------------------------

SIN = "pe[0, :, 0::2] = torch.sin(angle)"
COS = "pe[0, :, 1::2] = torch.cos(angle[:, : d_model // 2])  # odd d_model: the last sine has no cosine"
REGISTER = 'self.register_buffer("pe", pe)'
ADD = "return self.dropout(x + self.pe[:, :steps])"
EXPONENT = "exponent = torch.arange(0, d_model, 2) / d_model  # 2i/d, one for each pair"
LIMIT = "if steps > self.pe.shape[1]:"
ANGLE = "angle = position / 10000**exponent"

POSITIONAL_ENCODING = [
    *known(
        "sin-cos-swapped",
        "Sine stands in the even columns and cosine in the odd ones: they have changed places.",
        [(SIN, "pe[0, :, 0::2] = torch.cos(angle)"), (COS, "pe[0, :, 1::2] = torch.sin(angle[:, : d_model // 2])")],
    ),
    *known(
        "parameter-for-buffer",
        "pe is fixed: register it as a buffer, which moves with the model but is not trained, not as a parameter.",
        (REGISTER, "self.pe = nn.Parameter(pe)"),
        (REGISTER, "self.pe = nn.Parameter(pe, requires_grad=False)"),
    ),
    *known(
        "plain-attribute",
        "Register pe as a buffer: a plain tensor stays behind when the model moves to another device.",
        (REGISTER, "self.pe = pe"),
    ),
    *known(
        "added-over-batch",
        "Add the rows of pe along the time axis, axis 1 of x: here they are taken along the batch.",
        (ADD, "return self.dropout(x + self.pe[0, : len(x)].unsqueeze(1))"),
        (ADD, "return self.dropout(x + self.pe[:, : len(x)])"),
        [(REGISTER, 'self.register_buffer("pe", pe.transpose(0, 1))'), (LIMIT, "if steps > self.pe.shape[0]:"),
         (ADD, "return self.dropout(x + self.pe[: len(x)])")],
    ),
    *known(
        "column-number-in-the-exponent",
        "Both columns of a pair share one frequency: the exponent is 2i/d for columns 2i and 2i+1 alike.",
        [(EXPONENT, "exponent = torch.arange(d_model) / d_model"), (SIN, "pe[0, :, 0::2] = torch.sin(angle[:, 0::2])"),
         (COS, "pe[0, :, 1::2] = torch.cos(angle[:, 1::2])")],
        [(EXPONENT, "exponent = 2 * torch.arange(d_model) / d_model"), (SIN, "pe[0, :, 0::2] = torch.sin(angle[:, 0::2])"),
         (COS, "pe[0, :, 1::2] = torch.cos(angle[:, 1::2])")],
    ),
    *known(
        "exponent-halved",
        "The exponent of pair i is 2i/d, not i/d.",
        (EXPONENT, "exponent = torch.arange(0, d_model, 2) / d_model / 2"),
    ),
    *known(
        "halves",
        "Sine and cosine alternate column by column; here the first half is all sine and the second all cosine.",
        [(SIN, "pe[0, :, : angle.shape[1]] = torch.sin(angle)"), (COS, "pe[0, :, angle.shape[1] :] = torch.cos(angle[:, : d_model // 2])")],
    ),
    *known(
        "counted-from-one",
        "Positions count from 0: the first row is sin 0 = 0 and cos 0 = 1.",
        ("torch.arange(max_len).unsqueeze(1)", "torch.arange(1, max_len + 1).unsqueeze(1)"),
    ),
    *known(
        "frequency-inverted",
        "Divide the position by 10000^(2i/d): later pairs are slower, not faster.",
        (ANGLE, "angle = position * 10000**exponent"),
    ),
    *known(
        "odd-d-model",
        "An odd d_model has one cosine column less than sine columns: leave the last cosine out.",
        (COS, "pe[0, :, 1::2] = torch.cos(angle)"),
    ),
    *known(
        "no-limit",
        "A sequence longer than max_len raises ValueError; max_len itself is allowed.",
        (LIMIT, "if False:"),
        (LIMIT, "if steps >= self.pe.shape[1]:"),
        ("raise ValueError(", "raise AssertionError("),
    ),
    *known("returned-alone", "Return x plus the positions, not the positions alone.", (ADD, "return self.dropout(self.pe[:, :steps] + 0 * x)")),
    *known(
        "dropout-not-on-the-sum",
        "Dropout acts on the sum of x and the positions, in training only.",
        (ADD, "return x + self.dropout(self.pe[:, :steps])"),
        (ADD, "return self.dropout(x) + self.pe[:, :steps]"),
        (ADD, "return x + self.pe[:, :steps]"),
    ),
    *known("dropout-always", DROPOUT_ALWAYS, (ADD, "return F.dropout(x + self.pe[:, :steps], self.dropout.p)")),
    *known("scaled", "x is added as it is: the scaling by the root of d_model belongs to the embedding.",
           (ADD, "return self.dropout(x * math.sqrt(x.shape[-1]) + self.pe[:, :steps])")),
]  # fmt: skip

# --- rotary ------------------------------------------------------------------------------------------------------------------------

PAIRS = "a, b = x[..., 0::2], x[..., 1::2]"
TURN = "return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)"
FREQUENCY = "frequency = base ** (-torch.arange(0, d, 2, device=x.device) / d)"
COUNT = "t = torch.arange(steps, device=x.device).unsqueeze(1)"

ROTARY = [
    *known(
        "halves",
        "The pairs are neighbouring features, 2i and 2i+1: here feature i is paired with feature i + d/2.",
        [(PAIRS, "a, b = x.chunk(2, dim=-1)"), (TURN, "return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)")],
        [(PAIRS, "a, b = x.chunk(2, dim=-1)")],
    ),
    *known(
        "pairs-not-joined",
        "Put the members of each pair back side by side: here all first members come before all second ones.",
        (TURN, "return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)"),
    ),
    *known("counted-from-one", "Positions count from 0: the first one is not turned at all.",
           (COUNT, "t = torch.arange(1, steps + 1, device=x.device).unsqueeze(1)")),
    *known(
        "turned-backwards",
        "The rotation goes the other way round: minus stands before b sin in the first member, plus in the second.",
        (TURN, "return torch.stack([a * cos + b * sin, b * cos - a * sin], dim=-1).flatten(-2)"),
    ),
    *known(
        "no-rotation",
        "One of the two signs is wrong: a rotation keeps each pair's length.",
        (TURN, "return torch.stack([a * cos + b * sin, a * sin + b * cos], dim=-1).flatten(-2)"),
        (TURN, "return torch.stack([a * cos - b * sin, a * sin - b * cos], dim=-1).flatten(-2)"),
    ),
    *known(
        "absolute-term-added",
        "Nothing is added to x: positions enter by the rotation alone.",
        (TURN, "return x + torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)"),
        (TURN, "return torch.stack([a * cos - b * sin + sin, a * sin + b * cos + cos], dim=-1).flatten(-2)"),
        (TURN, "return x + torch.stack([sin, cos], dim=-1).flatten(-2)"),
    ),
    *known("base-ignored", "The base is an argument.", (FREQUENCY, FREQUENCY.replace("base **", "10000.0 **"))),
    *known(
        "exponent",
        "The exponent of pair i is -2i/d.",
        (FREQUENCY, "frequency = base ** (-torch.arange(0, d // 2, device=x.device) / d)"),
        (FREQUENCY, "frequency = base ** (torch.arange(0, d, 2, device=x.device) / d)"),
        (FREQUENCY, "frequency = base ** (-2 * torch.arange(0, d, 2, device=x.device) / d)"),
    ),
    *known(
        "wrong-axis",
        "Positions run along the axis before the last; here another axis is counted.",
        [("steps, d = x.shape[-2:]", "steps, d = x.shape[0], x.shape[-1]"),
         (COUNT, "t = torch.arange(steps, device=x.device).view(-1, *[1] * (x.ndim - 1))")],
        [("steps, d = x.shape[-2:]", "steps, d = x.shape[-3] if x.ndim > 2 else len(x), x.shape[-1]"),
         (COUNT, "t = torch.arange(steps, device=x.device).view(-1, *[1] * min(2, x.ndim - 1))")],
    ),
    *known(
        "in-place",
        "Leave x as it is: write the result to a new tensor.",
        (TURN, "with torch.no_grad():\n        x.copy_(torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2))\n    return x"),
    ),
]  # fmt: skip

# --- encoder_block -----------------------------------------------------------------------------------------------------------------

ATTEND = "attended, weights = self.self_attn(x, x, x, key_padding_mask=key_padding_mask)"
FIRST = "x = self.norm1(x + self.dropout(attended))"
SECOND = "x = self.norm2(x + self.dropout(self.ffn(x)))"
RETURN = "return x, weights"
NORMS = "self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)"
PRE_FIRST = [(ATTEND, "y = self.norm1(x)\n        " + ATTEND.replace("x, x, x", "y, y, y")), (FIRST, "x = x + self.dropout(attended)")]
PRE_SECOND = (SECOND, "x = x + self.dropout(self.ffn(self.norm2(x)))")

ENCODER_BLOCK = [
    *known(
        "pre-norm",
        PRE_NORM,
        [*PRE_FIRST, PRE_SECOND],
        PRE_FIRST,
        PRE_SECOND,
        [(FIRST, "x = x + self.norm1(self.dropout(attended))"), (SECOND, "x = x + self.norm2(self.dropout(self.ffn(x)))")],
    ),
    *known(
        "no-residual",
        RESIDUAL,
        (FIRST, "x = self.norm1(self.dropout(attended))"),
        (SECOND, "x = self.norm2(self.dropout(self.ffn(x)))"),
        [(FIRST, "x = self.norm1(self.dropout(attended))"), (SECOND, "x = self.norm2(self.dropout(self.ffn(x)))")],
    ),
    *known(
        "residual-of-the-input",
        "The second residual connection starts from the first sub-layer's result, not from the block's input.",
        [(FIRST, "first = self.norm1(x + self.dropout(attended))"), (SECOND, "x = self.norm2(x + self.dropout(self.ffn(first)))")],
        [(FIRST, "first = self.norm1(x + self.dropout(attended))"), (SECOND, "x = self.norm2(first + self.dropout(self.ffn(x)))")],
    ),
    *known(
        "shared-norm",
        SHARED_NORM,
        (SECOND, SECOND.replace("norm2", "norm1")),
        (NORMS, "self.norm1 = self.norm2 = nn.LayerNorm(d_model)"),
        [(FIRST, FIRST.replace("norm1", "norm2")), (SECOND, SECOND.replace("norm2", "norm1"))],
    ),
    *known(
        "no-norm",
        NO_NORM,
        (FIRST, "x = x + self.dropout(attended)"),
        (SECOND, "x = x + self.dropout(self.ffn(x))"),
        [(FIRST, "x = x + self.dropout(attended)"), (SECOND, "x = x + self.dropout(self.ffn(x))")],
    ),
    *known("gelu", GELU, *FFN_EDITS),
    *known("no-activation", NO_ACTIVATION, (FFN, "nn.Identity()")),
    *known(
        "mask-inverted",
        MASK_SENSE,
        (ATTEND, ATTEND.replace("=key_padding_mask", "=None if key_padding_mask is None else ~key_padding_mask")),
    ),
    *known("mask-ignored", "The padding mask is not used: pass it to the attention.", (ATTEND, ATTEND.replace(", key_padding_mask=key_padding_mask", ""))),
    *known(
        "weights-of-heads",
        "Return the weights averaged over the heads, (B, T, T): that is the default of nn.MultiheadAttention.",
        (ATTEND, ATTEND.replace("=key_padding_mask)", "=key_padding_mask, average_attn_weights=False)")),
    ),
    *known(
        "samples-mixed",
        "nn.MultiheadAttention expects time first unless batch_first=True: without it, the samples of a batch are mixed.",
        ("nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)", "nn.MultiheadAttention(d_model, num_heads, dropout)"),
    ),
    *known("ffn-of-attention", "The feed-forward network reads the first sub-layer's normed result.",
           (SECOND, "x = self.norm2(x + self.dropout(self.ffn(attended)))")),
    *known("no-ffn", "The feed-forward network is not used.", (SECOND, "x = self.norm2(x)")),
    *known("weights-missing", "Return a pair: the states and the attention weights.", (RETURN, "return x")),
    *known("order-of-results", ORDER, (RETURN, "return weights, x")),
    *known("dropout-always", DROPOUT_ALWAYS,
           [(FIRST, FIRST.replace("self.dropout(attended)", "F.dropout(attended, self.dropout.p)")),
            (SECOND, SECOND.replace("self.dropout(self.ffn(x))", "F.dropout(self.ffn(x), self.dropout.p)"))]),
    *known("one-head", "The attention has num_heads heads.",
           ("nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)", "nn.MultiheadAttention(d_model, 1, dropout, batch_first=True)")),
]  # fmt: skip

# --- decoder_block -----------------------------------------------------------------------------------------------------------------

LATER = "later = torch.ones(steps, steps, dtype=torch.bool, device=x.device).triu(1)"
SELF = "attended, _ = self.self_attn(x, x, x, attn_mask=later, need_weights=False)"
CROSS = "attended, _ = self.cross_attn(x, memory, memory, key_padding_mask=hidden, need_weights=False)"
NORM_1, NORM_2 = ("x = self.norm1(x + self.dropout(attended))", "x = self.norm2(x + self.dropout(attended))")
LAST = "return self.norm3(x + self.dropout(self.ffn(x)))"
THREE_NORMS = "self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(d_model) for _ in range(3))"
PRE_SELF = [(SELF, "y = self.norm1(x)\n        " + SELF.replace("x, x, x", "y, y, y")), (NORM_1, "x = x + self.dropout(attended)")]
PRE_CROSS = [(CROSS, CROSS.replace("(x,", "(self.norm2(x),")), (NORM_2, "x = x + self.dropout(attended)")]
PRE_LAST = (LAST, "return x + self.dropout(self.ffn(self.norm3(x)))")

DECODER_BLOCK = [
    *known(
        "no-causal-mask",
        "The self-attention needs a causal mask: a position may not look at later ones.",
        (SELF, SELF.replace("attn_mask=later, ", "")),
    ),
    *known(
        "causal-mask-inverted",
        MASK_SENSE.replace("this one is", "the causal mask is"),
        (LATER, LATER.replace(".triu(1)", ".tril()")),
        (LATER, LATER.replace(".triu(1)", ".tril(-1)")),
    ),
    *known(
        "diagonal-hidden",
        "A position may look at itself: the diagonal stays open.",
        (LATER, LATER.replace(".triu(1)", ".triu()")),
    ),
    *known(
        "sees-one-ahead",
        "The mask leaves one later position open: hide everything above the diagonal.",
        (LATER, LATER.replace(".triu(1)", ".triu(2)")),
    ),
    *known(
        "cross-attention-of-itself",
        "In cross-attention keys and values come from the memory, queries from the decoder.",
        (CROSS, "attended, _ = self.cross_attn(x, x, x, need_weights=False)"),
        (CROSS, "attended, _ = self.cross_attn(x, x, x, attn_mask=later, need_weights=False)"),
        (CROSS, CROSS.replace("x, memory, memory", "x, x, memory")),
        (CROSS, CROSS.replace("x, memory, memory", "x, memory, x")),
    ),
    *known(
        "queries-from-memory",
        "The queries of cross-attention are the decoder's states: the output has the target's length.",
        (CROSS, "attended, _ = self.cross_attn(memory, x, x, need_weights=False)"),
        (CROSS, "attended, _ = self.cross_attn(memory, memory, memory, key_padding_mask=hidden, need_weights=False)"),
    ),
    *known("no-cross-attention", "The memory is not read: the second sub-layer is cross-attention.",
           [(CROSS, "pass"), (NORM_2, "x = self.norm2(x)")], [(CROSS, "pass"), (NORM_2, "pass")]),
    *known(
        "memory-mask-inverted",
        MASK_SENSE.replace("this one is", "the mask of the memory is"),
        (CROSS, CROSS.replace("=hidden", "=None if hidden is None else ~hidden")),
    ),
    *known("memory-mask-ignored", "The memory's padding mask is not used: pass it to the cross-attention.",
           (CROSS, CROSS.replace("key_padding_mask=hidden, ", ""))),
    *known(
        "masks-mixed-up",
        "The memory's padding mask belongs to the cross-attention: self-attention has the causal mask alone.",
        [(SELF, SELF.replace("attn_mask=later", "attn_mask=later, key_padding_mask=hidden")), (CROSS, CROSS.replace("key_padding_mask=hidden, ", ""))],
        (SELF, SELF.replace("attn_mask=later", "attn_mask=later, key_padding_mask=hidden")),
    ),
    *known(
        "causal-cross-attention",
        "Cross-attention is not causal: every target position may look at the whole memory.",
        (CROSS, CROSS.replace("key_padding_mask=hidden", "key_padding_mask=hidden, attn_mask=torch.ones(steps, memory.shape[1]).bool().triu(1)")),
    ),
    *known(
        "order-of-sub-layers",
        "First causal self-attention, then cross-attention.",
        [(SELF, CROSS.replace(", _ =", ", __ =")), (CROSS, SELF)],
    ),
    *known(
        "pre-norm",
        PRE_NORM,
        [*PRE_SELF, *PRE_CROSS, PRE_LAST],
        PRE_LAST,
        [(NORM_1, "x = x + self.norm1(self.dropout(attended))"), (NORM_2, "x = x + self.norm2(self.dropout(attended))"),
         (LAST, "return x + self.norm3(self.dropout(self.ffn(x)))")],
    ),
    *known(
        "no-residual",
        RESIDUAL,
        (NORM_1, "x = self.norm1(self.dropout(attended))"),
        (NORM_2, "x = self.norm2(self.dropout(attended))"),
        (LAST, "return self.norm3(self.dropout(self.ffn(x)))"),
        [(NORM_1, "x = self.norm1(self.dropout(attended))"), (NORM_2, "x = self.norm2(self.dropout(attended))"),
         (LAST, "return self.norm3(self.dropout(self.ffn(x)))")],
    ),
    *known(
        "shared-norm",
        SHARED_NORM,
        (THREE_NORMS, "self.norm1 = self.norm2 = self.norm3 = nn.LayerNorm(d_model)"),
        (NORM_2, NORM_2.replace("norm2", "norm1")),
        [(NORM_2, NORM_2.replace("norm2", "norm1")), (LAST, LAST.replace("norm3", "norm1"))],
        (LAST, LAST.replace("norm3", "norm2")),
        [(NORM_2, NORM_2.replace("norm2", "norm3")), (LAST, LAST.replace("norm3", "norm2"))],
    ),
    *known(
        "no-norm",
        NO_NORM,
        (NORM_1, "x = x + self.dropout(attended)"),
        (NORM_2, "x = x + self.dropout(attended)"),
        (LAST, "return x + self.dropout(self.ffn(x))"),
    ),
    *known("gelu", GELU, *FFN_EDITS),
    *known("no-activation", NO_ACTIVATION, (FFN, "nn.Identity()")),
    *known(
        "attention-shared",
        "self_attn and cross_attn are two different layers with weights of their own.",
        (CROSS, CROSS.replace("cross_attn", "self_attn")),
        (SELF, SELF.replace("self_attn", "cross_attn")),
    ),
    *known(
        "samples-mixed",
        "nn.MultiheadAttention expects time first unless batch_first=True: without it, the samples of a batch are mixed.",
        ("self.self_attn = nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)",
         "self.self_attn = nn.MultiheadAttention(d_model, num_heads, dropout)"),
        ("self.cross_attn = nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)",
         "self.cross_attn = nn.MultiheadAttention(d_model, num_heads, dropout)"),
    ),
    *known("returns-more", "Return the states alone, not a pair.", (LAST, LAST + ", None")),
    *known("dropout-always", DROPOUT_ALWAYS,
           [(NORM_1, NORM_1.replace("self.dropout(attended)", "F.dropout(attended, self.dropout.p)")),
            (LAST, LAST.replace("self.dropout(self.ffn(x))", "F.dropout(self.ffn(x), self.dropout.p)"))]),
    *known("graph-cut", "The memory must get its gradient through the block: no detach.", (CROSS, CROSS.replace("memory, memory", "memory.detach(), memory.detach()"))),
]  # fmt: skip
