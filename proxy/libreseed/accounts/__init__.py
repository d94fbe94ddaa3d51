"""Who somebody is: passwords, one-time passwords, web logins, and limits on guessing."""
