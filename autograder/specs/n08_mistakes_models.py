"""Notebook 8, comparison: mistakes in `compare_models` known by name, as edits of the reference answer."""

from autograder.specs.spec import known

SEED = "        set_seed(seed)  # every model starts from the same random state\n"
LOOP = "    for name, build in models.items():\n"
BUILD = "model, best, weights = build(), -1.0, None"
OPTIMIZER = "optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)"
EPOCHS = "for _ in range(epochs):"
TRAIN = "            model.train()\n"
ZERO = "                optimizer.zero_grad()\n"
BACKWARD = "F.cross_entropy(model(x), y).backward()"
STEP = "                optimizer.step()\n"
ORDER = "shuffling = torch.Generator().manual_seed(seed)"
SCORE = "score = accuracy(model, *val)"
BETTER = "if score > best:  # of equally good epochs the first stays"
KEEP = "best, weights = score, copy.deepcopy(model.state_dict())"
BEFORE = "            score = accuracy(model, *val)\n            if score > best:\n                " + KEEP + "\n"
RESTORE = "        model.load_state_dict(weights)\n"
COUNT = "count_parameters(model, trainable_only=False)"
TEST = "tested = accuracy(model, *test)"
ROW = "rows[name] = [size, tested, best, epochs, time.perf_counter() - start]"
NAME = '.rename_axis("model")'
SORT = 'return table.sort_values("test_accuracy", ascending=False)'
TRAINING_MODE = "Evaluate in eval mode: in training mode dropout is active, and batch norm learns from the samples it should be judged by."

COMPARE_MODELS = [
    *known(
        "test-set-chooses-the-epoch",
        "The test set chose the epoch: its accuracy is then too good. Choose by the validation set, and test once.",
        [(SCORE, "score = accuracy(model, *test)")],
        [
            (SCORE, "score, checked = accuracy(model, *test), accuracy(model, *val)"),
            (KEEP, "best, weights = score, copy.deepcopy(model.state_dict())\n                kept = checked"),
            (ROW, "rows[name] = [size, tested, kept, epochs, time.perf_counter() - start]"),
        ],
        [
            (ORDER, ORDER + "\n        tests = []"),
            (SCORE, SCORE + "\n            tests.append(accuracy(model, *test))"),
            (TEST, "tested = max(tests)"),
        ],
    ),
    *known(
        "last-weights-tested",
        "The model was tested with the weights of the last epoch. Either the best ones were not put back, or what was kept refers to the "
        "weights themselves, which went on changing: keep a deep copy.",
        (RESTORE, ""),
        (KEEP, "best, weights = score, model.state_dict()"),
        (KEEP, "best, weights = score, dict(model.state_dict())"),
        [(KEEP, "best, weights = score, model"), (RESTORE, "        model = weights\n")],
    ),
    *known(
        "last-best-epoch",
        "Of epochs that are equally good on the validation set the first counts: compare with >, not with >=.",
        (BETTER, "if score >= best:"),
    ),
    *known(
        "training-set-chooses-the-epoch",
        "The training set chose the epoch: the training accuracy goes on rising when the model overfits. Choose by the validation set.",
        (SCORE, "score = accuracy(model, *train)"),
        [
            (SCORE, "score, checked = accuracy(model, *train), accuracy(model, *val)"),
            (KEEP, "best, weights = score, copy.deepcopy(model.state_dict())\n                kept = checked"),
            (ROW, "rows[name] = [size, tested, kept, epochs, time.perf_counter() - start]"),
        ],
    ),
    *known(
        "trained-on-validation",
        "Validation or test samples were trained on: then they can no longer choose the epoch, or judge the model.",
        (
            "batches(*train, batch_size=50",
            "batches(torch.cat([train[0], val[0]]), torch.cat([train[1], val[1]]), batch_size=50",
        ),
        ("batches(*train, batch_size=50", "batches(*val, batch_size=50"),
        (
            "batches(*train, batch_size=50",
            "batches(torch.cat([train[0], test[0]]), torch.cat([train[1], test[1]]), batch_size=50",
        ),
    ),
    *known(
        "no-eval-mode",
        TRAINING_MODE,
        (TEST, "tested = 100 * (model(test[0]).argmax(1) == test[1]).float().mean().item()"),
        (SCORE, "score = 100 * (model(val[0]).argmax(1) == val[1]).float().mean().item()"),
        [
            (SCORE, "score = 100 * (model(val[0]).argmax(1) == val[1]).float().mean().item()"),
            (TEST, "tested = 100 * (model(test[0]).argmax(1) == test[1]).float().mean().item()"),
        ],
    ),
    *known(
        "never-back-to-train",
        "After the first evaluation the model stays in eval mode: call model.train() at the start of every epoch.",
        [(TRAIN, ""), (SCORE, "score = 100 * (model.eval()(val[0]).argmax(1) == val[1]).float().mean().item()")],
    ),
    *known(
        "mean-of-batch-accuracies",
        "A mean of the batches' accuracies gives the samples of a small last batch too much weight: count all right ones, divide once.",
        (
            SCORE,
            "score = torch.tensor([accuracy(model, *part) for part in batches(*val, batch_size=32)]).mean().item()",
        ),
    ),
    *known(
        "frozen-left-out",
        "The column parameters counts all of them, frozen ones too.",
        (COUNT, "count_parameters(model)"),
        (COUNT, "sum(p.numel() for p in model.parameters() if p.requires_grad)"),
    ),
    *known(
        "fractions",
        "The accuracies are asked for in percent.",
        [(SCORE, "score = accuracy(model, *val) / 100"), (TEST, "tested = accuracy(model, *test) / 100")],
    ),
    *known(
        "last-validation-accuracy",
        "best_val_accuracy is that of the best epoch, not of the last one.",
        (ROW, "rows[name] = [size, tested, score, epochs, time.perf_counter() - start]"),
    ),
    *known(
        "not-sorted",
        "The rows stand by test accuracy, the highest first.",
        (SORT, "return table"),
        (SORT, 'return table.sort_values("test_accuracy")'),
        (SORT, 'return table.sort_values("best_val_accuracy", ascending=False)'),
        (SORT, 'return table.sort_values("parameters")'),
        (SORT, "return table.sort_index()"),
    ),
    *known("index-without-name", 'The index is to be named "model".', (NAME, "")),
    *known(
        "names-as-a-column",
        "The names are the index of the table, not a column of it.",
        (NAME, '.rename_axis("model").reset_index()'),
    ),
    *known(
        "seeded-once",
        "Set the seed anew for every model: otherwise each starts from whatever random state the one before left.",
        [(SEED, ""), (LOOP, "    set_seed(seed)\n" + LOOP)],
    ),
    *known(
        "not-seeded",
        "The initial weights do not follow the seed: set it before the model is built.",
        (SEED, ""),
        [(SEED, ""), (ORDER, "shuffling = torch.Generator().manual_seed(seed)\n        set_seed(seed)")],
    ),
    *known(
        "seed-ignored",
        "The argument seed is not used.",
        [(SEED, "        set_seed(0)\n"), (ORDER, "shuffling = torch.Generator().manual_seed(0)")],
    ),
    *known(
        "one-order-for-all",
        "The generator of the batches' order is shared: make it anew for every model, so that all see the data in the same order.",
        [(ORDER, "pass"), (LOOP, "    shuffling = torch.Generator().manual_seed(seed)\n" + LOOP)],
    ),
    *known(
        "tested-on-validation",
        "test_accuracy is measured on the test samples: here it is the accuracy on the validation samples.",
        (TEST, "tested = accuracy(model, *val)"),
        (TEST, "tested = best"),
    ),
    *known(
        "epochs-off-by-one",
        "Train for exactly `epochs` epochs, and measure after each of them.",
        (EPOCHS, "for _ in range(1, epochs):"),
        (EPOCHS, "for _ in range(epochs + 1):"),
    ),
    *known(
        "measured-before-training",
        "Measure on the validation set after each epoch: measured before it, the last epoch never counts.",
        [(SCORE, "score = -2.0"), (TRAIN, BEFORE + TRAIN)],
    ),
    *known(
        "one-optimizer-for-all",
        "An optimizer changes the parameters it was made with: make a new one for every model, or only the first will learn.",
        (OPTIMIZER, "optimizer = optimizer if rows else torch.optim.Adam(model.parameters(), lr=3e-3)"),
    ),
    *known("no-zero-grad", "Gradients add up from step to step: call zero_grad() before backward().", (ZERO, "")),
    *known(
        "softmax-before-cross-entropy",
        "cross_entropy takes logits: it applies the softmax itself.",
        (BACKWARD, "F.cross_entropy(model(x).softmax(1), y).backward()"),
    ),
    *known(
        "another-loss",
        "The loss is the cross entropy.",
        (BACKWARD, "F.mse_loss(model(x), F.one_hot(y, model(x).shape[1]).float()).backward()"),
        (BACKWARD, "F.multi_margin_loss(model(x), y).backward()"),
    ),
    *known("no-step", "Without optimizer.step() the weights never change.", (STEP, "")),
    *known(
        "ascent", "The step goes uphill: the loss is to fall.", (BACKWARD, "(-F.cross_entropy(model(x), y)).backward()")
    ),
]
