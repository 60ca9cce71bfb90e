"""Fuzzing of everything that reads bytes or text from outside: each reader with its property.

`formats`, `stores`, `inputs` and `lines` hold the targets, one function each; `targets` is the list
of them. `mutate` and `sealing` change valid input, and make its checksums right again. `driver` runs
them by the million, with atheris where that is installed; `found` is what was found so far.
"""
