"""`python -m clearfilters.bundle pack` and `put`: trainings on a borrowed GPU (docs/gpu.md)."""

import argparse
import sys
from pathlib import Path

from clearfilters.bundle.contents import Training
from clearfilters.bundle.pack import MEBIBYTE, pack, trainings_of
from clearfilters.bundle.returned import put
from clearfilters.errors import ClearfiltersError
from clearfilters.params.loading import load_params
from clearfilters.params.run import Params
from clearfilters.params.sources import merged


def _params(args: argparse.Namespace) -> Params:
    return load_params(merged((args.params, *args.preset)))


def _pack(args: argparse.Namespace, trainings: list[Training]) -> None:
    wheels = sorted(args.wheels.glob("*.whl")) if args.wheels else []
    pack(trainings, args.raw, wheels, args.out, int(args.limit * MEBIBYTE))
    size = args.out.stat().st_size / MEBIBYTE
    print(f"{args.out}: {len(trainings)} trainings, {size:.1f} MiB")


def _put(args: argparse.Namespace, trainings: list[Training], run: str) -> None:
    placed, refused = put(trainings, args.returned, args.results / run, args.data / run)
    for name in placed:
        print(f"put in place: {name}")
    for name, reason in refused.items():
        print(f"refused: {name}: {reason}", file=sys.stderr)
    if refused:
        raise ClearfiltersError(f"{len(refused)} of {len(placed) + len(refused)} were refused")


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(prog="python -m clearfilters.bundle", description=__doc__)
    parser.add_argument("command", choices=["pack", "put"])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--preset", type=Path, nargs="+", required=True)
    parser.add_argument("--first", nargs="*", default=[], help="pack: experiments to begin with")
    parser.add_argument("--raw", type=Path, nargs="*", default=[], help="pack: files of the data")
    parser.add_argument("--wheels", type=Path, help="pack: folder of wheels")
    parser.add_argument("--out", type=Path, default=Path("build/bundle.zip"), help="pack")
    parser.add_argument("--limit", type=float, default=62, help="pack: MiB of the bundle")
    parser.add_argument("--returned", type=Path, nargs="*", default=[], help="put: the zip files")
    parser.add_argument("--results", type=Path, default=Path("results"), help="put")
    parser.add_argument(
        "--data", type=Path, default=Path("data/processed"), help="put: of the stores"
    )
    args = parser.parse_args()
    try:
        params = _params(args)
        trainings = trainings_of(params, args.first)
        if args.command == "pack":
            _pack(args, trainings)
        else:
            _put(args, trainings, params.run.name)
    except ClearfiltersError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
