"""Which broken node deserves to be mended: the same for every rule that mends."""

from roles.tree import Node, Tree


def can_mend(tree: Tree, node: Node, *, depth: int = 1) -> bool:
    """Whether it makes sense to hand a node back: it broke for a stated reason, and nobody has tried to mend it.

    Args:
        tree: the nodes.
        node: the one in question.
        depth: how often in a row a node may be handed back.
    """
    is_broken = node.status == "failed" and bool(node.problem) and node.hypothesis is not None
    if not is_broken or _mendings(tree, node) >= depth:
        return False
    return not any(other.operator == "debug" and other.parents[0] == node.id for other in tree.nodes.values())


def first_broken(tree: Tree, *, depth: int) -> Node | None:
    """The oldest node that can be mended."""
    return next((node for node in tree.nodes.values() if can_mend(tree, node, depth=depth)), None)


def _mendings(tree: Tree, node: Node) -> int:
    count = 0
    while node.operator == "debug":
        count, node = count + 1, tree.nodes[node.parents[0]]
    return count
