"""From an action to a shell script: what lies in the agent's folder beforehand, and what is run for one action.

Nothing of the shell lives on between two actions. What MLGym's agent may count on is put back by each script: the
directory it went to, the variables it exported, folders without files and the modes of files.
"""

import re
from functools import cache
from pathlib import Path

TOOLS = ".mlgym"
"""The hidden folder of the agent's tools and state."""
STATE_MARK = "mlgym-state"
MULTI_LINE = {"edit": "end_of_edit", "insert": "end_of_insert"}
COMMANDS = (
    "open", "goto", "scroll_down", "scroll_up", "create", "edit", "insert", "search_dir", "search_file", "find_file",
    "validate", "submit",
)  # fmt: skip
_EDIT = re.compile(r"\s*edit\s+\d+:\d+")
_INSIDE = Path(__file__).parent / "inside"

_START = "import sys; sys.path.insert(0, sys.argv[1]); from roles.mlgym.inside.editor import main; main()"
"""Alone: neither the agent's folder nor its variables decide which modules are found."""
_PRELUDE = """\
exec 3>&2 2>&1
_mlgym_home=$PWD
_mlgym_tools=$PWD/{tools}
_mlgym_python=$(command -v python3)
rm -f -- "$_mlgym_tools/said.json"
if [ -e "$_mlgym_tools/modes" ]; then
  while read -r _mlgym_mode _mlgym_kind _mlgym_path; do
    [ "$_mlgym_kind" = d ] && mkdir -p -- "$_mlgym_path"
    chmod "$_mlgym_mode" -- "$_mlgym_path"
  done < "$_mlgym_tools/modes" 2>/dev/null
fi
[ -e "$_mlgym_tools/exports" ] && . "$_mlgym_tools/exports"
export MLGYM_WINDOW={window}
[ -e "$_mlgym_tools/directory" ] && cd -- "$(cat -- "$_mlgym_tools/directory")" 2>/dev/null
_mlgym() {{
  "$_mlgym_python" -I -S -B -c '{start}' "$_mlgym_tools" "$@"
}}
_mlgym_leave() {{
  trap - EXIT
  pwd > "$_mlgym_tools/directory"
  export -p > "$_mlgym_tools/exports"
  printf '{mark}\\n%s\\n' "$PWD" >&3
  cat -- "$_mlgym_tools/state.json" >&3 2>/dev/null || printf '{{}}' >&3
  printf '\\n' >&3
  cat -- "$_mlgym_tools/said.json" >&3 2>/dev/null || printf '{{}}' >&3
  cd -- "$_mlgym_home" && find . -path './{tools}' -prune -o \\( -type d -o -type f ! -perm 644 \\) -printf '%m %y %p\\n' \\
    2>/dev/null | LC_ALL=C sort -k 3 | head -n 2000 > "$_mlgym_tools/modes"
}}
trap _mlgym_leave EXIT
"""


@cache
def tool_files(window: int) -> dict[str, bytes]:
    """What must lie in the agent's folder before its first action, by path."""
    functions = "".join(f'{name}() {{ _mlgym {name} "$@"; }}\n' for name in COMMANDS)
    prelude = _PRELUDE.format(tools=TOOLS, mark=STATE_MARK, window=window, start=_START)
    inside = {
        f"{TOOLS}/roles/mlgym/inside/{name}.py": (_INSIDE / f"{name}.py").read_bytes()
        for name in ("editor", "lint")
    }
    return {f"{TOOLS}/commands.sh": (prelude + functions).encode(), **inside}


def is_malformed_edit(action: str) -> bool:
    """Whether an action begins as an edit and never says where its text ends."""
    return _EDIT.match(action) is not None and MULTI_LINE["edit"] not in action


def script_for(action: str) -> str:
    """The script that does an action; its output is what the agent sees, its errors are the state afterwards."""
    text = with_here_documents(action)
    end = _unused("MLGYM_ACTION", text)
    return (
        f". ./{TOOLS}/commands.sh\n"
        f"IFS= read -r -d '' _mlgym_action <<'{end}'\n{text.rstrip(chr(10))}\n{end}\n"
        'bash -n <<< "$_mlgym_action" && eval "$_mlgym_action" < /dev/null\n'
    )


def with_here_documents(action: str) -> str:
    """The action with the text of each edit and insertion as a here-document, so that nothing in it is expanded.

    The word that ends the text stands on a line of its own, not indented.
    """
    lines, done = action.split("\n"), list[str]()
    while lines:
        line = lines.pop(0)
        name = line.split()[0] if line.strip() else ""
        end = MULTI_LINE.get(name)
        place = next((n for n, each in enumerate(lines) if end and each.rstrip() == end), None)
        if place is None:
            done.append(line)
            continue
        text, lines = lines[:place], lines[place + 1 :]
        word = _unused(f"MLGYM_{name.upper()}", "\n".join(text))
        done += [f"{line.rstrip()} <<'{word}'", *text, word]
    return "\n".join(done)


def _unused(word: str, text: str) -> str:
    """A word that is no line of a text."""
    lines = set(text.split("\n"))
    number = 0
    while f"{word}_{number}" in lines:
        number += 1
    return f"{word}_{number}"
