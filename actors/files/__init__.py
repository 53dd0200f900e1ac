"""What files does: take files in, clean and keep them, and give them out."""

from actors.files.erasing import Erasing
from actors.files.giving import Giving
from actors.files.keeping import Keeping
from actors.files.removing import Removing


class Files(Keeping, Giving, Removing, Erasing):
    """Pictures and documents: their rows here, their bytes in the store."""

    name = "files"


__all__ = ["Files"]
