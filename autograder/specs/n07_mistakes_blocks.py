"""Notebook 7, transformers: mistakes in the encoder block and the decoder block."""

from autograder.specs.n06_mistakes import ORDER
from autograder.specs.n07_mistakes import DROPOUT_ALWAYS, IN_PLACE
from autograder.specs.spec import known

MASK_SENSE = "nn.MultiheadAttention's masks say True for what to ignore, the opposite of notebook 6: this one is the wrong way round."
PRE_NORM = "Post-norm is asked for: first the sum of x and the sub-layer's output, then the norm of that sum."
RESIDUAL = "A residual connection is missing: add the sub-layer's input to its output before the norm."
SHARED_NORM = "Each sub-layer has a norm of its own, with weights of its own, in the order of the names."
NO_NORM = "A layer norm is missing after a sub-layer."
GELU = "The feed-forward network uses the exact GELU: not ReLU, and not the tanh approximation."
NO_ACTIVATION = "Without an activation between them the two linear layers of the feed-forward network are one linear layer."
FFN = "nn.GELU()"
GELU_PLACE = "The GELU stands between the two linear layers, and nowhere else."
GELU_PLACES = (("nn.GELU(), nn.Linear(d_ff, d_model)", "nn.Linear(d_ff, d_model), nn.GELU()"),
               ("nn.GELU(), nn.Linear(d_ff, d_model)", "nn.GELU(), nn.Linear(d_ff, d_model), nn.GELU()"))  # fmt: skip
BIAS = "Both linear layers of the feed-forward network have a bias."
NO_BIAS = (("nn.Linear(d_model, d_ff)", "nn.Linear(d_model, d_ff, bias=False)"), ("nn.Linear(d_ff, d_model)", "nn.Linear(d_ff, d_model, bias=False)"))
FFN_EDITS = ((FFN, "nn.ReLU()"), (FFN, 'nn.GELU(approximate="tanh")'), (FFN, "nn.SiLU()"))
NO_FFN = "The feed-forward network is not used."
ZEROED = "Zeros are not a mask: a place that holds zeros still gets its share of the attention. Pass the mask to the attention."

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
        (FIRST, "x = x + self.norm1(self.dropout(attended))"),
        (SECOND, "x = x + self.norm2(self.dropout(self.ffn(x)))"),
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
    *known("gelu-misplaced", GELU_PLACE, *GELU_PLACES),
    *known("no-bias", BIAS, *NO_BIAS),
    *known("causal", "An encoder's self-attention is not causal: every position may look at all others.",
           (ATTEND, ATTEND.replace("x, x, x,", "x, x, x, attn_mask=torch.ones(x.shape[1], x.shape[1]).triu(1).bool(),"))),
    *known("zeroed-for-masked", ZEROED,
           (ATTEND, "x = x if key_padding_mask is None else x.masked_fill(key_padding_mask.unsqueeze(-1), 0)\n"
            "        attended, weights = self.self_attn(x, x, x)")),
    *known("in-place", IN_PLACE, (FIRST, "x += self.dropout(attended)\n        x = self.norm1(x)")),
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
        [(ATTEND, ATTEND.replace("=key_padding_mask)", "=key_padding_mask, average_attn_weights=False)")), (RETURN, "return x, weights[:, 0]")],
        [(ATTEND, ATTEND.replace("=key_padding_mask)", "=key_padding_mask, average_attn_weights=False)")), (RETURN, "return x, weights.sum(1)")],
    ),
    *known(
        "samples-mixed",
        "nn.MultiheadAttention expects time first unless batch_first=True: without it, the samples of a batch are mixed.",
        ("nn.MultiheadAttention(d_model, num_heads, dropout, batch_first=True)", "nn.MultiheadAttention(d_model, num_heads, dropout)"),
    ),
    *known("ffn-of-attention", "The feed-forward network reads the first sub-layer's normed result.",
           (SECOND, "x = self.norm2(x + self.dropout(self.ffn(attended)))")),
    *known("no-ffn", NO_FFN, (SECOND, "x = self.norm2(x)")),
    *known("zeroed-output", "Leave the outputs at padding as they are: padding is hidden by the mask alone.",
           (RETURN, "if key_padding_mask is not None:\n            x = x.masked_fill(key_padding_mask.unsqueeze(-1), 0)\n        " + RETURN)),
    *known("weights-missing", "Return a pair: the states and the attention weights.", (RETURN, "return x"),
           (ATTEND, ATTEND.replace("=key_padding_mask)", "=key_padding_mask, need_weights=False)"))),
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
WITH_WEIGHTS = (SELF, SELF.replace(", need_weights=False", ""))  # computed another way, with other NaNs
FLOAT_LATER = "later = torch.ones(steps, steps, dtype=x.dtype, device=x.device).triu(1)"
FLOAT_MASK = (
    "A float mask is added to the scores: 0 where a position may look, minus infinity where not, and 0 times infinity is NaN. A boolean mask is simpler."
)
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
        [(LATER, LATER.replace(".triu(1)", ".tril()")), WITH_WEIGHTS],
        [(LATER, LATER.replace(".triu(1)", ".tril(-1)")), WITH_WEIGHTS],
    ),
    *known("float-mask", FLOAT_MASK, (LATER, FLOAT_LATER), [(LATER, FLOAT_LATER), WITH_WEIGHTS], (LATER, f'{FLOAT_LATER} * float("-inf")'),
           [(LATER, f'{FLOAT_LATER} * float("-inf")'), WITH_WEIGHTS], (CROSS, CROSS.replace("=hidden", "=None if hidden is None else hidden.to(x.dtype)"))),
    *known(
        "diagonal-hidden",
        "A position may look at itself: the diagonal stays open.",
        (LATER, LATER.replace(".triu(1)", ".triu()")),
        [(LATER, LATER.replace(".triu(1)", ".triu()")), WITH_WEIGHTS],
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
        [(SELF, CROSS.replace(", _ =", ", __ =")), (CROSS, SELF), (NORM_1, "x = self.norm2(self.dropout(attended) + x)"),
         (NORM_2, "x = self.norm1(self.dropout(attended) + x)")],
    ),
    *known(
        "pre-norm",
        PRE_NORM,
        [*PRE_SELF, *PRE_CROSS, PRE_LAST],
        PRE_LAST,
        PRE_SELF,
        PRE_CROSS,
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
    *known("gelu-misplaced", GELU_PLACE, *GELU_PLACES),
    *known("no-bias", BIAS, *NO_BIAS),
    *known("memory-normed", "The memory goes into cross-attention as it is: the norms are for the decoder's own states.",
           (CROSS, CROSS.replace("memory, memory", "self.norm2(memory), self.norm2(memory)"))),
    *known("zeroed-for-masked", ZEROED,
           (CROSS, "memory = memory if hidden is None else memory.masked_fill(hidden.unsqueeze(-1), 0)\n        "
            + CROSS.replace("key_padding_mask=hidden, ", ""))),
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
    *known("no-self-attention", "The first sub-layer, causal self-attention, is not used.",
           [(SELF, "pass"), (NORM_1, "x = self.norm1(x)")], [(SELF, "pass"), (NORM_1, "pass")]),
    *known("no-ffn", NO_FFN, (LAST, "return self.norm3(x)")),
    *known("ffn-of-attention", "The feed-forward network reads the second sub-layer's normed result.", (LAST, LAST.replace("self.ffn(x)", "self.ffn(attended)"))),
    *known(
        "residual-of-the-input",
        "Each residual connection starts from the result of the sub-layer before, not from the block's input, and so do the queries.",
        [(SELF, f"start = x\n        {SELF}"), (NORM_2, NORM_2.replace("(x +", "(start +"))],
        [(SELF, f"start = x\n        {SELF}"), (LAST, LAST.replace("(x + self", "(start + self"))],
        [(SELF, f"start = x\n        {SELF}"), (CROSS, CROSS.replace("(x,", "(start,"))],
    ),
    *known("in-place", IN_PLACE, (NORM_1, "x += self.dropout(attended)\n        x = self.norm1(x)")),
    *known("one-head", "Both attentions have num_heads heads.",
           ("self.self_attn = nn.MultiheadAttention(d_model, num_heads,", "self.self_attn = nn.MultiheadAttention(d_model, 1,"),
           ("self.cross_attn = nn.MultiheadAttention(d_model, num_heads,", "self.cross_attn = nn.MultiheadAttention(d_model, 1,")),
    *known("dropout-always", DROPOUT_ALWAYS,
           [(NORM_1, NORM_1.replace("self.dropout(attended)", "F.dropout(attended, self.dropout.p)")),
            (LAST, LAST.replace("self.dropout(self.ffn(x))", "F.dropout(self.ffn(x), self.dropout.p)"))]),
    *known("graph-cut", "The memory must get its gradient through the block: no detach.", (CROSS, CROSS.replace("memory, memory", "memory.detach(), memory.detach()"))),
]  # fmt: skip
