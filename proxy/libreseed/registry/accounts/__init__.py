"""Endpoints of accounts: login, profile, tokens, stars. Passwords and codes are checked by `libreseed.accounts`."""
