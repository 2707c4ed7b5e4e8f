"""Reports: a study's record as one HTML page, the same in Markdown, and its tables as CSV and Parquet.

`sources` reads the folder, `evidence` makes figures of it that the statistics can take, a module a section says what they
mean, `document` is what all sections are made of, and `page`, `markdown` and `tables` write it. Everything that an agent
wrote goes through `plain` and an escape of the format it enters. Start reading at `report.make_report`.
"""
