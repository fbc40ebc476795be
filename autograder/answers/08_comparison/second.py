# DataLoader, SGD in small batches, deep copies of the model, batched evaluation, a multinomial bootstrap.

# %% exercise="count_parameters"
def count_parameters(model, trainable_only=True):
    parameters = {id(p): p for _, p in model.named_parameters()}.values()
    if trainable_only:
        parameters = filter(lambda p: p.requires_grad, parameters)
    return int(sum(torch.numel(p) for p in parameters))


# %% exercise="compare_models"
def compare_models(models, train, val, test, epochs, seed=0):
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(*train), batch_size=7, shuffle=True)
    criterion = nn.CrossEntropyLoss()

    def measure(model, data):
        model.eval()
        right, loss = 0, 0.0
        with torch.no_grad():
            for x, y in DataLoader(TensorDataset(*data), batch_size=16):
                logits = model(x)
                right += (logits.argmax(1) == y).sum().item()
                loss += criterion(logits, y).item() * len(y)
        return 100.0 * right / len(data[1]), loss / len(data[1])

    frame = pd.DataFrame(columns=["test_accuracy", "parameters", "best_val_accuracy", "best_epoch", "epochs", "seconds"])
    for name, make in models.items():
        began = time.time()
        torch.manual_seed(seed)
        model = make()
        optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.05, momentum=0.9)
        champion, champion_accuracy, when = None, -math.inf, 0
        for epoch in range(1, epochs + 1):
            model.train()
            for x, y in loader:
                loss = criterion(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
            measure(model, train)
            val_accuracy, _ = measure(model, val)
            if champion is None or val_accuracy > champion_accuracy:
                champion, champion_accuracy, when = copy.deepcopy(model), val_accuracy, epoch
        test_accuracy, _ = measure(champion, test)
        frame.loc[name] = [test_accuracy, sum(p.numel() for p in model.parameters()), champion_accuracy, when, epochs, time.time() - began]
    frame.index.name = "model"
    return frame.sort_values(by="test_accuracy", ascending=False)


# %% exercise="comparison_plots"
def comparison_plots(histories, results):
    fig, ((a, b), (c, d)) = plt.subplots(nrows=2, ncols=2, layout="constrained")
    for name, history in histories.items():
        for ax, key in ((b, "train_loss"), (a, "val_loss"), (c, "val_acc")):
            ax.plot(torch.arange(1, len(history[key]) + 1), torch.tensor(history[key], dtype=torch.float64), label=str(name))
    for ax, title in ((b, "Train"), (a, "Validation"), (c, "Validation accuracy")):
        ax.set(xlabel="Epoch", ylabel="Accuracy (%)" if ax is c else "Loss", title=title)
    d.scatter(results["parameters"], results["test_accuracy"], c=range(len(results)))
    d.set_xscale("log")
    d.set(xlabel="Parameters (log scale)", ylabel="Test accuracy (%)", title="Accuracy by size")
    handles = [plt.Line2D([], [], marker="o", linestyle="", label=name) for name in results.index]
    d.legend(handles=handles)
    for ax in (a, b, c):
        ax.legend()
    plt.show()
    return fig


# %% exercise="accuracy_interval"
def wilson_interval(correct, total, confidence=0.95):
    z = NormalDist().inv_cdf(1 - (1 - confidence) / 2)
    p, n = correct / total, total
    # the ends solve (p - q)^2 = z^2 q (1 - q) / n, a quadratic equation in q
    a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return ((-b - root) / (2 * a), (-b + root) / (2 * a))


def paired_bootstrap(correct_a, correct_b, n_resamples=10_000, seed=0):
    torch.manual_seed(seed)
    a, b = torch.as_tensor(correct_a).float(), torch.as_tensor(correct_b).float()
    n = len(a)
    counts = torch.multinomial(torch.ones(n), n * n_resamples, replacement=True).reshape(n_resamples, n)
    values = sorted((a[counts].mean(1) - b[counts].mean(1)).tolist())
    low, high = values[int(0.025 * (n_resamples - 1))], values[math.ceil(0.975 * (n_resamples - 1))]
    return float(a.mean() - b.mean()), low, high


# %% exercise="attention_cost"
def layer_flops(kind, length, dim):
    match kind:
        case "rnn":
            return sum(2 * 2 * dim**2 for _ in range(length))
        case "attention":
            return 2 * (2 * length * dim * length)
    raise ValueError(kind)


def crossover_length(dim):
    return math.floor(dim) + 1


# %% exercise="mixed_precision"
def amp_train_step(model, inputs, targets, criterion, optimizer, max_norm=None, scaler=None):
    model.train()
    with torch.autocast("cuda" if inputs.is_cuda else "cpu", dtype=torch.bfloat16, cache_enabled=False):
        outputs = model(inputs)
        loss = criterion(outputs, targets)
    for parameter in model.parameters():
        parameter.grad = None
    (loss if scaler is None else scaler.scale(loss)).backward()
    if max_norm is not None:
        if scaler is not None:
            scaler.unscale_(optimizer)
        norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters() if p.grad is not None))
        if norm > max_norm:
            for p in model.parameters():
                if p.grad is not None:
                    p.grad *= max_norm / (norm + 1e-6)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
    return loss.detach().item()


# %% exercise="architecture_quiz"
architecture_choice = {"credit_scoring": "ANN", "house_prices": "ANN"}
architecture_choice |= {name: "CNN" for name in ("xray_findings", "defect_photos")}
architecture_choice |= {"short_signals": "RNN", "machine_wear": "LSTM"}
architecture_choice |= {name: "GRU" for name in ("keyword_spotting", "faster_than_lstm")}
architecture_choice |= {name: "Transformer" for name in ("translation", "code_completion")}
