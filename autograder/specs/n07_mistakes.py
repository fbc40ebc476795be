"""Notebook 7, transformers: mistakes known by name, as edits of the reference answers. Those of the positions, and what several share."""

from autograder.specs.spec import known

# What several exercises share.
DROPOUT_ALWAYS = "Dropout is for training only: use the module, or pass training=self.training."
NO_POSITIONS = "Positions are missing: without them attention sees a set, and another order gives the same."
PLAIN_LIST = "Keep the blocks in an nn.ModuleList: layers in a plain list are not registered, and never trained."
IN_PLACE = "Leave x as it is: += and other changes in place write into the caller's tensor."

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
        "no-batch-axis",
        "pe has a first axis of length 1, for the batch: its shape is (1, max_len, d_model).",
        [(REGISTER, 'self.register_buffer("pe", pe[0])'), ("steps > self.pe.shape[1]", "steps > self.pe.shape[0]"), (ADD, "return self.dropout(x + self.pe[:steps])")],
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
        (LIMIT, "if steps > 5000:"),
        (LIMIT, "if steps >= self.pe.shape[1]:"),
        ("raise ValueError(", "raise AssertionError("),
        ("raise ValueError(", "raise IndexError("),
        [(LIMIT, "if False:"), (ADD, "x = x[:, : self.pe.shape[1]]\n        return self.dropout(x + self.pe[:, : x.shape[1]])")],
    ),
    *known("returned-alone", "Return x plus the positions, not the positions alone.", (ADD, "return self.dropout(self.pe[:, :steps] + 0 * x)")),
    *known(
        "dropout-not-on-the-sum",
        "Dropout acts on the sum of x and the positions, in training only.",
        (ADD, "return x + self.dropout(self.pe[:, :steps])"),
        (ADD, "return self.dropout(x) + self.pe[:, :steps]"),
        (ADD, "return x + self.pe[:, :steps]"),
        (ADD, "return self.dropout(x) + self.dropout(self.pe[:, :steps])"),
    ),
    *known("dropout-unscaled", "What dropout keeps is divided by 1 - p in training: nn.Dropout does so.",
           (ADD, "kept = torch.rand_like(x) >= self.dropout.p if self.training else 1.0\n        return (x + self.pe[:, :steps]) * kept")),
    *known("dropout-of-vectors", "Dropout works number by number: here whole vectors are dropped at once.",
           ("nn.Dropout(dropout)", "nn.Dropout1d(dropout)"),
           (ADD, "return F.dropout1d((x + self.pe[:, :steps]).transpose(1, 2), self.dropout.p, self.training).transpose(1, 2)")),
    *known("multiplied", "The positions are added to x, not multiplied with it.", (ADD, "return self.dropout(x * self.pe[:, :steps])")),
    *known("table-cut", "Leave the table whole: the next x may be longer.", (ADD, "self.pe = self.pe[:, :steps]\n        return self.dropout(x + self.pe)")),
    *known("defaults", "The defaults are max_len=5000 and dropout=0.0.", ("max_len=5000", "max_len=512"), ("dropout=0.0", "dropout=0.1")),
    *known("dropout-always", DROPOUT_ALWAYS, (ADD, "return F.dropout(x + self.pe[:, :steps], self.dropout.p)")),
    *known("dropout-rate", "The share that is dropped is the argument dropout.", ("nn.Dropout(dropout)", "nn.Dropout(0.1)")),
    *known("in-place", IN_PLACE, (ADD, "x += self.pe[:, :steps]\n        return self.dropout(x)")),
    *known("base", "The base is 10000.", (ANGLE, "angle = position / 1000**exponent"), (ANGLE, "angle = position / 100000**exponent")),
    *known("float64", "pe is float32: torch's default dtype.", (REGISTER, 'self.register_buffer("pe", pe.double())')),
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
    *known("not-rotated", "Nothing is turned: x comes back as it was.", (TURN, "return x * 1.0")),
    *known(
        "layouts-mixed",
        "Two layouts are mixed: members and frequencies of the pairs must both go by neighbours, 2i and 2i+1.",
        (TURN, "return x * torch.cat([cos, cos], -1) + torch.stack([-b, a], dim=-1).flatten(-2) * torch.cat([sin, sin], -1)"),
        (TURN, "c, s = cos.repeat_interleave(2, -1), sin.repeat_interleave(2, -1)\n"
         "    return x * c + torch.cat([-x[..., d // 2 :], x[..., : d // 2]], -1) * s"),
    ),
    *known(
        "member-overwritten",
        "The second member needs the first one's old value: here it has been overwritten already.",
        (TURN, "first = a * cos - b * sin\n    return torch.stack([first, first * sin + b * cos], dim=-1).flatten(-2)"),
    ),
    *known("sin-cos-swapped", "Sine and cosine have changed places: at position 0 nothing is turned.",
           (TURN, "return torch.stack([a * sin - b * cos, a * cos + b * sin], dim=-1).flatten(-2)")),
    *known("dtype", "The result has the dtype of x.", (TURN, TURN + ".double()")),
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
