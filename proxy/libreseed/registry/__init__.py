"""The npm registry protocol over HTTP; translates, holds no rules."""
