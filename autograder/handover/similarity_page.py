"""The page of pairs: passages side by side. It says what is alike, and not why."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from autograder.handover.similarity import COMMON, Pair

HERE = Path(__file__).parent
PAGES = Environment(loader=FileSystemLoader([HERE / "pages", HERE.parent / "grading" / "pages"]), autoescape=True)
SHOWN = 200  # pairs on a page
AROUND = 2  # lines that are shown before and after a shared passage
LOOKS = {
    "structure": "structure: the same once names and strings are taken out",
    "wording": "wording: the same names, comments and order",
}


def similarity_page(pairs: list[Pair], compared: int) -> str:
    """The page as HTML; it needs no network and no script."""
    cut = f", of which the first {SHOWN} are shown" if len(pairs) > SHOWN else ""
    return PAGES.get_template("similarity.html").render(
        pairs=pairs[:SHOWN], compared=compared, common=COMMON, cut=cut, looks=LOOKS, excerpt=excerpt
    )


def excerpt(lines: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """The shared lines with a few around them; what is left out becomes one line of dots."""
    near = [any(shared for _, shared in lines[max(0, at - AROUND) : at + AROUND + 1]) for at in range(len(lines))]
    kept: list[tuple[str, bool]] = []
    for (line, shared), show in zip(lines, near, strict=True):
        if show:
            kept.append((line, shared))
        elif not kept or kept[-1][0] != "...":
            kept.append(("...", False))
    return kept
