"""What the run's networks were trained and measured on."""

from clearfilters.artifacts import Measurement
from clearfilters.reporting.records import DATA, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, reads

COLUMNS = (
    Column("train", "Training", "images", 0),
    Column("test", "Test", "images", 0),
    Column("classes", "Classes", "", 0),
    Column("image_size", "Side", "pixels", 0),
)
HEADS = ("Data set", "Source", "Note", "Masks", "Left out")
HOW_COUNTED = (
    "Images are those of the processed store: whole images, or objects cut out of them where a "
    "data set has boxes or masks, in the preparation of the interpretable-CNN papers with their "
    "mirror images and copies. Left out: what the reader met and could not use."
)
# Names that a note lists; of more classes it gives the first and the last.
MOST_NAMED = 20


@reads(DATA)
def data(records: Records) -> Table:
    """Every data set of the run: source, note, sizes, masks, and what was left out."""
    rows = [_row(name, record) for name, record in records.data.items()]
    notes = [HOW_COUNTED] if rows else ["Not run: no data set of this run is recorded."]
    notes += [
        f"Classes of {name}: {_named(record.values['classes'])}."
        for name, record in records.data.items()
    ]
    return Table("data", "Data sets", HEADS, COLUMNS, rows, notes)


def _row(name: str, record: Measurement) -> Row:
    found = record.values
    source = found["source"] + ("" if found["verified"] else ", not verified")
    masks = found["masks_note"] or ("yes" if "masks" in found["annotations"] else "none")
    skipped = "; ".join(f"{reason}: {count}" for reason, count in found["skipped"].items())
    numbers = {
        "train": found["counts"]["train"],
        "test": found["counts"]["test"],
        "classes": len(found["classes"]),
        "image_size": found["image_size"],
    }
    cells = {key: Cell(mean=float(value)) for key, value in numbers.items()}
    return Row(name, (name, source, found["note"], masks, skipped or "nothing"), cells)


def _named(classes: list[str]) -> str:
    if len(classes) > MOST_NAMED:
        return f"{classes[0]} to {classes[-1]}"
    return ", ".join(classes)
