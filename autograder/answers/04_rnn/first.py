# %% exercise="rnn_step"
def rnn_step(x_t, h_prev, W_xh, W_hh, b_h):
    both = torch.cat([x_t, h_prev], dim=1)
    return torch.addmm(b_h, both, torch.cat([W_xh, W_hh], dim=0)).tanh()


# %% exercise="rnn_forward"
class RNNFromScratch(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.W_xh = nn.Linear(input_size, hidden_size)
        self.W_hh = nn.Linear(hidden_size, hidden_size)
        self.W_hy = nn.Linear(hidden_size, output_size, bias=False)
        self.layers = nn.ModuleList([self.W_xh, self.W_hh, self.W_hy])  # aliases

    def step(self, x_t, h):
        return F.tanh(self.W_hh(h) + self.W_xh(x_t))

    def forward(self, x, hidden=None):
        B, T, _ = x.shape
        h = torch.zeros(B, self.W_hh.in_features, device=x.device, dtype=x.dtype) if hidden is None else hidden
        states = []
        for t in range(T):
            h = self.step(x[:, t, :], h)
            states.append(h)
        return self.W_hy(torch.stack(states, 1)), h


# %% exercise="sequence_data"
def make_sum_sequences(n_samples, seq_length, n_features=1, seed=0):
    import numpy as np

    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.standard_normal((n_samples, seq_length, n_features)).astype("float32"))
    return X, torch.where(X.flatten(1).sum(1) > 0, 1, 0)


# %% exercise="rnn_classifier"
class SimpleRNN(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, dropout=0.3):
        super().__init__()
        options = {"batch_first": True, "nonlinearity": "tanh", "num_layers": num_layers}
        if num_layers > 1:
            options["dropout"] = dropout
        self.rnn = nn.RNN(input_size, hidden_size, **options)
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size, device=x.device, dtype=x.dtype)
        _, h_n = self.rnn(x, h0)
        return self.fc(h_n[-1])


# %% exercise="gradient_flow"
def gradient_norms_by_time(model, x, y):
    kept = [(p, p.grad) for p in model.parameters()]
    for p, _ in kept:
        p.grad = None
    was_training = model.training
    model.train()
    probe = x.clone().detach()
    probe.requires_grad = True
    nn.CrossEntropyLoss()(model(probe), y).backward()
    for p, grad in kept:
        p.grad = grad
    model.train(was_training)
    return torch.tensor([probe.grad[:, t].norm() for t in range(x.shape[1])], dtype=x.dtype)


# %% exercise="clip_gradients"
def clip_gradients(parameters, max_norm):
    parameters = list(parameters)
    total = 0.0
    for p in parameters:
        if p.grad is None:
            continue
        total += (p.grad.double() ** 2).sum().item()
    total = math.sqrt(total)
    scale = min(1.0, max_norm / (total + 1e-6))
    if scale < 1:
        for p in parameters:
            if p.grad is not None:
                p.grad *= scale
    return total


# %% exercise="masked_last_step"
def last_valid_step(outputs, lengths):
    T = outputs.size(1)
    for length in lengths.tolist():
        if not 1 <= length <= T:
            raise ValueError(f"length {length} is not within 1 and {T}")
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, outputs.size(2))
    return outputs.gather(1, index).squeeze(1)


# %% exercise="bidirectional_rnn"
class BidirectionalRNN(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2):
        super().__init__()
        self.rnn = nn.RNN(input_size, hidden_size, num_layers=num_layers, bidirectional=True)  # time first
        self.attention = nn.Sequential(
            nn.Linear(2 * hidden_size, hidden_size), nn.Tanh(), nn.Linear(hidden_size, 1, bias=False)
        )
        self.fc = nn.Linear(2 * hidden_size, num_classes)

    def forward(self, x):
        h, _ = self.rnn(x.transpose(0, 1))  # (T, B, 2H)
        weights = self.attention(h).softmax(dim=0)  # (T, B, 1)
        self.attention_weights = weights[:, :, 0].t().detach()
        return self.fc((weights * h).sum(0))
