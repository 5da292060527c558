"""Fuzz targets: what is read from strangers and from people, fed with what nobody would write.

A target is a module here with a function `target(raw)`: it takes any bytes, and raises when a
promise is broken. `seeds/<target>/` holds what it starts from, every crash that was found included;
`tests/test_fuzz.py` replays the seeds everywhere, and lets each target run where atheris is.

    python -m tests.fuzz answer -seed=1 -runs=200000 CORPUS

runs one by hand; what comes after its name is libFuzzer's, and new inputs are written to CORPUS.
`python -m bench.fuzz answer FOLDER` runs it until it is stopped.
"""
