from support.running import start_node, upstream

__all__ = ["start_node", "upstream"]
