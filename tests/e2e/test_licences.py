"""What is installed with Andon may be used with it: nothing under a licence that would bind its users' own code."""

import re
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

STRONG = re.compile(r"\b(?:A?GPL)(?:v?\d|-|\b)|Affero|(?<!Lesser )General Public License", re.IGNORECASE)
WEAK = re.compile(r"LGPL|Lesser|MPL|Mozilla|BSD|MIT|Apache|EPL|Eclipse", re.IGNORECASE)


def installed_with(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> set[str]:
    """Names of all that a package brings along here, itself included."""
    if (name, extras) in seen:
        return set()
    seen.add((name, extras))
    found = {name}
    for line in distribution(name).requires or ():
        needed = Requirement(line)
        marker, wanted = needed.marker, extras or {""}
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in wanted):
            found |= installed_with(canonicalize_name(needed.name), frozenset(needed.extras), seen)
    return found


def licence_of(name: str) -> str:
    """Whatever a package says of its licence."""
    metadata = distribution(name).metadata
    said = [each for name in ("License-Expression", "License") for each in metadata.get_all(name) or ()]
    classifiers = [each for each in metadata.get_all("Classifier") or () if each.startswith("License")]
    return " ".join([*said, *classifiers])


@pytest.mark.parametrize("extra", ["serve", "traces", "report"])
def test_no_package_of_an_installation_is_under_a_strong_copyleft(extra: str) -> None:
    try:
        names = installed_with("andon", frozenset({extra}), set())
    except PackageNotFoundError as missing:
        pytest.skip(f"{missing} is not installed (extra {extra})")
    assert len(names) > 20
    strong = {name: said for name in names if STRONG.search(said := licence_of(name)) and not WEAK.search(said)}
    assert strong == {}
