"""How tunekit writes figures: rounded, with units, the same on every machine."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import combinations

# Numbers that differ by a smaller share of the largest are equal but for rounding.
_ROUNDING = 1e-12


def number(value: float) -> str:
    """Write a number with three significant figures.

    Parameters
    ----------
    value
        Any number, in any unit.

    Examples
    --------
    >>> number(0.95312), number(0.000312), number(12345.0), number(16), number(1e-5)
    ('0.953', '0.000312', '12,300', '16', '1e-05')
    """
    if isinstance(value, int) or value == 0 or not math.isfinite(value):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    if abs(value) < 1e-4 or abs(value) >= 1e7:
        return f"{value:.3g}"
    rounded = float(f"{value:.3g}")
    digits = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{digits}f}".rstrip("0").rstrip(".") if digits > 3 else f"{rounded:,.{digits}f}"


def told_apart(*values: float) -> list[str]:
    """Write numbers with three significant figures, and with more decimals where those would make two of them one.

    Parameters
    ----------
    *values
        Numbers in the same unit; what rounding has left between two is no difference.

    Examples
    --------
    >>> told_apart(0.5, 0.9531), told_apart(0.5, 0.95312, 0.95314), told_apart(1e6, 1_000_000.7)
    (['0.500', '0.953'], ['0.50000', '0.95312', '0.95314'], ['1,000,000', '1,000,001'])
    """
    least = _ROUNDING * max(map(abs, values))
    differing = [(a, b) for a, b in combinations(range(len(values)), 2) if abs(values[a] - values[b]) > least]
    written = [number(value) for value in values]
    decimals = 0
    while any(written[a] == written[b] for a, b in differing):
        written = [_longer(value, decimals) for value in values]
        decimals += 1
    return written


def _longer(value: float, decimals: int) -> str:
    """A number with so many decimals at least; a very large or small one with so many more figures."""
    if value and not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{3 + decimals}g}"
    _, _, short = number(value).partition(".")
    return f"{value:,.{max(decimals, len(short))}f}"


def share(value: float) -> str:
    """Write a share between 0 and 1 as a percentage with one decimal.

    Examples
    --------
    >>> share(0.9312)
    '93.1 %'
    """
    return f"{100 * value:.1f} %"


def size(count: float) -> str:
    """Write a number of bytes in kB or MB (powers of 1,000) with three significant figures.

    Examples
    --------
    >>> size(512), size(83_612), size(4_200_000)
    ('512 B', '83.6 kB', '4.20 MB')
    """
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if count >= 0.9995 * scale:
            return f"{number(count / scale)} {unit}"
    return f"{count:.0f} B"


def signed(value: float) -> str:
    """Write a difference with its sign and three significant figures; what the rounding of a sum leaves is none.

    Examples
    --------
    >>> signed(0.0123), signed(-0.5), signed(1e-17)
    ('+0.0123', '-0.500', '0')
    """
    if abs(value) < 5e-7:
        return number(0)
    return f"{'+' if value > 0 else '-'}{number(abs(value))}"


def counted(count: float) -> str:
    """Write a large count with three significant figures and a suffix.

    Examples
    --------
    >>> counted(950), counted(20_586), counted(1_204_000)
    ('950', '20.6 k', '1.20 M')
    """
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 0.9995 * scale:
            return f"{number(count / scale)} {unit}"
    return f"{count:.0f}"


def latency(seconds: float) -> str:
    """Write a short time in µs, ms or s with three significant figures.

    Examples
    --------
    >>> latency(0.0000421), latency(0.00123), latency(2.5)
    ('42.1 µs', '1.23 ms', '2.50 s')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * scale or unit == "µs":
            return f"{number(seconds / scale)} {unit}"
    raise AssertionError("unreachable")


def duration(seconds: float) -> str:
    """Write how long something takes, as a person would say it.

    Examples
    --------
    >>> duration(0.0123), duration(0.4), duration(2.46), duration(42), duration(150), duration(8000)
    ('12 ms', '400 ms', '2.5 s', '42 s', '2.5 min', '2.2 h')
    """
    short = float(f"{seconds:.2g}")
    if short < 10:
        return f"{short:g} s" if short >= 1 else f"{1000 * short:g} ms"
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def value(setting: object) -> str:
    """Write the value of a setting: three figures for floats, the name of a function or class.

    No memory address is ever shown, so that what is printed is the same in the next session.

    Examples
    --------
    >>> value(0.0031249), value("relu"), value((64, 128)), value(dict)
    ('0.00312', "'relu'", '(64, 128)', 'dict')
    """
    if isinstance(setting, bool) or setting is None:
        return repr(setting)
    if isinstance(setting, int):
        return str(setting)
    if isinstance(setting, float):
        return number(setting).replace(",", "")
    name = getattr(setting, "__name__", None)
    if isinstance(name, str):
        return name
    text = repr(setting)
    return type(setting).__name__ if " at 0x" in text else text


def settings(params: Mapping[str, object]) -> str:
    """Write settings as they would be typed.

    Examples
    --------
    >>> settings({"lr": 0.0031249, "act": "relu"})
    "lr=0.00312, act='relu'"
    """
    return ", ".join(f"{name}={value(setting)}" for name, setting in params.items())


def printable(words: str) -> str:
    r"""Write control characters by their codes: names and errors are the user's, and a terminal would obey them.

    Those that turn the direction of writing are among them; a line break stays one.

    Examples
    --------
    >>> print(printable("a \x1b[31mred\x1b[0m name"))
    a \x1b[31mred\x1b[0m name
    """
    if words.isprintable():
        return words
    return "".join(_code(letter) if _is_obeyed(letter) else letter for letter in words)


def _is_obeyed(letter: str) -> bool:
    return letter != "\n" and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _code(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def sentence(words: str) -> str:
    """Write an error's words as a sentence: its first word large, unless that is a name, and a full stop.

    Examples
    --------
    >>> sentence("a picture needs a trial: run one"), sentence("val_loss is no number"), sentence("Wait!"), sentence("")
    ('A picture needs a trial: run one.', 'val_loss is no number.', 'Wait!', '')
    """
    first, _, _ = words.partition(" ")
    large = words[:1].upper() + words[1:] if first.isalpha() else words
    return large if not large or large[-1] in ".!?…" else f"{large}."


def listed(names: Iterable[object]) -> str:
    """List known names, for an error that says what could have been written.

    Examples
    --------
    >>> listed(["grid", "random"])
    "'grid', 'random'"
    """
    return ", ".join(repr(name) for name in names) or "none"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "trial"), plural(30, "trial")
    ('1 trial', '30 trials')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
