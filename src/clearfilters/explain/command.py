"""The command `explain`: which parts decided, in words and in a picture."""

from pathlib import Path

from clearfilters.artifacts import atomic_path
from clearfilters.errors import ClearfiltersError
from clearfilters.explain.drawing import draw
from clearfilters.explain.explanation import describe, explain_view
from clearfilters.explain.part_record import read_parts, record_path
from clearfilters.methods.explainer_training import Explainer
from clearfilters.predict.command import picture_paths
from clearfilters.predict.views import read_image, view_of
from clearfilters.training.checkpoint import load_checkpoint


def run(images: list[Path], checkpoint: Path, out: Path, parts: Path | None) -> None:
    """Explain each image, print what is said and write its picture, `<image name>.parts.png`.

    Args:
        images: image files.
        checkpoint: folder of the explainer.
        out: folder for the pictures.
        parts: its measurement `part_contributions`; None for the one that the workflow wrote.

    Raises:
        ClearfiltersError: for an unreadable image, checkpoint or measurement, one of another
            checkpoint, or a checkpoint that is no explainer's.
    """
    method, meta = load_checkpoint(checkpoint)
    if not isinstance(method, Explainer):
        raise ClearfiltersError(
            f"{checkpoint}: a network trained with method `{meta['parameters']['method']['name']}`,"
            " no explainer; see what it answers with `clearfilters predict`"
        )
    known = read_parts(record_path(checkpoint) if parts is None else parts, checkpoint, meta)
    for path, picture in zip(images, picture_paths(images, out, "parts"), strict=True):
        view = view_of(read_image(path), meta)
        found = explain_view(view, method, meta, known)
        drawn = draw(view, found)
        with atomic_path(picture) as temporary:
            drawn.save(temporary)
        print(f"{path}: {describe(found)}")
        print(f"  where both looked, and where the parts' filters fired: {picture}")
