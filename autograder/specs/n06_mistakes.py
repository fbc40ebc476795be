"""Notebook 6, attention: mistakes known by name, as edits of the reference answers; here what they share, seq2seq and the plot."""

from autograder.specs.spec import Edit, known

# What several exercises share.
EMPTY = "A row with nothing to attend to gets zero weights: a softmax over it gives NaN, or spreads weight over forbidden places."
INVERTED = "Here True means may attend: the places where the mask is False are the ones to hide."
AFTER = "Mask the scores before the softmax: weights set to zero afterwards no longer sum to 1."
IGNORED = "The mask is not used: hidden places still get weight."
TOO_HIGH = "The score of hidden places is too high: it has to be lower than any other, so that their weight is zero."
SQUEEZED = "squeeze() without an axis drops every axis of length one, that of a single sample or place too: name the axis."
ZEROED = "A score of zero still takes its share in the softmax: hidden places need the lowest score there is."
OVER_KEYS = "Softmax over the places that are attended to (the keys), the last axis: the weights of each query sum to 1."
OWN_PROJECTIONS = "Queries, keys and values need three projections of their own."
ORDER = "Return the output first, then the weights."
GRAPH = "The graph is cut between the inputs and the output: no detach, .data or .item() on the way."
LOGITS = "Return raw logits: cross entropy applies the softmax itself."


# --- seq2seq ----------------------------------------------------------------------------------------------------------------------

DECODER = "self.decoder(self.target_embedding(tgt), (h, c))"
STATES = "return self.fc(states), h, c"
ENCODE = "_, (h, c) = self.encoder(self.source_embedding(src))\n        return h, c"
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
        "The target that forward is given is already shifted: feed it as it is, and return all logits.",
        (FORWARD, "        return self.decode(torch.cat([torch.zeros_like(tgt[:, :1]), tgt[:, :-1]], 1), h, c)[0]"),
        (FORWARD, "        return self.decode(tgt[:, 1:], h, c)[0]"),
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
        "symbols-returned",
        "Return the logits of all symbols, not the symbol with the largest: argmax is for writing, and has no gradient.",
        (STATES, "return self.fc(states).argmax(-1), h, c"),
        (FORWARD, FORWARD + ".argmax(-1)"),
    ),
    *known(
        "logits-rearranged",
        "The logits are (B, T_tgt, output_vocab_size), with three axes in this order: whoever needs another form makes it.",
        (FORWARD, FORWARD + ".flatten(0, 1)"),
        (FORWARD, FORWARD + ".transpose(1, 2)"),
    ),
    *known(
        "logits-squashed",
        "Logits may have any size and either sign: the linear layer is the last thing that happens to them.",
        (STATES, "return self.fc(states).relu(), h, c"),
        (STATES, "return self.fc(states).tanh(), h, c"),
    ),
    *known(
        "dropout-added",
        "No dropout in this model.",
        (STATES, "return self.fc(F.dropout(states, 0.3, self.training)), h, c"),
        ("self.source_embedding(src)", "F.dropout(self.source_embedding(src), 0.1, self.training)"),
    ),
    *known(
        "encoder-cut-off",
        "The encoder learns too, through the state that it hands over: no detach or no_grad on the way.",
        (DECODER, DECODER.replace("(h, c)", "(h.detach(), c.detach())")),
        (FORWARD, "        return self.decode(tgt, h.detach(), c.detach())[0]"),
        (ENCODE, ENCODE.replace("return h, c", "return h.detach(), c.detach()")),
        (ENCODE, ENCODE.replace("return h, c", "return h.detach(), c")),
        (ENCODE, "with torch.no_grad():\n            " + ENCODE),
    ),
    *known(
        "source-cut",
        "The encoder reads the whole source, from the first symbol to the last.",
        *((ENCODE, ENCODE.replace("(src)", f"(src{part})")) for part in ("[:, :1]", "[:, -1:]", "[:, :-1]", "[:, 1:]")),
    ),
    *known(
        "one-lstm",
        "Encoder and decoder are two LSTMs, with weights of their own.",
        (DECODER, DECODER.replace("self.decoder(", "self.encoder(")),
    ),
    *known(
        "not-the-last-state",
        "encode returns the h and c that a one-way LSTM of one layer ended with, both as they are.",
        (ENCODE, ENCODE.replace("return h, c", "return h, torch.zeros_like(c)")),
        (ENCODE, ENCODE.replace("_, (h, c)", "states, (h, c)").replace("return h, c", "return states.mean(1)[None], c")),
        [
            (ENCODER_LSTM, ENCODER_LSTM.replace("batch_first=True", "batch_first=True, bidirectional=True")),
            (ENCODE, ENCODE.replace("return h, c", "return h.sum(0, keepdim=True), c.sum(0, keepdim=True)")),
        ],
    ),
    *known(
        "no-output-layer",
        "The decoder's states still have to go through a linear layer to the output vocabulary.",
        (STATES, "return states, h, c"),
    ),
]


# --- plot_attention ---------------------------------------------------------------------------------------------------------------

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
        "key-labels-reversed",
        "The keys' labels run the other way round than the columns of the heat map.",
        (X_TICKS, X_TICKS.replace("labels=key_tokens", "labels=key_tokens[::-1]")),
    ),
    *known(
        "labels-off-by-one",
        "The columns and rows of an image count from 0: each label stands one place too far.",
        (X_TICKS, X_TICKS.replace("range(len(key_tokens))", "range(1, len(key_tokens) + 1)")),
        [
            (X_TICKS, X_TICKS.replace("range(len(key_tokens))", "range(1, len(key_tokens) + 1)")),
            (Y_TICKS, Y_TICKS.replace("range(len(query_tokens))", "range(1, len(query_tokens) + 1)")),
        ],
    ),
    *known(
        "no-heat-map",
        "Draw a heat map, with imshow or pcolormesh for instance: one cell for each query and key.",
        (
            IMAGE,
            "where = torch.meshgrid(torch.arange(len(key_tokens)), torch.arange(len(query_tokens)), indexing='xy')\n"
            "    image = ax.scatter(*where, c=weights.detach().flatten())",
        ),
    ),
    *known(
        "weights-changed",
        "Draw the weights as they are: no softmax, scaling or rounding before.",
        (IMAGE, IMAGE.replace("weights.detach()", "weights.detach().softmax(-1)")),
        (IMAGE, IMAGE.replace("weights.detach()", "(weights / weights.amax(-1, keepdim=True)).detach()")),
        (IMAGE, IMAGE.replace("weights.detach()", "weights.detach().round(decimals=1)")),
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
        (IMAGE, IMAGE.replace("ax.imshow", "plt.imshow")),
        [(X_TICKS, "plt.xticks(range(len(key_tokens)), key_tokens)"), (Y_TICKS, "plt.yticks(range(len(query_tokens)), query_tokens)")],
        (', title="Attention")', ')\n    plt.title("Attention")'),
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
