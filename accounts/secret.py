"""A text that opens something, wrapped so that it cannot slip out (T07)."""

from typing import NoReturn

HIDDEN = "***"


class Secret:
    """Only ``reveal()`` gives the text; everything else shows ``***`` or raises."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        return self.__text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.__text == self.__text

    __hash__ = None  # type: ignore[assignment]  # no keys, no sets, no caches

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret can neither be pickled nor copied.")

    __copy__ = __reduce__

    def __deepcopy__(self, memo: object) -> NoReturn:
        self.__reduce__()

    def __getstate__(self) -> NoReturn:
        self.__reduce__()

    def __iter__(self) -> NoReturn:
        raise TypeError("A Secret is not a sequence.")
