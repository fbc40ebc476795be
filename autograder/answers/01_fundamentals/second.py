# %% exercise="activations"
def sigmoid(x):
    positive = 1 / (1 + torch.exp(-torch.clamp(x, min=0)))
    e = torch.exp(torch.clamp(x, max=0))
    return torch.where(x >= 0, positive, e / (e + 1))


def tanh(x):
    return 2 * sigmoid(2 * x) - 1


def relu(x):
    y = x.clone()
    y[y < 0] = 0
    return y


def leaky_relu(x, negative_slope=0.01):
    return x * ((x > 0) + negative_slope * (x <= 0))


def elu(x, alpha=1.0):
    out = x.clone()
    negative = x < 0
    out[negative] = alpha * (torch.exp(x[negative]) - 1)
    return out


def gelu(x):
    phi = torch.distributions.Normal(0.0, 1.0).cdf(x) if x.dtype == torch.float32 else (1 + torch.erf(x / math.sqrt(2.0))) / 2
    return x * phi


def softplus(x):
    return torch.logsumexp(torch.stack([x, torch.zeros_like(x)]), dim=0)


def silu(x):
    return x / (1 + (-x).exp())


# %% exercise="losses"
def mse_loss(pred, target):
    if tuple(pred.shape) != tuple(target.shape):
        raise ValueError("expected equal shapes, got " + str(pred.shape) + " and " + str(target.shape))
    return torch.pow(pred - target, 2).mean()


def mae_loss(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"{pred.shape} != {target.shape}")
    return torch.where(pred > target, pred - target, target - pred).sum() / pred.numel()


def bce_with_logits(logits, target):
    if logits.shape != target.shape:
        raise ValueError(f"shape mismatch: {tuple(logits.shape)} and {tuple(target.shape)}")
    m = torch.clamp(-logits, min=0)
    losses = (1 - target) * logits + m + torch.log(torch.exp(-m) + torch.exp(-logits - m))
    return torch.mean(losses)


def cross_entropy(logits, target):
    one_hot = torch.zeros_like(logits)
    one_hot.scatter_(1, target.view(-1, 1), 1.0)
    log_p = logits - torch.logsumexp(logits, -1, keepdim=True)
    return -(one_hot * log_p).sum() / len(target)


# %% exercise="loss_quiz"
loss_choice = {"binary": None, "multiclass": None, "multilabel": None, "regression": None}
loss_choice["binary"] = "BCEWithLogitsLoss"
loss_choice["multiclass"] = "CrossEntropyLoss"
loss_choice["multilabel"] = "BCEWithLogitsLoss"
loss_choice["regression"] = "MSELoss"


# %% exercise="sgd_momentum"
@torch.no_grad()
def sgd_momentum_step(params, grads, velocities, lr, momentum=0.9):
    for i, (p, g) in enumerate(zip(params, grads)):
        new_velocity = momentum * velocities[i] + g
        velocities[i].copy_(new_velocity)
        p.add_(new_velocity, alpha=-lr)


# %% exercise="adam"
class Adam:
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.params = tuple(params)
        self.lr, self.b1, self.b2, self.eps = lr, betas[0], betas[1], eps
        self.t, self.m, self.v = {}, {}, {}

    def step(self):
        for k, p in enumerate(self.params):
            if p.grad is None:
                continue
            g = p.grad.detach()
            self.t[k] = self.t.get(k, 0) + 1
            self.m[k] = self.b1 * self.m.get(k, 0) + (1 - self.b1) * g
            self.v[k] = self.b2 * self.v.get(k, 0) + (1 - self.b2) * g * g
            first = self.m[k] / (1 - self.b1 ** self.t[k])
            second = self.v[k] / (1 - self.b2 ** self.t[k])
            p.data = p.data - self.lr * first / (second.sqrt() + self.eps)

    def zero_grad(self):
        for p in self.params:
            if p.grad is not None:
                p.grad = torch.zeros_like(p.grad)


# %% exercise="initialization"
def xavier_uniform_(weight):
    fan_in = weight[0].numel()
    fan_out = weight.numel() // weight.shape[1]
    std = math.sqrt(2 / (fan_in + fan_out))
    weight.data.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std)
    return weight


def kaiming_normal_(weight):
    fan_in = math.prod(weight.shape[1:])
    gain = math.sqrt(2.0)
    with torch.no_grad():
        weight.normal_(mean=0.0, std=gain / math.sqrt(fan_in))
    return weight


# %% exercise="regularization"
def l1_penalty(model, lam):
    return lam * torch.cat([p.reshape(-1) for p in model.parameters()]).abs().sum()


def l2_penalty(model, lam):
    flat = torch.nn.utils.parameters_to_vector(model.parameters())
    return lam * torch.dot(flat, flat)


# %% exercise="dropout"
class Dropout(nn.Module):
    def __init__(self, p=0.5):
        if not (p >= 0.0 and p <= 1.0):
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        super().__init__()
        self.drop_probability = p

    def forward(self, x):
        keep = 1.0 - self.drop_probability
        if not self.training or keep == 1.0:
            return x
        mask = (torch.rand(x.shape) < keep).to(x.dtype)
        scale = 1 / keep if keep > 0 else 0.0
        return x * mask * scale


# %% exercise="batch_norm"
class BatchNorm1d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.full((num_features,), 1.0)))
        self.register_parameter("bias", nn.Parameter(torch.zeros(num_features)))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.eps, self.momentum = eps, momentum

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            var, mean = torch.var_mean(x, dim=0, unbiased=False)
            self.running_mean.data.lerp_(mean.data, self.momentum)
            self.running_var.data.lerp_(x.data.var(0), self.momentum)
        scale = self.weight / torch.sqrt(var + self.eps)
        return x * scale + (self.bias - mean * scale)


# %% exercise="layer_norm"
def layer_norm(x, weight, bias, eps=1e-5):
    shape = x.shape
    rows = x.reshape(-1, shape[-1])
    centred = rows - rows.mean(dim=1, keepdim=True)
    rows = centred / torch.sqrt(centred.pow(2).sum(dim=1, keepdim=True) / shape[-1] + eps)
    return (rows * weight + bias).reshape(shape)


# %% exercise="lr_schedule"
def cosine_lr(epoch, max_epochs, lr_max, lr_min=0.0, warmup_epochs=0):
    W = warmup_epochs
    if W > 0 and epoch < W:
        return lr_max / W * (epoch + 1)
    if epoch > max_epochs:
        return lr_min
    done = torch.tensor((epoch - W) / (max_epochs - W), dtype=torch.float64)
    return (lr_min + 0.5 * (lr_max - lr_min) * (1 + torch.cos(math.pi * done))).item()


# %% exercise="data_split"
def split_indices(n, fractions=(0.7, 0.15, 0.15), seed=42):
    import random

    if abs(math.fsum(fractions) - 1.0) > 1e-6:
        raise ValueError(f"{fractions} sum to {sum(fractions)}")
    order = list(range(n))
    random.Random(seed).shuffle(order)
    order = torch.tensor(order, dtype=torch.long)
    first, second = math.floor(fractions[0] * n), math.floor(fractions[1] * n)
    return order.split([first, second, n - first - second])


def standardize(train, *others):
    mean = torch.mean(train, 0, keepdim=True)
    std = torch.std(train, 0, keepdim=True)
    spread = torch.amax(train, 0, keepdim=True) - torch.amin(train, 0, keepdim=True)
    std = torch.where(spread == 0, torch.ones_like(std), std)
    return tuple(map(lambda part: (part - mean) / std, [train] + list(others)))


# %% exercise="training_loop"
def train_epoch(model, loader, criterion, optimizer, device):
    model.train(True)
    running_loss = torch.zeros((), dtype=torch.float64)
    correct = torch.zeros((), dtype=torch.long)
    total = 0
    for batch in loader:
        inputs, labels = (tensor.to(device) for tensor in batch)
        for parameter in model.parameters():
            parameter.grad = None
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.detach().cpu() * labels.shape[0]
        correct += (torch.max(outputs, 1).indices == labels).sum().cpu()
        total += labels.shape[0]
    return float(running_loss / total), float(100 * correct / total)


def evaluate(model, loader, criterion, device):
    was_training = model.training
    model.train(False)
    all_logits, all_targets, weighted = [], [], []
    for inputs, labels in loader:
        with torch.no_grad():
            outputs = model(inputs.to(device))
            weighted.append(criterion(outputs, labels.to(device)) * len(labels))
        all_logits.append(outputs.cpu())
        all_targets.append(labels)
    predictions, targets = torch.cat(all_logits).argmax(dim=-1), torch.cat(all_targets)
    model.train(was_training)
    loss = torch.stack(weighted).sum() / len(targets)
    return loss.item(), 100 * (predictions == targets).sum().item() / len(targets), predictions, targets


# %% exercise="early_stopping"
class EarlyStopping:
    def __init__(self, patience=7, min_delta=0.0, restore_best_weights=True):
        self.patience, self.min_delta, self.restore = patience, min_delta, restore_best_weights
        self.best_loss, self.counter = float("inf"), 0
        self.best_model = None

    def __call__(self, val_loss, model):
        if val_loss + self.min_delta < self.best_loss:
            self.best_loss, self.counter = val_loss, 0
            self.best_model = copy.deepcopy(model)
        else:
            self.counter = self.counter + 1
        if self.counter >= self.patience:
            if self.restore and self.best_model is not None:
                with torch.no_grad():
                    for mine, best in zip(model.parameters(), self.best_model.parameters()):
                        mine.copy_(best)
            return True
        return False
