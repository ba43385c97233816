"""What the notebooks draw, let the reader play with, and check. Nothing else imports this."""
