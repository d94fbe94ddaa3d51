"""Who somebody is: passwords, one-time passwords, web logins, limits on guessing. What somebody may do is in
`packages.access` and `packages.tokens`."""
