# Loops, functional forms, PyTorch's own layers where they are free.

# %% exercise="positional_encoding"
class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=5000, dropout=0.0):
        super().__init__()
        t = torch.arange(max_len, dtype=torch.float32)
        columns = []
        for column in range(d_model):
            pair = column // 2
            angle = t / 10000 ** (2 * pair / d_model)
            columns.append(angle.sin() if column % 2 == 0 else angle.cos())
        self.register_buffer("pe", torch.stack(columns, dim=1)[None], persistent=False)
        self.p = dropout

    def forward(self, x):
        if x.size(1) > self.pe.size(1):
            raise ValueError("too long")
        return F.dropout(x + self.pe[:, : x.size(1), :], self.p, training=self.training)


# %% exercise="rotary"
def apply_rotary(x, base=10000.0):
    d = x.shape[-1]
    out = torch.empty_like(x)
    t = torch.arange(x.shape[-2], dtype=torch.float32)
    for i in range(d // 2):
        phi = t * base ** (-2 * i / d)
        out[..., 2 * i] = x[..., 2 * i] * phi.cos() - x[..., 2 * i + 1] * phi.sin()
        out[..., 2 * i + 1] = x[..., 2 * i] * phi.sin() + x[..., 2 * i + 1] * phi.cos()
    return out


# %% exercise="encoder_block"
class TransformerEncoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1):
        super().__init__()
        self.p = dropout
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.ffn = nn.Sequential(nn.Dropout(0.0), nn.Linear(d_model, d_ff), nn.GELU(), nn.Dropout(dropout), nn.Linear(d_ff, d_model), nn.Dropout(dropout))
        self.self_attn = nn.MultiheadAttention(embed_dim=d_model, num_heads=num_heads, batch_first=True)

    def forward(self, x, key_padding_mask=None):
        if key_padding_mask is not None:
            key_padding_mask = torch.zeros(key_padding_mask.shape, dtype=x.dtype).masked_fill(key_padding_mask, float("-inf"))
        y, w = self.self_attn(query=x, key=x, value=x, key_padding_mask=key_padding_mask, need_weights=True)
        z = self.norm1(F.dropout(y, self.p, self.training) + x)
        return self.norm2(z + self.ffn(z)), w


# %% exercise="transformer_classifier"
class TransformerClassifier(nn.Module):
    def __init__(self, input_size=1, d_model=64, num_heads=4, num_layers=2, d_ff=256, num_classes=2, max_len=100, dropout=0.1):
        super().__init__()
        layer = nn.TransformerEncoderLayer(d_model, num_heads, d_ff, dropout, activation="relu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers, norm=nn.LayerNorm(d_model), enable_nested_tensor=False)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, d_model))
        self.place = nn.Parameter(torch.zeros(1, max_len, d_model))
        self.inp = nn.Linear(input_size, d_model)
        self.head = nn.Sequential(nn.Linear(d_model, d_model), nn.Tanh(), nn.Linear(d_model, num_classes))
        self.max_len = max_len

    def forward(self, x):
        B, T, _ = x.shape
        if T > self.max_len:
            raise ValueError(f"{T} > {self.max_len}")
        x = self.inp(x) + self.place[:, :T]
        x = torch.cat((self.cls_token.repeat(B, 1, 1), x), dim=1)
        return self.head(self.encoder(x)[:, 0, :])


# %% exercise="decoder_block"
class TransformerDecoderBlock(nn.Module):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.1):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.ffn = nn.Sequential(nn.Linear(d_model, d_ff), nn.GELU(), nn.Linear(d_ff, d_model), nn.Dropout(dropout))

    def forward(self, x, memory, memory_key_padding_mask=None):
        T = x.size(1)
        causal = torch.full((T, T), float("-inf"), dtype=x.dtype).triu(diagonal=1)
        x = self.norm1(x + self.self_attn(x, x, x, attn_mask=causal, is_causal=True)[0])
        x = self.norm2(x + self.cross_attn(x, memory, memory, key_padding_mask=memory_key_padding_mask)[0])
        x = self.norm3(x + self.ffn(x))
        return x


# %% exercise="transformer"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model=64, num_heads=4, num_layers=2, d_ff=128, max_len=64, dropout=0.0, pad_idx=0):
        super().__init__()
        self.pad_idx = pad_idx
        self.src_emb = nn.Embedding(src_vocab_size, d_model, padding_idx=pad_idx)
        self.tgt_emb = nn.Embedding(tgt_vocab_size, d_model)
        for table in (self.src_emb, self.tgt_emb):
            nn.init.normal_(table.weight, std=d_model**-0.5)
        self.src_place = nn.Embedding(max_len, d_model)
        self.tgt_place = nn.Embedding(max_len, d_model)
        self.core = nn.Transformer(d_model, num_heads, num_layers, num_layers, d_ff, dropout, batch_first=True, norm_first=True)
        self.core.encoder.enable_nested_tensor = False
        self.core.encoder.use_nested_tensor = False
        self.out = nn.Linear(d_model, tgt_vocab_size)
        self.d_model = d_model

    def encode(self, src):
        x = self.src_emb(src) * self.d_model**0.5 + self.src_place(torch.arange(src.size(1)))
        return self.core.encoder(x, src_key_padding_mask=src == self.pad_idx)

    def decode(self, tgt, memory, src):
        x = self.tgt_emb(tgt) * self.d_model**0.5 + self.tgt_place(torch.arange(tgt.size(1)))
        later = torch.ones(tgt.size(1), tgt.size(1), dtype=torch.bool).triu(1)
        hidden = tgt == self.pad_idx
        hidden[:, 0] = False
        return self.out(
            self.core.decoder(x, memory, tgt_mask=later, tgt_key_padding_mask=hidden, memory_key_padding_mask=src == self.pad_idx)
        )

    def forward(self, src, tgt):
        memory = self.encode(src)
        return self.decode(tgt, memory, src)


# %% exercise="greedy_decode"
def greedy_decode(model, src, bos, eos, max_len):
    mode = model.training
    model.eval()
    rows = [[bos] for _ in range(len(src))]
    done = [False] * len(src)
    try:
        with torch.inference_mode():
            for _ in range(max_len):
                logits = model(src, torch.tensor(rows))
                for b, row in enumerate(rows):
                    if done[b]:
                        row.append(0)
                        continue
                    row.append(int(logits[b, -1].argmax()))
                    done[b] = row[-1] == eos
                if all(done):
                    break
    finally:
        model.train(mode)
    return torch.tensor(rows, dtype=torch.long)[:, 1:]


# %% exercise="train_reversal"
def train_reversal(seed=0):
    rng = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = Transformer(13, 13, d_model=64, num_heads=4, num_layers=1, d_ff=64, max_len=10)
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.0)
    n_steps = 600
    for step in range(n_steps):
        for group in opt.param_groups:
            group["lr"] = 5e-3 * min((step + 1) / 60, (n_steps - step) / (n_steps - 60))
        src, dec_in, labels = [], [], []
        for _ in range(64):
            n = int(torch.randint(3, 9, (1,), generator=rng))
            s = torch.randint(3, 13, (n,), generator=rng).tolist()
            src.append(s + [0] * (8 - n))
            dec_in.append([1] + s[::-1] + [0] * (8 - n))
            labels.append(s[::-1] + [2] + [0] * (8 - n))
        logits = model(torch.tensor(src), torch.tensor(dec_in))
        loss = nn.functional.cross_entropy(logits.reshape(-1, 13), torch.tensor(labels).reshape(-1), ignore_index=0)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return model


# %% exercise="transformer_quiz"
quiz_answers = ["C", "A", "D", "B", "C", "D", "A", "B", "D", "A"]
