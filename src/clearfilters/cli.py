"""The command line: one subcommand per workflow rule, and those for a trained network's user."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clearfilters.errors import ClearfiltersError

Arguments = argparse.Namespace


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None


def _device(name: str) -> Any:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ClearfiltersError("--device cuda: no CUDA device is available; use --device cpu")
    return torch.device(name)


def _of_the_measurement(args: Arguments) -> dict[str, Any]:
    """Which training is measured, and the file to write."""
    return {"experiment": args.experiment, "seed": args.seed, "out": args.out}


def _prepare(args: Arguments) -> None:
    from clearfilters.data.prepare import prepare
    from clearfilters.params.reading import parse_dataset

    prepare(parse_dataset(args.parameters), args.raw, args.out, download=args.download)


def _record_data(args: Arguments) -> None:
    from clearfilters.data.record import record_data
    from clearfilters.params.reading import parse_dataset

    record_data(parse_dataset(args.parameters), args.data, args.out)


def _train(args: Arguments) -> None:
    from clearfilters.params.reading import parse
    from clearfilters.params.slices import TrainingSlice
    from clearfilters.training.loop import train

    parameters = parse(TrainingSlice, args.parameters)
    device = _device(args.device)
    given = {"raw": args.raw, "frozen": args.frozen, "performer": args.performer}
    train(parameters, args.data, args.out, args.resume, device, **given)
    if args.features is not None:
        from clearfilters.measuring import current_features

        # Now that torch is imported: a measurement would import it for this alone.
        wanted = {**args.parameters, "features": args.features_parameters}
        current_features(wanted, args.features, args.data, args.out, lambda: device)


def _measure(args: Arguments) -> None:
    from clearfilters.analysis.recording import Model
    from clearfilters.measuring import measure_model

    model = Model(args.experiment, args.seed, args.features, args.features / "gates.npz")
    measure_model(
        args.parameters,
        model,
        store=args.data,
        checkpoint=args.checkpoint,
        metrics=args.metrics,
        gates=args.gates,
        device=lambda: _device(args.device),
    )


def _measure_network(args: Arguments) -> None:
    from clearfilters.training.network_measurement import record_network_measurement

    record_network_measurement(
        args.analysis,
        args.checkpoint,
        args.data,
        args.parameters,
        device=_device(args.device),
        frozen=args.frozen,
        **_of_the_measurement(args),
    )


def _detection(args: Arguments) -> None:
    from clearfilters.attacks.attacked_model import measure_detection

    measure_detection(
        args.parameters,
        checkpoint=args.checkpoint,
        store=args.data,
        samples=args.samples,
        device=lambda: _device(args.device),
        **_of_the_measurement(args),
    )


def _gallery(args: Arguments) -> None:
    from clearfilters.gallery.command import write_gallery

    write_gallery(
        args.checkpoint,
        args.data,
        args.metrics,
        args.parameters,
        device=_device(args.device),
        frozen=args.frozen,
        **_of_the_measurement(args),
    )


def _index(args: Arguments) -> Any:
    from clearfilters.artifacts import read_json
    from clearfilters.reporting.records import expand_index

    return expand_index(args.run_folder, read_json(args.index))


def _table(args: Arguments) -> None:
    from clearfilters.reporting.tables import write_table

    write_table(args.id, _index(args), args.out_csv, args.out_md)


def _figure(args: Arguments) -> None:
    from clearfilters.reporting.figures import write_figure

    if not write_figure(args.id, _index(args), args.out):
        raise ClearfiltersError(
            f"figure {args.id}: its experiments are not in this run; add them to run.experiments"
        )


def _contact_sheet(args: Arguments) -> None:
    from clearfilters.params.reading import parse
    from clearfilters.params.slices import ContactSheetSlice
    from clearfilters.reporting.contact_sheet import write_contact_sheet

    write_contact_sheet(parse(ContactSheetSlice, args.parameters), args.out)


def _claims(args: Arguments) -> None:
    from clearfilters.reporting.claims import write_claims

    write_claims(_index(args), args.parameters, args.out)


def _report(args: Arguments) -> None:
    from clearfilters.registry import FIGURES, TABLES
    from clearfilters.reporting.page import write_page

    tables, figures = list(TABLES), list(FIGURES)
    index, presets, galleries = _index(args), args.presets, args.galleries
    write_page(args.run_folder, index, tables, figures, args.out, presets, galleries)


def _index_page(args: Arguments) -> None:
    from clearfilters.reporting.page.runs import write_runs_page

    write_runs_page(args.results, args.out)


def _summary(args: Arguments) -> None:
    from clearfilters.reporting.summary import write_summary

    write_summary(_index(args), args.out)


def _curves(args: Arguments) -> None:
    from clearfilters.reporting.curves import write_curves

    write_curves(args.histories, args.out)


def _compact(args: Arguments) -> None:
    from clearfilters.training.compact import write_compact

    write_compact(args.checkpoint, args.out)


def _explain(args: Arguments) -> None:
    from clearfilters.explain.command import run

    run(args.images, args.checkpoint, args.out, args.parts)


def _predict(args: Arguments) -> None:
    from clearfilters.predict.command import run

    run(args.images, args.checkpoint, args.out, args.filters, args.gate_threshold)


def build_parser() -> argparse.ArgumentParser:
    """All subcommands and their options."""
    parser = argparse.ArgumentParser(prog="clearfilters", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Arguments], None], help_: str) -> Any:
        added = commands.add_parser(name, help=help_, description=help_)
        added.set_defaults(run=run)
        return added

    def add(added: Any, *flags: str, **options: Any) -> None:
        if flags[0].startswith("--"):
            options.setdefault("required", True)
        added.add_argument(*flags, **options)

    slice_: dict[str, Any] = {"type": _json, "metavar": "JSON", "help": "everything that shapes it"}
    device: dict[str, Any] = {
        "required": False,
        "default": "auto",
        "choices": ["auto", "cpu", "cuda"],
    }

    def measurement(name: str, run: Callable[[Arguments], None], help_: str) -> Any:
        added = command(name, run, help_)
        add(added, "--parameters", **slice_)
        add(added, "--experiment", help="its name in params.yaml")
        add(added, "--seed", type=int, help="of the training")
        return added

    def add_network(added: Any) -> None:
        add(added, "--data", type=Path, help="the processed store")
        add(added, "--checkpoint", type=Path, help="checkpoint folder")
        add(added, "--device", **device)

    prepare = command("prepare", _prepare, "raw files -> processed store")
    add(prepare, "--parameters", **slice_)
    add(prepare, "--raw", type=Path, help="folder that holds the raw data sets")
    add(prepare, "--download", action="store_true", required=False, help="fetch what is missing")
    add(prepare, "--out", type=Path, help="folder of the store")

    record = command("record-data", _record_data, "processed store -> record of what it holds")
    add(record, "--parameters", **slice_)
    add(record, "--data", type=Path, help="the processed store")
    add(record, "--out", type=Path, help="the JSON")

    train = command("train", _train, "processed store -> checkpoint")
    add(train, "--parameters", **slice_)
    add(train, "--data", type=Path, help="the processed store")
    add(train, "--raw", type=Path, required=False, default=Path("data/raw"), help="of weights")
    add(train, "--frozen", type=Path, required=False, help="keeps what frozen blocks compute")
    add(train, "--performer", type=Path, required=False, help="checkpoint that is explained")
    add(train, "--resume", type=Path, help="file for the state after each finished epoch")
    add(train, "--out", type=Path, help="checkpoint folder")
    add(train, "--features", type=Path, required=False, help="record features here, too")
    add(train, "--features-parameters", type=_json, required=False, help="what else shapes them")
    add(train, "--device", **device)

    measure = measurement("measure", _measure, "checkpoint -> features and what is made of them")
    add_network(measure)
    add(measure, "--features", type=Path, help="folder of the features, and of what is kept")
    add(measure, "--metrics", type=Path, help="folder of the measurements")
    add(measure, "--gates", type=Path, help="the model's gates, trained and fitted")

    network = measurement("measure-network", _measure_network, "checkpoint -> one measurement")
    add(network, "analysis", help="localization, one_pixel, ...")
    add_network(network)
    add(network, "--frozen", type=Path, required=False, help="keeps what frozen blocks compute")
    add(network, "--out", type=Path, help="the measurement's JSON")

    detection = measurement(
        "detection", _detection, "checkpoint -> adversarial samples and how well they are detected"
    )
    add_network(detection)
    add(detection, "--samples", type=Path, help="folder that keeps the samples")
    add(detection, "--out", type=Path, help="the measurement's JSON")

    gallery = measurement("gallery", _gallery, "checkpoint and measurements -> pages of filters")
    add_network(gallery)
    add(gallery, "--metrics", type=Path, help="folder of the measurements")
    add(gallery, "--frozen", type=Path, required=False, help="keeps what frozen blocks compute")
    add(gallery, "--out", type=Path, help="the first page; the others lie in a folder beside it")

    def reporting(name: str, run: Callable[[Arguments], None], help_: str) -> Any:
        added = command(name, run, help_)
        add(added, "--run-folder", type=Path, help="results/<run>")
        add(added, "--index", type=Path, help="JSON of the run's measurements and their hashes")
        return added

    table = reporting("table", _table, "measurements -> one table")
    add(table, "id", help="lsg_table1, ...")
    add(table, "--out-csv", type=Path, help="long form")
    add(table, "--out-md", type=Path, help="as the paper lays it out")

    figure = reporting("figure", _figure, "measurements -> one figure")
    add(figure, "id", help="lsg_figure4, ...")
    add(figure, "--out", type=Path, help="the PNG; its numbers go beside it, as CSV")

    sheet = command("contact-sheet", _contact_sheet, "figure of the rendered animals")
    add(sheet, "--parameters", **slice_)
    add(sheet, "--out", type=Path, help="the PNG; its numbers go beside it, as CSV")

    claims = reporting("claims", _claims, "measurements -> verdict on each claim")
    add(claims, "--parameters", **{**slice_, "help": "what the verdicts take words for"})
    add(claims, "--out", type=Path, help="the CSV")

    report = reporting("report", _report, "tables, figures and claims -> one page")
    add(report, "--presets", nargs="*", required=False, default=(), help="laid over params.yaml")
    add(report, "--galleries", nargs="*", required=False, default=(), help="linked experiments")
    add(report, "--out", type=Path, help="the page")

    runs = command("index", _index_page, "the runs' pages -> one page over all runs")
    add(runs, "--results", type=Path, help="the folder that holds the runs")
    add(runs, "--out", type=Path, help="the page, in that folder")

    summary = reporting("summary", _summary, "measurements -> the numbers that DVC compares")
    add(summary, "--out", type=Path, help="the JSON")

    curves = command("curves", _curves, "histories of trainings -> curves that DVC compares")
    add(curves, "histories", type=Path, nargs="+", help="history.csv of each seed")
    add(curves, "--out", type=Path, help="the CSV")

    explain = command("explain", _explain, "images -> parts that decided, by an explainer; picture")
    add(explain, "images", type=Path, nargs="+", help="image files")
    add(explain, "--checkpoint", type=Path, help="checkpoint folder of an explainer")
    add(explain, "--out", type=Path, required=False, default=Path(), help="folder of the pictures")
    add(explain, "--parts", type=Path, required=False, help="its measurement part_contributions")

    compact = command("compact", _compact, "checkpoint -> the same for keeping, much smaller")
    add(compact, "checkpoint", type=Path, help="checkpoint folder")
    add(compact, "--out", type=Path, help="folder of the compact checkpoint")

    predict = command("predict", _predict, "images -> class, deciding filters, picture")
    add(predict, "images", type=Path, nargs="+", help="image files")
    add(predict, "--checkpoint", type=Path, help="checkpoint folder")
    add(predict, "--out", type=Path, required=False, default=Path(), help="folder of the pictures")
    add(predict, "--filters", type=int, required=False, default=5, help="how many filters to name")
    add(
        predict,
        "--gate-threshold",
        type=float,
        required=False,
        default=0.5,
        help="a filter's gate names the classes at or above it",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status."""
    args = build_parser().parse_args(argv)
    try:
        args.run(args)
    except ClearfiltersError as error:
        print(f"clearfilters: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        print(
            f"clearfilters: the GPU has too little free memory ({str(error).splitlines()[0]}); run "
            "fewer jobs on it at once, or lower the batch size of this step in params.yaml. What "
            "is finished is kept, and a training goes on after its last finished epoch",
            file=sys.stderr,
        )
        return 1
    return 0


def _is_out_of_memory(error: RuntimeError) -> bool:
    # By name: commands that need no torch do not import it.
    return type(error).__name__ == "OutOfMemoryError" and type(error).__module__ == "torch"


if __name__ == "__main__":
    sys.exit(main())
