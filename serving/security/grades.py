"""Who may take data of which grade where.

Grades are those of China's industrial data: general, important and core (Measures for Data Security Management in the Field of Industry and
Information Technology, for trial implementation, MIIT 2022 no. 166, articles 7 to 11); general data are public or internal, as in the cards of
data sets. Important and core data stay in the country unless an assessment has been passed (article 21), and core data do not move to others
without one (article 24). This program cannot know of an assessment, so it refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from andon.models.types.errors import Param
from andon.serving.security.errors import ForbiddenError
from andon.serving.security.roles import Role


class Grade(StrEnum):
    """How much harm it does when data reach the wrong hands; the words that data cards use."""

    PUBLIC = "public"
    INTERNAL = "internal"
    IMPORTANT = "important"
    CORE = "core"


class Destination(StrEnum):
    """Where data go."""

    HERE = "here"
    INSIDE = "inside"
    OUTSIDE = "outside"
    ABROAD = "abroad"


_NEVER = None
_LEAST: Mapping[Grade, Mapping[Destination, Role | None]] = {
    grade: dict(zip(Destination, roles, strict=True))
    for grade, roles in {
        #                 this machine    the same firm   another firm  another country
        Grade.PUBLIC: (Role.VIEWER, Role.VIEWER, Role.VIEWER, Role.VIEWER),
        Grade.INTERNAL: (Role.VIEWER, Role.ENGINEER, Role.ADMIN, Role.ADMIN),
        Grade.IMPORTANT: (Role.ENGINEER, Role.ADMIN, _NEVER, _NEVER),
        Grade.CORE: (Role.ADMIN, _NEVER, _NEVER, _NEVER),
    }.items()
}


@dataclass(frozen=True, slots=True)
class ExportDecision:
    """Whether data may go, and why not: a message code with its parameters.

    Parameters
    ----------
    code
        Empty where they may.
    """

    allowed: bool
    code: str
    params: Mapping[str, Param]

    def require(self, subject: str) -> None:
        """Go on only where the data may go.

        Raises
        ------
        ForbiddenError
            They may not.
        """
        if not self.allowed:
            raise ForbiddenError(self.code, subject, **self.params)


def may_export(grade: Grade, role: Role, destination: Destination) -> ExportDecision:
    """Decide whether somebody may take data of a grade to a destination.

    >>> may_export(Grade.INTERNAL, Role.ENGINEER, Destination.INSIDE).allowed
    True
    >>> may_export(Grade.IMPORTANT, Role.ADMIN, Destination.ABROAD).code
    'security.grade_stays'
    """
    least = _LEAST[grade][destination]
    said: dict[str, Param] = {"grade": grade.value, "destination": destination.value}
    if least is None:
        return ExportDecision(False, "security.grade_stays", said)
    if role < least:
        return ExportDecision(False, "security.grade_role", {**said, "found": role.word, "expected": least.word})
    return ExportDecision(True, "", said)
