"""Filter rules of a transfer: what of that which lies in folders goes along.

The first rule that fits decides; what fits none is copied.
https://docs.globus.org/api/transfer/task_submit/#filter_rules
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict

MOST_RULES = 50
#: of a file name, on about every file system
LONGEST_NAME_BYTES = 255
METHODS = ("exclude", "include")
TYPES = ("", "file", "dir")
#: what a rule does, as a form says it: the method, and maybe the type
CHOICES = {
    "exclude": "Leave out",
    "exclude file": "Leave out files",
    "exclude dir": "Leave out folders",
    "include": "Copy",
    "include file": "Copy files",
    "include dir": "Copy folders",
}
#: the fields of a form, as often as there are rules
WHAT, NAME = "rule_what", "rule_name"


@dataclass(frozen=True)
class Rule:
    """One rule of a form.

    :ivar what: a key of ``CHOICES``
    :ivar name: a glob for a name: ``*``, ``?``, ``[abc]`` and ``[!abc]``
    :ivar error: why it cannot be used; empty if it can
    """

    what: str = "exclude"
    name: str = ""
    error: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.name

    def as_globus(self) -> dict[str, str]:
        method, _, kind = self.what.partition(" ")
        rule = {"DATA_TYPE": "filter_rule", "method": method}
        if kind:
            rule["type"] = kind
        return rule | {"name": self.name}

    @classmethod
    def of_globus(cls, rule: Mapping[str, str]) -> Rule:
        what = f"{rule.get('method') or 'exclude'} {rule.get('type') or ''}".strip()
        return cls(what, str(rule.get("name", "")))


def checked(rule: Rule) -> Rule:
    """The rule, with what is wrong with it."""
    return replace(rule, error="" if rule.is_blank else _trouble_with(rule))


def _trouble_with(rule: Rule) -> str:
    if rule.what not in CHOICES:
        return "Choose what is done with these."
    if "/" in rule.name:
        return "Write a name without “/”: rules look at names, not at paths."
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in rule.name):
        return "The name holds a control character or invalid text."
    if len(rule.name.encode()) > LONGEST_NAME_BYTES:
        return f"No name is longer than {LONGEST_NAME_BYTES} bytes."
    return ""


def in_form(data: QueryDict) -> list[Rule]:
    """The rules that a form holds, blank ones included; see ``WHAT`` and ``NAME``."""
    whats, names = data.getlist(WHAT), data.getlist(NAME)
    return [
        checked(Rule(what, name)) for what, name in zip(whats, names, strict=False)
    ][: MOST_RULES + 1]


def put(data: QueryDict, rules: Iterable[Rule]) -> None:
    """Puts rules into the data of a form, in place of those that are there."""
    kept = [*rules]
    data.setlist(WHAT, [rule.what for rule in kept])
    data.setlist(NAME, [rule.name for rule in kept])


def changed(rules: Sequence[Rule], verb: str, number: int) -> list[Rule]:
    """The rules after a button: ``add``, or ``remove``, ``up``, ``down`` with a rule's
    place, from 0. A place that there is not changes nothing.
    """
    after = [*rules]
    if verb == "add" and len(after) < MOST_RULES:
        return [*after, Rule()]
    if not 0 <= number < len(after):
        return after
    if verb == "remove":
        del after[number]
    other = number + {"up": -1, "down": 1}.get(verb, 0)
    if 0 <= other < len(after) and other != number:
        after[number], after[other] = after[other], after[number]
    return after


def trouble_with_all(rules: Sequence[Rule]) -> str:
    """A sentence about the rules as a whole; empty if nothing is wrong."""
    if len(rules) > MOST_RULES:
        return f"There are more than {MOST_RULES} rules."
    if any(rule.error for rule in rules):
        return "A rule cannot be used; it is marked below."
    return ""


def hints(rules: Sequence[Rule]) -> list[str]:
    """What people often do not expect of rules that are in order."""
    used = [rule for rule in rules if not rule.is_blank]
    said = []
    if used and not any(rule.what.startswith("exclude") for rule in used):
        said.append(
            "No rule leaves anything out, so all is copied. To copy only these, add "
            "“Leave out files” with the name * as the last rule."
        )
    for number, rule in enumerate(used[:-1], start=1):
        if rule.name == "*" and rule.what in METHODS:
            said.append(
                f"Rule {number} fits every name, so those below it decide nothing."
            )
            break
    return said


def read_line(line: str) -> dict[str, str]:
    """A rule as a line of text: ``exclude *.tmp``, ``include dir results``.

    :raises ValueError: it is none
    """
    method, _, rest = line.strip().partition(" ")
    kind, _, name = rest.strip().partition(" ")
    what = method.lower()
    if kind.lower() in TYPES[1:] and name.strip():
        what, name = f"{what} {kind.lower()}", name.strip()
    else:
        name = rest.strip()
    rule = checked(Rule(what, name))
    if rule.is_blank or rule.error:
        raise ValueError(line)
    return rule.as_globus()


def written_line(rule: Mapping[str, str]) -> str:
    parts = [rule.get("method", "exclude"), rule.get("type", ""), rule.get("name", "")]
    return " ".join(part for part in parts if part)
