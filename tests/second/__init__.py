"""Rating, worked out a second time: from the tables of the documentation alone, unit by unit, sharing no code.

`python -m tests.second --count 100000` compares it with the engine on random contracts.
"""
