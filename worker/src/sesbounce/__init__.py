"""sesbounce: Amazon SES bounces and complaints, carried into the sender's own database."""
