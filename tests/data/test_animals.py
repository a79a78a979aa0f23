"""The embedded animals: what is drawn, what is recorded about it, and the raw layouts."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from scipy.io import loadmat

from clearfilters.data.animals.bird import LANDMARKS
from clearfilters.data.animals.contact_sheet import contact_sheet, sheet_scenes
from clearfilters.data.animals.cub_layout import write_cub
from clearfilters.data.animals.ilsvrc_layout import write_ilsvrc
from clearfilters.data.animals.scene import CLASSES, Scene, render_background, render_scene
from clearfilters.data.animals.voc_layout import CLASS_IND, voc_scene, write_voc
from clearfilters.params.datasets import StyleParams

STYLE = StyleParams(
    image_size=96,
    object_scale=[0.6, 1.0],
    clutter=8,
    second_share=0.5,
    border_share=0.3,
    occluder_share=0.3,
    visible_share=0.5,
    exposure=[0.6, 1.2],
    blur=0.8,
    noise=0.04,
)
SEED = 3
COUNTS = {"voc": 5, "cub": 3, "ilsvrc": 4, "negatives": 2}  # images of each class or species
# Pascal-Part's names (its part2ind.m), written down here on their own.
FACE = {"head", "leye", "reye", "lear", "rear"}
BODY = {"torso", "neck", "tail"}
SOFT = FACE | BODY | {"nose"} | {s + e + p for s in "lr" for e in "fb" for p in ("leg", "pa")}
HARD = FACE | BODY | {"muzzle"} | {s + e + p for s in "lr" for e in "fb" for p in ("uleg", "lleg")}
PART_NAMES = {
    "bird": BODY
    | {"head", "beak", "leye", "reye"}
    | {s + p for s in "lr" for p in ("wing", "leg", "foot")},
    "cat": SOFT,
    "cow": HARD | {"lhorn", "rhorn"},
    "dog": SOFT | {"muzzle"},
    "horse": HARD | {"lfho", "rfho", "lbho", "rbho"},
    "sheep": HARD | {"lhorn", "rhorn"},
}
IN_HEAD = {"leye", "reye", "nose", "muzzle"}


@pytest.fixture(scope="module")
def scenes() -> dict[str, list[Scene]]:
    return {name: [voc_scene(name, i, 0, STYLE) for i in range(20)] for name in CLASSES}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("raw")
    render(root, **COUNTS)
    return root


def render(root: Path, *, voc: int, cub: int, ilsvrc: int, negatives: int) -> None:
    """All three layouts, so many images of each class or species."""
    every: dict[str, Any] = {"seed": SEED, "style": STYLE, "jpeg_quality": 92}
    write_voc(root, images_per_class=voc, **every)
    write_cub(root, images_per_species=cub, **every)
    write_ilsvrc(root, images_per_class=ilsvrc, negatives=negatives, **every)


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def rows(path: Path) -> list[list[str]]:
    return [line.split(" ") for line in path.read_text().splitlines()]


def test_same_seed_gives_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    render(tmp_path, **COUNTS)
    assert digests(raw) == digests(tmp_path)


def test_an_image_does_not_depend_on_how_many_are_rendered(raw: Path, tmp_path: Path) -> None:
    render(tmp_path, voc=2, cub=2, ilsvrc=1, negatives=1)
    all_of_them, some = digests(raw), digests(tmp_path)
    # Tables list what there is; images and VOC annotations are the same.
    same = {
        name
        for name in some
        if name.endswith(".jpg") or name.startswith("VOC2010/Annotations_Part")
    }
    assert len(same) == 6 * 2 * 2 + 5 * 2 + 6 + 1
    assert {name: some[name] for name in same} == {name: all_of_them[name] for name in same}


def test_seed_class_and_layout_each_change_the_image(raw: Path) -> None:
    assert not np.array_equal(
        voc_scene("cat", 0, 0, STYLE).image, voc_scene("cat", 0, 1, STYLE).image
    )
    images = [digest for name, digest in digests(raw).items() if name.endswith(".jpg")]
    assert len(set(images)) == len(images)


def test_every_class_shows_every_part_that_pascal_part_names(
    scenes: dict[str, list[Scene]],
) -> None:
    found: dict[str, set[str]] = {name: set() for name in CLASSES}
    for group in scenes.values():
        for animal in (animal for scene in group for animal in scene.objects):
            found[animal.name] |= set(animal.parts)
    assert found == PART_NAMES


def test_parts_make_up_the_object_and_share_no_pixel_but_in_the_head(
    scenes: dict[str, list[Scene]],
) -> None:
    for scene in (scene for group in scenes.values() for scene in group):
        shape = scene.image.shape[:2]
        assert scene.image.dtype == np.uint8
        assert max(shape) == STYLE.image_size
        for animal in scene.objects:
            assert animal.mask.shape == shape
            assert animal.mask.any()
            assert all(mask.any() and mask.dtype == bool for mask in animal.parts.values())
            outer = [mask for part, mask in animal.parts.items() if part not in IN_HEAD]
            np.testing.assert_array_equal(np.sum(outer, axis=0), animal.mask)
            inner = [mask for part, mask in animal.parts.items() if part in IN_HEAD]
            if inner:
                assert np.sum(inner, axis=0).max() <= 1
                assert not (np.sum(inner, axis=0) > animal.parts["head"]).any()


def test_two_animals_are_of_two_classes_and_share_no_pixel(scenes: dict[str, list[Scene]]) -> None:
    pairs = [scene for group in scenes.values() for scene in group if len(scene.objects) == 2]
    assert len(pairs) > 10
    for scene in pairs:
        first, second = scene.objects
        assert first.name != second.name
        assert not (first.mask & second.mask).any()


def test_first_animal_is_of_the_class_that_was_asked_for(scenes: dict[str, list[Scene]]) -> None:
    assert all(s.objects[0].name == name for name, group in scenes.items() for s in group)


def test_some_animals_are_cut_by_the_border_and_some_are_whole(
    scenes: dict[str, list[Scene]],
) -> None:
    cut = []
    for animal in (a for group in scenes.values() for scene in group for a in scene.objects):
        mask = animal.mask
        cut.append(any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1])))
    assert 0.15 < np.mean(cut) < 0.6
    assert not np.all(cut)


def test_birds_have_their_landmarks_on_their_parts_and_others_have_none(
    scenes: dict[str, list[Scene]],
) -> None:
    parts = {"back": "torso", "belly": "torso", "breast": "torso", "crown": "head"}
    parts |= {"forehead": "head", "beak": "beak", "nape": "neck", "throat": "neck", "tail": "tail"}
    parts |= {f"{s} {p}": s[0] + p for s in ("left", "right") for p in ("eye", "leg", "wing")}
    seen = set()
    for animal in (a for group in scenes.values() for scene in group for a in scene.objects):
        assert tuple(animal.landmarks) == (LANDMARKS if animal.name == "bird" else ())
        for name, (x, y, visible) in animal.landmarks.items():
            if visible:
                assert animal.parts[parts[name]][int(y), int(x)]
                seen.add(name)
    assert seen == set(LANDMARKS)


def test_nothing_in_front_and_one_animal_where_the_style_says_so() -> None:
    alone = {"second_share": 0.0, "border_share": 0.0, "occluder_share": 0.0}
    plain = STYLE.model_copy(update=alone)
    for index, name in enumerate(CLASSES):
        scene = render_scene(name, plain, np.random.default_rng(index), company=True)
        assert len(scene.objects) == 1
        mask = scene.objects[0].mask
        assert not any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
        rows_, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        longest = max(np.ptp(rows_), np.ptp(columns)) + 1
        # A figure's corners may lie up to a pixel beyond the pixels that it covers by half.
        low, high = (min(mask.shape) * share for share in STYLE.object_scale)
        assert low - 3 <= longest <= high + 1


def test_animals_stand_out_from_what_would_be_there_without_them() -> None:
    """Masks and images are aligned: only masked pixels and soft edges and shadows may differ."""
    clear = {"second_share": 0.0, "occluder_share": 0.0, "blur": 0.0, "noise": 0.0}
    plain = STYLE.model_copy(update=clear)
    scene = render_scene("horse", plain, np.random.default_rng(5))
    mask = scene.objects[0].mask
    image = scene.image.astype(float)
    inside = np.abs(np.diff(image, axis=1)).sum(axis=2)
    edge = mask[:, 1:] != mask[:, :-1]
    assert inside[edge].mean() > 2 * inside[~edge].mean()


def test_voc_layout(raw: Path) -> None:
    root = raw / "VOC2010"
    names = (root / "ImageSets/Main/trainval.txt").read_text().split()
    assert len(names) == len(set(names)) == 6 * COUNTS["voc"]
    assert sorted(names) == sorted(path.stem for path in (root / "JPEGImages").glob("*.jpg"))
    assert sorted(names) == sorted(path.stem for path in (root / "Annotations_Part").glob("*.mat"))
    for number, name in enumerate(names):
        annotation = loadmat(root / f"Annotations_Part/{name}.mat")["anno"]
        assert annotation["imname"][0, 0].item() == name
        objects = annotation["objects"][0, 0]
        assert objects.dtype.names == ("class", "class_ind", "mask", "parts")
        assert objects.shape[0] == 1 and objects.shape[1] in (1, 2)
        expected = voc_scene(CLASSES[number // 5], number % 5, SEED, STYLE)
        with Image.open(root / f"JPEGImages/{name}.jpg") as image:
            difference = np.asarray(image).astype(float) - expected.image
        assert np.abs(difference).mean() < 8
        for entry, animal in zip(objects[0], expected.objects, strict=True):
            assert entry["class"].item() == animal.name
            assert entry["class_ind"].item() == CLASS_IND[animal.name]
            assert entry["mask"].dtype == np.uint8
            np.testing.assert_array_equal(entry["mask"], animal.mask)
            assert [part.item() for part in entry["parts"]["part_name"][0]] == list(animal.parts)
            for mask, truth in zip(entry["parts"]["mask"][0], animal.parts.values(), strict=True):
                assert mask.dtype == np.uint8
                np.testing.assert_array_equal(mask, truth)


def test_cub_layout(raw: Path) -> None:
    root = raw / "CUB_200_2011"
    images = rows(root / "images.txt")
    total = 5 * COUNTS["cub"]
    assert [row[0] for row in images] == [str(number) for number in range(1, total + 1)]
    classes = dict(rows(root / "classes.txt"))
    labels = dict(rows(root / "image_class_labels.txt"))
    assert all(file.startswith(f"{classes[labels[number]]}/") for number, file in images)
    split = dict(rows(root / "train_test_split.txt"))
    assert {(labels[number], split[number]) for number, _ in images} == {
        (label, half) for label in classes for half in "01"
    }
    parts = [line.split(" ", 1)[1] for line in (root / "parts/parts.txt").read_text().splitlines()]
    assert tuple(parts) == LANDMARKS
    boxes = {row[0]: [float(v) for v in row[1:]] for row in rows(root / "bounding_boxes.txt")}
    places = rows(root / "parts/part_locs.txt")
    assert [(row[0], row[1]) for row in places] == [
        (number, str(part)) for number, _ in images for part in range(1, 16)
    ]
    for number, _, x, y, visible in places:
        left, top, width, height = boxes[number]
        if visible == "1":
            assert left <= float(x) <= left + width
            assert top <= float(y) <= top + height
        else:
            assert (x, y, visible) == ("0.0", "0.0", "0")
    for number, file in images:
        left, top, width, height = boxes[number]
        with Image.open(root / "images" / file) as image:
            assert image.mode == "RGB"
            assert 0 <= left < left + width <= image.width
            assert 0 <= top < top + height <= image.height


def test_ilsvrc_layout(raw: Path) -> None:
    root = raw / "ilsvrc_animal_part"
    count = COUNTS["ilsvrc"]
    assert len(list((root / "neg").glob("*.jpg"))) == COUNTS["negatives"]
    wnids = sorted(path.name for path in (root / "truth").iterdir())
    assert wnids == sorted(path.name.removesuffix("_obj") for path in root.glob("*_obj"))
    assert len(wnids) == 6
    present = 0
    for wnid in wnids:
        folder = root / f"{wnid}_obj/img"
        files = sorted(path.name for path in (folder / "img").iterdir())
        assert files == [f"{number:05d}.jpg" for number in range(1, count + 1)]
        samples = loadmat(folder / "data.mat", simplify_cells=True)["samples"]
        boxes = [sample["obj"]["bndbox"] for sample in samples]
        assert len(boxes) == count
        for part in (1, 2):
            truth = loadmat(root / f"truth/{wnid}/truth_part{part:02d}.mat")["truth"]
            assert truth.shape == (1, count)
            for number, (entry, box) in enumerate(zip(truth[0], boxes, strict=True), start=1):
                if entry["pHW_center"].size == 0:
                    assert entry["pHW_scale"].size == entry["obj"].size == 0
                    continue
                present += 1
                assert entry["pHW_center"].shape == entry["pHW_scale"].shape == (2, 1)
                assert (entry["pHW_center"] - entry["pHW_scale"] / 2 >= -1e-9).all()
                assert (entry["pHW_center"] + entry["pHW_scale"] / 2 <= 224 + 1e-9).all()
                assert entry["obj"]["filename"][0, 0].item() == f"{wnid}_{number}"
                found = entry["obj"]["bndbox"][0, 0][0, 0]
                assert {key: float(found[key].item()) for key in box} == box
        for file, box in zip(files, boxes, strict=True):
            with Image.open(folder / "img" / file) as image:
                assert 1 <= box["xmin"] < box["xmax"] <= image.width
                assert 1 <= box["ymin"] < box["ymax"] <= image.height
    assert present > 6 * count


def test_backgrounds_differ_and_have_the_style_s_size() -> None:
    first, second = (render_background(STYLE, np.random.default_rng(seed)) for seed in range(2))
    assert max(first.shape) == max(second.shape) == STYLE.image_size
    assert first.shape != second.shape or (first != second).any()


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 8},
        {"second_share": 1.5},
        {"object_scale": [0.9, 0.5]},
        {"noise": -0.1},
        {"object_scale": [0.1, 1.0]},
    ],
)
def test_style_out_of_range(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        StyleParams(**{**STYLE.model_dump(), **change})


def test_contact_sheet_has_two_rows_a_class() -> None:
    narrow, wide = (
        contact_sheet(sheet_scenes(seed=0, style=STYLE, columns=n), STYLE.image_size)
        for n in (1, 2)
    )
    assert narrow.height == wide.height >= 2 * 6 * STYLE.image_size
    assert wide.width - narrow.width >= STYLE.image_size
    # The first column is the same image whatever the number of columns.
    box = (0, 0, narrow.width, narrow.height)
    assert wide.crop(box).tobytes() == narrow.tobytes()
