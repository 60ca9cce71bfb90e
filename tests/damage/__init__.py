"""Damage to every byte of a store: each bit flipped, each file cut anywhere, lost, swapped, grown.

Whatever is damaged, every reading gives the right answer or an error that says where. `disk` is a
disk in memory that tells what was read; `golden` the stores and what is right; `readings` all that
can be asked of a store; `changes` what can happen to its files; `judging` what may come of it;
`torture` does all of it, or a share.
"""
