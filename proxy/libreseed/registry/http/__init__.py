"""Shared by all endpoints: paths, request bodies, responses and errors, authentication, permissions, middleware."""
