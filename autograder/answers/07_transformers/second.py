# Own attention, own modules, other spellings.

# %% exercise="positional_encoding"
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=5000, dropout=0.0):
        super().__init__()
        half = (d_model + 1) // 2
        rate = torch.exp(-math.log(10000.0) * 2 * torch.arange(half, dtype=torch.float64) / d_model)
        angle = torch.arange(max_len, dtype=torch.float64)[:, None] * rate[None, :]
        both = torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(max_len, 2 * half)[:, :d_model]
        self.register_buffer("pe", both.float().unsqueeze(0))
        self.drop = nn.Dropout(p=dropout)

    def forward(self, x):
        table = self.pe.narrow(1, 0, x.shape[1]) if x.shape[1] <= self.pe.shape[1] else None
        if table is None:
            raise ValueError(f"{x.shape} does not fit {self.pe.shape}")
        return self.drop(torch.add(x, table))


# %% exercise="rotary"
def apply_rotary(x, base=10000.0):
    steps, d = x.shape[-2], x.shape[-1]
    rate = 1.0 / base ** (torch.arange(d // 2, dtype=torch.float64) * 2 / d)
    angle = torch.outer(torch.arange(steps, dtype=torch.float64), rate).float()
    turn = torch.polar(torch.ones_like(angle), angle)
    z = torch.view_as_complex(x.contiguous().unflatten(-1, (d // 2, 2)))
    return torch.view_as_real(z * turn).flatten(-2)


# %% exercise="encoder_block"
class _FeedForward(nn.Module):
    def __init__(self, d_model, d_ff, dropout):
        super().__init__()
        self.up, self.down, self.dropout = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model), dropout

    def forward(self, x):
        return self.down(F.dropout(F.gelu(self.up(x)), self.dropout, self.training))


class TransformerEncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(d_model, num_heads, dropout=dropout, batch_first=True)
        self.ffn = _FeedForward(d_model, d_ff, dropout)
        self.norm1, self.norm2 = nn.LayerNorm([d_model]), nn.LayerNorm([d_model])
        self.extra = self.ffn

    def forward(self, x, key_padding_mask=None):
        y, weights = self.self_attn(x, x, x, key_padding_mask, average_attn_weights=False)
        x = self.norm1(x + y)
        return self.norm2(self.ffn(x) + x), weights.mean(1)


# %% exercise="transformer_classifier"
class TransformerClassifier(nn.Module):
    def __init__(self, input_size=1, d_model=64, num_heads=4, num_layers=2, d_ff=256, num_classes=2, max_len=100, dropout=0.1):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, d_model))
        self.place = nn.Embedding(max_len + 1, d_model)
        self.project = nn.Sequential(nn.Linear(input_size, d_model), nn.LayerNorm(d_model))
        self.blocks = nn.Sequential(
            *[nn.TransformerEncoderLayer(d_model, num_heads, d_ff, dropout, activation="gelu") for _ in range(num_layers)]
        )
        self.head = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, num_classes))
        self.max_len = max_len

    def forward(self, x):
        if x.shape[1] > self.max_len:
            raise ValueError("too many steps")
        time_first = self.project(x).transpose(0, 1)
        x = torch.cat([self.cls_token.expand(1, time_first.shape[1], -1), time_first])
        x = x + self.place.weight[: len(x), None]
        return self.head(self.blocks(x))[0]


# %% exercise="decoder_block"
class TransformerDecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1):
        super().__init__()
        attention = {"embed_dim": d_model, "num_heads": num_heads, "dropout": dropout, "batch_first": True}
        self.self_attn, self.cross_attn = nn.MultiheadAttention(**attention), nn.MultiheadAttention(**attention)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)])

            def forward(self, x):
                return self.layers[1](nn.functional.gelu(self.layers[0](x)))

        self.ffn = Net()
        for number in (1, 2, 3):
            self.add_module(f"norm{number}", nn.LayerNorm(d_model))
        self.drop1, self.drop2, self.drop3 = nn.Dropout(dropout), nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x, memory, memory_key_padding_mask=None):
        index = torch.arange(x.shape[1], device=x.device)
        hide = index[None, :] > index[:, None]
        x = self.norm1(x + self.drop1(self.self_attn(x, x, x, attn_mask=hide)[0]))
        read = self.cross_attn(query=x, key=memory, value=memory, key_padding_mask=memory_key_padding_mask)[0]
        x = self.norm2(x + self.drop2(read))
        return self.norm3(x + self.drop3(self.ffn(x)))


# %% exercise="transformer"
class _Words(nn.Module):
    def __init__(self, size, width):
        super().__init__()
        self.table, self.width = nn.Embedding(size, width), width
        nn.init.normal_(self.table.weight, std=width**-0.5)

    def forward(self, ids):
        return self.table(ids) * math.sqrt(self.width)


class _Heads(nn.Module):
    """Attention with rotary positions; `hidden` is True where nothing may be looked at."""

    def __init__(self, width, heads, rotary):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.heads, self.rotary = heads, rotary

    def forward(self, x, y, hidden):
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.q(x), self.k(y), self.v(y))
        )
        if self.rotary:
            q, k = apply_rotary(q), apply_rotary(k)
        scores = (q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5
        weights = scores.masked_fill(hidden, -1e9).softmax(-1)
        return self.o((weights @ v).transpose(1, 2).flatten(2))


class _Layer(nn.Module):
    def __init__(self, width, heads, d_ff, cross):
        super().__init__()
        self.attend = _Heads(width, heads, rotary=True)
        self.read = _Heads(width, heads, rotary=False) if cross else None
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if cross else 2))
        self.ffn = nn.Sequential(nn.Linear(width, d_ff), nn.ReLU(), nn.Linear(d_ff, width))

    def forward(self, x, hidden, memory=None, memory_hidden=None):
        y = self.norms[0](x)
        x = x + self.attend(y, y, hidden)
        if self.read is not None:
            x = x + self.read(self.norms[2](x), memory, memory_hidden)
        return x + self.ffn(self.norms[1](x))


class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model=64, num_heads=4, num_layers=2, d_ff=128, max_len=64, dropout=0.0, pad_idx=0):
        super().__init__()
        self.pad_idx, self.words_in, self.words_out = pad_idx, _Words(src_vocab_size, d_model), _Words(tgt_vocab_size, d_model)
        self.readers = nn.ModuleList([_Layer(d_model, num_heads, d_ff, False) for _ in range(num_layers)])
        self.writers = nn.ModuleList([_Layer(d_model, num_heads, d_ff, True) for _ in range(num_layers)])
        self.end_in, self.end_out = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.places = nn.Parameter(torch.randn(max_len, d_model))

    def encode(self, src):
        hidden = (src == self.pad_idx)[:, None, None, :]
        x = self.words_in(src) + self.places[: src.shape[1]]
        for layer in self.readers:
            x = layer(x, hidden)
        return self.end_in(x)

    def decode(self, tgt, memory, src):
        T = tgt.shape[1]
        later = torch.tril(torch.ones(T, T)) == 0
        x = self.words_out(tgt) + self.places[:T]
        for layer in self.writers:
            x = layer(x, later, memory, (src == self.pad_idx)[:, None, None, :])
        return self.end_out(x) @ self.words_out.table.weight.T

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src)


# %% exercise="greedy_decode"
@torch.no_grad()
def greedy_decode(model, src, bos, eos, max_len):
    before = model.training
    model.train(False)
    memory = model.encode(src)
    buffer = torch.zeros(src.shape[0], max_len + 1, dtype=torch.long)
    buffer[:, 0] = bos
    open_rows = torch.arange(src.shape[0])
    steps = 0
    while steps < max_len and len(open_rows):
        logits = model.decode(buffer[open_rows], memory[open_rows], src[open_rows])[:, steps]
        best = logits.max(dim=-1).indices
        steps += 1
        buffer[open_rows, steps] = best
        open_rows = open_rows[best != eos]
    if before:
        model.train()
    return buffer[:, 1 : steps + 1]


# %% exercise="train_reversal"
def train_reversal(seed=0):
    torch.manual_seed(seed)
    model = Transformer(13, 13, num_layers=1, num_heads=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    for _ in range(1000):
        n = int(torch.randint(3, 9, ()))  # all strings of a batch are equally long, some padding is added
        strings = torch.randint(3, 13, (64, n))
        src = F.pad(strings, (0, int(torch.randint(0, 9 - n, ()))))
        tgt = torch.cat([torch.ones(64, 1, dtype=torch.long), strings.flip(1), torch.full((64, 1), 2)], dim=1)
        loss = F.cross_entropy(model(src, tgt[:, :-1]).transpose(1, 2), tgt[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    return model


# %% exercise="transformer_quiz"
quiz_answers = [None] * 10
for _number, _letter in enumerate("CADBCDABDA"):
    quiz_answers[_number] = _letter
