"""Authentication of accounts: passwords, one-time passwords, web logins, limits on guessing. What an account may do is
in `packages.access` and `packages.tokens`."""
