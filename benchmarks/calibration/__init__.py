"""Do the statistics hold what they promise? Measured where the truth is known.

    python -m benchmarks.calibration

Read `laws` (outcomes with known means), then a file for each question: `coverage` (do intervals hold the truth?),
`false_positives` (is something found where nothing is?), `pipeline` (the same through the real engine), `detection` (is
power what was predicted?), `planted` (are planted role effects found?). `tables` writes what stands in the docs.
"""
