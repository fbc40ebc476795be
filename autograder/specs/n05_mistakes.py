"""Notebook 5, LSTM and GRU: mistakes known by name, as edits of the reference answers; here the cells, the counts and the classifiers."""

from autograder.specs.spec import Edit, known

# --- lstm_cell --------------------------------------------------------------------------------------------------------------------

F_GATE, I_GATE = "f = torch.sigmoid(self.W_f(joined))", "i = torch.sigmoid(self.W_i(joined))"
O_GATE, CANDIDATE = "o = torch.sigmoid(self.W_o(joined))", "candidate = torch.tanh(self.W_C(joined))"
NEW_C, NEW_H = "C = f * C + i * candidate", "h = o * torch.tanh(C)"
JOINED = "joined = torch.cat([x, h], dim=-1)"
LSTM_RETURN = "return h, (h, C)"


def swapped(one: Edit, other: Edit) -> list[Edit]:
    """Two gates, given as line and layer, that use each other's layer."""
    return [(one[0], one[0].replace(one[1], other[1])), (other[0], other[0].replace(other[1], one[1]))]


FORGET, INPUT, OUTPUT = (F_GATE, "W_f"), (I_GATE, "W_i"), (O_GATE, "W_o")

LSTM_CELL = [
    *known(
        "gates-swapped",
        "Two gates have changed places: the forget gate multiplies the old cell state, the input gate the candidate, the output gate tanh(C).",
        swapped(FORGET, INPUT),
        swapped(FORGET, OUTPUT),
        swapped(INPUT, OUTPUT),
        (NEW_C, "C = i * C + f * candidate"),
        [(NEW_C, "C = o * C + i * candidate"), (NEW_H, "h = f * torch.tanh(C)")],
        [(NEW_C, "C = f * C + o * candidate"), (NEW_H, "h = i * torch.tanh(C)")],
    ),
    *known(
        "tanh-for-a-gate",
        "A gate is a number between 0 and 1: forget, input and output gate go through a sigmoid, not through tanh.",
        (F_GATE, F_GATE.replace("sigmoid", "tanh")),
        (I_GATE, I_GATE.replace("sigmoid", "tanh")),
        (O_GATE, O_GATE.replace("sigmoid", "tanh")),
        [(gate, gate.replace("sigmoid", "tanh")) for gate in (F_GATE, I_GATE, O_GATE)],
    ),
    *known(
        "sigmoid-for-the-candidate",
        "The candidate is no gate: it goes through tanh, so that it can be negative.",
        (CANDIDATE, CANDIDATE.replace("tanh", "sigmoid")),
    ),
    *known(
        "old-cell-state-in-the-output",
        "The output looks at the new cell state: update C first, then compute h from it.",
        [(NEW_C, "new_C = f * C + i * candidate"), (LSTM_RETURN, "return h, (h, new_C)")],
    ),
    *known(
        "concatenation-order",
        "The layers are applied to [x, h]: the input first, then the hidden state.",
        (JOINED, "joined = torch.cat([h, x], dim=-1)"),
    ),
    *known("no-tanh-on-the-cell-state", "The output gate multiplies tanh(C), not C itself.", (NEW_H, "h = o * C")),
    *known(
        "old-cell-state-returned",
        "Return the new cell state, or the next step starts from the old one.",
        [(NEW_C, "new_C = f * C + i * candidate"), (NEW_H, "h = o * torch.tanh(new_C)")],
    ),
    *known(
        "old-hidden-state-returned",
        "The state to return holds the new h, the same as the output.",
        [(NEW_H, "output = o * torch.tanh(C)"), (LSTM_RETURN, "return output, (h, C)")],
    ),
    *known(
        "state-swapped",
        "The state is the pair (h, C), in this order.",
        (LSTM_RETURN, "return h, (C, h)"),
        ("h, C = state", "C, h = state"),
    ),
    *known(
        "returns-the-state-alone",
        "Return a pair: the output h, and the state, which is itself a pair (h, C).",
        (LSTM_RETURN, "return h, C"),
        (LSTM_RETURN, "return h"),
        (LSTM_RETURN, "return h, h, C"),
    ),
    *known(
        "candidate-not-gated",
        "The input gate is not used: it multiplies the candidate.",
        (NEW_C, "C = f * C + candidate"),
        (NEW_C, "C = f * C + (1 - f) * candidate"),
    ),
    *known(
        "nothing-forgotten",
        "The forget gate is not used: it multiplies the old cell state.",
        (NEW_C, "C = C + i * candidate"),
    ),
    *known(
        "graph-cut",
        "The graph is cut: no detach, .data or no_grad on the way from x, h and C to the new state.",
        ("h, C = state", "h, C = state[0].detach(), state[1].detach()"),
        (NEW_C, "C = f * C.detach() + i * candidate"),
    ),
]


# --- gru_cell ---------------------------------------------------------------------------------------------------------------------

R_GATE, Z_GATE = "r = torch.sigmoid(self.W_r(joined))", "z = torch.sigmoid(self.W_z(joined))"
GRU_CANDIDATE = "candidate = torch.tanh(self.W_h(torch.cat([x, r * h], dim=-1)))"
MIX = "return (1 - z) * h + z * candidate"
RESET_AFTER = """size = x.shape[-1]
        from_x = nn.functional.linear(x, self.W_h.weight[:, :size])
        from_h = nn.functional.linear(h, self.W_h.weight[:, size:])
        candidate = torch.tanh("""

GRU_CELL = [
    *known(
        "z-the-other-way-round",
        "Here z near 1 takes the new state: h = (1 - z) * h + z * candidate. nn.GRU has it the other way round.",
        (MIX, "return z * h + (1 - z) * candidate"),
    ),
    *known(
        "reset-after-the-product",
        "The reset gate multiplies h before the layer W_h. Multiplying the product afterwards is nn.GRU's way.",
        (GRU_CANDIDATE, RESET_AFTER + "from_x + self.W_h.bias + r * from_h)"),
        (GRU_CANDIDATE, RESET_AFTER + "from_x + r * (from_h + self.W_h.bias))"),
        (GRU_CANDIDATE, "candidate = torch.tanh(r * self.W_h(joined))"),
    ),
    *known(
        "reset-unused",
        "The reset gate is not used: the candidate sees r * h, not h.",
        (GRU_CANDIDATE, "candidate = torch.tanh(self.W_h(joined))"),
    ),
    *known(
        "reset-on-everything",
        "The reset gate multiplies the old state alone, not the input.",
        (GRU_CANDIDATE, "candidate = torch.tanh(self.W_h(torch.cat([r.mean(-1, keepdim=True) * x, r * h], dim=-1)))"),
    ),
    *known(
        "gates-swapped",
        "Reset and update gate have changed places.",
        [(R_GATE, R_GATE.replace("W_r", "W_z")), (Z_GATE, Z_GATE.replace("W_z", "W_r"))],
        [(GRU_CANDIDATE, GRU_CANDIDATE.replace("r * h", "z * h")), (MIX, "return (1 - r) * h + r * candidate")],
    ),
    *known(
        "concatenation-order",
        "All layers are applied to the input first, then the state.",
        (JOINED, "joined = torch.cat([h, x], dim=-1)"),
        (GRU_CANDIDATE, GRU_CANDIDATE.replace("[x, r * h]", "[r * h, x]")),
        [
            (JOINED, "joined = torch.cat([h, x], dim=-1)"),
            (GRU_CANDIDATE, GRU_CANDIDATE.replace("[x, r * h]", "[r * h, x]")),
        ],
    ),
    *known(
        "tanh-for-a-gate",
        "A gate is a number between 0 and 1: it goes through a sigmoid, not through tanh.",
        (R_GATE, R_GATE.replace("sigmoid", "tanh")),
        (Z_GATE, Z_GATE.replace("sigmoid", "tanh")),
        [(gate, gate.replace("sigmoid", "tanh")) for gate in (R_GATE, Z_GATE)],
    ),
    *known(
        "sigmoid-for-the-candidate",
        "The candidate is no gate: it goes through tanh.",
        (GRU_CANDIDATE, GRU_CANDIDATE.replace("torch.tanh", "torch.sigmoid")),
    ),
    *known(
        "reset-state-mixed",
        "The reset gate belongs in the candidate alone: the new state mixes the candidate with the whole old state.",
        (MIX, "return (1 - z) * (r * h) + z * candidate"),
    ),
    *known(
        "returns-two",
        "Return the new h alone, not a pair.",
        (MIX, "new = (1 - z) * h + z * candidate\n        return new, new"),
    ),
    *known(
        "graph-cut",
        "The graph is cut: no detach, .data or no_grad on the way from x and h to the new state.",
        (JOINED, "h = h.detach()\n        " + JOINED),
    ),
]


# --- parameter_count --------------------------------------------------------------------------------------------------------------

BLOCK = "block = width * hidden_size + hidden_size * hidden_size + 2 * hidden_size"
WIDTH = "width = input_size if layer == 0 else hidden_size * directions"
TOTAL = "total += directions * blocks[kind] * block"

PARAMETER_COUNT = [
    *known(
        "one-bias",
        "PyTorch's layers have two biases for each block, one beside each matrix.",
        (BLOCK, BLOCK.replace("2 * hidden_size", "hidden_size")),
    ),
    *known(
        "no-bias",
        "The biases are parameters, too: two for each block.",
        (BLOCK, BLOCK.replace(" + 2 * hidden_size", "")),
    ),
    *known(
        "not-an-int",
        "A count is an int, not a float or a tensor.",
        ("return total", "return float(total)"),
        ("return total", "return torch.tensor(total)"),
    ),
    *known(
        "deeper-layers-read-the-input",
        "The second layer and all above read the states of the layer below, not the input.",
        (WIDTH, "width = input_size"),
    ),
    *known(
        "direction-factor",
        "A bidirectional layer has everything twice, and hands on both states: deeper layers read twice hidden_size.",
        (TOTAL, TOTAL.replace("directions * ", "")),
        (WIDTH, WIDTH.replace(" * directions", "")),
        [(TOTAL, TOTAL.replace("directions * ", "")), (WIDTH, WIDTH.replace(" * directions", ""))],
    ),
    *known(
        "layers-ignored",
        "Every layer has parameters of its own: count all num_layers.",
        ("for layer in range(num_layers):", "for layer in range(1):"),
    ),
    *known(
        "blocks",
        "An RNN has one block, a GRU three (two gates and the candidate), an LSTM four (three gates and the candidate).",
        ('"gru": 3, "lstm": 4', '"gru": 2, "lstm": 3'),
        ('"gru": 3, "lstm": 4', '"gru": 4, "lstm": 3'),
        ('"gru": 3, "lstm": 4', '"gru": 3, "lstm": 3'),
    ),
    *known(
        "unknown-kind-accepted",
        "A kind other than rnn, lstm and gru raises ValueError.",
        [("if kind not in blocks:", "if False:"), (TOTAL, TOTAL.replace("blocks[kind]", "blocks.get(kind, 1)"))],
        ("if kind not in blocks:", "if False:"),
    ),
]


# --- lstm_classifier and gru_classifier -------------------------------------------------------------------------------------------

BETWEEN = "between = dropout if num_layers > 1 else 0.0"
LSTM_LAYER = "self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True, dropout=between)"
GRU_LAYER = "self.gru = nn.GRU(input_size, hidden_size, num_layers, batch_first=True, dropout=between)"
LAST = "last = self.layer_norm(outputs[:, -1])"
LSTM_LOGITS, GRU_LOGITS = "return self.fc(self.dropout(last))", "return self.fc(outputs[:, -1])"
CALL = "outputs, _ = self.lstm(x)"

# What both share.
BATCH_FIRST = "The input is (B, T, features): without batch_first=True, samples and time steps change places."
LAST_STEP = "Classify from the last step, when the whole sequence has been read."
BETWEEN_LAYERS = "Hand dropout to the recurrent layer: it acts between its layers, in training."
ONE_LAYER = "With one layer there is nothing between layers: set the recurrent layer's dropout to 0 then, or PyTorch warns."
RAW = "Return raw logits: cross entropy applies the softmax itself."

LSTM_CLASSIFIER = [
    *known(
        "cell-state",
        "Read the output (hidden state) of the last step, not the cell state.",
        [(CALL, "outputs, (_, C) = self.lstm(x)"), (LAST, "last = self.layer_norm(C[-1])")],
        [(CALL, "outputs, (_, C) = self.lstm(x)"), (LAST, "last = self.layer_norm(C[0])")],
    ),
    *known(
        "norm-over-time",
        "LayerNorm acts on the features of one step, the last axis: not over time.",
        (
            LAST,
            "centred = outputs - outputs.mean(dim=1, keepdim=True)\n"
            "        scaled = centred / (outputs.var(dim=1, keepdim=True, unbiased=False) + 1e-5).sqrt()\n"
            "        last = (scaled * self.layer_norm.weight + self.layer_norm.bias)[:, -1]",
        ),
        (
            LAST,
            "scaled = nn.functional.layer_norm(outputs, outputs.shape[1:])\n"
            "        last = (scaled * self.layer_norm.weight + self.layer_norm.bias)[:, -1]",
        ),
        (
            LAST,
            "scaled = nn.functional.layer_norm(outputs.transpose(1, 2), outputs.shape[1:2]).transpose(1, 2)\n"
            "        last = (scaled * self.layer_norm.weight + self.layer_norm.bias)[:, -1]",
        ),
    ),
    *known("batch-first", BATCH_FIRST, (LSTM_LAYER, LSTM_LAYER.replace("batch_first=True, ", ""))),
    *known(
        "other-step",
        LAST_STEP,
        (LAST, LAST.replace("outputs[:, -1]", "outputs[:, 0]")),
        (LAST, LAST.replace("outputs[:, -1]", "outputs.mean(dim=1)")),
    ),
    *known("first-layer", "Read the last layer's state: h_n has one entry for each layer, the last one stands at the end.",
           [(CALL, "_, (h, _) = self.lstm(x)"), (LAST, "last = self.layer_norm(h[0])")]),
    *known("no-norm", "LayerNorm is missing between the last step and the linear layer.", (LAST, "last = outputs[:, -1]")),
    *known("dropout-warning", ONE_LAYER, (BETWEEN, "between = dropout")),
    *known("no-dropout-between-layers", BETWEEN_LAYERS, (BETWEEN, "between = 0.0")),
    *known("no-dropout-before-fc", "Dropout is missing between LayerNorm and the linear layer.", (LSTM_LOGITS, "return self.fc(last)")),
    *known("dropout-rate-fixed", "The rate of both dropouts is an argument.",
           ("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout()"),
           ("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout(0.3)"),
           (BETWEEN, "between = 0.3 if num_layers > 1 else 0.0"),
           [("self.dropout = nn.Dropout(dropout)", "self.dropout = nn.Dropout(0.3)"), (BETWEEN, "between = 0.3 if num_layers > 1 else 0.0")]),
    *known("dropout-in-evaluation", "Dropout acts in training alone.",
           (LSTM_LOGITS, "return self.fc(nn.functional.dropout(last, 0.5))"),
           (LSTM_LOGITS, "return self.fc(nn.functional.dropout(last, 0.3))"),
           (LSTM_LOGITS, "return self.fc(nn.functional.dropout(last, self.dropout.p))")),
    *known("activation-before-fc", "Nothing but dropout stands between LayerNorm and the linear layer: no activation.",
           (LSTM_LOGITS, "return self.fc(self.dropout(last.relu()))"),
           (LSTM_LOGITS, "return self.fc(self.dropout(last).relu())")),
    *known("other-layer", "`lstm` is to be an nn.LSTM.",
           *((LSTM_LAYER, LSTM_LAYER.replace("nn.LSTM", kind)) for kind in ("nn.GRU", "nn.RNN"))),
    *known("softmaxed", RAW, (LSTM_LOGITS, LSTM_LOGITS + ".softmax(-1)"), (LSTM_LOGITS, LSTM_LOGITS + ".log_softmax(-1)"),
           (LSTM_LOGITS, LSTM_LOGITS + ".sigmoid()")),
]  # fmt: skip

GRU_CLASSIFIER = [
    *known(
        "lstm-under-another-name",
        "This is an LSTM: `gru` is to be an nn.GRU, with three blocks of weights in place of four.",
        (GRU_LAYER, GRU_LAYER.replace("nn.GRU", "nn.LSTM")),
    ),
    *known(
        "rnn-under-another-name",
        "This is a plain RNN: `gru` is to be an nn.GRU.",
        (GRU_LAYER, GRU_LAYER.replace("nn.GRU", "nn.RNN")),
    ),
    *known(
        "other-step",
        LAST_STEP,
        (GRU_LOGITS, GRU_LOGITS.replace("[:, -1]", "[:, 0]")),
        (GRU_LOGITS, GRU_LOGITS.replace("[:, -1]", ".mean(dim=1)")),
    ),
    *known("batch-first", BATCH_FIRST, (GRU_LAYER, GRU_LAYER.replace("batch_first=True, ", ""))),
    *known("first-layer", "Read the last layer's state: the state has one entry for each layer, the last one stands at the end.",
           [("outputs, _ = self.gru(x)", "_, h = self.gru(x)"), (GRU_LOGITS, "return self.fc(h[0])")]),
    *known("dropout-warning", ONE_LAYER, (BETWEEN, "between = dropout")),
    *known("no-dropout-between-layers", BETWEEN_LAYERS, (BETWEEN, "between = 0.0")),
    *known("dropout-rate-fixed", "The rate of the dropout is an argument.",
           *((BETWEEN, f"between = {rate} if num_layers > 1 else 0.0") for rate in (0.3, 0.5))),
    *known("dropout-before-fc", "No dropout here but between the recurrent layers.",
           (GRU_LOGITS, "return self.fc(nn.functional.dropout(outputs[:, -1], 0.5, self.training))")),
    *known("softmaxed", RAW, (GRU_LOGITS, GRU_LOGITS + ".softmax(-1)"), (GRU_LOGITS, GRU_LOGITS + ".log_softmax(-1)")),
]  # fmt: skip


# --- sliding_windows --------------------------------------------------------------------------------------------------------------

COUNT = "count = len(series) - window - horizon + 1"
PIECES = "pieces = series.unfold(0, window + horizon, 1)"
PAIR = "return pieces[:, :window].unsqueeze(-1), pieces[:, window:]"
TEST = "if window < 1 or horizon < 1 or count < 1:"

SLIDING_WINDOWS = [
    *known(
        "off-by-one",
        "One window is missing or too many: there are len(series) - window - horizon + 1.",
        (PAIR, "return pieces[:-1, :window].unsqueeze(-1), pieces[:-1, window:]"),
        (PAIR, "return pieces[1:, :window].unsqueeze(-1), pieces[1:, window:]"),
        ("window + horizon, 1)", "window + horizon, 1)[: len(series) - window - horizon]"),
    ),
    *known(
        "target-inside-the-window",
        "The target is still inside the window: it begins right after the window's last value.",
        (PAIR, "return pieces[:, :window].unsqueeze(-1), pieces[:, window - 1 : -1]"),
        (PAIR, "return pieces[:, :window].unsqueeze(-1), pieces[:, window - horizon : window]"),
    ),
    *known(
        "gap-before-the-target",
        "The target begins right after the window: here a value in between is left out.",
        [
            (PIECES, "pieces = series.unfold(0, window + horizon + 1, 1)"),
            (PAIR, PAIR.replace("pieces[:, window:]", "pieces[:, window + 1 :]")),
        ],
    ),
    *known(
        "last-value-alone",
        "All `horizon` values after the window are targets, not the last of them alone.",
        (PAIR, PAIR.replace("pieces[:, window:]", "pieces[:, -1:]")),
        (PAIR, PAIR.replace("pieces[:, window:]", "pieces[:, window : window + 1]")),
    ),
    *known(
        "windows-do-not-overlap",
        "Every window counts: the next one begins one step later, not where the last ended.",
        (PIECES, "pieces = series.unfold(0, window + horizon, window)"),
        (PIECES, "pieces = series.unfold(0, window + horizon, window + horizon)"),
        (PIECES, "pieces = series.unfold(0, window + horizon, horizon)"),
    ),
    *known(
        "no-feature-axis",
        "X is (N, window, 1) and y is (N, horizon): an axis is missing, or one too many.",
        (PAIR, "return pieces[:, :window], pieces[:, window:]"),
        (PAIR, "return pieces[:, :window].unsqueeze(-1), pieces[:, window:].unsqueeze(-1)"),
        (PAIR, "return pieces[:, :window].unsqueeze(-1), pieces[:, window:].squeeze(-1)"),
    ),
    *known("shuffled", "Keep the windows in order.", (PIECES, PIECES + ".flip(0)")),
    *known(
        "other-exception",
        "The exception asked for is ValueError.",
        ("raise ValueError(", "raise AssertionError("),
        ("raise ValueError(", "raise IndexError("),
    ),
    *known(
        "no-error",
        "ValueError where no window fits, and for a window or horizon below 1.",
        (TEST, "if False:"),
        (TEST, "if count < 1:"),
        (TEST, "if window < 1 or count < 1:"),
        (TEST, "if horizon < 1 or count < 1:"),
        (TEST, "if window < 1 or horizon < 1 or len(series) < window:"),
        (TEST, "if window < 1 or horizon < 1 or count < 0:"),
        (TEST, "if window < 0 or horizon < 0 or count < 1:"),
    ),
]
