"""The known word that a user probably meant: an unknown word and the known ones go in."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Words of other tools, and ours for the same thing.
_OTHER_WORDS = {
    "asha": "successive_halving",
    "bayes": "tpe",
    "bayesian": "tpe",
    "bo": "tpe",
    "gpu": "cuda",
    "l2": "weight_decay",
}
_LONGEST_WORD = 100
_SHORT = 5  # one wrong letter weighs more in a word this short


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` with a leading space, or nothing when no word is close."""
    close = closest(word, known)
    return f" Did you mean '{close}'?" if close else ""


def closest(word: str, known: Iterable[str]) -> str | None:
    """Find the one known word that another spelling, a typing error or an abbreviation stands for.

    ``batchsize``, ``Batch-Size`` and ``bs`` all stand for ``batch_size``, ``max`` for
    ``maximize``, ``layers`` for ``hidden_layers``, ``bayes`` for ``tpe``.
    """
    known = list(known)
    meant = _OTHER_WORDS.get(word.casefold())
    return meant if meant in known else mistyped(word, known) or _abbreviated(word, known)


def mistyped(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that differs in a few letters, in case or in its separators."""
    spellings = {_spelling(name): name for name in known}
    spelling = _spelling(word[:_LONGEST_WORD])
    cutoff = 0.65 if len(spelling) <= _SHORT else 0.75
    close = get_close_matches(spelling, spellings, n=1, cutoff=cutoff)
    return spellings[close[0]] if close else None


def _spelling(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "") or word


def _abbreviated(word: str, known: list[str]) -> str | None:
    """Find the known word of these initials, of this beginning or with this part, if it is one."""
    short = word.casefold()
    for is_meant in (_has_initials, _has_beginning, _has_part):
        found = [name for name in known if is_meant(name.casefold(), short)]
        if len(found) == 1:
            return found[0]
    return None


def _has_initials(name: str, short: str) -> bool:
    parts = name.split("_")
    return len(parts) > 1 and short == "".join(part[:1] for part in parts)


def _has_beginning(name: str, short: str) -> bool:
    return min(len(name), len(short)) > 2 and (name.startswith(short) or short.startswith(name))


def _has_part(name: str, short: str) -> bool:
    return short in name.split("_")
