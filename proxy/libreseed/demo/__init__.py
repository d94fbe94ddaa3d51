"""`libreseed demo`: three nodes on loopback, a package published, a tree installed, and where each byte came from. No
other command uses it."""
