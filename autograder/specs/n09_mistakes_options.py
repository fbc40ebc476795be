"""What goes wrong in notebook 9 with options B and C: edits of the reference answer where another option is chosen.

Only what those of option A do not name already. An id that stands in both has the same sentence.
"""

from functools import partial

from autograder.specs import n09_mistakes
from autograder.specs.spec import known


def chosen(option):
    """`known`, in a notebook whose option is another one."""
    return partial(known, earlier=(('PROJECT = "A"', f'PROJECT = "{option}"'), ('CHECKPOINT = "checkpoint.pt"', f'CHECKPOINT = "{option}.pt"')))


def said(mistakes, id):
    """Id and sentence of a mistake of option A."""
    return id, next(mistake.says for mistake in mistakes if mistake.id == id)


series, texts = chosen("B"), chosen("C")

PARTS = "return ((two_sines() - mean) / std).split([1400, 300, 300])"
WHOLE = "steps = (two_sines() - mean) / std\n        return "
WINDOWS = "pieces = series.unfold(0, window + 1, 1)\n        return pieces[:, :-1].unsqueeze(2), pieces[:, -1:]"
PAIR = "return pieces[:, :-1].unsqueeze(2), pieces[:, -1:]"
PADDED = "return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)"

DATA = [
    *series(
        "not-in-order-of-time",
        "Cut the series in order of time, the training part first: a forecaster that has seen the future cannot be measured on it.",
        (PARTS, WHOLE + "steps[600:], steps[300:600], steps[:300]"),
        (PARTS, WHOLE + "steps[torch.randperm(2000)].split([1400, 300, 300])"),
    ),
    *series(
        *said(n09_mistakes.DATA, "parts-overlap"),
        (PARTS, WHOLE + "steps[:1400], steps[1370:1700], steps[1670:]"),
        (PARTS, WHOLE + "steps[:1700], steps[1400:1700], steps[1700:]"),
    ),
    *series(*said(n09_mistakes.DATA, "test-for-validation"), (PARTS, WHOLE + "steps[:1400], steps[1400:], steps[1400:]")),
    *series(
        "steps-left-out",
        "The three parts together are the whole series: leave no steps out between them or at the end.",
        (PARTS, WHOLE + "steps[:1400], steps[1430:1700], steps[1730:]"),
    ),
    *series(
        *said(n09_mistakes.DATA, "statistics-of-each-part"),
        (PARTS, "return tuple((part - part.mean()) / part.std() for part in two_sines().split([1400, 300, 300]))"),
    ),
    *series(
        *said(n09_mistakes.DATA, "not-standardised"),
        (PARTS, "return two_sines().split([1400, 300, 300])"),
        (PARTS, "return (two_sines() - mean).split([1400, 300, 300])"),
    ),
    *series(
        "last-window-missing",
        "A series of n steps has n - window windows with a value after them: the last one ends one step before the end.",
        ("pieces = series.unfold(0, window + 1, 1)", "pieces = series.unfold(0, window + 1, 1)[:-1]"),
    ),
    *series(
        "target-inside-the-window",
        "The value to forecast is the one after the window: yours stands in it already.",
        (WINDOWS, "pieces = series.unfold(0, window, 1)[:-1]\n        return pieces.unsqueeze(2), pieces[:, -1:]"),
    ),
    *series(
        "target-too-late",
        "The value to forecast is the very next one: yours comes later.",
        (WINDOWS, "pieces = series.unfold(0, window + 2, 1)\n        return pieces[:, :-2].unsqueeze(2), pieces[:, -1:]"),
    ),
    *series(
        "windows-without-an-axis",
        "Keep the axis of the one feature: windows are (N, window, 1), the values after them (N, 1).",
        (PAIR, "return pieces[:, :-1], pieces[:, -1:]"),
        (PAIR, "return pieces[:, :-1].unsqueeze(2), pieces[:, -1]"),
        (PAIR, "return pieces[:, :-1], pieces[:, -1]"),
    ),
    *texts(
        "padded-on-the-left",
        "Fill up with 0 after the words of a text, not before them.",
        (PADDED, "width = max(map(len, rows))\n        return torch.tensor([[0] * (width - len(row)) + row for row in rows])"),
    ),
    *texts(
        "ids-collide",
        "Give every word an id of its own, from 2 on: 0 is padding, and 1 any word that is not in the vocabulary.",
        ("enumerate(frequent, start=2)", "enumerate(frequent, start=1)"),
        ("enumerate(frequent, start=2)", "enumerate(frequent)"),
    ),
    *texts(
        "unknown-word",
        "A word that is not in the vocabulary becomes 1: as 0 it would be padding, and left out it would change the text.",
        ("vocab.get(word, 1)", "vocab.get(word, 0)"),
        ("[vocab.get(word, 1) for word in words(text)[:50]]", "[vocab[word] for word in words(text)[:50] if word in vocab]"),
    ),
    *texts("padded-with-a-word", "Fill up with 0, which is no word's id.", (PADDED, PADDED.replace("batch_first=True", "batch_first=True, padding_value=1"))),
]

STATES = "self.head(self.dropout(states[:, -1] if x.ndim == 3 else real_mean(states, x)))"
ENCODED = "self.head(states[:, -1] if x.ndim == 3 else real_mean(states, x))"
PLACED = "self.embedding(x) + self.positions[: x.shape[1]]"
LEARNED = "        self.positions = nn.Parameter(0.1 * torch.randn(max_len, width))\n"
EMBEDDED = "self.embedding = nn.Embedding(vocab_size, width, padding_idx=0) if vocab_size else nn.Linear(1, width)\n        self.dropout"

MODEL = [
    *series(
        *said(n09_mistakes.MODEL, "squashed-output"),
        ("return " + STATES, f"return torch.sigmoid({STATES})"),
        ("return " + ENCODED, f"return torch.relu({ENCODED})"),
    ),
    *texts(*said(n09_mistakes.MODEL, "squashed-output"), ("return " + ENCODED, f"return torch.sigmoid({ENCODED})")),
    *series(
        "wrong-output-shape",
        "Give one row for each sample: a forecast (B,1) in option B, two scores (B,2) in option C.",
        ("return " + STATES, f"return {STATES}.squeeze(1)"),
        ("states[:, -1] if x.ndim == 3 else real_mean(states, x)))", "states))"),
    ),
    *texts(
        "wrong-output-shape",
        "Give one row for each sample: a forecast (B,1) in option B, two scores (B,2) in option C.",
        [("Recurrent(outputs=2,", "Recurrent(outputs=1,"), ("Encoder(outputs=2,", "Encoder(outputs=1,")],
    ),
    *series(
        "order-of-steps-unknown",
        "Tell the transformer where each step stands, by positions added to the embeddings: attention alone cannot see the order.",
        (PLACED, "self.embedding(x)"),
        [(PLACED, "self.embedding(x)"), (LEARNED, "")],
    ),
    *series("reads-the-first-step", "Read the state after the last step, which has seen the whole window.", (STATES, STATES.replace("-1", "0"))),
    *series(
        "batch-not-first",
        "A sample's result hangs on its neighbours in the batch: say batch_first=True to every layer that reads (B,T,D).",
        ("nn.LSTM(width, width, batch_first=True)", "nn.LSTM(width, width)"),
        (", dropout, batch_first=True)", ", dropout)"),
    ),
    *series("recurrent-layer-missing", "Option B wants an nn.LSTM in build_lstm; option C an nn.RNN, nn.LSTM or nn.GRU in build_rnn.", ("nn.LSTM(", "nn.GRU(")),
    *texts(
        "recurrent-layer-missing",
        "Option B wants an nn.LSTM in build_lstm; option C an nn.RNN, nn.LSTM or nn.GRU in build_rnn.",
        ("return Recurrent(outputs=2", "return Encoder(outputs=2"),
    ),
    *series("no-attention", "A transformer attends, and has no recurrent layer.", ("return Encoder(outputs=1", "return Recurrent(outputs=1")),
    *texts("no-attention", "A transformer attends, and has no recurrent layer.", ("return Encoder(outputs=2", "return Recurrent(outputs=2")),
    *texts(
        "padding-not-ignored",
        "More padding must not change a result: keep it out of the attention, of the mean, and of what a recurrent layer is read at.",
        ("real = (ids != 0).unsqueeze(2)", "real = torch.ones_like(ids).unsqueeze(2)"),
        ("padding = (x == 0) if x.ndim == 2 else None", "padding = None"),
    ),
    *texts(
        "no-embedding",
        "Look ids up in an nn.Embedding: as numbers, or as one-hot rows, they say nothing about their words.",
        [
            (EMBEDDED, "self.embedding = OneHot(vocab_size, width)\n        self.dropout"),
            (
                "def real_mean(",
                "class OneHot(nn.Linear):\n    def forward(self, ids):\n        return super().forward(F.one_hot(ids, self.in_features).float())\n\n\n"
                "def real_mean(",
            ),
        ],
    ),
]

TRAINING = [
    *series(
        "not-the-squared-error",
        "Option B learns by the mean squared error of forecasts and targets of one shape, (B,1): (B,) against (B,1) compares all with all.",
        ("F.mse_loss(outputs, targets)", "(outputs.squeeze(1) - targets).square().mean()"),
        ('if PROJECT == "B":\n        return F', 'if PROJECT == "0":\n        return F'),
    ),
]

PERFORMANCE = [
    *series(*said(n09_mistakes.PERFORMANCE, "no-better-than-guessing"), (n09_mistakes.LOADED, "")),
]
