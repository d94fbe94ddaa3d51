"""The npm registry protocol over HTTP: it translates requests to calls, and holds no rules."""
