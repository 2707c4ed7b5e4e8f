"""Which tools a model has at hand for a request: those that its role's prompt names and its function allows."""

from collections.abc import Callable

from roles.model.folder import Folder
from roles.model.talk import Talk
from roles.model.tools.asking import ask_use, askable
from roles.model.tools.commands import run_python_use, shell_use
from roles.model.tools.files import edit_use, search_use, view_use, write_use
from roles.model.tools.lookups import literature_use, status_use
from roles.model.tools.notes import recall_use, remember_use
from roles.model.tools.tool import AnyUse
from roles.strategies import SOLO


def kit(talk: Talk, role: str, folder: Folder) -> list[AnyUse]:
    """A role's tools beside those of its function, made for one request, in the order in which its prompt names them.

    Left out: changes of files where the folder is to be read only, questions where there is nobody to ask, papers
    where the team may not look any up.
    """
    member = talk.member
    keep = folder.replace if folder.writable else None
    roles = askable(member.spec, member.role)
    make: dict[str, Callable[[], AnyUse | None]] = {
        "view": lambda: view_use(folder.look),
        "search": lambda: search_use(folder.look),
        "edit": lambda: edit_use(folder.files) if folder.writable else None,
        "write_file": lambda: write_use(folder.files) if folder.writable else None,
        "shell": lambda: shell_use(member, lambda: folder.artefact, keep),
        "run_python": lambda: run_python_use(member, lambda: folder.artefact),
        "remember": lambda: remember_use(member, talk.memory, has_team=member.spec.strategy.kind != SOLO),
        "recall": lambda: recall_use(talk.memory),
        "ask": lambda: ask_use(member, roles) if roles else None,
        "status": lambda: status_use(member),
        "literature": lambda: literature_use(member) if "literature" in member.spec.allow else None,
    }
    made = (make[name]() for name in talk.tools_of(role))
    return [use for use in made if use is not None]
