"""What an audit looks for: one file a check, named for what it finds; ``measures`` is what checks share."""
