"""Break the service on purpose and look whether it holds: `python -m chaos` and `python -m chaos.soak`.

Beside `bench` and not below `tests`, because it is a command that prints figures; what pytest runs of it is in
`tests/chaos`.
"""
