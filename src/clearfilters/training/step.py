"""A training step as one call: eager, or captured once as a CUDA graph and replayed.

A small network's step is some hundreds of kernels that each run for microseconds, so a GPU waits
for their launches. A captured step is one launch. What is captured must not wait for the device,
must read what changes from tensors (batch, learning rate), and must draw from a generator that the
graph knows.
"""

import sys
from collections.abc import Callable

import torch
from torch import Tensor

# Runs a step on a batch's indices (B,); all it gives is in tensors that it changes in place.
StepFunction = Callable[[Tensor], None]
# Steps that run before the capture, so that libraries have set themselves up and chosen kernels.
WARMUP_STEPS = 3


class CapturedStep:
    """A step of `size` samples, captured after some eager ones and replayed from then on.

    Batches of another size run eagerly. Where the capture fails, all do, and a line says so.
    """

    def __init__(self, function: StepFunction, size: int, generator: torch.Generator) -> None:
        """A step before its first run.

        Args:
            function: the step.
            size: B of the batches to be replayed.
            generator: what the step draws from, on the CUDA device.
        """
        self.function = function
        self.size = size
        self.generator = generator
        self.warm = 0
        self.refused = False
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream(generator.device)
        self.chosen = torch.zeros(size, dtype=torch.int64, device=generator.device)

    def __call__(self, chosen: Tensor) -> None:
        """Run the step on the samples of these indices, (B,)."""
        if len(chosen) != self.size or self.refused or self.warm < WARMUP_STEPS:
            self._run_eagerly(chosen)
            return
        if self.graph is None and not self._capture():
            self._run_eagerly(chosen)
            return
        assert self.graph is not None
        self.chosen.copy_(chosen)
        self.graph.replay()

    def _run_eagerly(self, chosen: Tensor) -> None:
        # On the stream of the capture, which must have seen the libraries' set-up.
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.function(chosen)
        torch.cuda.current_stream().wait_stream(self.stream)
        self.warm += len(chosen) == self.size

    def _capture(self) -> bool:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        torch.cuda.synchronize()
        try:
            # Only this thread's calls are held to the rules of a capture.
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                self.function(self.chosen)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            print(f"training steps run one by one: no CUDA graph ({reason})", file=sys.stderr)
            self.refused = True
            return False
        self.graph = graph
        return True


def make_step(function: StepFunction, size: int, generator: torch.Generator) -> StepFunction:
    """A step, captured where the device can.

    Args:
        function: the step.
        size: B of most batches.
        generator: what the step draws from, on the device of the training.
    """
    if generator.device.type == "cuda":
        return CapturedStep(function, size, generator)
    return function
