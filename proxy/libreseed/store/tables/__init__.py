"""One module a table of the database, with fixed verbs. The connection and the migrations are in `store`."""
