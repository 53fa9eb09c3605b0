"""The extras that errors name are those that bring the package."""

from importlib.metadata import packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from andon.models.command.extras import EXTRA_OF_PACKAGE, extra_of


def brought_by(extra: str) -> set[str]:
    """What an extra declares and the base does not."""
    declared = [Requirement(line) for line in requires("andon") or ()]
    marked = [each for each in declared if each.marker is not None]
    return {canonicalize_name(each.name) for each in marked if each.marker and each.marker.evaluate({"extra": extra})}


@pytest.mark.parametrize(("package", "extra"), EXTRA_OF_PACKAGE.items())
def test_the_extra_brings_the_package(package: str, extra: str) -> None:
    distributions = packages_distributions().get(package)
    if distributions is None:
        pytest.skip(f"{package} is not installed (the extra {extra})")
    assert {canonicalize_name(each) for each in distributions} & brought_by(extra)


def test_what_no_extra_brings_has_none() -> None:
    assert extra_of("numpy") is None
    assert extra_of("pyarrow.csv") == "records"
