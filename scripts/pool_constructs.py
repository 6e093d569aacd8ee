"""Write the lists of docs/sql-pool.md from the pool's table of constructs.

`python scripts/pool_constructs.py` replaces what stands between the markers; with --check it
changes nothing and ends with 1 where the document is not up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bikecast.embedded.sql_pool.errors import Construct, constructs

DOCUMENT = Path(__file__).parents[1] / "docs" / "sql-pool.md"
HEADS = {
    "runs": "| Area | Supported |\n|---|---|\n",
    "refused": "| Construct | What to do |\n|---|---|\n",
    "missing": "| Construct | What to do |\n|---|---|\n",
}


def rows(fate: str) -> str:
    """The table of the constructs of one fate; those of one page, with one hint, are one row."""
    if fate == "runs":
        items = [c for c in constructs() if c.fate == fate]
        return HEADS[fate] + "".join(f"| {c.name} | {c.text} |\n" for c in items)
    groups: dict[tuple[str, str], list[Construct]] = {}
    for item in constructs():
        if item.fate == fate:
            groups.setdefault((item.url, item.text), []).append(item)
    return HEADS[fate] + "".join(
        f"| [{', '.join(shown(item.name) for item in items)}]({url}) | {hint} |\n"
        for (url, hint), items in groups.items()
    )


def shown(name: str) -> str:
    """A construct's name with an ellipsis for any text."""
    return name.replace("*", "…").replace("|", "\\|")


def written(text: str) -> str:
    """The document with its lists renewed."""
    for fate in HEADS:
        start, end = f"<!-- {fate} -->\n", f"<!-- end of {fate} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}{rows(fate)}{end}{after}"
    return text


if __name__ == "__main__":
    current = DOCUMENT.read_text(encoding="utf-8")
    if "--check" not in sys.argv:
        DOCUMENT.write_text(written(current), encoding="utf-8")
    elif written(current) != current:
        sys.exit("docs/sql-pool.md is not up to date: run python scripts/pool_constructs.py")
