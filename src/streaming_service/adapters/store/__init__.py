"""Where everything that must survive is kept: one contract, three databases.

    memory.py        MemoryStore: a process's own memory, for tests and a first look (memory_outbox.py is half of it)
    sql.py           SqlStore: sqlite (the embedded default) and Postgres through SQLAlchemy Core
      database.py      what the two have in common: how a job is run, and what its errors become
      sqlite.py        one writing thread and some reading ones
      postgres.py      a pool of connections, and limits on every wait
      channels.py      \\
      outbox.py         | one noun each: plain functions over a connection, run in a transaction by the two above
      dead_letters.py   |
      leases.py         |
      marks.py         /
      tables.py        what the tables look like now
      schema.py        whether this release can work with the ones that it finds
      migrate.py       how they came to look so (Alembic, in migrations/)
    codec.py         structs to rows and back
    paging.py        cursors
    dsn.py           addresses as people write them

`tests/contract/store` holds all of them to the docstrings of `application/ports.py`.
"""
