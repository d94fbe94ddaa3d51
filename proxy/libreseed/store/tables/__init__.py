"""One module for each table of the database, or few that belong together. All use the same verbs: `find` and `list`
read, `save` inserts or replaces, `remove` deletes. The connection and the migrations are in `store`."""
