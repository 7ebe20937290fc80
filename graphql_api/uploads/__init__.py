"""Videos that come in: small ones by forms, large ones in pieces, others from URLs."""
