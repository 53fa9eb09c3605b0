"""What is wrong with a record, a checkpoint or an export."""

from andon.models.types.errors import InputError


class LedgerError(InputError):
    """A record cannot be kept, or a chain, checkpoint or export is not what it should be."""
