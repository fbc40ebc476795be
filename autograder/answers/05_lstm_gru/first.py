# %% [markdown]
# Other right answers for notebook 5: fused products, loops in place of vectors, gathering in place of packing.

# %% exercise="lstm_cell"
class LSTMCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        for name in ("W_f", "W_i", "W_C", "W_o"):
            setattr(self, name, nn.Linear(input_size + hidden_size, hidden_size))

    def forward(self, x, state):
        h_prev, C_prev = state
        weight = torch.cat([layer.weight for layer in (self.W_f, self.W_i, self.W_o, self.W_C)])
        bias = torch.cat([layer.bias for layer in (self.W_f, self.W_i, self.W_o, self.W_C)])
        sums = F.linear(torch.hstack((x, h_prev)), weight, bias)  # one product for all four
        gates, candidate = sums.tensor_split([3 * h_prev.shape[1]], dim=1)
        forget, write, show = torch.sigmoid(gates).chunk(3, dim=1)
        C_new = C_prev * forget + write * candidate.tanh()
        h_new = torch.tanh(C_new).mul(show)
        return h_new, (h_new, C_new)


# %% exercise="gru_cell"
class GRUCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W_h = nn.Linear(hidden_size + input_size, hidden_size)
        self.W_z = nn.Linear(hidden_size + input_size, hidden_size)
        self.W_r = nn.Linear(hidden_size + input_size, hidden_size)

    def forward(self, x, h):
        both = torch.concat((x, h), 1)
        reset, update = self.W_r(both).sigmoid(), self.W_z(both).sigmoid()
        fresh = self.W_h(torch.concat((x, h * reset), 1)).tanh()
        return torch.lerp(h, fresh, update)


# %% exercise="parameter_count"
def rnn_parameter_count(kind, input_size, hidden_size, num_layers=1, bidirectional=False):
    layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}.get(str(kind).lower())
    if layer is None:
        raise ValueError("unknown kind: " + str(kind))
    made = layer(input_size, hidden_size, num_layers, bidirectional=bidirectional)
    return sum(p.numel() for p in made.parameters())


# %% exercise="lstm_classifier"
class LSTM(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, dropout=0.3):
        super().__init__()
        extra = {"dropout": dropout} if num_layers > 1 else {}
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers=num_layers, **extra)  # time first
        self.layer_norm = nn.LayerNorm(hidden_size)
        self.fc = nn.Linear(hidden_size, num_classes)
        self.p = dropout

    def forward(self, x):
        out, (h_n, c_n) = self.lstm(x.permute(1, 0, 2))
        features = F.dropout(self.layer_norm(h_n[-1]), self.p, training=self.training)
        return self.fc(features)


# %% exercise="gru_classifier"
class GRU(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, dropout=0.3):
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, num_layers, batch_first=True, dropout=dropout * (num_layers > 1))
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        _, h_n = self.gru(x)
        return self.fc(h_n[-1])


# %% exercise="sliding_windows"
def make_windows(series, window, horizon=1):
    if min(window, horizon) < 1:
        raise ValueError("window and horizon start at 1")
    inputs, targets = [], []
    for start in range(len(series) - window - horizon + 1):
        end = start + window
        inputs.append(series[start:end, None])
        targets.append(series[end : end + horizon])
    if not inputs:
        raise ValueError("the series is too short")
    return torch.stack(inputs), torch.stack(targets)


# %% exercise="forecaster"
class Forecaster(nn.Module):
    def __init__(self, kind="lstm", hidden_size=32, horizon=1):
        super().__init__()
        self.net = getattr(nn, kind.upper())(input_size=1, hidden_size=hidden_size)
        self.head = nn.Sequential(nn.Linear(hidden_size, 16), nn.ReLU(), nn.Linear(16, horizon))

    def forward(self, x):
        out, _ = self.net(x.transpose(0, 1))
        return x[:, -1] + self.head(out[-1])  # how the value will change


def train_forecaster(model, X, y, seed=0):
    history = fit(model, (X, y), epochs=15, batch_size=32, lr=3e-3, criterion=nn.MSELoss(), seed=seed, progress=False)
    return history.train_loss


# %% exercise="vocabulary"
def tokenize(text):
    return re.findall(r"[a-z0-9']+", text.lower())


def build_vocab(texts, min_freq=1, max_size=None):
    counts = {}
    for text in texts:
        for word in tokenize(text):
            counts[word] = counts.get(word, 0) + 1
    vocab = {"<pad>": 0, "<unk>": 1}
    for word, count in sorted(sorted(counts.items()), key=lambda item: item[1], reverse=True):
        if count < min_freq or (max_size is not None and len(vocab) >= max_size):
            break
        vocab[word] = len(vocab)
    return vocab


def encode(texts, vocab, max_len):
    rows, lengths = [], []
    for text in texts:
        row = [vocab[word] if word in vocab else vocab["<unk>"] for word in tokenize(text)][:max_len]
        if len(row) == 0:
            row = [vocab["<unk>"]]
        lengths.append(len(row))
        rows.append(row + [vocab["<pad>"]] * (max_len - len(row)))
    return torch.LongTensor(rows), torch.LongTensor(lengths)


# %% exercise="sentiment_lstm"
class SentimentLSTM(nn.Module):
    def __init__(self, vocab_size, embedding_dim=64, hidden_dim=64, output_dim=1, num_layers=1, dropout=0.0, pad_idx=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=pad_idx)
        self.lstm = nn.LSTM(
            embedding_dim, hidden_dim, num_layers, batch_first=True, dropout=dropout if num_layers > 1 else 0
        )
        self.fc = nn.Linear(hidden_dim, output_dim)

    def forward(self, ids, lengths):
        out = self.lstm(self.embedding(ids))[0]
        index = (lengths - 1)[:, None, None].expand(-1, 1, out.shape[-1])
        return self.fc(out.gather(1, index)[:, 0])


# %% exercise="length_study"
def length_study(lengths=(50, 100, 200), kinds=("rnn", "lstm", "gru"), seed=0):
    """Single logit, new sequences at every step, whole numbers in percent."""

    class Net(nn.Module):
        def __init__(self, kind):
            super().__init__()
            self.layer = getattr(nn, kind.upper())(1, 10, batch_first=True)
            self.out = nn.Linear(10, 1)

        def forward(self, x):
            return self.out(self.layer(x.unsqueeze(-1))[0][:, -1]).squeeze(1)

    table = []
    for kind in kinds:
        for length in lengths:
            torch.manual_seed(seed)
            net = Net(kind)
            optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01)
            began = time.time()
            for _ in range(25):
                x = torch.randn(64, length)
                loss = F.binary_cross_entropy_with_logits(net(x), (x.sum(1) > 0).float())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            took = time.time() - began
            right = 0
            for _ in range(4):  # graph and all: no_grad is a habit, not a duty
                x = torch.randn(100, length)
                right += ((net(x) > 0) == (x.sum(1) > 0)).sum().item()
            size = sum(p.numel() for p in net.parameters())
            table.append(dict(kind=kind, length=length, accuracy=round(right / 4), parameters=size, seconds=took))
    return table
