"""A study written for other programs: frames as files, tables of results, trajectories, runs of W&B.

`trajectories` makes chat-format lines with per-step rewards, `result_tables` LaTeX and Markdown, `frame_files` Parquet, CSV,
JSON lines and SQLite, `wandb_runs` runs of Weights & Biases. Nothing here changes a study, except that tables of results
are a look, which is put down.
"""
