"""`libreseed demo`: three nodes on loopback, of which one publishes a package and another installs it; each transfer is
shown with its source. No other command uses this package."""
