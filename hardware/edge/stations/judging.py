"""Look at a part and judge it: camera and inspector together, again where the picture was not good enough."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic, perf_counter

import cv2

from andon.datasets.store.recorder import BundleRecord
from andon.models.codes.errors import CodeError
from andon.models.codes.parsing import PartCode
from andon.models.types.camera import Camera, CameraSettings, Shot, TriggerSource
from andon.models.types.errors import ResourceError
from andon.models.types.vision import Frame, Inspection, Inspector, Verdict

PNG_EFFORT = 1
"""Of 9: a line has no time for small files."""

CodeReader = Callable[[Frame], PartCode | None]
"""Finds a part's code in its picture; raises ``CodeError`` where there should be one and none can be read."""


@dataclass(frozen=True, slots=True)
class RecipeInUse:
    """A recipe with its bundle, loaded.

    Parameters
    ----------
    digest
        Of all that the recipe says, under which it is kept.
    settings
        What it asks of the camera.
    bundle
        The bundle as it stands in every record.
    provider
        The execution provider that runs the bundle.
    """

    name: str
    digest: str
    settings: CameraSettings
    bundle: BundleRecord
    inspector: Inspector
    provider: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A part that was looked at.

    Parameters
    ----------
    found
        What the bundle said of the picture, whether or not the part's code could be read.
    takes
        How many pictures it took.
    take_ms
        What triggering and waiting for the last picture took.
    """

    recipe: RecipeInUse
    shot: Shot
    found: Verdict
    inspection: Inspection
    code: PartCode | None
    takes: int
    take_ms: float


class IncompleteFrameError(ResourceError):
    """Every picture of a part arrived with gaps."""


@dataclass(frozen=True)
class Judge:
    """Looks at parts with one camera. Used by one thread at a time.

    Parameters
    ----------
    retakes
        How often a part is looked at again, where a gate refuses its picture or the picture has gaps; never where something else than the
        software triggers the camera.
    read_code
        Where no serial number is said.
    """

    camera: Camera
    retakes: int
    read_code: CodeReader

    def judge(self, recipe: RecipeInUse, said: PartCode | None, until_s: float) -> Judged:
        """Look at a part until it can be judged, as often as that is allowed and there is time for.

        Parameters
        ----------
        said
            The part's code; None where its picture or nobody says it.
        until_s
            When an answer must be there, by the monotonic clock.

        Raises
        ------
        NoFrameError, CameraLostError, IncompleteFrameError
            There is no whole picture.
        ResourceError
            The model failed, or was ended.
        """
        # Where something else exposes, the next picture is the next part's.
        takes = 1 + self.retakes * (recipe.settings.trigger is TriggerSource.SOFTWARE)
        for take in range(1, takes + 1):
            began_s = monotonic()
            judged = self._take(recipe, said, take, until_s - began_s)
            took_s = monotonic() - began_s
            is_last = take == takes or monotonic() + took_s > until_s
            if judged and (is_last or judged.inspection.verdict is not Verdict.RETAKE):
                return judged
            if is_last:
                break
        raise IncompleteFrameError("edge.incomplete", recipe.name, found=take)

    def _take(self, recipe: RecipeInUse, said: PartCode | None, take: int, left_s: float) -> Judged | None:
        """Take a picture and judge it; None where it has gaps."""
        began = perf_counter()
        shot = self.camera.grab(max(left_s, 0.0))
        take_ms = (perf_counter() - began) * 1e3
        if not shot.is_complete:
            return None
        inspection = recipe.inspector.inspect(shot.frame)
        found = inspection.verdict
        try:
            code = said or self.read_code(shot.frame)
        except CodeError:
            code, inspection = None, _unnamed(inspection)
        return Judged(recipe, shot, found, inspection, code, take, take_ms)


def _unnamed(inspection: Inspection) -> Inspection:
    """A good part that nobody can name later must not pass."""
    if inspection.verdict is not Verdict.OK:
        return inspection
    return replace(inspection, verdict=Verdict.RETAKE, reason="edge.no_code")


def encode_png(frame: Frame) -> bytes:
    """Encode a frame without loss."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, PNG_EFFORT])
    return encoded.tobytes()


def no_code(_frame: Frame) -> PartCode | None:
    """Read no code."""
    return None
