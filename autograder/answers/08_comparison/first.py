# Loops over modules, fit(keep_best=True), NumPy, one scatter for all points.

# %% exercise="count_parameters"
def count_parameters(model, trainable_only=True):
    total, seen = 0, set()
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is None or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            if trainable_only and not parameter.requires_grad:
                continue
            total += math.prod(parameter.shape)
    return total


# %% exercise="compare_models"
def compare_models(models, train, val, test, epochs, seed=0):
    records = []
    for name in models:
        set_seed(seed)
        net = models[name]()
        history = fit(net, train, val, epochs=epochs, seed=seed, keep_best=True, progress=False)
        logits = predict(net, test[0])
        records.append(
            {
                "model": name,
                "parameters": sum(p.numel() for p in net.parameters()),
                "test_accuracy": (logits.argmax(dim=1) == test[1]).double().mean().item() * 100,
                "best_val_accuracy": max(history.val_accuracy),
                "epochs": len(history.val_loss),
                "seconds": sum(history.seconds),
            }
        )
    frame = pd.DataFrame(records).sort_values("test_accuracy", ascending=False)
    return frame.set_index("model")


# %% exercise="comparison_plots"
def comparison_plots(histories, results):
    figure = plt.figure(figsize=(9, 8))
    colour = {name: COLORS[i] for i, name in enumerate(histories)}
    for place, key, words in ((1, "train_loss", "training loss"), (2, "val_loss", "validation loss"), (3, "val_acc", "validation accuracy")):
        ax = figure.add_subplot(2, 2, place)
        for name in histories:
            values = histories[name][key]
            ax.plot(list(range(len(values))), values, color=colour[name], marker="o")
        ax.legend(list(histories))
        ax.set_xlabel("epoch (from 0)")
        ax.set_ylabel(words)
        ax.set_title(words.capitalize())
    ax = figure.add_subplot(2, 2, 4)
    for name in results.index:
        ax.plot(results.loc[name, "parameters"] / 1000, results.loc[name, "test_accuracy"], "s", color=colour[name], label=f"{name} ({results.loc[name, 'test_accuracy']:.1f} %)")
        ax.annotate(name, (results.loc[name, "parameters"] / 1000, results.loc[name, "test_accuracy"]))
    ax.set_xlabel("parameters (thousands)")
    ax.set_ylabel("test accuracy in %")
    ax.set_title("Size")
    ax.legend(title="model")
    figure.suptitle("Comparison")
    return figure


# %% exercise="accuracy_interval"
def wilson_interval(correct, total, confidence=0.95):
    z = math.sqrt(2) * torch.erfinv(torch.tensor(confidence, dtype=torch.float64)).item()
    n, k = total, correct
    root = z * math.sqrt(k * (n - k) / n + z * z / 4)
    low, high = (k + z * z / 2 - root) / (n + z * z), (k + z * z / 2 + root) / (n + z * z)
    return max(0.0, low), min(1.0, high)


def paired_bootstrap(correct_a, correct_b, n_resamples=10_000, seed=0):
    import numpy as np

    a, b = np.asarray(correct_a, dtype=float), np.asarray(correct_b, dtype=float)
    rng = np.random.default_rng(seed)
    n = len(a)
    found = []
    for _ in range(n_resamples):
        rows = rng.integers(0, n, n)
        found.append(a[rows].mean() - b[rows].mean())
    low, high = np.percentile(found, [2.5, 97.5])
    return a.mean() - b.mean(), low, high


# %% exercise="attention_cost"
def layer_flops(kind, length, dim):
    costs = {"rnn": length * 2 * (2 * dim * dim), "attention": 2 * (2 * length * length * dim)}
    return costs[kind]


def crossover_length(dim):
    length = 1
    while layer_flops("attention", length, dim) <= layer_flops("rnn", length, dim):
        length += 1
    return length


# %% exercise="mixed_precision"
def amp_train_step(model, inputs, targets, criterion, optimizer, max_norm=None, scaler=None):
    optimizer.zero_grad(set_to_none=False)
    with torch.amp.autocast(device_type=inputs.device.type, dtype=torch.bfloat16):
        logits = model(inputs)
    loss = criterion(logits.float(), targets)
    if scaler is not None:
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
    else:
        loss.backward()
    if max_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_norm)
    if scaler is not None:
        scaler.step(optimizer)
        scaler.update()
    else:
        optimizer.step()
    return float(loss.detach())


# %% exercise="architecture_quiz"
architecture_choice = dict(
    credit_scoring="ANN", xray_findings="CNN", short_signals="RNN", machine_wear="LSTM", keyword_spotting="GRU",
    translation="Transformer", house_prices="ANN", defect_photos="CNN", code_completion="Transformer", faster_than_lstm="GRU",
)
