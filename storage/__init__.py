"""The journal on disk: event store, projections, migrations, export."""
