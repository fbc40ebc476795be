# %% exercise="conv_output_size"
def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    if dilation * (kernel_size - 1) + 1 > size + 2 * padding:
        raise ValueError(f"kernel {kernel_size} with dilation {dilation} is larger than {size} + 2 * {padding}")
    return math.floor((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1)


# %% exercise="conv2d"
def conv2d(x, weight, bias=None, stride=1, padding=0):
    if x.size(1) != weight.size(1):
        raise ValueError(f"channels: {x.shape} against {weight.shape}")
    _, _, kh, kw = weight.shape
    x = nn.ZeroPad2d(padding)(x)
    rows = conv_rows = (x.size(2) - kh) // stride + 1
    columns = (x.size(3) - kw) // stride + 1
    total = 0
    for u in range(kh):
        for v in range(kw):
            shifted = x[:, :, u : u + stride * (conv_rows - 1) + 1 : stride, v : v + stride * (columns - 1) + 1 : stride]
            total = total + torch.tensordot(weight[:, :, u, v], shifted, dims=([1], [1]))  # (O, B, H', W')
    out = total.transpose(0, 1)
    assert out.shape[2:] == (rows, columns)
    if bias is not None:
        out = out + bias.view(1, len(bias), 1, 1)
    return out


# %% exercise="pooling"
def max_pool2d(x, kernel_size, stride=None):
    stride = kernel_size if stride is None else stride
    rows, columns = ((side - kernel_size) // stride + 1 for side in x.shape[2:])
    out = torch.full((*x.shape[:2], rows, columns), -float("inf"))
    for u in range(kernel_size):
        for v in range(kernel_size):
            taps = x[:, :, u : u + stride * rows : stride, v : v + stride * columns : stride]
            out = torch.maximum(out, taps[:, :, :rows, :columns])
    return out


def avg_pool2d(x, kernel_size, stride=None):
    if stride is None:
        stride = kernel_size
    channels = x.shape[1]
    ones = torch.ones(channels, 1, kernel_size, kernel_size) / kernel_size**2
    return F.conv2d(x, ones, stride=stride, groups=channels)


# %% exercise="cnn_model"
class CNN(nn.Module):
    """Lazy layers, functional calls."""

    def __init__(self, in_channels=1, num_classes=10, image_size=28):
        super().__init__()
        widths = [in_channels, 32, 64, 128]
        for k in (1, 2, 3):
            setattr(self, f"conv{k}", nn.Conv2d(widths[k - 1], widths[k], (3, 3), padding=(1, 1)))
            setattr(self, f"bn{k}", nn.BatchNorm2d(widths[k]))
        self.fc1 = nn.LazyLinear(256)
        self.fc2 = nn.Linear(256, num_classes)
        with torch.no_grad():
            self.eval()(torch.zeros(2, in_channels, image_size, image_size))
        self.train()

    def forward(self, x):
        for k in (1, 2, 3):
            x = getattr(self, f"conv{k}")(x)
            x = F.max_pool2d(getattr(self, f"bn{k}")(x), kernel_size=2).clamp(min=0)
        x = torch.relu(self.fc1(x.permute(0, 2, 3, 1).reshape(len(x), -1)))
        return self.fc2(F.dropout(x, p=0.5, training=self.training))


# %% exercise="per_class_accuracy"
def per_class_accuracy(predictions, targets, num_classes):
    matrix = torch.zeros(num_classes, num_classes)
    for t, p in zip(targets.tolist(), predictions.tolist()):
        matrix[t, p] += 1
    return matrix.diag() / matrix.sum(dim=1) * 100


# %% exercise="feature_maps"
class _Recorder:
    def __init__(self, model, names):
        self.maps, self.model = {}, model
        self.before = [m.training for m in model.modules()]
        layers = dict(model.named_modules())
        unknown = [name for name in names if name not in layers]
        if unknown:
            raise KeyError(", ".join(unknown))
        self.handles = [layers[n].register_forward_hook(lambda m, i, o, n=n: self.note(n, o)) for n in names]

    def note(self, name, output):
        self.maps[name] = output.clone().detach().to("cpu")

    def close(self):
        [handle.remove() for handle in self.handles]
        for module, mode in zip(self.model.modules(), self.before):
            module.training = mode


def feature_maps(model, image, layer_names):
    recorder = _Recorder(model, layer_names)
    try:
        with torch.inference_mode():
            model.eval()(image.reshape(1, *image.shape[-3:]))
    finally:
        recorder.close()
    return {name: recorder.maps[name] for name in layer_names}


# %% exercise="random_shift"
def random_shift(images, max_shift, generator=None):
    n, channels, height, width = images.shape
    dy, dx = torch.randint(-max_shift, max_shift + 1, (2, n, 1), generator=generator)
    rows, columns = torch.arange(height) - dy, torch.arange(width) - dx
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    picked = images[
        torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None],
        rows.clamp(0, height - 1)[:, None, :, None], columns.clamp(0, width - 1)[:, None, None, :],
    ]  # fmt: skip
    return picked * inside[:, None]


# %% exercise="train_cnn"
class _Scaled(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner((x - 0.13) / 0.31)


def train_cnn(train_images, train_labels, seed=0):
    torch.manual_seed(seed)
    model = _Scaled(LeNet5())
    model.inner = nn.Sequential(nn.ZeroPad2d(2), model.inner)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(train_images, train_labels), batch_size=32, shuffle=True
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    epochs = 14
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(random_shift(images, 1)), labels).backward()
            optimizer.step()
        schedule.step()
    model.eval()
    return model


# %% exercise="lenet5"
class LeNet5(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)])
        self.dense = nn.ModuleList([nn.Linear(400, 120), nn.Linear(120, 84)])
        self.last = nn.Linear(84, num_classes)

    def forward(self, x):
        for convolution in self.convolutions:
            x = nn.functional.max_pool2d(torch.relu_(convolution(x)), 2, 2)
        x = x.transpose(1, 3).reshape(x.shape[0], -1)
        for dense in self.dense:
            x = dense(x).relu()
        return self.last(x)


# %% exercise="residual_block"
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        options = {"kernel_size": 3, "padding": 1, "bias": False}
        self.conv1, self.conv2 = (
            nn.Conv2d(in_channels, out_channels, stride=stride, **options),
            nn.Conv2d(out_channels, out_channels, **options),
        )
        self.bn1, self.bn2 = nn.BatchNorm2d(out_channels), nn.BatchNorm2d(out_channels)
        same = stride == 1 and in_channels == out_channels
        projection = [nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)]
        self.shortcut = nn.Identity() if same else nn.Sequential(*projection)
        self.main = nn.Sequential(self.conv1, self.bn1, nn.ReLU(), self.conv2, self.bn2)

    def forward(self, x):
        return torch.clamp_min(self.main(x) + self.shortcut(x), 0)
