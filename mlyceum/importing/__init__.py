"""Records of other programs as ours: what they hold is read, what they do not hold stays unsaid."""

from mlyceum.importing.mlgym import Imported, import_mlgym

__all__ = ["Imported", "import_mlgym"]
