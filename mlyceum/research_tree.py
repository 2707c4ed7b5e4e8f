"""The research tree of an episode, as the front door shows it; it is put together in `engine.research_tree`."""

from engine.research_tree import ResearchNode, Status, children, research_nodes

__all__ = ["ResearchNode", "Status", "children", "research_nodes"]
