# %% exercise="perceptron"
class Perceptron:
    def __init__(self, num_inputs, learning_rate=0.1):
        self.weights = np.array([0.0] * num_inputs)
        self.bias = np.zeros(1)
        self.rate = learning_rate

    def predict(self, X):
        return np.where(np.dot(X, self.weights) + self.bias > 0, 1.0, 0.0)

    def fit(self, X, y, epochs=100):
        counts = []
        while len(counts) < epochs and 0 not in counts:
            wrong = 0
            for i in range(X.shape[0]):
                guess = self.predict(X[i : i + 1])[0]
                if guess == y[i]:
                    continue
                wrong += 1
                direction = 1 if y[i] == 1 else -1
                self.weights += direction * self.rate * X[i]
                self.bias += direction * self.rate
            counts.append(wrong)
        return counts


# %% exercise="xor_network"
class XORNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid())
        self.second = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())

    def forward(self, x):
        inner = self.first(x)
        return self.second(inner), inner


def train_xor(seed=42):
    """Stochastic: one corner at a time, squared error, large initial weights."""
    set_seed(seed)
    net = XORNet()
    for layer in (net.first[0], net.second[0]):
        nn.init.normal_(layer.weight, std=2.0)
    corners = [((0.0, 0.0), 0.0), ((1.0, 0.0), 1.0), ((0.0, 1.0), 1.0), ((1.0, 1.0), 0.0)]
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for epoch in range(250):
        total = 0.0
        for corner, target in corners:
            net.zero_grad()
            output, _ = net(torch.tensor([corner]))
            loss = (output - target).pow(2).mean()
            loss.backward()
            optimizer.step()
            total += float(loss)
        losses.append(total / 4)
    return net, losses


# %% exercise="mlp_forward"
def mlp_forward(X, layers):
    def sigmoid(z):
        small = np.exp(-np.abs(z))
        return np.where(z >= 0, 1 / (1 + small), small / (1 + small))

    outputs = (X,)
    for layer in layers:
        outputs += (sigmoid(np.dot(outputs[-1], layer["weights"]) + layer["bias"][0]),)
    return outputs


# %% exercise="mlp_backward"
def mlp_backward(X, y, layers):
    outputs = list(mlp_forward(X, layers))
    count = X.shape[0]
    if y.ndim == 1:
        y = y[:, np.newaxis]
    grads = [None] * len(layers)
    error = outputs[-1] - y
    for i in range(len(layers) - 1, -1, -1):
        grads[i] = {
            "bias": np.ones((1, count)) @ error / count,
            "weights": np.einsum("mi,mo->io", outputs[i], error) / count,
        }
        if i > 0:
            error = np.dot(error, layers[i]["weights"].T) * (outputs[i] - outputs[i] ** 2)
    return grads


# %% exercise="gradient_descent"
def minibatches(n, batch_size, rng):
    indices = np.arange(n)
    rng.shuffle(indices)
    return iter(np.array_split(indices, range(batch_size, n, batch_size)))


def train_mlp(X, y, layer_sizes, batch_size, lr, epochs, seed):
    generator = np.random.default_rng(seed)
    layers = [
        {"weights": generator.standard_normal((i, o)) / np.sqrt(i), "bias": np.zeros((1, o))}
        for i, o in zip(layer_sizes[:-1], layer_sizes[1:])
    ]
    history = []
    for epoch in range(epochs):
        running = 0.0
        for batch in minibatches(len(y), batch_size, generator):
            p = np.clip(mlp_forward(X[batch], layers)[-1][:, 0], 1e-9, 1 - 1e-9)
            running -= np.sum(np.log(np.where(y[batch] == 1, p, 1 - p)))
            gradients = mlp_backward(X[batch], y[batch], layers)
            layers = [{key: layer[key] - lr * grad[key] for key in layer} for layer, grad in zip(layers, gradients)]
        history.append(running / len(y))
    return layers, history


# %% exercise="ann_model"
class ANN(nn.Module):
    def __init__(self, input_size=784, hidden_sizes=(512, 256), num_classes=10, dropout=0.2, activation=nn.ReLU):
        super().__init__()
        sizes = [input_size, *hidden_sizes]
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in zip(sizes, sizes[1:]))
        self.act = activation()
        self.dropout = dropout
        self.out = nn.Linear(sizes[-1], num_classes)
        for layer in [*self.hidden, self.out]:
            layer.bias.data.zero_()
            layer.weight.data.normal_(0, (2 / layer.in_features) ** 0.5)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        for layer in self.hidden:
            x = F.dropout(self.act(layer(x)), self.dropout, self.training)
        return self.out(x)


# %% exercise="classification_metrics"
def confusion_matrix(y_true, y_pred, num_classes):
    table = torch.zeros(num_classes, num_classes, dtype=torch.long)
    for true, guess in zip(y_true.tolist(), y_pred.tolist()):
        table[true, guess] += 1
    return table


def precision_recall_f1(cm):
    scores = []
    for k in range(len(cm)):
        hits, called, real = cm[k, k].item(), cm[:, k].sum().item(), cm[k].sum().item()
        p = hits / called if called else 0.0
        r = hits / real if real else 0.0
        scores.append((p, r, 2 * p * r / (p + r) if p + r else 0.0))
    return tuple(torch.tensor(column) for column in zip(*scores))


# %% exercise="modified_ann"
class ModifiedANN(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(784, 512), nn.Linear(512, 256), nn.Linear(256, 10)

    def forward(self, x):
        x = x.flatten(1)
        return self.c(F.silu(self.b(F.silu(self.a(x)))))


experiments = [
    {
        "name": "no hidden layer",
        "hidden_sizes": [],
        "activation": "ReLU",
        "dropout": 0,
        "parameters": 7850,
        "val_accuracy": 84.5,
    },
    {
        "name": "wide",
        "hidden_sizes": [512],
        "activation": "ReLU",
        "dropout": 0,
        "parameters": 407050,
        "val_accuracy": 91,
    },
    {
        "name": "wide, GELU",
        "hidden_sizes": [512],
        "activation": "GELU",
        "dropout": 0,
        "parameters": 407050,
        "val_accuracy": 91.2,
    },
]
