"""The npm registry protocol over HTTP: requests are translated into calls of `delivery`, `publishing` and `accounts`,
which decide."""
