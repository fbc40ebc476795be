# %% exercise="rnn_step"
def rnn_step(x_t, h_prev, W_xh, W_hh, b_h):
    z = F.linear(x_t, W_xh.T, b_h) + torch.einsum("bh,hk->bk", h_prev, W_hh)
    return 2 * torch.sigmoid(2 * z) - 1


# %% exercise="rnn_forward"
class RNNFromScratch(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.W_xh = nn.Linear(input_size, hidden_size, bias=False)
        self.W_hh = nn.Linear(hidden_size, hidden_size, bias=False)
        self.b_h = nn.Parameter(torch.rand(hidden_size))  # one bias, of its own
        self.W_hy = nn.Linear(hidden_size, output_size)
        self.output_size = output_size

    def forward(self, x, hidden=None):
        inputs = self.W_xh(x) + self.b_h  # all steps at once
        state = torch.zeros_like(inputs[:, 0]) if hidden is None else hidden
        outputs = x.new_empty(x.shape[0], x.shape[1], self.output_size)
        for t in range(x.shape[1]):
            state = torch.tanh(inputs[:, t] + self.W_hh(state))
            outputs[:, t] = self.W_hy(state)
        return outputs, state


# %% exercise="sequence_data"
def make_sum_sequences(n_samples, seq_length, n_features=1, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        X = torch.normal(0.0, 1.0, size=(n_samples, seq_length, n_features))
    y = torch.tensor([int(sample.sum() > 0) for sample in X], dtype=torch.long)
    return X, y


# %% exercise="rnn_classifier"
class SimpleRNN(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, dropout=0.3):
        super().__init__()
        self.fc = nn.Linear(hidden_size, num_classes)
        self.rnn = nn.RNN(
            input_size, hidden_size, num_layers=num_layers, dropout=dropout * (num_layers > 1), batch_first=True
        )

    def forward(self, x):
        out = self.rnn(x)[0]
        return self.fc(out)[:, out.shape[1] - 1, :]


# %% exercise="gradient_flow"
def gradient_norms_by_time(model, x, y):
    import copy

    twin = copy.deepcopy(model)
    with torch.enable_grad():
        steps = [step.detach().requires_grad_() for step in x.unbind(1)]
        log_p = F.log_softmax(twin(torch.stack(steps, dim=1)), dim=-1)
        loss = -log_p[torch.arange(len(y)), y].mean()
        grads = torch.autograd.grad(loss, steps)
    return torch.stack([grad.pow(2).sum().sqrt() for grad in grads])


# %% exercise="clip_gradients"
def clip_gradients(parameters, max_norm):
    found = []
    for p in parameters:
        if p.grad is not None:
            found.append(p.grad.data)
    if len(found) == 0:
        return 0.0
    norm = float(torch.cat([grad.flatten() for grad in found]).norm(2))
    factor = max_norm / norm if norm > max_norm else 1.0
    if factor != 1.0:
        torch._foreach_mul_(found, factor)
    return norm


# %% exercise="masked_last_step"
def last_valid_step(outputs, lengths):
    if lengths.min() < 1 or lengths.max() > outputs.shape[1]:
        raise ValueError("a length does not fit")
    is_last = torch.arange(1, outputs.shape[1] + 1)[None, :] == lengths[:, None]
    return (outputs * is_last[:, :, None]).sum(dim=1)


# %% exercise="bidirectional_rnn"
class BidirectionalRNN(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2):
        super().__init__()
        self.rnn = nn.RNN(
            input_size, hidden_size, num_layers, nonlinearity="relu", batch_first=True, bidirectional=True
        )
        self.attention = nn.Parameter(torch.zeros(2 * hidden_size))  # a bare vector is a learned score too
        self.fc = nn.Linear(2 * hidden_size, num_classes)

    def forward(self, x):
        outputs = self.rnn(x)[0]
        score = torch.matmul(outputs, self.attention)
        self.attention_weights = F.softmax(score, -1)
        context = torch.bmm(self.attention_weights[:, None, :], outputs)[:, 0]
        return self.fc(context)
