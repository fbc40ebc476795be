# Option A again, in another style.

# %% exercise="project_data"
class Data:
    def __init__(self, validation=1500):
        self.source = fashion_mnist(full=False)
        total = len(self.source.train_images)
        self.rows = {"train": list(range(total - validation)), "val": list(range(total - validation, total))}
        x = self.source.train_images[self.rows["train"]].double() / 255
        self.mean, self.std = x.mean().item(), x.std(unbiased=False).item()

    def scaled(self, images):
        return (images / 255.0 - self.mean) / self.std


def load_data():
    data = Data()
    s = data.source
    train, val = ((data.scaled(s.train_images[data.rows[k]]), s.train_labels[data.rows[k]]) for k in ("train", "val"))
    return [train, val, (data.scaled(s.test_images), s.test_labels)]


def augment(images, generator):
    out = images.clone()
    for i in range(len(out)):
        if torch.rand(1, generator=generator) < 0.5:
            out[i] = out[i].flip(-1)
        r, c = torch.randint(0, images.shape[-1] - 8, (2,), generator=generator)
        out[i, :, r : r + 8, c : c + 8] = 0  # cutout
    return out


# %% exercise="project_model"
class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.a, self.b = nn.Conv2d(i, o, 3, stride, 1), nn.Conv2d(o, o, 3, 1, 1)
        self.na, self.nb = nn.BatchNorm2d(o), nn.BatchNorm2d(o)
        self.skip = nn.Conv2d(i, o, 1, stride)

    def forward(self, x):
        y = torch.relu(self.na(self.a(x)))
        return torch.relu(self.nb(self.b(y)) + self.skip(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.LazyConv2d(8, 5, padding=2)
        self.blocks = nn.ModuleList([Block(8, 16, 2), Block(16, 32, 2)])
        self.out = nn.Linear(32, 10)
        self.p = 0.3

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.out(F.dropout(x.mean(dim=(2, 3)), self.p, self.training))


def build_model():
    model = ResNet()
    model(torch.zeros(2, 1, 28, 28))
    return model


# %% exercise="project_training"
class Log:
    def __init__(self):
        self.train_loss, self.val_loss = [], []


def train(model, optimizer, train_data, val_data, epochs, seed=0):
    g = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed + 1)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: min(1.0, (epoch + 1) / 3))
    log = Log()
    for epoch in range(epochs):
        model.train()
        parts = []
        for x, y in batches(*train_data, batch_size=50, generator=g):
            loss = F.cross_entropy(model(augment(x, g)), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            parts.append(loss.detach() * len(y))
        warm.step()
        log.train_loss.append(torch.stack(parts).sum() / len(train_data[1]))
        was = model.training
        model.eval()
        with torch.inference_mode():
            log.val_loss.append(F.cross_entropy(model(val_data[0]), val_data[1]))
        model.train(was)
    return log


def save_checkpoint(model, optimizer, epoch, path):
    state = {f"model/{k}": v for k, v in model.state_dict().items()}
    torch.save({**state, "opt": optimizer and optimizer.state_dict(), "epoch": epoch}, path)


def load_checkpoint(model, optimizer, path):
    message = f"{path}: this is not a checkpoint of the network at hand; save one with save_checkpoint"
    try:
        state = torch.load(path, weights_only=True)
    except Exception as error:
        raise ValueError(message) from error
    if not isinstance(state, dict) or "epoch" not in state:
        raise ValueError(message)
    weights = {k[6:]: v for k, v in state.items() if k.startswith("model/")}
    mine = model.state_dict()
    if mine.keys() != weights.keys() or any(mine[k].shape != weights[k].shape for k in mine):
        raise ValueError(message)
    model.load_state_dict(weights)
    if optimizer:
        optimizer.load_state_dict(state["opt"])
    return state["epoch"]


# %% exercise="project_performance"
def _network():
    def c(i, o):
        return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())

    return nn.Sequential(
        c(1, 16), nn.MaxPool2d(2), c(16, 32), nn.MaxPool2d(2), c(32, 64), c(64, 64), nn.MaxPool2d(2), c(64, 96),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Identity(), nn.Linear(96, 10),
    )  # fmt: skip


MEAN, STD = 0.2868, 0.3526  # of the training part, printed once


def predict(inputs):
    weights = torch.load(CHECKPOINT, map_location="cpu", weights_only=True)["model"]
    net = _network().eval()
    net.load_state_dict({name.removeprefix("cnn."): value for name, value in weights.items()})
    with torch.no_grad():
        out = [net((x.float() / 255 - MEAN) / STD) + net((x.flip(3).float() / 255 - MEAN) / STD) for x in inputs.split(250)]
    return torch.cat(out).max(1).indices
