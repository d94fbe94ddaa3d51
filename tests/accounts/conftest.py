from store.conftest import database

__all__ = ["database"]
