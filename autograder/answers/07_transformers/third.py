# Position tables with a row for each sample, one sample after the other, positions beside the words.

# %% exercise="transformer_classifier"
class TransformerClassifier(nn.Module):
    def __init__(self, input_size=1, d_model=64, num_heads=4, num_layers=2, d_ff=256, num_classes=2, max_len=100, dropout=0.1):
        super().__init__()
        self.max_len = max_len
        self.cls_token = nn.Parameter(torch.zeros(1, 1, d_model))
        self.project = nn.Linear(input_size, d_model)
        self.position = nn.Embedding(max_len + 1, d_model)
        layer = nn.TransformerEncoderLayer(d_model, num_heads, d_ff, dropout, batch_first=True)
        self.layer, self.encoder = layer, nn.TransformerEncoder(layer, num_layers)
        self.out = nn.Linear(d_model, num_classes)

    def forward(self, x):
        if x.size(1) > self.max_len:
            raise ValueError("too long")
        logits = []
        for sample in x.split(1):
            states = torch.cat([self.cls_token, self.project(sample)], dim=1)
            place = torch.arange(states.size(1), device=x.device).unsqueeze(0)
            logits.append(self.out(self.encoder(states + self.position(place))[:, 0]))
        return torch.cat(logits)


# %% exercise="transformer"
class Transformer(nn.Module):
    def __init__(self, src_vocab_size, tgt_vocab_size, d_model=64, num_heads=4, num_layers=2, d_ff=128, max_len=64, dropout=0.0, pad_idx=0):
        super().__init__()
        self.pad_idx, self.d_model = pad_idx, d_model
        self.src_words, self.tgt_words = nn.Embedding(src_vocab_size, d_model), nn.Embedding(tgt_vocab_size, d_model)
        nn.init.normal_(self.src_words.weight, std=d_model**-0.5)
        nn.init.normal_(self.tgt_words.weight, std=d_model**-0.5)
        self.table, self.mix = nn.Embedding(max_len, d_model), nn.Linear(2 * d_model, d_model)
        self.readers = nn.ModuleList([TransformerEncoderBlock(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)])
        self.writers = nn.ModuleList([TransformerDecoderBlock(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)])
        self.fc = nn.Linear(d_model, tgt_vocab_size)

    def placed(self, x):
        place = torch.arange(x.size(1), device=x.device).expand(x.size(0), -1)
        return self.mix(torch.cat([x, self.table(place)], dim=-1))

    def encode(self, src):
        x = self.placed(self.src_words(src) * math.sqrt(self.d_model))
        for block in self.readers:
            x = block(x, src.eq(self.pad_idx))[0]
        return x

    def decode(self, tgt, memory, src):
        x = self.placed(self.tgt_words(tgt) * math.sqrt(self.d_model))
        for block in self.writers:
            x = block(x, memory, src.eq(self.pad_idx))
        return self.fc(x)

    def forward(self, src, tgt):
        return self.decode(tgt, self.encode(src), src)


# %% exercise="greedy_decode"
@torch.no_grad()
def greedy_decode(model, src, bos, eos, max_len):
    mode = model.training
    model.eval()
    rows = []
    for source in src.split(1):
        memory, row = model.encode(source), [bos]
        while len(row) <= max_len and (len(row) == 1 or row[-1] != eos):
            row.append(model.decode(torch.tensor([row]), memory, source)[0, -1].argmax().item())
        rows.append(torch.tensor(row[1:]))
    model.train(mode)
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)
