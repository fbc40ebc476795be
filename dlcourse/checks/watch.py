"""Which of torch's functions an answer runs, by whatever name it reaches them."""

import contextlib
import sys

from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


def _plain_name(name: str) -> str:
    """`aten::_softmax.out`, `relu_`, `softmax` -> the name of the idea: `softmax`, `relu`."""
    return name.split("::")[-1].split(".")[0].strip("_")


class Calls:
    """The names of operators and functions that ran inside a `watch` block."""

    def __init__(self, names, modules):
        self._names = {_plain_name(name) for name in names}
        self._modules = tuple(modules)
        self._seen: set[str] = set()

    @property
    def banned(self) -> list[str]:
        """Which of the watched names ran, sorted."""
        return sorted(self._seen)

    def _saw(self, name: str) -> None:
        if _plain_name(name) in self._names:
            self._seen.add(_plain_name(name))

    def _profile(self, frame, event, argument) -> None:
        module = frame.f_globals.get("__name__") or "" if event == "call" else ""
        for watched in self._modules:
            if module == watched or module.startswith(watched + "."):
                self._seen.add(watched)


class _Functions(TorchFunctionMode):
    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.calls._saw(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):
    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.calls._saw(function._schema.name)
        return function(*args, **(kwargs or {}))


@contextlib.contextmanager
def watch(*names: str, modules: tuple[str, ...] = ()):
    """Record which of `names` run in the block, and whether any Python function of `modules` does.

    Args:
        names: operators or functions of torch, such as `"softmax"`; leading and trailing underscores do not matter. Seen however they are
            reached: `torch.softmax`, `Tensor.softmax`, `nn.Softmax` or an alias of any of them.
        modules: modules whose functions may not run at all, such as `"torch.optim"`.

    Yields:
        Calls: its `banned` is the sorted list of what ran.
    """
    calls = Calls(names, modules)
    before = sys.getprofile()
    with _Functions(calls), _Operators(calls):
        if modules:
            sys.setprofile(calls._profile)
        try:
            yield calls
        finally:
            if modules:
                sys.setprofile(before)


ACTIVATIONS = (
    "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "softplus", "silu", "mish", "hardtanh", "hardsigmoid",
    "hardswish", "prelu", "rrelu", "threshold", "softmax", "log_softmax", "softmin", "logsigmoid", "log_sigmoid", "log_sigmoid_forward",
    "special_expit", "expit", "glu", "tanhshrink", "softsign", "softshrink", "hardshrink",
)  # fmt: skip
LOSSES = (
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy",
    "cross_entropy_loss", "nll_loss", "nll_loss_nd", "nll_loss_forward", "kl_div", "soft_margin_loss", "multilabel_soft_margin_loss",
)  # fmt: skip
SOFTMAXES = ("softmax", "log_softmax", "softmin", "logsigmoid", "log_sigmoid", "log_sigmoid_forward")
DROPOUTS = ("dropout", "native_dropout", "fused_dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout")
BATCH_NORMS = ("batch_norm", "native_batch_norm", "native_batch_norm_legit", "batch_norm_impl_index", "instance_norm")
LAYER_NORMS = ("layer_norm", "native_layer_norm", "group_norm", "native_group_norm", "rms_norm")
CONVOLUTIONS = (
    "convolution",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose2d",
    "mkldnn_convolution",
    "slow_conv2d",
    "thnn_conv2d",
)
POOLINGS = ("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "max_pool2d_with_indices",
            "lp_pool2d", "max_pool3d", "avg_pool3d")  # fmt: skip
ATTENTIONS = (
    "scaled_dot_product_attention", "multi_head_attention_forward", "scaled_dot_product_flash_attention", "scaled_dot_product_flash_attention_for_cpu",
    "scaled_dot_product_attention_math", "scaled_dot_product_efficient_attention", "native_multi_head_attention",
)  # fmt: skip
