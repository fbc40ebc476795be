"""`python -m dlcourse submission NOTEBOOK` says what is missing; `python -m dlcourse submit NOTEBOOK` packs what you hand in."""

import argparse
import sys

from dlcourse.submission import NAME, checklist, pack


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 when everything is there, else 1."""
    parser = argparse.ArgumentParser("python -m dlcourse", description="Before you hand in the final project.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, says in (("submission", "say what is there and what is missing; change nothing"), ("submit", "the same, then write a zip")):
        command = commands.add_parser(name, help=says, description=says)
        command.add_argument("notebook", nargs="?", default=f"{NAME}.ipynb", help=f"the saved notebook, {NAME}.ipynb if not given")
        if name == "submit":
            command.add_argument("--out", help="the zip to write, beside the notebook if not given")
    options = parser.parse_args(arguments)
    found = checklist(options.notebook)
    print(found)
    if options.command == "submit":
        try:
            target = pack(options.notebook, options.out)
            print(f"Hand in {target}" if found.complete else f"{target} is written; what is missing stands above")
        except (OSError, ValueError) as error:
            print(f"No zip was written: {error}", file=sys.stderr)
            return 1
    return 0 if found.complete else 1


if __name__ == "__main__":
    sys.exit(main())
