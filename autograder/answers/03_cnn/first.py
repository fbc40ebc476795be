# %% exercise="conv_output_size"
def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    places = range(-padding, size + padding - dilation * (kernel_size - 1), stride)
    if len(places) == 0:
        raise ValueError("the kernel is too large")
    return len(places)


# %% exercise="conv2d"
def conv2d(x, weight, bias=None, stride=1, padding=0):
    n, channels, height, width = x.shape
    filters, depth, kh, kw = weight.shape
    if channels != depth:
        raise ValueError(f"{list(x.shape)} does not go with {list(weight.shape)}")
    padded = x.new_zeros(n, channels, height + 2 * padding, width + 2 * padding)
    padded[:, :, padding : padding + height, padding : padding + width] = x
    rows = (height + 2 * padding - kh) // stride + 1
    columns = (width + 2 * padding - kw) // stride + 1
    result = torch.zeros(n, filters, rows, columns)
    for i in range(rows):
        for j in range(columns):
            patch = padded[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw]
            result[:, :, i, j] = (patch.unsqueeze(1) * weight).sum(dim=(2, 3, 4))
    return result if bias is None else result + bias[:, None, None]


# %% exercise="pooling"
def _patches(x, kernel_size, stride):
    stride = stride or kernel_size
    patches = F.unfold(x.flatten(0, 1).unsqueeze(1), kernel_size, stride=stride)
    rows = (x.shape[2] - kernel_size) // stride + 1
    return patches, (x.shape[0], x.shape[1], rows, -1)


def max_pool2d(x, kernel_size, stride=None):
    patches, shape = _patches(x, kernel_size, stride)
    return patches.max(dim=1).values.reshape(shape)


def avg_pool2d(x, kernel_size, stride=None):
    patches, shape = _patches(x, kernel_size, stride)
    return patches.mean(1).reshape(shape)


# %% exercise="cnn_model"
class CNN(nn.Module):
    def __init__(self, in_channels=1, num_classes=10, image_size=28):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 32, kernel_size=3, padding="same")
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding="same")
        self.bn2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 128, kernel_size=3, padding="same")
        self.bn3 = nn.BatchNorm2d(128)
        side = image_size
        for _ in range(3):
            side //= 2
        self.fc1 = nn.Linear(128 * side * side, 256)
        self.fc2 = nn.Linear(256, num_classes)
        pool, relu = nn.MaxPool2d(2, 2), nn.ReLU(inplace=True)
        self.features = nn.Sequential(
            self.conv1, relu, self.bn1, pool, self.conv2, relu, pool, self.bn2, self.conv3, pool, relu, self.bn3
        )
        self.classifier = nn.Sequential(nn.Flatten(), self.fc1, nn.Dropout(), relu, self.fc2)

    def forward(self, x):
        return self.classifier(self.features(x))


# %% exercise="per_class_accuracy"
def per_class_accuracy(predictions, targets, num_classes):
    accuracies = []
    for k in range(num_classes):
        own = targets == k
        accuracies.append((predictions[own] == k).float().mean() * 100)  # the mean of nothing is NaN
    return torch.stack(accuracies)


# %% exercise="feature_maps"
def feature_maps(model, image, layer_names):
    from contextlib import ExitStack

    if image.dim() == 3:
        image = image[None]
    training = {name: module.training for name, module in model.named_modules()}
    maps = {}
    with ExitStack() as stack:

        @stack.callback
        def restore():
            for name, module in model.named_modules():
                module.training = training[name]

        for name in layer_names:
            try:
                module = model.get_submodule(name)
            except AttributeError:
                raise KeyError(name) from None

            def hook(module, args, output, name=name):
                maps[name] = torch.tensor(output.detach().numpy())

            stack.callback(module.register_forward_hook(hook).remove)
        model.eval()
        model(image)
    return maps


# %% exercise="random_shift"
def random_shift(images, max_shift, generator=None):
    n, _, height, width = images.shape
    result = torch.zeros_like(images)
    for k in range(n):
        dy = int(torch.randint(-max_shift, max_shift + 1, (), generator=generator))
        dx = int(torch.randint(-max_shift, max_shift + 1, (), generator=generator))
        top, left = max(dy, 0), max(dx, 0)
        part = images[k, :, max(-dy, 0) : height - top, max(-dx, 0) : width - left]
        result[k, :, top : top + part.shape[1], left : left + part.shape[2]] = part
    return result


# %% exercise="train_cnn"
def train_cnn(train_images, train_labels, seed=0):
    set_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
    data = train_images, train_labels
    fit(network, data, epochs=6, batch_size=32, optimizer=optimizer, scheduler=scheduler, device="cpu", progress=False)
    return network


# %% exercise="lenet5"
class LeNet5(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU(),
            nn.Conv2d(16, 120, 5), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, num_classes))

    def forward(self, x):
        return self.head(self.maps(x))


# %% exercise="residual_block"
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Sequential()
        self.relu = nn.ReLU(inplace=True)
        if in_channels != out_channels or stride > 1:
            self.shortcut.append(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(out_channels))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += self.shortcut(x)
        return self.relu(y)
