"""Endpoints of accounts: login, profile, tokens, stars. Who somebody is, is decided in `libreseed.accounts`."""
