"""Persistence: tables, engines, snapshots, migrations, change log, search index and catalogue files."""
