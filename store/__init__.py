"""This room is what Atoll keeps: tables, engines, snapshots, migrations and the change log."""
