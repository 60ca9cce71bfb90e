"""Times that passed, for people."""

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def duration(time_us: float) -> str:
    """`0`, `340 µs`, `1.2 ms`, `15 ms`, `1.234 s`, `2 m 05 s`, `3 h 04 m`, `5 d 03 h`; `-` before less."""
    if time_us < 0:
        return f"-{duration(-time_us)}"
    if time_us < 999.5:
        return f"{time_us:.0f} µs" if time_us else "0"
    ms = time_us / 1000
    if ms < 999.5:
        return f"{ms:.1f} ms" if ms < 9.95 else f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < _MINUTE_S - 0.05:
        return f"{seconds:.3f} s" if seconds < 9.9995 else f"{seconds:.1f} s"
    whole = round(seconds)
    for unit_s, name, part_s, part in (
        (_DAY_S, "d", _HOUR_S, "h"),
        (_HOUR_S, "h", _MINUTE_S, "m"),
        (_MINUTE_S, "m", 1, "s"),
    ):
        if whole >= unit_s:
            return f"{whole // unit_s} {name} {whole % unit_s // part_s:02} {part}"
    raise AssertionError(whole)
