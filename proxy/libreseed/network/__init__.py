"""Finding records and holders: the overlay."""
