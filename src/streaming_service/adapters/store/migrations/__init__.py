"""Alembic's revisions, run by `migrate.py`. See `script.py.mako` for the rules that each one keeps."""
