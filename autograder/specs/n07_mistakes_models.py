"""Notebook 7, transformers: mistakes in the models that are built from the blocks, in decoding and in training."""

from autograder.specs.n06_mistakes import LOGITS
from autograder.specs.n07_mistakes import DROPOUT_ALWAYS, NO_POSITIONS, PLAIN_LIST
from autograder.specs.spec import known

# --- transformer_classifier --------------------------------------------------------------------------------------------------------

CLS = "self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, d_model))"
JOIN = "x = self.positions(torch.cat([cls, self.project(x)], dim=1))"
READ = "return self.fc(x[:, 0])"
TABLE = "self.positions = PositionalEncoding(d_model, max_len + 1, dropout)  # one more, for the CLS"
STACK = "self.blocks = nn.ModuleList(TransformerEncoderBlock(*sizes) for _ in range(num_layers))"
STEP = "x, _ = block(x)"
WRONG_ERROR = (JOIN, f"if x.shape[1] > self.max_len:\n            raise RuntimeError\n        {JOIN}")
CLS_READ = "cls = self.cls_token.expand(len(x), -1, -1)"
NOT_CAUSAL = (
    STEP,
    "see, later = block.self_attn.forward, torch.ones(x.shape[1], x.shape[1]).triu(1).bool()\n"
    "            block.self_attn.forward = lambda *a, **k: see(*a, **{**k, 'attn_mask': later})\n"
    "            x, _ = block(x)\n"
    "            block.self_attn.forward = see",
)
HEADS = "The number of heads is an argument: every attention has num_heads of them."
D_FF = "The width of the feed-forward network, d_ff, is an argument."
CHAIN = "Not every block has an effect: each is applied once, to what the block before it gave, and the last one's result is used."
FRESH = "Evaluation gives something else each time: dropout is for training only, and layers are made in __init__, not in forward."
DEFAULTS = "The defaults are those of the exercise's first line."
AT_THE_END = (JOIN, "x = self.positions(torch.cat([self.project(x), cls], dim=1))")

TRANSFORMER_CLASSIFIER = [
    *known(
        "cls-at-the-end",
        "The CLS token stands at place 0, in front of the data: here it comes last.",
        [AT_THE_END, (READ, "return self.fc(x[:, -1])")],
        AT_THE_END,
    ),
    *known(
        "mean-pooling",
        "The logits come from the final state of the CLS token alone, not from a mean or a maximum over places.",
        (READ, "return self.fc(x.mean(dim=1))"),
        (READ, "return self.fc(x[:, 1:].mean(dim=1))"),
        (READ, "return self.fc(x.max(dim=1).values)"),
        (READ, "return self.fc(x.sum(dim=1))"),
        (READ, "return self.fc(x).mean(dim=1)"),
    ),
    *known("last-step", "Read the state at place 0, where the CLS token stands, not the last one.", (READ, "return self.fc(x[:, -1])")),
    *known(
        "first-step", "Read the state at place 0, where the CLS token stands: place 1 is the first step of the data.", (READ, "return self.fc(x[:, 1])")
    ),
    *known(
        "one-place-too-few",
        "With the CLS in front, max_len steps need max_len + 1 positions.",
        (TABLE, "self.positions = PositionalEncoding(d_model, max_len, dropout)"),
    ),
    *known(
        "no-limit",
        "More than max_len steps raise ValueError; the CLS is not counted.",
        (TABLE, "self.positions = PositionalEncoding(d_model, max_len + 2, dropout)"),
        (TABLE, "self.positions = PositionalEncoding(d_model, 5000, dropout)"),
        [(TABLE, "self.positions = PositionalEncoding(d_model, max_len + 1, dropout)\n        self.max_len = max_len"), WRONG_ERROR],
        [(TABLE, "self.positions = PositionalEncoding(d_model, max_len + 2, dropout)\n        self.max_len = max_len + 1"), WRONG_ERROR],
        (JOIN, f"assert x.shape[1] < self.positions.pe.shape[1]\n        {JOIN}"),
    ),
    *known(
        "no-positions",
        NO_POSITIONS,
        (JOIN, "x = torch.cat([cls, self.project(x)], dim=1)"),
        [(JOIN, "if x.shape[1] + 1 > self.positions.pe.shape[1]:\n            raise ValueError\n        x = torch.cat([cls, self.project(x)], dim=1)")],
        [(JOIN, "x = torch.cat([self.positions(cls), self.project(x)], dim=1)")],
    ),
    *known(
        "positions-over-batch",
        "Positions go along the time axis, axis 1: here they are added along the batch.",
        (JOIN, "x = torch.cat([cls, self.project(x)], dim=1)\n        x = x + self.positions.pe[0, : len(x)].unsqueeze(1)"),
    ),
    *known(
        "cls-not-trained",
        "cls_token is an nn.Parameter of shape (1, 1, d_model): a plain tensor or a buffer is never trained.",
        (CLS, "self.cls_token = 0.02 * torch.randn(1, 1, d_model)"),
        (CLS, 'self.register_buffer("cls_token", 0.02 * torch.randn(1, 1, d_model))'),
        (CLS, "self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, d_model), requires_grad=False)"),
    ),
    *known("cls-shape", "cls_token has the shape (1, 1, d_model).",
           [(CLS, "self.cls_token = nn.Parameter(0.02 * torch.randn(d_model))"), (CLS_READ, "cls = self.cls_token.expand(len(x), 1, -1)")],
           [(CLS, "self.cls_token = nn.Parameter(0.02 * torch.randn(1, d_model))"), (CLS_READ, "cls = self.cls_token.expand(len(x), 1, -1)")]),
    *known("cls-not-used", "The CLS token itself must stand at place 0, not zeros and not a copy without its gradient.",
           (CLS_READ, "cls = torch.zeros_like(self.cls_token).expand(len(x), -1, -1)"),
           (CLS_READ, "cls = self.cls_token.detach().expand(len(x), -1, -1)"),
           (CLS_READ, "cls = torch.randn(len(x), 1, self.cls_token.shape[-1])")),
    *known("cls-in-one-sample", "Every sample gets the same CLS token: expand it over the batch.",
           (CLS_READ, "cls = torch.cat([self.cls_token, torch.zeros(len(x) - 1, 1, self.cls_token.shape[-1])])")),
    *known("steps-not-seen",
           "The CLS at place 0 does not see the steps: the blocks take the batch first (batch_first=True in PyTorch's), and an encoder has no causal mask.",
           NOT_CAUSAL, (STEP, "x = block(x.transpose(0, 1))[0].transpose(0, 1)")),
    *known("input-size-ignored", "The number of values at each step, input_size, is an argument.", ("nn.Linear(input_size, d_model)", "nn.Linear(1, d_model)")),
    *known("heads-ignored", HEADS, *(("sizes = (d_model, num_heads,", f"sizes = (d_model, {heads},") for heads in (1, 2, 4))),
    *known("blocks-not-chained", CHAIN, [(STEP, "out, _ = block(x)"), (READ, "return self.fc(out[:, 0])")]),
    *known("squeezed", "Keep both axes of the logits, for one sample too: no squeeze.", (READ, f"{READ}.squeeze()")),
    *known("returns-more", "Return the logits alone.", (READ, f"{READ}, x")),
    *known("argmax", "Return the logits, one for each class, not the class: argmax has no gradient.", (READ, f"{READ}.argmax(dim=-1)")),
    *known("softmaxed", LOGITS, (READ, f"{READ}.softmax(dim=-1)"), (READ, f"{READ}.log_softmax(dim=-1)"), (READ, f"{READ}.sigmoid()"),
           (READ, f"{READ}.relu()"), (READ, f"{READ}.tanh()")),
    *known("blocks-unused", "The logits do not depend on the blocks' weights: read the last block's result, with no detach or no_grad on the way.",
           (STEP, "pass"), (STEP, "with torch.no_grad():\n                x, _ = block(x)"),
           [(JOIN, f"{JOIN}\n        start = x"), (READ, "return self.fc(start[:, 0])")]),
    *known("first-sample", "x[:, 0] is place 0 of every sample: x[0] is the first sample with all its places.", (READ, "return self.fc(x[0])")),
    *known("no-place-of-its-own", "The CLS token has a place of its own in front of all T steps: the blocks see T + 1 places.",
           (JOIN, "x = self.positions(self.project(x) + cls)"), (JOIN, "x = self.positions(torch.cat([cls, self.project(x)[:, 1:]], dim=1))")),
    *known("defaults", DEFAULTS, ("d_model=64", "d_model=32"), ("num_heads=4", "num_heads=8"), ("num_layers=2", "num_layers=4"),
           ("d_ff=256", "d_ff=128"), ("dropout=0.1", "dropout=0.5")),
    *known("plain-list", PLAIN_LIST, (STACK, STACK.replace("nn.ModuleList(", "list("))),
    *known(
        "one-block",
        "Stack num_layers blocks, each with weights of its own.",
        (STACK, "self.blocks = nn.ModuleList([TransformerEncoderBlock(*sizes)])"),
        (STACK, "self.blocks = nn.ModuleList([TransformerEncoderBlock(*sizes)] * num_layers)"),
        ("range(num_layers)", "range(num_layers + 1)"),
    ),
    *known(
        "d-ff-ignored", D_FF, *(("sizes = (d_model, num_heads, d_ff, dropout)", f"sizes = (d_model, num_heads, {width}, dropout)") for width in ("4 * d_model", 2048))
    ),
    *known("samples-mixed", "Every sample is worked on by itself: here a mean over the batch enters.",
           (JOIN, "x = self.project(x)\n        x = self.positions(torch.cat([cls, x - x.mean(dim=0)], dim=1))")),
    *known("classes-fixed", "The number of classes is an argument.", ("self.fc = nn.Linear(d_model, num_classes)", "self.fc = nn.Linear(d_model, 2)")),
    *known("dropout-always", FRESH, (READ, "return self.fc(F.dropout(x[:, 0], 0.3))"),
           (READ, "return nn.Linear(x.shape[-1], self.fc.out_features)(x[:, 0])")),
]  # fmt: skip

# --- transformer -------------------------------------------------------------------------------------------------------------------

ENCODE = "x, _ = block(x, src == self.pad_idx)"
DECODE = "x = block(x, memory, src == self.pad_idx)"
SOURCE = "x = self.positions(self.src_embedding(src) * self.scale)"
TARGET = "x = self.positions(self.tgt_embedding(tgt) * self.scale)"
ENCODER = "self.encoder = nn.ModuleList(TransformerEncoderBlock(*sizes) for _ in range(num_layers))"
DECODER = "self.decoder = nn.ModuleList(TransformerDecoderBlock(*sizes) for _ in range(num_layers))"
LOGIT = "return self.fc(x)"
FORWARD = "return self.decode(tgt, self.encode(src), src)"
SEES_ALL = (
    DECODE,
    "see = block.self_attn.forward\n"
    "            block.self_attn.forward = lambda *a, **k: see(*a, **{**k, 'attn_mask': None})\n"
    "            x = block(x, memory, src == self.pad_idx)\n"
    "            block.self_attn.forward = see",
)

TRANSFORMER = [
    *known("memory-detached", "The encoder gets no gradient: no detach and no no_grad between the source and the decoder.",
           (FORWARD, "return self.decode(tgt, self.encode(src).detach(), src)")),
    *known("encoder-causal", "The encoder is not causal: every source position sees all others that are not padding.",
           (ENCODE, "later = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()\n"
            "            y, _ = block.self_attn(x, x, x, key_padding_mask=src == self.pad_idx, attn_mask=later)\n"
            "            x = block.norm1(x + y)\n            x = block.norm2(x + block.ffn(x))")),
    *known("encoder-skipped", "The encoder's blocks are not used: the memory is what they give.", (ENCODE, "pass")),
    *known("decoder-skipped", "The decoder's blocks are not used: the logits come from what they give.", (DECODE, "pass")),
    *known("samples-mixed", "Every sample is worked on by itself: here a mean over the batch enters.", (SOURCE, f"{SOURCE}\n        x = x - x.mean(dim=0)")),
    *known("defaults", DEFAULTS, ("d_model=64", "d_model=512"), ("num_heads=4", "num_heads=8"), ("num_layers=2", "num_layers=6"),
           ("d_ff=128", "d_ff=256"), ("dropout=0.0", "dropout=0.1")),
    *known(
        "memory-ignored",
        "decode reads the memory that it is given; src is there for its padding alone.",
        (DECODE, "x = block(x, self.encode(src), src == self.pad_idx)"),
        (DECODE, "x = block(x, torch.zeros_like(memory), src == self.pad_idx)"),
    ),
    *known(
        "padding-attended",
        "Hide the source's padding, from the encoder's self-attention and from the decoder's cross-attention: more padding must change nothing.",
        (ENCODE, "x, _ = block(x)"),
        (DECODE, "x = block(x, memory)"),
        [(ENCODE, "x, _ = block(x)"), (DECODE, "x = block(x, memory)")],
    ),
    *known(
        "mask-inverted",
        "In key_padding_mask True means ignore: here the symbols are hidden and the padding is read.",
        [(ENCODE, "x, _ = block(x, src != self.pad_idx)"), (DECODE, "x = block(x, memory, src != self.pad_idx)")],
        (ENCODE, "x, _ = block(x, src != self.pad_idx)"),
        (DECODE, "x = block(x, memory, src != self.pad_idx)"),
    ),
    *known("pad-idx-ignored", "The padding's index is an argument: compare src with pad_idx, not with 0.",
           [(ENCODE, "x, _ = block(x, src == 0)"), (DECODE, "x = block(x, memory, src == 0)")]),
    *known(
        "future-seen",
        "The decoder is causal: no logit may depend on a later target symbol.",
        SEES_ALL,
        (TARGET, "x = self.positions(self.tgt_embedding(tgt) * self.scale)\n        x = x + x.mean(dim=1, keepdim=True)"),
        (TARGET, "x = self.positions(self.tgt_embedding(tgt) * self.scale)\n        x = x + x.roll(-1, dims=1)"),
    ),
    *known(
        "not-scaled",
        "Multiply what the embeddings give by the root of d_model, for source and target.",
        [(SOURCE, "x = self.positions(self.src_embedding(src))"), (TARGET, "x = self.positions(self.tgt_embedding(tgt))")],
        (TARGET, "x = self.positions(self.tgt_embedding(tgt))"),
        (SOURCE, "x = self.positions(self.src_embedding(src))"),
    ),
    *known(
        "scaled-by-d-model",
        "The factor is the square root of d_model.",
        [(SOURCE, SOURCE.replace("self.scale", "self.scale**2")), (TARGET, TARGET.replace("self.scale", "self.scale**2"))],
        [(SOURCE, SOURCE.replace("* self.scale", "/ self.scale")), (TARGET, TARGET.replace("* self.scale", "/ self.scale"))],
        ("self.pad_idx, self.scale = pad_idx, math.sqrt(d_model)", "self.pad_idx, self.scale = pad_idx, math.sqrt(d_model / num_heads)"),
    ),
    *known("no-positions", NO_POSITIONS,
           [(SOURCE, "x = self.src_embedding(src) * self.scale"), (TARGET, "x = self.tgt_embedding(tgt) * self.scale")],
           (SOURCE, "x = self.src_embedding(src) * self.scale"), (TARGET, "x = self.tgt_embedding(tgt) * self.scale")),
    *known("shifted-again", "The target that is given is already shifted: feed all of it, and return all logits.",
           (FORWARD, "return self.decode(tgt[:, :-1], self.encode(src), src)"), (LOGIT, "return self.fc(x[:, :-1])"),
           (FORWARD, "return self.decode(F.pad(tgt[:, :-1], (1, 0), value=1), self.encode(src), src)")),
    *known("last-step-only", "Every target position has its logits: apply the linear layer to all of them.", (LOGIT, "return self.fc(x[:, -1])")),
    *known("softmaxed", LOGITS, (LOGIT, f"{LOGIT}.softmax(dim=-1)"), (LOGIT, f"{LOGIT}.log_softmax(dim=-1)"), (LOGIT, f"{LOGIT}.relu()")),
    *known("logits-shape", "The logits have the shape (B, T, tgt_vocab_size): flattening or transposing them belongs to the loss.",
           (LOGIT, f"{LOGIT}.flatten(0, 1)"), (LOGIT, f"{LOGIT}.transpose(1, 2)")),
    *known("plain-list", PLAIN_LIST, (ENCODER, ENCODER.replace("nn.ModuleList(", "list(")), (DECODER, DECODER.replace("nn.ModuleList(", "list(")),
           [(ENCODER, ENCODER.replace("nn.ModuleList(", "list(")), (DECODER, DECODER.replace("nn.ModuleList(", "list("))]),
    *known("one-block", "Encoder and decoder have num_layers blocks each, with weights of their own.",
           (ENCODER, "self.encoder = nn.ModuleList([TransformerEncoderBlock(*sizes)])"),
           (DECODER, "self.decoder = nn.ModuleList([TransformerDecoderBlock(*sizes)])"),
           (ENCODER, ENCODER.replace("range(num_layers)", "range(num_layers + 1)")), (DECODER, DECODER.replace("range(num_layers)", "range(num_layers + 1)")),
           [(ENCODER, "self.encoder = nn.ModuleList([TransformerEncoderBlock(*sizes)])"),
            (DECODER, "self.decoder = nn.ModuleList([TransformerDecoderBlock(*sizes)])"),]),
    *known("vocabularies-mixed-up", "Source and target have vocabularies of their own: the source embedding has src_vocab_size rows, the target's and the logits tgt_vocab_size.",
           [("self.src_embedding = nn.Embedding(src_vocab_size, d_model)", "self.src_embedding = nn.Embedding(tgt_vocab_size, d_model)"),
            ("self.tgt_embedding = nn.Embedding(tgt_vocab_size, d_model)", "self.tgt_embedding = nn.Embedding(src_vocab_size, d_model)")],
           ("self.fc = nn.Linear(d_model, tgt_vocab_size)", "self.fc = nn.Linear(d_model, src_vocab_size)"),
           ("self.src_embedding = nn.Embedding(src_vocab_size, d_model)", "self.src_embedding = nn.Embedding(tgt_vocab_size, d_model)"),
           ("self.tgt_embedding = nn.Embedding(tgt_vocab_size, d_model)", "self.tgt_embedding = nn.Embedding(src_vocab_size, d_model)")),
    *known("diagonal-hidden", "A target position may look at itself: hide what comes later, not the diagonal.",
           (DECODE, SEES_ALL[1].replace("None", "torch.ones(tgt.shape[1], tgt.shape[1]).triu().bool()"))),
    *known("dropout-always", DROPOUT_ALWAYS, (LOGIT, "return self.fc(F.dropout(x, 0.1))")),
    *known("heads-ignored", HEADS, *(("sizes = (d_model, num_heads,", f"sizes = (d_model, {heads},") for heads in (1, 2, 4))),
    *known("d-ff-ignored", D_FF, ("sizes = (d_model, num_heads, d_ff, dropout)", "sizes = (d_model, num_heads, 4 * d_model, dropout)")),
    *known("blocks-not-chained", CHAIN, [(ENCODE, ENCODE.replace("x, _", "out, _")), ("        return x\n", "        return out\n")],
           [(DECODE, DECODE.replace("x =", "out =")), (LOGIT, "return self.fc(out)")]),
    *known("argmax", "Return the logits, one for each symbol of the target vocabulary, not the best symbol.", (LOGIT, f"{LOGIT}.argmax(dim=-1)")),
    *known("encode-returns-more", "encode returns the memory alone, not a pair.",
           [("        return x\n", "        return x, _\n"), (FORWARD, "return self.decode(tgt, self.encode(src)[0], src)")]),
    *known("max-len-too-short", "Sources and targets of max_len symbols are allowed.",
           ("self.positions = PositionalEncoding(d_model, max_len, dropout)", "self.positions = PositionalEncoding(d_model, max_len - 1, dropout)")),
    *known("returns-more", "forward returns the logits alone.", (FORWARD, f"{FORWARD}, None")),
]  # fmt: skip

# --- greedy_decode -----------------------------------------------------------------------------------------------------------------

SYMBOL = "symbol = logits[:, -1].argmax(dim=-1).masked_fill(finished, 0)"
STOP = "if finished.all():"
RESULT = "return written[:, 1:]"
RESTORE = "model.train(was_training)"
EVAL = "    model.eval()"
NO_GRAD = "with torch.no_grad():"
LOOP = "for _ in range(max_len):"

GREEDY_DECODE = [
    *known(
        "one-end-stops-all",
        "Go on until every row has its EOS: one row's end must not stop the others.",
        (STOP, "if finished.any():"),
        (STOP, "if finished[0]:"),
        (STOP, "if (symbol == eos).any():"),
    ),
    *known("bos-returned", "BOS is where each row starts, not a part of what is written: leave it out.", (RESULT, "return written")),
    *known("too-few-steps", "max_len counts the symbols that are written, BOS not among them.",
           (LOOP, "for _ in range(max_len - 1):"), (LOOP, "while written.shape[1] < max_len:")),
    *known("eos-dropped", "The first EOS of a row is kept.",
           (RESULT, "return written[:, 1:].masked_fill(written[:, 1:] == eos, 0)"), (RESULT, "return written[:, 1:-1]")),
    *known("eos-fixed", "The end symbol is the one given as eos.", ("(symbol == eos)", "(symbol == 2)")),
    *known("not-zero-after-eos", "After a row's EOS it holds only 0, whatever the model goes on to say.",
           (SYMBOL, "symbol = logits[:, -1].argmax(dim=-1)"), (SYMBOL, SYMBOL.replace("finished, 0", "finished, eos")),
           (SYMBOL, SYMBOL.replace("finished, 0", "finished, -1"))),
    *known("symbol-forbidden", "Take the highest logit, whatever its symbol: BOS and 0 are symbols like any other.",
           (SYMBOL, f"logits[..., 0] = -math.inf\n            {SYMBOL}"), (SYMBOL, f"logits[..., bos] = -math.inf\n            {SYMBOL}")),
    *known("trimmed", "The result has as many columns as steps were taken, even if the last ones hold nothing but 0.",
           (RESULT, "columns = (written[:, 1:] != 0).any(dim=0).nonzero()\n    return written[:, 1 : int(columns.max()) + 2]")),
    *known("source-changed", "Leave src as it is.", ("memory = model.encode(src)", "memory = model.encode(src)\n        src[src == eos] = 0"),
           ("memory = model.encode(src)", "memory = model.encode(src)\n        src += 0 * src + 1\n        src -= 0")),
    *known("never-stops", "Stop as soon as every row has its EOS: the result has as many columns as steps were taken.",
           (STOP, "if False:"), (STOP, "if (symbol == eos).all():"),
           ("finished = finished | (symbol == eos)", "finished = symbol == eos"),
           [(STOP, "if done_before:"), (SYMBOL, f"{SYMBOL}\n            done_before = finished.all()")]),
    *known("too-many-steps", "At most max_len symbols are written.", (LOOP, "for _ in range(max_len + 1):")),
    *known("training-mode", "The model must run in eval mode: otherwise dropout is active.", (EVAL, "    pass")),
    *known("mode-not-restored", "Put the model back into the mode in which you found it.",
           (RESTORE, "pass"), (RESTORE, "model.train()")),
    *known("gradients-on", "Run the model without gradients: nothing is learned here.", (NO_GRAD, "if True:")),
    *known("sampled", "Greedy means the highest logit, not a random draw.",
           (SYMBOL, "symbol = torch.multinomial(logits[:, -1].softmax(-1), 1).squeeze(1).masked_fill(finished, 0)")),
    *known("first-position", "The next symbol's logits stand at the last position.",
           (SYMBOL, SYMBOL.replace("logits[:, -1]", "logits[:, 0]"))),
    *known("prefix-not-fed", "Feed all that has been written so far, from BOS on: a transformer keeps no state.",
           ("logits = model.decode(written, memory, src)", "logits = model.decode(written[:, -1:], memory, src)"),
           ("logits = model.decode(written, memory, src)", "logits = model.decode(written[:, 1:] if written.shape[1] > 1 else written, memory, src)")),
    *known("bos-ignored", "Start with the symbol given as bos.", ("torch.full((len(src), 1), bos,", "torch.full((len(src), 1), 1,"),
           ("torch.full((len(src), 1), bos,", "torch.full((len(src), 1), 0,")),
    *known("zero-ends-a-row", "A row ends with its first EOS alone: a 0 that the model writes before is a symbol like any other.",
           ("(symbol == eos)", "(symbol == eos) | (symbol == 0)"),
           (SYMBOL, SYMBOL.replace("finished, 0", "(written[:, -1] == eos) | (written[:, -1] == 0), 0"))),
    *known("gradients-left-off", "Gradients are on again afterwards: torch.no_grad() as a context or decorator sees to that.",
           (NO_GRAD, "torch.set_grad_enabled(False)\n    if True:")),
    *known("floats", "Symbols are whole numbers: return a long tensor.", (RESULT, "return written[:, 1:].float()")),
]  # fmt: skip

# --- train_reversal ----------------------------------------------------------------------------------------------------------------

SHIFT = "shifted = F.pad(tgt[:, :-1], (1, 0), value=1)  # BOS first, the last column dropped"
MIRROR = "mirrored = (lengths - 1 - place) % 8  # place j holds symbol length-1-j; padding stays on the right"
WITH_END = "return src, tgt.scatter(1, lengths, 2)  # EOS right after the string"
LENGTHS = "def batch(size, longest=8):"
LOSS = "loss = F.cross_entropy(model(src, shifted).flatten(0, 1), tgt.flatten(), ignore_index=0)"
MODEL = "model = Transformer(13, 13, d_model=64, num_heads=2, num_layers=1, d_ff=128, max_len=16)"
SHORTER = ("steps = 500", "steps = 250")  # a mistake shows as clearly after half the steps

TRAIN_REVERSAL = [
    *known(
        "no-shift",
        "The decoder's input is the target shifted by one, BOS first: unshifted, the model learns to copy its input, and cannot write by itself.",
        [(SHIFT, "shifted = tgt"), SHORTER],
    ),
    *known(
        "padding-reversed",
        "Only strings of 8 symbols are reversed. Reverse the string alone: flipping the padded row puts the padding first. Sources are padded on the right, "
        "and strings of all lengths are needed.",
        [(MIRROR, "mirrored = (7 - place).expand(size, 8)"), (WITH_END, "return src, tgt.scatter(1, torch.full_like(lengths, 8), 2)"), SHORTER],
        [(MIRROR, "mirrored = (7 - place).expand(size, 8)"), (WITH_END, "return src, tgt.scatter(1, torch.full_like(lengths, 8), 2)"), SHORTER,
         (LOSS, LOSS.replace(", ignore_index=0", ""))],
    ),
    *known(
        "eos-never-taught",
        "The strings are right but have no end: EOS belongs at the end of each target, and the loss must count it.",
        [(WITH_END, "return src, tgt"), SHORTER],
    ),
    *known(
        "lengths-3-to-7",
        "The longest strings fail: strings have 3 to 8 symbols, and torch.randint leaves its upper end out.",
        [(LENGTHS, "def batch(size, longest=7):"), SHORTER],
    ),
    *known(
        "no-causal-mask",
        "A later target symbol changes earlier logits: without the causal mask the model reads the answer instead of learning it.",
        [(MODEL, MODEL + "\n    see = model.decoder[0].self_attn.forward\n"
          "    model.decoder[0].self_attn.forward = lambda *a, **k: see(*a, **{**k, 'attn_mask': None})"), SHORTER],
    ),
    *known(
        "positions-drowned",
        "The embeddings start too large: nn.Embedding's standard deviation is 1, and times the root of d_model it drowns the positions, so order "
        "is learned slowly. Start both tables at 1/sqrt(d_model).",
        [(MODEL, f"{MODEL}\n    nn.init.normal_(model.src_embedding.weight)\n    nn.init.normal_(model.tgt_embedding.weight)"), SHORTER],
    ),
    *known("symbols-3-to-11", "Symbol 12 is never written: the symbols are 3 to 12, and torch.randint leaves its upper end out.",
           [("torch.randint(3, 13,", "torch.randint(3, 12,"), SHORTER]),
    *known("symbols-4-to-12", "Symbol 3 is never written: the symbols are 3 to 12.", [("torch.randint(3, 13,", "torch.randint(4, 13,"), SHORTER]),
    *known("lengths-4-to-8", "Strings of 3 symbols fail: strings have 3 to 8 symbols.",
           [("torch.randint(3, longest + 1,", "torch.randint(4, longest + 1,"), SHORTER]),
    *known("bos-not-fed", "The model was not trained to start from BOS: each row that is fed begins with BOS, 1.",
           [(SHIFT, SHIFT.replace("value=1", "value=0")), SHORTER], [(SHIFT, SHIFT.replace("value=1", "value=2")), SHORTER]),
    *known("source-with-eos", "The model waits for an EOS in the source: it has neither BOS nor EOS, only symbols and padding.",
           [(WITH_END, "return F.pad(src, (0, 1)).scatter(1, lengths, 2), tgt.scatter(1, lengths, 2)"), SHORTER]),
    *known("bos-in-the-target", "The target starts with the string's last symbol: BOS is fed, never predicted.",
           [(LOSS, "tgt, shifted = F.pad(tgt, (1, 0), value=1), F.pad(shifted, (1, 0), value=1)\n        " + LOSS), SHORTER]),
    *known("copied", "The strings are written forwards: the target is the source's symbols in reverse order.",
           [("src.gather(1, mirrored)", "src"), SHORTER]),
    *known("diverged", "Every string gets one symbol over and over: training has diverged; lower the learning rate, clip the gradients.",
           [("OneCycleLR(optimizer, 5e-3,", "OneCycleLR(optimizer, 0.3,"), SHORTER]),
    *known("too-short", "The model has learned too little: train longer, on fresh strings at each step, with a better learning rate, and drop the old gradients "
           "before each backward pass.", ("steps = 500", "steps = 40"), ("steps = 500", "steps = 90"), [("        optimizer.zero_grad()\n", ""), SHORTER]),
]  # fmt: skip
