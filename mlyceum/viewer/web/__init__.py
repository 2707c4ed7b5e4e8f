"""The record of studies in a browser: pages for people, served on loopback from what lies in a folder.

`serving` opens the port, `guard` says who may ask, `app` has the addresses, `*_pages` make their documents (JSON) from
`catalogue` (the episodes of a study), `recordings` (one episode's journal, as it grows) and `inside` (files, no links).
`static/` is what the browser gets: hand-written modules, no build step. Needs the extra ``view``.
"""
