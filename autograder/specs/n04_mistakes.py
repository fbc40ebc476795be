"""Notebook 4, recurrent networks: mistakes known by name, as edits of the reference answers; here
what they share, and the networks from scratch, the data and the classifier."""

from autograder.specs.spec import known

GRAPH = "The graph is cut between the inputs and the output: no detach, .data or .item() on the way."
LOGITS = "Return raw logits: cross entropy applies the softmax itself."
BATCH_FIRST = "nn.RNN expects time first unless batch_first=True: without it, the network runs along the batch and mixes the samples."
PLAIN_RNN = "The layer is an nn.RNN: gates come in notebook 5."


# --- rnn_step ----------------------------------------------------------------------------------------------------------------------

STEP = "torch.tanh(x_t @ W_xh + h_prev @ W_hh + b_h)"

RNN_STEP = [
    *known(
        "weights-transposed",
        "The weights are used transposed: W_xh is (D, H) and W_hh is (H, H), laid out for x_t @ W_xh and h_prev @ W_hh.",
        (STEP, "torch.tanh(x_t @ W_xh.T + h_prev @ W_hh.T + b_h)"),
        (STEP, "torch.tanh(x_t @ W_xh + h_prev @ W_hh.T + b_h)"),
        (STEP, "torch.tanh(x_t @ W_xh.T + h_prev @ W_hh + b_h)"),
    ),
    *known("bias-twice", "Add the bias once.", (STEP, "torch.tanh(x_t @ W_xh + b_h + h_prev @ W_hh + b_h)")),
    *known(
        "no-tanh",
        "The new state goes through a tanh, not another function or none.",
        (STEP, "x_t @ W_xh + h_prev @ W_hh + b_h"),
        (STEP, "torch.sigmoid(x_t @ W_xh + h_prev @ W_hh + b_h)"),
        (STEP, "torch.relu(x_t @ W_xh + h_prev @ W_hh + b_h)"),
    ),
    *known(
        "tanh-too-early",
        "Add up all three terms first, then take the tanh of the sum.",
        (STEP, "torch.tanh(x_t @ W_xh + h_prev @ W_hh) + b_h"),
        (STEP, "torch.tanh(x_t @ W_xh + b_h) + h_prev @ W_hh"),
        (STEP, "torch.tanh(x_t @ W_xh) + torch.tanh(h_prev @ W_hh) + b_h"),
    ),
    *known("no-bias", "The bias is missing.", (STEP, "torch.tanh(x_t @ W_xh + h_prev @ W_hh)")),
    *known(
        "state-ignored",
        "The previous state is not used: without it there is no memory.",
        (STEP, "torch.tanh(x_t @ W_xh + b_h)"),
    ),
    *known(
        "state-added",
        "The previous state enters through W_hh alone: do not add it again.",
        (STEP, f"h_prev + {STEP}"),
        (STEP, "torch.tanh(x_t @ W_xh + h_prev @ W_hh + b_h + h_prev)"),
    ),
    *known(
        "weights-swapped",
        "W_xh belongs to the input and W_hh to the state.",
        (STEP, "torch.tanh(x_t @ W_hh + h_prev @ W_xh + b_h)"),
    ),
    *known("graph-cut", GRAPH, (STEP, f"{STEP}.detach()"), (STEP, "torch.tanh(x_t @ W_xh + h_prev.detach() @ W_hh + b_h)")),
]


# --- rnn_forward -------------------------------------------------------------------------------------------------------------------

START = "hidden = x.new_zeros(x.shape[0], self.hidden_size)"
LOOP = "for x_t in x.unbind(dim=1):"
UPDATE = "hidden = torch.tanh(self.W_xh(x_t) + self.W_hh(hidden))"
APPEND = "outputs.append(self.W_hy(hidden))"
RESULT = "return torch.stack(outputs, dim=1), hidden"
BATCH_LOOP = (LOOP, "for x_t in x.unbind(dim=0):")
BATCH_START = (START, "hidden = x.new_zeros(x.shape[1], self.hidden_size)")
KEEP = (RESULT, f"self.kept = hidden.detach()\n        {RESULT}")
KEPT = 'hidden = self.kept if hasattr(self, "kept")'

RNN_FORWARD = [
    *known(
        "time-and-batch-swapped",
        "Axis 0 of x is the batch and axis 1 the time: loop over axis 1, and stack the outputs along axis 1.",
        [BATCH_LOOP, BATCH_START],
        [BATCH_LOOP, BATCH_START, (RESULT, RESULT.replace("dim=1", "dim=0"))],
        BATCH_LOOP,
        (RESULT, RESULT.replace("dim=1", "dim=0")),
    ),
    *known(
        "hidden-not-carried",
        "Each step starts from the state of the step before: here every step starts from the same state.",
        [
            (UPDATE, UPDATE.replace("hidden = ", "new = ")),
            (APPEND, APPEND.replace("hidden", "new")),
            (RESULT, RESULT.replace("hidden", "new")),
        ],
        (UPDATE, UPDATE.replace("self.W_hh(hidden)", "self.W_hh(torch.zeros_like(hidden))")),
        (UPDATE, "hidden = torch.tanh(self.W_xh(x_t))"),
    ),
    *known(
        "first-state-returned",
        "Return the state after the last step, not the one that the loop started from.",
        [
            (LOOP, f"first = hidden\n        {LOOP}"),
            (RESULT, RESULT.replace(", hidden", ", first")),
        ],
    ),
    *known(
        "given-state-ignored",
        "A state that is given is where the loop starts: it is not used.",
        ("if hidden is None:", "if True:"),
    ),
    *known(
        "state-kept",
        "Every call starts from zeros, unless a state is given: nothing is kept on self from one call to the next.",
        [KEEP, (START, f"{KEPT} and len(self.kept) == len(x) else x.new_zeros(x.shape[0], self.hidden_size)")],
        [KEEP, (START, f"{KEPT} else x.new_zeros(x.shape[0], self.hidden_size)")],
    ),
    *known(
        "start-not-zero",
        "Without a given state the network starts from zeros: not from random numbers, ones, or a learned state.",
        (START, "hidden = torch.randn(x.shape[0], self.hidden_size, device=x.device, dtype=x.dtype)"),
        (START, "hidden = x.new_ones(x.shape[0], self.hidden_size)"),
        [
            ("self.hidden_size = hidden_size", "self.hidden_size, self.h0 = hidden_size, nn.Parameter(torch.rand(hidden_size))"),
            (START, "hidden = self.h0.expand(x.shape[0], -1)"),
        ],
    ),
    *known(
        "output-of-the-old-state",
        "The output of a step comes from the updated state, not from the one before.",
        (f"{UPDATE}\n            {APPEND}", f"{APPEND}\n            {UPDATE}"),
    ),
    *known(
        "no-tanh",
        "Each new state goes through a tanh, not another function or none.",
        *((UPDATE, UPDATE.replace("torch.tanh", function)) for function in ("", "torch.relu", "torch.sigmoid")),
        (UPDATE, "hidden = torch.tanh(self.W_xh(x_t)) + self.W_hh(hidden)"),
    ),
    *known(
        "dtype-or-device-fixed",
        "Whatever you create must be on the device and of the dtype of x.",
        (START, "hidden = torch.zeros(x.shape[0], self.hidden_size)"),
        (START, "hidden = torch.zeros(x.shape[0], self.hidden_size, dtype=x.dtype)"),
        (START, "hidden = torch.zeros(x.shape[0], self.hidden_size, device=x.device)"),
    ),
    *known(
        "last-output-only",
        "There is an output at every step: (B, T, output_size).",
        (RESULT, "return self.W_hy(hidden), hidden"),
    ),
    *known(
        "states-for-outputs",
        "The outputs are W_hy of the states, not the states themselves.",
        (APPEND, "outputs.append(hidden)"),
    ),
    *known(
        "outputs-activated",
        "No activation on the outputs.",
        *((APPEND, f"outputs.append({function}(self.W_hy(hidden)))") for function in ("torch.tanh", "torch.sigmoid")),
        (APPEND, "outputs.append(self.W_hy(hidden).softmax(-1))"),
    ),
    *known(
        "order-of-results",
        "Return the outputs first, then the last state.",
        (RESULT, "return hidden, torch.stack(outputs, dim=1)"),
    ),
    *known(
        "shape-of-the-state",
        "The last state is (B, hidden_size), without an axis for layers.",
        (RESULT, RESULT.replace(", hidden", ", hidden.unsqueeze(0)")),
    ),
    *known("graph-cut", GRAPH, (UPDATE, UPDATE.replace("self.W_hh(hidden)", "self.W_hh(hidden.detach())"))),
]


# --- sequence_data -----------------------------------------------------------------------------------------------------------------

GENERATOR = "generator = torch.Generator().manual_seed(seed)"
DRAW = "torch.randn(n_samples, seq_length, n_features, generator=generator)"
LABEL = "y = (X.sum(dim=(1, 2)) > 0).long()"
TOTAL = "X.sum(dim=(1, 2))"

SEQUENCE_DATA = [
    *known(
        "global-seed",
        "Use a generator of the function's own: seeding the global one disturbs everything else that is random in the notebook.",
        [(GENERATOR, "torch.manual_seed(seed)"), (DRAW, DRAW.replace(", generator=generator", ""))],
    ),
    *known(
        "not-seeded",
        "The numbers must follow from `seed` alone: as written they depend on the global generator.",
        (DRAW, DRAW.replace(", generator=generator", "")),
        (GENERATOR, "generator = None"),
    ),
    *known(
        "seed-ignored",
        "Another seed must give other data.",
        (GENERATOR, "generator = torch.Generator().manual_seed(0)"),
    ),
    *known(
        "label-from-first-step",
        "The label is about the sum of the whole sample, all steps, not about the first step alone.",
        (TOTAL, "X[:, 0].sum(dim=1)"),
        (TOTAL, "X[:, 0].mean(dim=1)"),
        (TOTAL, "X[:, 0, 0]"),
    ),
    *known(
        "label-from-last-step",
        "The label is about the sum of the whole sample, all steps, not about the last step alone.",
        (TOTAL, "X[:, -1].sum(dim=1)"),
        (TOTAL, "X[:, -1, 0]"),
    ),
    *known(
        "label-from-one-feature",
        "The sum runs over all features, not one of them alone.",
        (TOTAL, "X[:, :, 0].sum(dim=1)"),
        (TOTAL, "X[:, :, -1].sum(dim=1)"),
    ),
    *known(
        "label-other-threshold",
        "A sample's label compares its own sum with 0: not with a mean or median of all samples, and without noise.",
        (f"{TOTAL} > 0", f"{TOTAL} > {TOTAL}.mean()"),
        (f"{TOTAL} > 0", f"{TOTAL} > {TOTAL}.median()"),
        (LABEL, f"{LABEL}\n    y = torch.where(torch.rand(n_samples, generator=generator) < 0.05, 1 - y, y)"),
    ),
    *known("label-inverted", "y is 1 where the sum is positive.", (f"{TOTAL} > 0", f"{TOTAL} < 0")),
    *known(
        "label-dtype",
        "Class labels are long: cross entropy and indexing want integers.",
        (LABEL, LABEL.replace("long()", "float()")),
        (LABEL, LABEL.replace(".long()", "")),
        (LABEL, LABEL.replace("long()", "int()")),
    ),
    *known(
        "label-shape",
        "One label for each sample: y has shape (n_samples,).",
        (TOTAL, "X.sum(dim=1)"),
        (TOTAL, "X.sum(dim=(1, 2)).unsqueeze(1)"),
    ),
    *known(
        "not-normal",
        "The numbers are standard normal: mean 0, standard deviation 1, not uniform.",
        (DRAW, DRAW.replace("randn", "rand")),
        (DRAW, f"2 * {DRAW.replace('randn', 'rand')} - 1"),
        (DRAW, f"12 ** 0.5 * ({DRAW.replace('randn', 'rand')} - 0.5)"),
    ),
    *known(
        "standardised",
        "Leave the numbers as they were drawn: once standardised over the data they depend on each other.",
        (f"X = {DRAW}", f"X = {DRAW}\n    X = (X - X.mean()) / X.std()"),
    ),
    *known("not-tensors", "X and y are tensors, not lists or arrays.", (LABEL, f"{LABEL}.tolist()")),
    *known("dtype-of-the-data", "X is float32, like the weights of a network.", (DRAW, f"{DRAW}.double()")),
    *known(
        "axes",
        "X has shape (n_samples, seq_length, n_features), in this order.",
        (DRAW, f"{DRAW}.transpose(1, 2)"),
        [(DRAW, f"{DRAW}.transpose(0, 1)"), (TOTAL, "X.sum(dim=(0, 2))")],
    ),
    *known(
        "one-series-for-all",
        "Every sample and every step has numbers of its own: these are copies.",
        (DRAW, "torch.randn(n_samples, 1, n_features, generator=generator).expand(-1, seq_length, -1)"),
        (DRAW, "torch.randn(n_samples, seq_length, 1, generator=generator).expand(-1, -1, n_features)"),
    ),
]


# --- rnn_classifier ----------------------------------------------------------------------------------------------------------------

BETWEEN = "between = dropout if num_layers > 1 else 0.0"
RNN = "self.rnn = nn.RNN(input_size, hidden_size, num_layers, batch_first=True, dropout=between)"
FC = "self.fc = nn.Linear(hidden_size, num_classes)"
STATES = "states, _ = self.rnn(x)"
CLASSIFY = "last = states[:, -1]\n        return self.fc(last)"

RNN_CLASSIFIER = [
    *known("batch-first-missing", BATCH_FIRST, (RNN, RNN.replace(", batch_first=True", ""))),
    *known(
        "first-step",
        "Classify the state of the last step, which has read everything, not that of the first.",
        (CLASSIFY, CLASSIFY.replace("-1", "0")),
    ),
    *known(
        "last-sample",
        "The batch is axis 0 and time axis 1: take the last step of every sample, not the last sample.",
        (CLASSIFY, CLASSIFY.replace("states[:, -1]", "states[-1]")),
    ),
    *known(
        "first-layer",
        "h_n holds the last state of every layer: the top layer is the last entry, not the first.",
        [(STATES, "_, h_n = self.rnn(x)"), (CLASSIFY, "return self.fc(h_n[0])")],
    ),
    *known(
        "pooled-over-time",
        "Classify the last step's state alone, not a mean, sum or maximum over the steps.",
        (CLASSIFY, "return self.fc(states.mean(dim=1))"),
        (CLASSIFY, "return self.fc(states.sum(dim=1))"),
        (CLASSIFY, "return self.fc(states.max(dim=1).values)"),
    ),
    *known(
        "every-step",
        "One row of logits for each sample: classify the last step alone.",
        (CLASSIFY, "return self.fc(states)"),
    ),
    *known(
        "dropout-warning",
        "With one layer there is nothing to drop between: pass dropout=0 to nn.RNN then, or PyTorch warns.",
        (BETWEEN, "between = dropout"),
    ),
    *known("no-dropout", "Dropout acts between the recurrent layers: hand it to nn.RNN.", (BETWEEN, "between = 0.0")),
    *known(
        "dropout-rate-fixed",
        "The rate of the dropout is an argument.",
        *((BETWEEN, f"between = {rate} if num_layers > 1 else 0.0") for rate in (0.3, 0.5)),
    ),
    *known(
        "dropout-elsewhere",
        "Dropout acts between the recurrent layers only: not on the inputs, not before fc, not on the logits.",
        [
            (BETWEEN, f"self.dropout = nn.Dropout(dropout)\n        {BETWEEN}"),
            (CLASSIFY, "return self.fc(self.dropout(states[:, -1]))"),
        ],
        [
            (BETWEEN, "self.dropout, between = nn.Dropout(dropout), 0.0"),
            (CLASSIFY, "return self.fc(self.dropout(states[:, -1]))"),
        ],
        [
            (BETWEEN, f"self.dropout = nn.Dropout(dropout)\n        {BETWEEN}"),
            (STATES, "states, _ = self.rnn(self.dropout(x))"),
        ],
        [
            (BETWEEN, f"self.dropout = nn.Dropout(dropout)\n        {BETWEEN}"),
            (CLASSIFY, "return self.dropout(self.fc(states[:, -1]))"),
        ],
    ),
    *known(
        "relu",
        "The recurrent layers use tanh.",
        (RNN, RNN.replace("batch_first=True", 'batch_first=True, nonlinearity="relu"')),
    ),
    *known("gated-layer", PLAIN_RNN, *((RNN, RNN.replace("nn.RNN", f"nn.{kind}")) for kind in ("GRU", "LSTM"))),
    *known(
        "bidirectional",
        "One direction here: the second comes in section 5.",
        [
            (RNN, RNN.replace("batch_first=True", "batch_first=True, bidirectional=True")),
            (FC, FC.replace("hidden_size", "2 * hidden_size")),
        ],
    ),
    *known(
        "softmaxed",
        LOGITS,
        (CLASSIFY, f"{CLASSIFY}.softmax(dim=-1)"),
        (CLASSIFY, f"{CLASSIFY}.log_softmax(dim=-1)"),
    ),
    *known(
        "layers-fixed",
        "The number of layers is an argument.",
        (RNN, RNN.replace("num_layers", "1")),
        (RNN, RNN.replace("num_layers", "2")),
    ),
    *known("classes-fixed", "The number of classes is an argument.", (FC, FC.replace("num_classes", "2"))),
    *known(
        "no-bias",
        "Both layers have biases.",
        (FC, FC.replace("num_classes", "num_classes, bias=False")),
        (RNN, RNN.replace("batch_first=True", "bias=False, batch_first=True")),
    ),
    *known(
        "random-start",
        "The first state is zero, not random.",
        (STATES, "states, _ = self.rnn(x, torch.randn(self.rnn.num_layers, len(x), self.rnn.hidden_size))"),
    ),
    *known("graph-cut", GRAPH, (CLASSIFY, "return self.fc(states[:, -1].detach())")),
]
