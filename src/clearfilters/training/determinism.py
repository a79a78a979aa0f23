"""The same inputs give the same bits."""

import os

import torch


def make_deterministic() -> None:
    """Same inputs, same bits, on one machine and thread count; call before the first CUDA work."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # As use_deterministic_algorithms(True), which imports the compiler besides: seconds a process.
    torch.set_deterministic_debug_mode("error")
    # Filling all new memory would cost a kernel each; nothing here reads what it did not write.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    # float32 means float32: GPUs would otherwise round the inputs of convolutions to 10 bits.
    torch.backends.cudnn.allow_tf32 = False
