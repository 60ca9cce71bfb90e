"""The crash laboratory: a store over a disk that crashes, and everything that it must still promise.

`bench` holds time, chance and sizes still; `actions` are what programs do to a store, with what
must be known of it afterwards; `claims` look at a store and say what is wrong; `explore` crashes
every operation of short sequences, `wander` long random ones, `refuse` lets the disk refuse calls,
`damage` rots what was stored; `mutants` are errors that all of these must find.
"""
