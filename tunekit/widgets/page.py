"""The scripts of the page: each is one module, sent with what all of them share."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def script(name: str) -> str:
    """The module of that name, as it is sent.

    Examples
    --------
    >>> script("picture").rstrip().endswith("export default { render };")
    True
    """
    return "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in ("page", name))
