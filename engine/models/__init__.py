"""Models: one way to ask for the next message of a conversation.

Start reading at `engine.models.interface`; errors are in `engine.models.errors`, named for what one can do.
"""
