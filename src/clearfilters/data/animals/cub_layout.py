"""CUB-200-2011 (Wah et al. 2011): bird species with 15 landmarks each."""

from pathlib import Path

from clearfilters.data.animals.bird import BIRD_SPECIES, LANDMARKS
from clearfilters.data.animals.layout import pixel_box, scene_rng, write_jpeg
from clearfilters.data.animals.scene import render_scene
from clearfilters.params.datasets import StyleParams


def write_cub(
    root: Path, *, seed: int, style: StyleParams, images_per_species: int, jpeg_quality: int
) -> None:
    """Write `<root>/CUB_200_2011` with a few invented species; every second image is for training.

    Boxes are x, y, width, height of the bird's visible pixels; landmarks count from the image's
    left and top edges; a landmark that is hidden or outside has 0.0 0.0 and visible 0.

    Args:
        root: folder that holds raw data sets, and no such one yet.
        seed: of everything random.
        style: how varied and hard the images are.
        images_per_species: at least 2, so that each species is in both splits.
        jpeg_quality: 1 to 95.
    """
    species = [f"{number:03d}.{name}" for number, name in enumerate(BIRD_SPECIES, start=1)]
    rows: dict[str, list[str]] = {
        "classes": [f"{number} {name}" for number, name in enumerate(species, start=1)],
        "parts/parts": [f"{number} {name}" for number, name in enumerate(LANDMARKS, start=1)],
        "images": [],
        "image_class_labels": [],
        "train_test_split": [],
        "bounding_boxes": [],
        "parts/part_locs": [],
    }
    folder = root / "CUB_200_2011"
    folder.mkdir(parents=True)
    (folder / "parts").mkdir()
    image_id = 0
    for number, name in enumerate(BIRD_SPECIES):
        (folder / "images" / species[number]).mkdir(parents=True)
        for index in range(images_per_species):
            image_id += 1
            scene = render_scene("bird", style, scene_rng(seed, "cub", number, index), species=name)
            file = f"{species[number]}/{name}_{index + 1:04d}_{number + 1}.jpg"
            write_jpeg(folder / "images" / file, scene.image, jpeg_quality)
            left, right, top, bottom = pixel_box(scene.objects[0].mask)
            box = (left, top, right - left + 1, bottom - top + 1)
            rows["images"].append(f"{image_id} {file}")
            rows["image_class_labels"].append(f"{image_id} {number + 1}")
            rows["train_test_split"].append(f"{image_id} {(index + 1) % 2}")
            rows["bounding_boxes"].append(
                f"{image_id} " + " ".join(f"{value:.1f}" for value in box)
            )
            for part, landmark in enumerate(LANDMARKS, start=1):
                x, y, visible = scene.objects[0].landmarks[landmark]
                place = f"{x:.1f} {y:.1f} 1" if visible else "0.0 0.0 0"
                rows["parts/part_locs"].append(f"{image_id} {part} {place}")
    for table, lines in rows.items():
        (folder / f"{table}.txt").write_text("".join(f"{line}\n" for line in lines))
