# %% exercise="activations"
def sigmoid(x):
    e = torch.exp(-torch.abs(x))
    return torch.where(x >= 0, torch.ones_like(x), e) / (1 + e)


def tanh(x):
    return x.sign() * -torch.expm1(-2 * x.abs()) / (1 + torch.exp(-2 * x.abs()))


def relu(x):
    return torch.maximum(x, torch.zeros_like(x))


def leaky_relu(x, negative_slope=0.01):
    return torch.maximum(x, torch.zeros_like(x)) + negative_slope * torch.minimum(x, torch.zeros_like(x))


def elu(x, alpha=1.0):
    return x.clamp(min=0) + alpha * (torch.exp(x.clamp(max=0)) - 1)


def gelu(x):
    return x * torch.erfc(-x / 2**0.5) / 2


def softplus(x):
    return torch.logaddexp(x, torch.zeros_like(x))


def silu(x):
    return x * sigmoid(x)


# %% exercise="losses"
def check_shapes(a, b):
    if a.size() != b.size():
        raise ValueError(f"shapes do not match: {list(a.shape)} vs {list(b.shape)}")


def mse_loss(pred, target):
    check_shapes(pred, target)
    difference = pred - target
    return torch.sum(difference * difference) / difference.numel()


def mae_loss(pred, target):
    check_shapes(pred, target)
    return torch.mean(torch.abs(target - pred))


def bce_with_logits(logits, target):
    check_shapes(logits, target)
    return (target * softplus(-logits) + (1 - target) * softplus(logits)).mean()


def cross_entropy(logits, target):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_probabilities = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_probabilities[torch.arange(logits.shape[0]), target].mean()


# %% exercise="loss_quiz"
loss_choice = dict(binary="BCEWithLogitsLoss", multiclass="CrossEntropyLoss", multilabel="BCEWithLogitsLoss", regression="MSELoss")


# %% exercise="sgd_momentum"
def sgd_momentum_step(params, grads, velocities, lr, momentum=0.9):
    for i in range(len(params)):
        velocities[i] *= momentum
        velocities[i] += grads[i]
        params[i].data -= lr * velocities[i]


# %% exercise="adam"
class Adam:
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.param_list = [p for p in params]
        self.lr = lr
        self.beta1, self.beta2 = betas
        self.eps = eps
        self.state = {}

    @torch.no_grad()
    def step(self):
        for p in self.param_list:
            if p.grad is not None:
                state = self.state.setdefault(p, {"t": 0, "m": torch.zeros_like(p), "v": torch.zeros_like(p)})
                state["t"] += 1
                state["m"].mul_(self.beta1).add_(p.grad, alpha=1 - self.beta1)
                state["v"].mul_(self.beta2).addcmul_(p.grad, p.grad, value=1 - self.beta2)
                step_size = self.lr / (1 - self.beta1 ** state["t"])
                denominator = state["v"].sqrt() / math.sqrt(1 - self.beta2 ** state["t"]) + self.eps
                p.addcdiv_(state["m"], denominator, value=-step_size)

    def zero_grad(self):
        for p in self.param_list:
            if p.grad is not None:
                p.grad.zero_()


# %% exercise="initialization"
def fans(weight):
    size = 1
    for length in weight.shape[2:]:
        size *= length
    return weight.size(1) * size, weight.size(0) * size


@torch.no_grad()
def xavier_uniform_(weight):
    fan_in, fan_out = fans(weight)
    a = (6.0 / (fan_in + fan_out)) ** 0.5
    weight.copy_((2 * torch.rand_like(weight) - 1) * a)
    return weight


@torch.no_grad()
def kaiming_normal_(weight):
    fan_in, _ = fans(weight)
    weight.copy_(torch.randn(weight.shape, dtype=weight.dtype) * (2 / fan_in) ** 0.5)
    return weight


# %% exercise="regularization"
def l1_penalty(model, lam):
    total = 0
    for name, parameter in model.named_parameters():
        total = total + torch.sum(torch.abs(parameter))
    return lam * total


def l2_penalty(model, lam):
    penalty = torch.zeros(1)
    for parameter in model.parameters():
        penalty = penalty + lam * parameter.pow(2).sum()
    return penalty


# %% exercise="dropout"
class Dropout(nn.Module):
    def __init__(self, p=0.5):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError("p must be between 0 and 1, got " + str(p))
        self.p = p

    def forward(self, x):
        if self.training and self.p > 0:
            mask = torch.bernoulli(torch.full_like(x, 1 - self.p))
            return mask * x if self.p == 1 else mask * x / (1 - self.p)
        return x


# %% exercise="batch_norm"
class BatchNorm1d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        if not self.training:
            return (x - self.running_mean) * torch.rsqrt(self.running_var + self.eps) * self.weight + self.bias
        n = x.shape[0]
        mu = x.sum(0) / n
        var = ((x - mu) ** 2).sum(0) / n
        self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mu.detach()
        self.running_var = (1 - self.momentum) * self.running_var + self.momentum * (var * n / (n - 1)).detach()
        self.num_batches_tracked += 1
        return (x - mu) / (var + self.eps).sqrt() * self.weight + self.bias


# %% exercise="layer_norm"
def layer_norm(x, weight, bias, eps=1e-5):
    mu = x.mean(-1).unsqueeze(-1)
    variance = ((x - mu) ** 2).mean(-1).unsqueeze(-1)
    return (x - mu) * (variance + eps) ** -0.5 * weight + bias


# %% exercise="lr_schedule"
def cosine_lr(epoch, max_epochs, lr_max, lr_min=0.0, warmup_epochs=0):
    if epoch < warmup_epochs:
        lr = (epoch + 1) * (lr_max / warmup_epochs)
    else:
        t = min(epoch, max_epochs) - warmup_epochs
        T = max_epochs - warmup_epochs
        lr = (lr_max + lr_min) / 2 + (lr_max - lr_min) / 2 * np.cos(np.pi * t / T)
    return lr


# %% exercise="data_split"
def split_indices(n, fractions=(0.7, 0.15, 0.15), seed=42):
    if not math.isclose(sum(fractions), 1, rel_tol=0, abs_tol=1e-6):
        raise ValueError("fractions must sum to 1")
    rng = np.random.default_rng(seed)
    indices = torch.from_numpy(rng.permutation(n))
    a = int(fractions[0] * n)
    b = a + int(fractions[1] * n)
    return indices[:a], indices[a:b], indices[b:]


def standardize(train, *others):
    mean, std = train.mean(0), train.std(0, unbiased=False)
    constant = train.max(0).values == train.min(0).values
    std[constant] = 1.0
    result = [(train - mean) / std]
    for other in others:
        result.append((other - mean) / std)
    return tuple(result)


# %% exercise="training_loop"
def train_epoch(model, loader, criterion, optimizer, device):
    model.train()
    losses, hits, sizes = [], [], []
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        out = model(x)
        loss = criterion(out, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item() * x.size(0))
        hits.append((out.argmax(-1) == y).sum().item())
        sizes.append(x.size(0))
    return sum(losses) / sum(sizes), 100.0 * sum(hits) / sum(sizes)


@torch.inference_mode()
def evaluate(model, loader, criterion, device):
    model.eval()
    loss, predictions, targets = 0.0, [], []
    for x, y in loader:
        out = model(x.to(device))
        loss += criterion(out, y.to(device)).item() * x.size(0)
        predictions.extend(out.argmax(1).tolist())
        targets.extend(y.tolist())
    predictions, targets = torch.tensor(predictions), torch.tensor(targets)
    accuracy = (predictions == targets).float().mean().item() * 100
    return loss / len(loader.dataset), accuracy, predictions, targets


# %% exercise="early_stopping"
class EarlyStopping:
    def __init__(self, patience=7, min_delta=0.0, restore_best_weights=True):
        self.patience = patience
        self.min_delta = min_delta
        self.restore_best_weights = restore_best_weights
        self.best_loss = None
        self.counter = 0
        self.best_state = None

    def __call__(self, val_loss, model):
        if math.isnan(val_loss):
            improved = False
        elif self.best_loss is None:
            improved = True
        else:
            improved = self.best_loss - val_loss > self.min_delta
        if improved:
            self.best_loss = val_loss
            self.best_state = {name: value.clone() for name, value in model.state_dict().items()}
            self.counter = 0
            return False
        self.counter += 1
        if self.counter < self.patience:
            return False
        if self.restore_best_weights and self.best_state:
            model.load_state_dict(self.best_state)
        return True
