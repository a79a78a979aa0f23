"""The two paths of a model from its pooled features: standard (STD) and gated.

STD path: logits = a W^T + b. Gate path: logits = (a * G_y) W^T + b, where the gate row is chosen
by the true label. Gating pooled features equals gating the maps, because pooling is linear (LSG,
section 3.2), so no convolution is ever run again.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]


def head_logits(pooled: Floats, weight: Floats, bias: Floats) -> Floats:
    """Logits (N, C) of the linear head on features (N, K): pooled @ weight.T + bias."""
    return pooled @ weight.T + bias


def gated_logits(
    pooled: Floats, rows: Labels, gate: Floats, weight: Floats, bias: Floats
) -> Floats:
    """Logits (N, C) when image i passes the gate row `rows[i]`.

    Args:
        pooled: features (N, K).
        rows: which row of the gate each image passes (N,); on the gate path, the true label.
        gate: (C, K) in [0, 1].
        weight: head (C, K).
        bias: head (C,).
    """
    return head_logits(pooled * gate[rows], weight, bias)


def cross_entropy(logits: Floats, labels: Labels) -> float:
    """Mean cross entropy per sample, in nats; exact for large logits (log-sum-exp, shifted)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_partition = np.log(np.exp(shifted).sum(axis=1))
    chosen = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    return float(np.mean(log_partition - chosen, dtype=np.float64))


def accuracy(logits: Floats, labels: Labels) -> float:
    """Share of samples whose largest logit is the label's, in [0, 1]."""
    return float(np.mean(logits.argmax(axis=1) == labels))


def confusion_matrix(logits: Floats, labels: Labels) -> npt.NDArray[np.int64]:
    """Counts (C, C): row = true class, column = class answered."""
    classes = logits.shape[1]
    cells = labels.astype(np.int64) * classes + logits.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def l1_density(gate: Floats) -> float:
    """‖G‖₁ / (C K): 1/C for one-hot columns, 1 for a gate that is open everywhere."""
    return float(np.abs(gate).mean(dtype=np.float64))
