# %% exercise="seq2seq"
class Seq2Seq(nn.Module):
    def __init__(self, input_vocab_size, output_vocab_size, hidden_size):
        super().__init__()
        size = max(4, hidden_size // 2)
        self.encoder = nn.ModuleDict({"table": nn.Embedding(input_vocab_size, size), "rnn": nn.LSTM(size, hidden_size)})
        self.decoder = nn.ModuleDict({"table": nn.Embedding(output_vocab_size, size), "rnn": nn.LSTM(size, hidden_size)})
        self.out = nn.Linear(hidden_size, output_vocab_size)

    def encode(self, src):
        words = self.encoder["table"](src).transpose(0, 1)  # time first
        output, state = self.encoder["rnn"](words)
        return state

    def decode(self, tgt, h, c):
        words = self.decoder["table"](tgt).transpose(0, 1)
        output, (new_h, new_c) = self.decoder["rnn"](words, (h, c))
        return self.out(output.transpose(0, 1)), new_h, new_c

    def forward(self, src, tgt):
        logits, _, _ = self.decode(tgt, *self.encode(src))
        return logits


# %% exercise="plot_attention"
def plot_attention(weights, query_tokens, key_tokens, ax=None):
    import numpy as np

    figure = plt.figure() if ax is None else ax.get_figure()
    ax = figure.add_subplot() if ax is None else ax
    mesh = ax.pcolormesh(np.array(weights.tolist()), cmap="Blues")
    ax.set_xticks(np.arange(len(key_tokens)) + 0.5)
    ax.set_xticklabels(key_tokens)
    ax.set_yticks(np.arange(len(query_tokens)) + 0.5)
    ax.set_yticklabels(query_tokens)
    ax.invert_yaxis()
    plt.colorbar(mesh, ax=ax)
    ax.set_title("Where each query looks")
    return ax


# %% exercise="additive_attention"
class AdditiveAttention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.attn = nn.Linear(hidden_size * 2, hidden_size)
        self.v = nn.Linear(hidden_size, 1)

    def forward(self, hidden, encoder_outputs, mask=None):
        steps = encoder_outputs.size(1)
        energies = []
        for t in range(steps):
            both = torch.hstack([hidden, encoder_outputs[:, t]])
            energies.append(self.v(self.attn(both).tanh()))
        energy = torch.hstack(energies)
        if mask is not None:
            energy = energy.masked_fill(mask.logical_not(), -math.inf)
        weights = F.softmax(energy, dim=1)
        weights = torch.nan_to_num(weights, nan=0.0)
        return torch.einsum("bt,bth->bh", weights, encoder_outputs), weights


# %% exercise="scaled_dot_product_attention"
def scaled_dot_product_attention(query, key, value, mask=None):
    scores = torch.einsum("...qd,...kd->...qk", query, key) * query.size(-1) ** -0.5
    if mask is None:
        weights = scores.softmax(-1)
    else:
        weights = torch.where(mask, scores, torch.tensor(-torch.inf, dtype=scores.dtype)).softmax(-1)
        weights = torch.where(mask.any(-1, keepdim=True), weights, torch.zeros_like(weights))
    return torch.matmul(weights, value), weights


# %% exercise="attention_masks"
def padding_mask(lengths, max_len):
    mask = torch.zeros(len(lengths), 1, max_len, dtype=torch.bool, device=lengths.device)
    for row, length in enumerate(lengths.tolist()):
        mask[row, :, :length] = True
    return mask


def causal_mask(size):
    places = torch.arange(size)
    return (places[None, :] <= places[:, None])[None]


# %% exercise="self_attention"
class SelfAttention(nn.Module):
    def __init__(self, embed_dim):
        super().__init__()
        self.embed_dim = embed_dim
        self.value = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.query = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        scores = torch.bmm(self.query(x), self.key(x).transpose(1, 2)) / self.embed_dim**0.5
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -1e9)
        weights = F.softmax(scores, dim=2)
        if mask is not None:
            weights = weights * mask.any(dim=-1, keepdim=True)
        return torch.bmm(weights, self.value(x)), weights


# %% exercise="multi_head_attention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        if d_model % num_heads:
            raise ValueError("d_model must be divisible by num_heads")
        self.d_model, self.num_heads, self.p = d_model, num_heads, dropout
        for name in ("W_q", "W_k", "W_v", "W_o"):
            self.add_module(name, nn.Linear(d_model, d_model))

    def forward(self, query, key, value, mask=None):
        q, k, v = self.W_q(query), self.W_k(key), self.W_v(value)
        outputs, all_weights = [], []
        for q_i, k_i, v_i in zip(*(t.chunk(self.num_heads, dim=-1) for t in (q, k, v)), strict=True):
            scores = q_i @ k_i.mT / q_i.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -math.inf)
            weights = scores.softmax(-1).nan_to_num(0.0)
            all_weights.append(weights)
            outputs.append(F.dropout(weights, self.p, training=self.training) @ v_i)
        return self.W_o(torch.cat(outputs, dim=-1)), torch.stack(all_weights, dim=1)


# %% exercise="lstm_with_attention"
class LSTMWithAttention(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, num_heads=4, dropout=0.3):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, dropout=dropout if num_layers > 1 else 0)
        self.attention = nn.MultiheadAttention(hidden_size, num_heads, dropout=dropout)
        self.layer_norm = nn.LayerNorm(hidden_size)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        out, _ = self.lstm(x.permute(1, 0, 2))  # time first, in both
        attended, _ = self.attention(out, out, out, need_weights=False)
        normed = self.layer_norm(attended + out)
        return self.fc(self.drop(normed.mean(0)))


# %% exercise="head_statistics"
def head_statistics(weights):
    heads, steps, _ = weights.shape
    own, before, after, entropy = (torch.zeros(heads) for _ in range(4))
    for h in range(heads):
        w = weights[h]
        own[h] = torch.stack([w[t, t] for t in range(steps)]).mean()
        if steps > 1:
            before[h] = sum(w[t, t - 1] for t in range(1, steps)) / (steps - 1)
            after[h] = sum(w[t, t + 1] for t in range(steps - 1)) / (steps - 1)
        positive = w[w > 0]
        entropy[h] = -(positive * positive.log()).sum() / steps
    return {"self": own, "previous": before, "next": after, "entropy": entropy}
