"""Lays out one `.libreseed_modules` tree and swaps it in. Unpacking its packages is in `modules.unpack`."""
