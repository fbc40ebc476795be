"""Probes of notebook 5, LSTM and GRU.

Modules start from random weights, so each probe first sets them to fixed values, by the attribute names that the exercise fixes.
"""

import math
import warnings

import torch
from torch import nn

from dlcourse.checks.observe import gradient, raised
from dlcourse.checks.probe import probe


def spread(shape, seed: float) -> torch.Tensor:
    """Float64 numbers in [-1, 1] without a visible pattern, the same on every machine."""
    count = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
    return torch.sin(1.7 * count + 0.013 * count**2 + seed).reshape(tuple(shape))


@torch.no_grad()
def set_linear(layer, seed: float, gain: float = 2.0) -> None:
    """Fixed weights, and biases where there are any; a layer may stand inside an `nn.Sequential`, behind dropout for instance."""
    layer = last_linear(layer)
    layer.weight.copy_(gain * spread(layer.weight.shape, seed) / math.sqrt(layer.weight.shape[-1]))
    if layer.bias is not None:
        layer.bias.copy_(0.5 * spread(layer.bias.shape, seed + 0.5))


def last_linear(module):
    """The last `nn.Linear` in a module, which may be one itself."""
    return [part for part in module.modules() if isinstance(part, nn.Linear)][-1]


@torch.no_grad()
def set_recurrent(module, seed: float, gain: float = 0.7) -> None:
    """Fixed weights of an `nn.RNN`, `nn.LSTM` or `nn.GRU`."""
    for number, (_, parameter) in enumerate(sorted(module.named_parameters())):
        parameter.copy_(gain * spread(parameter.shape, seed + number))


def mixed(output: torch.Tensor) -> torch.Tensor:
    """A scalar to which every entry of an output contributes differently."""
    return (output * spread(output.shape, 2.0).to(output.dtype)).sum()


def form(value):
    """The shapes of tensors, in nested pairs."""
    if isinstance(value, (tuple, list)):
        return [form(entry) for entry in value]
    return str(tuple(value.shape)) if isinstance(value, torch.Tensor) else f"an object of type {type(value).__name__}"


def parameters_of(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# --- lstm_cell and gru_cell --------------------------------------------------------------------------------------------------------


def lstm_with_weights(answer, x, h, seed):
    cell = answer.LSTMCell(x.shape[-1], h.shape[-1]).to(x.dtype).eval()
    for number, name in enumerate(("W_f", "W_i", "W_C", "W_o")):
        set_linear(getattr(cell, name), seed + number)
    return cell


@probe
def lstm_step(answer, x, h, C, seed=0.0):
    """One step with fixed weights: what comes back, and the gradients."""
    cell = lstm_with_weights(answer, x, h, seed)
    x, h, C = x.requires_grad_(), h.requires_grad_(), C.requires_grad_()
    result = cell(x, (h, C))
    seen = {"what forward returns, as shapes": form(result)}
    if seen["what forward returns, as shapes"] == form((h, (h, C))):
        output, (new_h, new_C) = result
        seen |= {"output": output, "h": new_h, "C": new_C}
        seen["gradients of x, h and C"] = gradient(mixed(output) + mixed(new_C), x, h, C)
    return seen


@probe
def lstm_steps(answer, x, h, C, seed=0.0):
    """The outputs of several steps, x `(T,B,D)`, in which each step gets the state that the one before returned."""
    cell = lstm_with_weights(answer, x, h, seed)
    state, outputs = (h, C), []
    with torch.no_grad():
        for x_t in x:
            output, state = cell(x_t, state)
            outputs.append(output)
    return {"outputs of all steps": torch.stack(outputs)}


def gru_with_weights(answer, x, h, seed):
    cell = answer.GRUCell(x.shape[-1], h.shape[-1]).to(x.dtype).eval()
    for number, name in enumerate(("W_r", "W_z", "W_h")):
        set_linear(getattr(cell, name), seed + number)
    return cell


@probe
def gru_step(answer, x, h, seed=0.0):
    """One step with fixed weights, and the gradients."""
    cell = gru_with_weights(answer, x, h, seed)
    x, h = x.requires_grad_(), h.requires_grad_()
    new_h = cell(x, h)
    seen = {"what forward returns, as shapes": form(new_h)}
    if isinstance(new_h, torch.Tensor):
        seen |= {"h": new_h, "gradients of x and h": gradient(mixed(new_h), x, h)}
    return seen


@probe
def gru_steps(answer, x, h, seed=0.0):
    """The states of several steps, x `(T,B,D)`."""
    cell = gru_with_weights(answer, x, h, seed)
    states = []
    with torch.no_grad():
        for x_t in x:
            h = cell(x_t, h)
            states.append(h)
    return {"states of all steps": torch.stack(states)}


# --- parameter_count ---------------------------------------------------------------------------------------------------------------


@probe
def parameter_counts(answer, layers):
    """Counts for layers given as [kind, input_size, hidden_size, num_layers, bidirectional]."""
    return {
        f"{kind}, input {width}, hidden {hidden}, {depth} layer{'s' * (depth > 1)}{', bidirectional' * both}":
            answer.rnn_parameter_count(kind, width, hidden, num_layers=depth, bidirectional=both)
        for kind, width, hidden, depth, both in layers
    }  # fmt: skip


@probe
def parameter_defaults(answer, kind, input_size, hidden_size):
    """The count without the last two arguments, and with all of them by place."""
    return {
        "type of a count": type(answer.rnn_parameter_count(kind, input_size, hidden_size)).__name__,
        "one layer, one direction": answer.rnn_parameter_count(kind, input_size, hidden_size),
        "three layers, two directions": answer.rnn_parameter_count(kind, input_size, hidden_size, 3, True),
    }


@probe
def parameter_kinds(answer, kinds):
    """Which exception each kind raises; a kind that is counted raises none."""
    return {f"{kind!r} raises": raised(answer.rnn_parameter_count, kind, 3, 4) for kind in kinds}


# --- lstm_classifier and gru_classifier --------------------------------------------------------------------------------------------


def classifier(answer, name, sizes, seed, dropout=0.5):
    """The answer's LSTM or GRU with fixed weights; sizes are input, hidden, layers, classes."""
    model = getattr(answer, name)(*sizes, dropout)
    set_recurrent(getattr(model, name.lower()), seed)
    if name == "LSTM":
        with torch.no_grad():
            model.layer_norm.weight.copy_(1 + 0.3 * spread(model.layer_norm.weight.shape, seed + 0.1))
            model.layer_norm.bias.copy_(0.3 * spread(model.layer_norm.bias.shape, seed + 0.2))
    set_linear(model.fc, seed + 0.4)
    return model


@probe
def classifier_logits(answer, name, sizes, x, seed=0.0):
    """Logits in evaluation, and the gradient of the input."""
    model = classifier(answer, name, sizes, seed).eval()
    x = x.requires_grad_()
    logits = model(x)
    return {
        "logits": logits,
        "gradient of x": gradient(mixed(logits), x) if isinstance(logits, torch.Tensor) else "none",
    }


def _first_tensor(value):
    return value if isinstance(value, torch.Tensor) else _first_tensor(value[0])


def judge_classifier_dropout(observation, p):
    """Where dropout acts, as facts."""
    states, read = observation["states in training, twice"], observation["what fc reads in training"]
    share = float((read == 0).double().mean())
    return {
        "parameters by default": observation["parameters by default"],
        "warnings with one layer": observation["warnings with one layer"],
        "dropout between two layers, in training": bool(
            (states["2 layers"][0] - states["2 layers"][1]).abs().max() > 1e-6
        ),
        "dropout inside a single layer": bool((states["1 layer"][0] - states["1 layer"][1]).abs().max() > 1e-6),
        "share of features dropped before fc in training": "as asked"
        if abs(share - p) < 0.1
        else "about none"
        if share < 0.05
        else "another",
        "dropout of the recurrent layer, two layers": observation["rate with two layers"],
        "dropout of the recurrent layer by default": observation["rate by default"],
        "features dropped before fc in evaluation": bool((observation["what fc reads in evaluation"] == 0).any()),
    }


@probe(judge=judge_classifier_dropout)
def classifier_dropout(answer, name, x, rate):
    """States and what fc reads, in training and in evaluation; warnings; parameters of a model made without arguments."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        single = classifier(answer, name, (x.shape[-1], 12, 1, 3), 0.0, rate)
    double, default = classifier(answer, name, (x.shape[-1], 12, 2, 3), 0.0, rate), getattr(answer, name)()
    states, read = {"1 layer": [], "2 layers": []}, {True: [], False: []}
    for label, model in (("1 layer", single), ("2 layers", double)):
        recurrent = getattr(model, name.lower())
        recurrent.register_forward_hook(
            lambda module, inputs, output, found=states[label]: found.append(_first_tensor(output))
        )
        last_linear(model.fc).register_forward_pre_hook(
            lambda module, inputs, model=model: read[model.training].append(inputs[0].reshape(-1))
        )
        with torch.no_grad():
            for training in (True, True, False):
                torch.manual_seed(len(states[label]))
                model.train(training)(x)
    return {
        "states in training, twice": {label: found[:2] for label, found in states.items()},
        "what fc reads in training": torch.cat(read[True]),
        "what fc reads in evaluation": torch.cat(read[False]),
        "warnings with one layer": len(caught),
        "parameters by default": parameters_of(default),
        "rate with two layers": getattr(double, name.lower()).dropout,
        "rate by default": getattr(default, name.lower()).dropout,
    }


# --- sliding_windows and forecaster ------------------------------------------------------------------------------------------------


@probe
def windows(answer, series, window, horizon=None):
    """Windows and targets."""
    X, y = answer.make_windows(series, window) if horizon is None else answer.make_windows(series, window, horizon)
    return {"X": X, "y": y}


@probe
def window_errors(answer, series, sizes):
    """Which exception each pair of window and horizon raises."""
    return {
        f"{len(series)} values, window {window}, horizon {horizon} raises": raised(
            answer.make_windows, series, window, horizon
        )
        for window, horizon in sizes
    }


def judge_forecaster_shapes(observation):
    """Shapes, what the forecasts depend on, and whether the kinds differ, as facts."""
    sizes = [observation["parameters"][kind] for kind in ("rnn", "gru", "lstm")]
    facts = {
        "shapes of the forecasts": observation["shapes"],
        "parameters rise from rnn over gru to lstm": sizes == sorted(set(sizes)),
        "more hidden units mean more parameters": observation["parameters of a wider lstm"] > sizes[2],
    }
    for kind, influence in observation["gradient of x"].items():
        facts[f"{kind}: steps of the window that count"] = _steps_that_count(influence)
    for kind, influence in observation["gradient of x for the last forecast"].items():
        mixed_up = isinstance(influence, torch.Tensor) and bool((influence[:-1] != 0).any())
        facts[f"{kind}: a forecast depends on other windows"] = mixed_up
    return facts


def _steps_that_count(influence) -> str:
    """In words, from the gradient `(B,window,1)` of forecasts."""
    if not isinstance(influence, torch.Tensor):
        return "none"
    counts = (influence.abs().amax(dim=(0, 2)) > 0).tolist()
    if all(counts):
        return "all"
    names = {0: "none", 1: "the last alone" if counts[-1] else "the first alone" if counts[0] else "one"}
    return names.get(sum(counts), "some")


@probe(judge=judge_forecaster_shapes)
def forecaster_shapes(answer, x, hidden_size, horizon):
    """Shapes, gradients of the forecasts and numbers of parameters of the three kinds."""
    shapes, gradients, last, parameters = {}, {}, {}, {}
    for kind in ("rnn", "lstm", "gru"):
        model = answer.Forecaster(kind, hidden_size, horizon).eval()
        inputs = x.clone().requires_grad_()
        forecast = model(inputs)
        shapes[kind], parameters[kind] = form(forecast), parameters_of(model)
        gradients[kind] = gradient(mixed(forecast), inputs)
        last[kind] = gradient(mixed(model(inputs)[-1:]), inputs)
    shapes["made without arguments"] = form(answer.Forecaster()(x))
    wider = parameters_of(answer.Forecaster("lstm", 2 * hidden_size, horizon))
    return {
        "shapes": shapes,
        "gradient of x": gradients,
        "gradient of x for the last forecast": last,
        "parameters": parameters,
        "parameters of a wider lstm": wider,
    }


def judge_forecast(observation, last, targets):
    """The forecasts against those of persistence."""
    forecast, last = observation["forecast"].double(), last.double()
    losses = observation["losses"]
    numbers = isinstance(losses, list) and len(losses) > 0 and all(isinstance(loss, float) for loss in losses)
    facts = {"shape of the forecast": list(forecast.shape), "returns a list of floats": numbers}
    facts["the losses fall"] = numbers and (losses[-1] < 0.98 * losses[0] or len(losses) == 1)
    facts["training changes the model's weights"] = observation["weights changed"]
    if forecast.shape == targets.shape:
        ratio = (forecast - targets.double()).square().mean() / (last - targets.double()).square().mean()
        facts["forecasts are the last value"] = bool((forecast - last).abs().max() < 1e-3)
        facts["at least 30 % better than persistence on values not seen"] = bool(ratio <= 0.7)
    return facts


@probe(judge=judge_forecast)
def forecast(answer, kind, series, window, future, seed):
    """Train on the windows of a series, and forecast the value after each window of `future`; the targets are not here."""
    pieces = series.unfold(0, window + 1, 1)
    X, y = pieces[:, :window].unsqueeze(-1).contiguous(), pieces[:, window:].contiguous()
    torch.manual_seed(seed)
    model = answer.Forecaster(kind)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    losses = answer.train_forecaster(model, X, y, seed)
    changed = any(not torch.equal(old, new.detach().cpu()) for old, new in zip(before, model.parameters()))
    model.eval()
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with torch.no_grad():
        return {"forecast": model(future.to(device)), "losses": losses, "weights changed": changed}


@probe
def forecaster_seed(answer, kind, X, y, seed):
    """Whether training the same model twice with one seed, under two global seeds, gives the same losses."""
    runs = []
    for number in (1, 2):
        torch.manual_seed(5)
        model = answer.Forecaster(kind, 6)
        torch.manual_seed(number)
        runs.append(torch.as_tensor(answer.train_forecaster(model, X.clone(), y.clone(), seed)).double())
    alike = runs[0].shape == runs[1].shape and torch.allclose(*runs, rtol=1e-4)
    return {"the same model, data and seed give the same losses, whatever the global seed": bool(alike)}


# --- vocabulary and sentiment_lstm -------------------------------------------------------------------------------------------------


@probe
def vocabulary(answer, texts, options):
    """The dict from word to index."""
    return {"vocabulary": answer.build_vocab(texts, **options)}


@probe
def encoded(answer, texts, vocab, max_len):
    """Word indices and lengths."""
    ids, lengths = answer.encode(texts, vocab, max_len)
    return {"ids": ids, "lengths": lengths}


def sentiment_model(answer, sizes, pad_idx, seed):
    """The answer's model with fixed weights; sizes are vocabulary, embedding, hidden, output, layers."""
    words, embedding, hidden, output, layers = sizes
    model = answer.SentimentLSTM(
        words,
        embedding_dim=embedding,
        hidden_dim=hidden,
        output_dim=output,
        num_layers=layers,
        dropout=0.5,
        pad_idx=pad_idx,
    )
    with torch.no_grad():
        model.embedding.weight.copy_(2 * spread(model.embedding.weight.shape, seed))
        model.embedding.weight[pad_idx] = 0.0
    set_recurrent(model.lstm, seed + 1)
    set_linear(model.fc, seed + 2)
    return model


@probe
def sentiment_logits(answer, sizes, ids, lengths, pad_idx=0, more=3, seed=0.0):
    """Logits in evaluation, and logits of the same sentences with more columns of padding."""
    model = sentiment_model(answer, sizes, pad_idx, seed).eval()
    padding = torch.full((len(ids), more), pad_idx)
    with torch.no_grad():
        return {
            "logits": model(ids, lengths.clone()),
            f"logits with {more} more columns of padding": model(torch.cat([ids, padding], dim=1), lengths.clone()),
        }


def judge_sentiment(observation):
    return {
        "padding row at first": "zero" if not bool(observation["padding row at first"].any()) else "not zero",
        "padding row after 12 steps": "zero"
        if not bool(observation["padding row after training"].any())
        else "not zero",
        "other rows of the embedding change in training": observation["other rows changed"],
        "the loss falls in training": bool(observation["losses"][-1] < 0.9 * observation["losses"][0]),
        "shape of the logits of a model with default arguments": observation["default"],
        "with dropout=0 training computes what evaluation does": observation["no dropout"],
    }


@probe(judge=judge_sentiment)
def sentiment_training(answer, words, ids, lengths, labels, pad_idx=0):
    """The padding row before and after twelve steps of Adam on one batch, and the losses."""
    model = answer.SentimentLSTM(words, embedding_dim=8, hidden_dim=8, pad_idx=pad_idx).train()
    before = model.embedding.weight.detach().clone()
    with torch.no_grad():
        in_training, in_evaluation = (model.train(mode)(ids, lengths.clone()) for mode in (True, False))
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(12):
        loss = nn.functional.binary_cross_entropy_with_logits(model(ids, lengths.clone()).reshape(-1), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    after = model.embedding.weight.detach()
    return {
        "padding row at first": before[pad_idx], "padding row after training": after[pad_idx],
        "other rows changed": not torch.equal(before, after), "losses": losses,
        "no dropout": torch.allclose(in_training, in_evaluation, atol=1e-5),
        "default": form(answer.SentimentLSTM(words, pad_idx=pad_idx).eval()(ids, lengths.clone())),
    }  # fmt: skip


# --- length_study ------------------------------------------------------------------------------------------------------------------

KEPT = 4_000  # sequences that are kept of each model's training, and of its evaluations


class Recorder:
    """What every outermost module call reads and gives while it is active: sequences `(B,T)`, outputs, and whether gradients came back."""

    def __init__(self, lengths):
        self.lengths, self.depth, self.calls, self.models, self.kinds = lengths, 0, [], [], []

    def before(self, module, inputs):
        self.depth += 1

    def after(self, module, inputs, output):
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            self.kinds.append(str(getattr(module, "mode", type(module).__name__)).lower())
        self.depth -= 1
        if self.depth == 0:
            kinds, self.kinds = self.kinds, []
            self.note(module, inputs, output, kinds)

    def note(self, module, inputs, output, kinds):
        x = next((entry for entry in inputs if isinstance(entry, torch.Tensor) and entry.is_floating_point()), None)
        try:
            output = _first_tensor(output)
        except (TypeError, IndexError, KeyError):
            return
        whole = x is not None and ((x.ndim == 3 and x.shape[-1] == 1) or (x.ndim == 2 and kinds))
        if not whole or isinstance(module, nn.RNNCellBase):  # a single step, or a state, is no sequence
            return
        x = x.detach().cpu().reshape(x.shape[:2])
        if x.shape[1] not in self.lengths or (x.shape[0] in self.lengths and output.shape[0] != x.shape[0]):
            x = x.T  # time first
        if x.shape[1] not in self.lengths:
            return
        if not any(known is module for known in self.models):
            self.models.append(module)  # kept alive, so that no other takes its place in memory
        number = next(place for place, known in enumerate(self.models) if known is module)
        call = {"model": number, "x": x.clone(), "output": output.detach().cpu().float().clone(), "trained": False}
        call["kind"] = next((kind for kind in ("lstm", "gru", "rnn") if any(kind in name for name in kinds)), "unknown")
        if output.requires_grad:
            output.register_hook(lambda grad: call.update(trained=True))
        self.calls.append(call)

    def rounds(self) -> list[dict]:
        """For each model: what it was trained on, and its evaluations, each a run of calls without a gradient, outputs joined."""
        found = []
        for number in range(len(self.models)):
            calls = [call for call in self.calls if call["model"] == number]
            trained, evaluations, fresh = [], [], True
            for call in calls:
                if call["trained"]:
                    trained.append(call["x"])
                    fresh = True
                    continue
                if fresh or evaluations[-1][0]["x"].shape[1] != call["x"].shape[1]:
                    evaluations.append([])
                evaluations[-1].append(call)
                fresh = False
            joined = []
            for run in evaluations[-40:]:
                if len({call["output"].shape[1:] for call in run}) == 1:
                    x, output = torch.cat([call["x"] for call in run]), torch.cat([call["output"] for call in run])
                    joined.append({"x": x[:KEPT], "output": output[:KEPT].reshape(len(output[:KEPT]), -1)})
            # a model may see several lengths: one list of rows for each
            rows = {}
            for x in trained:
                rows.setdefault(str(x.shape[1]), []).append(x)
            rows = {length: torch.cat(parts)[:KEPT] for length, parts in rows.items()}
            whole = None if isinstance(self.models[number], nn.RNNBase) else parameters_of(self.models[number])
            found.append({"kind": calls[0]["kind"], "trained": rows, "evaluations": joined, "parameters": whole})
        return found


def _known_rows(x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Which rows of x are among `rows`."""
    known = {row.numpy().tobytes() for row in rows.float()}
    return torch.tensor([row.numpy().tobytes() in known for row in x.float()], dtype=torch.bool)


def _held_out_accuracies(model: dict, length: int) -> list[float]:
    """The accuracy, in percent, of each of a model's evaluations on sequences that it was not trained on."""
    accuracies = []
    for run in model["evaluations"]:
        x, output = run["x"], run["output"]
        if x.shape[1] != length or len(x) != len(output) or output.shape[1] > 2:
            continue
        new = (
            ~_known_rows(x, model["trained"][str(length)])
            if str(length) in model["trained"]
            else torch.ones(len(x), dtype=torch.bool)
        )
        if not new.any():
            continue
        labels = (x.double().sum(dim=1) > 0)[new]
        if output.shape[1] == 2:
            accuracies.append(float(((output[new].argmax(dim=1) == 1) == labels).double().mean()) * 100)
        else:  # one logit, or one probability
            accuracies += [float(((output[new, 0] > bound) == labels).double().mean()) * 100 for bound in (0.0, 0.5)]
    return accuracies


def _cut_from(models: list[dict], short: int, long: int) -> bool:
    """Whether the sequences of one length stand inside those of another: all at the same place."""
    one = [model["trained"][str(short)] for model in models if str(short) in model["trained"]]
    other = [model["trained"][str(long)] for model in models if str(long) in model["trained"]]
    if not one or not other:
        return False
    rows, longer = one[0][:200], torch.cat(other)
    return any(
        float(_known_rows(rows, longer[:, at : at + short]).double().mean()) > 0.9 for at in range(long - short + 1)
    )


def judge_study(observation, lengths, kinds):
    """The study as facts; those on data speak only of what was seen."""
    results, models = observation["results"], observation["models"]
    keys = ("kind", "length", "accuracy", "parameters", "seconds")
    facts = {"a list of dicts with the keys asked for": isinstance(results, list) and all(
        isinstance(row, dict) and all(key in row for key in keys) for row in results)}  # fmt: skip
    if not facts["a list of dicts with the keys asked for"]:
        return facts
    facts["pairs of kind and length"] = sorted(f"{row['kind']} {row['length']}" for row in results)
    accuracies = [float(row["accuracy"]) for row in results]
    facts["accuracies in percent"] = all(1 < accuracy <= 100 for accuracy in accuracies)
    facts["parameters are whole numbers above 0"] = all(
        isinstance(row["parameters"], int) and row["parameters"] > 0 for row in results
    )
    facts["parameters are those of the whole network"] = all(_counted(row, models) for row in results)
    facts["seconds are numbers from 0"] = all(0 <= float(row["seconds"]) < 1000 for row in results)
    if "again" in observation:
        again = {f"{row['kind']} {row['length']}": float(row["accuracy"]) for row in observation["again"]}
        facts["the same seed gives the same accuracies"] = all(
            abs(again.get(f"{row['kind']} {row['length']}", -1) - float(row["accuracy"])) < 1e-4 for row in results
        )
        other = [float(row["accuracy"]) for row in observation["other seed"]]
        facts["another seed gives other accuracies"] = other != accuracies
    trained = {int(length) for model in models for length in model["trained"]}
    seen = len(trained) > 0  # an answer that calls no module on whole sequences cannot be looked into
    facts["lengths that no network is trained on"] = [length for length in lengths if seen and length not in trained]
    pairs = [(short, long) for short in lengths for long in lengths if short < long]
    facts["sequences of one length are cut from, or added to, those of another"] = any(
        _cut_from(models, *pair) for pair in pairs
    )
    facts["accuracy is measured on sequences that were trained on"] = seen and not all(
        _measured(row, models) for row in results
    )
    return facts


def _counted(row: dict, models: list[dict]) -> bool:
    """Whether a network that was trained on this length has that many parameters; yes if none could be looked into."""
    fitting = [model["parameters"] for model in models if str(row["length"]) in model["trained"] and model["kind"] == row["kind"]]
    return None in fitting or not fitting or row["parameters"] in fitting


def _measured(row: dict, models: list[dict]) -> bool:
    """Whether a network of that kind and length has the reported accuracy on sequences that were not trained on."""
    length, accuracy = int(row["length"]), float(row["accuracy"])
    accuracy = 100 * accuracy if accuracy <= 1 else accuracy
    fitting = [
        model for model in models if str(length) in model["trained"] and model["kind"] in (row["kind"], "unknown")
    ]
    if not fitting:
        return not any(str(length) in model["trained"] for model in models)
    readable = [run for model in fitting for run in model["evaluations"] if run["output"].shape[1] <= 2]
    if not readable and any(model["evaluations"] for model in fitting):
        return any(not bool(_known_rows(run["x"], model["trained"][str(length)]).all())
                   for model in fitting for run in model["evaluations"] if run["x"].shape[1] == length)  # fmt: skip
    found = [_held_out_accuracies(model, length) for model in fitting]
    last = [accuracies[-1] for accuracies in found if accuracies]
    candidates = [value for accuracies in found for value in accuracies] + ([sum(last) / len(last)] if last else [])
    return any(abs(value - accuracy) <= 0.51 for value in candidates)


@probe(judge=judge_study)
def study(answer, options, lengths, repeat=True):
    """The results of a study, those of the same one again, and what its networks read."""
    recorder = Recorder(lengths)
    hooks = [
        nn.modules.module.register_module_forward_pre_hook(recorder.before),
        nn.modules.module.register_module_forward_hook(recorder.after, always_call=True),
    ]
    try:
        results = answer.length_study(**options)
    finally:
        for hook in hooks:
            hook.remove()
    seen = {"results": results, "models": recorder.rounds()}
    if repeat:
        torch.manual_seed(12345)
        seen["again"] = answer.length_study(**options)
        seen["other seed"] = answer.length_study(**{**options, "seed": options.get("seed", 0) + 7})
    return seen
