"""What the three options of the final project have of their own, for the probes of notebook 9."""

import functools
import re

import torch
from torch import nn

from dlcourse import data
from dlcourse.checks.watch import watch

FILLED = {"A": ("load_data", "augment"), "B": ("load_series", "make_windows"), "C": ("load_texts", "encode")}
WINDOW = 30
BRIGHT = 8.0


# --- the data of each option -------------------------------------------------------------------------------------------------------


@functools.cache
def course_images(name: str, full: bool):
    """The course's images and labels: training images first, then those of the test part; and how many are for training."""
    source = data.cifar10() if name == "cifar10" else data.fashion_mnist(full=full or None)
    images = torch.cat([source.train_images, source.test_images])
    return images, torch.cat([source.train_labels, source.test_labels]), len(source.train_labels)


@functools.cache
def places(name: str, full: bool) -> dict:
    """Number of an image by its fingerprint; twins share the number of the first."""
    prints = fingerprints(course_images(name, full)[0].float())
    found = {}
    for number, value in enumerate(prints.tolist()):
        found.setdefault(value, number)
    return found


def fingerprints(images: torch.Tensor) -> torch.Tensor:
    """A whole number for each image with values 0 to 255: its pixels, weighted and summed."""
    flat = images.flatten(1)
    weights = torch.randint(1, 2**31, flat.shape[1:], generator=torch.Generator().manual_seed(0)).double()
    return torch.cat([(piece.round().double() @ weights) for piece in flat.split(5000)]).long()


def data_of(answer, chosen):
    """What the first two probes of `project_data` send home."""
    getattr(answer, FILLED[chosen][1])  # the second function belongs to the answer as well
    return {"A": image_data, "B": series_data, "C": text_data}[chosen](answer)


def image_data(answer):
    parts = answer.load_data()
    shapes, rows, scales, labelled = [], [], [], []
    for images, labels in parts:
        shapes.append([str(images.dtype), str(labels.dtype), len(images), len(labels), images.ndim, labels.ndim])
    name = answer.DATASET
    full = name != "cifar10" and sum(len(labels) for _, labels in parts) > 12_000
    known, right_labels, first_test = course_images(name, full)
    for images, _ in parts:
        if images.shape[1:] != known.shape[1:]:
            raise ValueError(f"images of shape {tuple(images.shape)}, not (N, {', '.join(map(str, known.shape[1:]))})")
    for images, labels in parts:
        # on the scale of each channel, an image is the course's one times something plus something: three channels, three scales
        order = [places(name, full).get(value, -1) for value in fingerprints(whole_steps(images)).tolist()]
        rows.append(torch.tensor(order, dtype=torch.int32))
        known_ones = rows[-1] >= 0
        labelled.append(len(order) == len(labels) and bool((right_labels[rows[-1].long()] == labels)[known_ones].all()))
        scales.append(scale_of(images, known, rows[-1]))
    train = parts[0][0]
    mean, deviation = train.double().mean(dim=(0, 2, 3)), train.double().std(dim=(0, 2, 3))
    return {
        "parts": {"option": "A", "shapes": shapes, "rows": rows, "labelled": labelled, "border": first_test, "count": len(known)},
        "statistics": {"option": "A", "mean": mean, "deviation": deviation, "scales": scales},
    }


def whole_steps(images):
    """Standardised images back on the scale of their channels' smallest and largest value, which is 0 and 255 in a whole part."""
    low, high = images.amin(dim=(0, 2, 3), keepdim=True), images.amax(dim=(0, 2, 3), keepdim=True)
    return 255 * (images.float() - low) / (high - low).clamp(min=1e-12)


def scale_of(images, known, rows):
    """Factor and shift that made the first hundred images of a part from the course's, for each channel."""
    chosen = (rows >= 0).nonzero().flatten()[:100]
    if not len(chosen):
        return torch.zeros(2, images.shape[1], dtype=torch.float64)
    raw, seen = (x.double().transpose(0, 1).flatten(1) for x in (known[rows[chosen].long()] / 255, images[chosen]))
    factor = seen.std(dim=1) / raw.std(dim=1)
    return torch.stack([factor, seen.mean(dim=1) - factor * raw.mean(dim=1)])


def series_data(answer):
    parts = [torch.as_tensor(part) for part in answer.load_series()]
    shapes = [[str(part.dtype), part.ndim, len(part)] for part in parts]
    raw = data.two_sines().double()
    starts, scales = zip(*(stretch_of(raw, part.double().flatten()) for part in parts), strict=True)
    train = parts[0].double()
    values, known = (((x - x.mean()) / x.std()).sort().values for x in (torch.cat([part.double().flatten() for part in parts]), raw))
    shuffled = len(values) == len(known) and torch.allclose(values, known, atol=1e-3)
    return {
        "parts": {"option": "B", "shapes": shapes, "starts": list(starts), "length": len(raw), "shuffled": shuffled},
        "statistics": {"option": "B", "mean": train.mean().reshape(1), "deviation": train.std().reshape(1), "scales": list(scales)},
    }


def stretch_of(raw, part):
    """Where a part begins in the series, -1 if it is no stretch of it; and factor and shift, `(2,1)`, that made it from there."""
    if 2 < len(part) <= len(raw):
        pieces = raw.unfold(0, len(part), 1)
        factors = part.std() / pieces.std(dim=1)
        shifts = part.mean() - factors * pieces.mean(dim=1)
        misses = (factors[:, None] * pieces + shifts[:, None] - part).abs().amax(dim=1)
        if misses.min() < 1e-3:
            place = int(misses.argmin())
            return place, torch.stack([factors[place], shifts[place]]).reshape(2, 1)
    return -1, torch.zeros(2, 1, dtype=torch.float64)


@functools.cache
def reviews():
    return data.movie_reviews()


def text_data(answer):
    *parts, vocab = answer.load_texts()
    source = reviews()
    number = {text: row for row, text in reversed(list(enumerate(source.texts)))}
    rows, shapes, labelled = [], [], []
    for texts, labels in parts:
        rows.append(torch.tensor([number.get(text, -1) for text in texts], dtype=torch.int32))
        wrong = (source.labels[rows[-1].long()] != labels)[rows[-1] >= 0] if len(texts) == len(labels) else torch.ones(1, dtype=torch.bool)
        labelled.append(int(wrong.sum()) <= 5)  # a sentence that stands there twice may have two ratings
        shapes.append([str(labels.dtype), labels.ndim, len(texts), len(labels)])
    foreign = foreign_ids(answer.encode, vocab, parts[0][0], [parts[1][0], parts[2][0]])
    known = {*re.findall(r"\w+", " ".join(parts[0][0]).lower())} - {"pad", "unk", "unknown"}
    ids = torch.tensor(sorted(vocab.values()), dtype=torch.long)
    reserved = sum(number in (0, 1) and word.lower() in known for word, number in vocab.items())
    test = sorted(number[source.texts[row]] for row in source.test_indices.tolist())
    return {
        "parts": {"option": "C", "shapes": shapes, "rows": rows, "labelled": labelled, "test": torch.tensor(test).int()},
        "statistics": {"option": "C", "foreign": foreign, "size": len(vocab), "twice": len(ids) - len(ids.unique()), "reserved": reserved},
    }


def foreign_ids(encode, vocab, train, others):
    """How many words of the vocabulary stand in other texts but in no training text, whatever `encode` takes for a word."""
    pieces = [" ".join(text.split()[start : start + 20]) for text in train for start in range(0, len(text.split()), 20)]  # encode may cut
    try:
        seen, elsewhere, unknown = (
            {number for texts in parts for number in encode(texts, vocab).unique().tolist()} for parts in ((train, pieces), others, (["qqqzzz"],))
        )
    except Exception:  # noqa: BLE001 (an encode that fails is another part's business)
        return 0
    return len((elsewhere & set(vocab.values())) - seen - unknown - {0, 1})


# --- one step towards a batch ------------------------------------------------------------------------------------------------------


def step_of(answer, chosen, seed):
    """`augment`, `make_windows` or `encode`, on inputs of the case."""
    random = torch.Generator().manual_seed(seed)
    if chosen == "A":
        images = torch.randn(6, *image_shape(answer), generator=random).cumsum(dim=2)
        kept = images.clone()
        first, again, other = (answer.augment(images, torch.Generator().manual_seed(seed + extra)) for extra in (0, 0, 1))
        return {"option": "A", "result": first, "again": again, "other": other, "input": kept, "input afterwards": images}
    if chosen == "B":
        series, window = torch.randn(40 + seed % 7, generator=random), 5 + seed % 4
        kept = series.clone()
        X, y = answer.make_windows(series, window)
        again = answer.make_windows(series, window)
        return {"option": "B", "X": X, "y": y, "again": again[0], "window": window, "input": kept, "input afterwards": series}
    vocab = answer.load_texts()[3]
    texts = ["a good film", "qqqzzz is not a word", "the film is the story of a man and his dog", "", "A Good film"]
    texts = texts[seed % 5 :] + texts[: seed % 5]
    ids, alone = answer.encode(texts, vocab), [answer.encode([text], vocab) for text in texts]
    again = answer.encode(texts, vocab)
    return {"option": "C", "ids": ids, "alone": alone, "again": again, "size": len(vocab), "unknown": (1 - seed) % 5, "long": (2 - seed) % 5}


def image_shape(answer):
    return (3, 32, 32) if answer.DATASET == "cifar10" else (1, 28, 28)


# --- networks ----------------------------------------------------------------------------------------------------------------------


def networks_of(answer, chosen):
    """Name and network of all that the option asks for."""
    names = {"A": ["build_model"], "B": ["build_lstm", "build_transformer"], "C": ["build_rnn", "build_transformer"]}[chosen]
    return [(name, getattr(answer, name)()) for name in names]


def batch_for(answer, chosen, seed, size):
    """A random batch of the form that the option's networks take, and targets."""
    random = torch.Generator().manual_seed(seed)
    if chosen == "A":
        return torch.randn(size, *image_shape(answer), generator=random), torch.arange(size) % 10
    if chosen == "B":
        series = torch.sin(torch.arange(WINDOW + size) / 3.7) + 0.1 * torch.randn(WINDOW + size, generator=random)
        return series.unfold(0, WINDOW, 1)[:size].unsqueeze(2).contiguous(), series[WINDOW:].unsqueeze(1)
    words = len(answer.load_texts()[3])
    ids = torch.randint(2, max(3, words), (size, 9), generator=random)
    ids[1::2, 6:] = 0  # every other text is shorter
    return ids, torch.arange(size) % 2


ATTENTION = ("softmax", "scaled_dot_product_attention", "scaled_dot_product_flash_attention_for_cpu", "native_multi_head_attention",
             "multi_head_attention_forward", "transformer_encoder_layer_fwd")  # fmt: skip
RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell", "mkldnn_rnn_layer", "thnn_fused_lstm_cell")


def layers_of(answer, chosen, name, network, seed):
    """Counts of layers, functions that ran, and how the outputs change with dropout, and with the order of the steps."""
    x, _ = batch_for(answer, chosen, seed, 4)
    modules = list(network.modules())
    network.eval()
    with torch.no_grad():  # positions may start at zero, and layers so small that nothing shows
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad(), watch(*ATTENTION, *RECURRENT, "convolution", "batch_norm", "native_batch_norm") as calls:
        outputs = network(x)
    turned = x.clone()
    turned[:, :5] = x[:, :5].flip(1)  # of a text or a series, the first steps in reverse
    nudged = x.clone()
    if chosen == "B":
        nudged[:, -1] += 1
    elif chosen == "C":
        last = (x != 0).sum(dim=1) - 1
        nudged[torch.arange(len(x)), last] = torch.where(x[torch.arange(len(x)), last] == 2, 3, 2)
    network.train()
    with torch.no_grad():
        torch.manual_seed(seed)
        first = network(x)
        torch.manual_seed(seed + 1)
        second = network(x)
        network.eval()
        shuffled, other_end = network(turned), network(nudged)
    return {
        "convolutions": sum(isinstance(module, nn.Conv2d) for module in modules),
        "batch norms": sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in modules),
        "embeddings": sum(isinstance(module, (nn.Embedding, nn.EmbeddingBag)) for module in modules),
        "recurrent": sum(isinstance(module, (nn.RNNBase, nn.RNNCellBase)) for module in modules),
        "lstm": sum(isinstance(module, (nn.LSTM, nn.LSTMCell)) for module in modules),
        "ran": calls.banned, "random in training": bool((first != second).any()), "order": not torch.allclose(outputs, shuffled, atol=1e-6),
        "last": not torch.allclose(outputs, other_end, atol=1e-6),
    }  # fmt: skip


# --- a small problem to train on ---------------------------------------------------------------------------------------------------


def small_problem(chosen, seed, samples):
    """A small network with dropout, and training and validation data (X, y) of the option's own form."""
    random = torch.Generator().manual_seed(seed)
    count = samples + 37  # a number that no usual batch size divides
    torch.manual_seed(seed)
    if chosen == "A":
        y = torch.arange(count) % 2
        X = 0.5 * torch.randn(count, 1, 28, 28, generator=random) + y.view(-1, 1, 1, 1)  # by brightness, which no augmentation undoes
        X[samples:, :, 10:12, 10:12] = BRIGHT  # validation images are known again by these four pixels, also mirrored and shifted
        convolution = nn.Conv2d(1, 4, 4, stride=4)
        model = nn.Sequential(convolution, nn.BatchNorm2d(4, momentum=0.5), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(196, 2))
    elif chosen == "B":
        X = torch.randn(count, 10, 1, generator=random)
        y = X[:, -1] - 0.5 * X[:, -2]
        model = nn.Sequential(nn.Flatten(), nn.Linear(10, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))
    else:
        y = torch.arange(count) % 2
        X = torch.randint(2, 40, (count, 6), generator=random)
        X[:, 2] = 40 + y
        model = nn.Sequential(nn.Embedding(42, 8), nn.Flatten(), nn.Dropout(0.2), nn.Linear(48, 2))
    return model, (X[:samples], y[:samples]), (X[samples:], y[samples:])


# --- inputs whose answers are not known here ---------------------------------------------------------------------------------------


def hidden_inputs(chosen, images=None, series=None, texts=None, bundled=None):
    """What `predict` is handed: the case's own inputs, or a stretch of the course's test part."""
    if chosen == "A":
        return images if bundled is None else bundled_test_images()[bundled[0] : bundled[1]]
    if chosen == "B":
        return series
    return texts


@functools.cache
def bundled_test_images():
    return data.fashion_mnist(full=False).test_images
