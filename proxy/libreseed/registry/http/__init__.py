"""What all endpoints share: paths, bodies, errors, who asks and may. No endpoint is in here."""
