"""An episode in a terminal: each module makes one part of it from an `EpisodeView` whose strings are plain already.

`page.show_page` puts the parts together. Nothing here reads files or the environment.
"""
