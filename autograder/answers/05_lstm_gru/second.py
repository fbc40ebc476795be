# %% [markdown]
# More right answers for notebook 5: other spellings, layers taken apart, sorting before packing.

# %% exercise="lstm_cell"
class LSTMCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        size = input_size + hidden_size
        self.W_o, self.W_C, self.W_i, self.W_f = (nn.Linear(size, hidden_size) for _ in range(4))

    def forward(self, x, hc):
        xh = torch.cat((x, hc[0]), dim=1)
        keep = 1 / (1 + torch.exp(-self.W_f(xh)))
        memory = keep * hc[1] + F.sigmoid(self.W_i(xh)) * F.tanh(self.W_C(xh))
        output = F.sigmoid(self.W_o(xh)) * F.tanh(memory)
        return [output, [output, memory]]  # a list will do


# %% exercise="gru_cell"
class GRUCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.n = input_size
        self.W_r, self.W_z, self.W_h = [nn.Linear(input_size + hidden_size, hidden_size) for _ in "rzh"]

    def forward(self, x, h):
        def apply(layer, state):
            return x @ layer.weight[:, : self.n].T + state @ layer.weight[:, self.n :].T + layer.bias

        r, z = torch.sigmoid(apply(self.W_r, h)), torch.sigmoid(apply(self.W_z, h))
        h_tilde = torch.tanh(apply(self.W_h, r * h))
        return h + z * (h_tilde - h)


# %% exercise="parameter_count"
def rnn_parameter_count(kind, input_size, hidden_size, num_layers=1, bidirectional=False):
    if kind == "rnn":
        gates = 1
    elif kind == "gru":
        gates = 3
    elif kind == "lstm":
        gates = 4
    else:
        raise ValueError(kind)
    d = 1 + bidirectional
    first = gates * hidden_size * (input_size + hidden_size + 2)
    deeper = gates * hidden_size * (d * hidden_size + hidden_size + 2)
    return d * (first + (num_layers - 1) * deeper)


# %% exercise="lstm_classifier"
class LSTM(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, dropout=0.3):
        super().__init__()
        self.lstm = nn.LSTM(
            input_size, hidden_size, num_layers, batch_first=True, dropout=0.0 if num_layers == 1 else dropout
        )
        self.layer_norm = nn.LayerNorm([hidden_size])
        self.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden_size, num_classes))

    def forward(self, x):
        everything = self.layer_norm(self.lstm(x)[0])  # on all steps: it looks at one at a time anyway
        return self.fc(everything[:, x.size(1) - 1, :])


# %% exercise="gru_classifier"
class GRU(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, dropout=0.3):
        super().__init__()
        if num_layers == 1:
            dropout = 0
        self.gru = nn.GRU(input_size, hidden_size, num_layers, dropout=dropout)
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        h0 = x.new_zeros(self.gru.num_layers, len(x), self.gru.hidden_size)
        out, h = self.gru(x.transpose(0, 1), h0)
        return self.fc(out)[-1]


# %% exercise="sliding_windows"
def make_windows(series, window, horizon=1):
    n = series.shape[0] - window - horizon + 1
    if n <= 0 or window <= 0 or horizon <= 0:
        raise ValueError("nothing fits")
    start = torch.arange(n)[:, None]
    return series[start + torch.arange(window)][..., None], series[start + window + torch.arange(horizon)]


# %% exercise="forecaster"
class Forecaster(nn.Module):
    def __init__(self, kind="lstm", hidden_size=32, horizon=1):
        super().__init__()
        if kind == "lstm":
            self.body = nn.LSTM(1, hidden_size, num_layers=1, batch_first=True)
        elif kind == "gru":
            self.body = nn.GRU(1, hidden_size, num_layers=1, batch_first=True)
        else:
            self.body = nn.RNN(1, hidden_size, num_layers=1, batch_first=True, nonlinearity="tanh")
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(0.05)
        self.out = nn.Linear(hidden_size, horizon)

    def forward(self, x):
        states = self.body(x)[0]
        return self.out(self.dropout(self.norm(states[:, -1])))


def train_forecaster(model, X, y, seed=0):
    torch.manual_seed(seed)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=50, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-4)
    losses = []
    model.train()
    for epoch in range(12):
        running = []
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = ((model(inputs) - targets) ** 2).mean()
            loss.backward()
            optimizer.step()
            running.append(loss.item())
        losses.append(sum(running) / len(running))
    return losses


# %% exercise="vocabulary"
def build_vocab(texts, min_freq=1, max_size=None):
    counter = Counter()
    for text in texts:
        counter.update(re.findall(r"[a-z0-9']+", text.lower()))
    frequent = [(-n, w) for w, n in counter.items() if n >= min_freq]
    ordered = [w for _, w in sorted(frequent)]
    if max_size is not None:
        ordered = ordered[: max_size - 2]
    vocab = dict(zip(ordered, range(2, 2 + len(ordered))))
    vocab["<unk>"], vocab["<pad>"] = 1, 0
    return vocab


def encode(texts, vocab, max_len):
    lists = [[vocab.get(w, 1) for w in re.findall(r"[a-z0-9']+", t.lower())][:max_len] or [1] for t in texts]
    ids = torch.full((len(texts), max_len), 0)
    for i, numbers in enumerate(lists):
        for j, number in enumerate(numbers):
            ids[i, j] = number
    return ids, torch.tensor([len(numbers) for numbers in lists], dtype=torch.int64)


# %% exercise="sentiment_lstm"
class SentimentLSTM(nn.Module):
    def __init__(self, vocab_size, embedding_dim=64, hidden_dim=64, output_dim=1, num_layers=1, dropout=0.0, pad_idx=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, pad_idx)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, num_layers)  # time first
        self.fc = nn.Linear(hidden_dim, output_dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, ids, lengths):
        ordered, order = lengths.sort(descending=True)
        x = self.drop(self.embedding(ids[order])).transpose(0, 1)
        packed = nn.utils.rnn.pack_padded_sequence(x, ordered.cpu())
        out, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0])
        last = out[ordered - 1, torch.arange(len(ids))]
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return self.fc(self.drop(last))[back]


# %% exercise="length_study"
def length_study(lengths=(50, 100, 200), kinds=("rnn", "lstm", "gru"), seed=0):
    """Cells in a loop: no module ever sees a whole sequence."""

    def logits(cell, head, x):
        state = None
        for x_t in x.unbind(dim=1):
            state = cell(x_t, state)
        return head(state[0] if isinstance(state, tuple) else state)

    rows = []
    for length in lengths:
        rng = torch.Generator()
        rng.manual_seed(seed)
        data = torch.randn(300, length, 1, generator=rng)  # each length begins with the same numbers, in other rows
        labels = data.sum(1).flatten().gt(0).long()
        for kind in kinds:
            torch.manual_seed(seed + 1)
            cell = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[kind](1, 6)
            head = nn.Linear(6, 2)
            params = [*cell.parameters(), *head.parameters()]
            optimizer, start = torch.optim.Adam(params, lr=0.03), time.process_time()
            for part in range(4):
                pick = slice(50 * part, 50 * part + 50)
                loss = F.cross_entropy(logits(cell, head, data[pick]), labels[pick])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            seconds = time.process_time() - start
            with torch.no_grad():
                hits = logits(cell, head, data[200:]).argmax(1).eq(labels[200:]).float().mean()
            rows.append(
                {
                    "length": length,
                    "kind": kind,
                    "seconds": seconds,
                    "parameters": sum(map(torch.numel, params)),
                    "accuracy": 100 * float(hits),
                }
            )
    return rows
