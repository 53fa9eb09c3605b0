"""The health graph in onnxruntime: what ``distances`` computes, from a file that other runtimes read too."""

from andon.models.graphs.placement import SessionMaker, open_session
from andon.models.graphs.session import GraphSession, Port
from andon.models.health.mahalanobis import Distances, Floats

INPUTS = (
    Port("features", "float64", ("n", "d")),
    Port("mean", "float64", ("d",)),
    Port("whitener", "float64", ("d", "d")),
)
OUTPUTS = (Port("score", "float64", ("n",)), Port("contributions", "float64", ("n", "d")))


class HealthGraph:
    """The health graph of a bundle. Safe to call from several threads at once.

    Parameters
    ----------
    model
        The ONNX file's bytes, as ``health_graph`` writes them.
    make_session
        Decides what the graph runs on.

    Raises
    ------
    BundleError
        onnxruntime cannot load the graph, or it has another contract.
    """

    def __init__(self, model: bytes, subject: str = "model.onnx", make_session: SessionMaker = open_session) -> None:
        self._session = GraphSession(model, subject, INPUTS, OUTPUTS, make_session)

    def distances(self, features: Floats, mean: Floats, whitener: Floats) -> Distances:
        """Measure the Mahalanobis distance of each row; see ``andon.models.health.mahalanobis.distances``.

        Raises
        ------
        InputError
            The shapes do not fit one another.
        """
        feeds = {"features": features, "mean": mean, "whitener": whitener}
        return Distances(*self._session.run([port.name for port in OUTPUTS], feeds))
