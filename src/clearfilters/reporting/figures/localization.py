"""LSG figure 8: test images, their objects, and where each network looks."""

from __future__ import annotations

from clearfilters.pictures import decoded
from clearfilters.reporting.drawing import Drawing, heat_map, new_figure, shows
from clearfilters.reporting.numbers import Line
from clearfilters.reporting.panel import Panel
from clearfilters.reporting.records import Records

# Few colours keep the file small.
HEAT_STEPS = 20
ROW_HEIGHT = 1.45  # inches


@shows(
    "LSG figure 8: class activation maps", needs=[("std", "localization"), ("lsg", "localization")]
)
def lsg_figure8(records: Records) -> Drawing:
    """Image, object, and the CAM of STD, LSG and, where it ran, CSG, a row per class."""
    std, lsg = records.pairs("lsg", "std", "localization")[0]
    csg = records.partner(lsg, "csg", "localization")
    shown = [std, lsg] if csg is None else [std, lsg, csg]
    examples = [(records.first(e, "localization") or {})["examples"] for e in shown]
    rows = len(examples[0])
    figure, axes = new_figure(ROW_HEIGHT * rows + 0.3, rows, 2 + len(shown))
    lines: list[Line] = []
    for same_image, row in zip(zip(*examples, strict=True), axes, strict=True):
        first = same_image[0]
        mask = decoded(first["mask"]) > 0
        name = first["class"]
        Panel(name, row[0], lines).picture("image", 1, decoded(first["image"]))
        row[0].set_ylabel(name, fontsize=9)
        row[1].imshow(mask, cmap="gray", interpolation="nearest", vmin=0, vmax=1)
        for e, example, axis in zip(shown, same_image, row[2:], strict=True):
            heat_map(axis, decoded(example["cam"]), limits=(0, 255), steps=HEAT_STEPS)
            axis.contour(mask, levels=[0.5], colors="white", linewidths=0.8)
            panel = Panel(name, axis, lines)
            iou = panel.stated(f"{e.label}, IoU of the CAM", example["cam_iou"])
            axis.set_xlabel(f"IoU {iou:.2f}", fontsize=8)
        for axis in row:
            axis.set_aspect("equal")
            axis.set_xticks([])
            axis.set_yticks([])
    titles = ("image", "object", *(f"{e.label}\nCAM" for e in shown))
    for title, axis in zip(titles, axes[0], strict=True):
        axis.set_title(title, fontsize=8)
    share = (records.first(lsg, "localization") or {})["lsg"]["top_share"]
    models = "; ".join(f"{e.label}: seed {e.seeds[0]}, {e.epochs} epochs" for e in shown)
    caption = (
        "The first test image of each class, its object, and the class activation map of its class "
        "(bright: high; scaled to its own range), with the object's outline. IoU of the map's top "
        f"{share:.0%} with the object. {lsg.network}, {lsg.dataset}. {models}."
    )
    return Drawing(figure, caption, lines)
