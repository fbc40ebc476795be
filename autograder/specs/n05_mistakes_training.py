"""Notebook 5, LSTM and GRU: mistakes known by name; here the forecaster, the sentences and the study of length."""

from autograder.specs.spec import known

# --- forecaster -------------------------------------------------------------------------------------------------------------------

FORECAST = "return self.fc(outputs[:, -1])"
READ = "outputs, _ = self.recurrent(x)"
STEP = "            optimizer.step()\n"
LAYER = 'layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]'

FORECASTER = [
    *known(
        "learned-too-little",
        "The weights change, but the forecasts are not good enough: look at zero_grad, at the number of epochs and at the learning rate.",
        ("lr=0.01)", "lr=5e-5)"),
        ("torch.optim.Adam(", "torch.optim.SGD("),
    ),
    *known(
        "target-squeezed",
        "Forecasts (B, 1) and targets (B,) are broadcast to (B, B): compare tensors of one shape.",
        ("y[rows])", "y[rows].squeeze(-1))"),
    ),
    *known(
        "seed-not-used",
        "`seed` alone decides the order of the batches: draw it with a generator of this seed, not with the global one.",
        ("torch.randperm(len(X), generator=generator)", "torch.randperm(len(X))"),
    ),
    *known(
        "persistence",
        "The forecast is the window's last value: that is the baseline to beat, not a forecast.",
        (FORECAST, "return x[:, -1].expand(-1, self.fc.out_features) + 0 * self.fc(outputs[:, -1])"),
        (FORECAST, "return x[:, -1].repeat(1, self.fc.out_features)"),  # no gradient: training fails
        (FORECAST, "return x[:, -1]"),
    ),
    *known(
        "last-step-only",
        "The network sees the window's last value alone: feed it the whole window.",
        (READ, "outputs, _ = self.recurrent(x[:, -1:])"),
    ),
    *known(
        "first-step",
        "Forecast from the last output, when the whole window has been read.",
        (FORECAST, FORECAST.replace("-1]", "0]")),
    ),
    *known(
        "batch-first",
        "The windows are (B, window, 1): without batch_first=True, samples and time steps change places.",
        ("layer(1, hidden_size, batch_first=True)", "layer(1, hidden_size)"),
    ),
    *known(
        "horizon-ignored",
        "One forecast for each step of the horizon: forward returns (B, horizon).",
        ("self.fc = nn.Linear(hidden_size, horizon)", "self.fc = nn.Linear(hidden_size, 1)"),
    ),
    *known(
        "squeezed",
        "The forecasts are (B, horizon), also where horizon is 1: do not squeeze.",
        (FORECAST, FORECAST + ".squeeze(-1)"),
    ),
    *known(
        "kind-ignored",
        "The argument `kind` chooses the layer: rnn, lstm and gru are three networks.",
        (LAYER, "layer = nn.LSTM"),
        (LAYER, "layer = nn.GRU"),
    ),
    *known(
        "hidden-size-ignored",
        "The recurrent layer has hidden_size units.",
        [("layer(1, hidden_size, batch_first=True)", "layer(1, 32, batch_first=True)"),
         ("nn.Linear(hidden_size, horizon)", "nn.Linear(32, horizon)")],
    ),
    *known(
        "no-training",
        "The model that was given comes back untrained: train it in place, with a step of its optimizer for each batch.",
        (STEP, ""),
        ("optimizer = torch.optim.Adam(model.parameters(), lr=0.01)",
         "import copy\n\n    model = copy.deepcopy(model)\n    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)"),
    ),
    *known(
        "losses-not-returned",
        "Return a list with one number (a float) for each epoch.",
        ("losses.append(total / len(X))\n    return losses", "losses.append(total / len(X))\n    return losses[-1]"),
        ("losses.append(total / len(X))\n    return losses", "losses.append(total / len(X))"),
        ("losses.append(total / len(X))", "losses.append(torch.tensor(total / len(X)))"),
    ),
]  # fmt: skip


# --- vocabulary -------------------------------------------------------------------------------------------------------------------

SORT = "kept.sort(key=lambda word: (-counts[word], word))"
WORDS = 'words = ["<pad>", "<unk>", *kept][:max_size]'
LOOK_UP = "indices = [vocab.get(word, 1) for word in words] or [1]"
CUT = "indices = indices[:max_len]"
FILL = "ids[row, : len(indices)] = torch.tensor(indices)"
LENGTH = "lengths[row] = len(indices)"
KEPT = "kept = [word for word in counts if counts[word] >= min_freq]"
COUNTS = 'counts = Counter(word for text in texts for word in re.findall(r"[a-z0-9\']+", text.lower()))'
FOUND = 'words = re.findall(r"[a-z0-9\']+", text.lower())'

VOCABULARY = [
    *known(
        "max-size-without-the-specials",
        "max_size counts the two specials as well: the dict has at most max_size entries.",
        (WORDS, 'words = ["<pad>", "<unk>", *kept[:max_size]]'),
    ),
    *known(
        "max-size-off-by-one",
        "max_size is the largest size allowed, the two specials included: here the dict gets one word too few or too many.",
        (WORDS, f"{WORDS[:-len('[:max_size]')]}[: None if max_size is None else max_size - 1]"),
        (WORDS, f"{WORDS[:-len('[:max_size]')]}[: None if max_size is None else max_size + 1]"),
    ),
    *known(
        "cut-before-sorting",
        "Sort by frequency first, and cut to max_size afterwards.",
        (SORT, f"kept = kept if max_size is None else kept[: max_size - 2]\n    {SORT}"),
    ),
    *known(
        "width",
        "The rows have max_len columns, also where all texts are shorter.",
        ("    return ids, lengths", "    return ids[:, : int(lengths.max())], lengths"),
    ),
    *known(
        "ties-by-first-appearance",
        "Words that are equally frequent come in alphabetical order, not in that of their first appearance.",
        (SORT, "kept.sort(key=lambda word: -counts[word])"),
        (SORT, "kept = [word for word, _ in counts.most_common() if counts[word] >= min_freq]"),
    ),
    *known(
        "order",
        "The most frequent words come first.",
        (SORT, "kept.sort()"),
        (SORT, "kept.sort(key=lambda word: (counts[word], word))"),
        (SORT, "kept.sort(key=lambda word: (counts[word], word), reverse=True)"),
        (SORT, "pass"),
    ),
    *known(
        "min-freq",
        "Words that occur min_freq times or more are kept, counted over all texts.",
        (KEPT, KEPT.replace(">=", ">")),
        (KEPT, "kept = list(counts)"),
        (COUNTS, COUNTS.replace("for word in re.findall", "for word in set(re.findall").replace("lower()))", "lower())))")),
    ),
    *known(
        "specials",
        "<pad> is 0 and <unk> is 1; the words are numbered from 2.",
        (WORDS, 'words = ["<unk>", "<pad>", *kept][:max_size]'),
        (WORDS, "words = kept[:max_size]"),
        ("enumerate(words)}", "enumerate(words, 1)}"),
    ),
    *known(
        "splitting",
        "Split by the regular expression that is given, in lower case: punctuation belongs to no word.",
        (COUNTS, COUNTS.replace('re.findall(r"[a-z0-9\']+", text.lower())', "text.lower().split()")),
        (COUNTS, COUNTS.replace("text.lower()", "text")),
        (FOUND, "words = text.lower().split()"),
        (FOUND, FOUND.replace("text.lower()", "text")),
        [(COUNTS, COUNTS.replace('re.findall(r"[a-z0-9\']+", text.lower())', "text.lower().split()")), (FOUND, "words = text.lower().split()")],
        [(COUNTS, COUNTS.replace("[a-z0-9']", "[a-z0-9]")), (FOUND, FOUND.replace("[a-z0-9']", "[a-z0-9]"))],
    ),
    *known(
        "left-padding",
        "Pad on the right: the words come first, then zeros.",
        (FILL, "ids[row, max_len - len(indices) :] = torch.tensor(indices)"),
    ),
    *known(
        "unknown-word",
        "A word that is not in the vocabulary becomes <unk>, 1: it must not raise, vanish or become padding.",
        (LOOK_UP, LOOK_UP.replace("vocab.get(word, 1)", "vocab[word]")),
        (LOOK_UP, LOOK_UP.replace("vocab.get(word, 1)", "vocab.get(word, 0)")),
        (LOOK_UP, "indices = [vocab[word] for word in words if word in vocab] or [1]"),
    ),
    *known(
        "lengths-before-the-cut",
        "The lengths count what is left after the cut to max_len.",
        (LENGTH, "lengths[row] = max(len(words), 1)"),
        (LENGTH, "lengths[row] = len(words)"),
    ),
    *known(
        "cut-at-the-front",
        "Keep the first max_len words, not the last.",
        (CUT, "indices = indices[-max_len:]"),
    ),
    *known(
        "empty-text",
        "A text without words becomes one <unk>, with length 1: a length of 0 cannot be packed.",
        [(LOOK_UP, LOOK_UP.replace(" or [1]", "")), (FILL, "ids[row, : len(indices)] = torch.tensor(indices, dtype=torch.long)")],
        [(LOOK_UP, LOOK_UP.replace(" or [1]", "")), (FILL, "ids[row, : len(indices)] = torch.tensor(indices, dtype=torch.long)"),
         (LENGTH, "lengths[row] = max(len(indices), 1)")],
        (LOOK_UP, LOOK_UP.replace("or [1]", "or [0]")),
    ),
    *known(
        "dtype",
        "Indices and lengths are long tensors.",
        ("max_len, dtype=torch.long)", "max_len)"),
        ("max_len, dtype=torch.long)", "max_len, dtype=torch.int32)"),
        ("lengths = torch.zeros(len(texts), dtype=torch.long)", "lengths = torch.zeros(len(texts))"),
        ("    return ids, lengths", "    return ids, lengths.tolist()"),
    ),
]  # fmt: skip


# --- sentiment_lstm ---------------------------------------------------------------------------------------------------------------

PACK = "packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)"
RUN = "_, (h, _) = self.lstm(packed)"
LOGITS = "return self.fc(self.dropout(h[-1]))"
EMBEDDING = "self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_idx)"
SORTED = """order = lengths.argsort(descending=True)
        packed = nn.utils.rnn.pack_padded_sequence(x[order], lengths[order].cpu(), batch_first=True)"""

SENTIMENT_LSTM = [
    *known(
        "padding-read",
        "The LSTM has read the padding: take the state after the last real word, by packing or by gathering.",
        (RUN, "_, (h, _) = self.lstm(x)"),
        [(RUN, "outputs, _ = self.lstm(x)"), (LOGITS, "return self.fc(self.dropout(outputs[:, -1]))")],
        [(RUN, "outputs, _ = self.lstm(x)"), (LOGITS, "return self.fc(self.dropout(outputs.mean(dim=1)))")],
        [(RUN, "outputs, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)"),
         (LOGITS, "return self.fc(self.dropout(outputs[:, -1]))")],
    ),
    *known(
        "first-layer",
        "Take the last layer's state: the first axis of h_n is the layer.",
        (LOGITS, "return self.fc(self.dropout(h[0]))"),
    ),
    *known(
        "off-by-one",
        "The last real word of a sentence with n words stands at n - 1.",
        [(RUN, "outputs, _ = self.lstm(x)"),
         (LOGITS, "return self.fc(outputs[torch.arange(len(ids)), lengths.clamp(max=ids.shape[1] - 1)])")],
        [(RUN, "outputs, _ = self.lstm(x)"), (LOGITS, "return self.fc(outputs[torch.arange(len(ids)), (lengths - 2).clamp(min=0)])")],
    ),
    *known(
        "sorting-not-undone",
        "Sentences sorted by length must be put back into their order, or each gets another's logits.",
        (PACK, SORTED),
    ),
    *known(
        "lengths-must-fall",
        "The lengths come in any order: pack with enforce_sorted=False.",
        (PACK, PACK.replace(", enforce_sorted=False", "")),
    ),
    *known(
        "squeezed",
        "Return (B, output_dim), not squeezed.",
        (LOGITS, LOGITS + ".squeeze(-1)"),
        (LOGITS, LOGITS + ".squeeze()"),
    ),
    *known(
        "probabilities",
        "Return raw logits: the loss applies the sigmoid itself.",
        (LOGITS, LOGITS + ".sigmoid()"),
        (LOGITS, LOGITS + ".softmax(-1)"),
    ),
    *known(
        "embedding-not-learned",
        "The embedding is trained, too: do not freeze or detach it.",
        (EMBEDDING, EMBEDDING + "\n        self.embedding.weight.requires_grad_(False)"),
    ),
    *known(
        "pooled",
        "The logits come from the state after the last real word, not from a mean over the words.",
        [(RUN, "outputs, _ = self.lstm(x)\n        real = (torch.arange(ids.shape[1]) < lengths[:, None]).unsqueeze(-1)"),
         (LOGITS, "return self.fc((outputs * real).sum(dim=1) / lengths[:, None])")],
    ),
    *known(
        "dropout-rate-fixed",
        "The rate of the dropout is an argument: with 0 nothing is dropped.",
        ("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout(0.3)"),
        ("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout()"),
    ),
    *known(
        "padding-row-not-zero",
        "The embedding's row for padding must be zero and stay zero: tell nn.Embedding its padding_idx.",
        (EMBEDDING, EMBEDDING.replace(", padding_idx=pad_idx", "")),
        (EMBEDDING, EMBEDDING + "\n        nn.init.uniform_(self.embedding.weight, 0.05, 0.1)"),
    ),
    *known(
        "pad-idx-ignored",
        "The row of padding is pad_idx, not always 0.",
        (EMBEDDING, EMBEDDING.replace("padding_idx=pad_idx", "padding_idx=0")),
    ),
    *known(
        "cell-state",
        "Classify from the hidden state h, not from the cell state.",
        (RUN, "_, (_, h) = self.lstm(packed)"),
    ),
]  # fmt: skip


# --- length_study -----------------------------------------------------------------------------------------------------------------

DRAWN = "X = torch.randn(1300, length, 1, generator=generator)"
LONGEST = "X = torch.randn(1300, max(lengths), 1, generator=torch.Generator().manual_seed(seed))"
ACCURACY = "accuracy = 100 * (predict(model, test[0]).argmax(dim=1) == test[1]).float().mean().item()"
FIT = "fit(model, train, epochs=4, lr=0.02, seed=seed, max_norm=1.0, progress=False)"

SHORT = ("epochs=4", "epochs=1")  # how long it trains changes nothing in these mistakes, but their recording


LENGTH_STUDY = [
    *known(
        "one-length-reused",
        "Draw sequences anew for each length: those of one length are cut from another's, padded, or the same.",
        [(DRAWN, LONGEST + "[:, :length]"), SHORT],
        [(DRAWN, LONGEST + "[:, -length:]"), SHORT],
        [(DRAWN, "X = torch.randn(1300, min(lengths), 1, generator=torch.Generator().manual_seed(seed))\n"
                "        X = F.pad(X, (0, 0, 0, length - X.shape[1]))"), SHORT],
        [(DRAWN, LONGEST), SHORT],
    ),
    *known(
        "accuracy-on-training-data",
        "Measure the accuracy on held-out sequences, none of which was trained on.",
        [(ACCURACY, ACCURACY.replace("test[", "train[")), SHORT],
        [(FIT, "history = " + FIT.replace(*SHORT)), (ACCURACY, "accuracy = history.train_accuracy[-1]")],
        [("train, test = (X[:800], y[:800]), (X[800:], y[800:])", "train, test = (X, y), (X[800:], y[800:])"), SHORT],
    ),
    *known(
        "fraction-for-percent",
        "Give the accuracy in percent, not as a fraction.",
        [(ACCURACY, ACCURACY.replace("100 * ", "")), SHORT],
    ),
    *known(
        "seed-ignored",
        "The same seed must give the same accuracies, whatever ran before: seed the weights as well as the data.",
        [("set_seed(seed)", "pass"), (DRAWN, "X = torch.randn(1300, length, 1)"), SHORT],
    ),
    *known(
        "seed-fixed",
        "The argument `seed` is not used: another seed must draw other data.",
        [("set_seed(seed)", "set_seed(0)"), (DRAWN, f"generator.manual_seed(length)\n        {DRAWN}"), (FIT, FIT.replace("seed=seed", "seed=0").replace(*SHORT))],
    ),
    *known(
        "parameters-of-a-part",
        "Count the parameters of the whole network: numel() of every one of them.",
        [("sum(parameter.numel() for parameter in model.parameters())", "sum(parameter.numel() for parameter in model.recurrent.parameters())"), SHORT],
        [("sum(parameter.numel() for parameter in model.parameters())", "len(list(model.parameters()))"), SHORT],
    ),
    *known(
        "pairs",
        "Every pair of length and kind that is asked for gets one dict, and no other pair does.",
        [("for length in lengths:", "for length in (50, 100):"), SHORT],
        [("for kind in kinds:", 'for kind in ("rnn", "lstm", "gru"):'), SHORT],
    ),
]  # fmt: skip
