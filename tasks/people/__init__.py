"""What is done with the register that needs models or settings."""
