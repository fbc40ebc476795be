# %% exercise="seq2seq"
class Seq2Seq(nn.Module):
    def __init__(self, input_vocab_size, output_vocab_size, hidden_size):
        super().__init__()
        self.input_vocab_size, self.output_vocab_size = input_vocab_size, output_vocab_size
        self.in_emb = nn.Embedding(input_vocab_size, 2 * hidden_size)
        self.out_emb = nn.Embedding(output_vocab_size, 2 * hidden_size)
        self.enc = nn.LSTM(2 * hidden_size, hidden_size, num_layers=1, batch_first=True)
        self.cell = nn.LSTMCell(2 * hidden_size, hidden_size)
        self.projection = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.Tanh(), nn.Linear(hidden_size, output_vocab_size))

    def encode(self, src):
        h, c = self.enc(self.in_emb(src))[1]
        return h, c

    def decode(self, tgt, h, c):
        state, logits = (h[0], c[0]), []
        for word in self.out_emb(tgt).unbind(dim=1):
            state = self.cell(word, state)
            logits.append(self.projection(state[0]))
        return torch.stack(logits, dim=1), state[0].unsqueeze(0), state[1].unsqueeze(0)

    def forward(self, src, tgt):
        h, c = self.encode(src)
        return self.decode(tgt, h, c)[0]


# %% exercise="plot_attention"
def plot_attention(weights, query_tokens, key_tokens, ax=None):
    import pandas
    import seaborn as sns

    if ax is None:
        ax = plt.figure(figsize=(5, 4)).gca()
    table = pandas.DataFrame(weights.detach().numpy())
    sns.heatmap(table, ax=ax, xticklabels=key_tokens, yticklabels=query_tokens, annot=len(table) < 5)
    ax.figure.suptitle("Attention weights")
    ax.set_xlabel("keys")
    ax.set_ylabel("queries")
    return ax


# %% exercise="additive_attention"
class AdditiveAttention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.attn = nn.Linear(2 * hidden_size, hidden_size)
        self.v = nn.Linear(hidden_size, 1, bias=False)  # a bias here cancels in the softmax

    def forward(self, hidden, encoder_outputs, mask=None):
        size = hidden.shape[1]
        from_hidden = F.linear(hidden, self.attn.weight[:, :size], self.attn.bias)  # W1 s + W2 h
        from_outputs = F.linear(encoder_outputs, self.attn.weight[:, size:])
        energy = self.v(torch.tanh(from_hidden[:, None] + from_outputs))[..., 0]
        shifted = energy - energy.amax(dim=1, keepdim=True)
        unnormalised = shifted.exp() if mask is None else shifted.exp() * mask
        weights = unnormalised / unnormalised.sum(dim=1, keepdim=True).clamp(min=1e-30)
        context = (weights[..., None] * encoder_outputs).sum(dim=1)
        return context, weights


# %% exercise="scaled_dot_product_attention"
def scaled_dot_product_attention(query, key, value, mask=None):
    scale = torch.sqrt(torch.tensor(key.shape[-1], dtype=query.dtype))
    logits = torch.matmul(query, key.swapaxes(-1, -2)) / scale
    if mask is not None:
        logits = logits.masked_fill(mask == 0, -1e9)
    weights = nn.Softmax(dim=-1)(logits)
    if mask is not None:
        weights = weights * mask.to(weights.dtype)
    return weights @ value, weights


# %% exercise="attention_masks"
def padding_mask(lengths, max_len):
    return torch.stack([torch.arange(max_len, device=lengths.device).lt(n) for n in lengths]).view(-1, 1, max_len)


def causal_mask(size):
    return ~torch.ones((1, size, size)).triu(diagonal=1).bool()


# %% exercise="self_attention"
class SelfAttention(nn.Module):
    def __init__(self, embed_dim):
        super().__init__()
        self.query, self.key, self.value = [nn.Linear(embed_dim, embed_dim) for _ in range(3)]
        self.scale = torch.sqrt(torch.FloatTensor([embed_dim]))

    def forward(self, x, mask=None):
        weight = torch.cat([self.query.weight, self.key.weight, self.value.weight])
        bias = torch.cat([self.query.bias, self.key.bias, self.value.bias])
        q, k, v = F.linear(x, weight, bias).chunk(3, dim=-1)  # one product for all three
        scores = torch.einsum("bqd,bkd->bqk", q, k) / self.scale
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0)
        return torch.einsum("bqk,bkd->bqd", weights, v), weights


# %% exercise="multi_head_attention"
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.depth, rest = divmod(d_model, num_heads)
        if rest != 0:
            raise ValueError(f"{num_heads} heads do not divide {d_model} features")
        self.h = num_heads
        self.W_o = nn.Linear(d_model, d_model)
        self.W_v = nn.Linear(d_model, d_model)
        self.W_k = nn.Linear(d_model, d_model)
        self.W_q = nn.Linear(d_model, d_model)
        self.attn_dropout = nn.Dropout(p=dropout)

    def heads(self, x):
        batch, steps, _ = x.shape
        return x.reshape(batch, steps, self.h, self.depth).permute(0, 2, 1, 3)

    def forward(self, query, key, value, mask=None):
        batch = query.shape[0]
        q, k, v = self.heads(self.W_q(query)), self.heads(self.W_k(key)), self.heads(self.W_v(value))
        energy = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(self.depth)
        if mask is not None:
            visible = mask[:, None]
            energy = torch.where(visible, energy, torch.full_like(energy, -1e9))
        weights = torch.softmax(energy, dim=-1)
        if mask is not None:
            weights = weights * visible
        mixed = torch.einsum("bhqk,bhkd->bqhd", self.attn_dropout(weights), v).reshape(batch, -1, self.h * self.depth)
        return self.W_o(mixed), weights


# %% exercise="lstm_with_attention"
class LSTMWithAttention(nn.Module):
    def __init__(self, input_size=1, hidden_size=64, num_layers=2, num_classes=2, num_heads=4, dropout=0.3):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True, dropout=dropout)
        self.attention = MultiHeadAttention(hidden_size, num_heads)  # the one written above
        self.layer_norm = nn.LayerNorm(hidden_size)
        self.fc = nn.Linear(hidden_size, num_classes)
        self.p = dropout

    def forward(self, x):
        states = self.lstm(x)[0]
        states = self.layer_norm(states + self.attention(states, states, states)[0])
        mean = torch.einsum("bth->bh", states) / states.shape[1]
        return self.fc(F.dropout(mean, p=self.p, training=self.training))


# %% exercise="head_statistics"
def head_statistics(weights):
    steps = weights.shape[-1]
    row, column = torch.meshgrid(torch.arange(steps), torch.arange(steps), indexing="ij")

    def mean_where(chosen):
        return (weights * chosen).sum(dim=(1, 2)) / max(int(chosen.sum()), 1)

    logs = weights.clamp(min=1e-30).log()
    return {
        "entropy": -(weights * logs).sum(dim=2).mean(dim=1),
        "self": mean_where(row == column),
        "previous": mean_where(column == row - 1),
        "next": mean_where(column == row + 1),
        "most": weights.amax(dim=2).mean(dim=1),  # an extra entry does no harm
    }
