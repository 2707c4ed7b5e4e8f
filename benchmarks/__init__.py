"""How well a team did: scores of MLGym-Bench, the pool of published methods, and what a new one adds to it.

Here belong scores over many episodes and their comparison; not how one artefact is scored (`tasks`), nor how
an episode runs (`engine`). Start with `benchmarks.comparison.add_method` (a team beside the published models)
and `benchmarks.pool.score_published` (the released runs scored); the formulas are in `benchmarks.profiles`,
`benchmarks.ranks`, `benchmarks.attempts` and `benchmarks.normalised`, the facts in `benchmarks.reference`.
`benchmarks/perf/` measures the engine itself.
"""

from benchmarks.attempts import best_attempt_at_k, best_submission_at_k, expected_best_of_k
from benchmarks.comparison import Comparison, add_method
from benchmarks.normalised import SeedScores, bootstrap_headlines, normalised_score
from benchmarks.pool import Pool, PublishedScores, pool_of_runs, published_pool, score_published
from benchmarks.records import Run, TaskRuns, load_published_runs
from benchmarks.reference import TaskFacts, best_published_valid, facts_of, task_facts

__all__ = [
    "Comparison",
    "Pool",
    "PublishedScores",
    "Run",
    "SeedScores",
    "TaskFacts",
    "TaskRuns",
    "add_method",
    "best_attempt_at_k",
    "best_published_valid",
    "best_submission_at_k",
    "bootstrap_headlines",
    "expected_best_of_k",
    "facts_of",
    "load_published_runs",
    "normalised_score",
    "pool_of_runs",
    "published_pool",
    "score_published",
    "task_facts",
]
