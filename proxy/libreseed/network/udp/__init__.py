"""Requests and answers over UDP, with their time-outs and limits. What they mean is in `network.overlay`."""
